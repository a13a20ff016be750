/*
 * cc-run-experiments: run an experiment with the claude command on a git
 * repository, again and again from the same baseline, and keep score in CSV.
 *
 *	cc-run-experiments [options] directory prefix [baseline-branch]
 *		[-- claude-argument ...]
 *
 *	for each run
 *	    start from the baseline commit; benchmark it (iteration 0)
 *	    for each iteration
 *	        enough time left in the run?  no: end of run
 *	        create branch <prefix>-run-<N>-iteration-<M>
 *	        attempt: run claude with the iteration prompt; then by outcome
 *	          success      commit, next iteration
 *	          rate limit   put back, stop everything
 *	          timeout      put back; retries left? attempt again : stop
 *	          out of time  (the run's limit) commit what is there, end run
 *	          denied       (no login, credit or model) put back, stop
 *	          capped       (the user's turn or money limit) commit, next
 *	          failure      put back; second in a row? stop : next iteration
 *	    end of run: benchmark the last iteration
 *
 * To put back is to keep what the attempt left under refs/cc-run-experiments/
 * and to make the tree and all refs as they were before.  The user's branch is
 * checked out again at every exit.  One row per attempt is on disk, in
 * <prefix>--iterations.csv, before the next attempt starts.
 *
 * The same command again does what is missing: the ledger and the branches
 * say what that is.  After kill -9 it first ends the agent that lives on, and
 * puts the tree back.  Two runners never work in one repository, or at one run.
 *
 * With --isolate each run is a child process that works in a clone of its own
 * in $TMPDIR, from which its branches are fetched; with -j many are at work at
 * once, but none while a benchmark is measured.
 *
 * Exit status: 0 all runs are finished; 1 the runner could not go on;
 * 2 usage; 3 two failures in a row; 75 rate limit, or another runner is at
 * work; 77 claude is denied; 124 the last retry timed out; 126, 127 git or
 * claude cannot be executed or is not found; 128+n ended by signal n.
 *
 * A claude that prints no JSON (a wrapper) is judged by its exit status:
 * 0 success, 2 rate limit, 124 timeout, anything else failure.
 *
 * Assumptions: the tree is clean at the start; nobody else works in it
 * meanwhile; what git ignores then is the user's and is never touched.  An
 * agent runs with all rights of the user: give it a sandbox.  What left its
 * process group is found and ended on Linux only.
 *
 * Build: cc -o cc-run-experiments cc-run-experiments.c
 * The manual is cc-run-experiments(1).
 */

#define _GNU_SOURCE 1		/* POSIX_SPAWN_SETSID in glibc's spawn.h */
#define _DARWIN_C_SOURCE 1	/* the same on macOS */
#define _FILE_OFFSET_BITS 64	/* transcripts above 2 GB where long has */
#define _TIME_BITS 64		/* 32 bits, and the years after 2037 */

#include <sys/ioctl.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- configuration: the only lines an operator edits ------------------- */

enum {
	RUNS = 5,			/* -r: runs of the experiment */
	ITERATIONS = 10,		/* -i: iterations of each run */
	TIMEOUT_S = 2 * 60 * 60,	/* -t: agent time of one run */
	ITERATION_TIMEOUT_S = 30 * 60,	/* agent time of one call */
	IDLE_TIMEOUT_S = 20 * 60,	/* longest silence of one call */
	RETRIES = 2,			/* new attempts after a timed-out one */
	BENCHMARK_TIMEOUT_S = 10 * 60,	/* one build or benchmark command */
	SAMPLES = 1,			/* executions of each benchmark */
	JOBS = 1, JOBS_MOST = 64,	/* -j: runs at once */
	ENOUGH_S = 60,			/* less is left: the run has ended */
	FAILURES = 2			/* so many in a row stop it all */
};

static const unsigned
	GIT_TIMEOUT_S = 10 * 60,	/* one git command: more is a fault */
	GIT_STOPPING_S = 15,		/* all of them after a signal to us */
	VERSION_TIMEOUT_S = 60,		/* claude --version */
	LINGER_S = 30,			/* silence after the result: ended */
	GRACE_S = 5,			/* between TERM and KILL */
	SWEEP_S = 10,			/* longest hunt for what is left */
	TICK_TERMINAL_S = 1,		/* redraw of the status line */
	TICK_S = 10,			/* look at a call without a terminal */
	WAIT_S = 15 * 60,		/* -w, where no reset is told */
	WAIT_MORE_S = 60,		/* after a reset, and at least */
	WAIT_MOST_S = 24 * 60 * 60;	/* in all; more is not waited for */

static const char output_default[] = "benchmark-results";
static const char baseline_default[] = "main";

static const char *const claude_command[] = {
	"claude", "--dangerously-skip-permissions", "-p",
	"--output-format", "stream-json", "--verbose", NULL
};

static const char prompt_plain[] =
    "Make this project faster. Find one thing that costs it time, and make\n"
    "exactly one performance improvement: implement it completely, and test\n"
    "that the project still works as before. Do not ask questions: nobody is\n"
    "there to answer, so decide for yourself.\n";

static const char prompt_plugin[] =
    "Make this project faster, with the help of the skills that your plugin\n"
    "offers. Find one thing that costs it time, and make exactly one\n"
    "performance improvement: implement it completely, and test that the\n"
    "project still works as before. Do not ask questions: nobody is there to\n"
    "answer, so decide for yourself.\n";

/* How a limit begins in the text of a claude that told it in no JSON field. */
static const char *const limit_texts[] = {
	"You've hit your ", "Claude AI usage limit reached",
	"5-hour limit reached", "Session limit reached",
	"Weekly limit reached", "Opus limit reached",
	"Opus weekly limit reached", "Spending cap reached",
	"API Error: Rate limit reached", "API Error: 429",
	"API Error: Request rejected (429)",
	"API Error: Server is temporarily limiting requests", NULL
};

/* ---- types ------------------------------------------------------------- */

#define VERSION "0.1"
#define REFS "refs/cc-run-experiments/"
#define LOCK_NAME "cc-run-experiments.runner"	/* in the git directory */
#define NOTE_NAME "cc-run-experiments.note"	/* the same, see note_write */
#define MARK "CC_RUN_EXPERIMENTS_TREE"	/* in every child's environment */

enum {					/* exit statuses */
	EXIT_USAGE = 2, EXIT_FAILURES = 3, EXIT_LATER = 75, EXIT_DENIED = 77,
	EXIT_TIMEOUT = 124, EXIT_NOEXEC = 126, EXIT_NOTFOUND = 127
};

enum {
	ID_SIZE = 72,			/* a commit id, SHA-256 as well */
	NAME_SIZE = 256,		/* a branch name, a JSON path */
	TEXT_SIZE = 8192,		/* claude's summary, cut there */
	JSON_DEPTH = 1000,		/* a deeper line is passed over */
	DEPTH = 96,			/* directories that are held open */
	PREFIX_MAX = 150,		/* it becomes part of file names */
	WRONG_SIZE = 1024 * 1024,	/* a call's start is not longer */
	FDS = 4096			/* which a caller may leave open */
};

struct words {				/* a command line, an environment */
	const char **v;			/* ends in NULL once there is a word */
	size_t n;
};

static struct options {			/* written at the start only */
	long runs, iterations, retries, samples, jobs, seed;
	long first, last;		/* --run; 0: all */
	double timeout, iteration_timeout, idle_timeout, benchmark_timeout;
	const char *directory, *prefix, *baseline, *output, *prompt_file;
	const char *prompt, *build;
	struct words benchmarks, protect, claude_arguments;
	int no_plugin, every_iteration, benchmark_only, isolate, wait;
	int dry_run, quiet, verbose, help, version;
} opt = {
	.runs = RUNS, .iterations = ITERATIONS, .retries = RETRIES,
	.samples = SAMPLES, .jobs = JOBS, .timeout = TIMEOUT_S,
	.iteration_timeout = ITERATION_TIMEOUT_S,
	.idle_timeout = IDLE_TIMEOUT_S,
	.benchmark_timeout = BENCHMARK_TIMEOUT_S,
	.baseline = baseline_default, .output = output_default
};

/*
 * The options: one table for parsing, for --help and for experiment.csv,
 * which has those from NUMBER to DEFINES.
 */
enum kind {
	NUMBER, TIME, COMMAND, BENCHMARK, PATHS, DEFINES,	/* a flag */
	FLAG, PATH, RANGE, COUNT, SEED
};

static const struct setting {
	int letter;			/* from 256 on: it has none */
	const char *name, *value;	/* value: NULL if it takes none */
	enum kind kind;
	void *at;			/* what it sets in opt */
	double least;
	const char *help;
} settings[] = {
	{ 'r', "runs", "N", NUMBER, &opt.runs, 1, "runs of the experiment" },
	{ 'i', "iterations", "N", NUMBER, &opt.iterations, 1,
	    "iterations of each run" },
	{ 't', "timeout", "TIME", TIME, &opt.timeout, ENOUGH_S,
	    "agent time for one run" },
	{ 256, "iteration-timeout", "TIME", TIME, &opt.iteration_timeout, 1,
	    "agent time for one call of claude" },
	{ 257, "idle-timeout", "TIME", TIME, &opt.idle_timeout, 0,
	    "longest silence of one call, 0 = never" },
	{ 258, "retries", "N", NUMBER, &opt.retries, 0,
	    "new attempts after a timed-out one" },
	{ 'p', "prompt", "FILE", PATH, &opt.prompt_file, 0,
	    "the base prompt (built in)" },
	{ 259, "no-plugin", NULL, FLAG, &opt.no_plugin, 0,
	    "run without the plugin in $CC_PLUGIN_DIR" },
	{ 'b', "benchmark", "NAME=COMMAND", BENCHMARK, &opt.benchmarks, 0,
	    "what to measure; may be repeated" },
	{ 260, "build", "COMMAND", COMMAND, &opt.build, 0,
	    "run before the benchmarks" },
	{ 261, "benchmark-timeout", "TIME", TIME, &opt.benchmark_timeout, 1,
	    "for one build or benchmark command" },
	{ 262, "samples", "N", NUMBER, &opt.samples, 1,
	    "times each benchmark command is executed" },
	{ 263, "every-iteration", NULL, DEFINES, &opt.every_iteration, 0,
	    "benchmark after each iteration" },
	{ 264, "protect", "PATHSPEC", PATHS, &opt.protect, 0,
	    "restored from the baseline; may be repeated" },
	{ 'o', "output", "DIR", PATH, &opt.output, 0, "where results go" },
	{ 267, "benchmark-only", NULL, FLAG, &opt.benchmark_only, 0,
	    "measure what lacks results, without an agent" },
	{ 268, "seed", "N", SEED, &opt.seed, 0,
	    "order of --benchmark-only; 0: by chance" },
	{ 265, "run", "N[-M]", RANGE, &opt.first, 1, "only these runs" },
	{ 266, "isolate", NULL, DEFINES, &opt.isolate, 0,
	    "each run in a clone of its own" },
	{ 'j', "jobs", "N", COUNT, &opt.jobs, 1,
	    "so many runs at once; implies --isolate" },
	{ 'w', "wait", NULL, FLAG, &opt.wait, 0,
	    "sleep until a rate limit resets, then go on" },
	{ 'n', "dry-run", NULL, FLAG, &opt.dry_run, 0,
	    "print the plan and every command, run none" },
	{ 'q', "quiet", NULL, FLAG, &opt.quiet, 0, "only warnings and errors" },
	{ 'v', "verbose", NULL, FLAG, &opt.verbose, 0,
	    "print each command before it runs" },
	{ 'h', "help", NULL, FLAG, &opt.help, 0, "print this" },
	{ 'V', "version", NULL, FLAG, &opt.version, 0, "print the version" },
	{ 0, NULL, NULL, FLAG, NULL, 0, NULL }
};

enum outcome {
	SUCCESS, CAPPED, OUT_OF_TIME, RATE_LIMIT, TIMEOUT, DENIED, FAILURE,
	INTERRUPTED, OUTCOMES
};

static const char *const outcome_names[] = {
	"success", "capped", "out of time", "rate limit", "timeout", "denied",
	"failure", "interrupted"
};

/* ---- messages: every byte on stderr passes here ------------------------ */

static int leaving;			/* exit has begun: only _exit now */

enum state { IDLE, AGENT, MEASURE_NEXT, MEASURE };

static struct shared {			/* what runs know of each other */
	int status;			/* of the first stop; 0: go on */
	char reason[512];		/* "": a signal */
	int failures;			/* so many in a row, over all runs */
	struct job {
		pid_t pid;		/* 0: in place, or none */
		int run;
		enum state state;
		char what[NAME_SIZE];	/* run 1/5 iteration 2/10 */
		double start, limit, cost;
	} jobs[JOBS_MOST];
} in_place, *shared = &in_place;
static struct job *job = &in_place.jobs[0];	/* ours */
static int in_clone;			/* we are the child that runs it */

static struct {				/* the status line of a terminal */
	int on;				/* stderr is a terminal, and not -q */
	int drawn;			/* it has to be cleared */
	int parents;			/* our parent draws it: always so */
} show;

static const char *
show_clear(void)
{
	int drawn = show.drawn;

	show.drawn = show.parents;
	return drawn ? "\r\033[K" : "";
}

/* obeyed: does a terminal obey what is at s?  Its length; C1 is UTF-8's. */
static int
obeyed(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	return iscntrl(*u) ? 1 : 2 * (*u == 0xc2 && u[1] >= 0x80 &&
	    u[1] <= 0x9f);
}

/* plain: a line whose controls have become question marks. */
static char *
plain(char *line)
{
	char *s = line;
	int n;

	for (; *s != '\0'; s += n > 0 ? n : 1)
		if ((n = obeyed(s)) > 0)
			memset(s, '?', (size_t)n);
	return line;
}

/* message: one line on stderr; a format that ends in ':' gets errno's text. */
static void
message(const char *kind, const char *format, va_list args)
{
	int error = errno, tells;
	size_t len = strlen(format);
	char line[4096];

	vsnprintf(line, sizeof line, format, args);
	tells = len > 0 && format[len - 1] == ':';
	fprintf(stderr, "%s%s%s%s%s\n", show_clear(), kind, plain(line),
	    tells ? " " : "", tells ? strerror(error) : "");
}

static void
say(const char *format, ...)
{
	va_list args;

	if (opt.quiet)
		return;
	va_start(args, format);
	message("", format, args);
	va_end(args);
}

static void
warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("cc-run-experiments: ", format, args);
	va_end(args);
}

/* die: the only exit below main; atexit has the user's branch put back. */
#ifdef __GNUC__
__attribute__((noreturn))
#endif
static void
die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("cc-run-experiments: ", format, args);
	va_end(args);
	if (leaving)
		_exit(status);
	exit(status);
}

/* show_one: run, iteration, a bar, elapsed and limit, cost so far. */
static void
show_one(char *line, size_t size, double elapsed, int width)
{
	static const char hashes[] = "####################";
	long s = (long)elapsed, limit = (long)job->limit;
	int done = job->limit > 0 ? (int)(20 * elapsed / job->limit) : 0;
	char left[32];

	snprintf(left, sizeof left, "/%ld:%02ld", limit / 60, limit % 60);
	snprintf(line, size, "%s [%-20.*s] %ld:%02ld%s $%.2f", job->what,
	    done > 20 ? 20 : done, hashes, s / 60, s % 60, left, job->cost);
	if (width <= (int)strlen(line))		/* narrow: without the bar */
		snprintf(line, size, "%s %ld:%02ld%s $%.2f", job->what,
		    s / 60, s % 60, left, job->cost);
}

/* show_all: the same for all jobs, in short; what is cut is not shown. */
static void
show_all(char *line, size_t size, double now)
{
	double cost = 0;
	size_t n = 0;
	int i;

	for (i = 0; i < opt.jobs && n < size / 2; i++) {
		cost += shared->jobs[i].cost;
		if (shared->jobs[i].pid != 0)
			n += (size_t)snprintf(line + n, size - n,
			    "%.60s %ld:%02ld, ", shared->jobs[i].what,
			    (long)(now - shared->jobs[i].start) / 60,
			    (long)(now - shared->jobs[i].start) % 60);
	}
	snprintf(line + n, size - n, "$%.2f", cost);
}

/* show_draw: the status line, on terminals. */
static void
show_draw(double now)
{
	char line[4 * NAME_SIZE];
	struct winsize window;
	int width = 80;

	if (!show.on)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		width = window.ws_col;
	if (opt.jobs > 1)
		show_all(line, sizeof line, now);
	else
		show_one(line, sizeof line, now - job->start, width);
	fprintf(stderr, "\r%.*s\033[K", width - 1, line);
	show.drawn = 1;
}

/* ---- strings, time and files ------------------------------------------- */

static void *
resize(void *memory, size_t size)
{
	if ((memory = realloc(memory, size)) == NULL)
		die(1, "out of memory");
	return memory;
}

enum { TEXTS = 64 };

/* text: as sprintf, in one of TEXTS buffers used in turn: copy what is kept. */
static const char *
text(const char *format, ...)
{
	static char ring[TEXTS][PATH_MAX];
	static unsigned turn;
	char *s = ring[turn++ % TEXTS];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(s, PATH_MAX, format, args);
	va_end(args);
	if (n < 0 || n >= PATH_MAX)
		die(1, "too long: %.60s...", s);
	return s;
}

/* copy_to: as much as fits, always ended by a NUL. */
static void
copy_to(char *buf, size_t size, const char *s)
{
	size_t len = strlen(s);

	len = len < size ? len : size - 1;
	memmove(buf, s, len);
	buf[len] = '\0';
}

#define COPY(buf, s) copy_to((buf), sizeof(buf), (s))

static int
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* begins_one: with one of these? */
static int
begins_one(const char *s, const char *const *with)
{
	while (*with != NULL && !begins(s, *with))
		with++;
	return *with != NULL;
}

/* path_below: is path in the directory? */
static int
path_below(const char *path, const char *dir)
{
	return begins(path, dir) && path[strlen(dir)] == '/';
}

/* copy: a string of one's own, to be freed. */
static char *
copy(const char *s)
{
	return strcpy(resize(NULL, strlen(s) + 1), s);
}

/* words_add: a copy of word; all words are the list's own. */
static void
words_add(struct words *w, const char *word)
{
	w->v = resize(w->v, (w->n + 2) * sizeof *w->v);
	w->v[w->n++] = copy(word);
	w->v[w->n] = NULL;
}

static void
words_free(struct words *w)
{
	while (w->n > 0)
		free((char *)(size_t)w->v[--w->n]);
	free(w->v);
	w->v = NULL;
}

static int
words_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
words_sort(struct words *w)
{
	if (w->n > 0)
		qsort(w->v, w->n, sizeof *w->v, words_order);
}

/* words_find: word in a sorted list, or NULL. */
static const char *
words_find(const struct words *w, const char *word)
{
	const char **found = w->n == 0 ? NULL :
	    bsearch(&word, w->v, w->n, sizeof *w->v, words_order);

	return found == NULL ? NULL : *found;
}

/* words_write, words_read: a list in a file; an empty word ends it. */
static void
words_write(FILE *to, const struct words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		fwrite(w->v[i], 1, strlen(w->v[i]) + 1, to);
	putc('\0', to);
}

static const char *
words_read(const char *from, const char *end, struct words *w)
{
	for (words_free(w); from < end && *from != '\0';
	    from += strlen(from) + 1)
		words_add(w, from);
	return from + 1;
}

/* words_at: where the one is that begins with word's first len characters; n
 * where none does. */
static size_t
words_at(const struct words *w, const char *word, size_t len)
{
	size_t i = 0;

	while (i < w->n && strncmp(w->v[i], word, len) != 0)
		i++;
	return i;
}

/* words_put: word is the one at i; a new one at n. */
static void
words_put(struct words *w, size_t i, const char *word)
{
	if (i == w->n) {
		words_add(w, word);
	} else {
		free((char *)(size_t)w->v[i]);
		w->v[i] = copy(word);
	}
}

/* words_set: NAME=value, in place of the one there. */
static void
words_set(struct words *w, const char *name, const char *value)
{
	size_t len = strlen(name) + 1;
	char *word = resize(NULL, len + strlen(value) + 1);

	sprintf(word, "%s=%s", name, value);
	words_put(w, words_at(w, word, len), word);
	free(word);
}

/* quote: s as one word of a shell's command line. */
static void
quote(FILE *to, const char *s)
{
	int n;

	if (*s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_") == strlen(s)) {
		fputs(s, to);
		return;
	}
	for (putc('\'', to); *s != '\0'; s++)
		if (*s == '\'')
			fputs("'\\''", to);
		else if (*s != '\n' && (n = obeyed(s)) > 0)
			for (s--; n > 0; n--)
				fprintf(to, "'\"$(printf '\\%03o')\"'",
				    (unsigned)(unsigned char)*++s);
		else
			putc(*s, to);
	putc('\'', to);
}

/* monotonic: seconds; every deadline is on this clock. */
static double
monotonic(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		die(1, "clock_gettime:");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* utc: a time as 2026-11-22T21:19:22Z. */
static const char *
utc(time_t t)
{
	static char buf[32];

	strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	return buf;
}

/* printed: 0, or we die, since what stdout was given is lost. */
static int
printed(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die(1, "cannot write to standard output:");
	return 0;
}

/* duration: seconds for a person, as 7.3s, 5m12s, 30m or 2h05m. */
static const char *
duration(double s)
{
	long n = (long)(s + 0.5);

	if (n < 60)
		return text(s < 10 && s != (double)n ? "%.1fs" : "%.0fs", s);
	if (n < 3600)
		return text(n % 60 == 0 ? "%ldm" : "%ldm%02lds", n / 60,
		    n % 60);
	return text(n % 3600 < 60 ? "%ldh" : "%ldh%02ldm", n / 3600,
	    n / 60 % 60);
}

/* memory_begin, memory_end: a stream into memory, to be freed. */
static FILE *
memory_begin(char **data, size_t *size)
{
	FILE *to = open_memstream(data, size);

	if (to == NULL)
		die(1, "out of memory");
	return to;
}

static void
memory_end(FILE *to)
{
	if (fclose(to) != 0)
		die(1, "out of memory");
}

/* line_read: a line without its newline, cut at size; 0 at the end. */
static int
line_read(FILE *in, char *buf, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n')
		if (n + 1 < size && c != '\0')
			buf[n++] = (char)c;
	buf[n] = '\0';
	return c != EOF || n > 0;
}

/* fd_stream: a stream of its own on a file, from offset on. */
static FILE *
fd_stream(int fd, off_t offset)
{
	FILE *in = NULL;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0 || lseek(copy, offset, SEEK_SET) < 0 ||
	    (in = fdopen(copy, "r")) == NULL)
		die(1, "cannot read a file again:");
	return in;
}

/* fd_line: the first line of a file. */
static const char *
fd_line(int fd)
{
	char line[1024];
	FILE *in = fd_stream(fd, 0);

	line_read(in, line, sizeof line);
	fclose(in);
	return text("%s", line);
}

static off_t
fd_size(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* fd_write: all of it, or -1 with errno. */
static int
fd_write(int fd, const char *data, size_t size)
{
	ssize_t n;

	for (; size > 0; data += n, size -= (size_t)n)
		if ((n = write(fd, data, size)) < 0) {
			if (errno != EINTR)
				return -1;
			n = 0;
		}
	return 0;
}

/* temporary: a name for mkstemp or mkdtemp in $TMPDIR. */
static char *
temporary(void)
{
	static char path[PATH_MAX];
	const char *dir = getenv("TMPDIR");

	COPY(path, text("%s/cc-run-experiments.XXXXXX",
	    dir != NULL && *dir == '/' ? dir : "/tmp"));
	return path;
}

/* fd_scratch: a file without a name; what is written goes to its end. */
static int
fd_scratch(void)
{
	char *path = temporary();
	int fd = mkstemp(path);

	if (fd < 0 || (unlink(path) != 0 && errno != ENOENT) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, O_APPEND) != 0)
		die(1, "cannot make a temporary file %s (see TMPDIR):", path);
	return fd;
}

/* file_absent: by errno there is no such file for us, or we die: of what cannot
 * be looked at nothing is known, not that it is gone or was changed. */
static void
file_absent(const char *name)
{
	static const int absent[] = { ENOENT, ENOTDIR, ELOOP, EACCES, EPERM,
	    ENXIO, ENODEV, ESRCH, ENAMETOOLONG };
	size_t i;

	for (i = 0; i < sizeof absent / sizeof *absent; i++)
		if (errno == absent[i])
			return;
	die(1, "cannot look at %s:", name);
}

/* file_there: is there anything of this name, be it a link? */
static int
file_there(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* file_open: to be read; -1 with errno where there is no such file.  A FIFO
 * does not keep us waiting. */
static int
file_open(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);

	if (fd < 0)
		file_absent(name);
	return fd;
}

/* file_stream: a regular file as a stream; NULL with errno: there is none. */
static FILE *
file_stream(int at, const char *name)
{
	int fd = file_open(at, name, 0);
	struct stat st;
	FILE *in;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0)
		die(1, "cannot look at %s:", name);
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return NULL;
	}
	if ((in = fdopen(fd, "r")) == NULL)
		die(1, "cannot open %s:", name);
	return in;
}

/* file_text: a regular file's content; NULL with errno where there is none;
 * size: where it is wanted. */
static char *
file_text(int at, const char *path, size_t *size)
{
	FILE *in = file_stream(at, path);
	char *content = NULL;
	size_t got = 1, n = 0;

	for (; in != NULL && got > 0; n += got) {
		content = resize(content, 2 * n + 4097);
		got = fread(content + n, 1, n + 4096, in);
		content[n + got] = '\0';
	}
	if (size != NULL)
		*size = n;
	if (in != NULL && ferror(in))
		die(1, "cannot read %s:", path);
	if (in != NULL)
		fclose(in);
	return content;
}

/* dir_next: the next entry but . and ..; NULL at the end, where it is closed,
 * and of a directory that could not be opened. */
static struct dirent *
dir_next(DIR *dir)
{
	struct dirent *d;

	if (dir == NULL)
		return NULL;
	do {
		errno = 0;
		d = readdir(dir);
	} while (d != NULL &&
	    (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0));
	if (d == NULL && errno != 0)
		die(1, "cannot read a directory:");
	if (d == NULL)
		closedir(dir);
	return d;
}

/* dir_type: DT_REG and the like (POSIX.1-2024; every system has them), also
 * where readdir does not tell. */
static int
dir_type(DIR *dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_REG;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG :
	    S_ISLNK(st.st_mode) ? DT_LNK : DT_FIFO;
}

enum rights { AS_IT_IS, READABLE = S_IRUSR | S_IXUSR, WRITABLE = S_IRWXU };

/* dir_open: never through a link; if need be its owner gets all rights. */
static DIR *
dir_open(int at, const char *name, enum rights rights)
{
	struct stat st;
	DIR *dir = NULL;
	int fd;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		file_absent(name);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode))
		return NULL;
	if ((st.st_mode & rights) != rights)
		fchmodat(at, name, (st.st_mode & 07777) | S_IRWXU, 0);
	fd = file_open(at, name, O_DIRECTORY | O_NOFOLLOW);
	if (fd >= 0 && (dir = fdopendir(fd)) == NULL)
		die(1, "cannot open %s:", name);
	return dir;
}

/* files_empty: all in a directory that is depth below root, to where what is
 * deeper than DEPTH is moved; returns how much was. */
