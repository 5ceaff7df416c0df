/*
 * cgroup.c - keepalive for every program of a cgroup
 * SPDX-License-Identifier: MIT
 *
 * The kernel itself sets the options, so it does not matter how a program was
 * built: it runs a BPF program when a TCP connection of the cgroup is opened or
 * accepted. With force it runs a second one before each setsockopt(2). Both are
 * attached to the cgroup and last as long as it; there is no process and no
 * file. They share a map that holds the settings: by it they are recognised
 * later, whatever version of this command made them, and the settings read
 * back. See bpf(2), bpf-helpers(7) and cgroups(7).
 */
#include "command.h"
#include "syscall.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
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
    CGROUP_V1 = 0x27e0eb, /* CGROUP_SUPER_MAGIC */
    CGROUP_V2 = 0x63677270,
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

/* The two programs, in the order in which they are attached. */
enum { SETTER, GUARD, PROGRAMS };
static const struct {
    uint32_t type;        /* BPF_PROG_TYPE_... */
    uint32_t attach_type; /* BPF_CGROUP_... */
} kinds[PROGRAMS] = {
    [SETTER] = {13, 3}, /* SOCK_OPS */
    [GUARD] = {25, 22}, /* CGROUP_SOCKOPT, SETSOCKOPT */
};

enum { ABSENT = -1, FAILED = -2 }; /* instead of a descriptor */

#define NAME "keepalive"
#define TRIAL "keepalive-trial"

/* What the map holds. */
struct record {
    char owner[16];
    struct keepalive settings;
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

/* Loads what the settings take; false, with errno, where that fails. */
static bool load_programs(int programs[PROGRAMS],
                          const struct keepalive *settings)
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

/* Opens a program of ours; ABSENT where it is another's; FAILED with errno. */
static int open_program(uint32_t id, struct record *record)
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

/* The programs of one kind at a cgroup. */
struct list {
    uint32_t ids[1024];
    uint32_t count;
    uint32_t attach_flags;
};

/* Those that are attached there or, `effective`, that are run for it. */
static bool list_programs(int cgroup, int kind, bool effective,
                          struct list *list)
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

static void close_programs(const int programs[PROGRAMS])
{
    for (int i = 0; i < PROGRAMS; i++)
        if (programs[i] >= 0)
            close(programs[i]);
}

static bool find_programs(int cgroup, int programs[PROGRAMS])
{
    bool done = true;

    for (int i = 0; i < PROGRAMS; i++) {
        programs[i] = done ? find_program(cgroup, i) : ABSENT;
        done = done && programs[i] != FAILED;
    }
    return done;
}

/* Replaces the old programs by the new ones: both, or none. */
static bool put_programs(int cgroup, const int new[PROGRAMS],
                         const int old[PROGRAMS])
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

/* Of which file system is the directory? 0 where there is none. */
static long kind_of(const char *path)
{
    struct stat status;
    struct statfs system;

    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode) ||
        statfs(path, &system) < 0)
        return 0;
    return (long)system.f_type;
}

/* Finds where cgroup2 is mounted; false where it is not. */
static bool find_mount(char mount[PATH_MAX])
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *entry;
    bool found = false;

    while (!found && mounts != NULL && (entry = getmntent(mounts)) != NULL)
        if (strcmp(entry->mnt_type, "cgroup2") == 0) {
            snprintf(mount, PATH_MAX, "%s", entry->mnt_dir);
            found = true;
        }
    if (mounts != NULL)
        endmntent(mounts);
    return found;
}

/* The path of a cgroup: a directory, or a path below the mount. */
static bool find_cgroup(const char *name, char path[PATH_MAX])
{
    char mount[PATH_MAX];
    char below[PATH_MAX];
    bool mounted = find_mount(mount);
    size_t length = mounted ? strlen(mount) : 0;

    if (realpath(name, path) != NULL && kind_of(path) == CGROUP_V2)
        return true;
    /* Below, not the mount itself: "" or "." must not be the whole machine. */
    if (mounted && snprintf(below, PATH_MAX, "%s/%s", mount, name) < PATH_MAX &&
        realpath(below, path) != NULL && kind_of(path) == CGROUP_V2 &&
        strncmp(path, mount, length) == 0 && path[length] == '/')
        return true;
    if (kind_of(name) == CGROUP_V1)
        warnx("%s: a cgroup of version 1; this takes version 2%s%s",
              make_printable(name), mounted ? ", which is mounted at " : "",
              mounted ? mount : "");
    else if (mounted)
        warnx("'%s' is not a cgroup of version 2, and there is none of that "
              "name below %s",
              make_printable(name), mount);
    else
        warnx("%s: no cgroup of version 2 is mounted here",
              make_printable(name));
    return false;
}

