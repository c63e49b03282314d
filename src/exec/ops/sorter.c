#include "exec/ops/sorter.h"

#include "exec/ops/sorter_priv.h"

enum { CUT_SLACK_ROWS = 256, BATCH_BYTES_MAX = 1 << 20, BATCH_SHARE = 32, KEPT_BYTES = 32 << 10, REST_SHARE = 32, AHEAD = 16 };

struct sorter *sorter_new(struct execution *x, uint16_t columns, const type_id *types,
                          const struct key_part *parts, uint32_t part_count)
{
    struct arena *a = exec_arena(x);
    struct sorter *s = ARENA_NEW(a, struct sorter);
    s->x = x;
    s->own = a;
    s->layout = row_layout_new(a, types, columns);
    s->columns = columns;
    s->all = ARENA_ARRAY(a, uint16_t, columns + 1);
    for (uint16_t c = 0; c < columns; c++) s->all[c] = c;
    s->parts = ARENA_ARRAY(a, struct key_part, part_count + 1);
    if (part_count) memcpy(s->parts, parts, part_count * sizeof *parts);
    s->part_count = part_count;
    s->row = ARENA_ARRAY(a, struct datum, columns + 1);
    for (unsigned i = 0; i < 2; i++) {
        s->records[i] = exec_arena(x);
        s->arrays[i] = exec_arena(x);
    }
    s->batch = exec_arena(x);
    s->work = exec_arena(x);
    strbuf_init(&s->record, a);
    strbuf_init(&s->last, a);
    s->limit = s->cut_at = UINT64_MAX;
    return s;
}

static void forget(struct sorter *s)
{
    s->entries = NULL;
    s->bound = NULL;
    s->count = s->cap = s->given = 0;
    s->head_count = 0;
    s->any = s->advance = false;
    sorter__free_runs(s, 0);
}

void sorter_begin(struct sorter *s, uint64_t limit)
{
    forget(s);
    for (unsigned i = 0; i < 2; i++) {
        arena_clear(s->records[i]);
        arena_clear(s->arrays[i]);
    }
    s->limit = limit;
    s->cut_at = limit > UINT32_MAX ? UINT64_MAX : 2 * limit + CUT_SLACK_ROWS;
}

/* A sorter may be used once a row of some other input: little memory stays. */
static void give_back(struct arena *a)
{
    if (arena_bytes(a) > KEPT_BYTES) arena_release(a);
    else arena_clear(a);
}

void sorter_end(struct sorter *s)
{
    forget(s);
    for (unsigned i = 0; i < 2; i++) {
        give_back(s->records[i]);
        give_back(s->arrays[i]);
    }
    give_back(s->batch);
    give_back(s->work);
}

uint64_t sorter_row_count(const struct sorter *s)
{
    uint64_t count = s->count;
    for (uint32_t r = 0; r < s->run_count; r++) count += spill_row_count(s->runs[r].spill);
    return count;
}

uint64_t sorter_memory_most(const struct sorter *s)
{
    uint64_t now = sorter_memory(s);
    return now > s->memory_most ? now : s->memory_most;
}

uint64_t sorter_disk_bytes(const struct sorter *s)
{
    return s->disk_bytes;
}

/* --- taking rows ------------------------------------------------------------------------------- */

static inline char *put_be(char *p, uint64_t v, unsigned bytes)
{
    v = __builtin_bswap64(v << (64 - bytes * 8));
    memcpy(p, &v, bytes);
    return p + bytes;
}

