/* Expressions of a plan as SQL. A slot is followed down the plan to the column of a relation that
 * it comes from, or to the expression that computes it; an outer value to what the enclosing node
 * puts there. A subquery's column that is computed from columns that are computed themselves could
 * grow without end, so that one text ends at a length. */
#include "exec/ops/explain_priv.h"

#include "types/array.h"

enum { TEXT_BYTES_MAX = 64 << 10 };

struct printer {
    struct explain *x;
    const struct explain_scope *scope;
    bool prefix;
};

bool explain__is_init_plan(const struct subplan *p)
{
    return p->outer_count == 0 && p->type != SUBLINK_ANY && p->type != SUBLINK_ALL &&
           p->type != SUBLINK_ROW;
}

bool explain__prefix(const struct explain *x)
{
    return x->relation_count > 1 || x->options->verbose;
}

/* --- names of relations ----------------------------------------------------------------------- */

static const char *relation_name(const struct plan_node *n)
{
    switch (n->kind) {
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN: return n->alias ? n->alias : n->scan.table->name;
    case PLAN_FUNCTION_SCAN: return n->alias ? n->alias : "function";
    case PLAN_CTE_SCAN: return n->alias ? n->alias : "cte";
    case PLAN_VALUES: return n->alias ? n->alias : "*VALUES*";
    default: return NULL;
    }
}

static bool is_taken(const struct explain *x, const char *name)
{
    for (uint32_t i = 0; i < x->plan->node_count; i++)
        if (x->aliases[i] && strcmp(x->aliases[i], name) == 0) return true;
    return false;
}

static void name_node(struct explain *x, const struct plan_node *n)
{
    const char *name = relation_name(n);
    if (!name) return;
    const char *unique = name;
    for (uint32_t i = 1; is_taken(x, unique); i++)
        unique = arena_printf(x->arena, "%s_%u", name, i);
    x->aliases[n->id] = unique;
    x->relation_count++;
    if (n->kind == PLAN_CTE_SCAN && n->cte.cte < x->plan->cte_count && !n->cte.working)
        x->cte_names[n->cte.cte] = name;
}

static void name_tree(struct explain *x, const struct plan_node *n)
{
    if (x->status == OK) x->status = exec_check_stack();
    for (; n && x->status == OK; n = n->left) {
        name_node(x, n);
        if (n->kind == PLAN_APPEND)
            for (uint32_t i = 0; i < n->append.child_count; i++)
                name_tree(x, n->append.children[i]);
        if (n->right) name_tree(x, n->right);
    }
}

void explain__name_relations(struct explain *x)
{
    const struct plan *p = x->plan;
    name_tree(x, p->root);
    for (uint32_t i = 0; i < p->cte_count; i++) name_tree(x, p->ctes[i]);
    for (uint32_t i = 0; i < p->subplan_count; i++) name_tree(x, p->subplans[i].root);
}

/* --- slots ------------------------------------------------------------------------------------ */

static void print_name(const char *relation, const char *column, bool prefix, struct strbuf *out)
{
    if (prefix) {
        expr_identifier(relation, out);
        strbuf_addc(out, '.');
    }
    expr_identifier(column, out);
}

static void relation_slot(const struct explain *x, const struct plan_node *n, uint32_t slot,
                          bool prefix, struct strbuf *out)
{
    const char *column = n->columns[slot].name;
    const char *made = arena_printf(x->arena, "column%u", slot + 1);
    bool named = column && n->kind != PLAN_VALUES;
    print_name(x->aliases[n->id], named ? column : made, prefix, out);
}

/* What a node computes itself; in parentheses when it is not the one being described. */
static void computed(struct explain *x, const struct expr *e, const struct explain_scope *s,
                     bool inside, bool prefix, struct strbuf *out)
{
    bool wrap = !inside && e->kind != EXPR_SLOT && e->kind != EXPR_OUTER;
    if (wrap) strbuf_addc(out, '(');
    explain__expr(x, e, s, prefix, out);
    if (wrap) strbuf_addc(out, ')');
}

static void computed_call(struct explain *x, const struct aggregate_call *c,
                          const struct explain_scope *s, bool inside, bool prefix,
                          struct strbuf *out)
{
    if (!inside) strbuf_addc(out, '(');
    explain__call(x, c, s, prefix, out);
    if (!inside) strbuf_addc(out, ')');
}

