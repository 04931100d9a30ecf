/*
 * Graphs are written here a node a line, its words separated by spaces:
 *
 *	NAME>N		an edge to node N
 *	@FULL=KEY	the attribute VARIABLE_VALUE; #FULL=KEY: the attribute "table"
 *	$N:NAME:M	a slot of the variable N, which is node M
 *	!		it says that it has checkpoint values
 *
 * In keys V stands for /.ATTRIBUTES/VARIABLE_VALUE and ~ for /.OPTIMIZER_SLOT/.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/bundle/graph_edit.h"
#include "codec/container/pbwire.h"

#define VALUE "/.ATTRIBUTES/VARIABLE_VALUE"

static void add_number(struct buf *b, uint32_t field, uint64_t value)
{
	buf_add_varint(b, field << 3);
	buf_add_varint(b, value);
}

/* V and ~, written out. */
static struct span expand(const char *key, struct buf *out)
{
	for (; *key; key++) {
		if (*key == 'V')
			buf_add_str(out, VALUE);
		else if (*key == '~')
			buf_add_str(out, "/.OPTIMIZER_SLOT/");
		else
			buf_add_u8(out, (uint8_t)*key);
	}
	return buf_span(out);
}

static void add_word(char *word, struct buf *node)
{
	static const uint8_t yes[] = {8, 1};
	cleanup_buf struct buf body = {0}, key = {0};
	char *rest = word + 1, *end;

	if (*word == '!') {
		pb_add_bytes(node, 5, span_of(yes, 2));
	} else if (*word == '@' || *word == '#') {
		end = strchr(rest, '=');
		*end = '\0';
		pb_add_bytes(&body, 1, span_str(*word == '@' ? "VARIABLE_VALUE" : "table"));
		if (*rest)
			pb_add_bytes(&body, 2, span_str(rest));
		pb_add_bytes(&body, 3, expand(end + 1, &key));
		pb_add_bytes(node, 2, buf_span(&body));
	} else if (*word == '$') {
		add_number(&body, 1, strtoul(rest, &rest, 10));
		end = strchr(++rest, ':');
		*end = '\0';
		pb_add_bytes(&body, 2, span_str(rest));
		add_number(&body, 3, strtoul(end + 1, NULL, 10));
		pb_add_bytes(node, 3, buf_span(&body));
	} else {
		end = strchr(word, '>');
		*end = '\0';
		add_number(&body, 1, strtoul(end + 1, NULL, 10));
		pb_add_bytes(&body, 2, span_str(word));
		pb_add_bytes(node, 1, buf_span(&body));
	}
}

static void make_graph(const char *text, struct buf *ret)
{
	char *copy = strdup(text), *lines = copy, *line;

	while ((line = strsep(&lines, "\n"))) {
		cleanup_buf struct buf node = {0};

		for (char *word; (word = strsep(&line, " "));)
			if (*word)
				add_word(word, &node);
		pb_add_bytes(ret, 1, buf_span(&node));
	}
	free(copy);
}

static void print_key(struct span key, struct buf *out)
{
	static const struct {
		const char *text;
		char sign;
	} signs[] = {{VALUE, 'V'}, {"/.OPTIMIZER_SLOT/", '~'}};

	while (key.n) {
		size_t i = 0;

		while (i < 2 && !span_starts(key, span_str(signs[i].text)))
			i++;
		buf_add_u8(out, i < 2 ? (uint8_t)signs[i].sign : key.p[0]);
		key = span_skip(key, i < 2 ? strlen(signs[i].text) : 1);
	}
}

static void print_word(const struct pb_field *of, struct buf *out)
{
	struct span rest = of->bytes, bytes[4] = {{0}};
	unsigned long numbers[4] = {0};
	struct pb_field f;

	while (pb_next(&rest, &f) > 0 && f.number < 4) {
		bytes[f.number] = f.type == PB_BYTES ? f.bytes : (struct span){0};
		numbers[f.number] = (unsigned long)f.value;
	}
	if (of->number == 1) {
		buf_printf(out, "%.*s>%lu", (int)bytes[2].n, bytes[2].p, numbers[1]);
	} else if (of->number == 2) {
		buf_printf(out, "%c%.*s=", span_is(bytes[1], "table") ? '#' : '@', (int)bytes[2].n,
			   bytes[2].p);
		print_key(bytes[3], out);
	} else if (of->number == 3) {
		buf_printf(out, "$%lu:%.*s:%lu", numbers[1], (int)bytes[2].n, bytes[2].p,
			   numbers[3]);
	} else {
		buf_add_str(out, "!");
	}
}

