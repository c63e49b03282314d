/* The settings file, and each line's value as a flag. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"

const char *const fuzz_words[] = {
    "data_dir = ", "listen = ", "pg_port = ", "max_connections = ", "cache_bytes = ",
    "wal.commit_mode = ",
    "checkpoint_interval = ", "tls.mode = ", "auth.allow_insecure = ", "'", "''", "\\'", "#", "=",
    "MB", "GB", "kB", "ms", "min", "h", "on", "off", "auto", "-1", "9223372036854775807", "1e3",
    "\n", NULL};

static char path[300];

static void remove_file(void)
{
    unlink(path);
}

static void write_all(struct slice s)
{
    const char *dir = getenv("TMPDIR");
    if (!path[0]) {
        snprintf(path, sizeof path, "%.200s/fuzz-%d.conf", dir ? dir : "/tmp", getpid());
        atexit(remove_file);
    }
    FILE *f = fopen(path, "w");
    if (!f || fwrite(s.data, 1, s.len, f) != s.len || fclose(f) != 0)
        fuzz_fail("cannot write %s", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct config *c = config_new();
    int count;
    const struct setting_def *defs = config_defs(&count);
    if (size <= 8192) {
        fuzz_quiet();
        write_all(fuzz_rest(&in));
        if (config_load_file(c, path) == OK)
            for (int i = 0; i < count; i++) {
                if (defs[i].kind == SETTING_STRING) FUZZ_CHECK(config_string(c, defs[i].name));
                else if (defs[i].kind != SETTING_BOOL)
                    FUZZ_CHECK(config_int(c, defs[i].name) >= defs[i].min &&
                               config_int(c, defs[i].name) <= defs[i].max);
            }
        else FUZZ_CHECK(error_current()->message[0]);
        char *value = strndup((const char *)data, size);
        for (int i = 0; i < count; i++) (void)!config_set(c, defs[i].name, value, SOURCE_FLAG);
        free(value);
    }
    config_free(c);
    return 0;
}
