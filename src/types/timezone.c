/* Time zones by name, and what offset each has when.
 *
 * A zone is loaded once and kept for the life of the process, in a hash table of lists that only
 * grow at their heads: readers follow them without a lock (acquire), a writer links by
 * compare-and-swap (release). Names come from users, so their number is bounded; beyond it a zone
 * is unknown.
 *
 * A zone's timeline is the transitions of its file, then its POSIX rule, year by year. `span` cuts
 * out the piece around an instant; everything else is built on it. */
#include "types/timezone_priv.h"

#include <dirent.h>
#include <stdio.h>

enum { CACHE_SLOTS = 256, CACHE_ZONES_MAX = 4096 };
static struct timezone *cache[CACHE_SLOTS]; /* atomic: release in cache_add, acquire in cache_get */
static uint32_t cache_count;                /* atomic */

#define UNIX_OF_2000 (PG_EPOCH_US / US_PER_SECOND)

/* --- by name -------------------------------------------------------------------------------- */

static uint32_t slot_of(struct slice name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.len; i++) h = (h ^ ((uint8_t)name.data[i] | 0x20)) * 16777619u;
    return h % CACHE_SLOTS;
}

static const struct timezone *list_find(const struct timezone *z, struct slice name)
{
    while (z && !slice_eq_nocase(slice_of(z->name), name)) z = z->next;
    return z;
}

static const struct timezone *cache_get(struct slice name)
{
    return list_find(__atomic_load_n(&cache[slot_of(name)], __ATOMIC_ACQUIRE), name);
}

/* Takes what `zone` points to. Another thread may have been faster: then its zone is the one, and
 * ours goes. */
static const struct timezone *cache_add(struct timezone *zone)
{
    if (__atomic_fetch_add(&cache_count, 1, __ATOMIC_RELAXED) >= CACHE_ZONES_MAX) {
        __atomic_fetch_sub(&cache_count, 1, __ATOMIC_RELAXED);
        timezone__unload(zone);
        return NULL;
    }
    struct timezone *z = (struct timezone *)mem_alloc(MEM_BASE, sizeof *z);
    *z = *zone;
    struct slice name = slice_of(z->name);
    struct timezone **slot = &cache[slot_of(name)];
    struct timezone *head = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    do {
        const struct timezone *found = list_find(head, name);
        if (found) {
            __atomic_fetch_sub(&cache_count, 1, __ATOMIC_RELAXED);
            timezone__unload(z);
            mem_free(MEM_BASE, z);
            return found;
        }
        z->next = head;
    } while (!__atomic_compare_exchange_n(slot, &head, z, false, __ATOMIC_RELEASE,
                                          __ATOMIC_ACQUIRE));
    return z;
}

/* The spelling that the entry `part` has in directory `dir` of the zone files. */
static bool spell_entry(const char *dir, struct slice part, char *ret, size_t cap)
{
    char path[ZONE_NAME_MAX + 32];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", dir);
    DIR *d = opendir(path);
    if (!d) return false;
    bool found = false;
    for (struct dirent *e = readdir(d); e && !found; e = readdir(d)) {
        struct slice entry = slice_of(e->d_name);
        if (entry.len >= cap || !slice_eq_nocase(entry, part)) continue;
        memcpy(ret, e->d_name, entry.len + 1);
        found = true;
    }
    closedir(d);
    return found;
}

/* "europe/berlin" to "Europe/Berlin". Nothing that leaves the directory gets through. */
static bool spell_name(struct slice name, char ret[ZONE_NAME_MAX])
{
    size_t len = 0;
    *ret = '\0';
    while (name.len) {
        const char *slash = (const char *)memchr(name.data, '/', name.len);
        size_t n = slash ? (size_t)(slash - name.data) : name.len;
        if (n == 0 || name.data[0] == '.') return false;
        char entry[ZONE_NAME_MAX];
        if (!spell_entry(ret, slice_make(name.data, n), entry, sizeof entry)) return false;
        if (len + n + 2 > ZONE_NAME_MAX) return false;
        if (len) ret[len++] = '/';
        memcpy(ret + len, entry, n + 1);
        len += n;
        name = slice_make(name.data + n, name.len - n);
        if (slash) {
            name = slice_make(name.data + 1, name.len - 1);
            if (!name.len) return false;
        }
    }
    return len > 0;
}

