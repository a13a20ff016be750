# contrib/compare: the sentence, the numbers, the void runs, and what differs between
# the arms. R computes the same statistics.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016).
# shellcheck disable=SC2030,SC2031,SC2016

load helper
load results

# Few tests run the program: these call checks.
teardown() {
	:
}

compare() {
	"$CCRE_ROOT/contrib/compare" -o "$OUT" "$@"
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

@test "five runs an arm: a sentence, the speed-ups, the factor, its interval, p and A12" {
	arm with 0.50 0.60 0.55 0.70 0.65
	arm without 0.90 1.00 0.80 0.62 0.95
	sed -i '$aplugin_directory,/plugin' "$OUT/with--experiment.csv"
	run -0 compare with without
	echo "$output"
	# 25 quotients in order: the 13th, the 3rd and the 23rd.
	local q
	q=$(for t in 0.50 0.60 0.55 0.70 0.65; do for c in 0.90 1.00 0.80 0.62 0.95; do
		awk -v t=$t -v c=$c 'BEGIN { printf "%.6f\n", c / t }'; done; done | sort -n)
	q() { sed -n "$1p" <<< "$q" | xargs printf "%.$2f"; }
	[ "${lines[0]}" = "With the plugin the code is $(q 13 2) times as fast (96.8 % interval $(q 3 2) to $(q 23 2), 5 against 5 runs)." ]
	grep -q "times as fast  *$(q 13 3)$" <<< "$output"
	grep -q "96.8 % interval  *$(q 3 3) to $(q 23 3)$" <<< "$output"
	grep -q 'p  *0.03175$' <<< "$output"		# 8 / 252: U = 2
	grep -q 'A12  *0.920:' <<< "$output"		# 23 of 25
	grep -q 'speed-ups of with  *1.429 1.538 1.667 1.818 2.000$' <<< "$output"
	grep -q 'speed-ups of without  *1.000 1.053 1.111 1.250 1.613$' <<< "$output"
}

@test "an interval that contains 1 shows no difference" {
	arm with 0.5 0.6 0.7 0.8
	arm without 0.7 0.5 0.8 0.6
	run -0 compare with without
	[[ ${lines[0]} == 'No difference is shown: in arm with the code is 1.00 times as fast as in arm without (97.1 % interval '* ]]
}

@test "too few runs give no conclusion, and the sentence names the smallest sizes" {
	arm with 0.5 0.6 0.7
	arm without 0.8 0.9 1.0
	run -0 compare with without
	[ "${lines[0]}" = 'No conclusion: 3 against 3 runs; at least 4 against 4 (or 3 against 5, or 2 against 8) are needed for an interval.' ]
	grep -q 'p  *0.1$' <<< "$output"
	[[ $output != *'% interval'* ]]
}

@test "the smallest sizes that have an interval are 4 against 4, 3 against 5 and 2 against 8" {
	local n size
	for size in '3 3 none' '4 4 97' '3 4 none' '3 5 96' '2 7 none' '2 8 95' '1 38 none'; do
		read -r n m level <<< "$size"
		run -0 "$CCRE_ROOT/contrib/compare" -t - < <(
		    seq -f 'b 1 %g' 100 $((99 + n)); seq -f 'b 2 %g' 1 "$m")
		[[ $level == none && $output == *$'\t-\t-\t'* || $output == *$'\t0.'"$level"* ]]
	done
}

@test "the median of an arm by iteration is the median of its speed-ups" {
	arm with 0.5 0.25 0.2 0.8
	arm without 1 1
	run -0 compare -t with without
	# The median of 2, 4, 5 and 1.25.
	[[ $output == *$'\nmedian\tb\t1\t0\t1\nmedian\tb\t1\t1\t3\nmedian\tb\t2\t0\t1\nmedian\tb\t2\t1\t1\nstats\tb\t4\t2\t'* ]]
	run -0 compare -t with
	[[ $output == *$'\nmedian\tb\t1\t1\t3' ]]
}

@test "two equal arms have factor 1, p 1 and A12 0.5" {
	arm with 0.5 0.5 0.7 0.6
	arm without 0.5 0.7 0.5 0.6
	run -0 compare with without
	echo "$output"
	grep -q 'times as fast  *1.000$' <<< "$output"
	grep -q 'p  *1$' <<< "$output"
	grep -q 'A12  *0.500:' <<< "$output"
}

@test "a run counts once, with the median of its samples" {
	arm with 0.5 0.5
	arm without 1 1
	samples with 1 1 100000 500000 500000 900000 900000 100000
	run -0 compare with without
	[[ $output == *'2 against 2 runs'* ]]
	grep -q 'speed-ups of with  *2.000 2.000$' <<< "$output"
}

@test "samples are sorted as numbers, however many digits they have" {
	arm with 0.5 0.5
	arm without 1 1
	samples with 1 1 95000 105000 100000
	run -0 compare with without
	grep -q 'speed-ups of with  *2.000 10.000$' <<< "$output"
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
	[[ $output =~ '  rate limit'\ +1\ +0 ]]
	[[ $output == *'1 against 4 runs'* ]]
	grep -q 'speed-ups of with  *1.250$' <<< "$output"
}

@test "a run whose last iterations were skipped has the speed-up of its last measurement" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,2/' "$OUT"/*--experiment.csv
	for prefix in with without; do
		attempt $prefix 1 2 failure >> "$OUT/$prefix--iterations.csv"
	done
	samples with 1 2 250000
	samples without 1 2 1000000
	run -0 compare with without
	grep -q 'speed-ups of with  *4.000$' <<< "$output"
	[[ $output =~ '  failure'\ +1\ +1 ]]
}

