/* Reads zone data: TZif files (RFC 8536) and POSIX TZ strings (their footers, and zones given as
 * such). A file is
 *
 *     44-byte header, v1 body; 44-byte header, v2 body of 64-bit times; newline, TZ string, newline
 *
 * of which the v1 half is skipped. The bytes are not trusted: every count is bounded and every
 * index checked. Zones with leap seconds are refused, since SQL time has none. */
#include "types/timezone_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { TZIF_HEADER = 44 };
static const char zone_directory[] = "/usr/share/zoneinfo/";

static int64_t read_be(const uint8_t *p, int bytes)
{
    uint64_t v = (p[0] & 0x80) ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[i];
    return (int64_t)v;
}

struct tzif_counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static bool read_counts(const uint8_t *p, size_t len, struct tzif_counts *c)
{
    if (len < TZIF_HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2') return false;
    c->isut = (uint32_t)read_be(p + 20, 4);
    c->isstd = (uint32_t)read_be(p + 24, 4);
    c->leap = (uint32_t)read_be(p + 28, 4);
    c->time = (uint32_t)read_be(p + 32, 4);
    c->type = (uint32_t)read_be(p + 36, 4);
    c->chars = (uint32_t)read_be(p + 40, 4);
    return c->time <= ZONE_TRANSITIONS_MAX && c->type >= 1 && c->type <= ZONE_TYPES_MAX &&
           c->chars <= 4096 && c->leap <= 256 && c->isut <= ZONE_TYPES_MAX &&
           c->isstd <= ZONE_TYPES_MAX;
}

static size_t body_bytes(const struct tzif_counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6ul + c->chars + c->leap * (time_bytes + 4) +
           c->isstd + c->isut;
}

static bool read_types(const uint8_t *p, const struct tzif_counts *c, struct timezone *z)
{
    const char *names = (const char *)p + c->type * 6ul;
    for (uint32_t i = 0; i < c->type; i++, p += 6) {
        struct zone_type *t = &z->types[i];
        uint32_t name = p[5];
        if (name >= c->chars) return false;
        size_t len = strnlen(names + name, c->chars - name);
        if (len >= ZONE_ABBREV_MAX) len = ZONE_ABBREV_MAX - 1;
        memcpy(t->abbrev, names + name, len);
        t->offset = (int32_t)read_be(p, 4);
        t->dst = p[4] != 0;
        if (t->offset <= -SECONDS_PER_DAY * 7 || t->offset >= SECONDS_PER_DAY * 7) return false;
    }
    return true;
}

static bool read_body(const uint8_t *p, const struct tzif_counts *c, struct timezone *z)
{
    z->transition_count = c->time;
    z->type_count = c->type;
    z->at = (int64_t *)mem_alloc(MEM_BASE, c->time * sizeof *z->at);
    z->type_index = (uint8_t *)mem_alloc(MEM_BASE, c->time);
    z->types = (struct zone_type *)mem_alloc(MEM_BASE, c->type * sizeof *z->types);
    for (uint32_t i = 0; i < c->time; i++) {
        z->at[i] = read_be(p + i * 8ul, 8);
        if (i && z->at[i] <= z->at[i - 1]) return false;
    }
    p += c->time * 8ul;
    for (uint32_t i = 0; i < c->time; i++) {
        if (p[i] >= c->type) return false;
        z->type_index[i] = p[i];
    }
    return read_types(p + c->time, c, z);
}

static bool parse_tzif(const uint8_t *p, size_t len, struct timezone *z)
{
    struct tzif_counts c;
    if (!read_counts(p, len, &c)) return false;
    size_t skip = TZIF_HEADER + body_bytes(&c, 4);
    if (skip > len) return false;
    p += skip;
    len -= skip;
    if (!read_counts(p, len, &c) || c.leap) return false;
    size_t body = TZIF_HEADER + body_bytes(&c, 8);
    if (body > len || !read_body(p + TZIF_HEADER, &c, z)) return false;
    const char *footer = (const char *)p + body;
    len -= body;
    if (len >= 2 && footer[0] == '\n') {
        const char *end = (const char *)memchr(footer + 1, '\n', len - 1);
        struct slice rule = slice_make(footer + 1, end ? (size_t)(end - footer - 1) : 0);
        if (rule.len) timezone__parse_posix(rule, &z->posix);
    }
    return true;
}

void timezone__unload(struct timezone *z)
{
    mem_free(MEM_BASE, z->at);
    mem_free(MEM_BASE, z->type_index);
    mem_free(MEM_BASE, z->types);
    z->at = NULL;
    z->type_index = NULL;
    z->types = NULL;
}

bool timezone__load(const char *path, struct timezone *z)
{
    char full[sizeof zone_directory + 256];
    snprintf(full, sizeof full, "%s%s", zone_directory, path);
    FILE *f = fopen(full, "rb");
    if (!f) return false;
    uint8_t *data = (uint8_t *)mem_alloc(MEM_BASE, ZONE_FILE_BYTES_MAX);
    size_t len = fread(data, 1, ZONE_FILE_BYTES_MAX, f);
    bool ok = !ferror(f) && parse_tzif(data, len, z);
    fclose(f);
    mem_free(MEM_BASE, data);
    if (!ok) timezone__unload(z);
    return ok;
}

/* --- POSIX TZ strings: std offset [dst [offset] [,start[/time],end[/time]]] ------------------- */

struct cursor {
    const char *p, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_char(struct cursor *c, char want)
{
    if (c->p >= c->end || *c->p != want) return false;
    c->p++;
    return true;
}

static bool take_number(struct cursor *c, int32_t min, int32_t max, int32_t *ret)
{
    int32_t n = 0;
    const char *start = c->p;
    while (c->p < c->end && is_digit(*c->p)) {
        n = n * 10 + (*c->p++ - '0');
        if (n > max) return false;
    }
    *ret = n;
    return c->p > start && n >= min;
}

/* "EST" or "<+03>"; empty is allowed, as in "5:30". */
static bool take_name(struct cursor *c, char ret[ZONE_ABBREV_MAX])
{
    const char *start = c->p;
    bool quoted = take_char(c, '<');
    if (quoted) {
        start = c->p;
        while (c->p < c->end && *c->p != '>') c->p++;
    } else {
        while (c->p < c->end && is_alpha(*c->p)) c->p++;
    }
    size_t len = (size_t)(c->p - start);
    if (quoted && !take_char(c, '>')) return false;
    if (len >= ZONE_ABBREV_MAX) len = ZONE_ABBREV_MAX - 1;
    memset(ret, 0, ZONE_ABBREV_MAX);
    memcpy(ret, start, len);
    return true;
}

/* [+-]h[h][:mm[:ss]]; hours up to a week, as RFC 8536 has them. */
static bool take_time(struct cursor *c, int32_t *ret)
{
    int32_t sign = 1, h, m = 0, s = 0;
    if (take_char(c, '-')) sign = -1;
    else take_char(c, '+');
    if (!take_number(c, 0, 24 * 7 - 1, &h)) return false;
    if (take_char(c, ':')) {
        if (!take_number(c, 0, 59, &m)) return false;
        if (take_char(c, ':') && !take_number(c, 0, 60, &s)) return false;
    }
    *ret = sign * (h * SECONDS_PER_HOUR + m * 60 + s);
    return true;
}

static bool take_rule(struct cursor *c, struct zone_rule *r)
{
    r->seconds = 2 * SECONDS_PER_HOUR;
    if (take_char(c, 'M')) {
        r->kind = RULE_MONTH;
        if (!take_number(c, 1, 12, &r->month) || !take_char(c, '.') ||
            !take_number(c, 1, 5, &r->week) || !take_char(c, '.') ||
            !take_number(c, 0, 6, &r->day)) {
            return false;
        }
    } else if (take_char(c, 'J')) {
        r->kind = RULE_JULIAN;
        if (!take_number(c, 1, 365, &r->day)) return false;
    } else {
        r->kind = RULE_DAY;
        if (!take_number(c, 0, 365, &r->day)) return false;
    }
    return !take_char(c, '/') || take_time(c, &r->seconds);
}

bool timezone__parse_posix(struct slice s, struct zone_posix *ret)
{
    struct cursor c = {s.data, s.data + s.len};
    struct zone_posix z = {.present = true};
    int32_t west;
    if (!take_name(&c, z.std.abbrev) || !take_time(&c, &west)) return false;
    z.std.offset = -west;
    if (c.p < c.end) {
        z.has_dst = z.dst.dst = true;
        const char *start = c.p;
        if (!take_name(&c, z.dst.abbrev) || c.p == start) return false;
        z.dst.offset = z.std.offset + SECONDS_PER_HOUR;
        if (c.p < c.end && *c.p != ',') {
            if (!take_time(&c, &west)) return false;
            z.dst.offset = -west;
        }
        /* Without rules: those of the United States, as in PostgreSQL. */
        struct slice us = SLICE(",M3.2.0,M11.1.0");
        if (c.p == c.end) c = (struct cursor){us.data, us.data + us.len};
        if (!take_char(&c, ',') || !take_rule(&c, &z.start) || !take_char(&c, ',') ||
            !take_rule(&c, &z.end)) {
            return false;
        }
    }
    if (c.p != c.end) return false;
    *ret = z;
    return true;
}
