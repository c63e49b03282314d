/* Functions and operators of regular expressions. Matches are found by types/pattern.h; here is
 * what is done with them. Positions in SQL count characters, those of matches bytes. */
#include "exec/functions/regexp_priv.h"

#include "types/array.h"

/* --- searches --------------------------------------------------------------------------------- */

enum status regexp__open(struct arena *a, const char *function, struct slice s,
                         struct slice pattern, struct slice flags, struct regexp *ret)
{
    *ret = (struct regexp){.s = s};
    TRY(regex_compile(pattern, flags, &ret->regex));
    ret->global = flags.len && memchr(flags.data, 'g', flags.len);
    if (ret->global && function)
        return FAIL(INVALID_PARAMETER_VALUE, "%s() does not support the \"global\" option",
                    function);
    ret->groups = regex_group_count(ret->regex);
    ret->matches = ARENA_ARRAY(a, struct regex_match, ret->groups + 1);
    return OK;
}

enum status regexp__next(struct regexp *r, bool *ret_found)
{
    *ret_found = false;
    if (r->done || r->next > r->s.len) return OK;
    TRY(regex_exec(r->regex, r->s, r->next, r->matches, r->groups + 1, ret_found));
    if (!*ret_found) {
        r->done = true;
        return OK;
    }
    size_t start = (size_t)r->matches[0].start, end = (size_t)r->matches[0].end;
    r->next = end;
    if (start != end) return OK;
    const char *text_end = r->s.data + r->s.len;
    r->next += end < r->s.len ? utf8_len(r->s.data + end, text_end) : 1;
    return OK;
}

static struct slice matched(const struct regexp *r, int group)
{
    const struct regex_match *m = &r->matches[group];
    return slice_make(r->s.data + m->start, (size_t)(m->end - m->start));
}

static struct datum matched_datum(const struct regexp *r, int group)
{
    struct datum d = {.null = true};
    if (r->matches[group].start < 0) return d;
    struct slice s = matched(r, group);
    d.v.bytes = bytes_ref(s.data, (uint32_t)s.len);
    d.null = false;
    return d;
}

struct bytes regexp__groups(const struct regexp *r, struct arena *a)
{
    uint32_t count = r->groups > 0 ? (uint32_t)r->groups : 1;
    struct datum *elements = ARENA_ARRAY(a, struct datum, count);
    for (uint32_t i = 0; i < count; i++)
        elements[i] = matched_datum(r, r->groups > 0 ? (int)i + 1 : 0);
    return array_make(a, TYPE_TEXT, elements, count);
}

enum status regexp__piece(struct regexp *r, size_t *from, struct slice *ret, bool *ret_found)
{
    size_t begin = *from;
    *ret_found = begin <= r->s.len;
    if (!*ret_found) return OK;
    size_t last_end = begin;
    for (;;) {
        bool found;
        TRY(regexp__next(r, &found));
        if (!found) break;
        size_t start = (size_t)r->matches[0].start, end = (size_t)r->matches[0].end;
        if (start < r->s.len && end > last_end) {
            *ret = slice_make(r->s.data + begin, start - begin);
            *from = end;
            return OK;
        }
        last_end = end;
    }
    *ret = slice_from(r->s, begin);
    *from = r->s.len + 1;
    return OK;
}

/* --- operators -------------------------------------------------------------------------------- */

static enum status match(const struct datum *args, struct slice flags, bool negated,
                         struct datum *ret)
{
    const struct regex *regex;
    bool found;
    TRY(regex_compile(arg_slice(args, 1), flags, &regex));
    TRY(regex_exec(regex, arg_slice(args, 0), 0, NULL, 0, &found));
    return ret_bool(ret, found != negated);
}

SCALAR(regexp__match) { return match(args, SLICE(""), false, ret); }
SCALAR(regexp__match_not) { return match(args, SLICE(""), true, ret); }
SCALAR(regexp__imatch) { return match(args, SLICE("i"), false, ret); }
SCALAR(regexp__imatch_not) { return match(args, SLICE("i"), true, ret); }

/* --- arguments -------------------------------------------------------------------------------- */

static enum status at_least(const char *name, int32_t value, int32_t least)
{
    if (value >= least) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": %d", name, value);
}

static struct slice flags_at(const struct datum *args, uint32_t n, uint32_t i)
{
    return n > i ? arg_slice(args, i) : SLICE("");
}

