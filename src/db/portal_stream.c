/* Streams: runs of plans that stop between two batches, for portals with a row limit and cursors.
 *
 * Operators push, so the run stands on a stack of its own (base/siding.h) and yields at each batch that
 * comes out. It reads through a reader of the transaction (core/txn.h), so it goes on seeing what its
 * first statement saw, and has copies of all that the session changes between two statements.
 *
 * While a run stands, storage keeps what it points to. Runs a session has at most STREAMS_MAX; beyond
 * that rows are kept instead, as for plans that may not stand still: those that write, and those over
 * system tables, whose rows are made under locks. */
#include "base/fiber.h"
#include "base/siding.h"
#include "core/txn.h"
#include "db/admission.h"
#include "db/plan_cache.h"
#include "db/session_priv.h"

enum { STREAMS_MAX = 64 };

struct stream {
    struct session *s;
    struct siding *siding;
    struct cached_plan *plan;  /* the portal's */
    struct exec_params params; /* the portal's */
    struct exec_session exec;
    struct search_path path;
    struct txn *reader;
    struct arena arena;        /* of the run */
    bool begun, ended, stop;
    bool admitted;             /* holds a place among the active statements */
    enum status result;        /* of the run, once ended */
    int64_t took_us;           /* so far, for statistics, as are: */
    uint64_t rows;
    struct exec_usage usage;
    const struct batch *batch; /* at hand; NULL: none */
    uint32_t at;               /* rows of it that were given */
    uint16_t window[BATCH_ROWS];
};

bool stream_possible(const struct session *s, const struct plan *p)
{
    if (p->command != CMD_SELECT || p->writes || p->point || s->stream_count >= STREAMS_MAX)
        return false;
    for (uint32_t i = 0; i < p->table_count; i++)
        if (p->tables[i]->virtual_id >= 0) return false;
    return true;
}

static enum status take_siding(struct session *s, struct siding **ret)
{
    *ret = s->spare_siding;
    s->spare_siding = NULL;
    return *ret ? OK : siding_new(FIBER_STACK_BYTES, ret);
}

static void give_siding(struct session *s, struct siding *siding)
{
    if (s->spare_siding) siding_free(siding);
    else s->spare_siding = siding;
}

static void copy_session(struct stream *st, struct arena *a)
{
    struct session *s = st->s;
    const struct search_path *path = session__path(s);
    st->path = *path;
    st->path.schemas = arena_memdup(a, path->schemas, path->count * sizeof *path->schemas);
    st->exec = s->exec;
    st->exec.workers = NULL; /* threads must not wait for a client that may never ask again */
    st->exec.path = &st->path;
    st->exec.catalog = st->plan->catalog; /* which the plan keeps */
    st->exec.user = arena_strdup(a, s->exec.user);
}

enum status stream_open(struct session *s, struct cached_plan *plan,
                        const struct exec_params *params, struct arena *a, struct stream **ret)
{
    struct siding *siding;
    TRY(take_siding(s, &siding));
    struct stream *st = ARENA_NEW(a, struct stream);
    *st = (struct stream){.s = s, .siding = siding, .plan = plan};
    if (params) st->params = *params;
    if (!st->params.moments) st->params.moments = plan->made;
    enum status result = session__begin_stream(s, plan, &st->admitted, &st->reader);
    if (result != OK) {
        give_siding(s, siding);
        return result;
    }
    copy_session(st, a);
    arena_init(&st->arena, MEM_QUERY);
    s->stream_count++;
    *ret = st;
    return OK;
}

/* --- the run, on the siding ----------------------------------------------------------------- */

static enum status take_batch(void *ctx, const struct batch *b)
{
    struct stream *st = ctx;
    if (b->count == 0) return OK;
    st->batch = b;
    st->at = 0;
    siding_yield(st->siding);
    st->batch = NULL;
    return st->stop ? END_OF_DATA : OK;
}

static void run(void *arg)
{
    struct stream *st = arg;
    struct exec_sink sink = {take_batch, st};
    struct exec_result ran;
    st->result = exec_run(st->plan->plan, st->reader, &st->exec, &st->params, &st->arena, &sink,
                          &ran);
    if (st->result != OK) return;
    st->usage.temp_read += ran.temp_read;
    st->usage.temp_written += ran.temp_written;
}

static void stop(struct stream *st)
{
    if (!st->begun || st->ended) return;
    struct error kept = *error_current();
    st->stop = true;
    while (siding_resume(st->siding)) continue;
    st->ended = true;
    *error_current() = kept;
}

/* --- from outside --------------------------------------------------------------------------- */

/* Sees to it that a row is at hand, unless *ret_end. */
static enum status fill(struct stream *st, bool *ret_end)
{
    *ret_end = false;
    if (st->batch && st->at < st->batch->count) return OK;
    if (!st->ended) {
        if (!st->begun) siding_start(st->siding, run, st);
        st->begun = true;
        st->ended = !siding_resume(st->siding);
    }
    if (!st->ended) return OK;
    *ret_end = true;
    return session__explain_cancel(st->s, st->result);
}

static enum status send(struct stream *st, uint64_t max, const struct result_sink *sink,
                        uint64_t *ret_sent, bool *ret_end)
{
    *ret_sent = 0;
    *ret_end = false;
    while (*ret_sent < max) {
        TRY(fill(st, ret_end));
        if (*ret_end) return OK;
        struct batch b = *st->batch;
        uint64_t left = b.count - st->at, n = max - *ret_sent < left ? max - *ret_sent : left;
        for (uint32_t i = 0; i < n && !b.sel; i++) st->window[i] = (uint16_t)(st->at + i);
        b.sel = b.sel ? b.sel + st->at : st->window;
        b.count = (uint32_t)n;
        st->at += (uint32_t)n;
        *ret_sent += n;
        enum status sent = sink ? sink->rows(sink->ctx, &b) : OK;
        if (sent == END_OF_DATA) return OK; /* no more are wanted: it stands where they ended */
        TRY(sent);
    }
    return OK;
}

enum status stream_send(struct stream *st, uint64_t max, const struct result_sink *sink,
                        uint64_t *ret_sent, bool *ret_end)
{
    struct statement_run r;
    session__run_begin(st->s, &r);
    enum status result = send(st, max, sink, ret_sent, ret_end);
    st->rows += *ret_sent;
    session__run_pause(st->s, &r, &st->took_us, &st->usage);
    return result;
}

void stream_rewind(struct stream *st)
{
    stop(st);
    arena_clear(&st->arena);
    st->batch = NULL;
    st->begun = st->ended = st->stop = false;
}

void stream_rest(struct stream *st)
{
    if (st->admitted) admission_leave(st->s->db->admission);
    st->admitted = false;
}

void stream_close(struct stream *st)
{
    stop(st);
    stream_rest(st);
    if (st->begun) session__run_over(st->s, st->plan, &st->params, st->took_us, st->rows, &st->usage);
    txn_end_reader(st->reader);
    arena_release(&st->arena);
    give_siding(st->s, st->siding);
    st->s->stream_count--;
}
