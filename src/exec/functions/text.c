/* Functions on text: lengths, concatenation, substrings, single characters; and the table of all
 * functions on text and bytea. Positions and lengths count characters of UTF-8, not bytes. */
#include "exec/functions/text_priv.h"

#include "types/array.h"
#include "types/cast.h"

/* --- what the other files share --------------------------------------------------------------- */

uint32_t utf8__decode(const char *p, size_t len)
{
    static const uint8_t lead_mask[5] = {0, 0xff, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)p[0] & lead_mask[len];
    for (size_t i = 1; i < len; i++) code = code << 6 | ((uint8_t)p[i] & 0x3f);
    return code;
}

void utf8__add(struct strbuf *out, uint32_t code)
{
    if (code < 0x80) {
        strbuf_addc(out, (char)code);
        return;
    }
    if (code < 0x800) {
        strbuf_addc(out, (char)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        strbuf_addc(out, (char)(0xe0 | code >> 12));
        strbuf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
    } else {
        strbuf_addc(out, (char)(0xf0 | code >> 18));
        strbuf_addc(out, (char)(0x80 | (code >> 12 & 0x3f)));
        strbuf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    strbuf_addc(out, (char)(0x80 | (code & 0x3f)));
}

int64_t text__find(struct slice s, struct slice needle, size_t from)
{
    if (from > s.len) return -1;
    if (needle.len == 0) return (int64_t)from;
    const char *p = memmem(s.data + from, s.len - from, needle.data, needle.len);
    return p ? p - s.data : -1;
}

enum status text__too_long(void)
{
    return FAIL(PROGRAM_LIMIT_EXCEEDED, "requested length too large");
}

enum status text__ret(const struct strbuf *b, struct datum *ret)
{
    if (b->len > TEXT_BYTES_MAX) return text__too_long();
    return ret_slice(ret, strbuf_slice(b));
}

enum status text__range(int32_t start, bool has_length, int32_t length, size_t total,
                        size_t *ret_begin, size_t *ret_end)
{
    if (has_length && length < 0)
        return FAIL(SUBSTRING_ERROR, "negative substring length not allowed");
    int64_t end = has_length ? (int64_t)start - 1 + length : (int64_t)total;
    int64_t begin = start > 1 ? (int64_t)start - 1 : 0;
    if (begin > (int64_t)total) begin = (int64_t)total;
    if (end > (int64_t)total) end = (int64_t)total;
    *ret_begin = (size_t)begin;
    *ret_end = end > begin ? (size_t)end : (size_t)begin;
    return OK;
}

void text__output(struct call_ctx *c, type_id type, const struct datum *d, struct strbuf *out)
{
    value_to_text(type, &d->v, c->session->format, out);
}

struct slice text__cast(struct call_ctx *c, type_id type, const struct datum *d)
{
    if (type == TYPE_BOOL) return d->v.b ? SLICE("true") : SLICE("false");
    union value text;
    struct strbuf b;
    if (type == TYPE_INET && /* the mask is told, too */
        cast_value(type, TYPE_TEXT, &d->v, c->session->format, c->arena, &text) == OK)
        return slice_dup(c->arena, bytes_slice(&text.bytes));
    strbuf_init(&b, c->arena);
    text__output(c, type, d, &b);
    while (type == TYPE_BPCHAR && b.len > 0 && b.data[b.len - 1] == ' ') b.len--;
    return strbuf_slice(&b);
}

type_id text__arg_type(const struct call_ctx *c, uint32_t i)
{
    ASSERT(c->expr && i < c->expr->arg_count);
    return c->expr->args[i]->type;
}

/* --- lengths ---------------------------------------------------------------------------------- */

static SCALAR(text_length) { return ret_i32(ret, (int32_t)utf8_count(arg_slice(args, 0))); }

static enum status text_length_vec(struct call_ctx *c, const struct vec *const *args,
                                   uint32_t arg_count, const uint16_t *sel, uint32_t count,
                                   struct vec *ret)
{
    (void)c, (void)arg_count;
    const struct bytes *in = VEC_DATA(args[0], const struct bytes);
    int32_t *out = VEC_DATA(ret, int32_t);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = fn_row(sel, i);
        if (nulls_get(ret->nulls, row)) continue;
        out[row] = (int32_t)utf8_count(bytes_slice(&in[fn_at(args[0], row)]));
    }
    return OK;
}

/* Blanks that pad a bpchar are not part of it. */
static SCALAR(bpchar_length)
{
    struct slice s = arg_slice(args, 0);
    while (s.len > 0 && s.data[s.len - 1] == ' ') s.len--;
    return ret_i32(ret, (int32_t)utf8_count(s));
}

static SCALAR(octet_length) { return ret_i32(ret, (int32_t)args[0].v.bytes.len); }

static SCALAR(bit_length)
{
    return ret_i32(ret, (int32_t)(uint32_t)((uint64_t)args[0].v.bytes.len * 8));
}

/* --- concatenation ---------------------------------------------------------------------------- */

static enum status join(struct call_ctx *c, struct slice a, struct slice b, struct datum *ret)
{
    if (a.len + b.len > TEXT_BYTES_MAX) return text__too_long();
    char *p = arena_alloc_aligned(c->arena, a.len + b.len + 1, 1);
    if (a.len) memcpy(p, a.data, a.len);
    if (b.len) memcpy(p + a.len, b.data, b.len);
    return ret_slice(ret, slice_make(p, a.len + b.len));
}

static SCALAR(text_cat) { return join(c, arg_slice(args, 0), arg_slice(args, 1), ret); }

static SCALAR(text_any_cat)
{
    struct slice right = text__cast(c, text__arg_type(c, 1), &args[1]);
    return join(c, arg_slice(args, 0), right, ret);
}

static SCALAR(any_text_cat)
{
    struct slice left = text__cast(c, text__arg_type(c, 0), &args[0]);
    return join(c, left, arg_slice(args, 1), ret);
}

/* The values from `first` on, separated, NULLs left out; of the array when it was given as one. */
static enum status concat_from(struct call_ctx *c, const struct datum *args, uint32_t n,
                               uint32_t first, struct slice separator, struct datum *ret)
{
    struct array_view v = {.count = n > first ? n - first : 0};
    const struct datum *values = args + first;
    bool array = c->expr && c->expr->call.variadic_array;
    if (array) {
        if (args[n - 1].null) return ret_null(ret);
        TRY(array_open(&args[n - 1].v.bytes, c->arena, &v));
        values = v.elements;
    }
    struct strbuf b;
    strbuf_init(&b, c->arena);
    bool any = false;
    for (uint32_t i = 0; i < v.count; i++) {
        if (values[i].null) continue;
        if (any) strbuf_add(&b, separator.data, separator.len);
        any = true;
        text__output(c, array ? v.element : text__arg_type(c, first + i), &values[i], &b);
        if (b.len > TEXT_BYTES_MAX) return text__too_long();
    }
    return text__ret(&b, ret);
}

static SCALAR(text_concat) { return concat_from(c, args, n, 0, SLICE(""), ret); }

static SCALAR(text_concat_ws)
{
    if (args[0].null) return ret_null(ret);
    return concat_from(c, args, n, 1, arg_slice(args, 0), ret);
}

/* --- parts ------------------------------------------------------------------------------------ */

static enum status part(struct slice s, int32_t start, bool has_length, int32_t length,
                        struct datum *ret)
{
    size_t begin, end;
    /* There are no more characters than bytes. */
    TRY(text__range(start, has_length, length, s.len, &begin, &end));
    size_t from = utf8_offset(s, begin);
    struct slice rest = slice_from(s, from);
    if (has_length) rest.len = utf8_offset(rest, end - begin);
    return ret_slice(ret, rest);
}

static SCALAR(text_substr)
{
    return part(arg_slice(args, 0), args[1].v.i32, true, args[2].v.i32, ret);
}

enum { SHORT_PART = 16 };

/* A few characters from the front, which are bytes where none is above 127. */
static bool short_part(struct slice s, int32_t start, int32_t length, struct slice *ret)
{
    if (start < 1 || start > SHORT_PART || length < 0 || length > SHORT_PART) return false;
    size_t begin = (size_t)start - 1, end = begin + (size_t)length;
    if (end > s.len) end = s.len;
    if (begin > end) begin = end;
    unsigned char all = 0;
    for (size_t i = 0; i < end; i++) all |= (unsigned char)s.data[i];
    *ret = (struct slice){s.data + begin, end - begin};
    return all < 128;
}

static enum status text_substr_rows(struct call_ctx *c, const struct vec *const *args, uint32_t n,
                                    const uint16_t *sel, uint32_t count, struct vec *ret)
{
    const struct bytes *texts = VEC_DATA(args[0], const struct bytes);
    const int32_t *starts = VEC_DATA(args[1], const int32_t), *lengths = VEC_DATA(args[2], const int32_t);
    struct bytes *out = VEC_DATA(ret, struct bytes);
    (void)c, (void)n;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = fn_row(sel, i);
        if (nulls_get(ret->nulls, row)) continue;
        struct slice s = bytes_slice(&texts[fn_at(args[0], row)]), few;
        int32_t start = starts[fn_at(args[1], row)], length = lengths[fn_at(args[2], row)];
        if (short_part(s, start, length, &few)) {
            out[row] = bytes_ref(few.data, (uint32_t)few.len);
            continue;
        }
        struct datum d = {.null = false};
        TRY(part(s, start, true, length, &d));
        out[row] = d.v.bytes;
    }
    return OK;
}

