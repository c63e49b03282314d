#include "exec/ops/column_conditions.h"

#include "exec/ops/row_filter.h"
#include "types/array.h"
#include "types/datetime.h"

enum { IN_MAX = 1000, EXTRA_TESTS = 2 * ROW_FILTERS_MAX };
static const int64_t us_per_day = 86400000000;

/* --- what a conjunct says ---------------------------------------------------------------------- */

enum form { FORM_NONE, FORM_COMPARISON, FORM_LIKE, FORM_IN, FORM_ANY, FORM_NULL, FORM_BOOL };

struct match {
    enum form form;
    enum column_op op;
    uint32_t slot;
    const struct expr *e;     /* IN: the whole */
    const struct expr *value; /* else, where there is one */
};

static bool no_slot(void *ctx, const struct expr *e)
{
    if (!e) return true;
    if (e->kind == EXPR_SLOT || e->kind == EXPR_SUBQUERY) return false;
    return expr_walk(e, no_slot, ctx);
}

/* Is it known before a row is read? */
static bool is_given(const struct expr *e)
{
    return no_slot(NULL, e) && !expr_is_volatile(e);
}

static const struct expr *bare(const struct expr *e)
{
    while (e->kind == EXPR_CAST && e->cast.method == CAST_RELABEL) e = e->args[0];
    return e;
}

static bool is_testable(type_id t)
{
    switch (t) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID: return true;
    default: return false;
    }
}

/* The slot of a plain column of the scan. */
static bool as_slot(const struct plan_node *n, const struct expr *e, uint32_t *ret)
{
    e = bare(e);
    if (e->kind != EXPR_SLOT || e->slot >= n->scan.fetch_count) return false;
    *ret = e->slot;
    return is_testable(n->columns[e->slot].type);
}

static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static bool is_text(type_id t)
{
    return t == TYPE_TEXT || t == TYPE_VARCHAR;
}

/* Does the operator order a column of that type as its values are ordered, against values of the other
 * side's type? */
static bool is_own_order(type_id column, type_id operand, type_id value)
{
    if (is_text(column)) return is_text(operand) && is_text(value);
    if (column != operand) return false;
    return column == value || (is_integer(column) && is_integer(value)) ||
           (column == TYPE_DATE && value == TYPE_TIMESTAMP);
}

static bool op_of(const char *name, bool flipped, enum column_op *ret)
{
    static const struct {
        const char *name;
        enum column_op op, flipped;
    } list[] = {{"=", COLUMN_EQ, COLUMN_EQ},  {"<>", COLUMN_NE, COLUMN_NE},
                {"<", COLUMN_LT, COLUMN_GT},  {"<=", COLUMN_LE, COLUMN_GE},
                {">", COLUMN_GT, COLUMN_LT},  {">=", COLUMN_GE, COLUMN_LE}};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (strcmp(name, list[i].name) != 0) continue;
        *ret = flipped ? list[i].flipped : list[i].op;
        return true;
    }
    return false;
}

static bool match_call(const struct plan_node *n, const struct expr *e, struct match *ret)
{
    const struct operator_def *o = e->call.op;
    if (!o || e->arg_count != 2) return false;
    for (int side = 0; side < 2; side++) {
        if (!as_slot(n, e->args[side], &ret->slot) || !is_given(e->args[1 - side])) continue;
        type_id column = n->columns[ret->slot].type;
        ret->value = e->args[1 - side];
        if (side == 0 && strcmp(o->name, "~~") == 0 && is_text(column)) {
            ret->form = FORM_LIKE;
            return true;
        }
        ret->form = FORM_COMPARISON;
        return op_of(o->name, side == 1, &ret->op) &&
               is_own_order(column, side ? o->right : o->left, side ? o->left : o->right);
    }
    return false;
}

static bool match_list(const struct plan_node *n, const struct expr *e, struct match *ret)
{
    const struct operator_def *o = e->call.op;
    if (!o || strcmp(o->name, "=") != 0 || e->arg_count - 1 > IN_MAX) return false;
    if (!as_slot(n, e->args[0], &ret->slot)) return false;
    if (!is_own_order(n->columns[ret->slot].type, o->left, o->right)) return false;
    for (uint32_t i = 1; i < e->arg_count; i++)
        if (!is_given(e->args[i])) return false;
    ret->form = FORM_IN;
    return true;
}

