/* How many rows joins give, from what is known without statistics on values: the tables' row counts
 * and their unique keys. An equality keeps one in so many pairs as there are distinct values on the
 * side that has more of them. */
#include "sql/plan/plan_priv.h"

#define DISTINCT_DEFAULT 200.0     /* PostgreSQL's, for columns without statistics */
#define PREFIX_FANOUT 4.0          /* rows a value of the first column of a longer key */

/* Distinct values of a key expression; 0: not known. */
static double distinct_values(struct level *l, const struct expr *e)
{
    if (e->kind == EXPR_CAST && e->arg_count == 1) e = e->args[0];
    if (e->kind != EXPR_COLUMN || e->column.levels_up) return 0;
    const struct relation *r = l->query->relations[e->column.relation];
    if (r->kind != REL_TABLE || r->table->virtual_id >= 0) return 0;
    int16_t attnum = r->columns[e->column.column].attnum;
    double rows = relation_rows(l, r->table), found = 0;
    for (uint16_t i = 0; i < r->table->index_count; i++) {
        const struct index_def *x = r->table->indexes[i];
        if (!x->unique || x->columns[0].column != attnum) continue;
        if (x->key_count == 1) return rows;
        found = rows / PREFIX_FANOUT;
    }
    return found;
}

double equality_fraction(struct level *l, const struct expr *a, const struct expr *b,
                         double rows_a, double rows_b)
{
    double x = distinct_values(l, a), y = distinct_values(l, b);
    double most = x > y ? x : y;
    if (most == 0) {
        double larger = rows_a > rows_b ? rows_a : rows_b;
        most = larger < DISTINCT_DEFAULT ? larger : DISTINCT_DEFAULT;
    }
    return most < 1 ? 1 : 1 / most;
}

double join_rows(enum join_kind kind, double a, double b, double fraction)
{
    double rows = a * b * fraction;
    if (rows < 1) rows = 1;
    if ((kind == JOIN_LEFT || kind == JOIN_FULL) && rows < a) rows = a;
    if (kind == JOIN_FULL && rows < b) rows = b;
    return rows;
}
