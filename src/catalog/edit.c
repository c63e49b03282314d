/* The catalog in the system tree: key = kind, oid (big-endian); row = the object's bytes. Two more
 * keys stand beside the objects: the next free oid, and the lock that serialises DDL; one for each branch
 * that was merged, and one for each table that a merge has numbered the columns of anew. */
#include "catalog/edit.h"

#include "base/array.h"
#include "catalog/catalog_priv.h"

enum { KEY_BYTES = 5, LOAD_ROWS = 64 };
enum { KIND_NEXT_OID = KIND_FIRST_OTHER, KIND_LOCK, KIND_MERGED, KIND_RENUMBERED };

static struct slice object_key(uint8_t kind, oid_t oid, char buf[KEY_BYTES])
{
    uint32_t be = __builtin_bswap32(oid);
    buf[0] = (char)kind;
    memcpy(buf + 1, &be, 4);
    return slice_make(buf, KEY_BYTES);
}

static enum status write_object(struct txn *t, uint8_t kind, oid_t oid, struct slice bytes)
{
    char buf[KEY_BYTES];
    struct write_request w = {CATALOG_TREE, WRITE_PUT, object_key(kind, oid, buf), bytes};
    return store_write(t, &w);
}

static enum status put(struct catalog *base, struct txn *t, uint8_t kind, oid_t oid,
                       const void *def, struct catalog **ret)
{
    struct strbuf bytes;
    struct object *o = NULL;
    strbuf_init(&bytes, NULL);
    catalog__encode(kind, def, &bytes);
    enum status s = catalog__decode(kind, oid, strbuf_slice(&bytes), &o);
    if (s == OK) s = write_object(t, kind, oid, strbuf_slice(&bytes));
    strbuf_release(&bytes);
    if (s != OK) {
        if (o) catalog__object_unref(o);
        return s;
    }
    *ret = catalog__replace(base, oid, o);
    return OK;
}

enum status catalog_put_table(struct catalog *base, struct txn *t, const struct table_def *def,
                              struct catalog **ret)
{
    return put(base, t, OBJ_TABLE, def->oid, def, ret);
}

enum status catalog_with_table(struct catalog *base, const struct table_def *def,
                               struct catalog **ret)
{
    struct strbuf bytes;
    struct object *o = NULL;
    strbuf_init(&bytes, NULL);
    catalog__encode(OBJ_TABLE, def, &bytes);
    enum status s = catalog__decode(OBJ_TABLE, def->oid, strbuf_slice(&bytes), &o);
    strbuf_release(&bytes);
    if (s == OK) *ret = catalog__replace(base, def->oid, o);
    return s;
}

enum status catalog_put_schema(struct catalog *base, struct txn *t, const struct schema_def *def,
                               struct catalog **ret)
{
    return put(base, t, OBJ_SCHEMA, def->oid, def, ret);
}

enum status catalog_put_database(struct catalog *base, struct txn *t,
                                 const struct database_def *def, struct catalog **ret)
{
    return put(base, t, OBJ_DATABASE, def->oid, def, ret);
}

enum status catalog_put_role(struct catalog *base, struct txn *t, const struct role_def *def,
                             struct catalog **ret)
{
    return put(base, t, OBJ_ROLE, def->oid, def, ret);
}

enum status catalog_put_function(struct catalog *base, struct txn *t,
                                 const struct function_def *def, struct catalog **ret)
{
    return put(base, t, OBJ_FUNCTION, def->proc.oid, def, ret);
}

static uint8_t kind_of(const struct catalog *c, oid_t oid)
{
    if (catalog_table_by_oid(c, oid)) return OBJ_TABLE;
    if (catalog_function_by_oid(c, oid)) return OBJ_FUNCTION;
    if (catalog_schema_by_oid(c, oid)) return OBJ_SCHEMA;
    if (catalog_database_by_oid(c, oid)) return OBJ_DATABASE;
    return OBJ_ROLE;
}

