/*
 * plugin.c - libraries that are difficult company before main()
 * SPDX-License-Identifier: MIT
 *
 *     PLUGIN   its constructor starts a thread that makes a socket, and joins
 * it LOADER   its constructor leaves an error for dlerror(3), makes a socket,
 *              and prints whether the error is still there; then it loads the
 *              plugin, whose path is in the environment
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void *make_socket(void *label)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int error = errno, idle = -1;
    socklen_t size = sizeof(idle);

    if (fd < 0)
        dprintf(STDOUT_FILENO, "%s: errno %d\n", (const char *)label, error);
    else if (getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size) == 0)
        dprintf(STDOUT_FILENO, "%s: idle %d\n", (const char *)label, idle);
    close(fd);
    return NULL;
}

#ifdef PLUGIN
__attribute__((constructor)) static void construct(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, make_socket, "thread of the plugin");
    pthread_join(thread, NULL);
}
#else
__attribute__((constructor(101))) static void construct(void)
{
    void *nothing = dlopen("libnothing-of-this-name.so", RTLD_NOW);

    make_socket("constructor");
    dprintf(STDOUT_FILENO, "message: %s\n",
            nothing == NULL && dlerror() != NULL ? "kept" : "lost");
    if (dlopen(getenv("PLUGIN"), RTLD_NOW) == NULL)
        dprintf(STDOUT_FILENO, "%s\n", dlerror());
}
#endif
