/*
 * code.c - the two BPF programs of a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/code.h"

const int usual_values[KEEPALIVE_OPTIONS] = {
    [KEEPALIVE_COUNT] = 9, [KEEPALIVE_IDLE] = 7200, [KEEPALIVE_INTERVAL] = 75};

static void add(struct code *code, struct bpf_insn instruction)
{
    code->list[code->length++] = instruction;
}

/* Loads 32 bits from memory. */
static void load(struct code *code, int reg, int from, long offset)
{
    add(code, BPF_LDX_MEM(BPF_W, reg, from, offset));
}

/* Jumps if the register and the number compare so; land() says where to. */
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

/* A jump that goes nowhere goes to the end, see add_end(). */
enum { TO_END = -1 };

/* Ends the program if the register and the number compare so. */
static void exit_if(struct code *code, int operation, int reg, int number)
{
    add(code, BPF_JMP_IMM(operation, reg, number, TO_END));
}

/* Ends the program unless the register holds one of two numbers. */
static void exit_unless(struct code *code, int reg, int one, int other)
{
    unsigned is_one = add_jump(code, BPF_JEQ, reg, one);

    exit_if(code, BPF_JNE, reg, other);
    land(code, is_one);
}

/* Names the map, and lets the kernel go on as if there were no program. */
static void add_end(struct code *code, int map)
{
    const struct bpf_insn halves[2] = {BPF_LD_MAP_FD(BPF_REG_2, map)};

    add(code, halves[0]);
    add(code, halves[1]);
    for (unsigned i = 0; i < code->length; i++)
        if (BPF_CLASS(code->list[i].code) == BPF_JMP &&
            code->list[i].off == TO_END)
            land(code, i);
    add(code, BPF_MOV64_IMM(BPF_REG_0, 1));
    add(code, BPF_EXIT_INSN());
}

/* What the setter keeps over calls, and where it has a value on its stack. */
enum { CONTEXT = BPF_REG_6, ON = BPF_REG_7, GIVEN = BPF_REG_8, VALUE = -4 };

/*
 * The reply of an event, which its programs share and which means nothing at
 * these two: by it those of nested cgroups, which run from the nearest on, tell
 * which values they gave, a bit for each row of keepalive_options. That of
 * KEEPALIVE_SWITCH says that keepalive was off; all of them exempt. Programs of
 * others may write there, so it counts only with this mark above the bits.
 */
enum { MARK = 0x4b41, EVERYTHING = 0xffff, BITS = 16 };

_Static_assert(KEEPALIVE_SWITCH == 0 && KEEPALIVE_COUNT == 1 &&
                   KEEPALIVE_IDLE == 2 && KEEPALIVE_INTERVAL == 3 &&
                   KEEPALIVE_TIMEOUT == 4 && KEEPALIVE_OPTIONS < (int)BITS,
               "programs of other versions know the bits: new rows come last");

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

static void add_set(struct code *code, int row, int value)
{
    add(code, BPF_ST_MEM(BPF_W, BPF_REG_10, VALUE, value));
    add_call(code, BPF_FUNC_setsockopt, row);
}

/* Reads which values nearer cgroups gave, and whether keepalive is on. */
static void add_start(struct code *code, bool force)
{
    load(code, GIVEN, CONTEXT, offsetof(struct bpf_sock_ops, reply));
    add(code, BPF_MOV64_REG(BPF_REG_1, GIVEN));
    add(code, BPF_ALU64_IMM(BPF_RSH, BPF_REG_1, BITS));
    unsigned marked = add_jump(code, BPF_JEQ, BPF_REG_1, MARK);
    add(code, BPF_MOV64_IMM(GIVEN, MARK << BITS));
    land(code, marked);
    add_call(code, BPF_FUNC_getsockopt, KEEPALIVE_SWITCH);
    if (!force) {
        exit_if(code, BPF_JNE, BPF_REG_0, 0);
        exit_if(code, BPF_JEQ, GIVEN, MARK << BITS | EVERYTHING);
    }
    add(code, BPF_MOV64_IMM(ON, 0));
    unsigned nearer = add_jump(code, BPF_JSET, GIVEN, 1 << KEEPALIVE_SWITCH);
    load(code, ON, BPF_REG_10, VALUE);
    land(code, nearer);
}

/*
 * Sets a value that no nearer cgroup gave: where keepalive was off, and where
 * the socket still has the system's. A timeout of its own stays in any case.
 */
static void add_value(struct code *code, int row, int value, int system)
{
    unsigned given = add_jump(code, BPF_JSET, GIVEN, 1 << row);
    unsigned off =
        add_jump(code, BPF_JEQ, ON, row == KEEPALIVE_TIMEOUT ? -1 : 0);

    add_call(code, BPF_FUNC_getsockopt, row);
    unsigned refused = add_jump(code, BPF_JNE, BPF_REG_0, 0);
    load(code, BPF_REG_1, BPF_REG_10, VALUE);
    unsigned usual = add_jump(code, BPF_JEQ, BPF_REG_1, usual_values[row]);
    unsigned own = add_jump(code, BPF_JNE, BPF_REG_1, system);
    land(code, off);
    land(code, usual);
    add_set(code, row, value);
    land(code, refused);
    land(code, own);
    land(code, given);
}

/*
 * Sets the values on a connection that is being opened, and on one that has
 * been accepted. Not on a listening socket: what that passes on would outlive
 * the program, and could not be told from the listener's own settings. One of
 * which it cannot be known whether keepalive is on is left alone, without
 * force.
 */
