/* The line that `helios import` shows while bytes go out: how much, how fast, how long still. */
#ifndef HELIOS_BIN_IMPORT_PROGRESS_H
#define HELIOS_BIN_IMPORT_PROGRESS_H

#include "base/str.h"

struct import_progress {
    bool shown_at_all; /* standard error is a terminal */
    bool on_screen;
    uint64_t total;    /* bytes; 0: not known */
    uint64_t sent;
    int64_t began_ms, drawn_ms;
};

void import_progress_begin(struct import_progress *p, uint64_t total);
/* So many bytes more have gone; draws now and then. */
void import_progress_add(struct import_progress *p, uint64_t bytes);
void import_progress_erase(struct import_progress *p);
/* "12 rows in 0.3 s (40 rows/s, 1.2 MB/s)" */
void import_progress_summary(const struct import_progress *p, uint64_t rows, struct strbuf *out);
/* The line as it is after so many ms; for the drawing, and its test. */
void import_progress_line(const struct import_progress *p, int64_t elapsed_ms, struct strbuf *out);

#endif
