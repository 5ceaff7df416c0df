/*
 * early.c - a library that makes sockets before main()
 * SPDX-License-Identifier: MIT
 *
 * Preloaded behind libkeepalive.so its constructor runs before the other's. It
 * starts a thread that makes sockets, waits for its end, and prints whether all
 * of the sockets had keepalive on and an idle time of 222.
 *
 * With EARLY=64 in the environment there are 64 threads, and they go on until
 * main() is over, so also while the other's constructor runs; nothing but
 * libkeepalive.so itself synchronizes them with that.
 */
#include "sockets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 64, ROUNDS = 50 };

static struct maker {
    pthread_t thread;
    int made, lost;
} makers[THREADS];

static int width;
static atomic_bool stop;
static pthread_barrier_t start;

static void make_socket(struct maker *maker)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    maker->made++;
    if (fd < 0 || option_of(fd, KEEPALIVE_SWITCH) != 1 ||
        option_of(fd, KEEPALIVE_IDLE) != 222)
        maker->lost++;
    close(fd);
}

/* Relaxed, or the flag would synchronize the thread with main(). */
static void *make_sockets(void *maker)
{
    pthread_barrier_wait(&start);
    do
        make_socket(maker);
    while (!atomic_load_explicit(&stop, memory_order_relaxed));
    for (int i = 0; i < ROUNDS; i++)
        make_socket(maker);
    return NULL;
}

static void end(void)
{
    int made = 0, lost = 0;

    atomic_store_explicit(&stop, true, memory_order_relaxed);
    for (int i = 0; i < width; i++) {
        pthread_join(makers[i].thread, NULL);
        made += makers[i].made;
        lost += makers[i].lost;
    }
    width = 0;
    if (lost == 0)
        dprintf(STDOUT_FILENO, "early: all kept alive\n");
    else
        dprintf(STDOUT_FILENO, "early: %d of %d lost\n", lost, made);
}

__attribute__((constructor(101))) static void begin(void)
{
    const char *early = getenv("EARLY");

    width = early != NULL ? THREADS : 1;
    pthread_barrier_init(&start, NULL, (unsigned)width);
    for (int i = 0; i < width; i++)
        pthread_create(&makers[i].thread, NULL, make_sockets, &makers[i]);
    if (early == NULL)
        end();
}

__attribute__((destructor)) static void destruct(void)
{
    if (width > 0)
        end();
}
