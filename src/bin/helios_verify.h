/* `helios verify DIR [--json]`. */
#ifndef HELIOS_BIN_HELIOS_VERIFY_H
#define HELIOS_BIN_HELIOS_VERIFY_H

/* The arguments after "verify". Returns the exit code: 0 sound, 1 problems, 2 it could not run. */
int helios_verify(int argc, char **argv);

#endif
