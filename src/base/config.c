#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static const struct setting_def defs[] = {
#define X(name, kind, value, min, max, choices, help)                                              \
    {name, SETTING_##kind, value, min, max, help, choices},
#include "base/config.def"
#undef X
};

enum {
    SETTING_COUNT = sizeof defs / sizeof *defs,
    LINE_BYTES_MAX = 4096,
};

struct setting {
    char *text; /* owned: as given, or worked out */
    int64_t number;
    enum setting_source source;
};

struct config {
    struct setting settings[SETTING_COUNT];
};

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit byte_units[] = {{"B", 1},           {"kB", 1ll << 10}, {"MB", 1ll << 20},
                                         {"GB", 1ll << 30},  {"TB", 1ll << 40}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},       {"s", 1000},     {"min", 60000},
                                         {"h", 3600000},  {"d", 86400000}, {NULL, 0}};

static int find(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (str_eq_nocase(defs[i].name, name)) return i;
    return -1;
}

/* Asking for a setting that does not exist is a mistake in the program. */
static const struct setting *need(const struct config *c, const char *name)
{
    int i = find(name);
    ASSERT(i >= 0);
    return &c->settings[i];
}

/* --- values ------------------------------------------------------------------------------------ */

static bool parse_bool(const char *text, int64_t *ret)
{
    static const char *const words[] = {"on", "true", "yes", "1", "off", "false", "no", "0"};
    for (int i = 0; i < 8; i++) {
        if (!str_eq_nocase(text, words[i])) continue;
        *ret = i < 4;
        return true;
    }
    return false;
}

/* A whole number, blanks, a unit. */
static bool parse_number(const char *text, const struct unit *units, int64_t *ret)
{
    size_t digits = strspn(text, "+-0123456789");
    const char *unit = text + digits + strspn(text + digits, " \t");
    int64_t factor = 1;
    if (!str_to_i64(slice_make(text, digits), ret)) return false;
    if (*unit) {
        while (units && units->name && !str_eq_nocase(units->name, unit)) units++;
        if (!units || !units->name) return false;
        factor = units->factor;
    }
    return !__builtin_mul_overflow(*ret, factor, ret);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *p = choices; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (strcspn(p, "|") == len && slice_eq_nocase(slice_make(p, len), slice_make(text, len)))
            return true;
    }
    return false;
}

static int64_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (int64_t)pages * page : 1ll << 30;
}

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
    return v < min ? min : v > max ? max : v;
}

static int64_t work_out(const struct setting_def *d)
{
    int64_t memory = memory_bytes();
    if (strcmp(d->name, "cache_bytes") == 0) return clamp(memory / 4, 64ll << 20, 256ll << 30);
    if (strcmp(d->name, "memtable_total_bytes") == 0)
        return clamp(memory / 16, 128ll << 20, 16ll << 30);
    if (strcmp(d->name, "query.memory_limit") == 0)
        return clamp(memory / 8, 64ll << 20, 64ll << 30);
    UNREACHABLE();
}

static enum status bad_value(const struct setting_def *d, const char *value)
{
    static const char *const kinds[] = {"", "a whole number", "a Boolean value (on or off)",
                                        "a size with unit B, kB, MB, GB or TB",
                                        "a time with unit ms, s, min, h or d"};
    FAIL(CONFIG_FILE_ERROR, "invalid value for parameter \"%s\": \"%s\"", d->name, value);
    if (d->choices) return error_hint("Available values: %s.", d->choices);
    return error_hint("The value must be %s.", kinds[d->kind]);
}

