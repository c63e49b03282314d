/* An aggregate in two steps: over the rows below a join, then over the joined groups.
 *
 * Only what comes out to the letter as in one step is split: counts, sums and averages of integers and
 * numerics, minima and the like; sums of floats are not, since their order would change. A sum of the
 * other side's values counts each as often as the group that it meets has rows. What is computed below is
 * computed for rows that the join may drop, so nothing there may raise an error. */
#include "sql/plan/group_below.h"

enum { AVG_INT8 = 2100, AVG_INT4 = 2101, AVG_INT2 = 2102, AVG_NUMERIC = 2103, SUM_INT8 = 2107,
       SUM_INT4 = 2108, SUM_INT2 = 2109, SUM_NUMERIC = 2114, COUNT_ANY = 2147, COUNT_STAR = 2803,
       BUILT_IN_END = 16384 };

enum part_kind {
    PART_NONE,    /* cannot be split */
    PART_SET,     /* how often a value comes does not matter */
    PART_COUNT,
    PART_SUM,
    PART_AVERAGE,
};

static enum part_kind kind_of(const struct proc_def *p)
{
    static const char *const of_sets[] = {"min", "max", "bool_and", "bool_or", "every", "bit_and",
                                          "bit_or"};
    switch (p->oid) {
    case COUNT_ANY:
    case COUNT_STAR: return PART_COUNT;
    case SUM_INT8:
    case SUM_INT4:
    case SUM_INT2:
    case SUM_NUMERIC: return PART_SUM;
    case AVG_INT8:
    case AVG_INT4:
    case AVG_INT2:
    case AVG_NUMERIC: return PART_AVERAGE;
    default: break;
    }
    for (size_t i = 0; i < sizeof of_sets / sizeof of_sets[0]; i++)
        if (p->oid < BUILT_IN_END && strcmp(p->name, of_sets[i]) == 0) return PART_SET;
    return PART_NONE;
}

/* --- what may be computed below ----------------------------------------------------------------- */

static bool is_inside(const struct split *s, const struct expr *e)
{
    return e->column.levels_up == 0 && relset_has(s->inside, e->column.relation);
}

/* Is the value NULL where the join gave the group NULLs alone? */
static bool null_if_absent(const struct split *s, const struct expr *e)
{
    if (e->kind == EXPR_COLUMN) return is_inside(s, e);
    if (e->kind == EXPR_CAST) return null_if_absent(s, e->args[0]);
    if (e->kind != EXPR_CALL || !e->call.proc->strict) return false;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (null_if_absent(s, e->args[i])) return true;
    return false;
}

static bool not_true_if_absent(const struct split *s, const struct expr *e)
{
    if (e->kind == EXPR_NULL_TEST)
        return e->negated && e->args[0]->type != TYPE_RECORD && null_if_absent(s, e->args[0]);
    if (e->kind != EXPR_BOOL) return null_if_absent(s, e);
    if (e->bool_op == BOOL_NOT) return null_if_absent(s, e->args[0]);
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (not_true_if_absent(s, e->args[i]) == (e->bool_op == BOOL_AND))
            return e->bool_op == BOOL_AND;
    return e->bool_op == BOOL_OR;
}

/* --- making expressions ------------------------------------------------------------------------- */

static struct expr *make(struct split *s, enum expr_kind kind, type_id type, struct expr **args,
                         uint32_t n)
{
    struct expr *e = ARENA_NEW(s->planner->arena, struct expr);
    e->kind = (uint8_t)kind;
    e->type = type;
    e->typmod = -1;
    e->location = -1;
    e->arg_count = n;
    if (n) e->args = arena_memdup(s->planner->arena, args, n * sizeof *args);
    return e;
}

static struct expr *cast_to(struct split *s, struct expr *e, type_id type)
{
    if (e->type == type) return e;
    struct expr *c = make(s, EXPR_CAST, type, &e, 1);
    c->cast.method = CAST_FUNCTION;
    return c;
}

