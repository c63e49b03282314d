/* Literals out of a statement's text, for the plan cache.
 *
 * One pass over the tokens (scan_priv.h). A stack of nesting levels, one a parenthesis, says in which
 * part of a statement we are; a literal is taken only
 *   - in a part where no literal has a meaning of its own: WHERE, ON, SET, and INSERT's VALUES rows
 *     (a number in ORDER BY is a column's place; a literal in a select list is a result's type);
 *   - behind a token after which an expression must start, of which a parameter of the same type
 *     does the same: = < > ( , BETWEEN and, for numbers, + - * / %;
 *   - before a token that leaves it alone: not :: or COLLATE or [ or a name, and not a comparison,
 *     for `1 = 0` is there to be folded.
 * The literal that is all of an AS OF's moment, but for a cast, is taken wherever it stands.
 * Parentheses that follow a name hold arguments or type modifiers: nothing is taken in them, but
 * subqueries in them have parts of their own. Everything unknown keeps its literal, and whatever
 * this does not expect at all (a parameter, a second statement, an odd byte) gives up.
 *
 * A minus before a number is part of it where no operand stands before the minus, as the grammar
 * folds it: -2147483648 is an int4. Numbers whose type depends on whether that sign is theirs
 * (2147483648, 9223372036854775808) stay behind any minus.
 *
 * A wrong answer here is silent, so: when in doubt, keep. What a parameter turns into an error
 * (a partial index to infer, an expression to match) is kept where known, and otherwise harmless: the
 * caller runs a statement that fails normalised once more as it was written. */
#include "sql/parse/parse.h"

#include "sql/parse/scan_priv.h"

enum { NESTING_MAX = 64 };

/* Where a level of nesting is. Literals are taken in PART_TAKE alone. */
enum part {
    PART_START,    /* before the first word that tells; between WITH and its statement */
    PART_ARGS,     /* arguments, type modifiers, subscripts, column lists */
    PART_SELECT,   /* select list */
    PART_FROM,
    PART_TAKE,     /* WHERE, ON, SET; lists and groupings in them; a VALUES row */
    PART_INSERT,   /* INSERT INTO … up to its source */
    PART_VALUES,   /* between the rows of INSERT's VALUES */
    PART_CONFLICT, /* ON CONFLICT … up to SET */
    PART_UPDATE,   /* UPDATE … up to SET */
    PART_TAIL,     /* GROUP BY, HAVING, WINDOW, ORDER BY, LIMIT, FOR, RETURNING */
};

struct level {
    enum part part;
    bool keep; /* inside something whose literals are kept, subqueries included */
};

/* How much of an AS OF stands before the current token. */
enum moment {
    MOMENT_NONE,
    MOMENT_OF,   /* AS OF */
    MOMENT_KIND, /* AS OF TIMESTAMP */
};

struct normalizer {
    struct slice text;
    struct strbuf *out;
    struct literal *literals;
    uint32_t count;
    uint32_t copied; /* of the text, into out */
    struct level levels[NESTING_MAX];
    uint32_t depth;
    struct token before, before2; /* the two tokens before the current one */
    struct literal pending;       /* taken if the current token allows it */
    bool is_pending;
    enum moment moment;           /* as the token before left it */
};

static bool is_comparison(struct slice text, const struct token *t)
{
    if (t->kind != TOK_OPERATOR) return false;
    if (t->end - t->start == 1) return t->first == '=' || t->first == '<' || t->first == '>';
    char second = text.data[t->start + 1];
    return t->end - t->start == 2 && (second == '=' || second == '>') &&
           (t->first == '<' || (second == '=' && (t->first == '>' || t->first == '!')));
}

static bool is_arithmetic(const struct token *t)
{
    return t->kind == TOK_OPERATOR && t->end - t->start == 1 &&
           (t->first == '+' || t->first == '-' || t->first == '*' || t->first == '/' ||
            t->first == '%');
}

static bool is_punctuation(const struct token *t, char c)
{
    return t->kind == TOK_PUNCTUATION && t->first == c;
}

/* Words behind which an operand starts, and parentheses group. */
static bool starts_operand(enum word w)
{
    return w == WORD_AND || w == WORD_OR || w == WORD_NOT || w == WORD_BETWEEN ||
           w == WORD_WHERE || w == WORD_ON;
}

