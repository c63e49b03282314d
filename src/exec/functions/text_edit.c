/* Functions that fill, trim and rewrite text: lpad, trim, repeat, reverse, translate, replace,
 * split_part. */
#include "exec/functions/text_priv.h"

#include "base/fiber.h"

enum { COPY_BYTES = 1 << 20 };

/* --- padding ---------------------------------------------------------------------------------- */

/* `chars` characters of `fill`, over and over. */
static void add_fill(struct strbuf *b, struct slice fill, size_t chars)
{
    size_t per_round = utf8_count(fill);
    for (; chars >= per_round; chars -= per_round) strbuf_add(b, fill.data, fill.len);
    strbuf_add(b, fill.data, utf8_offset(fill, chars));
}

static enum status pad(struct call_ctx *c, const struct datum *args, struct slice fill, bool left,
                       struct datum *ret)
{
    struct slice s = arg_slice(args, 0);
    size_t want = args[1].v.i32 > 0 ? (size_t)args[1].v.i32 : 0, have = utf8_count(s);
    if (have >= want || fill.len == 0) {
        s.len = utf8_offset(s, want);
        return ret_slice(ret, s);
    }
    if ((want - have) * (fill.len / utf8_count(fill)) + s.len > TEXT_BYTES_MAX)
        return text__too_long();
    struct strbuf b;
    strbuf_init(&b, c->arena);
    if (left) add_fill(&b, fill, want - have);
    strbuf_add(&b, s.data, s.len);
    if (!left) add_fill(&b, fill, want - have);
    return text__ret(&b, ret);
}

SCALAR(text__lpad) { return pad(c, args, arg_slice(args, 2), true, ret); }
SCALAR(text__rpad) { return pad(c, args, arg_slice(args, 2), false, ret); }
SCALAR(text__lpad_blank) { return pad(c, args, SLICE(" "), true, ret); }
SCALAR(text__rpad_blank) { return pad(c, args, SLICE(" "), false, ret); }

/* --- trimming --------------------------------------------------------------------------------- */

static bool has_char(struct slice set, const char *p, size_t len)
{
    for (const char *q = set.data, *end = set.data + set.len; q < end;) {
        size_t q_len = utf8_len(q, end);
        if (q_len == len && memcmp(p, q, len) == 0) return true;
        q += q_len;
    }
    return false;
}

static enum status trim(struct slice s, struct slice set, bool left, bool right, struct datum *ret)
{
    const char *p = s.data, *end = s.data + s.len;
    while (left && p < end) {
        size_t len = utf8_len(p, end);
        if (!has_char(set, p, len)) break;
        p += len;
    }
    while (right && p < end) {
        const char *last = end - 1;
        while (last > p && ((uint8_t)*last & 0xc0) == 0x80) last--;
        if (!has_char(set, last, (size_t)(end - last))) break;
        end = last;
    }
    return ret_slice(ret, slice_make(p, (size_t)(end - p)));
}

SCALAR(text__btrim) { return trim(arg_slice(args, 0), arg_slice(args, 1), true, true, ret); }
SCALAR(text__ltrim) { return trim(arg_slice(args, 0), arg_slice(args, 1), true, false, ret); }
SCALAR(text__rtrim) { return trim(arg_slice(args, 0), arg_slice(args, 1), false, true, ret); }
SCALAR(text__btrim_blank) { return trim(arg_slice(args, 0), SLICE(" "), true, true, ret); }
SCALAR(text__ltrim_blank) { return trim(arg_slice(args, 0), SLICE(" "), true, false, ret); }
SCALAR(text__rtrim_blank) { return trim(arg_slice(args, 0), SLICE(" "), false, true, ret); }

/* --- rewriting -------------------------------------------------------------------------------- */

