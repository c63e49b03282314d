#include "exec/ops/group_table.h"

#include "base/hash.h"
#include "types/record.h"

enum { FIRST_ROWS = 64, FIRST_SLOTS = 256, NO_PLACE = 64, SHORT_BYTES = 3, AHEAD = 8,
       CHECK_SLOTS = 1 << 15, CODED_KEYS = 8, CODED_ROWS = 64, COMBINATIONS_MAX = 1024 };

#define SPREAD 0x9e3779b97f4a7c15ull
#define PREFETCH_SLOTS (1u << 15) /* more than that do not stay in the nearest cache */

struct packed_slot {
    uint64_t word;
    uint32_t group; /* + 1; 0: empty */
};

static inline uint32_t row_of(const struct batch *b, uint32_t i) { return b->sel ? b->sel[i] : i; }

/* --- keys of groups ---------------------------------------------------------------------------- */

static uint32_t packed_bits(type_id type)
{
    switch (type_rep(type)) {
    case REP_BOOL: return 1;
    case REP_I16: return 16;
    case REP_I32:
    case REP_U32: return 32;
    case REP_I64: return 64;
    case REP_BYTES:
        if (type != TYPE_BPCHAR && !type_is_bytewise(type)) return NO_PLACE + 1;
        return 2 + 8 * SHORT_BYTES;
    default: return NO_PLACE + 1;
    }
}

/* Gives the columns their places in the word; false when they have none. */
static bool place_columns(struct group_table *t)
{
    uint32_t at = 0;
    for (uint32_t c = 0; c < t->key_count; c++) {
        uint32_t bits = packed_bits(t->columns[c].type);
        if (at + bits > 64) return false;
        t->columns[c].shift = (uint8_t)at;
        t->columns[c].bits = (uint8_t)bits;
        at += bits;
    }
    for (uint32_t c = 0; c < t->key_count; c++)
        t->columns[c].null_bit = at < 64 ? (uint8_t)at++ : NO_PLACE;
    return true;
}

void group_table_init(struct group_table *t, struct execution *x, uint32_t key_count,
                      const type_id *types, struct arena *keys, struct arena *slots_a,
                      struct arena *slots_b)
{
    *t = (struct group_table){.x = x, .arena = keys, .slot_arenas = {slots_a, slots_b},
                              .key_count = key_count};
    t->columns = ARENA_ARRAY(keys, struct key_column, key_count + 1);
    for (uint32_t c = 0; c < key_count; c++) {
        t->columns[c].type = types[c];
        t->columns[c].width = type_get(types[c])->width;
    }
    t->packed = place_columns(t);
}

static void make_chunk(struct group_table *t, uint32_t chunk, uint32_t rows)
{
    for (uint32_t c = 0; c < t->key_count; c++) {
        struct vec v;
        vec_init_flat_rows(&v, t->columns[c].type, rows, t->arena);
        if (chunk < t->chunk_count) { /* the first one grows */
            memcpy(v.data, t->columns[c].data[chunk], (size_t)t->first_cap * v.width);
            memcpy(v.nulls, t->columns[c].nulls[chunk], ((t->first_cap + 63) / 64) * 8);
        }
        t->columns[c].data[chunk] = v.data;
        t->columns[c].nulls[chunk] = v.nulls;
    }
    if (!chunk) t->first_cap = rows;
    if (chunk == t->chunk_count) t->chunk_count++;
}

static void grow_chunk_lists(struct group_table *t)
{
    uint32_t cap = t->chunk_cap ? t->chunk_cap * 2 : 8;
    for (uint32_t c = 0; c < t->key_count; c++) {
        struct key_column *k = &t->columns[c];
        char **data = ARENA_ARRAY(t->arena, char *, cap);
        uint64_t **nulls = ARENA_ARRAY(t->arena, uint64_t *, cap);
        if (t->chunk_count) {
            memcpy(data, k->data, t->chunk_count * sizeof *data);
            memcpy(nulls, k->nulls, t->chunk_count * sizeof *nulls);
        }
        k->data = data;
        k->nulls = nulls;
    }
    t->chunk_cap = cap;
}

