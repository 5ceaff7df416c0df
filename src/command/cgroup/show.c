/*
 * show.c - shows what is in force in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/show.h"

#include "cgroup/code.h"
#include "flags.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* What a connection has if its program sets nothing, and which of ours gives it
 * each value; NULL: none. */
struct outcome {
    int values[KEEPALIVE_OPTIONS];
    const struct program *givers[KEEPALIVE_OPTIONS];
};

/* Does what the setters do, in their order; see code.c. */
static void run_setters(const struct programs *programs,
                        struct outcome *outcome)
{
    unsigned given = 0; /* bits of rows, as they tell one another */

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        outcome->values[row] = usual_values[row];
        outcome->givers[row] = NULL;
    }
    for (int i = 0; i < programs->count; i++) {
        const struct record *record = &programs->list[i].record;
        bool on = outcome->values[KEEPALIVE_SWITCH] == 1;

        if (programs->list[i].kind != SETTER)
            continue;
        for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
            int value = find_value(record, row);
            bool stays = record->rule == RULE_1_1
                             ? on
                             : (given & 1U << row) != 0 ||
                                   outcome->values[row] != usual_values[row];

            if (value == NO_VALUE)
                continue;
            if (record->rule != RULE_1_1)
                given |= 1U << row;
            if (stays && !record->force)
                continue;
            outcome->values[row] = value;
            outcome->givers[row] = &programs->list[i];
        }
        if (find_value(record, KEEPALIVE_SWITCH) == 0)
            given = ~0U; /* exempt */
    }
}

/* A line for a program, with the values that it gives; NULL: the heads. */
static void print_program(const struct program *it,
                          const struct outcome *outcome, bool json)
{
    for (int column = 0; column < KEEPALIVE_OPTIONS; column++) {
        const char *name;
        int row = find_column(column, &name);
        int value =
            outcome->givers[row] == it ? outcome->values[row] : NO_VALUE;
        char cell[16];

        write_value(cell, sizeof(cell), row, value, json);
        if (json)
            printf("%s\"%s\": %s", column == 0 ? "{" : ", ", name, cell);
        else if (it != NULL && it->record.force && column == 0 && value == 1)
            printf("%-9s  ", "force");
        else
            printf("%-9s  ", it == NULL ? name : cell);
    }
    if (it == NULL || !json) {
        say("%s", it == NULL ? "cgroup" : it->path);
        return;
    }
    printf(", \"force\": %s, \"cgroup\": ",
           it->record.force ? "true" : "false");
    print_json_text(it->path, strlen(it->path));
    putchar('}');
}

static void print_programs(const struct programs *programs, bool json)
{
    struct outcome outcome;
    const char *before = "[\n";

    run_setters(programs, &outcome);
    if (!json)
        print_program(NULL, &outcome, false);
    for (int i = 0; i < programs->count; i++) {
        bool any = false;

        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            any = any || outcome.givers[row] == &programs->list[i];
        if (any && json)
            fputs(before, stdout);
        if (any)
            print_program(&programs->list[i], &outcome, json);
        if (any)
            before = ",\n";
    }
    if (json)
        puts(before[0] == '[' ? "[]" : "\n]");
}

/* What is wrong with one? NULL: it is there with all that its run attached. */
static const char *find_fault(const struct programs *programs,
                              const struct program *it)
{
    bool partner = false; /* the other one of its run is there */
    bool beside = false;  /* one of the other kind is at its cgroup */

    for (int i = 0; i < programs->count; i++) {
        const struct program *other = &programs->list[i];
        bool same = strcmp(it->path, other->path) == 0;

        if (other->kind != it->kind) {
            partner = partner || other->map == it->map;
            beside = beside || same;
        } else if (same && other < it && it->path[0] == '/' && !partner) {
            return "programs of several runs are attached, which did not wait "
                   "for one another; use --off, and set the values again";
        }
    }
    if (it->kind == GUARD && !partner)
        return "only the half of --force that refuses other values is "
               "attached, without the one that sets them; set them again, or "
               "use --off";
    if (it->record.force && !partner && !beside)
        return "the half of --force that refuses other values is missing; set "
               "them again";
    return NULL;
}

int show_programs(const char *path, const struct programs *programs, bool json,
                  bool quiet)
{
    const struct program *end = programs->list + programs->count;
    int status = programs->count == 0 ? CGROUP_OFF : 0;

    /* Setters come first. */
    if (!quiet && (json || (status == 0 && programs->list->kind == SETTER)))
        print_programs(programs, json);
    else if (!quiet && status == CGROUP_OFF)
        say("nothing is in force in %s", path);
    fflush(stdout);
    for (const struct program *it = programs->list; it < end; it++) {
        const char *fault = find_fault(programs, it);
        int unknown = (int)it->record.count;

        if (fault != NULL) {
            complain("%s: %s", it->path, fault);
            status = CGROUP_HALF;
        }
        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            unknown -= find_value(&it->record, row) != NO_VALUE;
        if (it->kind == SETTER && it->record.rule == RULE_1_1)
            complain("%s: set by keepalive 1.1, whose rule still applies: only "
                     "connections with keepalive off get the values; set them "
                     "again",
                     it->path);
        if (it->kind == SETTER && unknown > 0)
            complain("%s: a later version of keepalive set %d more value%s "
                     "that this one does not know",
                     it->path, unknown, unknown == 1 ? "" : "s");
    }
    return status;
}
