/* Shapes and manifest edits, for this folder. */
#ifndef HELIOS_CORE_LSM_TREE_PRIV_H
#define HELIOS_CORE_LSM_TREE_PRIV_H

#include "base/metrics.h"
#include "core/lsm/branch.h"
#include "core/lsm/tree.h"

/* What a record of the manifest is (edit.c; from EDIT_BRANCH on branch_edit.c). */
enum edit_kind { EDIT_CREATE = 1, EDIT_DROP, EDIT_RUNS, EDIT_COUNTERS, EDIT_LOG, EDIT_PENDING,
                 EDIT_INSTALL, EDIT_FORGET, EDIT_FLOOR, EDIT_RETIRE, EDIT_BRANCH, EDIT_UNBRANCH,
                 EDIT_OWNER, EDIT_STORE };

/* A change of a tree's runs, as the manifest keeps it. */
struct run_edit {
    uint64_t tree, replay_lsn;
    int64_t rows;
    ARRAY(uint64_t) removed;
    ARRAY(struct run_ref *) added;
    ARRAY(uint32_t) added_level;
};
void run_edit_release(struct run_edit *e);
/* Durable on return. */
enum status forest__log_edit(struct forest *f, struct tree *t, const struct run_edit *e) MUST;
/* Records about loaded runs, one a tree; all or none, durable on return. Under manifest_mutex. */
enum load_record { LOAD_PENDING, LOAD_INSTALLED, LOAD_FORGOTTEN };
/* The pending run goes to the front of level 0, installed. Under manifest_mutex. */
enum status forest__log_claim(struct forest *f, const struct loaded_run *l) MUST;
enum status forest__log_loads(struct forest *f, enum load_record kind, const struct loaded_run *runs,
                              size_t n, uint64_t ts) MUST;
/* Records that say all that the manifest does, in the arena. Under manifest_mutex. */
enum status forest__snapshot(struct forest *f, struct arena *a, struct slice **ret,
                             uint32_t *ret_count) MUST;
/* All or none, durable on return. Under manifest_mutex. */
void forest__encode_load(enum load_record kind, const struct loaded_run *l, uint64_t ts,
                         struct strbuf *out);
/* From here on the run is as any other. Under manifest_mutex. */
void forest__installed(struct run_ref *r, uint64_t ts);
enum status forest__append(struct forest *f, const struct slice *records, uint32_t n) MUST;
enum { FOREST_BRANCH_BYTES = 49 }; /* and the name; the last eight are the newer mark */
void forest__encode_branch(const struct branch *b, struct strbuf *out);
/* Those that the manifest knows, or all; tells where each record ends. */
void forest__encode_branches(struct forest *f, bool all, struct strbuf *out,
                             void (*ended)(void *ctx, size_t bytes), void *ctx);
void forest__encode_owner(const struct tree *t, struct strbuf *out);
enum status forest__log_owned(struct forest *f, struct tree *t) MUST; /* and that it is there */
enum status forest__replay_branch(struct forest *f, unsigned kind, uint64_t id,
                                  struct slice record) MUST;
/* The branch and its trees are gone: one batch. Under manifest_mutex. */
enum status forest__log_unbranch(struct forest *f, uint32_t branch, struct tree *const *trees,
                                 size_t n) MUST;
/* Of the registry: made from what is known, shown; an overlay that is there. */
struct branch *branch__new(struct forest *f, uint32_t id, struct branch *parent, struct slice name,
                           uint64_t fork_ts, int64_t created_us);
void branch__list(struct forest *f, struct branch *b);
void branch__note_overlay(struct branch *b, tree_id base, tree_id overlay);
/* Applies one record of the manifest at open. */
enum status forest__replay(void *ctx, struct slice record);

/* Opens a run just built and adds it to the edit. */
enum status run_edit__add(struct forest *f, struct run_edit *e, uint32_t level, struct slice meta) MUST;

/* Gives back what was added and not shown to anybody. */
void run_edit__discard(struct run_edit *e);
/* A run that is to be rewritten: of the deepest level that has one. */
bool tree__find_misfit(const struct tree *t, const struct shape *s, uint32_t *ret_level, uint32_t *ret_at);
/* What a merge by that layout has made, and has not its form, is not tried again. */
void tree__note_unfit(const struct run_layout *l, const struct run_edit *e);

struct memory *memory__new(struct forest *f, uint64_t first_lsn);
void memory__free(struct forest *f, struct memory *m);
struct run_ref *run_ref__new(uint64_t id, struct run *run, struct slice meta);

/* Of a history run, about: one that has them is not merged any more. */
enum { HISTORY_RUN_BYTES = 256 << 20, HISTORY_PICK_MAX = 64 };
/* History runs to be merged, or, all of whose versions had ended by the floor, to be dropped. */
struct history_pick {
    uint32_t at[HISTORY_PICK_MAX], count; /* of the list, ascending */
    bool expired;
    struct time_spans spans; /* of the merge: those of one span become one run, so that work comes to an end */
};
/* To merge all of the list. */
struct time_spans history__all_spans(const struct forest *f, const struct level *v, uint64_t floor);
bool history__pick(const struct forest *f, const struct shape *s, uint64_t floor,
                   const struct pins *pins, struct history_pick *ret);
/* How versions of the past are to be told apart, about so many bytes of which ended in (from, to], with so much
 * time kept. */
struct time_spans history__spans(const struct forest *f, uint64_t bytes, uint64_t from, uint64_t to,
                                 uint64_t kept);

/* Work that began then (monotonic) has ended. */
void tree__note_work(const struct tree *t, struct work_time *to, int64_t began_us);

/* The right to change levels as a whole: waits for compactions. *ret false: the tree is dropped. */
enum status tree__begin_work(struct tree *t, bool *ret) MUST;
void tree__end_work(struct tree *t);
/* What level 1 and deeper ones may hold. */
uint64_t tree__level_target(const struct forest *f, uint32_t level);

/* A copy to be changed; takes a reference on each run that it names. */
struct shape *shape__copy(const struct shape *s);
void run_ref__unref(struct run_ref *r);
/* Gives the references back and frees. */
void shape__free(struct shape *s);
/* Makes `next` the shape; the old one goes by epoch. Under tree->mutex. */
void tree__set_shape(struct tree *t, struct shape *next);
void shape__drop_memory(struct shape *s); /* the oldest */
void shape__remove_run(struct shape *s, uint64_t id);
/* Into level 0 in front, into others by key. Takes over the caller's reference. */
void shape__add_run(struct shape *s, uint32_t level, struct run_ref *r);

#endif
