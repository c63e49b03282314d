/* GATHER: the subtree below runs on worker threads (base/fiber.h: pools), and their rows come out here.
 *
 * The first worker prepares what all need: builds of hash joins, results of subplans. Then it lets the
 * others begin, and all run the same subtree; a scan in it hands each other parts (morsel.c). Rows
 * are copied into slots, of which there are few: a worker waits for a free one, and so cannot run away
 * from whoever takes the rows.
 *
 * On a session's fiber the leader parks and only hands on rows. A gather below another one is run by a
 * worker, which is then its own first worker: the rest of its helpers may never get a thread, and it
 * must not wait for them. For the same reason a task that has not begun when the rows are used up is
 * taken back (`taken`), and a leader that got no thread for START_US does the work itself.
 *
 * A plan that runs away from its session's thread is one worker's, as it stands: nothing is prepared for
 * others, and if no thread is free soon the session's fiber runs it after all.
 *
 * Early ends: the sink says END_OF_DATA, a worker fails, the statement is canceled. Each sets `stop`,
 * which exec_check sees. The leader always waits until all that began have ended; only then do
 * their arenas go, and with them tables and groups. The first error is the query's. */
#include "exec/ops/gather_run_priv.h"

#include "base/fiber.h"
#include "exec/ops/column_scan.h"
#include "exec/subquery.h"
#include "sql/plan_exprs.h"

enum {
    START_US = 1000000,
    NESTED_START_US = 1000,    /* the threads may all wait for this very leader */
    AWAY_START_US = 2000,      /* sooner than others it would have its turn on the fiber */
};

/* --- workers ----------------------------------------------------------------------------------- */

static void fail(struct gather *g, enum status st)
{
    fmutex_lock(&g->p.lock);
    if (g->failed == OK && !__atomic_load_n(&g->p.stop, __ATOMIC_RELAXED)) {
        g->failed = st;
        g->error = *error_current();
    }
    fmutex_unlock(&g->p.lock);
    parallel_stop(&g->p);
    fmutex_lock(&g->p.lock);
    fcond_broadcast(&g->room);
    (void)gather__call_back(g);
    fcond_signal(&g->ready);
    fmutex_unlock(&g->p.lock);
}

/* Says no when there is nothing left to do. */
static bool begin(struct gather *g, struct worker *w)
{
    fmutex_lock(&g->p.lock);
    bool late = g->p.closed || __atomic_load_n(&g->p.stop, __ATOMIC_RELAXED);
    if (!late) g->p.feeding++, g->p.at_work++;
    if (w) w->began = !late;
    fcond_signal(&g->ready);
    fmutex_unlock(&g->p.lock);
    return !late;
}

static void begin_execution(struct gather *g, struct worker *w)
{
    const struct execution *l = g->x;
    txn_begin_helper(l->txn, &w->txn);
    exec_begin(&w->x, l->plan, w->txn, &w->session, l->params, &w->arena);
    w->x.run = l->run;
    w->x.parallel = &g->p;
    w->x.shared_bytes = l->shared_bytes;
    w->x.shared_spilled = l->shared_spilled;
    if (l->plan->outer_value_count)
        memcpy(w->x.outer, g->outer, l->plan->outer_value_count * sizeof *l->outer);
    if (l->stats) w->x.stats = ARENA_ARRAY(&w->arena, struct node_stats, l->plan->node_count);
}

/* Where nobody asks for the result its error is none; who does ask meets it again. */
static bool prepare_subplan(void *ctx, const struct expr *e)
{
    struct execution *x = ctx;
    if (e->kind == EXPR_SUBQUERY && exec_subquery_prepare(x, e) != OK) {
        enum status st = error_current()->code;
        if (st == QUERY_CANCELED || st == OUT_OF_MEMORY) return false;
        error_clear();
    }
    return expr_walk(e, prepare_subplan, x);
}

/* What all workers read: along the way from the gather down to the shared scan. *ret_alone: the others
 * cannot help. */
static enum status prepare(struct gather *g, struct execution *x, bool *ret_alone)
{
    for (const struct plan_node *n = g->n->left; n; n = n->left)
        if (!plan_node_exprs(n, prepare_subplan, x)) return error_current()->code;
    TRY(gather__build(g, x, ret_alone));
    g->p.kept = exec_subquery_kept(x);
    if (x->row_filters) /* as they are now */
        g->p.row_filters = arena_memdup(x->arena, x->row_filters,
                                        x->plan->node_count * sizeof *x->row_filters);
    return OK;
}

