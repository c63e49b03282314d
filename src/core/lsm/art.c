/* An adaptive radix tree (Leis, Kemper, Neumann: ICDE 2013) with one writer and wait-free readers.
 *
 * A memtable never removes a key and frees its memory as a whole, which lets the tree do without
 * version checks: every change is one release store that adds, and nothing a reader may hold is
 * ever altered otherwise.
 *  - A link is 0, a leaf (lowest bit set) or a node.
 *  - A node names the *absolute* offset of the key byte it branches on and one leaf below it,
 *    whose key begins with the node's path. So compressed paths are stored nowhere: putting a node
 *    in the middle of a path leaves the node below as it is, lookups skip paths (the leaf holds
 *    the whole key and is compared anyway), inserts and seeks read them from that leaf.
 *  - Keys of small nodes are in order of arrival: child, then key byte, then the count, which
 *    publishes both. Node48 is published by its index, Node256 by the child itself.
 *  - A full node is copied to the next size and replaced in its parent's link. A reader that is
 *    still in the old one sees the tree as it was when it read the link, which was after its call
 *    began.
 *  - A key that ends at a node's offset (a prefix of others) is the node's `end`.
 * Key bytes of small nodes are read a machine word at a time, so that all races are between
 * atomics. */
#include "core/lsm/art_priv.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum node_kind { NODE4, NODE16, NODE48, NODE256 };
enum { WALK_FRAMES = 64, POSITIONS = 257 /* the end, then 256 bytes */ };

struct node {
    uint32_t depth; /* offset of the key byte; this and kind, sample: immutable */
    uint16_t kind;
    uint16_t count;      /* of children; atomic for node 4 and 16 */
    struct leaf *sample; /* some leaf below */
    struct leaf *end;    /* atomic; the key that ends here */
};

struct node4 {
    struct node n;
    uint32_t bytes; /* atomic */
    uint32_t unused;
    uintptr_t child[4];
};

struct node16 {
    struct node n;
    uint64_t bytes[2]; /* atomic */
    uintptr_t child[16];
};

struct node48 {
    struct node n;
    uint8_t index[256]; /* atomic; 1 + place of the child, 0: none */
    uintptr_t child[48];
};

struct node256 {
    struct node n;
    uintptr_t child[256]; /* atomic */
};

_Static_assert(sizeof(struct node4) == 64, "a cache line");

#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static inline bool is_leaf(uintptr_t link) { return link & 1; }
static inline struct leaf *to_leaf(uintptr_t link) { return (struct leaf *)(link & ~(uintptr_t)1); }
static inline struct node *to_node(uintptr_t link) { return (struct node *)link; }
static inline uintptr_t leaf_link(struct leaf *l) { return (uintptr_t)l | 1; }

void *art__alloc(struct art *t, size_t size, size_t align)
{
    STORE_RELAXED(&t->bytes, t->bytes + size);
    return arena_alloc_aligned(&t->arena, size, align);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static uintptr_t *find16(struct node16 *n, uint8_t byte)
{
    unsigned count = LOAD(&n->n.count);
    uint64_t low = LOAD_RELAXED(&n->bytes[0]), high = LOAD_RELAXED(&n->bytes[1]);
#ifdef __SSE2__
    __m128i all = _mm_set_epi64x((long long)high, (long long)low);
    unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_set1_epi8((char)byte)));
    hits &= (1u << count) - 1;
    return hits ? &n->child[__builtin_ctz(hits)] : NULL;
#else
    for (unsigned i = 0; i < count; i++)
        if ((uint8_t)((i < 8 ? low : high) >> i % 8 * 8) == byte) return &n->child[i];
    return NULL;
#endif
}

/* The link of that byte, or NULL. A link of 0 counts as none. */
static inline uintptr_t *find_child(struct node *base, uint8_t byte)
{
    switch (base->kind) {
    case NODE4: {
        struct node4 *n = (struct node4 *)base;
        unsigned count = LOAD(&n->n.count);
        uint32_t x = LOAD_RELAXED(&n->bytes) ^ byte * 0x01010101u;
        uint32_t zero = (x - 0x01010101u) & ~x & 0x80808080u;
        if (!zero) return NULL;
        unsigned at = (unsigned)__builtin_ctz(zero) / 8;
        return at < count ? &n->child[at] : NULL;
    }
    case NODE16:
        return find16((struct node16 *)base, byte);
    case NODE48: {
        struct node48 *n = (struct node48 *)base;
        unsigned at = LOAD(&n->index[byte]);
        return at ? &n->child[at - 1] : NULL;
    }
    default: {
        uintptr_t *link = &((struct node256 *)base)->child[byte];
        return LOAD(link) ? link : NULL;
    }
    }
}

