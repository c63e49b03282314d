/* The parser of jsonpath: recursive descent by precedence. Predicates and expressions share their brackets, so
 * both are parsed as one and what stands where is checked after. */
#include "types/jsonpath.h"

#include "base/fiber.h"
#include "types/jsonpath_priv.h"
#include "types/numeric.h"
#include "types/pattern.h"

enum { STACK_MIN = 64 << 10, DEPTH_MAX = 1000, STEPS_MAX = 1 << 16 };

struct parser {
    struct path_lexer lexer;
    struct arena *a;
    uint32_t depth, items;
};

static enum status syntax(const struct parser *p) { return path__error(&p->lexer, "syntax error"); }

static struct jsonpath_item *item_new(struct parser *p, enum jsonpath_kind kind)
{
    struct jsonpath_item *i = ARENA_NEW(p->a, struct jsonpath_item);
    i->kind = kind;
    i->id = p->items++;
    return i;
}

static bool is_sign(const struct parser *p, int sign)
{
    return p->lexer.lexeme == PATH_LEX_SIGN && p->lexer.sign == sign;
}

static bool is_word(const struct parser *p, enum path_word word)
{
    return p->lexer.lexeme == PATH_LEX_WORD && p->lexer.word == word;
}

static enum status take(struct parser *p) { return path__lex(&p->lexer); }

static enum status want_sign(struct parser *p, int sign)
{
    return is_sign(p, sign) ? take(p) : syntax(p);
}

static bool is_predicate(const struct jsonpath_item *i)
{
    return i->kind >= PATH_AND && i->kind <= PATH_GE && !i->next;
}

/* A bracket was around it: what may follow a predicate then. */
struct parsed {
    struct jsonpath_item *item;
    bool bracketed;
};

static enum status parse_or(struct parser *p, struct parsed *ret);

static enum status parse_expression(struct parser *p, struct jsonpath_item **ret)
{
    struct parsed x;
    TRY(parse_or(p, &x));
    *ret = x.item;
    return is_predicate(x.item) ? syntax(p) : OK;
}

static enum status parse_predicate(struct parser *p, struct jsonpath_item **ret)
{
    struct parsed x;
    TRY(parse_or(p, &x));
    *ret = x.item;
    return is_predicate(x.item) ? OK : syntax(p);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void append(struct jsonpath_item *head, struct jsonpath_item *step)
{
    while (head->next) head = head->next;
    head->next = step;
}

static enum status parse_level(struct parser *p, int32_t *ret)
{
    int64_t v;
    if (is_word(p, PATH_WORD_LAST)) {
        *ret = JSONPATH_LAST;
        return take(p);
    }
    if (p->lexer.lexeme != PATH_LEX_INTEGER) return syntax(p);
    if (!str_to_i64(p->lexer.text, &v) || v > INT32_MAX)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value \"%.*s\" is out of range for type integer",
                    (int)p->lexer.text.len, p->lexer.text.data);
    *ret = (int32_t)v;
    return take(p);
}

/* Behind .** */
static enum status parse_any(struct parser *p, struct jsonpath_item **ret)
{
    struct jsonpath_item *i = *ret = item_new(p, PATH_ANY);
    i->last = JSONPATH_LAST;
    if (!is_sign(p, '{')) return OK;
    TRY(take(p));
    TRY(parse_level(p, &i->first));
    i->last = i->first;
    if (is_word(p, PATH_WORD_TO)) {
        TRY(take(p));
        TRY(parse_level(p, &i->last));
    }
    return want_sign(p, '}');
}

static bool method_of(enum path_word word, enum jsonpath_kind *ret)
{
    switch (word) {
    case PATH_WORD_ABS: *ret = PATH_ABS; return true;
    case PATH_WORD_SIZE: *ret = PATH_SIZE; return true;
    case PATH_WORD_TYPE: *ret = PATH_TYPE; return true;
    case PATH_WORD_FLOOR: *ret = PATH_FLOOR; return true;
    case PATH_WORD_DOUBLE: *ret = PATH_DOUBLE; return true;
    case PATH_WORD_CEILING: *ret = PATH_CEILING; return true;
    case PATH_WORD_KEYVALUE: *ret = PATH_KEYVALUE; return true;
    case PATH_WORD_DATETIME: *ret = PATH_DATETIME; return true;
    default: return false;
    }
}

