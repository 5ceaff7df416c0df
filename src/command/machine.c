/*
 * machine.c - /etc/ld.so.preload, the whole machine
 * SPDX-License-Identifier: MIT
 *
 * A mistake in this file can stop every program that is started afterwards. It
 * is never written in place: the new one is written beside it and renamed, and
 * whatever is not as expected is refused before that.
 */
#include "command.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRELOAD_FILE "/etc/ld.so.preload"
/* The new file is the lock, too: only root can open it, and when the one who
 * holds it is done it is the file itself, or gone. */
#define NEW_FILE "/etc/.ld.so.preload.keepalive"

enum { MOST = 65536 }; /* bytes; a file that is larger is something else */

struct file {
    bool there;
    mode_t mode;
    uid_t owner;
    gid_t group;
    size_t length;
    char bytes[MOST];
};

/* Separators, as in the loader's dl_main(). */
static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == ':';
}

/*
 * Finds the next word, from *place on, that is not in a comment. Returns its
 * length, 0 at the end.
 */
static size_t next_word(const struct file *file, size_t *place)
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

static bool has_entry(const struct file *file, const struct library *library)
{
    size_t length;

    for (size_t place = 0; (length = next_word(file, &place)) > 0;
         place += length)
        if (library_is(library, file->bytes + place, length))
            return true;
    return false;
}

static void cut(struct file *file, size_t from, size_t to)
{
    memmove(file->bytes + from, file->bytes + to, file->length - to);
    file->length -= to - from;
}

/* Takes out a word: the line where it stands alone there, else with what parts
 * it from the next, or from the one before if it is the last. */
static void take_out(struct file *file, size_t place, size_t length)
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
    else if (to < file->length && (from == 0 || file->bytes[from - 1] == '\n'))
        to++;
    cut(file, from, to);
}

static void remove_entry(struct file *file, const struct library *library)
{
    size_t length;

    for (size_t place = 0; (length = next_word(file, &place)) > 0;) {
        if (library_is(library, file->bytes + place, length)) {
            take_out(file, place, length);
            place = 0;
        } else {
            place += length;
        }
    }
}

/* Adds a line of its own. False where there is no room. */
static bool add_entry(struct file *file, const struct library *library)
{
    size_t length = strlen(library->entry);
    char *end = file->bytes + file->length;

    if (file->length + length + 2 > MOST)
        return false;
    if (file->length > 0 && end[-1] != '\n')
        *end++ = '\n';
    end = mempcpy(end, library->entry, length);
    *end++ = '\n';
    file->length = (size_t)(end - file->bytes);
    return true;
}

