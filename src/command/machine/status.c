/*
 * status.c - shows whether the whole machine has the library
 * SPDX-License-Identifier: MIT
 */
#include "machine/status.h"

#include "machine/check.h"
#include "machine/trial.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum answer { NO, YES, UNKNOWN };

/* May programs of root read what this user cannot? */
static bool is_hidden(const char *path)
{
    return access(path, R_OK) < 0 && errno == EACCES;
}

/*
 * Does a program that is started now have keepalive? That decides, not what the
 * file says. Where the two differ, *reason tells what it has.
 */
static enum answer judge(const struct library *library, bool named,
                         const char **reason)
{
    struct found found;

    *reason = NULL;
    if (!find_out(&found)) {
        *reason = NO_ANSWER;
        return UNKNOWN;
    }
    if (found.kept_alive) {
        if (!named || !found.library)
            *reason = sentence("%s, which is not the entry's", found.mapped);
        return YES;
    }
    if (is_hidden(PRELOAD_FILE) || (named && is_hidden(library->path))) {
        *reason = "no keepalive, but this user cannot read what programs of "
                  "root can";
        return UNKNOWN;
    }
    if (named)
        *reason = "no keepalive, though the file names the library";
    return NO;
}

static void print_head(const struct machine *machine, const char *fault)
{
    const struct file *file = &machine->file;
    char printable[PRINTABLE];
    char entry[PRINTABLE];
    size_t place = 0;
    size_t length = next_word(file, &place);

    printf("%s %s\n", PRELOAD_FILE,
           fault != NULL  ? fault
           : !file->there ? "is not there"
           : length > 0   ? "holds"
                          : "holds no library");
    for (; length > 0; length = next_word(file, &place)) {
        const char *word = file->bytes + place;

        snprintf(entry, sizeof(entry), "%.*s", (int)length, word);
        printf("  %s%s\n", make_printable(printable, entry),
               library_is(&machine->library, word, length) ? "  (this library)"
                                                           : "");
        place += length;
    }
    printf("%s%s\n", machine->library.path,
           machine->library.installed ? "" : " (not installed: a build tree)");
}

static void print_head_json(const struct machine *machine, const char *fault)
{
    const struct file *file = &machine->file;
    const char *path = machine->library.path;
    const char *comma = "";
    size_t length;

    printf("{\"library\": ");
    print_json_text(path, strlen(path));
    printf(",\n \"file\": \"" PRELOAD_FILE "\",\n \"fault\": ");
    if (fault != NULL)
        print_json_text(fault, strlen(fault));
    else
        printf("null");
    printf(",\n \"entries\": [");
    for (size_t place = 0; (length = next_word(file, &place)) > 0;
         place += length) {
        printf("%s", comma);
        print_json_text(file->bytes + place, length);
        comma = ", ";
    }
    printf("],\n \"checks\": [");
}

/* Prints one finding. A note is neither good nor bad. */
static void print_finding(const char *name, const char *reason, bool note,
                          bool json)
{
    static const char *comma = "";
    bool passes = reason == NULL || note;

    if (!json) {
        printf("  %-4s%s%s%s\n",
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

int show_status(bool json)
{
    static const char *const words[] = {"off", "on", "perhaps on"};
    static const char *const values[] = {"false", "true", "null"};
    static struct machine machine;
    const char *fault;
    const char *reason;
    enum answer on;
    bool named;
    bool well;
    int attempts = 5;
    int status;

    library_find(&machine.library);
    /* Again if another run has switched it on or off meanwhile. */
    do {
        fault = read_file(&machine.file);
        named = has_entry(&machine.file, &machine.library);
        on = judge(&machine.library, named, &reason);
    } while (!is_unchanged(&machine.file) && --attempts > 0);
    well = fault == NULL && reason == NULL && on == YES;
    (json ? print_head_json : print_head)(&machine, fault);
    if (reason != NULL)
        print_finding("what a program has", reason, false, json);
    for (int i = 0; i < check_count; i++) {
        reason = checks[i].find(&machine);
        print_finding(checks[i].name, reason, checks[i].note, json);
        well = well && (reason == NULL || checks[i].note);
    }
    status = well ? 0 : on == NO && !named ? MACHINE_OFF : MACHINE_DOUBT;
    if (json)
        printf("],\n \"on\": %s, \"well\": %s}\n", values[on],
               well ? "true" : "false");
    else
        printf("keepalive is %s for the whole machine%s\n", words[on],
               status == MACHINE_DOUBT ? ", but see above" : "");
    return status;
}
