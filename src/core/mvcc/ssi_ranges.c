/* Ranges of keys in a treap: a search tree by lower bound and a heap by random priority, so its depth is
 * about twice the logarithm of its size, whatever comes in which order. Each node knows the range below
 * it that ends last: where that ends before what is looked for begins, a subtree is passed over. */
#include "core/mvcc/ssi_priv.h"

#include "base/mem.h"

/* --- bounds ------------------------------------------------------------------------------------ */

bool ssi__ends_before(const struct key_range *a, const struct key_range *b)
{
    if (a->end == END_NONE || b->end == END_NONE) return a->end != END_NONE;
    int order = slice_cmp(a->to, b->to);
    return order < 0 || (order == 0 && a->end == END_OPEN && b->end == END_CLOSED);
}

/* Whether a key at which another range begins lies before this one's end. */
static bool reaches(const struct key_range *a, struct slice key)
{
    if (a->end == END_NONE) return true;
    int order = slice_cmp(key, a->to);
    return order < 0 || (order == 0 && a->end == END_CLOSED);
}

bool ssi__overlaps(const struct key_range *a, const struct key_range *b)
{
    return reaches(a, b->from) && reaches(b, a->from);
}

bool ssi__covers(const struct key_range *outer, const struct key_range *inner)
{
    return slice_cmp(outer->from, inner->from) <= 0 && !ssi__ends_before(outer, inner);
}

/* --- nodes ------------------------------------------------------------------------------------- */

static uint64_t scatter(uint64_t v)
{
    v = (v ^ v >> 31) * 0x9e3779b97f4a7c15ull;
    return (v ^ v >> 29) * 0xbf58476d1ce4e5b9ull;
}

struct ssi_range *ssi__range_new(struct sx *owner, const struct key_range *r)
{
    bool point = r->end == END_CLOSED && r->from.data == r->to.data && r->from.len == r->to.len;
    size_t upper = r->end == END_NONE || point ? 0 : r->to.len;
    struct ssi_range *n = mem_alloc(MEM_TXN, sizeof *n + r->from.len + upper);
    char *p = (char *)(n + 1);
    n->owner = owner;
    n->priority = scatter((uint64_t)(uintptr_t)n);
    n->widest = n;
    n->r = (struct key_range){slice_make(p, r->from.len), {0}, r->end};
    if (r->from.len) memcpy(p, r->from.data, r->from.len);
    if (upper) memcpy(p + r->from.len, r->to.data, upper);
    if (r->end != END_NONE)
        n->r.to = point ? n->r.from : slice_make(p + r->from.len, upper);
    return n;
}

uint64_t ssi__range_bytes(const struct ssi_range *n)
{
    return sizeof *n + n->r.from.len + (n->r.to.data == n->r.from.data ? 0 : n->r.to.len);
}

static int compare(struct slice from, const struct sx *owner, const struct ssi_range *n)
{
    int order = slice_cmp(from, n->r.from);
    if (order) return order;
    uintptr_t a = (uintptr_t)owner, b = (uintptr_t)n->owner;
    return (a > b) - (a < b);
}

static void look_below(struct ssi_range *n)
{
    n->widest = n;
    if (n->left && ssi__ends_before(&n->widest->r, &n->left->widest->r)) n->widest = n->left->widest;
    if (n->right && ssi__ends_before(&n->widest->r, &n->right->widest->r))
        n->widest = n->right->widest;
}

/* --- the treap --------------------------------------------------------------------------------- */

/* What lies before n, and what after. */
static void split(struct ssi_range *t, const struct ssi_range *n, struct ssi_range **ret_before,
                  struct ssi_range **ret_after)
{
    if (!t) {
        *ret_before = *ret_after = NULL;
        return;
    }
    if (compare(n->r.from, n->owner, t) < 0) {
        split(t->left, n, ret_before, &t->left);
        *ret_after = t;
    } else {
        split(t->right, n, &t->right, ret_after);
        *ret_before = t;
    }
    look_below(t);
}

static struct ssi_range *join(struct ssi_range *a, struct ssi_range *b)
{
    if (!a || !b) return a ? a : b;
    struct ssi_range *top = a->priority > b->priority ? a : b;
    if (top == a) a->right = join(a->right, b);
    else b->left = join(a, b->left);
    look_below(top);
    return top;
}

void ssi__insert(struct ssi_range **root, struct ssi_range *n)
{
    struct ssi_range *t = *root;
    if (!t || n->priority > t->priority) {
        split(t, n, &n->left, &n->right);
        look_below(n);
        *root = n;
        return;
    }
    int order = compare(n->r.from, n->owner, t);
    ASSERT(order != 0);
    ssi__insert(order < 0 ? &t->left : &t->right, n);
    look_below(t);
}

void ssi__remove(struct ssi_range **root, struct ssi_range *n)
{
    struct ssi_range *t = *root;
    ASSERT(t);
    if (t == n) {
        *root = join(n->left, n->right);
        n->left = n->right = NULL;
        return;
    }
    ssi__remove(compare(n->r.from, n->owner, t) < 0 ? &t->left : &t->right, n);
    look_below(t);
}

struct ssi_range *ssi__find(struct ssi_range *root, struct slice from, const struct sx *owner)
{
    while (root) {
        int order = compare(from, owner, root);
        if (order == 0) return root;
        root = order < 0 ? root->left : root->right;
    }
    return NULL;
}

void ssi__each_overlap(struct ssi_range *t, const struct key_range *r,
                       void (*fn)(void *ctx, struct sx *owner), void *ctx)
{
    while (t && reaches(&t->widest->r, r->from)) {
        ssi__each_overlap(t->left, r, fn, ctx);
        if (!reaches(r, t->r.from)) return; /* nor does anything to the right begin in time */
        if (reaches(&t->r, r->from)) fn(ctx, t->owner);
        t = t->right;
    }
}
