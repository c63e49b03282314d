#include "types/unicode.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/status.h"
#include "base/mem.h"

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.data[i] >= 0x80) return false;
    return true;
}

static const UNormalizer2 *normalizer(enum unicode_form form)
{
    UErrorCode e = U_ZERO_ERROR;
    const UNormalizer2 *n = NULL;
    switch (form) {
    case UNICODE_NFC: n = unorm2_getNFCInstance(&e); break;
    case UNICODE_NFD: n = unorm2_getNFDInstance(&e); break;
    case UNICODE_NFKC: n = unorm2_getNFKCInstance(&e); break;
    case UNICODE_NFKD: n = unorm2_getNFKDInstance(&e); break;
    }
    ASSERT(n && U_SUCCESS(e)); /* its tables are part of the library */
    return n;
}

void unicode_normalize(struct slice s, enum unicode_form form, struct strbuf *out)
{
    if (is_ascii(s)) {
        strbuf_add(out, s.data, s.len);
        return;
    }
    UErrorCode e = U_ZERO_ERROR;
    int32_t len, made, bytes;
    UChar *from = mem_alloc(MEM_QUERY, (s.len + 1) * sizeof *from), *to;
    u_strFromUTF8(from, (int32_t)s.len + 1, &len, s.data, (int32_t)s.len, &e);
    ASSERT(U_SUCCESS(e));
    made = unorm2_normalize(normalizer(form), from, len, NULL, 0, &e);
    e = U_ZERO_ERROR;
    to = mem_alloc(MEM_QUERY, ((size_t)made + 1) * sizeof *to);
    made = unorm2_normalize(normalizer(form), from, len, to, made + 1, &e);
    ASSERT(U_SUCCESS(e));
    char *utf8 = mem_alloc(MEM_QUERY, (size_t)made * 3 + 1); /* a unit is at most three bytes */
    u_strToUTF8(utf8, made * 3 + 1, &bytes, to, made, &e);
    ASSERT(U_SUCCESS(e));
    strbuf_add(out, utf8, (size_t)bytes);
    mem_free(MEM_QUERY, utf8);
    mem_free(MEM_QUERY, to);
    mem_free(MEM_QUERY, from);
}
