#include "gateway/pg/message_priv.h"

/* Framing. The reader keeps one buffer in which each message lies whole, so that what is inside is
 * handed on as slices without a copy. It grows with the bytes that have come, never with what a
 * length claims: a client pays for the memory it makes us take.
 *
 * The writer gathers messages and sends at 64 KiB, or when told to. */

/* --- reading -------------------------------------------------------------------------------- */

void pg__reader_init(struct pg_reader *r, struct conn *c)
{
    *r = (struct pg_reader){.conn = c, .cap = PG_READ_BYTES};
    r->data = mem_alloc(MEM_NET, r->cap);
}

void pg__reader_release(struct pg_reader *r)
{
    mem_free(MEM_NET, r->data);
    r->data = NULL;
}

static void resize(struct pg_reader *r, size_t cap)
{
    size_t len = r->end - r->start;
    ASSERT(cap >= len);
    if (r->start && len) memmove(r->data, r->data + r->start, len);
    r->start = 0;
    r->end = len;
    if (cap == r->cap) return;
    r->data = mem_realloc(MEM_NET, r->data, cap);
    r->cap = cap;
}

/* Room for at least one more byte of a message of `need` bytes that begins at start. */
static void make_room(struct pg_reader *r, size_t need)
{
    if (r->start == r->end) {
        r->start = r->end = 0;
        if (r->cap > PG_KEEP_BYTES && need <= PG_READ_BYTES) resize(r, PG_READ_BYTES);
    }
    if (r->start + need <= r->cap) return;
    resize(r, r->cap);
    if (r->end < r->cap) return;
    resize(r, r->cap * 2 < need ? r->cap * 2 : need);
}

/* Waits until `need` bytes lie from start on. */
static enum status fill(struct pg_reader *r, size_t need, int64_t deadline_us)
{
    while (r->end - r->start < need) {
        size_t n;
        make_room(r, need);
        TRY(conn_read(r->conn, r->data + r->end, r->cap - r->end, deadline_us, &n));
        if (n == 0) {
            if (r->end == r->start) return END_OF_DATA;
            return FAIL(CONNECTION_FAILURE, "unexpected EOF on client connection");
        }
        r->end += n;
    }
    return OK;
}

static uint32_t u32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

static enum status read_exactly(struct pg_reader *r, size_t need, int64_t deadline_us)
{
    while (r->end < need) {
        size_t n;
        TRY(conn_read(r->conn, r->data + r->end, need - r->end, deadline_us, &n));
        if (n == 0 && r->end == 0) return END_OF_DATA;
        if (n == 0) return FAIL(PROTOCOL_VIOLATION, "incomplete startup packet");
        r->end += n;
    }
    return OK;
}

enum status pg__read_startup(struct pg_reader *r, int64_t deadline_us, struct pg_message *ret)
{
    ASSERT(r->start == r->end);
    r->start = r->end = 0;
    TRY(read_exactly(r, 4, deadline_us));
    uint32_t len = u32_at(r->data);
    if (len < 8 || len > PG_STARTUP_BYTES_MAX + 4)
        return FAIL(PROTOCOL_VIOLATION, "invalid length of startup packet");
    if (r->cap < len) resize(r, len);
    TRY(read_exactly(r, len, deadline_us));
    *ret = (struct pg_message){0, slice_make(r->data + 4, len - 4)};
    r->start = r->end = 0;
    return OK;
}

enum status pg__read_message(struct pg_reader *r, size_t body_max, int64_t deadline_us,
                             struct pg_message *ret)
{
    TRY(fill(r, 5, deadline_us));
    uint32_t len = u32_at(r->data + r->start + 1);
    if (len < 4 || len - 4 > body_max)
        return FAIL(PROTOCOL_VIOLATION, "invalid message length");
    TRY(fill(r, (size_t)len + 1, deadline_us));
    ret->type = r->data[r->start];
    ret->body = slice_make(r->data + r->start + 5, len - 4);
    r->start += (size_t)len + 1;
    return OK;
}

bool pg__message_buffered(const struct pg_reader *r)
{
    size_t have = r->end - r->start;
    return have >= 5 && have > u32_at(r->data + r->start + 1);
}

/* --- taking a body apart -------------------------------------------------------------------- */

struct slice pg__get_bytes(struct pg_cursor *c, size_t len)
{
    if (c->bad || len > (size_t)(c->end - c->p)) {
        c->bad = true;
        return (struct slice){0};
    }
    struct slice s = slice_make(c->p, len);
    c->p += len;
    return s;
}

