/* Snapshots of the catalog. Objects are kept sorted by oid; names are found through hash maps built
 * once a snapshot. A snapshot is made whole at every DDL statement: linear in the number of objects,
 * which is small beside what DDL writes. */
#include "catalog/catalog.h"

#include <stdlib.h>

#include "base/map.h"
#include "catalog/catalog_priv.h"

struct catalog {
    uint32_t refs; /* atomic */
    uint64_t version;
    struct object **objects; /* by oid */
    size_t count;
    struct map names;     /* kind, owner (database or schema), name -> definition */
    struct map indexes;   /* oid -> index_def */
    struct map constraints;
    const struct constraint_def **references; /* foreign keys, by table referred to, then oid */
    uint32_t reference_count;
    const struct function_def **functions; /* by schema, name, oid */
    uint32_t function_count;
};

/* atomic: each snapshot has its own number */
static uint64_t last_version = 1;

enum name_space { NAME_DATABASE, NAME_ROLE, NAME_SCHEMA, NAME_TABLE, NAME_INDEX };

enum { NAME_KEY_BYTES_MAX = 128 };

static struct slice name_key(enum name_space space, oid_t owner, struct slice name,
                             char buf[NAME_KEY_BYTES_MAX])
{
    size_t len = name.len < NAME_KEY_BYTES_MAX - 5 ? name.len : NAME_KEY_BYTES_MAX - 5;
    buf[0] = (char)space;
    memcpy(buf + 1, &owner, 4);
    if (len) memcpy(buf + 5, name.data, len);
    return slice_make(buf, len + 5);
}

static void put_name(struct catalog *c, enum name_space space, oid_t owner, const char *name,
                     const void *def)
{
    char buf[NAME_KEY_BYTES_MAX];
    map_put(&c->names, name_key(space, owner, slice_of(name), buf), (void *)(uintptr_t)def);
}

static const void *get_name(const struct catalog *c, enum name_space space, oid_t owner,
                            struct slice name)
{
    char buf[NAME_KEY_BYTES_MAX];
    return map_get(&c->names, name_key(space, owner, name, buf));
}

static void index_object(struct catalog *c, const struct object *o)
{
    const struct table_def *t = o->table;
    switch (o->kind) {
    case OBJ_FUNCTION: return; /* many may have one name */
    case OBJ_DATABASE: put_name(c, NAME_DATABASE, 0, o->database->name, o->database); return;
    case OBJ_ROLE: put_name(c, NAME_ROLE, 0, o->role->name, o->role); return;
    case OBJ_SCHEMA: put_name(c, NAME_SCHEMA, o->schema->database, o->schema->name, o->schema); return;
    default: break;
    }
    put_name(c, NAME_TABLE, t->schema, t->name, t);
    for (uint16_t i = 0; i < t->index_count; i++) {
        put_name(c, NAME_INDEX, t->schema, t->indexes[i]->name, t->indexes[i]);
        map_put_u64(&c->indexes, t->indexes[i]->oid, (void *)(uintptr_t)t->indexes[i]);
    }
    for (uint16_t i = 0; i < t->constraint_count; i++)
        map_put_u64(&c->constraints, t->constraints[i]->oid, (void *)(uintptr_t)t->constraints[i]);
}

static int by_reference(const void *a, const void *b)
{
    const struct constraint_def *x = *(const struct constraint_def *const *)a;
    const struct constraint_def *y = *(const struct constraint_def *const *)b;
    if (x->foreign_table != y->foreign_table) return x->foreign_table > y->foreign_table ? 1 : -1;
    return (x->oid > y->oid) - (x->oid < y->oid);
}

static uint32_t each_reference(struct catalog *c, const struct constraint_def **ret)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct table_def *t = c->objects[i]->kind == OBJ_TABLE ? c->objects[i]->table : NULL;
        for (uint16_t k = 0; t && k < t->constraint_count; k++) {
            if (t->constraints[k]->kind != 'f') continue;
            if (ret) ret[n] = t->constraints[k];
            n++;
        }
    }
    return n;
}

