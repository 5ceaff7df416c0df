/*
 * bpf.c - the two BPF programs of a cgroup
 * SPDX-License-Identifier: MIT
 */
#include "cgroup/bpf.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What is used of linux/bpf.h and linux/magic.h, laid out as there: they are
 * missing or too old on some systems that this is built on.
 */
enum {
    MAP_CREATE = 0,
    MAP_LOOKUP = 1,
    MAP_UPDATE = 2,
    PROG_LOAD = 5,
    PROG_ATTACH = 8,
    PROG_DETACH = 9,
    PROG_OPEN = 13, /* BPF_PROG_GET_FD_BY_ID */
    MAP_OPEN = 14,
    GET_INFO = 15,
    PROG_QUERY = 16,
    MAP_FREEZE = 22,
};

enum {
    MAP_ARRAY = 2,            /* BPF_MAP_TYPE_ARRAY */
    MAP_READ_ONLY = 1 << 7,   /* BPF_F_RDONLY_PROG */
    ATTACH_BESIDE = 1 << 1,   /* BPF_F_ALLOW_MULTI */
    ATTACH_REPLACE = 1 << 2,  /* BPF_F_REPLACE */
    QUERY_EFFECTIVE = 1 << 0, /* BPF_F_QUERY_EFFECTIVE */
    OP_CONNECT = 3,           /* BPF_SOCK_OPS_TCP_CONNECT_CB */
    OP_ACCEPTED = 5,          /* BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB */
    HELPER_SETSOCKOPT = 49,
    HELPER_GETSOCKOPT = 57,
};

struct map_attributes {
    uint32_t type, key_size, value_size, entries, flags, inner, node;
    char name[16];
};

struct element {
    uint32_t map;
    _Alignas(8) uint64_t key;
    uint64_t value;
    uint64_t flags;
};

struct load {
    uint32_t type, length;
    uint64_t code, licence;
    uint32_t log_level, log_size;
    uint64_t log;
    uint32_t version, flags;
    char name[16];
    uint32_t interface, attach_type;
};

struct attachment {
    uint32_t cgroup, program, attach_type, flags, replaced;
};

struct by_id {
    uint32_t id, next, flags;
};

struct info {
    uint32_t fd, size;
    uint64_t address;
};

struct query {
    uint32_t cgroup, attach_type, flags, attach_flags;
    uint64_t ids;
    uint32_t count;
};

struct program_info {
    uint32_t type, id;
    uint8_t tag[8];
    uint32_t machine_length, length;
    uint64_t machine_code, code, load_time;
    uint32_t owner, map_count;
    uint64_t maps;
    char name[16];
};

struct map_info {
    uint32_t type, id, key_size, value_size, entries, flags;
    char name[16];
};

static const struct {
    uint32_t type;        /* BPF_PROG_TYPE_... */
    uint32_t attach_type; /* BPF_CGROUP_... */
} kinds[PROGRAMS] = {
    [SETTER] = {13, 3}, /* SOCK_OPS */
    [GUARD] = {25, 22}, /* CGROUP_SOCKOPT, SETSOCKOPT */
};

static const char owner[16] = "libkeepalive";

static int bpf(int command, void *attributes, size_t size)
{
#ifdef SYS_bpf
    return (int)syscall(SYS_bpf, command, attributes, size);
#else
    (void)command, (void)attributes, (void)size;
    errno = ENOSYS;
    return -1;
#endif
}

static uint64_t address(const void *pointer)
{
    return (uintptr_t)pointer;
}

/* An instruction, see instruction-set in the kernel's Documentation/bpf. */
struct instruction {
    uint8_t code;
    unsigned target : 4;
    unsigned source : 4;
    int16_t offset;
    int32_t number;
};

/* The operations: what they do to the registers (10: end of the stack). */
enum {
    LOAD = 0x61,        /* target = 32 bits at source + offset */
    LOAD_LONG = 0x79,   /* target = 64 bits there */
    STORE = 0x63,       /* 32 bits at target + offset = source */
    SET = 0xb7,         /* target = number */
    COPY = 0xbf,        /* target = source */
    ADD = 0x07,         /* target += number */
    MAP_ADDRESS = 0x18, /* target = address in the map `number` */
    SKIP_IF = 0x15,     /* over `offset` more where target is number */
    SKIP_UNLESS = 0x55,
    CALL = 0x85, /* a helper: 0 = number(1, 2, 3, 4, 5) */
    EXIT = 0x95, /* with 0 as result; 1: go on */
};

