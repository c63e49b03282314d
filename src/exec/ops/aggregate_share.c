/* Values that several aggregates' arguments have in common are computed once a batch: they become
 * columns behind the input's, and the arguments read those.
 *
 * Only parts that are evaluated for every row anyhow take part: those below AND, CASE and their like
 * may not be evaluated at all, and those of a call with FILTER not for all rows. */
#include "exec/ops/aggregate_priv.h"

enum { CANDIDATES_MAX = 64 };

struct candidate {
    const struct expr *e;
    uint32_t uses;
    int64_t slot; /* -1: none yet */
};

struct sharing {
    struct agg_run *r;
    struct candidate list[CANDIDATES_MAX];
    uint32_t count;
    enum status status;
};

static bool is_eager(const struct expr *e)
{
    return (e->kind == EXPR_CALL || e->kind == EXPR_CAST) && e->arg_count > 0;
}

static struct candidate *find(struct sharing *s, const struct expr *e)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (expr_equal(s->list[i].e, e)) return &s->list[i];
    return NULL;
}

static void note(struct sharing *s, const struct expr *e)
{
    if (s->status == OK) s->status = exec_check_stack();
    if (!is_eager(e) || s->status != OK) return;
    struct candidate *known = find(s, e);
    if (known) {
        known->uses++;
        return;
    }
    if (s->count < CANDIDATES_MAX && !expr_is_volatile(e) && !expr_is_constant(e))
        s->list[s->count++] = (struct candidate){e, 1, -1};
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (e->args[i]) note(s, e->args[i]);
}

static struct expr *rewrite(struct sharing *s, const struct expr *e);

static struct expr *with_new_args(struct sharing *s, const struct expr *e)
{
    struct arena *a = s->r->x->arena;
    struct expr *copy = ARENA_NEW(a, struct expr);
    *copy = *e;
    copy->args = ARENA_ARRAY(a, struct expr *, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++)
        copy->args[i] = e->args[i] ? rewrite(s, e->args[i]) : NULL;
    return copy;
}

/* The expression with shared parts as slots; those get theirs, inner ones first. */
static struct expr *rewrite(struct sharing *s, const struct expr *e)
{
    if (!is_eager(e)) return (struct expr *)(uintptr_t)e;
    struct candidate *c = find(s, e);
    if (!c || c->uses < 2) return with_new_args(s, e);
    if (c->slot < 0) {
        s->r->shared[s->r->shared_count] = with_new_args(s, e);
        c->slot = s->r->n->left->column_count + s->r->shared_count++;
    }
    struct expr *slot = ARENA_NEW(s->r->x->arena, struct expr);
    *slot = (struct expr){.kind = EXPR_SLOT, .type = e->type, .typmod = e->typmod,
                          .location = -1, .slot = (uint32_t)c->slot};
    return slot;
}

static bool all_args_equal(const struct agg_call *a, const struct agg_call *b)
{
    if (a->call->arg_count != b->call->arg_count) return false;
    for (uint32_t i = 0; i < a->call->arg_count; i++)
        if (!expr_equal(a->call->args[i], b->call->args[i])) return false;
    return true;
}

static bool takes_part(const struct agg_call *c)
{
    return c->impl && !c->call->filter;
}

/* sum(x) and avg(x) keep the same state. */
static void share_states(struct agg_run *r)
{
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        if (!takes_part(c) || c->collects || c->hashes) continue;
        for (uint32_t k = 0; k < i && !c->twin; k++) {
            const struct agg_call *o = &r->calls[k];
            if (!takes_part(o) || o->collects || o->hashes || o->twin || o->impl->add != c->impl->add ||
                o->impl->skips_nulls != c->impl->skips_nulls || !all_args_equal(c, o))
                continue;
            bool repeats = true;
            for (uint32_t a = 0; a < c->call->arg_count; a++)
                repeats = repeats && !expr_is_volatile(c->call->args[a]);
            if (repeats) c->twin = o;
        }
    }
}

enum status agg__share(struct agg_run *r)
{
    struct sharing *s = ARENA_NEW(r->x->arena, struct sharing);
    s->r = r;
    r->shared = ARENA_ARRAY(r->x->arena, struct expr *, CANDIDATES_MAX);
    share_states(r);
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        c->args = c->call->args;
        if (!takes_part(c) || c->twin) continue;
        for (uint32_t a = 0; a < c->call->arg_count; a++) note(s, c->call->args[a]);
    }
    TRY(s->status);
    for (uint32_t i = 0; i < r->call_count; i++) {
        struct agg_call *c = &r->calls[i];
        if (!takes_part(c) || c->twin) continue;
        c->args = ARENA_ARRAY(r->x->arena, struct expr *, c->call->arg_count + 1);
        for (uint32_t a = 0; a < c->call->arg_count; a++)
            c->args[a] = rewrite(s, c->call->args[a]);
    }
    return OK;
}
