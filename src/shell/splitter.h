/* Cuts typed text into statements and backslash commands.
 *
 * It knows quotes, dollar quotes, nested comments, parentheses and the bodies of SQL-standard
 * functions (BEGIN ATOMIC … END), and nothing else of SQL. State lives across lines, so that a line
 * editor can feed one line at a time and ask for the prompt to show. */
#ifndef HELIOS_SHELL_SPLITTER_H
#define HELIOS_SHELL_SPLITTER_H

#include "base/str.h"

enum split {
    SPLIT_MORE,      /* all input is used; the statement goes on */
    SPLIT_STATEMENT, /* `text` is a whole statement, without its semicolon */
    SPLIT_COMMAND    /* a backslash stands at input[used]; `text` is what came before */
};

enum split_state {
    SPLIT_PLAIN,
    SPLIT_STRING,
    SPLIT_ESCAPE_STRING, /* E'…': a backslash hides the next character */
    SPLIT_NAME,
    SPLIT_DOLLAR,
    SPLIT_COMMENT
};

enum { SPLIT_TAG_MAX = 64, SPLIT_TEXT_MAX = 256 << 20 };

struct splitter {
    struct strbuf text;
    enum split_state state;
    int parens, comments, begins;
    char tag[SPLIT_TAG_MAX]; /* of the open dollar quote, with both dollars */
    char words[3][12];       /* the first words, to know CREATE FUNCTION */
    int word_count;
    bool escaped; /* a backslash in an escape string was the last character */
    bool content; /* something besides blanks and comments has come */
};

void splitter_init(struct splitter *s);
void splitter_release(struct splitter *s);
/* Forgets the statement begun. */
void splitter_reset(struct splitter *s);
/* Takes input up to the end of a statement or to a command. After SPLIT_STATEMENT the caller takes
 * `text` and resets. *ret_used: bytes of `input` used. */
enum split splitter_feed(struct splitter *s, struct slice input, size_t *ret_used);
/* '=' nothing yet, '-' in a statement, '(' '\'' '"' '$' '*' what is open. */
char splitter_prompt(const struct splitter *s);

/* One lexical piece of SQL text: a whole quote or comment, a word, or one character. At least one
 * byte where `in` is not empty. */
enum split_piece { PIECE_OTHER, PIECE_WORD, PIECE_QUOTE, PIECE_COMMENT };
size_t splitter_piece(struct slice in, enum split_piece *ret_kind);
/* The statement on one line for the history, where that does not change it. */
void splitter_flatten(struct slice sql, struct strbuf *out);

#endif
