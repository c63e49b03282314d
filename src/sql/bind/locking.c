/* FOR UPDATE, FOR SHARE and their weaker kinds: which tables' rows are locked. A subquery in FROM
 * (a view too) passes the lock on to its own tables. */
#include "sql/bind/query_priv.h"

#include "base/fiber.h"

const char *bind__lock_name(int strength)
{
    static const char *const names[] = {"FOR KEY SHARE", "FOR SHARE", "FOR NO KEY UPDATE",
                                        "FOR UPDATE"};
    ASSERT(strength >= 1 && strength <= 4);
    return names[strength - 1];
}

/* What a locked query may not have: then its rows are no table's rows. */
static enum status check_query(const struct query *q, int strength)
{
    const char *what = q->set_op != SETOP_NONE ? "UNION/INTERSECT/EXCEPT"
                       : q->distinct           ? "DISTINCT clause"
                       : q->has_group          ? "GROUP BY clause"
                       : q->having             ? "HAVING clause"
                       : q->has_aggregates     ? "aggregate functions"
                       : q->has_windows        ? "window functions"
                       : q->has_srf            ? "set-returning functions in the target list"
                                               : NULL;
    if (!what) return OK;
    return FAIL(FEATURE_NOT_SUPPORTED, "%s is not allowed with %s", bind__lock_name(strength),
                what);
}

static enum status lock_all(struct bind_env *env, struct query *q, const struct ast_locking *l);

/* A view is locked for who asks, its tables for its owner. */
static enum status lock_subquery(struct bind_env *env, const struct relation *r, const struct ast_locking *l)
{
    const oid_t reads_as = env->reads_as;
    if (r->view) bind__need(env, r->view, RIGHT_UPDATE);
    if (r->view && !bind__is_invoker_view(r->view)) env->reads_as = r->view->owner;
    enum status st = lock_all(env, r->subquery, l);
    env->reads_as = reads_as;
    return st;
}

/* Of two locks on one table the stronger counts, and the less patient. */
static enum status lock_relation(struct bind_env *env, struct query *q, uint32_t relation,
                                 const struct ast_locking *l)
{
    const struct relation *r = q->relations[relation];
    if (r->kind == REL_SUBQUERY && r->subquery) return lock_subquery(env, r, l);
    if (r->kind == REL_TABLE && r->table->kind == 'm')
        return FAIL(WRONG_OBJECT_TYPE, "cannot lock rows in materialized view \"%s\"", r->table->name);
    if (r->kind != REL_TABLE || !r->table->tree) return OK;
    if (r->moment || r->versions)
        return FAIL(FEATURE_NOT_SUPPORTED, "%s cannot be applied to a table AS OF the past",
                    bind__lock_name(l->strength));
    bind__need(env, r->table, RIGHT_UPDATE);
    for (uint32_t i = 0; i < q->locking_count; i++) {
        if (q->locking[i].relation != relation) continue;
        if (q->locking[i].strength < l->strength) q->locking[i].strength = l->strength;
        if (q->locking[i].wait < l->wait) q->locking[i].wait = l->wait;
        return OK;
    }
    size_t size = sizeof *q->locking;
    void *grown = arena_zalloc(env->arena, (q->locking_count + 1) * size);
    if (q->locking_count) memcpy(grown, q->locking, q->locking_count * size);
    q->locking = grown;
    q->locking[q->locking_count].relation = relation;
    q->locking[q->locking_count].strength = l->strength;
    q->locking[q->locking_count++].wait = l->wait;
    return OK;
}

static enum status lock_all(struct bind_env *env, struct query *q, const struct ast_locking *l)
{
    if (fiber_stack_left() < BIND_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    TRY(check_query(q, l->strength));
    for (uint32_t i = 0; i < q->relation_count; i++) TRY(lock_relation(env, q, i, l));
    return OK;
}

/* FOR UPDATE OF name: an item of FROM by its alias. */
static enum status lock_named(struct scope *s, const struct ast_range_var *rv,
                              const struct ast_locking *l)
{
    struct query *q = s->query;
    const char *lock = bind__lock_name(l->strength);
    if (rv->schema || rv->catalog)
        return bind__at(s, rv->node.location,
                        FAIL(SYNTAX_ERROR, "%s must specify unqualified relation names", lock));
    for (size_t i = 0; i < s->names.count; i++) {
        const struct name_item *n = &s->names.data[i];
        const struct relation *r = q->relations[n->relation];
        if (!n->name_visible || strcmp(r->alias, rv->name) != 0) continue;
        const char *what = r->kind == REL_JOIN       ? "a join"
                           : r->kind == REL_FUNCTION ? "a function"
                           : r->kind == REL_VALUES   ? "VALUES"
                           : r->kind == REL_CTE      ? "a WITH query"
                                                     : NULL;
        if (what)
            return bind__at(s, rv->node.location,
                            FAIL(FEATURE_NOT_SUPPORTED, "%s cannot be applied to %s", lock, what));
        return lock_relation(s->env, q, n->relation, l);
    }
    return bind__at(s, rv->node.location,
                    FAIL(UNDEFINED_TABLE, "relation \"%s\" in %s clause not found in FROM clause",
                         rv->name, lock));
}

enum status bind__locking(struct scope *s, const struct ast_select *ast)
{
    for (uint32_t i = 0; i < ast->locking.count; i++) {
        const struct ast_locking *l = AST(ast->locking.items[i], ast_locking);
        if (ast->value_row_count)
            return FAIL(FEATURE_NOT_SUPPORTED, "%s cannot be applied to VALUES",
                        bind__lock_name(l->strength));
        TRY(check_query(s->query, l->strength));
        if (l->relations.count == 0) TRY(lock_all(s->env, s->query, l));
        for (uint32_t k = 0; k < l->relations.count; k++)
            TRY(lock_named(s, AST(l->relations.items[k], ast_range_var), l));
    }
    return OK;
}
