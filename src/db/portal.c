/* Portals: a statement bound to its parameters, and SQL cursors, which are portals with names of their
 * own. A portal that is asked for all its rows at once runs to its end. One that is asked for some is a
 * stream (portal_stream.c), whose run stands still in between and keeps no rows.
 *
 * Rows are kept, within query.memory_limit, by cursors that move back (from the first such step on, for
 * which the run begins anew under its old snapshot), by those that outlive their transaction, and for
 * statements whose run may not stand still. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum { PORTALS_MAX = 10000 };

/* --- kept rows ------------------------------------------------------------------------------ */

static enum status keep_row(struct row_store *r, const struct datum *values)
{
    struct datum *copy = arena_alloc(&r->arena, r->columns * sizeof *copy + 1);
    for (uint32_t i = 0; i < r->columns; i++)
        copy[i] = datum_copy(&r->arena, r->types[i], values[i]);
    ARRAY_PUSH(&r->rows, copy);
    if (arena_bytes(&r->arena) + r->rows.cap * sizeof(void *) > r->bytes_max)
        return FAIL(OUT_OF_MEMORY, "the rows of this cursor exceed query.memory_limit"),
               error_hint("Raise query.memory_limit, or select fewer rows.");
    return OK;
}

static enum status keep_one(void *ctx, const struct datum *values, uint32_t count)
{
    struct row_store *r = ctx;
    ASSERT(count == r->columns);
    return keep_row(r, values);
}

static enum status keep_batch(void *ctx, const struct batch *b)
{
    struct row_store *r = ctx;
    struct datum values[TABLE_COLUMNS_MAX + 64];
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = b->sel ? b->sel[i] : i;
        for (uint32_t c = 0; c < r->columns; c++) values[c] = vec_get(&b->columns[c], row);
        TRY(keep_row(r, values));
    }
    return OK;
}

static enum status keep_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    (void)ctx, (void)columns, (void)count;
    return OK;
}

static enum status begin_keeping(struct session *s, struct portal *p)
{
    type_id *types = ARENA_ARRAY(&p->arena, type_id, p->column_count + 1);
    for (uint32_t i = 0; i < p->column_count; i++) types[i] = p->columns[i].type;
    if (p->column_count > TABLE_COLUMNS_MAX + 64)
        return FAIL(TOO_MANY_COLUMNS, "a cursor can have at most %d columns", TABLE_COLUMNS_MAX + 64);
    arena_init(&p->rows.arena, MEM_QUERY);
    p->rows.columns = p->column_count;
    p->rows.types = types;
    p->rows.bytes_max = s->db->query_memory_bytes;
    p->materialised = true;
    return OK;
}

static struct exec_params params_of(const struct portal *p)
{
    return (struct exec_params){p->params, p->param_count, p->moments};
}

/* The plan that the prepared statement has now, and the moments that it is run for. */
static enum status replan(struct session *s, struct portal *p)
{
    struct exec_params params = params_of(p);
    TRY(prepared__replan(s, p->prepared, &p->arena, &params, &p->plan));
    p->moments = params.moments;
    return OK;
}

/* A cursor's plan was made by the statement that runs. */
static enum status run_plan(struct session *s, struct portal *p, const struct run_options *o,
                            const struct result_sink *sink, char tag[64])
{
    if (p->prepared) return prepared__run(s, p->prepared, &p->plan, o, sink, tag);
    return session__run_plan(s, p->plan, o, sink, tag);
}

/* Runs the portal's statement to its end into its row store. */
static enum status materialise(struct session *s, struct portal *p, const struct result_sink *sink)
{
    struct result_sink keep = *sink;
    TRY(begin_keeping(s, p));
    keep.rows = keep_batch;
    keep.row = keep_one;
    keep.columns = keep_columns;
    keep.ctx = &p->rows;
    keep.notice = NULL;
    keep.parameter = NULL;
    struct exec_params params = params_of(p);
    struct run_options o = {.params = &params};
    if (p->plan) return run_plan(s, p, &o, &keep, p->tag);
    return session__run_utility(s, p->prepared->statement, p->prepared->text, &params, &keep, p->tag);
}

