/* Sequences and hidden row ids.
 *
 * A sequence's tree has one row under the empty key: i64 value, u8 is_called. nextval must not be
 * undone by a rollback, so it runs ahead in transactions of its own: each reserves up to 32 values (and
 * at least CACHE), and the values between are handed out from memory. The reservation commits
 * asynchronously: whatever commit uses such a value comes later in the same log, so when that is
 * durable the reservation is too. A crash skips the rest of a reservation, as in PostgreSQL.
 *
 * A sequence made in the running transaction is known to nobody else, and its tree only to that
 * transaction: there the row is read and written directly.
 *
 * Hidden row ids count up from the greatest key of the tree, looked up once in the process's life: all
 * rows that a snapshot might not see were written in this life, through the same counter. Branches
 * count together, so that a merge finds no two rows of one number. */
#include "core/txn.h"
#include "db/db_line_priv.h"
#include "db/rights.h"
#include "types/key.h"

enum { RESERVE_MIN = 32, ROW_BYTES = 9 };

struct sequence_state {
    struct fmutex mutex;
    bool loaded;
    bool frozen;      /* its sequence got another tree in a transaction that did not abort */
    bool set;         /* not loaded since setval(), whose values these are: its commit is not seen at once */
    bool set_called;
    int64_t set_value;
    int64_t next;     /* value to hand out */
    uint64_t left;    /* values that may be handed out before the next reservation */
};
struct row_ids {
    int64_t next; /* atomic */
};

struct sequences {
    struct db *db;
    struct fmutex mutex;  /* guards the maps */
    struct map states;    /* branch and tree -> struct sequence_state, for the process's life */
    struct map row_ids;   /* tree -> struct row_ids */
};

struct sequences *sequences_new(struct db *db)
{
    struct sequences *q = mem_alloc(MEM_CATALOG, sizeof *q);
    q->db = db;
    map_init(&q->states);
    map_init(&q->row_ids);
    return q;
}

static void free_values(struct map *m)
{
    size_t pos = 0;
    void *v;
    while (map_next(m, &pos, NULL, NULL, &v)) mem_free(MEM_CATALOG, v);
    map_release(m);
}

void sequences_free(struct sequences *q)
{
    free_values(&q->states);
    free_values(&q->row_ids);
    mem_free(MEM_CATALOG, q);
}

static void *state_of(struct sequences *q, struct map *m, uint64_t tree, size_t bytes)
{
    fmutex_lock(&q->mutex);
    void *v = map_get_u64(m, tree);
    if (!v) {
        v = mem_alloc(MEM_CATALOG, bytes);
        map_put_u64(m, tree, v);
    }
    fmutex_unlock(&q->mutex);
    return v;
}

/* Each branch has its own sequences. */
static struct sequence_state *shared_state(const struct session *s, const struct table_def *seq)
{
    struct sequences *q = s->db->sequences;
    return state_of(q, &q->states, branch_own(s->line->branch, seq->sequence->tree),
                    sizeof(struct sequence_state));
}

/* --- the row -------------------------------------------------------------------------------- */

static enum status read_row(struct txn *t, uint64_t tree, bool lock, int64_t *ret_value,
                            bool *ret_called)
{
    struct slice row;
    if (lock) {
        struct lock_request q = {.tree = tree, .key = SLICE(""), .mode = ROW_LOCK_UPDATE};
        struct lock_result r;
        TRY(store_lock(t, &q, &r));
        row = r.row;
    } else {
        struct point_get_request q = {.tree = tree, .key = SLICE("")};
        TRY(store_point_get(t, &q, &row));
    }
    if (row.len != ROW_BYTES) return FAIL(DATA_CORRUPTED, "sequence row has %zu bytes", row.len);
    memcpy(ret_value, row.data, 8);
    *ret_called = row.data[8] != 0;
    return OK;
}

static enum status write_row(struct txn *t, uint64_t tree, int64_t value, bool called)
{
    char row[ROW_BYTES];
    memcpy(row, &value, 8);
    row[8] = (char)called;
    struct write_request w = {tree, WRITE_PUT, SLICE(""), slice_make(row, sizeof row)};
    return store_write(t, &w);
}

