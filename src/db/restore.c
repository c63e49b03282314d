/* A new data directory from a backup (db/backup_format.h). Every block is checked before its rows are taken; what
 * is wrong is told with its place. The directory has another name until all of it is there. */
#include "db/restore.h"

#include <stdio.h>

#include "core/txn.h"
#include "db/backup_format.h"
#include "db/db.h"

struct restore {
    struct os *os;
    struct file *file;
    const char *path;
    uint64_t at, size, blocks; /* in the file; of blocks read */
    char *data;                /* the block's payload */
    size_t cap;
    uint32_t kind;
    struct slice payload;
    struct store *store;
    struct txn *txn;           /* of the tree that is being filled */
    struct load *load;
    uint64_t trees, rows;
};

static enum status damaged(const struct restore *r, uint64_t at, const char *why)
{
    return FAIL(DATA_CORRUPTED, "backup \"%s\" is damaged in block %llu at offset %llu: %s", r->path,
                (unsigned long long)r->blocks, (unsigned long long)at, why);
}

static enum status cut(const struct restore *r)
{
    return FAIL(DATA_CORRUPTED, "backup \"%s\" is cut off: it ends at offset %llu, in block %llu", r->path,
                (unsigned long long)r->size, (unsigned long long)r->blocks);
}

static enum status read_block(struct restore *r)
{
    char head[BACKUP_HEADER_BYTES];
    uint32_t len, payload_crc, crc;
    uint64_t number, begin = r->at;
    if (r->size - r->at < sizeof head) return cut(r);
    TRY(file_read(r->file, head, sizeof head, r->at));
    memcpy(&len, head + 4, 4);
    memcpy(&payload_crc, head + 8, 4);
    memcpy(&crc, head + 12, 4);
    memcpy(&number, head + 16, 8);
    memcpy(&r->kind, head + 24, 4);
    if (memcmp(head, BACKUP_MAGIC, 4) != 0) return damaged(r, begin, "no block begins there");
    if (crc != crc32c(crc32c(0, head, 12), head + 16, 16)) return damaged(r, begin, "wrong header checksum");
    if (number != r->blocks) return damaged(r, begin, "a block is missing, or in another's place");
    if (len > BACKUP_PAYLOAD_BYTES_MAX) return damaged(r, begin, "it is too long");
    r->at += sizeof head;
    if (r->size - r->at < len) return cut(r);
    if (len > r->cap) {
        mem_free(MEM_SESSION, r->data);
        r->data = mem_alloc(MEM_SESSION, r->cap = len);
    }
    if (len) TRY(file_read(r->file, r->data, len, r->at));
    if (payload_crc != crc32c(0, r->data, len)) return damaged(r, begin, "wrong checksum");
    r->at += len;
    r->payload = slice_make(r->data, len);
    r->blocks++;
    return OK;
}

static enum status malformed(const struct restore *r)
{
    return damaged(r, r->at - r->payload.len, "its content is malformed");
}

/* --- trees ----------------------------------------------------------------------------------- */

static enum status end_tree(struct restore *r)
{
    if (!r->txn) return OK;
    enum status st = store_load_finish(r->load);
    store_load_free(r->load);
    r->load = NULL;
    txn_statement_end(r->txn);
    struct txn *t = r->txn;
    r->txn = NULL;
    if (st == OK) return txn_commit(t, COMMIT_SYNC, NULL);
    txn_abort(t);
    return st;
}

static enum status begin_tree(struct restore *r)
{
    struct load_tree one = {0};
    if (r->payload.len != 8) return malformed(r);
    memcpy(&one.tree, r->payload.data, 8);
    TRY(end_tree(r));
    struct txn_options o = {.isolation = READ_COMMITTED};
    TRY(txn_begin(r->store, &o, &r->txn));
    r->trees++;
    txn_statement_begin(r->txn);
    TRY(store_restore_tree(r->txn, one.tree));
    return store_load_begin(r->txn, &one, 1, &r->load);
}

static enum status add_rows(struct restore *r)
{
    struct slice rest = r->payload;
    if (!r->load) return malformed(r);
    while (rest.len) {
        uint32_t lens[2];
        if (rest.len < BACKUP_ENTRY_BYTES) return malformed(r);
        memcpy(lens, rest.data, sizeof lens);
        uint64_t used = BACKUP_ENTRY_BYTES + (uint64_t)lens[0] + lens[1];
        if (used > rest.len || lens[0] > STORE_KEY_BYTES_MAX || lens[1] > STORE_ROW_BYTES_MAX)
            return malformed(r);
        const char *key = rest.data + BACKUP_ENTRY_BYTES;
        TRY(store_load_add(r->load, 0, slice_make(key, lens[0]), slice_make(key + lens[0], lens[1]),
                           ++r->rows));
        rest.data += used;
        rest.len -= used;
    }
    return OK;
}

