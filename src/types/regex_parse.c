/* From the text of an advanced regular expression (PostgreSQL's documentation, 9.7.3) to a tree of pieces.
 *
 * Groups in a look-around do not capture. A reference is to a group that is closed. */
#include "types/regex_priv.h"

#include <ctype.h>

enum { DEPTH_MAX = 200, REPEAT_MAX = 255, CODE_MAX = 0x10ffff };

struct group_ref {
    struct regex_branch *branches; /* NULL: not closed yet */
};
struct reader {
    const char *p, *end;
    struct arena *arena;
    struct regex_tree *tree;
    struct group_ref *groups;
    int depth;
    int looks; /* that it is in */
};

static enum status invalid(const char *why)
{
    return FAIL(INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s", why);
}

static enum status bad_option(char letter, bool embedded)
{
    if (embedded) return invalid("invalid embedded option");
    return FAIL(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"%c\"", letter);
}

enum status regex__read_options(struct slice letters, bool embedded, struct regex_options *o)
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
        case 'b':
        case 'e':
            (void)FAIL(FEATURE_NOT_SUPPORTED, "%s regular expressions are not supported",
                       letters.data[i] == 'b' ? "basic" : "extended");
            return error_hint("Leave out the option \"%c\" and write an advanced regular expression.", letters.data[i]);
        case 'g':
            if (!embedded) break;
            /* fallthrough */
        default: return bad_option(letters.data[i], embedded);
        }
    }
    if (embedded && o->literal) o->expanded = o->newline_stops = o->newline_lines = false;
    return OK;
}

/* --- characters -------------------------------------------------------------------------------- */

static bool at(const struct reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}
static bool at_text(const struct reader *r, const char *text)
{
    return slice_starts(slice_make(r->p, (size_t)(r->end - r->p)), slice_of(text));
}

static uint32_t read_char(struct reader *r)
{
    uint8_t c = (uint8_t)*r->p++;
    if (c < 0xc0) return c;
    uint32_t v = c < 0xe0 ? c & 31u : c < 0xf0 ? c & 15u : c & 7u;
    while (r->p < r->end && ((uint8_t)*r->p & 0xc0) == 0x80) v = v << 6 | ((uint8_t)*r->p++ & 63u);
    return v;
}

/* What stands between pieces and does not count. */
static void skip_blanks(struct reader *r)
{
    while (r->tree->options.expanded && r->p < r->end) {
        if (at(r, '#'))
            while (r->p < r->end && *r->p != '\n') r->p++;
        else if (isspace((unsigned char)*r->p)) r->p++;
        else return;
    }
}

/* A set while it is read. */
struct set_draft {
    struct regex_range *ranges;
    uint32_t count, room;
    uint32_t classes, complements;
};

static void add_range(struct reader *r, struct set_draft *d, uint32_t low, uint32_t high)
{
    if (d->count == d->room) {
        uint32_t room = d->room ? d->room * 2 : 4;
        struct regex_range *more = ARENA_ARRAY(r->arena, struct regex_range, room);
        if (d->count) memcpy(more, d->ranges, d->count * sizeof *more);
        d->ranges = more;
        d->room = room;
    }
    d->ranges[d->count++] = (struct regex_range){low, high};
}

static bool same_set(const struct regex_set *a, const struct regex_set *b)
{
    return a->range_count == b->range_count && a->classes == b->classes && a->complements == b->complements &&
           a->negated == b->negated && a->no_newline == b->no_newline &&
           (a->range_count == 0 || !memcmp(a->ranges, b->ranges, a->range_count * sizeof *a->ranges));
}

/* The set of the tree, one for all that are alike. */
static const struct regex_set *keep_set(struct reader *r, const struct set_draft *d, bool negated, bool no_newline)
{
    struct regex_tree *t = r->tree;
    bool fold = t->options.ignore_case;
    struct regex_set s = {.ranges = d->ranges, .range_count = d->count, .classes = d->classes,
                          .complements = d->complements, .negated = negated, .ignore_case = fold,
                          .no_newline = no_newline};
    const uint32_t cased = 1u << CLASS_LOWER | 1u << CLASS_UPPER;
    if (fold && s.classes & cased) s.classes = (s.classes & ~cased) | 1u << CLASS_ALPHA;
    for (uint32_t i = 0; i < t->set_count; i++)
        if (same_set(t->sets[i], &s)) return t->sets[i];
    if (!(t->set_count & (t->set_count - 1))) { /* full at powers of two */
        struct regex_set **more = ARENA_ARRAY(r->arena, struct regex_set *, t->set_count ? t->set_count * 2 : 1);
        if (t->set_count) memcpy(more, t->sets, t->set_count * sizeof *more);
        t->sets = more;
    }
    struct regex_set *kept = ARENA_NEW(r->arena, struct regex_set);
    *kept = s;
    kept->number = t->set_count;
    t->sets[t->set_count++] = kept;
    return kept;
}

