/* The pretty form of a printed expression. The plain form has parentheses around every operator, so
 * its text is a tree already; here those are taken off that PostgreSQL leaves out: around the
 * whole, around operands of AND, OR and casts, and where * binds tighter than +. It works on the
 * text, since both forms must say the same of everything else. */
#include "db/system_priv.h"

/* What an expression is, by what stands outside of its brackets. */
enum form {
    FORM_SIMPLE, /* a name, a constant, a call, a cast of such */
    FORM_SUM,    /* + - */
    FORM_PRODUCT, /* * / % */
    FORM_OPERATOR,
    FORM_TEST,   /* IS NULL, IS DISTINCT FROM … */
    FORM_ANY,    /* = ANY (…), COLLATE, AT TIME ZONE */
    FORM_AND,
    FORM_OR,
    FORM_NOT,
};

enum { DEPTH_MAX = 200 };

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '"' || (unsigned char)c >= 0x80;
}

/* Past the string or quoted name that starts at i. */
static size_t skip_quoted(struct slice s, size_t i)
{
    char quote = s.data[i++];
    for (; i < s.len; i++) {
        if (s.data[i] != quote) continue;
        if (i + 1 < s.len && s.data[i + 1] == quote) i++;
        else return i + 1;
    }
    return s.len;
}

/* Past the bracket that opens at i. */
static size_t skip_brackets(struct slice s, size_t i)
{
    int depth = 0;
    while (i < s.len) {
        char c = s.data[i];
        if (c == '\'' || c == '"') {
            i = skip_quoted(s, i);
            continue;
        }
        depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
        i++;
        if (depth == 0) return i;
    }
    return s.len;
}

static bool at_word(struct slice s, size_t i, struct slice word)
{
    return i + word.len <= s.len && memcmp(s.data + i, word.data, word.len) == 0;
}

/* PostgreSQL begins CASE on a line of its own. */
static bool is_case(struct slice s)
{
    while (s.len && (s.data[0] == '\n' || s.data[0] == ' ')) s = slice_make(s.data + 1, s.len - 1);
    return slice_starts(s, SLICE("CASE"));
}

/* The first connective outside of brackets decides: the plain form never mixes two. */
static enum form form_of(struct slice s)
{
    static const struct {
        const char *word;
        enum form form;
    } words[] = {{" AND ", FORM_AND},     {" OR ", FORM_OR},       {" IS ", FORM_TEST},
                 {" ANY (", FORM_ANY},    {" ALL (", FORM_ANY},    {" + ", FORM_SUM},
                 {" - ", FORM_SUM},       {" * ", FORM_PRODUCT},   {" / ", FORM_PRODUCT},
                 {" % ", FORM_PRODUCT},   {" COLLATE ", FORM_ANY}, {" AT TIME ZONE ", FORM_ANY}};
    enum form found = FORM_SIMPLE;
    if (slice_starts(s, SLICE("NOT "))) return FORM_NOT;
    if (is_case(s)) return FORM_SIMPLE; /* its words are its brackets */
    for (size_t i = 0; i < s.len;) {
        char c = s.data[i];
        if (c == '\'' || c == '"') {
            i = skip_quoted(s, i);
            continue;
        }
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
            if (at_word(s, i, slice_of(words[w].word)) &&
                (found == FORM_SIMPLE || found == FORM_OPERATOR))
                found = words[w].form;
        if (found == FORM_SIMPLE && strchr("<>=~!@#&|^?+-*/%`", c)) found = FORM_OPERATOR;
        if (found != FORM_SIMPLE && at_word(s, i, SLICE(" ANY ("))) found = FORM_ANY;
        if (found != FORM_SIMPLE && at_word(s, i, SLICE(" ALL ("))) found = FORM_ANY;
        i = c == '(' || c == '[' ? skip_brackets(s, i) : i + 1;
    }
    return found;
}

/* Whether an operand of `inside` needs its brackets within `outside`. */
static bool needs_brackets(enum form inside, enum form outside, bool first)
{
    bool lower = inside == FORM_SUM, higher = inside == FORM_PRODUCT;
    bool arithmetic = outside == FORM_SUM || outside == FORM_PRODUCT;
    switch (inside) {
    case FORM_SIMPLE: return false;
    case FORM_AND:
    case FORM_NOT: return outside != FORM_AND && outside != FORM_OR;
    case FORM_OR: return outside != FORM_OR;
    case FORM_ANY: return true;
    case FORM_TEST:
    case FORM_OPERATOR: return outside != FORM_AND && outside != FORM_OR && outside != FORM_NOT;
    default: break;
    }
    if (!arithmetic) return outside != FORM_AND && outside != FORM_OR && outside != FORM_NOT;
    if (higher && outside == FORM_SUM) return false;
    if (lower && outside == FORM_PRODUCT) return true;
    return !first;
}

