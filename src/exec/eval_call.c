/* Function calls over a batch: once for constant arguments, by the function's own loop where it has
 * one, else value by value. A dictionary-coded argument is called once a code. */
#include "exec/eval.h"

#include "exec/eval_priv.h"

enum { CODES_MAX = 4096 };

struct call {
    struct execution *x;
    const struct expr *site;
    const struct proc_def *proc;
    const struct vec *args;
    uint32_t arg_count;
    const struct batch *in;
    struct arena *arena;
};

static bool is_constant(const struct call *c)
{
    if (c->proc->volatility == VOLATILE) return false;
    for (uint32_t i = 0; i < c->arg_count; i++)
        if (c->args[i].form != VEC_CONST) return false;
    return true;
}

static bool has_null_constant(const struct call *c)
{
    for (uint32_t i = 0; i < c->arg_count; i++)
        if (c->args[i].form == VEC_CONST && nulls_get(c->args[i].nulls, 0)) return true;
    return false;
}

static enum status call_once(const struct call *c, struct vec *ret)
{
    struct datum *args = ARENA_ARRAY(c->arena, struct datum, c->arg_count + 1), d;
    for (uint32_t i = 0; i < c->arg_count; i++) args[i] = vec_get(&c->args[i], 0);
    TRY(exec_call(c->x, c->site, c->proc, args, c->arg_count, c->arena, &d));
    vec_init_const(ret, c->site->type, d, c->arena);
    return OK;
}

/* The function's own loop: inputs flat or constant, NULL where any argument is. */
static enum status call_loop(const struct call *c, vector_fn fn, struct vec *ret)
{
    const struct vec **args = ARENA_ARRAY(c->arena, const struct vec *, c->arg_count + 1);
    uint32_t words = (c->in->rows + 63) / 64;
    vec_init_flat_rows(ret, c->site->type, c->in->rows, c->arena);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        args[i] = &c->args[i];
        if (c->args[i].form == VEC_DICT) {
            struct vec *flat = ARENA_NEW(c->arena, struct vec);
            vec_flatten(&c->args[i], c->in->rows, c->arena, flat);
            args[i] = flat;
        }
        if (args[i]->form != VEC_FLAT || !args[i]->nulls) continue;
        for (uint32_t w = 0; w < words; w++) ret->nulls[w] |= args[i]->nulls[w];
    }
    void *kept = exec_call_state(c->x, c->site);
    struct call_ctx ctx = {.session = c->x->session, .arena = c->arena, .keep = c->x->arena,
                           .expr = c->site, .state = kept};
    TRY(fn(&ctx, args, c->arg_count, c->in->sel, c->in->count, ret));
    if (ctx.state != kept) exec_set_call_state(c->x, c->site, ctx.state);
    return OK;
}

/* The only argument that varies, when it is dictionary-coded with few codes; else NULL. */
static const struct vec *varying_dictionary(const struct call *c, uint32_t *ret_codes)
{
    const struct vec *found = NULL;
    for (uint32_t i = 0; i < c->arg_count; i++) {
        if (c->args[i].form == VEC_CONST) continue;
        if (found || c->args[i].form != VEC_DICT) return NULL;
        found = &c->args[i];
    }
    if (!found || c->proc->volatility == VOLATILE) return NULL;
    uint32_t top = 0;
    for (uint32_t i = 0; i < c->in->count; i++) {
        uint32_t code = found->codes[eval__row(c->in->sel, i)];
        if (code > top) top = code;
    }
    *ret_codes = top + 1;
    return top < CODES_MAX ? found : NULL;
}

