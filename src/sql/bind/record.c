/* Composite values: what a row consists of, as far as it can be told while binding, its fields, a
 * relation as a value, and rows made values of a row type. A value of type record says what it is only
 * as it is there; here it is looked for where the value comes from: through subqueries, WITH, joins. */
#include "sql/bind/query_priv.h"

#include "base/fiber.h"
#include "sql/type_name.h"
#include "types/record.h"

/* --- what a row consists of ------------------------------------------------------------------- */

static bool shape_of(struct scope *s, const struct query *q, const struct expr *e,
                     struct row_columns *ret);

static bool column_shape(struct scope *s, const struct query *q, const struct expr *e,
                         struct row_columns *ret)
{
    for (uint32_t i = 0; i < e->column.levels_up && q; i++) q = q->parent;
    if (!q || e->column.relation >= q->relation_count) return false;
    const struct relation *r = q->relations[e->column.relation];
    const struct query *sub = r->kind == REL_CTE ? r->cte->query : r->subquery;
    uint32_t at = e->column.column;
    if (at >= r->column_count) return false;
    if (r->kind == REL_JOIN) return shape_of(s, q, r->join_columns[at], ret);
    if (r->kind == REL_VALUES) return r->value_count && shape_of(s, q, r->values[0][at], ret);
    if (r->kind != REL_CTE && r->kind != REL_SUBQUERY) return false;
    while (sub && sub->set_op != SETOP_NONE) sub = sub->left;
    uint32_t count = 0;
    const struct target *list = sub ? query_output(sub, &count) : NULL;
    for (uint32_t i = 0, n = 0; i < count; i++)
        if (!list[i].junk && n++ == at) return shape_of(s, sub, list[i].expr, ret);
    return false;
}

static void row_shape(struct scope *s, const struct expr *row, struct row_columns *ret)
{
    struct arena *a = s->env->arena;
    type_id *types = ARENA_ARRAY(a, type_id, row->arg_count + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, row->arg_count + 1);
    const char **names = ARENA_ARRAY(a, const char *, row->arg_count + 1);
    for (uint32_t i = 0; i < row->arg_count; i++) {
        types[i] = row->args[i]->type;
        typmods[i] = row->args[i]->typmod;
        names[i] = row->row_names ? row->row_names[i] : arena_printf(a, "f%u", i + 1);
    }
    *ret = (struct row_columns){types, typmods, names, row->arg_count};
}

static bool function_shape(struct scope *s, const struct proc_def *p, struct row_columns *ret)
{
    struct arena *a = s->env->arena;
    uint32_t n;
    const struct function_column *c = proc_columns(p, &n);
    if (proc_function(p)) {
        struct function_column *of = ARENA_ARRAY(a, struct function_column, TABLE_COLUMNS_MAX);
        n = catalog_function_columns(s->env->catalog, proc_function(p), of, TABLE_COLUMNS_MAX);
        c = of;
    }
    type_id *types = ARENA_ARRAY(a, type_id, n + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, n + 1);
    const char **names = ARENA_ARRAY(a, const char *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        types[i] = c[i].type;
        typmods[i] = c[i].typmod;
        names[i] = *c[i].name ? c[i].name : arena_printf(a, "column%u", i + 1);
    }
    *ret = (struct row_columns){types, typmods, names, n};
    return n > 0;
}

static bool shape_of(struct scope *s, const struct query *q, const struct expr *e,
                     struct row_columns *ret)
{
    if (fiber_stack_left() < BIND_STACK_MIN) return false;
    if (type_is_row(e->type)) return type_row_columns(s->env->catalog, e->type, s->env->arena, ret) > 0;
    if (e->type != TYPE_RECORD) return false;
    switch (e->kind) {
    case EXPR_ROW: row_shape(s, e, ret); return true;
    case EXPR_COLUMN: return column_shape(s, q, e, ret);
    case EXPR_SUBQUERY:
        return e->subquery.type == SUBLINK_SCALAR &&
               shape_of(s, e->subquery.query, e->subquery.query->targets[0].expr, ret);
    case EXPR_CAST: return e->cast.method == CAST_RELABEL && shape_of(s, q, e->args[0], ret);
    case EXPR_CALL:
        return e->call.proc && function_shape(s, e->call.proc, ret);
    default: return false;
    }
}

bool bind__row_columns(struct scope *s, const struct expr *e, struct row_columns *ret)
{
    return shape_of(s, s->query, e, ret);
}

