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

#include "proc.h"
#include "sockets/socket.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* younger than the headers of some systems */
#endif
enum {
    ONE_THREAD = O_EXCL, /* PIDFD_THREAD, Linux 6.9 */
    KCMP_FILES = 2,      /* <linux/kcmp.h> */
    LOOKS = 20,          /* at descriptors that move */
    QUIET = 5,           /* looks without a move, where there are copies */
    HIDDEN = 300,        /* descriptors and threads to see, where one hides */
    OPENED = 4,          /* in this look, what is new was opened meanwhile */
    TABLES = 64,         /* of descriptors that are recognized */
};

/* Where a socket was seen that has no row yet. */
struct place {
    int thread;
    int fd;
    ino_t inode;
};

/* The directory of a thread's descriptors, and a part of what it lists: small,
 * as a look needs no more than the gaps between its places. */
struct listing {
    int directory;
    size_t next; /* entry of the buffer */
    size_t end;
    union {
        struct dirent entry;
        char bytes[1024];
    } buffer;
};

/* A process while it is looked at. */
struct look {
    struct socket_table *table;
    struct socket_row model; /* of its sockets */
    int pidfd;
    DIR *tasks;          /* the directory of its threads */
    int error;           /* why it cannot be looked at, or 0 */
    int threads[TABLES]; /* one with each table of descriptors */
    int known;           /* of these */
    int thread;          /* that is looked at */
    struct place *places;
    size_t count;
    size_t begin; /* of those of the look before, to be seen again */
    size_t next;  /* of the thread that is looked at */
    size_t end;   /* behind the last of them */
    size_t again; /* that many were seen again */
    bool moved;   /* something was not as it was in the look before */
    bool opened;  /* something is new, it was opened meanwhile or moved */
    bool copied;  /* a socket was on more than one descriptor */
    bool hidden;  /* more descriptors were open than were seen */
    size_t seen;  /* descriptors and threads, in all looks */
};

/* Has the process of a pidfd ended? */
static bool has_ended(int pidfd)
{
    struct pollfd end = {pidfd, POLLIN, 0};

    return poll(&end, 1, 0) == 1;
}