/* The values of codes that occur go through the loop, each once. */
static enum status call_codes(const struct call *c, vector_fn fn, const struct vec *dict,
                              uint32_t codes, struct vec *ret)
{
    uint32_t n = 0;
    uint8_t *used = ARENA_ARRAY(c->arena, uint8_t, codes);
    uint16_t *sel = arena_alloc(c->arena, codes * sizeof *sel);
    for (uint32_t i = 0; i < c->in->count; i++) used[dict->codes[eval__row(c->in->sel, i)]] = 1;
    for (uint32_t k = 0; k < codes; k++)
        if (used[k]) sel[n++] = (uint16_t)k;
    struct batch values = {.rows = codes, .count = n, .sel = sel};
    struct vec *args = arena_memdup(c->arena, c->args, c->arg_count * sizeof *args), made;
    for (uint32_t i = 0; i < c->arg_count; i++)
        if (args[i].form == VEC_DICT) args[i] = *dict->dict;
    struct call once = *c;
    once.args = args;
    once.in = &values;
    TRY(call_loop(&once, fn, &made));
    vec_init_flat_rows(ret, c->site->type, c->in->rows, c->arena);
    for (uint32_t i = 0; i < c->in->count; i++) {
        uint32_t r = eval__row(c->in->sel, i), k = dict->codes[r];
        if (nulls_get(made.nulls, k)) nulls_set(ret->nulls, r);
        if (ret->width == 1) VEC_DATA(ret, uint8_t)[r] = VEC_DATA(&made, uint8_t)[k];
        else memcpy((char *)ret->data + (size_t)r * ret->width,
                    (char *)made.data + (size_t)k * ret->width, ret->width);
    }
    return OK;
}

static enum status call_each(const struct call *c, struct vec *ret)
{
    struct datum *args = ARENA_ARRAY(c->arena, struct datum, c->arg_count + 1), d;
    uint32_t codes = 0;
    const struct vec *dict = varying_dictionary(c, &codes);
    /* By code: 1 + the row that has the answer. */
    uint16_t *known = dict ? ARENA_ARRAY(c->arena, uint16_t, codes) : NULL;
    vec_init_flat_rows(ret, c->site->type, c->in->rows, c->arena);
    void *kept = exec_call_state(c->x, c->site), *state = kept;
    for (uint32_t k = 0; k < c->arg_count; k++)
        if (c->args[k].form == VEC_CONST) args[k] = vec_get(&c->args[k], 0);
    for (uint32_t i = 0; i < c->in->count; i++) {
        uint32_t r = eval__row(c->in->sel, i);
        if (known && known[dict->codes[r]]) {
            vec_set(ret, r, vec_get(ret, known[dict->codes[r]] - 1u));
            continue;
        }
        for (uint32_t k = 0; k < c->arg_count; k++)
            if (c->args[k].form != VEC_CONST) args[k] = vec_get(&c->args[k], r);
        TRY(eval__call(c->x, c->site, c->proc, args, c->arg_count, c->arena, &state, &d));
        vec_set(ret, r, d);
        if (known) known[dict->codes[r]] = (uint16_t)(r + 1);
    }
    if (state != kept) exec_set_call_state(c->x, c->site, state);
    return OK;
}

enum status eval__call_vector(struct execution *x, const struct expr *e, const struct vec *args,
                              const struct batch *in, struct arena *a, struct vec *ret)
{
    struct call c = {.x = x, .site = e, .proc = e->call.proc, .args = args,
                     .arg_count = e->arg_count, .in = in, .arena = a};
    if (c.proc->strict && has_null_constant(&c)) {
        vec_init_const(ret, e->type, eval__null(), a);
        return OK;
    }
    if (is_constant(&c)) return call_once(&c, ret);
    const struct function_impl *f = proc_function(c.proc) ? NULL : function_impl(c.proc->id);
    if (f && f->vector && c.proc->strict) {
        uint32_t codes = 0;
        const struct vec *dict = varying_dictionary(&c, &codes);
        if (dict && codes <= in->count / 2) return call_codes(&c, f->vector, dict, codes, ret);
        return call_loop(&c, f->vector, ret);
    }
    return call_each(&c, ret);
}
