/* LIKE and regular expressions over UTF-8. Regular expressions have PostgreSQL's ARE syntax and its
 * leftmost-longest rule for alternation, on PCRE2's matchers, with a match limit. */
#ifndef HELIOS_TYPES_PATTERN_H
#define HELIOS_TYPES_PATTERN_H

#include "base/str.h"

/* `escape` is a character, 0 for none. INVALID_ESCAPE_SEQUENCE for a trailing escape. */
enum status like_match(struct slice s, struct slice pattern, char escape, bool ignore_case,
                       bool *ret) MUST;

struct regex;
struct regex_match {
    int32_t start, end; /* byte offsets; -1: group did not take part */
};
/* Flags as PostgreSQL's regexp functions: 'i', 'c', 'n', 'm', 's', 'x', 'g' (ignored here). Compiled
 * expressions are cached per thread; valid until the next 32 compilations on this thread. */
enum status regex_compile(struct slice pattern, struct slice flags, const struct regex **ret) MUST;
int regex_group_count(const struct regex *r);
/* Finds the first match at or after `from`; matches[0] is the whole. */
enum status regex_exec(const struct regex *r, struct slice s, size_t from,
                       struct regex_match *matches, int match_count, bool *ret) MUST;

#endif