bool bind_row_columns(struct bind_env *env, const struct query *q, const struct expr *e,
                      struct row_columns *ret)
{
    struct scope s = {.env = env};
    return shape_of(&s, q, e, ret);
}

/* --- fields ----------------------------------------------------------------------------------- */

static struct expr *field_of(struct scope *s, struct expr *row, const struct row_columns *c,
                             uint32_t i)
{
    if (row->kind == EXPR_ROW) return row->args[i];
    struct expr *e = bind__new(s, EXPR_FIELD, c->types[i], row->location, 1);
    e->typmod = c->typmods[i];
    e->args[0] = row;
    e->field.number = i;
    e->field.name = c->names[i];
    return e;
}

/* The relation that the value is of, by name; NULL: of none. */
static const char *relation_name(const struct scope *s, const struct expr *row)
{
    const struct expr *e = row->kind == EXPR_ROW && row->row_is_value && row->arg_count ? row->args[0]
                                                                                     : NULL;
    const struct query *q = s->query;
    if (!e || e->kind != EXPR_COLUMN) return NULL;
    for (uint32_t i = 0; i < e->column.levels_up && q; i++) q = q->parent;
    return q ? q->relations[e->column.relation]->alias : NULL;
}

static enum status no_field(struct scope *s, const struct expr *row, const char *name)
{
    const char *relation = relation_name(s, row);
    int location = bind__begin(row);
    if (relation)
        return bind__at(s, location, FAIL(UNDEFINED_COLUMN, "column %s.%s does not exist", relation, name));
    if (row->type == TYPE_RECORD)
        return bind__at(s, location,
                        FAIL(UNDEFINED_COLUMN, "could not identify column \"%s\" in record data type",
                             name));
    if (type_is_row(row->type))
        return bind__at(s, location,
                        FAIL(UNDEFINED_COLUMN, "column \"%s\" not found in data type %s", name,
                             bind__type_words(s, row->type)));
    return bind__at(s, location,
                    FAIL(WRONG_OBJECT_TYPE,
                         "column notation .%s applied to type %s, which is not a composite type",
                         name, bind__type_words(s, row->type)));
}

enum status bind__field(struct scope *s, struct expr *row, const char *name, struct expr **ret)
{
    struct row_columns c;
    if (bind__row_columns(s, row, &c))
        for (uint32_t i = 0; i < c.count; i++)
            if (strcmp(c.names[i], name) == 0) {
                *ret = field_of(s, row, &c, i);
                return OK;
            }
    if (type_is_composite(row->type)) {
        TRY(bind__call_on(s, name, row, ret));
        if (*ret) return OK;
    }
    return no_field(s, row, name);
}

enum status bind_field(struct bind_env *env, struct expr *row, const char *name, struct expr **ret)
{
    struct query none = {0};
    struct scope s = {.env = env, .query = &none};
    return bind__field(&s, row, name, ret);
}

enum status bind__fields(struct scope *s, struct expr *row, struct target **ret, uint32_t *ret_count)
{
    struct row_columns c;
    if (!type_is_composite(row->type))
        return FAIL(WRONG_OBJECT_TYPE, "type %s is not composite", bind__type_words(s, row->type));
    if (!bind__row_columns(s, row, &c))
        return FAIL(WRONG_OBJECT_TYPE, "record type has not been registered");
    *ret = ARENA_ARRAY(s->env->arena, struct target, c.count + 1);
    *ret_count = c.count;
    for (uint32_t i = 0; i < c.count; i++)
        (*ret)[i] = (struct target){.name = c.names[i], .expr = field_of(s, row, &c, i)};
    return OK;
}

/* --- a relation as a value -------------------------------------------------------------------- */

static bool holds(const struct from_item *f, uint32_t relation)
{
    if (f->kind == FROM_RELATION) return f->relation == relation;
    return f->relation == relation || holds(f->left, relation) || holds(f->right, relation);
}

/* Does an outer join put NULLs where the relation has no row? */
static bool may_lack(const struct from_item *f, uint32_t relation)
{
    if (f->kind == FROM_RELATION || f->relation == relation || !holds(f, relation)) return false;
    bool left = holds(f->left, relation);
    if (f->join == JOIN_FULL || f->join == (left ? JOIN_RIGHT : JOIN_LEFT)) return true;
    return may_lack(left ? f->left : f->right, relation);
}

