/*
 * switch.c - switches the whole machine on and off, and shows its state
 * SPDX-License-Identifier: MIT
 *
 * One run at a time: the lock is held from before the file is read until it is
 * seen that programs have what was asked for.
 */
#include "machine/switch.h"

#include "flags.h"
#include "lock.h"
#include "machine/trial.h"
#include "proc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ATTEMPTS = 5,      /* if others change the file meanwhile */
    MACHINE_OFF = 1,   /* the status: it is off */
    MACHINE_DOUBT = 2, /* not well, or not known; off: likewise */
};

static bool is_entered(const struct machine *machine)
{
    return find_word(machine->text, &machine->library, library_is) != NULL;
}

static const char *check_file(struct machine *machine)
{
    const struct library *library = &machine->library;
    const char *fault = library->fault;

    if (fault == NULL && !library->installed && !is_entered(machine))
        fault = "not installed, but in a build tree";
    return fault == NULL ? NULL : sentence("%s: %s", library->path, fault);
}

/* Programs of users who cannot read the list start without the library. */
static const char *check_owners(struct machine *machine)
{
    const char *const paths[] = {machine->library.path, machine->library.twin,
                                 machine->text != NULL ? PRELOAD_FILE : ""};
    const char *fault = NULL;

    for (int i = 0; i < 3 && fault == NULL; i++)
        if (paths[i][0] != '\0')
            fault = check_path(paths[i]);
    return fault;
}

/*
 * Another copy of the library, or an entry that cannot be loaded: then every
 * program prints a line. glibc's loader: "ERROR: ld.so: object 'PATH' from
 * /etc/ld.so.preload cannot be preloaded (REASON): ignored."
 */
static const char *check_others(struct machine *machine)
{
    const struct library *library = &machine->library;
    const char *object = machine->probe.said;
    const char *other = find_word(machine->text, library, library_is_other);

    if (other != NULL)
        return sentence("%s names another copy of the library: %.*s",
                        PRELOAD_FILE, (int)next_word(&other), other);
    while ((object = strstr(object, " object '")) != NULL) {
        object += strlen(" object '");
        if (!library_is(library, object, strcspn(object, "'")))
            return sentence("another entry is broken: '%.*s",
                            (int)strcspn(object, "\n"), object);
    }
    return NULL;
}

