/* Where output goes: the screen, a pager, a file or a pipe.
 *
 * What goes to a screen or a pager passes width_escape piece by piece, so no value can act on the
 * terminal, whatever the output mode. Files and pipes get the bytes as they are. */
#ifndef HELIOS_SHELL_WRITER_H
#define HELIOS_SHELL_WRITER_H

#include <stdio.h>

#include "base/str.h"

struct writer {
    FILE *out;
    bool screen;
    int rows_max;      /* lines that fit; beyond, the pager. 0: no pager */
    int lines;         /* so far */
    struct strbuf held; /* what may yet go to a pager */
    FILE *pager;
    bool failed;       /* the reader is gone, or the disk is full */
};

void writer_init(struct writer *w, FILE *out, bool screen, int rows_max);
void writer_release(struct writer *w);
void writer_add(struct writer *w, const void *data, size_t len);
void writer_adds(struct writer *w, const char *s);
void writer_addf(struct writer *w, const char *fmt, ...) PRINTF(2, 3);
void writer_repeat(struct writer *w, const char *s, int times);
/* Shows what is held; ends the pager and waits for it. False: something could not be written. */
bool writer_end(struct writer *w);

#endif
