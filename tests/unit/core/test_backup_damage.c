/* No damage of a backup goes unnoticed: every byte of one, whole and compressed, and of one that another needs is
 * changed in turn, and the file is cut at every length. Each is refused, by verification with the file and the
 * offset of the block named, and by a restore, which leaves nothing. */
#include "core/backup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sim.h"
#include "core/txn.h"
#include "rows.h"

enum { ROWS = 300, RESTORE_EVERY = 4001 };

struct world {
    struct os *os;
    struct store *s;
    tree_id tree;
    struct rng r;
};

static void write_rows(struct world *w, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        struct txn_options o = {.isolation = READ_COMMITTED};
        struct txn *t;
        char kb[16], rb[600];
        struct write_request q = {.tree = w->tree, .op = WRITE_PUT, .key = scattered_key(i, kb), .row = row_of(i, rb)};
        assert_int_equal(txn_begin(w->s, &o, &t), OK);
        txn_statement_begin(t);
        assert_int_equal(store_write(t, &q), OK);
        txn_statement_end(t);
        assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    }
}

static uint64_t back_up(struct world *w, const char *path, const char *previous, bool compress)
{
    struct backup_options o = {.path = path, .previous = previous, .compress = compress};
    struct backup_result r;
    enum status st = store_backup(w->s, &o, &r);
    if (st != OK) fail_msg("backup: %s", error_current()->message);
    return r.bytes;
}

