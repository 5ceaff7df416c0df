/*
 * reach.c - can the loader help this program?
 * SPDX-License-Identifier: MIT
 *
 * Looks at files only, and starts nothing. What is not sure is not said: a
 * program that cannot be read, or a script that cannot be followed, counts as
 * one that can be helped.
 */
#include "command.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPTS = 5,     /* interpreters that are scripts again, as in execve(2) */
    HEAD_LINE = 256, /* bytes that the kernel reads of a script */
    WORDS = 64,      /* words of such a line, and an end */
};

#define OUTSIDE "set its sockets from outside with 'keepalive -p PID'"
#define SYSTEM "sysctl net.ipv4.tcp_keepalive_time if it asks for keepalive"

/* What is needed of an ELF header of either class. */
struct elf {
    unsigned char class;
    uint64_t segments; /* offset of the program headers */
    uint64_t sections; /* offset of the section headers */
    unsigned segment_size, segment_count;
    unsigned section_size, section_count;
    unsigned names; /* index of the section with the sections' names */
};

static bool read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
    return pread(fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

static unsigned kind_of(int fd)
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
    unsigned kind = fd < 0 ? 0 : kind_of(fd);

    if (fd >= 0)
        close(fd);
    return kind;
}

/* The header is of this machine's byte order. */
static bool read_header(int fd, struct elf *elf)
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

/*
 * The program that the kernel starts in place of this one: the loader. False
 * where there is none: a static program. What cannot be read has one called "".
 */
