/*
 * code.h - BPF instructions, and the two programs of a cgroup
 * SPDX-License-Identifier: MIT
 *
 * The instructions have the names of the kernel's filter.h, which is not
 * installed; <linux/bpf.h> has the codes. See instruction-set in the kernel's
 * Documentation/bpf. The sizes are BPF_H (16 bits), BPF_W (32) and BPF_DW (64),
 * OFF counts bytes in memory and instructions in jumps, and registers are
 * BPF_REG_0 (results) to BPF_REG_10 (the end of the stack). Helpers leave 6 to
 * 9 as they are.
 */
#ifndef KEEPALIVE_CGROUP_CODE_H
#define KEEPALIVE_CGROUP_CODE_H

#include "values.h"

#include <linux/bpf.h>
#include <stdint.h>

#define BPF_INSN(CODE, DST, SRC, OFF, IMM)                                     \
    ((struct bpf_insn){(uint8_t)(CODE), (unsigned)(DST)&15,                    \
                       (unsigned)(SRC)&15, (int16_t)(OFF), (IMM)})

/* DST op= SRC, DST op= IMM, DST = SRC, DST = IMM */
#define BPF_ALU64_REG(OP, DST, SRC)                                            \
    BPF_INSN(BPF_ALU64 | BPF_X | (OP), DST, SRC, 0, 0)
#define BPF_ALU64_IMM(OP, DST, IMM)                                            \
    BPF_INSN(BPF_ALU64 | BPF_K | (OP), DST, 0, 0, IMM)
#define BPF_MOV64_REG(DST, SRC) BPF_ALU64_REG(BPF_MOV, DST, SRC)
#define BPF_MOV64_IMM(DST, IMM) BPF_ALU64_IMM(BPF_MOV, DST, IMM)

/* DST = *(SRC + OFF), *(DST + OFF) = SRC, *(DST + OFF) = IMM */
#define BPF_LDX_MEM(SIZE, DST, SRC, OFF)                                       \
    BPF_INSN(BPF_LDX | BPF_MEM | (SIZE), DST, SRC, OFF, 0)
#define BPF_STX_MEM(SIZE, DST, SRC, OFF)                                       \
    BPF_INSN(BPF_STX | BPF_MEM | (SIZE), DST, SRC, OFF, 0)
#define BPF_ST_MEM(SIZE, DST, OFF, IMM)                                        \
    BPF_INSN(BPF_ST | BPF_MEM | (SIZE), DST, 0, OFF, IMM)

/* If DST op SRC, or IMM: over the next OFF instructions */
#define BPF_JMP_REG(OP, DST, SRC, OFF)                                         \
    BPF_INSN(BPF_JMP | BPF_X | (OP), DST, SRC, OFF, 0)
#define BPF_JMP_IMM(OP, DST, IMM, OFF)                                         \
    BPF_INSN(BPF_JMP | BPF_K | (OP), DST, 0, OFF, IMM)

/* The two halves of DST = the map of a descriptor */
#define BPF_LD_MAP_FD(DST, MAP)                                                \
    BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, DST, BPF_PSEUDO_MAP_FD, 0, MAP),       \
        BPF_INSN(0, 0, 0, 0, 0)

#define BPF_EMIT_CALL(FUNC) BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, FUNC)
#define BPF_EXIT_INSN() BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

struct code {
    struct bpf_insn list[256];
    unsigned length;
};

/*
 * The system's values, unless somebody changed them with sysctl(8): those that
 * a socket has if its program set none.
 */
extern const int usual_values[KEEPALIVE_OPTIONS];

/*
 * Write the program that sets values, and the one that refuses others. They
 * read nothing of the map, but are recognised by it.
 *
 * Without force a program's own values stay: where it switched keepalive on,
 * each that differs from the usual one and from the system's; where it did not,
 * only its timeout.
 */
void write_setter(struct code *code, const struct wanted *wanted, int map);
void write_guard(struct code *code, const struct wanted *wanted, int map);

#endif
