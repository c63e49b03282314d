/* Regular expressions: compiled once a thread and kept for the next ones. */
#include "types/regex_priv.h"

#include "base/mem.h"
#include "base/thread.h"

enum { CACHE_SIZE = 32, PATTERN_BYTES_MAX = 1 << 20 };

struct regex {
    struct arena arena;
    struct regex_tree tree;
    struct regex_plan *plan;
    struct slice pattern, flags;
};

/* Owned by the thread, as automata grow while they match. Fibers do not switch within a match. */
static _Thread_local struct regex *cache[CACHE_SIZE];
static _Thread_local uint32_t cache_next;

static void regex_free(struct regex *r)
{
    if (!r) return;
    regex__plan_free(r->plan);
    arena_release(&r->arena);
    mem_free(MEM_QUERY, r);
}

static void free_cache(void)
{
    for (int i = 0; i < CACHE_SIZE; i++) {
        regex_free(cache[i]);
        cache[i] = NULL;
    }
    cache_next = 0;
}

static enum status compile(struct regex *r)
{
    struct regex_options *o = &r->tree.options;
    if (r->pattern.len > PATTERN_BYTES_MAX) return REGEX_TOO_COMPLEX();
    TRY(regex__read_options(r->flags, false, o));
    if (o->literal && (o->expanded || o->newline_stops || o->newline_lines))
        return FAIL(INVALID_REGULAR_EXPRESSION,
                    "invalid regular expression: invalid argument to regex function");
    TRY(regex__parse(r->pattern, &r->arena, &r->tree));
    return regex__plan_new(&r->tree, &r->arena, &r->plan);
}

static struct slice keep(struct regex *r, struct slice s)
{
    return slice_make(s.len ? arena_memdup(&r->arena, s.data, s.len) : "", s.len);
}

enum status regex_compile(struct slice pattern, struct slice flags, const struct regex **ret)
{
    for (int i = 0; i < CACHE_SIZE && cache[i]; i++) {
        if (!slice_eq(cache[i]->pattern, pattern) || !slice_eq(cache[i]->flags, flags)) continue;
        *ret = cache[i];
        return OK;
    }
    struct regex *r = mem_alloc(MEM_QUERY, sizeof *r);
    arena_init(&r->arena, MEM_QUERY);
    r->pattern = keep(r, pattern);
    r->flags = keep(r, flags);
    enum status st = compile(r);
    if (st != OK) {
        regex_free(r);
        return st;
    }
    if (!cache_next) thread_at_exit(free_cache);
    uint32_t slot = cache_next++ % CACHE_SIZE;
    regex_free(cache[slot]);
    cache[slot] = r;
    *ret = r;
    return OK;
}

int regex_group_count(const struct regex *r)
{
    return (int)r->tree.groups;
}

enum status regex_exec(const struct regex *r, struct slice s, size_t from,
                       struct regex_match *matches, int match_count, bool *ret)
{
    *ret = false;
    if (s.len > INT32_MAX) return FAIL(PROGRAM_LIMIT_EXCEEDED, "string is too long");
    if (from > s.len) return OK;
    return regex__run(r->plan, s, from, matches, match_count, ret);
}
