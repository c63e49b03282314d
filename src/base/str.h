/* Slices of bytes and a string builder. */
#ifndef HELIOS_BASE_STR_H
#define HELIOS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

/* Bytes that somebody else owns. */
struct slice {
    const char *data;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *s) { return (struct slice){s, s ? strlen(s) : 0}; }
static inline struct slice slice_make(const void *p, size_t len)
{
    return (struct slice){(const char *)p, len};
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
/* Bytewise order; a prefix sorts before what it begins. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
/* The same, for keys, most of which are short: without a call, eight bytes at a time. */
static inline int slice_cmp_short(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x, y;
        memcpy(&x, a.data + i, 8);
        memcpy(&y, b.data + i, 8);
        if (x != y) return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
    }
    for (; i < n; i++)
        if (a.data[i] != b.data[i]) return (uint8_t)a.data[i] < (uint8_t)b.data[i] ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}
static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}
static inline struct slice slice_dup(struct arena *a, struct slice s)
{
    return slice_make(arena_strndup(a, s.data, s.len), s.len);
}
/* ASCII only, as SQL keywords need it. */
bool str_eq_nocase(const char *a, const char *b);
bool slice_eq_nocase(struct slice a, struct slice b);

/* Whole-string numbers: no blanks, no trailing bytes. False when malformed or out of range. */
bool str_to_i64(struct slice s, int64_t *ret);
bool str_to_u64(struct slice s, uint64_t *ret);

/* A growing buffer, always NUL-terminated beyond `len`. Grows on the heap, or in an arena when one
 * is given. Open for hot appends. */
struct strbuf {
    char *data;
    size_t len, cap;
    struct arena *arena; /* NULL: heap under MEM_BASE */
};

void strbuf_init(struct strbuf *b, struct arena *arena);
void strbuf_release(struct strbuf *b);
void strbuf_clear(struct strbuf *b);
/* Room for `more` bytes and the NUL. */
void strbuf_reserve(struct strbuf *b, size_t more);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF(2, 3);
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap);
static inline void strbuf_addc(struct strbuf *b, char c)
{
    if (b->len + 1 >= b->cap) strbuf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}
static inline struct slice strbuf_slice(const struct strbuf *b) { return slice_make(b->data, b->len); }

#endif
