/*
 * show.c - shows, and sets, the sockets of running processes
 * SPDX-License-Identifier: MIT
 */
#include "sockets/show.h"

#include "exit_status.h"
#include "flags.h"
#include "proc.h"
#include "sockets/descriptors.h"
#include "sockets/print.h"
#include "sockets/process.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
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
            err(STATUS_FAILED, "%d descriptors are needed (ulimit -n)", NEEDED);
    }
    for (int i = 0; i < NEEDED; i++)
        close(opened[i]);
}

/* In a /proc of another pid namespace a number is another process. */
static void need_proc(void)
{
    static const char label[] = "\nNSpid:\t";
    char *text = read_below(AT_FDCWD, "/proc/self/status");
    const char *numbers = text == NULL ? "" : strstr(text, label);
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

/* The flag, and the column, of an option. */
static const char *flag_of(int option)
{
    const char *name;
    int column = 0;

    while (find_column(column, &name) != option)
        column++;
    return name;
}

enum { REASON = PRINTABLE + 128 };

/*
 * Says why a value was taken and another stays, as a BPF program of --force
 * makes it. The kernel does not report a socket's cgroup, but most are made in
 * that of their process.
 */
static const char *explain_force(int pid, char reason[REASON])
{
    char name[64];
    char printable[PRINTABLE] = "/DIR";
    char *text;
    char *path;

    snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
    text = read_below(AT_FDCWD, name);
    path = text == NULL ? NULL : strstr(text, "0::/");
    if (path != NULL) {
        path += strlen("0::");
        path[strcspn(path, "\n")] = '\0';
        make_printable(printable, path);
    }
    snprintf(reason, REASON,
             "another value stays, as --force for a cgroup makes it; see "
             "keepalive --cgroup %s",
             printable[1] == '\0' ? "DIR" : printable + 1);
    free(text);
    return reason;
}

static void print_refusals(const struct socket_table *table)
{
    char reason[REASON];

    for (size_t i = 0; i < table->refusal_count; i++) {
        const struct refusal *refusal = &table->refusals[i];
        char more[64] = "";

        if (refusal->count > 1)
            snprintf(more, sizeof(more), ", and of %zu more socket%s,",
                     refusal->count - 1, refusal->count == 2 ? "" : "s");
        warnx("%d: %s of descriptor %d%s cannot be set: %s", refusal->pid,
              flag_of(refusal->option), refusal->fd, more,
              refusal->error != 0 ? strerror(refusal->error)
                                  : explain_force(refusal->pid, reason));
    }
}

/* The last line with --missing. */
static void print_missing(const struct socket_table *table)
{
    const struct socket_request *request = table->request;
    bool one = table->missing == 1;
    const char *words = request->dry_run
                            ? one ? "lacks what is asked" : "lack what is asked"
                            : "lacked what is asked";
    char late[80] = "";

    if (!is_wanted(&request->wanted)) {
        words = one ? "is not kept alive" : "are not kept alive";
        if (table->late > 0)
            snprintf(late, sizeof(late),
                     "; %zu more %s a first probe later than an hour",
                     table->late, table->late == 1 ? "has" : "have");
    }
    warnx("%zu of %zu connections %s%s", table->missing, table->connections,
          words, late);
}

static void print_summary(const struct socket_table *table)
{
    bool by_root = geteuid() != 0 && table->reach_error != ENOSYS;

    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].shown)
            hint_at_values(table->request->wanted.values, table->rows[i].after);
    print_refusals(table);
    if (table->out_of_reach > 0)
        warnx("%d process%s out of reach; %s", table->out_of_reach,
              table->out_of_reach == 1 ? " is" : "es are",
              by_root ? "run it as root" : explain_reach(table->reach_error));
    if (table->request->missing)
        print_missing(table);
    else if (table->shown == 0 && table->status == 0)
        warnx("no TCP socket");
}

int show_sockets(const struct socket_request *request, char *const operands[],
                 int count)
{
    struct socket_table table = {.request = request};

    need_descriptors();
    need_proc();
    add_processes(&table, operands, count);
    print_sockets(&table);
    fflush(stdout);
    print_summary(&table);
    if (request->missing && table.missing > 0 &&
        (!is_wanted(&request->wanted) || request->dry_run))
        worsen(&table, SOCKETS_MISSING);
    free_table(&table);
    return table.status;
}
