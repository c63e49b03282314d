/* Functions on bytea: parts, single bytes, digests, and its ways to and from text. */
#include "exec/functions/text_priv.h"

#include <stdio.h>

#include "base/crypto.h"

/* --- parts ------------------------------------------------------------------------------------ */

static enum status index_out_of_range(int64_t index, uint32_t len)
{
    return FAIL(ARRAY_SUBSCRIPT_ERROR, "index %lld out of valid range, 0..%d", (long long)index,
                (int)len - 1);
}

SCALAR(bytea__get_byte)
{
    struct slice s = arg_slice(args, 0);
    int32_t i = args[1].v.i32;
    if (i < 0 || (size_t)i >= s.len) return index_out_of_range(i, args[0].v.bytes.len);
    return ret_i32(ret, (uint8_t)s.data[i]);
}

SCALAR(bytea__set_byte)
{
    struct slice s = arg_slice(args, 0);
    int32_t i = args[1].v.i32;
    if (i < 0 || (size_t)i >= s.len) return index_out_of_range(i, args[0].v.bytes.len);
    char *copy = arena_memdup(c->arena, s.data, s.len);
    copy[i] = (char)args[2].v.i32;
    return ret_slice(ret, slice_make(copy, s.len));
}

/* Bits count from the lowest of the first byte. */
static enum status check_bit(struct slice s, int64_t i)
{
    int64_t bits = (int64_t)s.len * 8;
    if (i >= 0 && i < bits) return OK;
    return FAIL(ARRAY_SUBSCRIPT_ERROR, "index %lld out of valid range, 0..%lld", (long long)i,
                (long long)bits - 1);
}

SCALAR(bytea__get_bit)
{
    struct slice s = arg_slice(args, 0);
    int64_t i = args[1].v.i64;
    TRY(check_bit(s, i));
    return ret_i32(ret, (uint8_t)s.data[i / 8] >> i % 8 & 1);
}

