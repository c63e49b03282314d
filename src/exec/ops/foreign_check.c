/* The child's side of foreign keys: the row that is referred to is looked up as it is now and locked for
 * key share, so that it stays until the transaction ends. */
#include "exec/ops/foreign_priv.h"

#include "types/key.h"
#include "types/row.h"

enum { FOUND_BYTES_MAX = 8 << 20, LOOKUPS_MAX = 1000, ROWS_LOCKED_MAX = 200000 };

/* --- the key that a row refers to -------------------------------------------------------------- */

enum key_state { KEY_WHOLE, KEY_NONE, KEY_MIXED, KEY_IMPOSSIBLE };

static enum key_state nulls_of(const struct foreign_key *k, const struct datum *row)
{
    uint16_t nulls = 0;
    for (uint16_t i = 0; i < k->def->column_count; i++)
        nulls += row[foreign_key_child_column(k, i)].null;
    if (nulls == 0) return KEY_WHOLE;
    return nulls == k->def->column_count || k->def->match != 'f' ? KEY_NONE : KEY_MIXED;
}

/* As the referenced index orders and encodes it, into r->lookup. */
static enum status parent_key(struct foreign_run *r, const struct foreign_key *k,
                              const struct datum *row, enum key_state *ret)
{
    strbuf_clear(&r->lookup);
    *ret = nulls_of(k, row);
    for (uint16_t i = 0; *ret == KEY_WHOLE && i < k->def->column_count; i++) {
        uint16_t place = k->places[i];
        const struct column_def *from = &k->child->columns[foreign_key_child_column(k, place)];
        struct key_part part = op__index_part(k->index, i);
        struct datum v = {0};
        bool none;
        TRY(foreign_key_convert(from->type, part.type, &row[from->number - 1].v,
                                r->x->session->format, r->arena, &v.v, &none));
        if (none) *ret = KEY_IMPOSSIBLE;
        else key_encode(&part, v, &r->lookup);
    }
    return OK;
}

/* --- looking it up ----------------------------------------------------------------------------- */

static enum status serialization_failure(void)
{
    return FAIL(SERIALIZATION_FAILURE, "could not serialize access due to concurrent update");
}

/* Under REPEATABLE READ the key must be there for the snapshot, too: one that came later is none, and
 * one that has gone since is 40001. *ret_found: what is there now. */
static enum status judge_snapshot(struct foreign_run *r, const struct foreign_key *k,
                                  bool *ret_found)
{
    struct point_get_request q = {k->index->tree ? k->index->tree : k->parent->tree,
                                  strbuf_slice(&r->lookup)};
    struct slice seen;
    enum status st = store_point_get(r->x->txn, &q, &seen);
    if (st != NOT_FOUND) TRY(st);
    if (!*ret_found && st == OK) return serialization_failure();
    *ret_found = *ret_found && st == OK;
    return OK;
}

static bool has_key(struct foreign_run *r, const struct foreign_key *k, struct slice key,
                    struct slice bytes)
{
    struct datum *row = ARENA_ARRAY(r->arena, struct datum, k->parent->column_count + 1u);
    bool unique;
    dml_decode(k->parent, bytes, row);
    strbuf_clear(&r->entry);
    op__index_key(k->parent, k->index, row, key, &r->entry, &unique);
    return slice_eq(strbuf_slice(&r->entry), strbuf_slice(&r->lookup));
}

/* The same when the index is younger than the snapshot, for which it has no entries: the row is asked. One
 * that has gone may have been there for the snapshot. */
static enum status judge_row(struct foreign_run *r, const struct foreign_key *k, struct slice key,
                             bool *ret_found)
{
    struct point_get_request q = {k->parent->tree, key};
    struct slice seen;
    if (!*ret_found) return serialization_failure();
    enum status st = store_point_get(r->x->txn, &q, &seen);
    if (st != NOT_FOUND) TRY(st);
    *ret_found = st == OK && has_key(r, k, key, seen);
    return OK;
}

/* Through a secondary index: what its entry names is locked, then looked at again. */
static enum status look_through_index(struct foreign_run *r, const struct foreign_key *k,
                                      enum row_lock mode, bool *ret_found, bool *ret_changed,
                                      struct slice *ret_row)
{
    *ret_found = false;
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        struct lock_request q = {.tree = k->index->tree, .key = strbuf_slice(&r->lookup),
                                 .mode = ROW_LOCK_NONE};
        struct lock_result got;
        TRY(store_lock(r->x->txn, &q, &got));
        *ret_changed = got.changed;
        if (!got.row.data) return OK;
        q = (struct lock_request){.tree = k->parent->tree, .key = slice_dup(r->arena, got.row),
                                  .mode = mode};
        TRY(store_lock(r->x->txn, &q, &got));
        if (!got.row.data) continue;
        *ret_row = q.key;
        *ret_found = has_key(r, k, q.key, got.row);
        if (*ret_found) return OK;
        TRY(exec_check(r->x));
    }
    return serialization_failure();
}

