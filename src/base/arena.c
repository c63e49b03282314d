#include "base/arena.h"

#include <stdio.h>

enum { CHUNK_BYTES_MIN = 4096, CHUNK_BYTES_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* header included */
    char *end;
};

static char *chunk_data(struct arena_chunk *c)
{
    return (char *)c + sizeof *c;
}

void arena_init(struct arena *a, enum mem_tag tag)
{
    *a = (struct arena){.tag = tag};
}

static void free_chunk(struct arena *a, struct arena_chunk *c)
{
    a->bytes -= c->bytes;
    mem_free(a->tag, c);
}

void arena_release(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *older = a->chunks->older;
        free_chunk(a, a->chunks);
        a->chunks = older;
    }
    a->next = a->end = NULL;
}

void arena_clear(struct arena *a)
{
    while (a->chunks && (a->chunks->older || a->chunks->bytes > CHUNK_BYTES_MAX)) {
        struct arena_chunk *older = a->chunks->older;
        free_chunk(a, a->chunks);
        a->chunks = older;
    }
    a->next = a->chunks ? chunk_data(a->chunks) : NULL;
    a->end = a->chunks ? a->chunks->end : NULL;
}

bool arena_contains(const struct arena *a, const void *p)
{
    for (struct arena_chunk *c = a->chunks; c; c = c->older)
        if ((const char *)p >= (const char *)c && (const char *)p < c->end) return true;
    return false;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->chunks, a->next};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    if (!mark.chunk) {
        arena_clear(a);
        return;
    }
    while (a->chunks != mark.chunk) {
        struct arena_chunk *older = a->chunks->older;
        free_chunk(a, a->chunks);
        a->chunks = older;
        ASSERT(older);
    }
    a->next = mark.next;
    a->end = a->chunks->end;
}

void *arena_alloc_slow(struct arena *a, size_t size, size_t align)
{
    size_t bytes = a->chunks ? a->chunks->bytes * 2 : CHUNK_BYTES_MIN;
    if (bytes > CHUNK_BYTES_MAX) bytes = CHUNK_BYTES_MAX;
    size_t need = sizeof(struct arena_chunk) + size + align;
    ASSERT(need > size);
    if (bytes < need) bytes = need;
    struct arena_chunk *c = mem_alloc_aligned(a->tag, 16, bytes);
    c->older = a->chunks;
    c->bytes = bytes;
    c->end = (char *)c + bytes;
    a->chunks = c;
    a->bytes += bytes;
    char *p = (char *)(((uintptr_t)chunk_data(c) + align - 1) & ~(uintptr_t)(align - 1));
    a->next = p + size;
    a->end = c->end;
    return p;
}

void *arena_memdup(struct arena *a, const void *src, size_t len)
{
    void *p = arena_alloc(a, len);
    if (len) memcpy(p, src, len);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc_aligned(a, len + 1, 1);
    if (len) memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(len >= 0);
    char *p = arena_alloc_aligned(a, (size_t)len + 1, 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return p;
}
