#include "bin/helios_verify.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/log.h"
#include "bin/helios_backup.h"
#include "core/store.h"
#include "db/db.h"

/* Opens the data directory as the server does, under its lock and with recovery, and prints what
 * db_verify tells. A directory that cannot be opened because its files are damaged is a problem found,
 * not a failure to run. Nothing is written out at the end: a full disk can be looked at, too. */

enum { SOUND = 0, PROBLEMS = 1, CANNOT_RUN = 2 };

struct printer {
    bool json;
    uint64_t lines, problems;
};

static void print_json_text(const char *s)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_addc(&b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') strbuf_addf(&b, "\\%c", c);
        else if (c < 0x20) strbuf_addf(&b, "\\u%04x", c);
        else strbuf_addc(&b, *s);
    }
    strbuf_addc(&b, '"');
    fwrite(b.data, 1, b.len, stdout);
    strbuf_release(&b);
}

static void print_json(struct printer *p, const struct verify_finding *f)
{
    fputs(p->lines ? ",\n  {\"object\": " : "  {\"object\": ", stdout);
    print_json_text(f->object);
    fputs(", \"kind\": ", stdout);
    print_json_text(f->kind);
    printf(", \"checked\": %llu, \"problem\": ", (unsigned long long)f->checked);
    if (f->problem) print_json_text(f->problem);
    else fputs("null", stdout);
    fputs("}", stdout);
}

static enum status print_finding(void *ctx, const struct verify_finding *f)
{
    struct printer *p = ctx;
    if (p->json) print_json(p, f);
    else if (f->problem) printf("PROBLEM  %s (%s): %s\n", f->object, f->kind, f->problem);
    else printf("sound    %s (%s): %llu\n", f->object, f->kind, (unsigned long long)f->checked);
    p->lines++;
    p->problems += f->problem != NULL;
    return OK;
}

static int fail(void)
{
    const struct error *e = error_current();
    fprintf(stderr, "helios: %s\n", e->message);
    if (e->detail[0]) fprintf(stderr, "  %s\n", e->detail);
    if (e->hint[0]) fprintf(stderr, "  hint: %s\n", e->hint);
    return CANNOT_RUN;
}

/* What kept it from being opened. */
static enum status report_open(struct printer *p, const char *dir)
{
    struct error e = *error_current();
    char words[2 * ERROR_TEXT_MAX + 8];
    if (e.code != DATA_CORRUPTED) return e.code;
    error_clear();
    snprintf(words, sizeof words, "%s%s%s%s", e.message, e.detail[0] ? " (" : "", e.detail,
             e.detail[0] ? ")" : "");
    struct verify_finding f = {dir, "open", 1, words};
    return print_finding(p, &f);
}

static enum status verify(const struct config *c, const char *dir, struct printer *p)
{
    struct db_options o = {.os = os_real(), .config = c};
    struct db *db;
    if (db_open(&o, &db) != OK) return report_open(p, dir);
    struct verify_sink sink = {.found = print_finding, .ctx = p};
    enum status st = db_verify(db, &sink);
    db_abandon(db);
    return st;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int helios_verify(int argc, char **argv)
{
    struct printer p = {0};
    const char *dir = NULL;
    char path[OS_PATH_MAX];
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) p.json = true;
        else if (argv[i][0] == '-' || dir) dir = "";
        else dir = argv[i];
    }
    if (!dir || !dir[0]) {
        fputs("Usage: helios verify DIR|FILE [--json]\n", stderr);
        return CANNOT_RUN;
    }
    if (is_file(dir)) return helios_verify_backup(dir);
    snprintf(path, sizeof path, "%s/helios.lock", dir); /* a database is not made by looking at it */
    if (!os_exists(os_real(), path)) {
        fprintf(stderr, "helios: \"%s\" is not a data directory\n", dir);
        return CANNOT_RUN;
    }
    struct log_options lo = {.format = LOG_TEXT, .level = LOG_ERROR};
    struct config *c = config_new();
    enum status st = log_open(&lo);
    if (st == OK) st = config_set(c, "data_dir", dir, SOURCE_FLAG);
    if (p.json) puts("[");
    if (st == OK) st = verify(c, dir, &p);
    if (p.json) puts("\n]");
    config_free(c);
    if (st != OK) return fail();
    if (!p.json)
        printf("%s: %llu problems in %llu checks\n", dir, (unsigned long long)p.problems,
               (unsigned long long)p.lines);
    return p.problems ? PROBLEMS : SOUND;
}
