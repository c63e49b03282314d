#include "exec/ops/sample.h"

#include "base/hash.h"
#include "exec/eval.h"

enum status sample_begin(struct sample *s, struct execution *x, const struct table_sample *def,
                         uint64_t seed)
{
    struct datum d;
    *s = (struct sample){.by_block = def->by_block, .seed = seed};
    TRY(exec_eval_row(x, def->percent, NULL, x->arena, &d));
    if (d.null) return FAIL(INVALID_TABLESAMPLE_ARGUMENT, "TABLESAMPLE parameter cannot be null");
    double percent = (double)d.v.f32;
    if (def->seed) {
        TRY(exec_eval_row(x, def->seed, NULL, x->arena, &d));
        if (d.null)
            return FAIL(INVALID_TABLESAMPLE_REPEAT,
                        "TABLESAMPLE REPEATABLE parameter cannot be null");
        s->seed = value_hash(TYPE_FLOAT8, &d.v);
    }
    if (!(percent >= 0 && percent <= 100))
        return FAIL(INVALID_TABLESAMPLE_ARGUMENT, "sample percentage must be between 0 and 100");
    s->cutoff = (uint64_t)(percent / 100 * 4294967296.0 + 0.5);
    return OK;
}

uint32_t sample_take(struct sample *s, struct slice *keys, struct slice *rows, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++, s->place++) {
        uint64_t hash = s->by_block ? hash_combine(s->seed, s->place / SAMPLE_BLOCK_ROWS)
                                    : hash_bytes_seeded(keys[i].data, keys[i].len, s->seed);
        if ((hash >> 32) >= s->cutoff) continue;
        keys[n] = keys[i];
        rows[n++] = rows[i];
    }
    return n;
}
