/* A scope: one query level while it is bound. It lies on the stack of the function that binds the
 * level; what it points to is in the query's arena. */
#include "sql/bind/view_target_priv.h"

void bind__scope_init(struct scope *s, struct bind_env *env, struct scope *parent)
{
    *s = (struct scope){.env = env, .parent = parent, .depth = parent ? parent->depth + 1 : 0};
}

struct query *bind__query_new(struct scope *s, enum command command)
{
    struct query *q = ARENA_NEW(s->env->arena, struct query);
    q->command = command;
    q->parent = s->parent ? s->parent->query : NULL;
    q->set_op = SETOP_NONE;
    s->query = q;
    return q;
}

struct relation *bind__relation_of_table(struct bind_env *env, const struct table_def *t,
                                         const char *alias)
{
    struct relation *r = ARENA_NEW(env->arena, struct relation);
    const struct schema_def *schema = catalog_schema_by_oid(env->catalog, t->schema);
    r->kind = REL_TABLE;
    r->table = t;
    r->alias = alias ? alias : t->name;
    r->schema = alias || !schema ? NULL : schema->name;
    r->columns = ARENA_ARRAY(env->arena, struct rel_column, t->column_count);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        if (c->dropped) continue;
        r->columns[r->column_count++] = (struct rel_column){
            .name = c->name, .type = c->type, .typmod = c->typmod, .attnum = c->number};
    }
    return r;
}

/* Does a trigger of the view do it? */
bool bind__has_instead(const struct table_def *t, enum command command)
{
    uint8_t event = command == CMD_INSERT   ? TRIGGER_INSERT
                    : command == CMD_UPDATE ? TRIGGER_UPDATE
                                            : TRIGGER_DELETE;
    for (uint16_t i = 0; i < t->trigger_count; i++)
        if ((t->triggers[i]->type & TRIGGER_INSTEAD) && (t->triggers[i]->type & event) &&
            t->triggers[i]->enabled != 'D' && t->triggers[i]->enabled != 'R')
            return true;
    return false;
}

static enum status no_merge(const struct table_def *t)
{
    if (t->virtual_id >= 0 && t->kind == 'r')
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog", t->name);
    (void)FAIL(WRONG_OBJECT_TYPE, "cannot execute MERGE on relation \"%s\"", t->name);
    return error_detail("This operation is not supported for %s.",
                        t->kind == 'S' ? "sequences" : t->kind == 'm' ? "materialized views" : "views");
}

/* What cannot be changed, in the words of the statement that tries. */
static enum status check_writable(const struct scope *s, const struct table_def *t)
{
    enum command command = s->query->command;
    if (command == CMD_MERGE && (t->kind != 'r' || t->virtual_id >= 0)) return no_merge(t);
    if (t->virtual_id == VIRTUAL_TRANSITION)
        return FAIL(WRONG_OBJECT_TYPE, "relation \"%s\" cannot be the target of a modifying statement",
                    t->name);
    if (t->kind == 'm' && !s->query->fills)
        return FAIL(WRONG_OBJECT_TYPE, "cannot change materialized view \"%s\"", t->name);
    if (t->kind == 'S') return FAIL(WRONG_OBJECT_TYPE, "cannot change sequence \"%s\"", t->name);
    if (t->virtual_id >= 0)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog",
                    t->name);
    return OK;
}

static enum status auto_view(struct scope *s, const struct table_def *t, const struct ast_range_var *rv,
                             bool visible, uint32_t *ret_relation)
{
    TRY(bind__auto_view(s, t, rv, visible, ret_relation));
    if (visible) ARRAY_LAST(&s->names).lateral_ok = false;
    return OK;
}

/* MERGE's actions tell theirs. */
static uint32_t rights_of(enum command c)
{
    return c == CMD_INSERT ? RIGHT_INSERT : c == CMD_UPDATE ? RIGHT_UPDATE : c == CMD_DELETE ? RIGHT_DELETE : 0;
}

enum status bind__target_table(struct scope *s, const struct ast_range_var *rv, bool visible,
                               uint32_t *ret_relation)
{
    const struct table_def *t;
    ASSERT(s->query->relation_count == 0);
    s->env->moment = 0; /* what is written is of now: whoever may not write is told so later */
    TRY(bind__find_table(s, rv, &t));
    TRY(check_writable(s, t));
    if (t->kind == 'v' && t->virtual_id < 0 && !bind__has_instead(t, s->query->command)) {
        TRY(auto_view(s, t, rv, visible, ret_relation));
        bind__writes(s, rights_of(s->query->command));
        return OK;
    }
    s->query->table = t;
    bind__writes(s, rights_of(s->query->command));
    struct relation *r = bind__relation_of_table(s->env, t, rv->alias.name);
    if (t->kind == 'v' && s->query->command != CMD_INSERT) TRY(bind__view_target(s, t, r));
    *ret_relation = bind__add_relation(s, r, visible, visible);
    /* PostgreSQL lets no item of FROM read the row that is being changed. */
    if (visible) ARRAY_LAST(&s->names).lateral_ok = false;
    return t->kind == 'v' ? OK : bind__index_rules(s, *ret_relation);
}

uint32_t bind__table_column(const struct table_def *t, const char *name)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped && strcmp(t->columns[i].name, name) == 0) return i;
    return UINT32_MAX;
}
