#include "base/point.h"

#ifdef HELIOS_POINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/str.h"

static const char *const names[] = {
#define X(name) name,
#include "base/points.def"
#undef X
};

enum { POINT_COUNT = sizeof names / sizeof *names };

/* What HELIOS_POINT may ask for, beside functions of tests. */
enum env_action { ACTION_FUNCTION, ACTION_KILL, ACTION_ERROR, ACTION_PAUSE };

struct armed {
    uint64_t left; /* hits until its turn; 0: not armed */
    enum env_action kind;
    void (*action)(void *ctx);
    void *ctx;
};

static struct spinlock lock;
static struct armed points[POINT_COUNT]; /* guarded by lock */
static uint32_t armed_count;             /* atomic; changes under lock */
static uint32_t env_read;                /* atomic */

static int find(const char *name)
{
    for (int i = 0; i < POINT_COUNT; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

/* Under the lock. */
static void arm(int i, struct armed a)
{
    if (!points[i].left) __atomic_fetch_add(&armed_count, 1, __ATOMIC_RELEASE);
    points[i] = a;
}

static bool parse(const char *text, int *ret_point, struct armed *ret)
{
    static const char *const actions[] = {"", "kill", "error", "pause"};
    char name[64];
    const char *nth = strchr(text, ':'), *action = nth ? strchr(nth + 1, ':') : NULL;
    if (!action || (size_t)(nth - text) >= sizeof name) return false;
    memcpy(name, text, (size_t)(nth - text));
    name[nth - text] = '\0';
    if (!str_to_u64(slice_make(nth + 1, (size_t)(action - nth - 1)), &ret->left) || !ret->left)
        return false;
    for (int i = ACTION_KILL; i <= ACTION_PAUSE; i++)
        if (strcmp(action + 1, actions[i]) == 0) ret->kind = (enum env_action)i;
    *ret_point = find(name);
    return ret->kind != ACTION_FUNCTION && *ret_point >= 0;
}

/* A test that mistypes must not pass because nothing happened. */
static void read_env(void)
{
    const char *text = getenv("HELIOS_POINT");
    struct armed a = {0};
    int i;
    if (text && *text) {
        if (!parse(text, &i, &a)) {
            fprintf(stderr, "HELIOS_POINT=%s: want name:nth:kill|error|pause\n", text);
            abort();
        }
        arm(i, a);
    }
    __atomic_store_n(&env_read, 1, __ATOMIC_RELEASE);
}

void point_arm(const char *name, uint64_t nth, void (*action)(void *ctx), void *ctx)
{
    int i = find(name);
    ASSERT(i >= 0 && nth > 0 && action);
    spin_lock(&lock);
    arm(i, (struct armed){.left = nth, .action = action, .ctx = ctx});
    spin_unlock(&lock);
}

void point_disarm_all(void)
{
    spin_lock(&lock);
    memset(points, 0, sizeof points);
    __atomic_store_n(&armed_count, 0, __ATOMIC_RELEASE);
    spin_unlock(&lock);
}

/* True when it is the turn of what is armed there, which then is no longer. */
static bool take(const char *name, struct armed *ret)
{
    int i = find(name);
    ASSERT(i >= 0); /* else it is missing from points.def */
    spin_lock(&lock);
    bool due = points[i].left && --points[i].left == 0;
    if (due) {
        *ret = points[i];
        __atomic_fetch_sub(&armed_count, 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&lock);
    return due;
}

enum status point_hit(const char *name)
{
    struct armed a;
    if (!__atomic_load_n(&env_read, __ATOMIC_ACQUIRE)) {
        spin_lock(&lock);
        if (!env_read) read_env();
        spin_unlock(&lock);
    }
    if (!__atomic_load_n(&armed_count, __ATOMIC_ACQUIRE) || !take(name, &a)) return OK;
    switch (a.kind) {
    case ACTION_FUNCTION:
        a.action(a.ctx);
        return OK;
    case ACTION_KILL:
        kill(getpid(), SIGKILL);
        for (;;) pause();
    case ACTION_ERROR:
        return FAIL(IO_ERROR, "test point \"%s\" failed as asked", name);
    case ACTION_PAUSE:
        raise(SIGSTOP);
        return OK;
    }
    UNREACHABLE();
}

#else
typedef int point_unused;
#endif
