/*
 * sockets.c - the TCP sockets of running processes
 * SPDX-License-Identifier: MIT
 *
 * pidfd_getfd(2) gives a descriptor for the socket itself, whatever program
 * and network namespace it is in. Each is fetched, read, set where that is
 * wanted, and closed at once: held longer, it would keep open a connection
 * that the process closes meanwhile. Nothing else of the process is touched.
 */
#include "command.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* tcpi_state, numbered as in the kernel's include/net/tcp_states.h */
static const char *const states[] = {
    "unknown",    "established", "syn-sent",  "syn-recv",
    "fin-wait-1", "fin-wait-2",  "time-wait", "closed",
    "close-wait", "last-ack",    "listen",    "closing",
};

enum {
    STATES = sizeof(states) / sizeof(*states),
    ADDRESS = INET6_ADDRSTRLEN + sizeof("[]:65535"),
    CELL = 64,
    UNKNOWN = -1, /* the kernel does not tell */
};

/* One socket of a process. */
struct row {
    int pid;
    int fd;
    ino_t inode;
    unsigned char state;
    char local[ADDRESS];
    char remote[ADDRESS]; /* empty: not connected */
    int before[KEEPALIVE_OPTIONS];
    int after[KEEPALIVE_OPTIONS];
    long next; /* ticks to the next probe, or UNKNOWN */
};

struct table {
    struct row *rows;
    size_t count;
    size_t room;
};

static struct row *add_row(struct table *table)
{
    if (table->count == table->room) {
        size_t room = table->room > 0 ? 2 * table->room : 16;
        struct row *rows = realloc(table->rows, room * sizeof(*rows));

        if (rows == NULL)
            return NULL;
        table->rows = rows;
        table->room = room;
    }
    table->rows[table->count] = (struct row){.next = UNKNOWN};
    return &table->rows[table->count++];
}

static int value_of(int fd, int level, int option)
{
    int value;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, option, &value, &size) == 0 ? value : UNKNOWN;
}

static void read_values(int fd, int values[KEEPALIVE_OPTIONS])
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        values[i] = value_of(fd, keepalive_options[i].level,
                             keepalive_options[i].option);
}

typedef int name_call(int fd, struct sockaddr *address, socklen_t *size);

/* The address that getsockname(2) or getpeername(2) gives, or "". */
static void read_address(int fd, name_call *name, char text[ADDRESS])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN];

    text[0] = '\0';
    if (name(fd, (struct sockaddr *)&address, &size) < 0)
        return;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *inet = (const struct sockaddr_in *)&address;

        inet_ntop(AF_INET, &inet->sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "%s:%d", host, ntohs(inet->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *inet6 =
            (const struct sockaddr_in6 *)&address;

        inet_ntop(AF_INET6, &inet6->sin6_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "[%s]:%d", host, ntohs(inet6->sin6_port));
    }
}

static unsigned char state_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        info.tcpi_state >= STATES)
        return 0;
    return info.tcpi_state;
}

/* Did the kernel keep a value that it can show, but not take the new one? */
static bool is_refused(const struct row *row, const struct keepalive *wanted)
{
    for (int i = 0; i < wanted->count; i++)
        for (int j = 0; j < KEEPALIVE_OPTIONS; j++)
            if (keepalive_options[j].level == wanted->values[i].level &&
                keepalive_options[j].option == wanted->values[i].option &&
                row->after[j] != UNKNOWN &&
                row->after[j] != wanted->values[i].value)
                return true;
    return false;
}

/* Fills a row from the socket, and sets what is wanted of it. */
static void visit(struct row *row, int socket, const struct keepalive *wanted)
{
    struct stat status;

    if (fstat(socket, &status) == 0)
        row->inode = status.st_ino;
    row->state = state_of(socket);
    read_address(socket, getsockname, row->local);
    read_address(socket, getpeername, row->remote);
    read_values(socket, row->before);
    keepalive_apply(wanted, socket);
    read_values(socket, row->after);
}

static bool is_tcp(int fd)
{
    return keepalive_is_tcp(value_of(fd, SOL_SOCKET, SO_DOMAIN),
                            value_of(fd, SOL_SOCKET, SO_TYPE),
                            value_of(fd, SOL_SOCKET, SO_PROTOCOL));
}

/* Does the link in /proc/PID/fd name a socket? */
static bool is_socket(int directory, const char *name)
{
    char target[sizeof("socket:") - 1];
    ssize_t length = readlinkat(directory, name, target, sizeof(target));

    /* Where that is not permitted, pidfd_getfd() is to say so. */
    if (length < 0)
        return errno != ENOENT;
    return length == sizeof(target) &&
           memcmp(target, "socket:", sizeof(target)) == 0;
}

static bool has_ended(int process)
{
    struct pollfd end = {process, POLLIN, 0};

    return poll(&end, 1, 0) == 1;
}

