/* Unsigned numbers of 64 bits that mean a place: xid8 (a transaction) and pg_lsn (a byte of the log). A value
 * is kept as an int8 with the top bit turned, which orders as the number does. */
#ifndef HELIOS_TYPES_POSITION_H
#define HELIOS_TYPES_POSITION_H

#include "types/value.h"

static inline bool type_is_position(type_id t) { return t == TYPE_XID8 || t == TYPE_PG_LSN; }
static inline uint64_t position_open(int64_t v) { return (uint64_t)v ^ 1ull << 63; }
static inline int64_t position_close(uint64_t n) { return (int64_t)(n ^ 1ull << 63); }

enum status position_from_text(type_id type, struct slice text, int64_t *ret) MUST;
void position_to_text(type_id type, int64_t v, struct strbuf *out);
/* a - b; a place and a number of bytes. */
enum status position_diff(int64_t a, int64_t b, struct arena *arena, struct numeric *ret) MUST;
enum status position_of_numeric(const struct numeric *n, struct arena *a, int64_t *ret) MUST;
struct numeric position_to_numeric(int64_t v, struct arena *a);

#endif
