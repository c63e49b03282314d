/* jsonb against a model: random trees are printed as text, read, and must find, print, sort, hash and encode as
 * the tree itself says. Bytes that are changed are told apart or read without harm. */
#include "types/jsonb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "types/key.h"

enum { ROUNDS = 3000, CHILDREN_MAX = 5, DEPTH_MAX = 4, SCALE_MAX = 3 };

struct model {
    enum json_kind kind;
    const char *text;      /* of a string */
    int64_t number, scale; /* number / 10^scale */
    uint32_t count;
    struct model *children;
    const char **keys; /* as written, perhaps with doubles */
};

static struct rng rng;
static uint32_t below(uint32_t n) { return (uint32_t)rng_below(&rng, n); }

static const char *random_word(void)
{
    static const char *const words[] = {"", "a", "b", "ab", "ba", "abc", "\xc3\xa9", "a\"b", "\\",
                                        "line\nend", "zz", "a longer word than twelve bytes", "\t"};
    return words[below(sizeof words / sizeof words[0])];
}

static struct model random_model(struct arena *a, int depth)
{
    struct model m = {.kind = (enum json_kind)below(depth ? 7 : 5)};
    m.text = random_word();
    m.number = (int64_t)below(40) - 20;
    m.scale = below(SCALE_MAX);
    if (below(20) == 0) m.number *= 1000000000000000ll;
    if (m.kind < JSON_ARRAY) return m;
    m.count = below(CHILDREN_MAX);
    m.children = ARENA_ARRAY(a, struct model, m.count + 1);
    m.keys = ARENA_ARRAY(a, const char *, m.count + 1);
    for (uint32_t i = 0; i < m.count; i++) {
        m.children[i] = random_model(a, depth - 1);
        m.keys[i] = random_word();
    }
    return m;
}

/* --- what it should be ------------------------------------------------------------------------ */

static int key_order(const char *x, const char *y)
{
    size_t n = strlen(x), k = strlen(y);
    return n != k ? (n < k ? -1 : 1) : strcmp(x, y);
}

/* Members in order, of each name the last. */
static struct model canonical(struct arena *a, const struct model *m)
{
    struct model out = *m;
    if (m->kind < JSON_ARRAY) return out;
    out.count = 0;
    out.children = ARENA_ARRAY(a, struct model, m->count + 1);
    out.keys = ARENA_ARRAY(a, const char *, m->count + 1);
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t at = out.count;
        bool same = false;
        for (uint32_t k = 0; m->kind == JSON_OBJECT && k < out.count; k++) {
            int c = key_order(out.keys[k], m->keys[i]);
            same |= c == 0;
            if (c >= 0 && at == out.count) at = k;
        }
        for (uint32_t k = out.count; !same && k > at; k--) {
            out.children[k] = out.children[k - 1];
            out.keys[k] = out.keys[k - 1];
        }
        out.count += !same;
        out.children[at] = canonical(a, &m->children[i]);
        out.keys[at] = m->keys[i];
    }
    return out;
}

static void print_number(const struct model *m, struct strbuf *out)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%0*lld", (int)m->scale + 1, (long long)llabs(m->number));
    strbuf_addf(out, "%s%.*s", m->number < 0 ? "-" : "", n - (int)m->scale, digits);
    if (m->scale) strbuf_addf(out, ".%s", digits + n - m->scale);
}

/* `wild`: with blanks anywhere. */
static void print(const struct model *m, bool wild, struct strbuf *out)
{
    static const char *const blanks[] = {"", " ", "\n", "\t ", ""};
    const char *words[] = {"null", "", "", "false", "true"};
    if (wild) strbuf_adds(out, blanks[below(5)]);
    if (m->kind == JSON_STRING) json_quote(slice_of(m->text), out);
    else if (m->kind == JSON_NUMBER) print_number(m, out);
    else if (m->kind < JSON_ARRAY) strbuf_adds(out, words[m->kind]);
    else strbuf_addc(out, m->kind == JSON_ARRAY ? '[' : '{');
    for (uint32_t i = 0; i < m->count; i++) {
        if (i) strbuf_adds(out, wild ? "," : ", ");
        if (m->kind == JSON_OBJECT) {
            json_quote(slice_of(m->keys[i]), out);
            strbuf_adds(out, wild ? " :" : ": ");
        }
        print(&m->children[i], wild, out);
    }
    if (m->kind >= JSON_ARRAY) strbuf_addc(out, m->kind == JSON_ARRAY ? ']' : '}');
    if (wild) strbuf_adds(out, blanks[below(5)]);
}

