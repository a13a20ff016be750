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
 *	          out of time  (the run's limit) commit what is there, end of run
 *	          denied       (no login, credit or model) put back, stop
 *	          capped       (the user's turn or money limit) commit, next
 *	          failure      put back; second in a row? stop : next iteration
 *	    end of run: benchmark the last iteration
 *
 * To put back is to keep what the attempt left under refs/cc-run-experiments/
 * and to make the tree as it was before.  The user's branch is checked out
 * again at every exit.  One row per attempt is on disk, in
 * <prefix>--iterations.csv, before the next attempt starts.
 *
 * Exit status: 0 all runs are finished; 1 the runner could not go on;
 * 2 usage; 3 two failures in a row; 75 rate limit; 77 claude is denied;
 * 124 the last retry timed out; 126, 127 git or claude cannot be executed or
 * is not found; 128+n ended by signal n.
 *
 * A claude that prints no JSON (a wrapper) is judged by its exit status:
 * 0 success, 2 rate limit, 124 timeout, anything else failure.
 *
 * Assumptions: the tree is clean at the start; nobody else works in it
 * meanwhile; ignored files are the user's and are never touched.  An agent
 * runs with all rights of the user: give it a sandbox.  What left its process
 * group is found and ended on Linux only.
 *
 * Build: cc -o cc-run-experiments cc-run-experiments.c
 * The manual is cc-run-experiments(1).
 */

#define _GNU_SOURCE 1		/* POSIX_SPAWN_SETSID in glibc's spawn.h */
#define _DARWIN_C_SOURCE 1	/* the same on macOS */

#include <sys/ioctl.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/stat.h>
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
	GIT_TIMEOUT_S = 10 * 60,	/* one git command: more is a fault */
	VERSION_TIMEOUT_S = 60,		/* claude --version */
	ENOUGH_S = 60,			/* less is left: the run has ended */
	LINGER_S = 30,			/* silence after the result: ended */
	GRACE_S = 5,			/* between TERM and KILL */
	TICK_TERMINAL_S = 1,		/* redraw of the status line */
	TICK_S = 10,			/* look at a call without a terminal */
	FAILURES = 2			/* so many in a row stop it all */
};

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
#define MARK "CC_RUN_EXPERIMENTS_TREE"

enum {
	EXIT_USAGE = 2, EXIT_FAILURES = 3, EXIT_LATER = 75, EXIT_DENIED = 77,
	EXIT_TIMEOUT = 124, EXIT_NOEXEC = 126, EXIT_NOTFOUND = 127
};

enum {
	ID_SIZE = 72,			/* a commit id, SHA-256 as well */
	NAME_SIZE = 256,		/* a branch, a ref, a file name */
	TEXT_SIZE = 8192,		/* claude's summary, cut there */
	JSON_DEPTH = 64			/* deeper nesting is a broken line */
};

struct options {
	long runs, iterations, retries, samples;
	double timeout, iteration_timeout, idle_timeout, benchmark_timeout;
	const char *directory, *prefix, *baseline, *prompt_file, *output;
	const char *build;
	const char **benchmarks;	/* NAME=COMMAND ... NULL */
	const char **protect;		/* PATHSPEC ... NULL */
	char **claude_arguments;
	char *prompt;			/* the base prompt itself */
	int no_plugin, every_iteration, dry_run, quiet, verbose;
};

enum outcome {
	SUCCESS, CAPPED, OUT_OF_TIME, RATE_LIMIT, TIMEOUT, DENIED, FAILURE,
	INTERRUPTED
};

static const char *const outcome_names[] = {
	"success", "capped", "out of time", "rate limit", "timeout", "denied",
	"failure", "interrupted"
};

/* ---- messages: every byte on stderr passes here ------------------------ */

static struct options opt;		/* written by main's options only */

static int leaving;			/* exit has begun: never call it twice */

static struct {				/* the status line of a terminal */
	int on;				/* stderr is a terminal, and not -q */
	int drawn;
	char what[NAME_SIZE];		/* run 1/5 iteration 2/10 */
	double limit, cost;
} show;

static void
show_clear(void)
{
	if (show.drawn)
		fputs("\r\033[K", stderr);
	show.drawn = 0;
}

/* message: one line on stderr; a format that ends in ':' gets errno's text. */
static void
message(const char *kind, const char *format, va_list args)
{
	int error = errno;
	size_t len = strlen(format);

	show_clear();
	fputs(kind, stderr);
	vfprintf(stderr, format, args);
	if (len > 0 && format[len - 1] == ':')
		fprintf(stderr, " %s", strerror(error));
	fputc('\n', stderr);
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

/* show_draw: run, iteration, a bar, elapsed and limit, cost so far. */
static void
show_draw(double elapsed)
{
	static const char hashes[] = "####################";
	char line[NAME_SIZE + 128], left[32];
	struct winsize window;
	long s = (long)elapsed, limit = (long)show.limit;
	int done, width = 80;

	if (!show.on)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		width = window.ws_col;
	done = show.limit > 0 ? (int)(20 * elapsed / show.limit) : 0;
	if (done > 20)
		done = 20;
	snprintf(left, sizeof left, "/%ld:%02ld", limit / 60, limit % 60);
	snprintf(line, sizeof line, "%s [%-20.*s] %ld:%02ld%s $%.2f", show.what,
	    done, hashes, s / 60, s % 60, left, show.cost);
	if (width <= (int)strlen(line))		/* narrow: without the bar */
		snprintf(line, sizeof line, "%s %ld:%02ld%s $%.2f", show.what,
		    s / 60, s % 60, left, show.cost);
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

/* print_to: snprintf that dies where the text does not fit. */
static void
print_to(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, size, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= size)
		die(1, "too long: %.60s...", buf);
}

/* copy_to: as much of text as fits, always ended by a NUL. */
static void
copy_to(char *buf, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		len = size - 1;
	memcpy(buf, text, len);
	buf[len] = '\0';
}

static int
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* quote: text as one word of a shell's command line. */
static void
quote(FILE *to, const char *text)
{
	if (*text != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_") == strlen(text)) {
		fputs(text, to);
		return;
	}
	for (putc('\'', to); *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", to);
		else
			putc(*text, to);
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

/* utc: now as 2026-11-22T21:19:22Z. */
static void
utc(char *buf, size_t size)
{
	time_t t = time(NULL);

	if (strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t)) == 0)
		die(1, "strftime failed");
}

/* duration: seconds for a person, as 7.3s, 5m12s or 2h00m. */
static const char *
duration(double s, char *buf, size_t size)
{
	long n = (long)(s + 0.5);

	if (s < 60)
		print_to(buf, size, "%.*fs", s < 10 && s != (double)(long)s, s);
	else if (n < 3600)
		print_to(buf, size, "%ldm%02lds", n / 60, n % 60);
	else
		print_to(buf, size, "%ldh%02ldm", n / 3600, n / 60 % 60);
	return buf;
}

/* line_read: a line without its newline, cut at size; 0 at the end. */
static int
line_read(FILE *in, char *buf, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n')
		if (n + 1 < size && c != '\0')
			buf[n++] = (char)c;
	buf[n] = '\0';
	return c != EOF || n > 0;
}

/* fd_text: all that a file holds, from its beginning; the caller frees it. */
static char *
fd_text(int fd, size_t *size)
{
	char *text = NULL;
	size_t n = 0;
	ssize_t got;

	do {
		text = resize(text, n + 4097);
		if ((got = pread(fd, text + n, 4096, (off_t)n)) < 0)
			die(1, "read:");
		n += (size_t)got;
	} while (got > 0);
	text[n] = '\0';
	if (size != NULL)
		*size = n;
	return text;
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

static off_t
fd_size(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* fd_write: all of it or -1 with errno. */
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

/* fd_scratch: a file without a name in $TMPDIR. */
static int
fd_scratch(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	print_to(path, sizeof path, "%s/cc-run-experiments.XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if ((fd = mkstemp(path)) < 0 || unlink(path) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		die(1, "cannot make a temporary file %s:", path);
	return fd;
}

/*
 * tree_visit: make all below name readable and writable for its owner, or
 * remove it; links are never followed.  What cannot be done is left.
 */
static void
tree_visit(int at, const char *name, int removing)
{
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int fd;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		if (removing)
			unlinkat(at, name, 0);
		else if (S_ISREG(st.st_mode) && !(st.st_mode & S_IRUSR))
			fchmodat(at, name, (st.st_mode & 07777) | S_IRUSR, 0);
		return;
	}
	if ((st.st_mode & S_IRWXU) != S_IRWXU)
		fchmodat(at, name, (st.st_mode & 07777) | S_IRWXU, 0);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (dir = fdopendir(fd)) == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			tree_visit(fd, d->d_name, removing);
	closedir(dir);
	if (removing)
		unlinkat(at, name, AT_REMOVEDIR);
}

/* ---- CSV: RFC 4180 with LF; a row is one write, or nothing ------------- */

static int output_fd = -1;		/* the output directory, kept open */

static void
csv_line(FILE *to, const char *const *fields)
{
	const char *s;
	int first = 1;

	for (; *fields != NULL; fields++, first = 0) {
		if (!first)
			putc(',', to);
		if (strpbrk(*fields, ",\"\r\n") == NULL) {
			fputs(*fields, to);
			continue;
		}
		for (putc('"', to), s = *fields; *s != '\0'; s++) {
			if (*s == '"')
				putc('"', to);
			putc(*s, to);
		}
		putc('"', to);
	}
	putc('\n', to);
}

/*
 * csv_read: the next record, its fields in fields[0..max-1] inside *record;
 * returns how many there are, 0 at the end and for a torn last record.
 */
static int
csv_read(FILE *in, char **record, size_t *size, char *fields[], int max)
{
	size_t n = 0;
	int c, quoted = 0, count = 0;
	char *s, *to;

	for (;; (*record)[n++] = (char)c) {
		if (n + 1 >= *size)
			*record = resize(*record, *size = 2 * *size + 256);
		if ((c = getc(in)) == EOF)
			return 0;
		if (c == '"')
			quoted = !quoted;
		if (c == '\n' && !quoted)
			break;
	}
	(*record)[n] = '\0';
	for (s = *record; count < max; s++) {
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

/* file_append: a row, after the header where the file is new, on disk. */
static void
file_append(const char *name, const char *header, const char *const *fields)
{
	char *text = NULL;
	size_t size;
	off_t before;
	FILE *row = open_memstream(&text, &size);
	int error, fd = openat(output_fd, name, O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);

	if (row == NULL || fd < 0)
		die(1, "cannot open %s:", name);
	if ((before = fd_size(fd)) == 0)
		fprintf(row, "%s\n", header);
	if (fields != NULL)
		csv_line(row, fields);
	errno = ENOMEM;
	if (fclose(row) != 0)
		die(1, "cannot make a row:");
	errno = ENOSPC;		/* what a short write means */
	if (write(fd, text, size) != (ssize_t)size || fsync(fd) != 0 ||
	    (before == 0 && fsync(output_fd) != 0)) {
		error = errno;
		if (ftruncate(fd, before) != 0)
			warn("%s ends in half a row:", name);
		errno = error;
		die(1, "cannot write %s:", name);
	}
	close(fd);
	free(text);
}

/* file_begin, file_end: a whole file, written beside its place, renamed. */
static FILE *
file_begin(const char *name)
{
	char beside[PATH_MAX];
	FILE *f;
	int fd;

	print_to(beside, sizeof beside, "%s.tmp", name);
	unlinkat(output_fd, beside, 0);
	fd = openat(output_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		die(1, "cannot write %s:", name);
	return f;
}

static void
file_end(FILE *f, const char *name)
{
	char beside[PATH_MAX];
	int bad;

	print_to(beside, sizeof beside, "%s.tmp", name);
	bad = fflush(f) != 0 || fsync(fileno(f)) != 0;
	if (fclose(f) != 0 || bad ||
	    renameat(output_fd, beside, output_fd, name) != 0 ||
	    fsync(output_fd) != 0)
		die(1, "cannot write %s:", name);
}

/* ---- JSON: read one event a line; memory does not grow with the input -- */

/*
 * A value is told to field() with its path: the keys above it, joined by
 * slashes (a slash in a key becomes a question mark).  The elements of an array have
 * the array's path.  What does not parse is passed over to the end of line.
 */
struct json {
	FILE *in;
	int pretty;			/* a value may go on over lines */
	void (*field)(struct json *);
	void *to;			/* where field() puts it */
	char path[NAME_SIZE];
	char text[TEXT_SIZE];		/* the scalar as text, cut there */
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

/* json_put: a code point as UTF-8; NUL is left out, as is what is too much. */
static size_t
json_put(char *buf, size_t n, size_t size, unsigned long u)
{
	if (n + 5 > size || u == 0)
		return n;
	if (u < 0x80) {
		buf[n++] = (char)u;
	} else if (u < 0x800) {
		buf[n++] = (char)(0xc0 | u >> 6);
		buf[n++] = (char)(0x80 | (u & 0x3f));
	} else if (u < 0x10000) {
		buf[n++] = (char)(0xe0 | u >> 12);
		buf[n++] = (char)(0x80 | (u >> 6 & 0x3f));
		buf[n++] = (char)(0x80 | (u & 0x3f));
	} else {
		buf[n++] = (char)(0xf0 | u >> 18);
		buf[n++] = (char)(0x80 | (u >> 12 & 0x3f));
		buf[n++] = (char)(0x80 | (u >> 6 & 0x3f));
		buf[n++] = (char)(0x80 | (u & 0x3f));
	}
	return n;
}

/* json_hex: the four digits after \\u, or -1. */
static long
json_hex(FILE *in)
{
	long u = 0;
	int i, c;

	for (i = 0; i < 4; i++) {
		c = getc_unlocked(in);
		if (c == EOF || !isxdigit(c)) {
			ungetc(c, in);
			return -1;
		}
		u = 16 * u + (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return u;
}

/* json_escape: the UTF-16 unit that a backslash begins, or -1. */
static long
json_escape(FILE *in)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = getc_unlocked(in);

	if (c == 'u')
		return json_hex(in);
	if (c == EOF || c == '\0' || strchr(from, c) == NULL) {
		ungetc(c, in);
		return -1;
	}
	return to[strchr(from, c) - from];
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
		if (high == 0)
			n = json_put(buf, n, size, (unsigned long)u);
	}
	buf[n] = '\0';
	return 0;
}

/* json_literal: a number, true, false or null, of which c is the first. */
static int
json_literal(struct json *j, int c)
{
	size_t n = 0;

	for (; isalnum(c) || c == '-' || c == '+' || c == '.';
	    c = getc_unlocked(j->in))
		if (n + 1 < sizeof j->text)
			j->text[n++] = (char)c;
	ungetc(c, j->in);
	j->text[n] = '\0';
	return n > 0 ? 0 : -1;
}

/* json_value: one value that begins with c; 0, or -1 where it is broken. */
static int
json_value(struct json *j, int c, int depth)
{
	size_t used = strlen(j->path);
	char key[NAME_SIZE], *s;
	int close = c == '{' ? '}' : ']';

	if (c != '{' && c != '[') {
		if ((c == '"' ? json_string(j, j->text, sizeof j->text) :
		    json_literal(j, c)) != 0)
			return -1;
		j->field(j);
		return 0;
	}
	if (depth == JSON_DEPTH)
		return -1;
	if ((c = json_next(j)) == close)
		return 0;
	for (;;) {
		if (close == '}') {
			if (c != '"' || json_string(j, key, sizeof key) != 0 ||
			    json_next(j) != ':')
				return -1;
			for (s = key; (s = strchr(s, '/')) != NULL;)
				*s = '?';
			snprintf(j->path + used, sizeof j->path - used, "%s%s",
			    used > 0 ? "/" : "", key);
			c = json_next(j);
		}
		if (json_value(j, c, depth + 1) != 0)
			return -1;
		j->path[used] = '\0';
		if ((c = json_next(j)) == close)
			return 0;
		if (c != ',')
			return -1;
		c = json_next(j);
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

/* ---- claude's events: what a transcript says ---------------------------- */

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

struct transcript {
	int json;			/* it has events at all */
	int finished;			/* nothing but the result at its end */
	int billing;			/* an event told of a billing error */
	struct event init, limit, result;	/* the last of each */
	struct event event;		/* the line being read */
};

#define FIELD(path, member) \
	{ path, offsetof(struct event, member), \
	    sizeof ((struct event *)0)->member }
static const struct {
	const char *path;
	size_t at, size;
} event_fields[] = {
	FIELD("type", type), FIELD("subtype", subtype),
	FIELD("is_error", is_error), FIELD("api_error_status", api_status),
	FIELD("api_error", api_error), FIELD("error", error),
	FIELD("num_turns", turns), FIELD("total_cost_usd", cost),
	FIELD("session_id", session), FIELD("model", model),
	FIELD("claude_code_version", version),
	FIELD("rate_limit_info/status", limit),
	FIELD("rate_limit_info/resetsAt", resets_at),
	FIELD("result", text), FIELD("errors", text),
	FIELD("plugin_errors/message", plugin_fault),
	FIELD("usage/input_tokens", usage[INPUT]),
	FIELD("usage/output_tokens", usage[OUTPUT]),
	FIELD("usage/cache_read_input_tokens", usage[CACHE_READ]),
	FIELD("usage/cache_creation_input_tokens", usage[CACHE_CREATION])
};

static char plugin_name[NAME_SIZE];	/* written by the checks at start: */
static char plugin_dir[PATH_MAX];	/* $CC_PLUGIN_DIR, in both arms */

/* plugin_path: is it $CC_PLUGIN_DIR, or a plugin inside it? */
static int
plugin_path(const char *path)
{
	size_t len = strlen(plugin_dir);

	return len > 0 && begins(path, plugin_dir) &&
	    (path[len] == '/' || path[len] == '\0');
}

static void
event_field(struct json *j)
{
	static const char *const of_model[TOKENS] = { "inputTokens",
	    "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens" };
	struct event *e = j->to;
	const char *last;
	size_t i;

	for (i = 0; i < sizeof event_fields / sizeof *event_fields; i++)
		if (strcmp(j->path, event_fields[i].path) == 0)
			copy_to((char *)e + event_fields[i].at,
			    event_fields[i].size, j->text);
	if (begins(j->path, "modelUsage/")) {
		last = strrchr(j->path, '/') + 1;
		for (i = 0; i < TOKENS; i++)
			if (strcmp(last, of_model[i]) == 0)
				e->tokens[i] += strtoll(j->text, NULL, 10);
		e->models = 1;
	} else if (strcmp(j->path, "plugins/path") == 0) {
		e->plugin_loaded |= plugin_path(j->text);
	} else if (strcmp(j->path, "plugins/name") == 0) {
		e->plugin_loaded |= strcmp(j->text, plugin_name) == 0;
	} else if (strcmp(j->path, "plugin_errors/plugin") == 0) {
		e->plugin_failed |= begins(j->text, "inline") ||
		    strcmp(j->text, plugin_name) == 0;
	}
}

/* transcript_event: a line is read; keys come in any order, so only now. */
static void
transcript_event(struct transcript *t)
{
	struct event *e = &t->event;

	t->json |= e->type[0] != '\0';
	if (strcmp(e->type, "result") == 0) {
		t->result = *e;
		t->finished = 1;
	} else if (strcmp(e->type, "rate_limit_event") == 0) {
		t->limit = *e;
	} else if (strcmp(e->type, "assistant") == 0 ||
	    strcmp(e->type, "user") == 0) {
		t->billing = strcmp(e->error, "billing_error") == 0;
		t->finished = 0;
	} else if (strcmp(e->type, "system") == 0 &&
	    strcmp(e->subtype, "init") == 0) {
		t->init = *e;
	}
}

/* transcript_read: one pass over claude's stdout. */
static const struct transcript *
transcript_read(int fd)
{
	static struct transcript t;
	static struct json j;
	int good;

	memset(&t, 0, sizeof t);
	j.in = fd_stream(fd, 0);
	j.field = event_field;
	j.to = &t.event;
	if ((good = getc(j.in)) == '{')		/* begun, if not ended */
		t.json = 1;
	ungetc(good, j.in);
	for (; (good = json_line(&j)) >= 0; memset(&t.event, 0, sizeof t.event))
		if (good)
			transcript_event(&t);
	fclose(j.in);
	return &t;
}

/* ---- processes: one child at a time; nothing of it survives ------------ */

/*
 * From the first line of main on CHLD, ALRM, INT, TERM and HUP are blocked
 * and taken with sigwait, so no signal can fall between a look and a sleep.
 * A pid is signalled only between its spawn and its reaping: the zombie keeps
 * the number from being used again.
 */

enum why { BY_ITSELF, BY_LIMIT, BY_SILENCE, BY_LINGERING, BY_SIGNAL };

struct process {
	const char *path;		/* absolute */
	char *const *argv;
	char *const *envp;
	int in;				/* -1: the null device */
	int out, err;
	double limit, idle;		/* seconds; idle 0: any silence */
	int agent;			/* a signal to us ends it; is swept */
	int (*finished)(void);		/* asked after LINGER_S of silence */
};

struct ended {
	enum why why;
	int status;			/* the number that $? would show */
	int survivors;			/* killed after its end; -1 unknown */
	double seconds;
};

static sigset_t signals;		/* written by signals_block */
static int stop_signal;			/* the INT, TERM or HUP that came */
static char mark[PATH_MAX + sizeof MARK];	/* in each child's environment */

static void
signal_ignore(int signal)
{
	(void)signal;			/* CHLD and ALRM only wake sigwait */
}

static void
signals_block(void)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action, was;
	size_t i;

	memset(&action, 0, sizeof action);
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
#endif
}

/* signal_take: wait for the next one of ours; the first stop is remembered. */
static void
signal_take(void)
{
	int got;

	if (sigwait(&signals, &got) == 0 && stop_signal == 0 &&
	    got != SIGCHLD && got != SIGALRM)
		stop_signal = got;
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

/* process_usable: 0 and its absolute path, EXIT_NOEXEC or EXIT_NOTFOUND. */
static int
process_usable(const char *path, char *found)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == EACCES ? EXIT_NOEXEC : EXIT_NOTFOUND;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 &&
	    realpath(path, found) != NULL ? 0 : EXIT_NOEXEC;
}

/* process_find: the same for a name, over the absolute elements of PATH. */
static int
process_find(const char *name, char *found)
{
	const char *dir = getenv("PATH");
	int length, status, worst = EXIT_NOTFOUND;
	char path[PATH_MAX];

	if (strchr(name, '/') != NULL)
		return process_usable(name, found);
	if (dir == NULL)
		dir = "/usr/bin:/bin";
	for (;; dir += length + 1) {
		length = (int)strcspn(dir, ":");
		if (*dir == '/') {
			print_to(path, sizeof path, "%.*s/%s", length, dir,
			    name);
			if ((status = process_usable(path, found)) == 0)
				return 0;
			if (status == EXIT_NOEXEC)
				worst = EXIT_NOEXEC;
		}
		if (dir[length] == '\0')
			return worst;
	}
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
process_actions(const struct process *p, posix_spawn_file_actions_t *files,
    posix_spawnattr_t *how)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
#ifdef POSIX_SPAWN_SETSID
	flags = (short)(flags | POSIX_SPAWN_SETSID);
#else
	flags = (short)(flags | POSIX_SPAWN_SETPGROUP);
#endif
	e = p->in < 0 ? posix_spawn_file_actions_addopen(files, 0, "/dev/null",
	    O_RDONLY, 0) : posix_spawn_file_actions_adddup2(files, p->in, 0);
	if (e != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, p->out, 1)) != 0 ||
	    (e = posix_spawn_file_actions_adddup2(files, p->err, 2)) != 0 ||
	    (e = posix_spawnattr_setsigmask(how, &none)) != 0 ||
	    (e = posix_spawnattr_setsigdefault(how, &all)) != 0 ||
	    (e = posix_spawnattr_setpgroup(how, 0)) != 0)
		return e;
	return posix_spawnattr_setflags(how, flags);
}

/* process_spawn: the new child, or 0 with errno; EAGAIN is tried for 5 s. */
static pid_t
process_spawn(const struct process *p)
{
	static const struct timespec second = { 1, 0 };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	pid_t pid = 0;
	int e, tries;

	if ((e = posix_spawn_file_actions_init(&files)) != 0)
		goto no_files;
	if ((e = posix_spawnattr_init(&how)) != 0)
		goto no_how;
	if ((e = process_actions(p, &files, &how)) == 0)
		for (tries = 0; (e = posix_spawn(&pid, p->path, &files, &how,
		    p->argv, p->envp)) == EAGAIN && tries < 5; tries++)
			nanosleep(&second, NULL);
	posix_spawnattr_destroy(&how);
no_how:
	posix_spawn_file_actions_destroy(&files);
no_files:
	errno = e;
	return e == 0 ? pid : 0;
}

/* process_over: has pid ended?  It is looked at, not reaped; orphans are. */
static int
process_over(pid_t pid)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
			if (errno == EINTR)
				continue;
			die(1, "waitid:");
		}
		if (info.si_pid == 0 || info.si_pid == pid)
			return info.si_pid == pid;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* process_ours: is pid a live leftover?  Zombies of our own are reaped. */
static int
process_ours(pid_t pid, pid_t leader)
{
	char path[64], *text = NULL, *s, state = 'X';
	size_t size = 0;
	long parent = 0;
	int ours;
	FILE *in;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	if ((in = fopen(path, "re")) != NULL) {
		if (getdelim(&text, &size, '\0', in) > 0 &&
		    (s = strrchr(text, ')')) != NULL)
			sscanf(s + 1, " %c %ld", &state, &parent);
		fclose(in);
	}
	ours = parent == (long)getpid();
	if (state == 'Z' || state == 'X') {
		if (ours && pid != leader)
			waitpid(pid, NULL, WNOHANG);
		free(text);
		return 0;
	}
	snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
	if (!ours && (in = fopen(path, "re")) != NULL) {
		while (!ours && getdelim(&text, &size, '\0', in) > 0)
			ours = strcmp(text, mark) == 0;
		fclose(in);
	}
	free(text);
	return ours;
}

/*
 * process_sweep: kill what the leader (ended, not yet reaped) left behind:
 * our children, since we are the subreaper, and whoever carries the mark.
 * Returns how many there were, or -1 where /proc does not tell.
 */
static int
process_sweep(pid_t leader)
{
	static const struct timespec moment = { 0, 5000000 };
	int count = 0, found = 1, rounds, tries;
	struct dirent *d;
	DIR *proc = access("/proc/self/environ", R_OK) == 0 ?
	    opendir("/proc") : NULL;
	pid_t pid;

	for (rounds = 0; proc != NULL && found && rounds < 100; rounds++)
		for (found = 0, rewinddir(proc); (d = readdir(proc)) != NULL;) {
			pid = (pid_t)strtol(d->d_name, NULL, 10);
			if (pid <= 1 || pid == getpid() || pid == leader ||
			    !process_ours(pid, leader))
				continue;
			process_kill(pid, SIGKILL);
			found = 1;
			count++;
			for (tries = 0; process_ours(pid, leader); tries++) {
				if (tries == 200) {
					warn("process %ld cannot be killed",
					    (long)pid);
					rounds = 100;
					break;
				}
				nanosleep(&moment, NULL);
			}
		}
	if (proc != NULL)
		closedir(proc);
	return proc == NULL ? -1 : count;
}

struct watch {				/* what is known of a child's output */
	double start, grown;
	off_t size;
	int asked;			/* finished() said no to this much */
};

/* process_verdict: why it must be ended now; BY_ITSELF: it need not. */
static enum why
process_verdict(const struct process *p, struct watch *w, double now)
{
	off_t size = fd_size(p->out) + fd_size(p->err);

	if (size != w->size) {
		w->size = size;
		w->grown = now;
		w->asked = 0;
	}
	if (p->agent && stop_signal != 0)
		return BY_SIGNAL;
	if (now - w->start >= p->limit)
		return BY_LIMIT;
	if (p->finished != NULL && !w->asked && now - w->grown >= LINGER_S) {
		w->asked = 1;
		if (p->finished())
			return BY_LINGERING;
	}
	return p->idle > 0 && now - w->grown >= p->idle ?
	    BY_SILENCE : BY_ITSELF;
}

/* process_nap: sleep until the next signal, or until it is time to look. */
static void
process_nap(const struct process *p, const struct watch *w, double now,
    double until)
{
	double wake = until - now, silent = now - w->grown;

	if (until == 0) {
		wake = p->limit - (now - w->start);
		if (p->idle > 0 && p->idle - silent < wake)
			wake = p->idle - silent;
		if (p->finished != NULL && !w->asked && LINGER_S - silent < wake)
			wake = LINGER_S - silent;
		if ((p->idle > 0 || p->finished != NULL) && wake > TICK_S)
			wake = TICK_S;
		if (show.on && p->agent && wake > TICK_TERMINAL_S)
			wake = TICK_TERMINAL_S;
	}
	if (wake > 60 * 60)
		wake = 60 * 60;
	alarm(wake <= 0 ? 1 : (unsigned)wake + (wake > (unsigned)wake));
	signal_take();
}

/* process_wait: until it has ended, or has been ended: TERM, CONT, KILL. */
static void
process_wait(const struct process *p, pid_t pid, struct ended *e)
{
	struct watch w;
	double now, until = 0;		/* the end of its grace, once it has */

	memset(&w, 0, sizeof w);
	w.start = w.grown = now = monotonic();
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
			show_draw(now - w.start);
		process_nap(p, &w, now, until);
	}
	alarm(0);
	e->seconds = monotonic() - w.start;
}

/* process_run: 0 when it ran, with all about its end; or an errno. */
static int
process_run(const struct process *p, struct ended *e)
{
	int status;
	pid_t pid;

	memset(e, 0, sizeof *e);
	if (p->agent && stopping()) {
		e->why = BY_SIGNAL;
		e->status = 128 + stop_signal;
		return 0;
	}
	if ((pid = process_spawn(p)) == 0)
		return errno;
	process_wait(p, pid, e);
	if (p->agent)
		e->survivors = process_sweep(pid);
	process_kill(-pid, SIGKILL);	/* before the reaping: see above */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(1, "waitpid:");
	e->status = process_status(status);
	return 0;
}

/* ---- git: each command reads as the line a person would type ------------ */

static struct {				/* written by the checks at start */
	char git[PATH_MAX], claude[PATH_MAX];
	char top[PATH_MAX], dir[PATH_MAX], common[PATH_MAX], index[PATH_MAX];
	char home[NAME_SIZE];		/* the user's branch; "" if detached */
	char home_commit[ID_SIZE], base[ID_SIZE];
	char output[PATH_MAX];
	int output_inside;		/* the output is inside the work tree */
} repo;

static int git_out = -1, git_err = -1;	/* what the last git printed */
static int plan_only;			/* print the commands, run none */

struct words {				/* a command line, or an environment */
	char **v;
	size_t n;
};

static struct words git_vars, agent_vars;	/* what its children see */

static void
words_add(struct words *w, const char *word)
{
	w->v = resize(w->v, (w->n + 2) * sizeof *w->v);
	w->v[w->n++] = (char *)(size_t)word;
	w->v[w->n] = NULL;
}

/* words_set: NAME=value, in place of one that is there. */
static void
words_set(struct words *w, const char *name, const char *value)
{
	size_t i, len = strlen(name);
	char *word = resize(NULL, len + strlen(value) + 2);

	sprintf(word, "%s=%s", name, value);
	for (i = 0; i < w->n; i++)
		if (begins(w->v[i], name) && w->v[i][len] == '=') {
			w->v[i] = word;
			return;
		}
	words_add(w, word);
}

/* command_show: a command as it can be pasted; input is piped into it. */
static void
command_show(FILE *to, const char *input, const char *const *argv)
{
	if (to == stderr)
		show_clear();
	if (strcmp(argv[0], "git") == 0) {
		fputs("git -C ", to);
		quote(to, repo.top);
		argv++;
	} else {
		fputs("cd ", to);
		quote(to, repo.top);
		fputs(" && ", to);
		if (input != NULL) {
			fputs("printf %s ", to);
			quote(to, input);
			fputs(" | ", to);
		}
		quote(to, *argv++);
	}
	for (; *argv != NULL; argv++) {
		putc(' ', to);
		quote(to, *argv);
	}
	putc('\n', to);
}

/* environment: ours, less what would lead a git or a claude astray. */
static struct words
environment(void)
{
	static const char *const dropped[] = { "CLAUDECODE=",
	    "CLAUDE_CODE_SESSION_ID=", "CLAUDE_CODE_ENTRYPOINT=",
	    "CLAUDE_CODE_CHILD_SESSION=", "GIT_", NULL };
	static const char *const kept[] = { "GIT_AUTHOR_NAME=",
	    "GIT_AUTHOR_EMAIL=", "GIT_COMMITTER_NAME=", "GIT_COMMITTER_EMAIL=",
	    NULL };
	extern char **environ;
	struct words w = { NULL, 0 };
	const char *const *d, *const *k;
	char **e;

	for (e = environ; *e != NULL; e++) {
		for (d = dropped; *d != NULL && !begins(*e, *d); d++)
			;
		for (k = kept; *k != NULL && !begins(*e, *k); k++)
			;
		if (*d == NULL || *k != NULL)
			words_add(&w, *e);
	}
	return w;
}

/* git_config: settings that win over every file, as git(1) documents them. */
static void
git_config(struct words *env, const char *const *settings)
{
	char name[64], count[16];
	int n;

	for (n = 0; settings[2 * n] != NULL; n++) {
		print_to(name, sizeof name, "GIT_CONFIG_KEY_%d", n);
		words_set(env, name, settings[2 * n]);
		print_to(name, sizeof name, "GIT_CONFIG_VALUE_%d", n);
		words_set(env, name, settings[2 * n + 1]);
	}
	print_to(count, sizeof count, "%d", n);
	words_set(env, "GIT_CONFIG_COUNT", count);
}

/* environments: nothing planted acts in our git, no gc in the agent's. */
static void
environments(void)
{
	static const char *const ours[] = { "core.hooksPath", "/dev/null",
	    "core.fsmonitor", "false", "core.untrackedCache", "false",
	    "core.splitIndex", "false", "gc.auto", "0", "maintenance.auto",
	    "false", "commit.gpgSign", "false", "submodule.recurse", "false",
	    "i18n.commitEncoding", "UTF-8", NULL };
	static const char *const theirs[] = { "gc.auto", "0",
	    "maintenance.auto", "false", NULL };
	static const char *const fixed[] = { "GIT_NO_REPLACE_OBJECTS", "1",
	    "GIT_GRAFT_FILE", "/dev/null", "GIT_TERMINAL_PROMPT", "0",
	    "GIT_EDITOR", "false", "GIT_PAGER", "cat", "GIT_OPTIONAL_LOCKS",
	    "0", "LC_ALL", "C", NULL };
	static const char *const unless_set[] = { "DISABLE_AUTOUPDATER",
	    "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
	    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", NULL };
	int i;

	git_vars = environment();
	git_config(&git_vars, ours);
	for (i = 0; fixed[i] != NULL; i += 2)
		words_set(&git_vars, fixed[i], fixed[i + 1]);
	agent_vars = environment();
	git_config(&agent_vars, theirs);
	for (i = 0; unless_set[i] != NULL; i++)
		if (getenv(unless_set[i]) == NULL)
			words_set(&agent_vars, unless_set[i], "1");
}

/* git_run: one git; its exit status. */
static int
git_run(const char *const *argv)
{
	struct process p;
	struct ended e;

	if (plan_only || opt.verbose)
		command_show(plan_only ? stdout : stderr, NULL, argv);
	if (ftruncate(git_out, 0) != 0 || ftruncate(git_err, 0) != 0 ||
	    lseek(git_out, 0, SEEK_SET) != 0 || lseek(git_err, 0, SEEK_SET) != 0)
		die(1, "cannot empty a temporary file:");
	if (plan_only)
		return 0;
	memset(&p, 0, sizeof p);
	p.path = repo.git;
	p.argv = (char *const *)(size_t)argv;
	p.envp = git_vars.v;
	p.in = -1;
	p.out = git_out;
	p.err = git_err;
	p.limit = GIT_TIMEOUT_S;
	if ((errno = process_run(&p, &e)) != 0)
		die(EXIT_NOEXEC, "cannot execute %s:", repo.git);
	return e.status;
}

/* git_fail: die with the command, its status and what it said. */
static void
git_fail(const char *const *argv, int status)
{
	char line[512], said[512] = "";
	FILE *in = fd_stream(git_err, 0);
	size_t n;

	line_read(in, said, sizeof said);
	fclose(in);
	for (n = 0; *argv != NULL && n < sizeof line - 1; argv++)
		n += (size_t)snprintf(line + n, sizeof line - n, "%s%s",
		    n > 0 ? " " : "", *argv);
	die(1, "%s: exit status %d: %s", line, status, said);
}

static void
git_must(const char *const *argv)
{
	int status = git_run(argv);

	if (status != 0)
		git_fail(argv, status);
}

#define ARGV(...) ((const char *const[]){ "git", __VA_ARGS__, NULL })
#define git(...) git_must(ARGV(__VA_ARGS__))	/* it must succeed */
#define git_try(...) git_run(ARGV(__VA_ARGS__))	/* its exit status */

/* git_lines: what the last git printed, one line to each of n buffers. */
static int
git_lines(char (*lines)[PATH_MAX], int n)
{
	FILE *in = fd_stream(git_out, 0);
	int i;

	for (i = 0; i < n; i++)
		lines[i][0] = '\0';
	for (i = 0; i < n && line_read(in, lines[i], PATH_MAX); i++)
		;
	fclose(in);
	return i;
}

/* git_answer: the first line that the last git printed. */
static const char *
git_answer(void)
{
	static char line[1][PATH_MAX];

	git_lines(line, 1);
	return line[0];
}

/* ---- the tree: an attempt's work is committed, or put back -------------- */

/*
 * Git works with an index of its own, so what an agent does to the user's
 * (bits that hide changes, conflicts, a lock) has no effect on what we see.
 */

/* What an unfinished command leaves in the git directory; the first eleven
 * are refused at the start, since then they are the user's. */
static const char *const tree_leftovers[] = {
	"index.lock", "HEAD.lock", "config.lock", "packed-refs.lock",
	"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG",
	"rebase-merge", "rebase-apply", "sequencer",
	"MERGE_MSG", "MERGE_MODE", "MERGE_RR", "MERGE_AUTOSTASH", "AUTO_MERGE",
	"SQUASH_MSG", "REBASE_HEAD", "BISECT_START", "BISECT_NAMES",
	"BISECT_TERMS", "BISECT_RUN", "BISECT_HEAD", "BISECT_EXPECTED_REV",
	"BISECT_ANCESTORS_OK", "BISECT_FIRST_PARENT", NULL
};
enum { TREE_REFUSED = 11 };

/* Files of the repository that an agent may not change. */
static struct {
	const char *name;
	char *text;			/* as at the start; NULL: absent */
	size_t size;
} tree_kept[] = {
	{ "config", NULL, 0 }, { "config.worktree", NULL, 0 },
	{ "info/attributes", NULL, 0 }, { "info/exclude", NULL, 0 },
	{ "info/grafts", NULL, 0 }, { "info/sparse-checkout", NULL, 0 }
};
enum { TREE_KEPT = sizeof tree_kept / sizeof *tree_kept };

static char tree_branch[NAME_SIZE];	/* the iteration's; "" between them */
static char tree_start[ID_SIZE];	/* the commit that it began with */
static int tree_touched;		/* the user's branch was left */

static const char *
tree_ref(void)
{
	static char ref[NAME_SIZE + 16];

	print_to(ref, sizeof ref, "refs/heads/%s", tree_branch);
	return ref;
}

/* tree_file: a path in the git directory, or in the one worktrees share. */
static const char *
tree_file(const char *name)
{
	static char path[PATH_MAX];
	int common = strcmp(name, "config") == 0 || begins(name, "info/") ||
	    begins(name, "packed-") || begins(name, "refs/");

	print_to(path, sizeof path, "%s/%s",
	    common ? repo.common : repo.dir, name);
	return path;
}

/* file_text: a small regular file's content; NULL where there is none. */
static char *
file_text(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *text = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = fd_text(fd, size);
	if (fd >= 0)
		close(fd);
	return text;
}

/* tree_hide_output: the output directory hides itself from git where it is inside. */
static void
tree_hide_output(void)
{
	int fd;

	if (!repo.output_inside)
		return;
	fd = openat(output_fd, ".gitignore", O_WRONLY | O_CREAT | O_TRUNC |
	    O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, "*\n", 2) != 2 || close(fd) != 0)
		die(1, "cannot write %s/.gitignore:", repo.output);
}

/* tree_settle: no agent is alive, so undo what it did to the repository. */
static void
tree_settle(void)
{
	const char *const *name;
	char lock[NAME_SIZE + 32], *text;
	size_t size = 0;
	int i, fd;

	if (plan_only)
		return;
	for (name = tree_leftovers; *name != NULL; name++)
		tree_visit(AT_FDCWD, tree_file(*name), 1);
	print_to(lock, sizeof lock, "refs/heads/%s.lock", tree_branch);
	tree_visit(AT_FDCWD, tree_file(lock), 1);
	for (i = 0; i < TREE_KEPT; i++) {
		text = file_text(tree_file(tree_kept[i].name), &size);
		if ((text == NULL && tree_kept[i].text == NULL) ||
		    (text != NULL && tree_kept[i].text != NULL &&
		    size == tree_kept[i].size &&
		    memcmp(text, tree_kept[i].text, size) == 0)) {
			free(text);
			continue;
		}
		free(text);
		warn("claude changed %s of the repository: put back",
		    tree_kept[i].name);
		tree_visit(AT_FDCWD, tree_file(tree_kept[i].name), 1);
		if (tree_kept[i].text == NULL)
			continue;
		fd = open(tree_file(tree_kept[i].name),
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd < 0 || fd_write(fd, tree_kept[i].text,
		    tree_kept[i].size) != 0 || close(fd) != 0)
			die(1, "cannot put %s back:", tree_kept[i].name);
	}
	tree_hide_output();
}

/* index_copy: with its time, by which git knows which files to compare. */
static void
index_copy(const char *from, const char *to)
{
	static char block[65536];
	char beside[PATH_MAX];
	struct timespec times[2];
	struct stat st;
	ssize_t n;
	int in, out, bad;

	if (plan_only)
		return;
	print_to(beside, sizeof beside, "%s.tmp", to);
	unlink(beside);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) != 0 || (out = open(beside, O_WRONLY |
	    O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777)) < 0)
		die(1, "cannot copy %s:", from);
	while ((n = read(in, block, sizeof block)) > 0 &&
	    fd_write(out, block, (size_t)n) == 0)
		;
	memset(times, 0, sizeof times);
	times[0].tv_sec = times[1].tv_sec = st.st_mtime;
	bad = n != 0 || futimens(out, times) != 0;
	close(in);
	if (close(out) != 0 || bad || rename(beside, to) != 0)
		die(1, "cannot write %s:", to);
}

/* tree_clean: is the tree its commit?  If not, what git says of it is left. */
static int
tree_clean(void)
{
	return git_try("status", "--porcelain") == 0 && fd_size(git_out) == 0;
}

/* tree_restore: the tree is commit, on branch ("" for none), or we die. */
static void
tree_restore(const char *branch, const char *commit)
{
	int tries;

	for (tries = 0; tries < 2; tries++) {
		if (branch[0] != '\0')
			git_try("checkout", "-q", "--force",
			    "--ignore-other-worktrees", "-B", branch, commit);
		else
			git_try("checkout", "-q", "--force", "--detach",
			    commit);
		if (git_try("clean", "-q", "-ffd") == 0 &&
		    (plan_only || tree_clean()))
			return;
		tree_visit(AT_FDCWD, repo.top, 0);	/* chmod 000, say */
	}
	git("checkout", "-q", "--force", commit, "--");
	die(1, "the tree of %s cannot be put back: see git status", repo.top);
}

/* tree_head: HEAD is the iteration's branch, which holds claude's commits. */
static void
tree_head(void)
{
	char line[3][PATH_MAX], *head = line[0], *home = line[1];
	const char *user = repo.home[0] != '\0' ? repo.home : "HEAD";

	if (git_try("rev-parse", "HEAD", user, "--symbolic-full-name",
	    "HEAD") != 0) {		/* a branch was deleted: as before */
		git("update-ref", "--no-deref", tree_ref(), tree_start);
		git("symbolic-ref", "HEAD", tree_ref());
		if (repo.home[0] != '\0')
			git("update-ref", user, repo.home_commit);
		git("rev-parse", "HEAD", user, "--symbolic-full-name", "HEAD");
	}
	git_lines(line, 3);
	if (repo.home[0] != '\0' && strcmp(home, repo.home_commit) != 0) {
		warn("claude moved %s to %s: moved back", user, home);
		git("update-ref", user, repo.home_commit);
	}
	if (strcmp(head, tree_start) != 0 &&	/* amended, say: squashed */
	    git_try("merge-base", "--is-ancestor", tree_start, head) != 0)
		print_to(head, sizeof line[0], "%s", tree_start);
	else if (strcmp(line[2], tree_ref()) == 0)
		return;
	git("update-ref", "--no-deref", tree_ref(), head);
	git("symbolic-ref", "HEAD", tree_ref());
}

/* tree_unnest: make the repositories that were made inside plain files. */
static int
tree_unnest(void)
{
	char path[PATH_MAX];
	char *name = NULL;
	size_t size = 0;
	int found = 0;
	FILE *in;

	git("read-tree", "-m", tree_start);
	git("ls-files", "-z", "--others", "--exclude-standard");
	for (in = fd_stream(git_out, 0); getdelim(&name, &size, '\0', in) > 0;)
		if (name[strlen(name) - 1] == '/') {
			print_to(path, sizeof path, "%s/%s.git", repo.top,
			    name);
			tree_visit(AT_FDCWD, path, 1);
			found = 1;
		}
	fclose(in);
	free(name);
	return found;
}

/* tree_add: all that claude left into the index; 0, or -1 if not all. */
static int
tree_add(void)
{
	int tries, status;

	for (tries = 0; tries < 8; tries++) {
		status = git_try("add", "-A");
		if (status == 0 && fd_size(git_err) == 0)
			return 0;
		tree_visit(AT_FDCWD, repo.top, 0);
		if (!tree_unnest() && tries > 0)
			break;
	}
	return git_try("add", "-A", "--ignore-errors") == 0 ? 0 : -1;
}

/*
 * tree_commit: one commit of all that is there, an empty one if need be.
 * Its id, or "" where it need not be and nothing was left.
 */
static const char *
tree_commit(const char *message, int needed)
{
	static char id[ID_SIZE];
	int status, partial;

	tree_head();
	partial = tree_add();
	status = git_try("commit", "-q", "--cleanup=verbatim",
	    needed ? "--allow-empty" : "--no-verify", "-m", message);
	if (status != 0 && (needed || status != 1))
		git_fail(ARGV("commit"), status);
	git("rev-parse", "HEAD");
	copy_to(id, sizeof id, git_answer());
	if (partial != 0)
		tree_restore(tree_branch, id);
	if (!needed && strcmp(id, tree_start) == 0)
		id[0] = '\0';
	return id;
}

/* tree_home: the user's branch and index are back; the last act of all. */
static void
tree_home(void)
{
	if (!tree_touched)
		return;
	tree_touched = 0;		/* also when git fails here, and dies */
	tree_settle();
	if (repo.home[0] != '\0')
		git("checkout", "-q", "--force", "--ignore-other-worktrees",
		    repo.home + strlen("refs/heads/"), "--");
	else
		git("checkout", "-q", "--force", "--detach", repo.home_commit);
	index_copy(repo.index, tree_file("index"));
	unlink(repo.index);
}

struct changes {
	long files, added, removed, md_added, md_removed;
};

/* tree_changes: lines changed between two commits; a binary file has none. */
static struct changes
tree_changes(const char *from, const char *to)
{
	struct changes c = { 0, 0, 0, 0, 0 };
	char *line = NULL;
	const char *name;
	size_t size = 0, len;
	long added, removed;
	FILE *in;

	git("diff-tree", "-r", "-z", "--numstat", "--no-renames", from, to);
	for (in = fd_stream(git_out, 0); getdelim(&line, &size, '\0', in) > 0;) {
		if (sscanf(line, "%ld\t%ld\t", &added, &removed) != 2)
			added = removed = 0;
		name = strchr(line, '\t');
		len = strlen(name);
		c.files++;
		c.added += added;
		c.removed += removed;
		if (len > 3 && strcmp(name + len - 3, ".md") == 0) {
			c.md_added += added;
			c.md_removed += removed;
		}
	}
	fclose(in);
	free(line);
	return c;
}

/* ---- claude: its command, its prompt, and why an attempt ended ---------- */

struct attempt {
	int run, iteration, number;
	enum outcome outcome;
	struct ended ended;
	double limit;			/* seconds it may take */
	int last;			/* the run's own limit is the nearer */
	char started_at[32];
	char commit[ID_SIZE];		/* what it left; "" nothing */
	struct changes changes;
	int protected_touched;		/* -1: nothing is protected */
	const char *fault;		/* not the arm that was asked for */
	const struct transcript *told;
	char said[256];			/* the first line of its stderr */
};

static char scratch[PATH_MAX];		/* TMPDIR of agents, in $TMPDIR */
static int transcript_fd = -1;		/* of the call, to read it again */

/* scratch_reset: what agents and benchmarks litter is gone; 0: for good. */
static void
scratch_reset(int again)
{
	if (scratch[0] == '\0' || plan_only)
		return;
	tree_visit(AT_FDCWD, scratch, 1);
	if (again && mkdir(scratch, 0700) != 0)
		die(1, "cannot make the directory %s:", scratch);
}

/* result_name: a file of one point of the experiment. */
static const char *
result_name(int run, int iteration, const char *rest)
{
	static char name[PATH_MAX];

	print_to(name, sizeof name, "%s--run-%d--iteration-%d--%s",
	    opt.prefix, run, iteration, rest);
	return name;
}

/* result_log: such a file, to be written by a child and read by us. */
static int
result_log(int run, int iteration, const char *rest, int how)
{
	const char *name = result_name(run, iteration, rest);
	int fd = openat(output_fd, name, how | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);

	if (fd < 0)
		die(1, "cannot open %s/%s:", repo.output, name);
	return fd;
}

/* claude_words: the command line, less the prompt, which is its stdin. */
static char **
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
	for (i = 0; opt.claude_arguments[i] != NULL; i++)
		words_add(&w, opt.claude_arguments[i]);
	return w.v;
}

/* claude_prompt: the base prompt, then which iteration it is. */
static char *
claude_prompt(const struct attempt *a, size_t *size)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);

	if (to == NULL)
		die(1, "cannot make the prompt:");
	fprintf(to, "%s\nThis is iteration %d of %ld in run %d.\n", opt.prompt,
	    a->iteration, opt.iterations, a->run);
	if (a->iteration > 1)
		fputs("Build on the improvements of the previous iterations.\n",
		    to);
	if (a->iteration == opt.iterations)
		fputs("This is the last iteration.\n", to);
	fputs("When you are done, commit your work with a descriptive"
	    " message.\n", to);
	if (fclose(to) != 0)
		die(1, "cannot make the prompt:");
	return text;
}

