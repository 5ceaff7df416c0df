# network.sh - a client, a server and a NAT between them; read with `.`
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
#     client 10.0.1.2 ---- 10.0.1.1 nat 10.0.2.1 ---- 10.0.2.2 server
#       10.0.3.2 --------------------------------------- 10.0.3.1
#
# and the same with fd00:N:: for IPv6. The NAT forgets a connection that was
# idle for $memory seconds and then drops its packets, as gateways do. The
# names of the three are in a mount namespace of the script's own: use it behind
# common.sh and `in_namespace -n -m`.
memory=4
# The server, behind the NAT and beside it.
# shellcheck disable=SC2034 # the scripts use them
far4=10.0.2.2 far6='[fd00:2::2]' near4=10.0.3.1 near6='[fd00:3::1]'

# Makes it, or skips.
make_network() {
    need ip nft ss tcpdump timeout
    # tcpdump gives up its groups, which only root may.
    grep -q allow /proc/self/setgroups || skip 'only root may capture packets'
    mount -t tmpfs none /run || skip 'no mounts here'
    # shellcheck disable=SC2034 # common.sh runs it
    at_exit=end_network
    sh -e <<END || skip 'no veth, nftables or conntrack here'
    for node in client nat server; do
        ip netns add \$node
        ip -n \$node link set lo up
    done
    ip -n client link add to-nat type veth peer name to-client netns nat
    ip -n server link add to-nat type veth peer name to-server netns nat
    ip -n client link add direct type veth peer name direct netns server
    while read -r node link number host; do
        ip -n \$node addr add 10.0.\$number.\$host/24 dev \$link
        [ ! -e /proc/net/if_inet6 ] ||
            ip -n \$node addr add fd00:\$number::\$host/64 dev \$link nodad
        ip -n \$node link set \$link up
    done <<ADDRESSES
client to-nat 1 2
nat to-client 1 1
nat to-server 2 1
server to-nat 2 2
client direct 3 2
server direct 3 1
ADDRESSES
    ip -n client route add default via 10.0.1.1
    [ ! -e /proc/net/if_inet6 ] ||
        ip -n client route add default via fd00:1::1
    ip netns exec nat nft -f - <<RULES
    table inet nat {
        chain leave {
            type nat hook postrouting priority srcnat
            oifname to-server masquerade
        }
        chain pass {
            type filter hook forward priority filter
            ct state invalid drop
        }
    }
RULES
    ip netns exec nat sysctl -qw net.ipv4.ip_forward=1 \
        net.netfilter.nf_conntrack_tcp_loose=0 \
        net.netfilter.nf_conntrack_tcp_timeout_established=$memory
    [ ! -e /proc/net/if_inet6 ] ||
        ip netns exec nat sysctl -qw net.ipv6.conf.all.forwarding=1
    ip netns exec server nft -f - <<RULES
    table inet power {
        set off { type inet_service; }
        chain input {
            type filter hook input priority filter
            tcp dport @off drop
        }
        chain output {
            type filter hook output priority filter
            tcp sport @off drop
        }
    }
RULES
END
}

# Nothing outlives the script: whatever runs in the three is its own. They are
# looked for until there are none, as one may just be starting another.
end_network() {
    for _ in $(seq 100); do
        running=$(for node in client nat server; do ip netns pids $node; done)
        [ -n "$running" ] || break
        # shellcheck disable=SC2086
        kill $running 2>/dev/null
        sleep 0.1
    done
    umount -l /run
}

# on NODE COMMAND...: runs a command there, for ten minutes at most
on() {
    node=$1
    shift
    ip netns exec "$node" timeout 600 "$@"
}

# power off|on PORT: the server's host is gone, as far as this port goes; what
# the server says meanwhile is not heard either
power() {
    action=add
    [ "$1" = off ] || action=delete
    on server nft "$action" element inet power off "{ $2 }"
}

listening() { # PORT
    on server ss -Htln "sport = :$1" | grep -q .
}

# connections NODE PORT: how many of them the kernel has there
connections() {
    on "$1" ss -Htan "( sport = :$2 or dport = :$2 )" | grep -vc LISTEN
}

connected() { # PORT [NUMBER]
    [ "$(connections server "$1")" = "${2-1}" ]
}

disconnected() { # NODE PORT
    [ "$(connections "$1" "$2")" = 0 ]
}