/* A key, or a method when a bracket follows. */
static enum status parse_named(struct parser *p, struct jsonpath_item **ret)
{
    struct slice text = p->lexer.text;
    enum jsonpath_kind method;
    bool may_call = p->lexer.lexeme == PATH_LEX_WORD && method_of(p->lexer.word, &method);
    if (p->lexer.lexeme != PATH_LEX_WORD && p->lexer.lexeme != PATH_LEX_STRING) return syntax(p);
    TRY(take(p));
    if (!may_call || !is_sign(p, '(')) {
        *ret = item_new(p, PATH_KEY);
        (*ret)->text = text;
        return OK;
    }
    *ret = item_new(p, method);
    TRY(take(p));
    if (method == PATH_DATETIME && p->lexer.lexeme == PATH_LEX_STRING) {
        (*ret)->text = p->lexer.text;
        TRY(take(p));
    }
    return want_sign(p, ')');
}

static enum status parse_subscripts(struct parser *p, struct jsonpath_item **ret)
{
    struct jsonpath_item *i;
    uint32_t room = 0;
    if (is_sign(p, '*')) {
        *ret = item_new(p, PATH_ANY_ARRAY);
        TRY(take(p));
        return want_sign(p, ']');
    }
    i = *ret = item_new(p, PATH_INDEX);
    for (bool more = true; more;) {
        struct jsonpath_subscript s = {0};
        TRY(parse_expression(p, &s.from));
        if (is_word(p, PATH_WORD_TO)) {
            TRY(take(p));
            TRY(parse_expression(p, &s.to));
        }
        if (i->subscript_count == room) {
            struct jsonpath_subscript *old = i->subscripts;
            room = room ? room * 2 : 4;
            i->subscripts = ARENA_ARRAY(p->a, struct jsonpath_subscript, room);
            if (old) memcpy(i->subscripts, old, i->subscript_count * sizeof *old);
        }
        i->subscripts[i->subscript_count++] = s;
        more = is_sign(p, ',');
        if (more) TRY(take(p));
    }
    return want_sign(p, ']');
}

/* One step, if there is one; else *ret is NULL. */
static enum status parse_step(struct parser *p, struct jsonpath_item **ret)
{
    *ret = NULL;
    if (is_sign(p, '[')) {
        TRY(take(p));
        return parse_subscripts(p, ret);
    }
    if (is_sign(p, '?')) {
        TRY(take(p));
        TRY(want_sign(p, '('));
        *ret = item_new(p, PATH_FILTER);
        TRY(parse_predicate(p, &(*ret)->left));
        return want_sign(p, ')');
    }
    if (!is_sign(p, '.')) return OK;
    TRY(take(p));
    if (is_sign(p, '*') || is_sign(p, PATH_SIGN_ANY)) {
        bool all = p->lexer.sign == PATH_SIGN_ANY;
        TRY(take(p));
        if (all) return parse_any(p, ret);
        *ret = item_new(p, PATH_ANY_KEY);
        return OK;
    }
    return parse_named(p, ret);
}

static enum status parse_steps(struct parser *p, struct jsonpath_item *head, bool *ret_any)
{
    struct jsonpath_item *end = head, *step;
    while (end->next) end = end->next;
    *ret_any = false;
    for (uint32_t n = 0;; n++) {
        TRY(parse_step(p, &step));
        if (!step) return OK;
        if (n >= STEPS_MAX) return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        *ret_any = true;
        append(end, step);
        end = step;
    }
}

/* --- operands --------------------------------------------------------------------------------- */

static enum status parse_exists(struct parser *p, struct jsonpath_item **ret)
{
    TRY(take(p));
    TRY(want_sign(p, '('));
    *ret = item_new(p, PATH_EXISTS);
    TRY(parse_expression(p, &(*ret)->left));
    return want_sign(p, ')');
}

static enum status parse_bracketed(struct parser *p, struct parsed *ret)
{
    bool any;
    TRY(take(p));
    TRY(parse_or(p, ret));
    TRY(want_sign(p, ')'));
    bool predicate = is_predicate(ret->item);
    if (predicate && is_word(p, PATH_WORD_IS)) {
        struct jsonpath_item *i = item_new(p, PATH_IS_UNKNOWN);
        TRY(take(p));
        if (!is_word(p, PATH_WORD_UNKNOWN)) return syntax(p);
        i->left = ret->item;
        *ret = (struct parsed){i, false};
        return take(p);
    }
    ret->bracketed = true;
    return parse_steps(p, ret->item, &any);
}

