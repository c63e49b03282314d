/* A forest copied, and one made of a copy: what backups are made of. A copy is what the manifest says at one
 * moment, and the runs that it names, held by references, since runs never change. */
#ifndef HELIOS_CORE_LSM_COPY_H
#define HELIOS_CORE_LSM_COPY_H

#include "core/lsm/tree.h"

struct copied_run {
    uint64_t tree, id;
    struct slice meta;   /* as it was then */
    uint64_t bytes;      /* of its extents */
    struct run_ref *ref; /* of a copy: held */
    bool whole;          /* of a builder: all of it is there */
};

struct forest_copy {
    struct arena arena;
    struct slice *records;   /* of the manifest */
    uint32_t record_count;
    ARRAY(struct copied_run) runs;
    struct log_start log_start;
    uint64_t store;          /* its number */
    uint64_t lsn;            /* what was appended to the log by then: loads that are logged from there on may be
                              * unknown to the copy */
};
/* From now on, until forest_end_whole_log, the log has the rows of loads, too. */
enum status forest_copy_begin(struct forest *f, struct forest_copy *ret) MUST;
void forest_copy_end(struct forest_copy *c); /* one that is zeroed, too */
void forest_begin_whole_log(struct forest *f);
void forest_end_whole_log(struct forest *f);
/* All of its extents, one after another, in pieces of whole blocks. */
enum status forest_read_run(struct forest *f, struct slice meta,
                            enum status (*fn)(void *ctx, struct slice bytes), void *ctx) MUST;

/* The runs that records name, metas pointing into them. DATA_CORRUPTED. */
typedef ARRAY(struct copied_run) copied_runs;
enum status manifest_runs(const struct slice *records, uint32_t count, copied_runs *ret) MUST;

/* Block files and manifest in a new directory. */
struct forest_builder;
/* The records are changed in place, and stay until the end. */
enum status forest_build_begin(struct os *os, const char *dir, struct slice *records, uint32_t count,
                               struct forest_builder **ret) MUST;
void forest_build_free(struct forest_builder *b); /* may be NULL */
/* The bytes of that run follow; NOT_FOUND (no message): it is not named, or is there already. */
enum status forest_build_run(struct forest_builder *b, uint64_t id, uint64_t bytes) MUST;
enum status forest_build_data(struct forest_builder *b, struct slice bytes) MUST;
/* A run that is not there yet, or NULL: all are. */
const struct copied_run *forest_build_missing(const struct forest_builder *b);
/* Durable on return. */
enum status forest_build_finish(struct forest_builder *b, uint64_t store) MUST;

/* Of recovery: a run that the log has brought along, which then is pending. Written into the extents of `meta`
 * by the caller. */
enum status forest_receive_run(struct forest *f, struct tree *t, uint64_t id, struct slice meta) MUST;
/* Extents of like sizes for the run of `meta`, which then names them; and nobody's again. */
enum status forest_place_run(struct blocks *b, struct slice meta) MUST;
void forest_unplace_run(struct blocks *b, struct slice meta);

#endif
