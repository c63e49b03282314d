/* Regular expressions, from text to trees to automata. */
#ifndef HELIOS_TYPES_REGEX_PRIV_H
#define HELIOS_TYPES_REGEX_PRIV_H

#include "base/arena.h"
#include "types/pattern.h"

struct regex_options {
    bool ignore_case, expanded, literal;
    bool newline_stops; /* . and [^…] do not match a newline */
    bool newline_lines; /* ^ and $ match at lines */
};
/* Letters of an options string, or of (?…) when `embedded`. */
enum status regex__read_options(struct slice letters, bool embedded, struct regex_options *o) MUST;

/* --- sets of characters (regex_set.c) ---------------------------------------------------------- */

enum regex_class { CLASS_ALNUM, CLASS_ALPHA, CLASS_ASCII, CLASS_BLANK, CLASS_CNTRL, CLASS_DIGIT, CLASS_GRAPH,
                   CLASS_LOWER, CLASS_PRINT, CLASS_PUNCT, CLASS_SPACE, CLASS_UPPER, CLASS_XDIGIT, CLASS_WORD,
                   REGEX_CLASSES };
struct regex_range {
    uint32_t low, high;
};
struct regex_set {
    const struct regex_range *ranges;
    uint32_t range_count;
    uint32_t classes, complements; /* bits: those in a class, those not in it */
    bool negated, ignore_case, no_newline;
    uint32_t number;               /* among the expression's */
};
bool regex__class_named(struct slice name, enum regex_class *ret);
bool regex__set_has(const struct regex_set *s, uint32_t c);
/* Bytes at the beginning of b that are a but for case; -1: none are. */
int64_t regex__same_folded(struct slice a, struct slice b);

/* --- the expression as a tree (regex_parse.c) -------------------------------------------------- */

enum { REGEX_MANY = 256, REGEX_GROUPS_MAX = 1000 }; /* REGEX_MANY: no upper bound */
enum regex_prefer { PREFER_NONE = 0, PREFER_LONGEST = 1, PREFER_SHORTEST = 2 };
enum regex_constraint { AT_LINE_START, AT_LINE_END, AT_START, AT_END, AT_WORD_START, AT_WORD_END, AT_WORD_EDGE,
                        NOT_AT_WORD_EDGE };
enum regex_piece_kind { PIECE_SET, PIECE_CONSTRAINT, PIECE_LOOK, PIECE_GROUP, PIECE_BACK };

/* An atom and how often it comes. */
struct regex_piece {
    uint8_t kind, prefer, constraint;
    bool behind, negative;    /* LOOK */
    int16_t min, max;
    uint16_t capture;         /* GROUP: its number, 0 without; BACK: the one referred to */
    uint16_t look;            /* number among the looks */
    const struct regex_set *set;
    struct regex_branch *group; /* GROUP, LOOK; BACK: that of the group referred to */
    struct regex_piece *next;
};
struct regex_branch {
    struct regex_piece *first;
    struct regex_branch *next;
};
struct regex_tree {
    struct regex_options options;
    struct regex_branch *branches;
    struct regex_set **sets;
    uint32_t set_count, look_count;
    uint32_t groups;
    bool has_constraints; /* but for looks */
};
enum status regex__parse(struct slice pattern, struct arena *a, struct regex_tree *t) MUST;

/* --- automata (regex_dfa.c) -------------------------------------------------------------------- */

struct regex_dfa;
struct regex_colors; /* characters that no set tells apart have one color */

/* A part of the expression: branches, or pieces from `first` to before `end`. */
struct regex_part {
    const struct regex_branch *branches;
    const struct regex_piece *first, *end;
    bool search; /* anything may come before it */
};
struct regex_colors *regex__colors_new(const struct regex_tree *t);
void regex__colors_free(struct regex_colors *c);
/* PROGRAM_LIMIT as INVALID_REGULAR_EXPRESSION, "too complex". */
enum status regex__dfa_new(const struct regex_tree *t, struct regex_colors *colors,
                           const struct regex_part *part, struct regex_dfa **ret) MUST;
void regex__dfa_free(struct regex_dfa *d);

/* One subject, and the looks' automata for it. */
struct regex_subject {
    const char *text;
    uint32_t len;
    struct regex_dfa **looks; /* by number */
    uint64_t steps;           /* characters that are left to be looked at: 0: it is too complex */
};
/* The end of the longest match from `begin` that ends at or before `stop`; -1: none. */
int64_t regex__longest(struct regex_dfa *d, struct regex_subject *s, uint32_t begin, uint32_t stop);
/* The least end at or after `least`; *ret_cold (may be NULL): no match that ends there begins before that. */
int64_t regex__shortest(struct regex_dfa *d, struct regex_subject *s, uint32_t begin, uint32_t least,
                        uint32_t stop, uint32_t *ret_cold);

/* Whether a match ends there. Of a part with `search`. */
bool regex__ends_at(struct regex_dfa *d, struct regex_subject *s, uint32_t at);

/* --- how a match is divided (regex_match.c) ---------------------------------------------------- */

struct regex_plan;
enum status regex__plan_new(const struct regex_tree *t, struct arena *a, struct regex_plan **ret) MUST;
void regex__plan_free(struct regex_plan *p);
enum status regex__run(struct regex_plan *p, struct slice s, size_t from, struct regex_match *matches,
                       int match_count, bool *ret) MUST;

#define REGEX_TOO_COMPLEX() \
    FAIL(INVALID_REGULAR_EXPRESSION, "invalid regular expression: regular expression is too complex")

#endif
