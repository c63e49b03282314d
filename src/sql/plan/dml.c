/* INSERT, UPDATE, DELETE, MERGE: the rows' plan below, the change above. Row-shaped inputs have slot i =
 * column i of the table, dropped ones included. */
#include "sql/plan/plan_priv.h"

static struct expr *null_const(struct planner *p, type_id type)
{
    return expr_const(p->arena, type, (struct datum){.null = true});
}

static enum status index_rules(struct level *l, struct plan_node *n)
{
    struct planner *p = l->planner;
    const struct relation *r = l->query->relations[0];
    const struct table_def *t = l->query->table;
    const struct row_shape own = {0, 0};
    if (!r->rules) return OK;
    n->dml.rules = ARENA_ARRAY(p->arena, struct index_rule, t->index_count);
    for (uint16_t i = 0; i < t->index_count; i++) {
        const struct index_rule *from = &r->rules[i];
        struct index_rule *to = &n->dml.rules[i];
        uint16_t keys = from->keys ? t->indexes[i]->key_count : 0;
        if (keys) to->keys = ARENA_ARRAY(p->arena, struct expr *, keys);
        for (uint16_t k = 0; k < keys; k++)
            if (from->keys[k]) TRY(rewrite_rows(l, from->keys[k], &own, 1, 0, &to->keys[k]));
        if (from->predicate) TRY(rewrite_rows(l, from->predicate, &own, 1, 0, &to->predicate));
    }
    return OK;
}

/* --- triggers ------------------------------------------------------------------------------- */

struct row_slots {
    struct planner *planner;
    const struct trigger_rule *rule;
    const struct table_def *table;
};

static struct expr *to_slot(void *ctx, struct expr *e)
{
    struct row_slots *r = ctx;
    if (e->kind != EXPR_COLUMN) return expr_map(r->planner->arena, e, to_slot, r);
    uint32_t c = table_column_of(r->rule->query->relations[e->column.relation], e->column.column);
    return expr_slot(r->planner, e->column.relation * r->table->column_count + c, e->type, e->typmod);
}

static void plan_triggers(struct level *l, struct plan_node *n)
{
    const struct query *q = l->query;
    struct trigger_rule *list;
    if (!q->trigger_count) return;
    list = arena_memdup(l->planner->arena, q->triggers, q->trigger_count * sizeof *list);
    for (uint32_t i = 0; i < q->trigger_count; i++) {
        struct row_slots r = {l->planner, &list[i], q->table};
        if (list[i].when) list[i].when = to_slot(&r, list[i].when);
        n->dml.trigger_types[!(list[i].def->type & TRIGGER_BEFORE)] |= list[i].def->type;
        if (list[i].def->old_table || list[i].def->new_table)
            n->dml.transition_events |= list[i].def->type;
    }
    n->dml.triggers = list;
    n->dml.trigger_count = q->trigger_count;
}

enum status plan_row_rules(struct level *l, struct plan_node *n)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    const struct row_shape own = {0, 0};
    n->dml.table = q->table;
    n->dml.check_count = q->check_count;
    n->dml.check_defs = q->check_defs;
    n->dml.checks = ARENA_ARRAY(p->arena, struct expr *, q->check_count);
    for (uint32_t i = 0; i < q->check_count; i++)
        TRY(rewrite_rows(l, q->checks[i], &own, 1, 0, &n->dml.checks[i]));
    TRY(index_rules(l, n));
    plan_triggers(l, n);
    if (q->generated) {
        n->dml.generated = ARENA_ARRAY(p->arena, struct expr *, q->table->column_count);
        for (uint32_t i = 0; i < q->table->column_count; i++)
            if (q->generated[i])
                TRY(rewrite_rows(l, q->generated[i], &own, 1, 0, &n->dml.generated[i]));
    }
    return OK;
}

static enum status common(struct level *l, struct plan_node *n, uint32_t shift)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    const struct row_shape own = {0, 0};
    TRY(plan_row_rules(l, n));
    TRY(plan_foreign(l, n));
    struct view_check *checks = ARENA_ARRAY(p->arena, struct view_check, q->view_check_count + 1);
    for (uint32_t i = 0; i < q->view_check_count; i++) {
        checks[i].view = q->view_checks[i].view;
        TRY(rewrite_rows(l, expand_joins(l, q->view_checks[i].test), &own, 1, shift, &checks[i].test));
    }
    n->dml.view_checks = checks;
    n->dml.view_check_count = q->view_check_count;
    n->dml.returning_count = q->returning_count;
    n->dml.returning = ARENA_ARRAY(p->arena, struct expr *, q->returning_count);
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, q->returning_count);
    n->column_count = q->returning_count;
    for (uint32_t i = 0; i < q->returning_count; i++) {
        TRY(rewrite_rows(l, expand_joins(l, q->returning[i].expr), &own, 1, shift,
                         &n->dml.returning[i]));
        n->columns[i] = (struct plan_column){q->returning[i].expr->type,
                                             q->returning[i].expr->typmod, q->returning[i].name};
    }
    p->plan->writes = true;
    planner_use_table(p, q->table, 3);
    return OK;
}