/* A kept portal that is still running takes rows until it has `count` of them, if there are so many. */
static enum status keep_up_to(struct portal *p, int64_t count)
{
    const struct result_sink keep = {.rows = keep_batch, .ctx = &p->rows};
    int64_t have = (int64_t)p->rows.rows.count;
    uint64_t sent;
    bool end = false;
    if (!p->stream || have >= count) return OK;
    enum status st = stream_send(p->stream, (uint64_t)(count - have), &keep, &sent, &end);
    p->failed = st != OK;
    return st;
}

/* A cursor that has kept no rows begins anew, and keeps them. */
static enum status keep_from_start(struct session *s, struct portal *p)
{
    stream_rewind(p->stream);
    TRY(begin_keeping(s, p));
    return keep_up_to(p, p->position);
}

static enum status check_runnable(const struct portal *p)
{
    if (!p->failed) return OK;
    return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run", p->name);
}

/* --- the table of portals ------------------------------------------------------------------- */

static void close_stream(struct portal *p)
{
    if (p->stream) stream_close(p->stream);
    p->stream = NULL;
}

static void free_portal(struct portal *p)
{
    close_stream(p);
    if (p->plan) cached_plan_release(p->plan);
    if (p->prepared) prepared__unref(p->prepared);
    if (p->materialised) {
        arena_release(&p->rows.arena);
        ARRAY_RELEASE(&p->rows.rows);
    }
    struct arena a = p->arena; /* p lies in it */
    arena_release(&a);
}

/* Those that outlive the transaction take all their rows along. */
enum status session__hold_portals(struct session *s)
{
    size_t pos = 0;
    void *v;
    while (map_next(&s->portals, &pos, NULL, NULL, &v)) {
        struct portal *p = v;
        if (!p->held || !p->stream) continue;
        if (!p->materialised) TRY(keep_from_start(s, p));
        TRY(keep_up_to(p, INT64_MAX));
        close_stream(p);
    }
    return OK;
}

void session__close_portals(struct session *s, bool all)
{
    size_t pos = 0;
    struct slice name;
    void *v;
    while (map_next(&s->portals, &pos, &name, NULL, &v)) {
        struct portal *p = v;
        if (p->held && !all) continue;
        (void)map_remove(&s->portals, name);
        free_portal(p);
    }
}

void session__close_portals_of(struct session *s, uint32_t level)
{
    size_t pos = 0;
    struct slice name;
    void *v;
    while (map_next(&s->portals, &pos, &name, NULL, &v)) {
        struct portal *p = v;
        if (p->level < level) continue;
        (void)map_remove(&s->portals, name);
        free_portal(p);
    }
}

void session__lift_portals(struct session *s, uint32_t level)
{
    size_t pos = 0;
    void *v;
    while (map_next(&s->portals, &pos, NULL, NULL, &v)) {
        struct portal *p = v;
        if (p->level > level) p->level = level;
    }
}

static bool reads_table(const struct portal *p, oid_t table)
{
    const struct plan *plan = p->stream && p->plan ? p->plan->plan : NULL;
    for (uint32_t i = 0; plan && i < plan->table_count; i++)
        if (plan->tables[i]->oid == table) return true;
    return false;
}

enum status session__check_unused(struct session *s, const struct table_def *t, const char *what)
{
    size_t pos = 0;
    void *v;
    while (map_next(&s->portals, &pos, NULL, NULL, &v))
        if (reads_table(v, t->oid))
            return FAIL(OBJECT_IN_USE, "cannot %s \"%s\" because it is being used by active queries "
                                       "in this session", what, t->name);
    return session__check_pending(s, t, what);
}

static enum status find_portal(struct session *s, const char *name, struct portal **ret)
{
    *ret = map_get(&s->portals, slice_of(name));
    if (*ret) return OK;
    return FAIL(INVALID_CURSOR_NAME, "portal \"%s\" does not exist", name);
}

static enum status new_portal(struct session *s, const char *name, struct portal **ret)
{
    struct portal *old = map_get(&s->portals, slice_of(name));
    if (old && *name) return FAIL(DUPLICATE_CURSOR, "cursor \"%s\" already exists", name);
    if (s->portals.count >= PORTALS_MAX)
        return FAIL(CONFIGURATION_LIMIT_EXCEEDED, "too many open cursors");
    if (old) {
        (void)map_remove(&s->portals, slice_of(name));
        free_portal(old);
    }
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct portal *p = ARENA_NEW(&a, struct portal);
    p->name = arena_strdup(&a, name);
    p->arena = a;
    p->made_us = s->statement_us;
    p->level = (s->savepoints ? s->savepoints->level : 0) + 1;
    *ret = p;
    return OK;
}

