/* Backslash commands: taking a line apart, and the table of who does what. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"
#include "shell/terminal.h"

bool shell__send(struct shell *sh, const struct run_options *options)
{
    struct strbuf sql;
    strbuf_init(&sql, NULL);
    if (sh->split.content) {
        strbuf_clear(&sh->last);
        strbuf_add(&sh->last, sh->split.text.data, sh->split.text.len);
    }
    bool empty = !sh->split.content && (!options || sh->last.len == 0);
    shell__expand(sh, strbuf_slice(&sh->last), &sql);
    splitter_reset(&sh->split);
    size_t from = strspn(sql.data, " \t\r\n");
    bool ok = empty || shell__run(sh, sql.data + from, options);
    const char *tag_words = "create alter drop";
    char first[8] = {0};
    for (size_t i = 0; i < sizeof(first) - 1 && isalpha((unsigned char)sql.data[from + i]); i++)
        first[i] = (char)tolower((unsigned char)sql.data[from + i]);
    if (first[0] && strstr(tag_words, first)) complete__forget();
    strbuf_release(&sql);
    return ok;
}

static bool do_go(struct shell *sh, const char *name, const struct arguments *a)
{
    struct run_options o = {.file = a->count ? a->word[0] : NULL,
                            .expanded = strcmp(name, "gx") == 0};
    return shell__send(sh, &o);
}

static bool do_quit(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name, (void)a;
    return sh->quit = true;
}

static bool do_echo(struct shell *sh, const char *name, const struct arguments *a)
{
    struct writer w;
    shell__writer(sh, &w);
    if (strcmp(name, "warn") == 0) w.out = stderr;
    w.rows_max = 0;
    int from = a->count && strcmp(a->word[0], "-n") == 0;
    for (int i = from; i < a->count; i++) {
        if (i > from) writer_adds(&w, " ");
        writer_adds(&w, a->word[i]);
    }
    if (!from) writer_adds(&w, "\n");
    writer_end(&w);
    writer_release(&w);
    return true;
}

static bool do_set(struct shell *sh, const char *name, const struct arguments *a)
{
    if (strcmp(name, "unset") == 0) return a->count == 0 || shell__set(sh, a->word[0], NULL);
    if (a->count == 0) {
        struct writer w; /* values may come from data, by \gset */
        shell__writer(sh, &w);
        for (int i = 0; i < sh->variable_count; i++)
            writer_addf(&w, "%s = '%s'\n", sh->variables[i].name, sh->variables[i].value);
        writer_end(&w);
        writer_release(&w);
        return true;
    }
    struct strbuf value;
    strbuf_init(&value, NULL);
    strbuf_reserve(&value, 1);
    strbuf_clear(&value);
    for (int i = 1; i < a->count; i++) strbuf_adds(&value, a->word[i]);
    bool ok = shell__set(sh, a->word[0], value.data);
    if (!ok) shell__say(sh, "ERROR", "no more than %d variables", VARIABLES_MAX);
    strbuf_release(&value);
    return ok;
}

static bool do_include(struct shell *sh, const char *name, const struct arguments *a)
{
    if (a->count != 1) return shell__say(sh, "ERROR", "\\%s: a file name is needed", name), false;
    return shell__read_file(sh, a->word[0]);
}

static bool do_output(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    if (sh->out != stdout) {
        if (sh->out_pipe) pclose(sh->out);
        else fclose(sh->out);
        sh->out = stdout;
    }
    if (a->count == 0) return true;
    sh->out_pipe = a->word[0][0] == '|';
    FILE *f = sh->out_pipe ? popen(a->word[0] + 1, "w") : fopen(a->word[0], "we");
    if (!f) return shell__say(sh, "ERROR", "%s: %s", a->word[0], strerror(errno)), false;
    sh->out = f;
    return true;
}

static bool toggle(struct shell *sh, const char *name, const struct arguments *a, bool *flag)
{
    if (a->count == 0) *flag = !*flag;
    else if (str_eq_nocase(a->word[0], "on")) *flag = true;
    else if (str_eq_nocase(a->word[0], "off")) *flag = false;
    else return shell__say(sh, "ERROR", "\\%s: on or off, not \"%s\"", name, a->word[0]), false;
    return true;
}