static int gone(int pid)
{
    warnx("%d: the process has ended", pid);
    return PROCESS_GONE;
}

static int forbidden(int pid, int error)
{
    warnx("%d: %s; this takes root, or the same user and permission to "
          "ptrace (kernel.yama.ptrace_scope)",
          pid, strerror(error));
    return PROCESS_FORBIDDEN;
}

/* Every TCP socket in a directory of descriptors becomes a row. */
static int visit_all(struct table *table, int pid, int process, DIR *directory,
                     const struct keepalive *wanted)
{
    struct dirent *entry;
    int status = 0;

    while ((entry = readdir(directory)) != NULL) {
        int number = (int)strtol(entry->d_name, NULL, 10);
        struct row *row;
        int socket;

        if (entry->d_name[0] == '.' ||
            !is_socket(dirfd(directory), entry->d_name))
            continue;
        socket = (int)syscall(SYS_pidfd_getfd, process, number, 0);
        if (socket < 0) {
            if (errno == EBADF) /* closed meanwhile */
                continue;
            return errno == ESRCH ? gone(pid) : forbidden(pid, errno);
        }
        if (!is_tcp(socket)) {
            close(socket);
            continue;
        }
        row = add_row(table);
        if (row != NULL) {
            row->pid = pid;
            row->fd = number;
            visit(row, socket, wanted);
            if (is_refused(row, wanted))
                status = PROCESS_REFUSED;
        }
        close(socket);
        if (row == NULL) {
            warn(NULL);
            return STATUS_FAILED;
        }
    }
    return has_ended(process) ? gone(pid) : status;
}

/* A keepalive timer that runs. */
struct timer {
    ino_t inode;
    long ticks; /* until it ends */
};

struct timers {
    struct timer *list;
    size_t count;
    size_t room;
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

/* Adds the timers in one of the two files of the process's network. */
static void read_timers(struct timers *timers, int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    struct timer timer;
    char *line = NULL;
    size_t size = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        struct timer *list;

        if (!read_timer(line, &timer))
            continue;
        if (timers->count == timers->room) {
            size_t room = timers->room > 0 ? 2 * timers->room : 64;

            list = realloc(timers->list, room * sizeof(*list));
            if (list == NULL)
                break;
            timers->list = list;
            timers->room = room;
        }
        timers->list[timers->count++] = timer;
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

/* Fills in the time to the next probe, from row `first` on. */
static void add_timers(struct table *table, size_t first, int directory)
{
    struct timers timers = {0};

    read_timers(&timers, directory, "net/tcp");
    read_timers(&timers, directory, "net/tcp6");
    if (timers.count > 0)
        qsort(timers.list, timers.count, sizeof(*timers.list), by_inode);
    for (size_t i = first; timers.count > 0 && i < table->count; i++) {
        struct timer wanted = {table->rows[i].inode, 0};
        const struct timer *timer = bsearch(&wanted, timers.list, timers.count,
                                            sizeof(wanted), by_inode);

        if (timer != NULL)
            table->rows[i].next = timer->ticks;
    }
    free(timers.list);
}

/* The sockets of a process that is there. Returns a status. */
static int read_process(struct table *table, int pid, int process,
                        const struct keepalive *wanted)
{
    size_t first = table->count;
    char path[sizeof("/proc/2147483647")];
    int directory;
    int descriptors;
    DIR *list;
    int status;

    snprintf(path, sizeof(path), "/proc/%d", pid);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return has_ended(process) ? gone(pid) : forbidden(pid, errno);
    descriptors = openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list = descriptors < 0 ? NULL : fdopendir(descriptors);
    /* A process that is there now was there all the time, so the directories
     * are its own and not those of another that got its number. */
    if (has_ended(process))
        status = gone(pid);
    else if (list == NULL)
        status = forbidden(pid, errno);
    else
        status = visit_all(table, pid, process, list, wanted);
    if (table->count > first)
        add_timers(table, first, directory);
    if (list != NULL)
        closedir(list);
    close(directory);
    return status;
}

static int add_process(struct table *table, const char *name,
                       const struct keepalive *wanted)
{
    char *end;
    long pid = strtol(name, &end, 10);
    int process;
    int status;

    if (*name < '0' || *name > '9' || *end != '\0' || pid < 1 ||
        pid > INT_MAX) {
        warnx("'%s' is not the number of a process", name);
        return STATUS_FAILED;
    }
    process = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (process < 0) {
        status = errno == ESRCH ? PROCESS_GONE : STATUS_FAILED;
        warn("%ld", pid);
        return status;
    }
    status = read_process(table, (int)pid, process, wanted);
    close(process);
    return status;
}

/* How a value is shown. */
static void show_value(char text[CELL], int row, int value, bool json)
{
    static const char *const words[2][2] = {{"off", "on"}, {"false", "true"}};
    int scale = keepalive_options[row].scale;

    if (value == UNKNOWN)
        snprintf(text, CELL, "%s", json ? "null" : "-");
    else if (row == SWITCH)
        snprintf(text, CELL, "%s", words[json][value != 0]);
    else
        snprintf(text, CELL, "%.*f", value % scale == 0 ? 0 : 3,
                 (double)value / scale);
}

static void show_next(char text[CELL], const struct row *row, bool json)
{
    if (row->next == UNKNOWN)
        snprintf(text, CELL, "%s", json ? "null" : "-");
    else
        snprintf(text, CELL, "%.1f",
                 (double)row->next / (double)sysconf(_SC_CLK_TCK));
}

enum {
    PID,
    DESCRIPTOR,
    LOCAL,
    REMOTE,
    STATE,
    VALUES,
    NEXT = VALUES + KEEPALIVE_OPTIONS,
    CELLS
};

static void show_row(char cells[CELLS][CELL], const struct row *row)
{
    snprintf(cells[PID], CELL, "%d", row->pid);
    snprintf(cells[DESCRIPTOR], CELL, "%d", row->fd);
    snprintf(cells[LOCAL], CELL, "%s", row->local);
    snprintf(cells[REMOTE], CELL, "%s",
             row->remote[0] != '\0' ? row->remote : "-");
    snprintf(cells[STATE], CELL, "%s", states[row->state]);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *name;
        int option = find_column(i, &name);
        bool changed = row->before[option] != row->after[option];
        char before[CELL];
        char after[CELL];

        show_value(after, option, row->after[option], false);
        show_value(before, option, row->before[option], false);
        snprintf(cells[VALUES + i], CELL, "%.20s%s%.20s", changed ? before : "",
                 changed ? "->" : "", after);
    }
    show_next(cells[NEXT], row, false);
}

/* The last column is not padded. */
static void print_cells(char cells[CELLS][CELL], const int widths[CELLS])
{
    for (int i = 0; i < CELLS - 1; i++)
        printf("%-*s  ", widths[i], cells[i]);
    puts(cells[CELLS - 1]);
}

static void print_table(const struct table *table)
{
    char heads[CELLS][CELL] = {"pid", "fd", "local", "remote", "state"};
    char cells[CELLS][CELL];
    int widths[CELLS];

    if (table->count == 0)
        return;
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *name;

        find_column(i, &name);
        snprintf(heads[VALUES + i], CELL, "%s", name);
    }
    snprintf(heads[NEXT], CELL, "next");
    for (int i = 0; i < CELLS; i++)
        widths[i] = (int)strlen(heads[i]);
    for (size_t row = 0; row < table->count; row++) {
        show_row(cells, &table->rows[row]);
        for (int i = 0; i < CELLS; i++)
            if (widths[i] < (int)strlen(cells[i]))
                widths[i] = (int)strlen(cells[i]);
    }
    print_cells(heads, widths);
    for (size_t row = 0; row < table->count; row++) {
        show_row(cells, &table->rows[row]);
        print_cells(cells, widths);
    }
}

