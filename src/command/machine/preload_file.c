/*
 * preload_file.c - reads and replaces /etc/ld.so.preload
 * SPDX-License-Identifier: MIT
 *
 * A mistake in this file can stop every program that is started afterwards. It
 * is never written in place: the new one is written beside it and renamed, and
 * whatever is not as expected is refused before that.
 */
#include "machine/preload_file.h"

#include "flags.h"
#include "proc.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As in the loader's dl_main() */
#define BLANKS " \t:"
#define SEPARATORS BLANKS "\n"

size_t next_word(const char **word)
{
    if (*word == NULL)
        return 0;
    while ((*word += strspn(*word, SEPARATORS), **word == '#'))
        *word += strcspn(*word, "\n");
    return strcspn(*word, SEPARATORS "#");
}

const char *find_word(const char *text, const struct library *library,
                      word_test *test)
{
    size_t length;

    while ((length = next_word(&text)) > 0 && !test(library, text, length))
        text += length;
    return length > 0 ? text : NULL;
}

bool is_preloaded(const struct library *library)
{
    char *text = NULL;
    bool is;

    read_file(&text);
    is = find_word(text, library, library_is) != NULL ||
         find_word(text, library, library_is_other) != NULL;
    free(text);
    return is;
}

/*
 * Removes a word: its line if it is alone there, else with the separators that
 * follow it, or with those before it if it is the last. The newline before a
 * last line that has none was added with it.
 */
static void remove_word(const char *text, char *word)
{
    char *end = word + strcspn(word, SEPARATORS "#");

    end += strspn(end, BLANKS);
    if (*end == '\0' || *end == '\n') {
        while (word > text && strchr(BLANKS, word[-1]) != NULL)
            word--;
        if (word == text || word[-1] == '\n') {
            if (*end == '\n')
                end++;
            else if (word > text)
                word--;
        }
    }
    memmove(word, end, strlen(end) + 1);
}

char *remove_entries(const char *text, const struct library *library)
{
    char *left = strdup(text);
    const char *word;

    if (left == NULL)
        err(STATUS_FAILED, NULL);
    while ((word = find_word(left, library, library_is)) != NULL)
        remove_word(left, left + (word - left));
    if (left[strspn(left, SEPARATORS)] != '\0')
        return left;
    free(left);
    return NULL;
}

char *add_entry(const char *text, const struct library *library)
{
    size_t length = text == NULL ? 0 : strlen(text);
    const char *newline = length == 0 || text[length - 1] == '\n' ? "" : "\n";
    char *new;

    if (asprintf(&new, "%s%s%s%s", length == 0 ? "" : text, newline,
                 library->entry, newline[0] == '\0' ? "\n" : "") < 0)
        err(STATUS_FAILED, NULL);
    return new;
}

const char *read_file(char **text)
{
    struct stat status;

    free(*text);
    *text = NULL;
    if (lstat(PRELOAD_FILE, &status) < 0)
        return errno == ENOENT ? NULL : "cannot be read";
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return "is not a regular file";
    *text = read_below(AT_FDCWD, PRELOAD_FILE);
    if (S_ISLNK(status.st_mode))
        return "is a symbolic link";
    if (*text == NULL)
        return "cannot be read";
    if ((off_t)strlen(*text) != status.st_size)
        return "has a NUL byte in it, or is changing";
    if (status.st_nlink != 1)
        return "has another hard link, which replacing it would break";
    return NULL;
}

bool is_unchanged(const char *text)
{
    char *now = NULL;
    bool same = read_file(&now) == NULL;

    same = same &&
           (now == NULL || text == NULL ? now == text : strcmp(now, text) == 0);
    free(now);
    return same;
}

/* Copies SELinux's label, the access control list and all others. */
static bool copy_attributes(int to)
{
    enum { MOST = 65536 }; /* XATTR_SIZE_MAX, XATTR_LIST_MAX */
    static char names[MOST];
    static char value[MOST];
    ssize_t length = listxattr(PRELOAD_FILE, names, sizeof(names));

    if (length < 0)
        return errno == ENOENT || errno == ENOTSUP;
    for (const char *name = names; name < names + length;
         name += strlen(name) + 1) {
        ssize_t size = getxattr(PRELOAD_FILE, name, value, sizeof(value));

        if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
            return false;
    }
    return true;
}

/* Writes the new file; its mode comes last, when it is complete. */
static bool write_new_file(const char *text)
{
    struct stat old = {.st_mode = 0644};
    ssize_t length = (ssize_t)strlen(text);
    int fd = open(NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, text, (size_t)length) == length &&
                (stat(PRELOAD_FILE, &old) == 0 || errno == ENOENT) &&
                fchown(fd, old.st_uid, old.st_gid) == 0 &&
                copy_attributes(fd) && fchmod(fd, old.st_mode & 07777) == 0 &&
                fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return done;
}

enum outcome replace_file(const char *old, const char *new)
{
    bool done = new == NULL || write_new_file(new);
    int directory;

    if (done && !is_unchanged(old)) {
        unlink(NEW_FILE);
        return CHANGED;
    }
    if (done)
        done = new == NULL ? unlink(PRELOAD_FILE) == 0 || errno == ENOENT
                           : rename(NEW_FILE, PRELOAD_FILE) == 0;
    if (!done) {
        complain("%s is left as it was: %s%s", PRELOAD_FILE, strerror(errno),
                 errno == EPERM ? "; perhaps it is immutable or append-only, "
                                  "see chattr(1)"
                                : "");
        unlink(NEW_FILE);
        return FAILED;
    }
    directory = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
    return REPLACED;
}