static struct expr *numeric_operator(struct split *s, const char *name, struct expr *a, struct expr *b)
{
    struct expr *args[2] = {cast_to(s, a, TYPE_NUMERIC), cast_to(s, b, TYPE_NUMERIC)};
    struct expr *e = make(s, EXPR_CALL, TYPE_NUMERIC, args, 2);
    e->call.op = operator_exact(name, TYPE_NUMERIC, TYPE_NUMERIC);
    e->call.proc = proc_by_oid(e->call.op->proc);
    return e;
}

static struct expr *aggregate(struct split *s, oid_t oid, struct expr *arg, struct expr *filter)
{
    const struct proc_def *proc = proc_by_oid(oid);
    struct expr *e = make(s, EXPR_AGGREGATE, proc->result, &arg, arg ? 1 : 0);
    e->aggregate.proc = proc;
    e->aggregate.star = !arg;
    e->aggregate.filter = filter;
    return e;
}

static struct expr *zero_if_null(struct split *s, struct expr *e)
{
    struct expr *zero = expr_const(s->planner->arena, TYPE_INT8, (struct datum){0});
    struct expr *args[2] = {e, zero};
    return make(s, EXPR_COALESCE, TYPE_INT8, args, 2);
}

/* The sum of a column of integers or numerics, as `type`. */
static struct expr *total(struct split *s, struct expr *column, struct expr *filter, type_id type)
{
    bool integer = column->type == TYPE_INT8;
    return cast_to(s, aggregate(s, integer ? SUM_INT8 : SUM_NUMERIC, column, filter), type);
}

static struct expr *conjunction(struct split *s, struct expr *a, struct expr *b)
{
    struct expr *both[2] = {a, b};
    return a && b ? make_and(s->planner, both, 2) : a ? a : b;
}

/* --- columns of what is below ------------------------------------------------------------------- */

static struct expr *column_of_target(struct split *s, uint32_t i)
{
    const struct expr *of = s->targets.data[i].expr;
    struct expr *e = make(s, EXPR_COLUMN, of->type, NULL, 0);
    e->typmod = of->typmod;
    e->column.relation = s->relation;
    e->column.column = i;
    return e;
}

static uint32_t add_target(struct split *s, struct expr *e, const char *name)
{
    for (size_t i = 0; i < s->targets.count; i++)
        if (expr_equal(s->targets.data[i].expr, e)) return (uint32_t)i;
    ARENA_PUSH(s->planner->arena, &s->targets, (struct target){.expr = e, .name = name});
    return (uint32_t)s->targets.count - 1;
}

static struct expr *part(struct split *s, struct expr *aggregate)
{
    return column_of_target(s, add_target(s, aggregate, aggregate->aggregate.proc->name));
}

/* Equal values are one value: which of them stands for the group cannot be seen. */
static bool is_plain_type(const struct relation *r, uint32_t column)
{
    switch (r->columns[column].type) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BYTEA:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_UUID: return true;
    case TYPE_BPCHAR:
    case TYPE_NUMERIC: return r->kind == REL_TABLE && r->columns[column].typmod >= 0;
    default: return false;
    }
}

struct expr *split_column(struct split *s, const struct expr *column)
{
    const struct relation *r = s->relations[column->column.relation];
    uint32_t number = column->column.column;
    struct expr *own = arena_memdup(s->planner->arena, column, sizeof *own);
    own->column.levels_up = 0;
    own->location = -1;
    if (!is_plain_type(r, number)) s->fits = false;
    size_t known = s->targets.count;
    uint32_t i = add_target(s, own, r->columns[number].name);
    if (i == known) ARENA_PUSH(s->planner->arena, &s->groups, own);
    struct expr *made = column_of_target(s, i);
    made->column.levels_up = column->column.levels_up;
    made->location = column->location;
    return made;
}

/* How many rows of below a joined row stands for. */
static struct expr *rows_of_group(struct split *s)
{
    struct expr *count = part(s, aggregate(s, COUNT_STAR, NULL, NULL));
    if (!s->nullable) return count;
    struct expr *args[2] = {count, expr_const(s->planner->arena, TYPE_INT8, (struct datum){.v.i64 = 1})};
    return make(s, EXPR_COALESCE, TYPE_INT8, args, 2);
}