/*
 * Does the command run with the capabilities that this takes? Says so if not.
 * CAP_SYS_ADMIN, which includes CAP_BPF, is needed to open a program that is
 * attached already, so it is asked for before anything is changed.
 */
static bool is_capable(void)
{
    static const struct {
        int number; /* see linux/capability.h */
        const char *name;
    } needed[] = {{12, "CAP_NET_ADMIN"}, {21, "CAP_SYS_ADMIN"}};
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long long set = 0;
    char line[256];

    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        if (strncmp(line, "CapEff:", 7) == 0)
            set = strtoull(line + 7, NULL, 16);
    if (status != NULL)
        fclose(status);
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if ((set >> needed[i].number & 1) == 0) {
            warnx("--cgroup takes root: %s is missing", needed[i].name);
            return false;
        }
    return true;
}

/*
 * Is there a program, at the cgroup or above, beside which the kernel lets no
 * other be attached? Then its cgroup is left in `path`.
 */
static bool stands_alone(char *path)
{
    for (; kind_of(path) == CGROUP_V2; *strrchr(path, '/') = '\0') {
        int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct list list;
        bool alone = false;

        for (int i = 0; i < PROGRAMS && !alone; i++)
            alone = list_programs(cgroup, i, false, &list) && list.count > 0 &&
                    (list.attach_flags & ATTACH_BESIDE) == 0;
        close(cgroup);
        if (alone)
            return true;
    }
    return false;
}

/* Says why a call of bpf(2) failed: in one line, from errno. */
static void explain(const char *path)
{
    char above[PATH_MAX];
    int error = errno;

    snprintf(above, sizeof(above), "%s", path);
    if (error == EPERM && stands_alone(above))
        warnx("%s: another program is attached to %s and lets none stand "
              "beside it",
              make_printable(path), make_printable(above));
    else if (error == EPERM)
        warnx("%s: the kernel does not permit bpf(2) here, in a container or "
              "a user namespace perhaps",
              make_printable(path));
    else if (error == ENOSYS || error == EINVAL || error == E2BIG)
        warnx("%s: this kernel is older than Linux 5.9, or was built without "
              "CONFIG_CGROUP_BPF",
              make_printable(path));
    else
        warnx("%s: %s", make_printable(path), strerror(error));
}

/* What the trial found, as the child tells it. */
struct trial {
    int error; /* errno; 0: the connection was made */
    int values[2][KEEPALIVE_OPTIONS];
};

/* A network of its own, where no firewall and no other program is. */
static void leave_network(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        return;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

/* A socket that has its values from the cgroup alone: this command may itself
 * be running with the library. */
static int plain_socket(void)
{
    return (int)keepalive_socket_call(KEEPALIVE_SOCKET, AF_INET, SOCK_STREAM, 0,
                                      0, 0);
}

/* Makes a connection over loopback; false, with errno. */
static bool connect_trial(struct trial *trial)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int listener = plain_socket();
    int client = plain_socket();
    int accepted;

    if (bind(listener, (struct sockaddr *)&name, size) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&name, &size) < 0 ||
        connect(client, (struct sockaddr *)&name, size) < 0 ||
        (accepted = accept(listener, NULL, NULL)) < 0)
        return false;
    read_values(client, trial->values[0]);
    read_values(accepted, trial->values[1]);
    return true;
}

/* The child's part: goes into the cgroup, connects, tells, and ends. */
static void run_trial(int cgroup, int report)
{
    struct trial trial = {.error = 0};
    int processes = openat(cgroup, TRIAL "/cgroup.procs", O_WRONLY | O_CLOEXEC);
    bool done;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    done = processes >= 0 && write(processes, "0", 1) == 1;
    if (done) {
        leave_network();
        done = connect_trial(&trial);
    }
    if (!done)
        trial.error = errno;
    _exit(write(report, &trial, sizeof(trial)) != sizeof(trial));
}

/*
 * Makes a connection in a cgroup below this one that is gone at the end, so
 * that no process here is touched. One that was left over is used again.
 */
