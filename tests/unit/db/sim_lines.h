/* Branches as a model has them, for the power-loss test of everything at once: rows that refer to others, tables
 * that are made, filled, emptied, altered and dropped, and what a merge makes of two lines of them. */
#ifndef HELIOS_TEST_SIM_LINES_H
#define HELIOS_TEST_SIM_LINES_H

#include "sim_db.h"

enum { LINES = 6, KEYS = 10, CHILDREN = 8, TABLES = 5 };

/* A table that some line has made; what was put into it are batches of rows. */
struct made {
    bool there;
    uint64_t batches; /* bit b: those of batch b */
    int shape;        /* of its columns: 0 as it was made */
};

struct state {
    int value[KEYS];      /* 0: no such row */
    int child[CHILDREN];  /* the key that it refers to + 1; 0: no such row */
    int shape;            /* of the table of the values, as of those that are made */
    struct made made[TABLES];
};

struct line { /* 0: main */
    bool alive;
    int parent, number; /* of its name */
    struct state now, agreed; /* agreed: as forked, or merged last */
};

struct lines {
    struct line all[LINES];
    int named, next, batch[TABLES];
};

static inline void line_name(const struct line *l, char out[16])
{
    if (l->number) snprintf(out, 16, "b%d", l->number);
    else snprintf(out, 16, "main");
}

static inline bool line_has_children(const struct lines *m, int at)
{
    for (int i = 1; i < LINES; i++)
        if (m->all[i].alive && m->all[i].parent == at) return true;
    return false;
}

/* ON DELETE CASCADE. */
static inline void state_cascade(struct state *s, int key)
{
    for (int c = 0; c < CHILDREN; c++)
        if (s->child[c] == key + 1) s->child[c] = 0;
}

static inline bool made_same(const struct made *a, const struct made *b)
{
    return a->there == b->there && a->shape == b->shape;
}

/* One table in a merge that takes the branch's side. */
static inline void made_merge(struct made *to, const struct made *is, const struct made *was)
{
    bool altered = !made_same(is, was), rows = is->batches != was->batches;
    if (was->there && !is->there) {
        *to = *is;
    } else if (is->there && !to->there) {
        if (altered || rows || !was->there) *to = *is;
    } else if (is->there) {
        to->batches = (to->batches & ~(was->batches & ~is->batches)) | (is->batches & ~was->batches);
        if (altered) to->shape = is->shape;
    }
}

/* False: a foreign key forbids it. */
static inline bool state_merge(struct state *to, const struct state *is, const struct state *was)
{
    struct state next = *to;
    bool gone[KEYS] = {false}, written[CHILDREN] = {false};
    for (int k = 0; k < KEYS; k++) {
        if (is->value[k] == was->value[k]) continue;
        gone[k] = to->value[k] && !is->value[k];
        next.value[k] = is->value[k];
    }
    for (int c = 0; c < CHILDREN; c++) {
        if (is->child[c] == was->child[c]) continue;
        written[c] = true;
        next.child[c] = is->child[c];
    }
    for (int k = 0; k < KEYS; k++)
        for (int c = 0; c < CHILDREN && gone[k]; c++)
            if (next.child[c] == k + 1 && !written[c]) next.child[c] = 0;
    for (int c = 0; c < CHILDREN; c++)
        if (next.child[c] && !next.value[next.child[c] - 1]) return false;
    if (is->shape != was->shape) next.shape = is->shape;
    for (int i = 0; i < TABLES; i++) made_merge(&next.made[i], &is->made[i], &was->made[i]);
    *to = next;
    return true;
}

#endif
