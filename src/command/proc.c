/*
 * proc.c - what the kernel reports about processes
 * SPDX-License-Identifier: MIT
 */
#include "proc.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_below(int directory, const char *name, int flags)
{
    return openat(directory, name, O_RDONLY | O_CLOEXEC | flags);
}

char *read_below(int directory, const char *format, ...)
{
    char name[256];
    va_list arguments;
    int fd;
    FILE *file;
    char *text = calloc(1, 1); /* that of an empty file */
    size_t size = 1;

    va_start(arguments, format);
    /* clang-tidy 14 does not see that va_start() initializes */
    vsnprintf(name, sizeof(name), format, arguments); /* NOLINT */
    va_end(arguments);
    fd = open_below(directory, name, 0);
    file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL || text == NULL ||
        (getdelim(&text, &size, '\0', file) < 0 && ferror(file))) {
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

int find_number(const char *text, const char *label)
{
    const char *line = strstr(text, label);

    return line == NULL ? 0 : (int)strtol(line + strlen(label), NULL, 10);
}

bool has_capability(int number)
{
    /* As in <linux/capability.h>, which musl's compilers do not find: version
     * 3, this process, and twice the effective, permitted and inheritable. */
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    uint32_t sets[2][3] = {{0}};

    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[number / 32][0] >> number % 32 & 1) != 0;
}
