/* The pieces that statements share: names, types, FROM items, targets, options. */
#include "sql/parse/copy_priv.h"

_Static_assert((int)JOIN_ANTI == (int)PG_JOIN_ANTI && (int)JOIN_RIGHT == (int)PG_JOIN_RIGHT,
               "join kinds stand in the order of JoinType");
_Static_assert((int)SORT_USING == (int)SORTBY_USING && (int)NULLS_LAST == (int)SORTBY_NULLS_LAST,
               "sort directions stand in the order of SortByDir");

const char *copy__string(struct copy *c, const char *s)
{
    return s ? arena_strdup(c->arena, s) : NULL;
}

void copy__names(struct copy *c, const List *l, struct name_list *ret)
{
    int n = list_count(l);
    if (n == 0) return;
    ret->items = arena_alloc(c->arena, sizeof *ret->items * (size_t)n);
    ret->count = (uint32_t)n;
    for (int i = 0; i < n; i++) {
        ASSERT(nodeTag(list_item(l, i)) == T_String);
        ret->items[i] = copy__string(c, node_name(list_item(l, i)));
    }
}

void copy__alias(struct copy *c, const Alias *a, struct ast_alias *ret)
{
    if (!a) return;
    ret->name = copy__string(c, a->aliasname);
    copy__names(c, a->colnames, &ret->columns);
}

struct ast *copy__text(struct copy *c, const char *s, int location)
{
    struct ast_const *n = NODE_NEW(c, ast_const, AST_CONST, location);
    n->type = CONST_STRING;
    n->text = copy__string(c, s);
    return &n->node;
}

struct ast *copy__value(struct copy *c, const Node *v, int location)
{
    struct ast_const *n = NODE_NEW(c, ast_const, AST_CONST, location);
    switch (nodeTag(v)) {
    case T_Integer:
        n->type = CONST_INT;
        n->ival = ((const Integer *)v)->ival;
        break;
    case T_Boolean:
        n->type = CONST_BOOL;
        n->ival = ((const Boolean *)v)->boolval;
        break;
    case T_Float:
        n->type = CONST_FLOAT;
        n->text = copy__string(c, ((const Float *)v)->fval);
        break;
    case T_BitString:
        n->type = CONST_BIT;
        n->text = copy__string(c, ((const BitString *)v)->bsval);
        break;
    default:
        ASSERT(nodeTag(v) == T_String);
        n->type = CONST_STRING;
        n->text = copy__string(c, node_name(v));
    }
    return &n->node;
}

struct ast_range_var *copy__range_var(struct copy *c, const RangeVar *v)
{
    if (!v) return NULL;
    struct ast_range_var *n = NODE_NEW(c, ast_range_var, AST_RANGE_VAR, v->location);
    n->catalog = copy__string(c, v->catalogname);
    n->schema = copy__string(c, v->schemaname);
    n->name = copy__string(c, v->relname);
    n->only = !v->inh;
    n->persistence = v->relpersistence;
    copy__alias(c, v->alias, &n->alias);
    return n;
}

struct ast *copy__table(struct copy *c, const RangeVar *v)
{
    struct ast_range_var *n = copy__range_var(c, v);
    if (c->in_from) n->moments = as_of__claim(c->as_of, c->text, v->location, &c->param_count);
    return &n->node;
}

enum status copy__from(struct copy *c, const List *l, struct ast_list *ret)
{
    bool outer = c->in_from;
    c->in_from = true;
    enum status s = copy__list(c, l, ret);
    c->in_from = outer;
    return s;
}

const char *copy__role(struct copy *c, const RoleSpec *r)
{
    if (!r) return NULL;
    switch (r->roletype) {
    case ROLESPEC_CSTRING: return copy__string(c, r->rolename);
    case ROLESPEC_CURRENT_ROLE: return "current_role";
    case ROLESPEC_CURRENT_USER: return "current_user";
    case ROLESPEC_SESSION_USER: return "session_user";
    case ROLESPEC_PUBLIC: return "public";
    }
    UNREACHABLE();
}