/* Room for one more group's keys. */
static void reserve_group(struct group_table *t)
{
    uint32_t chunk = t->count / BATCH_ROWS;
    if (chunk < t->chunk_count && (chunk || t->count < t->first_cap)) return;
    if (chunk < t->chunk_count) {
        uint32_t rows = t->first_cap * 4;
        make_chunk(t, chunk, rows > BATCH_ROWS ? BATCH_ROWS : rows);
        return;
    }
    if (chunk == t->chunk_cap) grow_chunk_lists(t);
    make_chunk(t, chunk, chunk ? BATCH_ROWS : FIRST_ROWS);
}

void group_table_view(const struct group_table *t, uint32_t chunk, uint32_t c, struct vec *ret)
{
    const struct key_column *k = &t->columns[c];
    *ret = (struct vec){.type = k->type, .form = VEC_FLAT, .width = k->width,
                        .data = k->data[chunk], .nulls = k->nulls[chunk]};
}

static inline const void *key_at(const struct key_column *k, uint32_t group)
{
    return k->data[group / BATCH_ROWS] + (size_t)(group % BATCH_ROWS) * k->width;
}
static inline bool key_null(const struct key_column *k, uint32_t group)
{
    return nulls_get(k->nulls[group / BATCH_ROWS], group % BATCH_ROWS);
}

/* The group's keys are the row's; its number. */
static uint32_t append(struct group_table *t, const struct vec *keys, uint32_t row)
{
    reserve_group(t);
    uint32_t group = t->count++;
    for (uint32_t c = 0; c < t->key_count; c++) {
        struct vec to;
        group_table_view(t, group / BATCH_ROWS, c, &to);
        vec_set(&to, group % BATCH_ROWS,
                datum_copy(t->arena, to.type, vec_get(&keys[c], row)));
    }
    return group;
}

/* --- slots ------------------------------------------------------------------------------------- */

/* Into the arena that the slots are not in. */
static enum status new_slots(struct group_table *t, size_t bytes, void *ret)
{
    struct arena *a = t->slot_arenas[1];
    t->slot_arenas[1] = t->slot_arenas[0];
    t->slot_arenas[0] = a;
    void *slots = arena_alloc(a, bytes);
    memcpy(ret, &slots, sizeof slots);
    return exec_zero(t->x, slots, bytes);
}

static void set_cap(struct group_table *t, uint32_t cap)
{
    t->cap = cap;
    t->shift = 64 - (uint32_t)__builtin_ctz(cap);
}

static inline uint32_t word_slot(const struct group_table *t, uint64_t word)
{
    word ^= word >> 32; /* a product's upper bits depend on all lower ones, not the other way */
    return (uint32_t)(word * SPREAD >> t->shift);
}

static enum status grow_words(struct group_table *t)
{
    struct packed_slot *old = t->words;
    uint32_t old_cap = t->cap;
    set_cap(t, old_cap ? old_cap * 2 : FIRST_SLOTS);
    TRY(new_slots(t, (size_t)t->cap * sizeof *t->words, &t->words));
    for (uint32_t i = 0; i < old_cap; i++) {
        if (i % CHECK_SLOTS == 0) TRY(exec_check_canceled(t->x));
        if (!old[i].group) continue;
        uint32_t s = word_slot(t, old[i].word);
        while (t->words[s].group) s = (s + 1) & (t->cap - 1);
        t->words[s] = old[i];
    }
    arena_release(t->slot_arenas[1]);
    return OK;
}

static inline uint32_t hash_slot(const struct group_table *t, uint64_t hash)
{
    return (uint32_t)(hash >> t->shift);
}

static void link_group(struct group_table *t, uint64_t upper, uint32_t group)
{
    uint32_t s = hash_slot(t, upper);
    while (t->slots[s]) s = (s + 1) & (t->cap - 1);
    t->slots[s] = upper | (group + 1u);
}

