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
    ((header).wide.e_ident[EI_CLASS] == ELFCLASS64                             \
         ? (uint64_t)(any).wide.name                                           \
         : (uint64_t)(any).narrow.name)

/* Reads one of them: what is not in the file any more is zero. */
static bool read_part(int fd, void *part, size_t size, uint64_t offset)
{
    memset(part, 0, size);
    return pread(fd, part, size, (off_t)offset) > 0;
}

static bool read_header(int fd, union header *header)
{
    return read_part(fd, header, sizeof(*header), 0) &&
           memcmp(header->wide.e_ident, ELFMAG, SELFMAG) == 0;
}

unsigned elf_kind_of(int fd)
{
    union header header;
    const unsigned char *ident = header.wide.e_ident;

    if (!read_header(fd, &header))
        return 0;
    return (unsigned)header.wide.e_machine << 16 |
           (unsigned)ident[EI_DATA] << 8 | ident[EI_CLASS];
}

unsigned elf_kind(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned kind = fd < 0 ? 0 : elf_kind_of(fd);

    if (fd >= 0)
        close(fd);
    return kind;
}

bool elf_loader_of(int fd, char loader[PATH_MAX])
{
    union header header;
    union segment segment;
    uint64_t count =
        read_header(fd, &header) ? FIELD(header, header, e_phnum) : 0;

    loader[0] = '\0';
    for (uint64_t i = 0; i < count; i++) {
        ssize_t length;

        if (!read_part(fd, &segment, sizeof(segment),
                       FIELD(header, header, e_phoff) +
                           i * FIELD(header, header, e_phentsize)))
            return true;
        if (segment.wide.p_type != PT_INTERP)
            continue;
        length = pread(fd, loader, PATH_MAX - 1,
                       (off_t)FIELD(header, segment, p_offset));
        loader[length > 0 ? length : 0] = '\0';
        return true;
    }
    return count == 0;
}

bool elf_loader(const char *path, char loader[PATH_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool found = fd >= 0 && elf_loader_of(fd, loader) && loader[0] == '/';

    if (fd >= 0)
        close(fd);
    return found;
}

bool is_go_program(int fd)
{
    static const char mark[] = ".go.buildinfo", note[] = ".note.go.buildid";
    union header header;
    union section section;
    char names[65536];
    ssize_t length;

    if (!read_header(fd, &header) ||
        !read_part(fd, &section, sizeof(section),
                   FIELD(header, header, e_shoff) +
                       FIELD(header, header, e_shstrndx) *
                           FIELD(header, header, e_shentsize)))
        return false;
    length = pread(fd, names, sizeof(names),
                   (off_t)FIELD(header, section, sh_offset));
    if (length > (ssize_t)FIELD(header, section, sh_size))
        length = (ssize_t)FIELD(header, section, sh_size);
    return length > 0 && (memmem(names, (size_t)length, mark, sizeof(mark)) ||
                          memmem(names, (size_t)length, note, sizeof(note)));
}
