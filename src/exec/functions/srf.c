/* Functions that return sets, a row a call. A set's state is made at its first row, in the arena
 * that lives until the set is done, and holds copies of what the later rows need. */
#include "exec/functions/array_priv.h"
#include "exec/functions/json_sets_priv.h"
#include "exec/functions/regexp_priv.h"
#include "exec/functions/session_rows_priv.h"
#include "types/datetime.h"
#include "types/numeric.h"
#include "types/range.h"

#define ROWS(name)                                                                                 \
    static enum status name(struct call_ctx *c, const struct datum *args __attribute__((unused)),  \
                            uint32_t n __attribute__((unused)), struct datum *ret, bool *ret_done)

static enum status end_of_set(bool *ret_done)
{
    *ret_done = true;
    return OK;
}

static enum status ret_row(struct datum *ret, union value v, bool *ret_done)
{
    ret->v = v;
    ret->null = false;
    *ret_done = false;
    return OK;
}

static enum status zero_step(void)
{
    return FAIL(INVALID_PARAMETER_VALUE, "step size cannot equal zero");
}

ROWS(no_rows)
{
    (void)c;
    (void)ret;
    return end_of_set(ret_done);
}

/* --- generate_series -------------------------------------------------------------------------- */

struct int_series {
    int64_t next, stop, step;
    bool done; /* the next would overflow */
};

static struct int_series *int_series(struct call_ctx *c, int64_t start, int64_t stop, int64_t step)
{
    struct int_series *s = ARENA_NEW(c->arena, struct int_series);
    *s = (struct int_series){.next = start, .stop = stop, .step = step};
    c->state = s;
    return s;
}

static bool int_series_next(struct int_series *s, int64_t *ret)
{
    if (s->done || (s->step > 0 ? s->next > s->stop : s->next < s->stop)) return false;
    *ret = s->next;
    s->done = __builtin_add_overflow(s->next, s->step, &s->next);
    return true;
}

ROWS(series_int4)
{
    struct int_series *s = c->state;
    if (!s) {
        int32_t step = n > 2 ? args[2].v.i32 : 1;
        if (step == 0) return zero_step();
        s = int_series(c, args[0].v.i32, args[1].v.i32, step);
    }
    int64_t i;
    if (!int_series_next(s, &i)) return end_of_set(ret_done);
    return ret_row(ret, (union value){.i32 = (int32_t)i}, ret_done);
}

ROWS(series_int8)
{
    struct int_series *s = c->state;
    if (!s) {
        int64_t step = n > 2 ? args[2].v.i64 : 1;
        if (step == 0) return zero_step();
        s = int_series(c, args[0].v.i64, args[1].v.i64, step);
    }
    int64_t i;
    if (!int_series_next(s, &i)) return end_of_set(ret_done);
    return ret_row(ret, (union value){.i64 = i}, ret_done);
}

struct numeric_series {
    struct numeric next, stop, step;
};

static enum status must_be_finite(const struct numeric *x, const char *what)
{
    if (x->kind == NUMERIC_NAN)
        return FAIL(INVALID_PARAMETER_VALUE, "%s cannot be NaN", what);
    if (x->kind == NUMERIC_PINF || x->kind == NUMERIC_NINF)
        return FAIL(INVALID_PARAMETER_VALUE, "%s cannot be infinity", what);
    return OK;
}

static struct numeric kept_numeric(struct arena *a, const struct datum *d)
{
    return value_copy(a, TYPE_NUMERIC, d->v).numeric;
}

ROWS(series_numeric)
{
    struct numeric_series *s = c->state;
    if (!s) {
        TRY(must_be_finite(&args[0].v.numeric, "start value"));
        TRY(must_be_finite(&args[1].v.numeric, "stop value"));
        if (n > 2) TRY(must_be_finite(&args[2].v.numeric, "step size"));
        if (n > 2 && numeric_sign(&args[2].v.numeric) == 0) return zero_step();
        s = c->state = ARENA_NEW(c->arena, struct numeric_series);
        s->next = kept_numeric(c->arena, &args[0]);
        s->stop = kept_numeric(c->arena, &args[1]);
        s->step = n > 2 ? kept_numeric(c->arena, &args[2]) : numeric_small(1, 0);
    }
    int order = numeric_compare(&s->next, &s->stop);
    if (numeric_sign(&s->step) > 0 ? order > 0 : order < 0) return end_of_set(ret_done);
    struct numeric row = s->next;
    TRY(numeric_add(c->arena, &row, &s->step, &s->next));
    return ret_row(ret, (union value){.numeric = row}, ret_done);
}

