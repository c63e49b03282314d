/* Variables of \set, and :name in statements. */
#include <ctype.h>

#include "shell/shell_priv.h"

static char *copy(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(MEM_SESSION, n), s, n);
}

static struct variable *find(const struct shell *sh, const char *name)
{
    for (int i = 0; i < sh->variable_count; i++)
        if (strcmp(sh->variables[i].name, name) == 0) return (struct variable *)&sh->variables[i];
    return NULL;
}

const char *shell__get(const struct shell *sh, const char *name)
{
    const struct variable *v = find(sh, name);
    return v ? v->value : NULL;
}

bool shell__set(struct shell *sh, const char *name, const char *value)
{
    struct variable *v = find(sh, name);
    if (!value) {
        if (!v) return true;
        mem_free(MEM_SESSION, v->name);
        mem_free(MEM_SESSION, v->value);
        *v = sh->variables[--sh->variable_count];
        return true;
    }
    if (v) {
        char *next = copy(value); /* `value` may be the old one */
        mem_free(MEM_SESSION, v->value);
        v->value = next;
        return true;
    }
    if (sh->variable_count == VARIABLES_MAX) return false;
    sh->variables[sh->variable_count++] = (struct variable){copy(name), copy(value)};
    return true;
}

bool shell__flag(const struct shell *sh, const char *name)
{
    const char *v = shell__get(sh, name);
    return v && *v && strcmp(v, "0") != 0 && !str_eq_nocase(v, "off") &&
           !str_eq_nocase(v, "false") && !str_eq_nocase(v, "no");
}

static void quoted(struct strbuf *out, char quote, const char *s)
{
    bool escapes = quote == '\'' && strchr(s, '\\');
    if (escapes) strbuf_addc(out, 'E');
    strbuf_addc(out, quote);
    for (; *s; s++) {
        if (*s == quote || (escapes && *s == '\\')) strbuf_addc(out, *s);
        strbuf_addc(out, *s);
    }
    strbuf_addc(out, quote);
}

void shell__literal(struct strbuf *out, const char *s) { quoted(out, '\'', s); }

/* :name at p; bytes used, 0: it is none, or no such variable. */
static size_t one(const struct shell *sh, const char *p, size_t n, struct strbuf *out)
{
    char quote = n > 2 && (p[1] == '\'' || p[1] == '"') ? p[1] : '\0';
    size_t from = quote ? 2 : 1, i = from;
    while (i < n && (isalnum((unsigned char)p[i]) || p[i] == '_')) i++;
    char name[128];
    if (i == from || i - from >= sizeof(name) || (quote && (i == n || p[i] != quote))) return 0;
    memcpy(name, p + from, i - from);
    name[i - from] = '\0';
    const char *value = shell__get(sh, name);
    if (!value) return 0;
    if (quote) quoted(out, quote, value);
    else strbuf_adds(out, value);
    return i + (quote != '\0');
}

void shell__expand(const struct shell *sh, struct slice sql, struct strbuf *out)
{
    strbuf_reserve(out, sql.len + 1);
    for (size_t i = 0; i < sql.len;) {
        const char *p = sql.data + i;
        size_t left = sql.len - i;
        if (*p == ':' && left > 1 && (p[1] == ':' || p[1] == '=')) {
            strbuf_add(out, p, 2); /* a cast, or a named argument */
            i += 2;
            continue;
        }
        size_t used = *p == ':' ? one(sh, p, left, out) : 0;
        if (used == 0) {
            enum split_piece kind;
            used = splitter_piece(slice_make(p, left), &kind);
            strbuf_add(out, p, used);
        }
        i += used;
    }
}