/* Notes that a process has ended; with --all that is not worth a message. */
static void note_gone(struct socket_table *table, int pid, const char *words)
{
    if (table->request->given['a'] != NULL)
        return;
    complain("%d: %s", pid, words);
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

/* Notes that a process is out of reach, and why, by an error of the kernel. */
static void note_forbidden(struct socket_table *table, int pid, int error)
{
    worsen(table, PROCESS_FORBIDDEN);
    if (table->request->given['a'] != NULL &&
        (error == EPERM || error == EACCES || error == ENOSYS)) {
        table->out_of_reach++;
        table->reach_error = error;
    } else {
        complain("%d: %s; %s", pid, strerror(error), explain_reach(error));
    }
}

bool read_name(int directory, int pid, char name[COMM + 2])
{
    char *text = read_below(directory, "%d/comm", pid);
    size_t length = text == NULL ? 0 : strlen(text);

    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    snprintf(name, COMM + 2, "%s", text == NULL ? "" : text);
    free(text);
    return length > 0;
}

/* The inode in a link of /proc/PID/fd if it names a socket, else 0. */
static ino_t read_link(struct look *look, int directory, int fd)
{
    char name[sizeof("2147483647")];
    char target[64];
    ssize_t length;

    write_number(name, fd);
    length = readlinkat(directory, name, target, sizeof(target) - 1);
    if (length >= 0)
        look->seen++;
    else if (errno == ENOENT)
        look->opened = true; /* and closed */
    else
        look->error = errno;
    target[length < 0 ? 0 : length] = '\0';
    return strncmp(target, "socket:[", 8) == 0
               ? (ino_t)strtoul(target + 8, NULL, 10)
               : 0;
}

/* Fetches a socket and makes it a row, if it has none. Returns its inode, which
 * need not be that of the look before; 0: there is no socket any more. */
static ino_t fetch(struct look *look, int pidfd, int fd)
{
    struct socket_row row = look->model;
    int socket = fetch_socket(pidfd, fd, &row.inode);

    if (socket < 0 && errno != EBADF)
        look->error = errno;
    if (row.inode != 0 && find_row(look->table, row.inode) == NULL) {
        row.fd = row.last_fd = fd;
        add_socket(look->table, &row, socket);
    }
    if (socket >= 0)
        close(socket);
    look->seen += socket >= 0;
    find_timers(look->table, pidfd, false);
    return row.inode;
}

/* Is the next place one of this thread? */
static bool is_place(const struct look *look, int thread)
{
    return look->next < look->end && look->places[look->next].thread == thread;
}

/*
 * The next descriptor of the thread, from a number on; -1: there is none. One
 * that is to be fetched need not be listed. The offset of each in the directory
 * is its number plus two: proc_readfd_common() in the kernel's fs/proc/fd.c.
 */
static int find_descriptor(struct look *look, struct listing *list, int from)
{
    long size = 0;

    if (is_place(look, look->thread) && look->places[look->next].fd == from)
        return from;
    do {
        while (list->next < list->end) {
            const struct dirent *entry =
                (const void *)&list->buffer.bytes[list->next];
            int fd = (int)strtol(entry->d_name, NULL, 10);

            if (fd >= from)
                return fd;
            list->next += entry->d_reclen;
        }
        if (size == 0)
            lseek(list->directory, from + 2L, SEEK_SET);
        size = syscall(SYS_getdents64, list->directory, &list->buffer,
                       sizeof(list->buffer));
        list->next = 0;
        list->end = size > 0 ? (size_t)size : 0;
    } while (size > 0);
    if (size < 0)
        look->error = errno;
    return -1;
}

/* Looks at a descriptor: fetches a socket that the look before saw here without
 * a row, or reads its link. A socket that has a row counts for this process,
 * too; one that was on another descriptor before is a copy, or moved. */
static void look_at_descriptor(struct look *look, int pidfd, int directory,
                               int fd)
{
    int pid = look->model.pid;
    struct place place = {look->thread, fd, 0};
    struct place *places = look->places;
    struct socket_row *row;
    ino_t seen = 0;

    while (is_place(look, place.thread) && places[look->next].fd < fd)
        look->next++;
    if (is_place(look, place.thread) && places[look->next].fd == fd) {
        seen = places[look->next++].inode;
        look->again++;
    }
    place.inode = seen != 0 && find_row(look->table, seen) == NULL
                      ? fetch(look, pidfd, fd)
                      : read_link(look, directory, fd);
    look->moved |= seen != 0 && place.inode != seen;
    row = find_row(look->table, place.inode);
    if (row != NULL) {
        look->copied |= row->last_pid == pid && row->last_fd != fd;
        row->others += row->last_pid != pid;
        row->last_pid = pid;
        row->last_fd = fd;
    } else if (place.inode != 0 && place.inode != seen) {
        look->places = make_room(places, look->count, sizeof(place));
        look->places[look->count++] = place;
        look->opened = true;
    }
}

/* A kernel thread, or one that has ended, has no memory and no descriptors. */
static bool has_memory(int thread)
{
    char *text = read_below(AT_FDCWD, "/proc/%d/status", thread);
    bool has = text != NULL && strstr(text, "\nVmSize:") != NULL;

    free(text);
    return has;
}

/* How many descriptors are open, by their directory: 0 before Linux 6.2. */
static size_t count_open(int directory)
{
    struct stat status;

    return fstat(directory, &status) == 0 ? (size_t)status.st_size : 0;
}

/* Looks at the descriptors of one thread, in the order of their numbers. */
static void look_at_thread(struct look *look, int thread)
{
    bool main = thread == look->model.pid;
    int pidfd =
        main ? look->pidfd : (int)syscall(SYS_pidfd_open, thread, ONE_THREAD);
    char path[sizeof("/proc/2147483647/task/2147483647/fd")];
    struct listing list = {.next = 0};
    size_t before;
    size_t seen = look->seen;
    int fd = 0;

    /* Its places stand together. Threads are listed as they began, not by their
     * numbers: those start over at pid_max. */
    look->thread = thread;
    look->next = look->begin;
    while (look->next < look->end && !is_place(look, thread))
        look->next++;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", look->model.pid,
             thread);
    list.directory =
        pidfd < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list.directory < 0 && (errno != EACCES || has_memory(thread)))
        look->error = errno;
    before = count_open(list.directory);
    while (list.directory >= 0 && look->error == 0 &&
           (fd = find_descriptor(look, &list, fd)) >= 0)
        look_at_descriptor(look, pidfd, list.directory, fd++);
    seen = look->seen - seen;
    look->hidden |= seen < before && seen < count_open(list.directory);
    find_timers(look->table, pidfd, true);
    /* Only this thread need have ended. */
    if (look->error == ESRCH || look->error == ENOENT ||
        (look->error == EACCES && !has_memory(thread))) {
        look->error = 0;
        look->moved = true;
    }
    if (list.directory >= 0)
        close(list.directory);
    if (!main && pidfd >= 0)
        close(pidfd);
}

