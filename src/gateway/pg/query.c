#include "gateway/pg/pg_priv.h"

/* The simple protocol, and the sink through which both protocols' results go out.
 *
 * A sink call only writes into the buffer; the client sees it when 64 KiB have gathered, before a
 * long wait (the session asks for that), and at ReadyForQuery. */

/* --- the sink ------------------------------------------------------------------------------- */

static enum status on_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    struct pg_conn *p = ctx;
    const struct pg_formats *f = p->extended ? p->formats : NULL;
    if (count > UINT16_MAX) return FAIL(TOO_MANY_COLUMNS, "a result has too many columns");
    if (f && f->count > 1 && f->count != count)
        return FAIL(PROTOCOL_VIOLATION,
                    "bind message has %u result formats but query has %u columns", f->count, count);
    pg__set_columns(p, columns, count, f);
    return p->extended ? OK : pg__send_row_description(p, columns, count, NULL);
}

static enum status on_complete(void *ctx, const char *tag)
{
    struct pg_conn *p = ctx;
    return pg__send_string(&p->out, 'C', tag);
}

static enum status on_empty(void *ctx)
{
    struct pg_conn *p = ctx;
    return pg__send_empty(&p->out, 'I');
}

static enum status on_suspended(void *ctx)
{
    struct pg_conn *p = ctx;
    return pg__send_empty(&p->out, 's');
}

static enum status on_notice(void *ctx, const char *severity, const struct error *e)
{
    return pg__send_notice(ctx, severity, e);
}

static enum status on_parameter(void *ctx, const char *name, const char *value)
{
    struct pg_conn *p = ctx;
    return pg__send_parameter(&p->out, name, value);
}

static enum status on_notification(void *ctx, uint32_t pid, const char *channel, const char *payload)
{
    struct pg_conn *p = ctx;
    pg__begin(&p->out, 'A');
    pg__put_u32(&p->out, pid);
    pg__put_string(&p->out, channel);
    pg__put_string(&p->out, payload);
    return pg__end(&p->out);
}

static enum status on_flush(void *ctx)
{
    struct pg_conn *p = ctx;
    return pg__flush(&p->out);
}

struct result_sink pg__sink(struct pg_conn *p)
{
    return (struct result_sink){
        .columns = on_columns,
        .rows = pg__send_rows,
        .row = pg__send_row,
        .complete = on_complete,
        .empty = on_empty,
        .suspended = on_suspended,
        .notice = on_notice,
        .notification = on_notification,
        .parameter = on_parameter,
        .copy_in = pg__copy_in,
        .copy_read = pg__copy_read,
        .copy_out = pg__copy_out,
        .copy_write = pg__copy_write,
        .copy_done = pg__copy_done,
        .flush = on_flush,
        .ctx = p,
    };
}

/* --- what is text --------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at s, 0 when it is none: no overlong forms, no surrogates. */
static size_t sequence_length(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || n > left || c == 0) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (c == 0xe0 && s[1] < 0xa0) return 0;
    if (c == 0xed && s[1] > 0x9f) return 0;
    if (c == 0xf0 && s[1] < 0x90) return 0;
    if (c == 0xf4 && s[1] > 0x8f) return 0;
    return n;
}

static enum status fail_sequence(const uint8_t *s, size_t left)
{
    /* As many bytes as the first one promised are shown. */
    size_t n = s[0] < 0xc0 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 1;
    char text[32] = "";
    struct strbuf b;
    strbuf_init(&b, NULL);
    for (size_t i = 0; i < n && i < left; i++) strbuf_addf(&b, i ? " 0x%02x" : "0x%02x", s[i]);
    memcpy(text, b.data, b.len < sizeof text ? b.len + 1 : 0);
    strbuf_release(&b);
    return FAIL(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": %s",
                text);
}

/* Eight bytes at once while they are plain ASCII, as they nearly always are. */
enum status pg__check_text(struct slice text)
{
    const uint8_t *s = (const uint8_t *)text.data;
    size_t i = 0;
    while (i < text.len) {
        uint64_t w;
        if (i + 8 <= text.len) {
            memcpy(&w, s + i, sizeof w);
            bool has_zero = (w - 0x0101010101010101ull) & ~w & 0x8080808080808080ull;
            if (!(w & 0x8080808080808080ull) && !has_zero) {
                i += 8;
                continue;
            }
        }
        size_t n = sequence_length(s + i, text.len - i);
        if (n == 0) return fail_sequence(s + i, text.len - i);
        i += n;
    }
    return OK;
}

/* --- the simple protocol -------------------------------------------------------------------- */

enum status pg__query(struct pg_conn *p, struct slice body)
{
    struct pg_cursor in = pg__cursor(body);
    struct result_sink sink = pg__sink(p);
    const char *text = pg__get_string(&in);
    enum status st = pg__get_end(&in);
    if (st == OK) st = pg__check_text(slice_make(text, body.len - 1));
    if (st != OK) {
        session_fail(p->session, &sink);
        return st;
    }
    p->extended = false;
    return session_query(p->session, slice_make(text, body.len - 1), &sink);
}
