/* Files that change while nobody looks: one bit of one byte flips, or a file is cut, extended,
 * overwritten or removed. Then the database is opened and read, by every index: each query gives the
 * right rows or DATA_CORRUPTED with the file's name, never other rows, and nothing crashes.
 *
 * One thing is left to chance by the log's format: damage in its last flush is as a torn tail, and may
 * take that flush's commit away, since no later flush says that it was there. So the last row alone may
 * be missing, and only when the damage lies in the last flush.
 *
 * SEED; FLIPS: how many bits, spread evenly over all bytes that are not zero and some that are. */
#include "sim_workload.h"

#include "base/log.h"

enum { FILES_MAX = 32, READ_BYTES = 1 << 16 };

static uint64_t seed;

/* A place that may be hit. */
struct place {
    char path[64];
    uint64_t offset;
};
static ARRAY(struct place) places;
static uint64_t last_lsn, refused, answered;

/* The same bytes every time: everything acknowledged is on disk, and the power goes. */
static struct run *build(void)
{
    struct run *r = mem_alloc(MEM_TEST, sizeof *r);
    start(r, seed, 0);
    if (sim_db_open(&r->d) != OK) fail_msg("open: %s", error_current()->message);
    work(r);
    for (int id = 1; id <= ROWS; id++) assert_true(r->acked[id]);
    sim_power_off_after(r->d.os, 1);
    (void)sim_db_close(&r->d);
    sim_restart(r->d.os);
    last_lsn = r->last_lsn;
    return r;
}

static void destroy(struct run *r)
{
    sim_db_release(&r->d);
    mem_free(MEM_TEST, r);
}

/* --- places ------------------------------------------------------------------------------------ */

static void add_place(const char *path, uint64_t offset)
{
    struct place p = {.offset = offset};
    snprintf(p.path, sizeof p.path, "%s", path);
    ARRAY_PUSH(&places, p);
}

/* Every byte that is not zero, and of the blocks that have one, each 64th that is. */
static void scan_file(struct os *os, const char *path)
{
    static char data[READ_BYTES];
    struct file *f;
    uint64_t bytes;
    assert_int_equal(os_open(os, path, OPEN_READ_ONLY, &f), OK);
    assert_int_equal(file_size(f, &bytes), OK);
    if (bytes > 4 << 20) bytes = 4 << 20; /* the rest of a data file is empty */
    for (uint64_t at = 0; at < bytes; at += READ_BYTES) {
        size_t n = bytes - at < READ_BYTES ? (size_t)(bytes - at) : READ_BYTES;
        assert_int_equal(file_read(f, data, n, at), OK);
        for (size_t b = 0; b < n; b += 4096) {
            bool any = false;
            for (size_t i = b; i < b + 4096 && i < n; i++) any |= data[i] != 0;
            for (size_t i = b; any && i < b + 4096 && i < n; i++)
                if (data[i] || i % 64 == 0) add_place(path, at + i);
        }
    }
    file_close(f);
}

static size_t list_files(struct os *os, struct arena *a, char *ret[FILES_MAX])
{
    static const char *const dirs[] = {"data", "data/wal"};
    size_t n = 0;
    for (int d = 0; d < 2; d++) {
        char **names;
        size_t count;
        assert_int_equal(os_list(os, dirs[d], a, &names, &count), OK);
        for (size_t i = 0; i < count && n < FILES_MAX; i++)
            if (strchr(names[i], '.') && !strstr(names[i], ".lock"))
                ret[n++] = arena_printf(a, "%s/%s", dirs[d], names[i]);
    }
    return n;
}

/* --- reading ----------------------------------------------------------------------------------- */

static void expect_corrupted(const char *what, enum status st)
{
    const struct error *e = error_current();
    if (st != DATA_CORRUPTED) fail_msg("%s: %s: %s", what, status_name(st), e->message);
    if (!strstr(e->message, "data") && !strstr(e->detail, "data"))
        fail_msg("%s: no file is named: %s", what, e->message);
}

/* in_tail: the last row may be gone. */
static void expect_right_or_corrupted(struct run *r, const char *what, bool in_tail)
{
    bool found[ROWS + 1];
    enum status st = sim_db_open(&r->d);
    if (st != OK) {
        expect_corrupted(what, st);
        refused++;
        return;
    }
    for (int q = 0; q < QUERIES; q++) {
        st = read_ids(r, queries[q], found);
        if (st != OK) {
            expect_corrupted(what, st);
            refused++;
            continue;
        }
        answered++;
        for (int id = 1; id <= ROWS; id++)
            if (!found[id] && !(in_tail && id == ROWS))
                fail_msg("%s: row %d is silently gone from: %s", what, id, queries[q]);
    }
}

