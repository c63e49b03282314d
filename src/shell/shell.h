/* `helios sql`: the interactive shell, and statements from scripts. */
#ifndef HELIOS_SHELL_SHELL_H
#define HELIOS_SHELL_SHELL_H

/* argv[0] is the sub-command's name. Returns the exit code: 0 fine, 1 the shell's own trouble or a
 * failed -c, 2 the connection is lost or could not be made, 3 a script stopped at an error. */
int shell_main(int argc, char **argv);

#endif
