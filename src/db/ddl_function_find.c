/* Functions by name and arguments: DROP, ALTER, COMMENT. */
#include "db/ddl_routine_priv.h"

#include <stdlib.h>

#include "db/pl_priv.h"

enum status ddl__put_function(struct ddl *d, const struct function_def *f)
{
    struct catalog *c;
    TRY(catalog_put_function(d->s->catalog, d->s->txn, f, &c));
    ARENA_PUSH(d->a, &d->kept, catalog_ref(d->s->catalog));
    session__set_catalog(d->s, c);
    return OK;
}

const struct function_def *ddl__function_exact(struct ddl *d, oid_t schema, const char *name,
                                               const type_id *args, uint32_t count)
{
    const struct function_def *const *found;
    uint32_t n = catalog_functions(d->s->catalog, schema, slice_of(name), &found);
    for (uint32_t i = 0; i < n; i++)
        if (found[i]->proc.arg_count == count &&
            (count == 0 || memcmp(found[i]->proc.args, args, count * sizeof *args) == 0))
            return found[i];
    return NULL;
}

/* --- finding -------------------------------------------------------------------------------- */

static const char *kind_word(char kind)
{
    return kind == 'p' ? "procedure" : kind == 'r' ? "routine" : "function";
}

static const char *dotted(struct ddl *d, const struct name_list *names)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (uint32_t i = 0; i < names->count; i++)
        strbuf_addf(&b, "%s%s", i ? "." : "", names->items[i]);
    return b.data;
}

