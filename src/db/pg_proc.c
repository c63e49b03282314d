/* Functions and triggers in the system catalogs: rows of pg_proc and pg_trigger, and the functions that print
 * their definitions as CREATE statements. */
#include "db/pl_priv.h"
#include "db/system_function_priv.h"
#include "db/system_priv.h"

enum { LANGUAGE_SQL = 14, LANGUAGE_PLPGSQL = 13500, ARGS_TEXT_MAX = FUNCTION_ARGS_MAX };

static const char letters[] = {[IMMUTABLE] = 'i', [STABLE] = 's', [VOLATILE] = 'v'};

/* --- pg_proc -------------------------------------------------------------------------------- */

static bool has_outs(const struct function_def *f)
{
    for (uint16_t i = 0; i < f->all_count; i++)
        if (f->all_modes[i] != 'i') return true;
    return false;
}

static struct sys_cell all_types(struct sys_scan *x, const struct function_def *f)
{
    return has_outs(f) ? V(sys_array_oid(x->arena, f->all_types, f->all_count)) : N;
}

static struct sys_cell all_modes(struct sys_scan *x, const struct function_def *f)
{
    const char *modes[FUNCTION_ARGS_MAX];
    if (!has_outs(f)) return N;
    for (uint16_t i = 0; i < f->all_count; i++)
        modes[i] = arena_strndup(x->arena, &f->all_modes[i], 1);
    return V(sys_array_text(x->arena, TYPE_CHAR1, modes, f->all_count));
}

static struct sys_cell all_names(struct sys_scan *x, const struct function_def *f)
{
    bool any = false;
    for (uint16_t i = 0; i < f->all_count; i++) any |= *f->all_names[i] != '\0';
    return any ? V(sys_array_text(x->arena, TYPE_TEXT, f->all_names, f->all_count)) : N;
}

static struct sys_cell defaults(struct sys_scan *x, const struct function_def *f)
{
    struct strbuf b;
    if (!f->proc.default_count) return N;
    strbuf_init(&b, x->arena);
    for (uint8_t i = 0; i < f->proc.default_count; i++)
        strbuf_addf(&b, "%s%s", i ? ", " : "", f->defaults[i]);
    return T(b.data);
}

enum status sys_catalog_functions(struct sys_scan *x)
{
    const struct function_def *f;
    size_t pos = 0;
    while (catalog_next_function(x->catalog, &pos, &f)) {
        const struct proc_def *p = &f->proc;
        const struct schema_def *n = catalog_schema_by_oid(x->catalog, f->schema);
        if (!n || n->database != x->s->database_oid) continue;
        TRY(SYS_EMIT(x, I(p->oid), T(p->name), I(f->schema), I(f->owner),
                     I(f->language == 's' ? LANGUAGE_SQL : LANGUAGE_PLPGSQL), R(f->cost), R(f->rows),
                     I(p->variadic), I(0), C(p->kind), I(f->security_definer), I(f->leakproof),
                     I(p->strict), I(p->returns_set), C(letters[p->volatility]), C(f->parallel),
                     I(p->arg_count), I(p->default_count), I(p->result),
                     V(sys_vector_oid(x->arena, p->args, p->arg_count)), all_types(x, f),
                     all_modes(x, f), all_names(x, f), defaults(x, f), N, T(f->source), N, N, N,
                     sys_array_from_text(x, TYPE_ACLITEM_ARRAY, f->acl)));
    }
    return OK;
}

/* --- pg_trigger ----------------------------------------------------------------------------- */

/* Arguments one after the other, each with a zero byte behind it. */
static struct bytes packed_args(struct arena *a, const struct trigger_def *g)
{
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_adds(&b, "");
    for (uint16_t i = 0; i < g->arg_count; i++) strbuf_add(&b, g->args[i], strlen(g->args[i]) + 1);
    return bytes_copy(a, b.data ? b.data : "", (uint32_t)b.len);
}

enum status sys_pg_trigger(struct sys_scan *x)
{
    const struct table_def *t;
    size_t pos = 0;
    while (sys_next_table(x, &pos, &t))
        for (uint16_t i = 0; i < t->trigger_count; i++) {
            const struct trigger_def *g = t->triggers[i];
            TRY(SYS_EMIT(x, I(g->oid), I(t->oid), I(0), T(g->name), I(g->function), I(g->type),
                         C(g->enabled), I(0), I(g->from), I(0), I(g->constraint), I(g->deferrable),
                         I(g->initially_deferred), I(g->arg_count),
                         V(sys_vector_int2(x->arena, g->columns, g->column_count)),
                         V(packed_args(x->arena, g)), T(g->when_sql), T(g->old_table),
                         T(g->new_table)));
        }
    return OK;
}

/* --- definitions ---------------------------------------------------------------------------- */

const struct function_def *sys_function_arg(struct sys_call *c)
{
    return catalog_function_by_oid(c->s->catalog, sys_arg_oid(c, 0));
}

