#include "gateway/pg/pg_priv.h"

/* COPY's part of the conversation.
 *
 *     server: CopyInResponse    client: CopyData* then CopyDone or CopyFail
 *     server: CopyOutResponse, CopyData*, CopyDone
 *
 * The client does not wait for anything while it sends. When the statement fails midway, what is
 * still on its way is passed over: by the main loop, which ignores these messages where none are
 * awaited, or by the skip to Sync. */

enum status pg__copy_in(void *ctx, int format, uint32_t columns)
{
    struct pg_conn *p = ctx;
    TRY(pg__send_copy(&p->out, 'G', format, columns));
    TRY(pg__flush(&p->out));
    p->in_copy = true;
    return OK;
}

static enum status copy_fail(struct slice body)
{
    struct pg_cursor in = pg__cursor(body);
    return FAIL(QUERY_CANCELED, "COPY from stdin failed: %s", pg__get_string(&in));
}

enum status pg__copy_read(void *ctx, struct slice *ret)
{
    struct pg_conn *p = ctx;
    if (!p->in_copy) return END_OF_DATA;
    for (;;) {
        struct pg_message m;
        if (!pg__message_buffered(&p->in)) TRY(pg__flush(&p->out));
        enum status st = pg__read_message(&p->in, p->message_max, 0, &m);
        if (st == END_OF_DATA) {
            p->over = true;
            return FAIL(CONNECTION_FAILURE, "unexpected EOF on client connection with an open "
                                            "transaction");
        }
        if (st == PROTOCOL_VIOLATION) p->over = true;
        TRY(st);
        switch (m.type) {
        case 'd':
            if (m.body.len == 0) continue;
            *ret = m.body;
            return OK;
        case 'c': p->in_copy = false; return END_OF_DATA;
        case 'f': p->in_copy = false; return copy_fail(m.body);
        case 'H':
        case 'S': continue; /* libraries send these without a thought for COPY */
        default:
            p->in_copy = false;
            return FAIL(PROTOCOL_VIOLATION, "unexpected message type 0x%02X during COPY from stdin",
                        (unsigned)(uint8_t)m.type);
        }
    }
}

enum status pg__copy_out(void *ctx, int format, uint32_t columns)
{
    struct pg_conn *p = ctx;
    return pg__send_copy(&p->out, 'H', format, columns);
}

enum status pg__copy_write(void *ctx, struct slice row)
{
    struct pg_conn *p = ctx;
    pg__begin(&p->out, 'd');
    pg__put_bytes(&p->out, row);
    return pg__end(&p->out);
}

enum status pg__copy_done(void *ctx)
{
    struct pg_conn *p = ctx;
    return pg__send_empty(&p->out, 'c');
}
