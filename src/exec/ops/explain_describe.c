/* What is said of a node below its line: output columns, conditions, keys. PostgreSQL qualifies the
 * columns of a scan's own conditions only when asked to be verbose. */
#include "exec/ops/explain_priv.h"

#include "base/hlc.h"
#include "types/datetime.h"

static bool is_relation(const struct plan_node *n)
{
    switch (n->kind) {
    case PLAN_VALUES:
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
    case PLAN_VIRTUAL_SCAN:
    case PLAN_FUNCTION_SCAN:
    case PLAN_CTE_SCAN: return true;
    default: return false;
    }
}

/* "a", or "(a AND b)". */
static const char *conjunction(struct explain *x, const char *const *parts, size_t count)
{
    struct strbuf b;
    if (count == 1) return parts[0];
    strbuf_init(&b, x->arena);
    for (size_t i = 0; i < count; i++) strbuf_addf(&b, "%s%s", i ? " AND " : "(", parts[i]);
    strbuf_addc(&b, ')');
    return b.data;
}

/* --- ranges ----------------------------------------------------------------------------------- */

struct range_text {
    struct explain *x;
    const struct plan_node *node;
    const struct index_def *index;
    ARRAY(const char *) parts;
};

static const char *key_column(struct range_text *r, uint32_t i)
{
    const struct index_column *c = &r->index->columns[i];
    const struct table_def *t = r->node->scan.table;
    struct strbuf b;
    strbuf_init(&b, r->x->arena);
    if (r->x->options->verbose && c->column > 0) {
        expr_identifier(r->x->aliases[r->node->id], &b);
        strbuf_addc(&b, '.');
    }
    for (uint32_t k = 0; k < t->column_count; k++)
        if (c->column > 0 && t->columns[k].number == c->column)
            expr_identifier(t->columns[k].name, &b);
    if (c->expression_sql) strbuf_adds(&b, c->expression_sql);
    return b.data ? b.data : "?";
}

static void add_part(struct range_text *r, uint32_t column, const char *op, const struct expr *e,
                     const char *end)
{
    const struct explain_scope none = {0};
    const char *value = explain__text(r->x, e, &none, r->x->options->verbose);
    const char *part =
        arena_printf(r->x->arena, "(%s %s%s%s)", key_column(r, column), op, value, end);
    ARENA_PUSH(r->x->arena, &r->parts, part);
}

static void add_in(struct range_text *r, uint32_t column)
{
    const struct key_range *k = &r->node->scan.range;
    const struct explain_scope none = {0};
    struct strbuf b;
    if (k->in_array) add_part(r, column, "= ANY (", k->in_array, ")");
    if (!k->in_list) return;
    const struct expr *array = explain__constant_array(r->x, k->in_list, k->in_count);
    if (array) {
        add_part(r, column, "= ANY (", array, ")");
        return;
    }
    strbuf_init(&b, r->x->arena);
    strbuf_addf(&b, "(%s = ANY (ARRAY[", key_column(r, column));
    for (uint32_t i = 0; i < k->in_count; i++) {
        if (i) strbuf_adds(&b, ", ");
        explain__expr(r->x, k->in_list[i], &none, false, &b);
    }
    strbuf_adds(&b, "]))");
    ARENA_PUSH(r->x->arena, &r->parts, (const char *)b.data);
}

const char *explain__range(struct explain *x, const struct plan_node *n)
{
    struct range_text r = {.x = x, .node = n, .index = n->scan.index};
    const struct key_range *k = &n->scan.range;
    if (n->kind == PLAN_SCAN) r.index = n->scan.table->primary;
    if (!r.index || n->kind == PLAN_VIRTUAL_SCAN) return NULL;
    uint32_t next = k->equal_count;
    for (uint32_t i = 0; i < k->equal_count && i < r.index->key_count; i++)
        add_part(&r, i, "= ", k->equal[i], "");
    if (next < r.index->key_count) {
        add_in(&r, next);
        if (k->lower) add_part(&r, next, k->lower_inclusive ? ">= " : "> ", k->lower, "");
        if (k->upper) add_part(&r, next, k->upper_inclusive ? "<= " : "< ", k->upper, "");
    }
    return r.parts.count ? conjunction(x, r.parts.data, r.parts.count) : NULL;
}

/* --- output, filters -------------------------------------------------------------------------- */