/* The bytes of key_encode for the types that most keys have; `p` has room. NULL: of another type. */
static inline char *put_fixed(char *p, const struct key_part *part, const struct vec *v,
                              uint32_t row)
{
    uint64_t word, invert = part->descending ? UINT64_MAX : 0;
    unsigned bytes;
    switch (type_rep(part->type)) {
    case REP_I32: word = (uint32_t)VEC_DATA(v, int32_t)[row] ^ 1u << 31, bytes = 4; break;
    case REP_U32: word = VEC_DATA(v, uint32_t)[row], bytes = 4; break;
    case REP_I64: word = (uint64_t)VEC_DATA(v, int64_t)[row] ^ 1ull << 63, bytes = 8; break;
    case REP_I16: word = (uint16_t)(VEC_DATA(v, int16_t)[row] ^ 0x8000), bytes = 2; break;
    case REP_BOOL: word = VEC_DATA(v, bool)[row], bytes = 1; break;
    default: return NULL;
    }
    *p++ = (char)(KEY_NOT_NULL ^ invert);
    return put_be(p, word ^ invert, bytes);
}

/* Keys are flat. */
static void make_key(struct sorter *s, const struct vec *keys, uint32_t row)
{
    struct strbuf *out = &s->record;
    for (uint32_t k = 0; k < s->part_count; k++) {
        const struct key_part *part = &s->parts[k];
        if (!nulls_get(keys[k].nulls, row)) {
            strbuf_reserve(out, 1 + sizeof(uint64_t));
            char *end = put_fixed(out->data + out->len, part, &keys[k], row);
            if (end) {
                out->len = (size_t)(end - out->data);
                continue;
            }
        }
        key_encode(part, vec_get(&keys[k], row), out);
    }
}

static void add_entry(struct sorter *s, struct slice record)
{
    if (s->count == s->cap) {
        uint64_t cap = s->cap ? s->cap * 2 : 64;
        struct arena *to = s->arrays[s->array_side ^ 1];
        struct sort_entry *grown = arena_alloc(to, cap * sizeof *grown);
        if (s->count) memcpy(grown, s->entries, s->count * sizeof *grown);
        arena_release(s->arrays[s->array_side]);
        s->array_side ^= 1;
        s->entries = grown;
        s->cap = cap;
    }
    char *copy = arena_alloc_aligned(s->records[s->record_side], record.len, 8);
    memcpy(copy, record.data, record.len);
    s->entries[s->count++] = (struct sort_entry){key_word(record_key(copy), 0), copy};
}

/* Only the best rows stay, in the other arena. */
static enum status cut(struct sorter *s)
{
    TRY(sorter__sort(s));
    struct arena *old = s->records[s->record_side];
    s->record_side ^= 1;
    struct arena *to = s->records[s->record_side];
    for (uint64_t i = 0; i < s->limit; i++) {
        struct slice row = record_row(s->entries[i].record);
        size_t len = (size_t)(row.data + row.len - s->entries[i].record);
        char *copy = arena_alloc_aligned(to, len, 8);
        memcpy(copy, s->entries[i].record, len);
        s->entries[i] = (struct sort_entry){key_word(record_key(copy), 0), copy};
    }
    s->count = s->limit;
    s->bound = s->count ? s->entries[s->count - 1].record : NULL;
    arena_clear(old);
    return OK;
}

/* Does the row of this key come after all that are wanted? */
static bool is_late(const struct sorter *s, struct slice key)
{
    if (s->limit == 0) return true;
    return s->bound && slice_cmp(key, record_key(s->bound)) >= 0;
}

static enum status make_room(struct sorter *s, size_t record_bytes)
{
    if (s->count >= s->cut_at) TRY(cut(s));
    uint64_t growth = record_bytes;
    if (s->count == s->cap) growth += s->cap * 2 * sizeof *s->entries;
    if (growth < 4096 && s->count % 64) return OK; /* asked now and then */
    if (!s->count || !sorter__is_full(s, growth)) return OK;
    return sorter__write_run(s);
}

static enum status add_row(struct sorter *s, const struct batch *b, const struct vec *keys,
                           uint32_t row)
{
    struct strbuf *out = &s->record;
    uint32_t lens[2] = {0};
    strbuf_clear(out);
    strbuf_add(out, lens, sizeof lens);
    make_key(s, keys, row);
    lens[0] = (uint32_t)(out->len - RECORD_HEAD_BYTES);
    if (is_late(s, slice_make(out->data + RECORD_HEAD_BYTES, lens[0]))) return OK;
    while (out->len % 8) strbuf_addc(out, 0);
    size_t at = out->len;
    for (uint16_t c = 0; c < s->columns; c++) s->row[c] = vec_get(&b->columns[c], row);
    row_encode(s->layout, s->row, out);
    lens[1] = (uint32_t)(out->len - at);
    memcpy(out->data, lens, sizeof lens);
    TRY(make_room(s, out->len));
    add_entry(s, strbuf_slice(out));
    return OK;
}