static SCALAR(text_substr_from) { return part(arg_slice(args, 0), args[1].v.i32, false, 0, ret); }

/* Below zero: all but that many. */
static SCALAR(text_left)
{
    struct slice s = arg_slice(args, 0);
    int64_t chars = args[1].v.i32;
    if (chars < 0) chars += (int64_t)utf8_count(s);
    s.len = chars > 0 ? utf8_offset(s, (size_t)chars) : 0;
    return ret_slice(ret, s);
}

static SCALAR(text_right)
{
    struct slice s = arg_slice(args, 0);
    int64_t skip = -(int64_t)args[1].v.i32;
    if (skip <= 0) skip += (int64_t)utf8_count(s);
    return ret_slice(ret, slice_from(s, skip > 0 ? utf8_offset(s, (size_t)skip) : 0));
}

static SCALAR(text_position)
{
    struct slice s = arg_slice(args, 0);
    int64_t at = text__find(s, arg_slice(args, 1), 0);
    return ret_i32(ret, at < 0 ? 0 : (int32_t)utf8_count(slice_make(s.data, (size_t)at)) + 1);
}

static SCALAR(text_starts_with)
{
    return ret_bool(ret, slice_starts(arg_slice(args, 0), arg_slice(args, 1)));
}

static enum status overlay(struct call_ctx *c, const struct datum *args, int32_t length,
                           struct datum *ret)
{
    struct slice s = arg_slice(args, 0), put = arg_slice(args, 1);
    int32_t start = args[2].v.i32, after;
    if (start <= 0) return FAIL(SUBSTRING_ERROR, "negative substring length not allowed");
    if (__builtin_add_overflow(start, length, &after))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    size_t keep = utf8_offset(s, (size_t)start - 1);
    size_t from = after > 1 ? utf8_offset(s, (size_t)after - 1) : 0;
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_reserve(&b, keep + put.len + (s.len - from));
    strbuf_add(&b, s.data, keep);
    strbuf_add(&b, put.data, put.len);
    strbuf_add(&b, s.data + from, s.len - from);
    return text__ret(&b, ret);
}

