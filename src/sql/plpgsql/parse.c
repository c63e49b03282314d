/* The parser's core: names in scope, pieces of SQL, blocks. Statements are in the files beside.
 *
 * A piece of SQL is what stands between two words that PL/pgSQL knows, outside of any brackets; what is
 * in it is the SQL grammar's business, when it is planned. */
#include "sql/plpgsql/parse_priv.h"

#include "base/fiber.h"

enum { PARSE_STACK_MIN = 64 << 10 };

/* --- errors --------------------------------------------------------------------------------- */

int parse__position(const struct parser *p, uint32_t offset)
{
    int n = 1;
    for (uint32_t i = 0; i < offset && i < p->body.len; i++)
        n += ((unsigned char)p->body.data[i] & 0xc0) != 0x80;
    return n;
}

enum status parse__at(struct parser *p, const struct token *t, enum status code)
{
    if (t) (void)error_at(parse__position(p, t->start));
    return code;
}

enum status parse__syntax(struct parser *p, const struct token *t)
{
    if (t->kind == TOKEN_END)
        return parse__at(p, t, FAIL(SYNTAX_ERROR, "syntax error at end of input"));
    return parse__at(p, t, FAIL(SYNTAX_ERROR, "syntax error at or near \"%.*s\"",
                                (int)(t->end - t->start), p->body.data + t->start));
}

/* --- tokens --------------------------------------------------------------------------------- */

bool parse__accept(struct parser *p, const char *word)
{
    if (!parse__is(parse__token(p), word)) return false;
    p->at++;
    return true;
}

enum status parse__expect(struct parser *p, const char *word)
{
    return parse__accept(p, word) ? OK : parse__syntax(p, parse__token(p));
}

enum status parse__name(struct parser *p, const char **ret)
{
    const struct token *t = parse__token(p);
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED) return parse__syntax(p, t);
    *ret = t->text;
    p->at++;
    return OK;
}

/* --- names ---------------------------------------------------------------------------------- */

uint32_t parse__add_var(struct parser *p, const struct pl_var *v)
{
    ARENA_PUSH(p->arena, &p->vars, *v);
    return (uint32_t)p->vars.count - 1;
}

void parse__add_name(struct parser *p, const char *name, uint32_t var)
{
    struct pl_name *n = ARENA_NEW(p->arena, struct pl_name);
    *n = (struct pl_name){.outer = p->names, .name = name, .var = var};
    p->names = n;
}

void parse__push_label(struct parser *p, const char *label, bool is_loop)
{
    struct pl_name *n = ARENA_NEW(p->arena, struct pl_name);
    *n = (struct pl_name){.outer = p->names, .name = label ? label : "", .is_label = true,
                          .is_loop = is_loop};
    p->names = n;
}

/* A block's names lie behind its label, newer ones first. */
bool plpgsql_lookup(const struct pl_name *names, const char *const *parts, uint32_t count,
                    uint32_t *ret_var, uint32_t *ret_used)
{
    const struct pl_name *block = names;
    while (block) {
        const struct pl_name *n = block;
        for (; n && !n->is_label; n = n->outer) {
            if (strcmp(n->name, parts[0]) != 0) continue;
            *ret_var = n->var;
            *ret_used = 1;
            return true;
        }
        if (!n) return false;
        if (count > 1 && *n->name && strcmp(n->name, parts[0]) == 0)
            for (const struct pl_name *m = block; m != n; m = m->outer) {
                if (strcmp(m->name, parts[1]) != 0) continue;
                *ret_var = m->var;
                *ret_used = 2;
                return true;
            }
        block = n->outer;
    }
    return false;
}

/* --- pieces of SQL -------------------------------------------------------------------------- */

struct pl_sql *parse__sql_new(struct parser *p, const char *text, int line, bool is_expression)
{
    struct pl_sql *q = ARENA_NEW(p->arena, struct pl_sql);
    *q = (struct pl_sql){.text = text, .line = line, .is_expression = is_expression,
                         .names = p->names};
    return q;
}

