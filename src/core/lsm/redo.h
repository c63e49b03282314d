/* What the log knows of changes that are made in the manifest alone, so that a copy of the files from before and
 * the log are enough to have it all: branches and their overlays, and the bytes of loaded runs. A recovery that
 * finds the manifest to know of them already passes over them. */
#ifndef HELIOS_CORE_LSM_REDO_H
#define HELIOS_CORE_LSM_REDO_H

#include "core/lsm/branch.h"

/* Entries of log records (docs/format/wal.md), after those of transactions:
 *
 *   u8 FOREST | u64 bytes | a record of the manifest, or of kind 255: u32 the next number | u32 branch …, all
 *   u8 PART   | u64 tree | u64 run | u64 offset | u64 bytes of all | u32 bytes of meta | u32 bytes | meta | bytes */
enum { REDO_FOREST = 12, REDO_PART, REDO_FOREST_BYTES = 9, REDO_PART_BYTES = 41, REDO_PART_MAX = 1 << 20 };

/* Under branches_mutex, so that numbers rise in the log; not durable yet. */
enum status forest_redo_branch(struct forest *f, const struct branch *b, lsn_t *ret_end) MUST;
enum status forest_redo_unbranch(struct forest *f, uint32_t branch, lsn_t *ret_end) MUST;
/* Before anyone writes to it; not durable yet. */
enum status forest_redo_overlay(struct forest *f, const struct tree *t, lsn_t *ret_end) MUST;
/* At the open, while nobody else is there: what the manifest knows of branches, and the log perhaps not, since a
 * crash came between the two. Nothing where there never was a branch. */
enum status forest_redo_branches(struct forest *f) MUST;
/* The bytes of a run that its transaction is about to commit. */
enum status forest_redo_run(struct forest *f, const struct loaded_run *l) MUST;

/* --- recovery ---------------------------------------------------------------------------------- */

enum status forest_replay_redo(struct forest *f, uint64_t lsn, struct slice record) MUST;
/* Runs that come in parts. */
struct received_runs;
struct received_runs *received_runs_new(struct forest *f);
void received_runs_free(struct received_runs *r); /* space of those that are not whole is given back */
/* An entry of the kind PART at the payload's start. `skip`: its transaction's manifest record is from before the
 * copy. */
enum status received_runs_add(struct received_runs *r, uint64_t lsn, struct slice payload, bool skip) MUST;
/* The record that commits the run is there: makes it pending, if it was received. */
enum status received_runs_claim(struct received_runs *r, struct tree *t, uint64_t id, uint64_t lsn) MUST;

#endif
