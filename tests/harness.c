/*
 * harness: rules of the program that are tables or pure functions, called by
 * tests/rules.bats without an experiment.
 *
 *	harness outcome TRANSCRIPT STDERR ENDED STATUS
 *		the outcome, then name=value of what the transcript tells;
 *		ENDED: itself, signal, run, call, silence or linger
 *	harness decide OUTCOME FAILURES TIMEOUTS RETRIES WAIT SIGNAL
 *		"keep" or "discard", then what follows, and whether the
 *		iteration is finished; FAILURES and TIMEOUTS in a row before it
 *	harness arm TRANSCRIPT PLUGIN-DIRECTORY
 *		why the session is not the arm asked for; nothing if it is
 *	harness time TEXT
 *		the seconds of a TIME option; exit status 2 if it is none
 *	harness runtime < OUTPUT
 *		the microseconds of each runtime line, or "malformed"
 *	harness csv write N < fields > csv	N fields a record, each ended by a NUL
 *	harness csv read N < csv > fields	the same way back
 *	harness csv torn N < csv		read every beginning of the file: no
 *						more and no less than its whole records
 */
#define main program_main
#include "../cc-run-experiments.c"
#undef main

enum { MOST = 64 };

/* The whole of standard input, followed by a NUL. */
static char *
all(size_t *size)
{
	char *text = NULL;
	size_t n = 0, got;

	do {
		text = xrealloc(text, n + 65536 + 1);
		got = fread(text + n, 1, 65536, stdin);
		n += got;
	} while (got > 0);
	text[n] = '\0';
	*size = n;
	return text;
}

/* ---- CSV ------------------------------------------------------------------ */

static int
csv_write(int n)
{
	size_t size, at = 0;
	char *text = all(&size);
	const char *fields[MOST + 1];
	int i;

	while (at < size) {
		for (i = 0; i < n && at < size; i++) {
			fields[i] = text + at;
			at += strlen(text + at) + 1;
		}
		fields[i] = NULL;
		csv_line(stdout, fields);
	}
	free(text);
	return 0;
}

static int
csv_read_back(int n)
{
	size_t size;
	char *text = all(&size), *at = text, *field[MOST];
	int i, got;

	while ((got = csv_next(&at, field, MOST)) > 0) {
		if (got != n) {
			fprintf(stderr, "a record of %d fields\n", got);
			return 1;
		}
		for (i = 0; i < n; i++)
			fwrite(field[i], 1, strlen(field[i]) + 1, stdout);
	}
	free(text);
	return got == 0 ? 0 : 1;
}

/* The records in the first size bytes; where each of them ends. */
static size_t
count(const char *text, size_t size, int n, size_t *ends)
{
	char *part = xrealloc(NULL, size + 1), *at = part, *field[MOST];
	size_t found = 0;

	memcpy(part, text, size);
	part[size] = '\0';
	while (csv_next(&at, field, MOST) == n) {
		if (ends != NULL)
			ends[found] = (size_t)(at - part);
		found++;
	}
	free(part);
	return found;
}

static int
csv_torn(int n)
{
	size_t size, length, whole = 0, records, *ends;
	char *text = all(&size);

	ends = xrealloc(NULL, (size + 1) * sizeof *ends);
	records = count(text, size, n, ends);
	if (records == 0 || ends[records - 1] != size) {
		fprintf(stderr, "not a file of whole records\n");
		return 1;
	}
	for (length = 1; length <= size; length++) {
		if (whole < records && ends[whole] == length)
			whole++;
		if (count(text, length, n, NULL) != whole) {
			fprintf(stderr, "the first %zu bytes: expected %zu "
			    "records\n", length, whole);
			return 1;
		}
	}
	printf("%zu records, %zu beginnings\n", records, size);
	free(ends);
	free(text);
	return 0;
}

/* ---- transcripts ----------------------------------------------------------- */

