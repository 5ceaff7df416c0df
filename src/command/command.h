/*
 * command.h - what the source files of the `keepalive` command share
 * SPDX-License-Identifier: MIT
 *
 *     main.c       the command line; runs a command
 *     locate.c     where the library is, and its name for the loader
 *     reach.c      can the loader help this program?
 *     sockets.c    the sockets of running processes
 *     print.c      those as a table and as JSON
 *     machine.c    /etc/ld.so.preload, the whole machine
 *     trial.c      does the library load and work, and what would stop it?
 *     cgroup.c     every program of a cgroup, by BPF
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "keepalive.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit statuses, as env(1) and stdbuf(1) have them. */
enum {
    STATUS_FAILED = 125,     /* the command line, or keepalive itself */
    STATUS_CANNOT_RUN = 126, /* the command is there, but does not run */
    STATUS_NOT_FOUND = 127,
};

/*
 * Which row of keepalive_options is shown in this column, 0 to
 * KEEPALIVE_OPTIONS - 1, of tables and JSON? Stores its name there.
 */
int find_column(int column, const char **name);

/* The installed library, or that of the build tree. */
struct library {
    char path[PATH_MAX];  /* its file */
    char entry[PATH_MAX]; /* what the loader is given for it */
    unsigned kind;        /* of the file, see elf_kind() */
    char twin[PATH_MAX];  /* the file for 32-bit programs; "" without one */
    unsigned twin_kind;
    bool installed;    /* not that of a build tree */
    const char *fault; /* why it cannot be used, or NULL */
};

/*
 * Finds the library: beside the command, as in a build tree, else at the path
 * that was fixed when the command was built. The current directory and the
 * environment do not count.
 */
void library_find(struct library *library);

/* Is this word of /etc/ld.so.preload the library, however it is written? */
bool library_is(const struct library *library, const char *word, size_t length);

/* Is it another file of the same name? */
bool library_is_other(const struct library *library, const char *word,
                      size_t length);

/* Machine, byte order and class of an ELF file; 0 where it is none. */
unsigned elf_kind(const char *path);

/* The loader that an ELF file asks for; false where it is none or static. */
bool elf_loader(const char *path, char loader[PATH_MAX]);

enum { OBSTACLE = PATH_MAX + 256 };

/* Says why a command could not be started, for the error of execvp(3). */
void warn_not_started(const char *name, int error);

/*
 * Would the library have no effect on this command, given as for execvp(3)?
 * Then true, with one sentence on the reason and on what to do. Scripts and
 * env(1) are followed; what cannot be read is not judged.
 */
bool program_obstacle(char text[OBSTACLE], char *const command[],
                      const struct library *library);

/* What is asked about sockets. */
struct socket_request {
    struct keepalive wanted; /* to be set; count 0: nothing */
    bool all;                /* every process */
    bool missing;            /* only connections without keepalive */
    bool dry_run;            /* say what would be set */
    bool json;
};

enum {
    /* an IPv6 address, its scope, brackets and a port */
    ADDRESS = INET6_ADDRSTRLEN + 16 + sizeof("[%]:65535"),
    COMM = 15,          /* bytes of a process's name, see proc_pid_comm(5) */
    SOCKET_STATES = 12, /* of TCP */
    UNKNOWN = -1,       /* the kernel does not tell */
};

/* A socket. */
struct socket_row {
    int pid; /* the first process found that has it */
    int fd;
    char name[COMM + 2];
    int others;   /* processes that have it as well */
    int last_pid; /* the last of them */
    ino_t inode;
    bool shown;      /* is a TCP socket, and asked for */
    bool connection; /* to another machine, not a listener */
    bool timed;      /* can have a keepalive timer, in this network */
    size_t network;
    unsigned char state;
    char local[ADDRESS];
    char remote[ADDRESS]; /* empty: not connected */
    int before[KEEPALIVE_OPTIONS];
    int after[KEEPALIVE_OPTIONS];
    long next; /* ticks to the next probe, or UNKNOWN */
};

struct socket_table {
    struct socket_row *rows;
    size_t count;
    size_t capacity;
    size_t shown;
    size_t connections; /* see socket_row */
    size_t missing;     /* of these, without keepalive before */
};

/* The row of keepalive_options that a value is for. */
int option_row(const struct keepalive_value *value);

/* Reads each option of a socket; UNKNOWN for one that it does not have. */
void read_values(int fd, int values[KEEPALIVE_OPTIONS]);

/*
 * Shows, and sets if values are wanted, the TCP sockets of the processes that
 * the operands name, by number or name, or of all. Returns the exit status: 0,
 * one of these, the highest if several hold, or STATUS_FAILED.
 */
enum {
    PROCESS_GONE = 1,      /* no such process, or it ended meanwhile */
    PROCESS_FORBIDDEN = 2, /* descriptors are out of reach */
    PROCESS_REFUSED = 3,   /* the kernel did not take a value */
    SOCKETS_MISSING = 4,   /* connections are not kept alive */
};
int show_sockets(const struct socket_request *request, char *const operands[],
                 int count);

/* Prints the rows that are shown. */
void print_sockets(const struct socket_table *table,
                   const struct socket_request *request);

/* A string in JSON. What is not ASCII is taken for Latin-1. */
void print_json_text(const char *text, size_t length);

/* The text with ? for control characters, cut at 252 bytes; valid until the
 * next call. */
const char *make_printable(const char *text);

/*
 * What would stop the library from serving the whole machine. Each check
 * returns true, or false and writes one sentence.
 */
enum { REASON = 2 * PATH_MAX };
struct check {
    const char *name;
    bool (*passes)(const struct library *library, char reason[REASON]);
};
extern const struct check checks[];
extern const int check_count;

/*
 * Starts programs, a set-user-ID one and a 32-bit one among them, and a probe
 * that looks for the library in itself and at a socket of its own. `entry` is
 * their LD_PRELOAD; NULL: as the machine is. False, with one sentence, where
 * one of them is not as it should be.
 */
bool start_programs(const struct library *library, const char *entry,
                    char reason[REASON]);

/*
 * Does a program that is started now, without LD_PRELOAD, have keepalive by a
 * library of this name? If so, stores the files that it has mapped. Uncertain
 * if none can be started.
 */
enum answer { NO, YES, UNCERTAIN };
enum answer has_library(char mapped[REASON]);

/* The name by which main() knows that it is that probe, and its part. */
#define TRIAL_PROBE "keepalive-probe"
int run_trial_probe(void);

#define PRELOAD_FILE "/etc/ld.so.preload"

/*
 * Does `keepalive --global on`, `off` or `status`. Returns the exit status: 0,
 * one of these, or STATUS_FAILED with the file as it was.
 */
enum {
    MACHINE_OFF = 1, /* status: it is off */
    MACHINE_BROKEN =
        2, /* it is on, but something is wrong; after off: still on */
};
int switch_machine(const char *what, bool quiet, bool json);

/*
 * Puts settings in force for every program of a cgroup: a directory, or a path
 * below the mount of cgroup2. NULL: shows what is in force there; no values:
 * removes what was put there. Returns the exit status.
 */
enum {
    CGROUP_OFF = 1,   /* shown: nothing is in force */
    CGROUP_STILL = 2, /* removed, but what a cgroup above has is in force */
};
int switch_cgroup(const char *name, const struct keepalive *wanted);

#endif
