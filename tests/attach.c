/*
 * attach.c - somebody else's BPF program at a cgroup
 * SPDX-License-Identifier: MIT
 *
 *     attach beside NAME CGROUP   attaches a program of that name that does
 *                                 nothing, with a map of that name, beside
 *                                 others
 *     attach alone NAME CGROUP    the same, and no other can stand beside it
 *     attach list CGROUP          the programs that are attached to the cgroup:
 *                                 number and name, a line each
 */
#include <fcntl.h>
#include <linux/bpf.h>
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

static int attach(int cgroup, const char *name, unsigned flags)
{
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY};
    struct bpf_insn code[] = {
        {BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, 0},
        {0, 0, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCK_OPS};
    union bpf_attr attachment = {.attach_type = BPF_CGROUP_SOCK_OPS};

    map.key_size = 4;
    map.value_size = 128;
    map.max_entries = 1;
    strncpy(map.map_name, name, sizeof(map.map_name) - 1);
    code[0].imm = bpf(BPF_MAP_CREATE, &map);
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
    return attach(cgroup, argv[2],
                  strcmp(argv[1], "beside") == 0 ? BPF_F_ALLOW_MULTI : 0);
}
