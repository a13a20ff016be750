# Section 10 of the design: the yardstick, and that it stays put.
# shellcheck disable=SC2154  # $output, $stderr and $status are set by run
# shellcheck disable=SC2016  # benchmark commands are expanded by /bin/sh later
bats_require_minimum_version 1.5.0
load helper
export SCENE

SAMPLES=experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us

# us NAME ITERATION [RUN]: the samples there, on one line.
us() {
	sed 1d "$OUT/exp--run-${3:-1}--iteration-$2--$1.csv" | cut -d, -f5 |
	    paste -sd' '
}

# failed NAME ITERATION [RUN]: there is a CSV with the header alone, and a log.
failed() {
	printf '%s\n' "$SAMPLES" | cmp - "$OUT/exp--run-${3:-1}--iteration-$2--$1.csv"
	[ -f "$OUT/exp--run-${3:-1}--iteration-$2--$1.log" ]
}

# log NAME ITERATION [RUN]: what it printed there.
log() {
	cat "$OUT/exp--run-${3:-1}--iteration-$2--$1.log"
}

# points NAME: where it was measured, as run-iteration.
points() {
	find "$OUT" -name "exp--*--$1.csv" |
	    sed 's/.*--run-\([0-9]*\)--iteration-\([0-9]*\)--.*/\1-\2/' |
	    sort -n | paste -sd' '
}

git_project() {
	git -C "$PROJECT" "$@"
}

@test "each benchmark is measured at the baseline and at the last iteration of each run" {
	experiment -q -r 2 -i 3 -b fast='echo runtime: 5ms' -b slow='echo runtime: 2s'
	[ "$(points fast)" = '1-0 1-3 2-0 2-3' ]
	[ "$(points slow)" = '1-0 1-3 2-0 2-3' ]
	printf '%s\n' "$SAMPLES" exp,2,3,1,5000 | cmp - "$OUT/exp--run-2--iteration-3--fast.csv"
	printf '%s\n' "$SAMPLES" exp,1,0,1,2000000 | cmp - "$OUT/exp--run-1--iteration-0--slow.csv"
	house_is_clean
}

@test "a benchmark measures the tree of its iteration" {
	experiment -q -r 2 -i 2 --every-iteration \
	    -b lines='[ ! -e rehearsal.txt ] || cat rehearsal.txt; echo runtime: 1ms'
	[ "$(points lines)" = '1-0 1-1 1-2 2-0 2-1 2-2' ]
	[ "$(log lines 0 1)" = 'runtime: 1ms' ]
	[ "$(log lines 1 1)" = $'call 1\nruntime: 1ms' ]
	[ "$(log lines 2 1)" = $'call 1\ncall 2\nruntime: 1ms' ]
	[ "$(log lines 0 2)" = 'runtime: 1ms' ]
	[ "$(log lines 2 2)" = $'call 3\ncall 4\nruntime: 1ms' ]
}

@test "a benchmark that fails leaves its log and a header, and the experiment goes on" {
	run --separate-stderr -0 experiment -q -r 1 -i 1 \
	    -b status='echo runtime: 1ms; echo why it failed >&2; exit 3' \
	    -b killed='echo runtime: 1ms; kill -KILL $$' \
	    -b missing='no-such-command-anywhere' \
	    -b good='echo runtime: 7ms'
	local name
	for name in status killed missing; do
		failed $name 0
		failed $name 1
		[[ $stderr == *" $name "* ]]
	done
	[[ $stderr != *" good "* ]]
	[[ $(log status 1) == *'why it failed'* ]]
	[[ $(log missing 1) == *no-such-command-anywhere* ]]
	[ "$(us good 0) $(us good 1)" = '7000 7000' ]
	[ "$(ledger outcome)" = success ]
	house_is_clean
}

@test "one failed sample is a failed benchmark" {
	experiment -q -r 1 -i 1 --samples 3 \
	    -b second='echo x >> "$SCENE/count"; echo runtime: 1ms; [ $(wc -l < "$SCENE/count") != 2 ]'
	failed second 0
	[ "$(us second 1)" = '1000 1000 1000' ]
}

