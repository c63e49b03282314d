/* From PostgreSQL's advanced regular expressions (ARE) to PCRE2's syntax.
 *
 * The pattern is read element by element and each is written anew, so that nothing that PCRE2 knows
 * and AREs do not (verbs, possessive quantifiers, named groups, \K) can get through. On the way the
 * preference of the whole is worked out (documentation 9.7.3.5): a branch has that of its first
 * quantified atom that has one, an alternation prefers the longest. */
#include "types/regex_priv.h"

#include <ctype.h>

enum { DEPTH_MAX = 200, REPEAT_MAX = 255 };

struct level {
    uint8_t preference; /* enum regex_preference of the branch so far */
    bool bar, look;
};

struct reader {
    const char *p, *end;
    struct strbuf *out;
    struct regex_shape *shape;
    struct level levels[DEPTH_MAX + 1];
    int depth, groups, quantifiers;
    bool have_atom;        /* something a quantifier may follow */
    uint8_t atom_preference;
};

static enum status invalid(const char *why)
{
    return FAIL(INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s", why);
}

enum status regex__read_options(struct slice letters, struct regex_options *o)
{
    for (size_t i = 0; i < letters.len; i++) {
        switch (letters.data[i]) {
        case 'i': o->ignore_case = true; break;
        case 'c': o->ignore_case = false; break;
        case 'n':
        case 'm': o->newline_stops = o->newline_lines = true; break;
        case 's': o->newline_stops = o->newline_lines = false; break;
        case 'p': o->newline_stops = true; o->newline_lines = false; break;
        case 'w': o->newline_stops = false; o->newline_lines = true; break;
        case 'x': o->expanded = true; break;
        case 't': o->expanded = false; break;
        case 'q': o->literal = true; break;
        case 'e':
        case 'g': break;
        default:
            return FAIL(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"%.*s\"", 1,
                        letters.data + i);
        }
    }
    return OK;
}

static void put_char(struct strbuf *out, char c)
{
    if (!isalnum((unsigned char)c) && (unsigned char)c < 0x80 && c != '\0') strbuf_addc(out, '\\');
    if (c == '\0')
        strbuf_adds(out, "\\x{0}");
    else
        strbuf_addc(out, c);
}

static enum status put_code(struct strbuf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return invalid("invalid escape \\ sequence");
    strbuf_addf(out, "\\x{%x}", c);
    return OK;
}

/* Up to `most` hexadecimal digits, at least `least`. */
static enum status read_hex(struct reader *r, int least, int most)
{
    uint32_t v = 0;
    int n = 0;
    for (; n < most && r->p < r->end && isxdigit((unsigned char)*r->p); n++, r->p++) {
        int d = tolower((unsigned char)*r->p);
        v = v << 4 | (uint32_t)(d <= '9' ? d - '0' : d - 'a' + 10);
    }
    if (n < least) return invalid("invalid escape \\ sequence");
    return put_code(r->out, v);
}

/* Escapes that stand for one character or class, in brackets or not; *ret false: none such. */
static enum status read_common_escape(struct reader *r, char c, bool *ret)
{
    *ret = true;
    switch (c) {
    case 'a': return put_code(r->out, 7);
    case 'b': return put_code(r->out, 8);
    case 'e': return put_code(r->out, 27);
    case 'f': return put_code(r->out, 12);
    case 'n': return put_code(r->out, 10);
    case 'r': return put_code(r->out, 13);
    case 't': return put_code(r->out, 9);
    case 'v': return put_code(r->out, 11);
    case 'B': put_char(r->out, '\\'); return OK;
    case 'u': return read_hex(r, 4, 4);
    case 'U': return read_hex(r, 8, 8);
    case 'x': return read_hex(r, 1, 8);
    case 'c':
        if (r->p == r->end) return invalid("invalid escape \\ sequence");
        return put_code(r->out, (uint8_t)*r->p++ & 31);
    case 'd': case 'w': case 's': case 'D': case 'W': case 'S':
        strbuf_addc(r->out, '\\');
        strbuf_addc(r->out, c);
        return OK;
    default: break;
    }
    *ret = !isalnum((unsigned char)c);
    if (*ret) put_char(r->out, c);
    return OK;
}

/* \0, \012 and back references. */
static enum status read_numbered(struct reader *r, char first)
{
    int n = first - '0';
    const char *q = r->p;
    if (first != '0') {
        while (q < r->end && isdigit((unsigned char)*q) && n < 1000) n = n * 10 + (*q++ - '0');
        if (n <= r->groups || q == r->p) {
            if (n > r->groups) return invalid("invalid backreference number");
            r->p = q;
            r->shape->has_backreference = true;
            strbuf_addf(r->out, "\\g{%d}", n);
            return OK;
        }
        n = first - '0';
    }
    for (int i = 0; i < 2 && r->p < r->end && *r->p >= '0' && *r->p <= '7'; i++)
        n = n * 8 + (*r->p++ - '0');
    return put_code(r->out, (uint32_t)n);
}

static enum status read_escape(struct reader *r)
{
    if (r->p == r->end) return invalid("invalid escape \\ sequence");
    char c = *r->p++;
    r->have_atom = true;
    static const struct {
        char letter;
        const char *pcre;
    } constraints[] = {{'m', "\\b(?=\\w)"}, {'M', "\\b(?<=\\w)"}, {'y', "\\b"},
                       {'Y', "\\B"},        {'A', "\\A"},         {'Z', "\\z"}};
    for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
        if (constraints[i].letter != c) continue;
        strbuf_adds(r->out, constraints[i].pcre);
        r->have_atom = false;
        return OK;
    }
    if (isdigit((unsigned char)c)) return read_numbered(r, c);
    bool known;
    TRY(read_common_escape(r, c, &known));
    return known ? OK : invalid("invalid escape \\ sequence");
}