static const char *mode_word(const struct function_def *f, char mode)
{
    switch (mode) {
    case 'o': return "OUT ";
    case 'b': return "INOUT ";
    case 'v': return "VARIADIC ";
    default: return f->proc.kind == 'p' ? "IN " : "";
    }
}

enum status sys_function_arguments(struct sys_call *c, const struct function_def *f, bool identity,
                                   const char **ret)
{
    struct strbuf b;
    uint32_t given = 0, first = (uint32_t)(f->proc.arg_count - f->proc.default_count);
    bool any = false;
    strbuf_init(&b, c->a);
    strbuf_adds(&b, "");
    for (uint16_t i = 0; i < f->all_count; i++) {
        char mode = f->all_modes[i];
        bool in = mode == 'i' || mode == 'b' || mode == 'v' || (mode == 'o' && f->proc.kind == 'p');
        uint32_t at = given;
        given += in;
        if (mode == 't') continue;
        if (any) strbuf_adds(&b, ", ");
        any = true;
        strbuf_adds(&b, mode_word(f, mode));
        if (*f->all_names[i]) {
            expr_identifier(f->all_names[i], &b);
            strbuf_addc(&b, ' ');
        }
        session__type_name(c->s, f->all_types[i], -1, &b);
        if (identity || !in || mode == 'o' || at < first) continue;
        const char *shown;
        TRY(session__display_expression(c->s, NULL, f->defaults[at - first], c->a, &shown));
        strbuf_addf(&b, " DEFAULT %s", shown);
    }
    *ret = b.data ? b.data : "";
    return OK;
}

const char *sys_function_result(struct sys_call *c, const struct function_def *f)
{
    struct strbuf b;
    bool table = false, any = false;
    if (f->proc.kind == 'p') return NULL;
    strbuf_init(&b, c->a);
    for (uint16_t i = 0; i < f->all_count; i++) table |= f->all_modes[i] == 't';
    if (table) {
        strbuf_adds(&b, "TABLE(");
        for (uint16_t i = 0; i < f->all_count; i++) {
            if (f->all_modes[i] != 't') continue;
            if (any) strbuf_adds(&b, ", ");
            any = true;
            expr_identifier(f->all_names[i], &b);
            strbuf_addc(&b, ' ');
            session__type_name(c->s, f->all_types[i], -1, &b);
        }
        strbuf_addc(&b, ')');
        return b.data;
    }
    if (f->proc.returns_set) strbuf_adds(&b, "SETOF ");
    const struct table_def *t =
        f->result_table ? catalog_table_by_oid(c->s->catalog, f->result_table) : NULL;
    if (t) strbuf_adds(&b, sys_relation_name(c->s, t, false, c->a));
    else session__type_name(c->s, f->proc.result, -1, &b);
    return b.data;
}

static void add_flags(struct strbuf *b, const struct function_def *f)
{
    size_t from = b->len;
    if (f->proc.volatility == IMMUTABLE) strbuf_adds(b, " IMMUTABLE");
    if (f->proc.volatility == STABLE) strbuf_adds(b, " STABLE");
    if (f->parallel == 's') strbuf_adds(b, " PARALLEL SAFE");
    if (f->parallel == 'r') strbuf_adds(b, " PARALLEL RESTRICTED");
    if (f->proc.strict) strbuf_adds(b, " STRICT");
    if (f->security_definer) strbuf_adds(b, " SECURITY DEFINER");
    if (f->leakproof) strbuf_adds(b, " LEAKPROOF");
    if (f->cost != 100) strbuf_addf(b, " COST %g", (double)f->cost);
    if (f->proc.returns_set && f->rows != 1000) strbuf_addf(b, " ROWS %g", (double)f->rows);
    if (b->len > from) strbuf_addc(b, '\n');
}

enum status sys_functiondef(struct sys_call *c, const struct function_def *f)
{
    const struct schema_def *n = catalog_schema_by_oid(c->s->catalog, f->schema);
    bool procedure = f->proc.kind == 'p';
    const char *arguments;
    struct strbuf b;
    TRY(sys_function_arguments(c, f, false, &arguments));
    strbuf_init(&b, c->a);
    strbuf_addf(&b, "CREATE OR REPLACE %s ", procedure ? "PROCEDURE" : "FUNCTION");
    expr_identifier(n ? n->name : "", &b);
    strbuf_addc(&b, '.');
    expr_identifier(f->proc.name, &b);
    strbuf_addf(&b, "(%s)\n", arguments);
    if (!procedure) strbuf_addf(&b, " RETURNS %s\n", sys_function_result(c, f));
    strbuf_addf(&b, " LANGUAGE %s\n", f->language == 's' ? "sql" : "plpgsql");
    add_flags(&b, f);
    const char *tag = procedure ? "$procedure" : "$function";
    while (strstr(f->source, tag)) tag = arena_printf(c->a, "%sx", tag);
    strbuf_addf(&b, "AS %s$%s%s$\n", tag, f->source, tag);
    return sys_ret_text(c, b.data);
}

