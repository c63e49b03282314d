/* SEARCH and CYCLE of recursive WITH items, as PostgreSQL rewrites them: the item gets columns more. Of
 * SEARCH one by which its rows sort, an array of rows (DEPTH) or a row that begins with the depth (BREADTH);
 * of CYCLE the mark, and the path of rows that led here. The non-recursive side starts them, the recursive
 * one adds to those of the row that it comes from, and takes no row that is marked.
 *
 *   SELECT l.*, start …  FROM (left) l   UNION
 *   SELECT r.c1 …, next … FROM (right, with the columns of the row before) r WHERE r.mark <> value
 *
 * It is done to the tree. How many columns the item has is known when the left side is bound; only then
 * is the right one made. */
#include "sql/bind/query_priv.h"

enum { EXTRAS_MAX = 3 };

struct cte_rewrite {
    struct scope *scope;
    const struct ast_cte *ast;
    const struct ast_select *right; /* as it was written */
    struct ast_select *made;        /* the right side that is bound */
    const char *extras[EXTRAS_MAX]; /* names of the columns more */
    uint32_t count;
};

/* --- pieces of tree --------------------------------------------------------------------------- */

static void *node(struct scope *s, size_t size, enum ast_kind kind)
{
    struct ast *a = arena_alloc(s->env->arena, size);
    memset(a, 0, size);
    *a = (struct ast){kind, -1};
    return a;
}
#define NODE(s, type, kind) ((struct type *)node(s, sizeof(struct type), kind))

static struct ast_list list_new(struct scope *s, uint32_t room)
{
    return (struct ast_list){ARENA_ARRAY(s->env->arena, struct ast *, room + 1), 0};
}

static void add(struct ast_list *l, struct ast *a) { l->items[l->count++] = a; }

static struct name_list name_of(struct scope *s, const char *a, const char *b)
{
    const char **items = ARENA_ARRAY(s->env->arena, const char *, 2);
    items[0] = a;
    items[1] = b;
    return (struct name_list){items, b ? 2 : 1};
}

static struct ast *column(struct scope *s, const char *relation, const char *name)
{
    struct ast_column_ref *c = NODE(s, ast_column_ref, AST_COLUMN_REF);
    c->names = name_of(s, relation, name);
    return &c->node;
}

static struct ast *target(struct scope *s, struct ast *value, const char *name)
{
    struct ast_target *t = NODE(s, ast_target, AST_TARGET);
    t->value = value;
    t->name = name;
    return &t->node;
}

static struct ast *operation(struct scope *s, enum operator_form form, const char *name,
                             struct ast *left, struct ast *right)
{
    struct ast_operator *o = NODE(s, ast_operator, AST_OPERATOR);
    o->form = form;
    o->name = name_of(s, name, NULL);
    o->left = left;
    o->right = right;
    return &o->node;
}

static struct ast *constant(struct scope *s, enum const_kind type, int64_t v)
{
    struct ast_const *c = NODE(s, ast_const, AST_CONST);
    c->type = type;
    c->ival = v;
    return &c->node;
}

static struct ast *one_of(struct scope *s, struct ast *item)
{
    struct ast_array *a = NODE(s, ast_array, AST_ARRAY);
    a->elements = list_new(s, 1);
    add(&a->elements, item);
    return &a->node;
}

static struct ast *choice(struct scope *s, struct ast *test, struct ast *yes, struct ast *no)
{
    struct ast_case *c = NODE(s, ast_case, AST_CASE);
    c->whens = ARENA_ARRAY(s->env->arena, struct ast_when, 1);
    c->whens[0] = (struct ast_when){.condition = test, .result = yes, .location = -1};
    c->when_count = 1;
    c->otherwise = no;
    return &c->node;
}

/* The named columns of the item as a row, behind `first` (NULL: nothing). `names` are those that
 * `relation` has them under, NULL: their own. */
