/* A gateway on a Unix socket before the small database, for the targets of the wire. */
#ifndef HELIOS_TESTS_FUZZ_WIRE_H
#define HELIOS_TESTS_FUZZ_WIRE_H

#include "base/str.h"

/* Connects, sends the bytes, ends the stream, reads what comes until the server closes, and waits
 * until the session is gone. What came is appended to `ret` and lies there until the next call. */
struct slice wire_talk(struct slice sent, bool password);
/* Walks over the answer: each message whole and of a known type; fails the run on an error of class
 * XX. `skip`: bytes before the first message. Counts ReadyForQuery. */
uint32_t wire_check_answer(struct slice answer);

#endif