static enum status parse_literal(struct parser *p, struct jsonpath_item **ret)
{
    struct path_lexer *l = &p->lexer;
    struct jsonpath_item *i;
    switch (l->lexeme) {
    case PATH_LEX_STRING: i = item_new(p, PATH_STRING); break;
    case PATH_LEX_VARIABLE: i = item_new(p, PATH_VARIABLE); break;
    case PATH_LEX_INTEGER:
    case PATH_LEX_NUMBER:
        i = item_new(p, PATH_NUMBER);
        TRY(numeric_from_text(l->text, -1, p->a, &i->number));
        break;
    case PATH_LEX_SIGN:
        if (l->sign != '$' && l->sign != '@') return syntax(p);
        i = item_new(p, l->sign == '$' ? PATH_ROOT : PATH_CURRENT);
        break;
    case PATH_LEX_WORD:
        if (l->word == PATH_WORD_NULL) i = item_new(p, PATH_NULL);
        else if (l->word == PATH_WORD_LAST) i = item_new(p, PATH_LAST);
        else if (l->word == PATH_WORD_TRUE || l->word == PATH_WORD_FALSE) i = item_new(p, PATH_BOOL);
        else return syntax(p);
        i->truth = l->word == PATH_WORD_TRUE;
        break;
    default: return syntax(p);
    }
    i->text = l->text;
    *ret = i;
    return take(p);
}

static enum status parse_primary(struct parser *p, struct parsed *ret)
{
    bool any;
    *ret = (struct parsed){0};
    if (is_sign(p, '(')) return parse_bracketed(p, ret);
    if (is_word(p, PATH_WORD_EXISTS)) return parse_exists(p, &ret->item);
    TRY(parse_literal(p, &ret->item));
    return parse_steps(p, ret->item, &any);
}