static void print_graph(struct span graph, struct buf *out)
{
	struct span node;
	struct pb_field f;

	for (bool first = true; pb_next_bytes(&graph, 1, &node) > 0; first = false) {
		if (!first)
			buf_add_u8(out, '\n');
		for (bool one = true; pb_next(&node, &f) > 0; one = false) {
			if (!one)
				buf_add_u8(out, ' ');
			print_word(&f, out);
		}
	}
	buf_add_u8(out, 0);
}

struct a_case {
	const char *what, *graph;
	const char *changes; /* FROM=TO, separated by spaces; no FROM: new; no TO: removed */
	const char *after;
	unsigned closed, unplaced;
};

static const struct a_case cases[] = {
	{"nothing", "a>1\n! @a=aV", "", "a>1\n! @a=aV"},
	{"a variable", "a>1 b>2\n! @a=aV\n@x/b=bV", "bV=cV", "a>1 c>2\n! @a=aV\n@x/c=cV"},
	{"an own name of another sort stays", "a>1\n@x=aV", "aV=bV", "b>1\n@x=bV"},
	{"other edges into it stay", "a>1 n>2\n@a=aV\nz>1", "aV=bV", "b>1 n>2\n@b=bV\nz>1"},
	{"two, swapped", "a>1 b>2\n@a=aV\n@b=bV", "aV=bV bV=aV", "b>1 a>2\n@b=bV\n@a=aV"},
	{"a chain", "a>1 b>2\n@a=aV\n@b=bV", "aV=bV bV=cV", "b>1 c>2\n@b=bV\n@c=cV"},
	{"a name that is escaped", "x/y>1\n@=x.SyV", "x.SyV=p..qV", "p.q>1\n@=p..qV"},
	{"a folder", "n>1\na>2 b>3 o>4\n@a=n/aV\n@b=n/bV\n", "n/aV=m/aV n/bV=m/bV",
	 "m>1\na>2 b>3 o>4\n@a=m/aV\n@b=m/bV\n"},
	{"out of a folder", "n>1\na>2 b>3\n@a=n/aV\n@b=n/bV", "n/aV=aV",
	 "n>1 a>2\nb>3\n@a=aV\n@b=n/bV"},
	{"into a folder", "n>1 b>3\na>2\n@=n/aV\n@=bV", "bV=n/cV", "n>1\na>2 c>3\n@=n/aV\n@=n/cV"},
	{"into one that is new", "b>1\n@=bV", "bV=n/m/bV", "n>2\n@=n/m/bV\nm>3\nb>1"},
	{"into itself", "b>1\n@b=bV", "bV=b/bV", "b>2\n@b=b/bV\nb>1"},
	{"a folder, and one of it elsewhere", "n>1\na>2 b>3 c>4\n@=n/aV\n@=n/bV\n@=n/cV",
	 "n/aV=m/aV n/bV=m/bV n/cV=cV", "c>4 m>5\n\n@=m/aV\n@=m/bV\n@=cV\na>2 b>3"},
	{"a table", "t>1\n#=t/.ATTRIBUTES/table",
	 "t/.ATTRIBUTES/table-keys=u/.ATTRIBUTES/table-keys "
	 "t/.ATTRIBUTES/table-values=u/.ATTRIBUTES/table-values",
	 "u>1\n#=u/.ATTRIBUTES/table"},
	{"slots follow", "w>1 o>2\n@w=wV\n$1:m:3\n@=w~o/mV", "wV=vV w~o/mV=v~o/mV",
	 "v>1 o>2\n@v=vV\n$1:m:3\n@=v~o/mV"},
	{"the optimizer", "w>1 o>2\n@w=wV\n$1:m:3 i>4\n@=w~o/mV\n@=o/iV", "w~o/mV=w~q/mV o/iV=q/iV",
	 "w>1 q>2\n@w=wV\n$1:m:3 i>4\n@=w~q/mV\n@=q/iV"},
	{"a slot of another name", "w>1 o>2\n@w=wV\n$1:m:3\n@=w~o/mV", "w~o/mV=w~o/nV",
	 "w>1 o>2\n@w=wV\n$1:n:3\n@=w~o/nV"},
	{"removed", "a>1 b>2 c>3\n@a=aV\n@b=bV\nx>1 y>2", "aV=", "b>2 c>3\n\n@b=bV\ny>2"},
	{"removed, and its folders with it", "n>1 b>2\nm>3\n@=bV\na>4\n@=n/m/aV",
	 "n/m/aV=", "b>2\n\n@=bV\n\n"},
	{"folders that never held anything stay", "n>1 a>2\n\n@=aV\n", "aV=", "n>1\n\n\n"},
	{"removed, with its slots", "w>1 o>2\n@=wV\n$1:m:3 i>4\n@=w~o/mV\n@=o/iV",
	 "wV= w~o/mV=", "o>2\n\ni>4\n\n@=o/iV"},
	{"removed, its slots not: nothing speaks of them",
	 "w>1 o>2\n@=wV\n$1:m:3 i>4\n@=w~o/mV\n@=o/iV", "wV=", "o>2\n\ni>4\n\n@=o/iV"},
	{"an optimizer", "w>1 o>2\n@=wV\n$1:m:3 i>4\n@=w~o/mV\n@=o/iV",
	 "w~o/mV= o/iV=", "w>1\n@=wV\n\n\n"},
	{"a list of an optimizer is closed",
	 "o>1 w>6\n_variables>2 _m>3\n0>4 1>5 2>7\n0>5 1>7\n@=o/_variables/0V\n@=o/_variables/1V\n"
	 "@=wV\n@=o/_variables/2V",
	 "o/_variables/1V=",
	 "o>1 w>6\n_variables>2 _m>3\n0>4 1>7\n0>7\n@=o/_variables/0V\n\n@=wV\n"
	 "@=o/_variables/2V",
	 2},
	{"another list is not", "l>1\n0>2 1>3\n@=l/0V\n@=l/1V", "l/0V=", "l>1\n1>3\n\n@=l/1V"},
	{"new", "a>1\n@=aV", "=bV", "a>1 b>2\n@=aV\n@b=bV !"},
	{"new, in folders", "n>1\na>2\n@=n/aV", "=n/m/bV",
	 "n>1\na>2 m>3\n@=n/aV\nb>4\n@n/m/b=n/m/bV !"},
	{"new in the place of what is removed", "a>1 z>1\n! @x=aV", "aV= =aV", "a>1 z>1\n! @a=aV"},
	{"new, with a slot", "o>1\ni>2\n@=o/iV", "=w~o/mV =wV",
	 "o>1 w>3\ni>2 $3:m:4\n@=o/iV\n@w=wV !\n@=w~o/mV !"},
	{"a slot of nothing", "o>1\ni>2\n@=o/iV", "=w~o/mV", "o>1\ni>2\n@=o/iV", 0, 1},
	{"a key without a tail", "a>1\n@=aV", "=step", "a>1\n@=aV", 0, 1},
	{"a key whose path is not in the graph", "a>1\n@=bV", "bV=cV", "a>1\n@=cV"},
};

