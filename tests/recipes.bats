# The recipes for harnesses in the manual, as they are written. A harness that Debian
# has is run for real; of the others, a script prints what their documentation shows.

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2154 # run assigns status and output
load helper

# The recipes need no project; the program is not run by most.
teardown() {
	no_survivors
}

# recipe NAME: write the recipe whose comment begins with NAME to the file recipe.
recipe() {
	awk -v name="# $1" '
	    /^\.Sh / { on = /RECIPES/ }
	    on && /^# / { found = index($0, name) == 1; next }
	    on && /^\.Ed/ { exit }
	    on && found { gsub(/\\e/, "\\"); print }' "${RECIPES:-$CCRE_ROOT/cc-run-experiments.1}" > recipe
	[ -s recipe ]
}

# stub PROGRAM TEXT: a program that prints the text; with FAILS set, it fails then.
stub() {
	printf '%s\n' "$2" > "$1.txt"
	mkdir -p stubs
	printf '#!/bin/sh\ncat "%s"\nexit ${FAILS:-0}\n' "$PWD/$1.txt" > "stubs/$1"
	chmod +x "stubs/$1"
	PATH=$PWD/stubs:$PATH
}

# prints NAME [LINE...]: the recipe prints these runtime lines, and it fails, or
# prints none, if the harness fails.
prints() {
	local name=$1 status=0
	shift
	recipe "$name"
	run -0 --separate-stderr sh recipe
	[ "$output" = "$(printf '%s\n' "$@")" ]
	FAILS=1 sh recipe > out || status=$?
	[ "$status" != 0 ] || [ ! -s out ]
}

# measures NAME LEAST MOST: the recipe with the real harness prints a runtime that the
# program reads, of so many microseconds.
measures() {
	recipe "$1"
	run -0 --separate-stderr sh recipe
	"$CCRE_BUILD/harness" runtime <<< "$output" | tee read
	[ -s read ]
	awk -v least="$2" -v most="$3" '!($1 >= least && $1 <= most) { exit 1 }' read
}

# prog SCRIPT: the program ./prog that is measured.
prog() {
	printf '#!/bin/sh\n%s\n' "$1" > prog
	chmod +x prog
}

@test "time" {
	[ -x /usr/bin/time ] || skip 'no /usr/bin/time'
	prog 'i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done'
	measures /usr/bin/time 0 5000000
	prog 'exit 3'
	run -3 sh recipe
}

@test "perf stat" {
	needs perf
	perf stat -x, -e duration_time -o t true 2> /dev/null && grep -q '^[0-9]' t || skip 'perf may not count here'
	prog 'sleep 0.02'
	measures 'perf stat' 20000 5000000
	prog 'exit 3'
	run ! sh recipe
}

@test "hyperfine" {
	needs hyperfine
	prog 'exec sleep 0.02'
	measures hyperfine 20000 5000000
	prog 'exit 3'
	run -1 sh recipe
}

@test "google-benchmark" {
	[ -e /usr/include/benchmark/benchmark.h ] || skip 'no google-benchmark'
	cat > b.cc <<-'END'
		#include <benchmark/benchmark.h>
		static void BM_x(benchmark::State &s) { for (auto _ : s) benchmark::DoNotOptimize(s.range(0)); }
		BENCHMARK(BM_x)->Arg(8)->Iterations(1000)->Unit(benchmark::kMicrosecond);
		BENCHMARK_MAIN();
	END
	g++ -o bench b.cc -lbenchmark -lpthread
	recipe google-benchmark
	run -0 --separate-stderr sh recipe
	[[ $output =~ ^BM_x_8_iterations_1000:\ runtime:\ [0-9.]+us$ ]]
	printf '#!/bin/sh\nexit 3\n' > bench
	run -3 sh recipe
}

@test "pytest-benchmark" {
	needs pytest-3
	/usr/bin/python3 -c 'import pytest_benchmark' || skip 'no pytest-benchmark'
	PATH=/usr/bin:$PATH
	printf 'def test_add(benchmark):\n    benchmark(sum, range(1000))\n' > test_add.py
	recipe pytest-benchmark
	run -0 --separate-stderr sh recipe
	[[ $output =~ ^test_add:\ runtime:\ 0\.[0-9]+s$ ]]
	printf 'def test_add(benchmark):\n    assert False\n' > test_add.py
	run -1 sh recipe
	[[ $output != *runtime:* ]]
}