@test "a benchmark that hangs is ended, whatever it does against it" {
	run --separate-stderr -0 quick -q -r 1 -i 1 --benchmark-timeout 1 \
	    -b hang='echo runtime: 1ms; [ -e rehearsal.txt ] || sleep 1000' \
	    -b stubborn='echo started; trap "" TERM HUP INT; [ -e rehearsal.txt ] || while :; do sleep 1; done; echo runtime: 2ms'
	failed hang 0
	failed stubborn 0
	[ "$(log stubborn 0)" = started ]
	[[ $stderr == *hang* && $stderr == *stubborn* ]]
	[ "$(us hang 1) $(us stubborn 1)" = '1000 2000' ]
	house_is_clean
}

@test "what a benchmark leaves running is ended, and not waited for" {
	# teardown looks for survivors
	experiment -q -r 1 -i 1 \
	    -b first='setsid sh -c "trap \"\" TERM; echo \$\$ > \"$SCENE/daemon\"; while :; do sleep 1000; done" & until [ -s "$SCENE/daemon" ]; do sleep 0.02; done; echo runtime: 1ms' \
	    -b second='read -r pid < "$SCENE/daemon"; ! grep "^State:.*[^ZX] (" "/proc/$pid/status" && echo runtime: 2ms'
	[ "$(us first 1) $(us second 1)" = '1000 2000' ]
}

@test "a runtime is read in each unit, with fractions, wherever it stands in a line" {
	experiment -q -r 1 -i 1 \
	    -b ns='echo runtime: 2000ns' -b us='echo runtime: 250us' \
	    -b ms='echo runtime: 12.5ms' -b s='echo runtime: 1.25s' \
	    -b half='echo runtime: 0.5s' -b bc='echo fib: runtime: .98s' -b long='echo runtime: 5000s' \
	    -b rebench='echo "Richards: iterations=1 runtime: 34321us"' \
	    -b after='echo "runtime: 7ms (the mean), as measured"' \
	    -b cr='printf "runtime: 8ms\r\n"' -b nonl='printf "runtime: 9ms"' \
	    -b nul='printf "\000\377\nruntime: 10ms\n\000"' \
	    -b tab='printf "name\truntime: 11ms\tok\n"'
	[ "$(us ns 1)" = 2 ]
	[ "$(us us 1)" = 250 ]
	[ "$(us ms 1)" = 12500 ]
	[ "$(us s 1)" = 1250000 ]
	[ "$(us half 1)" = 500000 ]
	[ "$(us bc 1)" = 980000 ]
	[ "$(us long 1)" = 5000000000 ]
	[ "$(us rebench 1)" = 34321 ]
	[ "$(us after 1)" = 7000 ]
	[ "$(us cr 1)" = 8000 ]
	[ "$(us nonl 1)" = 9000 ]
	[ "$(us nul 1)" = 10000 ]
	[ "$(us tab 1)" = 11000 ]
}

@test "runtime in prose without a number is no sample, and no fault" {
	experiment -q -r 1 -i 1 \
	    -b before='echo "the runtime: see below"; echo "runtime: "; echo runtime: unknown; echo "runtime: ... - 3"; echo runtime: 5ms' \
	    -b line='echo "what follows runtime: is the time; runtime: 6ms"' \
	    -b alone='echo "runtime: fast"'
	[ "$(us before 1)" = 5000 ]
	[ "$(us line 1)" = 6000 ]
	[[ $(us alone 1) =~ ^[1-9][0-9]*$ ]]	# the wall time
}

@test "a malformed runtime is a failed benchmark, never its first part" {
	run --separate-stderr -0 experiment -q -r 1 -i 1 \
	    -b comma='echo runtime: 1,5ms' -b unitless='echo runtime: 15' \
	    -b minutes='echo runtime: 5min' -b dots='echo runtime: 1.2.3ms' \
	    -b hex='echo runtime: 0x10ms' -b minus='echo fib: runtime: -3ms' -b below='echo runtime: -.98s' -b apart='echo runtime: 1 500ms' \
	    -b among='echo runtime: 3ms; echo runtime: 1,5ms; echo runtime: 4ms' \
	    -b good='echo runtime: 3ms'
	local name
	for name in comma unitless minutes dots hex minus below apart among; do
		echo "$name"
		failed $name 0
		failed $name 1
		[[ $stderr == *$name* ]]
	done
	[ "$(us good 1)" = 3000 ]
}

