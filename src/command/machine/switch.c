/*
 * switch.c - switches the whole machine on and off
 * SPDX-License-Identifier: MIT
 *
 * One run at a time: the lock is held from before the file is read until it is
 * seen that programs have what was asked for.
 */
#include "machine/switch.h"

#include "exit_status.h"
#include "lock.h"
#include "machine/check.h"
#include "machine/preload_file.h"
#include "machine/status.h"
#include "machine/trial.h"
#include "proc.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ATTEMPTS = 5, /* if others change the file meanwhile */
    ALREADY = -2, /* the file is as it is wanted */
};

/* Edits the file, once. Returns ALREADY, or as replace_file(). */
typedef int edit_call(const struct machine *machine, struct file *edited);

/* Edits the file, again if others have changed it meanwhile. */
static int edit_file(struct machine *machine, edit_call *edit,
                     struct file *edited)
{
    int status = FILE_CHANGED;

    for (int i = 0; status == FILE_CHANGED && i < ATTEMPTS; i++) {
        const char *reason = read_file(&machine->file);

        if (reason != NULL) {
            warnx("%s %s", PRELOAD_FILE, reason);
            return STATUS_FAILED;
        }
        *edited = machine->file;
        status = edit(machine, edited);
    }
    if (status != FILE_CHANGED)
        return status;
    warnx("others keep changing %s", PRELOAD_FILE);
    return STATUS_FAILED;
}

/* Says what was done. It is done even if nobody can be told. */
static int tell(const char *line)
{
    if (printf("%s\n", line) < 0 || fflush(stdout) != 0) {
        warn("standard output");
        warnx("%s", line);
        clearerr(stdout);
    }
    return 0;
}

static int edit_off(const struct machine *machine, struct file *edited)
{
    if (!has_entry(edited, &machine->library))
        return ALREADY;
    remove_entries(edited, &machine->library);
    return replace_file(&machine->file, edited);
}

static int switch_off(struct machine *machine, bool quiet)
{
    static struct file edited;
    int status = edit_file(machine, edit_off, &edited);
    const char *what = status == 0 ? "the entry is removed"
                                   : "there is no entry for this library";
    struct found found;

    if (status == STATUS_FAILED)
        return status;
    /* What a program has decides, not what the file says. */
    if (!find_out(&found))
        warnx("%s, but whether it is off is unknown: " NO_ANSWER, what);
    else if (found.mapped[0] != '\0')
        warnx("%s, but a program that is started now still has %s: remove "
              "what names that from %s",
              what, found.mapped, PRELOAD_FILE);
    else if (quiet)
        return 0;
    else
        return tell(status == 0 ? "off: programs that are started from now on "
                                  "run without it"
                                : "already off");
    return MACHINE_DOUBT;
}

static int edit_on(const struct machine *machine, struct file *edited)
{
    const struct library *library = &machine->library;
    bool already = has_entry(edited, library);

    if (!already && !library->installed) {
        warnx("%s is not installed, it is in a build tree", library->path);
        return STATUS_FAILED;
    }
    for (int i = 0; i < check_count; i++) {
        const char *reason = checks[i].find(machine);

        if (reason == NULL || checks[i].note)
            continue;
        warnx("%s%s%s", already ? PRELOAD_FILE : "",
              already ? " has the library already, but " : "", reason);
        return STATUS_FAILED;
    }
    if (already)
        return ALREADY;
    if (!add_entry(edited, library)) {
        warnx("%s is too large for a list of libraries", PRELOAD_FILE);
        return STATUS_FAILED;
    }
    return replace_file(&machine->file, edited);
}

/*
 * Starts programs with the new file. This one runs, so it can still put the old
 * file back, even if no other starts any more; but only over what it has itself
 * written.
 */
static bool passes_proof(struct machine *machine, const struct file *edited)
{
    const char *reason = start_programs(&machine->library, NULL);
    int undone = FILE_CHANGED;

    if (is_unchanged(edited)) {
        if (reason == NULL)
            return true;
        undone = replace_file(edited, &machine->file);
    }
    if (undone == FILE_CHANGED)
        warnx("others have changed %s while programs were tried with it; it is "
              "left as it is now, see 'keepalive --global status'",
              PRELOAD_FILE);
    else
        warnx("%s%s", reason,
              undone == 0 ? "; the entry is removed again" : "");
    return false;
}

static int switch_on(struct machine *machine, bool quiet)
{
    static struct file edited;
    int status = edit_file(machine, edit_on, &edited);
    const char *note;
    char *idle;
    char after[128] = "";

    if (status == STATUS_FAILED ||
        (status == 0 && !passes_proof(machine, &edited)))
        return STATUS_FAILED;
    if (quiet)
        return 0;
    for (int i = 0; i < check_count; i++)
        if (checks[i].note && (note = checks[i].find(machine)) != NULL)
            warnx("%s", note);
    idle = read_below(AT_FDCWD, "/proc/sys/net/ipv4/tcp_keepalive_time");
    if (idle != NULL)
        snprintf(after, sizeof(after),
                 "; first probe after %d idle seconds: to change that set "
                 "net.ipv4.tcp_keepalive_time, see sysctl(8)",
                 find_number(idle, ""));
    free(idle);
    if (status == ALREADY)
        return tell(sentence("already on%s", after));
    return tell(sentence("on: programs that are started from now on have %s%s",
                         machine->library.entry, after));
}

/*
 * A pipe must not get one of these numbers where the caller has closed it. It
 * stays one that can neither be read nor written.
 */
static void occupy_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/", O_PATH | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int switch_machine(const char *what, bool quiet, bool json)
{
    static struct machine machine;
    bool on = strcmp(what, "on") == 0;
    bool status = strcmp(what, "status") == 0;
    char printable[PRINTABLE];
    int result = STATUS_FAILED;
    struct lock lock;

    if (!on && !status && strcmp(what, "off") != 0)
        warnx("--global: '%s' is not on, off or status",
              make_printable(printable, what));
    else if (json && !status)
        warnx("--json cannot be used with --global %s", what);
    else if (quiet && status)
        warnx("--quiet cannot be used with --global status");
    else
        result = 0;
    if (result != 0)
        return result;
    occupy_standard_descriptors();
    if (status)
        return show_status(json);
    if (geteuid() != 0) {
        complain("--global on and off need root");
        return STATUS_FAILED;
    }
    signal(SIGPIPE, SIG_IGN); /* what was done is no failure, see tell() */
    if (!take_lock(&lock, LOCK_FILE))
        return STATUS_FAILED;
    unlink(NEW_FILE); /* what a run that was killed has left */
    /* A library that is gone, or broken, can be switched off as well. */
    library_find(&machine.library);
    result = (on ? switch_on : switch_off)(&machine, quiet);
    release_lock(&lock);
    return result;
}
