/*
 * preload_file.c - reads and replaces /etc/ld.so.preload
 * SPDX-License-Identifier: MIT
 *
 * A mistake in this file can stop every program that is started afterwards. It
 * is never written in place: the new one is written beside it and renamed, and
 * whatever is not as expected is refused before that.
 */
#include "machine/preload_file.h"

#include "exit_status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As in <linux/fs.h>, which musl's compilers do not find. */
#define GET_FLAGS _IOR('f', 1, long)
enum { IMMUTABLE = 0x10, APPEND_ONLY = 0x20 };

/* Separators, as in the loader's dl_main(). */
static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == ':';
}

size_t next_word(const struct file *file, size_t *place)
{
    size_t end;

    while (*place < file->length &&
           (is_separator(file->bytes[*place]) || file->bytes[*place] == '#')) {
        if (file->bytes[*place] == '#')
            while (*place < file->length && file->bytes[*place] != '\n')
                ++*place;
        else
            ++*place;
    }
    end = *place;
    while (end < file->length && !is_separator(file->bytes[end]) &&
           file->bytes[end] != '#')
        end++;
    return end - *place;
}

const char *find_word(const struct file *file, const struct library *library,
                      word_test *test, int *length)
{
    size_t size;

    for (size_t place = 0; (size = next_word(file, &place)) > 0; place += size)
        if (test(library, file->bytes + place, size)) {
            *length = (int)size;
            return file->bytes + place;
        }
    return NULL;
}

bool has_entry(const struct file *file, const struct library *library)
{
    int length;

    return find_word(file, library, library_is, &length) != NULL;
}

/*
 * Removes a word: its line if it is alone there, else with the separators that
 * follow it, or with those before it if it is the last. The newline before a
 * last line that has none was added with it.
 */
static void remove_word(struct file *file, size_t place, size_t length)
{
    size_t from = place;
    size_t to = place + length;

    while (from > 0 && file->bytes[from - 1] != '\n' &&
           is_separator(file->bytes[from - 1]))
        from--;
    while (to < file->length && file->bytes[to] != '\n' &&
           is_separator(file->bytes[to]))
        to++;
    if (to < file->length && file->bytes[to] != '\n')
        from = place;
    else if (from == 0 || file->bytes[from - 1] == '\n') {
        if (to < file->length)
            to++;
        else if (from > 0)
            from--;
    }
    memmove(file->bytes + from, file->bytes + to, file->length - to);
    file->length -= to - from;
}

void remove_entries(struct file *file, const struct library *library)
{
    const char *word;
    int length;
    size_t place = 0;

    while ((word = find_word(file, library, library_is, &length)) != NULL)
        remove_word(file, (size_t)(word - file->bytes), (size_t)length);
    while (place < file->length && is_separator(file->bytes[place]))
        place++;
    file->there = place < file->length;
}

bool add_entry(struct file *file, const struct library *library)
{
    size_t length = strlen(library->entry);
    char *end = file->bytes + file->length;
    bool ended = file->length == 0 || end[-1] == '\n';

    if (file->length + length + 2 > FILE_SIZE)
        return false;
    if (!ended)
        *end++ = '\n';
    end = mempcpy(end, library->entry, length);
    if (ended)
        *end++ = '\n';
    file->length = (size_t)(end - file->bytes);
    file->there = true;
    return true;
}

static const char *read_error(void)
{
    static char reason[128];

    snprintf(reason, sizeof(reason), "cannot be read: %s", strerror(errno));
    return reason;
}

/* Reads an open file. NULL, or a reason not to edit it. */
static const char *read_open_file(struct file *file, int fd)
{
    unsigned flags = 0;
    ssize_t length;

    if (fstat(fd, &file->status) < 0)
        return read_error();
    if (!S_ISREG(file->status.st_mode))
        return "is not a regular file";
    length = read(fd, file->bytes, FILE_SIZE);
    if (length < 0)
        return read_error();
    if (length == FILE_SIZE)
        return "is too large for a list of libraries";
    file->there = true;
    file->length = (size_t)length;
    if (file->status.st_nlink != 1)
        return "has another hard link, which replacing it would break";
    /* not by ioctl(2), whose second parameter is an int in musl */
    if (syscall(SYS_ioctl, fd, GET_FLAGS, &flags) == 0 &&
        (flags & (IMMUTABLE | APPEND_ONLY)) != 0)
        return "is immutable or append-only, see chattr(1)";
    return NULL;
}

const char *read_file(struct file *file)
{
    int fd = open(PRELOAD_FILE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *reason = NULL;
    struct stat status;

    file->there = false; /* its bytes need no clearing */
    file->status = (struct stat){.st_mode = 0644};
    file->length = 0;
    if (fd >= 0) {
        reason = read_open_file(file, fd);
        close(fd);
    } else if (errno != ENOENT) {
        reason = read_error();
    }
    if (lstat(PRELOAD_FILE, &status) == 0 && S_ISLNK(status.st_mode))
        reason = "is a symbolic link";
    return reason;
}

bool is_preloaded(const struct library *library)
{
    static struct file file;
    int length;

    read_file(&file);
    return has_entry(&file, library) ||
           find_word(&file, library, library_is_other, &length) != NULL;
}

bool is_unchanged(const struct file *file)
{
    static struct file now;
    const struct stat *one = &file->status;
    const struct stat *other = &now.status;

    read_file(&now);
    return now.there == file->there &&
           (!now.there ||
            (one->st_ino == other->st_ino && one->st_dev == other->st_dev &&
             one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
             one->st_mtim.tv_nsec == other->st_mtim.tv_nsec &&
             now.length == file->length &&
             memcmp(now.bytes, file->bytes, now.length) == 0));
}

/* Copies SELinux's label, the access control list and whatever else there is.
 */
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

static void sync_directory(void)
{
    int fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Writes the new file; its mode comes last, when it is complete. */
static bool write_new_file(struct file *file)
{
    const struct stat *status = &file->status;
    int fd = open(NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = fd >= 0 &&
                write(fd, file->bytes, file->length) == (ssize_t)file->length &&
                fchown(fd, status->st_uid, status->st_gid) == 0 &&
                copy_attributes(fd) &&
                fchmod(fd, status->st_mode & 07777) == 0 && fsync(fd) == 0 &&
                fstat(fd, &file->status) == 0;

    if (fd >= 0)
        close(fd);
    return done;
}

int replace_file(const struct file *old, struct file *edited)
{
    bool done = !edited->there || write_new_file(edited);

    if (done && !is_unchanged(old)) {
        unlink(NEW_FILE);
        return FILE_CHANGED;
    }
    if (done && !edited->there)
        done = unlink(PRELOAD_FILE) == 0 || errno == ENOENT;
    else if (done)
        done = rename(NEW_FILE, PRELOAD_FILE) == 0;
    if (!done) {
        warn("%s is left as it was", PRELOAD_FILE);
        unlink(NEW_FILE);
        return STATUS_FAILED;
    }
    sync_directory();
    return 0;
}
