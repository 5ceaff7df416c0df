/*
 * elf.c - what an ELF file is
 * SPDX-License-Identifier: MIT
 */
#include "elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The headers of either class; e_ident, e_machine and p_type have the same
 * place in both. */
union header {
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
};
union segment {
    Elf64_Phdr wide;
    Elf32_Phdr narrow;
};
union section {
    Elf64_Shdr wide;
    Elf32_Shdr narrow;
};

/* A field of one of them, as it is called in both classes. */
#define FIELD(header, any, name)                                               \
    ((header)->wide.e_ident[EI_CLASS] == ELFCLASS64                            \
         ? (uint64_t)(any)->wide.name                                          \
         : (uint64_t)(any)->narrow.name)

/* Reads the name of the loader; "" where there is none, "?" in a file that is
 * damaged, or of the other byte order. */
static void read_loader(int fd, const union header *header,
                        char loader[PATH_MAX])
{
    union segment segment = {.wide.p_type = PT_NULL};
    uint64_t place = FIELD(header, header, e_phoff);
    uint64_t left = FIELD(header, header, e_phnum);
    ssize_t size = (ssize_t)FIELD(header, header, e_phentsize);
    ssize_t length = 0;

    memcpy(loader, "?", 2);
    for (; left > 0 && segment.wide.p_type != PT_INTERP; left--) {
        length = pread(fd, &segment, sizeof(segment), (off_t)place);
        if (length < size)
            return;
        place += (uint64_t)size;
    }
    if (segment.wide.p_type == PT_INTERP)
        length = pread(fd, loader, PATH_MAX - 1,
                       (off_t)FIELD(header, &segment, p_offset));
    if (length > 0)
        loader[segment.wide.p_type == PT_INTERP ? length : 0] = '\0';
}

/* Go's linker leaves a section of its own, strip(1) and dynamic linking or not.
 * Its name is looked for where the names of all sections are. */
static bool has_go_section(int fd, const union header *header)
{
    static const char mark[] = ".go.buildinfo", note[] = ".note.go.buildid";
    union section section;
    char names[65536];
    ssize_t length = pread(fd, &section, sizeof(section),
                           (off_t)(FIELD(header, header, e_shoff) +
                                   FIELD(header, header, e_shstrndx) *
                                       FIELD(header, header, e_shentsize)));
    uint64_t size = length > 0 ? FIELD(header, &section, sh_size) : 0;

    if (size > 0)
        length = pread(fd, names,
                       (size_t)(size < sizeof(names) ? size : sizeof(names)),
                       (off_t)FIELD(header, &section, sh_offset));
    return size > 0 && length > 0 &&
           (memmem(names, (size_t)length, mark, sizeof(mark)) != NULL ||
            memmem(names, (size_t)length, note, sizeof(note)) != NULL);
}

unsigned read_elf(const char *path, struct elf *elf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    union header header = {.wide.e_machine = EM_NONE};
    const unsigned char *ident = header.wide.e_ident;
    unsigned kind = 0;

    if (fd >= 0 && pread(fd, &header, sizeof(header), 0) > 0 &&
        memcmp(ident, ELFMAG, SELFMAG) == 0)
        kind = (unsigned)header.wide.e_machine << 16 |
               (unsigned)ident[EI_DATA] << 8 | ident[EI_CLASS];
    if (elf != NULL)
        elf->kind = kind;
    if (elf != NULL && kind != 0) {
        elf->go = has_go_section(fd, &header);
        read_loader(fd, &header, elf->loader);
    }
    if (fd >= 0)
        close(fd);
    return kind;
}