/* --- Bind, Describe, Execute, Close --------------------------------------------------------- */

static enum status read_param(struct session *s, struct portal *p, const struct bound_param *in,
                              type_id type, uint32_t number, struct datum *ret)
{
    ret->null = in->null;
    if (in->null) return OK;
    char *copy = arena_strndup(&p->arena, in->data.data, in->data.len);
    struct slice data = slice_make(copy, in->data.len);
    enum status result =
        in->format == 1 ? value_from_binary(type, -1, data, s->settings.format.names, &p->arena, &ret->v)
                        : value_from_text(type, -1, data, &s->settings.format, &p->arena, &ret->v);
    if (result != OK) return error_where("unnamed portal parameter $%u", number), result;
    return OK;
}

static enum status bind(struct session *s, const char *portal, const char *statement,
                        const struct bound_param *params, uint32_t param_count)
{
    struct prepared *ps;
    struct portal *p;
    TRY(prepared__find(s, statement, &ps));
    TRY(session__check_failed_block(s, ps->statement ? ps->statement->ast : NULL));
    if (param_count != ps->param_count)
        return FAIL(PROTOCOL_VIOLATION,
                    "bind message supplies %u parameters, but prepared statement \"%s\" requires %u",
                    param_count, statement, ps->param_count);
    bool transaction = ps->empty || (ps->statement && ps->statement->ast->kind == AST_TRANSACTION);
    if (!transaction) TRY(session__ensure_txn(s));
    TRY(new_portal(s, portal, &p));
    p->prepared = ps;
    ps->refs++;
    p->params = ARENA_ARRAY(&p->arena, struct datum, param_count + 1);
    p->param_count = param_count;
    p->query_text = ps->text;
    enum status result = OK;
    for (uint32_t i = 0; i < param_count && result == OK; i++)
        result = read_param(s, p, &params[i], ps->param_types[i], i + 1, &p->params[i]);
    if (result == OK && ps->plannable) result = replan(s, p);
    if (result != OK) {
        free_portal(p);
        return result;
    }
    p->columns = ps->columns;
    p->column_count = ps->column_count;
    map_put(&s->portals, slice_of(portal), p);
    return OK;
}

enum status session_bind(struct session *s, const char *portal, const char *statement,
                         const struct bound_param *params, uint32_t param_count)
{
    session__begin_statement(s, slice_make(NULL, 0));
    enum status result = bind(s, portal, statement, params, param_count);
    if (result != OK) session__statement_failed(s, NULL);
    session__end_statement(s);
    return result;
}

enum status session_describe_portal(struct session *s, const char *name,
                                    const struct result_column **ret_columns, uint32_t *ret_count)
{
    struct portal *p;
    enum status result = find_portal(s, name, &p);
    if (result != OK) {
        session__statement_failed(s, NULL);
        return result;
    }
    *ret_columns = p->columns;
    *ret_count = p->column_count;
    return OK;
}

static enum status send_kept(struct portal *p, uint64_t max, const struct result_sink *sink,
                             uint64_t *ret_sent)
{
    int64_t rows = (int64_t)p->rows.rows.count;
    uint64_t left = p->position < rows ? (uint64_t)(rows - p->position) : 0; /* FETCH goes past it */
    uint64_t n = max && max < left ? max : left;
    for (uint64_t i = 0; i < n; i++)
        TRY(sink->row(sink->ctx, p->rows.rows.data[p->position + (int64_t)i], p->column_count));
    p->position += (int64_t)n;
    *ret_sent = n;
    return OK;
}

/* The first of perhaps many steps. */
static enum status start_limited(struct session *s, struct portal *p, const struct result_sink *sink)
{
    p->started = true;
    for (int i = 0; p->plan && stream_possible(s, p->plan->plan); i++) {
        const struct exec_params params = params_of(p);
        enum status st = stream_open(s, p->plan, &params, &p->arena, &p->stream);
        if (st != PLAN_STALE || !p->prepared || i == REPLANS_MAX) return st;
        TRY(replan(s, p));
    }
    return materialise(s, p, sink);
}

