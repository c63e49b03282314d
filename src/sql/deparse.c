/* Bound expressions as SQL text, laid out as PostgreSQL's ruleutils does: operators in
 * parentheses, CASE over several lines, casts as (x)::type. Casts that the binder put in unasked
 * are left out where reading the text would put them in again, which is at the top, under AND,
 * OR, NOT and another cast; elsewhere (`implicit`) they are printed, since they tell which
 * operator or function is meant. */
#include "sql/deparse_priv.h"

enum { CASE_INDENT = 4, INDENT_MAX = 40 };

static void print(struct deparse *d, const struct expr *e, bool implicit);

static void print_list(struct deparse *d, struct expr *const *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i) strbuf_adds(d->out, ", ");
        print(d, items[i], true);
    }
}

static void print_column(struct deparse *d, const struct expr *e)
{
    const struct query *q = d->query;
    for (uint32_t i = 0; q && i < e->column.levels_up; i++) q = q->parent;
    if (!q || e->column.relation >= q->relation_count) {
        strbuf_addf(d->out, "\"?column %u?\"", e->column.column);
        return;
    }
    const struct relation *r = q->relations[e->column.relation];
    if (d->options->qualify && r->alias) {
        deparse__identifier(d->out, r->alias);
        strbuf_addc(d->out, '.');
    }
    deparse__identifier(d->out, r->columns[e->column.column].name);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* The pieces of EXTRACT(a FROM b) and its like: words around the arguments, by number. */
struct syntax {
    const char *name;
    uint32_t count;
    const char *form; /* %1 … %4: arguments; %e: the first as a bare word */
};
static const struct syntax syntaxes[] = {
    {"btrim", 1, "TRIM(BOTH FROM %1)"},
    {"btrim", 2, "TRIM(BOTH %2 FROM %1)"},
    {"extract", 2, "EXTRACT(%e FROM %2)"},
    {"ltrim", 1, "TRIM(LEADING FROM %1)"},
    {"ltrim", 2, "TRIM(LEADING %2 FROM %1)"},
    {"overlay", 3, "OVERLAY(%1 PLACING %2 FROM %3)"},
    {"overlay", 4, "OVERLAY(%1 PLACING %2 FROM %3 FOR %4)"},
    {"position", 2, "POSITION((%2) IN (%1))"},
    {"rtrim", 1, "TRIM(TRAILING FROM %1)"},
    {"rtrim", 2, "TRIM(TRAILING %2 FROM %1)"},
    {"substring", 2, "SUBSTRING(%1 FROM %2)"},
    {"substring", 3, "SUBSTRING(%1 FROM %2 FOR %3)"},
    {"timezone", 2, "(%2 AT TIME ZONE %1)"},
};

static bool print_bare_word(struct deparse *d, const struct expr *e)
{
    if (e->kind != EXPR_CONST || e->constant.null || e->type != TYPE_TEXT) return false;
    struct slice s = bytes_slice(&e->constant.v.bytes);
    strbuf_add(d->out, s.data, s.len);
    return true;
}

static bool print_syntax(struct deparse *d, const struct expr *e)
{
    const struct syntax *s = NULL;
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++)
        if (strcmp(syntaxes[i].name, e->call.proc->name) == 0 && syntaxes[i].count == e->arg_count)
            s = &syntaxes[i];
    /* SUBSTRING(a SIMILAR b ESCAPE c) is the one over three strings. */
    if (!s || (strcmp(s->name, "substring") == 0 && e->arg_count == 3 &&
               e->args[2]->type == TYPE_TEXT))
        return false;
    for (const char *p = s->form; *p; p++) {
        if (*p != '%') {
            strbuf_addc(d->out, *p);
            continue;
        }
        p++;
        if (*p == 'e' && print_bare_word(d, e->args[0])) continue;
        print(d, e->args[*p == 'e' ? 0 : *p - '1'], true);
    }
    return true;
}