struct time_series {
    int64_t next, stop;
    struct interval step;
    int sign;
};

static enum status time_series(struct call_ctx *c, const struct datum *args, bool with_zone,
                               struct datum *ret, bool *ret_done)
{
    struct time_series *s = c->state;
    if (!s) {
        struct interval zero = {0};
        int sign = interval_compare(&args[2].v.interval, &zero);
        if (sign == 0) return zero_step();
        s = c->state = ARENA_NEW(c->arena, struct time_series);
        *s = (struct time_series){
            .next = args[0].v.i64, .stop = args[1].v.i64, .step = args[2].v.interval, .sign = sign};
    }
    if (s->sign > 0 ? s->next > s->stop : s->next < s->stop) return end_of_set(ret_done);
    int64_t row = s->next;
    TRY(with_zone ? timestamptz_add_interval(row, &s->step, c->session->format->zone, &s->next)
                  : timestamp_add_interval(row, &s->step, &s->next));
    return ret_row(ret, (union value){.i64 = row}, ret_done);
}

ROWS(series_timestamp) { return time_series(c, args, false, ret, ret_done); }
ROWS(series_timestamptz) { return time_series(c, args, true, ret, ret_done); }

/* --- arrays ----------------------------------------------------------------------------------- */

/* 1-based subscripts of a dimension, forward or back. None for a dimension that is not there. */
ROWS(subscripts)
{
    struct int_series *s = c->state;
    if (!s) {
        struct array_view v;
        TRY(array__open(c, &args[0], &v));
        int32_t dim = args[1].v.i32;
        bool back = n > 2 && args[2].v.b;
        if (dim < 1 || dim > v.ndim) {
            s = int_series(c, 1, 0, 1);
        } else {
            int64_t first = v.lower[dim - 1], last = first + v.dims[dim - 1] - 1;
            s = back ? int_series(c, last, first, -1) : int_series(c, first, last, 1);
        }
    }
    int64_t i;
    if (!int_series_next(s, &i)) return end_of_set(ret_done);
    return ret_row(ret, (union value){.i32 = (int32_t)i}, ret_done);
}

struct element_set {
    struct array_view v;
    uint32_t next;
};

ROWS(unnest)
{
    struct element_set *s = c->state;
    if (!s) {
        s = c->state = ARENA_NEW(c->arena, struct element_set);
        struct slice bytes = slice_dup(c->arena, arg_slice(args, 0));
        struct bytes kept = bytes_ref(bytes.data, (uint32_t)bytes.len);
        TRY(array_open(&kept, c->arena, &s->v));
    }
    if (s->next >= s->v.count) return end_of_set(ret_done);
    *ret = s->v.elements[s->next++];
    *ret_done = false;
    return OK;
}

struct range_set {
    struct ranges all;
    uint32_t next;
};

ROWS(unnest_ranges)
{
    struct range_set *s = c->state;
    if (!s) {
        s = c->state = ARENA_NEW(c->arena, struct range_set);
        struct slice bytes = slice_dup(c->arena, arg_slice(args, 0));
        struct bytes kept = bytes_ref(bytes.data, (uint32_t)bytes.len);
        TRY(ranges_open(&kept, c->arena, &s->all));
    }
    if (s->next >= s->all.count) return end_of_set(ret_done);
    struct ranges one = {.type = s->all.type, .count = 1, .items = &s->all.items[s->next++]};
    return ret_row(ret, (union value){.bytes = ranges_close(&one, c->arena)}, ret_done);
}

/* "name=value" each, as in pg_class.reloptions. */
ROWS(options)
{
    TRY(unnest(c, args, n, ret, ret_done));
    if (*ret_done || ret[0].null) return OK;
    struct slice s = bytes_slice(&ret[0].v.bytes);
    int64_t at = text__find(s, SLICE("="), 0);
    ret[1].null = at < 0;
    if (at < 0) return OK;
    struct slice value = slice_from(s, (size_t)at + 1);
    ret[1].v.bytes = bytes_ref(value.data, (uint32_t)value.len);
    ret[0].v.bytes = bytes_ref(s.data, (uint32_t)at);
    return OK;
}

/* --- text ------------------------------------------------------------------------------------- */

ROWS(string_table)
{
    struct text_split *s = c->state;
    if (!s) {
        if (args[0].null) return end_of_set(ret_done);
        struct datum *kept = ARENA_ARRAY(c->arena, struct datum, n);
        for (uint32_t i = 0; i < n; i++) kept[i] = datum_copy(c->arena, TYPE_TEXT, args[i]);
        s = c->state = ARENA_NEW(c->arena, struct text_split);
        array__split_begin(kept, n, s);
    }
    struct datum d = {0};
    if (!array__split_next(s, &d)) return end_of_set(ret_done);
    *ret = d;
    *ret_done = false;
    return OK;
}