static struct node *node_new(struct art *t, enum node_kind kind, uint32_t depth,
                             struct leaf *sample)
{
    static const size_t sizes[] = {sizeof(struct node4), sizeof(struct node16),
                                   sizeof(struct node48), sizeof(struct node256)};
    struct node *n = art__alloc(t, sizes[kind], 64);
    memset(n, 0, sizes[kind]);
    n->kind = (uint16_t)kind;
    n->depth = depth;
    n->sample = sample;
    return n;
}

/* Room is there and the byte is new. */
static void node_add(struct node *base, uint8_t byte, uintptr_t link)
{
    unsigned at = base->count;
    switch (base->kind) {
    case NODE4: {
        struct node4 *n = (struct node4 *)base;
        STORE_RELAXED(&n->child[at], link);
        STORE_RELAXED(&n->bytes, n->bytes | (uint32_t)byte << at * 8);
        break;
    }
    case NODE16: {
        struct node16 *n = (struct node16 *)base;
        uint64_t *word = &n->bytes[at / 8];
        STORE_RELAXED(&n->child[at], link);
        STORE_RELAXED(word, *word | (uint64_t)byte << at % 8 * 8);
        break;
    }
    case NODE48: {
        struct node48 *n = (struct node48 *)base;
        STORE_RELAXED(&n->child[at], link);
        STORE(&n->index[byte], (uint8_t)(at + 1));
        break;
    }
    default:
        STORE(&((struct node256 *)base)->child[byte], link);
    }
    STORE(&base->count, (uint16_t)(at + 1));
}

static bool node_full(const struct node *n)
{
    static const uint16_t room[] = {4, 16, 48, 256};
    return n->count == room[n->kind];
}

/* At or after `pos` upwards, or at or before it downwards; -1 when there is none. Position 0 is the
 * end leaf, b + 1 the child of byte b. */
static int node_step(const struct node *base, int pos, bool down, uintptr_t *ret)
{
    struct node *n = (struct node *)(uintptr_t)base;
    if (pos < 0 || pos >= POSITIONS) return -1;
    if (!down && pos == 0) {
        struct leaf *end = LOAD(&n->end);
        if (end) return *ret = leaf_link(end), 0;
        pos = 1;
    }
    if (n->kind <= NODE16) { /* the nearest of a few in no order */
        int best = -1;
        unsigned count = LOAD(&n->count);
        for (unsigned i = 0; i < count; i++) {
            int p = 1 + (n->kind == NODE4
                ? (int)(uint8_t)(LOAD_RELAXED(&((struct node4 *)n)->bytes) >> i * 8)
                : (int)(uint8_t)(LOAD_RELAXED(&((struct node16 *)n)->bytes[i / 8]) >> i % 8 * 8));
            if (down ? p > pos || (best >= 0 && p < best) : p < pos || (best >= 0 && p > best))
                continue;
            best = p;
            *ret = LOAD(n->kind == NODE4 ? &((struct node4 *)n)->child[i]
                                         : &((struct node16 *)n)->child[i]);
        }
        if (best >= 0) return best;
    } else {
        for (; pos >= 1 && pos < POSITIONS; pos += down ? -1 : 1) {
            uintptr_t *link = find_child(n, (uint8_t)(pos - 1));
            if (link) return *ret = LOAD(link), pos;
        }
    }
    struct leaf *end = down ? LOAD(&n->end) : NULL;
    return end ? *ret = leaf_link(end), 0 : -1;
}

/* A copy of the next size. */
static struct node *node_grown(struct art *t, const struct node *n)
{
    struct node *big = node_new(t, (enum node_kind)(n->kind + 1), n->depth, n->sample);
    big->end = n->end;
    uintptr_t link;
    for (int pos = 1; (pos = node_step(n, pos, false, &link)) > 0; pos++)
        node_add(big, (uint8_t)(pos - 1), link);
    return big;
}

/* --- lookup and insert ------------------------------------------------------------------------ */

