/* How many rows joins and groupings give. An equality keeps one in so many pairs as there are distinct
 * values on the side that has more of them (each value of the other side is taken to be among those);
 * common values are met one by one. Several equalities between two tables count together where an
 * index tells how many values their columns have as a whole. */
#include "sql/plan/plan_priv.h"

#include <math.h>

enum { KEYS_MAX = 32 };

/* --- joins ---------------------------------------------------------------------------------- */

static const struct expr *as_column(const struct expr *e)
{
    while (e->kind == EXPR_CAST && e->arg_count == 1) e = e->args[0];
    return e->kind == EXPR_COLUMN && e->column.levels_up == 0 ? e : NULL;
}

/* The table that the expression is a column of; NULL. */
static const struct relation *table_of(struct level *l, const struct expr *e)
{
    const struct expr *c = as_column(e);
    if (!c) return NULL;
    const struct relation *r = l->query->relations[c->column.relation];
    return r->kind == REL_TABLE && r->table->virtual_id < 0 ? r : NULL;
}

/* Are the first n keys of the index these columns, in any order? */
static bool covers(const struct index_def *x, const int16_t *columns, uint32_t n)
{
    if (x->key_count < n || x->predicate_sql || !x->valid) return false;
    for (uint32_t i = 0; i < n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < n && !found; k++) found = x->columns[i].column == columns[k];
        if (!found) return false;
    }
    return true;
}

/* Distinct values of some columns of one table as a whole; 0: not known. */
static double together(struct level *l, const struct relation *r, const int16_t *columns, uint32_t n)
{
    double rows = relation_rows(l, r->table), found = 0;
    for (uint16_t i = 0; i < r->table->index_count; i++) {
        const struct index_def *x = r->table->indexes[i];
        if (!covers(x, columns, n)) continue;
        if (x->unique && x->key_count == n) return rows;
        if (x->prefix_distinct && x->prefix_distinct[n - 1] != 0)
            found = statistics_distinct(x->prefix_distinct[n - 1], rows);
    }
    return found;
}

static double one_equality(struct level *l, const struct expr *a, const struct expr *b,
                           double rows_a, double rows_b)
{
    struct column_facts x, y;
    (void)column_facts_of(l, NULL, a, &x);
    (void)column_facts_of(l, NULL, b, &y);
    double p = stats_join(&x, &y);
    if (p > 0) return p;
    double larger = rows_a > rows_b ? rows_a : rows_b;
    double most = larger < DISTINCT_DEFAULT ? larger : DISTINCT_DEFAULT;
    return most < 1 ? 1 : 1 / most;
}

static double known_values(struct level *l, struct expr *const *keys, const uint32_t *members,
                           uint32_t n, double *ret_table_rows)
{
    const struct relation *r = table_of(l, keys[members[0]]);
    int16_t columns[KEYS_MAX];
    if (!r) return 0;
    for (uint32_t i = 0; i < n; i++)
        columns[i] = r->columns[as_column(keys[members[i]])->column.column].attnum;
    double rows = relation_rows(l, r->table);
    if (rows > *ret_table_rows) *ret_table_rows = rows;
    return together(l, r, columns, n);
}

double equalities_fraction(struct level *l, struct expr *const *left, struct expr *const *right,
                           uint32_t n, double rows_left, double rows_right)
{
    bool done[KEYS_MAX] = {false};
    double all = 1;
    if (n > KEYS_MAX) n = KEYS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (done[i]) continue;
        uint32_t members[KEYS_MAX], count = 0;
        const struct relation *a = table_of(l, left[i]), *b = table_of(l, right[i]);
        double product = 1;
        for (uint32_t k = i; k < n; k++) {
            bool same = k == i || (a && b && table_of(l, left[k]) == a && table_of(l, right[k]) == b);
            if (done[k] || !same) continue;
            done[k] = true;
            members[count++] = k;
            product *= one_equality(l, left[k], right[k], rows_left, rows_right);
        }
        double rows = 0;
        double x = count > 1 ? known_values(l, left, members, count, &rows) : 0;
        double y = count > 1 ? known_values(l, right, members, count, &rows) : 0;
        double most = x > y ? x : y;
        if (most > 1) product = 1 / most;
        else if (count > 1 && rows > 1 && product < 1 / rows) product = 1 / rows;
        all *= product;
    }
    return all;
}

double join_rows(enum join_kind kind, double a, double b, double fraction)
{
    double rows = a * b * fraction;
    if (rows < 1) rows = 1;
    if ((kind == JOIN_LEFT || kind == JOIN_FULL) && rows < a) rows = a;
    if (kind == JOIN_FULL && rows < b) rows = b;
    return rows;
}

