/* Loops. FOR is over integers when two points follow its first expression, over a cursor when it names one,
 * else over a query. */
#include "sql/plpgsql/parse_priv.h"

static enum status parse_body(struct parser *p, struct pl_stmt *s)
{
    static const char *const end[] = {"end", NULL};
    const struct token *t;
    TRY(parse__statements(p, end, &s->body));
    TRY(parse__expect(p, "end"));
    TRY(parse__expect(p, "loop"));
    t = parse__token(p);
    if (t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED) {
        if (!s->label)
            return parse__at(p, t, FAIL(SYNTAX_ERROR,
                                        "end label \"%s\" specified for unlabeled block", t->text));
        if (strcmp(s->label, t->text) != 0)
            return parse__at(p, t, FAIL(SYNTAX_ERROR,
                                        "end label \"%s\" differs from block's label \"%s\"",
                                        t->text, s->label));
        p->at++;
    }
    return parse__expect(p, ";");
}

/* --- FOR ------------------------------------------------------------------------------------ */

static bool has_range(struct parser *p)
{
    int depth = 0;
    for (size_t i = 0;; i++) {
        const struct token *t = parse__peek(p, i);
        if (t->kind == TOKEN_END || (depth == 0 && parse__is(t, "loop"))) return false;
        if (depth == 0 && parse__is(t, "..")) return true;
        depth += parse__is(t, "(") || parse__is(t, "[");
        depth -= parse__is(t, ")") || parse__is(t, "]");
    }
}

static enum status for_integers(struct parser *p, struct pl_stmt *s, const char *name)
{
    static const char *const until[] = {"loop", "by", NULL};
    s->kind = PL_FOR_INT;
    s->arg_count = 3;
    s->args = ARENA_ARRAY(p->arena, struct pl_sql *, 3);
    s->loop.reverse = parse__accept(p, "reverse");
    TRY(parse__expression(p, "..", &s->args[0]));
    TRY(parse__sql(p, true, until, &s->args[1]));
    if (parse__accept(p, "by")) TRY(parse__expression(p, "loop", &s->args[2]));
    else p->at++;
    struct pl_var v = {.name = name, .line = s->line, .type = "integer", .alias_of = -1};
    s->loop.var = parse__add_var(p, &v);
    parse__add_name(p, name, s->loop.var);
    return parse_body(p, s);
}

static enum status for_cursor(struct parser *p, struct pl_stmt *s, const char *name, uint32_t cursor)
{
    const struct token *t = parse__token(p);
    s->kind = PL_FOR_CURSOR;
    s->cursor.var = cursor;
    if (!p->vars.data[cursor].query)
        return parse__at(p, t, FAIL(SYNTAX_ERROR,
                                    "cursor FOR loop must use a bound cursor variable"));
    p->at++;
    if (parse__accept(p, "(")) TRY(parse__arguments(p, ")", s));
    TRY(parse__expect(p, "loop"));
    struct pl_var v = {.name = name, .line = s->line, .kind = PL_RECORD, .type = "record",
                       .alias_of = -1};
    struct pl_target *target = ARENA_NEW(p->arena, struct pl_target);
    target->var = parse__add_var(p, &v);
    s->into = (struct pl_targets){target, 1};
    parse__add_name(p, name, target->var);
    return parse_body(p, s);
}

static enum status for_query(struct parser *p, struct pl_stmt *s, const struct token *name)
{
    static const char *const until[] = {"loop", NULL};
    static const char *const using[] = {"using", "loop", NULL};
    if (!s->into.count)
        return parse__at(p, name, FAIL(SYNTAX_ERROR, "loop variable of loop over rows must be a "
                                                     "record variable or list of scalar variables"));
    s->kind = PL_FOR_QUERY;
    if (parse__accept(p, "execute")) {
        s->kind = PL_FOR_EXECUTE;
        TRY(parse__sql(p, true, using, &s->sql));
        if (parse__accept(p, "using")) TRY(parse__arguments(p, "loop", s));
        else p->at++;
        return parse_body(p, s);
    }
    TRY(parse__sql(p, false, until, &s->sql));
    p->at++;
    return parse_body(p, s);
}

static enum status parse_for(struct parser *p, struct pl_stmt *s)
{
    const struct token *name = parse__token(p);
    struct pl_target cursor, known;
    size_t n;
    const char *word;
    if (parse__find_target(p, p->at, &known, &n)) {
        TRY(parse__targets(p, &s->into));
        word = name->text;
    } else {
        TRY(parse__name(p, &word));
    }
    TRY(parse__expect(p, "in"));
    bool is_cursor = parse__find_target(p, p->at, &cursor, &n) && !cursor.field &&
                     p->vars.data[cursor.var].kind == PL_CURSOR;
    if (is_cursor) return for_cursor(p, s, word, cursor.var);
    if (parse__is(parse__token(p), "reverse") ||
        (!parse__is(parse__token(p), "execute") && has_range(p))) {
        s->into = (struct pl_targets){0};
        return for_integers(p, s, word);
    }
    return for_query(p, s, name);
}

static enum status parse_foreach(struct parser *p, struct pl_stmt *s)
{
    s->kind = PL_FOREACH;
    TRY(parse__targets(p, &s->into));
    if (parse__accept(p, "slice")) {
        const struct token *t = parse__token(p);
        int64_t slice = 0;
        if (t->kind != TOKEN_NUMBER || !str_to_i64(slice_of(t->text), &slice))
            return parse__syntax(p, t);
        s->foreach.slice = (int)slice;
        p->at++;
    }
    TRY(parse__expect(p, "in"));
    TRY(parse__expect(p, "array"));
    TRY(parse__expression(p, "loop", &s->sql));
    return parse_body(p, s);
}

enum status parse__loop(struct parser *p, const char *label, struct pl_stmt **ret)
{
    const struct token *t = parse__token(p);
    const struct pl_name *outer = p->names;
    struct pl_stmt *s = *ret = parse__stmt(p, PL_LOOP, t->line);
    enum status st;
    s->label = label;
    if (++p->depth > BLOCK_DEPTH_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    parse__push_label(p, label, true);
    if (parse__accept(p, "loop")) {
        st = parse_body(p, s);
    } else if (parse__accept(p, "while")) {
        s->kind = PL_WHILE;
        st = parse__expression(p, "loop", &s->sql);
        if (st == OK) st = parse_body(p, s);
    } else if (parse__accept(p, "for")) {
        st = parse_for(p, s);
    } else if (parse__accept(p, "foreach")) {
        st = parse_foreach(p, s);
    } else {
        st = parse__syntax(p, t);
    }
    p->names = outer;
    p->depth--;
    return st;
}
