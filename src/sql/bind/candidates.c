/* Choosing among functions or operators of one name: documentation chapters 10.2 and 10.3. Given
 * types are what the arguments have; TYPE_UNKNOWN stands for literals and parameters without a
 * type, which fit everywhere and in the end take what the chosen one declares.
 *
 * Each step of the rules strikes candidates out unless it would strike all. Polymorphic ones
 * (anyelement, anyarray; anycompatible) fit when one type makes their signature true. */
#include "sql/bind/resolve_priv.h"
#include "types/range.h"

static char category_of(type_id type)
{
    const struct type_info *t = type_get(type);
    return t ? t->category : 'X';
}

static bool is_preferred(type_id type)
{
    const struct type_info *t = type_get(type);
    return t && t->preferred;
}

/* --- polymorphism ----------------------------------------------------------------------------- */

bool bind__is_polymorphic(type_id type)
{
    return type == TYPE_ANYELEMENT || type == TYPE_ANYARRAY || type == TYPE_ANYNONARRAY ||
           type == TYPE_ANYCOMPATIBLE || type == TYPE_ANYCOMPATIBLEARRAY ||
           type == TYPE_ANYRANGE || type == TYPE_ANYMULTIRANGE;
}

/* What the polymorphic types of a signature stand for; TYPE_NONE: no argument says. */
struct solution {
    type_id element, array;      /* anyelement and anynonarray; anyarray */
    type_id range;               /* anyrange; of anymultirange, the one it is of */
    type_id compatible;          /* anycompatible */
    bool nonarray, has_compatible;
    const char *conflict;        /* NULL: consistent */
    type_id one, other;          /* that conflict */
};

static void conflict(struct solution *p, const char *words, type_id one, type_id other)
{
    if (p->conflict) return;
    p->conflict = words;
    p->one = one;
    p->other = other;
}

/* By the rules of common types (chapter 10.5). */
static void add_compatible(struct solution *p, type_id type)
{
    if (p->compatible == TYPE_NONE || p->compatible == type) {
        p->compatible = type;
        return;
    }
    if (category_of(type) != category_of(p->compatible))
        conflict(p, "arguments of anycompatible family cannot be cast to a common type",
                 p->compatible, type);
    else if (!is_preferred(p->compatible) &&
             bind__can_coerce(p->compatible, type, CAST_IMPLICIT) &&
             !bind__can_coerce(type, p->compatible, CAST_IMPLICIT))
        p->compatible = type;
}

static void add_range(struct solution *p, type_id declared, type_id given)
{
    bool multi = declared == TYPE_ANYMULTIRANGE;
    if (!(multi ? type_is_multirange(given) : type_is_range(given))) {
        conflict(p, multi ? "argument declared anymultirange is not a multirange type"
                          : "argument declared anyrange is not a range type", given, given);
        return;
    }
    if (p->range && p->range != range_of(given))
        conflict(p, multi ? "arguments declared \"anymultirange\" are not all alike"
                          : "arguments declared \"anyrange\" are not all alike", p->range, given);
    p->range = range_of(given);
}

static void add_argument(struct solution *p, type_id declared, type_id given)
{
    if (declared == TYPE_ANYCOMPATIBLE || declared == TYPE_ANYCOMPATIBLEARRAY)
        p->has_compatible = true;
    if (declared == TYPE_ANYNONARRAY) p->nonarray = true;
    if (given == TYPE_UNKNOWN) return;
    switch (declared) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY:
        if (p->element && p->element != given)
            conflict(p, "arguments declared \"anyelement\" are not all alike", p->element, given);
        p->element = given;
        break;
    case TYPE_ANYARRAY:
        if (p->array && p->array != given)
            conflict(p, "arguments declared \"anyarray\" are not all alike", p->array, given);
        p->array = given;
        if (!type_is_array(given))
            conflict(p, "argument declared anyarray is not an array", given, given);
        break;
    case TYPE_ANYRANGE:
    case TYPE_ANYMULTIRANGE: add_range(p, declared, given); break;
    case TYPE_ANYCOMPATIBLE: add_compatible(p, given); break;
    case TYPE_ANYCOMPATIBLEARRAY:
        if (type_is_array(given)) add_compatible(p, type_get(given)->element);
        else conflict(p, "argument declared anycompatiblearray is not an array", given, given);
        break;
    default: break;
    }
}

