/* Growing arrays of any element type.
 *
 *     ARRAY(struct item) items = {0};
 *     ARRAY_PUSH(&items, item);              heap, freed by ARRAY_RELEASE
 *     ARENA_PUSH(arena, &items, item);       in an arena, never freed by itself
 *     for (size_t i = 0; i < items.count; i++) use(items.data[i]);
 */
#ifndef HELIOS_BASE_ARRAY_H
#define HELIOS_BASE_ARRAY_H

#include <stddef.h>

#include "base/arena.h"

#define ARRAY(type)                                                                                \
    struct {                                                                                       \
        type *data;                                                                                \
        size_t count, cap;                                                                         \
    }

static inline size_t array_next_cap(size_t cap) { return cap ? cap * 2 : 8; }

#define ARRAY_RESERVE(a, n)                                                                        \
    do {                                                                                           \
        if ((a)->cap < (size_t)(n)) {                                                              \
            size_t cap_ = array_next_cap((a)->cap);                                                \
            (a)->cap = cap_ < (size_t)(n) ? (size_t)(n) : cap_;                                    \
            (a)->data = mem_realloc(MEM_BASE, (a)->data, (a)->cap * sizeof *(a)->data);            \
        }                                                                                          \
    } while (0)
#define ARRAY_PUSH(a, ...)                                                                         \
    do {                                                                                           \
        ARRAY_RESERVE(a, (a)->count + 1);                                                          \
        (a)->data[(a)->count++] = (__VA_ARGS__);                                                   \
    } while (0)
#define ARRAY_RELEASE(a)                                                                           \
    do {                                                                                           \
        mem_free(MEM_BASE, (a)->data);                                                             \
        (a)->data = NULL;                                                                          \
        (a)->count = (a)->cap = 0;                                                                 \
    } while (0)
#define ARENA_PUSH(arena_, a, ...)                                                                 \
    do {                                                                                           \
        if ((a)->count == (a)->cap) {                                                              \
            size_t cap_ = array_next_cap((a)->cap);                                                \
            void *p_ = arena_alloc((arena_), cap_ * sizeof *(a)->data);                            \
            if ((a)->count) memcpy(p_, (a)->data, (a)->count * sizeof *(a)->data);                 \
            (a)->data = p_;                                                                        \
            (a)->cap = cap_;                                                                       \
        }                                                                                          \
        (a)->data[(a)->count++] = (__VA_ARGS__);                                                   \
    } while (0)
#define ARRAY_LAST(a) ((a)->data[(a)->count - 1])

#endif
