/*
 * process.c - which processes are looked at
 * SPDX-License-Identifier: MIT
 */
#include "sockets/process.h"

#include "exit_status.h"
#include "proc.h"
#include "sockets/descriptors.h"
#include "text.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { CAP_SYS_PTRACE = 19 }; /* <linux/capability.h> */

/* The processes that were looked at. */
struct pids {
    int *list;
    size_t count;
};

/* Notes a process; false if it was looked at before. */
static bool is_new(struct pids *pids, int pid)
{
    int *list;

    for (size_t i = 0; i < pids->count; i++)
        if (pids->list[i] == pid)
            return false;
    list = realloc(pids->list, (pids->count + 1) * sizeof(*list));
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    pids->list = list;
    list[pids->count++] = pid;
    return true;
}

/* Looks at a process by its number. */
static void add_process(struct socket_table *table, int pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    char path[sizeof("/proc/2147483647")];
    int directory;
    int error;

    if (pidfd < 0) {
        if (errno != ESRCH) {
            note_forbidden(table, pid, errno);
        } else if (!table->request->all) {
            warn("%d", pid);
            worsen(table, PROCESS_GONE);
        }
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d", pid);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = errno == ENOENT ? EACCES : errno; /* it may be hidden */
    /* A process that is there now was there all the time, so the directory is
     * its own and not that of another that got its number. */
    if (has_ended(pidfd))
        note_gone(table, pid);
    else if (directory < 0)
        note_forbidden(table, pid, error);
    else
        add_sockets(table, pid, pidfd, directory);
    if (directory >= 0)
        close(directory);
    close(pidfd);
}

/* Is this process in the group? musl has no group_member(3). */
static bool is_member(gid_t group)
{
    int count = getgroups(0, NULL);
    gid_t *groups = calloc((size_t)count + 1, sizeof(*groups));
    bool found = getegid() == group;

    count = groups == NULL ? 0 : getgroups(count, groups);
    for (int i = 0; i < count && !found; i++)
        found = groups[i] == group;
    free(groups);
    return found;
}

/* /proc may hide the processes of other users, see hidepid in proc(5): then
 * nobody can say which there are. */
static void note_hidden(struct socket_table *table)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;
    bool hidden = false;

    while (mounts != NULL && (entry = getmntent(mounts)) != NULL) {
        const char *hides = hasmntopt(entry, "hidepid");
        const char *option = hasmntopt(entry, "gid");
        gid_t group = option == NULL ? 0 : (gid_t)strtoul(option + 4, NULL, 10);

        if (strcmp(entry->mnt_dir, "/proc") == 0)
            hidden = hides != NULL &&
                     (option == NULL || strstr(hides, "=ptraceable") != NULL ||
                      !is_member(group)) &&
                     (!has_capability(CAP_SYS_PTRACE) ||
                      access("/proc/1", F_OK) < 0);
    }
    if (mounts != NULL)
        endmntent(mounts);
    if (hidden) {
        warnx("/proc hides the processes of other users (hidepid); run it as "
              "root");
        worsen(table, PROCESS_FORBIDDEN);
    }
}

/*
 * Is this a name of the process: its own, or the last part of its executable
 * or of the first word of its command line? It may change its own, or that of
 * its main thread, as Node.js does.
 */
static bool has_name(int proc, const char *pid, const char *name)
{
    static const char deleted[] = " (deleted)";
    char path[NAME_MAX + sizeof("/cmdline")];
    char text[PATH_MAX];
    char *words;
    ssize_t length;
    bool has;

    snprintf(path, sizeof(path), "%s/comm", pid);
    if (read_name(proc, path, text) && strncmp(text, name, COMM) == 0)
        return true;
    snprintf(path, sizeof(path), "%s/exe", pid);
    length = readlinkat(proc, path, text, sizeof(text) - 1);
    if (length > (ssize_t)sizeof(deleted) &&
        memcmp(text + length - sizeof(deleted) + 1, deleted,
               sizeof(deleted) - 1) == 0)
        length -= (ssize_t)sizeof(deleted) - 1;
    text[length < 0 ? 0 : length] = '\0';
    if (is_named(text, name))
        return true;
    snprintf(path, sizeof(path), "%s/cmdline", pid);
    words = read_below(proc, path);
    has = words != NULL && is_named(words, name);
    free(words);
    return has;
}

/* Looks at every process, or at those of a name: false if there is none. */
static bool add_named(struct socket_table *table, struct pids *pids,
                      const char *name)
{
    DIR *list = opendir("/proc");
    struct dirent *entry;
    bool found = false;

    if (list == NULL)
        err(STATUS_FAILED, "/proc");
    while ((entry = readdir(list)) != NULL) {
        int pid = (int)strtol(entry->d_name, NULL, 10);

        if (pid <= 0 ||
            (name != NULL && !has_name(dirfd(list), entry->d_name, name)))
            continue;
        found = true;
        if (name == NULL || is_new(pids, pid))
            add_process(table, pid);
    }
    closedir(list);
    note_hidden(table);
    return found;
}

/* The process of a number, which may be that of one of its threads. */
static int process_of(int number)
{
    char path[sizeof("/proc/2147483647/status")];
    char *text;
    int process;

    snprintf(path, sizeof(path), "/proc/%d/status", number);
    text = read_below(AT_FDCWD, path);
    process = text == NULL ? 0 : find_number(text, "\nTgid:");
    free(text);
    return process > 0 ? process : number;
}

static void add_operand(struct socket_table *table, struct pids *pids,
                        const char *operand)
{
    bool is_number = operand[strspn(operand, "0123456789")] == '\0';
    long number = strtol(operand, NULL, 10);
    char printable[PRINTABLE];

    if (*operand == '\0' || (is_number && (number < 1 || number > INT_MAX))) {
        warnx("'%s' is not the number of a process",
              make_printable(printable, operand));
        worsen(table, STATUS_FAILED);
    } else if (is_number) {
        int pid = process_of((int)number);

        if (is_new(pids, pid))
            add_process(table, pid);
    } else if (!add_named(table, pids, operand)) {
        warnx("%s: no process has this name",
              make_printable(printable, operand));
        worsen(table, PROCESS_GONE);
    }
}

void add_processes(struct socket_table *table, char *const operands[],
                   int count)
{
    struct pids pids = {0};

    for (int i = 0; i < count; i++)
        add_operand(table, &pids, operands[i]);
    if (table->request->all)
        add_named(table, &pids, NULL);
    free(pids.list);
}
