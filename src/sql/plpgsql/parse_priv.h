/* The inside of the PL/pgSQL parser: tokens, and what its files share. */
#ifndef HELIOS_SQL_PLPGSQL_PARSE_PRIV_H
#define HELIOS_SQL_PLPGSQL_PARSE_PRIV_H

#include "sql/plpgsql/plpgsql.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_PARAM,
                  TOKEN_OPERATOR };
struct token {
    enum token_kind kind;
    uint32_t start, end;   /* bytes in the body */
    int line;
    const char *text;      /* WORD: in lower case; QUOTED, STRING: what it means; else as it stands */
};

struct parser {
    struct arena *arena;
    struct slice body;
    ARRAY(struct token) tokens;
    size_t at;
    const struct pl_name *names;
    ARRAY(struct pl_var) vars;
    struct pl_function *function;
    int depth;
    bool in_handler;
};

enum { BLOCK_DEPTH_MAX = 500 };

enum status parse__tokens(struct parser *p) MUST;

static inline const struct token *parse__token(const struct parser *p)
{
    return &p->tokens.data[p->at];
}
static inline const struct token *parse__peek(const struct parser *p, size_t n)
{
    size_t i = p->at + n;
    return &p->tokens.data[i < p->tokens.count ? i : p->tokens.count - 1];
}
static inline bool parse__is(const struct token *t, const char *word)
{
    return (t->kind == TOKEN_WORD || t->kind == TOKEN_OPERATOR) && strcmp(t->text, word) == 0;
}
bool parse__accept(struct parser *p, const char *word);
enum status parse__expect(struct parser *p, const char *word) MUST;
/* 42601 syntax error at or near the token. */
enum status parse__syntax(struct parser *p, const struct token *t) MUST;
/* The error in the slot is about that token. */
enum status parse__at(struct parser *p, const struct token *t, enum status code);
/* In characters from 1. */
int parse__position(const struct parser *p, uint32_t offset);
/* A name: a word or a quoted one. */
enum status parse__name(struct parser *p, const char **ret) MUST;

/* The text up to one of the words at nesting level 0 (NULL ends the list), which stays the next token.
 * Empty: 42601 "missing expression" or the like. */
enum status parse__sql(struct parser *p, bool is_expression, const char *const *until,
                       struct pl_sql **ret) MUST;
enum status parse__expression(struct parser *p, const char *until, struct pl_sql **ret) MUST;
struct pl_sql *parse__sql_new(struct parser *p, const char *text, int line, bool is_expression);

uint32_t parse__add_var(struct parser *p, const struct pl_var *v);
void parse__add_name(struct parser *p, const char *name, uint32_t var);
void parse__push_label(struct parser *p, const char *label, bool is_loop);

/* Is the token the beginning of a variable's name (a, a.b, l.a.b)? How many tokens. */
bool parse__find_target(struct parser *p, size_t at, struct pl_target *ret, size_t *ret_tokens);
/* Variables separated by commas, of INTO and FOR. */
enum status parse__targets(struct parser *p, struct pl_targets *ret) MUST;

enum status parse__declarations(struct parser *p) MUST;
enum status parse__statements(struct parser *p, const char *const *until,
                              struct pl_body *ret) MUST;
enum status parse__block(struct parser *p, const char *label, struct pl_stmt **ret) MUST;
struct pl_stmt *parse__stmt(struct parser *p, enum pl_kind kind, int line);

/* parse_loop.c */
enum status parse__loop(struct parser *p, const char *label, struct pl_stmt **ret) MUST;
/* parse_command.c */
enum status parse__raise(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__diagnostics(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__execute(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__cursor(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__return(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__command(struct parser *p, struct pl_stmt **ret) MUST;
enum status parse__arguments(struct parser *p, const char *end, struct pl_stmt *s) MUST;

#endif
