/* Amounts of money: int8 cents, written as PostgreSQL does under lc_monetary C and en_US: -$1,234.56. */
#ifndef HELIOS_TYPES_MONEY_H
#define HELIOS_TYPES_MONEY_H

#include "types/value.h"

enum { MONEY_DIGITS = 2, MONEY_UNIT = 100 };

enum status money_from_text(struct slice text, int64_t *ret) MUST;
void money_to_text(int64_t cents, struct strbuf *out);
/* "One hundred dollars and five cents" */
void money_words(int64_t cents, struct strbuf *out);
enum status money_of_numeric(const struct numeric *n, struct arena *a, int64_t *ret) MUST;
struct numeric money_to_numeric(int64_t cents, struct arena *a);
enum status money_of_int(int64_t n, int64_t *ret) MUST;

#endif