/* --- INSERT --------------------------------------------------------------------------------- */

static enum status conflict(struct level *l, struct plan_node *n)
{
    struct query *q = l->query;
    uint32_t columns = q->table->column_count;
    const struct row_shape shapes[] = {{0, 0}, {q->excluded_relation, columns}};
    n->dml.conflict = q->conflict;
    n->dml.conflict_index = q->conflict_index;
    if (q->conflict != CONFLICT_UPDATE) return OK;
    n->dml.conflict_row = ARENA_ARRAY(l->planner->arena, struct expr *, columns);
    for (uint32_t i = 0; i < columns; i++)
        n->dml.conflict_row[i] = expr_slot(l->planner, i, q->table->columns[i].type,
                                           q->table->columns[i].typmod);
    n->dml.column_changed = ARENA_ARRAY(l->planner->arena, bool, columns);
    for (uint32_t i = 0; i < q->assignment_count; i++) {
        uint32_t c = q->assignments[i].column;
        TRY(rewrite_rows(l, q->assignments[i].expr, shapes, 2, 0, &n->dml.conflict_row[c]));
        n->dml.column_changed[c] = true;
    }
    if (q->conflict_where)
        TRY(rewrite_rows(l, q->conflict_where, shapes, 2, 0, &n->dml.conflict_where));
    return OK;
}

static enum status plan_insert(struct level *l, struct plan_node **ret)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct plan_node *n = node_new(p, PLAN_INSERT), *input;
    uint32_t columns = q->table->column_count;
    if (q->source) {
        struct level *inner, *saved = p->levels;
        TRY(plan_select(p, q->source, &input, &inner));
        p->levels = saved;
    } else {
        input = node_new(p, PLAN_RESULT);
    }
    n->left = input;
    n->rows = input->rows;
    n->cost_total = input->cost_total;
    l->current = (struct source){.node = input, .relations = relset_new(l)};
    n->dml.new_row = ARENA_ARRAY(p->arena, struct expr *, columns);
    for (uint32_t i = 0; i < columns; i++) {
        const struct column_def *c = &q->table->columns[i];
        if (q->defaults && q->defaults[i] && !c->dropped)
            TRY(rewrite(l, q->defaults[i], &n->dml.new_row[i]));
        else
            n->dml.new_row[i] = null_const(p, c->type);
    }
    for (uint32_t i = 0; i < q->insert_column_count; i++) {
        uint32_t c = q->insert_columns[i];
        ASSERT(i < input->column_count);
        n->dml.new_row[c] = expr_slot(p, i, input->columns[i].type, input->columns[i].typmod);
    }
    TRY(common(l, n, columns));
    TRY(conflict(l, n));
    const struct row_shape row = {0, 0};
    if (q->row_where) TRY(rewrite_rows(l, q->row_where, &row, 1, 0, &n->dml.row_where));
    *ret = n;
    return OK;
}

/* --- UPDATE and DELETE ---------------------------------------------------------------------- */

static bool has_target(const struct from_item *f)
{
    if (f->kind == FROM_RELATION) return f->relation == 0;
    return has_target(f->left) || has_target(f->right);
}

/* The target table is read along with FROM or USING, whether or not the binder listed it there. */
static void add_target(struct level *l)
{
    struct query *q = l->query;
    for (uint32_t i = 0; i < q->from_count; i++)
        if (has_target(q->from[i])) return;
    struct from_item **from = ARENA_ARRAY(l->planner->arena, struct from_item *, q->from_count + 1);
    from[0] = ARENA_NEW(l->planner->arena, struct from_item);
    from[0]->kind = FROM_RELATION;
    from[0]->relation = 0;
    if (q->from_count) memcpy(from + 1, q->from, q->from_count * sizeof *from);
    q->from = from;
    q->from_count++;
}

static void mark_used(void *ctx, const struct query *owner, uint32_t relation, uint32_t column)
{
    struct level *l = ctx;
    if (owner == l->query && owner->relations[relation]->kind != REL_JOIN)
        l->used[relation][column / 64] |= 1ull << column % 64;
}

static int32_t key_slot(const struct source *s)
{
    return source_slot(s, 0, UINT32_MAX);
}

/* Reads the target, with all that FROM has; n->left gives the rows. */
static enum status read_target(struct level *l, struct plan_node *n)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    uint32_t columns = q->table->column_count;
    add_target(l);
    query_columns(q, mark_used, l);
    l->used_whole[0] = true;
    if (q->relations[0]->kind == REL_TABLE) l->key_slots[0] = 0;
    for (uint32_t i = 0; q->relations[0]->kind != REL_TABLE && i < q->relations[0]->column_count; i++)
        mark_used(l, q, 0, i); /* triggers of a view are given the whole row */
    TRY(plan_from(l));
    n->left = l->current.node;
    n->rows = n->left->rows;
    n->cost_total = n->left->cost_total;
    if (q->relations[0]->kind == REL_TABLE) n->dml.key_slot = (uint32_t)key_slot(&l->current);
    n->dml.column_slots = ARENA_ARRAY(p->arena, int32_t, columns);
    for (uint32_t i = 0; i < columns; i++) n->dml.column_slots[i] = -1;
    for (uint32_t i = 0; i < q->relations[0]->column_count; i++)
        if (q->relations[0]->columns[i].attnum > 0)
            n->dml.column_slots[table_column_of(q->relations[0], i)] = source_slot(&l->current, 0, i);
    return OK;
}

