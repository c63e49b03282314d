/* `helios import`: a file of CSV, JSON lines or Parquet into a table, which it may make. */
#ifndef HELIOS_BIN_HELIOS_IMPORT_H
#define HELIOS_BIN_HELIOS_IMPORT_H

/* The arguments behind the sub-command's name. Exit code: 0 fine, 1 the load failed, 2 it could not
 * begin. */
int helios_import(int argc, char **argv);

#endif
