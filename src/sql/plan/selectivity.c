/* Which part of the rows a condition keeps.
 *
 * A comparison of a column with a value is read from the column's statistics; what is not known has
 * PostgreSQL's default. Both ends of a range of one column count as one condition. Conditions of an
 * AND are seldom independent: the two most selective count in full, those after them less and less
 * (exponential backoff). */
#include "sql/plan/plan_priv.h"

#include <math.h>
#include <stdlib.h>

#include "types/array.h"
#include "types/cast.h"

enum { CONJUNCTS_MAX = 64, DEPTH_MAX = 32 };

struct scope {
    struct level *level;           /* that columns are of; NULL: there are slots only */
    const struct plan_node *input; /* that slots are of; NULL: there are columns only */
    struct arena *arena;
    int depth;
};

static double fraction_of(struct scope *s, const struct expr *e);

/* --- what expressions are ------------------------------------------------------------------- */

static const struct expr *without_casts(const struct expr *e)
{
    while (e->kind == EXPR_CAST && e->arg_count == 1 && e->cast.method != CAST_TEXT_IO &&
           e->cast.method != CAST_ARRAY)
        e = e->args[0];
    return e;
}

static bool unique_alone(const struct table_def *t, int16_t attnum)
{
    for (uint16_t i = 0; i < t->index_count; i++) {
        const struct index_def *x = t->indexes[i];
        if (x->unique && x->valid && x->key_count == 1 && !x->predicate_sql &&
            x->columns[0].column == attnum)
            return true;
    }
    return false;
}

static void table_facts(struct level *l, const struct relation *r, uint32_t column,
                        struct column_facts *ret)
{
    int16_t attnum = r->columns[column].attnum;
    if (attnum <= 0 || r->table->virtual_id >= 0 || attnum > r->table->column_count) return;
    double rows = relation_rows(l, r->table);
    ret->statistics = r->table->columns[attnum - 1].statistics;
    if (unique_alone(r->table, attnum)) ret->distinct = rows;
    else if (ret->statistics && ret->statistics->distinct != 0)
        ret->distinct = statistics_distinct(ret->statistics->distinct, rows);
}

bool column_facts_of(struct level *l, const struct plan_node *input, const struct expr *e,
                     struct column_facts *ret)
{
    e = without_casts(e);
    *ret = (struct column_facts){.type = e->type};
    if (e->kind == EXPR_SLOT && input && e->slot < input->column_count) {
        ret->statistics = input->columns[e->slot].statistics;
        ret->distinct = input->columns[e->slot].distinct;
        return true;
    }
    if (e->kind != EXPR_COLUMN || e->column.levels_up || !l) return false;
    const struct relation *r = l->query->relations[e->column.relation];
    if (e->column.column >= r->column_count) return false;
    if (r->kind == REL_TABLE) {
        table_facts(l, r, e->column.column, ret);
        return true;
    }
    const struct plan_node *made = l->planned[e->column.relation];
    if (made && e->column.column < made->column_count) {
        ret->statistics = made->columns[e->column.column].statistics;
        ret->distinct = made->columns[e->column.column].distinct;
    }
    return true;
}

/* Is the value known now? *ret_null: it is NULL. */
static bool known_value(struct scope *s, const struct expr *e, type_id *ret_type, union value *ret,
                        bool *ret_null)
{
    if (e->kind == EXPR_CONST) {
        *ret_type = e->type;
        *ret_null = e->constant.null;
        if (!*ret_null) *ret = e->constant.v;
        return true;
    }
    if (e->kind != EXPR_CAST || e->arg_count != 1 || e->cast.method == CAST_ARRAY) return false;
    type_id from;
    union value v;
    if (!known_value(s, e->args[0], &from, &v, ret_null)) return false;
    *ret_type = e->type;
    if (*ret_null) return true;
    if (e->cast.method == CAST_RELABEL || e->cast.method == CAST_TYPMOD) return *ret = v, true;
    if (cast_value(from, e->type, &v, &format_default, s->arena, ret) == OK) return true;
    error_clear();
    return false;
}

/* --- comparisons ---------------------------------------------------------------------------- */

