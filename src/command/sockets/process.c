/*
 * process.c - finds the sockets of running processes
 * SPDX-License-Identifier: MIT
 *
 * pidfd_getfd(2) gives a descriptor for the socket itself, whatever program
 * and network namespace it is in. Each is fetched, read, set if that is wanted,
 * and closed at once: held longer, it would keep open a connection that the
 * process closes meanwhile. Nothing else of the process is touched.
 */
#include "sockets/process.h"

#include "exit_status.h"
#include "proc.h"
#include "sockets/socket.h"
#include "sockets/traffic.h"
#include "text.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than the headers of some systems that this is built on. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
enum {
    ONE_THREAD = O_EXCL,      /* PIDFD_THREAD, Linux 6.9 */
    KCMP_FILES = 2,           /* <linux/kcmp.h> */
    KERNEL_THREAD = 0x200000, /* PF_KTHREAD in the flags of proc_pid_stat(5) */
};

/* Reads the name of a process, which may hold newlines, but for the last. */
static bool read_name(int directory, const char *file, char name[COMM + 2])
{
    char *text = read_below(directory, file);
    size_t length;

    if (text == NULL)
        return false;
    length = strlen(text);
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    snprintf(name, COMM + 2, "%s", text);
    free(text);
    return true;
}

static bool has_ended(int process)
{
    struct pollfd end = {process, POLLIN, 0};

    return poll(&end, 1, 0) == 1;
}

/* With --all, a process that has ended meanwhile is not worth a message. */
static void note_gone(struct scan *scan, int pid)
{
    if (scan->request->all)
        return;
    warnx("%d: the process has ended", pid);
    worsen(scan, PROCESS_GONE);
}

enum { CAP_SYS_PTRACE = 19 }; /* see capabilities(7) */

const char *explain_reach(int error)
{
    if (error == ENOSYS)
        return "it takes Linux 5.6";
    if (error == EMFILE || error == ENFILE)
        return "see ulimit -n";
    if (error != EPERM && error != EACCES)
        return "it cannot be looked at";
    if (geteuid() != 0)
        return "it takes root, or the same user and permission to ptrace "
               "(kernel.yama.ptrace_scope)";
    return has_capability(CAP_SYS_PTRACE)
               ? "a security module or a user namespace is in the way"
               : "it takes the capability CAP_SYS_PTRACE, with Docker "
                 "--cap-add=SYS_PTRACE";
}

static void note_forbidden(struct scan *scan, int pid, int error)
{
    worsen(scan, PROCESS_FORBIDDEN);
    if (scan->request->all && (error == EPERM || error == EACCES))
        scan->out_of_reach++;
    else
        warnx("%d: %s; %s", pid, strerror(error), explain_reach(error));
}

/* The inode in a link of /proc/PID/fd if it names a socket; 0 if not, and
 * UNKNOWN_INODE if that is not permitted: pidfd_getfd() is to say so. */
#define UNKNOWN_INODE ((ino_t)-1)
static ino_t read_link(int directory, const char *name)
{
    char target[64];
    ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

    if (length < 0)
        return errno == ENOENT ? 0 : UNKNOWN_INODE;
    target[length] = '\0';
    return strncmp(target, "socket:[", 8) == 0 ? strtoul(target + 8, NULL, 10)
                                               : 0;
}

/* Visits the sockets in one table of descriptors. */
static void visit_table(struct scan *scan, struct socket_row *model,
                        int process, DIR *list)
{
    struct dirent *entry;
    int failed = 0;

    while ((entry = readdir(list)) != NULL) {
        struct socket_row row = *model;
        struct socket_row *known;
        int socket;

        if (entry->d_name[0] == '.')
            continue;
        row.inode = read_link(dirfd(list), entry->d_name);
        if (row.inode == 0)
            continue;
        known = find_row(scan, row.inode);
        if (known != NULL) {
            known->others += known->last_pid != row.pid;
            known->last_pid = row.pid;
            continue;
        }
        row.fd = (int)strtol(entry->d_name, NULL, 10);
        socket = (int)syscall(SYS_pidfd_getfd, process, row.fd, 0);
        if (socket >= 0) {
            visit_socket(scan, &row, socket);
            close(socket);
        } else if (errno == ESRCH) {
            note_gone(scan, row.pid);
            return;
        } else if (errno != EBADF) { /* it was closed meanwhile */
            failed = errno;
        }
    }
    if (failed != 0)
        note_forbidden(scan, model->pid, failed);
    else if (has_ended(process))
        note_gone(scan, model->pid);
}

