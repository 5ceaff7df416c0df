/*
 * sockets.c - finds, reads and sets the TCP sockets of running processes
 * SPDX-License-Identifier: MIT
 *
 * pidfd_getfd(2) gives a descriptor for the socket itself, whatever program
 * and network namespace it is in. Each is fetched, read, set if that is wanted,
 * and closed at once: held longer, it would keep open a connection that the
 * process closes meanwhile. Nothing else of the process is touched.
 */
#include "command.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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
    ONE_THREAD = O_EXCL,        /* PIDFD_THREAD, Linux 6.9 */
    KCMP_FILES = 2,             /* <linux/kcmp.h> */
    NETWORK_OF_SOCKET = 0x894c, /* SIOCGSKNS */
    NETWORK_COOKIE = 71,        /* SO_NETNS_COOKIE, Linux 5.14 */
    KERNEL_THREAD = 0x200000, /* PF_KTHREAD in the flags of proc_pid_stat(5) */
    LISTEN = 10,              /* the kernel's include/net/tcp_states.h */
    CLOSED = 7,
};

/* A network namespace, and the keepalive timers that run in it. */
struct network {
    uint64_t cookie; /* 0: the kernel does not tell */
    int fd;          /* the namespace, or -1: only by the process */
    int pid;         /* a process in it */
    bool busy;       /* a socket there can have a timer */
};

struct scan {
    const struct socket_request *request;
    struct socket_table *table;
    size_t *slots; /* of rows by inode, plus one; 0: empty */
    size_t slot_count;
    struct network *networks;
    size_t network_count;
    int *pids; /* visited, without --all */
    size_t pid_count;
    int out_of_reach; /* processes, with --all */
    int status;
    bool kcmp_missing;
    int kcmp_refused; /* the process of which that was said last */
};

/* Opens a directory or file below one of /proc. */
static int open_below(int directory, const char *name, int flags)
{
    return openat(directory, name, O_RDONLY | O_CLOEXEC | flags);
}

/* Reads a small file below one of /proc. False if that fails. */
static bool read_below(int directory, const char *name, char *text, size_t size)
{
    int fd = open_below(directory, name, 0);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length >= 0;
}

/* Reads the name of a process, which may hold newlines, but for the last. */
static bool read_name(int directory, const char *file, char name[COMM + 2])
{
    size_t length;

    if (!read_below(directory, file, name, COMM + 2))
        return false;
    length = strlen(name);
    if (length > 0 && name[length - 1] == '\n')
        name[length - 1] = '\0';
    return true;
}

/* The number behind a label in such a file; 0 if it is not there. */
static int find_number(const char *text, const char *label)
{
    const char *line = strstr(text, label);

    return line == NULL ? 0 : (int)strtol(line + strlen(label), NULL, 10);
}

static void worsen(struct scan *scan, int status)
{
    if (scan->status < status)
        scan->status = status;
}

static size_t find_slot(const struct scan *scan, ino_t inode)
{
    size_t slot =
        (size_t)(inode * 0x9e3779b97f4a7c15u) & (scan->slot_count - 1);

    while (scan->slots[slot] != 0 &&
           scan->table->rows[scan->slots[slot] - 1].inode != inode)
        slot = (slot + 1) & (scan->slot_count - 1);
    return slot;
}

static struct socket_row *find_row(const struct scan *scan, ino_t inode)
{
    size_t slot = scan->slot_count == 0 ? 0 : find_slot(scan, inode);

    return scan->slot_count == 0 || scan->slots[slot] == 0
               ? NULL
               : &scan->table->rows[scan->slots[slot] - 1];
}

/* Makes the table fit one more row, and keeps half of the slots empty. */
static bool make_room(struct scan *scan)
{
    struct socket_table *table = scan->table;
    size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
    struct socket_row *rows;
    size_t *slots;

    if (table->count < table->capacity)
        return true;
    rows = realloc(table->rows, capacity * sizeof(*rows));
    if (rows == NULL)
        return false;
    table->rows = rows;
    table->capacity = capacity;
    slots = calloc(2 * capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(scan->slots);
    scan->slots = slots;
    scan->slot_count = 2 * capacity;
    for (size_t i = 0; i < table->count; i++)
        scan->slots[find_slot(scan, rows[i].inode)] = i + 1;
    return true;
}

static void add_row(struct scan *scan, const struct socket_row *row)
{
    struct socket_table *table = scan->table;

    if (!make_room(scan))
        err(STATUS_FAILED, NULL);
    table->rows[table->count++] = *row;
    scan->slots[find_slot(scan, row->inode)] = table->count;
}

static int value_of(int fd, int level, int option)
{
    int value;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, option, &value, &size) == 0 ? value : UNKNOWN;
}

