/*
 * proc.c - what the kernel reports about processes
 * SPDX-License-Identifier: MIT
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_below(int directory, const char *name, int flags)
{
    return openat(directory, name, O_RDONLY | O_CLOEXEC | flags);
}

char *read_below(int directory, const char *name)
{
    int fd = open_below(directory, name, 0);
    size_t length = 0;
    size_t size = 1024;
    char *text = fd < 0 ? NULL : malloc(size);
    ssize_t got = -1;

    while (text != NULL &&
           (got = read(fd, text + length, size - length - 1)) > 0) {
        char *larger;

        length += (size_t)got;
        if (size - length > 1)
            continue;
        size *= 2;
        larger = realloc(text, size);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    if (fd >= 0) {
        int error = errno;

        close(fd);
        errno = error;
    }
    if (got < 0 || text == NULL) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
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