@test "a runtime too large for any clock is a failed benchmark, not another number" {
	experiment -q -r 1 -i 1 -b huge='echo runtime: 1e300s' \
	    -b infinite='echo runtime: 1e999s'
	failed huge 1
	failed infinite 1
}

@test "where no runtime is told the wall time is the sample" {
	experiment -q -r 1 -i 1 --samples 2 -b nap='sleep 0.1' -b nothing=true
	local n
	[ "$(us nap 1 | wc -w)" = 2 ]
	for n in $(us nap 1); do
		[ "$n" -ge 100000 ]
		[ "$n" -lt 60000000 ]
	done
	for n in $(us nothing 0) $(us nothing 1); do
		[ "$n" -gt 0 ]
		[ "$n" -lt 60000000 ]
	done
}

@test "the wall time of a benchmark that ends while it is still being started is whole" {
	unsanitized			# LeakSanitizer and strace exclude each other
	CC_TEST_ID=$BATS_TEST_TMPDIR run -0 strace -qq -o trace -e trace=clone,clone3 \
	    -e inject=clone,clone3:delay_exit=200000 "$CCRE" -q --no-plugin -o "$OUT" \
	    -r 1 -i 1 -b nap='sleep 0.1' "$PROJECT" exp
	[ "$(us nap 1)" -ge 100000 ]
}

@test "a line that looks like a runtime to people only is told, and the wall time taken" {
	local line
	for line in 'Runtime: 3ms' '  RUNTIME = 3 ms' 'runtime 3ms'; do
		run -0 experiment -r 1 -i 1 --samples 2 -b "b=echo '$line'"
		[ "$(grep -c 'expected runtime: NUMBER and ns, us, ms or s: the wall time of echo ' <<< "$output")" = 2 ]
		[ "$(us b 1 | wc -w)" = 2 ]
		git -C "$PROJECT" branch -D exp-run-1-iteration-1
		git -C "$PROJECT" update-ref -d refs/cc-run-experiments/exp/baseline
		rm -rf "$OUT"
	done
	run -0 experiment -r 1 -i 1 -b 'b=echo the JIT runtime is 3.2; echo runtime checks: none; echo time: 3ms'
	[[ $output != *'expected runtime:'* ]]
}

@test "the end of a point tells when not all benchmarks were measured" {
	run -0 experiment -r 1 -i 1 -b good='echo runtime: 1ms' -b bad=false
	[ "$(grep -c 'benchmarks are done, not all with success$' <<< "$output")" = 2 ]
	[ "$(grep -c 'benchmarks are done$' <<< "$output")" = 0 ]
}

@test "a very long line does no harm" {
	experiment -q -r 1 -i 1 \
	    -b line='[ -e rehearsal.txt ] || head -c 50000000 /dev/zero | tr "\000" x; echo; echo runtime: 3ms'
	[ "$(us line 0) $(us line 1)" = '3000 3000' ]
	[ "$(wc -c < "$OUT/exp--run-1--iteration-0--line.log")" -gt 50000000 ]
}

@test "a runtime that stands late in a long line counts as any other" {
	experiment -q -r 1 -i 1 \
	    -b far='head -c 100000 /dev/zero | tr "\000" x; echo " runtime: 1234ms"' \
	    -b amid='head -c 4080 /dev/zero | tr "\000" x; echo " runtime: 1234ms"' \
	    -b edge='head -c 1020 /dev/zero | tr "\000" x; echo " runtime: 1234ms"'
	[ "$(us edge 1)" = 1234000 ]
	[ "$(us amid 1)" = 1234000 ]
	[ "$(us far 1)" = 1234000 ]
}

