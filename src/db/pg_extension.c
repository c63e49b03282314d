/* Extensions: what is built in of them is there from the start and stays. The descriptions of
 * objects that are built in, so far as clients list them by name, are here too. */
#include "db/system_priv.h"

enum {
    EXTENSION_PLPGSQL = 13499,
    CLASS_EXTENSION = 3079,
    CLASS_LANGUAGE = 2612,
    CLASS_METHOD = 2601,
};

static const char plpgsql_words[] = "PL/pgSQL procedural language";

enum status sys_pg_extension(struct sys_scan *x)
{
    return SYS_EMIT(x, I(EXTENSION_PLPGSQL), T("plpgsql"), I(OID_ROLE_BOOTSTRAP),
                    I(OID_SCHEMA_PG_CATALOG), I(0), T("1.0"), N, N);
}

enum status sys_pg_available_extensions(struct sys_scan *x)
{
    return SYS_EMIT(x, T("plpgsql"), T("1.0"), T("1.0"), T(plpgsql_words));
}

enum status sys_pg_available_extension_versions(struct sys_scan *x)
{
    return SYS_EMIT(x, T("plpgsql"), T("1.0"), I(1), I(1), I(1), I(0), T("pg_catalog"), N,
                    T(plpgsql_words));
}

static const struct {
    oid_t object, class;
    const char *class_name, *words;
} descriptions[] = {{EXTENSION_PLPGSQL, CLASS_EXTENSION, "pg_extension", plpgsql_words},
                    {13500, CLASS_LANGUAGE, "pg_language", plpgsql_words},
                    {12, CLASS_LANGUAGE, "pg_language", "built-in functions"},
                    {13, CLASS_LANGUAGE, "pg_language", "dynamically-loaded C functions"},
                    {14, CLASS_LANGUAGE, "pg_language", "SQL-language functions"},
                    {AM_HEAP, CLASS_METHOD, "pg_am", "heap table access method"},
                    {AM_BTREE, CLASS_METHOD, "pg_am", "b-tree index access method"},
                    {AM_HASH, CLASS_METHOD, "pg_am", "hash index access method"}};
enum { DESCRIPTIONS = sizeof descriptions / sizeof descriptions[0] };

enum status sys_builtin_descriptions(struct sys_scan *x)
{
    for (int i = 0; i < DESCRIPTIONS; i++)
        TRY(SYS_EMIT(x, I(descriptions[i].object), I(descriptions[i].class), I(0),
                     T(descriptions[i].words)));
    return OK;
}

const char *sys_builtin_description(oid_t object, const char *class)
{
    for (int i = 0; class && i < DESCRIPTIONS; i++)
        if (descriptions[i].object == object && strcmp(descriptions[i].class_name, class) == 0)
            return descriptions[i].words;
    return NULL;
}
