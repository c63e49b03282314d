/* DDL: the way from a statement to its executor, and the steps that all of them take: the lock
 * that serialises DDL, the lock on the relation, a new definition put in place of the old one.
 *
 * Order of locks: first DDL's own, then relations. Whoever holds the first sees no other DDL, so
 * what was looked up under it stays true; rows are read only after the relation's lock, under a
 * snapshot taken after it. */
#include "db/builds.h"
#include "db/ddl_build_priv.h"
#include "db/ddl_routine_priv.h"

void ddl__tag(char tag[64], const char *text)
{
    size_t len = strlen(text);
    memcpy(tag, text, len < 63 ? len + 1 : 63);
}

enum status ddl__notice(struct ddl *d, const char *fmt, ...)
{
    struct strbuf b;
    va_list ap;
    strbuf_init(&b, d->a);
    va_start(ap, fmt);
    strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    return session__notice(d->sink, "NOTICE", OK, NULL, "%s", b.data);
}

enum status ddl__at(struct ddl *d, int location, enum status code)
{
    if (location >= 0) return error_at(sql_position(d->text, location));
    return code;
}

/* --- the catalog ---------------------------------------------------------------------------- */

enum status ddl__new_oid(struct ddl *d, oid_t *ret)
{
    return catalog_new_oids(d->s->txn, 1, ret);
}

static void move_to(struct ddl *d, struct catalog *c)
{
    ARENA_PUSH(d->a, &d->kept, catalog_ref(d->s->catalog));
    session__set_catalog(d->s, c);
}

enum status ddl__put_table(struct ddl *d, const struct table_def *t)
{
    struct catalog *c;
    TRY(catalog_put_table(d->s->catalog, d->s->txn, t, &c));
    move_to(d, c);
    return OK;
}

enum status ddl__put_schema(struct ddl *d, const struct schema_def *def)
{
    struct catalog *c;
    TRY(catalog_put_schema(d->s->catalog, d->s->txn, def, &c));
    move_to(d, c);
    return OK;
}

enum status ddl__put_database(struct ddl *d, const struct database_def *def)
{
    struct catalog *c;
    TRY(catalog_put_database(d->s->catalog, d->s->txn, def, &c));
    move_to(d, c);
    return OK;
}

enum status ddl__put_role(struct ddl *d, const struct role_def *def)
{
    if (role_is_predefined(def->oid))
        return FAIL(RESERVED_NAME, "role name \"%s\" is reserved",
                    catalog_role_by_oid(d->s->catalog, def->oid)->name),
               error_detail("Cannot alter reserved roles.");
    struct catalog *c;
    TRY(catalog_put_role(d->s->catalog, d->s->txn, def, &c));
    move_to(d, c);
    return OK;
}

enum status ddl__remove(struct ddl *d, oid_t oid)
{
    struct catalog *c;
    TRY(catalog_remove(d->s->catalog, d->s->txn, oid, &c));
    move_to(d, c);
    return OK;
}

enum status ddl__unbuilt(struct ddl *d, oid_t relation)
{
    if (!builds_running(d->s, relation)) return OK;
    const struct table_def *t = catalog_table_by_oid(d->s->catalog, relation);
    d->blocked = relation;
    FAIL(OBJECT_IN_USE, "an index of table \"%s\" is being built, remade or dropped",
         t ? t->name : "");
    return error_hint("Try again when that is done; pg_stat_progress_create_index shows how far "
                      "it is.");
}

enum status ddl__lock(struct ddl *d, oid_t relation, enum relation_lock mode)
{
    if (mode >= LOCK_SHARE_UPDATE_EXCLUSIVE) TRY(ddl__unbuilt(d, relation));
    TRY(txn_lock_relation(d->s->txn, relation, mode, false));
    TRY(txn_await_visible(d->s->txn)); /* who had the lock may have committed asynchronously */
    txn_statement_end(d->s->txn);
    txn_statement_begin_latest(d->s->txn);
    return OK;
}

enum status ddl__lock_fully(struct ddl *d, oid_t relation)
{
    enum relation_lock mode = d->beside;
    d->beside = 0;
    return mode ? ddl__lock(d, relation, mode) : OK;
}

const struct table_def *ddl__table(struct ddl *d, oid_t oid)
{
    const struct table_def *t = catalog_table_by_oid(d->s->catalog, oid);
    ASSERT(t);
    return t;
}

/* --- definitions while they change ---------------------------------------------------------- */