void read_values(int fd, int values[KEEPALIVE_OPTIONS])
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        values[i] = value_of(fd, keepalive_options[i].level,
                             keepalive_options[i].option);
}

/* What tells the network namespace of a socket; 0 if the kernel does not. */
static uint64_t cookie_of(int socket)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    return getsockopt(socket, SOL_SOCKET, NETWORK_COOKIE, &cookie, &size) < 0
               ? 0
               : cookie;
}

/* Is the socket certainly of the network namespace of this process? */
static bool is_of_our_network(int fd)
{
    static uint64_t ours;

    if (ours == 0) {
        int own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ours = cookie_of(own);
        close(own);
    }
    return ours != 0 && cookie_of(fd) == ours;
}

typedef int name_call(int fd, struct sockaddr *address, socklen_t *size);

/* Writes the address that getsockname(2) or getpeername(2) gives, or "".
 * Returns its family, and whether it is a loopback address. */
static int read_address(int fd, name_call *name, char text[ADDRESS],
                        bool *loopback)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN];

    text[0] = '\0';
    *loopback = false;
    if (name(fd, (struct sockaddr *)&address, &size) < 0)
        return AF_UNSPEC;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *inet = (const struct sockaddr_in *)&address;

        *loopback = ntohl(inet->sin_addr.s_addr) >> 24 == 127;
        inet_ntop(AF_INET, &inet->sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "%s:%d", host, ntohs(inet->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *inet6 =
            (const struct sockaddr_in6 *)&address;
        char scope[IF_NAMESIZE + 1] = "";

        *loopback = IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr) ||
                    (IN6_IS_ADDR_V4MAPPED(&inet6->sin6_addr) &&
                     inet6->sin6_addr.s6_addr[12] == 127);
        inet_ntop(AF_INET6, &inet6->sin6_addr, host, sizeof(host));
        /* The name of an interface of another network is not known here. */
        if (inet6->sin6_scope_id != 0 &&
            (!is_of_our_network(fd) ||
             if_indextoname(inet6->sin6_scope_id, scope + 1) == NULL))
            snprintf(scope + 1, IF_NAMESIZE, "%u", inet6->sin6_scope_id);
        if (inet6->sin6_scope_id != 0)
            scope[0] = '%';
        snprintf(text, ADDRESS, "[%s%s]:%d", host, scope,
                 ntohs(inet6->sin6_port));
    }
    return address.ss_family;
}

static unsigned char state_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        info.tcpi_state >= SOCKET_STATES)
        return 0;
    return info.tcpi_state;
}

int option_row(const struct keepalive_value *value)
{
    int row = 0;

    while (keepalive_options[row].level != value->level ||
           keepalive_options[row].option != value->option)
        row++;
    return row;
}

/* Was a value wanted that the socket does not have now? */
static bool is_refused(const struct socket_row *row,
                       const struct keepalive *wanted)
{
    for (int i = 0; i < wanted->count; i++)
        if (row->after[option_row(&wanted->values[i])] !=
            wanted->values[i].value)
            return true;
    return false;
}

/* Sets what is wanted, or with --dry-run only says so. */
static void set_values(struct scan *scan, struct socket_row *row, int socket)
{
    const struct keepalive *wanted = &scan->request->wanted;

    memcpy(row->after, row->before, sizeof(row->after));
    if (wanted->count == 0)
        return;
    if (scan->request->dry_run) {
        for (int i = 0; i < wanted->count; i++) {
            int value = option_row(&wanted->values[i]);

            if (row->before[value] != UNKNOWN)
                row->after[value] = wanted->values[i].value;
        }
    } else {
        keepalive_apply(wanted, socket);
        read_values(socket, row->after);
    }
    if (is_refused(row, wanted))
        worsen(scan, PROCESS_REFUSED);
}

/* Finds the network namespace of a socket, which need not be the process's. */
static size_t find_network(struct scan *scan, int socket, int pid)
{
    struct network network = {cookie_of(socket), -1, pid, false};
    struct network *list;

    for (size_t i = 0; i < scan->network_count; i++)
        if (network.cookie != 0 ? scan->networks[i].cookie == network.cookie
                                : scan->networks[i].pid == pid)
            return i;
    network.fd = ioctl(socket, NETWORK_OF_SOCKET);
    list = realloc(scan->networks,
                   (scan->network_count + 1) * sizeof(*scan->networks));
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    scan->networks = list;
    scan->networks[scan->network_count] = network;
    return scan->network_count++;
}

