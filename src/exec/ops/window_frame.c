/* Frames. All bounds of a frame move forwards as the row does, since offsets are the same for all
 * rows; so each is a place that is moved on from where it was. */
#include "exec/ops/window_priv.h"

static enum status offset_value(struct window_run *r, const struct expr *e, const char *which,
                                struct datum *ret)
{
    struct window_frame *f = &r->frame;
    if (!e) return OK;
    TRY(exec_eval_row(r->x, e, NULL, r->setup, ret));
    if (ret->null) return FAIL(NULL_VALUE_NOT_ALLOWED, "frame %s offset must not be null", which);
    if (!(f->def->frame_options & FRAME_RANGE) && ret->v.i64 < 0)
        return FAIL(INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                    "frame %s offset must not be negative", which);
    return OK;
}

enum status window__frame_setup(struct window_run *r)
{
    struct window_frame *f = &r->frame;
    uint32_t o = f->def->frame_options;
    f->needs_peers |= !(o & FRAME_ROWS) || o & (FRAME_EXCLUDE_GROUP | FRAME_EXCLUDE_TIES);
    TRY(offset_value(r, f->def->start_offset, "starting", &f->start_offset));
    return offset_value(r, f->def->end_offset, "ending", &f->end_offset);
}

void window__frame_partition(struct window_run *r, uint64_t first, uint64_t end)
{
    struct window_frame *f = &r->frame;
    f->first = f->pos = f->group_start = f->group_end = f->head = f->tail = first;
    f->end = end;
    f->group = -1;
    f->head_group = f->tail_group = 0;
}

static enum status is_peer(struct window_run *r, uint64_t a, uint64_t b, bool *ret)
{
    const struct window_frame *f = &r->frame;
    *ret = false;
    for (uint32_t i = 0; i < f->def->order_count; i++) {
        struct datum x, y;
        TRY(row_store_get(r->store, a, f->order_column + i, &x));
        TRY(row_store_get(r->store, b, f->order_column + i, &y));
        if (x.null != y.null) return OK;
        if (!x.null && value_compare(f->def->order_by[i].expr->type, &x.v, &y.v) != 0) return OK;
    }
    *ret = true;
    return OK;
}

/* The first row after `row` that is no peer of it. */
static enum status next_group(struct window_run *r, uint64_t row, uint64_t *ret)
{
    const struct window_frame *f = &r->frame;
    uint64_t at = row + 1;
    if (!f->def->order_count) at = f->end;
    for (; at < f->end; at++) {
        bool peer;
        TRY(window__step(r));
        TRY(is_peer(r, at - 1, at, &peer));
        if (!peer) break;
    }
    *ret = at;
    return OK;
}

static enum status move_group_bound(struct window_run *r, int64_t wanted, uint64_t *at,
                                    int64_t *group)
{
    /* The current group's end is known. */
    while (*at < r->frame.end && *group < wanted) {
        if (*at == r->frame.group_start) *at = r->frame.group_end;
        else TRY(next_group(r, *at, at));
        ++*group;
    }
    return OK;
}

/* Moves `at` on over the rows that lie before the bound (head), or up to it (tail). */
static enum status move_range_bound(struct window_run *r, bool tail, struct datum offset,
                                    bool preceding, uint64_t *at)
{
    const struct window_frame *f = &r->frame;
    const struct sort_item *item = &f->def->order_by[0];
    bool sub = preceding != item->descending, less = tail != item->descending;
    struct datum here;
    TRY(row_store_get(r->store, f->pos, f->order_column, &here));
    for (; *at < f->end; ++*at) {
        struct datum there;
        bool in;
        TRY(window__step(r));
        TRY(row_store_get(r->store, *at, f->order_column, &there));
        if (there.null || here.null) {
            /* NULLs are peers of each other, and at no distance from anything else. */
            bool pass = tail ? (item->nulls_first ? there.null : here.null)
                             : (item->nulls_first ? there.null && !here.null
                                                  : !there.null && here.null);
            if (!pass) return OK;
            continue;
        }
        TRY(window__in_range(r, item->expr->type, there, here, offset, sub, less, &in));
        if (in != tail) return OK;
    }
    return OK;
}

static uint64_t plus(uint64_t a, uint64_t b, uint64_t most)
{
    return b >= most - a ? most : a + b;
}

static enum status find_head(struct window_run *r)
{
    struct window_frame *f = &r->frame;
    uint32_t o = f->def->frame_options;
    uint64_t k = (uint64_t)f->start_offset.v.i64;
    bool preceding = o & FRAME_START_OFFSET_PRECEDING;
    if (o & FRAME_START_UNBOUNDED_PRECEDING) {
        f->head = f->first;
    } else if (o & FRAME_START_CURRENT_ROW) {
        f->head = o & FRAME_ROWS ? f->pos : f->group_start;
    } else if (o & FRAME_ROWS) {
        if (preceding) f->head = k > f->pos - f->first ? f->first : f->pos - k;
        else f->head = plus(f->pos, k, f->end);
    } else if (o & FRAME_RANGE) {
        return move_range_bound(r, false, f->start_offset, preceding, &f->head);
    } else {
        int64_t wanted = preceding ? f->group - f->start_offset.v.i64
                                   : (int64_t)plus((uint64_t)f->group, k, INT64_MAX);
        return move_group_bound(r, wanted, &f->head, &f->head_group);
    }
    return OK;
}

static enum status find_tail(struct window_run *r)
{
    struct window_frame *f = &r->frame;
    uint32_t o = f->def->frame_options;
    uint64_t k = (uint64_t)f->end_offset.v.i64;
    bool preceding = o & FRAME_END_OFFSET_PRECEDING;
    if (o & FRAME_END_UNBOUNDED_FOLLOWING) {
        f->tail = f->end;
    } else if (o & FRAME_END_CURRENT_ROW) {
        f->tail = o & FRAME_ROWS ? f->pos + 1 : f->group_end;
    } else if (o & FRAME_ROWS) {
        if (preceding) f->tail = k > f->pos - f->first ? f->first : f->pos - k + 1;
        else f->tail = plus(f->pos + 1, k, f->end);
    } else if (o & FRAME_RANGE) {
        return move_range_bound(r, true, f->end_offset, preceding, &f->tail);
    } else {
        int64_t last = preceding ? f->group - f->end_offset.v.i64
                                 : (int64_t)plus((uint64_t)f->group, k, INT64_MAX - 1);
        return move_group_bound(r, last + 1, &f->tail, &f->tail_group);
    }
    return OK;
}

static void add_range(struct window_frame *f, uint64_t start, uint64_t end)
{
    if (start < f->head) start = f->head;
    if (end > f->tail) end = f->tail;
    if (start < end) f->ranges[f->range_count++] = (struct row_range){start, end};
}

enum status window__frame_next(struct window_run *r, uint64_t pos)
{
    struct window_frame *f = &r->frame;
    uint32_t o = f->def->frame_options;
    f->pos = pos;
    if (f->needs_peers && pos == f->group_end) {
        f->group_start = pos;
        f->group++;
        TRY(next_group(r, pos, &f->group_end));
    }
    TRY(find_head(r));
    TRY(find_tail(r));
    f->range_count = 0;
    if (!(o & FRAME_EXCLUDE)) {
        add_range(f, f->head, f->tail);
        return OK;
    }
    bool row_only = o & FRAME_EXCLUDE_CURRENT_ROW;
    add_range(f, f->head, row_only ? pos : f->group_start);
    if (o & FRAME_EXCLUDE_TIES) add_range(f, pos, pos + 1);
    add_range(f, row_only ? pos + 1 : f->group_end, f->tail);
    return OK;
}
