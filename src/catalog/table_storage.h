/* How a table's rows are kept: its option helios.storage. */
#ifndef HELIOS_CATALOG_TABLE_STORAGE_H
#define HELIOS_CATALOG_TABLE_STORAGE_H

#include "catalog/catalog.h"

#define STORAGE_OPTION "helios.storage"

enum table_storage {
    STORAGE_ROW,
    STORAGE_DUAL, /* rows, and columns beside them (core/columns.h) */
    STORAGE_COLUMN, /* columns alone; of these */
    STORAGE_HYBRID, /* … in small segments */
    STORAGE_COMPRESSED,
};

/* False: there is no such word, in any case. "auto" and "auto:word" are the server's own choice: so far rows, or that. */
bool table_storage_read(const char *text, enum table_storage *ret);
const char *table_storage_name(enum table_storage s);
enum table_storage table_storage(const struct table_def *t);
static inline bool table_has_columns(const struct table_def *t)
{
    return t->options && table_storage(t) != STORAGE_ROW;
}
/* Whether the server may choose: it was told so, or was told nothing. */
bool table_storage_is_auto(const struct table_def *t);
/* On disk; else they are made of columns when they are asked for. */
static inline bool table_has_rows(const struct table_def *t)
{
    return !t->options || table_storage(t) <= STORAGE_DUAL;
}
/* The value of an option "name=value" of the table, as long as it fits; false: it has none. */
bool table_option(const struct table_def *t, const char *name, char *ret, size_t room);

#endif
