/* Messages of the PostgreSQL protocol, version 3: taking them off a connection and building them.
 *
 *     byte 0      type (absent in what a client sends before it is logged in)
 *     byte 1..4   length of the rest, these 4 bytes included, big-endian
 *     byte 5..    body
 */
#ifndef HELIOS_GATEWAY_PG_MESSAGE_PRIV_H
#define HELIOS_GATEWAY_PG_MESSAGE_PRIV_H

#include <endian.h>

#include "base/net.h"

enum {
    PG_STARTUP_BYTES_MAX = 10000,
    PG_PASSWORD_BYTES_MAX = 65535,
    PG_MESSAGE_BYTES_MAX = 1 << 30, /* of a body */
    PG_READ_BYTES = 8192,           /* of an idle buffer */
    PG_FLUSH_BYTES = 65536,
    PG_KEEP_BYTES = 1 << 18,        /* larger buffers are given back when empty */
};

/* --- reading -------------------------------------------------------------------------------- */

struct pg_reader {
    struct conn *conn;
    char *data;
    size_t start, end, cap; /* data[start..end) has been received and not yet taken */
};

struct pg_message {
    char type;         /* 0 for packets without one */
    struct slice body; /* until the next read */
};

void pg__reader_init(struct pg_reader *r, struct conn *c);
void pg__reader_release(struct pg_reader *r);
/* A packet without type byte, of at most PG_STARTUP_BYTES_MAX. Reads not one byte more, so that TLS
 * begins where it should (CVE-2021-23222). END_OF_DATA when the client has gone. */
enum status pg__read_startup(struct pg_reader *r, int64_t deadline_us, struct pg_message *ret) MUST;
/* The next message. END_OF_DATA (no message) when the client has gone between two; WOULD_BLOCK at
 * the deadline, QUERY_CANCELED when the wait was canceled: nothing is lost then. A broken frame is
 * PROTOCOL_VIOLATION, after which nothing can be read any more. */
enum status pg__read_message(struct pg_reader *r, size_t body_max, int64_t deadline_us,
                             struct pg_message *ret) MUST;
/* Is a whole message there already? */
bool pg__message_buffered(const struct pg_reader *r);

/* --- taking a body apart -------------------------------------------------------------------- */

/* What is asked beyond the end is zero or empty, and `bad` stays set: one check at the end. */
struct pg_cursor {
    const char *p, *end;
    bool bad;
};
static inline struct pg_cursor pg__cursor(struct slice body)
{
    return (struct pg_cursor){body.data, body.data + body.len, false};
}
uint8_t pg__get_u8(struct pg_cursor *c);
uint16_t pg__get_u16(struct pg_cursor *c);
uint32_t pg__get_u32(struct pg_cursor *c);
struct slice pg__get_bytes(struct pg_cursor *c, size_t len);
const char *pg__get_string(struct pg_cursor *c); /* "" when bad */
/* PROTOCOL_VIOLATION unless all of the body has been taken, and no more. */
enum status pg__get_end(const struct pg_cursor *c) MUST;

/* --- writing -------------------------------------------------------------------------------- */

struct pg_writer {
    struct conn *conn;
    struct strbuf out;
    size_t message_at; /* of the message begun */
    bool failed;       /* the client is gone: nothing is written any more */
};

void pg__writer_init(struct pg_writer *w, struct conn *c);
void pg__writer_release(struct pg_writer *w);
enum status pg__flush(struct pg_writer *w) MUST;

static inline void pg__put_u8(struct pg_writer *w, uint8_t v) { strbuf_addc(&w->out, (char)v); }
static inline void pg__put_u16(struct pg_writer *w, uint16_t v)
{
    v = htobe16(v);
    strbuf_add(&w->out, &v, sizeof v);
}
static inline void pg__put_u32(struct pg_writer *w, uint32_t v)
{
    v = htobe32(v);
    strbuf_add(&w->out, &v, sizeof v);
}
static inline void pg__put_string(struct pg_writer *w, const char *s)
{
    strbuf_add(&w->out, s, strlen(s) + 1);
}
static inline void pg__put_bytes(struct pg_writer *w, struct slice s)
{
    if (s.len) strbuf_add(&w->out, s.data, s.len);
}
static inline void pg__begin(struct pg_writer *w, char type)
{
    static const char zero[4];
    w->message_at = w->out.len;
    strbuf_addc(&w->out, type);
    strbuf_add(&w->out, zero, sizeof zero);
}
/* Fills in the length; sends when enough has gathered. */
enum status pg__end(struct pg_writer *w) MUST;
/* Takes back the message begun. */
void pg__undo(struct pg_writer *w);

/* Whole messages. Of copying: G and H. */
enum status pg__send_empty(struct pg_writer *w, char type) MUST; /* 1 2 3 n s I c */
enum status pg__send_string(struct pg_writer *w, char type, const char *s) MUST; /* C */
enum status pg__send_parameter(struct pg_writer *w, const char *name, const char *value) MUST;
enum status pg__send_key(struct pg_writer *w, uint32_t pid, uint32_t key) MUST;
enum status pg__send_ready(struct pg_writer *w, char txn_state) MUST;
/* Codes: 0 ok, 10 SASL, 11 SASL continue, 12 SASL final. */
enum status pg__send_auth(struct pg_writer *w, uint32_t code, struct slice data) MUST;
enum status pg__send_copy(struct pg_writer *w, char type, int format, uint32_t columns) MUST;

#endif
