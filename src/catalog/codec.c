/* Catalog objects as bytes and back. A format version, then the fields in the order of the structs in
 * catalog.h: integers little-endian at their width, strings as u32 length (UINT32_MAX: NULL) and
 * bytes. Drawn in docs/format/catalog.md. A writer and a reader walk the same list of fields, so the
 * two cannot drift apart: every `field` call reads or writes by the direction of the walk. */
#include "catalog/catalog_priv.h"

enum {
    FORMAT_VERSION = 6,
    FORMAT_WITHOUT_FUNCTION_ACL = 5,
    FORMAT_WITHOUT_TRANSITIONS = 4, /* of triggers */
    FORMAT_WITHOUT_TRIGGERS = 3,
    FORMAT_WITHOUT_SET_COLUMNS = 2, /* of foreign keys */
    FORMAT_WITHOUT_STATISTICS = 1,
    COUNT_MAX = 100000
};

struct codec {
    bool reading, bad;
    bool without_statistics; /* when writing: what ANALYZE says is left out */
    uint8_t version;
    struct strbuf *out;
    struct slice in;
    struct arena *arena;
};

static void raw(struct codec *c, void *p, size_t len)
{
    if (!c->reading) {
        strbuf_add(c->out, p, len);
    } else if (c->in.len < len) {
        c->bad = true;
        memset(p, 0, len);
    } else {
        memcpy(p, c->in.data, len);
        c->in = slice_make(c->in.data + len, c->in.len - len);
    }
}

#define FIELD(c, x) raw((c), (void *)&(x), sizeof(x))
/* What was read goes to x. Definitions are shared, so one that is written is not touched. */
#define TAKE(c, x, read)                                                                           \
    do {                                                                                           \
        __typeof__(x) read_ = (__typeof__(x))(read);                                               \
        if ((c)->reading) (x) = read_;                                                             \
    } while (0)

static void text(struct codec *c, const char **s)
{
    uint32_t len = !c->reading && *s ? (uint32_t)strlen(*s) : UINT32_MAX;
    FIELD(c, len);
    if (len == UINT32_MAX) {
        if (c->reading) *s = NULL;
    } else if (!c->reading) {
        strbuf_add(c->out, *s, len);
    } else if (c->bad || len > c->in.len) {
        c->bad = true;
        *s = "";
    } else {
        *s = arena_strndup(c->arena, c->in.data, len);
        c->in = slice_make(c->in.data + len, c->in.len - len);
    }
}

/* A count that bounds what is read next; 0 when the bytes are bad. */
static uint32_t count(struct codec *c, uint32_t n)
{
    FIELD(c, n);
    if (c->bad || n > COUNT_MAX) {
        c->bad = true;
        return 0;
    }
    return n;
}

/* Arrays of `n` plain values. */
static void *plain_array(struct codec *c, const void *data, uint32_t n, size_t size)
{
    void *p = c->reading ? arena_alloc(c->arena, n * size) : (void *)(uintptr_t)data;
    raw(c, p, n * size);
    return p;
}

static void one_value(struct codec *c, type_id type, int32_t typmod, union value *v)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    if (!c->reading) value_to_binary(type, v, &b);
    uint32_t len = (uint32_t)b.len;
    FIELD(c, len);
    if (!c->reading) {
        strbuf_add(c->out, b.data, b.len);
    } else if (c->bad || len > c->in.len) {
        c->bad = true;
    } else {
        if (value_from_binary(type, typmod, slice_make(c->in.data, len), NULL, c->arena, v) != OK)
            c->bad = true;
        else
            *v = value_copy(c->arena, type, *v);
        c->in = slice_make(c->in.data + len, c->in.len - len);
    }
    strbuf_release(&b);
}

static void missing_value(struct codec *c, struct column_def *col)
{
    FIELD(c, col->has_missing);
    if (!col->has_missing) return;
    FIELD(c, col->missing.null);
    if (!col->missing.null) one_value(c, col->type, col->typmod, &col->missing.v);
}

