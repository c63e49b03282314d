/* A scanner over SQL text that finds where tokens begin and end, by the rules of PostgreSQL's scan.l
 * (standard_conforming_strings on). It unescapes nothing and reports no errors: whatever it is not
 * sure of is TOK_BAD. For text-level work (normalisation, the text of a view's query); the grammar
 * has its own. */
#ifndef HELIOS_SQL_PARSE_SCAN_PRIV_H
#define HELIOS_SQL_PARSE_SCAN_PRIV_H

#include "base/str.h"

enum token_kind {
    TOK_END,
    TOK_WORD,         /* unquoted identifier or keyword */
    TOK_IDENT,        /* "quoted", U&"quoted" */
    TOK_STRING,       /* 'plain' */
    TOK_OTHER_STRING, /* E'', B'', X'', N'', U&'', $$ $$ */
    TOK_NUMBER,
    TOK_PARAM,        /* $1 */
    TOK_OPERATOR,
    TOK_TYPECAST,     /* :: */
    TOK_PUNCTUATION,  /* ( ) [ ] , ; . : := => .. by its first byte */
    TOK_BAD,
};

/* The words that text-level work knows. */
enum word {
    WORD_OTHER, WORD_AND, WORD_AS, WORD_BETWEEN, WORD_CONFLICT, WORD_CREATE, WORD_CROSS, WORD_DELETE,
    WORD_EXCEPT, WORD_FETCH, WORD_FOR, WORD_FROM, WORD_FULL, WORD_GRANT, WORD_GROUP, WORD_HAVING,
    WORD_IN, WORD_INNER, WORD_INSERT, WORD_INTERSECT, WORD_INTO, WORD_JOIN, WORD_LEFT, WORD_LIMIT,
    WORD_NATURAL, WORD_NOT, WORD_OFFSET, WORD_ON, WORD_OR, WORD_ORDER, WORD_RECURSIVE,
    WORD_RETURNING, WORD_RIGHT, WORD_SELECT, WORD_SET, WORD_UNION, WORD_UPDATE, WORD_VALUES,
    WORD_WHERE, WORD_WINDOW, WORD_WITH,
};

struct token {
    enum token_kind kind;
    enum word word;   /* of WORD */
    char first;       /* byte at start */
    uint32_t start, end;
};

struct scan {
    const char *text;
    uint32_t at, end;
};

void scan__next(struct scan *s, struct token *ret);

/* The query behind the first AS that is in no parentheses: of PREPARE and CREATE VIEW. `start` is
 * where to look from. With `schema_element`, the next CREATE or GRANT ends it; with `check_option`,
 * the WITH … CHECK OPTION at its end is left out. False when there is none. */
bool scan__query(struct slice text, uint32_t start, uint32_t end, bool schema_element,
                 bool check_option, struct slice *ret);
/* Adds the body of CREATE FUNCTION text[start, end) that is no string, as the text of SQL statements. False when there
 * is none. */
bool scan__sql_body(struct slice text, uint32_t start, uint32_t end, struct strbuf *out);
/* Is the word among the tokens of text[start, end)? */
bool scan__has_word(struct slice text, uint32_t start, uint32_t end, enum word word);

/* Is the token, which the scanner gave, that word, in any case? */
bool scan__is_word(const struct scan *s, const struct token *t, const char *word);
/* Takes the next token if it is that word. */
bool scan__take_word(struct scan *s, const char *word);

#endif
