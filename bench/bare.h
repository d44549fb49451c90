/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bare.h: a responder on a TUN device that is no TCP: what the driver alone allows.
 */
#ifndef TERN_BENCH_BARE_H
#define TERN_BENCH_BARE_H

#include <stdbool.h>

/*
 * Answers one connection on the device until `result` is readable. With `sends` it fills the peer's
 * window with super-segments, else it acknowledges each frame that comes.
 */
void bare_serve(int tun, int result, bool sends);

#endif
