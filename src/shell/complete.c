/* Completion: what may stand where the cursor is.
 *
 * The catalogue is read once, at the first tab, and again after DDL: names of tables, columns,
 * functions, schemas and types, at most FETCH_ROWS_MAX of them. Reading it in a failed transaction
 * would give an error, so then the old names serve. */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>

#include "shell/shell_priv.h"

enum { OFFERS_MAX = 5000 };

static const char catalogue_sql[] =
    "SELECT 'r', c.relname::text, n.nspname::text FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','v','m','p','f','S') AND n.nspname <> 'pg_toast'"
    " UNION ALL SELECT 'a', a.attname::text, c.relname::text FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r','v','m','p','f')"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    " UNION ALL SELECT 'n', nspname::text, '' FROM pg_catalog.pg_namespace"
    " UNION ALL SELECT 'f', proname::text, '' FROM pg_catalog.pg_proc";

static const char *const keywords[] = {"ALTER",       "ANALYZE",      "AND",
                                       "AS",          "ASC",          "BEGIN",
                                       "BETWEEN",     "BY",           "CASE",
                                       "CAST",        "CHECK",        "COLUMN",
                                       "COMMENT",     "COMMIT",       "CONFLICT",
                                       "CONSTRAINT",  "COPY",         "CREATE",
                                       "CROSS",       "CURRENT_DATE", "CURRENT_TIMESTAMP",
                                       "DATABASE",    "DEFAULT",      "DELETE",
                                       "DESC",        "DISTINCT",     "DO",
                                       "DROP",        "ELSE",         "END",
                                       "EXCEPT",      "EXISTS",       "EXPLAIN",
                                       "FALSE",       "FETCH",        "FOR",
                                       "FOREIGN",     "FROM",         "FULL",
                                       "FUNCTION",    "GENERATED",    "GRANT",
                                       "GROUP",       "HAVING",       "ILIKE",
                                       "IN",          "INDEX",        "INNER",
                                       "INSERT",      "INTERSECT",    "INTERVAL",
                                       "INTO",        "IS",           "JOIN",
                                       "KEY",         "LATERAL",      "LEFT",
                                       "LIKE",        "LIMIT",        "NOT",
                                       "NOTHING",     "NULL",         "NULLS",
                                       "OFFSET",      "ON",           "OR",
                                       "ORDER",       "OUTER",        "OVER",
                                       "PARTITION",   "PRIMARY",      "REFERENCES",
                                       "RENAME",      "REPLACE",      "RESET",
                                       "RETURNING",   "REVOKE",       "RIGHT",
                                       "ROLE",        "ROLLBACK",     "SAVEPOINT",
                                       "SCHEMA",      "SELECT",       "SEQUENCE",
                                       "SET",         "SHOW",         "TABLE",
                                       "TEMPORARY",   "THEN",         "TO",
                                       "TRANSACTION", "TRUE",         "TRUNCATE",
                                       "UNION",       "UNIQUE",       "UPDATE",
                                       "USING",       "VACUUM",       "VALUES",
                                       "VIEW",        "WHEN",         "WHERE",
                                       "WITH"};

static struct {
    struct fetched r;
    bool loaded;
} names;

void complete__forget(void)
{
    if (names.loaded) fetched_release(&names.r);
    names.loaded = false;
}

static void load(struct shell *sh)
{
    if (names.loaded || sh->b->ops->transaction(sh->b) == 'E') return;
    names.loaded = shell__fetch(sh, catalogue_sql, true, &names.r);
    if (!names.loaded) fetched_release(&names.r);
}

static void offer(struct completions *c, const char *text)
{
    if (c->count == OFFERS_MAX) return;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F) return; /* cannot be typed */
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->items[i], text) == 0) return;
    if (c->count == c->capacity) {
        int more = c->capacity ? c->capacity * 2 : 64;
        const char **items = ARENA_ARRAY(c->arena, const char *, more);
        if (c->count) memcpy(items, c->items, (size_t)c->count * sizeof(*items));
        c->items = items;
        c->capacity = more;
    }
    c->items[c->count++] = arena_strdup(c->arena, text);
}

static bool begins(const char *name, const char *word)
{
    return strncasecmp(name, word, strlen(word)) == 0;
}

/* The name as it must be typed; quoted where it is not a plain one. */
static const char *typed(struct arena *a, const char *name)
{
    size_t plain = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (name[plain] == '\0' && !isdigit((unsigned char)*name)) return name;
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_addc(&b, '"');
    for (; *name; name++) {
        if (*name == '"') strbuf_addc(&b, '"');
        strbuf_addc(&b, *name);
    }
    strbuf_addc(&b, '"');
    return b.data;
}

/* Is `table` a word of the statement? */
static bool mentioned(const char *statement, const char *table)
{
    size_t n = strlen(table);
    for (const char *p = statement; (p = strcasestr(p, table)) != NULL; p++) {
        bool start = p == statement || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');
        if (start && !(isalnum((unsigned char)p[n]) || p[n] == '_')) return true;
    }
    return false;
}

