#include "exec/ops/row_filter.h"

#include "base/vector.h"
#include "types/row.h"

enum { TRIAL_ROWS = 8192, KEEP_PERCENT = 75 };

/* --- keys as bits ------------------------------------------------------------------------------ */

/* A bit a value between the least key and the greatest is worth it up to so many, and so many a key. */
#define BITS_MAX (1ull << 25)
#define BITS_FREE (1ull << 20)
#define BITS_A_KEY 512

static void set_bit(uint32_t *bits, uint64_t at) { bits[at >> 5] |= 1u << (at & 31); }

static enum status fill_bits(struct execution *x, const struct join_table *t, uint64_t range,
                             uint32_t *bits)
{
    enum { CHECK = 1 << 16 };
    uint64_t count = t->form == JOIN_TABLE_HASHED ? t->count : range;
    for (uint64_t from = 0; from < count; from += CHECK) {
        uint64_t to = count - from < CHECK ? count : from + CHECK;
        TRY(exec_check_canceled(x));
        for (uint64_t i = from; i < to; i++)
            if (t->form == JOIN_TABLE_HASHED) set_bit(bits, t->entries[i].key - (uint64_t)t->min);
            else if (t->form == JOIN_TABLE_DIRECT_UNIQUE ? t->rows[i] != 0
                                                         : t->starts[i] != t->starts[i + 1])
                set_bit(bits, i);
    }
    return OK;
}

enum status row_filter_make(struct execution *x, struct arena *a, const struct join_keys *keys,
                            const struct join_table *table, struct row_filter *ret)
{
    uint64_t range = (uint64_t)table->max - (uint64_t)table->min;
    *ret = (struct row_filter){.keys = keys, .table = table};
    if (!table->packed || !table->count || range >= BITS_MAX) return OK;
    if (range >= BITS_FREE && range / BITS_A_KEY >= table->count) return OK;
    uint32_t *bits = arena_zalloc(a, (range / 32 + 1) * sizeof *bits);
    TRY(fill_bits(x, table, range + 1, bits));
    ret->bits = bits;
    return OK;
}

/* --- where a filter belongs ------------------------------------------------------------------- */

static const struct plan_node *find_scan(const struct plan_node *n, uint32_t *slot);

/* Only rows of a side that must match something may be left out. */
static const struct plan_node *find_in_join(const struct plan_node *n, uint32_t *slot)
{
    enum join_kind type = n->join.type;
    if (*slot < n->left->column_count) {
        bool may = type == JOIN_INNER || type == JOIN_LEFT || type == JOIN_SEMI || type == JOIN_ANTI;
        return may ? find_scan(n->left, slot) : NULL;
    }
    if (n->kind != PLAN_HASH_JOIN || type != JOIN_INNER) return NULL;
    *slot -= n->left->column_count;
    return find_scan(n->right, slot);
}

static const struct plan_node *find_scan(const struct plan_node *n, uint32_t *slot)
{
    for (;; n = n->left) {
        const struct expr *e;
        switch (n->kind) {
        case PLAN_SCAN:
        case PLAN_INDEX_SCAN: return *slot < n->scan.fetch_count ? n : NULL;
        case PLAN_FILTER:
        case PLAN_GATHER:
        case PLAN_SUBQUERY_SCAN: continue;
        case PLAN_PROJECT: e = n->project.exprs[*slot]; break;
        case PLAN_AGGREGATE:
            if (n->aggregate.set_count || *slot >= n->aggregate.group_count) return NULL;
            e = n->aggregate.groups[*slot];
            break;
        case PLAN_HASH_JOIN:
        case PLAN_NESTED_LOOP: return find_in_join(n, slot);
        default: return NULL;
        }
        if (e->kind != EXPR_SLOT) return NULL;
        *slot = e->slot;
    }
}

const struct plan_node *row_filter_find(const struct plan_node *n, uint32_t *slot)
{
    if (exec_check_stack() == OK) return find_scan(n, slot);
    error_clear();
    return NULL;
}

void row_filter_put(struct execution *x, const struct plan_node *scan, uint32_t slot,
                    struct row_filter *f)
{
    if (!x->row_filters)
        x->row_filters = ARENA_ARRAY(x->arena, struct row_filter *, x->plan->node_count);
    f->slot = slot;
    f->scan = scan;
    f->next = x->row_filters[scan->id];
    x->row_filters[scan->id] = f;
}

void row_filter_attach(struct execution *x, const struct plan_node *join, struct row_filter *f)
{
    const struct expr *key = join->join.left_keys[0];
    if (key->kind != EXPR_SLOT || exec_check_stack() != OK) {
        error_clear();
        return;
    }
    uint32_t slot = key->slot;
    const struct plan_node *scan = find_scan(join->left, &slot);
    if (scan) row_filter_put(x, scan, slot, f);
}

void row_filter_detach(struct execution *x, struct row_filter *f)
{
    if (!f->scan) return;
    struct row_filter **at = &x->row_filters[f->scan->id];
    while (*at != f) at = &(*at)->next;
    *at = f->next;
    f->scan = NULL;
}

/* --- in the scan ------------------------------------------------------------------------------ */

