/*
 * elf.h - what an ELF file is
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_ELF_H
#define KEEPALIVE_ELF_H

#include <limits.h>
#include <stdbool.h>

struct elf {
    unsigned kind;         /* machine, byte order and class */
    bool go;               /* made by Go's linker */
    char loader[PATH_MAX]; /* that it asks for; "": static, "?": unknown */
};

/*
 * Reads what the file is, if `elf` is not NULL, and returns its kind; 0 where
 * it is not ELF or cannot be read. It is of this machine's byte order.
 */
unsigned read_elf(const char *path, struct elf *elf);

#endif
