/*
 * cc-run-experiments: run an experiment with the claude command (Claude Code)
 * on a git repository, and keep score in CSV files.
 *
 *	cc-run-experiments [options] directory prefix [baseline]
 *		[-- claude-argument ...]
 *
 *	for each run
 *	    a fresh copy of the baseline; measure it (iteration 0)
 *	    for each iteration
 *	        budget spent?  stop; enough time left?  no: end of run
 *	        attempt: run claude with the iteration's prompt; by outcome
 *	          success      keep, next iteration
 *	          capped       (the user's turn or money limit) keep, next
 *	          out of time  (the run's own limit) keep, end of run
 *	          failure      discard; second in a row? stop : next iteration
 *	          timeout      discard; retries left? attempt again : stop
 *	          rate limit   discard, stop (or --wait and attempt again)
 *	          denied       discard, stop
 *	          interrupted  discard, stop
 *	    end of run: measure the last iteration
 *
 * Keep: the branch <prefix>-run-<N>-iteration-<M> is the commit of the work.
 * Discard: the commit is refs/cc-run-experiments/<prefix>/run-<N>/
 * iteration-<M>/attempt-<K>.
 *
 * The design:
 *
 *  - Each run has a private copy of the project below $TMPDIR.  The runner's
 *    git has the user's repository as GIT_DIR, the copy as GIT_WORK_TREE and
 *    an index of its own, so a commit of what claude left goes directly into
 *    the user's repository.
 *  - The .git in the copy is made by hand before each attempt and thrown away
 *    afterwards.  Only commits on top of the start are taken from it.
 *  - The ledger, <prefix>--iterations.csv, is the truth.  A row per attempt is
 *    on disk before a ref moves.  Refs, diffstats and the table follow from
 *    the rows.  To continue is to read the ledger.
 *  - Each run is a child process.  A lock in the repository prevents two
 *    runners from making the same run.  Its holder may remove the run's copy.
 *  - --in-place: the work tree and the .git are the user's own.
 *
 * Exit status: 0 all runs are finished; 1 the runner could not go on;
 * 2 usage; 3 two failures in a row or budget spent; 75 rate limit, or another
 * runner has the run; 77 claude is denied; 124 the last retry timed out;
 * 126, 127 git or claude cannot be executed or is not found; 128+n ended by
 * signal n.
 *
 * Assumptions: the agent has the rights of the user.  This program does not
 * change the user's checkout, but an agent that searches for the checkout can:
 * use a sandbox.
 * Leftover processes outside their process group are found on Linux only.
 *
 * Build: cc -o cc-run-experiments cc-run-experiments.c
 * The manual is cc-run-experiments(1).
 */

#define _GNU_SOURCE 1		/* POSIX_SPAWN_SETSID in glibc's spawn.h */
#define _DARWIN_C_SOURCE 1	/* the same on macOS */
#define _FILE_OFFSET_BITS 64	/* lock offsets and large transcripts */
#define _TIME_BITS 64		/* years after 2037 on 32 bits */

#include <sys/ioctl.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <assert.h>
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
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

/* ---- configuration: the only lines that an operator edits ---------------- */

/*
 * Defaults of the options, waiting times, claude's command line, the prompts,
 * and how a rate limit is known.  tests/check shortens some waiting times, so
 * each is written as NAME = NUMBER.
 */

enum {
	RUNS = 5,			/* -r: runs of the experiment */
	ITERATIONS = 10,		/* -i: iterations of each run */
	TIMEOUT_S = 2 * 60 * 60,	/* -t: agent time for one run */
	ITERATION_TIMEOUT_S = 30 * 60,	/* agent time for one call */
	IDLE_TIMEOUT_S = 20 * 60,	/* longest silence of one call */
	RETRIES = 2,			/* new attempts after a timed-out one */
	BENCHMARK_TIMEOUT_S = 10 * 60,	/* a setup, build or benchmark */
	SAMPLES = 1,			/* executions of each benchmark */
	JOBS = 1, JOBS_MOST = 64,	/* -j: runs at work at once */
	ENOUGH_S = 60,			/* if less is left, the run ends */
	FAILURES = 2,			/* in a row, that stop everything */
	FREE_MB = 64,			/* free space that a call needs */
	FREE_INODES = 1000
};

enum {					/* seconds */
	GIT_TIMEOUT_S = 10 * 60,	/* one git command */
	STOPPING_S = 15,		/* all git commands after a signal */
	VERSION_TIMEOUT_S = 60,		/* claude --version */
	LINGER_S = 30,			/* silence after the last result */
	INT_S = 2,			/* between INT and TERM */
	GRACE_S = 5,			/* between TERM and KILL */
	SWEEP_S = 10,			/* killing leftover processes */
	ORPHAN_S = 30,			/* a killed runner's child ends */
	WAIT_S = 15 * 60,		/* --wait, if no reset time is known */
	WAIT_MORE_S = 60,		/* after a reset, and at least */
	WAIT_MOST_S = 24 * 60 * 60	/* in all */
};

static const char output_default[] = "benchmark-results";
static const char baseline_default[] = "main";

/*
 * The first word is $CC_CLAUDE or this name on PATH.  Each option is one word
 * with its value, because a list option would take the words after it.
 */
static const char *const claude_command[] = {
	"claude", "--dangerously-skip-permissions", "-p",
	"--output-format", "stream-json", "--verbose",
	"--setting-sources", "project",
	"--disallowedTools=ListAgents,SendMessage,EnterWorktree", NULL
};

/* NAME=COMMAND, used if no --benchmark is given. */
static const char *const benchmarks_default[] = { NULL };

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

/* How the text of a rate limit begins, if no JSON field tells it. */
static const char *const limit_texts[] = {
	"You've hit your ", "You're out of extra usage",
	"API Error: 400 You're out of extra usage",
	"Claude AI usage limit reached", "5-hour limit reached",
	"Session limit reached", "Weekly limit reached", "Opus limit reached",
	"Opus weekly limit reached", "Spending cap reached",
	"API Error: Rate limit reached", "API Error: 429",
	"API Error: Request rejected (429)",
	"API Error: Server is temporarily limiting requests", NULL
};

/* ---- constants and types that all sections use --------------------------- */

/*
 * Exit statuses, sizes, the table of options, the table of outcomes, and the
 * state that is one per process.  To add an option or an outcome, add a row
 * to its table.
 */

#define VERSION "2.0"
#define PROGRAM "cc-run-experiments"
#define REFS "refs/cc-run-experiments/"
#define MARK "CC_RUN_EXPERIMENTS_MARK"	/* in each child's environment */
#define READ_MOST ((off_t)1 << 30)	/* bytes read of an output, its end */

enum {					/* exit statuses */
	EXIT_USAGE = 2, EXIT_FAILURES = 3, EXIT_LATER = 75, EXIT_DENIED = 77,
	EXIT_TIMEOUT = 124, EXIT_NOEXEC = 126, EXIT_NOTFOUND = 127
};

enum {
	ID_SIZE = 72,			/* a commit id, SHA-256 as well */
	NAME_SIZE = 256,		/* a branch name, a JSON path */
	TEXT_SIZE = 8192,		/* claude's summary is cut there */
	JSON_DEPTH = 1000,		/* skip lines that nest deeper */
	DEPTH = 96,			/* directories held open at once */
	PREFIX_MAX = 150,		/* it is part of file names */
	RUNS_MOST = 500000,		/* half of the lock bytes of a prefix */
	LINE_SIZE = 1024 * 1024,	/* a benchmark's line is cut there */
	WRONG_SIZE = 1024 * 1024,	/* no arm check beyond this */
	MESSAGES_MOST = 10000,		/* of a call, whose tokens count */
	FDS = 4096			/* that a caller may leave open */
};

struct words {				/* a command line, an environment */
	const char **v;			/* ends in NULL if there is a word */
	size_t n;
};

struct benchmark {			/* --benchmark or --time */
	char *name, *command;
	int timed;			/* its sample is the wall time */
};

struct options {			/* the command line */
	long runs, iterations, retries, samples, jobs;
	long first, last;		/* --run; 0: all */
	double timeout, iteration_timeout, idle_timeout, benchmark_timeout;
	double budget;			/* dollars; 0: none */
	const char *directory, *prefix, *baseline;
	const char *output, *prompt_file, *setup, *build;
	struct benchmark *benchmarks;
	size_t benchmark_n;
	struct words protect, claude_arguments;
	int no_plugin, every_iteration, benchmark_only, in_place, wait;
	int dry_run, quiet, verbose, help, version;
};

/*
 * One table of options for parsing, --help and experiment.csv.  `agree` tells
 * how a later start must agree with the first one.
 */
enum kind { NUMBER, TIME, DOLLARS, TEXT, LIST, BENCHMARK, RANGE, FLAG };

enum agree {
	FREE,				/* not recorded */
	SAME,
	GROW,				/* it may become larger */
	MORE				/* values may be added */
};

#define AT(member) offsetof(struct options, member)

static const struct setting {
	int letter;			/* from 256 on: no short option */
	const char *name, *value;	/* value: NULL for a flag */
	enum kind kind;
	enum agree agree;
	size_t at;			/* the member of struct options */
	double least;
	const char *help;
} settings[] = {
	{ 'r', "runs", "N", NUMBER, GROW, AT(runs), 1,
	    "runs of the experiment" },
	{ 'i', "iterations", "N", NUMBER, SAME, AT(iterations), 1,
	    "iterations of each run" },
	{ 't', "timeout", "TIME", TIME, SAME, AT(timeout), ENOUGH_S,
	    "agent time for one run" },
	{ 256, "iteration-timeout", "TIME", TIME, SAME, AT(iteration_timeout),
	    1, "agent time for one call of claude" },
	{ 257, "idle-timeout", "TIME", TIME, SAME, AT(idle_timeout), 0,
	    "longest silence of one call, 0 = never" },
	{ 258, "retries", "N", NUMBER, FREE, AT(retries), 0,
	    "new attempts after a timed-out one" },
	{ 267, "budget", "USD", DOLLARS, FREE, AT(budget), 0,
	    "stop when all attempts have cost this much" },
	{ 'p', "prompt", "FILE", TEXT, FREE, AT(prompt_file), 0,
	    "the base prompt (built in)" },
	{ 259, "no-plugin", NULL, FLAG, FREE, AT(no_plugin), 0,
	    "run without the plugin in $CC_PLUGIN_DIR" },
	{ 'b', "benchmark", "NAME=COMMAND", BENCHMARK, MORE, AT(benchmarks), 0,
	    "measure the runtimes it prints; repeatable" },
	{ 268, "time", "NAME=COMMAND", BENCHMARK, MORE, AT(benchmarks), 1,
	    "measure its wall time; repeatable" },
	{ 269, "setup", "COMMAND", TEXT, SAME, AT(setup), 0,
	    "prepare a fresh copy" },
	{ 260, "build", "COMMAND", TEXT, SAME, AT(build), 0,
	    "run before the benchmarks" },
	{ 261, "benchmark-timeout", "TIME", TIME, SAME, AT(benchmark_timeout),
	    1, "for one setup, build or benchmark" },
	{ 262, "samples", "N", NUMBER, SAME, AT(samples), 1,
	    "executions of each benchmark command" },
	{ 263, "every-iteration", NULL, FLAG, SAME, AT(every_iteration), 0,
	    "measure after each iteration" },
	{ 264, "protect", "PATHSPEC", LIST, SAME, AT(protect), 0,
	    "restored before measuring; repeatable" },
	{ 265, "benchmark-only", NULL, FLAG, FREE, AT(benchmark_only), 0,
	    "measure what lacks results, without an agent" },
	{ 'o', "output", "DIR", TEXT, FREE, AT(output), 0, "where results go" },
	{ 266, "run", "N[-M]", RANGE, FREE, AT(first), 1, "only these runs" },
	{ 'j', "jobs", "N", NUMBER, FREE, AT(jobs), 1, "runs at work at once" },
	{ 270, "in-place", NULL, FLAG, SAME, AT(in_place), 0,
	    "work in directory itself, not in a copy" },
	{ 'w', "wait", NULL, FLAG, FREE, AT(wait), 0,
	    "sleep until a rate limit resets, then go on" },
	{ 'n', "dry-run", NULL, FLAG, FREE, AT(dry_run), 0,
	    "print the plan, run nothing" },
	{ 'q', "quiet", NULL, FLAG, FREE, AT(quiet), 0,
	    "only warnings and errors" },
	{ 'v', "verbose", NULL, FLAG, FREE, AT(verbose), 0,
	    "print each command before it runs" },
	{ 'h', "help", NULL, FLAG, FREE, AT(help), 0,
	    "print the options" },
	{ 'V', "version", NULL, FLAG, FREE, AT(version), 0,
	    "print the version" },
	{ 0, NULL, NULL, FLAG, FREE, 0, 0, NULL }
};

/* The member of o that s sets. */
#define MEMBER(type, o, s) (*(type *)(void *)((char *)(o) + (s)->at))

/* What follows an outcome. */
enum next { NEXT_ITERATION, END_OF_RUN, AGAIN, STOP };

/* The condition of `next`; if it does not hold, everything stops. */
enum limit { ALWAYS, NEVER, FEW_FAILURES, RETRIES_LEFT, WAITING };

enum outcome {
	SUCCESS, CAPPED, OUT_OF_TIME, FAILURE, TIMED_OUT, RATE_LIMIT, DENIED,
	INTERRUPTED, OUTCOMES
};

static const struct rule {
	const char *name;
	int keep;			/* the work counts */
	enum next next;
	enum limit limit;
	int status;			/* exit status if everything stops */
} outcomes[OUTCOMES] = {
	{ "success", 1, NEXT_ITERATION, ALWAYS, 0 },
	{ "capped", 1, NEXT_ITERATION, ALWAYS, 0 },
	{ "out of time", 1, END_OF_RUN, ALWAYS, 0 },
	{ "failure", 0, NEXT_ITERATION, FEW_FAILURES, EXIT_FAILURES },
	{ "timeout", 0, AGAIN, RETRIES_LEFT, EXIT_TIMEOUT },
	{ "rate limit", 0, AGAIN, WAITING, EXIT_LATER },
	{ "denied", 0, STOP, NEVER, EXIT_DENIED },
	{ "interrupted", 0, STOP, NEVER, 128 }	/* plus the signal */
};

/*
 * State of the process, written by the function named.  Everything else is
 * passed as a parameter.
 */
static struct {				/* signals_block, signal_take */
	sigset_t set;			/* the blocked signals */
	int signal;			/* first INT, TERM or HUP; 0: none */
	double time;			/* when it came */
	pid_t parent;			/* of a child; 0 in the runner itself */
} stop;

static struct {				/* main, show_draw, show_clear */
	int on;				/* stderr is a terminal, and not -q */
	int drawn;			/* the line must be erased */
	int quiet, verbose;
} show;

static struct pool {			/* pool_take, pool_free, stream_... */
	struct pool *next;
	char *memory;
	size_t size;			/* of the text of a stream, */
	FILE *stream;			/* which is open, or NULL */
} *pool;

/* ---- messages: each line for a person passes here ------------------------ */

/*
 * Every line on stderr for a person passes message(), so that the status line
 * is erased first and no control character of an agent reaches the terminal.
 * say() is silent with --quiet, warn() is not, die() ends the program.
 */

/* Erase the status line, if there is one. */
static void
show_clear(void)
{
	if (show.drawn)
		fputs("\r\033[K", stderr);
	/* In a child the line counts as drawn: the parent draws it. */
	show.drawn = show.on && stop.parent != 0;
}

/* Replace control characters by question marks, C1 in UTF-8 as well. */
static char *
plain(char *line)
{
	unsigned char *s;

	for (s = (unsigned char *)line; *s != '\0'; s++)
		if (iscntrl(*s))
			*s = '?';
		else if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
			s[0] = s[1] = '?';
	return line;
}

/*
 * Print one line on stderr.  A format that ends in ':' gets errno's text.
 * With --quiet, only lines that have a kind are printed.
 */
static void
message(const char *kind, const char *format, ...)
{
	const char *error = format[strlen(format) - 1] == ':' ?
	    strerror(errno) : "";
	char line[4096];
	va_list args;

	if (show.quiet && *kind == '\0')
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	show_clear();
	fprintf(stderr, "%s%s%s%s\n", kind, plain(line),
	    *error != '\0' ? " " : "", error);
}

#define PROBLEM PROGRAM ": "
#define say(...) message("", __VA_ARGS__)
#define warn(...) message(PROBLEM, __VA_ARGS__)
#define die(status, ...) (warn(__VA_ARGS__), exit(status))

/* ---- memory and strings -------------------------------------------------- */

/*
 * Temporary strings are in a pool and live until pool_free(), which is called
 * after each attempt, each measurement and each pass of the scheduler.  What
 * lives longer is copied.
 */

static void *
xrealloc(void *memory, size_t size)
{
	if ((memory = realloc(memory, size)) == NULL)
		die(1, "out of memory");
	return memory;
}

static char *
xstrdup(const char *s)
{
	return strcpy(xrealloc(NULL, strlen(s) + 1), s);
}

/* Give allocated memory to the pool, and return it. */
static void *
pool_take(void *memory)
{
	struct pool *p = xrealloc(NULL, sizeof *p);

	*p = (struct pool){ .next = pool, .memory = memory };
	pool = p;
	return memory;
}

static void
pool_free(void)
{
	struct pool *p;

	while ((p = pool) != NULL) {
		pool = p->next;
		free(p->memory);
		free(p);
	}
}

static char *
pool_printf(const char *format, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	s = pool_take(xrealloc(NULL, (size_t)n + 1));
	va_start(args, format);
	vsnprintf(s, (size_t)n + 1, format, args);
	va_end(args);
	return s;
}

/* Begin a stream; stream_end() returns its text, which is in the pool. */
static FILE *
stream_begin(void)
{
	pool_take(NULL);
	pool->stream = open_memstream(&pool->memory, &pool->size);
	if (pool->stream == NULL)
		die(1, "out of memory");
	return pool->stream;
}

static char *
stream_end(FILE *to)
{
	struct pool *p = pool;

	while (p->stream != to)
		p = p->next;
	p->stream = NULL;
	if (fclose(to) != 0)
		die(1, "out of memory");
	return p->memory;
}

/* Copy s into an array; end the program if it does not fit. */
static void
text_copy(char *array, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size)
		die(1, "the name or path \"%.60s...\" is too long: choose a "
		    "shorter one", s);
	memmove(array, s, len + 1);
}

#define COPY(array, s) text_copy((array), sizeof(array), (s))

/* Copy as much text for a person as fits. */
static void
text_cut(char *array, size_t size, const char *s)
{
	size_t len = strnlen(s, size - 1);

	memmove(array, s, len);
	array[len] = '\0';
}

#define CUT(array, s) text_cut((array), sizeof(array), (s))

/* Replace a character wherever it is in a text, and return the text. */
static char *
text_replace(char *text, char from, char to)
{
	for (char *s = text; (s = strchr(s, from)) != NULL;)
		*s = to;
	return text;
}

static int
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Does s begin with one of a NULL-terminated list? */
static int
begins_one(const char *s, const char *const *with)
{
	while (*with != NULL && !begins(s, *with))
		with++;
	return *with != NULL;
}

static int
ends(const char *s, const char *with)
{
	size_t len = strlen(s), end = strlen(with);

	return len >= end && strcmp(s + len - end, with) == 0;
}

/* Is s one of a NULL-terminated list?  A list of NULL is empty. */
static int
is_one(const char *s, const char *const *list)
{
	while (list != NULL && *list != NULL && strcmp(s, *list) != 0)
		list++;
	return list != NULL && *list != NULL;
}

/* Is path dir itself or inside it? */
static int
is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return begins(path, dir) && (path[len] == '/' || path[len] == '\0');
}

/* The last element of a path. */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static void
words_add(struct words *w, const char *word)
{
	w->v = xrealloc(w->v, (w->n + 2) * sizeof *w->v);
	w->v[w->n++] = xstrdup(word);
	w->v[w->n] = NULL;
}

static void
words_append(struct words *w, const struct words *more)
{
	for (size_t i = 0; i < more->n; i++)
		words_add(w, more->v[i]);
}

/* Replace word i by the last one, and shorten the list. */
static void
words_remove(struct words *w, size_t i)
{
	free((char *)(size_t)w->v[i]);
	w->v[i] = w->v[--w->n];
	w->v[w->n] = NULL;
}

static void
words_free(struct words *w)
{
	while (w->n > 0)
		words_remove(w, w->n - 1);
	free(w->v);
	w->v = NULL;
}

/* Return the index of the first word that begins with `with`, or n. */
static size_t
words_find(const struct words *w, const char *with)
{
	size_t i = 0;

	while (i < w->n && !begins(w->v[i], with))
		i++;
	return i;
}

/* Set NAME=VALUE in an environment; a value of NULL removes it. */
static void
words_set(struct words *w, const char *name, const char *value)
{
	size_t i = words_find(w, pool_printf("%s=", name));

	if (i < w->n)
		words_remove(w, i);
	if (value != NULL)
		words_add(w, pool_printf("%s=%s", name, value));
}

/* Print s as one word of a shell's command line. */
static void
quote(FILE *to, const char *s)
{
	if (*s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_") == strlen(s)) {
		fputs(s, to);
		return;
	}
	for (putc('\'', to); *s != '\0'; s++)
		fprintf(to, *s == '\'' ? "'\\''" : "%c", *s);
	putc('\'', to);
}

/* A command line as it can be pasted. */
static char *
quoted(const char *const *words)
{
	FILE *to = stream_begin();

	for (; words != NULL && *words != NULL; words++) {
		quote(to, *words);
		fputs(words[1] != NULL ? " " : "", to);
	}
	return stream_end(to);
}

/* 64-bit FNV-1a. */
static unsigned long long
hash(unsigned long long h, const char *s)
{
	for (h ^= 0xcbf29ce484222325ULL; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h;
}

/* ---- time ---------------------------------------------------------------- */

/*
 * Deadlines use a clock that nobody can set.  Files and messages have times in
 * UTC.
 */

/* Seconds on the clock that all deadlines use. */
static double
monotonic(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		die(1, "cannot read the clock:");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
nap(long milliseconds)
{
	struct timespec t = { milliseconds / 1000,
	    milliseconds % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* A time as 2026-11-22T21:19:22Z. */
static const char *
utc(time_t t)
{
	char text[32];

	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	return pool_printf("%s", text);
}

/* Seconds for a person, as 7.3s, 5m12s, 30m or 2h05m. */
static const char *
duration(double s)
{
	long n = (long)(s + 0.5);

	if (n < 60)
		return pool_printf(s < 10 && s != (double)n ? "%.1fs" : "%.0fs",
		    s);
	if (n < 3600)
		return pool_printf(n % 60 == 0 ? "%ldm" : "%ldm%02lds", n / 60,
		    n % 60);
	return pool_printf(n % 3600 < 60 ? "%ldh" : "%ldh%02ldm", n / 3600,
	    n / 60 % 60);
}

/* ---- files --------------------------------------------------------------- */

/*
 * Nothing here follows a link at the end of a name, and a FIFO does not block.
 * An error that leaves unknown whether a file exists ends the program.
 */

/* Flush stdout; exit with an error if the write failed. */
static int
flushed(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die(1, "cannot write to standard output:");
	return 0;
}

static off_t
fd_size(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* Write all of it; return 0, or -1 with errno. */
static int
fd_write(int fd, const char *data, size_t size)
{
	ssize_t n;

	for (; size > 0; data += n, size -= (size_t)n)
		if ((n = write(fd, data, size)) < 0)
			return -1;
	return 0;
}

/* The content of a regular file, in the pool, followed by a NUL. */
static char *
fd_text(int fd, size_t *size)
{
	size_t most = (size_t)fd_size(fd), n = 0;
	char *text = pool_take(xrealloc(NULL, most + 1));
	ssize_t got = 1;

	while (n < most && got > 0) {
		if ((got = pread(fd, text + n, most - n, (off_t)n)) < 0)
			die(1, "cannot read a file of the experiment or in "
			    "TMPDIR:");
		n += (size_t)got;
	}
	text[n] = '\0';
	if (size != NULL)
		*size = n;
	return text;
}

/* The first line of a file, in the pool. */
static char *
fd_line(int fd)
{
	char line[1024];
	ssize_t n = pread(fd, line, sizeof line - 1, 0);

	line[n < 0 ? 0 : n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return pool_printf("%s", line);
}

/* Read a line without its newline, cut at size; return 0 at the end. */
static int
line_read(FILE *in, char *line, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n')
		if (n + 1 < size && c != '\0')
			line[n++] = (char)c;
	line[n] = '\0';
	return c != EOF || n > 0;
}

/*
 * Return a stream that reads from start on, but at most the last READ_MOST
 * bytes, because an agent can make a file very large.  It shares the offset of
 * fd.
 */
static FILE *
fd_stream(int fd, off_t start)
{
	FILE *in = NULL;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (fd_size(fd) - start > READ_MOST)
		start = fd_size(fd) - READ_MOST;
	if (copy < 0 || lseek(copy, start, SEEK_SET) < 0 ||
	    (in = fdopen(copy, "r")) == NULL)
		die(1, "cannot open an output of claude or a benchmark twice "
		    "(see ulimit -n):");
	return in;
}

/* $TMPDIR, if it is absolute. */
static const char *
temporary_directory(void)
{
	const char *dir = getenv("TMPDIR");

	return dir != NULL && *dir == '/' ? dir : "/tmp";
}

/* A file without a name; each write goes to its end. */
static int
fd_scratch(void)
{
	char *path = pool_printf("%s/" PROGRAM ".XXXXXX",
	    temporary_directory());
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, O_APPEND) != 0)
		die(1, "cannot make a temporary file %s (set TMPDIR):", path);
	return fd;
}

/* A file without a name that has this text, positioned at the start. */
static int
fd_scratch_text(const char *text)
{
	int fd = fd_scratch();

	if (fd_write(fd, text, strlen(text)) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0)
		die(1, "cannot write a temporary file in %s (set TMPDIR):",
		    temporary_directory());
	return fd;
}

/* Open to read; return -1 if there is no such file. */
static int
file_open(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW |
	    O_CLOEXEC | flags);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == EIO))
		die(1, "cannot open %s:", name);
	return fd;
}

/* The content of a regular file, in the pool; NULL if there is none. */
static char *
file_text(int at, const char *name, size_t *size)
{
	int fd = file_open(at, name, 0);
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = fd_text(fd, size);
	close(fd);
	return text;
}

/* Write a new file with this text; end the program if that fails. */
static void
file_write(const char *path, const char *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write(fd, text, size) != 0 || close(fd) != 0)
		die(1, "cannot write %s:", path);
}

static int
is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Return the next entry except . and ..; close and return NULL at the end. */
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
		die(1, "cannot read a directory of the copy or the results:");
	if (d == NULL)
		closedir(dir);
	return d;
}

/*
 * Open a directory, after giving its owner all permissions.  Return NULL if
 * name is no directory.
 */
static DIR *
dir_open(int at, const char *name)
{
	struct stat st;
	DIR *dir = NULL;
	int fd;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISDIR(st.st_mode))
		return NULL;
	if ((st.st_mode & S_IRWXU) != S_IRWXU)
		fchmodat(at, name, (st.st_mode & 07777) | S_IRWXU, 0);
	fd = file_open(at, name, O_DIRECTORY);
	if (fd >= 0 && (dir = fdopendir(fd)) == NULL)
		die(1, "cannot open %s:", name);
	return dir;
}

/*
 * Remove all below a directory that is depth below root.  Directories deeper
 * than DEPTH are moved to root.  Return how many were moved.
 */
static int
files_empty(DIR *dir, int root, int depth)
{
	DIR *below;
	int moved = 0;

	for (struct dirent *d; (d = dir_next(dir)) != NULL;) {
		if (unlinkat(dirfd(dir), d->d_name, 0) == 0 ||
		    (below = dir_open(dirfd(dir), d->d_name)) == NULL)
			continue;
		if (depth < DEPTH) {
			moved += files_empty(below, root, depth + 1);
			unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
			continue;
		}
		closedir(below);
		moved += renameat(dirfd(dir), d->d_name, root, pool_printf(
		    ".%llu", (unsigned long long)d->d_ino)) == 0;
	}
	return moved;
}

