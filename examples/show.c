/*
 * show.c - makes a TCP socket and prints its keepalive options
 * SPDX-License-Identifier: MIT
 *
 * The test program of the TCP Keepalive HOWTO: it sets nothing itself, so what
 * it prints is what every program gets.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int value_of(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);

    if (getsockopt(fd, level, option, &value, &size) < 0) {
        perror("getsockopt");
        exit(EXIT_FAILURE);
    }
    return value;
}

int main(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    if (fd < 0) {
        perror("socket");
        return EXIT_FAILURE;
    }
    if (!value_of(fd, SOL_SOCKET, SO_KEEPALIVE)) {
        puts("SO_KEEPALIVE is OFF");
        return EXIT_SUCCESS;
    }
    puts("SO_KEEPALIVE is ON");
    printf("TCP_KEEPCNT   = %d\n", value_of(fd, IPPROTO_TCP, TCP_KEEPCNT));
    printf("TCP_KEEPIDLE  = %d\n", value_of(fd, IPPROTO_TCP, TCP_KEEPIDLE));
    printf("TCP_KEEPINTVL = %d\n", value_of(fd, IPPROTO_TCP, TCP_KEEPINTVL));
    return EXIT_SUCCESS;
}