static void aggregate_slot(struct explain *x, const struct plan_node *n, uint32_t slot, bool inside,
                           bool prefix, struct strbuf *out)
{
    const struct explain_scope s = {.left = n->left};
    uint32_t groups = n->aggregate.group_count;
    if (slot < groups) computed(x, n->aggregate.groups[slot], &s, inside, prefix, out);
    else if (slot - groups < n->aggregate.call_count)
        computed_call(x, &n->aggregate.calls[slot - groups], &s, inside, prefix, out);
    else strbuf_adds(out, "GROUPING SET");
}

/* Nodes that hand on their input's columns; *slot is changed to the one below. */
static const struct plan_node *pass(const struct plan_node *n, uint32_t *slot)
{
    switch (n->kind) {
    case PLAN_SUBQUERY_SCAN:
    case PLAN_FILTER:
    case PLAN_DISTINCT:
    case PLAN_SORT:
    case PLAN_LIMIT:
    case PLAN_SET_OP:
    case PLAN_RECURSIVE_UNION:
    case PLAN_LOCK_ROWS:
    case PLAN_GATHER: return n->left;
    case PLAN_APPEND: return n->append.child_count ? n->append.children[0] : NULL;
    case PLAN_WINDOW: return *slot < n->left->column_count ? n->left : NULL;
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN:
        if (*slot < n->left->column_count) return n->left;
        *slot -= n->left->column_count;
        return n->right;
    case PLAN_PROJECT:
        if (*slot >= n->column_count || n->project.exprs[*slot]->kind != EXPR_SLOT) return NULL;
        *slot = n->project.exprs[*slot]->slot;
        return n->left;
    default: return NULL;
    }
}

/* `bottom`: the described node's last; NULL: the description has left it. */
static void print_slot(struct explain *x, const struct plan_node *n, const struct plan_node *bottom,
                       uint32_t slot, bool prefix, struct strbuf *out)
{
    for (const struct plan_node *below; (below = pass(n, &slot)); n = below)
        if (n == bottom) bottom = NULL;
    bool inside = bottom != NULL;
    struct explain_scope s = {.left = n->left, .bottom = n == bottom ? NULL : bottom};
    if (x->aliases[n->id] && slot < n->column_count) {
        relation_slot(x, n, slot, prefix, out);
        return;
    }
    switch (n->kind) {
    case PLAN_PROJECT:
    case PLAN_PROJECT_SET:
        if (slot < n->column_count) computed(x, n->project.exprs[slot], &s, inside, prefix, out);
        return;
    case PLAN_AGGREGATE: aggregate_slot(x, n, slot, inside, prefix, out); return;
    case PLAN_WINDOW:
        slot -= n->left->column_count;
        if (slot < n->window.call_count)
            computed_call(x, &n->window.calls[slot], &s, inside, prefix, out);
        return;
    default: strbuf_addf(out, "\"?column %u?\"", slot);
    }
}

static void scope_slot(struct explain *x, const struct explain_scope *s, uint32_t slot, bool prefix,
                       struct strbuf *out)
{
    if (s->table) {
        uint32_t n = s->table->column_count;
        if (slot < n * (s->excluded ? 2 : 1)) {
            const char *relation = slot < n ? s->table->name : "excluded";
            print_name(relation, s->table->columns[slot % n].name, prefix, out);
            return;
        }
        slot -= n;
    }
    const struct plan_node *n = s->left;
    if (n && slot >= n->column_count && s->right) {
        slot -= n->column_count;
        n = s->right;
    }
    if (n) print_slot(x, n, s->bottom, slot, prefix, out);
    else strbuf_addf(out, "\"?column %u?\"", slot);
}

/* --- leaves ----------------------------------------------------------------------------------- */

static void print_outer(struct explain *x, const struct expr *e, struct strbuf *out)
{
    uint32_t i = (uint32_t)e->param;
    if (i < x->plan->outer_value_count && x->outers[i].expr)
        computed(x, x->outers[i].expr, &x->outers[i].scope, false, true, out);
    else strbuf_addf(out, "$%d", e->param);
}

static void print_subquery(struct explain *x, const struct expr *e, struct strbuf *out)
{
    uint32_t i = e->subquery.plan_index;
    if (i >= x->plan->subplan_count) {
        strbuf_adds(out, "(SubPlan)");
        return;
    }
    const struct subplan *p = &x->plan->subplans[i];
    uint32_t number = x->subplan_numbers[i] ? x->subplan_numbers[i] : i + 1;
    bool hashed = p->outer_count == 0 && p->type == SUBLINK_ANY;
    if (p->negated) strbuf_adds(out, "(NOT ");
    if (explain__is_init_plan(p)) strbuf_addf(out, "$%u", number - 1);
    else strbuf_addf(out, "(%sSubPlan %u)", hashed ? "hashed " : "", number);
    if (p->negated) strbuf_addc(out, ')');
}