static void make_trial(int cgroup, struct trial *trial)
{
    enum { PATIENCE = 10000, PAUSE = 1000 }; /* milli- and microseconds */
    struct pollfd answer = {.events = POLLIN};
    int pipe_ends[2] = {-1, -1};
    pid_t child;

    trial->error = ETIMEDOUT;
    if ((mkdirat(cgroup, TRIAL, 0755) < 0 && errno != EEXIST) ||
        pipe2(pipe_ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
        trial->error = errno;
    } else {
        if (child == 0)
            run_trial(cgroup, pipe_ends[1]);
        close(pipe_ends[1]);
        answer.fd = pipe_ends[0];
        if (poll(&answer, 1, PATIENCE) == 1 &&
            read(answer.fd, trial, sizeof(*trial)) != sizeof(*trial))
            trial->error = ECHILD;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(pipe_ends[0]);
    }
    for (int i = 0; i < PATIENCE && unlinkat(cgroup, TRIAL, AT_REMOVEDIR) < 0 &&
                    errno == EBUSY;
         i++)
        usleep(PAUSE);
}

/* The row of a value that one of the two ends does not have; -1: both do. */
static int find_difference(const struct trial *trial,
                           const struct keepalive_value *wanted, int *got)
{
    int row = option_row(wanted);

    for (int end = 0; end < 2; end++)
        if (trial->values[end][row] != wanted->value) {
            *got = trial->values[end][row];
            return row;
        }
    return -1;
}

/* Are the values in force? Says so if not. */
static bool passes_trial(const char *path, int cgroup,
                         const struct keepalive *wanted)
{
    struct trial trial = {.error = 0};

    make_trial(cgroup, &trial);
    if (trial.error != 0) {
        warnx("%s: no connection could be tried there: %s; nothing was changed",
              make_printable(path), strerror(trial.error));
        return false;
    }
    for (int i = 0; i < wanted->count; i++) {
        int got;
        int row = find_difference(&trial, &wanted->values[i], &got);

        if (row == KEEPALIVE_SWITCH)
            warnx("%s: a connection that was tried there has no keepalive; it "
                  "takes Linux 6.1, or 5.9 with --force; nothing was changed",
                  make_printable(path));
        else if (row >= 0)
            warnx("%s: a connection that was tried there has %s=%d, perhaps by "
                  "--force for a cgroup above; nothing was changed",
                  make_printable(path), keepalive_options[row].variable,
                  got / keepalive_options[row].scale);
        if (row >= 0)
            return false;
    }
    return true;
}

/* The settings that a cgroup has from the path itself or from one above. */
struct layer {
    char path[PATH_MAX];
    struct record record;
};

/* In the order in which the kernel runs them. */
struct layers {
    struct layer *list;
    int count;
};

/* Which cgroup, this one or one above, is it that has the program? */
static bool find_layer(char path[PATH_MAX], uint32_t id)
{
    for (; kind_of(path) == CGROUP_V2; *strrchr(path, '/') = '\0') {
        int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct list list = {.count = 0};
        bool done = list_programs(cgroup, SETTER, false, &list);
        int error = errno;
        bool found = false;

        for (uint32_t i = 0; i < list.count; i++)
            found = found || list.ids[i] == id;
        close(cgroup);
        errno = error;
        if (found || !done)
            return done;
    }
    snprintf(path, PATH_MAX, "above"); /* what is mounted here */
    return true;
}

/* Finds the settings that are in force; false, with errno. */
static bool find_layers(const char *path, int cgroup, struct layers *layers)
{
    struct list list;

    if (!list_programs(cgroup, SETTER, true, &list))
        return false;
    layers->list = calloc(list.count + 1, sizeof(*layers->list));
    if (layers->list == NULL)
        return false;
    for (uint32_t i = 0; i < list.count; i++) {
        struct layer *layer = &layers->list[layers->count];
        int program = open_program(list.ids[i], &layer->record);

        if (program == FAILED)
            return false;
        if (program == ABSENT)
            continue;
        close(program);
        snprintf(layer->path, PATH_MAX, "%s", path);
        if (!find_layer(layer->path, list.ids[i]))
            return false;
        layers->count++;
    }
    return true;
}

/*
 * Which layer gives a connection its value? The nearest cgroup does, as the
 * next finds keepalive on; unless one above has force.
 */
static void choose_layers(const struct layer layers[], int count,
                          int chosen[KEEPALIVE_OPTIONS],
                          int values[KEEPALIVE_OPTIONS])
{
    for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
        chosen[row] = -1;
    for (int i = 0; i < count; i++) {
        const struct keepalive *s = &layers[i].record.settings;

        if (chosen[KEEPALIVE_SWITCH] >= 0 && !s->force)
            continue;
        for (int j = 0; j < s->count; j++)
            for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
                if (keepalive_options[row].level == s->values[j].level &&
                    keepalive_options[row].option == s->values[j].option) {
                    chosen[row] = i;
                    values[row] = s->values[j].value;
                }
    }
}

/* Names of cgroups are untrusted: no escape sequence reaches the terminal. */
static void print_path(const char *path)
{
    for (; *path != '\0'; path++)
        putchar((unsigned char)*path < ' ' || *path == 0x7f ? '?' : *path);
    putchar('\n');
}

/* A line for each cgroup from which a value comes. */
static void print_layers(const struct layer layers[], int count)
{
    int chosen[KEEPALIVE_OPTIONS];
    int values[KEEPALIVE_OPTIONS];
    const char *name;

    choose_layers(layers, count, chosen, values);
    for (int column = 0; column < KEEPALIVE_OPTIONS; column++) {
        find_column(column, &name);
        printf("%-9s  ", name);
    }
    puts("cgroup");
    for (int i = 0; i < count; i++) {
        bool any = false;

        for (int row = 0; row < KEEPALIVE_OPTIONS; row++)
            any = any || chosen[row] == i;
        for (int column = 0; any && column < KEEPALIVE_OPTIONS; column++) {
            int row = find_column(column, &name);

            if (chosen[row] != i)
                printf("%-9s  ", "-");
            else if (row == KEEPALIVE_SWITCH)
                printf("%-9s  ",
                       layers[i].record.settings.force ? "force" : "on");
            else
                printf("%-9d  ", values[row] / keepalive_options[row].scale);
        }
        if (any)
            print_path(layers[i].path);
    }
}

/* Shows what is in force; with `off`, says so only if something still is. */
static int show_layers(const char *path, const struct layers *layers, bool off)
{
    if (layers->count == 0 && off)
        return 0;
    if (layers->count == 0) {
        printf("nothing is in force in ");
        print_path(path);
        return CGROUP_OFF;
    }
    if (off) {
        warnx("%s: nothing of its own is in force, but what is set in %s still "
              "is",
              make_printable(path), make_printable(layers->list[0].path));
        return CGROUP_STILL;
    }
    print_layers(layers->list, layers->count);
    return 0;
}

/*
 * Replaces our programs there by programs for these settings, and reads what is
 * in force then. If it fails, nothing has changed.
 */
static bool change(const char *path, int cgroup, const struct keepalive *wanted,
                   struct layers *layers)
{
    int new[PROGRAMS] = {ABSENT, ABSENT};
    int old[PROGRAMS] = {ABSENT, ABSENT};
    bool put = (wanted->count == 0 || load_programs(new, wanted)) &&
               find_programs(cgroup, old) && put_programs(cgroup, new, old);
    bool done = put && find_layers(path, cgroup, layers);

    if (!done)
        explain(path);
    else if (wanted->count > 0)
        done = passes_trial(path, cgroup, wanted);
    if (put && !done && !put_programs(cgroup, old, new))
        warn("%s: what was there could not be put back", make_printable(path));
    if (wanted->count == 0) /* one that a killed command left */
        unlinkat(cgroup, TRIAL, AT_REMOVEDIR);
    close_programs(new);
    close_programs(old);
    return done;
}

/* Waits for another run, half a minute at most: anybody who can open the
 * directory can lock it. False, with errno. */
static bool lock(int cgroup)
{
    enum { PATIENCE = 300, PAUSE = 100000 }; /* microseconds */

    for (int left = PATIENCE; flock(cgroup, LOCK_EX | LOCK_NB) < 0; left--) {
        if (errno != EWOULDBLOCK || left == 0)
            return false;
        usleep(PAUSE);
    }
    return true;
}

/* Does so undisturbed: one command at a time, and completely or not at all. */
static bool change_alone(const char *path, int cgroup,
                         const struct keepalive *wanted, struct layers *layers)
{
    /* Before 5.11 maps and programs counted as locked memory. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    sigset_t all;
    sigset_t before;
    bool done;

    if (!lock(cgroup)) {
        warn("%s: another has the lock of this directory",
             make_printable(path));
        return false;
    }
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    done = change(path, cgroup, wanted, layers);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return done;
}

int switch_cgroup(const char *name, const struct keepalive *wanted)
{
    struct layers layers = {NULL, 0};
    char path[PATH_MAX];
    int cgroup;
    int status = STATUS_FAILED;

    if (!find_cgroup(name, path) || !is_capable())
        return STATUS_FAILED;
    cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0) {
        warn("%s", make_printable(path));
        return STATUS_FAILED;
    }
    if (wanted == NULL && !find_layers(path, cgroup, &layers))
        explain(path);
    else if (wanted == NULL || change_alone(path, cgroup, wanted, &layers))
        status =
            show_layers(path, &layers, wanted != NULL && wanted->count == 0);
    free(layers.list);
    close(cgroup);
    return status;
}
