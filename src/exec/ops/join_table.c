#include "exec/ops/join_table.h"

#include "base/hash.h"

enum { BLOCK_ENTRIES = 4096, FIRST_BLOCK_ENTRIES = 64, DIRECT_SMALL = 1024, DIRECT_FACTOR = 4,
       CHECK_SLOTS = 1 << 16 };

/* --- keys ------------------------------------------------------------------------------------- */

static uint32_t packed_bits(type_id type)
{
    switch (type_rep(type)) {
    case REP_BOOL: return 8;
    case REP_I16: return 16;
    case REP_I32:
    case REP_U32: return 32;
    case REP_I64: return 64;
    default: return 0;
    }
}

struct join_keys join_keys_of(const type_id *types, uint32_t count)
{
    struct join_keys k = {.count = count, .types = types, .packed = true};
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t b = packed_bits(types[i]);
        bits += b;
        if (!b || bits > 64) k.packed = false;
    }
    if (!count) k.packed = false;
    return k;
}

/* Rows whose value is not NULL; `rows` may be `sel`. */
static uint32_t drop_nulls(const struct vec *v, const uint16_t *sel, uint32_t count, uint16_t *rows)
{
    uint32_t n = 0;
    const uint64_t *nulls = v->form == VEC_DICT ? v->dict->nulls : v->nulls;
    if (v->form == VEC_CONST && nulls_get(nulls, 0)) return 0;
    if (!nulls || v->form == VEC_CONST) {
        if (sel != rows) memcpy(rows, sel, count * sizeof *rows);
        return count;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = sel[i], at = v->form == VEC_DICT ? v->codes[r] : r;
        rows[n] = (uint16_t)r;
        n += !(nulls[at >> 6] >> (at & 63) & 1);
    }
    return n;
}

/* keys[i] := keys[i] << bits | value, or the value alone with its sign. */
#define PACK(ctype, utype)                                                                         \
    do {                                                                                           \
        const ctype *d = v->form == VEC_DICT ? VEC_DATA(v->dict, const ctype)                      \
                                             : VEC_DATA(v, const ctype);                           \
        if (v->form == VEC_FLAT && alone)                                                          \
            for (uint32_t i = 0; i < n; i++) keys[i] = (uint64_t)(int64_t)d[rows[i]];              \
        else                                                                                       \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                uint32_t r = v->form == VEC_CONST  ? 0                                             \
                             : v->form == VEC_DICT ? v->codes[rows[i]]                             \
                                                   : rows[i];                                      \
                keys[i] = alone ? (uint64_t)(int64_t)d[r]                                          \
                                : (first ? 0 : keys[i] << (sizeof(ctype) * 8 & 63)) | (utype)d[r]; \
            }                                                                                      \
    } while (0)

static void pack(const struct vec *v, const uint16_t *rows, uint32_t n, bool first, bool alone,
                 uint64_t *keys)
{
    switch (type_rep(v->type)) {
    case REP_BOOL: PACK(uint8_t, uint8_t); return;
    case REP_I16: PACK(int16_t, uint16_t); return;
    case REP_I32: PACK(int32_t, uint32_t); return;
    case REP_U32: PACK(uint32_t, uint32_t); return;
    default:
        alone = true;
        PACK(int64_t, uint64_t);
    }
}

uint32_t join_keys_read(const struct join_keys *k, const struct vec *columns, const uint16_t *sel,
                        uint32_t count, uint16_t *rows, uint64_t *keys, bool *ret_null)
{
    uint32_t n = count;
    if (!sel) {
        for (uint32_t i = 0; i < count; i++) rows[i] = (uint16_t)i;
        sel = rows;
    }
    for (uint32_t c = 0; c < k->count; c++) {
        n = drop_nulls(&columns[c], sel, n, rows);
        sel = rows;
    }
    if (!k->count) memmove(rows, sel, n * sizeof *rows);
    *ret_null = n < count;
    for (uint32_t c = 0; c < k->count; c++) {
        if (k->packed) pack(&columns[c], rows, n, c == 0, k->count == 1, keys);
        else vec_hash(&columns[c], rows, n, c == 0, keys);
    }
    return n;
}

/* --- making ----------------------------------------------------------------------------------- */

void join_table_init(struct join_table *t, bool packed)
{
    *t = (struct join_table){.packed = packed, .min = INT64_MAX, .max = INT64_MIN};
}

static struct entry_block *room(struct join_table *t, struct arena *a)
{
    struct entry_block *b = t->last;
    if (b && b->count < b->cap) return b;
    uint32_t cap = b ? b->cap * 4 : FIRST_BLOCK_ENTRIES;
    if (cap > BLOCK_ENTRIES) cap = BLOCK_ENTRIES;
    b = arena_alloc(a, sizeof *b + cap * sizeof b->entries[0]);
    b->next = NULL;
    b->count = 0;
    b->cap = cap;
    if (t->last) t->last->next = b;
    else t->blocks = b;
    return t->last = b;
}