enum status sorter_add(struct sorter *s, const struct batch *b, const struct vec *keys)
{
    arena_clear(s->batch);
    struct vec *flat = ARENA_ARRAY(s->batch, struct vec, s->part_count + 1);
    for (uint32_t k = 0; k < s->part_count; k++) vec_flatten(&keys[k], b->rows, s->batch, &flat[k]);
    for (uint32_t i = 0; i < b->count; i++)
        TRY(add_row(s, b, flat, b->sel ? b->sel[i] : i));
    if (s->count > UINT32_MAX) return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many rows to sort");
    return exec_check(s->x);
}

enum status sorter_rest(struct sorter *s)
{
    uint64_t limit = exec_memory_limit(s->x);
    bool much = sorter_memory(s) >= limit / REST_SHARE && exec_memory_used(s->x) > limit / 3;
    return s->count && limit != UINT64_MAX && much ? sorter__write_run(s) : OK;
}

enum status sorter_finish(struct sorter *s)
{
    s->given = 0;
    s->any = false;
    if (!s->run_count) {
        TRY(sorter__sort(s));
        if (s->count > s->limit) s->count = s->limit;
        return OK;
    }
    if (s->count) TRY(sorter__write_run(s));
    return sorter__merge_begin(s);
}

/* --- giving rows ------------------------------------------------------------------------------- */

static bool is_same(struct sorter *s, struct slice key)
{
    bool same = s->any && slice_eq(key, strbuf_slice(&s->last));
    s->any = true;
    if (!same) {
        strbuf_clear(&s->last);
        strbuf_add(&s->last, key.data, key.len);
    }
    return same;
}

static enum status next_record(struct sorter *s, const char **ret)
{
    if (s->given >= s->limit) return END_OF_DATA;
    if (s->run_count) return sorter__merge_next(s, ret);
    if (s->given == s->count) return END_OF_DATA;
    *ret = s->entries[s->given].record;
    if (s->given + AHEAD < s->count) __builtin_prefetch(s->entries[s->given + AHEAD].record);
    return OK;
}

static uint64_t batch_bytes_max(const struct sorter *s)
{
    uint64_t share = exec_memory_limit(s->x) / BATCH_SHARE;
    return share < BATCH_BYTES_MAX ? share : BATCH_BYTES_MAX;
}

enum status sorter_next(struct sorter *s, struct arena *a, struct batch *ret, bool *ret_same)
{
    struct slice *rows = arena_alloc(a, BATCH_ROWS * sizeof *rows);
    uint64_t bytes = 0, most = batch_bytes_max(s);
    uint32_t n = 0;
    while (n < BATCH_ROWS && bytes < most) {
        const char *record;
        enum status st = next_record(s, &record);
        if (st == END_OF_DATA) break;
        TRY(st);
        if (ret_same) ret_same[n] = is_same(s, record_key(record));
        rows[n] = record_row(record);
        if (s->run_count) rows[n].data = arena_memdup(a, rows[n].data, rows[n].len);
        bytes += s->run_count ? rows[n].len : 0;
        n++;
        s->given++;
    }
    if (!n) return END_OF_DATA;
    *ret = (struct batch){.rows = n, .count = n, .column_count = s->columns};
    ret->columns = ARENA_ARRAY(a, struct vec, s->columns + 1);
    for (uint16_t c = 0; c < s->columns; c++)
        vec_init_flat_rows(&ret->columns[c], s->layout->types[c], n, a);
    if (s->columns) row_decode_batch(s->layout, rows, n, s->all, s->columns, NULL, 0, ret->columns);
    return OK;
}
