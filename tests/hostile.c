/*
 * hostile.c - a program that makes its sockets at the worst moments
 * SPDX-License-Identifier: MIT
 *
 *     hostile MOMENT
 *
 * Started with the library and KEEPCNT=11 KEEPIDLE=222 KEEPINTVL=33. Status 0:
 * every socket was made and has these values, and socket() left errno alone. A
 * wrong one is named on standard error. What hangs is ended by SIGALRM.
 */
#include "sockets.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SECONDS = 60,     /* until SIGALRM */
    UNTOUCHED = 4242, /* an errno that nobody sets */
    BUSY = 4,         /* threads */
    FORKS = 3000,
    INTERRUPTIONS = 2000,
    SOCKETS = 20000,
};

static const int ours[] = {[KEEPALIVE_SWITCH] = 1,
                           [KEEPALIVE_COUNT] = 11,
                           [KEEPALIVE_IDLE] = 222,
                           [KEEPALIVE_INTERVAL] = 33};

/* Makes a socket and compares its options; async-signal-safe. */
static bool is_ours_from(int (*make)(int, int, int))
{
    int saved = errno, fd;
    bool good;

    errno = UNTOUCHED;
    fd = make(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = fd >= 0 && errno == UNTOUCHED;
    for (int i = 0; good && i < (int)(sizeof(ours) / sizeof(*ours)); i++)
        good = option_of(fd, i) == ours[i];
    close(fd);
    errno = saved;
    return good;
}

static bool is_ours(void)
{
    return is_ours_from(socket);
}

static bool child_succeeds(pid_t child)
{
    int status;

    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Handlers may not return a value. */
static volatile sig_atomic_t handled, wrong;

static void handler(int number)
{
    (void)number;
    handled++;
    if (!is_ours())
        wrong++;
}

static bool signal_handler(void)
{
    struct sigaction action = {.sa_handler = handler};

    return sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 &&
           handled == 1 && wrong == 0;
}

static atomic_bool stop;

static void *interrupt(void *thread)
{
    while (!stop) {
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
        usleep(50);
    }
    return NULL;
}

/* The handler's socket() in the middle of the program's own. */
static bool interrupted(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    pthread_t thread, self = pthread_self();
    bool good = true;

    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, interrupt, &self);
    while (good && handled < INTERRUPTIONS)
        good = is_ours();
    stop = true;
    pthread_join(thread, NULL);
    return good && wrong == 0;
}

static bool vfork_child(void)
{
    pid_t child = vfork();

    if (child == 0)
        _exit(is_ours() ? 0 : 1);
    return child_succeeds(child) && is_ours();
}

/* Holds whatever lock there is around an allocation, a look-up, a socket. */
static void *be_busy(void *argument)
{
    (void)argument;
    while (!stop) {
        void *memory = malloc(4096);

        dlsym(RTLD_DEFAULT, "socket");
        close(socket(AF_INET, SOCK_STREAM, 0));
        free(memory);
        usleep(1); /* or the forks take most of their time waiting for us */
    }
    return NULL;
}

static bool forked_children(void)
{
    pthread_t threads[BUSY];
    bool good = true;

    for (int i = 0; i < BUSY; i++)
        pthread_create(&threads[i], NULL, be_busy, NULL);
    for (int i = 0; good && i < FORKS; i++) {
        pid_t child = fork();

        if (child == 0) {
            alarm(SECONDS / 4);
            _exit(is_ours() ? 0 : 1);
        }
        good = child_succeeds(child);
    }
    stop = true;
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
    return good;
}

/* From now on setsockopt() ends as the filter wants it. */
static bool filter(unsigned action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The socket is there, without options, and nobody hears of the refusal. */
static bool makes_plain_socket(void)
{
    int fd;
    bool good;

    errno = UNTOUCHED;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    good =
        fd >= 0 && errno == UNTOUCHED && option_of(fd, KEEPALIVE_SWITCH) == 0;
    close(fd);
    return good;
}

static bool options_refused(void)
{
    return filter(SECCOMP_RET_ERRNO | EPERM) && makes_plain_socket();
}

/* Ends with SIGSYS, unless KEEPALIVE=off. */
static bool options_killed(void)
{
    return filter(SECCOMP_RET_KILL_PROCESS) && makes_plain_socket();
}

/* One descriptor is left: it is the socket's, and the next gets the error. */
static bool last_descriptor(void)
{
    int next = dup(STDERR_FILENO);
    struct rlimit limit = {(rlim_t)next + 1, (rlim_t)next + 1};
    int fd;
    bool good;

    close(next);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || !is_ours())
        return false;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    errno = UNTOUCHED;
    good =
        fd == next && socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EMFILE;
    close(fd);
    return good;
}

static bool no_memory(void)
{
    /* volatile: a compiler may drop an allocation that is not used */
    void *(*volatile allocate)(size_t) = malloc;
    struct rlimit none = {0, 0};

    return setrlimit(RLIMIT_AS, &none) == 0 && allocate(1 << 20) == NULL &&
           is_ours();
}

static void *change_environment(void *argument)
{
    char name[32];

    (void)argument;
    for (unsigned i = 0; !stop; i++) {
        snprintf(name, sizeof(name), "KEEP%u", i % 512);
        setenv(name, "1", 1);
        setenv("KEEPIDLE", i % 2 ? "5" : "a longer value", 1);
        setenv("KEEPALIVE", "off", 1);
        unsetenv("KEEPALIVE");
    }
    return NULL;
}

static bool setenv_meanwhile(void)
{
    pthread_t thread;
    bool good = true;

    pthread_create(&thread, NULL, change_environment, NULL);
    for (int i = 0; good && i < SOCKETS; i++)
        good = is_ours();
    stop = true;
    pthread_join(thread, NULL);
    return good;
}

/* socket() of a second copy of a library, in a namespace of its own. */
static bool in_new_namespace(const char *file, bool expected)
{
    void *library = dlmopen(LM_ID_NEWLM, file, RTLD_NOW);
    void *symbol = library != NULL ? dlsym(library, "socket") : NULL;

    return symbol != NULL &&
           is_ours_from(*(int (**)(int, int, int)) & symbol) == expected;
}

/* A new namespace has no preloaded library, but can have this one loaded. */
static bool dlmopen_beside(void)
{
    return in_new_namespace("libc.so.6", false) &&
           in_new_namespace(getenv("LIBKEEPALIVE"), true) && is_ours();
}

static void print_count(const char *label, const char *directory)
{
    DIR *entries = opendir(directory);
    int count = 0;

    while (entries != NULL && readdir(entries) != NULL)
        count++;
    closedir(entries);
    printf("%s: %d\n", label, count);
}

/* The lines of a file that hold one of the words, or none of them. */
static void print_lines(const char *file, const char *const words[], bool with)
{
    FILE *lines = fopen(file, "r");
    char line[4096];

    while (lines != NULL && fgets(line, sizeof(line), lines) != NULL) {
        bool found = false;

        for (int i = 0; words[i] != NULL; i++)
            found = found || strstr(line, words[i]) != NULL;
        if (found == with)
            /* of a mapping not the addresses, they are random */
            fputs(with || strchr(line, ' ') == NULL ? line : strchr(line, ' '),
                  stdout);
    }
    if (lines != NULL)
        fclose(lines);
}

/* What the process holds, once it has made a socket; for a comparison. */
static bool inventory(void)
{
    static const char *const own[] = {"libkeepalive", NULL};
    static const char *const status[] = {
        "Threads", "SigBlk", "SigIgn", "SigCgt", "FDSize", "Seccomp:", NULL};

    close(socket(AF_INET, SOCK_STREAM, 0));
    print_count("threads", "/proc/self/task");
    print_count("descriptors", "/proc/self/fd");
    print_lines("/proc/self/status", status, true);
    print_lines("/proc/self/maps", own, false);
    /* Only a process of one thread may enter a new user namespace. */
    printf("unshare: %d\n", unshare(CLONE_NEWUSER) < 0 ? errno : 0);
    return true;
}

static const struct moment {
    const char *name;
    bool (*passes)(void);
} moments[] = {
    {"signal_handler", signal_handler},
    {"interrupted", interrupted},
    {"vfork_child", vfork_child},
    {"forked_children", forked_children},
    {"options_refused", options_refused},
    {"options_killed", options_killed},
    {"last_descriptor", last_descriptor},
    {"no_memory", no_memory},
    {"setenv_meanwhile", setenv_meanwhile},
    {"dlmopen_beside", dlmopen_beside},
    {"inventory", inventory},
};

int main(int argc, char *argv[])
{
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        if (argc != 2 || strcmp(argv[1], moments[i].name) != 0)
            continue;
        alarm(SECONDS);
        if (moments[i].passes())
            return 0;
        fprintf(stderr, "hostile: %s\n", argv[1]);
        return 1;
    }
    fprintf(stderr, "usage: see the head of hostile.c\n");
    return 2;
}
