/* Framing: messages cut at every byte, messages of all sizes, lengths that lie, bodies that end
 * early, and the writer's bytes. The other end is a socket pair. */
#include "gateway/pg/message_priv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/random.h"

static struct sched *sched;
static struct listener *listener;
static struct fmutex mutex;
static struct fcond arrived;
static struct conn *server_end; /* guarded by mutex */

/* The accepted side is handed to the test's thread, which waits by polling. */
static void accepted(struct conn *c, void *arg)
{
    (void)arg;
    fmutex_lock(&mutex);
    server_end = c;
    fcond_broadcast(&arrived);
    fmutex_unlock(&mutex);
}

static void open_pair(struct conn **server, struct conn **client)
{
    assert_int_equal(net_connect("127.0.0.1", listener_port(listener), client), OK);
    fmutex_lock(&mutex);
    while (!server_end) (void)fcond_wait(&arrived, &mutex, 0);
    *server = server_end;
    server_end = NULL;
    fmutex_unlock(&mutex);
}

static int setup(void **state)
{
    (void)state;
    struct sched_options so = {.workers = 1};
    struct listen_options lo = {.address = "127.0.0.1"};
    assert_int_equal(sched_start(&so, &sched), OK);
    assert_int_equal(net_listen(sched, &lo, &listener), OK);
    assert_int_equal(listener_serve(listener, accepted, NULL), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listener_close(listener);
    sched_stop(sched);
    return 0;
}

static void write_message(struct conn *c, char type, const char *body, uint32_t len)
{
    char head[5] = {type};
    uint32_t be = htobe32(len + 4);
    memcpy(head + 1, &be, 4);
    assert_int_equal(conn_write(c, head, 5), OK);
    if (len) assert_int_equal(conn_write(c, body, len), OK);
}

/* A message that has come in part is not lost when the wait for the rest times out. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char wire[] = "Q\0\0\0\x0dselect 1\0";
    const size_t len = 14;
    for (size_t cut = 0; cut <= len; cut++) {
        struct conn *s, *c;
        struct pg_reader r;
        struct pg_message m;
        open_pair(&s, &c);
        pg__reader_init(&r, s);
        if (cut) assert_int_equal(conn_write(c, wire, cut), OK);
        if (cut < len) {
            assert_int_equal(pg__read_message(&r, 100, monotonic_us() + 5000, &m), WOULD_BLOCK);
            assert_false(pg__message_buffered(&r));
            assert_int_equal(conn_write(c, wire + cut, len - cut), OK);
        }
        assert_int_equal(pg__read_message(&r, 100, 0, &m), OK);
        assert_int_equal(m.type, 'Q');
        assert_int_equal(m.body.len, 9);
        assert_string_equal(m.body.data, "select 1");
        conn_close(c);
        assert_int_equal(pg__read_message(&r, 100, 0, &m), END_OF_DATA);
        pg__reader_release(&r);
        conn_close(s);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    enum { ROUNDS = 300, BYTES_MAX = 200000 };
    struct conn *s, *c;
    struct pg_reader r;
    struct rng rng;
    char *body = mem_alloc(MEM_TEST, BYTES_MAX);
    uint64_t seed = 42;
    rng_seed(&rng, seed);
    open_pair(&s, &c);
    pg__reader_init(&r, s);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t lens[3];
        /* Small enough together for the kernel's buffers: this thread writes, then reads. */
        for (int k = 0; k < 3; k++)
            lens[k] = (uint32_t)rng_below(&rng, rng_below(&rng, 4) ? 100 : BYTES_MAX / 4);
        for (int k = 0; k < 3; k++) {
            memset(body, 'a' + k, lens[k]);
            write_message(c, (char)('A' + k), body, lens[k]);
        }
        for (int k = 0; k < 3; k++) {
            struct pg_message m;
            assert_int_equal(pg__read_message(&r, BYTES_MAX, 0, &m), OK);
            assert_int_equal(m.type, 'A' + k);
            assert_int_equal(m.body.len, lens[k]);
            for (uint32_t b = 0; b < lens[k]; b++) assert_int_equal(m.body.data[b], 'a' + k);
        }
    }
    assert_true(r.cap <= 2 * BYTES_MAX);
    pg__reader_release(&r);
    conn_close(c);
    conn_close(s);
    mem_free(MEM_TEST, body);
}