struct leaf *art__find(const struct art *t, struct slice key)
{
    uintptr_t link = LOAD(&t->root);
    struct leaf *l;
    for (;;) {
        if (is_leaf(link)) {
            l = to_leaf(link);
            break;
        }
        if (!link) return NULL;
        struct node *n = to_node(link);
        if (key.len <= n->depth) {
            l = key.len == n->depth ? LOAD(&n->end) : NULL;
            if (!l) return NULL;
            break;
        }
        uintptr_t *child = find_child(n, (uint8_t)key.data[n->depth]);
        if (!child) return NULL;
        link = LOAD(child);
    }
    return l->key_len == key.len && memcmp(l->key, key.data, key.len) == 0 ? l : NULL;
}

static size_t common_len(const struct leaf *l, struct slice key, size_t from)
{
    size_t n = l->key_len < key.len ? l->key_len : key.len, i = from;
    while (i + 8 <= n) {
        uint64_t a, b;
        memcpy(&a, l->key + i, 8);
        memcpy(&b, key.data + i, 8);
        if (a != b) break;
        i += 8;
    }
    while (i < n && l->key[i] == key.data[i]) i++;
    return i;
}

enum { LEAF_CHUNK_MIN = 8, LEAF_CHUNK_MAX = 1024 };

static void list_leaf(struct art *t, struct leaf *l)
{
    struct leaf_chunk *c = t->last;
    if (!c || t->last_count == c->cap) {
        uint32_t cap = !c ? LEAF_CHUNK_MIN : c->cap < LEAF_CHUNK_MAX ? 2 * c->cap : LEAF_CHUNK_MAX;
        struct leaf_chunk *more = art__alloc(t, sizeof *more + cap * sizeof l, _Alignof(struct leaf_chunk));
        more->next = NULL;
        more->cap = cap;
        if (c) c->next = more;
        else __atomic_store_n(&t->first, more, __ATOMIC_RELAXED);
        t->last = c = more;
        t->last_count = 0;
    }
    c->leaves[t->last_count++] = l;
    __atomic_store_n(&t->listed, t->listed + 1, __ATOMIC_RELEASE);
}

static struct leaf *leaf_new(struct art *t, struct slice key)
{
    struct leaf *l = art__alloc(t, sizeof *l + key.len, _Alignof(struct leaf));
    l->note = 0;
    l->head = NULL;
    l->home = 0;
    l->key_len = (uint32_t)key.len;
    if (key.len) memcpy(l->key, key.data, key.len);
    STORE_RELAXED(&t->keys, t->keys + 1);
    list_leaf(t, l);
    return l;
}

/* Hangs `l` under the node in *link, whose path is the leaf's key so far. */
static void add_leaf(struct art *t, uintptr_t *link, struct leaf *l)
{
    struct node *n = to_node(*link);
    if (l->key_len == n->depth) {
        STORE(&n->end, l);
        return;
    }
    uint8_t byte = (uint8_t)l->key[n->depth];
    if (!node_full(n)) {
        node_add(n, byte, leaf_link(l));
        return;
    }
    n = node_grown(t, n);
    node_add(n, byte, leaf_link(l));
    STORE(link, (uintptr_t)n);
}

/* Some leaf that shares with the key all that any leaf does; or the key's own. */
static struct leaf *nearest(const struct art *t, struct slice key)
{
    uintptr_t link = t->root;
    while (!is_leaf(link)) {
        struct node *n = to_node(link);
        if (key.len <= n->depth) return key.len == n->depth && n->end ? n->end : n->sample;
        uintptr_t *child = find_child(n, (uint8_t)key.data[n->depth]);
        if (!child) return n->sample;
        link = *child;
    }
    return to_leaf(link);
}

struct leaf *art__upsert(struct art *t, struct slice key)
{
    ASSERT(key.len < UINT32_MAX);
    if (!t->root) {
        struct leaf *first = leaf_new(t, key);
        STORE(&t->root, leaf_link(first));
        return first;
    }
    struct leaf *near = nearest(t, key);
    size_t same = common_len(near, key, 0);
    if (same == key.len && same == near->key_len) return near;
    struct leaf *l = leaf_new(t, key);
    uintptr_t *link = &t->root;
    while (!is_leaf(*link) && to_node(*link)->depth < same) {
        uintptr_t *child = find_child(to_node(*link), (uint8_t)key.data[to_node(*link)->depth]);
        ASSERT(child);
        link = child;
    }
    if (!is_leaf(*link) && to_node(*link)->depth == same) {
        add_leaf(t, link, l);
        return l;
    }
    /* The path parts in the middle: a new node between. `near` is below *link. */
    struct node *n = node_new(t, NODE4, (uint32_t)same, l);
    if (same == near->key_len) n->end = to_leaf(*link); /* then *link is that leaf */
    else node_add(n, (uint8_t)near->key[same], *link);
    if (same == key.len) n->end = l;
    else node_add(n, (uint8_t)key.data[same], leaf_link(l));
    STORE(link, (uintptr_t)n);
    return l;
}

