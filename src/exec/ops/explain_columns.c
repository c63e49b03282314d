/* What EXPLAIN says of a scan of a table that has columns: which way it goes, what the store tests, and,
 * when it has run, how many blocks were looked at. */
#include "exec/ops/explain_priv.h"

#include "catalog/table_storage.h"
#include "exec/ops/column_conditions.h"
#include "exec/ops/column_route.h"

/* *ret_known false: it was not run, and there is nothing to ask. */
static bool by_columns(struct explain *x, const struct plan_node *n, bool *ret_known)
{
    const struct node_stats *s = x->stats ? &x->stats[n->id] : NULL;
    bool columns = false;
    *ret_known = true;
    if (s && s->loops) return s->by_columns != 0;
    if (!column_route_may(x->plan, n) || x->session->force_format == FORMAT_ROW) return false;
    *ret_known = x->txn != NULL;
    if (x->txn && column_route(x->txn, x->session, n, &columns) != OK) {
        error_clear();
        *ret_known = false;
    }
    return columns;
}

static void describe_conditions(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct explain_scope s = explain__scope(n, n);
    const struct expr *f = n->filter;
    struct strbuf b;
    uint32_t count = 0;
    if (!f) return;
    bool is_and = f->kind == EXPR_BOOL && f->bool_op == BOOL_AND;
    strbuf_init(&b, x->arena);
    for (uint32_t i = 0; i < (is_and ? f->arg_count : 1); i++) {
        const struct expr *one = is_and ? f->args[i] : f;
        if (!column_conditions_take(n, one)) continue;
        strbuf_adds(&b, count++ ? " AND " : "");
        strbuf_adds(&b, explain__text(x, one, &s, x->options->verbose));
    }
    if (count == 1) explain__add(x, e, "Column Conditions", b.data);
    else if (count) explain__add(x, e, "Column Conditions", arena_printf(x->arena, "(%s)", b.data));
}

static void add_count(struct explain *x, struct explain_node *e, const char *name, uint64_t count)
{
    struct explain_prop p = {name, EXPLAIN_BARE, count ? EXPLAIN_IN_BOTH : EXPLAIN_IN_JSON,
                             arena_printf(x->arena, "%llu", (unsigned long long)count), NULL, 0};
    ARENA_PUSH(x->arena, &e->props, p);
}

void explain__describe_columns(struct explain *x, struct explain_node *e, const struct plan_node *n)
{
    const struct node_stats *s = x->stats ? &x->stats[n->id] : NULL;
    bool known;
    if (n->kind != PLAN_SCAN || !table_has_columns(n->scan.table)) return;
    bool columns = by_columns(x, n, &known);
    if (!known) return;
    explain__add(x, e, "Format", columns ? "column" : "row");
    if (!columns) return;
    describe_conditions(x, e, n);
    if (!s || !s->by_columns) return;
    add_count(x, e, "Blocks", s->blocks);
    add_count(x, e, "Blocks Skipped", s->blocks_skipped);
    add_count(x, e, "Rows By Row", s->rows_by_row);
}