static void index_references(struct catalog *c)
{
    c->reference_count = each_reference(c, NULL);
    if (!c->reference_count) return;
    c->references = mem_alloc(MEM_CATALOG, c->reference_count * sizeof(void *));
    each_reference(c, c->references);
    qsort(c->references, c->reference_count, sizeof(void *), by_reference);
}

static int compare_names(oid_t schema, struct slice name, const struct function_def *f)
{
    if (schema != f->schema) return schema > f->schema ? 1 : -1;
    return slice_cmp(name, slice_of(f->proc.name));
}

static int by_function_name(const void *a, const void *b)
{
    const struct function_def *x = *(const struct function_def *const *)a;
    const struct function_def *y = *(const struct function_def *const *)b;
    int c = compare_names(x->schema, slice_of(x->proc.name), y);
    return c ? c : (x->proc.oid > y->proc.oid) - (x->proc.oid < y->proc.oid);
}

static void index_functions(struct catalog *c)
{
    for (size_t i = 0; i < c->count; i++) c->function_count += c->objects[i]->kind == OBJ_FUNCTION;
    if (!c->function_count) return;
    c->functions = mem_alloc(MEM_CATALOG, c->function_count * sizeof(void *));
    uint32_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->objects[i]->kind == OBJ_FUNCTION) c->functions[n++] = c->objects[i]->function;
    qsort(c->functions, n, sizeof(void *), by_function_name);
}

static int by_oid(const void *a, const void *b)
{
    oid_t x = (*(struct object *const *)a)->oid, y = (*(struct object *const *)b)->oid;
    return (x > y) - (x < y);
}

uint64_t catalog__next_version(void)
{
    return __atomic_add_fetch(&last_version, 1, __ATOMIC_RELAXED);
}

struct catalog *catalog__new(struct object **objects, size_t count, uint64_t version)
{
    struct catalog *c = mem_alloc(MEM_CATALOG, sizeof *c);
    size_t virtual_count;
    struct object *const *virtuals = catalog__virtual_objects(&virtual_count);
    c->refs = 1;
    c->version = version;
    c->count = count + virtual_count;
    c->objects = mem_alloc(MEM_CATALOG, c->count * sizeof *c->objects);
    if (count) memcpy(c->objects, objects, count * sizeof *objects);
    for (size_t i = 0; i < virtual_count; i++) {
        __atomic_add_fetch(&virtuals[i]->refs, 1, __ATOMIC_RELAXED);
        c->objects[count + i] = virtuals[i];
    }
    qsort(c->objects, c->count, sizeof *c->objects, by_oid);
    map_init(&c->names);
    map_init(&c->indexes);
    map_init(&c->constraints);
    for (size_t i = 0; i < c->count; i++) index_object(c, c->objects[i]);
    index_references(c);
    index_functions(c);
    return c;
}

static bool is_virtual(const struct object *o)
{
    return (o->kind == OBJ_TABLE && o->table->virtual_id >= 0) ||
           (o->kind == OBJ_ROLE && role_is_predefined(o->oid));
}

struct catalog *catalog__replace(struct catalog *base, oid_t oid, struct object *put)
{
    struct object **kept = mem_alloc(MEM_CATALOG, (base->count + 1) * sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; i < base->count; i++) {
        struct object *o = base->objects[i];
        if (o->oid == oid || is_virtual(o)) continue;
        __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
        kept[n++] = o;
    }
    if (put) kept[n++] = put;
    struct catalog *c = catalog__new(kept, n, catalog__next_version());
    mem_free(MEM_CATALOG, kept);
    return c;
}

struct catalog *catalog_ref(struct catalog *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

void catalog_unref(struct catalog *c)
{
    if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL)) return;
    for (size_t i = 0; i < c->count; i++) catalog__object_unref(c->objects[i]);
    mem_free(MEM_CATALOG, c->objects);
    map_release(&c->names);
    map_release(&c->indexes);
    map_release(&c->constraints);
    mem_free(MEM_CATALOG, c->references);
    mem_free(MEM_CATALOG, c->functions);
    mem_free(MEM_CATALOG, c);
}