enum status copy__type_name(struct copy *c, const TypeName *t, struct ast_type_name **ret)
{
    *ret = NULL;
    if (!t) return OK;
    struct ast_type_name *n = NODE_NEW(c, ast_type_name, AST_TYPE_NAME, t->location);
    *ret = n;
    copy__names(c, t->names, &n->names);
    n->array_dims = list_count(t->arrayBounds);
    n->setof = t->setof;
    n->pct_type = t->pct_type;
    TRY(copy__list(c, t->typmods, &n->typmods));
    n->interval_fields = n->typmods.count && n->names.count == 2 &&
                         strcmp(n->names.items[0], "pg_catalog") == 0 &&
                         strcmp(n->names.items[1], "interval") == 0;
    return OK;
}

enum status copy__window(struct copy *c, const WindowDef *w, struct ast_window **ret)
{
    *ret = NULL;
    if (!w) return OK;
    struct ast_window *n = NODE_NEW(c, ast_window, AST_WINDOW, w->location);
    *ret = n;
    n->name = copy__string(c, w->name);
    n->refname = copy__string(c, w->refname);
    n->frame_options = (uint32_t)w->frameOptions;
    TRY(copy__list(c, w->partitionClause, &n->partition_by));
    TRY(copy__list(c, w->orderClause, &n->order_by));
    TRY(copy__node(c, w->startOffset, &n->start_offset));
    return copy__node(c, w->endOffset, &n->end_offset);
}

static enum status copy_search_cycle(struct copy *c, const CommonTableExpr *e, struct ast_cte *n)
{
    const CTESearchClause *s = e->search_clause;
    const CTECycleClause *y = e->cycle_clause;
    if (s) {
        struct ast_search *made = ARENA_NEW(c->arena, struct ast_search);
        made->breadth = s->search_breadth_first;
        copy__names(c, s->search_col_list, &made->columns);
        made->sequence = copy__string(c, s->search_seq_column);
        made->location = s->location;
        n->search = made;
    }
    if (!y) return OK;
    struct ast_cycle *made = ARENA_NEW(c->arena, struct ast_cycle);
    copy__names(c, y->cycle_col_list, &made->columns);
    made->mark = copy__string(c, y->cycle_mark_column);
    made->path = copy__string(c, y->cycle_path_column);
    made->location = y->location;
    n->cycle = made;
    TRY(copy__node(c, y->cycle_mark_value, &made->value));
    return copy__node(c, y->cycle_mark_default, &made->otherwise);
}

static enum status copy_cte(struct copy *c, const CommonTableExpr *e, struct ast **ret)
{
    static const char materialized[] = {[CTEMaterializeDefault] = 'd',
                                        [CTEMaterializeAlways] = 'a',
                                        [CTEMaterializeNever] = 'n'};
    struct ast_cte *n = NODE_NEW(c, ast_cte, AST_CTE, e->location);
    *ret = &n->node;
    n->name = copy__string(c, e->ctename);
    copy__names(c, e->aliascolnames, &n->columns);
    n->materialized = materialized[e->ctematerialized];
    TRY(copy_search_cycle(c, e, n));
    return copy__node(c, e->ctequery, &n->query);
}

enum status copy__with(struct copy *c, const WithClause *w, struct ast_with *ret)
{
    if (!w) return OK;
    ret->recursive = w->recursive;
    ret->ctes.count = (uint32_t)list_count(w->ctes);
    ret->ctes.items = ARENA_ARRAY(c->arena, struct ast *, ret->ctes.count);
    for (uint32_t i = 0; i < ret->ctes.count; i++)
        TRY(copy_cte(c, (const CommonTableExpr *)list_item(w->ctes, (int)i), &ret->ctes.items[i]));
    return OK;
}

