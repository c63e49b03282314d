/* Strings of SQL, for commands that make statements. */
#ifndef HELIOS_BIN_LITERAL_H
#define HELIOS_BIN_LITERAL_H

#include "base/str.h"

/* Appends the text as a constant, whatever standard_conforming_strings says. */
void literal_add(struct strbuf *out, const char *text);

#endif
