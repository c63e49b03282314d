/* Money: reading it leniently (signs, brackets, the dollar and commas may stand nearly anywhere), printing
 * it, saying it in words, and its ways to and from numbers. */
#include "types/money.h"

#include "types/numeric.h"
#include "types/value_priv.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static enum status out_of_range(struct slice text)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "value \"%.*s\" is out of range for type money",
                (int)text.len, text.data);
}

/* Blanks and a dollar; the sign and what stands around it. */
static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && value__is_space(*p)) p++;
    return p;
}

static const char *skip_dollar(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    if (p < end && *p == '$') p++;
    return skip_blanks(p, end);
}

/* The digits, with the opposite sign, in cents. */
static bool read_digits(const char **at, const char *end, int64_t *ret)
{
    const char *p = *at;
    int64_t v = 0;
    int decimals = 0;
    bool point = false;
    for (; p < end; p++) {
        if (is_digit(*p) && (!point || decimals < MONEY_DIGITS)) {
            if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *p - '0', &v))
                return false;
            decimals += point;
        } else if (*p == '.' && !point) {
            point = true;
        } else if (*p != ',') {
            break;
        }
    }
    bool up = p < end && is_digit(*p) && *p >= '5';
    if (up && __builtin_sub_overflow(v, 1, &v)) return false;
    for (; decimals < MONEY_DIGITS; decimals++)
        if (__builtin_mul_overflow(v, 10, &v)) return false;
    while (p < end && is_digit(*p)) p++;
    *at = p;
    *ret = v;
    return true;
}

enum status money_from_text(struct slice text, int64_t *ret)
{
    const char *p = text.data, *end = p + text.len;
    bool negative = false;
    int64_t v;
    p = skip_dollar(p, end);
    if (p < end && (*p == '-' || *p == '(' || *p == '+')) negative = *p++ != '+';
    p = skip_dollar(p, end);
    if (!read_digits(&p, end, &v)) return out_of_range(text);
    for (; p < end; p++) {
        if (*p == '-') negative = true;
        else if (!value__is_space(*p) && *p != ')' && *p != '+' && *p != '$')
            return FAIL(INVALID_TEXT_REPRESENTATION,
                        "invalid input syntax for type money: \"%.*s\"", (int)text.len, text.data);
    }
    if (!negative && __builtin_sub_overflow(0, v, &v)) return out_of_range(text);
    *ret = v;
    return OK;
}

void money_to_text(int64_t cents, struct strbuf *out)
{
    uint64_t n = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    char digits[24];
    int len = 0;
    uint64_t whole = n / MONEY_UNIT;
    do {
        digits[len++] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole);
    strbuf_adds(out, cents < 0 ? "-$" : "$");
    while (len--) {
        strbuf_addc(out, digits[len]);
        if (len && len % 3 == 0) strbuf_addc(out, ',');
    }
    strbuf_addf(out, ".%02u", (unsigned)(n % MONEY_UNIT));
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *const small_words[] = {
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen"};
static const char *const ten_words[] = {"",      "",      "twenty",  "thirty", "forty",
                                        "fifty", "sixty", "seventy", "eighty", "ninety"};

/* Below 1000; "and" stands where a hundred ends in a small number. */
static void add_hundreds(unsigned n, struct strbuf *out)
{
    unsigned rest = n % 100;
    if (n > 99 && rest == 0) {
        strbuf_addf(out, "%s hundred", small_words[n / 100]);
        return;
    }
    if (n > 99) strbuf_addf(out, "%s hundred ", small_words[n / 100]);
    if (rest < 20) {
        strbuf_addf(out, n > 99 ? "and %s" : "%s", small_words[rest]);
        return;
    }
    strbuf_adds(out, ten_words[rest / 10]);
    if (rest % 10) strbuf_addf(out, " %s", small_words[rest % 10]);
}

void money_words(int64_t cents, struct strbuf *out)
{
    static const char *const units[] = {" quadrillion ", " trillion ", " billion ", " million ",
                                        " thousand "};
    uint64_t n = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents, whole = n / MONEY_UNIT;
    uint64_t unit = 1000000000000000ull;
    size_t start = out->len;
    strbuf_adds(out, cents < 0 ? "minus " : "");
    for (int i = 0; i < 5; i++, unit /= 1000) {
        unsigned part = (unsigned)(whole / unit % 1000);
        if (!part) continue;
        add_hundreds(part, out);
        strbuf_adds(out, units[i]);
    }
    if (whole % 1000) add_hundreds((unsigned)(whole % 1000), out);
    if (whole == 0) strbuf_adds(out, "zero");
    strbuf_adds(out, whole == 1 ? " dollar and " : " dollars and ");
    add_hundreds((unsigned)(n % MONEY_UNIT), out);
    strbuf_adds(out, n % MONEY_UNIT == 1 ? " cent" : " cents");
    out->data[start] = (char)(out->data[start] - 32); /* all words are in lower case */
}

/* --- numbers ---------------------------------------------------------------------------------- */

enum status money_of_int(int64_t n, int64_t *ret)
{
    if (__builtin_mul_overflow(n, MONEY_UNIT, ret))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    return OK;
}

enum status money_of_numeric(const struct numeric *n, struct arena *a, int64_t *ret)
{
    struct numeric unit = numeric_small(MONEY_UNIT, 0), cents;
    if (n->kind == NUMERIC_NAN)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert NaN to bigint");
    if (n->kind == NUMERIC_PINF || n->kind == NUMERIC_NINF)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot convert infinity to bigint");
    TRY(numeric_mul(a, n, &unit, &cents));
    if (numeric_to_i64(&cents, ret) != OK)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    return OK;
}

struct numeric money_to_numeric(int64_t cents, struct arena *a)
{
    struct numeric whole = numeric_from_i64(a, cents / MONEY_UNIT), sum;
    struct numeric part = numeric_small(cents % MONEY_UNIT, MONEY_DIGITS);
    if (numeric_add(a, &whole, &part, &sum) != OK) UNREACHABLE();
    return sum;
}
