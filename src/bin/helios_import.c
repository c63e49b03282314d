/* `helios import FILE --into TABLE`: works out what the file is, and has COPY load it: a server
 * gets the bytes from here, an embedded database reads the file. Creating the table and loading it
 * are one transaction. */
#include "bin/helios_import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "bin/import_progress.h"
#include "bin/infer.h"
#include "bin/literal.h"
#include "shell/backend.h"

enum { DONE = 0, FAILED = 1, CANNOT_RUN = 2, SAMPLE_BYTES = 16 << 20 };
enum file_format { FILE_UNKNOWN, FILE_CSV, FILE_JSON, FILE_PARQUET };
static const char *const format_names[] = {"", "csv", "json", "parquet"};

struct import {
    /* what was asked for */
    const char *file, *into, *columns, *null_text, *reject_table, *reject_limit, *reads_as;
    struct backend_target target;
    bool create, dry_run, quiet, text;
    char delimiter;
    int header; /* -1: to be found out */
    /* the file */
    enum file_format format;
    FILE *input;
    char *sample;
    size_t sample_len, sample_at;
    bool whole;      /* the sample is all */
    uint64_t bytes;  /* 0: not known */
    struct infer infer;
    struct arena arena;
    struct backend *b;
    struct import_progress progress;
    uint64_t rows;
};

static const char usage[] =
    "helios import: a file into a table\n"
    "\n"
    "Usage: helios import FILE --into TABLE [OPTION]... [DIR | "
    "postgresql://USER@HOST:PORT/DATABASE]\n"
    "\n"
    "FILE is CSV, JSON lines or Parquet, as its name or its beginning tells; - is standard input. "
    "Without a\n"
    "place: a server, where -h, -p, -U, -d or the environment say; DIR: a database directory, "
    "opened here.\n"
    "\n"
    "  --create             make the table, with columns as the file has them\n"
    "  --dry-run            show what would be made and run, and leave\n"
    "  --text               with --create: every column is text\n"
    "  --format csv|json|parquet    in place of what the name tells\n"
    "  --header, --no-header        CSV: the first line is names, or is not\n"
    "  --delimiter CHARACTER        CSV: in place of what is found\n"
    "  --null TEXT                  CSV: what stands for NULL, in place of nothing\n"
    "  --columns A,B,...            the table's columns that are filled, in the file's order for "
    "CSV\n"
    "  --reject-table TABLE         bad rows go there, --reject-limit N of them at most\n"
    "  -h HOST  -p PORT  -U USER  -d DATABASE  -W   the server; -W asks for a password\n"
    "  -q                   say nothing when all is well\n"
    "\n"
    "Exit codes: 0 fine, 1 nothing was loaded, 2 it could not begin. docs/loading.md tells all.\n";

static int cannot(const char *what, const char *which)
{
    fprintf(stderr, "helios import: %s%s\n", what, which);
    return CANNOT_RUN;
}

/* --- the command line ----------------------------------------------------------------------- */

static bool set_valued(struct import *im, const char *name, const char *v)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--into", &im->into},          {"--columns", &im->columns},
                 {"--null", &im->null_text},     {"--reject-table", &im->reject_table},
                 {"--reject-limit", &im->reject_limit}, {"--format", &im->reads_as},
                 {"-h", &im->target.host},       {"-p", &im->target.port},
                 {"-U", &im->target.user},       {"-d", &im->target.database}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) return *texts[i].to = v, true;
    if (strcmp(name, "--delimiter") != 0) return false;
    im->delimiter = strcmp(v, "\\t") == 0 ? '\t' : v[0];
    return true;
}

static bool set_flag(struct import *im, const char *a)
{
    if (strcmp(a, "--create") == 0) im->create = true;
    else if (strcmp(a, "--dry-run") == 0) im->dry_run = true;
    else if (strcmp(a, "--text") == 0) im->text = true;
    else if (strcmp(a, "--header") == 0) im->header = 1;
    else if (strcmp(a, "--no-header") == 0) im->header = 0;
    else if (strcmp(a, "-q") == 0) im->quiet = true;
    else if (strcmp(a, "-W") == 0) im->target.ask_password = true;
    else return false;
    return true;
}

static void set_place(struct import *im, const char *a)
{
    bool address = strncmp(a, "postgresql://", 13) == 0 || strncmp(a, "postgres://", 11) == 0 ||
                   strchr(a, '=');
    if (address) im->target.address = a;
    else im->target.path = a;
}

static int parse(struct import *im, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--help") == 0) return fputs(usage, stdout), -1;
        if (a[0] != '-' || a[1] == '\0') {
            if (im->file && (im->target.path || im->target.address))
                return cannot("too many names: ", a);
            if (im->file) set_place(im, a);
            else im->file = a;
            continue;
        }
        if (set_flag(im, a)) continue;
        if (i + 1 == argc) return cannot("unknown option, or a value is missing: ", a);
        if (!set_valued(im, a, argv[++i])) return cannot("unknown option ", a);
    }
    if (!im->file || !im->into) return fputs(usage, stderr), CANNOT_RUN;
    im->target.server = !im->target.path;
    return DONE;
}

