/*
 * plugin.c - libraries that are difficult company
 * SPDX-License-Identifier: MIT
 *
 *     PLUGIN     Its constructor starts a thread that makes a socket, and waits
 *                for its end.
 *     LOADER     Its constructor leaves an error for dlerror(3), makes a socket
 *                and prints whether the error is still there; then it loads the
 *                plugin, whose path is in the environment.
 *     FORWARD    Its socket() says so and calls the next one.
 *     REFUSE     Its socket() fails; with IFUNC it comes from a resolver.
 *     ALLOCATOR  Its malloc() makes a socket each time, and ends the program if
 *                that does not have the idle time of 222.
 *     NAIVE      Its dlsym() takes its time, then finds the first definition,
 *                whoever asks.
 *     AUDIT      Prints what libkeepalive.so looks up by dlsym(3), see
 *                rtld-audit(7).
 *
 * Each socket of the first two is set to an idle time of 60 and prints the one
 * that it has then.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(FORWARD)

int socket(int family, int type, int protocol)
{
    int (*next)(int, int, int);
    void *found = dlsym(RTLD_NEXT, "socket");

    memcpy(&next, &found, sizeof(next));
    dprintf(STDOUT_FILENO, "forwarded\n");
    return next(family, type, protocol);
}

#elif defined(REFUSE)

static int refuse(int family, int type, int protocol)
{
    (void)family, (void)type, (void)protocol;
    errno = EPROTO;
    return -1;
}

#ifdef IFUNC
static int (*resolve(void))(int, int, int)
{
    return refuse;
}

int socket(int family, int type, int protocol)
    __attribute__((ifunc("resolve")));
#else
int socket(int family, int type, int protocol)
{
    return refuse(family, type, protocol);
}
#endif

#elif defined(ALLOCATOR)

enum { SIZE = 64 << 20, ALIGNMENT = 16 };

static _Alignas(ALIGNMENT) char arena[SIZE];
static atomic_size_t used;

static void check_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), idle = -1;
    socklen_t size = sizeof(idle);

    getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size);
    if (idle != 222)
        _exit(1);
    close(fd);
}

/* The size stands before each block. Nothing is used again. */
void *malloc(size_t size)
{
    size_t all = (size + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *block = arena + atomic_fetch_add(&used, all);

    if (block + all > arena + SIZE)
        _exit(2);
    *(size_t *)(void *)block = size;
    check_socket();
    return block + ALIGNMENT;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *old, size_t size)
{
    char *block = malloc(size);
    size_t before =
        old != NULL ? *(size_t *)(void *)((char *)old - ALIGNMENT) : 0;

    for (size_t i = 0; i < size && i < before; i++)
        block[i] = ((char *)old)[i];
    return block;
}

#elif defined(NAIVE)

void *dlsym(void *restrict handle, const char *restrict name)
{
    (void)handle;
    usleep(100000);
    if (strcmp(name, "socket") == 0)
        return (void *)(uintptr_t)socket;
    if (strcmp(name, "setsockopt") == 0)
        return (void *)(uintptr_t)setsockopt;
    return NULL;
}

#elif defined(AUDIT)

unsigned la_version(unsigned version)
{
    return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)space;
    *cookie = (uintptr_t)map;
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

static void print_lookup(const uintptr_t *from, unsigned flags,
                         const char *name)
{
    const struct link_map *map = (const struct link_map *)*from;

    if ((flags & LA_SYMB_DLSYM) != 0 &&
        strstr(map->l_name, "libkeepalive.so") != NULL)
        dprintf(STDOUT_FILENO, "dlsym: %s\n", name);
}

#if __ELF_NATIVE_CLASS == 64
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
                       uintptr_t *to, unsigned *flags, const char *name)
#else
uintptr_t la_symbind32(Elf32_Sym *symbol, unsigned index, uintptr_t *from,
                       uintptr_t *to, unsigned *flags, const char *name)
#endif
{
    (void)index, (void)to;
    print_lookup(from, *flags, name);
    return symbol->st_value;
}

#else

static void *make_socket(void *label)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int error = errno, idle = -1;
    socklen_t size = sizeof(idle);

    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){60}, sizeof(int));
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
#endif