const struct timezone *timezone_lookup(struct slice name)
{
    if (name.len == 0 || name.len >= ZONE_NAME_MAX) return NULL;
    if (memchr(name.data, 0, name.len)) return NULL;
    const struct timezone *found = cache_get(name);
    if (found) return found;
    struct timezone z;
    memset(&z, 0, sizeof z);
    if (spell_name(name, z.name) && timezone__load(z.name, &z)) return cache_add(&z);
    memset(&z, 0, sizeof z);
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.data[i];
        z.name[i] = ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : ch;
    }
    if (!timezone__parse_posix(slice_of(z.name), &z.posix)) return NULL;
    return cache_add(&z);
}

/* "-3" or "5.5": hours east. */
static bool parse_hours(struct slice s, int64_t *ret_seconds)
{
    int64_t sign = 1, whole = 0, part = 0, unit = 1;
    size_t i = 0, digits = 0;
    if (s.len && (s.data[0] == '-' || s.data[0] == '+')) sign = s.data[i++] == '-' ? -1 : 1;
    for (; i < s.len && digits < 4 && s.data[i] >= '0' && s.data[i] <= '9'; i++, digits++) {
        whole = whole * 10 + (s.data[i] - '0');
    }
    if (i < s.len && s.data[i] == '.') {
        for (i++; i < s.len && unit < 1000000 && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
            part = part * 10 + (s.data[i] - '0');
            unit *= 10;
        }
    }
    *ret_seconds = sign * (whole * SECONDS_PER_HOUR + part * SECONDS_PER_HOUR / unit);
    return digits > 0 && i == s.len;
}

enum status timezone_find(struct slice name, const struct timezone **ret)
{
    char text[ZONE_NAME_MAX];
    int64_t east;
    struct slice rule = name;
    if (parse_hours(name, &east)) {
        int n = (int)(east < 0 ? -east : east);
        char digits[24];
        int len = snprintf(digits, sizeof digits, "%02d", n / SECONDS_PER_HOUR);
        if (n % SECONDS_PER_HOUR) {
            len += snprintf(digits + len, sizeof digits - (size_t)len, ":%02d", n / 60 % 60);
        }
        if (n % 60) snprintf(digits + len, sizeof digits - (size_t)len, ":%02d", n % 60);
        snprintf(text, sizeof text, "<%c%s>%c%s", east < 0 ? '-' : '+', digits,
                 east < 0 ? '+' : '-', digits);
        rule = slice_of(text);
    }
    const struct timezone *z = timezone_lookup(rule);
    if (!z) {
        return FAIL(INVALID_PARAMETER_VALUE, "time zone \"%.*s\" not recognized", (int)name.len,
                    name.data);
    }
    *ret = z;
    return OK;
}

const char *timezone_name(const struct timezone *z)
{
    return z ? z->name : "UTC";
}

/* --- the timeline --------------------------------------------------------------------------- */

struct span {
    const struct zone_type *now, *next;
    int64_t end; /* when `next` begins */
    bool has_next;
};

/* Local seconds since 1970 at which a rule strikes in a year. */
static int64_t rule_time(const struct zone_rule *r, int32_t year)
{
    int64_t day = days_from_civil(year, 1, 1);
    if (r->kind == RULE_DAY) {
        day += r->day;
    } else if (r->kind == RULE_JULIAN) {
        day += r->day - 1 + (r->day >= 60 && calendar__is_leap(year));
    } else {
        day = days_from_civil(year, r->month, 1);
        int32_t in_month = (r->day - calendar__weekday(day) + 7) % 7 + (r->week - 1) * 7;
        if (in_month >= days_of_month(year, r->month)) in_month -= 7;
        day += in_month;
    }
    return day * SECONDS_PER_DAY + r->seconds + UNIX_OF_2000;
}

static struct span posix_span(const struct zone_posix *p, int64_t t)
{
    struct span s = {.now = &p->std};
    if (!p->has_dst) return s;
    struct civil c;
    int64_t day = calendar__floor_div(t - UNIX_OF_2000, SECONDS_PER_DAY);
    civil_from_days((int32_t)day, &c);
    int64_t before = INT64_MIN, after = INT64_MAX;
    for (int32_t y = c.year - 1; y <= c.year + 1; y++) {
        int64_t change[2] = {rule_time(&p->start, y) - p->std.offset,
                             rule_time(&p->end, y) - p->dst.offset};
        const struct zone_type *becomes[2] = {&p->dst, &p->std};
        for (int i = 0; i < 2; i++) {
            if (change[i] <= t && change[i] >= before) before = change[i], s.now = becomes[i];
            if (change[i] > t && change[i] < after) after = change[i], s.next = becomes[i];
        }
    }
    s.end = after;
    s.has_next = s.next != NULL;
    return s;
}

