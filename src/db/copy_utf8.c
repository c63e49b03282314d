/* Whether bytes from a client are UTF-8. Most data is ASCII: words of eight bytes are looked
 * at whole, and only where one has a high bit or a zero is it looked at closely. */
#include "db/copy_priv.h"

/* Length of the character at s, or 0: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t character_bytes(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0];
    size_t n = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (lead > 0 && lead < 0x80) return 1;
    if (n == 0 || left < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool bad = (lead == 0xe0 && s[1] < 0xa0) || (lead == 0xed && s[1] > 0x9f) ||
               (lead == 0xf0 && s[1] < 0x90) || (lead == 0xf4 && s[1] > 0x8f);
    return bad ? 0 : n;
}

/* PostgreSQL names as many bytes as the lead byte promises. */
static enum status refuse(const unsigned char *s, size_t left)
{
    size_t n = s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
    if (s[0] >= 0xf8) n = 1;
    if (n > left) n = left;
    switch (n) {
    case 1:
        return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x%02x", s[0]);
    case 2:
        return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x%02x 0x%02x", s[0], s[1]);
    case 3:
        return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x%02x 0x%02x 0x%02x", s[0], s[1],
                    s[2]);
    default:
        return FAIL(CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x%02x 0x%02x 0x%02x 0x%02x",
                    s[0], s[1], s[2], s[3]);
    }
}

enum status session_check_text(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    const unsigned char *end = p + s.len;
    while (p < end) {
        uint64_t word;
        if (end - p >= 8) {
            memcpy(&word, p, 8);
            if (((word | (word - 0x0101010101010101)) & 0x8080808080808080) == 0) {
                p += 8;
                continue;
            }
        }
        size_t n = character_bytes(p, (size_t)(end - p));
        if (n == 0) return refuse(p, (size_t)(end - p));
        p += n;
    }
    return OK;
}
