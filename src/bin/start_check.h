/* What is looked at before the server starts, and the exit codes that tell why it did not. */
#ifndef HELIOS_BIN_START_CHECK_H
#define HELIOS_BIN_START_CHECK_H

#include "base/status.h"

/* As docs/operations.md lists them. */
enum exit_code {
    EXIT_OTHER = 1,
    EXIT_USAGE = 2,    /* a flag */
    EXIT_SETTINGS = 3, /* a setting, its file, or what it asks for */
    EXIT_DATA_DIR = 4, /* owner, permissions, not to be written */
    EXIT_LOCKED = 5,   /* another server has the directory */
    EXIT_PORT = 6,     /* taken, or not ours to take */
    EXIT_DAMAGED = 7,  /* what the disk gave back is not what was written */
};

/* INSUFFICIENT_PRIVILEGE, with what to do, unless the directory is ours alone to write, or can be
 * made. */
enum status start_check_data_dir(const char *path) MUST;
/* Of an error that ended the start; `phase`: where nothing more is known. */
enum exit_code start_exit_code(enum status st, enum exit_code phase);

#endif