/* From the run that stands, keeping nothing. */
static enum status send_stream(struct portal *p, uint64_t max, const struct result_sink *sink,
                               uint64_t *ret_sent)
{
    bool end;
    enum status st = stream_send(p->stream, max, sink, ret_sent, &end);
    stream_rest(p->stream);
    p->position += (int64_t)*ret_sent;
    if (st != OK || !end) return st;
    if (!p->done) p->position++; /* behind the last row */
    p->done = true;
    return OK;
}

static enum status step_limited(struct session *s, struct portal *p, uint64_t max_rows,
                                const struct result_sink *sink, uint64_t *ret_sent)
{
    if (!p->started) TRY(start_limited(s, p, sink));
    if (p->stream && !p->materialised)
        return send_stream(p, max_rows ? max_rows : INT64_MAX, sink, ret_sent);
    int64_t room = INT64_MAX - p->position;
    TRY(keep_up_to(p, p->position + (max_rows && max_rows < (uint64_t)room ? (int64_t)max_rows
                                                                          : room)));
    TRY(send_kept(p, max_rows, sink, ret_sent));
    p->done = p->position >= (int64_t)p->rows.rows.count;
    return OK;
}

static enum status execute_limited(struct session *s, struct portal *p, uint64_t max_rows,
                                   const struct result_sink *sink)
{
    uint64_t sent = 0;
    TRY(check_runnable(p));
    enum status st = step_limited(s, p, max_rows, sink, &sent);
    if (st != OK) {
        p->failed = true;
        close_stream(p);
        return st;
    }
    if (max_rows && sent == max_rows) {
        p->done = false; /* the client learns of the end by asking once more, as with PostgreSQL */
        return sink->suspended(sink->ctx);
    }
    if (p->done && !p->is_cursor) close_stream(p);
    struct strbuf b;
    strbuf_init(&b, &s->arena);
    bool select = p->plan && p->plan->plan->command == CMD_SELECT;
    if (select) strbuf_addf(&b, "SELECT %llu", (unsigned long long)sent);
    return sink->complete(sink->ctx, select ? b.data : p->tag);
}

static enum status execute(struct session *s, struct portal *p, uint64_t max_rows,
                           const struct result_sink *sink)
{
    struct prepared *ps = p->prepared;
    if (ps && ps->empty) return sink->empty(sink->ctx);
    TRY(session__check_failed_block(s, ps && ps->statement ? ps->statement->ast : NULL));
    TRY(session__check_interrupts(s));
    if (p->materialised || p->stream || (max_rows && p->column_count && !p->started))
        return execute_limited(s, p, max_rows, sink);
    TRY(check_runnable(p));
    if (p->done) {
        if (p->plan) return sink->complete(sink->ctx, "SELECT 0");
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run", p->name);
    }
    struct exec_params params = params_of(p);
    struct run_options o = {.params = &params};
    char tag[64] = "";
    p->done = p->started = true;
    if (p->plan) {
        TRY(run_plan(s, p, &o, sink, tag));
    } else {
        /* The statement may end the transaction, and this portal with it. */
        const struct statement *st = ps->statement;
        struct slice text = ps->text;
        ps->refs++;
        enum status result = OK;
        if (st->ast->kind != AST_TRANSACTION) result = session__ensure_txn(s);
        s->param_types = ps->param_types;
        if (result == OK) result = session__run_utility(s, st, text, &params, sink, tag);
        s->param_types = NULL;
        prepared__unref(ps);
        TRY(result);
    }
    return sink->complete(sink->ctx, tag);
}

