#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* What sched_setattr(2) takes; C libraries of today lack it. */
struct sched_wish {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
};

void thread_set_turn(int nice, int64_t turn_us)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    struct sched_wish w = {.size = sizeof w, .policy = nice > 0 ? SCHED_BATCH : SCHED_OTHER,
                           .nice = getpriority(PRIO_PROCESS, (id_t)tid) + nice,
                           .turn_ns = (uint64_t)turn_us * 1000};
    if (w.nice > 19) w.nice = 19;
    if (syscall(SYS_sched_setattr, tid, &w, 0) && nice)
        setpriority(PRIO_PROCESS, (id_t)tid, w.nice); /* a sandbox may forbid the other */
}
