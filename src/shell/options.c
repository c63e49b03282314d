/* The command line of `helios sql`, and the life of a shell. */
#include "shell/shell.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"

enum { ACTIONS_MAX = 256 };

struct action {
    bool file;
    const char *text;
};

struct options {
    struct action actions[ACTIONS_MAX];
    int count;
    const char *output;
    bool help, single;
};

static const char usage[] =
    "helios sql: the SQL shell\n"
    "\n"
    "Usage: helios sql [OPTION]... [DIR | postgresql://USER@HOST:PORT/DATABASE]\n"
    "\n"
    "Without a name: a database in memory. DIR: a database directory, opened in this process.\n"
    "An address, or any of -h -p -U -d: a server that speaks PostgreSQL's protocol.\n"
    "\n"
    "  -h HOST  -p PORT  -U USER  -d DATABASE  -W   the server; -W asks for a password\n"
    "  -c TEXT              run TEXT and leave; may be given again\n"
    "  -f FILE              run FILE and leave; - is standard input\n"
    "  -1, --single-transaction   all of -c and -f in one transaction\n"
    "  -v NAME=VALUE        set a variable; ON_ERROR_STOP=1 stops scripts at an error\n"
    "  -o FILE              results to FILE\n"
    "  --table --line --csv --tsv --json --jsonlines --markdown --html   output mode\n"
    "  -A -t -x             unaligned, rows alone, records\n"
    "  -F TEXT  -P NAME=VALUE     separator; as \\pset\n"
    "  -q                   no tags and notices\n"
    "  --help               this text\n"
    "\n"
    "Exit codes: 0 fine, 1 the shell's trouble or an error in -c, 2 no connection, 3 a script\n"
    "stopped at an error. docs/shell.md tells all.\n";

static bool bad(const char *what, const char *which)
{
    fprintf(stderr, "helios sql: %s%s; --help shows the options\n", what, which);
    return false;
}

static bool assignment(struct shell *sh, const char *text, bool pset)
{
    const char *eq = strchr(text, '=');
    char name[128];
    snprintf(name, sizeof(name), "%.*s", (int)(eq ? eq - text : (int)strlen(text)), text);
    if (!pset) return shell__set(sh, name, eq ? eq + 1 : "");
    struct arguments a = {.word = {name, eq ? eq + 1 : NULL}, .count = eq ? 2 : 1};
    return command__pset(sh, "pset", &a);
}

static bool action(struct options *o, bool file, const char *text)
{
    if (o->count == ACTIONS_MAX) return bad("too many -c and -f", "");
    o->actions[o->count++] = (struct action){file, text};
    return true;
}

/* An option that takes a value. */
static bool valued(struct shell *sh, struct options *o, char letter, const char *v)
{
    struct backend_target *t = &sh->target;
    if (strchr("hpUd", letter)) t->server = true;
    switch (letter) {
    case 'h': t->host = v; return true;
    case 'p': t->port = v; return true;
    case 'U': t->user = v; return true;
    case 'd': t->database = v; return true;
    case 'c': return action(o, false, v);
    case 'f': return action(o, true, v);
    case 'o': o->output = v; return true;
    case 'v': return assignment(sh, v, false);
    case 'P': return assignment(sh, v, true);
    default: snprintf(sh->style.separator, sizeof(sh->style.separator), "%s", v); return true;
    }
}

static bool flag(struct shell *sh, struct options *o, char letter)
{
    switch (letter) {
    case 'A': sh->style.mode = MODE_UNALIGNED; return true;
    case 't': sh->style.tuples_only = true; return true;
    case 'x': sh->expanded = true; return true;
    case 'q': sh->quiet = true; return true;
    case 'W': sh->target.ask_password = true; return true;
    case '1': o->single = true; return true;
    case 'X': case 'w': return true; /* psql's: no start-up file, no password prompt asked for */
    default: return false;
    }
}

