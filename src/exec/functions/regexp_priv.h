/* One search by regular expression, for the functions of regexp.c and the sets of srf.c. */
#ifndef HELIOS_EXEC_REGEXP_PRIV_H
#define HELIOS_EXEC_REGEXP_PRIV_H

#include "exec/functions/text_priv.h"
#include "types/pattern.h"

struct regexp {
    const struct regex *regex;   /* of the thread's cache: for one call only */
    struct slice s;
    int groups;
    bool global;                 /* the flag g */
    bool done;
    size_t next;                 /* where to search from */
    struct regex_match *matches; /* groups + 1 of them, of the newest match */
};

/* `function` names itself in the error for a flag g that it cannot have; NULL: it can. */
enum status regexp__open(struct arena *a, const char *function, struct slice s,
                         struct slice pattern, struct slice flags, struct regexp *ret) MUST;
/* The next match, which begins after the last; an empty one steps over a character. */
enum status regexp__next(struct regexp *r, bool *ret_found) MUST;
/* As a text[]: the groups, or the whole when there are none. */
struct bytes regexp__groups(const struct regexp *r, struct arena *a);
/* The next piece of a split; *ret_found false after the last. `*from` is 0 at first. Empty matches
 * at the ends or next to another match do not split. */
enum status regexp__piece(struct regexp *r, size_t *from, struct slice *ret,
                          bool *ret_found) MUST;

#endif