/* --- the file ------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

static enum file_format format_of(const struct import *im)
{
    static const struct {
        const char *end;
        enum file_format format;
    } ends[] = {{".parquet", FILE_PARQUET}, {".json", FILE_JSON}, {".jsonl", FILE_JSON},
                {".ndjson", FILE_JSON}, {".csv", FILE_CSV}, {".tsv", FILE_CSV}};
    for (int i = FILE_CSV; im->reads_as && i <= FILE_PARQUET; i++)
        if (strcmp(im->reads_as, format_names[i]) == 0) return (enum file_format)i;
    if (im->reads_as) return FILE_UNKNOWN;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(im->file, ends[i].end)) return ends[i].format;
    if (slice_starts(slice_make(im->sample, im->sample_len), SLICE("PAR1"))) return FILE_PARQUET;
    size_t at = 0;
    while (at < im->sample_len && strchr(" \t\r\n", im->sample[at])) at++;
    return at < im->sample_len && im->sample[at] == '{' ? FILE_JSON : FILE_CSV;
}

static int open_file(struct import *im)
{
    struct stat st;
    bool standard = strcmp(im->file, "-") == 0;
    im->input = standard ? stdin : fopen(im->file, "rb");
    if (!im->input) return cannot("cannot read ", im->file);
    if (fstat(fileno(im->input), &st) == 0 && S_ISDIR(st.st_mode))
        return cannot("is a directory: ", im->file);
    if (S_ISREG(st.st_mode)) im->bytes = (uint64_t)st.st_size;
    im->sample = arena_alloc(&im->arena, SAMPLE_BYTES);
    im->sample_len = fread(im->sample, 1, SAMPLE_BYTES, im->input);
    im->whole = im->sample_len < SAMPLE_BYTES;
    im->format = format_of(im);
    if (im->format == FILE_UNKNOWN)
        return cannot("the format is csv, json or parquet, not ", im->reads_as);
    if (standard && (im->format == FILE_PARQUET || im->target.path))
        return cannot("this needs a file, not standard input", "");
    return DONE;
}

static int look(struct import *im)
{
    struct slice sample = slice_make(im->sample, im->sample_len);
    char delimiter = im->delimiter ? im->delimiter : ends_with(im->file, ".tsv") ? '\t' : '\0';
    infer_init(&im->infer, &im->arena);
    im->infer.all_text = im->text;
    if (im->format == FILE_CSV) infer_csv(&im->infer, sample, im->whole, delimiter, im->header);
    else if (im->format == FILE_JSON) infer_json(&im->infer, sample, im->whole);
    else if (infer_parquet(&im->infer, im->file) != OK) return cannot("", error_current()->message);
    if (im->create && im->infer.count == 0)
        return cannot("no columns were found in ", im->file);
    return DONE;
}

/* --- statements ----------------------------------------------------------------------------- */

static void print_create(const struct import *im, struct strbuf *out)
{
    strbuf_addf(out, "CREATE TABLE %s (\n", im->into);
    infer_print_columns(&im->infer, out);
    strbuf_adds(out, "\n)");
}

/* Names of the file's columns where they say what is filled: a CSV's header, a table made of them.
 */
static void print_names(const struct import *im, struct strbuf *out)
{
    bool known = im->create || (im->format == FILE_CSV && im->infer.header);
    if (im->columns) strbuf_addf(out, " (%s)", im->columns);
    if (im->columns || !known || im->format == FILE_JSON) return;
    strbuf_adds(out, " (");
    for (uint32_t i = 0; i < im->infer.count; i++) {
        if (i > 0) strbuf_adds(out, ", ");
        infer_print_name(im->infer.columns[i].name, out);
    }
    strbuf_addc(out, ')');
}

static bool print_copy(struct import *im, struct strbuf *out)
{
    char path[PATH_MAX];
    strbuf_addf(out, "COPY %s", im->into);
    print_names(im, out);
    strbuf_adds(out, " FROM ");
    if (im->target.path) {
        if (!realpath(im->file, path) || strlen(path) >= OS_PATH_MAX) return false;
        literal_add(out, path);
    } else {
        strbuf_adds(out, "STDIN");
    }
    strbuf_addf(out, " (FORMAT %s", format_names[im->format]);
    if (im->format == FILE_CSV) {
        char delimiter[] = {im->infer.delimiter, '\0'};
        strbuf_adds(out, ", DELIMITER ");
        literal_add(out, delimiter);
        if (im->infer.header) strbuf_adds(out, ", HEADER");
        if (im->null_text) strbuf_adds(out, ", NULL "), literal_add(out, im->null_text);
    }
    if (im->reject_table) strbuf_adds(out, ", REJECT_TABLE "), literal_add(out, im->reject_table);
    if (im->reject_limit) strbuf_adds(out, ", REJECT_LIMIT "), literal_add(out, im->reject_limit);
    strbuf_addc(out, ')');
    return true;
}

