/*
 * switch.c - switches the whole machine on and off, and shows its state
 * SPDX-License-Identifier: MIT
 *
 * One run at a time: the lock is held from before the file is read until it is
 * seen that programs have what was asked for.
 */
#include "machine/switch.h"

#include "exit_status.h"
#include "lock.h"
#include "machine/check.h"
#include "proc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Only root can open it. */
#define LOCK_FILE "/etc/.ld.so.preload.keepalive"

enum {
    ATTEMPTS = 5,      /* if others change the file meanwhile */
    MACHINE_OFF = 1,   /* the status: it is off */
    MACHINE_DOUBT = 2, /* not well, or not known; off: likewise */
};

/* May programs of root read what this user cannot? */
static bool is_hidden(const char *path)
{
    return access(path, R_OK) < 0 && errno == EACCES;
}

enum state { OFF, ON, UNKNOWN };

/*
 * Does a program that is started now have keepalive? That decides, not what the
 * file says. Where the two differ, *reason tells what it has.
 */
static enum state judge(struct machine *machine, bool named,
                        const char **reason)
{
    const struct answer *answer = &machine->probe.answer;

    *reason = NULL;
    if (!run_probe(&machine->probe)) {
        *reason = NO_ANSWER;
        return UNKNOWN;
    }
    if (answer->kept_alive) {
        if (!named || !answer->library)
            *reason = sentence("%s, which is not the entry's", answer->loaded);
        return ON;
    }
    if (is_hidden(PRELOAD_FILE) ||
        (named && is_hidden(machine->library.path))) {
        *reason = "no keepalive, but this user cannot read what programs of "
                  "root can";
        return UNKNOWN;
    }
    if (named)
        *reason = "no keepalive, though the file names the library";
    return OFF;
}

static void print_head(const struct machine *machine, const char *fault,
                       bool json)
{
    const struct library *library = &machine->library;
    const char *word = machine->file.text;
    const char *comma = "";
    size_t length = next_word(&word);

    if (json) {
        printf("{\"library\": ");
        print_json_text(library->path, strlen(library->path));
        printf(",\n \"file\": \"" PRELOAD_FILE "\",\n \"fault\": ");
        printf(fault != NULL ? "\"%s\"" : "null", fault);
        printf(",\n \"entries\": [");
    } else {
        say("%s %s", PRELOAD_FILE,
            fault != NULL                ? fault
            : machine->file.text == NULL ? "is not there"
            : length > 0                 ? "holds"
                                         : "holds no library");
    }
    for (; length > 0; length = next_word(&word)) {
        if (json) {
            printf("%s", comma);
            print_json_text(word, length);
            comma = ", ";
        } else {
            say("  %.*s%s", (int)length, word,
                library_is(library, word, length) ? "  (this library)" : "");
        }
        word += length;
    }
    if (json)
        printf("],\n \"checks\": [");
    else
        say("%s%s", library->path,
            library->installed ? "" : " (not installed: a build tree)");
}

/* Prints one finding. A note is neither good nor bad. */
static void print_finding(const char *name, const char *reason, bool note,
                          bool json)
{
    static const char *comma = "";
    bool passes = reason == NULL || note;

    if (!json) {
        say("  %-4s%s%s%s",
            !passes          ? "NO"
            : reason == NULL ? "ok"
                             : "--",
            name, reason != NULL ? ": " : "", reason != NULL ? reason : "");
        return;
    }
    printf("%s\n  {\"name\": \"%s\", \"passes\": %s, \"reason\": ", comma, name,
           passes ? "true" : "false");
    print_json_text(reason != NULL ? reason : "",
                    reason != NULL ? strlen(reason) : 0);
    putchar('}');
    comma = ",";
}

static int show_status(struct machine *machine, bool json)
{
    static const char *const words[] = {"off", "on", "perhaps on"};
    static const char *const values[] = {"false", "true", "null"};
    const char *fault;
    const char *reason;
    enum state state;
    bool named;
    bool well;
    int attempts = ATTEMPTS;
    int status;

    /* Again if another run has switched it on or off meanwhile. */
    do {
        fault = read_file(&machine->file);
        named = has_entry(&machine->file, &machine->library);
        state = judge(machine, named, &reason);
    } while (!is_unchanged(&machine->file) && --attempts > 0);
    well = fault == NULL && reason == NULL && state == ON;
    print_head(machine, fault, json);
    if (reason != NULL)
        print_finding("what a program has", reason, false, json);
    for (int i = 0; i < check_count; i++) {
        reason = checks[i].find(machine);
        print_finding(checks[i].name, reason, checks[i].note, json);
        well = well && (reason == NULL || checks[i].note);
    }
    status = well ? 0 : state == OFF && !named ? MACHINE_OFF : MACHINE_DOUBT;
    if (json)
        printf("],\n \"on\": %s, \"well\": %s}\n", values[state],
               well ? "true" : "false");
    else
        say("keepalive is %s for the whole machine%s", words[state],
            status == MACHINE_DOUBT ? ", but see above" : "");
    return status;
}

/* Does nothing stand against it? Says so if it does. */
static bool may_switch_on(struct machine *machine, bool already)
{
    run_probe(&machine->probe);
    if (!already && !machine->library.installed) {
        complain("%s is not installed, it is in a build tree",
                 machine->library.path);
        return false;
    }
    for (int i = 0; i < check_count; i++) {
        const char *reason = checks[i].note ? NULL : checks[i].find(machine);

        if (reason == NULL)
            continue;
        complain("%s%s",
                 already ? PRELOAD_FILE " has the library already, but " : "",
                 reason);
        return false;
    }
    return true;
}

