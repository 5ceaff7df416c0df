/*
 * code.c - the two BPF programs of a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/code.h"

#include "cgroup/instructions.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

struct code {
    struct bpf_insn list[256];
    unsigned length;
};

static void add(struct code *code, struct bpf_insn instruction)
{
    code->list[code->length++] = instruction;
}

/* Lets the kernel go on, as if the program were not there. */
static void add_exit(struct code *code)
{
    add(code, BPF_MOV64_IMM(BPF_REG_0, 1));
    add(code, BPF_EXIT_INSN());
}

/* Adds a jump if the register and the number compare so; land() completes it.
 */
static unsigned add_jump(struct code *code, int operation, int reg, int number)
{
    add(code, BPF_JMP_IMM(operation, reg, number, 0));
    return code->length - 1;
}

/* The jump goes to what is added next. */
static void land(struct code *code, unsigned jump)
{
    code->list[jump].off = (int16_t)(code->length - jump - 1);
}

/* Exits unless the register holds one of two numbers. */
static void exit_unless(struct code *code, int reg, int one, int other)
{
    unsigned is_one = add_jump(code, BPF_JEQ, reg, one);
    unsigned is_other = add_jump(code, BPF_JEQ, reg, other);

    add_exit(code);
    land(code, is_one);
    land(code, is_other);
}

/* A program reads nothing of its map, but is recognised by it. */
static void add_map(struct code *code, int map)
{
    const struct bpf_insn halves[2] = {BPF_LD_MAP_FD(BPF_REG_2, map)};

    add(code, halves[0]);
    add(code, halves[1]);
}

/* Where the setter has its context, and a value on its stack. */
enum { CONTEXT = BPF_REG_6, VALUE = -4 };

/* Calls getsockopt(2) or setsockopt(2) with the value on the stack. */
static void add_call(struct code *code, int function, int row)
{
    add(code, BPF_MOV64_REG(BPF_REG_1, CONTEXT));
    add(code, BPF_MOV64_IMM(BPF_REG_2, keepalive_options[row].level));
    add(code, BPF_MOV64_IMM(BPF_REG_3, keepalive_options[row].option));
    add(code, BPF_MOV64_REG(BPF_REG_4, BPF_REG_10));
    add(code, BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, VALUE));
    add(code, BPF_MOV64_IMM(BPF_REG_5, sizeof(int)));
    add(code, BPF_EMIT_CALL(function));
}

/*
 * Sets the values on a connection that is being opened, and on one that has
 * been accepted. Not on a listening socket: what that passes on would outlive
 * the program, and could not be told from the listener's own settings. A
 * connection with keepalive on is left alone, without force, and so is one of
 * which that cannot be known.
 */
static void write_setter(struct code *code, const struct wanted *wanted)
{
    add(code, BPF_MOV64_REG(CONTEXT, BPF_REG_1));
    add(code, BPF_LDX_MEM(BPF_W, BPF_REG_2, CONTEXT,
                          offsetof(struct bpf_sock_ops, op)));
    exit_unless(code, BPF_REG_2, BPF_SOCK_OPS_TCP_CONNECT_CB,
                BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB);
    if (!wanted->force) {
        add_call(code, BPF_FUNC_getsockopt, KEEPALIVE_SWITCH);
        exit_unless(code, BPF_REG_0, 0, 0);
        add(code, BPF_LDX_MEM(BPF_W, BPF_REG_1, BPF_REG_10, VALUE));
        exit_unless(code, BPF_REG_1, 0, 0);
    }
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted->values[i] != NO_VALUE) {
            add(code, BPF_ST_MEM(BPF_W, BPF_REG_10, VALUE, wanted->values[i]));
            add_call(code, BPF_FUNC_setsockopt, i);
        }
}

/*
 * Makes a setsockopt(2) for one of the options on a TCP socket succeed without
 * effect: that is what a length of -1 stands for.
 */
static void write_guard(struct code *code, const struct wanted *wanted)
{
    enum { SOCKET = BPF_REG_2, LEVEL = BPF_REG_3, OPTION = BPF_REG_4 };

    add(code, BPF_LDX_MEM(BPF_DW, SOCKET, BPF_REG_1,
                          offsetof(struct bpf_sockopt, sk)));
    add(code, BPF_LDX_MEM(BPF_W, BPF_REG_3, SOCKET,
                          offsetof(struct bpf_sock, family)));
    exit_unless(code, BPF_REG_3, AF_INET, AF_INET6);
    add(code,
        BPF_LDX_MEM(BPF_W, BPF_REG_3, SOCKET, offsetof(struct bpf_sock, type)));
    exit_unless(code, BPF_REG_3, SOCK_STREAM, SOCK_STREAM);
    add(code, BPF_LDX_MEM(BPF_W, BPF_REG_3, SOCKET,
                          offsetof(struct bpf_sock, protocol)));
    exit_unless(code, BPF_REG_3, IPPROTO_TCP, IPPROTO_MPTCP);
    add(code, BPF_LDX_MEM(BPF_W, LEVEL, BPF_REG_1,
                          offsetof(struct bpf_sockopt, level)));
    add(code, BPF_LDX_MEM(BPF_W, OPTION, BPF_REG_1,
                          offsetof(struct bpf_sockopt, optname)));
    add(code, BPF_MOV64_IMM(BPF_REG_5, -1));
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted->values[i] != NO_VALUE) {
            unsigned level =
                add_jump(code, BPF_JNE, LEVEL, keepalive_options[i].level);
            unsigned option =
                add_jump(code, BPF_JNE, OPTION, keepalive_options[i].option);

            add(code, BPF_STX_MEM(BPF_W, BPF_REG_1, BPF_REG_5,
                                  offsetof(struct bpf_sockopt, optlen)));
            land(code, level);
            land(code, option);
        }
}

bool load_programs(int programs[PROGRAMS], const struct wanted *wanted)
{
    static void (*const write_program[PROGRAMS])(struct code *,
                                                 const struct wanted *) = {
        [SETTER] = write_setter, [GUARD] = write_guard};
    int map = make_map(wanted);
    int error = errno;
    bool done = map >= 0;

    for (int i = 0; i < PROGRAMS; i++) {
        struct code code = {.length = 0};

        programs[i] = ABSENT;
        if (!done || (i == GUARD && !wanted->force))
            continue;
        write_program[i](&code, wanted);
        add_map(&code, map);
        add_exit(&code);
        programs[i] = load_program(i, code.list, code.length);
        error = errno;
        done = programs[i] >= 0;
    }
    if (map >= 0)
        close(map);
    errno = error;
    return done;
}