static bool is_wanted(const struct scan *scan, const struct socket_row *row)
{
    return !scan->request->missing ||
           (row->connection && row->before[KEEPALIVE_SWITCH] == 0);
}

/* Reads a socket, sets it, and makes it a row. One that is no TCP socket or is
 * not asked for is remembered, so that it is not fetched again. */
static void visit(struct scan *scan, struct socket_row *row, int socket)
{
    int protocol = value_of(socket, SOL_SOCKET, SO_PROTOCOL);
    bool near = false;
    bool far = false;
    int family = AF_UNSPEC;

    if ((protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) &&
        value_of(socket, SOL_SOCKET, SO_TYPE) == SOCK_STREAM)
        family = read_address(socket, getsockname, row->local, &near);
    if (family == AF_INET || family == AF_INET6) {
        row->state = state_of(socket);
        row->remote[0] = '\0';
        if (row->state != LISTEN && row->state != CLOSED)
            read_address(socket, getpeername, row->remote, &far);
        read_values(socket, row->before);
        memcpy(row->after, row->before, sizeof(row->after));
        row->connection = row->remote[0] != '\0' && !(near && far);
        scan->table->connections += row->connection;
        scan->table->missing +=
            row->connection && row->before[KEEPALIVE_SWITCH] == 0;
        row->shown = is_wanted(scan, row);
        if (row->shown)
            set_values(scan, row, socket);
        if (row->shown && row->after[KEEPALIVE_SWITCH] == 1 &&
            row->remote[0] != '\0') {
            row->network = find_network(scan, socket, row->pid);
            scan->networks[row->network].busy = true;
            row->timed = true;
        }
        scan->table->shown += row->shown;
    }
    add_row(scan, row);
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

/* CAP_SYS_PTRACE, see capabilities(7) */
static bool may_trace(void)
{
    char text[4096];
    const char *line;

    return read_below(AT_FDCWD, "/proc/self/status", text, sizeof(text)) &&
           (line = strstr(text, "\nCapEff:")) != NULL &&
           (strtoull(line + 8, NULL, 16) >> 19 & 1) != 0;
}

/* Why a process is out of reach, for an error of the kernel. */
static const char *explain_reach(int error)
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
    return may_trace() ? "a security module or a user namespace is in the way"
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
            visit(scan, &row, socket);
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
    char text[512];
    int number;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", process);
    if (!read_below(AT_FDCWD, path, text, sizeof(text)))
        return false;
    number = find_number(text, "\nPid:");
    return number == 0 || number == pid;
}

/*
 * The groups of cgroup v1 by which traffic is classed: a socket that is fetched
 * gets the class of the one who fetches it, see pidfd_getfd(2). So the
 * process's groups are joined before.
 */
struct traffic_group {
    char controllers[64];
    char path[PATH_MAX];
};

/* The lines of net_cls and net_prio. Returns their number, at most two. */
static int read_groups(int directory, const char *name,
                       struct traffic_group groups[2])
{
    int fd = open_below(directory, name, 0);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[PATH_MAX + 128];
    int count = 0;

