/* Triggers: CREATE, DROP, ALTER … RENAME, ENABLE and DISABLE, COMMENT. A trigger is a part of its table. */
#include "db/ddl_routine_priv.h"

#include "db/pl_priv.h"

/* --- the table's triggers ------------------------------------------------------------------- */

static enum status put_triggers(struct ddl *d, const struct table_def *t,
                                const struct trigger_def **list, uint32_t count)
{
    struct table_def def = *t;
    def.triggers = list;
    def.trigger_count = (uint16_t)count;
    return ddl__put_table(d, &def);
}

static const struct trigger_def **copy_list(struct ddl *d, const struct table_def *t)
{
    const struct trigger_def **list =
        ARENA_ARRAY(d->a, const struct trigger_def *, t->trigger_count + 1u);
    for (uint16_t i = 0; i < t->trigger_count; i++) list[i] = t->triggers[i];
    return list;
}

/* They fire in the order of their names, and so they are kept. */
static enum status put_trigger(struct ddl *d, const struct table_def *t, const struct trigger_def *g)
{
    const struct trigger_def **list =
        ARENA_ARRAY(d->a, const struct trigger_def *, t->trigger_count + 1u);
    uint32_t n = 0;
    bool placed = false;
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        if (t->triggers[i]->oid == g->oid) continue;
        if (!placed && strcmp(t->triggers[i]->name, g->name) > 0) {
            list[n++] = g;
            placed = true;
        }
        list[n++] = t->triggers[i];
    }
    if (!placed) list[n++] = g;
    return put_triggers(d, t, list, n);
}

enum status ddl__remove_trigger(struct ddl *d, oid_t table, oid_t trigger)
{
    TRY(ddl__lock(d, table, LOCK_ACCESS_EXCLUSIVE));
    const struct table_def *t = ddl__table(d, table);
    const struct trigger_def **list = copy_list(d, t);
    uint32_t n = 0;
    for (uint16_t i = 0; i < t->trigger_count; i++)
        if (t->triggers[i]->oid != trigger) list[n++] = t->triggers[i];
    return put_triggers(d, t, list, n);
}

static enum status find_table(struct ddl *d, const struct ast_range_var *v, enum relation_lock mode,
                              const struct table_def **ret)
{
    TRY(ddl__find(d, v, 0, false, ret));
    TRY(ddl__own_table(d, *ret));
    oid_t oid = (*ret)->oid;
    TRY(ddl__lock(d, oid, mode));
    *ret = ddl__table(d, oid);
    return OK;
}

/* --- CREATE --------------------------------------------------------------------------------- */

static enum status check_transitions(const struct ast_create_trigger *n)
{
    uint8_t events = n->type & (TRIGGER_INSERT | TRIGGER_UPDATE | TRIGGER_DELETE | TRIGGER_TRUNCATE);
    if (n->type & (TRIGGER_BEFORE | TRIGGER_INSTEAD))
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "transition table name can only be specified for an AFTER trigger");
    if (events & TRIGGER_TRUNCATE)
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "TRUNCATE triggers with transition tables are not supported");
    if (events & (events - 1))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "transition tables cannot be specified for triggers with more than one event");
    if (n->columns.count)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "transition tables cannot be specified for triggers with column lists");
    if (n->new_table && !(events & (TRIGGER_INSERT | TRIGGER_UPDATE)))
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "NEW TABLE can only be specified for an INSERT or UPDATE trigger");
    if (n->old_table && !(events & (TRIGGER_DELETE | TRIGGER_UPDATE)))
        return FAIL(INVALID_OBJECT_DEFINITION,
                    "OLD TABLE can only be specified for a DELETE or UPDATE trigger");
    if (n->old_table && n->new_table && strcmp(n->old_table, n->new_table) == 0)
        return FAIL(INVALID_OBJECT_DEFINITION, "OLD TABLE name and NEW TABLE name cannot be the same");
    return OK;
}

static enum status view_cannot(const struct table_def *t, const char *detail)
{
    FAIL(WRONG_OBJECT_TYPE, "\"%s\" is a view", t->name);
    return error_detail("%s", detail);
}

static enum status check_view(const struct ast_create_trigger *n, const struct table_def *t)
{
    bool instead = n->type & TRIGGER_INSTEAD;
    if (n->row && !instead)
        return view_cannot(t, "Views cannot have row-level BEFORE or AFTER triggers.");
    if (n->type & TRIGGER_TRUNCATE) return view_cannot(t, "Views cannot have TRUNCATE triggers.");
    if (instead && !n->row)
        return FAIL(FEATURE_NOT_SUPPORTED, "INSTEAD OF triggers must be FOR EACH ROW");
    if (instead && n->when)
        return FAIL(FEATURE_NOT_SUPPORTED, "INSTEAD OF triggers cannot have WHEN conditions");
    if (instead && n->columns.count)
        return FAIL(FEATURE_NOT_SUPPORTED, "INSTEAD OF triggers cannot have column lists");
    if (n->old_table || n->new_table)
        return view_cannot(t, "Triggers on views cannot have transition tables.");
    return OK;
}

