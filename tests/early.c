/*
 * early.c - a library whose constructor makes sockets in 64 threads
 * SPDX-License-Identifier: MIT
 *
 * Preloaded behind libkeepalive.so its constructor runs before the other's.
 * It prints how many of the sockets had keepalive on and an idle time of 222.
 * With EARLY=1 in the environment there is one thread.
 */
#include "sockets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 64, ROUNDS = 50 };

static pthread_barrier_t start;

static void *make_sockets(void *kept)
{
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (fd >= 0 && option_of(fd, KEEPALIVE_SWITCH) == 1 &&
            option_of(fd, KEEPALIVE_IDLE) == 222)
            ++*(int *)kept;
        close(fd);
    }
    return NULL;
}

__attribute__((constructor(101))) static void early(void)
{
    pthread_t threads[THREADS];
    int kept[THREADS] = {0};
    const char *wanted = getenv("EARLY");
    int count = wanted != NULL && *wanted == '1' ? 1 : THREADS;
    int all = 0;

    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, make_sockets, &kept[i]);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        all += kept[i];
    }
    pthread_barrier_destroy(&start);
    dprintf(STDOUT_FILENO, "early: %d of %d\n", all, count * ROUNDS);
}
