/* The server: flags, settings, signals; everything else is below. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "bin/demo.h"
#include "bin/start_check.h"
#include "db/db.h"
#include "gateway/gateway.h"
#include "gateway/http/server.h"

extern char **environ;

struct server {
    struct config *config;
    struct sched *sched;
    struct pool *background, *analytic;
    struct db *db;
    struct gateway *gateway, *http;
};

struct flags {
    const char *config_file;
    bool demo, help, version;
};

static void print_help(void)
{
    puts("heliosd, the HeliosDB server\n"
         "\n"
         "Usage: heliosd [--data DIR] [--listen ADDR] [--pg-port N] [--config FILE] [--demo]\n"
         "               [--set NAME=VALUE]\n"
         "\n"
         "  --data DIR        directory that holds the database (default ./helios-data)\n"
         "  --listen ADDR     address to listen on (default 127.0.0.1)\n"
         "  --pg-port N       port of the PostgreSQL protocol (default 5432; 0 picks a free one)\n"
         "  --http-port N     port of health and metrics over HTTP (default off; 0: a free one)\n"
         "  --config FILE     settings file (default helios.conf in the data directory)\n"
         "  --demo            fill an empty database with a small shop\n"
         "  --insecure        allow other addresses than loopback without password or TLS\n"
         "  --set NAME=VALUE  any setting; docs/settings.md lists them\n"
         "  --version, --help");
}

/* --- flags ------------------------------------------------------------------------------------- */

static enum status set_pair(struct config *c, char *pair)
{
    char *value = strchr(pair, '=');
    if (!value) return FAIL(INVALID_PARAMETER_VALUE, "--set wants NAME=VALUE, not \"%s\"", pair);
    *value++ = '\0';
    return config_set(c, pair, value, SOURCE_FLAG);
}

static enum status read_flags(int argc, char **argv, struct config *c, struct flags *f)
{
    static const struct {
        const char *flag, *setting;
    } named[] = {{"--data", "data_dir"}, {"--listen", "listen"}, {"--pg-port", "pg_port"},
                 {"--http-port", "http_port"}};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "--help")) f->help = true;
        else if (!strcmp(a, "--version")) f->version = true;
        else if (!strcmp(a, "--demo")) f->demo = true;
        else if (!strcmp(a, "--insecure"))
            TRY(config_set(c, "auth.allow_insecure", "on", SOURCE_FLAG));
        else if (i + 1 >= argc)
            return FAIL(INVALID_PARAMETER_VALUE, "unknown option or missing value: %s", a);
        else if (!strcmp(a, "--config")) f->config_file = argv[++i];
        else if (!strcmp(a, "--set")) TRY(set_pair(c, argv[++i]));
        else {
            const char *setting = NULL;
            for (size_t k = 0; k < sizeof named / sizeof *named; k++)
                if (!strcmp(a, named[k].flag)) setting = named[k].setting;
            if (!setting) return FAIL(INVALID_PARAMETER_VALUE, "unknown option: %s", a);
            TRY(config_set(c, setting, argv[++i], SOURCE_FLAG));
        }
    }
    return OK;
}

static enum status read_settings(struct config *c, const struct flags *f)
{
    char path[OS_PATH_MAX];
    TRY(config_load_env(c, environ));
    if (f->config_file) return config_load_file(c, f->config_file);
    snprintf(path, sizeof path, "%s/helios.conf", config_string(c, "data_dir"));
    return os_exists(os_real(), path) ? config_load_file(c, path) : OK;
}

static enum status open_log(const struct config *c)
{
    struct log_options o = {.format = LOG_TEXT};
    (void)log_parse_level(config_string(c, "log.level"), &o.level);
    if (!strcmp(config_string(c, "log.format"), "json")) o.format = LOG_JSON;
    if (config_string(c, "log.path")[0]) o.path = config_string(c, "log.path");
    return log_open(&o);
}

/* --- open files -------------------------------------------------------------------------------- */

/* Each session is an open file, and so is every 256 MB of data. The soft limit of 1,024 that a login
 * gives (for the sake of select(), which nothing here calls) would stop both, so it is raised as far
 * as the hard one goes. Where that is too low, too, sessions give way: a client that is refused may
 * come again, a flush that cannot make its file stops every writer. */
static enum status provide_files(struct config *c)
{
    enum { FILES_KEPT = 1024 }; /* for data, log, COPY and the scheduler */
    struct rlimit r;
    int64_t wanted = config_int(c, "max_connections");
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return FAIL(SYSTEM_ERROR, "could not read the limit of open files: %s", strerror(errno));
    rlim_t before = r.rlim_cur;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0) r.rlim_cur = before;
    int64_t limit = r.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)r.rlim_cur;
    int64_t room = limit - (limit / 2 < FILES_KEPT ? limit / 2 : FILES_KEPT);
    if (wanted <= room) return OK;
    if (room < 1) room = 1;
    LOG(LOG_WARNING, "server",
        "max_connections is %lld in place of %lld: only %lld files may be open; "
        "raise the hard limit (ulimit -Hn, or LimitNOFILE of systemd)",
        (long long)room, (long long)wanted, (long long)limit);
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)room);
    return config_set(c, "max_connections", text, SOURCE_FLAG);
}

/* --- running ----------------------------------------------------------------------------------- */

