/* Whether the next flush waits a moment for those whom the last one has served.
 *
 * Committers that go on at once fall into two halves: while the records of one are with the disk the other
 * stages, and each flush carries half of what it could. A pause of two turns of the worker lets the first half
 * stage, too. Whether that pays is measured, since committers that first hear from their clients will not be
 * there in time: now and then a pause is made to see how many join in it. It is made always while so many do that
 * flush and pause together carry more a second than flushes alone, each of which would carry a half, or more. */
#include "core/wal/wal_priv.h"

enum { PROBE_FLUSHES = 32 };
static const float GAIN_MIN = 1.1f, LEARN = 1 / 8.0f;

static void learn(float *mean, float x)
{
    *mean += (x - *mean) * LEARN;
}

void wal__pace_begin(struct wal_pace *p, uint32_t records, int64_t now_us)
{
    if (p->pausing) {
        learn(&p->pause_us, (float)(now_us - p->ended_us));
        learn(&p->joined, (float)(records - p->staged_now));
        p->pausing = false;
    }
    p->began_us = now_us;
}

bool wal__pace_end(struct wal_pace *p, uint32_t staged, int64_t now_us)
{
    p->ended_us = now_us;
    p->staged_now = staged;
    learn(&p->flush_us, (float)(p->ended_us - p->began_us));
    if (!staged) return false;
    learn(&p->staged, (float)staged);
    float all = p->staged + p->joined, half = p->staged > all / 2 ? p->staged : all / 2;
    p->pausing = ++p->flushes % PROBE_FLUSHES == 0 ||
                 all * p->flush_us > half * (p->flush_us + p->pause_us) * GAIN_MIN;
    return p->pausing;
}
