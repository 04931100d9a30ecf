/* Which files an argument means. */
#include "codec/v1/v1.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/bundle/bundle.h"
#include "codec/model/place.h"
#include "codec/container/sstable_format.h"

void v1_files_release(struct v1_files *f)
{
	free(f->prefix);
	*f = (struct v1_files){0};
}

void v1_file_name(const struct v1_files *f, uint32_t shard, struct buf *out)
{
	if (f->shards)
		buf_printf(out, "%s-%05u-of-%05u%c", f->prefix, shard, f->shards, 0);
	else
		buf_printf(out, "%s%c", f->prefix, 0);
}

uint32_t v1_parse_shard_name(const char *name, size_t *ret_prefix_n)
{
	char one[48], pattern[48];
	const char *of = NULL, *tail;
	unsigned shard = 0, shards;

	for (const char *p = name; (p = strstr(p, "-of-")); p++)
		of = p;
	for (tail = of; tail && tail > name && (isdigit((uint8_t)tail[-1]) || tail[-1] == '?');)
		tail--;
	if (!tail || tail == name || *--tail != '-' || sscanf(of, "-of-%9u", &shards) != 1)
		return 0;
	(void)sscanf(tail, "-%9u", &shard);
	snprintf(one, sizeof(one), "-%05u-of-%05u", shard, shards);
	snprintf(pattern, sizeof(pattern), "-\?\?\?\?\?-of-%05u", shards);
	if ((strcmp(tail, one) != 0 || shard >= shards) && strcmp(tail, pattern) != 0)
		return 0;
	if (shards > BUNDLE_SHARDS_MAX)
		return 0;
	*ret_prefix_n = (size_t)(tail - name);
	return shards;
}

/* Of how many shards there are some with that prefix. */
static void count_shards(const struct place *place, struct v1_files *f)
{
	cleanup_dir DIR *dir = place_list(place);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		size_t n;
		uint32_t shards = v1_parse_shard_name(entry->d_name, &n);

		if (!shards || !span_equal(span_of(entry->d_name, n), span_str(f->prefix)))
			continue;
		if (!f->shards)
			f->shards = shards;
		else if (f->shards != shards)
			f->others = shards;
	}
}

bool v1_is_table(const struct place *place, const char *name)
{
	cleanup_fd int fd = openat(place->rootfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t footer[SSTABLE_FOOTER];
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size >= SSTABLE_FOOTER &&
	       read_at(fd, footer, sizeof(footer), (uint64_t)st.st_size - sizeof(footer)) == 0 &&
	       sstable_magic(span_of(footer, sizeof(footer)));
}

bool v1_any_table(const struct place *place, const struct v1_files *f)
{
	bool found = false;

	for (uint32_t i = 0; i < (f->shards ? f->shards : 1) && !found; i++) {
		cleanup_buf struct buf name = {0};

		v1_file_name(f, i, &name);
		found = !name.failed && v1_is_table(place, (const char *)name.p);
	}
	return found;
}

bool v1_find_files(const struct place *place, struct v1_files *ret)
{
	static const char meta[] = ".meta";
	struct span name = span_str(place->name);
	size_t n = name.n;

	*ret = (struct v1_files){0};
	if (!n || bundle_has_index(place, place->name))
		return false;
	ret->shards = v1_parse_shard_name(place->name, &n);
	if (!ret->shards && span_ends(name, span_str(meta)) && !v1_is_table(place, place->name))
		n = name.n - strlen(meta);
	ret->prefix = strndup(place->name, n);
	if (!ret->prefix || ret->shards)
		return ret->prefix != NULL;
	if (!v1_is_table(place, ret->prefix))
		count_shards(place, ret);
	return !bundle_has_index(place, ret->prefix);
}