static void solve(struct solution *p, const type_id *declared, const type_id *given, uint32_t count)
{
    *p = (struct solution){0};
    for (uint32_t i = 0; i < count; i++) add_argument(p, declared[i], given[i]);
    if (p->array && type_is_array(p->array)) {
        type_id element = type_get(p->array)->element;
        if (p->element && p->element != element)
            conflict(p,
                     "argument declared anyarray is not consistent with argument declared "
                     "anyelement",
                     p->array, p->element);
        p->element = element;
    }
    if (p->range) {
        type_id subtype = range_subtype(p->range);
        if (p->element && p->element != subtype)
            conflict(p,
                     "argument declared anyrange is not consistent with argument declared "
                     "anyelement",
                     p->range, p->element);
        p->element = subtype;
    }
    if (p->nonarray && p->element && type_is_array(p->element))
        conflict(p, "type matched to anynonarray is an array type", p->element, p->element);
    for (uint32_t i = 0; i < count; i++) {
        type_id type = given[i];
        if (type == TYPE_UNKNOWN || !p->compatible) continue;
        if (declared[i] == TYPE_ANYCOMPATIBLEARRAY && type_is_array(type))
            type = type_get(type)->element;
        else if (declared[i] != TYPE_ANYCOMPATIBLE)
            continue;
        if (!bind__can_coerce(type, p->compatible, CAST_IMPLICIT))
            conflict(p, "arguments of anycompatible family cannot be cast to a common type",
                     p->compatible, type);
    }
    if (p->has_compatible && !p->compatible) p->compatible = TYPE_TEXT;
}

bool bind__polymorphic_fits(const type_id *declared, const type_id *given, uint32_t count)
{
    struct solution p;
    solve(&p, declared, given, count);
    return !p.conflict;
}

static type_id array_of(type_id element)
{
    const struct type_info *t = element ? type_get(element) : NULL;
    return t ? t->array : (type_id)TYPE_NONE;
}

static type_id meaning(const struct solution *p, type_id declared)
{
    switch (declared) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY: return p->element;
    case TYPE_ANYARRAY: return p->array ? p->array : array_of(p->element);
    case TYPE_ANYRANGE: return p->range;
    case TYPE_ANYMULTIRANGE: return range_multirange(p->range);
    case TYPE_ANYCOMPATIBLE: return p->compatible;
    case TYPE_ANYCOMPATIBLEARRAY: return array_of(p->compatible);
    default: return declared;
    }
}

static enum status replace(struct scope *s, const struct solution *p, type_id *type)
{
    type_id meant = meaning(p, *type);
    if (meant == TYPE_NONE) {
        type_id element = *type == TYPE_ANYCOMPATIBLEARRAY ? p->compatible : p->element;
        if (element && *type != TYPE_ANYRANGE && *type != TYPE_ANYMULTIRANGE)
            return FAIL(UNDEFINED_OBJECT, "could not find array type for data type %s",
                        bind__type_words(s, element));
        return FAIL(DATATYPE_MISMATCH,
                    "could not determine polymorphic type because input has type unknown");
    }
    *type = meant;
    return OK;
}

enum status bind__resolve_polymorphic(struct scope *s, const type_id *given, type_id *declared,
                                      uint32_t count, type_id *result)
{
    struct solution p;
    bool any = bind__is_polymorphic(*result);
    for (uint32_t i = 0; i < count && !any; i++) any = bind__is_polymorphic(declared[i]);
    if (!any) return OK;
    solve(&p, declared, given, count);
    if (p.conflict) {
        FAIL(DATATYPE_MISMATCH, "%s", p.conflict);
        return error_detail("%s versus %s", bind__type_words(s, p.one),
                            bind__type_words(s, p.other));
    }
    for (uint32_t i = 0; i < count; i++) TRY(replace(s, &p, &declared[i]));
    return replace(s, &p, result);
}

/* --- the rules -------------------------------------------------------------------------------- */

static bool takes(const struct candidate *c, const type_id *given, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!bind__can_coerce(given[i], c->args[i], CAST_IMPLICIT)) return false;
    return bind__polymorphic_fits(c->args, given, count);
}

static uint32_t keep_takers(struct candidate *list, uint32_t n, const type_id *given,
                            uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (takes(&list[i], given, count)) list[kept++] = list[i];
    return kept;
}

