/* Words for statements and conditions. */
#include "sql/plpgsql/plpgsql.h"

static const struct {
    const char *name, *sqlstate;
} conditions[] = {
#define X(name, sqlstate) {name, sqlstate},
#include "sql/plpgsql/conditions.def"
#undef X
};

const char *plpgsql_condition(const char *name, uint32_t nth)
{
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (strcmp(conditions[i].name, name) == 0 && nth-- == 0) return conditions[i].sqlstate;
    return NULL;
}

const char *plpgsql_words(const struct pl_stmt *s)
{
    switch (s->kind) {
    case PL_BLOCK: return "statement block";
    case PL_ASSIGN: return "assignment";
    case PL_IF: return "IF";
    case PL_CASE: return "CASE";
    case PL_LOOP: return "LOOP";
    case PL_WHILE: return "WHILE";
    case PL_FOR_INT: return "FOR with integer loop variable";
    case PL_FOR_QUERY: return "FOR over SELECT rows";
    case PL_FOR_CURSOR: return "FOR over cursor";
    case PL_FOR_EXECUTE: return "FOR over EXECUTE statement";
    case PL_FOREACH: return "FOREACH over array";
    case PL_EXIT: return s->exit.is_continue ? "CONTINUE" : "EXIT";
    case PL_RETURN: return "RETURN";
    case PL_RETURN_NEXT: return "RETURN NEXT";
    case PL_RETURN_QUERY: return "RETURN QUERY";
    case PL_RAISE: return "RAISE";
    case PL_ASSERT: return "ASSERT";
    case PL_EXECSQL: return "SQL statement";
    case PL_EXECUTE: return "EXECUTE";
    case PL_PERFORM: return "PERFORM";
    case PL_GET_DIAGNOSTICS:
        return s->diagnostics.stacked ? "GET STACKED DIAGNOSTICS" : "GET DIAGNOSTICS";
    case PL_OPEN: return "OPEN";
    case PL_FETCH: return s->cursor.move ? "MOVE" : "FETCH";
    case PL_CLOSE: return "CLOSE";
    case PL_CALL: return "CALL";
    case PL_COMMIT: return "COMMIT";
    case PL_ROLLBACK: return "ROLLBACK";
    }
    return "";
}
