/* How a table is read: whole, by its primary key, or by a secondary index.
 *
 * A conjunct `column op value` serves an index when op is the column type's own comparison and value
 * reads nothing of the table. What the key range says exactly is not checked again. */
#include "sql/plan/plan_priv.h"
#include "catalog/table_storage.h"
#include "sql/plan/partial.h"
#include "types/cast.h"

enum { IN_LIST_MAX = 1000 };

#define ROWS_UNKNOWN 1000.0

double relation_rows(struct level *l, const struct table_def *t)
{
    const struct planner_env *env = l->planner->env;
    double rows = t->kind == 'S' ? 1 : t->virtual_id >= 0 ? 200 : env->table_rows(env->ctx, t);
    return rows < 0 ? ROWS_UNKNOWN : rows < 1 ? 1 : rows;
}

/* --- matching conjuncts --------------------------------------------------------------------- */

struct match {
    enum { MATCH_NONE, MATCH_EQ, MATCH_LT, MATCH_LE, MATCH_GT, MATCH_GE, MATCH_IN, MATCH_ANY } kind;
    uint32_t column;      /* of the relation, or an expression's number */
    struct expr *value;
    struct expr *conjunct;
};

/* The relation's column under casts that change no bits; UINT32_MAX when it is none. */
static uint32_t as_column(const struct expr *e, uint32_t relation)
{
    while (e->kind == EXPR_CAST && e->cast.method == CAST_RELABEL) e = e->args[0];
    if (e->kind != EXPR_COLUMN || e->column.levels_up || e->column.relation != relation)
        return UINT32_MAX;
    return e->column.column;
}

/* An index's expression as a number that no column has: of the first index that has it. UINT32_MAX:
 * none. Relations of more columns than that there are not. */
static uint32_t as_expression(const struct relation *r, const struct expr *e)
{
    for (uint16_t i = 0; r->rules && i < r->table->index_count; i++)
        for (uint16_t k = 0; r->rules[i].keys && k < r->table->indexes[i]->key_count; k++)
            if (r->rules[i].keys[k] && expr_equal(r->rules[i].keys[k], e))
                return (uint32_t)(i + 1) << 16 | k;
    return UINT32_MAX;
}

/* What an index may be keyed by: a column, else an expression. */
static uint32_t as_key_part(struct level *l, const struct expr *e, uint32_t relation)
{
    const struct relation *r = l->query->relations[relation];
    uint32_t c = as_column(e, relation);
    if (c != UINT32_MAX || !r->rules) return c;
    c = as_expression(r, e);
    if (c == UINT32_MAX && e->kind == EXPR_CAST && e->cast.method == CAST_RELABEL)
        c = as_expression(r, e->args[0]);
    return c;
}

static type_id key_type(const struct relation *r, uint32_t key)
{
    if (key < 1u << 16) return r->columns[key].type;
    return r->rules[(key >> 16) - 1].keys[key & 0xffff]->type;
}

static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static struct expr *cast_expr(struct planner *p, struct expr *e, type_id type, uint8_t method)
{
    struct expr *c = ARENA_NEW(p->arena, struct expr);
    c->kind = EXPR_CAST;
    c->type = type;
    c->typmod = -1;
    c->location = -1;
    c->arg_count = 1;
    c->args = arena_memdup(p->arena, &e, sizeof e);
    c->cast.method = method;
    return c;
}