double semi_join_fraction(const struct plan_node *left, struct expr *const *left_keys,
                          const struct plan_node *right, struct expr *const *right_keys, uint32_t n)
{
    double least = 1;
    for (uint32_t i = 0; i < n; i++) {
        struct column_facts a, b;
        if (!column_facts_of(NULL, left, left_keys[i], &a) || a.distinct <= 0) continue;
        if (!column_facts_of(NULL, right, right_keys[i], &b)) continue;
        double there = b.distinct > 0 ? stats_distinct_among(b.distinct, right->rows) : right->rows;
        double part = (1 - stats_null_fraction(&a)) * there / a.distinct;
        if (part < least) least = part;
    }
    if (n && least < 1) return least;
    return n ? least : 0.5;
}

/* --- grouping ------------------------------------------------------------------------------- */

static bool is_call(const struct expr *e, const char *name)
{
    return e->kind == EXPR_CALL && !e->call.op && strcmp(e->call.proc->name, name) == 0;
}

/* EXTRACT(YEAR …) and date_part: as many as lie between the least and the greatest value. */
static double distinct_parts(const struct plan_node *input, const struct expr *e)
{
    static const struct { const char *field; double count, us; } fields[] = {
        {"year", 0, 365.25 * 86400e6}, {"month", 12, 0}, {"quarter", 4, 0}, {"day", 31, 0},
        {"dow", 7, 0}, {"isodow", 7, 0}, {"hour", 24, 0}, {"minute", 60, 0}, {"week", 53, 0},
        {"doy", 366, 0}};
    struct column_facts f;
    double low, high;
    if (!(is_call(e, "extract") || is_call(e, "date_part")) || e->arg_count != 2) return 0;
    const struct expr *field = e->args[0];
    if (field->kind != EXPR_CONST || field->constant.null) return 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!slice_eq(bytes_slice(&field->constant.v.bytes), slice_of(fields[i].field))) continue;
        if (fields[i].count > 0) return fields[i].count;
        if (!column_facts_of(NULL, input, e->args[1], &f) || !f.statistics) return 0;
        const struct column_statistics *s = f.statistics;
        if (s->histogram_count < 2 || !stats_number(f.type, &s->histogram[0], &low) ||
            !stats_number(f.type, &s->histogram[s->histogram_count - 1], &high))
            return 0;
        return floor((high - low) / fields[i].us) + 1;
    }
    return 0;
}

static double distinct_of(const struct plan_node *input, const struct expr *e)
{
    struct column_facts f;
    if (e->kind == EXPR_CONST) return 1;
    if (column_facts_of(NULL, input, e, &f) && f.distinct > 0)
        return f.distinct + (stats_null_fraction(&f) > 0);
    double n = distinct_parts(input, e);
    return n > 0 ? n : e->type == TYPE_BOOL ? 2 : 0;
}

/* Has the expression another value in each row of its table? */
static bool is_unique(const struct plan_node *input, const struct expr *e)
{
    struct column_facts f;
    if (!column_facts_of(NULL, input, e, &f) || f.distinct <= 0) return false;
    return !f.statistics || f.statistics->distinct == -1;
}

double group_rows(const struct plan_node *input, struct expr *const *groups, uint32_t n)
{
    double product = 1, known = 1;
    bool unknown = false, unique = false;
    for (uint32_t i = 0; i < n; i++) {
        double one = distinct_of(input, groups[i]);
        unique |= one >= input->rows && is_unique(input, groups[i]);
        if (one == 0) {
            unknown = true;
            one = DISTINCT_DEFAULT;
        } else {
            known *= one;
        }
        product *= one;
        if (product > input->rows) product = input->rows;
    }
    /* Nothing known at all: a tenth, as long as that is more than the default would give. */
    if (unknown && known == 1 && input->rows / 10 > product) product = input->rows / 10;
    double rows = unique ? input->rows : stats_distinct_among(product, input->rows);
    return rows < 1 ? 1 : rows;
}

double distinct_rows(const struct plan_node *n, uint32_t columns)
{
    struct expr slots[KEYS_MAX], *items[KEYS_MAX];
    if (columns > KEYS_MAX) columns = KEYS_MAX;
    for (uint32_t i = 0; i < columns; i++) {
        slots[i] = (struct expr){.kind = EXPR_SLOT, .type = n->columns[i].type, .slot = i};
        items[i] = &slots[i];
    }
    return group_rows(n, items, columns);
}

void node_column_facts(struct plan_node *n, uint32_t column, const struct plan_node *input,
                       const struct expr *e)
{
    struct column_facts f;
    if (!column_facts_of(NULL, input, e, &f) || f.type != n->columns[column].type) {
        n->columns[column].distinct = distinct_parts(input, e);
        return;
    }
    n->columns[column].statistics = f.statistics;
    n->columns[column].distinct = f.distinct;
}
