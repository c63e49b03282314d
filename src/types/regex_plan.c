/* How a match is divided among groups: Henry Spencer's way, whose rules are in PostgreSQL's
 * documentation (9.7.3.5).
 *
 * Each part of an expression prefers the longest or the shortest match, or neither. Where all parts
 * agree and nothing is captured, one automaton does it all. Else the expression is cut into a tree: of
 * two neighbours the left one takes what it prefers, as long as the right one can match all of the rest;
 * of branches the first that can match it all is taken; of repetitions each takes what it prefers in
 * turn. What a node can match is asked of its automaton, made when it is first needed. */
#include "types/regex_priv.h"

#include "base/mem.h"

enum { NODES_DEPTH_MAX = 2000, STEPS_MAX = 500 * 1000 * 1000 };
enum { MIXED = 4, CAPTURES = 8, REFERS = 16 }; /* beside enum regex_prefer; of a node, told upwards */
enum node_op { OP_PLAIN, OP_CONCAT, OP_EITHER, OP_REPEAT, OP_REFERENCE, OP_GROUP };

struct node {
    uint8_t op, flags;
    int16_t min, max;          /* REPEAT, REFERENCE */
    uint16_t capture, referred;
    struct regex_part part;
    struct node *child, *sibling;
    struct regex_dfa *dfa;     /* NULL: not needed yet */
    struct node *next;         /* of all that have an automaton */
};

struct regex_plan {
    const struct regex_tree *tree;
    struct regex_colors *colors;
    struct node *root;
    struct node *made;         /* nodes with automata */
    struct regex_dfa *search;
    struct regex_dfa **looks;
    bool refers;
};

/* --- the tree ---------------------------------------------------------------------------------- */

/* What of these is told upwards: parts that prefer differently are mixed. */
static uint8_t up(unsigned f)
{
    unsigned both = f & PREFER_LONGEST && f & PREFER_SHORTEST ? MIXED : 0;
    return (uint8_t)((f & (MIXED | CAPTURES | REFERS)) | both);
}
static bool is_messy(unsigned f)
{
    return f & (MIXED | CAPTURES | REFERS);
}
static uint8_t preference(unsigned f)
{
    return f & (PREFER_LONGEST | PREFER_SHORTEST);
}
/* Of a whole whose first part has `a`. */
static uint8_t combine(unsigned a, unsigned b)
{
    return (uint8_t)(up(a | b) | (preference(a) ? preference(a) : preference(b)));
}

static struct node *new_node(struct arena *a, uint8_t op, unsigned flags, struct regex_part part)
{
    struct node *n = ARENA_NEW(a, struct node);
    *n = (struct node){.op = op, .flags = (uint8_t)flags, .part = part};
    return n;
}

static struct regex_part part_of(const struct regex_piece *first, const struct regex_piece *end)
{
    return (struct regex_part){.first = first, .end = end};
}

/* The piece again, so many times. */
static struct regex_part part_times(struct arena *a, const struct regex_piece *p, int min, int max)
{
    struct regex_piece *copy = ARENA_NEW(a, struct regex_piece);
    *copy = *p;
    copy->min = (int16_t)min;
    copy->max = (int16_t)max;
    copy->next = NULL;
    return part_of(copy, NULL);
}

static enum status of_branches(struct arena *a, const struct regex_branch *first, int depth,
                               struct node **ret);

static enum status atom_of(struct arena *a, const struct regex_piece *p, int depth, struct node **ret)
{
    if (p->kind == PIECE_BACK) {
        *ret = new_node(a, OP_REFERENCE, REFERS, part_of(p, p->next));
        (*ret)->referred = p->capture;
        return OK;
    }
    if (p->kind == PIECE_SET) return OK;
    TRY(of_branches(a, p->group, depth + 1, ret));
    if (!p->capture) return OK;
    if ((*ret)->capture) { /* "((x))" */
        struct node *outer = new_node(a, OP_GROUP, (*ret)->flags, (*ret)->part);
        outer->child = *ret;
        *ret = outer;
    }
    (*ret)->capture = p->capture;
    (*ret)->flags |= CAPTURES;
    return OK;
}

