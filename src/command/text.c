/*
 * text.c - text from outside, for a terminal and as JSON
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Is there a character of UTF-8, with at most `left` bytes, see RFC 3629?
 * Stores its size and number, or those of a byte that is none.
 */
static bool read_character(const char *text, size_t left, size_t *size,
                           unsigned *number)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned first = (unsigned char)*text;
    size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned its = bytes == 1 ? first : first & (0x7f >> bytes);

    *size = 1;
    *number = first;
    for (size_t i = 1; i < bytes; i++) {
        if (i >= left || ((unsigned char)text[i] & 0xc0) != 0x80)
            return false;
        its = its << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if ((first >= 0x80 && first < 0xc0) || first > 0xf4 || its < least[bytes] ||
        its > 0x10ffff || (its >= 0xd800 && its <= 0xdfff))
        return false;
    *size = bytes;
    *number = its;
    return true;
}

void put_text(FILE *out, const char *text, size_t length, bool json)
{
    const char *end = text + length;
    const char *plain = text; /* from here on it is printed as it is */
    unsigned number;
    size_t size;

    for (; text < end; text += size) {
        bool bad =
            !read_character(text, (size_t)(end - text), &size, &number) ||
            number < ' ' || (number >= 0x7f && number <= 0x9f);

        if (!bad && (!json || (number != '"' && number != '\\')))
            continue;
        fwrite(plain, 1, (size_t)(text - plain), out);
        plain = text + size;
        if (bad && json)
            fprintf(out, "\\u%04x", number);
        else if (bad)
            putc('?', out);
        else
            fprintf(out, "\\%c", (int)number);
    }
    fwrite(plain, 1, (size_t)(end - plain), out);
}

void print_json_text(const char *text, size_t length)
{
    putchar('"');
    put_text(stdout, text, length, true);
    putchar('"');
}

static void put_line(FILE *out, const char *format, va_list arguments)
{
    char line[3 * PATH_MAX];

    /* clang-tidy 14 does not see that va_start() initializes */
    vsnprintf(line, sizeof(line), format, arguments); /* NOLINT */
    put_text(out, line, strlen(line), false);
    putc('\n', out);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_line(stdout, format, arguments);
    va_end(arguments);
}

void complain(const char *format, ...)
{
    static char buffer[4 * PATH_MAX]; /* above that of a line */
    va_list arguments;

    setvbuf(stderr, buffer, _IOLBF, sizeof(buffer)); /* one write(2) a line */
    va_start(arguments, format);
    fputs("keepalive: ", stderr);
    put_line(stderr, format, arguments);
    va_end(arguments);
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

bool is_named(const char *path, const char *name)
{
    return strcmp(path, name) == 0 || strcmp(base_name(path), name) == 0;
}

char *write_number(char *text, int number)
{
    unsigned left = number < 0 ? -(unsigned)number : (unsigned)number;
    char *end;

    if (number < 0)
        *text++ = '-';
    end = text + 1;
    for (unsigned more = left / 10; more > 0; more /= 10)
        end++;
    *end = '\0';
    for (char *digit = end; digit > text; left /= 10)
        *--digit = (char)('0' + left % 10);
    return end;
}
