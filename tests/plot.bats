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
}

@test "the picture names both arms, the factor, its interval and the units" {
	needs gnuplot
	five
	run -0 plot -w 'the picture.svg' with without b
	local text
	for text in 'b: with against without' 'with (median)' 'without (median)' iteration run factor \
	    'cost (USD)' '5 against 5 runs'; do
		labels 'the picture.svg' | grep -qxF "$text"
	done
	text=$("$CCRE_ROOT/contrib/compare" -o "$OUT" with without |
	    sed -n '1s/.*(\(.*\), 5 against.*/\1/p')
	labels 'the picture.svg' | grep -qxF "$text"
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

@test "a long prefix is cut in the picture" {
	needs gnuplot
	arm a-prefix-of-more-than-thirty-characters 0.5
	arm without 1
	run -0 plot -w p.svg a-prefix-of-more-than-thirty-characters without b
	labels p.svg | grep -qxF 'a-prefix-of-more-than-thirty.. (median)'
}

@test "without a file the plot is made of characters" {
	needs gnuplot
	arm "o'neil" 0.25 0.25
	arm without 1 0.5
	run -0 plot -s 80x20 "o'neil" without b
	echo "$output"
	[[ $output == *'b: speed-up by iteration'*"o'neil (median)"*'last speed-up: 2.83 times as fast'*'too few runs for an interval'*'2 against 2 runs'* ]]
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
