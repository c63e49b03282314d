/* Heap memory under tags. Every long-lived object carries a tag, so that who holds what is shown
 * live. Allocation never returns NULL: a process that cannot get the memory it was configured for
 * stops at once with a message; queries are bounded before that by their memory limit.
 * Thread-safe. */
#ifndef HELIOS_BASE_MEM_H
#define HELIOS_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define MEM_TAGS(X)                                                                                \
    X(BASE) X(ARENA) X(FIBER) X(NET) X(FILE) X(CACHE) X(WAL) X(MEMTABLE) X(RUN) X(TXN) X(CATALOG) \
    X(PLAN) X(QUERY) X(SESSION) X(TEST)

enum mem_tag {
#define X(name) MEM_##name,
    MEM_TAGS(X)
#undef X
    MEM_TAG_COUNT
};

/* Zero-filled. `size` 0 gives a valid pointer. */
void *mem_alloc(enum mem_tag tag, size_t size);
/* Contents beyond the old size are undefined. `p` may be NULL. */
void *mem_realloc(enum mem_tag tag, void *p, size_t size);
/* `align` is a power of two; freed by mem_free. Not zeroed. */
void *mem_alloc_aligned(enum mem_tag tag, size_t align, size_t size);
void mem_free(enum mem_tag tag, void *p);
size_t mem_bytes(enum mem_tag tag);
const char *mem_tag_name(enum mem_tag tag);

#endif
