/* What net.c and tls.c share. */
#ifndef HELIOS_BASE_NET_PRIV_H
#define HELIOS_BASE_NET_PRIV_H

#include "base/fiber_priv.h"
#include "base/net.h"

struct tls; /* of a connection */

enum net_side { SIDE_READ, SIDE_WRITE };

struct conn {
    int fd;
    struct worker *worker;      /* whose loop watches it; NULL until somebody waits on a fiber */
    struct poll_handler handler;
    /* On the worker only: an edge came since the flag was cleared; who waits for one. */
    bool edge[2];
    struct waiter *waiting[2];
    bool drained;               /* the last read took less than it might have: an edge tells of more */
    bool hung_up;               /* an edge told that the peer has ended: there may be no other */
    unsigned streak;            /* reads in a row that found data */
    bool local;
    struct tls *tls;
    int64_t write_patience_us;  /* 0: none */
    bool (*ended)(void *arg);
    void *ended_arg;
    void (*hangup)(void *arg);
    void *hangup_arg;
    struct listener *listener; /* that accepted it */
    struct task close_task;
    char peer[80];
};

/* Before a try that may find the socket not ready. */
static inline void conn__clear_edge(struct conn *c, enum net_side side)
{
    c->edge[side] = false;
}

/* After such a try: waits until it may be worth another. WOULD_BLOCK at the deadline,
 * QUERY_CANCELED when canceled, if it may be. */
enum status conn__wait(struct conn *c, enum net_side side, int64_t deadline_us, bool cancelable);

/* Waits until more may be written, as conn_set_patience allows. */
enum status conn__wait_to_write(struct conn *c);

enum status tls__read(struct conn *c, void *data, size_t len, int64_t deadline_us, bool wait,
                      size_t *ret_len);
enum status tls__write(struct conn *c, const void *data, size_t len);
void tls__free(struct tls *t);

#endif
