/* Pauses between flushes, with committers made up: some are back at once, some are not. */
#include "core/wal/wal_priv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FLUSHES = 4000, SETTLED = 1000 };

struct committers {
    uint32_t count, late; /* of `count`, so many come too late for a pause */
    bool prompt;          /* the others stage again within the pause; else during the next flush */
    int64_t flush_us, pause_us;
};

struct outcome {
    double a_flush, a_us, pauses; /* records, the last also a flush */
};

/* Whoever is not in a flush has staged when it ends. */
static struct outcome run(const struct committers *c)
{
    struct wal_pace p = {0};
    struct outcome o = {0};
    int64_t now = 1, counted_from = 0;
    double records = 0, pauses = 0;
    uint32_t in_flush = 1;
    for (int i = 0; i < FLUSHES; i++) {
        wal__pace_begin(&p, in_flush, now);
        if (i == SETTLED) counted_from = now;
        if (i >= SETTLED) records += in_flush;
        now += c->flush_us;
        uint32_t staged = c->count - in_flush;
        bool pause = wal__pace_end(&p, staged, now);
        if (pause) now += c->pause_us;
        if (pause && i >= SETTLED) pauses++;
        if (pause && c->prompt) staged = c->count - c->late;
        in_flush = staged ? staged : c->count - c->late;
    }
    o.a_flush = records / (FLUSHES - SETTLED);
    o.a_us = records / (double)(now - counted_from);
    o.pauses = pauses / (FLUSHES - SETTLED);
    return o;
}

static void who_comes_at_once_is_waited_for(void **state)
{
    (void)state;
    struct committers c = {.count = 16, .late = 2, .prompt = true, .flush_us = 110, .pause_us = 15};
    struct outcome o = run(&c);
    assert_true(o.a_flush > 13 && o.pauses > 0.9);
    assert_true(o.a_us > 8 / 110.0 * 1.4);
}

static void who_comes_late_is_not(void **state)
{
    (void)state;
    struct committers c = {.count = 16, .prompt = false, .flush_us = 110, .pause_us = 15};
    struct outcome o = run(&c);
    assert_true(o.pauses < 0.04);
}

static void nor_when_flushes_are_quick(void **state)
{
    (void)state;
    struct committers c = {.count = 16, .late = 2, .prompt = true, .flush_us = 8, .pause_us = 15};
    struct outcome o = run(&c);
    assert_true(o.pauses < 0.04);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_at_once_is_waited_for),
        cmocka_unit_test(who_comes_late_is_not),
        cmocka_unit_test(nor_when_flushes_are_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