/* A search that goes on from call to call. The compiled expression belongs to the thread's cache,
 * so it is asked for again each time. */
struct regexp_set {
    struct regexp search;
    struct slice pattern, flags;
    size_t from;
    bool done;
};

static enum status regexp_set(struct call_ctx *c, const char *function, const struct datum *args,
                              uint32_t n, struct regexp_set **ret)
{
    struct regexp_set *s = c->state;
    *ret = s;
    if (s) return regex_compile(s->pattern, s->flags, &s->search.regex);
    s = ARENA_NEW(c->arena, struct regexp_set);
    s->pattern = slice_dup(c->arena, arg_slice(args, 1));
    s->flags = n > 2 ? slice_dup(c->arena, arg_slice(args, 2)) : SLICE("");
    TRY(regexp__open(c->arena, function, slice_dup(c->arena, arg_slice(args, 0)), s->pattern,
                     s->flags, &s->search));
    *ret = c->state = s;
    return OK;
}

ROWS(regexp_matches)
{
    struct regexp_set *s;
    TRY(regexp_set(c, NULL, args, n, &s));
    bool found = false;
    if (!s->done) TRY(regexp__next(&s->search, &found));
    if (!found) return end_of_set(ret_done);
    s->done = !s->search.global;
    return ret_row(ret, (union value){.bytes = regexp__groups(&s->search, c->arena)}, ret_done);
}

ROWS(regexp_split)
{
    struct regexp_set *s;
    TRY(regexp_set(c, "regexp_split_to_table", args, n, &s));
    struct slice piece;
    bool found;
    TRY(regexp__piece(&s->search, &s->from, &piece, &found));
    if (!found) return end_of_set(ret_done);
    return ret_row(ret, (union value){.bytes = bytes_ref(piece.data, (uint32_t)piece.len)},
                   ret_done);
}

/* --- key words -------------------------------------------------------------------------------- */

static const struct key_word {
    const char *word;
    char category;
    bool bare;
} key_words[] = {
#define X(word, category, bare) {word, category, bare},
#include "exec/functions/keywords.def"
#undef X
};

static const char *category_text(char category)
{
    switch (category) {
    case 'U': return "unreserved";
    case 'C': return "unreserved (cannot be function or type name)";
    case 'T': return "reserved (can be function or type name)";
    default: return "reserved";
    }
}

static struct bytes static_text(const char *s) { return bytes_ref(s, (uint32_t)strlen(s)); }

/* word text, catcode "char", barelabel bool, catdesc text, baredesc text */
ROWS(keywords)
{
    uint32_t *next = c->state;
    if (!next) next = c->state = ARENA_NEW(c->arena, uint32_t);
    if (*next >= sizeof key_words / sizeof key_words[0]) return end_of_set(ret_done);
    const struct key_word *k = &key_words[(*next)++];
    for (uint32_t i = 0; i < 5; i++) ret[i].null = false;
    ret[0].v.bytes = static_text(k->word);
    ret[1].v.bytes = bytes_ref(&k->category, 1);
    ret[2].v.b = k->bare;
    ret[3].v.bytes = static_text(category_text(k->category));
    ret[4].v.bytes = static_text(k->bare ? "can be bare label" : "requires AS");
    *ret_done = false;
    return OK;
}

/* --- verification ----------------------------------------------------------------------------- */

struct finding_row {
    struct finding_row *next;
    struct bytes object, kind, problem;
    bool sound;
    int64_t checked;
};
struct findings {
    struct arena *arena;
    struct finding_row *first, **end;
};

static struct bytes kept_text(struct arena *a, const char *s)
{
    return static_text(arena_strdup(a, s));
}

static enum status keep_finding(void *ctx, const struct verify_finding *f)
{
    struct findings *all = ctx;
    struct finding_row *r = ARENA_NEW(all->arena, struct finding_row);
    *r = (struct finding_row){.object = kept_text(all->arena, f->object),
                              .kind = kept_text(all->arena, f->kind),
                              .checked = (int64_t)f->checked, .sound = !f->problem};
    if (f->problem) r->problem = kept_text(all->arena, f->problem);
    *all->end = r;
    all->end = &r->next;
    return OK;
}