/* Begins at the character `start`, 1-based. False when the text ends before. */
static bool start_at(struct regexp *r, int32_t start)
{
    size_t chars = (size_t)start - 1;
    if (chars > utf8_count(r->s)) return false;
    r->next = utf8_offset(r->s, chars);
    return true;
}

/* --- replace ---------------------------------------------------------------------------------- */

/* \& is the match, \1 … \9 its groups, \\ a backslash; other escapes stand for themselves. */
static void add_replacement(const struct regexp *r, struct slice to, struct strbuf *out)
{
    for (size_t i = 0; i < to.len; i++) {
        char next = i + 1 < to.len ? to.data[i + 1] : '\0';
        if (to.data[i] != '\\' || next == '\0') {
            strbuf_addc(out, to.data[i]);
            continue;
        }
        int group = next == '&' ? 0 : next >= '1' && next <= '9' ? next - '0' : -1;
        if (group >= 0) {
            if (group <= r->groups && r->matches[group].start >= 0) {
                struct slice m = matched(r, group);
                strbuf_add(out, m.data, m.len);
            }
            i++;
        } else {
            strbuf_addc(out, '\\');
            i += next == '\\';
        }
    }
}

/* Replaces the nth match from r->next on, or all for 0. */
static enum status replace(struct call_ctx *c, struct regexp *r, struct slice to, int32_t nth,
                           struct datum *ret)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    size_t done = 0;
    for (int32_t i = 1;; i++) {
        bool found;
        TRY(regexp__next(r, &found));
        if (!found) break;
        if (nth > 0 && i < nth) continue;
        size_t start = (size_t)r->matches[0].start;
        strbuf_add(&b, r->s.data + done, start - done);
        add_replacement(r, to, &b);
        if (b.len > TEXT_BYTES_MAX) return text__too_long();
        done = (size_t)r->matches[0].end;
        if (nth > 0) break;
    }
    strbuf_add(&b, r->s.data + done, r->s.len - done);
    return text__ret(&b, ret);
}

SCALAR(regexp__replace)
{
    struct slice flags = flags_at(args, n, 3);
    if (flags.len && flags.data[0] >= '0' && flags.data[0] <= '9') {
        FAIL(INVALID_PARAMETER_VALUE, "invalid regular expression option: \"%c\"", flags.data[0]);
        return error_hint("If you meant to use regexp_replace() with a start parameter, cast the "
                          "fourth argument to integer explicitly.");
    }
    struct regexp r;
    TRY(regexp__open(c->arena, NULL, arg_slice(args, 0), arg_slice(args, 1), flags, &r));
    return replace(c, &r, arg_slice(args, 2), r.global ? 0 : 1, ret);
}

SCALAR(regexp__replace_n)
{
    int32_t start = args[3].v.i32, nth = n > 4 ? args[4].v.i32 : 1;
    TRY(at_least("start", start, 1));
    TRY(at_least("n", nth, 0));
    struct regexp r;
    TRY(regexp__open(c->arena, NULL, arg_slice(args, 0), arg_slice(args, 1), flags_at(args, n, 5),
                     &r));
    if (!start_at(&r, start)) return ret_slice(ret, r.s);
    return replace(c, &r, arg_slice(args, 2), nth, ret);
}

/* --- arrays ----------------------------------------------------------------------------------- */

SCALAR(regexp__array)
{
    struct regexp r;
    enum status s = regexp__open(c->arena, "regexp_match", arg_slice(args, 0), arg_slice(args, 1),
                                 flags_at(args, n, 2), &r);
    if (s != OK) return r.global ? error_hint("Use the regexp_matches function instead.") : s;
    bool found;
    TRY(regexp__next(&r, &found));
    return found ? ret_bytes(ret, regexp__groups(&r, c->arena)) : ret_null(ret);
}

SCALAR(regexp__split_array)
{
    struct regexp r;
    TRY(regexp__open(c->arena, "regexp_split_to_array", arg_slice(args, 0), arg_slice(args, 1),
                     flags_at(args, n, 2), &r));
    uint32_t count = 0, room = 8;
    struct datum *elements = ARENA_ARRAY(c->arena, struct datum, room);
    for (size_t from = 0;;) {
        struct slice piece;
        bool found;
        TRY(regexp__piece(&r, &from, &piece, &found));
        if (!found) break;
        if (count == room) {
            struct datum *wider = ARENA_ARRAY(c->arena, struct datum, (size_t)room * 2);
            memcpy(wider, elements, room * sizeof *elements);
            elements = wider;
            room *= 2;
        }
        elements[count++].v.bytes = bytes_ref(piece.data, (uint32_t)piece.len);
    }
    return ret_bytes(ret, array_make(c->arena, TYPE_TEXT, elements, count));
}

