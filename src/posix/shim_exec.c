/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_exec.c: a line about programs that are executed and cannot be preloaded.
 *
 * tern run looks at the file that it starts (cli/run_program.c). What that starts in turn, sh or
 * env or a server, is seen here: before the next library's function is called, the file that it is
 * going to execute is looked at, and if this library will not be in it, the log gets one line. It
 * is executed all the same, by a call that is not changed: programs like that are mostly such as
 * have nothing to do with the network.
 *
 * This runs between fork() or vfork() and exec(): nothing is allocated, files are read by pread()
 * into a block on the stack, errno is left alone. Nothing in a file is trusted; what is not
 * understood is not spoken of. A dynamically linked program costs some twenty-five system calls,
 * ten microseconds.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "posix/shim.h"

enum {
	PATH_ROOM = 512,  /* longer ones are not looked at */
	SHOWN = 120,      /* bytes of a path in the line: its end */
	BLOCK = 1024,     /* what is read of a file at once */
	FIRST_LINE = 255, /* what the kernel reads of a script's */
	INTERPRETERS = 5, /* the kernel's own limit of #! in a row */
	HEADERS = 64,     /* program headers */
	LIST = 256,       /* arguments of execl(): of more, memory is mapped */
};

/* The header of this very library: what its class and machine are. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct look {
	char path[PATH_ROOM]; /* of the file that is looked at */
	struct stat st;
	uint8_t block[BLOCK + 1]; /* of what was read last; a zero behind it */
};

/* Reads into the block; how much there is. */
static size_t read_block(struct look *look, int fd, uint64_t at, uint64_t len)
{
	long got;

	if (len > BLOCK)
		len = BLOCK;
	got = at <= INT64_MAX ? TERN_SHIM_SYS4(SYS_pread64, fd, look->block, len, at) : 0;
	if (got < 0)
		got = 0;
	look->block[got] = '\0';
	return (size_t)got;
}

/* The Go linker's, among the notes in the block? */
static bool has_go_note(const uint8_t *notes, size_t len)
{
	ElfW(Nhdr) note;
	size_t name, desc;

	while (len >= sizeof(note)) {
		memcpy(&note, notes, sizeof(note));
		notes += sizeof(note);
		len -= sizeof(note);
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name > len)
			return false;
		if (note.n_namesz == 4 && memcmp(notes, "Go\0", 4) == 0)
			return true;
		if (desc > len - name)
			return false;
		notes += name + desc;
		len -= name + desc;
	}
	return false;
}

/* Stripped of its note it still has its section: the names lie together. */
static bool has_go_section(struct look *look, int fd, const ElfW(Ehdr) * elf)
{
	static const char name[] = ".go.buildinfo";
	ElfW(Shdr) names;
	uint64_t at = elf->e_shoff + (uint64_t)elf->e_shstrndx * elf->e_shentsize;
	size_t len;

	if (elf->e_shstrndx >= elf->e_shnum ||
	    read_block(look, fd, at, sizeof(names)) != sizeof(names))
		return false;
	memcpy(&names, look->block, sizeof(names));
	len = read_block(look, fd, names.sh_offset, names.sh_size);
	return memmem(look->block, len, name, sizeof(name)) != NULL;
}

/* A dynamic linker by itself, which loads us into what it executes. */
static bool is_linker(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return strncmp(name, "ld-linux", 8) == 0 || strcmp(name, "ld.so") == 0;
}

/* What the ELF file whose beginning is in the block is; NULL: we shall be in it. */
static const char *judge_elf(struct look *look, int fd)
{
	bool interpreted = false, musl = false, go = false;
	ElfW(Ehdr) elf;
	ElfW(Phdr) ph;
	unsigned int i;

	memcpy(&elf, look->block, sizeof(elf));
	if (is_linker(look->path))
		return NULL;
	if (memcmp(elf.e_ident, __ehdr_start.e_ident, EI_DATA + 1) != 0 ||
	    elf.e_machine != __ehdr_start.e_machine)
		return "is for another machine or word size";
	for (i = 0; i < elf.e_phnum && i < HEADERS; i++) {
		uint64_t at = elf.e_phoff + (uint64_t)i * elf.e_phentsize;
		size_t len;

		if (read_block(look, fd, at, sizeof(ph)) != sizeof(ph))
			return NULL;
		memcpy(&ph, look->block, sizeof(ph));
		if (ph.p_type != PT_INTERP && ph.p_type != PT_NOTE)
			continue;
		len = read_block(look, fd, ph.p_offset, ph.p_filesz);
		if (ph.p_type == PT_NOTE) {
			go = go || has_go_note(look->block, len);
			continue;
		}
		interpreted = true;
		musl = strstr((const char *)look->block, "/ld-musl") != NULL;
	}
	if (go || has_go_section(look, fd, &elf))
		return "is a Go program";
	if (!interpreted)
		return "is statically linked";
	return musl ? "is linked with musl" : NULL;
}

