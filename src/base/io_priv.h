/* Asynchronous file I/O under os_real.c. */
#ifndef HELIOS_BASE_IO_PRIV_H
#define HELIOS_BASE_IO_PRIV_H

#include "base/os.h"

/* Does the request at once, blocking; fills result and os_errno. */
void io__perform(int fd, struct io_request *r);
/* As file_submit. */
void io__submit(int fd, struct io_request *r);
/* Does the request: parks on a fiber, blocks on a plain thread. */
void io__run(int fd, struct io_request *r);
/* Runs fn(arg), which blocks, on an I/O thread while the fiber parks; on a plain thread at once. */
enum status io__offload(enum status (*fn)(void *arg), void *arg);

/* For tests: workers that start from now on get no ring. */
extern bool io__refuse_rings;

#endif
