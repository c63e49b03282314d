/* Shared by the files of functions on strings: slices of arguments, characters of UTF-8, and what
 * the table in text.c names.
 *
 * A result may reference an argument's long bytes, which live as long as the batch; short ones are
 * copied into the datum by bytes_ref, so a slice of an argument can always be returned. */
#ifndef HELIOS_EXEC_TEXT_PRIV_H
#define HELIOS_EXEC_TEXT_PRIV_H

#include "exec/functions/functions_priv.h"

enum { TEXT_BYTES_MAX = 0x3fffffff - 4 }; /* 1 GB less its header, as in PostgreSQL */

/* A scalar function; not each uses all it is given. */
#define SCALAR(name)                                                                               \
    enum status name(struct call_ctx *c __attribute__((unused)),                                   \
                     const struct datum *args __attribute__((unused)),                             \
                     uint32_t n __attribute__((unused)), struct datum *ret __attribute__((unused)))

static inline struct slice arg_slice(const struct datum *args, uint32_t i)
{
    return bytes_slice(&args[i].v.bytes);
}
/* Of an argument's bytes, or of the arena. */
static inline enum status ret_slice(struct datum *ret, struct slice s)
{
    return ret_bytes(ret, bytes_ref(s.data, (uint32_t)s.len));
}
static inline enum status ret_bool(struct datum *ret, bool b)
{
    ret->v.b = b;
    return OK;
}
static inline enum status ret_i32(struct datum *ret, int32_t i)
{
    ret->v.i32 = i;
    return OK;
}

/* Bytes of the character that begins at p; 1 at least. */
static inline size_t utf8_len(const char *p, const char *end)
{
    uint8_t b = (uint8_t)*p;
    size_t len = b < 0xc0 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    return len <= (size_t)(end - p) ? len : (size_t)(end - p);
}
static inline size_t utf8_count(struct slice s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++) count += ((uint8_t)s.data[i] & 0xc0) != 0x80;
    return count;
}
/* Where the character number `chars` (0..) begins; s.len when there are not so many. */
static inline size_t utf8_offset(struct slice s, size_t chars)
{
    const char *p = s.data, *end = s.data + s.len;
    while (chars > 0 && p < end) p += utf8_len(p, end), chars--;
    return (size_t)(p - s.data);
}
static inline struct slice slice_from(struct slice s, size_t at)
{
    return slice_make(s.data + at, s.len - at);
}
uint32_t utf8__decode(const char *p, size_t len);
/* Appends; the code point is below 0x110000. */
void utf8__add(struct strbuf *out, uint32_t code);
/* The first `needle` at or after `from`; -1 for none. */
int64_t text__find(struct slice s, struct slice needle, size_t from);
/* What was built in the arena; "requested length too large" beyond the limit. */
enum status text__ret(const struct strbuf *b, struct datum *ret) MUST;
enum status text__too_long(void) MUST;
/* SQL's substring over `total` units: start is 1-based; *ret_end is exclusive, both 0-based. */
enum status text__range(int32_t start, bool has_length, int32_t length, size_t total,
                        size_t *ret_begin, size_t *ret_end) MUST;
/* Text form of any value, as its output function prints it. */
void text__output(struct call_ctx *c, type_id type, const struct datum *d, struct strbuf *out);
/* As a cast to text prints it: booleans in full, bpchar without trailing blanks. */
struct slice text__cast(struct call_ctx *c, type_id type, const struct datum *d);
/* The type of an argument of the call. */
type_id text__arg_type(const struct call_ctx *c, uint32_t i);
/* An identifier in double quotes where it needs them; a literal with its quotes. */
void text__quote_ident(struct slice s, struct strbuf *out);
void text__quote_literal(struct slice s, struct strbuf *out);

#define SCALARS(X)                                                                                 \
    X(text__lower) X(text__upper) X(text__initcap)                                                 \
    X(text__lpad) X(text__rpad) X(text__lpad_blank) X(text__rpad_blank)                            \
    X(text__btrim) X(text__ltrim) X(text__rtrim)                                                   \
    X(text__btrim_blank) X(text__ltrim_blank) X(text__rtrim_blank)                                 \
    X(text__repeat) X(text__reverse) X(text__translate) X(text__replace) X(text__split_part)       \
    X(text__ident) X(text__literal) X(text__literal_any)                                           \
    X(text__nullable) X(text__nullable_any) X(text__format) X(text__format_plain)                  \
    X(like__text) X(like__text_not) X(like__itext) X(like__itext_not)                              \
    X(like__bytea) X(like__bytea_not) X(like__escape) X(like__escape_bytea)                        \
    X(like__similar) X(like__similar_2) X(like__similar_1)                                         \
    X(bytea__get_byte) X(bytea__set_byte)                                               \
    X(bytea__substr) X(bytea__substr_from) X(bytea__overlay) X(bytea__overlay_all)                 \
    X(bytea__position) X(bytea__btrim) X(bytea__ltrim) X(bytea__rtrim)               \
    X(bytea__encode) X(bytea__decode) X(bytea__md5) X(bytea__sha224) X(bytea__sha256)              \
    X(bytea__sha384) X(bytea__sha512) X(bytea__convert_from) X(bytea__convert_to)                  \
    X(bytea__get_bit) X(bytea__set_bit) X(bytea__bit_count)                                        \
    X(unicode__unistr) X(unicode__normalize) X(unicode__is_normalized)                             \
    X(bytea__length_in)                                                                            \
    X(regexp__match) X(regexp__match_not) X(regexp__imatch) X(regexp__imatch_not)                  \
    X(regexp__replace) X(regexp__replace_n) X(regexp__array) X(regexp__split_array)                \
    X(regexp__count) X(regexp__instr) X(regexp__like) X(regexp__substr) X(regexp__substring)       \
    X(regexp__substring_similar)
#define X(name) SCALAR(name) MUST;
SCALARS(X)
#undef X

#define LIKE_VECTORS(X)                                                                            \
    X(like__text_rows) X(like__text_not_rows) X(like__itext_rows) X(like__itext_not_rows)
#define X(name)                                                                                    \
    enum status name(struct call_ctx *c, const struct vec *const *args, uint32_t arg_count,        \
                     const uint16_t *sel, uint32_t count, struct vec *ret) MUST;
LIKE_VECTORS(X)
#undef X

#endif