/* --- the two steps ------------------------------------------------------------------------------ */

/* Over values of below: `inner` filters there, `outer` the groups. */
static struct expr *from_inside(struct split *s, const struct expr *e, enum part_kind kind,
                                struct expr *inner, struct expr *outer)
{
    struct expr *x = e->arg_count ? e->args[0] : NULL;
    oid_t oid = e->aggregate.proc->oid;
    if (kind == PART_SET) {
        struct expr *once = aggregate(s, oid, x, inner);
        once->type = e->type; /* of a polymorphic function */
        struct expr *twice = aggregate(s, oid, part(s, once), outer);
        twice->type = e->type;
        return twice;
    }
    if (kind == PART_COUNT)
        return zero_if_null(s, total(s, part(s, aggregate(s, oid, x, inner)), outer, TYPE_INT8));
    if (kind == PART_SUM) return total(s, part(s, aggregate(s, oid, x, inner)), outer, e->type);
    static const oid_t sums[] = {SUM_INT8, SUM_INT4, SUM_INT2, SUM_NUMERIC};
    struct expr *sum = part(s, aggregate(s, sums[oid - AVG_INT8], x, inner));
    struct expr *count = part(s, aggregate(s, COUNT_ANY, x, inner));
    return numeric_operator(s, "/", total(s, sum, outer, TYPE_NUMERIC),
                            total(s, count, outer, TYPE_NUMERIC));
}

/* Over values of the other side, or none: each counts for all rows of the group. */
static struct expr *from_beside(struct split *s, const struct expr *e, enum part_kind kind,
                                struct expr *x, struct expr *filter)
{
    struct expr *rows = rows_of_group(s), *known = filter;
    if (x) {
        known = make(s, EXPR_NULL_TEST, TYPE_BOOL, &x, 1);
        known->negated = true;
        known = conjunction(s, filter, known);
    }
    if (kind == PART_COUNT) return zero_if_null(s, total(s, rows, known, TYPE_INT8));
    struct expr *sum = aggregate(s, SUM_NUMERIC, numeric_operator(s, "*", x, rows), filter);
    if (kind == PART_SUM) return cast_to(s, sum, e->type);
    return numeric_operator(s, "/", sum, total(s, rows, known, TYPE_NUMERIC));
}

static struct expr *child_above(void *ctx, struct expr *e)
{
    return split_above(ctx, e);
}

static struct expr *as_it_is(struct query_map *m, struct expr *e)
{
    return expr_map(m->arena, e, child_above, m);
}

struct expr *split_aggregate(struct split *s, struct query_map *m, struct expr *e)
{
    enum part_kind kind = kind_of(e->aggregate.proc);
    struct expr *x = e->arg_count ? e->args[0] : NULL, *filter = e->aggregate.filter;
    bool inside = false, beside = false, filter_inside = false, filter_beside = false;
    if (kind == PART_NONE || e->arg_count > 1 || e->aggregate.order_count || e->aggregate.direct_count) {
        s->fits = false;
        return e;
    }
    if (e->aggregate.distinct) return as_it_is(m, e);
    if (x) split_reads(s, x, &inside, &beside);
    if (filter) split_reads(s, filter, &filter_inside, &filter_beside);
    bool below = filter_inside && !filter_beside && cannot_fail(filter) &&
                 (!s->nullable || not_true_if_absent(s, filter));
    bool whole = x ? inside && !beside : below;
    if (whole && x && (!cannot_fail(x) || (s->nullable && !null_if_absent(s, x)))) {
        s->fits = false;
        return e;
    }
    if (inside && beside && kind != PART_SET) s->fits = false;
    if (!s->fits) return e;
    struct expr *outer = filter && !below ? split_above(m, filter) : NULL;
    if (whole) return from_inside(s, e, kind, below ? filter : NULL, outer);
    if (kind == PART_SET) return as_it_is(m, e);
    if (x && (x->type == TYPE_RECORD || x->type >= BUILT_IN_END)) s->fits = false;
    return from_beside(s, e, kind, x ? split_above(m, x) : NULL, filter ? split_above(m, filter) : NULL);
}
