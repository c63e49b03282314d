/* The shell's state, and what its files share. */
#ifndef HELIOS_SHELL_SHELL_PRIV_H
#define HELIOS_SHELL_SHELL_PRIV_H

#include <stdio.h>

#include "shell/backend.h"
#include "shell/format.h"
#include "shell/splitter.h"

enum { VARIABLES_MAX = 1024, SOURCE_DEPTH_MAX = 32, ARGUMENTS_MAX = 64 };
enum { EXIT_FINE, EXIT_TROUBLE, EXIT_LOST, EXIT_SCRIPT };

struct variable {
    char *name, *value;
};

/* Where lines come from. */
struct source {
    struct source *outer;
    const char *name; /* for messages; NULL: the terminal */
    FILE *file;       /* NULL: `text`, or the line editor */
    const char *text;
    int64_t line;
    struct strbuf buffer;
    bool terminal;
};

struct shell {
    struct backend *b;
    struct backend_target target;
    struct arena arena; /* lives as long as the shell */
    struct style style;
    bool expanded, timing, quiet, interactive, colour, pager, screen, failed, lost, quit;
    FILE *out;
    bool out_pipe;
    struct splitter split;
    struct strbuf last; /* the last statement, for \g and \e */
    struct variable variables[VARIABLES_MAX];
    int variable_count;
    struct source *source;
    int source_depth;
};

/* Where one statement's result goes, when not as always. */
struct run_options {
    const char *file;  /* \g FILE or \g |COMMAND */
    bool expanded;
    const char *title;
    FILE *copy_from, *copy_to; /* \copy */
    bool quiet;
};

/* --- run.c */
bool shell__run(struct shell *sh, const char *sql, const struct run_options *options);
/* A message on standard error, with everything that acts on a terminal made visible. */
void shell__say(struct shell *sh, const char *severity, const char *fmt, ...) PRINTF(3, 4);
void shell__notice(void *ctx, const char *severity, const char *message, const char *detail,
                   const char *hint);
void shell__writer(struct shell *sh, struct writer *w);

/* --- fetch.c: small results for the shell itself */
struct fetched {
    struct arena arena;
    int columns;
    int64_t rows, capacity;
    const char **names, **values; /* row by row */
};
enum { FETCH_ROWS_MAX = 100000, FETCH_BYTES_MAX = 64 << 20 };
/* Release in any case. `quiet`: no message on failure. */
bool shell__fetch(struct shell *sh, const char *sql, bool quiet, struct fetched *ret);
void fetched_release(struct fetched *r);
static inline const char *fetched_at(const struct fetched *r, int64_t row, int column)
{
    return r->values[row * r->columns + column];
}

/* --- variables.c */
const char *shell__get(const struct shell *sh, const char *name);
bool shell__set(struct shell *sh, const char *name, const char *value); /* NULL: unset */
bool shell__flag(const struct shell *sh, const char *name);
/* Replaces :name, :'name' and :"name". */
void shell__expand(const struct shell *sh, struct slice sql, struct strbuf *out);
void shell__literal(struct strbuf *out, const char *s);

/* --- command.c */
/* Runs the command at input[0], a backslash; returns bytes used. */
size_t shell__command(struct shell *sh, struct slice input);
bool shell__dot_command(struct shell *sh, struct slice line);
/* Sends what the splitter holds. */
bool shell__send(struct shell *sh, const struct run_options *options);

struct arguments {
    struct shell *sh;
    const char *word[ARGUMENTS_MAX];
    int count;
    const char *rest; /* all after the name, as written */
};
typedef bool command_fn(struct shell *sh, const char *name, const struct arguments *a);
command_fn command__describe, command__list, command__copy, command__watch, command__gexec,
    command__gset, command__edit, command__pset, command__mode, command__help, command__connect,
    command__schema;
void command__complete_names(void (*each)(void *ctx, const char *name), void *ctx);

/* --- shell.c */
bool shell__read_file(struct shell *sh, const char *name);
void shell__read_text(struct shell *sh, const char *name, const char *text);
/* The next line of the current source without its newline; false at the end. */
bool shell__next_line(struct shell *sh, struct strbuf *ret);
bool shell__stops(const struct shell *sh); /* a script that must stop at its error */

/* --- line.c: the line editor */
bool line__open(struct shell *sh);
void line__close(void);
/* False: end of input. An interrupt gives true and *ret_interrupted. */
bool line__read(struct shell *sh, const char *prompt, struct strbuf *ret, bool *ret_interrupted);
void line__remember(struct slice statement);

/* --- complete.c */
/* All ways to go on with the word before the cursor; `word_start` is its offset in `line`. */
struct completions {
    const char **items;
    int count, capacity;
    struct arena *arena;
};
void complete__line(struct shell *sh, const char *before, struct arena *a, size_t *ret_word_start,
                    struct completions *ret);
void complete__forget(void); /* the catalogue may have changed */

#endif
