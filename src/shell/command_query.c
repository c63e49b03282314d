/* Commands that do something with a statement: \gexec, \gset, \watch, \e, \copy. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"
#include "shell/terminal.h"

/* What was typed, or else the last statement, with variables put in. */
static bool current(struct shell *sh, struct strbuf *sql)
{
    if (sh->split.content) {
        strbuf_clear(&sh->last);
        strbuf_add(&sh->last, sh->split.text.data, sh->split.text.len);
    }
    splitter_reset(&sh->split);
    shell__expand(sh, strbuf_slice(&sh->last), sql);
    if (sh->last.len) return true;
    shell__say(sh, "ERROR", "there is no statement yet");
    return false;
}

bool command__gexec(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name, (void)a;
    struct strbuf sql;
    struct fetched r = {0};
    strbuf_init(&sql, NULL);
    bool ok = current(sh, &sql);
    if (ok) {
        ok = shell__fetch(sh, sql.data, false, &r);
        for (int64_t i = 0; ok && i < r.rows && !shell__stops(sh); i++)
            for (int c = 0; c < r.columns && !progress_interrupted(); c++)
                if (fetched_at(&r, i, c)) shell__run(sh, fetched_at(&r, i, c), NULL);
        fetched_release(&r);
    }
    strbuf_release(&sql);
    return ok && !sh->failed;
}

bool command__gset(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    struct strbuf sql;
    struct fetched r = {0};
    strbuf_init(&sql, NULL);
    bool ok = current(sh, &sql);
    if (ok) {
        ok = shell__fetch(sh, sql.data, false, &r);
        if (ok && r.rows != 1) {
            shell__say(sh, "ERROR", r.rows ? "more than one row returned for \\gset"
                                           : "no rows returned for \\gset");
            ok = false;
        }
        for (int c = 0; ok && c < r.columns; c++) {
            char *variable = arena_printf(&r.arena, "%s%s", a->count ? a->word[0] : "", r.names[c]);
            shell__set(sh, variable, fetched_at(&r, 0, c));
        }
        fetched_release(&r);
    }
    strbuf_release(&sql);
    return ok;
}

bool command__watch(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    int64_t seconds = 2, times = 0;
    struct strbuf sql;
    bool good = a->count == 0 || (str_to_i64(slice_of(a->word[0]), &seconds) && seconds >= 0);
    if (good && a->count > 1) good = str_to_i64(slice_of(a->word[1]), &times) && times > 0;
    if (!good || seconds > 86400) {
        shell__say(sh, "ERROR", "\\watch SECONDS [TIMES]: whole numbers, at most a day");
        return false;
    }
    strbuf_init(&sql, NULL);
    bool ok = current(sh, &sql);
    for (int64_t n = 0; ok && (times == 0 || n < times); n++) {
        ok = shell__run(sh, sql.data, &(struct run_options){0});
        for (int64_t ms = 0; ok && ms < seconds * 1000 && !progress_interrupted(); ms += 100) {
            if (times && n + 1 == times) break;
            terminal_sleep_ms(100);
        }
        if (progress_interrupted()) break;
    }
    progress_clear_interrupt();
    strbuf_release(&sql);
    return ok;
}

static bool read_back(const char *path, struct strbuf *ret)
{
    FILE *f = fopen(path, "re");
    char buffer[4096];
    size_t n;
    if (!f) return false;
    while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0 && ret->len < SPLIT_TEXT_MAX)
        strbuf_add(ret, buffer, n);
    fclose(f);
    return true;
}

bool command__edit(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    char path[PATH_MAX];
    const char *folder = getenv("TMPDIR"), *editor = getenv("VISUAL");
    if (!editor || !*editor) editor = getenv("EDITOR");
    if (!editor || !*editor) editor = "vi";
    bool own = a->count == 0;
    const struct strbuf *text = sh->split.content ? &sh->split.text : &sh->last;
    if (own) {
        snprintf(path, sizeof(path), "%s/helios-XXXXXX.sql", folder && *folder ? folder : "/tmp");
        int fd = mkstemps(path, 4);
        bool written = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len &&
                       write(fd, ";\n", text->len ? 2 : 0) >= 0;
        if (fd >= 0) close(fd);
        if (!written) return shell__say(sh, "ERROR", "%s: %s", path, strerror(errno)), false;
    } else {
        snprintf(path, sizeof(path), "%s", a->word[0]);
    }
    struct strbuf command, quoted, back;
    strbuf_init(&command, NULL);
    strbuf_init(&quoted, NULL);
    strbuf_init(&back, NULL);
    for (const char *p = path; *p; p++) /* for the shell: ' as '\'' */
        if (*p == '\'') strbuf_adds(&quoted, "'\\''");
        else strbuf_addc(&quoted, *p);
    strbuf_addf(&command, "%s '%s'", editor, quoted.data);
    bool ok = system(command.data) == 0 && read_back(path, &back);
    if (!ok) shell__say(sh, "ERROR", "the editor \"%s\" failed", editor);
    if (own) unlink(path);
    splitter_reset(&sh->split);
    if (ok && back.len) {
        struct writer w;
        shell__writer(sh, &w);
        w.rows_max = 0;
        writer_add(&w, back.data, back.len);
        writer_adds(&w, "\n");
        writer_end(&w);
        writer_release(&w);
        shell__read_text(sh, NULL, back.data);
    }
    strbuf_release(&command);
    strbuf_release(&quoted);
    strbuf_release(&back);
    return ok;
}

