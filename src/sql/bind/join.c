/* JOIN … ON, USING, NATURAL.
 *
 * A join with USING offers each common column once, before all others; a join with an alias hides
 * what it joins behind one name. Both are a REL_JOIN relation, whose columns stand for expressions
 * over the relations that are really there (never over another REL_JOIN, so nothing needs to be
 * expanded twice). Other joins leave the names of their sides as they are. */
#include "sql/bind/query_priv.h"

struct join_column {
    const char *name;
    struct expr *expr;
    bool merged;
};
typedef ARRAY(struct join_column) column_list;

struct join_side {
    const char *word;    /* "left", "right" */
    column_list columns; /* that a bare name finds */
};

static struct expr *column_expr(struct scope *s, uint32_t relation, uint32_t column)
{
    const struct relation *r = s->query->relations[relation];
    if (r->kind == REL_JOIN) return r->join_columns[column];
    return bind__column(s, relation, column, -1);
}

static void list_side(struct scope *s, size_t from, size_t to, struct join_side *side)
{
    for (size_t i = from; i < to; i++) {
        const struct name_item *n = &s->names.data[i];
        const struct relation *r = s->query->relations[n->relation];
        for (uint32_t c = 0; n->columns_visible && c < r->column_count; c++) {
            struct join_column column = {r->columns[c].name, column_expr(s, n->relation, c), false};
            ARENA_PUSH(s->env->arena, &side->columns, column);
        }
    }
}

/* The one column of that name. */
static enum status side_column(struct scope *s, struct join_side *side, const char *name,
                               int location, struct join_column **ret)
{
    struct join_column *found = NULL;
    for (size_t i = 0; i < side->columns.count; i++) {
        struct join_column *c = &side->columns.data[i];
        if (strcmp(c->name, name) != 0) continue;
        if (found)
            return bind__at(s, location,
                            FAIL(AMBIGUOUS_COLUMN,
                                 "common column name \"%s\" appears more than once in %s table",
                                 name, side->word));
        found = c;
    }
    if (!found)
        return bind__at(s, location,
                        FAIL(UNDEFINED_COLUMN,
                             "column \"%s\" specified in USING clause does not exist in %s table",
                             name, side->word));
    *ret = found;
    return OK;
}

/* NATURAL is USING with all names that both sides have, in the left side's order. */
static struct name_list common_names(struct scope *s, const struct ast_join *j,
                                     const struct join_side *left, const struct join_side *right)
{
    ARRAY(const char *) names = {0};
    if (!j->natural) return j->using_columns;
    for (size_t i = 0; i < left->columns.count; i++) {
        bool found = false;
        for (size_t k = 0; k < right->columns.count && !found; k++)
            found = strcmp(left->columns.data[i].name, right->columns.data[k].name) == 0;
        if (found) ARENA_PUSH(s->env->arena, &names, left->columns.data[i].name);
    }
    return (struct name_list){names.data, (uint32_t)names.count};
}

/* What the merged column is: the side that is never filled with nulls, or the first that is not
 * null. */
static enum status merge(struct scope *s, enum join_kind kind, struct expr *l, struct expr *r,
                         struct expr **ret)
{
    struct expr *both[2] = {l, r};
    type_id type;
    int32_t typmod = l->type == r->type && l->typmod == r->typmod ? l->typmod : -1;
    TRY(bind__common_type(s, both, 2, "JOIN/USING", &type));
    for (int i = 0; i < 2; i++)
        TRY(bind__coerce(s, both[i], type, typmod, CAST_IMPLICIT, -1, &both[i]));
    if (kind == JOIN_FULL) {
        struct expr *e = bind__new(s, EXPR_COALESCE, type, -1, 2);
        e->typmod = typmod;
        e->args[0] = both[0];
        e->args[1] = both[1];
        *ret = e;
        return OK;
    }
    bool right = kind == JOIN_RIGHT || (kind == JOIN_INNER && both[0]->kind != EXPR_COLUMN &&
                                        both[1]->kind == EXPR_COLUMN);
    *ret = both[right];
    return OK;
}

static enum status bind_using(struct scope *s, const struct ast_join *j, struct name_list names,
                              struct join_side *left, struct join_side *right, column_list *out,
                              struct expr **ret_condition)
{
    static const char *equals[] = {"="};
    const struct name_list equal = {equals, 1};
    struct expr *all = bind__new(s, EXPR_BOOL, TYPE_BOOL, -1, names.count);
    all->bool_op = BOOL_AND;
    for (uint32_t i = 0; i < names.count; i++) {
        struct join_column *l, *r;
        struct expr *merged;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names.items[i], names.items[k]) == 0)
                return bind__at(s, j->node.location,
                                FAIL(DUPLICATE_COLUMN,
                                     "column name \"%s\" appears more than once in USING clause",
                                     names.items[i]));
        TRY(side_column(s, left, names.items[i], j->node.location, &l));
        TRY(side_column(s, right, names.items[i], j->node.location, &r));
        TRY(bind__operator(s, &equal, l->expr, r->expr, j->node.location, &all->args[i]));
        TRY(merge(s, j->type, l->expr, r->expr, &merged));
        l->merged = r->merged = true;
        ARENA_PUSH(s->env->arena, out, (struct join_column){l->name, merged, true});
    }
    *ret_condition = names.count == 0 ? NULL : names.count == 1 ? all->args[0] : all;
    return OK;
}

