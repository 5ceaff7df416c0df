/*
 * reach.c - can the loader help this program?
 * SPDX-License-Identifier: MIT
 *
 * Looks at files only, and starts nothing. When in doubt it says nothing: a
 * program that cannot be read, or a script that cannot be followed, is taken
 * for one that the loader can help.
 */
#include "command.h"

#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPTS = 5,     /* interpreters that are scripts again, as in execve(2) */
    HEAD_LINE = 256, /* bytes that the kernel reads of a script */
    WORDS = 64,      /* words of such a line, and a null pointer */
};

#define OUTSIDE                                                                \
    "set its sockets with 'keepalive -p PID', or its cgroup's with "           \
    "'keepalive --cgroup'"
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

/*
 * The program that the kernel starts instead of this one: the loader. False if
 * there is none: a static program. What cannot be read has one called "".
 */
static bool find_loader(int fd, const struct elf *elf, char path[PATH_MAX])
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
    found = kind_of(fd) != 0 && read_header(fd, &elf) &&
            find_loader(fd, &elf, loader) && loader[0] == '/';
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

/*
 * Go's linker leaves a section of its own, strip(1) and dynamic linking or not.
 * The table of sections and their names are read by one call each.
 */
static bool is_go(int fd, const struct elf *elf)
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

/* Does the kernel give no more rights: by no_new_privs, or in a user namespace
 * that does not know the owner? See execve(2). */
static bool keeps_rights(const struct stat *status)
{
    enum { OVERFLOW_ID = 65534 }; /* of one that has no number here */
    unsigned first = 0;
    unsigned outside = 0;
    unsigned count = 0;
    FILE *map;

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return true;
    if (status->st_uid != OVERFLOW_ID)
        return false;
    map = fopen("/proc/self/uid_map", "re");
    if (map == NULL)
        return false;
    /* a cast is no conversion that can fail here: the kernel wrote it */
    if (fscanf(map, "%u %u %u", &first, &outside, &count) != 3) /* NOLINT */
        count = UINT32_MAX;
    fclose(map);
    return count != UINT32_MAX;
}

