/* Names of columns: a, t.a, s.t.a, t.*. The nearest level that knows the name wins; within one
 * level two columns of a bare name are an error. Items of the FROM list that is being bound are
 * visible to LATERAL items alone. */
#include "sql/bind/resolve_priv.h"
#include "types/record.h"

static const struct relation *relation_at(const struct scope *s, size_t i)
{
    return s->query->relations[s->names.data[i].relation];
}

struct expr *bind__column(struct scope *s, uint32_t relation, uint32_t column, int location)
{
    const struct rel_column *c = &s->query->relations[relation]->columns[column];
    struct expr *e = bind__new(s, EXPR_COLUMN, c->type, location, 0);
    e->typmod = c->typmod;
    e->column.relation = relation;
    e->column.column = column;
    return e;
}

/* The same, `levels_up` above who asks. */
static struct expr *outer_column(struct scope *level, uint32_t relation, uint32_t column,
                                 uint32_t levels_up, int location)
{
    struct expr *e = bind__column(level, relation, column, location);
    e->column.levels_up = levels_up;
    bind__reads(level, relation);
    return e;
}

static bool is_hidden(const struct scope *level, const struct name_item *n)
{
    return n->lateral_only && !level->lateral_active;
}

static enum status check_lateral(struct scope *s, const struct name_item *n,
                                 const struct relation *r, int location)
{
    if (!n->lateral_only || n->lateral_ok) return OK;
    FAIL(INVALID_COLUMN_REFERENCE, "invalid reference to FROM-clause entry for table \"%s\"",
         r->alias);
    error_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.");
    return bind__at(s, location, INVALID_COLUMN_REFERENCE);
}

static enum status ambiguous(struct scope *s, const char *column, int location)
{
    return bind__at(s, location,
                    FAIL(AMBIGUOUS_COLUMN, "column reference \"%s\" is ambiguous", column));
}

/* tableoid is the one system column there is. */
static struct expr *system_column(struct scope *s, const struct relation *r, const char *column,
                                  int location)
{
    if (!r->table || r->kind != REL_TABLE || strcmp(column, "tableoid") != 0) return NULL;
    struct expr *e = bind__new(s, EXPR_CONST, TYPE_OID, location, 0);
    e->constant.v.u32 = r->table->oid;
    return e;
}

/* The column of that relation of `level`; *ret NULL when it has none. */
static enum status column_of(struct scope *s, struct scope *level, uint32_t relation,
                             const char *column, uint32_t levels_up, int location,
                             struct expr **ret)
{
    const struct relation *r = level->query->relations[relation];
    *ret = NULL;
    for (uint32_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i].name, column) != 0) continue;
        if (*ret) return ambiguous(s, column, location);
        *ret = outer_column(level, relation, i, levels_up, location);
    }
    if (!*ret) *ret = system_column(s, r, column, location);
    return OK;
}

static enum status find_bare(struct scope *s, const char *column, int location, struct expr **ret)
{
    uint32_t levels_up = 0;
    *ret = NULL;
    for (struct scope *level = s; level; level = level->parent, levels_up++) {
        for (size_t i = 0; i < level->names.count; i++) {
            const struct name_item *n = &level->names.data[i];
            struct expr *found;
            if (!n->columns_visible || is_hidden(level, n)) continue;
            TRY(column_of(s, level, n->relation, column, levels_up, location, &found));
            if (!found) continue;
            if (*ret) return ambiguous(s, column, location);
            TRY(check_lateral(s, n, relation_at(level, i), location));
            *ret = found;
        }
        if (*ret) return OK;
    }
    return OK;
}

/* --- relations by name ------------------------------------------------------------------------ */

struct found_relation {
    struct scope *level;
    uint32_t levels_up, relation;
};

static bool is_called(const struct relation *r, const char *schema, const char *name)
{
    if (!r->alias || strcmp(r->alias, name) != 0) return false;
    return !schema || (r->schema && strcmp(r->schema, schema) == 0);
}

static enum status find_relation(struct scope *s, const char *schema, const char *name,
                                 int location, struct found_relation *ret)
{
    uint32_t levels_up = 0;
    ret->level = NULL;
    for (struct scope *level = s; level; level = level->parent, levels_up++) {
        for (size_t i = 0; i < level->names.count; i++) {
            const struct name_item *n = &level->names.data[i];
            if (!n->name_visible || is_hidden(level, n)) continue;
            if (!is_called(relation_at(level, i), schema, name)) continue;
            if (ret->level)
                return bind__at(s, location,
                                FAIL(AMBIGUOUS_ALIAS, "table reference \"%s\" is ambiguous", name));
            TRY(check_lateral(s, n, relation_at(level, i), location));
            *ret = (struct found_relation){level, levels_up, n->relation};
        }
        if (ret->level) return OK;
    }
    return OK;
}