static bool find_loader(int fd, const struct elf *elf, char path[PATH_MAX])
{
    path[0] = '\0';
    for (unsigned i = 0; i < elf->segment_count; i++) {
        uint64_t place = elf->segments + (uint64_t)i * elf->segment_size;
        Elf64_Phdr wide;
        Elf32_Phdr narrow;
        ssize_t length;

        if (elf->class == ELFCLASS64) {
            if (!read_at(fd, &wide, sizeof(wide), place))
                return true;
        } else {
            if (!read_at(fd, &narrow, sizeof(narrow), place))
                return true;
            wide.p_type = narrow.p_type;
            wide.p_offset = narrow.p_offset;
        }
        if (wide.p_type != PT_INTERP)
            continue;
        length = pread(fd, path, PATH_MAX - 1, (off_t)wide.p_offset);
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
    found = kind_of(fd) != 0 && read_header(fd, &elf) &&
            find_loader(fd, &elf, loader) && loader[0] == '/';
    close(fd);
    return found;
}

/* The names of the sections, as an offset into the file. */
static bool find_names(int fd, const struct elf *elf, uint64_t *offset)
{
    uint64_t place = elf->sections + (uint64_t)elf->names * elf->section_size;
    Elf64_Shdr wide;
    Elf32_Shdr narrow;

    if (elf->class == ELFCLASS64) {
        if (!read_at(fd, &wide, sizeof(wide), place))
            return false;
        *offset = wide.sh_offset;
        return true;
    }
    if (!read_at(fd, &narrow, sizeof(narrow), place))
        return false;
    *offset = narrow.sh_offset;
    return true;
}

/* Go's linker leaves one of these sections, strip(1) and dynamic linking or
 * not; each can be switched off by itself. */
static bool is_go(int fd, const struct elf *elf)
{
    static const char *const marks[] = {".go.buildinfo", ".note.go.buildid"};
    uint64_t names;

    if (elf->section_count == 0 || !find_names(fd, elf, &names))
        return false;
    for (unsigned i = 0; i < elf->section_count; i++) {
        char name[20] = "";
        uint32_t index; /* sh_name comes first in both classes */

        if (!read_at(fd, &index, sizeof(index),
                     elf->sections + (uint64_t)i * elf->section_size))
            return false;
        /* Short at the end of the file: the rest is zero then. */
        if (pread(fd, name, sizeof(name) - 1, (off_t)(names + index)) < 0)
            return false;
        for (size_t j = 0; j < sizeof(marks) / sizeof(*marks); j++)
            if (strcmp(name, marks[j]) == 0)
                return true;
    }
    return false;
}

/* Will the kernel set AT_SECURE? See "Secure-execution mode" in ld.so(8). */
static bool is_privileged(int fd, const struct stat *status)
{
    struct statvfs mount;

    if (fstatvfs(fd, &mount) < 0 || (mount.f_flag & ST_NOSUID) != 0)
        return false;
    if ((status->st_mode & S_ISUID) != 0 && status->st_uid != getuid())
        return true;
    if ((status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        status->st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* The loader itself is static, and what it starts need not be. */
static bool is_loader(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;

    return strncmp(name, "ld", 2) == 0 && strstr(name, ".so") != NULL;
}

static const char *judge_elf(int fd, const char *path,
                             const struct stat *status,
                             const struct library *library)
{
    unsigned kind = kind_of(fd);
    char loader[PATH_MAX];
    struct elf elf;

    if (kind != library->kind && kind != library->twin_kind)
        return "is of another class (32-bit, 64-bit) or machine than the "
               "library; " OUTSIDE ", or use " SYSTEM;
    if (!read_header(fd, &elf))
        return NULL;
    if (is_go(fd, &elf))
        return "is written in Go, which makes its system calls past the "
               "library; " OUTSIDE;
    if (!find_loader(fd, &elf, loader) && !is_loader(path))
        return "is statically linked, out of the library's reach; " OUTSIDE
               ", or use " SYSTEM;
    if (is_privileged(fd, status))
        return "runs with more rights than yours (set-user-ID or file "
               "capabilities), where LD_PRELOAD is ignored; " OUTSIDE
               " as root, or see 'keepalive --global'";
    return NULL;
}

/* Finds a command as execvp(3) does. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    const char *list = getenv("PATH");
    const char *end;

    if (strchr(name, '/') != NULL)
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    for (list = list == NULL ? "/bin:/usr/bin" : list;; list = end + 1) {
        struct stat status;
        int length;

        end = strchrnul(list, ':');
        length = (int)(end - list);
        /* An empty element is the current directory. */
        if (snprintf(path, PATH_MAX, "%.*s%s%s", length, list,
                     length > 0 ? "/" : "", name) < PATH_MAX &&
            stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            access(path, X_OK) == 0)
            return true;
        if (*end == '\0')
            return false;
    }
}

/* The words of a line, and the bytes that they are made of. */
struct words {
    char text[4096];
    char *list[WORDS]; /* a null pointer follows the last */
};

/* Splits a line at its blanks. */
static void split(struct words *words, const char *line)
{
    int count = 0;

    snprintf(words->text, sizeof(words->text), "%s", line);
    for (char *word = strtok(words->text, " \t");
         word != NULL && count < WORDS - 1; word = strtok(NULL, " \t"))
        words->list[count++] = word;
    words->list[count] = NULL;
}

/* Reads `#!interpreter argument`; all the rest of the line is one argument. */
static bool read_script(int fd, struct words *words)
{
    ssize_t length = pread(fd, words->text, HEAD_LINE - 1, 0);
    char *name = words->text + 2;
    char *rest;

    if (length < 2 || memcmp(words->text, "#!", 2) != 0)
        return false;
    words->text[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    name += strspn(name, " \t");
    rest = name + strcspn(name, " \t");
    if (*rest != '\0')
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    words->list[0] = name;
    words->list[1] = *rest != '\0' ? rest : NULL;
    words->list[2] = NULL;
    return *name != '\0';
}

/*
 * The command that env(1) will run: what follows its assignments; NULL where
 * there is none. Of its options only -S is known here: another counts as a
 * command, which is not found.
 */
static char *const *behind_env(char *const *command, struct words *words)
{
    command++;
    if (*command != NULL && strncmp(*command, "-S", 2) == 0) {
        const char *line = *command + 2;

        if (*line == '\0')
            line = command[1] != NULL ? command[1] : "";
        split(words, line);
        command = words->list;
    }
    while (*command != NULL && strchr(*command, '=') != NULL)
        command++;
    return *command != NULL ? command : NULL;
}

static bool is_env(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash == NULL ? path : slash + 1, "env") == 0;
}

/* Opens the file of a command; -1 where it cannot be looked into. */
static int open_program(const char *name, char path[PATH_MAX],
                        struct stat *status)
{
    int fd;

    if (!find_program(name, path))
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library)
{
    struct words script;
    struct words strings;
    char path[PATH_MAX];

    for (int i = 0; i < SCRIPTS && command != NULL; i++) {
        const char *reason = NULL;
        struct stat status;
        int fd = open_program(command[0], path, &status);

        if (fd < 0)
            return false;
        if (kind_of(fd) != 0) {
            reason = judge_elf(fd, path, &status, library);
            command = is_env(path) ? behind_env(command, &strings) : NULL;
        } else if (read_script(fd, &script)) {
            command = script.list;
        } else {
            reason = "is neither an ELF file nor a script with #!, so that "
                     "the library may have no effect; look with "
                     "'keepalive -p PID'";
        }
        close(fd);
        if (reason != NULL) {
            snprintf(text, OBSTACLE, "%s %s", path, reason);
            return true;
        }
    }
    return false;
}
