/* Building the column part of a run, beside its row segments (docs/format/run.md).
 *
 * Rows are gathered in batches of 2,048, decoded column by column and handed to a column segment's
 * writer, which keeps them until the segment is full. A run whose rows are not what the layout says
 * (they have columns that it does not know yet) is left without a column part: it is read by rows. */
#include "core/segment/run_columns.h"

#include "core/segment/run_columns_priv.h"

const struct column_options *run_columns_encoding;
uint32_t run_columns_bytes;

void run_columns_force(unsigned encoding)
{
    static struct column_options o;
    unsigned i = encoding;
    o = i == 11 ? column_options_archive : column_options_default;
    if (i < 4) o.ints = (uint8_t)(1 << i);
    else if (i < 6) o.floats = (uint8_t)(1 << (i - 4));
    else if (i < 10) o.strings = (uint8_t)(1 << (i - 6));
    if (i <= 10) o.dictionary = false;
    run_columns_encoding = i < RUN_COLUMNS_FORCED ? &o : NULL;
}

enum { BATCH_BYTES_MAX = 8 << 20, ROW_ALIGN = 16, MISSING_BYTES = 16 };

/* --- layouts ---------------------------------------------------------------------------------- */

struct run_layout *run_layout_new(enum run_form form, uint32_t count, const type_id *types,
                                  const struct datum *missing)
{
    if (!count || count > COLUMN_SEGMENT_COLUMNS_MAX || count > UINT16_MAX) return NULL;
    struct run_layout *l = mem_alloc(MEM_RUN, sizeof *l);
    arena_init(&l->arena, MEM_RUN);
    l->refs = 1;
    l->form = form;
    l->count = count;
    l->types = arena_memdup(&l->arena, types, count * sizeof *types);
    l->rows = row_layout_new(&l->arena, types, (uint16_t)count);
    l->specs = ARENA_ARRAY(&l->arena, struct column_spec, count);
    l->numbers = ARENA_ARRAY(&l->arena, uint16_t, count);
    uint8_t *passes = ARENA_ARRAY(&l->arena, uint8_t, count);
    struct datum *all = missing ? ARENA_ARRAY(&l->arena, struct datum, count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        l->specs[i] = (struct column_spec){.number = i, .type = types[i], .passes = &passes[i]};
        l->numbers[i] = (uint16_t)i;
        if (!all) continue;
        all[i] = datum_copy(&l->arena, types[i], missing[i]);
        if (!all[i].null) l->missing_bytes += MISSING_BYTES;
        if (!all[i].null && type_rep(types[i]) == REP_BYTES) l->missing_bytes += all[i].v.bytes.len;
    }
    l->missing = all;
    return l;
}

struct run_layout *run_layout_ref(struct run_layout *l)
{
    if (l) __atomic_add_fetch(&l->refs, 1, __ATOMIC_RELAXED);
    return l;
}

void run_layout_unref(struct run_layout *l)
{
    if (!l || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL)) return;
    arena_release(&l->arena);
    mem_free(MEM_RUN, l);
}

/* --- building --------------------------------------------------------------------------------- */

struct columns_builder {
    struct run_layout *layout;
    struct column_segment_writer *writer;
    uint64_t tree, entries;
    /* The batch: decoded, rows from `taken` on are not in the writer yet. */
    struct arena arena, vectors; /* of its rows; of the vectors */
    size_t bytes;
    uint32_t count, taken;
    bool decoded;
    struct slice keys[BATCH_ROWS], rows[BATCH_ROWS];
    uint64_t ts[BATCH_ROWS];
    bool dead[BATCH_ROWS];
    struct vec *columns;
    /* What the index says. */
    ARRAY(struct column_place) places;
    ARRAY(uint32_t) row_firsts;
    ARRAY(uint64_t) within;
    bool has_within;
    uint64_t first, blocks; /* of the segment in the writer */
};

struct columns_builder *columns__new(uint64_t tree, struct run_layout *l, enum run_form form)
{
    static const enum column_segment_kind kinds[] = {
        [RUN_DUAL] = SEGMENT_COLUMN, [RUN_COLUMN] = SEGMENT_COLUMN, [RUN_HYBRID] = SEGMENT_HYBRID,
        [RUN_COMPRESSED] = SEGMENT_COMPRESSED};
    struct column_segment_options o = {.tree = tree, .kind = kinds[form], .columns = l->specs,
                                       .column_count = l->count, .no_keys = true,
                                       .bytes = run_columns_bytes,
                                       .encoding = run_columns_encoding};
    struct columns_builder *c = mem_alloc(MEM_RUN, sizeof *c);
    arena_init(&c->arena, MEM_RUN);
    arena_init(&c->vectors, MEM_RUN);
    c->layout = run_layout_ref(l);
    c->tree = tree;
    if (column_segment_writer_new(&o, &c->writer) != OK) {
        error_clear();
        columns__free(c);
        return NULL;
    }
    c->columns = ARENA_ARRAY(&c->vectors, struct vec, l->count);
    for (uint32_t i = 0; i < l->count; i++) vec_init_flat(&c->columns[i], l->types[i], &c->vectors);
    return c;
}

void columns__free(struct columns_builder *c)
{
    if (!c) return;
    column_segment_writer_free(c->writer);
    arena_release(&c->arena);
    arena_release(&c->vectors);
    ARRAY_RELEASE(&c->places);
    ARRAY_RELEASE(&c->row_firsts);
    ARRAY_RELEASE(&c->within);
    run_layout_unref(c->layout);
    mem_free(MEM_RUN, c);
}

