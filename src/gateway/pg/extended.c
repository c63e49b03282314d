#include "gateway/pg/pg_priv.h"

/* The extended protocol: Parse, Bind, Describe, Execute, Close, Sync.
 *
 * Statements and portals live in the session. What is kept here is only how the client wants the
 * columns of a portal, and only when it wants any in binary. Portals die with their transaction,
 * so at a Sync outside of one all are forgotten; but the unnamed one's stay, since the next Bind
 * nearly always brings the same again. */

/* An error found here, not by the session. */
static enum status fail_here(struct pg_conn *p, enum status st)
{
    struct result_sink sink = pg__sink(p);
    if (st != OK) session_fail(p->session, &sink);
    return st;
}

/* --- formats of portals --------------------------------------------------------------------- */

static const struct pg_formats *formats_get(const struct pg_conn *p, const char *portal)
{
    return p->portals.count ? map_get(&p->portals, slice_of(portal)) : NULL;
}

static void formats_forget(struct pg_conn *p, const char *portal)
{
    if (p->portals.count) mem_free(MEM_NET, map_remove(&p->portals, slice_of(portal)));
}

static void formats_set(struct pg_conn *p, const char *portal, const uint16_t *items,
                        uint32_t count)
{
    const struct pg_formats *old = formats_get(p, portal);
    bool binary = false;
    if (old && old->count == count && memcmp(old->items, items, count * sizeof *items) == 0) return;
    formats_forget(p, portal);
    for (uint32_t i = 0; i < count; i++) binary |= items[i] != 0;
    if (!binary) return;
    struct pg_formats *f = mem_alloc(MEM_NET, sizeof *f + count * sizeof *items);
    f->count = count;
    memcpy(f->items, items, count * sizeof *items);
    map_put(&p->portals, slice_of(portal), f);
}

void pg__forget_portals(struct pg_conn *p)
{
    size_t pos = 0;
    void *f;
    while (p->portals.count && map_next(&p->portals, &pos, NULL, NULL, &f)) mem_free(MEM_NET, f);
    map_clear(&p->portals);
}

static void forget_named_portals(struct pg_conn *p)
{
    size_t pos = 0;
    struct slice name;
    void *f;
    if (p->portals.count == 0 || (p->portals.count == 1 && formats_get(p, ""))) return;
    while (map_next(&p->portals, &pos, &name, NULL, &f)) {
        if (name.len == 0) continue;
        (void)map_remove(&p->portals, name);
        mem_free(MEM_NET, f);
    }
}

/* --- Parse ---------------------------------------------------------------------------------- */

enum status pg__parse(struct pg_conn *p, struct slice body)
{
    struct pg_cursor in = pg__cursor(body);
    const char *name = pg__get_string(&in), *text = pg__get_string(&in);
    uint32_t n = pg__get_u16(&in);
    type_id *types = arena_alloc(&p->arena, (n + 1) * sizeof *types);
    for (uint32_t i = 0; i < n; i++) types[i] = pg__get_u32(&in);
    enum status st = pg__get_end(&in);
    if (st == OK) st = pg__check_text(slice_of(text));
    TRY(fail_here(p, st));
    TRY(session_parse(p->session, name, slice_of(text), types, n));
    return pg__send_empty(&p->out, '1');
}

/* --- Bind ----------------------------------------------------------------------------------- */

struct bind {
    const char *portal, *statement;
    uint32_t param_count, result_format_count;
    struct bound_param *params;
    uint16_t *result_formats;
};

/* uint16 count, then as many codes. */
static enum status take_formats(struct pg_conn *p, struct pg_cursor *in, uint32_t *ret_count,
                                uint16_t **ret)
{
    uint32_t n = pg__get_u16(in);
    uint16_t *f = arena_alloc(&p->arena, (n + 1) * sizeof *f);
    for (uint32_t i = 0; i < n; i++) {
        f[i] = pg__get_u16(in);
        if (f[i] > 1)
            return FAIL(INVALID_PARAMETER_VALUE, "unsupported format code: %d", (int16_t)f[i]);
    }
    *ret_count = n;
    *ret = f;
    return OK;
}

static enum status take_params(struct pg_conn *p, struct pg_cursor *in, struct bind *b)
{
    uint32_t formats;
    uint16_t *codes;
    TRY(take_formats(p, in, &formats, &codes));
    uint32_t n = b->param_count = pg__get_u16(in);
    /* One format and no parameters is fine: it would be for all of them. */
    if (formats > 1 && formats != n)
        return FAIL(PROTOCOL_VIOLATION, "bind message has %u parameter formats but %u parameters",
                    formats, n);
    b->params = arena_alloc(&p->arena, (n + 1) * sizeof *b->params);
    for (uint32_t i = 0; i < n; i++) {
        struct bound_param *to = &b->params[i];
        uint32_t len = pg__get_u32(in);
        *to = (struct bound_param){.null = len == UINT32_MAX,
                                   .format = formats ? (uint8_t)codes[formats == 1 ? 0 : i] : 0};
        if (!to->null) to->data = pg__get_bytes(in, len);
        if (in->bad) return pg__get_end(in);
        if (!to->null && to->format == 0) TRY(pg__check_text(to->data));
    }
    return OK;
}

