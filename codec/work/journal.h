/*
 * The file `journal` of a work folder: what was edited, as records one behind the other.
 *
 *	8 bytes		magic, with the version in it: 2
 *	then frames	length (u64 LE), its masked CRC-32C, payload, its masked CRC-32C
 *			(that of a TFRecord file); a payload is a Record of proto/journal.proto
 *
 * Appending is one write, so a daemon that is killed leaves whole frames and at most one torn
 * one at the end, which is cut off. A frame whose checksums hold, but whose kind is unknown,
 * was written by a newer weightfs: it is refused, never cut.
 *
 * Version 1 named a tensor by its key in each record; since 2 an object is bound to a number once
 * (Object in the .proto). A journal of version 1 is refused: only the weightfs that wrote it can
 *save what it says.
 */
#ifndef CODEC_WORK_JOURNAL_H
#define CODEC_WORK_JOURNAL_H

#include "codec/base/buf.h"
#include "codec/base/error.h"
#include "journal.pb-c.h"

/* What one begins with, whatever its version. */
extern const struct span journal_magic;

struct journal {
	int fd;
	int workfd;	     /* the folder it stands in; not owned */
	uint64_t end;	     /* of the last whole frame */
	bool torn;	     /* something stands behind the end: the first append cuts it off */
	_Atomic bool adrift; /* see file_sync() */
	bool broken;	     /* a torn append could not be taken back: nothing can be added */
	struct buf frame;
};

/* Starts an empty journal under a name that does not exist yet. */
int journal_create(int workfd, const char *name, struct journal *ret, struct error *err);
/*
 * Opens the journal and reads its frames into *ret_frames (for journal_next). -ENOENT: there is
 * none, or one that was just being made. -EBADMSG: no journal. -ENOTSUP: that of another version;
 * err says what to do. A torn tail is left out, and cut off by the first append.
 */
int journal_open(int workfd, struct journal *ret, struct buf *ret_frames, struct error *err);
void journal_close(struct journal *j);

/*
 * Takes the next record off the front of frames; what it points to lives in arena. 1, 0 at the
 * end, -ENOTSUP: a kind that we do not know.
 */
int journal_next(struct span *frames, struct arena *arena, Weightfs__Record **ret,
		 struct error *err);
/* The bytes of frames that are whole, from the front. */
size_t journal_whole(struct span frames);
/* Forgets all behind the first n bytes of frames. */
int journal_cut(struct journal *j, size_t n, struct error *err);

/* Appends a record. It survives us, and a power cut after the next journal_sync(). */
int journal_append(struct journal *j, const Weightfs__Record *record, struct error *err);
/* fsync of the journal and of its folder. */
int journal_sync(struct journal *j, struct error *err);

#endif