@test "all lines of all samples are kept, numbered from 1" {
	experiment -q -r 1 -i 1 --samples 3 \
	    -b two='echo x >> "$SCENE/count"; n=$(wc -l < "$SCENE/count"); printf "runtime: ${n}ms\nnoise\nruntime: ${n}us\n"' \
	    -b some='[ $(($(wc -l < "$SCENE/count") % 2)) = 0 ] || echo no runtime; echo runtime: 9us'
	printf '%s\n' "$SAMPLES" exp,1,0,1,1000 exp,1,0,2,1 exp,1,0,3,2000 \
	    exp,1,0,4,2 exp,1,0,5,3000 exp,1,0,6,3 |
	    cmp - "$OUT/exp--run-1--iteration-0--two.csv"
	printf '%s\n' "$SAMPLES" exp,1,1,1,4000 exp,1,1,2,4 exp,1,1,3,5000 \
	    exp,1,1,4,5 exp,1,1,5,6000 exp,1,1,6,6 |
	    cmp - "$OUT/exp--run-1--iteration-1--two.csv"
	[ "$(us some 1)" = '9 9 9' ]
}

@test "--build runs before the benchmarks, once at each point" {
	experiment -q -r 1 -i 1 --samples 2 \
	    --build 'echo build >> "$SCENE/order"; cat main.py > product.o' \
	    -b one='echo one >> "$SCENE/order"; cat product.o; echo runtime: 1ms' \
	    -b two='echo two >> "$SCENE/order"; echo runtime: 2ms'
	[ "$(paste -sd' ' "$SCENE/order")" = 'build one one two two build one one two two' ]
	[ "$(us one 1) $(us two 1)" = '1000 1000 2000 2000' ]
	[[ $(log one 1) == *'print("hello")'* ]]
}

@test "where the build fails the benchmarks have failed, and the experiment goes on" {
	run --separate-stderr -0 experiment -q -r 1 -i 2 --every-iteration \
	    --build 'echo building; [ "$(tail -n 1 rehearsal.txt)" != "call 1" ]' \
	    -b one='echo runtime: 1ms' -b two='echo runtime: 2ms'
	failed one 1
	failed two 1
	[[ $stderr == *one* && $stderr == *two* ]]
	[ "$(us one 0) $(us two 0)" = '1000 2000' ]
	[ "$(us one 2) $(us two 2)" = '1000 2000' ]
	[ "$(ledger outcome)" = $'success\nsuccess' ]
	house_is_clean
}

@test "a build that hangs is ended, and has failed" {
	quick -q -r 1 -i 1 --benchmark-timeout 1 \
	    --build '[ -e rehearsal.txt ] || sleep 1000' -b one='echo runtime: 1ms'
	failed one 0
	[ "$(us one 1)" = 1000 ]
}

@test "--every-iteration measures each iteration, a skipped one as what it builds on" {
	REHEARSAL='success overloaded success' experiment -q -r 1 -i 3 --every-iteration \
	    -b lines='cat rehearsal.txt; echo runtime: 1ms'
	[ "$(points lines)" = '1-0 1-1 1-2 1-3' ]
	[ "$(log lines 1)" = $'call 1\nruntime: 1ms' ]
	[ "$(log lines 2)" = $'call 1\nruntime: 1ms' ]
	[ "$(log lines 3)" = $'call 1\ncall 3\nruntime: 1ms' ]
}

@test "the last iteration is measured also when it was skipped" {
	REHEARSAL='success overloaded' experiment -q -r 1 -i 2 \
	    -b lines='[ ! -e rehearsal.txt ] || cat rehearsal.txt; echo runtime: 1ms'
	[ "$(ledger outcome)" = $'success\nfailure' ]
	[ "$(points lines)" = '1-0 1-2' ]
	[ "$(log lines 2)" = $'call 1\nruntime: 1ms' ]
}

@test "the iteration that the run's time ended in is the last, and measured" {
	REHEARSAL='success hang' quick -q -r 1 -i 3 -t 2 \
	    -b lines='[ ! -e rehearsal.txt ] || cat rehearsal.txt; echo runtime: 1ms'
	[ "$(ledger outcome)" = $'success\nout of time' ]
	[ "$(points lines)" = '1-0 1-2' ]
	[ "$(log lines 2)" = $'call 1\ncall 2\nruntime: 1ms' ]
	house_is_clean
}