static struct span span_at(const struct timezone *z, int64_t t)
{
    uint32_t lo = 0, hi = z->transition_count;
    while (lo < hi) { /* the number of transitions at or before t */
        uint32_t mid = (lo + hi) / 2;
        if (z->at[mid] <= t) lo = mid + 1;
        else hi = mid;
    }
    if (lo == z->transition_count && z->posix.present) return posix_span(&z->posix, t);
    struct span s = {.now = &z->types[lo ? z->type_index[lo - 1] : 0]};
    if (lo < z->transition_count) {
        s.has_next = true;
        s.end = z->at[lo];
        s.next = &z->types[z->type_index[lo]];
    }
    return s;
}

/* Seconds since 1970 of a timestamp; infinite ones are asked about as the ends of time. */
static int64_t unix_seconds(int64_t ts)
{
    return calendar__floor_div(ts, US_PER_SECOND) + UNIX_OF_2000;
}

int32_t timezone_offset_at_utc(const struct timezone *z, int64_t ts_utc, bool *ret_dst,
                               const char **ret_abbrev)
{
    static const struct zone_type utc = {.abbrev = "UTC"};
    const struct zone_type *t = z ? span_at(z, unix_seconds(ts_utc)).now : &utc;
    if (ret_dst) *ret_dst = t->dst;
    if (ret_abbrev) *ret_abbrev = t->abbrev;
    return t->offset;
}

int32_t timezone_offset_at_local(const struct timezone *z, int64_t ts_local)
{
    if (!z) return 0;
    int64_t local = unix_seconds(ts_local);
    /* The first change after a day before: at most one matters to any local time. */
    struct span s = span_at(z, local - SECONDS_PER_DAY);
    if (!s.has_next) return s.now->offset;
    int64_t before = local - s.now->offset, after = local - s.next->offset;
    if (before < s.end && after < s.end) return s.now->offset;
    if (before > s.end && after >= s.end) return s.next->offset;
    /* In a gap the offset before it holds, in an overlap the one after. */
    return before > after ? s.now->offset : s.next->offset;
}

int32_t timezone__abbrev_offset(const struct timezone *z, struct slice word, int64_t ts,
                                bool ts_is_local, bool *ret_dst)
{
    int32_t standing = ts_is_local ? timezone_offset_at_local(z, ts)
                                   : timezone_offset_at_utc(z, ts, ret_dst, NULL);
    if (ts_is_local) timezone_offset_at_utc(z, ts - standing * US_PER_SECOND, ret_dst, NULL);
    int64_t t = unix_seconds(ts) - (ts_is_local ? standing : 0);
    const struct zone_type *found = NULL;
    for (uint32_t i = 0; i < z->transition_count && (!found || z->at[i] <= t); i++) {
        const struct zone_type *type = &z->types[z->type_index[i]];
        if (slice_eq_nocase(slice_of(type->abbrev), word)) found = type;
    }
    if (!found) return standing;
    if (ret_dst) *ret_dst = found->dst;
    return found->offset;
}

bool timezone__is_fixed(const struct timezone *z)
{
    const struct zone_type *first = z->type_count ? &z->types[0] : &z->posix.std;
    for (uint32_t i = 0; i < z->type_count; i++) {
        if (z->types[i].offset != first->offset) return false;
    }
    const struct zone_posix *p = &z->posix;
    return !p->present || (p->std.offset == first->offset && !p->has_dst);
}

enum status timestamp_to_timestamptz(int64_t local, const struct timezone *z, int64_t *ret)
{
    if (local == TS_NOBEGIN || local == TS_NOEND) {
        *ret = local;
        return OK;
    }
    int64_t utc = local - timezone_offset_at_local(z, local) * US_PER_SECOND;
    if (!timestamp_is_valid(utc)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    *ret = utc;
    return OK;
}

enum status timestamptz_to_timestamp(int64_t utc, const struct timezone *z, int64_t *ret)
{
    if (utc == TS_NOBEGIN || utc == TS_NOEND) {
        *ret = utc;
        return OK;
    }
    int64_t local = utc + timezone_offset_at_utc(z, utc, NULL, NULL) * US_PER_SECOND;
    if (!timestamp_is_valid(local)) {
        return FAIL(DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    }
    *ret = local;
    return OK;
}
