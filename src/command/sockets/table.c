/*
 * table.c - the table of sockets
 * SPDX-License-Identifier: MIT
 */
#include "sockets/table.h"

#include "exit_status.h"

#include <err.h>
#include <stdlib.h>

void worsen(struct socket_table *table, int status)
{
    if (table->status < status)
        table->status = status;
}

void *make_room(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0) /* it doubles at each power of two */
        return list;
    list = realloc(list, (count == 0 ? 1 : 2 * count) * size);
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    return list;
}

struct socket_row *find_row(const struct socket_table *table, ino_t inode)
{
    size_t place = table->buckets[inode % BUCKETS];

    while (place != 0 && table->rows[place - 1].inode != inode)
        place = table->rows[place - 1].chained;
    return place == 0 ? NULL : &table->rows[place - 1];
}

void add_row(struct socket_table *table, const struct socket_row *row)
{
    size_t *bucket = &table->buckets[row->inode % BUCKETS];

    table->rows = make_room(table->rows, table->count, sizeof(*row));
    table->rows[table->count] = *row;
    table->rows[table->count].chained = *bucket;
    *bucket = ++table->count;
}

void add_refusal(struct socket_table *table, const struct socket_row *row,
                 int option, int error)
{
    struct refusal *refusal = table->refusals;
    size_t left = table->refusal_count;

    worsen(table, PROCESS_REFUSED);
    for (; left > 0; left--, refusal++)
        if (refusal->option == option && refusal->error == error) {
            refusal->count++;
            return;
        }
    table->refusals =
        make_room(table->refusals, table->refusal_count, sizeof(*refusal));
    table->refusals[table->refusal_count++] =
        (struct refusal){option, error, row->pid, row->fd, 1};
}
