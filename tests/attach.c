/*
 * attach.c - somebody else's BPF program at a cgroup
 * SPDX-License-Identifier: MIT
 *
 *     attach HOW NAME CGROUP    attaches a program of that name that does
 *                               nothing, with a map of that name: beside
 *                               others, or alone: no other can stand beside it
 *     attach record COUNT CGROUP
 *                               a program with the record of a version of
 *                               keepalive that has COUNT options: the second
 *                               is an idle time of 99, those from the third on
 *                               are unknown to this version
 *     attach list CGROUP        the programs that are attached to the cgroup:
 *                               number and name, a line each
 */
#include "cgroup/instructions.h"
#include "cgroup/record.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int stop(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

/* A map of one value. */
static int make_map(const char *name, const void *value, unsigned size)
{
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY};
    union bpf_attr element = {0};
    uint32_t key = 0;

    map.key_size = sizeof(key);
    map.value_size = size;
    map.max_entries = 1;
    strncpy(map.map_name, name, sizeof(map.map_name) - 1);
    element.map_fd = (uint32_t)bpf(BPF_MAP_CREATE, &map);
    element.key = (uintptr_t)&key;
    element.value = (uintptr_t)value;
    bpf(BPF_MAP_UPDATE_ELEM, &element);
    return (int)element.map_fd;
}

static int attach(int cgroup, const char *name, int map, unsigned flags)
{
    struct bpf_insn code[] = {
        BPF_LD_MAP_FD(BPF_REG_1, map),
        BPF_MOV64_IMM(BPF_REG_0, 1),
        BPF_EXIT_INSN(),
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCK_OPS};
    union bpf_attr attachment = {.attach_type = BPF_CGROUP_SOCK_OPS};

    load.insn_cnt = sizeof(code) / sizeof(*code);
    load.insns = (uintptr_t)code;
    load.license = (uintptr_t) "MIT";
    strncpy(load.prog_name, name, sizeof(load.prog_name) - 1);
    attachment.target_fd = (uint32_t)cgroup;
    attachment.attach_flags = flags;
    attachment.attach_bpf_fd = (uint32_t)bpf(BPF_PROG_LOAD, &load);
    if (bpf(BPF_PROG_ATTACH, &attachment) < 0)
        return stop(name);
    return 0;
}

/* The record of a version with so many options. */
static int attach_record(int cgroup, unsigned count)
{
    union {
        struct record record;
        char bytes[1024];
    } it = {.record = {.owner = OWNER, .count = count}};
    size_t each = sizeof(it.record.values[0]);

    for (unsigned i = 0; i < count; i++) {
        int value[] = {IPPROTO_TCP, 1000 + (int)i, 1};

        if (i < 2)
            memcpy(value,
                   (int[2][3]){{SOL_SOCKET, SO_KEEPALIVE, 1},
                               {IPPROTO_TCP, TCP_KEEPIDLE, 99}}[i],
                   each);
        memcpy(it.bytes + offsetof(struct record, values) + i * each, value,
               each);
    }
    return attach(
        cgroup, "keepalive",
        make_map("keepalive", &it,
                 (unsigned)(offsetof(struct record, values) + count * each)),
        BPF_F_ALLOW_MULTI);
}

static void print_program(uint32_t id)
{
    struct bpf_prog_info info = {0};
    union bpf_attr by_id = {.prog_id = id};
    union bpf_attr about = {.info.info_len = sizeof(info)};

    about.info.bpf_fd = (uint32_t)bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
    about.info.info = (uintptr_t)&info;
    bpf(BPF_OBJ_GET_INFO_BY_FD, &about);
    printf("%u %s\n", id, info.name);
}

static int list(int cgroup)
{
    static const unsigned types[] = {BPF_CGROUP_SOCK_OPS,
                                     BPF_CGROUP_SETSOCKOPT};
    uint32_t ids[64];

    for (int i = 0; i < 2; i++) {
        union bpf_attr query = {.query.attach_type = types[i]};

        query.query.target_fd = (uint32_t)cgroup;
        query.query.prog_ids = (uintptr_t)ids;
        query.query.prog_cnt = sizeof(ids) / sizeof(*ids);
        if (bpf(BPF_PROG_QUERY, &query) < 0)
            return stop("query");
        for (uint32_t j = 0; j < query.query.prog_cnt; j++)
            print_program(ids[j]);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int cgroup = argc < 3 ? -1 : open(argv[argc - 1], O_RDONLY | O_DIRECTORY);

    if (cgroup < 0)
        return stop("attach");
    if (argc == 3)
        return list(cgroup);
    if (strcmp(argv[1], "record") == 0)
        return attach_record(cgroup, (unsigned)atoi(argv[2]));
    return attach(cgroup, argv[2], make_map(argv[2], (char[128]){0}, 128),
                  strcmp(argv[1], "beside") == 0 ? BPF_F_ALLOW_MULTI : 0);
}
