/* Only what the shell needs of a terminal; the rest is the line editor's. */
#include "shell/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/os.h"
#include "base/str.h"

static bool from_environment(const char *name, int *ret)
{
    int64_t v;
    const char *text = getenv(name);
    if (!text || !str_to_i64(slice_of(text), &v) || v < 1 || v > 100000) return false;
    *ret = (int)v;
    return true;
}

void terminal_size(int *ret_columns, int *ret_rows)
{
    struct winsize w;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0;
    *ret_columns = known ? w.ws_col : 80;
    *ret_rows = known && w.ws_row > 0 ? w.ws_row : 24;
    if (!known) {
        from_environment("COLUMNS", ret_columns);
        from_environment("LINES", ret_rows);
    }
}

bool terminal_password(const char *prompt, char *ret, size_t size)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    struct termios before, quiet;
    bool ok = tcgetattr(fd, &before) == 0;
    if (ok) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fd, TCSAFLUSH, &quiet);
        ok = write(fd, prompt, strlen(prompt)) >= 0;
        size_t n = 0;
        char c;
        while (n + 1 < size && read(fd, &c, 1) == 1 && c != '\n' && c != '\r') ret[n++] = c;
        ret[n] = '\0';
        tcsetattr(fd, TCSAFLUSH, &before);
        ok = write(fd, "\n", 1) == 1;
    }
    close(fd);
    return ok;
}

int64_t terminal_now_us(void) { return os_monotonic_us(os_real()); }
int64_t terminal_now_ms(void) { return terminal_now_us() / 1000; }

void terminal_sleep_ms(int64_t ms) { poll(NULL, 0, (int)(ms > INT32_MAX ? INT32_MAX : ms)); }
