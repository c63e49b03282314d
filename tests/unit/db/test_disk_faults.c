/* Disks that fail, fill up and rot, under a whole database driven by SQL.
 *
 * Failing: every write and every sync in turn (n = 1, 2, 3 … until none is left) fails once, or from
 * then on; then the power goes. Nothing that was acknowledged is missing, errors are errors, reads go
 * on. Full: writes fail with 53100, reads go on, and room makes writes work again without a restart. */
#include "sim_workload.h"

#include "base/log.h"

static uint64_t seed;

/* --- failing writes and syncs -------------------------------------------------------------------- */

static void expect_acknowledged(struct run *r, bool powered)
{
    bool found[ROWS + 1];
    for (int q = 0; q < QUERIES; q++) {
        enum status st = read_ids(r, queries[q], found);
        if (st == UNDEFINED_TABLE && !r->made) return;
        if (st != OK) fail_msg("%s: %s: %s", queries[q], status_name(st), error_current()->message);
        for (int id = 1; id <= ROWS; id++) {
            if (r->acked[id] && !found[id]) fail_msg("row %d was acknowledged and is gone", id);
            if (found[id] && !r->tried[id]) fail_msg("row %d was never sent", id);
            if (powered && found[id] && !r->acked[id]) fail_msg("row %d is there, but failed", id);
        }
    }
}

static void reopen(struct run *r)
{
    sim_restart(r->d.os);
    enum status st = sim_db_open(&r->d);
    if (st != OK) fail_msg("open: %s: %s", status_name(st), error_current()->message);
}

/* Returns whether the fault fired. */
static bool run_fault(enum sim_fault kind, uint64_t n, bool sticky, enum status result)
{
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    start(r, seed, 0);
    if (sim_db_open(&r->d) != OK) fail_msg("open: %s", error_current()->message);
    sim_fail(r->d.os, kind, n, sticky, result);
    work(r);
    bool all = r->made;
    for (int id = 1; id <= ROWS; id++) all &= r->acked[id];
    if (!all && r->made) expect_acknowledged(r, false); /* reads go on */
    enum status closed = sim_db_close(&r->d);
    sim_fail(r->d.os, kind, 0, false, OK);
    reopen(r);
    expect_acknowledged(r, false);
    sim_db_verify(&r->d);
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
    return !all || closed != OK;
}

static void sweep(enum sim_fault kind, bool sticky, enum status result)
{
    uint64_t n = 1, silent = 0, fired = 0;
    for (; silent < 25; n++) { /* what is retried or in the background does not always show */
        bool shown = run_fault(kind, n, sticky, result);
        silent = shown ? 0 : silent + 1;
        fired += shown;
    }
    print_message("%llu of %llu faults showed\n", (unsigned long long)fired, (unsigned long long)n);
    assert_true(fired > 20);
}

static void write_fails_once(void **state) { (void)state; sweep(SIM_FAULT_WRITE, false, IO_ERROR); }
static void write_fails(void **state) { (void)state; sweep(SIM_FAULT_WRITE, true, IO_ERROR); }
static void sync_fails_once(void **state) { (void)state; sweep(SIM_FAULT_SYNC, false, IO_ERROR); }
static void sync_fails(void **state) { (void)state; sweep(SIM_FAULT_SYNC, true, IO_ERROR); }
static void disk_full_once(void **state) { (void)state; sweep(SIM_FAULT_WRITE, false, DISK_FULL); }

/* --- a full disk --------------------------------------------------------------------------------- */

static enum status set_ballast(struct run *r, uint64_t bytes)
{
    struct file *f;
    if (bytes == 0) return os_remove(r->d.os, "ballast");
    TRY(os_open(r->d.os, "ballast", OPEN_CREATE, &f));
    enum status st = file_allocate(f, 0, bytes);
    file_close(f);
    return st;
}

static void full_disk(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    start(r, seed, 270ull * MIB); /* a data file, a few files of the log, and the ballast */
    assert_int_equal(sim_db_open(&r->d), OK);
    assert_int_equal(set_ballast(r, 8 * MIB), OK);
    assert_int_equal(sim_db_query(&r->d, create), OK);
    assert_int_equal(sim_db_query(&r->d, "create table big (n serial, b text)"), OK);
    enum status st = OK;
    int filled = 0;
    for (; filled < 2000 && st == OK; filled++)
        st = sim_db_query(&r->d, "insert into big (b) select repeat(md5(i::text), 500) from"
                                 " generate_series(1, 10) i");
    print_message("full after %d inserts: %s\n", filled, error_current()->message);
    assert_int_equal(st, DISK_FULL);
    assert_string_equal(status_sqlstate(error_current()->code), "53100");
    assert_non_null(strstr(error_current()->message, "No space left on device"));
    assert_int_equal(sim_db_query(&r->d, "select count(*) from big"), OK); /* reads go on */
    assert_int_equal(atoi(r->d.rows.data), (filled - 1) * 10);
    assert_int_equal(set_ballast(r, 0), OK);
    for (int id = 1; id <= ROWS; id++) /* and writes, without a restart */
        if (insert(r, id) != OK) fail_msg("insert: %s", error_current()->message);
    expect_acknowledged(r, true);
    sim_db_verify(&r->d);
    (void)sim_db_close(&r->d);
    reopen(r);
    expect_acknowledged(r, true);
    assert_int_equal(sim_db_query(&r->d, "select count(*) from big"), OK);
    assert_int_equal(atoi(r->d.rows.data), (filled - 1) * 10);
    sim_db_verify(&r->d);
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_fails_once), cmocka_unit_test(write_fails),
        cmocka_unit_test(sync_fails_once),  cmocka_unit_test(sync_fails),
        cmocka_unit_test(disk_full_once),   cmocka_unit_test(full_disk),
    };
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    seed = env_number("SEED", 1);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