/* Arguments it takes as they are, or, when asked, as the preferred type of their category. */
static uint32_t score(const struct candidate *c, const type_id *given, uint32_t count,
                      bool with_preferred)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (given[i] == TYPE_UNKNOWN) continue;
        if (c->args[i] == given[i])
            n++;
        else if (with_preferred && is_preferred(c->args[i]) &&
                 category_of(c->args[i]) == category_of(given[i]))
            n++;
    }
    return n;
}

static uint32_t keep_best(struct candidate *list, uint32_t n, const type_id *given, uint32_t count,
                          bool with_preferred)
{
    uint32_t best = 0, kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t points = score(&list[i], given, count, with_preferred);
        if (points > best) best = points;
    }
    for (uint32_t i = 0; i < n; i++)
        if (score(&list[i], given, count, with_preferred) == best) list[kept++] = list[i];
    return kept;
}

/* The category that an unknown argument is taken for: strings first, else what all agree upon. */
static bool slot_category(const struct candidate *list, uint32_t n, uint32_t arg,
                          char *ret_category, bool *ret_preferred)
{
    bool mixed = false;
    *ret_category = category_of(list[0].args[arg]);
    *ret_preferred = is_preferred(list[0].args[arg]);
    for (uint32_t i = 1; i < n; i++) {
        char c = category_of(list[i].args[arg]);
        bool preferred = is_preferred(list[i].args[arg]);
        if (c == *ret_category) {
            *ret_preferred |= preferred;
        } else if (c == 'S') {
            *ret_category = c;
            *ret_preferred = preferred;
        } else {
            mixed = true;
        }
    }
    return !mixed || *ret_category == 'S';
}

static uint32_t keep_by_category(struct candidate *list, uint32_t n, const type_id *given,
                                 uint32_t count)
{
    char categories[CALL_ARGS_MAX];
    bool preferred[CALL_ARGS_MAX];
    for (uint32_t i = 0; i < count; i++)
        if (given[i] == TYPE_UNKNOWN && !slot_category(list, n, i, &categories[i], &preferred[i]))
            return n;
    uint32_t fit = 0;
    /* The first pass only counts: none is struck out if all would be. */
    for (int pass = 0; pass < 2; pass++) {
        uint32_t kept = 0;
        for (uint32_t k = 0; k < n; k++) {
            bool keep = true;
            for (uint32_t i = 0; i < count && keep; i++) {
                if (given[i] != TYPE_UNKNOWN) continue;
                keep = category_of(list[k].args[i]) == categories[i] &&
                       (!preferred[i] || is_preferred(list[k].args[i]));
            }
            if (!keep) continue;
            if (pass == 1) list[kept] = list[k];
            kept++;
        }
        fit = kept;
        if (fit == 0) return n;
    }
    return fit;
}

/* Last resort: unknowns have the type that all the others have. */
static uint32_t keep_by_known(struct candidate *list, uint32_t n, const type_id *given,
                              uint32_t count)
{
    type_id known = TYPE_UNKNOWN, assumed[CALL_ARGS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        if (given[i] == TYPE_UNKNOWN) continue;
        if (known != TYPE_UNKNOWN && known != given[i]) return n;
        known = given[i];
    }
    if (known == TYPE_UNKNOWN) return n;
    uint32_t fit = 0, which = 0;
    for (uint32_t i = 0; i < count; i++) assumed[i] = known;
    for (uint32_t k = 0; k < n; k++)
        if (takes(&list[k], assumed, count)) {
            fit++;
            which = k;
        }
    if (fit != 1) return n;
    list[0] = list[which];
    return 1;
}

uint32_t bind__choose(struct candidate *list, uint32_t n, const type_id *given, uint32_t count)
{
    bool unknowns = false;
    ASSERT(count <= CALL_ARGS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(list[i].args, given, count * sizeof *given) != 0) continue;
        list[0] = list[i];
        return 1;
    }
    n = keep_takers(list, n, given, count);
    if (n <= 1) return n;
    n = keep_best(list, n, given, count, false);
    if (n == 1) return n;
    n = keep_best(list, n, given, count, true);
    if (n == 1) return n;
    for (uint32_t i = 0; i < count; i++) unknowns |= given[i] == TYPE_UNKNOWN;
    if (!unknowns) return n;
    n = keep_by_category(list, n, given, count);
    if (n == 1) return n;
    return keep_by_known(list, n, given, count);
}