/* --- questions -------------------------------------------------------------------------------- */

SCALAR(regexp__count)
{
    int32_t start = n > 2 ? args[2].v.i32 : 1, count = 0;
    TRY(at_least("start", start, 1));
    struct regexp r;
    TRY(regexp__open(c->arena, "regexp_count", arg_slice(args, 0), arg_slice(args, 1),
                     flags_at(args, n, 3), &r));
    for (bool found = start_at(&r, start); found; count += found) TRY(regexp__next(&r, &found));
    return ret_i32(ret, count);
}

SCALAR(regexp__like)
{
    struct regexp r;
    TRY(regexp__open(c->arena, "regexp_like", arg_slice(args, 0), arg_slice(args, 1),
                     flags_at(args, n, 2), &r));
    return regex_exec(r.regex, r.s, 0, NULL, 0, &ret->v.b);
}

/* Finds the nth match from a start on, and in it a group; false when there is no such thing.
 * Without groups the whole is group 1 too, and *group becomes 0. */
static enum status nth_match(struct regexp *r, int32_t start, int32_t nth, int32_t *group,
                             bool *ret_found)
{
    if (r->groups == 0 && *group == 1) *group = 0;
    *ret_found = start_at(r, start);
    for (int32_t i = 0; *ret_found && i < nth; i++) TRY(regexp__next(r, ret_found));
    if (*ret_found) *ret_found = *group <= r->groups && r->matches[*group].start >= 0;
    return OK;
}

/* (string, pattern, start, n, endoption, flags, subexpr) */
SCALAR(regexp__instr)
{
    int32_t start = n > 2 ? args[2].v.i32 : 1, nth = n > 3 ? args[3].v.i32 : 1;
    int32_t end_option = n > 4 ? args[4].v.i32 : 0, group = n > 6 ? args[6].v.i32 : 0;
    TRY(at_least("start", start, 1));
    TRY(at_least("n", nth, 1));
    if (end_option != 0 && end_option != 1)
        return FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": %d", "endoption",
                    end_option);
    TRY(at_least("subexpr", group, 0));
    struct regexp r;
    TRY(regexp__open(c->arena, "regexp_instr", arg_slice(args, 0), arg_slice(args, 1),
                     flags_at(args, n, 5), &r));
    bool found;
    TRY(nth_match(&r, start, nth, &group, &found));
    if (!found) return ret_i32(ret, 0);
    size_t at = (size_t)(end_option ? r.matches[group].end : r.matches[group].start);
    return ret_i32(ret, (int32_t)utf8_count(slice_make(r.s.data, at)) + 1);
}

/* (string, pattern, start, n, flags, subexpr) */
SCALAR(regexp__substr)
{
    int32_t start = n > 2 ? args[2].v.i32 : 1, nth = n > 3 ? args[3].v.i32 : 1;
    int32_t group = n > 5 ? args[5].v.i32 : 0;
    TRY(at_least("start", start, 1));
    TRY(at_least("n", nth, 1));
    TRY(at_least("subexpr", group, 0));
    struct regexp r;
    TRY(regexp__open(c->arena, "regexp_substr", arg_slice(args, 0), arg_slice(args, 1),
                     flags_at(args, n, 4), &r));
    bool found;
    TRY(nth_match(&r, start, nth, &group, &found));
    return found ? ret_slice(ret, matched(&r, group)) : ret_null(ret);
}

static enum status substring(struct call_ctx *c, struct slice s, struct slice pattern,
                             struct datum *ret)
{
    struct regexp r;
    TRY(regexp__open(c->arena, NULL, s, pattern, SLICE(""), &r));
    bool found;
    TRY(regexp__next(&r, &found));
    if (!found) return ret_null(ret);
    *ret = matched_datum(&r, r.groups > 0 ? 1 : 0);
    return OK;
}

SCALAR(regexp__substring)
{
    return substring(c, arg_slice(args, 0), arg_slice(args, 1), ret);
}

SCALAR(regexp__substring_similar)
{
    struct datum pattern = {.null = false};
    TRY(like__similar_2(c, args + 1, 2, &pattern));
    return substring(c, arg_slice(args, 0), bytes_slice(&pattern.v.bytes), ret);
}