static struct slice unwrapped(struct slice s)
{
    while (s.len > 1 && s.data[0] == '(' && skip_brackets(s, 0) == s.len)
        s = slice_make(s.data + 1, s.len - 2);
    return s;
}

static void print(struct slice s, int depth, struct strbuf *out);

/* A bracket pair at s[from..to): of a call, an array, a list; or of an operand. */
static void print_brackets(struct slice s, size_t from, size_t to, enum form outside, int depth,
                           struct strbuf *out)
{
    struct slice inner = slice_make(s.data + from + 1, to - from - 2);
    bool call = from > 0 && (is_word_char(s.data[from - 1]) || s.data[from - 1] == ')');
    bool listed = from > 1 && s.data[from - 1] == ' ' && is_word_char(s.data[from - 2]) &&
                  !(from > 4 && at_word(s, from - 4, SLICE("AND "))) &&
                  !(from > 3 && at_word(s, from - 3, SLICE("OR "))) &&
                  !(from > 3 && at_word(s, from - 4, SLICE("NOT "))) &&
                  !(from > 5 && at_word(s, from - 5, SLICE("WHEN "))) &&
                  !(from > 5 && at_word(s, from - 5, SLICE("THEN "))) &&
                  !(from > 5 && at_word(s, from - 5, SLICE("ELSE "))) &&
                  !(from > 5 && at_word(s, from - 5, SLICE("FROM ")));
    bool cast = to + 1 < s.len && s.data[to] == ':' && s.data[to + 1] == ':';
    if (s.data[from] == '[' || call || listed) {
        strbuf_addc(out, s.data[from]);
        print(inner, depth + 1, out);
        strbuf_addc(out, s.data[to - 1]);
        return;
    }
    inner = unwrapped(inner);
    enum form form = form_of(inner);
    bool bracket = cast ? form != FORM_SIMPLE : needs_brackets(form, outside, from == 0);
    if (cast && inner.len && inner.data[0] == '-') bracket = true;
    if (bracket) strbuf_addc(out, '(');
    print(inner, depth + 1, out);
    if (bracket) strbuf_addc(out, ')');
}

/* The elements of a list are expressions of their own. */
static size_t end_of_element(struct slice s, size_t i)
{
    while (i < s.len && s.data[i] != ',') {
        if (s.data[i] == '\'' || s.data[i] == '"') i = skip_quoted(s, i);
        else if (s.data[i] == '(' || s.data[i] == '[') i = skip_brackets(s, i);
        else i++;
    }
    return i;
}

static void print_element(struct slice s, int depth, struct strbuf *out)
{
    enum form outside = form_of(s);
    bool cases = is_case(s);
    if (cases) outside = FORM_AND; /* conditions and results stand alone */
    for (size_t i = 0; i < s.len;) {
        size_t end = i + 1;
        if (s.data[i] == '\'' || s.data[i] == '"') end = skip_quoted(s, i);
        if (s.data[i] == '(' || s.data[i] == '[') {
            end = skip_brackets(s, i);
            print_brackets(s, i, end, cases ? FORM_OR : outside, depth, out);
        } else {
            strbuf_add(out, s.data + i, end - i);
        }
        i = end;
    }
}

static void print(struct slice s, int depth, struct strbuf *out)
{
    if (depth > DEPTH_MAX) {
        strbuf_add(out, s.data, s.len);
        return;
    }
    for (size_t i = 0; i < s.len;) {
        size_t end = end_of_element(s, i);
        struct slice element = slice_make(s.data + i, end - i);
        while (element.len && element.data[0] == ' ') {
            strbuf_addc(out, ' ');
            element = slice_make(element.data + 1, element.len - 1);
        }
        print_element(unwrapped(element), depth, out);
        if (end < s.len) strbuf_addc(out, ',');
        i = end + 1;
    }
}

const char *sys_pretty(struct arena *a, const char *display)
{
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_reserve(&b, strlen(display) + 1);
    print(unwrapped(slice_of(display)), 0, &b);
    return b.data;
}
