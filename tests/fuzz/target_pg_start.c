/* What a client may send before it is logged in: startup packets, requests for TLS or GSS, cancel
 * requests, SCRAM messages. The first byte says whether the server wants a password. */
#include "fuzz.h"
#include "wire.h"

const char *const fuzz_words[] = {
    "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "n,,n=,r=", "y,,n=,r=", "p=tls-server-end-point,,",
    "c=biws,r=", ",p=", ",m=", "user", "database", "postgres", "someone", "options", "-c ",
    "replication", "client_encoding", "UTF8", "_pq_.", "TimeZone", "DateStyle",
    "search_path", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    bool password = fuzz_u8(&in) & 1;
    if (size > 20000) return 0;
    fuzz_quiet();
    struct slice answer = wire_talk(fuzz_rest(&in), password);
    /* A refusal of TLS or GSS is one byte, and nothing of it is a message. */
    while (answer.len && (answer.data[0] == 'N' || answer.data[0] == 'S') &&
           (answer.len == 1 || answer.data[1] != 0)) {
        answer.data++;
        answer.len--;
    }
    (void)wire_check_answer(answer);
    return 0;
}
