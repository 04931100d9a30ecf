#include "codec/work/journal.h"

#include <fcntl.h>

#include "codec/base/crc32c.h"
#include "codec/base/file.h"
#include "codec/container/pbwire.h"

enum { FRAME_HEAD = 12, FRAME_TAIL = 4 };

static const char magic[8] = "WFSJNL02";
const struct span journal_magic = {(const uint8_t *)magic, 6};
static const uint64_t journal_max = (uint64_t)2 << 30;

int journal_create(int workfd, const char *name, struct journal *ret, struct error *err)
{
	cleanup_fd int fd =
		openat(workfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_errno(err, "%s", name);
	r = write_at(fd, magic, sizeof(magic), 0);
	if (r < 0) {
		unlinkat(workfd, name, 0);
		return error_set(err, r, "%s: %s", name, strerror(-r));
	}
	*ret = (struct journal){.fd = steal_fd(&fd), .workfd = workfd, .end = sizeof(magic)};
	return 0;
}

/* One frame off the front of frames; -EBADMSG if it is torn. */
static int take_frame(struct span *frames, struct span *ret)
{
	struct span s = *frames, head = s, payload;
	uint64_t n;
	uint32_t crc;

	if (span_take_le64(&s, &n) < 0 || span_take_le32(&s, &crc) < 0 ||
	    crc32c_masked(span_first(head, 8)) != crc || span_take(&s, n, &payload) < 0 ||
	    span_take_le32(&s, &crc) < 0 || crc32c_masked(payload) != crc)
		return -EBADMSG;
	*frames = s;
	*ret = payload;
	return 0;
}

size_t journal_whole(struct span frames)
{
	size_t all = frames.n;
	struct span payload;

	while (take_frame(&frames, &payload) == 0)
		;
	return all - frames.n;
}

/* Killed at once, or a power cut before it was ever synced: then zeros are there, or nothing. */
static bool never_begun(struct span content)
{
	static const uint8_t zeros[sizeof(magic)];

	return content.n < sizeof(magic) ? span_starts(span_of(magic, sizeof(magic)), content)
					 : span_starts(content, span_of(zeros, sizeof(zeros)));
}

/* All of it; -EBADMSG for what is there and is no journal: a pipe, a folder, a link, far too large.
 */
static int read_journal(int workfd, int *ret_fd, struct file *ret, struct error *err)
{
	cleanup_fd int fd = openat(workfd, "journal", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		r = error_errno(err, "journal");
	else
		r = file_read(workfd, "journal", journal_max, ret, err);
	if (r == -EISDIR || r == -ELOOP || r == -EINVAL || r == -EFBIG)
		return -EBADMSG;
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

int journal_open(int workfd, struct journal *ret, struct buf *ret_frames, struct error *err)
{
	cleanup_fd int fd = -1;
	cleanup_file struct file file = {0};
	struct span content;
	size_t whole;
	bool torn;
	int r = read_journal(workfd, &fd, &file, err);

	if (r < 0)
		return r;
	content = buf_span(&file.bytes);
	if (never_begun(content))
		return error_set(err, -ENOENT, "journal: it was never begun");
	if (!span_starts(content, journal_magic))
		return error_set(err, -EBADMSG, "journal: no journal of weightfs");
	if (span_starts(content, span_str("WFSJNL01")))
		return error_set(err, -ENOTSUP,
				 "journal: an older version of weightfs wrote it: save or discard "
				 "the edits with that one, or remove the folder to lose them");
	if (!span_starts(content, span_of(magic, sizeof(magic))))
		return error_set(err, -ENOTSUP,
				 "journal: written by another version of weightfs; finish there");
	buf_drop_front(&file.bytes, sizeof(magic));
	whole = journal_whole(buf_span(&file.bytes));
	torn = whole < file.bytes.n;
	file.bytes.n = whole;
	*ret = (struct journal){
		.fd = steal_fd(&fd), .workfd = workfd, .end = sizeof(magic) + whole, .torn = torn};
	*ret_frames = file.bytes;
	file.bytes = (struct buf){0};
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->fd > 0)
		close(j->fd);
	buf_release(&j->frame);
	*j = (struct journal){.fd = -1};
}

int journal_next(struct span *frames, struct arena *arena, Weightfs__Record **ret,
		 struct error *err)
{
	struct span payload;

	if (take_frame(frames, &payload) < 0)
		return 0;
	*ret = pb_unpack(&weightfs__record__descriptor, payload, arena, err);
	if (!*ret || (*ret)->kind_case == WEIGHTFS__RECORD__KIND__NOT_SET)
		return error_set(err, -ENOTSUP,
				 "journal: a record of another version of weightfs; finish there");
	return 1;
}

int journal_cut(struct journal *j, size_t n, struct error *err)
{
	if (ftruncate(j->fd, (off_t)(sizeof(magic) + n)) < 0)
		return error_errno(err, "journal");
	j->end = sizeof(magic) + n;
	j->torn = false;
	return 0;
}

/* A frame that was written in part would hide all that follow it. */
static void take_back(struct journal *j)
{
	j->broken = ftruncate(j->fd, (off_t)j->end) < 0;
}

int journal_append(struct journal *j, const Weightfs__Record *record, struct error *err)
{
	size_t n = weightfs__record__get_packed_size(record);
	struct buf *f = &j->frame;
	int r;

	if (j->broken)
		return error_set(err, -EIO, "journal: damaged by an earlier error");
	/* Or a shorter frame would leave a part of it, and maybe whole frames behind it. */
	r = j->torn ? journal_cut(j, j->end - sizeof(magic), err) : 0;
	if (r < 0)
		return r;
	buf_reset(f);
	buf_add_le64(f, n);
	if (!f->failed)
		buf_add_le32(f, crc32c_masked(span_of(f->p, 8)));
	pb_pack(record, f);
	if (!f->failed)
		buf_add_le32(f, crc32c_masked(span_of(f->p + FRAME_HEAD, n)));
	if (f->failed)
		return -ENOMEM;
	r = write_at(j->fd, f->p, f->n, j->end);
	if (r < 0) {
		take_back(j);
		return error_set(err, r, "journal: %s", strerror(-r));
	}
	j->end += f->n;
	return 0;
}

int journal_sync(struct journal *j, struct error *err)
{
	int r = file_sync(j->fd, &j->adrift);

	if (r < 0)
		return error_set(err, r, "journal: %s", strerror(-r));
	return sync_folder(j->workfd, NULL, err);
}
