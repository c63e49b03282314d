/* What one shown node is called: the line of the text form, and the fields that say the same in
 * JSON. And its building blocks: properties, scopes, and which plan nodes are shown as one. */
#include "exec/ops/explain_priv.h"

#include "base/fiber.h"

enum { STACK_BYTES = 48 << 10 };

struct explain_node *explain__node_new(struct explain *x, const struct plan_node *plan)
{
    struct explain_node *e = ARENA_NEW(x->arena, struct explain_node);
    e->plan = plan;
    return e;
}

void explain__add(struct explain *x, struct explain_node *e, const char *name, const char *text)
{
    struct explain_prop p = {name, EXPLAIN_TEXT, EXPLAIN_IN_BOTH, text, NULL, 0};
    ARENA_PUSH(x->arena, &e->props, p);
}

void explain__add_list(struct explain *x, struct explain_node *e, const char *name,
                       const char **items, uint32_t count)
{
    struct explain_prop p = {name, EXPLAIN_LIST, EXPLAIN_IN_BOTH, NULL, items, count};
    ARENA_PUSH(x->arena, &e->props, p);
}

void explain__head(struct explain *x, struct explain_node *e, const char *name, const char *text)
{
    struct explain_prop p = {name, EXPLAIN_TEXT, EXPLAIN_IN_JSON, text, NULL, 0};
    ARENA_PUSH(x->arena, &e->heads, p);
}

/* --- nodes shown as one ----------------------------------------------------------------------- */

static bool is_light(const struct plan_node *n)
{
    return n->kind == PLAN_PROJECT || n->kind == PLAN_FILTER || n->kind == PLAN_SUBQUERY_SCAN;
}

/* May a filter above it be shown as its own? */
static bool takes_filter(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_RESULT:
    case PLAN_VALUES:
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN:
    case PLAN_FUNCTION_SCAN:
    case PLAN_CTE_SCAN:
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN:
    case PLAN_AGGREGATE: return true;
    default: return false;
    }
}

const struct plan_node *explain__bottom(const struct plan_node *n)
{
    const struct plan_node *filter = NULL;
    for (; is_light(n) && n->left; n = n->left)
        if (n->filter && !filter) filter = n;
    return filter && !takes_filter(n->kind) ? filter : n;
}

bool explain__is_plain_distinct(const struct plan_node *n)
{
    return n->distinct.slot_count == 0 || n->distinct.slot_count == n->column_count;
}

struct explain_scope explain__scope(const struct plan_node *n, const struct plan_node *bottom)
{
    /* A scan's own filter is over the scan's columns. */
    if (!n->left) return (struct explain_scope){.left = n, .bottom = bottom};
    return (struct explain_scope){.left = n->left, .right = n->right,
                                  .bottom = n == bottom ? NULL : bottom};
}

/* --- titles ----------------------------------------------------------------------------------- */

static const char *identifier(struct explain *x, const char *name)
{
    struct strbuf b;
    strbuf_init(&b, x->arena);
    expr_identifier(name, &b);
    return b.data;
}

/* " on schema.table alias" */
static const char *on_table(struct explain *x, struct explain_node *e, const struct table_def *t,
                            const char *alias)
{
    const struct schema_def *s =
        x->options->verbose ? catalog_schema_by_oid(x->session->catalog, t->schema) : NULL;
    bool other = alias && strcmp(alias, t->name) != 0;
    explain__head(x, e, "Relation Name", t->name);
    if (s) explain__head(x, e, "Schema", s->name);
    explain__head(x, e, "Alias", alias ? alias : t->name);
    return arena_printf(x->arena, " on %s%s%s%s%s", s ? identifier(x, s->name) : "", s ? "." : "",
                        identifier(x, t->name), other ? " " : "",
                        other ? identifier(x, alias) : "");
}

static const char *on_named(struct explain *x, struct explain_node *e, const char *field,
                            const char *name, const char *alias)
{
    bool other = strcmp(name, alias) != 0;
    if (field) explain__head(x, e, field, name);
    explain__head(x, e, "Alias", alias);
    return arena_printf(x->arena, " on %s%s%s", identifier(x, name), other ? " " : "",
                        other ? identifier(x, alias) : "");
}

