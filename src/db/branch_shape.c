/* Rows of one state of a table, read as those of another: a table that either side of a merge has altered.
 *
 * Columns that both states have from before are the same by their number, whatever they are called by now; those
 * that came later are the same when their names are. */
#include "db/branch_merge_priv.h"

static bool is_alike(const struct column_def *a, const struct column_def *b)
{
    return a->type == b->type && a->dropped == b->dropped && a->has_missing == b->has_missing;
}

static bool is_same(const struct table_def *from, const struct table_def *to)
{
    if (from == to) return true;
    if (from->column_count != to->column_count) return false;
    for (uint16_t i = 0; i < to->column_count; i++)
        if (!is_alike(&from->columns[i], &to->columns[i])) return false;
    return true;
}

static int16_t source_of(uint16_t shared, const struct table_def *from, const struct table_def *to,
                         uint16_t i)
{
    const struct column_def *c = &to->columns[i];
    if (c->dropped) return -1;
    if (i < shared) return i < from->column_count && !from->columns[i].dropped ? (int16_t)i : -1;
    for (uint16_t k = shared; k < from->column_count; k++)
        if (!from->columns[k].dropped && strcmp(from->columns[k].name, c->name) == 0) return (int16_t)k;
    return -1;
}

void merge__shape(struct arena *a, uint16_t shared, const struct table_def *from,
                  const struct table_def *to, struct merge_shape *ret)
{
    *ret = (struct merge_shape){.from = from, .to = to};
    ret->source = ARENA_ARRAY(a, int16_t, to->column_count + 1u);
    ret->same = is_same(from, to);
    for (uint16_t i = 0; i < to->column_count; i++) {
        ret->source[i] = source_of(shared, from, to, i);
        if (ret->same && !to->columns[i].dropped && ret->source[i] != i) ret->same = false;
    }
}

static enum status convert(const struct column_def *from, const struct column_def *to, struct arena *a,
                           struct datum *d)
{
    struct strbuf text;
    union value v = d->v;
    enum status st;
    if (d->null || (from->type == to->type && from->typmod == to->typmod)) return OK;
    if (from->type == to->type) {
        st = value_apply_typmod(to->type, to->typmod, false, a, &v);
    } else {
        strbuf_init(&text, a);
        value_to_text(from->type, &v, &format_default, &text);
        st = value_from_text(to->type, to->typmod, strbuf_slice(&text), &format_default, a, &v);
    }
    if (st != OK) {
        error_detail("Column \"%s\" has another type in the branch than in its parent.", to->name);
        return st;
    }
    d->v = v;
    return OK;
}

enum status merge__shape_decode(const struct merge_shape *x, struct slice row, struct arena *a,
                                struct datum **ret)
{
    struct datum *all = ARENA_ARRAY(a, struct datum, x->from->column_count + 1u);
    struct datum *values = ARENA_ARRAY(a, struct datum, x->to->column_count + 1u);
    ddl__decode(x->from, row, all);
    for (uint16_t i = 0; i < x->to->column_count; i++) {
        int16_t at = x->source[i];
        values[i] = at < 0 ? (struct datum){.null = true} : all[at];
        if (at >= 0) TRY(convert(&x->from->columns[at], &x->to->columns[i], a, &values[i]));
    }
    *ret = values;
    return OK;
}