/* text_limited: does one of the last lines begin as a limit does? */
static int
text_limited(int fd)
{
	enum { TAIL = 65536 };
	off_t size = fd_size(fd);
	FILE *in = fd_stream(fd, size > TAIL ? size - TAIL : 0);
	const char *const *limit;
	char line[256];
	int found = 0;

	if (size > TAIL)		/* the rest of a line is no line */
		line_read(in, line, sizeof line);
	while (!found && line_read(in, line, sizeof line))
		for (limit = limit_texts; *limit != NULL; limit++)
			found |= begins(line, *limit);
	fclose(in);
	return found;
}

/* result_limited: does a failed result tell of a rate limit? */
static int
result_limited(const struct transcript *t)
{
	const struct event *r = &t->result;
	const char *const *limit;

	if (strcmp(r->api_error, "usage_limit_reached") == 0 ||
	    strcmp(r->api_status, "429") == 0 ||
	    strcmp(t->limit.limit, "rejected") == 0)
		return 1;
	for (limit = limit_texts; r->api_status[0] == '\0' && *limit != NULL;
	    limit++)			/* a client too old for the fields */
		if (begins(r->text, *limit))
			return 1;
	return 0;
}

/* result_denied: can no later call succeed either? */
static int
result_denied(const struct transcript *t)
{
	const struct event *r = &t->result;

	return strcmp(r->api_status, "401") == 0 ||
	    strcmp(r->api_status, "403") == 0 ||
	    strcmp(r->api_status, "404") == 0 || t->billing ||
	    begins(r->text, "Credit balance is too low") ||
	    begins(r->text, "Not logged in");
}