/* --- \copy: the server's COPY, with the file on this side */

struct copy {
    struct slice what, options; /* before FROM or TO, and after the file */
    bool from, program, standard;
    char *file;
};

static bool word_is(struct slice text, size_t at, size_t n, const char *word)
{
    return slice_eq_nocase(slice_make(text.data + at, n), slice_of(word));
}

/* Finds FROM or TO outside of parentheses and quotes, then the file name. */
static bool parse(struct slice in, struct arena *a, struct copy *ret)
{
    int depth = 0;
    size_t i = 0, n;
    enum split_piece kind;
    for (; i < in.len; i += n) {
        n = splitter_piece(slice_make(in.data + i, in.len - i), &kind);
        if (in.data[i] == '(') depth++;
        if (in.data[i] == ')') depth--;
        bool from = kind == PIECE_WORD && depth == 0 && word_is(in, i, n, "from");
        if (!from && !(kind == PIECE_WORD && depth == 0 && word_is(in, i, n, "to"))) continue;
        ret->from = from;
        ret->what = slice_make(in.data, i);
        i += n;
        break;
    }
    while (i < in.len && isspace((unsigned char)in.data[i])) i++;
    if (i >= in.len || ret->what.len == 0) return false;
    n = splitter_piece(slice_make(in.data + i, in.len - i), &kind);
    if (kind == PIECE_WORD && word_is(in, i, n, "program")) {
        ret->program = true;
        for (i += n; i < in.len && isspace((unsigned char)in.data[i]); i++) {}
        if (i >= in.len) return false;
    }
    if (in.data[i] == '\'') {
        struct strbuf b;
        strbuf_init(&b, a);
        strbuf_reserve(&b, 1);
        strbuf_clear(&b);
        for (n = 1; i + n < in.len; n++) {
            if (in.data[i + n] == '\'' && (i + ++n >= in.len || in.data[i + n] != '\'')) break;
            strbuf_addc(&b, in.data[i + n]); /* two quotes are one */
        }
        ret->file = b.data;
    } else {
        for (n = 0; i + n < in.len && !isspace((unsigned char)in.data[i + n]); n++) {}
        ret->file = arena_strndup(a, in.data + i, n);
        while (n > 0 && ret->file[n - 1] == ';') ret->file[n - 1] = '\0', n--;
        ret->standard = str_eq_nocase(ret->file, "stdin") || str_eq_nocase(ret->file, "stdout");
    }
    ret->options = slice_make(in.data + i + n, in.len - i - n);
    while (ret->options.len &&
           (isspace((unsigned char)ret->options.data[ret->options.len - 1]) ||
            ret->options.data[ret->options.len - 1] == ';'))
        ret->options.len--;
    return true;
}

/* Without a wire in between, COPY reads and writes the file itself. */
static void own_file(const struct copy *c, struct arena *a, struct strbuf *sql)
{
    char folder[PATH_MAX];
    const char *path = c->file;
    if (path[0] != '/' && getcwd(folder, sizeof(folder)))
        path = arena_printf(a, "%s/%s", folder, c->file);
    shell__literal(sql, path);
}

bool command__copy(struct shell *sh, const char *name, const struct arguments *args)
{
    (void)name;
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct copy c = {0};
    struct run_options o = {0};
    struct strbuf sql;
    strbuf_init(&sql, &a);
    bool ok = parse(slice_of(args->rest), &a, &c);
    if (!ok) shell__say(sh, "ERROR", "\\copy TABLE [(COLUMN, …)] | (QUERY) FROM|TO FILE [OPTIONS]");
    bool direct = ok && !sh->b->copies;
    if (direct && (c.program || c.standard || !sh->b->files)) {
        shell__say(sh, "ERROR",
                   sh->b->files ? "an embedded database copies from and to files only"
                                : "a database in memory cannot copy files; open a directory");
        ok = false;
    }
    if (ok) {
        strbuf_adds(&sql, "COPY ");
        strbuf_add(&sql, c.what.data, c.what.len);
        strbuf_adds(&sql, c.from ? " FROM " : " TO ");
        if (direct) own_file(&c, &a, &sql);
        else strbuf_adds(&sql, c.from ? "STDIN" : "STDOUT");
        strbuf_adds(&sql, " ");
        strbuf_add(&sql, c.options.data, c.options.len);
    }
    FILE *f = NULL;
    if (ok && !direct && !c.standard) {
        f = c.program ? popen(c.file, c.from ? "r" : "w") : fopen(c.file, c.from ? "re" : "we");
        if (!f) shell__say(sh, "ERROR", "%s: %s", c.file, strerror(errno));
        ok = f != NULL;
        if (c.from) o.copy_from = f;
        else o.copy_to = f;
    }
    ok = ok && shell__run(sh, sql.data, &o);
    if (f && (c.program ? pclose(f) : fclose(f)) != 0) {
        shell__say(sh, "ERROR", "%s: %s", c.file,
                   c.program ? "the program failed" : strerror(errno));
        ok = false;
    }
    arena_release(&a);
    return ok;
}
