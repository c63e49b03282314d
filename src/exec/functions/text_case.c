/* Upper and lower case of Latin, Greek, Cyrillic and Armenian letters: one code point to one, as
 * PostgreSQL has it with the locale C.UTF-8, so that "ß" stays what it is.
 *
 * The rules are ranges rather than the C library's tables, which need a locale to be installed and
 * differ between systems, while an index over lower(x) must mean the same everywhere. */
#include "exec/functions/text_priv.h"

/* Code points from first to last, a capital each `stride`; its small letter lies at + delta. */
struct case_range {
    uint32_t first, last;
    int32_t delta;
    uint32_t stride;
};
static const struct case_range case_ranges[] = {
    {'A', 'Z', 32, 1},         {0xc0, 0xd6, 32, 1},       {0xd8, 0xde, 32, 1},
    {0x100, 0x12e, 1, 2},      {0x132, 0x136, 1, 2},      {0x139, 0x147, 1, 2},
    {0x14a, 0x176, 1, 2},      {0x178, 0x178, -121, 1},   {0x179, 0x17d, 1, 2},
    {0x181, 0x181, 210, 1},    {0x182, 0x184, 1, 2},      {0x186, 0x186, 206, 1},
    {0x187, 0x187, 1, 1},      {0x189, 0x18a, 205, 1},    {0x18b, 0x18b, 1, 1},
    {0x18e, 0x18e, 79, 1},     {0x18f, 0x18f, 202, 1},    {0x190, 0x190, 203, 1},
    {0x191, 0x191, 1, 1},      {0x193, 0x193, 205, 1},    {0x194, 0x194, 207, 1},
    {0x196, 0x196, 211, 1},    {0x197, 0x197, 209, 1},    {0x198, 0x198, 1, 1},
    {0x19c, 0x19c, 211, 1},    {0x19d, 0x19d, 213, 1},    {0x19f, 0x19f, 214, 1},
    {0x1a0, 0x1a4, 1, 2},      {0x1a7, 0x1a7, 1, 1},      {0x1a9, 0x1a9, 218, 1},
    {0x1ac, 0x1ac, 1, 1},      {0x1ae, 0x1ae, 218, 1},    {0x1af, 0x1af, 1, 1},
    {0x1b1, 0x1b2, 217, 1},    {0x1b3, 0x1b5, 1, 2},      {0x1b7, 0x1b7, 219, 1},
    {0x1b8, 0x1b8, 1, 1},      {0x1bc, 0x1bc, 1, 1},      {0x1cd, 0x1db, 1, 2},
    {0x1de, 0x1ee, 1, 2},      {0x1f4, 0x1f4, 1, 1},      {0x1f8, 0x21e, 1, 2},
    {0x222, 0x232, 1, 2},      {0x246, 0x24e, 1, 2},      {0x370, 0x372, 1, 2},
    {0x376, 0x376, 1, 1},      {0x386, 0x386, 38, 1},     {0x388, 0x38a, 37, 1},
    {0x38c, 0x38c, 64, 1},     {0x38e, 0x38f, 63, 1},     {0x391, 0x3a1, 32, 1},
    {0x3a3, 0x3ab, 32, 1},     {0x3d8, 0x3ee, 1, 2},      {0x400, 0x40f, 80, 1},
    {0x410, 0x42f, 32, 1},     {0x460, 0x480, 1, 2},      {0x48a, 0x4be, 1, 2},
    {0x4c0, 0x4c0, 15, 1},     {0x4c1, 0x4cd, 1, 2},      {0x4d0, 0x52e, 1, 2},
    {0x531, 0x556, 48, 1},     {0x1e00, 0x1e94, 1, 2},    {0x1ea0, 0x1efe, 1, 2},
    {0x1f08, 0x1f0f, -8, 1},   {0x1f18, 0x1f1d, -8, 1},   {0x1f28, 0x1f2f, -8, 1},
    {0x1f38, 0x1f3f, -8, 1},   {0x1f48, 0x1f4d, -8, 1},   {0x1f59, 0x1f5f, -8, 2},
    {0x1f68, 0x1f6f, -8, 1},   {0x2160, 0x216f, 16, 1},   {0x24b6, 0x24cf, 26, 1},
    {0xff21, 0xff3a, 32, 1},   {0x10400, 0x10427, 40, 1},
};
enum { CASE_RANGES = sizeof case_ranges / sizeof case_ranges[0] };

static uint32_t to_lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c == 0x130) return 'i';
    if (c == 0x1e9e) return 0xdf;
    for (uint32_t i = 1; i < CASE_RANGES; i++) {
        const struct case_range *r = &case_ranges[i];
        if (c >= r->first && c <= r->last)
            return (c - r->first) % r->stride ? c : (uint32_t)((int32_t)c + r->delta);
    }
    return c;
}

static uint32_t to_upper(uint32_t c)
{
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c == 0xb5) return 0x39c;
    if (c == 0x131) return 'I';
    if (c == 0x17f) return 'S';
    if (c == 0x3c2) return 0x3a3;
    for (uint32_t i = 1; i < CASE_RANGES; i++) {
        const struct case_range *r = &case_ranges[i];
        uint32_t capital = (uint32_t)((int32_t)c - r->delta);
        if (capital >= r->first && capital <= r->last && (capital - r->first) % r->stride == 0)
            return capital;
    }
    return c;
}

/* A letter or a digit, for initcap's words: all beyond ASCII that is not a sign or a space. */
static bool in_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c < 0xc0) return c == 0xaa || c == 0xb5 || c == 0xba;
    if (c == 0xd7 || c == 0xf7) return false;
    if (c >= 0x2000 && c <= 0x2bff) return (c >= 0x2160 && c <= 0x2188) || c == 0x2071;
    if (c >= 0x3000 && c <= 0x3004) return false;
    if (c >= 0x3008 && c <= 0x3020) return false;
    if (c >= 0xff01 && c <= 0xff0f) return false;
    return !(c >= 0x1f000 && c <= 0x1faff);
}

enum case_form { FORM_LOWER, FORM_UPPER, FORM_TITLE };

static enum status change(struct call_ctx *c, const struct datum *args, enum case_form form,
                          struct datum *ret)
{
    struct slice s = arg_slice(args, 0);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_reserve(&b, s.len);
    bool inside = false;
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = utf8_len(p, end);
        uint32_t code = utf8__decode(p, len);
        bool upper = form == FORM_UPPER || (form == FORM_TITLE && !inside);
        uint32_t changed = upper ? to_upper(code) : to_lower(code);
        if (form == FORM_TITLE) inside = in_word(code);
        if (changed == code)
            strbuf_add(&b, p, len);
        else
            utf8__add(&b, changed);
        p += len;
    }
    return text__ret(&b, ret);
}

SCALAR(text__lower) { return change(c, args, FORM_LOWER, ret); }
SCALAR(text__upper) { return change(c, args, FORM_UPPER, ret); }
SCALAR(text__initcap) { return change(c, args, FORM_TITLE, ret); }