/* --- walk ------------------------------------------------------------------------------------- */

/* Where the walk stands: the path of nodes, each with its next position. Keys may be thousands of
 * nodes deep, so only the deepest frames are kept; when these are used up and some were dropped,
 * the walk seeks again past the subtree that it has finished. */
struct walk {
    struct {
        const struct node *n;
        int next;
    } frames[WALK_FRAMES];
    unsigned top, count; /* a ring */
    bool dropped, down;
};

static void push(struct walk *w, const struct node *n, int next)
{
    if (w->count == WALK_FRAMES) w->dropped = true;
    else w->count++;
    w->top = (w->top + 1) % WALK_FRAMES;
    w->frames[w->top].n = n;
    w->frames[w->top].next = next;
}

static bool leaf_wanted(const struct leaf *l, struct slice from, enum art_seek seek)
{
    struct slice key = {l->key, l->key_len};
    int c = slice_cmp(key, from);
    if (seek == ART_BEFORE) return c < 0;
    if (seek == ART_BEYOND) return c > 0 && !slice_starts(key, from);
    return seek == ART_AFTER ? c > 0 : c >= 0;
}

/* Fills the frames with the path to `from`; returns the leaf there when it is wanted. */
static struct leaf *walk_seek(struct walk *w, const struct art *t, struct slice from,
                              enum art_seek seek)
{
    int first = w->down ? POSITIONS - 1 : 0;
    uintptr_t link = LOAD(&t->root);
    size_t same = 0;
    w->count = 0;
    w->dropped = false;
    while (link) {
        if (is_leaf(link)) {
            struct leaf *l = to_leaf(link);
            return seek == ART_LAST || leaf_wanted(l, from, seek) ? l : NULL;
        }
        const struct node *n = to_node(link);
        if (seek == ART_LAST) {
            push(w, n, first);
            return NULL;
        }
        same = common_len(n->sample, from, same);
        if (same > n->depth) same = n->depth;
        if (same < n->depth && same < from.len) { /* all below lies on one side */
            bool above = (uint8_t)n->sample->key[same] > (uint8_t)from.data[same];
            if (above != w->down) push(w, n, first);
            return NULL;
        }
        if (same == from.len) { /* all below begins with it */
            if (seek == ART_FROM || (seek == ART_AFTER && same < n->depth)) push(w, n, 0);
            else if (seek == ART_AFTER) push(w, n, 1);
            return NULL;
        }
        uint8_t byte = (uint8_t)from.data[same];
        push(w, n, w->down ? byte : byte + 2);
        uintptr_t *child = find_child((struct node *)(uintptr_t)n, byte);
        if (!child) return NULL;
        link = LOAD(child);
    }
    return NULL;
}

uint32_t art__walk(const struct art *t, struct slice from, enum art_seek seek, struct leaf **ret,
                   uint32_t max)
{
    struct walk w = {.down = seek >= ART_BEFORE};
    uint32_t count = 0;
    if (!max) return 0;
    struct leaf *l = walk_seek(&w, t, from, seek);
    if (l) ret[count++] = l;
    while (w.count && count < max) {
        uintptr_t link;
        const struct node *n = w.frames[w.top].n;
        int pos = node_step(n, w.frames[w.top].next, w.down, &link);
        if (pos < 0) {
            w.top = (w.top + WALK_FRAMES - 1) % WALK_FRAMES;
            if (--w.count || !w.dropped) continue;
            struct slice path = {n->sample->key, n->depth};
            l = walk_seek(&w, t, path, w.down ? ART_BEFORE : ART_BEYOND);
            if (l) ret[count++] = l;
            continue;
        }
        w.frames[w.top].next = w.down ? pos - 1 : pos + 1;
        if (is_leaf(link)) {
            __builtin_prefetch(to_leaf(link));
            ret[count++] = to_leaf(link);
        } else {
            push(&w, to_node(link), w.down ? POSITIONS - 1 : 0);
        }
    }
    return count;
}
