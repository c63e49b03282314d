/* Reads a table for ANALYZE. Up to SCAN_ROWS_MAX rows it is read whole: the sample is drawn evenly
 * from all rows (Vitter's algorithm R, 1985), and distinct values are counted over all of them, which
 * a sample cannot tell well. Of a larger table the first rows of many like ranges are read, and distinct
 * values are estimated. The sample's bytes are bounded: when they get too many, half of it goes. */
#include "db/analyze.h"

#include <stdlib.h>

#include "base/fiber.h"
#include "base/random.h"
#include "catalog/column_statistics.h"
#include "core/txn.h"

enum {
    SCAN_ROWS_MAX = 10 << 20,
    SCAN_RANGES = 1024,
    SAMPLE_BYTES_MAX = 64 << 20,
    SEED = 0x5EED,
};

struct sampled_row {
    char *data;
    uint32_t len, position;
};

struct analysis {
    struct session *s;
    struct arena *a;
    const struct table_def *t;
    uint16_t *columns;          /* positions of those that are not dropped */
    uint16_t column_count;
    bool *wanted;               /* by position in the table */
    uint32_t *targets;          /* by position in the table */
    struct datum *missing;      /* by position; NULL: none */
    struct vec *vectors;        /* by position in `columns` */
    uint64_t *hashes;
    struct hll **distinct;      /* by position in the table; NULL: not counted */
    struct hll ***prefixes;     /* by index and key column - 1 */
    bool whole;                 /* every row is read */
    struct rng rng;
    struct sampled_row *sample;
    uint32_t sample_max, sample_count, read;
    size_t sample_bytes;
};

/* --- what is wanted ------------------------------------------------------------------------- */

static uint32_t default_target(const struct session *s)
{
    int64_t n;
    const char *text = settings_get(s, "default_statistics_target");
    if (!text || !str_to_i64(slice_of(text), &n) || n < 1) return STATISTICS_TARGET_DEFAULT;
    return n > STATISTICS_TARGET_MAX ? STATISTICS_TARGET_MAX : (uint32_t)n;
}

static bool is_named(const struct name_list *names, const struct column_def *c)
{
    bool found = names->count == 0;
    for (uint32_t i = 0; i < names->count && !found; i++)
        found = strcmp(names->items[i], c->name) == 0;
    return found;
}

static void choose_columns(struct analysis *x, const struct name_list *names)
{
    const struct table_def *t = x->t;
    uint32_t most = 1;
    x->columns = ARENA_ARRAY(x->a, uint16_t, t->column_count);
    x->wanted = ARENA_ARRAY(x->a, bool, t->column_count);
    x->targets = ARENA_ARRAY(x->a, uint32_t, t->column_count);
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        if (c->dropped) continue;
        x->columns[x->column_count++] = i;
        x->targets[i] = c->statistics_target < 0 ? default_target(x->s)
                                                 : (uint32_t)c->statistics_target;
        x->wanted[i] = x->targets[i] > 0 && is_named(names, c);
        if (x->wanted[i] && x->targets[i] > most) most = x->targets[i];
        if (!c->has_missing) continue;
        if (!x->missing) {
            x->missing = ARENA_ARRAY(x->a, struct datum, t->column_count);
            for (uint16_t k = 0; k < t->column_count; k++) x->missing[k].null = true;
        }
        x->missing[i] = c->missing;
    }
    x->sample_max = most * STATISTICS_ROWS_PER_TARGET;
}

static int32_t vector_of(const struct analysis *x, int16_t number)
{
    for (uint16_t i = 0; i < x->column_count; i++)
        if (x->t->columns[x->columns[i]].number == number) return i;
    return -1;
}

static void prepare_counts(struct analysis *x)
{
    const struct table_def *t = x->t;
    x->vectors = ARENA_ARRAY(x->a, struct vec, x->column_count);
    x->hashes = ARENA_ARRAY(x->a, uint64_t, BATCH_ROWS);
    x->distinct = ARENA_ARRAY(x->a, struct hll *, t->column_count);
    x->prefixes = ARENA_ARRAY(x->a, struct hll **, t->index_count);
    for (uint16_t i = 0; i < x->column_count; i++) {
        uint16_t c = x->columns[i];
        vec_init_flat(&x->vectors[i], t->columns[c].type, x->a);
        if (x->wanted[c] && type_has_statistics(t->columns[c].type))
            x->distinct[c] = ARENA_NEW(x->a, struct hll);
    }
    for (uint16_t i = 0; i < t->index_count; i++) {
        const struct index_def *d = t->indexes[i];
        x->prefixes[i] = ARENA_ARRAY(x->a, struct hll *, d->key_count);
        for (uint16_t k = 0; k < d->key_count; k++) {
            int32_t v = vector_of(x, d->columns[k].column);
            if (v < 0 || !type_has_statistics(x->vectors[v].type)) break;
            if (k) x->prefixes[i][k - 1] = ARENA_NEW(x->a, struct hll);
        }
    }
}

/* --- reading -------------------------------------------------------------------------------- */