/* Read a transcript as after a call. */
static void
read_file(struct transcript *t, const char *path, const char *plugin)
{
	t->fd = file_open(AT_FDCWD, path, 0);
	if (t->fd < 0)
		die(2, "%s:", path);
	t->plugin = plugin;
	transcript_read(t);
	close(t->fd);
}

static int
arm(char **argv)
{
	static struct transcript t;

	read_file(&t, argv[0], argv[1]);
	printf("%s\n", arm_fault(&t));
	return 0;
}

/* Print the outcome, and the columns of the ledger that claude told. */
static int
outcome(char **argv)
{
	static const struct { const char *name; enum why why; int last; }
	    ends[] = { { "itself", BY_ITSELF, 0 }, { "signal", BY_SIGNAL, 0 },
	    { "run", BY_LIMIT, 1 }, { "call", BY_LIMIT, 0 },
	    { "silence", BY_SILENCE, 0 }, { "linger", BY_LINGERING, 0 } };
	static struct experiment x;
	static struct transcript t;
	static struct attempt a;
	int out = file_open(AT_FDCWD, argv[0], 0);
	int err = file_open(AT_FDCWD, argv[1], 0), i, n = 0;

	while (strcmp(ends[n].name, argv[2]) != 0)
		n++;
	read_file(&t, argv[0], "");
	printf("%s\n", outcomes[claude_outcome(&t, ends[n].why, ends[n].last,
	    atoi(argv[3]), is_limit_near_end(out) || is_limit_near_end(err))].
	    name);
	attempt_told(&a, &t);
	x.opt.prefix = "";
	for (i = 0; i < COLUMNS; i++)
		printf("%s=%s\n", columns[i].name, column_print(&x, &a,
		    &columns[i]));
	return 0;
}

static int
decided(char **argv)
{
	static const char *const nexts[] = { "next iteration", "end of run",
	    "again", "stop" };
	int o = 0;
	struct decision d;

	while (o < OUTCOMES && strcmp(outcomes[o].name, argv[0]) != 0)
		o++;
	if (o == OUTCOMES)
		return 2;
	d = decide((enum outcome)o, atoi(argv[1]), atoi(argv[2]),
	    atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
	printf("%s, %s", outcomes[o].keep ? "keep" : "discard", nexts[d.next]);
	if (d.next == STOP)
		printf(" %d", d.status);
	printf("%s\n", d.finished ? ", finished" : "");
	return 0;
}

/* ---- options, runtime lines ------------------------------------------------ */

static int
seconds(const char *text)
{
	const struct setting *s = settings;

	while (s->at != AT(idle_timeout))
		s++;
	printf("%.10g\n", option_time(s, text));
	return 0;
}

static int
runtimes(void)
{
	char line[4096];
	const char *at;
	double us;

	while (line_read(stdin, line, sizeof line)) {
		colours_remove(line);
		us = runtime_read(line, &at);
		if (us == -2)
			printf("malformed\n");
		else if (us >= 0)
			printf("%.*s%s%.0f\n", (int)runtime_name(line), line,
			    runtime_name(line) > 0 ? " " : "", us);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc == 4 ? atoi(argv[3]) : 0;

	if (strcmp(what, "csv") == 0 && n > 0 && n <= MOST)
		return strcmp(argv[2], "write") == 0 ? csv_write(n) :
		    strcmp(argv[2], "read") == 0 ? csv_read_back(n) :
		    csv_torn(n);
	if (strcmp(what, "arm") == 0 && argc == 4)
		return arm(argv + 2);
	if (strcmp(what, "outcome") == 0 && argc == 6)
		return outcome(argv + 2);
	if (strcmp(what, "decide") == 0 && argc == 8)
		return decided(argv + 2);
	if (strcmp(what, "time") == 0 && argc == 3)
		return seconds(argv[2]);
	if (strcmp(what, "runtime") == 0 && argc == 2)
		return runtimes();
	fprintf(stderr, "usage: see the comment at the top of harness.c\n");
	return 2;
}
