/* System functions: the dispatch by symbol, and those that print definitions and comments. What the
 * executor has no code of its own for comes here. */
#include "db/system_function_priv.h"
#include "types/record.h"

/* --- definitions ----------------------------------------------------------------------------- */

static bool pretty_arg(const struct sys_call *c, uint32_t i)
{
    return i < c->n && c->args[i].v.b;
}

/* The end of the first of several expressions: a comma outside of brackets and quotes, or the
 * end. */
static size_t first_expression(const char *sql)
{
    int depth = 0;
    size_t i = 0;
    for (; sql[i] && !(sql[i] == ',' && depth == 0); i++) {
        if (sql[i] == '(' || sql[i] == '[') depth++;
        if (sql[i] == ')' || sql[i] == ']') depth--;
        if (sql[i] != '\'' && sql[i] != '"') continue;
        const char *end = strchr(sql + i + 1, sql[i]);
        if (!end) return strlen(sql);
        i = (size_t)(end - sql);
    }
    return i;
}

/* The stored form is SQL: of one expression, or of an index's several. */
static enum status get_expr(struct sys_call *c)
{
    oid_t relation = sys_arg_oid(c, 1);
    const char *sql = sys_arg_text(c, 0);
    const struct index_def *ix = catalog_index_by_oid(c->s->catalog, relation);
    if (ix) relation = ix->table;
    if (relation && !catalog_table_by_oid(c->s->catalog, relation)) return sys_ret_null(c);
    struct strbuf b;
    strbuf_init(&b, c->a);
    for (;;) {
        size_t len = first_expression(sql);
        const char *shown;
        TRY(sys_expression(c->s, relation, arena_strndup(c->a, sql, len), c->a, &shown));
        strbuf_adds(&b, pretty_arg(c, 2) ? sys_pretty(c->a, shown) : shown);
        if (!sql[len]) return sys_ret_text(c, b.data);
        strbuf_adds(&b, ", ");
        sql += len + 1;
    }
}

static enum status get_constraintdef(struct sys_call *c)
{
    const char *sql;
    TRY(sys_constraint_definition(c->s, sys_arg_oid(c, 0), pretty_arg(c, 1), c->a, &sql));
    return sys_ret_text(c, sql);
}

static enum status get_indexdef(struct sys_call *c)
{
    const char *sql;
    int column = c->n > 1 ? c->args[1].v.i32 : 0;
    TRY(sys_index_definition(c->s, sys_arg_oid(c, 0), column, pretty_arg(c, 2), c->a, &sql));
    return sys_ret_text(c, sql);
}

static enum status get_viewdef(struct sys_call *c)
{
    const char *sql;
    /* A line width in the place of the flag asks for the pretty form too. */
    bool pretty = c->n > 1 && (c->proc->args[1] == TYPE_INT4 || pretty_arg(c, 1));
    TRY(sys_view_definition(c->s, sys_arg_oid(c, 0), pretty, c->a, &sql));
    return sys_ret_text(c, sql);
}

static enum status get_viewdef_name(struct sys_call *c)
{
    struct sys_relation_ref r;
    const char *sql;
    TRY(sys_find_relation(c->s, sys_arg_text(c, 0), c->a, &r));
    if (!r.table && !r.index) return sys_no_relation(&r);
    TRY(sys_view_definition(c->s, r.table ? r.table->oid : 0, pretty_arg(c, 1), c->a, &sql));
    return sys_ret_text(c, sql);
}

static enum status get_ruledef(struct sys_call *c)
{
    size_t pos = 0;
    const struct table_def *t;
    const char *sql;
    while (catalog_next_table(c->s->catalog, &pos, &t)) {
        if (!t->view_sql || sys_is_system(t) || sys_rule_oid(t) != sys_arg_oid(c, 0)) continue;
        TRY(sys_view_definition(c->s, t->oid, false, c->a, &sql));
        return sys_ret_text(c, arena_printf(c->a, "CREATE RULE \"_RETURN\" AS\n    ON SELECT TO %s "
                                                  "DO INSTEAD %s",
                                            sys_relation_name(c->s, t, true, c->a), sql));
    }
    return sys_ret_null(c);
}