/* A word as messages tell it. */
static const char *upper(struct arena *a, const char *word)
{
    char *s = arena_strdup(a, word);
    for (char *c = s; *c; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
    return s;
}

static bool ends(const struct token *t, const char *const *until)
{
    for (; *until; until++)
        if (parse__is(t, *until)) return true;
    return false;
}

enum status parse__sql(struct parser *p, bool is_expression, const char *const *until,
                       struct pl_sql **ret)
{
    const struct token *first = parse__token(p);
    int depth = 0;
    size_t from = p->at;
    for (;; p->at++) {
        const struct token *t = parse__token(p);
        if (depth == 0 && ends(t, until)) break;
        if (t->kind == TOKEN_END || (parse__is(t, ";") && depth == 0)) {
            if (depth > 0)
                return parse__at(p, t, FAIL(SYNTAX_ERROR, "mismatched parentheses"));
            if (t->kind == TOKEN_END) return parse__syntax(p, t);
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "missing \"%s\" at end of SQL %s",
                                        upper(p->arena, until[0]),
                                        is_expression ? "expression" : "statement"));
        }
        if (parse__is(t, "(") || parse__is(t, "[")) depth++;
        if (parse__is(t, ")") || parse__is(t, "]")) depth--;
        if (depth < 0) return parse__at(p, t, FAIL(SYNTAX_ERROR, "mismatched parentheses"));
    }
    if (p->at == from) {
        if (is_expression) return parse__at(p, first, FAIL(SYNTAX_ERROR, "missing expression"));
        return parse__at(p, first, FAIL(SYNTAX_ERROR, "missing SQL statement"));
    }
    uint32_t start = first->start, end = p->tokens.data[p->at - 1].end;
    *ret = parse__sql_new(p, arena_strndup(p->arena, p->body.data + start, end - start), first->line,
                          is_expression);
    return OK;
}

/* The word that ends it goes, too. */
enum status parse__expression(struct parser *p, const char *until, struct pl_sql **ret)
{
    const char *const list[] = {until, NULL};
    TRY(parse__sql(p, true, list, ret));
    p->at++;
    return OK;
}

/* --- targets -------------------------------------------------------------------------------- */

bool parse__find_target(struct parser *p, size_t at, struct pl_target *ret, size_t *ret_tokens)
{
    const char *parts[3];
    uint32_t count = 0, var, used;
    size_t i = at;
    while (count < 3) {
        const struct token *t = parse__peek(p, i - p->at);
        if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED && !(t->kind == TOKEN_PARAM && !count))
            break;
        parts[count++] = t->text;
        i++;
        if (!parse__is(parse__peek(p, i - p->at), ".")) break;
        i++;
    }
    if (!count || !plpgsql_lookup(p->names, parts, count, &var, &used)) return false;
    if (p->vars.data[var].alias_of >= 0) var = (uint32_t)p->vars.data[var].alias_of;
    *ret = (struct pl_target){.var = var, .field = used < count ? parts[used] : NULL};
    *ret_tokens = 2 * (used + (used < count)) - 1;
    return true;
}

enum status parse__targets(struct parser *p, struct pl_targets *ret)
{
    ARRAY(struct pl_target) list = {0};
    do {
        struct pl_target target;
        size_t n;
        const struct token *t = parse__token(p);
        if (!parse__find_target(p, p->at, &target, &n)) {
            if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED) return parse__syntax(p, t);
            return parse__at(p, t, FAIL(SYNTAX_ERROR, "\"%s\" is not a known variable", t->text));
        }
        if (p->vars.data[target.var].constant)
            return parse__at(p, t, FAIL(ERROR_IN_ASSIGNMENT, "variable \"%s\" is declared CONSTANT",
                                        p->vars.data[target.var].name));
        p->at += n;
        ARENA_PUSH(p->arena, &list, target);
    } while (parse__accept(p, ","));
    ret->items = list.data;
    ret->count = (uint32_t)list.count;
    return OK;
}

/* --- blocks --------------------------------------------------------------------------------- */

struct pl_stmt *parse__stmt(struct parser *p, enum pl_kind kind, int line)
{
    struct pl_stmt *s = ARENA_NEW(p->arena, struct pl_stmt);
    s->kind = kind;
    s->line = line;
    return s;
}

