/* The table of scenarios: what the driver does to a model. */
#ifndef FAULTS_SCENARIOS_H
#define FAULTS_SCENARIOS_H

#include <stdint.h>

enum { OPS_MAX = 12 };

static const uint64_t whole = UINT64_MAX;

enum what {
	END,
	WRITE,	 /* open, write in place, close */
	DRAFT,	 /* open with O_TRUNC, write all, close */
	WHOLE,	 /* what an .npy brings: all bytes at once */
	NUMBERS, /* a text of all numbers, of which those bytes are new ones */
	TEXT,	 /* a text of that size, of a string */
	BEGIN,	 /* the first half of a draft; the file stays open ... */
	FINISH,	 /* ... until the second half */
	ABANDON, /* ... or is closed as it is */
	SYNC,
	COMMIT,
	COMPACT,
	BACKUP,
	DISCARD,
	REOPEN, /* unmount without saving, and mount again */
};

struct op {
	enum what what;
	const char *role; /* of a tensor; see models.py */
	uint64_t offset, size;
};

struct scenario {
	const char *name;
	const char *model;   /* which one of models.py it is done to */
	const char *workdir; /* "" or the work folder's place */
	const char *after;   /* begins where this scenario was killed; or "" */
	struct op ops[OPS_MAX];
};

#define SOME                                                         \
	{WRITE, "tiny", 0, UINT64_MAX}, {WRITE, "pages", 4000, 200}, \
	{                                                            \
		WRITE, "bytes", 9000, 700                            \
	}

#define LITTLE                       \
	{                            \
		WRITE, "tiny", 4, 12 \
	}