/* Nothing here needs quoting: numbers, addresses and the words above. */
static void print_json_row(const struct row *row, bool changes)
{
    const char *comma = "";
    char text[CELL];

    printf("{\"pid\": %d, \"fd\": %d, \"local\": \"%s\", \"remote\": ",
           row->pid, row->fd, row->local);
    printf(row->remote[0] != '\0' ? "\"%s\"" : "null%s", row->remote);
    printf(", \"state\": \"%s\"", states[row->state]);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *name;
        int option = find_column(i, &name);

        show_value(text, option, row->after[option], true);
        printf(", \"%s\": %s", name, text);
    }
    show_next(text, row, true);
    printf(", \"next\": %s", text);
    if (changes)
        printf(", \"before\": {");
    for (int i = 0; changes && i < KEEPALIVE_OPTIONS; i++) {
        const char *name;
        int option = find_column(i, &name);

        if (row->before[option] == row->after[option])
            continue;
        show_value(text, option, row->before[option], true);
        printf("%s\"%s\": %s", comma, name, text);
        comma = ", ";
    }
    printf(changes ? "}}" : "}");
}

static void print_json(const struct table *table, bool changes)
{
    putchar('[');
    for (size_t i = 0; i < table->count; i++) {
        printf(i == 0 ? "\n" : ",\n");
        print_json_row(&table->rows[i], changes);
    }
    puts("\n]");
}

int show_processes(char *const pids[], int count,
                   const struct keepalive *wanted, bool json)
{
    struct table table = {0};
    int worst = 0;

    for (int i = 0; i < count; i++) {
        int status = add_process(&table, pids[i], wanted);

        if (worst < status)
            worst = status;
    }
    if (json)
        print_json(&table, wanted->count > 0);
    else
        print_table(&table);
    free(table.rows);
    return worst;
}