/* Does it gain privilege? Then its dynamic linker does not load what others ask for. */
static const char *judge_rights(const struct look *look)
{
	long uid = TERN_SHIM_SYS0(SYS_getuid), gid = TERN_SHIM_SYS0(SYS_getgid);
	const char *why = NULL;
	struct statfs mount;

	if ((look->st.st_mode & S_ISUID) && (long)look->st.st_uid != uid)
		why = "is setuid";
	else if ((look->st.st_mode & S_ISGID) && (look->st.st_mode & S_IXGRP) &&
		 (long)look->st.st_gid != gid)
		why = "is setgid";
	else if (uid != 0 &&
		 TERN_SHIM_SYS4(SYS_getxattr, look->path, "security.capability", NULL, 0) > 0)
		why = "has capabilities of its own";
	if (!why || TERN_SHIM_SYS5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return NULL;
	if (TERN_SHIM_SYS2(SYS_statfs, look->path, &mount) >= 0 && (mount.f_flags & ST_NOSUID))
		return NULL;
	return why;
}

/* The interpreter of the script whose beginning is in the block becomes the path. */
static bool take_interpreter(struct look *look)
{
	char *word = (char *)look->block + 2;
	size_t len;

	look->block[FIRST_LINE] = '\0';
	word += strspn(word, " \t");
	len = strcspn(word, " \t\n");
	if (len == 0 || len >= sizeof(look->path))
		return false;
	memcpy(look->path, word, len);
	look->path[len] = '\0';
	return true;
}

/* What the file is, or the interpreter that it names, whose path is there then. */
static const char *judge(struct look *look)
{
	const char *why = NULL;
	bool script = true;
	long fd;
	int i;

	for (i = 0; script && i <= INTERPRETERS; i++) {
		size_t len = 0;

		if (TERN_SHIM_SYS4(SYS_newfstatat, AT_FDCWD, look->path, &look->st, 0) < 0 ||
		    !S_ISREG(look->st.st_mode) || !(look->st.st_mode & 0111))
			return NULL;
		fd = TERN_SHIM_SYS4(SYS_openat, AT_FDCWD, look->path,
				    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
		if (fd >= 0)
			len = read_block(look, (int)fd, 0, BLOCK);
		script = len > 2 && memcmp(look->block, "#!", 2) == 0;
		/* The bits of a script mean nothing, those of its interpreter do. */
		if (script)
			script = take_interpreter(look);
		else
			why = judge_rights(look);
		if (!why && len >= sizeof(ElfW(Ehdr)) && memcmp(look->block, ELFMAG, SELFMAG) == 0)
			why = judge_elf(look, (int)fd);
		if (fd >= 0)
			TERN_SHIM_SYS1(SYS_close, fd);
	}
	return why;
}

static void say(const char *path, const char *why)
{
	static const char end[] = ": its sockets are the kernel's";
	char line[SHOWN + 40 + sizeof(end)], *at = line; /* the longest reason has 35 bytes */
	size_t len = strlen(path), reason = strlen(why);

	if (len > SHOWN) {
		path += len - SHOWN;
		len = SHOWN;
	}
	memcpy(at, path, len);
	at += len;
	*at++ = ' ';
	memcpy(at, why, reason);
	memcpy(at + reason, end, sizeof(end));
	tern_shim_log(line);
}

static void look_at(struct look *look)
{
	const char *why = judge(look);

	if (why)
		say(look->path, why);
}

/* A path as it is. */
static void before(const char *path)
{
	struct look look;
	size_t len;

	if (!tern_shim_on() || !path)
		return;
	len = strlen(path);
	if (len >= sizeof(look.path))
		return;
	memcpy(look.path, path, len + 1);
	look_at(&look);
}

static bool is_program(struct look *look)
{
	return TERN_SHIM_SYS4(SYS_newfstatat, AT_FDCWD, look->path, &look->st, 0) >= 0 &&
	       S_ISREG(look->st.st_mode) &&
	       TERN_SHIM_SYS3(SYS_faccessat, AT_FDCWD, look->path, X_OK) >= 0;
}

/* A name that is searched for. */
static void before_search(const char *name)
{
	const char *dirs;
	struct look look;
	size_t len, dir;

	if (!tern_shim_on() || !name || strchr(name, '/')) {
		before(name);
		return;
	}
	len = strlen(name);
	dirs = getenv("PATH");
	if (!dirs)
		dirs = "/bin:/usr/bin";
	if (len == 0 || len >= sizeof(look.path) - 1)
		return;
	for (;; dirs += dir + 1) {
		dir = strcspn(dirs, ":");
		if (dir < sizeof(look.path) - len - 1) {
			memcpy(look.path, dirs, dir);
			look.path[dir] = '/'; /* an empty one is where we are */
			memcpy(look.path + dir + (dir > 0), name, len + 1);
			if (is_program(&look)) {
				look_at(&look);
				return;
			}
		}
		if (!dirs[dir])
			return;
	}
}

int tern_shim_execve(const char *path, char *const argv[], char *const envp[])
{
	before(path);
	return tern_shim_next.execve(path, argv, envp);
}

int tern_shim_execv(const char *path, char *const argv[])
{
	before(path);
	return tern_shim_next.execv(path, argv);
}

int tern_shim_execvp(const char *name, char *const argv[])
{
	before_search(name);
	return tern_shim_next.execvp(name, argv);
}

int tern_shim_execvpe(const char *name, char *const argv[], char *const envp[])
{
	before_search(name);
	return tern_shim_next.execvpe(name, argv, envp);
}

int tern_shim_posix_spawn(pid_t *ret_pid, const char *path,
			  const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attributes, char *const argv[],
			  char *const envp[])
{
	before(path);
	return tern_shim_next.posix_spawn(ret_pid, path, actions, attributes, argv, envp);
}

int tern_shim_posix_spawnp(pid_t *ret_pid, const char *name,
			   const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const argv[],
			   char *const envp[])
{
	before_search(name);
	return tern_shim_next.posix_spawnp(ret_pid, name, actions, attributes, argv, envp);
}

/* execl() and its kin: their list of arguments becomes an array. */

TERN_API int tern_shim_execl(const char *path, const char *arg, ...) __asm__("execl");
TERN_API int tern_shim_execlp(const char *name, const char *arg, ...) __asm__("execlp");
TERN_API int tern_shim_execle(const char *path, const char *arg, ...) __asm__("execle");

struct list {
	char **argv;
	size_t len; /* the NULL at its end included */
	char *room[LIST];
};

/* 0, -ENOMEM. What comes behind the list is the next of args. */
static int begin_list(struct list *list, const char *arg, va_list *args)
{
	const char *next = arg;
	va_list again;
	size_t i;

	va_copy(again, *args);
	for (list->len = 1; next; list->len++)
		next = va_arg(*args, const char *);
	list->argv = list->room;
	if (list->len > LIST) {
		long memory = TERN_SHIM_SYS6(SYS_mmap, NULL, list->len * sizeof(*list->argv),
					     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
					     -1, 0);

		list->argv = memory < 0 && memory >= -4095 ? NULL : (char **)memory;
	}
	if (list->argv)
		list->argv[0] = (char *)(uintptr_t)arg;
	for (i = 1; list->argv && i < list->len; i++)
		list->argv[i] = va_arg(again, char *);
	va_end(again);
	return list->argv ? 0 : -ENOMEM;
}

/* It was not executed. */
static int end_list(struct list *list)
{
	if (list->argv != list->room)
		TERN_SHIM_SYS2(SYS_munmap, list->argv, list->len * sizeof(*list->argv));
	return -1;
}

int tern_shim_execl(const char *path, const char *arg, ...)
{
	struct list list;
	va_list args;
	int err;

	va_start(args, arg);
	err = begin_list(&list, arg, &args);
	va_end(args);
	if (err)
		return tern_shim_result(err);
	(void)tern_shim_execv(path, list.argv);
	return end_list(&list);
}

int tern_shim_execlp(const char *name, const char *arg, ...)
{
	struct list list;
	va_list args;
	int err;

	va_start(args, arg);
	err = begin_list(&list, arg, &args);
	va_end(args);
	if (err)
		return tern_shim_result(err);
	(void)tern_shim_execvp(name, list.argv);
	return end_list(&list);
}

int tern_shim_execle(const char *path, const char *arg, ...)
{
	struct list list;
	char **envp;
	va_list args;
	int err;

	va_start(args, arg);
	err = begin_list(&list, arg, &args);
	envp = va_arg(args, char **);
	va_end(args);
	if (err)
		return tern_shim_result(err);
	(void)tern_shim_execve(path, list.argv, envp);
	return end_list(&list);
}
