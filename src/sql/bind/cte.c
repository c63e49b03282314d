/* WITH. Items are bound in order; under RECURSIVE an item may be referred to before its turn, and
 * is bound right then. A recursive item is a UNION: its left side is bound first and gives the
 * columns, then the right side may read them. What PostgreSQL forbids in a right side is looked for
 * afterwards, in recursion.c. */
#include "sql/bind/query_priv.h"
#include "sql/type_name.h"

/* The items of one WITH, and which of them is being bound. */
struct cte_list {
    struct cte_item *current;
};

static enum status set_columns(struct cte_item *item, struct scope *s, const struct query *q)
{
    struct cte *c = &item->cte;
    const struct name_list *names = &item->ast->columns;
    uint32_t count;
    const struct target *list = query_output(q, &count);
    c->columns = ARENA_ARRAY(s->env->arena, struct rel_column, count + 1);
    c->column_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct target *t = &list[i];
        if (t->junk) continue;
        uint32_t n = c->column_count++;
        c->columns[n].name = n < names->count ? names->items[n] : t->name;
        c->columns[n].type = t->expr->type;
        c->columns[n].typmod = t->expr->typmod;
    }
    if (names->count <= c->column_count) return OK;
    return bind__at(s, item->ast->node.location,
                    FAIL(INVALID_COLUMN_REFERENCE,
                         "WITH query \"%s\" has %u columns available but %u columns specified",
                         c->name, c->column_count, names->count));
}

enum status bind__cte_left_done(struct scope *s, struct cte_item *item, const struct query *left)
{
    ASSERT(item->state == CTE_LEFT && item->union_form);
    TRY(set_columns(item, s, left));
    item->cte.query = s->query;
    item->state = CTE_RIGHT;
    return bind__search_cycle_right(item);
}

static enum status no_clause(struct scope *s, const struct ast *ast, const char *clause)
{
    return bind__at(
        s, ast->location,
        FAIL(FEATURE_NOT_SUPPORTED, "%s in a recursive query is not implemented", clause));
}

/* The item has referred to itself: is it a query that can be run so? */
static const char *full_words(struct scope *s, type_id type, int32_t typmod)
{
    struct strbuf b;
    strbuf_init(&b, s->env->arena);
    type_name_print(s->env->catalog, s->env->path, type, typmod, &b);
    return arena_strndup(s->env->arena, b.data, b.len);
}

static enum status check_recursive(struct cte_item *item, const struct query *q)
{
    struct scope *s = item->owner;
    const struct cte *c = &item->cte;
    const struct ast_select *ast = AST(item->ast->query, ast_select);
    if (ast->order_by.count) {
        const struct ast_sort_by *first = AST(ast->order_by.items[0], ast_sort_by);
        return no_clause(s, first->value, "ORDER BY");
    }
    if (ast->offset) return no_clause(s, ast->offset, "OFFSET");
    if (ast->limit) return no_clause(s, ast->limit, "LIMIT");
    TRY(bind__check_recursion(s, item, q));
    for (uint32_t i = 0; i < c->column_count; i++) {
        const struct expr *result = q->targets[i].expr;
        const struct rel_column *first = &c->columns[i];
        bool loose = result->typmod != first->typmod && first->typmod >= 0;
        if (result->type == first->type && !loose) continue;
        enum status code =
            FAIL(DATATYPE_MISMATCH,
                 "recursive query \"%s\" column %u has type %s in non-recursive term but type %s "
                 "overall",
                 c->name, i + 1, full_words(s, first->type, first->typmod),
                 full_words(s, result->type, result->typmod));
        (void)error_hint("Cast the output of the non-recursive term to the correct type.");
        return bind__at(s, bind__begin(q->left->targets[i].expr), code);
    }
    return OK;
}

/* One that writes. It is not optional, and sees what the whole statement sees. */
static enum status bind_change(struct cte_item *item)
{
    struct scope *s = item->owner;
    const struct ast *ast = item->ast->query;
    struct query *q = NULL;
    if (item->ast->search || item->ast->cycle)
        return bind__at(s, item->ast->node.location, FAIL(SYNTAX_ERROR, "WITH query is not recursive"));
    if (ast->kind == AST_INSERT) TRY(bind__insert(s->env, AST(ast, ast_insert), s, &q));
    else if (ast->kind == AST_UPDATE) TRY(bind__update(s->env, AST(ast, ast_update), s, &q));
    else TRY(bind__delete(s->env, AST(ast, ast_delete), s, &q));
    item->cte.query = q;
    return set_columns(item, s, q);
}

