/* JSON as text, jsonb as bytes, paths. The first byte picks: text, which is taken by both types or by none and must
 * come out of jsonb in a form that is taken again, as an equal value; bytes, which, when they are said to be
 * a document, must be read without harm; or a path, whose canonical text, where it is a path, must stay as it is
 * when it is parsed again, and which is run over a document. */
#include "base/fiber.h"
#include "exec/functions/jsonpath_priv.h"
#include "fuzz.h"
#include "types/key.h"
#include "types/jsonb.h"

enum { INPUT_MAX = 8192 };

const char *const fuzz_words[] = {
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0041", "\\u0000", "\\ud83d", "\\ude04", "\\n",
    "\\\"", "true", "false", "null", "0", "-1", "1.50", "1e5", "-0.0", "1e131071", "[[[[", "]]]]",
    "{\"a\":", "\"a\":1", " ", "\n",
    "$", "@", "$.a", "[*]", "[last]", ".**", ".**{1 to last}", "? (", "exists (", "&&", "||", "==", "!=", "<=",
    " starts with ", " like_regex \"a\"", " is unknown", ".type()", ".size()", ".double()", ".keyvalue()",
    "strict ", " to ", "$v", "!(", NULL};

static void check_document(struct arena *a, struct slice s)
{
    struct strbuf text, pretty, key;
    struct bytes again;
    struct datum back;
    const struct key_part part = {.type = TYPE_JSONB};
    strbuf_init(&text, a);
    strbuf_init(&pretty, a);
    strbuf_init(&key, a);
    jsonb_to_text(s, &text);
    jsonb_to_pretty_text(s, &pretty);
    FUZZ_CHECK(jsonb_compare(s, s) == 0 && jsonb_contains(s, s));
    struct datum d = {.v.bytes = bytes_ref(s.data, (uint32_t)s.len)};
    key_encode(&part, d, &key);
    struct slice rest = strbuf_slice(&key);
    FUZZ_CHECK(key_decode(&part, &rest, a, &back) == OK && rest.len == 0);
    FUZZ_CHECK(jsonb_valid(bytes_slice(&back.v.bytes)));
    FUZZ_CHECK(jsonb_compare(s, bytes_slice(&back.v.bytes)) == 0);
    FUZZ_CHECK(jsonb_hash(s) == jsonb_hash(bytes_slice(&back.v.bytes)));
    if (jsonb_from_text(strbuf_slice(&pretty), a, &again) != OK) return; /* foreign bytes: no UTF-8 */
    FUZZ_CHECK(jsonb_compare(s, bytes_slice(&again)) == 0);
}

static void check_walk(struct arena *a, struct slice text)
{
    struct json_walk w;
    struct slice key, value, name;
    if (json_kind_of(text) < JSON_ARRAY) return;
    json_walk_begin(&w, text);
    while (json_walk_next(&w, &key, &value)) {
        FUZZ_CHECK(json_check(value) == OK);
        enum status st = w.object ? json_unquote(key, a, &name) : OK;
        FUZZ_CHECK(st == OK || st == UNTRANSLATABLE_CHARACTER || st == INVALID_TEXT_REPRESENTATION);
    }
}

static void check_text(struct arena *a, struct slice text)
{
    struct bytes b;
    bool is_json = json_check(text) == OK;
    bool is_jsonb = jsonb_from_text(text, a, &b) == OK;
    FUZZ_CHECK(is_json || !is_jsonb);
    if (is_json) check_walk(a, text);
    if (!is_jsonb) return;
    FUZZ_CHECK(json_check_escapes(text, a) == OK);
    FUZZ_CHECK(jsonb_valid(bytes_slice(&b)));
    check_document(a, bytes_slice(&b));
}

static void run_path(struct arena *a, const struct jsonpath *p, struct slice document)
{
    struct path_run r = {.a = a, .root = jsonb_root(document), .array_size = -1, .next_id = 1};
    struct path_list found = {0};
    struct bytes b;
    enum path_outcome first, all;
    r.current = r.root;
    r.lax = r.ignore = p->lax;
    if (path__item(&r, p->root, &r.root, p->lax, &found, &all) != OK) return;
    for (uint32_t i = 0; i < found.count; i++)
        if (jsonb_make(a, &found.items[i], &b) == OK) FUZZ_CHECK(jsonb_valid(bytes_slice(&b)));
    /* whether there is anything is the same question when the rest is not asked for */
    r.current = r.root;
    if (path__item(&r, p->root, &r.root, p->lax, NULL, &first) != OK) return;
    if (all != PATH_ERROR) FUZZ_CHECK(first == (found.count ? PATH_FOUND : PATH_NOTHING));
}

static void check_path(struct arena *a, struct slice text)
{
    static const char *const documents[] = {
        "{\"a\":[1,2,{\"b\":\"x\"}],\"b\":{\"a\":null,\"c\":[[1],[]]},\"c\":-1.5,\"d\":\"abc\"}", "[]", "7"};
    struct jsonpath p, q;
    struct strbuf once, again;
    struct bytes b;
    if (jsonpath_parse(text, a, &p) != OK) return;
    strbuf_init(&once, a);
    strbuf_init(&again, a);
    jsonpath_to_text(&p, &once);
    if (jsonpath_parse(strbuf_slice(&once), a, &q) == OK) { /* not all is: types/jsonpath.h */
        jsonpath_to_text(&q, &again);
        FUZZ_CHECK(slice_eq(strbuf_slice(&once), strbuf_slice(&again)));
    }
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        FUZZ_CHECK(jsonb_from_text(slice_of(documents[i]), a, &b) == OK);
        run_path(a, &p, bytes_slice(&b));
    }
}

static void run(void *arg)
{
    struct fuzz_input *in = arg;
    struct arena a;
    arena_init(&a, MEM_QUERY);
    uint8_t what = fuzz_u8(in);
    struct slice s = slice_dup(&a, fuzz_rest(in));
    if (what % 4 == 2) check_path(&a, s);
    else if (what % 4) check_text(&a, s);
    else if (jsonb_valid(s)) check_document(&a, s);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    fuzz_on_fiber(run, &in);
    return 0;
}