enum status sequence_write(struct session *s, const struct table_def *seq, int64_t value,
                           bool is_called)
{
    TRY(write_row(s->txn, seq->sequence->tree, value, is_called));
    sequence_forget(s, seq->oid);
    return OK;
}

/* The value after `value`, of which `called` tells whether it was handed out. */
static enum status advance(const struct table_def *seq, int64_t value, bool called, int64_t *ret)
{
    const struct sequence_def *d = seq->sequence;
    int64_t next = value;
    bool over = called && __builtin_add_overflow(value, d->increment, &next);
    if (!over && next <= d->max && next >= d->min) {
        *ret = next;
        return OK;
    }
    if (d->cycle) {
        *ret = d->increment > 0 ? d->min : d->max;
        return OK;
    }
    if (d->increment > 0)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "nextval: reached maximum value of sequence \"%s\" (%lld)", seq->name,
                    (long long)d->max);
    return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                "nextval: reached minimum value of sequence \"%s\" (%lld)", seq->name,
                (long long)d->min);
}

/* How many values from `first` on exist before the bound, at most `want`. */
static uint64_t values_left(const struct sequence_def *d, int64_t first, uint64_t want)
{
    uint64_t room = d->increment > 0 ? ((uint64_t)d->max - (uint64_t)first) / (uint64_t)d->increment
                                     : ((uint64_t)first - (uint64_t)d->min) / (0 - (uint64_t)d->increment);
    return room + 1 < want && room + 1 != 0 ? room + 1 : want;
}

static enum status reserve_in(struct txn *t, const struct table_def *seq, int64_t *ret_first,
                              uint64_t *ret_count)
{
    const struct sequence_def *d = seq->sequence;
    int64_t value;
    bool called;
    TRY(read_row(t, d->tree, true, &value, &called));
    TRY(advance(seq, value, called, ret_first));
    uint64_t want = d->cache > RESERVE_MIN ? (uint64_t)d->cache : RESERVE_MIN;
    *ret_count = values_left(d, *ret_first, want);
    int64_t last = (int64_t)((uint64_t)*ret_first + (*ret_count - 1) * (uint64_t)d->increment);
    return write_row(t, d->tree, last, true);
}

/* Runs fn-like work in a transaction of its own, committed without waiting for the disk. */
static enum status reserve(struct session *s, const struct table_def *seq, int64_t *ret_first,
                           uint64_t *ret_count)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = s->line->branch};
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = reserve_in(t, seq, ret_first, ret_count);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_ASYNC, NULL);
    txn_abort(t);
    return st;
}

static const struct table_def *find_sequence(struct session *s, oid_t oid)
{
    const struct table_def *t = catalog_table_by_oid(s->catalog, oid);
    return t && t->kind == 'S' ? t : NULL;
}

static enum status get_sequence(struct session *s, oid_t oid, const struct table_def **ret)
{
    *ret = find_sequence(s, oid);
    if (*ret) return OK;
    const struct table_def *t = catalog_table_by_oid(s->catalog, oid);
    if (t) return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", t->name);
    return FAIL(UNDEFINED_TABLE, "relation with OID %u does not exist", oid);
}

/* Is the sequence's tree known to others yet? */
static bool is_own(struct session *s, const struct table_def *seq)
{
    if (!s->own_catalog) return false;
    struct catalog *published = db_line__catalog(s->line);
    const struct table_def *t = catalog_table_by_oid(published, seq->oid);
    bool own = !t || !t->sequence || t->sequence->tree != seq->sequence->tree;
    catalog_unref(published);
    return own;
}

/* What was handed out last, where the row tells the end of the reservation. */
static void last_of(const struct sequence_state *st, const struct table_def *seq,
                    int64_t *ret_value, bool *ret_called)
{
    if (!st->loaded && st->set) {
        *ret_value = st->set_value;
        *ret_called = st->set_called;
    }
    if (!st->loaded) return;
    *ret_called = true;
    *ret_value = st->left ? (int64_t)((uint64_t)st->next - (uint64_t)seq->sequence->increment)
                          : st->next;
}