#define UPPER_HALF 0xffffffff00000000ull

static enum status grow_slots(struct group_table *t)
{
    uint64_t *old = t->slots;
    uint32_t old_cap = t->cap;
    set_cap(t, old_cap ? old_cap * 2 : FIRST_SLOTS);
    TRY(new_slots(t, (size_t)t->cap * sizeof *t->slots, &t->slots));
    for (uint32_t i = 0; i < old_cap; i++) {
        if (i % CHECK_SLOTS == 0) TRY(exec_check_canceled(t->x));
        if (old[i]) link_group(t, old[i] & UPPER_HALF, (uint32_t)old[i] - 1);
    }
    arena_release(t->slot_arenas[1]);
    return OK;
}

static inline bool is_full(const struct group_table *t) { return t->count + 1 > t->cap / 8 * 5; }

void group_table_hash(const struct batch *b, const struct vec *keys, uint32_t key_count,
                      uint64_t *ret)
{
    for (uint32_t k = 0; k < key_count; k++) vec_hash(&keys[k], b->sel, b->count, k == 0, ret);
    for (uint32_t i = 0; i < b->count; i++) ret[i] *= SPREAD; /* one combined word's upper bits */
}

/* The general form of what has been found by word. */
static enum status unpack(struct group_table *t, struct arena *a)
{
    uint64_t *hashes = arena_alloc(a, BATCH_ROWS * sizeof *hashes);
    struct vec *keys = ARENA_ARRAY(a, struct vec, t->key_count + 1);
    uint32_t cap = t->cap ? t->cap : FIRST_SLOTS;
    t->packed = false;
    t->words = NULL;
    set_cap(t, cap);
    TRY(new_slots(t, (size_t)cap * sizeof *t->slots, &t->slots));
    arena_release(t->slot_arenas[1]);
    for (uint32_t chunk = 0, group = 0; group < t->count; chunk++) {
        uint32_t n = t->count - group < BATCH_ROWS ? t->count - group : BATCH_ROWS;
        struct batch b = {.rows = n, .count = n};
        TRY(exec_check_canceled(t->x));
        for (uint32_t c = 0; c < t->key_count; c++) group_table_view(t, chunk, c, &keys[c]);
        group_table_hash(&b, keys, t->key_count, hashes);
        for (uint32_t i = 0; i < n; i++) link_group(t, hashes[i] & UPPER_HALF, group++);
    }
    return OK;
}

/* --- keys in a word ---------------------------------------------------------------------------- */

struct source { /* a key vector, taken apart */
    const char *data;
    const uint64_t *nulls;
    const uint32_t *codes;
    bool constant;
};

static struct source source_of(const struct vec *v)
{
    if (v->form == VEC_DICT) return (struct source){v->dict->data, v->dict->nulls, v->codes, false};
    return (struct source){v->data, v->nulls, NULL, v->form == VEC_CONST};
}
static inline uint32_t source_at(const struct source *s, uint32_t row)
{
    return s->codes ? s->codes[row] : s->constant ? 0 : row;
}

