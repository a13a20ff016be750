/*
 * fuzz: what reads strangers' bytes, under libFuzzer.  tests/fuzz builds and
 * runs it; FUZZ in the environment names the target:
 *
 *	transcript	claude's stdout, and what is concluded from it
 *	ledger		any CSV, and a ledger with all it adds up to
 *
 * Nothing here may call die, which exits: a ledger that is none of ours is
 * left at its first bad row.
 */
#define main program_main
#include "../cc-run-experiments.c"
#undef main

#include <sys/mman.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int input_fd = -1;		/* the input, as a file */
static int is_ledger;

/* must: what holds for any input. */
static void
must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "fuzz: not so: %s\n", what);
		abort();
	}
}

/* ended: every field of an event is a string inside its own bounds. */
static void
ended(const struct event *e)
{
	size_t i;
	const char *s, *end;

	for (i = 0; i < sizeof event_fields / sizeof *event_fields; i++) {
		s = (const char *)e + event_fields[i].at;
		end = memchr(s, '\0', event_fields[i].size);
		must(end != NULL, "a field ends inside its bounds");
		for (; event_fields[i].size < TEXT_SIZE && s < end; s++)
			must(!iscntrl((unsigned char)*s), "a cell is one line");
	}
}

static void
fuzz_transcript(void)
{
	static struct json j;
	struct attempt a;
	int why;

	transcript_read(input_fd);
	ended(&transcript.init);
	ended(&transcript.limit);
	ended(&transcript.result);
	memset(&a, 0, sizeof a);
	for (why = BY_ITSELF; why <= BY_SIGNAL; why++) {
		a.ended.why = (enum why)why;
		a.ended.status = why == BY_ITSELF ? 1 : 143;
		must(claude_outcome(&a) < OUTCOMES, "it has an outcome");
	}
	opt.no_plugin = !opt.no_plugin;
	claude_fault();
	limit_when();

	memset(&j, 0, sizeof j);		/* as plugin.json is read */
	j.in = fd_stream(input_fd, 0);
	j.pretty = 1;
	j.field = manifest_field;
	json_line(&j);
	fclose(j.in);
}

/* again: what csv_line makes of a record, csv_read takes for the same. */
static void
again(char **field, int n)
{
	struct words fields = { NULL, 0 };	/* csv_read has but one record */
	char *data = NULL, *back[COLUMNS + 1];
	size_t size;
	FILE *f = open_memstream(&data, &size);
	int i;

	for (i = 0; i < n; i++)
		words_add(&fields, field[i]);
	csv_line(f, fields.v);
	fclose(f);
	f = fmemopen(data, size, "r");
	must(csv_read(f, back, COLUMNS + 1) == n,
	    "a record has as many fields when it is read again");
	for (i = 0; i < n; i++)
		must(strcmp(fields.v[i], back[i]) == 0,
		    "a field is the same when it is read again");
	must(csv_read(f, back, COLUMNS + 1) == 0,
	    "one record is one record");
	fclose(f);
	free(data);
	words_free(&fields);
}

static void
fuzz_ledger(void)
{
	char *field[COLUMNS + 1];
	FILE *in = fd_stream(input_fd, 0);
	int n, good = 1;

	for (n = 0; n <= opt.runs; n++)
		run_begin(&runs[n], n);
	csv_read(in, field, COLUMNS);	/* the header */
	while ((n = csv_read(in, field, COLUMNS + 1)) != 0) {
		must(n >= -1 && n <= COLUMNS + 1, "a count of fields");
		good = good && ledger_line(field, n) == 0;
		if (n > 0 && n <= COLUMNS)
			again(field, n);
	}
	for (n = 1; n <= opt.runs; n++)
		run_over(&runs[n]);
	fclose(in);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *target = getenv("FUZZ");

	(void)argc;
	(void)argv;
	is_ledger = target != NULL && strcmp(target, "ledger") == 0;
	if (!is_ledger && (target == NULL || strcmp(target, "transcript") != 0))
		die(EXIT_USAGE, "FUZZ: expected transcript or ledger");
	if ((input_fd = memfd_create("input", MFD_CLOEXEC)) < 0)
		die(1, "memfd_create:");
	transcript_fd = input_fd;
	opt.prefix = "exp";
	opt.runs = 3;
	runs = resize(runs, (size_t)(opt.runs + 1) * sizeof *runs);
	COPY(plugin_dir, "/plugin");
	COPY(plugin_name, "plugin");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (ftruncate(input_fd, 0) != 0 ||
	    pwrite(input_fd, data, size, 0) != (ssize_t)size)
		abort();
	if (is_ledger)
		fuzz_ledger();
	else
		fuzz_transcript();
	return 0;
}
