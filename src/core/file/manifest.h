/* The manifest: the log of what the store consists of (docs/format/manifest.md). Records are opaque
 * here. Appends are atomic and durable on return; a torn tail is cut at open; damage before it is
 * DATA_CORRUPTED. When the log has grown, the owner rewrites it as a snapshot. One writer. */
#ifndef HELIOS_CORE_FILE_MANIFEST_H
#define HELIOS_CORE_FILE_MANIFEST_H

#include "core/file/blocks.h"

struct manifest;

/* Replays every record, in order, through `fn`. */
enum status manifest_open(struct os *os, const char *dir, struct blocks *b,
                          enum status (*fn)(void *ctx, struct slice record), void *ctx,
                          struct manifest **ret) MUST;
void manifest_close(struct manifest *m);
/* All or none of the records, durable on return. */
enum status manifest_append(struct manifest *m, const struct slice *records, uint32_t count) MUST;
/* Begins a new manifest file with these records and switches to it through the superblock. */
enum status manifest_rewrite(struct manifest *m, const struct slice *records, uint32_t count) MUST;
uint64_t manifest_bytes(const struct manifest *m);

/* Reads it again from disk. Not while it is written to. */
enum status manifest_verify(struct manifest *m, uint64_t *ret_batches) MUST;

#endif
