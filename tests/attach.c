/*
 * attach.c - BPF programs at a cgroup that this version did not attach
 * SPDX-License-Identifier: MIT
 *
 *     attach HOW NAME CGROUP    attaches a program of somebody else, of this
 *                               name and with a map of this name: beside
 *                               others, override (a cgroup below may have
 *                               another instead), or alone; one called "spoil"
 *                               writes -1 where ours tell one another what they
 *                               gave, others do nothing
 *     attach record COUNT CGROUP
 *                               attaches what keepalive 1.1 did for an idle
 *                               time of 99, with the record of a version that
 *                               has COUNT options: those from the third on are
 *                               unknown to this one
 *     attach detach KIND CGROUP detaches the last program: KIND is setter or
 *                               guard
 *     attach list CGROUP        the programs that are attached to the cgroup:
 *                               number and name, a line each
 */
#include "cgroup/bpf.h"
#include "cgroup/code.h"

#include <fcntl.h>
#include <netinet/tcp.h>
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
static int make_value_map(const char *name, const void *value, unsigned size)
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

/* Attaches a program that refers to the map, and then does what follows. */
static int attach(int cgroup, const char *name, int map, unsigned flags,
                  const struct bpf_insn *rest, size_t count)
{
    struct bpf_insn code[64] = {BPF_LD_MAP_FD(BPF_REG_2, map)};
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCK_OPS};
    union bpf_attr attachment = {.attach_type = BPF_CGROUP_SOCK_OPS};

    memcpy(code + 2, rest, count * sizeof(*code));
    load.insn_cnt = (uint32_t)count + 2;
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

static int attach_other(int cgroup, const char *how, const char *name)
{
    const struct bpf_insn code[] = {
        BPF_MOV64_IMM(BPF_REG_0, 1),
        BPF_EXIT_INSN(),
    };
    const struct bpf_insn spoil[] = {
        BPF_MOV64_IMM(BPF_REG_0, -1),
        BPF_STX_MEM(BPF_W, BPF_REG_1, BPF_REG_0,
                    offsetof(struct bpf_sock_ops, reply)),
        BPF_MOV64_IMM(BPF_REG_0, 1),
        BPF_EXIT_INSN(),
    };
    int map = make_value_map(name, (char[128]){0}, 128);
    unsigned flags = strcmp(how, "beside") == 0     ? BPF_F_ALLOW_MULTI
                     : strcmp(how, "override") == 0 ? BPF_F_ALLOW_OVERRIDE
                                                    : 0;

    if (strcmp(name, "spoil") == 0)
        return attach(cgroup, name, map, flags, spoil, 4);
    return attach(cgroup, name, map, flags, code, 2);
}

/* The record of a version with so many options. */
static int attach_record(int cgroup, unsigned count)
{
    static const int first[2][3] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                                    {IPPROTO_TCP, TCP_KEEPIDLE, 99}};
    enum { EXIT = 29, VALUE = -4 };
    /* If the event is one of two and keepalive is off: both values */
    const struct bpf_insn code[] = {
        BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
        BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_6, 0),
        BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, 1),
        BPF_JMP_IMM(BPF_JNE, BPF_REG_2, BPF_SOCK_OPS_TCP_CONNECT_CB, EXIT - 4),
#define CALL(FUNCTION, LEVEL, OPTION)                                          \
    BPF_MOV64_REG(BPF_REG_1, BPF_REG_6), BPF_MOV64_IMM(BPF_REG_2, LEVEL),      \
        BPF_MOV64_IMM(BPF_REG_3, OPTION),                                      \
        BPF_MOV64_REG(BPF_REG_4, BPF_REG_10),                                  \
        BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, VALUE), BPF_MOV64_IMM(BPF_REG_5, 4), \
        BPF_EMIT_CALL(FUNCTION)
        CALL(BPF_FUNC_getsockopt, SOL_SOCKET, SO_KEEPALIVE), /* 4 to 10 */
        BPF_LDX_MEM(BPF_W, BPF_REG_1, BPF_REG_10, VALUE),
        BPF_JMP_IMM(BPF_JNE, BPF_REG_1, 0, EXIT - 13),
        BPF_ST_MEM(BPF_W, BPF_REG_10, VALUE, 1),
        CALL(BPF_FUNC_setsockopt, SOL_SOCKET, SO_KEEPALIVE),
        BPF_ST_MEM(BPF_W, BPF_REG_10, VALUE, 99), /* 21 */
        CALL(BPF_FUNC_setsockopt, IPPROTO_TCP, TCP_KEEPIDLE),
        BPF_MOV64_IMM(BPF_REG_0, 1), /* 29 */
        BPF_EXIT_INSN(),
    };
    union {
        struct record record;
        char bytes[1024];
    } it = {.record = {.owner = OWNER, .count = count}};
    size_t each = sizeof(it.record.values[0]);

    if (count == 2) /* as most compilers built 1.1: what was on its stack */
        memcpy(it.bytes + offsetof(struct record, rule), "\1\x73\x1d", 3);
    for (unsigned i = 0; i < count; i++) {
        int unknown[] = {IPPROTO_TCP, 1000 + (int)i, 1};

        memcpy(it.bytes + offsetof(struct record, values) + i * each,
               i < 2 ? first[i] : unknown, each);
    }
    return attach(cgroup, "keepalive",
                  make_value_map("keepalive", &it,
                                 (unsigned)(offsetof(struct record, values) +
                                            count * each)),
                  BPF_F_ALLOW_MULTI, code, sizeof(code) / sizeof(*code));
}

static unsigned query(int cgroup, unsigned type, uint32_t ids[64])
{
    union bpf_attr attributes = {.query.attach_type = type};

    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.prog_ids = (uintptr_t)ids;
    attributes.query.prog_cnt = 64;
    if (bpf(BPF_PROG_QUERY, &attributes) < 0)
        exit(stop("query"));
    return attributes.query.prog_cnt;
}

static int open_program(uint32_t id)
{
    union bpf_attr by_id = {.prog_id = id};

    return bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
}

static int detach(int cgroup, const char *kind)
{
    unsigned type = strcmp(kind, "guard") == 0 ? BPF_CGROUP_SETSOCKOPT
                                               : BPF_CGROUP_SOCK_OPS;
    uint32_t ids[64];
    unsigned count = query(cgroup, type, ids);
    union bpf_attr attachment = {.attach_type = type};

    attachment.target_fd = (uint32_t)cgroup;
    attachment.attach_bpf_fd =
        count == 0 ? 0 : (uint32_t)open_program(ids[count - 1]);
    return bpf(BPF_PROG_DETACH, &attachment) < 0 ? stop(kind) : 0;
}

static int list(int cgroup)
{
    static const unsigned types[] = {BPF_CGROUP_SOCK_OPS,
                                     BPF_CGROUP_SETSOCKOPT};
    uint32_t ids[64];

    for (int i = 0; i < 2; i++) {
        unsigned count = query(cgroup, types[i], ids);

        for (unsigned j = 0; j < count; j++) {
            struct bpf_prog_info info = {0};
            union bpf_attr about = {.info.info_len = sizeof(info)};

            about.info.bpf_fd = (uint32_t)open_program(ids[j]);
            about.info.info = (uintptr_t)&info;
            bpf(BPF_OBJ_GET_INFO_BY_FD, &about);
            printf("%u %s\n", ids[j], info.name);
        }
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
    if (strcmp(argv[1], "detach") == 0)
        return detach(cgroup, argv[2]);
    return attach_other(cgroup, argv[1], argv[2]);
}