/* Edits the file, again if others have changed it meanwhile. */
static enum outcome edit_file(struct machine *machine, bool on,
                              struct file *edited)
{
    const struct library *library = &machine->library;
    struct file *file = &machine->file;

    for (int i = 0; i < ATTEMPTS; i++) {
        const char *reason = read_file(file);
        bool named = has_entry(file, library);
        enum outcome outcome;

        if (reason != NULL) {
            complain("%s %s", PRELOAD_FILE, reason);
            return FAILED;
        }
        if (on && !may_switch_on(machine, named))
            return FAILED;
        if (named == on)
            return ALREADY;
        edited->status = file->status;
        edited->text = (on ? add_entry : remove_entries)(file->text, library);
        outcome = replace_file(file, edited);
        if (outcome != CHANGED)
            return outcome;
        free(edited->text);
    }
    complain("others keep changing %s", PRELOAD_FILE);
    return FAILED;
}

/*
 * Starts programs with the new file. This one runs, so it can still put the old
 * file back, even if no other starts any more; but only over what it has itself
 * written.
 */
static bool passes_proof(struct machine *machine, const struct file *edited)
{
    const char *reason = start_programs(machine, NULL);
    enum outcome undone = CHANGED;

    if (is_unchanged(edited)) {
        if (reason == NULL)
            return true;
        undone = replace_file(edited, &machine->file);
    }
    if (undone == CHANGED)
        complain("others have changed %s while programs were tried with it; it "
                 "is left as it is now, see 'keepalive --global status'",
                 PRELOAD_FILE);
    else
        complain("%s%s", reason,
                 undone == REPLACED ? "; the entry is removed again" : "");
    return false;
}

static int switch_off(struct machine *machine, bool quiet)
{
    struct file edited;
    enum outcome outcome = edit_file(machine, false, &edited);
    const char *what = outcome == ALREADY ? "there is no entry for this library"
                                          : "the entry is removed";

    if (outcome == FAILED)
        return STATUS_FAILED;
    /* What a program has decides, not what the file says. */
    if (!run_probe(&machine->probe))
        complain("%s, but whether it is off is unknown: " NO_ANSWER, what);
    else if (machine->probe.answer.loaded[0] != '\0')
        complain("%s, but a program that is started now still has %s: remove "
                 "what names that from %s",
                 what, machine->probe.answer.loaded, PRELOAD_FILE);
    else {
        if (!quiet)
            say(outcome == ALREADY ? "already off"
                                   : "off: programs that are started from now "
                                     "on run without it");
        return 0;
    }
    return MACHINE_DOUBT;
}

static int switch_on(struct machine *machine, bool quiet)
{
    struct file edited;
    enum outcome outcome = edit_file(machine, true, &edited);
    const char *note;
    char *idle;

    if (outcome == FAILED ||
        (outcome == REPLACED && !passes_proof(machine, &edited)))
        return STATUS_FAILED;
    if (quiet)
        return 0;
    for (int i = 0; i < check_count; i++)
        if (checks[i].note && (note = checks[i].find(machine)) != NULL)
            complain("%s", note);
    idle = read_below(AT_FDCWD, "/proc/sys/net/ipv4/tcp_keepalive_time");
    say("%s%s; first probe after %d idle seconds: to change that set "
        "net.ipv4.tcp_keepalive_time, see sysctl(8)",
        outcome == ALREADY ? "already on"
                           : "on: programs that are started from now on have ",
        outcome == ALREADY ? "" : machine->library.entry,
        idle == NULL ? 0 : find_number(idle, ""));
    free(idle);
    return 0;
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

/* Switches it on or off, undisturbed. */
static int change_machine(struct machine *machine, bool on, bool quiet)
{
    struct lock lock;
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (!take_lock(&lock, LOCK_FILE))
        return STATUS_FAILED;
    unlink(NEW_FILE); /* what a run that was killed has left */
    status = (on ? switch_on : switch_off)(machine, quiet);
    /* It is done even if nobody can be told. */
    if (fflush(stdout) != 0) {
        complain("standard output: %s", strerror(errno));
        clearerr(stdout);
    }
    release_lock(&lock);
    return status;
}

int switch_machine(const struct request *request)
{
    static struct machine machine;
    const char *what = request->given['g'];
    bool quiet = request->given['q'] != NULL;
    bool json = request->given['j'] != NULL;
    bool on = strcmp(what, "on") == 0;
    bool status = strcmp(what, "status") == 0;

    if (!on && !status && strcmp(what, "off") != 0)
        complain("--global: '%s' is not on, off or status", what);
    else if (json && !status)
        complain("--json cannot be used with --global %s", what);
    else if (quiet && status)
        complain("--quiet cannot be used with --global status");
    else if (!status && geteuid() != 0)
        complain("--global on and off need root");
    else {
        occupy_standard_descriptors();
        /* A library that is gone, or broken, can be switched off as well. */
        library_find(&machine.library);
        if (on || status)
            find_narrow(&machine);
        return status ? show_status(&machine, json)
                      : change_machine(&machine, on, quiet);
    }
    return STATUS_FAILED;
}
