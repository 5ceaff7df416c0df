/*
 * elf.h - what an ELF file is: machine and class, loader, Go
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_ELF_H
#define KEEPALIVE_ELF_H

#include <limits.h>
#include <stdbool.h>

/* Machine, byte order and class of an ELF file; 0 where it is none. */
unsigned elf_kind(const char *path);

/* The loader that an ELF file asks for; false where it is none or static. */
bool elf_loader(const char *path, char loader[PATH_MAX]);

/* The same of an open file. */
unsigned elf_kind_of(int fd);

/*
 * The program that the kernel starts instead of this one: the loader. False if
 * there is none: a static program. What cannot be read has one called "". The
 * file is of this machine's byte order.
 */
bool elf_loader_of(int fd, char loader[PATH_MAX]);

/*
 * Go's linker leaves a section of its own, strip(1) and dynamic linking or not.
 * Its name is looked for where the names of all sections are.
 */
bool is_go_program(int fd);

#endif
