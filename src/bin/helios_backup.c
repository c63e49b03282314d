/* `helios backup SOURCE FILE`: asks a server, or the engine in this process for a directory that nobody else has
 * open, for helios_backup(). `helios restore FILE DIR` makes a directory of it. */
#include "bin/helios_backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "db/restore.h"
#include "shell/backend.h"

enum { DONE = 0, FAILED = 1, CANNOT_RUN = 2 };

static int fail(void)
{
    const struct error *e = error_current();
    fprintf(stderr, "helios: %s\n", e->message);
    if (e->hint[0]) fprintf(stderr, "  hint: %s\n", e->hint);
    return FAILED;
}

static bool keep_number(void *ctx, const char *const *values, const int *lengths)
{
    (void)lengths;
    *(long long *)ctx = values[0] ? atoll(values[0]) : 0;
    return true;
}

static void put_literal(struct strbuf *b, const char *text)
{
    strbuf_adds(b, "E'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') strbuf_addc(b, *text);
        strbuf_addc(b, *text);
    }
    strbuf_addc(b, '\'');
}

/* Relative names are of this process, which need not be where the server stands. */
static bool absolute(const char *path, char ret[OS_PATH_MAX])
{
    char here[OS_PATH_MAX];
    if (path[0] == '/') return snprintf(ret, OS_PATH_MAX, "%s", path) < OS_PATH_MAX;
    if (!getcwd(here, sizeof here)) return false;
    return snprintf(ret, OS_PATH_MAX, "%s/%s", here, path) < OS_PATH_MAX;
}

static bool is_address(const char *source)
{
    return strncmp(source, "postgresql://", 13) == 0 || strncmp(source, "postgres://", 11) == 0 ||
           strchr(source, '=');
}

static struct backend *open_source(const char *source)
{
    char lock[OS_PATH_MAX];
    struct strbuf error;
    struct backend_target t = {.database = NULL};
    strbuf_init(&error, NULL);
    t.server = is_address(source);
    if (t.server) t.address = source;
    else t.path = source;
    snprintf(lock, sizeof lock, "%s/helios.lock", source); /* a database is not made by this */
    struct backend *b = NULL;
    if (!t.server && !os_exists(os_real(), lock))
        strbuf_addf(&error, "\"%s\" is not a data directory", source);
    else
        b = t.server ? backend_server_open(&t, &error) : backend_library_open(&t, &error);
    if (!b) fprintf(stderr, "helios: %s\n", error.data ? error.data : "cannot open the source");
    strbuf_release(&error);
    return b;
}

int helios_backup(int argc, char **argv)
{
    char path[OS_PATH_MAX];
    if (argc != 2 || argv[0][0] == '-' || !absolute(argv[1], path)) {
        fputs("Usage: helios backup DIR|ADDRESS FILE\n", stderr);
        return CANNOT_RUN;
    }
    struct backend *b = open_source(argv[0]);
    if (!b) return CANNOT_RUN;
    struct strbuf sql;
    long long bytes = 0;
    struct backend_sink sink = {.row = keep_number, .ctx = &bytes};
    strbuf_init(&sql, NULL);
    strbuf_adds(&sql, "SELECT helios_backup(");
    put_literal(&sql, path);
    strbuf_addc(&sql, ')');
    bool ok = b->ops->run(b, sql.data, &sink);
    if (ok) printf("%s: %lld bytes\n", argv[1], bytes);
    else fprintf(stderr, "helios: %s\n", b->error.message.data);
    strbuf_release(&sql);
    b->ops->close(b);
    return ok ? DONE : FAILED;
}

int helios_restore(int argc, char **argv)
{
    struct restore_result r;
    struct log_options lo = {.format = LOG_TEXT, .level = LOG_ERROR};
    if (argc != 2 || argv[0][0] == '-') {
        fputs("Usage: helios restore FILE DIR\n", stderr);
        return CANNOT_RUN;
    }
    if (log_open(&lo) != OK || db_restore(os_real(), argv[0], argv[1], &r) != OK) return fail();
    printf("%s: %llu rows in %llu trees\n", argv[1], (unsigned long long)r.rows,
           (unsigned long long)r.trees);
    return DONE;
}
