/* What the fuzz targets share: reading an input, a fiber to run on, files. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fiber.h"
#include "base/log.h"

uint8_t fuzz_u8(struct fuzz_input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++) n = n << 8 | fuzz_u8(in);
    return n;
}

struct slice fuzz_rest(const struct fuzz_input *in)
{
    return slice_make(in->p, (size_t)(in->end - in->p));
}

struct slice fuzz_part(struct fuzz_input *in)
{
    struct slice rest = fuzz_rest(in);
    const uint8_t *cut = rest.len ? memchr(in->p, 0xff, rest.len) : NULL;
    if (!cut) {
        in->p = in->end;
        return rest;
    }
    rest.len = (size_t)(cut - in->p);
    in->p = cut + 1;
    return rest;
}

void fuzz_quiet(void)
{
    static bool done;
    struct log_options o = {.level = LOG_FATAL, .format = LOG_TEXT};
    if (!done) (void)log_open(&o);
    done = true;
}

void fuzz_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("fuzz: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

/* --- a fiber -------------------------------------------------------------------------------- */

static struct fmutex mutex;
static struct fcond finished;

struct job {
    void (*fn)(void *arg);
    void *arg;
    bool done; /* guarded by mutex */
};

static void run_job(void *arg)
{
    struct job *j = arg;
    j->fn(j->arg);
    fmutex_lock(&mutex);
    j->done = true;
    fcond_broadcast(&finished);
    fmutex_unlock(&mutex);
}

struct sched *fuzz_sched(void)
{
    static struct sched *sched;
    struct sched_options o = {.workers = 1};
    if (!sched) FUZZ_CHECK(sched_start(&o, &sched) == OK);
    return sched;
}

void fuzz_on_fiber(void (*fn)(void *arg), void *arg)
{
    struct job j = {.fn = fn, .arg = arg};
    FUZZ_CHECK(fiber_spawn(fuzz_sched(), 0, run_job, &j) == OK);
    fmutex_lock(&mutex);
    while (!j.done) (void)fcond_wait(&finished, &mutex, 0);
    fmutex_unlock(&mutex);
}

/* --- files ---------------------------------------------------------------------------------- */

void fuzz_write_file(struct os *os, const char *path, const void *data, size_t len)
{
    struct file *f;
    FUZZ_CHECK(os_open(os, path, OPEN_CREATE, &f) == OK);
    FUZZ_CHECK(file_truncate(f, 0) == OK);
    if (len) FUZZ_CHECK(file_write(f, data, len, 0) == OK);
    FUZZ_CHECK(file_sync(f) == OK);
    file_close(f);
}