void join_table_add(struct join_table *t, struct arena *staging, const uint64_t *keys,
                    uint32_t first_row, uint32_t count)
{
    for (uint32_t done = 0; done < count;) {
        struct entry_block *b = room(t, staging);
        uint32_t n = b->cap - b->count;
        if (n > count - done) n = count - done;
        for (uint32_t i = 0; i < n; i++)
            b->entries[b->count + i] = (struct join_entry){keys[done + i], first_row + done + i};
        b->count += n;
        done += n;
    }
    int64_t min = t->min, max = t->max;
    for (uint32_t i = 0; i < count; i++) {
        int64_t k = (int64_t)keys[i];
        min = k < min ? k : min;
        max = k > max ? k : max;
    }
    t->min = min;
    t->max = max;
    t->count += count;
}

uint32_t join_table_slot_bits(uint64_t count)
{
    uint32_t bits = 4;
    while (bits < 40 && (1ull << bits) < count) bits++;
    return bits;
}

uint64_t join_table_bytes(uint64_t count)
{
    return (count + 16) * sizeof(struct join_entry) + (8ull << join_table_slot_bits(count));
}

uint64_t join_table_slots(const struct join_table *t)
{
    if (t->form != JOIN_TABLE_HASHED) return (uint64_t)t->max - (uint64_t)t->min + 1;
    return 1ull << (64 - t->shift);
}

bool join_table_is_direct(const struct join_table *t, uint64_t *ret_range)
{
    uint64_t range = (uint64_t)t->max - (uint64_t)t->min;
    *ret_range = range + 1;
    if (!t->packed || !t->count) return false;
    return range < DIRECT_SMALL || range / DIRECT_FACTOR < t->count;
}

enum status join_table_sum(struct join_table *t, struct execution *x, uint64_t from, uint64_t to,
                           uint64_t first)
{
    uint64_t sum = first;
    for (uint64_t s = from; s < to;) {
        uint64_t end = to - s < CHECK_SLOTS ? to : s + CHECK_SLOTS;
        if (x) TRY(exec_check_canceled(x));
        for (; t->form == JOIN_TABLE_HASHED && s < end; s++) {
            uint64_t n = t->ends[s] >> 16;
            t->ends[s] = sum << 16 | (t->ends[s] & 0xffff);
            sum += n;
        }
        for (; s < end; s++) { /* the last one's end is set by filling */
            uint32_t n = t->starts[s + 1];
            t->starts[s + 1] = (uint32_t)sum;
            sum += n;
        }
    }
    return OK;
}

/* Cancellation is asked for at every block. */
#define EACH_BLOCK(b, t, x)                                                                        \
    for (const struct entry_block *b = (t)->blocks;                                                \
         b && (!(x) || (st = exec_check_canceled(x)) == OK); b = b->next)

static enum status seal_unique(struct join_table *t, struct execution *x, struct arena *a,
                               uint64_t range, bool *ret_twice)
{
    enum status st = OK;
    t->rows = arena_alloc(a, range * sizeof *t->rows);
    TRY(exec_zero(x, t->rows, range * sizeof *t->rows));
    EACH_BLOCK(b, t, x)
        for (uint32_t i = 0; i < b->count; i++) {
            uint32_t *to = &t->rows[b->entries[i].key - (uint64_t)t->min];
            if (*to) {
                *ret_twice = true;
                return OK;
            }
            *to = b->entries[i].row + 1;
        }
    t->form = JOIN_TABLE_DIRECT_UNIQUE;
    return st;
}

/* A counting sort: starts[s] counts, then is where slot s begins, moves to its end as it is filled,
 * which is the beginning of the next. */
static enum status seal_direct(struct join_table *t, struct execution *x, struct arena *a,
                               uint64_t range)
{
    enum status st = OK;
    uint64_t base = (uint64_t)t->min;
    t->form = JOIN_TABLE_DIRECT;
    t->starts = arena_alloc(a, (range + 1) * sizeof *t->starts);
    TRY(exec_zero(x, t->starts, (range + 1) * sizeof *t->starts));
    t->rows = arena_alloc(a, t->count * sizeof *t->rows);
    uint32_t *at = t->starts + 1;
    EACH_BLOCK(b, t, x)
        for (uint32_t i = 0; i < b->count; i++) at[b->entries[i].key - base]++;
    TRY(st);
    TRY(join_table_sum(t, x, 0, range, 0));
    EACH_BLOCK(b, t, x)
        for (uint32_t i = 0; i < b->count; i++)
            t->rows[at[b->entries[i].key - base]++] = b->entries[i].row;
    return st;
}

