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

/* The slot of a socket, or the empty one that it would get. */
static size_t find_slot(const struct socket_table *table, ino_t inode)
{
    size_t slot =
        (size_t)(inode * 0x9e3779b97f4a7c15u) & (table->slot_count - 1);

    while (table->slots[slot] != 0 &&
           table->rows[table->slots[slot] - 1].inode != inode)
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

struct socket_row *find_row(const struct socket_table *table, ino_t inode)
{
    size_t slot = table->slot_count == 0 ? 0 : find_slot(table, inode);

    return table->slot_count == 0 || table->slots[slot] == 0
               ? NULL
               : &table->rows[table->slots[slot] - 1];
}

/* Doubles the table; half of the slots stay empty. */
static void make_room(struct socket_table *table)
{
    size_t capacity = table->count > 0 ? 2 * table->count : 64;

    table->rows = realloc(table->rows, capacity * sizeof(*table->rows));
    free(table->slots);
    table->slot_count = 2 * capacity;
    table->slots = calloc(table->slot_count, sizeof(*table->slots));
    if (table->rows == NULL || table->slots == NULL)
        err(STATUS_FAILED, NULL);
    for (size_t i = 0; i < table->count; i++)
        table->slots[find_slot(table, table->rows[i].inode)] = i + 1;
}

void add_row(struct socket_table *table, const struct socket_row *row)
{
    if (2 * table->count == table->slot_count)
        make_room(table);
    table->rows[table->count++] = *row;
    table->slots[find_slot(table, row->inode)] = table->count;
}

void add_refusal(struct socket_table *table, const struct socket_row *row,
                 int option, int error)
{
    struct refusal *list = table->refusals;

    worsen(table, PROCESS_REFUSED);
    for (size_t i = 0; i < table->refusal_count; i++)
        if (list[i].option == option && list[i].error == error) {
            list[i].count++;
            return;
        }
    list = realloc(list, (table->refusal_count + 1) * sizeof(*list));
    if (list == NULL)
        err(STATUS_FAILED, NULL);
    table->refusals = list;
    list[table->refusal_count++] =
        (struct refusal){option, error, row->pid, row->fd, 1};
}

void free_table(struct socket_table *table)
{
    free(table->rows);
    free(table->slots);
    free(table->refusals);
}
