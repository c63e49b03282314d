/* A hash table from 64-bit or string keys to pointers; open addressing, linear probing, grows at
 * 3/4. One owner, no locks. String keys are copied. */
#ifndef HELIOS_BASE_MAP_H
#define HELIOS_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t count, cap; /* cap: a power of two or 0 */
    size_t used;       /* slots that are not empty, graves included */
};

void map_init(struct map *m);
void map_release(struct map *m);
void map_clear(struct map *m);

/* NULL when absent; stored values are never NULL. */
void *map_get_u64(const struct map *m, uint64_t key);
void map_put_u64(struct map *m, uint64_t key, void *value); /* replaces */
void *map_remove_u64(struct map *m, uint64_t key);          /* the value that was there, or NULL */

void *map_get(const struct map *m, struct slice key);
void map_put(struct map *m, struct slice key, void *value);
void *map_remove(struct map *m, struct slice key);

/* Iteration in no order: start with *pos = 0; false at the end. Removing the visited entry is
 * allowed. Either output may be NULL. */
bool map_next(const struct map *m, size_t *pos, struct slice *ret_key, uint64_t *ret_u64,
              void **ret_value);

#endif