static bool match_any(const struct plan_node *n, const struct expr *e, struct match *ret)
{
    const struct operator_def *o = e->any.op;
    if (e->any.all || !o || strcmp(o->name, "=") != 0 || !is_given(e->args[1])) return false;
    if (!as_slot(n, e->args[0], &ret->slot)) return false;
    const struct type_info *array = type_get(e->args[1]->type);
    type_id column = n->columns[ret->slot].type;
    if (!array || !is_own_order(column, o->left, o->right)) return false;
    ret->form = FORM_ANY;
    ret->value = e->args[1];
    return array->element == column || (is_text(array->element) && is_text(column));
}

static bool match_of(const struct plan_node *n, const struct expr *e, struct match *ret)
{
    *ret = (struct match){.e = e};
    switch (e->kind) {
    case EXPR_CALL: return match_call(n, e, ret);
    case EXPR_IN_LIST: return match_list(n, e, ret);
    case EXPR_ANY: return match_any(n, e, ret);
    case EXPR_NULL_TEST:
        ret->form = FORM_NULL;
        ret->op = e->negated ? COLUMN_IS_NOT_NULL : COLUMN_IS_NULL;
        return as_slot(n, e->args[0], &ret->slot);
    case EXPR_SLOT:
        ret->form = FORM_BOOL;
        return e->type == TYPE_BOOL && as_slot(n, e, &ret->slot);
    default: return false;
    }
}

bool column_conditions_take(const struct plan_node *n, const struct expr *conjunct)
{
    struct match m;
    return match_of(n, conjunct, &m);
}

/* --- values ------------------------------------------------------------------------------------ */

/* A midnight between two days says the same as the day; an hour of a day stands after it. */
static bool date_for(enum column_op *op, struct datum *d)
{
    int64_t us = d->v.i64, day = us / us_per_day;
    if (us == INT64_MAX || us == INT64_MIN) return false;
    if (us % us_per_day < 0) day--;
    bool exact = us == day * us_per_day;
    if (day <= INT32_MIN || day >= INT32_MAX) return false;
    if (!exact && (*op == COLUMN_EQ || *op == COLUMN_NE)) return false;
    if (!exact && *op == COLUMN_LT) *op = COLUMN_LE;
    if (!exact && *op == COLUMN_GE) *op = COLUMN_GT;
    d->v = (union value){.i32 = (int32_t)day};
    return true;
}

static int64_t integer_of(type_id t, const union value *v)
{
    return t == TYPE_INT2 ? v->i16 : t == TYPE_INT4 ? v->i32 : v->i64;
}

/* A value as one of the column's type; false: there is none. */
static bool as_column(type_id column, type_id from, enum column_op *op, struct datum *d)
{
    if (from == column || (is_text(from) && is_text(column))) return true;
    if (column == TYPE_DATE && from == TYPE_TIMESTAMP) return date_for(op, d);
    if (!is_integer(from) || !is_integer(column)) return false;
    int64_t v = integer_of(from, &d->v);
    d->v = (union value){.i64 = v};
    if (column == TYPE_INT8) return true;
    if (column == TYPE_INT4) {
        d->v = (union value){.i32 = (int32_t)v};
        return v >= INT32_MIN && v <= INT32_MAX;
    }
    d->v = (union value){.i16 = (int16_t)v};
    return v >= INT16_MIN && v <= INT16_MAX;
}

struct maker {
    struct execution *x;
    const struct plan_node *n;
    struct arena *a;
    struct column_conditions *c;
};

static void add_test(struct maker *m, uint32_t column, enum column_op op, const struct datum *values,
                     uint32_t count)
{
    struct column_conditions *c = m->c;
    if (c->test_count == c->test_room) return;
    c->tests[c->test_count++] = (struct column_condition){
        column, {op, count, arena_memdup(m->a, values, count * sizeof *values)}};
}

/* What cannot be computed is met again by the scan's steps, if there is a row. */
static enum status value_of(struct maker *m, const struct expr *e, struct datum *ret, bool *ret_any)
{
    enum status st = exec_eval_row(m->x, e, NULL, m->a, ret);
    *ret_any = st == OK;
    if (st == OK || st == QUERY_CANCELED || st == OUT_OF_MEMORY) return st;
    error_clear();
    return OK;
}

static enum status add_comparison(struct maker *m, const struct match *t, bool *ret_whole)
{
    enum column_op op = t->op;
    struct datum d;
    TRY(value_of(m, t->value, &d, ret_whole));
    if (!*ret_whole) return OK;
    if (d.null) m->c->never = true;
    else if (as_column(m->n->columns[t->slot].type, t->value->type, &op, &d))
        add_test(m, t->slot, op, &d, 1);
    else *ret_whole = false;
    return OK;
}

