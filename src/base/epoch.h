/* Safe memory reclamation by epochs, one slot a statement rather than a thread: a section may park
 * and stays on until epoch_exit. What was retired while any older section is on is not freed.
 *
 * Source: K. Fraser, "Practical lock-freedom" (2004), section 5.2.3, with explicit slots. */
#ifndef HELIOS_BASE_EPOCH_H
#define HELIOS_BASE_EPOCH_H

#include <stdint.h>

struct epoch;
struct epoch_slot;

struct epoch *epoch_new(void);
/* Runs what is left; no section may be on. */
void epoch_free(struct epoch *e);
/* A slot serves one section at a time; keep it with the session. */
struct epoch_slot *epoch_slot_new(struct epoch *e);
void epoch_slot_free(struct epoch_slot *s);
/* Wait-free: one store, one fence. Sections of a slot do not nest. */
void epoch_enter(struct epoch_slot *s);
void epoch_exit(struct epoch_slot *s);
/* Runs free_fn(object) once no section that was on at this moment is still on. From any thread. */
void epoch_retire(struct epoch *e, void (*free_fn)(void *object), void *object);
/* For memory that its owner uses again itself: what was out of sight for all when the stamp was taken is held by none
 * when the stamp is below *ret_oldest of a later epoch_advance. That costs a cache miss for each of *ret_slots. */
uint64_t epoch_stamp(struct epoch *e);
void epoch_advance(struct epoch *e, uint64_t *ret_oldest, uint32_t *ret_slots);
/* Frees what may be freed; cheap when nothing is pending. Retire calls it now and then. */
void epoch_collect(struct epoch *e);

#endif
