/* Runs one statement and shows what comes of it: rows, a tag, the time, or what went wrong. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"
#include "shell/terminal.h"
#include "shell/width.h"

static void escaped(struct strbuf *out, const char *s) { width_escape(out, slice_of(s), "\n\t"); }

static void severity_to(struct shell *sh, struct strbuf *b, const char *severity)
{
    const char *colour = !sh->colour                        ? ""
                         : strcmp(severity, "WARNING") == 0 ? "\033[33;1m"
                         : strcmp(severity, "NOTICE") == 0 || strcmp(severity, "INFO") == 0
                             ? "\033[36m"
                             : "\033[31;1m";
    strbuf_adds(b, colour);
    escaped(b, severity);
    strbuf_addf(b, ":%s ", sh->colour ? "\033[0m" : "");
}

static void where_to(struct shell *sh, struct strbuf *b)
{
    if (sh->source && sh->source->name) {
        escaped(b, sh->source->name);
        strbuf_addf(b, ":%lld: ", (long long)sh->source->line);
    }
}

static void put_error(struct strbuf *b)
{
    fflush(stdout);
    progress_erase();
    if (b->len) fwrite(b->data, 1, b->len, stderr);
    fflush(stderr);
    strbuf_release(b);
}

void shell__say(struct shell *sh, const char *severity, const char *fmt, ...)
{
    struct strbuf raw, b;
    strbuf_init(&raw, NULL);
    strbuf_init(&b, NULL);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&raw, fmt, ap);
    va_end(ap);
    where_to(sh, &b);
    if (severity) severity_to(sh, &b, severity);
    if (raw.len) escaped(&b, raw.data);
    strbuf_addc(&b, '\n');
    put_error(&b);
    strbuf_release(&raw);
    if (severity && strcmp(severity, "ERROR") == 0) sh->failed = true;
}

void shell__notice(void *ctx, const char *severity, const char *message, const char *detail,
                   const char *hint)
{
    struct shell *sh = ctx;
    struct strbuf b;
    if (sh->quiet && strcmp(severity, "WARNING") != 0) return;
    strbuf_init(&b, NULL);
    where_to(sh, &b);
    severity_to(sh, &b, severity);
    escaped(&b, message);
    strbuf_addc(&b, '\n');
    if (*detail) strbuf_adds(&b, "DETAIL:  "), escaped(&b, detail), strbuf_addc(&b, '\n');
    if (*hint) strbuf_adds(&b, "HINT:  "), escaped(&b, hint), strbuf_addc(&b, '\n');
    put_error(&b);
}

/* The line that the position is in, and a caret under it; long lines are cut around the place. */
static void caret_to(struct strbuf *b, const char *sql, int position)
{
    enum { SIDE = 60 };
    const char *line = sql, *p = sql, *end = sql + strlen(sql);
    int number = 1;
    size_t n;
    for (int i = 1; i < position && p < end; i++) {
        width_decode(slice_make(p, (size_t)(end - p)), &n);
        if (*p == '\n') line = p + 1, number++;
        p += n;
    }
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    if (!stop) stop = end;
    struct strbuf before, after;
    strbuf_init(&before, NULL);
    strbuf_init(&after, NULL);
    strbuf_addf(b, "LINE %d: ", number);
    size_t head = 6 + (size_t)(number > 9) + (size_t)(number > 99) + (size_t)(number > 999);
    width_escape(&before, slice_make(line, (size_t)(p - line)), "");
    width_escape(&after, slice_make(p, (size_t)(stop - p)), "");
    size_t from = 0;
    while (before.len - from > SIDE) { /* whole characters go */
        width_decode(slice_make(before.data + from, before.len - from), &n);
        from += n;
    }
    struct slice shown = slice_make(before.data + from, before.len - from);
    int cells, after_cells;
    size_t fits = after.len ? width_fit(strbuf_slice(&after), SIDE, &after_cells) : 0;
    cells = width_text(shown);
    strbuf_addf(b, "%s%.*s%.*s%s\n", from ? "..." : "", (int)shown.len,
                shown.data ? shown.data : "", (int)fits, after.data ? after.data : "",
                fits < after.len ? "..." : "");
    for (size_t i = 0; i < head + 2 + (size_t)cells + (from ? 3 : 0); i++) strbuf_addc(b, ' ');
    strbuf_adds(b, "^\n");
    strbuf_release(&before);
    strbuf_release(&after);
}

