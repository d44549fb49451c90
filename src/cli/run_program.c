/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_program.c: which file would be executed, and can its calls be intercepted.
 *
 * A preload library gets into a program if the program's own dynamic linker loads it, and sees its
 * calls if those go through libc. That is not so for
 *
 *	static programs		no PT_INTERP, so no dynamic linker at all
 *	Go			calls the kernel itself, dynamically linked or not; told by its note
 *				("Go", .note.go.buildid) or its section .go.buildinfo
 *	another machine		a 32-bit program takes no 64-bit library
 *	musl			a dynamic linker and libc that this library was not linked with
 *	setuid, setgid, file	the dynamic linker ignores LD_PRELOAD where the kernel says
 *	capabilities		AT_SECURE: when the ids change, or a caller that is not root gains
 *				capabilities. Not with no_new_privs or on a nosuid mount.
 *
 * A script is judged by its interpreter, and #!/usr/bin/env by the program that env finds. What
 * those start in turn is beyond this look; it is there so that the common mistakes get a line
 * instead of a program that silently runs on the kernel's TCP. Files are read with bounds: nothing
 * in them is trusted.
 */
#include "cli/run_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/compiler.h"

enum {
	INTERPRETERS_MAX = 5, /* the kernel's own limit of #! in a row */
	SECTIONS_MAX = 512,
	NOTES_MAX = 4096, /* bytes of one PT_NOTE that are looked at */
	SHOWN = 200,      /* bytes of a path in a line */
};

#define PRELOAD_NAME "libtern-preload.so"

/* ---- finding */

/* 0, -ENOENT, -EACCES. */
static int judge_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

static int search(const char *name, const char *dirs, char path[PATH_MAX])
{
	char found[PATH_MAX];
	int result = -ENOENT;

	for (const char *at = dirs;; at++) {
		int dir_len = (int)strcspn(at, ":");
		int len = snprintf(found, sizeof(found), "%.*s%s%s", dir_len, at,
				   dir_len ? "/" : "", name);
		int err = len < PATH_MAX ? judge_file(found) : -ENOENT;

		/* As execvp: one that may not be executed counts only if no other is found. */
		if (err == 0 || (err == -EACCES && result == -ENOENT)) {
			memcpy(path, found, (size_t)len + 1);
			result = err;
		}
		if (err == 0)
			return 0;
		at += dir_len;
		if (!*at)
			return result;
	}
}

int tern_program_find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");

	if (!*name || strlen(name) >= PATH_MAX)
		return -ENOENT;
	if (!strchr(name, '/'))
		return search(name, dirs ? dirs : "/bin:/usr/bin", path);
	memcpy(path, name, strlen(name) + 1);
	return judge_file(path);
}

/* ---- reading ELF */

static bool read_at(int fd, void *buf, size_t len, uint64_t at)
{
	return at <= INT64_MAX && pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

/* Is there a note of Go's in these bytes? */
static bool has_go_note(const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name_len, desc_len;

		memcpy(&note, bytes + at, sizeof(note));
		at += sizeof(note);
		name_len = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc_len = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name_len > len - at)
			return false;
		if (note.n_namesz == 4 && memcmp(bytes + at, "Go\0", 4) == 0)
			return true;
		if (desc_len > len - at - name_len)
			return false;
		at += name_len + desc_len;
	}
	return false;
}

/* What the program headers say. */
struct headers {
	bool interpreted; /* there is a PT_INTERP */
	bool go;
	char interpreter[PATH_MAX];
};

static void read_headers(int fd, const ElfW(Ehdr) * elf, struct headers *ret)
{
	uint8_t notes[NOTES_MAX];
	ElfW(Phdr) ph;

	*ret = (struct headers){ 0 };
	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		size_t len;

		if (!read_at(fd, &ph, sizeof(ph), elf->e_phoff + (uint64_t)i * elf->e_phentsize))
			return;
		len = TERN_MIN((size_t)ph.p_filesz, sizeof(notes));
		if (ph.p_type == PT_INTERP) {
			ret->interpreted = true;
			len = TERN_MIN(len, sizeof(ret->interpreter) - 1);
			if (!read_at(fd, ret->interpreter, len, ph.p_offset))
				ret->interpreter[0] = '\0';
		} else if (ph.p_type == PT_NOTE && read_at(fd, notes, len, ph.p_offset)) {
			ret->go = ret->go || has_go_note(notes, len);
		}
	}
}

static bool has_go_section(int fd, const ElfW(Ehdr) * elf)
{
	unsigned int count = TERN_MIN((unsigned int)elf->e_shnum, (unsigned int)SECTIONS_MAX);
	ElfW(Shdr) names, section;
	char name[18];

	if (elf->e_shstrndx >= count ||
	    !read_at(fd, &names, sizeof(names),
		     elf->e_shoff + (uint64_t)elf->e_shstrndx * elf->e_shentsize))
		return false;
	for (unsigned int i = 0; i < count; i++) {
		ssize_t len;

		if (!read_at(fd, &section, sizeof(section),
			     elf->e_shoff + (uint64_t)i * elf->e_shentsize))
			return false;
		len = pread(fd, name, sizeof(name) - 1, (off_t)(names.sh_offset + section.sh_name));
		name[len < 0 ? 0 : len] = '\0';
		if (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0)
			return true;
	}
	return false;
}

