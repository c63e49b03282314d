/* ON CONFLICT: the index that decides what a conflict is, and the change to the row that was there.
 * An index is meant when its key is exactly the columns and expressions given, in any order, and
 * its predicate, if it is partial, is among the conditions given. */
#include "sql/bind/query_priv.h"

struct inference {
    struct scope *scope;
    const struct table_def *table;
    struct expr **items; /* distinct; columns as columns of relation 0 */
    uint32_t count;
    struct expr *where;
};

static bool contains(struct expr *const *list, uint32_t count, const struct expr *e)
{
    for (uint32_t i = 0; i < count; i++)
        if (expr_equal(list[i], e)) return true;
    return false;
}

/* The list of columns opens with the first parenthesis of the clause. */
static int list_location(const struct scope *s, const struct ast_on_conflict *ast)
{
    struct slice text = s->env->text;
    if (ast->node.location < 0) return -1;
    for (size_t i = (size_t)ast->node.location; i < text.len; i++)
        if (text.data[i] == '(') return (int)i;
    return ast->node.location;
}

static enum status bind_elements(struct inference *x, const struct ast_on_conflict *ast)
{
    struct scope *s = x->scope;
    x->items = ARENA_ARRAY(s->env->arena, struct expr *, ast->elements.count);
    for (uint32_t i = 0; i < ast->elements.count; i++) {
        const struct ast_index_elem *elem = AST(ast->elements.items[i], ast_index_elem);
        struct expr *e = NULL;
        const struct relation *r = s->query->relations[0];
        if (elem->direction != SORT_DEFAULT)
            return bind__at(
                s, list_location(s, ast),
                FAIL(INVALID_COLUMN_REFERENCE, "ASC/DESC is not allowed in ON CONFLICT clause"));
        if (elem->nulls != NULLS_DEFAULT)
            return bind__at(s, list_location(s, ast),
                            FAIL(INVALID_COLUMN_REFERENCE,
                                 "NULLS FIRST/LAST is not allowed in ON CONFLICT clause"));
        for (uint32_t c = 0; elem->name && c < r->column_count && !e; c++)
            if (strcmp(r->columns[c].name, elem->name) == 0) e = bind__column(s, 0, c, -1);
        if (elem->name && !e) return bind__no_column(s, NULL, elem->name, list_location(s, ast));
        if (elem->expr) TRY(bind__expression(s, elem->expr, PLACE_OTHER, &e));
        if (!contains(x->items, x->count, e)) x->items[x->count++] = e;
    }
    if (!ast->where_infer) return OK;
    return bind__condition(s, ast->where_infer, PLACE_WHERE, "WHERE", &x->where);
}

/* The index's key columns and expressions are those asked for, no more and no fewer. */
static enum status key_matches(const struct inference *x, const struct index_def *index, bool *ret)
{
    const struct relation *r = x->scope->query->relations[0];
    struct expr **keys = ARENA_ARRAY(x->scope->env->arena, struct expr *, index->key_count);
    *ret = false;
    for (uint16_t k = 0; k < index->key_count; k++) {
        const struct index_column *c = &index->columns[k];
        if (!c->column)
            TRY(bind__stored(x->scope, c->expression_sql, true, "index expressions", &keys[k]));
        for (uint32_t i = 0; c->column && i < r->column_count; i++)
            if (r->columns[i].attnum == c->column) keys[k] = bind__column(x->scope, 0, i, -1);
        if (!keys[k] || !contains(x->items, x->count, keys[k])) return OK;
    }
    for (uint32_t i = 0; i < x->count; i++)
        if (!contains(keys, index->key_count, x->items[i])) return OK;
    *ret = true;
    return OK;
}

static bool implies(const struct expr *given, const struct expr *predicate)
{
    if (!given) return false;
    if (expr_equal(given, predicate)) return true;
    if (given->kind != EXPR_BOOL || given->bool_op != BOOL_AND) return false;
    return contains(given->args, given->arg_count, predicate);
}

