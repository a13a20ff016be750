/*
 * fuzz: readers of files that other programs write, under libFuzzer.
 * tests/fuzz builds and runs it.  FUZZ in the environment names the target:
 *
 *	transcript	claude's stdout, and the decisions that follow from it
 *	ledger		a ledger, and any CSV file
 *	log		the log of a benchmark, and output that is no JSON
 *
 * Nothing here calls a function that may exit: ledger_next() is not used.
 */
#define main program_main
#include "../cc-run-experiments.c"
#undef main

#include <stdint.h>

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int input_fd = -1;		/* the input, as a file */
static void (*target)(const char *, size_t);

/* Abort if a statement that must hold for any input does not hold. */
static void
must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "fuzz: not true: %s\n", what);
		abort();
	}
}

/* Every field of an event is a string inside its bounds. */
static void
check_event(const struct event *e)
{
	size_t i;
	const char *s, *end;

	for (i = 0; i < sizeof event_fields / sizeof *event_fields; i++) {
		s = (const char *)e + event_fields[i].at;
		end = memchr(s, '\0', event_fields[i].size);
		must(end != NULL, "a field ends inside its bounds");
		for (; event_fields[i].cell != FREE_TEXT && s < end; s++)
			must(!iscntrl((unsigned char)*s), "a cell is one line");
	}
}

static void
fuzz_transcript(const char *data, size_t size)
{
	static struct transcript t;
	int why, status;

	(void)data;
	(void)size;
	t.memory = size % 2 == 0;
	t.plugin = size % 3 == 0 ? "" : "/plugin";
	t.fd = input_fd;
	transcript_read(&t);
	check_event(&t.init);
	check_event(&t.limit);
	check_event(&t.result);
	for (why = BY_ITSELF; why <= BY_SIGNAL; why++)
		for (status = 0; status < 3; status++)
			must(claude_outcome(&t, (enum why)why, status == 2,
			    status, status == 1) < OUTCOMES, "an outcome");
	arm_fault(&t);
	limit_when(&t);
}

/* What csv_line prints, csv_next reads back. */
static void
check_csv(char **fields, int n)
{
	char *text = NULL, *at, *back[COLUMNS + 1];
	const char *list[COLUMNS + 1];
	size_t size;
	FILE *to = open_memstream(&text, &size);
	int i;

	for (i = 0; i < n; i++)
		list[i] = fields[i];
	list[n] = NULL;
	csv_line(to, list);
	fclose(to);
	at = text;
	must(csv_next(&at, back, COLUMNS) == n, "as many fields read back");
	for (i = 0; i < n; i++)
		must(strcmp(list[i], back[i]) == 0, "the same field read back");
	must(csv_next(&at, back, COLUMNS) == 0, "one record is one record");
	free(text);
}

static void
fuzz_ledger(const char *data, size_t size)
{
	static struct experiment x;
	struct run run = { .id = 1, .next = 1 };
	struct attempt a;
	char *text = xrealloc(NULL, size + 1), *at = text, *fields[COLUMNS];
	int n, i, good;

	memcpy(text, data, size);
	text[size] = '\0';
	x.opt.prefix = "exp";
	x.opt.iterations = 3;
	words_add(&run.commits, "base");
	while ((n = csv_next(&at, fields, COLUMNS)) > 0) {
		must(at > text && at <= text + size, "a record ends in the text");
		if (n > COLUMNS)
			continue;
		check_csv(fields, n);
		memset(&a, 0, sizeof a);
		good = n == COLUMNS;
		for (i = 0; i < COLUMNS && good; i++)
			good = column_read(&x, &a, &columns[i], fields[i]) == 0;
		if (!good || a.run < 1 || a.iteration < 1 || a.number < 1 ||
		    a.iteration > x.opt.iterations)
			continue;
		for (i = 0; i < COLUMNS; i++)
			column_print(&x, &a, &columns[i]);
		run_add(&run, &a);
		run_over(&x, &run);
	}
	words_free(&run.commits);
	free(text);
}

static void
fuzz_log(const char *data, size_t size)
{
	const struct benchmark b = { .name = "b" };
	struct samples samples[2] = { { .wanted = 1 }, { .wanted = 1 } };
	FILE *in = fd_stream(input_fd, 0);
	char line[4096];
	size_t i;
	int k;

	(void)data;
	(void)size;
	while (line_read(in, line, sizeof line)) {
		colours_remove(line);
		for (k = 0; k < 2; k++)
			samples_line(&samples[k], &b, k, line);
	}
	fclose(in);
	for (k = 0; k < 2; k++) {
		for (i = 0; i < samples[k].n; i++)
			must(samples[k].us[i] >= 0 && samples[k].us[i] < 1e15,
			    "a runtime");
		free(samples[k].us);
	}
	is_limit_near_end(input_fd);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ");

	(void)argc;
	(void)argv;
	if (name == NULL)
		name = "";
	target = strcmp(name, "transcript") == 0 ? fuzz_transcript :
	    strcmp(name, "ledger") == 0 ? fuzz_ledger :
	    strcmp(name, "log") == 0 ? fuzz_log : NULL;
	if (target == NULL)
		die(EXIT_USAGE, "FUZZ: expected transcript, ledger or log");
	if ((input_fd = memfd_create("input", MFD_CLOEXEC)) < 0)
		die(1, "memfd_create:");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (ftruncate(input_fd, 0) != 0 ||
	    pwrite(input_fd, data, size, 0) != (ssize_t)size)
		abort();
	target((const char *)data, size);
	pool_free();
	return 0;
}