static int
files_empty(DIR *dir, int root, int depth)
{
	static unsigned long number;
	struct dirent *d;
	DIR *below;
	char name[32];			/* no text(): as many as it takes */
	int bad, moved = 0;

	while ((d = dir_next(dir)) != NULL) {
		if (unlinkat(dirfd(dir), d->d_name, 0) == 0 ||
		    (below = dir_open(dirfd(dir), d->d_name, WRITABLE)) == NULL)
			continue;
		if (depth < DEPTH) {
			moved += files_empty(below, root, depth + 1);
			unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
			continue;
		}
		closedir(below);
		do {
			sprintf(name, ".moved.%lu", number++);
			bad = renameat(dirfd(dir), d->d_name, root, name);
		} while (bad && (errno == EEXIST || errno == ENOTEMPTY));
		moved += !bad;
	}
	return moved;
}

/* files_remove: name and all below it, as far as it can be done. */
static void
files_remove(int at, const char *name)
{
	DIR *root = NULL;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return;
	while ((root = dir_open(at, name, WRITABLE)) != NULL &&
	    files_empty(root, dirfd(root), 0) > 0)
		;
	unlinkat(at, name, AT_REMOVEDIR);
}

/* ---- locks: who is at work ---------------------------------------------- */

/*
 * A lock is a file of records of LOCK_SIZE bytes, each locked by fcntl in its
 * first byte.  Record 0 is for all who are at work: a runner in place has it
 * alone, those with --isolate share it; record N is that of run N.  The kernel
 * gives a lock back when we die, but also when any descriptor of its file is
 * closed: it is opened here only, once.
 */
enum { LOCK_SIZE = 256 };

static struct lock {
	int fd;				/* -1: it is not ours */
	char path[PATH_MAX];
} lock_repository = { -1, "" }, lock_results = { -1, "" };

static char top[PATH_MAX];		/* of the work tree, where they work */
static char private_dir[PATH_MAX];	/* ours in $TMPDIR; "": not yet */

/* lock_range: 0, or -1 with errno; a part of the file, size 0 for all of it. */
static int
lock_range(int fd, int command, short type, off_t start, off_t size)
{
	struct flock range = { 0 };

	range.l_type = type;
	range.l_whence = SEEK_SET;
	range.l_start = start;
	range.l_len = size;
	return fcntl(fd, command, &range);
}

/* lock_get: a record of an open lock, or exit 75 with who holds it. */
static void
lock_get(const struct lock *l, long record, short type)
{
	static const struct timespec moment = { 0, 50 * 1000 * 1000 };
	char said[LOCK_SIZE] = "";
	off_t at = (off_t)record * LOCK_SIZE;
	int tries = 0;

	while (lock_range(l->fd, F_SETLK, type, at, 1) != 0) {
		if (errno != EACCES && errno != EAGAIN)
			die(1, "cannot lock %s:", l->path);
		if (tries++ < 3) {
			nanosleep(&moment, NULL);	/* lock_drop is quick */
			continue;
		}
		if (pread(l->fd, said, sizeof said - 1, at) < 0)
			die(1, "cannot read %s:", l->path);
		die(EXIT_LATER, "another runner is at work%s, %.*s: type it "
		    "again later", record > 0 ? text(" on run %ld", record) :
		    "", (int)strcspn(said, "\n"), said);
	}
}

/* lock_take: the same, and who we are is written there. */
static void
lock_take(const struct lock *l, long record, short type)
{
	char said[LOCK_SIZE];
	struct utsname host;

	lock_get(l, record, type);
	if (uname(&host) < 0)
		die(1, "cannot describe the lock:");
	memset(said, ' ', sizeof said);
	snprintf(said, sizeof said - 1, "process %ld on %.60s at %.150s",
	    (long)getpid(), host.nodename, top);
	said[strlen(said)] = '\n';
	said[LOCK_SIZE - 1] = '\n';
	if (pwrite(l->fd, said, LOCK_SIZE, (off_t)record * LOCK_SIZE) !=
	    LOCK_SIZE)
		die(1, "cannot write %s:", l->path);
}

/*
 * lock_drop: at every exit; a file that others have locked stays.  Ours is
 * given back before it is tried, so that the last one removes it.  An agent
 * may have put a copy in its place.
 */
static void
lock_drop(void)
{
	struct lock *const ours[] = { &lock_results, &lock_repository };
	int i, fd;

	for (i = 0; i < 2 && !in_clone; i++) {
		if (ours[i]->fd < 0)
			continue;
		close(ours[i]->fd);
		ours[i]->fd = -1;
		fd = open(ours[i]->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC);
		if (fd >= 0 && lock_range(fd, F_SETLK, F_WRLCK, 0, 0) == 0)
			unlink(ours[i]->path);
		if (fd >= 0)
			close(fd);
	}
}

/* lock_open: and take its record 0, shared or alone. */
static void
lock_open(struct lock *l, const char *path)
{
	struct stat ours, there;

	COPY(l->path, path);
	do {				/* until it is not one just removed */
		if (l->fd >= 0)
			close(l->fd);
		l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC, 0666);
		if (l->fd < 0 || fstat(l->fd, &ours) != 0)
			die(1, "cannot open %s:", path);
		lock_take(l, 0, opt.isolate ? F_RDLCK : F_WRLCK);
	} while (stat(path, &there) != 0 || there.st_ino != ours.st_ino);
}

/* lock_look: is it free at this moment?  Else nothing is told of the tree. */
static void
lock_look(const char *path)
{
	struct lock l;

	COPY(l.path, path);
	l.fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (l.fd < 0)
		return;
	lock_get(&l, 0, opt.isolate ? F_RDLCK : F_WRLCK);
	close(l.fd);
}

/*
 * lock_write: around each change of what runners share, and it never lasts.
 * Children of one runner have its descriptor, but locks of their own.
 */
static void
lock_write(int on)
{
	static int depth;

	if (on ? depth++ > 0 : --depth > 0)
		return;
	if (lock_results.fd >= 0 && lock_range(lock_results.fd, F_SETLKW,
	    on ? F_WRLCK : F_UNLCK, LOCK_SIZE - 1, 1) != 0)
		die(1, "cannot lock %s:", lock_results.path);
}

/*
 * lock_settings: shared by all who work with experiment.csv as it is; alone by
 * who changes it, as none of them would bear.
 */
static void
lock_settings(short type)
{
	if (lock_range(lock_results.fd, F_SETLK, type, 1, 1) != 0)
		die(EXIT_LATER, "another runner is at work on prefix %s: runs "
		    "and benchmarks can be added when none is: type it again "
		    "later", opt.prefix);
}

/*
 * private_make: a directory of our own in $TMPDIR, for the index, clones and
 * the TMPDIR of agents.  A file in it is locked as long as we live: it gets
 * its name when it is.
 */
static void
private_make(void)
{
	char *path = temporary();
	int fd;

	if (mkdtemp(path) == NULL || realpath(path, private_dir) == NULL)
		die(1, "cannot make a directory %s (see TMPDIR):", path);
	fd = open(text("%s/new", private_dir), O_RDWR | O_CREAT | O_CLOEXEC,
	    0600);
	if (fd < 0 || lock_range(fd, F_SETLK, F_WRLCK, 0, 0) != 0 ||
	    rename(text("%s/new", private_dir),
	    text("%s/lock", private_dir)) != 0)
		die(1, "cannot lock %s/lock:", private_dir);
}

/* private_remove: one of them; its lock goes last, so that the next start finds
 * what could not be removed, as a git may still have been at work there. */
static void
private_remove(int at, const char *name)
{
	DIR *dir = dir_open(at, name, WRITABLE);
	struct dirent *d;
	int left = 0;

	while ((d = dir_next(dir)) != NULL)
		if (strcmp(d->d_name, "lock") != 0) {
			files_remove(dirfd(dir), d->d_name);
			left |= file_there(dirfd(dir), d->d_name);
		}
	if (!left)
		files_remove(at, name);
}

/*
 * private_sweep: those of runners that were killed are removed; of those that
 * were killed before they had the lock, what is empty and older than a minute.
 */
static void
private_sweep(void)
{
	char *name = temporary(), *base = strrchr(name, '/') + 1;
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int fd;

	*strchr(base, 'X') = base[-1] = '\0';
	dir = opendir(name);
	while ((d = dir_next(dir)) != NULL) {
		if (!begins(d->d_name, base) || fstatat(dirfd(dir), d->d_name,
		    &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_uid != geteuid())
			continue;
		fd = openat(dirfd(dir), text("%s/lock", d->d_name),
		    O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && lock_range(fd, F_SETLK, F_WRLCK, 0, 0) == 0)
			private_remove(dirfd(dir), d->d_name);
		else if (fd < 0 && difftime(time(NULL), st.st_mtime) > 60 &&
		    (S_ISDIR(st.st_mode) || st.st_size == 0))
			unlinkat(dirfd(dir), d->d_name, S_ISDIR(st.st_mode) ?
			    AT_REMOVEDIR : 0);	/* only an empty one */
		if (fd >= 0)
			close(fd);
	}
}

/* ---- CSV: RFC 4180 with LF; a row is one write, or nothing ------------- */

static void
csv_line(FILE *to, const char *const *fields)
{
	const char *s, *mark;

	for (; *fields != NULL; fields++) {
		mark = strpbrk(*fields, ",\"\r\n") == NULL ? "" : "\"";
		fputs(mark, to);
		for (s = *fields; *s != '\0'; s++) {
			if (*s == '"')
				putc('"', to);
			putc(*s, to);
		}
		fputs(mark, to);
		putc(fields[1] == NULL ? '\n' : ',', to);
	}
}

/*
 * csv_read: the next record, its fields in fields[0..max-1] until the one after
 * it; returns how many there are, 0 at the end, -1 for a torn last record.
 */
static int
csv_read(FILE *in, char *fields[], int max)
{
	static char *record;
	static size_t size;
	size_t n = 0;
	int c, quoted = 0, count = 0;
	char *s, *to;

	for (;; record[n++] = (char)c) {
		if (n + 1 >= size)
			record = resize(record, size = 2 * size + 256);
		if ((c = getc(in)) == EOF && ferror(in))
			die(1, "cannot read a CSV file:");
		if (c == EOF)
			return n > 0 ? -1 : 0;
		if (c == '"')
			quoted = !quoted;
		if (c == '\n' && !quoted)
			break;
	}
	record[n] = '\0';
	for (s = record; count < max; s++) {
		fields[count++] = to = s;
		for (; *s != '\0' && (quoted || *s != ','); s++)
			if (*s == '"' && !(quoted && s[1] == '"'))
				quoted = !quoted;
			else
				*to++ = *s == '"' ? *s++ : *s;
		c = *s;
		*to = '\0';
		if (c == '\0')
			break;
	}
	return count;
}

static int output_fd = -1;		/* the output directory, kept open */

static const char *
experiment_file(const char *kind)
{
	return text("%s--%s.csv", opt.prefix, kind);
}

enum { LEDGER, DIFFSTATS, TABLES };

/* What all runs append to, once more in files without a name, where the agents
 * of many runs at once do not find it. */
static struct table {
	const char *kind, *header;
	int journal;			/* -1: there are no such runs */
} tables[TABLES] = {
	{ "iterations", "experiment_id,run_id,iteration_id,attempt,outcome,"
	    "exit_status,started_at,duration_seconds,charged_seconds,"
	    "base_commit,commit,files_changed,total_added,total_removed,"
	    "num_turns,cost_usd,input_tokens,output_tokens,cache_read_tokens,"
	    "cache_creation_tokens,session_id,model,claude_version,survivors,"
	    "protected_touched", -1 },
	{ "diffstats", "experiment_id,run_id,iteration_id,src_added,"
	    "src_removed,md_added,md_removed,total_added,total_removed", -1 }
};
enum { RUN_ID = 1, ITERATION_ID = 2, ATTEMPT = 3, OUTCOME = 4, SECONDS = 7,
    CHARGED = 8, COMMIT = 10, COST = 15, MODEL = 21, CLAUDE_VERSION = 22,
    COLUMNS = 25 };			/* of the ledger */

/* table_append: a row, after the header where the file is new, on disk. */
static void
table_append(const struct table *t, const char *const *fields)
{
	const char *name = experiment_file(t->kind);
	char *data = NULL;
	size_t size, skip, head = strlen(t->header) + 1;
	off_t before;
	struct stat st;
	FILE *row = memory_begin(&data, &size);
	int error, fd;

	lock_write(1);			/* first: it may be put back, renamed */
	fd = openat(output_fd, name, O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
	if (fd < 0)
		die(1, "cannot open %s:", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		die(1, "%s is not a file of its own any more", name);
	fprintf(row, "%s\n", t->header);
	if (fields != NULL)
		csv_line(row, fields);
	memory_end(row);
	if (t->journal >= 0) {
		skip = fd_size(t->journal) == 0 ? 0 : head;
		if (fd_write(t->journal, data + skip, size - skip) != 0)
			die(1, "cannot write a temporary file:");
	}
	skip = (before = fd_size(fd)) == 0 ? 0 : head;
	errno = ENOSPC;		/* what a short write means */
	if (write(fd, data + skip, size - skip) != (ssize_t)(size - skip) ||
	    fsync(fd) != 0 || (before == 0 && fsync(output_fd) != 0)) {
		error = errno;
		if (ftruncate(fd, before) != 0)
			warn("%s ends in half a row:", name);
		errno = error;
		die(1, "cannot write %s:", name);
	}
	lock_write(0);
	close(fd);
	free(data);
}

/*
 * file_begin, file_end: a whole file, written beside its place, renamed.  What
 * is one of the results has a relative name, all else an absolute one.  Where
 * an agent has put a directory it is removed; all else is replaced, so there is
 * the old or the new one at every moment.
 */
static FILE *
file_begin(const char *name)
{
	const char *beside = text("%s.tmp", name);
	FILE *f;
	int fd;

	files_remove(output_fd, beside);
	fd = openat(output_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		die(1, "cannot write %s:", name);
	return f;
}

static void
file_end(FILE *f, const char *name)
{
	const char *beside = text("%s.tmp", name);
	struct stat st;
	int bad, error;

	if (fstatat(output_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		files_remove(output_fd, name);
	bad = fflush(f) != 0 || ferror(f) ||	/* of any write before */
	    fsync(fileno(f)) != 0;
	if (fclose(f) != 0 || bad ||
	    renameat(output_fd, beside, output_fd, name) != 0 ||
	    (*name != '/' && fsync(output_fd) != 0)) {
		error = errno;
		unlinkat(output_fd, beside, 0);
		errno = error;
		die(1, "cannot write %s:", name);
	}
}

/* file_put: a file with this content, whatever is in its place. */
static void
file_put(const char *name, const char *content, size_t size, mode_t mode)
{
	FILE *f = file_begin(name);

	fwrite(content, 1, size, f);
	fchmod(fileno(f), mode);
	file_end(f, name);
}

/*
 * table_mend: a last row that a crash has torn is cut, and it is a file of its
 * own, whatever was linked to it; we die where it is of another kind.
 */
static void
table_mend(const struct table *t)
{
	const char *name = experiment_file(t->kind);
	size_t size, cut, len = strlen(t->header);
	char *data = file_text(output_fd, name, &size);
	struct stat st;
	int good;

	if (data == NULL)
		return;
	for (cut = strlen(data); cut > 0 && data[cut - 1] != '\n'; cut--)
		;
	good = cut == 0 || (begins(data, t->header) && data[len] == '\n');
	if (good && fstatat(output_fd, name, &st, 0) == 0 &&
	    (cut < size || st.st_nlink != 1)) {
		if (cut < size)
			warn("%s: a torn last row was cut", name);
		file_put(name, data, cut, st.st_mode & 07777);
	}
	free(data);
	if (!good)
		die(EXIT_USAGE, "%s: expected the header %.40s... and lines "
		    "that end in LF: move it away, or choose another prefix",
		    name, t->header);
}

/* lines_read: of a file, in their order, and sorted. */
static void
lines_read(FILE *in, struct words *w, struct words *sorted)
{
	char *line = NULL;
	size_t size = 0;

	while (in != NULL && getline(&line, &size, in) > 0) {
		words_add(w, line);
		words_add(sorted, line);
	}
	if (in != NULL)
		fclose(in);
	free(line);
	words_sort(sorted);
}

/* table_back: the file has all the lines that its journal has. */
static void
table_back(const struct table *t)
{
	const char *name = experiment_file(t->kind);
	struct words ours = { NULL, 0 }, sorted = { NULL, 0 };
	struct words there = { NULL, 0 }, found = { NULL, 0 };
	size_t i, missing = 0;
	FILE *f;

	lines_read(fd_stream(t->journal, 0), &ours, &sorted);
	lines_read(file_stream(output_fd, name), &there, &found);
	for (i = 0; i < ours.n; i++)
		missing += words_find(&found, ours.v[i]) == NULL;
	if (missing > 0) {
		warn("%s was changed: put back", name);
		f = file_begin(name);
		for (i = 0; i < ours.n; i++)
			fputs(ours.v[i], f);
		for (i = 0; i < there.n; i++)	/* another runner's rows */
			if (words_find(&sorted, there.v[i]) == NULL)
				fputs(there.v[i], f);
		file_end(f, name);
	}
	words_free(&sorted);
	words_free(&found);
	words_free(&ours);
	words_free(&there);
}

/* tables_back: the same for both. */
static void
tables_back(void)
{
	const struct table *t;

	lock_write(1);
	for (t = tables; t < tables + TABLES; t++)
		if (t->journal >= 0)
			table_back(t);
	lock_write(0);
}

/* ---- claude's JSON: one pass, one event a line, any length ------------- */

/*
 * A scalar is told to field() with its path: the keys above it joined by
 * slashes (a slash in a key becomes a question mark).  The elements of an
 * array have the array's path.  A broken line is passed over.
 */
struct json {
	FILE *in;
	int pretty;			/* a value may go on over lines */
	void (*field)(struct json *);
	char path[NAME_SIZE];
	char text[TEXT_SIZE];		/* the scalar, cut there */
};

/* json_next: the next character that is not blank; an end of line stays. */
static int
json_next(struct json *j)
{
	int c;

	do
		c = getc_unlocked(j->in);
	while (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && j->pretty));
	if (c == '\n')
		ungetc(c, j->in);
	return c;
}

/* json_utf8: a code point at the end of buf, which has room for it. */
static size_t
json_utf8(char *buf, size_t n, unsigned long u)
{
	static const unsigned lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int more = u < 0x80 ? 0 : u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;

	buf[n++] = (char)(lead[more] | u >> 6 * more);
	while (more-- > 0)
		buf[n++] = (char)(0x80 | (u >> 6 * more & 0x3f));
	return n;
}

/* json_escape: the UTF-16 unit that a backslash begins, or -1. */
static long
json_escape(FILE *in)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char hex[5] = "";
	int i, c = getc_unlocked(in);

	if (c != EOF && c != '\0' && strchr(from, c) != NULL)
		return to[strchr(from, c) - from];
	if (c == 'u')
		for (i = 0; i < 4 && isxdigit(c = getc_unlocked(in)); i++)
			hex[i] = (char)c;
	if (hex[3] != '\0')
		return strtol(hex, NULL, 16);
	ungetc(c, in);
	return -1;
}

/* json_string: after its opening quote, into buf; 0, or -1 where broken. */
static int
json_string(struct json *j, char *buf, size_t size)
{
	size_t n = 0;
	long u, high = 0;
	int c;

	while ((c = getc_unlocked(j->in)) != '"') {
		if (c == EOF || c == '\n') {
			ungetc(c, j->in);
			return -1;
		}
		if (c != '\\') {
			high = 0;
			if (c != '\0' && n + 5 <= size)
				buf[n++] = (char)c;
			continue;
		}
		if ((u = json_escape(j->in)) < 0)
			return -1;
		if (u >= 0xdc00 && u <= 0xdfff)	/* half a pair is left out */
			u = high == 0 ? 0 :
			    0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00);
		high = u >= 0xd800 && u <= 0xdbff ? u : 0;
		if (high == 0 && u != 0 && n + 5 <= size)
			n = json_utf8(buf, n, (unsigned long)u);
	}
	buf[n] = '\0';
	return 0;
}

/* json_scalar: a string, number, true, false or null that begins with c. */
static int
json_scalar(struct json *j, int c)
{
	size_t n = 0;

	if (c == '"')
		return json_string(j, j->text, sizeof j->text);
	for (; isalnum(c) || c == '-' || c == '+' || c == '.';
	    c = getc_unlocked(j->in))
		if (n + 1 < sizeof j->text)
			j->text[n++] = (char)c;
	ungetc(c, j->in);
	j->text[n] = '\0';
	return n > 0 ? 0 : -1;
}

/* json_key: a key and its colon, of which c is the first, onto the path. */
static int
json_key(struct json *j, int c, size_t used)
{
	char key[NAME_SIZE], *s;

	if (c != '"' || json_string(j, key, sizeof key) != 0 ||
	    json_next(j) != ':')
		return -1;
	for (s = key; (s = strchr(s, '/')) != NULL;)
		*s = '?';
	if (used + strlen(key) + 2 < sizeof j->path)
		sprintf(j->path + used, "%s%s", used > 0 ? "/" : "",
		    key[0] != '\0' ? key : "?");
	return 0;
}

/* json_value: one value that begins with c; 0, or -1 where it is broken. */
static int
json_value(struct json *j, int c, int depth)
{
	size_t used = strlen(j->path);
	int end = c == '{' ? '}' : ']';

	if (c != '{' && c != '[') {
		if (json_scalar(j, c) != 0)
			return -1;
		j->field(j);
		return 0;
	}
	if (depth == JSON_DEPTH)
		return -1;
	if ((c = json_next(j)) == end)
		return 0;
	for (;; c = json_next(j)) {
		if (end == '}') {
			if (json_key(j, c, used) != 0)
				return -1;
			c = json_next(j);
		}
		if (json_value(j, c, depth + 1) != 0)
			return -1;
		j->path[used] = '\0';
		if ((c = json_next(j)) == end)
			return 0;
		if (c != ',')
			return -1;
	}
}

/* json_line: 1 for an object on a line of its own, 0 for other, -1 at EOF. */
static int
json_line(struct json *j)
{
	int c = json_next(j), good;

	if (c == EOF)
		return -1;
	j->path[0] = '\0';
	good = c == '{' && json_value(j, c, 0) == 0;
	if (good && (c = json_next(j)) != '\n' && c != EOF)
		good = 0;
	while ((c = getc_unlocked(j->in)) != '\n' && c != EOF)
		;
	return good;
}

enum { INPUT, OUTPUT, CACHE_READ, CACHE_CREATION, TOKENS };

struct event {				/* one line; what it lacks is "" */
	char type[24], subtype[48], is_error[8], api_status[16];
	char api_error[48], error[48], turns[24], cost[32], session[64];
	char model[64], version[32], limit[24], resets_at[24];
	char usage[TOKENS][24];		/* of the last request */
	char plugin_fault[160];
	char text[TEXT_SIZE];		/* result, or the last of errors */
	long long tokens[TOKENS];	/* the sum over models */
	int models, plugin_loaded, plugin_failed;
};

static struct transcript {		/* what claude's stdout says */
	int json;			/* it has events at all */
	int finished;			/* nothing but the result at its end */
	int billing;			/* an event told of a billing error */
	struct event init, limit, result;	/* the last of each */
	struct event event;		/* the line that is being read */
} transcript;

enum cell {				/* what a field may become a cell as */
	FREE,				/* none: any text, of many lines */
	LINE,				/* one line, and no formula */
	COUNTED				/* 0 or more, or it is passed over */
};

#define FIELD(path, member, cell) { path, offsetof(struct event, member), \
	    sizeof ((struct event *)0)->member, cell }
static const struct field {
	const char *path;
	size_t at, size;
	enum cell cell;
} event_fields[] = {
	FIELD("type", type, LINE), FIELD("subtype", subtype, LINE),
	FIELD("is_error", is_error, LINE),
	FIELD("api_error_status", api_status, LINE),
	FIELD("api_error", api_error, LINE), FIELD("error", error, LINE),
	FIELD("num_turns", turns, COUNTED),
	FIELD("total_cost_usd", cost, COUNTED),
	FIELD("session_id", session, LINE), FIELD("model", model, LINE),
	FIELD("claude_code_version", version, LINE),
	FIELD("rate_limit_info/status", limit, LINE),
	FIELD("rate_limit_info/resetsAt", resets_at, LINE),
	FIELD("result", text, FREE), FIELD("errors", text, FREE),
	FIELD("plugin_errors/message", plugin_fault, LINE),
	FIELD("usage/input_tokens", usage[INPUT], COUNTED),
	FIELD("usage/output_tokens", usage[OUTPUT], COUNTED),
	FIELD("usage/cache_read_input_tokens", usage[CACHE_READ], COUNTED),
	FIELD("usage/cache_creation_input_tokens", usage[CACHE_CREATION],
	    COUNTED)
};

static char plugin_name[NAME_SIZE];	/* written by the checks at start: */
static char plugin_dir[PATH_MAX];	/* $CC_PLUGIN_DIR, in both arms */

static void
event_set(struct event *e, const struct field *f, const char *value)
{
	char *to = (char *)e + f->at;

	if (f->cell == COUNTED && (!isdigit((unsigned char)*value) ||
	    strspn(value, "0123456789.eE+-") != strlen(value) ||
	    strlen(value) >= f->size || !(strtod(value, NULL) < 1e18)))
		return;
	copy_to(to, f->size, value);
	if (f->cell == FREE)
		return;
	if (*to != '\0' && strchr("=+-@", *to) != NULL)
		*to = '?';		/* a spreadsheet obeys these */
	plain(to);
}

/* event_field: tokens that nobody can have used are not counted. */
static void
event_field(struct json *j)
{
	static const char *const of_model[TOKENS] = { "inputTokens",
	    "outputTokens", "cacheReadInputTokens",
	    "cacheCreationInputTokens" };
	struct event *e = &transcript.event;
	double more = strtod(j->text, NULL);
	size_t i;

	for (i = 0; i < sizeof event_fields / sizeof *event_fields; i++)
		if (strcmp(j->path, event_fields[i].path) == 0)
			event_set(e, &event_fields[i], j->text);
	if (begins(j->path, "modelUsage/")) {
		for (i = 0, e->models = 1; i < TOKENS; i++)
			if (strcmp(strrchr(j->path, '/') + 1, of_model[i]) ==
			    0 && more > 0 && more < 1e15 &&
			    e->tokens[i] < LLONG_MAX / 2)
				e->tokens[i] += (long long)more;
	} else if (strcmp(j->path, "plugins/path") == 0) {
		e->plugin_loaded |= plugin_dir[0] != '\0' &&
		    (strcmp(j->text, plugin_dir) == 0 ||
		    path_below(j->text, plugin_dir));
	} else if (strcmp(j->path, "plugins/name") == 0) {
		e->plugin_loaded |= strcmp(j->text, plugin_name) == 0;
	} else if (strcmp(j->path, "plugin_errors/plugin") == 0) {
		e->plugin_failed |= begins(j->text, "inline") ||
		    strcmp(j->text, plugin_name) == 0;
	}
}

/* event_end: a line has been read; keys come in any order, so only now. */
static void
event_end(void)
{
	struct transcript *t = &transcript;
	const char *type = t->event.type;

	t->json |= *type != '\0';
	if (strcmp(type, "result") == 0) {
		t->result = t->event;
		t->finished = 1;
	} else if (strcmp(type, "rate_limit_event") == 0) {
		t->limit = t->event;
	} else if (strcmp(type, "assistant") == 0 ||
	    strcmp(type, "user") == 0) {
		t->billing = strcmp(t->event.error, "billing_error") == 0;
		t->finished = 0;
	} else if (strcmp(type, "system") == 0 &&
	    strcmp(t->event.subtype, "init") == 0) {
		t->init = t->event;
	}
}

/* transcript_read: one pass over claude's stdout. */
static void
transcript_read(int fd)
{
	static struct json j;
	int good;

	memset(&transcript, 0, sizeof transcript);
	j.in = fd_stream(fd, 0);
	j.field = event_field;
	transcript.json = ungetc(getc(j.in), j.in) == '{';	/* begun */
	while ((good = json_line(&j)) >= 0) {
		if (good)
			event_end();
		memset(&transcript.event, 0, sizeof transcript.event);
	}
	fclose(j.in);
}

/* ---- processes: one child at a time; nothing of it survives ------------ */

/*
 * From the first line of main on CHLD, ALRM, INT, TERM and HUP are blocked
 * and taken with sigwait, so no signal can fall between a look and a sleep.
 * A pid is signalled only between its spawn and its reaping: the zombie keeps
 * the number from being used again.
 */

enum why { BY_ITSELF, BY_LIMIT, BY_SILENCE, BY_LINGERING, BY_ARM, BY_SIGNAL };

struct process {
	const char *path;		/* absolute; argv[0] is what to show */
	const char *const *argv;
	const struct words *environment;
	const char *input;		/* its stdin; NULL: the null device */
	int out, err;
	double limit, idle;		/* seconds; idle 0: any silence */
	int agent;			/* a signal to us ends it; is swept */
	int (*finished)(void);		/* asked after LINGER_S of silence */
	int (*wrong)(void);		/* asked at its start; -1: too early */
};

struct ended {
	enum why why;
	int status;			/* the number that $? would show */
	int survivors;			/* killed after its end; -1 unknown */
	double seconds;
};

static sigset_t signals;		/* written by signals_block */
static int stop_signal;			/* the INT, TERM or HUP that came */
static double stop_time;		/* and when */
static int plan_only;			/* print the commands, run none */

static void
signal_ignore(int signal)
{
	(void)signal;			/* CHLD and ALRM only wake sigwait */
}

static void
signals_block(void)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { 0 }, was;
	size_t i;

	sigemptyset(&signals);
	sigemptyset(&action.sa_mask);
	action.sa_handler = signal_ignore;
	action.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);	/* ignored: no wait status */
	sigaction(SIGALRM, &action, NULL);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGALRM);
	for (i = 0; i < sizeof stops / sizeof *stops; i++) {
		sigaction(stops[i], NULL, &was);
		if (was.sa_handler == SIG_IGN && stops[i] != SIGTERM)
			continue;		/* nohup: stays ignored */
		sigaction(stops[i], &action, NULL);
		sigaddset(&signals, stops[i]);
	}
	sigprocmask(SIG_SETMASK, &signals, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
#ifdef __linux__
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (in_clone)			/* no run outlives its runner */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#endif
}