/* The value as one of the column's type with the same order, or NULL. */
static struct expr *as_key(struct level *l, struct expr *value, type_id column)
{
    static const struct { type_id narrow; int64_t min, max; } ranges[] = {
        {TYPE_INT2, INT16_MIN, INT16_MAX}, {TYPE_INT4, INT32_MIN, INT32_MAX}};
    if (value->type == column) return value;
    if (type_rep(value->type) == REP_BYTES && type_rep(column) == REP_BYTES &&
        type_is_textual(value->type) && type_is_textual(column) && column != TYPE_BPCHAR &&
        value->type != TYPE_BPCHAR)
        return cast_expr(l->planner, value, column, CAST_RELABEL);
    if (type_rep(value->type) == REP_U32 && type_rep(column) == REP_U32)
        return cast_expr(l->planner, value, column, CAST_RELABEL);
    if (!is_integer(value->type) || !is_integer(column)) return NULL;
    if (type_get(value->type)->width < type_get(column)->width)
        return cast_expr(l->planner, value, column, CAST_FUNCTION);
    if (value->kind != EXPR_CONST || value->constant.null) return NULL;
    int64_t v = value->type == TYPE_INT8 ? value->constant.v.i64 : value->constant.v.i32;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].narrow == column && (v < ranges[i].min || v > ranges[i].max)) return NULL;
    return cast_expr(l->planner, value, column, CAST_FUNCTION);
}

/* May the value be computed before the relation is read? */
static bool is_given(struct level *l, const struct expr *e, const uint64_t *given)
{
    if (expr_is_volatile(e) || expr_has_subquery(e)) return false;
    return relset_subset(l, expr_relations(l, e), given);
}

static int comparison_of(const char *op, bool flipped)
{
    if (strcmp(op, "=") == 0) return MATCH_EQ;
    if (strcmp(op, "<") == 0) return flipped ? MATCH_GT : MATCH_LT;
    if (strcmp(op, "<=") == 0) return flipped ? MATCH_GE : MATCH_LE;
    if (strcmp(op, ">") == 0) return flipped ? MATCH_LT : MATCH_GT;
    if (strcmp(op, ">=") == 0) return flipped ? MATCH_LE : MATCH_GE;
    return MATCH_NONE;
}

static struct match match_operator(struct level *l, uint32_t relation, struct expr *e,
                                   const uint64_t *given)
{
    struct match m = {.kind = MATCH_NONE, .conjunct = e};
    if (!e->call.op || e->arg_count != 2) return m;
    for (int side = 0; side < 2 && m.kind == MATCH_NONE; side++) {
        uint32_t c = as_key_part(l, e->args[side], relation);
        if (c == UINT32_MAX || !is_given(l, e->args[1 - side], given)) continue;
        struct expr *value =
            as_key(l, e->args[1 - side], key_type(l->query->relations[relation], c));
        if (!value) continue;
        m.kind = comparison_of(e->call.op->name, side == 1);
        m.column = c;
        m.value = value;
    }
    return m;
}

static struct match match_conjunct(struct level *l, uint32_t relation, struct expr *e,
                                   const uint64_t *given)
{
    struct match m = {.kind = MATCH_NONE, .conjunct = e};
    const struct relation *r = l->query->relations[relation];
    if (e->kind == EXPR_CALL) return match_operator(l, relation, e, given);
    if (e->kind == EXPR_COLUMN && e->type == TYPE_BOOL) return m;
    if (e->kind == EXPR_IN_LIST && e->call.op && strcmp(e->call.op->name, "=") == 0) {
        uint32_t c = as_key_part(l, e->args[0], relation);
        if (c == UINT32_MAX || e->arg_count - 1 > IN_LIST_MAX) return m;
        struct expr *list = arena_memdup(l->planner->arena, e, sizeof *e);
        list->args = arena_memdup(l->planner->arena, e->args, e->arg_count * sizeof *e->args);
        for (uint32_t i = 1; i < e->arg_count; i++) {
            if (!is_given(l, e->args[i], given)) return m;
            list->args[i] = as_key(l, e->args[i], key_type(r, c));
            if (!list->args[i]) return m;
        }
        m.kind = MATCH_IN;
        m.column = c;
        m.value = list;
    }
    if (e->kind == EXPR_ANY && !e->any.all && e->any.op && strcmp(e->any.op->name, "=") == 0) {
        uint32_t c = as_key_part(l, e->args[0], relation);
        const struct type_info *array = type_get(e->args[1]->type);
        if (c == UINT32_MAX || !is_given(l, e->args[1], given)) return m;
        if (!array || array->element != key_type(r, c)) return m;
        m.kind = MATCH_ANY;
        m.column = c;
        m.value = e->args[1];
    }
    return m;
}

