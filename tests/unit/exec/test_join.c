/* Hash joins and nested loops against loops over arrays: random rows with NULLs and duplicates, every kind
 * of join, keys of several types, with and without a further condition, in memory and on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/sim.h"
#include "exec/execution.h"
#include "exec/ops/ops_priv.h"
#include "types/numeric.h"

enum { KEYS_MAX = 2, NOTE_BYTES = 700, LEFT_ONLY = 0x7fffffff, LISTS = 1021 };

struct row {
    struct datum keys[KEYS_MAX], note;
    int64_t numbers[KEYS_MAX]; /* keys are equal when these are: comparing values is slow */
    int32_t id, v;
};

struct side {
    struct row *rows;
    uint32_t count;
};

struct key_case {
    const char *name;
    type_id types[KEYS_MAX];
    uint32_t count;
    int64_t step;      /* between neighbouring integers: 1 dense, large sparse */
    bool computed;     /* the right key is an expression */
};

static const struct key_case key_cases[] = {
    {"int4", {TYPE_INT4}, 1, 1, false},
    {"int4 sparse", {TYPE_INT4}, 1, 100003, false},
    {"int4 computed", {TYPE_INT4}, 1, 1, true},
    {"int8", {TYPE_INT8}, 1, 1ll << 40, false},
    {"int2, bool", {TYPE_INT2, TYPE_BOOL}, 2, 1, false},
    {"int4, int4", {TYPE_INT4, TYPE_INT4}, 2, -77, false},
    {"int8, int4", {TYPE_INT8, TYPE_INT4}, 2, 1, false},
    {"text", {TYPE_TEXT}, 1, 1, false},
    {"text computed", {TYPE_TEXT}, 1, 1, true},
    {"bpchar", {TYPE_BPCHAR}, 1, 1, false},
    {"numeric", {TYPE_NUMERIC}, 1, 1, false},
    {"float8, text", {TYPE_FLOAT8, TYPE_TEXT}, 2, 1, false},
};

struct test {
    struct rng rng;
    struct arena arena;
    struct os *os;
    const struct key_case *keys;
    struct side left, right;
    enum join_kind type;
    bool condition, null_aware, loop;
    uint64_t limit;
    uint64_t *got; /* pairs, left id << 32 | right id; an absent side is all ones */
    size_t got_count, got_cap;
    uint32_t batches;
};

