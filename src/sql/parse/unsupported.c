/* Names for what the grammar knows and we do not have, so that the refusal says exactly what. */
#include "sql/parse/copy_priv.h"

/* The name of every object kind in SQL, and which of ours it is. */
static const struct {
    const char *name;
    enum object_kind ours;
} objects[] = {
    [OBJECT_ACCESS_METHOD] = {"ACCESS METHOD", OBJECT_OTHER},
    [OBJECT_AGGREGATE] = {"AGGREGATE", OBJECT_OTHER},
    [OBJECT_ATTRIBUTE] = {"TYPE ... ATTRIBUTE", OBJECT_OTHER},
    [OBJECT_CAST] = {"CAST", OBJECT_OTHER},
    [PG_OBJECT_COLUMN] = {"COLUMN", OBJECT_COLUMN},
    [OBJECT_COLLATION] = {"COLLATION", OBJECT_OTHER},
    [OBJECT_CONVERSION] = {"CONVERSION", OBJECT_OTHER},
    [PG_OBJECT_DATABASE] = {"DATABASE", OBJECT_DATABASE},
    [OBJECT_DOMAIN] = {"DOMAIN", OBJECT_OTHER},
    [OBJECT_DOMCONSTRAINT] = {"CONSTRAINT ON DOMAIN", OBJECT_OTHER},
    [OBJECT_EVENT_TRIGGER] = {"EVENT TRIGGER", OBJECT_OTHER},
    [OBJECT_EXTENSION] = {"EXTENSION", OBJECT_OTHER},
    [OBJECT_FDW] = {"FOREIGN DATA WRAPPER", OBJECT_OTHER},
    [OBJECT_FOREIGN_SERVER] = {"SERVER", OBJECT_OTHER},
    [OBJECT_FOREIGN_TABLE] = {"FOREIGN TABLE", OBJECT_OTHER},
    [OBJECT_FUNCTION] = {"FUNCTION", OBJECT_OTHER},
    [PG_OBJECT_INDEX] = {"INDEX", OBJECT_INDEX},
    [OBJECT_LANGUAGE] = {"LANGUAGE", OBJECT_OTHER},
    [OBJECT_LARGEOBJECT] = {"LARGE OBJECT", OBJECT_OTHER},
    [OBJECT_MATVIEW] = {"MATERIALIZED VIEW", OBJECT_MATERIALIZED_VIEW},
    [OBJECT_OPCLASS] = {"OPERATOR CLASS", OBJECT_OTHER},
    [OBJECT_OPERATOR] = {"OPERATOR", OBJECT_OTHER},
    [OBJECT_OPFAMILY] = {"OPERATOR FAMILY", OBJECT_OTHER},
    [OBJECT_PARAMETER_ACL] = {"PARAMETER", OBJECT_OTHER},
    [OBJECT_POLICY] = {"POLICY", OBJECT_OTHER},
    [OBJECT_PROCEDURE] = {"PROCEDURE", OBJECT_OTHER},
    [OBJECT_PUBLICATION] = {"PUBLICATION", OBJECT_OTHER},
    [PG_OBJECT_ROLE] = {"ROLE", OBJECT_ROLE},
    [OBJECT_ROUTINE] = {"ROUTINE", OBJECT_OTHER},
    [OBJECT_RULE] = {"RULE", OBJECT_OTHER},
    [PG_OBJECT_SCHEMA] = {"SCHEMA", OBJECT_SCHEMA},
    [PG_OBJECT_SEQUENCE] = {"SEQUENCE", OBJECT_SEQUENCE},
    [OBJECT_SUBSCRIPTION] = {"SUBSCRIPTION", OBJECT_OTHER},
    [OBJECT_STATISTIC_EXT] = {"STATISTICS", OBJECT_OTHER},
    [OBJECT_TABCONSTRAINT] = {"CONSTRAINT", OBJECT_CONSTRAINT},
    [PG_OBJECT_TABLE] = {"TABLE", OBJECT_TABLE},
    [OBJECT_TABLESPACE] = {"TABLESPACE", OBJECT_OTHER},
    [OBJECT_TRANSFORM] = {"TRANSFORM", OBJECT_OTHER},
    [OBJECT_TRIGGER] = {"TRIGGER", OBJECT_OTHER},
    [OBJECT_TSCONFIGURATION] = {"TEXT SEARCH CONFIGURATION", OBJECT_OTHER},
    [OBJECT_TSDICTIONARY] = {"TEXT SEARCH DICTIONARY", OBJECT_OTHER},
    [OBJECT_TSPARSER] = {"TEXT SEARCH PARSER", OBJECT_OTHER},
    [OBJECT_TSTEMPLATE] = {"TEXT SEARCH TEMPLATE", OBJECT_OTHER},
    [OBJECT_TYPE] = {"TYPE", OBJECT_ROW_TYPE},
    [OBJECT_USER_MAPPING] = {"USER MAPPING", OBJECT_OTHER},
    [PG_OBJECT_VIEW] = {"VIEW", OBJECT_VIEW},
};
enum { OBJECT_TYPES = sizeof objects / sizeof objects[0] };

