#!/bin/sh
# clients.sh - which values libraries for network clients set themselves
# SPDX-License-Identifier: MIT
#
#     clients.sh          prints a table of the libraries that are here
#     clients.sh fetch    unpacks Debian packages and npm's into $UNPACKED
#
# Each connects to a server that says nothing, without libkeepalive and with it;
# the values are the kernel's. Nothing is installed.
. tests/common.sh
export UNPACKED="$BUILD/clients"
packages='python3-pymongo python3-psycopg2 python3-redis python3-pika
    python3-kafka python3-requests python3-aiohttp python3-grpcio
    python3-pymysql libpostgresql-jdbc-java libmariadb-java'
modules='undici axios kafkajs ioredis redis nodemailer mongodb pg mysql2 ws
    amqplib mqtt'

if [ "${1-}" = fetch ]; then
    need apt-get dpkg npm
    mkdir -p "$UNPACKED/archives/partial" "$UNPACKED/npm"
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends --download-only --reinstall \
        -o Dir::Cache::archives="$UNPACKED/archives" $packages || exit 1
    for archive in "$UNPACKED"/archives/*.deb; do
        dpkg -x "$archive" "$UNPACKED" || exit 1
    done
    # shellcheck disable=SC2086
    cd "$UNPACKED/npm" && echo '{}' >package.json &&
        exec npm install --no-audit --no-fund --ignore-scripts $modules
fi

in_namespace -n -m
export NODE_PATH="$UNPACKED/npm/node_modules"
export PYTHONPATH="$UNPACKED/usr/lib/python3/dist-packages"
java=$UNPACKED/usr/share/java
. tests/field/programs.sh

row() {
    printf '%-24s %-10s %-14s\n' "${1#* }" "$version" "$(echo "$3" | sort -u |
        paste -sd ';')"
}

# python MODULE PACKAGE CODE
python() {
    version=$(/usr/bin/python3 -c 'import importlib.metadata, sys
print(importlib.metadata.version(sys.argv[1]))' "$2" 2>/dev/null) || return 0
    client "python3 $2" '*' /usr/bin/python3 -c "$3"
}

# node_js MODULE CODE
node_js() {
    version=$(sed -n '/^ *"version": "/{ s/"[^"]*$//; s/.*"//p; q; }' \
        "$NODE_PATH/$1/package.json" 2>/dev/null)
    [ -n "$version" ] || return 0
    client "node $1" '*' node -e "$2"
}

# jdbc JAR NAME URL
jdbc() {
    command -v javac >/dev/null && [ -e "$java/$1.jar" ] || return 0
    version=$(basename "$java/$1"-[0-9]*.jar .jar | sed 's/.*-//')
    cat >"$tmp/Connect.java" <<'END'
public class Connect {
    public static void main(String[] arguments) throws Exception {
        java.sql.DriverManager.getConnection(arguments[0], "nobody", "none");
    }
}
END
    javac -d "$tmp" "$tmp/Connect.java"
    client "java JDBC, $2" '*' java -cp "$tmp:$java/*" Connect "$3"
}

# go_client NAME IMPORT CODE
go_client() {
    command -v go >/dev/null || return 0
    version=$(go env GOVERSION)
    mkdir -p "$tmp/go"
    printf 'package main\nimport "%s"\nfunc main() { %s }\n' "$2" "$3" \
        >"$tmp/go/main.go"
    HOME=$user_home go build -o "$tmp/go/main" "$tmp/go/main.go" || return 0
    client "go $1" '*' "$tmp/go/main"
}

clients() {
host="'127.0.0.1'"
node_js undici "require('undici').fetch('http://127.0.0.1:7000/')"
node_js axios "require('axios').get('http://127.0.0.1:7000/')"
node_js kafkajs "new (require('kafkajs').Kafka)({brokers: ['127.0.0.1:7000'],
    connectionTimeout: 60000}).admin().connect()"
node_js ioredis "new (require('ioredis'))(7000, $host)"
node_js redis "require('redis').createClient({url: 'redis://127.0.0.1:7000'})
    .connect()"
node_js nodemailer "require('nodemailer').createTransport({host: $host,
    port: 7000, greetingTimeout: 60000}).verify()"
node_js mongodb "new (require('mongodb').MongoClient)(
    'mongodb://127.0.0.1:7000/').connect()"
node_js pg "new (require('pg').Client)({host: $host, port: 7000}).connect()"
node_js mysql2 "require('mysql2').createConnection({host: $host, port: 7000,
    connectTimeout: 60000})"
node_js ws "new (require('ws'))('ws://127.0.0.1:7000/')"
node_js amqplib "require('amqplib').connect('amqp://127.0.0.1:7000')"
node_js mqtt "require('mqtt').connect('mqtt://127.0.0.1:7000')"
python pymongo pymongo 'import pymongo
pymongo.MongoClient("127.0.0.1", 7000).admin.command("ping")'
python psycopg2 psycopg2 'import psycopg2
psycopg2.connect(host="127.0.0.1", port=7000)'
python pymysql PyMySQL 'import pymysql
pymysql.connect(host="127.0.0.1", port=7000)'
python redis redis 'import redis
redis.Redis("127.0.0.1", 7000).ping()'
python pika pika 'import pika
pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 7000))'
python kafka kafka-python 'import kafka
kafka.KafkaConsumer(bootstrap_servers="127.0.0.1:7000")'
python requests requests 'import requests
requests.get("http://127.0.0.1:7000/")'
python aiohttp aiohttp 'import aiohttp, asyncio
async def get():
    async with aiohttp.ClientSession() as s:
        await s.get("http://127.0.0.1:7000/")
asyncio.run(get())'
python grpc grpcio 'import grpc
grpc.channel_ready_future(grpc.insecure_channel("127.0.0.1:7000")).result()'
jdbc postgresql PostgreSQL jdbc:postgresql://127.0.0.1:7000/none
jdbc mariadb-java-client MariaDB jdbc:mariadb://127.0.0.1:7000/none
go_client net net 'c, _ := net.Dial("tcp", "127.0.0.1:7000")
    c.Read(make([]byte, 1))'
go_client net/http net/http 'http.Get("http://127.0.0.1:7000/")'
}

echo 'SO_KEEPALIVE TCP_KEEPCNT TCP_KEEPIDLE TCP_KEEPINTVL, without the library'
echo "and with it (1 11 222 33). $(date +%F), Node.js $(node --version)"
# shellcheck disable=SC2034 # launch() uses it
for library in '' "$LIBKEEPALIVE"; do
    clients >"$tmp/rows.${library:+with}"
done
cut -c 37- "$tmp/rows.with" | paste -d ' ' "$tmp/rows." - | sed 's/ *$//'
finish