/* An atom, some part of which matters, with its quantifier. */
static struct node *quantified(struct arena *a, const struct regex_piece *p, struct node *atom)
{
    uint8_t own = atom->flags & (PREFER_LONGEST | PREFER_SHORTEST | MIXED);
    uint8_t flags = combine(p->prefer, atom->flags);
    struct regex_part all = part_of(p, p->next);
    if (atom->op == OP_REFERENCE) { /* counts by itself */
        atom->min = p->min;
        atom->max = p->max;
        atom->flags |= flags;
        return atom;
    }
    bool idle = !p->prefer || !own || p->prefer == own;
    if (p->min == 1 && p->max == 1 && idle) return atom;
    if (!(atom->flags & (CAPTURES | REFERS))) return new_node(a, OP_PLAIN, flags, all);
    if (p->min > 0 && !(atom->flags & REFERS)) {
        /* Only the last time captures: x{m,n} is x{m-1,n-1}x. */
        struct node *n = new_node(a, OP_CONCAT, flags, all);
        int most = p->max == REGEX_MANY ? REGEX_MANY : p->max - 1;
        n->child = new_node(a, OP_PLAIN, preference(flags), part_times(a, p, p->min - 1, most));
        n->child->sibling = atom;
        return n;
    }
    struct node *n = new_node(a, OP_REPEAT, flags, all);
    n->min = p->min;
    n->max = p->max;
    n->child = atom;
    return n;
}

/* The branch is what comes before the first piece that matters, that piece, and the rest. */
static enum status of_pieces(struct arena *a, const struct regex_piece *first, int depth,
                             struct node **ret)
{
    struct node *top = new_node(a, OP_PLAIN, 0, part_of(first, NULL)), *atom, *rest;
    if (depth > NODES_DEPTH_MAX) return REGEX_TOO_COMPLEX();
    *ret = top;
    for (const struct regex_piece *p = first; p; p = p->next) {
        if (p->kind == PIECE_CONSTRAINT || p->kind == PIECE_LOOK) continue;
        atom = NULL;
        TRY(atom_of(a, p, depth, &atom));
        if (p->max == 0) continue;
        unsigned f = top->flags | p->prefer | (atom ? atom->flags : 0);
        bool plain = !p->capture && !is_messy(up(f));
        if (plain) {
            top->flags = (uint8_t)f;
            continue;
        }
        if (!atom) atom = new_node(a, OP_PLAIN, 0, part_times(a, p, 1, 1));
        uint8_t flags = combine(p->prefer, atom->flags);
        struct node *before = new_node(a, OP_PLAIN, preference(top->flags), part_of(first, p));
        struct node *messy = quantified(a, p, atom), *second = messy;
        if (p->next) {
            TRY(of_pieces(a, p->next, depth + 1, &rest));
            flags |= combine(flags, rest->flags);
            second = new_node(a, OP_CONCAT, flags, part_of(p, NULL));
            second->child = messy;
            messy->sibling = rest;
        }
        top->flags |= combine(top->flags, second->flags);
        top->op = OP_CONCAT;
        if (p == first && p->next) {
            top->child = messy;
        } else if (p == first) {
            *ret = messy;
        } else {
            if (p->next && messy->op == OP_PLAIN && rest->op == OP_PLAIN && !messy->capture &&
                !rest->capture && !is_messy(up(messy->flags | rest->flags))) {
                second->op = OP_PLAIN;
                second->flags = combine(messy->flags, rest->flags);
                second->child = NULL;
            }
            top->child = before;
            before->sibling = second;
        }
        return OK;
    }
    return OK;
}

static enum status of_branches(struct arena *a, const struct regex_branch *first, int depth,
                               struct node **ret)
{
    if (!first->next) return of_pieces(a, first->first, depth, ret);
    struct node *n = new_node(a, OP_EITHER, PREFER_LONGEST, (struct regex_part){.branches = first});
    struct node **link = &n->child;
    for (const struct regex_branch *b = first; b; b = b->next) {
        TRY(of_pieces(a, b->first, depth + 1, link));
        n->flags |= up(n->flags | (*link)->flags);
        link = &(*link)->sibling;
    }
    if (!is_messy(n->flags)) {
        n->op = OP_PLAIN;
        n->child = NULL;
    }
    *ret = n;
    return OK;
}

/* --- matching ---------------------------------------------------------------------------------- */

struct run {
    struct regex_plan *plan;
    struct regex_subject s;
    struct regex_match *groups; /* [0] unused */
    enum status status;         /* of what failed on the way */
};

static struct regex_dfa *dfa_of(struct run *r, struct node *n)
{
    if (n->dfa) return n->dfa;
    if (r->status == OK)
        r->status = regex__dfa_new(r->plan->tree, r->plan->colors, &n->part, &n->dfa);
    if (!n->dfa) return NULL;
    n->next = r->plan->made;
    r->plan->made = n;
    return n->dfa;
}