/* claude_outcome: the first that holds, from claude's own words first. */
static enum outcome
claude_outcome(const struct attempt *a)
{
	const struct transcript *t = a->told;
	const struct event *r = &t->result;
	int told = r->type[0] != '\0';

	if (told && strcmp(r->is_error, "true") != 0 &&
	    !begins(r->subtype, "error"))
		return strcmp(r->turns, "0") == 0 ? FAILURE : SUCCESS;
	if (strcmp(r->subtype, "error_max_turns") == 0 ||
	    strcmp(r->subtype, "error_max_budget_usd") == 0)
		return CAPPED;
	if (a->ended.why == BY_SIGNAL)
		return INTERRUPTED;
	if (a->ended.why == BY_LIMIT || a->ended.why == BY_SILENCE)
		return a->ended.why == BY_LIMIT && a->last ?
		    OUT_OF_TIME : TIMEOUT;
	if (told && result_limited(t))
		return RATE_LIMIT;
	if (told)
		return result_denied(t) ? DENIED : FAILURE;
	if (t->json)
		return FAILURE;
	if (a->ended.status == 0)
		return SUCCESS;
	if (a->ended.status == 2 || text_limited(transcript_fd))
		return RATE_LIMIT;
	return a->ended.status == 124 ? TIMEOUT : FAILURE;
}

