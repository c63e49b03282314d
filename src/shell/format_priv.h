/* The modes, one pair or triple of functions each. */
#ifndef HELIOS_SHELL_FORMAT_PRIV_H
#define HELIOS_SHELL_FORMAT_PRIV_H

#include "shell/format.h"

/* What a NULL shows: `otherwise` unless \pset null was said. */
const char *format__null(const struct format *f, const char *otherwise);
void format__json_string(struct writer *w, const char *s, size_t len);
/* One record in expanded form. */
void format__line_row(struct format *f, const char *const *values, const int *lengths);

void format__markdown_begin(struct format *f);
void format__markdown_row(struct format *f, const char *const *values, const int *lengths);
void format__html_begin(struct format *f);
void format__html_row(struct format *f, const char *const *values, const int *lengths);
void format__insert_row(struct format *f, const char *const *values, const int *lengths);

void layout__begin(struct format *f);
void layout__row(struct format *f, const char *const *values, const int *lengths);
void layout__end(struct format *f, bool complete);

#endif
