/*
 * show.c - shows, and sets, the sockets of running processes
 * SPDX-License-Identifier: MIT
 */
#include "sockets/show.h"

#include "flags.h"
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* With no descriptor left a process would look like one that is not there. */
static void need_descriptors(void)
{
    enum { NEEDED = 12 };
    struct rlimit limit;
    int opened[NEEDED];

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 0; i < NEEDED; i++) {
        opened[i] = open("/", O_PATH | O_CLOEXEC);
        if (opened[i] < 0)
            err(STATUS_FAILED, "%d free descriptors are needed (ulimit -n)",
                NEEDED);
    }
    for (int i = 0; i < NEEDED; i++)
        close(opened[i]);
}

/* In a /proc of another pid namespace a number is another process. */
static void need_proc(void)
{
    static const char label[] = "\nNSpid:\t";
    char *text = read_below(AT_FDCWD, "/proc/self/status");
    const char *numbers = text == NULL ? NULL : strstr(text, label);
    struct stat status;

    if (text == NULL && (errno != ENOENT || lstat("/proc/self", &status) < 0))
        errx(STATUS_FAILED, "/proc cannot be read: %s",
             errno == ENOENT ? "it is not mounted" : strerror(errno));
    /* A number for each namespace, from that of /proc to our own */
    if (text == NULL ||
        (numbers != NULL && strcspn(numbers + sizeof(label), "\t") <
                                strcspn(numbers + sizeof(label), "\n")))
        errx(STATUS_FAILED,
             "/proc is that of another pid namespace; mount that of this one "
             "(unshare --mount-proc, nsenter -m)");
    free(text);
}

/* Notes a process; false if it was looked at before. */
static bool is_new(int pid)
{
    static int *list;
    static size_t count;

    for (size_t i = 0; i < count; i++)
        if (list[i] == pid)
            return false;
    list = make_room(list, count, sizeof(*list));
    list[count++] = pid;
    return true;
}

/* Does /proc hide the processes of other users, see hidepid in proc(5)? The
 * first process tells, unless it is our own. */
static bool hides_processes(void)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;
    struct stat first;
    bool hides = false;

    while (mounts != NULL && (entry = getmntent(mounts)) != NULL)
        if (strcmp(entry->mnt_dir, "/proc") == 0)
            hides = hasmntopt(entry, "hidepid") != NULL;
    if (mounts != NULL)
        endmntent(mounts);
    return stat("/proc/1/comm", &first) < 0 ||
           (hides && first.st_uid == geteuid() &&
            !has_capability(CAP_SYS_PTRACE));
}

/* Where processes are hidden nobody can say which there are. */
static void note_hidden(struct socket_table *table)
{
    static bool said;

    if (said || !hides_processes())
        return;
    said = true;
    complain("/proc hides the processes of other users (hidepid); run it as "
             "root");
    worsen(table, PROCESS_FORBIDDEN);
}

/*
 * Is this a name of the process: its own, or the path, or its last part, of its
 * executable or of the first word of its command line? It may change its own,
 * or that of its main thread, as Node.js does.
 */
static bool has_name(int proc, int pid, const char *name)
{
    static const char deleted[] = " (deleted)";
    char path[sizeof("2147483647/exe")];
    char text[PATH_MAX];
    char *words;
    char *end;
    ssize_t length;
    bool has;

    if (read_name(proc, pid, text) && strncmp(text, name, COMM) == 0)
        return true;
    snprintf(path, sizeof(path), "%d/exe", pid);
    length = readlinkat(proc, path, text, sizeof(text) - 1);
    text[length < 0 ? 0 : length] = '\0';
    end = strstr(text, deleted);
    if (end != NULL && end[sizeof(deleted) - 1] == '\0')
        *end = '\0';
    words = read_below(proc, "%d/cmdline", pid);
    has = is_named(text, name) || (words != NULL && is_named(words, name));
    free(words);
    return has;
}

/* Looks at every process, or at those of a name: false if there is none. */
static bool add_named(struct socket_table *table, const char *name)
{
    DIR *list = opendir("/proc");
    const struct dirent *entry;
    bool found = false;

    if (list == NULL)
        err(STATUS_FAILED, "/proc");
    while (errno = 0, (entry = readdir(list)) != NULL) {
        int pid = (int)strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || (name != NULL && !has_name(dirfd(list), pid, name)))
            continue;
        found = true;
        if (name == NULL || is_new(pid))
            add_process(table, pid);
    }
    if (errno != 0) {
        complain("/proc: %s", strerror(errno));
        worsen(table, STATUS_FAILED);
        found = true; /* or not: that is not known */
    }
    closedir(list);
    note_hidden(table);
    return found;
}

/* The process of a number, which may be that of one of its threads. */
static int process_of(int number)
{
    char *text = read_below(AT_FDCWD, "/proc/%d/status", number);
    int process = text == NULL ? 0 : find_number(text, "\nTgid:");

    free(text);
    return process > 0 ? process : number;
}