static SCALAR(text_overlay) { return overlay(c, args, args[3].v.i32, ret); }

static SCALAR(text_overlay_all)
{
    return overlay(c, args, (int32_t)utf8_count(arg_slice(args, 1)), ret);
}

/* --- single characters and numbers ------------------------------------------------------------ */

static SCALAR(text_ascii)
{
    struct slice s = arg_slice(args, 0);
    if (s.len == 0) return ret_i32(ret, 0);
    return ret_i32(ret, (int32_t)utf8__decode(s.data, utf8_len(s.data, s.data + s.len)));
}

static SCALAR(text_chr)
{
    int32_t code = args[0].v.i32;
    if (code < 0) return FAIL(INVALID_PARAMETER_VALUE, "character number must be positive");
    if (code == 0) return FAIL(PROGRAM_LIMIT_EXCEEDED, "null character not permitted");
    if (code > 0x10ffff)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "requested character too large for encoding: %u",
                    (unsigned)code);
    if (code >= 0xd800 && code <= 0xdfff)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "requested character not valid for encoding: %u",
                    (unsigned)code);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    utf8__add(&b, (uint32_t)code);
    return text__ret(&b, ret);
}

static enum status hex_of(struct call_ctx *c, uint64_t x, struct datum *ret)
{
    return ret_slice(ret, slice_of(arena_printf(c->arena, "%llx", (unsigned long long)x)));
}

