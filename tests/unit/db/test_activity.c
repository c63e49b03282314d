/* What a session shows of itself: cut at whole characters, and never half of one text and half of another
 * while it is written anew. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/activity.h"

enum { TEXTS = 20000, PAUSE = 2000, LENGTHS = 40 };

static void cuts_whole_characters(void **state)
{
    (void)state;
    struct activity_text t = {0};
    char long_text[3 * ACTIVITY_BYTES], got[ACTIVITY_BYTES];
    assert_true(activity_text_get(&t, got));
    assert_string_equal(got, "");
    for (size_t shift = 0; shift < 3; shift++) {
        memset(long_text, 'x', shift);
        for (size_t at = shift; at + 3 <= sizeof long_text; at += 3) memcpy(long_text + at, "€", 3);
        activity_text_set(&t, slice_make(long_text, sizeof long_text - 3));
        assert_true(activity_text_get(&t, got));
        size_t len = strlen(got);
        assert_true(len >= ACTIVITY_BYTES - 3 && len < ACTIVITY_BYTES);
        assert_int_equal((len - shift) % 3, 0);
        assert_memory_equal(got, long_text, len);
    }
    for (size_t len = 0; len < LENGTHS; len++) {
        activity_text_set(&t, slice_make("0123456789012345678901234567890123456789", len));
        assert_true(activity_text_get(&t, got));
        assert_int_equal(strlen(got), len);
    }
}

struct shared {
    struct activity_text text;
    int done; /* atomic */
};

/* Texts of one letter each, as long as the letter says. */
static void *write_texts(void *arg)
{
    struct shared *s = arg;
    char text[ACTIVITY_BYTES];
    for (int n = 0; n < TEXTS; n++) {
        int letter = n % 26;
        memset(text, 'a' + letter, sizeof text);
        activity_text_set(&s->text, slice_make(text, (size_t)(letter + 1) * 8));
        for (volatile int i = 0; i < PAUSE; i++) continue;
    }
    __atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void reads_whole_texts(void **state)
{
    (void)state;
    struct shared s = {0};
    char got[ACTIVITY_BYTES];
    pthread_t writer;
    int whole = 0;
    activity_text_set(&s.text, slice_of("aaaaaaaa"));
    assert_int_equal(pthread_create(&writer, NULL, write_texts, &s), 0);
    while (!__atomic_load_n(&s.done, __ATOMIC_ACQUIRE)) {
        if (!activity_text_get(&s.text, got)) continue; /* the writer was stopped in the middle */
        size_t len = strlen(got);
        whole++;
        assert_int_equal(len, (size_t)(got[0] - 'a' + 1) * 8);
        for (size_t i = 1; i < len; i++) assert_int_equal(got[i], got[0]);
    }
    pthread_join(writer, NULL);
    assert_true(whole > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_whole_characters),
        cmocka_unit_test(reads_whole_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
