# Benchmarks: when they are measured, what is a sample, what --build and
# --protect do, and that a benchmark changes nothing.
# shellcheck disable=SC2154  # $output, $stderr and $status are set by run
# shellcheck disable=SC2016  # benchmark commands are expanded by /bin/sh later
# shellcheck disable=SC2030,SC2031  # each test is a process of its own
bats_require_minimum_version 1.5.0
load helper
export SCENE

HEADER=experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us

# us NAME ITERATION [RUN]: the samples there, on one line.
us() {
	sed 1d "$OUT/exp--run-${3:-1}--iteration-$2--$1.csv" | cut -d, -f5 |
	    paste -sd' '
}

# failed NAME ITERATION: a CSV file with the header alone.
failed() {
	echo "$HEADER" | cmp - "$OUT/exp--run-1--iteration-$2--$1.csv"
}

# log NAME ITERATION [RUN]: what the benchmark printed there.
log() {
	cat "$OUT/exp--run-${3:-1}--iteration-$2--$1.log"
}

# points NAME: where it was measured, as run-iteration.
points() {
	find "$OUT" -name "exp--*--$1.csv" |
	    sed 's/.*--run-\([0-9]*\)--iteration-\([0-9]*\)--.*/\1-\2/' |
	    sort -n | paste -sd' '
}

# later COMMAND: a benchmark that is 1 ms at the baseline, COMMAND afterwards.
later() {
	printf 'if [ -e rehearsal.txt ]; then %s; else echo runtime: 1ms; fi' "$1"
}

# LINES: print the lines that the agents have added, then a runtime.
LINES_OF_TREE='[ ! -e rehearsal.txt ] || cat rehearsal.txt; echo runtime: 1ms'

# ---- when -------------------------------------------------------------------

@test "each benchmark is measured at the baseline and at the last iteration of each run" {
	experiment -q -r 2 -i 3 -b fast='echo runtime: 5ms' -b slow='echo runtime: 2s'
	[ "$(points fast)" = '1-0 1-3 2-0 2-3' ]
	[ "$(points slow)" = '1-0 1-3 2-0 2-3' ]
}

@test "a CSV file of samples has experiment, run, iteration, number and microseconds" {
	experiment -q -r 1 -i 1 -b b='printf "runtime: %s\n" 2s 5ms'
	printf '%s\n' "$HEADER" exp,1,1,1,2000000 exp,1,1,2,5000 |
	    cmp - "$OUT/exp--run-1--iteration-1--b.csv"
}

@test "a benchmark measures the files of its iteration" {
	experiment -q -r 2 -i 2 -b lines="$LINES_OF_TREE"
	[ "$(log lines 0 1)" = 'runtime: 1ms' ]
	[ "$(log lines 2 1)" = $'call 1\ncall 2\nruntime: 1ms' ]
	[ "$(log lines 0 2)" = 'runtime: 1ms' ]
	[ "$(log lines 2 2)" = $'call 3\ncall 4\nruntime: 1ms' ]
}

@test "--every-iteration measures each iteration, a skipped one as the work before" {
	REHEARSAL='success overloaded success' experiment -q -r 1 -i 3 --every-iteration \
	    -b lines="$LINES_OF_TREE"
	[ "$(points lines)" = '1-0 1-1 1-2 1-3' ]
	[ "$(log lines 1)" = $'call 1\nruntime: 1ms' ]
	[ "$(log lines 2)" = $'call 1\nruntime: 1ms' ]
	[ "$(log lines 3)" = $'call 1\ncall 3\nruntime: 1ms' ]
}

@test "the last iteration is measured also if it was skipped" {
	REHEARSAL='success overloaded' experiment -q -r 1 -i 2 -b lines="$LINES_OF_TREE"
	[ "$(points lines)" = '1-0 1-2' ]
	[ "$(log lines 2)" = $'call 1\nruntime: 1ms' ]
}

@test "the iteration in which the run's time ended is the last, and is measured" {
	REHEARSAL='success hang' quick -q -r 1 -i 3 -t 2 -b lines="$LINES_OF_TREE"
	[ "$(ledger outcome)" = $'success\nout of time' ]
	[ "$(points lines)" = '1-0 1-2' ]
	[ "$(log lines 2)" = $'call 1\ncall 2\nruntime: 1ms' ]
}

