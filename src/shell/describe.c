/* \d and its family: questions to pg_catalog, the same for servers and the library. */
#include <ctype.h>

#include "shell/shell_priv.h"

/* A pattern as psql's: * and ? stand for characters, "…" keeps case, a dot parts the schema.
 * Adds conditions on the columns `schema` (may be NULL) and `name`. */
static void pattern_to(struct strbuf *sql, const char *pattern, const char *schema,
                       const char *name)
{
    struct strbuf part[2];
    int n = 0;
    bool quoted = false;
    strbuf_init(&part[0], NULL);
    strbuf_init(&part[1], NULL);
    for (const char *p = pattern; *p; p++) {
        if (*p == '"') quoted = !quoted;
        else if (*p == '.' && !quoted && n == 0 && schema) n = 1;
        else if (*p == '*' && !quoted) strbuf_adds(&part[n], ".*");
        else if (*p == '?' && !quoted) strbuf_addc(&part[n], '.');
        else if (strchr("$^.+()[]{}|\\", *p)) strbuf_addf(&part[n], "\\%c", *p);
        else strbuf_addc(&part[n], quoted ? *p : (char)tolower((unsigned char)*p));
    }
    for (int i = 0; i <= n; i++) {
        struct strbuf regex;
        strbuf_init(&regex, NULL);
        strbuf_addf(&regex, "^(%s)$", part[i].len ? part[i].data : "");
        strbuf_addf(sql, " AND %s ~ ", n == 1 && i == 0 ? schema : name);
        shell__literal(sql, regex.data);
        strbuf_release(&regex);
    }
    strbuf_release(&part[0]);
    strbuf_release(&part[1]);
}

static const struct list {
    const char *name, *title, *sql, *schema, *column, *hide, *order;
} lists[] = {
    {"dt", "List of relations",
     "SELECT n.nspname::text AS \"Schema\", c.relname::text AS \"Name\", 'table' AS \"Type\","
     " pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\" FROM pg_catalog.pg_class c"
     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','f')",
     "n.nspname", "c.relname", "n.nspname", "1, 2"},
    {"dv", "List of relations",
     "SELECT n.nspname::text AS \"Schema\", c.relname::text AS \"Name\","
     " CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS \"Type\","
     " pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\" FROM pg_catalog.pg_class c"
     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v','m')",
     "n.nspname", "c.relname", "n.nspname", "1, 2"},
    {"ds", "List of relations",
     "SELECT n.nspname::text AS \"Schema\", c.relname::text AS \"Name\", 'sequence' AS \"Type\","
     " pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\" FROM pg_catalog.pg_class c"
     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'",
     "n.nspname", "c.relname", "n.nspname", "1, 2"},
    {"di", "List of relations",
     "SELECT n.nspname::text AS \"Schema\", c.relname::text AS \"Name\", 'index' AS \"Type\","
     " pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\", t.relname::text AS \"Table\""
     " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
     " JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"
     " JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE c.relkind IN ('i','I')",
     "n.nspname", "c.relname", "n.nspname", "1, 2"},
    {"d", "List of relations",
     "SELECT n.nspname::text AS \"Schema\", c.relname::text AS \"Name\", CASE c.relkind"
     " WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'"
     " WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'foreign table' END AS"
     " \"Type\", pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\" FROM pg_catalog.pg_class c"
     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
     " WHERE c.relkind IN ('r','p','v','m','S','f')",
     "n.nspname", "c.relname", "n.nspname", "1, 2"},
    {"dn", "List of schemas",
     "SELECT n.nspname::text AS \"Name\", pg_catalog.pg_get_userbyid(n.nspowner) AS \"Owner\""
     " FROM pg_catalog.pg_namespace n WHERE true",
     NULL, "n.nspname", "n.nspname", "1"},
    {"df", "List of functions",
     "SELECT n.nspname::text AS \"Schema\", p.proname::text AS \"Name\","
     " pg_catalog.format_type(p.prorettype, NULL) AS \"Result data type\","
     " (SELECT string_agg(pg_catalog.format_type(u.t, NULL), ', ' ORDER BY u.i)"
     " FROM unnest(string_to_array(p.proargtypes::text, ' ')::oid[]) WITH ORDINALITY AS u(t, i))"
     " AS \"Argument data types\" FROM pg_catalog.pg_proc p"
     " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE true",
     "n.nspname", "p.proname", "n.nspname", "1, 2, 4"},
    {"du", "List of roles",
     "SELECT r.rolname::text AS \"Role name\", r.rolsuper AS \"Superuser\", r.rolcanlogin AS "
     "\"Login\","
     " r.rolcreatedb AS \"Create DB\", r.rolcreaterole AS \"Create role\" FROM pg_catalog.pg_roles "
     "r"
     " WHERE true",
     NULL, "r.rolname", "r.rolname", "1"},
    {"dT", "List of data types",
     "SELECT n.nspname::text AS \"Schema\", pg_catalog.format_type(t.oid, NULL) AS \"Name\""
     " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
     " WHERE t.typrelid = 0 AND t.typelem = 0",
     "n.nspname", "t.typname", "n.nspname", "1, 2"},
    {"l", "List of databases",
     "SELECT d.datname::text AS \"Name\", pg_catalog.pg_get_userbyid(d.datdba) AS \"Owner\","
     " pg_catalog.pg_encoding_to_char(d.encoding) AS \"Encoding\" FROM pg_catalog.pg_database d"
     " WHERE true",
     NULL, "d.datname", NULL, "1"},
};

