/*
 * syscall.h - a bare system call, for each architecture
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_SYSCALL_H
#define KEEPALIVE_SYSCALL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* riscv32 and ARC have only the calls with 64-bit times. */
#ifndef SYS_ppoll
#define SYS_ppoll SYS_ppoll_time64
#define SYS_rt_sigtimedwait SYS_rt_sigtimedwait_time64
#endif

/*
 * Makes a system call. Returns what the kernel returned, an error as its
 * negative number, and leaves errno alone; see "Architecture calling
 * conventions" in syscall(2). Neither the C library nor another preloaded
 * library sees the call. Inline, and by the instruction where it is known: that
 * saves the loader a symbol to look up at each start of a program, and works
 * while the loader still relocates this library. By syscall(2) it would crash
 * then, and so would a function with a stack protector whose guard is a symbol
 * of the C library, as on aarch64.
 */
static inline long keepalive_call(long number, long a, long b, long c, long d,
                                  long e)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__)
    register long call __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;

    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth),
                       "r"(fifth)
                     : "memory");
    return first;
#elif defined(__i386__) && (__GNUC__ >= 5 || defined(__clang__))
    /* Older compilers reserve ebx in position-independent code. */
    __asm__ volatile("int $0x80"
                     : "+a"(number)
                     : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return number;
#else
    int saved = errno;
    long result = syscall(number, a, b, c, d, e);

    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
#endif
}

/* The calls for sockets that are needed, by their numbers for socketcall(2). */
enum keepalive_socket_call {
    KEEPALIVE_SOCKET = 1,
    KEEPALIVE_SETSOCKOPT = 14,
    KEEPALIVE_GETSOCKOPT = 15,
};

/* Makes one of them in the same way. */
static inline long keepalive_socket_call(enum keepalive_socket_call call,
                                         long a, long b, long c, long d, long e)
{
#ifdef SYS_socketcall
    /* i386 and some others have had separate calls only since Linux 4.3, and a
     * seccomp filter there may know only this one. */
    long arguments[] = {a, b, c, d, e};

    return keepalive_call(SYS_socketcall, (long)call, (long)arguments, 0, 0, 0);
#else
    return keepalive_call(call == KEEPALIVE_SOCKET       ? SYS_socket
                          : call == KEEPALIVE_SETSOCKOPT ? SYS_setsockopt
                                                         : SYS_getsockopt,
                          a, b, c, d, e);
#endif
}

#endif
