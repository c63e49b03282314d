/* The lexer of JSON text, and how its errors are told. */
#ifndef HELIOS_TYPES_JSON_PRIV_H
#define HELIOS_TYPES_JSON_PRIV_H

#include "base/status.h"
#include "types/json.h"

enum json_lexeme {
    JSON_LEX_END, JSON_LEX_STRING, JSON_LEX_NUMBER, JSON_LEX_TRUE, JSON_LEX_FALSE, JSON_LEX_NULL,
    JSON_LEX_OBJECT, JSON_LEX_OBJECT_END, JSON_LEX_ARRAY, JSON_LEX_ARRAY_END, JSON_LEX_COMMA,
    JSON_LEX_COLON
};

struct json_lexer {
    const char *begin, *end;
    const char *token, *next;        /* the newest token and what follows it */
    const char *before;              /* the end of the token before it */
    const char *line_start;
    int line;
    enum json_lexeme lexeme;
    struct arena *arena;             /* strings are wanted without escapes; NULL: they are not */
    struct slice text;               /* of a string, if so */
};

void json__lex_init(struct json_lexer *l, struct slice text, struct arena *a);
/* To the next token. */
enum status json__lex(struct json_lexer *l) MUST;
/* The newest token is not what should stand there. `wanted` fits "Expected %s, but found". */
enum status json__unexpected(const struct json_lexer *l, const char *wanted) MUST;

/* One character, UTF-8; the code is below 0x110000. */
void json__add_utf8(struct strbuf *out, uint32_t code);

#endif