@test "the iteration after which too little time is left is the last, and is measured" {
	scene nap <<< 'init; edit; sleep 1.1; result false success done'
	REHEARSAL=$SCENE/nap quick -q -r 1 -i 3 -t 2 -b lines="$LINES_OF_TREE"
	[ "$(points lines)" = '1-0 1-1' ]
	[ "$(log lines 1)" = $'call 1\nruntime: 1ms' ]
}

@test "a stop leaves the iteration unmeasured" {
	REHEARSAL='success rate-limit' run -75 experiment -q -r 1 -i 2 -b b='echo runtime: 1ms'
	[ "$(points b)" = 1-0 ]
}

@test "a finished iteration is measured before the next one stops, with --every-iteration" {
	REHEARSAL='success rate-limit' run -75 experiment -q -r 1 -i 3 --every-iteration \
	    -b b='echo runtime: 1ms'
	[ "$(points b)" = '1-0 1-1' ]
}

@test "--benchmark-only measures what lacks results, without claude" {
	experiment -q -r 2 -i 2
	experiment -q -r 2 -i 2 --benchmark-only -b lines="$LINES_OF_TREE"
	[ "$(points lines)" = '1-0 1-2 2-0 2-2' ]
	[ "$(log lines 2 2)" = $'call 3\ncall 4\nruntime: 1ms' ]
	[ "$(calls)" = 4 ]
}

@test "a benchmark that is added later is measured at all points" {
	experiment -q -r 1 -i 2 -b one='echo runtime: 1ms'
	experiment -q -r 1 -i 2 -b one='echo runtime: 1ms' -b two='echo runtime: 2ms'
	[ "$(points two)" = '1-0 1-2' ]
	[ "$(calls)" = 2 ]
}

@test "without a benchmark a line says that nothing is measured" {
	run -0 experiment -r 1 -i 1
	[[ $output == *'nothing'*'measured'* ]]
}

# ---- failures ---------------------------------------------------------------

@test "a benchmark that fails at the baseline stops the experiment before claude is called" {
	run -1 --separate-stderr experiment -q -r 1 -i 1 -b good='echo runtime: 1ms' -b bad=false
	[ "$(calls)" = 0 ]
	[[ $stderr == *bad* ]]
}

@test "after a failed first measurement the right command starts from the beginning" {
	run -1 experiment -q -r 1 -i 1 -b b=false
	experiment -q -r 1 -i 1 -b b='echo runtime: 3ms'
	[ "$(us b 0) $(us b 1)" = '3000 3000' ]
}

@test "a benchmark that fails later leaves its log and a header, and the run goes on" {
	run -0 --separate-stderr experiment -q -r 1 -i 1 \
	    -b status="$(later 'echo runtime: 1ms; echo why it failed >&2; exit 3')" \
	    -b good='echo runtime: 7ms'
	failed status 1
	[[ $stderr == *" status "* && $stderr != *" good "* ]]
	[[ $(log status 1) == *'why it failed'* ]]
	[ "$(us good 1)" = 7000 ]
	[ "$(ledger outcome)" = success ]
}

@test "a benchmark that a signal ends has failed" {
	experiment -q -r 1 -i 1 -b b="$(later 'echo runtime: 1ms; kill -KILL $$')"
	failed b 1
}

@test "a benchmark whose command is not found has failed, and the log says so" {
	experiment -q -r 1 -i 1 -b b="$(later no-such-command-anywhere)"
	failed b 1
	[[ $(log b 1) == *no-such-command-anywhere* ]]
}

@test "one failed execution of several is a failed benchmark" {
	experiment -q -r 1 -i 1 --samples 3 \
	    -b b="$(later 'echo x >> "$SCENE/count"; echo runtime: 1ms; [ $(wc -l < "$SCENE/count") != 2 ]')"
	failed b 1
}

@test "a failed benchmark counts as measured: the same command does not repeat it" {
	local bad
	bad=$(later 'echo x >> "$SCENE/count"; false')
	experiment -q -r 1 -i 1 -b b="$bad"
	experiment -q -r 1 -i 1 -b b="$bad"
	[ "$(wc -l < "$SCENE/count")" = 1 ]
}

@test "a benchmark that hangs is ended after its time, and has failed" {
	quick -q -r 1 -i 1 --benchmark-timeout 1 \
	    -b b="$(later 'echo runtime: 1ms; sleep 1000')"
	failed b 1
}

