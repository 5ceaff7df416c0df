/*
 * switch.c - switches the whole machine on and off
 * SPDX-License-Identifier: MIT
 */
#include "machine/switch.h"

#include "exit_status.h"
#include "machine/check.h"
#include "machine/preload_file.h"
#include "machine/status.h"
#include "machine/trial.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

int switch_machine(const char *what, bool quiet, bool json)
{
    bool status = strcmp(what, "status") == 0;
    char printable[PRINTABLE];
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
        warnx("--global: '%s' is not on, off or status",
              make_printable(printable, what));
        return STATUS_FAILED;
    }
    sigprocmask(SIG_BLOCK, NULL, &callers_mask);
    block_signals();
    result = strcmp(what, "on") == 0 ? switch_on(&library, quiet)
                                     : switch_off(&library, quiet);
    restore_signals();
    return result;
}