enum { LENGTH = 128 };
struct program {
    struct instruction code[LENGTH];
    unsigned length;
};

static void add(struct program *program, uint8_t code, unsigned target,
                unsigned source, int offset, int number)
{
    program->code[program->length++] = (struct instruction){
        code, target & 15, source & 15, (int16_t)offset, number};
}

/* Two instructions. */
static void add_exit(struct program *program)
{
    add(program, SET, 0, 0, 0, 1);
    add(program, EXIT, 0, 0, 0, 0);
}

/* The address in the map of the settings; two instructions. */
static void add_address(struct program *program, unsigned target, int map,
                        size_t offset)
{
    enum { MAP_VALUE = 2 }; /* BPF_PSEUDO_MAP_VALUE */

    add(program, MAP_ADDRESS, target, MAP_VALUE, 0, map);
    add(program, 0, 0, 0, 0, (int)offset);
}

/*
 * Sets the values on a connection that is being opened, and on one that has
 * been accepted. Not on a listening socket: what that passes on would outlive
 * the program, and could not be told from the listener's own settings. A
 * connection with keepalive on is left alone, without force, and so is one of
 * which that cannot be known.
 */
static void write_setter(struct program *program, int map,
                         const struct keepalive *settings)
{
    enum { CONTEXT = 6, OPERATION = 0, RESULT = -4 };
    const struct keepalive_option *on = &keepalive_options[KEEPALIVE_SWITCH];
    size_t values = offsetof(struct record, settings.values);

    add(program, COPY, CONTEXT, 1, 0, 0);
    add(program, LOAD, 2, CONTEXT, OPERATION, 0);
    add(program, SKIP_IF, 2, 0, 3, OP_ACCEPTED);
    add(program, SKIP_IF, 2, 0, 2, OP_CONNECT);
    add_exit(program);
    if (!settings->force) {
        add(program, COPY, 1, CONTEXT, 0, 0);
        add(program, SET, 2, 0, 0, on->level);
        add(program, SET, 3, 0, 0, on->option);
        add(program, COPY, 4, 10, 0, 0);
        add(program, ADD, 4, 0, 0, RESULT);
        add(program, SET, 5, 0, 0, sizeof(int));
        add(program, CALL, 0, 0, 0, HELPER_GETSOCKOPT);
        add(program, SKIP_UNLESS, 0, 0, 2, 0);
        add(program, LOAD, 1, 10, RESULT, 0);
        add(program, SKIP_IF, 1, 0, 2, 0);
        add_exit(program);
    }
    for (int i = 0; i < settings->count; i++) {
        const struct keepalive_value *v = &settings->values[i];

        add(program, COPY, 1, CONTEXT, 0, 0);
        add(program, SET, 2, 0, 0, v->level);
        add(program, SET, 3, 0, 0, v->option);
        add_address(program, 4, map,
                    values + (size_t)i * sizeof(*v) +
                        offsetof(struct keepalive_value, value));
        add(program, SET, 5, 0, 0, sizeof(v->value));
        add(program, CALL, 0, 0, 0, HELPER_SETSOCKOPT);
    }
    add_exit(program);
}

/*
 * Makes a setsockopt(2) for one of the options on a TCP socket succeed without
 * effect: that is what a length of -1 stands for.
 */
