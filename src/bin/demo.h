/* The demo database of `make run`: a shop of customers, products and orders, 100,000 rows. */
#ifndef HELIOS_BIN_DEMO_H
#define HELIOS_BIN_DEMO_H

#include "db/db.h"

/* Fills the database when it has no shop yet. */
enum status demo_fill(struct db *db) MUST;
/* Three commands to paste. */
void demo_print_commands(int port);

#endif
