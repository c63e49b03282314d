/* LIKE: % for any string, _ for one character, an escape character for themselves.
 *
 * One pass with one place to come back to: when a match fails, only the last % can help by taking
 * one character more, since what an earlier % could give the last one can take too. So time is
 * bounded by the product of the lengths and there is no recursion. Bytes are compared as they are,
 * except that _ and % step over whole UTF-8 characters, and ILIKE folds characters first.
 *
 * Patterns of text and % alone need no characters: one text of UTF-8 is found in another only where a
 * character begins. Each part is sought where the one before it ended. */
#include "types/pattern.h"

/* Code points whose case differs by one from the letter beside them: Latin Extended-A and its like,
 * where an even or an odd number is the capital. */
static uint32_t fold_pair(uint32_t c)
{
    bool even_capital = (c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) ||
                        (c >= 0x1de && c <= 0x1ef) || (c >= 0x1f8 && c <= 0x21f) ||
                        (c >= 0x222 && c <= 0x233) || (c >= 0x460 && c <= 0x481) ||
                        (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) ||
                        (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff);
    bool odd_capital = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) ||
                       (c >= 0x4c1 && c <= 0x4ce);
    if (c == 0x130 || c == 0x131) return c;
    if (even_capital) return c | 1;
    return odd_capital ? c + (c & 1) : c;
}

/* Lower case of the alphabets that have one rule: Latin, Greek, Cyrillic, Armenian. */
static uint32_t fold(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xc0 && c <= 0xde) return c == 0xd7 ? c : c + 32;
    if (c == 0x178) return 0xff;
    if (c == 0x386) return 0x3ac;
    if (c >= 0x388 && c <= 0x38a) return c + 37;
    if (c == 0x38c) return 0x3cc;
    if (c == 0x38e || c == 0x38f) return c + 63;
    if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c >= 0x410 && c <= 0x42f) return c + 32;
    if (c >= 0x531 && c <= 0x556) return c + 48;
    return fold_pair(c);
}

static size_t char_len(const char *p, const char *end)
{
    uint8_t b = (uint8_t)*p;
    size_t n = b < 0xc0 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    return n <= (size_t)(end - p) ? n : (size_t)(end - p);
}

static uint32_t decode(const char *p, size_t len)
{
    static const uint8_t lead_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)p[0] & lead_mask[len];
    if (len == 1) return (uint8_t)p[0];
    for (size_t i = 1; i < len; i++) c = c << 6 | ((uint8_t)p[i] & 0x3f);
    return c;
}

/* One character of each; both have one. The lengths are those of their own. */
static bool same_char(const char *s, size_t s_len, const char *p, size_t p_len, bool ignore_case)
{
    if (!ignore_case) return s_len == p_len && memcmp(s, p, s_len) == 0;
    return fold(decode(s, s_len)) == fold(decode(p, p_len));
}