static bool long_option(struct shell *sh, struct options *o, const char *arg, const char *next,
                        int *i)
{
    static const struct {
        const char *name;
        char letter;
    } names[] = {{"host", 'h'},
                 {"port", 'p'},
                 {"username", 'U'},
                 {"dbname", 'd'},
                 {"command", 'c'},
                 {"file", 'f'},
                 {"output", 'o'},
                 {"variable", 'v'},
                 {"set", 'v'},
                 {"pset", 'P'},
                 {"field-separator", 'F'},
                 {"no-align", 'A'},
                 {"tuples-only", 't'},
                 {"expanded", 'x'},
                 {"quiet", 'q'},
                 {"password", 'W'},
                 {"single-transaction", '1'},
                 {"no-psqlrc", 'X'},
                 {"no-password", 'w'}};
    const char *eq = strchr(arg, '=');
    size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
    char name[32];
    snprintf(name, sizeof(name), "%.*s", (int)n, arg);
    if (strcmp(name, "help") == 0) return o->help = true;
    if (mode_find(name, &sh->style.mode)) return true;
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
        if (strcmp(names[k].name, name) != 0) continue;
        if (flag(sh, o, names[k].letter)) return true;
        const char *v = eq ? eq + 1 : next;
        if (!v) return bad("a value is missing for --", name);
        if (!eq) ++*i;
        return valued(sh, o, names[k].letter, v);
    }
    return bad("unknown option --", name);
}

static bool place(struct shell *sh, const char *arg, int *places)
{
    struct backend_target *t = &sh->target;
    if (++*places > 2) return bad("too many names: ", arg);
    bool address = strncmp(arg, "postgresql://", 13) == 0 || strncmp(arg, "postgres://", 11) == 0;
    if (address) t->address = arg, t->server = true;
    else if (t->server && !t->database) t->database = arg;
    else if (t->server) t->user = arg;
    else if (strcmp(arg, ":memory:") != 0) t->path = arg;
    return true;
}

static bool parse(struct shell *sh, struct options *o, int argc, char **argv)
{
    const char *places[2];
    int count = 0, seen = 0;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (a[0] != '-' || a[1] == '\0') {
            if (count == 2) return bad("too many names: ", a);
            places[count++] = a;
        } else if (a[1] == '-') {
            if (!long_option(sh, o, a + 2, i + 1 < argc ? argv[i + 1] : NULL, &i)) return false;
        } else {
            for (const char *p = a + 1; *p; p++) {
                if (flag(sh, o, *p)) continue;
                if (!strchr("hpUdcfovPF", *p)) return bad("unknown option ", a);
                const char *v = p[1] ? p + 1 : i + 1 < argc ? argv[++i] : NULL;
                if (!v) return bad("a value is missing for ", a);
                if (!valued(sh, o, *p, v)) return false;
                break;
            }
        }
    }
    for (int i = 0; i < count; i++)
        if (!place(sh, places[i], &seen)) return false;
    return true;
}

static void prepare(struct shell *sh)
{
    bool terminal = isatty(STDOUT_FILENO);
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    arena_init(&sh->arena, MEM_SESSION);
    splitter_init(&sh->split);
    strbuf_init(&sh->last, NULL);
    strbuf_reserve(&sh->last, 64);
    strbuf_clear(&sh->last);
    sh->out = stdout;
    sh->screen = terminal;
    sh->colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    sh->pager = true;
    sh->style = (struct style){.mode = MODE_TABLE, .rows_max = 1000};
    sh->target.notice = shell__notice;
    sh->target.notice_ctx = sh;
}

static int status(const struct shell *sh, bool script)
{
    if (sh->lost && !sh->interactive) return EXIT_LOST;
    if (!sh->failed || sh->interactive) return EXIT_FINE;
    return script ? (shell__flag(sh, "ON_ERROR_STOP") ? EXIT_SCRIPT : EXIT_FINE) : EXIT_TROUBLE;
}

