/* What INSERT, UPDATE and DELETE share: one row with its index entries, checked and written. */
#ifndef HELIOS_EXEC_OPS_DML_H
#define HELIOS_EXEC_OPS_DML_H

#include "base/map.h"
#include "exec/ops/ops_priv.h"

struct dml_run {
    struct execution *x;
    const struct dml *dml;
    const struct table_def *table;
    struct arena *arena;      /* of a row; cleared by the caller */
    struct row_pusher *returning; /* NULL: none asked for */
    struct strbuf key, row, entry, old_entry, new_key;
    struct map seen;          /* keys touched by this statement, when one could come twice */
    bool tracks;
    bool counts;              /* its rows are the statement's */
    bool defers;              /* the table has a deferrable unique key */
    /* Insertion of many rows (bulk.c): */
    bool bulk;                /* allowed */
    size_t wrote;             /* bytes, before the load began */
    struct load *load;        /* NULL: not yet */
    uint64_t tag;             /* of the row: rising */
    uint64_t place;           /* tag of a row given before, which the error is about; 0: none */
};

void dml_init(struct dml_run *d, struct execution *x, const struct plan_node *n, bool tracks);
void dml_release(struct dml_run *d);

/* Generated columns, NOT NULL, CHECK. */
enum status dml_finish_row(struct dml_run *d, struct datum *row) MUST;
/* WITH CHECK OPTION of views that the table was named by; after the row has been written. 44000 */
enum status dml_check_views(struct dml_run *d, const struct datum *row) MUST;
/* The key of a new row, into d->key: of its primary key, or a fresh row id. */
enum status dml_new_key(struct dml_run *d, const struct datum *row) MUST;
/* Writes the row of d->key and its entries. 23505. */
enum status dml_insert(struct dml_run *d, const struct datum *row) MUST;
/* After the last row that was inserted. 23505. */
enum status dml_end(struct dml_run *d) MUST;
/* Tells how much was inserted, and begins a load when it is much. */
enum status dml_wrote(struct dml_run *d, size_t bytes) MUST;
/* The row of d->key and d->row, and its entries, into the load. */
enum status dml_load(struct dml_run *d, const struct datum *row) MUST;
/* The row of `key`, locked, becomes `row`. `old`: its values now. */
enum status dml_update(struct dml_run *d, struct slice key, const struct datum *old,
                       struct datum *row, const bool *changed) MUST;
enum status dml_delete(struct dml_run *d, struct slice key, const struct datum *old) MUST;
/* The row of `key` becomes `row`, in two steps, between which others may take the unique keys that it
 * leaves: its entries that go, then itself and the new ones. */
enum status dml_take_entries(struct dml_run *d, struct slice key, const struct datum *old,
                             const struct datum *row) MUST;
enum status dml_replace(struct dml_run *d, struct slice key, const struct datum *old,
                        struct datum *row, const bool *changed) MUST;
/* All columns of a stored row; those added later take their missing value. */
void dml_decode(const struct table_def *t, struct slice row, struct datum *ret);
/* Pushes RETURNING's columns. `row`: table columns; `input`: the input slots. Counts the row. */
enum status dml_returning(struct dml_run *d, const struct datum *row, const struct datum *input,
                          uint32_t input_count) MUST;
/* The node has written all its rows, and is left, whatever happened (part.c). */
enum status part_finish(struct execution *x, const struct plan_node *n, uint8_t events) MUST;
void part_end(struct execution *x);
/* True when the key was touched before by this statement; notes it. */
bool dml_seen(struct dml_run *d, struct slice key);
/* The row's entry of table->indexes[i] into `out`. *ret_unique: it is so by itself. *ret_present false:
 * the index leaves the row out. */
enum status dml_entry(struct dml_run *d, uint16_t i, const struct datum *row, struct slice key,
                      struct strbuf *out, bool *ret_unique, bool *ret_present) MUST;
enum status dml_unique_violation(struct dml_run *d, const struct index_def *i,
                                 const struct datum *row) MUST;

#endif
