/*
 * bpf.c - the BPF programs at a cgroup: by bpf(2), whatever they do
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/bpf.h"

#include "cgroup/code.h"
#include "proc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "keepalive" /* of the programs and their map */

static const struct {
    enum bpf_prog_type type;
    enum bpf_attach_type attach_type;
    void (*write)(struct code *code, const struct wanted *wanted, int map);
} kinds[PROGRAMS] = {
    [SETTER] = {BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, write_setter},
    [GUARD] = {BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT,
               write_guard},
};

/* The size of attributes of which this field is the last that is used. */
#define UP_TO(field)                                                           \
    (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)NULL)->field))

static int bpf(enum bpf_cmd command, union bpf_attr *attributes, size_t size)
{
    return (int)syscall(SYS_bpf, command, attributes, size);
}

bool explain(const struct cgroup *cgroup, bool trial)
{
    const char *reason =
        errno == ENOENT || errno == ENODEV ? "the cgroup was removed meanwhile"
        : !trial && errno == EPERM
            ? "the kernel does not permit bpf(2) here, perhaps because this is "
              "a container or a user namespace"
        : !trial && (errno == ENOSYS || errno == EINVAL || errno == E2BIG)
            ? "this kernel is older than Linux 5.9, or was built without "
              "CONFIG_CGROUP_BPF"
        : !trial && errno == ENOSPC
            ? "64 programs, the kernel's limit, are attached there already"
        : !trial && errno == EAGAIN
            ? "its programs are being replaced all the time"
        : errno == EAGAIN     ? "a limit is reached: cgroup.max.descendants, "
                                "cgroup.max.depth or pids.max"
        : errno == EOPNOTSUPP ? "the cgroup is threaded"
        : errno == EDEADLK    ? "the cgroup is frozen"
        : errno == EEXIST ? "a process is in keepalive-trial there or beside it"
                          : strerror(errno);

    complain("%s: %s%s%s", cgroup->path,
             trial ? "no connection could be tried there: " : "", reason,
             trial ? "; nothing was changed" : "");
    return false;
}

