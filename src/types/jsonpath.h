/* jsonpath: SQL/JSON's path language as PostgreSQL 15 has it. A value of the type is the text that was read; what
 * runs it parses it into this tree once. It is told in canonical form, which PostgreSQL's grammar does not take
 * again in some cases: a predicate of one operand with a method behind it loses its brackets. */
#ifndef HELIOS_TYPES_JSONPATH_H
#define HELIOS_TYPES_JSONPATH_H

#include "types/value.h"

enum jsonpath_kind {
    /* literals */
    PATH_NULL, PATH_STRING, PATH_NUMBER, PATH_BOOL, PATH_VARIABLE,
    /* predicates */
    PATH_AND, PATH_OR, PATH_NOT, PATH_IS_UNKNOWN, PATH_EXISTS, PATH_STARTS_WITH, PATH_LIKE_REGEX,
    PATH_EQ, PATH_NE, PATH_LT, PATH_GT, PATH_LE, PATH_GE,
    /* arithmetic */
    PATH_ADD, PATH_SUB, PATH_MUL, PATH_DIV, PATH_MOD, PATH_PLUS, PATH_MINUS,
    /* where a path begins */
    PATH_ROOT, PATH_CURRENT, PATH_LAST,
    /* steps */
    PATH_KEY, PATH_ANY_KEY, PATH_ANY_ARRAY, PATH_INDEX, PATH_ANY, PATH_FILTER,
    /* methods */
    PATH_TYPE, PATH_SIZE, PATH_ABS, PATH_FLOOR, PATH_CEILING, PATH_DOUBLE, PATH_DATETIME,
    PATH_KEYVALUE,
};

enum { JSONPATH_LAST = -1 }; /* of PATH_ANY's levels */

/* .. of a LIKE_REGEX: i s m x q */
enum { PATH_FLAG_I = 1, PATH_FLAG_S = 2, PATH_FLAG_M = 4, PATH_FLAG_X = 8, PATH_FLAG_Q = 16 };

struct jsonpath_subscript {
    struct jsonpath_item *from, *to; /* to NULL: one element */
};

struct jsonpath_item {
    enum jsonpath_kind kind;
    struct jsonpath_item *next;        /* the step that follows; NULL: none */
    struct jsonpath_item *left, *right; /* operands; left: the only one */
    struct slice text;                 /* string, key, variable, pattern; DATETIME: template, NULL data: none */
    struct numeric number;
    bool truth;
    uint32_t flags;                    /* LIKE_REGEX */
    int32_t first, last;               /* ANY: levels */
    struct jsonpath_subscript *subscripts;
    uint32_t subscript_count;
    uint32_t id;                       /* from 0, each its own: for what a run keeps of it */
};

struct jsonpath {
    struct jsonpath_item *root;
    bool lax;
    uint32_t item_count;
};

/* INVALID_TEXT_REPRESENTATION, SYNTAX_ERROR, STATEMENT_TOO_COMPLEX … All of it lies in the arena. */
enum status jsonpath_parse(struct slice text, struct arena *a, struct jsonpath *ret) MUST;
/* A value of the type, and the canonical text of one. */
enum status jsonpath_from_text(struct slice text, struct arena *a, struct bytes *ret) MUST;
void jsonpath_print(struct slice value, struct strbuf *out);
/* The canonical text. */
void jsonpath_to_text(const struct jsonpath *p, struct strbuf *out);
/* "+", "starts with" …: of operators and methods. */
const char *jsonpath_operation(enum jsonpath_kind kind);
/* regex_compile's flags, into JSONPATH_REGEX_FLAGS bytes; FEATURE_NOT_SUPPORTED for x. */
enum { JSONPATH_REGEX_FLAGS = 4 };
enum status jsonpath_regex_flags(uint32_t flags, char *ret) MUST;

#endif