/* What stands before the first character that means more than itself is a prefix; if nothing but % follows,
 * that is all that the pattern says. */
static enum status add_like(struct maker *m, const struct match *t, bool *ret_whole)
{
    struct datum d;
    TRY(value_of(m, t->value, &d, ret_whole));
    if (!*ret_whole) return OK;
    if (d.null) {
        m->c->never = true;
        return OK;
    }
    struct slice s = bytes_slice(&d.v.bytes);
    size_t n = 0;
    while (n < s.len && s.data[n] != '%' && s.data[n] != '_' && s.data[n] != '\\') n++;
    bool whole = n == s.len, prefix = n + 1 == s.len && s.data[n] == '%';
    struct datum v = {.v.bytes = bytes_ref(arena_memdup(m->a, s.data, n), (uint32_t)n)};
    *ret_whole = whole || prefix;
    if (whole) add_test(m, t->slot, COLUMN_EQ, &v, 1);
    else if (n) add_test(m, t->slot, COLUMN_PREFIX, &v, 1);
    else if (prefix) add_test(m, t->slot, COLUMN_IS_NOT_NULL, NULL, 0);
    return OK;
}

static void add_in(struct maker *m, uint32_t column, const struct datum *values, uint32_t count)
{
    if (!count) m->c->never = true;
    else add_test(m, column, count == 1 ? COLUMN_EQ : COLUMN_IN, values, count);
}

/* NULLs in a list, and what no value of the column's type equals, make nothing true. */
static enum status add_list(struct maker *m, const struct match *t, bool *ret_whole)
{
    const struct expr *e = t->e;
    struct datum *values = ARENA_ARRAY(m->a, struct datum, e->arg_count);
    uint32_t count = 0;
    for (uint32_t i = 1; i < e->arg_count; i++) {
        enum column_op op = COLUMN_EQ;
        struct datum d;
        TRY(value_of(m, e->args[i], &d, ret_whole));
        if (!*ret_whole) return OK;
        if (!d.null && as_column(m->n->columns[t->slot].type, e->args[i]->type, &op, &d))
            values[count++] = d;
    }
    add_in(m, t->slot, values, count);
    return OK;
}

static enum status add_array(struct maker *m, uint32_t column, const struct expr *e, bool *ret_whole)
{
    struct array_view view = {0};
    struct datum d;
    TRY(value_of(m, e, &d, ret_whole));
    if (!*ret_whole) return OK;
    if (!d.null) TRY(array_open(&d.v.bytes, m->a, &view));
    struct datum *values = ARENA_ARRAY(m->a, struct datum, view.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < view.count; i++)
        if (!view.elements[i].null) values[count++] = view.elements[i];
    *ret_whole = count <= IN_MAX;
    if (*ret_whole) add_in(m, column, values, count);
    return OK;
}

static enum status add_conjunct(struct maker *m, const struct expr *e)
{
    const struct datum yes = {.v.b = true};
    struct match t;
    bool whole = match_of(m->n, e, &t);
    if (whole) {
        switch (t.form) {
        case FORM_COMPARISON: TRY(add_comparison(m, &t, &whole)); break;
        case FORM_LIKE: TRY(add_like(m, &t, &whole)); break;
        case FORM_IN: TRY(add_list(m, &t, &whole)); break;
        case FORM_ANY: TRY(add_array(m, t.slot, t.value, &whole)); break;
        case FORM_NULL: add_test(m, t.slot, t.op, NULL, 0); break;
        default: add_test(m, t.slot, COLUMN_EQ, &yes, 1);
        }
    }
    if (!whole) m->c->rest[m->c->rest_count++] = e;
    return OK;
}

/* --- key ranges -------------------------------------------------------------------------------- */

/* The key's column among those of the request: added when the plan does not fetch it. */
static uint32_t key_column(struct maker *m, uint32_t part, uint32_t *numbers, type_id *types)
{
    const struct table_def *t = m->n->scan.table;
    int16_t attnum = t->primary->columns[part].column;
    uint32_t number = 0;
    while (number < t->column_count && t->columns[number].number != attnum) number++;
    for (uint32_t i = 0; i < m->c->count; i++)
        if (numbers[i] == number) return i;
    numbers[m->c->count] = number;
    types[m->c->count] = t->columns[number].type;
    return m->c->count++;
}

