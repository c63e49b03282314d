/* Ranges as sets: containing, overlapping, union, intersection, difference. All of it over lists in order, of
 * which a range is one of at most one. */
#include "types/range.h"

/* Rising lower bounds, then rising upper ones. */
static int compare(type_id type, const struct range *a, const struct range *b)
{
    int c = range_compare_bounds(type, &a->lower, &b->lower);
    return c ? c : range_compare_bounds(type, &a->upper, &b->upper);
}

/* A heap sort: a list from a client may be long, and in any order. */
static void sift(type_id type, struct range *items, uint32_t from, uint32_t count)
{
    for (uint32_t at = from, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(type, &items[child], &items[child + 1]) < 0) child++;
        if (compare(type, &items[at], &items[child]) >= 0) return;
        struct range r = items[at];
        items[at] = items[child];
        items[child] = r;
    }
}

static void sort(type_id type, struct range *items, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) sift(type, items, i, count);
    for (uint32_t n = count; n > 1; n--) {
        struct range r = items[0];
        items[0] = items[n - 1];
        items[n - 1] = r;
        sift(type, items, 0, n - 1);
    }
}

static bool in_order(const struct ranges *r)
{
    for (uint32_t i = 1; i < r->count; i++)
        if (compare(r->type, &r->items[i - 1], &r->items[i]) > 0) return false;
    return true;
}

static bool before(type_id type, const struct range *a, const struct range *b)
{
    return range_compare_bounds(type, &a->upper, &b->lower) < 0;
}

static bool overlap(type_id type, const struct range *a, const struct range *b)
{
    return !before(type, a, b) && !before(type, b, a);
}

void ranges_normalize(struct ranges *r)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (!r->items[i].empty) r->items[kept++] = r->items[i];
    r->count = kept;
    if (!in_order(r)) sort(r->type, r->items, r->count);
    kept = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        struct range *last = kept ? &r->items[kept - 1] : NULL, *now = &r->items[i];
        if (!last || (before(r->type, last, now) && !range_adjacent(r->type, last, now)))
            r->items[kept++] = *now;
        else if (range_compare_bounds(r->type, &now->upper, &last->upper) > 0)
            last->upper = now->upper;
    }
    r->count = kept;
}

/* --- questions -------------------------------------------------------------------------------- */

static bool contains(type_id type, const struct range *a, const struct range *b)
{
    return range_compare_bounds(type, &a->lower, &b->lower) <= 0 &&
           range_compare_bounds(type, &a->upper, &b->upper) >= 0;
}

bool ranges_contain(const struct ranges *a, const struct ranges *b)
{
    uint32_t i = 0;
    for (uint32_t k = 0; k < b->count; k++) {
        while (i < a->count && before(a->type, &a->items[i], &b->items[k])) i++;
        if (i == a->count || !contains(a->type, &a->items[i], &b->items[k])) return false;
    }
    return true;
}

bool ranges_contain_value(const struct ranges *a, const union value *v)
{
    type_id subtype = range_subtype(a->type);
    uint32_t low = 0, high = a->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct range *r = &a->items[mid];
        int l = r->lower.infinite ? -1 : value_compare(subtype, &r->lower.v, v);
        int u = r->upper.infinite ? 1 : value_compare(subtype, &r->upper.v, v);
        if (l > 0 || (l == 0 && !r->lower.inclusive)) high = mid;
        else if (u < 0 || (u == 0 && !r->upper.inclusive)) low = mid + 1;
        else return true;
    }
    return false;
}

bool ranges_overlap(const struct ranges *a, const struct ranges *b)
{
    uint32_t i = 0, k = 0;
    while (i < a->count && k < b->count) {
        if (before(a->type, &a->items[i], &b->items[k])) i++;
        else if (before(a->type, &b->items[k], &a->items[i])) k++;
        else return true;
    }
    return false;
}

/* --- sets ------------------------------------------------------------------------------------- */

struct ranges ranges_union(const struct ranges *a, const struct ranges *b, struct arena *arena)
{
    struct ranges r = {.type = a->type, .count = a->count + b->count};
    r.items = ARENA_ARRAY(arena, struct range, r.count + 1);
    if (a->count) memcpy(r.items, a->items, a->count * sizeof *a->items);
    if (b->count) memcpy(r.items + a->count, b->items, b->count * sizeof *b->items);
    ranges_normalize(&r);
    return r;
}

struct ranges ranges_intersection(const struct ranges *a, const struct ranges *b,
                                  struct arena *arena)
{
    struct ranges r = {.type = a->type};
    uint32_t i = 0, k = 0;
    r.items = ARENA_ARRAY(arena, struct range, a->count + b->count + 1);
    while (i < a->count && k < b->count) {
        const struct range *x = &a->items[i], *y = &b->items[k];
        if (overlap(a->type, x, y)) {
            struct range *to = &r.items[r.count++];
            to->empty = false;
            bool later = range_compare_bounds(a->type, &x->lower, &y->lower) >= 0;
            bool sooner = range_compare_bounds(a->type, &x->upper, &y->upper) <= 0;
            to->lower = later ? x->lower : y->lower;
            to->upper = sooner ? x->upper : y->upper;
        }
        if (range_compare_bounds(a->type, &x->upper, &y->upper) <= 0) i++;
        else k++;
    }
    return r;
}

/* What is before a lower bound ends there, what is after an upper one begins there. */
static struct range_bound turned(const struct range_bound *b)
{
    struct range_bound t = *b;
    t.inclusive = !b->inclusive;
    t.lower = !b->lower;
    return t;
}

struct ranges ranges_difference(const struct ranges *a, const struct ranges *b,
                                struct arena *arena)
{
    struct ranges r = {.type = a->type};
    uint32_t k = 0;
    r.items = ARENA_ARRAY(arena, struct range, a->count + b->count + 1);
    for (uint32_t i = 0; i < a->count; i++) {
        struct range rest = a->items[i];
        bool any = true;
        while (k < b->count && before(a->type, &b->items[k], &rest)) k++;
        for (uint32_t m = k; any && m < b->count && overlap(a->type, &rest, &b->items[m]); m++) {
            const struct range *cut = &b->items[m];
            if (range_compare_bounds(a->type, &rest.lower, &cut->lower) < 0) {
                r.items[r.count] = rest;
                r.items[r.count++].upper = turned(&cut->lower);
            }
            any = range_compare_bounds(a->type, &rest.upper, &cut->upper) > 0;
            if (any) rest.lower = turned(&cut->upper);
        }
        if (any) r.items[r.count++] = rest;
    }
    return r;
}

struct ranges ranges_span(const struct ranges *a, struct arena *arena)
{
    struct ranges r = {.type = a->type};
    r.items = ARENA_ARRAY(arena, struct range, 1);
    if (!a->count) return r;
    r.items[0] = (struct range){.lower = a->items[0].lower, .upper = a->items[a->count - 1].upper};
    r.count = 1;
    return r;
}