static enum status check_table(const struct ast_create_trigger *n, const struct table_def *t)
{
    if (t->kind == 'S')
        return FAIL(WRONG_OBJECT_TYPE, "relation \"%s\" cannot have triggers", t->name),
               error_detail("This operation is not supported for sequences.");
    if (t->kind == 'c')
        return FAIL(WRONG_OBJECT_TYPE, "relation \"%s\" cannot have triggers", t->name),
               error_detail("This operation is not supported for composite types.");
    if (t->kind == 'v') return check_view(n, t);
    if (n->type & TRIGGER_INSTEAD) {
        FAIL(WRONG_OBJECT_TYPE, "\"%s\" is a table", t->name);
        return error_detail("Tables cannot have INSTEAD OF triggers.");
    }
    if (n->row && (n->type & TRIGGER_TRUNCATE))
        return FAIL(FEATURE_NOT_SUPPORTED, "TRUNCATE FOR EACH ROW triggers are not supported");
    return n->old_table || n->new_table ? check_transitions(n) : OK;
}

static enum status find_function(struct ddl *d, const struct name_list *names,
                                 const struct function_def **ret)
{
    const char *name = names->items[names->count - 1];
    const struct search_path *p = session__path(d->s);
    *ret = NULL;
    if (names->count > 1) {
        const struct schema_def *s;
        TRY(ddl__schema(d, names->items[names->count - 2], &s));
        *ret = ddl__function_exact(d, s->oid, name, NULL, 0);
    }
    for (uint32_t i = 0; names->count == 1 && !*ret && i < p->count; i++)
        *ret = ddl__function_exact(d, p->schemas[i], name, NULL, 0);
    if (!*ret) {
        struct strbuf b;
        strbuf_init(&b, d->a);
        for (uint32_t i = 0; i < names->count; i++)
            strbuf_addf(&b, "%s%s", i ? "." : "", names->items[i]);
        return FAIL(UNDEFINED_FUNCTION, "function %s() does not exist", b.data);
    }
    if ((*ret)->proc.result == TYPE_TRIGGER) return OK;
    return FAIL(INVALID_OBJECT_DEFINITION, "function %s must return type trigger", (*ret)->proc.name);
}

static enum status find_columns(struct ddl *d, const struct ast_create_trigger *n,
                                const struct table_def *t, struct trigger_def *g)
{
    int16_t *columns = ARENA_ARRAY(d->a, int16_t, n->columns.count + 1);
    for (uint32_t i = 0; i < n->columns.count; i++) {
        const struct column_def *c = table_column(t, slice_of(n->columns.items[i]));
        if (!c)
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                        n->columns.items[i], t->name);
        for (uint32_t k = 0; k < i; k++)
            if (columns[k] == c->number)
                return FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", c->name);
        columns[i] = c->number;
    }
    g->columns = columns;
    g->column_count = (uint16_t)n->columns.count;
    return OK;
}

/* In storage form: old.a and new.a. */
static enum status store_when(struct ddl *d, const struct ast_create_trigger *n,
                              const struct table_def *t, struct trigger_def *g)
{
    struct bind_env env;
    struct expr *e;
    struct query *q;
    struct strbuf b;
    if (!n->when) return OK;
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_trigger_when(&env, n->when, t, g->type, &e, &q));
    struct deparse_options o = {DEPARSE_STORAGE, true, d->s->catalog, session__path(d->s)};
    strbuf_init(&b, d->a);
    expr_deparse(e, q, &o, &b);
    g->when_sql = b.data;
    return OK;
}

static enum status check_existing(struct ddl *d, const struct ast_create_trigger *n,
                                  const struct table_def *t, struct trigger_def *g)
{
    const struct trigger_def *old = table_trigger(t, slice_of(n->name));
    if (!old) {
        g->enabled = 'O';
        TRY(ddl__new_oid(d, &g->oid));
        if (n->constraint) TRY(ddl__new_oid(d, &g->constraint));
        return OK;
    }
    if (!n->replace)
        return FAIL(DUPLICATE_OBJECT, "trigger \"%s\" for relation \"%s\" already exists", n->name,
                    t->name);
    if (old->constraint)
        return FAIL(DUPLICATE_OBJECT,
                    "trigger \"%s\" for relation \"%s\" is a constraint trigger", n->name, t->name);
    g->oid = old->oid;
    g->enabled = old->enabled;
    g->comment = old->comment;
    return OK;
}

