/*
 * status.c - does the whole machine have it?
 * SPDX-License-Identifier: MIT
 */
#include "machine/status.h"

#include "machine/check.h"
#include "machine/preload_file.h"
#include "machine/trial.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

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

int show_status(const struct library *library, bool json)
{
    static struct report report;

    look(&report, library);
    if (json)
        print_report_json(&report, library);
    else
        print_report(&report, library);
    return report.status;
}
