/* Rows that refer to a key, as of now: through an index of the referring table that begins with the
 * columns of the constraint, else by one pass over the table for all keys. */
#include "exec/ops/foreign_priv.h"

#include "types/key.h"
#include "types/row.h"

enum { FIND_ROWS = 256 };

/* --- keys in the child's types ------------------------------------------------------------------ */

static void child_part(const struct foreign_key *k, uint16_t i, struct datum v, struct strbuf *out)
{
    const struct key_part part = {.type = k->child->columns[foreign_key_child_column(k, i)].type};
    key_encode(&part, v, out);
}

/* The event's old values as the child would have them; *ret_none: it cannot. */
static enum status child_values(struct foreign_run *r, const struct foreign_event *e,
                                struct datum *ret, bool *ret_none)
{
    const struct foreign_key *k = &e->key;
    *ret_none = false;
    for (uint16_t i = 0; i < k->def->column_count && !*ret_none; i++) {
        const struct column_def *to = &k->child->columns[foreign_key_child_column(k, i)];
        const struct column_def *from = &k->parent->columns[foreign_key_parent_column(k, i)];
        ret[i] = (struct datum){0};
        TRY(foreign_key_convert(from->type, to->type, &e->old[i].v, r->x->session->format, r->arena,
                                &ret[i].v, ret_none));
    }
    return OK;
}

enum status foreign__event_key(struct foreign_run *r, const struct foreign_event *e,
                               struct strbuf *out, bool *ret_none)
{
    struct datum *v = ARENA_ARRAY(r->arena, struct datum, e->key.def->column_count);
    strbuf_clear(out);
    TRY(child_values(r, e, v, ret_none));
    for (uint16_t i = 0; !*ret_none && i < e->key.def->column_count; i++)
        child_part(&e->key, i, v[i], out);
    return OK;
}

bool foreign__row_key(const struct foreign_key *k, const struct datum *row, struct strbuf *out)
{
    strbuf_clear(out);
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        struct datum v = row[foreign_key_child_column(k, i)];
        if (v.null) return false;
        child_part(k, i, v, out);
    }
    return true;
}

enum status foreign__refers(struct foreign_run *r, const struct foreign_event *e,
                            const struct datum *row, bool *ret)
{
    bool none;
    TRY(foreign__event_key(r, e, &r->lookup, &none));
    *ret = !none && foreign__row_key(&e->key, row, &r->entry) &&
           slice_eq(strbuf_slice(&r->lookup), strbuf_slice(&r->entry));
    return OK;
}

/* --- by an index ------------------------------------------------------------------------------- */

/* Which of the constraint's columns the index's column is; column_count: none. */
static uint16_t place_of(const struct foreign_key *k, const struct index_column *c)
{
    uint16_t i = 0;
    while (i < k->def->column_count && k->def->columns[i] != c->column) i++;
    return i;
}

static bool begins_with(const struct index_def *x, const struct foreign_key *k)
{
    if (!x->valid || x->predicate_sql || x->key_count < k->def->column_count) return false;
    for (uint16_t i = 0; i < k->def->column_count; i++)
        if (!x->columns[i].column || place_of(k, &x->columns[i]) == k->def->column_count)
            return false;
    return true;
}

static const struct index_def *index_for(const struct foreign_key *k)
{
    for (uint16_t i = 0; i < k->child->index_count; i++)
        if (begins_with(k->child->indexes[i], k)) return k->child->indexes[i];
    return NULL;
}

enum status foreign__collect(struct foreign_run *r, struct txn *now, tree_id tree, bool names_row,
                             struct arena *a, const struct foreign_event *e,
                             struct foreign_matches *ret)
{
    struct slice keys[FIND_ROWS], rows[FIND_ROWS];
    struct scan_request q = {.tree = tree, .lower = strbuf_slice(&r->lookup)};
    struct cursor *c;
    uint32_t n;
    strbuf_clear(&r->buffer);
    strbuf_add(&r->buffer, r->lookup.data, r->lookup.len);
    if (key_successor(&r->buffer)) q.upper = strbuf_slice(&r->buffer);
    TRY(store_scan(now, &q, &c));
    enum status st;
    do {
        st = cursor_next(c, keys, rows, FIND_ROWS, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) {
            struct foreign_match m = {slice_dup(a, names_row ? rows[i] : keys[i]), e};
            ARENA_PUSH(a, ret, m);
        }
        if (st == OK) st = exec_check(r->x);
    } while (st == OK && n > 0 && !r->as_seen);
    cursor_close(c);
    return st;
}

