/* Regular expressions on PCRE2's two matchers.
 *
 * Where a match starts both agree. How long it is: AREs want the longest (or shortest) of all,
 * Perl's order of trying may find another. So for expressions where that can differ (alternation,
 * more than one quantifier) the automaton matcher, which follows all ways at once, tells the
 * length, and the backtracking one then finds the groups under a callout at the pattern's end that
 * turns down every other length. Not followed: with back references, which no automaton can do,
 * the length is Perl's; and the lengths of the groups within a match are Perl's choice, not each
 * the longest in turn.
 *
 * Work is bounded by PCRE2's match, depth and heap limits. */
#include "types/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/thread.h"
#include "types/regex_priv.h"

enum {
    CACHE_SIZE = 32,
    PATTERN_BYTES_MAX = 1 << 20,
    GROUPS_MAX = 1000,
    MATCH_LIMIT = 10000000,
    DEPTH_LIMIT = 100000,
    HEAP_LIMIT_KIB = 64 * 1024,
    WORKSPACE = 1000,
    WORKSPACE_MAX = 1 << 20,
};

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    struct regex_shape shape;
    int group_count;
    size_t wanted_end; /* for the callout; SIZE_MAX: any */
    char *key;         /* flags, NUL, pattern */
    size_t key_len;
};

/* Owned by the thread: matching writes to `data`. Fibers do not switch within a match. */
static _Thread_local struct regex *cache[CACHE_SIZE];
static _Thread_local uint32_t cache_next;

static void regex_free(struct regex *r)
{
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    mem_free(MEM_QUERY, r->key);
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

static int at_end(pcre2_callout_block *b, void *arg)
{
    const struct regex *r = arg;
    return r->wanted_end == SIZE_MAX || b->current_position == r->wanted_end ? 0 : 1;
}

static enum status compile_failed(int code)
{
    if (code == PCRE2_ERROR_CLASS_RANGE_ORDER)
        return FAIL(INVALID_REGULAR_EXPRESSION,
                    "invalid regular expression: invalid character range");
    PCRE2_UCHAR text[160];
    pcre2_get_error_message(code, text, sizeof text);
    return FAIL(INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s", (char *)text);
}

/* The form of a pattern that PCRE2 gets, with the callout behind it. */
static enum status compile(struct regex *r, struct slice pattern)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_adds(&b, "(?:");
    enum status s = regex__translate(pattern, &r->shape, &b);
    strbuf_adds(&b, ")(?C1)");
    if (s != OK) {
        strbuf_release(&b);
        return s;
    }
    const struct regex_options *o = &r->shape.options;
    /* possessive quantifiers would hide the lengths that Perl does not want, but AREs may */
    uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
                     PCRE2_NO_AUTO_POSSESS;
    if (o->ignore_case) flags |= PCRE2_CASELESS;
    if (!o->newline_stops) flags |= PCRE2_DOTALL;
    if (o->newline_lines) flags |= PCRE2_MULTILINE;
    int error;
    PCRE2_SIZE offset;
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    ASSERT(c);
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    r->code = pcre2_compile((PCRE2_SPTR)b.data, b.len, flags, &error, &offset, c);
    pcre2_compile_context_free(c);
    strbuf_release(&b);
    if (!r->code) return compile_failed(error);
    uint32_t groups;
    pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > GROUPS_MAX)
        return FAIL(INVALID_REGULAR_EXPRESSION,
                    "invalid regular expression: regular expression is too complex");
    r->group_count = (int)groups;
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where it fails we interpret */
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->context = pcre2_match_context_create(NULL);
    ASSERT(r->data && r->context);
    pcre2_set_match_limit(r->context, MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->context, HEAP_LIMIT_KIB);
    pcre2_set_callout(r->context, at_end, r);
    return OK;
}

static bool has_key(const struct regex *r, struct slice pattern, struct slice flags)
{
    return r && r->key_len == flags.len + 1 + pattern.len &&
           slice_eq(slice_make(r->key, flags.len), flags) && r->key[flags.len] == '\0' &&
           slice_eq(slice_make(r->key + flags.len + 1, pattern.len), pattern);
}

enum status regex_compile(struct slice pattern, struct slice flags, const struct regex **ret)
{
    for (int i = 0; i < CACHE_SIZE; i++) {
        if (!has_key(cache[i], pattern, flags)) continue;
        *ret = cache[i];
        return OK;
    }
    if (pattern.len > PATTERN_BYTES_MAX)
        return FAIL(INVALID_REGULAR_EXPRESSION,
                    "invalid regular expression: regular expression is too complex");
    struct regex_shape shape = {0};
    TRY(regex__read_options(flags, &shape.options));
    struct regex *r = mem_alloc(MEM_QUERY, sizeof *r);
    r->shape = shape;
    enum status s = compile(r, pattern);
    if (s != OK) {
        regex_free(r);
        return s;
    }
    r->key_len = flags.len + 1 + pattern.len;
    r->key = mem_alloc(MEM_QUERY, r->key_len + 1);
    if (flags.len) memcpy(r->key, flags.data, flags.len);
    if (pattern.len) memcpy(r->key + flags.len + 1, pattern.data, pattern.len);
    if (!cache_next) thread_at_exit(free_cache);
    uint32_t slot = cache_next++ % CACHE_SIZE;
    regex_free(cache[slot]);
    cache[slot] = r;
    *ret = r;
    return OK;
}

