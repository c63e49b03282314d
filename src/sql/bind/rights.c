/* What whoever runs a statement must be allowed to do: noted while the statement is bound, checked each time it runs, since
 * sessions of different roles share plans. What a view reads, its owner must be allowed to, not who reads the view. */
#include "sql/bind/resolve_priv.h"

static void need(struct bind_env *env, oid_t object, const struct table_def *t, uint32_t rights)
{
    for (size_t i = 0; i < env->rights.count; i++) {
        struct needed_right *n = &env->rights.data[i];
        if (n->object != object || n->as != env->reads_as) continue;
        n->rights |= rights;
        return;
    }
    ARENA_PUSH(env->arena, &env->rights,
               (struct needed_right){object, t, rights, env->reads_as});
}

void bind__need(struct bind_env *env, const struct table_def *t, uint32_t rights)
{
    if (t->virtual_id < 0) need(env, t->oid, t, rights);
}

enum status bind__need_schema(struct scope *s, const struct table_def *t, int location)
{
    struct bind_env *env = s->env;
    const struct schema_def *d = catalog_schema_by_oid(env->catalog, t->schema);
    if (env->reads_as || t->virtual_id >= 0 || !d) return OK;
    need(env, t->schema, NULL, RIGHT_USAGE);
    if (!env->may_use_schema || env->may_use_schema(env->past_ctx, d)) return OK;
    return bind__at(s, location, FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", d->name));
}

void bind__reads(struct scope *level, uint32_t relation)
{
    const struct query *q = level->query;
    bool target = relation == 0 || (q->view && relation == q->view_relation);
    if (q->command == CMD_SELECT || level->place == PLACE_STORED || !target) return;
    if (q->view) bind__need(level->env, q->view, RIGHT_SELECT);
    else if (q->table) bind__need(level->env, q->table, RIGHT_SELECT);
}

void bind__writes(struct scope *s, uint32_t rights)
{
    const struct query *q = s->query;
    if (!rights) return;
    bind__need(s->env, q->view ? q->view : q->table, rights);
    if (!q->view) return;
    oid_t as = s->env->reads_as;
    for (const struct table_def *const *v = q->view_path; *v; v++) {
        if (!bind__is_invoker_view(v[0])) s->env->reads_as = v[0]->owner;
        bind__need(s->env, v[1] ? v[1] : q->table, rights);
    }
    s->env->reads_as = as;
}

bool bind__is_invoker_view(const struct table_def *t)
{
    static const char *const forms[] = {"security_invoker=true", "security_invoker=on", "security_invoker=1",
                                        "security_invoker=yes"};
    bool found = false;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && t->options; i++)
        found |= strstr(t->options, forms[i]) != NULL;
    return found;
}
