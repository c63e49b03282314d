/* Types as written: a name, modifiers, brackets. SQL's own spellings arrive as pg_catalog names. */
#include "sql/bind/query_priv.h"
#include "catalog/absent.h"
#include "sql/type_name.h"
#include "types/record.h"

enum { TYPMODS_MAX = 3 }; /* one more than any type takes: its own code refuses */

static enum status type_at(struct bind_env *env, const struct ast_type_name *t, enum status code)
{
    struct scope s = {.env = env};
    return bind__at(&s, t->node.location, code);
}

static enum status no_type(struct bind_env *env, const struct ast_type_name *t)
{
    struct strbuf b;
    strbuf_init(&b, env->arena);
    for (uint32_t i = 0; i < t->names.count; i++) {
        if (i) strbuf_addc(&b, '.');
        strbuf_adds(&b, t->names.items[i]);
    }
    if (t->array_dims) strbuf_adds(&b, "[]");
    bool absent = absent_type(t->names.items[t->names.count - 1]);
    return type_at(env, t, absent ? UNSUPPORTED("type %s is not supported", b.data)
                                  : FAIL(UNDEFINED_OBJECT, "type \"%s\" does not exist", b.data));
}

/* A relation's: its rows'. */
static const struct type_info *row_type(struct bind_env *env, const char *schema, const char *name)
{
    const struct table_def *r = catalog_lookup(env->catalog, env->path, schema, name);
    if (!r || r->kind == 'S' || r->oid >= TYPE_ROW_ARRAY_BIT) return NULL;
    if (r->virtual_id < 0) bind__note_table(env, r);
    return type_get(type_row(r->oid));
}

static enum status find_type(struct bind_env *env, const struct ast_type_name *t,
                             const struct type_info **ret)
{
    const char *name = t->names.items[t->names.count - 1];
    const struct type_info *found = type_by_name(slice_of(name));
    if (t->names.count > 2) {
        FAIL(FEATURE_NOT_SUPPORTED, "cross-database references are not implemented: \"%s.%s.%s\"",
             t->names.items[0], t->names.items[1], name);
        return type_at(env, t, FEATURE_NOT_SUPPORTED);
    }
    const char *schema = t->names.count == 2 ? t->names.items[0] : NULL;
    if (schema && strcmp(schema, "pg_catalog") != 0) {
        if (!catalog_schema(env->catalog, env->path->database, slice_of(schema)))
            return type_at(env, t,
                           FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema));
        found = NULL;
    }
    if (!found) {
        found = row_type(env, schema, name);
        if (!found) return no_type(env, t);
        const struct table_def *of = type_row_table(env->catalog, found->id);
        if (env->noting && of && t->node.location >= 0)
            ARENA_PUSH(env->arena, &env->uses,
                       ((struct name_use){.location = t->node.location, .table = of}));
    }
    *ret = found;
    return OK;
}

static enum status read_typmods(struct bind_env *env, const struct ast_type_name *t, type_id type,
                                int32_t *ret)
{
    int32_t mods[TYPMODS_MAX];
    *ret = -1;
    if (t->typmods.count == 0) return OK;
    for (uint32_t i = 0; i < t->typmods.count; i++) {
        const struct ast *m = t->typmods.items[i];
        const struct ast_const *c = AST(m, ast_const);
        if (m->kind != AST_CONST || (c->type != CONST_INT && c->type != CONST_STRING))
            return type_at(env, t,
                           FAIL(SYNTAX_ERROR,
                                "type modifiers must be simple constants or identifiers"));
        int64_t value = c->ival;
        if (c->type == CONST_STRING && !str_to_i64(slice_of(c->text), &value))
            return type_at(env, t,
                           FAIL(INVALID_TEXT_REPRESENTATION,
                                "invalid input syntax for type integer: \"%s\"", c->text));
        if (i < TYPMODS_MAX) mods[i] = (int32_t)value;
    }
    if (t->typmods.count > TYPMODS_MAX)
        return type_at(env, t, FAIL(INVALID_PARAMETER_VALUE, "invalid type modifier"));
    return type_at(env, t, type_make_typmod(type, mods, (int)t->typmods.count, ret));
}

enum status bind_type(struct bind_env *env, const struct ast_type_name *t, type_id *ret,
                      int32_t *ret_typmod)
{
    const struct type_info *found;
    int32_t typmod;
    if (t->pct_type)
        return type_at(env, t, UNSUPPORTED("%%TYPE references are not supported"));
    if (t->setof)
        return type_at(env, t, FAIL(FEATURE_NOT_SUPPORTED, "SETOF is not supported here"));
    TRY(find_type(env, t, &found));
    TRY(read_typmods(env, t, found->id, &typmod));
    if (t->array_dims > 0 && found->array == TYPE_NONE) return no_type(env, t);
    *ret = t->array_dims > 0 ? found->array : found->id;
    *ret_typmod = typmod;
    return OK;
}
