/* The simulated disk under sim.c: nodes (files and directories), what of them is stable, what is
 * not, and the loss. No locks and no power switch here. */
#ifndef HELIOS_BASE_SIM_PRIV_H
#define HELIOS_BASE_SIM_PRIV_H

#include "base/map.h"
#include "base/random.h"
#include "base/sim.h"

enum { SIM_SECTOR_BYTES = 512, SIM_PAGE_BYTES = 4096 };

/* A page is shared by the two images and by nobody else; NULL reads as zeros. */
struct sim_image {
    char **pages;
    size_t page_count;
    uint64_t bytes; /* size of the file */
};

/* A change to a file that was not synced yet. */
struct sim_change {
    struct sim_change *next;
    enum sim_change_kind { SIM_WRITE, SIM_ZEROS, SIM_RESIZE } kind;
    uint64_t offset, len; /* of SIM_RESIZE: len is the new size */
    char *data;           /* of SIM_WRITE */
};

struct sim_node {
    bool directory;
    bool linked;            /* has a name now: its size counts against the disk's */
    unsigned refs;          /* names, changes of names, handles */
    struct sim_image now, stable;
    struct sim_change *changes, **changes_end; /* oldest first */
    uint64_t unsynced_bytes;
};

/* A change to the names that was not synced yet. `directory` is that whose sync settles it. */
struct sim_name_change {
    struct sim_name_change *next;
    enum sim_name_kind { SIM_ADD, SIM_REMOVE, SIM_RENAME } kind;
    char *directory, *path, *to; /* owned */
    struct sim_node *node;       /* of SIM_ADD; holds a reference */
};

struct sim_disk {
    struct map now, stable; /* path -> node; each holds a reference */
    struct sim_name_change *names, **names_end;
    uint64_t bytes, bytes_max; /* sizes of all files; 0: no limit */
};

void sim__disk_init(struct sim_disk *d, uint64_t bytes_max);
void sim__disk_release(struct sim_disk *d);
struct sim_node *sim__find(const struct sim_disk *d, const char *path);
/* The parent of a normal path; "." for names without one. */
void sim__parent(const char *path, char ret[OS_PATH_MAX]);

struct sim_node *sim__add(struct sim_disk *d, const char *path, bool directory);
void sim__remove(struct sim_disk *d, const char *path);
void sim__rename(struct sim_disk *d, const char *from, const char *to);
void sim__sync_names(struct sim_disk *d, const char *directory);
void sim__unref(struct sim_disk *d, struct sim_node *n);

void sim__read(const struct sim_node *n, void *data, size_t len, uint64_t offset);
/* False when the disk is full. */
bool sim__write(struct sim_disk *d, struct sim_node *n, const void *data, size_t len,
                uint64_t offset);
bool sim__resize(struct sim_disk *d, struct sim_node *n, uint64_t bytes);
void sim__sync(struct sim_node *n);
void sim__flip(struct sim_node *n, uint64_t offset, unsigned bit);

/* The power goes and comes back. */
void sim__lose(struct sim_disk *d, struct rng *rng, const struct sim_options *opts);

#endif