static bool do_toggle(struct shell *sh, const char *name, const struct arguments *a)
{
    bool expanded = strcmp(name, "x") == 0, tuples = strcmp(name, "t") == 0;
    bool *flag = expanded ? &sh->expanded : tuples ? &sh->style.tuples_only : &sh->timing;
    if (!toggle(sh, name, a, flag)) return false;
    const char *what = expanded ? "Expanded display" : tuples ? "Tuples only" : "Timing";
    if (!sh->quiet) printf("%s is %s.\n", what, *flag ? "on" : "off");
    return true;
}

static bool do_reset(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)a;
    if (strcmp(name, "r") == 0) {
        splitter_reset(&sh->split);
        return true;
    }
    const struct strbuf *text = sh->split.content ? &sh->split.text : &sh->last;
    struct writer w;
    shell__writer(sh, &w);
    if (text->len) writer_add(&w, text->data, text->len);
    writer_adds(&w, "\n");
    writer_end(&w);
    writer_release(&w);
    return true;
}

static bool do_cd(struct shell *sh, const char *name, const struct arguments *a)
{
    const char *to = a->count ? a->word[0] : getenv("HOME");
    if (to && chdir(to) == 0) return true;
    shell__say(sh, "ERROR", "\\%s: %s: %s", name, to ? to : "no home directory", strerror(errno));
    return false;
}

static const struct command {
    const char *name;
    command_fn *fn;
} commands[] = {
    {"?", command__help},       {"h", command__help},        {"help", command__help},
    {"q", do_quit},             {"quit", do_quit},           {"exit", do_quit},
    {"g", do_go},               {"gx", do_go},               {"gexec", command__gexec},
    {"gset", command__gset},    {"watch", command__watch},   {"i", do_include},
    {"ir", do_include},         {"include", do_include},     {"o", do_output},
    {"out", do_output},         {"e", command__edit},        {"edit", command__edit},
    {"p", do_reset},            {"r", do_reset},             {"set", do_set},
    {"unset", do_set},          {"echo", do_echo},           {"qecho", do_echo},
    {"warn", do_echo},          {"timing", do_toggle},       {"x", do_toggle},
    {"t", do_toggle},           {"mode", command__mode},     {"a", command__mode},
    {"pset", command__pset},    {"d", command__describe},    {"d+", command__describe},
    {"dt", command__list},      {"di", command__list},       {"dn", command__list},
    {"dv", command__list},      {"df", command__list},       {"du", command__list},
    {"dg", command__list},      {"ds", command__list},       {"dT", command__list},
    {"l", command__list},       {"list", command__list},     {"c", command__connect},
    {"connect", command__connect}, {"conninfo", command__connect}, {"copy", command__copy},
    {"cd", do_cd},              {"schema", command__schema},
};

void command__complete_names(void (*each)(void *ctx, const char *name), void *ctx)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) each(ctx, commands[i].name);
}

/* One argument in ret: '…' with backslash escapes, "…", `command`-free; :name is replaced. */
static size_t argument(struct shell *sh, const char *p, size_t n, struct strbuf *ret)
{
    size_t i = 0;
    while (i < n && !isspace((unsigned char)p[i])) {
        char c = p[i];
        if (c == '\'' || c == '"') {
            for (i++; i < n; i++) {
                if (p[i] == c && (i + 1 == n || p[i + 1] != c)) break;
                if (p[i] == c) i++;
                else if (p[i] == '\\' && c == '\'' && i + 1 < n) {
                    i++;
                    strbuf_addc(ret, p[i] == 'n' ? '\n' : p[i] == 't' ? '\t' : p[i]);
                    continue;
                }
                strbuf_addc(ret, p[i]);
            }
            i++;
        } else if (c == ':') {
            size_t end = i + 1;
            bool quote = end < n && (p[end] == '\'' || p[end] == '"');
            end += quote;
            while (end < n && (isalnum((unsigned char)p[end]) || p[end] == '_')) end++;
            if (quote && end < n) end++;
            shell__expand(sh, slice_make(p + i, end - i), ret);
            i = end;
        } else if (c == '\\') {
            break; /* the next command */
        } else {
            strbuf_addc(ret, c);
            i++;
        }
    }
    return i < n ? i : n;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void unknown(struct shell *sh, const char *name, char mark)
{
    const char *near = NULL;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands) && !near; i++)
        if (strlen(name) > 1 && strncmp(commands[i].name, name, strlen(name)) == 0)
            near = commands[i].name;
    if (near) shell__say(sh, "ERROR", "unknown command %c%s; did you mean \\%s?", mark, name, near);
    else shell__say(sh, "ERROR", "unknown command %c%s; \\? shows them all", mark, name);
}