/* [:alpha:], [.x.], [=x=]; p stands behind "[:" and its like. */
static enum status read_named(struct reader *r, char kind)
{
    const char *name = r->p;
    while (r->p + 1 < r->end && !(r->p[0] == kind && r->p[1] == ']')) r->p++;
    if (r->p + 1 >= r->end) return invalid("brackets [] not balanced");
    struct slice s = slice_make(name, (size_t)(r->p - name));
    r->p += 2;
    if (kind != ':') {
        size_t one = s.len && (uint8_t)s.data[0] >= 0xc0 ? s.len <= 4 : s.len == 1;
        if (!one) return invalid("invalid collating element");
        if (s.len == 1)
            put_char(r->out, s.data[0]);
        else
            strbuf_add(r->out, s.data, s.len);
        return OK;
    }
    static const char *const classes[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                          "digit", "graph", "lower", "print", "punct",
                                          "space", "upper", "xdigit", "word"};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (!slice_eq(s, slice_of(classes[i]))) continue;
        strbuf_addf(r->out, "[:%s:]", classes[i]);
        return OK;
    }
    return invalid("invalid character class");
}

/* A bracket expression; p stands behind its '['. */
static enum status read_bracket(struct reader *r)
{
    static const struct slice word_start = {"[:<:]]", 6}, word_end = {"[:>:]]", 6};
    struct slice rest = slice_make(r->p, (size_t)(r->end - r->p));
    if (slice_starts(rest, word_start) || slice_starts(rest, word_end)) {
        strbuf_adds(r->out, r->p[2] == '<' ? "\\b(?=\\w)" : "\\b(?<=\\w)");
        r->p += 6;
        r->have_atom = false;
        return OK;
    }
    strbuf_addc(r->out, '[');
    if (r->p < r->end && *r->p == '^') {
        strbuf_adds(r->out, r->shape->options.newline_stops ? "^\\x{a}" : "^");
        r->p++;
    }
    bool first = true, range = false;
    for (;; first = false) {
        if (r->p == r->end) return invalid("brackets [] not balanced");
        char c = *r->p++;
        if (c == ']' && !first) break;
        if (c == '[' && r->p < r->end && (*r->p == ':' || *r->p == '.' || *r->p == '=')) {
            TRY(read_named(r, *r->p++));
        } else if (c == '\\') {
            if (r->p == r->end) return invalid("invalid escape \\ sequence");
            bool known;
            char e = *r->p++;
            if (e >= '0' && e <= '7') TRY(put_code(r->out, (uint32_t)(e - '0')));
            else {
                TRY(read_common_escape(r, e, &known));
                if (!known) return invalid("invalid escape \\ sequence");
            }
        } else if (c == '-' && !first && !range && r->p < r->end && *r->p != ']') {
            strbuf_addc(r->out, '-'); /* a range; its end may be any character */
            range = true;
            continue;
        } else {
            put_char(r->out, c);
        }
        range = false;
    }
    strbuf_addc(r->out, ']');
    r->have_atom = true;
    return OK;
}