/* The row type, where the relation offers just what its table has. */
static type_id type_of(const struct relation *r)
{
    uint32_t live = 0;
    const struct table_def *t = r->kind == REL_TABLE ? r->table : r->kind == REL_SUBQUERY ? r->view : NULL;
    if (!t || r->versions || r->moment || t->oid >= TYPE_ROW_ARRAY_BIT) return TYPE_RECORD;
    for (uint16_t i = 0; i < t->column_count; i++) live += !t->columns[i].dropped;
    return live == r->column_count ? type_row(t->oid) : (type_id)TYPE_RECORD;
}

static type_id function_type(const struct scope *level, const struct relation *r)
{
    const struct expr *e = r->function_count == 1 && !r->ordinality ? r->functions[0] : NULL;
    if (e && type_is_row(e->type)) return e->type;
    const struct function_def *f = e && e->kind == EXPR_CALL ? proc_function(e->call.proc) : NULL;
    const struct table_def *t =
        f && f->result_table ? catalog_table_by_oid(level->env->catalog, f->result_table) : NULL;
    return t ? type_row(t->oid) : (type_id)TYPE_RECORD;
}

/* A lone function whose rows are of one value: the relation stands for that value. */
static bool gives_values(const struct relation *r)
{
    return r->kind == REL_FUNCTION && r->function_count == 1 && !r->ordinality &&
           !type_is_composite(r->functions[0]->type);
}

struct expr *bind__whole_row(struct scope *level, uint32_t relation, uint32_t levels_up,
                             int location)
{
    const struct relation *r = level->query->relations[relation];
    bind__reads(level, relation);
    if (gives_values(r)) {
        struct expr *value = bind__column(level, relation, 0, location);
        value->column.levels_up = levels_up;
        return value;
    }
    type_id type = r->kind == REL_FUNCTION ? function_type(level, r) : type_of(r);
    struct expr *e = bind__new(level, EXPR_ROW, type, location, r->column_count);
    const char **names = ARENA_ARRAY(level->env->arena, const char *, r->column_count + 1);
    for (uint32_t i = 0; i < r->column_count; i++) {
        names[i] = r->columns[i].name;
        e->args[i] = bind__column(level, relation, i, location);
        e->args[i]->column.levels_up = levels_up;
    }
    e->row_names = names;
    e->row_is_value = true;
    for (uint32_t i = 0; i < level->query->from_count && !e->row_may_lack; i++)
        e->row_may_lack = level->query->from[i] && may_lack(level->query->from[i], relation);
    return e;
}

/* --- rows as values of a row type ------------------------------------------------------------- */

static enum status no_row_cast(struct scope *s, const struct expr *row, type_id to, int location,
                               const char *detail)
{
    FAIL(CANNOT_COERCE, "cannot cast type %s to %s", bind__type_words(s, row->type),
         bind__type_words(s, to));
    if (detail) error_detail("%s", detail);
    return bind__at(s, location, CANNOT_COERCE);
}

enum status bind__coerce_row(struct scope *s, struct expr *row, type_id to,
                             enum cast_context context, int location, struct expr **ret)
{
    struct row_columns c;
    struct arena *a = s->env->arena;
    int at = location >= 0 ? location : row->location;
    if (row->kind != EXPR_ROW) return no_row_cast(s, row, to, at, NULL);
    (void)type_row_columns(s->env->catalog, to, a, &c);
    struct expr *made = arena_memdup(a, row, sizeof *row);
    made->args = ARENA_ARRAY(a, struct expr *, c.count + 1);
    made->type = to;
    made->row_names = NULL;
    made->location = at;
    made->arg_count = c.count;
    for (uint32_t i = 0; i < c.count; i++) {
        if (i >= row->arg_count)
            return no_row_cast(s, row, to, at, "Input has too few columns.");
        enum status st = bind__coerce(s, row->args[i], c.types[i], c.typmods[i], context, -1,
                                      &made->args[i]);
        if (st == OK) continue;
        if (st != CANNOT_COERCE) return st;
        return no_row_cast(s, row, to, location >= 0 ? location : row->args[i]->location,
                           arena_printf(a, "Cannot cast type %s to %s in column %u.",
                                        bind__type_words(s, row->args[i]->type),
                                        bind__type_words(s, c.types[i]), i + 1));
    }
    if (row->arg_count > c.count)
        return no_row_cast(s, row, to, at, "Input has too many columns.");
    *ret = made;
    return OK;
}