static bool has_range(const struct key_range *r)
{
    return r->equal_count || r->lower || r->upper || r->in_list || r->in_array;
}

/* The row tree read by its key, in order, is what PostgreSQL does by the primary key's index. */
static const struct index_def *index_of(const struct plan_node *n)
{
    if (n->kind == PLAN_INDEX_SCAN) return n->scan.index;
    if (n->kind != PLAN_SCAN || !(has_range(&n->scan.range) || n->scan.reverse)) return NULL;
    return n->scan.table->primary;
}

static const char *scan_title(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct index_def *i = index_of(n);
    const char *whole = n->scan.sample ? "Sample Scan" : "Seq Scan";
    const char *word = !i ? whole : n->scan.index_only ? "Index Only Scan" : "Index Scan";
    explain__head(x, e, "Node Type", word);
    e->parallel = n->scan.shared;
    if (e->parallel) word = arena_printf(x->arena, "Parallel %s", word);
    if (i) {
        explain__head(x, e, "Scan Direction", n->scan.reverse ? "Backward" : "Forward");
        explain__head(x, e, "Index Name", i->name);
    }
    const char *on = on_table(x, e, n->scan.table, x->aliases[n->id]);
    if (!i) return arena_printf(x->arena, "%s%s", word, on);
    return arena_printf(x->arena, "%s%s using %s%s", word, n->scan.reverse ? " Backward" : "",
                        identifier(x, i->name), on);
}

static const char *function_title(struct explain *x, struct explain_node *e,
                                  const struct plan_node *n)
{
    const struct expr *call = n->function.call_count == 1 ? n->function.calls[0] : NULL;
    const char *alias = x->aliases[n->id];
    explain__head(x, e, "Node Type", "Function Scan");
    bool named = call && call->kind == EXPR_CALL && call->call.proc;
    const char *on = named ? on_named(x, e, "Function Name", call->call.proc->name, alias)
                           : on_named(x, e, NULL, alias, alias);
    return arena_printf(x->arena, "Function Scan%s", on);
}

static const char *cte_title(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const char *word = n->cte.working ? "WorkTable Scan" : "CTE Scan";
    explain__head(x, e, "Node Type", word);
    return arena_printf(x->arena, "%s%s", word,
                        on_named(x, e, "CTE Name", n->alias ? n->alias : "cte", x->aliases[n->id]));
}

static const char *values_title(struct explain *x, struct explain_node *e,
                                const struct plan_node *n)
{
    if (n->values.row_count == 1) {
        explain__head(x, e, "Node Type", "Result");
        return "Result";
    }
    explain__head(x, e, "Node Type", "Values Scan");
    return arena_printf(x->arena, "Values Scan%s",
                        on_named(x, e, NULL, x->aliases[n->id], x->aliases[n->id]));
}

static const char *join_title(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    static const char *const kinds[] = {
        [JOIN_INNER] = "Inner", [JOIN_LEFT] = "Left", [JOIN_FULL] = "Full",
        [JOIN_RIGHT] = "Right", [JOIN_SEMI] = "Semi", [JOIN_ANTI] = "Anti",
    };
    const char *kind = kinds[n->join.type];
    bool hash = n->kind == PLAN_HASH_JOIN, inner = n->join.type == JOIN_INNER;
    explain__head(x, e, "Node Type", hash ? "Hash Join" : "Nested Loop");
    explain__head(x, e, "Join Type", kind);
    if (inner) return hash ? "Hash Join" : "Nested Loop";
    return arena_printf(x->arena, "%s %s Join", hash ? "Hash" : "Nested Loop", kind);
}

static const char *aggregate_title(struct explain *x, struct explain_node *e,
                                   const struct plan_node *n)
{
    bool empty_set = false;
    for (uint32_t i = 0; i < n->aggregate.set_count; i++) empty_set |= n->aggregate.sets[i] == 0;
    bool plain = n->aggregate.strategy == AGG_PLAIN && !n->aggregate.group_count;
    bool mixed = empty_set && n->aggregate.group_count;
    explain__head(x, e, "Node Type", "Aggregate");
    explain__head(x, e, "Strategy", mixed ? "Mixed" : plain ? "Plain" : "Hashed");
    explain__head(x, e, "Partial Mode", "Simple");
    return mixed ? "MixedAggregate" : plain ? "Aggregate" : "HashAggregate";
}