/* Reads an open file. NULL, or a reason not to edit it. */
static const char *take_in(struct file *file, int fd)
{
    struct stat status;
    unsigned flags = 0;
    ssize_t length;

    if (fstat(fd, &status) < 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "is not a regular file";
    length = read(fd, file->bytes, MOST);
    if (length < 0)
        return strerror(errno);
    if (length == MOST)
        return "is too large for a list of libraries";
    file->there = true;
    file->mode = status.st_mode & 07777;
    file->owner = status.st_uid;
    file->group = status.st_gid;
    file->length = (size_t)length;
    if (status.st_nlink != 1)
        return "has a second name (a hard link), which would be parted from it";
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
        (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0)
        return "is immutable or append-only, see chattr(1)";
    return NULL;
}

/* Reads the file, as the loader would. NULL, or a reason not to edit it. */
static const char *read_file(struct file *file)
{
    int fd = open(PRELOAD_FILE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *reason = NULL;
    struct stat status;

    *file = (struct file){.mode = 0644};
    if (fd >= 0) {
        reason = take_in(file, fd);
        close(fd);
    } else if (errno != ENOENT) {
        reason = strerror(errno);
    }
    if (lstat(PRELOAD_FILE, &status) == 0 && S_ISLNK(status.st_mode))
        reason = "is a symbolic link";
    return reason;
}

/* Waits for other runs. Returns the descriptor of the new file, or -1. */
static int lock(void)
{
    for (;;) {
        struct stat mine;
        struct stat there;
        int fd =
            open(NEW_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &mine) < 0) {
            warn("%s", NEW_FILE);
            if (fd >= 0)
                close(fd);
            return -1;
        }
        /* The one who had it may have renamed or removed it. */
        if (lstat(NEW_FILE, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
}

static void sync_directory(void)
{
    int fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Puts the file in place; an empty one is removed. */
static bool write_file(const struct file *file, int fd)
{
    bool done;

    if (file->length == 0) {
        done = unlink(PRELOAD_FILE) == 0 || errno == ENOENT;
        if (!done)
            warn("%s", PRELOAD_FILE);
    } else {
        done =
            ftruncate(fd, 0) == 0 &&
            pwrite(fd, file->bytes, file->length, 0) == (ssize_t)file->length &&
            fchown(fd, file->owner, file->group) == 0 &&
            fchmod(fd, file->mode) == 0 && fsync(fd) == 0 &&
            rename(NEW_FILE, PRELOAD_FILE) == 0;
        if (!done)
            warn("%s is left as it was", PRELOAD_FILE);
    }
    sync_directory();
    return done;
}

/* Goes on as the only run. */
static int unlock(int fd, int status)
{
    struct stat mine;
    struct stat there;

    if (fstat(fd, &mine) == 0 && lstat(NEW_FILE, &there) == 0 &&
        mine.st_ino == there.st_ino)
        unlink(NEW_FILE);
    close(fd);
    return status;
}

/* Reads the file to edit it. Returns the descriptor of the new one, or -1. */
static int begin(struct file *file)
{
    int fd = lock();
    const char *reason = fd < 0 ? NULL : read_file(file);

    if (reason == NULL)
        return fd;
    warnx("%s %s", PRELOAD_FILE, reason);
    unlock(fd, 0);
    return -1;
}

/* A file that only holds blanks is as good as none. */
static void drop_blanks(struct file *file)
{
    size_t place = 0;

    while (place < file->length && is_separator(file->bytes[place]))
        place++;
    if (place == file->length)
        file->length = 0;
}

/* Returns 0 for done, 1 where it was not there, else the status. */
static int take_out_entry(const struct library *library)
{
    struct file file;
    int fd = begin(&file);

    if (fd < 0)
        return STATUS_FAILED;
    if (!has_entry(&file, library))
        return unlock(fd, 1);
    remove_entry(&file, library);
    drop_blanks(&file);
    return unlock(fd, write_file(&file, fd) ? 0 : STATUS_FAILED);
}

static int switch_off(const struct library *library)
{
    int status = take_out_entry(library);

    if (status == STATUS_FAILED)
        return status;
    puts(status == 0
             ? "off: programs that are started from now on do without it"
             : "already off");
    return 0;
}

/* Another copy of the library would be loaded as well; its entry, or NULL. */
static const char *other_entry(const struct file *file,
                               const struct library *library, int *length)
{
    size_t size;

    for (size_t place = 0; (size = next_word(file, &place)) > 0; place += size)
        if (library_is_other(library, file->bytes + place, size)) {
            *length = (int)size;
            return file->bytes + place;
        }
    return NULL;
}

/* Is everything in order for the entry to be added? */
static bool is_ready(const struct file *file, const struct library *library)
{
    char reason[REASON];
    int length;
    const char *other = other_entry(file, library, &length);

    if (!library->installed) {
        warnx("%s is not installed, it is in a build tree", library->path);
        return false;
    }
    if (other != NULL) {
        warnx("%s already has another one: %.*s", PRELOAD_FILE, length, other);
        return false;
    }
    for (int i = 0; i < check_count; i++)
        if (!checks[i].passes(library, reason)) {
            warnx("%s", reason);
            return false;
        }
    if (!start_programs(library, library->entry, reason)) {
        warnx("with the library %s", reason);
        return false;
    }
    return true;
}

static int switch_on(const struct library *library)
{
    char reason[REASON];
    struct file file;
    int fd = begin(&file);

    if (fd < 0)
        return STATUS_FAILED;
    if (has_entry(&file, library)) {
        unlock(fd, 0);
        if (start_programs(library, NULL, reason)) {
            puts("already on");
            return 0;
        }
        warnx("%s has the library already, but %s", PRELOAD_FILE, reason);
        return STATUS_FAILED;
    }
    if (!is_ready(&file, library))
        return unlock(fd, STATUS_FAILED);
    if (!add_entry(&file, library)) {
        warnx("%s is too large for a list of libraries", PRELOAD_FILE);
        return unlock(fd, STATUS_FAILED);
    }
    if (!write_file(&file, fd))
        return unlock(fd, STATUS_FAILED);
    unlock(fd, 0);
    /* This program runs, so it can still take the entry out if no other does
     * any more. */
    if (!start_programs(library, NULL, reason)) {
        warnx("with the library %s%s", reason,
              take_out_entry(library) == 0 ? "; taken out again" : "");
        return STATUS_FAILED;
    }
    printf("on: programs that are started from now on have %s\n",
           library->entry);
    return 0;
}

static bool print_check(const char *name, bool passes, const char *reason)
{
    printf("  %-4s%s%s%s\n", passes ? "ok" : "NO", name, passes ? "" : ": ",
           passes ? "" : reason);
    return passes;
}

static int print_status(const struct library *library)
{
    char reason[REASON] = "";
    struct file file;
    const char *fault = read_file(&file);
    bool on = has_entry(&file, library);
    bool well = fault == NULL;
    size_t length;

    printf("%s %s\n", PRELOAD_FILE,
           fault != NULL ? fault
           : file.there  ? "holds"
                         : "is not there");
    for (size_t place = 0; (length = next_word(&file, &place)) > 0;
         place += length) {
        const char *word = file.bytes + place;

        printf("  %.*s%s\n", (int)length, word,
               library_is(library, word, length) ? "  (this library)" : "");
        if (library_is_other(library, word, length))
            well = print_check("other entries", false, "another copy") && well;
    }
    printf("%s%s\n", library->path,
           library->installed ? "" : " (not installed: a build tree)");
    for (int i = 0; i < check_count; i++) {
        bool passes = checks[i].passes(library, reason);

        well = print_check(checks[i].name, passes, reason) && well;
    }
    well =
        print_check("programs start and have it",
                    start_programs(library, on ? NULL : library->entry, reason),
                    reason) &&
        well;
    printf("keepalive is %s for the whole machine%s\n", on ? "on" : "off",
           on && !well ? ", but see above" : "");
    if (!on)
        return GLOBAL_OFF;
    return well ? 0 : GLOBAL_BROKEN;
}

int switch_machine(const char *what)
{
    static const struct {
        const char *name;
        int (*answer)(const struct library *library);
    } words[] = {
        {"on", switch_on},
        {"off", switch_off},
        {"status", print_status},
    };
    struct library library;

    /* One that is gone, or broken, can be switched off as well. */
    library_find(&library);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(words[i].name, what) == 0)
            return words[i].answer(&library);
    warnx("--global: '%s' is not on, off or status", what);
    return STATUS_FAILED;
}
