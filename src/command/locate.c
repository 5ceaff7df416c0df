/*
 * locate.c - where the library is, and its name for the loader
 * SPDX-License-Identifier: MIT
 */
#include "locate.h"

#include "elf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_NAME "libkeepalive.so"
/* Packages install it in a directory of this name, below that of $LIB. */
#define LIBRARY_DIRECTORY "keepalive"

/* The two spellings of the token. */
static const char *const tokens[] = {"$LIB", "${LIB}"};

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
        const char *place = library->path;

        while ((place = strstr(place, pairs[i].mine)) != NULL) {
            int head = (int)(place - library->path);
            const char *rest = place + strlen(pairs[i].mine);

            snprintf(library->twin, PATH_MAX, "%.*s%s%s", head, library->path,
                     pairs[i].twin, rest);
            library->twin_kind = elf_kind(library->twin);
            if (library->twin_kind != 0 &&
                library->twin_kind != library->kind) {
                snprintf(library->entry, PATH_MAX, "%.*s/$LIB/%s", head,
                         library->path, rest);
                return;
            }
            place++;
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
    library->kind = elf_kind(library->path);
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
static const char *without_usr(const char *path, size_t *length)
{
    if (*length < 5 || strncmp(path, "/usr/", 5) != 0)
        return path;
    *length -= 4;
    return path + 4;
}

static bool has_name(const char *word, size_t length)
{
    const char *slash = memrchr(word, '/', length);
    const char *name = slash == NULL ? word : slash + 1;

    return (size_t)(word + length - name) == sizeof(LIBRARY_NAME) - 1 &&
           memcmp(name, LIBRARY_NAME, sizeof(LIBRARY_NAME) - 1) == 0;
}

/* Can $LIB stand for this part of a path? "lib64" or "lib/" and one more. */
static bool is_lib(const char *part, size_t length)
{
    static const char own[] = "lib/" LIBRARY_DIRECTORY;
    const char *slash = memchr(part, '/', length);

    if (length < 3 || memcmp(part, "lib", 3) != 0)
        return false;
    if (slash == NULL)
        return true;
    return slash == part + 3 && memrchr(part, '/', length) == slash &&
           (length != sizeof(own) - 1 || memcmp(part, own, length) != 0);
}

/* Does a word with $LIB in it, at `token`, stand for the path? */
static bool matches_token(const char *path, size_t size, const char *word,
                          size_t length, const char *token)
{
    size_t head = (size_t)(token - word);
    const char *rest = NULL;
    size_t tail;

    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
        size_t name = strlen(tokens[i]);

        if (length - head > name && memcmp(token, tokens[i], name) == 0)
            rest = token + name;
    }
    if (rest == NULL)
        return false;
    tail = (size_t)(word + length - rest);
    return head + tail < size && *rest == '/' &&
           memcmp(word, path, head) == 0 &&
           memcmp(rest, path + size - tail, tail) == 0 &&
           is_lib(path + head, size - head - tail);
}

/* However it is written: a doubled slash, a link of another name. */
static bool is_same_file(const struct library *library, const char *word,
                         size_t length)
{
    char path[PATH_MAX];
    struct stat one;
    struct stat other;

    if (length >= sizeof(path) || word[0] != '/')
        return false;
    snprintf(path, sizeof(path), "%.*s", (int)length, word);
    return stat(path, &one) == 0 && stat(library->path, &other) == 0 &&
           one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

bool library_is(const struct library *library, const char *word, size_t length)
{
    size_t size = strlen(library->path);
    const char *path = without_usr(library->path, &size);
    const char *token;

    if (is_same_file(library, word, length))
        return true;
    if (!has_name(word, length))
        return false;
    /* Without a directory: the loader finds it somewhere. */
    if (memchr(word, '/', length) == NULL)
        return true;
    word = without_usr(word, &length);
    token = memchr(word, '$', length);
    if (token != NULL)
        return matches_token(path, size, word, length, token);
    return length == size && memcmp(word, path, size) == 0;
}

bool library_is_other(const struct library *library, const char *word,
                      size_t length)
{
    return has_name(word, length) && !library_is(library, word, length);
}