/* claude_arm_fault: is the plugin as asked?  NULL if so, or what is wrong. */
static const char *
claude_arm_fault(const struct transcript *t)
{
	static char fault[512];
	const struct event *init = &t->init;

	if (init->type[0] == '\0')		/* it never came so far */
		return NULL;
	if (opt.no_plugin && init->plugin_loaded)
		return "the plugin is loaded in an experiment without it";
	if (opt.no_plugin || (init->plugin_loaded && !init->plugin_failed))
		return NULL;
	print_to(fault, sizeof fault, "claude has not loaded the plugin %s%s%s",
	    plugin_dir, init->plugin_fault[0] != '\0' ? ": " : "",
	    init->plugin_fault);
	return fault;
}

static int
claude_finished(void)
{
	return transcript_read(transcript_fd)->finished;
}

/* claude_call: one call, to its end and to the end of all it started. */
static void
claude_call(struct attempt *a)
{
	char name[64], *prompt;
	struct process p;
	size_t size = 0;
	FILE *in;

	memset(&p, 0, sizeof p);
	p.path = repo.claude;
	p.argv = claude_words();
	p.envp = agent_vars.v;
	p.limit = a->limit;
	p.idle = opt.idle_timeout;
	p.agent = 1;
	p.finished = claude_finished;
	prompt = claude_prompt(a, &size);
	if (plan_only || opt.verbose)
		command_show(plan_only ? stdout : stderr, prompt,
		    (const char *const *)p.argv);
	if (plan_only) {
		free(prompt);
		return;
	}
	p.in = fd_scratch();
	if (fd_write(p.in, prompt, size) != 0 || lseek(p.in, 0, SEEK_SET) != 0)
		die(1, "cannot write the prompt:");
	free(prompt);
	print_to(name, sizeof name, "attempt-%d.jsonl", a->number);
	p.out = result_log(a->run, a->iteration, name,
	    O_WRONLY | O_TRUNC | O_APPEND);
	transcript_fd = result_log(a->run, a->iteration, name, O_RDONLY);
	print_to(name, sizeof name, "attempt-%d.err", a->number);
	p.err = result_log(a->run, a->iteration, name,
	    O_RDWR | O_TRUNC | O_APPEND);
	utc(a->started_at, sizeof a->started_at);
	index_copy(repo.index, tree_file("index"));
	if ((errno = process_run(&p, &a->ended)) != 0)
		die(errno == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC,
		    "cannot execute %s:", repo.claude);
	scratch_reset(1);
	a->told = transcript_read(transcript_fd);
	a->outcome = claude_outcome(a);
	in = fd_stream(p.err, 0);
	line_read(in, a->said, sizeof a->said);
	fclose(in);
	close(p.in);
	close(p.out);
	close(p.err);
	close(transcript_fd);
}