static uint32_t values(struct codec *c, type_id type, const union value **v, uint32_t n)
{
    n = count(c, n);
    if (c->reading) *v = ARENA_ARRAY(c->arena, union value, n);
    for (uint32_t i = 0; i < n && !c->bad; i++)
        one_value(c, type, -1, (union value *)(uintptr_t)&(*v)[i]);
    return n;
}

static void column_statistics(struct codec *c, struct column_def *col)
{
    bool present = col->statistics != NULL;
    if (c->version <= FORMAT_WITHOUT_STATISTICS || c->without_statistics) return;
    FIELD(c, present);
    if (!present) return;
    struct column_statistics *s = c->reading ? ARENA_NEW(c->arena, struct column_statistics)
                                             : (void *)(uintptr_t)col->statistics;
    FIELD(c, s->null_fraction);
    FIELD(c, s->distinct);
    FIELD(c, s->correlation);
    FIELD(c, s->has_correlation);
    FIELD(c, s->width);
    TAKE(c, s->mcv_count, values(c, col->type, &s->mcv, s->mcv_count));
    TAKE(c, s->mcv_fraction, plain_array(c, s->mcv_fraction, s->mcv_count, sizeof *s->mcv_fraction));
    TAKE(c, s->histogram_count, values(c, col->type, &s->histogram, s->histogram_count));
    TAKE(c, col->statistics, s);
}

static void walk_column(struct codec *c, struct column_def *col)
{
    text(c, &col->name);
    FIELD(c, col->type);
    FIELD(c, col->typmod);
    FIELD(c, col->number);
    FIELD(c, col->not_null);
    FIELD(c, col->dropped);
    FIELD(c, col->identity);
    FIELD(c, col->generated);
    text(c, &col->default_sql);
    missing_value(c, col);
    text(c, &col->comment);
    FIELD(c, col->statistics_target);
    column_statistics(c, col);
}

/* How far an index is there, as one byte: 1 wholly, 0 not to be read, 2 not written to either, 3
 * not at all. */
static void index_state(struct codec *c, struct index_def *x)
{
    uint8_t state = x->valid ? 1 : x->ready ? 0 : x->live ? 2 : 3;
    FIELD(c, state);
    if (!c->reading) return;
    if (state > 3) c->bad = true;
    x->valid = state == 1;
    x->ready = state <= 1;
    x->live = state <= 2;
}

static void walk_index(struct codec *c, struct index_def *x)
{
    FIELD(c, x->oid);
    FIELD(c, x->table);
    text(c, &x->name);
    FIELD(c, x->tree);
    FIELD(c, x->unique);
    FIELD(c, x->primary);
    FIELD(c, x->nulls_not_distinct);
    index_state(c, x);
    FIELD(c, x->key_count);
    TAKE(c, x->column_count, count(c, x->column_count));
    if (c->reading) x->columns = ARENA_ARRAY(c->arena, struct index_column, x->column_count);
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct index_column *col = (struct index_column *)(uintptr_t)&x->columns[i];
        FIELD(c, col->column);
        text(c, &col->expression_sql);
        FIELD(c, col->type);
        FIELD(c, col->descending);
        FIELD(c, col->nulls_first);
    }
    text(c, &x->predicate_sql);
    FIELD(c, x->constraint);
    text(c, &x->comment);
    if (c->version <= FORMAT_WITHOUT_STATISTICS || c->without_statistics) return;
    uint32_t n = count(c, x->prefix_distinct ? x->key_count : 0);
    if (n && n != x->key_count) c->bad = true;
    TAKE(c, x->prefix_distinct, n ? plain_array(c, x->prefix_distinct, n, sizeof(double)) : NULL);
}