static const char *distinct_title(struct explain *x, struct explain_node *e,
                                  const struct plan_node *n)
{
    if (!explain__is_plain_distinct(n)) {
        explain__head(x, e, "Node Type", "Unique");
        return "Unique";
    }
    explain__head(x, e, "Node Type", "Aggregate");
    explain__head(x, e, "Strategy", "Hashed");
    explain__head(x, e, "Partial Mode", "Simple");
    return "HashAggregate";
}

static const char *set_op_title(struct explain *x, struct explain_node *e,
                                const struct plan_node *n)
{
    const char *op = n->set_op.op == SETOP_INTERSECT ? "Intersect"
                     : n->set_op.op == SETOP_EXCEPT  ? "Except"
                                                     : "Union";
    explain__head(x, e, "Node Type", "SetOp");
    explain__head(x, e, "Strategy", "Hashed");
    const char *command = n->set_op.all ? arena_printf(x->arena, "%s All", op) : op;
    explain__head(x, e, "Command", command);
    return arena_printf(x->arena, "HashSetOp %s", command);
}

/* What the statement calls the table that it changes: its name where the rows are read. */
static const char *changed_alias(const struct explain *x, const struct plan_node *n,
                                 const struct table_def *t)
{
    if (!n || fiber_stack_left() < STACK_BYTES) return NULL;
    if (n->kind == PLAN_SCAN || n->kind == PLAN_INDEX_SCAN)
        return n->scan.table == t && n->scan.key_slot >= 0 ? x->aliases[n->id] : NULL;
    const char *left = changed_alias(x, n->left, t);
    return left ? left : changed_alias(x, n->right, t);
}

static const char *change_title(struct explain *x, struct explain_node *e,
                                const struct plan_node *n, const char *word)
{
    explain__head(x, e, "Node Type", "ModifyTable");
    explain__head(x, e, "Operation", word);
    const char *alias = n->kind == PLAN_INSERT ? NULL : changed_alias(x, n->left, n->dml.table);
    return arena_printf(x->arena, "%s%s", word, on_table(x, e, n->dml.table, alias));
}

static const char *plain_title(struct explain *x, struct explain_node *e, const char *word)
{
    explain__head(x, e, "Node Type", word);
    return word;
}

static const char *title(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    switch (n->kind) {
    case PLAN_VALUES: return values_title(x, e, n);
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN: return scan_title(x, e, n);
    case PLAN_FUNCTION_SCAN: return function_title(x, e, n);
    case PLAN_CTE_SCAN: return cte_title(x, e, n);
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN: return join_title(x, e, n);
    case PLAN_AGGREGATE: return aggregate_title(x, e, n);
    case PLAN_DISTINCT: return distinct_title(x, e, n);
    case PLAN_SET_OP: return set_op_title(x, e, n);
    case PLAN_INSERT: return change_title(x, e, n, "Insert");
    case PLAN_UPDATE: return change_title(x, e, n, "Update");
    case PLAN_DELETE: return change_title(x, e, n, "Delete");
    case PLAN_MERGE: return change_title(x, e, n, "Merge");
    case PLAN_PROJECT_SET: return plain_title(x, e, "ProjectSet");
    case PLAN_SORT: return plain_title(x, e, "Sort");
    case PLAN_LIMIT: return plain_title(x, e, "Limit");
    case PLAN_APPEND: return plain_title(x, e, "Append");
    case PLAN_RECURSIVE_UNION: return plain_title(x, e, "Recursive Union");
    case PLAN_WINDOW: return plain_title(x, e, "WindowAgg");
    case PLAN_LOCK_ROWS: return plain_title(x, e, "LockRows");
    case PLAN_GATHER: return plain_title(x, e, "Gather");
    case PLAN_RESULT:
    case PLAN_SUBQUERY_SCAN:
    case PLAN_FILTER:
    case PLAN_PROJECT: return plain_title(x, e, "Result");
    }
    return plain_title(x, e, "Result");
}

void explain__title(struct explain *x, struct explain_node *e, const struct plan_node *bottom)
{
    e->title = title(x, e, bottom);
}