@test "the iteration after which not enough time was left is the last, and measured" {
	scene nap <<-'EOF'
	init; edit; sleep 1.1; result false success done
	EOF
	REHEARSAL=$SCENE/nap quick -q -r 1 -i 3 -t 2 \
	    -b lines='[ ! -e rehearsal.txt ] || cat rehearsal.txt; echo runtime: 1ms'
	[ "$(points lines)" = '1-0 1-1' ]
	[ "$(log lines 1)" = $'call 1\nruntime: 1ms' ]
	run ! git_project rev-parse -q --verify refs/heads/exp-run-1-iteration-2
}

@test "a stop leaves the iteration unmeasured" {
	REHEARSAL='success rate-limit' run -75 experiment -q -r 1 -i 2 -b one='echo runtime: 1ms'
	[ "$(points one)" = 1-0 ]
	rm "$REHEARSAL_STATE"
	REHEARSAL='success rate-limit' run -75 ccre -q --no-plugin -o "$OUT/2" -r 1 -i 3 \
	    --every-iteration -b one='echo runtime: 1ms' "$PROJECT" two
	[ -e "$OUT/2/two--run-1--iteration-1--one.csv" ]
	[ ! -e "$OUT/2/two--run-1--iteration-2--one.csv" ]
	house_is_clean
}

@test "a signal during a benchmark ends it, and leaves neither half a result nor its tree" {
	local pid status=0
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q --no-plugin -o "$OUT" -r 1 -i 1 \
	    -b hang='echo runtime: 1ms; [ ! -e rehearsal.txt ] || { echo > "$SCENE/started"; echo more >> main.py; sleep 1000; }' \
	    "$PROJECT" exp 3>&- &
	pid=$!
	wait_until 20 test -e "$SCENE/started"
	kill -TERM $pid
	wait $pid || status=$?
	[ "$status" = 143 ]
	[ "$(points hang)" = 1-0 ]
	house_is_clean
}

# yard: what the benchmark of the tests below can see of its yardstick.
YARD='find bench -printf "%y %p %l\n" | LC_ALL=C sort; [ -x bench/run.sh ] && echo executable; cat bench/run.sh; echo runtime: 1ms'

# tricks NAME...: runs with these scenes in bench/, of which each has to be
# seen as the baseline by the benchmark and as the agent left it by git, by the
# next iteration, and by the ledger. ($PROTECT: the pathspec.)
tricks() {
	local name run=0 scenes='' tree
	scene look <<-'EOF'
	init
	GIT_INDEX_FILE=$SCENE/index git add -A
	GIT_INDEX_FILE=$SCENE/index git write-tree > "$SCENE/tree-$call"
	rm "$SCENE/index"
	result false success done
	EOF
	for name in "$@"; do
		{
			echo init
			cat "$SCENE/$name"
			sed 1d "$SCENE/look"
		} > "$SCENE/$name-look"
		scenes+="$SCENE/$name-look $SCENE/look "
	done
	REHEARSAL=$scenes run -0 ${DROP:+setpriv --bounding-set="$DROP" --inh-caps="$DROP"} \
	    env CC_TEST_ID="$BATS_TEST_TMPDIR" "$CCRE" --no-plugin -o "$OUT" \
	    -r $# -i 2 --every-iteration --protect "${PROTECT:-bench}" -b yard="$YARD" \
	    "$PROJECT" exp
	[ "$(ledger outcome | sort | uniq -c | tr -s ' ')" = " $((2 * $#)) success" ]
	ledger protected_touched > touched
	for name in "$@"; do
		run=$((run + 1))
		echo "$name"
		log yard 0 $run > at-baseline
		grep -qx 'echo measured' at-baseline
		log yard 1 $run | diff at-baseline -
		log yard 2 $run | diff at-baseline -
		tree=$(git_project rev-parse "exp-run-$run-iteration-1^{tree}")
		[ "$tree" = "$(cat "$SCENE/tree-$((2 * run - 1))")" ]
		[ "$tree" = "$(cat "$SCENE/tree-$((2 * run))")" ]
		[ "$tree" = "$(git_project rev-parse "exp-run-$run-iteration-2^{tree}")" ]
		[ "$(sed -n $((2 * run - 1))p touched)" = "${TOUCHED:-1}" ]
	done
	house_is_clean
}

