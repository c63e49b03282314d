/* AS OF and VERSIONS behind the name of a table, which PostgreSQL's grammar does not know.
 *
 *   t [[AS] alias] [FOR SYSTEM_TIME] AS OF { NOW | TIMESTAMP expr | TRANSACTION expr | SCN expr }
 *   t [[AS] alias] VERSIONS BETWEEN moment AND moment
 *
 * with the alias before or behind it, FOR SYSTEM_TIME AS OF expr, and moments of VERSIONS as above, or
 * MINVALUE, MAXVALUE, and the second in the words of the first when it has none. A text that the
 * grammar refuses is looked through for such clauses; they are blanked out, so that every place in the
 * text stays what it was, and the rest is parsed again. What was blanked belongs to the table before it
 * (as_of__claim).
 *
 * How far an expression goes is told by tokens: operands, operators between them, casts, AT TIME ZONE;
 * whatever else it needs stands in parentheses. It is then parsed by the grammar. */
#include "sql/parse/as_of_priv.h"

#include "sql/parse/parse_priv.h"
#include "sql/parse/scan_priv.h"

enum {
    SELECT_BYTES = 7,           /* "SELECT " */
    NESTED_BYTES_MAX = 64 << 10,
    TOTAL_BYTES_MAX = 64 << 20, /* that are looked through for all moments */
    ATTEMPTS_MAX = 10000,       /* at what begins like a clause; the text is wrong in any case */
};

static bool is_mark(const struct token *t, char c)
{
    return t->kind == TOK_PUNCTUATION && t->first == c;
}

/* From behind an opening parenthesis or bracket to behind what closes it. */
static bool skip_nested(struct scan *s)
{
    uint32_t from = s->at;
    for (int depth = 1; depth > 0;) {
        struct token t;
        scan__next(s, &t);
        if (s->at - from > NESTED_BYTES_MAX) return false;
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
    if (!scan__take_word(&ahead, "with") && !scan__take_word(&ahead, "without")) return;
    if (scan__take_word(&ahead, "time") && scan__take_word(&ahead, "zone")) *s = ahead;
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
    if (scan__is_word(s, &t, "timestamp") || scan__is_word(s, &t, "time")) take_zone(s);
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
        else if (scan__is_word(&ahead, &t, "at") && scan__take_word(&ahead, "time") && scan__take_word(&ahead, "zone"))
            ok = take_operand(&ahead);
        else return true;
        if (!ok) return false;
        *s = ahead;
    }
}

static bool take_expression_of(struct scan *s, struct as_of_moment *ret)
{
    struct scan from = *s;
    struct token t;
    scan__next(&from, &t);
    ret->expr_start = t.start;
    if (!take_expression(s)) return false;
    ret->expr_end = s->at;
    return true;
}

/* What stands behind AS OF or BETWEEN. `bare`: an expression of `kind` may stand without a word. */
static bool take_moment(struct scan *s, bool bare, enum as_of_kind kind, struct as_of_moment *ret)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    *ret = (struct as_of_moment){.as_of = {.kind = kind, .location = (int)t.start}};
    if (scan__is_word(&ahead, &t, "now")) {
        struct scan call = ahead;
        bool called = take_nested(&call, '(');
        ret->as_of.kind = AS_OF_NOW;
        if (called && bare) { /* now() - … is an expression like others */
            ret->as_of.kind = AS_OF_TIMESTAMP;
            return take_expression_of(s, ret);
        }
        *s = called ? call : ahead;
        return true;
    }
    if (scan__is_word(&ahead, &t, "timestamp")) {
        ret->as_of.kind = AS_OF_TIMESTAMP;
        *s = ahead;
    } else if (scan__is_word(&ahead, &t, "transaction") || scan__is_word(&ahead, &t, "scn")) {
        ret->as_of.kind = AS_OF_TRANSACTION;
        *s = ahead;
    } else if (!bare) {
        return false;
    }
    return take_expression_of(s, ret);
}

/* Of VERSIONS: a bound of the span. */
static bool take_bound(struct scan *s, const char *open, enum as_of_kind if_open, bool bare,
                       enum as_of_kind kind, struct as_of_moment *ret)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    if (!scan__is_word(&ahead, &t, open)) return take_moment(s, bare, kind, ret);
    *ret = (struct as_of_moment){.as_of = {.kind = if_open, .location = (int)t.start}};
    *s = ahead;
    return true;
}

/* Behind AS, FOR or VERSIONS. */
static bool take_clause(struct scan *s, const struct token *first, struct as_of_clause *c)
{
    bool system_time = first->word == WORD_FOR;
    if (scan__is_word(s, first, "versions")) {
        c->versions = true;
        if (!scan__take_word(s, "between")) return false;
        if (!take_bound(s, "minvalue", AS_OF_OLDEST, false, AS_OF_TIMESTAMP, &c->at)) return false;
        enum as_of_kind kind = c->at.as_of.kind == AS_OF_TRANSACTION ? AS_OF_TRANSACTION
                                                                     : AS_OF_TIMESTAMP;
        return scan__take_word(s, "and") && take_bound(s, "maxvalue", AS_OF_NOW, true, kind, &c->to);
    }
    if (system_time && (!scan__take_word(s, "system_time") || !scan__take_word(s, "as"))) return false;
    return scan__take_word(s, "of") && take_moment(s, system_time, AS_OF_TIMESTAMP, &c->at);
}