static void begin(struct world *w)
{
    struct sim_options so = {.seed = 1};
    struct store_options o;
    struct txn *t;
    *w = (struct world){.os = sim_new(&so)};
    rng_seed(&w->r, 1);
    assert_int_equal(os_mkdir(w->os, "backups"), OK);
    store_options_init(&o);
    o.os = w->os;
    o.dir = "data";
    o.wal_file_bytes = 64 << 10;
    assert_int_equal(store_open(&o, &w->s), OK);
    assert_int_equal(txn_begin(w->s, &(struct txn_options){0}, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &w->tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    write_rows(w, 0, ROWS);
    assert_int_equal(store_checkpoint(w->s), OK);
}

static void end(struct world *w)
{
    assert_int_equal(store_close(w->s), OK);
    sim_free(w->os);
}

/* Of `damaged`, which `read` is or needs. */
static void check_refused(struct world *w, const char *read, const char *damaged, bool restore, const char *how,
                          uint64_t at)
{
    struct backup_info info;
    char quoted[64];
    enum status st = backup_verify(w->os, read, &info);
    const char *said = error_current()->message;
    if (st == OK) fail_msg("%s at byte %llu of %s is not noticed", how, (unsigned long long)at, damaged);
    snprintf(quoted, sizeof quoted, "\"%s\"", damaged);
    if (st != DATA_CORRUPTED || !strstr(said, quoted) || !strstr(said, "offset"))
        fail_msg("%s at byte %llu of %s: %s: %s", how, (unsigned long long)at, damaged, status_name(st), said);
    if (!restore) return;
    struct restore_result r;
    struct restore_options o = {.os = w->os, .path = read, .dir = "restored"};
    st = store_restore(&o, &r);
    if (st != DATA_CORRUPTED) fail_msg("%s at byte %llu of %s: a restore says %s", how, (unsigned long long)at,
                                       damaged, status_name(st));
    assert_false(os_exists(w->os, "restored"));
    assert_false(os_exists(w->os, "restored.part"));
}

/* The bytes from..to in turn; every so many is tried on a restore, too. */
static void change_each(struct world *w, const char *read, const char *damaged, uint64_t from, uint64_t to)
{
    struct file *f;
    assert_int_equal(os_open(w->os, damaged, 0, &f), OK);
    for (uint64_t at = from; at < to; at++) {
        unsigned char byte, other;
        assert_int_equal(file_read(f, &byte, 1, at), OK);
        other = byte ^ (unsigned char)(1u << rng_below(&w->r, 8));
        assert_int_equal(file_write(f, &other, 1, at), OK);
        check_refused(w, read, damaged, at % RESTORE_EVERY == 0, "a change", at);
        assert_int_equal(file_write(f, &byte, 1, at), OK);
    }
    file_close(f);
}

static char *whole_file(struct world *w, const char *path, uint64_t *ret_len)
{
    struct file *f;
    assert_int_equal(os_open(w->os, path, OPEN_READ_ONLY, &f), OK);
    assert_int_equal(file_size(f, ret_len), OK);
    char *data = mem_alloc(MEM_TEST, *ret_len);
    assert_int_equal(file_read(f, data, *ret_len, 0), OK);
    file_close(f);
    return data;
}

/* From the longest to none. */
static void cut_each(struct world *w, const char *path)
{
    uint64_t len;
    struct file *f;
    char *data = whole_file(w, path, &len);
    assert_int_equal(os_open(w->os, path, 0, &f), OK);
    for (uint64_t at = len; at-- > 0;) {
        assert_int_equal(file_truncate(f, at), OK);
        check_refused(w, path, path, at % RESTORE_EVERY == 0, "a cut", at);
    }
    assert_int_equal(file_write(f, data, len, 0), OK);
    assert_int_equal(file_write(f, "", 1, len), OK);
    check_refused(w, path, path, true, "a byte too much", len);
    assert_int_equal(file_truncate(f, len), OK);
    file_close(f);
    mem_free(MEM_TEST, data);
}

static void check_sound(struct world *w, const char *path)
{
    struct backup_info info;
    if (backup_verify(w->os, path, &info) != OK) fail_msg("%s: %s", path, error_current()->message);
}

static void sweep(bool compress)
{
    struct world w;
    begin(&w);
    uint64_t bytes = back_up(&w, "backups/one", NULL, compress);
    print_message("%llu bytes\n", (unsigned long long)bytes);
    change_each(&w, "backups/one", "backups/one", 0, bytes);
    check_sound(&w, "backups/one");
    cut_each(&w, "backups/one");
    check_sound(&w, "backups/one");
    end(&w);
}

static void plain(void **state)
{
    (void)state;
    sweep(false);
}

static void compressed(void **state)
{
    (void)state;
    sweep(true);
}

/* What a second needs of the first is checked through the second: all of the run, not the log beside it. */
static void needed(void **state)
{
    (void)state;
    struct world w;
    struct backup_info info;
    uint64_t len, own, found = 0;
    begin(&w);
    uint64_t first = back_up(&w, "backups/one", NULL, true);
    write_rows(&w, ROWS, 20);
    assert_int_equal(store_checkpoint(w.s), OK);
    own = back_up(&w, "backups/two", "backups/one", true);
    assert_int_equal(backup_verify(w.os, "backups/two", &info), OK);
    assert_true(info.previous_count == 1 && info.own_runs < info.runs);
    change_each(&w, "backups/two", "backups/two", 0, own);
    char *data = whole_file(&w, "backups/one", &len);
    assert_true(len == first);
    for (uint64_t at = 0; at + 32 <= len;) { /* from block to block: docs/format/backup.md */
        uint32_t payload, kind;
        memcpy(&payload, data + at + 4, 4);
        memcpy(&kind, data + at + 24, 4);
        if (at == 0 || kind == 4) {
            change_each(&w, "backups/two", "backups/one", at, at + 32 + payload);
            found++;
        }
        at += 32 + payload;
    }
    assert_true(found > 1);
    mem_free(MEM_TEST, data);
    assert_int_equal(os_remove(w.os, "backups/one"), OK);
    assert_int_equal(backup_verify(w.os, "backups/two", &info), UNDEFINED_FILE);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(compressed),
        cmocka_unit_test(needed),
    };
    struct log_options lo = {.level = LOG_FATAL};
    if (log_open(&lo) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