int regex_group_count(const struct regex *r) { return r->group_count; }

static enum status match_failed(int code)
{
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT ||
        code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_JIT_STACKLIMIT)
        return FAIL(INVALID_REGULAR_EXPRESSION,
                    "regular expression failed: regular expression is too complex");
    PCRE2_UCHAR text[160];
    pcre2_get_error_message(code, text, sizeof text);
    return FAIL(INVALID_REGULAR_EXPRESSION, "regular expression failed: %s", (char *)text);
}

/* Tries the compiled form, and where its own stack is too small the interpreter. */
static int backtrack(const struct regex *r, struct slice s, size_t from, uint32_t flags)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(s.data ? s.data : "");
    int n = pcre2_match(r->code, text, s.len, from, flags, r->data, r->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(r->code, text, s.len, from, flags | PCRE2_NO_JIT, r->data, r->context);
    return n;
}

/* The length by the automaton, which starts at `at`. False when it cannot tell. */
static bool find_end(const struct regex *r, struct slice s, size_t at, size_t *ret_end)
{
    int local[WORKSPACE], *work = local;
    size_t room = WORKSPACE;
    uint32_t flags = PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK;
    if (r->shape.preference == PREFER_SHORTEST) flags |= PCRE2_DFA_SHORTEST;
    int n;
    for (;;) {
        n = pcre2_dfa_match(r->code, (PCRE2_SPTR)s.data, s.len, at, flags, r->data, r->context,
                            work, room);
        if (n != PCRE2_ERROR_DFA_WSSIZE || room >= WORKSPACE_MAX) break;
        if (work != local) mem_free(MEM_QUERY, work);
        room *= 8;
        work = mem_alloc(MEM_QUERY, room * sizeof *work);
    }
    if (work != local) mem_free(MEM_QUERY, work);
    if (n < 0) return false;
    *ret_end = pcre2_get_ovector_pointer(r->data)[1]; /* the longest comes first */
    return true;
}

static void report(const struct regex *r, struct regex_match *matches, int count)
{
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(r->data);
    for (int i = 0; i < count; i++) {
        bool set = i <= r->group_count && o[2 * i] != PCRE2_UNSET;
        matches[i].start = set ? (int32_t)o[2 * i] : -1;
        matches[i].end = set ? (int32_t)o[2 * i + 1] : -1;
    }
}

/* The match that starts at `at` again, with the preferred length. Where the automaton gives up the
 * match found already stands. */
static enum status prefer(struct regex *r, struct slice s, size_t at, size_t end,
                          struct regex_match *matches, int count)
{
    size_t wanted;
    if (!find_end(r, s, at, &wanted) || wanted == end) return OK;
    r->wanted_end = wanted;
    int n = backtrack(r, s, at, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK);
    r->wanted_end = SIZE_MAX;
    if (n > 0) {
        report(r, matches, count);
    } else if (n != PCRE2_ERROR_NOMATCH) {
        return match_failed(n);
    } else {
        /* none: an atomic construct hides the way; the whole is right at least */
        matches[0] = (struct regex_match){(int32_t)at, (int32_t)wanted};
    }
    return OK;
}

enum status regex_exec(const struct regex *r, struct slice s, size_t from,
                       struct regex_match *matches, int match_count, bool *ret)
{
    if (s.len > INT32_MAX) return FAIL(PROGRAM_LIMIT_EXCEEDED, "string is too long");
    *ret = false;
    if (from > s.len) return OK;
    struct regex *own = (struct regex *)(uintptr_t)r; /* of this thread: the callout's place */
    own->wanted_end = SIZE_MAX;
    int n = backtrack(r, s, from, 0);
    if (n == PCRE2_ERROR_NOMATCH) return OK;
    if (n < 0) return match_failed(n);
    if (match_count > 0) {
        report(r, matches, match_count);
        bool settled = !r->shape.ambiguous || r->shape.has_backreference ||
                       r->shape.preference == PREFER_NONE;
        const PCRE2_SIZE *o = pcre2_get_ovector_pointer(r->data);
        if (!settled) TRY(prefer(own, s, o[0], o[1], matches, match_count));
    }
    *ret = true;
    return OK;
}