enum status sequence_read(struct session *s, const struct table_def *seq, int64_t *ret_value,
                          bool *ret_called)
{
    TRY(read_row(s->txn, seq->sequence->tree, false, ret_value, ret_called));
    if (is_own(s, seq)) return OK;
    struct sequence_state *st = shared_state(s, seq);
    fmutex_lock(&st->mutex);
    last_of(st, seq, ret_value, ret_called);
    fmutex_unlock(&st->mutex);
    return OK;
}

enum status sequence_read_in(struct txn *t, const struct table_def *seq, int64_t *ret_value,
                             bool *ret_called)
{
    return read_row(t, seq->sequence->tree, false, ret_value, ret_called);
}

static void thaw(void *ctx, bool committed)
{
    struct sequence_state *st = ctx;
    fmutex_lock(&st->mutex);
    if (!committed) st->frozen = false;
    fmutex_unlock(&st->mutex);
}

enum status sequence_freeze(struct session *s, const struct table_def *seq, int64_t *ret_value,
                            bool *ret_called)
{
    if (is_own(s, seq)) return sequence_read(s, seq, ret_value, ret_called);
    struct sequence_state *st = shared_state(s, seq);
    fmutex_lock(&st->mutex);
    enum status result = read_row(s->txn, seq->sequence->tree, true, ret_value, ret_called);
    if (result == OK) {
        last_of(st, seq, ret_value, ret_called);
        st->frozen = true;
    }
    fmutex_unlock(&st->mutex);
    if (result == OK) txn_on_end(s->txn, thaw, st);
    return result;
}

void sequences_freeze_tree(struct sequences *q, struct txn *t, uint32_t branch, uint64_t tree)
{
    uint64_t key = (uint64_t)branch << BRANCH_NUMBER_SHIFT | tree;
    struct sequence_state *st = state_of(q, &q->states, key, sizeof *st);
    st->frozen = true;
    txn_on_end(t, thaw, st);
}

/* The state of the sequence, its mutex locked. While another changes the sequence we wait for its
 * end, and go on with the tree that there is then: *seq, kept by *held. */
static enum status open_state(struct session *s, const struct table_def **seq,
                              struct catalog **held, struct sequence_state **ret)
{
    oid_t oid = (*seq)->oid;
    for (;;) {
        *ret = shared_state(s, *seq);
        fmutex_lock(&(*ret)->mutex);
        if (!(*ret)->frozen) return OK;
        fmutex_unlock(&(*ret)->mutex);
        TRY(txn_lock_relation(s->txn, oid, LOCK_ROW_EXCLUSIVE, false));
        if (*held) catalog_unref(*held);
        *held = db_line__catalog(s->line);
        *seq = catalog_table_by_oid(*held, oid);
        if (!*seq || (*seq)->kind != 'S')
            return FAIL(UNDEFINED_TABLE, "relation with OID %u does not exist", oid);
    }
}

static void remember(struct session *s, oid_t oid, int64_t value)
{
    int64_t *kept = map_get_u64(&s->currvals, oid);
    if (!kept) {
        kept = mem_alloc(MEM_SESSION, sizeof *kept);
        map_put_u64(&s->currvals, oid, kept);
    }
    *kept = value;
    s->lastval = value;
    s->lastval_sequence = oid;
    s->has_lastval = true;
}

static enum status next_shared(struct session *s, const struct table_def *seq, int64_t *ret)
{
    struct catalog *held = NULL;
    struct sequence_state *st;
    enum status result = open_state(s, &seq, &held, &st);
    if (result == OK) {
        if (!st->loaded || st->left == 0) {
            result = reserve(s, seq, &st->next, &st->left);
            st->loaded = result == OK;
        }
        if (result == OK) {
            *ret = st->next;
            st->left--;
            if (st->left) st->next += seq->sequence->increment;
        }
        fmutex_unlock(&st->mutex);
    }
    if (held) catalog_unref(held);
    return result;
}