bool command__list(struct shell *sh, const char *name, const struct arguments *a)
{
    const struct list *l = NULL;
    if (strcmp(name, "dg") == 0) name = "du";
    if (strcmp(name, "list") == 0) name = "l";
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (strcmp(lists[i].name, name) == 0) l = &lists[i];
    if (!l) return false;
    struct strbuf sql;
    strbuf_init(&sql, NULL);
    strbuf_adds(&sql, l->sql);
    if (a->count) pattern_to(&sql, a->word[0], l->schema, l->column);
    else if (l->hide)
        strbuf_addf(&sql, " AND %s !~ '^pg_' AND %s <> 'information_schema'", l->hide, l->hide);
    strbuf_addf(&sql, " ORDER BY %s", l->order);
    bool ok = shell__run(sh, sql.data, &(struct run_options){.title = l->title, .quiet = true});
    strbuf_release(&sql);
    return ok;
}

/* Lines of text below a table's columns: "Indexes:" and what belongs there. */
static bool section(struct shell *sh, const char *title, const char *oid, const char *format)
{
    struct arena a;
    struct fetched r;
    struct writer w;
    arena_init(&a, MEM_SESSION);
    struct strbuf sql; /* every $ in the format stands for the relation's oid */
    strbuf_init(&sql, &a);
    for (const char *p = format; *p; p++)
        if (*p == '$') strbuf_adds(&sql, oid);
        else strbuf_addc(&sql, *p);
    bool ok = shell__fetch(sh, sql.data, true, &r);
    shell__writer(sh, &w);
    if (ok && r.rows > 0) {
        writer_addf(&w, "%s:\n", title);
        for (int64_t i = 0; i < r.rows; i++)
            if (fetched_at(&r, i, 0)) writer_addf(&w, "    %s\n", fetched_at(&r, i, 0));
    }
    writer_end(&w);
    writer_release(&w);
    fetched_release(&r);
    arena_release(&a);
    return ok;
}

static void sections(struct shell *sh, const char *oid, char kind)
{
    if (kind == 'v' || kind == 'm') {
        section(sh, "View definition", oid, "SELECT pg_catalog.pg_get_viewdef($::oid, true)");
        return;
    }
    section(sh, "Indexes", oid,
            "SELECT '\"' || c.relname || '\"' || CASE WHEN i.indisprimary THEN ' PRIMARY KEY,' WHEN"
            " i.indisunique THEN ' UNIQUE,' ELSE '' END || regexp_replace("
            "pg_catalog.pg_get_indexdef(i.indexrelid), '^.* USING', '') FROM pg_catalog.pg_index i"
            " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $"
            " ORDER BY i.indisprimary DESC, c.relname");
    section(sh, "Check constraints", oid,
            "SELECT '\"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid)"
            " FROM pg_catalog.pg_constraint WHERE conrelid = $ AND contype = 'c' ORDER BY conname");
    section(sh, "Foreign-key constraints", oid,
            "SELECT '\"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid)"
            " FROM pg_catalog.pg_constraint WHERE conrelid = $ AND contype = 'f' ORDER BY conname");
    section(sh, "Referenced by", oid,
            "SELECT 'TABLE \"' || c.relname || '\" CONSTRAINT \"' || k.conname || '\" ' ||"
            " pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k"
            " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
            " WHERE k.confrelid = $ AND k.contype = 'f' ORDER BY k.conname");
}

