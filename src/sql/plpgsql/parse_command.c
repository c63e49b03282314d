/* Statements around pieces of SQL: SQL itself with INTO, EXECUTE, RETURN, RAISE, GET DIAGNOSTICS, cursors. */
#include "sql/plpgsql/parse_priv.h"

/* Expressions separated by commas, up to the word, which goes too. */
enum status parse__arguments(struct parser *p, const char *end, struct pl_stmt *s)
{
    const char *const until[] = {",", end, NULL};
    ARRAY(struct pl_sql *) list = {0};
    if (!parse__accept(p, end)) {
        do {
            struct pl_sql *q;
            TRY(parse__sql(p, true, until, &q));
            ARENA_PUSH(p->arena, &list, q);
        } while (parse__accept(p, ","));
        TRY(parse__expect(p, end));
    }
    s->args = list.data;
    s->arg_count = (uint32_t)list.count;
    return OK;
}

/* --- SQL statements ------------------------------------------------------------------------- */

static enum status parse_into(struct parser *p, struct pl_stmt *s, bool may_be_strict)
{
    s->exec.into = true;
    s->exec.strict = may_be_strict && parse__accept(p, "strict");
    return parse__targets(p, &s->into);
}

/* INSERT INTO, MERGE INTO and IMPORT … INTO are no INTO of ours. */
static bool is_into(const struct parser *p, size_t first)
{
    if (!parse__is(parse__token(p), "into")) return false;
    if (p->at == first) return true;
    const struct token *before = &p->tokens.data[p->at - 1];
    return !parse__is(before, "insert") && !parse__is(before, "merge") &&
           !parse__is(&p->tokens.data[first], "import");
}

enum status parse__command(struct parser *p, struct pl_stmt **ret)
{
    const struct token *first = parse__token(p);
    struct pl_stmt *s = *ret = parse__stmt(p, PL_EXECSQL, first->line);
    size_t from = p->at;
    int depth = 0;
    uint32_t into = 0, into_end = 0;
    if (parse__is(first, "call") || parse__is(first, "do")) s->kind = PL_CALL;
    if (s->kind == PL_CALL) p->function->may_end = true;
    for (;; p->at++) {
        const struct token *t = parse__token(p);
        if (t->kind == TOKEN_END) return parse__syntax(p, t);
        if (parse__is(t, ";") && depth <= 0) break;
        depth += parse__is(t, "(");
        depth -= parse__is(t, ")");
        if (s->kind == PL_CALL || depth || !is_into(p, from)) continue;
        if (s->exec.into)
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "INTO specified more than once"));
        into = t->start;
        p->at++;
        TRY(parse_into(p, s, true));
        into_end = parse__token(p)->start;
        p->at--;
    }
    uint32_t end = p->tokens.data[p->at - 1].end;
    char *text = arena_strndup(p->arena, p->body.data + first->start, end - first->start);
    for (uint32_t i = into; i < into_end && i < end; i++)
        if (text[i - first->start] != '\n') text[i - first->start] = ' ';
    s->sql = parse__sql_new(p, text, first->line, false);
    p->at++;
    return OK;
}

enum status parse__execute(struct parser *p, struct pl_stmt **ret)
{
    static const char *const until[] = {"into", "using", ";", NULL};
    static const char *const next[] = {",", "into", "using", ";", NULL};
    struct pl_stmt *s = *ret = parse__stmt(p, PL_EXECUTE, parse__token(p)->line);
    ARRAY(struct pl_sql *) list = {0};
    p->at++;
    TRY(parse__sql(p, true, until, &s->sql));
    while (!parse__accept(p, ";")) {
        const struct token *t = parse__token(p);
        if (parse__is(t, "into") && !s->exec.into) {
            p->at++;
            TRY(parse_into(p, s, true));
        } else if (parse__is(t, "using") && !list.count) {
            do {
                struct pl_sql *q;
                p->at++;
                TRY(parse__sql(p, true, next, &q));
                ARENA_PUSH(p->arena, &list, q);
            } while (parse__is(parse__token(p), ","));
        } else {
            return parse__syntax(p, t);
        }
    }
    s->args = list.data;
    s->arg_count = (uint32_t)list.count;
    return OK;
}

