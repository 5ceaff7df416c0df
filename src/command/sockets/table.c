/*
 * table.c - the table of sockets, as text and as JSON
 * SPDX-License-Identifier: MIT
 */
#include "sockets/table.h"

#include "flags.h"
#include "text.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* tcpi_state, numbered as in the kernel's include/net/tcp_states.h */
static const char *const states[] = {
    "unknown",    "established", "syn-sent",  "syn-recv",
    "fin-wait-1", "fin-wait-2",  "time-wait", "closed",
    "close-wait", "last-ack",    "listen",    "closing",
};

/* An IPv6 address, its scope, brackets and a port */
enum { CELL = INET6_ADDRSTRLEN + sizeof("[%4294967295]:65535") };

/* What is written: the head of the table, a row of it, or an object of JSON. */
struct sheet {
    FILE *out;
    enum { HEAD, ROW, OBJECT } form;
    bool first;   /* the next cell is that of its row or object */
    bool objects; /* there is one already */
};

/* Writes a cell, or a member of an object; NULL: it is empty. */
static void put_cell(struct sheet *sheet, const char *head, const char *text,
                     bool quoted)
{
    bool json = sheet->form == OBJECT;
    const char *quote = json && quoted && text != NULL ? "\"" : "";

    if (json)
        fprintf(sheet->out, "%s\"%s\": %s", sheet->first ? "" : ", ", head,
                quote);
    else if (!sheet->first)
        putc('\t', sheet->out);
    sheet->first = false;
    if (sheet->form == HEAD)
        text = head;
    else if (text == NULL)
        text = json ? "null" : "-";
    if (quoted)
        put_text(sheet->out, text, strlen(text), json);
    else
        fputs(text, sheet->out);
    if (*quote != '\0')
        putc('"', sheet->out);
}

static void put_address(struct sheet *sheet, const char *head,
                        const union address *address)
{
    const struct sockaddr_in6 *inet6 = &address->inet6;
    const unsigned char *byte = (const unsigned char *)&address->inet.sin_addr;
    char text[CELL];
    char *end = text;
    char scope[sizeof("%4294967295")] = "";
    char host[INET6_ADDRSTRLEN];

    if (address->any.sa_family == AF_INET) {
        for (int i = 0; i < 4; i++) {
            end = write_number(end, byte[i]);
            *end++ = (char)(i < 3 ? '.' : ':');
        }
        write_number(end, ntohs(address->inet.sin_port));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &inet6->sin6_addr, host, sizeof(host));
        if (inet6->sin6_scope_id != 0)
            snprintf(scope, sizeof(scope), "%%%u", inet6->sin6_scope_id);
        snprintf(text, CELL, "[%s%s]:%d", host, scope, ntohs(inet6->sin6_port));
    }
    put_cell(sheet, head, address->any.sa_family == AF_UNSPEC ? NULL : text,
             true);
}

/* Writes the values, in a table with those before; or only those before that
 * are others now. */
static void put_columns(struct sheet *sheet, const struct socket_row *row,
                        bool changed)
{
    for (int i = 0; i < KEEPALIVE_OPTIONS; i++) {
        const char *name;
        int option = find_column(i, &name);
        int before = row->before[option];
        int after = row->after[option];
        char text[2 * VALUE_SIZE + 2];
        char *end = text;

        if (changed && before == after)
            continue;
        if (sheet->form == ROW && before != after) {
            write_value(text, option, before, false);
            end = stpcpy(text + strlen(text), "->");
        }
        write_value(end, option, changed ? before : after,
                    sheet->form == OBJECT);
        put_cell(sheet, name, text, false);
    }
}

static void put_row(struct sheet *sheet, const struct socket_row *row,
                    bool changes)
{
    bool json = sheet->form == OBJECT;
    char text[CELL];
    char *end;

    if (json)
        fputs(sheet->objects ? ",\n{" : "\n{", sheet->out);
    sheet->objects = json;
    sheet->first = true;
    end = write_number(text, row->pid);
    if (!json && row->others > 0) {
        *end++ = '+';
        write_number(end, row->others);
    }
    put_cell(sheet, "pid", text, false);
    put_cell(sheet, "name", json || row->name[0] != '\0' ? row->name : NULL,
             true);
    if (json) {
        write_number(text, row->others);
        put_cell(sheet, "others", text, false);
    }
    write_number(text, row->fd);
    put_cell(sheet, "fd", text, false);
    put_address(sheet, "local", &row->local);
    put_address(sheet, "remote", &row->remote);
    put_cell(sheet, "state", states[row->state], true);
    put_columns(sheet, row, false);
    end = write_number(text, (int)(row->next / 1000));
    *end++ = '.';
    write_number(end, (int)(row->next / 100 % 10));
    put_cell(sheet, "next", row->next == NO_VALUE ? NULL : text, false);
    if (changes) {
        fputs(", \"before\": {", sheet->out);
        sheet->first = true;
        put_columns(sheet, row, true);
        putc('}', sheet->out);
    }
    putc(json ? '}' : '\n', sheet->out);
}

/* Prints lines of cells, a tab between them, so that the columns are aligned. A
 * blank would begin another column, so it becomes _. */
static void print_aligned(const char *text)
{
    enum { COLUMNS = 16 };
    int widths[COLUMNS] = {0}; /* in characters of UTF-8 */
    char line[COLUMNS * 2 * CELL];

    for (int pass = 0; pass < 2; pass++) {
        char *end = line;
        int column = 0;
        int width = 0;

        for (const char *from = text; *from != '\0'; from++) {
            if (*from != '\t' && *from != '\n') {
                *end++ = (char)(*from == ' ' ? '_' : *from);
                width += ((unsigned char)*from & 0xc0) != 0x80;
                continue;
            }
            if (widths[column] < width)
                widths[column] = width;
            for (; *from == '\t' && width < widths[column] + 2; width++)
                *end++ = ' ';
            column = *from == '\t' ? column + 1 : 0;
            width = 0;
            if (column > 0)
                continue;
            *end++ = '\n';
            if (pass == 1)
                fwrite(line, 1, (size_t)(end - line), stdout);
            end = line;
        }
    }
}

void print_table(const struct socket_table *table)
{
    static const struct socket_row none;
    bool json = table->request->given['j'] != NULL;
    char *text;
    size_t size;
    struct sheet sheet = {.out = open_memstream(&text, &size),
                          .form = json ? OBJECT : HEAD};

    if (sheet.out == NULL)
        err(STATUS_FAILED, NULL);
    if (!json && table->shown > 0) {
        put_row(&sheet, &none, false);
        sheet.form = ROW;
    }
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].shown)
            put_row(&sheet, &table->rows[i],
                    json && is_wanted(&table->request->wanted));
    if (fclose(sheet.out) != 0)
        err(STATUS_FAILED, NULL);
    if (json)
        printf("[%s\n]\n", text);
    else
        print_aligned(text);
    free(text);
}