void ddl__edit(struct ddl *d, const struct table_def *t, struct table_edit *ret)
{
    *ret = (struct table_edit){.def = *t};
    for (uint16_t i = 0; i < t->column_count; i++) ARENA_PUSH(d->a, &ret->columns, t->columns[i]);
    for (uint16_t i = 0; i < t->index_count; i++) ARENA_PUSH(d->a, &ret->indexes, t->indexes[i]);
    for (uint16_t i = 0; i < t->constraint_count; i++)
        ARENA_PUSH(d->a, &ret->constraints, t->constraints[i]);
}

const struct table_def *ddl__edit_def(struct table_edit *e)
{
    e->def.columns = e->columns.data;
    e->def.column_count = (uint16_t)e->columns.count;
    e->def.indexes = e->indexes.data;
    e->def.index_count = (uint16_t)e->indexes.count;
    e->def.constraints = e->constraints.data;
    e->def.constraint_count = (uint16_t)e->constraints.count;
    return &e->def;
}

enum status ddl__edit_put(struct ddl *d, struct table_edit *e, const struct table_def **ret)
{
    TRY(ddl__put_table(d, ddl__edit_def(e)));
    if (ret) *ret = ddl__table(d, e->def.oid);
    return OK;
}

struct column_def *ddl__edit_column(struct table_edit *e, const char *name)
{
    for (size_t i = 0; i < e->columns.count; i++)
        if (!e->columns.data[i].dropped && strcmp(e->columns.data[i].name, name) == 0)
            return &e->columns.data[i];
    return NULL;
}

/* --- dispatch ------------------------------------------------------------------------------- */

static const char *object_word(enum object_kind k)
{
    static const char *const words[] = {
        [OBJECT_TABLE] = "TABLE",           [OBJECT_INDEX] = "INDEX",
        [OBJECT_SEQUENCE] = "SEQUENCE",     [OBJECT_VIEW] = "VIEW",
        [OBJECT_SCHEMA] = "SCHEMA",         [OBJECT_COLUMN] = "TABLE",
        [OBJECT_CONSTRAINT] = "TABLE",      [OBJECT_DATABASE] = "DATABASE",
        [OBJECT_ROLE] = "ROLE",             [OBJECT_MATERIALIZED_VIEW] = "MATERIALIZED VIEW",
        [OBJECT_ROW_TYPE] = "TYPE",         [OBJECT_OTHER] = "OBJECT",
    };
    return words[k];
}

bool ddl_handles(enum ast_kind kind)
{
    switch (kind) {
    case AST_CREATE_TABLE:
    case AST_CREATE_TABLE_AS:
    case AST_SELECT: /* with INTO; others never come here */
    case AST_CREATE_INDEX:
    case AST_CREATE_SCHEMA:
    case AST_CREATE_DATABASE:
    case AST_CREATE_SEQUENCE:
    case AST_ALTER_SEQUENCE:
    case AST_CREATE_VIEW:
    case AST_CREATE_ROLE:
    case AST_ALTER_ROLE:
    case AST_DROP_ROLE:
    case AST_ALTER_TABLE:
    case AST_RENAME:
    case AST_ALTER_OWNER:
    case AST_ALTER_SCHEMA:
    case AST_DROP:
    case AST_DROP_DATABASE:
    case AST_TRUNCATE:
    case AST_REFRESH:
    case AST_REINDEX:
    case AST_COMMENT:
    case AST_CREATE_FUNCTION:
    case AST_ALTER_FUNCTION:
    case AST_DROP_FUNCTION:
    case AST_NAME_FUNCTION:
    case AST_CREATE_TRIGGER:
    case AST_DROP_TRIGGER:
    case AST_NAME_TRIGGER:
    case AST_GRANT:
    case AST_GRANT_ROLE: return true;
    default: return false;
    }
}

static enum status routine_statement(struct ddl *d, const struct ast *a)
{
    switch (a->kind) {
    case AST_CREATE_FUNCTION: return ddl__create_function(d, AST(a, ast_create_function));
    case AST_ALTER_FUNCTION: return ddl__alter_function(d, AST(a, ast_alter_function));
    case AST_DROP_FUNCTION: return ddl__drop_functions(d, AST(a, ast_drop_function));
    case AST_NAME_FUNCTION: return ddl__name_function(d, AST(a, ast_name_function));
    case AST_CREATE_TRIGGER: return ddl__create_trigger(d, AST(a, ast_create_trigger));
    case AST_DROP_TRIGGER: return ddl__drop_trigger(d, AST(a, ast_drop_trigger));
    case AST_NAME_TRIGGER: return ddl__name_trigger(d, AST(a, ast_name_trigger));
    default: return UNSUPPORTED("this statement is not supported yet");
    }
}