static SCALAR(to_hex32) { return hex_of(c, (uint32_t)args[0].v.i32, ret); }
static SCALAR(to_hex64) { return hex_of(c, (uint64_t)args[0].v.i64, ret); }

/* --- the table -------------------------------------------------------------------------------- */

const struct proc_binding exec__text_functions[] = {
    {"textlen", text_length, text_length_vec}, {"bpcharlen", bpchar_length, NULL},
    {"textoctetlen", octet_length, NULL}, {"bpcharoctetlen", octet_length, NULL},
    {"byteaoctetlen", octet_length, NULL}, {"bit_length_sql1811", bit_length, NULL},
    {"bit_length_sql1810", bit_length, NULL}, {"textcat", text_cat, NULL},
    {"textanycat_sql2003", text_any_cat, NULL}, {"anytextcat_sql2004", any_text_cat, NULL},
    {"text_concat", text_concat, NULL}, {"text_concat_ws", text_concat_ws, NULL},
    {"text_substr", text_substr, text_substr_rows}, {"text_substr_no_len", text_substr_from, NULL},
    {"text_left", text_left, NULL}, {"text_right", text_right, NULL},
    {"textpos", text_position, NULL}, {"text_starts_with", text_starts_with, NULL},
    {"textoverlay", text_overlay, NULL}, {"textoverlay_no_len", text_overlay_all, NULL},
    {"ascii", text_ascii, NULL}, {"chr", text_chr, NULL},
    {"to_hex32", to_hex32, NULL}, {"to_hex64", to_hex64, NULL},
    {"lower", text__lower, NULL}, {"upper", text__upper, NULL}, {"initcap", text__initcap, NULL},
    {"lpad", text__lpad, NULL}, {"rpad", text__rpad, NULL},
    {"lpad_sql879", text__lpad_blank, NULL}, {"rpad_sql880", text__rpad_blank, NULL},
    {"btrim", text__btrim, NULL}, {"ltrim", text__ltrim, NULL}, {"rtrim", text__rtrim, NULL},
    {"btrim1", text__btrim_blank, NULL}, {"ltrim1", text__ltrim_blank, NULL},
    {"rtrim1", text__rtrim_blank, NULL}, {"repeat", text__repeat, NULL},
    {"text_reverse", text__reverse, NULL}, {"translate", text__translate, NULL},
    {"replace_text", text__replace, NULL}, {"split_part", text__split_part, NULL},
    {"quote_ident", text__ident, NULL}, {"quote_literal", text__literal, NULL},
    {"quote_literal_sql1285", text__literal_any, NULL}, {"quote_nullable", text__nullable, NULL},
    {"quote_nullable_sql1290", text__nullable_any, NULL}, {"text_format", text__format, NULL},
    {"text_format_nv", text__format_plain, NULL},
    {"textlike", like__text, like__text_rows},
    {"textnlike", like__text_not, like__text_not_rows},
    {"namelike", like__text, like__text_rows},
    {"namenlike", like__text_not, like__text_not_rows},
    {"texticlike", like__itext, like__itext_rows},
    {"texticnlike", like__itext_not, like__itext_not_rows},
    {"nameiclike", like__itext, like__itext_rows},
    {"nameicnlike", like__itext_not, like__itext_not_rows},
    {"bytealike", like__bytea, NULL}, {"byteanlike", like__bytea_not, NULL},
    {"like_escape", like__escape, NULL}, {"like_escape_bytea", like__escape_bytea, NULL},
    {"similar_escape", like__similar, NULL}, {"similar_to_escape_2", like__similar_2, NULL},
    {"similar_to_escape_1", like__similar_1, NULL},
    {"byteaGetBit", bytea__get_bit, NULL}, {"byteaSetBit", bytea__set_bit, NULL},
    {"bytea_bit_count", bytea__bit_count, NULL}, {"unistr", unicode__unistr, NULL},
    {"unicode_normalize_func", unicode__normalize, NULL},
    {"unicode_is_normalized", unicode__is_normalized, NULL},
    {"byteaGetByte", bytea__get_byte, NULL}, {"byteaSetByte", bytea__set_byte, NULL},
    {"bytea_substr", bytea__substr, NULL}, {"bytea_substr_no_len", bytea__substr_from, NULL},
    {"byteaoverlay", bytea__overlay, NULL}, {"byteaoverlay_no_len", bytea__overlay_all, NULL},
    {"byteapos", bytea__position, NULL}, {"byteacat", text_cat, NULL},
    {"byteatrim", bytea__btrim, NULL}, {"bytealtrim", bytea__ltrim, NULL},
    {"byteartrim", bytea__rtrim, NULL}, {"binary_encode", bytea__encode, NULL},
    {"binary_decode", bytea__decode, NULL}, {"md5_text", bytea__md5, NULL},
    {"md5_bytea", bytea__md5, NULL}, {"sha224_bytea", bytea__sha224, NULL},
    {"sha256_bytea", bytea__sha256, NULL}, {"sha384_bytea", bytea__sha384, NULL},
    {"sha512_bytea", bytea__sha512, NULL}, {"pg_convert_from", bytea__convert_from, NULL},
    {"pg_convert_to", bytea__convert_to, NULL}, {"length_in_encoding", bytea__length_in, NULL},
    {"textregexeq", regexp__match, NULL}, {"textregexne", regexp__match_not, NULL},
    {"texticregexeq", regexp__imatch, NULL}, {"texticregexne", regexp__imatch_not, NULL},
    {"nameregexeq", regexp__match, NULL}, {"nameregexne", regexp__match_not, NULL},
    {"nameicregexeq", regexp__imatch, NULL}, {"nameicregexne", regexp__imatch_not, NULL},
    {"textregexreplace_noopt", regexp__replace, NULL}, {"textregexreplace", regexp__replace, NULL},
    {"textregexreplace_extended", regexp__replace_n, NULL},
    {"textregexreplace_extended_no_flags", regexp__replace_n, NULL},
    {"textregexreplace_extended_no_n", regexp__replace_n, NULL},
    {"regexp_match", regexp__array, NULL}, {"regexp_match_no_flags", regexp__array, NULL},
    {"regexp_split_to_array", regexp__split_array, NULL},
    {"regexp_split_to_array_no_flags", regexp__split_array, NULL},
    {"regexp_count", regexp__count, NULL}, {"regexp_count_no_start", regexp__count, NULL},
    {"regexp_count_no_flags", regexp__count, NULL},
    {"regexp_instr", regexp__instr, NULL}, {"regexp_instr_no_start", regexp__instr, NULL},
    {"regexp_instr_no_n", regexp__instr, NULL}, {"regexp_instr_no_endoption", regexp__instr, NULL},
    {"regexp_instr_no_flags", regexp__instr, NULL},
    {"regexp_instr_no_subexpr", regexp__instr, NULL},
    {"regexp_like", regexp__like, NULL}, {"regexp_like_no_flags", regexp__like, NULL},
    {"regexp_substr", regexp__substr, NULL}, {"regexp_substr_no_start", regexp__substr, NULL},
    {"regexp_substr_no_n", regexp__substr, NULL}, {"regexp_substr_no_flags", regexp__substr, NULL},
    {"regexp_substr_no_subexpr", regexp__substr, NULL},
    {"textregexsubstr", regexp__substring, NULL},
    {"substring_sql2074", regexp__substring_similar, NULL},
};
BINDING_COUNT(text)