/* Arguments of the rest of the line, for `name`; returns bytes used. */
static size_t run_command(struct shell *sh, const char *name, const char *p, size_t n)
{
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct arguments args = {.sh = sh};
    size_t i = 0;
    const struct command *c = find(name);
    bool raw = c && (c->fn == command__copy);
    size_t skip = 0;
    while (skip < n && isspace((unsigned char)p[skip])) skip++;
    args.rest = arena_strndup(&a, p + skip, n - skip);
    bool pipe = skip < n && p[skip] == '|'; /* \o |COMMAND takes the line */
    if (raw) i = n;
    if (pipe) {
        args.word[args.count++] = args.rest;
        i = n;
    }
    while (i < n) {
        while (i < n && isspace((unsigned char)p[i])) i++;
        if (i == n || p[i] == '\\') break;
        struct strbuf word;
        strbuf_init(&word, &a);
        strbuf_reserve(&word, 1);
        strbuf_clear(&word);
        i += argument(sh, p + i, n - i, &word);
        if (args.count < ARGUMENTS_MAX) args.word[args.count++] = word.data;
    }
    if (i + 1 < n && p[i] == '\\' && p[i + 1] == '\\') i += 2; /* \\ parts commands */
    if (!c) unknown(sh, name, '\\');
    else if (!c->fn(sh, name, &args)) sh->failed = true;
    fflush(stdout);
    arena_release(&a);
    return i;
}

size_t shell__command(struct shell *sh, struct slice in)
{
    char name[32];
    size_t i = 1, n = 0;
    if (i < in.len && ispunct((unsigned char)in.data[i])) name[n++] = in.data[i++];
    while (i < in.len && n + 1 < sizeof(name) &&
           (isalnum((unsigned char)in.data[i]) || in.data[i] == '+'))
        name[n++] = in.data[i++];
    name[n] = '\0';
    if (n > 1 && name[n - 1] == '+' && strcmp(name, "d+") != 0) name[--n] = '\0';
    return i + run_command(sh, name, in.data + i, in.len - i);
}

/* The commands of SQLite's and DuckDB's shells, by their names. */
bool shell__dot_command(struct shell *sh, struct slice line)
{
    static const struct {
        const char *dot, *name;
    } aliases[] = {{"tables", "dt"},       {"schema", "schema"},
                   {"mode", "mode"},       {"timer", "timing"},
                   {"read", "i"},          {"quit", "q"},
                   {"exit", "q"},          {"help", "?"},
                   {"output", "o"},        {"open", "c"},
                   {"databases", "l"},     {"indexes", "di"},
                   {"echo", "echo"},       {"print", "echo"},
                   {"cd", "cd"},           {"nullvalue", "nullvalue"},
                   {"maxrows", "maxrows"}, {"headers", "headers"}};
    if (line.len < 2 || line.data[0] != '.' || !isalpha((unsigned char)line.data[1])) return false;
    char name[32];
    size_t i = 1, n = 0;
    while (i < line.len && n + 1 < sizeof(name) && isalnum((unsigned char)line.data[i]))
        name[n++] = line.data[i++];
    name[n] = '\0';
    struct strbuf rest;
    strbuf_init(&rest, NULL);
    strbuf_add(&rest, line.data + i, line.len - i);
    const char *target = NULL;
    for (size_t k = 0; k < sizeof(aliases) / sizeof(*aliases); k++)
        if (strcmp(aliases[k].dot, name) == 0) target = aliases[k].name;
    if (!target) {
        unknown(sh, name, '.');
    } else if (strcmp(target, "nullvalue") == 0 || strcmp(target, "maxrows") == 0) {
        struct strbuf set;
        strbuf_init(&set, NULL);
        strbuf_addf(&set, "%s %.*s", target[0] == 'n' ? "null" : target, (int)rest.len, rest.data);
        run_command(sh, "pset", set.data, set.len);
        strbuf_release(&set);
    } else if (strcmp(target, "headers") == 0) {
        sh->style.tuples_only = memmem(rest.data, rest.len, "off", 3) != NULL;
    } else {
        run_command(sh, target, rest.data, rest.len);
    }
    strbuf_release(&rest);
    return true;
}