/* Does a file have a line, not a comment (# or ;), with this text in it? */
static bool has_line(const char *path, const char *text)
{
    FILE *file = fopen(path, "re");
    char line[PATH_MAX];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strchr("#;", line[0]) == NULL && strstr(line, text) != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

#define PROFILES "/sys/kernel/security/apparmor/profiles"

/* The profiles' abstractions/base admits libraries below these. */
static const char *check_apparmor(struct machine *machine)
{
    const char *path = machine->library.path;

    if (strncmp(path, "/usr/lib", 8) == 0 || strncmp(path, "/lib", 4) == 0 ||
        !has_line(PROFILES, "(enforce)"))
        return NULL;
    return sentence("%s is out of reach for the programs that AppArmor "
                    "confines; install it below /usr/lib",
                    path);
}

static const char *check_narrow(struct machine *machine)
{
    find_narrow(machine);
    if (machine->narrow.path == NULL || machine->library.twin[0] != '\0')
        return NULL;
    return sentence("%s is a 32-bit program, and there is no library for it",
                    machine->narrow.arguments[2]);
}

/* Its seccomp filter kills it at setsockopt(SO_KEEPALIVE) if it uses NTS. */
static const char *note_chronyd(struct machine *machine)
{
    static const char *const places[] = {
        "/etc/systemd/system/chrony*.service",
        "/etc/systemd/system/chrony*.service.d/*.conf",
        "/usr/local/lib/systemd/system/chrony*.service.d/*.conf",
        "/usr/lib/systemd/system/chrony*.service.d/*.conf",
        "/lib/systemd/system/chrony*.service.d/*.conf",
        "/etc/default/chrony*",
        "/etc/sysconfig/chrony*",
    };
    char path[PATH_MAX];
    glob_t files = {0};
    bool exempt = !find_installed("chronyd", false, path);

    (void)machine;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        glob(places[i], i > 0 ? GLOB_APPEND : 0, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc && !exempt; i++)
        exempt = has_line(files.gl_pathv[i], "KEEPALIVE=off");
    globfree(&files);
    if (exempt)
        return NULL;
    return sentence("%s is killed by its own seccomp filter when it uses NTS, "
                    "unless its unit has Environment=KEEPALIVE=off",
                    path);
}

/* The profile of snap-confine lists the libraries that it may load. */
static const char *note_snaps(struct machine *machine)
{
    (void)machine;
    return has_line(PROFILES, "snap-confine (enforce)")
               ? "AppArmor keeps snap-confine from the library: snaps run "
                 "without it, and each prints that it cannot be preloaded"
               : NULL;
}

static const char *check_start(struct machine *machine)
{
    return start_programs(machine,
                          is_entered(machine) ? NULL : machine->library.entry);
}

/*
 * What would stop the library from serving the whole machine. Each finds
 * nothing, and returns NULL, or a sentence. The last one starts programs: as
 * the machine is where the file has the entry, else with LD_PRELOAD.
 */
static const struct check {
    const char *name;
    const char *(*find)(struct machine *machine);
    bool note; /* good to know; nothing is refused for it */
} checks[] = {
    {"file", check_file, false},
    {"owner and mode", check_owners, false},
    {"other entries", check_others, false},
    {"AppArmor", check_apparmor, false},
    {"32-bit programs", check_narrow, false},
    {"chronyd", note_chronyd, true},
    {"snaps", note_snaps, true},
    {"programs start with it", check_start, false},
};

enum { CHECKS = sizeof(checks) / sizeof(*checks) };

/* May programs of root read what this user cannot? */
static bool is_hidden(const char *path)
{
    return access(path, R_OK) < 0 && errno == EACCES;
}

enum state { OFF, ON, UNKNOWN };

/*
 * Starts a program: whether it has keepalive decides, not what the file says.
 * Stores why that is not known, or not the entry's doing; else NULL.
 */
static enum state judge(struct machine *machine, const char **reason)
{
    const struct answer *answer = &machine->probe.answer;
    bool named = is_entered(machine);

    *reason = run_probe(&machine->probe);
    if (*reason != NULL)
        return UNKNOWN;
    if (answer->kept_alive && !named)
        *reason = sentence("%s, which is not the entry's", answer->loaded);
    if (answer->kept_alive)
        return ON;
    if (is_hidden(PRELOAD_FILE) || (named && is_hidden(machine->library.path)))
        *reason = "no keepalive, but this user cannot read what programs of "
                  "root can";
    return *reason == NULL ? OFF : UNKNOWN;
}

static void print_head(const struct machine *machine, const char *fault,
                       bool json)
{
    const struct library *library = &machine->library;
    const char *word = machine->text;
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
            fault != NULL           ? fault
            : machine->text == NULL ? "is not there"
            : length > 0            ? "holds"
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
        say("%s", library->path);
}

/* Prints one finding. A note is neither good nor bad. */
static void print_finding(const char *name, const char *reason, bool note,
                          bool json)
{
    static const char *comma = "";
    const char *mark = reason == NULL ? "ok" : note ? "--" : "NO";

    if (reason == NULL)
        reason = "";
    if (!json) {
        say("  %-4s%s%s%s", mark, name, reason[0] != '\0' ? ": " : "", reason);
        return;
    }
    printf("%s\n  {\"name\": \"%s\", \"passes\": %s, \"reason\": ", comma, name,
           strcmp(mark, "NO") != 0 ? "true" : "false");
    print_json_text(reason, strlen(reason));
    putchar('}');
    comma = ",";
}

static int show_status(struct machine *machine, bool json)
{
    static const char *const words[] = {"off", "on", "perhaps on"};
    static const char *const values[] = {"false", "true", "null"};
    int attempts = ATTEMPTS;
    const char *fault;
    const char *reason;
    enum state state;
    bool well;
    int status;

    /* Again if another run has switched it on or off meanwhile. */
    do {
        fault = read_file(&machine->text);
        state = judge(machine, &reason);
    } while (fault == NULL && !is_unchanged(machine->text) && --attempts > 0);
    well = state == ON && fault == NULL && reason == NULL;
    print_head(machine, fault, json);
    if (reason != NULL)
        print_finding("what a program has", reason, false, json);
    for (int i = 0; i < CHECKS; i++) {
        reason = checks[i].find(machine);
        print_finding(checks[i].name, reason, checks[i].note, json);
        well = well && (reason == NULL || checks[i].note);
    }
    status = well                                   ? 0
             : state == OFF && !is_entered(machine) ? MACHINE_OFF
                                                    : MACHINE_DOUBT;
    if (json)
        printf("],\n \"on\": %s, \"well\": %s}\n", values[state],
               well ? "true" : "false");
    else
        say("keepalive is %s for the whole machine%s", words[state],
            status == MACHINE_DOUBT ? ", but see above" : "");
    return status;
}

/* The first reason not to switch it on; NULL if there is none. */
static const char *find_reason(struct machine *machine)
{
    const char *reason = NULL;

    run_probe(&machine->probe);
    for (int i = 0; i < CHECKS && reason == NULL; i++)
        if (!checks[i].note)
            reason = checks[i].find(machine);
    return reason;
}

/* Edits the file, again if others have changed it meanwhile. */
static enum outcome edit_file(struct machine *machine, bool on, char **edited)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        const char *reason = read_file(&machine->text);
        enum outcome outcome;

        if (reason != NULL)
            complain("%s %s", PRELOAD_FILE, reason);
        else if (on && (reason = find_reason(machine)) != NULL)
            complain("%s", reason);
        if (reason != NULL)
            return FAILED;
        if (is_entered(machine) == on)
            return ALREADY;
        free(*edited);
        *edited =
            (on ? add_entry : remove_entries)(machine->text, &machine->library);
        outcome = replace_file(machine->text, *edited);
        if (outcome != CHANGED)
            return outcome;
    }
    complain("others keep changing %s", PRELOAD_FILE);
    return FAILED;
}