static void add_events(struct strbuf *b, const struct table_def *t, const struct trigger_def *g)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } events[] = {{TRIGGER_INSERT, "INSERT"}, {TRIGGER_DELETE, "DELETE"},
                  {TRIGGER_UPDATE, "UPDATE"}, {TRIGGER_TRUNCATE, "TRUNCATE"}};
    bool any = false;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (!(g->type & events[i].bit)) continue;
        strbuf_addf(b, "%s%s", any ? " OR " : " ", events[i].word);
        any = true;
        for (uint16_t k = 0; events[i].bit == TRIGGER_UPDATE && k < g->column_count; k++) {
            strbuf_adds(b, k ? ", " : " OF ");
            expr_identifier(t->columns[g->columns[k] - 1].name, b);
        }
    }
}

static enum status add_when(struct sys_call *c, const struct table_def *t,
                            const struct trigger_def *g, bool pretty, struct strbuf *b)
{
    struct bind_env env;
    struct ast *ast;
    struct expr *e;
    struct query *q;
    struct strbuf text;
    struct deparse_options o = {DEPARSE_DISPLAY, true, c->s->catalog, session__path(c->s)};
    if (!g->when_sql) return OK;
    TRY(sql_parse_expression(c->a, slice_of(g->when_sql), &ast));
    session__bind_env(c->s, &env, c->a, slice_of(g->when_sql));
    TRY(bind_trigger_when(&env, ast, t, g->type, &e, &q));
    strbuf_init(&text, c->a);
    expr_deparse(e, q, &o, &text);
    strbuf_addf(b, "WHEN (%s) ", pretty ? sys_pretty(c->a, text.data) : text.data);
    return OK;
}

static void add_call(struct sys_call *c, const struct trigger_def *g, struct strbuf *b)
{
    const struct function_def *f = catalog_function_by_oid(c->s->catalog, g->function);
    const char *signature = f ? pl__signature(c->s, f, c->a) : "";
    strbuf_adds(b, "EXECUTE FUNCTION ");
    strbuf_add(b, signature, strcspn(signature, "("));
    strbuf_addc(b, '(');
    for (uint16_t i = 0; i < g->arg_count; i++) {
        strbuf_adds(b, i ? ", '" : "'");
        for (const char *p = g->args[i]; *p; p++) {
            if (*p == '\'') strbuf_addc(b, '\'');
            strbuf_addc(b, *p);
        }
        strbuf_addc(b, '\'');
    }
    strbuf_addc(b, ')');
}

static enum status triggerdef(struct sys_call *c, const struct table_def *t,
                              const struct trigger_def *g, bool pretty)
{
    struct strbuf b;
    strbuf_init(&b, c->a);
    strbuf_addf(&b, "CREATE %sTRIGGER ", g->constraint ? "CONSTRAINT " : "");
    expr_identifier(g->name, &b);
    strbuf_adds(&b, g->type & TRIGGER_BEFORE ? " BEFORE" : g->type & TRIGGER_INSTEAD ? " INSTEAD OF" : " AFTER");
    add_events(&b, t, g);
    strbuf_addf(&b, " ON %s ", sys_relation_name(c->s, t, !pretty, c->a));
    const struct table_def *from = g->from ? catalog_table_by_oid(c->s->catalog, g->from) : NULL;
    if (from) strbuf_addf(&b, "FROM %s ", sys_relation_name(c->s, from, false, c->a));
    if (g->constraint)
        strbuf_adds(&b, !g->deferrable           ? "NOT DEFERRABLE INITIALLY IMMEDIATE "
                        : g->initially_deferred ? "DEFERRABLE INITIALLY DEFERRED "
                                                : "DEFERRABLE INITIALLY IMMEDIATE ");
    if (g->old_table || g->new_table) strbuf_adds(&b, "REFERENCING ");
    if (g->old_table) strbuf_addf(&b, "OLD TABLE AS %s ", sys_quote(c->a, g->old_table));
    if (g->new_table) strbuf_addf(&b, "NEW TABLE AS %s ", sys_quote(c->a, g->new_table));
    strbuf_addf(&b, "FOR EACH %s ", g->type & TRIGGER_ROW ? "ROW" : "STATEMENT");
    TRY(add_when(c, t, g, pretty, &b));
    add_call(c, g, &b);
    return sys_ret_text(c, b.data);
}

enum status sys_triggerdef(struct sys_call *c)
{
    const struct table_def *t;
    size_t pos = 0;
    bool pretty = c->n > 1 && c->args[1].v.b;
    while (catalog_next_table(c->s->catalog, &pos, &t))
        for (uint16_t i = 0; i < t->trigger_count; i++)
            if (t->triggers[i]->oid == sys_arg_oid(c, 0)) return triggerdef(c, t, t->triggers[i], pretty);
    return sys_ret_null(c);
}
