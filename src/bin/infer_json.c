/* Columns of JSON lines: the keys of the objects, in the order in which they come up. Strings may
 * be dates, times and UUIDs, but never numbers: whoever wrote "12" meant a string. */
#include "bin/infer.h"

struct json {
    const char *p, *end;
};

static void skip_blanks(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r')) j->p++;
}

/* Behind the opening quote; as it is written. False: there is no end. */
static bool string(struct json *j, struct slice *ret)
{
    const char *start = j->p;
    for (; j->p < j->end; j->p++) {
        if (*j->p == '\\') j->p++;
        else if (*j->p == '"') {
            *ret = slice_make(start, (size_t)(j->p++ - start));
            return true;
        }
    }
    return false;
}

/* An array or object, up to the bracket that closes it. */
static bool skip_container(struct json *j)
{
    uint32_t depth = 0;
    struct slice ignored;
    while (j->p < j->end) {
        char c = *j->p++;
        if (c == '"' && !string(j, &ignored)) return false;
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
}

static enum infer_kind string_kind(struct slice s)
{
    enum infer_kind kind = infer_kind_of(s);
    return kind >= INFER_DATE ? kind : INFER_TEXT;
}

static bool value(struct json *j, enum infer_kind *ret)
{
    struct slice s;
    if (j->p == j->end) return false;
    if (*j->p == '"') {
        j->p++;
        if (!string(j, &s)) return false;
        *ret = string_kind(s);
        return true;
    }
    *ret = INFER_TEXT;
    if (*j->p == '{' || *j->p == '[') return skip_container(j);
    const char *start = j->p;
    while (j->p < j->end && !strchr(",}] \t\r", *j->p)) j->p++;
    s = slice_make(start, (size_t)(j->p - start));
    *ret = slice_eq(s, SLICE("null")) ? INFER_NOTHING : infer_kind_of(s);
    return s.len > 0;
}

static uint32_t column_of(struct infer *f, struct slice key)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (slice_eq(slice_of(f->columns[i].name), key)) return i;
    if (f->count == INFER_COLUMNS_MAX) return UINT32_MAX;
    f->columns[f->count].name = arena_strndup(f->arena, key.data, key.len);
    return f->count++;
}

static bool object(struct infer *f, struct json *j)
{
    struct slice key;
    enum infer_kind kind;
    skip_blanks(j);
    if (j->p == j->end || *j->p++ != '{') return false;
    for (;;) {
        skip_blanks(j);
        if (j->p < j->end && *j->p == '}') return true;
        if (j->p == j->end || *j->p++ != '"' || !string(j, &key)) return false;
        skip_blanks(j);
        if (j->p == j->end || *j->p++ != ':') return false;
        skip_blanks(j);
        if (!value(j, &kind)) return false;
        uint32_t i = column_of(f, key);
        if (i != UINT32_MAX) f->columns[i].kind = infer_together(f->columns[i].kind, kind);
        skip_blanks(j);
        if (j->p < j->end && *j->p == ',') j->p++;
    }
}

void infer_json(struct infer *f, struct slice sample, bool whole)
{
    const char *p = sample.data, *end = p + sample.len;
    if (slice_starts(sample, SLICE("\xef\xbb\xbf"))) p += 3;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        struct json j = {p, nl ? nl : end};
        if (!nl && !whole) return;
        if (object(f, &j)) f->rows++;
        p = j.end + 1;
    }
}
