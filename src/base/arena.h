/* Arenas: memory with one lifetime, freed as a whole. One owner at a time, no locks.
 *
 * Chunks double from 4 KiB to 1 MiB and come from base/mem under a tag. A query checks
 * arena_bytes() against its limit at batch boundaries. */
#ifndef HELIOS_BASE_ARENA_H
#define HELIOS_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

struct arena_chunk;

/* Open, because every hot path bumps it. */
struct arena {
    char *next, *end;            /* free space of the newest chunk */
    struct arena_chunk *chunks;  /* newest first */
    size_t bytes;                /* taken from the heap, all chunks */
    enum mem_tag tag;
};

struct arena_mark {
    struct arena_chunk *chunk;
    char *next;
};

void arena_init(struct arena *a, enum mem_tag tag);
void arena_release(struct arena *a);
/* Forgets everything; keeps one chunk to start from. */
void arena_clear(struct arena *a);
struct arena_mark arena_mark(const struct arena *a);
/* Frees what was allocated since `mark`. Marks nest. */
void arena_rewind(struct arena *a, struct arena_mark mark);
void *arena_alloc_slow(struct arena *a, size_t size, size_t align);

/* Does `p` point into it? */
bool arena_contains(const struct arena *a, const void *p);

static inline size_t arena_bytes(const struct arena *a) { return a->bytes; }

/* Not zeroed; `align` is a power of two up to 64. */
static inline void *arena_alloc_aligned(struct arena *a, size_t size, size_t align)
{
    char *p = (char *)(((uintptr_t)a->next + align - 1) & ~(uintptr_t)(align - 1));
    if (__builtin_expect(p && size <= (size_t)(a->end - p) && p <= a->end, 1)) {
        a->next = p + size;
        return p;
    }
    return arena_alloc_slow(a, size, align);
}

static inline void *arena_alloc(struct arena *a, size_t size)
{
    return arena_alloc_aligned(a, size, 16);
}

static inline void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

void *arena_memdup(struct arena *a, const void *src, size_t len);
/* NUL-terminated copies. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (size_t)(n)))

#endif