/* Partitions, extended statistics: nothing of that kind exists. */
static enum status get_nothing(struct sys_call *c)
{
    return sys_ret_null(c);
}

/* --- functions ------------------------------------------------------------------------------- */

static const char *arguments(struct arena *a, const struct proc_def *p)
{
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_reserve(&b, 16);
    for (uint8_t i = 0; i < p->arg_count; i++) {
        if (i) strbuf_adds(&b, ", ");
        if (p->variadic && i == p->arg_count - 1) strbuf_adds(&b, "VARIADIC ");
        type_format(p->args[i], -1, &b);
    }
    return b.data;
}

static const char *result_type(struct arena *a, const struct proc_def *p)
{
    struct strbuf b;
    strbuf_init(&b, a);
    if (p->returns_set) strbuf_adds(&b, "SETOF ");
    type_format(p->result, -1, &b);
    return b.data;
}

static enum status get_function_arguments(struct sys_call *c)
{
    const struct proc_def *p = proc_by_oid(sys_arg_oid(c, 0));
    const struct function_def *f = sys_function_arg(c);
    const char *text;
    if (!f) return sys_ret_text(c, p ? arguments(c->a, p) : NULL);
    bool identity = strcmp(c->proc->symbol, "pg_get_function_identity_arguments") == 0;
    TRY(sys_function_arguments(c, f, identity, &text));
    return sys_ret_text(c, text);
}

static enum status get_function_result(struct sys_call *c)
{
    const struct proc_def *p = proc_by_oid(sys_arg_oid(c, 0));
    const struct function_def *f = sys_function_arg(c);
    if (f) return sys_ret_text(c, sys_function_result(c, f));
    return sys_ret_text(c, p ? result_type(c->a, p) : NULL);
}

static enum status get_functiondef(struct sys_call *c)
{
    static const char *const volatility[] = {
        [IMMUTABLE] = " IMMUTABLE", [STABLE] = " STABLE", [VOLATILE] = ""};
    const struct proc_def *p = proc_by_oid(sys_arg_oid(c, 0));
    if (sys_function_arg(c)) return sys_functiondef(c, sys_function_arg(c));
    if (!p) return sys_ret_null(c);
    if (p->kind == 'a')
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is an aggregate function", p->name);
    return sys_ret_text(
        c, arena_printf(c->a,
                        "CREATE OR REPLACE FUNCTION pg_catalog.%s(%s)\n RETURNS %s\n LANGUAGE "
                        "internal\n%s%s PARALLEL SAFE%s\nAS $function$%s$function$\n",
                        sys_quote(c->a, p->name), arguments(c->a, p), result_type(c->a, p),
                        p->kind == 'w' ? " WINDOW" : "", volatility[p->volatility],
                        p->strict ? " STRICT" : "", p->symbol));
}

/* --- comments -------------------------------------------------------------------------------- */

/* The comment on an object; class NULL: of whatever class. */
static const char *trigger_comment(const struct catalog *catalog, oid_t oid)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(catalog, &pos, &t))
        for (uint16_t i = 0; i < t->trigger_count; i++)
            if (t->triggers[i]->oid == oid) return t->triggers[i]->comment;
    return NULL;
}

static const char *object_comment(const struct catalog *catalog, oid_t oid, const char *class)
{
    if (!class || strcmp(class, "pg_class") == 0) {
        const struct table_def *t = catalog_table_by_oid(catalog, oid);
        const struct index_def *ix = catalog_index_by_oid(catalog, oid);
        if (t || ix) return t ? t->comment : ix->comment;
    }
    if (class && strcmp(class, "pg_type") == 0 && type_is_row(oid)) {
        const struct table_def *t = catalog_table_by_oid(catalog, type_row_relation(oid));
        return t && t->kind == 'c' ? t->comment : NULL;
    }
    if (class && strcmp(class, "pg_trigger") == 0) return trigger_comment(catalog, oid);
    if (!class || strcmp(class, "pg_constraint") == 0) {
        const struct constraint_def *k = catalog_constraint_by_oid(catalog, oid);
        if (k) return k->comment;
    }
    if (!class || strcmp(class, "pg_proc") == 0) {
        const struct function_def *f = catalog_function_by_oid(catalog, oid);
        if (f) return f->comment;
    }
    if (!class || strcmp(class, "pg_namespace") == 0) {
        const struct schema_def *d = catalog_schema_by_oid(catalog, oid);
        if (d) return d->comment;
    }
    return sys_builtin_description(oid, class);
}