static bool read_number(struct reader *r, int *ret)
{
    *ret = 0;
    const char *first = r->p;
    while (r->p < r->end && isdigit((unsigned char)*r->p)) {
        if (*ret <= REPEAT_MAX) *ret = *ret * 10 + (*r->p - '0');
        r->p++;
    }
    return r->p > first;
}

/* {m}, {m,}, {m,n}; p behind the brace. *ret_fixed: {m}. */
static enum status read_bounds(struct reader *r, bool *ret_fixed)
{
    int m, n;
    read_number(r, &m);
    *ret_fixed = true;
    strbuf_addf(r->out, "{%d", m);
    n = m;
    if (r->p < r->end && *r->p == ',') {
        r->p++;
        *ret_fixed = false;
        strbuf_addc(r->out, ',');
        if (read_number(r, &n)) strbuf_addf(r->out, "%d", n);
        else n = m;
    }
    if (m > REPEAT_MAX || n > REPEAT_MAX || n < m) return invalid("invalid repetition count(s)");
    if (r->p == r->end || *r->p != '}') return invalid("braces {} not balanced");
    r->p++;
    strbuf_addc(r->out, '}');
    return OK;
}

static void note_preference(struct reader *r, uint8_t preference)
{
    struct level *l = &r->levels[r->depth];
    if (l->preference == PREFER_NONE) l->preference = preference;
}

static enum status read_quantifier(struct reader *r, char c)
{
    bool fixed = false;
    if (!r->have_atom) return invalid("quantifier operand invalid");
    if (c == '{')
        TRY(read_bounds(r, &fixed));
    else
        strbuf_addc(r->out, c);
    bool lazy = r->p < r->end && *r->p == '?';
    if (lazy) {
        strbuf_addc(r->out, '?');
        r->p++;
    }
    r->atom_preference = fixed ? r->atom_preference : lazy ? PREFER_SHORTEST : PREFER_LONGEST;
    r->quantifiers++;
    r->have_atom = false;
    return OK;
}

static enum status open_group(struct reader *r)
{
    static const char *const forms[] = {"?:", "?=", "?!", "?<=", "?<!"};
    struct slice rest = slice_make(r->p, (size_t)(r->end - r->p));
    if (slice_starts(rest, SLICE("?#"))) { /* a comment */
        while (r->p < r->end && *r->p != ')') r->p++;
        if (r->p == r->end) return invalid("parentheses () not balanced");
        r->p++;
        return OK;
    }
    if (r->depth == DEPTH_MAX) return invalid("regular expression is too complex");
    struct level *l = &r->levels[++r->depth];
    *l = (struct level){0};
    strbuf_addc(r->out, '(');
    r->have_atom = false;
    if (rest.len == 0 || rest.data[0] != '?') {
        r->groups++;
        return OK;
    }
    for (int i = 0; i < 5; i++) {
        if (!slice_starts(rest, slice_of(forms[i]))) continue;
        strbuf_adds(r->out, forms[i]);
        r->p += strlen(forms[i]);
        l->look = i > 0;
        return OK;
    }
    return invalid("quantifier operand invalid");
}