static size_t parse_changes(char *text, struct key_change *ret, struct buf *keys)
{
	size_t n = 0;

	for (char *word; (word = strsep(&text, " "));) {
		char *to = strchr(word, '=');

		if (!to)
			continue;
		*to++ = '\0';
		if (*word)
			ret[n].from = expand(word, &keys[2 * n]);
		if (*to)
			ret[n].to = expand(to, &keys[2 * n + 1]);
		n++;
	}
	return n;
}

static void check_case(const struct a_case *c)
{
	cleanup_buf struct buf graph = {0}, out = {0}, text = {0};
	struct buf keys[16] = {{0}};
	struct key_change changes[8] = {{{0}, {0}}};
	struct graph_edit_report report;
	struct error err = {0};
	char *copy = strdup(c->changes);
	size_t n = parse_changes(copy, changes, keys);

	make_graph(c->graph, &graph);
	assert_int_equal(graph_edit(buf_span(&graph), changes, n, &out, &report, &err), 0);
	print_graph(buf_span(&out), &text);
	if (strcmp((char *)text.p, c->after) != 0)
		print_error("case: %s\n", c->what);
	assert_string_equal((char *)text.p, c->after);
	assert_int_equal(report.closed, c->closed);
	assert_int_equal(report.unplaced, c->unplaced);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		buf_release(&keys[i]);
	free(copy);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(&cases[i]);
}

static int edit_nothing(const char *graph)
{
	cleanup_buf struct buf bytes = {0}, out = {0};
	struct graph_edit_report report;
	struct error err = {0};
	int r;

	make_graph(graph, &bytes);
	r = graph_edit(buf_span(&bytes), NULL, 0, &out, &report, &err);
	if (r == 0)
		assert_memory_equal(out.p, bytes.p, bytes.n);
	else
		assert_true(err.text[0]);
	return r;
}

static void test_graphs_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(edit_nothing("a>1\n"), 0);
	assert_int_equal(edit_nothing("a>2\n"), -EBADMSG);
	assert_int_equal(edit_nothing("a>4294967295\n"), -EBADMSG);
	assert_int_equal(edit_nothing("$0:m:7\n"), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_graphs_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
