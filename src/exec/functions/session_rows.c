/* Set-returning functions whose rows the session makes: all at once, at the first call. */
#include "exec/functions/session_rows_priv.h"

static struct bytes text_of(const char *s)
{
    return bytes_ref(s, (uint32_t)strlen(s));
}

struct channel_rows {
    const char *const *names;
    uint32_t count, next;
};

enum status session_rows__channels(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret, bool *ret_done)
{
    struct channel_rows *x = c->state;
    (void)args, (void)n;
    if (!x) {
        x = c->state = ARENA_NEW(c->arena, struct channel_rows);
        TRY(c->session->channels(c->session->ctx, c->arena, &x->names, &x->count));
    }
    *ret_done = x->next == x->count;
    if (*ret_done) return OK;
    ret[0].null = false;
    ret[0].v.bytes = text_of(x->names[x->next++]);
    return OK;
}

/* --- a row's history -------------------------------------------------------------------------- */

struct version_rows {
    const struct row_version *rows;
    uint32_t count, next;
};

static enum status read_versions(struct call_ctx *c, const struct datum *args, uint32_t n,
                                 struct version_rows **ret)
{
    struct version_rows *x = *ret = ARENA_NEW(c->arena, struct version_rows);
    const char **keys = ARENA_ARRAY(c->arena, const char *, n);
    for (uint32_t i = 1; i < n; i++) {
        struct strbuf b;
        strbuf_init(&b, c->arena);
        strbuf_reserve(&b, 16);
        value_to_text(c->expr->args[i]->type, &args[i].v, c->session->format, &b);
        keys[i - 1] = b.data;
    }
    return c->session->row_versions(c->session->ctx, args[0].v.u32, keys, n - 1, c->arena, &x->rows,
                                    &x->count);
}

/* operation text, start_scn int8, start_time timestamptz, end_scn int8, end_time timestamptz, row text */
enum status session_rows__versions(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret, bool *ret_done)
{
    struct version_rows *x = c->state;
    for (uint32_t i = 0; i < n && !x; i++)
        if (args[i].null) return *ret_done = true, OK;
    if (!x) {
        TRY(read_versions(c, args, n, &x));
        c->state = x;
    }
    *ret_done = x->next == x->count;
    if (*ret_done) return OK;
    memcpy(ret, x->rows[x->next++].columns, sizeof x->rows[0].columns);
    return OK;
}
