#include "base/str.h"

#include <stdio.h>

static int lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower((unsigned char)a.data[i]) != lower((unsigned char)b.data[i])) return false;
    return true;
}

bool str_eq_nocase(const char *a, const char *b)
{
    return slice_eq_nocase(slice_of(a), slice_of(b));
}

bool str_to_u64(struct slice s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned d = (unsigned char)s.data[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(struct slice s, int64_t *ret)
{
    bool negative = s.len && s.data[0] == '-';
    uint64_t magnitude;
    if (s.len && (s.data[0] == '-' || s.data[0] == '+')) s = slice_make(s.data + 1, s.len - 1);
    if (!str_to_u64(s, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + negative) return false;
    *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

void strbuf_init(struct strbuf *b, struct arena *arena)
{
    *b = (struct strbuf){.arena = arena};
    strbuf_reserve(b, 55);
}

void strbuf_release(struct strbuf *b)
{
    if (!b->arena) mem_free(MEM_BASE, b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void strbuf_clear(struct strbuf *b)
{
    b->len = 0;
    if (b->data) b->data[0] = '\0';
}

void strbuf_reserve(struct strbuf *b, size_t more)
{
    size_t need = b->len + more + 1;
    ASSERT(need > more);
    if (need <= b->cap) return;
    size_t cap = b->cap ? b->cap * 2 : 56;
    if (cap < need) cap = need;
    if (b->arena) {
        char *p = arena_alloc(b->arena, cap);
        if (b->len) memcpy(p, b->data, b->len);
        b->data = p;
    } else {
        b->data = mem_realloc(MEM_BASE, b->data, cap);
    }
    b->cap = cap;
    b->data[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    strbuf_reserve(b, len);
    if (len) memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
    ASSERT(fmt);
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(len >= 0);
    strbuf_reserve(b, (size_t)len);
    vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    b->len += (size_t)len;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(b, fmt, ap);
    va_end(ap);
}
