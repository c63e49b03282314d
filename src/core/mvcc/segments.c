/* What is told of how a tree is kept: its runs and column segments, and what of it is not by columns yet. */
#include "core/columns.h"

#include <math.h>

#include "base/array.h"
#include "core/mvcc/mvcc_priv.h"
#include "core/segment/run_columns.h"

/* Lines of one tree in the making. */
struct telling {
    struct arena *arena; /* of the lines */
    uint32_t columns;
    ARRAY(struct segment_line) lines; /* in the arena */
};

static enum status describe(struct telling *t, struct column_segment *s, struct segment_line *line)
{
    struct page_pins pins = {0};
    struct arena a;
    struct strbuf text;
    enum status st = OK;
    uint32_t at;
    arena_init(&a, MEM_TXN);
    const char **encodings = ARENA_ARRAY(t->arena, const char *, t->columns + 1);
    line->encodings = encodings;
    for (uint32_t c = 0; c < t->columns && st == OK; c++) {
        struct column_block *b;
        if (!column_segment_column(s, c, &at)) continue;
        st = column_segment_block(s, at, 0, &pins, &a, &b);
        strbuf_init(&text, t->arena);
        if (st == OK) column_describe(b, &text);
        if (st == OK) encodings[c] = text.data;
        page_pins_release(&pins);
        arena_clear(&a);
    }
    arena_release(&a);
    page_pins_free(&pins);
    return st;
}

static enum status tell_columns(struct telling *t, struct run *r, const struct segment_line *of_run)
{
    double entry = run_entry_count(r) ? (double)of_run->bytes / (double)run_entry_count(r) : 0;
    for (uint32_t i = 0; i < run_column_segments(r); i++) {
        struct column_segment *s;
        TRY(run_column_segment(r, i, &s));
        struct segment_line line = {.run = of_run->run, .level = of_run->level, .kind = SEGMENT_OF_COLUMNS,
                                    .number = i, .rows = column_segment_rows(s),
                                    .bytes = (uint64_t)column_segment_disk_blocks(s) * BLOCK_BYTES};
        line.ratio = round(entry * (double)line.rows / (double)line.bytes * 100) / 100;
        TRY(describe(t, s, &line));
        ARENA_PUSH(t->arena, &t->lines, line);
    }
    return OK;
}

static enum status tell_run(struct telling *t, const struct run_ref *ref, uint32_t level)
{
    struct run *r = ref->run;
    struct segment_line line = {.run = ref->id, .level = level, .rows = run_entry_count(r),
                                .kind = level == HISTORY ? SEGMENT_OF_HISTORY : SEGMENT_OF_ROWS,
                                .bytes = run_bytes(r) - run_column_bytes(r)};
    ARENA_PUSH(t->arena, &t->lines, line);
    return tell_columns(t, r, &line);
}

static enum status no_tree(tree_id id)
{
    return FAIL(UNDEFINED_OBJECT, "tree %llu does not exist", (unsigned long long)id);
}

enum status store_segments(struct store *s, tree_id id, uint32_t columns, struct arena *a,
                           const struct segment_line **ret, uint32_t *ret_count)
{
    struct telling to = {.arena = a, .columns = columns};
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    const struct tree *t = forest_tree(s->forest, id);
    const struct shape *shape = t ? tree_shape(t) : NULL;
    enum status st = t ? OK : no_tree(id);
    for (uint32_t l = 0; l < LISTS && st == OK; l++)
        for (uint32_t i = 0; i < shape->levels[l].count && st == OK; i++)
            st = tell_run(&to, shape->levels[l].runs[i], l);
    epoch_exit(slot);
    epoch_slot_free(slot);
    *ret = to.lines.data;
    *ret_count = (uint32_t)to.lines.count;
    return st;
}

static void add_up(const struct tree *t, struct column_status *ret)
{
    const struct shape *s = tree_shape(t);
    *ret = (struct column_status){
        .flushed_us = __atomic_load_n(&t->flushed.at_us, __ATOMIC_RELAXED),
        .flush_took_us = __atomic_load_n(&t->flushed.took_us, __ATOMIC_RELAXED),
        .merged_us = __atomic_load_n(&t->merged.at_us, __ATOMIC_RELAXED),
        .merge_took_us = __atomic_load_n(&t->merged.took_us, __ATOMIC_RELAXED),
    };
    for (uint32_t i = 0; i < s->memory_count; i++) {
        ret->memory_rows += memtable_key_count(s->memories[i]->table);
        ret->memory_bytes += memtable_bytes(s->memories[i]->table);
    }
    for (uint32_t l = 0; l < LEVELS_MAX; l++)
        for (uint32_t i = 0; i < s->levels[l].count; i++) {
            const struct run *r = s->levels[l].runs[i]->run;
            uint64_t *rows = run_has_columns(r) ? &ret->column_rows : &ret->bare_rows;
            *rows += run_entry_count(r);
            ret->column_bytes += run_column_bytes(r);
            ret->row_bytes += run_bytes(r) - run_column_bytes(r);
        }
}

enum status store_column_status(struct store *s, tree_id id, struct column_status *ret)
{
    struct epoch_slot *slot = epoch_slot_new(s->epoch);
    epoch_enter(slot);
    const struct tree *t = forest_tree(s->forest, id);
    if (t) add_up(t, ret);
    epoch_exit(slot);
    epoch_slot_free(slot);
    return t ? OK : no_tree(id);
}