#define PACK_INTS(T)                                                                               \
    do {                                                                                           \
        const T *data = (const T *)(const void *)s.data;                                           \
        if (!s.codes && !s.constant && !s.nulls) {                                                 \
            for (uint32_t i = 0; i < b->count; i++)                                                \
                words[i] |= (uint64_t)data[row_of(b, i)] << k->shift;                              \
            return true;                                                                           \
        }                                                                                          \
        for (uint32_t i = 0; i < b->count; i++) {                                                  \
            uint32_t at = source_at(&s, row_of(b, i));                                             \
            if (!nulls_get(s.nulls, at)) {                                                         \
                words[i] |= (uint64_t)data[at] << k->shift;                                        \
            } else {                                                                               \
                if (k->null_bit == NO_PLACE) return false;                                         \
                words[i] |= 1ull << k->null_bit;                                                   \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Length, then the bytes; blanks at the end of a char(n) do not count. */
static bool pack_strings(const struct batch *b, const struct source *s, const struct key_column *k,
                         uint64_t *words)
{
    const struct bytes *data = (const struct bytes *)(const void *)s->data;
    bool padded = k->type == TYPE_BPCHAR;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t at = source_at(s, row_of(b, i));
        if (nulls_get(s->nulls, at)) {
            if (k->null_bit == NO_PLACE) return false;
            words[i] |= 1ull << k->null_bit;
            continue;
        }
        const char *p = bytes_data(&data[at]);
        uint32_t len = data[at].len;
        if (padded)
            while (len && p[len - 1] == ' ') len--;
        if (len > SHORT_BYTES) return false;
        uint32_t w = 0;
        memcpy(&w, p, len);
        words[i] |= (uint64_t)(w << 2 | len) << k->shift;
    }
    return true;
}

/* words[i] := the key of row i. False when some value does not fit. */
static bool pack_column(const struct batch *b, const struct vec *v, const struct key_column *k,
                        uint64_t *words)
{
    struct source s = source_of(v);
    if (s.nulls && v->form == VEC_FLAT) {
        uint64_t any = 0;
        for (uint32_t w = 0; w < (b->rows + 63) / 64; w++) any |= s.nulls[w];
        if (!any) s.nulls = NULL;
    }
    switch (type_rep(k->type)) {
    case REP_BOOL: PACK_INTS(uint8_t); break;
    case REP_I16: PACK_INTS(uint16_t); break;
    case REP_I32:
    case REP_U32: PACK_INTS(uint32_t); break;
    case REP_I64: PACK_INTS(uint64_t); break;
    default: return pack_strings(b, &s, k, words);
    }
    return true;
}

static uint32_t find_word(struct group_table *t, uint64_t word, const struct vec *keys,
                          uint32_t row, bool frozen)
{
    if (!t->cap) return GROUP_NONE;
    uint32_t s = word_slot(t, word);
    for (; t->words[s].group; s = (s + 1) & (t->cap - 1))
        if (t->words[s].word == word) return t->words[s].group - 1;
    if (frozen) return GROUP_NONE;
    uint32_t group = append(t, keys, row);
    t->words[s] = (struct packed_slot){word, group + 1};
    return group;
}

static enum status find_packed(struct group_table *t, const struct batch *b,
                               const struct vec *keys, bool frozen, struct arena *a, uint32_t *ids,
                               bool *ret_packed)
{
    uint64_t *words = arena_zalloc(a, (b->count + AHEAD) * sizeof *words);
    for (uint32_t c = 0; c < t->key_count; c++)
        if (!pack_column(b, &keys[c], &t->columns[c], words)) return OK;
    uint64_t last = 0;
    uint32_t last_id = GROUP_NONE;
    for (uint32_t i = 0; i < b->count; i++) {
        if (t->cap > PREFETCH_SLOTS) __builtin_prefetch(&t->words[word_slot(t, words[i + AHEAD])]);
        if (words[i] != last || last_id == GROUP_NONE) {
            last = words[i];
            if (!frozen && is_full(t)) TRY(grow_words(t));
            last_id = find_word(t, last, keys, row_of(b, i), frozen);
        }
        ids[i] = last_id;
    }
    *ret_packed = true;
    return OK;
}

/* --- keys of any kind -------------------------------------------------------------------------- */

static bool same_value(type_id type, const void *x, const void *y)
{
    switch (type_rep(type)) {
    case REP_BYTES:
        if (type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BYTEA)
            return bytes_eq(x, y);
        if (memcmp(x, y, 8) == 0 && bytes_eq(x, y)) return true;
        break;
    case REP_NUMERIC:
        if (memcmp(x, y, 16) == 0) return true; /* a big one's bytes, even */
        break;
    default: break;
    }
    return value_compare(type, x, y) == 0;
}

static bool same_group(const struct group_table *t, const struct vec *keys, uint32_t row,
                       uint32_t group)
{
    for (uint32_t c = 0; c < t->key_count; c++) {
        const struct key_column *k = &t->columns[c];
        struct datum d = vec_get(&keys[c], row);
        if (d.null != key_null(k, group)) return false;
        if (d.null) continue;
        union value own = {0}; /* a key of fewer bytes lies anywhere */
        memcpy(&own, key_at(k, group), k->width);
        if (!same_value(k->type, &d.v, &own)) return false;
    }
    return true;
}

/* One row by itself: where another key has the same upper half of the hash. */
static uint32_t find_row(struct group_table *t, uint64_t hash, const struct vec *keys, uint32_t row,
                         bool frozen)
{
    uint64_t upper = hash & UPPER_HALF;
    uint32_t s = hash_slot(t, upper);
    for (; t->slots[s]; s = (s + 1) & (t->cap - 1)) {
        if ((t->slots[s] & UPPER_HALF) != upper) continue;
        if (same_group(t, keys, row, (uint32_t)t->slots[s] - 1)) return (uint32_t)t->slots[s] - 1;
    }
    if (frozen) return GROUP_NONE;
    uint32_t group = append(t, keys, row);
    t->slots[s] = upper | (group + 1u);
    return group;
}

#define COMPARE(T, SAME)                                                                           \
    for (uint32_t j = 0; j < n; j++) {                                                             \
        uint32_t i = todo[j], group = ids[i], at = source_at(&s, row_of(b, i));                    \
        bool null = nulls_get(s.nulls, at);                                                        \
        const T *x = (const T *)(const void *)s.data + at, *y = key_at(k, group);                  \
        bool same = null == key_null(k, group) && (null || (SAME));                                \
        if (same) todo[kept++] = (uint16_t)i;                                                      \
        else ids[i] = GROUP_NONE;                                                                  \
    }                                                                                              \
    break

/* Rows of `todo` whose candidate has another key lose it. What is left. */
static uint32_t compare_column(const struct group_table *t, uint32_t c, const struct batch *b,
                               const struct vec *v, uint16_t *todo, uint32_t n, uint32_t *ids)
{
    const struct key_column *k = &t->columns[c];
    struct source s = source_of(v);
    uint32_t kept = 0;
    switch (type_rep(k->type)) {
    case REP_BOOL: COMPARE(uint8_t, *x == *y);
    case REP_I16: COMPARE(uint16_t, *x == *y);
    case REP_I32:
    case REP_U32: COMPARE(uint32_t, *x == *y);
    case REP_I64: COMPARE(uint64_t, *x == *y);
    case REP_F32: COMPARE(float, *x == *y || (*x != *x && *y != *y));
    case REP_F64: COMPARE(double, *x == *y || (*x != *x && *y != *y));
    default: COMPARE(union value, same_value(k->type, x, y));
    }
    return kept;
}

static enum status find_general(struct group_table *t, const struct batch *b,
                                const struct vec *keys, bool frozen, struct arena *a, uint32_t *ids)
{
    uint64_t *hashes = arena_alloc(a, (b->count + AHEAD) * sizeof *hashes);
    uint16_t *todo = arena_alloc(a, b->count * sizeof *todo);
    uint32_t n = 0;
    group_table_hash(b, keys, t->key_count, hashes);
    for (uint32_t i = 0; i < AHEAD; i++) hashes[b->count + i] = 0;
    if (!t->slots) TRY(grow_slots(t));
    for (uint32_t i = 0; i < b->count; i++) {
        if (t->cap > PREFETCH_SLOTS)
            __builtin_prefetch(&t->slots[hash_slot(t, hashes[i + AHEAD])]);
        if (!frozen && is_full(t)) TRY(grow_slots(t));
        uint64_t upper = hashes[i] & UPPER_HALF;
        uint32_t s = hash_slot(t, upper);
        while (t->slots[s] && (t->slots[s] & UPPER_HALF) != upper) s = (s + 1) & (t->cap - 1);
        if (t->slots[s]) {
            ids[i] = (uint32_t)t->slots[s] - 1;
            todo[n++] = (uint16_t)i;
        } else if (frozen) {
            ids[i] = GROUP_NONE;
        } else {
            ids[i] = append(t, keys, row_of(b, i));
            t->slots[s] = upper | (ids[i] + 1u);
        }
    }
    uint32_t found = n;
    uint16_t *all = arena_alloc(a, n * sizeof *all + 1);
    memcpy(all, todo, n * sizeof *all);
    for (uint32_t c = 0; c < t->key_count && n; c++)
        n = compare_column(t, c, b, &keys[c], todo, n, ids);
    for (uint32_t j = 0; n < found && j < found; j++) {
        if (ids[all[j]] != GROUP_NONE) continue;
        if (!frozen && is_full(t)) TRY(grow_slots(t));
        ids[all[j]] = find_row(t, hashes[all[j]], keys, row_of(b, all[j]), frozen);
    }
    return OK;
}

/* --- codes ------------------------------------------------------------------------------------- */

static uint32_t top_code(const struct batch *b, const uint32_t *codes)
{
    uint32_t top = 0;
    for (uint32_t i = 0; !b->sel && i < b->count; i++) top = codes[i] > top ? codes[i] : top;
    for (uint32_t i = 0; b->sel && i < b->count; i++)
        top = codes[b->sel[i]] > top ? codes[b->sel[i]] : top;
    return top;
}

/* Keys that are codes of few values: a combination of them is looked up once, then is a place in an
 * array. */
static enum status find_coded(struct group_table *t, const struct batch *b, const struct vec *keys,
                              bool frozen, struct arena *a, uint32_t *ids, bool *ret_done)
{
    uint32_t steps[CODED_KEYS], all = 1;
    *ret_done = false;
    if (b->count < CODED_ROWS || t->key_count > CODED_KEYS) return OK;
    for (uint32_t c = 0; c < t->key_count; c++) {
        steps[c] = 0;
        if (keys[c].form == VEC_CONST) continue;
        if (keys[c].form != VEC_DICT) return OK;
        uint32_t count = top_code(b, keys[c].codes) + 1;
        if (count > COMBINATIONS_MAX || all * count > COMBINATIONS_MAX) return OK;
        steps[c] = all;
        all *= count;
    }
    uint32_t *known = arena_zalloc(a, all * sizeof *known); /* id + 2; 1: not there */
    memset(ids, 0, b->count * sizeof *ids);
    for (uint32_t c = 0; c < t->key_count; c++)
        for (uint32_t i = 0; steps[c] && i < b->count; i++)
            ids[i] += keys[c].codes[row_of(b, i)] * steps[c];
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t *at = &known[ids[i]];
        if (!*at) {
            uint16_t row = (uint16_t)row_of(b, i);
            struct batch one = {.rows = b->rows, .count = 1, .sel = &row};
            uint32_t id;
            TRY(group_table_find(t, &one, keys, frozen, a, &id));
            *at = id + 2; /* GROUP_NONE becomes 1 */
        }
        ids[i] = *at - 2;
    }
    *ret_done = true;
    return OK;
}

enum status group_table_find(struct group_table *t, const struct batch *b, const struct vec *keys,
                             bool frozen, struct arena *a, uint32_t *ids)
{
    bool packed = false, coded;
    TRY(find_coded(t, b, keys, frozen, a, ids, &coded));
    if (coded) return OK;
    if (t->packed) TRY(find_packed(t, b, keys, frozen, a, ids, &packed));
    if (packed) return OK;
    if (t->packed) TRY(unpack(t, a));
    return find_general(t, b, keys, frozen, a, ids);
}

enum status group_table_add(struct group_table *t, const struct datum *keys, struct arena *a)
{
    struct vec *row = ARENA_ARRAY(a, struct vec, t->key_count + 1);
    struct batch one = {.rows = 1, .count = 1};
    uint32_t id;
    for (uint32_t c = 0; c < t->key_count; c++)
        vec_init_const(&row[c], t->columns[c].type, keys[c], a);
    return group_table_find(t, &one, row, false, a, &id);
}