static void walk_constraint(struct codec *c, struct constraint_def *k)
{
    FIELD(c, k->oid);
    FIELD(c, k->table);
    text(c, &k->name);
    FIELD(c, k->kind);
    TAKE(c, k->column_count, count(c, k->column_count));
    TAKE(c, k->columns, plain_array(c, k->columns, k->column_count, sizeof *k->columns));
    text(c, &k->check_sql);
    FIELD(c, k->index);
    FIELD(c, k->foreign_table);
    uint32_t foreign = count(c, k->foreign_columns ? k->column_count : 0);
    TAKE(c, k->foreign_columns,
         foreign ? plain_array(c, k->foreign_columns, foreign, sizeof(int16_t)) : NULL);
    FIELD(c, k->on_update);
    FIELD(c, k->on_delete);
    FIELD(c, k->match);
    FIELD(c, k->deferrable);
    FIELD(c, k->initially_deferred);
    FIELD(c, k->validated);
    FIELD(c, k->no_inherit);
    text(c, &k->comment);
    if (c->version <= FORMAT_WITHOUT_SET_COLUMNS) return;
    TAKE(c, k->set_count, count(c, k->set_count));
    TAKE(c, k->set_columns,
         k->set_count ? plain_array(c, k->set_columns, k->set_count, sizeof(int16_t)) : NULL);
}

static void texts(struct codec *c, const char *const **list, uint32_t n)
{
    if (c->reading) *list = ARENA_ARRAY(c->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) text(c, (const char **)(uintptr_t)&(*list)[i]);
}

static void walk_trigger(struct codec *c, struct trigger_def *g)
{
    FIELD(c, g->oid);
    FIELD(c, g->table);
    FIELD(c, g->function);
    FIELD(c, g->constraint);
    text(c, &g->name);
    FIELD(c, g->type);
    FIELD(c, g->enabled);
    FIELD(c, g->deferrable);
    FIELD(c, g->initially_deferred);
    TAKE(c, g->column_count, count(c, g->column_count));
    TAKE(c, g->columns, plain_array(c, g->columns, g->column_count, sizeof *g->columns));
    TAKE(c, g->arg_count, count(c, g->arg_count));
    texts(c, &g->args, g->arg_count);
    text(c, &g->when_sql);
    text(c, &g->comment);
    if (c->version <= FORMAT_WITHOUT_TRANSITIONS) return;
    text(c, &g->old_table);
    text(c, &g->new_table);
    FIELD(c, g->from);
}

static void walk_triggers(struct codec *c, struct table_def *t)
{
    if (c->version <= FORMAT_WITHOUT_TRIGGERS) return;
    TAKE(c, t->trigger_count, count(c, t->trigger_count));
    if (c->reading) t->triggers = ARENA_ARRAY(c->arena, const struct trigger_def *, t->trigger_count);
    for (uint32_t i = 0; i < t->trigger_count; i++) {
        const struct trigger_def **slot = (const struct trigger_def **)(uintptr_t)&t->triggers[i];
        if (c->reading) *slot = ARENA_NEW(c->arena, struct trigger_def);
        walk_trigger(c, (struct trigger_def *)(uintptr_t)*slot);
    }
}

static void walk_function(struct codec *c, struct function_def *f)
{
    struct proc_def *p = &f->proc;
    FIELD(c, p->oid);
    text(c, &p->name);
    FIELD(c, p->result);
    TAKE(c, p->arg_count, count(c, p->arg_count));
    TAKE(c, p->default_count, count(c, p->default_count));
    FIELD(c, p->strict);
    FIELD(c, p->returns_set);
    FIELD(c, p->kind);
    FIELD(c, p->volatility);
    FIELD(c, p->variadic);
    TAKE(c, p->args, plain_array(c, p->args, p->arg_count, sizeof *p->args));
    FIELD(c, f->schema);
    FIELD(c, f->owner);
    FIELD(c, f->language);
    text(c, &f->source);
    TAKE(c, f->all_count, count(c, f->all_count));
    TAKE(c, f->all_types, plain_array(c, f->all_types, f->all_count, sizeof *f->all_types));
    TAKE(c, f->all_modes, plain_array(c, f->all_modes, f->all_count, 1));
    texts(c, &f->all_names, f->all_count);
    texts(c, &f->defaults, p->default_count);
    FIELD(c, f->result_table);
    FIELD(c, f->security_definer);
    FIELD(c, f->leakproof);
    FIELD(c, f->parallel);
    FIELD(c, f->cost);
    FIELD(c, f->rows);
    text(c, &f->comment);
    if (c->version > FORMAT_WITHOUT_FUNCTION_ACL) text(c, &f->acl);
}

