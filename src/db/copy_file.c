/* Files of the server that COPY reads and writes. Whoever may name one acts with the server's
 * rights, so it takes a superuser or a member of a role for that, and a directory that the settings name: by default there is
 * none. */
#include "db/copy_priv.h"

static const char hint[] = "Anyone can COPY to stdout or from stdin. psql's \\copy command "
                           "also works for anyone.";

static const char *setting_of(bool from)
{
    return from ? "copy.read_directories" : "copy.write_directories";
}

/* The next directory of the list, without blanks around it and slashes behind it; an empty one is
 * "/". */
static bool next_directory(const char **list, struct slice *ret)
{
    const char *p = *list;
    while (*p == ' ' || *p == ',') p++;
    if (*p == '\0') return false;
    size_t n = strcspn(p, ",");
    *list = p + n;
    while (n > 0 && p[n - 1] == ' ') n--;
    while (n > 1 && p[n - 1] == '/') n--;
    *ret = slice_make(p, n);
    return true;
}

static bool holds(struct slice directory, struct slice path)
{
    return path.len > directory.len && slice_starts(path, directory) &&
           path.data[directory.len] == '/';
}

/* "." and ".." are for the one who wrote the path to work out, links would make them mean anything.
 */
static enum status check_names(const char *path)
{
    for (const char *p = path; *p; p++)
        if (p[0] == '/' && p[1] == '.' && p[2] == '.' && (p[3] == '/' || p[3] == '\0'))
            return FAIL(INVALID_NAME, "the file name \"%s\" must not contain \"..\"", path);
    return OK;
}

enum status copy__check_file(const struct copy *c)
{
    const struct ast_copy *a = c->ast;
    const oid_t role = a->from ? OID_ROLE_READ_SERVER_FILES : OID_ROLE_WRITE_SERVER_FILES;
    bool allowed = c->s->superuser || catalog_role_has(c->s->catalog, c->s->user_oid, role);
    if (!allowed && a->from)
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser or have privileges of the "
                                            "pg_read_server_files role to COPY from a file"),
               error_hint("%s", hint);
    if (!allowed)
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser or have privileges of the "
                                            "pg_write_server_files role to COPY to a file"),
               error_hint("%s", hint);
    if (a->filename[0] != '/')
        return FAIL(INVALID_NAME, "relative path not allowed for COPY %s file",
                    a->from ? "from" : "to");
    if (strlen(a->filename) >= OS_PATH_MAX)
        return FAIL(INVALID_NAME, "file name is too long: at most %d bytes", OS_PATH_MAX - 1);
    return OK;
}

static enum status refuse(const char *path, bool from, bool any)
{
    FAIL(INSUFFICIENT_PRIVILEGE, "the server may not %s file \"%s\"", from ? "read" : "write",
         path);
    if (any) error_detail("It is in none of the directories of \"%s\".", setting_of(from));
    else error_detail("\"%s\" names no directory.", setting_of(from));
    return error_hint("Name its directory in that setting, or use COPY %s or psql's \\copy.",
                      from ? "FROM STDIN" : "TO STDOUT");
}

static enum status open_anywhere(struct os *os, const char *path, unsigned flags, struct file **ret)
{
    if ((flags & OPEN_READ_ONLY) && !os_exists(os, path))
        return FAIL(UNDEFINED_FILE,
                    "could not open file \"%s\" for reading: No such file or directory", path);
    TRY(os_open(os, path, flags, ret));
    return flags & OPEN_CREATE ? file_truncate(*ret, 0) : OK;
}

enum status copy__open_file(const struct copy *c, struct file **ret)
{
    const char *path = c->ast->filename;
    bool from = c->ast->from, any = false;
    struct os *os = c->s->db->os;
    const char *list = config_string(c->s->db->config, setting_of(from));
    unsigned flags = from ? OPEN_READ_ONLY : OPEN_CREATE;
    struct slice directory;
    enum status result = OK;
    while (next_directory(&list, &directory)) {
        any = true;
        if (slice_eq(directory, SLICE("/"))) {
            result = open_anywhere(os, path, flags, ret);
        } else if (holds(directory, slice_of(path))) {
            TRY(check_names(path));
            const char *folder = arena_strndup(&c->s->arena, directory.data, directory.len);
            result = os_open_within(os, folder, path, flags, ret);
        } else {
            continue;
        }
        if (result != UNDEFINED_FILE) return result;
        return from
                   ? error_hint("COPY FROM instructs the PostgreSQL server process to read a file. "
                                "You may want a client-side facility such as psql's \\copy.")
                   : error_hint("COPY TO instructs the PostgreSQL server process to write a file. "
                                "You may want a client-side facility such as psql's \\copy.");
    }
    return refuse(path, from, any);
}
