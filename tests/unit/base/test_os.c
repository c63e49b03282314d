#include "base/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fiber.h"
#include "base/io_priv.h"
#include "base/mem.h"
#include "base/random.h"

static char dir[64];

static char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, 128, "%s/%s", dir, name);
    return p;
}

static void names_and_errors(void **state)
{
    (void)state;
    struct os *os = os_real();
    struct file *f;
    struct arena a;
    char **names;
    size_t count;
    uint64_t size;
    char byte;
    arena_init(&a, MEM_TEST);
    assert_int_equal(os_open(os, path_of("absent"), 0, &f), UNDEFINED_FILE);
    assert_int_equal(os_mkdir(os, path_of("sub")), OK);
    assert_int_equal(os_mkdir(os, path_of("sub")), OK);
    assert_int_equal(os_open(os, path_of("sub/b"), OPEN_CREATE | OPEN_EXCLUSIVE, &f), OK);
    assert_int_equal(file_allocate(f, 0, 10000), OK);
    assert_int_equal(file_size(f, &size), OK);
    assert_int_equal(size, 10000);
    assert_int_equal(file_read(f, &byte, 1, 9999), OK);
    assert_int_equal(byte, 0);
    assert_int_equal(file_read(f, &byte, 1, 10000), IO_ERROR);
    assert_non_null(strstr(error_current()->message, "end of file"));
    assert_int_equal(file_truncate(f, 5), OK);
    assert_int_equal(file_size(f, &size), OK);
    assert_int_equal(size, 5);
    assert_int_equal(file_sync(f), OK);
    file_close(f);
    assert_int_equal(os_open(os, path_of("sub/b"), OPEN_CREATE | OPEN_EXCLUSIVE, &f), DUPLICATE_FILE);
    assert_int_equal(os_open(os, path_of("sub/b"), OPEN_READ_ONLY, &f), OK);
    assert_int_equal(file_write(f, "x", 1, 0), IO_ERROR);
    file_close(f);
    assert_int_equal(os_open(os, path_of("sub/a"), OPEN_CREATE, &f), OK);
    file_close(f);
    assert_int_equal(os_list(os, path_of("sub"), &a, &names, &count), OK);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_int_equal(os_rename(os, path_of("sub/a"), path_of("sub/c")), OK);
    assert_int_equal(os_sync_dir(os, path_of("sub")), OK);
    assert_true(os_exists(os, path_of("sub/c")));
    assert_false(os_exists(os, path_of("sub/a")));
    assert_int_equal(os_remove(os, path_of("sub/a")), UNDEFINED_FILE);
    assert_int_equal(os_remove(os, path_of("sub/b")), OK);
    assert_int_equal(os_remove(os, path_of("sub/c")), OK);
    assert_int_equal(os_remove(os, path_of("sub")), OK);
    arena_release(&a);
}

static void lock_file(void **state)
{
    (void)state;
    struct os *os = os_real();
    struct os_lock *lock, *second;
    char pid[16];
    assert_int_equal(os_lock(os, path_of("lock"), &lock), OK);
    assert_int_equal(os_lock(os, path_of("lock"), &second), LOCK_FILE_EXISTS);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_non_null(strstr(error_current()->message, pid));
    os_unlock(os, lock);
    assert_int_equal(os_lock(os, path_of("lock"), &lock), OK);
    os_unlock(os, lock);
}

static void clocks_and_chance(void **state)
{
    (void)state;
    struct os *os = os_real();
    uint64_t a, b;
    assert_true(os_wall_us(os) > 1700000000000000);
    int64_t before = os_monotonic_us(os);
    assert_true(os_monotonic_us(os) >= before);
    os_random(os, &a, sizeof a);
    os_random(os, &b, sizeof b);
    assert_int_not_equal(a, b);
}

/* --- a model of a file, from many fibers at once ----------------------------------------------- */

enum { BLOCKS = 64, FIBERS = 24, ROUNDS = 60 };

