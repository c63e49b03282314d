/* Words for zones: "EST", "cest". What they mean is a choice, since several countries use the same
 * ones; ours is PostgreSQL's default list, sorted for a binary search. */
#include "types/datetime_priv.h"

struct abbrev {
    const char *word;
    int32_t offset;
    bool dst;
    const char *zone;
};

static const struct abbrev abbrevs[] = {
#define X(word, offset, dst, zone) {word, offset, dst, zone},
#include "types/timezone_abbrevs.def"
#undef X
};

static const struct abbrev *find(struct slice word)
{
    char key[8];
    if (word.len == 0 || word.len >= sizeof key) return NULL;
    for (size_t i = 0; i < word.len; i++) {
        char ch = word.data[i];
        key[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
    }
    key[word.len] = '\0';
    size_t lo = 0, hi = sizeof abbrevs / sizeof *abbrevs;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(abbrevs[mid].word, key);
        if (c == 0) return &abbrevs[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

bool timezone__abbrev(struct slice word, int32_t *ret_offset, bool *ret_dst,
                      const struct timezone **ret_zone)
{
    const struct abbrev *a = find(word);
    if (!a) return false;
    *ret_offset = a->offset;
    *ret_dst = a->dst;
    *ret_zone = a->zone ? timezone_lookup(slice_of(a->zone)) : NULL;
    return !a->zone || *ret_zone;
}

enum status timezone_resolve(struct slice name, int64_t ts, bool local, int32_t *ret_offset)
{
    const struct timezone *z;
    int32_t offset;
    bool dst;
    if (timezone__abbrev(name, &offset, &dst, &z)) {
        *ret_offset = z ? timezone__abbrev_offset(z, name, ts, local, &dst) : offset;
        return OK;
    }
    z = timezone_lookup(name);
    if (!z) {
        return FAIL(INVALID_PARAMETER_VALUE, "time zone \"%.*s\" not recognized", (int)name.len,
                    name.data);
    }
    *ret_offset = local ? timezone_offset_at_local(z, ts)
                        : timezone_offset_at_utc(z, ts, NULL, NULL);
    return OK;
}

bool timezone_fixed_abbrev(struct slice word, int32_t *ret_offset)
{
    const struct abbrev *a = find(word);
    if (!a || a->zone) return false;
    *ret_offset = a->offset;
    return true;
}