@test "a benchmark that ignores signals is killed after its time" {
	quick -q -r 1 -i 1 --benchmark-timeout 1 \
	    -b b="$(later 'echo started; trap "" TERM HUP INT; while :; do sleep 1; done')"
	failed b 1
	[ "$(log b 1)" = started ]
}

@test "what a benchmark leaves running is killed, and not waited for" {
	experiment -q -r 1 -i 1 \
	    -b first='setsid sh -c "trap \"\" TERM; echo \$\$ > \"$SCENE/daemon\"; while :; do sleep 1000; done" & until [ -s "$SCENE/daemon" ]; do sleep 0.02; done; echo runtime: 1ms' \
	    -b second='read -r pid < "$SCENE/daemon"; ! grep "^State:.*[^ZX] (" "/proc/$pid/status" && echo runtime: 2ms'
	[ "$(us first 1) $(us second 1)" = '1000 2000' ]
}

# ---- samples ----------------------------------------------------------------

# Which lines are runtimes is in rules.bats; here is one of each kind.

@test "a runtime is read in each unit, wherever it is in a line" {
	experiment -q -r 1 -i 1 -b ns='echo runtime: 2000ns' -b us='echo runtime: 250 us' \
	    -b ms='echo "fib: runtime: 12.5ms (the mean)"' -b s='printf "\000\nruntime: .98s\r\n\000"'
	[ "$(us ns 1) $(us us 1) $(us ms 1) $(us s 1)" = '2 250 12500 980000' ]
}

@test "a last line without a newline is read" {
	experiment -q -r 1 -i 1 -b b='printf "runtime: 9ms"'
	[ "$(us b 1)" = 9000 ]
}

@test "a malformed runtime among good ones is a failed benchmark" {
	experiment -q -r 1 -i 1 -b b="$(later 'echo runtime: 3ms; echo runtime: 1,5ms; echo runtime: 4ms')"
	failed b 1
}

@test "--time takes the wall time of a command" {
	experiment -q -r 1 -i 1 --samples 2 --time nap='sleep 0.1'
	local n
	[ "$(us nap 1 | wc -w)" = 2 ]
	for n in $(us nap 1); do
		[ "$n" -ge 100000 ]
		[ "$n" -lt 60000000 ]
	done
}

@test "the wall time of a short command is above zero" {
	experiment -q -r 1 -i 1 --time nothing=true
	[ "$(us nothing 0)" -gt 0 ]
	[ "$(us nothing 1)" -gt 0 ]
}

@test "the wall time includes the start of the command" {
	needs strace
	unsanitized			# LeakSanitizer and strace exclude each other
	no_emulator 'system calls for strace'
	CC_TEST_ID=$BATS_TEST_TMPDIR run -0 strace -f -qq -o trace -e trace=clone,clone3,vfork \
	    -e inject=clone,clone3,vfork:delay_exit=100000 "$CCRE" -q --no-plugin -o "$OUT" \
	    -r 1 -i 1 --time nap='sleep 0.1' "$PROJECT" exp
	[ "$(us nap 1)" -ge 100000 ]
}

@test "a very long line does no harm" {
	experiment -q -r 1 -i 1 \
	    -b line="$(later 'head -c 20000000 /dev/zero | tr "\000" x; echo; echo runtime: 3ms')"
	[ "$(us line 1)" = 3000 ]
	[ "$(wc -c < "$OUT/exp--run-1--iteration-1--line.log")" -gt 20000000 ]
}

@test "a runtime late in a long line is read" {
	experiment -q -r 1 -i 1 \
	    -b far='head -c 100000 /dev/zero | tr "\000" x; echo " runtime: 1234ms"' \
	    -b amid='head -c 4080 /dev/zero | tr "\000" x; echo " runtime: 1234ms"' \
	    -b edge='head -c 1020 /dev/zero | tr "\000" x; echo " runtime: 1234ms"'
	[ "$(us edge 1) $(us amid 1) $(us far 1)" = '1234000 1234000 1234000' ]
}

@test "all lines of all executions are samples, numbered from 1" {
	experiment -q -r 1 -i 1 --samples 3 \
	    -b two='echo x >> "$SCENE/count"; n=$(wc -l < "$SCENE/count"); printf "runtime: ${n}ms\nnoise\nruntime: ${n}us\n"'
	printf '%s\n' "$HEADER" exp,1,0,1,1000 exp,1,0,2,1 exp,1,0,3,2000 \
	    exp,1,0,4,2 exp,1,0,5,3000 exp,1,0,6,3 |
	    cmp - "$OUT/exp--run-1--iteration-0--two.csv"
}