struct shared {
    struct file *file;
    uint32_t done; /* atomic */
};

struct mine {
    struct shared *shared;
    int index;
};

/* Each owns every FIBERS-th run of blocks, so what it wrote is what it must read. */
static void use_file(void *arg)
{
    struct mine *m = arg;
    struct rng rng;
    uint64_t base = (uint64_t)m->index * BLOCKS * OS_BLOCK_BYTES;
    size_t bytes = BLOCKS * OS_BLOCK_BYTES;
    char *model = mem_alloc(MEM_TEST, bytes), *buf = mem_alloc_aligned(MEM_TEST, 4096, bytes);
    rng_seed(&rng, (uint64_t)m->index);
    memset(buf, 0, bytes);
    if (file_write(m->shared->file, buf, bytes, base) != OK) abort();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t at = rng_below(&rng, BLOCKS), n = 1 + rng_below(&rng, BLOCKS - at);
        char *from = model + at * OS_BLOCK_BYTES;
        size_t len = n * OS_BLOCK_BYTES;
        if (i % 2) {
            memset(buf, (int)rng_u64(&rng), len);
            memcpy(from, buf, len);
            if (file_write(m->shared->file, buf, len, base + at * OS_BLOCK_BYTES) != OK) abort();
            if (i % 9 == 0 && file_sync(m->shared->file) != OK) abort();
        } else {
            if (file_read(m->shared->file, buf, len, base + at * OS_BLOCK_BYTES) != OK) abort();
            if (memcmp(buf, from, len) != 0) abort();
        }
    }
    uint64_t end = (uint64_t)FIBERS * BLOCKS * OS_BLOCK_BYTES;
    if (file_read(m->shared->file, buf, OS_BLOCK_BYTES, end + OS_BLOCK_BYTES) != IO_ERROR) abort();
    mem_free(MEM_TEST, model);
    mem_free(MEM_TEST, buf);
    __atomic_add_fetch(&m->shared->done, 1, __ATOMIC_RELEASE);
}

static void fibers_and_files(bool refuse_rings, unsigned flags)
{
    struct sched *s;
    struct sched_options opts = {.workers = 2};
    struct shared shared = {0};
    struct mine mine[FIBERS];
    io__refuse_rings = refuse_rings;
    assert_int_equal(sched_start(&opts, &s), OK);
    assert_int_equal(os_open(os_real(), path_of("data"), OPEN_CREATE | flags, &shared.file), OK);
    for (int i = 0; i < FIBERS; i++) {
        mine[i] = (struct mine){&shared, i};
        if (i) assert_int_equal(fiber_spawn(s, i % 2, use_file, &mine[i]), OK);
    }
    use_file(&mine[0]);
    sched_stop(s);
    assert_int_equal(shared.done, FIBERS);
    file_close(shared.file);
    assert_int_equal(os_remove(os_real(), path_of("data")), OK);
    io__refuse_rings = false;
}

static void ring_direct(void **state)
{
    (void)state;
    fibers_and_files(false, OPEN_DIRECT);
}

static void ring_buffered(void **state)
{
    (void)state;
    fibers_and_files(false, 0);
}

static void io_threads(void **state)
{
    (void)state;
    fibers_and_files(true, OPEN_DIRECT);
}

/* --- asynchronous requests --------------------------------------------------------------------- */

enum { REQUESTS = 3000 }; /* more than the ring holds */

struct batch {
    struct file *file;
    struct io_request *requests;
    char *data;
    uint32_t left, failed, worker; /* atomic */
};

static void request_done(struct io_request *r)
{
    struct batch *b = r->ctx;
    if (fiber_self() || fiber_worker() != (int)b->worker) abort();
    if (r->result != OK) __atomic_add_fetch(&b->failed, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&b->left, 1, __ATOMIC_RELEASE);
}