static enum status add_bound(struct maker *m, uint32_t column, enum column_op op, const struct expr *e)
{
    struct datum d;
    TRY(exec_eval_row(m->x, e, NULL, m->a, &d));
    if (d.null) m->c->never = true;
    else add_test(m, column, op, &d, 1);
    return OK;
}

/* The planner made values of the column's type of them. */
static enum status add_range(struct maker *m, uint32_t *numbers, type_id *types)
{
    const struct key_range *k = &m->n->scan.range;
    uint32_t next = k->equal_count;
    for (uint32_t i = 0; i < next; i++)
        TRY(add_bound(m, key_column(m, i, numbers, types), COLUMN_EQ, k->equal[i]));
    if (!k->lower && !k->upper && !k->in_list && !k->in_array) return OK;
    uint32_t column = key_column(m, next, numbers, types);
    if (k->in_array) {
        bool whole;
        return add_array(m, column, k->in_array, &whole);
    }
    if (k->in_list) {
        struct datum *values = ARENA_ARRAY(m->a, struct datum, k->in_count + 1);
        uint32_t count = 0;
        for (uint32_t i = 0; i < k->in_count; i++) {
            TRY(exec_eval_row(m->x, k->in_list[i], NULL, m->a, &values[count]));
            count += !values[count].null;
        }
        add_in(m, column, values, count);
        return OK;
    }
    if (k->lower)
        TRY(add_bound(m, column, k->lower_inclusive ? COLUMN_GE : COLUMN_GT, k->lower));
    if (k->upper)
        TRY(add_bound(m, column, k->upper_inclusive ? COLUMN_LE : COLUMN_LT, k->upper));
    return OK;
}

/* --- filters of joins -------------------------------------------------------------------------- */

/* A join's keys lie between two values: whole blocks may lie outside. */
static void add_filters(struct maker *m)
{
    struct row_filters filters;
    row_filters_begin(&filters, m->x, m->n);
    for (uint32_t i = 0; i < filters.count; i++) {
        const struct row_filter *f = filters.filters[i];
        type_id type = m->n->columns[f->slot].type;
        if (!f->keys->packed || f->keys->count != 1 || !f->table->count) continue;
        struct datum ends[2] = {{.null = false}, {.null = false}};
        switch (type_rep(type)) {
        case REP_I16:
            ends[0].v.i16 = (int16_t)f->table->min;
            ends[1].v.i16 = (int16_t)f->table->max;
            break;
        case REP_I32:
            ends[0].v.i32 = (int32_t)f->table->min;
            ends[1].v.i32 = (int32_t)f->table->max;
            break;
        case REP_I64:
            ends[0].v.i64 = f->table->min;
            ends[1].v.i64 = f->table->max;
            break;
        default: continue;
        }
        if (is_testable(type)) add_test(m, f->slot, COLUMN_BETWEEN, ends, 2);
    }
}

/* --- all together ------------------------------------------------------------------------------ */

enum status column_conditions_make(struct execution *x, const struct plan_node *n, struct arena *a,
                                   struct column_conditions *ret)
{
    struct maker m = {x, n, a, ret};
    const struct expr *f = n->filter;
    bool is_and = f && f->kind == EXPR_BOOL && f->bool_op == BOOL_AND;
    uint32_t conjuncts = is_and ? f->arg_count : 1, keys = n->scan.table->primary
                                                              ? n->scan.table->primary->key_count : 0;
    uint32_t *numbers = ARENA_ARRAY(a, uint32_t, n->scan.fetch_count + keys + 1);
    type_id *types = ARENA_ARRAY(a, type_id, n->scan.fetch_count + keys + 1);
    *ret = (struct column_conditions){.numbers = numbers, .types = types,
                                      .count = n->scan.fetch_count};
    for (uint32_t i = 0; i < n->scan.fetch_count; i++) {
        numbers[i] = n->scan.fetch[i];
        types[i] = n->columns[i].type;
    }
    ret->test_room = conjuncts + keys + EXTRA_TESTS;
    ret->tests = ARENA_ARRAY(a, struct column_condition, ret->test_room);
    ret->rest = ARENA_ARRAY(a, const struct expr *, conjuncts + 1);
    TRY(add_range(&m, numbers, types));
    for (uint32_t i = 0; f && i < conjuncts; i++) TRY(add_conjunct(&m, is_and ? f->args[i] : f));
    add_filters(&m);
    return OK;
}