static void offer_names(struct completions *c, char kind, const char *word, const char *of,
                        const char *statement)
{
    for (int64_t i = 0; names.loaded && i < names.r.rows; i++) {
        const char *name = fetched_at(&names.r, i, 1), *owner = fetched_at(&names.r, i, 2);
        if (fetched_at(&names.r, i, 0)[0] != kind || !begins(name, *word == '"' ? word + 1 : word))
            continue;
        if (of && strcasecmp(owner, of) != 0) continue;
        if (!of && kind == 'r' && !*word && strncmp(name, "pg_", 3) == 0) continue;
        if (statement && !mentioned(statement, owner)) continue;
        offer(c, typed(c->arena, name));
    }
}

static void offer_keywords(struct completions *c, const char *word)
{
    bool lower = islower((unsigned char)*word);
    for (size_t i = 0; *word && i < sizeof(keywords) / sizeof(*keywords); i++) {
        if (!begins(keywords[i], word)) continue;
        char *k = arena_strdup(c->arena, keywords[i]);
        for (char *p = k; lower && *p; p++) *p = (char)tolower((unsigned char)*p);
        offer(c, k);
    }
}

/* The word before `at`, in lower case. */
static void previous(const char *s, size_t at, char *ret, size_t size)
{
    size_t end = at;
    while (end > 0 && (isspace((unsigned char)s[end - 1]) || s[end - 1] == ',')) {
        if (s[end - 1] == ',') { /* in a list: what began it counts */
            end--;
            while (end > 0 && isspace((unsigned char)s[end - 1])) end--;
            while (end > 0 && !isspace((unsigned char)s[end - 1]) && s[end - 1] != ',') end--;
        } else {
            end--;
        }
    }
    size_t start = end;
    while (start > 0 && (isalnum((unsigned char)s[start - 1]) || strchr("_\\+", s[start - 1])))
        start--;
    size_t n = end - start < size - 1 ? end - start : size - 1;
    for (size_t i = 0; i < n; i++) ret[i] = (char)tolower((unsigned char)s[start + i]);
    ret[n] = '\0';
}

struct command_offer {
    struct completions *c;
    const char *word;
};

static void offer_command(void *ctx, const char *name)
{
    struct command_offer *o = ctx;
    char *text = arena_printf(o->c->arena, "\\%s", name);
    if (strncmp(text, o->word, strlen(o->word)) == 0) offer(o->c, text);
}

static void offer_files(struct completions *c, const char *word)
{
    const char *slash = strrchr(word, '/');
    const char *folder = slash ? arena_strndup(c->arena, word, (size_t)(slash - word) + 1) : ".";
    const char *part = slash ? slash + 1 : word;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, part, strlen(part)) != 0 || (e->d_name[0] == '.' && !*part))
            continue;
        offer(c, arena_printf(c->arena, "%s%s%s", slash ? folder : "", e->d_name,
                              e->d_type == DT_DIR ? "/" : ""));
    }
    if (d) closedir(d);
}

static bool one_of(const char *word, const char *list)
{
    const char *p = *word ? strstr(list, word) : NULL;
    return p && p[-1] == ' ' && p[strlen(word)] == ' ';
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void complete__line(struct shell *sh, const char *before, struct arena *a, size_t *ret_word_start,
                    struct completions *c)
{
    size_t end = strlen(before), start = end;
    const char *command = strrchr(before, '\n');
    command = command ? command + 1 : before;
    bool is_command = *command == '\\' || *command == '.';
    char prev[64];
    while (start > 0 && !isspace((unsigned char)before[start - 1]) &&
           !strchr(is_command ? "" : "(),;=<>+*'", before[start - 1]))
        start--;
    const char *word = before + start;
    previous(before, start, prev, sizeof(prev));
    *ret_word_start = start;
    if (*word == '\\') {
        command__complete_names(offer_command, &(struct command_offer){c, word});
    } else if (one_of(prev, " \\i \\ir \\o \\include \\out \\e .read ")) {
        offer_files(c, word);
    } else if (strcmp(prev, "\\mode") == 0 || strncmp(command, ".mode ", 6) == 0) {
        for (int i = 0; i < MODE_COUNT; i++)
            if (begins(mode_name((enum mode)i), word)) offer(c, mode_name((enum mode)i));
    } else {
        load(sh);
        const char *dot = strrchr(word, '.');
        if (dot) { /* schema.table or table.column */
            char *owner = arena_strndup(a, word, (size_t)(dot - word));
            *ret_word_start = start + (size_t)(dot - word) + 1;
            offer_names(c, 'r', dot + 1, owner, NULL);
            offer_names(c, 'a', dot + 1, owner, NULL);
        } else if (is_command ||
                   one_of(prev, " from join into update table truncate copy only view \\d \\dt ")) {
            offer_names(c, 'r', word, NULL, NULL);
            offer_names(c, 'n', word, NULL, NULL);
        } else {
            offer_keywords(c, word);
            offer_names(c, 'a', word, NULL, before);
            if (c->count == 0 && *word) offer_names(c, 'a', word, NULL, NULL);
            if (*word) offer_names(c, 'f', word, NULL, NULL);
            if (*word) offer_names(c, 'r', word, NULL, NULL);
        }
    }
    if (c->count) qsort(c->items, (size_t)c->count, sizeof(*c->items), compare);
}
