/* A deferrable unique index that has been filled: its entries all end with their rows' keys, so that two
 * of one key stand side by side. All of them are looked at, or, of rows that came later, their neighbors. */
#include "db/ddl_priv.h"

#include "base/fiber.h"
#include "types/key.h"

enum { SCAN_ROWS = 256 };

struct unique_scan {
    struct ddl *ddl;
    const struct table_def *table;
    const struct index_def *index;
    struct strbuf last; /* the key of the entry before, without its row's */
    bool any;
};

static enum status blame(struct unique_scan *u, struct slice row_key)
{
    struct point_get_request q = {u->table->tree, row_key};
    struct datum *row = ARENA_ARRAY(u->ddl->a, struct datum, u->table->column_count + 1u);
    struct slice bytes;
    TRY(store_point_get(u->ddl->s->txn, &q, &bytes));
    ddl__decode(u->table, bytes, row);
    for (uint16_t i = 0; i < u->index->key_count && !u->index->nulls_not_distinct; i++)
        if (row[u->index->columns[i].column - 1].null) return OK; /* like no other */
    return ddl__duplicated(u->ddl, u->table, u->index, row);
}

static enum status look(struct unique_scan *u, struct cursor *c)
{
    struct slice keys[SCAN_ROWS], rows[SCAN_ROWS];
    uint32_t n;
    do {
        fiber_yield();
        TRY(session__check_interrupts(u->ddl->s));
        fiber_yield();
        TRY(cursor_next(c, keys, rows, SCAN_ROWS, &n));
        for (uint32_t i = 0; i < n; i++) {
            ASSERT(keys[i].len > rows[i].len);
            struct slice key = slice_make(keys[i].data, keys[i].len - rows[i].len);
            if (u->any && slice_eq(key, strbuf_slice(&u->last))) TRY(blame(u, rows[i]));
            strbuf_clear(&u->last);
            strbuf_add(&u->last, key.data, key.len);
            u->any = true;
        }
    } while (n > 0);
    return OK;
}

enum status ddl__verify_unique(struct ddl *d, const struct table_def *t, const struct index_def *x)
{
    struct unique_scan u = {.ddl = d, .table = t, .index = x};
    struct scan_request q = {.tree = x->tree};
    struct cursor *c;
    TRY(store_scan(d->s->txn, &q, &c));
    strbuf_init(&u.last, NULL);
    enum status st = look(&u, c);
    strbuf_release(&u.last);
    cursor_close(c);
    return st;
}

enum status ddl__verify_unique_key(struct ddl *d, const struct table_def *t,
                                   const struct index_def *x, struct slice key)
{
    struct unique_scan u = {.ddl = d, .table = t, .index = x};
    struct scan_request q = {.tree = x->tree, .lower = key};
    struct slice keys[2], rows[2];
    struct cursor *c;
    uint32_t n, seen = 0;
    strbuf_init(&u.last, NULL);
    strbuf_add(&u.last, key.data, key.len);
    if (key_successor(&u.last)) q.upper = strbuf_slice(&u.last);
    enum status st = store_scan(d->s->txn, &q, &c);
    strbuf_release(&u.last);
    TRY(st);
    do {
        st = cursor_next(c, keys, rows, 2, &n);
        seen += n;
        if (st == OK && seen > 1 && n) st = blame(&u, rows[n - 1]);
    } while (st == OK && n > 0 && seen < 2);
    cursor_close(c);
    return st;
}
