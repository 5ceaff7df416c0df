/*
 * bench.c - the work that bench.sh measures
 * SPDX-License-Identifier: MIT
 *
 *     bench make KIND COUNT            makes and closes COUNT sockets
 *     bench threads KIND WIDTH COUNT   the same in WIDTH threads, COUNT each;
 *                                      prints nanoseconds a socket
 *     bench requests COUNT             connects to a server of its own, sends a
 *                                      byte, reads it back; nanoseconds each
 *     bench start COUNT LIBRARY...     starts true COUNT times behind each
 *                                      LIBRARY in turn (- for none); prints the
 *                                      median of each in nanoseconds
 *
 * KIND is tcp, udp, local, own (tcp, and the program sets the four options
 * itself) or set (tcp, and it sets one of them).
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIBRARIES = 8, WIDTH = 64 };

static const char *kind;
static long count;
static pthread_barrier_t start_line;

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value));
}

static void make_one(void)
{
    int family = *kind == 'l' ? AF_UNIX : AF_INET;
    int fd = socket(family, *kind == 'u' ? SOCK_DGRAM : SOCK_STREAM, 0);

    if (*kind == 'o') {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 240);
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 30);
    }
    if (*kind == 's')
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    close(fd);
}

static void *make_all(void *unused)
{
    if (unused != NULL)
        pthread_barrier_wait(&start_line);
    for (long i = 0; i < count; i++)
        make_one();
    return NULL;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void in_threads(int width)
{
    pthread_t threads[WIDTH];
    double begin;

    pthread_barrier_init(&start_line, NULL, (unsigned)width + 1);
    for (int i = 0; i < width; i++)
        pthread_create(&threads[i], NULL, make_all, &start_line);
    pthread_barrier_wait(&start_line);
    begin = now();
    for (int i = 0; i < width; i++)
        pthread_join(threads[i], NULL);
    printf("%.0f\n", (now() - begin) / (double)(count * width));
}

static void *serve(void *listener)
{
    char byte;

    for (long i = 0; i < count; i++) {
        int fd = accept(*(int *)listener, NULL, NULL);

        if (read(fd, &byte, 1) != 1 || write(fd, &byte, 1) != 1)
            perror("server");
        close(fd);
    }
    return NULL;
}

/* The client's sockets are made beforehand: socket() has rows of its own. */
static void requests(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int *clients = malloc((size_t)count * sizeof(*clients));
    pthread_t server;
    double begin;
    char byte = 'x';

    if (clients == NULL || bind(listener, (struct sockaddr *)&address, size) ||
        listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("bench");
        exit(EXIT_FAILURE);
    }
    for (long i = 0; i < count; i++)
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    pthread_create(&server, NULL, serve, &listener);
    begin = now();
    for (long i = 0; i < count; i++)
        if (connect(clients[i], (struct sockaddr *)&address, size) < 0 ||
            write(clients[i], &byte, 1) != 1 || read(clients[i], &byte, 1) != 1)
            perror("client");
    printf("%.0f\n", (now() - begin) / (double)count);
    pthread_join(server, NULL);
    free(clients);
}

static int by_value(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;

    return (difference > 0) - (difference < 0);
}

static double start_once(const char *library)
{
    char preload[4096];
    char *argv[] = {(char *)"true", NULL}, *envp[] = {preload, NULL};
    double begin;
    pid_t child;
    int status;

    if (strcmp(library, "-") == 0)
        envp[0] = NULL;
    else
        snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
    begin = now();
    if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, envp) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        perror("true");
    return now() - begin;
}

static void starts(char *const libraries[], int number)
{
    double *times = malloc((size_t)(count * number) * sizeof(*times));

    if (times == NULL)
        exit(EXIT_FAILURE);
    /* In turn, so that a busy minute of the machine is everybody's. */
    for (long i = 0; i < count; i++)
        for (int j = 0; j < number; j++)
            times[j * count + i] = start_once(libraries[j]);
    for (int j = 0; j < number; j++) {
        qsort(times + j * count, (size_t)count, sizeof(*times), by_value);
        printf("%.0f\n", times[j * count + count / 2]);
    }
    free(times);
}

int main(int argc, char *argv[])
{
    const char *work = argc > 1 ? argv[1] : "";

    if (argc == 4 && strcmp(work, "make") == 0) {
        kind = argv[2];
        count = atol(argv[3]);
        make_all(NULL);
    } else if (argc == 5 && strcmp(work, "threads") == 0) {
        kind = argv[2];
        count = atol(argv[4]);
        in_threads(atoi(argv[3]) < WIDTH ? atoi(argv[3]) : WIDTH);
    } else if (argc == 3 && strcmp(work, "requests") == 0) {
        count = atol(argv[2]);
        requests();
    } else if (argc > 3 && strcmp(work, "start") == 0) {
        count = atol(argv[2]);
        starts(argv + 3, argc - 3);
    } else {
        fprintf(stderr, "usage: see the head of bench.c\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