static void halve_sample(struct analysis *x)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->sample_count; i++) {
        if (i % 2 == 0) {
            x->sample[kept++] = x->sample[i];
            continue;
        }
        x->sample_bytes -= x->sample[i].len;
        mem_free(MEM_SESSION, x->sample[i].data);
    }
    x->sample_count = kept;
    x->sample_max = kept > 1 ? kept : 1;
}

static void sample_row(struct analysis *x, struct slice row)
{
    uint64_t at = x->sample_count;
    uint32_t position = x->read++;
    if (x->sample_count == x->sample_max) {
        at = rng_below(&x->rng, x->read);
        if (at >= x->sample_max) return;
        x->sample_bytes -= x->sample[at].len;
        mem_free(MEM_SESSION, x->sample[at].data);
    } else {
        x->sample_count++;
    }
    char *copy = mem_alloc(MEM_SESSION, row.len + 1);
    memcpy(copy, row.data, row.len);
    x->sample[at] = (struct sampled_row){copy, (uint32_t)row.len, position};
    x->sample_bytes += row.len;
    while (x->sample_bytes > SAMPLE_BYTES_MAX && x->sample_count > 1) halve_sample(x);
}

static void count_hashes(struct hll *h, const struct vec *v, const uint64_t *hashes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!v || !nulls_get(v->nulls, i)) hll_add(h, hashes[i]);
}

static void count_rows(struct analysis *x, const struct slice *rows, uint32_t n)
{
    row_decode_batch(x->t->layout, rows, n, x->columns, x->column_count, x->missing, 0, x->vectors);
    for (uint16_t i = 0; i < x->column_count; i++) {
        struct hll *h = x->distinct[x->columns[i]];
        if (!h) continue;
        vec_hash(&x->vectors[i], NULL, n, true, x->hashes);
        count_hashes(h, &x->vectors[i], x->hashes, n);
    }
    for (uint16_t i = 0; i < x->t->index_count; i++) {
        const struct index_def *d = x->t->indexes[i];
        if (d->key_count < 2 || !x->prefixes[i][0]) continue;
        for (uint16_t k = 0; k < d->key_count && (!k || x->prefixes[i][k - 1]); k++) {
            int32_t v = vector_of(x, d->columns[k].column);
            vec_hash(&x->vectors[v], NULL, n, k == 0, x->hashes);
            if (k) count_hashes(x->prefixes[i][k - 1], NULL, x->hashes, n);
        }
    }
}

static enum status read_range(struct analysis *x, const struct scan_request *q, uint32_t max)
{
    struct cursor *cursor;
    struct slice *keys = ARENA_ARRAY(x->a, struct slice, BATCH_ROWS);
    struct slice *rows = ARENA_ARRAY(x->a, struct slice, BATCH_ROWS);
    uint32_t done = 0, n = 0;
    TRY(store_scan(x->s->txn, q, &cursor));
    enum status st;
    do {
        uint32_t batch = max - done < BATCH_ROWS ? max - done : BATCH_ROWS;
        st = cursor_next(cursor, keys, rows, batch, &n);
        if (st != OK) break;
        for (uint32_t i = 0; i < n; i++) sample_row(x, rows[i]);
        if (x->whole && n) count_rows(x, rows, n);
        done += n;
        st = session__check_interrupts(x->s);
        fiber_yield(); /* whoever waits for this core goes first */
    } while (st == OK && n > 0 && done < max);
    cursor_close(cursor);
    return st;
}

static enum status read_rows(struct analysis *x, double rows)
{
    struct scan_request q = {.tree = x->t->tree, .skip_keys = true};
    x->whole = rows <= SCAN_ROWS_MAX;
    if (x->whole) return read_range(x, &q, UINT32_MAX);
    struct slice *bounds = ARENA_ARRAY(x->a, struct slice, SCAN_RANGES);
    uint32_t count = 0;
    TRY(store_split(x->s->txn, &q, SCAN_RANGES, x->a, bounds, &count));
    for (uint32_t i = 0; i <= count; i++) {
        struct arena_mark mark = arena_mark(x->a);
        if (i) q.lower = bounds[i - 1];
        q.upper = i < count ? bounds[i] : (struct slice){0};
        enum status st = read_range(x, &q, SCAN_ROWS_MAX / (count + 1));
        arena_rewind(x->a, mark);
        TRY(st);
    }
    return OK;
}

/* --- results -------------------------------------------------------------------------------- */

/* Bytes of a value as PostgreSQL stores it. */
static uint32_t stored_bytes(type_id type, const struct datum *d)
{
    const struct type_info *t = type_get(type);
    if (t->typlen > 0) return (uint32_t)t->typlen;
    if (t->rep == REP_BYTES) return d->v.bytes.len + (d->v.bytes.len < 127 ? 1 : 4);
    if (d->v.numeric.kind != NUMERIC_SMALL) return 16;
    /* Digits to the base of 10000, aligned at the decimal point; zeros at both ends are not stored. */
    uint64_t c = (uint64_t)llabs(d->v.numeric.coefficient);
    uint32_t digits = 0;
    for (uint32_t i = d->v.numeric.scale; c && i % 4; i++) c = c > UINT64_MAX / 10 ? c / 10 : c * 10;
    while (c && c % 10000 == 0) c /= 10000;
    for (; c; c /= 10000) digits++;
    return 3 + 2 * digits;
}