enum object_kind copy__object_kind(ObjectType t, const char **ret_name)
{
    bool known = (unsigned)t < OBJECT_TYPES && objects[t].name;
    *ret_name = known ? objects[t].name : "this kind of object";
    return known ? objects[t].ours : OBJECT_OTHER;
}

static const struct {
    NodeTag tag;
    const char *what;
} statements[] = {
    {T_CallStmt, "CALL"},
    {T_DoStmt, "DO"},
    {T_LoadStmt, "LOAD"},
    {T_ClusterStmt, "CLUSTER"},
    {T_AlterDefaultPrivilegesStmt, "ALTER DEFAULT PRIVILEGES"},
    {T_AlterRoleSetStmt, "ALTER ROLE ... SET"},
    {T_AlterDatabaseStmt, "ALTER DATABASE"},
    {T_AlterDatabaseSetStmt, "ALTER DATABASE ... SET"},
    {T_AlterDatabaseRefreshCollStmt, "ALTER DATABASE ... REFRESH COLLATION VERSION"},
    {T_AlterSystemStmt, "ALTER SYSTEM"},
    {T_DropOwnedStmt, "DROP OWNED"},
    {T_ReassignOwnedStmt, "REASSIGN OWNED"},
    {T_SecLabelStmt, "SECURITY LABEL"},
    {T_RuleStmt, "CREATE RULE"},
    {T_CreateTrigStmt, "CREATE TRIGGER"},
    {T_CreateEventTrigStmt, "CREATE EVENT TRIGGER"},
    {T_AlterEventTrigStmt, "ALTER EVENT TRIGGER"},
    {T_CreatePLangStmt, "CREATE LANGUAGE"},
    {T_CreateDomainStmt, "CREATE DOMAIN"},
    {T_AlterDomainStmt, "ALTER DOMAIN"},
    {T_CreateEnumStmt, "CREATE TYPE ... AS ENUM"},
    {T_CreateRangeStmt, "CREATE TYPE ... AS RANGE"},
    {T_AlterEnumStmt, "ALTER TYPE"},
    {T_AlterTypeStmt, "ALTER TYPE"},
    {T_CreateCastStmt, "CREATE CAST"},
    {T_CreateConversionStmt, "CREATE CONVERSION"},
    {T_CreateTransformStmt, "CREATE TRANSFORM"},
    {T_CreateOpClassStmt, "CREATE OPERATOR CLASS"},
    {T_CreateOpFamilyStmt, "CREATE OPERATOR FAMILY"},
    {T_AlterOpFamilyStmt, "ALTER OPERATOR FAMILY"},
    {T_AlterOperatorStmt, "ALTER OPERATOR"},
    {T_AlterCollationStmt, "ALTER COLLATION"},
    {T_CreateAmStmt, "CREATE ACCESS METHOD"},
    {T_CreateStatsStmt, "CREATE STATISTICS"},
    {T_AlterStatsStmt, "ALTER STATISTICS"},
    {T_CreateExtensionStmt, "CREATE EXTENSION"},
    {T_AlterExtensionStmt, "ALTER EXTENSION"},
    {T_AlterExtensionContentsStmt, "ALTER EXTENSION"},
    {T_CreateFdwStmt, "CREATE FOREIGN DATA WRAPPER"},
    {T_AlterFdwStmt, "ALTER FOREIGN DATA WRAPPER"},
    {T_CreateForeignServerStmt, "CREATE SERVER"},
    {T_AlterForeignServerStmt, "ALTER SERVER"},
    {T_CreateForeignTableStmt, "CREATE FOREIGN TABLE"},
    {T_CreateUserMappingStmt, "CREATE USER MAPPING"},
    {T_AlterUserMappingStmt, "ALTER USER MAPPING"},
    {T_DropUserMappingStmt, "DROP USER MAPPING"},
    {T_ImportForeignSchemaStmt, "IMPORT FOREIGN SCHEMA"},
    {T_CreatePolicyStmt, "CREATE POLICY"},
    {T_AlterPolicyStmt, "ALTER POLICY"},
    {T_CreatePublicationStmt, "CREATE PUBLICATION"},
    {T_AlterPublicationStmt, "ALTER PUBLICATION"},
    {T_CreateSubscriptionStmt, "CREATE SUBSCRIPTION"},
    {T_AlterSubscriptionStmt, "ALTER SUBSCRIPTION"},
    {T_DropSubscriptionStmt, "DROP SUBSCRIPTION"},
    {T_CreateTableSpaceStmt, "CREATE TABLESPACE"},
    {T_DropTableSpaceStmt, "DROP TABLESPACE"},
    {T_AlterTableSpaceOptionsStmt, "ALTER TABLESPACE"},
    {T_AlterTableMoveAllStmt, "ALTER ... ALL IN TABLESPACE"},
    {T_AlterTSDictionaryStmt, "ALTER TEXT SEARCH DICTIONARY"},
    {T_AlterTSConfigurationStmt, "ALTER TEXT SEARCH CONFIGURATION"},
    {T_AlterObjectDependsStmt, "ALTER ... DEPENDS ON EXTENSION"},
};