SCALAR(bytea__set_bit)
{
    struct slice s = arg_slice(args, 0);
    int64_t i = args[1].v.i64;
    int32_t bit = args[2].v.i32;
    TRY(check_bit(s, i));
    if (bit != 0 && bit != 1) return FAIL(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1");
    char *copy = arena_memdup(c->arena, s.data, s.len);
    copy[i / 8] = (char)((copy[i / 8] & ~(1 << i % 8)) | bit << i % 8);
    return ret_slice(ret, slice_make(copy, s.len));
}

SCALAR(bytea__bit_count)
{
    struct slice s = arg_slice(args, 0);
    int64_t count = 0;
    for (size_t i = 0; i < s.len; i++) count += __builtin_popcount((uint8_t)s.data[i]);
    ret->v.i64 = count;
    return OK;
}

static enum status part(const struct datum *args, bool has_length, int32_t length,
                        struct datum *ret)
{
    struct slice s = arg_slice(args, 0);
    size_t begin, end;
    TRY(text__range(args[1].v.i32, has_length, length, s.len, &begin, &end));
    return ret_slice(ret, slice_make(s.data + begin, end - begin));
}

SCALAR(bytea__substr) { return part(args, true, args[2].v.i32, ret); }
SCALAR(bytea__substr_from) { return part(args, false, 0, ret); }

static enum status overlay(struct call_ctx *c, const struct datum *args, int32_t length,
                           struct datum *ret)
{
    struct slice s = arg_slice(args, 0), put = arg_slice(args, 1);
    int32_t start = args[2].v.i32, after;
    if (start <= 0) return FAIL(SUBSTRING_ERROR, "negative substring length not allowed");
    if (__builtin_add_overflow(start, length, &after))
        return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    size_t keep = (size_t)start - 1 < s.len ? (size_t)start - 1 : s.len;
    size_t from = after > 1 ? (size_t)after - 1 : 0;
    if (from > s.len) from = s.len;
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_add(&b, s.data, keep);
    strbuf_add(&b, put.data, put.len);
    strbuf_add(&b, s.data + from, s.len - from);
    return text__ret(&b, ret);
}

SCALAR(bytea__overlay) { return overlay(c, args, args[3].v.i32, ret); }
SCALAR(bytea__overlay_all) { return overlay(c, args, (int32_t)args[1].v.bytes.len, ret); }

SCALAR(bytea__position)
{
    return ret_i32(ret, (int32_t)text__find(arg_slice(args, 0), arg_slice(args, 1), 0) + 1);
}

static enum status trim(const struct datum *args, bool left, bool right, struct datum *ret)
{
    struct slice s = arg_slice(args, 0), set = arg_slice(args, 1);
    if (set.len == 0) return ret_slice(ret, s);
    for (; left && s.len && memchr(set.data, s.data[0], set.len); s.len--) s.data++;
    for (; right && s.len && memchr(set.data, s.data[s.len - 1], set.len);) s.len--;
    return ret_slice(ret, s);
}

SCALAR(bytea__btrim) { return trim(args, true, true, ret); }
SCALAR(bytea__ltrim) { return trim(args, true, false, ret); }
SCALAR(bytea__rtrim) { return trim(args, false, true, ret); }

/* --- digests ---------------------------------------------------------------------------------- */

SCALAR(bytea__md5)
{
    uint8_t digest[DIGEST_BYTES_MAX];
    size_t len = crypto_digest(DIGEST_MD5, arg_slice(args, 0), digest);
    char *hex = arena_alloc(c->arena, 2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    return ret_slice(ret, slice_make(hex, 2 * len));
}

static enum status sha(struct call_ctx *c, enum digest kind, const struct datum *args,
                       struct datum *ret)
{
    uint8_t digest[DIGEST_BYTES_MAX];
    size_t len = crypto_digest(kind, arg_slice(args, 0), digest);
    return ret_bytes(ret, bytes_copy(c->arena, (const char *)digest, (uint32_t)len));
}

SCALAR(bytea__sha224) { return sha(c, DIGEST_SHA224, args, ret); }
SCALAR(bytea__sha256) { return sha(c, DIGEST_SHA256, args, ret); }
SCALAR(bytea__sha384) { return sha(c, DIGEST_SHA384, args, ret); }
SCALAR(bytea__sha512) { return sha(c, DIGEST_SHA512, args, ret); }

/* --- encode and decode ------------------------------------------------------------------------ */

enum { BASE64_LINE = 57 }; /* bytes that make a line of 76 characters, as in MIME */

static void encode_base64(struct slice s, struct strbuf *out)
{
    for (size_t at = 0; at < s.len; at += BASE64_LINE) {
        size_t len = s.len - at < BASE64_LINE ? s.len - at : BASE64_LINE;
        if (at) strbuf_addc(out, '\n');
        base64_encode(slice_make(s.data + at, len), out);
    }
}

static void encode_escape(struct slice s, struct strbuf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t b = (uint8_t)s.data[i];
        if (b == 0 || b >= 0x80)
            strbuf_addf(out, "\\%03o", b);
        else if (b == '\\')
            strbuf_adds(out, "\\\\");
        else
            strbuf_addc(out, (char)b);
    }
}

static enum status unknown_encoding(struct slice name)
{
    return FAIL(INVALID_PARAMETER_VALUE, "unrecognized encoding: \"%.*s\"", (int)name.len,
                name.data);
}

SCALAR(bytea__encode)
{
    struct slice s = arg_slice(args, 0), name = arg_slice(args, 1);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    if (slice_eq_nocase(name, SLICE("hex"))) {
        strbuf_reserve(&b, 2 * s.len);
        for (size_t i = 0; i < s.len; i++) {
            strbuf_addc(&b, "0123456789abcdef"[(uint8_t)s.data[i] >> 4]);
            strbuf_addc(&b, "0123456789abcdef"[s.data[i] & 15]);
        }
    } else if (slice_eq_nocase(name, SLICE("base64"))) {
        encode_base64(s, &b);
    } else if (slice_eq_nocase(name, SLICE("escape"))) {
        encode_escape(s, &b);
    } else {
        return unknown_encoding(name);
    }
    return text__ret(&b, ret);
}

static int base64_value(char ch)
{
    if (ch >= 'A' && ch <= 'Z') return ch - 'A';
    if (ch >= 'a' && ch <= 'z') return ch - 'a' + 26;
    if (ch >= '0' && ch <= '9') return ch - '0' + 52;
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

static bool is_blank(char ch) { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r'; }

static enum status decode_base64(struct slice s, struct strbuf *out)
{
    uint32_t bits = 0, have = 0, end = 0; /* end: bytes of the last four signs, and of those after them */
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.data[i];
        if (is_blank(ch)) continue;
        int value = 0;
        if (ch == '=') {
            if (have < 2 && !end)
                return FAIL(INVALID_PARAMETER_VALUE,
                            "unexpected \"=\" while decoding base64 sequence");
            if (!end) end = have - 1;
        } else if ((value = base64_value(ch)) < 0) {
            return FAIL(INVALID_PARAMETER_VALUE,
                        "invalid symbol \"%.*s\" found while decoding base64 sequence",
                        (int)utf8_len(s.data + i, s.data + s.len), s.data + i);
        }
        bits = bits << 6 | (uint32_t)value;
        if (++have < 4) continue;
        strbuf_addc(out, (char)(bits >> 16));
        if (end != 1) strbuf_addc(out, (char)(bits >> 8));
        if (!end) strbuf_addc(out, (char)bits);
        bits = have = 0;
    }
    if (have == 0) return OK;
    FAIL(INVALID_PARAMETER_VALUE, "invalid base64 end sequence");
    return error_hint("Input data is missing padding, is truncated, or is otherwise corrupted.");
}

static enum status decode_by_input(struct call_ctx *c, const char *prefix, struct slice s,
                                   struct datum *ret)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_adds(&b, prefix);
    strbuf_add(&b, s.data, s.len);
    return value_from_text(TYPE_BYTEA, -1, strbuf_slice(&b), c->session->format, c->arena,
                           &ret->v);
}

SCALAR(bytea__decode)
{
    struct slice s = arg_slice(args, 0), name = arg_slice(args, 1);
    if (slice_eq_nocase(name, SLICE("hex"))) return decode_by_input(c, "\\x", s, ret);
    if (slice_eq_nocase(name, SLICE("escape"))) {
        if (slice_starts(s, SLICE("\\x"))) /* which bytea's input would take as hex */
            return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s", "bytea");
        return decode_by_input(c, "", s, ret);
    }
    if (!slice_eq_nocase(name, SLICE("base64"))) return unknown_encoding(name);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    TRY(decode_base64(s, &b));
    return text__ret(&b, ret);
}

/* --- character encodings: UTF-8 itself and its subset of one byte a character ----------------- */

enum charset { CHARSET_UTF8, CHARSET_LATIN1, CHARSET_ASCII, CHARSET_UNKNOWN };

static enum charset charset_of(struct slice name)
{
    char plain[32];
    size_t len = 0;
    for (size_t i = 0; i < name.len && len < sizeof plain - 1; i++) {
        char ch = name.data[i];
        if (ch >= 'A' && ch <= 'Z') ch = (char)(ch + 32);
        if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) plain[len++] = ch;
    }
    plain[len] = '\0';
    if (strcmp(plain, "utf8") == 0 || strcmp(plain, "unicode") == 0) return CHARSET_UTF8;
    if (strcmp(plain, "latin1") == 0 || strcmp(plain, "iso88591") == 0) return CHARSET_LATIN1;
    return strcmp(plain, "sqlascii") == 0 ? CHARSET_ASCII : CHARSET_UNKNOWN;
}

