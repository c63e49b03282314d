/* Composite values as bytes. Read as a whole for comparing and printing; a single field is reached by
 * stepping over those before it. What is nested is bounded as it is made, since printing and comparing
 * recurse and cannot fail. */
#include "types/record.h"

#include "types/array.h"
#include "types/element_priv.h"

enum { HEADER = 12, FIELD = 8, AT_DEPTH = 4, AT_COUNT = 8, DEPTH_BITS = 0xffff, NAMED = 1 << 16 };

static uint32_t get_u32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void put_u32(struct strbuf *out, uint32_t v) { strbuf_add(out, &v, sizeof v); }

static enum status corrupt(void) { return FAIL(DATA_CORRUPTED, "malformed record"); }

/* The field at *at, which moves on. */
static enum status next_field(struct slice s, size_t *at, struct slice *ret, type_id *ret_type,
                              bool *ret_null)
{
    if (s.len - *at < FIELD) return corrupt();
    int32_t len = (int32_t)get_u32(s.data + *at + 4);
    *ret_type = get_u32(s.data + *at);
    *at += FIELD;
    *ret_null = len == -1;
    if (*ret_null) return OK;
    if (len < 0 || (size_t)len > s.len - *at || !type_get(*ret_type)) return corrupt();
    *ret = slice_make(s.data + *at, (size_t)len);
    *at += (size_t)len;
    return OK;
}

static enum status read_field(struct slice s, size_t *at, struct arena *a, type_id *ret_type,
                              struct datum *ret)
{
    struct slice value;
    memset(ret, 0, sizeof *ret);
    TRY(next_field(s, at, &value, ret_type, &ret->null));
    if (ret->null) return OK;
    return element__read(type_rep(*ret_type), value, a, &ret->v) ? OK : corrupt();
}

/* Each ends with a zero byte, so they can be told where they lie: a value with names is never short. */
static enum status read_names(struct slice s, size_t *at, struct arena *a, struct record_view *ret)
{
    const char **names = ARENA_ARRAY(a, const char *, ret->count + 1);
    for (uint32_t i = 0; i < ret->count; i++) {
        const char *end = memchr(s.data + *at, '\0', s.len - *at);
        if (!end) return corrupt();
        names[i] = s.data + *at;
        *at = (size_t)(end - s.data) + 1;
    }
    ret->names = names;
    return OK;
}

enum status record_open(const struct bytes *b, struct arena *a, struct record_view *ret)
{
    struct slice s = bytes_slice(b);
    size_t at = HEADER;
    if (s.len < HEADER) return corrupt();
    ret->type = get_u32(s.data);
    ret->count = get_u32(s.data + AT_COUNT);
    if (ret->count > (s.len - HEADER) / FIELD) return corrupt();
    ret->names = NULL;
    ret->types = ARENA_ARRAY(a, type_id, ret->count + 1);
    ret->fields = ARENA_ARRAY(a, struct datum, ret->count + 1);
    for (uint32_t i = 0; i < ret->count; i++)
        TRY(read_field(s, &at, a, &ret->types[i], &ret->fields[i]));
    if (get_u32(s.data + AT_DEPTH) & NAMED) TRY(read_names(s, &at, a, ret));
    return at == s.len ? OK : corrupt();
}

enum status record_field(const struct bytes *b, uint32_t field, struct arena *a, type_id *ret_type,
                         struct datum *ret)
{
    struct slice s = bytes_slice(b), value;
    size_t at = HEADER;
    type_id type;
    bool null;
    *ret = (struct datum){.null = true};
    *ret_type = TYPE_NONE;
    if (s.len < HEADER) return corrupt();
    if (field >= get_u32(s.data + AT_COUNT)) return OK;
    for (uint32_t i = 0; i < field; i++) TRY(next_field(s, &at, &value, &type, &null));
    return read_field(s, &at, a, ret_type, ret);
}

/* --- making ----------------------------------------------------------------------------------- */