@test "--protect: a benchmark that the agent rewrote is the baseline's when it measures" {
	scene hidden <<-'EOF'
	echo "echo forged" > bench/run.sh
	git update-index --assume-unchanged bench/run.sh
	EOF
	scene committed <<-'EOF'
	echo "echo forged" >> bench/run.sh
	chmod +x bench/run.sh
	git commit -qam "by claude"
	EOF
	tricks hidden committed
}

@test "--protect: a benchmark that the agent deleted or renamed is there when it measures" {
	scene rename-file <<< 'mv bench/run.sh bench/walk.sh'
	scene delete-all <<< 'git rm -rq bench; git commit -qm "by claude"'
	scene rename-all <<< 'git mv bench workbench'
	tricks rename-file delete-all rename-all
}

@test "--protect: what the agent put in the place of a benchmark is away when it measures" {
	mkdir elsewhere
	echo 'echo forged' > elsewhere/run.sh
	scene link-file <<< 'ln -sf "$PWD/../elsewhere/run.sh" bench/run.sh'
	scene link-directory <<< 'rm -r bench; ln -s ../elsewhere bench'
	scene file-for-directory <<< 'rm -r bench; echo forged > bench'
	scene directory-for-file <<< 'rm bench/run.sh; mkdir bench/run.sh; echo forged > bench/run.sh/x'
	tricks link-file link-directory file-for-directory directory-for-file
	[ "$(cat elsewhere/run.sh)" = 'echo forged' ]
	[ "$(ls -A elsewhere)" = run.sh ]
}

@test "--protect: one protected file whose directory the agent replaced" {
	mkdir elsewhere
	echo 'echo forged' > elsewhere/run.sh
	scene link-directory <<< 'rm -r bench; ln -s ../elsewhere bench'
	scene file-for-directory <<< 'rm -r bench; echo forged > bench'
	PROTECT=bench/run.sh tricks link-directory file-for-directory
	[ "$(cat elsewhere/run.sh)" = 'echo forged' ]
}

@test "--protect: files that the agent added to a protected directory are away when it measures" {
	scene add <<-'EOF'
	echo forged > bench/extra
	git add -A
	git commit -qm "by claude"
	mkdir -p bench/deep/er
	echo forged > bench/deep/er/run.sh
	ln -s run.sh bench/link
	EOF
	tricks add
}

@test "protected_touched is 0 where nothing was touched, and empty without --protect" {
	echo keep > "$PROJECT/bench/data.txt"
	git_project add -A
	git_project commit -qm data
	BASE=$(git_project rev-parse HEAD)	# for house_is_clean
	export BASE
	scene beside <<< 'init; echo x > benchmark; mkdir src; echo y > src/run.sh; touch bench/run.sh; result false success done'
	REHEARSAL="$SCENE/beside" experiment -q -r 1 -i 1 --protect bench -b one='echo runtime: 1ms'
	[ "$(ledger protected_touched)" = 0 ]
	rm "$REHEARSAL_STATE"
	scene one <<< 'init; echo x >> bench/data.txt; result false success done'
	REHEARSAL=$SCENE/one ccre -q --no-plugin -o "$OUT/2" -r 1 -i 1 \
	    --protect bench/run.sh --protect ':(glob)bench/*.txt' -b one='cat bench/data.txt; echo runtime: 1ms' "$PROJECT" two
	[[ $(tail -n 1 "$OUT/2/two--iterations.csv") == *,1 ]]
	[ "$(cat "$OUT/2/two--run-1--iteration-1--one.log")" = $'keep\nruntime: 1ms' ]
	rm "$REHEARSAL_STATE"
	REHEARSAL=$SCENE/one ccre -q --no-plugin -o "$OUT/3" -r 1 -i 1 \
	    -b one='cat bench/data.txt; echo runtime: 1ms' "$PROJECT" three
	[[ $(tail -n 1 "$OUT/3/three--iterations.csv") == *, ]]
	[ "$(cat "$OUT/3/three--run-1--iteration-1--one.log")" = $'keep\nx\nruntime: 1ms' ]
}