/* Remove name and all below it, as far as possible. */
static void
files_remove(int at, const char *name)
{
	DIR *root;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return;
	while ((root = dir_open(at, name)) != NULL &&
	    files_empty(root, dirfd(root), 0) > 0)
		;
	unlinkat(at, name, AT_REMOVEDIR);
}

/* Remove what a relative path names, unless it leads through a link. */
static void
path_remove(const char *path)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below;
	size_t len;

	for (; fd >= 0 && path[len = strcspn(path, "/")] == '/';
	    path += len + 1, fd = below) {
		below = file_open(fd, pool_printf("%.*s", (int)len, path),
		    O_DIRECTORY);
		close(fd);
	}
	if (fd >= 0)
		files_remove(fd, path);
	close(fd);
}

/* Make a directory, unless it exists; end the program if that fails. */
static void
directory_make(const char *path, mode_t mode)
{
	if (mkdir(path, mode) != 0 && (errno != EEXIST || !is_directory(path)))
		die(1, "cannot make the directory %s:", path);
}

/* ---- the experiment: what is fixed once the checks have passed ----------- */

/*
 * struct experiment is filled in by the checks and the start, and is constant
 * while runs are at work.  struct shared is in memory that the runner and all
 * children share.  It is written under the write lock, except `fault`, which
 * is only set, and jobs, of which each child writes its own.  The functions
 * are the only place that knows the names of files and refs.
 */

struct job {				/* a child process and its run */
	pid_t pid;			/* 0: none */
	int copy;			/* the run whose copy it has */
	int run, iteration;		/* the point at work */
	char state[16];			/* "", waiting, benchmark or limit */
	double start, limit;		/* of what it does now */
};

struct shared {				/* by the runner and all runs */
	int status;			/* of the first stop; 0: go on */
	int fault;			/* end the calls at work */
	char reason[512];		/* of the first stop */
	int failures;			/* in a row, over all runs */
	double waited;			/* seconds, for rate limits */
	double cost;			/* of all attempts of the ledger */
	int unknown;			/* attempts without a known cost */
	struct job jobs[JOBS_MOST];
};

struct experiment {
	struct options opt;
	const char *prompt;		/* the base prompt */
	char git[PATH_MAX], claude[PATH_MAX];	/* absolute */
	char plugin[PATH_MAX];		/* $CC_PLUGIN_DIR, in both arms */
	char top[PATH_MAX];		/* of the work tree, or bare */
	char common[PATH_MAX];		/* the user's git directory, */
	char own[PATH_MAX];		/* and that of the work tree */
	char base[ID_SIZE];		/* the baseline commit */
	char branch[NAME_SIZE];		/* its branch in the agent's .git */
	char output[PATH_MAX];		/* the folder of the files, */
	const char *name;		/* whose names begin with this */
	char directory[PATH_MAX];	/* of this program, in $TMPDIR */
	char copies[PATH_MAX];		/* of this experiment, in it */
	struct words command;		/* claude's command line */
	struct words git_vars, agent_vars;	/* environments */
	int memory;			/* the user allows claude's memory */
	int begun;			/* this is not the first start */
	int output_fd, ledger_fd, lock_fd;
	off_t lock_start;		/* the first lock byte of the prefix */
	struct shared *shared;
	struct job *job;		/* in a child: its own */
};

/* The name of a point, for a message. */
static const char *
point_name(const struct experiment *x, int run, int iteration)
{
	return pool_printf("run %d/%ld iteration %d/%ld", run, x->opt.runs,
	    iteration, x->opt.iterations);
}

/* The name of a file of one point. */
static const char *
result_name(const struct experiment *x, int run, int iteration,
    const char *rest)
{
	return pool_printf("%s--run-%d--iteration-%d--%s", x->name, run,
	    iteration, rest);
}

static const char *
experiment_file(const struct experiment *x, const char *kind)
{
	return pool_printf("%s--%s.csv", x->name, kind);
}

static const char *
branch_ref(const struct experiment *x, int run, int iteration)
{
	return pool_printf("refs/heads/%s-run-%d-iteration-%d", x->opt.prefix,
	    run, iteration);
}

static const char *
attempt_ref(const struct experiment *x, int run, int iteration, int number)
{
	return pool_printf(REFS "%s/run-%d/iteration-%d/attempt-%d",
	    x->opt.prefix, run, iteration, number);
}

/* ---- the status line ----------------------------------------------------- */

/*
 * A child writes what it does into its struct job.  The runner draws the line
 * once a second from all jobs, if stderr is a terminal.
 */

/* Set what the status line shows of this child. */
static void
job_show(const struct experiment *x, int run, int iteration, const char *state,
    double limit)
{
	struct job *j = x->job;

	j->run = run;
	j->iteration = iteration;
	j->start = monotonic();
	j->limit = limit;
	COPY(j->state, state);
}

/* Print one job in full: run, iteration, a bar, elapsed and limit. */
static void
show_one(const struct experiment *x, const struct job *j, double now,
    int width, FILE *to)
{
	static const char hashes[] = "####################";
	long s = (long)(now - j->start), limit = (long)j->limit;
	int done = limit > 0 ? (int)(20 * s / limit) : 0;

	fprintf(to, " %s%s%s", point_name(x, j->run, j->iteration),
	    *j->state != '\0' ? " " : "", j->state);
	if (width >= 72)
		fprintf(to, " [%-20.*s]", done > 20 ? 20 : done, hashes);
	fprintf(to, " %ld:%02ld", s / 60, s % 60);
	if (limit > 0)
		fprintf(to, "/%ld:%02ld", limit / 60, limit % 60);
}

/* Draw the status line: cost, then each job. */
static void
show_draw(const struct experiment *x, double now)
{
	const struct shared *shared = x->shared;
	const struct job *j;
	struct winsize window;
	int width = 80;
	FILE *to;

	if (!show.on)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		width = window.ws_col;
	to = stream_begin();
	fprintf(to, "$%.2f%s", shared->cost, shared->unknown > 0 ? "+?" : "");
	for (j = shared->jobs; j < shared->jobs + x->opt.jobs; j++)
		if (j->pid == 0)
			continue;
		else if (x->opt.jobs == 1)
			show_one(x, j, now, width, to);
		else if (*j->state != '\0')
			fprintf(to, " %d.%d %s", j->run, j->iteration,
			    j->state);
		else
			fprintf(to, " %d.%d %ld:%02ld", j->run, j->iteration,
			    (long)(now - j->start) / 60,
			    (long)(now - j->start) % 60);
	/* Leave room for the ^C that the terminal echoes. */
	fprintf(stderr, "\r%.*s\033[K", width - 3, stream_end(to));
	show.drawn = 1;
}

/* ---- locks --------------------------------------------------------------- */

/*
 * All locks are bytes of one file in the repository's common git directory,
 * because refs and copies belong to the repository.  Each prefix has 2^20 of
 * them: byte 0 is held while shared files are written, byte N by the runner
 * that has run N, byte N + 2^19 by the child at work on it.  The kernel
 * releases a lock when its holder ends, but also when the holder closes any
 * descriptor of the file: it is opened once and never closed.  --in-place has
 * two bytes for all prefixes.
 */
enum { LOCK_BITS = 20, LOCK_CHILD = 1 << 19, PLACE = 0, PLACE_CHILD = 1 };

/* Apply a lock command to a byte of a file; return 0, or -1 with errno. */
static int
fd_lock(int fd, int command, short type, off_t byte)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET,
	    .l_start = byte, .l_len = 1 };

	return fcntl(fd, command, &range);
}

/*
 * Lock the runs from first to last; with `wait`, only see that nobody holds
 * them.  If another process holds one longer than `wait` seconds, exit.
 */
static void
lock_runs(const struct experiment *x, off_t byte, long first, long last,
    double wait)
{
	struct flock runs = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = x->lock_start + byte + first,
	    .l_len = last - first + 1 }, held;
	double start = monotonic();

	while (fcntl(x->lock_fd, F_SETLK, &runs) != 0) {
		if (errno != EACCES && errno != EAGAIN)
			die(1, "cannot lock %s/" PROGRAM ".lock:", x->common);
		held = runs;
		if (monotonic() - start >= wait && fcntl(x->lock_fd, F_GETLK,
		    &held) == 0 && held.l_type != F_UNLCK)
			die(EXIT_LATER, "process %ld works on %s of prefix %s "
			    "in %s: repeat the command later",
			    (long)held.l_pid, first == 0 ? "--in-place" :
			    pool_printf("run %ld", (long)(held.l_start -
			    x->lock_start - byte)), x->opt.prefix, x->top);
		nap(50);
	}
	runs.l_type = F_UNLCK;
	if (wait > 0)
		fcntl(x->lock_fd, F_SETLK, &runs);
}

/*
 * With --in-place, lock a byte of all prefixes in the same way: the byte counts
 * from the start of the file.
 */
static void
lock_place(const struct experiment *x, off_t byte, double wait)
{
	if (x->opt.in_place)
		lock_runs(x, byte - x->lock_start, 0, 0, wait);
}

/* Take or release the write lock of the prefix.  Nobody holds it long. */
static void
lock_write(const struct experiment *x, int on)
{
	if (fd_lock(x->lock_fd, F_SETLKW, on ? F_WRLCK : F_UNLCK,
	    x->lock_start) != 0)
		die(1, "cannot lock %s/" PROGRAM ".lock:", x->common);
}

/*
 * Open the lock file, and lock the runs that are asked for.  A child whose
 * runner was killed ends soon, so wait for it.
 */
static void
lock_open(struct experiment *x)
{
	const struct options *o = &x->opt;
	const char *path = pool_printf("%s/" PROGRAM ".lock", x->common);

	x->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC, 0666);
	if (x->lock_fd < 0)
		die(1, "cannot open %s:", path);
	x->lock_start = (off_t)(hash(0, o->prefix) % (1ULL << 40) << LOCK_BITS);
	lock_runs(x, 0, o->first, o->last, 0);
	lock_runs(x, LOCK_CHILD, o->first, o->last, ORPHAN_S);
	lock_place(x, PLACE, 0);
	lock_place(x, PLACE_CHILD, ORPHAN_S);
}

/* ---- CSV: RFC 4180 with LF ----------------------------------------------- */

/*
 * Write fields and records, and split a text into records.  A last record
 * without a newline is torn, because its writer was killed: csv_next() does
 * not return it.
 */

static void
csv_field(FILE *to, const char *s)
{
	const char *mark = strpbrk(s, ",\"\r\n") == NULL ? "" : "\"";

	for (fputs(mark, to); *s != '\0'; s++) {
		if (*s == '"')
			putc('"', to);
		putc(*s, to);
	}
	fputs(mark, to);
}

/* Print a record of a NULL-terminated list of fields. */
static void
csv_line(FILE *to, const char *const *fields)
{
	for (; *fields != NULL; fields++) {
		csv_field(to, *fields);
		putc(fields[1] == NULL ? '\n' : ',', to);
	}
}

/*
 * Split the record at *at in place, and move *at behind it.  Return the number
 * of its fields, of which the first max are stored; 0 at the end of the text,
 * -1 for a last record that is torn.
 */
static int
csv_next(char **at, char *fields[], int max)
{
	char *s = *at, *to, end;
	int quoted = 0, n = 0;

	if (*s == '\0')
		return 0;
	do {
		if (n < max)
			fields[n] = s;
		n++;
		for (to = s; *s != '\0' && (quoted || (*s != ',' &&
		    *s != '\n')); s++)
			if (*s != '"')
				*to++ = *s;
			else if (quoted && s[1] == '"')
				*to++ = *s++;
			else
				quoted = !quoted;
		if ((end = *s) == '\0')
			return -1;
		*to = '\0';
		s++;
	} while (end != '\n');
	*at = s;
	return n;
}

/* ---- files in the output directory --------------------------------------- */

/*
 * Files are named relative to output_fd, which stays the same directory if it
 * is moved.  A file of results gets its name when it is complete and on disk.
 * Logs, transcripts and the ledger grow under their names.
 */

/* Begin a whole file: it is written beside its place, then renamed. */
static FILE *
output_begin(const struct experiment *x, const char *name)
{
	const char *beside = pool_printf("%s.tmp", name);
	FILE *f;
	int fd;

	unlinkat(x->output_fd, beside, 0);
	fd = openat(x->output_fd, beside, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0666);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		die(1, "cannot write %s/%s:", x->output, name);
	return f;
}

static void
output_end(const struct experiment *x, FILE *f, const char *name)
{
	if (fflush(f) != 0 || ferror(f) || fsync(fileno(f)) != 0 ||
	    fclose(f) != 0 || renameat(x->output_fd, pool_printf("%s.tmp",
	    name), x->output_fd, name) != 0 || fsync(x->output_fd) != 0)
		die(1, "cannot write %s/%s:", x->output, name);
}

/* Return the type and mode of a file, or 0. */
static mode_t
output_mode(const struct experiment *x, const char *name)
{
	struct stat st;

	return fstatat(x->output_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	    st.st_mode : 0;
}

/*
 * Open a file that a child writes: a log, which replaces the one there, or a
 * transcript (flag O_EXCL), which must be new.
 */
static int
output_log(const struct experiment *x, const char *name, int flags)
{
	int fd;

	if (flags == 0)
		unlinkat(x->output_fd, name, 0);
	fd = openat(x->output_fd, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		die(1, "cannot make %s/%s:", x->output, name);
	return fd;
}

/* Are the output directory and the ledger still the open files? */
static int
output_is_ours(const struct experiment *x)
{
	struct stat ours, there;

	return fstat(x->output_fd, &ours) == 0 &&
	    lstat(x->output, &there) == 0 &&
	    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev &&
	    fstat(x->ledger_fd, &ours) == 0 && fstatat(x->output_fd,
	    experiment_file(x, "iterations"), &there, AT_SYMLINK_NOFOLLOW) ==
	    0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* Exit if a call or a measurement could fill a disk. */
static void
space_check(const struct experiment *x)
{
	const char *const paths[] = { x->directory, x->common, x->output };
	struct statvfs disk;

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (statvfs(paths[i], &disk) == 0 &&
		    ((double)disk.f_bavail * (double)disk.f_frsize <
		    FREE_MB * 1e6 ||
		    (disk.f_files > 0 && disk.f_favail < FREE_INODES)))
			die(1, "%s: less than %d MB or %d inodes are free: make"
			    " room and repeat the command", paths[i], FREE_MB,
			    FREE_INODES);
}

/* ---- claude's JSON: one pass, one event a line, any length --------------- */

/*
 * field() is called for each scalar, with its path: the keys above it, joined
 * by slashes (a slash in a key becomes a question mark).  The elements of an
 * array have the array's path.  At the end of each object, field() is called
 * with its path and `end` set.  A broken line is passed over.
 */
struct json {
	FILE *in;
	void (*field)(struct json *);
	void *to;			/* the caller's */
	int end;			/* an object ends */
	char path[NAME_SIZE];
	char text[TEXT_SIZE];		/* the scalar, cut there */
};

/* The next character that is not blank.  The end of the line stays. */
static int
json_next(struct json *j)
{
	int c;

	do
		c = getc_unlocked(j->in);
	while (c == ' ' || c == '\t' || c == '\r');
	if (c == '\n')
		ungetc(c, j->in);
	return c;
}

/* Append a code point to text, which has room for it; return its new end. */
static size_t
json_utf8(char *text, size_t n, unsigned long u)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int more = u < 0x80 ? 0 : u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;

	text[n++] = (char)(lead[more] | u >> 6 * more);
	while (more-- > 0)
		text[n++] = (char)(0x80 | (u >> 6 * more & 0x3f));
	return n;
}

/* The UTF-16 unit after a backslash, or -1. */
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

/* Read a string after its opening quote; return 0, or -1 if it is broken. */
static int
json_string(struct json *j, char *text, size_t size)
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
				text[n++] = (char)c;
			continue;
		}
		if ((u = json_escape(j->in)) < 0)
			return -1;
		if (u >= 0xdc00 && u <= 0xdfff)	/* an unpaired surrogate */
			u = high == 0 ? 0 :
			    0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00);
		high = u >= 0xd800 && u <= 0xdbff ? u : 0;
		if (high == 0 && u != 0 && n + 5 <= size)
			n = json_utf8(text, n, (unsigned long)u);
	}
	text[n] = '\0';
	return 0;
}

/* Read a string, number, true, false or null that begins with c. */
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

/* Read a key that begins with c, and its colon; append it to the path. */
static int
json_key(struct json *j, int c, size_t used)
{
	char key[NAME_SIZE];

	if (c != '"' || json_string(j, key, sizeof key) != 0 ||
	    json_next(j) != ':')
		return -1;
	text_replace(key, '/', '?');
	if (used + strlen(key) + 2 < sizeof j->path)
		sprintf(j->path + used, "%s%s", used > 0 ? "/" : "",
		    key[0] != '\0' ? key : "?");
	return 0;
}

/* Read one value that begins with c; return 0, or -1 if it is broken. */
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
	for (c = json_next(j); c != end; c = json_next(j)) {
		if (end == '}') {
			if (json_key(j, c, used) != 0)
				return -1;
			c = json_next(j);
		}
		if (json_value(j, c, depth + 1) != 0)
			return -1;
		j->path[used] = '\0';
		if ((c = json_next(j)) == end)
			break;
		if (c != ',')
			return -1;
	}
	if ((j->end = end == '}'))
		j->field(j);
	j->end = 0;
	return 0;
}

/* Read a line: 1 for one object, 0 for anything else, -1 at the end. */
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

/* ---- the transcript: what claude's stdout tells -------------------------- */

/*
 * transcript_read() keeps the last init, rate limit and result event, the
 * tokens of assistant messages and the background tasks at work.  A value that
 * is too long is cut, and unknown fields are passed over.  arm_fault() tells
 * whether the session has the plugin, tools and memory that were asked for.
 */

enum { INPUT, OUTPUT, CACHE_READ, CACHE_CREATION, TOKENS };

struct event {				/* one line; what it lacks is "" */
	char type[24], subtype[48], is_error[8], api_status[16];
	char api_error[48], error[48], turns[24], cost[32], session[64];
	char model[64], version[32], limit[24], resets_at[24], task[64];
	char message[64], message_model[64];
	char usage[TOKENS][24];		/* of the last request */
	char used[TOKENS][24];		/* the same of an assistant message */
	char text[TEXT_SIZE];		/* result, or the last of errors */
	long long tokens[TOKENS];	/* the sum over models */
	int models;			/* modelUsage has tokens */
	int inside;			/* plugins of the arm */
	char fault[512];		/* why the arm is not as asked */
	char name[NAME_SIZE];		/* of the array element that is read, */
	char detail[NAME_SIZE];		/* and its status or message */
};

struct transcript {
	const char *plugin;		/* the arm's plugin; "" without */
	int memory;			/* auto memory is allowed */
	int json;			/* it has events at all */
	int result_last;		/* nothing came after the last result */
	int billing;			/* an event told of a billing error */
	struct words tasks;		/* at work in the background */
	struct words messages;		/* ids of assistant messages */
	long long used[TOKENS];		/* their tokens */
	struct event init, limit, result;	/* the last of each */
	struct event event;		/* the line that is read */
	int fd;				/* its file */
};

enum cell {				/* what a value may be */
	FREE_TEXT,			/* any text, of many lines */
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
	FIELD("task_id", task, LINE),
	FIELD("message/id", message, LINE),
	FIELD("message/model", message_model, LINE),
	FIELD("message/usage/input_tokens", used[INPUT], COUNTED),
	FIELD("message/usage/cache_read_input_tokens", used[CACHE_READ],
	    COUNTED),
	FIELD("message/usage/cache_creation_input_tokens",
	    used[CACHE_CREATION], COUNTED),
	FIELD("result", text, FREE_TEXT), FIELD("errors", text, FREE_TEXT),
	FIELD("usage/input_tokens", usage[INPUT], COUNTED),
	FIELD("usage/output_tokens", usage[OUTPUT], COUNTED),
	FIELD("usage/cache_read_input_tokens", usage[CACHE_READ], COUNTED),
	FIELD("usage/cache_creation_input_tokens", usage[CACHE_CREATION],
	    COUNTED)
};

static void
event_set(struct event *e, const struct field *f, const char *value)
{
	char *to = (char *)e + f->at;

	if (f->cell == COUNTED && (!isdigit((unsigned char)*value) ||
	    strspn(value, "0123456789.eE+-") != strlen(value) ||
	    strlen(value) >= f->size || !(strtod(value, NULL) < 1e18)))
		return;
	text_cut(to, f->size, value);
	if (f->cell == FREE_TEXT)
		return;
	if (*to != '\0' && strchr("=+-@", *to) != NULL)
		*to = '?';		/* no formula of a spreadsheet */
	plain(to);
}

/* Add the tokens that modelUsage tells of one model. */
static void
event_tokens(struct event *e, const struct json *j)
{
	static const char *const keys[TOKENS] = { "/inputTokens",
	    "/outputTokens", "/cacheReadInputTokens",
	    "/cacheCreationInputTokens" };
	double more = strtod(j->text, NULL);

	e->models = 1;
	for (int i = 0; i < TOKENS; i++)
		if (ends(j->path, keys[i]) && more > 0 && more < 1e12)
			e->tokens[i] += (long long)more;
}

/* Count a plugin of the init event, by its path. */
static void
arm_plugin(struct event *e, const char *plugin, const char *path)
{
	char real[PATH_MAX];

	if (strcmp(path, "builtin") == 0)
		return;
	if (*plugin != '\0' && is_inside(realpath(path, real) != NULL ? real :
	    path, plugin))
		e->inside++;
	else
		CUT(e->fault, pool_printf("claude has loaded the plugin \"%s\""
		    ", which is not part of this arm", path));
}

/* An element of plugin_errors or mcp_servers has been read. */
static void
arm_element(struct event *e, int server)
{
	if (server ? begins(e->name, "plugin:") &&
	    strcmp(e->detail, "failed") == 0 :
	    begins(e->name, "inline[") || ends(e->name, "@inline"))
		CUT(e->fault, pool_printf("claude has not loaded all of the "
		    "plugin: %s%s: %s", server ? "MCP server " : "", e->name,
		    e->detail));
	e->name[0] = e->detail[0] = '\0';
}

/* Note what one field of the init event tells about the arm. */
static void
arm_field(const struct transcript *t, struct event *e, const struct json *j)
{
	static const char *const tools[] = { "ListAgents", "SendMessage",
	    "EnterWorktree", NULL };
	const char *path = j->path, *text = j->text;

	if (j->end) {
		if (strcmp(path, "plugin_errors") == 0 ||
		    strcmp(path, "mcp_servers") == 0)
			arm_element(e, *path == 'm');
	} else if (strcmp(path, "plugins/path") == 0) {
		arm_plugin(e, t->plugin, text);
	} else if (strcmp(path, "plugin_errors/plugin") == 0 ||
	    strcmp(path, "mcp_servers/name") == 0) {
		CUT(e->name, text);
	} else if (strcmp(path, "plugin_errors/message") == 0 ||
	    strcmp(path, "mcp_servers/status") == 0) {
		CUT(e->detail, text);
	} else if (strcmp(path, "tools") == 0 && is_one(text, tools)) {
		CUT(e->fault, pool_printf("claude has the tool %s, which no run"
		    " may have: remove the option that allows it", text));
	} else if (strcmp(path, "memory_paths/auto") == 0 && *text != '\0' &&
	    !t->memory) {
		CUT(e->fault, pool_printf("claude has memory, in %s: remove the"
		    " setting that switches it on", text));
	}
}

static void
event_field(struct json *j)
{
	struct transcript *t = j->to;

	arm_field(t, &t->event, j);
	if (j->end)
		return;
	for (size_t i = 0; i < sizeof event_fields / sizeof *event_fields; i++)
		if (strcmp(j->path, event_fields[i].path) == 0)
			event_set(&t->event, &event_fields[i], j->text);
	if (begins(j->path, "modelUsage/"))
		event_tokens(&t->event, j);
}

/*
 * Count the tokens of an assistant message, which comes once for each of its
 * content blocks, with the usage at its start: output tokens are not known.
 */
static void
event_message(struct transcript *t, const struct event *e)
{
	if (e->message[0] == '\0' || t->messages.n == MESSAGES_MOST ||
	    is_one(e->message, t->messages.v) ||
	    strcmp(e->message_model, "<synthetic>") == 0)
		return;
	words_add(&t->messages, e->message);
	for (int i = 0; i < TOKENS; i++) {
		double more = strtod(e->used[i], NULL);

		t->used[i] += more < 1e12 ? (long long)more : 0;
	}
}

/* A line was read.  Keys come in any order, so it is judged only now. */
static void
event_end(struct transcript *t)
{
	const struct event *e = &t->event;
	size_t i;

	t->json |= e->type[0] != '\0';
	if (strcmp(e->type, "result") == 0) {
		t->result = *e;
		t->result_last = 1;
	} else if (strcmp(e->type, "rate_limit_event") == 0) {
		t->limit = *e;
	} else if (strcmp(e->type, "assistant") == 0 ||
	    strcmp(e->type, "user") == 0) {
		t->billing = strcmp(e->error, "billing_error") == 0;
		t->result_last = 0;
		event_message(t, e);
	} else if (strcmp(e->type, "system") == 0) {
		if (strcmp(e->subtype, "init") == 0)
			t->init = *e;
		else if (strcmp(e->subtype, "task_started") == 0)
			words_add(&t->tasks, e->task);
		else if (begins(e->subtype, "task_notification") &&
		    (i = words_find(&t->tasks, e->task)) < t->tasks.n)
			words_remove(&t->tasks, i);
	}
}

/* Read the file t->fd from its start.  The caller gives plugin and memory. */
static void
transcript_read(struct transcript *t)
{
	struct transcript fresh = { .plugin = t->plugin, .memory = t->memory,
	    .fd = t->fd };
	struct json j = { .field = event_field, .to = t };
	int good;

	words_free(&t->tasks);
	words_free(&t->messages);
	*t = fresh;
	j.in = fd_stream(t->fd, 0);
	t->json = ungetc(getc(j.in), j.in) == '{';	/* it has begun */
	while ((good = json_line(&j)) >= 0) {
		if (good)
			event_end(t);
		t->event = fresh.event;
	}
	fclose(j.in);
}

/*
 * Why the session is not the arm that was asked for; "" if it is, or if claude
 * has not told.
 */
static const char *
arm_fault(const struct transcript *t)
{
	const struct event *e = &t->init;

	if (e->type[0] == '\0' || e->fault[0] != '\0')
		return e->fault;
	if (*t->plugin != '\0' && e->inside == 0)
		return pool_printf("claude has not loaded the plugin %s",
		    t->plugin);
	return "";
}

/* ---- processes: nothing that a call started survives it ------------------ */

/*
 * From the first line of main on CHLD, ALRM, INT, TERM and HUP are blocked and
 * taken by sigwait, so no signal is lost between a look and a sleep.  A pid is
 * signalled only between its spawn and its reaping: the zombie keeps the
 * number from being used again.  A sweep kills only descendants of this
 * process and processes with the mark of its run.
 */
enum why { BY_ITSELF, BY_LIMIT, BY_SILENCE, BY_LINGERING, BY_ARM, BY_SIGNAL };

struct process {
	const char *path;		/* absolute; argv[0] is what is shown */
	const char *const *argv;
	const struct words *vars;	/* its environment */
	int in;				/* its stdin; -1: the null device */
	int out, err;
	double limit, idle;		/* seconds; idle 0: any silence */
	const char *mark;		/* if any, a stop signal ends it, and */
					/* leftover processes are killed */
	struct transcript *claude;	/* of a call, which gets INT first */
};

struct ended {
	enum why why;
	int status;			/* as $? shows it */
	int survivors;			/* killed after its end; -1: unknown */
	double seconds;
};

static void
signal_ignore(int signal)
{
	(void)signal;			/* CHLD and ALRM only wake sigwait */
}

static void
signals_block(void)
{
	const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { 0 }, was;

	sigemptyset(&stop.set);
	sigemptyset(&action.sa_mask);
	action.sa_handler = signal_ignore;
	action.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);	/* ignored: no wait status */
	sigaction(SIGALRM, &action, NULL);
	sigaddset(&stop.set, SIGCHLD);
	sigaddset(&stop.set, SIGALRM);
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		sigaction(stops[i], NULL, &was);
		if (was.sa_handler == SIG_IGN && stops[i] != SIGTERM)
			continue;		/* nohup: it stays ignored */
		sigaction(stops[i], &action, NULL);
		sigaddset(&stop.set, stops[i]);
	}
	sigprocmask(SIG_SETMASK, &stop.set, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
}