static void take_row_filters(struct execution *x, struct row_filter *const *from)
{
    if (from)
        x->row_filters = arena_memdup(x->arena, from, x->plan->node_count * sizeof(void *));
}

static bool submit(struct gather *g, uint32_t i);

/* A worker that is its leader's equal: the first one prepares, and lets the others begin. */
static enum status work(struct gather *g, struct worker *w, uint32_t i)
{
    struct exec_sink sink = w->slots = (struct exec_sink){gather__take_rows, w};
    bool alone;
    if (g->n->gather.away) {
        TRY(op__run(&w->x, g->n->left, &sink));
        gather__hand_over(w);
        return OK;
    }
    if (i > 0) {
        exec_subquery_take(&w->x, g->p.kept);
        take_row_filters(&w->x, g->p.row_filters);
    } else {
        take_row_filters(&w->x, g->x->row_filters);
        TRY(prepare(g, &w->x, &alone));
        for (uint32_t k = 1; !alone && k < g->worker_count; k++) (void)submit(g, k);
    }
    if (g->into) sink = g->into->begin(g->into->ctx, &w->x, i, &w->slots);
    TRY(op__run(&w->x, g->n->left, &sink));
    if (g->into) TRY(g->into->finish(g->into->ctx, sink.ctx));
    gather__hand_over(w);
    return OK;
}

static void end_worker(struct gather *g)
{
    fmutex_lock(&g->p.lock);
    g->p.running--;
    g->p.closed = true; /* the scan is used up, or it is all over */
    fcond_signal(&g->ready);
    fmutex_unlock(&g->p.lock);
}

static void release_task(struct task *t)
{
    if (__atomic_sub_fetch(&t->users, 1, __ATOMIC_ACQ_REL) == 0) mem_free(MEM_QUERY, t);
}

static void do_task(void *arg)
{
    struct task *t = arg;
    struct worker *w = t->worker;
    struct gather *g = w->g;
    w->coro = t->coro;
    if (begin(g, w)) {
        struct work_counts before = *work_counts();
        begin_execution(g, w);
        enum status st = work(g, w, (uint32_t)(w - g->workers));
        if (st != OK && st != END_OF_DATA) fail(g, st);
        w->work.blocks_hit = work_counts()->blocks_hit - before.blocks_hit;
        w->work.blocks_read = work_counts()->blocks_read - before.blocks_read;
    }
    end_worker(g);
}

/* Without a coroutine it does not stand. */
static void make_coro(struct task *t)
{
    if (t->worker->g->p.outer) return;
    if (coro_new(FIBER_STACK_BYTES, &t->coro) == OK) coro_start(t->coro, do_task, t);
    else error_clear();
}

void gather__run_task(void *arg)
{
    struct task *t = arg;
    if (!t->begun) {
        if (__atomic_exchange_n(&t->taken, 1, __ATOMIC_ACQ_REL)) {
            release_task(t);
            return;
        }
        t->begun = true;
        make_coro(t);
    }
    if (!t->coro) do_task(t);
    while (t->coro && coro_resume(t->coro))
        if (gather__stand(t)) return;
    if (t->coro) coro_free(t->coro);
    release_task(t);
}

static bool submit(struct gather *g, uint32_t i)
{
    struct worker *w = &g->workers[i];
    struct task *t = mem_alloc(MEM_QUERY, sizeof *t);
    *t = (struct task){.worker = w, .users = 2};
    fmutex_lock(&g->p.lock);
    w->task = t;
    g->p.running++;
    fmutex_unlock(&g->p.lock);
    if (pool_submit(g->x->session->workers, gather__run_task, t)) return true;
    fmutex_lock(&g->p.lock);
    bool ours = w->task == t; /* else the leader has taken it back */
    if (ours) {
        w->task = NULL;
        g->p.running--;
    }
    fmutex_unlock(&g->p.lock);
    if (ours) release_task(t);
    release_task(t);
    return false;
}

/* --- the leader -------------------------------------------------------------------------------- */

/* Tasks that no thread has begun; true when the first was among them. */
static bool take_back(struct gather *g)
{
    bool first = false;
    for (uint32_t i = 0; i < g->worker_count; i++) {
        fmutex_lock(&g->p.lock);
        struct task *t = g->workers[i].task;
        g->workers[i].task = NULL;
        if (t && !__atomic_exchange_n(&t->taken, 1, __ATOMIC_ACQ_REL)) {
            g->p.running--;
            first |= i == 0;
        }
        fmutex_unlock(&g->p.lock);
        if (t) release_task(t);
    }
    return first;
}