static const char *words(struct ddl *d, const struct ast_routine *r, const type_id *types)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    strbuf_adds(&b, dotted(d, &r->name));
    strbuf_addc(&b, '(');
    for (uint32_t i = 0; i < r->type_count; i++) {
        if (i) strbuf_adds(&b, ", ");
        session__type_name(d->s, types[i], -1, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

struct search {
    const struct function_def *found;
    uint32_t count;
};

static void look(struct ddl *d, oid_t schema, const struct ast_routine *r, const type_id *types,
                 char kind, struct search *x)
{
    const struct function_def *const *list;
    const char *name = r->name.items[r->name.count - 1];
    uint32_t n = catalog_functions(d->s->catalog, schema, slice_of(name), &list);
    for (uint32_t i = 0; i < n; i++) {
        const struct proc_def *p = &list[i]->proc;
        bool same = p->arg_count == r->type_count &&
                    (!r->type_count || memcmp(p->args, types, r->type_count * sizeof *types) == 0);
        if (!r->unspecified && !same) continue;
        if (r->unspecified && kind != 'r' && (kind == 'p') != (p->kind == 'p')) continue;
        if (x->count && !r->unspecified) continue; /* hidden by the path */
        if (!x->count) x->found = list[i];
        x->count++;
    }
}

/* As PostgreSQL tells them here: by the names that the grammar gave them. */
static const char *written_types(struct ddl *d, const struct ast_routine *r)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    strbuf_adds(&b, "");
    for (uint32_t i = 0; i < r->type_count; i++) {
        const struct ast_type_name *t = r->types[i];
        strbuf_addf(&b, "%s%s%s", i ? "," : "", dotted(d, &t->names), t->array_dims ? "[]" : "");
    }
    return b.data ? b.data : "";
}

static enum status none(struct ddl *d, const struct ast_routine *r, const type_id *types, char kind,
                        bool missing_ok)
{
    const char *what = kind_word(kind);
    if (r->unspecified) {
        const char *name = dotted(d, &r->name);
        if (missing_ok) return ddl__notice(d, "%s %s() does not exist, skipping", what, name);
        return FAIL(UNDEFINED_FUNCTION, "could not find a %s named \"%s\"", what, name);
    }
    if (missing_ok)
        return ddl__notice(d, "%s %s(%s) does not exist, skipping", what, dotted(d, &r->name),
                           written_types(d, r));
    return FAIL(UNDEFINED_FUNCTION, "%s %s does not exist", what, words(d, r, types));
}

static enum status argument_types(struct ddl *d, const struct ast_routine *r, type_id **ret)
{
    struct bind_env env;
    int32_t typmod;
    session__bind_env(d->s, &env, d->a, d->text);
    *ret = ARENA_ARRAY(d->a, type_id, r->type_count + 1);
    for (uint32_t i = 0; i < r->type_count; i++) TRY(bind_type(&env, r->types[i], &(*ret)[i], &typmod));
    return OK;
}

enum status ddl__find_function(struct ddl *d, const struct ast_routine *r, char kind,
                               bool missing_ok, const struct function_def **ret)
{
    struct search x = {0};
    type_id *types;
    const struct search_path *p = session__path(d->s);
    *ret = NULL;
    enum status st = argument_types(d, r, &types);
    if (st == UNDEFINED_OBJECT && missing_ok) {
        struct strbuf b;
        strbuf_init(&b, d->a);
        strbuf_adds(&b, error_current()->message);
        error_clear();
        return ddl__notice(d, "%s, skipping", b.data);
    }
    TRY(st);
    if (r->name.count > 1) {
        const char *name = r->name.items[r->name.count - 2];
        const struct schema_def *s =
            strcmp(name, "pg_temp") == 0 && p->temporary
                ? catalog_schema_by_oid(d->s->catalog, p->temporary)
                : catalog_schema(d->s->catalog, d->s->database_oid, slice_of(name));
        if (!s && missing_ok) return ddl__notice(d, "schema \"%s\" does not exist, skipping", name);
        if (!s) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
        look(d, s->oid, r, types, kind, &x);
    } else {
        for (uint32_t i = 0; i < p->count; i++) look(d, p->schemas[i], r, types, kind, &x);
    }
    if (!x.count) return none(d, r, types, kind, missing_ok);
    if (x.count > 1) {
        FAIL(AMBIGUOUS_FUNCTION, "%s name \"%s\" is not unique", kind_word(kind), dotted(d, &r->name));
        return error_hint("Specify the argument list to select the %s unambiguously.",
                          kind_word(kind));
    }
    if (kind != 'r' && x.found->proc.kind != kind)
        return FAIL(WRONG_OBJECT_TYPE, "%s is not a %s", words(d, r, types), kind_word(kind));
    *ret = x.found;
    return OK;
}

static enum status own(struct ddl *d, const struct function_def *f)
{
    if (ddl__is_owner(d->s, f->owner)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of %s %s", kind_word(f->proc.kind),
                f->proc.name);
}

/* --- DROP ----------------------------------------------------------------------------------- */

struct dependent {
    oid_t table, trigger;
    const char *words;
};
struct dependents {
    struct dependent *data;
    size_t count, cap;
};

struct uses {
    oid_t function;
    bool found;
};

static bool in_expression(void *ctx, const struct expr *e)
{
    struct uses *u = ctx;
    const struct proc_def *p = expr_proc(e);
    if (p && p->oid == u->function && proc_function(p)) u->found = true;
    return !u->found && expr_walk(e, in_expression, ctx);
}

/* Does the stored expression call it? */
static bool calls(struct ddl *d, const struct table_def *t, const char *sql, oid_t function)
{
    struct bind_env env;
    struct ast *ast;
    struct expr *e;
    struct query *q;
    struct uses u = {function, false};
    struct error kept = *error_current();
    if (!sql) return false;
    session__bind_env(d->s, &env, d->a, slice_of(sql));
    env.self_table = t;
    if (sql_parse_expression(d->a, slice_of(sql), &ast) == OK &&
        bind_expression(&env, ast, TYPE_NONE, -1, "EXPRESSION", &e, &q) == OK)
        in_expression(&u, e);
    else
        *error_current() = kept;
    return u.found;
}

/* What would not work without it: triggers go with CASCADE, what else there is forbids the drop. */
static enum status add_dependents(struct ddl *d, const struct function_def *f,
                                  struct dependents *out)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(d->s->catalog, &pos, &t)) {
        if (t->virtual_id >= 0) continue;
        for (uint16_t i = 0; i < t->trigger_count; i++) {
            const struct trigger_def *g = t->triggers[i];
            struct dependent x = {t->oid, g->oid, NULL};
            if (g->function != f->proc.oid) continue;
            x.words = arena_printf(d->a, "trigger %s on %s", ddl__quote(d->a, g->name), ddl__words(d, t));
            ARENA_PUSH(d->a, out, x);
        }
        bool used = ddl__view_calls(d, t, f->proc.oid);
        for (uint16_t i = 0; i < t->column_count && !used; i++)
            used = !t->columns[i].dropped && calls(d, t, t->columns[i].default_sql, f->proc.oid);
        for (uint16_t i = 0; i < t->constraint_count && !used; i++)
            used = calls(d, t, t->constraints[i]->check_sql, f->proc.oid);
        for (uint16_t i = 0; i < t->index_count && !used; i++) {
            used = calls(d, t, t->indexes[i]->predicate_sql, f->proc.oid);
            for (uint16_t k = 0; k < t->indexes[i]->key_count && !used; k++)
                used = calls(d, t, t->indexes[i]->columns[k].expression_sql, f->proc.oid);
        }
        struct dependent x = {t->oid, 0, ddl__words(d, t)};
        if (used) ARENA_PUSH(d->a, out, x);
    }
    return OK;
}

static int by_trigger(const void *a, const void *b)
{
    const struct dependent *x = a, *y = b;
    return (x->trigger > y->trigger) - (x->trigger < y->trigger);
}

