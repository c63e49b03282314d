/* The disk in memory: files as the real one has them, and nothing left behind. */
#include "base/os_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct file *open_file(struct os *os, const char *path, unsigned flags)
{
    struct file *f = NULL;
    assert_int_equal(os_open(os, path, flags, &f), OK);
    return f;
}

static void test_read_and_write(void **state)
{
    (void)state;
    static char in[200000], out[200000];
    struct os *os = os_memory_new();
    struct file *f = open_file(os, "d/f", OPEN_CREATE);
    uint64_t size;
    for (size_t i = 0; i < sizeof in; i++) in[i] = (char)(i * 31 + i / 251);
    assert_int_equal(file_write(f, in, sizeof in, 70000), OK);
    assert_int_equal(file_size(f, &size), OK);
    assert_int_equal(size, 270000);
    assert_int_equal(file_read(f, out, sizeof out, 70000), OK);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(file_read(f, out, 70000, 0), OK);
    for (int i = 0; i < 70000; i++) assert_int_equal(out[i], 0);
    assert_int_equal(file_read(f, out, 1, 270000), IO_ERROR);
    assert_int_equal(file_read(f, out, 0, 270000), OK);
    assert_int_equal(file_truncate(f, 100000), OK);
    assert_int_equal(file_allocate(f, 0, 300000), OK); /* what was cut off is zeros now */
    assert_int_equal(file_read(f, out, 200000, 100000), OK);
    for (int i = 0; i < 200000; i++) assert_int_equal(out[i], 0);
    assert_int_equal(file_read(f, out, 30000, 70000), OK);
    assert_memory_equal(in, out, 30000);
    file_close(f);
    os_memory_free(os);
}

static void test_reserved_space_costs_nothing(void **state)
{
    (void)state;
    static const char zeros[100000];
    struct os *os = os_memory_new();
    struct file *f = open_file(os, "f", OPEN_CREATE);
    assert_int_equal(file_allocate(f, 0, 1ull << 40), OK);
    assert_int_equal(file_write(f, zeros, sizeof zeros, 5), OK);
    assert_int_equal(os_memory_bytes(os), 0);
    assert_int_equal(file_write(f, "x", 1, 1 << 20), OK);
    assert_true(os_memory_bytes(os) > 0);
    assert_int_equal(file_truncate(f, 0), OK);
    assert_int_equal(os_memory_bytes(os), 0);
    file_close(f);
    os_memory_free(os);
}

static void test_names(void **state)
{
    (void)state;
    struct os *os = os_memory_new();
    struct arena a;
    struct file *f, *g;
    char **names, byte;
    size_t n;
    arena_init(&a, MEM_TEST);
    assert_int_equal(os_open(os, "d/a", 0, &f), UNDEFINED_FILE);
    assert_int_equal(os_list(os, "d", &a, &names, &n), UNDEFINED_FILE);
    assert_int_equal(os_mkdir(os, "d"), OK);
    assert_int_equal(os_mkdir(os, "d"), OK);
    assert_int_equal(os_list(os, "d", &a, &names, &n), OK);
    assert_int_equal(n, 0);
    f = open_file(os, "d/b", OPEN_CREATE | OPEN_EXCLUSIVE);
    assert_int_equal(os_open(os, "d/b", OPEN_CREATE | OPEN_EXCLUSIVE, &g), DUPLICATE_FILE);
    g = open_file(os, "d/a", OPEN_CREATE);
    assert_int_equal(file_write(f, "b", 1, 0), OK);
    assert_int_equal(os_list(os, "d", &a, &names, &n), OK);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_int_equal(os_rename(os, "d/b", "d/a"), OK);
    assert_false(os_exists(os, "d/b"));
    assert_int_equal(file_write(g, "old", 3, 0), OK); /* without a name, and still there */
    file_close(g);
    g = open_file(os, "d/a", 0);
    assert_int_equal(file_read(g, &byte, 1, 0), OK);
    assert_int_equal(byte, 'b');
    assert_int_equal(os_remove(os, "d/a"), OK);
    assert_int_equal(os_remove(os, "d/a"), UNDEFINED_FILE);
    assert_int_equal(file_read(f, &byte, 1, 0), OK);
    file_close(f);
    file_close(g);
    assert_int_equal(os_memory_bytes(os), 0);
    arena_release(&a);
    os_memory_free(os);
}

static void set_flag(struct io_request *r)
{
    *(bool *)r->ctx = true;
}

static void test_submit(void **state)
{
    (void)state;
    struct os *os = os_memory_new();
    struct file *f = open_file(os, "f", OPEN_CREATE | OPEN_DIRECT);
    char data[8] = "written";
    bool done = false;
    struct io_request w = {.op = IO_WRITE_SYNC, .data = data, .len = 8, .done = set_flag,
                           .ctx = &done};
    file_submit(f, &w);
    assert_true(done && w.result == OK);
    char back[8];
    struct io_request r = {.op = IO_READ, .data = back, .len = 8, .done = set_flag, .ctx = &done};
    file_submit(f, &r);
    assert_int_equal(r.result, OK);
    assert_string_equal(back, "written");
    r.offset = 1;
    file_submit(f, &r);
    assert_int_equal(r.result, IO_ERROR);
    file_close(f);
    os_memory_free(os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_reserved_space_costs_nothing),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_submit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