static void submit_all(void *arg)
{
    struct batch *b = arg;
    for (int i = 0; i < REQUESTS; i++) {
        size_t at = (size_t)i * OS_BLOCK_BYTES;
        b->requests[i] = (struct io_request){.op = i % 100 ? IO_WRITE : IO_WRITE_SYNC,
                                             .data = b->data + at, .len = OS_BLOCK_BYTES,
                                             .offset = at, .done = request_done, .ctx = b};
        file_submit(b->file, &b->requests[i]);
    }
}

static void submitted(bool refuse_rings)
{
    struct sched *s;
    struct sched_options opts = {.workers = 2};
    struct batch b = {.left = REQUESTS, .worker = 1};
    size_t bytes = (size_t)REQUESTS * OS_BLOCK_BYTES;
    io__refuse_rings = refuse_rings;
    assert_int_equal(sched_start(&opts, &s), OK);
    assert_int_equal(os_open(os_real(), path_of("data"), OPEN_CREATE | OPEN_DIRECT, &b.file), OK);
    b.requests = mem_alloc(MEM_TEST, REQUESTS * sizeof *b.requests);
    b.data = mem_alloc_aligned(MEM_TEST, 4096, bytes);
    for (size_t i = 0; i < bytes; i++) b.data[i] = (char)(i / OS_BLOCK_BYTES * 31 + i);
    sched_post(s, 1, submit_all, &b);
    while (__atomic_load_n(&b.left, __ATOMIC_ACQUIRE)) usleep(500);
    sched_stop(s);
    assert_int_equal(b.failed, 0);
    char *again = mem_alloc_aligned(MEM_TEST, 4096, bytes);
    assert_int_equal(file_read(b.file, again, bytes, 0), OK);
    assert_memory_equal(again, b.data, bytes);
    file_close(b.file);
    mem_free(MEM_TEST, again);
    mem_free(MEM_TEST, b.data);
    mem_free(MEM_TEST, b.requests);
    assert_int_equal(os_remove(os_real(), path_of("data")), OK);
    io__refuse_rings = false;
}

static void submit_to_ring(void **state)
{
    (void)state;
    submitted(false);
}

static void submit_to_threads(void **state)
{
    (void)state;
    submitted(true);
}

/* A limit of the process on file size stands for a disk that fails writes half way. */
static void write_fails(void *arg)
{
    struct batch *b = arg;
    if (file_write(b->file, b->data, 8 * OS_BLOCK_BYTES, 0) == OK) abort();
    if (file_write(b->file, b->data, 4 * OS_BLOCK_BYTES, 0) != OK) abort();
    __atomic_store_n(&b->left, 0, __ATOMIC_RELEASE);
}

static void short_writes(void **state)
{
    (void)state;
    struct sched *s;
    struct sched_options opts = {.workers = 1};
    struct batch b = {.left = 1};
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 5 * OS_BLOCK_BYTES;
    b.data = mem_alloc_aligned(MEM_TEST, 4096, 8 * OS_BLOCK_BYTES);
    memset(b.data, 'x', 8 * OS_BLOCK_BYTES);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(os_open(os_real(), path_of("small"), OPEN_CREATE | OPEN_DIRECT, &b.file), OK);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(sched_start(&opts, &s), OK);
    assert_int_equal(fiber_spawn(s, 0, write_fails, &b), OK);
    sched_stop(s);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(b.left, 0);
    file_close(b.file);
    mem_free(MEM_TEST, b.data);
    assert_int_equal(os_remove(os_real(), path_of("small")), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_errors), cmocka_unit_test(lock_file),
        cmocka_unit_test(clocks_and_chance), cmocka_unit_test(ring_direct),
        cmocka_unit_test(ring_buffered),    cmocka_unit_test(io_threads),
        cmocka_unit_test(submit_to_ring),   cmocka_unit_test(submit_to_threads),
        cmocka_unit_test(short_writes),
    };
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.40s/helios-os-%d", base ? base : "/tmp", (int)getpid());
    mkdir(dir, 0700);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0) return 1;
    return failed;
}
