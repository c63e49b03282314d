/* Loops over columns that the compiler turns into vector code: VECTOR_CODE before a function makes it in
 * three forms, for every x86-64, for AVX2 and for AVX-512, of which the loader takes the one that the
 * processor has. Sanitizers are not set up yet when it does so, and get the first form alone. */
#ifndef HELIOS_BASE_VECTOR_H
#define HELIOS_BASE_VECTOR_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define VECTOR_CODE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define VECTOR_CODE
#endif

#endif
