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

/* What a connection has if its program sets nothing, and which of the programs
 * gives it each value; -1: none. */
struct outcome {
    int values[KEEPALIVE_OPTIONS];
    int givers[KEEPALIVE_OPTIONS];
};

/* Does what the setters do, in their order; see code.c. */
static void run_setters(const struct programs *programs,
                        struct outcome *outcome)
{
    unsigned given = 0; /* bits of rows, as they tell one another */

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
        outcome->values[row] = usual_values[row];
        outcome->givers[row] = -1;
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
            outcome->givers[row] = i;
        }
        if (find_value(record, KEEPALIVE_SWITCH) == 0)
            given = ~0U; /* exempt */
    }
}

/* A line for a program from which a value comes: its own, and no others. */
static void print_program(const struct programs *programs, int i,
                          const struct outcome *outcome, bool json)
{
    const struct program *it = &programs->list[i];
    const char *name;
    char cell[16];

    for (int column = 0; column < KEEPALIVE_OPTIONS; column++) {
        int row = find_column(column, &name);
        int value = outcome->givers[row] == i ? outcome->values[row] : NO_VALUE;

        write_value(cell, sizeof(cell), row, value, json);
        if (json)
            printf("%s\"%s\": %s", column == 0 ? "{" : ", ", name, cell);
        else if (row == KEEPALIVE_SWITCH && value == 1 && it->record.force)
            printf("%-9s  ", "force");
        else
            printf("%-9s  ", cell);
    }
    if (!json) {
        say("%s", it->path);
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
    const char *name;
    const char *between = "\n";

    run_setters(programs, &outcome);
    for (int column = 0; !json && column < KEEPALIVE_OPTIONS; column++) {
        find_column(column, &name);
        printf("%-9s  ", name);
    }
    fputs(json ? "[" : "cgroup\n", stdout);
    for (int i = 0; i < programs->count; i++) {
        bool any = false;

        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            any = any || outcome.givers[row] == i;
        if (!any)
            continue;
        if (json)
            fputs(between, stdout);
        between = ",\n";
        print_program(programs, i, &outcome, json);
    }
    if (json)
        puts("\n]");
}

/* Is a program not one of the two that a single run attaches? NULL: it is. */
static const char *find_fault(const struct programs *programs, int i)
{
    const struct program *it = &programs->list[i];
    bool partner = false; /* the other one of its run is there */
    bool beside = false;  /* one of the other kind is at its cgroup */

    for (int j = 0; j < programs->count; j++) {
        const struct program *other = &programs->list[j];
        bool same = strcmp(it->path, other->path) == 0;

        if (other->kind != it->kind) {
            partner = partner || other->map == it->map;
            beside = beside || same;
        } else if (same && j < i && it->path[0] == '/' && !partner) {
            return "programs of several runs are attached, which did not wait "
                   "for one another; use --off, and set the values again";
        }
    }
    if (partner)
        return NULL;
    if (it->kind == GUARD && beside)
        return "the program that refuses other values still has those of an "
               "earlier call; set them again";
    if (it->kind == GUARD)
        return "only the half of --force that refuses other values is "
               "attached, and nothing sets values; set them again, or use "
               "--off";
    return !it->record.force || beside
               ? NULL
               : "the half of --force that refuses other values is missing; "
                 "set them again";
}

/* Says of a setter what else there is to say. */
static void print_notes(const struct program *setter)
{
    int unknown = (int)setter->record.count;

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
        unknown -= find_value(&setter->record, row) != NO_VALUE;
    if (setter->record.rule == RULE_1_1)
        complain("%s: set by keepalive 1.1, whose rule still applies: only "
                 "connections with keepalive off get the values; set them "
                 "again",
                 setter->path);
    if (unknown > 0)
        complain("%s: a later version of keepalive set %d more value%s that "
                 "this one does not know",
                 setter->path, unknown, unknown == 1 ? "" : "s");
}

int show_programs(const char *path, const struct programs *programs, bool json,
                  bool quiet)
{
    const struct program *list = programs->list;
    int status = programs->count == 0 ? CGROUP_OFF : 0;

    /* Setters come first. */
    if (!quiet && (json || (programs->count > 0 && list[0].kind == SETTER)))
        print_programs(programs, json);
    else if (!quiet && programs->count == 0)
        say("nothing is in force in %s", path);
    fflush(stdout);
    for (int i = 0; i < programs->count; i++) {
        const char *fault = find_fault(programs, i);

        if (fault != NULL) {
            complain("%s: %s", list[i].path, fault);
            status = CGROUP_HALF;
        }
        if (list[i].kind == SETTER)
            print_notes(&list[i]);
    }
    return status;
}