/* Hands on what is there; with `wait`, until all have ended. */
static enum status hand_on(struct gather *g, bool wait)
{
    enum status st = OK;
    bool late = false; /* who has not begun is not waited for */
    fmutex_lock(&g->p.lock);
    while (st == OK) {
        struct slot *s = gather__next_full(g);
        if (s) {
            fmutex_unlock(&g->p.lock);
            st = op__push(g->x, g->out, &s->batch);
            gather__give_back(g, s);
            fmutex_lock(&g->p.lock);
            continue;
        }
        if (!wait || g->p.running == 0) break;
        if (g->p.closed && !late) {
            late = true;
            fmutex_unlock(&g->p.lock);
            take_back(g);
            fmutex_lock(&g->p.lock);
            continue;
        }
        bool called = gather__call_back(g);
        if (g->full || !g->p.running || (g->p.closed && !late)) continue; /* meanwhile */
        __atomic_store_n(&g->waiting, 1, __ATOMIC_RELAXED);
        if (gather__await(g, called) == PARK_CANCELED)
            st = FAIL(QUERY_CANCELED, "canceling statement due to user request");
        __atomic_store_n(&g->waiting, 0, __ATOMIC_RELAXED);
    }
    fmutex_unlock(&g->p.lock);
    return st;
}

/* Waits a while for a thread to begin; *ret_began false when none did. */
static enum status await_first(struct gather *g, bool *ret_began)
{
    enum park_result r = PARK_WOKEN;
    int64_t wait = g->x->gathers > 1 ? NESTED_START_US : START_US;
    int64_t deadline = monotonic_us() + (g->n->gather.away ? AWAY_START_US : wait);
    fmutex_lock(&g->p.lock);
    while (r == PARK_WOKEN && !__atomic_load_n(&g->workers[0].task->taken, __ATOMIC_ACQUIRE))
        r = fcond_wait(&g->ready, &g->p.lock, deadline);
    fmutex_unlock(&g->p.lock);
    *ret_began = r == PARK_WOKEN || !take_back(g);
    if (r != PARK_CANCELED) return OK;
    return FAIL(QUERY_CANCELED, "canceling statement due to user request");
}

static enum status push_own(void *ctx, const struct batch *b)
{
    struct gather *g = ctx;
    TRY(hand_on(g, false));
    return g->out->rows(g->out->ctx, b);
}

static void end_lead(struct gather *g)
{
    fmutex_lock(&g->p.lock);
    g->p.closed = true;
    fmutex_unlock(&g->p.lock);
}

/* The leader works, too, with an execution of its own kind: its caller's. */
static enum status lead(struct gather *g)
{
    struct execution *x = g->x;
    struct parallel *outer = x->parallel;
    struct exec_sink sink = {push_own, g};
    x->parallel = &g->p;
    (void)begin(g, NULL);
    bool alone = false;
    enum status st = prepare(g, x, &alone);
    for (uint32_t k = 1; st == OK && !alone && k < g->worker_count; k++) (void)submit(g, k);
    if (st == OK) st = op__run(x, g->n->left, &sink);
    if (st == OK && g->into) st = g->into->finish(g->into->ctx, NULL);
    x->parallel = outer;
    end_lead(g);
    return st;
}

/* Workers' counts become the leader's. */
static void add_stats(struct gather *g, const struct worker *w)
{
    struct node_stats *to = g->x->stats;
    work_counts()->blocks_hit += w->work.blocks_hit;
    work_counts()->blocks_read += w->work.blocks_read;
    g->x->temp_read += w->x.temp_read;
    g->x->temp_written += w->x.temp_written;
    if (!to) return;
    to[g->n->id].workers++;
    for (uint32_t i = 0; i < g->x->plan->node_count; i++) {
        const struct node_stats *s = &w->x.stats[i];
        if (!to[i].loops || (s->loops && s->first_us < to[i].first_us)) to[i].first_us = s->first_us;
        to[i].loops += s->loops;
        to[i].rows += s->rows;
        to[i].removed += s->removed;
        to[i].total_us += s->total_us;
        if (s->memory_bytes > to[i].memory_bytes) to[i].memory_bytes = s->memory_bytes;
        to[i].spilled_bytes += s->spilled_bytes;
        if (s->batches > to[i].batches) to[i].batches = s->batches;
        if (s->buckets > to[i].buckets) to[i].buckets = s->buckets;
        to[i].unmatched += s->unmatched;
        op__add_usage(&to[i].usage, &s->usage);
        to[i].workers += s->workers;
        to[i].by_columns += s->by_columns;
        to[i].blocks += s->blocks;
        to[i].blocks_skipped += s->blocks_skipped;
        to[i].rows_by_row += s->rows_by_row;
    }
}