/* Is it for the machine that this program is for? */
static bool is_native(const ElfW(Ehdr) * elf)
{
	ElfW(Ehdr) own = { 0 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool known = fd >= 0 && read_at(fd, &own, sizeof(own), 0);

	if (fd >= 0)
		(void)close(fd);
	return !known ||
	       (elf->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] &&
		elf->e_ident[EI_DATA] == own.e_ident[EI_DATA] && elf->e_machine == own.e_machine);
}

static int refuse(char *why, const char *path, const char *what)
{
	(void)snprintf(why, TERN_PROGRAM_WHY, "'%.*s' %s", SHOWN, path, what);
	return -ENOEXEC;
}

static int check_elf(const char *path, int fd, char *why)
{
	ElfW(Ehdr) elf;
	struct headers headers;
	const char *slash;

	if (!read_at(fd, &elf, sizeof(elf), 0))
		return 0; /* too short to be executed; that will be said */
	if (!is_native(&elf))
		return refuse(why, path,
			      "is for another machine or word size than tern, whose library it "
			      "cannot load; take a build for this one");
	read_headers(fd, &elf, &headers);
	if (headers.go || has_go_section(fd, &elf))
		return refuse(why, path,
			      "is a Go program: it calls the kernel without libc, so tern cannot "
			      "step in between; take a program that uses libc");
	if (!headers.interpreted)
		return refuse(why, path,
			      "is statically linked: no library can be loaded in front of its "
			      "libc; take a dynamically linked build");
	slash = strrchr(headers.interpreter, '/');
	if (slash && strncmp(slash, "/ld-musl", 8) == 0)
		return refuse(why, path,
			      "is linked with musl, tern's library with glibc; take a build for "
			      "glibc");
	return 0;
}

/* ---- privilege that grows in exec */

static const char *elevation(const char *path)
{
	struct statvfs mount;
	struct stat st;

	if (stat(path, &st) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return NULL;
	if (statvfs(path, &mount) == 0 && (mount.f_flag & ST_NOSUID))
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "is setuid";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return "is setgid";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "has capabilities of its own";
	return NULL;
}

static int check_elevation(const char *path, char *why)
{
	const char *what = elevation(path);

	if (!what)
		return 0;
	(void)snprintf(why, TERN_PROGRAM_WHY,
		       "'%.*s' %s, and the system loads no library of ours into such a program; "
		       "run tern as the user it becomes, or take a copy without that",
		       SHOWN, path, what);
	return -ENOEXEC;
}

/* ---- scripts */

/* The program that "env ARGS" runs: the first word that is neither option nor assignment. */
static bool behind_env(const char *args, char path[PATH_MAX])
{
	char name[PATH_MAX];
	size_t len;

	for (; *args; args += len) {
		args += strspn(args, " \t");
		len = strcspn(args, " \t");
		if (len == 0 || len >= sizeof(name))
			return false;
		memcpy(name, args, len);
		name[len] = '\0';
		if (name[0] != '-' && !strchr(name, '='))
			return tern_program_find(name, path) == 0;
	}
	return false;
}

/*
 * The interpreter of a script whose beginning is line, in path. False if it has none; that the
 * interpreter is not there is for exec to say.
 */
static bool interpreter(char *line, char path[PATH_MAX])
{
	char *word = line + 2, *args, *slash;
	size_t len;

	line[strcspn(line, "\n")] = '\0';
	word += strspn(word, " \t");
	len = strcspn(word, " \t");
	if (len == 0 || len >= PATH_MAX)
		return false;
	args = word + len;
	if (*args)
		*args++ = '\0';
	slash = strrchr(word, '/');
	if (strcmp(slash ? slash + 1 : word, "env") == 0 && behind_env(args, path))
		return true;
	memcpy(path, word, len + 1);
	return true;
}

int tern_program_check(const char *path, bool elevated, char *why)
{
	char at[PATH_MAX], line[PATH_MAX];

	if (strlen(path) >= sizeof(at))
		return 0;
	memcpy(at, path, strlen(path) + 1);
	for (int i = 0; i <= INTERPRETERS_MAX; i++) {
		int fd = open(at, O_RDONLY | O_CLOEXEC), err = 0;
		ssize_t len = fd < 0 ? -1 : pread(fd, line, sizeof(line) - 1, 0);
		bool script = len > 2 && memcmp(line, "#!", 2) == 0;

		/* The bits of a script mean nothing, those of its interpreter do. */
		if (elevated && !script)
			err = check_elevation(at, why);
		if (!err && len >= SELFMAG && memcmp(line, ELFMAG, SELFMAG) == 0)
			err = check_elf(at, fd, why);
		if (fd >= 0)
			(void)close(fd);
		if (err || !script)
			return err;
		line[len] = '\0';
		if (!interpreter(line, at))
			return 0;
	}
	return 0;
}

/* ---- our own library */

int tern_program_preload(char path[PATH_MAX])
{
	static const char *const places[] = { "", TERN_PRELOAD_DIR "/" };
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (len < 0)
		return -ENOENT;
	own[len] = '\0';
	slash = strrchr(own, '/');
	if (slash)
		slash[1] = '\0';
	for (size_t i = 0; i < TERN_ARRAY_SIZE(places); i++) {
		char found[PATH_MAX];
		int n = snprintf(found, sizeof(found), "%s%s" PRELOAD_NAME,
				 places[i][0] == '/' ? "" : own, places[i]);

		if (n < 0 || n >= PATH_MAX || access(found, R_OK) < 0)
			continue;
		memcpy(path, found, (size_t)n + 1);
		return strpbrk(path, " :\t\n") ? -EINVAL : 0;
	}
	return -ENOENT;
}
