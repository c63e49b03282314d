#include "bin/start_check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others who may write into the directory could change what is committed, so the server does not
 * begin with it; and files made by another user than the owner could not be opened by the next. */

static enum status check_owner(const char *path, const struct stat *s)
{
    if (s->st_uid != geteuid()) {
        FAIL(INSUFFICIENT_PRIVILEGE, "data directory \"%s\" has wrong ownership", path);
        return error_hint("The server must be started by the user that owns the data directory.");
    }
    if (s->st_mode & (S_IWGRP | S_IWOTH)) {
        FAIL(INSUFFICIENT_PRIVILEGE, "data directory \"%s\" has invalid permissions", path);
        error_detail("Others than its owner may write to it (mode %04o).", s->st_mode & 07777u);
        return error_hint("Permissions should be u=rwx (0700) or u=rwx,g=rx (0750): chmod 700 \"%s\".",
                          path);
    }
    return OK;
}

static enum status check_writable(const char *path)
{
    if (access(path, R_OK | W_OK | X_OK) == 0) return OK;
    FAIL(INSUFFICIENT_PRIVILEGE, "could not write to data directory \"%s\": %s", path,
         strerror(errno));
    return error_hint("The user that runs the server must be able to write there.");
}

enum status start_check_data_dir(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0) {
        if (errno == ENOENT) {
            /* As the store would; with words that fit a start. */
            if (mkdir(path, 0700) == 0) return OK;
            FAIL(INSUFFICIENT_PRIVILEGE, "could not create data directory \"%s\": %s", path,
                 strerror(errno));
            return error_hint("Its parent must exist, and be writable for the user that runs the "
                              "server.");
        }
        return FAIL(INSUFFICIENT_PRIVILEGE, "could not access data directory \"%s\": %s", path,
                    strerror(errno));
    }
    if (!S_ISDIR(s.st_mode))
        return FAIL(INSUFFICIENT_PRIVILEGE, "data directory \"%s\" is not a directory", path);
    TRY(check_owner(path, &s));
    return check_writable(path);
}

enum exit_code start_exit_code(enum status st, enum exit_code phase)
{
    switch (st) {
    case LOCK_FILE_EXISTS: return EXIT_LOCKED;
    case OBJECT_IN_USE: return EXIT_PORT;
    case DATA_CORRUPTED: return EXIT_DAMAGED;
    case CONFIG_FILE_ERROR: return EXIT_SETTINGS;
    default: return phase;
    }
}