/* Will the kernel set AT_SECURE? See "Secure-execution mode" in ld.so(8). */
static bool is_privileged(int fd, const struct stat *status)
{
    struct statvfs mount;

    if (fstatvfs(fd, &mount) < 0 || (mount.f_flag & ST_NOSUID) != 0 ||
        keeps_rights(status))
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
               "library (dynamic programs that it starts are in "
               "reach); " OUTSIDE;
    if (!find_loader(fd, &elf, loader) && !is_loader(path))
        return "is statically linked, out of the library's reach (dynamic "
               "programs that it starts are not); " OUTSIDE;
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

/*
 * Makes the words that stand for those of `env -S`: a first one to be skipped,
 * those of the line, split at its blanks, and the rest.
 */
static void split(struct words *words, const char *line, char *const *rest)
{
    int count = 0;

    words->list[count++] = words->text;
    snprintf(words->text, sizeof(words->text), "%s", line);
    for (char *word = strtok(words->text, " \t");
         word != NULL && count < WORDS - 1; word = strtok(NULL, " \t"))
        words->list[count++] = word;
    while (*rest != NULL && count < WORDS - 1)
        words->list[count++] = *rest++;
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

/* A command that runs another, and what its words mean. */
static const struct launcher {
    const char *name;
    const char *letters;  /* options that take an argument */
    const char *options;  /* the same, long, in the same order */
    int operands;         /* before the command */
    bool assignments;     /* words with = before it, as env(1) has them */
    bool cleans;          /* passes on no environment */
    const char *cleaning; /* options by which it does so, */
    const char *cleaning_options; /* and the long ones */
} launchers[] = {
    {"env", "uCS", " unset chdir split-string ", 0, true, false, "i",
     " ignore-environment "},
    {"nohup", "", "", 0, false, false, "", ""},
    {"nice", "n", " adjustment ", 0, false, false, "", ""},
    {"setsid", "", "", 0, false, false, "", ""},
    {"timeout", "ks", " kill-after signal ", 1, false, false, "", ""},
    {"sudo", "", "", 0, false, true, "", ""},
    {"doas", "", "", 0, false, true, "", ""},
    {"pkexec", "", "", 0, false, true, "", ""},
    {"su", "cgGsw", "", 0, false, false, "l", " login "},
    {"runuser", "cgGsw", "", 0, false, false, "l", " login "},
    {"setpriv", "", "", 0, false, false, "", " reset-env "},
};

/* Is this the name of the file, without its directory? */
static bool is_named(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash == NULL ? path : slash + 1, name) == 0;
}

static const struct launcher *find_launcher(const char *path)
{
    for (size_t i = 0; i < sizeof(launchers) / sizeof(*launchers); i++)
        if (is_named(path, launchers[i].name))
            return &launchers[i];
    return NULL;
}

/*
 * The place in a list of words, each between blanks, of the first that begins
 * with these bytes; -1 if none does. Long options may be shortened.
 */
static int find_listed(const char *list, const char *word, size_t length)
{
    int place = 0;

    for (; (list = strchr(list, ' ')) != NULL && list[1] != '\0'; list++)
        if (length > 0 && strncmp(list + 1, word, length) == 0)
            return place;
        else
            place++;
    return -1;
}

/* An option of a launcher. */
struct read_option {
    char letter;       /* 0 if it takes no argument */
    const char *value; /* its argument, "" if there is none */
    int words;         /* one, or two with the argument */
    bool cleans;
};

static struct read_option read_option(const struct launcher *launcher,
                                      char *const *command)
{
    struct read_option option = {.value = "", .words = 1};
    const char *word = *command + 1;
    const char *value = NULL;

    if (*word == '-') {
        size_t length = strcspn(++word, "=");
        int place = find_listed(launcher->options, word, length);

        option.cleans =
            find_listed(launcher->cleaning_options, word, length) >= 0;
        if (place >= 0)
            option.letter = launcher->letters[place];
        if (word[length] == '=')
            value = word + length + 1;
    } else {
        /* a lone - cleans, as in `env -` and `su -` */
        option.cleans = *word == '\0' && launcher->cleaning[0] != '\0';
        for (; *word != '\0' && option.letter == 0; word++) {
            if (strchr(launcher->cleaning, *word) != NULL)
                option.cleans = true;
            if (strchr(launcher->letters, *word) != NULL)
                option.letter = *word;
        }
        if (*word != '\0')
            value = word;
    }
    if (option.letter != 0 && value == NULL && command[1] != NULL) {
        value = command[1];
        option.words = 2;
    }
    if (value != NULL)
        option.value = value;
    return option;
}

/*
 * Finds the command that a launcher will run, NULL if there is none or it
 * cannot be told. `words` is for those of `env -S`. Stores in *clean whether
 * the environment is cleaned on the way.
 */
static char *const *follow_launcher(const struct launcher *launcher,
                                    char *const *command, struct words *words,
                                    bool *clean)
{
    int operands = launcher->operands;
    bool split_before = command >= words->list && command < words->list + WORDS;

    *clean = launcher->cleans;
    for (command++; *command != NULL; command++) {
        const char *word = *command;

        if (word[0] == '-' && strcmp(word, "--") != 0) {
            struct read_option option = read_option(launcher, command);

            *clean = *clean || option.cleans;
            command += option.words - 1;
            if (!launcher->assignments)
                continue;
            if (option.letter == 'u' && strcmp(option.value, "LD_PRELOAD") == 0)
                *clean = true;
            if (option.letter == 'S') {
                if (split_before)
                    return NULL;
                split(words, option.value, command + 1);
                split_before = true;
                command = words->list;
            }
        } else if (launcher->assignments && strchr(word, '=') != NULL) {
            if (strncmp(word, "LD_PRELOAD=", 11) == 0)
                *clean = true;
        } else if (strcmp(word, "--") != 0 && operands-- <= 0) {
            return command;
        }
    }
    return NULL;
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

/* Is one of the words the command that this is? It sets the variables anew. */
static bool runs_keepalive(char *const *command)
{
    for (; *command != NULL; command++)
        if (is_named(*command, "keepalive"))
            return true;
    return false;
}

bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library)
{
    char *const *program = command;
    struct words script;
    struct words strings;
    char path[PATH_MAX];

    for (int i = 0; i < SCRIPTS && command != NULL; i++) {
        const char *reason = NULL;
        const struct launcher *launcher;
        struct stat status;
        bool clean = false;
        int fd = open_program(command[0], path, &status);

        if (fd < 0)
            return false;
        launcher = find_launcher(path);
        if (kind_of(fd) != 0) {
            command = launcher == NULL ? NULL
                                       : follow_launcher(launcher, command,
                                                         &strings, &clean);
            if (clean && runs_keepalive(program))
                command = NULL;
            else if (clean)
                reason = "removes LD_PRELOAD from the environment, so this has "
                         "no effect; let it run keepalive, as in "
                         "'sudo keepalive ... COMMAND'";
            else
                reason = judge_elf(fd, path, &status, library);
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

/* What is wrong with a file that is there but cannot be started. */
static const char *find_fault(const char *path, int error,
                              char detail[PATH_MAX])
{
    struct words script;
    struct elf elf;
    int fd;

    detail[0] = '\0';
    if (error == EACCES && access(path, X_OK) < 0)
        return "the file has no execute permission";
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (kind_of(fd) != 0) {
        if (read_header(fd, &elf))
            find_loader(fd, &elf, detail);
    } else if (read_script(fd, &script)) {
        snprintf(detail, PATH_MAX, "%s", script.list[0]);
    }
    close(fd);
    if (detail[0] == '\0' || access(detail, X_OK) == 0)
        return NULL;
    return detail[strlen(detail) - 1] == '\r'
               ? "a carriage return follows its interpreter (dos2unix helps):"
               : "its interpreter cannot be run:";
}

void warn_not_started(const char *name, int error)
{
    char path[PATH_MAX];
    char detail[PATH_MAX];
    struct stat status;
    const char *fault = NULL;

    if ((error == ENOENT || error == EACCES) &&
        (strchr(name, '/') != NULL || find_program(name, path))) {
        if (strchr(name, '/') != NULL)
            snprintf(path, sizeof(path), "%s", name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
            fault = find_fault(path, error, detail);
    }
    if (fault == NULL)
        warnx("%s: %s", make_printable(name), strerror(error));
    else
        warnx("%s: %s%s%s", name, fault, detail[0] != '\0' ? " " : "",
              make_printable(detail));
}