uint8_t pg__get_u8(struct pg_cursor *c)
{
    struct slice s = pg__get_bytes(c, 1);
    return s.data ? (uint8_t)s.data[0] : 0;
}

uint16_t pg__get_u16(struct pg_cursor *c)
{
    uint16_t v = 0;
    struct slice s = pg__get_bytes(c, sizeof v);
    if (s.data) memcpy(&v, s.data, sizeof v);
    return be16toh(v);
}

uint32_t pg__get_u32(struct pg_cursor *c)
{
    struct slice s = pg__get_bytes(c, 4);
    return s.data ? u32_at(s.data) : 0;
}

const char *pg__get_string(struct pg_cursor *c)
{
    const char *nul = c->bad || c->p == c->end ? NULL : memchr(c->p, '\0', (size_t)(c->end - c->p));
    if (!nul) {
        c->bad = true;
        return "";
    }
    const char *s = c->p;
    c->p = nul + 1;
    return s;
}

enum status pg__get_end(const struct pg_cursor *c)
{
    if (c->bad) return FAIL(PROTOCOL_VIOLATION, "insufficient data left in message");
    if (c->p != c->end) return FAIL(PROTOCOL_VIOLATION, "invalid message format");
    return OK;
}

/* --- writing -------------------------------------------------------------------------------- */

void pg__writer_init(struct pg_writer *w, struct conn *c)
{
    *w = (struct pg_writer){.conn = c};
    strbuf_init(&w->out, NULL);
}

void pg__writer_release(struct pg_writer *w)
{
    strbuf_release(&w->out);
}

enum status pg__flush(struct pg_writer *w)
{
    if (w->failed) return FAIL(CONNECTION_FAILURE, "connection to client lost");
    if (w->out.len == 0) return OK;
    enum status st = conn_write(w->conn, w->out.data, w->out.len);
    strbuf_clear(&w->out);
    if (w->out.cap > PG_KEEP_BYTES) {
        strbuf_release(&w->out);
        strbuf_init(&w->out, NULL);
    }
    w->failed = st != OK;
    return st;
}

void pg__undo(struct pg_writer *w)
{
    w->out.len = w->message_at;
    w->out.data[w->out.len] = '\0';
}

enum status pg__end(struct pg_writer *w)
{
    size_t len = w->out.len - w->message_at - 1;
    if (len > PG_MESSAGE_BYTES_MAX) {
        pg__undo(w);
        FAIL(PROGRAM_LIMIT_EXCEEDED, "out of memory");
        return error_detail("A message of %zu bytes is longer than the protocol allows.", len);
    }
    uint32_t be = htobe32((uint32_t)len);
    memcpy(w->out.data + w->message_at + 1, &be, sizeof be);
    return w->out.len >= PG_FLUSH_BYTES ? pg__flush(w) : OK;
}

enum status pg__send_empty(struct pg_writer *w, char type)
{
    pg__begin(w, type);
    return pg__end(w);
}

enum status pg__send_string(struct pg_writer *w, char type, const char *s)
{
    pg__begin(w, type);
    pg__put_string(w, s);
    return pg__end(w);
}

enum status pg__send_parameter(struct pg_writer *w, const char *name, const char *value)
{
    pg__begin(w, 'S');
    pg__put_string(w, name);
    pg__put_string(w, value);
    return pg__end(w);
}

enum status pg__send_key(struct pg_writer *w, uint32_t pid, uint32_t key)
{
    pg__begin(w, 'K');
    pg__put_u32(w, pid);
    pg__put_u32(w, key);
    return pg__end(w);
}

enum status pg__send_ready(struct pg_writer *w, char txn_state)
{
    pg__begin(w, 'Z');
    pg__put_u8(w, (uint8_t)txn_state);
    return pg__end(w);
}

enum status pg__send_auth(struct pg_writer *w, uint32_t code, struct slice data)
{
    pg__begin(w, 'R');
    pg__put_u32(w, code);
    pg__put_bytes(w, data);
    return pg__end(w);
}

enum status pg__send_copy(struct pg_writer *w, char type, int format, uint32_t columns)
{
    pg__begin(w, type);
    pg__put_u8(w, (uint8_t)format);
    pg__put_u16(w, (uint16_t)columns);
    for (uint32_t i = 0; i < columns; i++) pg__put_u16(w, (uint16_t)format);
    return pg__end(w);
}
