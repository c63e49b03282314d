/* jsonb: JSON as a tree of bytes (docs/format/jsonb.md), in which a member of an object is found by binary
 * search and an element of an array by its number.
 *
 * One struct serves for reading and for making. Read, a value refers to the document's bytes and is
 * `packed`; made, its parts may be lists in memory or packed parts of other documents, in any mixture. */
#ifndef HELIOS_TYPES_JSONB_H
#define HELIOS_TYPES_JSONB_H

#include "types/json.h"
#include "types/value.h"

struct json_pair;
struct json_value {
    uint8_t kind;   /* enum json_kind */
    bool packed;    /* an array or object as bytes */
    uint32_t count; /* elements or members */
    union {
        struct slice bytes; /* string; number as numeric_store has it; packed container */
        struct json_value *items;
        struct json_pair *pairs; /* any order; of equal keys the last one counts */
    };
};
struct json_pair {
    struct slice key;
    struct json_value value;
};

static inline bool json_is_container(const struct json_value *v) { return v->kind >= JSON_ARRAY; }

/* --- reading: documents are well-formed --------------------------------------------------------- */

struct json_value jsonb_root(struct slice document);
static inline struct json_value jsonb_of(const struct bytes *b) { return jsonb_root(bytes_slice(b)); }
/* Of packed or listed containers; i < count. The pairs of a listed object stand as they were put. */
struct json_value jsonb_item(const struct json_value *array, uint32_t i);
struct json_pair jsonb_pair(const struct json_value *object, uint32_t i);
/* Of a packed object. */
bool jsonb_find(const struct json_value *object, struct slice key, struct json_value *ret);
struct numeric jsonb_number(const struct json_value *v, struct arena *a);
bool jsonb_is_true_false(const struct json_value *v);
/* "object", "array", "string", "number", "boolean", "null" */
const char *json_kind_name(enum json_kind kind);

/* PostgreSQL's btree order; -1, 0, 1. Equal ones hash alike. */
int jsonb_compare(struct slice a, struct slice b);
uint64_t jsonb_hash(struct slice document);
/* Of scalars of one kind, or of values of any kind as they stand in containers. */
int jsonb_compare_values(const struct json_value *a, const struct json_value *b);
/* @>: does `a` hold all that is in `b`, documents both? */
bool jsonb_contains(struct slice a, struct slice b);

/* Are the bytes a well-formed document? For readers of foreign bytes. */
bool jsonb_valid(struct slice document);

/* --- making --------------------------------------------------------------------------------------- */

/* The document; its bytes lie in the arena, or in a packed container that it is. PROGRAM_LIMIT_EXCEEDED,
 * STATEMENT_TOO_COMPLEX. */
enum status jsonb_make(struct arena *a, const struct json_value *v, struct bytes *ret) MUST;
static inline struct json_value json_string(struct slice s)
{
    return (struct json_value){.kind = JSON_STRING, .bytes = s};
}
static inline struct json_value json_bool(bool b)
{
    return (struct json_value){.kind = b ? JSON_TRUE : JSON_FALSE};
}
/* Is kept in the arena. */
struct json_value json_number(struct arena *a, const struct numeric *n);
/* A growing list of elements or members in the arena. */
void json_push(struct arena *a, struct json_value *array, struct json_value item);
void json_put(struct arena *a, struct json_value *object, struct slice key,
              struct json_value item);
/* The same container as lists, one level deep: what is in it stays packed. Room for `more`. */
struct json_value json_unpack(struct arena *a, const struct json_value *v, uint32_t more);

/* --- text ----------------------------------------------------------------------------------------- */

enum status jsonb_from_text(struct slice text, struct arena *a, struct bytes *ret) MUST;
/* Type json's text to a value in memory: of the same errors. */
enum status json_value_from_text(struct slice text, struct arena *a,
                                 struct json_value *ret) MUST;
void jsonb_to_text(struct slice document, struct strbuf *out);
void jsonb_value_to_text(const struct json_value *v, struct strbuf *out);
/* With line breaks, four blanks a level. */
void jsonb_to_pretty_text(struct slice document, struct strbuf *out);

#endif