/* --- one index ------------------------------------------------------------------------------ */

struct matches {
    struct match *items;
    uint32_t count;
};

static const struct match *find_match(const struct matches *m, uint32_t column, int kind)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->items[i].column == column && (int)m->items[i].kind == kind) return &m->items[i];
    return NULL;
}

static uint32_t relation_column(const struct relation *r, int16_t attnum)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (r->columns[i].attnum == attnum) return i;
    return UINT32_MAX;
}

static uint32_t index_key(const struct relation *r, const struct index_def *x, uint16_t i)
{
    if (x->columns[i].column > 0) return relation_column(r, x->columns[i].column);
    for (uint16_t k = 0; r->rules && k < r->table->index_count; k++)
        if (r->table->indexes[k] == x && r->rules[k].keys)
            return as_expression(r, r->rules[k].keys[i]);
    return UINT32_MAX;
}

static void take(struct level *l, struct access_path *p, const struct match *m)
{
    ARENA_PUSH(l->planner->arena, &p->keyed, m->conjunct);
}

/* A bound on the next column. */
static void add_range(struct level *l, const struct matches *m, uint32_t column,
                      struct access_path *p)
{
    const struct match *low = find_match(m, column, MATCH_GE), *high = find_match(m, column, MATCH_LE);
    if (!low) low = find_match(m, column, MATCH_GT);
    if (!high) high = find_match(m, column, MATCH_LT);
    if (low) {
        p->range.lower = low->value;
        p->range.lower_inclusive = low->kind == MATCH_GE;
        take(l, p, low);
    }
    if (high) {
        p->range.upper = high->value;
        p->range.upper_inclusive = high->kind == MATCH_LE;
        take(l, p, high);
    }
}

/* Which part of the table a key range holds: by the conditions it stands for, and where the index
 * tells how many values its first columns have together, by that. */
static double keyed_fraction(struct level *l, uint32_t relation, const struct index_def *x,
                             const struct access_path *p)
{
    struct planner *planner = l->planner;
    const struct table_def *t = l->query->relations[relation]->table;
    uint32_t n = p->range.equal_count;
    double given = 1, rows = relation_rows(l, t);
    if (n < 2 || !x->prefix_distinct || x->prefix_distinct[n - 1] == 0)
        return condition_fraction(planner, l, NULL,
                                  make_and(planner, p->keyed.data, (uint32_t)p->keyed.count));
    given = 1 / statistics_distinct(x->prefix_distinct[n - 1], rows);
    if (p->keyed.count > n)
        given *= condition_fraction(planner, l, NULL,
                                    make_and(planner, p->keyed.data + n, (uint32_t)p->keyed.count - n));
    return given;
}

static void use_index(struct level *l, uint32_t relation, const struct index_def *x,
                      const struct matches *m, double table_rows, struct access_path *ret)
{
    const struct relation *r = l->query->relations[relation];
    struct access_path p = {.index = x, .rows = table_rows};
    uint32_t columns[TABLE_COLUMNS_MAX > 64 ? 64 : TABLE_COLUMNS_MAX];
    uint32_t probes = 1;
    p.range.equal = ARENA_ARRAY(l->planner->arena, struct expr *, x->key_count);
    for (uint16_t i = 0; i < x->key_count && i < 64; i++) {
        columns[i] = index_key(r, x, i);
        const struct match *eq =
            columns[i] == UINT32_MAX ? NULL : find_match(m, columns[i], MATCH_EQ);
        if (eq) {
            p.range.equal[p.range.equal_count++] = eq->value;
            take(l, &p, eq);
            continue;
        }
        if (columns[i] == UINT32_MAX) break;
        const struct match *in = find_match(m, columns[i], MATCH_IN);
        const struct match *any = in ? NULL : find_match(m, columns[i], MATCH_ANY);
        if (in) {
            p.range.in_list = in->value->args + 1;
            p.range.in_count = in->value->arg_count - 1;
            probes = p.range.in_count;
            take(l, &p, in);
        } else if (any) {
            p.range.in_array = any->value;
            probes = 10;
            take(l, &p, any);
        } else {
            add_range(l, m, columns[i], &p);
        }
        break;
    }
    if (!p.keyed.count) return;
    p.rows *= keyed_fraction(l, relation, x, &p);
    bool full = p.range.equal_count + (p.range.in_list || p.range.in_array) == x->key_count;
    p.unique = x->unique && !x->deferrable && p.range.equal_count == x->key_count;
    if (x->unique && full && p.rows > probes) p.rows = probes;
    if (p.rows < 1) p.rows = 1;
    p.cost = COST_PROBE * probes + p.rows * (x->tree ? COST_FETCH : COST_ROW);
    if (p.keyed.count && (p.cost < ret->cost || (p.unique && !ret->unique))) *ret = p;
}

