/* Cuts a to_char pattern into keywords and literal bytes. A keyword is written in upper or lower
 * case throughout, names also with a capital; FM and TM stand before one, TH and SP behind it. What
 * is no keyword is literal, as is everything in double quotes. */
#include "exec/functions/pattern_priv.h"

struct keyword {
    const char *upper;
    enum pattern_key key;
};

/* A longer keyword stands before its own beginnings. */
static const struct keyword keywords[] = {
    {"A.D.", KEY_AD_DOTS}, {"A.M.", KEY_AM_DOTS}, {"AD", KEY_AD},       {"AM", KEY_AM},
    {"B.C.", KEY_AD_DOTS}, {"BC", KEY_AD},        {"CC", KEY_CC},       {"DAY", KEY_DAY},
    {"DDD", KEY_DDD},      {"DD", KEY_DD},        {"DY", KEY_DY},       {"D", KEY_D},
    {"FF1", KEY_FF1},      {"FF2", KEY_FF2},      {"FF3", KEY_FF3},     {"FF4", KEY_FF4},
    {"FF5", KEY_FF5},      {"FF6", KEY_FF6},      {"FX", KEY_FX},       {"HH24", KEY_HH24},
    {"HH12", KEY_HH12},    {"HH", KEY_HH12},      {"IDDD", KEY_IDDD},   {"ID", KEY_ID},
    {"IW", KEY_IW},        {"IYYY", KEY_IYYY},    {"IYY", KEY_IYY},     {"IY", KEY_IY},
    {"I", KEY_I},          {"J", KEY_J},          {"MI", KEY_MI},       {"MM", KEY_MM},
    {"MONTH", KEY_MONTH},  {"MON", KEY_MON},      {"MS", KEY_MS},       {"OF", KEY_OF},
    {"P.M.", KEY_AM_DOTS}, {"PM", KEY_AM},        {"Q", KEY_Q},         {"RM", KEY_RM},
    {"SSSSS", KEY_SSSS},   {"SSSS", KEY_SSSS},    {"SS", KEY_SS},       {"TZH", KEY_TZH},
    {"TZM", KEY_TZM},      {"TZ", KEY_TZ},        {"US", KEY_US},       {"WW", KEY_WW},
    {"W", KEY_W},          {"Y,YYY", KEY_Y_YYY},  {"YYYY", KEY_YYYY},   {"YYY", KEY_YYY},
    {"YY", KEY_YY},        {"Y", KEY_Y},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool has_title_form(enum pattern_key key)
{
    return key == KEY_DAY || key == KEY_DY || key == KEY_MONTH || key == KEY_MON;
}

/* In one of the cases a keyword may have. */
static bool matches(struct slice s, const char *upper, bool title_too, enum pattern_case *ret)
{
    size_t len = strlen(upper);
    if (s.len < len) return false;
    bool all_upper = true, all_lower = true, title = title_too;
    for (size_t i = 0; i < len; i++) {
        char up = upper[i], low = lower(up), c = s.data[i];
        all_upper = all_upper && c == up;
        all_lower = all_lower && c == low;
        title = title && c == (i ? low : up);
    }
    if (!all_upper && !all_lower && !title) return false;
    *ret = all_upper ? CASE_UPPER : all_lower ? CASE_LOWER : CASE_TITLE;
    return true;
}

static void skip(struct pattern *p, size_t n)
{
    p->rest = slice_make(p->rest.data + n, p->rest.len - n);
}

static bool take(struct pattern *p, const char *upper, enum pattern_case *ret)
{
    if (!matches(p->rest, upper, false, ret)) return false;
    skip(p, strlen(upper));
    return true;
}

static bool take_keyword(struct pattern *p, struct pattern_node *node)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        const struct keyword *k = &keywords[i];
        if (!matches(p->rest, k->upper, has_title_form(k->key), &node->letters)) continue;
        node->key = k->key;
        node->word = slice_make(p->rest.data, strlen(k->upper));
        skip(p, strlen(k->upper));
        return true;
    }
    return false;
}

bool pattern__next(struct pattern *p, struct pattern_node *ret)
{
    enum pattern_case letters;
    memset(ret, 0, sizeof *ret);
    for (;;) { /* FM holds for what follows, over quotes too */
        if (p->rest.len && *p->rest.data == '"') {
            p->in_quotes = !p->in_quotes;
            skip(p, 1);
        } else if (!p->in_quotes && (take(p, "FM", &letters) || take(p, "TM", &letters))) {
            ret->fill = true;
        } else {
            break;
        }
    }
    if (!p->rest.len) return false;
    if (!p->in_quotes && take_keyword(p, ret)) {
        if (take(p, "TH", &letters)) ret->ordinal = letters == CASE_UPPER ? 'T' : 't';
        else (void)take(p, "SP", &letters);
        return true;
    }
    ret->quoted = p->in_quotes;
    bool escape = *p->rest.data == '\\' && p->rest.len > 1 &&
                  (p->in_quotes || p->rest.data[1] == '"');
    if (escape) skip(p, 1);
    ret->literal = *p->rest.data;
    skip(p, 1);
    return true;
}