enum status session_execute(struct session *s, const char *portal, uint64_t max_rows,
                            const struct result_sink *sink)
{
    struct portal *p;
    struct prepared *held = NULL;
    const char *name = "";
    struct slice text = {0};
    enum status result = find_portal(s, portal, &p);
    if (result == OK) {
        session__time_begin(s);
        session__begin_statement(s, p->query_text);
        s->notices = sink;
        /* The portal may end with the transaction; its statement's text is still wanted. */
        bool wanted = s->settings.slow.statement_us >= 0;
        if (wanted && p->prepared) {
            held = p->prepared;
            held->refs++;
            name = held->name;
            text = p->query_text;
        }
        result = execute(s, p, max_rows, sink);
    }
    if (result != OK) session__statement_failed(s, sink);
    session__end_statement(s);
    s->notices = NULL;
    session__time_end(s, "execute", name, text);
    if (held) prepared__unref(held);
    return result;
}

enum status session_close_portal(struct session *s, const char *name)
{
    struct portal *p = map_remove(&s->portals, slice_of(name));
    if (p) free_portal(p);
    return OK;
}

/* --- DECLARE, FETCH, MOVE, CLOSE ------------------------------------------------------------ */

enum { CURSOR_SCROLL = 2, CURSOR_NO_SCROLL = 4, CURSOR_INSENSITIVE = 8, CURSOR_HOLD = 32 };

/* May a cursor that does not say go back? As PostgreSQL has it: over what is sorted or a table by itself, not
 * over joins and groups. */
static bool goes_back(const struct plan_node *n)
{
    bool all = true;
    for (; n; n = n->left) {
        switch (n->kind) {
        case PLAN_VALUES: return n->values.row_count > 1;
        case PLAN_SCAN: return !n->scan.sample;
        case PLAN_INDEX_SCAN:
        case PLAN_VIRTUAL_SCAN:
        case PLAN_FUNCTION_SCAN:
        case PLAN_CTE_SCAN:
        case PLAN_SORT: return true;
        case PLAN_APPEND:
            for (uint32_t i = 0; i < n->append.child_count; i++) all &= goes_back(n->append.children[i]);
            return all;
        case PLAN_SUBQUERY_SCAN:
        case PLAN_FILTER:
        case PLAN_PROJECT:
        case PLAN_GATHER:
        case PLAN_LIMIT: break;
        default: return false;
        }
    }
    return false;
}

static bool may_scroll(const struct plan *p, bool scroll, bool no_scroll)
{
    if (scroll || no_scroll) return scroll;
    return !p->lock_strength && goes_back(p->root);
}

/* Rows that are locked are read once, and forwards. */
static enum status check_locking(const struct plan *p, uint32_t options)
{
    static const char *const words[] = {"FOR KEY SHARE", "FOR SHARE", "FOR NO KEY UPDATE",
                                        "FOR UPDATE"};
    if (!p->lock_strength) return OK;
    const char *lock = words[p->lock_strength - 1];
    if (options & CURSOR_HOLD) {
        (void)FAIL(FEATURE_NOT_SUPPORTED, "DECLARE CURSOR WITH HOLD ... %s is not supported", lock);
        return error_detail("Holdable cursors must be READ ONLY.");
    }
    if (options & CURSOR_SCROLL) {
        (void)FAIL(FEATURE_NOT_SUPPORTED, "DECLARE SCROLL CURSOR ... %s is not supported", lock);
        return error_detail("Scrollable cursors must be READ ONLY.");
    }
    if (!(options & CURSOR_INSENSITIVE)) return OK;
    (void)FAIL(FEATURE_NOT_SUPPORTED, "DECLARE INSENSITIVE CURSOR ... %s is not valid", lock);
    return error_detail("Insensitive cursors must be READ ONLY.");
}

static enum status open_cursor(struct session *s, struct portal *p, bool scroll)
{
    static const struct result_sink nowhere = {0};
    p->started = true;
    if (!stream_possible(s, p->plan->plan)) return materialise(s, p, &nowhere);
    TRY(stream_open(s, p->plan, NULL, &p->arena, &p->stream));
    return scroll ? begin_keeping(s, p) : OK;
}