/* Does this thread have descriptors that were not looked at? */
static bool has_new_table(struct look *look, int thread)
{
    for (int i = 0; i < look->known; i++) {
        long order =
            syscall(SYS_kcmp, look->threads[i], thread, KCMP_FILES, 0, 0);

        if (order == 0)
            return false;
        if (order > 0)
            continue;
        if (errno != ESRCH) {
            look->error = errno;
            return false;
        }
        if (syscall(SYS_kcmp, thread, thread, KCMP_FILES, 0, 0) < 0) {
            look->moved = true;
            return false;
        }
        /* The one that was seen has ended; others may share its table. */
        look->threads[i--] = look->threads[--look->known];
    }
    if (look->known < TABLES)
        look->threads[look->known++] = thread;
    return true;
}

/*
 * Looks at the process until nothing moves any more. Descriptors may move
 * meanwhile, a socket from one that is still to be looked at to one that was,
 * also between the tables of threads. So a first look only reads their links,
 * the next fetches the sockets and reads the links of the others again, and so
 * on until nothing moved and what is new was opened later. False if there is no
 * such look. Where other threads cannot be looked at, the sockets of the main
 * thread are still fetched.
 *
 * Where more descriptors are open than are seen, one may be moved on without a
 * pause, and some more looks may find it. Or a call that blocks, as accept(2)
 * does, has taken the number that it will return: they find nothing.
 */
static bool look_at_process(struct look *look)
{
    int quiet = 0;
    bool settled = false;
    const struct dirent *entry;

    read_name(dirfd(look->tasks), look->model.pid, look->model.name);
    for (int i = 0; i < LOOKS && (look->error == 0 || i < 2) &&
                    (!settled || (look->hidden && look->seen < HIDDEN));
         i++) {
        bool moved = look->moved;

        look->error = 0;
        look->moved = look->opened = false;
        look->begin = look->end;
        look->end = look->count;
        look->again = 0;
        look->known = 0;
        rewinddir(look->tasks);
        while (errno = 0,
               look->error == 0 && (entry = readdir(look->tasks)) != NULL) {
            int thread = (int)strtol(entry->d_name, NULL, 10);

            look->seen++;
            if (thread > 0 && has_new_table(look, thread))
                look_at_thread(look, thread);
        }
        if (look->error == 0)
            look->error = errno;
        look->moved |= look->again < look->end - look->begin;
        look->opened &= moved || i < OPENED;
        quiet = i > 0 && !look->moved && !look->opened ? quiet + 1 : 0;
        settled |= quiet >= (look->copied ? QUIET : 1);
    }
    return settled;
}

void add_process(struct socket_table *table, int pid)
{
    struct look look = {
        .table = table,
        .model = {.pid = pid, .last_pid = pid, .next = NO_VALUE},
        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
    };
    char path[sizeof("/proc/2147483647/task")];
    const char *reason = NULL;

    if (look.pidfd < 0 && errno == ESRCH) {
        note_gone(table, pid, strerror(errno));
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    look.tasks = look.pidfd < 0 ? NULL : opendir(path);
    /* A process that is there now was there all the time, so the directory is
     * its own and not that of another that got its number. */
    if (look.tasks == NULL)
        look.error = errno == ENOENT ? EACCES : errno; /* it may be hidden */
    else if (has_ended(look.pidfd))
        look.error = ESRCH;
    else if (!join_groups(dirfd(look.tasks)))
        reason = "left out, as looking would take the class of its traffic "
                 "away (net_cls, net_prio) and its group cannot be joined";
    else if (!look_at_process(&look))
        reason = "its descriptors keep changing; a socket may be left out";
    if (look.pidfd >= 0 && has_ended(look.pidfd)) {
        note_gone(table, pid, "the process has ended");
    } else if (look.error != 0) {
        note_forbidden(table, pid, look.error);
    } else if (reason != NULL) {
        worsen(table, PROCESS_FORBIDDEN);
        complain("%d: %s", pid, reason);
    }
    if (look.tasks != NULL)
        closedir(look.tasks);
    if (look.pidfd >= 0)
        close(look.pidfd);
    free(look.places);
}