static const struct regex_set *one_char(struct reader *r, uint32_t c)
{
    struct set_draft d = {0};
    add_range(r, &d, c, c);
    return keep_set(r, &d, false, false);
}

/* --- escapes ----------------------------------------------------------------------------------- */

enum escape_kind { ESCAPE_CHAR, ESCAPE_CLASS, ESCAPE_COMPLEMENT, ESCAPE_CONSTRAINT, ESCAPE_BACK };
struct escape {
    uint8_t kind;
    uint32_t value; /* character, class, constraint or group */
};

static enum status bad_escape(void)
{
    return invalid("invalid escape \\ sequence");
}

/* Digits of a base, at least `least` of at most `most`. */
static enum status read_code(struct reader *r, int base, int least, int most, uint32_t *ret)
{
    int n = 0;
    *ret = 0;
    for (; n < most && r->p < r->end && isxdigit((unsigned char)*r->p); n++, r->p++) {
        int c = tolower((unsigned char)*r->p), digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (digit >= base) break;
        if (*ret <= CODE_MAX) *ret = *ret * (uint32_t)base + (uint32_t)digit;
    }
    if (n < least || *ret > CODE_MAX) return bad_escape();
    return OK;
}

/* \1, or else up to three octal digits. */
static enum status read_numbered(struct reader *r, struct escape *ret)
{
    const char *first = r->p - 1, *p = first;
    uint32_t n = 0;
    while (p < r->end && isdigit((unsigned char)*p) && n < REGEX_GROUPS_MAX) n = n * 10 + (uint32_t)(*p++ - '0');
    if (*first != '0' && (p == first + 1 || n <= r->tree->groups)) {
        r->p = p;
        *ret = (struct escape){ESCAPE_BACK, n};
        return OK;
    }
    r->p = first;
    TRY(read_code(r, 8, 0, 3, &n));
    if (r->p == first) return bad_escape(); /* 8, 9 */
    if (n > 0xff) {
        r->p--;
        n >>= 3;
    }
    *ret = (struct escape){ESCAPE_CHAR, n};
    return OK;
}

/* What follows a backslash. */
static enum status read_escape(struct reader *r, struct escape *ret)
{
    static const char letters[] = "abefnrtvB";
    static const uint8_t chars[] = {7, 8, 27, 12, 10, 13, 9, 11, '\\'};
    static const char classes[] = "dsw", complements[] = "DSW", constraints[] = "AZmMyY";
    static const uint8_t class_of[] = {CLASS_DIGIT, CLASS_SPACE, CLASS_WORD};
    static const uint8_t constraint_of[] = {AT_START, AT_END, AT_WORD_START, AT_WORD_END, AT_WORD_EDGE,
                                            NOT_AT_WORD_EDGE};
    if (r->p == r->end) return bad_escape();
    if (!isalnum((unsigned char)*r->p)) {
        *ret = (struct escape){ESCAPE_CHAR, read_char(r)};
        return OK;
    }
    char c = *r->p++;
    const char *found;
    if (isdigit((unsigned char)c)) return read_numbered(r, ret);
    if ((found = strchr(letters, c))) *ret = (struct escape){ESCAPE_CHAR, chars[found - letters]};
    else if ((found = strchr(classes, c))) *ret = (struct escape){ESCAPE_CLASS, class_of[found - classes]};
    else if ((found = strchr(complements, c)))
        *ret = (struct escape){ESCAPE_COMPLEMENT, class_of[found - complements]};
    else if ((found = strchr(constraints, c)))
        *ret = (struct escape){ESCAPE_CONSTRAINT, constraint_of[found - constraints]};
    else {
        *ret = (struct escape){ESCAPE_CHAR, 0};
        switch (c) {
        case 'u': return read_code(r, 16, 4, 4, &ret->value);
        case 'U': return read_code(r, 16, 8, 8, &ret->value);
        case 'x': return read_code(r, 16, 1, REPEAT_MAX, &ret->value);
        case 'c':
            if (r->p == r->end) return bad_escape();
            ret->value = read_char(r) & 31;
            return OK;
        default: return bad_escape();
        }
    }
    return OK;
}

