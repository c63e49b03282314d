/* Making jsonb: lists in memory, and a tree of them laid out as bytes. Members are sorted here; parts that
 * are packed already are copied as they are. How deep it all nests is bounded here, since what reads
 * documents recurses and cannot fail. */
#include "types/jsonb.h"

#include "base/fiber.h"
#include "types/jsonb_priv.h"
#include "types/numeric.h"

enum {
    STACK_MIN = 64 << 10,
    LEVEL_BYTES = 2 * JSONB__WORD, /* a level of nesting takes no fewer */
    LIST_FIRST = 4,
    INSERTION_MAX = 12, /* members that are sorted one by one */
};

/* --- lists ------------------------------------------------------------------------------------ */

struct json_value json_number(struct arena *a, const struct numeric *n)
{
    struct strbuf b;
    strbuf_init(&b, a);
    numeric_store(n, &b);
    return (struct json_value){.kind = JSON_NUMBER, .bytes = strbuf_slice(&b)};
}

/* Capacities are powers of two from LIST_FIRST on, so the count tells when a list is full. */
static void *grown(struct arena *a, void *list, uint32_t count, size_t size)
{
    bool full = count == 0 || (count >= LIST_FIRST && (count & (count - 1)) == 0);
    if (!full) return list;
    void *bigger = arena_alloc(a, (count ? (size_t)count * 2 : LIST_FIRST) * size);
    if (count) memcpy(bigger, list, count * size);
    return bigger;
}

void json_push(struct arena *a, struct json_value *array, struct json_value item)
{
    DEBUG_ASSERT(!array->packed);
    array->items = grown(a, array->items, array->count, sizeof item);
    array->items[array->count++] = item;
}

void json_put(struct arena *a, struct json_value *object, struct slice key, struct json_value item)
{
    DEBUG_ASSERT(!object->packed);
    object->pairs = grown(a, object->pairs, object->count, sizeof *object->pairs);
    object->pairs[object->count++] = (struct json_pair){key, item};
}

struct json_value json_unpack(struct arena *a, const struct json_value *v, uint32_t more)
{
    struct json_value out = {.kind = v->kind};
    size_t room = LIST_FIRST;
    ASSERT(json_is_container(v));
    while (room < (size_t)v->count + more) room *= 2;
    if (v->kind == JSON_ARRAY) out.items = arena_alloc(a, room * sizeof *out.items);
    else out.pairs = arena_alloc(a, room * sizeof *out.pairs);
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->kind == JSON_ARRAY) out.items[i] = jsonb_item(v, i);
        else out.pairs[i] = jsonb_pair(v, i);
    }
    out.count = v->count;
    return out;
}

/* --- members in order ------------------------------------------------------------------------- */

/* Stable, so that of equal keys the last one stays last. */
static void insertion_sort(struct json_pair *p, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct json_pair one = p[i];
        uint32_t k = i;
        for (; k > 0 && jsonb__compare_keys(p[k - 1].key, one.key) > 0; k--) p[k] = p[k - 1];
        p[k] = one;
    }
}

static void merge_sort(struct json_pair *p, struct json_pair *scratch, uint32_t n)
{
    if (n <= INSERTION_MAX) {
        insertion_sort(p, n);
        return;
    }
    uint32_t half = n / 2, i = 0, k = half, out = 0;
    merge_sort(p, scratch, half);
    merge_sort(p + half, scratch, n - half);
    memcpy(scratch, p, n * sizeof *p);
    while (i < half || k < n) {
        bool first = k == n || (i < half && jsonb__compare_keys(scratch[i].key, scratch[k].key) <= 0);
        p[out++] = first ? scratch[i++] : scratch[k++];
    }
}

static bool in_order(const struct json_value *v)
{
    for (uint32_t i = 1; i < v->count; i++)
        if (jsonb__compare_keys(v->pairs[i - 1].key, v->pairs[i].key) >= 0) return false;
    return true;
}

static struct json_value sorted(struct arena *a, const struct json_value *v)
{
    struct json_value out = *v;
    if (in_order(v)) return out;
    struct json_pair *scratch = arena_alloc(a, v->count * sizeof *scratch);
    out.pairs = arena_memdup(a, v->pairs, v->count * sizeof *v->pairs);
    merge_sort(out.pairs, scratch, v->count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        bool last = i + 1 == v->count ||
                    jsonb__compare_keys(out.pairs[i].key, out.pairs[i + 1].key) != 0;
        if (last) out.pairs[kept++] = out.pairs[i];
    }
    out.count = kept;
    return out;
}

/* --- bytes ------------------------------------------------------------------------------------ */

struct maker {
    struct arena *a;
    struct strbuf out;
};

static enum status too_deep(void)
{
    return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
}

