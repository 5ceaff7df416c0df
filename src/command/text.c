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
 * The bytes of the character that begins here, at most `left`, see RFC 3629;
 * 0 if they are not valid UTF-8. Stores its number.
 */
static size_t read_character(const char *text, size_t left, unsigned *number)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned first = (unsigned char)text[0];
    size_t size = first < 0x80    ? 1
                  : first >= 0xf0 ? 4
                  : first >= 0xe0 ? 3
                  : first >= 0xc0 ? 2
                                  : 0;

    if (size == 0 || size > left || first > 0xf4)
        return 0;
    *number = size == 1 ? first : first & (0x7f >> size);
    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        *number = *number << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return *number < least[size] || *number > 0x10ffff ||
                   (*number >= 0xd800 && *number <= 0xdfff)
               ? 0
               : size;
}

static bool is_control(unsigned character)
{
    return character < ' ' || (character >= 0x7f && character <= 0x9f);
}

const char *make_printable(char printable[PRINTABLE], const char *text)
{
    size_t left = strlen(text);
    size_t end = 0;

    while (left > 0) {
        unsigned number;
        size_t size = read_character(text, left, &number);

        if (end + (size > 1 ? size : 1) > PRINTABLE - sizeof("...")) {
            memcpy(printable + end, "...", 3);
            end += 3;
            break;
        }
        if (size == 0 || is_control(number)) {
            printable[end++] = '?';
            size = size > 0 ? size : 1;
        } else {
            memcpy(printable + end, text, size);
            end += size;
        }
        text += size;
        left -= size;
    }
    printable[end] = '\0';
    return printable;
}

void put_text(FILE *out, const char *text, size_t length, bool json)
{
    const char *end = text + length;
    const char *plain = text; /* from here on it is printed as it is */

    while (text < end) {
        unsigned number;
        size_t size = read_character(text, (size_t)(end - text), &number);
        bool bad = size == 0 || is_control(number);

        if (size == 0) {
            number = (unsigned char)*text;
            size = 1;
        }
        if (bad || (json && (number == '"' || number == '\\'))) {
            fwrite(plain, 1, (size_t)(text - plain), out);
            if (bad && json)
                fprintf(out, "\\u%04x", number);
            else if (bad)
                putc('?', out);
            else
                fprintf(out, "\\%c", (int)number);
            plain = text + size;
        }
        text += size;
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
    static char buffer[BUFSIZ];
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
    return strcmp(base_name(path), name) == 0;
}
