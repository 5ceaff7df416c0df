/*
 * bpf.c - the BPF programs at a cgroup: by bpf(2), whatever they do
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    enum bpf_prog_type type;
    enum bpf_attach_type attach_type;
} kinds[PROGRAMS] = {
    [SETTER] = {BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS},
    [GUARD] = {BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT},
};

/* The size of attributes of which this field is the last that is used. */
#define UP_TO(field)                                                           \
    (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)NULL)->field))

static int bpf(enum bpf_cmd command, union bpf_attr *attributes, size_t size)
{
    return (int)syscall(SYS_bpf, command, attributes, size);
}

static uint64_t address(const void *pointer)
{
    return (uintptr_t)pointer;
}

/* What the kernel tells of a program or a map. */
static bool get_info(int fd, void *info, uint32_t size)
{
    union bpf_attr attributes = {.info.bpf_fd = (uint32_t)fd,
                                 .info.info_len = size,
                                 .info.info = address(info)};

    return bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes, UP_TO(info)) == 0;
}

static struct record make_record(const struct wanted *wanted)
{
    struct record record;

    memset(&record, 0, sizeof(record));
    memcpy(record.owner, OWNER, sizeof(OWNER));
    record.force = wanted->force;
    record.rule = RULE;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted->values[i] != NO_VALUE) {
            record.values[record.count].level = keepalive_options[i].level;
            record.values[record.count].option = keepalive_options[i].option;
            record.values[record.count++].value = wanted->values[i];
        }
    return record;
}

int make_map(const struct wanted *wanted)
{
    struct record record = make_record(wanted);
    uint32_t key = 0;
    union bpf_attr make = {.map_type = BPF_MAP_TYPE_ARRAY,
                           .key_size = sizeof(key),
                           .value_size = sizeof(record),
                           .max_entries = 1,
                           .map_flags = BPF_F_RDONLY_PROG,
                           .map_name = NAME};
    int map = bpf(BPF_MAP_CREATE, &make, UP_TO(map_name));
    union bpf_attr element = {.map_fd = (uint32_t)map,
                              .key = address(&key),
                              .value = address(&record)};

    if (map >= 0 && (bpf(BPF_MAP_UPDATE_ELEM, &element, UP_TO(flags)) < 0 ||
                     bpf(BPF_MAP_FREEZE, &element, UP_TO(map_fd)) < 0)) {
        close(map);
        return -1;
    }
    return map;
}

int load_program(int kind, const struct bpf_insn *code, unsigned length)
{
    static char log[1 << 16];
    union bpf_attr load = {.prog_type = kinds[kind].type,
                           .insn_cnt = length,
                           .insns = address(code),
                           .license = address("MIT"),
                           .prog_name = NAME,
                           .expected_attach_type = kinds[kind].attach_type};
    size_t size = UP_TO(expected_attach_type);
    int program = bpf(BPF_PROG_LOAD, &load, size);
    int error = errno;

    if (program < 0 && getenv("KEEPALIVE_VERIFIER") != NULL) {
        load.log_level = 1;
        load.log_buf = address(log);
        load.log_size = sizeof(log);
        close(bpf(BPF_PROG_LOAD, &load, size));
        fputs(log, stderr);
    }
    errno = error;
    return program;
}

/*
 * Reads the record that a map holds, of any version; ABSENT where it is none;
 * FAILED with errno.
 */
static int read_record(const char *value, size_t size,
                       struct settings *settings)
{
    struct record head;
    const char *at = value + offsetof(struct record, values);
    size_t most =
        (size - offsetof(struct record, values)) / sizeof(head.values[0]);

    memcpy(&head, value, offsetof(struct record, values));
    if (memcmp(head.owner, OWNER, sizeof(OWNER)) != 0)
        return ABSENT;
    *settings = (struct settings){.rule = head.rule};
    settings->wanted.force = head.force;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        settings->wanted.values[i] = NO_VALUE;
    for (size_t i = 0; i < head.count && i < most; i++) {
        int row = 0;

        memcpy(head.values, at + i * sizeof(head.values[0]),
               sizeof(head.values[0]));
        while (row < KEEPALIVE_OPTIONS &&
               (keepalive_options[row].level != head.values[0].level ||
                keepalive_options[row].option != head.values[0].option))
            row++;
        if (row < KEEPALIVE_OPTIONS)
            settings->wanted.values[row] = head.values[0].value;
        else
            settings->unknown++;
    }
    return 0;
}

