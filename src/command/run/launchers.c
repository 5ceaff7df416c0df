/*
 * launchers.c - commands that run another, and scripts
 * SPDX-License-Identifier: MIT
 */
#include "run/launchers.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool find_in_path(const char *name, char path[PATH_MAX])
{
    const char *list = getenv("PATH");
    const char *end;

    if (strchr(name, '/') != NULL)
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    for (list = list == NULL ? "/bin:/usr/bin" : list;; list = end + 1) {
        struct stat status;
        int length;

        end = strchrnul(list, ':');
        length = (int)(end - list);
        /* An empty element is the current directory. */
        if (snprintf(path, PATH_MAX, "%.*s%s%s", length, list,
                     length > 0 ? "/" : "", name) < PATH_MAX &&
            stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            access(path, X_OK) == 0)
            return true;
        if (*end == '\0')
            return false;
    }
}

/*
 * Makes the words that stand for those of `env -S`: a first one to be skipped,
 * those of the line, split at its blanks, and the rest.
 */
static void split(struct words *words, const char *line, char *const *rest)
{
    int count = 0;

    words->list[count++] = words->text;
    snprintf(words->text, sizeof(words->text), "%s", line);
    for (char *word = strtok(words->text, " \t");
         word != NULL && count < WORDS - 1; word = strtok(NULL, " \t"))
        words->list[count++] = word;
    while (*rest != NULL && count < WORDS - 1)
        words->list[count++] = *rest++;
    words->list[count] = NULL;
}

enum { HEAD_LINE = 256 }; /* bytes that the kernel reads of a script */

bool read_script(int fd, struct words *words)
{
    ssize_t length = pread(fd, words->text, HEAD_LINE - 1, 0);
    char *name = words->text + 2;
    char *rest;

    if (length < 2 || memcmp(words->text, "#!", 2) != 0)
        return false;
    words->text[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    name += strspn(name, " \t");
    rest = name + strcspn(name, " \t");
    if (*rest != '\0')
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    words->list[0] = name;
    words->list[1] = *rest != '\0' ? rest : NULL;
    words->list[2] = NULL;
    return *name != '\0';
}

/* A command that runs another, and what its words mean. */
static const struct launcher {
    const char *name;
    const char *letters;  /* options that take an argument */
    const char *options;  /* the same, long, in the same order */
    int operands;         /* before the command */
    bool assignments;     /* words with = before it, as env(1) has them */
    bool cleans;          /* passes on no environment */
    const char *cleaning; /* options by which it does so, */
    const char *cleaning_options; /* and the long ones */
} launchers[] = {
    {"env", "uCS", " unset chdir split-string ", 0, true, false, "i",
     " ignore-environment "},
    {"nohup", "", "", 0, false, false, "", ""},
    {"nice", "n", " adjustment ", 0, false, false, "", ""},
    {"setsid", "", "", 0, false, false, "", ""},
    {"timeout", "ks", " kill-after signal ", 1, false, false, "", ""},
    {"sudo", "", "", 0, false, true, "", ""},
    {"doas", "", "", 0, false, true, "", ""},
    {"pkexec", "", "", 0, false, true, "", ""},
    {"su", "cgGsw", "", 0, false, false, "l", " login "},
    {"runuser", "cgGsw", "", 0, false, false, "l", " login "},
    {"setpriv", "", "", 0, false, false, "", " reset-env "},
};

const struct launcher *find_launcher(const char *path)
{
    for (size_t i = 0; i < sizeof(launchers) / sizeof(*launchers); i++)
        if (is_named(path, launchers[i].name))
            return &launchers[i];
    return NULL;
}

/*
 * The place in a list of words, each between blanks, of the first that begins
 * with these bytes; -1 if none does. Long options may be shortened.
 */
static int find_listed(const char *list, const char *word, size_t length)
{
    int place = 0;

    for (; (list = strchr(list, ' ')) != NULL && list[1] != '\0'; list++)
        if (length > 0 && strncmp(list + 1, word, length) == 0)
            return place;
        else
            place++;
    return -1;
}

/* An option of a launcher. */
struct read_option {
    char letter;       /* 0 if it takes no argument */
    const char *value; /* its argument, "" if there is none */
    int words;         /* one, or two with the argument */
    bool cleans;
};

static struct read_option read_option(const struct launcher *launcher,
                                      char *const *command)
{
    struct read_option option = {.value = "", .words = 1};
    const char *word = *command + 1;
    const char *value = NULL;

    if (*word == '-') {
        size_t length = strcspn(++word, "=");
        int place = find_listed(launcher->options, word, length);

        option.cleans =
            find_listed(launcher->cleaning_options, word, length) >= 0;
        if (place >= 0)
            option.letter = launcher->letters[place];
        if (word[length] == '=')
            value = word + length + 1;
    } else {
        /* a lone - cleans, as in `env -` and `su -` */
        option.cleans = *word == '\0' && launcher->cleaning[0] != '\0';
        for (; *word != '\0' && option.letter == 0; word++) {
            if (strchr(launcher->cleaning, *word) != NULL)
                option.cleans = true;
            if (strchr(launcher->letters, *word) != NULL)
                option.letter = *word;
        }
        if (*word != '\0')
            value = word;
    }
    if (option.letter != 0 && value == NULL && command[1] != NULL) {
        value = command[1];
        option.words = 2;
    }
    if (value != NULL)
        option.value = value;
    return option;
}

char *const *follow_launcher(const struct launcher *launcher,
                             char *const *command, struct words *words,
                             bool *clean)
{
    int operands = launcher->operands;
    bool split_before = command >= words->list && command < words->list + WORDS;

    *clean = launcher->cleans;
    for (command++; *command != NULL; command++) {
        const char *word = *command;

        if (word[0] == '-' && strcmp(word, "--") != 0) {
            struct read_option option = read_option(launcher, command);

            *clean = *clean || option.cleans;
            command += option.words - 1;
            if (!launcher->assignments)
                continue;
            if (option.letter == 'u' && strcmp(option.value, "LD_PRELOAD") == 0)
                *clean = true;
            if (option.letter == 'S') {
                if (split_before)
                    return NULL;
                split(words, option.value, command + 1);
                split_before = true;
                command = words->list;
            }
        } else if (launcher->assignments && strchr(word, '=') != NULL) {
            if (strncmp(word, "LD_PRELOAD=", 11) == 0)
                *clean = true;
        } else if (strcmp(word, "--") != 0 && operands-- <= 0) {
            return command;
        }
    }
    return NULL;
}
