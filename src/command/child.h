/*
 * child.h - something that is done in a child process, within a time limit
 * SPDX-License-Identifier: MIT
 */
#ifndef KEEPALIVE_CHILD_H
#define KEEPALIVE_CHILD_H

#include <stddef.h>

/*
 * What the child does. It writes its answer to the descriptor, which execve(2)
 * closes, and ends by _exit(2) or becomes another program.
 */
typedef void child_part(const void *argument, int answer);

/*
 * Does a part in a child process and reads its answer, at most `size` bytes;
 * the rest, and all above 64 KiB, is lost. No signal is ignored or blocked in
 * the child. It dies with its parent, unless its user changes, and is killed
 * after `seconds`; by an alarm(2), too, for a set-user-ID program, which its
 * parent may not kill.
 *
 * Stores the bytes that were read and returns the status of waitpid(2). -1,
 * with errno, if there could be no child, or none that could be killed.
 */
int run_child(child_part *part, const void *argument, unsigned seconds,
              void *answer, size_t size, size_t *length);

#endif