static uint32_t below(struct test *t, uint32_t n)
{
    return (uint32_t)rng_below(&t->rng, n);
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct datum text_value(struct test *t, const char *s, size_t len)
{
    return (struct datum){.v.bytes = bytes_copy(&t->arena, s, (uint32_t)len)};
}

static struct datum key_value(struct test *t, type_id type, int64_t k, int64_t step)
{
    char s[80];
    struct datum d = {0};
    switch (type) {
    case TYPE_BOOL: d.v.b = k & 1; break;
    case TYPE_INT2: d.v.i16 = (int16_t)(k * step); break;
    case TYPE_INT4: d.v.i32 = (int32_t)(k * step); break;
    case TYPE_INT8: d.v.i64 = k * step; break;
    case TYPE_FLOAT8: d.v.f64 = k == 0 && below(t, 2) ? -0.0 : (double)k / 8; break;
    case TYPE_NUMERIC: /* equal values of two scales */
        d.v.numeric = (struct numeric){.coefficient = k, .scale = 1, .kind = NUMERIC_SMALL};
        if (below(t, 2)) {
            d.v.numeric.coefficient = k * 100;
            d.v.numeric.scale = 3;
        }
        break;
    case TYPE_BPCHAR:
        snprintf(s, sizeof s, "key%lld%*s", (long long)k, (int)below(t, 20), "");
        return text_value(t, s, strlen(s));
    default:
        snprintf(s, sizeof s, k & 1 ? "%lld" : "a text beyond the inline bytes %lld", (long long)k);
        return text_value(t, s, strlen(s));
    }
    return d;
}

static int64_t key_number(type_id type, int64_t k)
{
    return type == TYPE_BOOL ? k & 1 : type == TYPE_INT2 ? (int16_t)k : k;
}

static void make_side(struct test *t, struct side *s, uint32_t count, uint32_t domain)
{
    char note[NOTE_BYTES];
    s->count = count;
    s->rows = ARENA_ARRAY(&t->arena, struct row, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct row *r = &s->rows[i];
        int len = snprintf(note, sizeof note, "note %u ", i);
        memset(note + len, 'a' + (int)(i % 26), sizeof note - (size_t)len);
        r->id = (int32_t)i;
        r->v = (int32_t)below(t, 10);
        r->note = text_value(t, note, below(t, 3) ? (size_t)len : sizeof note);
        for (uint32_t k = 0; k < t->keys->count; k++) {
            int64_t value = (int64_t)below(t, domain) - domain / 3;
            if (below(t, 12) == 0 && !(t->null_aware && below(t, 4))) r->keys[k].null = true;
            else r->keys[k] = key_value(t, t->keys->types[k], value, t->keys->step);
            r->numbers[k] = key_number(t->keys->types[k], value);
        }
    }
}

/* --- the plan --------------------------------------------------------------------------------- */

static struct expr *expr_make(struct test *t, enum expr_kind kind, type_id type)
{
    struct expr *e = ARENA_NEW(&t->arena, struct expr);
    e->kind = (uint8_t)kind;
    e->type = type;
    e->typmod = e->location = -1;
    return e;
}

static struct expr *constant(struct test *t, type_id type, struct datum d)
{
    struct expr *e = expr_make(t, EXPR_CONST, type);
    e->constant = d;
    return e;
}

static struct expr *slot(struct test *t, type_id type, uint32_t at)
{
    struct expr *e = expr_make(t, EXPR_SLOT, type);
    e->slot = at;
    return e;
}

static struct expr *call(struct test *t, const char *name, struct expr *a, struct expr *b)
{
    const struct operator_def *op = operator_exact(name, a->type, b->type);
    assert_non_null(op);
    struct expr *e = expr_make(t, EXPR_CALL, op->result);
    e->call.op = op;
    e->call.proc = proc_by_oid(op->proc);
    e->arg_count = 2;
    e->args = ARENA_ARRAY(&t->arena, struct expr *, 2);
    e->args[0] = a;
    e->args[1] = b;
    return e;
}

/* Columns: keys, id, v, note. */
static uint32_t column_count(const struct test *t)
{
    return t->keys->count + 3;
}

static struct plan_node *values_node(struct test *t, const struct side *s, uint32_t id)
{
    struct plan_node *n = ARENA_NEW(&t->arena, struct plan_node);
    uint32_t k = t->keys->count;
    n->kind = PLAN_VALUES;
    n->id = id;
    n->column_count = k + 3;
    n->columns = ARENA_ARRAY(&t->arena, struct plan_column, n->column_count);
    for (uint32_t i = 0; i < k; i++) n->columns[i].type = t->keys->types[i];
    n->columns[k].type = n->columns[k + 1].type = TYPE_INT4;
    n->columns[k + 2].type = TYPE_TEXT;
    n->values.row_count = s->count;
    n->values.rows = ARENA_ARRAY(&t->arena, struct expr **, s->count + 1);
    for (uint32_t r = 0; r < s->count; r++) {
        const struct row *row = &s->rows[r];
        struct expr **e = n->values.rows[r] = ARENA_ARRAY(&t->arena, struct expr *, k + 3);
        for (uint32_t i = 0; i < k; i++) e[i] = constant(t, n->columns[i].type, row->keys[i]);
        e[k] = constant(t, TYPE_INT4, (struct datum){.v.i32 = row->id});
        e[k + 1] = constant(t, TYPE_INT4, (struct datum){.v.i32 = row->v});
        e[k + 2] = constant(t, TYPE_TEXT, row->note);
    }
    return n;
}

static struct expr *right_key(struct test *t, uint32_t k)
{
    struct expr *e = slot(t, t->keys->types[k], k);
    if (!t->keys->computed) return e;
    if (e->type == TYPE_TEXT) return call(t, "||", e, constant(t, TYPE_TEXT, text_value(t, "", 0)));
    return call(t, "+", e, constant(t, TYPE_INT4, (struct datum){0}));
}

static void and_also(struct test *t, struct expr **e, struct expr *more)
{
    struct expr *both = expr_make(t, EXPR_BOOL, TYPE_BOOL);
    both->bool_op = BOOL_AND;
    both->arg_count = *e ? 2 : 1;
    both->args = ARENA_ARRAY(&t->arena, struct expr *, 2);
    both->args[0] = more;
    both->args[1] = *e;
    *e = both;
}

static struct plan_node *join_node(struct test *t)
{
    struct plan_node *n = ARENA_NEW(&t->arena, struct plan_node);
    uint32_t k = t->keys->count, w = column_count(t);
    n->kind = t->loop ? PLAN_NESTED_LOOP : PLAN_HASH_JOIN;
    n->left = values_node(t, &t->left, 1);
    n->right = values_node(t, &t->right, 2);
    bool left_only = t->type == JOIN_SEMI || t->type == JOIN_ANTI;
    n->column_count = left_only ? w : 2 * w;
    n->columns = ARENA_ARRAY(&t->arena, struct plan_column, 2 * w);
    for (uint32_t i = 0; i < 2 * w; i++) n->columns[i] = n->left->columns[i % w];
    n->join.type = t->type;
    n->join.null_aware = t->null_aware;
    if (t->condition)
        n->join.condition = call(t, "<", slot(t, TYPE_INT4, k + 1), slot(t, TYPE_INT4, w + k + 1));
    if (t->loop) {
        for (uint32_t i = 0; i < k; i++)
            and_also(t, &n->join.condition, call(t, "=", slot(t, t->keys->types[i], i),
                                                 slot(t, t->keys->types[i], w + i)));
        return n;
    }
    n->join.key_count = k;
    n->join.left_keys = ARENA_ARRAY(&t->arena, struct expr *, k);
    n->join.right_keys = ARENA_ARRAY(&t->arena, struct expr *, k);
    for (uint32_t i = 0; i < k; i++) {
        n->join.left_keys[i] = slot(t, t->keys->types[i], i);
        n->join.right_keys[i] = right_key(t, i);
    }
    return n;
}

/* --- what comes out --------------------------------------------------------------------------- */

static void add_got(struct test *t, uint64_t pair)
{
    if (t->got_count == t->got_cap) {
        t->got_cap = t->got_cap ? t->got_cap * 2 : 1024;
        t->got = realloc(t->got, t->got_cap * sizeof *t->got);
    }
    t->got[t->got_count++] = pair;
}

static void check_value(type_id type, struct datum got, struct datum want)
{
    assert_int_equal(got.null, want.null);
    if (!got.null) assert_int_equal(value_compare(type, &got.v, &want.v), 0);
}

/* The id of the side's row, all of whose values are checked; UINT32_MAX when it is NULLs. */
static uint32_t read_side(struct test *t, const struct batch *b, uint32_t row, uint32_t at,
                          const struct side *s)
{
    uint32_t k = t->keys->count;
    struct datum id = vec_get(&b->columns[at + k], row);
    if (id.null) {
        for (uint32_t c = 0; c < k + 3; c++) assert_true(vec_get(&b->columns[at + c], row).null);
        return UINT32_MAX;
    }
    assert_in_range(id.v.i32, 0, s->count - 1);
    const struct row *want = &s->rows[id.v.i32];
    for (uint32_t c = 0; c < k; c++)
        check_value(t->keys->types[c], vec_get(&b->columns[at + c], row), want->keys[c]);
    assert_int_equal(vec_get(&b->columns[at + k + 1], row).v.i32, want->v);
    check_value(TYPE_TEXT, vec_get(&b->columns[at + k + 2], row), want->note);
    return (uint32_t)id.v.i32;
}

static enum status take(void *ctx, const struct batch *b)
{
    struct test *t = ctx;
    bool left_only = t->type == JOIN_SEMI || t->type == JOIN_ANTI;
    assert_int_equal(b->column_count, column_count(t) * (left_only ? 1 : 2));
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = b->sel ? b->sel[i] : i;
        uint64_t left = read_side(t, b, row, 0, &t->left);
        uint64_t right = left_only ? LEFT_ONLY : read_side(t, b, row, column_count(t), &t->right);
        add_got(t, left << 32 | right);
    }
    return OK;
}