/* A statement that has locked many rows locks the table against writers instead: a lock a row takes
 * memory until the transaction ends. */
static enum status lock_mode(struct foreign_run *r, const struct foreign_key *k,
                             enum row_lock *ret)
{
    *ret = r->mode;
    if (!r->mode || ++r->locked < ROWS_LOCKED_MAX) return OK;
    *ret = ROW_LOCK_NONE;
    if (map_get_u64(&r->whole, k->parent->oid)) return OK;
    TRY(txn_lock_relation(r->x->txn, k->parent->oid, LOCK_SHARE, false));
    map_put_u64(&r->whole, k->parent->oid, r);
    return OK;
}

static enum status look_as_seen(struct foreign_run *r, const struct foreign_key *k, bool *ret_found)
{
    struct point_get_request q = {k->index->tree ? k->index->tree : k->parent->tree,
                                  strbuf_slice(&r->lookup)};
    struct slice seen;
    enum status st = store_point_get(r->x->txn, &q, &seen);
    *ret_found = st == OK;
    return st == NOT_FOUND ? OK : st;
}

static enum status look_up(struct foreign_run *r, const struct foreign_key *k, bool *ret_found)
{
    enum row_lock mode;
    if (r->as_seen) return look_as_seen(r, k, ret_found);
    TRY(lock_mode(r, k, &mode));
    bool changed;
    struct slice row = {0};
    if (k->index->tree) {
        TRY(look_through_index(r, k, mode, ret_found, &changed, &row));
    } else {
        struct lock_request q = {.tree = k->parent->tree, .key = strbuf_slice(&r->lookup),
                                 .mode = mode};
        struct lock_result got;
        TRY(store_lock(r->x->txn, &q, &got));
        *ret_found = got.row.data != NULL;
        changed = got.changed;
    }
    bool judges = changed && txn_isolation(r->x->txn) != READ_COMMITTED && r->mode;
    if (!judges) return OK;
    return k->index->tree && !k->index->valid ? judge_row(r, k, row, ret_found)
                                              : judge_snapshot(r, k, ret_found);
}

/* Where an error came up that is no answer: PostgreSQL's own query. */
static enum status in_query(struct foreign_run *r, const struct foreign_key *k)
{
    struct strbuf s;
    strbuf_init(&s, r->arena);
    const struct schema_def *n = catalog_schema_by_oid(r->x->session->catalog, k->parent->schema);
    strbuf_addf(&s, "SELECT 1 FROM ONLY \"%s\".\"%s\" x WHERE ", n ? n->name : "", k->parent->name);
    for (uint16_t i = 0; i < k->def->column_count; i++)
        strbuf_addf(&s, "%s\"%s\" OPERATOR(pg_catalog.=) $%d", i ? " AND " : "",
                    k->parent->columns[foreign_key_parent_column(k, i)].name, i + 1);
    return error_where("SQL statement \"%s FOR KEY SHARE OF x\"", s.data);
}

enum status foreign__look(struct foreign_run *r, const struct foreign_key *k,
                          const struct datum *row, bool *ret_none, bool *ret_found)
{
    enum key_state state;
    *ret_found = false;
    TRY(parent_key(r, k, row, &state));
    *ret_none = state == KEY_NONE;
    if (state != KEY_WHOLE) return OK;
    strbuf_clear(&r->buffer);
    strbuf_add(&r->buffer, &k->def->oid, sizeof k->def->oid);
    strbuf_add(&r->buffer, r->lookup.data, r->lookup.len);
    struct slice known = strbuf_slice(&r->buffer);
    if (map_get(&r->found, known)) {
        *ret_found = true;
        return OK;
    }
    enum status st = look_up(r, k, ret_found);
    if (st != OK) return in_query(r, k);
    if (!*ret_found) return OK;
    r->found_bytes += known.len + 64;
    if (r->found_bytes > FOUND_BYTES_MAX) {
        map_clear(&r->found);
        r->found_bytes = 0;
    }
    map_put(&r->found, known, r);
    return OK;
}