SCALAR(text__repeat)
{
    struct slice s = arg_slice(args, 0);
    size_t times = args[1].v.i32 > 0 ? (size_t)args[1].v.i32 : 0;
    if (s.len * times > TEXT_BYTES_MAX) return text__too_long();
    size_t all = s.len * times, have = s.len < all ? s.len : all;
    size_t most = s.len && s.len < COPY_BYTES ? COPY_BYTES / s.len * s.len : s.len;
    char *p = arena_alloc_aligned(c->arena, all + 1, 1);
    if (have) memcpy(p, s.data, have);
    while (have < all) { /* what is there is copied behind itself: whole pieces, ever more */
        size_t piece = have < most ? have : most;
        if (piece > all - have) piece = all - have;
        if (piece == most && c->session && c->session->waiter && waiter_canceled(c->session->waiter))
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
        memcpy(p + have, p, piece);
        have += piece;
    }
    return ret_slice(ret, slice_make(p, all));
}

SCALAR(text__reverse)
{
    struct slice s = arg_slice(args, 0);
    char *p = arena_alloc_aligned(c->arena, s.len + 1, 1), *to = p + s.len;
    for (const char *from = s.data, *end = s.data + s.len; from < end;) {
        size_t len = utf8_len(from, end);
        to -= len;
        memcpy(to, from, len);
        from += len;
    }
    return ret_slice(ret, slice_make(p, s.len));
}

/* The character of `to` at the place where `from` has this one; empty: dropped, p itself: kept. */
static struct slice translated(const char *p, size_t len, struct slice from, struct slice to)
{
    const char *t = to.data, *t_end = to.data + to.len;
    for (const char *f = from.data, *f_end = from.data + from.len; f < f_end;) {
        size_t f_len = utf8_len(f, f_end), t_len = t < t_end ? utf8_len(t, t_end) : 0;
        if (f_len == len && memcmp(f, p, len) == 0) return slice_make(t, t_len);
        f += f_len;
        t += t_len;
    }
    return slice_make(p, len);
}

SCALAR(text__translate)
{
    struct slice s = arg_slice(args, 0), from = arg_slice(args, 1), to = arg_slice(args, 2);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    strbuf_reserve(&b, s.len);
    for (const char *p = s.data, *end = s.data + s.len; p < end;) {
        size_t len = utf8_len(p, end);
        struct slice t = translated(p, len, from, to);
        strbuf_add(&b, t.data, t.len);
        p += len;
    }
    return text__ret(&b, ret);
}

SCALAR(text__replace)
{
    struct slice s = arg_slice(args, 0), from = arg_slice(args, 1), to = arg_slice(args, 2);
    int64_t at = from.len ? text__find(s, from, 0) : -1;
    if (at < 0) return ret_slice(ret, s);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    size_t done = 0;
    for (; at >= 0; at = text__find(s, from, done)) {
        strbuf_add(&b, s.data + done, (size_t)at - done);
        strbuf_add(&b, to.data, to.len);
        if (b.len > TEXT_BYTES_MAX) return text__too_long();
        done = (size_t)at + from.len;
    }
    strbuf_add(&b, s.data + done, s.len - done);
    return text__ret(&b, ret);
}

/* Fields count from 1, or from the end below zero; beyond them is the empty string. */
SCALAR(text__split_part)
{
    struct slice s = arg_slice(args, 0), separator = arg_slice(args, 1);
    int64_t field = args[2].v.i32;
    if (field == 0) return FAIL(INVALID_PARAMETER_VALUE, "field position must not be zero");
    if (s.len == 0) return ret_slice(ret, SLICE(""));
    if (separator.len == 0) return ret_slice(ret, field == 1 || field == -1 ? s : SLICE(""));
    if (field < 0) {
        int64_t fields = 1;
        for (int64_t at = 0; (at = text__find(s, separator, (size_t)at)) >= 0;
             at += (int64_t)separator.len)
            fields++;
        field += fields + 1;
        if (field < 1) return ret_slice(ret, SLICE(""));
    }
    size_t from = 0;
    for (;;) {
        int64_t at = text__find(s, separator, from);
        if (field == 1) {
            size_t end = at < 0 ? s.len : (size_t)at;
            return ret_slice(ret, slice_make(s.data + from, end - from));
        }
        if (at < 0) return ret_slice(ret, SLICE(""));
        from = (size_t)at + separator.len;
        field--;
    }
}
