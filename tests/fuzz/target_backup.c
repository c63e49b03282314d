/* Backups and archived log that were changed. What is changed as it lies there is refused, whatever it is; with
 * checksums that fit again it is refused or restored, and then all of it can be read. Nothing is left of what was
 * refused. An input is a byte of modes, then changes: two bytes of distance from the one before, a byte to be
 * exclusive-ored. */
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sim.h"
#include "core/backup.h"
#include "core/file/frames.h"
#include "core/txn.h"
#include "fuzz.h"

enum { CHANGES_MAX = 24, TREES = 3, ROWS = 200 };
enum { MODE_SEGMENT = 1, MODE_FIX = 2, MODE_CUT = 4 };

const char *const fuzz_words[] = {"\2", "\1\0\0", "\0\0\1", NULL};

static struct bytes_of {
    char *data;
    size_t len;
} backup, segment;
static char segment_path[64];

/* --- what is changed ------------------------------------------------------------------------------ */

static void fill(struct store *s, tree_id tree, bool load)
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct load_tree one = {tree, false};
    struct load *l = NULL;
    struct txn *t;
    FUZZ_CHECK(txn_begin(s, &o, &t) == OK);
    txn_statement_begin(t);
    if (load) FUZZ_CHECK(store_load_begin(t, &one, 1, &l) == OK);
    for (int i = 0; i < ROWS; i++) {
        char key[16], row[64];
        struct slice k = slice_make(key, (size_t)snprintf(key, sizeof key, "%s%05d", load ? "z" : "a", i));
        struct slice r = slice_make(row, (size_t)snprintf(row, sizeof row, "row %d of tree %d", i, (int)tree));
        struct write_request w = {.tree = tree, .op = WRITE_PUT, .key = k, .row = r};
        FUZZ_CHECK((load ? store_load_add(l, 0, k, r, (uint64_t)i) : store_write(t, &w)) == OK);
    }
    if (load) FUZZ_CHECK(store_load_finish(l) == OK);
    if (load) store_load_free(l);
    txn_statement_end(t);
    FUZZ_CHECK(txn_commit(t, COMMIT_SYNC, NULL) == OK);
}

static tree_id make_tree(struct store *s)
{
    struct txn_options o = {.isolation = READ_COMMITTED};
    struct txn *t;
    tree_id tree;
    FUZZ_CHECK(txn_begin(s, &o, &t) == OK);
    txn_statement_begin(t);
    FUZZ_CHECK(store_create_tree(t, &tree) == OK);
    txn_statement_end(t);
    FUZZ_CHECK(txn_commit(t, COMMIT_SYNC, NULL) == OK);
    return tree;
}

static void keep(struct os *os, const char *path, struct bytes_of *ret)
{
    struct file *f;
    uint64_t len;
    FUZZ_CHECK(os_open(os, path, OPEN_READ_ONLY, &f) == OK && file_size(f, &len) == OK);
    ret->len = (size_t)len;
    ret->data = mem_alloc(MEM_BASE, ret->len);
    FUZZ_CHECK(file_read(f, ret->data, ret->len, 0) == OK);
    file_close(f);
}

/* A store with runs, a branch, loads in the log, and rows of before and after the backup. */
static void prepare(void)
{
    struct sim_options so = {.seed = 7};
    struct os *os = sim_new(&so);
    struct store_options o;
    struct store *s;
    struct backup_result r;
    struct backup_options bo = {.path = "backups/a"};
    struct arena a;
    char **names;
    size_t n;
    uint32_t branch;
    FUZZ_CHECK(os_mkdir(os, "archive") == OK && os_mkdir(os, "backups") == OK);
    store_options_init(&o);
    o.os = os;
    o.dir = "data";
    o.archive_dir = "archive";
    FUZZ_CHECK(store_open(&o, &s) == OK);
    tree_id tree = make_tree(s);
    for (int i = 1; i < TREES; i++) fill(s, make_tree(s), false);
    FUZZ_CHECK(store_checkpoint(s) == OK);
    fill(s, tree, false);
    FUZZ_CHECK(store_create_branch(s, NULL, SLICE("b"), NULL, &branch) == OK);
    FUZZ_CHECK(store_backup(s, &bo, &r) == OK);
    FUZZ_CHECK(store_archive(s, true) == OK);
    fill(s, tree, true);
    FUZZ_CHECK(store_create_branch(s, NULL, SLICE("c"), NULL, &branch) == OK);
    FUZZ_CHECK(store_archive(s, true) == OK);
    keep(os, "backups/a", &backup);
    arena_init(&a, MEM_BASE);
    FUZZ_CHECK(os_list(os, "archive", &a, &names, &n) == OK && n == 2);
    snprintf(segment_path, sizeof segment_path, "archive/%s", names[1]);
    keep(os, segment_path, &segment);
    arena_release(&a);
    store_abandon(s);
    sim_free(os);
}

