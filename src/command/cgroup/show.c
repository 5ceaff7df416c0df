/*
 * show.c - shows what is in force in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/show.h"

#include "cgroup/code.h"
#include "flags.h"
#include "text.h"
#include "values.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

/* Of each row: the layer that gives a connection its value, or -1. */
struct choice {
    int layers[KEEPALIVE_OPTIONS];
    int values[KEEPALIVE_OPTIONS];
    unsigned given; /* bits of rows, as the programs tell one another */
};

/* Does the setter of a layer leave this value alone, as somebody set it? */
static bool leaves(const struct settings *settings, const struct choice *choice,
                   int row)
{
    bool on = choice->layers[KEEPALIVE_SWITCH] >= 0 &&
              choice->values[KEEPALIVE_SWITCH] == 1;

    if (settings->wanted.values[row] == NO_VALUE)
        return true;
    if (settings->wanted.force)
        return false;
    if (settings->rule == RULE_1_1)
        return on;
    if ((choice->given & 1U << row) != 0)
        return true;
    return row == KEEPALIVE_SWITCH
               ? on
               : choice->layers[row] >= 0 &&
                     choice->values[row] != usual_values[row];
}

/* What a connection gets if its program sets nothing; see code.c. */
static void choose_layers(const struct layers *layers, struct choice *choice)
{
    choice->given = 0;
    for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
        choice->layers[row] = -1;
    for (int i = 0; i < layers->count; i++) {
        const struct settings *settings = &layers->list[i].settings[SETTER];
        struct choice before = *choice;

        if (!layers->list[i].has[SETTER])
            continue;
        for (int row = 0; row < KEEPALIVE_OPTIONS; row++) {
            int value = settings->wanted.values[row];

            if (!leaves(settings, &before, row)) {
                choice->layers[row] = i;
                choice->values[row] = value;
            }
            if (settings->rule != RULE_1_1 && value != NO_VALUE)
                choice->given |= 1U << row;
        }
        if (settings->wanted.values[KEEPALIVE_SWITCH] == 0)
            choice->given = ~0U;
    }
}

/* A value of a layer as it is shown; none where another layer gives it. */
static void write_cell(char cell[16], const struct layers *layers,
                       const struct choice *choice, int i, int row, bool json)
{
    int value = choice->layers[row] == i ? choice->values[row] : NO_VALUE;

    write_value(cell, 16, row, value, json);
    if (!json && row == KEEPALIVE_SWITCH && value == 1 &&
        layers->list[i].settings[SETTER].wanted.force)
        snprintf(cell, 16, "force");
}

static void print_layer(const struct layers *layers,
                        const struct choice *choice, int i, bool json)
{
    const struct layer *layer = &layers->list[i];
    char cell[16];
    char printable[PRINTABLE];
    const char *name;

    if (json) {
        printf("{\"cgroup\": ");
        print_json_text(layer->path, strlen(layer->path));
        printf(", \"force\": %s",
               layer->settings[SETTER].wanted.force ? "true" : "false");
    }
    for (int column = 0; column < KEEPALIVE_OPTIONS; column++) {
        int row = find_column(column, &name);

        write_cell(cell, layers, choice, i, row, json);
        if (json)
            printf(", \"%s\": %s", name, cell);
        else
            printf("%-9s  ", cell);
    }
    if (json)
        putchar('}');
    else
        puts(make_printable(printable, layer->path));
}

/* A line for each cgroup from which a value comes. */
static void print_layers(const struct layers *layers, bool json)
{
    struct choice choice;
    const char *name;
    const char *comma = "\n";

    choose_layers(layers, &choice);
    for (int column = 0; !json && column < KEEPALIVE_OPTIONS; column++) {
        find_column(column, &name);
        printf("%-9s  ", name);
    }
    printf("%s", json ? "[" : "cgroup\n");
    for (int i = 0; i < layers->count; i++) {
        bool any = false;

        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            any = any || choice.layers[row] == i;
        if (!any)
            continue;
        if (json)
            printf("%s", comma);
        comma = ",\n";
        print_layer(layers, &choice, i, json);
    }
    if (json)
        puts("\n]");
}

/* Is this not the first layer of its cgroup? Those above the mount have no
 * path, and may be of several. */
static bool is_second(const struct layers *layers, int i)
{
    const char *path = layers->list[i].path;
    int first = 0;

    while (strcmp(layers->list[first].path, path) != 0)
        first++;
    return first < i && path[0] == '/';
}

/* Says what is not as it should be; are the programs not those of one run? */
static bool check_layer(const struct layers *layers, int i)
{
    const struct layer *layer = &layers->list[i];
    const struct settings *setter = &layer->settings[SETTER];
    const struct settings *guard = &layer->settings[GUARD];
    const char *half = NULL;
    char printable[PRINTABLE];
    const char *path = make_printable(printable, layer->path);

    if (is_second(layers, i))
        half = "programs of several runs are attached, which did not wait for "
               "one another; use --off, and set the values again";
    else if (!layer->has[SETTER])
        half = "only the half of --force that refuses other values is "
               "attached, and nothing sets values; set them again, or use "
               "--off";
    else if (setter->wanted.force && !layer->has[GUARD])
        half = "the half of --force that refuses other values is missing; set "
               "them again";
    else if (layer->has[GUARD] &&
             memcmp(setter->wanted.values, guard->wanted.values,
                    sizeof(setter->wanted.values)) != 0)
        half = "the program that refuses other values still has those of an "
               "earlier call; set them again";
    if (half != NULL)
        warnx("%s: %s", path, half);
    if (layer->has[SETTER] && setter->rule == RULE_1_1)
        warnx("%s: set by keepalive 1.1, whose rule still applies: only "
              "connections with keepalive off get the values; set them again",
              path);
    if (setter->unknown > 0)
        warnx("%s: a later version of keepalive set %d more value%s that this "
              "one does not know",
              path, setter->unknown, setter->unknown == 1 ? "" : "s");
    return half != NULL;
}

int show_layers(const char *path, const struct layers *layers, bool json,
                bool quiet)
{
    int status = layers->count == 0 ? CGROUP_OFF : 0;
    bool sets = false;
    char printable[PRINTABLE];

    for (int i = 0; i < layers->count; i++)
        sets = sets || layers->list[i].has[SETTER];
    if (!quiet && (sets || json))
        print_layers(layers, json);
    else if (!quiet && layers->count == 0)
        printf("nothing is in force in %s\n", make_printable(printable, path));
    fflush(stdout);
    for (int i = 0; i < layers->count; i++)
        if (check_layer(layers, i))
            status = CGROUP_HALF;
    return status;
}

int show_rest(const char *path, const struct layers *layers)
{
    char printable[PRINTABLE];
    char above[PRINTABLE];

    if (layers->count == 0)
        return 0;
    warnx("%s: it has no values of its own now, but those of %s are in force",
          make_printable(printable, path),
          make_printable(above, layers->list[0].path));
    return CGROUP_HALF;
}