/* --- RETURN --------------------------------------------------------------------------------- */

static enum status return_query(struct parser *p, struct pl_stmt *s)
{
    static const char *const until[] = {";", NULL}, *const using[] = {"using", ";", NULL};
    s->kind = PL_RETURN_QUERY;
    s->ret.dynamic = parse__accept(p, "execute");
    if (!s->ret.dynamic) {
        TRY(parse__sql(p, false, until, &s->sql));
        return parse__expect(p, ";");
    }
    TRY(parse__sql(p, true, using, &s->sql));
    if (parse__accept(p, "using")) return parse__arguments(p, ";", s);
    return parse__expect(p, ";");
}

enum status parse__return(struct parser *p, struct pl_stmt **ret)
{
    struct pl_stmt *s = *ret = parse__stmt(p, PL_RETURN, parse__token(p)->line);
    struct pl_target t;
    size_t n;
    p->at++;
    if (parse__is(parse__token(p), "query")) {
        p->at++;
        return return_query(p, s);
    }
    if (parse__accept(p, "next")) s->kind = PL_RETURN_NEXT;
    if (parse__accept(p, ";")) return OK;
    if (parse__find_target(p, p->at, &t, &n) && !t.field && parse__is(parse__peek(p, n), ";")) {
        s->ret.is_var = true;
        s->ret.var = t.var;
    }
    return parse__expression(p, ";", &s->sql);
}

/* --- RAISE ---------------------------------------------------------------------------------- */

static enum status raise_options(struct parser *p, struct pl_stmt *s)
{
    static const char *const until[] = {",", ";", NULL};
    ARRAY(struct pl_option) list = {0};
    do {
        struct pl_option o;
        const struct token *t = parse__token(p);
        TRY(parse__name(p, &o.name));
        static const char *const known[] = {"errcode", "message", "detail", "hint", "column",
                                            "constraint", "datatype", "table", "schema", NULL};
        int i = 0;
        while (known[i] && strcmp(known[i], o.name) != 0) i++;
        if (!known[i])
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "unrecognized RAISE statement option"));
        if (!parse__accept(p, ":=")) TRY(parse__expect(p, "="));
        TRY(parse__sql(p, true, until, &o.value));
        ARENA_PUSH(p->arena, &list, o);
    } while (parse__accept(p, ","));
    s->raise.options = list.data;
    s->raise.option_count = (uint32_t)list.count;
    return parse__expect(p, ";");
}

static enum status raise_level(struct parser *p, struct pl_stmt *s)
{
    static const char *const words[] = {[PL_DEBUG] = "debug",     [PL_LOG] = "log",
                                        [PL_INFO] = "info",       [PL_NOTICE] = "notice",
                                        [PL_WARNING] = "warning", [PL_EXCEPTION] = "exception"};
    s->raise.level = PL_EXCEPTION;
    for (int i = 0; i <= PL_EXCEPTION; i++)
        if (parse__accept(p, words[i])) {
            s->raise.level = (enum pl_level)i;
            break;
        }
    return OK;
}

/* As many arguments as the format has places. */
static enum status check_format(struct parser *p, const struct pl_stmt *s)
{
    uint32_t places = 0;
    for (const char *c = s->raise.message; *c; c++) {
        if (*c != '%') continue;
        if (c[1] == '%') c++;
        else places++;
    }
    (void)p;
    if (places < s->arg_count)
        return FAIL(SYNTAX_ERROR, "too many parameters specified for RAISE");
    if (places > s->arg_count)
        return FAIL(SYNTAX_ERROR, "too few parameters specified for RAISE");
    return OK;
}

static enum status raise_message(struct parser *p, struct pl_stmt *s)
{
    static const char *const until[] = {",", ";", "using", NULL};
    ARRAY(struct pl_sql *) list = {0};
    s->raise.message = parse__token(p)->text;
    p->at++;
    while (parse__accept(p, ",")) {
        struct pl_sql *q;
        TRY(parse__sql(p, true, until, &q));
        ARENA_PUSH(p->arena, &list, q);
    }
    s->args = list.data;
    s->arg_count = (uint32_t)list.count;
    return check_format(p, s);
}

