#include "base/thread.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/status.h"

/* The list hangs on a key of the thread, whose destructor walks it. Thread-local variables are
 * still there at that time. */

struct hook {
    void (*fn)(void);
    struct hook *older;
};

static pthread_key_t hooks_key; /* immutable after hooks_once */
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

static void run_hooks(void *p)
{
    for (struct hook *h = p, *older; h; h = older) {
        older = h->older;
        h->fn();
        mem_free(MEM_BASE, h);
    }
}

static void make_key(void)
{
    int failed = pthread_key_create(&hooks_key, run_hooks);
    ASSERT(!failed);
}

void thread_at_exit(void (*fn)(void))
{
    pthread_once(&hooks_once, make_key);
    struct hook *h = mem_alloc(MEM_BASE, sizeof *h);
    h->fn = fn;
    h->older = pthread_getspecific(hooks_key);
    int failed = pthread_setspecific(hooks_key, h);
    ASSERT(!failed);
}