/* claude_message: the commit that ends an attempt; the caller frees it. */
static char *
claude_message(const struct attempt *a)
{
	const struct event *r = &a->told->result;
	size_t size, len = strlen(r->text);
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		die(1, "cannot make a commit message:");
	fprintf(to, "%s: run %d, iteration %d: %s\n\n", opt.prefix, a->run,
	    a->iteration, outcome_names[a->outcome]);
	if (len > TEXT_SIZE - 8)	/* cut: not amid a character */
		while (len > 0 && (r->text[len - 1] & 0xc0) == 0x80)
			len--;
	if (len > 0)
		fprintf(to, "%.*s\n\n", (int)len, r->text);
	fprintf(to, "Experiment: %s\nRun: %d\nIteration: %d\nAttempt: %d\n"
	    "Outcome: %s\n", opt.prefix, a->run, a->iteration, a->number,
	    outcome_names[a->outcome]);
	if (a->told->init.session[0] != '\0')
		fprintf(to, "Session: %s\n", a->told->init.session);
	if (fclose(to) != 0)
		die(1, "cannot make a commit message:");
	return text;
}

/* ---- benchmarks: the yardstick, at one point of the experiment ---------- */

struct samples {
	long long *us;
	size_t n;
};

static void
samples_add(struct samples *s, double seconds)
{
	s->us = resize(s->us, (s->n + 1) * sizeof *s->us);
	s->us[s->n++] = (long long)(seconds * 1e6 + 0.5);
}

/* runtime_parse: "runtime: 12.5ms" in a line; seconds, -1 none, -2 bad. */
static double
runtime_parse(const char *line)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	static const double each[] = { 1e-9, 1e-6, 1e-3, 1 };
	const char *s = strstr(line, "runtime:");
	char *end;
	double n;
	int i;

	if (s == NULL)
		return -1;
	s += strlen("runtime:");
	s += strspn(s, " \t");
	if (!isdigit((unsigned char)*s))
		return -1;
	n = strtod(s, &end);
	end += strspn(end, " ");
	for (i = 0; i < 4; i++)
		if (begins(end, units[i]) && !isalnum((unsigned char)
		    end[strlen(units[i])]) && strspn(s, "0123456789.eE+- ") >=
		    (size_t)(end - s))
			return n * each[i];
	return -2;
}

/* benchmark_run: one command, into its log; 0, -1 failed, 1 interrupted. */
static int
benchmark_run(const char *command, int log, double *seconds)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct process p;
	struct ended e;

	if (plan_only || opt.verbose)
		command_show(plan_only ? stdout : stderr, NULL, argv);
	if (plan_only)
		return 0;
	memset(&p, 0, sizeof p);
	p.path = argv[0];
	p.argv = (char *const *)(size_t)argv;
	p.envp = agent_vars.v;
	p.in = -1;
	p.out = p.err = log;
	p.limit = opt.benchmark_timeout;
	p.agent = 1;
	if ((errno = process_run(&p, &e)) != 0)
		die(EXIT_NOEXEC, "cannot execute %s:", p.path);
	scratch_reset(1);
	*seconds = e.seconds;
	if (e.why == BY_SIGNAL)
		return 1;
	return e.why == BY_ITSELF && e.status == 0 ? 0 : -1;
}

/* benchmark_samples: all executions of one; as benchmark_run says. */
static int
benchmark_samples(const char *command, int log, struct samples *s)
{
	double seconds = 0, told;
	char line[4096];
	size_t before;
	off_t start;
	int i, result, bad = 0;
	FILE *in;

	for (i = 0; i < opt.samples && !bad; i++) {
		start = fd_size(log);
		before = s->n;
		if ((result = benchmark_run(command, log, &seconds)) != 0)
			return result;
		for (in = fd_stream(log, start);
		    line_read(in, line, sizeof line);)
			if ((told = runtime_parse(line)) >= 0)
				samples_add(s, told);
			else
				bad |= told == -2;
		fclose(in);
		if (s->n == before && !plan_only)
			samples_add(s, seconds);
	}
	return bad ? -1 : 0;
}

/* benchmark_write: name's CSV at this point; the header alone: it failed. */
static void
benchmark_write(int run, int iteration, const char *name,
    const struct samples *s)
{
	char number[4][32], file[PATH_MAX];
	const char *row[] = { opt.prefix, number[0], number[1], number[2],
	    number[3], NULL };
	FILE *to;
	size_t i;

	print_to(file, sizeof file, "%s.csv", name);
	print_to(file, sizeof file, "%s", result_name(run, iteration, file));
	to = file_begin(file);
	fputs("experiment_id,run_id,iteration_id,outer_iteration_id,"
	    "runtime_us\n", to);
	print_to(number[0], sizeof number[0], "%d", run);
	print_to(number[1], sizeof number[1], "%d", iteration);
	for (i = 0; i < s->n; i++) {
		print_to(number[2], sizeof number[2], "%zu", i + 1);
		print_to(number[3], sizeof number[3], "%lld", s->us[i]);
		csv_line(to, row);
	}
	file_end(to, file);
}

/* benchmark_one: NAME=COMMAND; 1 when it was interrupted. */
static int
benchmark_one(int run, int iteration, const char *benchmark, int built)
{
	const char *command = strchr(benchmark, '=') + 1;
	char name[NAME_SIZE], log[NAME_SIZE + 8];
	struct samples s = { NULL, 0 };
	int fd = -1, result = -1;

	print_to(name, sizeof name, "%.*s", (int)(command - 1 - benchmark),
	    benchmark);
	print_to(log, sizeof log, "%s.log", name);
	if (!plan_only)
		fd = result_log(run, iteration, log,
		    O_RDWR | O_TRUNC | O_APPEND);
	if (built)
		result = benchmark_samples(command, fd, &s);
	else
		dprintf(fd, "the build failed: see %s\n",
		    result_name(run, iteration, "build.log"));
	if (result < 0)
		s.n = 0;
	if (result <= 0 && !plan_only) {
		benchmark_write(run, iteration, name, &s);
		if (result < 0)
			warn("run %d iteration %d: benchmark %s failed: see %s",
			    run, iteration, name,
			    result_name(run, iteration, log));
	}
	close(fd);
	free(s.us);
	return result > 0;
}

/* protect_words: a git command on the protected paths. */
static const char *const *
protect_words(const char *const *command)
{
	static struct words w;
	size_t i;

	w.n = 0;
	for (; *command != NULL; command++)
		words_add(&w, *command);
	for (i = 0; opt.protect[i] != NULL; i++)
		words_add(&w, opt.protect[i]);
	return (const char *const *)w.v;
}

/* benchmark_point: measure commit, which is checked out; 1: interrupted. */
static int
benchmark_point(int run, int iteration, const char *commit)
{
	int i, log = -1, stopped = 0, built = 1;
	double seconds;

	if (opt.benchmarks[0] == NULL)
		return 0;
	if (opt.protect[0] != NULL)
		git_must(protect_words(ARGV("checkout", "-q", "--no-overlay",
		    repo.base, "--")));
	print_to(show.what, sizeof show.what, "run %d/%ld iteration %d/%ld "
	    "benchmark", run, opt.runs, iteration, opt.iterations);
	show.limit = opt.benchmark_timeout;
	if (opt.build != NULL) {
		if (!plan_only)
			log = result_log(run, iteration, "build.log",
			    O_RDWR | O_TRUNC | O_APPEND);
		i = benchmark_run(opt.build, log, &seconds);
		close(log);
		stopped = i > 0;
		built = i == 0;
	}
	for (i = 0; !stopped && opt.benchmarks[i] != NULL; i++)
		stopped = benchmark_one(run, iteration, opt.benchmarks[i],
		    built);
	tree_settle();
	tree_restore(tree_branch, commit);
	if (!stopped && !plan_only)
		say("run %d/%ld iteration %d/%ld: benchmarks are done", run,
		    opt.runs, iteration, opt.iterations);
	return stopped;
}

/* ---- the ledger: one row per attempt, and what it adds up to ------------ */

static const char ledger_header[] =
    "experiment_id,run_id,iteration_id,attempt,outcome,exit_status,started_at,"
    "duration_seconds,charged_seconds,base_commit,commit,files_changed,"
    "total_added,total_removed,num_turns,cost_usd,input_tokens,output_tokens,"
    "cache_read_tokens,cache_creation_tokens,session_id,model,claude_version,"
    "survivors,protected_touched";
enum { RUN_ID = 1, ITERATION_ID = 2, OUTCOME = 4, SECONDS = 7, COST = 15,
    COLUMNS = 25 };

static const char diffstats_header[] =
    "experiment_id,run_id,iteration_id,src_added,src_removed,md_added,"
    "md_removed,total_added,total_removed";

static const char *
experiment_file(const char *kind)
{
	static char name[PATH_MAX];

	print_to(name, sizeof name, "%s--%s.csv", opt.prefix, kind);
	return name;
}

/* number_to: a whole number as a field; a negative one is not known. */
static const char *
number_to(char *buf, long long n)
{
	print_to(buf, 32, n < 0 ? "" : "%lld", n);
	return buf;
}

/* ledger_row: what is known of an attempt, on disk before the next starts. */
static void
ledger_row(const struct attempt *a, double charged)
{
	const struct event *r = &a->told->result, *init = &a->told->init;
	char n[16][32];
	const char *row[COLUMNS + 1] = { opt.prefix, number_to(n[0], a->run),
	    number_to(n[1], a->iteration), number_to(n[2], a->number),
	    outcome_names[a->outcome], number_to(n[3], a->ended.status),
	    a->started_at, n[4], n[5], tree_start, a->commit,
	    number_to(n[6], a->changes.files),
	    number_to(n[7], a->changes.added),
	    number_to(n[8], a->changes.removed), r->turns, r->cost };
	int i;

	print_to(n[4], sizeof n[4], "%.3f", a->ended.seconds);
	print_to(n[5], sizeof n[5], "%.3f", charged);
	for (i = 0; i < TOKENS; i++)
		row[COST + 1 + i] = r->models ?
		    number_to(n[9 + i], r->tokens[i]) : r->usage[i];
	row[20] = init->session[0] != '\0' ? init->session : r->session;
	row[21] = init->model;
	row[22] = init->version;
	row[23] = number_to(n[13], a->ended.survivors);
	row[24] = number_to(n[14], a->protected_touched);
	row[COLUMNS] = NULL;
	file_append(experiment_file("iterations"), ledger_header, row);
}

/* diffstats_row: what a finished iteration changed. */
static void
diffstats_row(const struct attempt *a)
{
	const struct changes *c = &a->changes;
	char n[8][32];
	const char *row[] = { opt.prefix, number_to(n[0], a->run),
	    number_to(n[1], a->iteration),
	    number_to(n[2], c->added - c->md_added),
	    number_to(n[3], c->removed - c->md_removed),
	    number_to(n[4], c->md_added), number_to(n[5], c->md_removed),
	    number_to(n[6], c->added), number_to(n[7], c->removed), NULL };

	file_append(experiment_file("diffstats"), diffstats_header, row);
}

