/* DECLARE: variables, constants, aliases and cursors. */
#include "sql/plpgsql/parse_priv.h"

/* In this block already? */
static bool is_declared(const struct parser *p, const char *name)
{
    for (const struct pl_name *n = p->names; n && !n->is_label; n = n->outer)
        if (strcmp(n->name, name) == 0) return true;
    return false;
}

static enum status duplicate(struct parser *p, const struct token *t)
{
    (void)t;
    return parse__at(p, t, FAIL(SYNTAX_ERROR, "duplicate declaration at or near \"%s\"", t->text));
}

static enum status parse_alias(struct parser *p, const char *name)
{
    struct pl_target target;
    size_t n;
    const struct token *t = parse__token(p);
    if (!parse__find_target(p, p->at, &target, &n) || target.field)
        return parse__at(p, t, FAIL(UNDEFINED_OBJECT, "variable \"%s\" does not exist", t->text));
    p->at += n;
    parse__add_name(p, name, target.var);
    return parse__expect(p, ";");
}

static bool ends_type(const struct token *t)
{
    static const char *const words[] = {";", "not", ":=", "=", "default", "collate", ",", ")", NULL};
    for (int i = 0; words[i]; i++)
        if (parse__is(t, words[i])) return true;
    return t->kind == TOKEN_END;
}

/* The type as it stands, up to what may follow it. */
static enum status parse_type(struct parser *p, struct pl_var *v)
{
    const struct token *first = parse__token(p);
    int depth = 0;
    size_t from = p->at;
    while (depth > 0 || !ends_type(parse__token(p))) {
        const struct token *t = parse__token(p);
        if (t->kind == TOKEN_END) return parse__syntax(p, t);
        if (parse__is(t, "%") && depth == 0) break;
        depth += parse__is(t, "(") || parse__is(t, "[");
        depth -= parse__is(t, ")") || parse__is(t, "]");
        p->at++;
    }
    if (p->at == from)
        return parse__at(p, first, FAIL(SYNTAX_ERROR, "missing data type declaration"));
    uint32_t end = p->tokens.data[p->at - 1].end;
    v->type_at = parse__position(p, first->start);
    v->type = arena_strndup(p->arena, p->body.data + first->start, end - first->start);
    if (strcmp(v->type, "record") == 0 || (p->at == from + 1 && parse__is(first, "record")))
        v->kind = PL_RECORD;
    if (!parse__accept(p, "%")) return OK;
    if (parse__accept(p, "type")) v->reference = 't';
    else if (parse__accept(p, "rowtype")) v->reference = 'r';
    else return parse__syntax(p, parse__token(p));
    return OK;
}

static enum status cursor_params(struct parser *p, struct pl_var *v)
{
    if (!parse__accept(p, "(")) return OK;
    do {
        struct pl_var param = {.line = parse__token(p)->line, .alias_of = -1};
        TRY(parse__name(p, &param.name));
        TRY(parse_type(p, &param));
        uint32_t at = parse__add_var(p, &param);
        if (v->param_count++ == 0) v->param = at;
        parse__add_name(p, param.name, at);
    } while (parse__accept(p, ","));
    return parse__expect(p, ")");
}

static enum status parse_cursor(struct parser *p, struct pl_var *v)
{
    static const char *const until[] = {";", NULL};
    const struct pl_name *outer = p->names;
    v->kind = PL_CURSOR;
    v->type = "refcursor";
    parse__push_label(p, NULL, false);
    TRY(cursor_params(p, v));
    if (!parse__accept(p, "for")) TRY(parse__expect(p, "is"));
    TRY(parse__sql(p, false, until, &v->query));
    p->names = outer;
    parse__add_name(p, v->name, parse__add_var(p, v));
    return parse__expect(p, ";");
}

static enum status parse_variable(struct parser *p, struct pl_var *v)
{
    v->constant = parse__accept(p, "constant");
    TRY(parse_type(p, v));
    if (parse__accept(p, "collate")) {
        const char *name;
        do TRY(parse__name(p, &name));
        while (parse__accept(p, "."));
    }
    if (parse__accept(p, "not")) {
        TRY(parse__expect(p, "null"));
        v->not_null = true;
    }
    if (parse__accept(p, ":=") || parse__accept(p, "=") || parse__accept(p, "default")) {
        TRY(parse__expression(p, ";", &v->initial));
    } else {
        TRY(parse__expect(p, ";"));
        if (v->not_null)
            return FAIL(NULL_VALUE_NOT_ALLOWED,
                        "variable \"%s\" must have a default value, since it's declared NOT NULL",
                        v->name);
    }
    parse__add_name(p, v->name, parse__add_var(p, v));
    return OK;
}

static enum status parse_declaration(struct parser *p)
{
    const struct token *t = parse__token(p);
    struct pl_var v = {.line = t->line, .alias_of = -1};
    TRY(parse__name(p, &v.name));
    if (is_declared(p, v.name)) return duplicate(p, t);
    if (parse__accept(p, "alias")) {
        TRY(parse__expect(p, "for"));
        return parse_alias(p, v.name);
    }
    bool no = parse__is(parse__token(p), "no") && parse__is(parse__peek(p, 1), "scroll");
    if (no) p->at++;
    bool scroll = parse__is(parse__token(p), "scroll") && parse__is(parse__peek(p, 1), "cursor");
    if (scroll) p->at++;
    v.scroll = scroll && !no;
    v.no_scroll = no;
    if (parse__accept(p, "cursor")) return parse_cursor(p, &v);
    return parse_variable(p, &v);
}

enum status parse__declarations(struct parser *p)
{
    while (!parse__is(parse__token(p), "begin") && !parse__is(parse__token(p), "declare"))
        TRY(parse_declaration(p));
    return OK;
}