/* "DROP FUNCTION": a verb and the kind of object. */
static const char *verb_and_object(struct copy *c, const char *verb, ObjectType t)
{
    const char *object;
    copy__object_kind(t, &object);
    return arena_printf(c->arena, "%s %s", verb, object);
}

static const char *name_of(struct copy *c, const Node *n)
{
    switch (nodeTag(n)) {
    case T_DropStmt: return verb_and_object(c, "DROP", ((const DropStmt *)n)->removeType);
    case T_CommentStmt: return verb_and_object(c, "COMMENT ON", ((const CommentStmt *)n)->objtype);
    case T_DefineStmt: return verb_and_object(c, "CREATE", ((const DefineStmt *)n)->kind);
    case T_RenameStmt: {
        const RenameStmt *s = (const RenameStmt *)n;
        bool column = s->renameType == PG_OBJECT_COLUMN;
        return verb_and_object(c, "ALTER", column ? s->relationType : s->renameType);
    }
    case T_AlterOwnerStmt:
        return verb_and_object(c, "ALTER", ((const AlterOwnerStmt *)n)->objectType);
    case T_AlterObjectSchemaStmt:
        return verb_and_object(c, "ALTER", ((const AlterObjectSchemaStmt *)n)->objectType);
    case T_AlterTableStmt:
        return verb_and_object(c, "ALTER", ((const AlterTableStmt *)n)->objtype);
    case T_CreateFunctionStmt:
        return ((const CreateFunctionStmt *)n)->is_procedure ? "CREATE PROCEDURE"
                                                             : "CREATE FUNCTION";
    case T_AlterFunctionStmt:
        return verb_and_object(c, "ALTER", ((const AlterFunctionStmt *)n)->objtype);
    default: break;
    }
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (statements[i].tag == nodeTag(n)) return statements[i].what;
    return "this statement";
}

struct ast *copy__unsupported(struct copy *c, const Node *n)
{
    struct ast_unsupported *u = NODE_NEW(c, ast_unsupported, AST_UNSUPPORTED, -1);
    u->what = name_of(c, n);
    return &u->node;
}
