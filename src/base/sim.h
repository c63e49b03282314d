/* The simulated machine: a disk in memory that remembers what was not yet synced, and a clock that
 * moves only when told. Deterministic: the same seed and calls give the same bytes. Thread-safe by
 * one lock. */
#ifndef HELIOS_BASE_SIM_H
#define HELIOS_BASE_SIM_H

#include "base/os.h"

struct sim_options {
    uint64_t seed;
    int64_t start_us;         /* wall clock at start; 0: 2026-01-01 */
    uint64_t disk_bytes_max;  /* 0: unlimited; beyond it writes fail with DISK_FULL */
    /* How a power loss treats each unsynced 512-byte sector, in parts of 1,000; the rest is lost. */
    unsigned keep_permille, tear_permille, garbage_permille;
};

struct os *sim_new(const struct sim_options *opts);
void sim_free(struct os *os);

/* From the n-th next operation that writes, syncs, creates, renames or removes on (1 = the next),
 * the power is off: it and every later call fail with IO_ERROR, until sim_restart. 0 disarms. */
void sim_power_off_after(struct os *os, uint64_t operations);
bool sim_is_off(struct os *os);
uint64_t sim_operations(struct os *os); /* so far */
/* Applies the loss to unsynced sectors (reordering included: each file's unsynced writes survive
 * independently) and unsynced directory entries, closes all files, drops locks, turns power on. */
void sim_restart(struct os *os);

/* The n-th next call of that kind fails once (or from then on, when sticky) with `result`. */
enum sim_fault { SIM_FAULT_READ, SIM_FAULT_WRITE, SIM_FAULT_SYNC, SIM_FAULT_OPEN };
void sim_fail(struct os *os, enum sim_fault kind, uint64_t nth, bool sticky, enum status result);
/* Flips one bit of a stored byte, synced or not. */
enum status sim_flip_bit(struct os *os, const char *path, uint64_t byte_offset, unsigned bit);
void sim_advance_us(struct os *os, int64_t us);

#endif
