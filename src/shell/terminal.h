/* The terminal as such: its size, a password without echo, signals that interrupt. */
#ifndef HELIOS_SHELL_TERMINAL_H
#define HELIOS_SHELL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns and rows of the screen behind standard output; 80 by 24 where it does not tell. */
void terminal_size(int *ret_columns, int *ret_rows);
/* From /dev/tty. False: there is none. */
bool terminal_password(const char *prompt, char *ret, size_t size);
int64_t terminal_now_us(void);
int64_t terminal_now_ms(void);
/* Sleeps, but not beyond an interrupt. */
void terminal_sleep_ms(int64_t ms);

#endif