static struct ast *row_of(struct cte_rewrite *w, const char *relation, const struct name_list *by,
                          const struct rel_column *columns, uint32_t n, struct ast *first)
{
    struct scope *s = w->scope;
    struct ast_row *r = NODE(s, ast_row, AST_ROW);
    r->explicit_row = true;
    r->args = list_new(s, by->count + 1);
    if (first) add(&r->args, first);
    for (uint32_t i = 0; i < by->count; i++) {
        const char *name = by->items[i];
        for (uint32_t k = 0; k < n; k++)
            if (strcmp(columns[k].name, name) == 0) {
                name = arena_printf(s->env->arena, "*%u*", k + 1);
                break;
            }
        add(&r->args, column(s, relation, name));
    }
    return &r->node;
}

static struct ast *subselect(struct scope *s, const struct ast_select *query, const char *alias,
                             const struct name_list *names)
{
    struct ast_range_subselect *sub = NODE(s, ast_range_subselect, AST_RANGE_SUBSELECT);
    sub->select = (struct ast *)(uintptr_t)&query->node; /* only read */
    sub->alias.name = alias;
    if (names) sub->alias.columns = *names;
    return &sub->node;
}

/* --- checks ----------------------------------------------------------------------------------- */

static enum status wrong(const struct scope *s, int location, const char *fmt, const char *name)
{
    return bind__at(s, location, FAIL(SYNTAX_ERROR, fmt, name));
}

static bool is_column(const struct cte_rewrite *w, const struct rel_column *columns, uint32_t n,
                      const char *name)
{
    (void)w;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(columns[i].name, name) == 0) return true;
    return false;
}

static enum status check_by(const struct cte_rewrite *w, const struct name_list *by,
                            const struct rel_column *columns, uint32_t n, int location, bool cycle)
{
    for (uint32_t i = 0; i < by->count; i++) {
        if (!is_column(w, columns, n, by->items[i]))
            return wrong(w->scope, location,
                         cycle ? "cycle column \"%s\" not in WITH query column list"
                               : "search column \"%s\" not in WITH query column list",
                         by->items[i]);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(by->items[k], by->items[i]) == 0)
                return bind__at(w->scope, location,
                                FAIL(DUPLICATE_COLUMN,
                                     cycle ? "cycle column \"%s\" specified more than once"
                                           : "search column \"%s\" specified more than once",
                                     by->items[i]));
    }
    return OK;
}

static enum status check_names(const struct cte_rewrite *w, const struct rel_column *columns,
                               uint32_t n)
{
    const struct ast_search *x = w->ast->search;
    const struct ast_cycle *c = w->ast->cycle;
    const struct scope *s = w->scope;
    if (x) TRY(check_by(w, &x->columns, columns, n, x->location, false));
    if (x && is_column(w, columns, n, x->sequence))
        return wrong(s, x->location,
                     "search sequence column name \"%s\" already used in WITH query column list",
                     x->sequence);
    if (!c) return OK;
    TRY(check_by(w, &c->columns, columns, n, c->location, true));
    if (is_column(w, columns, n, c->mark))
        return wrong(s, c->location,
                     "cycle mark column name \"%s\" already used in WITH query column list", c->mark);
    if (is_column(w, columns, n, c->path))
        return wrong(s, c->location,
                     "cycle path column name \"%s\" already used in WITH query column list", c->path);
    if (strcmp(c->mark, c->path) == 0)
        return wrong(s, c->location, "cycle mark column name and cycle path column name are the same",
                     "");
    if (x && strcmp(x->sequence, c->mark) == 0)
        return wrong(s, x->location,
                     "search sequence column name and cycle mark column name are the same", "");
    if (x && strcmp(x->sequence, c->path) == 0)
        return wrong(s, x->location,
                     "search sequence column name and cycle path column name are the same", "");
    return OK;
}

/* Both values of the mark have a type in common. */
static enum status check_mark(struct cte_rewrite *w)
{
    struct expr *both[2];
    type_id type;
    if (!w->ast->cycle) return OK;
    TRY(bind__expression(w->scope, w->ast->cycle->value, PLACE_OTHER, &both[0]));
    TRY(bind__expression(w->scope, w->ast->cycle->otherwise, PLACE_OTHER, &both[1]));
    return bind__common_type(w->scope, both, 2, "CYCLE", &type);
}