enum status copy__target(struct copy *c, const ResTarget *t, struct ast **ret)
{
    struct ast_target *n = NODE_NEW(c, ast_target, AST_TARGET, t->location);
    *ret = &n->node;
    n->name = copy__string(c, t->name);
    TRY(copy__steps(c, t->indirection, &n->steps, &n->step_count));
    if (!t->val || nodeTag(t->val) != T_MultiAssignRef) return copy__node(c, t->val, &n->value);
    const MultiAssignRef *m = (const MultiAssignRef *)t->val;
    if (m->source != c->multi_source) {
        TRY(copy__node(c, m->source, &c->multi_copy));
        c->multi_source = m->source;
    }
    n->value = c->multi_copy;
    n->multi_index = m->colno;
    n->multi_count = m->ncolumns;
    return OK;
}

enum status copy__def_elem(struct copy *c, const DefElem *d, struct ast **ret)
{
    struct ast_def_elem *n = NODE_NEW(c, ast_def_elem, AST_DEF_ELEM, d->location);
    *ret = &n->node;
    n->name_space = copy__string(c, d->defnamespace);
    n->name = copy__string(c, d->defname);
    return copy__node(c, d->arg, &n->arg);
}

enum status copy__index_elem(struct copy *c, const IndexElem *e, struct ast **ret)
{
    struct ast_index_elem *n = NODE_NEW(c, ast_index_elem, AST_INDEX_ELEM, -1);
    *ret = &n->node;
    if (e->opclassopts)
        return UNSUPPORTED("operator class options are not supported");
    n->name = copy__string(c, e->name);
    copy__names(c, e->collation, &n->collation);
    copy__names(c, e->opclass, &n->opclass);
    n->direction = (enum sort_direction)e->ordering;
    n->nulls = (enum nulls_order)e->nulls_ordering;
    return copy__node(c, e->expr, &n->expr);
}

struct ast *copy__locking(struct copy *c, const LockingClause *l)
{
    struct ast_locking *n = NODE_NEW(c, ast_locking, AST_LOCKING, -1);
    int count = list_count(l->lockedRels);
    n->relations.items = ARENA_ARRAY(c->arena, struct ast *, count);
    n->relations.count = (uint32_t)count;
    for (int i = 0; i < count; i++)
        n->relations.items[i] =
            &copy__range_var(c, (const RangeVar *)list_item(l->lockedRels, i))->node;
    n->strength = (int)l->strength;
    n->wait = (int)l->waitPolicy;
    return &n->node;
}

enum status copy__on_conflict(struct copy *c, const OnConflictClause *o,
                              struct ast_on_conflict **ret)
{
    *ret = NULL;
    if (!o) return OK;
    struct ast_on_conflict *n = NODE_NEW(c, ast_on_conflict, AST_ON_CONFLICT, o->location);
    *ret = n;
    n->do_update = o->action == ONCONFLICT_UPDATE;
    if (o->infer) {
        n->constraint = copy__string(c, o->infer->conname);
        TRY(copy__list(c, o->infer->indexElems, &n->elements));
        TRY(copy__node(c, o->infer->whereClause, &n->where_infer));
    }
    TRY(copy__list(c, o->targetList, &n->targets));
    return copy__node(c, o->whereClause, &n->where);
}

static enum status copy_range_subselect(struct copy *c, const RangeSubselect *r, struct ast **ret)
{
    struct ast_range_subselect *n = NODE_NEW(c, ast_range_subselect, AST_RANGE_SUBSELECT, -1);
    *ret = &n->node;
    n->lateral = r->lateral;
    copy__alias(c, r->alias, &n->alias);
    return copy__node(c, r->subquery, &n->select);
}