enum status session__declare_cursor(struct session *s, const struct ast_declare_cursor *a,
                                    const struct statement *st, struct slice text)
{
    struct portal *p;
    struct statement inner = *st;
    uint32_t n = 0;
    enum status result;
    bool hold = (a->options & CURSOR_HOLD) != 0;
    if (!hold && s->block != BLOCK_OPEN)
        return FAIL(NO_ACTIVE_SQL_TRANSACTION, "DECLARE CURSOR can only be used in transaction blocks");
    if ((a->options & CURSOR_SCROLL) && (a->options & CURSOR_NO_SCROLL))
        return FAIL(INVALID_CURSOR_DEFINITION, "cannot specify both SCROLL and NO SCROLL");
    if (!*a->name) return FAIL(INVALID_CURSOR_NAME, "invalid cursor name: must not be empty");
    inner.ast = a->query;
    if (ast_writes(a->query))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "DECLARE CURSOR must not contain data-modifying statements in WITH");
    struct cached_plan *plan = session__plan(s, &inner, text, NULL, &n, false, &result);
    if (!plan) return result;
    result = check_locking(plan->plan, a->options);
    if (result == OK) result = new_portal(s, a->name, &p);
    if (result != OK) {
        cached_plan_release(plan);
        return result;
    }
    p->plan = plan;
    p->held = hold;
    p->is_cursor = true;
    p->scroll = may_scroll(plan->plan, a->options & CURSOR_SCROLL, a->options & CURSOR_NO_SCROLL);
    p->query_text = slice_dup(&p->arena, text);
    p->column_count = plan->plan->output_count;
    p->columns = ARENA_ARRAY(&p->arena, struct result_column, p->column_count + 1);
    for (uint32_t i = 0; i < p->column_count; i++)
        p->columns[i] = (struct result_column){arena_strdup(&p->arena, plan->plan->output[i].name),
                                               plan->plan->output[i].type,
                                               plan->plan->output[i].typmod, 0, 0};
    result = open_cursor(s, p, (a->options & CURSOR_SCROLL) != 0);
    if (result != OK) {
        free_portal(p);
        return result;
    }
    map_put(&s->portals, slice_of(p->name), p);
    return OK;
}

enum status session__open_portal(struct session *s, const char *name, struct cached_plan *plan,
                                 const struct exec_params *params, struct slice text, bool scroll,
                                 bool no_scroll)
{
    static const struct result_sink nowhere = {0};
    struct portal *p;
    TRY(new_portal(s, name, &p));
    const struct plan *pl = plan->plan;
    cached_plan_ref(plan);
    p->plan = plan;
    p->is_cursor = p->started = true;
    p->scroll = may_scroll(pl, scroll, no_scroll);
    p->query_text = slice_dup(&p->arena, text);
    p->column_count = pl->output_count;
    p->columns = ARENA_ARRAY(&p->arena, struct result_column, p->column_count + 1);
    for (uint32_t i = 0; i < p->column_count; i++)
        p->columns[i] = (struct result_column){arena_strdup(&p->arena, pl->output[i].name),
                                               pl->output[i].type, pl->output[i].typmod, 0, 0};
    p->param_count = params->count;
    p->params = ARENA_ARRAY(&p->arena, struct datum, params->count + 1);
    for (uint32_t i = 0; i < params->count; i++)
        p->params[i] = datum_copy(&p->arena, pl->param_types[i], params->values[i]);
    if (params->moments)
        p->moments = arena_memdup(&p->arena, params->moments, plan->moment_count * sizeof(uint64_t));
    const struct exec_params own = params_of(p);
    enum status st;
    if (stream_possible(s, pl)) {
        st = stream_open(s, plan, &own, &p->arena, &p->stream);
        if (st == OK && scroll) st = begin_keeping(s, p);
    } else {
        st = materialise(s, p, &nowhere);
    }
    if (st == OK) map_put(&s->portals, slice_of(p->name), p);
    else free_portal(p);
    return st;
}