static void write_guard(struct program *program, int map,
                        const struct keepalive *settings)
{
    enum { CONTEXT = 1, SOCKET = 2, FAMILY = 4, TYPE = 8, PROTOCOL = 12 };
    enum { LEVEL = 24, OPTION = 28, SIZE = 32 };

    add(program, LOAD_LONG, SOCKET, CONTEXT, 0, 0);
    add(program, LOAD, 3, SOCKET, FAMILY, 0);
    add(program, LOAD, 4, SOCKET, TYPE, 0);
    add(program, LOAD, 5, SOCKET, PROTOCOL, 0);
    add(program, SKIP_IF, 3, 0, 3, AF_INET);
    add(program, SKIP_IF, 3, 0, 2, AF_INET6);
    add_exit(program);
    add(program, SKIP_IF, 4, 0, 2, SOCK_STREAM);
    add_exit(program);
    add(program, SKIP_IF, 5, 0, 3, IPPROTO_TCP);
    add(program, SKIP_IF, 5, 0, 2, IPPROTO_MPTCP);
    add_exit(program);
    add(program, LOAD, 3, CONTEXT, LEVEL, 0);
    add(program, LOAD, 4, CONTEXT, OPTION, 0);
    add(program, SET, 5, 0, 0, -1);
    for (int i = 0; i < settings->count; i++) {
        add(program, SKIP_UNLESS, 3, 0, 2, settings->values[i].level);
        add(program, SKIP_UNLESS, 4, 0, 1, settings->values[i].option);
        add(program, STORE, CONTEXT, 5, SIZE, 0);
    }
    /* It does not read the map, but is recognised by it. */
    add_address(program, 3, map, 0);
    add_exit(program);
}

/* A map that holds the settings and that nobody can change; or -1. */
static int make_map(const struct keepalive *settings)
{
    struct map_attributes attributes = {MAP_ARRAY,
                                        sizeof(uint32_t),
                                        sizeof(struct record),
                                        1,
                                        MAP_READ_ONLY,
                                        0,
                                        0,
                                        NAME};
    struct record record;
    uint32_t key = 0;
    struct element element = {.key = address(&key), .value = address(&record)};
    int map = bpf(MAP_CREATE, &attributes, sizeof(attributes));
    uint32_t frozen = (uint32_t)map;

    memset(&record, 0, sizeof(record));
    memcpy(record.owner, owner, sizeof(owner));
    record.settings = *settings;
    element.map = (uint32_t)map;
    if (map >= 0 && (bpf(MAP_UPDATE, &element, sizeof(element)) < 0 ||
                     bpf(MAP_FREEZE, &frozen, sizeof(frozen)) < 0)) {
        close(map);
        return -1;
    }
    return map;
}

static int load_program(int kind, const struct program *program)
{
    struct load load = {
        .type = kinds[kind].type,
        .length = program->length,
        .code = address(program->code),
        .licence = address("MIT"),
        .name = NAME,
        .attach_type = kinds[kind].attach_type,
    };

    return bpf(PROG_LOAD, &load, sizeof(load));
}

bool load_programs(int programs[PROGRAMS], const struct keepalive *settings)
{
    static void (*const write_program[PROGRAMS])(struct program *, int,
                                                 const struct keepalive *) = {
        [SETTER] = write_setter, [GUARD] = write_guard};
    int map = make_map(settings);
    int error = errno;
    bool done = map >= 0;

    for (int i = 0; i < PROGRAMS; i++) {
        struct program program = {.length = 0};

        programs[i] = ABSENT;
        if (!done || (i == GUARD && !settings->force))
            continue;
        write_program[i](&program, map, settings);
        programs[i] = load_program(i, &program);
        error = errno;
        done = programs[i] >= 0;
    }
    if (map >= 0)
        close(map);
    errno = error;
    return done;
}

/* Is this map, a copy of which is in `value`, the record of our settings? */
static bool is_record(const struct map_info *info, const char *value)
{
    return strcmp(info->name, NAME) == 0 &&
           memcmp(value, owner, sizeof(owner)) == 0;
}

/* Reads the record from a map; ABSENT where it is none; FAILED with errno. */
static int read_record(uint32_t id, struct record *record)
{
    struct by_id by_id = {.id = id};
    struct map_info map_info = {.type = 0};
    struct info info = {0, sizeof(map_info), address(&map_info)};
    char value[1024] = "";
    uint32_t key = 0;
    struct element element = {0, address(&key), address(value), 0};
    int map = bpf(MAP_OPEN, &by_id, sizeof(by_id));
    int result = FAILED;

    if (map < 0)
        return FAILED;
    info.fd = element.map = (uint32_t)map;
    if (bpf(GET_INFO, &info, sizeof(info)) == 0) {
        /* A later version may have more options. */
        if (map_info.type != MAP_ARRAY || map_info.value_size > sizeof(value) ||
            map_info.value_size < sizeof(*record))
            result = ABSENT;
        else if (bpf(MAP_LOOKUP, &element, sizeof(element)) == 0)
            result = is_record(&map_info, value) ? 0 : ABSENT;
    }
    close(map);
    memcpy(record, value, sizeof(*record));
    if (record->settings.count > KEEPALIVE_OPTIONS)
        record->settings.count = KEEPALIVE_OPTIONS;
    return result;
}

