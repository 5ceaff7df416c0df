/*
 * descriptors.c - the sockets of one process
 * SPDX-License-Identifier: MIT
 *
 * pidfd_getfd(2) gives a descriptor for the socket itself, whatever program
 * and network namespace it is in. Each is fetched, read, set if that is wanted,
 * and closed at once: held longer, it would keep open a connection that the
 * process closes meanwhile. Nothing else of the process is touched.
 */
#include "sockets/descriptors.h"

#include "exit_status.h"
#include "proc.h"
#include "sockets/socket.h"
#include "sockets/traffic.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    ONE_THREAD = O_EXCL, /* PIDFD_THREAD, Linux 6.9 */
    KCMP_FILES = 2,      /* <linux/kcmp.h> */
    CAP_SYS_PTRACE = 19, /* <linux/capability.h> */
    LOOKS = 20,          /* at descriptors that move */
    QUIET = 5,           /* looks without a move, where there are copies */
    OPENED = 4,          /* in this look, what is new was opened meanwhile */
    TABLES = 64,         /* of descriptors that are recognized */
};

/* A process while it is looked at. */
struct look {
    struct socket_table *table;
    struct socket_row model; /* of its sockets */
    int pidfd;
    DIR *tasks;       /* the directory of its threads */
    int error;        /* why it cannot be looked at, or 0 */
    bool again;       /* a thread was not found as it was */
    bool ended;       /* a thread did, before it was looked at */
    bool moving;      /* descriptors did not hold still */
    int seen[TABLES]; /* a thread of each table of descriptors */
    int seen_count;
    bool moved;   /* a socket did, in this look */
    bool opened;  /* something was new; it was opened meanwhile, or moved */
    bool copied;  /* a socket was on more than one descriptor */
    ino_t *links; /* of sockets, to be fetched in the next look */
    size_t link_count;
    size_t noted; /* of these */
    size_t left;  /* of those of the look before, not yet seen again */
};

bool has_ended(int pidfd)
{
    struct pollfd end = {pidfd, POLLIN, 0};

    return poll(&end, 1, 0) == 1;
}

void note_gone(struct socket_table *table, int pid)
{
    if (table->request->all)
        return;
    warnx("%d: the process has ended", pid);
    worsen(table, PROCESS_GONE);
}

const char *explain_reach(int error)
{
    if (error == ENOSYS)
        return "this needs Linux 5.6, built with kcmp(2)";
    if (error == EINVAL)
        return "to see the sockets of a thread with its own descriptors you "
               "need Linux 6.9";
    if (error == EMFILE || error == ENFILE)
        return "see ulimit -n";
    if (error != EPERM && error != EACCES)
        return "its sockets cannot be looked at";
    if (geteuid() != 0)
        return "this needs root, or the same user and permission to ptrace "
               "(kernel.yama.ptrace_scope)";
    return has_capability(CAP_SYS_PTRACE)
               ? "a security module or a user namespace is in the way"
               : "this needs the capability CAP_SYS_PTRACE, with Docker "
                 "--cap-add=SYS_PTRACE";
}

void note_forbidden(struct socket_table *table, int pid, int error)
{
    worsen(table, PROCESS_FORBIDDEN);
    if (table->request->all &&
        (error == EPERM || error == EACCES || error == ENOSYS)) {
        table->out_of_reach++;
        table->reach_error = error;
    } else {
        warnx("%d: %s; %s", pid, strerror(error), explain_reach(error));
    }
}

bool read_name(int directory, const char *file, char name[COMM + 2])
{
    char *text = read_below(directory, file);
    size_t length = text == NULL ? 0 : strlen(text);

    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    snprintf(name, COMM + 2, "%s", text == NULL ? "" : text);
    free(text);
    return length > 0;
}

/* The inode in a link of /proc/PID/fd if it names a socket, else 0. */
static ino_t read_link(struct look *look, int directory, const char *name)
{
    char target[64];
    ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

    if (length < 0 && errno == ENOENT)
        look->opened = true; /* and closed */
    else if (length < 0)
        look->error = errno;
    target[length < 0 ? 0 : length] = '\0';
    return strncmp(target, "socket:[", 8) == 0
               ? (ino_t)strtoul(target + 8, NULL, 10)
               : 0;
}