enum comparison { CMP_NONE, CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

static enum comparison comparison_of(const char *op)
{
    static const char *const names[] = {"", "=", "<>", "<", "<=", ">", ">="};
    for (int i = CMP_EQ; i <= CMP_GE; i++)
        if (strcmp(op, names[i]) == 0) return (enum comparison)i;
    return CMP_NONE;
}

static enum comparison flip(enum comparison c)
{
    static const enum comparison flipped[] = {CMP_NONE, CMP_EQ, CMP_NE, CMP_GT, CMP_GE, CMP_LT,
                                              CMP_LE};
    return flipped[c];
}

static bool has_column(struct scope *s, const struct expr *e)
{
    struct column_facts f;
    return column_facts_of(s->level, s->input, e, &f);
}

static double default_comparison(enum comparison c)
{
    return c == CMP_EQ ? FRACTION_EQUAL : c == CMP_NE ? 1 - FRACTION_EQUAL : FRACTION_RANGE;
}

static double pair_fraction(const struct column_facts *a, const struct column_facts *b,
                            enum comparison c)
{
    double p;
    if (c == CMP_EQ || c == CMP_NE) {
        p = stats_join(a, b);
        if (p == 0) return default_comparison(c);
        return c == CMP_EQ ? p : 1 - p;
    }
    if (c == CMP_LT || c == CMP_LE) p = stats_pairs_below(a, b, c == CMP_LE);
    else p = stats_pairs_below(b, a, c == CMP_GE);
    return p < 0 ? default_comparison(c) : p;
}

static double compared(const struct column_facts *f, type_id type, const union value *v,
                       enum comparison c)
{
    double nulls = stats_null_fraction(f), p;
    switch (c) {
    case CMP_EQ: return stats_equal(f, type, v);
    case CMP_NE: p = 1 - nulls - stats_equal(f, type, v); break;
    case CMP_LT:
    case CMP_LE:
        p = v ? stats_below(f, type, v, c == CMP_LE) : -1;
        if (p < 0) return FRACTION_RANGE * (1 - nulls);
        break;
    default:
        p = v ? stats_below(f, type, v, c == CMP_GT) : -1;
        if (p < 0) return FRACTION_RANGE * (1 - nulls);
        p = 1 - nulls - p;
    }
    return p < 0 ? 0 : p;
}

/* --- the beginning of a text ------------------------------------------------------------------ */

static bool integer_const(const struct expr *e, int64_t *ret)
{
    if (e->kind != EXPR_CONST || e->constant.null || e->type != TYPE_INT4) return false;
    *ret = e->constant.v.i32;
    return true;
}

/* substring(column from 1 for n), left(column, n) */
static bool prefix_of(struct scope *s, const struct expr *e, struct column_facts *ret, int64_t *ret_len)
{
    int64_t first = 1;
    if (e->kind != EXPR_CALL || e->call.op || e->arg_count < 2) return false;
    const char *name = e->call.proc->name;
    bool part = (strcmp(name, "substring") == 0 || strcmp(name, "substr") == 0) && e->arg_count == 3;
    if (!part && !(strcmp(name, "left") == 0 && e->arg_count == 2)) return false;
    if (part && !(integer_const(e->args[1], &first) && first == 1)) return false;
    return integer_const(e->args[e->arg_count - 1], ret_len) && *ret_len > 0 &&
           column_facts_of(s->level, s->input, e->args[0], ret) && type_is_textual(ret->type);
}

/* As many rows begin so as match the pattern of that. Negative: it is no such expression. */
static double prefix_equal(struct scope *s, const struct expr *e, type_id type, const union value *v)
{
    struct column_facts f;
    int64_t len, chars = 0;
    if (!v || !type_is_textual(type) || !prefix_of(s, e, &f, &len)) return -1;
    struct slice text = bytes_slice(&v->bytes);
    struct strbuf pattern;
    strbuf_init(&pattern, s->arena);
    for (size_t i = 0; i < text.len; i++) {
        chars += ((uint8_t)text.data[i] & 0xc0) != 0x80;
        if (text.data[i] == '%' || text.data[i] == '_' || text.data[i] == '\\') strbuf_addc(&pattern, '\\');
        strbuf_addc(&pattern, text.data[i]);
    }
    if (chars > len) return 0;
    if (chars == len) strbuf_addc(&pattern, '%');
    return stats_like(&f, strbuf_slice(&pattern), false);
}

static double operator_fraction(struct scope *s, const struct expr *e)
{
    enum comparison c = comparison_of(e->call.op->name);
    if (e->arg_count != 2 || e->type != TYPE_BOOL) return FRACTION_RANGE;
    const struct expr *a = e->args[0], *b = e->args[1];
    struct column_facts f, g;
    if (!has_column(s, a) && has_column(s, b)) {
        const struct expr *t = a;
        a = b;
        b = t;
        c = flip(c);
    }
    bool column = column_facts_of(s->level, s->input, a, &f), null = false;
    type_id type = TYPE_NONE;
    union value v;
    bool known = known_value(s, b, &type, &v, &null);
    if (null) return 0;
    const char *op = e->call.op->name;
    if (strstr(op, "~~")) { /* ~~, !~~, ~~*, !~~* */
        double p = column && known && type_is_textual(type)
                       ? stats_like(&f, bytes_slice(&v.bytes), op[strlen(op) - 1] == '*')
                       : FRACTION_MATCH;
        return op[0] == '!' ? 1 - stats_null_fraction(&f) - p : p;
    }
    if (c == CMP_NONE) return op[0] == '~' ? FRACTION_MATCH : op[0] == '!' ? 1 - FRACTION_MATCH
                                                                           : FRACTION_RANGE;
    if (!column && (c == CMP_EQ || c == CMP_NE)) {
        double p = prefix_equal(s, a, type, known ? &v : NULL);
        if (p >= 0) return c == CMP_EQ ? p : 1 - p;
    }
    if (!column) return default_comparison(c);
    if (column_facts_of(s->level, s->input, b, &g)) return pair_fraction(&f, &g, c);
    return compared(&f, type, known ? &v : NULL, c);
}

static double list_fraction(struct scope *s, const struct expr *e)
{
    struct column_facts f;
    bool column = column_facts_of(s->level, s->input, e->args[0], &f);
    double sum = 0;
    for (uint32_t i = 1; i < e->arg_count; i++) {
        type_id type;
        union value v;
        bool null = false, known = known_value(s, e->args[i], &type, &v, &null);
        if (null) continue;
        double one = column ? stats_equal(&f, known ? type : TYPE_NONE, known ? &v : NULL)
                            : prefix_equal(s, e->args[0], known ? type : TYPE_NONE, known ? &v : NULL);
        sum += one < 0 ? FRACTION_EQUAL : one;
    }
    if (sum > 1) sum = 1;
    if (!e->call.op || strcmp(e->call.op->name, "<>") != 0) return sum;
    double p = 1 - sum - (column ? stats_null_fraction(&f) : 0);
    return p < 0 ? 0 : p;
}

static double any_fraction(struct scope *s, const struct expr *e)
{
    enum comparison c = e->any.op ? comparison_of(e->any.op->name) : CMP_NONE;
    struct column_facts f;
    type_id type;
    union value v;
    bool null = false;
    if (c == CMP_NONE || !column_facts_of(s->level, s->input, e->args[0], &f)) return 0.5;
    if (!known_value(s, e->args[1], &type, &v, &null)) {
        double one = compared(&f, TYPE_NONE, NULL, c);
        return e->any.all ? pow(one, 10) : one * 10 > 1 ? 1 : one * 10;
    }
    struct array_view array;
    if (null || array_open(&v.bytes, s->arena, &array) != OK) return error_clear(), 0;
    double sum = 0, product = 1;
    for (uint32_t i = 0; i < array.count; i++) {
        double one = array.elements[i].null
                         ? 0 : compared(&f, array.element, &array.elements[i].v, c);
        sum += one;
        product *= e->any.all ? one : 1 - one;
    }
    if (e->any.all) return c == CMP_NE ? fmax(0, 1 - array.count * (1 - product)) : product;
    return c == CMP_EQ ? fmin(1, sum) : 1 - product;
}

/* --- AND, OR -------------------------------------------------------------------------------- */

struct end {
    const struct expr *column;
    bool upper;
    double fraction, nulls;
};

/* Is the conjunct one end of a range of a column? */
static bool range_end(struct scope *s, const struct expr *e, struct end *ret)
{
    if (e->kind != EXPR_CALL || !e->call.op || e->arg_count != 2) return false;
    enum comparison c = comparison_of(e->call.op->name);
    struct column_facts f;
    if (c < CMP_LT) return false;
    bool left = column_facts_of(s->level, s->input, e->args[0], &f);
    if (left == has_column(s, e->args[1])) return false;
    if (!left) {
        c = flip(c);
        (void)column_facts_of(s->level, s->input, e->args[1], &f);
    }
    *ret = (struct end){without_casts(e->args[!left]), c == CMP_LT || c == CMP_LE,
                        fraction_of(s, e), stats_null_fraction(&f)};
    if (!f.statistics) ret->nulls = -1;
    return true;
}

static double both_ends(const struct end *a, const struct end *b)
{
    if (a->nulls < 0) return FRACTION_BOTH_ENDS;
    double p = a->fraction + b->fraction - 1 + a->nulls;
    /* A narrow range of what the histogram cannot tell apart. */
    double least = a->fraction * b->fraction * 0.001;
    return p < least ? least : p;
}

/* Conditions on different columns are taken to be independent. */
static double and_fraction(struct scope *s, struct expr *const *items, uint32_t n)
{
    double product = 1;
    struct end ends[CONJUNCTS_MAX];
    uint32_t end_count = 0;
    for (uint32_t i = 0; i < n && i < CONJUNCTS_MAX; i++) {
        struct end one;
        bool joined = false;
        if (!range_end(s, items[i], &one)) {
            product *= fraction_of(s, items[i]);
            continue;
        }
        for (uint32_t k = 0; k < end_count && !joined; k++) {
            if (!ends[k].column || !expr_equal(ends[k].column, one.column)) continue;
            joined = true;
            if (ends[k].upper == one.upper) {
                if (one.fraction < ends[k].fraction) ends[k].fraction = one.fraction;
                continue;
            }
            product *= both_ends(&ends[k], &one);
            ends[k].column = NULL;
        }
        if (!joined) ends[end_count++] = one;
    }
    for (uint32_t k = 0; k < end_count; k++)
        if (ends[k].column) product *= ends[k].fraction;
    return product;
}

/* Branches about one column exclude each other more often than not. */
static double or_fraction(struct scope *s, const struct expr *e)
{
    double none = 1, sum = 0;
    const struct expr *column = NULL;
    bool same = true;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct expr *one = e->args[i];
        double p = fraction_of(s, one);
        none *= 1 - p;
        sum += p;
        if (one->kind != EXPR_CALL || one->arg_count < 1) {
            same = false;
            continue;
        }
        const struct expr *c = without_casts(one->args[0]);
        if (!column) column = c;
        same = same && has_column(s, c) && expr_equal(column, c);
    }
    return same && sum < 1 ? sum : 1 - none;
}