static void describe_output(struct explain *x, struct explain_node *e, const struct plan_node *top,
                            const struct plan_node *bottom)
{
    const struct plan_node *n = top;
    bool change = n->kind == PLAN_INSERT || n->kind == PLAN_UPDATE || n->kind == PLAN_DELETE;
    struct explain_scope s = {.left = top, .bottom = bottom};
    if (!x->options->verbose || !n->column_count) return;
    const char **items = ARENA_ARRAY(x->arena, const char *, n->column_count);
    if (change) s = (struct explain_scope){.left = n->left, .table = n->dml.table};
    for (uint32_t i = 0; i < n->column_count; i++) {
        struct expr slot = {.kind = EXPR_SLOT, .slot = i};
        items[i] = explain__text(x, change ? n->dml.returning[i] : &slot, &s, true);
    }
    explain__add_list(x, e, "Output", items, n->column_count);
}

/* Those of all the nodes that are shown as this one. */
static void describe_filters(struct explain *x, struct explain_node *e,
                             const struct plan_node *top, const struct plan_node *bottom)
{
    ARRAY(const char *) parts = {0};
    bool prefix = is_relation(bottom) ? x->options->verbose : explain__prefix(x);
    bool once = bottom->kind == PLAN_RESULT;
    for (const struct plan_node *n = top;; n = n->left) {
        struct explain_scope s = explain__scope(n, bottom);
        if (n->filter) {
            const char *text = explain__text(x, n->filter, &s, prefix);
            ARENA_PUSH(x->arena, &parts, text);
        }
        if (x->stats) e->removed += x->stats[n->id].removed;
        if (n == bottom) break;
    }
    if (!parts.count) return;
    explain__add(x, e, once ? "One-Time Filter" : "Filter",
                 conjunction(x, parts.data, parts.count));
    const struct node_stats *stats = x->stats ? &x->stats[bottom->id] : NULL;
    if (!stats || once) return;
    double loops = stats->loops ? (double)stats->loops : 1;
    struct explain_prop p = {"Rows Removed by Filter", EXPLAIN_BARE, EXPLAIN_IN_BOTH,
                             arena_printf(x->arena, "%.0f", (double)e->removed / loops), NULL, 0};
    if (!e->removed) p.where = EXPLAIN_IN_JSON;
    ARENA_PUSH(x->arena, &e->props, p);
}

/* Rows that a scan left out, as no row of a hash join above has their key. */
static void describe_unmatched(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct node_stats *s = x->stats ? &x->stats[n->id] : NULL;
    if (!s || !s->unmatched) return;
    struct explain_prop p = {"Rows Removed by Hash Filter", EXPLAIN_BARE, EXPLAIN_IN_BOTH,
                             arena_printf(x->arena, "%.0f", (double)s->unmatched /
                                                                (double)(s->loops ? s->loops : 1)),
                             NULL, 0};
    ARENA_PUSH(x->arena, &e->props, p);
}

/* --- by kind ---------------------------------------------------------------------------------- */

static void describe_join(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct explain_scope both = explain__scope(n, n), left = {.left = n->left},
                               right = {.left = n->right};
    ARRAY(const char *) keys = {0};
    bool prefix = explain__prefix(x);
    for (uint32_t i = 0; i < n->join.key_count; i++) {
        const char *a = explain__text(x, n->join.left_keys[i], &left, prefix);
        const char *b = explain__text(x, n->join.right_keys[i], &right, prefix);
        const char *key = arena_printf(x->arena, "(%s = %s)", a, b);
        ARENA_PUSH(x->arena, &keys, key);
    }
    if (keys.count) explain__add(x, e, "Hash Cond", conjunction(x, keys.data, keys.count));
    if (n->join.condition)
        explain__add(x, e, "Join Filter", explain__text(x, n->join.condition, &both, prefix));
}

static void describe_sets(struct explain *x, struct explain_node *e, const struct plan_node *n,
                          const char **groups)
{
    for (uint32_t i = 0; i < n->aggregate.set_count; i++) {
        const char **items = ARENA_ARRAY(x->arena, const char *, n->aggregate.group_count + 1);
        uint32_t count = 0;
        for (uint32_t g = 0; g < n->aggregate.group_count; g++)
            if (n->aggregate.sets[i] >> g & 1) items[count++] = groups[g];
        bool empty = count == 0;
        if (empty) items[count++] = "()";
        explain__add_list(x, e, empty ? "Group Key" : "Hash Key", items, count);
    }
}

