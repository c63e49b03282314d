/* Sets of characters: ranges and classes, by the character database of Unicode as glibc's locale C.UTF-8 has it. */
#include "types/regex_priv.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

static const char *const names[REGEX_CLASSES] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                                 "lower", "print", "punct", "space", "upper", "xdigit", "word"};

bool regex__class_named(struct slice name, enum regex_class *ret)
{
    for (int i = 0; i < REGEX_CLASSES; i++) {
        if (!slice_eq(name, slice_of(names[i]))) continue;
        *ret = (enum regex_class)i;
        return true;
    }
    return false;
}

/* Digits of other scripts are letters there, as C wants ten digits and no more. */
static bool is_alpha(UChar32 c)
{
    return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || (c > 127 && u_charType(c) == U_DECIMAL_DIGIT_NUMBER);
}

static bool is_digit(UChar32 c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(UChar32 c)
{
    if (c < 128) return c == ' ' || (c >= 9 && c <= 13);
    int8_t t = u_charType(c);
    bool no_break = c == 0xa0 || c == 0x2007 || c == 0x202f;
    return (t == U_SPACE_SEPARATOR || t == U_LINE_SEPARATOR || t == U_PARAGRAPH_SEPARATOR) && !no_break;
}

static bool is_control(UChar32 c)
{
    int8_t t = u_charType(c);
    return t == U_CONTROL_CHAR || t == U_LINE_SEPARATOR || t == U_PARAGRAPH_SEPARATOR;
}

static bool is_assigned(UChar32 c)
{
    int8_t t = u_charType(c);
    return t != U_UNASSIGNED && t != U_SURROGATE;
}

static bool is_graph(UChar32 c)
{
    return is_assigned(c) && !is_control(c) && !is_space(c);
}

static bool in_class(enum regex_class k, UChar32 c)
{
    switch (k) {
    case CLASS_ALNUM: return is_alpha(c) || is_digit(c);
    case CLASS_ALPHA: return is_alpha(c);
    case CLASS_ASCII: return c < 128;
    case CLASS_BLANK: return c == ' ' || c == '\t' || (c > 127 && is_space(c) && u_charType(c) == U_SPACE_SEPARATOR);
    case CLASS_CNTRL: return is_control(c);
    case CLASS_DIGIT: return is_digit(c);
    case CLASS_GRAPH: return is_graph(c);
    case CLASS_LOWER: return u_hasBinaryProperty(c, UCHAR_LOWERCASE);
    case CLASS_PRINT: return is_graph(c) || (is_space(c) && !is_control(c));
    case CLASS_PUNCT: return is_graph(c) && !is_alpha(c) && !is_digit(c);
    case CLASS_SPACE: return is_space(c);
    case CLASS_UPPER: return u_hasBinaryProperty(c, UCHAR_UPPERCASE);
    case CLASS_XDIGIT: return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    case CLASS_WORD: return is_alpha(c) || is_digit(c) || c == '_';
    case REGEX_CLASSES: break;
    }
    return false;
}

static bool has_case(const struct regex_set *s, uint32_t c)
{
    for (uint32_t i = 0; i < s->range_count; i++)
        if (c >= s->ranges[i].low && c <= s->ranges[i].high) return true;
    return false;
}

bool regex__set_has(const struct regex_set *s, uint32_t c)
{
    UChar32 u = (UChar32)c;
    bool in = has_case(s, c);
    if (!in && s->ignore_case) in = has_case(s, (uint32_t)u_tolower(u)) || has_case(s, (uint32_t)u_toupper(u));
    for (int k = 0; k < REGEX_CLASSES && !in; k++) {
        if (s->classes >> k & 1) in = in_class((enum regex_class)k, u);
        if (!in && s->complements >> k & 1) in = !in_class((enum regex_class)k, u);
    }
    if (s->no_newline && c == '\n') return false;
    return in != s->negated;
}

static uint32_t next_char(const char *p, size_t len, size_t *ret_len)
{
    int32_t i = 0;
    UChar32 c;
    U8_NEXT((const uint8_t *)p, i, (int32_t)len, c);
    *ret_len = (size_t)i;
    return c < 0 ? 0xfffd : (uint32_t)c;
}

int64_t regex__same_folded(struct slice a, struct slice b)
{
    size_t i = 0, j = 0, n, m;
    for (; i < a.len; i += n, j += m) {
        if (j == b.len) return -1;
        UChar32 x = (UChar32)next_char(a.data + i, a.len - i, &n);
        UChar32 y = (UChar32)next_char(b.data + j, b.len - j, &m);
        if (x != y && u_tolower(x) != u_tolower(y)) return -1;
    }
    return (int64_t)j;
}
