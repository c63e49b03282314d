/* How a table's rows are kept: its option helios.storage. */
#ifndef HELIOS_CATALOG_TABLE_STORAGE_H
#define HELIOS_CATALOG_TABLE_STORAGE_H

#include "catalog/catalog.h"

#define STORAGE_OPTION "helios.storage"

enum table_storage {
    STORAGE_ROW,
    STORAGE_DUAL, /* rows, and columns beside them (core/columns.h) */
};

/* False: there is no such word, in any case. */
bool table_storage_read(const char *text, enum table_storage *ret);
const char *table_storage_name(enum table_storage s);
enum table_storage table_storage(const struct table_def *t);
/* The value of an option "name=value" of the table, as long as it fits; false: it has none. */
bool table_option(const struct table_def *t, const char *name, char *ret, size_t room);

#endif
