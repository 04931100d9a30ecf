#include "fs/cmd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/view/exit.h"
#include "fs/view/log.h"

static const char help[] =
	"usage: weightfs MODEL MOUNTPOINT [-f] [-d] [-s] [-o option,...]\n"
	"       weightfs -u [--lazy] MOUNTPOINT\n"
	"\n"
	"Mounts a TensorFlow checkpoint or SavedModel as a directory tree; what is edited there "
	"is\n"
	"written back when it is unmounted.\n"
	"\n"
	"MODEL is a SavedModel directory, or a checkpoint: its PREFIX, PREFIX.index or one of its\n"
	"data files, a V1 checkpoint file, or a directory with one or more checkpoints in it.\n"
	"\n"
	"  -u             write back, unmount, and say how it went\n"
	"  --lazy         with -u: detach at once, save when the last file is closed\n"
	"  -f             stay in the foreground, log to stderr\n"
	"  -d             likewise, and show each request\n"
	"  -s             use one worker thread\n"
	"  -h, --help     show this\n"
	"  -V, --version  show the version\n"
	"\n"
	"options for -o:\n"
	"  ro             read only: the model as it is on disk\n"
	"  allow_other    let other users in, as far as modes permit\n"
	"  uid=N gid=N    show this owner instead of the mounting user\n"
	"  umask=OCTAL    permissions that are taken away; default: that of the process\n"
	"  output=PATH    save to this new prefix or directory; the model itself is only read\n"
	"  workdir=PATH   keep the edits in this folder instead of one beside the model\n"
	"  logfile=PATH   log to a file instead of syslog\n"
	"  verify         check the checksum of each tensor when it is first opened for reading\n"
	"  backup         keep the model as it was before a save as PREFIX.bak.* or DIR.bak/\n"
	"  compact        rewrite all data files at a save, so that no space is wasted\n"
	"  readahead=KIB  how far the kernel reads ahead (as root); 0: its default\n";

static int usage(const char *what, const char *about)
{
	say("weightfs: %s%s", what, about);
	say("Try 'weightfs --help'.");
	return EXIT_USAGE;
}