/* Do two threads share their descriptors? Then those are read once. Where it
 * cannot be known, those of the other are left out, and that is said. */
static bool share_descriptors(struct scan *scan, int pid, int one, int other)
{
    long order = syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0);

    if (order < 0 && errno == ENOSYS) {
        worsen(scan, PROCESS_FORBIDDEN);
        if (!scan->kcmp_missing)
            warnx("this kernel has no kcmp(2): threads with descriptors of "
                  "their own are left out");
        scan->kcmp_missing = true;
    } else if (order < 0 && errno != ESRCH && scan->kcmp_refused != pid) {
        note_forbidden(scan, pid, errno);
        scan->kcmp_refused = pid;
    }
    return order <= 0;
}

/* Visits the descriptors of one thread, as they are not its process's. */
static void visit_thread(struct scan *scan, struct socket_row *model, int tasks,
                         int thread)
{
    char path[32];
    int process = (int)syscall(SYS_pidfd_open, thread, ONE_THREAD);
    int descriptors;
    DIR *list;

    snprintf(path, sizeof(path), "%d/fd", thread);
    if (process < 0) {
        if (errno == EINVAL) {
            warnx("%d: its thread %d has descriptors of its own; to see their "
                  "sockets takes Linux 6.9",
                  model->pid, thread);
            worsen(scan, PROCESS_FORBIDDEN);
        }
        return; /* else it has ended */
    }
    descriptors = open_below(tasks, path, O_DIRECTORY);
    list = descriptors < 0 ? NULL : fdopendir(descriptors);
    if (list != NULL) {
        visit_table(scan, model, process, list);
        closedir(list);
    } else if (errno != ENOENT) {
        note_forbidden(scan, model->pid, errno);
    }
    close(process);
}

/* Visits the threads that have descriptors of their own; all of them, each
 * table once, where the main thread has ended and has none any more. */
static void visit_threads(struct scan *scan, struct socket_row *model,
                          int directory, bool main_ended)
{
    int tasks = open_below(directory, "task", O_DIRECTORY);
    int copy = tasks < 0 ? -1 : dup(tasks);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    int seen[64]; /* a thread of each table */
    int count = 0;
    struct dirent *entry;

    if (!main_ended)
        seen[count++] = model->pid;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        int thread = (int)strtol(entry->d_name, NULL, 10);
        bool known = thread <= 0 || thread == model->pid;

        for (int i = 0; i < count && !known; i++)
            known = share_descriptors(scan, model->pid, seen[i], thread);
        if (known)
            continue;
        if (count < (int)(sizeof(seen) / sizeof(*seen)))
            seen[count++] = thread;
        visit_thread(scan, model, tasks, thread);
    }
    if (list != NULL)
        closedir(list);
    if (tasks >= 0)
        close(tasks);
}

/*
 * /proc may be that of another pid namespace; then a number there and a pidfd
 * are two processes. The pidfd's number in /proc tells.
 */
static bool is_same_process(int process, int pid)
{
    char path[64];
    char *text;
    int number;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", process);
    text = read_below(AT_FDCWD, path);
    if (text == NULL)
        return false;
    number = find_number(text, "\nPid:");
    free(text);
    return number == 0 || number == pid;
}

/* A kernel thread has no descriptors, and no process that is out of reach. */
static bool is_kernel_thread(int directory)
{
    char *text = read_below(directory, "stat");
    const char *rest = text == NULL ? NULL : strrchr(text, ')');
    bool is;

    /* the name may hold anything, so from its end: the flags are the seventh */
    for (int i = 0; i < 7 && rest != NULL; i++)
        rest = strchr(rest + 1, ' ');
    is = rest != NULL && (strtoul(rest, NULL, 10) & KERNEL_THREAD) != 0;
    free(text);
    return is;
}

/* How many threads, and the state of the main one. */
static bool read_threads(int directory, int *count, bool *main_ended)
{
    char *text = read_below(directory, "status");
    const char *state;

    if (text == NULL)
        return false;
    state = strstr(text, "\nState:");
    *count = find_number(text, "\nThreads:");
    *main_ended = state != NULL && state[7 + strspn(state + 7, "\t ")] == 'Z';
    free(text);
    return true;
}