int open_program(uint32_t id, struct record *record)
{
    struct by_id by_id = {.id = id};
    uint32_t map = 0;
    struct program_info program_info = {.map_count = 1, .maps = address(&map)};
    struct info info = {0, sizeof(program_info), address(&program_info)};
    int program = bpf(PROG_OPEN, &by_id, sizeof(by_id));
    int result = FAILED;

    if (program < 0) /* gone meanwhile? */
        return errno == ENOENT ? ABSENT : FAILED;
    info.fd = (uint32_t)program;
    if (bpf(GET_INFO, &info, sizeof(info)) == 0)
        result =
            strcmp(program_info.name, NAME) == 0 && program_info.map_count == 1
                ? read_record(map, record)
                : ABSENT;
    if (result == 0)
        return program;
    close(program);
    return result;
}

bool list_programs(int cgroup, int kind, bool effective, struct list *list)
{
    struct query query = {
        .cgroup = (uint32_t)cgroup,
        .attach_type = kinds[kind].attach_type,
        .flags = effective ? QUERY_EFFECTIVE : 0,
        .ids = address(list->ids),
        .count = sizeof(list->ids) / sizeof(*list->ids),
    };

    if (bpf(PROG_QUERY, &query, sizeof(query)) < 0)
        return false;
    list->count = query.count;
    list->attach_flags = query.attach_flags;
    return true;
}

/* Opens ours that is attached to the cgroup itself; as open_program(). */
static int find_program(int cgroup, int kind)
{
    struct record record;
    struct list list;
    int program = ABSENT;

    if (!list_programs(cgroup, kind, false, &list))
        return FAILED;
    for (uint32_t i = 0; i < list.count && program == ABSENT; i++)
        program = open_program(list.ids[i], &record);
    return program;
}

/*
 * Replaces the old program by the new one. If there is no new one, detaches the
 * old one; if there is no old one, attaches the new one beside those of others.
 */
static bool put_program(int cgroup, int kind, int new, int old)
{
    struct attachment attachment = {
        .cgroup = (uint32_t)cgroup,
        .program = (uint32_t)(new >= 0 ? new : old),
        .attach_type = kinds[kind].attach_type,
    };

    if (new < 0)
        return old < 0 || bpf(PROG_DETACH, &attachment,
                              offsetof(struct attachment, replaced)) == 0;
    attachment.flags = ATTACH_BESIDE;
    if (old >= 0) {
        attachment.flags |= ATTACH_REPLACE;
        attachment.replaced = (uint32_t)old;
    }
    if (bpf(PROG_ATTACH, &attachment, sizeof(attachment)) == 0)
        return true;
    if (errno == E2BIG) /* the cgroup is full; see explain() */
        errno = ENOSPC;
    return false;
}

void close_programs(const int programs[PROGRAMS])
{
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i] >= 0)
            close(programs[i]);
}

bool find_programs(int cgroup, int programs[PROGRAMS])
{
    bool done = true;

    for (int i = 0; i < PROGRAMS; i++) {
        programs[i] = done ? find_program(cgroup, i) : ABSENT;
        done = done && programs[i] != FAILED;
    }
    return done;
}

bool put_programs(int cgroup, const int new[PROGRAMS], const int old[PROGRAMS])
{
    for (int i = 0; i < PROGRAMS; i++)
        if (!put_program(cgroup, i, new[i], old[i])) {
            int error = errno;

            while (--i >= 0)
                put_program(cgroup, i, old[i], new[i]);
            errno = error;
            return false;
        }
    return true;
}

bool allows_others(const struct list *list)
{
    return list->count == 0 || (list->attach_flags & ATTACH_BESIDE) != 0;
}
