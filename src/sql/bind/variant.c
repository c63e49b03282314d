/* Functions of the catalog with polymorphic arguments. What a call means by anyelement and its kin is known
 * when it is bound: it then calls a copy of the function, with these types in place of those, which is
 * compiled by itself. Calls of the same types share the copy, so that they are equal. */
#include "sql/bind/resolve_priv.h"

#include "base/hash.h"

static bool is_open(const struct function_def *f)
{
    bool any = bind__is_polymorphic(f->proc.result);
    for (uint16_t i = 0; i < f->all_count && !any; i++) any = bind__is_polymorphic(f->all_types[i]);
    return any;
}

static enum status fill(struct scope *s, const struct function_def *f, const struct call_site *c,
                        struct function_def *made, type_id *args, type_id *all)
{
    const struct proc_def *p = &f->proc;
    uint32_t given = 0;
    uint64_t h = f->proc.oid;
    for (uint32_t i = 0; i < p->arg_count; i++)
        args[i] = bind__is_polymorphic(p->args[i]) ? c->args[i]->type : p->args[i];
    for (uint16_t i = 0; i < f->all_count; i++) {
        bool in = f->all_modes[i] != 'o' && f->all_modes[i] != 't';
        type_id *declared = ARENA_ARRAY(s->env->arena, type_id, p->arg_count + 1u);
        all[i] = in ? args[given++] : f->all_types[i];
        memcpy(declared, p->args, p->arg_count * sizeof *declared);
        if (!in) TRY(bind__resolve_polymorphic(s, args, declared, p->arg_count, &all[i]));
        h = hash_combine(h, hash_u64(all[i]));
    }
    *made = *f;
    made->proc.args = args;
    made->proc.result = c->result;
    made->all_types = all;
    made->variant = h | 1;
    return OK;
}

enum status bind__variant(struct scope *s, struct call_site *c)
{
    const struct function_def *f = proc_function(c->proc);
    struct bind_env *env = s->env;
    if (!f || f->variant || !is_open(f)) return OK;
    struct function_def *made = ARENA_NEW(env->arena, struct function_def);
    TRY(fill(s, f, c, made, ARENA_ARRAY(env->arena, type_id, f->proc.arg_count + 1u),
             ARENA_ARRAY(env->arena, type_id, f->all_count + 1u)));
    for (size_t i = 0; i < env->variants.count; i++) {
        const struct function_def *v = env->variants.data[i];
        if (v->proc.oid != f->proc.oid || v->variant != made->variant) continue;
        c->proc = &v->proc;
        return OK;
    }
    ARENA_PUSH(env->arena, &env->variants, made);
    c->proc = &made->proc;
    return OK;
}
