/* How an index is filled beside readers and writers (docs/design/online-ddl.md).
 *
 * Its states are published one by one, and before each next one those are waited for who may not
 * know of the one before. Once all writers maintain it, the rows of one snapshot are put below
 * what they write. Then come the keys that both have: a row is locked, and its entry made what
 * it must be. */
#include "base/point.h"
#include "core/backfill.h"
#include "db/ddl_build_priv.h"

enum { CHUNK_ROWS = 16384, SCAN_ROWS = 256, MEND_KEYS = 256, RETRY_US = 1000, POLL_US = 5000 };

/* --- the transactions
 * -------------------------------------------------------------------------- */

static enum status look_up(struct build *b)
{
    struct session *s = b->s;
    b->t = catalog_table_by_oid(s->catalog, b->table);
    b->x = b->t ? catalog_index_by_oid(s->catalog, b->index) : NULL;
    if (b->x && b->x->table == b->table) return OK;
    return FAIL(UNDEFINED_OBJECT, "the index or its table was dropped meanwhile");
}

/* Whatever the session's transactions are else: one that kept a snapshot would hold back others, who
 * wait for old snapshots as we do. */
static enum status ensure_txn(struct build *b)
{
    struct session *s = b->s;
    if (s->txn && txn_isolation(s->txn) != READ_COMMITTED) session__abort(s, b->sink);
    if (!s->txn) s->isolation = READ_COMMITTED;
    return session__ensure_txn(s);
}

enum status build__open(struct build *b)
{
    struct session *s = b->s;
    TRY(session__check_interrupts(s));
    TRY(ensure_txn(b));
    if (!txn_in_statement(s->txn)) txn_statement_begin(s->txn);
    TRY(session__begin_ddl(s));
    s->txn_began_statement = true;
    txn_statement_end(s->txn);
    txn_statement_begin_fresh(s->txn);
    b->ddl = (struct ddl){.s = s, .sink = b->sink, .text = b->text, .a = &s->arena};
    return b->index ? look_up(b) : OK;
}

static void close_ddl(struct build *b)
{
    for (size_t i = 0; i < b->ddl.kept.count; i++) catalog_unref(b->ddl.kept.data[i]);
    b->ddl.kept.count = 0;
}

enum status build__commit(struct build *b)
{
    struct session *s = b->s;
    struct catalog *now = catalog_ref(s->catalog);
    txn_statement_end(s->txn);
    close_ddl(b);
    enum status st = session__commit(s, b->sink);
    if (st != OK) {
        catalog_unref(now);
        return st;
    }
    if (b->catalog) catalog_unref(b->catalog);
    b->catalog = now;
    b->t = catalog_table_by_oid(now, b->table);
    b->x = catalog_index_by_oid(now, b->index);
    /* Functions in expressions run in it, and waits are its. */
    TRY(ensure_txn(b));
    txn_statement_begin(s->txn);
    return OK;
}

enum status build__enter(struct build *b, oid_t table, bool *ret_again)
{
    *ret_again = !builds_enter(b->s, table);
    if (*ret_again) {
        build__abort(b);
        return builds_wait(b->s, table);
    }
    b->table = table;
    b->entered = true;
    return OK;
}

void build__abort(struct build *b)
{
    close_ddl(b);
    session__abort(b->s, b->sink);
}

enum status build__edit(struct build *b, void (*change)(struct index_def *x))
{
    struct table_edit e;
    ddl__edit(&b->ddl, b->t, &e);
    for (size_t i = 0; i < e.indexes.count; i++) {
        if (e.indexes.data[i]->oid != b->index) continue;
        struct index_def *copy = arena_memdup(b->ddl.a, e.indexes.data[i], sizeof *copy);
        change(copy);
        e.indexes.data[i] = copy;
    }
    return ddl__edit_put(&b->ddl, &e, NULL);
}

static struct txn_options options_of(const struct build *b, enum isolation isolation)
{
    struct session *s = b->s;
    return (struct txn_options){.isolation = isolation, .owner = s->lock_owner,
                                .lock_timeout_us = s->settings.lock_timeout_us,
                                .branch = s->line->branch};
}

void build__end_reader(struct build *b)
{
    if (!b->reader) return;
    if (txn_in_statement(b->reader)) txn_statement_end(b->reader);
    txn_abort(b->reader);
    b->reader = NULL;
}