/* The sequence of an identity column is for those, too, who may insert into its table. */
static enum status may_advance(struct session *s, const struct table_def *seq)
{
    const struct table_def *t =
        seq->sequence->owner_kind == 'i' ? catalog_table_by_oid(s->catalog, seq->sequence->owner_table) : NULL;
    return t && rights_table(s, 0, t, "a") ? OK : rights_check_table(s, seq, "Uw");
}

enum status session__nextval(void *ctx, oid_t sequence, int64_t *ret)
{
    struct session *s = ctx;
    const struct table_def *seq;
    TRY(get_sequence(s, sequence, &seq));
    TRY(may_advance(s, seq));
    if (session__is_read_only(s))
        return FAIL(READ_ONLY_SQL_TRANSACTION,
                    "cannot execute nextval() in a read-only transaction");
    if (is_own(s, seq)) {
        int64_t value;
        bool called;
        TRY(read_row(s->txn, seq->sequence->tree, true, &value, &called));
        TRY(advance(seq, value, called, ret));
        TRY(write_row(s->txn, seq->sequence->tree, *ret, true));
        remember(s, sequence, *ret);
        return OK;
    }
    enum status result = next_shared(s, seq, ret);
    if (result == OK) remember(s, sequence, *ret);
    return result;
}

enum status session__currval(void *ctx, oid_t sequence, int64_t *ret)
{
    struct session *s = ctx;
    const struct table_def *seq;
    TRY(get_sequence(s, sequence, &seq));
    TRY(rights_check_table(s, seq, "Ur"));
    const int64_t *kept = map_get_u64(&s->currvals, sequence);
    if (!kept)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "currval of sequence \"%s\" is not yet defined in this session", seq->name);
    *ret = *kept;
    return OK;
}

void session__forget_sequences(struct session *s)
{
    size_t pos = 0;
    void *v;
    while (map_next(&s->currvals, &pos, NULL, NULL, &v)) mem_free(MEM_SESSION, v);
    map_release(&s->currvals);
    map_init(&s->currvals);
    s->has_lastval = false;
}

enum status session__lastval(void *ctx, int64_t *ret)
{
    struct session *s = ctx;
    const struct table_def *seq = s->has_lastval ? find_sequence(s, s->lastval_sequence) : NULL;
    if (!seq)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session");
    TRY(rights_check_table(s, seq, "Ur"));
    *ret = s->lastval;
    return OK;
}

static enum status set_committed(struct session *s, const struct table_def *seq, int64_t value,
                                 bool is_called)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = s->line->branch};
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = write_row(t, seq->sequence->tree, value, is_called);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_ASYNC, NULL);
    txn_abort(t);
    return st;
}

enum status session__setval(void *ctx, oid_t sequence, int64_t value, bool is_called)
{
    struct session *s = ctx;
    const struct table_def *seq;
    TRY(get_sequence(s, sequence, &seq));
    TRY(rights_check_table(s, seq, "w"));
    if (session__is_read_only(s))
        return FAIL(READ_ONLY_SQL_TRANSACTION,
                    "cannot execute setval() in a read-only transaction");
    if (value < seq->sequence->min || value > seq->sequence->max)
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE,
                    "setval: value %lld is out of bounds for sequence \"%s\" (%lld..%lld)",
                    (long long)value, seq->name, (long long)seq->sequence->min,
                    (long long)seq->sequence->max);
    if (is_own(s, seq)) {
        TRY(write_row(s->txn, seq->sequence->tree, value, is_called));
    } else {
        struct catalog *held = NULL;
        struct sequence_state *st;
        enum status result = open_state(s, &seq, &held, &st);
        if (result == OK) {
            result = set_committed(s, seq, value, is_called);
            st->loaded = false;
            st->set = result == OK;
            st->set_value = value;
            st->set_called = is_called;
            fmutex_unlock(&st->mutex);
        }
        if (held) catalog_unref(held);
        TRY(result);
    }
    if (is_called) remember(s, sequence, value);
    return OK;
}

static bool is_beyond(const struct sequence_def *d, int64_t value, int64_t last)
{
    return d->increment > 0 ? value > last : value < last;
}

