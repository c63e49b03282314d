#include "gateway/pg/pg_priv.h"

#include <stdio.h>

/* ErrorResponse and NoticeResponse: fields of one letter and a string each, those that are not
 * known left out, then a zero byte. */

/* Without a last character that was cut in two when the error was made: libraries choke on it. */
static struct slice whole_characters(const char *text)
{
    size_t len = strlen(text), at = len;
    while (at > 0 && len - at < 3 && ((uint8_t)text[at - 1] & 0xc0) == 0x80) at--;
    if (at == 0) return slice_make(text, len);
    uint8_t lead = (uint8_t)text[at - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return slice_make(text, len - (at - 1) < want ? at - 1 : len);
}

static void put_field(struct pg_writer *w, char letter, const char *text)
{
    if (!text || !text[0]) return;
    pg__put_u8(w, (uint8_t)letter);
    pg__put_bytes(w, whole_characters(text));
    pg__put_u8(w, 0);
}

/* PostgreSQL tells the file without its folders. */
static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static enum status send(struct pg_conn *p, char type, const char *severity, const struct error *e)
{
    struct pg_writer *w = &p->out;
    char number[16];
    pg__begin(w, type);
    put_field(w, 'S', severity);
    put_field(w, 'V', severity);
    put_field(w, 'C', error_sqlstate(e));
    /* A message must be there, even if whoever failed gave none. */
    put_field(w, 'M', e->message[0] ? e->message : status_text(e->code));
    put_field(w, 'D', e->detail);
    put_field(w, 'H', e->hint);
    if (e->position > 0) {
        snprintf(number, sizeof number, "%d", e->position);
        put_field(w, 'P', number);
    }
    if (e->query_position > 0) {
        snprintf(number, sizeof number, "%d", e->query_position);
        put_field(w, 'p', number);
        put_field(w, 'q', e->query);
    }
    put_field(w, 'W', e->where);
    put_field(w, 's', e->schema);
    put_field(w, 't', e->table);
    put_field(w, 'c', e->column);
    put_field(w, 'd', e->datatype);
    put_field(w, 'n', e->constraint);
    put_field(w, 'F', base_name(e->file));
    if (e->line > 0) {
        snprintf(number, sizeof number, "%d", e->line);
        put_field(w, 'L', number);
    }
    put_field(w, 'R', e->routine);
    pg__put_u8(w, 0);
    return pg__end(w);
}

enum status pg__send_error(struct pg_conn *p, const char *severity)
{
    db_count_error(error_current()->code);
    return send(p, 'E', severity, error_current());
}

/* What the client wants to hear of. */
static const char *least_level(const struct pg_conn *p)
{
    const char *level = p->session ? session_setting(p->session, "client_min_messages") : NULL;
    return level ? level : "notice";
}

/* Larger is worse. INFO is always sent. */
static int rank_of(const char *severity)
{
    static const char *const order[] = {"debug5", "debug4", "debug3", "debug2", "debug1",
                                        "debug",  "log",    "notice", "warning", "error"};
    for (int i = 0; i < (int)(sizeof order / sizeof *order); i++)
        if (str_eq_nocase(order[i], severity)) return i;
    return 1000;
}

enum status pg__send_notice(struct pg_conn *p, const char *severity, const struct error *e)
{
    if (rank_of(severity) < rank_of(least_level(p))) return OK;
    return send(p, 'N', severity, e);
}

bool pg__is_fatal(const struct pg_conn *p, enum status code)
{
    switch (code) {
    case ADMIN_SHUTDOWN:
    case CRASH_SHUTDOWN:
    case CONNECTION_FAILURE:
    case IDLE_SESSION_TIMEOUT:
    case IDLE_IN_TRANSACTION_SESSION_TIMEOUT: return true;
    default: return p->over || p->out.failed;
    }
}

void pg__fatal(struct pg_conn *p)
{
    p->over = true;
    if (error_current()->code == CONNECTION_FAILURE || p->out.failed) return;
    if (pg__send_error(p, "FATAL") == OK) (void)!pg__flush(&p->out);
}