enum status ddl__create_trigger(struct ddl *d, const struct ast_create_trigger *n)
{
    const struct table_def *t;
    const struct function_def *f;
    struct trigger_def g = {.name = n->name, .args = n->args.items,
                            .arg_count = (uint16_t)n->args.count, .deferrable = n->deferrable,
                            .initially_deferred = n->initially_deferred,
                            .old_table = n->old_table, .new_table = n->new_table,
                            .type = (uint8_t)(n->type | (n->row ? TRIGGER_ROW : 0))};
    TRY(find_table(d, n->table, LOCK_SHARE_ROW_EXCLUSIVE, &t));
    TRY(check_table(n, t));
    if (strlen(n->name) > NAME_BYTES_MAX)
        return FAIL(NAME_TOO_LONG, "name \"%s\" is too long", n->name);
    if (n->args.count > 1000) return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many arguments of a trigger");
    g.table = t->oid;
    if (n->from) {
        const struct table_def *from;
        TRY(ddl__find(d, n->from, 0, false, &from));
        g.from = from->oid;
    }
    TRY(store_when(d, n, t, &g));
    TRY(find_function(d, &n->function, &f));
    g.function = f->proc.oid;
    TRY(find_columns(d, n, t, &g));
    TRY(check_existing(d, n, t, &g));
    return put_trigger(d, t, &g);
}

/* --- the others ----------------------------------------------------------------------------- */

static enum status no_trigger(const char *name, const struct table_def *t)
{
    return FAIL(UNDEFINED_OBJECT, "trigger \"%s\" for table \"%s\" does not exist", name, t->name);
}

enum status ddl__drop_trigger(struct ddl *d, const struct ast_drop_trigger *n)
{
    const struct table_def *t;
    TRY(ddl__find(d, n->table, 0, n->if_exists, &t));
    if (!t) return OK;
    TRY(ddl__own_table(d, t));
    const struct trigger_def *g = table_trigger(t, slice_of(n->name));
    if (!g && n->if_exists)
        return ddl__notice(d, "trigger \"%s\" for relation \"%s\" does not exist, skipping", n->name,
                           t->name);
    if (!g) return no_trigger(n->name, t);
    return ddl__remove_trigger(d, t->oid, g->oid);
}

enum status ddl__name_trigger(struct ddl *d, const struct ast_name_trigger *n)
{
    const struct table_def *t;
    bool rename = n->what == NAMING_RENAME;
    TRY(find_table(d, n->table, rename ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE, &t));
    const struct trigger_def *old = table_trigger(t, slice_of(n->name));
    if (!old) return no_trigger(n->name, t);
    struct trigger_def g = *old;
    if (!rename) {
        g.comment = n->value;
        return put_trigger(d, t, &g);
    }
    if (table_trigger(t, slice_of(n->value)))
        return FAIL(DUPLICATE_OBJECT, "trigger \"%s\" for relation \"%s\" already exists", n->value,
                    t->name);
    g.name = n->value;
    return put_trigger(d, t, &g);
}

enum status ddl__enable_triggers(struct ddl *d, oid_t table, const struct ast_alter_cmd *c)
{
    const struct table_def *t = ddl__table(d, table);
    const struct trigger_def **list = copy_list(d, t);
    bool any = !c->name;
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        if (c->name && strcmp(list[i]->name, c->name) != 0) continue;
        struct trigger_def *g = arena_memdup(d->a, list[i], sizeof *g);
        g->enabled = c->text[0];
        list[i] = g;
        any = true;
    }
    if (!any) return no_trigger(c->name, t);
    return put_triggers(d, t, list, t->trigger_count);
}

/* --- TRUNCATE ------------------------------------------------------------------------------- */

static enum status when_holds(struct ddl *d, const struct table_def *t, const struct trigger_def *g,
                              bool *ret)
{
    static const struct exec_params none = {0};
    struct bind_env env;
    struct ast *ast;
    struct expr *e;
    struct query *q;
    struct datum v;
    *ret = true;
    if (!g->when_sql) return OK;
    session__bind_env(d->s, &env, d->a, slice_of(g->when_sql));
    TRY(sql_parse_expression(d->a, slice_of(g->when_sql), &ast));
    TRY(bind_trigger_when(&env, ast, t, g->type, &e, &q));
    TRY(exec_constant(e, &d->s->exec, &none, d->a, &v));
    *ret = !v.null && v.v.b;
    return OK;
}

enum status ddl__truncate_triggers(struct ddl *d, oid_t table, bool before)
{
    const struct table_def *t = ddl__table(d, table);
    for (uint16_t i = 0; i < t->trigger_count; i++) {
        const struct trigger_def *g = t->triggers[i];
        bool fires = (g->type & TRIGGER_TRUNCATE) && !(g->type & TRIGGER_BEFORE) == !before &&
                     g->enabled != 'D' && g->enabled != 'R';
        if (fires) TRY(when_holds(d, t, g, &fires));
        if (!fires) continue;
        const struct trigger_call call = {.trigger = g, .table = t, .event = TRIGGER_TRUNCATE};
        const struct datum *none = NULL;
        TRY(session__call_trigger(d->s, &call, d->a, &none));
    }
    return OK;
}
