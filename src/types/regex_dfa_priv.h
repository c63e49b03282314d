/* The insides of automata. */
#ifndef HELIOS_TYPES_REGEX_DFA_PRIV_H
#define HELIOS_TYPES_REGEX_DFA_PRIV_H

#include "types/regex_priv.h"

/* --- colors (regex_colors.c) ------------------------------------------------------------------- */

enum { COLOR_NONE = 0, COLOR_MEMO = 256 }; /* COLOR_NONE: no character, the end */
enum color_kind { KIND_NONE, KIND_NEWLINE, KIND_WORD, KIND_OTHER };

struct regex_colors {
    const struct regex_tree *tree;
    uint32_t words;      /* of 64 bits, a set each, of one color */
    uint64_t *members;   /* a color's sets */
    uint8_t *kinds;
    uint32_t count, room;
    uint16_t ascii[128];
    struct {
        uint32_t c;
        uint32_t color;  /* 0: unknown */
    } memo[COLOR_MEMO];
};
uint32_t regex__color_of(struct regex_colors *c, uint32_t character);
static inline uint32_t regex__color_at(struct regex_colors *c, const char *text, uint32_t len,
                                       uint32_t at, uint32_t *ret_next)
{
    uint8_t b = (uint8_t)text[at];
    *ret_next = at + 1;
    if (b < 128) return c->ascii[b];
    uint32_t n = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4, v = b & (0xffu >> (n + 1));
    for (uint32_t i = 1; i < n && at + i < len; i++) v = v << 6 | ((uint8_t)text[at + i] & 63u);
    *ret_next = at + n < len ? at + n : len;
    return regex__color_of(c, v);
}
static inline bool regex__color_in(const struct regex_colors *c, uint32_t color, uint32_t set)
{
    return c->members[(size_t)color * c->words + set / 64] >> (set & 63) & 1;
}

/* --- automata ---------------------------------------------------------------------------------- */

enum node_kind { NODE_END, NODE_SPLIT, NODE_CONSTRAINT, NODE_LOOK, NODE_SET };
struct dfa_node {
    uint8_t kind;
    bool behind, negative; /* LOOK */
    uint16_t arg;          /* the set, the constraint, the look */
    uint32_t out, out2;
};
struct positions {
    uint32_t *at, count;
};

enum { DFA_STATES = 512, DFA_TABLE = 1024, ASCII = 128, GLIDE_STOP = 0xffff };
struct dfa_state {
    uint32_t number, count;
    uint8_t before;      /* enum color_kind of the character before */
    int32_t *next;       /* by color; STATE_UNKNOWN, STATE_DEAD */
    uint32_t *positions; /* ascending */
    uint8_t *ends;       /* by color of the next character, once next is known */
};
struct regex_dfa {
    struct regex_colors *colors;
    struct dfa_node *nodes;
    uint32_t node_count, start;
    bool constrained; /* what came before tells states apart */
    bool looking;     /* has looks */
    struct dfa_state *states[DFA_STATES];
    uint32_t state_count, color_room; /* colors that each has place for */
    uint32_t generation;              /* how often they were forgotten */
    uint16_t table[DFA_TABLE];
    /* By state and ASCII character: ASCII times the state after it; GLIDE_STOP where that is not known, there is
     * none, or the part may end before the character. */
    uint16_t *glides;
    uint32_t glide_room;              /* states that it has place for */
    uint8_t initial[DFA_STATES];
    struct dfa_state *starts[4];      /* by kind of the character before; NULL: not yet known */
    uint32_t *seen, mark;             /* of follow */
    uint32_t *stack, stack_count;
    struct positions after, kept;     /* room for all */
    /* regex__ends_at: where it stood last */
    const char *last_text;
    uint32_t last_len, last_at, last_generation;
    struct dfa_state *last_state;
};
/* Nodes of the part; at most `most`. */
enum status regex__build(struct regex_dfa *d, const struct regex_part *part, uint32_t most) MUST;

#endif