static int64_t longest(struct run *r, struct node *n, int64_t begin, int64_t stop)
{
    struct regex_dfa *d = dfa_of(r, n);
    return d ? regex__longest(d, &r->s, (uint32_t)begin, (uint32_t)stop) : -1;
}

static int64_t shortest(struct run *r, struct node *n, int64_t begin, int64_t least, int64_t stop)
{
    struct regex_dfa *d = dfa_of(r, n);
    if (!d || least > stop) return -1;
    return regex__shortest(d, &r->s, (uint32_t)begin, (uint32_t)least, (uint32_t)stop, NULL);
}

static bool matches_all(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    return longest(r, n, begin, end) == end;
}

static int64_t before(const struct run *r, int64_t at)
{
    do at--;
    while (at > 0 && ((uint8_t)r->s.text[at] & 0xc0) == 0x80);
    return at;
}
static int64_t after(const struct run *r, int64_t at)
{
    do at++;
    while (at < r->s.len && ((uint8_t)r->s.text[at] & 0xc0) == 0x80);
    return at;
}

static int64_t chars(const struct run *r, int64_t begin, int64_t end)
{
    int64_t n = 0;
    for (; begin < end; begin++) n += ((uint8_t)r->s.text[begin] & 0xc0) != 0x80;
    return n;
}

/* What the groups of a node had. */
static void forget(struct run *r, const struct node *n)
{
    if (n->capture) r->groups[n->capture] = (struct regex_match){-1, -1};
    for (const struct node *c = n->child; c; c = c->sibling) forget(r, c);
}

static bool divide(struct run *r, struct node *n, int64_t begin, int64_t end);

/* By the first place of each division alone, without a look at whether the rest can follow: that is found at the
 * end. False says nothing. */
static bool divide_at_once(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    struct node *left = n->child, *right = left->sibling;
    int64_t mid = left->flags & PREFER_SHORTEST ? shortest(r, left, begin, begin, end)
                                                : longest(r, left, begin, end);
    if (mid < 0 || !divide(r, left, begin, mid)) return false;
    if (right->op == OP_CONCAT && !right->capture) return divide_at_once(r, right, mid, end);
    return matches_all(r, right, mid, end) && divide(r, right, mid, end);
}

static bool divide_concat(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    struct node *left = n->child, *right = left->sibling;
    bool shorter = left->flags & PREFER_SHORTEST;
    if (right->op == OP_CONCAT && !r->plan->refers) {
        if (divide_at_once(r, n, begin, end)) return true;
        forget(r, left);
        forget(r, right);
    }
    int64_t mid = shorter ? shortest(r, left, begin, begin, end) : longest(r, left, begin, end);
    while (mid >= 0) {
        if (matches_all(r, right, mid, end) && divide(r, left, begin, mid) && divide(r, right, mid, end))
            return true;
        if (mid == (shorter ? end : begin) || r->status != OK) return false;
        mid = shorter ? shortest(r, left, begin, after(r, mid), end)
                      : longest(r, left, begin, before(r, mid));
        forget(r, left);
        forget(r, right);
    }
    return false;
}

static bool divide_either(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    for (struct node *c = n->child; c; c = c->sibling)
        if (matches_all(r, c, begin, end) && divide(r, c, begin, end)) return true;
    return false;
}

static bool divide_reference(struct run *r, const struct node *n, int64_t begin, int64_t end)
{
    struct regex_match g = r->groups[n->referred];
    if (g.start < 0) return false;
    int64_t len = g.end - g.start, all = end - begin;
    const char *text = r->s.text;
    bool fold = r->plan->tree->options.ignore_case;
    if (len == 0) return begin == end && n->min <= n->max;
    if (begin == end) return n->min == 0;
    if (fold) {
        int64_t times = 0;
        for (int64_t at = begin; at < end; times++) {
            int64_t stop = regex__same_folded(slice_make(text + g.start, (size_t)len),
                                              slice_make(text + at, (size_t)(end - at)));
            if (stop < 0) return false;
            at += stop;
        }
        return times >= n->min && (n->max == REGEX_MANY || times <= n->max);
    }
    if (all % len) return false;
    int64_t times = all / len;
    if (times < n->min || (n->max != REGEX_MANY && times > n->max)) return false;
    for (int64_t at = begin; at < end; at += len)
        if (memcmp(text + g.start, text + at, (size_t)len)) return false;
    return true;
}

/* Where repetitions end. */
struct ends {
    int64_t *at;     /* at[0]: the begin */
    int64_t k;       /* the repetition that is looked for */
    int64_t verified;
    int64_t min, max;
    int64_t limit;   /* longest: it ends at or before; shortest: at or after */
};