static int rank_of(const struct model *m, bool root)
{
    static const int ranks[] = {1, 2, 3, 4, 4, 5, 6};
    return root && m->kind == JSON_ARRAY && m->count == 0 ? 0 : ranks[m->kind];
}

static __int128 scaled(const struct model *m)
{
    __int128 v = m->number;
    for (int64_t i = m->scale; i < SCALE_MAX; i++) v *= 10;
    return v;
}

static int sign(int64_t c) { return (c > 0) - (c < 0); }

static int order(const struct model *x, const struct model *y, bool root)
{
    int c = sign(rank_of(x, root) - rank_of(y, root));
    if (c) return c;
    if (x->kind == JSON_STRING) return sign(strcmp(x->text, y->text));
    if (x->kind == JSON_NUMBER) return (scaled(x) > scaled(y)) - (scaled(x) < scaled(y));
    if (x->kind < JSON_ARRAY) return sign((int)x->kind - (int)y->kind);
    if (x->count != y->count) return x->count < y->count ? -1 : 1;
    for (uint32_t i = 0; !c && i < x->count; i++) {
        if (x->kind == JSON_OBJECT) c = sign(strcmp(x->keys[i], y->keys[i]));
        if (!c) c = order(&x->children[i], &y->children[i], false);
    }
    return c;
}

/* --- the tests -------------------------------------------------------------------------------- */

static union value read_model(struct arena *a, const struct model *m)
{
    struct strbuf text;
    union value v;
    memset(&v, 0, sizeof v);
    strbuf_init(&text, a);
    print(m, true, &text);
    assert_int_equal(json_check(strbuf_slice(&text)), OK);
    assert_int_equal(value_from_text(TYPE_JSONB, -1, strbuf_slice(&text), &format_default, a, &v),
                     OK);
    assert_true(jsonb_valid(bytes_slice(&v.bytes)));
    return v;
}

/* Every member and element is where it should be. */
static void check_parts(const struct model *m, const struct json_value *v)
{
    struct json_value in;
    assert_int_equal(v->kind, m->kind);
    if (m->kind < JSON_ARRAY) return;
    assert_int_equal(v->count, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->kind == JSON_ARRAY) in = jsonb_item(v, i);
        else assert_true(jsonb_find(v, slice_of(m->keys[i]), &in));
        check_parts(&m->children[i], &in);
    }
    if (m->kind == JSON_OBJECT) assert_false(jsonb_find(v, SLICE("no such key"), &in));
}

static void encode(const union value *v, bool descending, struct strbuf *out)
{
    const struct key_part part = {TYPE_JSONB, descending, descending};
    strbuf_clear(out);
    key_encode(&part, (struct datum){.v = *v}, out);
}

static void check_pair(struct arena *a, const struct model *x, const struct model *y,
                       const union value *v, const union value *w)
{
    int want = order(x, y, true);
    struct strbuf p, q;
    strbuf_init(&p, a);
    strbuf_init(&q, a);
    assert_int_equal(value_compare(TYPE_JSONB, v, w), want);
    if (want == 0) assert_true(value_hash(TYPE_JSONB, v) == value_hash(TYPE_JSONB, w));
    for (int d = 0; d < 2; d++) {
        encode(v, d, &p);
        encode(w, d, &q);
        assert_int_equal(sign(slice_cmp(strbuf_slice(&p), strbuf_slice(&q))), d ? -want : want);
    }
    if (want == 0) assert_true(jsonb_contains(bytes_slice(&v->bytes), bytes_slice(&w->bytes)));
}

static void check_key(struct arena *a, const union value *v)
{
    const struct key_part part = {TYPE_JSONB, true, true};
    struct strbuf key;
    struct datum back;
    strbuf_init(&key, a);
    encode(v, true, &key);
    struct slice rest = strbuf_slice(&key);
    assert_int_equal(key_decode(&part, &rest, a, &back), OK);
    assert_int_equal(rest.len, 0);
    assert_true(!back.null && jsonb_valid(bytes_slice(&back.v.bytes)));
    assert_int_equal(value_compare(TYPE_JSONB, v, &back.v), 0);
}

