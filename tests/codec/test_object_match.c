#include "support.h"

#include "codec/base/mem.h"
#include "codec/saved_model/object_match.h"
#include "texts.h"

enum { NODES = 6, NOBODY = -1 };

/* An edge, or the slot of an optimizer for a variable. */
struct link {
	uint32_t from;
	const char *name; /* NULL: there is no more */
	uint32_t to;
	bool is_slot;
	uint32_t original; /* of a slot */
};

static void add_link(struct buf *node, const struct link *l)
{
	struct buf message = {0};

	add_number_field(&message, 1, l->is_slot ? l->original : l->to);
	add_text_field(&message, 2, l->name);
	if (l->is_slot)
		add_number_field(&message, 3, l->to);
	add_field(node, l->is_slot ? 3 : 1, &message);
}

static void add_graph(struct buf *out, const struct link *links)
{
	for (uint32_t i = 0; i < NODES; i++) {
		struct buf node = {0};

		for (const struct link *l = links; l->name; l++)
			if (l->from == i)
				add_link(&node, l);
		add_field(out, 1, &node);
	}
}

static void match(const struct link *checkpoint, const struct link *saved, struct object_match *ret)
{
	cleanup_buf struct buf one = {0}, other = {0};
	struct error err = {""};

	add_graph(&one, checkpoint);
	add_graph(&other, saved);
	assert_int_equal(object_match(buf_span(&one), buf_span(&other), ret, &err), 0);
	assert_int_equal(ret->n_checkpoint, NODES);
	assert_int_equal(ret->n_saved, NODES);
}

TEST(an_object_is_known_by_its_path)
{
	static const struct {
		struct link checkpoint[6], saved[6];
		int expected[NODES];
	} cases[] = {
		{{{0, "a", 1}, {1, "v", 2}, {0, "b", 3}},
		 {{0, "function", 1}, {0, "b", 2}, {0, "a", 3}, {3, "v", 4}},
		 {0, 3, 4, 2, NOBODY, NOBODY}},
		/* The slot m of optimizer 1 for variable 2. */
		{{{0, "opt", 1}, {0, "v", 2}, {0, "w", 4}, {1, "m", 3, true, 2}},
		 {{0, "w", 1},
		  {0, "v", 5},
		  {0, "opt", 2},
		  {2, "m", 4, true, 1},
		  {2, "m", 3, true, 5}},
		 {0, 2, 5, 3, 1, NOBODY}},
		/* Slots of another name, for nobody, of nobody. */
		{{{0, "opt", 1}, {0, "v", 2}, {1, "m", 3, true, 2}, {1, "m", 4, true, 9}},
		 {{0, "opt", 1}, {0, "v", 2}, {1, "n", 3, true, 2}, {1, "m", 4, true, 9}},
		 {0, 1, 2, NOBODY, NOBODY, NOBODY}},
		/* Ways that go round, lead nowhere, or to where one was already. */
		{{{0, "a", 0}, {0, "b", 99}, {0, "c", 1}, {1, "d", 2}, {2, "d", 1}},
		 {{0, "a", 3}, {0, "b", 4}, {0, "c", 99}, {3, "d", 5}},
		 {0, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY}},
		{{{0, "a", 1}, {0, "b", 1}, {0, "c", 2}},
		 {{0, "a", 1}, {0, "b", 2}, {0, "c", 1}},
		 {0, 1, NOBODY, NOBODY, NOBODY, NOBODY}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_match struct object_match m = {0};

		match(cases[i].checkpoint, cases[i].saved, &m);
		for (int k = 0; k < NODES; k++)
			assert_int_equal((int)m.saved_of[k], cases[i].expected[k]);
	}
}

static void make_links(struct link *links, size_t n, uint64_t *seed)
{
	static const char *const names[] = {"a", "b", "c"};

	for (size_t i = 0; i < n; i++)
		links[i] = (struct link){
			(uint32_t)random_below(seed, NODES),	 names[random_below(seed, 3)],
			(uint32_t)random_below(seed, NODES + 1), random_below(seed, 4) == 0,
			(uint32_t)random_below(seed, NODES + 1),
		};
	links[n].name = NULL;
}

TEST(whatever_the_graphs_are_nobody_has_two_partners)
{
	struct link one[17], other[17];
	uint64_t seed = 15;

	for (int round = 0; round < 2000; round++) {
		cleanup_match struct object_match m = {0};

		make_links(one, random_below(&seed, 17), &seed);
		make_links(other, random_below(&seed, 17), &seed);
		match(one, other, &m);
		assert_int_equal(m.saved_of[0], 0);
		for (uint32_t i = 0; i < NODES; i++) {
			if (m.saved_of[i] != OBJECT_NOBODY)
				assert_int_equal(m.checkpoint_of[m.saved_of[i]], i);
			if (m.checkpoint_of[i] != OBJECT_NOBODY)
				assert_int_equal(m.saved_of[m.checkpoint_of[i]], i);
		}
	}
}

TEST(no_graphs)
{
	const struct span good = span_str(""), bad = span_str("\x0a");
	cleanup_match struct object_match a = {0}, b = {0}, none = {0};
	struct error err = {""};

	assert_refused(object_match(bad, good, &a, &err), -EBADMSG, &err, "node 0");
	assert_refused(object_match(good, bad, &b, &err), -EBADMSG, &err, "node 0");
	assert_int_equal(object_match(good, good, &none, &err), 0);
	assert_int_equal(none.n_checkpoint + none.n_saved, 0);
}

TEST(names_of_variables)
{
	cleanup_buf struct buf graph = {0};
	struct buf variable = {0}, node = {0};
	struct error err = {""};
	struct span names[3];

	add_field(&graph, 1, &node);
	add_text_field(&variable, 6, "dense/kernel");
	add_field(&node, 7, &variable);
	add_field(&graph, 1, &node);
	assert_int_equal(object_names(buf_span(&graph), names, 3, &err), 0);
	assert_int_equal(names[0].n, 0);
	assert_says(names[1], "dense/kernel");
	assert_int_equal(names[2].n, 0);
	add_text_field(&node, 7, "\x32\x40");
	add_field(&graph, 1, &node);
	assert_refused(object_names(buf_span(&graph), names, 3, &err), -EBADMSG, &err, "variable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_known_by_its_path),
		cmocka_unit_test(whatever_the_graphs_are_nobody_has_two_partners),
		cmocka_unit_test(no_graphs),
		cmocka_unit_test(names_of_variables),
	};

	return RUN(tests);
}