# pkg.go.dev/testing: "BenchmarkHex-8  68453040  17.8 ns/op"
@test "go test" {
	stub go $'goos: linux\nBenchmarkHex-8 \t68453040\t        17.8 ns/op\nBenchmarkSub/a=1-8\t10\t250 ns/op\t8 B/op\nPASS'
	prints 'go test' 'BenchmarkHex-8: runtime: 17.8ns' 'BenchmarkSub_a_1-8: runtime: 250ns'
}

# doc.rust-lang.org/test: "test tests::bench_add_two ... bench:  1 ns/iter (+/- 0)"
@test "cargo bench" {
	stub cargo $'running 1 test\ntest tests::add ... bench:       1,234.5 ns/iter (+/- 1,0)\n\ntest result: ok.'
	prints 'cargo bench' 'tests__add: runtime: 1234.5ns'
}

# bheisler.github.io/criterion.rs, --output-format bencher
@test "criterion" {
	stub cargo $'test fib 20 ... ignored\ntest fib_20 ... bench:       26,029 ns/iter (+/- 251)'
	prints 'cargo bench' 'fib_20: runtime: 26029ns'
}

# The CSV of JMH 1.37 (ResultFormatFactory, XSVResultFormat); -rff names its file.
@test "JMH" {
	stub java ''
	cat > stubs/java <<-'END'
		#!/bin/sh
		while [ $# -gt 1 ]; do [ "$1" != -rff ] || file=$2; shift; done
		printf '"Benchmark","Mode","Threads","Samples","Score","Score Error (99.9%%)","Unit"\n"org.x.B.copy","avgt",1,5,12.345678,0.1,"ns/op"\n' > "$file"
		exit ${FAILS:-0}
	END
	prints JMH 'copy: runtime: 12.346ns'
}

# pyperf.readthedocs.io: "timeit: Mean +- std dev: 4.19 us +- 0.05 us"
@test "pyperf" {
	stub python3 $'.....................\nsort: Mean +- std dev: 4.19 us +- 0.05 us\nslow: Mean +- std dev: 1.50 sec +- 0.02 sec'
	prints pyperf 'sort: runtime: 4.19 us' 'slow: runtime: 1.50 s'
}

# renaissance.dev: the line that each iteration ends with
@test "Renaissance" {
	stub java $'====== scrabble (functional) [default], iteration 0 started ======\n====== scrabble (functional) [default], iteration 0 completed (532.012 ms) ======\n====== scrabble (functional) [default], iteration 1 completed (213.458 ms) ======'
	prints Renaissance 'scrabble: runtime: 213.458 ms'
}

# dacapobench.org: the line of a benchmark that passed
@test "DaCapo" {
	stub java $'===== DaCapo 23.11-chopin h2 starting =====\n===== DaCapo 23.11-chopin h2 PASSED in 2342 msec ====='
	prints DaCapo 'h2: runtime: 2342 ms'
}

# github.com/smarr/are-we-fast-yet, docs/guidelines.md
@test "are-we-fast-yet" {
	stub python3 'Bounce: iterations=1 runtime: 1234us'
	recipe are-we-fast-yet
	run -0 sh recipe
	[ "$("$CCRE_BUILD/harness" runtime <<< "$output")" = 'Bounce 1234' ]
}

@test "a recipe of several names measures them with one execution" {
	stub go $'BenchmarkA-2\t10\t20000 ns/op\nBenchmarkB-2\t10\t70000 ns/op\nPASS'
	recipe 'go test'
	cp recipe "$PROJECT/bench.sh"
	project add bench.sh
	project commit -qm recipe
	run -0 experiment -r 1 -i 1 -b BenchmarkA-2='sh bench.sh' -b BenchmarkB-2='sh bench.sh'
	[ "$(tail -n 1 "$OUT/exp--run-1--iteration-0--BenchmarkA-2.csv")" = exp,1,0,1,20 ]
	[ "$(tail -n 1 "$OUT/exp--run-1--iteration-0--BenchmarkB-2.csv")" = exp,1,0,1,70 ]
}

@test "each recipe of the manual has a test" {
	local name
	sed -n '/^\.Sh RECIPES/,/^\.Ed/s/^# \([^:;,]*\).*/\1/p' "$CCRE_ROOT/cc-run-experiments.1" > names
	[ "$(wc -l < names)" = 12 ]
	while read -r name; do
		grep -q "^@test \"${name##*/}\" {" "$BATS_TEST_FILENAME"
	done < names
}
