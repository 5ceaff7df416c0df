/*
 * print.c - sockets as a table and as JSON
 * SPDX-License-Identifier: MIT
 */
#include "sockets/print.h"

#include "flags.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* tcpi_state, numbered as in the kernel's include/net/tcp_states.h */
static const char *const states[SOCKET_STATES] = {
    "unknown",    "established", "syn-sent",  "syn-recv",
    "fin-wait-1", "fin-wait-2",  "time-wait", "closed",
    "close-wait", "last-ack",    "listen",    "closing",
};

enum { CELL = ADDRESS };

static void write_next(char text[CELL], const struct socket_row *row, bool json)
{
    if (row->next == NO_VALUE)
        snprintf(text, CELL, "%s", json ? "null" : "-");
    else
        snprintf(text, CELL, "%.1f",
                 (double)row->next / (double)sysconf(_SC_CLK_TCK));
}

/* The columns of the table */
enum {
    PID,
    NAME,
    DESCRIPTOR,
    LOCAL,
    REMOTE,
    STATE,
    VALUES,
    NEXT = VALUES + KEEPALIVE_OPTIONS,
    CELLS
};

static void write_heads(char cells[CELLS][CELL])
{
    static const char *const heads[VALUES] = {
        [PID] = "pid",     [NAME] = "name",     [DESCRIPTOR] = "fd",
        [LOCAL] = "local", [REMOTE] = "remote", [STATE] = "state"};

    for (int i = 0; i < VALUES; i++)
        snprintf(cells[i], CELL, "%s", heads[i]);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *name;

        find_column(i, &name);
        snprintf(cells[VALUES + i], CELL, "%s", name);
    }
    snprintf(cells[NEXT], CELL, "next");
}

static void write_row(char cells[CELLS][CELL], const struct socket_row *row)
{
    char printable[PRINTABLE];

    if (row->others > 0)
        snprintf(cells[PID], CELL, "%d+%d", row->pid, row->others);
    else
        snprintf(cells[PID], CELL, "%d", row->pid);
    snprintf(cells[NAME], CELL, "%s",
             row->name[0] != '\0' ? make_printable(printable, row->name) : "-");
    for (char *c = cells[NAME]; *c != '\0'; c++)
        if (*c == ' ') /* a blank would be a column more */
            *c = '_';
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

        write_value(after, CELL, option, row->after[option], false);
        write_value(before, CELL, option, row->before[option], false);
        snprintf(cells[VALUES + i], CELL, "%.20s%s%.20s", changed ? before : "",
                 changed ? "->" : "", after);
    }
    write_next(cells[NEXT], row, false);
}

/* The last column is not padded. */
static void print_cells(char cells[CELLS][CELL], const int widths[CELLS])
{
    for (int i = 0; i < CELLS - 1; i++)
        printf("%-*s  ", widths[i], cells[i]);
    puts(cells[CELLS - 1]);
}

static void print_table(const struct socket_table *table)
{
    char cells[CELLS][CELL];
    int widths[CELLS];

    if (table->shown == 0)
        return;
    write_heads(cells);
    for (int i = 0; i < CELLS; i++)
        widths[i] = (int)strlen(cells[i]);
    for (size_t row = 0; row < table->count; row++) {
        if (!table->rows[row].shown)
            continue;
        write_row(cells, &table->rows[row]);
        for (int i = 0; i < CELLS; i++)
            if (widths[i] < (int)strlen(cells[i]))
                widths[i] = (int)strlen(cells[i]);
    }
    write_heads(cells);
    print_cells(cells, widths);
    for (size_t row = 0; row < table->count; row++) {
        if (!table->rows[row].shown)
            continue;
        write_row(cells, &table->rows[row]);
        print_cells(cells, widths);
    }
}

static void print_json_row(const struct socket_row *row, bool changes)
{
    const char *comma = "";
    const char *name;
    char text[CELL];

    printf("{\"pid\": %d, \"name\": ", row->pid);
    print_json_text(row->name, strlen(row->name));
    printf(", \"others\": %d, \"fd\": %d, \"local\": ", row->others, row->fd);
    print_json_text(row->local, strlen(row->local));
    printf(", \"remote\": ");
    if (row->remote[0] != '\0')
        print_json_text(row->remote, strlen(row->remote));
    else
        printf("null");
    printf(", \"state\": \"%s\"", states[row->state]);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        int option = find_column(i, &name);

        write_value(text, CELL, option, row->after[option], true);
        printf(", \"%s\": %s", name, text);
    }
    write_next(text, row, true);
    printf(", \"next\": %s", text);
    if (changes)
        printf(", \"before\": {");
    for (int i = 0; changes && i < KEEPALIVE_OPTIONS; i++) {
        int option = find_column(i, &name);

        if (row->before[option] == row->after[option])
            continue;
        write_value(text, CELL, option, row->before[option], true);
        printf("%s\"%s\": %s", comma, name, text);
        comma = ", ";
    }
    printf(changes ? "}}" : "}");
}

static void print_json(const struct socket_table *table, bool changes)
{
    const char *comma = "\n";

    putchar('[');
    for (size_t i = 0; i < table->count; i++) {
        if (!table->rows[i].shown)
            continue;
        printf("%s", comma);
        print_json_row(&table->rows[i], changes);
        comma = ",\n";
    }
    puts("\n]");
}

void print_sockets(const struct socket_table *table,
                   const struct socket_request *request)
{
    if (request->json)
        print_json(table, is_wanted(&request->wanted));
    else
        print_table(table);
}
