/* Gives files, or all files of folders, to a fuzz target, one after the other. */
#include <dirent.h>
#include <fcntl.h>

#include "codec/base/file.h"
#include "fuzz.h"

static bool run_file(int dirfd, const char *name)
{
	cleanup_file struct file file = {0};
	struct error err = {0};
	uint8_t *copy;

	if (file_read(dirfd, name, UINT32_MAX, &file, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	/* No byte more than there are, so that a sanitizer sees what is read behind them. */
	copy = malloc(file.bytes.n ? file.bytes.n : 1);
	MUST(copy);
	memcpy(copy, file.bytes.p, file.bytes.n);
	fprintf(stderr, "%s: %zu bytes\n", name, file.bytes.n);
	(void)LLVMFuzzerTestOneInput(copy, file.bytes.n);
	free(copy);
	return true;
}

static bool run(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool good = true;

	if (!dir)
		return run_file(AT_FDCWD, path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			good &= run_file(dirfd(dir), entry->d_name);
	closedir(dir);
	return good;
}

int main(int argc, char **argv)
{
	bool good = argc > 1;

	if (argc < 2)
		fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
	for (int i = 1; i < argc; i++)
		good &= run(argv[i]);
	return good ? 0 : 1;
}
