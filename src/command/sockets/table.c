/*
 * table.c - the rows of the table of sockets
 * SPDX-License-Identifier: MIT
 */
#include "sockets/table.h"

#include "exit_status.h"

#include <err.h>
#include <stdint.h>
#include <stdlib.h>

void worsen(struct scan *scan, int status)
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

struct socket_row *find_row(const struct scan *scan, ino_t inode)
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

void add_row(struct scan *scan, const struct socket_row *row)
{
    struct socket_table *table = scan->table;

    if (!make_room(scan))
        err(STATUS_FAILED, NULL);
    table->rows[table->count++] = *row;
    scan->slots[find_slot(scan, row->inode)] = table->count;
}
