/* The line editor: libedit, with history in ~/.helios_history and completion by tab.
 *
 * Characters are read by our own function, because libedit's retries once after a signal and then
 * gives up: ours ends the line at once when Ctrl-C was hit. */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/progress.h"
#include "shell/shell_priv.h"
#include "shell/terminal.h"
#include "shell/width.h"

enum { HISTORY_MAX = 2000, HISTORY_ENTRY_MAX = 65536 };

static struct {
    EditLine *el;
    History *history;
    struct shell *sh;
    char path[512];
    char prompt[256];
} le;

static char *prompt_text(EditLine *el)
{
    (void)el;
    return le.prompt;
}

/* One byte; -1: interrupted or ended. */
static int byte(void)
{
    for (;;) {
        if (progress_interrupted()) return errno = EINTR, -1;
        struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
        int n = poll(&fd, 1, 500);
        if (n == 0 || (n < 0 && errno == EINTR)) continue;
        unsigned char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        return got == 1 ? c : -1;
    }
}

static int read_char(EditLine *el, wchar_t *ret)
{
    (void)el;
    char b[4];
    int c = byte();
    if (c < 0) return progress_interrupted() ? -1 : 0;
    b[0] = (char)c;
    size_t n = c < 0xC2 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 1, used;
    for (size_t i = 1; i < n; i++) {
        if ((c = byte()) < 0) return -1;
        b[i] = (char)c;
    }
    int32_t code = width_decode(slice_make(b, n), &used);
    *ret = code < 0 ? L'?' : (wchar_t)code;
    return 1;
}

/* The longest text that all items begin with. */
static size_t shared(const struct completions *c)
{
    size_t n = strlen(c->items[0]);
    for (int i = 1; i < c->count; i++) {
        size_t k = 0;
        while (k < n && c->items[0][k] == c->items[i][k]) k++;
        n = k;
    }
    while (n > 0 && ((unsigned char)c->items[0][n] & 0xC0) == 0x80) n--;
    return n;
}

static void list_items(const struct completions *c)
{
    int columns, rows, widest = 1;
    terminal_size(&columns, &rows);
    struct strbuf b;
    strbuf_init(&b, NULL);
    for (int i = 0; i < c->count; i++) {
        int w = width_text(slice_of(c->items[i]));
        if (w > widest) widest = w;
    }
    int across = columns / (widest + 2) > 0 ? columns / (widest + 2) : 1;
    int shown = c->count < across * (rows - 2) ? c->count : across * (rows - 2);
    strbuf_addc(&b, '\n');
    for (int i = 0; i < shown; i++) {
        width_escape(&b, slice_of(c->items[i]), "");
        int pad = widest + 2 - width_text(slice_of(c->items[i]));
        bool last = i % across == across - 1 || i + 1 == shown;
        for (int k = 0; k < pad && !last; k++) strbuf_addc(&b, ' ');
        if (last) strbuf_addc(&b, '\n');
    }
    if (shown < c->count) strbuf_addf(&b, "and %d more\n", c->count - shown);
    fwrite(b.data, 1, b.len, stdout);
    fflush(stdout);
    strbuf_release(&b);
}

static unsigned char on_tab(EditLine *el, int ch)
{
    (void)ch;
    const LineInfo *info = el_line(el);
    struct strbuf before; /* the statement so far, and this line up to the cursor */
    strbuf_init(&before, NULL);
    strbuf_add(&before, le.sh->split.text.data, le.sh->split.text.len);
    size_t head = before.len;
    strbuf_add(&before, info->buffer, (size_t)(info->cursor - info->buffer));
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct completions c = {.arena = &a};
    size_t start = 0;
    complete__line(le.sh, before.data, &a, &start, &c);
    unsigned char result = CC_REFRESH_BEEP;
    if (c.count > 0 && start >= head) {
        size_t n = shared(&c), typed = before.len - start;
        if (n >= typed && (n > typed || c.count == 1)) {
            char *text = arena_printf(&a, "%.*s%s", (int)n, c.items[0],
                                      c.count == 1 && c.items[0][n] == '\0' ? " " : "");
            int chars = 0;
            for (size_t i = start; i < before.len; i++)
                chars += ((unsigned char)before.data[i] & 0xC0) != 0x80;
            el_deletestr(el, chars);
            result = el_insertstr(el, text) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
        } else {
            list_items(&c);
            result = CC_REDISPLAY;
        }
    }
    arena_release(&a);
    strbuf_release(&before);
    return result;
}

static void load_history(void)
{
    const char *set = getenv("HELIOS_HISTORY"), *home = getenv("HOME");
    if (set) snprintf(le.path, sizeof(le.path), "%s", set);
    else if (home) snprintf(le.path, sizeof(le.path), "%s/.helios_history", home);
    HistEvent ev;
    le.history = history_init();
    history(le.history, &ev, H_SETSIZE, HISTORY_MAX);
    history(le.history, &ev, H_SETUNIQUE, 1);
    if (le.path[0]) history(le.history, &ev, H_LOAD, le.path);
}

bool line__open(struct shell *sh)
{
    le.sh = sh;
    le.el = el_init("helios", stdin, stdout, stderr);
    if (!le.el) return false;
    load_history();
    el_set(le.el, EL_PROMPT, prompt_text);
    el_set(le.el, EL_EDITOR, "emacs");
    el_set(le.el, EL_SIGNAL, 0);
    el_set(le.el, EL_GETCFN, read_char);
    el_set(le.el, EL_HIST, history, le.history);
    el_set(le.el, EL_ADDFN, "helios-complete", "complete the word", on_tab);
    el_set(le.el, EL_BIND, "^I", "helios-complete", NULL);
    el_set(le.el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(le.el, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
    el_set(le.el, EL_BIND, "\033[H", "ed-move-to-beg", NULL);
    el_set(le.el, EL_BIND, "\033[F", "ed-move-to-end", NULL);
    el_set(le.el, EL_BIND, "\033[1;5C", "em-next-word", NULL);
    el_set(le.el, EL_BIND, "\033[1;5D", "ed-prev-word", NULL);
    el_source(le.el, NULL);
    return true;
}

void line__close(void)
{
    if (!le.el) return;
    HistEvent ev;
    if (le.path[0]) {
        int old = (int)umask(077); /* statements may hold secrets */
        history(le.history, &ev, H_SAVE, le.path);
        umask((mode_t)old);
    }
    history_end(le.history);
    el_end(le.el);
    le.el = NULL;
}

bool line__read(struct shell *sh, const char *prompt, struct strbuf *ret, bool *ret_interrupted)
{
    (void)sh;
    int n = 0;
    snprintf(le.prompt, sizeof(le.prompt), "%s", prompt);
    *ret_interrupted = false;
    progress_clear_interrupt();
    el_resize(le.el);
    const char *line = el_gets(le.el, &n);
    strbuf_clear(ret);
    if (progress_interrupted()) {
        *ret_interrupted = true;
        el_reset(le.el);
        fputs("^C\n", stdout);
        fflush(stdout);
        return true;
    }
    if (!line || n <= 0) {
        fputs("\n", stdout);
        return false;
    }
    size_t len = (size_t)n;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
    strbuf_add(ret, line, len);
    return true;
}

void line__remember(struct slice statement)
{
    HistEvent ev;
    if (!le.el || statement.len > HISTORY_ENTRY_MAX || statement.data[0] == ' ') return;
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_add(&b, statement.data, statement.len);
    history(le.history, &ev, H_ENTER, b.data);
    strbuf_release(&b);
}