/* Where the path does not lead to it first. */
static bool is_on_path(const struct deparse *d, const struct function_def *f)
{
    const struct search_path *p = d->options->path;
    const struct function_def *const *found;
    const struct proc_def *const *builtin;
    if (!p || proc_by_name(slice_of(f->proc.name), &builtin)) return false;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->schemas[i] == f->schema) return true;
        if (catalog_functions(d->options->catalog, p->schemas[i], slice_of(f->proc.name), &found))
            return false;
    }
    return false;
}

static void print_schema(struct deparse *d, const struct proc_def *p)
{
    const struct function_def *f = proc_function(p);
    if (!f || !d->options->catalog) return;
    const struct schema_def *s = catalog_schema_by_oid(d->options->catalog, f->schema);
    if (!s || (d->options->mode == DEPARSE_DISPLAY && is_on_path(d, f))) return;
    deparse__identifier(d->out, s->name);
    strbuf_addc(d->out, '.');
}

static void print_call(struct deparse *d, const struct expr *e)
{
    if (e->call.op) {
        strbuf_addc(d->out, '(');
        if (e->arg_count == 2) {
            print(d, e->args[0], true);
            strbuf_addc(d->out, ' ');
        }
        strbuf_addf(d->out, "%s ", e->call.op->name);
        print(d, e->args[e->arg_count - 1], true);
        strbuf_addc(d->out, ')');
        return;
    }
    if (e->call.sql_syntax && print_syntax(d, e)) return;
    print_schema(d, e->call.proc);
    deparse__identifier(d->out, e->call.proc->name);
    strbuf_addc(d->out, '(');
    uint32_t n = proc_takes_shape(e->call.proc) ? e->call.proc->arg_count : e->arg_count;
    bool gathered = e->call.proc->variadic && e->call.proc->variadic != TYPE_ANY &&
                    e->arg_count == e->call.proc->arg_count;
    for (uint32_t i = 0; i < n; i++) {
        if (i) strbuf_adds(d->out, ", ");
        if (i + 1 == n && (e->call.variadic_array || gathered)) strbuf_adds(d->out, "VARIADIC ");
        print(d, e->args[i], true);
    }
    strbuf_addc(d->out, ')');
}

static void print_key(struct deparse *d, const struct expr *e)
{
    size_t from = d->out->len;
    bool call = (e->kind == EXPR_CALL && !e->call.op) || e->kind == EXPR_AGGREGATE ||
                e->kind == EXPR_WINDOW ||
                (e->kind == EXPR_CAST && e->cast.method == CAST_FUNCTION);
    if (call) strbuf_addc(d->out, '(');
    print(d, e, true);
    if (call) strbuf_addc(d->out, ')');
    bool bare = e->type == TYPE_BOOL || e->type == TYPE_INT4 || e->type == TYPE_NUMERIC;
    if (e->kind != EXPR_CONST || !bare || strstr(d->out->data + from, "::")) return;
    strbuf_adds(d->out, "::");
    deparse__type(d, e->type, e->typmod);
}

