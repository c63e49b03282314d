/* Server settings: one table names each with its type, default, bounds, unit and a line of help.
 * Order of precedence: command line, HELIOS_* environment, helios.conf, default. */
#ifndef HELIOS_BASE_CONFIG_H
#define HELIOS_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum setting_kind { SETTING_STRING, SETTING_INT, SETTING_BOOL, SETTING_BYTES, SETTING_MS };
enum setting_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_FLAG };

struct setting_def {
    const char *name; /* "wal.group_commit_window" */
    enum setting_kind kind;
    const char *default_value;
    int64_t min, max; /* of numbers */
    const char *help;
    const char *choices; /* of strings: "a|b|c"; NULL: any */
};

struct config;

/* All settings of the server, in the order of docs/settings.md. */
const struct setting_def *config_defs(int *ret_count);

struct config *config_new(void);
void config_free(struct config *c);
/* `name = value` lines, # comments, quotes as in postgresql.conf; errors name file and line. */
enum status config_load_file(struct config *c, const char *path);
/* HELIOS_WAL_GROUP_COMMIT_WINDOW for wal.group_commit_window. Other HELIOS_* variables are not ours
 * and passed over. */
enum status config_load_env(struct config *c, char **environ_list);
/* A value of an earlier, stronger source stays. Checks kind and bounds: CONFIG_FILE_ERROR for unknown names and bad values. Sizes take kB MB GB,
 * times ms s min h. */
enum status config_set(struct config *c, const char *name, const char *value,
                       enum setting_source source);
/* What a value of that setting would be, in bytes or ms; false: it cannot be one. */
bool config_read(const char *name, const char *value, int64_t *ret);
const char *config_string(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name); /* bytes and ms too */
bool config_bool(const struct config *c, const char *name);
enum setting_source config_source(const struct config *c, const char *name);

#endif
