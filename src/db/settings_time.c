/* Numbers with a unit among the settings; times: reading, printing, and what PostgreSQL says of those that
 * are none. */
#include "db/session_priv.h"

#include <stdlib.h>

bool settings__read_with_unit(const char *v, const struct setting_unit *units, size_t unit_count,
                              double *ret, const char **ret_unit)
{
    char *end;
    double x = strtod(v, &end);
    *ret_unit = NULL;
    if (end == v) return false;
    while (*end == ' ') end++;
    *ret_unit = end;
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        *ret = x * units[i].factor;
        return true;
    }
    return false;
}

static bool read_ms(const char *v, double *ret, const char **ret_unit)
{
    static const struct setting_unit units[] = {{"", 1},     {"us", 0.001},  {"ms", 1},
                                                {"s", 1000}, {"min", 60000}, {"h", 3600000},
                                                {"d", 86400000}};
    return settings__read_with_unit(v, units, sizeof units / sizeof units[0], ret, ret_unit);
}

bool settings__parse_ms(const char *v, int64_t *ret)
{
    const char *unit;
    double x;
    if (!read_ms(v, &x, &unit) || !(x >= 0 && x <= INT32_MAX)) return false;
    *ret = (int64_t)(x + 0.5);
    return true;
}

enum status settings__bad_ms(const char *name, const char *value)
{
    const char *unit;
    double x = 0;
    bool read = read_ms(value, &x, &unit);
    if (read && x < 0 && x >= INT32_MIN)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "%lld ms is outside the valid range for parameter \"%s\" (0 .. 2147483647)",
                    (long long)(x - 0.5), name);
    enum status st = FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": \"%s\"", name,
                          value);
    if (read) return error_hint("Value exceeds integer range.");
    if (!unit) return st;
    return error_hint("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and "
                      "\"d\".");
}

void settings__print_ms(int64_t ms, struct strbuf *out)
{
    if (ms == 0) strbuf_adds(out, "0");
    else if (ms % 86400000 == 0) strbuf_addf(out, "%lldd", (long long)(ms / 86400000));
    else if (ms % 3600000 == 0) strbuf_addf(out, "%lldh", (long long)(ms / 3600000));
    else if (ms % 60000 == 0) strbuf_addf(out, "%lldmin", (long long)(ms / 60000));
    else if (ms % 1000 == 0) strbuf_addf(out, "%llds", (long long)(ms / 1000));
    else strbuf_addf(out, "%lldms", (long long)ms);
}