enum status catalog_remove(struct catalog *base, struct txn *t, oid_t oid, struct catalog **ret)
{
    char buf[KEY_BYTES];
    struct write_request w = {CATALOG_TREE, WRITE_DELETE,
                              object_key(kind_of(base, oid), oid, buf), {0}};
    TRY(store_write(t, &w));
    *ret = catalog__replace(base, oid, NULL);
    return OK;
}

enum status catalog_read_numbered(struct txn *t, oid_t table, uint64_t *ret)
{
    char buf[KEY_BYTES];
    struct point_get_request q = {CATALOG_TREE, object_key(OBJ_TABLE, table, buf)};
    struct slice row;
    struct object *o;
    *ret = 0;
    enum status st = store_point_get(t, &q, &row);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    TRY(catalog__decode(OBJ_TABLE, table, row, &o));
    *ret = o->table->primary ? 0 : o->table->tree;
    catalog__object_unref(o);
    return OK;
}

enum status catalog_lock(struct txn *t)
{
    char buf[KEY_BYTES];
    struct write_request w = {CATALOG_TREE, WRITE_PUT, object_key(KIND_LOCK, 0, buf), {0}};
    return store_write(t, &w);
}

static enum status take_oids(struct txn *t, uint32_t n, oid_t *ret)
{
    char buf[KEY_BYTES];
    struct lock_request q = {.tree = CATALOG_TREE, .key = object_key(KIND_NEXT_OID, 0, buf),
                             .mode = ROW_LOCK_UPDATE};
    struct lock_result locked;
    TRY(store_lock(t, &q, &locked));
    oid_t next = OID_FIRST_USER;
    if (locked.row.data) {
        if (locked.row.len != sizeof next) return FAIL(DATA_CORRUPTED, "catalog: bad oid counter");
        memcpy(&next, locked.row.data, sizeof next);
    }
    oid_t after;
    if (__builtin_add_overflow(next, n, &after))
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "out of object identifiers");
    TRY(write_object(t, KIND_NEXT_OID, 0, slice_make(&after, sizeof after)));
    *ret = next;
    return OK;
}

/* Numbers are given out once for all branches: by the main line, ahead of the transaction that asks. */
enum status catalog_new_oids(struct txn *t, uint32_t n, oid_t *ret)
{
    if (!txn_branch(t)) return take_oids(t, n, ret);
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *main;
    TRY(txn_begin(txn_store(t), &o, &main));
    txn_statement_begin(main);
    enum status st = take_oids(main, n, ret);
    txn_statement_end(main);
    if (st == OK) return txn_commit(main, COMMIT_ASYNC, NULL);
    txn_abort(main);
    return st;
}

enum status catalog_put_merged(struct txn *t, uint32_t branch, uint64_t ts)
{
    return write_object(t, KIND_MERGED, branch, slice_make(&ts, sizeof ts));
}

enum status catalog_get_merged(struct txn *t, uint32_t branch, uint64_t *ret_ts, uint64_t *ret_commit)
{
    char buf[KEY_BYTES];
    struct lock_request q = {.tree = CATALOG_TREE, .key = object_key(KIND_MERGED, branch, buf),
                             .mode = ROW_LOCK_UPDATE};
    struct lock_result got;
    *ret_ts = *ret_commit = 0;
    TRY(store_lock(t, &q, &got));
    if (!got.row.data) return OK;
    if (got.row.len != sizeof *ret_ts) return FAIL(DATA_CORRUPTED, "catalog: bad mark of a merge");
    memcpy(ret_ts, got.row.data, sizeof *ret_ts);
    return store_version_ts(t, CATALOG_TREE, q.key, ret_commit);
}

enum status catalog_put_renumbered(struct txn *t, oid_t table, uint64_t ts)
{
    return write_object(t, KIND_RENUMBERED, table, slice_make(&ts, sizeof ts));
}