static enum status check_begin(struct restore *r)
{
    uint32_t version;
    TRY(read_block(r));
    if (r->kind != BACKUP_BEGIN || r->payload.len < 24) return malformed(r);
    memcpy(&version, r->payload.data, 4);
    if (version == BACKUP_VERSION) return OK;
    return FAIL(FEATURE_NOT_SUPPORTED, "backup \"%s\" is of version %u, which this program does not know",
                r->path, version);
}

static enum status check_end(struct restore *r)
{
    uint64_t sums[2];
    if (r->payload.len != sizeof sums) return malformed(r);
    memcpy(sums, r->payload.data, sizeof sums);
    if (sums[0] != r->trees || sums[1] != r->rows) return malformed(r);
    return r->at == r->size ? OK : damaged(r, r->at, "more follows after its end");
}

static enum status read_all(struct restore *r)
{
    TRY(check_begin(r));
    for (;;) {
        TRY(read_block(r));
        switch (r->kind) {
        case BACKUP_TREE: TRY(begin_tree(r)); break;
        case BACKUP_ROWS: TRY(add_rows(r)); break;
        case BACKUP_END: TRY(end_tree(r)); return check_end(r);
        default: return malformed(r);
        }
    }
}

/* --- the directory --------------------------------------------------------------------------- */

static enum status fill_store(struct restore *r, const char *dir)
{
    struct store_options so;
    store_options_init(&so);
    so.os = r->os;
    so.dir = dir;
    TRY(store_open(&so, &r->store));
    enum status st = read_all(r);
    struct error kept = *error_current();
    store_load_free(r->load);
    if (r->txn) {
        txn_statement_end(r->txn);
        txn_abort(r->txn);
    }
    *error_current() = kept;
    if (st == OK) return store_close(r->store);
    (void)!store_close(r->store);
    *error_current() = kept;
    return st;
}

/* What a failed restore has made: the directory, its files, and those of the directories in it. */
static void remove_part(struct os *os, const char *part)
{
    struct arena a;
    char **names, **inner;
    size_t count, inner_count;
    struct error kept = *error_current();
    arena_init(&a, MEM_SESSION);
    enum status st = os_exists(os, part) ? os_list(os, part, &a, &names, &count) : NOT_FOUND;
    for (size_t i = 0; st == OK && i < count; i++) {
        const char *path = arena_printf(&a, "%s/%s", part, names[i]);
        if (os_remove(os, path) == OK) continue;
        if (os_list(os, path, &a, &inner, &inner_count) != OK) continue;
        for (size_t k = 0; k < inner_count; k++)
            (void)!os_remove(os, arena_printf(&a, "%s/%s", path, inner[k]));
        (void)!os_remove(os, path);
    }
    if (st == OK) (void)!os_remove(os, part);
    arena_release(&a);
    *error_current() = kept;
}

enum status db_restore(struct os *os, const char *backup, const char *dir, struct restore_result *ret)
{
    struct restore r = {.os = os, .path = backup};
    char part[OS_PATH_MAX], parent[OS_PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", dir) >= (int)sizeof part)
        return FAIL(INVALID_NAME, "path \"%.64s...\" is too long", dir);
    if (os_exists(os, dir)) return FAIL(DUPLICATE_FILE, "\"%s\" already exists", dir);
    if (os_exists(os, part)) {
        (void)FAIL(DUPLICATE_FILE, "\"%s\" already exists", part);
        return error_hint("A restore that was killed has left it: remove it.");
    }
    TRY(os_open(os, backup, OPEN_READ_ONLY, &r.file));
    enum status st = file_size(r.file, &r.size);
    if (st == OK) st = fill_store(&r, part);
    file_close(r.file);
    mem_free(MEM_SESSION, r.data);
    if (st == OK) st = os_rename(os, part, dir);
    if (st != OK) {
        remove_part(os, part);
        return st;
    }
    snprintf(parent, sizeof parent, "%s", dir);
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    *ret = (struct restore_result){r.trees, r.rows, r.size};
    return os_sync_dir(os, slash ? parent : ".");
}