static enum status raise_condition(struct parser *p, struct pl_stmt *s)
{
    const struct token *t = parse__token(p);
    TRY(parse__name(p, &s->raise.condition));
    if (strcmp(s->raise.condition, "sqlstate") == 0) {
        t = parse__token(p);
        if (t->kind != TOKEN_STRING) return parse__syntax(p, t);
        if (strlen(t->text) != 5 ||
            strspn(t->text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "invalid SQLSTATE code"));
        s->raise.condition = arena_printf(p->arena, "!%s", t->text);
        p->at++;
        return OK;
    }
    if (!plpgsql_condition(s->raise.condition, 0))
        return FAIL(UNDEFINED_OBJECT, "unrecognized exception condition \"%s\"", s->raise.condition);
    return OK;
}

enum status parse__raise(struct parser *p, struct pl_stmt **ret)
{
    struct pl_stmt *s = *ret = parse__stmt(p, PL_RAISE, parse__token(p)->line);
    p->at++;
    if (parse__accept(p, ";")) {
        s->raise.again = true;
        s->raise.level = PL_EXCEPTION;
        return OK;
    }
    TRY(raise_level(p, s));
    const struct token *t = parse__token(p);
    if (parse__is(t, ";")) return parse__syntax(p, t);
    if (t->kind == TOKEN_STRING) TRY(raise_message(p, s));
    else if (!parse__is(t, "using")) TRY(raise_condition(p, s));
    if (parse__accept(p, "using")) return raise_options(p, s);
    return parse__expect(p, ";");
}

/* --- GET DIAGNOSTICS ------------------------------------------------------------------------ */

enum status parse__diagnostics(struct parser *p, struct pl_stmt **ret)
{
    static const char *const now[] = {"row_count", "pg_context", NULL};
    static const char *const stacked[] = {
        "returned_sqlstate", "message_text", "pg_exception_detail", "pg_exception_hint",
        "pg_exception_context", "column_name", "constraint_name", "pg_datatype_name", "table_name",
        "schema_name", NULL};
    ARRAY(struct pl_diagnostic) list = {0};
    struct pl_stmt *s = *ret = parse__stmt(p, PL_GET_DIAGNOSTICS, parse__token(p)->line);
    p->at++;
    s->diagnostics.stacked = parse__accept(p, "stacked");
    if (!s->diagnostics.stacked) (void)parse__accept(p, "current");
    TRY(parse__expect(p, "diagnostics"));
    do {
        struct pl_diagnostic d = {0};
        struct pl_targets one;
        size_t n;
        if (!parse__find_target(p, p->at, &d.target, &n)) {
            const struct token *t = parse__token(p);
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "\"%s\" is not a known variable", t->text));
        }
        TRY(parse__targets(p, &one));
        d.target = one.items[0];
        if (!parse__accept(p, ":=")) TRY(parse__expect(p, "="));
        const struct token *t = parse__token(p);
        TRY(parse__name(p, &d.item));
        const char *const *known = s->diagnostics.stacked ? stacked : now;
        const char *const *other = s->diagnostics.stacked ? now : stacked;
        while (*known && strcmp(*known, d.item) != 0) known++;
        while (*other && strcmp(*other, d.item) != 0) other++;
        if (!*known && !*other)
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "unrecognized GET DIAGNOSTICS item"));
        if (!*known) {
            char upper[32];
            size_t len = strlen(d.item);
            for (size_t i = 0; i <= len; i++)
                upper[i] = d.item[i] >= 'a' && d.item[i] <= 'z' ? (char)(d.item[i] - 32) : d.item[i];
            return FAIL(SYNTAX_ERROR, "diagnostics item %s is not allowed in GET %s DIAGNOSTICS",
                        upper, s->diagnostics.stacked ? "STACKED" : "CURRENT");
        }
        ARENA_PUSH(p->arena, &list, d);
    } while (parse__accept(p, ","));
    s->diagnostics.items = list.data;
    s->diagnostics.count = (uint32_t)list.count;
    return parse__expect(p, ";");
}
