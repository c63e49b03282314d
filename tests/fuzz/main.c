/* Runs a fuzz target without libFuzzer, as gcc builds and `meson test` do: replays the inputs
 * given, files and folders; with --mutate N then runs N inputs that it makes from them by a seed.
 *
 *     fuzz_sql [--mutate N] [--seed S] [--seconds T] [--save FILE] PATH...
 *
 * The input at work lies in FILE (default: fuzz-<pid>.input in $TMPDIR) from before it runs until
 * it has ended, so a crash leaves its reproducer behind. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"

enum { INPUTS_MAX = 20000, INPUT_BYTES_MAX = 1 << 16, RUN_SECONDS_MAX = 60 };

struct input {
    uint8_t *data;
    size_t len;
    char *path;
};

static struct input corpus[INPUTS_MAX];
static int corpus_count;
static char saved_path[4096];
static int saved_file;

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

/* --- the corpus ----------------------------------------------------------------------------- */

static void load_file(const char *path, off_t bytes)
{
    if (corpus_count == INPUTS_MAX) return;
    struct input *in = &corpus[corpus_count++];
    size_t len = (size_t)bytes < INPUT_BYTES_MAX ? (size_t)bytes : INPUT_BYTES_MAX;
    int fd = open(path, O_RDONLY);
    in->data = malloc(len + 1);
    in->path = strdup(path);
    if (fd < 0 || read(fd, in->data, len) != (ssize_t)len) die("cannot read", path);
    in->len = len;
    close(fd);
}

static int not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void load(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) die("cannot open", path);
    if (!S_ISDIR(st.st_mode)) {
        load_file(path, st.st_size);
        return;
    }
    struct dirent **names;
    int n = scandir(path, &names, not_hidden, alphasort); /* sorted: a seed means the same run */
    if (n < 0) die("cannot list", path);
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        load(child);
        free(names[i]);
    }
    free(names);
}

/* --- running -------------------------------------------------------------------------------- */

static void open_saved(void)
{
    const char *dir = getenv("TMPDIR");
    if (!saved_path[0])
        snprintf(saved_path, sizeof saved_path, "%s/fuzz-%d.input", dir ? dir : "/tmp", getpid());
    saved_file = open(saved_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (saved_file < 0) die("cannot make", saved_path);
}

/* On a copy of the exact size, so that a sanitizer sees a read beyond it. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (len) memcpy(copy, data, len);
    if (ftruncate(saved_file, 0) != 0 || pwrite(saved_file, data, len, 0) != (ssize_t)len)
        die("cannot write", saved_path);
    alarm(RUN_SECONDS_MAX);
    LLVMFuzzerTestOneInput(copy, len);
    alarm(0);
    free(copy);
}

/* --- the mutator ---------------------------------------------------------------------------- */

struct draft {
    uint8_t data[INPUT_BYTES_MAX];
    size_t len;
};

static void put(struct draft *d, size_t at, size_t cut, const void *data, size_t len)
{
    if (cut > d->len - at) cut = d->len - at;
    if (d->len - cut + len > INPUT_BYTES_MAX) return;
    memmove(d->data + at + len, d->data + at + cut, d->len - at - cut);
    if (len) memcpy(d->data + at, data, len);
    d->len = d->len - cut + len;
}

static void put_number(struct draft *d, struct rng *r, size_t at)
{
    static const uint32_t odd[] = {0, 1, 3, 4, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
                                   0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe};
    uint32_t n = odd[rng_below(r, sizeof odd / sizeof *odd)];
    if (rng_below(r, 4) == 0) n = (uint32_t)rng_below(r, d->len + 9);
    if (rng_below(r, 2)) n = __builtin_bswap32(n);
    size_t width = (size_t)1 << rng_below(r, 3);
    if (at + width <= d->len) memcpy(d->data + at, (char *)&n + (rng_below(r, 2) ? 4 - width : 0),
                                     width);
}

static void put_word(struct draft *d, struct rng *r, size_t at)
{
    size_t n = 0;
    while (fuzz_words[n]) n++;
    if (!n) return;
    const char *w = fuzz_words[rng_below(r, n)];
    put(d, at, rng_below(r, 3) ? 0 : rng_below(r, 12), w, strlen(w));
}

static void mutate_once(struct draft *d, struct rng *r)
{
    static uint8_t piece[INPUT_BYTES_MAX];
    size_t at = rng_below(r, d->len + 1);
    size_t len = rng_below(r, rng_below(r, 3) ? 12 : 400);
    const struct input *other = &corpus[rng_below(r, (uint64_t)corpus_count)];
    switch (rng_below(r, 9)) {
    case 0:
        if (at < d->len) d->data[at] ^= (uint8_t)(1u << rng_below(r, 8));
        break;
    case 1:
        if (at < d->len) d->data[at] = (uint8_t)rng_u64(r);
        break;
    case 2: put_number(d, r, at); break;
    case 3: put(d, at, len, NULL, 0); break;
    case 4: /* doubles a piece */
        if (len > d->len - at) len = d->len - at;
        memcpy(piece, d->data + at, len);
        put(d, rng_below(r, d->len + 1), 0, piece, len);
        break;
    case 5: /* a piece of another input, here */
    case 6:
        if (other->len) {
            size_t from = rng_below(r, other->len);
            if (rng_below(r, 3) == 0) len = other->len;
            if (len > other->len - from) len = other->len - from;
            put(d, at, rng_below(r, 2) ? 0 : len, other->data + from, len);
        }
        break;
    default: put_word(d, r, at); break;
    }
}

static void mutate(uint64_t runs, uint64_t seed, int64_t seconds)
{
    static struct draft d;
    time_t began = time(NULL);
    uint64_t i;
    for (i = 0; i < runs && (!seconds || time(NULL) - began < seconds); i++) {
        struct rng r;
        rng_seed(&r, seed + i);
        const struct input *from = &corpus[rng_below(&r, (uint64_t)corpus_count)];
        d.len = from->len;
        memcpy(d.data, from->data, from->len);
        for (uint64_t n = 1 + rng_below(&r, 5); n > 0; n--) mutate_once(&d, &r);
        run(d.data, d.len);
    }
    printf("%llu mutations, seed %llu\n", (unsigned long long)i, (unsigned long long)seed);
}

int main(int argc, char **argv)
{
    uint64_t runs = 0, seed = (uint64_t)time(NULL);
    int64_t seconds = 0;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && !strcmp(argv[i], "--mutate")) runs = strtoull(argv[++i], NULL, 10);
        else if (more && !strcmp(argv[i], "--seed")) seed = strtoull(argv[++i], NULL, 10);
        else if (more && !strcmp(argv[i], "--seconds")) seconds = atoll(argv[++i]);
        else if (more && !strcmp(argv[i], "--save"))
            snprintf(saved_path, sizeof saved_path, "%s", argv[++i]);
        else load(argv[i]);
    }
    open_saved();
    /* Before anything runs: a crash must not take the seed with it. */
    fprintf(stderr, "seed %llu; the input at work is in %s\n",
            (unsigned long long)seed, saved_path);
    for (int i = 0; i < corpus_count; i++) {
        if (getenv("FUZZ_VERBOSE")) fprintf(stderr, "%s\n", corpus[i].path);
        run(corpus[i].data, corpus[i].len);
    }
    printf("%d inputs replayed\n", corpus_count);
    if (runs && corpus_count) mutate(runs, seed, seconds);
    unlink(saved_path);
    return 0;
}