static enum status predicate_matches(const struct inference *x, const struct index_def *index,
                                     bool *ret)
{
    struct expr *predicate;
    *ret = true;
    if (!index->predicate_sql) return OK;
    TRY(bind__stored(x->scope, index->predicate_sql, true, "index predicates", &predicate));
    *ret = implies(x->where, predicate);
    if (!*ret && predicate->kind == EXPR_BOOL && predicate->bool_op == BOOL_AND) {
        *ret = true;
        for (uint32_t i = 0; i < predicate->arg_count; i++)
            *ret = *ret && implies(x->where, predicate->args[i]);
    }
    return OK;
}

static enum status infer_index(struct inference *x, const struct index_def **ret)
{
    const struct index_def *partial = NULL;
    for (uint16_t i = 0; i < x->table->index_count; i++) {
        const struct index_def *index = x->table->indexes[i];
        bool key, predicate;
        if (!index->unique || !index->valid) continue;
        TRY(key_matches(x, index, &key));
        if (!key) continue;
        TRY(predicate_matches(x, index, &predicate));
        if (predicate && !index->predicate_sql) {
            *ret = index;
            return OK;
        }
        if (predicate) partial = index;
    }
    *ret = partial;
    if (partial) return OK;
    return FAIL(
        INVALID_COLUMN_REFERENCE,
        "there is no unique or exclusion constraint matching the ON CONFLICT specification");
}

static enum status named_constraint(const struct table_def *t, const char *name,
                                    const struct index_def **ret)
{
    const struct constraint_def *c = table_constraint(t, slice_of(name));
    if (!c)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" for table \"%s\" does not exist", name,
                    t->name);
    for (uint16_t i = 0; i < t->index_count; i++) {
        if (t->indexes[i]->oid != c->index || !t->indexes[i]->unique) continue;
        *ret = t->indexes[i];
        return OK;
    }
    return FAIL(WRONG_OBJECT_TYPE, "constraint in ON CONFLICT clause has no associated index");
}

/* The row that could not be inserted, under the name EXCLUDED. */
static void add_excluded(struct scope *s)
{
    struct query *q = s->query;
    struct relation *r = bind__relation_of_table(s->env, q->table, "excluded");
    r->kind = REL_EXCLUDED;
    r->table = NULL;
    q->excluded_relation = bind__add_relation(s, r, true, true);
    ARRAY_LAST(&s->names).lateral_only = false;
}

enum status bind__on_conflict(struct scope *s, const struct ast_on_conflict *ast)
{
    struct query *q = s->query;
    struct inference x = {.scope = s, .table = q->table};
    q->conflict = ast->do_update ? CONFLICT_UPDATE : CONFLICT_NOTHING;
    if (ast->do_update && !ast->elements.count && !ast->constraint) {
        enum status code =
            FAIL(SYNTAX_ERROR, "ON CONFLICT DO UPDATE requires inference specification "
                               "or constraint name");
        (void)error_hint("For example, ON CONFLICT (column_name).");
        return bind__at(s, ast->node.location, code);
    }
    bind__writes(s, ast->do_update ? RIGHT_UPDATE : 0);
    if (ast->elements.count) bind__reads(s, 0);
    bind__show_target(s);
    TRY(bind_elements(&x, ast));
    if (ast->constraint) TRY(named_constraint(q->table, ast->constraint, &q->conflict_index));
    if (!ast->do_update) {
        if (x.count) TRY(infer_index(&x, &q->conflict_index));
        return OK;
    }
    add_excluded(s);
    TRY(bind__assignments(s, &ast->targets));
    if (ast->where) TRY(bind__condition(s, ast->where, PLACE_WHERE, "WHERE", &q->conflict_where));
    if (x.count) TRY(infer_index(&x, &q->conflict_index));
    return OK;
}
