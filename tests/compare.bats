# contrib/compare and contrib/plot: the numbers, the void runs, and the pictures. R
# computes the same statistics.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016).
# shellcheck disable=SC2030,SC2031,SC2016

load helper

# Few tests run the program: these call checks.
teardown() {
	:
}

compare() {
	"$CCRE_ROOT/contrib/compare" -o "$OUT" "$@"
}

COLUMNS=experiment_id,run_id,iteration_id,attempt,outcome,finished,exit_status,started_at,duration_seconds,charged_seconds,base_commit,commit,files_changed,total_added,total_removed,md_added,md_removed,num_turns,cost_usd,input_tokens,output_tokens,cache_read_tokens,cache_creation_tokens,session_id,model,claude_version,survivors,protected_touched

# arm PREFIX RATIO...: the results of a finished experiment of one iteration with
# benchmark b; its runs have these ratios.
arm() {
	local prefix=$1 run=0 ratio
	shift
	mkdir -p "$OUT"
	printf 'key,value\nprompt,"faster,\n""now"""\niterations,1\ntimeout,7200\nbenchmark,b=x\n' > "$OUT/$prefix--experiment.csv"
	echo $COLUMNS > "$OUT/$prefix--iterations.csv"
	for ratio; do
		run=$((run + 1))
		attempt "$prefix" $run 1 success >> "$OUT/$prefix--iterations.csv"
		samples "$prefix" $run 0 1000000
		samples "$prefix" $run 1 "$(awk -v r="$ratio" 'BEGIN { printf "%.0f", r * 1000000 }')"
	done
}

# attempt PREFIX RUN ITERATION OUTCOME [FINISHED]: a row of the ledger.
attempt() {
	echo "$1,$2,$3,1,$4,${5-1},0,2026-01-01T00:00:00Z,60.000,60.000,x,y,1,1,1,0,0,3,0.5,10,20,30,40,id,m,2,0,"
}

# samples PREFIX RUN ITERATION MICROSECONDS...: of benchmark b.
samples() {
	local prefix=$1 run=$2 m=$3 n=0 us file="$OUT/$1--run-$2--iteration-$3--b.csv"
	shift 3
	echo experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us > "$file"
	for us; do
		n=$((n + 1))
		echo "$prefix,$run,$m,$n,$us" >> "$file"
	done
}

