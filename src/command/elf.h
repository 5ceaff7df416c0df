/*
 * elf.h - what an ELF file is: machine and class, loader, Go
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_ELF_H
#define KEEPALIVE_ELF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What is needed of an ELF header of either class. */
struct elf {
    unsigned char class;
    uint64_t segments; /* offset of the program headers */
    uint64_t sections; /* offset of the section headers */
    unsigned segment_size, segment_count;
    unsigned section_size, section_count;
    unsigned names; /* index of the section with the sections' names */
};

/* Machine, byte order and class of an ELF file; 0 where it is none. */
unsigned elf_kind(const char *path);

/* The loader that an ELF file asks for; false where it is none or static. */
bool elf_loader(const char *path, char loader[PATH_MAX]);

/* The same of an open file. */
unsigned elf_kind_of(int fd);

/* Reads the header; it is of this machine's byte order. */
bool read_elf_header(int fd, struct elf *elf);

/*
 * The program that the kernel starts instead of this one: the loader. False if
 * there is none: a static program. What cannot be read has one called "".
 */
bool find_elf_loader(int fd, const struct elf *elf, char path[PATH_MAX]);

/*
 * Go's linker leaves a section of its own, strip(1) and dynamic linking or not.
 * The table of sections and their names are read by one call each.
 */
bool is_go_program(int fd, const struct elf *elf);

#endif