static void describe_aggregate(struct explain *x, struct explain_node *e,
                               const struct plan_node *n)
{
    const struct explain_scope s = explain__scope(n, n);
    uint32_t count = n->aggregate.group_count;
    const char **items = ARENA_ARRAY(x->arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        items[i] = explain__text(x, n->aggregate.groups[i], &s, explain__prefix(x));
    if (n->aggregate.set_count) describe_sets(x, e, n, items);
    else if (count) explain__add_list(x, e, "Group Key", items, count);
}

static void describe_distinct(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    /* As the input computes them. */
    const struct explain_scope s = {.left = n->left, .bottom = explain__bottom(n->left)};
    if (!explain__is_plain_distinct(n)) return;
    const char **items = ARENA_ARRAY(x->arena, const char *, n->column_count + 1);
    for (uint32_t i = 0; i < n->column_count; i++) {
        struct expr slot = {.kind = EXPR_SLOT, .slot = i};
        items[i] = explain__text(x, &slot, &s, explain__prefix(x));
    }
    if (n->column_count) explain__add_list(x, e, "Group Key", items, n->column_count);
}

static void only_in(struct explain *x, struct explain_node *e, uint8_t where, const char *name,
                    enum explain_form form, const char *text)
{
    struct explain_prop p = {name, form, where, text, NULL, 0};
    ARENA_PUSH(x->arena, &e->props, p);
}

/* Of a hash table that rows are gathered in: parts, memory, and what of it went to disk. */
static void describe_hashing(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct node_stats *s = x->stats ? &x->stats[n->id] : NULL;
    if (!s || !s->loops || (!s->batches && !s->memory_bytes)) return;
    unsigned long long batches = s->batches ? s->batches : 1, kb = (s->memory_bytes + 1023) >> 10,
                       disk = (s->spilled_bytes + 1023) >> 10;
    const char *text = arena_printf(x->arena, "%llu  Memory Usage: %llukB", batches, kb);
    if (disk) text = arena_printf(x->arena, "%s  Disk Usage: %llukB", text, disk);
    only_in(x, e, EXPLAIN_IN_TEXT, "Batches", EXPLAIN_BARE, text);
    only_in(x, e, EXPLAIN_IN_JSON, "HashAgg Batches", EXPLAIN_BARE,
            arena_printf(x->arena, "%llu", batches));
    only_in(x, e, EXPLAIN_IN_JSON, "Peak Memory Usage", EXPLAIN_BARE,
            arena_printf(x->arena, "%llu", kb));
    only_in(x, e, EXPLAIN_IN_JSON, "Disk Usage", EXPLAIN_BARE,
            arena_printf(x->arena, "%llu", disk));
}

static void describe_sort(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct explain_scope s = explain__scope(n, n);
    const char **items = ARENA_ARRAY(x->arena, const char *, n->sort.item_count + 1);
    for (uint32_t i = 0; i < n->sort.item_count; i++) {
        const struct sort_item *k = &n->sort.items[i];
        const char *text = explain__text(x, k->expr, &s, explain__prefix(x));
        const char *nulls = k->nulls_first == k->descending ? ""
                            : k->nulls_first                ? " NULLS FIRST"
                                                            : " NULLS LAST";
        bool wrap = k->expr->kind != EXPR_SLOT;
        items[i] = arena_printf(x->arena, "%s%s%s%s%s", wrap ? "(" : "", text, wrap ? ")" : "",
                                k->descending ? " DESC" : "", nulls);
    }
    explain__add_list(x, e, "Sort Key", items, n->sort.item_count);
    if (!x->stats || !x->stats[n->id].loops) return;
    const struct node_stats *stats = &x->stats[n->id];
    bool disk = stats->spilled_bytes != 0;
    const char *method = disk ? "external merge" : n->sort.limit ? "top-N heapsort" : "quicksort";
    uint64_t kb = ((disk ? stats->spilled_bytes : stats->memory_bytes) + 1023) >> 10;
    const char *space = disk ? "Disk" : "Memory";
    const char *line = !kb ? method : arena_printf(x->arena, "%s  %s: %llukB", method, space,
                                                   (unsigned long long)kb);
    only_in(x, e, EXPLAIN_IN_TEXT, "Sort Method", EXPLAIN_TEXT, line);
    only_in(x, e, EXPLAIN_IN_JSON, "Sort Method", EXPLAIN_TEXT, method);
    if (!kb) return;
    line = arena_printf(x->arena, "%llu", (unsigned long long)kb);
    only_in(x, e, EXPLAIN_IN_JSON, "Sort Space Used", EXPLAIN_BARE, line);
    only_in(x, e, EXPLAIN_IN_JSON, "Sort Space Type", EXPLAIN_TEXT, space);
}

static void describe_count(struct explain *x, struct explain_node *e, const char *name, uint32_t n)
{
    struct explain_prop p = {name, EXPLAIN_BARE, EXPLAIN_IN_BOTH,
                             arena_printf(x->arena, "%u", n), NULL, 0};
    ARENA_PUSH(x->arena, &e->props, p);
}

static void describe_gather(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    describe_count(x, e, "Workers Planned", n->gather.workers);
    if (x->stats) describe_count(x, e, "Workers Launched", x->stats[n->id].workers);
}

static void describe_function(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct explain_scope none = {0};
    if (!x->options->verbose || !n->function.call_count) return;
    const char **items = ARENA_ARRAY(x->arena, const char *, n->function.call_count);
    for (uint32_t i = 0; i < n->function.call_count; i++)
        items[i] = explain__text(x, n->function.calls[i], &none, true);
    explain__add_list(x, e, "Function Call", items, n->function.call_count);
}

static void describe_conflict(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct explain_scope rows = {.table = n->dml.table, .excluded = true};
    if (n->kind != PLAN_INSERT || n->dml.conflict == CONFLICT_NONE) return;
    explain__add(x, e, "Conflict Resolution",
                 n->dml.conflict == CONFLICT_NOTHING ? "NOTHING" : "UPDATE");
    if (n->dml.conflict_index) {
        const char **items = ARENA_ARRAY(x->arena, const char *, 1);
        items[0] = n->dml.conflict_index->name;
        explain__add_list(x, e, "Conflict Arbiter Indexes", items, 1);
    }
    if (n->dml.conflict_where)
        explain__add(x, e, "Conflict Filter", explain__text(x, n->dml.conflict_where, &rows, true));
}

static const char *moment(struct explain *x, uint64_t ts, const char *open)
{
    struct strbuf b;
    union value at = {.i64 = hlc_wall_us(ts) - PG_EPOCH_US};
    if (!ts) return open;
    strbuf_init(&b, x->arena);
    datetime_to_text(TYPE_TIMESTAMPTZ, &at, x->session->format, &b);
    return b.data;
}

static void describe_past(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct table_versions *v = n->scan.versions;
    if (n->scan.moment && x->moments)
        explain__add(x, e, "As Of", moment(x, x->moments[n->scan.moment - 1], ""));
    if (v)
        explain__add(x, e, "Versions", arena_printf(x->arena, "from %s to %s",
                                                    moment(x, v->from, "the oldest"),
                                                    moment(x, v->to, "now")));
}

void explain__describe(struct explain *x, struct explain_node *e, const struct plan_node *top,
                       const struct plan_node *bottom)
{
    const char *range;
    describe_output(x, e, top, bottom);
    switch (bottom->kind) {
    case PLAN_SCAN:
    case PLAN_INDEX_SCAN:
        range = explain__range(x, bottom);
        if (range) explain__add(x, e, "Index Cond", range);
        describe_past(x, e, bottom);
        explain__describe_columns(x, e, bottom);
        break;
    case PLAN_FUNCTION_SCAN: describe_function(x, e, bottom); break;
    case PLAN_NESTED_LOOP:
    case PLAN_HASH_JOIN: describe_join(x, e, bottom); break;
    case PLAN_AGGREGATE:
        describe_aggregate(x, e, bottom);
        if (bottom->aggregate.group_count) describe_hashing(x, e, bottom);
        break;
    case PLAN_DISTINCT: describe_distinct(x, e, bottom); break;
    case PLAN_SORT: describe_sort(x, e, bottom); break;
    case PLAN_GATHER: describe_gather(x, e, bottom); break;
    case PLAN_INSERT: describe_conflict(x, e, bottom); break;
    default: break;
    }
    describe_filters(x, e, top, bottom);
    describe_unmatched(x, e, bottom);
}