static uint32_t depth_of(type_id type, const struct bytes *b)
{
    struct slice s = bytes_slice(b);
    uint32_t deepest = 0;
    if (type_is_composite(type)) return s.len < HEADER ? 0 : get_u32(s.data + AT_DEPTH) & DEPTH_BITS;
    if (!type_is_array(type) || !type_is_composite(type_get(type)->element)) return 0;
    struct array_view v;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    if (array_open(b, &arena, &v) == OK)
        for (uint32_t i = 0; i < v.count; i++) {
            uint32_t d = v.elements[i].null ? 0 : depth_of(v.element, &v.elements[i].v.bytes);
            if (d > deepest) deepest = d;
        }
    arena_release(&arena);
    return deepest;
}

static enum status make(struct arena *a, type_id type, const type_id *types,
                        const struct datum *fields, const char *const *names, uint32_t count,
                        struct bytes *ret)
{
    struct strbuf out;
    uint32_t deepest = 0;
    strbuf_init(&out, a);
    put_u32(&out, type);
    put_u32(&out, 0);
    put_u32(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        enum rep rep = type_rep(types[i]);
        uint32_t d = fields[i].null || rep != REP_BYTES ? 0 : depth_of(types[i], &fields[i].v.bytes);
        if (d > deepest) deepest = d;
        put_u32(&out, types[i]);
        element__write(rep, &fields[i], &out);
        if (out.len > INT32_MAX)
            return FAIL(PROGRAM_LIMIT_EXCEEDED, "a composite value is too long");
    }
    if (++deepest > RECORD_DEPTH_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (names && count) deepest |= NAMED;
    for (uint32_t i = 0; names && i < count; i++) strbuf_add(&out, names[i], strlen(names[i]) + 1);
    memcpy(out.data + AT_DEPTH, &deepest, sizeof deepest);
    *ret = bytes_ref(out.data, (uint32_t)out.len);
    return OK;
}

enum status record_make(struct arena *a, type_id type, const type_id *types,
                        const struct datum *fields, uint32_t count, struct bytes *ret)
{
    return make(a, type, types, fields, NULL, count, ret);
}

enum status record_make_named(struct arena *a, const type_id *types, const struct datum *fields,
                              const char *const *names, uint32_t count, struct bytes *ret)
{
    return make(a, TYPE_RECORD, types, fields, names, count, ret);
}

/* --- comparing -------------------------------------------------------------------------------- */

static const char *words(type_id type)
{
    const struct type_info *t = type_get(type);
    return t ? t->sql_name : "???";
}

static enum status dissimilar(type_id x, type_id y, uint32_t field)
{
    return FAIL(DATATYPE_MISMATCH,
                "cannot compare dissimilar column types %s and %s at record column %u", words(x),
                words(y), field + 1);
}

static enum status compare_views(const struct record_view *x, const struct record_view *y, int *ret)
{
    uint32_t n = x->count < y->count ? x->count : y->count;
    *ret = 0;
    for (uint32_t i = 0; i < n && *ret == 0; i++) {
        const struct datum *p = &x->fields[i], *q = &y->fields[i];
        if (x->types[i] != y->types[i]) return dissimilar(x->types[i], y->types[i], i);
        if (p->null || q->null) *ret = p->null - q->null;
        else if (type_is_composite(x->types[i]))
            TRY(record_compare(&p->v.bytes, &q->v.bytes, ret));
        else *ret = value_compare(x->types[i], &p->v, &q->v);
    }
    if (*ret == 0 && x->count != y->count)
        return FAIL(DATATYPE_MISMATCH,
                    "cannot compare record types with different numbers of columns");
    return OK;
}

enum status record_compare(const struct bytes *a, const struct bytes *b, int *ret)
{
    struct record_view x, y;
    struct arena arena;
    arena_init(&arena, MEM_QUERY);
    enum status s = record_open(a, &arena, &x);
    if (s == OK) s = record_open(b, &arena, &y);
    if (s == OK) s = compare_views(&x, &y, ret);
    arena_release(&arena);
    return s;
}
