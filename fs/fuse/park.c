#include "fs/fuse/park.h"

struct parked {
	STAILQ_ENTRY(parked) next;
	struct edit_call call;
	char bytes[];
};

static void park(const struct edit_call *call)
{
	struct parking *aside = &session_of(call->req)->parking;
	struct parked *p = malloc(sizeof(*p) + call->size);

	if (!p) {
		fuse_reply_err(call->req, ENOMEM);
		return;
	}
	p->call = *call;
	if (call->size)
		memcpy(p->bytes, call->bytes, call->size);
	p->call.bytes = p->bytes;
	pthread_mutex_lock(&aside->lock);
	STAILQ_INSERT_TAIL(&aside->calls, p, next);
	pthread_mutex_unlock(&aside->lock);
}

void edit(struct edit_call *call)
{
	struct gate *gate = &session_of(call->req)->gate;

	/* Between the look at the gate and the parking it may open: so look again. */
	if (!gate_enter(gate)) {
		park(call);
		if (gate_enter(gate)) {
			gate_leave(gate);
			edit_resume(session_of(call->req));
		}
		return;
	}
	call->run(call);
	gate_leave(gate);
}

static struct parked *take_one(struct parking *aside)
{
	struct parked *p;

	pthread_mutex_lock(&aside->lock);
	p = STAILQ_FIRST(&aside->calls);
	if (p)
		STAILQ_REMOVE_HEAD(&aside->calls, next);
	pthread_mutex_unlock(&aside->lock);
	return p;
}

void edit_resume(struct session *s)
{
	while (gate_enter(&s->gate)) {
		struct parked *p = take_one(&s->parking);

		if (p)
			p->call.run(&p->call);
		gate_leave(&s->gate);
		free(p);
		if (!p)
			return;
	}
}

void edit_give_up(struct session *s)
{
	struct parked *p;

	while ((p = take_one(&s->parking))) {
		fuse_reply_err(p->call.req, ENOTCONN);
		free(p);
	}
}
