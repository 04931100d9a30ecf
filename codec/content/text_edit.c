/*
 * What changes is gathered in a new region while the text is read, which the journal knows as a
 * draft; so nothing of it counts until the last number was read. Then it takes over what the old
 * overlay alone has, and its place.
 */
#include "codec/content/text_edit.h"

#include "codec/content/content_state.h"
#include "codec/tensor/number_text.h"
#include "codec/work/edits.h"

struct text_edit {
	struct content *content;
	struct scratch *fresh; /* NULL: nothing has changed so far */
	uint8_t *bytes;	       /* of TEXT_PART bytes, as they are and then as they will be */
};

/* Puts the elements that are other numbers into `to`. True if there was one. */
static bool merge(uint32_t dtype, const uint8_t *elements, size_t n, uint8_t *to)
{
	uint32_t size = dtype_size(dtype);
	bool changed = false;

	if (memcmp(to, elements, n) == 0)
		return false;
	for (size_t i = 0; i < n; i += size)
		if (memcmp(to + i, elements + i, size) != 0 &&
		    !number_text_alike(dtype, to + i, elements + i)) {
			memcpy(to + i, elements + i, size);
			changed = true;
		}
	return changed;
}

/* Writes blocks that are there from now on: n bytes at `at`, where a block begins. */
static int store(struct text_edit *e, uint64_t at, const uint8_t *bytes, size_t n,
		 struct error *err)
{
	struct content *c = e->content;
	uint64_t count = (n + REGION_BLOCK - 1) / REGION_BLOCK;
	struct region *to;
	int r = 0;

	if (!e->fresh)
		r = scratch_new_region(c->model, object_tensor(c->tensor->id),
				       tensor_size(c->tensor), &e->fresh, err);
	if (r < 0)
		return r;
	to = e->fresh->region;
	r = write_at(to->data->fd, bytes, n, to->offset + at);
	if (r < 0)
		return error_set(err, r, "work folder: %s", strerror(-r));
	return edits_add_blocks(c->model, to, at / REGION_BLOCK, count, err);
}

/* Takes the next elements; they begin where a block does, for TEXT_PART is a number of blocks. */
static int take_elements(void *context, uint64_t first, size_t count, const uint8_t *elements,
			 struct error *err)
{
	struct text_edit *e = context;
	uint32_t dtype = e->content->tensor->dtype, size = dtype_size(dtype);
	uint64_t at = first * size;
	size_t n = count * size, changed = 0;
	int r = content_accepted(e->content, at, n, e->bytes, err);

	/* A run of blocks that have changed is stored when one follows that has not. */
	for (size_t i = 0; i < n && r == 0; i += REGION_BLOCK) {
		size_t block = n - i < REGION_BLOCK ? n - i : REGION_BLOCK;

		if (merge(dtype, elements + i, block, e->bytes + i)) {
			changed += block;
		} else if (changed) {
			r = store(e, at + i - changed, e->bytes + i - changed, changed, err);
			changed = 0;
		}
	}
	if (r == 0 && changed)
		r = store(e, at + n - changed, e->bytes + n - changed, changed, err);
	return r;
}

/* The blocks of the old overlay that have not changed. */
static int take_overlay(struct text_edit *e, struct error *err)
{
	struct content *c = e->content;
	struct region *to = e->fresh->region;
	int r = 0;

	for (uint64_t b = 0; c->overlay && b < region_blocks(to) && r == 0; b++) {
		if (!region_has(c->overlay, b) || region_has(to, b))
			continue;
		r = content_fill_block(c, to, b, err);
		if (r == 0)
			r = edits_add_blocks(c->model, to, b, 1, err);
	}
	return r;
}

static int take_text(struct text_edit *e, const struct text_layout *l,
		     const struct text_source *source, struct error *err)
{
	int r = text_read(l, source, take_elements, e, err);

	if (r == 0 && !e->fresh)
		return CONTENT_SAME;
	if (r == 0)
		r = take_overlay(e, err);
	if (r == 0)
		r = content_take_region(e->content, e->fresh, err);
	if (r < 0)
		scratch_free(e->content->model, e->fresh);
	return r < 0 ? r : CONTENT_ACCEPTED;
}

int content_take_text(struct model *m, struct tensor *t, const struct text_layout *l,
		      const struct text_source *source, struct error *err)
{
	cleanup_free uint8_t *bytes = malloc(TEXT_PART);
	struct text_edit e = {.bytes = bytes};
	int r = content_editable(m, t, err);

	if (r < 0)
		return r;
	e.content = bytes ? content_get(m, t) : NULL;
	if (!e.content)
		return -ENOMEM;
	content_lock_for_edit(e.content);
	r = take_text(&e, l, source, err);
	content_unlock(e.content);
	content_put(e.content);
	return r;
}
