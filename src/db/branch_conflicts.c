/* What a merge found in conflict, kept with the session until its next merge, and keys and rows as text. */
#include "db/branch_merge_priv.h"
#include "db/system_priv.h"
#include "types/key.h"

enum { CONFLICTS_SHOWN_MAX = 10000 };

struct merge_conflict {
    const char *schema_name, *table, *kind, *key, *base, *ours, *theirs;
};

struct merge_conflicts {
    struct arena arena;
    const char *source, *target;
    ARRAY(struct merge_conflict) list;
};

/* --- text -------------------------------------------------------------------------------------- */

static const char *key_of_columns(struct session *s, const struct table_def *t, struct slice key,
                                  struct arena *a)
{
    const struct index_def *p = t->primary;
    struct strbuf b;
    strbuf_init(&b, a);
    for (uint16_t i = 0; i < p->key_count; i++) {
        const struct index_column *c = &p->columns[i];
        struct key_part part = {c->type, c->descending, c->nulls_first};
        struct datum d;
        if (key_decode(&part, &key, a, &d) != OK) {
            error_clear();
            return NULL;
        }
        if (i) strbuf_adds(&b, ", ");
        strbuf_addf(&b, "%s=", t->columns[c->column - 1].name);
        value_to_text(c->type, &d.v, &s->settings.format, &b);
    }
    return b.data;
}

const char *branch__key_text(struct session *s, const struct table_def *t, struct slice key,
                             struct arena *a)
{
    static const struct key_part part = {.type = TYPE_INT8};
    struct datum d;
    if (t->primary) return key_of_columns(s, t, key, a);
    if (key_decode(&part, &key, a, &d) == OK) return arena_printf(a, "row %lld", (long long)d.v.i64);
    error_clear();
    return NULL;
}

static void add_quoted(struct strbuf *b, struct slice v)
{
    bool plain = v.len > 0;
    for (size_t i = 0; i < v.len && plain; i++) plain = !strchr("(),\"\\ \t\n\r", v.data[i]);
    if (plain) {
        strbuf_add(b, v.data, v.len);
        return;
    }
    strbuf_addc(b, '"');
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] == '"' || v.data[i] == '\\') strbuf_addc(b, v.data[i]);
        strbuf_addc(b, v.data[i]);
    }
    strbuf_addc(b, '"');
}

const char *branch__row_text(struct session *s, const struct table_def *t, struct slice row,
                             struct arena *a)
{
    struct strbuf b, value;
    bool first = true;
    if (!row.data) return NULL;
    strbuf_init(&b, a);
    strbuf_init(&value, a);
    strbuf_addc(&b, '(');
    for (uint16_t c = 0; c < t->column_count; c++) {
        const struct column_def *column = &t->columns[c];
        struct datum d;
        if (column->dropped) continue;
        if (!row_get(t->layout, row, c, &d))
            d = column->has_missing ? column->missing : (struct datum){.null = true};
        if (!first) strbuf_addc(&b, ',');
        first = false;
        if (d.null) continue;
        strbuf_clear(&value);
        value_to_text(column->type, &d.v, &s->settings.format, &value);
        add_quoted(&b, strbuf_slice(&value));
    }
    strbuf_addc(&b, ')');
    return b.data;
}

/* --- the list ---------------------------------------------------------------------------------- */

void merge__forget_conflicts(struct session *s)
{
    if (!s->merge_conflicts) return;
    arena_release(&s->merge_conflicts->arena);
    mem_free(MEM_SESSION, s->merge_conflicts);
    s->merge_conflicts = NULL;
}

static struct merge_conflicts *conflicts_of(struct merge *m)
{
    struct session *s = m->s;
    if (s->merge_conflicts) return s->merge_conflicts;
    struct merge_conflicts *k = s->merge_conflicts = mem_alloc(MEM_SESSION, sizeof *k);
    arena_init(&k->arena, MEM_SESSION);
    k->source = arena_strdup(&k->arena, branch_name(m->source));
    k->target = arena_strdup(&k->arena, branch_name(s->line->branch));
    return k;
}

static const char *copy(struct arena *a, const char *text)
{
    return text ? arena_strdup(a, text) : NULL;
}

static const char *schema_name(const struct merge *m, oid_t oid)
{
    const struct schema_def *n = catalog_schema_by_oid(m->s->catalog, oid);
    if (!n) n = catalog_schema_by_oid(m->theirs, oid);
    return n ? n->name : "";
}

void merge__note_conflict(struct merge *m, const struct table_def *t, struct slice key,
                          const char *const rows[3], const char *kind)
{
    struct merge_conflicts *k = conflicts_of(m);
    struct arena *a = &k->arena;
    if (++m->conflicts > CONFLICTS_SHOWN_MAX) return;
    struct merge_conflict c = {.schema_name = arena_strdup(a, schema_name(m, t->schema)),
                               .table = arena_strdup(a, t->name), .kind = kind,
                               .key = branch__key_text(m->s, t, key, a), .base = copy(a, rows[0]),
                               .ours = copy(a, rows[1]), .theirs = copy(a, rows[2])};
    ARENA_PUSH(a, &k->list, c);
}

void merge__note_object(struct merge *m, oid_t schema, const char *name, const char *kind)
{
    struct merge_conflicts *k = conflicts_of(m);
    struct arena *a = &k->arena;
    m->objects++;
    struct merge_conflict c = {.schema_name = arena_strdup(a, schema_name(m, schema)),
                               .table = arena_strdup(a, name), .kind = kind};
    ARENA_PUSH(a, &k->list, c);
}

static struct sys_cell text_or_null(const char *text)
{
    return text ? T(text) : N;
}

enum status sys_helios_merge_conflicts(struct sys_scan *x)
{
    const struct merge_conflicts *k = x->s->merge_conflicts;
    for (size_t i = 0; k && i < k->list.count; i++) {
        const struct merge_conflict *c = &k->list.data[i];
        TRY(SYS_EMIT(x, T(k->source), T(k->target), T(c->schema_name), T(c->table),
                     text_or_null(c->key), T(c->kind), text_or_null(c->base),
                     text_or_null(c->ours), text_or_null(c->theirs)));
    }
    return OK;
}