static void add_operand(struct socket_table *table, const char *operand)
{
    bool is_number = operand[strspn(operand, "0123456789")] == '\0';
    long number = strtol(operand, NULL, 10);

    if (*operand == '\0' || (is_number && (number < 1 || number > INT_MAX))) {
        complain("'%s' is not the number of a process", operand);
        worsen(table, STATUS_FAILED);
    } else if (is_number) {
        int pid = process_of((int)number);

        if (is_new(pid))
            add_process(table, pid);
    } else if (!add_named(table, operand)) {
        complain("%s: no process has this name", operand);
        worsen(table, PROCESS_GONE);
    }
}

/* Names a value that sockets did not take, the first of them and how many. */
static void print_refusal(const struct socket_row *row, int option, int error,
                          size_t count)
{
    /* A BPF program of --force makes another value stay. The kernel does not
     * report a socket's cgroup, but most are made in that of their process. */
    char *text = error == STAYS
                     ? read_below(AT_FDCWD, "/proc/%d/cgroup", row->pid)
                     : NULL;
    char *path = text == NULL ? NULL : strstr(text, "0::/");
    char more[64] = "";
    const char *flag;

    if (path != NULL) {
        path += strlen("0::/");
        path[strcspn(path, "\n")] = '\0';
    }
    for (int i = 0; find_column(i, &flag) != option;)
        i++;
    if (count > 1)
        snprintf(more, sizeof(more), ", and of %zu more socket%s,", count - 1,
                 count == 2 ? "" : "s");
    complain("%d: %s of descriptor %d%s cannot be set: %s%s", row->pid, flag,
             row->fd, more,
             error != STAYS ? strerror(error)
                            : "another value stays, as --force for a cgroup "
                              "makes it; see keepalive --cgroup ",
             error != STAYS                  ? ""
             : path == NULL || *path == '\0' ? "DIR"
                                             : path);
    free(text);
}

/* One line for each option and error. */
static void print_refusals(struct socket_table *table, int option)
{
    struct socket_row *rows = table->rows;

    for (size_t i = 0; i < table->count; i++) {
        int error = rows[i].errors[option];
        size_t count = 0;

        for (size_t j = i; error != 0 && j < table->count; j++)
            if (rows[j].errors[option] == error) {
                rows[j].errors[option] = 0;
                count++;
            }
        if (count > 0)
            print_refusal(&rows[i], option, error, count);
    }
}

/* Names the first socket that is not known, and how many there are. */
static void print_unknown(const struct socket_table *table)
{
    const struct socket_row *first = NULL;
    char more[64] = "";
    size_t count = 0;

    for (size_t i = table->count; i-- > 0;)
        if (table->rows[i].refusal != 0) {
            first = &table->rows[i];
            count++;
        }
    if (count > 1)
        snprintf(more, sizeof(more), ", and %zu more socket%s,", count - 1,
                 count == 2 ? "" : "s");
    if (count > 0)
        complain("%d: descriptor %d%s cannot be looked at: %s", first->pid,
                 first->fd, more, strerror(first->refusal));
}

/* The last line with --missing. */
static void print_missing(const struct socket_table *table)
{
    bool one = table->missing == 1;
    const char *words = one ? "is not kept alive" : "are not kept alive";
    char late[80] = "";

    if (!is_wanted(&table->request->wanted)) {
        if (table->late > 0)
            snprintf(late, sizeof(late),
                     "; %zu more %s a first probe later than an hour",
                     table->late, table->late == 1 ? "has" : "have");
    } else if (table->request->given['n'] == NULL) {
        words = "lacked what is asked";
    } else {
        words = one ? "lacks what is asked" : "lack what is asked";
    }
    complain("%zu of %zu connections %s%s", table->missing, table->connections,
             words, late);
}

static void print_summary(struct socket_table *table)
{
    bool by_root = geteuid() != 0 && table->reach_error != ENOSYS;

    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].shown)
            hint_at_values(table->request->wanted.values, table->rows[i].after);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++)
        print_refusals(table, i);
    print_unknown(table);
    if (table->out_of_reach > 0)
        complain("%d process%s out of reach; %s", table->out_of_reach,
                 table->out_of_reach == 1 ? " is" : "es are",
                 by_root ? "run it as root"
                         : explain_reach(table->reach_error));
    if (table->request->given['m'] != NULL)
        print_missing(table);
    else if (table->shown == 0 && table->status == 0)
        complain("no TCP socket");
}

int show_sockets(const struct request *request)
{
    static struct socket_table table;

    table.request = request;
    need_descriptors();
    need_proc();
    for (int i = 0; i < request->count; i++)
        add_operand(&table, request->operands[i]);
    if (request->given['a'] != NULL)
        add_named(&table, NULL);
    print_table(&table);
    fflush(stdout);
    print_summary(&table);
    if (request->given['m'] != NULL && table.missing > 0 &&
        (!is_wanted(&request->wanted) || request->given['n'] != NULL))
        worsen(&table, SOCKETS_MISSING);
    return table.status;
}