/* Counts the process for a socket that is in the table already. One that was on
 * another descriptor before is a copy, or has moved. */
static bool is_known(struct look *look, ino_t inode, int fd)
{
    struct socket_row *row = find_row(look->table, inode);
    int pid = look->model.pid;

    if (row == NULL)
        return false;
    look->copied |= row->last_pid == pid && row->last_fd != fd;
    row->others += row->last_pid != pid;
    row->last_pid = pid;
    row->last_fd = fd;
    return true;
}

/* Fetches a socket whose link was read in the look before. */
static void fetch(struct look *look, int pidfd, int fd, ino_t link)
{
    struct socket_row row = look->model;
    int socket = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    struct stat status = {0};

    if (socket < 0 && errno != EBADF) {
        look->error = errno;
        return;
    }
    if (socket < 0 || fstat(socket, &status) < 0 || status.st_ino != link)
        look->moved = true;
    /* One of O_PATH stands for the inode alone, and has no options. */
    if (S_ISSOCK(status.st_mode) && (fcntl(socket, F_GETFL) & O_PATH) == 0 &&
        !is_known(look, status.st_ino, fd)) {
        row.fd = row.last_fd = fd;
        row.inode = status.st_ino;
        add_socket(look->table, &row, socket);
    }
    if (socket >= 0)
        close(socket);
}

/* Notes the link of a descriptor, for the next look. */
static void note_link(struct look *look, size_t fd, ino_t inode)
{
    if (fd >= look->link_count) {
        size_t count = fd < 32 ? 64 : 2 * fd;

        look->links = realloc(look->links, count * sizeof(*look->links));
        if (look->links == NULL)
            err(STATUS_FAILED, NULL);
        for (size_t i = look->link_count; i < count; i++)
            look->links[i] = 0;
        look->link_count = count;
    }
    look->links[fd] = inode;
    look->noted++;
    look->opened = true;
}

/* Looks at a descriptor: fetches a socket that was noted, or reads its link. */
static void look_at_descriptor(struct look *look, int pidfd, int directory,
                               const char *name)
{
    int fd = (int)strtol(name, NULL, 10);
    ino_t inode = (size_t)fd < look->link_count ? look->links[fd] : 0;

    if (inode != 0) {
        look->links[fd] = 0;
        look->left--;
        if (find_row(look->table, inode) == NULL) {
            fetch(look, pidfd, fd, inode);
            return;
        }
    }
    inode = read_link(look, directory, name);
    if (inode != 0 && !is_known(look, inode, fd))
        note_link(look, (size_t)fd, inode);
}

/*
 * Looks at the descriptors that a directory of /proc lists. They may move
 * meanwhile, a socket from one that is still to be looked at to one that was.
 * So a first look only reads their links, the next fetches the sockets and
 * reads the links of the others again, and so on until nothing moved and what
 * is new was opened later.
 */
static void look_at_table(struct look *look, int pidfd, DIR *list)
{
    const struct dirent *entry;
    int quiet = 0;

    look->copied = look->moved = false;
    look->noted = 0;
    for (int i = 0;
         i < LOOKS && look->error == 0 && quiet < (look->copied ? QUIET : 1);
         i++) {
        bool moved_before = look->moved || i < OPENED;

        look->moved = look->opened = false;
        look->left = look->noted;
        look->noted = 0;
        rewinddir(list);
        while (look->error == 0 && (entry = readdir(list)) != NULL)
            if (entry->d_name[0] != '.')
                look_at_descriptor(look, pidfd, dirfd(list), entry->d_name);
        look->moved |= look->left > 0;
        quiet = i == 0 || look->moved || (look->opened && moved_before)
                    ? 0
                    : quiet + 1;
    }
    look->moving |= quiet == 0 && look->error == 0;
    for (size_t i = 0; i < look->link_count; i++)
        look->links[i] = 0;
}

/* A kernel thread, or one that has ended, has no memory and no descriptors. */
static bool has_memory(int tasks, int thread)
{
    char path[32];
    char *text;
    bool has;

    snprintf(path, sizeof(path), "%d/status", thread);
    text = read_below(tasks, path);
    has = text != NULL && strstr(text, "\nVmSize:") != NULL;
    free(text);
    return has;
}