static enum status start(struct server *s)
{
    const struct config *c = s->config;
    unsigned front = (unsigned)config_int(c, "front_workers");
    /* One core is left to clients, the log's writers and long queries: where all cores are taken by
     * threads that never rest, each waits for its turn, and the tail of latencies is the kernel's slice. */
    if (!front) front = cpu_count() > 1 ? cpu_count() - 1 : 1;
    struct sched_options so = {.workers = front,
                               .spin_us_max = config_int(c, "net.spin_us")};
    struct pool_options po = {.name = "background", .nice = 5, .queue_max = 1024,
                              .threads = (unsigned)config_int(c, "background_workers")};
    /* Well below the front workers, so that short statements keep their latency. */
    struct pool_options ao = {.name = "analytic", .nice = 10, .queue_max = 1024,
                              .threads = (unsigned)config_int(c, "analytic_workers")};
    if (!ao.threads) ao.threads = cpu_count();
    if (po.threads < 2) po.threads = 2; /* flushes must not stand behind a compaction */
    TRY(pool_start(&po, &s->background));
    TRY(pool_start(&ao, &s->analytic));
    struct db_options dbo = {.os = os_real(), .config = c, .background = s->background,
                             .analytic = s->analytic};
    TRY(db_open(&dbo, &s->db));
    TRY(sched_start(&so, &s->sched));
    return OK;
}

static enum status listen_on(struct server *s)
{
    const struct config *c = s->config;
    struct gateway_options go = {.db = s->db, .config = c, .sched = s->sched,
                                 .address = config_string(c, "listen"),
                                 .port = (int)config_int(c, "pg_port")};
    TRY(gateway_start(&go, &s->gateway));
    LOG(LOG_NOTICE, "server", "ready: postgresql on %s:%d", go.address, gateway_port(s->gateway));
    return OK;
}

/* Health and metrics, before clients are let in. */
static enum status listen_for_operators(struct server *s)
{
    enum { CLIENTS_MAX = 64 };
    const struct config *c = s->config;
    struct gateway_options go = {.db = s->db, .config = c, .sched = s->sched,
                                 .address = config_string(c, "http_listen"),
                                 .port = (int)config_int(c, "http_port"),
                                 .protocol = &gateway_operations, .client_max = CLIENTS_MAX};
    if (go.port < 0) return OK;
    TRY(gateway_start(&go, &s->http));
    LOG(LOG_NOTICE, "server", "http on %s:%d", go.address, gateway_port(s->http));
    return OK;
}

/* HTTP is last, so that who asks for health while sessions end is told. */
static void stop(struct server *s)
{
    if (s->db) db_begin_shutdown(s->db);
    if (s->gateway) gateway_stop(s->gateway);
    if (s->http) gateway_stop(s->http);
    if (s->sched) sched_stop(s->sched);
    if (s->db && db_close(s->db) != OK) log_error(LOG_ERROR, "server");
    if (s->analytic) pool_stop(s->analytic);
    if (s->background) pool_stop(s->background);
}

/* The main thread waits, and makes a checkpoint now and then. */
static void wait_for_signal(struct server *s)
{
    sigset_t set;
    int got = -1;
    int64_t ms = config_int(s->config, "checkpoint_interval");
    struct timespec interval = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    while (got < 0) {
        got = sigtimedwait(&set, NULL, &interval);
        if (got < 0 && errno == EAGAIN && db_checkpoint(s->db) != OK) log_error(LOG_ERROR, "server");
    }
    LOG(LOG_NOTICE, "server", "stopping: signal %d", got);
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of its write */
}

static int fail(enum exit_code code)
{
    const struct error *e = error_current();
    fprintf(stderr, "heliosd: %s\n", e->message);
    if (e->detail[0]) fprintf(stderr, "  %s\n", e->detail);
    if (e->hint[0]) fprintf(stderr, "  hint: %s\n", e->hint);
    return (int)code;
}

static enum status serve(struct server *s, const struct flags *f, enum exit_code *ret_code)
{
    TRY(open_log(s->config));
    *ret_code = EXIT_DATA_DIR;
    TRY(start_check_data_dir(config_string(s->config, "data_dir")));
    *ret_code = EXIT_OTHER;
    TRY(provide_files(s->config));
    TRY(start(s));
    if (f->demo) TRY(demo_fill(s->db));
    *ret_code = EXIT_PORT;
    TRY(listen_for_operators(s));
    TRY(listen_on(s));
    if (f->demo) demo_print_commands(gateway_port(s->gateway));
    wait_for_signal(s);
    return OK;
}

static int run(struct server *s, struct flags *f, int argc, char **argv)
{
    if (read_flags(argc, argv, s->config, f) != OK) return fail(EXIT_USAGE);
    if (f->help) {
        print_help();
        return 0;
    }
    if (f->version) {
        puts("heliosd (HeliosDB) " HELIOS_VERSION);
        return 0;
    }
    if (read_settings(s->config, f) != OK) return fail(EXIT_SETTINGS);
    block_signals();
    enum exit_code why = EXIT_SETTINGS;
    enum status st = serve(s, f, &why);
    int code = st == OK ? 0 : fail(start_exit_code(st, why));
    stop(s);
    return code;
}

/* Of what queries free so much stays with the process: else the kernel takes pages of a megabyte apart and clears
 * them again, in each query, which is a quarter of a short analytic one. */
static void keep_freed_memory(void)
{
    enum { MIB = 1 << 20 };
    (void)mallopt(M_MMAP_THRESHOLD, 32 * MIB); /* the most that it may be */
    (void)mallopt(M_TRIM_THRESHOLD, 256 * MIB);
    (void)mallopt(M_TOP_PAD, 64 * MIB);
}

int main(int argc, char **argv)
{
    keep_freed_memory();
    struct server s = {.config = config_new()};
    struct flags f = {0};
    int code = run(&s, &f, argc, argv);
    config_free(s.config);
    return code;
}
