/*
 * library.c - where the library is, and what the loader is to be told
 * SPDX-License-Identifier: MIT
 */
#include "command.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "libkeepalive.so"

/*
 * What $LIB stands for in the loader of a 64-bit and of a 32-bit program, see
 * "Dynamic string tokens" in ld.so(8): Fedora and its like, then Debian with
 * the other architecture's packages and with the 64-bit one's own.
 */
static const struct {
    const char *mine;
    const char *twin;
} pairs[] = {
    {"/lib64/" NAME, "/lib/" NAME},
    {"/lib/x86_64-linux-gnu/" NAME, "/lib/i386-linux-gnu/" NAME},
    {"/lib/x86_64-linux-gnu/" NAME, "/lib32/" NAME},
    {"/lib/aarch64-linux-gnu/" NAME, "/lib/arm-linux-gnueabihf/" NAME},
};

/* Writes the path in a build tree: beside the command. */
static bool find_beside(char path[PATH_MAX])
{
    struct stat status;
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof(NAME));
    char *slash;

    if (length <= 0)
        return false;
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return false;
    *slash = '\0';
    /* Where anybody may put a file, such as in /tmp, one that lies beside the
     * command need not be its user's. */
    if (stat(path, &status) < 0 || (status.st_mode & S_IWOTH) != 0)
        return false;
    memcpy(slash, "/" NAME, sizeof("/" NAME));
    return access(path, F_OK) == 0;
}

/* Where the library for 32-bit programs is as well, one entry serves both. */
static void find_twin(struct library *library)
{
    size_t length = strlen(library->path);
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        size_t tail = strlen(pairs[i].mine);
        size_t head = length - tail;

        if (length < tail || strcmp(library->path + head, pairs[i].mine) != 0)
            continue;
        if (snprintf(path, sizeof(path), "%.*s%s", (int)head, library->path,
                     pairs[i].twin) >= (int)sizeof(path))
            continue;
        library->twin = elf_kind(path);
        if (library->twin == 0 || library->twin == library->kind) {
            library->twin = 0;
            continue;
        }
        snprintf(library->entry, sizeof(library->entry), "%.*s/$LIB/" NAME,
                 (int)head, library->path);
        return;
    }
}

bool library_find(struct library *library)
{
    *library = (struct library){.installed = false};
    if (!find_beside(library->path)) {
        library->installed = true;
        memcpy(library->path, KEEPALIVE_LIBRARY, sizeof(KEEPALIVE_LIBRARY));
    }
    /* The loader takes a list apart at these, and gives $ a meaning. */
    if (strpbrk(library->path, " \t\n:#$") != NULL) {
        warnx("%s: the loader cannot be given a path with a blank or one of "
              ": # $ in it",
              library->path);
        return false;
    }
    library->kind = elf_kind(library->path);
    if (library->kind == 0) {
        warnx("%s: %s", library->path,
              access(library->path, R_OK) < 0 ? strerror(errno)
                                              : "not a library");
        return false;
    }
    memcpy(library->entry, library->path, sizeof(library->entry));
    find_twin(library);
    return true;
}
