#include "fs/view/failures.h"

#include "codec/base/error.h"

enum { NAMES = 3 };

static const char *reason_of(const char *sentence)
{
	const char *reason = sentence, *next;

	while ((next = strstr(reason, ": ")))
		reason = next + 2;
	return reason;
}

static struct failure_kind *kind_of(struct failures *f, const char *reason)
{
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->kinds[i].reason, reason) == 0)
			return &f->kinds[i];
	return NULL;
}

bool failures_add(struct failures *f, const char *sentence, struct span name)
{
	const char *reason = reason_of(sentence);
	struct failure_kind *k = kind_of(f, reason);

	if (k) {
		if (k->more++ < NAMES)
			buf_printf(&k->names, "%s%s", k->names.n ? ", " : "", quote(name));
		return false;
	}
	if (f->n < FAILURE_KINDS && (f->kinds[f->n].reason = strdup(reason)))
		f->n++;
	return true;
}

void failures_sum_up(const struct failures *f, struct buf *out)
{
	for (unsigned i = 0; i < f->n; i++) {
		const struct failure_kind *k = &f->kinds[i];

		if (k->more)
			buf_printf(out, "NOT saved either, %s: %u more (%.*s%s)\n", k->reason,
				   k->more, (int)k->names.n, (const char *)k->names.p,
				   k->more > NAMES ? " ...; the log names all" : "");
	}
}

void failures_release(struct failures *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		free(f->kinds[i].reason);
		buf_release(&f->kinds[i].names);
	}
	f->n = 0;
}
