/* ALTER TABLE … VALIDATE CONSTRAINT by itself, outside of a block: others read and write
 * meanwhile, and do DDL to other tables. All who write know the constraint since it was added,
 * so that only rows of a snapshot of now are to be looked at. In a block it is done like other
 * commands of ALTER TABLE, under a lock that keeps no reader or writer out. */
#include "db/ddl_build_priv.h"

bool validate__handles(const struct session *s, const struct ast_alter_table *n)
{
    if (s->block != BLOCK_NONE || s->in_function || n->object != OBJECT_TABLE) return false;
    for (uint32_t i = 0; i < n->cmds.count; i++)
        if (AST(n->cmds.items[i], ast_alter_cmd)->type != ALTER_VALIDATE_CONSTRAINT) return false;
    return n->cmds.count > 0;
}

typedef ARRAY(oid_t) oid_list;

static enum status list_constraints(struct build *b, const struct ast_alter_table *n,
                                    const struct table_def *t, oid_list *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < n->cmds.count; i++) {
        const struct constraint_def *k;
        const struct ast_alter_cmd *c = AST(n->cmds.items[i], ast_alter_cmd);
        TRY(ddl__find_validated(t, c->name, &k));
        if (!k->validated) ARENA_PUSH(b->ddl.a, out, k->oid);
    }
    return OK;
}

static const struct constraint_def *find_constraint(const struct table_def *t, oid_t oid)
{
    for (uint16_t i = 0; i < t->constraint_count; i++)
        if (t->constraints[i]->oid == oid) return t->constraints[i];
    return NULL;
}

static enum status look(struct build *b, const oid_list *oids)
{
    enum status st = OK;
    TRY(build__begin_reader(b));
    build__show(b->s, BUILD_VALIDATE, b->t, NULL);
    build__show_table(b->s, b->t);
    b->ddl.reader = b->reader;
    for (size_t i = 0; i < oids->count && st == OK; i++) {
        const struct constraint_def *k = find_constraint(b->t, oids->data[i]);
        st = k->kind == 'f' ? ddl__verify_foreign(&b->ddl, k) : ddl__verify_check(&b->ddl, b->t, k);
    }
    b->ddl.reader = NULL;
    return st;
}

static enum status mark(struct build *b, const oid_list *oids)
{
    struct table_edit e;
    const struct table_def *t = catalog_table_by_oid(b->s->catalog, b->table);
    if (!t) return FAIL(UNDEFINED_TABLE, "the table was dropped meanwhile");
    for (size_t i = 0; i < oids->count; i++)
        if (!find_constraint(t, oids->data[i]))
            return FAIL(UNDEFINED_OBJECT, "a constraint of table \"%s\" was dropped meanwhile",
                        t->name);
    ddl__edit(&b->ddl, t, &e);
    for (size_t i = 0; i < e.constraints.count; i++)
        for (size_t k = 0; k < oids->count; k++) {
            if (e.constraints.data[i]->oid != oids->data[k]) continue;
            struct constraint_def *copy =
                arena_memdup(b->ddl.a, e.constraints.data[i], sizeof *copy);
            copy->validated = true;
            e.constraints.data[i] = copy;
        }
    return ddl__edit_put(&b->ddl, &e, NULL);
}

enum status validate__run(struct build *b, const struct ast_alter_table *n)
{
    const struct table_def *t = NULL;
    oid_list oids = {0};
    bool again = true;
    while (again) {
        TRY(build__open(b));
        b->ddl.unplaced = true;
        const char *schema = n->table->schema, *name = n->table->name;
        if (n->missing_ok && !catalog_lookup(b->s->catalog, session__path(b->s), schema, name))
            return ddl__notice(&b->ddl, "relation \"%s\" does not exist, skipping", name);
        TRY(ddl__find(&b->ddl, n->table, 'r', false, &t));
        TRY(ddl__own_table(&b->ddl, t));
        TRY(list_constraints(b, n, t, &oids));
        if (!oids.count) return OK;
        TRY(build__enter(b, t->oid, &again));
    }
    TRY(build__commit(b));
    TRY(look(b, &oids));
    build__end_reader(b);
    TRY(build__open(b));
    TRY(mark(b, &oids));
    return build__commit(b);
}
