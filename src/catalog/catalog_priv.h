/* Objects inside a snapshot, and their bytes. */
#ifndef HELIOS_CATALOG_CATALOG_PRIV_H
#define HELIOS_CATALOG_CATALOG_PRIV_H

#include "catalog/catalog.h"

enum object_kind_tag { OBJ_DATABASE = 1, OBJ_ROLE = 2, OBJ_SCHEMA = 3, OBJ_TABLE = 4,
                       OBJ_FUNCTION = 5 };
enum { KIND_FIRST_OTHER = 0xF0 }; /* of keys that name no object, and above */

/* One catalog object, immutable, shared by the snapshots that hold it. */
struct object {
    uint32_t refs; /* atomic */
    uint8_t kind;  /* enum object_kind_tag */
    oid_t oid;
    struct arena arena;
    union {
        struct database_def *database;
        struct role_def *role;
        struct schema_def *schema;
        struct table_def *table;
        struct function_def *function;
    };
};

/* The definition as bytes (docs/format/catalog.md). */
void catalog__encode(uint8_t kind, const void *def, struct strbuf *out);
/* A new object with one reference. DATA_CORRUPTED when the bytes are not one. */
enum status catalog__decode(uint8_t kind, oid_t oid, struct slice bytes, struct object **ret) MUST;
void catalog__object_unref(struct object *o);
/* Works out what a table's definition implies: layout, primary, order. */
void catalog__finish_table(struct arena *a, struct table_def *t);

uint64_t catalog__next_version(void); /* of a snapshot; of no other in the process */
/* A snapshot of these objects (references are taken over). Sorts them. */
struct catalog *catalog__new(struct object **objects, size_t count, uint64_t version);
/* `base` with one object put (NULL: only removed) in place of that of `oid`. */
struct catalog *catalog__replace(struct catalog *base, oid_t oid, struct object *put);

/* Tables of pg_catalog and information_schema: the same in every snapshot. */
struct object *const *catalog__virtual_objects(size_t *ret_count);

#endif
