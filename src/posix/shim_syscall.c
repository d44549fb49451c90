/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_syscall.c: system calls, ours and those that programs make by number.
 *
 * libuv sends datagrams by syscall(SYS_sendmmsg, …), other programs do the like. So syscall() is
 * wrapped: the numbers of socket calls lead to the wrappers of their names, all others go straight
 * to the kernel. For that ours must not go through libc's syscall(), which would be us: where we
 * know how the machine is asked, we ask it ourselves; elsewhere syscall() is left alone.
 */
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix/shim.h"

#if defined(__x86_64__) && !defined(__ILP32__)

static long ask_kernel(long number, const long a[6])
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define ASKS_KERNEL 1

#elif defined(__aarch64__)

static long ask_kernel(long number, const long a[6])
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#define ASKS_KERNEL 1

#else

static long ask_kernel(long number, const long a[6])
{
	int saved = errno;
	long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (result < 0) {
		result = -errno;
		errno = saved;
	}
	return result;
}

#define ASKS_KERNEL 0

#endif

long tern_shim_sys(long number, long a, long b, long c, long d, long e, long f)
{
	return ask_kernel(number, (const long[6]){ a, b, c, d, e, f });
}

long tern_shim_plain(long number, ...)
{
	long a[6], result;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	result = ask_kernel(number, a);
	if (TERN_LIKELY(result >= 0 || result < -4095))
		return result;
	errno = (int)-result;
	return -1;
}

#if ASKS_KERNEL

TERN_API long tern_shim_syscall(long number, ...) __asm__("syscall");

/* Calls a wrapper whose name a socket call's number has. False: it is none. */
static bool by_name(long number, const long a[6], long *ret)
{
	int fd = (int)a[0], flags = (int)a[3];
	void *one = (void *)a[1];

	switch (number) {
	case SYS_socket:
		*ret = tern_shim_socket(fd, (int)a[1], (int)a[2]);
		return true;
	case SYS_bind:
		*ret = tern_shim_bind(fd, one, (socklen_t)a[2]);
		return true;
	case SYS_listen:
		*ret = tern_shim_listen(fd, (int)a[1]);
		return true;
	case SYS_connect:
		*ret = tern_shim_connect(fd, one, (socklen_t)a[2]);
		return true;
	case SYS_accept:
		*ret = tern_shim_accept(fd, one, (socklen_t *)a[2]);
		return true;
	case SYS_accept4:
		*ret = tern_shim_accept4(fd, one, (socklen_t *)a[2], flags);
		return true;
	case SYS_shutdown:
		*ret = tern_shim_shutdown(fd, (int)a[1]);
		return true;
	case SYS_getsockname:
		*ret = tern_shim_getsockname(fd, one, (socklen_t *)a[2]);
		return true;
	case SYS_getpeername:
		*ret = tern_shim_getpeername(fd, one, (socklen_t *)a[2]);
		return true;
	case SYS_getsockopt:
		*ret = tern_shim_getsockopt(fd, (int)a[1], (int)a[2], (void *)a[3],
					    (socklen_t *)a[4]);
		return true;
	case SYS_setsockopt:
		*ret = tern_shim_setsockopt(fd, (int)a[1], (int)a[2], (const void *)a[3],
					    (socklen_t)a[4]);
		return true;
	default:
		return false;
	}
}

/* The same for data. */
static bool by_name_of_data(long number, const long a[6], long *ret)
{
	int fd = (int)a[0], flags = (int)a[3];
	void *one = (void *)a[1];

	switch (number) {
	case SYS_sendto:
		*ret = tern_shim_sendto(fd, one, (size_t)a[2], flags, (const void *)a[4],
					(socklen_t)a[5]);
		return true;
	case SYS_recvfrom:
		*ret = tern_shim_recvfrom(fd, one, (size_t)a[2], flags, (void *)a[4],
					  (socklen_t *)a[5]);
		return true;
	case SYS_sendmsg:
		*ret = tern_shim_sendmsg(fd, one, (int)a[2]);
		return true;
	case SYS_recvmsg:
		*ret = tern_shim_recvmsg(fd, one, (int)a[2]);
		return true;
	case SYS_sendmmsg:
		*ret = tern_shim_sendmmsg(fd, one, (unsigned int)a[2], flags);
		return true;
	case SYS_recvmmsg:
		*ret = tern_shim_recvmmsg(fd, one, (unsigned int)a[2], flags, (void *)a[4]);
		return true;
	default:
		return false;
	}
}

long tern_shim_syscall(long number, ...)
{
	long a[6], result;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (tern_shim_on() && (by_name(number, a, &result) || by_name_of_data(number, a, &result)))
		return result;
	return tern_shim_plain(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#endif
