/* What PostgreSQL 15 has built in and we do not have: such names are answered with 0A000, where others do not exist. */
#ifndef HELIOS_CATALOG_ABSENT_H
#define HELIOS_CATALOG_ABSENT_H

#include <stdbool.h>

bool absent_type(const char *name);
bool absent_function(const char *name);

#endif