/* The columns, as far as the left side tells them unbound: false when a star hides them. */
static bool early_columns(const struct cte_rewrite *w, const struct ast_select *left,
                          struct rel_column **ret, uint32_t *ret_count)
{
    const struct name_list *names = &w->ast->columns;
    uint32_t n = left->targets.count > names->count ? left->targets.count : names->count;
    struct rel_column *c = *ret = ARENA_ARRAY(w->scope->env->arena, struct rel_column, n + 1);
    *ret_count = n;
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_target *t =
            i < left->targets.count ? AST(left->targets.items[i], ast_target) : NULL;
        bool star = t && ((t->value->kind == AST_COLUMN_REF && AST(t->value, ast_column_ref)->star) ||
                          bind__is_row_star(t->value));
        if (star || left->value_row_count) return false;
        c[i].name = i < names->count ? names->items[i] : t->name ? t->name : bind__target_name(t->value);
    }
    return true;
}

/* The item itself in FROM of its right side, not in a subquery. */
static const struct ast_range_var *self_in(const struct ast *from, const char *name)
{
    if (from->kind == AST_RANGE_VAR) {
        const struct ast_range_var *v = AST(from, ast_range_var);
        return !v->schema && !v->catalog && strcmp(v->name, name) == 0 ? v : NULL;
    }
    if (from->kind != AST_JOIN) return NULL;
    const struct ast_join *j = AST(from, ast_join);
    const struct ast_range_var *found = self_in(j->left, name);
    return found ? found : self_in(j->right, name);
}

/* --- both sides ------------------------------------------------------------------------------- */

static struct ast *mark_of(struct cte_rewrite *w, struct ast *test)
{
    const struct ast_cycle *c = w->ast->cycle;
    return choice(w->scope, test, c->value, c->otherwise);
}

static struct ast_select *left_side(struct cte_rewrite *w, const struct ast_select *left)
{
    struct scope *s = w->scope;
    const struct ast_search *x = w->ast->search;
    const struct ast_cycle *c = w->ast->cycle;
    static const char alias[] = "*TLOCRN*";
    struct ast_select *q = NODE(s, ast_select, AST_SELECT);
    struct ast_column_ref *star = NODE(s, ast_column_ref, AST_COLUMN_REF);
    star->names = name_of(s, alias, NULL);
    star->star = true;
    q->targets = list_new(s, 1 + EXTRAS_MAX);
    q->from = list_new(s, 1);
    add(&q->from, subselect(s, left, alias, &w->ast->columns));
    add(&q->targets, target(s, &star->node, NULL));
    if (x) {
        struct ast_type_cast *zero = NODE(s, ast_type_cast, AST_TYPE_CAST);
        zero->type = NODE(s, ast_type_name, AST_TYPE_NAME);
        zero->type->names = name_of(s, "pg_catalog", "int8");
        zero->arg = constant(s, CONST_INT, 0);
        struct ast *row = row_of(w, alias, &x->columns, NULL, 0, x->breadth ? &zero->node : NULL);
        add(&q->targets, target(s, x->breadth ? row : one_of(s, row), x->sequence));
    }
    if (c) {
        add(&q->targets, target(s, mark_of(w, constant(s, CONST_BOOL, 0)), c->mark));
        add(&q->targets,
            target(s, one_of(s, row_of(w, alias, &c->columns, NULL, 0, NULL)), c->path));
    }
    return q;
}

enum status bind__search_cycle(struct cte_item *item, const struct ast_select *ast,
                               const struct ast_select **ret)
{
    struct scope *s = item->owner;
    const struct ast_cte *a = item->ast;
    *ret = ast;
    if (!a->search && !a->cycle) return OK;
    if (!item->may_recurse || ast->op != SETOP_UNION)
        return bind__at(s, a->node.location, FAIL(SYNTAX_ERROR, "WITH query is not recursive"));
    if (ast->left->op != SETOP_NONE)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "with a SEARCH or CYCLE clause, the left side of the UNION must be a SELECT");
    if (ast->right->op != SETOP_NONE || ast->right->value_row_count)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT");
    struct cte_rewrite *w = item->rewrite = ARENA_NEW(s->env->arena, struct cte_rewrite);
    *w = (struct cte_rewrite){.scope = s, .ast = a, .right = ast->right};
    if (a->search) w->extras[w->count++] = a->search->sequence;
    if (a->cycle) w->extras[w->count++] = a->cycle->mark;
    if (a->cycle) w->extras[w->count++] = a->cycle->path;
    struct rel_column *columns;
    uint32_t n;
    if (early_columns(w, ast->left, &columns, &n)) TRY(check_names(w, columns, n));
    TRY(check_mark(w));
    struct ast_select *made = arena_memdup(s->env->arena, ast, sizeof *ast);
    made->left = left_side(w, ast->left);
    made->right = w->made = NODE(s, ast_select, AST_SELECT);
    *ret = made;
    return OK;
}