/* --- words ------------------------------------------------------------------------------------- */

const char *foreign__schema(const struct foreign_run *r, const struct table_def *t)
{
    const struct schema_def *s = catalog_schema_by_oid(r->x->session->catalog, t->schema);
    return s ? s->name : NULL;
}

void foreign__words_init(struct key_words *w, struct foreign_run *r)
{
    strbuf_init(&w->names, r->arena);
    strbuf_init(&w->values, r->arena);
}

void foreign__add_word(struct key_words *w, struct foreign_run *r, const struct column_def *c,
                       const struct datum *v)
{
    const char *between = w->names.len ? ", " : "";
    strbuf_addf(&w->names, "%s%s", between, c->name);
    strbuf_adds(&w->values, between);
    if (v->null) strbuf_adds(&w->values, "null");
    else value_to_text(c->type, &v->v, r->x->session->format, &w->values);
}

enum status foreign__violation(struct foreign_run *r, const struct foreign_key *k,
                               const struct datum *row)
{
    struct key_words w;
    foreign__words_init(&w, r);
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        const struct column_def *c = &k->child->columns[foreign_key_child_column(k, i)];
        foreign__add_word(&w, r, c, &row[c->number - 1]);
    }
    FAIL(FOREIGN_KEY_VIOLATION,
         "insert or update on table \"%s\" violates foreign key constraint \"%s\"", k->child->name,
         k->def->name);
    if (nulls_of(k, row) == KEY_MIXED)
        error_detail("MATCH FULL does not allow mixing of null and nonnull key values.");
    else
        error_detail("Key (%s)=(%s) is not present in table \"%s\".", w.names.data, w.values.data,
                     k->parent->name);
    return error_object(foreign__schema(r, k->child), k->child->name, NULL, k->def->name);
}

enum status foreign__still_referenced(struct foreign_run *r, const struct foreign_event *e)
{
    const struct foreign_key *k = &e->key;
    struct key_words w;
    foreign__words_init(&w, r);
    for (uint16_t i = 0; i < k->def->column_count; i++)
        foreign__add_word(&w, r, &k->parent->columns[foreign_key_parent_column(k, i)], &e->old[i]);
    FAIL(FOREIGN_KEY_VIOLATION,
         "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
         k->parent->name, k->def->name, k->child->name);
    error_detail("Key (%s)=(%s) is still referenced from table \"%s\".", w.names.data, w.values.data,
                 k->child->name);
    return error_object(foreign__schema(r, k->child), k->child->name, NULL, k->def->name);
}

/* --- at the end -------------------------------------------------------------------------------- */

enum status foreign__check(struct foreign_run *r, const struct foreign_event *e)
{
    const struct table_def *t = e->key.child;
    struct lock_request q = {.tree = t->tree, .key = e->row_key, .mode = ROW_LOCK_NONE};
    struct lock_result got;
    bool none, found;
    arena_clear(r->arena);
    TRY(store_lock(r->x->txn, &q, &got));
    if (!got.row.data) return OK; /* gone again: there is nothing that refers */
    struct datum *row = ARENA_ARRAY(r->arena, struct datum, t->column_count + 1u);
    dml_decode(t, got.row, row);
    TRY(foreign__look(r, &e->key, row, &none, &found));
    return none || found ? OK : foreign__violation(r, &e->key, row);
}

static void old_key(struct foreign_run *r, const struct foreign_event *e)
{
    const struct foreign_key *k = &e->key;
    strbuf_clear(&r->lookup);
    for (uint16_t i = 0; i < k->def->column_count; i++) {
        struct key_part part = op__index_part(k->index, i);
        key_encode(&part, e->old[k->places[i]], &r->lookup);
    }
}

enum status foreign__is_seen(struct foreign_run *r, const struct foreign_event *e, bool *ret)
{
    old_key(r, e);
    return look_as_seen(r, &e->key, ret);
}

/* The key is looked for among what is there now; a row of it in somebody's hand is none. */
enum status foreign__is_there(struct foreign_run *r, const struct foreign_event *e, bool *ret)
{
    const struct foreign_key *k = &e->key;
    struct lock_request q = {.tree = k->index->tree ? k->index->tree : k->parent->tree,
                             .mode = ROW_LOCK_NONE};
    struct lock_result got;
    old_key(r, e);
    q.key = strbuf_slice(&r->lookup);
    TRY(store_lock(r->x->txn, &q, &got));
    *ret = got.row.data != NULL;
    return OK;
}
