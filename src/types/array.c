/* Arrays as bytes. An array is read into datums as a whole and written as a whole: element access
 * by offset would save little, since elements have no fixed width in general.
 *
 * Bytes come from storage and from clients' binary parameters by way of value_from_binary, so
 * reading checks every length before it is used. Integers are little-endian, as in rows. */
#include "types/array.h"

#include "types/element_priv.h"
#include "types/numeric.h"
#include "types/numeric_priv.h"

enum { HEADER = 12, DIMENSION = 8, HAS_NULLS = 1, ELEMENTS_MAX = 134217727 };

static uint32_t get_u32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void put_u32(struct strbuf *out, uint32_t v) { strbuf_add(out, &v, sizeof v); }

/* Bytes of a fixed-width representation; 0 for the others. */
static uint32_t fixed_width(enum rep rep)
{
    switch (rep) {
    case REP_BOOL: return 1;
    case REP_I16: return 2;
    case REP_I32:
    case REP_U32:
    case REP_F32: return 4;
    case REP_I64:
    case REP_F64: return 8;
    case REP_INTERVAL:
    case REP_UUID: return 16;
    case REP_BYTES:
    case REP_NUMERIC: break;
    }
    return 0;
}

static enum status corrupt(void) { return FAIL(DATA_CORRUPTED, "malformed array"); }

/* Reads ndim, element type and dimensions; the element count is their product. */
static enum status read_header(struct slice s, struct array_view *v)
{
    if (s.len < HEADER) return corrupt();
    uint32_t ndim = get_u32(s.data);
    if (ndim > ARRAY_DIMS_MAX || s.len < HEADER + (size_t)ndim * DIMENSION) return corrupt();
    v->ndim = (int32_t)ndim;
    v->element = get_u32(s.data + 8);
    if (!type_get(v->element)) return corrupt();
    uint64_t count = ndim > 0;
    for (uint32_t i = 0; i < ndim; i++) {
        const char *p = s.data + HEADER + (size_t)i * DIMENSION;
        v->dims[i] = (int32_t)get_u32(p);
        v->lower[i] = (int32_t)get_u32(p + 4);
        if (v->dims[i] <= 0) return corrupt();
        count *= (uint64_t)v->dims[i];
        if (count > ELEMENTS_MAX) return corrupt();
    }
    v->count = (uint32_t)count;
    /* each element has a length: this bounds what we allocate by what we were given */
    if ((s.len - HEADER - (size_t)ndim * DIMENSION) / 4 < count) return corrupt();
    return OK;
}

bool element__read(enum rep rep, struct slice s, struct arena *a, union value *ret)
{
    uint32_t width = fixed_width(rep);
    if (width > 0) {
        if (s.len != width) return false;
        memcpy(ret, s.data, width);
    } else if (rep == REP_NUMERIC) {
        if (!numeric__store_valid(s)) return false;
        ret->numeric = numeric_load(s, a);
    } else {
        ret->bytes = bytes_ref(s.data, (uint32_t)s.len);
    }
    return true;
}

enum status array_open(const struct bytes *b, struct arena *a, struct array_view *ret)
{
    struct slice s = bytes_slice(b);
    struct array_view v = {0};
    TRY(read_header(s, &v));
    enum rep rep = type_rep(v.element);
    v.elements = ARENA_ARRAY(a, struct datum, v.count);
    size_t at = HEADER + (size_t)v.ndim * DIMENSION;
    for (uint32_t i = 0; i < v.count; i++) {
        if (s.len - at < 4) return corrupt();
        int32_t len = (int32_t)get_u32(s.data + at);
        at += 4;
        if (len == -1) {
            v.elements[i].null = true;
            continue;
        }
        if (len < 0 || (size_t)len > s.len - at) return corrupt();
        if (!element__read(rep, slice_make(s.data + at, (size_t)len), a, &v.elements[i].v))
            return corrupt();
        at += (size_t)len;
    }
    if (at != s.len) return corrupt();
    *ret = v;
    return OK;
}

void element__write(enum rep rep, const struct datum *d, struct strbuf *out)
{
    if (d->null) {
        put_u32(out, UINT32_MAX);
        return;
    }
    uint32_t width = fixed_width(rep);
    size_t at = out->len;
    put_u32(out, width);
    if (width > 0) {
        strbuf_add(out, &d->v, width);
        return;
    }
    if (rep == REP_NUMERIC)
        numeric_store(&d->v.numeric, out);
    else
        strbuf_add(out, bytes_data(&d->v.bytes), d->v.bytes.len);
    uint32_t len = (uint32_t)(out->len - at - 4);
    memcpy(out->data + at, &len, sizeof len);
}

struct bytes array_make_view(struct arena *a, const struct array_view *v)
{
    ASSERT(v->ndim >= 0 && v->ndim <= ARRAY_DIMS_MAX);
    struct strbuf out;
    strbuf_init(&out, a);
    uint32_t flags = 0;
    int32_t ndim = v->count == 0 ? 0 : v->ndim;
    for (uint32_t i = 0; i < v->count; i++) flags |= v->elements[i].null ? HAS_NULLS : 0;
    put_u32(&out, (uint32_t)ndim);
    put_u32(&out, flags);
    put_u32(&out, v->element);
    for (int32_t i = 0; i < ndim; i++) {
        put_u32(&out, (uint32_t)v->dims[i]);
        put_u32(&out, (uint32_t)v->lower[i]);
    }
    enum rep rep = type_rep(v->element);
    for (uint32_t i = 0; i < v->count; i++) element__write(rep, &v->elements[i], &out);
    ASSERT(out.len <= INT32_MAX);
    return bytes_ref(out.data, (uint32_t)out.len);
}

struct bytes array_make(struct arena *a, type_id element, const struct datum *elements,
                        uint32_t count)
{
    struct array_view v = {
        .element = element,
        .ndim = 1,
        .dims = {(int32_t)count},
        .lower = {1},
        .count = count,
        .elements = (struct datum *)(uintptr_t)elements, /* only read */
    };
    return array_make_view(a, &v);
}
