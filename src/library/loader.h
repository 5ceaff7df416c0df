/*
 * loader.h - what preload.c asks about the objects that the loader has mapped
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_LOADER_H
#define KEEPALIVE_LOADER_H

#include <features.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * 32-bit programs built for 64-bit times (_TIME_BITS, see
 * feature_test_macros(7)) call setsockopt(2) by another name. Only glibc for
 * 32-bit architectures has it.
 */
#if __SIZEOF_LONG__ == 4 && defined(__GLIBC__) && !defined(__x86_64__)
#define SETSOCKOPT64 "__setsockopt64"
#endif

/* The functions that are interposed. */
enum {
    NEXT_SOCKET,
    NEXT_SETSOCKOPT,
#ifdef SETSOCKOPT64
    NEXT_SETSOCKOPT64,
#endif
    NEXT_FUNCTIONS
};

struct objects {
    void *next[NEXT_FUNCTIONS]; /* their next definitions; NULL: none */
    bool again;                 /* another copy of this library comes first */
    uintptr_t data;             /* this library's own writable segment, */
    size_t size;                /* 0 if it is part of something else */
    bool glibc;                 /* the C library is glibc, as far as seen */
};

/*
 * Looks through the loaded objects in the order of symbol search. Finds what
 * dlsym(3) with RTLD_NEXT would find, but takes no lock that is held while
 * constructors run, allocates nothing, and leaves the message of dlerror(3)
 * alone; and before glibc 2.34 not every program has a dlsym(). Other copies of
 * this library are passed over. *objects must be zero at first. See
 * dl_iterate_phdr(3) and elf(5).
 */
void find_objects(struct objects *objects);

#endif