uint64_t catalog_version(const struct catalog *c)
{
    return c->version;
}

static const struct object *find(const struct catalog *c, oid_t oid, uint8_t kind)
{
    size_t lo = 0, hi = c->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->objects[mid]->oid < oid) lo = mid + 1;
        else hi = mid;
    }
    /* Kinds share no oids but in the reserved range. */
    for (; lo < c->count && c->objects[lo]->oid == oid; lo++)
        if (c->objects[lo]->kind == kind) return c->objects[lo];
    return NULL;
}

const struct function_def *catalog_function_by_oid(const struct catalog *c, oid_t oid)
{
    const struct object *o = find(c, oid, OBJ_FUNCTION);
    return o ? o->function : NULL;
}

uint32_t catalog_functions(const struct catalog *c, oid_t schema, struct slice name,
                           const struct function_def *const **ret)
{
    uint32_t lo = 0, hi = c->function_count, n = 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (compare_names(schema, name, c->functions[mid]) > 0) lo = mid + 1;
        else hi = mid;
    }
    while (lo + n < c->function_count && compare_names(schema, name, c->functions[lo + n]) == 0) n++;
    *ret = n ? c->functions + lo : NULL;
    return n;
}

uint32_t catalog_function_columns(const struct catalog *c, const struct function_def *f,
                                  struct function_column *ret, uint32_t max)
{
    uint32_t n = 0;
    const struct table_def *t = f->result_table ? catalog_table_by_oid(c, f->result_table) : NULL;
    if (f->proc.result != TYPE_RECORD) return 0;
    for (uint32_t i = 0; t && i < t->column_count && n < max; i++)
        if (!t->columns[i].dropped)
            ret[n++] = (struct function_column){t->columns[i].name, t->columns[i].type,
                                                t->columns[i].typmod};
    for (uint32_t i = 0; !t && i < f->all_count && n < max; i++)
        if (f->all_modes[i] != 'i' && f->all_modes[i] != 'v')
            ret[n++] = (struct function_column){f->all_names[i], f->all_types[i], -1};
    return n;
}

const struct trigger_def *table_trigger(const struct table_def *t, struct slice name)
{
    for (uint16_t i = 0; i < t->trigger_count; i++)
        if (slice_eq(slice_of(t->triggers[i]->name), name)) return t->triggers[i];
    return NULL;
}

const struct database_def *catalog_database(const struct catalog *c, struct slice name)
{
    return get_name(c, NAME_DATABASE, 0, name);
}

const struct database_def *catalog_database_by_oid(const struct catalog *c, oid_t oid)
{
    const struct object *o = find(c, oid, OBJ_DATABASE);
    return o ? o->database : NULL;
}

const struct role_def *catalog_role(const struct catalog *c, struct slice name)
{
    return get_name(c, NAME_ROLE, 0, name);
}

const struct role_def *catalog_role_by_oid(const struct catalog *c, oid_t oid)
{
    const struct object *o = find(c, oid, OBJ_ROLE);
    return o ? o->role : NULL;
}

static bool role_has(const struct catalog *c, oid_t role, oid_t other, int depth)
{
    enum { DEPTH_MAX = 16 };
    const struct role_def *r = catalog_role_by_oid(c, role);
    if (role == other) return true;
    for (uint32_t i = 0; r && r->inherit && depth < DEPTH_MAX && i < r->member_of_count; i++)
        if (role_has(c, r->member_of[i], other, depth + 1)) return true;
    return false;
}

bool catalog_role_has(const struct catalog *c, oid_t role, oid_t other)
{
    return role_has(c, role, other, 0);
}

const struct schema_def *catalog_schema(const struct catalog *c, oid_t database, struct slice name)
{
    const struct schema_def *s = get_name(c, NAME_SCHEMA, 0, name);
    return s ? s : get_name(c, NAME_SCHEMA, database, name);
}

const struct schema_def *catalog_schema_by_oid(const struct catalog *c, oid_t oid)
{
    const struct object *o = find(c, oid, OBJ_SCHEMA);
    return o ? o->schema : NULL;
}

