/* AS OF behind the name of a table, which PostgreSQL's grammar does not know.
 *
 *   t [[AS] alias] [FOR SYSTEM_TIME] AS OF { NOW | TIMESTAMP expr | TRANSACTION expr | SCN expr }
 *
 * with the alias before or behind it, and FOR SYSTEM_TIME AS OF expr. A text that the grammar refuses is
 * looked through for such clauses; they are blanked out, so that every place in the text stays what it
 * was, and the rest is parsed again. What was blanked belongs to the table before it (as_of__claim).
 *
 * How far an expression goes is told by tokens: operands, operators between them, casts, AT TIME ZONE;
 * whatever else it needs stands in parentheses. It is then parsed by the grammar. */
#include "sql/parse/as_of_priv.h"

#include "sql/parse/parse_priv.h"
#include "sql/parse/scan_priv.h"

enum { SELECT_BYTES = 7 }; /* "SELECT " */

static bool is_word(const struct scan *s, const struct token *t, const char *word)
{
    return t->kind == TOK_WORD &&
           slice_eq_nocase(slice_make(s->text + t->start, t->end - t->start), slice_of(word));
}

static bool is_mark(const struct token *t, char c)
{
    return t->kind == TOK_PUNCTUATION && t->first == c;
}

/* Takes the next token if it is that word. */
static bool take_word(struct scan *s, const char *word)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (!is_word(&ahead, &t, word)) return false;
    *s = ahead;
    return true;
}

/* From behind an opening parenthesis or bracket to behind what closes it. */
static bool skip_nested(struct scan *s)
{
    for (int depth = 1; depth > 0;) {
        struct token t;
        scan__next(s, &t);
        if (t.kind == TOK_END || t.kind == TOK_BAD) return false;
        if (is_mark(&t, '(') || is_mark(&t, '[')) depth++;
        if (is_mark(&t, ')') || is_mark(&t, ']')) depth--;
    }
    return true;
}

static bool take_nested(struct scan *s, char open)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (!is_mark(&t, open) || !skip_nested(&ahead)) return false;
    *s = ahead;
    return true;
}

static bool take_dot(struct scan *s)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (!is_mark(&t, '.') || t.end - t.start != 1) return false;
    *s = ahead;
    return true;
}

static bool take_string(struct scan *s)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (t.kind != TOK_STRING && t.kind != TOK_OTHER_STRING) return false;
    *s = ahead;
    return true;
}

/* WITH or WITHOUT TIME ZONE of a type. */
static void take_zone(struct scan *s)
{
    struct scan ahead = *s;
    if (!take_word(&ahead, "with") && !take_word(&ahead, "without")) return;
    if (take_word(&ahead, "time") && take_word(&ahead, "zone")) *s = ahead;
}

/* a, a.b, a.b(…), type '…'. Behind its first token. */
static bool take_name(struct scan *s, const struct token *first)
{
    struct token t = *first;
    if (t.kind == TOK_WORD && t.word != WORD_OTHER) return false; /* a clause of the query */
    while (take_dot(s)) {
        scan__next(s, &t);
        if (t.kind != TOK_WORD && t.kind != TOK_IDENT) return false;
    }
    if (is_word(s, &t, "timestamp") || is_word(s, &t, "time")) take_zone(s);
    if (!take_nested(s, '(')) (void)take_string(s);
    return true;
}

static bool take_type(struct scan *s)
{
    struct token t;
    scan__next(s, &t);
    if (t.kind != TOK_WORD && t.kind != TOK_IDENT) return false;
    while (take_dot(s)) scan__next(s, &t);
    (void)take_nested(s, '(');
    take_zone(s);
    return true;
}

static bool take_operand(struct scan *s)
{
    struct token t;
    scan__next(s, &t);
    while (t.kind == TOK_OPERATOR) scan__next(s, &t);
    switch (t.kind) {
    case TOK_NUMBER:
    case TOK_PARAM:
    case TOK_STRING:
    case TOK_OTHER_STRING: return true;
    case TOK_WORD:
    case TOK_IDENT: return take_name(s, &t);
    case TOK_PUNCTUATION: return t.first == '(' && skip_nested(s);
    default: return false;
    }
}

static bool take_expression(struct scan *s)
{
    if (!take_operand(s)) return false;
    for (;;) {
        struct scan ahead = *s;
        struct token t;
        scan__next(&ahead, &t);
        bool ok;
        if (t.kind == TOK_TYPECAST) ok = take_type(&ahead);
        else if (t.kind == TOK_OPERATOR) ok = take_operand(&ahead);
        else if (is_word(&ahead, &t, "at") && take_word(&ahead, "time") && take_word(&ahead, "zone"))
            ok = take_operand(&ahead);
        else return true;
        if (!ok) return false;
        *s = ahead;
    }
}