static void part_to(struct strbuf *b, const char *label, const struct strbuf *text)
{
    if (text->len == 0) return;
    strbuf_adds(b, label);
    escaped(b, text->data);
    strbuf_addc(b, '\n');
}

static void show_error(struct shell *sh, const char *sql)
{
    const struct backend_error *e = &sh->b->error;
    const char *verbosity = shell__get(sh, "VERBOSITY");
    bool terse = verbosity && str_eq_nocase(verbosity, "terse");
    bool verbose = verbosity && str_eq_nocase(verbosity, "verbose");
    struct strbuf b;
    strbuf_init(&b, NULL);
    where_to(sh, &b);
    severity_to(sh, &b, e->severity);
    escaped(&b, e->message.data);
    if (e->sqlstate[0] && !terse) {
        strbuf_adds(&b, sh->colour ? " \033[2m(" : " (");
        escaped(&b, e->sqlstate);
        strbuf_adds(&b, sh->colour ? ")\033[0m" : ")");
    }
    strbuf_addc(&b, '\n');
    if (e->position > 0) caret_to(&b, sql, e->position);
    if (!terse) {
        part_to(&b, "DETAIL:  ", &e->detail);
        part_to(&b, "HINT:  ", &e->hint);
        part_to(&b, "CONTEXT:  ", &e->context);
        if (verbose) part_to(&b, "WHERE:  ", &e->where);
    }
    put_error(&b);
    sh->failed = true;
    shell__set(sh, "ERROR", "true");
    shell__set(sh, "SQLSTATE", e->sqlstate);
    shell__set(sh, "LAST_ERROR_MESSAGE", e->message.data);
}

/* --- one statement */

struct run {
    struct shell *sh;
    struct run_options o;
    struct style style;
    struct format format;
    struct writer writer;
    bool formatting, copying;
};

void shell__writer(struct shell *sh, struct writer *w)
{
    int columns, rows;
    bool screen = sh->screen && sh->out == stdout;
    terminal_size(&columns, &rows);
    writer_init(w, sh->out, screen, screen && sh->interactive && sh->pager ? rows - 1 : 0);
}

static bool on_columns(void *ctx, int n, const struct backend_column *columns)
{
    struct run *r = ctx;
    format_begin(&r->format, &r->style, &r->writer, r->o.title, n, columns);
    r->formatting = true;
    return true;
}

static bool on_row(void *ctx, const char *const *values, const int *lengths)
{
    struct run *r = ctx;
    progress_row();
    if (r->writer.screen && (r->style.mode != MODE_TABLE || r->writer.pager)) progress_quiet();
    format_row(&r->format, values, lengths);
    return !r->writer.failed && !progress_interrupted();
}

static void on_done(void *ctx, const char *tag, int64_t rows)
{
    struct run *r = ctx;
    progress_quiet();
    if (r->formatting) {
        r->formatting = false;
        format_end(&r->format, true);
    }
    bool returning = rows >= 0 && strncmp(tag, "SELECT", 6) != 0 && strncmp(tag, "SHOW", 4) != 0 &&
                     strncmp(tag, "EXPLAIN", 7) != 0 && strncmp(tag, "FETCH", 5) != 0;
    bool data = r->style.mode != MODE_TABLE && r->style.mode != MODE_LINE &&
                r->style.mode != MODE_UNALIGNED; /* a tag would spoil the file */
    if ((rows < 0 || returning) && !r->sh->quiet && !r->o.quiet && !data && *tag)
        writer_addf(&r->writer, "%s\n", tag);
    if (rows >= 0) {
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)rows);
        shell__set(r->sh, "ROW_COUNT", text);
    }
}