static enum status drop_one(struct ddl *d, const struct function_def *f, bool cascade)
{
    struct dependents list = {0};
    struct strbuf detail;
    const char *name = arena_printf(d->a, "%s %s", kind_word(f->proc.kind), pl__signature(d->s, f, d->a));
    TRY(add_dependents(d, f, &list));
    if (list.count) qsort(list.data, list.count, sizeof *list.data, by_trigger);
    strbuf_init(&detail, d->a);
    const char **told = ARENA_ARRAY(d->a, const char *, list.count + 1);
    for (size_t i = 0; i < list.count; i++) {
        strbuf_addf(&detail, "%s%s depends on %s", i ? "\n" : "", list.data[i].words, name);
        told[i] = list.data[i].words;
        cascade &= list.data[i].trigger != 0;
    }
    if (list.count && !cascade) {
        FAIL(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop %s because other objects depend on it", name);
        error_detail("%s", detail.data);
        return error_hint("Use DROP ... CASCADE to drop the dependent objects too.");
    }
    TRY(ddl__cascade_notice(d, told, (uint32_t)list.count));
    for (size_t i = 0; i < list.count; i++)
        TRY(ddl__remove_trigger(d, list.data[i].table, list.data[i].trigger));
    return ddl__remove(d, f->proc.oid);
}

enum status ddl__drop_function(struct ddl *d, const struct function_def *f)
{
    return drop_one(d, f, false);
}

enum status ddl__drop_function_of(struct ddl *d, oid_t oid)
{
    const struct function_def *f = catalog_function_by_oid(d->s->catalog, oid);
    return f ? drop_one(d, f, true) : OK;
}

enum status ddl__drop_functions(struct ddl *d, const struct ast_drop_function *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct function_def *f;
        TRY(ddl__find_function(d, &n->routines[i], n->kind, n->if_exists, &f));
        if (!f) continue;
        TRY(own(d, f));
        TRY(drop_one(d, f, n->cascade));
    }
    return OK;
}

enum status ddl__drop_schema_functions(struct ddl *d, oid_t schema)
{
    const struct function_def *f;
    size_t pos = 0;
    while (catalog_next_function(d->s->catalog, &pos, &f)) {
        if (f->schema != schema) continue;
        TRY(drop_one(d, f, true));
        pos = 0;
    }
    return OK;
}

/* --- ALTER, COMMENT ------------------------------------------------------------------------- */

enum status ddl__alter_function(struct ddl *d, const struct ast_alter_function *n)
{
    const struct function_def *f;
    TRY(ddl__find_function(d, &n->routine, n->kind, false, &f));
    TRY(own(d, f));
    struct function_def def = *f;
    for (uint32_t i = 0; i < n->options.count; i++)
        TRY(ddl__function_option(&def, AST(n->options.items[i], ast_def_elem)));
    return ddl__put_function(d, &def);
}

static enum status check_free(struct ddl *d, const struct function_def *f, oid_t schema,
                              const char *name)
{
    const struct schema_def *s = catalog_schema_by_oid(d->s->catalog, schema);
    if (!ddl__function_exact(d, schema, name, f->proc.args, f->proc.arg_count)) return OK;
    struct function_def other = *f;
    other.proc.name = name;
    other.schema = schema;
    const char *shown = pl__signature(d->s, &other, d->a);
    const char *dot = strchr(shown, '.');
    return FAIL(DUPLICATE_FUNCTION, "function %s already exists in schema \"%s\"",
                dot ? dot + 1 : shown, s ? s->name : "");
}

enum status ddl__name_function(struct ddl *d, const struct ast_name_function *n)
{
    const struct function_def *f;
    const struct schema_def *schema;
    TRY(ddl__find_function(d, &n->routine, n->kind, false, &f));
    TRY(own(d, f));
    struct function_def def = *f;
    struct noted_views views = {0};
    if (n->what == NAMING_RENAME || n->what == NAMING_SCHEMA)
        TRY(ddl__note_views(d, f->proc.oid, 0, &views));
    switch (n->what) {
    case NAMING_RENAME:
        TRY(check_free(d, f, f->schema, n->value));
        def.proc.name = n->value;
        break;
    case NAMING_OWNER: TRY(ddl__role(d, n->value, &def.owner)); break;
    case NAMING_SCHEMA:
        TRY(ddl__schema(d, n->value, &schema));
        if (schema->oid == f->schema) return OK;
        TRY(check_free(d, f, schema->oid, f->proc.name));
        def.schema = schema->oid;
        break;
    case NAMING_COMMENT: def.comment = n->value; break;
    }
    TRY(ddl__put_function(d, &def));
    return ddl__restate_views(d, &views);
}
