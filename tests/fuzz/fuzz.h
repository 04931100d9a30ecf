/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): it must come
 * back from whatever bytes it is given, and abort where something that is promised is not so.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>

#include "codec/base/buf.h"
#include "codec/model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A promise; broken, it is a finding. */
#define MUST(promise)                                                                         \
	do {                                                                                  \
		if (!(promise)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #promise); \
			abort();                                                              \
		}                                                                             \
	} while (0)

/*
 * Takes one of several parts off the front of the input: its length (32 bits LE, at most what is
 * there), and its bytes. The last part is what is left.
 */
struct span take_part(struct span *input);
/* How take_part() wants to have it. */
void add_part(struct buf *out, struct span part);

/*
 * Files for the target to read, in a folder of this process in memory; names are relative to it.
 * The folder and all in it is removed at the end of the program.
 */
const char *scratch_path(void);
int scratch_fd(void);
void scratch_mkdir(const char *name);
void scratch_write(const char *name, struct span content);
/* Zeros behind what is there, up to n bytes. */
void scratch_lengthen(const char *name, size_t n);
/* Removes a file, or a folder with the files in it. */
void scratch_remove(const char *name);

/*
 * Makes all checksums fit, so that what is changed behind them is looked at: of the blocks that
 * a table's handles lead to, and of frames one behind the other from `start` on.
 */
void reseal_table(struct buf *file);
void reseal_frames(struct buf *journal, size_t start);

/* Reads all that a model shows; the same bytes on every way that leads to them. */
void look_at_model(struct model *m);

/*
 * A checkpoint `small` in the scratch folder: variables of several blocks, of a few bytes, of
 * none, and one in slices. variant: 0 or another number, for another index of the same tensors.
 */
void small_model_index(unsigned variant, struct buf *out);
void small_model_write(void);

#endif
