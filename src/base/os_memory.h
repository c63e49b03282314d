/* A machine whose disk is memory, for databases that leave no file: clocks and chance are the real
 * ones, nothing survives os_memory_free. Thread-safe. Paths are kept as they are written. */
#ifndef HELIOS_BASE_OS_MEMORY_H
#define HELIOS_BASE_OS_MEMORY_H

#include "base/os.h"

struct os *os_memory_new(void);
/* All files are closed. */
void os_memory_free(struct os *os);
/* What the files take now. */
uint64_t os_memory_bytes(struct os *os);

#endif
