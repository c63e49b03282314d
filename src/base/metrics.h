/* Counters, gauges and histograms, registered by name, readable while they change. Hot counters are
 * striped by core. */
#ifndef HELIOS_BASE_METRICS_H
#define HELIOS_BASE_METRICS_H

#include <stdint.h>

#include "base/str.h"

struct counter;
struct gauge;
struct histogram;

/* The same name gives the same object. Names: helios_wal_flushes_total, with labels where there are
 * any: helios_errors_total{class="22"}; those of one family share kind and help. Live for the
 * process. */
struct counter *counter_get(const char *name, const char *help);
void counter_add(struct counter *c, uint64_t n);
uint64_t counter_value(const struct counter *c);
struct gauge *gauge_get(const char *name, const char *help);
void gauge_set(struct gauge *g, int64_t v);
void gauge_add(struct gauge *g, int64_t d);
int64_t gauge_value(const struct gauge *g);
/* Log-linear buckets, 2 significant digits, of microseconds; named and reported in seconds. */
struct histogram *histogram_get(const char *name, const char *help);
void histogram_record(struct histogram *h, uint64_t us);
uint64_t histogram_quantile(const struct histogram *h, double q); /* q in [0,1] */
uint64_t histogram_count(const struct histogram *h);
/* All that is registered, in Prometheus's text format 0.0.4. */
void metrics_write(struct strbuf *out);
/* For numbers that are kept elsewhere: HELP and TYPE ("counter", "gauge") of a family, then its
 * samples, whose names have labels; or a family of one. */
void metrics_family(struct strbuf *out, const char *name, const char *type, const char *help);
void metrics_sample(struct strbuf *out, const char *name, double value);
void metrics_one(struct strbuf *out, const char *name, const char *type, const char *help,
                 double value);

#endif
