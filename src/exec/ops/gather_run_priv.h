/* One run of a gather, for gather.c and gather_slots.c. */
#ifndef HELIOS_EXEC_OPS_GATHER_RUN_PRIV_H
#define HELIOS_EXEC_OPS_GATHER_RUN_PRIV_H

#include "base/coro.h"
#include "base/fiber.h"
#include "exec/ops/gather_priv.h"
#include "exec/ops/ops_priv.h"

struct slot {
    struct slot *next;
    struct arena arena;
    struct batch batch;
    uint64_t counted; /* of its arena, in the query's memory */
};

/* On the heap, for the pool may come to it when the gather is gone. */
struct task {
    struct worker *worker;
    struct coro *coro;         /* that it runs on; NULL: on the thread itself */
    struct task *next;         /* of those that stand */
    bool begun;                /* the pool's */
    uint32_t taken;            /* atomic: run, or taken back */
    uint32_t users;            /* atomic: pool and gather */
};

struct worker {
    struct gather *g;
    struct task *task;
    struct coro *coro;         /* its task's, while it runs */
    struct exec_session session;
    struct arena arena;
    struct execution x;
    struct txn *txn;
    struct exec_sink slots; /* to the leader */
    struct slot *slot; /* being filled */
    struct work_counts work; /* what it did, once it has ended */
    bool began;        /* guarded by the lock */
};

struct gather {
    struct parallel p;
    struct execution *x;
    const struct plan_node *n;
    const struct exec_sink *out;
    const struct gather_into *into;   /* NULL: rows come out */
    const struct datum *outer;        /* as they are when it begins: a leader that works changes its own */
    struct worker *workers;
    uint32_t worker_count;
    struct fcond room, ready;
    struct slot *slots;
    uint32_t slot_count;
    uint64_t slot_bytes;
    struct slot *free;                /* guarded by p.lock */
    struct slot *full, **full_tail;   /* guarded by p.lock */
    struct task *standing;            /* guarded by p.lock: wait for a free slot without a thread */
    uint32_t waiting;                 /* atomic: the leader has nothing to do */
    enum status failed;               /* guarded by p.lock: the first to fail */
    struct error error;               /* guarded by p.lock */
};

/* --- gather_slots.c --- */

void gather__make_slots(struct gather *g);
void gather__free_slots(struct gather *g);
/* A sink of a worker's rows, and what has been taken of them. END_OF_DATA: no more are wanted. */
enum status gather__take_rows(void *ctx, const struct batch *b) MUST;
void gather__hand_over(struct worker *w);
/* The next filled slot, under the lock; NULL: none. To be given back. */
struct slot *gather__next_full(struct gather *g);
void gather__give_back(struct gather *g, struct slot *s);

/* --- gather.c --- */

/* The pool's side of a task. */
void gather__run_task(void *task);

/* --- gather_builds.c: the tables of all shared joins; *ret_alone: the others cannot help --- */

enum status gather__build(struct gather *g, struct execution *x, bool *ret_alone) MUST;

/* --- gather_stand.c --- */

/* The task's coroutine has yielded: true when it stands, and is no more the caller's. */
bool gather__stand(struct task *t);
/* One that stands goes on when there is a slot for it; all when no more rows are wanted. Under the lock,
 * which is let go meanwhile. False: the pool has no room for them now. */
bool gather__call_back(struct gather *g);
/* Waits for p.lock's `ready`; not forever while somebody stands whom the pool has no room for. */
enum park_result gather__await(struct gather *g, bool called);

#endif