/* signal_take: wait for the next one of ours; the first stop is remembered. */
static void
signal_take(void)
{
	int got;

	if (sigwait(&signals, &got) == 0 && stop_signal == 0 &&
	    got != SIGCHLD && got != SIGALRM) {
		stop_signal = got;
		stop_time = monotonic();
	}
}

/* stopping: has somebody asked us to end? */
static int
stopping(void)
{
	sigset_t pending;

	while (stop_signal == 0 && sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
	    sigismember(&pending, SIGHUP)))
		signal_take();
	return stop_signal != 0;
}

/* ending: do all stop, by a signal or as one of the runs has to? */
static int
ending(void)
{
	return stopping() || shared->status != 0;
}

/*
 * process_usable: 0 and its absolute path, EXIT_NOEXEC or EXIT_NOTFOUND.  A
 * link is not followed: some programs go by the name they are called by.
 */
static int
process_usable(const char *path, char *found)
{
	char here[PATH_MAX];
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == EACCES ? EXIT_NOEXEC : EXIT_NOTFOUND;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) != 0 ||
	    getcwd(here, sizeof here) == NULL)
		return EXIT_NOEXEC;
	copy_to(found, PATH_MAX, *path == '/' ? path :
	    text("%s/%s", here, path));
	return 0;
}

/* process_find: the same for a name, over the absolute elements of PATH. */
static int
process_find(const char *name, char *found)
{
	const char *dir = getenv("PATH");
	int len, status, best = EXIT_NOTFOUND;

	if (strchr(name, '/') != NULL)
		return process_usable(name, found);
	for (dir = dir == NULL ? "/usr/bin:/bin" : dir; *dir != '\0' &&
	    best != 0; dir += len + (dir[len] == ':')) {
		len = (int)strcspn(dir, ":");
		if (*dir == '/' &&	/* never one that an agent planted */
		    (status = process_usable(text("%.*s/%s", len, dir, name),
		    found)) != EXIT_NOTFOUND)
			best = status;
	}
	return best;
}

/* process_show: as it can be pasted; with -n on stdout, with -v on stderr. */
static void
process_show(const struct process *p)
{
	FILE *to = plan_only ? stdout : stderr;
	const char *const *word = p->argv;
	int git = strcmp(*word, "git") == 0;

	fputs(show_clear(), stderr);
	if (top[0] != '\0') {
		fputs(git ? "git -C " : "cd ", to);
		quote(to, top);
		fputs(git ? "" : " &&", to);
		word += git;
	}
	if (p->input != NULL) {
		fputs(" printf %s ", to);
		quote(to, p->input);
		fputs(" |", to);
	}
	for (; *word != NULL; word++) {
		fputs(word == p->argv && top[0] == '\0' ? "" : " ", to);
		quote(to, *word);
	}
	putc('\n', to);
}

/* process_status: a wait status as $? shows it; decoded here only. */
static int
process_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* process_kill: the only kill; group is the child's own, or one process. */
static void
process_kill(pid_t pid, int signal)
{
	if (pid > 1 || pid < -1)
		kill(pid, signal);
}

/* process_actions: the child's descriptors and attributes; an errno. */
static int
process_actions(const struct process *p, int in,
    posix_spawn_file_actions_t *files, posix_spawnattr_t *how)
{
#ifdef POSIX_SPAWN_SETSID
	const int group = POSIX_SPAWN_SETSID;
#else
	const int group = POSIX_SPAWN_SETPGROUP;
#endif
	sigset_t none, every;
	int e;

	sigemptyset(&none);
	sigfillset(&every);
	if ((e = posix_spawn_file_actions_adddup2(files, in, 0)) != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, p->out, 1)) != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, p->err, 2)) != 0 ||
	    (e = posix_spawnattr_setsigmask(how, &none)) != 0 ||
	    (e = posix_spawnattr_setsigdefault(how, &every)) != 0)
		return e;
	return posix_spawnattr_setflags(how, (short)(group |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

/*
 * process_spawn: the new child, or we die; EAGAIN is tried for 5 s.  Its time
 * begins before it does: it may have ended before we go on.
 */
static pid_t
process_spawn(const struct process *p, double *start)
{
	static const struct timespec second = { 1, 0 };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	pid_t pid = 0;
	int e, tries = 0, in = p->input == NULL ?
	    open("/dev/null", O_RDONLY | O_CLOEXEC) : fd_scratch();

	if (in < 0 || (p->input != NULL &&
	    (fd_write(in, p->input, strlen(p->input)) != 0 ||
	    lseek(in, 0, SEEK_SET) != 0)))
		die(1, "cannot give %s its input:", p->path);
	if (posix_spawn_file_actions_init(&files) != 0 ||
	    posix_spawnattr_init(&how) != 0)
		die(1, "out of memory");
	if ((e = process_actions(p, in, &files, &how)) == 0)
		do {
			*start = monotonic();
			e = posix_spawn(&pid, p->path, &files, &how,
			    (char *const *)(size_t)p->argv,
			    (char *const *)(size_t)p->environment->v);
		} while (e == EAGAIN && tries++ < 5 &&
		    nanosleep(&second, NULL) == 0);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	close(in);
	if ((errno = e) != 0)
		die(e == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC,
		    "cannot execute %s:", p->path);
	return pid;
}

/* process_over: has pid ended?  It is looked at, not reaped; orphans are. */
static int
process_over(pid_t pid)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
			die(1, "waitid:");
		if (info.si_pid == 0 || info.si_pid == pid)
			return info.si_pid == pid;
		waitpid(info.si_pid, NULL, 0);
	}
}

/*
 * process_file: what /proc tells of pid; NULL where it is gone or not ours to
 * read.  What a shortage of ours would hide might live on: that is fatal.
 */
static FILE *
process_file(pid_t pid, const char *name)
{
	char path[64];			/* no text(): so many of them */

	sprintf(path, "/proc/%ld/%s", (long)pid, name);
	return file_stream(AT_FDCWD, path);
}

