/* What is the same in every snapshot: the tables of pg_catalog and information_schema, from virtual.def, and the
 * predefined roles. Built once. */
#include "base/fiber.h"
#include "catalog/catalog_priv.h"

struct virtual_column {
    const char *name;
    type_id type;
    bool not_null;
};

/* A flat list: a table's line (name, oid) is followed by its columns. */
static const struct virtual_line {
    oid_t oid, schema;
    char kind; /* 0: a column */
    const char *name;
    type_id type;
    bool not_null;
} lines[] = {
#define TABLE(oid, schema, kind, name) {oid, schema, kind, name, 0, false},
#define COLUMN(name, type, not_null) {0, 0, 0, name, type, not_null},
#define END()
#include "catalog/virtual.def"
#undef TABLE
#undef COLUMN
#undef END
};
enum { LINE_COUNT = sizeof lines / sizeof lines[0] };

static struct object **objects; /* guarded by build_lock until built, immutable then */
static size_t object_count;
static struct spinlock build_lock;
static bool built; /* atomic: release after objects */

static struct object *build_table(size_t at, size_t columns, int32_t id)
{
    struct object *o = mem_alloc(MEM_CATALOG, sizeof *o);
    o->refs = 1; /* never given back: these live as long as the process */
    o->kind = OBJ_TABLE;
    o->oid = lines[at].oid;
    arena_init(&o->arena, MEM_CATALOG);
    struct table_def *t = o->table = ARENA_NEW(&o->arena, struct table_def);
    struct column_def *cols = ARENA_ARRAY(&o->arena, struct column_def, columns);
    for (size_t i = 0; i < columns; i++) {
        const struct virtual_line *l = &lines[at + 1 + i];
        cols[i] = (struct column_def){.name = l->name, .type = l->type, .typmod = -1,
                                      .number = (int16_t)(i + 1), .not_null = l->not_null,
                                      .statistics_target = -1};
    }
    *t = (struct table_def){.oid = o->oid, .schema = lines[at].schema, .owner = OID_ROLE_BOOTSTRAP,
                            .name = lines[at].name, .kind = lines[at].kind, .persistence = 'p',
                            .column_count = (uint16_t)columns, .columns = cols, .virtual_id = id,
                            .statistics = {.rows = -1}};
    catalog__finish_table(&o->arena, t);
    return o;
}

static struct object *build_role(oid_t oid, const char *name)
{
    struct object *o = mem_alloc(MEM_CATALOG, sizeof *o);
    o->refs = 1;
    o->kind = OBJ_ROLE;
    o->oid = oid;
    arena_init(&o->arena, MEM_CATALOG);
    o->role = ARENA_NEW(&o->arena, struct role_def);
    *o->role = (struct role_def){.oid = oid, .name = name, .inherit = true, .connection_limit = -1};
    return o;
}

static void build(void)
{
    enum { ROLES = 3 };
    size_t tables = 0;
    for (size_t i = 0; i < LINE_COUNT; i++) tables += lines[i].kind != 0;
    objects = mem_alloc(MEM_CATALOG, (tables + ROLES) * sizeof *objects);
    for (size_t at = 0; at < LINE_COUNT;) {
        size_t columns = 0;
        while (at + 1 + columns < LINE_COUNT && lines[at + 1 + columns].kind == 0) columns++;
        objects[object_count] = build_table(at, columns, (int32_t)object_count);
        object_count++;
        at += 1 + columns;
    }
    objects[object_count++] = build_role(OID_ROLE_DATABASE_OWNER, "pg_database_owner");
    objects[object_count++] = build_role(OID_ROLE_READ_SERVER_FILES, "pg_read_server_files");
    objects[object_count++] = build_role(OID_ROLE_WRITE_SERVER_FILES, "pg_write_server_files");
}

struct object *const *catalog__virtual_objects(size_t *ret_count)
{
    if (!__atomic_load_n(&built, __ATOMIC_ACQUIRE)) {
        spin_lock(&build_lock);
        if (!built) build();
        __atomic_store_n(&built, true, __ATOMIC_RELEASE);
        spin_unlock(&build_lock);
    }
    *ret_count = object_count;
    return objects;
}