static enum status change_statement(struct ddl *d, const struct ast *a)
{
    switch (a->kind) {
    case AST_ALTER_TABLE: return ddl__alter_table(d, AST(a, ast_alter_table));
    case AST_RENAME: return ddl__rename(d, AST(a, ast_rename));
    case AST_ALTER_OWNER: return ddl__alter_owner(d, AST(a, ast_alter_object));
    case AST_ALTER_SCHEMA: return ddl__alter_schema(d, AST(a, ast_alter_object));
    case AST_DROP: return ddl__drop(d, AST(a, ast_drop));
    case AST_REFRESH: return ddl__refresh(d, AST(a, ast_refresh));
    case AST_TRUNCATE: return ddl__truncate(d, AST(a, ast_truncate));
    case AST_REINDEX: return ddl__reindex(d, AST(a, ast_reindex));
    case AST_COMMENT: return ddl__comment(d, AST(a, ast_comment));
    case AST_GRANT: return ddl__grant(d, AST(a, ast_grant));
    case AST_GRANT_ROLE: return ddl__grant_role(d, AST(a, ast_grant_role));
    case AST_ALTER_SEQUENCE: return ddl__alter_sequence(d, AST(a, ast_sequence));
    case AST_ALTER_ROLE: return ddl__alter_role(d, AST(a, ast_role));
    case AST_DROP_ROLE: return ddl__drop_role(d, AST(a, ast_role));
    case AST_DROP_DATABASE: return ddl__drop_database(d, AST(a, ast_database));
    default: return routine_statement(d, a);
    }
}

enum status ddl__statement(struct ddl *d, const struct ast *a, char tag[64])
{
    switch (a->kind) {
    case AST_CREATE_TABLE:
        if (AST(a, ast_create_table)->is_type) return ddl__create_type(d, AST(a, ast_create_table));
        return ddl__create_table(d, AST(a, ast_create_table));
    case AST_CREATE_TABLE_AS: return ddl__create_table_as(d, AST(a, ast_create_table_as), tag);
    case AST_SELECT: return ddl__select_into(d, AST(a, ast_select), tag);
    case AST_CREATE_INDEX: return ddl__create_index(d, AST(a, ast_create_index));
    case AST_CREATE_SCHEMA: return ddl__create_schema(d, AST(a, ast_create_schema));
    case AST_CREATE_DATABASE: return ddl__create_database(d, AST(a, ast_database));
    case AST_CREATE_SEQUENCE: return ddl__create_sequence(d, AST(a, ast_sequence));
    case AST_CREATE_VIEW: return ddl__create_view(d, AST(a, ast_create_view));
    case AST_CREATE_ROLE: return ddl__create_role(d, AST(a, ast_role));
    default: return change_statement(d, a);
    }
}

/* What the statement is called where a transaction block or READ ONLY forbids it. */
static enum status check_place(struct session *s, const struct ast *a, const char *tag,
                               struct slice text)
{
    bool database = a->kind == AST_CREATE_DATABASE || a->kind == AST_DROP_DATABASE;
    bool role = a->kind == AST_CREATE_ROLE || a->kind == AST_ALTER_ROLE || a->kind == AST_DROP_ROLE;
    if (s->line->branch && (database || role)) {
        FAIL(FEATURE_NOT_SUPPORTED, "%s is not supported in a branch", tag);
        return error_hint("Databases and roles are of the main branch: USE BRANCH main.");
    }
    if (database) TRY(session__forbid_block(s, tag));
    if (a->kind == AST_CREATE_INDEX && AST(a, ast_create_index)->concurrently)
        TRY(session__forbid_block(s, "CREATE INDEX CONCURRENTLY"));
    if (a->kind == AST_DROP && AST(a, ast_drop)->concurrently)
        TRY(session__forbid_block(s, "DROP INDEX CONCURRENTLY"));
    if (a->kind == AST_REINDEX) TRY(reindex__check_place(s, AST(a, ast_reindex), text));
    return OK;
}

static const char *routine_word(char kind)
{
    return kind == 'p' ? "PROCEDURE" : kind == 'r' ? "ROUTINE" : "FUNCTION";
}

static const char *routine_tag(struct arena *a, const struct ast *n)
{
    const struct ast_name_function *name = AST(n, ast_name_function);
    const struct ast_name_trigger *trigger = AST(n, ast_name_trigger);
    switch (n->kind) {
    case AST_CREATE_FUNCTION:
        return AST(n, ast_create_function)->kind == 'p' ? "CREATE PROCEDURE" : "CREATE FUNCTION";
    case AST_ALTER_FUNCTION:
        return arena_printf(a, "ALTER %s", routine_word(AST(n, ast_alter_function)->kind));
    case AST_DROP_FUNCTION:
        return arena_printf(a, "DROP %s", routine_word(AST(n, ast_drop_function)->kind));
    case AST_NAME_FUNCTION:
        return name->what == NAMING_COMMENT ? "COMMENT"
                                            : arena_printf(a, "ALTER %s", routine_word(name->kind));
    case AST_CREATE_TRIGGER: return "CREATE TRIGGER";
    case AST_DROP_TRIGGER: return "DROP TRIGGER";
    case AST_NAME_TRIGGER: return trigger->what == NAMING_COMMENT ? "COMMENT" : "ALTER TRIGGER";
    default: return NULL;
    }
}