/* Waits for all that began, whatever comes, and frees what was theirs. */
static enum status end(struct gather *g, enum status st)
{
    if (st != OK) parallel_stop(&g->p);
    fmutex_lock(&g->p.lock);
    g->p.closed = true;
    fcond_broadcast(&g->room);
    fmutex_unlock(&g->p.lock);
    take_back(g);
    fmutex_lock(&g->p.lock);
    while (g->p.running) {
        bool called = gather__call_back(g);
        if (!g->p.running) break; /* meanwhile */
        if (gather__await(g, called) == PARK_CANCELED && st == OK)
            st = FAIL(QUERY_CANCELED, "canceling statement due to user request");
    }
    fmutex_unlock(&g->p.lock);
    take_back(g); /* of those that the first worker submitted meanwhile */
    if (st != END_OF_DATA && g->failed != OK) {
        st = g->failed;
        *error_current() = g->error;
    }
    if (st == OK && g->into) g->into->collect(g->into->ctx);
    for (uint32_t i = 0; i < g->x->plan->node_count; i++)
        if (g->p.tables[i]) op__hash_end(g->p.tables[i]);
    for (uint32_t i = 0; i < g->worker_count; i++) {
        struct worker *w = &g->workers[i];
        if (!w->began) continue;
        add_stats(g, w);
        exec_end(&w->x);
        arena_release(&w->arena);
        txn_end_helper(w->txn);
    }
    if (g->p.columns && g->x->stats)
        column_scan_count(g->p.columns, &g->x->stats[g->p.column_node->id]);
    column_scan_free(g->p.columns);
    arena_release(&g->p.arena);
    return st;
}

static struct gather *gather_new(struct execution *x, const struct plan_node *n,
                                 const struct exec_sink *out)
{
    struct gather *g = ARENA_NEW(x->arena, struct gather);
    g->x = x;
    g->n = n;
    g->out = out;
    g->failed = OK;
    if (x->plan->outer_value_count)
        g->outer = arena_memdup(x->arena, x->outer, x->plan->outer_value_count * sizeof *x->outer);
    g->p.outer = x->parallel;
    g->p.gather = n;
    g->p.tables = ARENA_ARRAY(x->arena, struct hash_join *, x->plan->node_count);
    g->p.runs = ARENA_ARRAY(x->arena, struct agg_run *, n->gather.workers);
    arena_init(&g->p.arena, MEM_QUERY);
    g->full_tail = &g->full;
    g->worker_count = n->gather.workers;
    g->workers = ARENA_ARRAY(x->arena, struct worker, g->worker_count);
    for (uint32_t i = 0; i < g->worker_count; i++) {
        struct worker *w = &g->workers[i];
        w->g = g;
        w->session = *x->session;
        w->session.waiter = NULL; /* whose cancels are for the leader to see */
        w->session.system_function = NULL;
        w->session.random = NULL;
        arena_init(&w->arena, MEM_QUERY);
    }
    return g;
}

static enum status run(struct execution *x, const struct plan_node *n, const struct exec_sink *out,
                       const struct gather_into *into)
{
    parallel_count_together(x);
    struct gather *g = gather_new(x, n, out);
    g->into = into;
    gather__make_slots(g);
    x->gathers++;
    enum status st = OK;
    bool began = !x->parallel && submit(g, 0);
    if (began) st = await_first(g, &began);
    bool stays = st == OK && !began && n->gather.away;
    if (st == OK && !began && !stays) st = lead(g);
    if (st == OK) st = hand_on(g, true);
    if (st != OK && st != END_OF_DATA) fail(g, st);
    st = end(g, st);
    x->gathers--;
    gather__free_slots(g);
    return st == OK && stays ? op__run(x, n->left, out) : st;
}

enum status op__gather(struct execution *x, const struct plan_node *n, const struct exec_sink *out)
{
    return x->session->workers ? run(x, n, out, NULL) : op__run(x, n->left, out);
}

/* Rows that are not handed over are counted by who asks for them. */
enum status op__gather_into(struct execution *x, const struct plan_node *n,
                            const struct exec_sink *out, const struct gather_into *into)
{
    int64_t begun = monotonic_us();
    struct exec_usage before = op__usage(x);
    TRY(exec_check_stack());
    enum status st = run(x, n, out, into);
    op__count_usage(x, n, &before);
    if (!x->stats) return st;
    x->stats[n->id].loops++;
    x->stats[n->id].total_us += monotonic_us() - begun;
    return st;
}