/*
 * Starts programs with the new file. This one runs, so it can still put the old
 * file back, even if no other starts any more; but only over what it has itself
 * written.
 */
static bool passes_proof(const struct machine *machine, const char *edited)
{
    const char *reason = start_programs(machine, NULL);
    enum outcome undone = CHANGED;

    if (reason == NULL) /* others may have changed its owner and mode */
        reason = check_path(PRELOAD_FILE);
    if (is_unchanged(edited)) {
        if (reason == NULL)
            return true;
        undone = replace_file(edited, machine->text);
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

/* What a program has decides whether it is off, not what the file says. */
static int tell_off(struct machine *machine, bool already, bool quiet)
{
    const char *what =
        already ? "there is no entry for this library" : "the entry is removed";
    const char *reason = run_probe(&machine->probe);
    const char *loaded = machine->probe.answer.loaded;

    if (reason != NULL)
        complain("%s, but whether it is off is unknown: %s", what, reason);
    else if (loaded[0] != '\0')
        complain("%s, but a program that is started now still has %s: remove "
                 "what names that from %s",
                 what, loaded, PRELOAD_FILE);
    else if (!quiet)
        say(already ? "already off"
                    : "off: programs that are started from now on run without "
                      "it");
    return reason != NULL || loaded[0] != '\0' ? MACHINE_DOUBT : 0;
}

static void tell_on(struct machine *machine, bool already)
{
    char *idle = read_below(AT_FDCWD, "/proc/sys/net/ipv4/tcp_keepalive_time");
    const char *number = idle != NULL ? idle : "the kernel's number of";
    const char *note;

    for (int i = 0; i < CHECKS; i++)
        if (checks[i].note && (note = checks[i].find(machine)) != NULL)
            complain("%s", note);
    say("%s%s; first probe after %.*s idle seconds: to change that set "
        "net.ipv4.tcp_keepalive_time, see sysctl(8)",
        already ? "already on"
                : "on: programs that are started from now on have ",
        already ? "" : machine->library.entry, (int)strcspn(number, "\n"),
        number);
    free(idle);
}

/* Switches it on or off, undisturbed. */
static int change_machine(struct machine *machine, bool on, bool quiet)
{
    struct lock lock;
    char *edited = NULL;
    enum outcome outcome;
    int status = 0;

    signal(SIGPIPE, SIG_IGN);
    if (!take_lock(&lock, "/etc/.ld.so.preload.keepalive"))
        return STATUS_FAILED;
    unlink(NEW_FILE); /* what a run that was killed has left */
    outcome = edit_file(machine, on, &edited);
    if (outcome == FAILED ||
        (on && outcome == REPLACED && !passes_proof(machine, edited)))
        status = STATUS_FAILED;
    else if (!on)
        status = tell_off(machine, outcome == ALREADY, quiet);
    else if (!quiet)
        tell_on(machine, outcome == ALREADY);
    /* It is done even if nobody can be told. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("standard output: %s", strerror(errno));
        clearerr(stdout);
    }
    release_lock(&lock);
    free(edited);
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
    int fd;

    if (!on && !status && strcmp(what, "off") != 0)
        complain("--global: '%s' is not on, off or status", what);
    else if (status ? quiet : json)
        complain("%s cannot be used with --global %s",
                 status ? "--quiet" : "--json", what);
    else if (!status && geteuid() != 0)
        complain("--global on and off need root");
    else {
        /* A pipe must not get the number of a standard descriptor that is
         * closed: it stays one that can neither be read nor written. */
        do
            fd = open("/", O_PATH | O_CLOEXEC);
        while (fd >= 0 && fd <= STDERR_FILENO);
        close(fd);
        /* A library that is gone, or broken, can be switched off as well. */
        library_find(&machine.library);
        return status ? show_status(&machine, json)
                      : change_machine(&machine, on, quiet);
    }
    return STATUS_FAILED;
}
