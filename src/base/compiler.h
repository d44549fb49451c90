/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/compiler.h: what the compiler is told about our code, and the few helpers that every room
 * shares: TERN_NEVER, array size, minimum and maximum.
 */
#ifndef TERN_BASE_COMPILER_H
#define TERN_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* A symbol that the shared library exports; everything else is hidden. */
#ifndef TERN_API
#define TERN_API __attribute__((visibility("default")))
#endif

/* The result says whether the call worked: ignoring it is a bug. */
#define TERN_NODISCARD __attribute__((warn_unused_result))

/* Branch hints, for the two or three branches a burst of packets spends its time in. */
#define TERN_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TERN_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Kept out of its callers, which shall stay small: taken seldom, or never. */
#define TERN_COLD __attribute__((noinline, cold))

/* The same for what is taken often, if less often than the way beside it. */
#define TERN_NOINLINE __attribute__((noinline))

/* Kept out of its callers though it is taken often: beside it they would run out of registers. */
#define TERN_OUTLINE __attribute__((noinline))

/* Inlined even without optimisation of size or speed: bodies that only pay when constants fold. */
#define TERN_INLINE static inline __attribute__((always_inline, unused))

/* Number of elements of a true array (not of a pointer). */
#define TERN_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The time that never comes: the deadline of something that has none. */
#ifndef TERN_NEVER
#define TERN_NEVER UINT64_MAX
#endif

#define TERN_DEFINE_MINMAX(suffix, type)                     \
	static inline type tern_min_##suffix(type a, type b) \
	{                                                    \
		return a < b ? a : b;                        \
	}                                                    \
	static inline type tern_max_##suffix(type a, type b) \
	{                                                    \
		return a > b ? a : b;                        \
	}

/* tern_min_i/u/l/ul/ll/ull and tern_max_...: one pair per arithmetic type. */
TERN_DEFINE_MINMAX(i, int)
TERN_DEFINE_MINMAX(u, unsigned int)
TERN_DEFINE_MINMAX(l, long)
TERN_DEFINE_MINMAX(ul, unsigned long)
TERN_DEFINE_MINMAX(ll, long long)
TERN_DEFINE_MINMAX(ull, unsigned long long)

#undef TERN_DEFINE_MINMAX

/*
 * Smaller and larger of two values of one type. Each argument is evaluated once, calls nest, and
 * mixing signed with unsigned is a -Wconversion error instead of a surprise. The result has the
 * promoted type: two uint16_t give an int.
 */
/* (version 14 does not know _Generic) */
/* clang-format off */
#define TERN_MIN(a, b)                      \
	_Generic((a) + (b),                 \
		int: tern_min_i,            \
		unsigned int: tern_min_u,   \
		long: tern_min_l,           \
		unsigned long: tern_min_ul, \
		long long: tern_min_ll,     \
		unsigned long long: tern_min_ull)((a), (b))

#define TERN_MAX(a, b)                      \
	_Generic((a) + (b),                 \
		int: tern_max_i,            \
		unsigned int: tern_max_u,   \
		long: tern_max_l,           \
		unsigned long: tern_max_ul, \
		long long: tern_max_ll,     \
		unsigned long long: tern_max_ull)((a), (b))

/* clang-format on */

#endif