/* The condition sees the two sides and nothing else of this FROM. */
static enum status bind_on(struct scope *s, const struct ast_join *j, size_t start,
                           struct expr **ret)
{
    struct name_item *data = s->names.data;
    size_t count = s->names.count, cap = s->names.cap;
    bool lateral = s->lateral_active;
    for (size_t i = start; i < count; i++) {
        data[i].lateral_only = false;
        data[i].lateral_ok = true;
    }
    s->names.data = data + start;
    s->names.count = s->names.cap = count - start;
    s->lateral_active = false;
    TRY(bind__condition(s, j->condition, PLACE_ON, "JOIN/ON", ret));
    s->names.data = data;
    s->names.count = count;
    s->names.cap = cap;
    s->lateral_active = lateral;
    for (size_t i = start; i < count; i++) data[i].lateral_only = true;
    return OK;
}

static struct relation *join_relation(struct scope *s, const char *alias,
                                      const column_list *columns, uint32_t count)
{
    struct relation *r = ARENA_NEW(s->env->arena, struct relation);
    r->kind = REL_JOIN;
    r->alias = alias ? alias : "unnamed_join";
    r->column_count = count;
    r->columns = ARENA_ARRAY(s->env->arena, struct rel_column, count);
    r->join_columns = ARENA_ARRAY(s->env->arena, struct expr *, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct join_column *c = &columns->data[i];
        r->columns[i] =
            (struct rel_column){.name = c->name, .type = c->expr->type, .typmod = c->expr->typmod};
        r->join_columns[i] = c->expr;
    }
    return r;
}

static void add_rest(struct scope *s, const struct join_side *side, column_list *out)
{
    for (size_t i = 0; i < side->columns.count; i++)
        if (!side->columns.data[i].merged) ARENA_PUSH(s->env->arena, out, side->columns.data[i]);
}

/* The join's own names, in place of its sides'. */
static enum status name_join(struct scope *s, const struct ast_join *j, size_t start,
                             const struct join_side *left, const struct join_side *right,
                             column_list *columns, struct from_item *item)
{
    uint32_t merged = (uint32_t)columns->count;
    add_rest(s, left, columns);
    add_rest(s, right, columns);
    struct relation *r = join_relation(s, j->alias.name, columns, (uint32_t)columns->count);
    TRY(bind__alias_columns(r, &j->alias.columns));
    if (j->alias.name) s->names.count = start;
    for (size_t i = start; i < s->names.count; i++) s->names.data[i].columns_visible = false;
    if (j->using_alias) {
        struct relation *u = join_relation(s, j->using_alias, columns, merged);
        size_t before = s->names.count;
        bind__add_relation(s, u, false, true);
        TRY(bind__name_conflicts(s, start, before, before, before + 1));
    }
    item->relation = bind__add_relation(s, r, true, j->alias.name != NULL);
    return OK;
}

enum status bind__join(struct scope *s, const struct ast_join *j, struct from_item **ret)
{
    struct from_item *item = ARENA_NEW(s->env->arena, struct from_item);
    struct join_side left = {.word = "left"}, right = {.word = "right"};
    column_list columns = {0};
    size_t start = s->names.count;
    item->kind = FROM_JOIN;
    item->join = j->type;
    item->relation = UINT32_MAX;
    TRY(bind__from_item(s, j->left, &item->left));
    size_t middle = s->names.count;
    /* A LATERAL item on the right may read the left side when each left row is kept or met. */
    for (size_t i = start; i < middle; i++) {
        s->names.data[i].lateral_only = true;
        s->names.data[i].lateral_ok = j->type == JOIN_INNER || j->type == JOIN_LEFT;
    }
    TRY(bind__from_item(s, j->right, &item->right));
    size_t end = s->names.count;
    for (size_t i = start; i < middle; i++) s->names.data[i].lateral_ok = true;
    TRY(bind__name_conflicts(s, start, middle, middle, end));
    list_side(s, start, middle, &left);
    list_side(s, middle, end, &right);
    struct name_list names = common_names(s, j, &left, &right);
    if (names.count) {
        TRY(bind_using(s, j, names, &left, &right, &columns, &item->condition));
    } else if (j->condition) {
        TRY(bind_on(s, j, start, &item->condition));
    }
    if (names.count || j->alias.name) TRY(name_join(s, j, start, &left, &right, &columns, item));
    *ret = item;
    return OK;
}