static void print_aggregate(struct deparse *d, const struct expr *e)
{
    bool window = e->kind == EXPR_WINDOW;
    uint32_t direct = window ? 0 : e->aggregate.direct_count;
    bool within = !window && e->aggregate.within_group;
    uint32_t orders = window ? 0 : e->aggregate.order_count;
    const struct expr *filter = window ? e->window.filter : e->aggregate.filter;
    deparse__identifier(d->out, window ? e->window.proc->name : e->aggregate.proc->name);
    strbuf_addc(d->out, '(');
    if (!window && e->aggregate.distinct) strbuf_adds(d->out, "DISTINCT ");
    if (window ? e->window.star : e->aggregate.star) strbuf_addc(d->out, '*');
    print_list(d, e->args, within ? direct : e->arg_count);
    if (within) strbuf_adds(d->out, ") WITHIN GROUP (");
    for (uint32_t i = 0; i < orders; i++) {
        const struct sort_item *o = &e->aggregate.order_by[i];
        strbuf_adds(d->out, i ? ", " : within ? "ORDER BY " : " ORDER BY ");
        print_key(d, o->expr);
        if (o->descending) strbuf_adds(d->out, " DESC");
        if (o->nulls_first != o->descending)
            strbuf_adds(d->out, o->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
    strbuf_addc(d->out, ')');
    if (filter) {
        strbuf_adds(d->out, " FILTER (WHERE ");
        print(d, filter, false);
        strbuf_addc(d->out, ')');
    }
    if (window) strbuf_adds(d->out, " OVER (?)");
}

/* --- casts ------------------------------------------------------------------------------------ */

static void print_cast(struct deparse *d, const struct expr *e, bool implicit)
{
    const struct expr *arg = e->args[0];
    if (!e->cast.is_explicit && !implicit) {
        print(d, arg, false);
        return;
    }
    if (arg->kind == EXPR_CONST && arg->type == e->type && arg->typmod == -1) {
        deparse__const(d, arg, false);
    } else {
        strbuf_addc(d->out, '(');
        print(d, arg, false);
        strbuf_addc(d->out, ')');
    }
    strbuf_adds(d->out, "::");
    deparse__type(d, e->type, e->typmod);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* The items of IN all relabelled alike (varchar as text) are relabelled as one array. */
static const struct type_info *relabelled_items(const struct expr *e)
{
    for (uint32_t i = 1; i < e->arg_count; i++) {
        const struct expr *item = e->args[i];
        if (item->kind != EXPR_CAST || item->cast.method != CAST_RELABEL ||
            item->cast.is_explicit || item->args[0]->type != e->args[1]->args[0]->type)
            return NULL;
    }
    return type_get(e->args[1]->type);
}

static void print_in_list(struct deparse *d, const struct expr *e)
{
    const struct type_info *as = relabelled_items(e);
    bool negated = e->call.op && strcmp(e->call.op->name, "<>") == 0;
    strbuf_addc(d->out, '(');
    print(d, e->args[0], true);
    if (d->options->mode == DEPARSE_STORAGE) { /* reads back as a list, which an array would not */
        strbuf_adds(d->out, negated ? " NOT IN (" : " IN (");
        for (uint32_t i = 1; i < e->arg_count; i++) {
            if (i > 1) strbuf_adds(d->out, ", ");
            print(d, as ? e->args[i]->args[0] : e->args[i], true);
        }
        strbuf_adds(d->out, "))");
        return;
    }
    strbuf_addf(d->out, " %s (%sARRAY[", negated ? "<> ALL" : "= ANY", as ? "(" : "");
    for (uint32_t i = 1; i < e->arg_count; i++) {
        if (i > 1) strbuf_adds(d->out, ", ");
        print(d, as ? e->args[i]->args[0] : e->args[i], true);
    }
    strbuf_addc(d->out, ']');
    if (as) {
        strbuf_adds(d->out, ")::");
        deparse__type(d, as->array, -1);
    }
    strbuf_adds(d->out, "))");
}

static void print_array(struct deparse *d, const struct expr *e)
{
    strbuf_adds(d->out, "ARRAY[");
    print_list(d, e->args, e->arg_count);
    strbuf_addc(d->out, ']');
    if (e->arg_count) return;
    strbuf_adds(d->out, "::");
    deparse__type(d, e->type, -1);
}

static void print_subscript(struct deparse *d, const struct expr *e)
{
    bool bare = e->args[0]->kind == EXPR_COLUMN;
    uint32_t each = e->subscript.slice ? 2 : 1;
    if (!bare) strbuf_addc(d->out, '(');
    print(d, e->args[0], true);
    if (!bare) strbuf_addc(d->out, ')');
    for (uint32_t i = 1; i + each <= e->arg_count; i += each) {
        strbuf_addc(d->out, '[');
        if (e->args[i]) print(d, e->args[i], false);
        if (e->subscript.slice) strbuf_addc(d->out, ':');
        if (e->subscript.slice && e->args[i + 1]) print(d, e->args[i + 1], false);
        strbuf_addc(d->out, ']');
    }
}

/* word(a, b) */
static void print_form(struct deparse *d, const char *word, const struct expr *e)
{
    strbuf_adds(d->out, word);
    strbuf_addc(d->out, '(');
    print_list(d, e->args, e->arg_count);
    strbuf_addc(d->out, ')');
}

/* --- boolean forms, CASE ---------------------------------------------------------------------- */

static void print_bool(struct deparse *d, const struct expr *e)
{
    strbuf_adds(d->out, e->bool_op == BOOL_NOT ? "(NOT " : "(");
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (i) strbuf_adds(d->out, e->bool_op == BOOL_AND ? " AND " : " OR ");
        print(d, e->args[i], false);
    }
    strbuf_addc(d->out, ')');
}

/* On a line of its own, at the present depth. */
static void print_line(struct deparse *d, const char *word)
{
    struct strbuf *out = d->out;
    if (d->options->print) {
        char last = out->len ? out->data[out->len - 1] : '(';
        if (last != ' ' && last != '(') strbuf_addc(out, ' ');
        strbuf_adds(out, word);
        return;
    }
    while (out->len && out->data[out->len - 1] == ' ') out->data[--out->len] = '\0';
    strbuf_addc(out, '\n');
    int n = d->indent < INDENT_MAX ? d->indent : INDENT_MAX;
    for (int i = 0; i < n; i++) strbuf_addc(out, ' ');
    strbuf_adds(out, word);
}

/* CASE x WHEN y holds x = y: x is shown once, then only the ys. */
static bool shows_operand(const struct expr *e)
{
    if (!e->case_when.has_operand || e->arg_count < 3) return false;
    for (uint32_t i = 0; i + 1 < e->arg_count; i += 2)
        if (e->args[i]->kind != EXPR_CALL || e->args[i]->arg_count != 2) return false;
    return true;
}

static void print_case(struct deparse *d, const struct expr *e)
{
    bool operand = shows_operand(e);
    print_line(d, "CASE");
    d->indent += CASE_INDENT;
    if (operand) {
        strbuf_addc(d->out, ' ');
        print(d, e->args[0]->args[0], false);
    }
    for (uint32_t i = 0; i + 1 < e->arg_count; i += 2) {
        print_line(d, "WHEN ");
        print(d, operand ? e->args[i]->args[1] : e->args[i], false);
        strbuf_adds(d->out, " THEN ");
        print(d, e->args[i + 1], true);
    }
    if (e->arg_count % 2) {
        print_line(d, "ELSE ");
        print(d, e->args[e->arg_count - 1], true);
    }
    d->indent -= CASE_INDENT;
    print_line(d, "END");
}

static void print_test(struct deparse *d, const struct expr *e)
{
    static const char *const tests[] = {" IS TRUE)",      " IS NOT TRUE)", " IS FALSE)",
                                        " IS NOT FALSE)", " IS UNKNOWN)",  " IS NOT UNKNOWN)"};
    bool null_test = e->kind == EXPR_NULL_TEST;
    strbuf_addc(d->out, '(');
    print(d, e->args[0], null_test);
    if (null_test) strbuf_adds(d->out, e->negated ? " IS NOT NULL)" : " IS NULL)");
    else strbuf_adds(d->out, tests[e->boolean_test]);
}

static void print_pair(struct deparse *d, const struct expr *e, const char *between,
                       const char *end)
{
    strbuf_addc(d->out, '(');
    print(d, e->args[0], true);
    strbuf_adds(d->out, between);
    print(d, e->args[1], true);
    strbuf_adds(d->out, end);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void print_sql_value(struct deparse *d, const struct expr *e)
{
    static const char *const names[] = {
        [SQL_CURRENT_DATE] = "CURRENT_DATE",
        [SQL_CURRENT_TIME] = "CURRENT_TIME",
        [SQL_CURRENT_TIMESTAMP] = "CURRENT_TIMESTAMP",
        [SQL_LOCALTIME] = "LOCALTIME",
        [SQL_LOCALTIMESTAMP] = "LOCALTIMESTAMP",
        [SQL_CURRENT_ROLE] = "CURRENT_ROLE",
        [SQL_CURRENT_USER] = "CURRENT_USER",
        [SQL_USER] = "USER",
        [SQL_SESSION_USER] = "SESSION_USER",
        [SQL_CURRENT_CATALOG] = "CURRENT_CATALOG",
        [SQL_CURRENT_SCHEMA] = "CURRENT_SCHEMA",
    };
    strbuf_adds(d->out, names[e->sql_value]);
    if (e->typmod >= 0) strbuf_addf(d->out, "(%d)", e->typmod);
}

static void print_subquery(struct deparse *d, const struct expr *e)
{
    const char *word = e->subquery.type == SUBLINK_EXISTS ? "EXISTS"
                       : e->subquery.type == SUBLINK_ARRAY ? "ARRAY"
                                                           : "";
    strbuf_addf(d->out, "%s(SubPlan %u)", word, e->subquery.plan_index + 1);
}

static void print_any(struct deparse *d, const struct expr *e)
{
    const char *word = e->any.all ? "ALL" : "ANY";
    strbuf_addc(d->out, '(');
    print(d, e->args[0], true);
    strbuf_addf(d->out, " %s %s (", e->any.op->name, word);
    print(d, e->args[1], true);
    strbuf_adds(d->out, "))");
}

static void print_row(struct deparse *d, const struct expr *e)
{
    bool named = e->type != TYPE_RECORD && d->options->mode == DEPARSE_STORAGE;
    if (named) strbuf_addc(d->out, '(');
    print_form(d, "ROW", e);
    if (!named) return;
    strbuf_adds(d->out, "::");
    deparse__type(d, e->type, -1);
    strbuf_addc(d->out, ')');
}

static void print_field(struct deparse *d, const struct expr *e)
{
    strbuf_addc(d->out, '(');
    print(d, e->args[0], true);
    strbuf_adds(d->out, ").");
    deparse__identifier(d->out, e->field.name);
}

static void print(struct deparse *d, const struct expr *e, bool implicit)
{
    const struct deparse_options *o = d->options;
    if (o->print && o->print(o->print_ctx, e, d->out)) return;
    switch ((enum expr_kind)e->kind) {
    case EXPR_CONST: deparse__const(d, e, true); return;
    case EXPR_PARAM:
    case EXPR_OUTER: strbuf_addf(d->out, "$%d", e->param); return;
    case EXPR_COLUMN: print_column(d, e); return;
    case EXPR_SLOT: strbuf_addf(d->out, "#%u", e->slot); return;
    case EXPR_CALL: print_call(d, e); return;
    case EXPR_BOOL: print_bool(d, e); return;
    case EXPR_NULL_TEST:
    case EXPR_BOOLEAN_TEST: print_test(d, e); return;
    case EXPR_CASE: print_case(d, e); return;
    case EXPR_COALESCE: print_form(d, "COALESCE", e); return;
    case EXPR_MIN_MAX: print_form(d, e->least ? "LEAST" : "GREATEST", e); return;
    case EXPR_DISTINCT: print_pair(d, e, " IS DISTINCT FROM ", ")"); return;
    case EXPR_NULLIF: print_form(d, "NULLIF", e); return;
    case EXPR_CAST: print_cast(d, e, implicit); return;
    case EXPR_ANY: print_any(d, e); return;
    case EXPR_IN_LIST: print_in_list(d, e); return;
    case EXPR_ARRAY: print_array(d, e); return;
    case EXPR_SUBSCRIPT: print_subscript(d, e); return;
    case EXPR_ROW: print_row(d, e); return;
    case EXPR_FIELD: print_field(d, e); return;
    case EXPR_SUBQUERY: print_subquery(d, e); return;
    case EXPR_AGGREGATE:
    case EXPR_WINDOW: print_aggregate(d, e); return;
    case EXPR_SQL_VALUE: print_sql_value(d, e); return;
    case EXPR_GROUPING: print_form(d, "GROUPING", e); return;
    }
}

void expr_identifier(const char *name, struct strbuf *out)
{
    deparse__identifier(out, name);
}

void expr_deparse(const struct expr *e, const struct query *q, const struct deparse_options *o,
                  struct strbuf *out)
{
    struct deparse d = {.query = q, .options = o, .out = out};
    print(&d, e, false);
}

void expr_deparse_key(const struct expr *e, const struct query *q, const struct deparse_options *o,
                      struct strbuf *out)
{
    struct deparse d = {.query = q, .options = o, .out = out};
    print_key(&d, e);
}