static int on_copy_in(void *ctx, char *buffer, int size)
{
    struct run *r = ctx;
    if (progress_interrupted()) return -1;
    if (r->o.copy_from) {
        size_t n = fread(buffer, 1, (size_t)size, r->o.copy_from);
        return ferror(r->o.copy_from) ? -1 : (int)n;
    }
    /* Lines of the script, up to \. alone. */
    struct strbuf line;
    strbuf_init(&line, NULL);
    if (r->sh->source && r->sh->source->terminal && !r->sh->quiet && !r->copying)
        fputs("Enter data; end with \\. on a line of its own.\n", stderr);
    r->copying = true;
    int n = 0;
    if (shell__next_line(r->sh, &line) && strcmp(line.len ? line.data : "", "\\.") != 0) {
        strbuf_addc(&line, '\n');
        if (line.len > (size_t)size) n = -1;
        else memcpy(buffer, line.data, line.len), n = (int)line.len;
        if (n < 0) shell__say(r->sh, "ERROR", "a line of COPY data is longer than %d bytes", size);
    }
    strbuf_release(&line);
    return n;
}

static bool on_copy_out(void *ctx, const char *data, size_t len)
{
    struct run *r = ctx;
    if (r->o.copy_to) return fwrite(data, 1, len, r->o.copy_to) == len;
    writer_add(&r->writer, data, len);
    return !r->writer.failed;
}

/* The file or command of \g. NULL: said why. */
static FILE *open_target(struct shell *sh, const char *name, bool *ret_pipe)
{
    *ret_pipe = name[0] == '|';
    FILE *f = *ret_pipe ? popen(name + 1, "w") : fopen(name, "we");
    if (!f) shell__say(sh, "ERROR", "%s: %s", name, strerror(errno));
    return f;
}

static void show_time(struct shell *sh, int64_t us)
{
    printf("Time: %lld.%03lld ms", (long long)us / 1000, (long long)us % 1000);
    if (us >= 1000000)
        printf(" (%lld.%03lld s)", (long long)us / 1000000, (long long)us / 1000 % 1000);
    printf("\n");
    fflush(stdout);
    (void)sh;
}

/* After a lost connection an interactive user goes on with a new one. */
static void recover_connection(struct shell *sh)
{
    if (sh->b->ops->transaction(sh->b) != 'X') return;
    bool back = sh->interactive && sh->b->ops->reconnect && sh->b->ops->reconnect(sh->b);
    if (sh->interactive)
        fputs(
            back
                ? "The connection was lost; a new one is made. Settings and temporary tables of the"
                  " old one are gone.\n"
                : "The connection was lost. \\c makes a new one.\n",
            stderr);
    if (!back) sh->lost = true;
}

bool shell__run(struct shell *sh, const char *sql, const struct run_options *options)
{
    struct run r = {.sh = sh, .style = sh->style};
    bool piped = false;
    if (options) r.o = *options;
    if ((sh->expanded || r.o.expanded) &&
        (r.style.mode == MODE_TABLE || r.style.mode == MODE_UNALIGNED))
        r.style.mode = MODE_LINE;
    FILE *target = r.o.file ? open_target(sh, r.o.file, &piped) : NULL;
    if (r.o.file && !target) return false;
    shell__writer(sh, &r.writer);
    if (target) r.writer.out = target, r.writer.screen = piped && sh->screen, r.writer.rows_max = 0;
    int rows;
    terminal_size(&r.style.width, &rows);
    if (!r.writer.screen) r.style.width = 0, r.style.rows_max = 0;
    const struct backend_sink sink = {.columns = on_columns, .row = on_row, .done = on_done,
                                      .copy_in = on_copy_in, .copy_out = on_copy_out, .ctx = &r};
    progress_clear_interrupt();
    progress_start(sh->b);
    int64_t start = terminal_now_us();
    bool ok = sh->b->ops->run(sh->b, sql, &sink);
    int64_t took = terminal_now_us() - start;
    progress_stop();
    if (r.formatting) format_end(&r.format, false);
    if (!writer_end(&r.writer))
        shell__say(sh, "ERROR", "could not write the output: %s", strerror(errno));
    writer_release(&r.writer);
    if (target) {
        if (piped) pclose(target);
        else fclose(target);
    }
    if (ok) shell__set(sh, "ERROR", "false"), shell__set(sh, "SQLSTATE", "00000");
    else show_error(sh, sql);
    if (sh->timing && !r.o.quiet) show_time(sh, took);
    recover_connection(sh);
    return ok;
}
