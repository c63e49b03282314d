/* The text of a view, written so that it means the same whatever the search path is and whatever is
 * renamed: tables, functions and types with their schemas, stars as the columns they stood for. The
 * rest stays as the user wrote it.
 *
 * A table that got another name keeps the old one as its alias, and so do its columns: nothing else
 * in the text has to change. */
#include "db/ddl_priv.h"

#include <stdlib.h>

struct splice {
    size_t from, to;
    const char *text;
};
typedef ARRAY(struct splice) splice_list;

/* --- reading the text ------------------------------------------------------------------------ */

static size_t skip_blanks(struct slice s, size_t i)
{
    for (;;) {
        while (i < s.len && strchr(" \t\n\r\f\v", s.data[i])) i++;
        if (i + 1 < s.len && s.data[i] == '-' && s.data[i + 1] == '-') {
            while (i < s.len && s.data[i] != '\n') i++;
        } else if (i + 1 < s.len && s.data[i] == '/' && s.data[i + 1] == '*') {
            int depth = 0;
            do {
                bool open = s.data[i] == '/' && i + 1 < s.len && s.data[i + 1] == '*';
                bool shut = s.data[i] == '*' && i + 1 < s.len && s.data[i + 1] == '/';
                depth += open ? 1 : shut ? -1 : 0;
                i += open || shut ? 2 : 1;
            } while (depth > 0 && i < s.len);
        } else {
            return i;
        }
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Past the name at i; i when there is none. */
static size_t skip_name(struct slice s, size_t i)
{
    if (i < s.len && s.data[i] == '"') {
        for (i++; i < s.len; i++) {
            if (s.data[i] != '"') continue;
            if (i + 1 == s.len || s.data[i + 1] != '"') return i + 1;
            i++;
        }
        return i;
    }
    while (i < s.len && is_word(s.data[i])) i++;
    return i;
}

/* Past a.b.c, or a.*, or *. */
static size_t skip_dotted(struct slice s, size_t i)
{
    for (;;) {
        size_t end = i < s.len && s.data[i] == '*' ? i + 1 : skip_name(s, i);
        size_t dot = skip_blanks(s, end);
        if (dot == s.len || s.data[dot] != '.') return end;
        i = skip_blanks(s, dot + 1);
    }
}

/* Past the alias and its list of columns. */
static size_t skip_alias(struct slice s, size_t end, const struct ast_alias *alias)
{
    if (!alias->name) return end;
    size_t i = skip_blanks(s, end);
    if (i < s.len && s.data[i] == '*') i = skip_blanks(s, i + 1);
    size_t word = skip_name(s, i);
    if (slice_eq_nocase(slice_make(s.data + i, word - i), SLICE("as"))) {
        i = skip_blanks(s, word);
        word = skip_name(s, i);
    }
    end = word;
    if (alias->columns.count == 0) return end;
    for (i = skip_blanks(s, end); i < s.len && s.data[i] != ')'; i++)
        if (s.data[i] == '"') i = skip_name(s, i) - 1;
    return i < s.len ? i + 1 : i;
}

/* --- writing it anew ------------------------------------------------------------------------- */

/* What the view calls the column: by its alias, or by the name that it had. */
static const char *known_as(const struct name_use *u, int16_t number, const char *name)
{
    uint32_t at = 0;
    for (uint16_t i = 0; i < u->table->column_count; i++) {
        const struct column_def *c = &u->table->columns[i];
        if (c->dropped) continue;
        if (c->number == number)
            return at < u->var->alias.columns.count ? u->var->alias.columns.items[at] : c->name;
        at++;
    }
    return name;
}

/* "(a, b)", as far as columns have other names than the table gives them. */
static void print_columns(const struct name_use *u, const struct table_def *t, struct strbuf *out)
{
    uint16_t need = 0;
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        if (!c->dropped && strcmp(known_as(u, c->number, c->name), c->name) != 0)
            need = (uint16_t)(i + 1);
    }
    for (uint16_t i = 0, n = 0; i < need; i++) {
        const struct column_def *c = &t->columns[i];
        if (c->dropped) continue;
        strbuf_adds(out, n++ ? ", " : "(");
        expr_identifier(known_as(u, c->number, c->name), out);
    }
    if (need) strbuf_addc(out, ')');
}

static const char *table_text(struct ddl *d, const struct name_use *u, const struct table_def *t)
{
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, t->schema);
    struct strbuf b, columns;
    const char *alias = u->var->alias.name;
    strbuf_init(&b, d->a);
    strbuf_init(&columns, d->a);
    print_columns(u, t, &columns);
    if (n) {
        expr_identifier(n->name, &b);
        strbuf_addc(&b, '.');
    }
    expr_identifier(t->name, &b);
    if (!alias && (columns.len || strcmp(t->name, u->table->name) != 0)) alias = u->table->name;
    if (alias) {
        strbuf_addc(&b, ' ');
        expr_identifier(alias, &b);
    }
    if (columns.len) strbuf_adds(&b, columns.data);
    return b.data;
}

