/* What the two files of information_schema's rows share. */
#ifndef HELIOS_DB_INFORMATION_PRIV_H
#define HELIOS_DB_INFORMATION_PRIV_H

#include "db/system_priv.h"

#define DB(x) sys_text((x)->s->database)
#define YES_NO(condition) sys_text((condition) ? "YES" : "NO")

/* Rows of routines for the functions of the catalog (information_routine.c). */
enum status information__own_routines(struct sys_scan *x) MUST;

#endif