/* --- changing ------------------------------------------------------------------------------------- */

/* Checksums that fit, of all blocks that can be told apart. */
static void fix(char *data, size_t len, bool is_segment)
{
    uint64_t id = 0, number = 0, start;
    for (size_t at = 0; at + FRAME_HEADER_BYTES <= len; number++) {
        uint32_t payload, crc;
        memcpy(&payload, data + at + 4, 4);
        if (payload > len - at - FRAME_HEADER_BYTES) return;
        memcpy(data + at, "HBF1", 4);
        memcpy(data + at + 16, &number, 8);
        memset(data + at + 28, 0, 4);
        crc = crc32c(0, data + at + FRAME_HEADER_BYTES, payload);
        memcpy(data + at + 8, &crc, 4);
        uint64_t salt = number ? id : 0;
        crc = crc32c(crc32c(crc32c(0, &salt, 8), data + at, 12), data + at + 16, 16);
        memcpy(data + at + 12, &crc, 4);
        if (!number && payload >= 24) {
            memcpy(&id, data + at + FRAME_HEADER_BYTES + 8, 8);
            memcpy(&start, data + at + FRAME_HEADER_BYTES + 16, 8);
            if (is_segment) id ^= start * 0x9e3779b97f4a7c15ull;
        }
        at += FRAME_HEADER_BYTES + payload;
    }
}

static void change(struct fuzz_input *in, char *data, size_t len)
{
    size_t at = 0;
    for (int i = 0; i < CHANGES_MAX && in->p < in->end; i++) {
        at += fuzz_u8(in);
        at += (size_t)fuzz_u8(in) << 8;
        data[at % len] ^= (char)fuzz_u8(in);
    }
}

/* --- reading -------------------------------------------------------------------------------------- */

static enum status found(void *ctx, const struct verify_finding *f)
{
    (void)ctx, (void)f;
    return OK;
}

static void use(struct os *os)
{
    struct store_options o;
    struct store *s;
    struct verify_sink sink = {.found = found};
    store_options_init(&o);
    o.os = os;
    o.dir = "restored";
    if (store_open(&o, &s) != OK) return; /* damage in what was loaded shows now */
    (void)!store_verify(s, &sink);
    store_abandon(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct restore_result r;
    struct backup_info info;
    fuzz_quiet();
    if (!backup.data) prepare();
    uint8_t mode = fuzz_u8(&in);
    struct bytes_of at = mode & MODE_SEGMENT ? segment : backup;
    char *copy = mem_alloc(MEM_BASE, at.len);
    memcpy(copy, at.data, at.len);
    size_t len = mode & MODE_CUT ? fuzz_u32(&in) % at.len : at.len;
    change(&in, copy, len ? len : 1);
    bool changed = len != at.len || memcmp(copy, at.data, len) != 0;
    if (mode & MODE_FIX) fix(copy, len, mode & MODE_SEGMENT);
    struct sim_options so = {.seed = 1};
    struct os *os = sim_new(&so);
    FUZZ_CHECK(os_mkdir(os, "archive") == OK && os_mkdir(os, "backups") == OK);
    fuzz_write_file(os, "backups/a", mode & MODE_SEGMENT ? backup.data : copy, mode & MODE_SEGMENT ? backup.len : len);
    fuzz_write_file(os, segment_path, mode & MODE_SEGMENT ? copy : segment.data, mode & MODE_SEGMENT ? len : segment.len);
    struct restore_options o = {.os = os, .path = "backups/a", .dir = "restored", .archive = "archive",
                                .target = RESTORE_LATEST};
    if (!(mode & MODE_SEGMENT) && !(mode & MODE_FIX) && changed) FUZZ_CHECK(backup_verify(os, o.path, &info) != OK);
    enum status st = store_restore(&o, &r);
    if (!changed) FUZZ_CHECK(st == OK);
    if (changed && !(mode & MODE_FIX)) FUZZ_CHECK(st != OK);
    FUZZ_CHECK(os_exists(os, "restored") == (st == OK));
    if (st == OK) use(os);
    sim_free(os);
    mem_free(MEM_BASE, copy);
    return 0;
}
