/*
 * data.N of the work folder: edited bytes of tensors, one region each. A commit links the file
 * into the model as a shard, so it is laid out as one: a header that names it as ours, then
 * regions; nothing else, and gaps are holes.
 */
#ifndef CODEC_WORK_DATA_FILE_H
#define CODEC_WORK_DATA_FILE_H

#include "codec/base/error.h"

enum { DATA_HEADER = 4096 }; /* bytes before the first region; the rest of the magic's block */

struct data_file {
	int fd;
	uint32_t number; /* N */
	_Atomic unsigned refs;
	_Atomic bool adrift; /* see file_sync() */
	uint64_t end;	     /* of the last region */
	const uint8_t *map;  /* all of the file, and more, if there is room: for the kernel */
	uint64_t map_size;
	struct data_file *older_map; /* maps that were too small, still in somebody's hands */
};

/*
 * Creates data.N (it must not exist), or opens it. The file must be the invoking user's own and
 * no link. -EBADMSG: it does not begin as a data file does.
 */
int data_file_create(int workfd, uint32_t number, struct data_file **ret, struct error *err);
int data_file_open(int workfd, uint32_t number, struct data_file **ret, struct error *err);
/* Gives the reference back and removes the file's name; who else has one keeps the bytes. */
void data_file_remove(int workfd, struct data_file *d);
struct data_file *data_file_ref(struct data_file *d);
void data_file_unref(struct data_file *d);

/* Space for a region of size bytes, all zero; *ret_offset is where. -ENOSPC and the like. */
int data_file_allocate(struct data_file *d, uint64_t size, uint64_t *ret_offset);
/* The region of a journal: it must lie in the file. -EBADMSG. */
int data_file_adopt(struct data_file *d, uint64_t offset, uint64_t size);
/*
 * Where the bytes at offset, so many, are mapped, for as long as the file is referenced; NULL: they
 * are not, for want of address space. Not while another thread allocates.
 */
const uint8_t *data_file_at(const struct data_file *d, uint64_t offset, uint64_t size);
/* Gives the space of these bytes back; they read as zeros. Best effort where that is not supported.
 */
void data_file_punch(struct data_file *d, uint64_t offset, uint64_t size);
/* Forgets all regions behind that end, and gives their space back. */
void data_file_cut(struct data_file *d, uint64_t end);
/* Makes these bytes zero. */
int data_file_zero(struct data_file *d, uint64_t offset, uint64_t size);

/* What a data file begins with. */
extern const struct span data_file_magic;
/* True if a shard begins as data.N does: then we appended it. */
bool data_file_is_ours(int fd);

#endif