static int
samples_order(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* samples_median: microseconds, from the CSV; -1 where there is none. */
static double
samples_median(int run, int iteration, const char *benchmark)
{
	char rest[NAME_SIZE + 8], *record = NULL, *field[5];
	struct samples s = { NULL, 0 };
	double median = -1;
	size_t size = 0;
	FILE *in;
	int fd;

	print_to(rest, sizeof rest, "%.*s.csv", (int)strcspn(benchmark, "="),
	    benchmark);
	fd = openat(output_fd, result_name(run, iteration, rest),
	    O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (in = fdopen(fd, "r")) == NULL)
		return -1;
	while (csv_read(in, &record, &size, field, 5) == 5)
		if (isdigit((unsigned char)field[4][0]))
			samples_add(&s, strtod(field[4], NULL) / 1e6);
	fclose(in);
	if (s.n > 0) {
		qsort(s.us, s.n, sizeof *s.us, samples_order);
		median = (double)(s.us[s.n / 2] + s.us[(s.n - 1) / 2]) / 2;
	}
	free(record);
	free(s.us);
	return median;
}

struct total {				/* of one run, from the ledger */
	int iterations[INTERRUPTED + 1], at;
	enum outcome last;
	double seconds, cost;
};

/* ledger_totals: per run; an iteration counts by its last attempt. */
static struct total *
ledger_totals(void)
{
	struct total *all = resize(NULL, (size_t)(opt.runs + 1) * sizeof *all);
	char *record = NULL, *field[COLUMNS];
	struct total *t;
	size_t size = 0;
	enum outcome o;
	FILE *in = NULL;
	long run;
	int fd;

	memset(all, 0, (size_t)(opt.runs + 1) * sizeof *all);
	fd = openat(output_fd, experiment_file("iterations"),
	    O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (in = fdopen(fd, "r")) == NULL)
		die(1, "cannot read %s:", experiment_file("iterations"));
	while (csv_read(in, &record, &size, field, COLUMNS) == COLUMNS) {
		run = strtol(field[RUN_ID], NULL, 10);
		if (run < 1 || run > opt.runs)
			continue;		/* the header */
		t = &all[run];
		for (o = SUCCESS; o < INTERRUPTED &&
		    strcmp(field[OUTCOME], outcome_names[o]) != 0; o++)
			;
		if (t->at == atoi(field[ITERATION_ID]))
			t->iterations[t->last]--;
		t->at = atoi(field[ITERATION_ID]);
		t->iterations[t->last = o]++;
		t->seconds += strtod(field[SECONDS], NULL);
		t->cost += strtod(field[COST], NULL);
	}
	fclose(in);
	free(record);
	return all;
}

/* ledger_speedup: run's own baseline over its last measured iteration. */
static void
ledger_speedup(int run, const char *benchmark, int width)
{
	double before = samples_median(run, 0, benchmark), after = -1;
	int m;

	for (m = (int)opt.iterations; m > 0 && after < 0; m--)
		after = samples_median(run, m, benchmark);
	if (before > 0 && after > 0)
		printf("  %*.2fx", width - 1, before / after);
	else
		printf("  %*s", width, "-");
}

/* ledger_table: what a person reads at the end, on stdout. */
static void
ledger_table(void)
{
	struct total *all = ledger_totals();
	int shown[INTERRUPTED + 1] = { 0 }, run, o, i, width;
	char time[32];

	for (run = 1; run <= opt.runs; run++)
		for (o = 0; o <= INTERRUPTED; o++)
			shown[o] |= all[run].iterations[o] > 0;
	printf("run");
	for (o = 0; o <= INTERRUPTED; o++)
		if (shown[o])
			printf("  %s", outcome_names[o]);
	printf("    time     cost");
	for (i = 0; opt.benchmarks[i] != NULL; i++) {
		width = (int)strcspn(opt.benchmarks[i], "=");
		printf("  %*.*s", width < 6 ? 6 : width, width,
		    opt.benchmarks[i]);
	}
	for (run = 1; run <= opt.runs; run++) {
		printf("\n%3d", run);
		for (o = 0; o <= INTERRUPTED; o++)
			if (shown[o])
				printf("  %*d", (int)strlen(outcome_names[o]),
				    all[run].iterations[o]);
		printf("  %6s  %7.2f", duration(all[run].seconds, time,
		    sizeof time), all[run].cost);
		for (i = 0; opt.benchmarks[i] != NULL; i++) {
			width = (int)strcspn(opt.benchmarks[i], "=");
			ledger_speedup(run, opt.benchmarks[i],
			    width < 6 ? 6 : width);
		}
	}
	printf("\n\nbranches and what they changed:\n");
	for (run = 1; run <= opt.runs && all[run].at > 0; run++) {
		printf("  git -C ");
		quote(stdout, repo.top);
		printf(" diff --stat %.12s %s-run-%d-iteration-%d\n",
		    repo.base, opt.prefix, run, all[run].at);
	}
	free(all);
}

/* ---- iteration, run, experiment: the loop of the header comment --------- */

enum next { NEXT_ITERATION, ATTEMPT_AGAIN, END_OF_RUN, STOP };

struct run {
	int id, failures;		/* so many in a row */
	double charged;			/* agent time used up, seconds */
	char commit[ID_SIZE];		/* the last good one */
};

static int stop_status;			/* written by stop, for main */
static const char *stop_reason;
static struct attempt *unfinished;	/* the attempt at work */

static enum next
stop(int status, const char *why)
{
	stop_status = status;
	stop_reason = why;
	return STOP;
}

/* attempt_put_back: keep what it left out of sight; the tree as before. */
static void
attempt_put_back(const struct attempt *a)
{
	char ref[PATH_MAX];

	if (a->commit[0] != '\0') {
		print_to(ref, sizeof ref, REFS "%s/run-%d/iteration-%d/"
		    "attempt-%d", opt.prefix, a->run, a->iteration, a->number);
		git("update-ref", ref, a->commit);
	}
	tree_restore(tree_branch, tree_start);
}

/* attempt_next: what follows an outcome; read it beside the design. */
static enum next
attempt_next(struct run *r, const struct attempt *a)
{
	if (a->fault != NULL) {
		attempt_put_back(a);
		return stop(1, a->fault);
	}
	switch (a->outcome) {
	case SUCCESS:
	case CAPPED:
	case OUT_OF_TIME:
		r->failures = 0;
		copy_to(r->commit, sizeof r->commit, a->commit);
		return a->outcome == OUT_OF_TIME ? END_OF_RUN : NEXT_ITERATION;
	case RATE_LIMIT:
		attempt_put_back(a);
		return stop(EXIT_LATER, "rate limit: type the command again later");
	case TIMEOUT:
		attempt_put_back(a);
		return a->number <= opt.retries ? ATTEMPT_AGAIN :
		    stop(EXIT_TIMEOUT, "the last retry timed out");
	case DENIED:
		attempt_put_back(a);
		return stop(EXIT_DENIED, "claude is denied");
	case FAILURE:
		attempt_put_back(a);
		return ++r->failures < FAILURES ? NEXT_ITERATION :
		    stop(EXIT_FAILURES, "two failures in a row");
	case INTERRUPTED:
		break;
	}
	attempt_put_back(a);
	return stop(128 + stop_signal, "");
}

/* attempt_say: the event line; with what claude said where it said why. */
static void
attempt_say(const struct attempt *a)
{
	const struct event *r = &a->told->result;
	char time[32], cost[48] = "", left[48] = "";
	const char *said = r->type[0] != '\0' ? r->text : a->said;

	if (r->cost[0] != '\0')
		print_to(cost, sizeof cost, ", $%.2f", strtod(r->cost, NULL));
	if (a->ended.survivors > 0)
		print_to(left, sizeof left, ", %d left processes killed",
		    a->ended.survivors);
	show.cost += strtod(r->cost, NULL);
	say("run %d/%ld iteration %d/%ld%s: %s in %s, %ld files +%ld -%ld%s%s"
	    "%s%.*s", a->run, opt.runs, a->iteration, opt.iterations,
	    a->number > 1 ? " again" : "", outcome_names[a->outcome],
	    duration(a->ended.seconds, time, sizeof time), a->changes.files,
	    a->changes.added, a->changes.removed, cost, left,
	    a->outcome == SUCCESS || said[0] == '\0' ? "" : ": ",
	    a->outcome == SUCCESS ? 0 : (int)strcspn(said, "\n"), said);
}

/* attempt: one call of claude and all that follows from its outcome. */
static enum next
attempt(struct run *r, int iteration, int number)
{
	static const struct transcript nothing;
	double left = opt.timeout - r->charged;
	struct attempt a;
	enum next next;
	int finished;
	char *text;

	memset(&a, 0, sizeof a);
	a.run = r->id;
	a.iteration = iteration;
	a.number = number;
	a.outcome = INTERRUPTED;
	a.told = &nothing;
	a.last = left <= opt.iteration_timeout;
	a.limit = a.last ? left : opt.iteration_timeout;
	show.limit = a.limit;
	unfinished = &a;
	claude_call(&a);
	tree_settle();
	if ((a.fault = claude_arm_fault(a.told)) != NULL)
		a.outcome = FAILURE;
	text = claude_message(&a);
	copy_to(a.commit, sizeof a.commit, tree_commit(text,
	    a.outcome <= OUT_OF_TIME));
	free(text);
	if (a.commit[0] != '\0')
		a.changes = tree_changes(tree_start, a.commit);
	a.protected_touched = opt.protect[0] == NULL ? -1 : git_run(
	    protect_words(ARGV("diff", "--quiet", repo.base,
	    a.commit[0] != '\0' ? a.commit : tree_start, "--"))) != 0;
	next = attempt_next(r, &a);
	unfinished = NULL;
	finished = next == NEXT_ITERATION || next == END_OF_RUN;
	ledger_row(&a, finished ? a.ended.seconds : 0);
	attempt_say(&a);
	if (finished) {
		r->charged += a.ended.seconds;
		diffstats_row(&a);
	}
	if (next == STOP && stop_status < 128)
		warn("stopped: %s", stop_reason);
	return next;
}

/* iteration: attempts until one decides; benchmarks where asked for. */
static enum next
iteration(struct run *r, int m)
{
	enum next next;
	int k = 0;

	if (opt.timeout - r->charged < ENOUGH_S) {
		say("run %d/%ld: not enough time left for iteration %d", r->id,
		    opt.runs, m);
		return END_OF_RUN;
	}
	print_to(tree_branch, sizeof tree_branch, "%s-run-%d-iteration-%d",
	    opt.prefix, r->id, m);
	copy_to(tree_start, sizeof tree_start, r->commit);
	git("switch", "-q", "-c", tree_branch);
	do {
		if (stopping())
			return stop(128 + stop_signal, "");
		print_to(show.what, sizeof show.what, "run %d/%ld iteration "
		    "%d/%ld", r->id, opt.runs, m, opt.iterations);
		next = attempt(r, m, ++k);
	} while (next == ATTEMPT_AGAIN);
	if (next != STOP && (opt.every_iteration || next == END_OF_RUN ||
	    m == opt.iterations || opt.timeout - r->charged < ENOUGH_S) &&
	    benchmark_point(r->id, m, r->commit))
		return stop(128 + stop_signal, "");
	return next;
}

/* run: from the baseline, iteration by iteration. */
static enum next
run(int id)
{
	struct run r = { 0, 0, 0, "" };
	enum next next = NEXT_ITERATION;
	int m;

	r.id = id;
	copy_to(r.commit, sizeof r.commit, repo.base);
	tree_branch[0] = '\0';
	tree_restore("", repo.base);
	if (benchmark_point(id, 0, repo.base))
		return stop(128 + stop_signal, "");
	for (m = 1; m <= opt.iterations && next == NEXT_ITERATION; m++)
		next = iteration(&r, m);
	return next;
}

/* setting: a row of <prefix>--experiment.csv. */
static void
setting(FILE *to, const char *key, const char *format, ...)
{
	char *value = NULL;
	const char *row[3] = { key, NULL, NULL };
	size_t size;
	FILE *f = open_memstream(&value, &size);
	va_list args;

	if (f == NULL)
		die(1, "cannot write the settings:");
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	if (fclose(f) != 0)
		die(1, "cannot write the settings:");
	row[1] = value;
	csv_line(to, row);
	free(value);
}

/* program_answer: the first line that a program prints; "" if it fails. */
static void
program_answer(const char *path, const char *const *argv, char *buf,
    size_t size)
{
	struct process p;
	struct ended e;

	memset(&p, 0, sizeof p);
	p.path = path;
	p.argv = (char *const *)(size_t)argv;
	p.envp = agent_vars.v;
	p.in = -1;
	p.out = git_out;
	p.err = git_err;
	p.limit = VERSION_TIMEOUT_S;
	p.agent = 1;
	buf[0] = '\0';
	if (ftruncate(git_out, 0) != 0 || lseek(git_out, 0, SEEK_SET) != 0)
		die(1, "cannot empty a temporary file:");
	if (process_run(&p, &e) == 0 && e.status == 0)
		copy_to(buf, size, git_answer());
}

/* settings_write: all that defines the experiment. */
static void
settings_write(void)
{
	static const char *const version[] = { "claude", "--version", NULL };
	const char *describe[] = { "git", "-C", plugin_dir, "describe",
	    "--always", "--dirty", "--abbrev=40", "--exclude=*", NULL };
	char now[32], answer[NAME_SIZE] = "", *text = NULL;
	struct utsname host;
	size_t size, i;
	FILE *words, *to;

	utc(now, sizeof now);
	if (uname(&host) < 0 || (words = open_memstream(&text, &size)) == NULL)
		die(1, "cannot write the settings:");
	for (i = 0; opt.claude_arguments[i] != NULL; i++) {
		if (i > 0)
			putc(' ', words);
		quote(words, opt.claude_arguments[i]);
	}
	if (fclose(words) != 0)
		die(1, "cannot write the settings:");
	if (!opt.no_plugin)
		program_answer(repo.git, describe, answer, sizeof answer);
	to = file_begin(experiment_file("experiment"));
	setting(to, "key", "value");
	setting(to, "version", "%s", VERSION);
	setting(to, "started_at", "%s", now);
	setting(to, "host", "%s", host.nodename);
	setting(to, "system", "%s %s %s", host.sysname, host.release,
	    host.machine);
	setting(to, "directory", "%s", repo.top);
	setting(to, "baseline", "%s", opt.baseline);
	setting(to, "baseline_commit", "%s", repo.base);
	setting(to, "plugin_directory", "%s", opt.no_plugin ? "" : plugin_dir);
	setting(to, "plugin_commit", "%s", answer);
	setting(to, "claude_path", "%s", repo.claude);
	program_answer(repo.claude, version, answer, sizeof answer);
	if (answer[0] == '\0')
		warn("%s --version does not tell its version", repo.claude);
	setting(to, "claude_version", "%s", answer);
	setting(to, "claude_arguments", "%s", text);
	setting(to, "prompt", "%s", opt.prompt);
	setting(to, "runs", "%ld", opt.runs);
	setting(to, "iterations", "%ld", opt.iterations);
	setting(to, "timeout", "%.3f", opt.timeout);
	setting(to, "iteration_timeout", "%.3f", opt.iteration_timeout);
	setting(to, "idle_timeout", "%.3f", opt.idle_timeout);
	setting(to, "retries", "%ld", opt.retries);
	setting(to, "build", "%s", opt.build == NULL ? "" : opt.build);
	for (i = 0; opt.benchmarks[i] != NULL; i++)
		setting(to, "benchmark", "%s", opt.benchmarks[i]);
	setting(to, "benchmark_timeout", "%.3f", opt.benchmark_timeout);
	setting(to, "samples", "%ld", opt.samples);
	setting(to, "every_iteration", "%d", opt.every_iteration);
	for (i = 0; opt.protect[i] != NULL; i++)
		setting(to, "protect", "%s", opt.protect[i]);
	file_end(to, experiment_file("experiment"));
	free(text);
}

/* experiment_leave: at every exit the user's house is as it was. */
static void
experiment_leave(void)
{
	leaving = 1;
	if (unfinished != NULL) {	/* die came in the middle of it */
		char *text = claude_message(unfinished);

		tree_settle();
		copy_to(unfinished->commit, sizeof unfinished->commit,
		    tree_commit(text, 0));
		attempt_put_back(unfinished);
		free(text);
	}
	unfinished = NULL;
	tree_home();
	scratch_reset(0);
	scratch[0] = '\0';
}


/* output_make: the output directory, and the folders of a prefix with '/'. */
static void
output_make(void)
{
	char path[PATH_MAX], *s;

	print_to(path, sizeof path, "%s/%s", repo.output, opt.prefix);
	for (s = path + 1; (s = strchr(s, '/')) != NULL; *s++ = '/') {
		*s = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			die(1, "cannot make the directory %s:", path);
	}
	output_fd = open(repo.output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (output_fd < 0)
		die(1, "cannot open the directory %s:", repo.output);
	tree_hide_output();
}

/* experiment_start: from here on there is something to be put back. */
static void
experiment_start(void)
{
	const char *tmp = getenv("TMPDIR");
	char ref[PATH_MAX];
	int i;

	for (i = 0; i < TREE_KEPT; i++)
		tree_kept[i].text = file_text(tree_file(tree_kept[i].name),
		    &tree_kept[i].size);
	print_to(scratch, sizeof scratch, "%s/cc-run-experiments.XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(scratch) == NULL)
		die(1, "cannot make a directory %s:", scratch);
	words_set(&agent_vars, "TMPDIR", scratch);
	atexit(experiment_leave);
	output_make();
	settings_write();
	file_append(experiment_file("iterations"), ledger_header, NULL);
	print_to(ref, sizeof ref, REFS "%s/baseline", opt.prefix);
	git("update-ref", ref, repo.base);
	index_copy(tree_file("index"), repo.index);
	words_set(&git_vars, "GIT_INDEX_FILE", repo.index);
	tree_touched = 1;
}

/* experiment: all runs; the exit status. */
static int
experiment(void)
{
	int id;

	for (id = 1; id <= opt.runs; id++)
		if (run(id) == STOP)
			return stop_status;
	return 0;
}

/* plan: what the experiment would do if all went well; and the worst case. */
static void
plan(void)
{
	static const struct transcript nothing;
	double calls = (double)opt.runs * (double)opt.iterations, points, each;
	struct attempt a;
	char *text;

	plan_only = 1;
	memset(&a, 0, sizeof a);
	a.told = &nothing;
	for (a.run = 1; a.run <= opt.runs; a.run++) {
		tree_branch[0] = '\0';
		tree_restore("", repo.base);
		benchmark_point(a.run, 0, repo.base);
		for (a.iteration = 1; a.iteration <= opt.iterations;
		    a.iteration++) {
			print_to(tree_branch, sizeof tree_branch,
			    "%s-run-%d-iteration-%d", opt.prefix, a.run,
			    a.iteration);
			git("switch", "-q", "-c", tree_branch);
			claude_call(&a);
			git("add", "-A");
			text = claude_message(&a);
			git("commit", "-q", "--cleanup=verbatim",
			    "--allow-empty", "-m", text);
			free(text);
			if (opt.every_iteration || a.iteration == opt.iterations)
				benchmark_point(a.run, a.iteration,
				    tree_branch);
		}
	}
	for (each = opt.build != NULL, points = 0;
	    opt.benchmarks[(int)points] != NULL; points++)
		each += (double)opt.samples;
	points = points == 0 ? 0 : (double)opt.runs *
	    (opt.every_iteration ? 1 + (double)opt.iterations : 2);
	printf("# at most %.1f hours: %.1f of agent time, %.1f of attempts that"
	    " time out, %.1f of benchmarks\n", ((double)opt.runs * opt.timeout +
	    calls * (double)opt.retries * opt.iteration_timeout + points * each *
	    opt.benchmark_timeout) / 3600, (double)opt.runs * opt.timeout / 3600,
	    calls * (double)opt.retries * opt.iteration_timeout / 3600,
	    points * each * opt.benchmark_timeout / 3600);
}

/* ---- options and main --------------------------------------------------- */

static void
usage(void)
{
	char t[4][32];

	printf("usage: cc-run-experiments [options] directory prefix "
	    "[baseline-branch]\n           [-- claude-argument ...]\n\n"
	    "  -r, --runs N               runs of the experiment (%d)\n"
	    "  -i, --iterations N         iterations of each run (%d)\n"
	    "  -t, --timeout TIME         agent time for one run (%s)\n"
	    "      --iteration-timeout TIME  agent time for one call (%s)\n"
	    "      --idle-timeout TIME    longest silence of a call, 0 never "
	    "(%s)\n"
	    "      --retries N            new attempts after a timed-out one "
	    "(%d)\n"
	    "  -p, --prompt FILE          the base prompt (built in)\n"
	    "      --no-plugin            without the plugin in "
	    "$CC_PLUGIN_DIR\n",
	    RUNS, ITERATIONS, duration(TIMEOUT_S, t[0], sizeof t[0]),
	    duration(ITERATION_TIMEOUT_S, t[1], sizeof t[1]),
	    duration(IDLE_TIMEOUT_S, t[2], sizeof t[2]), RETRIES);
	printf("  -b, --benchmark NAME=COMMAND  what to measure; repeatable\n"
	    "      --build COMMAND        run before the benchmarks\n"
	    "      --benchmark-timeout TIME  for one such command (%s)\n"
	    "      --samples N            executions of each benchmark (%d)\n"
	    "      --every-iteration      benchmark after each iteration\n"
	    "      --protect PATHSPEC     restored from the baseline before\n"
	    "                             measuring; repeatable\n"
	    "  -o, --output DIR           where results go (%s)\n"
	    "  -n, --dry-run              print the plan, run nothing\n"
	    "  -q, --quiet                only warnings and errors\n"
	    "  -v, --verbose              print each command before it runs\n"
	    "  -h, --help                 this\n"
	    "  -V, --version              the version\n\n"
	    "TIME is a number with an optional s, m, h or d. baseline-branch "
	    "is %s by default.\n",
	    duration(BENCHMARK_TIMEOUT_S, t[3], sizeof t[3]), SAMPLES,
	    output_default, baseline_default);
}

/* option_number: a whole number of at least min. */
static long
option_number(const char *option, const char *text, long min)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 ||
	    n < min || n > 1000000)
		die(EXIT_USAGE, "--%s %s: expected a whole number from %ld to "
		    "1000000", option, text, min);
	return n;
}

/* option_time: seconds, from a number with an optional s, m, h or d. */
static double
option_time(const char *option, const char *text, double min)
{
	static const char units[] = "smhd";
	static const int each[] = { 1, 60, 3600, 86400 };
	size_t digits = strspn(text, "0123456789.");
	const char *unit;
	char *end;
	double n = strtod(text, &end);

	unit = *end == '\0' ? units : strchr(units, *end);
	if (digits == 0 || end != text + digits || unit == NULL ||
	    (*end != '\0' && end[1] != '\0') ||
	    (n *= each[unit - units]) < min || n > 3650 * 86400.0)
		die(EXIT_USAGE, "--%s %s: expected a time of at least %gs, as "
		    "90, 90s, 30m, 2h or 1.5d", option, text, min);
	return n;
}

/* option_benchmark: NAME=COMMAND, whose NAME becomes part of a file name. */
static void
option_benchmark(const char *text)
{
	static struct words all;
	size_t i, len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (len == 0 || len > 64 || !isalnum((unsigned char)*text) ||
	    text[len] != '=' || text[len + 1] == '\0' ||
	    begins(text, "build="))
		die(EXIT_USAGE, "--benchmark %s: expected NAME=COMMAND, NAME "
		    "being letters, digits, '_', '.' and '-', not build", text);
	for (i = 0; i < all.n; i++)
		if (strncmp(all.v[i], text, len + 1) == 0)
			die(EXIT_USAGE, "--benchmark %.*s is given twice",
			    (int)len, text);
	words_add(&all, text);
	opt.benchmarks = (const char **)all.v;
}

enum { ITERATION_TIMEOUT = 256, IDLE_LIMIT, RETRY_COUNT, NO_PLUGIN, BUILD,
    BENCHMARK_LIMIT, SAMPLE_COUNT, EVERY_ITERATION, PROTECT, LATER };

static const struct option long_options[] = {
	{ "runs", required_argument, NULL, 'r' },
	{ "iterations", required_argument, NULL, 'i' },
	{ "timeout", required_argument, NULL, 't' },
	{ "iteration-timeout", required_argument, NULL, ITERATION_TIMEOUT },
	{ "idle-timeout", required_argument, NULL, IDLE_LIMIT },
	{ "retries", required_argument, NULL, RETRY_COUNT },
	{ "prompt", required_argument, NULL, 'p' },
	{ "no-plugin", no_argument, NULL, NO_PLUGIN },
	{ "benchmark", required_argument, NULL, 'b' },
	{ "build", required_argument, NULL, BUILD },
	{ "benchmark-timeout", required_argument, NULL, BENCHMARK_LIMIT },
	{ "samples", required_argument, NULL, SAMPLE_COUNT },
	{ "every-iteration", no_argument, NULL, EVERY_ITERATION },
	{ "protect", required_argument, NULL, PROTECT },
	{ "output", required_argument, NULL, 'o' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "run", no_argument, NULL, LATER },	/* or it would mean --runs */
	{ NULL, 0, NULL, 0 }
};

/* option_set: one option, as getopt_long found it. */
static void
option_set(int option, char *value)
{
	static struct words protect;

	switch (option) {
	case 'r': opt.runs = option_number("runs", value, 1); break;
	case 'i': opt.iterations = option_number("iterations", value, 1); break;
	case 't': opt.timeout = option_time("timeout", value, ENOUGH_S); break;
	case ITERATION_TIMEOUT:
		opt.iteration_timeout = option_time("iteration-timeout", value,
		    1);
		break;
	case IDLE_LIMIT:
		opt.idle_timeout = option_time("idle-timeout", value, 0);
		break;
	case RETRY_COUNT: opt.retries = option_number("retries", value, 0); break;
	case 'p': opt.prompt_file = value; break;
	case NO_PLUGIN: opt.no_plugin = 1; break;
	case 'b': option_benchmark(value); break;
	case BUILD: opt.build = value; break;
	case BENCHMARK_LIMIT:
		opt.benchmark_timeout = option_time("benchmark-timeout", value,
		    1);
		break;
	case SAMPLE_COUNT: opt.samples = option_number("samples", value, 1); break;
	case EVERY_ITERATION: opt.every_iteration = 1; break;
	case PROTECT:
		words_add(&protect, value);
		opt.protect = (const char **)protect.v;
		break;
	case 'o': opt.output = value; break;
	case 'n': opt.dry_run = 1; break;
	case 'q': opt.quiet = 1; break;
	case 'v': opt.verbose = 1; break;
	case 'h': usage(); exit(0);
	case 'V': printf("cc-run-experiments %s\n", VERSION); exit(0);
	}
}

/* options_read: all words of the command line, or one line and exit 2. */
static void
options_read(int argc, char **argv)
{
	static const char *none[] = { NULL };
	int all = argc, c, i;

	opt.runs = RUNS;
	opt.iterations = ITERATIONS;
	opt.timeout = TIMEOUT_S;
	opt.iteration_timeout = ITERATION_TIMEOUT_S;
	opt.idle_timeout = IDLE_TIMEOUT_S;
	opt.retries = RETRIES;
	opt.benchmark_timeout = BENCHMARK_TIMEOUT_S;
	opt.samples = SAMPLES;
	opt.output = output_default;
	opt.baseline = baseline_default;
	opt.benchmarks = opt.protect = none;
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		;
	opt.claude_arguments = argv + (i < all ? i + 1 : all);
	argv[argc = i] = NULL;		/* what follows is claude's */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":r:i:t:p:b:o:nqvhV", long_options,
	    NULL)) != -1) {
		if (c == ':')
			die(EXIT_USAGE, "%s: a value is missing: see "
			    "cc-run-experiments --help", argv[optind - 1]);
		if (c == '?' && optopt > 0 && optopt < 256)
			die(EXIT_USAGE, "-%c: unknown option: see "
			    "cc-run-experiments --help", optopt);
		if (c == '?' || c == LATER)
			die(EXIT_USAGE, "%s: unknown option, or it takes no "
			    "value, or is too short: see cc-run-experiments "
			    "--help", argv[optind - 1]);
		option_set(c, optarg);
	}
	if (argc - optind < 2 || argc - optind > 3)
		die(EXIT_USAGE, argc - optind > 3 ? "%s: excess operand: "
		    "expected directory prefix [baseline-branch]" :
		    "%sexpected directory prefix [baseline-branch]: see "
		    "cc-run-experiments --help",
		    argc - optind > 3 ? argv[optind + 3] : "");
	opt.directory = argv[optind];
	opt.prefix = argv[optind + 1];
	if (argc - optind == 3)
		opt.baseline = argv[optind + 2];
}