/* Bytes of the well-formed character at p; 0 when it is none. NUL is none in text. */
static size_t valid_char(const char *p, const char *end)
{
    uint8_t first = (uint8_t)*p;
    size_t len = utf8_len(p, end);
    if (first == 0) return 0;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    if (len != (first < 0xe0 ? 2u : first < 0xf0 ? 3u : 4u)) return 0;
    for (size_t i = 1; i < len; i++)
        if (((uint8_t)p[i] & 0xc0) != 0x80) return 0;
    uint32_t code = utf8__decode(p, len);
    if (len == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return 0;
    return len == 4 && (code < 0x10000 || code > 0x10ffff) ? 0 : len;
}

static enum status check_utf8(struct slice s)
{
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = valid_char(p, end);
        if (len == 0) {
            char shown[4 * 5 + 1] = "";
            size_t bytes = (uint8_t)*p < 0xf8 ? utf8_len(p, end) : 1;
            for (size_t i = 0; i < bytes; i++)
                snprintf(shown + 5 * i, 6, "0x%02x ", (uint8_t)p[i]);
            shown[5 * bytes - 1] = '\0';
            return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                        "invalid byte sequence for encoding \"UTF8\": %s", shown);
        }
        p += len;
    }
    return OK;
}

static enum status no_charset(const char *what, struct slice name)
{
    return FAIL(INVALID_PARAMETER_VALUE, "invalid %sencoding name \"%.*s\"", what, (int)name.len,
                name.data);
}

SCALAR(bytea__convert_from)
{
    struct slice s = arg_slice(args, 0), name = arg_slice(args, 1);
    enum charset from = charset_of(name);
    if (from == CHARSET_UNKNOWN) return no_charset("source ", name);
    if (from != CHARSET_LATIN1) {
        TRY(check_utf8(s));
        return ret_slice(ret, s);
    }
    struct strbuf b;
    strbuf_init(&b, c->arena);
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == 0)
            return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                        "invalid byte sequence for encoding \"LATIN1\": 0x00");
        utf8__add(&b, (uint8_t)s.data[i]);
    }
    return text__ret(&b, ret);
}

SCALAR(bytea__convert_to)
{
    struct slice s = arg_slice(args, 0), name = arg_slice(args, 1);
    enum charset to = charset_of(name);
    if (to == CHARSET_UNKNOWN) return no_charset("destination ", name);
    if (to != CHARSET_LATIN1) return ret_slice(ret, s);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = utf8_len(p, end);
        uint32_t code = utf8__decode(p, len);
        if (code > 0xff) {
            struct strbuf shown;
            strbuf_init(&shown, c->arena);
            for (size_t i = 0; i < len; i++)
                strbuf_addf(&shown, "%s0x%02x", i ? " " : "", (uint8_t)p[i]);
            return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                        "character with byte sequence %s in encoding \"UTF8\" has no equivalent in "
                        "encoding \"LATIN1\"",
                        shown.data);
        }
        strbuf_addc(&b, (char)code);
        p += len;
    }
    return text__ret(&b, ret);
}

SCALAR(bytea__length_in)
{
    struct slice s = arg_slice(args, 0), name = arg_slice(args, 1);
    enum charset charset = charset_of(name);
    if (charset == CHARSET_UNKNOWN) return no_charset("", name);
    if (charset != CHARSET_UTF8) return ret_i32(ret, (int32_t)s.len);
    TRY(check_utf8(s));
    return ret_i32(ret, (int32_t)utf8_count(s));
}