/* --- brackets ---------------------------------------------------------------------------------- */

/* The name in [.x.], [=x=], [:x:]; p stands behind the opening. */
static enum status read_name(struct reader *r, char kind, struct slice *ret)
{
    const char *name = r->p;
    while (r->p + 1 < r->end && !(r->p[0] == kind && r->p[1] == ']')) r->p++;
    if (r->p + 1 >= r->end) return invalid("brackets [] not balanced");
    *ret = slice_make(name, (size_t)(r->p - name));
    r->p += 2;
    return OK;
}

static enum status read_element(struct slice name, uint32_t *ret)
{
    struct reader one = {.p = name.data, .end = name.data + name.len};
    if (!name.len) return invalid("invalid collating element");
    *ret = read_char(&one);
    return one.p == one.end ? OK : invalid("invalid collating element");
}

/* One member of a bracket. *ret_single: a character, at which a range may begin or end. */
static enum status read_member(struct reader *r, struct set_draft *d, bool *ret_single, uint32_t *ret)
{
    struct slice name;
    struct escape e;
    *ret_single = true;
    bool named = at(r, '[') && r->p + 1 < r->end && strchr(".=:", r->p[1]);
    if (at(r, '[') && r->p + 1 == r->end) return invalid("brackets [] not balanced");
    if (named) {
        char kind = r->p[1];
        r->p += 2;
        TRY(read_name(r, kind, &name));
        if (kind != ':') {
            TRY(read_element(name, ret));
            *ret_single = kind == '.';
            if (kind == '=') add_range(r, d, *ret, *ret);
            return OK;
        }
        enum regex_class k;
        *ret_single = false;
        if (!regex__class_named(name, &k)) return invalid("invalid character class");
        d->classes |= 1u << k;
        return OK;
    }
    if (!at(r, '\\')) {
        *ret = read_char(r);
        return OK;
    }
    r->p++;
    TRY(read_escape(r, &e));
    *ret = e.value;
    *ret_single = e.kind == ESCAPE_CHAR;
    if (e.kind == ESCAPE_CLASS) d->classes |= 1u << e.value;
    else if (e.kind == ESCAPE_COMPLEMENT) d->complements |= 1u << e.value;
    else if (e.kind != ESCAPE_CHAR) return bad_escape();
    return OK;
}

/* A bracket expression; p stands behind its '['. */
static enum status read_bracket(struct reader *r, struct regex_piece *ret)
{
    struct set_draft d = {0};
    bool negated = at(r, '^');
    if (negated) r->p++;
    for (bool first = true;; first = false) {
        if (r->p == r->end) return invalid("brackets [] not balanced");
        if (at(r, ']') && !first) break;
        bool single, hyphen = at(r, '-') && !first && !(r->p + 1 < r->end && r->p[1] == ']');
        uint32_t low, high;
        if (hyphen) return invalid("invalid character range");
        TRY(read_member(r, &d, &single, &low));
        bool range = at(r, '-') && r->p + 1 < r->end && r->p[1] != ']';
        if (!single && range) return invalid("invalid character range");
        if (!single) continue;
        high = low;
        if (range) {
            r->p++;
            TRY(read_member(r, &d, &single, &high));
            if (!single || high < low) return invalid("invalid character range");
        }
        add_range(r, &d, low, high);
    }
    r->p++;
    ret->kind = PIECE_SET;
    ret->set = keep_set(r, &d, negated, negated && r->tree->options.newline_stops);
    return OK;
}

/* --- pieces ------------------------------------------------------------------------------------ */

static enum status read_branches(struct reader *r, bool inside, struct regex_branch **ret);

static enum status read_number(struct reader *r, int16_t *ret)
{
    *ret = 0;
    while (r->p < r->end && isdigit((unsigned char)*r->p)) {
        if (*ret >= REPEAT_MAX) return invalid("invalid repetition count(s)");
        *ret = (int16_t)(*ret * 10 + (*r->p++ - '0'));
    }
    return *ret > REPEAT_MAX ? invalid("invalid repetition count(s)") : OK;
}

static bool at_quantifier(const struct reader *r)
{
    if (at(r, '{')) return r->p + 1 < r->end && isdigit((unsigned char)r->p[1]);
    return at(r, '*') || at(r, '+') || at(r, '?');
}