static enum status parse_unary(struct parser *p, struct parsed *ret)
{
    if (++p->depth > DEPTH_MAX || fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (!is_sign(p, '+') && !is_sign(p, '-')) {
        TRY(parse_primary(p, ret));
        p->depth--;
        return OK;
    }
    bool minus = p->lexer.sign == '-';
    TRY(take(p));
    TRY(parse_unary(p, ret));
    p->depth--;
    if (is_predicate(ret->item)) return syntax(p);
    struct jsonpath_item *in = ret->item;
    if (in->kind == PATH_NUMBER && !in->next) {
        if (minus) in->number = numeric_neg(p->a, &in->number);
    } else {
        ret->item = item_new(p, minus ? PATH_MINUS : PATH_PLUS);
        ret->item->left = in;
    }
    ret->bracketed = false;
    return OK;
}

static enum status binary(struct parser *p, enum jsonpath_kind kind, struct parsed *left,
                          struct jsonpath_item *right)
{
    struct jsonpath_item *i = item_new(p, kind);
    i->left = left->item;
    i->right = right;
    *left = (struct parsed){i, false};
    return OK;
}

static enum status parse_product(struct parser *p, struct parsed *ret)
{
    struct parsed right;
    TRY(parse_unary(p, ret));
    while (!is_predicate(ret->item) && (is_sign(p, '*') || is_sign(p, '/') || is_sign(p, '%'))) {
        int sign = p->lexer.sign;
        TRY(take(p));
        TRY(parse_unary(p, &right));
        if (is_predicate(right.item)) return syntax(p);
        TRY(binary(p, sign == '*' ? PATH_MUL : sign == '/' ? PATH_DIV : PATH_MOD, ret, right.item));
    }
    return OK;
}

static enum status parse_sum(struct parser *p, struct parsed *ret)
{
    struct parsed right;
    TRY(parse_product(p, ret));
    while (!is_predicate(ret->item) && (is_sign(p, '+') || is_sign(p, '-'))) {
        bool plus = p->lexer.sign == '+';
        TRY(take(p));
        TRY(parse_product(p, &right));
        if (is_predicate(right.item)) return syntax(p);
        TRY(binary(p, plus ? PATH_ADD : PATH_SUB, ret, right.item));
    }
    return OK;
}

/* --- predicates ------------------------------------------------------------------------------- */

static bool comparison(const struct parser *p, enum jsonpath_kind *ret)
{
    static const struct {
        int sign;
        enum jsonpath_kind kind;
    } all[] = {{PATH_SIGN_EQ, PATH_EQ}, {PATH_SIGN_NE, PATH_NE}, {'<', PATH_LT},
               {'>', PATH_GT},          {PATH_SIGN_LE, PATH_LE}, {PATH_SIGN_GE, PATH_GE}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (is_sign(p, all[i].sign)) {
            *ret = all[i].kind;
            return true;
        }
    return false;
}

/* Behind LIKE_REGEX. */
static enum status parse_regex(struct parser *p, struct parsed *ret)
{
    struct jsonpath_item *i = item_new(p, PATH_LIKE_REGEX);
    const struct regex *r;
    char flags[JSONPATH_REGEX_FLAGS];
    TRY(take(p));
    if (p->lexer.lexeme != PATH_LEX_STRING) return syntax(p);
    i->left = ret->item;
    i->text = p->lexer.text;
    TRY(take(p));
    if (is_word(p, PATH_WORD_FLAG)) {
        TRY(take(p));
        if (p->lexer.lexeme != PATH_LEX_STRING) return syntax(p);
        TRY(path__read_flags(p->lexer.text, &i->flags));
        TRY(take(p));
    }
    TRY(jsonpath_regex_flags(i->flags, flags));
    *ret = (struct parsed){i, false};
    return regex_compile(i->text, slice_of(flags), &r);
}

static enum status parse_starts(struct parser *p, struct parsed *ret)
{
    struct jsonpath_item *right;
    TRY(take(p));
    if (!is_word(p, PATH_WORD_WITH)) return syntax(p);
    TRY(take(p));
    if (p->lexer.lexeme != PATH_LEX_STRING && p->lexer.lexeme != PATH_LEX_VARIABLE)
        return syntax(p);
    right = item_new(p, p->lexer.lexeme == PATH_LEX_STRING ? PATH_STRING : PATH_VARIABLE);
    right->text = p->lexer.text;
    TRY(take(p));
    return binary(p, PATH_STARTS_WITH, ret, right);
}

static enum status parse_comparison(struct parser *p, struct parsed *ret)
{
    enum jsonpath_kind kind;
    struct parsed right;
    TRY(parse_sum(p, ret));
    if (is_predicate(ret->item)) return OK;
    if (is_word(p, PATH_WORD_STARTS)) return parse_starts(p, ret);
    if (is_word(p, PATH_WORD_LIKE_REGEX)) return parse_regex(p, ret);
    if (!comparison(p, &kind)) return OK;
    TRY(take(p));
    TRY(parse_sum(p, &right));
    if (is_predicate(right.item)) return syntax(p);
    return binary(p, kind, ret, right.item);
}

/* ! stands before a bracket or EXISTS alone. */
static enum status parse_not(struct parser *p, struct parsed *ret)
{
    if (!is_sign(p, '!')) return parse_comparison(p, ret);
    TRY(take(p));
    struct jsonpath_item *i = item_new(p, PATH_NOT);
    if (is_word(p, PATH_WORD_EXISTS)) {
        TRY(parse_exists(p, &i->left));
    } else {
        TRY(want_sign(p, '('));
        TRY(parse_predicate(p, &i->left));
        TRY(want_sign(p, ')'));
    }
    *ret = (struct parsed){i, false};
    return OK;
}

static enum status parse_and(struct parser *p, struct parsed *ret)
{
    struct parsed right;
    TRY(parse_not(p, ret));
    while (is_predicate(ret->item) && is_sign(p, PATH_SIGN_AND)) {
        TRY(take(p));
        TRY(parse_not(p, &right));
        if (!is_predicate(right.item)) return syntax(p);
        TRY(binary(p, PATH_AND, ret, right.item));
    }
    return OK;
}

static enum status parse_or(struct parser *p, struct parsed *ret)
{
    struct parsed right;
    if (++p->depth > DEPTH_MAX || fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    TRY(parse_and(p, ret));
    while (is_predicate(ret->item) && is_sign(p, PATH_SIGN_OR)) {
        TRY(take(p));
        TRY(parse_and(p, &right));
        if (!is_predicate(right.item)) return syntax(p);
        TRY(binary(p, PATH_OR, ret, right.item));
    }
    p->depth--;
    return OK;
}

enum status jsonpath_parse(struct slice text, struct arena *a, struct jsonpath *ret)
{
    struct parser p = {.a = a};
    struct parsed whole;
    path__lex_init(&p.lexer, text, a);
    TRY(take(&p));
    if (p.lexer.lexeme == PATH_LEX_END)
        return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath: \"%.*s\"",
                    (int)text.len, text.data);
    ret->lax = !is_word(&p, PATH_WORD_STRICT);
    if (!ret->lax || is_word(&p, PATH_WORD_LAX)) TRY(take(&p));
    TRY(parse_or(&p, &whole));
    if (p.lexer.lexeme != PATH_LEX_END) return syntax(&p);
    ret->root = whole.item;
    ret->item_count = p.items;
    return path__check(whole.item, 0, false);
}
