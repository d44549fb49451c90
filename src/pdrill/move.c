/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * splice and sendfile: bytes between a socket of ours and a descriptor of the process, without a
 * copy in between. Room is lent by the send buffer before bytes are read from a pipe or a file, and
 * received bytes are written out of the receive buffer before they are consumed, so none is lost
 * where the other side takes less. A step moves 64 KiB at most; a pipe is asked for what it holds
 * or has room for, so no step blocks with the lock held. Waiting for a pipe is a look every
 * millisecond.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pdrill/pdrill.h"

enum { STEP = 65536, PIECES = 16 };

#define LOOK_NS UINT64_C(1000000)

/*
 * One step of at most n bytes from a descriptor into a socket; MSG_MORE if that is less than
 * whole. Bytes, 0 at the end of them, or negative errno.
 */
static int64_t step_in(struct tern_pdrill *d, int sock, int from, off_t *off, size_t n,
		       size_t whole)
{
	struct tern_room rooms[PIECES];
	struct iovec iov[PIECES];
	ssize_t got;
	int count;

	count = tern_sock_reserve(d->socks, d->now, sock, TERN_MIN(n, (size_t)STEP), rooms, PIECES);
	if (count <= 0)
		return count;
	for (int i = 0; i < count; i++)
		iov[i] = (struct iovec){ .iov_base = rooms[i].ptr, .iov_len = rooms[i].len };
	got = off ? preadv(from, iov, count, *off) : readv(from, iov, count);
	if (got < 0)
		got = -errno;
	(void)tern_sock_commit(d->socks, d->now, sock, got > 0 ? (size_t)got : 0,
			       got > 0 && (size_t)got < whole ? MSG_MORE : 0);
	if (got > 0 && off)
		*off += got;
	return got;
}

/* One step from a socket into a pipe with so much room. */
static int64_t step_out(struct tern_pdrill *d, int sock, int to, size_t n)
{
	struct tern_piece pieces[PIECES];
	int count = tern_sock_peek_pieces(d->socks, d->now, sock, pieces, PIECES);
	struct iovec iov[PIECES];
	size_t total = 0;
	ssize_t put;
	int i;

	if (count <= 0)
		return count;
	for (i = 0; i < count && total < n; i++) {
		size_t part = TERN_MIN((size_t)pieces[i].len, n - total);

		iov[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)pieces[i].ptr,
					 .iov_len = part };
		total += part;
	}
	put = writev(to, iov, i);
	if (put < 0)
		return -errno;
	(void)tern_sock_consume(d->socks, d->now, sock, (size_t)put);
	return put;
}

/* What a pipe holds, or its end's errno: 0 nothing yet, -EPIPE no more ever. */
static int64_t pipe_holds(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = 0;

	if (ioctl(fd, FIONREAD, &n) < 0)
		return -errno;
	if (n > 0)
		return n;
	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) ? -EPIPE : 0;
}

/* How much a pipe takes without waiting, counted in whole pages; -EPIPE: nobody reads. */
static int64_t pipe_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n = 0, size = fcntl(fd, F_GETPIPE_SZ);

	if (size < 0 || ioctl(fd, FIONREAD, &n) < 0)
		return -EINVAL;
	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (p.revents & POLLERR)
		return -EPIPE;
	return n < size ? (size - n + 4095) / 4096 * 4096 : 0;
}

static bool is_pipe(int fd)
{
	return fcntl(fd, F_GETPIPE_SZ) >= 0;
}

static int64_t splice_in(struct tern_pdrill *d, int sock, int from, size_t n, unsigned int flags)
{
	bool patient = !(flags & SPLICE_F_NONBLOCK) && !(fcntl(from, F_GETFL) & O_NONBLOCK);
	bool wait = !(flags & SPLICE_F_NONBLOCK) && !(d->fl[sock] & O_NONBLOCK);
	uint64_t until = tern_pdrill_until(d, sock, TERN_SOCK_OP_SEND);
	size_t whole = flags & SPLICE_F_MORE ? SIZE_MAX : 0;
	int64_t held, moved;

	for (;;) {
		held = pipe_holds(from);
		if (held < 0)
			return held == -EPIPE ? 0 : held;
		if (held == 0) {
			int err = patient ? tern_pdrill_wait(d, d->now + LOOK_NS) : -EAGAIN;

			if (err)
				return err;
			continue;
		}
		moved = step_in(d, sock, from, NULL, TERN_MIN(n, (size_t)held), whole);
		if (moved != -EAGAIN || !wait)
			return moved;
		moved = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_SEND, until);
		if (moved)
			return moved;
	}
}

