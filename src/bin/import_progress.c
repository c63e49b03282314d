#include "bin/import_progress.h"

#include <unistd.h>

#include "shell/terminal.h"

enum { DRAW_EVERY_MS = 200, BAR = 24, MS = 1000 };

static void add_bytes(struct strbuf *out, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    strbuf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void add_seconds(struct strbuf *out, int64_t ms)
{
    int64_t s = (ms + MS - 1) / MS;
    if (s < 60) strbuf_addf(out, "%lld s", (long long)s);
    else if (s < 3600) strbuf_addf(out, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
    else strbuf_addf(out, "%lld h %lld min", (long long)s / 3600, (long long)s / 60 % 60);
}

/* 1234567 as 1,234,567. */
static void add_count(struct strbuf *out, uint64_t n)
{
    if (n >= 1000) {
        add_count(out, n / 1000);
        strbuf_addf(out, ",%03llu", (unsigned long long)(n % 1000));
    } else {
        strbuf_addf(out, "%llu", (unsigned long long)n);
    }
}

void import_progress_line(const struct import_progress *p, int64_t elapsed_ms, struct strbuf *out)
{
    double rate = elapsed_ms > 0 ? (double)p->sent * MS / (double)elapsed_ms : 0;
    if (p->total > 0) {
        int full = (int)(p->sent * BAR / p->total);
        strbuf_addc(out, '[');
        for (int i = 0; i < BAR; i++) strbuf_addc(out, i < full ? '#' : '-');
        strbuf_addf(out, "] %3d%%  ", (int)(p->sent * 100 / p->total));
    }
    add_bytes(out, (double)p->sent);
    if (p->total > 0) {
        strbuf_adds(out, " of ");
        add_bytes(out, (double)p->total);
    }
    strbuf_adds(out, "  ");
    add_bytes(out, rate);
    strbuf_adds(out, "/s");
    if (p->total > 0 && p->sent == p->total) {
        strbuf_adds(out, "  waiting for the server");
    } else if (p->total > 0 && rate > 0) {
        strbuf_adds(out, "  ");
        add_seconds(out, (int64_t)((double)(p->total - p->sent) / rate * MS));
        strbuf_adds(out, " left");
    }
}

void import_progress_begin(struct import_progress *p, uint64_t total)
{
    *p = (struct import_progress){.shown_at_all = isatty(STDERR_FILENO), .total = total};
    p->began_ms = p->drawn_ms = terminal_now_ms();
}

void import_progress_add(struct import_progress *p, uint64_t bytes)
{
    int64_t now = terminal_now_ms();
    struct strbuf line;
    p->sent += bytes;
    if (p->total > 0 && p->sent > p->total) p->total = p->sent; /* the file grows */
    if (!p->shown_at_all || (now - p->drawn_ms < DRAW_EVERY_MS && p->sent != p->total)) return;
    strbuf_init(&line, NULL);
    strbuf_adds(&line, "\r\033[K");
    import_progress_line(p, now - p->began_ms, &line);
    p->on_screen = write(STDERR_FILENO, line.data, line.len) == (ssize_t)line.len;
    p->drawn_ms = now;
    strbuf_release(&line);
}

void import_progress_erase(struct import_progress *p)
{
    if (p->on_screen && write(STDERR_FILENO, "\r\033[K", 4) == 4) p->on_screen = false;
}

void import_progress_summary(const struct import_progress *p, uint64_t rows, struct strbuf *out)
{
    int64_t ms = terminal_now_ms() - p->began_ms;
    if (ms < 1) ms = 1;
    add_count(out, rows);
    strbuf_addf(out, " row%s in %lld.%lld s (", rows == 1 ? "" : "s", (long long)ms / MS,
                (long long)ms % MS / 100);
    add_count(out, rows * MS / (uint64_t)ms);
    strbuf_adds(out, " rows/s, ");
    add_bytes(out, (double)(p->sent ? p->sent : p->total) * MS / (double)ms);
    strbuf_adds(out, "/s)");
}