static enum status trailing_escape(void)
{
    return FAIL(INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character");
}

struct cursor {
    const char *s, *s_end, *p, *p_end;
};

enum step { STEP_MATCH, STEP_FAIL, STEP_PERCENT };

/* Takes one element of the pattern, which has one, against the string. */
static enum status step(struct cursor *c, char escape, bool ignore_case, enum step *ret)
{
    bool literal = false;
    /* where the string is used up PostgreSQL does not look at the escape either */
    if (escape && *c->p == escape && c->s < c->s_end) {
        if (c->p + 1 == c->p_end) return trailing_escape();
        c->p++;
        literal = true;
    }
    *ret = STEP_FAIL;
    if (!literal && *c->p == '%') {
        c->p++;
        *ret = STEP_PERCENT;
        return OK;
    }
    if (c->s == c->s_end) return OK;
    size_t s_len = char_len(c->s, c->s_end), p_len = char_len(c->p, c->p_end);
    bool any = !literal && *c->p == '_';
    if (!any && !same_char(c->s, s_len, c->p, p_len, ignore_case)) return OK;
    c->s += s_len;
    c->p += p_len;
    *ret = STEP_MATCH;
    return OK;
}

enum status like_match(struct slice s, struct slice pattern, char escape, bool ignore_case,
                       bool *ret)
{
    struct cursor c = {s.data, s.data + s.len, pattern.data, pattern.data + pattern.len};
    struct cursor back = {0}; /* behind the last %: where to try again */
    bool have_back = false;
    while (c.p < c.p_end || c.s < c.s_end) {
        enum step r = STEP_FAIL;
        if (c.p < c.p_end) TRY(step(&c, escape, ignore_case, &r));
        if (r == STEP_PERCENT) {
            if (c.p == c.p_end) break; /* takes the rest */
            back = c;
            have_back = true;
        } else if (r == STEP_FAIL) {
            if (!have_back || back.s == back.s_end) {
                *ret = false;
                return OK;
            }
            back.s += char_len(back.s, back.s_end);
            c = back;
        }
    }
    *ret = true;
    return OK;
}

/* --- text and % alone ------------------------------------------------------------------------ */

bool like_split(struct slice pattern, char escape, struct like_parts *ret)
{
    const char *from = pattern.data, *end = pattern.data + pattern.len;
    *ret = (struct like_parts){0};
    if (!pattern.len) return false;
    for (const char *p = from; p < end; p++)
        if (*p == '_' || (escape && *p == escape)) return false;
    ret->open_start = *from == '%';
    ret->open_end = end[-1] == '%';
    while (from < end) {
        const char *to = memchr(from, '%', (size_t)(end - from));
        if (!to) to = end;
        if (to > from) {
            if (ret->count == LIKE_PARTS_MAX) return false;
            ret->parts[ret->count++] = slice_make(from, (size_t)(to - from));
            ret->least += (size_t)(to - from);
        }
        from = to + 1;
    }
    return true;
}

typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));

enum { LANES = sizeof(lanes) };

static lanes load_lanes(const char *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Among the LANES places from `at` on, whose bytes are all there. */
static const char *find_near(const char *at, struct slice part, lanes first, lanes last)
{
    words hits = (words)((load_lanes(at) == first) & (load_lanes(at + part.len - 1) == last));
    for (uint32_t w = 0; w < 2; w++)
        for (uint64_t rest = hits[w]; rest;) {
            uint32_t byte = (uint32_t)__builtin_ctzll(rest) / 8;
            const char *p = at + w * 8 + byte;
            if (memcmp(p, part.data, part.len) == 0) return p;
            rest &= ~(0xffull << byte * 8);
        }
    return NULL;
}

/* The first and the last byte of the part are compared at many places at once. */
static const char *find(const char *at, const char *end, struct slice part)
{
    size_t reach = part.len - 1 + LANES;
    if ((size_t)(end - at) >= reach) {
        lanes first = (lanes){0} + (uint8_t)part.data[0];
        lanes last = (lanes){0} + (uint8_t)part.data[part.len - 1];
        for (;; at += LANES) {
            if ((size_t)(end - at) < reach) at = end - reach; /* some places for the second time */
            const char *p = find_near(at, part, first, last);
            if (p || at == end - reach) return p;
        }
    }
    for (; (size_t)(end - at) >= part.len; at++)
        if (*at == part.data[0] && memcmp(at, part.data, part.len) == 0) return at;
    return NULL;
}

bool like_parts_match(const struct like_parts *p, struct slice s)
{
    const char *at = s.data, *end = s.data + s.len;
    uint32_t i = 0, n = p->count;
    if (s.len < p->least) return false;
    if (!p->open_start && !p->open_end && n == 1) return slice_eq(s, p->parts[0]);
    if (!p->open_start) {
        if (memcmp(at, p->parts[0].data, p->parts[0].len) != 0) return false;
        at += p->parts[i++].len;
    }
    if (!p->open_end) {
        end -= p->parts[--n].len;
        if (memcmp(end, p->parts[n].data, p->parts[n].len) != 0) return false;
    }
    for (; i < n; i++) {
        at = find(at, end, p->parts[i]);
        if (!at) return false;
        at += p->parts[i].len;
    }
    return true;
}
