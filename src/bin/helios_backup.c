/* `helios backup SOURCE FILE`: asks a server, or the engine in this process for a directory that nobody else has
 * open, for helios_backup(). `helios restore FILE DIR` makes a directory of it, and of archived log;
 * `helios verify FILE` reads all of it. */
#include "bin/helios_backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hlc.h"
#include "base/log.h"
#include "bin/literal.h"
#include "core/backup.h"
#include "shell/backend.h"
#include "types/datetime.h"
#include "types/value.h"

enum { DONE = 0, FAILED = 1, CANNOT_RUN = 2 };

static int fail(void)
{
    const struct error *e = error_current();
    fprintf(stderr, "helios: %s\n", e->message);
    if (e->detail[0]) fprintf(stderr, "  %s\n", e->detail);
    if (e->hint[0]) fprintf(stderr, "  hint: %s\n", e->hint);
    return FAILED;
}

static bool keep_number(void *ctx, const char *const *values, const int *lengths)
{
    (void)lengths;
    *(long long *)ctx = values[0] ? atoll(values[0]) : 0;
    return true;
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

static int backup_usage(void)
{
    fputs("Usage: helios backup DIR|ADDRESS FILE [--compress] [--incremental-from FILE]\n", stderr);
    return CANNOT_RUN;
}

struct backup_call {
    const char *source, *file;
    bool compress, incremental;
    char path[OS_PATH_MAX], previous[OS_PATH_MAX];
};

static bool read_backup_options(int argc, char **argv, struct backup_call *c)
{
    if (argc < 2 || argv[0][0] == '-' || argv[1][0] == '-' || !absolute(argv[1], c->path)) return false;
    c->source = argv[0];
    c->file = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--compress") == 0 && !c->compress) {
            c->compress = true;
        } else if (strcmp(argv[i], "--incremental-from") == 0 && !c->incremental && i + 1 < argc) {
            c->incremental = absolute(argv[++i], c->previous);
            if (!c->incremental) return false;
        } else {
            return false;
        }
    }
    return true;
}

int helios_backup(int argc, char **argv)
{
    struct backup_call c = {0};
    if (!read_backup_options(argc, argv, &c)) return backup_usage();
    struct backend *b = open_source(c.source);
    if (!b) return CANNOT_RUN;
    struct strbuf sql;
    long long bytes = 0;
    struct backend_sink sink = {.row = keep_number, .ctx = &bytes};
    strbuf_init(&sql, NULL);
    strbuf_adds(&sql, "SELECT helios_backup(");
    literal_add(&sql, c.path);
    if (c.incremental) {
        strbuf_adds(&sql, ", ");
        literal_add(&sql, c.previous);
    }
    strbuf_adds(&sql, c.compress ? ", true)" : ")");
    bool ok = b->ops->run(b, sql.data, &sink);
    if (ok) printf("%s: %lld bytes\n", c.file, bytes);
    else fprintf(stderr, "helios: %s\n", b->error.message.data);
    if (!ok && b->error.hint.len) fprintf(stderr, "  hint: %s\n", b->error.hint.data);
    strbuf_release(&sql);
    b->ops->close(b);
    return ok ? DONE : FAILED;
}

/* --- restore ------------------------------------------------------------------------------------ */

static int restore_usage(void)
{
    fputs("Usage: helios restore FILE DIR [--archive DIR [--to latest | --to-time TIME | --to-transaction N]]\n",
          stderr);
    return CANNOT_RUN;
}

/* All commits of that microsecond count. */
static bool read_time(const char *text, uint64_t *ret)
{
    struct arena a;
    union value v;
    arena_init(&a, MEM_SESSION);
    bool ok = value_from_text(TYPE_TIMESTAMPTZ, -1, slice_of(text), &format_default, &a, &v) == OK;
    arena_release(&a);
    int64_t wall = ok ? v.i64 + PG_EPOCH_US : 0;
    if (!ok || v.i64 == INT64_MAX || v.i64 == INT64_MIN || wall < 0) return false;
    *ret = hlc_from_wall_us(wall) | ((1u << HLC_COUNTER_BITS) - 2);
    return true;
}

static bool read_options(int argc, char **argv, struct restore_options *o)
{
    bool to = false;
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--archive") == 0 && !o->archive) {
            o->archive = value;
            continue;
        }
        if (to) return false;
        to = true;
        if (strcmp(name, "--to") == 0 && strcmp(value, "latest") == 0) {
            o->target = RESTORE_LATEST;
        } else if (strcmp(name, "--to-time") == 0 && read_time(value, &o->target_ts)) {
            o->target = RESTORE_TIME;
        } else if (strcmp(name, "--to-transaction") == 0 && str_to_u64(slice_of(value), &o->target_ts)) {
            o->target = RESTORE_COMMIT;
        } else {
            return false;
        }
    }
    if (o->archive && !to) o->target = RESTORE_LATEST;
    return o->archive || !to;
}

static void print_moment(const char *what, uint64_t ts)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    value_to_text(TYPE_TIMESTAMPTZ, &(union value){.i64 = hlc_wall_us(ts) - PG_EPOCH_US}, &format_default, &b);
    printf("%s transaction %llu, %s\n", what, (unsigned long long)ts, b.data);
    strbuf_release(&b);
}

int helios_restore(int argc, char **argv)
{
    struct restore_result r;
    struct restore_options o = {.os = os_real()};
    struct log_options lo = {.format = LOG_TEXT, .level = LOG_ERROR};
    if (argc < 2 || argv[0][0] == '-' || argv[1][0] == '-') return restore_usage();
    if (log_open(&lo) != OK) return fail();
    if (!read_options(argc, argv, &o)) {
        if (error_current()->message[0]) return (void)fail(), CANNOT_RUN;
        return restore_usage();
    }
    o.path = argv[0];
    o.dir = argv[1];
    if (store_restore(&o, &r) != OK) return fail();
    printf("%s: %llu runs, %llu log segments\n", argv[1], (unsigned long long)r.backup.runs,
           (unsigned long long)r.segments);
    print_moment("as of", r.last_ts);
    return DONE;
}

int helios_verify_backup(const char *path)
{
    struct backup_info i;
    struct log_options lo = {.format = LOG_TEXT, .level = LOG_ERROR};
    if (log_open(&lo) != OK || backup_verify(os_real(), path, &i) != OK) return fail();
    printf("%s: sound, %llu bytes, %llu runs, %llu of them here, %u other backups needed\n", path,
           (unsigned long long)i.bytes, (unsigned long long)i.runs, (unsigned long long)i.own_runs,
           i.previous_count);
    print_moment("as of", i.ts);
    return DONE;
}