static void add_next(struct cte_rewrite *w, const struct rel_column *columns, uint32_t n,
                     struct ast_list *targets)
{
    static const char alias[] = "*TROCRN*";
    struct scope *s = w->scope;
    const struct ast_search *x = w->ast->search;
    const struct ast_cycle *c = w->ast->cycle;
    if (x && x->breadth) {
        struct ast_indirection *depth = NODE(s, ast_indirection, AST_INDIRECTION);
        depth->arg = column(s, alias, x->sequence);
        depth->steps = ARENA_ARRAY(s->env->arena, struct ast_subscript, 1);
        depth->steps[0].field = "f1";
        depth->step_count = 1;
        struct ast *deeper = operation(s, OPER_PLAIN, "+", &depth->node, constant(s, CONST_INT, 1));
        add(targets, target(s, row_of(w, alias, &x->columns, columns, n, deeper), x->sequence));
    } else if (x) {
        struct ast *row = one_of(s, row_of(w, alias, &x->columns, columns, n, NULL));
        add(targets, target(s, operation(s, OPER_PLAIN, "||", column(s, alias, x->sequence), row),
                            x->sequence));
    }
    if (!c) return;
    struct ast *row = row_of(w, alias, &c->columns, columns, n, NULL);
    struct ast *met = operation(s, OPER_ANY, "=", row, column(s, alias, c->path));
    add(targets, target(s, mark_of(w, met), c->mark));
    add(targets, target(s, operation(s, OPER_PLAIN, "||", column(s, alias, c->path), one_of(s, row)),
                        c->path));
}

enum status bind__search_cycle_right(struct cte_item *item)
{
    struct cte_rewrite *w = item->rewrite;
    if (!w) return OK;
    static const char alias[] = "*TROCRN*";
    struct scope *s = w->scope;
    uint32_t n = item->cte.column_count - w->count;
    const struct rel_column *columns = item->cte.columns;
    const struct ast_range_var *self = NULL;
    TRY(check_names(w, columns, n));
    for (uint32_t i = 0; i < w->right->from.count && !self; i++)
        self = self_in(w->right->from.items[i], item->cte.name);
    if (!self)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"%s\" must "
                    "be at the top level of its right-hand SELECT",
                    item->cte.name);
    struct ast_select *inner = arena_memdup(s->env->arena, w->right, sizeof *inner), *q = w->made;
    inner->targets = list_new(s, w->right->targets.count + w->count);
    for (uint32_t i = 0; i < w->right->targets.count; i++)
        add(&inner->targets, w->right->targets.items[i]);
    struct name_list names = {ARENA_ARRAY(s->env->arena, const char *, n + w->count), 0};
    q->targets = list_new(s, n + w->count);
    q->from = list_new(s, 1);
    for (uint32_t i = 0; i < n; i++) {
        names.items[names.count++] = arena_printf(s->env->arena, "*%u*", i + 1);
        add(&q->targets, target(s, column(s, alias, names.items[i]), columns[i].name));
    }
    for (uint32_t i = 0; i < w->count; i++) {
        const char *of = self->alias.name ? self->alias.name : self->name;
        add(&inner->targets, target(s, column(s, of, w->extras[i]), w->extras[i]));
        names.items[names.count++] = w->extras[i];
    }
    add(&q->from, subselect(s, inner, alias, &names));
    add_next(w, columns, n, &q->targets);
    if (w->ast->cycle)
        q->where = operation(s, OPER_PLAIN, "<>", column(s, alias, w->ast->cycle->mark),
                             w->ast->cycle->value);
    return OK;
}

uint32_t bind__hidden_columns(const struct cte_item *item)
{
    return item->rewrite && item->state == CTE_RIGHT ? item->rewrite->count : 0;
}
