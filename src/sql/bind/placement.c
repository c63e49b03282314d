/* What may stand where: aggregates, window functions, set-returning functions and subqueries are
 * each refused in some places, with PostgreSQL's words for the place. */
#include "sql/bind/resolve_priv.h"

/* The place in the plural: "… are not allowed in check constraints". */
static const char *place_words(const struct scope *s, enum place place)
{
    switch (place) {
    case PLACE_SELECT: return "SELECT";
    case PLACE_WHERE: return "WHERE";
    case PLACE_ON: return "JOIN conditions";
    case PLACE_FROM: return "functions in FROM";
    case PLACE_SUBSELECT: return "FROM clause of their own query level";
    case PLACE_GROUP_BY: return "GROUP BY";
    case PLACE_HAVING: return "HAVING";
    case PLACE_ORDER_BY: return "ORDER BY";
    case PLACE_DISTINCT_ON: return "DISTINCT ON";
    case PLACE_LIMIT: return "LIMIT";
    case PLACE_OFFSET: return "OFFSET";
    case PLACE_FILTER: return "FILTER";
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER:
    case PLACE_WINDOW_FRAME: return "window definitions";
    case PLACE_VALUES: return "VALUES";
    case PLACE_INSERT: return "INSERT";
    case PLACE_UPDATE: return "UPDATE";
    case PLACE_RETURNING: return "RETURNING";
    case PLACE_MERGE_WHEN: return "MERGE WHEN conditions";
    case PLACE_STORED: return s->what ? s->what : "stored expressions";
    case PLACE_OTHER: return "this place";
    }
    return "this place";
}

static enum status refuse(struct scope *s, enum status code, const char *what, enum place place,
                          int location)
{
    return bind__at(s, location,
                    FAIL(code, "%s are not allowed in %s", what, place_words(s, place)));
}

enum status bind__check_aggregate(struct scope *s, enum place place, const char *what,
                                  int location)
{
    switch (place) {
    case PLACE_OTHER:
    case PLACE_SELECT:
    case PLACE_INSERT:
    case PLACE_HAVING:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON:
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER: s->query->has_aggregates = true; return OK;
    case PLACE_WINDOW_FRAME:
        return bind__at(s, location,
                        FAIL(GROUPING_ERROR,
                             "%s are not allowed in window %s", what, s->what));
    default: return refuse(s, GROUPING_ERROR, what, place, location);
    }
}

enum status bind__place_aggregate(struct scope *s, struct expr *e, enum place place,
                                  const char *what, struct expr **ret)
{
    uint32_t levels;
    struct scope *owner = s;
    TRY(bind__aggregate_level(s, e, &levels));
    for (uint32_t i = 0; i < levels; i++) owner = owner->parent;
    TRY(bind__check_aggregate(owner, owner == s ? place : owner->place, what, e->location));
    *ret = owner == s ? e : bind__move_up(s, owner, levels, e);
    return OK;
}

enum status bind__check_window(struct scope *s, enum place place, int location)
{
    switch (place) {
    case PLACE_OTHER:
    case PLACE_SELECT:
    case PLACE_INSERT:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON: s->query->has_windows = true; return OK;
    default: return refuse(s, WINDOWING_ERROR, "window functions", place, location);
    }
}

static enum status move_hint(void)
{
    return error_hint("You might be able to move the set-returning function into a LATERAL FROM "
                      "item.");
}

enum status bind__check_set(struct scope *s, struct expr *const *args, uint32_t count,
                            enum place place, int location)
{
    switch (place) {
    case PLACE_OTHER:
    case PLACE_SELECT:
    case PLACE_INSERT:
    case PLACE_GROUP_BY:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON:
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER: s->query->has_srf = true; return OK;
    case PLACE_FROM:
        for (uint32_t i = 0; i < count; i++)
            if (bind__find_set(args[i]))
                return bind__at(s, bind__find_set(args[i])->location,
                                FAIL(FEATURE_NOT_SUPPORTED,
                                     "set-returning functions must appear at top level of FROM"));
        return OK;
    default:
        return refuse(s, FEATURE_NOT_SUPPORTED, "set-returning functions", place, location);
    }
}

enum status bind__check_subquery(struct scope *s, enum place place, int location)
{
    if (place != PLACE_STORED) return OK;
    const char *words = place_words(s, place);
    size_t len = strlen(words); /* the plural's s goes */
    return bind__at(s, location,
                    FAIL(FEATURE_NOT_SUPPORTED, "cannot use subquery in %.*s",
                         (int)(len && words[len - 1] == 's' ? len - 1 : len), words));
}

static bool is_no_set(void *ctx, const struct expr *e)
{
    const struct expr **found = ctx;
    if (e->kind == EXPR_CALL && e->call.proc->returns_set) {
        *found = e;
        return false;
    }
    return expr_walk(e, is_no_set, ctx);
}

const struct expr *bind__find_set(const struct expr *e)
{
    const struct expr *found = NULL;
    (void)is_no_set(&found, e);
    return found;
}

enum status bind__no_sets(struct scope *s, struct expr *const *items, uint32_t count,
                          const char *construct)
{
    if (!s->query || !s->query->has_srf) return OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *set = bind__find_set(items[i]);
        if (!set) continue;
        FAIL(FEATURE_NOT_SUPPORTED, "set-returning functions are not allowed in %s", construct);
        move_hint();
        return bind__at(s, set->location, FEATURE_NOT_SUPPORTED);
    }
    return OK;
}