void columns__begin_rows(struct columns_builder *c)
{
    ARRAY_PUSH(&c->row_firsts, (uint32_t)c->entries);
}

static bool batch_is_full(const struct columns_builder *c)
{
    return c->count == BATCH_ROWS || c->bytes > BATCH_BYTES_MAX;
}

static struct slice keep(struct columns_builder *c, struct slice s)
{
    if (!s.len) return slice_make("", 0);
    void *copy = arena_alloc_aligned(&c->arena, s.len, ROW_ALIGN);
    c->bytes += s.len;
    return slice_make(memcpy(copy, s.data, s.len), s.len);
}

bool columns__add(struct columns_builder *c, const struct entry *e, bool newest)
{
    ASSERT(!batch_is_full(c)); /* it was sealed when it was */
    uint16_t n = e->tombstone ? 0 : row_column_count(e->row);
    if (c->entries == COLUMN_ENTRIES_MAX || n > c->layout->count || (!n && !e->tombstone)) return false;
    uint32_t i = c->count++;
    c->keys[i] = keep(c, e->key);
    c->rows[i] = e->tombstone ? slice_make("\0", 2) : keep(c, e->row); /* a row without columns */
    c->ts[i] = e->ts;
    c->dead[i] = e->tombstone;
    uint64_t at = c->entries++;
    if (at % 64 == 0) ARRAY_PUSH(&c->within, 0);
    if (newest && !e->tombstone) return true;
    c->within.data[at / 64] |= 1ull << at % 64;
    c->has_within = true;
    return true;
}

static void decode(struct columns_builder *c)
{
    const struct run_layout *l = c->layout;
    row_decode_batch(l->rows, c->rows, c->count, l->numbers, (uint16_t)l->count, l->missing, 0,
                     c->columns);
    c->decoded = true;
}

/* The rest of the batch, from `taken` on: the writer takes vectors from their first row. */
static void hand_over(struct columns_builder *c)
{
    uint32_t taken, n = c->count - c->taken;
    struct column_rows rows = {n, c->keys + c->taken, c->ts + c->taken, c->dead + c->taken, c->columns};
    struct arena a;
    arena_init(&a, MEM_RUN);
    if (c->taken) {
        uint16_t sel[BATCH_ROWS];
        struct vec *rest = ARENA_ARRAY(&a, struct vec, c->layout->count);
        for (uint32_t i = 0; i < n; i++) sel[i] = (uint16_t)(c->taken + i);
        for (uint32_t i = 0; i < c->layout->count; i++) {
            vec_init_flat(&rest[i], c->layout->types[i], &a);
            vec_gather(&rest[i], 0, &c->columns[i], sel, n, NULL);
        }
        rows.columns = rest;
    }
    column_segment_add(c->writer, &rows, &taken);
    c->taken += taken;
    arena_release(&a);
}

static void next_batch(struct columns_builder *c)
{
    if (c->bytes > 2 * (size_t)BATCH_BYTES_MAX) { /* a huge row: do not keep its memory */
        arena_release(&c->arena);
        arena_init(&c->arena, MEM_RUN);
    }
    arena_clear(&c->arena);
    c->bytes = 0;
    c->count = c->taken = 0;
    c->decoded = false;
}

static bool finish_segment(struct columns_builder *c, struct block_buf *out)
{
    struct strbuf bytes;
    uint32_t rows = column_segment_writer_rows(c->writer);
    uint32_t blocks = column_segment_writer_blocks(c->writer);
    strbuf_init(&bytes, NULL);
    enum status st = column_segment_finish(c->writer, &bytes);
    if (st == OK) {
        block_buf__reserve(out, bytes.len);
        memcpy(out->data + out->len, bytes.data, bytes.len);
        out->len += bytes.len;
        ARRAY_PUSH(&c->places, (struct column_place){.first = (uint32_t)c->first});
        c->first += rows;
        c->blocks += blocks;
    } else {
        error_clear();
    }
    strbuf_release(&bytes);
    return st == OK;
}

bool columns__seal(struct columns_builder *c, bool all, struct block_buf *out, bool *ret)
{
    *ret = false;
    if (!all && !batch_is_full(c)) return true;
    if (c->count && !c->decoded) decode(c);
    if (c->taken < c->count) hand_over(c);
    bool rest = c->taken < c->count;
    if (!rest) next_batch(c);
    if (!rest && !(all && column_segment_writer_rows(c->writer))) return true;
    *ret = true;
    return finish_segment(c, out);
}

void columns__placed(struct columns_builder *c, struct place p)
{
    ARRAY_LAST(&c->places).place = p;
}

void columns__seal_index(struct columns_builder *c, bool compress, struct block_buf *out)
{
    struct strbuf body;
    struct columns_index x = {(uint32_t)c->places.count, c->has_within, c->blocks};
    strbuf_init(&body, NULL);
    strbuf_add(&body, &x, sizeof x);
    strbuf_add(&body, c->places.data, c->places.count * sizeof *c->places.data);
    strbuf_add(&body, c->row_firsts.data, c->row_firsts.count * sizeof *c->row_firsts.data);
    while (body.len % 8) strbuf_addc(&body, '\0');
    if (c->has_within)
        strbuf_add(&body, c->within.data, c->within.count * sizeof *c->within.data);
    struct segment_header h = {.kind = SEGMENT_COLUMNS, .tree = c->tree, .count = x.segments};
    segment__seal(&h, strbuf_slice(&body), compress, out);
    strbuf_release(&body);
}