@test "the table's speed-up is the median of the run's baseline divided by that of its last iteration" {
	experiment -r 2 -i 1 \
	    -b odd='case $(cat rehearsal.txt 2>/dev/null) in
	        "") printf "runtime: %sms\n" 10 9000 20 ;;
	        "call 1") printf "runtime: %sms\n" 5 1 400 ;;
	        *) printf "runtime: %sms\n" 8 ;;
	        esac' \
	    -b even='case $(cat rehearsal.txt 2>/dev/null) in
	        "") printf "runtime: %sms\n" 40 10 30 80 ;;
	        "call 1") printf "runtime: %sms\n" 50 90 ;;
	        *) printf "runtime: %sms\n" 1 2 3 9 ;;
	        esac' > table
	# 20/5 and 35/70 in run 1; 20/8 and 35/2.5 in run 2
	cat table
	grep -E '^ *\*? *1 .*[ ~]4\.00x.*[ ~]0\.50x' table
	grep -E '^ *\*? *2 .*[ ~]2\.50x.*[ ~]14\.00x' table
}

# ---- the build --------------------------------------------------------------

@test "--build runs before the benchmarks, once at each point" {
	experiment -q -r 1 -i 1 --samples 2 \
	    --build 'echo build >> "$SCENE/order"; cat main.py > product.o' \
	    -b one='echo one >> "$SCENE/order"; cat product.o; echo runtime: 1ms' \
	    -b two='echo two >> "$SCENE/order"; echo runtime: 2ms'
	[ "$(paste -sd' ' "$SCENE/order")" = 'build one one two two build one one two two' ]
	[[ $(log one 1) == *'print("hello")'* ]]
}

@test "if the build fails the benchmarks have failed, and the run goes on" {
	run -0 --separate-stderr experiment -q -r 1 -i 2 --every-iteration \
	    --build '[ "$(tail -n 1 rehearsal.txt)" != "call 1" ]' \
	    -b one='echo runtime: 1ms' -b two='echo runtime: 2ms'
	failed one 1
	failed two 1
	[ "$(us one 0) $(us two 0) $(us one 2) $(us two 2)" = '1000 2000 1000 2000' ]
	[ "$(ledger outcome)" = $'success\nsuccess' ]
}

@test "a build that hangs is ended after its time, and has failed" {
	quick -q -r 1 -i 1 --benchmark-timeout 1 \
	    --build '[ ! -e rehearsal.txt ] || sleep 1000' -b one='echo runtime: 1ms'
	failed one 1
}

@test "a build at the baseline that fails stops the experiment before claude is called" {
	run -1 experiment -q -r 1 -i 1 --build false -b one='echo runtime: 1ms'
	[ "$(calls)" = 0 ]
}

# ---- protected files --------------------------------------------------------

# Print what a benchmark can see of the protected directory.
YARD='find bench -printf "%y %p %l\n" | LC_ALL=C sort; [ -x bench/run.sh ] && echo executable; cat bench/run.sh; echo runtime: 1ms'

# tricks NAME...: a run for each of these scenes, which change bench/. The
# benchmark must see bench/ of the baseline. Git, the next iteration and the
# ledger must see it as the agent left it. $PROTECT is the pathspec.
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
	REHEARSAL=$scenes experiment -q -r $# -i 2 --every-iteration \
	    --protect "${PROTECT:-bench}" -b yard="$YARD"
	ledger protected_touched > touched
	for name in "$@"; do
		run=$((run + 1))
		echo "$name"
		log yard 0 $run > at-baseline
		grep -qx 'echo measured' at-baseline
		log yard 1 $run | diff at-baseline -
		log yard 2 $run | diff at-baseline -
		tree=$(project rev-parse "exp-run-$run-iteration-1^{tree}")
		[ "$tree" = "$(cat "$SCENE/tree-$((2 * run - 1))")" ]
		[ "$tree" = "$(cat "$SCENE/tree-$((2 * run))")" ]
		[ "$(sed -n $((2 * run - 1))p touched)" = 1 ]
	done
}