void write_setter(struct code *code, const struct wanted *wanted, int map)
{
    const int *values = wanted->values;
    int bits = values[KEEPALIVE_SWITCH] == 0 ? EVERYTHING : 0;
    int system[KEEPALIVE_OPTIONS];

    read_system(system);
    add(code, BPF_MOV64_REG(CONTEXT, BPF_REG_1));
    load(code, BPF_REG_2, CONTEXT, offsetof(struct bpf_sock_ops, op));
    exit_unless(code, BPF_REG_2, BPF_SOCK_OPS_TCP_CONNECT_CB,
                BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB);
    add_start(code, wanted->force);
    if (bits == 0) {
        add_set(code, KEEPALIVE_SWITCH, 1);
        unsigned on = add_jump(code, BPF_JNE, ON, 0);
        add(code, BPF_ALU64_IMM(BPF_OR, GIVEN, 1 << KEEPALIVE_SWITCH));
        land(code, on);
    }
    for (int row = KEEPALIVE_SWITCH + 1; row < KEEPALIVE_OPTIONS; row++) {
        if (values[row] == NO_VALUE)
            continue;
        bits |= 1 << row;
        if (wanted->force)
            add_set(code, row, values[row]);
        else
            add_value(code, row, values[row], system[row]);
    }
    add(code, BPF_ALU64_IMM(BPF_OR, GIVEN, bits));
    add(code, BPF_STX_MEM(BPF_W, CONTEXT, GIVEN,
                          offsetof(struct bpf_sock_ops, reply)));
    add_end(code, map);
}

/* What the guard keeps of a call. */
enum { LEVEL = BPF_REG_7, OPTION = BPF_REG_8 };

/* Exits where keepalive is being switched on, or the value cannot be read. */
static void exit_if_on(struct code *code)
{
    add(code, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_1,
                          offsetof(struct bpf_sockopt, optval)));
    add(code, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1,
                          offsetof(struct bpf_sockopt, optval_end)));
    add(code, BPF_MOV64_REG(BPF_REG_4, BPF_REG_2));
    add(code, BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, sizeof(int)));
    add(code, BPF_JMP_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, TO_END));
    /* In halves: to the verifier the value is part of a packet, which need not
     * be aligned to more than 2 bytes, and without
     * CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS it refuses a word from there. */
    add(code, BPF_LDX_MEM(BPF_H, BPF_REG_3, BPF_REG_2, 0));
    add(code, BPF_LDX_MEM(BPF_H, BPF_REG_2, BPF_REG_2, sizeof(int) / 2));
    add(code, BPF_ALU64_REG(BPF_OR, BPF_REG_2, BPF_REG_3));
    exit_if(code, BPF_JNE, BPF_REG_2, 0);
}

/* Exits unless the socket is a TCP connection. */
static void exit_unless_connected(struct code *code)
{
    enum { SOCKET = BPF_REG_2 };
    enum { CLOSED = 7, LISTENING = 10 }; /* the kernel's tcp_states.h */

    add(code, BPF_LDX_MEM(BPF_DW, SOCKET, BPF_REG_1,
                          offsetof(struct bpf_sockopt, sk)));
    load(code, BPF_REG_3, SOCKET, offsetof(struct bpf_sock, family));
    exit_unless(code, BPF_REG_3, AF_INET, AF_INET6);
    load(code, BPF_REG_3, SOCKET, offsetof(struct bpf_sock, type));
    exit_if(code, BPF_JNE, BPF_REG_3, SOCK_STREAM);
    load(code, BPF_REG_3, SOCKET, offsetof(struct bpf_sock, protocol));
    exit_unless(code, BPF_REG_3, IPPROTO_TCP, IPPROTO_MPTCP);
    load(code, BPF_REG_3, SOCKET, offsetof(struct bpf_sock, state));
    exit_if(code, BPF_JEQ, BPF_REG_3, CLOSED);
    exit_if(code, BPF_JEQ, BPF_REG_3, LISTENING);
}

/*
 * Makes a setsockopt(2) for one of the options on a connection succeed without
 * effect: that is what a length of -1 stands for. What cannot hurt takes
 * effect: SO_KEEPALIVE on, and whatever is set before a socket is connected or
 * while it listens, since the setter comes later. A length of 0 leaves a value
 * that is longer than a page to the kernel, which from 5.8 to 6.3 would refuse
 * it otherwise, whatever it is: EFAULT.
 */
void write_guard(struct code *code, const struct wanted *wanted, int map)
{
    enum { PAGE = 4096 }; /* the least that there is */
    size_t length = offsetof(struct bpf_sockopt, optlen);

    add(code, BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, length));
    unsigned is_short = add_jump(code, BPF_JLE, BPF_REG_2, PAGE);
    add(code, BPF_MOV64_IMM(BPF_REG_2, 0));
    add(code, BPF_STX_MEM(BPF_W, BPF_REG_1, BPF_REG_2, length));
    land(code, is_short);
    exit_unless_connected(code);
    load(code, LEVEL, BPF_REG_1, offsetof(struct bpf_sockopt, level));
    load(code, OPTION, BPF_REG_1, offsetof(struct bpf_sockopt, optname));
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        if (wanted->values[i] != NO_VALUE) {
            unsigned level =
                add_jump(code, BPF_JNE, LEVEL, keepalive_options[i].level);
            unsigned option =
                add_jump(code, BPF_JNE, OPTION, keepalive_options[i].option);

            if (i == KEEPALIVE_SWITCH)
                exit_if_on(code);
            add(code, BPF_MOV64_IMM(BPF_REG_2, -1));
            add(code, BPF_STX_MEM(BPF_W, BPF_REG_1, BPF_REG_2, length));
            land(code, level);
            land(code, option);
        }
    add_end(code, map);
}
