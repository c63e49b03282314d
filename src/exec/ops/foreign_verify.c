/* A foreign key that comes, or is validated: do the rows that are there fit it? Either once, by rows that
 * know the key already, or snapshot by snapshot beside writers who do not know it (docs/design/online-ddl.md):
 * then a row of the referring table is looked at as it comes, and a key of the table referred to when it goes. */
#include "exec/ops/foreign_priv.h"

#include "types/row.h"

enum { VERIFY_ROWS = 256, GONE_BYTES_MAX = 8 << 20 };

/* --- once -------------------------------------------------------------------------------------- */

/* The row is there and as it was: if not, who has changed it since has looked himself. */
static enum status is_still_so(struct foreign_run *r, const struct foreign_key *k, struct slice key,
                               struct slice row, bool *ret)
{
    struct lock_request q = {.tree = k->child->tree, .key = key, .mode = ROW_LOCK_NONE};
    struct lock_result now;
    TRY(store_lock(r->x->txn, &q, &now));
    *ret = now.row.data && slice_eq(now.row, row);
    return OK;
}

static enum status verify(struct foreign_run *r, const struct foreign_key *k, struct cursor *c)
{
    struct slice keys[VERIFY_ROWS], rows[VERIFY_ROWS];
    struct datum *row = ARENA_ARRAY(r->keep, struct datum, k->child->column_count + 1u);
    uint32_t n;
    do {
        TRY(exec_check(r->x));
        TRY(cursor_next(c, keys, rows, VERIFY_ROWS, &n));
        for (uint32_t i = 0; i < n; i++) {
            bool none, found, still;
            arena_clear(r->arena);
            dml_decode(k->child, rows[i], row);
            TRY(foreign__look(r, k, row, &none, &found));
            if (none || found) continue;
            TRY(is_still_so(r, k, keys[i], rows[i], &still));
            if (still) return foreign__violation(r, k, row);
        }
    } while (n > 0);
    return OK;
}

enum status foreign_verify(struct txn *t, const struct exec_session *s, struct arena *a,
                           const struct foreign_key *k)
{
    static const struct exec_params none = {0};
    struct scan_request q = {.tree = k->child->tree};
    struct execution x;
    struct foreign_run r;
    struct cursor *c;
    TRY(store_scan(t, &q, &c));
    exec_begin(&x, NULL, t, s, &none, a);
    foreign__init(&r, &x);
    r.mode = ROW_LOCK_NONE;
    enum status st = verify(&r, k, c);
    foreign__release(&r);
    exec_end(&x);
    cursor_close(c);
    return st;
}

/* --- by snapshots ------------------------------------------------------------------------------ */

struct foreign_verifier {
    struct execution x;
    struct foreign_run run;
    struct foreign_key key;
    struct arena *gone_arena;
    ARRAY(struct foreign_event) gone; /* keys that are not there any more */
    struct map wanted;                /* the same, as rows would refer to them */
    size_t gone_bytes;
    bool too_many;
};

struct foreign_verifier *foreign_verifier_new(struct txn *t, const struct exec_session *s,
                                              struct arena *a, const struct foreign_key *k)
{
    static const struct exec_params none = {0};
    struct foreign_verifier *v = ARENA_NEW(a, struct foreign_verifier);
    v->key = *k;
    exec_begin(&v->x, NULL, t, s, &none, a);
    foreign__init(&v->run, &v->x);
    v->run.mode = ROW_LOCK_NONE;
    v->run.as_seen = true;
    v->gone_arena = exec_arena(&v->x);
    map_init(&v->wanted);
    return v;
}

void foreign_verifier_free(struct foreign_verifier *v)
{
    map_release(&v->wanted);
    foreign__release(&v->run);
    exec_end(&v->x);
}

enum status foreign_verifier_row(struct foreign_verifier *v, struct txn *t, const struct datum *row)
{
    bool none, found;
    v->x.txn = t;
    arena_clear(v->run.arena);
    TRY(foreign__look(&v->run, &v->key, row, &none, &found));
    return none || found ? OK : foreign__violation(&v->run, &v->key, row);
}

enum status foreign_verifier_gone(struct foreign_verifier *v, struct txn *t, const struct datum *row)
{
    const struct foreign_key *k = &v->key;
    struct foreign_event e = {.key = *k, .kind = FOREIGN_DELETED};
    bool there, none;
    if (v->too_many) return OK;
    struct datum *old = ARENA_ARRAY(v->gone_arena, struct datum, k->def->column_count);
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        uint16_t column = foreign_key_parent_column(k, i);
        if (row[column].null) return OK;
        old[i] = datum_copy(v->gone_arena, k->parent->columns[column].type, row[column]);
        v->gone_bytes += sizeof *old + sizeof e;
    }
    e.old = old;
    v->x.txn = t;
    arena_clear(v->run.arena);
    TRY(foreign__is_seen(&v->run, &e, &there));
    if (there) return OK;
    TRY(foreign__event_key(&v->run, &e, &v->run.lookup, &none));
    if (none) return OK;
    ARENA_PUSH(v->gone_arena, &v->gone, e);
    map_put(&v->wanted, strbuf_slice(&v->run.lookup), v);
    v->gone_bytes += v->run.lookup.len + 64;
    v->too_many = v->gone_bytes > GONE_BYTES_MAX;
    return OK;
}

/* The first row that refers to the key, through an index. */
static enum status look_by_index(struct foreign_verifier *v, const struct foreign_event *e)
{
    const struct table_def *child = v->key.child;
    struct foreign_matches all = {0};
    struct slice bytes;
    TRY(foreign__referring_seen(&v->run, v->x.txn, e, &all));
    if (!all.count) return OK;
    struct point_get_request q = {child->tree, all.data[0].row_key};
    struct datum *row = ARENA_ARRAY(v->run.keep, struct datum, child->column_count + 1u);
    TRY(store_point_get(v->x.txn, &q, &bytes));
    dml_decode(child, bytes, row);
    return foreign__violation(&v->run, &v->key, row);
}

enum status foreign_verifier_settle(struct foreign_verifier *v, struct txn *t, bool *ret_scan)
{
    enum status st = OK;
    *ret_scan = v->too_many || v->gone.count;
    v->x.txn = t;
    map_clear(&v->run.found);
    v->run.found_bytes = 0;
    if (!*ret_scan || v->too_many || !foreign__has_index(&v->key)) return OK;
    *ret_scan = false;
    for (size_t i = 0; i < v->gone.count && st == OK; i++) {
        st = exec_check(&v->x);
        if (st == OK) st = look_by_index(v, &v->gone.data[i]);
    }
    return st;
}

enum status foreign_verifier_scanned(struct foreign_verifier *v, struct txn *t,
                                     const struct datum *row)
{
    if (v->too_many) return foreign_verifier_row(v, t, row);
    bool refers = foreign__row_key(&v->key, row, &v->run.entry) &&
                  map_get(&v->wanted, strbuf_slice(&v->run.entry));
    return refers ? foreign__violation(&v->run, &v->key, row) : OK;
}

void foreign_verifier_settled(struct foreign_verifier *v)
{
    arena_clear(v->gone_arena);
    v->gone.data = NULL;
    v->gone.count = v->gone.cap = 0;
    map_clear(&v->wanted);
    map_clear(&v->run.found);
    v->gone_bytes = v->run.found_bytes = 0;
    v->too_many = false;
}
