/* LIKE and regular expressions over UTF-8. Regular expressions have PostgreSQL's ARE syntax and its
 * rules of which match is preferred and what its groups have (documentation 9.7.3). Work is bounded. */
#ifndef HELIOS_TYPES_PATTERN_H
#define HELIOS_TYPES_PATTERN_H

#include "base/str.h"

/* `escape` is a character, 0 for none. INVALID_ESCAPE_SEQUENCE for a trailing escape. */
enum status like_match(struct slice s, struct slice pattern, char escape, bool ignore_case,
                       bool *ret) MUST;

/* A pattern of plain text and % alone, taken apart once for many strings: the texts between the %. It
 * refers to the pattern's bytes. */
enum { LIKE_PARTS_MAX = 8 };
struct like_parts {
    struct slice parts[LIKE_PARTS_MAX]; /* none is empty */
    uint32_t count;
    size_t least;                       /* bytes of them all */
    bool open_start, open_end;          /* begins, ends with % */
};
/* False: it is of another kind, and like_match is to be asked. */
bool like_split(struct slice pattern, char escape, struct like_parts *ret);
bool like_parts_match(const struct like_parts *p, struct slice s);

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
