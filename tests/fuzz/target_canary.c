/* Breaks at "HELIOS!": proof that the harness finds what it is there to find, and reports it. No
 * file of its corpus does; mutations lead there. */
#include "fuzz.h"

#include <stdlib.h>

const char *const fuzz_words[] = {"HEL", "IOS", "!", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 7 || memcmp(data, "HELIOS", 6) != 0) return 0;
    if (data[6] == '!') abort();
    return 0;
}
