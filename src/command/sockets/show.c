/*
 * show.c - shows, and sets, the sockets of running processes
 * SPDX-License-Identifier: MIT
 */
#include "sockets/show.h"

#include "exit_status.h"
#include "hints.h"
#include "sockets/print.h"
#include "sockets/process.h"
#include "sockets/timer.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print_summary(const struct scan *scan)
{
    const struct socket_table *table = scan->table;
    bool set = is_wanted(&scan->request->wanted) && !scan->request->dry_run;

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
    unsigned hints = 0;

    if (request->all)
        add_processes(&scan, NULL);
    for (int i = 0; i < count; i++)
        add_operand(&scan, operands[i]);
    add_timers(&scan);
    print_sockets(&table, request);
    fflush(stdout);
    for (size_t i = 0; i < table.count; i++)
        if (table.rows[i].shown)
            hints = hint_at_values(request->wanted.values, table.rows[i].after,
                                   hints);
    print_summary(&scan);
    if (request->missing && table.missing > 0 &&
        (!is_wanted(&request->wanted) || request->dry_run))
        worsen(&scan, SOCKETS_MISSING);
    free(table.rows);
    free(scan.slots);
    free(scan.networks);
    free(scan.pids);
    return scan.status;
}
