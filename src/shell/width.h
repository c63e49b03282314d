/* How wide text is on a terminal, and text that is safe to show on one.
 *
 * Values come from tables that anybody may have filled: an escape sequence in one could retitle the
 * window, move the cursor or type for the user. So whatever goes to a screen passes
 * width_escape, which leaves no control character: C0, DEL, C1, bytes that are not UTF-8, and the
 * characters that reorder a line (bidirectional overrides) become visible, as \x1B or \u202E. */
#ifndef HELIOS_SHELL_WIDTH_H
#define HELIOS_SHELL_WIDTH_H

#include "base/str.h"

/* The character at the start of `s`; -1: not UTF-8, one byte long. */
int32_t width_decode(struct slice s, size_t *ret_len);
/* Cells: 0 for combining marks, 2 for East Asian wide ones and emoji, -1 for control characters. */
int width_char(int32_t c);
/* Of text that has passed width_escape. */
int width_text(struct slice s);
/* Bytes of `s` that fit into `cells`; at least one character. */
size_t width_fit(struct slice s, int cells, int *ret_cells);
/* `keep`: control characters that stay, such as "\n\t". */
void width_escape(struct strbuf *out, struct slice s, const char *keep);

#endif