/* The name of a function or a type, with its schema; NULL when it is gone. */
static const char *name_text(struct ddl *d, const struct name_use *u)
{
    const struct function_def *f = catalog_function_by_oid(d->s->catalog, u->function);
    const struct table_def *t =
        u->table ? catalog_table_by_oid(d->s->catalog, u->table->oid) : NULL;
    if (!f && !t) return NULL;
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, f ? f->schema : t->schema);
    struct strbuf b;
    strbuf_init(&b, d->a);
    if (n) {
        expr_identifier(n->name, &b);
        strbuf_addc(&b, '.');
    }
    expr_identifier(f ? f->proc.name : t->name, &b);
    return b.data;
}

static int by_place(const void *a, const void *b)
{
    const struct splice *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Tables that are not there any more stay as they are. */
static const char *rewrite(struct ddl *d, struct slice sql, const struct name_use *uses, size_t n)
{
    splice_list list = {0};
    struct strbuf b;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct splice p = {.from = (size_t)uses[i].location, .text = uses[i].columns};
        if (p.from >= sql.len) continue;
        p.to = skip_dotted(sql, p.from);
        if (uses[i].var) {
            const struct table_def *t =
                catalog_table_by_oid(d->s->catalog, uses[i].table->oid);
            if (!t) continue;
            p.to = skip_alias(sql, p.to, &uses[i].var->alias);
            p.text = table_text(d, &uses[i], t);
        } else if (!p.text) {
            p.text = name_text(d, &uses[i]);
            if (!p.text) continue;
        }
        ARENA_PUSH(d->a, &list, p);
    }
    if (list.count) qsort(list.data, list.count, sizeof *list.data, by_place);
    strbuf_init(&b, d->a);
    for (size_t i = 0; i < list.count; i++) {
        const struct splice *p = &list.data[i];
        if (p->from < at) continue; /* bound twice */
        strbuf_addf(&b, "%.*s%s", (int)(p->from - at), sql.data + at, p->text);
        at = p->to;
    }
    strbuf_addf(&b, "%.*s", (int)(sql.len - at), sql.data + at);
    return b.data;
}

/* --- views ----------------------------------------------------------------------------------- */

static enum status note(struct ddl *d, const char *sql, struct bind_env *env)
{
    struct ast *ast;
    struct query *q;
    session__bind_env(d->s, env, d->a, slice_of(sql));
    env->noting = true;
    TRY(env->parse_view(d->a, sql, &ast));
    return bind_statement(env, ast, &q);
}

enum status ddl__view_text(struct ddl *d, const char *sql, const char **ret)
{
    struct bind_env env;
    TRY(note(d, sql, &env));
    *ret = rewrite(d, slice_of(sql), env.uses.data, env.uses.count);
    return OK;
}

static bool is_meant(struct ddl *d, const struct name_use *u, oid_t object, oid_t schema)
{
    const struct function_def *f =
        u->function ? catalog_function_by_oid(d->s->catalog, u->function) : NULL;
    if (f) return f->proc.oid == object || (schema && f->schema == schema);
    return u->table && (u->table->oid == object || (schema && u->table->schema == schema));
}

enum status ddl__note_views(struct ddl *d, oid_t object, oid_t schema, struct noted_views *ret)
{
    const struct table_def *v;
    size_t pos = 0;
    *ret = (struct noted_views){0};
    while (catalog_next_table(d->s->catalog, &pos, &v)) {
        struct bind_env env;
        struct error kept = *error_current();
        bool meant = false;
        if (!v->view_sql || v->virtual_id >= 0 || v->database != d->s->database_oid) continue;
        TRY(session__check_interrupts(d->s));
        if (note(d, v->view_sql, &env) != OK) { /* it does not bind any more: let it be */
            *error_current() = kept;
            continue;
        }
        for (size_t i = 0; i < env.uses.count; i++)
            meant |= is_meant(d, &env.uses.data[i], object, schema);
        if (!meant) continue;
        struct noted_view n = {.view = v->oid, .uses = env.uses.data, .count = env.uses.count};
        ARENA_PUSH(d->a, ret, n);
    }
    return OK;
}

enum status ddl__restate_views(struct ddl *d, const struct noted_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        const struct noted_view *n = &views->data[i];
        const struct table_def *v = catalog_table_by_oid(d->s->catalog, n->view);
        struct bind_env env;
        if (!v) continue;
        struct table_def copy = *v;
        copy.view_sql = rewrite(d, slice_of(v->view_sql), n->uses, n->count);
        if (strcmp(copy.view_sql, v->view_sql) == 0) continue;
        if (note(d, copy.view_sql, &env) != OK) {
            UNSUPPORTED("renaming what this view uses is not supported yet");
            (void)error_detail("The query of %s could not be restated.", ddl__words(d, v));
            return error_hint("Drop the view and create it again.");
        }
        TRY(ddl__put_table(d, &copy));
    }
    return OK;
}