/* {m}, {m,}, {m,n}; p behind the brace. */
static enum status read_bounds(struct reader *r, struct regex_piece *ret, bool *ret_fixed)
{
    skip_blanks(r);
    TRY(read_number(r, &ret->min));
    ret->max = ret->min;
    skip_blanks(r);
    *ret_fixed = !at(r, ',');
    if (!*ret_fixed) {
        r->p++;
        skip_blanks(r);
        ret->max = REGEX_MANY;
        if (r->p < r->end && isdigit((unsigned char)*r->p)) TRY(read_number(r, &ret->max));
        if (ret->max < ret->min) return invalid("invalid repetition count(s)");
        skip_blanks(r);
    }
    if (r->p == r->end) return invalid("braces {} not balanced");
    if (!at(r, '}')) return invalid("invalid repetition count(s)");
    r->p++;
    return OK;
}

static enum status read_quantifier(struct reader *r, struct regex_piece *ret)
{
    bool fixed = false;
    char c = *r->p++;
    if (c == '{') {
        TRY(read_bounds(r, ret, &fixed));
    } else {
        ret->min = c == '+';
        ret->max = c == '?' ? 1 : REGEX_MANY;
    }
    bool lazy = at(r, '?');
    if (lazy) r->p++;
    ret->prefer = fixed ? PREFER_NONE : lazy ? PREFER_SHORTEST : PREFER_LONGEST;
    return OK;
}

/* "(…": a group, or what looks around; p behind the parenthesis. *ret_none: a comment. */
static enum status read_group(struct reader *r, struct regex_piece *ret, bool *ret_none)
{
    ret->kind = PIECE_GROUP;
    bool captures = !at(r, '?'), look = false;
    if (at_text(r, "?#")) {
        while (r->p < r->end && *r->p != ')') r->p++;
        if (r->p < r->end) r->p++;
        *ret_none = true;
        return OK;
    }
    if (!captures) {
        r->p++;
        ret->behind = at(r, '<');
        if (ret->behind) r->p++;
        look = at(r, '=') || at(r, '!');
        ret->negative = at(r, '!');
        if (!look && (ret->behind || !at(r, ':'))) return invalid("quantifier operand invalid");
        r->p++;
    }
    if (r->depth == DEPTH_MAX) return REGEX_TOO_COMPLEX();
    uint32_t number = 0;
    if (captures && !r->looks) {
        if (r->tree->groups == REGEX_GROUPS_MAX) return REGEX_TOO_COMPLEX();
        number = ++r->tree->groups;
    }
    r->depth++;
    r->looks += look;
    TRY(read_branches(r, true, &ret->group));
    r->looks -= look;
    r->depth--;
    if (look) {
        ret->kind = PIECE_LOOK;
        if (r->tree->look_count > UINT8_MAX) return REGEX_TOO_COMPLEX();
        ret->look = (uint16_t)r->tree->look_count++;
    }
    ret->capture = (uint16_t)number;
    if (number) r->groups[number].branches = ret->group;
    return OK;
}

static enum status read_backslash(struct reader *r, struct regex_piece *ret)
{
    struct escape e;
    struct set_draft d = {0};
    TRY(read_escape(r, &e));
    switch (e.kind) {
    case ESCAPE_CHAR: ret->set = one_char(r, e.value); return OK;
    case ESCAPE_CLASS:
        d.classes = 1u << e.value;
        ret->set = keep_set(r, &d, false, false);
        return OK;
    case ESCAPE_COMPLEMENT:
        d.complements = 1u << e.value;
        ret->set = keep_set(r, &d, false, false);
        return OK;
    case ESCAPE_CONSTRAINT:
        ret->kind = PIECE_CONSTRAINT;
        ret->constraint = (uint8_t)e.value;
        return OK;
    default: break;
    }
    if (r->looks || e.value == 0 || e.value > r->tree->groups || !r->groups[e.value].branches)
        return invalid("invalid backreference number");
    ret->kind = PIECE_BACK;
    ret->capture = (uint16_t)e.value;
    ret->group = r->groups[e.value].branches;
    return OK;
}