/* --- running -------------------------------------------------------------------------------- */

static int give_bytes(void *ctx, char *buffer, int size)
{
    struct import *im = ctx;
    size_t n = im->sample_len - im->sample_at;
    if (n > (size_t)size) n = (size_t)size;
    if (n > 0) memcpy(buffer, im->sample + im->sample_at, n);
    else n = fread(buffer, 1, (size_t)size, im->input);
    if (im->sample_at < im->sample_len) im->sample_at += n;
    if (n == 0 && ferror(im->input)) return -1;
    import_progress_add(&im->progress, n);
    return (int)n;
}

static void take_tag(void *ctx, const char *tag, int64_t rows)
{
    struct import *im = ctx;
    (void)rows;
    if (strncmp(tag, "COPY ", 5) == 0) im->rows = strtoull(tag + 5, NULL, 10);
}

static void on_notice(void *ctx, const char *severity, const char *message, const char *detail,
                      const char *hint)
{
    struct import *im = ctx;
    (void)detail, (void)hint;
    import_progress_erase(&im->progress);
    fprintf(stderr, "%s: %s\n", severity, message);
}

static void tell_error(struct import *im)
{
    const struct backend_error *e = &im->b->error;
    import_progress_erase(&im->progress);
    fprintf(stderr, "helios import: %s\n",
            e->message.len ? e->message.data : "the connection is lost");
    if (e->detail.len) fprintf(stderr, "  %s\n", e->detail.data);
    if (e->context.len) fprintf(stderr, "  %s\n", e->context.data);
    if (e->hint.len) fprintf(stderr, "  hint: %s\n", e->hint.data);
    if (strcmp(e->sqlstate, "42P01") == 0 && !im->create)
        fputs("  hint: --create makes the table.\n", stderr);
    if (strncmp(e->sqlstate, "22", 2) == 0 && im->create && im->format != FILE_PARQUET)
        fprintf(
            stderr,
            "  hint: the columns' types were worked out from the first %llu rows; --text makes all "
            "of them text.\n",
            (unsigned long long)im->infer.rows);
    fputs("  Nothing was loaded.\n", stderr);
}

static bool run(struct import *im, const char *sql)
{
    const struct backend_sink sink = {.copy_in = give_bytes, .done = take_tag, .ctx = im};
    if (im->b->ops->run(im->b, sql, &sink)) return true;
    tell_error(im);
    return false;
}

static bool load(struct import *im, const char *create, const char *copy)
{
    const struct backend_sink quiet = {.ctx = im};
    import_progress_begin(&im->progress, im->bytes);
    bool fine =
        run(im, "BEGIN") && (!im->create || run(im, create)) && run(im, copy) && run(im, "COMMIT");
    if (!fine) (void)im->b->ops->run(im->b, "ROLLBACK", &quiet);
    import_progress_erase(&im->progress);
    return fine;
}

static int connect_and_load(struct import *im, const char *create, const char *copy)
{
    struct strbuf text;
    strbuf_init(&text, NULL);
    im->target.notice = on_notice;
    im->target.notice_ctx = im;
    im->b = im->target.server ? backend_server_open(&im->target, &text)
                              : backend_library_open(&im->target, &text);
    int code = im->b ? FAILED : cannot("", text.data);
    if (im->b && load(im, create, copy)) {
        strbuf_clear(&text);
        import_progress_summary(&im->progress, im->rows, &text);
        if (!im->quiet) printf("%s\n", text.data);
        code = DONE;
    }
    if (im->b) im->b->ops->close(im->b);
    strbuf_release(&text);
    return code;
}

static int import(struct import *im)
{
    struct strbuf create, copy;
    strbuf_init(&create, &im->arena);
    strbuf_init(&copy, &im->arena);
    int code = open_file(im);
    if (code == DONE) code = look(im);
    if (code != DONE) return code;
    print_create(im, &create);
    if (!print_copy(im, &copy)) return cannot("the path is too long: ", im->file);
    if (im->dry_run) {
        if (im->create) printf("%s;\n", create.data);
        printf("%s;\n", copy.data);
        return DONE;
    }
    return connect_and_load(im, create.data, copy.data);
}

int helios_import(int argc, char **argv)
{
    struct import im = {.header = -1};
    arena_init(&im.arena, MEM_BASE);
    int code = parse(&im, argc, argv);
    if (code == DONE) code = import(&im);
    if (im.input && im.input != stdin) fclose(im.input);
    arena_release(&im.arena);
    return code < 0 ? DONE : code;
}