static enum status close_group(struct reader *r)
{
    if (r->depth == 0) return invalid("parentheses () not balanced");
    struct level *l = &r->levels[r->depth--];
    strbuf_addc(r->out, ')');
    r->have_atom = !l->look;
    r->atom_preference = l->look ? PREFER_NONE : l->bar ? PREFER_LONGEST : l->preference;
    return OK;
}

static enum status read_element(struct reader *r)
{
    char c = *r->p++;
    struct level *l = &r->levels[r->depth];
    bool quantifier = c == '*' || c == '+' || c == '?' ||
                      (c == '{' && r->p < r->end && isdigit((unsigned char)*r->p));
    if (quantifier) return read_quantifier(r, c);
    /* the atom before is complete: its preference counts now */
    note_preference(r, r->atom_preference);
    r->atom_preference = PREFER_NONE;
    switch (c) {
    case '(': return open_group(r);
    case ')': return close_group(r);
    case '[': return read_bracket(r);
    case '\\': return read_escape(r);
    case '|':
        l->bar = true;
        r->shape->ambiguous = true;
        r->have_atom = false;
        strbuf_addc(r->out, '|');
        return OK;
    case '^':
    case '$':
        r->have_atom = false;
        strbuf_addc(r->out, c);
        return OK;
    case '.':
        strbuf_addc(r->out, '.');
        break;
    default:
        if (r->shape->options.expanded && (isspace((unsigned char)c) || c == '#')) {
            while (c == '#' && r->p < r->end && *r->p != '\n') r->p++;
            return OK;
        }
        put_char(r->out, c);
        /* a multibyte character is one atom: its other bytes follow at once */
        while (r->p < r->end && ((uint8_t)*r->p & 0xc0) == 0x80) strbuf_addc(r->out, *r->p++);
    }
    r->have_atom = true;
    return OK;
}

/* "***:", "***=", then "(?xyz)" with letters only. */
static enum status read_prefix(struct reader *r)
{
    struct slice s = slice_make(r->p, (size_t)(r->end - r->p));
    if (slice_starts(s, SLICE("***="))) r->shape->options.literal = true;
    if (slice_starts(s, SLICE("***=")) || slice_starts(s, SLICE("***:"))) r->p += 4;
    if (r->shape->options.literal || r->end - r->p < 3 || r->p[0] != '(' || r->p[1] != '?' ||
        !isalpha((unsigned char)r->p[2]))
        return OK;
    const char *first = r->p + 2, *q = first;
    while (q < r->end && isalpha((unsigned char)*q)) q++;
    if (q == r->end || *q != ')') return invalid("invalid embedded option");
    r->p = q + 1;
    if (regex__read_options(slice_make(first, (size_t)(q - first)), &r->shape->options) != OK)
        return invalid("invalid embedded option");
    return OK;
}

enum status regex__translate(struct slice pattern, struct regex_shape *shape, struct strbuf *out)
{
    struct reader r = {.p = pattern.data, .end = pattern.data + pattern.len, .out = out,
                       .shape = shape};
    if (!shape->options.literal) TRY(read_prefix(&r));
    if (shape->options.literal) {
        for (; r.p < r.end; r.p++) put_char(out, *r.p);
        return OK;
    }
    while (r.p < r.end) TRY(read_element(&r));
    note_preference(&r, r.atom_preference);
    if (r.depth > 0) return invalid("parentheses () not balanced");
    shape->preference = r.levels[0].bar ? PREFER_LONGEST : r.levels[0].preference;
    shape->ambiguous = shape->ambiguous || r.quantifiers > 1;
    return OK;
}
