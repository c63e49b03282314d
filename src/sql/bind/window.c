/* WINDOW and OVER: partitions, orders and frames. Frame options are PostgreSQL's bits. A window
 * that names another takes its partition, and its order unless it has one; never its frame. */
#include "sql/bind/query_priv.h"

enum frame_option {
    FRAME_RANGE = 0x2,
    FRAME_ROWS = 0x4,
    FRAME_GROUPS = 0x8,
    FRAME_START_UNBOUNDED_PRECEDING = 0x20,
    FRAME_END_CURRENT_ROW = 0x400,
    FRAME_DEFAULTS = FRAME_RANGE | FRAME_START_UNBOUNDED_PRECEDING | FRAME_END_CURRENT_ROW,
};

static const struct window_def *find_window(const struct query *q, const char *name)
{
    for (uint32_t i = 0; i < q->window_count; i++)
        if (q->windows[i].name && strcmp(q->windows[i].name, name) == 0) return &q->windows[i];
    return NULL;
}

static enum status sort_key(struct scope *s, const struct ast *ast, enum place place,
                            struct expr **ret)
{
    TRY(bind__expression(s, ast, place, ret));
    TRY(bind__resolve_unknown(s, *ret, ret));
    return bind__check_sortable(s, *ret, ast->location);
}

static enum status bind_lists(struct scope *s, const struct ast_window *w, struct window_def *ret)
{
    struct arena *a = s->env->arena;
    ret->partition_by = ARENA_ARRAY(a, struct expr *, w->partition_by.count);
    ret->partition_count = w->partition_by.count;
    for (uint32_t i = 0; i < w->partition_by.count; i++)
        TRY(sort_key(s, w->partition_by.items[i], PLACE_WINDOW_PARTITION, &ret->partition_by[i]));
    ret->order_by = ARENA_ARRAY(a, struct sort_item, w->order_by.count);
    ret->order_count = w->order_by.count;
    for (uint32_t i = 0; i < w->order_by.count; i++) {
        const struct ast_sort_by *item = AST(w->order_by.items[i], ast_sort_by);
        struct sort_item *o = &ret->order_by[i];
        TRY(sort_key(s, item->value, PLACE_WINDOW_ORDER, &o->expr));
        TRY(bind__sort_order(s, item, &o->descending, &o->nulls_first));
    }
    return OK;
}

static enum status inherit(struct scope *s, const struct ast_window *w, struct window_def *made)
{
    const struct window_def *base = find_window(s->query, w->refname);
    int at = w->node.location;
    if (!base)
        return bind__at(s, at, FAIL(UNDEFINED_OBJECT, "window \"%s\" does not exist", w->refname));
    if (made->partition_count)
        return bind__at(s, at,
                        FAIL(WINDOWING_ERROR,
                             "cannot override PARTITION BY clause of window \"%s\"", w->refname));
    if (made->order_count && base->order_count)
        return bind__at(
            s, at,
            FAIL(WINDOWING_ERROR, "cannot override ORDER BY clause of window \"%s\"", w->refname));
    if (base->frame_options != FRAME_DEFAULTS) {
        enum status code = FAIL(
            WINDOWING_ERROR, "cannot copy window \"%s\" because it has a frame clause", w->refname);
        if (!w->name && !made->order_count && w->frame_options == FRAME_DEFAULTS)
            (void)error_hint("Omit the parentheses in this OVER clause.");
        return bind__at(s, at, code);
    }
    made->partition_by = base->partition_by;
    made->partition_count = base->partition_count;
    if (made->order_count) return OK;
    made->order_by = base->order_by;
    made->order_count = base->order_count;
    return OK;
}

/* What is added to or taken from a value of the ordering column's type; NONE when nothing can be.
 */
static type_id range_offset_type(type_id ordering)
{
    switch (ordering) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return TYPE_INT8;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return TYPE_FLOAT8;
    case TYPE_NUMERIC: return TYPE_NUMERIC;
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL: return TYPE_INTERVAL;
    default: return TYPE_NONE;
    }
}

static enum status range_offset(struct scope *s, const struct window_def *w, const struct ast *ast,
                                struct expr **ret)
{
    const struct expr *key = w->order_by[0].expr;
    type_id type = range_offset_type(key->type);
    struct expr *e;
    if (type == TYPE_NONE)
        return bind__at(
            s, ast->location,
            FAIL(FEATURE_NOT_SUPPORTED,
                 "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
                 "%s",
                 bind__type_words(s, key->type)));
    TRY(bind__expression(s, ast, PLACE_WINDOW_FRAME, &e));
    enum status result = bind__coerce(s, e, type, -1, CAST_IMPLICIT, -1, ret);
    if (result == CANNOT_COERCE) {
        (void)FAIL(FEATURE_NOT_SUPPORTED,
                   "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and "
                   "offset type %s",
                   bind__type_words(s, key->type), bind__type_words(s, e->type));
        (void)error_hint("Cast the offset value to an appropriate type.");
        return bind__at(s, e->location, FEATURE_NOT_SUPPORTED);
    }
    TRY(result);
    return bind__no_variables(s, *ret, "RANGE");
}