/* --- what should ------------------------------------------------------------------------------ */

static bool any_null(const struct test *t, const struct row *r)
{
    for (uint32_t k = 0; k < t->keys->count; k++)
        if (r->keys[k].null) return true;
    return false;
}

static bool matches(const struct test *t, const struct row *l, const struct row *r)
{
    if (t->null_aware && (any_null(t, l) || any_null(t, r))) return true;
    for (uint32_t k = 0; k < t->keys->count; k++) {
        if (l->keys[k].null || r->keys[k].null) return false;
        if (l->numbers[k] != r->numbers[k]) return false;
    }
    return !t->condition || l->v < r->v;
}

static uint32_t list_of(const struct row *r)
{
    return (uint32_t)((uint64_t)r->numbers[0] * 7 + (uint64_t)r->numbers[1]) % LISTS;
}

/* Right rows whose first row is heads[list_of()], each followed by next[]; UINT32_MAX ends. What NOT IN
 * compares with NULL is in every list, so there is but one. */
static void make_lists(const struct test *t, uint32_t *heads, uint32_t *next)
{
    memset(heads, 0xff, LISTS * sizeof *heads);
    for (uint32_t r = t->right.count; r-- > 0;) {
        uint32_t list = t->null_aware ? 0 : list_of(&t->right.rows[r]);
        next[r] = heads[list];
        heads[list] = r;
    }
}