/* Of a whole scan: columns are read where there are some. */
static double scan_row_cost(struct level *l, const struct table_def *t)
{
    bool columns = l->planner->env->columns && table_has_columns(t);
    return columns ? COST_COLUMN_ROW : COST_ROW;
}

void choose_access(struct level *l, uint32_t relation, struct expr **conjuncts, uint32_t n,
                   const uint64_t *given, struct access_path *ret)
{
    const struct table_def *t = l->query->relations[relation]->table;
    double rows = relation_rows(l, t);
    struct matches m = {ARENA_ARRAY(l->planner->arena, struct match, n), 0};
    *ret = (struct access_path){.rows = rows, .cost = rows * scan_row_cost(l, t)};
    if (t->virtual_id >= 0 || !t->tree) return;
    if (l->query->relations[relation]->sample) return; /* what is in it is not known by key */
    for (uint32_t i = 0; i < n; i++) {
        struct match one = match_conjunct(l, relation, conjuncts[i], given);
        if (one.kind != MATCH_NONE) m.items[m.count++] = one;
    }
    for (uint16_t i = 0; i < t->index_count; i++) {
        const struct index_def *x = t->indexes[i];
        bool covers = !x->predicate_sql || index_covers(l, relation, i, conjuncts, n);
        if (x->valid && covers) use_index(l, relation, x, &m, rows, ret);
    }
    if (l->query->relations[relation]->rules) note_literals(l, relation, conjuncts, n);
}

/* --- the scan node -------------------------------------------------------------------------- */

static bool is_keyed(const struct access_path *path, const struct expr *e)
{
    for (size_t i = 0; i < path->keyed.count; i++)
        if (path->keyed.data[i] == e) return true;
    return false;
}

static enum status rewrite_range(struct level *l, struct key_range *k)
{
    TRY(rewrite_all(l, k->equal, k->equal_count, &k->equal));
    if (k->in_list) TRY(rewrite_all(l, k->in_list, k->in_count, &k->in_list));
    if (k->lower) TRY(rewrite(l, k->lower, &k->lower));
    if (k->upper) TRY(rewrite(l, k->upper, &k->upper));
    if (k->in_array) TRY(rewrite(l, k->in_array, &k->in_array));
    return OK;
}