static enum status seal_hashed(struct join_table *t, struct execution *x, struct arena *a)
{
    enum status st = OK;
    uint32_t bits = join_table_slot_bits(t->count);
    uint64_t slots = 1ull << bits, *ends = arena_alloc(a, (slots + 1) * sizeof *ends);
    TRY(exec_zero(x, ends, (slots + 1) * sizeof *ends));
    ends++;
    t->form = JOIN_TABLE_HASHED;
    t->ends = ends;
    t->shift = 64 - bits;
    t->entries = arena_alloc_aligned(a, (t->count + 1) * sizeof *t->entries, 64);
    EACH_BLOCK(b, t, x)
        for (uint32_t i = 0; i < b->count; i++) {
            uint64_t h = join_key_hash(t->packed, b->entries[i].key);
            uint64_t *slot = &ends[h >> t->shift];
            *slot = (*slot + (1 << 16)) | join_table_tag(h);
        }
    TRY(st);
    TRY(join_table_sum(t, x, 0, slots, 0));
    EACH_BLOCK(b, t, x)
        for (uint32_t i = 0; i < b->count; i++) {
            uint64_t h = join_key_hash(t->packed, b->entries[i].key);
            uint64_t *slot = &ends[h >> t->shift];
            t->entries[*slot >> 16] = b->entries[i];
            *slot += 1 << 16;
        }
    return st;
}

enum status join_table_seal(struct join_table *t, struct execution *x, struct arena *a)
{
    uint64_t range;
    if (!join_table_is_direct(t, &range)) {
        TRY(seal_hashed(t, x, a));
    } else {
        struct arena_mark mark = arena_mark(a);
        bool twice = false;
        TRY(seal_unique(t, x, a, range, &twice));
        if (twice) {
            arena_rewind(a, mark);
            TRY(seal_direct(t, x, a, range));
        }
    }
    t->blocks = t->last = NULL;
    return OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Positions are of `rows`: the value itself tells, so it is read by the caller. */
static uint32_t find_unique(const struct join_table *t, const uint64_t *keys, uint32_t count,
                            uint16_t *sel, uint32_t *from, uint32_t *to)
{
    uint64_t base = (uint64_t)t->min, range = (uint64_t)t->max - base;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t d = keys[i] - base;
        bool in = d <= range;
        uint32_t row = t->rows[in ? d : 0];
        sel[n] = (uint16_t)i;
        from[n] = row - 1; /* the row itself */
        n += in & (row != 0);
    }
    (void)to;
    return n;
}

static uint32_t find_direct(const struct join_table *t, const uint64_t *keys, uint32_t count,
                            uint16_t *sel, uint32_t *from, uint32_t *to)
{
    uint64_t base = (uint64_t)t->min, range = (uint64_t)t->max - base;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t d = keys[i] - base;
        bool in = d <= range;
        d = in ? d : 0;
        sel[n] = (uint16_t)i;
        from[n] = t->starts[d];
        to[n] = t->starts[d + 1];
        n += in & (from[n] < to[n]);
    }
    return n;
}

uint32_t join_table_find(const struct join_table *t, const uint64_t *keys, uint32_t count,
                         uint16_t *sel, uint32_t *from, uint32_t *to)
{
    if (t->form == JOIN_TABLE_DIRECT_UNIQUE) return find_unique(t, keys, count, sel, from, to);
    if (t->form == JOIN_TABLE_DIRECT) return find_direct(t, keys, count, sel, from, to);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t h = join_key_hash(t->packed, keys[i]), s = h >> t->shift;
        uint64_t e = t->ends[s];
        uint32_t tag = join_table_tag(h);
        sel[n] = (uint16_t)i;
        from[n] = (uint32_t)(t->ends[(int64_t)s - 1] >> 16);
        to[n] = (uint32_t)(e >> 16);
        n += ((uint32_t)e & tag) == tag;
    }
    for (uint32_t i = 0; i < n; i++) __builtin_prefetch(&t->entries[from[i]]);
    return n;
}

uint32_t join_table_filter(const struct join_table *t, const uint64_t *keys, const uint16_t *rows,
                           uint32_t count, uint16_t *out)
{
    uint64_t base = (uint64_t)t->min, range = (uint64_t)t->max - base;
    uint32_t n = 0;
    if (!t->count) return 0;
    if (t->form != JOIN_TABLE_HASHED) {
        bool unique = t->form == JOIN_TABLE_DIRECT_UNIQUE;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t d = keys[i] - base;
            bool in = d <= range;
            d = in ? d : 0;
            out[n] = rows[i];
            n += in & (unique ? t->rows[d] != 0 : t->starts[d] != t->starts[d + 1]);
        }
        return n;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t h = join_key_hash(t->packed, keys[i]);
        uint32_t tag = join_table_tag(h);
        bool in = !t->packed | (keys[i] - base <= range);
        out[n] = rows[i];
        n += in & (((uint32_t)t->ends[h >> t->shift] & tag) == tag);
    }
    return n;
}