/* Options that mount(8) and /etc/fstab add, and that mean nothing here. */
static bool is_mount_word(const char *word)
{
	static const char *const words[] = {
		"rw",	      "dev",	  "nodev",	"suid",
		"nosuid",     "exec",	  "noexec",	"atime",
		"noatime",    "relatime", "norelatime", "diratime",
		"nodiratime", "auto",	  "noauto",	"user",
		"nouser",     "users",	  "_netdev",	"nofail",
		"defaults",   "sync",	  "async",	"default_permissions",
		"nonempty",   "lazytime", "nolazytime", "strictatime",
		"dirsync",    "group",	  "nogroup",	"nostrictatime",
		"owner",      "noowner",  "iversion",	"noiversion",
		"mand",	      "nomand",	  "silent",	"loud",
	};

	if (strncasecmp(word, "x-", 2) == 0 || strncmp(word, "comment=", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool parse_number(const char *text, int base, long max, long *ret)
{
	char *end;

	*ret = strtol(text, &end, base);
	return *text && !*end && *ret >= 0 && *ret <= max;
}

/* NAME=NUMBER; false if word is another option. */
static bool parse_numeric(const char *word, struct options *o, bool *ret_ok)
{
	long n;

	*ret_ok = true;
	if (strncmp(word, "uid=", 4) == 0 &&
	    (*ret_ok = parse_number(word + 4, 10, UINT32_MAX - 1, &n)))
		o->uid = (uid_t)n;
	else if (strncmp(word, "gid=", 4) == 0 &&
		 (*ret_ok = parse_number(word + 4, 10, UINT32_MAX - 1, &n)))
		o->gid = (gid_t)n;
	else if (strncmp(word, "umask=", 6) == 0 && (*ret_ok = parse_number(word + 6, 8, 0777, &n)))
		o->umask = (int)n;
	else if (strncmp(word, "readahead=", 10) == 0 &&
		 (*ret_ok = parse_number(word + 10, 10, 1 << 20, &n)))
		o->mount.readahead = n ? n : -1;
	else
		return !*ret_ok;
	return true;
}

static int parse_word(const char *word, struct options *o)
{
	bool ok;

	if (strcmp(word, "ro") == 0)
		o->read_only = true;
	else if (strcmp(word, "allow_other") == 0)
		o->mount.allow_other = true;
	else if (strcmp(word, "compact") == 0)
		o->mount.compact = true;
	else if (strcmp(word, "backup") == 0)
		o->mount.backup = true;
	else if (strcmp(word, "verify") == 0)
		o->verify = true;
	else if (strncmp(word, "logfile=", 8) == 0 && word[8])
		o->logfile = word + 8;
	else if (strncmp(word, "workdir=", 8) == 0 && word[8])
		o->workdir = word + 8;
	else if (strncmp(word, "output=", 7) == 0 && word[7])
		o->output = word + 7;
	else if (parse_numeric(word, o, &ok))
		return ok ? -1 : usage("not a number, or out of range, in -o ", word);
	else if (*word && !is_mount_word(word))
		return usage("unknown option -o ", word);
	return -1;
}

/* Cuts the words out of text in place; they live as long as the arguments. */
static int parse_words(char *text, struct options *o)
{
	char *word;

	while ((word = strsep(&text, ","))) {
		int r = parse_word(word, o);

		if (r >= 0)
			return r;
	}
	return -1;
}

static int check(const struct options *o, int n_names)
{
	if (o->unmount && n_names != 1)
		return usage("-u wants one MOUNTPOINT", "");
	if (!o->unmount && o->lazy)
		return usage("--lazy goes with -u", "");
	if (!o->unmount && n_names != 2)
		return usage(n_names > 2 ? "more than MODEL and MOUNTPOINT"
			     : n_names	 ? "MOUNTPOINT is missing"
					 : "MODEL and MOUNTPOINT are missing",
			     "");
	return -1;
}

/* umount(8) runs umount.fuse.weightfs MOUNTPOINT [-flnrv] [-N namespace] [-t type] for us. */
static bool is_umount_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash ? slash + 1 : program, "umount.fuse.weightfs") == 0;
}

static int parse_umount(int argc, char **argv, struct options *ret)
{
	struct options o = {.unmount = true};
	int c, r;

	opterr = 0;
	while ((c = getopt(argc, argv, "flnrvN:t:")) != -1)
		o.lazy |= c == 'l';
	r = check(&o, argc - optind);
	if (r >= 0)
		return r;
	o.mountpoint = argv[optind];
	*ret = o;
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"lazy", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {.uid = (uid_t)-1, .gid = (gid_t)-1, .umask = -1};
	int c, r = -1;

	if (is_umount_helper(argv[0]))
		return parse_umount(argc, argv, ret);
	opterr = 0;
	while (r < 0 && (c = getopt_long(argc, argv, "hVfdsuo:", longs, NULL)) != -1) {
		switch (c) {
		case 'h': fputs(help, stdout); return EXIT_FINE;
		case 'V': puts("weightfs " WEIGHTFS_VERSION); return EXIT_FINE;
		case 'f': o.foreground = true; break;
		case 'd': o.foreground = o.mount.debug = true; break;
		case 's': o.mount.single = true; break;
		case 'u': o.unmount = true; break;
		case 'l': o.lazy = true; break;
		case 'o': r = parse_words(optarg, &o); break;
		default:
			return usage("unknown option, or one without its value: ",
				     argv[optind - 1]);
		}
	}
	if (r < 0)
		r = check(&o, argc - optind);
	if (r >= 0)
		return r;
	o.model = o.unmount ? NULL : argv[optind];
	o.mountpoint = argv[argc - 1];
	*ret = o;
	return -1;
}
