/*
 * timer.c - the time to the next probe
 * SPDX-License-Identifier: MIT
 */
#include "sockets/timer.h"

#include "exit_status.h"

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
void add_timers(struct scan *scan)
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
