/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/drop.h: the drop reasons, generated from drop.def.
 */
#ifndef TERN_TRACE_DROP_H
#define TERN_TRACE_DROP_H

enum tern_drop {
#define DROP(name, text) TERN_DROP_##name,
#include "trace/drop.def"
#undef DROP
	TERN_DROPS,
	TERN_DROP_NONE = TERN_DROP_NOT_SPECIFIED,
};

#endif
