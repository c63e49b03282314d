/* Counters, gauges and histograms, registered by name, readable while they change. Hot counters are
 * striped by core. */
#ifndef HELIOS_BASE_METRICS_H
#define HELIOS_BASE_METRICS_H

#include <stdint.h>

#include "base/str.h"

struct counter;
struct gauge;
struct histogram;

/* The same name gives the same object. Names: helios_wal_flushes_total. Live for the process. */
struct counter *counter_get(const char *name, const char *help);
void counter_add(struct counter *c, uint64_t n);
uint64_t counter_value(const struct counter *c);
struct gauge *gauge_get(const char *name, const char *help);
void gauge_set(struct gauge *g, int64_t v);
void gauge_add(struct gauge *g, int64_t d);
int64_t gauge_value(const struct gauge *g);
/* Log-linear buckets, 2 significant digits, of microseconds. */
struct histogram *histogram_get(const char *name, const char *help);
void histogram_record(struct histogram *h, uint64_t us);
uint64_t histogram_quantile(const struct histogram *h, double q); /* q in [0,1] */
uint64_t histogram_count(const struct histogram *h);
/* Prometheus text format 0.0.4. */
void metrics_write(struct strbuf *out);

#endif
