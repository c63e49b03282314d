/* Admission: how many statements may run at the same time. Beyond that they wait in order of
 * arrival; beyond a length of the queue, or of the wait, they are refused. */
#ifndef HELIOS_DB_ADMISSION_H
#define HELIOS_DB_ADMISSION_H

#include "base/fiber.h"
#include "base/str.h"

struct admission;

struct admission *admission_new(uint32_t active_max, uint32_t queued_max, int64_t wait_us);
void admission_free(struct admission *a);
/* Takes a place, or waits for one. CONFIGURATION_LIMIT_EXCEEDED when the queue is full or the wait
 * too long; QUERY_CANCELED. */
enum status admission_enter(struct admission *a) MUST;
void admission_leave(struct admission *a);
void admission_write_metrics(const struct admission *a, struct strbuf *out);

#endif