/* Does the packed value nest deeper than that? */
static bool nests_beyond(const struct json_value *v, uint32_t depth)
{
    if (!json_is_container(v) || v->bytes.len / LEVEL_BYTES < depth) return false;
    if (depth == 0) return true;
    for (uint32_t i = 0; i < v->count; i++) {
        struct json_value in = v->kind == JSON_ARRAY ? jsonb_item(v, i) : jsonb_pair(v, i).value;
        if (nests_beyond(&in, depth - 1)) return true;
    }
    return false;
}

static enum status too_big(enum json_kind kind)
{
    return FAIL(PROGRAM_LIMIT_EXCEEDED,
                "total size of jsonb %s elements exceeds the maximum of %u bytes",
                kind == JSON_ARRAY ? "array" : "object", (unsigned)JSONB__LOW);
}

static enum status check_string(struct slice s)
{
    if (s.len <= JSONB__LOW) return OK;
    (void)FAIL(PROGRAM_LIMIT_EXCEEDED, "string too long to represent as jsonb string");
    return error_detail("Due to an implementation restriction, jsonb strings cannot exceed %d bytes.",
                        JSONB__LOW);
}

static enum status put_value(struct maker *m, const struct json_value *v, uint32_t depth);

static void put_word(struct maker *m, size_t at, uint32_t word)
{
    memcpy(m->out.data + at, &word, sizeof word);
}

/* The payload of entry number `i` of the container whose payloads begin at `payload`. */
static enum status put_entry(struct maker *m, enum json_kind of, size_t entries, uint32_t i,
                             size_t payload, const struct json_value *v, uint32_t depth)
{
    TRY(put_value(m, v, depth));
    size_t end = m->out.len - payload;
    if (end > JSONB__LOW) return too_big(of);
    put_word(m, entries + (size_t)i * JSONB__WORD,
             (uint32_t)v->kind << JSONB__SHIFT | (uint32_t)end);
    return OK;
}

static enum status put_container(struct maker *m, const struct json_value *listed, uint32_t depth)
{
    enum json_kind kind = (enum json_kind)listed->kind;
    struct json_value v = kind == JSON_OBJECT ? sorted(m->a, listed) : *listed;
    uint32_t n = v.count, count = kind == JSON_OBJECT ? n * 2 : n;
    if (depth >= JSON_DEPTH_MAX || fiber_stack_left() < STACK_MIN) return too_deep();
    if (n > JSONB__LOW / LEVEL_BYTES) return too_big(kind);
    size_t at = m->out.len, entries = at + JSONB__WORD;
    size_t payload = entries + (size_t)count * JSONB__WORD;
    strbuf_reserve(&m->out, payload - at);
    m->out.len = payload;
    put_word(m, at, (uint32_t)(kind == JSON_OBJECT) << JSONB__SHIFT | n);
    for (uint32_t i = 0; i < n && kind == JSON_OBJECT; i++) {
        struct json_value key = json_string(v.pairs[i].key);
        TRY(put_entry(m, kind, entries, i, payload, &key, depth + 1));
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct json_value *in = kind == JSON_OBJECT ? &v.pairs[i].value : &v.items[i];
        TRY(put_entry(m, kind, entries, count - n + i, payload, in, depth + 1));
    }
    return OK;
}

static enum status put_value(struct maker *m, const struct json_value *v, uint32_t depth)
{
    if (json_is_container(v) && !v->packed) return put_container(m, v, depth);
    if (v->kind == JSON_STRING) TRY(check_string(v->bytes));
    if (v->packed && nests_beyond(v, JSON_DEPTH_MAX - depth)) return too_deep();
    if (v->kind == JSON_STRING || v->kind == JSON_NUMBER || v->packed)
        strbuf_add(&m->out, v->bytes.data, v->bytes.len);
    return OK;
}

enum status jsonb_make(struct arena *a, const struct json_value *v, struct bytes *ret)
{
    if (v->packed) {
        *ret = bytes_ref(v->bytes.data, (uint32_t)v->bytes.len);
        return OK;
    }
    struct maker m = {.a = a};
    strbuf_init(&m.out, a);
    if (json_is_container(v)) {
        TRY(put_container(&m, v, 0));
    } else {
        size_t payload = 2 * (size_t)JSONB__WORD;
        strbuf_reserve(&m.out, payload);
        m.out.len = payload;
        put_word(&m, 0, (uint32_t)JSONB__HEAD_SCALAR << JSONB__SHIFT | 1);
        TRY(put_entry(&m, JSON_ARRAY, JSONB__WORD, 0, payload, v, 1));
    }
    *ret = bytes_ref(m.out.data, (uint32_t)m.out.len);
    return OK;
}
