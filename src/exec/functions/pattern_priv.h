/* Patterns of to_char, to_date and to_timestamp: "YYYY-MM-DD HH24:MI". */
#ifndef HELIOS_EXEC_FUNCTIONS_PATTERN_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_PATTERN_PRIV_H

#include "base/str.h"

enum pattern_key {
    KEY_LITERAL, /* one byte */
    KEY_AD, KEY_AD_DOTS, KEY_AM, KEY_AM_DOTS, KEY_CC, KEY_DAY, KEY_DDD, KEY_DD, KEY_DY, KEY_D,
    KEY_FF1, KEY_FF2, KEY_FF3, KEY_FF4, KEY_FF5, KEY_FF6, KEY_FX, KEY_HH24, KEY_HH12, KEY_IDDD,
    KEY_ID, KEY_IW, KEY_IYYY, KEY_IYY, KEY_IY, KEY_I, KEY_J, KEY_MI, KEY_MM, KEY_MONTH, KEY_MON,
    KEY_MS, KEY_OF, KEY_Q, KEY_RM, KEY_SSSS, KEY_SS, KEY_TZH, KEY_TZM, KEY_TZ, KEY_US, KEY_WW,
    KEY_W, KEY_Y_YYY, KEY_YYYY, KEY_YYY, KEY_YY, KEY_Y,
};
enum pattern_case { CASE_UPPER, CASE_TITLE, CASE_LOWER };

struct pattern_node {
    enum pattern_key key;
    enum pattern_case letters;
    char literal;
    bool quoted;    /* the literal stood in quotes */
    bool fill;      /* FM or TM: no padding */
    char ordinal;   /* 0, 't' of "th", 'T' of "TH" */
    struct slice word; /* the keyword as written */
};

struct pattern {
    struct slice rest;
    bool in_quotes;
};

/* False at the end. */
bool pattern__next(struct pattern *p, struct pattern_node *ret);

#endif
