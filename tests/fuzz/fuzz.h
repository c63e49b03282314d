/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; it is linked with
 * libFuzzer (make fuzz) or with main.c, which replays a corpus and mutates it (meson test). */
#ifndef HELIOS_TESTS_FUZZ_FUZZ_H
#define HELIOS_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/os.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words that the mutator of main.c puts in, by target; NULL ends. Defined by the target. */
extern const char *const fuzz_words[];

/* Takes the front of an input apart; beyond the end everything is zero. */
struct fuzz_input {
    const uint8_t *p, *end;
};
uint8_t fuzz_u8(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
struct slice fuzz_rest(const struct fuzz_input *in);
/* Up to the next 0xff byte, which is taken too; or the rest. */
struct slice fuzz_part(struct fuzz_input *in);

/* Logs errors of level FATAL alone, once. */
void fuzz_quiet(void);
/* Stops the run as a crash does, with words. */
void fuzz_fail(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));
#define FUZZ_CHECK(expr)                                                                           \
    do {                                                                                           \
        if (!(expr)) fuzz_fail("%s:%d: %s", __FILE__, __LINE__, #expr);                            \
    } while (0)

/* Runs fn(arg) on a fiber of one worker, with the stack that a session has, and waits for it. */
void fuzz_on_fiber(void (*fn)(void *arg), void *arg);
struct sched;
struct sched *fuzz_sched(void); /* the worker's */

/* Makes a file of the (simulated) os, and its content; len need not be a multiple of anything. */
void fuzz_write_file(struct os *os, const char *path, const void *data, size_t len);

#endif
