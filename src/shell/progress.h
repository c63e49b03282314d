/* The thread beside a running statement: it shows progress, and carries Ctrl-C to the backend.
 *
 * A signal handler may do little; it writes a byte to a pipe, and this thread, which may do all,
 * cancels. After a second it shows on standard error how long the statement has run and how many
 * rows came; the line is erased when the statement ends or something else is to be shown. */
#ifndef HELIOS_SHELL_PROGRESS_H
#define HELIOS_SHELL_PROGRESS_H

#include "shell/backend.h"

/* Starts the thread and takes SIGINT over. `show`: standard error is a terminal. */
bool progress_open(bool show);
void progress_close(void);
void progress_start(struct backend *b);
void progress_stop(void);
void progress_row(void);
/* Erases the line; it comes back. */
void progress_erase(void);
/* Erases the line, which stays away until the next statement. */
void progress_quiet(void);
/* Ctrl-C was hit since the last call of progress_clear_interrupt. */
bool progress_interrupted(void);
void progress_clear_interrupt(void);

#endif