/* Splits a dotted name: the schema (NULL), relation (NULL) and column. */
static enum status split_names(struct scope *s, const struct name_list *names, uint32_t count,
                               int location, const char **ret_schema, const char **ret_relation)
{
    struct strbuf whole;
    *ret_schema = count > 1 ? names->items[count - 2] : NULL;
    *ret_relation = count > 0 ? names->items[count - 1] : NULL;
    if (count < 3) return OK;
    const struct database_def *d =
        catalog_database_by_oid(s->env->catalog, s->env->path->database);
    if (count == 3 && d && strcmp(d->name, names->items[0]) == 0) return OK;
    strbuf_init(&whole, s->env->arena);
    for (uint32_t i = 0; i < names->count; i++) {
        if (i) strbuf_addc(&whole, '.');
        strbuf_adds(&whole, names->items[i]);
    }
    if (count == 3)
        return bind__at(s, location,
                        FAIL(FEATURE_NOT_SUPPORTED,
                             "cross-database references are not implemented: %s", whole.data));
    return bind__at(s, location,
                    FAIL(SYNTAX_ERROR, "improper qualified name (too many dotted names): %s",
                         whole.data));
}

static enum status no_columns_here(struct scope *s, const char *column, enum place place,
                                   int location)
{
    bool is_default = place == PLACE_STORED && s->what &&
                      strcmp(s->what, "DEFAULT expressions") == 0;
    if (!is_default || s->names.count)
        return bind__no_column(s, NULL, column, location);
    return bind__at(s, location,
                    FAIL(FEATURE_NOT_SUPPORTED,
                         "cannot use column reference in DEFAULT expression"));
}

/* A column, as far as a variable of its name asks: by a bare name, or of a relation that is there. */
static enum status rival_column(struct scope *s, const struct ast_column_ref *ref, struct expr **ret)
{
    struct found_relation found = {0};
    const struct name_list *n = &ref->names;
    int location = ref->node.location;
    *ret = NULL;
    if (n->count == 1) return find_bare(s, n->items[0], location, ret);
    TRY(find_relation(s, n->count > 2 ? n->items[n->count - 3] : NULL, n->items[n->count - 2],
                      location, &found));
    if (!found.level) return OK;
    return column_of(s, found.level, found.relation, n->items[n->count - 1], found.levels_up,
                     location, ret);
}

static enum status column_ref(struct scope *s, const struct ast_column_ref *ref, enum place place,
                              struct expr **ret);

/* A variable of the function that the text stands in; *ret NULL: it is not one that is meant. */
static enum status variable_ref(struct scope *s, const struct ast_column_ref *ref,
                                struct expr **ret)
{
    struct bind_env *env = s->env;
    struct expr *column;
    int location = ref->node.location;
    TRY(env->variable(env->variable_ctx, env, &ref->names, 0, location, ret));
    if (!*ret || env->variables_first) return OK;
    TRY(rival_column(s, ref, &column));
    if (!column) return OK;
    if (env->columns_first) {
        *ret = NULL;
        return OK;
    }
    FAIL(AMBIGUOUS_COLUMN, "column reference \"%s\" is ambiguous",
         ref->names.items[ref->names.count - 1]);
    error_detail("It could refer to either a PL/pgSQL variable or a table column.");
    return bind__at(s, location, AMBIGUOUS_COLUMN);
}

enum status bind__column_ref(struct scope *s, const struct ast_column_ref *ref, enum place place,
                             struct expr **ret)
{
    if (s->env->variable && ref->names.count > 0) {
        TRY(variable_ref(s, ref, ret));
        if (*ret && (!ref->star || type_is_composite((*ret)->type))) return OK;
    }
    return column_ref(s, ref, place, ret);
}

static enum status column_ref(struct scope *s, const struct ast_column_ref *ref, enum place place,
                              struct expr **ret)
{
    const char *schema, *relation;
    struct found_relation found = {0};
    int location = ref->node.location;
    uint32_t count = ref->names.count;
    if (ref->star) {
        if (count == 0)
            return bind__at(s, location,
                            FAIL(SYNTAX_ERROR,
                                 "row expansion via \"*\" is not supported here"));
        TRY(split_names(s, &ref->names, count, location, &schema, &relation));
        TRY(find_relation(s, schema, relation, location, &found));
        if (!found.level) return bind__no_relation(s, relation, location);
        *ret = bind__whole_row(found.level, found.relation, found.levels_up, location);
        return OK;
    }
    const char *column = ref->names.items[count - 1];
    if (count == 1) {
        TRY(find_bare(s, column, location, ret));
        if (*ret) return OK;
        TRY(find_relation(s, NULL, column, location, &found));
        if (!found.level) return no_columns_here(s, column, place, location);
        *ret = bind__whole_row(found.level, found.relation, found.levels_up, location);
        return OK;
    }
    TRY(split_names(s, &ref->names, count - 1, location, &schema, &relation));
    TRY(find_relation(s, schema, relation, location, &found));
    if (!found.level) return bind__no_relation(s, relation, location);
    TRY(column_of(s, found.level, found.relation, column, found.levels_up, location, ret));
    if (*ret) return OK;
    TRY(bind__call_on(s, column,
                      bind__whole_row(found.level, found.relation, found.levels_up, location), ret));
    return *ret ? OK : bind__no_column(s, relation, column, location);
}