@test "a run whose last kept work is not measured is void" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,2/' "$OUT"/*--experiment.csv
	attempt with 1 2 success >> "$OUT/with--iterations.csv"
	attempt without 1 2 failure >> "$OUT/without--iterations.csv"
	samples without 1 2 1000000
	run -0 compare with without
	[ "${lines[0]}" = 'No conclusion: no run of with is finished and has a first and a last measurement.' ]
}

@test "columns of the ledger are read by name, in any order" {
	arm with 0.5
	arm without 1
	awk -F, -v OFS=, '{ last = $NF; for (i = NF; i > 1; i--) $i = $(i - 1); $1 = last; print }' \
	    "$OUT/with--iterations.csv" > turned
	mv turned "$OUT/with--iterations.csv"
	run -0 compare with without
	grep -q 'speed-ups of with  *2.000$' <<< "$output"
}

@test "a run in which less than a minute of agent time is left is finished" {
	arm with 0.5
	arm without 1
	sed -i 's/^iterations,1/iterations,9/;s/^timeout,7200/timeout,119/' "$OUT"/*--experiment.csv
	run -0 compare with without
	[[ $output =~ 'runs finished'\ +1\ +1$'\n' ]]
}

@test "all benchmarks of a run count by their geometric mean" {
	arm with 0.5
	arm without 1
	second_benchmark c 's/,1000000/,200/;s/,500000/,25/'
	run -0 compare with without
	echo "$output"
	[[ $output == 'b: no conclusion: '*$'\nc: no conclusion: '*$'\nall benchmarks: no conclusion: '* ]]
	[[ $(grep 'speed-ups of with ' <<< "$output" | tr -s ' ') == *' 2.000'*' 8.000'*' 4.000' ]]
}

@test "a benchmark may have the name all" {
	arm with 0.5
	arm without 1
	second_benchmark all ''
	run -0 compare with without
	echo "$output"
	[ "$(grep -c '^all: no conclusion: 1 against 1' <<< "$output")" = 1 ]
	[ "$(grep -c '^all benchmarks: no conclusion: 1 against 1' <<< "$output")" = 1 ]
}

@test "speed-ups that differ in the seventh digit have different ranks" {
	needs mawk gawk busybox
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
		grep -q 'p  *0.02857$' <<< "$output"	# 2 of 70: each is below each
	done
}

@test "a line names each setting besides the plugin in which the arms differ" {
	arm with 0.5
	arm without 1
	sed -i 's/^timeout,7200/timeout,60/;$ahost,other' "$OUT/without--experiment.csv"
	run -0 compare with without
	grep -qx 'The arms differ in: host, timeout.' <<< "$output"
}

@test "arms that differ in nothing but the plugin are called so" {
	arm with 0.5
	arm without 1
	run -0 compare with without
	grep -qx 'The arms differ in nothing.' <<< "$output"
	sed -i '$aplugin_directory,/p' "$OUT"/*--experiment.csv
	sed -i '$aplugin_commit,abc' "$OUT/with--experiment.csv"
	run -0 compare with without
	grep -qx 'The arms differ in nothing but the plugin.' <<< "$output"
}

@test "an arm without an init event is named, because only its settings are compared" {
	arm with 0.5
	arm without 1
	started with 1
	run -0 compare with without
	[[ $output == *'The arms differ in nothing.'$'\n''Only settings were compared: no transcript of without has an init event.' ]]
}

# started PREFIX RUN [SED]: the transcript of a run's first attempt; its init event is
# edited by SED.
started() {
	{
		echo '{"type":"system","subtype":"hook_started"}'
		echo '{"type":"system","subtype":"init","cwd":"/x, {\"","tools":["Bash","Read","mcp__plugin_p_db__ask"],"mcp_servers":[{"name":"plugin:p:db","status":"connected"},{"name":"db","status":"connected"}],"model":"opus","permissionMode":"bypassPermissions","apiKeySource":"none","claude_code_version":"2.1.332","output_style":"default","agents":["Explore"],"skills":["p:faster","x"],"plugins":[{"name":"p","path":"/p","source":"p@inline","version":"1.0"},{"name":"std","path":"builtin","source":"std@builtin","version":"2"}],"plugin_errors":[]}' |
		    sed "${3-}"
	} > "$OUT/$1--run-$2--iteration-1--attempt-1.jsonl"
}

# plain: remove what the plugin brings from an init event.
plain='s/"p:faster",//;s/{"name":"p",[^}]*},//;s/{"name":"plugin:[^}]*},//;s/,"mcp__plugin_[^"]*"//'

@test "what the plugin brings is no difference between the arms" {
	arm with 0.5
	arm without 1
	started with 1
	started without 1 "$plain"
	run -0 compare with without
	[[ $output == *$'\n\nThe arms differ in nothing.' ]]
}

@test "a line names each field of the init events in which the arms differ" {
	arm with 0.5
	arm without 1
	started with 1
	started without 1 "$plain;"'s/"Read"/"Read","Web"/;s/opus/sonnet/;s/"version":"2"/"version":"3"/;s/connected/failed/'
	run -0 compare with without
	[[ $output == *$'\nThe arms differ in: model (+opus, -sonnet), plugins (+std 2, -std 3), tools (-Web), mcp_servers (+db (connected), -db (failed)).' ]]
}

@test "a line names each field of the init events in which the attempts of an arm differ" {
	arm with 0.5 0.5
	arm without 1
	started with 1
	started with 2 's/"opus"/"haiku"/;s/"Read",//'
	started without 1
	run -0 compare with without
	[[ $output == *$'\nThe attempts of with differ in: model (opus in 1 of 2, haiku in 1 of 2), tools (Read in 1 of 2).' ]]
}

@test "a cost that is unknown is named, and the rest is marked as a part" {
	arm with 0.5 0.5
	arm without 1 1
	sed -i '2s/,0.5,/,,/' "$OUT/with--iterations.csv"
	run -0 compare with without
	[[ $output =~ 'of unknown cost'\ +1\ +0$'\n' ]]
	[[ $output =~ 'cost, USD'\ +'0.50+?'\ +1.00$'\n' ]]
}

@test "an arm whose costs are all unknown has no sum" {
	arm with 0.5
	arm without 1
	sed -i '2s/,0.5,/,,/' "$OUT/with--iterations.csv"
	run -0 compare with without
	[[ $output =~ 'cost, USD'\ +unknown\ +0.50$'\n' ]]
	run -0 compare -t with without
	grep -q $'^end\tb\t1\t1\t2\t-\t60\t' <<< "$output"
}

@test "a benchmark of --time is compared as well" {
	arm with 0.5
	arm without 1
	sed -i 's/^benchmark,b=x/time,b=x=y/' "$OUT"/*--experiment.csv
	run -0 compare with without
	grep -q 'speed-ups of with  *2.000$' <<< "$output"
}

@test "a run whose last measurement failed has no speed-up, although an earlier one succeeded" {
	arm with 0.5 0.5
	arm without 1 1
	sed -i 's/^iterations,1/iterations,2/' "$OUT"/*--experiment.csv
	local prefix
	for prefix in with without; do
		attempt $prefix 1 2 success >> "$OUT/$prefix--iterations.csv"
		attempt $prefix 2 2 success >> "$OUT/$prefix--iterations.csv"
		samples $prefix 1 2
		samples $prefix 2 2 250000
	done
	run -0 compare with without
	grep -q 'speed-ups of with  *4.000$' <<< "$output"
}

@test "long prefixes keep the columns apart" {
	arm a-prefix-of-twenty-one-ch 0.5
	arm without 1
	run -0 compare a-prefix-of-twenty-one-ch without
	[ "$(grep -e '^  .* without$' -e '^attempts ' <<< "$output" | awk '{ print length($0) }' | uniq -c | xargs)" = '2 80' ]
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
	grep -q 'times as fast  *1.500$' <<< "$output"
	grep -q 'speed-ups of slow  *1.333 1.333$' <<< "$output"
	[[ $output =~ 'cost, USD'\ +0.03\ +0.03 || $output =~ 'cost, USD'\ +0.02\ +0.02 ]]
	[[ $output == *'The arms differ in nothing.'* ]]
	checks
}

@test "mawk, gawk and busybox awk compute the same" {
	needs mawk gawk busybox
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
			    sprintf("%.6g", w$p.value), sprintf("%.6g\n", w$statistic / length(x) / length(y)))
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
	[[ $output == 'compare: -: line 1: expected NAME, an arm (1 or 2) and a speed-up above 0'* ]]
}