static double nulls_in(struct scope *s, const struct expr *e)
{
    struct column_facts f;
    if (e->kind != EXPR_CALL && e->kind != EXPR_IN_LIST) return 0;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (column_facts_of(s->level, s->input, e->args[i], &f)) return stats_null_fraction(&f);
    return 0;
}

static double not_fraction(struct scope *s, const struct expr *e)
{
    double p = 1 - fraction_of(s, e) - nulls_in(s, e);
    return p < 0 ? 0 : p;
}

/* --- all of them ---------------------------------------------------------------------------- */

static double true_fraction(struct scope *s, const struct expr *e, bool wanted)
{
    struct column_facts f;
    union value v = {.b = wanted};
    if (!column_facts_of(s->level, s->input, e, &f) || !f.statistics) return 0.5;
    return stats_equal(&f, TYPE_BOOL, &v);
}

static double null_fraction(struct scope *s, const struct expr *e)
{
    struct column_facts f;
    bool known = column_facts_of(s->level, s->input, e->args[0], &f) && f.statistics;
    double p = known ? f.statistics->null_fraction : FRACTION_EQUAL;
    return e->negated ? 1 - p : p;
}

static double boolean_test(struct scope *s, const struct expr *e)
{
    switch (e->boolean_test) {
    case IS_TRUE: return fraction_of(s, e->args[0]);
    case IS_FALSE: return not_fraction(s, e->args[0]);
    case IS_NOT_TRUE: return 1 - fraction_of(s, e->args[0]);
    default: return 0.5;
    }
}

