/* Whether the files of a model are still what they were when it was loaded. */
#include "codec/base/crc32c.h"
#include "codec/model/format.h"
#include "codec/tensor/stored.h"

/* -ESTALE if the file is not that one any more; all zero: if there is one now. */
static int check_file(const struct model *m, const char *name, const struct file_id *before,
		      struct error *err)
{
	struct file_id now = {0};
	struct stat st;

	if (fstatat(m->place.rootfd, name, &st, 0) == 0 && S_ISREG(st.st_mode))
		now = file_id_of(&st);
	if (file_id_equal(&now, before))
		return 0;
	return error_set(err, -ESTALE, "%s/%s: %s since the mount", m->place.root, name,
			 !now.ino      ? "removed"
			 : before->ino ? "changed"
				       : "made");
}

/* A file that says what the model is has the same bytes. */
static bool is_same_base(const struct model *m, const struct base_file *b)
{
	cleanup_file struct file now = {0};

	return b->id.ino && file_read(m->place.rootfd, b->name, b->id.size, &now, NULL) == 0 &&
	       now.bytes.n == b->id.size && crc32c_extend(0, buf_span(&now.bytes)) == b->crc;
}

static void note_fault(void *context, const char *sentence)
{
	(void)sentence;
	*(bool *)context = true;
}

/* All that lies in the shard is what the checksums say. */
static bool is_same_shard(struct model *m, uint32_t i)
{
	cleanup_fd int fd =
		m->shards[i].id.ino ? shard_open(&m->shards[i], m->place.rootfd, NULL) : -1;
	bool fault = fd < 0;
	const struct tensor *t;

	for (size_t k = 0; !fault && (t = model_next(m, &k));)
		for (size_t run = 0; run < tensor_runs(t) && !fault; run++) {
			struct stored_run r = tensor_run(t, run);

			if (r.extent.shard == i)
				fault = !t->storage.has_checksum || stored_verify(fd, &r, NULL) < 0;
		}
	if (!fault && m->format->verify)
		m->format->verify(m, note_fault, &fault);
	return !fault;
}

static int check(struct model *m, bool by_content, struct error *err)
{
	int r = place_check(&m->place, err);

	for (size_t i = 0; i < m->n_base && r == 0; i++) {
		r = check_file(m, m->base[i].name, &m->base[i].id, err);
		if (r == -ESTALE && by_content && is_same_base(m, &m->base[i]))
			r = 0;
	}
	for (uint32_t i = 0; i < m->n_shards && r == 0; i++) {
		r = check_file(m, m->shards[i].name, &m->shards[i].id, err);
		if (r == -ESTALE && by_content && is_same_shard(m, i))
			r = 0;
	}
	return r;
}

int model_check_base(struct model *m, struct error *err)
{
	return check(m, m->by_content, err);
}

int model_check_loaded(struct model *m, struct error *err)
{
	int r = model_check_base(m, err);

	if (r != -ESTALE || m->by_content || check(m, true, NULL) < 0)
		return r;
	m->by_content = true;
	return 0;
}
