/* Thrift's compact protocol (apache/thrift, doc/specs/thrift-compact-protocol.md), as far as
 * Parquet uses it. The reader never looks beyond its bytes; after the first thing that is wrong it
 * gives zeros, and `bad` tells, so that callers ask once at the end. */
#include "formats/parquet/parquet_priv.h"

enum { DEPTH_MAX = 32 };

/* --- reading -------------------------------------------------------------------------------- */

static uint8_t byte(struct thrift *t)
{
    if (t->p == t->end) t->bad = true;
    return t->bad ? 0 : *t->p++;
}

static uint64_t varint(struct thrift *t)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = byte(t);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
    t->bad = true;
    return 0;
}

static int64_t zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool thrift__field(struct thrift *t, struct thrift_field *f)
{
    uint8_t head = byte(t);
    if (t->bad || head == 0) return false;
    f->type = head & 15;
    f->id = head >> 4 ? f->id + (head >> 4) : (int32_t)zigzag(varint(t));
    if (f->type > THRIFT_STRUCT || f->type == THRIFT_STOP) t->bad = true;
    return !t->bad;
}

int64_t thrift__int(struct thrift *t, const struct thrift_field *f, int64_t otherwise)
{
    switch (f->type) {
    case THRIFT_BYTE: return (int8_t)byte(t);
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: return zigzag(varint(t));
    default: thrift__skip(t, f->type); return otherwise;
    }
}

bool thrift__bool(struct thrift *t, const struct thrift_field *f)
{
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE) thrift__skip(t, f->type);
    return f->type == THRIFT_TRUE;
}

struct slice thrift__element_binary(struct thrift *t)
{
    uint64_t n = varint(t);
    if (n > (uint64_t)(t->end - t->p)) t->bad = true;
    if (t->bad) return SLICE("");
    t->p += n;
    return slice_make(t->p - n, (size_t)n);
}

struct slice thrift__binary(struct thrift *t, const struct thrift_field *f)
{
    if (f->type == THRIFT_BINARY) return thrift__element_binary(t);
    thrift__skip(t, f->type);
    return SLICE("");
}

static uint32_t list_head(struct thrift *t, enum thrift_type *ret)
{
    uint8_t head = byte(t);
    uint64_t n = head >> 4;
    *ret = head & 15;
    if (n == 15) n = varint(t);
    /* An element takes a byte at least. */
    if (n > (uint64_t)(t->end - t->p) || *ret > THRIFT_STRUCT) t->bad = true;
    return t->bad ? 0 : (uint32_t)n;
}

uint32_t thrift__list(struct thrift *t, const struct thrift_field *f, enum thrift_type want)
{
    enum thrift_type of;
    if (f->type != THRIFT_LIST && f->type != THRIFT_SET) return thrift__skip(t, f->type), 0;
    uint32_t n = list_head(t, &of);
    if (of == want) return n;
    for (uint32_t i = 0; i < n && !t->bad; i++)
        thrift__skip(t, of == THRIFT_TRUE || of == THRIFT_FALSE ? THRIFT_BYTE : of);
    return 0;
}

bool thrift__enter(struct thrift *t, const struct thrift_field *f)
{
    if (f && f->type != THRIFT_STRUCT) return thrift__skip(t, f->type), false;
    if (t->depth++ == DEPTH_MAX) t->bad = true;
    return true;
}

void thrift__leave(struct thrift *t)
{
    t->depth--;
}

static void skip_bytes(struct thrift *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->p)) t->bad = true;
    else t->p += n;
}

static void skip_collection(struct thrift *t, bool map)
{
    enum thrift_type of[2];
    uint64_t n;
    if (map) {
        n = varint(t);
        uint8_t types = n ? byte(t) : 0;
        of[0] = types >> 4;
        of[1] = types & 15;
        if (n > (uint64_t)(t->end - t->p)) t->bad = true;
    } else {
        n = list_head(t, &of[0]);
    }
    /* A boolean in a collection is a byte, as a field it is none. */
    for (int k = 0; k <= map && n > 0; k++)
        if (of[k] == THRIFT_TRUE || of[k] == THRIFT_FALSE) of[k] = THRIFT_BYTE;
    for (uint64_t i = 0; i < n && !t->bad; i++)
        for (int k = 0; k <= map; k++) thrift__skip(t, of[k]);
}

void thrift__skip(struct thrift *t, enum thrift_type type)
{
    struct thrift_field f = {0};
    if (t->bad) return;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE: return;
    case THRIFT_BYTE: (void)byte(t); return;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: (void)varint(t); return;
    case THRIFT_DOUBLE: skip_bytes(t, 8); return;
    case THRIFT_BINARY: (void)thrift__element_binary(t); return;
    default: break;
    }
    if (type == THRIFT_STOP || type > THRIFT_STRUCT || t->depth == DEPTH_MAX) {
        t->bad = true;
        return;
    }
    t->depth++;
    if (type == THRIFT_STRUCT)
        while (thrift__field(t, &f)) thrift__skip(t, f.type);
    else skip_collection(t, type == THRIFT_MAP);
    t->depth--;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_varint(struct strbuf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) strbuf_addc(b, (char)(v | 0x80));
    strbuf_addc(b, (char)v);
}

static uint64_t zig(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void head(struct thrift_out *o, int32_t id, enum thrift_type type)
{
    int32_t *last = &o->last[o->depth];
    ASSERT(id > *last && id - *last < 16);
    strbuf_addc(o->b, (char)((id - *last) << 4 | (int)type));
    *last = id;
}

void thrift__put_int(struct thrift_out *o, int32_t id, enum thrift_type type, int64_t v)
{
    head(o, id, type);
    if (type == THRIFT_BYTE) strbuf_addc(o->b, (char)v);
    else put_varint(o->b, zig(v));
}

void thrift__put_bool(struct thrift_out *o, int32_t id, bool v)
{
    head(o, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift__put_element_binary(struct thrift_out *o, struct slice s)
{
    put_varint(o->b, s.len);
    strbuf_add(o->b, s.data, s.len);
}

void thrift__put_binary(struct thrift_out *o, int32_t id, struct slice s)
{
    head(o, id, THRIFT_BINARY);
    thrift__put_element_binary(o, s);
}

void thrift__put_list(struct thrift_out *o, int32_t id, enum thrift_type of, uint32_t count)
{
    head(o, id, THRIFT_LIST);
    strbuf_addc(o->b, (char)((count < 15 ? count : 15) << 4 | (uint32_t)of));
    if (count >= 15) put_varint(o->b, count);
}

void thrift__put_element_int(struct thrift_out *o, int64_t v)
{
    put_varint(o->b, zig(v));
}

void thrift__put_struct(struct thrift_out *o, int32_t id)
{
    if (id > 0) head(o, id, THRIFT_STRUCT);
    o->depth++;
    ASSERT(o->depth < (int)(sizeof o->last / sizeof *o->last));
    o->last[o->depth] = 0;
}

void thrift__put_end(struct thrift_out *o)
{
    strbuf_addc(o->b, 0);
    o->depth--;
}