static void flip_one(size_t i, unsigned bit)
{
    const struct place *p = &places.data[i];
    char what[128];
    struct run *r = build();
    snprintf(what, sizeof what, "bit %u of byte %llu of %s", bit, (unsigned long long)p->offset,
             p->path);
    assert_int_equal(sim_flip_bit(r->d.os, p->path, p->offset, bit), OK);
    const char *wal = strstr(p->path, "wal/");
    bool in_tail = wal && strtoull(wal + 4, NULL, 16) + p->offset >= last_lsn;
    expect_right_or_corrupted(r, what, in_tail);
    destroy(r);
}

static void flips(void **state)
{
    (void)state;
    uint64_t wanted = env_number("FLIPS", 350);
    struct run *r = build();
    struct arena a;
    char *files[FILES_MAX];
    arena_init(&a, MEM_TEST);
    size_t n = list_files(r->d.os, &a, files);
    for (size_t i = 0; i < n; i++) scan_file(r->d.os, files[i]);
    arena_release(&a);
    destroy(r);
    print_message("%zu bytes in %zu files\n", places.count, n);
    uint64_t step = places.count / wanted ? places.count / wanted : 1;
    for (uint64_t i = seed % step; i < places.count; i += step)
        flip_one((size_t)i, (unsigned)(i * 7 + seed) % 8);
    print_message("%llu reads refused, %llu answered, none wrong\n", (unsigned long long)refused,
                  (unsigned long long)answered);
    ARRAY_RELEASE(&places);
}

/* --- whole files ------------------------------------------------------------------------------- */

enum harm { REMOVED, EMPTIED, HALVED, SHORTENED, CUT, EXTENDED, LENGTHENED, GARBLED, HARMS };

static void do_harm(struct os *os, const char *path, enum harm harm)
{
    struct file *f;
    uint64_t bytes;
    if (harm == REMOVED) {
        assert_int_equal(os_remove(os, path), OK);
        return;
    }
    assert_int_equal(os_open(os, path, 0, &f), OK);
    assert_int_equal(file_size(f, &bytes), OK);
    enum status st = OK;
    char noise[4096];
    memset(noise, 0x5a, sizeof noise);
    switch (harm) {
    case EMPTIED: st = file_truncate(f, 0); break;
    case HALVED: st = file_truncate(f, bytes / 2 / 4096 * 4096); break;
    case SHORTENED: st = file_truncate(f, bytes - 1); break;
    case CUT: st = file_truncate(f, bytes - 4096); break;
    case EXTENDED: st = file_write(f, noise, 4096, bytes); break;
    case LENGTHENED: st = file_write(f, noise, 7, bytes); break;
    default: st = file_write(f, noise, 4096, 0);
    }
    assert_int_equal(st, OK);
    assert_int_equal(file_sync(f), OK);
    file_close(f);
}

/* The log's files that hold nothing yet may come and go; one that holds the newest records, with none
 * behind it, cannot be missed. What must not happen is a wrong row or a crash. */
static void harm_file(size_t i, enum harm harm)
{
    static const char *const names[HARMS] = {"removed", "emptied", "halved", "one byte short",
                                             "one block short", "one block of noise more",
                                             "7 bytes more", "first block garbled"};
    struct run *r = build();
    struct arena a;
    char *files[FILES_MAX], what[128];
    arena_init(&a, MEM_TEST);
    size_t n = list_files(r->d.os, &a, files);
    assert_true(i < n);
    snprintf(what, sizeof what, "%s %s", files[i], names[harm]);
    do_harm(r->d.os, files[i], harm);
    expect_right_or_corrupted(r, what, false);
    arena_release(&a);
    destroy(r);
}

static void whole_files(void **state)
{
    (void)state;
    struct run *r = build();
    struct arena a;
    char *files[FILES_MAX];
    arena_init(&a, MEM_TEST);
    size_t n = list_files(r->d.os, &a, files);
    arena_release(&a);
    destroy(r);
    assert_true(n >= 3);
    for (size_t i = 0; i < n; i++)
        for (int h = 0; h < HARMS; h++) harm_file(i, (enum harm)h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(flips), cmocka_unit_test(whole_files)};
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    seed = env_number("SEED", 1);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