/* process_stat: state, parent and start of pid; X where there is none. */
static char
process_stat(pid_t pid, long *parent, unsigned long long *born)
{
	char *line = NULL, *s, state = 'X';
	size_t size = 0;
	FILE *in;

	if ((in = process_file(pid, "stat")) == NULL)
		return state;
	if (getdelim(&line, &size, '\0', in) > 0 &&
	    (s = strrchr(line, ')')) != NULL && sscanf(s + 1, " %c %ld "
	    "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	    "%*s %llu", &state, parent, born) != 3)
		state = 'X';
	fclose(in);
	free(line);
	return state;
}

static unsigned long process_reaped;	/* orphans that came and went */
static int process_elders;		/* look for those of the last life */
static char process_mark[PATH_MAX];	/* the value of MARK in all of ours */

/*
 * process_ours: is pid a live leftover?  Zombies of our own are reaped.  What
 * is older than we are is our caller's, also when it is our child.
 */
static int
process_ours(pid_t pid, pid_t leader)
{
	static unsigned long long ours_born;
	char *line = NULL, state;
	unsigned long long born = 0;
	long parent = 0;
	size_t size = 0;
	int ours, i;
	FILE *in;

	for (i = 0; i < opt.jobs; i++)
		if (shared->jobs[i].pid == pid)
			return 0;	/* a run, which ends by itself */
	state = process_stat(pid, &parent, &born);
	if (ours_born == 0)
		process_stat(getpid(), &(long){ 0 }, &ours_born);
	ours = parent == (long)getpid() && born >= ours_born;
	if (state == 'X' || (state == 'Z' && !ours))
		return 0;
	if (state == 'Z') {		/* its other threads may live on */
		if (pid == leader || waitpid(pid, NULL, WNOHANG) == 0)
			return pid != leader;
		process_reaped++;
		return 0;
	}
	if (!ours && (born >= ours_born || (process_elders &&
	    pid != getppid())) && (in = process_file(pid, "environ")) != NULL) {
		while (!ours && getdelim(&line, &size, '\0', in) > 0)
			ours = begins(line, MARK "=") &&
			    strcmp(line + sizeof MARK, process_mark) == 0;
		fclose(in);
		free(line);
	}
	return ours;
}

/* process_end_one: kill a leftover and see it die; 0, or -1 if it does not. */
static int
process_end_one(pid_t pid, pid_t leader)
{
	static const struct timespec moment = { 0, 200000 };
	int tries;

	process_kill(pid, SIGKILL);
	for (tries = 0; process_ours(pid, leader); tries++) {
		if (tries == 5000) {
			warn("process %ld cannot be killed", (long)pid);
			return -1;
		}
		nanosleep(&moment, NULL);
	}
	return 0;
}

/*
 * process_sweep: kill what the leader (ended, not yet reaped) left behind:
 * our children, since we are the subreaper, and whoever carries the mark,
 * until a look finds none and none has come and gone meanwhile.
 * Returns how many there were, or -1 where /proc does not tell.
 */
static int
process_sweep(pid_t leader)
{
	double start = monotonic();
	unsigned long reaped;
	int count = 0, again = 1;
	struct dirent *d;
	pid_t pid;
	DIR *proc;

	if (access("/proc/self/environ", R_OK) != 0)
		return -1;
	if ((proc = opendir("/proc")) == NULL)
		die(1, "cannot open /proc:");
	while (again && monotonic() - start < SWEEP_S) {
		reaped = process_reaped;
		again = 0;
		for (rewinddir(proc); errno = 0, (d = readdir(proc)) != NULL;) {
			pid = (pid_t)strtol(d->d_name, NULL, 10);
			if (pid <= 1 || pid == getpid() || pid == leader ||
			    !process_ours(pid, leader))
				continue;
			count++;
			again = process_end_one(pid, leader) == 0;
		}
		if (errno != 0)
			die(1, "cannot read /proc:");
		again |= process_reaped != reaped;
	}
	if (again)
		warn("processes that claude or a benchmark left go on");
	closedir(proc);
	return count;
}

/* process_end_elders: what carries our mark and is older than we are. */
static void
process_end_elders(void)
{
	process_elders = 1;
	if (process_sweep(0) > 0)
		say("an agent of the last life was still at work: ended");
	process_elders = 0;
}

struct watch {				/* what is known of a child's output */
	double start, grown, out_grown;
	off_t size, out_size;
	int asked;			/* finished() said no to this much */
	int right;			/* wrong() said no */
};

/* process_verdict: why it must be ended now; BY_ITSELF: it need not. */
static enum why
process_verdict(const struct process *p, struct watch *w, double now)
{
	off_t out = fd_size(p->out), size = out + fd_size(p->err);
	int wrong;

	if (size != w->size)
		w->grown = now;
	if (out != w->out_size) {
		w->out_grown = now;
		w->asked = 0;
	}
	w->size = size;
	w->out_size = out;
	if (p->agent && stop_signal != 0)
		return BY_SIGNAL;
	if (now - w->start >= p->limit ||
	    (stop_signal != 0 && now - stop_time >= GIT_STOPPING_S &&
	    now - w->start >= 1))
		return BY_LIMIT;
	if (p->wrong != NULL && !w->right && out > 0 && out < WRONG_SIZE) {
		wrong = p->wrong();
		if (wrong > 0)
			return BY_ARM;
		w->right = wrong == 0;
	}
	if (p->finished != NULL && !w->asked &&
	    now - w->out_grown >= LINGER_S) {
		w->asked = 1;
		if (p->finished())
			return BY_LINGERING;
	}
	return p->idle > 0 && now - w->grown >= p->idle ?
	    BY_SILENCE : BY_ITSELF;
}

/* process_nap: sleep until the next signal, or until it is time to look. */
static void
process_nap(const struct process *p, double start, double now, double until)
{
	double wake = until > 0 ? until - now : p->limit - (now - start);
	double most = stop_signal != 0 || (show.on && p->agent) ?
	    TICK_TERMINAL_S : p->finished != NULL ? TICK_S : 60 * 60;

	if (p->idle > 0 && most > p->idle)
		most = p->idle;
	if (wake > most)
		wake = most;
	alarm(wake <= 0 ? 1 : (unsigned)wake + (wake > (unsigned)wake));
	signal_take();
}

/* process_wait: until it has ended, or has been ended: TERM, CONT, KILL. */
static void
process_wait(const struct process *p, pid_t pid, double start,
    struct ended *e)
{
	struct watch w = { .start = start, .grown = start,
	    .out_grown = start };
	double now = start, until = 0;	/* the end of its grace, once it has */

	if (p->agent)
		job->start = start;
	for (e->why = BY_ITSELF; !process_over(pid); now = monotonic()) {
		if (e->why == BY_ITSELF &&
		    (e->why = process_verdict(p, &w, now)) != BY_ITSELF) {
			process_kill(-pid, SIGTERM);
			process_kill(-pid, SIGCONT);
			until = now + GRACE_S;
		} else if (until > 0 && now >= until) {
			process_kill(-pid, SIGKILL);
			until = now + GRACE_S;
		}
		if (p->agent)
			show_draw(now);
		process_nap(p, start, now, until);
	}
	alarm(0);
	e->seconds = monotonic() - start;
}

/* process_run: to its end, and all about that. */
static void
process_run(const struct process *p, struct ended *e)
{
	double start;
	int status;
	pid_t pid;

	memset(e, 0, sizeof *e);
	if (plan_only || opt.verbose)
		process_show(p);
	if (plan_only)
		return;
	if (p->agent && stopping()) {
		e->why = BY_SIGNAL;
		e->status = 128 + stop_signal;
		return;
	}
	pid = process_spawn(p, &start);
	process_wait(p, pid, start, e);
	if (p->agent)
		e->survivors = process_sweep(pid);
	process_kill(-pid, SIGKILL);	/* before the reaping: see above */
	if (waitpid(pid, &status, 0) < 0)
		die(1, "waitpid:");
	e->status = process_status(status);
}

/*
 * job_wait: until we may be in this state; 1: all stop meanwhile.  Nobody
 * measures while an agent is at work, and one at a time; no agent begins while
 * somebody wants to measure.
 */
static int
job_wait(enum state state)
{
	struct timespec nap = { 0, 10 * 1000 * 1000 };
	const struct job *other;
	int turn = 0;

	if (plan_only)
		return 0;
	while (!turn && !ending()) {
		lock_write(1);
		for (turn = 1, other = shared->jobs; other < shared->jobs +
		    opt.jobs; other++)
			if (other != job && other->pid != 0)
				turn &= other->state == IDLE ||
				    (state == AGENT ? other->state == AGENT :
				    other->state == MEASURE_NEXT);
		job->state = turn ? state : state == MEASURE ? MEASURE_NEXT :
		    IDLE;
		lock_write(0);
		if (!turn)
			nanosleep(&nap, NULL);
		if (nap.tv_nsec < 500 * 1000 * 1000)
			nap.tv_nsec *= 2;
	}
	if (!turn)
		job->state = IDLE;
	return !turn;
}

/* ---- git: each command reads as the line a person would type ------------ */

/*
 * Git works with an index of its own, so what an agent does to the user's
 * (bits that hide changes, conflicts, a lock) has no effect on what we see.
 */
static struct {				/* written by the checks at start */
	char git[PATH_MAX], claude[PATH_MAX];
	char dir[PATH_MAX], common[PATH_MAX];
	char home[NAME_SIZE];		/* the user's branch; "" if detached */
	char home_commit[ID_SIZE], base[ID_SIZE];
	mode_t top_mode, dir_mode;	/* of the work tree and of dir */
	char output[PATH_MAX];
	int output_inside;		/* the output is inside the work tree */
	char project[PATH_MAX];		/* the user's git directory, */
	char inode[64];			/* and what the system calls it */
	char branch[NAME_SIZE];		/* of the baseline in a clone */
} repo;

static struct words git_vars, agent_vars;	/* what its children see */
static int git_out = -1, git_err = -1;	/* what the last git printed */
static FILE *git_in;			/* the same, as git_next reads it */

/* Who commits: author's name and address, then the committer's. */
static const char *const identity_names[] = { "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", NULL };
static char identity[4][NAME_SIZE];

/* environment: ours, less what would lead a git or a claude astray. */
static void
environment(struct words *w)
{
	static const char *const dropped[] = { "CLAUDECODE=",
	    "CLAUDE_CODE_SESSION_ID=", "CLAUDE_CODE_ENTRYPOINT=",
	    "CLAUDE_CODE_CHILD_SESSION=", "GIT_", "OLDPWD=", NULL };
	extern char **environ;
	char **e;

	words_free(w);
	for (e = environ; *e != NULL; e++)
		if (!begins_one(*e, dropped) || begins_one(*e, identity_names))
			words_add(w, *e);
}

/* mark_use: what is started from now on has this mark. */
static void
mark_use(const char *mark)
{
	COPY(process_mark, mark);
	words_set(&agent_vars, MARK, process_mark);
}

static void
identity_use(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		words_set(&git_vars, identity_names[i], identity[i]);
		words_set(&agent_vars, identity_names[i], identity[i]);
	}
}

/* git_config: settings that win over every file, as git(1) documents them. */
static void
git_config(struct words *w, const char *const *pairs)
{
	int n;

	for (n = 0; pairs[2 * n] != NULL; n++) {
		words_set(w, text("GIT_CONFIG_KEY_%d", n), pairs[2 * n]);
		words_set(w, text("GIT_CONFIG_VALUE_%d", n), pairs[2 * n + 1]);
	}
	words_set(w, "GIT_CONFIG_COUNT", text("%d", n));
}

/* environments: nothing planted acts in our git, no gc in the agent's; what
 * either commits is on disk when the row is; what ours prints is in files that
 * no other process has. */
static void
environments(void)
{
	static const char *const ours[] = { "core.hooksPath", "/dev/null",
	    "core.fsmonitor", "false", "core.untrackedCache", "false",
	    "core.splitIndex", "false", "core.safecrlf", "false",
	    "gc.auto", "0", "maintenance.auto", "false", "commit.gpgSign",
	    "false", "submodule.recurse", "false",
	    "i18n.commitEncoding", "UTF-8", "diff.orderFile", "/dev/null",
	    "transfer.fsckObjects", "false", "fetch.fsckObjects", "false",
	    "protocol.file.allow", "always", "core.fsync",
	    "committed,reference", NULL };
	static const char *const theirs[] = { "gc.auto", "0",
	    "maintenance.auto", "false", "core.fsync",
	    "committed,reference", NULL };
	static const char *const fixed[] = { "GIT_NO_REPLACE_OBJECTS", "1",
	    "GIT_TERMINAL_PROMPT", "0", "GIT_EDITOR", "false",
	    "GIT_PAGER", "cat", "GIT_OPTIONAL_LOCKS", "0",
	    "LC_ALL", "C", NULL };
	static const char *const unless_set[] = { "DISABLE_AUTOUPDATER",
	    "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
	    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", NULL };
	int i;

	git_out = fd_scratch();
	git_err = fd_scratch();
	environment(&git_vars);
	git_config(&git_vars, ours);
	for (i = 0; fixed[i] != NULL; i += 2)
		words_set(&git_vars, fixed[i], fixed[i + 1]);
	environment(&agent_vars);
	git_config(&agent_vars, theirs);
	for (i = 0; unless_set[i] != NULL; i++)
		if (getenv(unless_set[i]) == NULL)
			words_set(&agent_vars, unless_set[i], "1");
}

/* git_next: a record of what the last git printed, without its end, which holds
 * until the next one; NULL after the last. */
static char *
git_next(int end)
{
	static char *record;
	static size_t size;
	ssize_t n = -1;

	if (git_in == NULL)
		git_in = fd_stream(git_out, 0);
	if (end != EOF && (n = getdelim(&record, &size, end, git_in)) > 0) {
		record[n - (record[n - 1] == end)] = '\0';
		return record;
	}
	fclose(git_in);
	git_in = NULL;
	return NULL;
}

/* program_run: a command of ours, its output in git_out and git_err. */
static int
program_run(const char *path, const char *const *argv,
    const struct words *vars, double limit, int agent)
{
	struct process p = { .path = path, .argv = argv, .environment = vars,
	    .out = git_out, .err = git_err, .limit = limit, .agent = agent };
	struct ended e;

	if (git_in != NULL)
		git_next(EOF);		/* not all of the last was read */
	if (ftruncate(git_out, 0) != 0 || ftruncate(git_err, 0) != 0)
		die(1, "cannot empty a temporary file:");
	process_run(&p, &e);
	if (e.why == BY_LIMIT)
		warn("%s %s did not end in %s and was ended", argv[0],
		    argv[1], duration(e.seconds));
	return e.status;
}

/* git_run: one git; its exit status. */
static int
git_run(const char *const *argv)
{
	return program_run(repo.git, argv, &git_vars, GIT_TIMEOUT_S, 0);
}

/* git_blames: the first line of what git said with this in it; NULL: none. */
static const char *
git_blames(const char *what)
{
	char line[1024];
	FILE *in = fd_stream(git_err, 0);
	int found = 0;

	while (!found && line_read(in, line, sizeof line))
		found = strstr(line, what) != NULL;
	fclose(in);
	return found ? text("%s", line) : NULL;
}

/* git_fault: the line of an error, behind warnings and hints, or the first. */
static const char *
git_fault(void)
{
	const char *line = git_blames("fatal: ");

	if (line == NULL)
		line = git_blames("error: ");
	return line != NULL ? line : fd_line(git_err);
}

/* git_fail: die with the command, its status and what it said. */
static void
git_fail(const char *const *argv, int status)
{
	const char *line = *argv;
	struct statvfs disk;

	if (private_dir[0] != '\0' && statvfs(private_dir, &disk) == 0 &&
	    disk.f_bavail == 0)
		die(1, "no space left under %s for git: set TMPDIR",
		    private_dir);
	while (*++argv != NULL)
		line = text("%s %.200s", line, *argv);
	die(1, "%.500s: exit status %d: %s", line, status, git_fault());
}

/* git_most: its exit status, or we die where that is more than most; a question
 * about what an agent has ruined is answered with no. */
static int
git_most(int most, const char *const *argv)
{
	int status = git_run(argv);

	if (status > most && (most == 0 || git_blames(" is corrupt") == NULL))
		git_fail(argv, status);
	return status;
}

#define ARGV(...) ((const char *const[]){ "git", __VA_ARGS__, NULL })
#define git(...) git_most(0, ARGV(__VA_ARGS__))	/* it must succeed */
#define git_asks(...) (git_most(1, ARGV(__VA_ARGS__)) == 0)	/* yes or no */
#define git_try(...) git_run(ARGV(__VA_ARGS__))	/* its exit status */
#define git_said(...) (git(__VA_ARGS__), fd_line(git_out))

/* git_listed: a word for each line that the last git printed; how many. */
static size_t
git_listed(struct words *w)
{
	const char *line;

	words_free(w);
	while ((line = git_next('\n')) != NULL)
		words_add(w, line);
	return w->n;
}

/* git_commit: does it name one?  Then git has said its id. */
static int
git_commit(const char *name)
{
	return git_asks("rev-parse", "-q", "--verify", "--end-of-options",
	    text("%s^{commit}", name));
}

/* git_with: a git command with more words at its end; its exit status. */
static int
git_with(const char *const *command, const char *const *more, size_t n)
{
	struct words w = { NULL, 0 };
	int status;

	for (; *command != NULL; command++)
		words_add(&w, *command);
	for (; n > 0; n--)
		words_add(&w, *more++);
	status = git_run(w.v);
	words_free(&w);
	return status;
}

/* git_protected: the same with the protected paths. */
static int
git_protected(const char *const *command)
{
	return git_with(command, opt.protect.v, opt.protect.n);
}

/* ---- the tree: what an agent left is kept, then it is as it was -------- */

/*
 * Between attempts the tree is its commit and every ref is where it was, but
 * for those of the experiment.  What git ignored at the start, our output and
 * empty directories are the user's, whatever an agent makes git ignore.
 */
static struct words tree_users, tree_empty;	/* paths from the top, sorted */
static struct words tree_noted;		/* becomes part of tree_users */
static char tree_branch[NAME_SIZE];	/* the iteration's; "" between them */
static char tree_start[NAME_SIZE];	/* the commit that it began with */
static int tree_touched;		/* the user's branch was left */
static int tree_inherited;		/* from a runner that was killed */

static struct kept {			/* a file that nobody may change */
	const char *name;
	char *content;			/* as it was; NULL: no file */
	int there;			/* or it was a directory, say */
	size_t size;
	mode_t mode;
} *kept;
static size_t kept_n;

/* What a command that broke off leaves in the git directory.  Those before
 * MERGE_MSG are refused at the start, since then they are the user's. */
static const char *const tree_leftovers[] = {
	"index.lock", "HEAD.lock", "config.lock", "packed-refs.lock",
	"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG",
	"rebase-merge", "rebase-apply", "sequencer",
	"MERGE_MSG", "COMMIT_EDITMSG", "MERGE_MODE", "MERGE_RR",
	"MERGE_AUTOSTASH", "AUTO_MERGE", "SQUASH_MSG", "REBASE_HEAD",
	"BISECT_START", "BISECT_NAMES", "BISECT_TERMS", "BISECT_RUN",
	"BISECT_HEAD", "BISECT_EXPECTED_REV", "BISECT_ANCESTORS_OK",
	"BISECT_FIRST_PARENT", NULL
};

/* branch_name: that of an iteration. */
static const char *
branch_name(int run, int m)
{
	return text("%s-run-%d-iteration-%d", opt.prefix, run, m);
}

static const char *
branch_ref(int run, int m)
{
	return text("refs/heads/%s", branch_name(run, m));
}

static const char *
tree_ref(void)
{
	return text("refs/heads/%s", tree_branch);
}

/* tree_file: a path in the git directory, or in the one worktrees share. */
static const char *
tree_file(const char *name)
{
	static const char *const common[] = { "config.lock", "info/",
	    "packed-refs", "refs", "logs/refs", "objects", "shallow", NULL };

	return text("%s/%s", strcmp(name, "config") == 0 ||
	    begins_one(name, common) ? repo.common : repo.dir, name);
}

/* tree_index: our own index. */
static const char *
tree_index(void)
{
	return text("%s/index", private_dir);
}

/* tree_is_users: is path, from the top, the user's, or below what is? */
static const char *
tree_is_users(const char *path)
{
	const char *found = NULL;
	size_t len = 0;

	if (tree_users.n == 0)
		return NULL;
	while (found == NULL && path[len] != '\0') {
		len += strcspn(path + len, "/");
		found = words_find(&tree_users, text("%.*s/", (int)len, path));
		len += path[len] == '/';
	}
	return found != NULL ? found : words_find(&tree_users, path);
}

enum walk { NOTE, CLEAR, OPEN_UP };

/* tree_leaf: can git take this, which is not walked?  What it cannot is noted,
 * refused or removed; a directory is too deep for us, or a repository. */
static int
tree_leaf(int at, const char *name, const char *path, int type, enum walk how)
{
	int git = strcmp(name, ".git") == 0, deep = !git && type == DT_DIR;
	struct stat st;

	if (git && how == NOTE)
		die(EXIT_USAGE, "%s/%s: expected no repository inside the work "
		    "tree, unless git ignores it", top, path);
	if (deep && how == NOTE)
		die(EXIT_USAGE, "%s: %s: expected at most %d directories in one"
		    " another, unless git ignores them", top, name, DEPTH);
	if (deep && how == CLEAR)
		warn("%s is more than %d directories deep: removed", name,
		    DEPTH);
	if ((how == OPEN_UP || begins(name, ".git")) && type == DT_REG &&
	    fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & (S_IRUSR | S_IWUSR)) != (S_IRUSR | S_IWUSR))
		fchmodat(at, name, (st.st_mode & 07777) | S_IRUSR | S_IWUSR, 0);
	if (!git && (type == DT_REG || type == DT_LNK))
		return 1;
	if (how == NOTE)
		words_add(&tree_noted, path);
	else if (how == CLEAR)
		files_remove(at, name);
	return how != CLEAR;
}

/* tree_unpipe: what an agent makes git ignore no more is read by it, which a
 * pipe called .gitignore hangs; else nothing of the user's is touched. */
static void
tree_unpipe(int at, const char *name)
{
	static int depth;
	DIR *dir = dir_open(at, name, AS_IT_IS);
	struct dirent *d;
	int type;

	for (depth++; (d = dir_next(dir)) != NULL;) {
		type = dir_type(dir, d);
		if (type == DT_FIFO && begins(d->d_name, ".git"))
			unlinkat(dirfd(dir), d->d_name, 0);
		else if (type == DT_DIR && depth < DEPTH)
			tree_unpipe(dirfd(dir), d->d_name);
	}
	depth--;
}

/*
 * tree_walk: a directory and all below it, but for what is the user's.  NOTE
 * takes down pipes and empty directories as such, and refuses repositories
 * inside; CLEAR removes what of these is new; OPEN_UP makes all readable and
 * writable.  Returns how much is left in the directory.
 */
static int
tree_walk(int at, const char *name, size_t used, enum walk how)
{
	static char path[PATH_MAX];	/* from the top; used: that of name */
	static int depth;
	DIR *dir = dir_open(at, name, how == OPEN_UP ? WRITABLE : READABLE);
	struct dirent *d;
	int type, users, git, left = 0;
	size_t len;

	for (depth++; (d = dir_next(dir)) != NULL;) {
		at = dirfd(dir);
		len = used + strlen(d->d_name);
		git = strcmp(d->d_name, ".git") == 0;
		if (used == 0 && git)
			continue;
		left++;
		if (len + 2 > sizeof path) {	/* nor does git reach it */
			left -= !tree_leaf(at, d->d_name, path, DT_DIR, how);
			continue;
		}
		sprintf(path + used, "%s/", d->d_name);
		users = words_find(&tree_users, path) != NULL;
		path[len] = '\0';
		type = dir_type(dir, d);
		if (users && type == DT_DIR && how == CLEAR)
			tree_unpipe(at, d->d_name);
		if (users || words_find(&tree_users, path) != NULL)
			continue;
		if (git || type != DT_DIR || depth == DEPTH) {
			left -= !tree_leaf(at, d->d_name, path, type, how);
			continue;
		}
		strcpy(path + len, "/");
		if (tree_walk(at, d->d_name, len + 1, how) > 0)
			continue;
		path[len + 1] = '\0';
		if (how == NOTE)
			words_add(&tree_empty, path);
		else if (how == CLEAR && words_find(&tree_empty, path) == NULL)
			left -= unlinkat(at, d->d_name, AT_REMOVEDIR) == 0;
	}
	depth--;
	return left;
}

/* tree_note: pipes and empty directories are known as the user's, too. */
static void
tree_note(void)
{
	size_t i;

	words_free(&tree_empty);
	tree_walk(AT_FDCWD, top, 0, NOTE);
	for (i = 0; i < tree_noted.n; i++)
		words_add(&tree_users, tree_noted.v[i]);
	words_free(&tree_noted);
	words_sort(&tree_users);
	words_sort(&tree_empty);
}

/* tree_clear: remove what git has just listed, but the user's; 0: all. */
static int
tree_clear(void)
{
	char *path, *slash;
	int left = 0;

	while ((path = git_next('\0')) != NULL) {
		if (tree_is_users(path) != NULL)
			continue;
		files_remove(AT_FDCWD, path);
		left |= access(path, F_OK) == 0;
		while ((slash = strrchr(path, '/')) != NULL) {
			slash[1] = '\0';	/* maybe empty now */
			if (words_find(&tree_empty, path) != NULL ||
			    rmdir(path) != 0)
				break;
			*slash = '\0';
		}
	}
	return left;
}

static struct kept stash_log;		/* git stash list is made from it */
static struct kept experiment_csv;	/* as all who work with it have it */

/* kept_now: such a file as it is now. */
static struct kept
kept_now(const char *name)
{
	struct kept k = { 0 };
	struct stat st;

	k.content = file_text(output_fd, name, &k.size);
	if (k.content == NULL ? errno == EACCES || errno == EPERM :
	    fstatat(output_fd, name, &st, 0) != 0)
		die(1, "cannot read %s:", name);
	k.mode = k.content == NULL ? 0 : st.st_mode & 07777;
	k.there = file_there(output_fd, name);
	k.name = copy(name);
	return k;
}

/* kept_add: after the first *n, and counted there when it is whole. */
static void
kept_add(size_t *n, const char *name)
{
	kept = resize(kept, (*n + 1) * sizeof *kept);
	kept[*n] = kept_now(name);
	++*n;
}

static void
kept_free(struct kept *k)
{
	free((char *)(size_t)k->name);
	free(k->content);
	k->name = NULL;
	k->content = NULL;
}

static void
kept_forget(void)
{
	while (kept_n > 0)
		kept_free(&kept[--kept_n]);
}

/* kept_ours: is PREFIX--name ours, and not of other runs at work as well? */
static int
kept_ours(const char *name)
{
	long run;

	if (begins(name, "run-")) {
		run = strtol(name + strlen("run-"), NULL, 10);
		return !in_clone || (opt.benchmark_only ?
		    run >= opt.first && run <= opt.last : run == job->run);
	}
	return !in_clone &&
	    (strcmp(name, text("%s.csv", tables[LEDGER].kind)) == 0 ||
	    strcmp(name, text("%s.csv", tables[DIFFSTATS].kind)) == 0);
}

/* kept_list: the CSV files of the results that are no other run's. */
static struct words
kept_list(void)
{
	const char *end, *slash = strrchr(opt.prefix, '/');
	int n = slash == NULL ? 0 : (int)(slash + 1 - opt.prefix);
	char base[NAME_SIZE];
	DIR *dir = dir_open(output_fd, n == 0 ? "." : text("%.*s", n,
	    opt.prefix), READABLE);
	struct words w = { NULL, 0 };
	struct dirent *d;

	COPY(base, text("%s--", opt.prefix + n));
	while ((d = dir_next(dir)) != NULL)
		if (begins(d->d_name, base) &&
		    (end = strrchr(d->d_name, '.')) != NULL &&
		    strcmp(end, ".csv") == 0 &&
		    kept_ours(d->d_name + strlen(base)))
			words_add(&w, text("%.*s%s", n, opt.prefix, d->d_name));
	return w;
}

/* kept_note: the repository's settings, and the results as CSV; where we die
 * amid it none is known, since what is not yet noted is not strange. */
static void
kept_note(void)
{
	static const char *const settings_of_git[] = { "config",
	    "config.worktree", "commondir", "info/attributes", "info/exclude",
	    "info/grafts", "info/sparse-checkout", "shallow",
	    "objects/info/alternates", NULL };
	const char *const *name;
	struct words there;
	struct stat st;
	size_t i, n = 0;

	kept_free(&stash_log);
	stash_log = kept_now(tree_file("logs/refs/stash"));
	for (name = settings_of_git; *name != NULL; name++)
		kept_add(&n, tree_file(*name));
	if (lstat(text("%s/.git", top), &st) == 0 && S_ISREG(st.st_mode))
		kept_add(&n, text("%s/.git", top));
	there = kept_list();
	for (i = 0; i < there.n; i++)
		kept_add(&n, there.v[i]);
	words_free(&there);
	kept_n = n;
}

/* kept_strange: results that nobody of us has made, read as ours one day. */
static void
kept_strange(void)
{
	struct words now = kept_list(), known = { NULL, 0 };
	size_t i;

	for (i = 0; i < kept_n; i++)
		words_add(&known, kept[i].name);
	words_sort(&known);
	for (i = 0; i < now.n; i++)
		if (words_find(&known, now.v[i]) == NULL) {
			warn("%s was made by claude or a benchmark: removed",
			    now.v[i]);
			files_remove(output_fd, now.v[i]);
		}
	words_free(&now);
	words_free(&known);
}

/* kept_same: is it still as it was? */
static int
kept_same(const struct kept *k)
{
	size_t size;
	struct stat st;
	char *now = file_text(output_fd, k->name, &size);
	int same = now == NULL || k->content == NULL ? now == k->content &&
	    file_there(output_fd, k->name) == k->there :
	    size == k->size && memcmp(now, k->content, size) == 0 &&
	    fstatat(output_fd, k->name, &st, 0) == 0 &&
	    (st.st_mode & 07777) == k->mode &&
	    (*k->name == '/' || st.st_nlink == 1);

	free(now);
	return same;
}

static void
kept_restore(const struct kept *k)
{
	if (k->content == NULL)
		files_remove(output_fd, k->name);
	else
		file_put(k->name, k->content, k->size, k->mode);
}

/* kept_back: it is as it was. */
static void
kept_back(const struct kept *k)
{
	if (kept_same(k))
		return;
	warn("%s was changed: put back", k->name);
	kept_restore(k);
}

/* output_make: the output directory, and the folders of a prefix with '/'. */
static void
output_make(void)
{
	char folder[NAME_SIZE], *s, *is;
	int again = output_fd >= 0;
	struct stat st;

	if (mkdir(repo.output, 0777) != 0 && errno != EEXIST)
		die(1, "cannot make the directory %s:", repo.output);
	if (output_fd >= 0)
		close(output_fd);
	output_fd = open(repo.output, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);			/* at the start it was no link */
	if (output_fd < 0)
		die(1, "cannot open the directory %s:", repo.output);
	COPY(folder, opt.prefix);
	for (s = folder; (s = strchr(s, '/')) != NULL; *s++ = '/') {
		*s = '\0';
		if (again && fstatat(output_fd, folder, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			files_remove(output_fd, folder); /* a link, say */
		if (mkdirat(output_fd, folder, 0777) != 0 && errno != EEXIST)
			die(1, "cannot make the directory %s in %s:", folder,
			    repo.output);
	}
	/* It is no dirt for git; that it stays, tree_users sees to. */
	if (!repo.output_inside)
		return;
	is = file_text(output_fd, ".gitignore", NULL);
	if (is == NULL || strcmp(is, "*\n") != 0)
		file_put(".gitignore", "*\n", 2, 0644);
	free(is);
}

/* output_same: is it still the directory that we have open? */
static int
output_same(void)
{
	struct stat ours, there;

	if (fstat(output_fd, &ours) != 0)
		die(1, "cannot look at %s:", repo.output);
	if (lstat(repo.output, &there) != 0) {
		file_absent(repo.output);
		return 0;
	}
	return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* output_again: another run's agent may have removed it. */
static void
output_again(void)
{
	if (!output_same())
		output_make();
}

/* kept_mend: all are, in the output directory that we knew; then, none is. */
static void
kept_mend(void)
{
	size_t i;

	lock_write(1);			/* other runs put the same back */
	if (!output_same()) {
		warn("%s was removed: made anew, but for logs", repo.output);
		if (!in_clone)		/* another run has, maybe */
			files_remove(AT_FDCWD, repo.output);
	}
	output_make();
	if (kept_n > 0)
		kept_strange();
	for (i = kept_n; i > 0; i--)
		kept_back(&kept[i - 1]);
	kept_forget();			/* last: we may die, and come again */
	if (experiment_csv.name != NULL)
		kept_back(&experiment_csv);
	tables_back();
	lock_write(0);
}

static struct words tree_links;		/* the user's in the git directory */

/* tree_link: a link, by its name and where it leads. */
static const char *
tree_link(int at, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(at, name, target, sizeof target - 1);

	target[n < 0 ? 0 : n] = '\0';
	return text("%s %.512s", name, target);
}

/*
 * tree_unlock: no git is alive, so every lock is stale; pipes hang a git.  In
 * the git directory, links that were not there at the start lead git, and us,
 * out of it.
 */
enum unlock { NOTE_LINKS, UNLOCK, UNLOCK_AND_LINKS };

static void
tree_unlock(int at, const char *name, enum unlock how)
{
	static int depth;
	DIR *dir = dir_open(at, name, how == NOTE_LINKS ? READABLE : WRITABLE);
	struct dirent *d;
	const char *end, *link;
	int type;

	for (depth++; (d = dir_next(dir)) != NULL;) {
		end = strrchr(d->d_name, '.');
		type = dir_type(dir, d);
		link = type == DT_LNK ? tree_link(dirfd(dir), d->d_name) : "";
		if (how == NOTE_LINKS && type == DT_LNK) {
			words_add(&tree_links, link);
		} else if (how == UNLOCK_AND_LINKS && type == DT_LNK &&
		    strcmp(d->d_name, "objects") != 0 &&
		    words_find(&tree_links, link) == NULL) {
			warn("%s in the git directory was made a link: removed",
			    d->d_name);
			files_remove(dirfd(dir), d->d_name);
		} else if (how != NOTE_LINKS && (type == DT_FIFO ||
		    (type == DT_DIR && depth == DEPTH) ||
		    (end != NULL && strcmp(end, ".lock") == 0))) {
			files_remove(dirfd(dir), d->d_name);
		} else if (type == DT_DIR && depth < DEPTH &&
		    strcmp(d->d_name, "objects") != 0 &&
		    strcmp(d->d_name, "worktrees") != 0) {
			tree_unlock(dirfd(dir), d->d_name, how);
		}
	}
	depth--;
}

/* tree_unlock_git: the git directory, and what a linked tree has elsewhere. */
static void
tree_unlock_git(enum unlock how)
{
	tree_unlock(AT_FDCWD, repo.dir, how);
	tree_unlock(AT_FDCWD, tree_file("objects/info"), how);
	tree_unlock(AT_FDCWD, tree_file("refs"), how);
	words_sort(&tree_links);
}

/* tree_mend: git takes the directory for a repository again. */
static void
tree_mend(void)
{
	const char *commit = tree_start[0] != '\0' ? tree_start : repo.base;
	char *head;

	mkdir(tree_file("refs"), 0777);
	mkdir(tree_file("info/"), 0777);
	head = file_text(AT_FDCWD, tree_file("HEAD"), NULL);
	if (head == NULL || (!begins(head, "ref: refs/") &&
	    strspn(head, "0123456789abcdef") < 40)) {
		warn("HEAD of the repository was ruined: made anew");
		file_put(tree_file("HEAD"), text("%s\n", commit),
		    strlen(commit) + 1, 0644);
	}
	free(head);
}

/* tree_autostash: what a merge or rebase that broke off has put aside. */
static const char *
tree_autostash(void)
{
	static const char *const names[] = { "MERGE_AUTOSTASH",
	    "rebase-merge/autostash", "rebase-apply/autostash" };
	char *id = NULL;
	const char *found;
	int i;

	for (i = 0; id == NULL && i < 3; i++)
		id = file_text(AT_FDCWD, tree_file(names[i]), NULL);
	found = text("%.*s", id == NULL ? 0 : (int)strspn(id,
	    "0123456789abcdef"), id == NULL ? "" : id);
	free(id);
	return found;
}

static struct stat objects_known;	/* of objects, before the last call */

/* objects_there: all is lost without them, so where an agent has moved them
 * and left a link to them, they are moved back. */
static int
objects_there(void)
{
	char path[PATH_MAX], real[PATH_MAX];
	struct stat st;

	COPY(path, tree_file("objects"));
	if (objects_known.st_ino == 0 || S_ISLNK(objects_known.st_mode) ||
	    lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
		return 1;
	if (stat(path, &st) != 0 || st.st_ino != objects_known.st_ino ||
	    realpath(path, real) == NULL || unlink(path) != 0 ||
	    rename(real, path) != 0)
		return 0;
	warn("%s was moved, and made a link: moved back", path);
	return 1;
}

/* tree_there: is the repository still there, and not behind a link? */
static int
tree_there(void)
{
	char real[PATH_MAX];
	struct stat st;

	if (realpath(top, real) == NULL || strcmp(real, top) != 0)
		return 0;
	chmod(top, repo.top_mode);
	chmod(repo.dir, repo.dir_mode);
	return access(top, X_OK) == 0 && lstat(repo.dir, &st) == 0 &&
	    S_ISDIR(st.st_mode) && objects_there();
}

/* tree_settle: no agent is alive, so undo what it did to the repository. */
static void
tree_settle(void)
{
	const char *const *name;

	if (!tree_there())
		die(1, "%s, or its objects, is gone, cannot be entered, or was "
		    "made a link: put it back", repo.dir);
	if (chdir(top) != 0)		/* it may be another one by now */
		die(1, "%s: cannot be entered any more:", top);
	tree_unlock_git(kept_n > 0 ? UNLOCK_AND_LINKS : UNLOCK);
	tree_unlock(AT_FDCWD, private_dir, UNLOCK);
	for (name = tree_leftovers; *name != NULL; name++)
		files_remove(AT_FDCWD, tree_file(*name));
	tree_mend();
	kept_mend();
	tree_walk(AT_FDCWD, top, 0, CLEAR);
}

/* index_copy: with its time, by which git knows which files to compare. */
static void
index_copy(const char *from, const char *to)
{
	struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
	struct stat st;
	size_t size;
	char *content = file_text(AT_FDCWD, from, &size);
	FILE *out;

	if (content == NULL || stat(from, &st) != 0)
		die(1, "cannot read %s:", from);
	out = file_begin(to);
	fwrite(content, 1, size, out);
	free(content);
	times[0].tv_sec = times[1].tv_sec = st.st_mtime;
	if (fflush(out) != 0 || fchmod(fileno(out), st.st_mode & 0777) != 0 ||
	    futimens(fileno(out), times) != 0)
		die(1, "cannot copy %s:", from);
	file_end(out, to);
}

/*
 * The refs as they were: "name id symref marks" each, sorted; the marks are *
 * for HEAD's and + for one that is checked out in a work tree, be it ours.
 */
static struct words refs;

/* refs_read: the same as they are now. */
static void
refs_read(struct words *w)
{
	const char *const *list = ARGV("for-each-ref",
	    "--format=%(refname) %(objectname) %(symref) "
	    "%(if)%(worktreepath)%(then)+%(end)%(HEAD)");

	if (git_run(list) != 0) {	/* by an agent, where there is a note */
		if (git_blames("packed-refs") != NULL &&
		    (in_clone || access(tree_file(NOTE_NAME), F_OK) == 0) &&
		    rename(tree_file("packed-refs"),
		    tree_file("packed-refs.bad")) == 0)
			warn("packed-refs of the repository was ruined: moved "
			    "to packed-refs.bad");
		git_most(0, list);
	}
	git_listed(w);
	words_sort(w);
}

/* ref_field: the name (0), id (1), symref (2) or marks (3) of such a word. */
static const char *
ref_field(const char *ref, int n)
{
	for (; n > 0; n--)
		ref = strchr(ref, ' ') + 1;
	return text("%.*s", (int)strcspn(ref, " "), ref);
}

/* ref_id: the commit that name is to be; "" where it is not to be. */
static const char *
ref_id(const char *name)
{
	size_t i = words_at(&refs, text("%s ", name), strlen(name) + 1);

	return i == refs.n ? "" : ref_field(refs.v[i], 1);
}

/* refs_put: name is to be id; its place in the order is found later. */
static void
refs_put(const char *name, const char *id)
{
	const char *word = text("%s %s  ", name, id);
	size_t i = words_at(&refs, word, strlen(name) + 1);

	if (!plan_only && (i == refs.n ||
	    strcmp(ref_field(refs.v[i], 1), id) != 0))
		words_put(&refs, i, word);
}

/* ref_set: name is id, whatever is in its place; "" removes it. */
static void
ref_set(const char *name, const char *id)
{
	const char *const *set = id[0] == '\0' ? ARGV("update-ref",
	    "--no-deref", "-d", name) : ARGV("update-ref", "--no-deref", name,
	    id);

	if (git_run(set) != 0) {
		files_remove(AT_FDCWD, tree_file(text("%s.lock", name)));
		files_remove(AT_FDCWD, tree_file(name));	/* broken */
		git_most(0, set);
	}
	if (id[0] != '\0')
		refs_put(name, id);
}

/* tree_checkout: the committed files are commit's, on branch or on none. */
static void
tree_checkout(const char *branch, const char *commit)
{
	char id[ID_SIZE + NAME_SIZE];
	const char *const *to;

	COPY(id, text("%s^0", commit));	/* a branch may be named like an id */
	to = branch[0] == '\0' ? ARGV("checkout", "-q", "--force", "--detach",
	    id, "--") : ARGV("checkout", "-q", "--force",
	    "--ignore-other-worktrees", "-B", branch, id, "--");
	if (git_run(to) != 0) {
		tree_walk(AT_FDCWD, top, 0, OPEN_UP);
		git_most(0, to);
	}
	if (branch[0] != '\0')
		refs_put(text("refs/heads/%s", branch), commit);
}

/* tree_restore: the tree is commit, on branch ("" for none), or we die. */
static void
tree_restore(const char *branch, const char *commit)
{
	const char *status = "";
	int tries, left;
	size_t i;

	for (tries = 0; tries < 2; tries++) {
		tree_checkout(branch, commit);
		if (plan_only)
			return;
		/* In a clone nothing is the user's, ignored files included. */
		git("ls-files", "-z", "--others", in_clone ? "--directory" :
		    "--exclude-standard");
		left = tree_clear();
		for (i = 0; i < tree_empty.n; i++)
			mkdir(tree_empty.v[i], 0777);
		status = git_said("status", "--porcelain", "-uno");
		if (*status == '\0' && !left)
			return;
		tree_walk(AT_FDCWD, top, 0, OPEN_UP);	/* chmod 000, say */
	}
	die(1, "%s cannot be put back: git status says \"%s\"", top, status);
}

/* ref_keep: commits of an attempt, reachable but out of sight. */
static void
ref_keep(const char *attempt, const char *name, const char *id)
{
	if (attempt != NULL && id[0] != '\0' && strcmp(id, tree_start) != 0 &&
	    git_asks("rev-parse", "-q", "--verify", text("%s^{object}", id)))
		ref_set(text("%s%s", attempt, name), id);
}

/* stash_keep: where the newest stash entry is new, the new ones under it. */
static void
stash_keep(const struct words *now, const char *attempt)
{
	static const char name[] = "refs/stash ";
	struct words entries = { NULL, 0 };
	size_t i = words_at(now, name, strlen(name));

	if (attempt == NULL || i == now->n ||
	    strcmp(ref_field(now->v[i], 1), ref_id("refs/stash")) == 0)
		return;
	git("rev-list", "-g", "refs/stash", "--");
	git_listed(&entries);
	for (i = 1; i < entries.n; i++)
		if (stash_log.content == NULL || strstr(stash_log.content,
		    entries.v[i]) == NULL)
			ref_keep(attempt, text("-refs/stash-%zu", i),
			    entries.v[i]);
	words_free(&entries);
}

/*
 * ref_back: name is as it was, or gone where it was not; now is kept.  After
 * a KILL it may be the user who changed it: then only what is gone is remade.
 */
static void
ref_back(const char *name, const char *was, const char *now,
    const char *attempt)
{
	const char *target = was == NULL ? "" : ref_field(was, 2);
	const char *id = was == NULL ? "" : ref_field(was, 1);
	int changed = now == NULL || strcmp(id, ref_field(now, 1)) != 0;

	if (strcmp(name, tree_ref()) == 0 || begins(name, "refs/remotes/") ||
	    (was == NULL && begins(name, REFS)) || (was != NULL &&
	    strcmp(ref_field(was, 3), "+") == 0))	/* another's at work */
		return;
	if (was != NULL && now != NULL &&
	    strcmp(target, ref_field(now, 2)) == 0 &&
	    (*target != '\0' || !changed))
		return;
	if (tree_inherited && now != NULL) {
		if (!begins(name, REFS) && !begins(name,
		    text("refs/heads/%s-run-", opt.prefix)) &&
		    (was != NULL || strstr(name, "-iteration-") == NULL))
			warn(was == NULL ? "%s is new since the runner was "
			    "killed: it is left" : "%s was %.12s when the "
			    "runner was killed: it is left as it is now",
			    name, id);
		return;
	}
	if (now != NULL && changed)
		ref_keep(attempt, text("-refs/%s", name + strlen("refs/")),
		    ref_field(now, 1));
	if (was != NULL)
		warn("%s was changed: put back", name);
	if (*target != '\0')
		git("symbolic-ref", name, target);
	else
		ref_set(name, id);
}

/* refs_back: all are as they were; what an attempt made of them is kept. */
static void
refs_back(const struct words *now, const char *attempt)
{
	size_t i, j, n = refs.n;	/* more come, as attempts are kept */
	int new, order;

	words_sort(&refs);
	stash_keep(now, attempt);
	/* What is new goes first: it may be in the way of what was. */
	for (new = 1; new >= 0; new--)
		for (i = j = 0; i < n || j < now->n;) {
			order = i == n ? 1 : j == now->n ? -1 :
			    strcmp(ref_field(refs.v[i], 0),
			    ref_field(now->v[j], 0));
			if (new == (order > 0))
				ref_back(ref_field(order > 0 ? now->v[j] :
				    refs.v[i], 0), order > 0 ? NULL :
				    refs.v[i], order < 0 ? NULL : now->v[j],
				    attempt);
			i += order <= 0;
			j += order >= 0;
		}
	if (stash_log.content != NULL) {
		mkdir(text("%s/logs", repo.common), 0777);
		mkdir(tree_file("logs/refs"), 0777);
	}
	if (stash_log.name != NULL)	/* update-ref has written to it */
		kept_back(&stash_log);
}

/* refs_undo: the same for who makes no commits; nothing is kept. */
static void
refs_undo(void)
{
	struct words now = { NULL, 0 };

	refs_read(&now);
	refs_back(&now, NULL);
	words_free(&now);
}

/*
 * note_write: how all was before who comes next changes it, for the next start
 * if we are killed; in the git directory until the user's branch is back.  As
 * long as somebody is at work, no commit of its branch is ours.
 */
static void
note_write(int at_work)
{
	const char *said[] = { opt.prefix, repo.home[0] != '\0' ? repo.home :
	    "HEAD", repo.home_commit, tree_ref(), at_work ? "at work" :
	    "at rest" };
	const struct words facts = { said, sizeof said / sizeof *said };
	FILE *to = file_begin(tree_file(NOTE_NAME));
	const struct kept *k;

	words_write(to, &facts);
	for (k = kept; k < kept + kept_n; k++)
		if (*k->name == '/')
			fprintf(to, "%s\n%s%s%c", k->name, k->content == NULL ?
			    "-" : "+", k->content == NULL ? "" : k->content,
			    '\0');
	putc('\0', to);
	words_write(to, &tree_users);
	words_write(to, &tree_empty);
	words_write(to, &refs);
	file_end(to, tree_file(NOTE_NAME));
}

static struct words note_facts, note_files;	/* of who was killed */

/* note_read: these and the lists of the note that he left; 0: there is none. */
static int
note_read(void)
{
	struct words *const lists[] = { &note_facts, &note_files, &tree_users,
	    &tree_empty, &refs };
	const char *from, *end;
	size_t size, i;
	char *data = file_text(AT_FDCWD, tree_file(NOTE_NAME), &size);
	int whole;

	if (data == NULL)
		return 0;
	for (i = 0, from = data, end = data + size; i < 5; i++)
		from = words_read(from, end, lists[i]);
	whole = from == end && note_facts.n == 5;
	free(data);
	if (!whole)
		die(EXIT_USAGE, "%s: expected the note of a runner that was "
		    "killed: check out your branch, then remove it",
		    tree_file(NOTE_NAME));
	return 1;
}

/* tree_known: what the next to work here may not change. */
static void
tree_known(void)
{
	output_again();
	kept_forget();			/* first: see kept_note */
	words_free(&tree_links);
	tree_unlock_git(NOTE_LINKS);
	if (lstat(tree_file("objects"), &objects_known) != 0)
		die(1, "cannot look at %s/objects:", repo.common);
	kept_note();
	if (!in_clone)
		note_write(1);
	/* Who asks git in the tree sees it as it is. */
	index_copy(tree_index(), tree_file("index"));
}

/* tree_grew: does commit build on the start? */
static int
tree_grew(const char *commit)
{
	const char *const *ask = ARGV("merge-base", "--is-ancestor",
	    tree_start, commit);
	int status;

	if (commit[0] == '\0' || strcmp(commit, tree_start) == 0)
		return 0;
	status = git_run(ask);
	if (status > 1 && git_commit(commit))	/* else it is none */
		status = git_most(1, ask);
	return status == 0;
}

/*
 * tree_head: HEAD is the iteration's branch, with the commits that claude
 * made there or, sooner, where it left HEAD; without those that do not build
 * on the start, amended ones say.  They are kept, and so is all else.
 * Returns its commit.
 */
static const char *
tree_head(const char *attempt)
{
	struct words now = { NULL, 0 };
	char head[ID_SIZE] = "", tip[ID_SIZE] = "", parent[ID_SIZE];
	const char *ours = NULL;
	size_t i;

	refs_read(&now);
	for (i = 0; i < now.n; i++) {
		if (strchr(ref_field(now.v[i], 3), '*') != NULL)
			COPY(head, ref_field(now.v[i], 1));
		if (begins(now.v[i], text("%s ", tree_ref()))) {
			COPY(tip, ref_field(now.v[i], 1));
			ours = now.v[i];
		}
	}
	if (head[0] == '\0' && git_commit("HEAD"))
		COPY(head, fd_line(git_out));
	COPY(parent, tree_grew(head) ? head : strcmp(head, tip) != 0 &&
	    tree_grew(tip) ? tip : tree_start);
	refs_back(&now, attempt);
	if (strcmp(head, parent) != 0)
		ref_keep(attempt, "-refs/HEAD", head);
	if (strcmp(tip, parent) != 0 && strcmp(tip, head) != 0)
		ref_keep(attempt, "-refs/branch", tip);
	if (ours == NULL || strcmp(tip, parent) != 0 ||
	    *ref_field(ours, 2) != '\0')
		ref_set(tree_ref(), parent);
	if (ours == NULL || strchr(ref_field(ours, 3), '*') == NULL)
		git("symbolic-ref", "HEAD", tree_ref());
	words_free(&now);
	return text("%s", parent);
}

/* tree_add_raw: what git cannot convert goes into the index as it is. */
static int
tree_add_raw(void)
{
	static const char raw[] = "* -text -filter -ident"
	    " -working-tree-encoding\n";
	const char *const *add = ARGV("add", "-A", "--ignore-errors");
	struct kept was = kept_now(tree_file("info/attributes"));
	int status;

	files_remove(AT_FDCWD, tree_index());	/* it may be the fault */
	git("read-tree", tree_start);
	file_put(was.name, raw, strlen(raw), 0644);
	status = git_run(add);
	kept_restore(&was);
	kept_free(&was);
	if (status > 1 || git_blames("into database") != NULL)
		git_fail(add, status);	/* no fault of the files */
	return status == 0 ? 0 : -1;
}

/*
 * tree_add: all that claude left into the index; 0, or -1 if not all.  What is
 * said may be of a directory that cannot be read; once opened, it is of filters
 * and settings, which may talk.
 */
static int
tree_add(void)
{
	int tries;

	if (access(tree_index(), F_OK) != 0)	/* removed: what is ignored, */
		git("read-tree", tree_start);	/* but committed, stays */
	for (tries = 0; tries < 2; tries++) {
		if (git_try("add", "-A") == 0 && (fd_size(git_err) == 0 ||
		    tries > 0))
			return 0;
		tree_walk(AT_FDCWD, top, 0, OPEN_UP);
	}
	return tree_add_raw();
}

/* index_paths: a command with many paths, whose words they then are. */
static void
index_paths(const char *const *command, struct words *paths)
{
	size_t i, n;

	for (i = 0; i < paths->n; i += n) {	/* exec has a limit */
		n = paths->n - i < 500 ? paths->n - i : 500;
		if (git_with(command, paths->v + i, n) != 0)
			git_fail(command, 1);
	}
	words_free(paths);
}

/* tree_add_forced: what is ignored, but was committed by claude in parent. */
static void
tree_add_forced(const char *parent)
{
	struct words paths = { NULL, 0 };
	struct stat st;
	const char *path;

	git("diff-index", "--cached", "-z", "--name-only", "--no-renames",
	    "--diff-filter=D", parent, "--");
	while ((path = git_next('\0')) != NULL)
		if (tree_is_users(path) == NULL && lstat(path, &st) == 0 &&
		    (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)))
			words_add(&paths, text(":(top,literal)%s", path));
	index_paths(ARGV("add", "-f", "--"), &paths);
}

struct changes {
	long files, added, removed, md_added, md_removed;
};

/* changes_listed: by git's last --numstat; a binary file has no lines. */
static struct changes
changes_listed(void)
{
	struct changes c = { 0, 0, 0, 0, 0 };
	struct words drop = { NULL, 0 };
	const char *line, *path, *users, *last = NULL;
	long added, removed;
	size_t len;

	while ((line = git_next('\0')) != NULL) {
		if (sscanf(line, "%ld\t%ld\t", &added, &removed) != 2)
			added = removed = 0;
		path = strchr(strchr(line, '\t') + 1, '\t') + 1;
		len = strlen(path);
		if ((users = tree_is_users(path)) != NULL) {
			if (users != last)
				words_add(&drop, text(":(top,literal)%.*s",
				    (int)strlen(users) -
				    (users[strlen(users) - 1] == '/'), users));
			last = users;
			continue;
		}
		c.files++;
		c.added += added;
		c.removed += removed;
		if (len >= 3 && strcmp(path + len - 3, ".md") == 0) {
			c.md_added += added;
			c.md_removed += removed;
		}
	}
	index_paths(ARGV("reset", "-q", tree_start, "--"), &drop);
	return c;
}

/* tree_changes: the index against the start, less what is the user's. */
static struct changes
tree_changes(void)
{
	git("diff-index", "--cached", "-z", "--numstat", "--no-renames",
	    tree_start, "--");
	return changes_listed();
}

/* commit_tree: the index as a commit; the id of it. */
static const char *
commit_tree(const char *parent, const char *message)
{
	const char *tree = git_said("write-tree");

	return git_said("commit-tree", "-p", parent, "-m", message, tree);
}

/*
 * tree_commit: one commit of all that is there, an empty one if need be.
 * Its id, or "" where it need not be and nothing was left.
 */
static const char *
tree_commit(const char *message, int needed, const char *attempt,
    struct changes *changes)
{
	char parent[ID_SIZE], id[ID_SIZE];
	int partial;

	COPY(parent, tree_head(attempt));
	partial = tree_add();
	if (strcmp(parent, tree_start) != 0)
		tree_add_forced(parent);
	*changes = tree_changes();
	if (!needed && changes->files == 0 && strcmp(parent, tree_start) == 0)
		return "";
	git("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m",
	    message);
	COPY(id, git_said("rev-parse", "HEAD"));
	refs_put(tree_ref(), id);
	if (partial != 0) {
		warn("git cannot add all that was left: the rest is removed");
		tree_restore(tree_branch, id);
	}
	return text("%s", id);
}

/* tree_keep: an attempt's commit, with what its own .gitignore hid. */
static void
tree_keep(const char *attempt, const char *commit)
{
	const char *left = commit[0] != '\0' ? commit : tree_start;
	char hidden[ID_SIZE];

	ref_keep(attempt, "", commit);		/* before its branch moves */
	tree_checkout(tree_branch, tree_start);	/* but nothing is removed */
	tree_add();
	if (tree_changes().files == 0)
		return;
	COPY(hidden, commit_tree(tree_start, "what was hidden"));
	git("read-tree", left);
	git("read-tree", "-i", "-m", "--aggressive", tree_start, left, hidden);
	ref_keep(attempt, "", commit_tree(left, "what its .gitignore hid"));
}

/* tree_put_back: the tree is as before the attempt; what it left is kept. */
static void
tree_put_back(const char *attempt, const char *commit)
{
	tree_keep(attempt, commit);
	tree_restore(tree_branch, tree_start);
}

/* tree_user: the user's own branch; "" if HEAD was detached. */
static const char *
tree_user(void)
{
	return repo.home[0] != '\0' ? repo.home + strlen("refs/heads/") : "";
}

/* tree_home: the user's branch and index are back; the last act of all.  Where
 * his branch is an iteration's, or he had it moved as we waited, it stays. */
static void
tree_home(void)
{
	char id[ID_SIZE];

	if (!tree_touched)
		return;
	tree_touched = 0;		/* also when git fails here, and dies */
	tree_settle();
	/* From here on git keeps it beside HEAD. */
	index_copy(tree_index(), tree_file("index"));
	words_set(&git_vars, "GIT_INDEX_FILE", tree_file("index"));
	COPY(id, ref_id(repo.home)[0] != '\0' ? ref_id(repo.home) :
	    repo.home_commit);
	tree_restore(tree_user(), id);
	unlink(tree_file(NOTE_NAME));
}

/* ---- claude: its command, its prompt, and why an attempt ended ---------- */

struct attempt {
	int run, iteration, number;
	enum outcome outcome;
	struct ended ended;
	int last;			/* the run's own limit is the nearer */
	char started_at[32];
	char ref[NAME_SIZE];		/* where what it left is kept */
	char commit[ID_SIZE];		/* what it left; "" nothing */
	struct changes changes;
	int protected_touched;		/* -1: nothing is protected */
	char fault[512];		/* not the arm that was asked for */
	char said[256];			/* the first line of its stderr */
};

static int transcript_fd = -1;		/* of the call, to read it again */

/* scratch_reset: what agents and benchmarks left in their TMPDIR is gone. */
static void
scratch_reset(void)
{
	if (plan_only)
		return;
	unlink(private_dir);		/* an agent may make a link of it */
	mkdir(private_dir, 0700);	/* or remove it */
	files_remove(AT_FDCWD, text("%s/tmp", private_dir));
	if (mkdir(text("%s/tmp", private_dir), 0700) != 0)
		die(1, "cannot make the directory %s/tmp:", private_dir);
}

/* private_use: for the index, and for the TMPDIR of agents. */
static void
private_use(void)
{
	scratch_reset();
	words_set(&agent_vars, "TMPDIR", text("%s/tmp", private_dir));
	words_set(&agent_vars, "PWD", top);
	words_set(&git_vars, "GIT_INDEX_FILE", tree_index());
}

/* point_name: of the experiment, for a person. */
static const char *
point_name(int run, int iteration)
{
	return text("run %d/%ld iteration %d/%ld", run, opt.runs, iteration,
	    opt.iterations);
}

/* result_name: a file of one point of the experiment. */
static const char *
result_name(int run, int iteration, const char *rest)
{
	return text("%s--run-%d--iteration-%d--%s", opt.prefix, run, iteration,
	    rest);
}

enum { LOG = O_RDWR | O_CREAT | O_EXCL | O_APPEND };

/* result_log: such a file, for a child to write and for us to read. */
static int
result_log(int run, int iteration, const char *rest, int how)
{
	const char *name = result_name(run, iteration, rest);
	int fd;

	if (plan_only)
		return -1;
	if (how == LOG)			/* never through a planted link */
		files_remove(output_fd, name);
	fd = openat(output_fd, name, how | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd < 0)
		die(1, "cannot open %s/%s:", repo.output, name);
	return fd;
}

/* claude_words: the command line, less the prompt, which is its stdin. */
static const char *const *
claude_words(void)
{
	static struct words w;
	size_t i;

	if (w.n > 0)
		return w.v;
	words_add(&w, repo.claude);
	for (i = 1; claude_command[i] != NULL; i++)
		words_add(&w, claude_command[i]);
	if (!opt.no_plugin) {
		words_add(&w, "--plugin-dir");
		words_add(&w, plugin_dir);
	}
	for (i = 0; i < opt.claude_arguments.n; i++)
		words_add(&w, opt.claude_arguments.v[i]);
	return w.v;
}

/* claude_prompt: the base prompt, then which iteration it is; to be freed. */
static char *
claude_prompt(const struct attempt *a)
{
	char *prompt = NULL;
	size_t size;
	FILE *to = memory_begin(&prompt, &size);

	fprintf(to, "%s\nThis is iteration %d of %ld in run %d.\n", opt.prompt,
	    a->iteration, opt.iterations, a->run);
	if (a->iteration > 1)
		fputs("Build on the improvements of the previous iterations.\n",
		    to);
	if (a->iteration == opt.iterations)
		fputs("This is the last iteration.\n", to);
	fputs("When you are done, commit your work with a descriptive"
	    " message.\n", to);
	memory_end(to);
	return prompt;
}

/* tail_limited: does one of the last lines begin as a rate limit does? */
static int
tail_limited(int fd)
{
	enum { TAIL = 65536 };
	off_t size = fd_size(fd);
	FILE *in = fd_stream(fd, size > TAIL ? size - TAIL : 0);
	char line[256];
	int found = 0;

	if (size > TAIL)		/* the rest of a line is no line */
		line_read(in, line, sizeof line);
	while (!found && line_read(in, line, sizeof line))
		found = begins_one(line, limit_texts);
	fclose(in);
	return found;
}

/* result_limited: does a failed result tell of a rate limit? */
static int
result_limited(const struct event *r)
{
	return strcmp(r->api_error, "usage_limit_reached") == 0 ||
	    strcmp(r->api_status, "429") == 0 ||
	    strcmp(transcript.limit.limit, "rejected") == 0 ||
	    (r->api_status[0] == '\0' &&	/* before 2.1.330 */
	    begins_one(r->text, limit_texts));
}

/* result_denied: can no later call succeed either? */
static int
result_denied(const struct event *r)
{
	return strcmp(r->api_status, "401") == 0 ||
	    strcmp(r->api_status, "403") == 0 ||
	    strcmp(r->api_status, "404") == 0 || transcript.billing ||
	    begins(r->text, "Credit balance is too low") ||
	    begins(r->text, "Not logged in");
}

/* claude_outcome: the first that holds, from claude's own words first. */
static enum outcome
claude_outcome(const struct attempt *a)
{
	const struct event *r = &transcript.result;
	int told = r->type[0] != '\0', status = a->ended.status;

	if (told && strcmp(r->is_error, "true") != 0 &&
	    !begins(r->subtype, "error"))
		return strcmp(r->turns, "0") == 0 ? FAILURE : SUCCESS;
	if (strcmp(r->subtype, "error_max_turns") == 0 ||
	    strcmp(r->subtype, "error_max_budget_usd") == 0)
		return CAPPED;
	if (a->ended.why == BY_SIGNAL)
		return INTERRUPTED;
	if (a->ended.why == BY_LIMIT && a->last)
		return OUT_OF_TIME;
	if (a->ended.why == BY_LIMIT || a->ended.why == BY_SILENCE)
		return TIMEOUT;
	if (told)
		return result_limited(r) ? RATE_LIMIT :
		    result_denied(r) ? DENIED : FAILURE;
	if (transcript.json)
		return FAILURE;
	if (status == 0)
		return SUCCESS;
	if (status == 2 || (status != 124 && tail_limited(transcript_fd)))
		return RATE_LIMIT;
	return status == 124 ? TIMEOUT : FAILURE;
}

/* claude_fault: is the plugin as asked?  "" if so, or what is wrong. */
static const char *
claude_fault(void)
{
	const struct event *init = &transcript.init;

	if (init->type[0] == '\0')		/* it never came so far */
		return "";
	if (opt.no_plugin)
		return init->plugin_loaded ? text("claude has loaded the plugin"
		    " %s in the arm without it", plugin_dir) : "";
	return init->plugin_loaded && !init->plugin_failed ? "" :
	    text("claude has not loaded the plugin %s%s%s", plugin_dir,
	    init->plugin_fault[0] != '\0' ? ": " : "", init->plugin_fault);
}

static int
claude_finished(void)
{
	transcript_read(transcript_fd);
	return transcript.finished;
}

/* claude_wrong: is this the other arm?  -1: it has not said so far. */
static int
claude_wrong(void)
{
	transcript_read(transcript_fd);
	return transcript.init.type[0] == '\0' ? -1 : *claude_fault() != '\0';
}

/* claude_call: one call, to its end and to the end of all it started. */
static void
claude_call(struct attempt *a)
{
	const char *name = text("attempt-%d.jsonl", a->number);
	struct statvfs disk;
	char *prompt = claude_prompt(a);
	struct process p = { .path = repo.claude, .argv = claude_words(),
	    .environment = &agent_vars, .input = prompt, .limit = job->limit,
	    .idle = opt.idle_timeout, .agent = 1,
	    .finished = claude_finished, .wrong = claude_wrong };

	p.out = result_log(a->run, a->iteration, name, LOG);
	p.err = result_log(a->run, a->iteration,
	    text("attempt-%d.err", a->number), LOG);
	transcript_fd = result_log(a->run, a->iteration, name, O_RDONLY);
	COPY(a->started_at, utc(time(NULL)));
	process_run(&p, &a->ended);
	free(prompt);
	/* As the ledger has it, so that a resumed run has as much time left; if
	 * claude did run, never 0, by which nothing would be charged. */
	if (a->ended.seconds > 0)
		a->ended.seconds = strtod(text("%.3f", a->ended.seconds +
		    0.0005), NULL);
	scratch_reset();
	if (plan_only)
		return;
	transcript_read(transcript_fd);
	a->outcome = claude_outcome(a);
	COPY(a->fault, claude_fault());
	if (a->fault[0] != '\0')
		a->outcome = FAILURE;
	if (a->outcome == FAILURE && fstatvfs(p.out, &disk) == 0 &&
	    disk.f_bavail == 0)
		die(1, "no space left for %s in %s", name, repo.output);
	COPY(a->said, fd_line(p.err));
	close(p.out);
	close(p.err);
	close(transcript_fd);
}

/* claude_message: the commit that ends an attempt; to be freed. */
static char *
claude_message(const struct attempt *a)
{
	const char *said = transcript.result.text;
	size_t size, len = strlen(said);
	char *message = NULL;
	FILE *to = memory_begin(&message, &size);

	fprintf(to, "%s: run %d, iteration %d: %s\n\n", opt.prefix, a->run,
	    a->iteration, outcome_names[a->outcome]);
	if (len > TEXT_SIZE - 8)	/* cut, maybe amid a character */
		while ((said[--len] & 0xc0) == 0x80 && len > 0)
			;
	if (len > 0)
		fprintf(to, "%.*s\n\n", (int)len, said);
	fprintf(to, "Experiment: %s\nRun: %d\nIteration: %d\nAttempt: %d\n"
	    "Outcome: %s\n", opt.prefix, a->run, a->iteration, a->number,
	    outcome_names[a->outcome]);
	if (transcript.init.session[0] != '\0')
		fprintf(to, "Session: %s\n", transcript.init.session);
	fprintf(to, "Seconds: %.3f\nExit-Status: %d\nSurvivors: %d\n",
	    a->ended.seconds, a->ended.status, a->ended.survivors);
	memory_end(to);
	return message;
}

/* ---- benchmarks: the yardstick, at one point of the experiment ---------- */

struct samples {
	double *us;			/* microseconds */
	size_t n;
};

static void
samples_add(struct samples *s, double us)
{
	s->us = resize(s->us, (s->n + 1) * sizeof *s->us);
	s->us[s->n++] = us;
}

/* runtime_next: the next sample that a log tells, as us; -1 none, -2 bad. */
static double
runtime_next(FILE *in)
{
	static const char word[] = "runtime:";
	static const char *const units[] = { "ns", "us", "ms", "s" };
	static const double each[] = { 1e-3, 1, 1e3, 1e6 };
	char rest[64], *end;
	size_t n = 0, sign;
	double value;
	int i, c;

	while ((c = getc_unlocked(in)) != EOF) {
		n = c == word[n] ? n + 1 : c == word[0];
		if (word[n] != '\0')
			continue;
		n = 0;
		while ((c = getc_unlocked(in)) == ' ' || c == '\t')
			;
		for (sign = 0; sign < 2 && (c == '.' || c == '-');
		    c = getc_unlocked(in))
			rest[sign++] = (char)c;	/* .5 is bc's; -.5 is bad */
		ungetc(c, in);
		if (!isdigit(c))		/* prose */
			continue;
		line_read(in, rest + sign, sizeof rest - sign);
		value = strtod(rest, &end);
		if (strspn(rest, "0123456789.") < (size_t)(end - rest))
			return -2;		/* 0x10, 1e5 */
		end += strspn(end, " ");
		for (i = 0; i < 4; i++)
			if (begins(end, units[i]) && value * each[i] < 1e15 &&
			    !isalnum((unsigned char)end[strlen(units[i])]))
				return value * each[i];
		return -2;
	}
	return -1;
}

/* runtime_near: does a line of a log look like a sample, but to us? */
static int
runtime_near(int log, off_t start)
{
	FILE *in = fd_stream(log, start);
	char line[256];
	int near = 0;

	while (!near && line_read(in, line, sizeof line))
		near = strncasecmp(line + strspn(line, " \t"), "runtime",
		    strlen("runtime")) == 0 &&
		    strpbrk(line, "0123456789") != NULL;
	fclose(in);
	return near;
}

static char benchmark_why[64];		/* the last one has failed */

/* benchmark_run: one command, into its log; 0, -1 failed, 1 interrupted. */
static int
benchmark_run(const char *command, int log, double *seconds)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct process p = { .path = argv[0], .argv = argv,
	    .environment = &agent_vars, .out = log, .err = log,
	    .limit = opt.benchmark_timeout, .agent = 1 };
	struct ended e;

	process_run(&p, &e);
	scratch_reset();
	*seconds = e.seconds;
	COPY(benchmark_why, e.why == BY_LIMIT ? "--benchmark-timeout" :
	    text("exit status %d", e.status));
	if (e.why == BY_SIGNAL)
		return 1;
	return e.why == BY_ITSELF && e.status == 0 ? 0 : -1;
}

/* benchmark_samples: all executions of one; as benchmark_run says. */
static int
benchmark_samples(const char *command, int log, struct samples *s)
{
	double seconds = 0, us;
	size_t before;
	off_t start;
	int i, result, bad = 0;
	FILE *in;

	for (i = 0; i < opt.samples && !bad; i++) {
		start = fd_size(log);
		before = s->n;
		if ((result = benchmark_run(command, log, &seconds)) != 0)
			return result;
		if (plan_only)
			continue;
		in = fd_stream(log, start);
		while ((us = runtime_next(in)) >= 0)
			samples_add(s, us);
		fclose(in);
		if ((bad = us == -2))
			COPY(benchmark_why, "expected runtime: NUMBER and ns, "
			    "us, ms or s");
		if (i == 0 && !bad && s->n == before &&
		    runtime_near(log, start))
			warn("%s: expected runtime: NUMBER and ns, us, ms or "
			    "s: the wall time of %.60s is taken", job->what,
			    command);
		if (s->n == before)
			samples_add(s, seconds * 1e6);
	}
	return bad ? -1 : 0;
}

/* benchmark_file: the CSV of NAME=COMMAND at this point. */
static const char *
benchmark_file(int run, int iteration, const char *benchmark)
{
	return result_name(run, iteration, text("%.*s.csv",
	    (int)strcspn(benchmark, "="), benchmark));
}

/* benchmark_write: that file; the header alone: it failed. */
static void
benchmark_write(int run, int iteration, const char *benchmark,
    const struct samples *s)
{
	char file[PATH_MAX];
	size_t i, n = kept_n;
	FILE *to;

	COPY(file, benchmark_file(run, iteration, benchmark));
	to = file_begin(file);
	fputs("experiment_id,run_id,iteration_id,outer_iteration_id,"
	    "runtime_us\n", to);
	for (i = 0; i < s->n; i++)
		csv_line(to, (const char *const[]){ opt.prefix,
		    text("%d", run), text("%d", iteration),
		    text("%zu", i + 1), text("%.0f", s->us[i]), NULL });
	file_end(to, file);
	kept_n = 0;			/* see kept_note */
	kept_add(&n, file);		/* the next one may not change it */
	kept_n = n;
}

/* benchmark_there: has it been measured at this point? */
static int
benchmark_there(int run, int iteration, const char *benchmark)
{
	return !plan_only && faccessat(output_fd, benchmark_file(run,
	    iteration, benchmark), F_OK, 0) == 0;
}

/* benchmarks_there: have all? */
static int
benchmarks_there(int run, int iteration)
{
	size_t i = 0;

	while (i < opt.benchmarks.n &&
	    benchmark_there(run, iteration, opt.benchmarks.v[i]))
		i++;
	return i == opt.benchmarks.n;
}

/* benchmark_one: NAME=COMMAND; 1 when it was interrupted. */
static int
benchmark_one(int run, int iteration, const char *benchmark, int built,
    const char **failed)
{
	const char *command = strchr(benchmark, '=') + 1;
	char name[NAME_SIZE];
	struct samples s = { NULL, 0 };
	int log, result = -1;

	COPY(name, text("%.*s", (int)(command - 1 - benchmark), benchmark));
	log = result_log(run, iteration, text("%s.log", name), LOG);
	if (built)
		result = benchmark_samples(command, log, &s);
	else			/* of the build the why is still there */
		dprintf(log, "the build failed: see %s\n",
		    result_name(run, iteration, "build.log"));
	if (result < 0) {
		s.n = 0;
		*failed = ", not all with success";
		warn("run %d iteration %d: benchmark %s failed, %s%s: see "
		    "%s/%s", run, iteration, name, built ? "" : "the build: ",
		    benchmark_why, repo.output,
		    result_name(run, iteration, text("%s.log", name)));
	}
	if (result <= 0 && !plan_only)
		benchmark_write(run, iteration, benchmark, &s);
	close(log);
	free(s.us);
	return result > 0;
}

/* benchmark_protect: the protected paths are the baseline's. */
static void
benchmark_protect(void)
{
	const char *const *restore = ARGV("checkout", "-q", "--no-overlay",
	    repo.base, "--"), *const *list = ARGV("ls-files", "-z", "--others",
	    "--");

	if (opt.protect.n == 0)
		return;
	/* An agent's line endings and filters are not for these files. */
	git_try("checkout", "-q", "--no-overlay", repo.base, "--",
	    ":(top,glob)**/.gitattributes");
	if (git_protected(restore) != 0) {
		tree_walk(AT_FDCWD, top, 0, OPEN_UP);
		if (git_protected(restore) != 0)
			git_fail(restore, 1);
	}
	if (plan_only)
		return;
	if (git_protected(list) != 0)
		git_fail(list, 1);
	tree_clear();
}

/* benchmark_point: measure what is missing there; 1: interrupted. */
static int
benchmark_point(int run, int iteration)
{
	int log, stopped = 0, built = 0;
	const char *failed = "";
	char commit[NAME_SIZE];		/* in a plan, its branch */
	double seconds;
	size_t i;

	if (benchmarks_there(run, iteration))
		return 0;
	COPY(tree_branch, iteration > 0 ? branch_name(run, iteration) : "");
	COPY(commit, iteration == 0 ? repo.base : plan_only ? tree_branch :
	    git_said("rev-parse", "--verify", tree_ref()));
	tree_restore(tree_branch, commit);
	if (job_wait(MEASURE) != 0)
		return 1;
	benchmark_protect();
	if (!plan_only)
		tree_known();
	COPY(job->what, text("%s benchmark", point_name(run, iteration)));
	job->limit = opt.benchmark_timeout;
	if (opt.build != NULL) {
		log = result_log(run, iteration, "build.log", LOG);
		built = benchmark_run(opt.build, log, &seconds);
		stopped = built > 0;
		close(log);
	}
	for (i = 0; !stopped && i < opt.benchmarks.n; i++)
		stopped = !benchmark_there(run, iteration,
		    opt.benchmarks.v[i]) && benchmark_one(run, iteration,
		    opt.benchmarks.v[i], built == 0, &failed);
	job->state = AGENT;		/* git is work, too */
	if (!plan_only) {		/* what they did is undone */
		tree_settle();
		refs_undo();
	}
	tree_restore(tree_branch, commit);
	if (!stopped && !plan_only)
		say("%s: benchmarks are done%s", point_name(run, iteration),
		    failed);
	return stopped;
}

/* ---- the ledger: one row per attempt, and what it adds up to ------------ */

/* whole: a number as a field; a negative one is not known. */
static const char *
whole(long long n)
{
	return n < 0 ? "" : text("%lld", n);
}

static struct client {			/* a version of claude with a model */
	char name[112];
	int attempts;
} *clients;				/* as the ledger has them */
static int clients_n;

/* client_attempt: one more by it, where it is known; is it a second one? */
static int
client_attempt(const char *version, const char *model)
{
	const char *name = text("%.31s %.63s", version, model);
	int i = 0;

	if (*version == '\0')
		return 0;
	while (i < clients_n && strcmp(clients[i].name, name) != 0)
		i++;
	if (i == clients_n) {
		clients = resize(clients, (size_t)++clients_n *
		    sizeof *clients);
		COPY(clients[i].name, name);
		clients[i].attempts = 0;
	}
	return clients[i].attempts++ == 0 && clients_n > 1;
}

/* ledger_row: what is known of an attempt, on disk before the next starts. */
static void
ledger_row(const struct attempt *a, double charged)
{
	const struct event *r = &transcript.result, *init = &transcript.init;
	const char *tokens[TOKENS];
	int i;

	for (i = 0; i < TOKENS; i++)
		tokens[i] = r->models ? whole(r->tokens[i]) : r->usage[i];
	table_append(&tables[LEDGER], (const char *const[]){ opt.prefix,
	    whole(a->run), whole(a->iteration), whole(a->number),
	    outcome_names[a->outcome], whole(a->ended.status), a->started_at,
	    text("%.3f", a->ended.seconds), text("%.3f", charged), tree_start,
	    a->commit, whole(a->changes.files), whole(a->changes.added),
	    whole(a->changes.removed), r->turns, r->cost, tokens[INPUT],
	    tokens[OUTPUT], tokens[CACHE_READ], tokens[CACHE_CREATION],
	    init->session[0] != '\0' ? init->session : r->session,
	    init->model, init->version, whole(a->ended.survivors),
	    whole(a->protected_touched), NULL });
	if (client_attempt(init->version, init->model))
		warn("run %d iteration %d: claude is %s %s now, it was %s: "
		    "attempts of both are in one experiment", a->run,
		    a->iteration, init->version, init->model, clients[0].name);
}

/* diffstats_row: what a finished iteration changed; src is all but *.md. */
static void
diffstats_row(const struct attempt *a)
{
	static const struct changes none;
	const struct changes *c = a->outcome == FAILURE ? &none : &a->changes;

	table_append(&tables[DIFFSTATS], (const char *const[]){ opt.prefix,
	    whole(a->run), whole(a->iteration), whole(c->added - c->md_added),
	    whole(c->removed - c->md_removed), whole(c->md_added),
	    whole(c->md_removed), whole(c->added), whole(c->removed), NULL });
}

/* setting: a row of <prefix>--experiment.csv; '-' in the key becomes '_'. */
static void
setting(struct words *w, const char *name, const char *value)
{
	char key[NAME_SIZE], *s;

	COPY(key, name);
	for (s = key; (s = strchr(s, '-')) != NULL;)
		*s = '_';
	words_add(w, key);
	words_add(w, value);
}

/* settings_options: the options that define the experiment. */
static void
settings_options(struct words *w)
{
	const struct setting *s;
	const struct words *list;
	size_t i;

	for (s = settings; s->name != NULL; s++) {
		list = s->at;
		if (s->kind == NUMBER)
			setting(w, s->name, text("%ld", *(long *)s->at));
		else if (s->kind == TIME)
			setting(w, s->name, text("%.10g", *(double *)s->at));
		else if (s->kind == COMMAND)
			setting(w, s->name, opt.build == NULL ? "" : opt.build);
		else if (s->kind == DEFINES)
			setting(w, s->name, whole(*(int *)s->at));
		else if (s->kind == BENCHMARK || s->kind == PATHS)
			for (i = 0; i < list->n; i++)
				setting(w, s->name, list->v[i]);
	}
}

/* settings_now: all that defines the experiment, and where it began. */
static void
settings_now(struct words *w, const char *version)
{
	char *arguments = NULL;
	struct utsname host;
	size_t size, i;
	FILE *to = memory_begin(&arguments, &size);

	if (uname(&host) < 0)
		die(1, "cannot describe the experiment:");
	for (i = 0; i < opt.claude_arguments.n; i++) {
		fputs(i > 0 ? " " : "", to);
		quote(to, opt.claude_arguments.v[i]);
	}
	memory_end(to);
	setting(w, "key", "value");
	setting(w, "version", VERSION);
	setting(w, "started_at", utc(time(NULL)));
	setting(w, "host", host.nodename);
	setting(w, "system", text("%s %s %s", host.sysname, host.release,
	    host.machine));
	setting(w, "directory", top);
	setting(w, "baseline", opt.baseline);
	setting(w, "baseline_commit", repo.base);
	setting(w, "plugin_directory", opt.no_plugin ? "" : plugin_dir);
	setting(w, "plugin_commit", !opt.no_plugin && program_run(repo.git,
	    ARGV("-C", plugin_dir, "describe", "--always", "--dirty",
	    "--abbrev=40", "--exclude=*"), &agent_vars, GIT_TIMEOUT_S, 0) == 0 ?
	    fd_line(git_out) : "");
	setting(w, "claude_path", repo.claude);
	setting(w, "claude_version", version);
	setting(w, "claude_arguments", arguments);
	setting(w, "prompt", opt.prompt);
	settings_options(w);
	free(arguments);
}

enum difference {			/* from what the first start had: */
	OTHER,				/* this is another experiment */
	NOTHING,
	WARNED,
	LARGER,				/* it may grow */
	OF_FIRST,			/* that of the first start is taken */
	YARDSTICK			/* --benchmark-only may bring it */
};

/* setting_means: what a value that differs means. */
static enum difference
setting_means(const char *key)
{
	static const struct {
		const char *key;
		enum difference means;
	} *k, keys[] = {
		{ "version", NOTHING },
		{ "started_at", NOTHING },
		{ "host", NOTHING },
		{ "system", NOTHING },
		{ "baseline_commit", OF_FIRST },
		{ "plugin_commit", WARNED },
		{ "claude_path", WARNED },
		{ "claude_version", NOTHING },
		{ "runs", LARGER },
		{ "benchmark", YARDSTICK },
		{ "build", YARDSTICK },
		{ "benchmark_timeout", YARDSTICK },
		{ "samples", YARDSTICK },
		{ "every_iteration", YARDSTICK },
		{ NULL, OTHER },
	};

	if (opt.benchmark_only && strcmp(key, "isolate") == 0)
		return NOTHING;
	for (k = keys; k->key != NULL && strcmp(k->key, key) != 0; k++)
		;
	return opt.benchmark_only && k->means == WARNED ? NOTHING : k->means;
}

/* settings_read: those of experiment.csv, key and value in turn. */
static void
settings_read(struct words *w)
{
	const char *name = experiment_file("experiment");
	FILE *in = file_stream(output_fd, name);
	char *field[2];

	while (in != NULL && csv_read(in, field, 2) == 2)
		setting(w, field[0], field[1]);
	if (in != NULL)
		fclose(in);
	if (w->n == 0 || strcmp(w->v[0], "key") != 0)
		die(EXIT_USAGE, "%s exists, but describes no experiment: move "
		    "it away, or choose another prefix", name);
}

/* setting_agrees: theirs and ours, a key and a value each, or we die. */
static const char *
setting_agrees(const char *const *theirs, const char *const *ours)
{
	const char *key = theirs[0];
	enum difference means = setting_means(key);
	int differ = strcmp(theirs[1], ours[1]) != 0;
	int more = strcmp(ours[0], key) != 0 && /* of those we may have more */
	    (*key == '\0' || strcmp(ours[0], "benchmark") == 0 ||
	    strcmp(ours[0], "protect") == 0);

	if (strcmp(ours[0], key) != 0 ||
	    (differ && (means == OTHER || means == YARDSTICK)))
		die(EXIT_USAGE, "prefix %s was started with%s %s=%.200s: choose"
		    " another prefix", opt.prefix, more ? "out" : "",
		    more ? ours[0] : key, more ? ours[1] : theirs[1]);
	if (differ && means == WARNED)
		warn("prefix %s was started with %s=%s, now it is %s",
		    opt.prefix, key, theirs[1], ours[1]);
	if (means == OF_FIRST)
		COPY(repo.base, theirs[1]);
	if (means != LARGER)
		return theirs[1];
	if (opt.runs < strtol(theirs[1], NULL, 10))
		die(EXIT_USAGE, "prefix %s was started with runs=%s: they may "
		    "only grow", opt.prefix, theirs[1]);
	return ours[1];
}

static struct words settings_all;	/* experiment.csv as it is to be */

/*
 * settings_agree: this is the experiment that experiment.csv describes, or we
 * die; runs may grow, and --benchmark-only may bring the benchmarks.  Takes
 * the baseline's commit from there.
 */
static void
settings_agree(void)
{
	static const char *const none[] = { "", "" };
	struct words ours = { NULL, 0 }, theirs = { NULL, 0 };
	const char *const *their, *const *our;
	int later = opt.benchmark_only;
	size_t i, j;

	settings_now(&ours, "");
	settings_read(&theirs);
	for (i = 0; i < theirs.n; i += 2)
		later &= strcmp(theirs.v[i], "benchmark") != 0;
	for (i = j = 0; i < theirs.n || j < ours.n;) {
		their = i < theirs.n ? theirs.v + i : none;
		our = j < ours.n ? ours.v + j : none;
		if (later && setting_means(their[0]) == YARDSTICK) {
			i += 2;
		} else if (later && setting_means(our[0]) == YARDSTICK) {
			setting(&settings_all, our[0], our[1]);
			j += 2;
		} else {
			setting(&settings_all, their[0],
			    setting_agrees(their, our));
			i += 2;
			j += 2;
		}
	}
	words_free(&ours);
	words_free(&theirs);
}

static int
samples_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* samples_median: from the CSV of a benchmark; -1 where there is none. */
static double
samples_median(int run, int iteration, const char *benchmark)
{
	struct samples s = { NULL, 0 };
	double median = -1;
	char *field[5];
	FILE *in = file_stream(output_fd, benchmark_file(run, iteration,
	    benchmark));

	if (in == NULL)
		return -1;
	while (csv_read(in, field, 5) == 5)
		if (isdigit((unsigned char)field[4][0]))
			samples_add(&s, strtod(field[4], NULL));
	fclose(in);
	if (s.n > 0) {
		qsort(s.us, s.n, sizeof *s.us, samples_order);
		median = (s.us[s.n / 2] + s.us[(s.n - 1) / 2]) / 2;
	}
	free(s.us);
	return median;
}

struct run {				/* as far as the ledger knows it */
	int id;
	int next;			/* the first missing iteration */
	int attempts;			/* so many of it have been made */
	int timeouts;			/* of the iteration at work */
	double charged;			/* agent time used up, seconds */
	char commit[NAME_SIZE];		/* last good; in a plan, its branch */
	int at;				/* of its last row; 0: there is none */
	enum outcome last;
	int outcomes[OUTCOMES];		/* for the table */
	double seconds, cost;		/* of all rows */
};
static struct run *runs;		/* by id, from 1 on */

static void
run_begin(struct run *r, int id)
{
	memset(r, 0, sizeof *r);
	r->id = id;
	r->next = 1;
	COPY(r->commit, repo.base);
}

/* ledger_line: what a row adds; 0, or -1 where it is none of ours. */
static int
ledger_line(char *const *field, int fields)
{
	char *end[3];
	double charged;
	struct run *r;
	long id, m, k;
	int o;

	if (fields != COLUMNS)
		return -1;
	id = strtol(field[RUN_ID], &end[0], 10);
	m = strtol(field[ITERATION_ID], &end[1], 10);
	k = strtol(field[ATTEMPT], &end[2], 10);
	for (o = 0; o < OUTCOMES &&
	    strcmp(field[OUTCOME], outcome_names[o]) != 0; o++)
		;
	if (o == OUTCOMES || *end[0] != '\0' ||
	    *end[1] != '\0' || *end[2] != '\0' || id < 1 || id > opt.runs ||
	    m < 1 || m > opt.iterations || k < 1 || k > INT_MAX / 2 ||
	    strspn(field[CHARGED], "0123456789.") != strlen(field[CHARGED]) ||
	    strcmp(field[0], opt.prefix) != 0)
		return -1;
	r = &runs[id];
	charged = strtod(field[CHARGED], NULL);
	if (r->at == m)
		r->outcomes[r->last]--;
	r->at = (int)m;
	r->outcomes[r->last = (enum outcome)o]++;
	r->seconds += strtod(field[SECONDS], NULL);
	r->cost += strtod(field[COST], NULL);
	r->charged += charged;
	r->attempts = m != r->next ? 0 : (int)k;
	client_attempt(field[CLAUDE_VERSION], field[MODEL]);
	/* Only what finishes its iteration is charged. */
	if (o <= OUT_OF_TIME || (o == FAILURE && charged > 0)) {
		r->next = (int)m + 1;
		r->attempts = 0;
		if (o <= OUT_OF_TIME)
			COPY(r->commit, field[COMMIT]);
	}
	return 0;
}

/* ledger_read: the runs as the ledger has them, or we die; without, anew. */
static void
ledger_read(void)
{
	char *field[COLUMNS + 1];
	const char *name = experiment_file(tables[LEDGER].kind);
	FILE *in = file_stream(output_fd, name);
	long line = 1;
	int n;

	runs = resize(runs, (size_t)(opt.runs + 1) * sizeof *runs);
	clients_n = 0;
	for (n = 0; n <= opt.runs; n++)
		run_begin(&runs[n], n);
	if (in == NULL)
		return;
	csv_read(in, field, COLUMNS);	/* the header */
	while ((n = csv_read(in, field, COLUMNS + 1)) != 0)
		if (line++, ledger_line(field, n) != 0)
			die(EXIT_USAGE, "%s: line %ld: expected a row of %s, "
			    "runs 1 to %ld, with %d fields: move the file away,"
			    " or choose another prefix", name, line,
			    opt.prefix, opt.runs, COLUMNS);
	fclose(in);
}

/* run_over: has it no more iterations? */
static int
run_over(const struct run *r)
{
	return r->next > opt.iterations ||
	    opt.timeout - r->charged < (double)ENOUGH_S;
}

/* run_wants: is iteration m, which is finished, still needed? */
static int
run_wants(const struct run *r, int m)
{
	int last = m == r->next - 1;

	if (last && !run_over(r) && !opt.benchmark_only)
		return 1;
	if (opt.benchmark_only && r->at == 0)
		return 0;		/* it has not begun */
	return (last || m == 0 || opt.every_iteration) &&
	    !benchmarks_there(r->id, m);
}

/* run_measured: is it over, and all of it measured? */
static int
run_measured(const struct run *r)
{
	int m = 0;

	while (m < r->next && !run_wants(r, m))
		m++;
	return m == r->next;
}

/* ledger_speedup: run's own baseline over its last measured iteration. */
static const char *
ledger_speedup(int run, const char *benchmark)
{
	double before = samples_median(run, 0, benchmark), after = -1;
	int m;

	for (m = (int)opt.iterations; m > 0 && after < 0; m--)
		after = samples_median(run, m, benchmark);
	return before > 0 && after > 0 ? text("%.2fx", before / after) : "-";
}

/* ledger_table: what a person reads at the end, on stdout. */
static void
ledger_table(void)
{
	int shown[OUTCOMES] = { 0 }, run, o, width;
	size_t i;

	ledger_read();			/* with all that has ended by now */
	for (run = (int)opt.first; run <= opt.last; run++)
		for (o = 0; o < OUTCOMES; o++)
			shown[o] |= runs[run].outcomes[o] > 0;
	for (run = 0; run <= opt.last; run += run == 0 ? (int)opt.first : 1) {
		printf(run == 0 ? "run" : "%3d", run);	/* 0: the heading */
		for (o = 0; o < OUTCOMES; o++)
			if (shown[o])
				printf("  %*s", (int)strlen(outcome_names[o]),
				    run == 0 ? outcome_names[o] :
				    text("%d", runs[run].outcomes[o]));
		printf("  %10s  %8s", run == 0 ? "agent time" :
		    duration(runs[run].seconds), run == 0 ? "cost" :
		    text("$%.2f", runs[run].cost));
		for (i = 0; i < opt.benchmarks.n; i++) {
			width = (int)strcspn(opt.benchmarks.v[i], "=");
			printf("  %*s", width < 6 ? 6 : width, run == 0 ?
			    text("%.*s", width, opt.benchmarks.v[i]) :
			    ledger_speedup(run, opt.benchmarks.v[i]));
		}
		putchar('\n');
	}
	if (opt.benchmarks.n > 0)
		printf("\nA benchmark: its runtime at iteration 0 over that at "
		    "the last one measured; 2.00x is twice as fast.\n");
	for (i = 0; clients_n > 1 && i < (size_t)clients_n; i++)
		printf("%sclaude %s: %d attempt%s\n", i == 0 ? "\n" : "",
		    clients[i].name, clients[i].attempts,
		    clients[i].attempts == 1 ? "" : "s");
	printf("\nThe branches, and what they changed in all:\n");
	for (run = (int)opt.first; run <= opt.last; run++) {
		if (runs[run].at == 0)
			continue;
		printf("  git -C ");
		quote(stdout, top);
		printf(" diff --stat %.12s ", repo.base);
		quote(stdout, branch_name(run, runs[run].at));
		putchar('\n');
	}
}

/* ---- isolation: a run in a clone of its own ------------------------------ */

/* clone_file: the same as in the user's git directory. */
static void
clone_file(const char *name)
{
	size_t size;
	char *content = file_text(AT_FDCWD, text("%s/%s", repo.project, name),
	    &size);

	if (content != NULL)
		file_put(tree_file(name), content, size, 0644);
	free(content);
}

/* clone_enter: an empty directory, in which we are from now on. */
static void
clone_enter(void)
{
	struct stat st;

	environments();
	identity_use();
	COPY(top, text("%s/clone/%s", private_dir, strrchr(top, '/') + 1));
	if (mkdir(private_dir, 0700) != 0 ||
	    mkdir(text("%s/clone", private_dir), 0700) != 0 ||
	    mkdir(top, 0777) != 0 || chdir(top) != 0 || stat(top, &st) != 0)
		die(1, "cannot make a directory %s:", top);
	repo.top_mode = repo.dir_mode = st.st_mode & 07777;
	COPY(repo.dir, text("%s/.git", top));
	COPY(repo.common, repo.dir);
}

/* clone_init: the baseline and the branches of a run, 0 for all, there. */
static void
clone_init(int run)
{
	const char *branches;

	if (!plan_only)
		clone_enter();
	git("init", "-q", "--template=", strlen(repo.base) > 40 ?
	    "--object-format=sha256" : "--object-format=sha1", "-b",
	    repo.branch);
	words_set(&git_vars, "GIT_DIR", repo.dir);
	words_set(&git_vars, "GIT_WORK_TREE", top);
	branches = text("refs/heads/%s-run-%s*", opt.prefix,
	    run > 0 ? text("%d-iteration-", run) : "");
	git("-c", "core.logAllRefUpdates=false", "fetch", "-q", "--no-tags",
	    "--no-write-fetch-head", "--update-head-ok", repo.project,
	    text("+" REFS "%s/baseline:refs/heads/%s", opt.prefix, repo.branch),
	    text("+%s:%s", branches, branches));
}

/* clone_work: what is started from now on is of this run; the mark does not
 * tell an agent where the user's repository is. */
static void
clone_work(struct job *j, int run)
{
	j->run = run;
	mark_use(text("%s--run-%d--%s", opt.prefix, run, repo.inode));
}

/*
 * clone_make: with the baseline's history and the branches that the run has
 * so far, 0: all of ours; no other branch, no tag, no remote, no reflog.
 */
static void
clone_make(int run)
{
	long id = run > 0 ? run : opt.first, last = run > 0 ? run : opt.last;

	clone_init(run);
	mkdir(tree_file("info/"), 0777);
	clone_file("info/exclude");
	clone_file("info/attributes");
	private_use();
	refs_read(&refs);
	for (; id <= last; id++) {
		clone_work(job, (int)id);
		process_end_elders();
	}
}

/* clone_fetch: what the run has come to is in the user's repository, too; 0, or
 * git's exit status. */
static int
clone_fetch(int run)
{
	const char *const *fetch = ARGV("--git-dir", repo.project, "-c",
	    "core.filesRefLockTimeout=3000", "fetch", "-q", "--no-tags",
	    "--no-write-fetch-head", "--no-prune", "--update-head-ok", repo.dir,
	    text("+%s:%s", tree_ref(), tree_ref()),
	    text("+" REFS "%s/run-%d/*:" REFS "%s/run-%d/*", opt.prefix, run,
	    opt.prefix, run));

	if (git_run(fetch) == 0)
		return 0;
	/* Only we write these: a lock that stays is a killed git's. */
	unlink(text("%s/%s.lock", repo.project, tree_ref()));
	tree_unlock(AT_FDCWD, text("%s/" REFS "%s/run-%d", repo.project,
	    opt.prefix, run), UNLOCK);
	return git_run(fetch);
}

/* ---- iteration and run: the loop of the header comment ------------------ */

enum next { NEXT_ITERATION, ATTEMPT_AGAIN, WAIT, END_OF_RUN, STOP };

static int resumed;			/* this is not the first start */
static struct attempt *unfinished;	/* the attempt that is at work */

static enum next
stop(int status, const char *why)
{
	if (shared->status == 0) {
		COPY(shared->reason, why);
		shared->status = status;
	}
	return STOP;
}

/* limit_end: when the rate limit ends, as far as claude has told; or 0. */
static time_t
limit_end(void)
{
	long long t = strtoll(transcript.limit.resets_at, NULL, 10);

	return (time_t)(t > 100000000000 ? t / 1000 : t); /* milliseconds */
}

/* limit_when: the same for a person. */
static const char *
limit_when(void)
{
	return limit_end() > 0 ?
	    text(", which resets at %s", utc(limit_end())) : "";
}

/* limit_wait: sleep it out; the attempt is made again, or it is too much. */
static enum next
limit_wait(void)
{
	static double waited;
	double wait = limit_end() == 0 ? WAIT_S :
	    difftime(limit_end(), time(NULL)) + WAIT_MORE_S;
	double start = monotonic(), now = start;

	if (wait < WAIT_MORE_S)
		wait = WAIT_MORE_S;
	if ((waited += wait) > WAIT_MOST_S)
		return stop(EXIT_LATER, text("rate limit%s, which is too long "
		    "to wait", limit_when()));
	say("%s: rate limit%s: waiting for %s", job->what, limit_when(),
	    duration(wait));
	COPY(job->what, text("%.200s waits", job->what));
	job->limit = wait;
	job->start = start;
	job->state = IDLE;
	for (; now - start < wait && !ending(); now = monotonic()) {
		show_draw(now);
		alarm(show.on ? TICK_TERMINAL_S : TICK_S);
		signal_take();
	}
	alarm(0);
	if (!in_clone)
		refs_read(&refs);	/* the user's, meanwhile, are his */
	return ATTEMPT_AGAIN;		/* job_wait sees that all stop */
}

/* attempt_ref: where what it left is kept. */
static const char *
attempt_ref(int run, int m, int number)
{
	return text(REFS "%s/run-%d/iteration-%d/attempt-%d", opt.prefix, run,
	    m, number);
}

/* attempt_commit: what it left, as a commit if there is anything. */
static void
attempt_commit(struct attempt *a)
{
	char *message = claude_message(a), stash[ID_SIZE];

	COPY(stash, tree_autostash());
	tree_settle();
	if (!in_clone)
		note_write(0);
	ref_keep(a->ref, "-refs/autostash", stash);
	COPY(a->commit, tree_commit(message, a->outcome <= OUT_OF_TIME, a->ref,
	    &a->changes));
	free(message);
}

/* attempt_next: what follows an outcome; read it beside the header. */
static enum next
attempt_next(struct run *r, const struct attempt *a)
{
	if (a->outcome > OUT_OF_TIME)
		tree_put_back(a->ref, a->commit);
	switch (a->outcome) {
	case SUCCESS:
	case CAPPED:
	case OUT_OF_TIME:
		shared->failures = 0;
		COPY(r->commit, a->commit);
		return a->outcome == OUT_OF_TIME ? END_OF_RUN : NEXT_ITERATION;
	case RATE_LIMIT:
		return opt.wait ? WAIT :
		    stop(EXIT_LATER, text("rate limit%s", limit_when()));
	case TIMEOUT:
		return ++r->timeouts <= opt.retries ? ATTEMPT_AGAIN :
		    stop(EXIT_TIMEOUT, "the last retry timed out");
	case DENIED:
		return stop(EXIT_DENIED, "claude is denied");
	case FAILURE:
		if (a->fault[0] != '\0')
			return stop(1, a->fault);
		return ++shared->failures < FAILURES ? NEXT_ITERATION :
		    stop(EXIT_FAILURES, text("%d failures in a row",
		    shared->failures));
	default:
		return stop(128 + stop_signal, "");
	}
}

/* attempt_why: what claude said of its end, or what is known of it. */
static const char *
attempt_why(const struct attempt *a)
{
	const struct event *r = &transcript.result;

	if (a->outcome == SUCCESS)
		return "";
	if (r->text[0] != '\0')
		return r->text;
	if (a->said[0] != '\0')
		return a->said;
	if (a->ended.why == BY_SILENCE)
		return "silent for --idle-timeout";
	if (a->outcome != FAILURE)
		return "";
	return strcmp(r->turns, "0") == 0 ? "the model was not asked" :
	    r->type[0] != '\0' ? "its result has no text" :
	    transcript.json ? "it ended without a result" :
	    text("exit status %d", a->ended.status);
}

/* attempt_say: the event line, and where what was put back is kept. */
static void
attempt_say(const struct attempt *a)
{
	const struct event *r = &transcript.result;
	const char *why = attempt_why(a);
	int left = a->outcome > OUT_OF_TIME && a->commit[0] != '\0';

	job->cost += strtod(r->cost, NULL);
	(a->outcome <= OUT_OF_TIME ? say : warn)("%s%s: %s in %s, %ld file%s "
	    "+%ld -%ld%s%s%s%s%s%.*s", point_name(a->run, a->iteration),
	    a->number > 1 ? text(" attempt %d", a->number) : "",
	    outcome_names[a->outcome], duration(a->ended.seconds),
	    a->changes.files, a->changes.files == 1 ? "" : "s",
	    a->changes.added, a->changes.removed,
	    r->cost[0] != '\0' ? text(", $%.2f", strtod(r->cost, NULL)) : "",
	    a->ended.survivors > 0 ? text(", %d leftover%s killed",
	    a->ended.survivors, a->ended.survivors == 1 ? "" : "s") : "",
	    left ? ", kept as " : "", left ? a->ref : "",
	    why[0] != '\0' ? ": " : "", (int)strcspn(why, "\n"), why);
}

/* protected_look: has it touched what is protected? */
static void
protected_look(struct attempt *a)
{
	const char *const *diff = ARGV("diff", "--quiet", repo.base,
	    a->commit[0] != '\0' ? a->commit : tree_start, "--");
	int touched = opt.protect.n == 0 ? -1 : git_protected(diff);

	if (touched > 1)
		git_fail(diff, touched);
	a->protected_touched = touched;
}

/* attempt_plan: one that is a success, as commands. */
static enum next
attempt_plan(struct run *r, struct attempt *a)
{
	char *message;

	claude_call(a);
	a->outcome = SUCCESS;
	message = claude_message(a);
	git("add", "-A");
	git("commit", "-q", "--cleanup=verbatim", "-m", message,
	    "--allow-empty");
	free(message);
	if (opt.isolate)
		clone_fetch(r->id);
	COPY(r->commit, tree_branch);
	return NEXT_ITERATION;
}

/* attempt: one call of claude, and all that follows from its outcome. */
static enum next
attempt(struct run *r, int iteration, int number)
{
	double left = opt.timeout - r->charged;
	struct attempt a = { .run = r->id, .iteration = iteration,
	    .number = number, .last = left <= opt.iteration_timeout,
	    .protected_touched = -1 };
	enum next next;
	int finished;

	memset(&transcript, 0, sizeof transcript);
	COPY(a.ref, attempt_ref(a.run, iteration, number));
	job->limit = a.last ? left : opt.iteration_timeout;
	if (plan_only)
		return attempt_plan(r, &a);
	unfinished = &a;
	tree_known();
	claude_call(&a);
	attempt_commit(&a);
	protected_look(&a);
	next = attempt_next(r, &a);
	if (in_clone && clone_fetch(r->id) != 0)
		die(1, "cannot fetch run %d: %s", r->id, git_fault());
	unfinished = NULL;
	finished = next == NEXT_ITERATION || next == END_OF_RUN;
	ledger_row(&a, finished ? a.ended.seconds : 0);
	attempt_say(&a);
	if (finished) {
		r->charged += a.ended.seconds;
		diffstats_row(&a);
	}
	return next;
}

/* attempt_number: the next that neither ledger nor refs have; if it is to be
 * new, nor a transcript. */
static int
attempt_number(const struct run *r, int m, int new)
{
	int k = r->attempts;

	do
		k++;
	while ((new && faccessat(output_fd, result_name(r->id, m,
	    text("attempt-%d.jsonl", k)), F_OK, 0) == 0) || git_asks(
	    "rev-parse", "-q", "--verify", attempt_ref(r->id, m, k)));
	return k;
}

/* branch_parse: is ref the branch of an iteration? */
static int
branch_parse(const char *ref, int *run, int *m)
{
	const char *head = text("refs/heads/%s-run-", opt.prefix);
	int end = 0;

	return begins(ref, head) && isdigit((unsigned char)
	    ref[strlen(head)]) && sscanf(ref + strlen(head),
	    "%d-iteration-%d%n", run, m, &end) == 2 &&
	    strchr("/", ref[strlen(head) + (size_t)end]) != NULL;
}

/*
 * branch_begin: the iteration's branch is where it starts.  Other commits that
 * are there, of an attempt that was killed or of the user, are kept.
 */
static void
branch_begin(const struct run *r, int m, int k)
{
	char id[ID_SIZE], attempt[NAME_SIZE];

	COPY(id, ref_id(tree_ref()));
	COPY(attempt, attempt_ref(r->id, m, k));
	if (id[0] != '\0' && strcmp(id, tree_start) != 0 && git_commit(id) &&
	    *git_said("for-each-ref", "--count=1", "--contains", id,
	    text(REFS "%s/", opt.prefix)) == '\0') {
		ref_keep(attempt, text("-refs/heads/%s", tree_branch), id);
		warn("%s had other commits: kept in %s-refs/", tree_branch,
		    attempt);
	}
	tree_checkout(tree_branch, tree_start);
}

/* iteration: attempts until one decides. */
static enum next
iteration(struct run *r, int m)
{
	enum next next = ATTEMPT_AGAIN;
	int k = (r->attempts > 0 || resumed) && !plan_only ?
	    attempt_number(r, m, 1) : 1;

	COPY(tree_branch, branch_name(r->id, m));
	COPY(tree_start, r->commit);
	r->timeouts = 0;
	branch_begin(r, m, k);
	for (; next == ATTEMPT_AGAIN; k++) {
		if (job_wait(AGENT) != 0)
			return stop(128 + stop_signal, "");
		COPY(job->what, point_name(r->id, m));
		if ((next = attempt(r, m, k)) == WAIT)
			next = limit_wait();
	}
	if (next != STOP) {
		r->next = m + 1;
		r->attempts = 0;
	}
	return next;
}

/* run: what is missing, from the baseline or the last good commit; 1: stop. */
static int
run(struct run *r)
{
	int m, stopped = benchmark_point(r->id, 0);

	for (m = 1; !stopped && m <= r->next; m++) {
		if (m == r->next) {
			if (run_over(r))
				break;
			if (iteration(r, m) == STOP)
				return 1;
		}
		if (opt.every_iteration || (m == r->next - 1 && run_over(r)))
			stopped = benchmark_point(r->id, m);
	}
	if (!stopped && m <= opt.iterations && r->charged < opt.timeout)
		say("run %d/%ld: not enough time for iteration %d", r->id,
		    opt.runs, m);
	if (stopped)
		stop(128 + stop_signal, "");
	return stopped;
}

/* experiment_leave: at every exit the user's house is as it was. */
static void
experiment_leave(void)
{
	struct attempt *a = unfinished;

	leaving = 1;
	unfinished = NULL;
	if (a != NULL)			/* die came in the middle of it */
		a->outcome = INTERRUPTED;
	if (a != NULL && tree_there()) {
		attempt_commit(a);
		tree_put_back(a->ref, a->commit);
		if (in_clone && clone_fetch(a->run) != 0) {
			warn("cannot fetch run %d: %s", a->run, git_fault());
			a->commit[0] = '\0';	/* it goes with the clone */
			memset(&a->changes, 0, sizeof a->changes);
		}
	}
	tree_touched &= tree_there();
	tree_home();
	if (a != NULL && a->ended.seconds > 0)	/* claude did run */
		ledger_row(a, 0);
	private_remove(AT_FDCWD, private_dir);
	private_dir[0] = '\0';
	leaving = 0;
}

/* ---- the same command again: one runner at a time, and what is missing -- */

/* results_lock: who has it locked has the prefix in this directory. */
static const char *
results_lock(void)
{
	return text("%s/%s--lock", repo.output, opt.prefix);
}

/* experiment_known: was it started before? */
static int
experiment_known(void)
{
	return access(text("%s/%s", repo.output,
	    experiment_file("experiment")), F_OK) == 0;
}

/* trailers_read: what the commit that ends a finished attempt says of it. */
static int
trailers_read(const char *commit, struct attempt *a)
{
	const char *line;
	int o, ours = 0, known = 0;

	git("log", "-1", "--format=%B", commit);
	while ((line = git_next('\n')) != NULL) {
		if (begins(line, "Experiment: "))
			ours = strcmp(line + strlen("Experiment: "),
			    opt.prefix) == 0;
		for (o = 0; o <= OUT_OF_TIME && begins(line, "Outcome: "); o++)
			if (strcmp(line + strlen("Outcome: "),
			    outcome_names[o]) == 0) {
				a->outcome = (enum outcome)o;
				known++;
			}
		known += sscanf(line, "Run: %d", &a->run) +
		    sscanf(line, "Iteration: %d", &a->iteration) +
		    sscanf(line, "Attempt: %d", &a->number) > 0;
		sscanf(line, "Seconds: %lf", &a->ended.seconds);
		sscanf(line, "Exit-Status: %d", &a->ended.status);
		sscanf(line, "Survivors: %d", &a->ended.survivors);
	}
	return ours && known >= 4;
}

/* changes_between: two commits. */
static struct changes
changes_between(const char *from, const char *to)
{
	git("diff-tree", "-r", "-z", "--numstat", "--no-renames", from, to);
	return changes_listed();
}

/* resume_row: the row of a finished attempt, from its commit; 0: none. */
static int
resume_row(const struct run *r, const char *branch)
{
	const char *name;
	struct attempt a = { 0 };
	int fd;

	memset(&transcript, 0, sizeof transcript);
	if ((note_facts.n > 0 && strcmp(branch, note_facts.v[3]) == 0 &&
	    strcmp(note_facts.v[4], "at work") == 0) ||
	    !trailers_read(branch, &a) || a.run != r->id ||
	    a.iteration != r->next || !(a.ended.seconds >= 0 &&
	    a.ended.seconds <= opt.timeout + ENOUGH_S))
		return 0;
	COPY(tree_start, r->commit);
	COPY(a.commit, git_said("rev-parse", branch));
	a.changes = changes_between(tree_start, a.commit);
	protected_look(&a);
	name = result_name(a.run, a.iteration,
	    text("attempt-%d.jsonl", a.number));
	if ((fd = file_open(output_fd, name, 0)) >= 0) {
		transcript_read(fd);
		close(fd);
	}
	ledger_row(&a, a.ended.seconds);
	say("%s: %s, by its commit", point_name(a.run, a.iteration),
	    outcome_names[a.outcome]);
	return 1;
}

/* resume_branches: the ledger knows them all, or learns of them, or we die. */
static void
resume_branches(void)
{
	struct words now = { NULL, 0 };
	const char *name;
	int run, m;
	size_t i;

	refs_read(&now);
	for (i = 0; i < now.n; i++) {
		name = ref_field(now.v[i], 0);
		if (!branch_parse(name, &run, &m) ||
		    (run <= opt.runs && (run < opt.first || run > opt.last)))
			continue;	/* of prefix-run-2, say */
		if (run < 1 || run > opt.runs || m < 1 || m > runs[run].next ||
		    strcmp(name, branch_ref(run, m)) != 0)
			die(EXIT_USAGE, "%s: expected no branch of this name, "
			    "which the ledger does not know: rename it", name);
		if (m == runs[run].next && resume_row(&runs[run], name))
			ledger_read();
		if (m == runs[run].next && !run_over(&runs[run]) &&
		    opt.isolate && !opt.benchmark_only &&
		    *ref_field(now.v[i], 3) != '\0')
			die(EXIT_USAGE, "%s: expected a branch that no work "
			    "tree has checked out, since its iteration is made "
			    "next: check out another", name);
	}
	words_free(&now);
}

/* resume_diffstats: a crash may have come between a row and this one. */
static void
resume_diffstats(void)
{
	FILE *in = file_stream(output_fd,
	    experiment_file(tables[DIFFSTATS].kind));
	struct words there = { NULL, 0 };
	struct attempt a = { 0 };
	char *field[9];
	int id, m;

	while (in != NULL && csv_read(in, field, 9) == 9)
		words_add(&there, text("%s,%s", field[1], field[2]));
	words_sort(&there);
	for (id = (int)opt.first; id <= opt.last; id++)
		for (m = 1; m < runs[id].next; m++)
			if (words_find(&there, text("%d,%d", id, m)) == NULL) {
				a.run = id;
				a.iteration = m;
				COPY(tree_start, m == 1 ? repo.base :
				    branch_ref(id, m - 1));
				a.changes = changes_between(tree_start,
				    branch_ref(id, m));
				diffstats_row(&a);
			}
	if (in != NULL)
		fclose(in);
	words_free(&there);
}

/* resume_home: has the user gone home himself?  He is on a branch of his. */
static int
resume_home(void)
{
	char head[NAME_SIZE];
	int run, m;

	if (!git_asks("symbolic-ref", "-q", "HEAD"))
		return 0;
	COPY(head, fd_line(git_out));
	return ref_id(head)[0] != '\0' && !branch_parse(head, &run, &m);
}

/* resume_known: is commit where a run of ours begins, or has come to? */
static int
resume_known(const char *commit)
{
	int id = 0;

	while (id <= opt.runs && strcmp(commit, runs[id].commit) != 0)
		id++;			/* 0 is none: it is at the baseline */
	return id <= opt.runs;
}

/* resume_keep: what the last life, on this branch, left in the tree is kept. */
static void
resume_keep(const char *branch)
{
	char left[ID_SIZE], tip[ID_SIZE] = "", stash[ID_SIZE];
	struct attempt a = { .outcome = INTERRUPTED };
	char *message;

	tree_branch[0] = '\0';
	COPY(tree_start, repo.base);
	if (branch_parse(branch, &a.run, &a.iteration) && a.run <= opt.runs &&
	    git_commit(branch)) {
		COPY(tip, fd_line(git_out));
		COPY(tree_start, a.iteration == runs[a.run].next ?
		    runs[a.run].commit : tip);
	} else {
		a.run = a.iteration = 0;
	}
	a.number = attempt_number(&runs[a.run], a.iteration, 0);
	COPY(a.ref, attempt_ref(a.run, a.iteration, a.number));
	message = claude_message(&a);
	COPY(stash, tree_autostash());
	tree_settle();
	ref_keep(a.ref, "-refs/autostash", stash);
	COPY(left, git_commit("HEAD") ? fd_line(git_out) : tree_start);
	if (resume_known(left))
		COPY(tree_start, left);
	else if (strcmp(left, tip) != 0)
		ref_keep(a.ref, "-refs/branch", tip);
	git("read-tree", left);
	tree_add();
	if (tree_changes().files > 0 || strcmp(left, tree_start) != 0)
		COPY(a.commit, commit_tree(left, message));
	tree_keep(a.ref, a.commit);
	if (git_asks("rev-parse", "-q", "--verify", a.ref))
		say("what was left in the tree is kept as %s", a.ref);
	free(message);
}

/* resume_tree: a runner was killed here; its note says how all was before. */
static void
resume_tree(void)
{
	const char *name, *was;
	char *now;
	size_t i;

	if (note_facts.n == 0)
		return;
	COPY(repo.home, strcmp(note_facts.v[1], "HEAD") == 0 ? "" :
	    note_facts.v[1]);
	COPY(repo.home_commit, note_facts.v[2]);
	tree_inherited = 1;
	refs_undo();
	tree_inherited = 0;
	for (i = 0; i < note_files.n; i++) {
		was = strchr(note_files.v[i], '\n') + 1; /* see note_write */
		name = text("%.*s", (int)(was - 1 - note_files.v[i]),
		    note_files.v[i]);
		now = file_text(AT_FDCWD, name, NULL);
		if (now == NULL ? *was != '-' : *was != '+' ||
		    strcmp(now, was + 1) != 0)
			warn("%s has changed since the runner was killed: look "
			    "at it", name);
		free(now);
	}
	if (resume_home()) {
		unlink(tree_file(NOTE_NAME));
		return;
	}
	/* His branch may have grown: it is as it is now. */
	if (repo.home[0] != '\0' && git_commit(repo.home))
		refs_put(repo.home, fd_line(git_out));
	private_make();
	private_use();
	resume_keep(note_facts.v[3]);
	tree_touched = 1;		/* not sooner: if it dies, all stays */
	experiment_leave();
}

/* resume_results: as the ledger and the branches have them; are any missing? */
static int
resume_results(void)
{
	int id, missing = 0;

	table_mend(&tables[LEDGER]);
	table_mend(&tables[DIFFSTATS]);
	ledger_read();
	resume_branches();
	resume_diffstats();
	for (id = (int)opt.first; id <= opt.last; id++)
		missing |= !run_measured(&runs[id]);
	if (!missing && opt.last - opt.first + 1 == opt.runs)
		say("prefix %s: all runs are finished (%ld)", opt.prefix,
		    opt.runs);
	else if (!missing)
		say("prefix %s: runs %ld to %ld are finished", opt.prefix,
		    opt.first, opt.last);
	return missing;
}

/* ---- the experiment, and its plan --------------------------------------- */

/* experiment_begin: what it is, in experiment.csv, and its baseline. */
static void
experiment_begin(void)
{
	const char *claude[] = { repo.claude, "--version", NULL };
	const char *name;
	char *is, *was;
	size_t i, size;
	FILE *to;

	if (!resumed) {
		if (program_run(repo.claude, claude, &agent_vars,
		    VERSION_TIMEOUT_S, 1) != 0 && !stopping())
			warn("%s --version fails: %s", repo.claude,
			    fd_line(git_err));
		settings_now(&settings_all, fd_line(git_out));
	}
	to = memory_begin(&is, &size);
	for (i = 0; i < settings_all.n; i += 2)
		csv_line(to, (const char *const[]){ settings_all.v[i],
		    settings_all.v[i + 1], NULL });
	memory_end(to);
	name = experiment_file("experiment");
	was = file_text(output_fd, name, NULL);
	if (was == NULL || strcmp(is, was) != 0) {
		lock_settings(F_WRLCK);
		to = file_begin(name);
		fwrite(is, 1, size, to);
		file_end(to, name);
	}
	lock_settings(F_RDLCK);
	experiment_csv = kept_now(experiment_file("experiment"));
	free(is);
	free(was);
	table_append(&tables[LEDGER], NULL);
	if (!resumed)
		ledger_read();
	/* The last: where a ref of the prefix is, experiment.csv is. */
	if (!resumed || !git_commit(text(REFS "%s/baseline", opt.prefix)))
		ref_set(text(REFS "%s/baseline", opt.prefix), repo.base);
}

/* jobs_share: what our children know of each other. */
static void
jobs_share(void)
{
	/* POSIX.1-2024; every system has it.  A file may have no room. */
	void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct table *t;
	size_t size;
	char *rows;

	if (memory == MAP_FAILED)
		die(1, "cannot share memory:");
	shared = memory;
	job = shared->jobs;
	for (t = tables; t < tables + TABLES; t++) {
		t->journal = fd_scratch();	/* our children share it */
		rows = file_text(output_fd, experiment_file(t->kind), &size);
		if (fd_write(t->journal, rows, size) != 0)
			die(1, "cannot write a temporary file:");
		free(rows);
	}
}

struct point {				/* what is to be measured */
	int run, iteration;
};

/*
 * points_shuffle: by Fisher and Yates, with the generator of POSIX's example
 * of rand(), so that a seed means the same order everywhere.
 */
static void
points_shuffle(struct point *points, size_t n)
{
	unsigned long next = (unsigned long)opt.seed;
	struct point other;
	size_t i, k;

	for (i = n; i > 1; i--) {
		next = (next * 1103515245UL + 12345UL) & 0xffffffffUL;
		k = (next / 65536UL) % 32768UL % i;
		other = points[i - 1];
		points[i - 1] = points[k];
		points[k] = other;
	}
}

/* points_measure: all that is wanted, in an order by chance; 1: interrupted. */
static int
points_measure(void)
{
	struct point *points = NULL;
	size_t n = 0, i;
	int id, m, stopped = 0;

	for (id = (int)opt.first; id <= opt.last; id++)
		for (m = 0; m < runs[id].next; m++)
			if (run_wants(&runs[id], m)) {
				points = resize(points, (n + 1) *
				    sizeof *points);
				points[n].run = id;
				points[n++].iteration = m;
			}
	if (opt.seed == 0)
		opt.seed = 1 + (long)(time(NULL) % 1000000);
	if (!plan_only) {
		points_shuffle(points, n);
		say("%zu to measure, in the order of --seed %ld", n, opt.seed);
	}
	for (i = 0; i < n && !stopped; i++) {
		clone_work(job, points[i].run);
		stopped = benchmark_point(points[i].run, points[i].iteration);
	}
	free(points);
	return stopped;
}

/* job_run: a run in a clone, or 0 to measure all, as a process of its own. */
static void
job_run(int id)
{
	int stopped;

	in_clone = 1;
	signals_block();
	show.parents = show.drawn = show.on;
	show.on = 0;
	/* First: at every exit it is removed, and so far it is all runs'. */
	COPY(private_dir, text("%s/run-%d", private_dir, id));
	stopped = job_wait(AGENT);	/* the git of a clone is work, too */
	if (!stopped) {
		clone_make(id);
		stopped = id == 0 ? points_measure() : run(&runs[id]);
	}
	exit(stopped ? stopping() ? 128 + stop_signal : shared->status : 0);
}

/* job_start: the same, where there is room; how many were started, 0 or 1. */
static int
job_start(int id)
{
	struct job *j = shared->jobs;
	pid_t pid;

	while (j->pid != 0)
		j++;
	j->run = id;
	j->state = IDLE;
	j->start = monotonic();
	COPY(j->what, id == 0 ? "" : text("run %d/%ld", id, opt.runs));
	fflush(NULL);
	if ((pid = fork()) < 0) {	/* those at work end first */
		stop(1, text("cannot start run %d: %s", id, strerror(errno)));
		return 0;
	}
	if (pid == 0) {
		job = j;
		job->pid = getpid();
		job_run(id);
	}
	j->pid = pid;
	return 1;
}

/* job_ended: a child is no more; returns how many runs that makes, 0 or 1. */
static int
job_ended(pid_t pid, int status)
{
	struct job *j = shared->jobs;

	while (j < shared->jobs + opt.jobs && j->pid != pid)
		j++;
	if (j == shared->jobs + opt.jobs)
		return 0;		/* an orphan of one that was killed */
	if (status > 128 && stop_signal == 0) {
		warn("run %d was killed by signal %d", j->run, status - 128);
		clone_work(j, j->run);
		process_sweep(0);
	}
	j->pid = 0;
	if (status != 0 && shared->status == 0)
		shared->status = status > 128 && stop_signal == 0 ? 1 : status;
	return 1;
}

/* jobs: all runs, so many at once; each is a child, so we run nothing. */
static void
jobs(void)
{
	int id = opt.benchmark_only ? 0 : (int)opt.first;
	int busy = 0, told = 0, status, i;
	pid_t pid;

	for (;;) {
		while (id > 0 && id <= opt.last && run_measured(&runs[id]))
			id++;
		if (id <= (opt.benchmark_only ? 0 : opt.last) &&
		    busy < opt.jobs && !ending()) {
			busy += job_start(id++);
			continue;
		}
		if (busy == 0)
			break;
		show_draw(monotonic());
		alarm(show.on ? TICK_TERMINAL_S : 0);
		if (stop_signal == 0 || told)
			signal_take();
		for (i = 0; stop_signal != 0 && !told && i < opt.jobs; i++)
			process_kill(shared->jobs[i].pid, stop_signal);
		told = stop_signal != 0;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			busy -= job_ended(pid, process_status(status));
	}
	alarm(0);
}

/* experiment: all runs that are asked for; the exit status. */
static int
experiment(void)
{
	int id;

	for (id = (int)opt.first; id <= opt.last; id++)
		job->cost += runs[id].cost;	/* so far: of former starts */
	if (opt.isolate)
		jobs();
	for (id = (int)opt.first; !opt.isolate && id <= opt.last; id++)
		if (!run_measured(&runs[id]) && run(&runs[id]))
			break;
	output_again();
	tables_back();
	ledger_read();			/* as all have left it */
	for (id = (int)opt.first; id <= opt.last && !stopping(); id++)
		if (!run_measured(&runs[id]))
			stop(1, text("results of run %d were removed", id));
	return stopping() ? 128 + stop_signal : shared->status;
}

/* plan_hours: the worst case, as the last line of the plan. */
static void
plan_hours(void)
{
	double n = (double)(opt.last - opt.first + 1);
	double points = opt.benchmarks.n == 0 ? 0 :
	    n * (opt.every_iteration ? 1 + (double)opt.iterations : 2);
	double agent = n * opt.timeout / 3600;
	double retries = n * (double)opt.iterations * (double)opt.retries *
	    opt.iteration_timeout / 3600;
	double benchmarks = points * ((double)opt.benchmarks.n *
	    (double)opt.samples + (opt.build != NULL)) *
	    opt.benchmark_timeout / 3600;

	printf("# at most %.1f hours: %.1f of agent time, %.1f of attempts that"
	    " time out, %.1f of benchmarks\n", agent + retries + benchmarks,
	    agent, retries, benchmarks);
}

/* plan_clone: the commands that make one, at a name that stands for its own. */
static void
plan_clone(int run)
{
	if (!opt.isolate)
		return;
	COPY(top, text("%s/run-%d/clone/%s", temporary(), run,
	    strrchr(top, '/') + 1));
	COPY(repo.dir, text("%s/.git", top));
	printf("mkdir -p ");
	quote(stdout, top);
	putchar('\n');
	clone_init(run);
}

/* plan: every command of an experiment in which all goes well. */
static void
plan(void)
{
	struct run r;
	int id;

	if (opt.isolate)
		ref_set(text(REFS "%s/baseline", opt.prefix), repo.base);
	for (id = (int)opt.first; id <= opt.last; id++) {
		plan_clone(id);
		run_begin(&r, id);
		run(&r);
	}
	if (!opt.isolate)
		tree_restore(tree_user(), repo.home_commit);
	plan_hours();
}

/* ---- options and main --------------------------------------------------- */

/* usage: and the defaults, which are those of initial; then exit. */
static void
usage(const struct options *initial)
{
	const struct setting *s;

	opt = *initial;
	printf("usage: cc-run-experiments [options] directory prefix "
	    "[baseline-branch]\n           [-- claude-argument ...]\n\n");
	for (s = settings; s->name != NULL; s++)
		printf("  %s --%-25s %s%s\n", s->letter < 256 ?
		    text("-%c,", s->letter) : "   ", text("%s %s", s->name,
		    s->value == NULL ? "" : s->value), s->help,
		    s->kind == NUMBER || s->kind == COUNT ?
		    text(" (%ld)", *(const long *)s->at) :
		    s->kind == TIME ?
		    text(" (%s)", duration(*(const double *)s->at)) :
		    s->at == &opt.output ? text(" (%s)", output_default) : "");
	printf("\nTIME is a number with an optional s, m, h or d.  Without "
	    "baseline-branch: %s.\n", baseline_default);
	exit(printed());
}

/* option_number: a whole number of at least least. */
static long
option_number(const struct setting *s, const char *value)
{
	const long most = s->kind == COUNT ? JOBS_MOST : 1000000;
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || errno != 0 ||
	    (double)n < s->least || n > most)
		die(EXIT_USAGE, "--%s %s: expected a whole number from %.0f to "
		    "%ld", s->name, value, s->least, most);
	return n;
}

/* option_time: seconds, from a number with an optional s, m, h or d. */
static double
option_time(const struct setting *s, const char *value)
{
	static const char units[] = "smhd";
	static const double each[] = { 1, 60, 3600, 86400 };
	char *end;
	double n = strtod(value, &end);
	const char *unit = *end == '\0' ? units : strchr(units, *end);

	if (end == value || unit == NULL || (*end != '\0' && end[1] != '\0') ||
	    strspn(value, "0123456789.") != (size_t)(end - value) ||
	    (n *= each[unit - units]) < s->least || n > 3650 * 86400.0)
		die(EXIT_USAGE, "--%s %s: expected a time of at least %gs, as "
		    "90, 90s, 30m, 2h or 1.5d", s->name, value, s->least);
	return n;
}

/* option_benchmark: NAME=COMMAND, whose NAME becomes part of file names. */
static void
option_benchmark(const char *value)
{
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (len == 0 || len > 64 || !isalnum((unsigned char)*value) ||
	    value[len] != '=' || value[len + 1] == '\0' ||
	    begins(value, "build="))
		die(EXIT_USAGE, "--benchmark %s: expected NAME=COMMAND, NAME "
		    "being letters, digits, '_', '.' and '-', not build",
		    value);
	if (words_at(&opt.benchmarks, value, len + 1) < opt.benchmarks.n)
		die(EXIT_USAGE, "--benchmark %s: expected another NAME than "
		    "that of an earlier one", value);
	words_add(&opt.benchmarks, value);
}

/* option_range: N or N-M, from opt.first to opt.last. */
static void
option_range(const struct setting *s, const char *value)
{
	char *end;

	errno = 0;
	opt.first = opt.last = strtol(value, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		opt.last = strtol(end + 1, &end, 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || errno != 0 ||
	    opt.first < 1 || opt.last < opt.first)
		die(EXIT_USAGE, "--%s %s: expected a run or a range of them, "
		    "as 3 or 1-4", s->name, value);
}

/* option_set: one option, as getopt_long found it. */
static void
option_set(const struct setting *s, const char *value)
{
	switch (s->kind) {
	case COUNT:
		opt.isolate = 1;
		/* FALLTHROUGH */
	case SEED:
	case NUMBER:
		*(long *)s->at = option_number(s, value);
		break;
	case RANGE:
		option_range(s, value);
		break;
	case TIME:
		*(double *)s->at = option_time(s, value);
		break;
	case DEFINES:
	case FLAG:
		*(int *)s->at = 1;
		break;
	case BENCHMARK:
		option_benchmark(value);
		break;
	case PATHS:
		words_add(s->at, value);
		break;
	case COMMAND:
	case PATH:
		if (*value == '\0')
			die(EXIT_USAGE, "--%s: expected more than an empty "
			    "word", s->name);
		*(const char **)s->at = value;
		break;
	}
}

/* options_parse: the words before the first --. */
static void
options_parse(int argc, char **argv)
{
	static struct option longs[40];
	const char *last = argv[argc - 1];	/* before words are permuted */
	char shorts[80] = ":";
	int c, n;

	for (n = 0; settings[n].name != NULL; n++) {
		longs[n].name = settings[n].name;
		longs[n].has_arg = settings[n].value != NULL;
		longs[n].val = settings[n].letter;
		if (settings[n].letter < 256)
			sprintf(shorts + strlen(shorts), "%c%s",
			    settings[n].letter, longs[n].has_arg ? ":" : "");
	}
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == ':')
			die(EXIT_USAGE, "%s: expected a value after it: see "
			    "cc-run-experiments --help", last);
		for (n = 0; settings[n].name != NULL &&
		    settings[n].letter != (c == '?' ? optopt : c); n++)
			;
		if (c == '?')		/* optopt: it takes none, or unknown */
			die(EXIT_USAGE, "%s: unknown or ambiguous option, or it"
			    " takes no value: see cc-run-experiments --help",
			    settings[n].name == NULL && optopt > 0 ?
			    text("-%c", optopt) : argv[optind - 1]);
		option_set(&settings[n], optarg);
	}
}

/* options_read: all words of the command line, or one line and exit 2. */
static void
options_read(int argc, char **argv)
{
	const struct options initial = opt;
	int i, words;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		;
	words = i;			/* what follows is claude's */
	for (i++; i < argc; i++)
		words_add(&opt.claude_arguments, argv[i]);
	argv[words] = NULL;
	options_parse(words, argv);
	if (opt.help)
		usage(&initial);
	if (opt.version) {
		puts("cc-run-experiments " VERSION);
		exit(printed());
	}
	if (words - optind < 2)
		die(EXIT_USAGE, "expected directory prefix [baseline-branch]: "
		    "see cc-run-experiments --help");
	if (words - optind > 3)
		die(EXIT_USAGE, "%s: excess operand: expected directory prefix "
		    "[baseline-branch]", argv[optind + 3]);
	opt.directory = argv[optind];
	opt.prefix = argv[optind + 1];
	if (words - optind == 3)
		opt.baseline = argv[optind + 2];
	if (opt.last > opt.runs)
		die(EXIT_USAGE, "--run %ld: expected at most --runs, %ld",
		    opt.last, opt.runs);
	if (opt.benchmark_only && opt.benchmarks.n == 0)
		die(EXIT_USAGE, "--benchmark-only: expected --benchmark, what "
		    "to measure");
	opt.isolate |= opt.benchmark_only;
	if (opt.first == 0) {
		opt.first = 1;
		opt.last = opt.runs;
	}
}

/* check_program: git or claude, as an absolute path. */
static void
check_program(const char *name, char *found)
{
	int status = process_find(name, found);

	if (status != 0)
		die(status, "%s: %s: expected an executable file, or a name on"
		    " PATH%s", name, status == EXIT_NOTFOUND ? "not found" :
		    "cannot be executed", strcmp(name, "git") == 0 ? "" :
		    ": set CC_CLAUDE or PATH");
}

/* check_prompt: the base prompt's text. */
static void
check_prompt(void)
{
	size_t size;

	opt.prompt = opt.no_plugin ? prompt_plain : prompt_plugin;
	if (opt.prompt_file == NULL)
		return;
	opt.prompt = file_text(AT_FDCWD, opt.prompt_file, &size);
	if (opt.prompt == NULL || strlen(opt.prompt) != size ||
	    strspn(opt.prompt, " \t\r\n") == size)
		die(EXIT_USAGE, "--prompt %s: expected a readable file with "
		    "text in it", opt.prompt_file);
}

static void
manifest_field(struct json *j)
{
	if (strcmp(j->path, "name") == 0)
		COPY(plugin_name, j->text);
}

/* plugin_manifest: is there one?  Then the plugin has its name from it. */
static int
plugin_manifest(void)
{
	static struct json j;

	j.in = fopen(text("%s/.claude-plugin/plugin.json", plugin_dir), "r");
	if (j.in == NULL)
		return 0;
	j.pretty = 1;
	j.field = manifest_field;
	json_line(&j);
	fclose(j.in);
	return 1;
}

/* check_plugin: $CC_PLUGIN_DIR is a plugin, or a directory of plugins. */
static void
check_plugin(void)
{
	static const char *const parts[] = { "skills", "commands", "agents",
	    "hooks", NULL };
	const char *dir = getenv("CC_PLUGIN_DIR");
	int found = 0, i;
	struct dirent *d;
	DIR *in = NULL;

	if (dir != NULL && realpath(dir, plugin_dir) != NULL)
		in = opendir(plugin_dir);
	if (in == NULL) {
		plugin_dir[0] = '\0';
		if (opt.no_plugin)
			return;
		die(EXIT_USAGE, "CC_PLUGIN_DIR=%s: expected the plugin's "
		    "directory; or use --no-plugin", dir == NULL ? "" : dir);
	}
	COPY(plugin_name, strrchr(plugin_dir, '/') + 1);
	for (i = 0; parts[i] != NULL; i++)
		found |= access(text("%s/%s", plugin_dir, parts[i]), R_OK) == 0;
	found |= plugin_manifest();
	while ((d = dir_next(in)) != NULL)
		found |= access(text("%s/%s/.claude-plugin/plugin.json",
		    plugin_dir, d->d_name), R_OK) == 0;
	if (!found && !opt.no_plugin)
		die(EXIT_USAGE, "CC_PLUGIN_DIR=%s: expected a plugin, with "
		    ".claude-plugin/plugin.json, skills, commands, agents or "
		    "hooks", dir);
}

/* check_output: its absolute path, before anything changes directory. */
static void
check_output(void)
{
	char parent[PATH_MAX], real[PATH_MAX];
	const char *name = "";
	struct stat st;
	char *s;

	COPY(parent, opt.output);
	for (s = parent + strlen(parent); s > parent + 1 && s[-1] == '/';)
		*--s = '\0';
	if (stat(parent, &st) != 0 && errno == ENOENT) {	/* a new one */
		s = strrchr(parent, '/');
		name = text("/%s", s == NULL ? parent : s + 1);
		COPY(parent, s == NULL ? "." : s == parent ? "/" :
		    text("%.*s", (int)(s - parent), parent));
	}
	if (realpath(parent, real) == NULL || stat(real, &st) != 0 ||
	    !S_ISDIR(st.st_mode) || access(real, W_OK | X_OK) != 0)
		die(EXIT_USAGE, "--output %s: expected a directory to write to,"
		    " or a new one in such a directory", opt.output);
	COPY(repo.output, text("%s%s", strcmp(real, "/") == 0 && *name != '\0' ?
	    "" : real, name));
}

/* check_clean: nothing half done or uncommitted; what git ignores now, and the
 * output, is the user's. */
static void
check_clean(void)
{
	const char *const *name, *line;

	for (name = tree_leftovers; strcmp(*name, "MERGE_MSG") != 0; name++)
		if (access(tree_file(*name), F_OK) == 0)
			die(EXIT_USAGE, "%s: exists: finish or abort what git "
			    "is at there", tree_file(*name));
	words_free(&tree_users);
	git("status", "--porcelain", "-z", "--untracked-files=all",
	    "--ignored=matching");
	while ((line = git_next('\0')) != NULL) {
		if (!begins(line, "!! "))
			die(EXIT_USAGE, "%s: expected no uncommitted changes, "
			    "but git status says \"%s\": commit or stash them, "
			    "or use --isolate", top, line);
		words_add(&tree_users, line + 3);
	}
	if (repo.output_inside)
		words_add(&tree_users, text("%s/", repo.output + strlen(top) +
		    1));
	words_sort(&tree_users);
}

/* check_repository: where it is; we go there. */
static void
check_repository(void)
{
	struct words said = { NULL, 0 };
	struct stat st, dir;

	if (opt.directory[0] == '\0' ||
	    git_try("-C", opt.directory, "rev-parse", "--path-format=absolute",
	    "--show-toplevel", "--git-dir", "--git-common-dir") != 0 ||
	    git_listed(&said) != 3)
		die(EXIT_USAGE, "directory \"%s\": expected one in the work "
		    "tree of a git repository (git 2.31 or newer), without a "
		    "line break in its path: %s",
		    opt.directory, fd_line(git_err));
	if (realpath(said.v[0], top) == NULL)
		die(1, "cannot look at %s:", said.v[0]);
	COPY(repo.dir, said.v[1]);
	COPY(repo.common, said.v[2]);
	COPY(repo.project, said.v[2]);
	words_free(&said);
	words_set(&git_vars, "GIT_DIR", repo.dir);
	words_set(&git_vars, "GIT_WORK_TREE", top);
	mark_use(top);
	if (chdir(top) != 0)
		die(EXIT_USAGE, "%s: cannot be entered:", top);
	if (stat(top, &st) != 0 || stat(repo.dir, &dir) != 0)
		die(1, "cannot look at %s:", top);
	repo.top_mode = st.st_mode & 07777;
	repo.dir_mode = dir.st_mode & 07777;
	COPY(repo.inode, text("%llx-%llx", (unsigned long long)dir.st_dev,
	    (unsigned long long)dir.st_ino));
}

/* check_index: no submodules, and nothing that git is told not to look at. */
static void
check_index(void)
{
	const char *line, *path;

	if (git_asks("config", "--type=bool", "core.sparseCheckout") &&
	    strcmp(fd_line(git_out), "true") == 0)
		die(EXIT_USAGE, "%s: expected all files, not a sparse "
		    "checkout, into which new ones cannot be committed: git "
		    "sparse-checkout disable, or use --isolate", top);
	git("ls-files", "-z", "-v", "-s");
	while ((line = git_next('\0')) != NULL) {
		path = strchr(line, '\t') + 1;
		if (begins(line + 2, "160000 "))
			die(EXIT_USAGE, "%s: expected no submodules, which an "
			    "experiment cannot put back", path);
		if (islower((unsigned char)line[0]) ||
		    (line[0] == 'S' && access(path, F_OK) == 0))
			die(EXIT_USAGE, "%s: expected no file whose "
			    "uncommitted changes git is told to overlook: git "
			    "update-index --no-assume-unchanged "
			    "--no-skip-worktree", path);
	}
}

/* check_output_inside: is the output inside the work tree, and harmless? */
static void
check_output_inside(void)
{
	if (strcmp(repo.output, top) == 0)
		die(EXIT_USAGE, "--output %s: expected another directory than "
		    "the top of the work tree", opt.output);
	if (path_below(repo.output, repo.dir) ||
	    path_below(repo.output, repo.common))
		die(EXIT_USAGE, "--output %s: expected a directory that is not "
		    "git's own", opt.output);
	repo.output_inside = path_below(repo.output, top);
	if (!repo.output_inside || opt.isolate)
		return;
	git("ls-files", "--", repo.output);
	if (fd_size(git_out) > 0)
		die(EXIT_USAGE, "--output %s: expected a directory without "
		    "committed files, but it has %s", opt.output,
		    fd_line(git_out));
}

/* check_prefix_name: it can name branches and files. */
static void
check_prefix_name(void)
{
	if ((!isalnum((unsigned char)opt.prefix[0]) && opt.prefix[0] != '_') ||
	    strlen(opt.prefix) > PREFIX_MAX || !git_asks("check-ref-format",
	    text("refs/heads/%s-run-1-iteration-1", opt.prefix)) ||
	    !git_asks("check-ref-format", text(REFS "%s/x", opt.prefix)))
		die(EXIT_USAGE, "prefix \"%s\": expected part of a branch name,"
		    " of at most %d characters, that begins with a letter, "
		    "digit or underscore", opt.prefix, PREFIX_MAX);
}

/* check_prefix: nothing has its name, no ref or file of an experiment. */
static void
check_prefix(void)
{
	char ref[NAME_SIZE], *s;
	const char *used, *path;
	const struct table *t;

	COPY(ref, text("refs/heads/%s", opt.prefix));
	for (s = ref + strlen("refs/heads/"); (s = strchr(s, '/')) != NULL;
	    *s++ = '/') {
		*s = '\0';
		if (git_asks("show-ref", "--verify", "-q", ref))
			die(EXIT_USAGE, "prefix %s: %s is a branch: choose "
			    "another prefix", opt.prefix, ref);
	}
	if (resumed)
		return;
	git("for-each-ref", "--count=1", "--format=%(refname)",
	    text("refs/heads/%s-run-*", opt.prefix),
	    text("refs/heads/%s-run-*/**", opt.prefix),
	    text(REFS "%s/", opt.prefix));
	used = fd_line(git_out);
	for (t = tables; *used == '\0' && t < tables + TABLES; t++) {
		path = text("%s/%s", repo.output, experiment_file(t->kind));
		used = access(path, F_OK) == 0 ? path : "";
	}
	/* Known is asked last: another runner may begin it as we look. */
	if (*used != '\0' && !experiment_known())
		die(EXIT_USAGE, "prefix %s: %s exists, but %s/%s does not: "
		    "name the same --output as then, or another prefix",
		    opt.prefix, used, repo.output,
		    experiment_file("experiment"));
}

/* check_paths: no file of commit stands where something of the user's is. */
static void
check_paths(const char *whose, const char *commit, const struct words *above)
{
	const char *line, *path;
	char name[NAME_SIZE];

	COPY(name, whose);
	git("ls-tree", "-r", "-z", commit);
	while ((line = git_next('\0')) != NULL) {
		path = strchr(line, '\t') + 1;
		if (begins(line, "160000 "))
			die(EXIT_USAGE, "%s: %s: expected no submodules, which "
			    "an experiment cannot put back", name, path);
		if (tree_is_users(path) != NULL ||
		    words_find(above, path) != NULL)
			die(EXIT_USAGE, "%s: %s: expected no committed file "
			    "where git ignores one now, or where results go: "
			    "move that one away", name, path);
	}
}

/* check_commits: the same for all that will be checked out. */
static void
check_commits(void)
{
	struct words above = { NULL, 0 };	/* directories of the user's */
	char *s, path[PATH_MAX];
	int id, m;
	size_t i;

	for (i = 0; i < tree_users.n; i++) {
		COPY(path, tree_users.v[i]);
		path[strlen(path) - 1] = '\0';
		while ((s = strrchr(path, '/')) != NULL) {
			*s = '\0';
			words_add(&above, path);
		}
	}
	words_sort(&above);
	check_paths(text("baseline %s", opt.baseline), repo.base, &above);
	for (id = (int)opt.first; resumed && id <= opt.last; id++)
		for (m = 1; m < runs[id].next; m++)
			if (run_wants(&runs[id], m))
				check_paths(branch_name(id, m), m ==
				    runs[id].next - 1 ? runs[id].commit :
				    branch_ref(id, m), &above);
	words_free(&above);
}

/* check_baseline: which commit is it? */
static void
check_baseline(void)
{
	if (resumed ? !git_commit(repo.base) :
	    git_asks("show-ref", "--verify", "-q", text("refs/heads/%s",
	    opt.baseline)) ? !git_commit(text("refs/heads/%s", opt.baseline)) :
	    git_try("rev-parse", "-q", "--verify", "--end-of-options",
	    text("%s^{commit}", opt.baseline)) != 0)
		die(EXIT_USAGE, "baseline %s: expected a branch or a commit of "
		    "%s: name yours after the prefix", opt.baseline, top);
	COPY(repo.base, fd_line(git_out));
	check_commits();
	if (opt.protect.n > 0 && git_protected(ARGV("ls-files",
	    "--error-unmatch", "--with-tree", repo.base, "--")) != 0)
		die(EXIT_USAGE, "--protect: expected paths of the baseline: "
		    "%s", fd_line(git_err));
}

/* check_identity: the user's name in commits, or ours where there is none. */
static void
check_identity(void)
{
	static const char *const vars[] = { "GIT_AUTHOR_IDENT",
	    "GIT_COMMITTER_IDENT" };
	const char *line;
	int i, known = 1;

	for (i = 0; i < 2; i++)
		known &= git_try("var", vars[i]) == 0;
	for (i = 0; i < 2; i++) {
		line = known ? git_said("var", vars[i]) : "cc-run-experiments "
		    "<cc-run-experiments@localhost> ";
		COPY(identity[2 * i], text("%.*s",
		    (int)(strstr(line, " <") - line), line));
		line = strstr(line, " <") + 2;
		COPY(identity[2 * i + 1], text("%.*s", (int)strcspn(line, ">"),
		    line));
	}
	if (!known)
		identity_use();
}

/* check_place: the programs, the files and the repository, not its tree. */
static void
check_place(void)
{
	const char *claude = getenv("CC_CLAUDE");
	const char *sandbox = getenv("IS_SANDBOX");

	environments();
	check_program("git", repo.git);
	if (!opt.benchmark_only)
		check_program(claude != NULL && *claude != '\0' ? claude :
		    claude_command[0], repo.claude);
	check_prompt();
	check_plugin();
	check_output();
	check_repository();
	check_output_inside();
	check_prefix_name();
	check_identity();
	if (geteuid() == 0 && !opt.benchmark_only &&
	    (sandbox == NULL || strcmp(sandbox, "1") != 0))
		die(EXIT_USAGE, "claude refuses to work for root: be another "
		    "user, or set IS_SANDBOX=1 if this machine is a sandbox");
}

/* check_tree: nobody's work is in the way, nor is what we make in TMPDIR. */
static void
check_tree(void)
{
	const char *path = temporary();

	if (path_below(path, top) && !path_below(path, repo.dir) &&
	    git_try("check-ignore", "-q", path) != 0)
		die(EXIT_USAGE, "TMPDIR %.*s: expected a directory outside of "
		    "the work tree, or one that git ignores",
		    (int)(strrchr(path, '/') - path), path);
	check_clean();
	check_index();
	tree_note();
	check_baseline();
	if (!git_commit("HEAD"))
		die(EXIT_USAGE, "%s: expected HEAD to be a commit", top);
	COPY(repo.home_commit, fd_line(git_out));
	COPY(repo.home, git_asks("symbolic-ref", "-q", "HEAD") ?
	    fd_line(git_out) : "");
	check_prefix();
}

/* check_isolated: the same where the user's tree is not touched. */
static void
check_isolated(void)
{
	if (opt.benchmark_only && !resumed)
		die(EXIT_USAGE, "prefix %s: expected an experiment to measure, "
		    "but %s/%s is not there", opt.prefix, repo.output,
		    experiment_file("experiment"));
	check_baseline();
	if (git_asks("grep", "-q", "filter=lfs", repo.base, "--",
	    ":(top,glob)**/.gitattributes"))
		die(EXIT_USAGE, "baseline %s: expected no files under Git LFS, "
		    "which a clone lacks: work without --isolate",
		    opt.baseline);
	check_prefix();
	COPY(repo.branch, git_asks("show-ref", "--verify", "-q",
	    text("refs/heads/%s", opt.baseline)) ?
	    opt.baseline : baseline_default);
}

/* start_in_place: the tree becomes ours; 0: nothing is missing. */
static int
start_in_place(void)
{
	int missing = 1;

	if (note_read() && strcmp(note_facts.v[0], opt.prefix) != 0)
		die(EXIT_USAGE, "prefix %s: a runner of prefix %s was killed "
		    "here: type its command again first, or check out your "
		    "branch and remove %s", opt.prefix, note_facts.v[0],
		    tree_file(NOTE_NAME));
	if ((resumed = experiment_known())) {
		output_make();
		lock_open(&lock_results, results_lock());
		settings_agree();
		process_end_elders();
		missing = resume_results();
		resume_tree();
	}
	if (missing) {
		check_tree();
		output_make();
		if (!resumed)
			lock_open(&lock_results, results_lock());
		experiment_begin();
		private_make();
		private_use();
		index_copy(tree_file("index"), tree_index());
		refs_read(&refs);
		tree_known();
		tree_touched = 1;	/* from here on */
	}
	return missing;
}

/*
 * start_isolated: the same, but the user's tree is his, clean or not; other
 * runners may have this experiment at work, but none of our runs.
 */
static int
start_isolated(void)
{
	int missing = 1, id;

	private_make();
	chmod(private_dir, 0300);	/* agents find no other clone by ls */
	words_set(&git_vars, "GIT_INDEX_FILE", tree_index());	/* none */
	if (!(resumed = experiment_known()))
		check_isolated();
	output_make();
	lock_open(&lock_results, results_lock());
	for (id = (int)opt.first; id <= opt.last; id++)
		lock_take(&lock_results, id, F_WRLCK);
	lock_write(1);
	if ((resumed = experiment_known())) {
		settings_agree();
		missing = resume_results();
	}
	if (missing) {
		check_isolated();
		experiment_begin();
		jobs_share();
	}
	lock_write(0);
	return missing;
}

/* start_plan: print it, and start nothing. */
static int
start_plan(const char *lock)
{
	lock_look(lock);
	if ((resumed = experiment_known())) {
		output_fd = open(repo.output, O_RDONLY | O_CLOEXEC);
		settings_agree();
		ledger_read();
	}
	if (!opt.isolate)
		check_tree();
	else
		check_isolated();
	plan_only = 1;
	if (opt.benchmark_only) {
		plan_clone(0);
		points_measure();
	} else {
		plan();
	}
	return printed();
}

int
main(int argc, char **argv)
{
	const char *term = getenv("TERM");
	int fd, missing, status;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		;			/* no file of ours becomes 0, 1 or 2 */
	if (fd > 2)
		close(fd);
	for (fd = 3; fd < FDS; fd++)	/* and none of our caller's a child's */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	signals_block();
	options_read(argc, argv);
	show.on = isatty(STDERR_FILENO) && !opt.quiet && term != NULL &&
	    strcmp(term, "dumb") != 0;
	check_place();
	if (opt.dry_run)
		return start_plan(text("%s/" LOCK_NAME, repo.common));
	private_sweep();
	atexit(lock_drop);
	lock_open(&lock_repository, text("%s/" LOCK_NAME, repo.common));
	atexit(experiment_leave);	/* before the locks go */
	missing = opt.isolate ? start_isolated() : start_in_place();
	status = missing ? experiment() : 0;
	experiment_leave();
	if (!opt.quiet)
		ledger_table();
	printed();
	if (shared->reason[0] != '\0')
		warn("stopped: %s: the same command goes on from here",
		    shared->reason);
	fputs(show_clear(), stderr);
	lock_drop();			/* a signal runs no atexit */
	if (status >= 128) {
		signal(stop_signal, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		raise(stop_signal);
	}
	return status;
}