/* Opens a program or a map, and stores what the kernel tells of it; or -1. */
static int open_by_id(enum bpf_cmd command, uint32_t id, void *info,
                      uint32_t size)
{
    union bpf_attr by_id = {.prog_id = id}; /* or map_id, which lies there */
    int fd = bpf(command, &by_id, UP_TO(prog_id));
    union bpf_attr about = {.info.bpf_fd = (uint32_t)fd,
                            .info.info_len = size,
                            .info.info = (uintptr_t)info};

    if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &about, UP_TO(info)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Makes a map that holds the record and that nobody can change; or -1. */
static int make_map(const struct wanted *wanted)
{
    struct record record = {
        .owner = OWNER, .force = wanted->force, .rule = RULE};
    uint32_t key = 0;
    union bpf_attr make = {
        .map_type = BPF_MAP_TYPE_ARRAY,
        .key_size = sizeof(key),
        .value_size = offsetof(struct record, values[KEEPALIVE_OPTIONS]),
        .max_entries = 1,
        .map_flags = BPF_F_RDONLY_PROG,
        .map_name = NAME};
    int map = bpf(BPF_MAP_CREATE, &make, UP_TO(map_name));
    union bpf_attr element = {.map_fd = (uint32_t)map,
                              .key = (uintptr_t)&key,
                              .value = (uintptr_t)&record};

    for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
        if (wanted->values[row] != NO_VALUE)
            record.values[record.count++] = (struct keepalive_value){
                keepalive_options[row].level, keepalive_options[row].option,
                wanted->values[row]};
    if (map < 0 || (bpf(BPF_MAP_UPDATE_ELEM, &element, UP_TO(flags)) == 0 &&
                    bpf(BPF_MAP_FREEZE, &element, UP_TO(map_fd)) == 0))
        return map;
    close(map);
    return -1;
}

/* Loads a program; -1, with errno. */
static int load_program(int kind, const struct code *code)
{
    static char log[1 << 16];
    union bpf_attr load = {.prog_type = kinds[kind].type,
                           .insn_cnt = code->length,
                           .insns = (uintptr_t)code->list,
                           .license = (uintptr_t) "MIT",
                           .prog_name = NAME,
                           .expected_attach_type = kinds[kind].attach_type};
    size_t size = UP_TO(expected_attach_type);
    int program = -1;
    int error = EAGAIN;

    /* The verifier gives up if this process is to be stopped or frozen. */
    for (int tries = 5; error == EAGAIN && program < 0 && tries > 0; tries--) {
        program = bpf(BPF_PROG_LOAD, &load, size);
        error = errno;
    }
    if (program < 0 && getenv("KEEPALIVE_VERIFIER") != NULL) {
        load.log_level = 1;
        load.log_buf = (uintptr_t)log;
        load.log_size = sizeof(log);
        close(bpf(BPF_PROG_LOAD, &load, size));
        fputs(log, stderr);
        errno = error;
    }
    return program;
}

bool load_programs(const struct cgroup *cgroup, int programs[PROGRAMS])
{
    int map = make_map(&cgroup->wanted);
    int end = cgroup->wanted.force ? PROGRAMS : GUARD;
    bool done = map >= 0;

    programs[GUARD] = ABSENT;
    for (int kind = 0; done && kind < end; kind++) {
        struct code code = {.length = 0};

        kinds[kind].write(&code, &cgroup->wanted, map);
        programs[kind] = load_program(kind, &code);
        done = programs[kind] >= 0;
    }
    if (!done)
        explain(cgroup, false);
    close(map);
    return done;
}

int find_value(const struct record *record, int row)
{
    const struct keepalive_option *option = &keepalive_options[row];

    for (uint32_t i = 0; i < record->count; i++)
        if (record->values[i].level == option->level &&
            record->values[i].option == option->option)
            return record->values[i].value;
    return NO_VALUE;
}

/* Reads the record of a map, of any version; nothing where it has none. */
static bool read_map(uint32_t id, struct record *record)
{
    uint32_t key = 0;
    struct bpf_map_info info = {.type = 0};
    int map = open_by_id(BPF_MAP_GET_FD_BY_ID, id, &info, sizeof(info));
    union bpf_attr element = {.map_fd = (uint32_t)map,
                              .key = (uintptr_t)&key,
                              .value = (uintptr_t)record};
    bool done = map >= 0;

    if (done && info.type == BPF_MAP_TYPE_ARRAY &&
        info.value_size <= sizeof(*record))
        done = bpf(BPF_MAP_LOOKUP_ELEM, &element, UP_TO(flags)) == 0;
    if (record->unused[0] != 0 || record->unused[1] != 0)
        record->rule = RULE_1_1;
    if (record->count > MOST_VALUES)
        record->count = MOST_VALUES;
    if (map >= 0)
        close(map);
    return done;
}

/* The programs of each kind at a cgroup. */
struct list {
    uint32_t ids[PROGRAMS][1024];
    uint32_t counts[PROGRAMS];
    uint32_t flags[PROGRAMS];
};

/* Those that are attached there or, by BPF_F_QUERY_EFFECTIVE, run for it. */
static bool list_programs(int cgroup, uint32_t flags, struct list *list)
{
    memset(list, 0, sizeof(*list));
    for (int kind = 0; kind < PROGRAMS; kind++) {
        union bpf_attr attributes = {
            .query.target_fd = (uint32_t)cgroup,
            .query.attach_type = kinds[kind].attach_type,
            .query.query_flags = flags,
            .query.prog_ids = (uintptr_t)list->ids[kind],
            .query.prog_cnt = sizeof(list->ids[kind]) / sizeof(uint32_t)};

        if (bpf(BPF_PROG_QUERY, &attributes, UP_TO(query.prog_cnt)) < 0)
            return false;
        list->counts[kind] = attributes.query.prog_cnt;
        list->flags[kind] = attributes.query.attach_flags;
    }
    return true;
}

/*
 * Cuts the path to that of the nearest cgroup, from this one up, that has a
 * program of the kind: with this number or, for 0, any. Lists those there.
 */
static bool find_nearest(char path[PATH_MAX], int kind, uint32_t id,
                         struct list *list)
{
    for (; path[0] != '\0'; *strrchr(path, '/') = '\0') {
        int cgroup = open_below(AT_FDCWD, path, O_DIRECTORY);
        bool done = cgroup >= 0 && list_programs(cgroup, 0, list);

        if (cgroup >= 0)
            close(cgroup);
        if (!done && errno != EBADF) /* EBADF: no cgroup, above the mount */
            return false;
        for (uint32_t i = 0; i < list->counts[kind]; i++)
            if (id == 0 || list->ids[kind][i] == id)
                return true;
    }
    snprintf(path, PATH_MAX, "above"); /* what is mounted here */
    return true;
}

/* Adds one to the list if it is ours. */
static bool add_if_ours(struct programs *programs, const char *path, int kind,
                        uint32_t id)
{
    struct program *it = &programs->list[programs->count];
    struct bpf_prog_info info = {.nr_map_ids = 1,
                                 .map_ids = (uintptr_t)&it->map};
    int fd = open_by_id(BPF_PROG_GET_FD_BY_ID, id, &info, sizeof(info));
    struct list there = {.counts = {0}};

    if (fd < 0)
        return errno == ENOENT; /* gone meanwhile */
    if (strcmp(info.name, NAME) == 0 && info.nr_map_ids == 1 &&
        !read_map(it->map, &it->record))
        return false;
    if (memcmp(it->record.owner, OWNER, sizeof(OWNER)) != 0)
        return close(fd) == 0;
    it->kind = kind;
    snprintf(it->path, sizeof(it->path), "%s", path);
    if (!find_nearest(it->path, kind, id, &there))
        return false;
    if (programs->own[kind] == ABSENT && strcmp(it->path, path) == 0)
        programs->own[kind] = fd;
    else
        close(fd);
    programs->count++;
    return true;
}

/* Makes the list, from all that are run for a cgroup. */
static bool list_ours(struct programs *programs, const char *path,
                      const struct list *all)
{
    free(programs->list);
    *programs = (struct programs){
        .list = calloc(all->counts[SETTER] + all->counts[GUARD] + 1,
                       sizeof(struct program)),
        .own = {ABSENT, ABSENT}};
    for (int kind = 0; programs->list != NULL && kind < PROGRAMS; kind++)
        for (uint32_t i = 0; i < all->counts[kind]; i++)
            if (!add_if_ours(programs, path, kind, all->ids[kind][i]))
                return false;
    return programs->list != NULL;
}

bool find_programs(const struct cgroup *cgroup, struct programs *programs)
{
    struct list before;
    struct list after;

    for (int tries = 100; tries > 0; tries--) {
        if (!list_programs(cgroup->fd, BPF_F_QUERY_EFFECTIVE, &before) ||
            !list_ours(programs, cgroup->path, &before) ||
            !list_programs(cgroup->fd, BPF_F_QUERY_EFFECTIVE, &after))
            break;
        if (memcmp(&before, &after, sizeof(before)) == 0)
            return true;
        errno = EAGAIN;
    }
    return explain(cgroup, false);
}

/* The nearest cgroup that has any decides, see hierarchy_allows_attach() and
 * compute_effective_progs() in the kernel's kernel/bpf/cgroup.c. */
bool has_room(const struct cgroup *cgroup)
{
    for (int kind = 0; kind < (cgroup->wanted.force ? PROGRAMS : GUARD);
         kind++) {
        char owner[PATH_MAX];
        struct list list = {.counts = {0}};
        struct bpf_prog_info info = {.id = 0};

        snprintf(owner, sizeof(owner), "%s", cgroup->path);
        if (!find_nearest(owner, kind, 0, &list))
            return explain(cgroup, false);
        if (list.counts[kind] == 0 || (list.flags[kind] & BPF_F_ALLOW_MULTI))
            continue;
        close(open_by_id(BPF_PROG_GET_FD_BY_ID, list.ids[kind][0], &info,
                         sizeof(info)));
        complain("%s: the program '%s' (%u) of %s %s; nothing was changed",
                 cgroup->path, info.name, list.ids[kind][0], owner,
                 list.flags[kind] == 0 || strcmp(owner, cgroup->path) == 0
                     ? "allows no other beside it"
                     : "would no longer be run there, since it was attached "
                       "with BPF_F_ALLOW_OVERRIDE");
        return false;
    }
    return true;
}

/*
 * Replaces the old program by the new one. If there is no new one, detaches the
 * old one; if there is no old one, attaches the new one beside those of others.
 */
static bool put_program(int cgroup, int kind, int new, int old)
{
    union bpf_attr attributes = {
        .target_fd = (uint32_t)cgroup,
        .attach_bpf_fd = (uint32_t)(new >= 0 ? new : old),
        .attach_type = kinds[kind].attach_type,
        .attach_flags = new < 0   ? 0
                        : old < 0 ? BPF_F_ALLOW_MULTI
                                  : BPF_F_ALLOW_MULTI | BPF_F_REPLACE,
        .replace_bpf_fd = new < 0 || old < 0 ? 0 : (uint32_t)old};

    if ((new < 0 && old < 0) || bpf(new < 0 ? BPF_PROG_DETACH : BPF_PROG_ATTACH,
                                    &attributes, UP_TO(replace_bpf_fd)) == 0)
        return true;
    if (errno == E2BIG) /* the cgroup is full */
        errno = ENOSPC;
    return false;
}

/*
 * A guard without a setter would keep programs from what nobody sets. So the
 * setter comes first, and goes last.
 */
bool put_programs(int cgroup, const int new[PROGRAMS], const int old[PROGRAMS])
{
    int first = new[GUARD] < 0 ? GUARD : SETTER;
    int second = first == GUARD ? SETTER : GUARD;
    int error;

    if (!put_program(cgroup, first, new[first], old[first]))
        return false;
    if (put_program(cgroup, second, new[second], old[second]))
        return true;
    error = errno;
    put_program(cgroup, first, old[first], new[first]);
    errno = error;
    return false;
}
