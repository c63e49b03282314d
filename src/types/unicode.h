/* What needs the character database of Unicode (ICU's). */
#ifndef HELIOS_TYPES_UNICODE_H
#define HELIOS_TYPES_UNICODE_H

#include "base/str.h"

/* Normal forms: Unicode Standard Annex 15. */
enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
/* Appends the form of valid UTF-8. */
void unicode_normalize(struct slice s, enum unicode_form form, struct strbuf *out);

#endif
