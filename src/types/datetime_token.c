/* The words of dates, of intervals' units and of EXTRACT. Both tables are sorted for binary search.
 * Words of more than ten letters compare by their first ten: what PostgreSQL does, so that every
 * spelling of "microseconds" is one entry. */
#include "types/datetime_priv.h"

enum { WORD_COMPARED_MAX = 10 };

static const struct token date_words[] = {
    {"-infinity", TOKEN_EARLY, 0},
    {"ad", TOKEN_ERA, 0},
    {"allballs", TOKEN_MIDNIGHT_UTC, 0},
    {"am", TOKEN_MERIDIAN, 0},
    {"apr", TOKEN_MONTH, 4},
    {"april", TOKEN_MONTH, 4},
    {"at", TOKEN_IGNORE, 0},
    {"aug", TOKEN_MONTH, 8},
    {"august", TOKEN_MONTH, 8},
    {"bc", TOKEN_ERA, 1},
    {"d", TOKEN_FIELD, UNIT_DAY},
    {"dec", TOKEN_MONTH, 12},
    {"december", TOKEN_MONTH, 12},
    {"dow", TOKEN_FIELD, UNIT_DOW},
    {"doy", TOKEN_FIELD, UNIT_DOY},
    {"dst", TOKEN_DST, 0},
    {"epoch", TOKEN_EPOCH, 0},
    {"feb", TOKEN_MONTH, 2},
    {"february", TOKEN_MONTH, 2},
    {"fri", TOKEN_WEEKDAY, 5},
    {"friday", TOKEN_WEEKDAY, 5},
    {"h", TOKEN_FIELD, UNIT_HOUR},
    {"infinity", TOKEN_LATE, 0},
    {"isodow", TOKEN_FIELD, UNIT_ISODOW},
    {"isoyear", TOKEN_FIELD, UNIT_ISOYEAR},
    {"j", TOKEN_JULIAN, 0},
    {"jan", TOKEN_MONTH, 1},
    {"january", TOKEN_MONTH, 1},
    {"jd", TOKEN_JULIAN, 0},
    {"jul", TOKEN_MONTH, 7},
    {"julian", TOKEN_JULIAN, 0},
    {"july", TOKEN_MONTH, 7},
    {"jun", TOKEN_MONTH, 6},
    {"june", TOKEN_MONTH, 6},
    {"m", TOKEN_FIELD, UNIT_MONTH},
    {"mar", TOKEN_MONTH, 3},
    {"march", TOKEN_MONTH, 3},
    {"may", TOKEN_MONTH, 5},
    {"mm", TOKEN_FIELD, UNIT_MINUTE},
    {"mon", TOKEN_WEEKDAY, 1},
    {"monday", TOKEN_WEEKDAY, 1},
    {"nov", TOKEN_MONTH, 11},
    {"november", TOKEN_MONTH, 11},
    {"now", TOKEN_NOW, 0},
    {"oct", TOKEN_MONTH, 10},
    {"october", TOKEN_MONTH, 10},
    {"on", TOKEN_IGNORE, 0},
    {"pm", TOKEN_MERIDIAN, 1},
    {"s", TOKEN_FIELD, UNIT_SECOND},
    {"sat", TOKEN_WEEKDAY, 6},
    {"saturday", TOKEN_WEEKDAY, 6},
    {"sep", TOKEN_MONTH, 9},
    {"sept", TOKEN_MONTH, 9},
    {"september", TOKEN_MONTH, 9},
    {"sun", TOKEN_WEEKDAY, 0},
    {"sunday", TOKEN_WEEKDAY, 0},
    {"t", TOKEN_TIME_FOLLOWS, 0},
    {"thu", TOKEN_WEEKDAY, 4},
    {"thur", TOKEN_WEEKDAY, 4},
    {"thurs", TOKEN_WEEKDAY, 4},
    {"thursday", TOKEN_WEEKDAY, 4},
    {"today", TOKEN_DAY_OFFSET, 0},
    {"tomorrow", TOKEN_DAY_OFFSET, 1},
    {"tue", TOKEN_WEEKDAY, 2},
    {"tues", TOKEN_WEEKDAY, 2},
    {"tuesday", TOKEN_WEEKDAY, 2},
    {"wed", TOKEN_WEEKDAY, 3},
    {"wednesday", TOKEN_WEEKDAY, 3},
    {"weds", TOKEN_WEEKDAY, 3},
    {"y", TOKEN_FIELD, UNIT_YEAR},
    {"yesterday", TOKEN_DAY_OFFSET, -1},
};