static void walk_sequence(struct codec *c, struct table_def *t)
{
    bool present = t->sequence != NULL;
    FIELD(c, present);
    if (!present) return;
    struct sequence_def *s =
        c->reading ? ARENA_NEW(c->arena, struct sequence_def) : (void *)(uintptr_t)t->sequence;
    FIELD(c, s->type);
    FIELD(c, s->start);
    FIELD(c, s->increment);
    FIELD(c, s->min);
    FIELD(c, s->max);
    FIELD(c, s->cache);
    FIELD(c, s->cycle);
    FIELD(c, s->owner_table);
    FIELD(c, s->owner_column);
    FIELD(c, s->owner_kind);
    FIELD(c, s->tree);
    TAKE(c, t->sequence, s);
}

static void walk_table(struct codec *c, struct table_def *t)
{
    FIELD(c, t->oid);
    FIELD(c, t->schema);
    FIELD(c, t->database);
    FIELD(c, t->owner);
    text(c, &t->name);
    FIELD(c, t->kind);
    FIELD(c, t->persistence);
    FIELD(c, t->tree);
    TAKE(c, t->column_count, count(c, t->column_count));
    if (c->reading) t->columns = ARENA_ARRAY(c->arena, struct column_def, t->column_count);
    for (uint32_t i = 0; i < t->column_count; i++)
        walk_column(c, (struct column_def *)(uintptr_t)&t->columns[i]);
    TAKE(c, t->index_count, count(c, t->index_count));
    if (c->reading) t->indexes = ARENA_ARRAY(c->arena, const struct index_def *, t->index_count);
    for (uint32_t i = 0; i < t->index_count; i++) {
        const struct index_def **slot = (const struct index_def **)(uintptr_t)&t->indexes[i];
        if (c->reading) *slot = ARENA_NEW(c->arena, struct index_def);
        walk_index(c, (struct index_def *)(uintptr_t)*slot);
    }
    TAKE(c, t->constraint_count, count(c, t->constraint_count));
    if (c->reading)
        t->constraints = ARENA_ARRAY(c->arena, const struct constraint_def *, t->constraint_count);
    for (uint32_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def **slot =
            (const struct constraint_def **)(uintptr_t)&t->constraints[i];
        if (c->reading) *slot = ARENA_NEW(c->arena, struct constraint_def);
        walk_constraint(c, (struct constraint_def *)(uintptr_t)*slot);
    }
    text(c, &t->view_sql);
    walk_sequence(c, t);
    text(c, &t->options);
    text(c, &t->acl);
    text(c, &t->comment);
    if (!c->without_statistics) {
        FIELD(c, t->statistics.rows);
        FIELD(c, t->statistics.pages);
    }
    walk_triggers(c, t);
    if (c->reading) t->virtual_id = -1;
}

static void walk_role(struct codec *c, struct role_def *r)
{
    FIELD(c, r->oid);
    text(c, &r->name);
    FIELD(c, r->superuser);
    FIELD(c, r->inherit);
    FIELD(c, r->create_role);
    FIELD(c, r->create_db);
    FIELD(c, r->can_login);
    FIELD(c, r->replication);
    FIELD(c, r->bypass_rls);
    FIELD(c, r->connection_limit);
    text(c, &r->password);
    TAKE(c, r->member_of_count, count(c, r->member_of_count));
    TAKE(c, r->member_of, plain_array(c, r->member_of, r->member_of_count, sizeof *r->member_of));
}

static void walk_schema(struct codec *c, struct schema_def *s)
{
    FIELD(c, s->oid);
    FIELD(c, s->database);
    text(c, &s->name);
    FIELD(c, s->owner);
    text(c, &s->comment);
    text(c, &s->acl);
}

static void walk_database(struct codec *c, struct database_def *d)
{
    FIELD(c, d->oid);
    text(c, &d->name);
    FIELD(c, d->owner);
    text(c, &d->comment);
}