/* Words that end an operand, which may therefore be a parameter. */
static bool ends_operand(enum word w)
{
    switch (w) {
    case WORD_AND: case WORD_OR: case WORD_WHERE: case WORD_ORDER: case WORD_GROUP:
    case WORD_HAVING: case WORD_WINDOW: case WORD_LIMIT: case WORD_OFFSET: case WORD_FETCH:
    case WORD_FOR: case WORD_RETURNING: case WORD_FROM: case WORD_ON: case WORD_UNION:
    case WORD_INTERSECT: case WORD_EXCEPT: case WORD_JOIN: case WORD_LEFT: case WORD_RIGHT:
    case WORD_FULL: case WORD_INNER: case WORD_CROSS: case WORD_NATURAL: return true;
    default: return false;
    }
}

static bool may_follow_literal(const struct token *t, enum literal_kind kind)
{
    if (t->kind == TOK_END) return true;
    if (t->kind == TOK_WORD) return ends_operand(t->word);
    if (t->kind == TOK_PUNCTUATION) return t->first == ')' || t->first == ',' || t->first == ';';
    return kind != LITERAL_STRING && is_arithmetic(t);
}

static bool is_word(struct slice text, const struct token *t, const char *word)
{
    return t->kind == TOK_WORD &&
           slice_eq_nocase(slice_make(text.data + t->start, t->end - t->start), slice_of(word));
}

/* Any word but AT TIME ZONE ends a moment. */
static bool may_follow_moment(struct slice text, const struct token *t, enum literal_kind kind)
{
    return (t->kind == TOK_WORD && !is_word(text, t, "at")) || t->kind == TOK_TYPECAST ||
           may_follow_literal(t, kind);
}

static bool is_literal(const struct token *t)
{
    return t->kind == TOK_NUMBER || t->kind == TOK_STRING || t->kind == TOK_OTHER_STRING;
}

static bool may_precede_literal(const struct normalizer *n, const struct token *t, bool string)
{
    if (t->kind == TOK_WORD) return t->word == WORD_BETWEEN || t->word == WORD_AND;
    if (t->kind == TOK_PUNCTUATION) return t->first == '(' || t->first == ',';
    return is_comparison(n->text, t) || (!string && is_arithmetic(t));
}

/* The type that the grammar's constant has: int4, int8 or numeric. */
static enum literal_kind number_kind(struct slice s)
{
    int64_t v;
    if (!str_to_i64(s, &v)) return LITERAL_NUMERIC;
    return v >= INT32_MIN && v <= INT32_MAX ? LITERAL_INT4 : LITERAL_INT8;
}

static void note_string(struct normalizer *n, const struct token *t)
{
    const struct token *op = &n->before;
    if (!may_precede_literal(n, op, true)) return;
    if (op->kind == TOK_OPERATOR && is_literal(&n->before2)) return;
    struct slice s = slice_make(n->text.data + t->start + 1, t->end - t->start - 2);
    n->pending = (struct literal){LITERAL_STRING, s, memchr(s.data, '\'', s.len) != NULL};
    n->is_pending = true;
}

/* Is the minus at `before` the number's own sign, and does it touch it? */
static bool owns_sign(const struct normalizer *n, const struct token *t)
{
    if (n->before.end != t->start) return false;
    const struct token *b = &n->before2;
    if (b->kind == TOK_WORD) return starts_operand(b->word);
    return b->kind == TOK_OPERATOR || is_punctuation(b, '(') || is_punctuation(b, ',');
}

static bool type_needs_sign(struct slice s)
{
    uint64_t v;
    return str_to_u64(s, &v) && (v == 1ull << 31 || v == 1ull << 63);
}

static void note_number(struct normalizer *n, const struct token *t)
{
    const char *at = n->text.data + t->start;
    struct slice s = slice_make(at, t->end - t->start);
    bool minus = n->before.kind == TOK_OPERATOR && n->before.end == n->before.start + 1 &&
                 n->before.first == '-';
    if (minus && type_needs_sign(s)) return;
    if (minus && owns_sign(n, t)) {
        if (!may_precede_literal(n, &n->before2, false)) return;
        s = slice_make(at - 1, s.len + 1);
    } else if (!may_precede_literal(n, &n->before, false) ||
               (is_comparison(n->text, &n->before) && is_literal(&n->before2))) {
        return;
    }
    n->pending = (struct literal){number_kind(s), s, false};
    n->is_pending = true;
}

