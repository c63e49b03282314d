/* A file of blocks, one after another, to its end: what backups and archived log are kept in
 * (docs/format/backup.md). Each block has its number and checksums, which the number of the file goes into, too;
 * so one that is missing, swapped, damaged, of another file or cut is found, and told with its place. Written
 * and read from its begin to its end, by one. */
#ifndef HELIOS_CORE_FILE_FRAMES_H
#define HELIOS_CORE_FILE_FRAMES_H

#include "base/os.h"
#include "base/str.h"

enum { FRAME_HEADER_BYTES = 32, FRAME_PAYLOAD_MAX = 256 << 20 };

struct frame_writer {
    struct file *file;
    uint64_t id;     /* of the file; the first block, which tells it, is read without */
    uint64_t number; /* of the next block */
    uint64_t bytes;  /* written */
    bool compress;   /* payloads of 256 bytes and more with zstd, unless they grow; never block 0 */
    struct strbuf out, packed;
    void *zstd;      /* its context */
};

/* Begins a block: its payload is added to w->out. */
void frame_begin(struct frame_writer *w);
size_t frame_payload_bytes(const struct frame_writer *w);
enum status frame_end(struct frame_writer *w, uint32_t kind) MUST;
void frame_writer_release(struct frame_writer *w); /* the file stays open */

struct frame_reader {
    const char *what, *path; /* "backup", for errors */
    struct file *file;
    uint64_t size;           /* of the file */
    uint64_t id;             /* set by the caller once the first block has told it */
    uint64_t at, number;     /* of the next block */
    uint64_t begin;          /* of the last one that was read */
    uint32_t kind;
    struct slice payload;    /* until the next is read */
    char *data, *unpacked;
    size_t cap, unpacked_cap;
};

enum status frame_reader_open(struct os *os, const char *what, const char *path,
                              struct frame_reader *ret) MUST;
void frame_reader_close(struct frame_reader *r); /* one that is zeroed, too */
/* DATA_CORRUPTED names the file, the block and its offset. */
enum status frame_read(struct frame_reader *r) MUST;
/* Goes on at another block. */
void frame_seek(struct frame_reader *r, uint64_t at, uint64_t number);
/* What is wrong with the block that was read last. */
enum status frame_malformed(const struct frame_reader *r, const char *why) MUST;

#endif
