/* Times of day with an offset. The 12 bytes of a value order as memcmp does: the time in UTC, in
 * microseconds, then the offset in seconds west; both big-endian, with their sign bit turned. */
#ifndef HELIOS_TYPES_TIMETZ_H
#define HELIOS_TYPES_TIMETZ_H

#include "types/value.h"

struct timetz {
    int64_t us;   /* local: 0 to a whole day */
    int32_t west; /* seconds */
};

struct timetz timetz_open(const struct bytes *b);
struct bytes timetz_close(const struct timetz *t);

enum status timetz_from_text(int32_t typmod, struct slice text, const struct format_options *fmt,
                             struct bytes *ret) MUST;
void timetz_to_text(const struct bytes *b, const struct format_options *fmt, struct strbuf *out);
enum status timetz_from_binary(struct slice s, struct bytes *ret) MUST;
void timetz_to_binary(const struct bytes *b, struct strbuf *out);
void timetz_fit(int32_t typmod, struct bytes *b);
/* At an instant, in the session's zone. */
enum status timetz_of_timestamptz(int64_t ts, const struct timezone *z, struct timetz *ret) MUST;
/* The same moment of the day, elsewhere. */
struct timetz timetz_moved(const struct timetz *t, int32_t west);

#endif
