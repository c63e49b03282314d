/* The lexer of jsonpath. */
#ifndef HELIOS_TYPES_JSONPATH_PRIV_H
#define HELIOS_TYPES_JSONPATH_PRIV_H

#include "types/jsonpath.h"

enum path_lexeme {
    PATH_LEX_END, PATH_LEX_SIGN, PATH_LEX_WORD, PATH_LEX_STRING, PATH_LEX_VARIABLE, PATH_LEX_INTEGER,
    PATH_LEX_NUMBER
};

/* Signs of more than one character have numbers beyond all characters; words that mean something have
 * one, too. */
enum {
    PATH_SIGN_AND = 256, PATH_SIGN_OR, PATH_SIGN_EQ, PATH_SIGN_NE, PATH_SIGN_LE, PATH_SIGN_GE,
    PATH_SIGN_ANY
};
enum path_word {
    PATH_WORD_OTHER, PATH_WORD_IS, PATH_WORD_TO, PATH_WORD_ABS, PATH_WORD_LAX, PATH_WORD_FLAG,
    PATH_WORD_LAST, PATH_WORD_NULL, PATH_WORD_SIZE, PATH_WORD_TRUE, PATH_WORD_TYPE, PATH_WORD_WITH,
    PATH_WORD_FALSE, PATH_WORD_FLOOR, PATH_WORD_DOUBLE, PATH_WORD_EXISTS, PATH_WORD_STARTS,
    PATH_WORD_STRICT, PATH_WORD_CEILING, PATH_WORD_DATETIME, PATH_WORD_KEYVALUE,
    PATH_WORD_UNKNOWN, PATH_WORD_LIKE_REGEX
};

struct path_lexer {
    const char *next, *end;
    struct arena *arena;
    enum path_lexeme lexeme;
    int sign;             /* SIGN: a character or PATH_SIGN_… */
    enum path_word word;  /* WORD */
    struct slice text;    /* what is meant */
    struct slice shown;   /* what an error shows; empty: the end */
};

void path__lex_init(struct path_lexer *l, struct slice text, struct arena *a);
enum status path__lex(struct path_lexer *l) MUST;
/* "… at or near …", about the newest token. */
enum status path__error(const struct path_lexer *l, const char *message) MUST;
/* Letters of LIKE_REGEX's flags, as PATH_FLAG_… */
enum status path__read_flags(struct slice letters, uint32_t *ret) MUST;
/* @ outside of filters, LAST outside of subscripts. */
enum status path__check(const struct jsonpath_item *i, uint32_t filters, bool subscript) MUST;

#endif
