/* One thread for the life of the shell. The mutex guards what it shares with the main thread. */
#include "shell/progress.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "shell/terminal.h"

enum { SHOW_AFTER_MS = 1000, TICK_MS = 200 };

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    int pipe[2];
    bool open, show;
    struct backend *active; /* guarded by lock, as are the next three */
    int64_t start_ms;
    bool shown, quiet;
    _Atomic int64_t rows;
} p = {.lock = PTHREAD_MUTEX_INITIALIZER};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
    char c = 'c';
    if (write(p.pipe[1], &c, 1) < 0) return; /* full: an interrupt is on its way already */
}

static void erase(void)
{
    if (p.shown && write(STDERR_FILENO, "\r\033[K", 4) < 0) return;
    p.shown = false;
}

static void show(void)
{
    int64_t ms = terminal_now_ms() - p.start_ms;
    if (!p.show || p.quiet || ms < SHOW_AFTER_MS) return;
    char line[128];
    long long rows = (long long)atomic_load(&p.rows);
    int n = snprintf(line, sizeof(line), "\r\033[K%lld.%lld s, %lld %s  (Ctrl-C cancels)",
                     (long long)ms / 1000, (long long)ms % 1000 / 100, rows,
                     rows == 1 ? "row" : "rows");
    p.shown = write(STDERR_FILENO, line, (size_t)n) == n;
}

static void *run(void *arg)
{
    (void)arg;
    bool ticking = false;
    for (;;) {
        struct pollfd fd = {.fd = p.pipe[0], .events = POLLIN};
        int n = poll(&fd, 1, ticking ? TICK_MS : -1);
        char c = 0;
        if (n > 0 && read(p.pipe[0], &c, 1) != 1) continue;
        if (c == 'q') return NULL;
        pthread_mutex_lock(&p.lock);
        ticking = p.active && p.show && !p.quiet;
        /* The flag is cleared as a statement starts: a Ctrl-C from before must not end it. */
        if (p.active && c == 'c' && interrupted) p.active->ops->cancel(p.active);
        if (p.active && n == 0) show();
        pthread_mutex_unlock(&p.lock);
    }
}

static void say(char c)
{
    if (write(p.pipe[1], &c, 1) < 0) return; /* full: the thread is awake */
}

bool progress_open(bool show_it)
{
    if (pipe2(p.pipe, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    p.show = show_it;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread takes no signals */
    p.open = pthread_create(&p.thread, NULL, run, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigemptyset(&sa.sa_mask);
    if (p.open) sigaction(SIGINT, &sa, NULL);
    return p.open;
}

void progress_close(void)
{
    if (!p.open) return;
    signal(SIGINT, SIG_DFL);
    say('q');
    pthread_join(p.thread, NULL);
    close(p.pipe[0]);
    close(p.pipe[1]);
    p.open = false;
}

void progress_start(struct backend *b)
{
    pthread_mutex_lock(&p.lock);
    p.active = b;
    p.start_ms = terminal_now_ms();
    p.quiet = false;
    atomic_store(&p.rows, 0);
    pthread_mutex_unlock(&p.lock);
    if (p.show) say('w');
}

void progress_stop(void)
{
    pthread_mutex_lock(&p.lock);
    erase();
    p.active = NULL;
    pthread_mutex_unlock(&p.lock);
}

void progress_row(void) { atomic_fetch_add_explicit(&p.rows, 1, memory_order_relaxed); }

void progress_erase(void)
{
    pthread_mutex_lock(&p.lock);
    erase();
    pthread_mutex_unlock(&p.lock);
}

void progress_quiet(void)
{
    pthread_mutex_lock(&p.lock);
    erase();
    p.quiet = true;
    pthread_mutex_unlock(&p.lock);
}

bool progress_interrupted(void) { return interrupted; }
void progress_clear_interrupt(void) { interrupted = 0; }
