/*
 * layers.c - whose programs are run for a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/layers.h"

#include "cgroup/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The programs of a kind that are attached to the cgroup itself. */
static bool list_own(const char *path, int kind, struct list *list)
{
    int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = cgroup >= 0 && list_programs(cgroup, kind, false, list);
    int error = errno;

    close(cgroup);
    errno = error;
    return done;
}

/* Which cgroup, this one or one above, is it that has the program? */
static bool find_owner(char path[PATH_MAX], int kind, uint32_t id)
{
    for (; is_cgroup(path); *strrchr(path, '/') = '\0') {
        struct list list;

        if (!list_own(path, kind, &list))
            return false;
        for (uint32_t i = 0; i < list.count; i++)
            if (list.ids[i] == id)
                return true;
    }
    snprintf(path, PATH_MAX, "above"); /* what is mounted here */
    return true;
}

/* The layer to which a program belongs: its cgroup's that lacks this kind. */
static struct layer *find_layer(struct layers *layers, const char *path,
                                int kind)
{
    int i = 0;

    while (i < layers->count && (layers->list[i].has[kind] ||
                                 strcmp(layers->list[i].path, path) != 0))
        i++;
    if (i == layers->count)
        layers->count++;
    return &layers->list[i];
}

/* Adds those of a kind that are ours. */
static bool add_layers(struct layers *layers, const char *path, int kind,
                       const struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        char owner[PATH_MAX];
        struct settings settings;
        struct layer *layer;
        int program = open_ours(list->ids[i], &settings);

        if (program == FAILED)
            return false;
        if (program == ABSENT)
            continue;
        close(program);
        snprintf(owner, sizeof(owner), "%s", path);
        if (!find_owner(owner, kind, list->ids[i]))
            return false;
        layer = find_layer(layers, owner, kind);
        snprintf(layer->path, PATH_MAX, "%s", owner);
        layer->has[kind] = true;
        layer->settings[kind] = settings;
    }
    return true;
}

static bool list_effective(int cgroup, struct list lists[PROGRAMS])
{
    memset(lists, 0, PROGRAMS * sizeof(*lists));
    return list_programs(cgroup, SETTER, true, &lists[SETTER]) &&
           list_programs(cgroup, GUARD, true, &lists[GUARD]);
}

bool find_layers(const char *path, int cgroup, struct layers *layers)
{
    enum { TRIES = 100 };
    struct list lists[PROGRAMS];
    struct list after[PROGRAMS];

    for (int i = 0; i < TRIES; i++) {
        free(layers->list);
        layers->list = NULL;
        layers->count = 0;
        if (!list_effective(cgroup, lists))
            return false;
        layers->list = calloc(lists[SETTER].count + lists[GUARD].count + 1,
                              sizeof(*layers->list));
        if (layers->list == NULL)
            return false;
        for (int kind = 0; kind < PROGRAMS; kind++)
            if (!add_layers(layers, path, kind, &lists[kind]))
                return false;
        if (!list_effective(cgroup, after))
            return false;
        if (memcmp(lists, after, sizeof(lists)) == 0)
            return true;
    }
    errno = EAGAIN;
    return false;
}

/* The nearest cgroup that has any decides, see hierarchy_allows_attach() and
 * compute_effective_progs() in the kernel's kernel/bpf/cgroup.c. */
enum obstacle find_obstacle(char *path, int kind, uint32_t *id)
{
    struct list list = {.count = 0};
    size_t length = strlen(path);

    for (; is_cgroup(path); *strrchr(path, '/') = '\0') {
        if (!list_own(path, kind, &list))
            return UNKNOWN;
        if (list.count > 0)
            break;
    }
    *id = list.ids[0];
    if (list.count == 0 || (list.attach_flags & BPF_F_ALLOW_MULTI) != 0)
        return NOTHING;
    return list.attach_flags == 0 || strlen(path) == length ? ALONE
                                                            : OVERRIDDEN;
}