static enum status find_by_index(struct foreign_run *r, struct txn *now, const struct index_def *x,
                                 const struct foreign_event *e, struct foreign_matches *ret)
{
    bool none;
    arena_clear(r->arena);
    struct datum *v = ARENA_ARRAY(r->arena, struct datum, e->key.def->column_count);
    TRY(child_values(r, e, v, &none));
    if (none) return OK;
    strbuf_clear(&r->lookup);
    for (uint16_t i = 0; i < e->key.def->column_count; i++) {
        struct key_part part = op__index_part(x, i);
        key_encode(&part, v[place_of(&e->key, &x->columns[i])], &r->lookup);
    }
    return foreign__collect(r, now, x->tree ? x->tree : e->key.child->tree, x->tree != 0, r->keep, e,
                            ret);
}

bool foreign__has_index(const struct foreign_key *k)
{
    return index_for(k) != NULL;
}

enum status foreign__referring_seen(struct foreign_run *r, struct txn *snapshot,
                                    const struct foreign_event *e, struct foreign_matches *ret)
{
    return find_by_index(r, snapshot, index_for(&e->key), e, ret);
}

/* --- by a pass over the table -------------------------------------------------------------------- */

static enum status pass(struct foreign_run *r, struct txn *now, const struct foreign_key *k,
                        const struct map *wanted, struct foreign_matches *ret)
{
    struct slice keys[FIND_ROWS], rows[FIND_ROWS];
    struct scan_request q = {.tree = k->child->tree};
    struct datum *row = ARENA_ARRAY(r->keep, struct datum, k->child->column_count + 1u);
    struct cursor *c;
    uint32_t n;
    TRY(store_scan(now, &q, &c));
    enum status st;
    do {
        st = cursor_next(c, keys, rows, FIND_ROWS, &n);
        for (uint32_t i = 0; st == OK && i < n; i++) {
            dml_decode(k->child, rows[i], row);
            const struct foreign_event *e =
                foreign__row_key(k, row, &r->entry) ? map_get(wanted, strbuf_slice(&r->entry)) : NULL;
            if (!e) continue;
            struct foreign_match m = {slice_dup(r->keep, keys[i]), e};
            ARENA_PUSH(r->keep, ret, m);
        }
        if (st == OK) st = exec_check(r->x);
    } while (st == OK && n > 0);
    cursor_close(c);
    return st;
}

static enum status find_by_pass(struct foreign_run *r, struct txn *now,
                                const struct foreign_event *events, size_t count,
                                struct foreign_matches *ret)
{
    struct map wanted;
    enum status st = OK;
    map_init(&wanted);
    for (size_t i = 0; st == OK && i < count; i++) {
        bool none;
        arena_clear(r->arena);
        st = foreign__event_key(r, &events[i], &r->lookup, &none);
        if (st == OK && !none)
            map_put(&wanted, strbuf_slice(&r->lookup), (void *)(uintptr_t)&events[i]);
    }
    if (st == OK && wanted.count) st = pass(r, now, &events[0].key, &wanted, ret);
    map_release(&wanted);
    return st;
}

enum status foreign__referring(struct foreign_run *r, const struct foreign_event *events,
                               size_t count, struct foreign_matches *ret)
{
    const struct index_def *x = index_for(&events[0].key);
    struct txn *now = txn_begin_newest(r->x->txn);
    enum status st = OK;
    *ret = (struct foreign_matches){0};
    if (!x) st = find_by_pass(r, now, events, count, ret);
    for (size_t i = 0; x && st == OK && i < count; i++)
        st = find_by_index(r, now, x, &events[i], ret);
    txn_end_reader(now);
    return st;
}