/* A length alone takes no memory. */
static void test_lying_length(void **state)
{
    (void)state;
    struct conn *s, *c;
    struct pg_reader r;
    struct pg_message m;
    open_pair(&s, &c);
    pg__reader_init(&r, s);
    assert_int_equal(conn_write(c, "d\x3f\xff\xff\xff" "abc", 8), OK);
    assert_int_equal(pg__read_message(&r, PG_MESSAGE_BYTES_MAX, monotonic_us() + 5000, &m),
                     WOULD_BLOCK);
    assert_true(r.cap <= 2 * PG_READ_BYTES);
    assert_int_equal(pg__read_message(&r, 1000, 0, &m), PROTOCOL_VIOLATION);
    conn_close(c);
    assert_int_equal(pg__read_message(&r, PG_MESSAGE_BYTES_MAX, 0, &m), CONNECTION_FAILURE);
    pg__reader_release(&r);
    conn_close(s);
}

static void test_startup_reads_no_more(void **state)
{
    (void)state;
    struct conn *s, *c;
    struct pg_reader r;
    struct pg_message m;
    char rest[8];
    size_t n;
    open_pair(&s, &c);
    pg__reader_init(&r, s);
    assert_int_equal(conn_write(c, "\0\0\0\x08\x04\xd2\x16\x2f" "hello", 13), OK);
    assert_int_equal(pg__read_startup(&r, 0, &m), OK);
    assert_int_equal(m.body.len, 4);
    assert_int_equal(conn_read(s, rest, sizeof rest, 0, &n), OK);
    assert_int_equal(n, 5);
    assert_memory_equal(rest, "hello", 5);
    assert_int_equal(conn_write(c, "\0\0\x27\x15", 4), OK);
    assert_int_equal(pg__read_startup(&r, 0, &m), PROTOCOL_VIOLATION);
    pg__reader_release(&r);
    conn_close(c);
    conn_close(s);
}

static void test_cursor(void **state)
{
    (void)state;
    struct pg_cursor in = pg__cursor(slice_make("ab\0\x01\x02\x00\x00\x01\x00\x05", 10));
    assert_string_equal(pg__get_string(&in), "ab");
    assert_int_equal(pg__get_u16(&in), 0x102);
    assert_int_equal(pg__get_u32(&in), 256);
    assert_int_equal(pg__get_end(&in), PROTOCOL_VIOLATION); /* one byte is left */
    assert_int_equal(pg__get_u8(&in), 5);
    assert_int_equal(pg__get_end(&in), OK);
    assert_int_equal(pg__get_u32(&in), 0);
    assert_int_equal(pg__get_end(&in), PROTOCOL_VIOLATION);
    in = pg__cursor(slice_make("no end", 6));
    assert_string_equal(pg__get_string(&in), "");
    assert_true(in.bad);
    in = pg__cursor(slice_make("abc", 3));
    assert_null(pg__get_bytes(&in, SIZE_MAX).data);
    assert_int_equal(pg__get_u8(&in), 0); /* bad stays bad */
}

static void test_writer(void **state)
{
    (void)state;
    struct conn *s, *c;
    struct pg_writer w;
    char got[256];
    size_t n;
    open_pair(&s, &c);
    pg__writer_init(&w, s);
    assert_int_equal(pg__send_ready(&w, 'I'), OK);
    pg__begin(&w, 'D');
    pg__put_u32(&w, 7);
    pg__undo(&w);
    assert_int_equal(pg__send_string(&w, 'C', "BEGIN"), OK);
    assert_int_equal(pg__send_copy(&w, 'G', 1, 2), OK);
    assert_int_equal(conn_read_now(c, got, sizeof got, &n), WOULD_BLOCK);
    assert_int_equal(pg__flush(&w), OK);
    static const char expected[] = "Z\0\0\0\5I"
                                   "C\0\0\0\12BEGIN\0"
                                   "G\0\0\0\13\1\0\2\0\1\0\1";
    for (size_t have = 0; have < sizeof expected - 1; have += n)
        assert_int_equal(conn_read(c, got + have, sizeof got - have, 0, &n), OK);
    assert_memory_equal(got, expected, sizeof expected - 1);
    /* Sent by itself once enough has gathered. */
    for (int i = 0; i < PG_FLUSH_BYTES / 6 + 1; i++) assert_int_equal(pg__send_ready(&w, 'T'), OK);
    assert_true(w.out.len < 6);
    pg__writer_release(&w);
    conn_close(c);
    conn_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),          cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_lying_length),          cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_startup_reads_no_more), cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
