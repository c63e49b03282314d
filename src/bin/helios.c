/* The tool beside the server. `helios inspect FILE` explains a file of a data directory. */
#include <stdio.h>
#include <string.h>

#include "bin/helios_backup.h"
#include "bin/helios_import.h"
#include "bin/helios_verify.h"
#include "core/store.h"
#include "shell/shell.h"

static int usage(void)
{
    fputs("helios, the HeliosDB tool\n"
          "\n"
          "Usage: helios inspect FILE   explain a block file, log file or manifest of a data directory\n"
          "       helios backup DIR|ADDRESS FILE   write all of a database to one file\n"
          "                 [--incremental-from FILE]   only what that backup has not\n"
          "                 [--compress]                with zstd\n"
          "       helios restore FILE DIR          make a data directory of it\n"
          "                 [--archive DIR]   and of archived log, up to its end, or:\n"
          "                 [--to latest | --to-time TIME | --to-transaction N]\n"
          "       helios verify DIR|FILE   look at every byte of a data directory [--json] or backup\n"
          "       helios import FILE --into TABLE [--create] [DIR|ADDRESS]   CSV, JSON or Parquet\n"
          "                 into a table; helios import --help tells more\n"
          "       helios sql [DIR | ADDRESS]   the SQL shell; helios sql --help tells more\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "verify") == 0) return helios_verify(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "backup") == 0) return helios_backup(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "restore") == 0) return helios_restore(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "import") == 0) return helios_import(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "sql") == 0) return shell_main(argc - 1, argv + 1);
    if (argc != 3 || strcmp(argv[1], "inspect") != 0) return usage();
    struct strbuf out;
    strbuf_init(&out, NULL);
    enum status st = store_inspect(os_real(), argv[2], &out);
    if (out.len) fwrite(out.data, 1, out.len, stdout);
    strbuf_release(&out);
    if (st == OK) return 0;
    fprintf(stderr, "helios: %s\n", error_current()->message);
    return 1;
}
