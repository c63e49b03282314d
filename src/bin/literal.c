#include "bin/literal.h"

void literal_add(struct strbuf *out, const char *text)
{
    strbuf_adds(out, "E'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') strbuf_addc(out, *text);
        strbuf_addc(out, *text);
    }
    strbuf_addc(out, '\'');
}