static enum status read_atom(struct reader *r, struct regex_piece *ret, bool *ret_none)
{
    if (at_text(r, "[[:<:]]") || at_text(r, "[[:>:]]")) {
        ret->kind = PIECE_CONSTRAINT;
        ret->constraint = r->p[3] == '<' ? AT_WORD_START : AT_WORD_END;
        r->p += 7;
        return OK;
    }
    struct set_draft all = {0};
    const struct regex_options *o = &r->tree->options;
    char c = *r->p;
    switch (c) {
    case '^':
    case '$':
        r->p++;
        ret->kind = PIECE_CONSTRAINT;
        ret->constraint = c == '^' ? (o->newline_lines ? AT_LINE_START : AT_START)
                                   : o->newline_lines ? AT_LINE_END : AT_END;
        return OK;
    case '.':
        r->p++;
        ret->set = keep_set(r, &all, true, o->newline_stops);
        return OK;
    case '[': r->p++; return read_bracket(r, ret);
    case '(': r->p++; return read_group(r, ret, ret_none);
    case '\\': r->p++; return read_backslash(r, ret);
    default: ret->set = one_char(r, read_char(r)); return OK;
    }
}

static enum status read_branch(struct reader *r, bool inside, struct regex_piece **link)
{
    for (;;) {
        skip_blanks(r);
        if (r->p == r->end || at(r, '|') || (at(r, ')') && inside)) return OK;
        if (at(r, ')')) return invalid("parentheses () not balanced");
        if (at_quantifier(r)) return invalid("quantifier operand invalid");
        struct regex_piece *p = ARENA_NEW(r->arena, struct regex_piece);
        *p = (struct regex_piece){.kind = PIECE_SET, .min = 1, .max = 1};
        bool none = false;
        TRY(read_atom(r, p, &none));
        if (none) continue;
        skip_blanks(r);
        bool constraint = p->kind == PIECE_CONSTRAINT || p->kind == PIECE_LOOK;
        r->tree->has_constraints = r->tree->has_constraints || p->kind == PIECE_CONSTRAINT;
        if (!constraint && at_quantifier(r)) TRY(read_quantifier(r, p));
        *link = p;
        link = &p->next;
    }
}

/* Up to the end, or over the closing parenthesis. */
static enum status read_branches(struct reader *r, bool inside, struct regex_branch **ret)
{
    struct regex_branch **link = ret;
    for (;;) {
        *link = ARENA_NEW(r->arena, struct regex_branch);
        TRY(read_branch(r, inside, &(*link)->first));
        if (!at(r, '|')) break;
        r->p++;
        link = &(*link)->next;
    }
    if (!inside) return OK;
    if (r->p == r->end) return invalid("parentheses () not balanced");
    r->p++;
    return OK;
}

/* "***:", "***=", then "(?xyz)" with letters only. */
static enum status read_prefix(struct reader *r)
{
    struct regex_options *o = &r->tree->options;
    if (at_text(r, "***") && r->end - r->p > 3) {
        char kind = r->p[3];
        if (kind == '?') return invalid("invalid regexp (reg version 0.8)");
        if (kind != '=' && kind != ':') return invalid("quantifier operand invalid");
        r->p += 4;
        if (kind == '=') {
            o->literal = true;
            o->expanded = o->newline_stops = o->newline_lines = false;
            return OK;
        }
    }
    if (r->end - r->p < 3 || !at_text(r, "(?") || !isalpha((unsigned char)r->p[2])) return OK;
    const char *first = r->p + 2, *q = first;
    while (q < r->end && isalpha((unsigned char)*q)) q++;
    TRY(regex__read_options(slice_make(first, (size_t)(q - first)), true, o));
    if (q == r->end || *q != ')') return invalid("invalid embedded option");
    r->p = q + 1;
    return OK;
}

enum status regex__parse(struct slice pattern, struct arena *a, struct regex_tree *t)
{
    struct reader r = {.p = pattern.data, .end = pattern.data + pattern.len, .arena = a, .tree = t};
    if (!t->options.literal) TRY(read_prefix(&r));
    if (!t->options.literal) {
        r.groups = ARENA_ARRAY(a, struct group_ref, REGEX_GROUPS_MAX + 1);
        return read_branches(&r, false, &t->branches);
    }
    t->branches = ARENA_NEW(a, struct regex_branch);
    struct regex_piece **link = &t->branches->first;
    while (r.p < r.end) {
        *link = ARENA_NEW(a, struct regex_piece);
        **link = (struct regex_piece){.kind = PIECE_SET, .min = 1, .max = 1};
        (*link)->set = one_char(&r, read_char(&r));
        link = &(*link)->next;
    }
    return OK;
}
