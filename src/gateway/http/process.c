/* What the kernel says of the process; read anew for each report. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "gateway/http/operations_priv.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Of /proc/self/statm: size, resident; in pages. */
static bool read_memory(double *ret_virtual, double *ret_resident)
{
    unsigned long size, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return false;
    bool ok = fscanf(f, "%lu %lu", &size, &resident) == 2;
    fclose(f);
    if (!ok) return false;
    *ret_virtual = (double)size * (double)sysconf(_SC_PAGESIZE);
    *ret_resident = (double)resident * (double)sysconf(_SC_PAGESIZE);
    return true;
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d) return -1;
    while (readdir(d)) n++;
    closedir(d);
    return n - 3; /* ".", ".." and the directory's own */
}

static void write_memory_by_tag(struct strbuf *out)
{
    char name[80];
    metrics_family(out, "helios_memory_bytes", "gauge", "Heap memory by what it is for.");
    for (int i = 0; i < MEM_TAG_COUNT; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "%s", mem_tag_name((enum mem_tag)i));
        for (char *p = tag; *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
        snprintf(name, sizeof name, "helios_memory_bytes{tag=\"%s\"}", tag);
        metrics_sample(out, name, (double)mem_bytes((enum mem_tag)i));
    }
}

void http__write_process_metrics(struct strbuf *out)
{
    struct rusage u;
    struct rlimit l;
    double size, resident;
    if (getrusage(RUSAGE_SELF, &u) == 0)
        metrics_one(out, "helios_process_cpu_seconds_total", "counter",
                    "Processor time spent, user and system.",
                    seconds(u.ru_utime) + seconds(u.ru_stime));
    if (read_memory(&size, &resident)) {
        metrics_one(out, "helios_process_resident_memory_bytes", "gauge", "Resident memory.",
                    resident);
        metrics_one(out, "helios_process_virtual_memory_bytes", "gauge", "Virtual memory.", size);
    }
    int n = count_descriptors();
    if (n >= 0)
        metrics_one(out, "helios_process_open_fds", "gauge", "Open file descriptors.", n);
    if (getrlimit(RLIMIT_NOFILE, &l) == 0)
        metrics_one(out, "helios_process_max_fds", "gauge", "File descriptors allowed.",
                    (double)l.rlim_cur);
    write_memory_by_tag(out);
}