void build__end(struct build *b)
{
    struct session *s = b->s;
    struct error kept = *error_current();
    build__end_reader(b);
    close_ddl(b);
    if (b->entered) builds_leave(s, b->table);
    if (b->catalog) catalog_unref(b->catalog);
    build__show(s, BUILD_NONE, NULL, NULL);
    /* Whoever called us ends a statement. */
    if (session__ensure_txn(s) == OK && !txn_in_statement(s->txn)) txn_statement_begin(s->txn);
    *error_current() = kept;
}

/* --- waiting
 * ----------------------------------------------------------------------------------- */

/* The session's own snapshot must not hold back what others wait for. */
static void refresh(struct build *b)
{
    txn_statement_end(b->s->txn);
    txn_statement_begin(b->s->txn);
}

enum status build__wait_lockers(struct build *b, enum relation_lock mode, enum build_phase phase)
{
    build__show_phase(b->s, phase);
    txn_statement_end(b->s->txn);
    enum status st = txn_wait_lockers(b->s->txn, b->table, mode);
    txn_statement_begin(b->s->txn);
    return st;
}

static enum status nap(struct build *b, int64_t us)
{
    TRY(session__check_interrupts(b->s));
    (void)waiter_park(b->s->waiter, monotonic_us() + us);
    return session__check_interrupts(b->s);
}

/* Rows that were there before the end of the build may have no entry by now, but only snapshots of
 * before see them. */
static enum status wait_snapshots(struct build *b)
{
    struct store *store = b->s->db->store;
    build__show_phase(b->s, PHASE_WAIT_SNAPSHOTS);
    TRY(txn_await_visible(b->s->txn));
    uint64_t end = store_last_commit(store);
    refresh(b);
    for (;;) {
        struct arena a;
        struct snapshot_line *lines;
        uint32_t n, old = 0;
        arena_init(&a, MEM_SESSION);
        store_snapshots(store, &a, &lines, &n);
        for (uint32_t i = 0; i < n; i++)
            old += lines[i].ts < end && !lines[i].past && lines[i].pid != b->s->pid;
        arena_release(&a);
        if (!old) return OK;
        TRY(nap(b, POLL_US));
        refresh(b);
    }
}

enum status build__begin_reader(struct build *b)
{
    struct txn_options o = options_of(b, REPEATABLE_READ);
    TRY(txn_await_visible(b->s->txn)); /* of those who were waited for, too */
    TRY(txn_begin(b->s->db->store, &o, &b->reader));
    refresh(b);
    b->ddl = (struct ddl){.s = b->s, .sink = b->sink, .text = b->text, .a = &b->s->arena};
    return OK;
}

/* --- the rows of the snapshot
 * ------------------------------------------------------------------ */

struct filling {
    struct build *b;
    struct execution x;
    struct index_values values;
    struct arena arena; /* of one row */
    struct strbuf entry, from;
    struct datum *row;
    struct backfill *backfill;
    uint64_t done;
};

static enum status begin_filling(struct filling *f, struct build *b)
{
    static const struct exec_params no_params = {0};
    *f = (struct filling){.b = b};
    arena_init(&f->arena, MEM_QUERY);
    strbuf_init(&f->entry, NULL);
    strbuf_init(&f->from, NULL);
    exec_begin(&f->x, NULL, b->s->txn, &b->s->exec, &no_params, b->ddl.a);
    TRY(ddl__index_values(&b->ddl, b->t, b->x, &f->values));
    f->values.x = &f->x;
    f->values.arena = &f->arena;
    f->row = ARENA_ARRAY(b->ddl.a, struct datum, b->t->column_count + 1u);
    return OK;
}

static void end_filling(struct filling *f)
{
    store_backfill_free(f->backfill);
    exec_end(&f->x);
    arena_release(&f->arena);
    strbuf_release(&f->entry);
    strbuf_release(&f->from);
}

/* 23505, of a row under that key as the transaction sees it. */
static enum status duplicated(struct filling *f, struct txn *t, struct slice row_key)
{
    struct build *b = f->b;
    struct point_get_request q = {b->t->tree, row_key};
    struct slice bytes;
    TRY(store_point_get(t, &q, &bytes));
    ddl__decode(b->t, bytes, f->row);
    return ddl__duplicated(&b->ddl, b->t, b->x, f->row);
}

static enum status judge(struct filling *f, enum status st)
{
    if (st != UNIQUE_VIOLATION) return st;
    return duplicated(f, f->b->reader, store_backfill_conflict(f->backfill));
}