static void walk(struct codec *c, uint8_t kind, void *def)
{
    c->version = FORMAT_VERSION;
    FIELD(c, c->version);
    if (c->version < FORMAT_WITHOUT_STATISTICS || c->version > FORMAT_VERSION) c->bad = true;
    switch (kind) {
    case OBJ_DATABASE: walk_database(c, def); break;
    case OBJ_ROLE: walk_role(c, def); break;
    case OBJ_SCHEMA: walk_schema(c, def); break;
    case OBJ_TABLE: walk_table(c, def); break;
    case OBJ_FUNCTION: walk_function(c, def); break;
    default: c->bad = true;
    }
}

void catalog__encode(uint8_t kind, const void *def, struct strbuf *out)
{
    struct codec c = {.out = out};
    walk(&c, kind, (void *)(uintptr_t)def); /* writing changes nothing in the definition */
}

static void encode_definition(const struct table_def *t, struct strbuf *out)
{
    struct codec c = {.out = out, .without_statistics = true};
    strbuf_init(out, NULL);
    walk(&c, OBJ_TABLE, (void *)(uintptr_t)t);
}

bool catalog_same_definition(const struct table_def *a, const struct table_def *b)
{
    struct strbuf x, y;
    encode_definition(a, &x);
    encode_definition(b, &y);
    bool same = slice_eq(strbuf_slice(&x), strbuf_slice(&y));
    strbuf_release(&x);
    strbuf_release(&y);
    return same;
}

static size_t def_bytes(uint8_t kind)
{
    switch (kind) {
    case OBJ_DATABASE: return sizeof(struct database_def);
    case OBJ_ROLE: return sizeof(struct role_def);
    case OBJ_SCHEMA: return sizeof(struct schema_def);
    case OBJ_FUNCTION: return sizeof(struct function_def);
    default: return sizeof(struct table_def);
    }
}

/* The numbers are handed out in the order of decoding. */
static void finish_function(struct function_def *f)
{
    static uint64_t last; /* atomic */
    f->proc.id = PROC_IN_CATALOG;
    f->proc.symbol = "";
    f->stamp = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

enum status catalog__decode(uint8_t kind, oid_t oid, struct slice bytes, struct object **ret)
{
    struct object *o = mem_alloc(MEM_CATALOG, sizeof *o);
    o->refs = 1;
    o->kind = kind;
    o->oid = oid;
    arena_init(&o->arena, MEM_CATALOG);
    o->table = arena_zalloc(&o->arena, def_bytes(kind));
    struct codec c = {.reading = true, .in = bytes, .arena = &o->arena};
    walk(&c, kind, o->table);
    if (c.bad || c.in.len != 0) {
        catalog__object_unref(o);
        return FAIL(DATA_CORRUPTED, "catalog object %u (kind %u) cannot be read", oid, kind);
    }
    if (kind == OBJ_TABLE) catalog__finish_table(&o->arena, o->table);
    if (kind == OBJ_FUNCTION) finish_function(o->function);
    *ret = o;
    return OK;
}

void catalog__object_unref(struct object *o)
{
    if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL)) return;
    arena_release(&o->arena);
    mem_free(MEM_CATALOG, o);
}

void catalog__finish_table(struct arena *a, struct table_def *t)
{
    type_id *types = ARENA_ARRAY(a, type_id, t->column_count);
    for (uint16_t i = 0; i < t->column_count; i++) types[i] = t->columns[i].type;
    t->layout = row_layout_new(a, types, t->column_count);
    t->primary = NULL;
    for (uint16_t i = 0; i < t->index_count; i++) {
        struct index_def *x = (struct index_def *)(uintptr_t)t->indexes[i];
        x->deferrable = false;
        for (uint16_t k = 0; k < t->constraint_count; k++)
            if (x->constraint && t->constraints[k]->oid == x->constraint)
                x->deferrable = t->constraints[k]->deferrable;
        if (x->tree == 0) t->primary = x;
    }
}