static void fetch_columns(struct level *l, uint32_t relation, struct plan_node *n,
                          struct source *ret)
{
    struct planner *p = l->planner;
    const struct relation *r = l->query->relations[relation];
    uint32_t max = r->column_count + 2;
    n->scan.fetch = ARENA_ARRAY(p->arena, uint16_t, max);
    n->columns = ARENA_ARRAY(p->arena, struct plan_column, max);
    ret->slots = ARENA_ARRAY(p->arena, struct slot_source, max);
    n->scan.key_slot = n->scan.tableoid_slot = -1;
    uint32_t width = 0;
    for (uint32_t c = 0; c < r->column_count; c++) {
        bool wanted = l->used[relation][c / 64] >> c % 64 & 1;
        if (r->columns[c].attnum < 0) {
            if (!wanted) continue;
            n->scan.tableoid_slot = (int32_t)n->column_count;
        } else if (!wanted && !l->used_whole[relation]) {
            continue;
        } else {
            n->scan.fetch[n->scan.fetch_count++] = (uint16_t)table_column_of(r, c);
        }
        ret->slots[n->column_count] = (struct slot_source){relation, c};
        n->columns[n->column_count] =
            (struct plan_column){r->columns[c].type, r->columns[c].typmod, r->columns[c].name};
        struct expr column = {.kind = EXPR_COLUMN, .type = r->columns[c].type,
                              .column = {relation, c, 0}};
        struct column_facts f;
        (void)column_facts_of(l, NULL, &column, &f);
        n->columns[n->column_count].statistics = f.statistics;
        n->columns[n->column_count++].distinct = f.distinct;
        const struct type_info *type = type_get(f.type);
        width += f.statistics ? f.statistics->width
                              : type && type->typlen > 0 ? (uint32_t)type->typlen : 32;
    }
    if (l->key_slots[relation] >= 0) {
        n->scan.key_slot = (int32_t)n->column_count;
        ret->slots[n->column_count] = (struct slot_source){relation, UINT32_MAX};
        n->columns[n->column_count++] = (struct plan_column){TYPE_BYTEA, -1, "ctid"};
    }
    ret->slot_count = n->column_count;
    n->width = width;
}

/* System columns are fetched last of all, so that slots of plain columns are dense from 0. */
enum status make_scan(struct level *l, uint32_t relation, struct access_path *path,
                      struct expr **conjuncts, uint32_t n, struct source *ret)
{
    const struct table_def *read = l->query->relations[relation]->table;
    if (read->kind == 'm' && !read->tree) {
        (void)FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                   "materialized view \"%s\" has not been populated", read->name);
        return error_hint("Use the REFRESH MATERIALIZED VIEW command.");
    }
    struct planner *p = l->planner;
    const struct relation *r = l->query->relations[relation];
    const struct table_def *t = r->table;
    struct plan_node *node = node_new(p, t->virtual_id >= 0 || t->kind == 'S' ? PLAN_VIRTUAL_SCAN
                                         : path->index && path->index->tree ? PLAN_INDEX_SCAN
                                                                            : PLAN_SCAN);
    ARRAY(struct expr *) rest = {0};
    struct expr *condition;
    struct source saved = l->current;
    node->scan.table = t;
    node->scan.index = path->index && path->index->tree ? path->index : NULL;
    node->scan.range = path->range;
    node->scan.rows_read = path->rows;
    node->scan.sample = r->sample;
    node->scan.moment = r->moment;
    node->scan.versions = r->versions;
    node->alias = r->alias;
    fetch_columns(l, relation, node, ret);
    ret->node = node;
    ret->relations = relset_new(l);
    relset_add(ret->relations, relation);
    TRY(rewrite_range(l, &node->scan.range)); /* over what is given: l->current is that */
    for (uint32_t i = 0; i < n; i++)
        if (!is_keyed(path, conjuncts[i])) ARENA_PUSH(p->arena, &rest, conjuncts[i]);
    order_conditions(l, rest.data, (uint32_t)rest.count);
    condition = make_and(p, rest.data, (uint32_t)rest.count);
    if (path->range.equal_count >= 2) {
        node->rows = path->rows * condition_fraction(p, l, NULL, condition);
    } else {
        ARRAY(struct expr *) all = {0};
        for (size_t i = 0; i < path->keyed.count; i++)
            ARENA_PUSH(p->arena, &all, path->keyed.data[i]);
        for (size_t i = 0; i < rest.count; i++) ARENA_PUSH(p->arena, &all, rest.data[i]);
        node->rows = relation_rows(l, t) *
                     condition_fraction(p, l, NULL, make_and(p, all.data, (uint32_t)all.count));
    }
    if (path->unique && node->rows > 1) node->rows = 1;
    if (node->rows < 1) node->rows = 1;
    node->cost_total = path->cost;
    if (!r->moment && !r->versions) planner_use_table(p, t, 1);
    else planner_use_past(p, t);
    if (!condition) return OK;
    l->current = *ret;
    enum status s = rewrite(l, condition, &node->filter);
    l->current = saved;
    return s;
}