static enum status add_row(struct filling *f, struct slice key, struct slice bytes)
{
    bool unique, present;
    arena_clear(&f->arena);
    ddl__decode(f->b->t, bytes, f->row);
    TRY(ddl__index_entry(&f->values, key, f->row, &f->entry, &unique, &present));
    f->done++;
    if (!present) return OK;
    return judge(f, store_backfill_add(f->backfill, strbuf_slice(&f->entry), key));
}

/* Some rows, from f->from on. */
static enum status scan_some(struct filling *f, struct cursor *c, bool *ret_more)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    uint32_t n = 0, seen = 0;
    do {
        TRY(session__check_interrupts(f->b->s));
        fiber_yield(); /* those who wait for this core go first */
        TRY(cursor_next(c, keys, rows, SCAN_ROWS, &n));
        for (uint32_t i = 0; i < n; i++) TRY(add_row(f, keys[i], rows[i]));
        if (!n) break;
        strbuf_clear(&f->from);
        strbuf_add(&f->from, keys[n - 1].data, keys[n - 1].len);
        strbuf_addc(&f->from, '\0'); /* the next key that there can be */
        seen += n;
        POINT("build.scanning");
    } while (seen < CHUNK_ROWS);
    *ret_more = n > 0;
    return OK;
}

/* In a statement of its own, so that memory which others retire is not held for long. */
static enum status scan_chunk(struct filling *f, bool *ret_more)
{
    struct build *b = f->b;
    struct scan_request q = {.tree = b->t->tree};
    struct cursor *c;
    if (f->from.len) q.lower = strbuf_slice(&f->from);
    refresh(b);
    txn_statement_begin(b->reader);
    enum status st = store_scan(b->reader, &q, &c);
    if (st == OK) {
        st = scan_some(f, c, ret_more);
        cursor_close(c);
    }
    txn_statement_end(b->reader);
    return st;
}

static enum status scan_all(struct filling *f)
{
    struct build *b = f->b;
    bool more = true;
    uint64_t rows;
    build__show_table(b->s, b->t);
    rows = b->s->build.rows;
    build__show_phase(b->s, PHASE_SCAN);
    txn_statement_begin(b->reader);
    enum status st = store_backfill_begin(b->reader, b->x->tree, b->created_ts, &f->backfill);
    txn_statement_end(b->reader);
    while (st == OK && more) {
        build__show_rows(b->s, rows > f->done ? rows : f->done, f->done);
        st = scan_chunk(f, &more);
    }
    return st;
}

/* --- what others have written
 * ------------------------------------------------------------------ */

/* Whether the row has that entry. `bytes`: of the row; data NULL: there is none. */
static enum status has_entry(struct filling *f, struct slice row_key, struct slice bytes,
                             struct slice key, bool *ret)
{
    bool unique, present;
    *ret = false;
    if (!bytes.data) return OK;
    arena_clear(&f->arena);
    ddl__decode(f->b->t, bytes, f->row);
    TRY(ddl__index_entry(&f->values, row_key, f->row, &f->entry, &unique, &present));
    *ret = present && slice_eq(strbuf_slice(&f->entry), key);
    return OK;
}

/* In a transaction of its own, which waits for the row alone. *ret_busy: somebody has the entry
 * in his hand. */
static enum status put_locked(struct filling *f, struct txn *t, struct slice key,
                              struct slice row_key, bool *ret_wrote, bool *ret_busy)
{
    const struct build *b = f->b;
    struct lock_request row = {.tree = b->t->tree, .key = row_key, .mode = ROW_LOCK_SHARE};
    struct lock_request entry = {.tree = b->x->tree, .key = key, .mode = ROW_LOCK_UPDATE,
                                 .skip_locked = true};
    struct lock_result there;
    bool has;
    *ret_wrote = *ret_busy = false;
    TRY(store_lock(t, &row, &there));
    TRY(has_entry(f, row_key, there.row, key, &has));
    if (!has) return OK;
    enum status st = store_lock(t, &entry, &there);
    *ret_busy = st == WOULD_BLOCK;
    if (*ret_busy) return OK;
    TRY(st);
    if (there.row.data && slice_eq(there.row, row_key)) return OK;
    if (there.row.data) return ddl__duplicated(&f->b->ddl, b->t, b->x, f->row);
    struct write_request w = {.tree = b->x->tree, .op = WRITE_PUT, .key = key, .row = row_key};
    *ret_wrote = true;
    return store_write(t, &w);
}

