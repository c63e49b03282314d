/* Statements: which one begins here, and the plain ones. What begins with no word that PL/pgSQL has is an
 * assignment or SQL. */
#include "sql/plpgsql/parse_priv.h"

static bool ends_list(const struct token *t, const char *const *until)
{
    if (t->kind == TOKEN_END) return true;
    for (; *until; until++)
        if (parse__is(t, *until)) return true;
    return false;
}

/* --- IF and CASE ---------------------------------------------------------------------------- */

typedef ARRAY(struct pl_branch) branch_list;

static void take_branches(struct pl_stmt *s, const branch_list *list)
{
    s->branch.branches = list->data;
    s->branch.branch_count = (uint32_t)list->count;
}

static enum status parse_if(struct parser *p, struct pl_stmt **ret)
{
    static const char *const until[] = {"elsif", "elseif", "else", "end", NULL};
    static const char *const end[] = {"end", NULL};
    branch_list list = {0};
    struct pl_stmt *s = *ret = parse__stmt(p, PL_IF, parse__token(p)->line);
    p->at++;
    do {
        struct pl_branch b = {0};
        TRY(parse__expression(p, "then", &b.test));
        TRY(parse__statements(p, until, &b.body));
        ARENA_PUSH(p->arena, &list, b);
    } while (parse__accept(p, "elsif") || parse__accept(p, "elseif"));
    take_branches(s, &list);
    s->branch.has_else = parse__accept(p, "else");
    if (s->branch.has_else) TRY(parse__statements(p, end, &s->body));
    TRY(parse__expect(p, "end"));
    TRY(parse__expect(p, "if"));
    return parse__expect(p, ";");
}

/* With an operand the tests become: operand IN (values). The operand is kept in a variable of its own. */
static enum status parse_case(struct parser *p, struct pl_stmt **ret)
{
    static const char *const when[] = {"when", NULL};
    static const char *const until[] = {"when", "else", "end", NULL};
    static const char *const end[] = {"end", NULL};
    branch_list list = {0};
    const struct pl_name *outer = p->names;
    struct pl_stmt *s = *ret = parse__stmt(p, PL_CASE, parse__token(p)->line);
    const char *name = NULL;
    p->at++;
    if (!parse__is(parse__token(p), "when")) {
        TRY(parse__sql(p, true, when, &s->sql));
        name = arena_printf(p->arena, "__Case__Variable_%zu__", p->vars.count);
        struct pl_var v = {.name = name, .line = s->line, .alias_of = -1};
        struct pl_target *t = ARENA_NEW(p->arena, struct pl_target);
        t->var = parse__add_var(p, &v);
        s->into = (struct pl_targets){t, 1};
    }
    while (parse__accept(p, "when")) {
        struct pl_branch b = {0};
        p->names = outer;
        if (name) parse__add_name(p, name, s->into.items->var);
        TRY(parse__expression(p, "then", &b.test));
        if (name) b.test->text = arena_printf(p->arena, "\"%s\" IN (%s)", name, b.test->text);
        p->names = outer;
        TRY(parse__statements(p, until, &b.body));
        ARENA_PUSH(p->arena, &list, b);
    }
    if (!list.count) return parse__syntax(p, parse__token(p));
    take_branches(s, &list);
    s->branch.has_else = parse__accept(p, "else");
    if (s->branch.has_else) TRY(parse__statements(p, end, &s->body));
    TRY(parse__expect(p, "end"));
    TRY(parse__expect(p, "case"));
    return parse__expect(p, ";");
}

/* --- assignment ----------------------------------------------------------------------------- */

/* Tokens from here to := or =, when subscripts alone stand between; 0: no assignment. */
static bool is_assignment(struct parser *p, size_t n)
{
    int depth = 0;
    for (;; n++) {
        const struct token *t = parse__peek(p, n);
        if (t->kind == TOKEN_END || parse__is(t, ";")) return false;
        if (depth == 0 && (parse__is(t, ":=") || parse__is(t, "="))) return true;
        if (parse__is(t, "[")) depth++;
        else if (depth == 0) return false;
        if (parse__is(t, "]")) depth--;
    }
}

