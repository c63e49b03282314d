/* Verification of the whole store: what lies under the trees is forest_verify's, the log is
 * wal_verify's; this puts them together. */
#include "core/mvcc/mvcc_priv.h"

static enum status verify_log(struct store *s, const struct verify_sink *sink)
{
    uint64_t records = 0;
    struct verify_finding f = {.object = "write-ahead log", .kind = "checksum"};
    char words[ERROR_TEXT_MAX];
    if (wal_verify(s->wal, &records) != OK) {
        memcpy(words, error_current()->message, sizeof words);
        f.problem = words;
        error_clear();
    }
    f.checked = records;
    return sink->found(sink->ctx, &f);
}

enum status store_verify(struct store *s, const struct verify_sink *sink)
{
    epoch_collect(s->epoch); /* gives back what only waited for that */
    TRY(verify_log(s, sink));
    return forest_verify(s->forest, s->o.background == NULL, &s->visible_ts, sink);
}
