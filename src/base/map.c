#include "base/map.h"

#include "base/hash.h"

enum { SLOTS_MIN = 16 };

struct map_slot {
    uint64_t hash;   /* of the key */
    void *value;     /* NULL: empty or grave */
    char *key;       /* owned; NULL for a 64-bit key */
    uint64_t number; /* the 64-bit key, or the length of the string */
    bool grave;
};

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value) mem_free(MEM_BASE, m->slots[i].key);
    if (m->cap) memset(m->slots, 0, m->cap * sizeof *m->slots);
    m->count = m->used = 0;
}

void map_release(struct map *m)
{
    map_clear(m);
    mem_free(MEM_BASE, m->slots);
    map_init(m);
}

static bool same(const struct map_slot *s, uint64_t hash, const char *key, uint64_t number)
{
    if (s->hash != hash || s->number != number || !s->key != !key) return false;
    return !key || number == 0 || memcmp(s->key, key, number) == 0;
}

static struct map_slot *find(const struct map *m, uint64_t hash, const char *key, uint64_t number)
{
    if (!m->cap) return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->value && !s->grave) return NULL;
        if (s->value && same(s, hash, key, number)) return s;
    }
}

static void grow(struct map *m)
{
    struct map_slot *old = m->slots;
    size_t old_cap = m->cap;
    if (m->count * 2 >= m->cap) m->cap = m->cap ? m->cap * 2 : SLOTS_MIN;
    m->slots = mem_alloc(MEM_BASE, m->cap * sizeof *m->slots);
    for (size_t i = 0; i < old_cap; i++) {
        if (!old[i].value) continue;
        size_t j = old[i].hash & (m->cap - 1);
        while (m->slots[j].value) j = (j + 1) & (m->cap - 1);
        m->slots[j] = old[i];
    }
    m->used = m->count;
    mem_free(MEM_BASE, old);
}

static void put(struct map *m, uint64_t hash, const char *key, uint64_t number, void *value)
{
    ASSERT(value);
    struct map_slot *s = find(m, hash, key, number);
    if (s) {
        s->value = value;
        return;
    }
    if ((m->used + 1) * 4 > m->cap * 3) grow(m);
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].value) i = (i + 1) & (m->cap - 1);
    s = &m->slots[i];
    if (!s->grave) m->used++;
    char *copy = NULL;
    if (key) {
        copy = mem_alloc(MEM_BASE, number + 1);
        memcpy(copy, key, number);
    }
    *s = (struct map_slot){.hash = hash, .value = value, .key = copy, .number = number};
    m->count++;
}

static void *take(struct map *m, struct map_slot *s)
{
    if (!s) return NULL;
    void *value = s->value;
    mem_free(MEM_BASE, s->key);
    *s = (struct map_slot){.grave = true};
    m->count--;
    return value;
}

void *map_get_u64(const struct map *m, uint64_t key)
{
    struct map_slot *s = find(m, hash_u64(key), NULL, key);
    return s ? s->value : NULL;
}

void map_put_u64(struct map *m, uint64_t key, void *value)
{
    put(m, hash_u64(key), NULL, key, value);
}

void *map_remove_u64(struct map *m, uint64_t key)
{
    return take(m, find(m, hash_u64(key), NULL, key));
}

static const char *key_bytes(struct slice key)
{
    return key.data ? key.data : "";
}

void *map_get(const struct map *m, struct slice key)
{
    struct map_slot *s = find(m, hash_bytes(key.data, key.len), key_bytes(key), key.len);
    return s ? s->value : NULL;
}

void map_put(struct map *m, struct slice key, void *value)
{
    put(m, hash_bytes(key.data, key.len), key_bytes(key), key.len, value);
}

void *map_remove(struct map *m, struct slice key)
{
    return take(m, find(m, hash_bytes(key.data, key.len), key_bytes(key), key.len));
}

bool map_next(const struct map *m, size_t *pos, struct slice *ret_key, uint64_t *ret_u64,
              void **ret_value)
{
    for (; *pos < m->cap; (*pos)++) {
        const struct map_slot *s = &m->slots[*pos];
        if (!s->value) continue;
        if (ret_key) *ret_key = s->key ? slice_make(s->key, s->number) : (struct slice){0};
        if (ret_u64) *ret_u64 = s->number;
        if (ret_value) *ret_value = s->value;
        (*pos)++;
        return true;
    }
    return false;
}