@test "--protect: a file that the agent rewrote is the baseline's when it is measured" {
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

@test "--protect: a file that the agent deleted or renamed is there when it is measured" {
	scene rename-file <<< 'mv bench/run.sh bench/walk.sh'
	scene delete-all <<< 'git rm -rq bench; git commit -qm "by claude"'
	scene rename-all <<< 'git mv bench workbench'
	tricks rename-file delete-all rename-all
}

@test "--protect: what the agent put in the place of a file is removed when it is measured" {
	mkdir elsewhere
	echo 'echo forged' > elsewhere/run.sh
	export ELSEWHERE=$PWD/elsewhere
	scene link-file <<< 'ln -sf "$ELSEWHERE/run.sh" bench/run.sh'
	scene link-directory <<< 'rm -r bench; ln -s "$ELSEWHERE" bench'
	scene file-for-directory <<< 'rm -r bench; echo forged > bench'
	scene directory-for-file <<< 'rm bench/run.sh; mkdir bench/run.sh; echo forged > bench/run.sh/x'
	tricks link-file link-directory file-for-directory directory-for-file
	[ "$(cat elsewhere/run.sh)" = 'echo forged' ]
	[ "$(ls -A elsewhere)" = run.sh ]
}

@test "--protect: one file whose directory the agent replaced" {
	mkdir elsewhere
	echo 'echo forged' > elsewhere/run.sh
	export ELSEWHERE=$PWD/elsewhere
	scene link-directory <<< 'rm -r bench; ln -s "$ELSEWHERE" bench'
	scene file-for-directory <<< 'rm -r bench; echo forged > bench'
	PROTECT=bench/run.sh tricks link-directory file-for-directory
	[ "$(cat elsewhere/run.sh)" = 'echo forged' ]
}

@test "--protect: files that the agent added to the directory are removed when it is measured" {
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

@test "protected_touched is 0 if no protected file was touched" {
	scene beside <<< 'init; echo x > benchmark; mkdir src; echo y > src/run.sh; touch bench/run.sh; result false success done'
	REHEARSAL="$SCENE/beside" experiment -q -r 1 -i 1 --protect bench -b b='echo runtime: 1ms'
	[ "$(ledger protected_touched)" = 0 ]
}

@test "protected_touched is empty without --protect" {
	experiment -q -r 1 -i 1 -b b='echo runtime: 1ms'
	[ "$(ledger protected_touched)" = '' ]
}

@test "--protect may be repeated, and takes a pathspec" {
	echo keep > "$PROJECT/bench/data.txt"
	project add -A
	project commit -qm data
	snapshot
	scene one <<< 'init; echo x >> bench/data.txt; result false success done'
	REHEARSAL=$SCENE/one experiment -q -r 1 -i 1 --protect bench/run.sh \
	    --protect ':(glob)bench/*.txt' -b b='cat bench/data.txt; echo runtime: 1ms'
	[ "$(ledger protected_touched)" = 1 ]
	[ "$(log b 1)" = $'keep\nruntime: 1ms' ]
}

# ---- what a benchmark leaves ------------------------------------------------

@test "what a benchmark leaves in the copy is in no commit" {
	experiment -q -r 1 -i 2 --every-iteration \
	    -b litter='echo left > left.txt; mkdir -p junk/deep; echo x > junk/deep/file; echo more >> main.py; rm bench/run.sh; git init -q nested; ln -s main.py link; chmod +x .gitignore; git add -A 2>/dev/null; echo "*.txt" > .gitignore; echo hidden > hidden.txt; echo runtime: 1ms'
	[ "$(project diff --name-status main exp-run-1-iteration-1)" = $'A\trehearsal.txt' ]
	[ "$(project diff --name-status main exp-run-1-iteration-2)" = $'A\trehearsal.txt' ]
}

@test "a benchmark that commits, changes branch or deletes files does no harm" {
	experiment -q -r 1 -i 4 --every-iteration \
	    -b vandal='case $(tail -n 1 rehearsal.txt 2>/dev/null) in
	        "") echo x > x; git add -A; git commit -qm mine ;;
	        *1) echo x > x; git add -A; git commit -q --amend -m ours ;;
	        *2) git checkout -q -b other; git commit -q --allow-empty -m other ;;
	        *3) rm -rf -- *; git rm -rq --cached . ; touch .git/index.lock; echo x > .git/MERGE_HEAD ;;
	        *4) git checkout -qf --detach main; rm .git/index; git config core.bare true ;;
	        esac; echo runtime: 1ms' 2> said
	[ "$(points vandal)" = '1-0 1-1 1-2 1-3 1-4' ]
	local m
	ledger commit > commits
	for m in 1 2 3 4; do
		[ "$(project rev-parse exp-run-1-iteration-$m)" = "$(sed -n ${m}p commits)" ]
		[ "$(project show "exp-run-1-iteration-$m:rehearsal.txt" | wc -l)" = $m ]
	done
	[ "$(project rev-list --count main..exp-run-1-iteration-4)" = 4 ]
	[ "$(project diff --name-only main exp-run-1-iteration-4)" = rehearsal.txt ]
}

