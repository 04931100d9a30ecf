/*
 * What the tests of codec/ share: cmocka behind the headers that it wants before it, bytes
 * written as hex digits, numbers that look random and are the same in every run, and folders
 * for the tests that need files.
 */
#ifndef TESTS_CODEC_SUPPORT_H
#define TESTS_CODEC_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base/buf.h"
#include "codec/base/error.h"

/* The head of a test; its body follows in braces. */
#define TEST(name) static void name(void **state __attribute__((unused)))

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* The bytes that text says in hex, with spaces where one likes; added to out. */
void add_hex(struct buf *out, const char *text);

/* Each fails at the caller's line, and prints both sides. */
#define assert_hex(bytes, text)	     check_hex(bytes, text, __FILE__, __LINE__)
#define assert_says(bytes, text)     check_equal(bytes, span_str(text), __FILE__, __LINE__)
#define assert_same(bytes, expected) check_equal(bytes, expected, __FILE__, __LINE__)
void check_hex(struct span bytes, const char *text, const char *file, int line);
void check_equal(struct span bytes, struct span expected, const char *file, int line);

/* Fails unless r is code and the sentence contains words. */
#define assert_refused(r, code, err, words) check_refused(r, code, err, words, __FILE__, __LINE__)
void check_refused(int r, int code, const struct error *err, const char *words, const char *file,
		   int line);

/* The next number of the sequence that *seed began (splitmix64). */
uint64_t random_next(uint64_t *seed);
/* One of 0 to n-1. */
uint64_t random_below(uint64_t *seed, uint64_t n);

/* A new folder in memory, or where TMPDIR says, and its descriptor. */
struct folder {
	char path[256];
	int fd;
};

void folder_make(struct folder *f);
/* With the files in it. */
void folder_unmake(struct folder *f);
/* The whole content of a file in the folder, added to out. */
void folder_read(const struct folder *f, const char *name, struct buf *out);
void folder_write(const struct folder *f, const char *name, struct span content);

#endif