/* --- stars ------------------------------------------------------------------------------------ */

typedef ARRAY(struct target) target_array;

static void add_columns(struct scope *s, struct scope *level, uint32_t relation, uint32_t levels_up,
                        int location, target_array *out)
{
    const struct relation *r = level->query->relations[relation];
    for (uint32_t i = 0; i + r->hidden < r->column_count; i++) {
        struct target t = {.name = r->columns[i].name};
        t.expr = outer_column(level, relation, i, levels_up, location);
        if (r->kind == REL_TABLE && r->table && r->columns[i].attnum > 0) {
            t.origin_table = r->table->oid;
            t.origin_column = r->columns[i].attnum;
        }
        ARENA_PUSH(s->env->arena, out, t);
    }
}

/* The column by a name that no later column can make ambiguous. */
static void print_column(struct scope *level, uint32_t relation, uint32_t column,
                         struct strbuf *out)
{
    const struct relation *r = level->query->relations[relation];
    const struct expr *e = r->kind == REL_JOIN && r->join_columns ? r->join_columns[column] : NULL;
    bool named = false, twice = false;
    for (size_t i = 0; i < level->names.count; i++) {
        const struct name_item *n = &level->names.data[i];
        if (!n->name_visible) continue;
        if (n->relation == relation) named = true;
        else twice |= strcmp(level->query->relations[n->relation]->alias, r->alias) == 0;
    }
    if (!named && e && e->kind == EXPR_COLUMN && e->column.levels_up == 0) {
        print_column(level, e->column.relation, e->column.column, out);
        return;
    }
    if (named && twice && r->schema) {
        expr_identifier(r->schema, out);
        strbuf_addc(out, '.');
    }
    if (named) {
        expr_identifier(r->alias, out);
        strbuf_addc(out, '.');
    }
    expr_identifier(r->columns[column].name, out);
}

/* Items [at, …) that are all columns of one item of FROM, some alike by name: how many, or 0. Columns of
 * what the text itself defines do not change, and only its star names them all. */
static uint32_t same_names(const struct scope *level, const target_array *list, size_t at)
{
    const struct expr *e = list->data[at].expr;
    if (e->kind != EXPR_COLUMN || e->column.levels_up) return 0;
    const struct relation *r = level->query->relations[e->column.relation];
    if (r->kind == REL_TABLE || r->kind == REL_JOIN || at + r->column_count > list->count) return 0;
    bool alike = false;
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct expr *c = list->data[at + i].expr;
        if (c->kind != EXPR_COLUMN || c->column.relation != e->column.relation ||
            c->column.column != i)
            return 0;
        for (uint32_t k = 0; k < i && !alike; k++)
            alike = strcmp(r->columns[i].name, r->columns[k].name) == 0;
    }
    return alike ? r->column_count : 0;
}

static void note_star(struct scope *s, struct scope *level, int location, const target_array *list)
{
    struct strbuf b;
    if (!s->env->noting || location < 0) return;
    strbuf_init(&b, s->env->arena);
    for (size_t i = 0; i < list->count; i++) {
        const struct expr *e = list->data[i].expr;
        uint32_t whole = same_names(level, list, i);
        if (i) strbuf_adds(&b, ", ");
        if (whole) {
            expr_identifier(level->query->relations[e->column.relation]->alias, &b);
            strbuf_adds(&b, ".*");
            i += whole - 1;
        } else if (e->kind == EXPR_COLUMN) print_column(level, e->column.relation, e->column.column, &b);
        else expr_identifier(list->data[i].name, &b);
    }
    ARENA_PUSH(s->env->arena, &s->env->uses,
               (struct name_use){.location = location, .columns = b.data ? b.data : ""});
}

enum status bind__expand_star(struct scope *s, const struct ast_column_ref *ref,
                              struct target **ret, uint32_t *ret_count)
{
    target_array out = {0};
    int location = ref ? ref->node.location : -1;
    if (!ref || ref->names.count == 0) {
        bool any = false;
        for (size_t i = 0; i < s->names.count; i++) {
            const struct name_item *n = &s->names.data[i];
            if (!n->columns_visible || is_hidden(s, n)) continue;
            any = true;
            add_columns(s, s, n->relation, 0, location, &out);
        }
        if (!any)
            return bind__at(s, location, FAIL(SYNTAX_ERROR, "SELECT * with no tables specified is "
                                                            "not valid"));
        note_star(s, s, location, &out);
    } else {
        const char *schema, *relation;
        struct found_relation found = {0};
        struct expr *row = NULL;
        if (s->env->variable) TRY(variable_ref(s, ref, &row));
        if (row && type_is_composite(row->type)) return bind__fields(s, row, ret, ret_count);
        TRY(split_names(s, &ref->names, ref->names.count, location, &schema, &relation));
        TRY(find_relation(s, schema, relation, location, &found));
        if (!found.level) return bind__no_relation(s, relation, location);
        add_columns(s, found.level, found.relation, found.levels_up, location, &out);
        note_star(s, found.level, location, &out);
    }
    *ret = out.data;
    *ret_count = (uint32_t)out.count;
    return OK;
}