static enum status copy_range_function(struct copy *c, const RangeFunction *r, struct ast **ret)
{
    struct ast_range_function *n = NODE_NEW(c, ast_range_function, AST_RANGE_FUNCTION, -1);
    *ret = &n->node;
    n->lateral = r->lateral;
    n->ordinality = r->ordinality;
    n->rows_from = r->is_rowsfrom;
    copy__alias(c, r->alias, &n->alias);
    n->functions.count = (uint32_t)list_count(r->functions);
    n->functions.items = ARENA_ARRAY(c->arena, struct ast *, n->functions.count);
    TRY(copy__list(c, r->coldeflist, &n->column_defs));
    for (uint32_t i = 0; i < n->functions.count; i++) {
        const List *pair = (const List *)list_item(r->functions, (int)i);
        const List *columns = (const List *)list_item(pair, 1);
        TRY(copy__node(c, list_item(pair, 0), &n->functions.items[i]));
        if (!columns) continue;
        int location = n->functions.items[i]->location;
        if (i > 0)
            return copy__at(c, location, UNSUPPORTED("a column definition list behind the first function of ROWS FROM "
                            "is not supported"));
        if (n->column_defs.count)
            return copy__at(c, location, FAIL(SYNTAX_ERROR,
                            "multiple column definition lists are not allowed for the same "
                            "function"));
        TRY(copy__list(c, columns, &n->column_defs));
    }
    if (n->functions.count) n->node.location = n->functions.items[0]->location;
    return OK;
}

/* Joins grow to the left as operators do: followed by a loop (see copy_expr.c). */
static enum status copy_join(struct copy *c, const JoinExpr *j, struct ast **ret)
{
    int depth = c->depth;
    for (;;) {
        struct ast_join *n = NODE_NEW(c, ast_join, AST_JOIN, -1);
        *ret = &n->node;
        n->type = (enum join_kind)j->jointype;
        n->natural = j->isNatural;
        copy__names(c, j->usingClause, &n->using_columns);
        if (j->join_using_alias) n->using_alias = copy__string(c, j->join_using_alias->aliasname);
        copy__alias(c, j->alias, &n->alias);
        TRY(copy__node(c, j->rarg, &n->right));
        TRY(copy__node(c, j->quals, &n->condition));
        ret = &n->left;
        if (nodeTag(j->larg) != T_JoinExpr) break;
        TRY(copy__descend(c));
        j = (const JoinExpr *)j->larg;
    }
    TRY(copy__node(c, j->larg, ret));
    c->depth = depth;
    return OK;
}

static enum status copy_sample(struct copy *c, const RangeTableSample *t, struct ast **ret)
{
    *ret = copy__table(c, (const RangeVar *)t->relation);
    struct ast_range_var *n = AST(*ret, ast_range_var);
    n->sample = arena_zalloc(c->arena, sizeof *n->sample);
    n->sample->location = t->location;
    copy__names(c, t->method, &n->sample->method);
    TRY(copy__list(c, t->args, &n->sample->args));
    return t->repeatable ? copy__node(c, t->repeatable, &n->sample->repeatable) : OK;
}

enum status copy__from_item(struct copy *c, const Node *n, struct ast **ret)
{
    switch (nodeTag(n)) {
    case T_RangeSubselect: return copy_range_subselect(c, (const RangeSubselect *)n, ret);
    case T_RangeFunction: return copy_range_function(c, (const RangeFunction *)n, ret);
    case T_JoinExpr: return copy_join(c, (const JoinExpr *)n, ret);
    case T_RangeTableSample: return copy_sample(c, (const RangeTableSample *)n, ret);
    default:
        ASSERT(nodeTag(n) == T_RangeTableFunc);
        return copy__at(c, ((const RangeTableFunc *)n)->location,
                        UNSUPPORTED("XMLTABLE is not supported"));
    }
}

enum status copy__sort_by(struct copy *c, const SortBy *s, struct ast **ret)
{
    struct ast_sort_by *n = NODE_NEW(c, ast_sort_by, AST_SORT_BY, s->location);
    *ret = &n->node;
    n->direction = (enum sort_direction)s->sortby_dir;
    n->nulls = (enum nulls_order)s->sortby_nulls;
    copy__names(c, s->useOp, &n->using_operator);
    return copy__node(c, s->node, &n->value);
}
