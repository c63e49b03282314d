/* Output for the screen is held until it is clear whether a screen holds it; then it goes out as it
 * is, or the pager starts and takes it and all that follows. */
#include "shell/writer.h"

#include <stdarg.h>
#include <stdlib.h>

#include "shell/width.h"

static const char default_pager[] = "less -FRSX";

void writer_init(struct writer *w, FILE *out, bool screen, int rows_max)
{
    *w = (struct writer){.out = out, .screen = screen, .rows_max = rows_max};
    strbuf_init(&w->held, NULL);
    strbuf_reserve(&w->held, 1024);
    strbuf_clear(&w->held);
}

void writer_release(struct writer *w) { strbuf_release(&w->held); }

static void start_pager(struct writer *w)
{
    const char *command = getenv("PAGER");
    fflush(w->out);
    w->pager = popen(command && *command ? command : default_pager, "w");
    w->rows_max = 0;
}

static void flush_held(struct writer *w)
{
    FILE *to = w->pager ? w->pager : w->out;
    if (w->held.len && fwrite(w->held.data, 1, w->held.len, to) != w->held.len) w->failed = true;
    strbuf_clear(&w->held);
}

void writer_add(struct writer *w, const void *data, size_t len)
{
    size_t from = w->held.len;
    if (w->failed || len == 0) return;
    if (w->screen) width_escape(&w->held, slice_make(data, len), "\n\t");
    else strbuf_add(&w->held, data, len);
    if (w->rows_max > 0) {
        const char *p = w->held.data + from, *end = w->held.data + w->held.len;
        while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) p++, w->lines++;
        if (w->lines >= w->rows_max) start_pager(w);
    }
    if (w->held.len >= 65536) flush_held(w);
}

void writer_adds(struct writer *w, const char *s) { writer_add(w, s, strlen(s)); }

void writer_addf(struct writer *w, const char *fmt, ...)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    if (b.len) writer_add(w, b.data, b.len);
    strbuf_release(&b);
}

void writer_repeat(struct writer *w, const char *s, int times)
{
    size_t n = strlen(s);
    for (int i = 0; i < times; i++) writer_add(w, s, n);
}

bool writer_end(struct writer *w)
{
    flush_held(w);
    bool paged = w->pager != NULL;
    if (paged) pclose(w->pager);
    else if (fflush(w->out) != 0) w->failed = true;
    bool ok = paged || !w->failed;
    w->pager = NULL;
    w->failed = false;
    w->lines = 0;
    return ok;
}
