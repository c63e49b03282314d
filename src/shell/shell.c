/* Reads lines, cuts them into statements and commands, and runs them, until the source ends. */
#include "shell/shell.h"

#include <errno.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"
#include "shell/width.h"

bool shell__stops(const struct shell *sh)
{
    return sh->quit || sh->lost ||
           (sh->failed && shell__flag(sh, "ON_ERROR_STOP") &&
            !(sh->source && sh->source->terminal));
}

/* database, what is open, transaction, and > : "shop=> ", "shop-*> ". */
static void prompt(struct shell *sh, struct strbuf *out)
{
    strbuf_clear(out);
    char tx = sh->b->ops->transaction(sh->b);
    if (tx == 'X') strbuf_addc(out, '!');
    else width_escape(out, slice_of(sh->b->ops->database(sh->b)), "");
    strbuf_addc(out, splitter_prompt(&sh->split));
    if (tx == 'T') strbuf_addc(out, '*');
    if (tx == 'E') strbuf_addc(out, '!');
    strbuf_adds(out, "> ");
}

/* *ret_interrupted: Ctrl-C at the line editor. */
static bool source_line(struct shell *sh, const char *ask, struct strbuf *ret,
                        bool *ret_interrupted)
{
    struct source *s = sh->source;
    strbuf_reserve(ret, 1);
    strbuf_clear(ret);
    *ret_interrupted = false;
    if (s->terminal) return line__read(sh, ask, ret, ret_interrupted);
    if (s->file) {
        int c = 0;
        while ((c = getc_unlocked(s->file)) != EOF && c != '\n') {
            if (ret->len >= SPLIT_TEXT_MAX) return false;
            strbuf_addc(ret, (char)c);
        }
        if (c == EOF && ret->len == 0) return false;
    } else {
        if (!*s->text) return false;
        size_t n = strcspn(s->text, "\n");
        strbuf_add(ret, s->text, n);
        s->text += n + (s->text[n] == '\n');
    }
    if (ret->len && ret->data[ret->len - 1] == '\r') ret->data[--ret->len] = '\0';
    s->line++;
    return true;
}

bool shell__next_line(struct shell *sh, struct strbuf *ret)
{
    bool interrupted;
    return sh->source && source_line(sh, ">> ", ret, &interrupted) && !interrupted;
}

/* One typed line: statements and commands in it, in turn. */
static void take_line(struct shell *sh, struct slice line)
{
    while (line.len > 0 && !shell__stops(sh)) {
        size_t used = 0;
        switch (splitter_feed(&sh->split, line, &used)) {
        case SPLIT_MORE: used = line.len; break;
        case SPLIT_STATEMENT: shell__send(sh, NULL); break;
        case SPLIT_COMMAND:
            used += shell__command(sh, slice_make(line.data + used, line.len - used));
            break;
        }
        line = slice_make(line.data + used, line.len - used);
    }
}

/* The whole of what was typed for one entry in the history. */
static void remember(struct shell *sh, struct strbuf *entry, const struct strbuf *line)
{
    if (entry->len) strbuf_addc(entry, '\n');
    strbuf_add(entry, line->data, line->len);
    if (sh->split.content || sh->split.state != SPLIT_PLAIN) return; /* the statement goes on */
    struct strbuf flat;
    strbuf_init(&flat, NULL);
    splitter_flatten(strbuf_slice(entry), &flat);
    if (flat.len) line__remember(strbuf_slice(&flat));
    strbuf_release(&flat);
    strbuf_clear(entry);
}

static void quit_words(struct shell *sh, struct slice line)
{
    if (slice_eq_nocase(line, SLICE("quit")) || slice_eq_nocase(line, SLICE("exit")))
        sh->quit = true;
    else if (slice_eq_nocase(line, SLICE("help")))
        shell__read_text(sh, NULL, "\\?\n");
}

static void read_source(struct shell *sh)
{
    struct source *s = sh->source;
    struct strbuf ask, line, entry;
    strbuf_init(&ask, NULL);
    strbuf_init(&line, NULL);
    strbuf_init(&entry, NULL);
    strbuf_reserve(&ask, 64);
    strbuf_reserve(&entry, 64);
    strbuf_clear(&entry);
    while (!shell__stops(sh)) {
        if (s->terminal) prompt(sh, &ask);
        bool interrupted;
        if (!source_line(sh, ask.data, &line, &interrupted)) break;
        if (interrupted) { /* drops what was typed */
            splitter_reset(&sh->split);
            strbuf_clear(&entry);
            continue;
        }
        bool fresh = !sh->split.content && sh->split.state == SPLIT_PLAIN;
        if (fresh) strbuf_clear(&sh->split.text);
        if (s->line == 1 && line.len >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0)
            memmove(line.data, line.data + 3, line.len - 2), line.len -= 3; /* a byte order mark */
        if (s->terminal) sh->failed = false;
        bool word = fresh && s->terminal &&
                    (slice_eq_nocase(strbuf_slice(&line), SLICE("quit")) ||
                     slice_eq_nocase(strbuf_slice(&line), SLICE("exit")) ||
                     slice_eq_nocase(strbuf_slice(&line), SLICE("help")));
        if (word) quit_words(sh, strbuf_slice(&line));
        else if (!(fresh && shell__dot_command(sh, strbuf_slice(&line)))) {
            take_line(sh, strbuf_slice(&line));
            if (sh->split.text.len) splitter_feed(&sh->split, SLICE("\n"), &(size_t){0});
        }
        if (s->terminal && line.len) remember(sh, &entry, &line);
    }
    if (!s->terminal && !s->outer && !shell__stops(sh) && sh->split.content) shell__send(sh, NULL);
    strbuf_release(&ask);
    strbuf_release(&line);
    strbuf_release(&entry);
}

static void with_source(struct shell *sh, struct source *s)
{
    if (sh->source_depth == SOURCE_DEPTH_MAX) {
        shell__say(sh, "ERROR", "files include each other more than %d deep", SOURCE_DEPTH_MAX);
        return;
    }
    struct splitter before = sh->split;
    splitter_init(&sh->split);
    s->outer = sh->source;
    sh->source = s;
    sh->source_depth++;
    read_source(sh);
    if (!s->terminal && s->outer && !shell__stops(sh) && sh->split.content) shell__send(sh, NULL);
    sh->source_depth--;
    sh->source = s->outer;
    splitter_release(&sh->split);
    sh->split = before;
}

bool shell__read_file(struct shell *sh, const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *f = standard ? stdin : fopen(name, "re");
    if (!f) {
        shell__say(sh, "ERROR", "%s: %s", name, strerror(errno));
        return false;
    }
    struct source s = {.name = standard ? "<stdin>" : name, .file = f};
    with_source(sh, &s);
    if (!standard) fclose(f);
    return true;
}

void shell__read_text(struct shell *sh, const char *name, const char *text)
{
    if (!text) {
        struct source s = {.terminal = true};
        with_source(sh, &s);
        return;
    }
    struct source s = {.name = name, .text = text};
    with_source(sh, &s);
}