static enum status take_bind(struct pg_conn *p, struct slice body, struct bind *b)
{
    struct pg_cursor in = pg__cursor(body);
    b->portal = pg__get_string(&in);
    b->statement = pg__get_string(&in);
    TRY(take_params(p, &in, b));
    TRY(take_formats(p, &in, &b->result_format_count, &b->result_formats));
    return pg__get_end(&in);
}

enum status pg__bind(struct pg_conn *p, struct slice body)
{
    struct bind b = {0};
    TRY(fail_here(p, take_bind(p, body, &b)));
    TRY(session_bind(p->session, b.portal, b.statement, b.params, b.param_count));
    if (b.result_format_count > 1) {
        const struct result_column *columns;
        uint32_t n;
        TRY(session_describe_portal(p->session, b.portal, &columns, &n));
        if (n != b.result_format_count) {
            (void)FAIL(PROTOCOL_VIOLATION,
                       "bind message has %u result formats but query has %u columns",
                       b.result_format_count, n);
            return fail_here(p, PROTOCOL_VIOLATION);
        }
    }
    formats_set(p, b.portal, b.result_formats, b.result_format_count);
    return pg__send_empty(&p->out, '2');
}

/* --- Describe ------------------------------------------------------------------------------- */

static enum status describe_statement(struct pg_conn *p, const char *name)
{
    const type_id *params;
    const struct result_column *columns;
    uint32_t param_count, count;
    TRY(session_describe_statement(p->session, name, &params, &param_count, &columns, &count));
    pg__begin(&p->out, 't');
    pg__put_u16(&p->out, (uint16_t)param_count);
    for (uint32_t i = 0; i < param_count; i++) pg__put_u32(&p->out, params[i]);
    TRY(pg__end(&p->out));
    if (count == 0) return pg__send_empty(&p->out, 'n');
    return pg__send_row_description(p, columns, count, NULL);
}

static enum status describe_portal(struct pg_conn *p, const char *name)
{
    const struct result_column *columns;
    uint32_t count;
    TRY(session_describe_portal(p->session, name, &columns, &count));
    if (count == 0) return pg__send_empty(&p->out, 'n');
    return pg__send_row_description(p, columns, count, formats_get(p, name));
}

/* One letter, S or P, and a name. */
static enum status take_target(struct slice body, const char *what, char *ret_kind,
                               const char **ret_name)
{
    struct pg_cursor in = pg__cursor(body);
    *ret_kind = (char)pg__get_u8(&in);
    *ret_name = pg__get_string(&in);
    TRY(pg__get_end(&in));
    if (*ret_kind != 'S' && *ret_kind != 'P')
        return FAIL(PROTOCOL_VIOLATION, "invalid %s message subtype %d", what, *ret_kind);
    return OK;
}

enum status pg__describe(struct pg_conn *p, struct slice body)
{
    char kind = 0;
    const char *name = "";
    TRY(fail_here(p, take_target(body, "DESCRIBE", &kind, &name)));
    return kind == 'S' ? describe_statement(p, name) : describe_portal(p, name);
}

/* --- Execute, Close, Sync ------------------------------------------------------------------- */

enum status pg__execute(struct pg_conn *p, struct slice body)
{
    struct pg_cursor in = pg__cursor(body);
    struct result_sink sink = pg__sink(p);
    const struct result_column *columns;
    uint32_t count;
    const char *portal = pg__get_string(&in);
    int32_t max_rows = (int32_t)pg__get_u32(&in);
    TRY(fail_here(p, pg__get_end(&in)));
    TRY(session_describe_portal(p->session, portal, &columns, &count));
    p->extended = true;
    p->formats = formats_get(p, portal);
    pg__set_columns(p, columns, count, p->formats);
    return session_execute(p->session, portal, max_rows > 0 ? (uint64_t)max_rows : 0, &sink);
}

enum status pg__close(struct pg_conn *p, struct slice body)
{
    char kind = 0;
    const char *name = "";
    TRY(fail_here(p, take_target(body, "CLOSE", &kind, &name)));
    if (kind == 'S') {
        TRY(session_close_statement(p->session, name));
    } else {
        TRY(session_close_portal(p->session, name));
        formats_forget(p, name);
    }
    return pg__send_empty(&p->out, '3');
}

enum status pg__sync(struct pg_conn *p)
{
    struct result_sink sink = pg__sink(p);
    enum status st = session_sync(p->session, &sink);
    if (session_txn_state(p->session) == 'I') forget_named_portals(p);
    return st;
}
