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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* Held by the one run that may change the file; only root can open it. */
#define LOCK_FILE "/etc/.ld.so.preload.keepalive"
#define NEW_FILE LOCK_FILE ".new"

/* As in <linux/fs.h>, which musl's compilers do not find. */
#define GET_FLAGS _IOR('f', 1, long)
enum { IMMUTABLE = 0x10, APPEND_ONLY = 0x20 };

enum {
    MOST = 65536,   /* bytes; a file that is larger is something else */
    PATIENCE = 30,  /* seconds that a run waits for another */
    ATTEMPTS = 5,   /* if others change the file meanwhile */
    VALUE = 65536,  /* XATTR_SIZE_MAX, XATTR_LIST_MAX */
    CHANGED = -1,   /* the file is not the one that was read */
    NOT_THERE = -2, /* the entry to be removed */
};

struct file {
    bool there;
    struct stat status;
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

typedef bool word_test(const struct library *library, const char *word,
                       size_t length);

/* The first word that passes the test, and its length; NULL if none does. */
static const char *find_word(const struct file *file,
                             const struct library *library, word_test *test,
                             int *length)
{
    size_t size;

    for (size_t place = 0; (size = next_word(file, &place)) > 0; place += size)
        if (test(library, file->bytes + place, size)) {
            *length = (int)size;
            return file->bytes + place;
        }
    return NULL;
}

static bool has_entry(const struct file *file, const struct library *library)
{
    int length;

    return find_word(file, library, library_is, &length) != NULL;
}

/*
 * Removes a word: its line if it is alone there, else with the separators that
 * follow it, or with those before it if it is the last.
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
    else if (to < file->length && (from == 0 || file->bytes[from - 1] == '\n'))
        to++;
    memmove(file->bytes + from, file->bytes + to, file->length - to);
    file->length -= to - from;
}

/* Removes every entry of the library, and a file that has nothing else. */
static void remove_entries(struct file *file, const struct library *library)
{
    const char *word;
    int length;
    size_t place = 0;

    while ((word = find_word(file, library, library_is, &length)) != NULL)
        remove_word(file, (size_t)(word - file->bytes), (size_t)length);
    while (place < file->length && is_separator(file->bytes[place]))
        place++;
    if (place == file->length)
        file->length = 0;
}

/* Adds a line for the library. False if the file would be too large. */
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
static const char *read_open_file(struct file *file, int fd)
{
    unsigned flags = 0;
    ssize_t length;

    if (fstat(fd, &file->status) < 0)
        return strerror(errno);
    if (!S_ISREG(file->status.st_mode))
        return "is not a regular file";
    length = read(fd, file->bytes, MOST);
    if (length < 0)
        return strerror(errno);
    if (length == MOST)
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

/* Reads the file, as the loader would. NULL, or a reason not to edit it. */
static const char *read_file(struct file *file)
{
    int fd = open(PRELOAD_FILE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *reason = NULL;
    struct stat status;

    *file = (struct file){.there = false};
    if (fd >= 0) {
        reason = read_open_file(file, fd);
        close(fd);
    } else if (errno != ENOENT) {
        reason = strerror(errno);
    }
    if (lstat(PRELOAD_FILE, &status) == 0 && S_ISLNK(status.st_mode))
        reason = "is a symbolic link";
    return reason;
}

/* Is the file still the one that was read? */
static bool is_unchanged(const struct file *file)
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

/* Nobody else can open it, so nobody else can hold a lock on it. */
static bool is_ours_alone(const struct stat *status)
{
    return S_ISREG(status->st_mode) && (status->st_mode & 07777) == 0600 &&
           status->st_uid == geteuid() && status->st_nlink == 1;
}

/*
 * A signal between the lock and the last proof would leave the lock, or an
 * entry that was not tried. It takes effect when all is done, or while a run
 * waits for another.
 */
static sigset_t callers_mask;

static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

static void restore_signals(void)
{
    sigprocmask(SIG_SETMASK, &callers_mask, NULL);
}

/*
 * Becomes the only run. Returns the descriptor that holds the lock, or -1 with
 * a line on standard error.
 */
static int lock(void)
{
    const struct timespec moment = {0, 100000000};

    for (int left = 10 * PATIENCE; left > 0;) {
        struct stat mine;
        struct stat there;
        int fd =
            open(LOCK_FILE,
                 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

        if (fd < 0 && errno == EACCES && geteuid() != 0) {
            warnx("--global on and off take root");
            return -1;
        }
        if (fd < 0 && errno != ELOOP && errno != EISDIR) {
            warn("%s", LOCK_FILE);
            return -1;
        }
        if (fd < 0 || fstat(fd, &mine) < 0 || !is_ours_alone(&mine)) {
            if (fd >= 0)
                close(fd);
            if (unlink(LOCK_FILE) < 0 && errno != ENOENT) {
                warn("%s", LOCK_FILE);
                return -1;
            }
            left--;
            continue;
        }
        /* The run that had it may have removed it. */
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (lstat(LOCK_FILE, &there) == 0 && mine.st_ino == there.st_ino &&
                mine.st_dev == there.st_dev)
                return fd;
        } else {
            restore_signals();
            nanosleep(&moment, NULL);
            block_signals();
            left--;
        }
        close(fd);
    }
    warnx("another run has held %s for %d seconds; nothing is changed",
          LOCK_FILE, PATIENCE);
    return -1;
}

static int unlock(int fd, int status)
{
    unlink(LOCK_FILE);
    close(fd);
    return status;
}

/* Copies SELinux's label, the access control list and whatever else there is.
 */
static bool copy_attributes(int to)
{
    static char names[VALUE];
    static char value[VALUE];
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
static bool write_new_file(const struct file *file)
{
    const struct stat *old = &file->status;
    int fd;
    bool done;

    unlink(NEW_FILE); /* what a run that was killed has left */
    fd = open(NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    done = fd >= 0 &&
           write(fd, file->bytes, file->length) == (ssize_t)file->length &&
           (!file->there || fchown(fd, old->st_uid, old->st_gid) == 0) &&
           copy_attributes(fd) &&
           fchmod(fd, file->there ? old->st_mode & 07777 : 0644) == 0 &&
           fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/*
 * Replaces the file that was read by the edited one. Returns 0, CHANGED or
 * STATUS_FAILED.
 */
static int replace_file(const struct file *old, const struct file *edited)
{
    bool done = edited->length == 0 || write_new_file(edited);

    if (done && !is_unchanged(old)) {
        unlink(NEW_FILE);
        return CHANGED;
    }
    if (done && edited->length == 0)
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

/* Edits the file, once. Returns 0, CHANGED, NOT_THERE or STATUS_FAILED. */
typedef int edit_call(const struct library *library, const struct file *old,
                      struct file *edited);

/* Edits the file as the only run, again if others have changed it meanwhile. */
static int edit_file(const struct library *library, edit_call *edit)
{
    static struct file old;
    static struct file edited;
    int fd = lock();
    int status = CHANGED;

    if (fd < 0)
        return STATUS_FAILED;
    for (int i = 0; status == CHANGED && i < ATTEMPTS; i++) {
        const char *reason = read_file(&old);

        if (reason != NULL) {
            warnx("%s %s", PRELOAD_FILE, reason);
            return unlock(fd, STATUS_FAILED);
        }
        edited = old;
        status = edit(library, &old, &edited);
    }
    if (status == CHANGED) {
        warnx("%s is changed by others again and again", PRELOAD_FILE);
        status = STATUS_FAILED;
    }
    return unlock(fd, status);
}

/* Says what was done. It is done even if nobody can be told. */
static int say(const char *what, const char *entry)
{
    if (printf("%s%s\n", what, entry) < 0 || fflush(stdout) != 0) {
        warn("standard output");
        warnx("%s%s", what, entry);
        clearerr(stdout);
    }
    return 0;
}

static int edit_off(const struct library *library, const struct file *old,
                    struct file *edited)
{
    if (!has_entry(old, library))
        return NOT_THERE;
    remove_entries(edited, library);
    return replace_file(old, edited);
}

static int switch_off(const struct library *library, bool quiet)
{
    int status = edit_file(library, edit_off);
    char mapped[REASON];
    enum answer answer;

    if (status == STATUS_FAILED)
        return status;
    /* What a program has decides, not what the file says. */
    answer = has_library(mapped);
    if (answer == UNCERTAIN) {
        warnx("%s, but no program can be started to see that it is off",
              status == 0 ? "the entry is removed"
                          : "there is no entry for this library");
        return MACHINE_BROKEN;
    }
    if (answer == YES) {
        warnx("%s, but a program that is started now still has %s: remove "
              "what names that from %s",
              status == 0 ? "the entry is removed"
                          : "there is no entry for this library",
              mapped, PRELOAD_FILE);
        return MACHINE_BROKEN;
    }
    if (quiet)
        return 0;
    return say(status == 0
                   ? "off: programs that are started from now on run without it"
                   : "already off",
               "");
}

/* Is everything in order for the entry to be added? */
static bool is_ready(const struct file *file, const struct library *library)
{
    char reason[REASON];
    int length;
    const char *other = find_word(file, library, library_is_other, &length);

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

static int edit_on(const struct library *library, const struct file *old,
                   struct file *edited)
{
    if (has_entry(old, library))
        return NOT_THERE;
    if (!is_ready(old, library))
        return STATUS_FAILED;
    if (!add_entry(edited, library)) {
        warnx("%s is too large for a list of libraries", PRELOAD_FILE);
        return STATUS_FAILED;
    }
    return replace_file(old, edited);
}

static int switch_on(const struct library *library, bool quiet)
{
    int status = edit_file(library, edit_on);
    char reason[REASON];

    if (status == STATUS_FAILED)
        return status;
    if (status == NOT_THERE) {
        for (int i = 0; i < check_count; i++)
            if (!checks[i].passes(library, reason)) {
                warnx("%s has the library already, but %s", PRELOAD_FILE,
                      reason);
                return STATUS_FAILED;
            }
        if (start_programs(library, NULL, reason))
            return quiet ? 0 : say("already on", "");
        warnx("%s has the library already, but %s", PRELOAD_FILE, reason);
        return STATUS_FAILED;
    }
    /* This program runs, so it can still remove the entry, even if no other
     * program starts any more. */
    if (!start_programs(library, NULL, reason)) {
        warnx("with the library %s%s", reason,
              edit_file(library, edit_off) == 0 ? "; the entry is removed again"
                                                : "");
        return STATUS_FAILED;
    }
    if (quiet)
        return 0;
    return say("on: programs that are started from now on have ",
               library->entry);
}

/* What `status` finds out. */
struct finding {
    const char *name;
    bool passes;
    char reason[REASON];
};

enum { FINDINGS = 10 };

struct report {
    struct file file;
    const char *fault; /* of the file, or NULL */
    bool named;        /* the file has an entry for the library */
    enum answer on;    /* a program that is started has a library of the name */
    char mapped[REASON];
    struct finding findings[FINDINGS];
    int count;
    int status;
};

static void add_finding(struct report *report, const char *name, bool passes,
                        const char *reason)
{
    struct finding *finding = &report->findings[report->count++];

    finding->name = name;
    finding->passes = passes;
    snprintf(finding->reason, REASON, "%s", passes ? "" : reason);
    if (!passes)
        report->status = MACHINE_BROKEN;
}

static void look(struct report *report, const struct library *library)
{
    char reason[REASON] = "";
    const char *other;
    int length = 0;

    report->fault = read_file(&report->file);
    report->named = has_entry(&report->file, library);
    report->on = has_library(report->mapped);
    other = find_word(&report->file, library, library_is_other, &length);
    if (report->fault != NULL)
        report->status = MACHINE_BROKEN;
    if (other != NULL) {
        snprintf(reason, REASON, "another copy: %.*s", length, other);
        add_finding(report, "other entries", false, reason);
    }
    for (int i = 0; i < check_count; i++) {
        bool passes = checks[i].passes(library, reason);

        add_finding(report, checks[i].name, passes, reason);
    }
    add_finding(
        report, "programs start with it",
        start_programs(library, report->named ? NULL : library->entry, reason),
        reason);
    if (report->on == UNCERTAIN)
        add_finding(report, "what a program has", false,
                    "none can be started to see");
    if (report->on == YES && !report->named) {
        snprintf(reason, REASON, "%.900s, which is not the entry's",
                 report->mapped);
        add_finding(report, "what a program has", false, reason);
    }
    if (report->on == NO && !report->named)
        report->status = MACHINE_OFF;
}

static void print_report(const struct report *report,
                         const struct library *library)
{
    bool on = report->on == YES || report->named;
    size_t place = 0;
    size_t length = next_word(&report->file, &place);

    printf("%s %s\n", PRELOAD_FILE,
           report->fault != NULL ? report->fault
           : !report->file.there ? "is not there"
           : length > 0          ? "holds"
                                 : "holds no library");
    while (length > 0) {
        const char *word = report->file.bytes + place;

        printf("  %.*s%s\n", (int)length, word,
               library_is(library, word, length) ? "  (this library)" : "");
        place += length;
        length = next_word(&report->file, &place);
    }
    printf("%s%s\n", library->path,
           library->installed ? "" : " (not installed: a build tree)");
    for (int i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];

        printf("  %-4s%s%s%s\n", finding->passes ? "ok" : "NO", finding->name,
               finding->passes ? "" : ": ", finding->reason);
    }
    printf("keepalive is %s for the whole machine%s\n",
           on                 ? "on"
           : report->on == NO ? "off"
                              : "perhaps on",
           report->status == MACHINE_BROKEN ? ", but see above" : "");
}

static void print_report_json(const struct report *report,
                              const struct library *library)
{
    const char *comma = "";
    size_t length;

    printf("{\"on\": %s, \"well\": %s,\n \"library\": ",
           report->on == YES || report->named ? "true"
           : report->on == NO                 ? "false"
                                              : "null",
           report->status == 0 ? "true" : "false");
    print_json_text(library->path, strlen(library->path));
    printf(",\n \"file\": ");
    print_json_text(PRELOAD_FILE, strlen(PRELOAD_FILE));
    printf(",\n \"fault\": ");
    if (report->fault != NULL)
        print_json_text(report->fault, strlen(report->fault));
    else
        printf("null");
    printf(",\n \"entries\": [");
    for (size_t place = 0; (length = next_word(&report->file, &place)) > 0;
         place += length) {
        printf("%s", comma);
        print_json_text(report->file.bytes + place, length);
        comma = ", ";
    }
    printf("],\n \"checks\": [");
    for (int i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];

        printf("%s\n  {\"name\": ", i > 0 ? "," : "");
        print_json_text(finding->name, strlen(finding->name));
        printf(", \"passes\": %s, \"reason\": ",
               finding->passes ? "true" : "false");
        print_json_text(finding->reason, strlen(finding->reason));
        putchar('}');
    }
    puts("]}");
}

static int show_status(const struct library *library, bool json)
{
    static struct report report;

    look(&report, library);
    if (json)
        print_report_json(&report, library);
    else
        print_report(&report, library);
    return report.status;
}

int switch_machine(const char *what, bool quiet, bool json)
{
    bool status = strcmp(what, "status") == 0;
    struct library library;
    int result;

    if (json && !status) {
        warnx("--json cannot be used with --global %s", what);
        return STATUS_FAILED;
    }
    if (quiet && status) {
        warnx("--quiet cannot be used with --global status");
        return STATUS_FAILED;
    }
    /* A library that is gone, or broken, can be switched off as well. */
    library_find(&library);
    if (status)
        return show_status(&library, json);
    if (strcmp(what, "on") != 0 && strcmp(what, "off") != 0) {
        warnx("--global: '%s' is not on, off or status", make_printable(what));
        return STATUS_FAILED;
    }
    sigprocmask(SIG_BLOCK, NULL, &callers_mask);
    block_signals();
    result = strcmp(what, "on") == 0 ? switch_on(&library, quiet)
                                     : switch_off(&library, quiet);
    restore_signals();
    return result;
}