/* check_program: git or claude, as an absolute path. */
static void
check_program(const char *name, char *found)
{
	int status = process_find(name, found);

	if (status != 0)
		die(status, "%s: %s: expected an executable file, or a name on"
		    " PATH", name, status == EXIT_NOTFOUND ? "not found" :
		    "cannot be executed");
}

/* check_prompt: the base prompt's text. */
static void
check_prompt(void)
{
	size_t size = 0;

	if (opt.prompt_file == NULL) {
		opt.prompt = (char *)(size_t)(opt.no_plugin ? prompt_plain :
		    prompt_plugin);
		return;
	}
	if ((opt.prompt = file_text(opt.prompt_file, &size)) == NULL)
		die(EXIT_USAGE, "--prompt %s: expected a readable file",
		    opt.prompt_file);
	if (strspn(opt.prompt, " \t\r\n") == strlen(opt.prompt) ||
	    strlen(opt.prompt) != size)
		die(EXIT_USAGE, "--prompt %s: expected some text",
		    opt.prompt_file);
}

static void
manifest_field(struct json *j)
{
	if (strcmp(j->path, "name") == 0)
		copy_to(plugin_name, sizeof plugin_name, j->text);
}

/* check_plugin: $CC_PLUGIN_DIR is a plugin; what is its name? */
static void
check_plugin(void)
{
	static const char *const parts[] = { "skills", "commands", "agents",
	    "hooks", ".claude-plugin/plugin.json", NULL };
	static struct json j;
	const char *dir = getenv("CC_PLUGIN_DIR");
	char path[PATH_MAX];
	struct dirent *d;
	DIR *in;
	int i, found = 0;

	if (dir == NULL || realpath(dir, plugin_dir) == NULL)
		plugin_dir[0] = '\0';
	if (plugin_dir[0] == '\0' && opt.no_plugin)
		return;
	if (plugin_dir[0] == '\0' || (in = opendir(plugin_dir)) == NULL)
		die(EXIT_USAGE, "CC_PLUGIN_DIR=%s: expected the plugin's "
		    "directory; or use --no-plugin", dir == NULL ? "" : dir);
	for (i = 0; parts[i] != NULL; i++) {
		print_to(path, sizeof path, "%s/%s", plugin_dir, parts[i]);
		found |= access(path, R_OK) == 0;
	}
	copy_to(plugin_name, sizeof plugin_name, strrchr(plugin_dir, '/') + 1);
	if ((j.in = fopen(path, "r")) != NULL) {
		j.pretty = 1;
		j.field = manifest_field;
		json_line(&j);
		fclose(j.in);
	}
	while (!found && (d = readdir(in)) != NULL) {	/* a folder of them? */
		print_to(path, sizeof path, "%s/%s/%s", plugin_dir, d->d_name,
		    parts[4]);
		found = access(path, R_OK) == 0;
	}
	closedir(in);
	if (!found && !opt.no_plugin)
		die(EXIT_USAGE, "CC_PLUGIN_DIR=%s: expected a plugin: it has "
		    "neither %s nor skills, commands, agents or hooks", dir,
		    parts[4]);
}