enum status catalog_get_renumbered(struct txn *t, oid_t table, uint64_t *ret_ts)
{
    char buf[KEY_BYTES];
    struct point_get_request q = {CATALOG_TREE, object_key(KIND_RENUMBERED, table, buf)};
    struct slice row;
    *ret_ts = 0;
    enum status st = store_point_get(t, &q, &row);
    if (st == NOT_FOUND) return OK;
    TRY(st);
    if (row.len != sizeof *ret_ts) return FAIL(DATA_CORRUPTED, "catalog: bad mark of a merge");
    memcpy(ret_ts, row.data, sizeof *ret_ts);
    return OK;
}

static enum status bootstrap_put(struct txn *t, uint8_t kind, oid_t oid, const void *def)
{
    struct strbuf bytes;
    strbuf_init(&bytes, NULL);
    catalog__encode(kind, def, &bytes);
    enum status s = write_object(t, kind, oid, strbuf_slice(&bytes));
    strbuf_release(&bytes);
    return s;
}

enum { OID_DATABASE_TEMPLATE = 1, OID_DATABASE_FIRST = 5 };

enum status catalog_bootstrap(struct txn *t, const char *database)
{
    tree_id tree;
    TRY(store_create_tree(t, &tree));
    if (tree != CATALOG_TREE) return FAIL(INTERNAL_ERROR, "the store is not empty");
    struct role_def role = {.oid = OID_ROLE_BOOTSTRAP, .name = "postgres", .superuser = true,
                            .inherit = true, .create_role = true, .create_db = true,
                            .can_login = true, .replication = true, .bypass_rls = true,
                            .connection_limit = -1};
    TRY(bootstrap_put(t, OBJ_ROLE, role.oid, &role));
    struct database_def db = {.oid = OID_DATABASE_FIRST, .name = database,
                              .owner = OID_ROLE_BOOTSTRAP,
                              .comment = "default administrative connection database"};
    TRY(bootstrap_put(t, OBJ_DATABASE, db.oid, &db));
    struct schema_def schemas[] = {
        {OID_SCHEMA_PG_CATALOG, 0, "pg_catalog", OID_ROLE_BOOTSTRAP, "system catalog schema", NULL},
        {OID_SCHEMA_INFORMATION_SCHEMA, 0, "information_schema", OID_ROLE_BOOTSTRAP, NULL, NULL},
        {OID_SCHEMA_PUBLIC, OID_DATABASE_FIRST, "public", OID_ROLE_DATABASE_OWNER,
         "standard public schema", "{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}"},
    };
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        TRY(bootstrap_put(t, OBJ_SCHEMA, schemas[i].oid, &schemas[i]));
    return OK;
}

enum status catalog_load(struct txn *t, struct catalog **ret)
{
    struct scan_request q = {.tree = CATALOG_TREE};
    struct cursor *cursor;
    ARRAY(struct object *) objects = {0};
    struct slice keys[LOAD_ROWS], rows[LOAD_ROWS];
    uint32_t n = 0;
    TRY(store_scan(t, &q, &cursor));
    enum status s;
    do {
        s = cursor_next(cursor, keys, rows, LOAD_ROWS, &n);
        for (uint32_t i = 0; s == OK && i < n; i++) {
            uint8_t kind = keys[i].len ? (uint8_t)keys[i].data[0] : 0;
            uint32_t be;
            if (keys[i].len != KEY_BYTES || kind >= KIND_NEXT_OID) continue;
            memcpy(&be, keys[i].data + 1, 4);
            struct object *o;
            s = catalog__decode(kind, __builtin_bswap32(be), rows[i], &o);
            if (s == OK) ARRAY_PUSH(&objects, o);
        }
    } while (s == OK && n > 0);
    cursor_close(cursor);
    if (s == OK) {
        *ret = catalog__new(objects.data, objects.count, catalog__next_version());
    } else {
        for (size_t i = 0; i < objects.count; i++) catalog__object_unref(objects.data[i]);
    }
    ARRAY_RELEASE(&objects);
    return s;
}