static enum status parse_subscripts(struct parser *p, struct pl_target *t)
{
    ARRAY(struct pl_sql *) list = {0};
    while (parse__accept(p, "[")) {
        struct pl_sql *q;
        TRY(parse__expression(p, "]", &q));
        ARENA_PUSH(p->arena, &list, q);
    }
    t->subscripts = list.data;
    t->subscript_count = (uint32_t)list.count;
    return OK;
}

static enum status parse_assignment(struct parser *p, struct pl_target *target, size_t tokens,
                                    struct pl_stmt **ret)
{
    const struct token *t = parse__token(p);
    struct pl_stmt *s = *ret = parse__stmt(p, PL_ASSIGN, t->line);
    const struct pl_var *v = &p->vars.data[target->var];
    if (v->constant)
        return parse__at(p, t, FAIL(ERROR_IN_ASSIGNMENT, "variable \"%s\" is declared CONSTANT",
                                    v->name));
    uint32_t start = t->start;
    p->at += tokens;
    TRY(parse_subscripts(p, target));
    p->at++;
    uint32_t from = parse__token(p)->start;
    s->into.items = arena_memdup(p->arena, target, sizeof *target);
    s->into.count = 1;
    TRY(parse__expression(p, ";", &s->sql));
    s->sql->target = s->into.items;
    s->sql->skip = (int)(from - start);
    s->sql->text = arena_strndup(p->arena, p->body.data + start,
                                 from - start + strlen(s->sql->text));
    return OK;
}

/* --- the rest ------------------------------------------------------------------------------- */

static bool has_label(const struct parser *p, const char *label, bool *ret_loop)
{
    for (const struct pl_name *n = p->names; n; n = n->outer)
        if (n->is_label && strcmp(n->name, label) == 0) {
            *ret_loop = n->is_loop;
            return true;
        }
    return false;
}

static bool in_loop(const struct parser *p)
{
    for (const struct pl_name *n = p->names; n; n = n->outer)
        if (n->is_label && n->is_loop) return true;
    return false;
}

static enum status parse_exit(struct parser *p, struct pl_stmt **ret)
{
    const struct token *t = parse__token(p);
    struct pl_stmt *s = *ret = parse__stmt(p, PL_EXIT, t->line);
    bool loop = true;
    s->exit.is_continue = strcmp(t->text, "continue") == 0;
    p->at++;
    if (!parse__is(parse__token(p), "when") && !parse__is(parse__token(p), ";")) {
        const struct token *at = parse__token(p);
        TRY(parse__name(p, &s->label));
        if (!has_label(p, s->label, &loop))
            return parse__at(p, at, FAIL(SYNTAX_ERROR, "there is no label \"%s\" attached to any "
                                                       "block or loop enclosing this statement",
                                         s->label));
        if (s->exit.is_continue && !loop)
            return parse__at(p, at, FAIL(SYNTAX_ERROR,
                                         "block label \"%s\" cannot be used in CONTINUE", s->label));
    } else if (!in_loop(p)) {
        return parse__at(p, t, s->exit.is_continue
                                   ? FAIL(SYNTAX_ERROR, "CONTINUE cannot be used outside a loop")
                                   : FAIL(SYNTAX_ERROR, "EXIT cannot be used outside a loop, unless "
                                                        "it has a label"));
    }
    if (parse__accept(p, "when")) return parse__expression(p, ";", &s->sql);
    return parse__expect(p, ";");
}

static enum status parse_assert(struct parser *p, struct pl_stmt **ret)
{
    static const char *const until[] = {",", ";", NULL};
    struct pl_stmt *s = *ret = parse__stmt(p, PL_ASSERT, parse__token(p)->line);
    p->at++;
    TRY(parse__sql(p, true, until, &s->sql));
    if (parse__accept(p, ";")) return OK;
    p->at++;
    s->args = ARENA_ARRAY(p->arena, struct pl_sql *, 1);
    s->arg_count = 1;
    return parse__expression(p, ";", &s->args[0]);
}