/* object text, kind text, checked int8, problem text */
ROWS(verify)
{
    struct findings *all = c->state;
    if (!all) {
        all = c->state = ARENA_NEW(c->arena, struct findings);
        *all = (struct findings){.arena = c->arena, .end = &all->first};
        struct verify_sink sink = {.found = keep_finding, .ctx = all};
        TRY(c->session->verify(c->session->ctx, &sink));
    }
    struct finding_row *r = all->first;
    if (!r) return end_of_set(ret_done);
    all->first = r->next;
    for (uint32_t i = 0; i < 4; i++) ret[i].null = false;
    ret[0].v.bytes = r->object;
    ret[1].v.bytes = r->kind;
    ret[2].v.i64 = r->checked;
    ret[3].null = r->sound;
    ret[3].v.bytes = r->problem;
    *ret_done = false;
    return OK;
}

struct difference {
    struct difference *next;
    struct datum row[5];
};

struct differences {
    struct arena *arena;
    struct difference *first, **end;
};

static enum status keep_difference(void *ctx, const struct datum *row)
{
    struct differences *all = ctx;
    struct difference *r = ARENA_NEW(all->arena, struct difference);
    memcpy(r->row, row, sizeof r->row);
    *all->end = r;
    all->end = &r->next;
    return OK;
}

/* table_name text, key text, kind text, old text, new text */
ROWS(branch_diff)
{
    struct differences *all = c->state;
    if (!all) {
        all = c->state = ARENA_NEW(c->arena, struct differences);
        *all = (struct differences){.arena = c->arena, .end = &all->first};
        struct bytes a = args[0].v.bytes, b = args[1].v.bytes;
        TRY(c->session->branch_diff(c->session->ctx, bytes_slice(&a), bytes_slice(&b), c->arena,
                                    keep_difference, all));
    }
    struct difference *r = all->first;
    if (!r) return end_of_set(ret_done);
    all->first = r->next;
    memcpy(ret, r->row, sizeof r->row);
    *ret_done = false;
    return OK;
}

/* --- the table -------------------------------------------------------------------------------- */

const struct srf_binding exec__srf_functions[] = {
    {"pg_partition_ancestors", {no_rows, 1}}, /* there are no partitions */
    {"generate_series_int4", {series_int4, 1}},
    {"generate_series_step_int4", {series_int4, 1}},
    {"generate_series_int8", {series_int8, 1}},
    {"generate_series_step_int8", {series_int8, 1}},
    {"generate_series_numeric", {series_numeric, 1}},
    {"generate_series_step_numeric", {series_numeric, 1}},
    {"generate_series_timestamp", {series_timestamp, 1}},
    {"generate_series_timestamptz", {series_timestamptz, 1}},
    {"generate_subscripts", {subscripts, 1}},
    {"generate_subscripts_nodir", {subscripts, 1}},
    {"array_unnest", {unnest, 1}},
    {"multirange_unnest", {unnest_ranges, 1}},
    {"pg_options_to_table", {options, 2}},
    {"pg_get_keywords", {keywords, 5}},
    {"helios_verify", {verify, 4}},
    {"helios_branch_diff", {branch_diff, 5}},
    {"helios_versions", {session_rows__versions, 6}},
    {"pg_listening_channels", {session_rows__channels, 1}},
    {"text_to_table", {string_table, 1}},
    {"text_to_table_null", {string_table, 1}},
    {"regexp_matches", {regexp_matches, 1}},
    {"regexp_matches_no_flags", {regexp_matches, 1}},
    {"regexp_split_to_table", {regexp_split, 1}},
    {"regexp_split_to_table_no_flags", {regexp_split, 1}},
    {"json_each", {json_set__each, 2}},
    {"json_each_text", {json_set__each_text, 2}},
    {"json_array_elements", {json_set__elements, 1}},
    {"json_array_elements_text", {json_set__elements_text, 1}},
    {"json_object_keys", {json_set__keys, 1}},
    {"jsonb_each", {jsonb_set__each, 2}},
    {"jsonb_each_text", {jsonb_set__each_text, 2}},
    {"jsonb_array_elements", {jsonb_set__elements, 1}},
    {"jsonb_array_elements_text", {jsonb_set__elements_text, 1}},
    {"jsonb_object_keys", {jsonb_set__keys, 1}},
    {"json_populate_recordset", {json_set__records, 1}},
    {"jsonb_path_query", {jsonb_set__path, 1}},
    {"jsonb_path_query_tz", {jsonb_set__path, 1}},
    {"jsonb_populate_recordset", {jsonb_set__records, 1}},
    {"json_to_recordset", {json_set__records, 1}},
    {"jsonb_to_recordset", {jsonb_set__records, 1}},
};
const uint32_t exec__srf_function_count =
    sizeof exec__srf_functions / sizeof exec__srf_functions[0];