void row_filters_begin(struct row_filters *r, struct execution *x, const struct plan_node *scan)
{
    r->count = 0;
    if (!x->row_filters) return;
    for (struct row_filter *f = x->row_filters[scan->id]; f && r->count < ROW_FILTERS_MAX;
         f = f->next) {
        r->filters[r->count] = f;
        r->in[r->count] = r->out[r->count] = 0;
        r->count++;
    }
}

#define HITS(name, T)                                                                              \
    VECTOR_CODE                                                                                    \
    static void name(const T *data, const uint16_t *sel, uint32_t count, uint64_t min,             \
                     uint64_t range, const uint32_t *bits, uint8_t *restrict hits)                 \
    {                                                                                              \
        for (uint32_t i = 0; !sel && i < count; i++) {                                             \
            uint64_t d = (uint64_t)(int64_t)data[i] - min;                                         \
            uint32_t k = d <= range ? (uint32_t)d : 0;                                             \
            hits[i] = (uint8_t)((bits[k >> 5] >> (k & 31) & 1) & (d <= range));                    \
        }                                                                                          \
        for (uint32_t i = 0; sel && i < count; i++) {                                              \
            uint64_t d = (uint64_t)(int64_t)data[sel[i]] - min;                                    \
            uint32_t k = d <= range ? (uint32_t)d : 0;                                             \
            hits[i] = (uint8_t)((bits[k >> 5] >> (k & 31) & 1) & (d <= range));                    \
        }                                                                                          \
    }
HITS(hits_of_4, int32_t)
HITS(hits_of_8, int64_t)

static uint32_t keep_hits(const uint8_t *hits, const uint16_t *sel, uint32_t count, uint16_t *kept)
{
    uint32_t n = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t eight;
        memcpy(&eight, hits + i, sizeof eight);
        for (uint32_t k = i; eight && k < i + 8; k++) {
            kept[n] = sel ? sel[k] : (uint16_t)k;
            n += hits[k];
        }
    }
    for (; i < count; i++) {
        kept[n] = sel ? sel[i] : (uint16_t)i;
        n += hits[i];
    }
    return n;
}

/* Plain integers, and the keys as bits; false where one of them is not so. */
static bool keep_by_bits(const struct row_filter *f, const struct vec *v, const uint16_t *sel,
                         uint32_t count, uint16_t *kept, uint32_t *ret)
{
    uint64_t min = (uint64_t)f->table->min, range = (uint64_t)f->table->max - min;
    uint8_t hits[BATCH_ROWS];
    if (!f->bits || v->form != VEC_FLAT || v->nulls) return false;
    switch (type_rep(v->type)) {
    case REP_I32: hits_of_4(v->data, sel, count, min, range, f->bits, hits); break;
    case REP_I64: hits_of_8(v->data, sel, count, min, range, f->bits, hits); break;
    default: return false;
    }
    *ret = keep_hits(hits, sel, count, kept);
    return true;
}

uint32_t row_filters_keep(struct row_filters *r, uint32_t at, const struct vec *v, const uint16_t *sel,
                          uint32_t count, struct arena *a, uint16_t *kept)
{
    const struct row_filter *f = r->filters[at];
    struct arena_mark mark = arena_mark(a);
    bool null;
    uint32_t n;
    if (!keep_by_bits(f, v, sel, count, kept, &n)) {
        uint16_t *rows = arena_alloc(a, count * sizeof *rows);
        uint64_t *keys = arena_alloc(a, count * sizeof *keys);
        n = join_keys_read(f->keys, v, sel, count, rows, keys, &null);
        n = join_table_filter(f->table, keys, rows, n, kept);
    }
    arena_rewind(a, mark);
    r->in[at] += count;
    r->out[at] += n;
    return n;
}

static uint32_t apply_one(struct row_filters *r, uint32_t at, const struct plan_node *scan,
                          const struct datum *missing, struct arena *a, struct slice *keys,
                          struct slice *rows, uint32_t count)
{
    const struct row_filter *f = r->filters[at];
    struct arena_mark mark = arena_mark(a);
    struct vec v;
    uint16_t *kept = arena_alloc(a, count * sizeof *kept);
    vec_init_flat_rows(&v, f->keys->types[0], count, a);
    row_decode_batch(scan->scan.table->layout, rows, count, &scan->scan.fetch[f->slot], 1, missing, 0,
                     &v);
    uint32_t n = row_filters_keep(r, at, &v, NULL, count, a, kept);
    for (uint32_t i = 0; i < n; i++) rows[i] = rows[kept[i]];
    for (uint32_t i = 0; keys && i < n; i++) keys[i] = keys[kept[i]];
    arena_rewind(a, mark);
    return n;
}

/* A filter that lets most rows pass costs more than it saves. */
void row_filters_judge(struct row_filters *r, uint32_t at)
{
    if (r->in[at] < TRIAL_ROWS || r->out[at] * 100 < r->in[at] * KEEP_PERCENT) return;
    r->count--;
    r->filters[at] = r->filters[r->count];
    r->in[at] = r->in[r->count];
    r->out[at] = r->out[r->count];
}

uint32_t row_filters_apply(struct row_filters *r, const struct plan_node *scan,
                           const struct datum *missing, struct arena *a, struct slice *keys,
                           struct slice *rows, uint32_t count)
{
    for (uint32_t i = r->count; i-- > 0 && count;) {
        count = apply_one(r, i, scan, missing, a, keys, rows, count);
        row_filters_judge(r, i);
    }
    return count;
}