static enum status obj_description(struct sys_call *c)
{
    const char *class = c->n > 1 ? sys_arg_text(c, 1) : NULL;
    return sys_ret_text(c, object_comment(c->s->catalog, sys_arg_oid(c, 0), class));
}

static enum status col_description(struct sys_call *c)
{
    const struct table_def *t = catalog_table_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    int32_t number = c->args[1].v.i32;
    const struct column_def *column =
        t && number > 0 && number <= t->column_count ? sys_column(t, (int16_t)number) : NULL;
    return sys_ret_text(c, column ? column->comment : NULL);
}

static enum status shobj_description(struct sys_call *c)
{
    const struct database_def *d = catalog_database_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    bool databases = strcmp(sys_arg_text(c, 1), "pg_database") == 0;
    return sys_ret_text(c, d && databases ? d->comment : NULL);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct sys_binding definition_functions[] = {
    {"pg_get_expr", get_expr},
    {"pg_get_expr_ext", get_expr},
    {"pg_get_constraintdef", get_constraintdef},
    {"pg_get_constraintdef_ext", get_constraintdef},
    {"pg_get_indexdef", get_indexdef},
    {"pg_get_indexdef_ext", get_indexdef},
    {"pg_get_viewdef", get_viewdef},
    {"pg_get_viewdef_ext", get_viewdef},
    {"pg_get_viewdef_wrap", get_viewdef},
    {"pg_get_viewdef_name", get_viewdef_name},
    {"pg_get_viewdef_name_ext", get_viewdef_name},
    {"pg_get_ruledef", get_ruledef},
    {"pg_get_ruledef_ext", get_ruledef},
    {"pg_get_triggerdef", sys_triggerdef},
    {"pg_get_triggerdef_ext", sys_triggerdef},
    {"pg_get_partkeydef", get_nothing},
    {"pg_get_partition_constraintdef", get_nothing},
    {"pg_get_statisticsobjdef", get_nothing},
    {"pg_get_statisticsobjdef_columns", get_nothing},
    {"pg_get_function_sqlbody", get_nothing},
    {"pg_partition_root", get_nothing},
    {"pg_get_function_arguments", get_function_arguments},
    {"pg_get_function_identity_arguments", get_function_arguments},
    {"pg_get_function_result", get_function_result},
    {"pg_get_functiondef", get_functiondef},
    {"obj_description_sql1215", obj_description},
    {"obj_description_sql1348", obj_description},
    {"col_description_sql1216", col_description},
    {"shobj_description_sql1993", shobj_description},
};

static sys_function find(const struct sys_binding *list, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].symbol, symbol) == 0) return list[i].function;
    return NULL;
}

enum status system_function(void *ctx, const struct proc_def *proc, const struct datum *args,
                            uint32_t arg_count, struct arena *a, struct datum *ret)
{
    struct sys_call c = {ctx, proc, args, arg_count, a, ret};
    const char *symbol = proc->symbol;
    sys_function f = find(definition_functions,
                          sizeof definition_functions / sizeof definition_functions[0], symbol);
    if (!f) f = find(sys_name_functions, sys_name_function_count, symbol);
    if (!f) f = find(sys_info_functions, sys_info_function_count, symbol);
    if (!f) f = find(sys_past_functions, sys_past_function_count, symbol);
    if (!f) f = find(sys_advisory_functions, sys_advisory_function_count, symbol);
    if (!f) f = find(sys_notify_functions, sys_notify_function_count, symbol);
    if (!f && slice_starts(slice_of(symbol), SLICE("has_"))) f = sys_has_privilege;
    if (!f && slice_starts(slice_of(symbol), SLICE("pg_has_role_"))) f = sys_has_role;
    if (f) return f(&c);
    return UNSUPPORTED("function %s is not supported", proc->name);
}