/* Where a FETCH begins and how many rows it gives, in its direction. */
static enum status place_fetch(struct portal *p, const struct ast_fetch *a, int64_t *ret_first,
                               int64_t *ret_count, int64_t *ret_step)
{
    int64_t rows = (int64_t)p->rows.rows.count, n = a->count, at = p->position;
    bool backward = a->direction == FETCH_BACKWARD;
    *ret_step = 1;
    *ret_count = 0;
    if (a->direction == FETCH_ABSOLUTE || a->direction == FETCH_RELATIVE) {
        int64_t target = a->direction == FETCH_RELATIVE ? at + n : n >= 0 ? n : rows + 1 + n;
        if (a->direction == FETCH_ABSOLUTE && n == 0) target = 0;
        backward = target <= at && !(a->direction == FETCH_RELATIVE && n == 0);
        if (target < 0) target = 0;
        if (target > rows + 1) target = rows + 1;
        p->position = target;
        *ret_first = target;
        *ret_count = target >= 1 && target <= rows;
    } else {
        if (n < 0 && n != INT64_MAX) {
            backward = !backward;
            n = -n;
        }
        if (n == 0) { /* again the row it stands on */
            *ret_first = at;
            *ret_count = at >= 1 && at <= rows;
        } else if (backward) {
            int64_t have = at - 1 < 0 ? 0 : at - 1;
            *ret_first = at - 1;
            *ret_count = n < have ? n : have;
            *ret_step = -1;
            p->position = n > have ? 0 : at - n;
        } else {
            int64_t have = rows - at < 0 ? 0 : rows - at;
            *ret_first = at + 1;
            *ret_count = n < have ? n : have;
            p->position = n > have ? rows + 1 : at + n;
        }
    }
    if (backward && !p->scroll)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward"),
               error_hint("Declare it with SCROLL option to enable backward scan.");
    return OK;
}

/* How far the rows must be known for that. */
static int64_t fetch_reach(const struct portal *p, const struct ast_fetch *a)
{
    int64_t n = a->count;
    if (a->direction == FETCH_ABSOLUTE) return n >= 0 ? n : INT64_MAX;
    bool forward = a->direction != FETCH_BACKWARD ? n > 0 : n < 0;
    if (!forward) return 0;
    if (n < 0) n = n == INT64_MIN ? INT64_MAX : -n;
    return n > INT64_MAX - p->position ? INT64_MAX : p->position + n;
}

static enum status fetch_kept(struct portal *p, const struct ast_fetch *a,
                              const struct result_sink *sink, int64_t *ret_count)
{
    int64_t first, step;
    TRY(keep_up_to(p, fetch_reach(p, a)));
    TRY(place_fetch(p, a, &first, ret_count, &step));
    if (a->move) return OK;
    for (int64_t i = 0; i < *ret_count; i++)
        TRY(sink->row(sink->ctx, p->rows.rows.data[first - 1 + i * step], p->column_count));
    return OK;
}

static enum status fetch(struct session *s, struct portal *p, const struct ast_fetch *a,
                         const struct result_sink *sink, int64_t *ret_count)
{
    uint64_t sent = 0;
    if (!a->move) TRY(sink->columns(sink->ctx, p->columns, p->column_count));
    if (p->materialised) return fetch_kept(p, a, sink, ret_count);
    if (a->direction == FETCH_FORWARD && a->count > 0) {
        TRY(send_stream(p, (uint64_t)a->count, a->move ? NULL : sink, &sent));
        *ret_count = (int64_t)sent;
        return OK;
    }
    TRY(keep_from_start(s, p));
    return fetch_kept(p, a, sink, ret_count);
}

enum status session__fetch(struct session *s, const struct ast_fetch *a,
                           const struct result_sink *sink, char tag[64])
{
    struct portal *p = map_get(&s->portals, slice_of(a->name));
    int64_t count = 0;
    if (!p) return FAIL(INVALID_CURSOR_NAME, "cursor \"%s\" does not exist", a->name);
    TRY(check_runnable(p));
    if (!p->started) TRY(start_limited(s, p, sink));
    if (!p->stream && !p->materialised) TRY(begin_keeping(s, p)); /* all is given */
    enum status st = fetch(s, p, a, sink, &count);
    if (st != OK) {
        p->failed = true;
        close_stream(p);
        return st;
    }
    struct strbuf b;
    strbuf_init(&b, &s->arena);
    strbuf_addf(&b, "%s %lld", a->move ? "MOVE" : "FETCH", (long long)count);
    memcpy(tag, b.data, b.len + 1);
    return OK;
}

enum status session__close_cursor(struct session *s, const char *name)
{
    if (!name) {
        session__close_portals(s, true);
        return OK;
    }
    struct portal *p = map_remove(&s->portals, slice_of(name));
    if (!p) return FAIL(INVALID_CURSOR_NAME, "cursor \"%s\" does not exist", name);
    free_portal(p);
    return OK;
}