static void test_model(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct strbuf want, got;
        arena_init(&a, MEM_QUERY);
        strbuf_init(&want, &a);
        strbuf_init(&got, &a);
        struct model x = random_model(&a, DEPTH_MAX), y = random_model(&a, (int)below(DEPTH_MAX));
        if (below(4) == 0) y = x;
        union value v = read_model(&a, &x), w = read_model(&a, &y);
        struct model cx = canonical(&a, &x), cy = canonical(&a, &y);
        print(&cx, false, &want);
        value_to_text(TYPE_JSONB, &v, &format_default, &got);
        assert_string_equal(got.data, want.data);
        struct json_value root = jsonb_of(&v.bytes);
        check_parts(&cx, &root);
        check_pair(&a, &cx, &cy, &v, &w);
        check_key(&a, &v);
        arena_release(&a);
    }
}

/* A byte changed: no document any more, or another one, which can be read. */
static void test_damage(void **state)
{
    (void)state;
    uint32_t sound = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct strbuf text;
        arena_init(&a, MEM_QUERY);
        strbuf_init(&text, &a);
        struct model m = random_model(&a, DEPTH_MAX);
        union value v = read_model(&a, &m);
        char *bytes = arena_memdup(&a, bytes_data(&v.bytes), v.bytes.len);
        struct slice s = slice_make(bytes, v.bytes.len);
        bytes[below(v.bytes.len)] ^= (char)(1 << below(8));
        if (jsonb_valid(s)) {
            sound++;
            jsonb_to_text(s, &text);
            (void)jsonb_hash(s);
            assert_int_equal(jsonb_compare(s, s), 0);
            (void)jsonb_contains(s, bytes_slice(&v.bytes));
        }
        arena_release(&a);
    }
    assert_true(sound > 0 && sound < ROUNDS);
}

static void test_depth(void **state)
{
    (void)state;
    struct arena a;
    struct strbuf text;
    struct bytes b, nested;
    arena_init(&a, MEM_QUERY);
    strbuf_init(&text, &a);
    for (int i = 0; i < JSON_DEPTH_MAX; i++) strbuf_addc(&text, '[');
    for (int i = 0; i < JSON_DEPTH_MAX; i++) strbuf_addc(&text, ']');
    assert_int_equal(jsonb_from_text(strbuf_slice(&text), &a, &b), OK);
    assert_true(jsonb_valid(bytes_slice(&b)));
    /* one level more, as text and around what is packed */
    const char *deeper = arena_printf(&a, "[%s]", text.data);
    assert_int_equal(json_check(slice_of(deeper)), STATEMENT_TOO_COMPLEX);
    assert_string_equal(error_current()->message, "stack depth limit exceeded");
    assert_int_equal(jsonb_from_text(slice_of(deeper), &a, &nested), STATEMENT_TOO_COMPLEX);
    struct json_value outer = {.kind = JSON_ARRAY};
    json_push(&a, &outer, jsonb_of(&b));
    assert_int_equal(jsonb_make(&a, &outer, &nested), STATEMENT_TOO_COMPLEX);
    struct json_value root = jsonb_of(&b), inner = jsonb_item(&root, 0);
    outer.count = 0;
    json_push(&a, &outer, inner);
    assert_int_equal(jsonb_make(&a, &outer, &nested), OK);
    assert_int_equal(jsonb_compare(bytes_slice(&b), bytes_slice(&nested)), 0);
    arena_release(&a);
}

/* The walk over text sees what the reader sees. */
static void test_walk(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct strbuf text;
        struct json_walk w;
        struct slice key, value, name;
        uint32_t n = 0;
        arena_init(&a, MEM_QUERY);
        strbuf_init(&text, &a);
        struct model m = random_model(&a, DEPTH_MAX);
        print(&m, true, &text);
        assert_int_equal(json_kind_of(strbuf_slice(&text)), m.kind);
        if (m.kind >= JSON_ARRAY) {
            json_walk_begin(&w, strbuf_slice(&text));
            for (; json_walk_next(&w, &key, &value); n++) {
                assert_int_equal(json_kind_of(value), m.children[n].kind);
                assert_int_equal(json_check(value), OK);
                if (m.kind == JSON_ARRAY) continue;
                assert_int_equal(json_unquote(key, &a, &name), OK);
                assert_true(slice_eq(name, slice_of(m.keys[n])));
            }
            assert_int_equal(n, m.count);
            assert_int_equal(json_walk_count(strbuf_slice(&text)), n);
        }
        arena_release(&a);
    }
}

int main(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20221122;
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
