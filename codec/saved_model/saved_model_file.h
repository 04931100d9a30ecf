/*
 * saved_model.pb, read without its graph: of a file of hundreds of megabytes the small part that
 * we look at (tags, signatures, assets, the object graph) is read, and the rest is stepped over.
 *
 * The bytes lie in memory of our own, as long as the file and at the same offsets, so that it is
 * walked like one that was read whole. What was stepped over takes no memory and reads as zeros.
 * The file itself is never mapped: one that is cut short behind us would kill us.
 */
#ifndef CODEC_SAVED_MODEL_SAVED_MODEL_FILE_H
#define CODEC_SAVED_MODEL_SAVED_MODEL_FILE_H

#include "codec/base/file.h"

struct saved_model_file {
	struct file_id id;
	struct span bytes;
	uint32_t crc; /* of what was read; of a file up to 1 MiB that is all of it */
};

/*
 * Reads it. A file that is no SavedModel is read as far as it looks like one: whoever walks it
 * finds the fault at the same offset. -EFBIG: no message can be that long, or what is to be read
 * of it takes more than 256 MiB. -ESTALE if it changed while it was read; -ENOENT and the like.
 */
int saved_model_file_read(int dirfd, const char *name, struct saved_model_file *ret,
			  struct error *err);
void saved_model_file_release(struct saved_model_file *f);
#define cleanup_saved_model_file __attribute__((cleanup(saved_model_file_release)))

#endif
