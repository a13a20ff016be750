/*
 * csv_harness: the program's own csv_line and csv_read, for files.bats.
 *
 *	csv_harness write N < fields > csv	N fields a record, each ended by a NUL
 *	csv_harness read N < csv > fields	the same way back
 *	csv_harness torn N < csv		read every beginning of the file: no
 *						more and no less than its whole records
 */
#define main ccre_main
#include "../cc-run-experiments.c"
#undef main

enum { MOST = 64 };

/* all: the whole of standard input. */
static char *
all(size_t *size)
{
	char *text = NULL;
	size_t n = 0, got;

	do {
		text = resize(text, n + 65536);
		got = fread(text + n, 1, 65536, stdin);
		n += got;
	} while (got > 0);
	*size = n;
	return text;
}

static int
write_records(int n)
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
read_records(int n)
{
	char *field[MOST];
	int i, got;

	while ((got = csv_read(stdin, field, MOST)) > 0) {
		if (got != n) {
			fprintf(stderr, "a record of %d fields\n", got);
			return 1;
		}
		for (i = 0; i < n; i++)
			fwrite(field[i], 1, strlen(field[i]) + 1, stdout);
	}
	return 0;
}

/* count: the records of the first size bytes; where each of them ends. */
static size_t
count(const char *text, size_t size, int n, size_t *ends)
{
	char *part = resize(NULL, size + 1), *field[MOST];
	size_t found = 0;
	FILE *in;

	memcpy(part, text, size);
	part[size] = '\0';
	if ((in = fmemopen(part, size, "r")) == NULL)
		die(1, "fmemopen:");
	while (csv_read(in, field, MOST) == n) {
		if (ends != NULL)
			ends[found] = (size_t)ftell(in);
		found++;
	}
	fclose(in);
	free(part);
	return found;
}

static int
torn_records(int n)
{
	size_t size, length, whole = 0, records, *ends;
	char *text = all(&size);

	ends = resize(NULL, (size + 1) * sizeof *ends);
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

int
main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[2]) : 0;

	if (n < 1 || n > MOST) {
		fprintf(stderr, "usage: csv_harness write|read|torn N\n");
		return 2;
	}
	if (strcmp(argv[1], "write") == 0)
		return write_records(n);
	return strcmp(argv[1], "read") == 0 ? read_records(n) : torn_records(n);
}