static enum status frame_offset(struct scope *s, const struct window_def *w, const struct ast *ast,
                                struct expr **ret)
{
    uint32_t o = w->frame_options;
    if (!ast) return OK;
    const char *saved = s->what;
    s->what = o & FRAME_RANGE ? "RANGE" : o & FRAME_ROWS ? "ROWS" : "GROUPS";
    enum status st = o & FRAME_RANGE
                         ? range_offset(s, w, ast, ret)
                         : bind__row_count(s, ast, PLACE_WINDOW_FRAME, s->what, ret);
    s->what = saved;
    return st;
}

static enum status bind_window(struct scope *s, const struct ast_window *w, struct window_def *ret)
{
    *ret = (struct window_def){.name = w->name, .frame_options = w->frame_options};
    TRY(bind_lists(s, w, ret));
    if (w->refname) TRY(inherit(s, w, ret));
    if (w->frame_options & FRAME_GROUPS && ret->order_count == 0)
        return bind__at(s, w->node.location,
                        FAIL(WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause"));
    if (w->frame_options & FRAME_RANGE && (w->start_offset || w->end_offset) &&
        ret->order_count != 1)
        return bind__at(s, w->node.location,
                        FAIL(WINDOWING_ERROR,
                             "RANGE with offset PRECEDING/FOLLOWING requires exactly "
                             "one ORDER BY column"));
    TRY(frame_offset(s, ret, w->start_offset, &ret->start_offset));
    return frame_offset(s, ret, w->end_offset, &ret->end_offset);
}

static uint32_t add_window(struct scope *s, const struct window_def *w)
{
    struct query *q = s->query;
    struct window_def *grown = ARENA_ARRAY(s->env->arena, struct window_def, q->window_count + 1);
    if (q->window_count) memcpy(grown, q->windows, q->window_count * sizeof *grown);
    grown[q->window_count] = *w;
    q->windows = grown;
    return q->window_count++;
}

enum status bind__windows(struct scope *s, const struct ast_list *windows)
{
    for (uint32_t i = 0; i < windows->count; i++) {
        const struct ast_window *w = AST(windows->items[i], ast_window);
        struct window_def made;
        if (w->name && find_window(s->query, w->name))
            return bind__at(s, w->node.location,
                            FAIL(WINDOWING_ERROR, "window \"%s\" is already defined", w->name));
        TRY(bind_window(s, w, &made));
        add_window(s, &made);
    }
    return OK;
}

static bool same_offset(const struct expr *a, const struct expr *b)
{
    return a == b || (a && b && expr_equal(a, b));
}

static bool same_window(const struct window_def *a, const struct window_def *b)
{
    if (a->partition_count != b->partition_count || a->order_count != b->order_count ||
        a->frame_options != b->frame_options || !same_offset(a->start_offset, b->start_offset) ||
        !same_offset(a->end_offset, b->end_offset))
        return false;
    for (uint32_t i = 0; i < a->partition_count; i++)
        if (!expr_equal(a->partition_by[i], b->partition_by[i])) return false;
    for (uint32_t i = 0; i < a->order_count; i++)
        if (!expr_equal(a->order_by[i].expr, b->order_by[i].expr) ||
            a->order_by[i].descending != b->order_by[i].descending ||
            a->order_by[i].nulls_first != b->order_by[i].nulls_first)
            return false;
    return true;
}

enum status bind__over(struct scope *s, const struct ast_window *w, uint32_t *ret)
{
    struct query *q = s->query;
    struct window_def made;
    if (w->name) {
        const struct window_def *found = find_window(q, w->name);
        if (!found)
            return bind__at(s, w->node.location,
                            FAIL(UNDEFINED_OBJECT, "window \"%s\" does not exist", w->name));
        *ret = (uint32_t)(found - q->windows);
        return OK;
    }
    TRY(bind_window(s, w, &made));
    /* Calls over the same window are computed together. */
    for (uint32_t i = 0; i < q->window_count; i++) {
        if (!same_window(&q->windows[i], &made)) continue;
        *ret = i;
        return OK;
    }
    *ret = add_window(s, &made);
    return OK;
}