    while (file != NULL && count < 2 &&
           fgets(line, sizeof(line), file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');

        if (path == NULL || (strstr(controllers, "net_cls") == NULL &&
                             strstr(controllers, "net_prio") == NULL))
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        snprintf(groups[count].controllers, sizeof(groups->controllers), "%s",
                 controllers + 1);
        snprintf(groups[count].path, sizeof(groups->path), "%s", path);
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* Joins a group of this hierarchy. False if it cannot be found or joined. */
static bool join_group(const struct traffic_group *group)
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[PATH_MAX];
    char path[2 * PATH_MAX];
    bool done = false;

    while (mounts != NULL && !done &&
           fgets(line, sizeof(line), mounts) != NULL) {
        char *rest = line;
        const char *place;
        const char *type;
        const char *options;
        int fd;

        strtok_r(line, " ", &rest);
        place = strtok_r(NULL, " ", &rest);
        type = strtok_r(NULL, " ", &rest);
        options = strtok_r(NULL, " ", &rest);
        if (place == NULL || type == NULL || options == NULL ||
            strcmp(type, "cgroup") != 0 ||
            strstr(options, group->controllers) == NULL)
            continue;
        snprintf(path, sizeof(path), "%s%s/cgroup.procs", place, group->path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        done = fd >= 0 && write(fd, "0", 1) == 1;
        if (fd >= 0)
            close(fd);
    }
    if (mounts != NULL)
        fclose(mounts);
    return done;
}

/* Makes our traffic groups those of the process. */
static bool join_groups(int directory)
{
    static struct traffic_group ours[2];
    static int our_count = -1;
    struct traffic_group theirs[2];
    int count;

    if (our_count < 0)
        our_count = read_groups(AT_FDCWD, "/proc/self/cgroup", ours);
    if (our_count == 0)
        return true;
    count = read_groups(directory, "cgroup", theirs);
    for (int i = 0; i < count && i < our_count; i++) {
        if (strcmp(ours[i].path, theirs[i].path) == 0)
            continue;
        if (!join_group(&theirs[i]))
            return false;
        ours[i] = theirs[i];
    }
    return true;
}

/* A kernel thread has no descriptors, and no process that is out of reach. */
static bool is_kernel_thread(int directory)
{
    char text[1024];
    const char *rest;

    if (!read_below(directory, "stat", text, sizeof(text)) ||
        (rest = strrchr(text, ')')) == NULL)
        return false;
    /* the name may hold anything, so from its end: the flags are the seventh */
    for (int i = 0; i < 7 && rest != NULL; i++)
        rest = strchr(rest + 1, ' ');
    return rest != NULL && (strtoul(rest, NULL, 10) & KERNEL_THREAD) != 0;
}

/* How many threads, and the state of the main one. */
static bool read_threads(int directory, int *count, bool *main_ended)
{
    char text[4096];
    const char *state;

    if (!read_below(directory, "status", text, sizeof(text)))
        return false;
    state = strstr(text, "\nState:");
    *count = find_number(text, "\nThreads:");
    *main_ended = state != NULL && state[7 + strspn(state + 7, "\t ")] == 'Z';
    return true;
}

/* Visits a process that is there, by its directory in /proc. */
static void visit_process(struct scan *scan, int pid, int process,
                          int directory)
{
    struct socket_row model = {.pid = pid, .last_pid = pid, .next = UNKNOWN};
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
static int add_processes(struct scan *scan, const char *name)
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
    char text[4096];

    snprintf(path, sizeof(path), "/proc/%.20s/status", number);
    if (!read_below(AT_FDCWD, path, text, sizeof(text)))
        return 0;
    return find_number(text, "\nTgid:");
}

static void add_operand(struct scan *scan, const char *operand)
{
    bool number = operand[strspn(operand, "0123456789")] == '\0';
    char *end;
    long pid = strtol(operand, &end, 10);
    int process;

    if (*operand == '\0' || (number && (pid < 1 || pid > INT_MAX))) {
        warnx("'%s' is not the number of a process", make_printable(operand));
        worsen(scan, STATUS_FAILED);
    } else if (number) {
        process = process_of(operand);
        add_process(scan, process > 0 ? process : (int)pid);
    } else if (add_processes(scan, operand) == 0) {
        warnx("%s: no process has this name", make_printable(operand));
        worsen(scan, PROCESS_GONE);
    }
}

/* A keepalive timer that runs. */
struct timer {
    ino_t inode;
    long ticks; /* until it ends */
};

struct timers {
    struct timer *list;
    size_t count;
    size_t capacity;
};

static int by_inode(const void *left, const void *right)
{
    const struct timer *one = left;
    const struct timer *other = right;

    return (one->inode > other->inode) - (one->inode < other->inode);
}

/*
 * A line of /proc/PID/net/tcp: the sixth word is the timer, `02:` and the time
 * for keepalive; the tenth is the inode. See proc_net_tcp in the kernel's
 * Documentation/networking.
 */
static bool read_timer(char *line, struct timer *timer)
{
    char *rest = line;
    char *word = NULL;

    for (int i = 0; i < 10; i++) {
        word = strtok_r(i == 0 ? line : NULL, " \n", &rest);
        if (word == NULL)
            return false;
        if (i == 5) {
            if (strncmp(word, "02:", 3) != 0)
                return false;
            timer->ticks = strtol(word + 3, NULL, 16);
        }
    }
    timer->inode = strtoul(word, NULL, 10);
    return true;
}

/* Adds the timers in one of the two files. */
static void read_timers(struct timers *timers, const char *path)
{
    FILE *file = fopen(path, "re");
    struct timer timer;
    char *line = NULL;
    size_t size = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        struct timer *list;

        if (!read_timer(line, &timer))
            continue;
        if (timers->count == timers->capacity) {
            size_t capacity = timers->capacity > 0 ? 2 * timers->capacity : 64;

            list = realloc(timers->list, capacity * sizeof(*list));
            if (list == NULL)
                err(STATUS_FAILED, NULL);
            timers->list = list;
            timers->capacity = capacity;
        }
        timers->list[timers->count++] = timer;
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

/* Reads the timers of a network namespace: from inside, if it can be entered,
 * else by a process in it. */
static void read_network(struct timers *timers, const struct network *network)
{
    static const char *const names[] = {"tcp", "tcp6"};
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool entered =
        own >= 0 && network->fd >= 0 && setns(network->fd, CLONE_NEWNET) == 0;
    char path[64];

    for (int i = 0; i < 2; i++) {
        if (entered)
            snprintf(path, sizeof(path), "/proc/thread-self/net/%s", names[i]);
        else
            snprintf(path, sizeof(path), "/proc/%d/net/%s", network->pid,
                     names[i]);
        read_timers(timers, path);
    }
    if (entered && setns(own, CLONE_NEWNET) < 0)
        err(STATUS_FAILED, "the way back to the own network namespace");
    if (own >= 0)
        close(own);
}

/* Fills in the time to the next probe. Each network namespace is read once, and
 * only if a socket there can have a timer. */
static void add_timers(struct scan *scan)
{
    struct socket_table *table = scan->table;
    struct timers timers = {0};

    for (size_t i = 0; i < scan->network_count; i++) {
        if (scan->networks[i].busy)
            read_network(&timers, &scan->networks[i]);
        if (scan->networks[i].fd >= 0)
            close(scan->networks[i].fd);
    }
    if (timers.count > 0)
        qsort(timers.list, timers.count, sizeof(*timers.list), by_inode);
    for (size_t i = 0; timers.count > 0 && i < table->count; i++) {
        struct timer wanted = {table->rows[i].inode, 0};
        const struct timer *timer;

        if (!table->rows[i].timed)
            continue;
        timer = bsearch(&wanted, timers.list, timers.count, sizeof(wanted),
                        by_inode);
        if (timer != NULL)
            table->rows[i].next = timer->ticks;
    }
    free(timers.list);
}

/* If the idle time is below the interval, only the first probe is in time. */
static void hint_at_interval(const struct socket_table *table,
                             const struct keepalive *wanted)
{
    int longest = 0;
    bool idle = false;

    for (int i = 0; i < wanted->count; i++) {
        int row = option_row(&wanted->values[i]);

        if (row == KEEPALIVE_INTERVAL)
            return;
        idle = idle || row == KEEPALIVE_IDLE;
    }
    for (size_t i = 0; idle && i < table->count; i++) {
        const struct socket_row *row = &table->rows[i];

        if (row->shown &&
            row->after[KEEPALIVE_INTERVAL] > row->after[KEEPALIVE_IDLE] &&
            row->after[KEEPALIVE_INTERVAL] > longest)
            longest = row->after[KEEPALIVE_INTERVAL];
    }
    if (longest > 0)
        warnx("--idle: probes after the first come at the interval, which is "
              "%d seconds: give it as well, with -i",
              longest);
}

static void print_summary(const struct scan *scan)
{
    const struct socket_table *table = scan->table;
    bool set = scan->request->wanted.count > 0 && !scan->request->dry_run;

    if (scan->out_of_reach > 0)
        warnx("%d process%s out of reach; %s", scan->out_of_reach,
              scan->out_of_reach == 1 ? " is" : "es are",
              geteuid() == 0 ? explain_reach(EPERM) : "run it as root");
    if (scan->request->missing)
        warnx("%zu of %zu connections %s not kept alive", table->missing,
              table->connections, set ? "were" : "are");
    else if (table->shown == 0 && scan->status == 0)
        warnx("no TCP socket");
}

int show_sockets(const struct socket_request *request, char *const operands[],
                 int count)
{
    struct socket_table table = {0};
    struct scan scan = {.request = request, .table = &table};

    if (request->all)
        add_processes(&scan, NULL);
    for (int i = 0; i < count; i++)
        add_operand(&scan, operands[i]);
    add_timers(&scan);
    print_sockets(&table, request);
    fflush(stdout);
    hint_at_interval(&table, &request->wanted);
    print_summary(&scan);
    if (request->missing && table.missing > 0 &&
        (request->wanted.count == 0 || request->dry_run))
        worsen(&scan, SOCKETS_MISSING);
    free(table.rows);
    free(scan.slots);
    free(scan.networks);
    free(scan.pids);
    return scan.status;
}