/* The first k are divided, too. */
static bool verify(struct run *r, struct node *n, struct ends *e)
{
    for (int64_t i = e->verified + 1; i <= e->k; i++) {
        forget(r, n->child);
        if (!divide(r, n->child, e->at[i - 1], e->at[i])) return false;
        e->verified = i;
    }
    return true;
}

/* May a repetition be empty? Only to come to the least number. */
static bool may_be_empty(const struct run *r, const struct ends *e, int64_t begin, int64_t end)
{
    return e->k < e->min && e->min - e->k >= chars(r, begin, end);
}

/* Makes an earlier repetition shorter; false: none can be. */
static bool shorten(struct run *r, struct ends *e, int64_t end)
{
    for (; e->k > 0; e->k--) {
        int64_t begin = e->at[e->k - 1];
        if (e->at[e->k] <= begin) continue;
        e->limit = before(r, e->at[e->k]);
        if (e->limit > begin || may_be_empty(r, e, begin, end)) return true;
    }
    return false;
}

static bool divide_longest(struct run *r, struct node *n, struct ends *e, int64_t end)
{
    e->limit = end;
    while (e->k > 0 && r->status == OK) {
        int64_t begin = e->at[e->k - 1], at = longest(r, n->child, begin, e->limit);
        e->at[e->k] = at;
        if (at < 0) {
            e->k--;
        } else {
            if (e->verified >= e->k) e->verified = e->k - 1;
            if (at != end && e->k >= e->max) {
                e->k--;
            } else if (at != end && (at != begin || may_be_empty(r, e, at, end))) {
                e->k++;
                e->limit = end;
                continue;
            } else if (at == end && e->k >= e->min && verify(r, n, e)) {
                return true;
            }
        }
        if (!shorten(r, e, end)) return false;
    }
    return false;
}

static bool lengthen(struct run *r, struct ends *e, int64_t end)
{
    for (; e->k > 0; e->k--) {
        if (e->at[e->k] >= end) continue;
        e->limit = after(r, e->at[e->k]);
        return true;
    }
    return false;
}

static bool divide_shortest(struct run *r, struct node *n, struct ends *e, int64_t end)
{
    e->limit = e->at[0];
    while (e->k > 0 && r->status == OK) {
        int64_t begin = e->at[e->k - 1];
        if (e->limit == begin && e->limit != end && !may_be_empty(r, e, e->limit, end))
            e->limit = after(r, e->limit);
        if (e->k >= e->max) e->limit = end;
        int64_t at = shortest(r, n->child, begin, e->limit, end);
        e->at[e->k] = at;
        if (at < 0) {
            e->k--;
        } else {
            if (e->verified >= e->k) e->verified = e->k - 1;
            if (at != end && e->k >= e->max) {
                e->k--;
            } else if (at != end) {
                e->limit = at;
                e->k++;
                continue;
            } else if (e->k >= e->min && verify(r, n, e)) {
                return true;
            }
        }
        if (!lengthen(r, e, end)) return false;
    }
    return false;
}

static bool divide_repeat(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    struct ends e = {.k = 1, .min = n->min ? n->min : 1, .max = chars(r, begin, end)};
    if (n->max != REGEX_MANY && e.max > n->max) e.max = n->max;
    if (e.max < e.min) e.max = e.min;
    e.at = mem_alloc(MEM_QUERY, (size_t)(e.max + 1) * sizeof *e.at);
    e.at[0] = begin;
    bool done = n->child->flags & PREFER_SHORTEST ? divide_shortest(r, n, &e, end)
                                                  : divide_longest(r, n, &e, end);
    mem_free(MEM_QUERY, e.at);
    if (!done) forget(r, n->child);
    return done || (n->min == 0 && begin == end); /* by no repetition at all */
}

/* Finds what the node's groups have when it matches this. */
static bool divide(struct run *r, struct node *n, int64_t begin, int64_t end)
{
    bool done = true;
    if (!r->s.steps || r->status != OK) return false;
    switch ((enum node_op)n->op) {
    case OP_PLAIN: break;
    case OP_CONCAT: done = divide_concat(r, n, begin, end); break;
    case OP_EITHER: done = divide_either(r, n, begin, end); break;
    case OP_REPEAT: done = divide_repeat(r, n, begin, end); break;
    case OP_REFERENCE: done = divide_reference(r, n, begin, end); break;
    case OP_GROUP: done = divide(r, n->child, begin, end); break;
    }
    if (done && n->capture)
        r->groups[n->capture] = (struct regex_match){(int32_t)begin, (int32_t)end};
    return done;
}