static enum status parse(const struct setting_def *d, const char *value, int64_t *ret)
{
    bool ok = true;
    *ret = 0;
    switch (d->kind) {
    case SETTING_STRING: ok = !d->choices || is_choice(d->choices, value); break;
    case SETTING_BOOL: ok = parse_bool(value, ret); break;
    case SETTING_INT: ok = parse_number(value, NULL, ret); break;
    case SETTING_MS: ok = parse_number(value, time_units, ret); break;
    case SETTING_BYTES:
        if (strcmp(d->default_value, "auto") == 0 && str_eq_nocase(value, "auto")) {
            *ret = work_out(d);
            return OK;
        }
        ok = parse_number(value, byte_units, ret);
        break;
    }
    if (!ok) return bad_value(d, value);
    if (d->kind != SETTING_STRING && d->kind != SETTING_BOOL && (*ret < d->min || *ret > d->max))
        return FAIL(CONFIG_FILE_ERROR,
                    "%s is outside the valid range for parameter \"%s\" (%lld .. %lld)", value,
                    d->name, (long long)d->min, (long long)d->max);
    return OK;
}

static void store(struct setting *s, const char *value, int64_t number, enum setting_source source)
{
    size_t len = strlen(value) + 1;
    char *text = memcpy(mem_alloc(MEM_BASE, len), value, len);
    mem_free(MEM_BASE, s->text);
    *s = (struct setting){text, number, source};
}

/* --- life -------------------------------------------------------------------------------------- */

const struct setting_def *config_defs(int *ret_count)
{
    *ret_count = SETTING_COUNT;
    return defs;
}

struct config *config_new(void)
{
    struct config *c = mem_alloc(MEM_BASE, sizeof *c);
    for (int i = 0; i < SETTING_COUNT; i++) {
        int64_t number = 0;
        enum status st = parse(&defs[i], defs[i].default_value, &number);
        ASSERT(st == OK);
        store(&c->settings[i], defs[i].default_value, number, SOURCE_DEFAULT);
    }
    return c;
}

void config_free(struct config *c)
{
    if (!c) return;
    for (int i = 0; i < SETTING_COUNT; i++) mem_free(MEM_BASE, c->settings[i].text);
    mem_free(MEM_BASE, c);
}

/* How many letters must be changed, put in or left out to make b of a, up to `most` + 1. */
static unsigned distance(const char *a, const char *b, unsigned most)
{
    enum { NAME_MAX_BYTES = 64 };
    unsigned row[NAME_MAX_BYTES + 1], lb = (unsigned)strlen(b);
    if (lb > NAME_MAX_BYTES || strlen(a) > NAME_MAX_BYTES) return most + 1;
    for (unsigned j = 0; j <= lb; j++) row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[lb] <= most ? row[lb] : most + 1;
}

/* The last part counts as a name, too: commit_mode for wal.commit_mode. */
static enum status fail_unknown(const char *name)
{
    enum { LETTERS_MAX = 3 };
    const char *nearest = NULL;
    unsigned least = LETTERS_MAX + 1;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *dot = strrchr(defs[i].name, '.');
        unsigned d = distance(name, defs[i].name, LETTERS_MAX);
        if (dot && distance(name, dot + 1, LETTERS_MAX) < d)
            d = distance(name, dot + 1, LETTERS_MAX);
        if (d >= least || d * 2 >= strlen(name)) continue;
        least = d;
        nearest = defs[i].name;
    }
    FAIL(CONFIG_FILE_ERROR, "unrecognized configuration parameter \"%s\"", name);
    if (nearest) return error_hint("Perhaps you meant \"%s\".", nearest);
    return error_hint("docs/settings.md lists them all.");
}

enum status config_set(struct config *c, const char *name, const char *value,
                       enum setting_source source)
{
    int i = find(name);
    int64_t number = 0;
    if (i < 0) return fail_unknown(name);
    TRY(parse(&defs[i], value, &number));
    if (source >= c->settings[i].source) store(&c->settings[i], value, number, source);
    return OK;
}

bool config_read(const char *name, const char *value, int64_t *ret)
{
    int i = find(name);
    ASSERT(i >= 0);
    if (parse(&defs[i], value, ret) == OK) return true;
    error_clear();
    return false;
}

/* --- environment ------------------------------------------------------------------------------- */

/* Whether the variable, without HELIOS_, spells the setting. */
static bool spells(const char *variable, size_t len, const char *name)
{
    if (strlen(name) != len) return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i] == '.' ? '_' : name[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (c != variable[i]) return false;
    }
    return true;
}