static enum status parse_handler(struct parser *p, struct pl_handler *h)
{
    ARRAY(const char *) names = {0};
    static const char *const until[] = {"when", "end", NULL};
    h->line = parse__token(p)->line;
    TRY(parse__expect(p, "when"));
    do {
        const char *name;
        const struct token *t = parse__token(p);
        TRY(parse__name(p, &name));
        if (strcmp(name, "sqlstate") == 0 && t->kind == TOKEN_WORD) {
            t = parse__token(p);
            bool five = t->kind == TOKEN_STRING && strlen(t->text) == 5 &&
                        strspn(t->text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
            if (t->kind != TOKEN_STRING) return parse__syntax(p, t);
            if (!five) return parse__at(p, t, FAIL(SYNTAX_ERROR, "invalid SQLSTATE code"));
            name = arena_printf(p->arena, "!%s", t->text);
            p->at++;
        } else if (strcmp(name, "others") != 0 && !plpgsql_condition(name, 0)) {
            return FAIL(UNDEFINED_OBJECT, "unrecognized exception condition \"%s\"", name);
        }
        ARENA_PUSH(p->arena, &names, name);
    } while (parse__accept(p, "or"));
    h->conditions = names.data;
    h->condition_count = (uint32_t)names.count;
    TRY(parse__expect(p, "then"));
    return parse__statements(p, until, &h->body);
}

static uint32_t text_var(struct parser *p, const char *name, int line)
{
    struct pl_var v = {.name = name, .line = line, .type = "text", .constant = true, .alias_of = -1};
    uint32_t var = parse__add_var(p, &v);
    parse__add_name(p, name, var);
    return var;
}

static enum status parse_handlers(struct parser *p, struct pl_stmt *s)
{
    ARRAY(struct pl_handler) list = {0};
    const struct pl_name *outer = p->names;
    bool was = p->in_handler;
    int line = parse__token(p)->line;
    p->function->has_handlers = true;
    p->in_handler = true;
    s->block.sqlstate = text_var(p, "sqlstate", line);
    s->block.sqlerrm = text_var(p, "sqlerrm", line);
    do {
        struct pl_handler h = {0};
        TRY(parse_handler(p, &h));
        ARENA_PUSH(p->arena, &list, h);
    } while (parse__is(parse__token(p), "when"));
    s->block.handlers = list.data;
    s->block.handler_count = (uint32_t)list.count;
    p->names = outer;
    p->in_handler = was;
    return OK;
}

static enum status end_label(struct parser *p, const char *label)
{
    const struct token *t = parse__token(p);
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED) return OK;
    if (!label)
        return parse__at(p, t, FAIL(SYNTAX_ERROR,
                                    "end label \"%s\" specified for unlabeled block", t->text));
    if (strcmp(label, t->text) != 0)
        return parse__at(p, t, FAIL(SYNTAX_ERROR,
                                    "end label \"%s\" differs from block's label \"%s\"", t->text,
                                    label));
    p->at++;
    return OK;
}

enum status parse__block(struct parser *p, const char *label, struct pl_stmt **ret)
{
    static const char *const until[] = {"exception", "end", NULL};
    const struct pl_name *outer = p->names;
    if (++p->depth > BLOCK_DEPTH_MAX || fiber_stack_left() < PARSE_STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    parse__push_label(p, label, false);
    uint32_t first = (uint32_t)p->vars.count;
    while (parse__accept(p, "declare")) TRY(parse__declarations(p));
    struct pl_stmt *s = parse__stmt(p, PL_BLOCK, parse__token(p)->line);
    s->label = label;
    s->block.first = first;
    s->block.count = (uint32_t)p->vars.count - first;
    TRY(parse__expect(p, "begin"));
    TRY(parse__statements(p, until, &s->body));
    if (parse__accept(p, "exception")) TRY(parse_handlers(p, s));
    TRY(parse__expect(p, "end"));
    TRY(end_label(p, label));
    p->names = outer;
    p->depth--;
    *ret = s;
    return OK;
}

/* --- the body ------------------------------------------------------------------------------- */

/* #variable_conflict use_column */
static enum status parse_options(struct parser *p)
{
    while (parse__accept(p, "#")) {
        const char *name, *value;
        TRY(parse__name(p, &name));
        TRY(parse__name(p, &value));
        if (strcmp(name, "variable_conflict") == 0) p->function->variable_conflict = value;
        else if (strcmp(name, "print_strict_params") != 0 && strcmp(name, "option") != 0)
            return parse__syntax(p, parse__peek(p, (size_t)-2));
    }
    return OK;
}

static void give(struct parser *p, const struct pl_given *given, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct pl_var v = {.name = given[i].name ? given[i].name : given[i].number, .alias_of = -1};
        uint32_t var = parse__add_var(p, &v);
        if (given[i].number) parse__add_name(p, given[i].number, var);
        if (given[i].name && *given[i].name) parse__add_name(p, given[i].name, var);
    }
    struct pl_var found = {.name = "found", .type = "boolean", .alias_of = -1};
    p->function->found = parse__add_var(p, &found);
    parse__add_name(p, "found", p->function->found);
}

enum status plpgsql_parse(struct arena *a, struct slice body, const char *label,
                          const struct pl_given *given, uint32_t given_count,
                          struct pl_function **ret, int *ret_line)
{
    struct parser p = {.arena = a, .body = body, .function = ARENA_NEW(a, struct pl_function)};
    const char *block = NULL;
    p.function->variable_conflict = "error";
    p.function->given_count = given_count;
    *ret_line = 1;
    TRY(parse__tokens(&p));
    parse__push_label(&p, label, false);
    give(&p, given, given_count);
    enum status st = parse_options(&p);
    if (st == OK && parse__accept(&p, "<<")) {
        st = parse__name(&p, &block);
        if (st == OK) st = parse__expect(&p, ">>");
    }
    if (st == OK) st = parse__block(&p, block, &p.function->body);
    *ret_line = parse__token(&p)->line;
    TRY(st);
    (void)parse__accept(&p, ";");
    if (parse__token(&p)->kind != TOKEN_END) return parse__syntax(&p, parse__token(&p));
    p.function->vars = p.vars.data;
    p.function->var_count = (uint32_t)p.vars.count;
    *ret = p.function;
    return OK;
}
