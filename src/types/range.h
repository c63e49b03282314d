/* Ranges and multiranges of int4, int8, numeric, date, timestamp and timestamptz.
 *
 * A value's bytes: u32 OID of the range's type, u32 how many ranges, then each of them: u8 flags, and for
 * each bound that is finite i32 length and the row-storage form of the subtype's value. A range is one, which
 * may be empty; a multirange is any number, in order, none empty, overlapping or touching.
 *
 * A range and a multirange are one thing here, `struct ranges`: so each operator is written once. */
#ifndef HELIOS_TYPES_RANGE_H
#define HELIOS_TYPES_RANGE_H

#include "types/value.h"

struct range_bound {
    union value v; /* bytes are referenced */
    bool infinite, inclusive, lower;
};
struct range {
    bool empty;
    struct range_bound lower, upper;
};
/* In order, none empty: an empty range has a count of 0. */
struct ranges {
    type_id type; /* of the range, not of the multirange */
    uint32_t count;
    struct range *items;
};

bool type_is_range(type_id t);
bool type_is_multirange(type_id t);
static inline bool type_is_ranges(type_id t)
{
    const struct type_info *i = type_get(t);
    return i && i->category == 'R';
}
/* Of a range's or a multirange's type; of others TYPE_NONE. */
type_id range_subtype(type_id t);
type_id range_multirange(type_id t);
type_id range_of(type_id t);
/* The range over it; TYPE_NONE: there is none. */
type_id range_over(type_id subtype);

enum status ranges_open(const struct bytes *b, struct arena *a, struct ranges *ret) MUST;
/* As a range (count at most 1) or as a multirange. */
struct bytes ranges_close(const struct ranges *r, struct arena *a);
/* Of bounds as they are given: DATA_EXCEPTION when they are the wrong way round; canonical. */
enum status range_make(type_id type, const struct range_bound *lower,
                       const struct range_bound *upper, struct arena *a, struct range *ret) MUST;
/* "()" "[)" "(]" "[]" */
enum status range_flags(struct slice s, bool *ret_lower, bool *ret_upper) MUST;
/* Sorts, and joins what overlaps or touches; drops the empty ones. */
void ranges_normalize(struct ranges *r);

int range_compare_bounds(type_id type, const struct range_bound *a, const struct range_bound *b);
bool range_adjacent(type_id type, const struct range *a, const struct range *b);
int ranges_compare(const struct bytes *a, const struct bytes *b);
uint64_t ranges_hash(const struct bytes *b);

bool ranges_contain(const struct ranges *a, const struct ranges *b);
bool ranges_contain_value(const struct ranges *a, const union value *v);
bool ranges_overlap(const struct ranges *a, const struct ranges *b);
struct ranges ranges_union(const struct ranges *a, const struct ranges *b, struct arena *arena);
struct ranges ranges_intersection(const struct ranges *a, const struct ranges *b,
                                  struct arena *arena);
struct ranges ranges_difference(const struct ranges *a, const struct ranges *b,
                                struct arena *arena);
/* The least range that has them all. */
struct ranges ranges_span(const struct ranges *a, struct arena *arena);

/* Of ranges and multiranges. */
void ranges_to_text(type_id type, const struct bytes *b, const struct format_options *fmt,
                    struct strbuf *out);
enum status ranges_from_text(type_id type, struct slice text, const struct format_options *fmt,
                             struct arena *a, struct bytes *ret) MUST;
void ranges_to_binary(type_id type, const struct bytes *b, struct strbuf *out);
enum status ranges_from_binary(type_id type, struct slice s, const struct reg_names *names,
                               struct arena *a, struct bytes *ret) MUST;

#endif