static int run_actions(struct shell *sh, const struct options *o)
{
    int code = EXIT_FINE;
    if (o->single) shell__run(sh, "BEGIN", &(struct run_options){.quiet = true});
    for (int i = 0; i < o->count && code == EXIT_FINE && !sh->quit; i++) {
        const struct action *a = &o->actions[i];
        sh->failed = false;
        if (a->file) {
            if (!shell__read_file(sh, a->text)) code = EXIT_TROUBLE;
            else code = status(sh, true);
        } else {
            const char *stop = shell__get(sh, "ON_ERROR_STOP");
            char *before = stop ? arena_strdup(&sh->arena, stop) : NULL;
            shell__set(sh, "ON_ERROR_STOP", "1"); /* a -c ends at its first error */
            shell__read_text(sh, NULL, a->text);
            shell__set(sh, "ON_ERROR_STOP", before);
            int ended = status(sh, false);
            bool last = i + 1 == o->count;
            if (ended == EXIT_LOST || last || shell__flag(sh, "ON_ERROR_STOP")) code = ended;
        }
    }
    if (o->single && !sh->lost)
        shell__run(sh, code == EXIT_FINE ? "COMMIT" : "ROLLBACK",
                   &(struct run_options){.quiet = true});
    return code;
}

static int interact(struct shell *sh)
{
    sh->interactive = line__open(sh);
    if (!sh->quiet) {
        struct strbuf b;
        strbuf_init(&b, NULL);
        sh->b->ops->describe(sh->b, &b);
        shell__say(sh, NULL, "%s\nType \\? for help, \\q to leave.", b.data);
        strbuf_release(&b);
    }
    shell__read_text(sh, NULL, NULL);
    line__close();
    return EXIT_FINE;
}

static void finish(struct shell *sh)
{
    complete__forget();
    if (sh->b) sh->b->ops->close(sh->b);
    if (sh->out != stdout) sh->out_pipe ? pclose(sh->out) : fclose(sh->out);
    while (sh->variable_count > 0) shell__set(sh, sh->variables[0].name, NULL);
    splitter_release(&sh->split);
    strbuf_release(&sh->last);
    arena_release(&sh->arena);
    mem_free(MEM_SESSION, sh);
}

static int run(struct shell *sh, struct options *o)
{
    struct strbuf why;
    strbuf_init(&why, NULL);
    sh->b = sh->target.server ? backend_server_open(&sh->target, &why)
                              : backend_library_open(&sh->target, &why);
    if (!sh->b) {
        shell__say(sh, NULL, "helios sql: %s", why.data);
        strbuf_release(&why);
        return EXIT_LOST;
    }
    strbuf_release(&why);
    if (!progress_open(isatty(STDERR_FILENO))) return EXIT_TROUBLE;
    int code = EXIT_FINE;
    struct arguments out = {.word = {o->output}, .count = o->output != NULL};
    if (o->output) {
        char line[1100];
        snprintf(line, sizeof(line), "\\o '%s'", out.word[0]);
        shell__command(sh, slice_of(line));
        code = sh->out == stdout ? EXIT_TROUBLE : EXIT_FINE;
    }
    if (code != EXIT_FINE) {}
    else if (o->count) code = run_actions(sh, o);
    else if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) code = interact(sh);
    else {
        shell__read_file(sh, "-");
        code = status(sh, true);
    }
    progress_close();
    return fflush(stdout) == 0 ? code : EXIT_TROUBLE;
}

int shell_main(int argc, char **argv)
{
    struct shell *sh = mem_alloc(MEM_SESSION, sizeof(*sh));
    struct options o = {0};
    int code = EXIT_TROUBLE;
    prepare(sh);
    if (parse(sh, &o, argc, argv)) {
        if (o.help) fputs(usage, stdout);
        code = o.help ? EXIT_FINE : run(sh, &o);
    }
    finish(sh);
    return code;
}
