/* What both backends share: the error of the last statement. */
#include "shell/backend.h"

void backend_error_init(struct backend_error *e)
{
    memset(e, 0, sizeof(*e));
    strbuf_init(&e->message, NULL);
    strbuf_init(&e->detail, NULL);
    strbuf_init(&e->hint, NULL);
    strbuf_init(&e->context, NULL);
    strbuf_init(&e->where, NULL);
    backend_error_clear(e);
}

void backend_error_release(struct backend_error *e)
{
    strbuf_release(&e->message);
    strbuf_release(&e->detail);
    strbuf_release(&e->hint);
    strbuf_release(&e->context);
    strbuf_release(&e->where);
}

void backend_error_clear(struct backend_error *e)
{
    struct strbuf *all[] = {&e->message, &e->detail, &e->hint, &e->context, &e->where};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        strbuf_reserve(all[i], 1);
        strbuf_clear(all[i]);
    }
    e->position = 0;
    memcpy(e->severity, "ERROR", 6);
    e->sqlstate[0] = '\0';
}
