/*
 * elf.c - what an ELF file is
 * SPDX-License-Identifier: MIT
 */
#include "elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
    return pread(fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

unsigned elf_kind_of(int fd)
{
    Elf32_Ehdr header; /* e_machine has the same place in both classes */
    const unsigned char *ident = header.e_ident;

    if (!read_at(fd, &header, sizeof(header), 0) ||
        memcmp(ident, ELFMAG, SELFMAG) != 0)
        return 0;
    return (unsigned)header.e_machine << 16 | (unsigned)ident[EI_DATA] << 8 |
           ident[EI_CLASS];
}

unsigned elf_kind(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned kind = fd < 0 ? 0 : elf_kind_of(fd);

    if (fd >= 0)
        close(fd);
    return kind;
}

bool read_elf_header(int fd, struct elf *elf)
{
    unsigned char ident[EI_NIDENT];
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;

    if (!read_at(fd, ident, sizeof(ident), 0))
        return false;
    if (ident[EI_CLASS] == ELFCLASS64) {
        if (!read_at(fd, &wide, sizeof(wide), 0))
            return false;
        *elf = (struct elf){ELFCLASS64,       wide.e_phoff,   wide.e_shoff,
                            wide.e_phentsize, wide.e_phnum,   wide.e_shentsize,
                            wide.e_shnum,     wide.e_shstrndx};
        return true;
    }
    if (!read_at(fd, &narrow, sizeof(narrow), 0))
        return false;
    *elf = (struct elf){
        ELFCLASS32,     narrow.e_phoff,     narrow.e_shoff, narrow.e_phentsize,
        narrow.e_phnum, narrow.e_shentsize, narrow.e_shnum, narrow.e_shstrndx};
    return true;
}

/* Reads a program header of either class. */
static bool read_segment(int fd, const struct elf *elf, unsigned index,
                         Elf64_Phdr *segment)
{
    uint64_t place = elf->segments + (uint64_t)index * elf->segment_size;
    Elf32_Phdr narrow;

    if (elf->class == ELFCLASS64)
        return read_at(fd, segment, sizeof(*segment), place);
    if (!read_at(fd, &narrow, sizeof(narrow), place))
        return false;
    *segment = (Elf64_Phdr){.p_type = narrow.p_type,
                            .p_offset = narrow.p_offset,
                            .p_filesz = narrow.p_filesz};
    return true;
}

/* Takes a section header of either class out of the table of them. */
static void read_section(const struct elf *elf, const char *table,
                         unsigned index, Elf64_Shdr *section)
{
    const char *place = table + (size_t)index * elf->section_size;
    Elf32_Shdr narrow;

    if (elf->class == ELFCLASS64) {
        memcpy(section, place, sizeof(*section));
        return;
    }
    memcpy(&narrow, place, sizeof(narrow));
    *section = (Elf64_Shdr){.sh_name = narrow.sh_name,
                            .sh_offset = narrow.sh_offset,
                            .sh_size = narrow.sh_size};
}

bool find_elf_loader(int fd, const struct elf *elf, char path[PATH_MAX])
{
    path[0] = '\0';
    for (unsigned i = 0; i < elf->segment_count; i++) {
        Elf64_Phdr segment;
        ssize_t length;

        if (!read_segment(fd, elf, i, &segment))
            return true;
        if (segment.p_type != PT_INTERP)
            continue;
        length = pread(fd, path, PATH_MAX - 1, (off_t)segment.p_offset);
        path[length > 0 ? length : 0] = '\0';
        return true;
    }
    return elf->segment_count == 0;
}

bool elf_loader(const char *path, char loader[PATH_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct elf elf;
    bool found;

    if (fd < 0)
        return false;
    found = elf_kind_of(fd) != 0 && read_elf_header(fd, &elf) &&
            find_elf_loader(fd, &elf, loader) && loader[0] == '/';
    close(fd);
    return found;
}

/* Is one of these the name of a section? */
static bool has_section(const struct elf *elf, const char *table,
                        const char *names, size_t size)
{
    static const char *const marks[] = {".go.buildinfo", ".note.go.buildid"};

    for (unsigned i = 0; i < elf->section_count; i++) {
        Elf64_Shdr section;

        read_section(elf, table, i, &section);
        for (size_t j = 0; j < sizeof(marks) / sizeof(*marks); j++)
            if (section.sh_name < size &&
                strcmp(names + section.sh_name, marks[j]) == 0)
                return true;
    }
    return false;
}

bool is_go_program(int fd, const struct elf *elf)
{
    enum { MOST_NAMES = 65536 };
    size_t size = (size_t)elf->section_count * elf->section_size;
    size_t least =
        elf->class == ELFCLASS64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    char *table = malloc(size + MOST_NAMES + 1);
    bool found = false;

    if (table != NULL && elf->section_size >= least &&
        elf->names < elf->section_count &&
        read_at(fd, table, size, elf->sections)) {
        char *names = table + size;
        Elf64_Shdr section;
        size_t most = MOST_NAMES;
        ssize_t length;

        read_section(elf, table, elf->names, &section);
        if (section.sh_size < most)
            most = (size_t)section.sh_size;
        length = pread(fd, names, most, (off_t)section.sh_offset);
        names[length > 0 ? length : 0] = '\0';
        found = has_section(elf, table, names, length > 0 ? (size_t)length : 0);
    }
    free(table);
    return found;
}