/* Make this process the child of a runner that is `parent`. */
static void
signals_child(pid_t parent)
{
	stop.parent = parent;
	show.drawn = show.on;
#ifdef __linux__
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
#endif
}

/* Wait for the next signal.  The first stop is remembered. */
static void
signal_take(void)
{
	int got;

	if (sigwait(&stop.set, &got) == 0 && stop.signal == 0 &&
	    got != SIGCHLD && got != SIGALRM) {
		stop.signal = got;
		stop.time = monotonic();
	}
}

/* Must this process end, because of a signal or because its runner is gone? */
static int
is_stopping(void)
{
	sigset_t pending;

	while (stop.signal == 0 && sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
	    sigismember(&pending, SIGHUP)))
		signal_take();
	if (stop.signal == 0 && stop.parent != 0 && getppid() != stop.parent) {
		stop.signal = SIGTERM;
		stop.time = monotonic();
	}
	return stop.signal != 0;
}

/*
 * Return 0 and the absolute path, EXIT_NOEXEC or EXIT_NOTFOUND.  A link is not
 * resolved: some programs look at the name they are called by.
 */
static int
program_usable(const char *path, char *found)
{
	char here[PATH_MAX];
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == EACCES ? EXIT_NOEXEC : EXIT_NOTFOUND;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) != 0 ||
	    getcwd(here, sizeof here) == NULL)
		return EXIT_NOEXEC;
	text_copy(found, PATH_MAX, *path == '/' ? path :
	    pool_printf("%s/%s", here, path));
	return 0;
}

/* Find a program by its name in the absolute elements of PATH; see above. */
static int
program_find(const char *name, char *found)
{
	const char *dir = getenv("PATH");
	int len, status, best = EXIT_NOTFOUND;

	if (strchr(name, '/') != NULL)
		return program_usable(name, found);
	for (dir = dir == NULL ? "/usr/bin:/bin" : dir; *dir != '\0' &&
	    best != 0; dir += len + (dir[len] == ':')) {
		len = (int)strcspn(dir, ":");
		if (*dir == '/' && (status = program_usable(
		    pool_printf("%.*s/%s", len, dir, name), found)) !=
		    EXIT_NOTFOUND)
			best = status;
	}
	return best;
}

/* Decode a wait status to what $? shows. */
static int
process_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The only kill: of a child's group, or of one process. */
static void
process_kill(pid_t pid, int signal)
{
	if (pid > 1 || pid < -1)
		kill(pid, signal);
}

