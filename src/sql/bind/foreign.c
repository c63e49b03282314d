/* Foreign keys of a statement that writes: those of its table, those that refer to it, and the tables
 * that their actions may change, each with what it says about its own rows. */
#include "sql/bind/query_priv.h"

#include "catalog/foreign_key.h"

enum { REACHED_MAX = 10000 };

struct reach {
    struct scope *scope;
    ARRAY(struct query *) tables;
};

static enum status refers(struct scope *s, struct query *q)
{
    struct arena *a = s->env->arena;
    const struct table_def *t = q->table;
    ARRAY(struct foreign_key) keys = {0};
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        struct foreign_key k;
        if (t->constraints[i]->kind != 'f') continue;
        if (!foreign_key_find(s->env->catalog, t->constraints[i], a, &k))
            return FAIL(INTERNAL_ERROR, "constraint \"%s\" refers to nothing",
                        t->constraints[i]->name);
        ARENA_PUSH(a, &keys, k);
    }
    q->refers = keys.data;
    q->refer_count = (uint32_t)keys.count;
    return OK;
}

static bool assigns(const struct query *q, const struct constraint_def *k)
{
    for (uint16_t i = 0; i < k->column_count; i++) {
        uint32_t c = (uint32_t)(k->foreign_columns[i] - 1);
        if (q->generated && q->generated[c]) return true;
        for (uint32_t n = 0; n < q->assignment_count; n++)
            if (q->assignments[n].column == c) return true;
    }
    return false;
}

/* `all`: whatever may happen to its rows; else what the statement does. */
static enum status referred(struct scope *s, struct query *q, bool all)
{
    struct arena *a = s->env->arena;
    ARRAY(struct foreign_key) keys = {0};
    uint32_t n;
    const struct constraint_def *const *list =
        catalog_references(s->env->catalog, q->table->oid, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct foreign_key k;
        bool may = all || q->command == CMD_DELETE || q->command == CMD_MERGE ||
                   q->trigger_count; /* triggers assign, too */
        if (!may && !assigns(q, list[i])) continue;
        if (!foreign_key_find(s->env->catalog, list[i], a, &k))
            return FAIL(INTERNAL_ERROR, "constraint \"%s\" refers to nothing", list[i]->name);
        ARENA_PUSH(a, &keys, k);
    }
    q->referred = keys.data;
    q->referred_count = (uint32_t)keys.count;
    return OK;
}

static bool acts(char action)
{
    return action == 'c' || action == 'n' || action == 'd';
}

static enum status add_reached(struct reach *r, const struct table_def *t)
{
    struct scope s;
    struct bind_env *env = r->scope->env;
    for (size_t i = 0; i < r->tables.count; i++)
        if (r->tables.data[i]->table->oid == t->oid) return OK;
    if (r->tables.count >= REACHED_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "referential actions reach too many tables");
    bind__scope_init(&s, env, NULL);
    struct query *q = bind__query_new(&s, CMD_UPDATE);
    q->table = t;
    uint32_t relation = bind__add_relation(&s, bind__relation_of_table(env, t, NULL), true, true);
    TRY(bind__index_rules(&s, relation));
    TRY(bind__table_rules(&s, t, true));
    TRY(bind__triggers(&s, t, TRIGGER_UPDATE | TRIGGER_DELETE));
    TRY(refers(&s, q));
    TRY(referred(&s, q, true));
    ARENA_PUSH(env->arena, &r->tables, q);
    return OK;
}

static enum status follow(struct reach *r, const struct query *q)
{
    for (uint32_t i = 0; i < q->referred_count; i++) {
        const struct foreign_key *k = &q->referred[i];
        if (acts(k->def->on_delete) || acts(k->def->on_update)) TRY(add_reached(r, k->child));
    }
    return OK;
}

static uint8_t events_of(const struct query *q)
{
    static const uint8_t events[] = {[CMD_INSERT] = TRIGGER_INSERT, [CMD_UPDATE] = TRIGGER_UPDATE,
                                     [CMD_DELETE] = TRIGGER_DELETE, [CMD_MERGE] = 0};
    uint8_t all = events[q->command];
    if (q->conflict == CONFLICT_UPDATE) all |= TRIGGER_UPDATE;
    for (uint32_t i = 0; i < q->merge_count; i++) {
        char what = q->merge[i].action;
        all |= what == 'i' ? TRIGGER_INSERT : what == 'u' ? TRIGGER_UPDATE : what == 'd' ? TRIGGER_DELETE : 0;
    }
    return all;
}

enum status bind__foreign_keys(struct scope *s)
{
    struct query *q = s->query;
    struct reach r = {.scope = s};
    uint8_t events = events_of(q);
    TRY(bind__triggers(s, q->table, events));
    TRY(refers(s, q));
    if (events & (TRIGGER_UPDATE | TRIGGER_DELETE)) TRY(referred(s, q, false));
    TRY(follow(&r, q));
    for (size_t i = 0; i < r.tables.count; i++) TRY(follow(&r, r.tables.data[i]));
    q->reached = r.tables.data;
    q->reached_count = (uint32_t)r.tables.count;
    return OK;
}