# ---- where a benchmark runs -------------------------------------------------

@test "a benchmark runs under /bin/sh at the top of the copy" {
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 \
	    -b where='pwd; echo "$0"; [ /proc/$$/exe -ef /bin/sh ] && echo shell; echo runtime: 1ms' \
	    "$PROJECT/bench" exp
	[[ $(log where 1) == "$TMPDIR/cc-run-experiments-$UID/"*/run-1/project$'\n/bin/sh\nshell\nruntime: 1ms' ]]
}

@test "a benchmark has a session of its own and nothing on stdin" {
	no_emulator 'a program of its own in /proc'
	experiment -q -r 1 -i 1 \
	    -b b='read -r x || echo nothing; [ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ] && echo session; echo runtime: 1ms'
	[ "$(log b 1)" = $'nothing\nsession\nruntime: 1ms' ]
}

@test "a benchmark's TMPDIR is private to the run, and is emptied after the call" {
	experiment -q -r 1 -i 1 --samples 2 \
	    -b b='echo "$TMPDIR"; ls -A "$TMPDIR"; echo x > "$TMPDIR/x"; echo runtime: 1ms'
	[[ $(log b 1) == "$TMPDIR/cc-run-experiments-$UID/"*/run-1/tmp* ]]
	[ "$(log b 1 | grep -cx x)" = 0 ]
}

@test "git's variables do not reach a benchmark" {
	git init -q other
	export GIT_DIR=$PWD/other/.git GIT_WORK_TREE=$PWD/other GIT_INDEX_FILE=$PWD/index
	export GIT_OBJECT_DIRECTORY=$PWD/none GIT_NAMESPACE=space GIT_PREFIX=bench/
	export GIT_ALTERNATE_OBJECT_DIRECTORIES=$PWD/none
	experiment -q -r 1 -i 1 \
	    -b look='env | grep -E "^GIT_(DIR|WORK|INDEX|OBJECT|NAMESPACE|PREFIX|ALTERNATE)"; echo runtime: 1ms'
	unset "${!GIT_@}"
	[ "$(log look 1)" = 'runtime: 1ms' ]
}

@test "the plugin's directory and the program to run are not in a benchmark's environment" {
	mkdir -p plugin/skills
	CC_PLUGIN_DIR=$PWD/plugin CC_CLAUDE=$PWD/bin/claude ccre -q -o "$OUT" -r 1 -i 1 \
	    -b look='env | grep -e ^CC_PLUGIN_DIR -e ^CC_CLAUDE; echo runtime: 1ms' "$PROJECT" exp
	[ "$(log look 1)" = 'runtime: 1ms' ]
}

# ---- options ----------------------------------------------------------------

@test "a bad --benchmark is refused with one line that names it" {
	local bad
	for bad in noequals '=echo x' 'name=' 'a/b=echo x' '../a=echo x' '' 'build=echo x'; do
		echo "bad: $bad"
		run -2 --separate-stderr experiment --benchmark "$bad"
		[[ $stderr == *"$bad"* && $stderr == *benchmark* ]]
		[ "${#stderr_lines[@]}" = 1 ]
	done
	[ ! -e "$OUT" ]
}

@test "a NAME that is given twice is refused" {
	run -2 --separate-stderr experiment -b one='echo x' -b two='echo x' -b one='echo y'
	[[ $stderr == *one* ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "a command may have equal signs, quotes and newlines" {
	experiment -q -r 1 -i 1 -b 'one-2_x.y=x=y=3; test "$x" = "y=3" &&
		echo "runtime: 4ms"'
	[ "$(us one-2_x.y 1)" = 4000 ]
}

@test "a bad --protect is refused with one line that names it" {
	local bad
	for bad in 'no/such/file' ':(bogus)bench' '../outside' ''; do
		echo "bad: $bad"
		run -2 --separate-stderr experiment --protect bench --protect "$bad"
		[[ $stderr == *"$bad"* && $stderr == *protect* ]]
		[ "${#stderr_lines[@]}" = 1 ]
	done
	[ ! -e "$OUT" ]
}
