/* Small results that the shell reads itself: for \d, \gset, \gexec and completion. Bounded. */
#include "shell/progress.h"
#include "shell/shell_priv.h"

static bool on_columns(void *ctx, int n, const struct backend_column *columns)
{
    struct fetched *r = ctx;
    r->columns = n;
    r->rows = 0;
    r->names = ARENA_ARRAY(&r->arena, const char *, n + 1);
    for (int i = 0; i < n; i++) r->names[i] = arena_strdup(&r->arena, columns[i].name);
    return true;
}

static bool on_row(void *ctx, const char *const *values, const int *lengths)
{
    struct fetched *r = ctx;
    if (r->rows >= FETCH_ROWS_MAX || arena_bytes(&r->arena) > FETCH_BYTES_MAX) return false;
    size_t n = (size_t)r->columns;
    if (r->rows == r->capacity) {
        int64_t capacity = r->capacity ? r->capacity * 2 : 16;
        const char **more = ARENA_ARRAY(&r->arena, const char *, (size_t)capacity * n + 1);
        if (r->rows) memcpy(more, r->values, (size_t)r->rows * n * sizeof(*more));
        r->values = more;
        r->capacity = capacity;
    }
    for (size_t i = 0; i < n; i++)
        r->values[(size_t)r->rows * n + i] =
            values[i] ? arena_strndup(&r->arena, values[i], (size_t)lengths[i]) : NULL;
    r->rows++;
    return true;
}

bool shell__fetch(struct shell *sh, const char *sql, bool quiet, struct fetched *ret)
{
    memset(ret, 0, sizeof(*ret));
    arena_init(&ret->arena, MEM_SESSION);
    const struct backend_sink sink = {.columns = on_columns, .row = on_row, .ctx = ret};
    progress_clear_interrupt();
    progress_start(sh->b);
    bool ok = sh->b->ops->run(sh->b, sql, &sink);
    progress_stop();
    if (!ok && !quiet)
        shell__say(sh, "ERROR", "%s", sh->b->error.message.len ? sh->b->error.message.data
                                                               : "the result is too large");
    return ok;
}

void fetched_release(struct fetched *r) { arena_release(&r->arena); }