static enum status parse_perform(struct parser *p, struct pl_stmt **ret)
{
    static const char *const until[] = {";", NULL};
    struct pl_stmt *s = *ret = parse__stmt(p, PL_PERFORM, parse__token(p)->line);
    p->at++;
    TRY(parse__sql(p, false, until, &s->sql));
    s->sql->text = arena_printf(p->arena, "SELECT %s", s->sql->text);
    p->at++;
    return OK;
}

static enum status parse_end(struct parser *p, enum pl_kind kind, struct pl_stmt **ret)
{
    struct pl_stmt *s = *ret = parse__stmt(p, kind, parse__token(p)->line);
    p->at++;
    p->function->may_end = true;
    if (parse__accept(p, "and")) {
        s->chain = !parse__accept(p, "no");
        TRY(parse__expect(p, "chain"));
    }
    return parse__expect(p, ";");
}

static enum status labelled(struct parser *p, struct pl_stmt **ret)
{
    const char *label;
    p->at++;
    TRY(parse__name(p, &label));
    TRY(parse__expect(p, ">>"));
    const struct token *t = parse__token(p);
    if (!parse__is(t, "declare") && !parse__is(t, "begin")) return parse__loop(p, label, ret);
    TRY(parse__block(p, label, ret));
    return parse__expect(p, ";");
}

static enum status statement(struct parser *p, struct pl_stmt **ret)
{
    const struct token *t = parse__token(p);
    struct pl_target target;
    size_t n;
    if (parse__is(t, "<<")) return labelled(p, ret);
    if (parse__find_target(p, p->at, &target, &n) && is_assignment(p, n))
        return parse_assignment(p, &target, n, ret);
    if (t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED) {
        bool assigned = parse__is(parse__peek(p, 1), ":=") || parse__is(parse__peek(p, 1), "=");
        if (assigned)
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "\"%s\" is not a known variable", t->text));
    }
    if (t->kind != TOKEN_WORD) {
        if (parse__is(t, "(") || t->kind == TOKEN_QUOTED) return parse__command(p, ret);
        return parse__syntax(p, t);
    }
    if (parse__is(t, "declare") || parse__is(t, "begin")) {
        TRY(parse__block(p, NULL, ret));
        return parse__expect(p, ";");
    }
    if (parse__is(t, "if")) return parse_if(p, ret);
    if (parse__is(t, "case")) return parse_case(p, ret);
    if (parse__is(t, "loop") || parse__is(t, "while") || parse__is(t, "for") ||
        parse__is(t, "foreach"))
        return parse__loop(p, NULL, ret);
    if (parse__is(t, "exit") || parse__is(t, "continue")) return parse_exit(p, ret);
    if (parse__is(t, "return")) return parse__return(p, ret);
    if (parse__is(t, "raise")) return parse__raise(p, ret);
    if (parse__is(t, "assert")) return parse_assert(p, ret);
    if (parse__is(t, "perform")) return parse_perform(p, ret);
    if (parse__is(t, "get")) return parse__diagnostics(p, ret);
    if (parse__is(t, "execute")) return parse__execute(p, ret);
    if (parse__is(t, "open") || parse__is(t, "fetch") || parse__is(t, "move") ||
        parse__is(t, "close"))
        return parse__cursor(p, ret);
    if (parse__is(t, "commit")) return parse_end(p, PL_COMMIT, ret);
    if (parse__is(t, "rollback")) return parse_end(p, PL_ROLLBACK, ret);
    return parse__command(p, ret);
}

enum status parse__statements(struct parser *p, const char *const *until, struct pl_body *ret)
{
    ARRAY(struct pl_stmt *) list = {0};
    while (!ends_list(parse__token(p), until)) {
        struct pl_stmt *s = NULL;
        if (parse__is(parse__token(p), "null") && parse__is(parse__peek(p, 1), ";")) {
            p->at += 2;
            continue;
        }
        TRY(statement(p, &s));
        ARENA_PUSH(p->arena, &list, s);
    }
    ret->items = list.data;
    ret->count = (uint32_t)list.count;
    return OK;
}
