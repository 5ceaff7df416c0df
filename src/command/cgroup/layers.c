/*
 * layers.c - what is in force in a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/layers.h"

#include "cgroup/place.h"
#include "flags.h"
#include "text.h"
#include "values.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Which cgroup, this one or one above, is it that has the program? */
static bool find_layer(char path[PATH_MAX], uint32_t id)
{
    for (; kind_of(path) == CGROUP_V2; *strrchr(path, '/') = '\0') {
        int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct list list = {.count = 0};
        bool done = list_programs(cgroup, SETTER, false, &list);
        int error = errno;
        bool found = false;

        for (uint32_t i = 0; i < list.count; i++)
            found = found || list.ids[i] == id;
        close(cgroup);
        errno = error;
        if (found || !done)
            return done;
    }
    snprintf(path, PATH_MAX, "above"); /* what is mounted here */
    return true;
}

bool find_layers(const char *path, int cgroup, struct layers *layers)
{
    struct list list;

    if (!list_programs(cgroup, SETTER, true, &list))
        return false;
    layers->list = calloc(list.count + 1, sizeof(*layers->list));
    if (layers->list == NULL)
        return false;
    for (uint32_t i = 0; i < list.count; i++) {
        struct layer *layer = &layers->list[layers->count];
        int program = open_ours(list.ids[i], &layer->settings);

        if (program == FAILED)
            return false;
        if (program == ABSENT)
            continue;
        close(program);
        snprintf(layer->path, PATH_MAX, "%s", path);
        if (!find_layer(layer->path, list.ids[i]))
            return false;
        layers->count++;
    }
    return true;
}

/*
 * Which layer gives a connection its value? The nearest cgroup does, as the
 * next finds keepalive on; unless one above has force.
 */
static void choose_layers(const struct layer layers[], int count,
                          int chosen[KEEPALIVE_OPTIONS],
                          int values[KEEPALIVE_OPTIONS])
{
    for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
        chosen[row] = -1;
    for (int i = 0; i < count; i++) {
        const struct wanted *wanted = &layers[i].settings.wanted;

        if (chosen[KEEPALIVE_SWITCH] >= 0 && !wanted->force)
            continue;
        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            if (wanted->values[row] != NO_VALUE) {
                chosen[row] = i;
                values[row] = wanted->values[row];
            }
    }
}

/* A line for each cgroup from which a value comes. */
static void print_layers(const struct layer layers[], int count)
{
    int chosen[KEEPALIVE_OPTIONS];
    int values[KEEPALIVE_OPTIONS];
    const char *name;
    char printable[PRINTABLE];

    choose_layers(layers, count, chosen, values);
    for (int column = 0; column < KEEPALIVE_OPTIONS; column++) {
        find_column(column, &name);
        printf("%-9s  ", name);
    }
    puts("cgroup");
    for (int i = 0; i < count; i++) {
        bool any = false;

        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            any = any || chosen[row] == i;
        for (int column = 0; any && column < KEEPALIVE_OPTIONS; column++) {
            int row = find_column(column, &name);

            if (chosen[row] != i)
                printf("%-9s  ", "-");
            else if (row == KEEPALIVE_SWITCH)
                printf("%-9s  ",
                       layers[i].settings.wanted.force ? "force" : "on");
            else
                printf("%-9d  ", values[row] / keepalive_options[row].scale);
        }
        if (any)
            puts(make_printable(printable, layers[i].path));
    }
}

int show_layers(const char *path, const struct layers *layers, bool off)
{
    char printable[PRINTABLE];
    char above[PRINTABLE];

    if (layers->count == 0 && off)
        return 0;
    if (layers->count == 0) {
        printf("nothing is in force in %s\n", make_printable(printable, path));
        return CGROUP_OFF;
    }
    if (off) {
        warnx("%s: nothing of its own is in force, but what is set in %s still "
              "is",
              make_printable(printable, path),
              make_printable(above, layers->list[0].path));
        return CGROUP_STILL;
    }
    print_layers(layers->list, layers->count);
    return 0;
}
