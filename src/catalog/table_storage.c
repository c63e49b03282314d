#include "catalog/table_storage.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
    [STORAGE_ROW] = "row",       [STORAGE_DUAL] = "dual",
    [STORAGE_COLUMN] = "column", [STORAGE_HYBRID] = "hybrid",
    [STORAGE_COMPRESSED] = "compressed",
};

static const char auto_word[] = "auto";

bool table_storage_read(const char *text, enum table_storage *ret)
{
    size_t len = sizeof auto_word - 1;
    *ret = STORAGE_ROW;
    if (strcasecmp(text, auto_word) == 0) return true;
    if (strncasecmp(text, auto_word, len) == 0 && text[len] == ':') text += len + 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i]) != 0) continue;
        *ret = (enum table_storage)i;
        return true;
    }
    return false;
}

const char *table_storage_name(enum table_storage s)
{
    return names[s];
}

bool table_option(const struct table_def *t, const char *name, char *ret, size_t room)
{
    size_t len = strlen(name);
    for (const char *p = t->options; p && *p;) {
        size_t n = strcspn(p, ",");
        if (n > len && p[len] == '=' && memcmp(p, name, len) == 0) {
            size_t value = n - len - 1;
            if (value >= room) return false;
            memcpy(ret, p + len + 1, value);
            ret[value] = '\0';
            return true;
        }
        p += n + (p[n] == ',');
    }
    return false;
}

enum table_storage table_storage(const struct table_def *t)
{
    char value[32];
    enum table_storage s = STORAGE_ROW;
    if (table_option(t, STORAGE_OPTION, value, sizeof value) && !table_storage_read(value, &s))
        return STORAGE_ROW;
    return s;
}

bool table_storage_is_auto(const struct table_def *t)
{
    char value[32];
    return !table_option(t, STORAGE_OPTION, value, sizeof value) ||
           strncasecmp(value, auto_word, sizeof auto_word - 1) == 0;
}