/* False when there is no room for another. */
static bool take_pending(struct normalizer *n)
{
    if (n->count == LITERALS_MAX) return false;
    struct slice s = n->pending.text;
    bool quoted = n->pending.kind == LITERAL_STRING;
    uint32_t start = (uint32_t)(s.data - n->text.data) - quoted;
    uint32_t number = n->count + 1;
    strbuf_add(n->out, n->text.data + n->copied, start - n->copied);
    strbuf_addc(n->out, '$');
    if (number >= 10) strbuf_addc(n->out, (char)('0' + number / 10));
    strbuf_addc(n->out, (char)('0' + number % 10));
    n->copied = start + (uint32_t)s.len + 2 * quoted;
    n->literals[n->count++] = n->pending;
    return true;
}

/* What a parenthesis or bracket opens. */
static bool open_level(struct normalizer *n, const struct token *t)
{
    const struct level *outer = &n->levels[n->depth];
    const struct token *b = &n->before;
    enum part part = PART_ARGS;
    if (t->first == '(') {
        bool row = b->kind == TOK_WORD ? b->word == WORD_VALUES : is_punctuation(b, ',');
        bool group = b->kind == TOK_OPERATOR || is_punctuation(b, '(') || is_punctuation(b, ',') ||
                     (b->kind == TOK_WORD && (starts_operand(b->word) || b->word == WORD_IN));
        if ((outer->part == PART_TAKE && group) || (outer->part == PART_VALUES && row))
            part = PART_TAKE;
    }
    bool keep = outer->keep || outer->part == PART_SELECT || outer->part == PART_CONFLICT ||
                outer->part == PART_TAIL;
    if (++n->depth == NESTING_MAX) return false;
    n->levels[n->depth] = (struct level){part, keep};
    return true;
}

static bool opens_group(const struct normalizer *n)
{
    return is_punctuation(&n->before, '(');
}

/* Moves the level to the part that the word begins. False: not a statement for us. */
static bool enter_part(struct normalizer *n, enum word w)
{
    enum part *part = &n->levels[n->depth].part;
    enum word before = n->before.kind == TOK_WORD ? n->before.word : WORD_OTHER;
    bool start = *part == PART_START || opens_group(n);
    switch (w) {
    case WORD_SELECT: *part = PART_SELECT; break;
    case WORD_WITH: if (opens_group(n)) *part = PART_START; break;
    case WORD_INSERT: if (start) *part = PART_INSERT; break;
    case WORD_UPDATE: if (start) *part = PART_UPDATE; break;
    case WORD_DELETE: if (start) *part = PART_FROM; break;
    case WORD_INTO: return before == WORD_INSERT;
    case WORD_FROM: if (*part != PART_ARGS) *part = PART_FROM; break;
    case WORD_WHERE:
        if (*part == PART_FROM || *part == PART_TAKE || *part == PART_SELECT) *part = PART_TAKE;
        break;
    case WORD_ON: if (*part == PART_FROM) *part = PART_TAKE; break;
    case WORD_CONFLICT: if (before == WORD_ON) *part = PART_CONFLICT; break;
    case WORD_SET:
        if (*part == PART_UPDATE || (*part == PART_CONFLICT && before == WORD_UPDATE))
            *part = PART_TAKE;
        break;
    case WORD_VALUES:
        if (*part == PART_INSERT) *part = PART_VALUES;
        else if (opens_group(n)) *part = PART_ARGS;
        break;
    case WORD_GROUP: case WORD_HAVING: case WORD_WINDOW: case WORD_ORDER: case WORD_LIMIT:
    case WORD_OFFSET: case WORD_FETCH: case WORD_FOR: case WORD_RETURNING:
        if (*part != PART_ARGS) *part = PART_TAIL;
        break;
    default: break;
    }
    return true;
}

static bool is_ours(enum word w)
{
    return w == WORD_SELECT || w == WORD_INSERT || w == WORD_UPDATE || w == WORD_DELETE ||
           w == WORD_WITH;
}

static bool may_follow(const struct normalizer *n, const struct token *t)
{
    return n->moment ? may_follow_moment(n->text, t, n->pending.kind)
                     : may_follow_literal(t, n->pending.kind);
}

