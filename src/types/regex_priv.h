/* Between the translation of PostgreSQL's regular expressions and the matching of them. */
#ifndef HELIOS_TYPES_REGEX_PRIV_H
#define HELIOS_TYPES_REGEX_PRIV_H

#include "types/pattern.h"

enum regex_preference { PREFER_NONE, PREFER_LONGEST, PREFER_SHORTEST };

struct regex_options {
    bool ignore_case, expanded, literal;
    bool newline_stops; /* . and [^…] do not match a newline */
    bool newline_lines; /* ^ and $ match at lines */
};

struct regex_shape {
    struct regex_options options;
    enum regex_preference preference; /* of the whole */
    bool has_backreference;
    bool ambiguous; /* Perl's order of trying might miss the preferred length */
};

/* Appends the PCRE2 form of an ARE. Embedded options change `shape->options`. */
enum status regex__translate(struct slice pattern, struct regex_shape *shape,
                             struct strbuf *out) MUST;
/* Letters of an options string or of (?…). */
enum status regex__read_options(struct slice letters, struct regex_options *o) MUST;

#endif