@test "what a benchmark leaves in the tree is in no commit" {
	experiment -q -r 1 -i 2 --every-iteration \
	    -b litter='echo left > left.txt; mkdir -p junk/deep; echo x > junk/deep/file; echo more >> main.py; rm bench/run.sh; git init -q nested; ln -s main.py link; chmod +x .gitignore; git add -A 2>/dev/null; echo "*.txt" > .gitignore; echo hidden > hidden.txt; echo runtime: 1ms'
	[ "$(us litter 2)" = 1000 ]
	[ "$(git_project diff --name-status main exp-run-1-iteration-1)" = $'A\trehearsal.txt' ]
	[ "$(git_project diff --name-status main exp-run-1-iteration-2)" = $'A\trehearsal.txt' ]
	[ "$(cd "$PROJECT" && echo .[!.]* *)" = '.git .gitignore bench main.py' ]
	house_is_clean
}

@test "a benchmark that commits, changes branch or deletes files does no harm" {
	experiment -q -r 1 -i 4 --every-iteration \
	    -b vandal='case $(tail -n 1 rehearsal.txt 2>/dev/null) in
	        "") echo x > x; git add -A && git commit -qm mine && echo done ;;
	        *1) echo x > x; git add -A && git commit -qm mine && git commit -q --amend -m ours && echo done ;;
	        *2) git checkout -q -b other && git commit -q --allow-empty -m other && echo done ;;
	        *3) rm -rf -- *; git rm -rq --cached . ; touch .git/index.lock; echo x > .git/MERGE_HEAD; echo done ;;
	        *4) git checkout -qf --detach main && rm .git/index && git config core.bare true && echo done ;;
	        esac; echo runtime: 1ms' 2> said
	[ "$(points vandal)" = '1-0 1-1 1-2 1-3 1-4' ]
	local m
	for m in 0 1 2 3 4; do
		[ "$(log vandal $m)" = $'done\nruntime: 1ms' ]
	done
	ledger commit > commits
	for m in 1 2 3 4; do
		[ "$(git_project rev-parse exp-run-1-iteration-$m)" = "$(sed -n ${m}p commits)" ]
		[ "$(git_project show "exp-run-1-iteration-$m:rehearsal.txt" | wc -l)" = $m ]
	done
	[ "$(git_project rev-list --count main..exp-run-1-iteration-4)" = 4 ]
	[ "$(git_project diff --name-only main exp-run-1-iteration-4)" = rehearsal.txt ]
	run ! git_project rev-parse -q --verify refs/heads/other
	house_is_clean
}

@test "a benchmark that commits on the user's branch does not move it" {
	experiment -q -r 1 -i 1 \
	    -b vandal='[ ! -e rehearsal.txt ] || { git checkout -qf main && echo more >> main.py && git commit -qam mine && echo moved; }; echo runtime: 1ms'
	[ "$(log vandal 1)" = $'moved\nruntime: 1ms' ]
	house_is_clean
}

@test "a benchmark that deletes the user's branch does no harm" {
	experiment -q -r 1 -i 1 \
	    -b vandal='[ ! -e rehearsal.txt ] || git branch -q -D main; echo runtime: 1ms'
	[ "$(us vandal 1)" = 1000 ]
	house_is_clean
}

@test "a benchmark runs under /bin/sh at the top level, in a session of its own, with nothing on stdin" {
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 \
	    -b where='pwd; echo "$0"; [ /proc/$$/exe -ef /bin/sh ] && echo shell; read -r x || echo nothing; [ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ] && echo session; echo runtime: 1ms' \
	    "$PROJECT/bench" exp
	[ "$(log where 1)" = "$(realpath "$PROJECT")"$'\n/bin/sh\nshell\nnothing\nsession\nruntime: 1ms' ]
	[ "$(us where 1)" = 1000 ]
}