struct expr *explain__constant_array(struct explain *x, struct expr *const *items, uint32_t count)
{
    struct datum *values = ARENA_ARRAY(x->arena, struct datum, count + 1);
    type_id type = TYPE_NONE;
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *e = items[i];
        if (e->kind == EXPR_CAST && e->cast.method == CAST_RELABEL) e = e->args[0];
        if (e->kind != EXPR_CONST || e->constant.null || (i && e->type != type)) return NULL;
        type = e->type;
        values[i] = e->constant;
    }
    const struct type_info *t = count ? type_get(type) : NULL;
    if (!t || !t->array) return NULL;
    struct datum array = {.v.bytes = array_make(x->arena, type, values, count)};
    return expr_const(x->arena, t->array, array);
}

static bool print_in_list(struct explain *x, const struct expr *e, const struct printer *p,
                          struct strbuf *out)
{
    if (!e->call.op) return false;
    struct expr *array = explain__constant_array(x, e->args + 1, e->arg_count - 1);
    struct expr *args[] = {e->args[0], array};
    struct expr any = {.kind = EXPR_ANY, .type = e->type, .typmod = -1, .location = -1,
                       .arg_count = 2, .args = args};
    if (!array) return false;
    any.any.proc = e->call.proc;
    any.any.op = e->call.op;
    any.any.all = strcmp(e->call.op->name, "<>") == 0;
    explain__expr(x, &any, p->scope, p->prefix, out);
    return true;
}

static bool print_leaf(void *ctx, const struct expr *e, struct strbuf *out)
{
    const struct printer *p = ctx;
    struct explain *x = p->x;
    if (x->status == OK) x->status = exec_check_stack();
    if (x->status != OK) return true;
    if (out->len > TEXT_BYTES_MAX) {
        strbuf_adds(out, "...");
        return true;
    }
    if (e->kind == EXPR_SLOT) scope_slot(x, p->scope, e->slot, p->prefix, out);
    else if (e->kind == EXPR_OUTER) print_outer(x, e, out);
    else if (e->kind == EXPR_SUBQUERY) print_subquery(x, e, out);
    else if (e->kind == EXPR_IN_LIST) return print_in_list(x, e, p, out);
    else return false;
    return true;
}

/* --- whole expressions ------------------------------------------------------------------------ */

void explain__expr(struct explain *x, const struct expr *e, const struct explain_scope *s,
                   bool prefix, struct strbuf *out)
{
    struct printer p = {x, s, prefix};
    struct deparse_options o = {.mode = DEPARSE_DISPLAY, .catalog = x->session->catalog,
                                .path = x->session->path, .print = print_leaf, .print_ctx = &p};
    expr_deparse(e, NULL, &o, out);
}

const char *explain__text(struct explain *x, const struct expr *e, const struct explain_scope *s,
                          bool prefix)
{
    struct strbuf out;
    strbuf_init(&out, x->arena);
    explain__expr(x, e, s, prefix, &out);
    strbuf_adds(&out, "");
    return out.data ? out.data : "";
}

/* The call that the binder made, with the arguments that the planner made of its own. */
void explain__call(struct explain *x, const struct aggregate_call *c, const struct explain_scope *s,
                   bool prefix, struct strbuf *out)
{
    struct expr e = {.kind = EXPR_AGGREGATE, .type = c->result, .typmod = -1, .location = -1,
                     .arg_count = c->arg_count, .args = c->args};
    if (c->grouping) {
        e.kind = EXPR_GROUPING;
    } else if (c->call && c->call->kind == EXPR_WINDOW) {
        e.kind = EXPR_WINDOW;
        e.window.proc = c->proc;
        e.window.filter = c->filter;
        e.window.star = c->star;
        e.window.distinct = c->distinct;
    } else {
        e.aggregate.proc = c->proc;
        e.aggregate.distinct = c->distinct;
        e.aggregate.star = c->star;
        e.aggregate.filter = c->filter;
        e.aggregate.order_by = c->order_by;
        e.aggregate.order_count = c->order_count;
        e.aggregate.direct_count = c->direct_count;
        e.aggregate.within_group = c->call->aggregate.within_group;
    }
    explain__expr(x, &e, s, prefix, out);
}
