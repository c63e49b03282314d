/* The form of a backup (docs/format/backup.md): blocks one after another, each with its number and checksums,
 * so that a missing, swapped, damaged or cut one is found. */
#ifndef HELIOS_DB_BACKUP_FORMAT_H
#define HELIOS_DB_BACKUP_FORMAT_H

#include "base/hash.h"
#include "base/str.h"

enum backup_kind { BACKUP_BEGIN = 1, BACKUP_TREE, BACKUP_ROWS, BACKUP_END };
enum { BACKUP_HEADER_BYTES = 32, BACKUP_VERSION = 1, BACKUP_PAYLOAD_BYTES = 256 << 10,
       BACKUP_PAYLOAD_BYTES_MAX = 300 << 20, BACKUP_ENTRY_BYTES = 8 };
#define BACKUP_MAGIC "HBK1"

/* Fills in the header, the first bytes of a block whose payload follows. */
static inline void backup_put_header(char *at, enum backup_kind kind, uint64_t number, size_t payload)
{
    uint32_t fields[2] = {(uint32_t)payload, crc32c(0, at + BACKUP_HEADER_BYTES, payload)};
    uint32_t what[2] = {(uint32_t)kind, 0};
    memcpy(at, BACKUP_MAGIC, 4);
    memcpy(at + 4, fields, sizeof fields);
    memcpy(at + 16, &number, 8);
    memcpy(at + 24, what, sizeof what);
    uint32_t crc = crc32c(crc32c(0, at, 12), at + 16, 16);
    memcpy(at + 12, &crc, 4);
}

#endif
