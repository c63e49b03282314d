/* Patterns of to_char and to_number of numbers: "FM999,990.00". */
#ifndef HELIOS_EXEC_FUNCTIONS_NUMBER_PATTERN_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_NUMBER_PATTERN_PRIV_H

#include "exec/functions/functions_priv.h"

enum { NUMBER_PATTERN_BYTES_MAX = 1 << 16 };

enum number_key {
    NUMBER_LITERAL, /* one character */
    NUMBER_COMMA, NUMBER_POINT, NUMBER_ZERO, NUMBER_NINE, NUMBER_B, NUMBER_C, NUMBER_D,
    NUMBER_EEEE, NUMBER_FM, NUMBER_G, NUMBER_L, NUMBER_MI, NUMBER_PL, NUMBER_PR, NUMBER_RN,
    NUMBER_SG, NUMBER_SP, NUMBER_S, NUMBER_TH, NUMBER_V,
};

struct number_node {
    enum number_key key;
    bool lower;           /* the keyword as written */
    struct slice literal; /* one UTF-8 character */
};

enum sign_place { SIGN_ANYWHERE, SIGN_BEFORE, SIGN_AFTER };

/* What the whole pattern asks for. */
struct number_format {
    struct slice text;
    int pre, post;   /* digits before and after the point */
    int multi;       /* digits after V */
    int zero_start;  /* the first 0, counted from 1; 0: none */
    int zero_end;    /* the last one */
    int sign_pre;    /* digits before a leading S */
    enum sign_place sign_place;
    bool decimal, fill, zero, blank, sign, bracket, minus, plus, roman, multiply, exponent;
};

struct number_scan {
    struct slice rest;
    bool in_quotes;
};

/* False at the end. */
bool number__next(struct number_scan *s, struct number_node *ret);
/* Reads and checks the pattern, which must outlive *ret; 42601. */
enum status number__describe(struct slice pattern, struct number_format *ret) MUST;

/* to_char_number.c, to_number.c; bound in numeric.c */
#define NUMBER_FN(name)                                                                            \
    enum status number__##name(struct call_ctx *c, const struct datum *args, uint32_t n,           \
                               struct datum *ret)
NUMBER_FN(numeric_to_char);
NUMBER_FN(int4_to_char);
NUMBER_FN(int8_to_char);
NUMBER_FN(float4_to_char);
NUMBER_FN(float8_to_char);
NUMBER_FN(to_number);

#endif