/* `blank` is as long as the text, all blanks: there the expression stands where it does in the text, so
 * that places in it are those in the text. */
static enum status parse_moment(struct arena *a, struct slice text, char *blank, size_t *total,
                                struct as_of_moment *m, struct as_of_clause *c)
{
    if (!m->expr_end) return OK;
    size_t len = m->expr_end - m->expr_start;
    ASSERT(m->expr_start >= SELECT_BYTES); /* two words stand before it */
    *total += m->expr_end;
    if (*total > TOTAL_BYTES_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "too many moments of the past in one statement");
    memcpy(blank + m->expr_start - SELECT_BYTES, "SELECT ", SELECT_BYTES);
    memcpy(blank + m->expr_start, text.data + m->expr_start, len);
    blank[m->expr_end] = '\0';
    struct statement *st;
    uint32_t n;
    enum status parsed = bridge__parse(a, slice_make(blank, m->expr_end), &st, &n);
    memset(blank + m->expr_start - SELECT_BYTES, ' ', SELECT_BYTES + len + 1);
    TRY(parsed);
    const struct ast_select *q = n == 1 ? AST(st[0].ast, ast_select) : NULL;
    if (!q || st[0].ast->kind != AST_SELECT || q->targets.count != 1) {
        FAIL(SYNTAX_ERROR, "AS OF needs a single expression");
        return error_at(sql_position(text, (int)m->expr_start));
    }
    m->as_of.expr = AST(q->targets.items[0], ast_target)->value;
    if (st[0].param_count > c->param_count) c->param_count = st[0].param_count;
    return OK;
}

/* Does the word that goes on with a clause follow? Most of what begins like one is none. */
static bool goes_on(const struct scan *s)
{
    struct scan ahead = *s;
    return scan__take_word(&ahead, "of") || scan__take_word(&ahead, "between") ||
           scan__take_word(&ahead, "system_time");
}

enum status as_of__find(struct arena *a, struct slice text, struct as_of_clauses *ret)
{
    struct scan s = {text.data, 0, (uint32_t)text.len};
    struct token t;
    uint32_t attempts = 0;
    size_t total = 0;
    char *blank = NULL;
    *ret = (struct as_of_clauses){0};
    for (scan__next(&s, &t); t.kind != TOK_END && t.kind != TOK_BAD; scan__next(&s, &t)) {
        struct scan ahead = s;
        struct as_of_clause c = {.start = t.start};
        bool begins = t.kind == TOK_WORD && (t.word == WORD_AS || t.word == WORD_FOR ||
                                             scan__is_word(&s, &t, "versions"));
        if (!begins || !goes_on(&ahead)) continue;
        if (++attempts > ATTEMPTS_MAX) break;
        if (!take_clause(&ahead, &t, &c)) continue;
        c.end = ahead.at;
        s = ahead;
        if (!blank) blank = memset(arena_alloc(a, text.len + 1), ' ', text.len + 1);
        TRY(parse_moment(a, text, blank, &total, &c.at, &c));
        TRY(parse_moment(a, text, blank, &total, &c.to, &c));
        c.moments = (struct ast_moments){c.versions, c.at.as_of, c.to.as_of};
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

enum status as_of__take(struct arena *a, struct slice text, struct scan *s,
                        struct as_of_moment *ret, int *param_count, bool *ret_found)
{
    struct as_of_clause c = {0};
    size_t total = 0;
    *ret_found = take_moment(s, false, AS_OF_TIMESTAMP, ret);
    if (!*ret_found) return OK;
    char *blank = memset(arena_alloc(a, text.len + 1), ' ', text.len + 1);
    TRY(parse_moment(a, text, blank, &total, ret, &c));
    *param_count = c.param_count;
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

const struct ast_moments *as_of__claim(struct as_of_clauses *c, struct slice text, int location,
                                     int *param_count)
{
    for (size_t i = 0; c && i < c->list.count; i++) {
        struct as_of_clause *x = &c->list.data[i];
        if (location < 0 || x->start <= (uint32_t)location) continue;
        if (x->claimed || !is_reference(text, (uint32_t)location, x->start)) return NULL;
        x->claimed = true;
        if (x->param_count > *param_count) *param_count = x->param_count;
        return &x->moments;
    }
    return NULL;
}

enum status as_of__check(const struct as_of_clauses *c, struct slice text)
{
    for (size_t i = 0; i < c->list.count; i++) {
        if (c->list.data[i].claimed) continue;
        FAIL(SYNTAX_ERROR, "%s must follow the name of a table in FROM",
             c->list.data[i].versions ? "VERSIONS BETWEEN" : "AS OF");
        return error_at(sql_position(text, (int)c->list.data[i].start));
    }
    return OK;
}
