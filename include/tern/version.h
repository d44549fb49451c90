/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/version.h: the version of the headers.
 */
#ifndef TERN_VERSION_H
#define TERN_VERSION_H

#define TERN_VERSION "0.1.0"

#endif