@test "git's variables do not reach a benchmark, and do not lead the program astray" {
	git init -q other
	git -C other commit -q --allow-empty -m other
	export GIT_DIR=$PWD/other/.git GIT_WORK_TREE=$PWD/other GIT_INDEX_FILE=$PWD/index
	export GIT_OBJECT_DIRECTORY=$PWD/none GIT_NAMESPACE=space GIT_PREFIX=bench/
	export GIT_CEILING_DIRECTORIES=/ GIT_ALTERNATE_OBJECT_DIRECTORIES=$PWD/none
	experiment -q -r 1 -i 1 \
	    -b look='env | grep "^GIT_" | grep -v "^GIT_CONFIG_\(COUNT\|KEY_\|VALUE_\)"; git rev-parse --show-toplevel; echo runtime: 1ms'
	unset "${!GIT_@}"
	[ "$(log look 1)" = "$(realpath "$PROJECT")"$'\nruntime: 1ms' ]
	[ "$(git -C other for-each-ref | wc -l)" = 1 ]
	house_is_clean
}

# nothing_changed: neither branches nor files, and claude was not called.
nothing_changed() {
	[ ! -e "$OUT" ]
	[ "$(calls)" = 0 ]
	[ "$(git_project for-each-ref --format='%(refname)')" = refs/heads/main ]
	house_is_clean
}

@test "a bad --benchmark is refused with one line that names it, and nothing is changed" {
	local bad
	for bad in 'noequals' '=echo x' 'name=' 'a/b=echo x' '../a=echo x' '' 'build=echo x'; do
		echo "bad: $bad"
		run --separate-stderr -2 experiment --benchmark "$bad"
		[[ $stderr == *"$bad"* && $stderr == *benchmark* ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[ -z "$output" ]
	done
	run --separate-stderr -2 experiment -b one='echo x' -b two='echo x' -b one='echo y'
	[[ $stderr == *one* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	nothing_changed
}

@test "a command with equal signs, quotes and newlines is a good --benchmark" {
	experiment -q -r 1 -i 1 -b 'one-2_x.y=x=y=3; test "$x" = "y=3" &&
		echo "runtime: 4ms"'
	[ "$(us one-2_x.y 1)" = 4000 ]
}

@test "a bad --protect is refused with one line that names it, and nothing is changed" {
	local bad
	for bad in 'no/such/file' ':(bogus)bench' '../outside' ''; do
		echo "bad: $bad"
		run --separate-stderr -2 experiment --protect bench --protect "$bad"
		[[ $stderr == *"$bad"* && $stderr == *protect* ]]
		[ "${#stderr_lines[@]}" = 1 ]
	done
	nothing_changed
}

@test "the table's speed-up is the median of a run's own baseline by that of its last iteration" {
	experiment -r 2 -i 2 --samples 1 \
	    -b odd='case $(tail -n 1 rehearsal.txt 2>/dev/null) in
	        "") printf "runtime: %sms\n" 10 9000 20 ;;
	        "call 2") printf "runtime: %sms\n" 5 1 400 ;;
	        *) printf "runtime: %sms\n" 8 ;;
	        esac' \
	    -b even='case $(tail -n 1 rehearsal.txt 2>/dev/null) in
	        "") printf "runtime: %sms\n" 40 10 30 80 ;;
	        "call 2") printf "runtime: %sms\n" 50 90 ;;
	        *) printf "runtime: %sms\n" 1 2 3 900 ;;
	        esac' \
	    -b own='echo x >> "$SCENE/own"; case $(wc -l < "$SCENE/own") in
	        1) echo runtime: 30us ;; 2) echo runtime: 10us ;;
	        3) echo runtime: 80us ;; *) echo runtime: 10us ;;
	        esac' \
	    -b broken='[ ! -e rehearsal.txt ]' > table 2> said
	# 20/5, 35/70 and 30/10 in run 1; 20/8, 35/2.5 and 80/10 in run 2
	cat table
	grep -E '^ *1 .* 4\.00x? +0\.50x? +3\.00x? +[^0-9]*$' table
	grep -E '^ *2 .* 2\.50x? +14\.00x? +8\.00x? +[^0-9]*$' table
}