/* What the token makes of an AS OF; a literal that may be its moment is noted. */
static void step_moment(struct normalizer *n, const struct token *t)
{
    enum moment before = n->moment;
    n->moment = MOMENT_NONE;
    if (n->before.kind == TOK_WORD && n->before.word == WORD_AS && is_word(n->text, t, "of"))
        n->moment = MOMENT_OF;
    if (before == MOMENT_OF && (is_word(n->text, t, "timestamp") ||
                                is_word(n->text, t, "transaction") || is_word(n->text, t, "scn")))
        n->moment = MOMENT_KIND;
    if (!before || n->levels[n->depth].keep || (t->kind != TOK_STRING && t->kind != TOK_NUMBER)) return;
    bool quoted = t->kind == TOK_STRING;
    struct slice s = slice_make(n->text.data + t->start + quoted, t->end - t->start - 2 * quoted);
    n->pending = (struct literal){quoted ? LITERAL_STRING : number_kind(s), s,
                                  quoted && memchr(s.data, '\'', s.len)};
    n->is_pending = true;
    n->moment = MOMENT_KIND;
}

/* One token. False: give up. */
static bool step(struct normalizer *n, const struct token *t)
{
    if (n->is_pending && may_follow(n, t) && !take_pending(n)) return false;
    if (n->is_pending) n->moment = MOMENT_NONE;
    n->is_pending = false;
    step_moment(n, t);
    const struct level *level = &n->levels[n->depth];
    bool take = level->part == PART_TAKE && !level->keep;
    switch (t->kind) {
    case TOK_WORD: return enter_part(n, t->word);
    case TOK_NUMBER: if (take) note_number(n, t); return true;
    case TOK_STRING: if (take) note_string(n, t); return true;
    case TOK_PUNCTUATION:
        if (t->first == '(' || t->first == '[') return open_level(n, t);
        if (t->first == ')' || t->first == ']') return n->depth-- > 0;
        /* Not UPDATE's table, then: a column of that name. */
        if (t->first == ',' && level->part == PART_UPDATE) n->levels[n->depth].part = PART_ARGS;
        return true;
    case TOK_PARAM:
    case TOK_BAD: return false;
    default: return true;
    }
}

/* FOR SYSTEM_TIME locks nothing. */
static bool is_system_time(const struct normalizer *n, const struct scan *s, const struct token *t)
{
    struct scan ahead = *s;
    struct token next;
    if (t->kind != TOK_WORD || t->word != WORD_FOR) return false;
    scan__next(&ahead, &next);
    return is_word(n->text, &next, "system_time");
}

static bool normalize(struct normalizer *n)
{
    struct scan s = {n->text.data, 0, (uint32_t)n->text.len};
    struct token t;
    scan__next(&s, &t);
    if (t.kind != TOK_WORD || !is_ours(t.word)) return false;
    do {
        /* A keyword behind a dot or AS is a name. */
        if (is_punctuation(&n->before, '.') || n->before.word == WORD_AS || is_system_time(n, &s, &t))
            t.word = WORD_OTHER;
        if (!step(n, &t)) return false;
        n->before2 = n->before;
        n->before = t;
        scan__next(&s, &t);
    } while (t.kind != TOK_END && !is_punctuation(&t, ';'));
    if (!step(n, &t) || n->depth != 0) return false;
    if (t.kind != TOK_END) scan__next(&s, &t);
    return t.kind == TOK_END && n->count > 0;
}

bool sql_normalize(struct slice text, struct strbuf *out, struct literal *ret, uint32_t *ret_count)
{
    struct normalizer n;
    n.text = text;
    n.out = out;
    n.literals = ret;
    n.count = n.copied = n.depth = 0;
    n.levels[0] = (struct level){PART_START, false};
    n.before = n.before2 = (struct token){.kind = TOK_END};
    n.is_pending = false;
    n.moment = MOMENT_NONE;
    strbuf_clear(out);
    bool taken = text.len <= SQL_TEXT_BYTES_MAX && normalize(&n);
    if (!taken) {
        strbuf_clear(out);
        n.count = n.copied = 0;
    }
    strbuf_add(out, text.data + n.copied, text.len - n.copied);
    *ret_count = n.count;
    return taken;
}
