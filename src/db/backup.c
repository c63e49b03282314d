/* helios_backup('/path'): the whole store as of one commit, into one file of blocks (db/backup_format.h). It
 * reads as a cursor of the past does, tree by tree, beside all other work; nothing is kept in memory but a
 * block. */
#include "core/txn.h"
#include "db/backup_format.h"
#include "db/system_function_priv.h"

enum { ROWS_AT_ONCE = 256 };

struct backup {
    struct session *s;
    struct txn *reader;
    struct catalog *catalog;  /* as of then */
    ARRAY(tree_id) trees;     /* the catalog's own last: without it there is no database */
    uint64_t blocks, rows;
    struct strbuf out;        /* the block */
    struct file *file;
    uint64_t bytes;           /* written */
};

static void list_trees(struct backup *b)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(b->catalog, &pos, &t)) {
        if (t->virtual_id >= 0) continue;
        if (t->tree) ARRAY_PUSH(&b->trees, t->tree);
        if (t->sequence && t->sequence->tree) ARRAY_PUSH(&b->trees, t->sequence->tree);
        for (uint16_t i = 0; i < t->index_count; i++)
            if (t->indexes[i]->tree && t->indexes[i]->tree != t->tree)
                ARRAY_PUSH(&b->trees, t->indexes[i]->tree);
    }
    ARRAY_PUSH(&b->trees, CATALOG_TREE);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static void begin_block(struct backup *b)
{
    static const char header[BACKUP_HEADER_BYTES];
    strbuf_clear(&b->out);
    strbuf_add(&b->out, header, sizeof header);
}

static enum status end_block(struct backup *b, enum backup_kind kind)
{
    backup_put_header(b->out.data, kind, b->blocks++, b->out.len - BACKUP_HEADER_BYTES);
    TRY(session__check_interrupts(b->s));
    TRY(file_write(b->file, b->out.data, b->out.len, b->bytes));
    b->bytes += b->out.len;
    return OK;
}

static enum status write_head(struct backup *b)
{
    uint32_t version[2] = {BACKUP_VERSION, 0};
    uint64_t times[2] = {txn_snapshot_ts(b->reader), (uint64_t)db__now_us(b->s->db)};
    begin_block(b);
    strbuf_add(&b->out, version, sizeof version);
    strbuf_add(&b->out, times, sizeof times);
    return end_block(b, BACKUP_BEGIN);
}

static enum status write_row(struct backup *b, struct slice key, struct slice row)
{
    uint32_t lens[2] = {(uint32_t)key.len, (uint32_t)row.len};
    if (b->out.len > BACKUP_HEADER_BYTES && b->out.len + key.len + row.len > BACKUP_PAYLOAD_BYTES) {
        TRY(end_block(b, BACKUP_ROWS));
        begin_block(b);
    }
    strbuf_add(&b->out, lens, sizeof lens);
    strbuf_add(&b->out, key.data, key.len);
    if (row.len) strbuf_add(&b->out, row.data, row.len);
    b->rows++;
    return OK;
}

static enum status write_rows(struct backup *b, struct cursor *c)
{
    struct slice keys[ROWS_AT_ONCE], rows[ROWS_AT_ONCE];
    uint32_t count = 1;
    begin_block(b);
    while (count) {
        TRY(cursor_next(c, keys, rows, ROWS_AT_ONCE, &count));
        for (uint32_t i = 0; i < count; i++) TRY(write_row(b, keys[i], rows[i]));
    }
    return b->out.len > BACKUP_HEADER_BYTES ? end_block(b, BACKUP_ROWS) : OK;
}

static enum status write_tree(struct backup *b, tree_id tree)
{
    struct scan_request q = {.tree = tree};
    struct cursor *c;
    begin_block(b);
    strbuf_add(&b->out, &tree, sizeof tree);
    TRY(end_block(b, BACKUP_TREE));
    TRY(store_scan(b->reader, &q, &c));
    enum status st = write_rows(b, c);
    cursor_close(c);
    return st;
}

static enum status write_all(struct backup *b)
{
    TRY(catalog_load(b->reader, &b->catalog));
    list_trees(b);
    TRY(write_head(b));
    for (size_t i = 0; i < b->trees.count; i++) TRY(write_tree(b, b->trees.data[i]));
    uint64_t sums[2] = {b->trees.count, b->rows};
    begin_block(b);
    strbuf_add(&b->out, sums, sizeof sums);
    TRY(end_block(b, BACKUP_END));
    return file_sync(b->file);
}

/* --- the file -------------------------------------------------------------------------------- */

/* Under another name until it is whole and durable. */
static enum status write_file(struct backup *b, const char *path, const char *part)
{
    struct os *os = b->s->db->os;
    char dir[OS_PATH_MAX];
    TRY(os_open(os, part, OPEN_CREATE | OPEN_EXCLUSIVE, &b->file));
    enum status st = write_all(b);
    file_close(b->file);
    if (st == OK) st = os_rename(os, part, path);
    if (st != OK) {
        struct error kept = *error_current();
        (void)!os_remove(os, part);
        *error_current() = kept;
        return st;
    }
    size_t len = (size_t)(strrchr(path, '/') - path);
    memcpy(dir, path, len);
    dir[len] = '\0';
    return os_sync_dir(os, len ? dir : "/");
}

enum status sys_backup(struct sys_call *c)
{
    struct session *s = c->s;
    const char *path = sys_arg_text(c, 0), *part = arena_printf(c->a, "%s.part", path);
    struct backup b = {.s = s};
    if (!s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function %s", c->proc->name);
    if (s->line->branch)
        return FAIL(FEATURE_NOT_SUPPORTED, "helios_backup() is not supported in a branch"),
               error_hint("USE BRANCH main first.");
    if (path[0] != '/') return FAIL(INVALID_NAME, "relative path not allowed for a backup");
    if (strlen(part) >= OS_PATH_MAX) return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", path);
    if (os_exists(s->db->os, path)) return FAIL(DUPLICATE_FILE, "file \"%s\" already exists", path);
    TRY(txn_begin_past(s->txn, store_last_commit(s->db->store), &b.reader));
    strbuf_init(&b.out, NULL);
    enum status st = write_file(&b, path, part);
    struct error kept = *error_current();
    catalog_unref(b.catalog);
    txn_end_reader(b.reader);
    ARRAY_RELEASE(&b.trees);
    strbuf_release(&b.out);
    *error_current() = kept;
    return st == OK ? sys_ret_int8(c, (int64_t)b.bytes) : st;
}