static void keep_values(struct analysis *x, type_id type, const union value **v, uint32_t n)
{
    union value *out = ARENA_ARRAY(x->a, union value, n);
    for (uint32_t i = 0; i < n; i++) out[i] = value_copy(x->a, type, (*v)[i]);
    *v = out;
}

static void analyze_column(struct analysis *x, uint16_t c, double rows,
                           struct column_statistics *ret)
{
    type_id type = x->t->columns[c].type;
    struct column_sample s = {.type = type, .target = x->targets[c], .table_rows = rows};
    struct arena scratch;
    arena_init(&scratch, MEM_SESSION);
    s.values = arena_alloc(&scratch, x->sample_count * sizeof *s.values);
    for (uint32_t i = 0; i < x->sample_count; i++) {
        struct datum d = {.null = true};
        struct slice row = slice_make(x->sample[i].data, x->sample[i].len);
        if (!row_get(x->t->layout, row, c, &d) && x->missing) d = x->missing[c];
        if (d.null) {
            s.nulls++;
            continue;
        }
        s.bytes += stored_bytes(type, &d);
        if (type_rep(type) == REP_BYTES && d.v.bytes.len > STATISTICS_WIDTH_MAX) s.wide++;
        else s.values[s.count++] = (struct sampled_value){d.v, x->sample[i].position};
    }
    if (x->whole && x->distinct[c]) s.known_distinct = hll_count(x->distinct[c]);
    column_statistics_make(&scratch, &s, ret);
    keep_values(x, type, &ret->mcv, ret->mcv_count);
    keep_values(x, type, &ret->histogram, ret->histogram_count);
    ret->mcv_fraction =
        arena_memdup(x->a, ret->mcv_fraction, ret->mcv_count * sizeof *ret->mcv_fraction);
    arena_release(&scratch);
}

static const struct index_def *analyze_index(struct analysis *x, uint16_t i, double rows,
                                             const struct column_def *columns)
{
    struct index_def *d = arena_memdup(x->a, x->t->indexes[i], sizeof *d);
    double *counts = ARENA_ARRAY(x->a, double, d->key_count);
    if (!x->whole) return d; /* what was known before is better than nothing */
    int32_t first = vector_of(x, d->columns[0].column);
    if (first >= 0 && columns[x->columns[first]].statistics)
        counts[0] = columns[x->columns[first]].statistics->distinct;
    for (uint16_t k = 1; k < d->key_count && x->prefixes[i][k - 1]; k++) {
        double n = hll_count(x->prefixes[i][k - 1]);
        if (n > rows || (d->unique && k + 1 == d->key_count)) n = rows;
        counts[k] = n > 0.1 * rows ? -n / (rows < 1 ? 1 : rows) : n;
    }
    d->prefix_distinct = counts;
    return d;
}

static enum status make_definition(struct analysis *x, double rows, struct table_def *ret)
{
    const struct table_def *t = x->t;
    struct column_def *columns = arena_memdup(x->a, t->columns, t->column_count * sizeof *columns);
    const struct index_def **indexes = ARENA_ARRAY(x->a, const struct index_def *, t->index_count);
    for (uint16_t c = 0; c < t->column_count && x->sample_count; c++) {
        if (!x->wanted[c]) continue;
        TRY(session__check_interrupts(x->s)); /* each column's sample is sorted */
        fiber_yield();
        struct column_statistics *made = ARENA_NEW(x->a, struct column_statistics);
        analyze_column(x, c, rows, made);
        columns[c].statistics = made;
    }
    for (uint16_t i = 0; i < t->index_count; i++)
        indexes[i] = x->sample_count ? analyze_index(x, i, rows, columns) : t->indexes[i];
    *ret = *t;
    ret->columns = columns;
    ret->indexes = indexes;
    return OK;
}

enum status analyze_table(struct session *s, const struct table_def *t,
                          const struct name_list *columns, double rows, struct arena *a,
                          struct table_def *ret)
{
    struct analysis x = {.s = s, .a = a, .t = t};
    rng_seed(&x.rng, SEED + t->oid);
    choose_columns(&x, columns);
    prepare_counts(&x);
    x.sample = mem_alloc(MEM_SESSION, x.sample_max * sizeof *x.sample);
    enum status st = read_rows(&x, rows);
    if (x.whole) rows = x.read;
    if (st == OK) st = make_definition(&x, rows, ret);
    if (st == OK) ret->statistics.rows = rows;
    for (uint32_t i = 0; i < x.sample_count; i++) mem_free(MEM_SESSION, x.sample[i].data);
    mem_free(MEM_SESSION, x.sample);
    return st;
}
