/* to_number: walks the pattern and the text side by side, gathering a sign and digits, which are
 * then read as a numeric(p, s) of the pattern's places. What does not fit is skipped, not refused.
 * */
#include "exec/functions/number_pattern_priv.h"

#include "types/numeric.h"

struct reader {
    struct number_format f;
    const char *p, *end;   /* what is left of the text */
    struct strbuf digits;
    char sign;             /* ' ' while none was met */
    int pre, post;         /* digits read */
    bool point;
};

static bool at_end(const struct reader *r) { return r->p >= r->end; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_sign(char c) { return c == '-' || c == '+'; }

static void skip_character(struct reader *r)
{
    if (!at_end(r)) r->p++;
    while (!at_end(r) && ((unsigned char)*r->p & 0xc0) == 0x80) r->p++;
}

/* Stands for a keyword that the text does not hold: takes a character that can be no part of the
 * number. */
static void skip_other(struct reader *r)
{
    if (!at_end(r) && !strchr("0123456789.,+-", *r->p)) skip_character(r);
}

static void read_sign_before(struct reader *r)
{
    bool brackets = r->f.bracket && *r->p == '<';
    if (r->f.sign && r->f.sign_place == SIGN_BEFORE) brackets = false;
    if (!is_sign(*r->p) && !brackets) return;
    r->sign = brackets ? '-' : *r->p;
    r->p++;
}

/* True when a character was taken but for the last step, which the caller makes. */
static bool read_character(struct reader *r, bool *ret_full)
{
    *ret_full = false;
    if (is_digit(*r->p)) {
        *ret_full = r->point && r->post == r->f.post;
        if (*ret_full) return false;
        strbuf_addc(&r->digits, *r->p);
        if (r->point)
            r->post++;
        else
            r->pre++;
        return true;
    }
    if (!r->f.decimal || r->point || *r->p != '.') return false;
    strbuf_addc(&r->digits, '.');
    r->point = true;
    return true;
}

/* S stands right behind the last digit; PL, MI and SG may stand where a digit was expected. */
static void read_sign_after(struct reader *r, bool was_read)
{
    if (r->f.sign && was_read && r->p + 1 < r->end && !is_digit(r->p[1])) {
        if (!is_sign(r->p[1])) return;
        r->p++;
        r->sign = *r->p;
    } else if (!was_read && !r->f.sign && (r->f.plus || r->f.minus) && is_sign(*r->p)) {
        r->sign = *r->p;
    }
}

static void read_place(struct reader *r, enum number_key key)
{
    bool full;
    if (at_end(r)) return;
    if (*r->p == ' ') r->p++;
    if (at_end(r)) return;
    bool digit = key == NUMBER_ZERO || key == NUMBER_NINE;
    if (r->sign == ' ' && digit && r->pre + r->post == 0) read_sign_before(r);
    if (at_end(r)) return;
    bool was_read = read_character(r, &full);
    if (full || at_end(r)) return;
    if (r->sign == ' ' && r->pre + r->post > 0) read_sign_after(r, was_read);
}

/* True when the text's next character belongs to the keyword and is to be passed. */
static bool read_node(struct reader *r, const struct number_node *n)
{
    switch (n->key) {
    case NUMBER_NINE:
    case NUMBER_ZERO:
    case NUMBER_POINT:
    case NUMBER_D:
        read_place(r, n->key);
        return true;
    case NUMBER_COMMA:
    case NUMBER_G:
        return *r->p == ',' && !r->f.fill;
    case NUMBER_TH:
        if (r->f.decimal) return false;
        skip_other(r);
        skip_other(r);
        return false;
    case NUMBER_MI:
        if (*r->p == '-') {
            r->sign = '-';
            return true;
        }
        skip_other(r);
        return false;
    case NUMBER_PL:
        if (*r->p == '+') {
            r->sign = '+';
            return true;
        }
        skip_other(r);
        return false;
    case NUMBER_SG:
        if (is_sign(*r->p)) {
            r->sign = *r->p;
            return true;
        }
        skip_other(r);
        return false;
    case NUMBER_L:
        skip_other(r);
        return false;
    case NUMBER_LITERAL:
        skip_character(r);
        return false;
    default:
        return false;
    }
}

static void read_text(struct reader *r)
{
    struct number_scan s = {.rest = r->f.text};
    struct number_node node;
    while (!at_end(r) && number__next(&s, &node))
        if (read_node(r, &node)) r->p++;
}

NUMBER_FN(to_number)
{
    (void)n;
    struct reader r = {.sign = ' '};
    struct slice text = bytes_slice(&args[0].v.bytes);
    TRY(number__describe(bytes_slice(&args[1].v.bytes), &r.f));
    if (r.f.text.len == 0) return ret_null(ret);
    if (r.f.exponent) return FAIL(FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input");
    if (r.f.roman) return FAIL(FEATURE_NOT_SUPPORTED, "\"RN\" not supported for input");
    r.p = text.data;
    r.end = text.data + text.len;
    strbuf_init(&r.digits, c->arena);
    strbuf_addc(&r.digits, ' ');
    read_text(&r);
    r.digits.data[0] = r.sign;
    if (r.digits.data[r.digits.len - 1] == '.') r.digits.len--;
    int32_t precision = r.f.pre + r.f.multi + r.post;
    int32_t typmod = ((precision << 16) | r.post) + 4;
    TRY(numeric_from_text(strbuf_slice(&r.digits), typmod, c->arena, &ret->v.numeric));
    if (!r.f.multiply) return OK;
    struct numeric ten = numeric_small(10, 0), shift = numeric_small(-r.f.multi, 0), by;
    TRY(numeric_power(c->arena, &ten, &shift, &by));
    return numeric_mul(c->arena, &ret->v.numeric, &by, &ret->v.numeric);
}
