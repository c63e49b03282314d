/* Reading jsonb where it lies: roots, elements, members, and whether bytes are a document at all. */
#include "types/jsonb.h"

#include "types/jsonb_priv.h"
#include "types/numeric.h"
#include "types/numeric_priv.h"

struct json_value jsonb__packed(enum json_kind kind, struct slice bytes)
{
    struct json_value v = {.kind = (uint8_t)kind, .bytes = bytes};
    if (kind < JSON_ARRAY) return v;
    uint32_t head = jsonb__u32(bytes.data);
    v.packed = true;
    v.count = head & JSONB__LOW;
    return v;
}

/* What entry number `at` of `entries` speaks of. */
static struct json_value entry_value(const struct json_value *v, uint32_t entries, uint32_t at)
{
    const char *first = v->bytes.data + JSONB__WORD, *payload = first + (size_t)entries * JSONB__WORD;
    uint32_t entry = jsonb__u32(first + (size_t)at * JSONB__WORD), end = entry & JSONB__LOW;
    uint32_t begin = at ? jsonb__u32(first + (size_t)(at - 1) * JSONB__WORD) & JSONB__LOW : 0;
    ASSERT(begin <= end && (size_t)(payload - v->bytes.data) + end <= v->bytes.len);
    return jsonb__packed((enum json_kind)(entry >> JSONB__SHIFT),
                         slice_make(payload + begin, end - begin));
}

struct json_value jsonb_root(struct slice document)
{
    ASSERT(document.len >= JSONB__WORD);
    uint32_t head = jsonb__u32(document.data) >> JSONB__SHIFT;
    if (head == JSONB__HEAD_ARRAY) return jsonb__packed(JSON_ARRAY, document);
    if (head == JSONB__HEAD_OBJECT) return jsonb__packed(JSON_OBJECT, document);
    struct json_value lone = {.bytes = document};
    return entry_value(&lone, 1, 0);
}

struct json_value jsonb_item(const struct json_value *array, uint32_t i)
{
    DEBUG_ASSERT(array->kind == JSON_ARRAY && i < array->count);
    return array->packed ? entry_value(array, array->count, i) : array->items[i];
}

struct json_pair jsonb_pair(const struct json_value *object, uint32_t i)
{
    DEBUG_ASSERT(object->kind == JSON_OBJECT && i < object->count);
    if (!object->packed) return object->pairs[i];
    return (struct json_pair){entry_value(object, object->count * 2, i).bytes,
                              entry_value(object, object->count * 2, object->count + i)};
}

int jsonb__compare_keys(struct slice a, struct slice b)
{
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

bool jsonb_find(const struct json_value *object, struct slice key, struct json_value *ret)
{
    DEBUG_ASSERT(object->kind == JSON_OBJECT && object->packed);
    uint32_t low = 0, high = object->count, n = object->count * 2;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = jsonb__compare_keys(entry_value(object, n, mid).bytes, key);
        if (c == 0) {
            *ret = entry_value(object, n, object->count + mid);
            return true;
        }
        if (c < 0) low = mid + 1;
        else high = mid;
    }
    return false;
}

struct numeric jsonb_number(const struct json_value *v, struct arena *a)
{
    DEBUG_ASSERT(v->kind == JSON_NUMBER);
    return numeric_load(v->bytes, a);
}

bool jsonb_is_true_false(const struct json_value *v)
{
    return v->kind == JSON_TRUE || v->kind == JSON_FALSE;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {"null", "string", "number", "boolean", "boolean", "array",
                                        "object"};
    return names[kind];
}

/* --- foreign bytes ---------------------------------------------------------------------------- */

static bool container_valid(struct slice s, uint32_t want, uint32_t depth);

/* Can the bytes be what an entry of the kind says? */
static bool payload_valid(uint32_t kind, struct slice s, uint32_t depth)
{
    switch (kind) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: return s.len == 0;
    case JSON_STRING: return true;
    case JSON_NUMBER: return numeric__store_valid(s);
    case JSON_ARRAY: return container_valid(s, JSONB__HEAD_ARRAY, depth + 1);
    case JSON_OBJECT: return container_valid(s, JSONB__HEAD_OBJECT, depth + 1);
    default: return false;
    }
}

static bool entries_valid(struct slice s, uint32_t head, uint32_t entries, uint32_t keys,
                          uint32_t depth)
{
    const char *first = s.data + JSONB__WORD, *payload = first + (size_t)entries * JSONB__WORD;
    size_t room = s.len - JSONB__WORD - (size_t)entries * JSONB__WORD;
    uint32_t at = 0;
    struct slice before = {0};
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t entry = jsonb__u32(first + (size_t)i * JSONB__WORD), end = entry & JSONB__LOW;
        uint32_t kind = entry >> JSONB__SHIFT;
        if (end < at || end > room) return false;
        struct slice part = slice_make(payload + at, end - at);
        if (i < keys && (kind != JSON_STRING || (i && jsonb__compare_keys(before, part) >= 0)))
            return false;
        if (head == JSONB__HEAD_SCALAR && kind >= JSON_ARRAY) return false;
        if (!payload_valid(kind, part, depth)) return false;
        before = part;
        at = end;
    }
    return at == room;
}

static bool container_valid(struct slice s, uint32_t want, uint32_t depth)
{
    if (depth > JSON_DEPTH_MAX || s.len < JSONB__WORD) return false;
    uint32_t head = jsonb__u32(s.data) >> JSONB__SHIFT, count = jsonb__u32(s.data) & JSONB__LOW;
    if (head != want || (head == JSONB__HEAD_SCALAR && count != 1)) return false;
    uint64_t entries = (uint64_t)count * (head == JSONB__HEAD_OBJECT ? 2 : 1);
    if (entries > s.len / JSONB__WORD - 1) return false;
    return entries_valid(s, head, (uint32_t)entries, head == JSONB__HEAD_OBJECT ? count : 0, depth);
}

bool jsonb_valid(struct slice document)
{
    if (document.len < JSONB__WORD) return false;
    uint32_t head = jsonb__u32(document.data) >> JSONB__SHIFT;
    return head <= JSONB__HEAD_SCALAR && container_valid(document, head, 1);
}
