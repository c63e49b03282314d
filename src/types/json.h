/* JSON as text: what type json holds. A reader that tells what it meets, one event after the other, with
 * the places in the text, so that parts of it can be handed out as they were written; PostgreSQL's errors,
 * with the line and what stands there. Source: RFC 8259 and PostgreSQL 15's documentation 8.14. */
#ifndef HELIOS_TYPES_JSON_H
#define HELIOS_TYPES_JSON_H

#include "base/str.h"

enum { JSON_DEPTH_MAX = 2000 }; /* arrays and objects in each other */

enum json_kind {
    JSON_NULL, JSON_STRING, JSON_NUMBER, JSON_FALSE, JSON_TRUE, JSON_ARRAY, JSON_OBJECT
};

/* What a value of the text is. `raw`: as it is written, strings with quotes. `text`: of a string
 * without quotes and escapes, when those are asked for; of other scalars as raw. */
struct json_token {
    enum json_kind kind;
    struct slice raw, text;
};

/* What is told. Each may be NULL. `depth`: how many containers there are around. Text is in the arena
 * or in the input. An error ends the reading. */
struct json_events {
    void *ctx;
    bool unescape; /* strings and keys are wanted without escapes: \u0000 is an error then */
    enum status (*begin)(void *ctx, enum json_kind kind, uint32_t depth); /* [ or { */
    enum status (*end)(void *ctx, enum json_kind kind, uint32_t depth, struct slice raw);
    enum status (*key)(void *ctx, struct slice key, uint32_t depth); /* a member follows */
    enum status (*item)(void *ctx, uint32_t depth);                  /* an element follows */
    enum status (*scalar)(void *ctx, const struct json_token *t, uint32_t depth);
};

/* Reads all of it. INVALID_TEXT_REPRESENTATION, UNTRANSLATABLE_CHARACTER, STATEMENT_TOO_COMPLEX, or
 * what an event says. `a`: for texts without escapes; NULL when none are asked for. */
enum status json_read(struct slice text, const struct json_events *e, struct arena *a) MUST;
/* Is it JSON? */
enum status json_check(struct slice text) MUST;
/* The kind of the value of a valid text. */
enum json_kind json_kind_of(struct slice text);

/* --- valid text: values of type json -------------------------------------------------------------- */

/* The members or elements of an array or object, as they are written. */
struct json_walk {
    const char *p, *end;
    bool object;
};
void json_walk_begin(struct json_walk *w, struct slice container);
/* False at the end. *key, with quotes, is of objects alone. */
bool json_walk_next(struct json_walk *w, struct slice *key, struct slice *value);
uint32_t json_walk_count(struct slice container);
/* Without the blanks around. */
struct slice json_trim(struct slice text);
/* A string without quotes and escapes. */
enum status json_unquote(struct slice string, struct arena *a, struct slice *ret) MUST;
/* Can all strings of the text be told without escapes? The errors are of json_read. */
enum status json_check_escapes(struct slice text, struct arena *a) MUST;

/* In quotes, with escapes where they must be. */
void json_quote(struct slice s, struct strbuf *out);

#endif