static const char *tag_of(struct arena *a, const struct ast *n)
{
    const char *routine = routine_tag(a, n);
    if (routine) return routine;
    switch (n->kind) {
    case AST_CREATE_TABLE: return AST(n, ast_create_table)->is_type ? "CREATE TYPE" : "CREATE TABLE";
    case AST_CREATE_TABLE_AS: return "CREATE TABLE AS";
    case AST_SELECT: return "SELECT INTO";
    case AST_CREATE_INDEX: return "CREATE INDEX";
    case AST_CREATE_SCHEMA: return "CREATE SCHEMA";
    case AST_CREATE_DATABASE: return "CREATE DATABASE";
    case AST_CREATE_SEQUENCE: return "CREATE SEQUENCE";
    case AST_CREATE_VIEW: return "CREATE VIEW";
    case AST_CREATE_ROLE: return "CREATE ROLE";
    case AST_ALTER_ROLE: return "ALTER ROLE";
    case AST_DROP_ROLE: return "DROP ROLE";
    case AST_ALTER_SEQUENCE: return "ALTER SEQUENCE";
    case AST_DROP_DATABASE: return "DROP DATABASE";
    case AST_TRUNCATE: return "TRUNCATE TABLE";
    case AST_REFRESH: return "REFRESH MATERIALIZED VIEW";
    case AST_REINDEX: return "REINDEX";
    case AST_COMMENT: return "COMMENT";
    case AST_GRANT: return AST(n, ast_grant)->is_grant ? "GRANT" : "REVOKE";
    case AST_GRANT_ROLE: return AST(n, ast_grant_role)->is_grant ? "GRANT ROLE" : "REVOKE ROLE";
    case AST_DROP: return arena_printf(a, "DROP %s", object_word(AST(n, ast_drop)->object));
    case AST_RENAME:
        return arena_printf(a, "ALTER %s", object_word(AST(n, ast_rename)->relation_object));
    case AST_ALTER_OWNER:
    case AST_ALTER_SCHEMA:
        return arena_printf(a, "ALTER %s", object_word(AST(n, ast_alter_object)->object));
    default: return arena_printf(a, "ALTER %s", object_word(AST(n, ast_alter_table)->object));
    }
}

static enum status execute_once(struct session *s, const struct statement *st, struct slice text,
                                const struct result_sink *sink, char tag[64], oid_t *ret_blocked)
{
    struct ddl d = {.s = s, .sink = sink, .text = text, .a = &s->arena};
    TRY(session__begin_ddl(s));
    s->txn_began_statement = true;
    /* The wait for other DDL may have been long, and definitions are those of now. */
    txn_statement_end(s->txn);
    txn_statement_begin_latest(s->txn);
    enum status result = ddl__statement(&d, st->ast, tag);
    for (size_t i = 0; i < d.kept.count; i++) catalog_unref(d.kept.data[i]);
    *ret_blocked = result == OBJECT_IN_USE ? d.blocked : 0;
    return result;
}

/* The transaction, which has done nothing else, begins anew when the table is free. */
static enum status wait_for_build(struct session *s, oid_t table, const struct result_sink *sink)
{
    error_clear();
    session__abort(s, sink);
    enum status st = builds_wait(s, table);
    TRY(session__ensure_txn(s));
    txn_statement_begin(s->txn);
    return st;
}

enum status ddl_execute(struct session *s, const struct statement *st, struct slice text,
                        const struct result_sink *sink, char tag[64])
{
    const char *words = tag_of(&s->arena, st->ast);
    if (session__is_read_only(s))
        return FAIL(READ_ONLY_SQL_TRANSACTION, "cannot execute %s in a read-only transaction",
                    words);
    TRY(check_place(s, st->ast, words, text));
    ddl__tag(tag, words);
    if (concurrent__handles(s, st->ast)) return concurrent__execute(s, st->ast, text, sink);
    if (st->ast->kind == AST_DROP_DATABASE)
        TRY(ddl__await_unused_database(s, AST(st->ast, ast_database)));
    for (;;) {
        oid_t blocked = 0;
        enum status result = execute_once(s, st, text, sink, tag, &blocked);
        if (!blocked || s->block != BLOCK_NONE || s->in_function) return result;
        TRY(wait_for_build(s, blocked, sink));
    }
}
