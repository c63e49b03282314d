/* Recognising statements that touch at most one row by its whole primary key, and are plain enough to
 * run without batches. Everything else has the general plan, which is always made. */
#include "sql/plan/plan_priv.h"

static bool plain(const struct query *q)
{
    return !q->has_group && !q->has_aggregates && !q->has_windows && !q->has_srf && !q->distinct &&
           !q->limit && !q->offset && q->set_op == SETOP_NONE && q->cte_count == 0 &&
           q->locking_count == 0 && q->conflict == CONFLICT_NONE && !q->having;
}

static bool simple(const struct expr *e)
{
    return !e || !expr_has_subquery(e);
}

static bool simple_lists(const struct query *q)
{
    for (uint32_t i = 0; i < q->target_count; i++)
        if (!simple(q->targets[i].expr) || q->targets[i].junk) return false;
    for (uint32_t i = 0; i < q->returning_count; i++)
        if (!simple(q->returning[i].expr)) return false;
    for (uint32_t i = 0; i < q->assignment_count; i++)
        if (!simple(q->assignments[i].expr)) return false;
    return simple(q->where);
}

struct needed {
    const struct query *query;
    bool *columns;
};

static void need(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct needed *n = ctx;
    if (owner != n->query || relation != 0) return;
    const struct relation *r = owner->relations[0];
    if (r->columns[column].attnum > 0) n->columns[table_column_of(r, column)] = true;
}

static bool reads_system_columns(const struct query *q)
{
    for (uint32_t i = 0; i < q->relations[0]->column_count; i++)
        if (q->relations[0]->columns[i].attnum < 0) return true;
    return false;
}

static enum status fill(struct level *l, struct access_path *path, struct point_plan *pt)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    const struct row_shape own = {0, 0};
    pt->table = q->relations[0]->table;
    pt->moment = q->relations[0]->moment;
    pt->command = q->command;
    pt->key_count = path->range.equal_count;
    TRY(rewrite_all(l, path->range.equal, pt->key_count, &pt->key));
    ARRAY(struct expr *) rest = {0};
    for (size_t i = 0; i < l->conjuncts.count; i++) {
        bool keyed = false;
        for (size_t k = 0; k < path->keyed.count; k++)
            keyed |= path->keyed.data[k] == l->conjuncts.data[i];
        if (!keyed) ARENA_PUSH(p->arena, &rest, l->conjuncts.data[i]);
    }
    struct expr *filter = make_and(p, rest.data, (uint32_t)rest.count);
    if (filter) TRY(rewrite_rows(l, filter, &own, 1, 0, &pt->filter));
    const struct target *list = q->command == CMD_SELECT ? q->targets : q->returning;
    pt->output_count = q->command == CMD_SELECT ? q->target_count : q->returning_count;
    pt->output = ARENA_ARRAY(p->arena, struct expr *, pt->output_count);
    for (uint32_t i = 0; i < pt->output_count; i++)
        TRY(rewrite_rows(l, list[i].expr, &own, 1, 0, &pt->output[i]));
    struct needed n = {q, ARENA_ARRAY(p->arena, bool, pt->table->column_count)};
    expr_columns(q, filter, need, &n);
    for (uint32_t i = 0; i < pt->output_count; i++) expr_columns(q, list[i].expr, need, &n);
    pt->needed = ARENA_ARRAY(p->arena, uint16_t, pt->table->column_count);
    for (uint32_t i = 0; i < pt->table->column_count; i++)
        if (n.columns[i] || q->command != CMD_SELECT) pt->needed[pt->needed_count++] = (uint16_t)i;
    return OK;
}

/* UPDATE's expressions over the row itself, for exec_point. */
static enum status fill_change(struct level *l, struct point_plan *pt)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    const struct row_shape own = {0, 0};
    struct plan_node *n = node_new(p, q->command == CMD_UPDATE ? PLAN_UPDATE : PLAN_DELETE);
    uint32_t columns = q->table->column_count;
    TRY(plan_row_rules(l, n));
    TRY(plan_foreign(l, n));
    n->dml.column_changed = ARENA_ARRAY(p->arena, bool, columns);
    n->dml.new_row = ARENA_ARRAY(p->arena, struct expr *, columns);
    n->dml.column_slots = ARENA_ARRAY(p->arena, int32_t, columns);
    for (uint32_t i = 0; i < columns; i++) {
        n->dml.new_row[i] = expr_slot(p, i, q->table->columns[i].type, q->table->columns[i].typmod);
        n->dml.column_slots[i] = (int32_t)i;
    }
    for (uint32_t i = 0; i < q->assignment_count; i++) {
        uint32_t c = q->assignments[i].column;
        TRY(rewrite_rows(l, q->assignments[i].expr, &own, 1, 0, &n->dml.new_row[c]));
        n->dml.column_changed[c] = true;
    }
    pt->dml = n;
    return OK;
}

/* Here nobody fires triggers: neither the table's own, nor those of tables that referential actions change. */
static bool fires(const struct query *q)
{
    for (uint32_t i = 0; i < q->reached_count; i++)
        if (q->reached[i]->trigger_count) return true;
    return q->trigger_count > 0;
}

enum status plan_point(struct planner *p, struct query *q)
{
    struct access_path path;
    bool change = q->command == CMD_UPDATE || q->command == CMD_DELETE;
    if (fires(q) || q->command == CMD_INSERT || !plain(q) || q->relation_count != 1 || q->generated) return OK;
    if (q->from_count > 1 || (q->from_count == 1 && q->from[0]->kind != FROM_RELATION)) return OK;
    const struct relation *r = q->relations[0];
    if (r->kind != REL_TABLE || !r->table->tree || !r->table->primary) return OK;
    if (q->parent || !q->where || !simple_lists(q) || reads_system_columns(q)) return OK;
    struct level *l = level_new(p, q), *saved = l->older;
    split_conjuncts(l, q->where);
    choose_access(l, 0, l->conjuncts.data, (uint32_t)l->conjuncts.count, relset_new(l), &path);
    enum status s = OK;
    if (path.index == r->table->primary && path.unique) {
        struct point_plan *pt = ARENA_NEW(p->arena, struct point_plan);
        s = fill(l, &path, pt);
        if (s == OK && change) s = fill_change(l, pt);
        if (s == OK) p->plan->point = pt;
    }
    p->levels = saved;
    return s;
}