static const struct scenario table[] = {
	{"write", "small", "", "", {SOME, {WRITE, "pages", 4100, 50}}},
	{"partial",
	 "small",
	 "",
	 "",
	 {{WRITE, "pages", 100, 50},
	  {WRITE, "pages", 8000, 5000},
	  {WRITE, "bytes", 10000, 7},
	  {SYNC},
	  {WRITE, "pages", 120, 50},
	  {COMMIT}}},
	{"sync", "small", "", "", {SOME, {SYNC}, {WRITE, "pages", 4100, 3000}, {SYNC}, LITTLE}},
	{"rewrite", "small", "", "", {LITTLE, {COMMIT}}},
	{"several", "small", "", "", {SOME, {DRAFT, "page", 0, whole}, {COMMIT}, {COMMIT}}},
	{"overwrite",
	 "small",
	 "",
	 "",
	 {{DRAFT, "bytes", 0, whole},
	  {WRITE, "bytes", 5000, 300},
	  {SYNC},
	  {DRAFT, "bytes", 0, whole},
	  {COMMIT}}},
	{"npy",
	 "small",
	 "",
	 "",
	 {{WHOLE, "bytes", 0, 0},
	  {WRITE, "bytes", 5000, 300},
	  {SYNC},
	  {WHOLE, "bytes", 0, 0},
	  {WHOLE, "tiny", 0, 0},
	  {COMMIT}}},
	{"npy-append", "large", "", "", {{WHOLE, "pages", 0, 0}, {COMMIT}, LITTLE, {COMMIT}}},
	{"numbers",
	 "small",
	 "",
	 "",
	 {{NUMBERS, "bytes", 5000, 300},
	  {WRITE, "bytes", 100, 50},
	  {SYNC},
	  {NUMBERS, "bytes", 4000, 5000},
	  {NUMBERS, "tiny", 0, 20},
	  {COMMIT},
	  {NUMBERS, "bytes", 10000, 1},
	  {COMMIT}}},
	{"numbers-append",
	 "large",
	 "",
	 "",
	 {{NUMBERS, "bytes", 4000, 5000}, {COMMIT}, LITTLE, {NUMBERS, "bytes", 0, 9}, {COMMIT}}},
	{"recover-numbers", "small", "", "numbers", {{REOPEN}, {COMMIT}}},
	{"twice", "small", "", "", {SOME, {COMMIT}, LITTLE, {SYNC}, {COMMIT}}},
	{"two-shards", "two", "", "", {SOME, {COMMIT}, LITTLE, {COMMIT}}},
	{"crowd", "crowd", "", "", {SOME, {COMMIT}}},
	{"compact", "two", "", "", {{COMPACT}}},
	{"append", "large", "", "", {SOME, {COMMIT}}},
	{"append-merge",
	 "large",
	 "",
	 "",
	 {SOME, {COMMIT}, {DRAFT, "bytes", 0, whole}, {COMMIT}, {WRITE, "page", 1, 100}, {COMMIT}}},
	{"append-draft",
	 "large",
	 "",
	 "",
	 {{BEGIN, "page", 0, 0}, SOME, {COMMIT}, {FINISH, "page", 0, 0}, {COMMIT}}},
	{"append-compact", "large", "", "", {LITTLE, {COMMIT}, {COMPACT}}},
	{"draft",
	 "small",
	 "",
	 "",
	 {{BEGIN, "pages", 0, 0},
	  {WRITE, "tiny", 0, whole},
	  {SYNC},
	  {COMMIT},
	  {FINISH, "pages", 0, 0},
	  {COMMIT}}},
	{"abandon",
	 "small",
	 "",
	 "",
	 {{WRITE, "pages", 0, 9000},
	  {BEGIN, "pages", 0, 0},
	  {SYNC},
	  {ABANDON, "pages", 0, 0},
	  {COMMIT}}},
	{"backup", "small", "", "", {SOME, {BACKUP}, LITTLE, {BACKUP}}},
	{"discard", "small", "", "", {SOME, {SYNC}, {DISCARD}, LITTLE, {COMMIT}}},
	{"discard-all", "small", "", "", {SOME, {DISCARD}}},
	{"reopen",
	 "small",
	 "",
	 "",
	 {SOME, {REOPEN}, {WRITE, "pages", 4090, 50}, {REOPEN}, {COMMIT}}},
	{"workdir", "small", "elsewhere", "", {SOME, {SYNC}, {COMMIT}, LITTLE, {COMMIT}}},
	{"workdir-append", "large", "elsewhere", "", {SOME, {COMMIT}}},
	{"saved-model", "saved", "", "", {SOME, {SYNC}, {COMMIT}, LITTLE, {COMMIT}}},
	{"saved-model-backup", "saved", "", "", {SOME, {BACKUP}, LITTLE, {BACKUP}}},
	{"saved-model-large", "saved-large", "", "", {SOME, {COMMIT}, LITTLE, {COMMIT}}},
	{"recover", "small", "", "several", {{REOPEN}, {COMMIT}}},
	{"recover-append", "large", "", "append", {{REOPEN}, LITTLE, {COMMIT}}},
	{"recover-saved-model", "saved", "", "saved-model", {{REOPEN}, {COMMIT}}},
	{"recover-workdir", "small", "elsewhere", "workdir", {{REOPEN}, {COMMIT}}},
	{"strings",
	 "strings",
	 "",
	 "",
	 {{TEXT, "word", 0, 3000},
	  {WRITE, "tiny", 0, whole},
	  {SYNC},
	  {TEXT, "word", 0, 40},
	  {COMMIT},
	  {TEXT, "word", 0, 9000},
	  {COMMIT}}},
	{"strings-append",
	 "strings-large",
	 "",
	 "",
	 {{TEXT, "word", 0, 3000}, {COMMIT}, {TEXT, "word", 0, 40}, LITTLE, {COMMIT}}},
	{"strings-draft",
	 "strings",
	 "",
	 "",
	 {{BEGIN, "word", 0, 0},
	  LITTLE,
	  {SYNC},
	  {COMMIT},
	  {FINISH, "word", 0, 500},
	  {BEGIN, "word", 0, 0},
	  {ABANDON, "word", 0, 0},
	  {COMMIT}}},
	{"slices",
	 "sliced",
	 "",
	 "",
	 {{WRITE, "pages", 4000, 200},
	  LITTLE,
	  {SYNC},
	  {DRAFT, "pages", 0, whole},
	  {COMMIT},
	  {WRITE, "pages", 1100, 5000},
	  {COMMIT}}},
	{"slices-append",
	 "sliced-large",
	 "",
	 "",
	 {{WRITE, "pages", 4000, 200}, {COMMIT}, {WHOLE, "pages", 0, 0}, {COMMIT}}},
	{"output", "small", "", "", {SOME, {COMMIT}, LITTLE, {SYNC}, {COMMIT}}},
	{"output-append", "large", "", "", {LITTLE, {COMMIT}}},
	{"output-saved-model", "saved", "", "", {SOME, {COMMIT}, LITTLE, {COMMIT}}},
	{"recover-output", "small", "", "output", {{REOPEN}, LITTLE, {COMMIT}}},
	{"recover-strings", "strings", "", "strings-draft", {{REOPEN}, {COMMIT}}},
	/* What a program without faults does to make an end: see run.py. */
	{"finish", "", "", "", {{COMMIT}}},
};

#endif