static double fraction_of(struct scope *s, const struct expr *e)
{
    double p = 0.5;
    if (s->depth >= DEPTH_MAX) return p;
    s->depth++;
    switch (e->kind) {
    case EXPR_CONST: p = !e->constant.null && e->constant.v.b; break;
    case EXPR_COLUMN:
    case EXPR_SLOT: p = true_fraction(s, e, true); break;
    case EXPR_CALL: p = e->call.op ? operator_fraction(s, e) : FRACTION_RANGE; break;
    case EXPR_IN_LIST: p = list_fraction(s, e); break;
    case EXPR_ANY: p = any_fraction(s, e); break;
    case EXPR_NULL_TEST: p = null_fraction(s, e); break;
    case EXPR_BOOLEAN_TEST: p = boolean_test(s, e); break;
    case EXPR_BOOL:
        if (e->bool_op == BOOL_NOT) p = not_fraction(s, e->args[0]);
        else if (e->bool_op == BOOL_OR) p = or_fraction(s, e);
        else p = and_fraction(s, e->args, e->arg_count);
        break;
    default: break;
    }
    s->depth--;
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

double condition_fraction(struct planner *p, struct level *l, const struct plan_node *input,
                          const struct expr *e)
{
    struct scope s = {l, input, p->arena, 0};
    return e ? fraction_of(&s, e) : 1;
}