static enum status bind_item(struct cte_item *item)
{
    struct scope *s = item->owner;
    struct cte_item *outer = item->list->current;
    struct query *q;
    if (item->ast->query->kind != AST_SELECT) {
        item->state = CTE_LEFT;
        item->list->current = item;
        TRY(bind_change(item));
        item->list->current = outer;
        item->state = CTE_BOUND;
        return OK;
    }
    const struct ast_select *ast = AST(item->ast->query, ast_select);
    TRY(bind__search_cycle(item, ast, &ast));
    item->state = CTE_LEFT;
    item->union_form = item->may_recurse && ast->op == SETOP_UNION;
    item->list->current = item;
    TRY(bind__select_in(s->env, s, ast, false, item->union_form ? item : NULL, &q));
    item->list->current = outer;
    if (item->rewrite && !item->cte.recursive)
        return bind__at(s, item->ast->node.location, FAIL(SYNTAX_ERROR, "WITH query is not recursive"));
    if (item->cte.recursive) TRY(check_recursive(item, q));
    else TRY(set_columns(item, s, q));
    item->cte.query = q;
    item->state = CTE_BOUND;
    return OK;
}

/* A reference to an item that is being bound: to itself from its right side, or an error. */
static enum status refer_to_unfinished(struct scope *s, struct cte_item *item, int location)
{
    if (item->list->current != item)
        return bind__at(
            s, item->ast->node.location,
            FAIL(FEATURE_NOT_SUPPORTED, "mutual recursion between WITH items is not implemented"));
    if (item->ast->query->kind != AST_SELECT)
        return bind__at(s, item->ast->node.location,
                        FAIL(INVALID_RECURSION, "recursive query \"%s\" must not contain "
                                                "data-modifying statements",
                             item->cte.name));
    if (!item->union_form)
        return bind__at(s, item->ast->node.location,
                        FAIL(INVALID_RECURSION,
                             "recursive query \"%s\" does not have the form "
                             "non-recursive-term UNION [ALL] recursive-term",
                             item->cte.name));
    if (item->state == CTE_LEFT)
        return bind__at(s, location,
                        FAIL(INVALID_RECURSION,
                             "recursive reference to query \"%s\" must not appear "
                             "within its non-recursive term",
                             item->cte.name));
    item->cte.recursive = true;
    item->reference_location = location;
    return OK;
}

enum status bind__find_cte(struct scope *s, const char *name, int location, struct cte **ret,
                           uint32_t *ret_levels)
{
    uint32_t levels = 0;
    *ret = NULL;
    for (struct scope *level = s; level; level = level->parent, levels++) {
        for (size_t i = 0; i < level->ctes.count; i++) {
            struct cte_item *item = (struct cte_item *)(void *)level->ctes.data[i];
            if (strcmp(item->cte.name, name) != 0) continue;
            if (!item->may_recurse && item->state != CTE_BOUND) continue;
            if (item->state == CTE_WAITING) TRY(bind_item(item));
            else if (item->state != CTE_BOUND) TRY(refer_to_unfinished(s, item, location));
            *ret = &item->cte;
            *ret_levels = levels;
            return OK;
        }
    }
    return OK;
}

bool bind__is_later_cte(const struct scope *s, const char *name)
{
    for (const struct scope *level = s; level; level = level->parent)
        for (size_t i = 0; i < level->ctes.count; i++) {
            const struct cte_item *item = (const struct cte_item *)(void *)level->ctes.data[i];
            if (item->state != CTE_BOUND && strcmp(item->cte.name, name) == 0) return true;
        }
    return false;
}

static enum status check_names(struct scope *s, const struct ast_with *with)
{
    for (uint32_t i = 0; i < with->ctes.count; i++) {
        const struct ast_cte *a = AST(with->ctes.items[i], ast_cte);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(AST(with->ctes.items[k], ast_cte)->name, a->name) == 0)
                return bind__at(s, a->node.location,
                                FAIL(DUPLICATE_ALIAS,
                                     "WITH query name \"%s\" specified more than once", a->name));
        if (a->query->kind == AST_MERGE)
            return bind__at(s, a->node.location,
                            FAIL(FEATURE_NOT_SUPPORTED, "MERGE not supported in WITH query"));
        if (a->query->kind != AST_SELECT && s->parent)
            return bind__at(s, a->node.location,
                            FAIL(FEATURE_NOT_SUPPORTED, "WITH clause containing a data-modifying "
                                                        "statement must be at the top level"));
    }
    return OK;
}

enum status bind__with(struct scope *s, const struct ast_with *with)
{
    struct arena *a = s->env->arena;
    struct query *q = s->query;
    if (with->ctes.count == 0) return OK;
    TRY(check_names(s, with));
    struct cte_list *list = ARENA_NEW(a, struct cte_list);
    q->ctes = ARENA_ARRAY(a, struct cte *, with->ctes.count);
    for (uint32_t i = 0; i < with->ctes.count; i++) {
        struct cte_item *item = ARENA_NEW(a, struct cte_item);
        item->ast = AST(with->ctes.items[i], ast_cte);
        item->list = list;
        item->owner = s;
        item->may_recurse = with->recursive;
        item->cte.name = item->ast->name;
        item->cte.materialized = item->ast->materialized;
        ARENA_PUSH(a, &s->ctes, &item->cte);
        q->ctes[q->cte_count++] = &item->cte;
    }
    for (uint32_t i = 0; i < q->cte_count; i++) {
        struct cte_item *item = (struct cte_item *)(void *)q->ctes[i];
        if (item->state == CTE_WAITING) TRY(bind_item(item));
    }
    return OK;
}
