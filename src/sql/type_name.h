/* Row types: their names, and what they consist of. */
#ifndef HELIOS_SQL_TYPE_NAME_H
#define HELIOS_SQL_TYPE_NAME_H

#include "catalog/catalog.h"
#include "types/value.h"

/* As type_format, with the names of row types: qualified where the path (NULL: none) does not find them. */
void type_name_print(const struct catalog *c, const struct search_path *path, type_id type,
                         int32_t typmod, struct strbuf *out);
/* The columns of a row type that are not dropped, in the arena; their number. 0 for other types, and when
 * the relation is gone. */
uint32_t type_row_columns(const struct catalog *c, type_id type, struct arena *a,
                             struct row_columns *ret);
/* The relation of a row type or of arrays of it; NULL: it is neither, or gone. */
const struct table_def *type_row_table(const struct catalog *c, type_id type);

#endif