static const struct token unit_words[] = {
    {"c", 0, UNIT_CENTURY},           {"cent", 0, UNIT_CENTURY},
    {"centuries", 0, UNIT_CENTURY},   {"century", 0, UNIT_CENTURY},
    {"d", 0, UNIT_DAY},               {"day", 0, UNIT_DAY},
    {"days", 0, UNIT_DAY},            {"dec", 0, UNIT_DECADE},
    {"decade", 0, UNIT_DECADE},       {"decades", 0, UNIT_DECADE},
    {"decs", 0, UNIT_DECADE},         {"h", 0, UNIT_HOUR},
    {"hour", 0, UNIT_HOUR},           {"hours", 0, UNIT_HOUR},
    {"hr", 0, UNIT_HOUR},             {"hrs", 0, UNIT_HOUR},
    {"m", 0, UNIT_MINUTE},            {"microsecon", 0, UNIT_MICROSECOND},
    {"mil", 0, UNIT_MILLENNIUM},      {"millennia", 0, UNIT_MILLENNIUM},
    {"millennium", 0, UNIT_MILLENNIUM}, {"millisecon", 0, UNIT_MILLISECOND},
    {"mils", 0, UNIT_MILLENNIUM},     {"min", 0, UNIT_MINUTE},
    {"mins", 0, UNIT_MINUTE},         {"minute", 0, UNIT_MINUTE},
    {"minutes", 0, UNIT_MINUTE},      {"mon", 0, UNIT_MONTH},
    {"mons", 0, UNIT_MONTH},          {"month", 0, UNIT_MONTH},
    {"months", 0, UNIT_MONTH},        {"ms", 0, UNIT_MILLISECOND},
    {"msec", 0, UNIT_MILLISECOND},    {"msecond", 0, UNIT_MILLISECOND},
    {"mseconds", 0, UNIT_MILLISECOND}, {"msecs", 0, UNIT_MILLISECOND},
    {"qtr", 0, UNIT_QUARTER},         {"quarter", 0, UNIT_QUARTER},
    {"s", 0, UNIT_SECOND},            {"sec", 0, UNIT_SECOND},
    {"second", 0, UNIT_SECOND},       {"seconds", 0, UNIT_SECOND},
    {"secs", 0, UNIT_SECOND},         {"timezone", 0, UNIT_TIMEZONE},
    {"timezone_h", 0, UNIT_TIMEZONE_HOUR}, {"timezone_m", 0, UNIT_TIMEZONE_MINUTE},
    {"us", 0, UNIT_MICROSECOND},      {"usec", 0, UNIT_MICROSECOND},
    {"usecond", 0, UNIT_MICROSECOND}, {"useconds", 0, UNIT_MICROSECOND},
    {"usecs", 0, UNIT_MICROSECOND},   {"w", 0, UNIT_WEEK},
    {"week", 0, UNIT_WEEK},           {"weeks", 0, UNIT_WEEK},
    {"y", 0, UNIT_YEAR},              {"year", 0, UNIT_YEAR},
    {"years", 0, UNIT_YEAR},          {"yr", 0, UNIT_YEAR},
    {"yrs", 0, UNIT_YEAR},
};

static const struct token *find(const struct token *table, size_t count, struct slice word)
{
    char key[WORD_COMPARED_MAX + 1] = "";
    size_t len = word.len < WORD_COMPARED_MAX ? word.len : WORD_COMPARED_MAX;
    for (size_t i = 0; i < len; i++) {
        char ch = word.data[i];
        key[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
    }
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(table[mid].word, key);
        if (c == 0) return &table[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

const struct token *token__date_word(struct slice word)
{
    return find(date_words, sizeof date_words / sizeof *date_words, word);
}

enum datetime_unit token__unit(struct slice word)
{
    const struct token *t = find(unit_words, sizeof unit_words / sizeof *unit_words, word);
    return t ? (enum datetime_unit)t->value : UNIT_NONE;
}

bool token__is_ago(struct slice word)
{
    return slice_eq_nocase(word, SLICE("ago"));
}

enum datetime_unit token__extract_unit(struct slice word)
{
    enum datetime_unit unit = token__unit(word);
    if (unit != UNIT_NONE) return unit;
    const struct token *t = token__date_word(word);
    if (!t) return UNIT_NONE;
    switch ((enum token_kind)t->kind) {
    case TOKEN_EPOCH:
        return UNIT_EPOCH;
    case TOKEN_JULIAN:
        return UNIT_JULIAN;
    case TOKEN_FIELD:
        return (enum datetime_unit)t->value;
    default:
        return UNIT_NONE;
    }
}