static uint64_t *wanted(const struct test *t, size_t *ret_count)
{
    size_t n = 0, cap = (size_t)t->left.count * t->right.count + t->left.count + t->right.count + 1;
    uint64_t *want = malloc(cap * sizeof *want);
    bool *right_matched = calloc(t->right.count + 1, 1);
    uint32_t *heads = malloc(LISTS * sizeof *heads), *next = malloc((t->right.count + 1) * sizeof *next);
    make_lists(t, heads, next);
    for (uint32_t l = 0; l < t->left.count; l++) {
        const struct row *row = &t->left.rows[l];
        bool matched = false;
        for (uint32_t r = heads[t->null_aware ? 0 : list_of(row)]; r != UINT32_MAX; r = next[r]) {
            if (!matches(t, row, &t->right.rows[r])) continue;
            matched = right_matched[r] = true;
            if (t->type != JOIN_SEMI && t->type != JOIN_ANTI) want[n++] = (uint64_t)l << 32 | r;
        }
        if (t->type == JOIN_SEMI ? matched : t->type == JOIN_ANTI && !matched)
            want[n++] = (uint64_t)l << 32 | LEFT_ONLY;
        if (!matched && (t->type == JOIN_LEFT || t->type == JOIN_FULL))
            want[n++] = (uint64_t)l << 32 | UINT32_MAX;
    }
    for (uint32_t r = 0; r < t->right.count; r++)
        if (!right_matched[r] && (t->type == JOIN_RIGHT || t->type == JOIN_FULL))
            want[n++] = (uint64_t)UINT32_MAX << 32 | r;
    free(right_matched);
    free(heads);
    free(next);
    *ret_count = n;
    return want;
}