static enum status mend_key(struct filling *f, struct slice key, struct slice row_key)
{
    struct build *b = f->b;
    bool wrote = false, busy = true;
    while (busy) {
        struct txn_options o = options_of(b, READ_COMMITTED);
        struct txn *t;
        TRY(txn_begin(b->s->db->store, &o, &t));
        txn_statement_begin(t);
        enum status st = put_locked(f, t, key, row_key, &wrote, &busy);
        txn_statement_end(t);
        if (st != OK || !wrote) {
            struct error kept = *error_current();
            txn_abort(t);
            *error_current() = kept;
        } else {
            st = txn_commit(t, COMMIT_ASYNC, NULL); /* the last commit of the build is not */
        }
        TRY(st);
        if (busy) TRY(nap(b, RETRY_US));
    }
    return OK;
}

/* Mostly it is what it must be: the row has another entry by now, and its writer took this one
 * away. */
static enum status is_right(struct filling *f, struct txn *now, struct slice key,
                            struct slice row_key, bool *ret)
{
    struct point_get_request row = {f->b->t->tree, row_key}, entry = {f->b->x->tree, key};
    struct slice bytes = {0}, there = {0};
    bool has;
    enum status st = store_point_get(now, &row, &bytes);
    if (st == NOT_FOUND) bytes = (struct slice){0};
    else TRY(st);
    TRY(has_entry(f, row_key, bytes, key, &has));
    *ret = !has;
    if (!has) return OK;
    st = store_point_get(now, &entry, &there);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    *ret = slice_eq(there, row_key);
    return OK;
}

static enum status mend_some(struct filling *f, const struct slice *keys, const struct slice *rows,
                             uint32_t n)
{
    struct build *b = f->b;
    bool right[MEND_KEYS];
    struct txn *now = txn_begin_newest(b->reader);
    enum status st = OK;
    for (uint32_t i = 0; i < n && st == OK; i++) st = is_right(f, now, keys[i], rows[i], &right[i]);
    txn_end_reader(now);
    for (uint32_t i = 0; i < n && st == OK; i++)
        if (!right[i]) st = mend_key(f, keys[i], rows[i]);
    return st;
}

static enum status mend(struct filling *f)
{
    struct slice keys[MEND_KEYS], rows[MEND_KEYS];
    uint32_t n;
    build__show_phase(f->b->s, PHASE_VALIDATE);
    do {
        TRY(session__check_interrupts(f->b->s));
        fiber_yield();
        TRY(store_backfill_written(f->backfill, keys, rows, MEND_KEYS, &n));
        TRY(mend_some(f, keys, rows, n));
        refresh(f->b);
    } while (n > 0);
    return OK;
}

static enum status finish(struct filling *f)
{
    struct build *b = f->b;
    build__show_phase(b->s, PHASE_SORT);
    POINT("build.scanned");
    txn_statement_begin(b->reader);
    enum status st = judge(f, store_backfill_finish(f->backfill));
    POINT("build.installed");
    if (st == OK) st = mend(f);
    txn_statement_end(b->reader);
    return st;
}

static enum status fill(struct build *b)
{
    struct filling f;
    TRY(build__begin_reader(b));
    enum status st = begin_filling(&f, b);
    if (st == OK) st = scan_all(&f);
    if (st == OK) st = finish(&f);
    end_filling(&f);
    build__end_reader(b);
    close_ddl(b);
    POINT("build.mended");
    return st == OK ? wait_snapshots(b) : st;
}

static void make_ready(struct index_def *x)
{
    x->ready = true;
}

static void make_unready(struct index_def *x)
{
    x->ready = false;
}

static enum status stop_writers(struct build *b)
{
    TRY(build__open(b));
    TRY(build__edit(b, make_unready));
    return build__commit(b);
}

/* What is left of it should cost writers nothing, nor forbid them anything; but who was canceled
 * is not kept. */
static void give_up(struct build *b, enum status st)
{
    struct error kept = *error_current();
    session__abort(b->s, b->sink);
    if (st != QUERY_CANCELED && stop_writers(b) != OK) error_clear();
    *error_current() = kept;
}

enum status build__fill(struct build *b)
{
    POINT("build.losing");
    TRY(build__wait_lockers(b, LOCK_SHARE, PHASE_WAIT_WRITERS));
    TRY(build__open(b));
    TRY(build__edit(b, make_ready));
    TRY(build__commit(b));
    POINT("build.written");
    enum status st = build__wait_lockers(b, LOCK_SHARE, PHASE_WAIT_WRITERS);
    if (st == OK) st = fill(b);
    if (st != OK) give_up(b, st);
    return st;
}