# second_benchmark NAME SED: a second benchmark in run 1 of both arms, with b's
# numbers edited by SED.
second_benchmark() {
	local m prefix
	sed -i "s/^benchmark,b=x/&\nbenchmark,$1=y/" "$OUT"/*--experiment.csv
	for m in 0 1; do
		for prefix in with without; do
			sed "$2" "$OUT/$prefix--run-1--iteration-$m--b.csv" > "$OUT/$prefix--run-1--iteration-$m--$1.csv"
		done
	done
}

@test "five runs an arm: ratio, interval at 96.8 percent, p and A12" {
	arm with 0.50 0.60 0.55 0.70 0.65
	arm without 0.90 1.00 0.80 0.62 0.95
	run -0 compare with without
	echo "$output"
	# 25 quotients in order: the 13th, the 3rd and the 23rd.
	[[ $output == *'b: 5 against 5 runs'* ]]
	local quotients
	quotients=$(for t in 0.50 0.60 0.55 0.70 0.65; do for c in 0.90 1.00 0.80 0.62 0.95; do
		awk -v t=$t -v c=$c 'BEGIN { printf "%.6f\n", t / c }'; done; done | sort -n)
	[[ $output == *"ratio     $(sed -n 13p <<< "$quotients" | xargs printf %.3f)"* ]]
	[[ $output == *"interval  $(sed -n 3p <<< "$quotients" | xargs printf %.3f) to $(sed -n 23p <<< "$quotients" | xargs printf %.3f) (96.8 %): the treatment is faster"* ]]
	[[ $output == *'p         0.03175'* ]]		# 8 / 252: U = 2
	[[ $output == *'A12       0.920'* ]]		# 23 of 25
	[[ $output == *'  treatment 0.500 0.550 0.600 0.650 0.700'* ]]
	[[ $output == *'  control   0.620 0.800 0.900 0.950 1.000'* ]]
	[[ $output != *'arms differ'* ]]
}

@test "three runs an arm: a line says that no interval of 95 percent exists" {
	arm with 0.5 0.6 0.7
	arm without 0.8 0.9 1.0
	run -0 compare with without
	[[ $output == *'interval  none of 95 % exists for 3 against 3 runs'* ]]
	[[ $output == *'p         0.1'* ]]
}

@test "the median of an arm by iteration is the median of its speed-ups" {
	arm with 0.5 0.25 0.2 0.8
	arm without 1 1
	run -0 compare -t with without
	# The median of 2, 4, 5 and 1.25, not the reciprocal of the ratios' median.
	[[ $output == *$'\nmedian\tb\t1\t0\t1\nmedian\tb\t1\t1\t3\nmedian\tb\t2\t0\t1\nmedian\tb\t2\t1\t1\nstats\tb\t4\t2\t'* ]]
	run -0 compare -t with
	[[ $output == *$'\nmedian\tb\t1\t1\t3' ]]
}

@test "two equal arms have ratio 1, p 1 and A12 0.5" {
	arm with 0.5 0.5 0.7 0.6
	arm without 0.5 0.7 0.5 0.6
	run -0 compare with without
	echo "$output"
	[[ $output == *'ratio     1.000'$'\n'* && $output == *'p         1'$'\n'* && $output == *'A12       0.500'* ]]
}

@test "a run counts once, with the median of its samples" {
	arm with 0.5 0.5
	arm without 1 1
	samples with 1 1 100000 500000 500000 900000 900000 100000
	run -0 compare with without
	[[ $output == *'b: 2 against 2 runs'* && $output == *'treatment 0.500 0.500'* ]]
}

@test "samples are sorted as numbers, however many digits they have" {
	arm with 0.5 0.5
	arm without 1 1
	samples with 1 1 95000 105000 100000
	run -0 compare with without
	[[ $output == *'treatment 0.100 0.500'* ]]
}

@test "iterations are compared as numbers: 3 of 10 is not finished" {
	arm with 0.5 0.5
	arm without 1 1
	sed -i 's/^iterations,1/iterations,10/' "$OUT/with--experiment.csv"
	for m in 2 3; do
		attempt with 1 $m success >> "$OUT/with--iterations.csv"
		samples with 1 $m 300000
	done
	run -0 compare with without
	[[ $output =~ 'runs finished'\ +0\ +2$'\n' ]]
}

@test "a run without a last measurement, or without an end, is void and counted" {
	arm with 0.5 0.6 0.7 0.8
	arm without 1 1 1 1
	rm "$OUT/with--run-1--iteration-1--b.csv"	# not measured
	samples with 2 1				# the benchmark failed
	sed -i '/^with,3,/s/success,1/rate limit,0/' "$OUT/with--iterations.csv"
	run -0 compare with without
	echo "$output"
	[[ $output =~ 'runs started'\ +4\ +4$'\n''runs finished'\ +3\ +4$'\n''runs void'\ +3\ +0$'\n' ]]
	[[ $output =~ 'attempts rate limited'\ +1\ +0 ]]
	[[ $output == *'b: 1 against 4 runs'*'treatment 0.800'* ]]
}

@test "a skipped iteration carries the ratio before it forward" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,3/' "$OUT"/*--experiment.csv
	for prefix in with without; do
		attempt $prefix 1 2 failure >> "$OUT/$prefix--iterations.csv"
		attempt $prefix 1 3 failure >> "$OUT/$prefix--iterations.csv"
	done
	run -0 compare with without
	echo "$output"
	[[ $output == *'b: 1 against 1 runs'*'treatment 0.500'* ]]
	[[ $output =~ 'attempts failed'\ +2\ +2 ]]
	run -0 compare -t with without
	[[ $output == *$'iteration\tb\t1\t1\t1\t0.5\t0\niteration\tb\t1\t1\t2\t0.5\t1\niteration\tb\t1\t1\t3\t0.5\t1\n'* ]]
	[[ $output == *$'median\tb\t1\t0\t1\nmedian\tb\t1\t1\t2\nmedian\tb\t1\t2\t2\nmedian\tb\t1\t3\t2\nmedian\tb\t2\t0\t1\n'* ]]
}

@test "a run whose last kept work is not measured is void" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,2/' "$OUT"/*--experiment.csv
	attempt with 1 2 success >> "$OUT/with--iterations.csv"
	attempt without 1 2 failure >> "$OUT/without--iterations.csv"
	run -0 compare with without
	[[ $output == *'b: 0 against 1 runs'*'nothing to compare'* ]]
}

@test "columns of the ledger are read by name, in any order" {
	arm with 0.5
	arm without 1
	awk -F, -v OFS=, '{ last = $NF; for (i = NF; i > 1; i--) $i = $(i - 1); $1 = last; print }' \
	    "$OUT/with--iterations.csv" > turned
	mv turned "$OUT/with--iterations.csv"
	run -0 compare with without
	[[ $output == *'treatment 0.500'* ]]
}

@test "a run in which less than a minute of agent time is left is finished" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,9/;s/^timeout,7200/timeout,119/' "$OUT"/*--experiment.csv
	run -0 compare with without
	[[ $output =~ 'runs finished'\ +1\ +1$'\n' ]]
}

@test "a run that ended out of time is finished" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,9/' "$OUT"/*--experiment.csv
	sed -i 's/,success,1/,out of time,1/' "$OUT"/with--iterations.csv
	run -0 compare with without
	[[ $output =~ 'runs finished'\ +1\ +0$'\n' ]]
}

@test "all benchmarks of a run count by their geometric mean" {
	arm with 0.5
	arm without 1
	second_benchmark c 's/,1000000/,200/;s/,500000/,25/'
	run -0 compare with without
	echo "$output"
	[[ $output == *'c: 1 against 1 runs'*'treatment 0.125'* && $output == *'all benchmarks: 1 against 1 runs'*'treatment 0.250'* ]]
}

@test "a benchmark may have the name all" {
	arm with 0.5
	arm without 1
	second_benchmark all ''
	run -0 compare with without
	echo "$output"
	[ "$(grep -c '^all: 1 against 1 runs' <<< "$output")" = 1 ]
	[ "$(grep -c '^all benchmarks: 1 against 1 runs' <<< "$output")" = 1 ]
}

@test "ratios that differ in the seventh digit have different ranks" {
	local awk
	for awk in mawk gawk 'busybox awk'; do
		printf '#!/bin/sh\nexec %s "$@"\n' "$awk" > bin/awk
		chmod +x bin/awk
		run -0 "$CCRE_ROOT/contrib/compare" - <<-'END'
			x 1 .1
			x 1 .2
			x 1 .3
			x 1 .9123451
			x 2 .9123452
			x 2 1
			x 2 2
			x 2 3
		END
		[[ $output == *'p         0.02857'* ]]	# 2 of 70: each is below each
	done
}

@test "a line names each setting besides the plugin in which the arms differ" {
	arm with 0.5
	arm without 1
	sed -i 's/^timeout,7200/timeout,60/;$ahost,other' "$OUT/without--experiment.csv"
	run -0 compare with without
	[[ $output == *'The arms differ in host, too.'$'\n''The arms differ in timeout, too.'* ]]
}

@test "results of the program itself are compared" {
	echo 8000 > "$PROJECT/us"
	project add us
	project commit -qm slow
	snapshot
	local benchmark='b=echo runtime: $(cat us)us'
	REHEARSAL_EDIT='echo 4000 > us' run -0 ccre --no-plugin -q -r 2 -i 1 -o "$OUT" -b "$benchmark" "$PROJECT" fast
	REHEARSAL_EDIT='echo 6000 > us' run -0 ccre --no-plugin -q -r 2 -i 1 -o "$OUT" -b "$benchmark" "$PROJECT" slow
	run -0 compare fast slow
	echo "$output"
	[[ $output == *'ratio     0.667'* && $output == *'treatment 0.500 0.500'* && $output == *'control   0.750 0.750'* ]]
	[[ $output =~ 'cost, USD'\ +0.03\ +0.03 || $output =~ 'cost, USD'\ +0.02\ +0.02 ]]
	[[ $output != *'arms differ'* ]]
	checks
}

@test "mawk, gawk and busybox awk compute the same" {
	local awk first='' tried=0
	arm with 0.51 0.62 0.55 0.73 0.6
	arm without 0.9 1.1 0.8 0.62 0.95
	for awk in mawk gawk 'gawk --posix' 'busybox awk'; do
		command -v "${awk%% *}" || continue
		printf '#!/bin/sh\nexec %s "$@"\n' "$awk" > bin/awk
		chmod +x bin/awk
		run -0 compare with without
		[ "${first:=$output}" = "$output" ]
		tried=$((tried + 1))
	done
	rm bin/awk
	[ "$tried" -ge 2 ]
}

@test "30 random data sets: estimate, interval, p and A12 are those of R" {
	command -v Rscript || skip "no R here"
	cat > sets.R <<-'END'
		set.seed(7)
		for (k in 1:30) {
			x <- exp(rnorm(sample(2:8, 1))); y <- exp(rnorm(sample(2:8, 1), 0.5))
			cat(sprintf("s%d 1 %.15g\n", k, x), sprintf("s%d 2 %.15g\n", k, y), sep = "", file = "sets", append = TRUE)
			x <- log(x); y <- log(y)
			w <- suppressWarnings(wilcox.test(x, y, exact = TRUE, conf.int = TRUE))
			there <- 2 / choose(length(x) + length(y), length(x)) <= 0.05
			cat(length(x), length(y), sprintf("%.6g", exp(w$estimate)),
			    if (there) sprintf("%.6g", exp(w$conf.int)) else c("-", "-"),
			    sprintf("%.6g", w$p.value), sprintf("%.6g\n", 1 - w$statistic / length(x) / length(y)))
		}
	END
	Rscript sets.R | sed 's/ *$//' > expected
	"$CCRE_ROOT/contrib/compare" -t - < sets | awk -F '\t' '
	    { for (i = 5; i <= 10; i++) $i = $i == "-" ? "-" : sprintf("%.6g", $i)
	      print $3, $4, $5, $6, $7, $9, $10 }' > found
	diff expected found
	[ "$(wc -l < found)" = 30 ]
	[ "$(grep -vc ' - ' found)" -ge 15 ]
}

@test "input that cannot be compared is refused with a message that names the file" {
	arm with 0.5
	run -1 compare with without
	[[ $output == "compare: $OUT/without--experiment.csv: expected the results of an experiment"* ]]
	run -2 compare with with
	run -2 compare with
	arm without 1
	echo 'without,1,1' >> "$OUT/without--iterations.csv"
	run -1 compare with without
	[[ $output == "compare: $OUT/without--iterations.csv: line 3: expected a row of a ledger"* ]]
	run -1 "$CCRE_ROOT/contrib/compare" - <<< 'b 1 0'
	[[ $output == 'compare: -: line 1: expected NAME, an arm (1 or 2) and a ratio above 0'* ]]
}

@test "the plot has axes with units, both arms, the ratio, and a sign for each run" {
	command -v gnuplot || skip "no gnuplot here"
	arm with 0.50 0.60 0.55 0.70 0.65
	arm without 0.90 1.00 0.80 0.62 0.95
	run -0 "$CCRE_ROOT/contrib/plot" -o "$OUT" -w 'the picture.svg' with without b
	[ -z "$output" ]
	local text
	for text in 'speed-up (times)' iteration 'cost (USD)' 'run time (ms)' 'with (median)' 'without (median)' \
	    'ratio of times 0.6' '96.8 % interval' '5 against 5 runs'; do
		grep -qF "$text" 'the picture.svg'
	done
	grep -qi 'rgb( *0, 114, 178)' 'the picture.svg'
	grep -qi 'rgb(213,  94,   0)' 'the picture.svg'
	run -0 "$CCRE_ROOT/contrib/plot" -o "$OUT" -s 700x500 -w p.png with without b
	[ "$(od -An -tx1 -j 16 -N 8 p.png)" = ' 00 00 02 bc 00 00 01 f4' ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "without a file the plot is made of characters" {
	command -v gnuplot || skip "no gnuplot here"
	arm "o'neil" 0.25 0.25
	arm without 1 0.5
	run -0 "$CCRE_ROOT/contrib/plot" -o "$OUT" -s 80x20 "o'neil" without b
	echo "$output"
	[[ $output == *'b: speed-up over iteration 0'*"o'neil (median)"*'Last speed-up: ratio of times 0.354 '*'no interval of 95 % exists'*'arm (2 against 2 runs)'* ]]
	[[ $output == *'*'* ]]
}

@test "a plot that cannot be drawn is refused with a message" {
	command -v gnuplot || skip "no gnuplot here"
	arm "o'neil" 0.25 0.25
	arm without 1 0.5
	run -1 "$CCRE_ROOT/contrib/plot" -o "$OUT" "o'neil" without c
	[[ $output == "plot: c: expected a finished run with a last measurement of it in both o'neil and without" ]]
	rm "$OUT"/without--run-*--iteration-1--b.csv
	run -1 "$CCRE_ROOT/contrib/plot" -o "$OUT" "o'neil" without b
	[[ $output == "plot: b: expected a finished run"*"without" ]]
	run -2 "$CCRE_ROOT/contrib/plot" -o "$OUT" -w p.gif "o'neil" without b
	run -2 "$CCRE_ROOT/contrib/plot" -s 10 "o'neil" without b
	run -1 "$CCRE_ROOT/contrib/plot" -o nowhere "o'neil" without b
}
