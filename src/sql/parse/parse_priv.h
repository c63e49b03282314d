/* What parse.c asks of the bridge: the only two calls that reach the library. */
#ifndef HELIOS_SQL_PARSE_PARSE_PRIV_H
#define HELIOS_SQL_PARSE_PARSE_PRIV_H

#include "sql/ast.h"

/* Runs the grammar over `text` (valid UTF-8, NUL-terminated at text.len) and copies what it made. */
/* The text with quotes around the words row and column where our settings have them; in the arena. */
struct slice storage_words(struct arena *a, struct slice text);
enum status bridge__parse(struct arena *a, struct slice text, struct statement **ret,
                          uint32_t *ret_count) MUST;

#endif
