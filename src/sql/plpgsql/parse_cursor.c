/* OPEN, FETCH, MOVE, CLOSE. */
#include "sql/plpgsql/parse_priv.h"

static enum status cursor_variable(struct parser *p, uint32_t *ret)
{
    struct pl_target t;
    size_t n;
    const struct token *at = parse__token(p);
    if (!parse__find_target(p, p->at, &t, &n) || t.field) {
        if (at->kind == TOKEN_WORD || at->kind == TOKEN_QUOTED)
            return parse__at(p, at, FAIL(SYNTAX_ERROR, "\"%s\" is not a known variable", at->text));
        return parse__at(p, at, FAIL(SYNTAX_ERROR, "cursor variable must be a simple variable"));
    }
    p->at += n;
    const struct pl_var *v = &p->vars.data[t.var];
    if (v->kind == PL_RECORD)
        return parse__at(p, at, FAIL(SYNTAX_ERROR, "cursor variable must be a simple variable"));
    if (v->type && v->kind != PL_CURSOR && strcmp(v->type, "refcursor") != 0)
        return parse__at(p, at, FAIL(DATATYPE_MISMATCH,
                                     "variable \"%s\" must be of type cursor or refcursor", v->name));
    *ret = t.var;
    return OK;
}

static enum status open_bound(struct parser *p, struct pl_stmt *s)
{
    const struct pl_var *v = &p->vars.data[s->cursor.var];
    const struct token *t = parse__token(p);
    if (parse__accept(p, "(")) TRY(parse__arguments(p, ")", s));
    if (v->param_count && !s->arg_count)
        return parse__at(p, t, FAIL(SYNTAX_ERROR, "cursor \"%s\" has arguments", v->name));
    if (s->arg_count && !v->param_count)
        return parse__at(p, t, FAIL(SYNTAX_ERROR, "cursor \"%s\" has no arguments", v->name));
    if (s->arg_count < v->param_count)
        return parse__at(p, t, FAIL(SYNTAX_ERROR, "not enough arguments for cursor \"%s\"", v->name));
    if (s->arg_count > v->param_count)
        return parse__at(p, t, FAIL(SYNTAX_ERROR, "too many arguments for cursor \"%s\"", v->name));
    return parse__expect(p, ";");
}

static enum status parse_open(struct parser *p, struct pl_stmt *s)
{
    static const char *const until[] = {";", NULL}, *const using[] = {"using", ";", NULL};
    s->kind = PL_OPEN;
    TRY(cursor_variable(p, &s->cursor.var));
    if (p->vars.data[s->cursor.var].query) return open_bound(p, s);
    s->cursor.no_scroll = parse__accept(p, "no");
    if (parse__accept(p, "scroll")) s->cursor.scroll = !s->cursor.no_scroll;
    else if (s->cursor.no_scroll) return parse__syntax(p, parse__token(p));
    TRY(parse__expect(p, "for"));
    s->cursor.is_dynamic = parse__accept(p, "execute");
    TRY(parse__sql(p, s->cursor.is_dynamic, s->cursor.is_dynamic ? using : until, &s->sql));
    if (parse__accept(p, "using")) return parse__arguments(p, ";", s);
    return parse__expect(p, ";");
}

/* The direction and how many, up to FROM or IN. */
static enum status parse_direction(struct parser *p, struct pl_stmt *s)
{
    static const char *const until[] = {"from", "in", NULL};
    static const struct {
        const char *word;
        char direction;
        bool counted;
    } words[] = {{"next", 'n', false},    {"prior", 'p', false},   {"first", 'f', false},
                 {"last", 'l', false},    {"absolute", 'a', true}, {"relative", 'r', true},
                 {"forward", 'F', true},  {"backward", 'B', true}};
    s->cursor.direction = 'n';
    bool any = false, counted = true;
    for (size_t i = 0; i < sizeof words / sizeof *words && !any; i++) {
        if (!parse__accept(p, words[i].word)) continue;
        any = true;
        counted = words[i].counted;
        s->cursor.direction = words[i].direction;
    }
    if (counted && parse__accept(p, "all")) {
        s->cursor.all = true;
        if (!any) s->cursor.direction = 'F';
    } else if (counted && !parse__is(parse__token(p), "from") && !parse__is(parse__token(p), "in")) {
        if (!any) {
            struct pl_target t;
            size_t n;
            bool name = parse__find_target(p, p->at, &t, &n);
            if (name && p->vars.data[t.var].kind != PL_RECORD &&
                (parse__is(parse__peek(p, n), "into") || parse__is(parse__peek(p, n), ";")))
                return OK; /* FETCH c */
            s->cursor.direction = 'F';
        } else if ((s->cursor.direction == 'F' || s->cursor.direction == 'B')) {
            struct pl_target t;
            size_t n;
            if (parse__find_target(p, p->at, &t, &n) && p->vars.data[t.var].kind == PL_CURSOR)
                return OK;
        }
        TRY(parse__sql(p, true, until, &s->cursor.count));
    }
    if (!parse__accept(p, "from")) (void)parse__accept(p, "in");
    return OK;
}

static enum status parse_fetch(struct parser *p, struct pl_stmt *s, bool move)
{
    const struct token *t = parse__token(p);
    s->kind = PL_FETCH;
    s->cursor.move = move;
    TRY(parse_direction(p, s));
    if (!move && (s->cursor.all || ((s->cursor.direction == 'F' || s->cursor.direction == 'B') &&
                                    s->cursor.count)))
        return parse__at(p, t, FAIL(FEATURE_NOT_SUPPORTED,
                                    "FETCH statement cannot return multiple rows"));
    TRY(cursor_variable(p, &s->cursor.var));
    if (move) return parse__expect(p, ";");
    TRY(parse__expect(p, "into"));
    TRY(parse__targets(p, &s->into));
    return parse__expect(p, ";");
}

enum status parse__cursor(struct parser *p, struct pl_stmt **ret)
{
    const struct token *t = parse__token(p);
    struct pl_stmt *s = *ret = parse__stmt(p, PL_CLOSE, t->line);
    p->at++;
    if (parse__is(t, "open")) return parse_open(p, s);
    if (parse__is(t, "fetch")) return parse_fetch(p, s, false);
    if (parse__is(t, "move")) return parse_fetch(p, s, true);
    TRY(cursor_variable(p, &s->cursor.var));
    return parse__expect(p, ";");
}