/* Visits a process that is there, by its directory in /proc. */
static void visit_process(struct scan *scan, int pid, int process,
                          int directory)
{
    struct socket_row model = {.pid = pid, .last_pid = pid, .next = NO_VALUE};
    int descriptors = open_below(directory, "fd", O_DIRECTORY);
    DIR *list = descriptors < 0 ? NULL : fdopendir(descriptors);
    int error = errno;
    bool main_ended = false;
    int threads = 1;

    if (!read_threads(directory, &threads, &main_ended))
        threads = 1;
    /* A process that is there now was there all the time, so the directory is
     * its own and not that of another that got its number. */
    if (has_ended(process)) {
        note_gone(scan, pid);
    } else if (list == NULL && !main_ended) {
        if (!is_kernel_thread(directory))
            note_forbidden(scan, pid, error);
    } else if (!join_groups(directory)) {
        warnx("%d: left out, as looking would take the class of its traffic "
              "away (net_cls, net_prio) and its group cannot be joined",
              pid);
        worsen(scan, PROCESS_FORBIDDEN);
    } else {
        if (!read_name(directory, "comm", model.name))
            model.name[0] = '\0';
        if (!main_ended)
            visit_table(scan, &model, process, list);
        if (threads > 1)
            visit_threads(scan, &model, directory, main_ended);
    }
    if (list != NULL)
        closedir(list);
}

/* Notes a process that is named by an operand; false if it was one before. */
static bool is_new(struct scan *scan, int pid)
{
    int *list;

    for (size_t i = 0; i < scan->pid_count; i++)
        if (scan->pids[i] == pid)
            return false;
    list = realloc(scan->pids, (scan->pid_count + 1) * sizeof(*list));
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    scan->pids = list;
    scan->pids[scan->pid_count++] = pid;
    return true;
}

static void add_process(struct scan *scan, int pid)
{
    char path[sizeof("/proc/2147483647")];
    int process;
    int directory;
    int error;
    bool same;

    if (!scan->request->all && !is_new(scan, pid))
        return;
    process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) {
        if (errno == ESRCH && scan->request->all)
            return;
        if (errno == ESRCH)
            warn("%d", pid);
        else
            warnx("%d: %s; %s", pid, strerror(errno), explain_reach(errno));
        worsen(scan, errno == ESRCH ? PROCESS_GONE : STATUS_FAILED);
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d", pid);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = errno;
    same = directory >= 0 && is_same_process(process, pid);
    if (!same && has_ended(process))
        note_gone(scan, pid);
    else if (directory < 0)
        note_forbidden(scan, pid, error);
    else if (!same)
        errx(STATUS_FAILED,
             "/proc is that of another pid namespace; mount that of this one "
             "(unshare --mount-proc, nsenter -m)");
    else
        visit_process(scan, pid, process, directory);
    if (directory >= 0)
        close(directory);
    close(process);
}

/* Adds every process, or every one of a name. Returns how many there were. */
int add_processes(struct scan *scan, const char *name)
{
    DIR *list = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    if (list == NULL)
        err(STATUS_FAILED, "/proc");
    while ((entry = readdir(list)) != NULL) {
        int pid = (int)strtol(entry->d_name, NULL, 10);
        char path[sizeof(entry->d_name) + 8];
        char comm[COMM + 2];

        if (pid <= 0)
            continue;
        snprintf(path, sizeof(path), "%s/comm", entry->d_name);
        if (name != NULL && (!read_name(dirfd(list), path, comm) ||
                             strncmp(comm, name, COMM) != 0))
            continue;
        add_process(scan, pid);
        count++;
    }
    closedir(list);
    if (count == 0 && name == NULL)
        errx(STATUS_FAILED, "/proc has no processes: it is not mounted");
    return count;
}

/* The process of a number, which may be that of one of its threads; 0 for none.
 */
static int process_of(const char *number)
{
    char path[64];
    char *text;
    int process;

    snprintf(path, sizeof(path), "/proc/%.20s/status", number);
    text = read_below(AT_FDCWD, path);
    process = text == NULL ? 0 : find_number(text, "\nTgid:");
    free(text);
    return process;
}

void add_operand(struct scan *scan, const char *operand)
{
    bool number = operand[strspn(operand, "0123456789")] == '\0';
    char *end;
    long pid = strtol(operand, &end, 10);
    char printable[PRINTABLE];
    int process;

    if (*operand == '\0' || (number && (pid < 1 || pid > INT_MAX))) {
        warnx("'%s' is not the number of a process",
              make_printable(printable, operand));
        worsen(scan, STATUS_FAILED);
    } else if (number) {
        process = process_of(operand);
        add_process(scan, process > 0 ? process : (int)pid);
    } else if (add_processes(scan, operand) == 0) {
        warnx("%s: no process has this name",
              make_printable(printable, operand));
        worsen(scan, PROCESS_GONE);
    }
}