/* check_output: its absolute path, before anything changes directory. */
static void
check_output(void)
{
	char path[PATH_MAX], real[PATH_MAX], cwd[PATH_MAX], *end;
	struct stat st;

	if (getcwd(cwd, sizeof cwd) == NULL)
		die(1, "cannot find out the current directory:");
	print_to(path, sizeof path, "%s%s%s", opt.output[0] == '/' ? "" : cwd,
	    opt.output[0] == '/' ? "" : "/", opt.output);
	for (end = path + strlen(path); realpath(path, real) == NULL;) {
		while (end > path + 1 && *--end != '/')
			;
		*end = '\0';
	}
	if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    access(real, W_OK | X_OK) != 0)
		die(EXIT_USAGE, "--output %s: %s: expected a directory that "
		    "can be written", opt.output, real);
	print_to(path, sizeof path, "%s%s%s", opt.output[0] == '/' ? "" : cwd,
	    opt.output[0] == '/' ? "" : "/", opt.output);
	print_to(repo.output, sizeof repo.output, "%s%s", real,
	    path + (end - path));
}

/* check_repository: where it is, and that nobody's work is in the way. */
static void
check_repository(void)
{
	char line[3][PATH_MAX], spec[PATH_MAX];
	int i;

	if (git_try("-C", opt.directory, "rev-parse", "--path-format=absolute",
	    "--show-toplevel", "--git-dir", "--git-common-dir") != 0 ||
	    git_lines(line, 3) != 3) {
		FILE *in = fd_stream(git_err, 0);

		line_read(in, spec, sizeof spec);
		die(EXIT_USAGE, "%s: expected a directory in the work tree of "
		    "a git repository (git 2.31 or newer): %s", opt.directory,
		    spec);
	}
	copy_to(repo.top, sizeof repo.top, line[0]);
	copy_to(repo.dir, sizeof repo.dir, line[1]);
	copy_to(repo.common, sizeof repo.common, line[2]);
	print_to(repo.index, sizeof repo.index, "%s/cc-run-experiments.index",
	    repo.dir);
	words_set(&git_vars, "GIT_DIR", repo.dir);
	words_set(&git_vars, "GIT_WORK_TREE", repo.top);
	words_set(&agent_vars, MARK, repo.top);
	words_set(&git_vars, MARK, repo.top);
	print_to(mark, sizeof mark, MARK "=%s", repo.top);
	if (chdir(repo.top) != 0)
		die(EXIT_USAGE, "%s: cannot enter it:", repo.top);
	for (i = 0; i < TREE_REFUSED; i++)
		if (access(tree_file(tree_leftovers[i]), F_OK) == 0)
			die(EXIT_USAGE, "%s: exists: finish or abort what git "
			    "is at there", tree_file(tree_leftovers[i]));
	if (!tree_clean())
		die(EXIT_USAGE, "%s: expected no uncommitted changes, but git "
		    "status says \"%s\": commit or stash them", repo.top,
		    git_answer());
}

/* check_output_tree: is the output inside the work tree, and harmless? */
static void
check_output_tree(void)
{
	size_t len = strlen(repo.top);

	if (strcmp(repo.output, repo.top) == 0)
		die(EXIT_USAGE, "--output %s: expected another directory than "
		    "the top of the work tree", opt.output);
	repo.output_inside = begins(repo.output, repo.top) &&
	    repo.output[len] == '/';
	if (!repo.output_inside)
		return;
	git("ls-files", "--", repo.output);
	if (fd_size(git_out) > 0)
		die(EXIT_USAGE, "--output %s: expected a directory without "
		    "committed files, but it has %s", opt.output, git_answer());
}

/* check_prefix: it can name branches and files, and nothing has its name. */
static void
check_prefix(void)
{
	static const char *const kinds[] = { "experiment", "iterations",
	    "diffstats" };
	char ref[PATH_MAX], path[PATH_MAX], *s;
	size_t i;

	print_to(ref, sizeof ref, "refs/heads/%s-run-1-iteration-1",
	    opt.prefix);
	if ((!isalnum((unsigned char)opt.prefix[0]) && opt.prefix[0] != '_') ||
	    strlen(opt.prefix) > 150 || git_try("check-ref-format", ref) != 0)
		die(EXIT_USAGE, "prefix %s: expected part of a branch name that"
		    " begins with a letter, digit or underscore", opt.prefix);
	for (s = ref + strlen("refs/heads/"); (s = strchr(s, '/')) != NULL;
	    *s++ = '/') {
		*s = '\0';
		if (git_try("show-ref", "--verify", "-q", ref) == 0)
			die(EXIT_USAGE, "prefix %s: %s is a branch: choose "
			    "another prefix", opt.prefix, ref + 11);
	}
	print_to(ref, sizeof ref, "refs/heads/%s-run-*", opt.prefix);
	print_to(path, sizeof path, REFS "%s/", opt.prefix);
	git("for-each-ref", "--count=1", "--format=%(refname)", ref, path);
	if (fd_size(git_out) > 0)
		die(EXIT_USAGE, "prefix %s: %s exists: choose another prefix",
		    opt.prefix, git_answer());
	for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		print_to(path, sizeof path, "%s/%s", repo.output,
		    experiment_file(kinds[i]));
		if (access(path, F_OK) == 0)
			die(EXIT_USAGE, "prefix %s: %s exists: choose another "
			    "prefix", opt.prefix, path);
	}
}

/* check_commit: does it name a commit?  Then its id is in git_answer. */
static int
check_commit(const char *format, const char *name)
{
	char spec[PATH_MAX];

	print_to(spec, sizeof spec, format, name);
	return git_try("rev-parse", "-q", "--verify", "--end-of-options",
	    spec) == 0;
}

/* check_baseline: a commit without submodules; where is the user now? */
static void
check_baseline(void)
{
	char spec[ID_SIZE + 16];

	if (!check_commit("refs/heads/%s^{commit}", opt.baseline) &&
	    !check_commit("%s^{commit}", opt.baseline))
		die(EXIT_USAGE, "baseline %s: expected a branch or a commit of "
		    "%s", opt.baseline, repo.top);
	copy_to(repo.base, sizeof repo.base, git_answer());
	print_to(spec, sizeof spec, "%s:.gitmodules", repo.base);
	if (git_try("cat-file", "-e", spec) == 0)
		die(EXIT_USAGE, "baseline %s: has submodules, which an "
		    "experiment cannot put back", opt.baseline);
	if (!check_commit("%s", "HEAD"))
		die(EXIT_USAGE, "%s: HEAD is no commit", repo.top);
	copy_to(repo.home_commit, sizeof repo.home_commit, git_answer());
	if (git_try("symbolic-ref", "-q", "HEAD") == 0)
		copy_to(repo.home, sizeof repo.home, git_answer());
	if (opt.protect[0] != NULL && git_run(protect_words(ARGV("ls-files",
	    "--error-unmatch", "--with-tree", repo.base, "--"))) != 0) {
		FILE *in = fd_stream(git_err, 0);
		char said[256];

		line_read(in, said, sizeof said);
		die(EXIT_USAGE, "--protect: expected paths of the baseline: "
		    "%s", said);
	}
}

/* check_identity: the user's name in commits, or ours where there is none. */
static void
check_identity(void)
{
	static const char *const names[] = { "GIT_AUTHOR_NAME",
	    "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL" };
	int i;

	if (git_try("var", "GIT_COMMITTER_IDENT") == 0 &&
	    git_try("var", "GIT_AUTHOR_IDENT") == 0)
		return;
	for (i = 0; i < 4; i++) {
		words_set(&git_vars, names[i], i % 2 == 0 ?
		    "cc-run-experiments" : "cc-run-experiments@localhost");
		words_set(&agent_vars, names[i], i % 2 == 0 ?
		    "cc-run-experiments" : "cc-run-experiments@localhost");
	}
}

/* checks: everything that can be refused, before anything is touched. */
static void
checks(void)
{
	const char *claude = getenv("CC_CLAUDE"), *sandbox = getenv("IS_SANDBOX");
	const char *term = getenv("TERM");

	show.on = isatty(STDERR_FILENO) && !opt.quiet && term != NULL &&
	    strcmp(term, "dumb") != 0;
	git_out = fd_scratch();
	git_err = fd_scratch();
	environments();
	check_program("git", repo.git);
	check_program(claude != NULL && *claude != '\0' ? claude :
	    claude_command[0], repo.claude);
	check_prompt();
	check_plugin();
	check_output();
	check_repository();
	check_output_tree();
	check_baseline();
	check_prefix();
	check_identity();
	if (geteuid() == 0 && (sandbox == NULL || strcmp(sandbox, "1") != 0))
		die(EXIT_USAGE, "claude refuses to work for root: be another "
		    "user, or set IS_SANDBOX=1 if this machine is a sandbox");
}

int
main(int argc, char **argv)
{
	int fd, status;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		;			/* no file of ours becomes 0, 1 or 2 */
	if (fd > 2)
		close(fd);
	signals_block();
	options_read(argc, argv);
	checks();
	if (opt.dry_run) {
		plan();
		status = 0;
	} else {
		experiment_start();
		status = experiment();
		experiment_leave();
		if (!opt.quiet)
			ledger_table();
	}
	if (fflush(stdout) != 0)
		die(1, "cannot write to standard output:");
	if (status >= 128 && stop_signal != 0) {
		show_clear();
		signal(stop_signal, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		raise(stop_signal);
	}
	show_clear();
	return status;
}
