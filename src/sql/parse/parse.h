/* The parser: text to syntax tree, by PostgreSQL 15's own grammar (libpg_query's raw_parser). */
#ifndef HELIOS_SQL_PARSE_PARSE_H
#define HELIOS_SQL_PARSE_PARSE_H

#include "sql/ast.h"

enum { SQL_TEXT_BYTES_MAX = 64 << 20, AST_DEPTH_MAX = 4000 };

/* All statements of the string, empty ones left out; everything in the arena, the text is not
 * referenced afterwards. Errors are PostgreSQL's: 42601 `syntax error at or near "x"` with a 1-based
 * character position, hint and detail. Invalid UTF-8 is CHARACTER_NOT_IN_REPERTOIRE. Nesting beyond
 * AST_DEPTH_MAX or the stack is STATEMENT_TOO_COMPLEX. `text` must be NUL-terminated at text.len. Any
 * thread that lives long (workers): the library keeps memory a thread. */
enum status sql_parse(struct arena *a, struct slice text, struct statement **ret,
                      uint32_t *ret_count) MUST;

/* A single expression, such as a stored default or check: parsed as SELECT <expr>. */
enum status sql_parse_expression(struct arena *a, struct slice text, struct ast **ret) MUST;

/* 0-based byte offset to 1-based character position. */
int sql_position(struct slice text, int byte_offset);

/* Pulls literals out of a statement's text for the plan cache: `a = 5 and b = 'x'` becomes
 * `a = $1 and b = $2` with two literals. Only what may be a parameter without changing the meaning is
 * taken (numbers and plain strings where an expression stands, in SELECT, INSERT, UPDATE, DELETE
 * alone; never in ORDER BY or GROUP BY ordinals, LIMIT, type modifiers, INTERVAL '…', typed literals,
 * nor behind a minus that could be part of it); *ret_count 0 and the text as it was
 * when in doubt. One pass, no allocation beyond `out`. */
enum { LITERALS_MAX = 64 };
enum literal_kind { LITERAL_INT4, LITERAL_INT8, LITERAL_NUMERIC, LITERAL_STRING };
struct literal {
    enum literal_kind kind;
    struct slice text; /* into the statement; STRING: between the quotes, '' not undone */
    bool has_quote;    /* STRING: has '' inside */
};
bool sql_normalize(struct slice text, struct strbuf *out, struct literal *ret, uint32_t *ret_count);

/* What a statement says but for its constants, which become $n (out), and a number that depends on that
 * alone: for statistics. Never 0. Any text, other statements than queries too. */
uint64_t sql_fingerprint(struct slice text, struct strbuf *out);

#endif