/* The row as it is read, with what is set in it. */
static enum status updated_row(struct level *l, const struct plan_node *n,
                               const struct assignment *set, uint32_t count, struct expr ***ret,
                               bool **ret_changed)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    uint32_t columns = q->table->column_count;
    struct expr **row = *ret = ARENA_ARRAY(p->arena, struct expr *, columns);
    bool *changed = *ret_changed = ARENA_ARRAY(p->arena, bool, columns);
    for (uint32_t i = 0; i < columns; i++) {
        const struct column_def *c = &q->table->columns[i];
        int32_t slot = n->dml.column_slots[i];
        row[i] = slot < 0 ? null_const(p, c->type)
                          : expr_slot(p, (uint32_t)slot, c->type, c->typmod);
    }
    for (uint32_t i = 0; i < count; i++) {
        TRY(rewrite(l, expand_joins(l, set[i].expr), &row[set[i].column]));
        changed[set[i].column] = true;
    }
    for (uint32_t i = 0; q->generated && i < columns; i++)
        if (q->generated[i]) changed[i] = true;
    return OK;
}

static enum status plan_change(struct level *l, enum plan_kind kind, struct plan_node **ret)
{
    struct query *q = l->query;
    struct plan_node *n = node_new(l->planner, kind);
    struct expr *where = expand_joins(l, q->where);
    TRY(read_target(l, n));
    if (where) TRY(rewrite(l, where, &n->dml.recheck));
    if (kind == PLAN_UPDATE)
        TRY(updated_row(l, n, q->assignments, q->assignment_count, &n->dml.new_row,
                        &n->dml.column_changed));
    TRY(common(l, n, q->table->column_count));
    *ret = n;
    return OK;
}

/* --- MERGE ---------------------------------------------------------------------------------- */

static enum status inserted_row(struct level *l, const struct merge_action *a, struct expr ***ret)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    uint32_t columns = q->table->column_count;
    struct expr **row = *ret = ARENA_ARRAY(p->arena, struct expr *, columns);
    for (uint32_t i = 0; i < a->assignment_count; i++)
        TRY(rewrite(l, expand_joins(l, a->assignments[i].expr), &row[a->assignments[i].column]));
    for (uint32_t i = 0; i < columns; i++) {
        const struct column_def *c = &q->table->columns[i];
        if (row[i]) continue;
        if (q->defaults && q->defaults[i] && !c->dropped) TRY(rewrite(l, q->defaults[i], &row[i]));
        else row[i] = null_const(p, c->type);
    }
    return OK;
}

static enum status plan_merge(struct level *l, struct plan_node **ret)
{
    struct planner *p = l->planner;
    struct query *q = l->query;
    struct plan_node *n = node_new(p, PLAN_MERGE);
    struct expr *on = expand_joins(l, q->from[0]->condition);
    TRY(read_target(l, n));
    if (on) TRY(rewrite(l, on, &n->dml.recheck));
    n->dml.merge_count = q->merge_count;
    n->dml.merge = ARENA_ARRAY(p->arena, struct merge_step, q->merge_count + 1);
    n->dml.column_changed = ARENA_ARRAY(p->arena, bool, q->table->column_count);
    for (uint32_t i = 0; i < q->merge_count; i++) {
        const struct merge_action *a = &q->merge[i];
        struct merge_step *m = &n->dml.merge[i];
        m->matched = a->matched;
        m->action = a->action;
        if (a->when) TRY(rewrite(l, expand_joins(l, a->when), &m->when));
        if (a->action == 'i') TRY(inserted_row(l, a, &m->new_row));
        if (a->action != 'u') continue;
        TRY(updated_row(l, n, a->assignments, a->assignment_count, &m->new_row, &m->column_changed));
        for (uint32_t c = 0; c < q->table->column_count; c++)
            n->dml.column_changed[c] |= m->column_changed[c];
    }
    TRY(common(l, n, q->table->column_count));
    *ret = n;
    return OK;
}

enum status plan_dml(struct planner *p, struct query *q, struct plan_node **ret)
{
    struct level *l = level_new(p, q);
    if (q->command == CMD_INSERT) return plan_insert(l, ret);
    if (q->command == CMD_MERGE) return plan_merge(l, ret);
    return plan_change(l, q->command == CMD_UPDATE ? PLAN_UPDATE : PLAN_DELETE, ret);
}
