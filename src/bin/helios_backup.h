#ifndef HELIOS_BIN_HELIOS_BACKUP_H
#define HELIOS_BIN_HELIOS_BACKUP_H

/* `helios backup` and `helios restore`; returns the exit status. */
int helios_backup(int argc, char **argv);
int helios_restore(int argc, char **argv);
/* Tells whether that backup is sound. */
int helios_verify_backup(const char *path);

#endif