/* In a transaction of its own, as nextval reserves. */
static enum status advance_committed(struct session *s, const struct table_def *seq, int64_t value)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = s->line->branch};
    struct txn *t;
    int64_t last;
    bool called;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = read_row(t, seq->sequence->tree, true, &last, &called);
    bool beyond = st == OK && (is_beyond(seq->sequence, value, last) || (!called && value == last));
    if (beyond) st = write_row(t, seq->sequence->tree, value, true);
    txn_statement_end(t);
    if (st == OK) return txn_commit(t, COMMIT_ASYNC, NULL);
    txn_abort(t);
    return st;
}

enum status sequence_advance(struct session *s, const struct table_def *seq, int64_t value)
{
    struct catalog *held = NULL;
    struct sequence_state *st;
    enum status result = open_state(s, &seq, &held, &st);
    if (result == OK) {
        result = advance_committed(s, seq, value);
        st->loaded = st->set = false;
        fmutex_unlock(&st->mutex);
    }
    if (held) catalog_unref(held);
    return result;
}

static void forget_ended(void *ctx, bool committed)
{
    struct sequence_state *st = ctx;
    (void)committed;
    fmutex_lock(&st->mutex);
    st->loaded = st->set = false;
    fmutex_unlock(&st->mutex);
}

void sequence_forget(struct session *s, oid_t sequence)
{
    const struct table_def *seq = find_sequence(s, sequence);
    if (!seq || is_own(s, seq)) return;
    txn_on_end(s->txn, forget_ended, shared_state(s, seq));
}

/* --- hidden row ids ------------------------------------------------------------------------- */

static enum status greatest_row_id(struct session *s, struct txn *t, uint64_t tree, int64_t *ret)
{
    static const struct key_part part = {.type = TYPE_INT8};
    struct scan_request q = {.tree = tree, .reverse = true};
    struct cursor *c;
    struct slice key, row;
    uint32_t n;
    TRY(store_scan(t, &q, &c));
    enum status result = cursor_next(c, &key, &row, 1, &n);
    if (result == OK && n == 1) {
        struct datum d;
        result = key_decode(&part, &key, &s->arena, &d);
        if (result == OK && d.v.i64 > *ret) *ret = d.v.i64;
    }
    cursor_close(c);
    return result;
}

/* It may have another tree there, or none. */
static enum status greatest_in(struct session *s, struct branch *b, oid_t table, int64_t *ret)
{
    uint64_t tree;
    struct txn_options o = {.isolation = READ_COMMITTED, .read_only = true, .branch = b};
    struct txn *t;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = catalog_read_numbered(t, table, &tree);
    if (st == OK && tree) st = greatest_row_id(s, t, tree, ret);
    txn_statement_end(t);
    txn_abort(t);
    return st;
}

/* In all branches: a row of a branch keeps its number when it is merged. */
static enum status greatest_anywhere(struct session *s, const struct table_def *t, int64_t *ret)
{
    struct branch_info *list;
    uint32_t n;
    *ret = 0;
    TRY(greatest_row_id(s, s->txn, t->tree, ret));
    store_list_branches(s->db->store, &s->arena, &list, &n);
    if (!n) return OK;
    TRY(greatest_in(s, NULL, t->oid, ret));
    for (uint32_t i = 0; i < n; i++) {
        struct branch *b = store_open_branch_id(s->db->store, list[i].id);
        enum status st = b ? greatest_in(s, b, t->oid, ret) : OK;
        store_close_branch(b);
        TRY(st);
    }
    return OK;
}

enum status session__next_row_id(void *ctx, const struct table_def *t, int64_t *ret)
{
    struct session *s = ctx;
    struct sequences *q = s->db->sequences;
    struct row_ids *ids = state_of(q, &q->row_ids, t->oid, sizeof *ids);
    if (__atomic_load_n(&ids->next, __ATOMIC_ACQUIRE) == 0) {
        int64_t last, zero = 0;
        TRY(greatest_anywhere(s, t, &last));
        last++;
        __atomic_compare_exchange_n(&ids->next, &zero, last, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
    }
    *ret = __atomic_fetch_add(&ids->next, 1, __ATOMIC_RELAXED);
    return OK;
}
