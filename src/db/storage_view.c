/* The views helios_segments and helios_htap: how tables are kept, and what of them is not by columns yet. */
#include "core/columns.h"
#include "catalog/table_storage.h"
#include "db/system_priv.h"

static bool is_shown(const struct table_def *t)
{
    return t->tree && (t->kind == 'r' || t->kind == 'm') && !sys_is_system(t);
}

/* "id: delta 1 bits; day: packed 9 bits", by the names of today. */
static const char *list_encodings(struct sys_scan *x, const struct table_def *t, const struct segment_line *line)
{
    struct strbuf out;
    strbuf_init(&out, x->arena);
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].dropped || !line->encodings[i]) continue;
        strbuf_addf(&out, "%s%s: %s", out.len ? "; " : "", t->columns[i].name, line->encodings[i]);
    }
    return out.len ? out.data : "";
}

static enum status emit_segments(struct sys_scan *x, const struct table_def *t)
{
    static const char *const kinds[] = {[SEGMENT_OF_ROWS] = "row", [SEGMENT_OF_COLUMNS] = "column",
                                        [SEGMENT_OF_HISTORY] = "history"};
    const struct segment_line *lines;
    uint32_t count;
    TRY(store_segments(x->s->db->store, t->tree, t->column_count, x->arena, &lines, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct segment_line *l = &lines[i];
        bool columns = l->kind == SEGMENT_OF_COLUMNS;
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name), I((int64_t)l->run),
                     l->kind == SEGMENT_OF_HISTORY ? N : I(l->level), T(kinds[l->kind]),
                     columns ? I(l->number) : N, I((int64_t)l->rows), I((int64_t)l->bytes),
                     columns ? R(l->ratio) : N, columns ? T(list_encodings(x, t, l)) : N));
    }
    return OK;
}

enum status sys_helios_segments(struct sys_scan *x)
{
    const struct table_def *t;
    for (size_t pos = 0; sys_next_table(x, &pos, &t);) {
        enum status st = is_shown(t) ? emit_segments(x, t) : OK;
        if (st == UNDEFINED_OBJECT) error_clear(); /* dropped just now */
        else TRY(st);
    }
    return OK;
}

static enum status emit_status(struct sys_scan *x, const struct table_def *t)
{
    struct column_status c;
    enum status st = store_column_status(x->s->db->store, t->tree, &c);
    if (st != OK) { /* dropped just now */
        error_clear();
        return OK;
    }
    return SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name), T(table_storage_name(table_storage(t))),
                    I((int64_t)(c.memory_rows + c.bare_rows)), I((int64_t)c.memory_bytes),
                    I((int64_t)c.column_rows), I((int64_t)c.row_bytes), I((int64_t)c.column_bytes),
                    c.flushed_us ? I(c.flushed_us - PG_EPOCH_US) : N,
                    c.flushed_us ? R((double)c.flush_took_us / 1000) : N,
                    c.merged_us ? I(c.merged_us - PG_EPOCH_US) : N,
                    c.merged_us ? R((double)c.merge_took_us / 1000) : N);
}

enum status sys_helios_htap(struct sys_scan *x)
{
    const struct table_def *t;
    for (size_t pos = 0; sys_next_table(x, &pos, &t);)
        if (is_shown(t)) TRY(emit_status(x, t));
    return OK;
}
