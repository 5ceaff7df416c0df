/*
 * fuzz_settings.c - settings.c under libFuzzer
 * SPDX-License-Identifier: MIT
 *
 * The input is an environment, its entries separated by newlines. Whatever it
 * holds, the settings stay within the table and a complaint is one clean line.
 */
#include "keepalive.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 64 };

/* Keepalive is on or there are no values; each is one of its row, in the
 * kernel's unit, and in the rows' order.
 */
static void check_settings(const struct keepalive *settings)
{
    int row = 0;

    if (settings->count < 0 || settings->count > KEEPALIVE_OPTIONS)
        abort();
    if (settings->count > 0 && settings->values[0].option != SO_KEEPALIVE)
        abort();
    for (int i = 0; i < settings->count; i++, row++) {
        const struct keepalive_value *v = &settings->values[i];
        const struct keepalive_option *option;

        while (row < KEEPALIVE_OPTIONS &&
               (keepalive_options[row].level != v->level ||
                keepalive_options[row].option != v->option))
            row++;
        if (row == KEEPALIVE_OPTIONS)
            abort();
        option = &keepalive_options[row];
        if (v->value % option->scale != 0 || v->value == 0 ||
            v->value / option->scale < option->least ||
            v->value / option->scale > option->most)
            abort();
    }
}

static void check_complaint(int row, const char *text)
{
    char line[KEEPALIVE_COMPLAINT];
    size_t size = keepalive_complaint(line, row, text);

    if (size > sizeof(line) || line[size - 1] != '\n')
        abort();
    for (size_t i = 0; i < size - 1; i++)
        if (line[i] < ' ' || line[i] > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    char *environment[ENTRIES + 1];
    const char *bad[KEEPALIVE_OPTIONS];
    struct keepalive settings;
    bool found;
    int count = 0;

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    for (char *entry = copy; entry != NULL && count < ENTRIES;) {
        char *end = strchr(entry, '\n');

        if (end != NULL)
            *end++ = '\0';
        environment[count++] = entry;
        entry = end;
    }
    environment[count] = NULL;
    found = keepalive_settings(&settings, environment, bad);
    check_settings(&settings);
    for (int i = 0; found && i < KEEPALIVE_OPTIONS; i++)
        if (bad[i] != NULL)
            check_complaint(i, bad[i]);
    free(copy);
    return 0;
}