const struct table_def *catalog_table(const struct catalog *c, oid_t schema, struct slice name)
{
    return get_name(c, NAME_TABLE, schema, name);
}

const struct table_def *catalog_table_by_oid(const struct catalog *c, oid_t oid)
{
    const struct object *o = find(c, oid, OBJ_TABLE);
    return o ? o->table : NULL;
}

const struct index_def *catalog_index(const struct catalog *c, oid_t schema, struct slice name)
{
    return get_name(c, NAME_INDEX, schema, name);
}

const struct index_def *catalog_index_by_oid(const struct catalog *c, oid_t oid)
{
    return map_get_u64(&c->indexes, oid);
}

const struct constraint_def *catalog_constraint_by_oid(const struct catalog *c, oid_t oid)
{
    return map_get_u64(&c->constraints, oid);
}

const struct constraint_def *const *catalog_references(const struct catalog *c, oid_t table,
                                                       uint32_t *ret_count)
{
    uint32_t lo = 0, hi = c->reference_count, n = 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->references[mid]->foreign_table < table) lo = mid + 1;
        else hi = mid;
    }
    while (lo + n < c->reference_count && c->references[lo + n]->foreign_table == table) n++;
    *ret_count = n;
    return n ? c->references + lo : NULL;
}

static const struct object *next(const struct catalog *c, size_t *pos, uint8_t kind)
{
    while (*pos < c->count) {
        const struct object *o = c->objects[(*pos)++];
        if (o->kind == kind) return o;
    }
    return NULL;
}

#define DEFINE_NEXT(what, tag)                                                                     \
    bool catalog_next_##what(const struct catalog *c, size_t *pos, const struct what##_def **ret) \
    {                                                                                              \
        const struct object *o = next(c, pos, tag);                                                \
        if (o) *ret = o->what;                                                                     \
        return o != NULL;                                                                          \
    }
DEFINE_NEXT(table, OBJ_TABLE)
DEFINE_NEXT(schema, OBJ_SCHEMA)
DEFINE_NEXT(database, OBJ_DATABASE)
DEFINE_NEXT(role, OBJ_ROLE)
DEFINE_NEXT(function, OBJ_FUNCTION)

const struct column_def *table_column(const struct table_def *t, struct slice name)
{
    for (uint16_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped && slice_eq(slice_of(t->columns[i].name), name))
            return &t->columns[i];
    return NULL;
}

const struct constraint_def *table_constraint(const struct table_def *t, struct slice name)
{
    for (uint16_t i = 0; i < t->constraint_count; i++)
        if (slice_eq(slice_of(t->constraints[i]->name), name)) return t->constraints[i];
    return NULL;
}

/* What a name means along the path: pg_catalog is looked in first unless the path lists it. */
static const void *lookup(const struct catalog *c, const struct search_path *p,
                          enum name_space space, const char *schema, const char *name)
{
    struct slice n = slice_of(name);
    if (schema && strcmp(schema, "pg_temp") == 0)
        return p->temporary ? get_name(c, space, p->temporary, n) : NULL;
    if (schema) {
        const struct schema_def *s = catalog_schema(c, p->database, slice_of(schema));
        return s ? get_name(c, space, s->oid, n) : NULL;
    }
    const void *found = NULL;
    if (p->temporary && !p->temporary_listed) found = get_name(c, space, p->temporary, n);
    if (!found && !p->pg_catalog_listed) found = get_name(c, space, OID_SCHEMA_PG_CATALOG, n);
    for (uint32_t i = 0; !found && i < p->count; i++) found = get_name(c, space, p->schemas[i], n);
    return found;
}

const struct table_def *catalog_lookup(const struct catalog *c, const struct search_path *p,
                                       const char *schema, const char *name)
{
    return lookup(c, p, NAME_TABLE, schema, name);
}

const struct index_def *catalog_lookup_index(const struct catalog *c, const struct search_path *p,
                                             const char *schema, const char *name)
{
    return lookup(c, p, NAME_INDEX, schema, name);
}
