/* Plans of statements that were seen before, by normalised text and all that the plan depends on.
 * Shared by the sessions of the process; entries are counted, so one may be replaced while it runs. */
#ifndef HELIOS_DB_PLAN_CACHE_H
#define HELIOS_DB_PLAN_CACHE_H

#include "base/array.h"
#include "catalog/catalog.h"
#include "db/statement_stats.h"
#include "sql/plan.h"

struct bound_moment;
struct plan_cache;

/* Immutable once made. */
struct cached_plan {
    uint32_t refs;           /* atomic */
    uint64_t hash;
    char *key;               /* normalised text and dependencies, owned */
    size_t key_len;
    struct arena arena;      /* of the plan */
    struct arena trees;      /* of the syntax tree, whose names the plan uses */
    struct catalog *catalog; /* a reference: the plan points into it */
    const struct plan *plan;
    double rows;             /* of its tables, when it was made */
    int64_t looked_us;       /* atomic: when somebody looked last whether that still holds */
    uint32_t outgrown;       /* atomic: it does not */
    bool once;               /* for one run, and not for the cache */
    const struct bound_moment *moments; /* that it reads as of, by number: past_moment.c */
    const uint64_t *made;    /* when they were, as it was made; 0: not known then */
    uint32_t moment_count;   /* 0: nothing is read as of any */
    ARRAY(struct catalog *) past_catalogs; /* references: the plan points into them */
    struct statement_entry *entry; /* where runs are counted: a reference; NULL: nowhere */
};

struct plan_cache *plan_cache_new(void);
void plan_cache_free(struct plan_cache *c);
/* A reference, or NULL. */
struct cached_plan *plan_cache_get(struct plan_cache *c, struct slice key, uint64_t hash);
/* Takes a reference of its own; an entry may leave for it. */
void plan_cache_put(struct plan_cache *c, struct cached_plan *p);
/* Drops every plan made under another snapshot than these: they hold theirs alive. */
void plan_cache_purge(struct plan_cache *c, const struct catalog *const *keep, size_t n);
uint64_t plan_cache_hits(const struct plan_cache *c);

/* An entry under construction: arena and catalog reference are there, plan is the caller's to set. */
struct cached_plan *cached_plan_new(struct catalog *catalog);
void cached_plan_set_key(struct cached_plan *p, struct slice key, uint64_t hash);
/* The tree's arena becomes the plan's. */
void cached_plan_take_trees(struct cached_plan *p, struct arena *trees);
void cached_plan_release(struct cached_plan *p);

#endif
