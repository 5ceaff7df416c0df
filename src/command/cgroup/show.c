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

    *outcome = (struct outcome){.givers = {NULL}};
    memcpy(outcome->values, usual_values, sizeof(usual_values));
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
        char cell[VALUE_SIZE];

        write_value(cell, row, value, json);
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
        const struct program *it = &programs->list[i];
        int row = 0;

        while (row < KEEPALIVE_OPTIONS && outcome.givers[row] != it)
            row++;
        if (row == KEEPALIVE_OPTIONS)
            continue;
        if (json)
            fputs(before, stdout);
        before = ",\n";
        print_program(it, &outcome, json);
    }
    if (json)
        puts(before[0] == '[' ? "[]" : "\n]");
}

/* What is wrong with one? NULL: it is there with all that its run attached. */
static const char *find_fault(const struct programs *programs,
                              const struct program *it)
{
    bool partner = false; /* the other one of its run is there */

    for (int i = 0; i < programs->count; i++) {
        const struct program *other = &programs->list[i];

        partner = partner || (other->kind != it->kind && other->map == it->map);
        if (other->kind == it->kind && other < it && it->path[0] == '/' &&
            strcmp(it->path, other->path) == 0)
            return "programs of several runs are attached, which did not wait "
                   "for one another; use --off, and set the values again";
    }
    if (it->kind == GUARD && !partner)
        return "only the half of --force that refuses other values is "
               "attached, without the one that sets them; set them again, or "
               "use --off";
    if (it->record.force && !partner)
        return "the half of --force that refuses other values is missing, or "
               "that of an earlier call; set them again";
    return NULL;
}

int show_programs(const char *path, const struct programs *programs, bool json,
                  bool quiet)
{
    const struct program *list = programs->list;
    const char *fault = NULL;

    /* Setters come first. */
    if (!quiet && (json || (programs->count > 0 && list->kind == SETTER)))
        print_programs(programs, json);
    else if (!quiet && programs->count == 0)
        say("nothing is in force in %s", path);
    fflush(stdout);
    for (int i = 0; i < programs->count; i++) {
        int unknown = (int)list[i].record.count;

        if (fault == NULL && (fault = find_fault(programs, &list[i])) != NULL)
            complain("%s: %s", list[i].path, fault);
        if (list[i].kind == GUARD)
            continue;
        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            unknown -= find_value(&list[i].record, row) != NO_VALUE;
        if (list[i].record.rule == RULE_1_1)
            complain("%s: set by keepalive 1.1, whose rule still applies: only "
                     "connections with keepalive off get the values; set them "
                     "again",
                     list[i].path);
        if (unknown > 0)
            complain("%s: a later version of keepalive set %d more value%s "
                     "that this one does not know",
                     list[i].path, unknown, unknown == 1 ? "" : "s");
    }
    return programs->count == 0 ? CGROUP_OFF : fault == NULL ? 0 : CGROUP_HALF;
}
