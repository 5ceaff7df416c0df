// traffic.go - a Go program that connects and accepts, and prints what it got
// SPDX-License-Identifier: MIT
//
//	traffic plain      both ends of a connection, with Go's own keepalive off
//	traffic default    the same, as Go makes it
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

func show(label string, conn net.Conn) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		panic(err)
	}
	fmt.Print(label, ":")
	raw.Control(func(fd uintptr) {
		for _, row := range []struct {
			name          string
			level, option int
		}{
			{"KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
			{"KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT},
			{"KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE},
			{"KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL},
			{"KEEPTIMEOUT", syscall.IPPROTO_TCP, 18},
		} {
			value, err := syscall.GetsockoptInt(int(fd), row.level, row.option)
			if err != nil {
				panic(err)
			}
			fmt.Printf(" %s=%d", row.name, value)
		}
	})
	fmt.Println()
}

func main() {
	var own time.Duration // 0: Go's 15 seconds
	if os.Args[1] == "plain" {
		own = -1
	}
	config := net.ListenConfig{KeepAlive: own}
	listener, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	dialer := net.Dialer{KeepAlive: own}
	client, err := dialer.Dial("tcp4", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		panic(err)
	}
	show("client", client)
	show("accepted", accepted)
}