/* Looks at the descriptors of one thread. */
static void look_at_thread(struct look *look, int thread)
{
    bool main = thread == look->model.pid;
    int pidfd =
        main ? look->pidfd : (int)syscall(SYS_pidfd_open, thread, ONE_THREAD);
    char path[32];
    int descriptors = -1;
    DIR *list = NULL;

    snprintf(path, sizeof(path), "%d/fd", thread);
    if (pidfd >= 0)
        descriptors = open_below(dirfd(look->tasks), path, O_DIRECTORY);
    if (descriptors >= 0)
        list = fdopendir(descriptors);
    if (list != NULL)
        look_at_table(look, pidfd, list);
    else if (errno != EACCES || has_memory(dirfd(look->tasks), thread))
        look->error = errno;
    if (look->error == ESRCH || look->error == ENOENT) {
        look->error = 0; /* only this thread need have ended */
        look->again = true;
    }
    if (list != NULL)
        closedir(list);
    else if (descriptors >= 0)
        close(descriptors);
    if (!main && pidfd >= 0)
        close(pidfd);
}

/* Does this thread have descriptors that were not looked at? */
static bool has_new_table(struct look *look, int thread)
{
    for (int i = 0; i < look->seen_count; i++) {
        long order = syscall(SYS_kcmp, look->seen[i], thread, KCMP_FILES, 0, 0);

        if (order == 0)
            return false;
        if (order > 0)
            continue;
        if (errno != ESRCH) {
            look->error = errno;
            return false;
        }
        if (syscall(SYS_kcmp, thread, thread, KCMP_FILES, 0, 0) < 0) {
            look->ended = true;
            return false;
        }
        /* The one that was seen has ended; others may share its table. */
        look->seen[i--] = look->seen[--look->seen_count];
    }
    if (look->seen_count < TABLES)
        look->seen[look->seen_count++] = thread;
    return true;
}

/* Looks at the threads, at each table of descriptors once. A socket may move
 * between the tables, so where there are several it looks again. The kernel may
 * leave a thread out of the list when another ends, so then the list is read
 * again. */
static void look_at_threads(struct look *look)
{
    size_t count = look->table->count;
    struct dirent *entry;

    look->again = false;
    look->moving = false;
    look->seen_count = 0;
    look->ended = true;
    for (int i = 0; i < LOOKS && look->ended; i++) {
        look->ended = false;
        rewinddir(look->tasks);
        while (look->error == 0 && (entry = readdir(look->tasks)) != NULL) {
            int thread = (int)strtol(entry->d_name, NULL, 10);

            if (thread > 0 && has_new_table(look, thread))
                look_at_thread(look, thread);
        }
    }
    if (look->seen_count > 1 && look->table->count > count)
        look->again = true;
}

/* Looks until nothing moves any more. */
static void look_at_process(struct look *look, int directory)
{
    int tasks = open_below(directory, "task", O_DIRECTORY);

    look->tasks = tasks < 0 ? NULL : fdopendir(tasks);
    look->again = look->tasks != NULL;
    if (look->tasks == NULL)
        look->error = errno;
    read_name(directory, "comm", look->model.name);
    for (int i = 0; i < LOOKS && look->again && look->error == 0; i++)
        look_at_threads(look);
    if (look->tasks != NULL)
        closedir(look->tasks);
    else if (tasks >= 0)
        close(tasks);
    free(look->links);
}

void add_sockets(struct socket_table *table, int pid, int pidfd, int directory)
{
    struct look look = {
        .table = table,
        .model = {.pid = pid, .last_pid = pid, .next = NO_VALUE},
        .pidfd = pidfd,
    };
    bool joined = join_groups(directory);

    if (joined)
        look_at_process(&look, directory);
    if (has_ended(pidfd)) {
        note_gone(table, pid);
        return;
    }
    if (look.error != 0) {
        note_forbidden(table, pid, look.error);
        return;
    }
    if (joined && !look.moving && !look.again)
        return;
    worsen(table, PROCESS_FORBIDDEN);
    if (joined)
        warnx("%d: its descriptors keep changing; a socket may be left out",
              pid);
    else
        warnx("%d: left out, as looking would take the class of its traffic "
              "away (net_cls, net_prio) and its group cannot be joined",
              pid);
}