/* A match that begins at `begin`: its end, or -1. */
static int64_t match_at(struct run *r, int64_t begin)
{
    struct node *n = r->plan->root;
    bool shorter = n->flags & PREFER_SHORTEST;
    int64_t len = r->s.len, end = shorter ? shortest(r, n, begin, begin, len) : longest(r, n, begin, len);
    while (end >= 0) {
        forget(r, n);
        if (divide(r, n, begin, end)) return end;
        if (!r->plan->refers || r->status != OK || end == (shorter ? len : begin)) return -1;
        end = shorter ? shortest(r, n, begin, after(r, end), len) : longest(r, n, begin, before(r, end));
    }
    return -1;
}

/* The first place at which a match begins. */
static bool find(struct run *r, int64_t from, bool places, struct regex_match *ret)
{
    uint32_t cold;
    int64_t close = from, end;
    if (places && from == 0 && (end = match_at(r, 0)) >= 0) {
        *ret = (struct regex_match){0, (int32_t)end};
        return true;
    }
    for (;;) {
        int64_t at = close;
        close = regex__shortest(r->plan->search, &r->s, (uint32_t)at, (uint32_t)at, r->s.len, &cold);
        if (close < 0) return false;
        if (!places && !r->plan->refers) return true;
        for (int64_t begin = cold; begin <= close; begin = after(r, begin)) {
            end = match_at(r, begin);
            if (end >= 0) {
                *ret = (struct regex_match){(int32_t)begin, (int32_t)end};
                return true;
            }
            if (r->status != OK) return false;
        }
        close = after(r, close); /* an empty match at the end is not looked for: so PostgreSQL */
        if (close >= r->s.len) return false;
    }
}

enum status regex__run(struct regex_plan *p, struct slice s, size_t from, struct regex_match *matches,
                       int match_count, bool *ret)
{
    struct run r = {.plan = p, .s = {.text = s.data, .len = (uint32_t)s.len, .looks = p->looks,
                                     .steps = STEPS_MAX}};
    size_t n = p->tree->groups + 1;
    r.groups = mem_alloc(MEM_QUERY, n * sizeof *r.groups);
    struct regex_match whole = {-1, -1};
    *ret = find(&r, (int64_t)from, match_count > 0, &whole);
    for (int i = 0; i < match_count && *ret; i++)
        matches[i] = i == 0 ? whole : (size_t)i < n ? r.groups[i] : (struct regex_match){-1, -1};
    mem_free(MEM_QUERY, r.groups);
    if (r.status == OK && !r.s.steps)
        return FAIL(INVALID_REGULAR_EXPRESSION, "regular expression failed: regular expression is too complex");
    return r.status;
}

/* --- life -------------------------------------------------------------------------------------- */

/* Automata of the looks in these branches, those within them too. */
static enum status make_looks(struct regex_plan *p, const struct regex_branch *b)
{
    for (; b; b = b->next)
        for (const struct regex_piece *x = b->first; x; x = x->next) {
            if (x->kind != PIECE_LOOK && x->kind != PIECE_GROUP) continue;
            TRY(make_looks(p, x->group));
            if (x->kind != PIECE_LOOK) continue;
            struct regex_part part = {.branches = x->group, .search = x->behind};
            TRY(regex__dfa_new(p->tree, p->colors, &part, &p->looks[x->look]));
        }
    return OK;
}

static bool has_reference(const struct node *n)
{
    if (n->op == OP_REFERENCE) return true;
    for (const struct node *c = n->child; c; c = c->sibling)
        if (has_reference(c)) return true;
    return false;
}

enum status regex__plan_new(const struct regex_tree *t, struct arena *a, struct regex_plan **ret)
{
    struct regex_plan *p = ARENA_NEW(a, struct regex_plan);
    struct regex_part all = {.branches = t->branches, .search = true};
    *p = (struct regex_plan){.tree = t};
    *ret = p;
    TRY(of_branches(a, t->branches, 0, &p->root));
    p->refers = has_reference(p->root);
    p->colors = regex__colors_new(t);
    p->looks = ARENA_ARRAY(a, struct regex_dfa *, t->look_count + 1);
    TRY(make_looks(p, t->branches));
    return regex__dfa_new(t, p->colors, &all, &p->search);
}

void regex__plan_free(struct regex_plan *p)
{
    if (!p) return;
    for (struct node *n = p->made; n; n = n->next) regex__dfa_free(n->dfa);
    for (uint32_t i = 0; p->looks && i < p->tree->look_count; i++) regex__dfa_free(p->looks[i]);
    regex__dfa_free(p->search);
    regex__colors_free(p->colors);
}
