/*
 * locate.c - where the library is, and its name for the loader
 * SPDX-License-Identifier: MIT
 */
#include "locate.h"

#include "elf.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_NAME "libkeepalive.so"

/*
 * What $LIB stands for in the loader of a 64-bit and of a 32-bit program, see
 * "Dynamic string tokens" in ld.so(8): in Fedora and its relatives, then in
 * Debian with the other architecture's packages and with the 64-bit one's own.
 * The library may lie in a directory of its own below these.
 */
static const struct {
    const char *mine;
    const char *twin;
} pairs[] = {
    {"/lib64/", "/lib/"},
    {"/lib/x86_64-linux-gnu/", "/lib/i386-linux-gnu/"},
    {"/lib/x86_64-linux-gnu/", "/lib32/"},
    {"/lib/aarch64-linux-gnu/", "/lib/arm-linux-gnueabihf/"},
};

/* Writes the path in a build tree: beside the command. */
static bool find_beside(char path[PATH_MAX])
{
    struct stat status;
    ssize_t length =
        readlink("/proc/self/exe", path, PATH_MAX - sizeof(LIBRARY_NAME));
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
    memcpy(slash, "/" LIBRARY_NAME, sizeof("/" LIBRARY_NAME));
    return stat(path, &status) == 0;
}

/* Where the library for 32-bit programs is as well, one entry serves both. */
static void find_twin(struct library *library)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        const char *place = strstr(library->path, pairs[i].mine);
        const char *rest;
        int head;

        if (place == NULL)
            continue;
        head = (int)(place - library->path);
        rest = place + strlen(pairs[i].mine);
        snprintf(library->twin, PATH_MAX, "%.*s%s%s", head, library->path,
                 pairs[i].twin, rest);
        library->twin_kind = read_elf(library->twin, NULL);
        if (library->twin_kind != 0 && library->twin_kind != library->kind) {
            snprintf(library->entry, PATH_MAX, "%.*s/$LIB/%s", head,
                     library->path, rest);
            return;
        }
    }
    library->twin[0] = '\0';
    library->twin_kind = 0;
}

void library_find(struct library *library)
{
    /* Field by field: every start of a command would clear 12 KB of paths. */
    library->fault = NULL;
    library->twin[0] = '\0';
    library->twin_kind = 0;
    library->installed = !find_beside(library->path);
    if (library->installed)
        memcpy(library->path, KEEPALIVE_LIBRARY, sizeof(KEEPALIVE_LIBRARY));
    memcpy(library->entry, library->path, strlen(library->path) + 1);
    library->kind = read_elf(library->path, NULL);
    /* The loader takes a list apart at these, and gives $ a meaning. */
    if (library->path[strcspn(library->path, " \t\n:#$")] != '\0')
        library->fault =
            "the loader takes no path with a blank or one of : # $ in it";
    else if (library->kind == 0)
        library->fault =
            access(library->path, R_OK) < 0 ? strerror(errno) : "not a library";
    else
        find_twin(library);
}

/* The directories /lib and /usr/lib are the same on most systems. */
static const char *without_usr(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 ? path + 4 : path;
}

/* However it is written: a doubled slash, a link of another name. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat one;
    struct stat two;

    return path[0] == '/' && stat(path, &one) == 0 && stat(other, &two) == 0 &&
           one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

/* Can $LIB in this text be what makes it the path? */
static bool matches_token(const char *text, const char *path)
{
    static const char *const tokens[] = {"$LIB", "${LIB}"};
    static const char *const directories[] = {"lib*", "lib/*-*"};
    char pattern[PATH_MAX + 8];

    for (int i = 0; i < 4; i++) {
        const char *token = tokens[i / 2];
        const char *place = strstr(text, token);

        if (place == NULL)
            continue;
        snprintf(pattern, sizeof(pattern), "%.*s%s%s", (int)(place - text),
                 text, directories[i % 2], place + strlen(token));
        if (fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE) == 0)
            return true;
    }
    return false;
}

bool library_is(const struct library *library, const char *word, size_t length)
{
    const char *path = without_usr(library->path);
    char text[PATH_MAX];

    if (length >= sizeof(text))
        return false;
    memcpy(text, word, length);
    text[length] = '\0';
    word = without_usr(text);
    /* Without a directory: the loader finds it somewhere. */
    return strcmp(text, LIBRARY_NAME) == 0 || strcmp(word, path) == 0 ||
           is_same_file(text, library->path) || matches_token(word, path);
}

bool library_is_other(const struct library *library, const char *word,
                      size_t length)
{
    static const char end[] = "/" LIBRARY_NAME;
    size_t size = sizeof(end) - 1;

    return length >= size && memcmp(word + length - size, end, size) == 0 &&
           !library_is(library, word, length);
}
