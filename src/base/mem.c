#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* atomic: relaxed, a statistic */
static size_t tag_bytes[MEM_TAG_COUNT];

static void account(enum mem_tag tag, void *p, size_t requested)
{
    if (!p) {
        fprintf(stderr, "out of memory: %zu bytes for %s\n", requested, mem_tag_name(tag));
        abort();
    }
    __atomic_fetch_add(&tag_bytes[tag], malloc_usable_size(p), __ATOMIC_RELAXED);
}

static void unaccount(enum mem_tag tag, void *p)
{
    if (p) __atomic_fetch_sub(&tag_bytes[tag], malloc_usable_size(p), __ATOMIC_RELAXED);
}

void *mem_alloc(enum mem_tag tag, size_t size)
{
    void *p = calloc(1, size ? size : 1);
    account(tag, p, size);
    return p;
}

void *mem_realloc(enum mem_tag tag, void *p, size_t size)
{
    unaccount(tag, p);
    void *q = realloc(p, size ? size : 1);
    account(tag, q, size);
    return q;
}

void *mem_alloc_aligned(enum mem_tag tag, size_t align, size_t size)
{
    void *p = NULL;
    ASSERT(align && (align & (align - 1)) == 0);
    if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size ? size : 1)) p = NULL;
    account(tag, p, size);
    return p;
}

void mem_free(enum mem_tag tag, void *p)
{
    unaccount(tag, p);
    free(p);
}

size_t mem_bytes(enum mem_tag tag)
{
    return __atomic_load_n(&tag_bytes[tag], __ATOMIC_RELAXED);
}

const char *mem_tag_name(enum mem_tag tag)
{
    static const char *const names[MEM_TAG_COUNT] = {
#define X(name) #name,
        MEM_TAGS(X)
#undef X
    };
    ASSERT(tag < MEM_TAG_COUNT);
    return names[tag];
}