/* Reads the record of a map; ABSENT where it is none; FAILED with errno. */
static int read_map(uint32_t id, struct settings *settings)
{
    char value[4096];
    uint32_t key = 0;
    struct bpf_map_info info = {.type = 0};
    union bpf_attr by_id = {.map_id = id};
    int map = bpf(BPF_MAP_GET_FD_BY_ID, &by_id, UP_TO(map_id));
    union bpf_attr element = {
        .map_fd = (uint32_t)map, .key = address(&key), .value = address(value)};
    int result = FAILED;

    if (map < 0)
        return FAILED;
    if (get_info(map, &info, sizeof(info))) {
        if (info.type != BPF_MAP_TYPE_ARRAY || strcmp(info.name, NAME) != 0 ||
            info.value_size < offsetof(struct record, values) ||
            info.value_size > sizeof(value))
            result = ABSENT;
        else if (bpf(BPF_MAP_LOOKUP_ELEM, &element, UP_TO(flags)) == 0)
            result = read_record(value, info.value_size, settings);
    }
    close(map);
    return result;
}

/* Opens a program and gets its info; -1, with errno. */
static int open_program(uint32_t id, struct bpf_prog_info *info)
{
    union bpf_attr by_id = {.prog_id = id};
    int program = bpf(BPF_PROG_GET_FD_BY_ID, &by_id, UP_TO(prog_id));

    if (program < 0 || get_info(program, info, sizeof(*info)))
        return program;
    close(program);
    return -1;
}

int open_ours(uint32_t id, struct settings *settings)
{
    uint32_t map = 0;
    struct bpf_prog_info info = {.nr_map_ids = 1, .map_ids = address(&map)};
    int program = open_program(id, &info);
    int result = ABSENT;

    if (program < 0) /* gone meanwhile? */
        return errno == ENOENT ? ABSENT : FAILED;
    if (strcmp(info.name, NAME) == 0 && info.nr_map_ids == 1)
        result = read_map(map, settings);
    if (result == 0)
        return program;
    close(program);
    return result;
}

void name_program(uint32_t id, char name[PROGRAM_NAME])
{
    struct bpf_prog_info info = {.id = id};
    int program = open_program(id, &info);

    memcpy(name, info.name, PROGRAM_NAME);
    if (program >= 0)
        close(program);
}

bool list_programs(int cgroup, int kind, bool effective, struct list *list)
{
    union bpf_attr attributes = {
        .query.target_fd = (uint32_t)cgroup,
        .query.attach_type = kinds[kind].attach_type,
        .query.query_flags = effective ? BPF_F_QUERY_EFFECTIVE : 0,
        .query.prog_ids = address(list->ids),
        .query.prog_cnt = sizeof(list->ids) / sizeof(*list->ids)};

    if (bpf(BPF_PROG_QUERY, &attributes, UP_TO(query.prog_cnt)) < 0)
        return false;
    list->count = attributes.query.prog_cnt;
    list->attach_flags = attributes.query.attach_flags;
    return true;
}

/*
 * Replaces the old program by the new one. If there is no new one, detaches the
 * old one; if there is no old one, attaches the new one beside those of others.
 */
static bool put_program(int cgroup, int kind, int new, int old)
{
    union bpf_attr attributes = {.target_fd = (uint32_t)cgroup,
                                 .attach_bpf_fd =
                                     (uint32_t)(new >= 0 ? new : old),
                                 .attach_type = kinds[kind].attach_type};

    if (new < 0)
        return old < 0 ||
               bpf(BPF_PROG_DETACH, &attributes, UP_TO(attach_flags)) == 0;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (old >= 0) {
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = (uint32_t)old;
    }
    if (bpf(BPF_PROG_ATTACH, &attributes, UP_TO(replace_bpf_fd)) == 0)
        return true;
    if (errno == E2BIG) /* the cgroup is full; see explain() */
        errno = ENOSPC;
    return false;
}

void close_programs(const int programs[PROGRAMS])
{
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i] >= 0)
            close(programs[i]);
}

bool find_programs(int cgroup, int programs[PROGRAMS])
{
    struct settings settings;
    struct list list = {.count = 0};
    bool done = true;

    for (int kind = 0; kind < PROGRAMS; kind++) {
        programs[kind] = ABSENT;
        done = done && list_programs(cgroup, kind, false, &list);
        for (uint32_t i = 0; done && programs[kind] == ABSENT && i < list.count;
             i++)
            programs[kind] = open_ours(list.ids[i], &settings);
        done = done && programs[kind] != FAILED;
    }
    return done;
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