/* Behind AS OF, or FOR SYSTEM_TIME AS OF: what stands there. */
static bool take_moment(struct scan *s, bool system_time, struct as_of_clause *ret)
{
    struct scan ahead = *s;
    struct token t;
    ret->as_of.kind = AS_OF_TIMESTAMP;
    scan__next(&ahead, &t);
    if (is_word(&ahead, &t, "now")) {
        struct scan call = ahead, expression = *s;
        if (!take_nested(&call, '(')) { /* now() - … is an expression like others */
            *s = ahead;
            ret->as_of.kind = AS_OF_NOW;
            return true;
        }
        *s = call;
        ret->as_of.kind = AS_OF_NOW;
        if (!system_time) return true;
        *s = expression;
        ret->as_of.kind = AS_OF_TIMESTAMP;
    } else if (is_word(&ahead, &t, "timestamp")) {
        *s = ahead;
    } else if (is_word(&ahead, &t, "transaction") || is_word(&ahead, &t, "scn")) {
        *s = ahead;
        ret->as_of.kind = AS_OF_TRANSACTION;
    } else if (!system_time) {
        return false;
    }
    struct scan from = *s;
    scan__next(&from, &t);
    ret->expr_start = t.start;
    return take_expression(s);
}

static enum status parse_expression(struct arena *a, struct slice text, struct as_of_clause *c)
{
    if (c->as_of.kind == AS_OF_NOW) return OK;
    size_t len = c->end - c->expr_start;
    /* Padded, so that places in it are those in the text. */
    char *padded = arena_alloc(a, c->expr_start + len + 1);
    ASSERT(c->expr_start >= SELECT_BYTES);
    memset(padded, ' ', c->expr_start);
    memcpy(padded + c->expr_start - SELECT_BYTES, "SELECT ", SELECT_BYTES);
    memcpy(padded + c->expr_start, text.data + c->expr_start, len);
    padded[c->end] = '\0';
    struct statement *st;
    uint32_t n;
    TRY(bridge__parse(a, slice_make(padded, c->end), &st, &n));
    const struct ast_select *q = n == 1 ? AST(st[0].ast, ast_select) : NULL;
    if (!q || st[0].ast->kind != AST_SELECT || q->targets.count != 1) {
        FAIL(SYNTAX_ERROR, "AS OF needs a single expression");
        return error_at(sql_position(text, (int)c->expr_start));
    }
    c->as_of.expr = AST(q->targets.items[0], ast_target)->value;
    c->param_count = st[0].param_count;
    return OK;
}

enum status as_of__find(struct arena *a, struct slice text, struct as_of_clauses *ret)
{
    struct scan s = {text.data, 0, (uint32_t)text.len};
    struct token t;
    *ret = (struct as_of_clauses){0};
    for (scan__next(&s, &t); t.kind != TOK_END && t.kind != TOK_BAD; scan__next(&s, &t)) {
        struct scan ahead = s;
        struct as_of_clause c = {.start = t.start, .as_of.location = (int)t.start};
        bool system_time = t.word == WORD_FOR && take_word(&ahead, "system_time") &&
                           take_word(&ahead, "as");
        if (t.kind != TOK_WORD || (t.word != WORD_AS && !system_time)) continue;
        if (!take_word(&ahead, "of") || !take_moment(&ahead, system_time, &c)) continue;
        if (c.as_of.kind != AS_OF_NOW && c.expr_start < SELECT_BYTES) continue;
        c.end = ahead.at;
        s = ahead;
        TRY(parse_expression(a, text, &c));
        ARENA_PUSH(a, &ret->list, c);
    }
    if (!ret->list.count) return OK;
    char *blanked = arena_strndup(a, text.data, text.len);
    for (size_t i = 0; i < ret->list.count; i++) {
        const struct as_of_clause *c = &ret->list.data[i];
        memset(blanked + c->start, ' ', c->end - c->start);
    }
    ret->blanked = slice_make(blanked, text.len);
    return OK;
}

/* Is text[from, to) a table's name, perhaps with an alias? `from` is where the name begins. */
static bool is_reference(struct slice text, uint32_t from, uint32_t to)
{
    struct scan s = {text.data, from, to};
    struct token t;
    do {
        scan__next(&s, &t);
        if (t.kind != TOK_WORD && t.kind != TOK_IDENT) return false;
    } while (take_dot(&s));
    scan__next(&s, &t);
    if (t.kind == TOK_OPERATOR && t.first == '*') scan__next(&s, &t);
    if (t.kind == TOK_WORD && t.word == WORD_AS) scan__next(&s, &t);
    if (t.kind == TOK_WORD || t.kind == TOK_IDENT) {
        if (t.kind == TOK_WORD && t.word != WORD_OTHER) return false;
        (void)take_nested(&s, '(');
        scan__next(&s, &t);
    }
    return t.kind == TOK_END;
}

const struct ast_as_of *as_of__claim(struct as_of_clauses *c, struct slice text, int location,
                                     int *param_count)
{
    for (size_t i = 0; c && i < c->list.count; i++) {
        struct as_of_clause *x = &c->list.data[i];
        if (location < 0 || x->start <= (uint32_t)location) continue;
        if (x->claimed || !is_reference(text, (uint32_t)location, x->start)) return NULL;
        x->claimed = true;
        if (x->param_count > *param_count) *param_count = x->param_count;
        return &x->as_of;
    }
    return NULL;
}

enum status as_of__check(const struct as_of_clauses *c, struct slice text)
{
    for (size_t i = 0; i < c->list.count; i++) {
        if (c->list.data[i].claimed) continue;
        FAIL(SYNTAX_ERROR, "AS OF must follow the name of a table in FROM");
        return error_at(sql_position(text, (int)c->list.data[i].start));
    }
    return OK;
}