enum status config_load_env(struct config *c, char **environ_list)
{
    static const char prefix[] = "HELIOS_";
    for (char **e = environ_list; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        if (!equals || strncmp(*e, prefix, sizeof prefix - 1) != 0) continue;
        const char *variable = *e + sizeof prefix - 1;
        for (int i = 0; i < SETTING_COUNT; i++)
            if (equals > variable && spells(variable, (size_t)(equals - variable), defs[i].name))
                TRY(config_set(c, defs[i].name, equals + 1, SOURCE_ENV));
    }
    return OK;
}

/* --- file -------------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n\f");
}

/* 'it''s' and 'it\'s' as postgresql.conf has them. NULL when the quote does not end. */
static const char *take_quoted(const char *p, char *out)
{
    for (p++; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
            *out++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
        } else if (*p == '\'' && p[1] == '\'') {
            *out++ = *p++;
        } else if (*p == '\'') {
            *out = '\0';
            return p + 1;
        } else {
            *out++ = *p;
        }
    }
    return NULL;
}

/* Splits `name = value`; true when the line is well formed. An empty line gives an empty name. */
static bool parse_line(const char *line, char name[LINE_BYTES_MAX], char value[LINE_BYTES_MAX])
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_.";
    const char *p = skip_blanks(line);
    size_t len = strspn(p, name_bytes);
    memcpy(name, p, len);
    name[len] = '\0';
    p = skip_blanks(p + len);
    if (len == 0) return *p == '\0' || *p == '#';
    if (*p == '=') p = skip_blanks(p + 1);
    if (*p == '\'') {
        p = take_quoted(p, value);
        if (!p) return false;
    } else {
        len = strcspn(p, "#\r\n");
        while (len && strchr(" \t\f", p[len - 1])) len--;
        if (len == 0) return false;
        memcpy(value, p, len);
        value[len] = '\0';
        p += len;
    }
    p = skip_blanks(p);
    return *p == '\0' || *p == '#';
}

static enum status load_line(struct config *c, const char *line, const char *path, int number)
{
    char name[LINE_BYTES_MAX], value[LINE_BYTES_MAX], message[ERROR_TEXT_MAX / 2];
    if (strlen(line) >= LINE_BYTES_MAX - 1)
        return FAIL(CONFIG_FILE_ERROR, "line too long in file \"%s\" line %d", path, number);
    if (!parse_line(line, name, value))
        return FAIL(CONFIG_FILE_ERROR, "syntax error in file \"%s\" line %d", path, number);
    if (!name[0] || config_set(c, name, value, SOURCE_FILE) == OK) return OK;
    char hint[ERROR_TEXT_MAX];
    snprintf(message, sizeof message, "%.400s", error_current()->message);
    snprintf(hint, sizeof hint, "%s", error_current()->hint);
    FAIL(CONFIG_FILE_ERROR, "%s, in file \"%.400s\" line %d", message, path, number);
    return error_hint("%s", hint);
}

enum status config_load_file(struct config *c, const char *path)
{
    char line[LINE_BYTES_MAX];
    enum status st = OK;
    FILE *f = fopen(path, "re");
    if (!f)
        return FAIL(errno == ENOENT ? UNDEFINED_FILE : CONFIG_FILE_ERROR,
                    "could not open configuration file \"%s\": %s", path, strerror(errno));
    for (int number = 1; st == OK && fgets(line, sizeof line, f); number++)
        st = load_line(c, line, path, number);
    if (st == OK && ferror(f))
        st = FAIL(CONFIG_FILE_ERROR, "could not read configuration file \"%s\"", path);
    fclose(f);
    return st;
}

/* --- values asked for -------------------------------------------------------------------------- */

const char *config_string(const struct config *c, const char *name)
{
    return need(c, name)->text;
}

int64_t config_int(const struct config *c, const char *name)
{
    return need(c, name)->number;
}

bool config_bool(const struct config *c, const char *name)
{
    return need(c, name)->number != 0;
}

enum setting_source config_source(const struct config *c, const char *name)
{
    return need(c, name)->source;
}