/* Set the child's descriptors and attributes. */
static void
process_actions(const struct process *p, int in,
    posix_spawn_file_actions_t *files, posix_spawnattr_t *how)
{
#ifdef POSIX_SPAWN_SETSID
	const int group = POSIX_SPAWN_SETSID;
#else
	const int group = POSIX_SPAWN_SETPGROUP;
#endif
	sigset_t none, every;

	sigemptyset(&none);
	sigfillset(&every);
	if (posix_spawn_file_actions_init(files) != 0 ||
	    posix_spawn_file_actions_adddup2(files, in, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(files, p->out, 1) != 0 ||
	    posix_spawn_file_actions_adddup2(files, p->err, 2) != 0 ||
	    posix_spawnattr_init(how) != 0 ||
	    posix_spawnattr_setsigmask(how, &none) != 0 ||
	    posix_spawnattr_setsigdefault(how, &every) != 0 ||
	    posix_spawnattr_setflags(how, (short)(group |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) != 0)
		die(1, "out of memory");
}

/*
 * Start the process, or exit.  If the error is EAGAIN, try again for 5 s.
 * `start` is set before the spawn, because the process may end before
 * posix_spawn returns.
 */
static pid_t
process_spawn(const struct process *p, double *start)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	pid_t pid = 0;
	int e, tries = 0, in = p->in;

	if (in < 0 && (in = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		die(1, "cannot open /dev/null:");
	process_actions(p, in, &files, &how);
	do {
		if (tries > 0)
			nap(1000);
		*start = monotonic();
		e = posix_spawn(&pid, p->path, &files, &how,
		    (char *const *)(size_t)p->argv,
		    (char *const *)(size_t)p->vars->v);
	} while (e == EAGAIN && tries++ < 5);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	if (p->in < 0)
		close(in);
	if ((errno = e) != 0)
		die(e == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC,
		    "cannot execute %s:", p->path);
	return pid;
}

/* Has pid ended?  Reap adopted orphans, but not pid. */
static int
process_over(pid_t pid)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
			die(1, "cannot wait for a child process:");
		if (info.si_pid == 0 || info.si_pid == pid)
			return info.si_pid == pid;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* Open a file of /proc/PID; return NULL if it cannot be read. */
static FILE *
process_file(pid_t pid, const char *name)
{
	char path[64];
	FILE *in = NULL;
	int fd;

	sprintf(path, "/proc/%ld/%s", (long)pid, name);
	fd = file_open(AT_FDCWD, path, 0);
	if (fd >= 0 && (in = fdopen(fd, "r")) == NULL)
		die(1, "cannot open %s:", path);
	return in;
}

/* Return the state of pid, and write its parent; X if pid does not exist. */
static char
process_state(pid_t pid, long *parent)
{
	char *line = NULL, *s, state = 'X';
	size_t size = 0;
	FILE *in = process_file(pid, "stat");

	if (in == NULL)
		return state;
	if (getdelim(&line, &size, '\0', in) > 0 &&
	    (s = strrchr(line, ')')) != NULL)
		sscanf(s + 1, " %c %ld", &state, parent);
	fclose(in);
	free(line);
	return state;
}

/* Does the environment of pid have the mark with this value? */
static int
process_has_mark(pid_t pid, const char *mark)
{
	char *line = NULL;
	size_t size = 0;
	int found = 0;
	FILE *in = process_file(pid, "environ");

	if (in == NULL)
		return 0;
	while (!found && getdelim(&line, &size, '\0', in) > 0)
		found = begins(line, MARK "=") &&
		    strcmp(line + sizeof MARK, mark) == 0;
	fclose(in);
	free(line);
	return found;
}

struct sweep {
	const char *mark;
	int children;			/* all our children are the run's */
	int reaped;			/* orphans that came and ended */
};

/* Is pid a leftover process of the run?  A child that has ended is reaped. */
static int
is_leftover(struct sweep *w, pid_t pid)
{
	long parent = 0;
	char state = process_state(pid, &parent);
	int ours = w->children && parent == (long)getpid();

	if (state == 'X' || (state == 'Z' && !ours))
		return 0;
	if (state == 'Z') {		/* its other threads may live on */
		if (waitpid(pid, NULL, WNOHANG) == 0)
			return 1;
		w->reaped++;
		return 0;
	}
	return ours || process_has_mark(pid, w->mark);
}

/* Kill a leftover process and see it end; return 0, or -1 if it does not. */
static int
leftover_kill(struct sweep *w, pid_t pid)
{
	const struct timespec moment = { 0, 200000 };

	process_kill(pid, SIGKILL);
	for (int tries = 0; is_leftover(w, pid); tries++) {
		if (tries == 5000) {
			warn("process %ld cannot be killed: end it, because it"
			    " can disturb measurements", (long)pid);
			return -1;
		}
		nanosleep(&moment, NULL);
	}
	return 0;
}

/*
 * Stop the leftover processes of a run, because each may start others.  Then
 * kill them, until a look finds none and none has come and ended meanwhile.
 * `leader`, if not 0, has ended and is not reaped.  Return how many were
 * killed, or -1 if /proc does not tell.
 */
static int
leftovers_kill(const char *mark, pid_t leader, int children)
{
	struct sweep sweep = { mark, children, 0 }, *w = &sweep;
	double start = monotonic();
	int count = 0, again = 1, stopped = 0, found, reaped;
	struct dirent *d;
	long parent;
	pid_t pid;
	DIR *proc;

	if (access("/proc/self/environ", R_OK) != 0)
		return -1;
	if ((proc = opendir("/proc")) == NULL)
		die(1, "cannot open /proc:");
	while (again && monotonic() - start < SWEEP_S) {
		reaped = w->reaped;
		again = found = 0;
		for (rewinddir(proc); errno = 0, (d = readdir(proc)) != NULL;) {
			pid = (pid_t)strtol(d->d_name, NULL, 10);
			if (pid <= 1 || pid == getpid() || pid == leader ||
			    !is_leftover(w, pid))
				continue;
			found = 1;
			if (stopped) {
				count++;
				again = leftover_kill(w, pid) == 0;
			} else if (strchr("TtZ", process_state(pid, &parent)) ==
			    NULL) {
				process_kill(pid, SIGSTOP);
				again = 1;
			}
		}
		if (errno != 0)
			die(1, "cannot read /proc:");
		again |= w->reaped != reaped;
		if (found && !stopped &&
		    (!again || 2 * (monotonic() - start) > SWEEP_S))
			stopped = again = 1;
	}
	if (again)
		warn("leftover processes of claude or a benchmark still run "
		    "after %d s: end those with " MARK "=%s in their "
		    "environment, because they can disturb measurements",
		    SWEEP_S, mark);
	closedir(proc);
	return count;
}

struct watch {				/* what is known of a child's output */
	double start, grown, out_grown;
	off_t size, out_size;
	int asked;			/* this much is not finished */
	int right;			/* the arm is the one asked for */
};

/* Return why the process must be ended now, or BY_ITSELF. */
static enum why
process_verdict(const struct process *p, struct watch *w, double now)
{
	off_t out = fd_size(p->out), size = out + fd_size(p->err);

	if (size != w->size)
		w->grown = now;
	if (out != w->out_size) {
		w->out_grown = now;
		w->asked = 0;
	}
	w->size = size;
	w->out_size = out;
	if (p->mark != NULL && is_stopping())
		return BY_SIGNAL;
	if (now - w->start >= p->limit || (stop.signal != 0 &&
	    now - stop.time >= STOPPING_S && now - w->start >= 1))
		return BY_LIMIT;
	if (p->claude != NULL && !w->right && out > 0 && out < WRONG_SIZE) {
		transcript_read(p->claude);
		if (*arm_fault(p->claude) != '\0')
			return BY_ARM;
		w->right = p->claude->init.type[0] != '\0';
	}
	if (p->claude != NULL && !w->asked && now - w->out_grown >= LINGER_S) {
		transcript_read(p->claude);
		if (p->claude->result_last && p->claude->tasks.n == 0)
			return BY_LINGERING;
		w->asked = 1;
	}
	return p->idle > 0 && now - w->grown >= p->idle ?
	    BY_SILENCE : BY_ITSELF;
}

/* Sleep until the next signal, or until it is time to look. */
static void
process_nap(const struct process *p, double start, double now, double until)
{
	double wake = until > 0 ? until - now : p->limit - (now - start);
	double most = p->mark != NULL || stop.signal != 0 ? 1 : 60;

	if (p->idle > 0 && most > p->idle)
		most = p->idle;
	if (wake > most)
		wake = most;
	alarm(wake <= 0 ? 1 : (unsigned)wake + (wake > (unsigned)wake));
	signal_take();
}

/*
 * Wait until the process has ended, or end it: INT for claude, so that it can
 * print a result with its cost, then TERM and CONT, then KILL.
 */
static void
process_wait(const struct process *p, pid_t pid, double start, struct ended *e)
{
	struct watch w = { .start = start, .grown = start, .out_grown = start };
	double now = start, until = 0;	/* when the next signal is due */
	int step = p->claude != NULL ? 0 : 1;

	for (e->why = BY_ITSELF; !process_over(pid); now = monotonic()) {
		if (e->why == BY_ITSELF &&
		    (e->why = process_verdict(p, &w, now)) != BY_ITSELF)
			until = now;
		if (until > 0 && now >= until) {
			process_kill(-pid, step == 0 ? SIGINT : step == 1 ?
			    SIGTERM : SIGKILL);
			if (step == 1)
				process_kill(-pid, SIGCONT);
			until = now + (step == 0 ? INT_S : GRACE_S);
			step++;
		}
		process_nap(p, start, now, until);
	}
	alarm(0);
	e->seconds = monotonic() - start;
}

/* Run a process to its end, kill its leftover processes, and fill in e. */
static void
process_run(const struct process *p, struct ended *e)
{
	double start;
	int status;
	pid_t pid;

	memset(e, 0, sizeof *e);
	if (show.verbose)
		say("+ %s", quoted(p->argv));
	if (p->mark != NULL && is_stopping()) {
		e->why = BY_SIGNAL;
		e->status = 128 + stop.signal;
		return;
	}
	pid = process_spawn(p, &start);
	process_wait(p, pid, start, e);
	if (p->mark != NULL)
		e->survivors = leftovers_kill(p->mark, pid, stop.parent != 0);
	process_kill(-pid, SIGKILL);	/* before the reaping: see above */
	if (waitpid(pid, &status, 0) < 0)
		die(1, "cannot wait for %s:", p->path);
	e->status = process_status(status);
}

/* ---- git: each command reads as a person would type it ------------------- */

/*
 * A view is an environment and two temporary files with what its last command
 * printed.  git_try() returns the exit status, git_or_die() exits with git's
 * error if it is not 0, and git_with() adds a list of words to a command.  No
 * hook acts, and no variable of the caller changes the repository.
 */

struct git {				/* one view of a repository */
	const char *path;		/* of the program */
	struct words vars;
	int out, err;			/* what the last command printed */
};

/*
 * Copy the environment without variables that name a repository (git rev-parse
 * --local-env-vars) or change what git prints.  GIT_CONFIG_* stays.
 */
static void
vars_copy(struct words *to, const char *const *more)
{
	static const char *const dropped[] = { "GIT_DIR=", "GIT_WORK_TREE=",
	    "GIT_INDEX_FILE=", "GIT_OBJECT_DIRECTORY=", "GIT_COMMON_DIR=",
	    "GIT_ALTERNATE_OBJECT_DIRECTORIES=", "GIT_CONFIG=", "GIT_PREFIX=",
	    "GIT_IMPLICIT_WORK_TREE=", "GIT_GRAFT_FILE=", "GIT_SHALLOW_FILE=",
	    "GIT_NO_REPLACE_OBJECTS=", "GIT_REPLACE_REF_BASE=",
	    "GIT_INTERNAL_", "GIT_QUARANTINE_PATH=", "GIT_NAMESPACE=",
	    "GIT_CEILING_DIRECTORIES=", "GIT_LITERAL_PATHSPECS=",
	    "GIT_GLOB_PATHSPECS=", "GIT_NOGLOB_PATHSPECS=",
	    "GIT_ICASE_PATHSPECS=", "GIT_EXTERNAL_DIFF=", "GIT_DIFF_OPTS=",
	    "GIT_TRACE", "GIT_DEFAULT_HASH=", "GIT_ATTR_SOURCE=", MARK "=",
	    NULL };
	extern char **environ;

	for (char **e = environ; *e != NULL; e++)
		if (!begins_one(*e, dropped) && !begins_one(*e, more))
			words_add(to, *e);
}

/* Append settings, which win over every file, to GIT_CONFIG_COUNT. */
static void
vars_config(struct words *w, const char *const *pairs)
{
	size_t at = words_find(w, "GIT_CONFIG_COUNT=");
	long n = at == w->n ? 0 : strtol(strchr(w->v[at], '=') + 1, NULL, 10);

	for (; pairs[0] != NULL; pairs += 2, n++) {
		words_set(w, pool_printf("GIT_CONFIG_KEY_%ld", n), pairs[0]);
		words_set(w, pool_printf("GIT_CONFIG_VALUE_%ld", n), pairs[1]);
	}
	words_set(w, "GIT_CONFIG_COUNT", pool_printf("%ld", n));
}

/* Make the environment of the runner's git, in which no hook acts. */
static void
vars_git(struct words *w)
{
	static const char *const config[] = { "core.sparseCheckout", "false",
	    "core.hooksPath", "/dev/null", "core.splitIndex", "false",
	    "core.fsmonitor", "false", "core.untrackedCache", "false",
	    "core.trustctime", "true", "core.checkStat", "default",
	    "core.safecrlf", "false", "submodule.recurse", "false",
	    "i18n.commitEncoding", "UTF-8", "diff.orderFile", "/dev/null",
	    "advice.addEmbeddedRepo", "false", "core.quotePath", "true",
	    "gc.auto", "0", "maintenance.auto", "false",
	    "core.fsync", "committed,loose-object,reference", NULL };
	static const char *const fixed[] = { "GIT_NO_REPLACE_OBJECTS", "1",
	    "GIT_TERMINAL_PROMPT", "0", "GIT_EDITOR", "false", "GIT_PAGER",
	    "cat", "GIT_OPTIONAL_LOCKS", "0", "LC_ALL", "C", NULL };

	vars_copy(w, &(const char *const){ NULL });
	vars_config(w, config);
	for (int i = 0; fixed[i] != NULL; i += 2)
		words_set(w, fixed[i], fixed[i + 1]);
}

/* Open a view of a repository; git_close() releases it. */
static void
git_open(struct git *g, const struct experiment *x)
{
	memset(g, 0, sizeof *g);
	g->path = x->git;
	words_append(&g->vars, &x->git_vars);
	g->out = fd_scratch();
	g->err = fd_scratch();
}

static void
git_close(struct git *g)
{
	words_free(&g->vars);
	close(g->out);
	close(g->err);
}

/* Run git; return its exit status. */
static int
git_run(struct git *g, int in, const char *const *argv)
{
	struct process p = { .path = g->path, .argv = argv, .vars = &g->vars,
	    .in = in, .out = g->out, .err = g->err, .limit = GIT_TIMEOUT_S };
	struct ended e;

	if (ftruncate(g->out, 0) != 0 || ftruncate(g->err, 0) != 0)
		die(1, "cannot empty a temporary file (set TMPDIR):");
	process_run(&p, &e);
	if (e.why == BY_LIMIT)
		warn("%s %s timed out after %s: see whether its disk is slow",
		    argv[0], argv[1], duration(e.seconds));
	return e.status;
}

/* The first line of what the last command printed. */
static const char *
git_line(const struct git *g)
{
	return fd_line(g->out);
}

/* Return the line with git's error, or the first line it printed. */
static const char *
git_fault(const struct git *g)
{
	const char *text = fd_text(g->err, NULL), *s;

	if ((s = strstr(text, "fatal: ")) == NULL &&
	    (s = strstr(text, "error: ")) == NULL)
		s = *text != '\0' ? text : pool_printf("git printed no error:"
		    " is %s full?", temporary_directory());
	return pool_printf("%.*s", (int)strcspn(s, "\n"), s);
}

enum { ANY_STATUS = 255 };

/*
 * Run git; if the exit status is above most, run it once more, because a gc of
 * the user may have removed the directory of an object that git was making.
 */
static int
git_twice(struct git *g, int most, int in, const char *const *argv)
{
	int status = git_run(g, in, argv);

	if (status <= most)
		return status;
	lseek(in, 0, SEEK_SET);
	return git_run(g, in, argv);
}

/* Run git; exit with its error if the exit status is above most. */
static int
git_most(struct git *g, int most, int in, const char *const *argv)
{
	int status = git_twice(g, most, in, argv);

	if (status > most)
		die(1, "%.500s: exit status %d: %s", quoted(argv), status,
		    git_fault(g));
	return status;
}

/* Run git with a text as its input; exit if it fails. */
static void
git_input(struct git *g, const char *text, const char *const *argv)
{
	int in = fd_scratch_text(text);

	git_most(g, 0, in, argv);
	close(in);
}

/* Run git with more words at the end, as git_most() does. */
static int
git_with(struct git *g, int most, const char *const *argv,
    const struct words *more)
{
	struct words w = { NULL, 0 };
	int status;

	for (; *argv != NULL; argv++)
		words_add(&w, *argv);
	words_append(&w, more);
	status = git_most(g, most, -1, w.v);
	words_free(&w);
	return status;
}

#define ARGV(...) ((const char *const[]){ "git", __VA_ARGS__, NULL })
#define git_try(g, ...) git_run((g), -1, ARGV(__VA_ARGS__))
#define git_or_die(g, ...) git_most((g), 0, -1, ARGV(__VA_ARGS__))

struct records {			/* of what a git has printed */
	char *text;			/* the record that was read */
	char *next, *end;
	int delimiter;			/* at the end of each record */
};

static struct records
git_records(const struct git *g, int delimiter)
{
	struct records r = { .delimiter = delimiter };
	size_t size;

	r.next = fd_text(g->out, &size);
	r.end = r.next + size;
	return r;
}

/* Read the next record; return 0 after the last. */
static int
record_next(struct records *r)
{
	r->text = r->next;
	if (r->text >= r->end)
		return 0;
	r->next = memchr(r->text, r->delimiter, (size_t)(r->end - r->text));
	if (r->next == NULL)
		r->next = r->end;
	*r->next++ = '\0';
	return 1;
}

/* Does name give a commit?  Then git_line() is its id. */
static int
git_commit(struct git *g, const char *name)
{
	int status = git_try(g, "rev-parse", "-q", "--verify",
	    "--end-of-options", pool_printf("%s^{commit}", name));

	if (status > 1 && fd_size(g->err) == 0)
		die(1, "cannot look for commit %s: exit status %d: %s", name,
		    status, git_fault(g));
	return status == 0;
}

/*
 * Create a ref, or move it if force is set.  Without force, a ref that points
 * at another commit stays, and the result is -1.  If git fails, a killed git
 * may have left a lock of the ref: remove the lock, and try again.
 */
static int
git_ref(struct git *g, const struct experiment *x, const char *ref,
    const char *commit, int force)
{
	const char *const *update = force ?
	    ARGV("update-ref", ref, commit) :
	    ARGV("update-ref", ref, commit, "");
	int status = git_run(g, -1, update);

	if (status != 0) {
		unlink(pool_printf("%s/%s.lock", x->common, ref));
		status = git_run(g, -1, update);
	}
	if (status != 0 && !git_commit(g, ref))
		status = git_most(g, 0, -1, update);
	if (status == 0 || strcmp(git_line(g), commit) == 0)
		return 0;
	warn("%s points at another commit and is not moved: the work is commit"
	    " %s", ref, commit);
	return -1;
}

/* ---- the copy: where a run's agent works --------------------------------- */

/*
 * The child of a run calls, in this order: copy_open(); then for each attempt
 * copy_prepare(), claude, copy_commit(); for each measurement copy_prepare(),
 * the benchmarks; at last copy_remove().
 *
 * A copy is below x->copies:
 *	run-N/PROJECT	the files, with the agent's .git
 *	run-N/index	the index of the runner's git
 *	run-N/store	an object directory with the packs of the agent's .git
 *	run-N/tmp	TMPDIR of claude and the benchmarks
 */
struct copy {
	const struct experiment *x;
	int run;
	char run_dir[PATH_MAX], dir[PATH_MAX];
	struct stat noted;		/* run_dir, as it was made */
	struct timespec since;		/* the attempt began */
	char mark[64];			/* of its processes */
	char at[ID_SIZE];		/* the commit in the files, or "" */
	char tree[ID_SIZE];		/* of the start of the attempt */
	char packed[ID_SIZE];		/* the store has all of this commit */
	int packs;			/* in the store */
	unsigned long long stored;	/* their sizes and times, as a hash */
	int clean;			/* of ignored files; no program ran */
	struct git git;			/* the user's repository, own index */
	struct git bare;		/* without work tree and index */
	struct git taker;		/* it reads the agent's objects */
	struct words vars;		/* of claude and benchmarks */
	struct words submodules;	/* their paths, */
	struct words excludes;		/* pathspecs that git add leaves out */
	struct words made;		/* by --setup: "-e", pattern, ... */
	const char *branch;		/* the agent's; this and the texts of */
	const char *head, *refs;	/* its .git end with the attempt */
	int gate_fd;			/* see the section on measuring */
};

struct changes {
	long files, added, removed, md_added, md_removed;
};

/* The mark of a run's processes.  With --in-place, all runs have one mark. */
static const char *
run_mark(const struct experiment *x, int run)
{
	return pool_printf("%s-%d", base_name(x->copies), x->opt.in_place ? 0 :
	    run);
}

static const char *
copy_path(const struct copy *c, const char *name)
{
	return pool_printf("%s/%s", c->run_dir, name);
}

static const char *
agent_git(const struct copy *c, const char *name)
{
	return pool_printf("%s/.git%s%s", c->dir, *name != '\0' ? "/" : "",
	    name);
}

/* Is a directory below this one a mount point, as an agent of root can make? */
static int
has_mount(const char *dir)
{
	const char *inside = pool_printf(" %s/", dir);
	FILE *in = process_file(getpid(), "mountinfo");
	char line[2 * PATH_MAX];
	int found = 0;

	while (in != NULL && !found && line_read(in, line, sizeof line))
		found = strstr(line, inside) != NULL;
	if (in != NULL)
		fclose(in);
	return found;
}

/*
 * Remove the directory of a run, renamed first, unless this would remove files
 * elsewhere.  A process that still writes may keep it for a moment.
 */
static void
run_remove(const struct experiment *x, int run)
{
	const char *now = pool_printf("%s/run-%d", x->copies, run);
	const char *old = pool_printf("%s.old", now);

	if (access(now, F_OK) == 0 && (!is_directory(x->directory) ||
	    !is_directory(x->copies) || has_mount(now))) {
		warn("%s is not removed, because it has a mount point or was "
		    "replaced: remove it", now);
		return;
	}
	for (int tries = 0; tries < 10; tries++, nap(100)) {
		files_remove(AT_FDCWD, old);
		if (rename(now, old) == 0)
			files_remove(AT_FDCWD, old);
		if (access(now, F_OK) != 0 && access(old, F_OK) != 0)
			return;
	}
	warn("cannot remove %s, because a process may still write there: the "
	    "next start tries again", old);
}

/*
 * Empty the TMPDIR of claude and the benchmarks.  Called after each of them,
 * it exits if the directory of the run was replaced.
 */
static void
copy_tmp(const struct copy *c)
{
	struct stat st;

	if (lstat(c->run_dir, &st) != 0 || st.st_ino != c->noted.st_ino ||
	    st.st_dev != c->noted.st_dev)
		die(1, "%s was replaced while claude or a benchmark ran: no "
		    "command may move or remove it", c->run_dir);
	if (has_mount(c->run_dir))
		die(1, "%s has a mount point: unmount it, because the copy is "
		    "removed", c->run_dir);
	if (lstat(copy_path(c, "index"), &st) == 0 && !S_ISREG(st.st_mode))
		files_remove(AT_FDCWD, copy_path(c, "index"));
	files_remove(AT_FDCWD, copy_path(c, "tmp"));
	directory_make(copy_path(c, "tmp"), 0700);
}

/* Open the three views of git, and make the environment of the agent. */
static void
copy_views(struct copy *c)
{
	struct git *const views[] = { &c->git, &c->bare, &c->taker };
	const struct experiment *x = c->x;

	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		git_open(views[i], x);
		words_set(&views[i]->vars, "GIT_DIR", x->opt.in_place ?
		    x->own : x->common);
		words_set(&views[i]->vars, MARK, c->mark);
		words_set(&views[i]->vars, "GIT_INDEX_FILE",
		    copy_path(c, i == 0 ? "index" : "none"));
	}
	words_set(&c->git.vars, "GIT_WORK_TREE", c->dir);
	words_set(&c->taker.vars, "GIT_OBJECT_DIRECTORY",
	    agent_git(c, "objects"));
	words_set(&c->taker.vars, "GIT_ALLOW_PROTOCOL", "none");
	words_append(&c->vars, &x->agent_vars);
	words_set(&c->vars, "TMPDIR", copy_path(c, "tmp"));
	words_set(&c->vars, "PWD", c->dir);
	words_set(&c->vars, MARK, c->mark);
	words_set(&c->vars, "CC_RUN_EXPERIMENTS_RUN",
	    pool_printf("%d", c->run));
}

/*
 * Write the configuration of the agent's .git.  Settings of the user's
 * repository that change how files are read, and the author, are copied.
 */
static void
copy_config(struct copy *c)
{
	const char *path = copy_path(c, "config"), *text;
	int sha256 = strlen(c->x->base) > 40;
	char *value;

	text = pool_printf("[core]\n\trepositoryformatversion = %d\n"
	    "\tfilemode = true\n\tlogallrefupdates = true\n%s", sha256,
	    sha256 ? "[extensions]\n\tobjectFormat = sha256\n" : "");
	file_write(path, text, strlen(text));
	git_most(&c->git, 1, -1, ARGV("config", "--local", "--includes", "-z",
	    "--get-regexp", "^(core\\.(autocrlf|eol|ignorecase|filemode|"
	    "symlinks)|filter\\..*|user\\..*)$"));
	for (struct records r = git_records(&c->git, '\0'); record_next(&r);) {
		if ((value = strchr(r.text, '\n')) != NULL)
			*value++ = '\0';
		git_or_die(&c->git, "config", "-f", path, "--add", r.text,
		    value == NULL ? "true" : value);
	}
}

/* Make the directory of a run anew.  The caller holds the run's lock. */
static void
copy_open(struct copy *c, const struct experiment *x, int run)
{
	memset(c, 0, sizeof *c);
	c->x = x;
	c->run = run;
	COPY(c->run_dir, pool_printf("%s/run-%d", x->copies, run));
	COPY(c->dir, x->opt.in_place ? x->top : pool_printf("%s/%s",
	    c->run_dir, base_name(x->top)));
	COPY(c->mark, run_mark(x, run));
	if (leftovers_kill(c->mark, 0, 1) > 0)
		say("run %d: killed leftover processes of an earlier start",
		    run);
	directory_make(x->copies, 0300);
	run_remove(x, run);
	directory_make(c->run_dir, 0700);
	if (!x->opt.in_place)
		directory_make(c->dir, 0777);
	if (lstat(c->run_dir, &c->noted) != 0)
		die(1, "cannot find %s, which was just made:", c->run_dir);
	copy_tmp(c);
	copy_views(c);
	copy_config(c);
	c->gate_fd = open(pool_printf("%s/measure", x->directory), O_RDWR |
	    O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (c->gate_fd < 0)
		die(1, "cannot open %s/measure:", x->directory);
}

static void
copy_remove(struct copy *c)
{
	if (chdir("/") != 0)
		die(1, "cannot enter /:");
	run_remove(c->x, c->run);
	git_close(&c->git);
	git_close(&c->bare);
	git_close(&c->taker);
	words_free(&c->vars);
	words_free(&c->submodules);
	words_free(&c->excludes);
	words_free(&c->made);
}

/*
 * Claude reads instructions from every parent of its directory.  Remove those
 * below x->directory.  If there are others, exit with this status.
 */
static void
parents_check(const struct experiment *x, const char *path, int status)
{
	static const char *const names[] = { "CLAUDE.md", "CLAUDE.local.md",
	    "AGENTS.md", ".claude/CLAUDE.md", ".claude/rules", ".mcp.json",
	    NULL };
	char *dir = pool_printf("%s", path);
	const char *const *name, *file;

	while (*dir != '\0') {
		*strrchr(dir, '/') = '\0';
		for (name = names; *name != NULL; name++) {
			file = pool_printf("%s/%s", dir, *name);
			if (access(file, F_OK) != 0)
				continue;
			if (!is_inside(dir, x->directory))
				die(status, "claude would read %s in each run: "
				    "remove it, or %s", file, x->opt.in_place ?
				    "do without --in-place" : "set TMPDIR to a "
				    "directory without one above");
			files_remove(AT_FDCWD, file);
			rmdir(pool_printf("%s/.claude", dir));
			warn("removed %s, because claude would read it in each "
			    "run", file);
		}
	}
}

/* Enter the copy, which an agent may have removed or replaced by a link. */
static void
copy_enter(struct copy *c)
{
	struct stat st;

	if (lstat(c->dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		c->at[0] = '\0';
		if (c->x->opt.in_place)
			die(1, "%s was removed or replaced: put the directory "
			    "back", c->dir);
		files_remove(AT_FDCWD, c->dir);
		directory_make(c->dir, 0777);
	} else if ((st.st_mode & S_IRWXU) != S_IRWXU) {
		chmod(c->dir, 0755);
	}
	if (chdir(c->dir) != 0)
		die(1, "cannot enter %s:", c->dir);
}

/*
 * Below `top`, a path in the copy, which is the working directory: make
 * directories accessible and remove pipes and sockets, on which git would fail
 * or wait (in place they may be the user's); with `files`, make files
 * accessible, too.  No other file is changed, because git would read it again.
 */
static void
copy_sweep(const struct copy *c, const char *top, int files)
{
	struct words left = { NULL, 0 };
	const char *path;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	words_add(&left, top);
	while (left.n > 0) {
		path = pool_printf("%s", left.v[left.n - 1]);
		words_remove(&left, left.n - 1);
		for (dir = dir_open(AT_FDCWD, path);
		    (d = dir_next(dir)) != NULL;)
			if ((d->d_type == DT_REG && !files) ||
			    d->d_type == DT_LNK || fstatat(dirfd(dir),
			    d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			    (strcmp(path, ".") == 0 &&
			    strcmp(d->d_name, ".git") == 0))
				continue;
			else if (S_ISDIR(st.st_mode))
				words_add(&left, pool_printf("%s/%s", path,
				    d->d_name));
			else if (S_ISREG(st.st_mode) && files &&
			    (~st.st_mode & 0600) != 0)
				fchmodat(dirfd(dir), d->d_name, (st.st_mode &
				    07777) | 0600, 0);
			else if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) &&
			    !c->x->opt.in_place)
				unlinkat(dirfd(dir), d->d_name, 0);
	}
	words_free(&left);
}

/* Add a pathspec that excludes a path. */
static void
words_exclude(struct words *w, const char *path)
{
	words_add(w, pool_printf(":(exclude,top,literal)%s", path));
}

/* Remember the submodules of the commit that the index has. */
static void
copy_submodules(struct copy *c)
{
	const char *path;

	git_or_die(&c->git, "ls-files", "-s", "-z");
	for (struct records r = git_records(&c->git, '\0'); record_next(&r);)
		if (begins(r.text, "160000 ")) {
			path = strchr(r.text, '\t') + 1;
			words_add(&c->submodules, path);
			words_exclude(&c->excludes, path);
		}
}

/* Remember that the index equals a commit. */
static void
copy_note(struct copy *c, const char *commit)
{
	if (c->tree[0] == '\0')
		copy_submodules(c);
	git_or_die(&c->git, "rev-parse", pool_printf("%s^{tree}", commit));
	COPY(c->tree, git_line(&c->git));
	COPY(c->at, commit);
}

/*
 * Make the files equal to a commit.  With `all`, ignored files are removed,
 * too, but never in place.  Nothing is done if they are equal already.
 */
static void
copy_reset(struct copy *c, const char *commit, int all)
{
	int place = c->x->opt.in_place, tries, status = 1;
	const char *const *clean;

	copy_enter(c);
	all &= !place;
	clean = all ? ARGV("clean", "-ffdxq") : ARGV("clean", "-ffdq");
	if (strcmp(c->at, commit) == 0 && (c->clean || !all))
		return;
	if (all) {			/* what git clean would leave */
		words_free(&c->made);
		while (c->excludes.n > c->submodules.n)
			words_remove(&c->excludes, c->excludes.n - 1);
		for (size_t i = 0; i < c->submodules.n; i++)
			path_remove(c->submodules.v[i]);
	}
	for (tries = 0; tries < (place ? 1 : 2) && status != 0; tries++) {
		if (tries > 0) {	/* git could not remove something */
			files_remove(AT_FDCWD, c->dir);
			unlink(copy_path(c, "index"));
			copy_enter(c);
		}
		copy_sweep(c, ".", 0);
		unlink(copy_path(c, "index.lock"));
		if ((status = git_try(&c->git, "read-tree", "--reset", "-u",
		    commit)) == 0)
			status = git_with(&c->git, ANY_STATUS, clean, &c->made);
	}
	if (status != 0)
		die(1, "cannot make a copy of %s in %s: %s", commit, c->dir,
		    git_fault(&c->git));
	copy_note(c, commit);
	c->clean = all;
}

/* ---- the copy: the agent's .git ------------------------------------------ */

/*
 * The .git is made anew before each attempt.  It has the history of the start,
 * which includes the baseline, and no other ref of the user.  Its packs are
 * links to those of the store.  An agent can write to a linked pack, so the
 * store is made again if store_hash() differs.
 */

/* A hash of the files in the store, which an agent can change. */
static unsigned long long
store_hash(const struct copy *c)
{
	const char *const dirs[] = { "store", "store/info", "store/pack" };
	unsigned long long sum = 0;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		for (dir = dir_open(AT_FDCWD, copy_path(c, dirs[i]));
		    (d = dir_next(dir)) != NULL;)
			if (fstatat(dirfd(dir), d->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) == 0)
				sum += hash((unsigned long long)st.st_size ^
				    (unsigned long long)st.st_mode << 40 ^
				    (unsigned long long)st.st_mtim.tv_sec << 20
				    ^ (unsigned long long)st.st_mtim.tv_nsec
				    << 30, d->d_name);
	return sum;
}

/* Make an empty store that borrows the objects of the user's repository. */
static void
store_make(struct copy *c)
{
	const char *text = pool_printf("%s/objects\n", c->x->common);

	files_remove(AT_FDCWD, copy_path(c, "store"));
	directory_make(copy_path(c, "store"), 0700);
	directory_make(copy_path(c, "store/info"), 0700);
	directory_make(copy_path(c, "store/pack"), 0700);
	file_write(copy_path(c, "store/info/alternates"), text, strlen(text));
	c->packs = 0;
}

/* Write a pack with all that commit needs, unless the store has it. */
static void
store_pack(struct copy *c, const char *commit)
{
	enum { PACKS = 50 };
	const char *const *pack = ARGV("-c", "core.fsync=none", "-c",
	    "pack.threads=1", "pack-objects", "-q", "--revs", "--window=0",
	    copy_path(c, "store/pack/pack"));

	if (c->packs > PACKS || store_hash(c) != c->stored)
		c->packed[0] = '\0';
	if (strcmp(c->packed, commit) == 0)
		return;
	if (c->packed[0] == '\0')
		store_make(c);
	words_set(&c->bare.vars, "GIT_OBJECT_DIRECTORY", copy_path(c,
	    "store"));
	git_input(&c->bare, pool_printf(c->packed[0] == '\0' ? "%s\n" :
	    "%s\n^%s\n", commit, c->packed), pack);
	words_set(&c->bare.vars, "GIT_OBJECT_DIRECTORY", NULL);
	c->packs++;
	c->stored = store_hash(c);
	COPY(c->packed, commit);
}

/* Copy a file with its modification time, which git compares. */
static void
file_copy(const char *from, const char *to)
{
	struct timespec times[2];
	struct stat st;
	size_t size;
	char *text = file_text(AT_FDCWD, from, &size);

	if (text == NULL || lstat(from, &st) != 0)
		die(1, "cannot read %s:", from);
	file_write(to, text, size);
	times[0] = times[1] = st.st_mtim;
	if (utimensat(AT_FDCWD, to, times, 0) != 0)
		die(1, "cannot set the time of %s:", to);
}

/* Link the packs of the store into the agent's .git. */
static void
store_link(const struct copy *c)
{
	DIR *dir = dir_open(AT_FDCWD, copy_path(c, "store/pack"));
	const char *from, *to;

	for (struct dirent *d; (d = dir_next(dir)) != NULL;) {
		from = copy_path(c, pool_printf("store/pack/%s", d->d_name));
		to = agent_git(c, pool_printf("objects/pack/%s", d->d_name));
		if (link(from, to) != 0)
			file_copy(from, to);
	}
}

/* Copy a file of the user's git directory; add the patterns of a list. */
static void
agent_git_file(const struct copy *c, const char *name,
    const struct words *made)
{
	const char *users = file_text(AT_FDCWD, pool_printf("%s/%s",
	    c->x->common, name), NULL);
	FILE *to = stream_begin();
	const char *text;

	fputs(users == NULL ? "" : users, to);
	for (size_t i = 1; made != NULL && i < made->n; i += 2)
		fprintf(to, "\n%s", made->v[i]);
	text = stream_end(to);
	if (*text != '\0')
		file_write(agent_git(c, name), text, strlen(text));
}

/* Have git neither commit nor remove a path. */
static void
copy_leave(struct copy *c, const char *path)
{
	FILE *to = stream_begin();

	words_exclude(&c->excludes, path);
	for (putc('/', to); *path != '\0'; path++)
		fprintf(to, strchr("*?[\\ ", *path) != NULL ? "\\%c" : "%c",
		    *path);
	words_add(&c->made, "-e");
	words_add(&c->made, stream_end(to));
}

/*
 * Leave alone what --setup made and git does not ignore, and hide it from the
 * agent's git status.
 */
static void
copy_made(struct copy *c)
{
	git_or_die(&c->git, "ls-files", "-o", "-z", "--exclude-standard",
	    "--directory", "--no-empty-directory");
	for (struct records r = git_records(&c->git, '\0'); record_next(&r);) {
		if (ends(r.text, "/"))
			r.text[strlen(r.text) - 1] = '\0';
		copy_leave(c, r.text);
	}
}

/* Make the agent's .git, with the history of start on a branch of its own. */
static void
copy_new_git(struct copy *c, int run, int iteration, const char *start)
{
	static const char *const dirs[] = { "", "objects", "objects/pack",
	    "objects/info", "refs", "refs/heads", "refs/tags", "info", NULL };

	store_pack(c, start);
	files_remove(AT_FDCWD, agent_git(c, ""));
	for (const char *const *dir = dirs; *dir != NULL; dir++)
		directory_make(agent_git(c, *dir), 0777);
	store_link(c);
	file_copy(copy_path(c, "index"), agent_git(c, "index"));
	file_copy(copy_path(c, "config"), agent_git(c, "config"));
	agent_git_file(c, "info/exclude", &c->made);
	agent_git_file(c, "info/attributes", NULL);
	agent_git_file(c, "shallow", NULL);
	c->branch = pool_printf("run-%d-iteration-%d", run, iteration);
	c->head = pool_printf("ref: refs/heads/%s\n", c->branch);
	c->refs = pool_printf("%s refs/heads/%s\n%s refs/heads/%s\n",
	    c->x->base, c->x->branch, start, c->branch);
	file_write(agent_git(c, "packed-refs"), c->refs, strlen(c->refs));
	file_write(agent_git(c, "HEAD"), c->head, strlen(c->head));
}

/* ---- in place: the user's own directory instead of a copy ---------------- */

/*
 * With --in-place, `dir` of a copy is the user's top level and the agent has
 * the user's own .git.  What differs in the sections above and below asks for
 * opt.in_place: ignored files stay, nothing is moved from another repository,
 * and the end of a run checks out the user's branch.  The runner keeps an index
 * of its own, which is copied to the user's before each attempt.
 *
 * While the work tree is not the user's, the ref `home` points at the branch,
 * or the commit, that was checked out: place_open() makes this ref and
 * place_return() deletes it.  A start that finds the ref calls
 * place_recover().  An agent works on the branch in-place.
 */
static const char place_branch[] = "refs/heads/in-place";

/* Files of a merge, rebase or bisect under way in the git directory. */
static const char *const place_states[] = { "MERGE_HEAD", "CHERRY_PICK_HEAD",
    "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply", "sequencer",
    NULL };

/* Other files there that an agent may have left. */
static const char *const place_rest[] = { "MERGE_MSG", "MERGE_MODE",
    "MERGE_RR", "AUTO_MERGE", "SQUASH_MSG", "REBASE_HEAD", "BISECT_START",
    "BISECT_TERMS", "BISECT_NAMES", "BISECT_RUN", "BISECT_EXPECTED_REV",
    "BISECT_ANCESTORS_OK", "BISECT_HEAD", "refs/bisect", "index.lock",
    "HEAD.lock", NULL };

static const char *
place_home(const struct experiment *x)
{
	return pool_printf(REFS "%s/home", x->opt.prefix);
}

/* Is another branch than the user's checked out? */
static int
place_is_open(struct git *g, const struct experiment *x)
{
	return git_try(g, "symbolic-ref", "-q", place_home(x)) == 0 ||
	    git_try(g, "rev-parse", "-q", "--verify", place_home(x)) == 0;
}

/* The path of the output directory in the work tree; "" if it is elsewhere. */
static const char *
place_output(const struct experiment *x)
{
	char real[PATH_MAX];

	if (realpath(x->opt.output, real) == NULL || !is_inside(real, x->top))
		return "";
	return strcmp(real, x->top) == 0 ? "." :
	    pool_printf("%s", real + strlen(x->top) + 1);
}

/* Remove locks and half-done merges. */
static void
place_tidy(const struct copy *c)
{
	for (const char *const *name = place_states; *name != NULL; name++)
		files_remove(AT_FDCWD, pool_printf("%s/%s", c->x->own, *name));
	for (const char *const *name = place_rest; *name != NULL; name++)
		files_remove(AT_FDCWD, pool_printf("%s/%s", c->x->own, *name));
	unlink(pool_printf("%s/packed-refs.lock", c->x->common));
	unlink(pool_printf("%s/%s.lock", c->x->common, place_branch));
}

/* Replace the user's index by the copy's. */
static void
place_index(const struct copy *c)
{
	const char *index = pool_printf("%s/index", c->x->own);

	files_remove(AT_FDCWD, index);
	file_copy(copy_path(c, "index"), index);
}

/* Begin to work in the user's directory.  The index is the user's. */
static void
place_open(struct copy *c)
{
	const struct experiment *x = c->x;
	const char *index = pool_printf("%s/index", x->own);

	if (*place_output(x) != '\0')
		copy_leave(c, place_output(x));
	if (place_is_open(&c->git, x))
		return;
	if (access(index, F_OK) == 0)
		file_copy(index, copy_path(c, "index"));
	if (git_try(&c->git, "symbolic-ref", "-q", "HEAD") == 0)
		git_or_die(&c->git, "symbolic-ref", place_home(x),
		    git_line(&c->git));
	else
		git_or_die(&c->git, "update-ref", place_home(x), "HEAD");
}

/* Check out a commit, which the files equal, on the agent's branch. */
static void
place_git(struct copy *c, const char *commit)
{
	place_tidy(c);
	place_index(c);
	git_ref(&c->git, c->x, place_branch, commit, 1);
	git_or_die(&c->git, "symbolic-ref", "HEAD", place_branch);
}

/*
 * Write the agent's last commit on top of start, or start if there is none, to
 * parent.
 */
static void
place_head(struct copy *c, const char *start, char parent[ID_SIZE])
{
	place_tidy(c);
	text_copy(parent, ID_SIZE, start);
	if (git_try(&c->git, "merge-base", "--is-ancestor", start,
	    "HEAD") == 0 && git_commit(&c->git, "HEAD"))
		text_copy(parent, ID_SIZE, git_line(&c->git));
}

/* Remove the output directory from the index: the agent may have added it. */
static void
place_uncommit(struct copy *c)
{
	const char *output = c->x->opt.in_place ? place_output(c->x) : "";

	if (*output != '\0')
		git_or_die(&c->git, "--literal-pathspecs", "rm", "-r", "-q",
		    "--cached", "--ignore-unmatch", "--", output);
}

/* Check out what the user had, and end the work in this directory. */
static void
place_return(struct copy *c)
{
	const struct experiment *x = c->x;
	const char *home = place_home(x), *branch = NULL, *commit = x->base;

	if (git_try(&c->git, "symbolic-ref", "-q", home) == 0)
		branch = git_line(&c->git);
	if (git_commit(&c->git, home))
		commit = git_line(&c->git);
	else
		warn("%s is gone: the baseline, commit %.12s, is checked out "
		    "instead: check out the branch that you want", branch ==
		    NULL ? home : branch, commit);
	copy_reset(c, commit, 0);
	place_tidy(c);
	place_index(c);
	if (branch != NULL && git_commit(&c->git, branch))
		git_or_die(&c->git, "symbolic-ref", "HEAD", branch);
	else
		git_or_die(&c->git, "update-ref", "--no-deref", "HEAD",
		    commit);
	git_or_die(&c->git, "update-ref", "-d", place_branch);
	git_or_die(&c->git, "update-ref", "--no-deref", "-d", home);
}

/* Exit if the work tree has something that would be lost. */
static void
place_check(const struct experiment *x)
{
	const char *output = place_output(x), *const *name;
	struct words exclude = { NULL, 0 };
	struct records r;
	struct git g;

	git_open(&g, x);
	words_set(&g.vars, "GIT_DIR", x->own);
	words_set(&g.vars, "GIT_WORK_TREE", x->top);
	for (name = place_states; *name != NULL; name++)
		if (access(pool_printf("%s/%s", x->own, *name), F_OK) == 0)
			die(EXIT_USAGE, "--in-place: a merge, rebase or bisect "
			    "is under way in %s (%s): finish or abort it",
			    x->top, *name);
	git_or_die(&g, "-C", x->top, "ls-files", "-v", "-z");
	for (r = git_records(&g, '\0'); record_next(&r);)
		if (*r.text == 'S' || islower((unsigned char)*r.text))
			die(EXIT_USAGE, "--in-place: git does not look at %s in"
			    " %s: use git update-index --no-skip-worktree "
			    "--no-assume-unchanged", r.text + 2, x->top);
	if (*output != '\0') {
		words_exclude(&exclude, output);
		git_or_die(&g, "-C", x->top, "--literal-pathspecs",
		    "ls-files", "--", output);
	}
	if (strcmp(output, ".") == 0 || (*output != '\0' &&
	    fd_size(g.out) > 0))
		die(EXIT_USAGE, "--output %s has tracked files in it: name "
		    "another directory for --in-place", x->opt.output);
	git_with(&g, 0, ARGV("-C", x->top, "status", "--porcelain", "-z", "--",
	    "."), &exclude);
	r = git_records(&g, '\0');
	if (record_next(&r))
		die(EXIT_USAGE, "--in-place: %s has uncommitted changes, for "
		    "example %s: commit, stash or ignore them", x->top,
		    r.text + 3);
	if (git_commit(&g, place_branch))
		die(EXIT_USAGE, "--in-place: the branch in-place exists: if an "
		    "experiment was killed, repeat its command; otherwise "
		    "rename the branch");
	words_free(&exclude);
	git_close(&g);
}

/* ---- the copy: taking the agent's work ----------------------------------- */

/*
 * After an attempt the files of the copy become one commit in the user's
 * repository, on top of the commits that the agent made.  Of the agent's .git
 * only HEAD, its branch and the objects are read, never the configuration.
 * Ignored files are not committed; a repository inside the copy is committed
 * as plain files.
 */

/* Does the file of the agent's .git still have this text? */
static int
agent_git_has(const struct copy *c, const char *name, const char *text)
{
	const char *now = file_text(AT_FDCWD, agent_git(c, name), NULL);

	return now != NULL && strcmp(now, text) == 0;
}

/*
 * Move the commits that the agent made on top of start into the user's
 * repository.  Write the last one, or start if there is none, to parent.
 * The configuration of the agent is never read.
 */
static void
copy_head(struct copy *c, const char *start, char parent[ID_SIZE])
{
	char head[ID_SIZE];
	int in;

	copy_enter(c);
	text_copy(parent, ID_SIZE, start);
	if (!is_directory(agent_git(c, "objects")) ||
	    !is_directory(agent_git(c, "")) ||
	    file_text(AT_FDCWD, agent_git(c, "HEAD"), NULL) == NULL)
		return;
	if (agent_git_has(c, "HEAD", c->head) &&
	    agent_git_has(c, "packed-refs", c->refs) && access(agent_git(c,
	    pool_printf("refs/heads/%s", c->branch)), F_OK) != 0)
		return;
	copy_sweep(c, ".git", 0);
	files_remove(AT_FDCWD, agent_git(c, "config"));
	file_copy(copy_path(c, "config"), agent_git(c, "config"));
	if (git_try(&c->taker, pool_printf("--git-dir=%s", agent_git(c, "")),
	    "rev-parse", "-q", "--verify", "HEAD^{commit}") != 0 ||
	    strlen(git_line(&c->taker)) != strlen(start))
		return;
	COPY(head, git_line(&c->taker));
	if (strcmp(head, start) == 0)
		return;
	in = fd_scratch_text(pool_printf("%s\n^%s\n", head, start));
	if (git_run(&c->taker, in, ARGV("pack-objects", "-q",
	    "--revs", "--stdout")) == 0 && lseek(c->taker.out, 0, SEEK_SET) ==
	    0 && git_twice(&c->git, 0, c->taker.out, ARGV("unpack-objects",
	    "-q", "--strict")) == 0 && git_try(&c->git, "merge-base",
	    "--is-ancestor", start, head) == 0)
		text_copy(parent, ID_SIZE, head);
	close(in);
}

/*
 * Make plain files of a repository inside the copy: remove its .git.  Remove
 * a linked work tree of the agent's own .git whole.
 */
static void
nested_remove(const struct copy *c, const char *path)
{
	char *text = file_text(AT_FDCWD, pool_printf("%s/.git", path), NULL);
	const char *target = "";
	char real[PATH_MAX];

	if (text != NULL && begins(text, "gitdir: ")) {
		text[strcspn(text, "\r\n")] = '\0';
		target = text + strlen("gitdir: ");
		if (*target != '/')
			target = pool_printf("%s/%s/%s", c->dir, path, target);
		if (realpath(target, real) != NULL)
			target = real;
	}
	path_remove(is_inside(target, agent_git(c, "worktrees")) ? path :
	    pool_printf("%s/.git", path));
}

/*
 * Make plain files of all repositories below paths that are not ignored.  git
 * lists one that is in the index with mode 160000, and another with a slash at
 * its end.
 */
static void
copy_nested(struct copy *c)
{
	const char *const *list = ARGV("ls-files", "-s", "-o", "-z",
	    "--exclude-standard", "--", ".");
	struct records r;
	char *path;
	int tries, found = 1;

	for (tries = 0; found && tries < DEPTH; tries++) {
		found = 0;
		git_with(&c->git, 0, list, &c->excludes);
		for (r = git_records(&c->git, '\0'); record_next(&r);) {
			if (begins(r.text, "160000 ")) {
				path = strchr(r.text, '\t') + 1;
				git_or_die(&c->git, "update-index",
				    "--force-remove", "--", path);
			} else if (ends(r.text, "/")) {
				path = r.text;
				path[strlen(path) - 1] = '\0';
			} else {
				continue;
			}
			nested_remove(c, path);
			found = 1;
		}
	}
}

/* Add each file by itself, because git failed on all at once. */
static int
copy_add_each(struct copy *c)
{
	int failed = 0;

	git_with(&c->git, 0, ARGV("ls-files", "-z", "-o", "-m", "-d",
	    "--exclude-standard", "--", "."), &c->excludes);
	for (struct records r = git_records(&c->git, '\0'); record_next(&r);)
		if (git_try(&c->git, "--literal-pathspecs", "add", "-A",
		    "--ignore-errors", "--", r.text) != 0) {
			warn("git cannot add %s, and the commit lacks it: %s",
			    r.text, git_fault(&c->git));
			failed = 1;
		}
	return failed;
}

/*
 * Put all files into the index, except ignored ones and those of submodules.
 * Return 1 if git cannot add some of them, which a warning names.
 */
static int
copy_add(struct copy *c, const char *parent)
{
	const char *const *add = ARGV("add", "-A", "--ignore-errors", "--",
	    ".");
	int status = git_with(&c->git, ANY_STATUS, add, &c->excludes);

	if (status == 0 && fd_size(c->git.err) == 0)
		return 0;
	copy_sweep(c, ".", 1);
	unlink(copy_path(c, "index.lock"));
	git_or_die(&c->git, "read-tree", "--reset", parent);
	copy_nested(c);
	status = git_with(&c->git, ANY_STATUS, add, &c->excludes);
	if (status == 1)
		warn("git cannot add all files, and the commit lacks some: %s",
		    git_fault(&c->git));
	if (status <= 1)
		return status;
	return copy_add_each(c);
}

/* Count what a commit changes; a binary file has no lines. */
static void
copy_changes(struct copy *c, const char *tree, struct changes *changes)
{
	long added, removed;

	/* From another directory, because attributes can hide lines. */
	git_or_die(&c->bare, "-C", "/", "diff-tree", "-r", "-z", "--numstat",
	    "--no-renames", c->tree, tree);
	for (struct records r = git_records(&c->bare, '\0');
	    record_next(&r);) {
		if (sscanf(r.text, "%ld\t%ld\t", &added, &removed) != 2)
			added = removed = 0;
		changes->files++;
		changes->added += added;
		changes->removed += removed;
		if (ends(r.text, ".md")) {
			changes->md_added += added;
			changes->md_removed += removed;
		}
	}
}

/* Has a file below a directory changed since the attempt began? */
static int
is_changed_below(const struct copy *c, DIR *dir, int depth)
{
	struct stat st;
	int changed = 0;

	for (struct dirent *d; (d = dir_next(dir)) != NULL;) {
		if (changed || fstatat(dirfd(dir), d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		changed = st.st_ctim.tv_sec > c->since.tv_sec ||
		    (st.st_ctim.tv_sec == c->since.tv_sec &&
		    st.st_ctim.tv_nsec > c->since.tv_nsec);
		if (S_ISDIR(st.st_mode) && depth < DEPTH)
			changed = is_changed_below(c, dir_open(dirfd(dir),
			    d->d_name), depth + 1);
	}
	return changed;
}

/* Warn if an attempt changed a submodule, because that is not kept. */
static void
copy_submodules_look(const struct copy *c)
{
	for (size_t i = 0; i < c->submodules.n; i++)
		if (is_changed_below(c, dir_open(AT_FDCWD,
		    c->submodules.v[i]), 0))
			warn("changes inside the submodule %s are not kept",
			    c->submodules.v[i]);
}

/*
 * Commit what an attempt left on top of parent, the agent's last commit.  The
 * id is written to commit, or "" if nothing changed and `keep` is not set.
 */
static void
copy_commit(struct copy *c, const char *start, const char *parent,
    const char *message, int keep, struct changes *changes,
    char commit[ID_SIZE])
{
	char tree[ID_SIZE];
	int partial;

	memset(changes, 0, sizeof *changes);
	commit[0] = '\0';
	copy_enter(c);
	c->at[0] = '\0';
	copy_sweep(c, ".", 0);
	if (strcmp(parent, start) != 0) {
		git_or_die(&c->git, "read-tree", "--reset", parent);
		copy_nested(c);
	}
	partial = copy_add(c, parent);
	copy_submodules_look(c);
	place_uncommit(c);
	git_or_die(&c->git, "write-tree");
	COPY(tree, git_line(&c->git));
	if (strcmp(tree, c->tree) != 0)
		copy_changes(c, tree, changes);
	else if (!keep && strcmp(parent, start) == 0)
		return;
	git_input(&c->git, message, ARGV("commit-tree", "-p", parent, tree));
	text_copy(commit, ID_SIZE, git_line(&c->git));
	if (keep && !partial) {
		COPY(c->at, commit);
		COPY(c->tree, tree);
	}
}

/* ---- the ledger: one row per attempt ------------------------------------- */

/*
 * The ledger is opened once and kept open.  A row is one write and an fsync
 * under the write lock.  Header, rows and reader follow from one table.
 */
struct attempt {
	int run, iteration, number;
	enum outcome outcome;
	int finished;			/* it ends its iteration */
	int status;			/* claude's exit status */
	char started_at[32];
	double seconds, charged;	/* -1: unknown */
	char base[ID_SIZE], commit[ID_SIZE];
	struct changes changes;
	char turns[24], cost[32], tokens[TOKENS][24];
	char session[64], model[64], version[32];
	int survivors, protected_touched;	/* -1: unknown */
	/* what follows is not in the ledger */
	enum why why;			/* it was ended */
	int last;			/* the run's limit is the nearer one */
	char fault[512];		/* why it is not the arm asked for */
	char said[256];			/* the first line of its stderr */
};

enum column_kind {
	PREFIX,				/* the experiment */
	INT, LONG,			/* a negative one is unknown: "" */
	SECONDS,			/* the same, with three digits */
	STRING, OUTCOME
};

#define COLUMN(name, member, kind) { name, kind, \
	    offsetof(struct attempt, member), \
	    sizeof ((struct attempt *)0)->member }

static const struct column {
	const char *name;
	enum column_kind kind;
	size_t at, size;
} columns[] = {
	{ "experiment_id", PREFIX, 0, 0 },
	COLUMN("run_id", run, INT),
	COLUMN("iteration_id", iteration, INT),
	COLUMN("attempt", number, INT),
	COLUMN("outcome", outcome, OUTCOME),
	COLUMN("finished", finished, INT),
	COLUMN("exit_status", status, INT),
	COLUMN("started_at", started_at, STRING),
	COLUMN("duration_seconds", seconds, SECONDS),
	COLUMN("charged_seconds", charged, SECONDS),
	COLUMN("base_commit", base, STRING),
	COLUMN("commit", commit, STRING),
	COLUMN("files_changed", changes.files, LONG),
	COLUMN("total_added", changes.added, LONG),
	COLUMN("total_removed", changes.removed, LONG),
	COLUMN("md_added", changes.md_added, LONG),
	COLUMN("md_removed", changes.md_removed, LONG),
	COLUMN("num_turns", turns, STRING),
	COLUMN("cost_usd", cost, STRING),
	COLUMN("input_tokens", tokens[INPUT], STRING),
	COLUMN("output_tokens", tokens[OUTPUT], STRING),
	COLUMN("cache_read_tokens", tokens[CACHE_READ], STRING),
	COLUMN("cache_creation_tokens", tokens[CACHE_CREATION], STRING),
	COLUMN("session_id", session, STRING),
	COLUMN("model", model, STRING),
	COLUMN("claude_version", version, STRING),
	COLUMN("survivors", survivors, INT),
	COLUMN("protected_touched", protected_touched, INT)
};

enum { COLUMNS = sizeof columns / sizeof *columns };

/* Return the field of a column; an unknown value is an empty string. */
static const char *
column_print(const struct experiment *x, const struct attempt *a,
    const struct column *c)
{
	const void *at = (const char *)a + c->at;
	double seconds;
	long n;

	switch (c->kind) {
	case PREFIX:
		return x->opt.prefix;
	case INT:
	case LONG:
		n = c->kind == INT ? *(const int *)at : *(const long *)at;
		return n < 0 ? "" : pool_printf("%ld", n);
	case SECONDS:
		seconds = *(const double *)at;
		return seconds < 0 ? "" : pool_printf("%.3f", seconds);
	case OUTCOME:
		return outcomes[*(const enum outcome *)at].name;
	case STRING:
		break;
	}
	return at;
}

/* Set an attempt's member from a field; return 0, or -1 if it is invalid. */
static int
column_read(const struct experiment *x, struct attempt *a,
    const struct column *c, const char *field)
{
	void *at = (char *)a + c->at;
	char *end = NULL;
	long n = -1;

	switch (c->kind) {
	case PREFIX:
		return strcmp(field, x->opt.prefix) == 0 ? 0 : -1;
	case INT:
	case LONG:
		if (*field != '\0')
			n = strtol(field, &end, 10);
		if (end != NULL && (*end != '\0' || n < 0 ||
		    (c->kind == INT && n > INT_MAX / 2)))
			return -1;
		if (c->kind == INT)
			*(int *)at = (int)n;
		else
			*(long *)at = n;
		return 0;
	case SECONDS:
		*(double *)at = *field == '\0' ? -1 : strtod(field, &end);
		return strspn(field, "0123456789.") == strlen(field) ? 0 : -1;
	case OUTCOME:
		for (int o = 0; o < OUTCOMES; o++)
			if (strcmp(field, outcomes[o].name) == 0) {
				*(enum outcome *)at = (enum outcome)o;
				return 0;
			}
		return -1;
	case STRING:
		if (strlen(field) >= c->size)
			return -1;
		text_copy(at, c->size, field);
		return 0;
	}
	return -1;
}

/* A row of the ledger, or its header if a is NULL. */
static char *
ledger_line(const struct experiment *x, const struct attempt *a)
{
	const char *fields[COLUMNS + 1] = { NULL };
	FILE *to = stream_begin();

	for (size_t i = 0; i < COLUMNS; i++)
		fields[i] = a == NULL ? columns[i].name :
		    column_print(x, a, &columns[i]);
	csv_line(to, fields);
	return stream_end(to);
}

static const char *
ledger_path(const struct experiment *x)
{
	return pool_printf("%s/%s", x->output, experiment_file(x,
	    "iterations"));
}

/* Cut a last row that a writer has left without its newline. */
static void
ledger_cut(const struct experiment *x)
{
	size_t size, end;
	const char *text;
	char last;

	if (pread(x->ledger_fd, &last, 1, fd_size(x->ledger_fd) - 1) < 1 ||
	    last == '\n')
		return;
	text = fd_text(x->ledger_fd, &size);
	for (end = size; end > 0 && text[end - 1] != '\n'; end--)
		;
	if (ftruncate(x->ledger_fd, (off_t)end) != 0 ||
	    fsync(x->ledger_fd) != 0)
		die(1, "cannot write %s:", ledger_path(x));
	warn("%s: cut an incomplete last row", ledger_path(x));
}

/*
 * Append a line to the ledger: one write and an fsync, or exit.  The caller
 * holds the write lock.
 */
static void
ledger_append(const struct experiment *x, const char *line)
{
	size_t size = strlen(line);
	off_t before;
	int error;

	ledger_cut(x);
	before = fd_size(x->ledger_fd);
	errno = ENOSPC;			/* what a short write means */
	if (write(x->ledger_fd, line, size) == (ssize_t)size &&
	    fsync(x->ledger_fd) == 0)
		return;
	error = errno;
	if (ftruncate(x->ledger_fd, before) != 0)
		warn("cannot cut a half-written row from the ledger:");
	errno = error;
	die(1, "cannot write %s:", ledger_path(x));
}

/*
 * Open the ledger if it exists.  With `make`, prepare it for new rows: cut an
 * incomplete last row, and make the file if there is none.  Then the caller
 * holds the write lock.
 */
static void
ledger_open(struct experiment *x, int make)
{
	const char *name = experiment_file(x, "iterations");
	const char *path = ledger_path(x);
	const char *text;
	struct stat st;

	if (x->ledger_fd >= 0)
		close(x->ledger_fd);
	x->ledger_fd = openat(x->output_fd, name, O_RDWR | O_APPEND |
	    (make ? O_CREAT : 0) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0666);
	if (x->ledger_fd < 0 && !make && (errno == ENOENT || errno == EBADF))
		return;
	if (x->ledger_fd < 0 || fstat(x->ledger_fd, &st) != 0)
		die(1, "cannot open %s:", path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		die(EXIT_USAGE, "%s is a link or no regular file: move it away",
		    path);
	text = fd_text(x->ledger_fd, NULL);
	if (strchr(text, '\n') != NULL && !begins(text, ledger_line(x, NULL)))
		die(EXIT_USAGE, "the header of %s is not that of this version: "
		    "move the file away, or choose another prefix", path);
	if (make)
		ledger_cut(x);
	if (make && fd_size(x->ledger_fd) == 0) {
		ledger_append(x, ledger_line(x, NULL));
		if (fsync(x->output_fd) != 0)
			die(1, "cannot write %s:", x->output);
	}
}

/* Return the complete rows of the ledger, for ledger_next(). */
static char *
ledger_text(const struct experiment *x)
{
	char *text = x->ledger_fd < 0 ? NULL : fd_text(x->ledger_fd, NULL);
	char *rows = text == NULL ? NULL : strchr(text, '\n');

	if (rows == NULL)
		return pool_take(xstrdup(""));
	strrchr(rows, '\n')[1] = '\0';
	return rows + 1;
}

/* Read the next row; return 1, or 0 at the end.  Exit if it is invalid. */
static int
ledger_next(const struct experiment *x, char **text, struct attempt *a)
{
	char *fields[COLUMNS];
	const char *row = *text;
	int n = csv_next(text, fields, COLUMNS), i, bad;

	if (n == 0)
		return 0;
	memset(a, 0, sizeof *a);
	bad = n != COLUMNS;
	for (i = 0; i < COLUMNS && !bad; i++)
		bad = column_read(x, a, &columns[i], fields[i]) != 0;
	if (bad || a->run < 1 || a->iteration < 1 || a->number < 1 ||
	    a->iteration > x->opt.iterations)
		die(EXIT_USAGE, "%s: \"%.60s...\" is no row of prefix %s with "
		    "iterations 1 to %ld: move the file away, or choose "
		    "another prefix", ledger_path(x), row, x->opt.prefix,
		    x->opt.iterations);
	return 1;
}

/* ---- runs: what the rows of the ledger add up to ------------------------- */

/*
 * Reading the ledger gives the state of each run.  What is left to do (the next
 * iteration, the points to measure) and which refs must exist follow from that
 * state and from the result files.  Nothing else is stored.
 */
struct run {
	int id;
	int next;			/* the first unfinished iteration, */
	int attempts;			/* and its attempts so far */
	double charged;			/* agent time used, seconds */
	struct words commits;		/* [m]: after iteration m */
	struct attempt last;		/* its last row */
	int rows;
	int counts[OUTCOMES];		/* of the last row of each iteration */
	double seconds, cost;		/* of all rows */
	int unknown;			/* attempts without a known cost */
};

/* The commit that the next iteration starts from. */
static const char *
run_commit(const struct run *r)
{
	assert(r->commits.v != NULL);
	return r->commits.v[r->commits.n - 1];
}

/* Add a row.  Return 0, or -1 if it does not follow the rows before it. */
static int
run_add(struct run *r, const struct attempt *a)
{
	if (a->iteration != r->next || a->number <= r->attempts)
		return -1;
	if (r->rows > 0 && r->last.iteration == a->iteration)
		r->counts[r->last.outcome]--;
	r->counts[a->outcome]++;
	r->rows++;
	r->last = *a;
	r->seconds += a->seconds > 0 ? a->seconds : 0;
	r->cost += strtod(a->cost, NULL);
	r->unknown += a->cost[0] == '\0';
	r->charged += a->charged > 0 ? a->charged : 0;
	r->attempts = a->number;
	if (a->finished > 0) {
		words_add(&r->commits, outcomes[a->outcome].keep ? a->commit :
		    run_commit(r));
		r->next++;
		r->attempts = 0;
	}
	return 0;
}

static void
runs_free(const struct experiment *x, struct run *runs)
{
	for (long id = 0; runs != NULL && id <= x->opt.runs; id++)
		words_free(&runs[id].commits);
	free(runs);
}

/*
 * Read the ledger into an array of runs, by id from 1 on.  Another process may
 * have added runs beyond ours.
 */
static struct run *
runs_read(const struct experiment *x)
{
	size_t n = (size_t)x->opt.runs + 1;
	struct run *runs = xrealloc(NULL, n * sizeof *runs);
	char *text = ledger_text(x);
	struct attempt a;

	memset(runs, 0, n * sizeof *runs);
	for (size_t id = 0; id < n; id++) {
		runs[id].id = (int)id;
		runs[id].next = 1;
		words_add(&runs[id].commits, x->base);
	}
	while (ledger_next(x, &text, &a))
		if (a.run <= x->opt.runs && run_add(&runs[a.run], &a) != 0) {
			runs_free(x, runs);
			die(EXIT_USAGE, "%s: run %d iteration %d attempt %d "
			    "does not follow the rows before it: move the file"
			    " away, or choose another prefix", ledger_path(x),
			    a.run, a.iteration, a.number);
		}
	return runs;
}

/* Has the run no iteration left to do? */
static int
run_over(const struct experiment *x, const struct run *r)
{
	return r->next > x->opt.iterations ||
	    x->opt.timeout - r->charged < (double)ENOUGH_S;
}

static const char *
benchmark_file(const struct experiment *x, int run, int iteration, size_t i)
{
	return result_name(x, run, iteration, pool_printf("%s.csv",
	    x->opt.benchmarks[i].name));
}

static int
has_results(const struct experiment *x, int run, int iteration, size_t i)
{
	return S_ISREG(output_mode(x, benchmark_file(x, run, iteration, i)));
}

/* Do all benchmarks have results at this point? */
static int
point_measured(const struct experiment *x, int run, int iteration)
{
	size_t i = 0;

	while (i < x->opt.benchmark_n && has_results(x, run, iteration, i))
		i++;
	return i == x->opt.benchmark_n;
}

/* Is a measurement missing at iteration m, which is finished? */
static int
point_wanted(const struct experiment *x, const struct run *r, int m)
{
	int only = x->opt.benchmark_only;
	int end = m == r->next - 1 && (only || run_over(x, r));

	return (m == 0 || end || x->opt.every_iteration) &&
	    (!only || r->rows > 0) && !point_measured(x, r->id, m);
}

/* Has the run nothing left to do? */
static int
run_done(const struct experiment *x, const struct run *r)
{
	int m = 0;

	while (m < r->next && !point_wanted(x, r, m))
		m++;
	return m == r->next && (run_over(x, r) || x->opt.benchmark_only);
}

/* Make the diffstats file from the ledger.  src is all but *.md. */
static void
diffstats_write(const struct experiment *x)
{
	const char *name = experiment_file(x, "diffstats");
	char *text;
	const struct changes none = { 0 };
	struct attempt a;
	struct changes c;
	FILE *to;

	lock_write(x, 1);
	text = ledger_text(x);
	to = output_begin(x, name);
	fputs("experiment_id,run_id,iteration_id,src_added,src_removed,"
	    "md_added,md_removed,total_added,total_removed\n", to);
	while (ledger_next(x, &text, &a)) {
		if (a.finished != 1)
			continue;
		c = outcomes[a.outcome].keep ? a.changes : none;
		csv_field(to, x->opt.prefix);
		fprintf(to, ",%d,%d,%ld,%ld,%ld,%ld,%ld,%ld\n", a.run,
		    a.iteration, c.added - c.md_added, c.removed -
		    c.md_removed, c.md_added, c.md_removed, c.added,
		    c.removed);
	}
	output_end(x, to, name);
	lock_write(x, 0);
}

/* Make the refs that follow from a row, except those of the list. */
static void
row_refs(struct git *g, const struct experiment *x, const struct run *r,
    const struct attempt *a, const char *const *refs)
{
	const char *attempt = attempt_ref(x, a->run, a->iteration, a->number);
	const char *branch = branch_ref(x, a->run, a->iteration);
	int taken = a->finished == 1 && !is_one(branch, refs) &&
	    git_ref(g, x, branch, r->commits.v[a->iteration], 0) != 0;

	/* Without a ref, the user's gc would remove the commit. */
	if (a->commit[0] != '\0' && (taken || !outcomes[a->outcome].keep) &&
	    !is_one(attempt, refs))
		git_ref(g, x, attempt, a->commit, 0);
}

/* ---- experiment.csv: what defines the experiment ------------------------- */

/*
 * The first start of a prefix writes the settings of its command line.  A later
 * start compares: column `agree` of the options tells which may differ.
 * In memory the settings are a list of words: keys and values in turn.
 */

static void
setting_add(struct words *w, const char *key, const char *value)
{
	words_add(w, key);
	words_add(w, value);
}

/* Add the options that are recorded.  A key is a name with '_' for '-'. */
static void
settings_options(const struct options *o, struct words *w)
{
	const struct benchmark *b;
	const struct words *list;
	const char *key, *text;

	for (const struct setting *s = settings; s->name != NULL; s++) {
		if (s->agree == FREE)
			continue;
		key = text_replace(pool_printf("%s", s->name), '-', '_');
		if (s->kind == NUMBER) {
			setting_add(w, key, pool_printf("%ld",
			    MEMBER(long, o, s)));
		} else if (s->kind == TIME) {
			setting_add(w, key, pool_printf("%.10g",
			    MEMBER(double, o, s)));
		} else if (s->kind == TEXT) {
			text = MEMBER(const char *, o, s);
			setting_add(w, key, text == NULL ? "" : text);
		} else if (s->kind == FLAG) {
			setting_add(w, key, MEMBER(int, o, s) ? "1" : "0");
		} else if (s->kind == BENCHMARK) {
			for (size_t i = 0; i < o->benchmark_n; i++) {
				b = &o->benchmarks[i];
				if (b->timed == (s->least > 0))
					setting_add(w, key, pool_printf(
					    "%s=%s", b->name, b->command));
			}
		} else {
			list = &MEMBER(struct words, o, s);
			for (size_t i = 0; i < list->n; i++)
				setting_add(w, key, list->v[i]);
		}
	}
}

/* What claude --version prints. */
static const char *
claude_version(const struct experiment *x)
{
	const char *const argv[] = { x->claude, "--version", NULL };
	struct process p = { .path = x->claude, .argv = argv,
	    .vars = &x->agent_vars, .in = -1, .limit = VERSION_TIMEOUT_S,
	    .mark = run_mark(x, 0) };
	struct ended e;
	const char *line;

	p.out = p.err = fd_scratch();
	process_run(&p, &e);
	line = e.status == 0 ? fd_line(p.out) : "";
	close(p.out);
	return line;
}

/* The commit of the plugin's repository, with -dirty if it has changes. */
static const char *
plugin_commit(const struct experiment *x)
{
	const char *commit = "";
	struct git g;

	git_open(&g, x);
	if (git_try(&g, "-C", x->plugin, "rev-parse", "-q", "--verify",
	    "HEAD") == 0) {
		commit = git_line(&g);
		git_try(&g, "-C", x->plugin, "status", "--porcelain", ".");
		if (fd_size(g.out) > 0)
			commit = pool_printf("%s-dirty", commit);
	}
	git_close(&g);
	return commit;
}

/* The settings of this command line. */
static void
settings_now(const struct experiment *x, int begun, struct words *w)
{
	int plugin = !x->opt.no_plugin;
	struct utsname host;

	if (uname(&host) < 0)
		die(1, "uname:");
	setting_add(w, "key", "value");
	setting_add(w, "version", VERSION);
	setting_add(w, "started_at", utc(time(NULL)));
	setting_add(w, "host", host.nodename);
	setting_add(w, "system", pool_printf("%s %s %s", host.sysname,
	    host.release, host.machine));
	setting_add(w, "directory", x->top);
	setting_add(w, "baseline", x->opt.baseline);
	setting_add(w, "baseline_commit", x->base);
	setting_add(w, "plugin_directory", plugin ? x->plugin : "");
	setting_add(w, "plugin_commit", plugin ? plugin_commit(x) : "");
	setting_add(w, "claude_path", x->claude);
	setting_add(w, "claude_version", begun ? "" : claude_version(x));
	setting_add(w, "claude_arguments", quoted(x->opt.claude_arguments.v));
	setting_add(w, "prompt", x->prompt);
	settings_options(&x->opt, w);
}

/* Read experiment.csv; an empty list if there is none. */
static void
settings_read(const struct experiment *x, struct words *w)
{
	char *text = file_text(x->output_fd, experiment_file(x, "experiment"),
	    NULL), *fields[2];

	while (text != NULL && csv_next(&text, fields, 2) == 2)
		setting_add(w, fields[0], fields[1]);
}

static void
settings_write(const struct experiment *x, const struct words *w)
{
	const char *name = experiment_file(x, "experiment");
	FILE *to = output_begin(x, name);

	for (size_t i = 0; i + 1 < w->n; i += 2)
		csv_line(to, (const char *const[]){ w->v[i], w->v[i + 1],
		    NULL });
	output_end(x, to, name);
}

/* All values of a key, one a line. */
static const char *
settings_values(const struct words *w, const char *key)
{
	const char *all = "";

	for (size_t i = 0; i + 1 < w->n; i += 2)
		if (strcmp(w->v[i], key) == 0)
			all = pool_printf("%s%s%s", all, *all != '\0' ? "\n" :
			    "", w->v[i + 1]);
	return all;
}

/* Has `now` all values that `old` has for a key? */
static int
settings_more(const struct words *old, const struct words *now,
    const char *key)
{
	size_t i, j;

	for (i = 0; i + 1 < old->n; i += 2) {
		if (strcmp(old->v[i], key) != 0)
			continue;
		for (j = 0; j + 1 < now->n && (strcmp(now->v[j], key) != 0 ||
		    strcmp(now->v[j + 1], old->v[i + 1]) != 0); j += 2)
			;
		if (j >= now->n)
			return 0;
	}
	return 1;
}

/* How a key of experiment.csv must agree, if it is an option. */
static enum agree
setting_agrees(const char *key)
{
	const char *name = text_replace(pool_printf("%s", key), '_', '-');
	const struct setting *s = settings;

	while (s->name != NULL && strcmp(s->name, name) != 0)
		s++;
	return s->agree;		/* FREE in the last entry */
}

/* A value for a message: one line, near the place where it differs. */
static const char *
setting_shown(const char *value, size_t differs)
{
	const char *from = value + (differs > 40 ? differs - 20 : 0);

	return text_replace(pool_printf("%s%.100s%s", from > value ? "..." : "",
	    from, strlen(from) > 100 ? "..." : ""), '\n', ' ');
}

/*
 * Compare one key of the first start with now.  Exit if the difference is
 * refused.  Return 1 if the file must have the value of now.
 */
static int
setting_compare(const struct experiment *x, const char *key,
    const struct words *first, const struct words *current)
{
	static const char *const told[] = { "version", "host", "plugin_commit",
	    "claude_path", "claude_version", NULL };
	static const char *const kept[] = { "started_at", "system",
	    "directory", "baseline", NULL };
	const char *old = settings_values(first, key);
	const char *now = settings_values(current, key);
	enum agree agree = setting_agrees(key);
	size_t same = 0;

	if (strcmp(old, now) == 0 || is_one(key, kept))
		return 0;
	if (is_one(key, told)) {
		if (*now != '\0')
			say("prefix %s was started with %s %s, now it is %s",
			    x->opt.prefix, key, old, now);
		return 0;
	}
	while (old[same] != '\0' && old[same] == now[same])
		same++;
	if (!(agree == GROW && strtol(now, NULL, 10) > strtol(old, NULL, 10)) &&
	    !(agree == MORE && settings_more(first, current, key)))
		die(EXIT_USAGE, "prefix %s was started with another value of %s"
		    ": \"%s\", now \"%s\": use the old value%s, or choose "
		    "another prefix", x->opt.prefix, key,
		    setting_shown(old, same), setting_shown(now, same),
		    agree == GROW ? " or a larger one" :
		    agree == MORE ? " and add new names only" : "");
	return 1;
}

/*
 * Compare the settings of the first start with those of now, which become what
 * experiment.csv must have.  Return 1 if runs or benchmarks were added.
 */
static int
settings_agree(const struct experiment *x, const struct words *old,
    struct words *now)
{
	const struct words *const lists[] = { old, now };
	struct words keys = { NULL, 0 }, both = { NULL, 0 };
	int changed = 0, may_change, k;
	const char *key;

	words_add(&keys, "key");
	for (k = 0; k < 2; k++)
		for (size_t i = 0; i + 1 < lists[k]->n; i += 2) {
			key = lists[k]->v[i];
			if (!is_one(key, keys.v)) {
				words_add(&keys, key);
				changed |= setting_compare(x, key, old, now);
			}
			may_change = setting_agrees(key) >= GROW;
			if (may_change == k)
				setting_add(&both, key, lists[k]->v[i + 1]);
		}
	words_free(&keys);
	words_free(now);
	*now = both;
	return changed;
}

/* ---- claude: its prompt, one call, and why it ended ---------------------- */

/*
 * One call fills a struct attempt, except its commit.  The outcome is a pure
 * function of the transcript, of how the call was ended and of its exit
 * status: what claude said comes before what the exit status says.
 */

/* The base prompt, followed by which iteration of which run begins. */
static char *
claude_prompt(const struct experiment *x, int run, int iteration)
{
	FILE *to = stream_begin();

	fprintf(to, "%s\nThis is iteration %d of %ld in run %d.\n", x->prompt,
	    iteration, x->opt.iterations, run);
	if (iteration > 1)
		fputs("Build on the improvements of the previous iterations.\n",
		    to);
	if (iteration == x->opt.iterations)
		fputs("This is the last iteration.\n", to);
	fputs("When you are done, commit your work with a descriptive"
	    " message.\n", to);
	return stream_end(to);
}

/* A stream of the lines in the last `most` bytes of a file. */
static FILE *
fd_tail(int fd, off_t most)
{
	off_t size = fd_size(fd);
	FILE *in = fd_stream(fd, size > most ? size - most : 0);
	int c = size > most ? 0 : '\n';

	while (c != EOF && c != '\n')	/* the rest of a line is no line */
		c = getc(in);
	return in;
}

/* Does a line near the end of a file begin as a rate limit does? */
static int
is_limit_near_end(int fd)
{
	FILE *in = fd_tail(fd, 65536);
	char line[256];
	int found = 0;

	while (!found && line_read(in, line, sizeof line))
		found = begins_one(line, limit_texts);
	fclose(in);
	return found;
}

/* Does a failed result tell of a rate limit? */
static int
is_limited(const struct transcript *t)
{
	const struct event *r = &t->result;
	int status = (int)strtol(r->api_status, NULL, 10);

	return strcmp(r->api_error, "usage_limit_reached") == 0 ||
	    status == 429 || strcmp(t->limit.limit, "rejected") == 0 ||
	    ((status == 0 || status == 400) &&
	    begins_one(r->text, limit_texts));
}

/* Would every later call fail as well? */
static int
is_denied(const struct transcript *t)
{
	const struct event *r = &t->result;
	int status = (int)strtol(r->api_status, NULL, 10);

	return status == 401 || status == 403 || status == 404 || t->billing ||
	    begins(r->text, "Credit balance is too low") ||
	    begins(r->text, "Not logged in");
}

/*
 * The outcome of a call, the first rule that holds; claude's own words come
 * first.  status: its exit status, why and last: how it was ended, limited: a
 * limit text in output that is no JSON.
 */
static enum outcome
claude_outcome(const struct transcript *t, enum why why, int last, int status,
    int limited)
{
	const struct event *r = &t->result;
	int told = r->type[0] != '\0';

	if (told && strcmp(r->is_error, "true") != 0 &&
	    !begins(r->subtype, "error"))
		return strcmp(r->turns, "0") == 0 ? FAILURE : SUCCESS;
	if (strcmp(r->subtype, "error_max_turns") == 0 ||
	    strcmp(r->subtype, "error_max_budget_usd") == 0)
		return CAPPED;
	if (why == BY_SIGNAL)
		return INTERRUPTED;
	if (why == BY_LIMIT && last)
		return OUT_OF_TIME;
	if (why == BY_LIMIT || why == BY_SILENCE)
		return TIMED_OUT;
	if (told)
		return is_limited(t) ? RATE_LIMIT : is_denied(t) ? DENIED :
		    FAILURE;
	if (t->json)
		return FAILURE;
	if (status == 0)
		return SUCCESS;
	if (status == 2 || (status != 124 && limited))
		return RATE_LIMIT;
	return status == 124 ? TIMED_OUT : FAILURE;
}

/* Set the attempt's columns that the transcript tells. */
static void
attempt_told(struct attempt *a, const struct transcript *t)
{
	const struct event *r = &t->result, *init = &t->init;
	int i, ended = r->type[0] != '\0';

	COPY(a->turns, r->turns);
	COPY(a->cost, r->cost);
	for (i = 0; i < TOKENS; i++)
		if (r->models)
			COPY(a->tokens[i], pool_printf("%lld", r->tokens[i]));
		else if (!ended && t->messages.n > 0 && i != OUTPUT)
			COPY(a->tokens[i], pool_printf("%lld", t->used[i]));
		else
			COPY(a->tokens[i], r->usage[i]);
	COPY(a->session, init->session[0] != '\0' ? init->session :
	    r->session);
	COPY(a->model, init->model);
	COPY(a->version, init->version);
}

/* Call claude once, and set the outcome.  No process of the call is left. */
static void
claude_call(struct attempt *a, const struct copy *c, struct transcript *t,
    double limit)
{
	const struct experiment *x = c->x;
	const char *name = result_name(x, a->run, a->iteration,
	    pool_printf("attempt-%d", a->number));
	struct process p = { .path = x->claude, .argv = x->command.v,
	    .vars = &c->vars, .limit = limit, .idle = x->opt.idle_timeout,
	    .mark = c->mark, .claude = t };
	struct ended e;

	p.in = fd_scratch_text(claude_prompt(x, a->run, a->iteration));
	p.out = output_log(x, pool_printf("%s.jsonl", name), O_EXCL);
	p.err = output_log(x, pool_printf("%s.err", name), O_EXCL);
	t->fd = file_open(x->output_fd, pool_printf("%s.jsonl", name), 0);
	COPY(a->started_at, utc(time(NULL)));
	process_run(&p, &e);
	close(p.in);
	transcript_read(t);
	/* As the ledger has it, so that a resumed run has as much time left. */
	a->seconds = e.seconds > 0 ? strtod(pool_printf("%.3f", e.seconds +
	    0.0005), NULL) : 0;
	a->status = e.status;
	a->why = e.why;
	a->survivors = e.survivors;
	a->outcome = claude_outcome(t, e.why, a->last, e.status,
	    is_limit_near_end(p.out) || is_limit_near_end(p.err));
	CUT(a->fault, arm_fault(t));
	if (a->fault[0] != '\0')
		a->outcome = FAILURE;
	CUT(a->said, fd_line(p.err));
	attempt_told(a, t);
	close(p.out);
	close(p.err);
	close(t->fd);
	if (!outcomes[a->outcome].keep)	/* because the disk was full? */
		space_check(x);
	copy_tmp(c);
}

/* The message of the commit, without the prefix, which may tell the arm. */
static char *
claude_message(const struct attempt *a, const struct transcript *t)
{
	const char *said = t->result.text;
	size_t len = strlen(said);
	FILE *to = stream_begin();

	fprintf(to, "run %d, iteration %d: %s\n\n", a->run, a->iteration,
	    outcomes[a->outcome].name);
	if (len > TEXT_SIZE - 8)	/* it may be cut within a character */
		while ((said[--len] & 0xc0) == 0x80 && len > 0)
			;
	if (len > 0)
		fprintf(to, "%.*s\n\n", (int)len, said);
	fprintf(to, "Run: %d\nIteration: %d\nAttempt: %d\nOutcome: %s\n",
	    a->run, a->iteration, a->number, outcomes[a->outcome].name);
	if (a->session[0] != '\0')
		fprintf(to, "Session: %s\n", a->session);
	return stream_end(to);
}

/* ---- stopping and waiting ------------------------------------------------ */

/*
 * All processes of the runner share one status and one reason: the first stop
 * sets them, and no process begins anything new.  A wait, for a lock byte or
 * for a rate limit, ends at a stop.
 */

/* Stop everything; the first stop gives exit status and reason. */
static void
stop_all(const struct experiment *x, int status, const char *why)
{
	lock_write(x, 1);
	if (x->shared->status == 0) {
		CUT(x->shared->reason, why);
		x->shared->status = status;
	}
	lock_write(x, 0);
}

/* Must this child start nothing new? */
static int
is_ending(const struct experiment *x)
{
	return is_stopping() || x->shared->status != 0;
}

/*
 * No benchmark is measured while an agent of this user works with the same
 * TMPDIR.  The file `measure` has two lock bytes.  An agent takes the gate,
 * then work together with other agents, then releases the gate.  A measurement
 * takes the gate, then work alone; while it waits, no new agent begins.
 */
enum gate { GATE, WORK };

static int
gate_lock(const struct copy *c, enum gate byte, short type)
{
	return fd_lock(c->gate_fd, F_SETLK, type, byte);
}

/* Wait for the right to work; return -1 if everything stops meanwhile. */
static int
gate_enter(const struct copy *c, int measure)
{
	double start = monotonic(), told = start;
	long wait = 2;

	while (gate_lock(c, GATE, F_WRLCK) != 0 ||
	    gate_lock(c, WORK, measure ? F_WRLCK : F_RDLCK) != 0) {
		if (!measure)
			gate_lock(c, GATE, F_UNLCK);
		if (is_ending(c->x)) {
			gate_lock(c, GATE, F_UNLCK);
			return -1;
		}
		if (monotonic() >= told && monotonic() - start > 1) {
			say("run %d: waiting until %s", c->run, measure ?
			    "no agent is at work, to measure" :
			    "a measurement has ended");
			told = monotonic() + 3600;
		}
		COPY(c->x->job->state, "waiting");
		nap(wait);
		wait = wait < 50 ? wait * 2 : 100;
	}
	gate_lock(c, GATE, F_UNLCK);
	COPY(c->x->job->state, measure ? "benchmark" : "");
	return is_ending(c->x) ? -1 : 0;
}

/* When the rate limit ends; 0 if that is unknown. */
static time_t
limit_end(const struct transcript *t)
{
	long long end = strtoll(t->limit.resets_at, NULL, 10);

	return (time_t)(end > 100000000000 ? end / 1000 : end);
}

/* The same as part of a message. */
static const char *
limit_when(const struct transcript *t)
{
	return limit_end(t) > 0 ? pool_printf(", which resets at %s",
	    utc(limit_end(t))) : "";
}

/* Sleep until the rate limit resets; return -1 if that takes too long. */
static int
limit_wait(const struct experiment *x, const struct run *r,
    const struct transcript *t)
{
	double wait = limit_end(t) == 0 ? WAIT_S :
	    difftime(limit_end(t), time(NULL)) + WAIT_MORE_S;
	double start = monotonic(), now = start, waited;

	if (wait < WAIT_MORE_S)
		wait = WAIT_MORE_S;
	lock_write(x, 1);
	waited = x->shared->waited += wait;
	lock_write(x, 0);
	if (waited > WAIT_MOST_S)
		return -1;
	say("%s: rate limit%s: waiting for %s", point_name(x, r->id, r->next),
	    limit_when(t), duration(wait));
	job_show(x, r->id, r->next, "limit", wait);
	for (; now - start < wait && !is_ending(x); now = monotonic()) {
		alarm(1);
		signal_take();
	}
	alarm(0);
	return 0;
}

/* ---- measuring: the benchmarks at one point of the experiment ------------ */

/*
 * A point is an iteration of a run; iteration 0 is the baseline.  The copy is
 * made equal to the point's commit, protected paths come from the baseline,
 * then setup, build and benchmarks run.  Each benchmark gets a file, which is
 * complete or absent.  A benchmark that fails has a file without samples, but
 * at iteration 0 it stops the experiment.
 */
struct samples {			/* of one benchmark at one point */
	double *us;			/* microseconds */
	size_t n, before;		/* before: of earlier executions */
	int wanted;			/* the command is executed for it */
	const char *name;		/* of the first line that had one */
	const char *why;		/* not NULL: failed */
};

enum measured { MEASURED, FAILED, STOPPED };

static void
samples_add(struct samples *s, double us)
{
	s->us = xrealloc(s->us, (s->n + 1) * sizeof *s->us);
	s->us[s->n++] = us;
}

/* Remove colour codes (ESC [ ... letter) from a line. */
static void
colours_remove(char *line)
{
	char *to = line;

	while (*line != '\0')
		if (line[0] == '\033' && line[1] == '[') {
			line += 2 + strspn(line + 2, "0123456789;:?");
			line += *line != '\0';
		} else {
			*to++ = *line++;
		}
	*to = '\0';
}

/*
 * The sample of a line with "runtime: NUMBER UNIT", in us; -1 if there is none,
 * -2 if it is not understood.  Then `at` points at it.
 */
static double
runtime_read(const char *line, const char **at)
{
	const char *const units[] = { "ns", "us", "ms", "s" };
	const double each[] = { 1e-3, 1, 1e3, 1e6 };
	const char *s = strstr(line, "runtime:");
	char *end;
	double value;

	if (s == NULL)
		return -1;
	*at = s;
	s += strlen("runtime:");
	s += strspn(s, " \t");
	if (!isdigit((unsigned char)s[strspn(s, ".-+")]) ||
	    strspn(s, ".-+") > 2)
		return -1;		/* prose */
	value = strtod(s, &end);
	if (strspn(s, "0123456789.") < (size_t)(end - s) || end == s)
		return -2;		/* 0x10, 1e5, -1 */
	end += strspn(end, " \t");
	for (int i = 0; i < 4; i++)
		if (begins(end, units[i]) && value * each[i] < 1e15 &&
		    !isalnum((unsigned char)end[strlen(units[i])]))
			return value * each[i];
	return -2;
}

/* The length of the NAME of a benchmark that a text begins with, or 0. */
static size_t
name_length(const char *s)
{
	return strchr("0123456789.-", *s) != NULL ? 0 :
	    strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-");
}

/* The length of the name before the colon of a line, or 0. */
static size_t
runtime_name(const char *line)
{
	size_t len = name_length(line);

	return line[len] == ':' && !begins(line, "runtime:") ? len : 0;
}

/*
 * Give a line of a command's output to a benchmark.  If several benchmarks
 * share the command, the line's name tells whose it is.
 */
static void
samples_line(struct samples *s, const struct benchmark *b, int shared,
    const char *line)
{
	const char *at = line;
	double us = runtime_read(line, &at);
	size_t len = runtime_name(line);
	int ours = len == strlen(b->name) && begins(line, b->name);

	if (us == -1 || (shared && !ours) || s->why != NULL)
		return;
	if (us == -2)
		s->why = pool_printf("\"%.40s\" is not understood: expected "
		    "runtime: NUMBER and ns, us, ms or s", at);
	else if (!shared && len > 0 && s->name != NULL &&
	    (strlen(s->name) != len || !begins(line, s->name)))
		s->why = pool_printf("the runtime: lines have several names, "
		    "%s and %.*s: give each its own --benchmark NAME with this"
		    " command", s->name, (int)len, line);
	else
		samples_add(s, us);
	if (s->name == NULL && len > 0)
		s->name = pool_printf("%.*s", (int)len, line);
}

/* Execute a command in the copy, with its output in a log. */
static enum measured
command_run(const struct copy *c, const char *command, int log,
    double *seconds, char **why)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct process p = { .path = argv[0], .argv = argv, .vars = &c->vars,
	    .in = -1, .out = log, .err = log,
	    .limit = c->x->opt.benchmark_timeout, .mark = c->mark };
	struct ended e;

	process_run(&p, &e);
	if (e.status != 0)		/* because the disk was full? */
		space_check(c->x);
	copy_tmp(c);
	*seconds = e.seconds;
	*why = e.why == BY_LIMIT ? pool_printf("timed out after %s "
	    "(--benchmark-timeout)", duration(e.seconds)) :
	    pool_printf("exit status %d", e.status);
	return e.why == BY_SIGNAL ? STOPPED :
	    e.why == BY_ITSELF && e.status == 0 ? MEASURED : FAILED;
}

/* Write the results of a benchmark; the header alone if it failed. */
static void
benchmark_write(const struct experiment *x, int run, int iteration, size_t b,
    const struct samples *s)
{
	const char *name = benchmark_file(x, run, iteration, b);
	FILE *to = output_begin(x, name);

	fputs("experiment_id,run_id,iteration_id,outer_iteration_id,"
	    "runtime_us\n", to);
	for (size_t i = 0; i < s->n; i++) {
		csv_field(to, x->opt.prefix);
		fprintf(to, ",%d,%d,%zu,%.0f\n", run, iteration, i + 1,
		    s->us[i]);
	}
	output_end(x, to, name);
}

/* Print the last lines of a log. */
static void
log_show(int log)
{
	enum { LINES = 5, SLOTS = LINES + 1 };
	FILE *in = fd_tail(log, 1000);
	char lines[SLOTS][200];
	long n, i;

	for (n = 0; line_read(in, lines[n % SLOTS], sizeof *lines); n++)
		;
	for (i = n > LINES ? n - LINES : 0; i < n; i++)
		warn("  | %s", lines[i % SLOTS]);
	fclose(in);
}

/* Take the samples of one execution for all benchmarks of the command. */
static void
samples_take(const struct options *o, struct samples *samples, int log,
    off_t start, double seconds)
{
	const struct benchmark *b = o->benchmarks;
	FILE *in = fd_stream(log, start);
	char *line = xrealloc(NULL, LINE_SIZE);
	struct samples *s, *end = samples + o->benchmark_n;
	int printing = 0;		/* benchmarks that take printed times */

	for (s = samples; s < end; s++) {
		s->before = s->n;
		printing += s->wanted && !b[s - samples].timed;
	}
	while (line_read(in, line, LINE_SIZE)) {
		colours_remove(line);
		for (s = samples; s < end; s++)
			if (s->wanted && !b[s - samples].timed)
				samples_line(s, &b[s - samples], printing > 1,
				    line);
	}
	free(line);
	fclose(in);
	for (s = samples; s < end; s++)
		if (s->wanted && b[s - samples].timed)
			samples_add(s, seconds * 1e6);
		else if (s->wanted && s->n == s->before && s->why == NULL)
			s->why = pool_printf("it printed no line with %sruntime"
			    ": NUMBER UNIT (--time takes the wall time)",
			    printing > 1 ? pool_printf("%s: and ",
			    b[s - samples].name) : "");
}

/* Write the samples of a benchmark; warn if it failed, and return 1. */
static int
benchmark_end(const struct experiment *x, int run, int iteration, size_t k,
    struct samples *s, const char *file, int log)
{
	const struct benchmark *b = &x->opt.benchmarks[k];

	for (size_t i = 0; i < s->n && s->why == NULL; i++)
		if (s->us[i] < 10 && !b->timed) {
			warn("%s: a sample of %s is below 10 us, and the file "
			    "has whole microseconds: measure more work",
			    point_name(x, run, iteration), b->name);
			break;
		}
	if (s->why != NULL) {
		s->n = 0;
		warn("%s: benchmark %s failed: %s: see %s/%s", point_name(x,
		    run, iteration), b->name, s->why, x->output, file);
		if (iteration == 0)
			log_show(log);
	}
	if (s->why == NULL || iteration > 0)
		benchmark_write(x, run, iteration, k, s);
	return s->why != NULL;
}

/*
 * Measure the benchmarks that lack results and have the command of
 * benchmark `first`: execute it --samples times.
 */
static enum measured
group_measure(const struct copy *c, int run, int iteration, size_t first)
{
	const struct experiment *x = c->x;
	const struct benchmark *b = x->opt.benchmarks;
	size_t n = x->opt.benchmark_n, i;
	struct samples *s = pool_take(xrealloc(NULL, n * sizeof *s));
	const char *file = result_name(x, run, iteration, pool_printf("%s.log",
	    b[first].name));
	int log = output_log(x, file, 0), failed = 0;
	enum measured result = MEASURED;
	double seconds;
	char *why;
	off_t start;

	memset(s, 0, n * sizeof *s);
	for (i = first; i < n; i++)
		s[i].wanted = strcmp(b[i].command, b[first].command) == 0 &&
		    !has_results(x, run, iteration, i);
	for (long k = 0; k < x->opt.samples && result == MEASURED; k++) {
		start = fd_size(log);
		result = command_run(c, b[first].command, log, &seconds, &why);
		if (result == MEASURED)
			samples_take(&x->opt, s, log, start, seconds);
	}
	for (i = first; i < n; i++) {
		if (result == FAILED && s[i].why == NULL)
			s[i].why = why;
		if (s[i].wanted && result != STOPPED)
			failed |= benchmark_end(x, run, iteration, i, &s[i],
			    file, log);
		free(s[i].us);
	}
	close(log);
	return failed ? FAILED : result;
}

/* Restore the protected paths from the baseline. */
static void
protect(struct copy *c)
{
	const struct experiment *x = c->x;
	const char *const *restore = ARGV("checkout", "-q", "--no-overlay",
	    x->base, "--");

	if (x->opt.protect.n == 0)
		return;
	/* An agent's attributes would change line ends of these files. */
	git_try(&c->git, "checkout", "-q", "--no-overlay", x->base, "--",
	    ":(top,glob)**/.gitattributes");
	git_with(&c->git, 0, restore, &x->opt.protect);
}

/* Execute the command of --build or --setup, if it is given. */
static enum measured
step_run(const struct copy *c, int run, int iteration, const char *step,
    const char *command)
{
	const struct experiment *x = c->x;
	const char *file = result_name(x, run, iteration,
	    pool_printf("%s.log", step));
	enum measured result;
	double seconds;
	char *why;
	int log;

	if (command == NULL)
		return MEASURED;
	log = output_log(x, file, 0);
	result = command_run(c, command, log, &seconds, &why);
	if (result == FAILED) {
		warn("%s: the %s failed: %s: see %s/%s", point_name(x, run,
		    iteration), step, why, x->output, file);
		log_show(log);
	}
	close(log);
	return result;
}

/* Run --setup in a fresh copy. */
static enum measured
setup_run(struct copy *c, int run, int iteration)
{
	enum measured result;

	words_set(&c->vars, "PROJECT", c->x->top);
	result = step_run(c, run, iteration, "setup", c->x->opt.setup);
	words_set(&c->vars, "PROJECT", getenv("PROJECT"));
	if (result == FAILED)
		stop_all(c->x, 1, "the setup failed (fix it first)");
	/* The agent's .git, which such a file may point into, is made anew. */
	for (size_t i = 0; i < c->submodules.n; i++)
		path_remove(pool_printf("%s/.git", c->submodules.v[i]));
	return result;
}

/*
 * Make the copy equal to a commit, with the agent's .git.  If ignored files
 * were removed, run --setup, which does not change tracked files.
 */
static enum measured
copy_prepare(struct copy *c, int run, int iteration, const char *commit,
    int all)
{
	enum measured result = MEASURED;
	struct stat st;

	copy_reset(c, commit, all);
	if (c->clean && c->x->opt.setup != NULL) {
		copy_new_git(c, run, iteration, commit);
		result = setup_run(c, run, iteration);
		copy_enter(c);
		copy_made(c);
		c->at[0] = '\0';
		copy_reset(c, commit, 0);
	}
	if (c->x->opt.in_place)
		place_git(c, commit);
	else
		copy_new_git(c, run, iteration, commit);
	copy_tmp(c);			/* its time is the file system's now */
	if (lstat(copy_path(c, "tmp"), &st) == 0)
		c->since = st.st_ctim;
	return result == MEASURED ? MEASURED : STOPPED;
}

/* Measure what is missing at one point.  Return 0, or -1 to stop. */
static int
point_measure(struct copy *c, const struct run *r, int m)
{
	const struct experiment *x = c->x;
	const struct samples none = { .n = 0 };
	enum measured result, one;
	int failed;

	if (point_measured(x, r->id, m))
		return 0;
	job_show(x, r->id, m, "benchmark", 0);
	if (gate_enter(c, 1) != 0)
		return -1;
	words_set(&c->vars, "CC_RUN_EXPERIMENTS_RUN",
	    pool_printf("%d", r->id));
	space_check(x);
	result = copy_prepare(c, r->id, m, r->commits.v[m], 1);
	protect(c);
	c->at[0] = '\0';
	if (result == MEASURED)
		result = step_run(c, r->id, m, "build", x->opt.build);
	failed = result == FAILED;
	for (size_t i = 0; i < x->opt.benchmark_n && result != STOPPED; i++)
		if (has_results(x, r->id, m, i) || (m == 0 && failed)) {
			continue;
		} else if (result == FAILED) {	/* the build */
			benchmark_write(x, r->id, m, i, &none);
		} else {
			one = group_measure(c, r->id, m, i);
			failed |= one == FAILED;
			result = one == STOPPED ? STOPPED : result;
		}
	copy_enter(c);
	space_check(x);
	gate_lock(c, WORK, F_UNLCK);
	if (failed && m == 0)
		stop_all(x, 1, "a benchmark of the baseline failed (fix it "
		    "first)");
	else if (result != STOPPED)
		say("%s: benchmarks are measured%s", point_name(x, r->id, m),
		    failed ? "; some have failed" : "");
	pool_free();
	return result == STOPPED ? -1 : 0;
}

/* ---- the loop: attempts, iterations, points ------------------------------ */

/*
 * The loop of the header comment, for one run in its child process.  An attempt
 * is recorded in this order: commit, row of the ledger, refs, message.  After a
 * kill before the row, the next start counts the attempt as interrupted.  After
 * a kill behind the row, the next start makes the refs.
 */
struct decision {
	enum next next;
	int finished;			/* the iteration has ended */
	int status;			/* exit status if everything stops */
};

/*
 * Decide what follows an outcome.  `failures` and `timeouts` count those in a
 * row before this attempt.  `signal` is the one that ended the call, or 0.
 */
static struct decision
decide(enum outcome outcome, int failures, int timeouts, long retries,
    int wait, int signal)
{
	const struct rule *rule = &outcomes[outcome];
	int holds = rule->limit == ALWAYS ||
	    (rule->limit == FEW_FAILURES && failures + 1 < FAILURES) ||
	    (rule->limit == RETRIES_LEFT && timeouts < retries) ||
	    (rule->limit == WAITING && wait);
	enum next next = holds ? rule->next : STOP;

	return (struct decision){ next, next == NEXT_ITERATION ||
	    next == END_OF_RUN, next == STOP ? rule->status + signal : 0 };
}

/* Return why the attempt ended, from what claude printed; "" if unknown. */
static const char *
attempt_why(const struct attempt *a, const struct transcript *t)
{
	const struct event *r = &t->result;

	if (a->outcome == SUCCESS)
		return "";
	if (a->fault[0] != '\0')
		return a->fault;
	if (r->text[0] != '\0')
		return r->text;
	if (a->said[0] != '\0')
		return a->said;
	if (a->outcome != FAILURE)
		return "";
	return strcmp(r->turns, "0") == 0 ? "the model was not asked" :
	    r->type[0] != '\0' ? "claude's result has no text" :
	    t->json ? "claude ended without a result" :
	    pool_printf("exit status %d", a->status);
}

/* Print the end of an attempt in one line. */
static void
attempt_say(const struct experiment *x, const struct attempt *a,
    const struct transcript *t)
{
	const char *why = attempt_why(a, t);
	const char *limit = a->why == BY_SILENCE ? " (--idle-timeout)" :
	    a->why != BY_LIMIT ? "" :
	    a->last ? " (--timeout)" : " (--iteration-timeout)";
	int kept = outcomes[a->outcome].keep;
	const char *ref = kept || a->commit[0] == '\0' ? "" :
	    pool_printf(", discarded to %s", attempt_ref(x, a->run,
	    a->iteration, a->number));

	message(kept ? "" : PROBLEM, "%s%s: %s after %s%s, %ld file%s +%ld "
	    "-%ld, %s%s%s%s%.*s", point_name(x, a->run, a->iteration),
	    a->number > 1 ? pool_printf(" attempt %d", a->number) : "",
	    outcomes[a->outcome].name, duration(a->seconds), limit,
	    a->changes.files, a->changes.files == 1 ? "" : "s",
	    a->changes.added, a->changes.removed, a->cost[0] != '\0' ?
	    pool_printf("$%.2f", strtod(a->cost, NULL)) : "cost unknown",
	    a->survivors > 0 ? pool_printf(", %d leftover process%s killed",
	    a->survivors, a->survivors == 1 ? "" : "es") : "", ref,
	    why[0] != '\0' ? ": " : "", (int)strcspn(why, "\n"), why);
}

/* Return why everything stops after this attempt; "" for a signal. */
static const char *
attempt_stop(const struct experiment *x, const struct attempt *a,
    const struct transcript *t)
{
	if (a->fault[0] != '\0')
		return a->fault;
	switch (a->outcome) {
	case RATE_LIMIT:
		return pool_printf("rate limit%s", limit_when(t));
	case TIMED_OUT:
		return x->opt.retries == 0 ? "the call timed out, with "
		    "--retries 0" : "the last retry timed out";
	case DENIED:
		return pool_printf("claude is denied%s%.*s (fix this first%s)",
		    t->result.text[0] != '\0' ? ": " : "",
		    (int)strcspn(t->result.text, "\n"), t->result.text,
		    begins(t->result.text, "Not logged in") ? "; a key or "
		    "apiKeyHelper in your settings needs -- --setting-sources "
		    "user,project" : "");
	case FAILURE:
		return pool_printf("%d failures in a row", FAILURES);
	default:
		return "";
	}
}

/*
 * Decide what follows, and write the row.  Failures in a row are counted over
 * all runs, so both happen under the write lock.
 */
static struct decision
attempt_record(const struct experiment *x, struct run *r, struct attempt *a,
    int *timeouts)
{
	struct shared *shared = x->shared;
	struct decision d;

	lock_write(x, 1);
	d = decide(a->outcome, shared->failures, *timeouts, x->opt.retries,
	    x->opt.wait, stop.signal);
	if (a->fault[0] != '\0')
		d = (struct decision){ STOP, 0, 1 };
	a->finished = d.finished;
	a->charged = d.finished ? a->seconds : 0;
	ledger_append(x, ledger_line(x, a));
	shared->failures = outcomes[a->outcome].keep ? 0 :
	    shared->failures + (a->outcome == FAILURE);
	shared->cost += strtod(a->cost, NULL);
	shared->unknown += a->cost[0] == '\0';
	lock_write(x, 0);
	*timeouts = a->outcome == TIMED_OUT ? *timeouts + 1 : 0;
	run_add(r, a);
	return d;
}

/*
 * Make one attempt: prepare the copy, call claude, commit, write row and refs.
 * If discarded work is in the copy, ignored files are removed as well.
 */
static struct decision
attempt(struct copy *c, struct run *r, struct transcript *t, int *timeouts)
{
	const struct experiment *x = c->x;
	double left = x->opt.timeout - r->charged;
	struct attempt a = { .run = r->id, .iteration = r->next,
	    .number = r->attempts + 1,
	    .last = left <= x->opt.iteration_timeout };
	double limit = a.last ? left : x->opt.iteration_timeout;
	char parent[ID_SIZE];
	int keep, discarded = r->attempts > 0 || (r->rows > 0 &&
	    !outcomes[r->last.outcome].keep);
	struct decision d;

	COPY(a.base, run_commit(r));
	parents_check(x, c->dir, 1);
	space_check(x);
	if (copy_prepare(c, a.run, a.iteration, a.base, discarded ||
	    c->tree[0] == '\0') == STOPPED)
		return (struct decision){ STOP, 0, 0 };
	job_show(x, a.run, a.iteration, "", limit);
	c->clean = 0;
	claude_call(&a, c, t, limit);
	space_check(x);
	keep = outcomes[a.outcome].keep;
	if (x->opt.in_place)
		place_head(c, a.base, parent);
	else
		copy_head(c, a.base, parent);
	copy_commit(c, a.base, parent, claude_message(&a, t), keep, &a.changes,
	    a.commit);
	a.protected_touched = x->opt.protect.n == 0 ? -1 : git_with(&c->git, 1,
	    ARGV("diff", "--quiet", x->base, a.commit[0] != '\0' ? a.commit :
	    a.base, "--"), &x->opt.protect);
	if (r->last.version[0] != '\0' && a.version[0] != '\0' &&
	    (strcmp(r->last.version, a.version) != 0 ||
	    strcmp(r->last.model, a.model) != 0))
		warn("%s: claude %s and model %s changed to %s and %s: the "
		    "iterations of this run differ", point_name(x, a.run,
		    a.iteration), r->last.version, r->last.model, a.version,
		    a.model);
	d = attempt_record(x, r, &a, timeouts);
	row_refs(&c->git, x, r, &a, NULL);
	attempt_say(x, &a, t);
	if (d.next == STOP)
		stop_all(x, d.status, attempt_stop(x, &a, t));
	if (a.fault[0] != '\0')	/* others end after the reason is set */
		x->shared->fault = 1;
	return d;
}

/* If all attempts have cost the budget, stop everything and return 1. */
static int
budget_stop(const struct experiment *x)
{
	struct attempt a;
	double cost = 0;
	int unknown = 0;
	char *text;

	if (x->opt.budget <= 0)
		return 0;
	lock_write(x, 1);
	text = ledger_text(x);
	while (ledger_next(x, &text, &a)) {
		cost += strtod(a.cost, NULL);
		unknown += a.cost[0] == '\0';
	}
	lock_write(x, 0);
	if (cost < x->opt.budget)
		return 0;
	stop_all(x, EXIT_FAILURES, pool_printf("the attempts have cost $%.2f, "
	    "the --budget is $%.2f%s: raise it", cost,
	    x->opt.budget, unknown > 0 ? pool_printf(" (%d of unknown cost "
	    "count as 0)", unknown) : ""));
	return 1;
}

/* Make attempts until the iteration or everything ends. */
static enum next
iteration(struct copy *c, struct run *r)
{
	const struct experiment *x = c->x;
	struct transcript t = { .plugin = x->opt.no_plugin ? "" : x->plugin,
	    .memory = x->memory };
	struct decision d = { AGAIN, 0, 0 };
	int timeouts = 0;

	while (d.next == AGAIN) {
		job_show(x, r->id, r->next, "", 0);
		if (budget_stop(x) || gate_enter(c, 0) != 0)
			return STOP;
		d = attempt(c, r, &t, &timeouts);
		gate_lock(c, WORK, F_UNLCK);
		if (d.next == AGAIN && r->last.outcome == RATE_LIMIT &&
		    limit_wait(x, r, &t) != 0) {
			stop_all(x, EXIT_LATER, pool_printf("rate limit%s: all "
			    "waits would exceed %s", limit_when(&t),
			    duration(WAIT_MOST_S)));
			d.next = STOP;
		}
		pool_free();
	}
	words_free(&t.tasks);
	words_free(&t.messages);
	return d.next;
}

/* Make the missing iterations of a run, and the missing measurements. */
static void
run_do(struct copy *c, struct run *r)
{
	const struct experiment *x = c->x;

	for (int m = 0; !is_ending(x); m++) {
		if (m == r->next && (run_over(x, r) ||
		    iteration(c, r) == STOP))
			break;
		if (m < r->next && point_wanted(x, r, m) &&
		    point_measure(c, r, m) != 0)
			break;
	}
	if (!is_ending(x) && r->next <= x->opt.iterations &&
	    r->charged < x->opt.timeout)
		say("run %d/%ld: ended before iteration %d, because less than "
		    "%s of --timeout is left", r->id, x->opt.runs, r->next,
		    duration(ENOUGH_S));
}

/*
 * --benchmark-only: measure what lacks results.  The order is that of the
 * hashes of the points' names, so that it does not follow the order of runs.
 */
static void
points_measure(struct copy *c, struct run *runs)
{
	const struct experiment *x = c->x;
	unsigned long long key, least;
	struct run *r, *next;
	int m, next_m = 0;

	do {
		least = ULLONG_MAX;
		next = NULL;
		for (r = runs + x->opt.first; r <= runs + x->opt.last; r++)
			for (m = 0; m < r->next; m++) {
				key = hash(0, result_name(x, r->id, m, ""));
				if (key < least && point_wanted(x, r, m)) {
					least = key;
					next = r;
					next_m = m;
				}
			}
	} while (next != NULL && point_measure(c, next, next_m) == 0);
}

/* ---- jobs: a child process for each run ---------------------------------- */

/*
 * The parent starts at most --jobs children, forwards signals to them and draws
 * the status line.  While children are at work, the parent waits in one place
 * only and runs no git.  A child reports to the parent through struct shared,
 * the ledger and the result files.  --benchmark-only has one child for all
 * runs, which counts as run 0.
 */

/* In the child: do a run, or measure all if id is 0; never return. */
static void
job_run(struct experiment *x, struct run *runs, int id, pid_t parent)
{
	struct copy c;
	long first = id > 0 ? id : x->opt.first;
	long last = id > 0 ? id : x->opt.last;

	signals_child(parent);
	lock_runs(x, LOCK_CHILD, first, last, 0);
	lock_place(x, PLACE_CHILD, 0);
	copy_open(&c, x, id);
	if (x->opt.in_place)
		place_open(&c);
	if (id > 0)
		run_do(&c, &runs[id]);
	else
		points_measure(&c, runs);
	if (stop.signal != 0)
		stop_all(x, 128 + stop.signal, "");
	if (x->opt.in_place)
		place_return(&c);
	copy_remove(&c);
	runs_free(x, runs);
	pool_free();
	exit(0);
}

/* Start the child of a run as a free job. */
static void
job_start(struct experiment *x, struct run *runs, int id)
{
	struct job *j = x->shared->jobs;
	pid_t parent = getpid(), pid;

	while (j->pid != 0)
		j++;
	x->job = j;
	j->copy = id;
	job_show(x, id, id > 0 ? runs[id].next : 0, "", 0);
	fflush(NULL);
	if ((pid = fork()) < 0) {
		stop_all(x, 1, pool_printf("cannot start a process: %s",
		    strerror(errno)));
		return;
	}
	if (pid == 0)
		job_run(x, runs, id, parent);
	j->pid = pid;
}

/* A child has ended; clean up if it was killed. */
static void
job_ended(const struct experiment *x, pid_t pid, int status)
{
	struct job *j = x->shared->jobs;

	while (j < x->shared->jobs + x->opt.jobs && j->pid != pid)
		j++;
	if (j == x->shared->jobs + x->opt.jobs)
		return;	/* of a program that became this one by exec */
	j->pid = 0;
	if (status == 0)
		return;
	if (status > 128) {
		warn("the process of run %d was killed by signal %d: memory may"
		    " be short", j->run, status - 128);
		leftovers_kill(run_mark(x, j->copy), 0, 0);
		status = 1;
	}
	run_remove(x, j->copy);
	stop_all(x, status, pool_printf("run %d could not go on, for the reason"
	    " above", j->run));
}

/* Start the runs that are not done while jobs are free; wait for all. */
static void
jobs_run(struct experiment *x, struct run *runs)
{
	int only = x->opt.benchmark_only, id = only ? 0 : (int)x->opt.first;
	int last = only ? 0 : (int)x->opt.last, busy = 0, told = 0, status, i;
	pid_t pid;

	for (;; pool_free()) {
		while (!only && id <= last && run_done(x, &runs[id]))
			id++;
		for (i = busy = 0; i < x->opt.jobs; i++)
			busy += x->shared->jobs[i].pid != 0;
		if (id <= last && busy < x->opt.jobs && !is_ending(x)) {
			job_start(x, runs, id++);
			continue;
		}
		if (busy == 0)
			break;
		show_draw(x, monotonic());
		alarm(show.on ? 1 : 60);
		if (!is_stopping() || told)
			signal_take();
		while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
			if (WIFSTOPPED(status))	/* an agent can do that */
				process_kill(pid, SIGCONT);
			else
				job_ended(x, pid, process_status(status));
		if (!told && (is_stopping() || x->shared->fault)) {
			for (i = 0; i < x->opt.jobs; i++)
				process_kill(x->shared->jobs[i].pid,
				    stop.signal != 0 ? stop.signal : SIGTERM);
			told = 1;
		}
	}
	alarm(0);
	if (stop.signal != 0)
		stop_all(x, 128 + stop.signal, "");
}

/* ---- the start: what exists, and what is missing ------------------------- */

/*
 * A start reads the ledger and experiment.csv, and exits if this command line
 * cannot continue the experiment.  A refused start changes no file and no ref
 * of the experiment, except that place_recover() keeps the work of a killed
 * runner.  Then a start completes what a killed runner left half done: rows for
 * transcripts, refs for rows.  The caller holds the locks of the runs.
 */

/*
 * Open the output directory, and the folders that the prefix names.  With
 * `make`, make what is missing; otherwise output_fd is -1 if one is missing.
 */
static void
output_open(struct experiment *x, int make)
{
	const char *name = x->opt.prefix, *part;
	int fd;

	if (make && mkdir(x->opt.output, 0777) != 0 && errno != EEXIST)
		die(EXIT_USAGE, "--output %s: cannot make the directory:",
		    x->opt.output);
	if (realpath(x->opt.output, x->output) == NULL)
		CUT(x->output, x->opt.output);
	x->output_fd = open(x->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; x->output_fd >= 0 && strchr(name, '/') != NULL;
	    name = strchr(name, '/') + 1) {
		part = pool_printf("%.*s", (int)strcspn(name, "/"), name);
		if (make)
			mkdirat(x->output_fd, part, 0777);
		fd = file_open(x->output_fd, part, O_DIRECTORY);
		close(x->output_fd);
		x->output_fd = fd;
		COPY(x->output, pool_printf("%s/%s", x->output, part));
	}
	x->name = base_name(x->opt.prefix);
	if ((make || errno != ENOENT) && (x->output_fd < 0 ||
	    access(x->output, W_OK | X_OK) != 0))
		die(EXIT_USAGE, "--output %s: expected a directory that you can"
		    " write to:", x->opt.output);
}

/* The name of the next attempt's transcript if it exists; otherwise NULL. */
static const char *
transcript_left(const struct experiment *x, const struct run *r)
{
	const char *name = result_name(x, r->id, r->next,
	    pool_printf("attempt-%d.jsonl", r->attempts + 1));

	return output_mode(x, name) != 0 ? name : NULL;
}

/*
 * Write a row for each transcript that has none, because the runner was
 * killed.  In place, the first one has its work in the directory of c.  The
 * caller holds the write lock.
 */
static void
transcripts_adopt(const struct experiment *x, struct run *runs, struct copy *c)
{
	char parent[ID_SIZE];
	const char *name;

	for (struct run *r = runs + x->opt.first; r <= runs + x->opt.last; r++)
		while (r->next <= x->opt.iterations &&
		    (name = transcript_left(x, r)) != NULL) {
			struct attempt a = { .run = r->id,
			    .iteration = r->next, .number = r->attempts + 1,
			    .outcome = INTERRUPTED, .status = -1,
			    .seconds = -1, .changes = { -1, -1, -1, -1, -1 },
			    .survivors = -1, .protected_touched = -1 };
			struct transcript t = { .plugin = "",
			    .fd = file_open(x->output_fd, name, 0) };

			COPY(a.base, run_commit(r));
			if (S_ISREG(output_mode(x, name)) && t.fd >= 0)
				transcript_read(&t);
			close(t.fd);
			attempt_told(&a, &t);
			if (c != NULL) {
				place_head(c, a.base, parent);
				copy_commit(c, a.base, parent,
				    claude_message(&a, &t), 0, &a.changes,
				    a.commit);
				c = NULL;
			}
			ledger_append(x, ledger_line(x, &a));
			run_add(r, &a);
			warn("%s attempt %d: interrupted: its runner ended "
			    "before it wrote this row", point_name(x, r->id,
			    a.iteration), a.number);
			words_free(&t.tasks);
			words_free(&t.messages);
		}
}

/*
 * In place, a runner or the process of a run was killed: keep its work as an
 * attempt, and check out the user's branch.
 */
static void
place_recover(const struct experiment *x, struct run *runs)
{
	struct run *r = runs + x->opt.first, *last = runs + x->opt.last;
	struct copy c;

	while (r < last && transcript_left(x, r) == NULL)
		r++;
	copy_open(&c, x, r->id);
	place_open(&c);
	git_or_die(&c.git, "read-tree", run_commit(r));
	copy_note(&c, run_commit(r));
	transcripts_adopt(x, runs, &c);
	if (r->rows > 0)
		row_refs(&c.git, x, r, &r->last, NULL);
	place_return(&c);
	copy_remove(&c);
}

/* Has an attempt been made, so that the settings must agree? */
static int
is_begun(const struct experiment *x)
{
	struct run r = { .next = 1, .id = (int)x->opt.first };

	while (r.id <= x->opt.last && transcript_left(x, &r) == NULL)
		r.id++;
	return r.id <= x->opt.last || *ledger_text(x) != '\0';
}

/*
 * Must the ledger have a row for this ref?  No if the ref is of another prefix
 * or of a run that is not asked for, which another machine may have made.
 */
static int
is_row_needed(const struct experiment *x, const char *ref)
{
	const char *branch = pool_printf("refs/heads/%s-run-", x->opt.prefix);
	const char *attempt = pool_printf(REFS "%s/run-", x->opt.prefix);
	int id, m, k;

	if (!(begins(ref, branch) && sscanf(ref + strlen(branch),
	    "%d-iteration-%d", &id, &m) == 2 &&
	    is_inside(ref, branch_ref(x, id, m))) &&
	    !(begins(ref, attempt) && sscanf(ref + strlen(attempt),
	    "%d/iteration-%d/attempt-%d", &id, &m, &k) == 3))
		return 0;
	return (id >= x->opt.first && id <= x->opt.last) || id < 1 ||
	    id > x->opt.runs;
}

static int
refs_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* List the refs of the prefix; exit if the ledger has no row for one. */
static void
refs_list(struct git *g, const struct experiment *x, struct words *refs)
{
	struct words known = { NULL, 0 };
	char *text = ledger_text(x);
	struct attempt a;

	while (ledger_next(x, &text, &a)) {
		words_add(&known, attempt_ref(x, a.run, a.iteration,
		    a.number));
		if (a.finished == 1)
			words_add(&known, branch_ref(x, a.run, a.iteration));
	}
	if (known.n > 0)
		qsort(known.v, known.n, sizeof *known.v, refs_order);
	git_or_die(g, "for-each-ref", "--format=%(refname)",
	    pool_printf("refs/heads/%s-run-*", x->opt.prefix),
	    pool_printf("refs/heads/%s-run-*/**", x->opt.prefix),
	    pool_printf(REFS "%s/", x->opt.prefix));
	for (struct records r = git_records(g, '\n'); record_next(&r);) {
		words_add(refs, r.text);
		if (is_row_needed(x, r.text) && (known.n == 0 || bsearch(
		    &refs->v[refs->n - 1], known.v, known.n, sizeof *known.v,
		    refs_order) == NULL))
			die(EXIT_USAGE, "%s exists, but the ledger in %s has no"
			    " row for it: name the --output of the earlier "
			    "start, or choose another prefix (each arm needs "
			    "its own)", r.text, x->output);
	}
	words_free(&known);
}

/*
 * Bring the refs of each run's last row up to date, and that of the baseline,
 * which keeps its objects.  Delete a branch that lacks objects, as git gc of
 * the user would fail.
 */
static void
refs_follow(struct git *g, const struct experiment *x, struct run *runs,
    const struct words *refs)
{
	struct run *r;
	size_t n;

	git_ref(g, x, pool_printf(REFS "%s/baseline", x->opt.prefix), x->base,
	    1);
	for (r = runs + x->opt.first; r <= runs + x->opt.last; r++) {
		for (n = r->commits.n; n > 1 && !run_done(x, r) &&
		    git_try(g, "rev-list", "--quiet", "--objects",
		    r->commits.v[n - 1], "--not", x->base) != 0; n--) {
			warn("run %d: objects of commit %s, iteration %zu, are "
			    "missing: the run goes on from the one before",
			    r->id, r->commits.v[n - 1], n - 1);
			git_try(g, "update-ref", "-d", branch_ref(x, r->id,
			    (int)n - 1), r->commits.v[n - 1]);
		}
		if (n < r->commits.n) {
			words_add(&r->commits, r->commits.v[n - 1]);
			words_remove(&r->commits, r->commits.n - 2);
		} else if (r->rows > 0) {
			row_refs(g, x, r, &r->last, refs->v);
		}
	}
}

/* Exit because there is no baseline; name branches that no runner made. */
static void
baseline_missing(struct git *g, const struct experiment *x)
{
	enum { NAMES = 10 };
	const char *names = "";
	int n = 0;

	git_or_die(g, "for-each-ref", "--format=%(refname:short)",
	    "refs/heads/");
	for (struct records r = git_records(g, '\n'); record_next(&r) &&
	    n < NAMES;)
		if (strstr(r.text, "-iteration-") == NULL)
			names = pool_printf("%s%s%s", names, n++ > 0 ? ", " :
			    "", r.text);
	die(EXIT_USAGE, "no branch or commit \"%s\" in %s: %s%s",
	    x->opt.baseline, x->top, n > 0 ? "name the baseline as the third "
	    "operand, for example one of " : "there is no branch: make a "
	    "commit first", names);
}

/*
 * Find the baseline commit: the recorded one if the experiment has begun with
 * this baseline, otherwise the branch or commit of this name.
 */
static void
baseline_find(struct git *g, struct experiment *x, const struct words *old)
{
	const char *name = x->opt.baseline;
	const char *ref = pool_printf("refs/heads/%s", name);
	const char *recorded = settings_values(old, "baseline_commit");
	int branch = git_commit(g, ref), found = branch || git_commit(g, name);

	if (found)
		COPY(x->base, git_line(g));
	COPY(x->branch, branch && !begins(name, "run-") ? name :
	    baseline_default);
	if (*recorded != '\0' &&
	    strcmp(settings_values(old, "baseline"), name) == 0) {
		if (found && strcmp(recorded, x->base) != 0)
			say("baseline %s has moved to %.12s: the experiment "
			    "stays at %.12s", name, x->base, recorded);
		COPY(x->base, recorded);
	} else if (!found) {
		baseline_missing(g, x);
	}
}

/* Exit if objects of the baseline are missing, as in a partial clone. */
static void
partial_check(struct git *g, const struct experiment *x)
{
	if (git_try(g, "config", "--local", "--includes", "--get-regexp",
	    "^(extensions\\.partialclone|remote\\..*\\.promisor)$") != 0)
		return;
	words_set(&g->vars, "GIT_ALLOW_PROTOCOL", "none");
	git_or_die(g, "rev-list", "--objects", "--missing=print", x->base);
	for (struct records r = git_records(g, '\n'); record_next(&r);)
		if (*r.text == '?')
			die(EXIT_USAGE, "%s is a partial clone and lacks "
			    "objects of %s: fetch them with \"git -C %s fetch "
			    "--refetch --no-filter\", or make a full clone",
			    x->top, x->opt.baseline, x->top);
}

/* Set an author for commits if the user has none. */
static void
identity_set(struct git *g, struct experiment *x)
{
	static const char *const names[] = { "GIT_AUTHOR_NAME",
	    "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL" };
	const char *value;

	if (git_try(g, "var", "GIT_AUTHOR_IDENT") == 0 &&
	    git_try(g, "var", "GIT_COMMITTER_IDENT") == 0)
		return;
	for (int i = 0; i < 4; i++) {
		value = i < 2 ? PROGRAM : PROGRAM "@localhost";
		words_set(&x->git_vars, names[i], value);
		words_set(&x->agent_vars, names[i], value);
	}
}

/* Exit if --protect names no path of the baseline. */
static void
protect_check(struct git *g, const struct experiment *x)
{
	if (x->opt.protect.n == 0)
		return;
	words_set(&g->vars, "GIT_WORK_TREE", x->top);
	words_set(&g->vars, "GIT_INDEX_FILE", pool_printf("%s/none",
	    x->directory));
	if (git_with(g, ANY_STATUS, ARGV("-C", x->top, "ls-files",
	    "--error-unmatch", "--with-tree", x->base, "--"),
	    &x->opt.protect) != 0)
		die(EXIT_USAGE, "--protect: no file of the baseline matches: "
		    "name paths from the top of the project: %s",
		    git_fault(g));
}

/* Tell which ignored files of the user's tree the copies lack. */
static void
ignored_tell(const struct experiment *x)
{
	enum { NAMES = 5 };
	const char *names = "";
	struct git g;
	int n = 0;

	git_open(&g, x);
	git_try(&g, "-C", x->top, "ls-files", "-z", "-o", "-i",
	    "--exclude-standard", "--directory");
	for (struct records r = git_records(&g, '\0'); record_next(&r); n++)
		if (n < NAMES)
			names = pool_printf("%s%s%s", names, n > 0 ? ", " : "",
			    r.text);
	if (n > 0)
		say("git ignores %s%s in %s, so the copies lack %s: see "
		    "--setup", names, n > NAMES ? " ..." : "", x->top,
		    n > 1 ? "them" : "it");
	git_close(&g);
}

/* Exit if a work tree has checked out a branch that is to be made. */
static void
checkout_check(struct git *g, const struct experiment *x,
    const struct run *runs)
{
	const char *branch = pool_printf("branch refs/heads/%s-run-",
	    x->opt.prefix);
	int id, m;

	git_or_die(g, "worktree", "list", "--porcelain");
	for (struct records r = git_records(g, '\n'); record_next(&r);)
		if (begins(r.text, branch) && sscanf(r.text + strlen(branch),
		    "%d-iteration-%d", &id, &m) == 2 && id >= x->opt.first &&
		    id <= x->opt.last && m >= runs[id].next)
			die(EXIT_USAGE, "the %s is checked out, but the "
			    "experiment makes it: check out another branch",
			    r.text);
}

/* Check what only an experiment with work left needs. */
static void
work_check(struct git *g, struct experiment *x, const struct run *runs)
{
	static const char *const old[] = { "core.fsyncObjectFiles", "true",
	    NULL };
	int major = 0, minor = 0;

	git_or_die(g, "version");
	if (sscanf(git_line(g), "git version %d.%d", &major, &minor) == 2 &&
	    major == 2 && minor < 36)	/* it has no core.fsync */
		vars_config(&x->git_vars, old);
	checkout_check(g, x, runs);
	if (x->opt.in_place)
		place_check(x);
	identity_set(g, x);
	protect_check(g, x);
	partial_check(g, x);
}

/* Is any run that is asked for not done? */
static int
is_work_left(const struct experiment *x, const struct run *runs)
{
	const struct run *r = runs + x->opt.first;

	while (r <= runs + x->opt.last && run_done(x, r))
		r++;
	return r <= runs + x->opt.last;
}

/*
 * Read what exists of the experiment, and exit if this command line cannot
 * continue it.  Set `now` to the settings; return 1 if they must be written.
 */
static int
experiment_read(struct git *g, struct experiment *x, struct words *now)
{
	struct words old = { NULL, 0 };
	int changed = 1;

	output_open(x, 0);
	ledger_open(x, 0);
	settings_read(x, &old);
	x->begun = is_begun(x);
	if (x->begun && old.n == 0)
		die(EXIT_USAGE, "%s/%s is missing, but the experiment has begun"
		    ": put it back, or choose another prefix", x->output,
		    experiment_file(x, "experiment"));
	if (!x->begun && x->opt.benchmark_only)
		die(EXIT_USAGE, "--benchmark-only: prefix %s has no experiment "
		    "in %s: name the --output of its start", x->opt.prefix,
		    x->output);
	if (!x->begun)
		words_free(&old);
	baseline_find(g, x, &old);
	settings_now(x, x->begun || x->opt.dry_run, now);
	if (x->begun)
		changed = settings_agree(x, &old, now);
	words_free(&old);
	return changed;
}

/* Make the files and refs of the experiment ready.  Return the runs. */
static struct run *
experiment_open(struct git *g, struct experiment *x)
{
	struct words now = { NULL, 0 }, refs = { NULL, 0 };
	struct run *runs;
	int changed;

	lock_write(x, 1);
	changed = experiment_read(g, x, &now);
	runs = runs_read(x);
	if (x->opt.in_place && place_is_open(g, x)) {
		ledger_open(x, x->begun);
		place_recover(x, runs);
	}
	refs_list(g, x, &refs);
	if (is_work_left(x, runs))
		work_check(g, x, runs);
	if (x->output_fd < 0)
		output_open(x, 1);
	ledger_open(x, 1);
	transcripts_adopt(x, runs, NULL);
	if (changed)
		settings_write(x, &now);
	lock_write(x, 0);
	refs_follow(g, x, runs, &refs);
	words_free(&now);
	words_free(&refs);
	return runs;
}

/* ---- the table at the end, and the plan of --dry-run --------------------- */

/*
 * Both print on stdout, only from the options, the ledger and the result files,
 * and write nothing.
 */

static int
samples_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Read the samples of a benchmark at one point, sorted; s->n 0: none. */
static void
samples_read(const struct experiment *x, int run, int iteration, size_t b,
    struct samples *s)
{
	char *text = file_text(x->output_fd, benchmark_file(x, run, iteration,
	    b), NULL), *fields[5];

	memset(s, 0, sizeof *s);
	while (text != NULL && csv_next(&text, fields, 5) == 5)
		if (isdigit((unsigned char)fields[4][0]))
			samples_add(s, strtod(fields[4], NULL));
	if (s->n > 0)
		qsort(s->us, s->n, sizeof *s->us, samples_order);
}

static double
samples_median(const struct samples *s)
{
	return (s->us[s->n / 2] + s->us[(s->n - 1) / 2]) / 2;
}

/*
 * How much faster a run made benchmark b: the median at iteration 0 over that
 * at the last point measured.  Return it as 1.19x, as ~1.02x if the samples
 * overlap, or as 1.19x? if each is a single one; "-", and 0 in ratio, if a
 * measurement is missing or the last one failed.
 */
static const char *
speedup(const struct experiment *x, const struct run *r, size_t b,
    double *ratio)
{
	struct samples before, after;
	const char *text = "-";
	int m = r->next - 1, overlap;

	while (m > 0 && !has_results(x, r->id, m, b))
		m--;
	samples_read(x, r->id, 0, b, &before);
	samples_read(x, r->id, m, b, &after);
	*ratio = 0;
	if (m > 0 && before.n > 0 && after.n > 0 &&
	    samples_median(&after) > 0) {
		*ratio = samples_median(&before) / samples_median(&after);
		overlap = before.us[0] <= after.us[after.n - 1] &&
		    after.us[0] <= before.us[before.n - 1];
		text = before.n == 1 && after.n == 1 ?
		    pool_printf("%.2fx?", *ratio) :
		    pool_printf("%s%.2fx", overlap ? "~" : "", *ratio);
	}
	free(before.us);
	free(after.us);
	return text;
}

/*
 * Print a row of the table: the heading if r is NULL, the total line if its id
 * is 0.
 */
static void
table_row(const struct experiment *x, const struct run *r, const int *shown,
    int is_best)
{
	const struct options *p = &x->opt;
	double ratio;
	size_t i;
	int o, width;

	printf("%5s", r == NULL ? "run" : r->id == 0 ? "total" :
	    pool_printf("%s%d", is_best ? "*" : "", r->id));
	for (o = 0; o < OUTCOMES; o++)
		if (shown[o])
			printf("  %*s", (int)strlen(outcomes[o].name), r == NULL
			    ? outcomes[o].name : pool_printf("%d",
			    r->counts[o]));
	printf("  %10s  %8s", r == NULL ? "agent time" : duration(r->seconds),
	    r == NULL ? "cost" : pool_printf("$%.2f%s", r->cost,
	    r->unknown > 0 ? "+?" : ""));
	for (i = 0; i < p->benchmark_n && (r == NULL || r->id > 0); i++) {
		width = (int)strlen(p->benchmarks[i].name);
		printf("  %*s", width < 7 ? 7 : width, r == NULL ?
		    p->benchmarks[i].name : speedup(x, r, i, &ratio));
	}
	putchar('\n');
}

static const char *
branch_name(const struct experiment *x, int run, int iteration)
{
	return branch_ref(x, run, iteration) + strlen("refs/heads/");
}

/* Print the results of the runs, and what can be typed next. */
static void
table_print(const struct experiment *x, const struct run *runs)
{
	const struct run *r, *last = runs + x->opt.last, *best = NULL;
	struct run total = { 0 };
	double most = 1, product, ratio;
	int o, any = 0;

	for (r = runs + x->opt.first; r <= last; r++) {
		for (o = 0; o < OUTCOMES; o++)
			total.counts[o] += r->counts[o];
		total.cost += r->cost;
		total.seconds += r->seconds;
		total.unknown += r->unknown;
		total.rows += r->rows;
		product = 1;
		for (size_t i = 0; i < x->opt.benchmark_n; i++) {
			speedup(x, r, i, &ratio);
			product *= ratio;
			any |= ratio > 0;
		}
		if (last > runs + x->opt.first && product > most) {
			most = product;
			best = r;
		}
	}
	if (total.rows == 0)
		return;
	table_row(x, NULL, total.counts, 0);
	for (r = runs + x->opt.first; r <= last; r++)
		if (r->rows > 0)
			table_row(x, r, total.counts, r == best);
	table_row(x, &total, total.counts, 0);
	if (total.unknown > 0)
		printf("+?: and %d attempt%s of unknown cost\n", total.unknown,
		    total.unknown == 1 ? "" : "s");
	if (any)
		printf("2.00x: twice as fast as the run's own baseline; *: the "
		    "best run; ~: the samples overlap;\n?: a single sample "
		    "each (see --samples)\n");
	for (r = best == NULL ? last : best; r > runs && r->next == 1; r--)
		;
	if (r > runs && r->next > 1)
		printf("to see what run %d changed: %s\n", r->id, quoted(ARGV(
		    "-C", x->top, "diff", "--stat", pool_printf("%.12s",
		    x->base), branch_name(x, r->id, r->next - 1))));
}

/* Return the dollars that --max-budget-usd of claude allows a call, or 0. */
static double
call_budget(const struct words *w)
{
	static const char name[] = "--max-budget-usd";
	size_t i = words_find(w, name);
	const char *s = i < w->n ? w->v[i] + strlen(name) : "";

	return *s == '=' ? strtod(s + 1, NULL) : *s == '\0' && i + 1 < w->n ?
	    strtod(w->v[i + 1], NULL) : 0;
}

/* Print the worst case: iterations, calls, hours and dollars. */
static void
plan_limits(const struct experiment *x)
{
	const struct options *o = &x->opt;
	long runs = o->last - o->first + 1;
	long iterations = o->benchmark_only ? 0 : runs * o->iterations;
	double calls = (double)iterations * (double)(1 + o->retries);
	long rounds = (runs + o->jobs - 1) / o->jobs;
	double points = o->benchmark_n == 0 ? 0 : (double)runs *
	    (o->every_iteration ? 1 + (double)o->iterations : 2);
	double agent = (double)rounds * o->timeout / 3600;
	double retries = (double)(rounds * o->iterations) *
	    (double)o->retries * o->iteration_timeout / 3600;
	double setups = o->setup != NULL ? points + calls : 0;
	double measuring = (points * ((double)o->benchmark_n *
	    (double)o->samples + (o->build != NULL)) + setups) *
	    o->benchmark_timeout / 3600;
	double budget = call_budget(&o->claude_arguments);

	if (o->benchmark_only) {
		printf("hours: at most %.1f of measurements\n", measuring);
		return;
	}
	printf("iterations: at most %ld in %ld run%s\n", iterations, runs,
	    runs == 1 ? "" : "s");
	printf("calls of claude: at most %.0f, with %ld retr%s\n", calls,
	    o->retries, o->retries == 1 ? "y" : "ies");
	printf("hours: at most %.1f: %.1f of agent time, %.1f of attempts that"
	    " time out, %.1f of measurements%s\n", agent + retries + measuring,
	    agent, retries, measuring, setups > 0 ? " and setups" : "");
	if (o->budget > 0)
		printf("cost: stops after about $%.2f (--budget); calls at work"
		    " go on, and unknown costs are not counted\n", o->budget);
	if (budget > 0)
		printf("cost: at most about $%.2f, because --max-budget-usd "
		    "ends a call at about $%.2f\n", calls * budget, budget);
}

/* --dry-run: print what would be done. */
static int
plan(struct git *g, struct experiment *x)
{
	const struct options *o = &x->opt;
	struct words now = { NULL, 0 };

	experiment_read(g, x, &now);
	words_free(&now);
	protect_check(g, x);
	plan_limits(x);
	printf("baseline: %s, commit %.12s\n", o->baseline, x->base);
	printf("results: %s\n", o->output);
	if (!o->benchmark_only)
		printf("branches: %s to %s\nclaude, in %s: %s < prompt\n"
		    "prompt:\n%s", branch_name(x, (int)o->first, 1),
		    branch_name(x, (int)o->last, (int)o->iterations),
		    o->in_place ? x->top : "a copy", quoted(x->command.v),
		    claude_prompt(x, (int)o->first, 1));
	if (o->setup != NULL)
		printf("setup: %s\n", o->setup);
	if (o->build != NULL)
		printf("build: %s\n", o->build);
	for (size_t i = 0; i < o->benchmark_n; i++)
		printf("%s %s: %s\n", o->benchmarks[i].timed ? "time" :
		    "benchmark", o->benchmarks[i].name,
		    o->benchmarks[i].command);
	if (o->benchmark_n == 0)
		printf("no benchmark is given: nothing will be measured\n");
	return flushed();
}

/* ---- options ------------------------------------------------------------- */

/*
 * The table of settings tells how each option is parsed.  These functions exit
 * with status 2 unless the command line is valid by itself.  They do not look
 * at files, and --help and --version need neither git nor claude.
 */

static const struct options options_default = {
	.runs = RUNS, .iterations = ITERATIONS, .retries = RETRIES,
	.samples = SAMPLES, .jobs = JOBS, .timeout = TIMEOUT_S,
	.iteration_timeout = ITERATION_TIMEOUT_S,
	.idle_timeout = IDLE_TIMEOUT_S,
	.benchmark_timeout = BENCHMARK_TIMEOUT_S,
	.baseline = baseline_default, .output = output_default
};

/* --help: the options with their defaults. */
static void
usage(void)
{
	const struct options *o = &options_default;
	const char *value;

	printf("usage: " PROGRAM " [options] directory prefix [baseline]\n"
	    "           [-- claude-argument ...]\n\n");
	for (const struct setting *s = settings; s->name != NULL; s++) {
		value = s->kind == NUMBER ? pool_printf(" (%ld)",
		    MEMBER(long, o, s)) : s->kind == TIME ? pool_printf(" (%s)",
		    duration(MEMBER(double, o, s))) : s->at == AT(output) ?
		    pool_printf(" (%s)", o->output) : "";
		printf("  %s --%-25s %s%s\n", s->letter < 256 ?
		    pool_printf("-%c,", s->letter) : "   ",
		    pool_printf("%s %s", s->name, s->value == NULL ? "" :
		    s->value), s->help, value);
	}
	printf("\nTIME is a number with an optional s, m, h or d.  Without "
	    "baseline: %s.\nWhat follows -- goes to claude.\n", o->baseline);
}

/* Return a whole number of at least s->least, or exit. */
static long
option_number(const struct setting *s, const char *value)
{
	const long most = s->at == AT(jobs) ? JOBS_MOST : RUNS_MOST;
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

/* Return seconds, from a number with an optional s, m, h or d, or exit. */
static double
option_time(const struct setting *s, const char *value)
{
	static const char units[] = "smhd";
	const double seconds[] = { 1, 60, 3600, 86400 };
	char *end;
	double n = strtod(value, &end);
	const char *unit = *end == '\0' ? units : strchr(units, *end);

	if (end == value || unit == NULL || (*end != '\0' && end[1] != '\0') ||
	    strspn(value, "0123456789.") != (size_t)(end - value) ||
	    (n *= seconds[unit - units]) < s->least || n > 3650 * 86400.0)
		die(EXIT_USAGE, "--%s %s: expected a time from %s to 3650d, for"
		    " example 90, 90s, 30m, 2h or 1.5d", s->name, value,
		    duration(s->least));
	return n;
}

static double
option_dollars(const struct setting *s, const char *value)
{
	char *end;
	double n = strtod(value, &end);

	if (*end != '\0' || strspn(value, "0123456789.") != strlen(value) ||
	    !(n > 0))
		die(EXIT_USAGE, "--%s %s: expected dollars above 0, for example"
		    " 25 or 7.50", s->name, value);
	return n;
}

/* Add a benchmark from NAME=COMMAND.  NAME becomes part of file names. */
static void
option_benchmark(struct options *o, const struct setting *s,
    const char *value)
{
	static const char *const reserved[] = { "build=", "setup=", "attempt-",
	    NULL };
	size_t len = name_length(value), i;
	struct benchmark *b;

	if (begins_one(value, reserved))
		die(EXIT_USAGE, "--%s %s: the name %.*s is reserved: choose "
		    "another", s->name, value, (int)len, value);
	if (len == 0 || len > 64 || value[len] != '=')
		die(EXIT_USAGE, "--%s %s: expected NAME=COMMAND; NAME is a "
		    "letter or underscore, then letters, digits, '_', '.' or "
		    "'-', at most 64 in all", s->name, value);
	if (value[len + 1 + strspn(value + len + 1, " \t\n")] == '\0')
		die(EXIT_USAGE, "--%s %s: the command is empty: expected "
		    "NAME=COMMAND", s->name, value);
	for (i = 0; i < o->benchmark_n; i++)
		if (strncmp(o->benchmarks[i].name, value, len) == 0 &&
		    o->benchmarks[i].name[len] == '\0')
			die(EXIT_USAGE, "--%s %s: the name %.*s is used twice: "
			    "choose another", s->name, value, (int)len, value);
	o->benchmarks = xrealloc(o->benchmarks, (o->benchmark_n + 1) *
	    sizeof *b);
	b = &o->benchmarks[o->benchmark_n++];
	b->name = xstrdup(pool_printf("%.*s", (int)len, value));
	b->command = xstrdup(value + len + 1);
	b->timed = s->least > 0;
}

/* Set the first and last run from N or N-M. */
static void
option_range(struct options *o, const struct setting *s, const char *value)
{
	char *end;

	errno = 0;
	o->first = o->last = strtol(value, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		o->last = strtol(end + 1, &end, 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || errno != 0 ||
	    o->first < 1 || o->last < o->first)
		die(EXIT_USAGE, "--%s %s: expected a run or a range, for "
		    "example 3 or 1-4", s->name, value);
}

/* Return the option of a letter; the last entry if there is none. */
static const struct setting *
setting_find(int letter)
{
	const struct setting *s = settings;

	while (s->name != NULL && s->letter != letter)
		s++;
	return s;
}

static void
option_set(struct options *o, const struct setting *s, const char *value)
{
	if (s->value != NULL && (value == NULL || *value == '\0'))
		die(EXIT_USAGE, "--%s: the value is empty: expected %s",
		    s->name, s->value);
	switch (s->kind) {
	case NUMBER:
		MEMBER(long, o, s) = option_number(s, value);
		break;
	case TIME:
		MEMBER(double, o, s) = option_time(s, value);
		break;
	case DOLLARS:
		MEMBER(double, o, s) = option_dollars(s, value);
		break;
	case RANGE:
		option_range(o, s, value);
		break;
	case BENCHMARK:
		option_benchmark(o, s, value);
		break;
	case LIST:
		words_add(&MEMBER(struct words, o, s), value);
		break;
	case TEXT:
		MEMBER(const char *, o, s) = value;
		break;
	case FLAG:
		MEMBER(int, o, s) = 1;
		break;
	}
}

/* Set the options, and move the operands to the end of argv. */
static void
options_parse(struct options *o, int argc, char **argv)
{
	enum { MOST = sizeof settings / sizeof *settings };
	struct option longs[MOST];
	const char *last = argv[argc - 1];	/* before words are permuted */
	char shorts[2 * MOST + 2] = ":";
	const struct setting *s;
	int c, n;

	memset(longs, 0, sizeof longs);
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
			die(EXIT_USAGE, "%s: the option needs a value: see "
			    PROGRAM " --help", last);
		s = setting_find(c == '?' ? optopt : c);
		if (c == '?' && s->name != NULL && optopt > 0)
			die(EXIT_USAGE, "%s: the option takes no value: see "
			    PROGRAM " --help", argv[optind - 1]);
		if (c == '?')
			die(EXIT_USAGE, "%s: unknown or ambiguous option: see "
			    PROGRAM " --help; options of claude go after \"--"
			    "\"", optopt > 0 ? pool_printf("-%c", optopt) :
			    argv[optind - 1]);
		option_set(o, s, optarg);
	}
}

/* Check options against each other; without --run, ask for all runs. */
static void
options_check(struct options *o)
{
	if (o->last > o->runs)
		die(EXIT_USAGE, "--run %ld: expected at most %ld (see --runs)",
		    o->last, o->runs);
	if (o->in_place && (o->jobs > 1 || o->setup != NULL))
		die(EXIT_USAGE, "--in-place: remove %s", o->jobs > 1 ?
		    "--jobs, because there is only one directory" :
		    "--setup, because the directory is not a fresh copy");
	if (o->benchmark_only && o->benchmark_n == 0)
		die(EXIT_USAGE, "--benchmark-only: name what to measure with "
		    "--benchmark or --time");
	if (o->first == 0) {
		o->first = 1;
		o->last = o->runs;
	}
}

/* Read the command line.  --help and --version exit. */
static void
options_read(struct options *o, int argc, char **argv)
{
	int i, end;			/* of the words before "--" */

	*o = options_default;
	for (end = 1; end < argc && strcmp(argv[end], "--") != 0; end++)
		;
	for (i = end + 1; i < argc; i++)
		words_add(&o->claude_arguments, argv[i]);
	argv[end] = NULL;
	options_parse(o, end, argv);
	for (i = 0; o->benchmark_n == 0 && benchmarks_default[i] != NULL; i++)
		option_benchmark(o, setting_find('b'), benchmarks_default[i]);
	if (o->help)
		usage();
	else if (o->version)
		puts(PROGRAM " " VERSION);
	if (o->help || o->version)
		exit(flushed());
	if (end - optind < 2)
		die(EXIT_USAGE, "expected directory prefix [baseline]: see "
		    PROGRAM " --help");
	if (end - optind > 3)
		die(EXIT_USAGE, "%s: excess operand: expected directory prefix "
		    "[baseline]", argv[optind + 3]);
	o->directory = argv[optind];
	o->prefix = argv[optind + 1];
	if (end - optind == 3)
		o->baseline = argv[optind + 2];
	options_check(o);
}

/* ---- the machine: programs, repository, directories ---------------------- */

/*
 * Fill in struct experiment from the command line, the environment and the
 * repository, or exit with a remedy.  Nothing is written, except that the
 * directory of this program in $TMPDIR is made.  What depends on an earlier
 * start, such as the output directory and the baseline, is set by
 * experiment_open().
 */

static void
program_check(const char *name, char *found)
{
	int status = program_find(name, found);

	if (status != 0)
		die(status, "%s: %s: expected an executable file, or a name on"
		    " PATH%s", name, status == EXIT_NOTFOUND ? "not found" :
		    "cannot be executed", strcmp(name, "git") == 0 ? "" :
		    ": set CC_CLAUDE or PATH");
}

static void
prompt_read(struct experiment *x)
{
	const char *file = x->opt.prompt_file;
	char path[PATH_MAX], *text = NULL;
	size_t size = 0;

	x->prompt = x->opt.no_plugin ? prompt_plain : prompt_plugin;
	if (file == NULL)
		return;
	if (realpath(file, path) != NULL)
		text = file_text(AT_FDCWD, path, &size);
	if (text == NULL || text[strspn(text, " \t\n\v\f\r")] == '\0' ||
	    strlen(text) != size)
		die(EXIT_USAGE, "--prompt %s: expected a readable file with "
		    "text in it", file);
	x->prompt = xstrdup(text);
}

/* Find the plugin, also for the arm without it, which must not load it. */
static void
plugin_find(struct experiment *x)
{
	static const char *const inert[] = { "--bare", "--safe-mode", NULL };
	const char *dir = getenv("CC_PLUGIN_DIR");
	const struct words *w = &x->opt.claude_arguments;

	if (dir == NULL || realpath(dir, x->plugin) == NULL ||
	    access(pool_printf("%s/.", x->plugin), R_OK | X_OK) != 0)
		x->plugin[0] = '\0';
	if (x->opt.no_plugin)
		return;
	if (x->plugin[0] == '\0')
		die(EXIT_USAGE, "CC_PLUGIN_DIR is %s: set it to the plugin's "
		    "directory, or use --no-plugin", dir == NULL ? "not set" :
		    pool_printf("no directory: %s", dir));
	for (size_t i = 0; i < w->n; i++)
		if (is_one(w->v[i], inert))
			die(EXIT_USAGE, "%s makes claude ignore the plugin: "
			    "remove this word, or use --no-plugin", w->v[i]);
}

/* Find the repository and the top level of the directory. */
static void
repository_find(struct git *g, struct experiment *x)
{
	const char *dir = x->opt.directory;
	char *lines[5] = { NULL, NULL, NULL, NULL, NULL };
	struct records r;
	int i, status;

	status = *dir == '\0' ? 128 : git_try(g, "-C", dir, "rev-parse",
	    "--path-format=absolute", "--git-common-dir", "--absolute-git-dir",
	    "--is-bare-repository", "--show-toplevel");
	r = git_records(g, '\n');
	for (i = 0; i < 5 && record_next(&r); i++)
		lines[i] = r.text;
	if (status != 0 && i == 3 && strcmp(lines[2], "true") == 0 &&
	    !x->opt.in_place)
		lines[3] = lines[0];	/* a bare one has no work tree */
	else if (status != 0 || i != 4)
		die(EXIT_USAGE, "directory \"%s\" is not in a git work tree: "
		    "name a directory of the project: %s", dir, git_fault(g));
	if (realpath(lines[0], x->common) == NULL ||
	    realpath(lines[1], x->own) == NULL ||
	    realpath(lines[3], x->top) == NULL)
		die(1, "directory \"%s\": cannot find its repository:", dir);
	words_set(&g->vars, "GIT_DIR", x->common);
}

/* Check that the prefix can name branches and files. */
static void
prefix_check(struct git *g, const struct experiment *x)
{
	const char *prefix = x->opt.prefix;
	char *part = pool_printf("%s", prefix), *s;

	if ((!isalnum((unsigned char)*prefix) && *prefix != '_') ||
	    strlen(prefix) > PREFIX_MAX || git_try(g, "check-ref-format",
	    branch_ref(x, 1, 1)) != 0 || git_try(g, "check-ref-format",
	    attempt_ref(x, 1, 1, 1)) != 0)
		die(EXIT_USAGE, "prefix \"%s\": expected part of a branch name,"
		    " of at most %d characters, that begins with a letter, "
		    "digit or underscore", prefix, PREFIX_MAX);
	for (s = part; (s = strchr(s, '/')) != NULL; *s++ = '/') {
		*s = '\0';
		if (git_commit(g, pool_printf("refs/heads/%s", part)))
			die(EXIT_USAGE, "prefix %s: %s is a branch, so git "
			    "cannot make branches below it: choose another "
			    "prefix", prefix, part);
	}
}

/* Make the program's directory in $TMPDIR, and name that of the copies. */
static void
directory_open(struct experiment *x)
{
	const char *tmp = temporary_directory();
	char real[PATH_MAX];
	struct stat st;

	if (realpath(tmp, real) == NULL)
		die(EXIT_USAGE, "TMPDIR=%s: expected a directory:", tmp);
	if (is_inside(real, x->top) && !is_inside(real, x->common))
		die(EXIT_USAGE, "TMPDIR=%s is inside the project: set TMPDIR to"
		    " another directory", real);
	COPY(x->directory, pool_printf("%s/" PROGRAM "-%lu", strcmp(real,
	    "/") == 0 ? "" : real, (unsigned long)geteuid()));
	COPY(x->copies, pool_printf("%s/%016llx", x->directory,
	    hash(hash(0, x->common), x->opt.prefix)));
	if (x->opt.dry_run)
		return;
	mkdir(x->directory, 0700);
	if (lstat(x->directory, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		die(EXIT_USAGE, "%s: expected a directory that only you can "
		    "use: remove it, or set TMPDIR", x->directory);
}

/* Set claude's command line, and the environments. */
static void
command_set(struct experiment *x)
{
	static const char *const dropped[] = { "CC_PLUGIN_DIR=", "CC_CLAUDE=",
	    "CLAUDECODE=", "CLAUDE_CODE_SESSION_ID=",
	    "CLAUDE_CODE_ENTRYPOINT=", "CLAUDE_CODE_CHILD_SESSION=",
	    "CLAUDE_CODE_PLUGIN_DIRS=", "CLAUDE_CODE_SAFE_MODE=",
	    "CLAUDE_CODE_SIMPLE=", "OLDPWD=", NULL };
	static const char *const config[] = { "gc.auto", "0",
	    "maintenance.auto", "false", "commit.gpgSign", "false",
	    "tag.gpgSign", "false", NULL };
	static const char *const unless_set[] = { "DISABLE_AUTOUPDATER",
	    "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
	    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", NULL };
	const char *s;

	words_add(&x->command, x->claude);
	for (size_t i = 1; claude_command[i] != NULL; i++)
		words_add(&x->command, claude_command[i]);
	if (!x->opt.no_plugin) {
		words_add(&x->command, "--plugin-dir");
		words_add(&x->command, x->plugin);
	}
	words_append(&x->command, &x->opt.claude_arguments);
	vars_git(&x->git_vars);
	vars_copy(&x->agent_vars, dropped);
	vars_config(&x->agent_vars, config);
	s = getenv("CLAUDE_CODE_DISABLE_AUTO_MEMORY");
	x->memory = s != NULL && (*s == '\0' || strcmp(s, "0") == 0);
	for (size_t i = 0; unless_set[i] != NULL; i++)
		if (getenv(unless_set[i]) == NULL)
			words_set(&x->agent_vars, unless_set[i], "1");
}

/* Check the command line against the machine and the repository. */
static void
machine_check(struct git *g, struct experiment *x)
{
	const char *claude = getenv("CC_CLAUDE"), *sandbox =
	    getenv("IS_SANDBOX");

	program_check("git", x->git);
	if (!x->opt.benchmark_only)
		program_check(claude != NULL && *claude != '\0' ? claude :
		    claude_command[0], x->claude);
	prompt_read(x);
	plugin_find(x);
	command_set(x);
	git_open(g, x);
	repository_find(g, x);
	prefix_check(g, x);
	directory_open(x);
	words_set(&x->agent_vars, MARK, run_mark(x, 0));
	if (x->opt.benchmark_only)
		return;
	parents_check(x, x->opt.in_place ? x->top : x->directory, EXIT_USAGE);
	if (geteuid() == 0 && (sandbox == NULL || strcmp(sandbox, "1") != 0))
		die(EXIT_USAGE, "claude refuses to work for root: work as "
		    "another user, or set IS_SANDBOX=1 if this machine is a "
		    "sandbox");
}

/* ---- main ---------------------------------------------------------------- */

/*
 * The order: options, checks, locks, start, jobs, table.  finish() gives the
 * exit status.
 */

/* Do all runs that are asked for; return the exit status. */
static int
experiment(struct git *g, struct experiment *x)
{
	struct run *runs;

	lock_open(x);
	x->shared = mmap(NULL, sizeof *x->shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (x->shared == MAP_FAILED)
		die(1, "cannot map memory for the runs:");
	x->job = x->shared->jobs;
	runs = experiment_open(g, x);
	for (long id = 1; id <= x->opt.runs; id++) {
		x->shared->cost += runs[id].cost;
		x->shared->unknown += runs[id].unknown;
	}
	if (is_work_left(x, runs)) {
		if (x->opt.benchmark_n == 0)
			say("no benchmark is given: nothing will be measured");
		if (x->opt.setup == NULL && !x->begun && !x->opt.in_place)
			ignored_tell(x);
		jobs_run(x, runs);
	} else {
		say("prefix %s: runs %ld to %ld are finished", x->opt.prefix,
		    x->opt.first, x->opt.last);
	}
	runs_free(x, runs);
	diffstats_write(x);
	lock_write(x, 1);
	runs = runs_read(x);
	if (x->opt.in_place && place_is_open(g, x))
		place_recover(x, runs);
	lock_write(x, 0);
	rmdir(x->copies);
	if (!output_is_ours(x)) {
		warn("%s or the ledger in it was replaced while the program "
		    "ran: do not trust these files", x->output);
		stop_all(x, 1, "the results were replaced: check them first");
	}
	if (is_work_left(x, runs))
		stop_all(x, 1, "results of a finished run are missing");
	show_clear();
	if (!x->opt.quiet)
		table_print(x, runs);
	flushed();
	runs_free(x, runs);
	return x->shared->status;
}

/* Print why everything stopped; end by the signal if one was the reason. */
static int
finish(const struct experiment *x, int status)
{
	show_clear();
	if (status >= 128) {
		warn("interrupted: repeat the command to continue");
		signal(status - 128, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &stop.set, NULL);
		raise(status - 128);
	} else if (status != 0) {
		warn("stopped: %s: repeat the command to continue",
		    x->shared->reason);
	}
	return status;
}

int
main(int argc, char **argv)
{
	static struct experiment x;
	const char *term = getenv("TERM");
	static struct git g;
	int fd;

	signals_block();
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		;			/* no file opened below is 0, 1 or 2 */
	if (fd > 2)
		close(fd);
	for (fd = 3; fd < FDS; fd++)	/* children get no file of the caller */
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	options_read(&x.opt, argc, argv);
	x.output_fd = x.ledger_fd = x.lock_fd = -1;
	show.quiet = x.opt.quiet;
	show.verbose = x.opt.verbose;
	show.on = isatty(STDERR_FILENO) && !x.opt.quiet && term != NULL &&
	    strcmp(term, "dumb") != 0;
	atexit(show_clear);
	machine_check(&g, &x);
	return x.opt.dry_run ? plan(&g, &x) :
	    finish(&x, experiment(&g, &x));
}