static bool one_relation(struct shell *sh, const struct fetched *r, int64_t i)
{
    const char *oid = fetched_at(r, i, 0), *kind = fetched_at(r, i, 3);
    struct arena a;
    arena_init(&a, MEM_SESSION);
    const char *what = *kind == 'v' ? "View" : *kind == 'm' ? "Materialized view" : *kind == 'i'
                       ? "Index" : *kind == 'S' ? "Sequence" : "Table";
    const char *title =
        arena_printf(&a, "%s \"%s.%s\"", what, fetched_at(r, i, 1), fetched_at(r, i, 2));
    const char *sql = arena_printf(
        &a,
        "SELECT a.attname::text AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "
        "\"Type\","
        " CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\", coalesce(CASE"
        " WHEN a.attidentity = 'a' THEN 'generated always as identity'"
        " WHEN a.attidentity = 'd' THEN 'generated by default as identity'"
        " WHEN a.attgenerated = 's' THEN 'generated always as (' || pg_catalog.pg_get_expr(d.adbin,"
        " d.adrelid) || ') stored' ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, '')"
        " AS \"Default\" FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d"
        " ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        oid);
    bool tuples = sh->style.tuples_only;
    bool ok = shell__run(sh, sql, &(struct run_options){.title = title, .quiet = true});
    if (ok && !tuples && sh->style.mode == MODE_TABLE) sections(sh, oid, *kind);
    arena_release(&a);
    return ok;
}

bool command__describe(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    if (a->count == 0) return command__list(sh, "d", a);
    struct strbuf sql;
    struct fetched r;
    strbuf_init(&sql, NULL);
    strbuf_adds(&sql,
                "SELECT c.oid::text, n.nspname::text, c.relname::text, c.relkind::text"
                " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                " ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','f','i','S')");
    pattern_to(&sql, a->word[0], "n.nspname", "c.relname");
    if (!strchr(a->word[0], '.')) strbuf_adds(&sql, " AND pg_catalog.pg_table_is_visible(c.oid)");
    strbuf_adds(&sql, " ORDER BY 2, 3");
    bool ok = shell__fetch(sh, sql.data, false, &r);
    if (ok && r.rows == 0) {
        shell__say(sh, "ERROR", "Did not find any relation named \"%s\".", a->word[0]);
        ok = false;
    }
    for (int64_t i = 0; ok && i < r.rows; i++) ok = one_relation(sh, &r, i);
    fetched_release(&r);
    strbuf_release(&sql);
    return ok;
}

/* .schema: statements that would make the tables and views again, without rights and owners. */
bool command__schema(struct shell *sh, const char *name, const struct arguments *a)
{
    (void)name;
    struct strbuf sql;
    struct fetched r;
    struct writer w;
    strbuf_init(&sql, NULL);
    strbuf_adds(
        &sql,
        "SELECT 'CREATE TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || E' "
        "(\\n    ' ||"
        " (SELECT string_agg(quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid,"
        " a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END ||"
        " CASE WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY' WHEN a.attidentity = "
        "'d'"
        " THEN ' GENERATED BY DEFAULT AS IDENTITY' WHEN d.adbin IS NULL THEN '' WHEN "
        "a.attgenerated ="
        " 's' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') "
        "STORED'"
        " ELSE ' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, E',\\n    '"
        " ORDER BY a.attnum) FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON"
        " d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped) || coalesce((SELECT string_agg(E',\\n    CONSTRAINT ' ||"
        " quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid), '' ORDER BY "
        "k.conname)"
        " FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid), '') || E'\\n);'"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r','p') AND n.nspname !~ '^pg_' AND n.nspname <> "
        "'information_schema'");
    if (a->count) pattern_to(&sql, a->word[0], "n.nspname", "c.relname");
    strbuf_adds(&sql, " ORDER BY n.nspname, c.relname");
    bool ok = shell__fetch(sh, sql.data, false, &r);
    shell__writer(sh, &w);
    for (int64_t i = 0; ok && i < r.rows; i++)
        if (fetched_at(&r, i, 0)) writer_addf(&w, "%s\n", fetched_at(&r, i, 0));
    writer_end(&w);
    writer_release(&w);
    fetched_release(&r);
    strbuf_release(&sql);
    return ok;
}
