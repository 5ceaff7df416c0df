/*
 * empty.c - a library that does nothing, to compare with
 * SPDX-License-Identifier: MIT
 */
extern int libkeepalive_empty;
int libkeepalive_empty;