static int64_t splice_out(struct tern_pdrill *d, int sock, int to, size_t n, unsigned int flags)
{
	bool wait = !(d->fl[sock] & O_NONBLOCK);
	uint64_t until = tern_pdrill_until(d, sock, TERN_SOCK_OP_RECV);
	int64_t room, moved;
	int at_mark = 0;

	for (;;) {
		room = pipe_room(to);
		if (room < 0)
			return room;
		if (room == 0) {
			int err = flags & SPLICE_F_NONBLOCK ? -EAGAIN
							    : tern_pdrill_wait(d, d->now + LOOK_NS);

			if (err)
				return err;
			continue;
		}
		/* As in Linux: splice() ends at urgent data, and does not wait there. */
		if (!tern_sock_atmark(d->socks, d->now, sock, &at_mark) && at_mark)
			return wait ? 0 : -EAGAIN;
		moved = step_out(d, sock, to, TERN_MIN(n, (size_t)room));
		if (moved != -EAGAIN || !wait)
			return moved;
		moved = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_RECV, until);
		if (moved)
			return moved;
	}
}

static ssize_t fail(int err)
{
	errno = err;
	return -1;
}

ssize_t tern_pdrill_splice(void *ud, int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t n,
			   unsigned int flags)
{
	struct tern_pdrill *d = ud;
	bool in = tern_pdrill_is_socket(d, fd_in), out = tern_pdrill_is_socket(d, fd_out);
	int64_t moved;

	if (!in && !out)
		return splice(fd_in, off_in, fd_out, off_out, n, flags);
	if (in == out || !is_pipe(in ? fd_out : fd_in))
		return fail(EINVAL); /* one end has to be a pipe */
	if (off_in || off_out)
		return fail(ESPIPE);
	if (n == 0)
		return 0;
	(void)tern_pdrill_enter(d);
	if (in)
		moved = splice_out(d, fd_in - d->first, fd_out, n, flags);
	else
		moved = splice_in(d, fd_out - d->first, fd_in, n, flags);
	return tern_pdrill_leave(d, moved);
}

/* n, or what a file has of it behind the place that is read: no more is then held back for. */
static size_t limit_to_file(int fd, const off_t *off, size_t n)
{
	off_t at = off ? *off : lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || at < 0)
		return n;
	return st.st_size > at ? TERN_MIN(n, (size_t)(st.st_size - at)) : 0;
}

ssize_t tern_pdrill_sendfile(void *ud, int fd_out, int fd_in, off_t *off, size_t n)
{
	struct tern_pdrill *d = ud;
	int sock = fd_out - d->first;
	uint64_t until;
	size_t done = 0;
	int64_t moved = 0;
	bool wait;

	if (!tern_pdrill_is_socket(d, fd_out))
		return fail(EBADF);
	if (off && !tern_pdrill_writable(off, sizeof(*off)))
		return fail(EFAULT);
	if (fcntl(fd_in, F_GETFL) < 0)
		return -1;
	n = limit_to_file(fd_in, off, n);
	(void)tern_pdrill_enter(d);
	if (!tern_sock_id(d->socks, sock))
		return tern_pdrill_leave(d, -EBADF);
	wait = !(d->fl[sock] & O_NONBLOCK);
	until = tern_pdrill_until(d, sock, TERN_SOCK_OP_SEND);
	while (done < n) {
		moved = step_in(d, sock, fd_in, off, n - done, n - done);
		if (moved > 0)
			done += (size_t)moved;
		else if (moved == -EAGAIN && wait)
			moved = tern_pdrill_wait_for(d, sock, TERN_SOCK_OP_SEND, until);
		else
			break;
		if (moved < 0)
			break;
	}
	return tern_pdrill_leave(d, done ? (int64_t)done : moved);
}