static int compare_pairs(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* --- running ---------------------------------------------------------------------------------- */

static void run(struct test *t)
{
    struct node_stats stats[3] = {0};
    struct plan plan = {.command = CMD_SELECT, .root = join_node(t), .node_count = 3};
    struct exec_session session = {.format = &format_default, .memory_limit_bytes = t->limit,
                                   .os = t->os, .temp_dir = "tmp"};
    struct exec_params params = {0};
    struct execution x;
    struct arena a;
    struct exec_sink sink = {take, t};
    size_t want_count;
    arena_init(&a, MEM_QUERY);
    exec_begin(&x, &plan, NULL, &session, &params, &a);
    x.run = op__run;
    x.stats = stats;
    t->got_count = 0;
    enum status st = op__run(&x, plan.root, &sink);
    if (st != OK) fail_msg("%s: %s", status_name(st), error_current()->message);
    exec_end(&x);
    assert_int_equal(x.spilled_bytes, 0);
    arena_release(&a);
    uint64_t *want = wanted(t, &want_count);
    qsort(t->got, t->got_count, sizeof *t->got, compare_pairs);
    for (size_t i = 1; i < want_count; i++) assert_true(want[i - 1] < want[i]);
    if (t->got_count != want_count || (want_count && memcmp(t->got, want, want_count * sizeof *want)))
        fail_msg("%s, kind %d, condition %d, null-aware %d, %u x %u rows, limit %llu: %zu pairs, not %zu",
                 t->keys->name, t->type, t->condition, t->null_aware, t->left.count, t->right.count,
                 (unsigned long long)t->limit, t->got_count, want_count);
    free(want);
    t->batches = stats[0].batches;
}

static uint64_t seed(void)
{
    const char *env = getenv("SEED");
    uint64_t s = env ? strtoull(env, NULL, 0) : 20261121;
    print_message("seed %llu\n", (unsigned long long)s);
    return s;
}

static void begin(struct test *t)
{
    struct sim_options so = {.seed = 1};
    *t = (struct test){.os = sim_new(&so)};
    rng_seed(&t->rng, seed());
}

static void end(struct test *t)
{
    free(t->got);
    sim_free(t->os);
}

/* Every kind, with and without a condition; NOT IN last. */
static void run_kinds(struct test *t, uint32_t left, uint32_t right, uint32_t domain)
{
    static const enum join_kind kinds[] = {JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL,
                                           JOIN_SEMI, JOIN_ANTI};
    for (uint32_t k = 0; k <= sizeof kinds / sizeof *kinds; k++) {
        t->null_aware = k == sizeof kinds / sizeof *kinds;
        if (t->null_aware && (t->keys->count > 1 || t->loop)) break;
        t->type = t->null_aware ? JOIN_ANTI : kinds[k];
        for (int c = 0; c < (t->null_aware ? 1 : 2); c++) {
            arena_init(&t->arena, MEM_QUERY);
            t->condition = c;
            make_side(t, &t->left, left, domain);
            make_side(t, &t->right, right, domain);
            run(t);
            arena_release(&t->arena);
        }
    }
    t->null_aware = false;
}

static void test_memory(void **state)
{
    (void)state;
    static struct test t;
    begin(&t);
    for (size_t i = 0; i < sizeof key_cases / sizeof *key_cases; i++) {
        t.keys = &key_cases[i];
        run_kinds(&t, below(&t, 4), below(&t, 4), 2);
        run_kinds(&t, 0, 30, 10);
        run_kinds(&t, 30, 0, 10);
        run_kinds(&t, 400, 300, 500);
        run_kinds(&t, 300, 100, 6);
        run_kinds(&t, 2500, 60, 5000);
        run_kinds(&t, 60, 2500, 3000);
    }
    end(&t);
}

static void test_loop(void **state)
{
    (void)state;
    static struct test t;
    begin(&t);
    t.loop = true;
    for (size_t i = 0; i < sizeof key_cases / sizeof *key_cases; i++) {
        t.keys = &key_cases[i];
        run_kinds(&t, 20, 30, 10);
        run_kinds(&t, 3, 2200, 500);
    }
    end(&t);
}

static void test_disk(void **state)
{
    (void)state;
    static struct test t;
    begin(&t);
    t.limit = 1 << 20;
    for (size_t i = 0; i < sizeof key_cases / sizeof *key_cases; i++) {
        t.keys = &key_cases[i];
        run_kinds(&t, 300, 3000, 700);
        run_kinds(&t, 2100, 4000, 100000);
    }
    end(&t);
}

/* One key has nearly all rows: parting does not help. */
static void test_one_key(void **state)
{
    (void)state;
    static struct test t;
    begin(&t);
    t.limit = 1 << 20;
    for (size_t i = 0; i < sizeof key_cases / sizeof *key_cases; i += 3) {
        t.keys = &key_cases[i];
        run_kinds(&t, 20, 4000, 1);
    }
    end(&t);
}

static void test_is_on_disk(void **state)
{
    (void)state;
    static struct test t;
    begin(&t);
    arena_init(&t.arena, MEM_QUERY);
    t.keys = &key_cases[0];
    t.type = JOIN_INNER;
    make_side(&t, &t.left, 100, 2000);
    make_side(&t, &t.right, 4000, 2000);
    run(&t);
    assert_int_equal(t.batches, 1);
    t.limit = 1 << 20;
    run(&t);
    assert_true(t.batches > 1);
    arena_release(&t.arena);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_one_key),
        cmocka_unit_test(test_is_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
