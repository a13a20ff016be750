# contrib/plot: the pictures.

# shellcheck disable=SC2154 # run assigns status and output
load helper
load results

# Few tests run the program.
teardown() {
	:
}

plot() {
	"$CCRE_ROOT/contrib/plot" -o "$OUT" "$@"
}

# labels FILE.svg: the texts of the picture, one a line.
labels() {
	sed -n 's/.*<text>\([^<]*\)<.*/\1/p' "$1"
}

# five: five runs an arm.
five() {
	arm with 0.50 0.60 0.55 0.70 0.65
	arm without 0.90 1.00 0.80 0.62 0.95
}

@test "a picture has the size that is asked for, and nothing is left in TMPDIR" {
	needs gnuplot
	five
	run -0 plot -s 700x500 -w p.png with without b
	[ -z "$output" ]
	[ "$(od -An -tx1 -j 16 -N 8 p.png)" = ' 00 00 02 bc 00 00 01 f4' ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "each panel has a speed-up axis with at least four ticks, and a line at 1x" {
	needs gnuplot
	five
	run -0 plot -w p.svg with without b
	labels p.svg > words
	[ "$(grep -c '^speed-up$' words)" = 4 ]
	[ "$(grep -c '^1x$' words)" = 4 ]
	[ "$(grep -c '^[0-9.]*x$' words)" -ge 16 ]
	[ "$(grep "stroke='rgb(  0,   0,   0)'" p.svg | awk '{ n += split($0, part, " L") > 7 } END { print n }')" = 4 ]
}

@test "the picture names both arms, the factor, its interval and the units" {
	needs gnuplot
	five
	run -0 plot -w 'the picture.svg' with without b
	local text
	for text in 'b: with against without' with without iteration run factor 'cost (USD)' '5 runs'; do
		labels 'the picture.svg' | grep -qxF "$text"
	done
	text=$("$CCRE_ROOT/contrib/compare" -o "$OUT" with without |
	    sed -n '1s/.*(\(.*\), 5 against.*/\1/p')
	labels 'the picture.svg' | grep -qE "^factor [0-9.]+ [(]${text}[)]\$"
}

@test "a speed-up that changes little has fine ticks, one that changes much has coarse ones" {
	needs gnuplot
	arm with 0.99 0.98
	arm without 1 0.985
	run -0 plot -w p.svg with without b
	labels p.svg | grep -qx '1.01x'
	arm with 0.01 0.02
	run -0 plot -w p.svg with without b
	labels p.svg | grep -qx '64x'
}

@test "a run whose cost is unknown is not drawn over the cost" {
	needs gnuplot
	arm with 0.5
	arm without 1
	run -0 plot -w p.svg with without b
	local all
	all=$(grep -c "xlink:href='#gpPt" p.svg)
	sed -i '2s/,0.5,/,,/' "$OUT/with--iterations.csv"
	run -0 plot -w p.svg with without b
	[ "$(grep -c "xlink:href='#gpPt" p.svg)" -lt "$all" ]
}

@test "a panel without a known cost says so, and is drawn" {
	needs gnuplot
	arm with 0.5
	arm without 1
	sed -i '2s/,0.5,/,,/' "$OUT"/*--iterations.csv
	run -0 plot -w p.svg with without b
	labels p.svg | grep -qx 'no cost is known'
	[ "$(labels p.svg | grep -c '^1x$')" = 4 ]
}

@test "a line joins iterations only if both were measured" {
	needs gnuplot
	lines() { grep "path stroke='rgb(  0, 114, 178)'" p.svg | grep -o ' L[0-9]' | wc -l; }
	arm with 0.5
	arm without 1
	run -0 plot -w p.svg with without b
	[ "$(lines)" = 3 ]	# the run, the median and the legend
	sed -i 's/^iterations,1/iterations,2/' "$OUT/with--experiment.csv"
	attempt with 1 2 success >> "$OUT/with--iterations.csv"
	mv "$OUT/with--run-1--iteration-1--b.csv" "$OUT/with--run-1--iteration-2--b.csv"
	run -0 plot -w p.svg with without b
	labels p.svg | grep -qx 2
	[ "$(lines)" = 1 ]
}

@test "no interval is drawn if there is none" {
	needs gnuplot
	arm with 0.5 0.5 0.5
	arm without 1 1 1
	run -0 plot -s 80x20 with without b
	[[ $output == *'factor 2.00, too few runs for an interval'* ]]
	[ "$(grep -c % <<< "$output")" = 0 ]	# the ends of an interval
}

@test "a prefix of 40 characters is whole in the picture, a longer one lacks its middle" {
	needs gnuplot
	local name=a-prefix-that-has-some-forty-characters-
	arm $name 0.5
	arm ${name}and-more-than-that 1
	run -0 plot -w p.svg $name ${name}and-more-than-that b
	labels p.svg | grep -qxF $name
	labels p.svg | grep -qxF a-prefix-that-has-som..rs-and-more-than-that
}

@test "without a file the plot is made of characters" {
	needs gnuplot
	arm "o'neil" 0.25 0.25
	arm without 1 0.5
	run -0 plot -s 80x20 "o'neil" without b
	echo "$output"
	[[ $output == *'b: speed-up by iteration'*"o'neil (median)"*'last speed-up of each run'*'2 runs'*'factor 2.83, too few runs for an interval'* ]]
	[[ $output == *'*'* ]]
}

@test "a plot that cannot be drawn is refused with a message" {
	needs gnuplot
	arm "o'neil" 0.25 0.25
	arm without 1 0.5
	run -1 plot "o'neil" without c
	[[ $output == "plot: c: expected a finished run with a last measurement of it in both o'neil and without" ]]
	rm "$OUT"/without--run-*--iteration-1--b.csv
	run -1 plot "o'neil" without b
	[[ $output == "plot: b: expected a finished run"*"without" ]]
	run -2 plot -w p.gif "o'neil" without b
	run -2 plot -s 10 "o'neil" without b
	run -1 plot -o nowhere "o'neil" without b
}
