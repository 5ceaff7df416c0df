/*
 * print.c - sockets as a table and as JSON
 * SPDX-License-Identifier: MIT
 */
#include "sockets/print.h"

#include "exit_status.h"
#include "flags.h"
#include "text.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tcpi_state, numbered as in the kernel's include/net/tcp_states.h */
static const char *const states[] = {
    "unknown",    "established", "syn-sent",  "syn-recv",
    "fin-wait-1", "fin-wait-2",  "time-wait", "closed",
    "close-wait", "last-ack",    "listen",    "closing",
};

/* An IPv6 address, its scope, brackets and a port */
enum { CELL = INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535") };

/* Writes an address; false, and a dash, where there is none. */
static bool write_address(char text[CELL], const union address *address)
{
    char host[INET6_ADDRSTRLEN];
    char scope[sizeof("%4294967295")] = "";

    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->inet.sin_addr, host, sizeof(host));
        snprintf(text, CELL, "%s:%d", host, ntohs(address->inet.sin_port));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->inet6.sin6_addr, host, sizeof(host));
        if (address->inet6.sin6_scope_id != 0)
            snprintf(scope, sizeof(scope), "%%%u",
                     address->inet6.sin6_scope_id);
        snprintf(text, CELL, "[%s%s]:%d", host, scope,
                 ntohs(address->inet6.sin6_port));
    } else {
        snprintf(text, CELL, "-");
        return false;
    }
    return true;
}

static void write_next(char text[CELL], const struct socket_row *row, bool json)
{
    if (row->next == NO_VALUE)
        snprintf(text, CELL, "%s", json ? "null" : "-");
    else /* tenths */
        snprintf(text, CELL, "%lld.%lld", row->next / 1000,
                 row->next / 100 % 10);
}

static void write_heads(FILE *out)
{
    const char *name;

    fprintf(out, "pid\tname\tfd\tlocal\tremote\tstate\t");
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        find_column(i, &name);
        fprintf(out, "%s\t", name);
    }
    fprintf(out, "next\n");
}

static void write_row(FILE *out, const struct socket_row *row)
{
    char printable[PRINTABLE];
    char text[CELL];
    const char *name;

    fprintf(out, "%d", row->pid);
    if (row->others > 0)
        fprintf(out, "+%d", row->others);
    make_printable(printable, row->name[0] != '\0' ? row->name : "-");
    for (char *c = printable; *c != '\0'; c++)
        if (*c == ' ') /* a blank would begin another column */
            *c = '_';
    write_address(text, &row->local);
    fprintf(out, "\t%s\t%d\t%s\t", printable, row->fd, text);
    write_address(text, &row->remote);
    fprintf(out, "%s\t%s\t", text, states[row->state]);
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        int option = find_column(i, &name);

        if (row->before[option] != row->after[option]) {
            write_value(text, CELL, option, row->before[option], false);
            fprintf(out, "%s->", text);
        }
        write_value(text, CELL, option, row->after[option], false);
        fprintf(out, "%s\t", text);
    }
    write_next(text, row, false);
    fprintf(out, "%s\n", text);
}

/* Prints lines of cells that end with a tab, the last with a newline, so that
 * the columns are aligned. */
static void print_aligned(const char *text)
{
    enum { COLUMNS = 16 };
    int widths[COLUMNS] = {0};
    int column = 0;

    for (int pass = 0; pass < 2; pass++)
        for (const char *cell = text; *cell != '\0';) {
            int length = (int)strcspn(cell, "\t\n");
            bool last = cell[length] == '\n';
            int width = 0;

            for (int i = 0; i < length; i++) /* characters of UTF-8 */
                width += ((unsigned char)cell[i] & 0xc0) != 0x80;
            if (widths[column] < width)
                widths[column] = width;
            if (pass == 1)
                printf("%.*s%*s", length, cell,
                       last ? 0 : widths[column] - width + 2, last ? "\n" : "");
            column = last ? 0 : column + 1;
            cell += length + 1;
        }
}

static void print_table(const struct socket_table *table)
{
    char *text = NULL;
    size_t size;
    FILE *out;

    if (table->shown == 0)
        return;
    out = open_memstream(&text, &size);
    if (out == NULL)
        err(STATUS_FAILED, NULL);
    write_heads(out);
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].shown)
            write_row(out, &table->rows[i]);
    if (fclose(out) != 0)
        err(STATUS_FAILED, NULL);
    print_aligned(text);
    free(text);
}

static void print_json_row(const struct socket_row *row, bool changes)
{
    const char *comma = "";
    const char *name;
    char text[CELL];

    printf("{\"pid\": %d, \"name\": ", row->pid);
    print_json_text(row->name, strlen(row->name));
    write_address(text, &row->local);
    printf(", \"others\": %d, \"fd\": %d, \"local\": \"%s\", \"remote\": ",
           row->others, row->fd, text);
    printf(write_address(text, &row->remote) ? "\"%s\"" : "null", text);
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

static void print_json(const struct socket_table *table)
{
    const char *comma = "\n";

    putchar('[');
    for (size_t i = 0; i < table->count; i++) {
        if (!table->rows[i].shown)
            continue;
        printf("%s", comma);
        print_json_row(&table->rows[i], is_wanted(&table->request->wanted));
        comma = ",\n";
    }
    puts("\n]");
}

void print_sockets(const struct socket_table *table)
{
    if (table->request->json)
        print_json(table);
    else
        print_table(table);
}
