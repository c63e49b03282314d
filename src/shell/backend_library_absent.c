/* In a build without the library: servers only. */
#include "shell/backend.h"

struct backend *backend_library_open(const struct backend_target *t, struct strbuf *ret_error)
{
    (void)t;
    strbuf_adds(ret_error,
                "this build has no embedded database; give a server: -h HOST -p PORT, or "
                "postgresql://USER@HOST:PORT/DATABASE");
    return NULL;
}
