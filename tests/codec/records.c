#include "records.h"

#include "codec/base/crc32c.h"
#include "codec/container/pbwire.h"
#include "journal.pb-c.h"

const char records_magic[] = "WFSJNL02";

void record_frame(struct buf *journal, struct span payload)
{
	size_t start = journal->n;

	buf_add_le64(journal, payload.n);
	buf_add_le32(journal, crc32c_masked(span_of(journal->p + start, 8)));
	buf_add(journal, payload);
	buf_add_le32(journal, crc32c_masked(payload));
}

static void add(struct buf *journal, Weightfs__Record__KindCase kind, void *body)
{
	Weightfs__Record record = WEIGHTFS__RECORD__INIT;
	cleanup_buf struct buf payload = {0};

	record.kind_case = kind;
	record.synced = body; /* whichever of the union it is */
	pb_pack(&record, &payload);
	record_frame(journal, buf_span(&payload));
}

static Weightfs__Content content_of(struct span bytes)
{
	Weightfs__Content content = WEIGHTFS__CONTENT__INIT;

	content.size = bytes.n;
	content.crc32c = crc32c_extend(0, bytes);
	return content;
}

void record_begin(struct buf *journal, const char *name, struct span index, const char *boot)
{
	Weightfs__Content content = content_of(index);
	Weightfs__Begin__File file = WEIGHTFS__BEGIN__FILE__INIT, *files[] = {&file};
	Weightfs__Begin body = WEIGHTFS__BEGIN__INIT;

	file.name = pb_data(span_str(name));
	file.content = &content;
	body.boot_id = pb_data(span_str(boot));
	body.n_files = 1;
	body.files = files;
	add(journal, WEIGHTFS__RECORD__KIND_BEGIN, &body);
}

void record_boot(struct buf *journal, const char *boot)
{
	Weightfs__Boot body = WEIGHTFS__BOOT__INIT;

	body.boot_id = pb_data(span_str(boot));
	add(journal, WEIGHTFS__RECORD__KIND_BOOT, &body);
}

void record_object(struct buf *journal, uint32_t id, const char *key)
{
	Weightfs__Object body = WEIGHTFS__OBJECT__INIT;

	body.id = id;
	body.key = pb_data(span_str(key));
	add(journal, WEIGHTFS__RECORD__KIND_OBJECT, &body);
}

void record_region(struct buf *journal, uint32_t id, uint32_t object, bool draft, uint64_t offset,
		   uint64_t size)
{
	Weightfs__Region body = WEIGHTFS__REGION__INIT;

	body.id = id;
	body.object = object;
	body.offset = offset;
	body.size = size;
	body.draft = draft;
	add(journal, WEIGHTFS__RECORD__KIND_REGION, &body);
}

void record_draft(struct buf *journal, uint32_t id, uint32_t object)
{
	Weightfs__Draft body = WEIGHTFS__DRAFT__INIT;

	body.id = id;
	body.object = object;
	add(journal, WEIGHTFS__RECORD__KIND_DRAFT, &body);
}

void record_blocks(struct buf *journal, uint32_t id, uint64_t first, uint64_t count)
{
	Weightfs__Blocks body = WEIGHTFS__BLOCKS__INIT;

	body.id = id;
	body.first = first;
	body.count = count;
	add(journal, WEIGHTFS__RECORD__KIND_BLOCKS, &body);
}

void record_accept(struct buf *journal, uint32_t id, bool holes)
{
	Weightfs__Accept body = WEIGHTFS__ACCEPT__INIT;

	body.id = id;
	body.holes = holes;
	add(journal, WEIGHTFS__RECORD__KIND_ACCEPT, &body);
}

void record_drop(struct buf *journal, uint32_t id)
{
	Weightfs__Drop body = WEIGHTFS__DROP__INIT;

	body.id = id;
	add(journal, WEIGHTFS__RECORD__KIND_DROP, &body);
}

void record_synced(struct buf *journal)
{
	Weightfs__Synced body = WEIGHTFS__SYNCED__INIT;

	add(journal, WEIGHTFS__RECORD__KIND_SYNCED, &body);
}

void record_stage(struct buf *journal, const char *name, uint64_t inode)
{
	Weightfs__Stage__Name made = WEIGHTFS__STAGE__NAME__INIT, *names[] = {&made};
	Weightfs__Stage body = WEIGHTFS__STAGE__INIT;

	made.name = pb_data(span_str(name));
	made.inode = inode;
	body.n_names = 1;
	body.names = names;
	add(journal, WEIGHTFS__RECORD__KIND_STAGE, &body);
}

void record_intent(struct buf *journal, const char *name, struct span before, struct span after,
		   const char *removed)
{
	Weightfs__Content old = content_of(before), fresh = content_of(after);
	Weightfs__Intent__Step replace = WEIGHTFS__INTENT__STEP__INIT;
	Weightfs__Intent__Step remove = WEIGHTFS__INTENT__STEP__INIT;
	Weightfs__Intent__Step *steps[] = {&replace, &remove};
	Weightfs__Intent body = WEIGHTFS__INTENT__INIT;

	replace.name = pb_data(span_str(name));
	replace.staged = pb_data(span_str("stage.0"));
	replace.before = &old;
	replace.after = &fresh;
	remove.kind = WEIGHTFS__INTENT__STEP__KIND__REMOVE;
	if (removed)
		remove.name = pb_data(span_str(removed));
	remove.staged = pb_data(span_str("stage.1"));
	remove.inode = 42;
	body.n_steps = removed ? 2 : 1;
	body.steps = steps;
	add(journal, WEIGHTFS__RECORD__KIND_INTENT, &body);
}

void record_abort(struct buf *journal, bool swept)
{
	Weightfs__Abort body = WEIGHTFS__ABORT__INIT;

	body.swept = swept;
	add(journal, WEIGHTFS__RECORD__KIND_ABORT, &body);
}
