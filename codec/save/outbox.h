/*
 * The outbox: the files that make the model in another place, where a save or a backup puts it. A
 * format fills it (codec/model/format.h); output.c and backup.c see to it that what lies in that
 * place is whole at every instant.
 *
 * A name in it is a path in the place, where the model is a folder; else what the name of a file
 * has behind the place's own. Of such files the last one is the one that says what the others are.
 */
#ifndef CODEC_SAVE_OUTBOX_H
#define CODEC_SAVE_OUTBOX_H

#include "codec/base/folder.h"
#include "codec/model/model.h"

enum outbox_how {
	OUTBOX_MOVE, /* `from` is a staged file (codec/save/stage.h), which goes there */
	OUTBOX_COPY, /* `from` is a file of the model, and somebody may write into it in place */
	OUTBOX_LINK, /* `from` is a file of the model, and nobody does: a second name will do */
};

struct outbox_file {
	char *name, *from;
	enum outbox_how how;
};

struct outbox {
	struct outbox_file *files;
	size_t n, capacity;
	/*
	 * Of a folder: what becomes of a file or folder of the model that was not added by itself;
	 * as struct folder_copy's (codec/base/folder.h). Our work folder never goes along.
	 */
	enum folder_how (*how)(const char *name, int depth);
};

/* -ENOMEM. */
int outbox_add(struct outbox *o, const char *name, enum outbox_how how, const char *from);
void outbox_release(struct outbox *o);
#define cleanup_outbox __attribute__((cleanup(outbox_release)))

/* Makes one of the files of the model; the place is a folder that is open. -errno. */
int outbox_make_file(const struct model *m, const struct outbox_file *f, int folderfd,
		     const char *name);
/*
 * Makes the whole folder as STAGE_NEW (codec/work/work.h), synced. -errno; what was made stays.
 */
int outbox_make_folder(const struct model *m, const struct outbox *o, int stagefd);

#endif
