# The same command again: design.md section 8, and who may not work at once.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016).
# shellcheck disable=SC2030,SC2031,SC2016

load helper

tip() {		# tip RUN ITERATION: its branch
	echo "exp-run-$1-iteration-$2"
}

# rows: run, iteration and outcome of each row.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$OUT/exp--iterations.csv"
}

# killed_with SCENES ARGUMENT...: an experiment whose runner is killed with -9
# when a scene has made the file "working"; claude lives on.
killed_with() {
	local scenes=$1 pid
	shift
	REHEARSAL=$scenes CC_TEST_ID=$BATS_TEST_TMPDIR \
	    "$CCRE" --no-plugin -o "$OUT" "$@" "$PROJECT" exp > /dev/null 2>&1 3>&- &
	pid=$!
	wait_until 20 test -e working
	kill -KILL "$pid"
	wait "$pid" 2> /dev/null || :
}

# killed SCENES ARGUMENT...: the same while claude hangs after these scenes.
killed() {
	local scenes=$1
	shift
	scene working <<-'END'
		init
		echo half > half.txt
		echo $$ > ../claude.pid
		: > ../working
		sleep 1000
	END
	killed_with "$scenes $SCENE/working" "$@"
}

# killed_in SCENE ARGUMENT...: the same in a first call that plays SCENE; claude
# dies as well.
killed_in() {
	local part=$1
	shift
	killed_with "$SCENE/$part" "$@"
	kill -KILL "$(cat claude.pid)"
}

@test "the same command goes on at the first missing iteration, with the time charged" {
	scene worked <<-'END'
		init; sleep 0.5; echo "$call" >> work.txt; result false success Done.
	END
	REHEARSAL="$SCENE/worked rate-limit" run -75 quick -r 2 -i 3 -t 30s
	house_is_clean
	REHEARSAL="$SCENE/worked $SCENE/worked" run -0 quick -r 2 -i 3 -t 30s
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 success\n1/3 success\n2/1 success\n2/2 success\n2/3 success' ]
	[ "$(project rev-parse "$(tip 1 2)^")" = "$(project rev-parse "$(tip 1 1)")" ]
	[ "$(project show "$(tip 1 3):work.txt" | wc -l)" = 3 ]
	[ "$(ledger attempt | tr '\n' ' ')" = '1 1 2 1 1 1 1 ' ]
	[ "$(calls)" = 7 ]
	house_is_clean
}

@test "the time that was charged before counts when it goes on" {
	scene slow <<-'END'
		init; sleep 2.5; echo "$call" >> work.txt; result false success Done.
	END
	REHEARSAL="$SCENE/slow rate-limit $SCENE/slow" run -75 quick -r 1 -i 3 -t 4s
	REHEARSAL="$SCENE/slow" run -0 quick -r 1 -i 3 -t 4s
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 out of time' ]
	[ "$(calls)" = 3 ]
	house_is_clean
}

@test "a finished experiment says so, pays nothing and exits with 0" {
	experiment -q -r 2 -i 2 -b b=true
	cp -a "$OUT" before
	run -0 experiment -r 2 -i 2 -b b=true
	[ "${lines[0]}" = 'prefix exp: all runs are finished (2)' ]
	[[ ${lines[1]} == 'run  success '* ]]
	run -0 experiment -q -r 2 -i 2 -b b=true
	[ -z "$output" ]
	[ "$(calls)" = 4 ]
	diff -r before "$OUT"
	house_is_clean
}

@test "a finished experiment is finished, too, when the user is at work" {
	experiment -q -r 1 -i 1
	echo dirt >> "$PROJECT/main.py"
	run -0 experiment -r 1 -i 1
	[ "$(tail -n 1 "$PROJECT/main.py")" = dirt ]
	project checkout -q -- main.py
}

@test "runs may grow" {
	experiment -q -r 1 -i 2
	experiment -q -r 3 -i 2
	[ "$(rows)" = $'1/1 success\n1/2 success\n2/1 success\n2/2 success\n3/1 success\n3/2 success' ]
	grep -qx 'runs,3' "$OUT/exp--experiment.csv"
	run -2 experiment -r 2 -i 2
	[[ $output == *'was started with runs=3: they may only grow'* ]]
	house_is_clean
}

@test "any other difference of settings is refused by its name" {
	experiment -q -r 1 -i 1 -b b=true
	cp -a "$OUT" before
	local option
	for option in '-i 2' '-t 3h' '--iteration-timeout 1m' '--idle-timeout 9m' \
	    '--retries 1' '--samples 2' '--build true' '--every-iteration' \
	    '--protect main.py' '-b c=true' '--benchmark-timeout 1m'; do
		# shellcheck disable=SC2086
		run -2 experiment -r 1 -i 1 -b b=true $option
		echo "$option: $output"
		[[ $output == *'prefix exp was started with'*': choose another prefix' ]]
	done
	run -2 experiment -r 1 -i 2 -b b=true
	[[ $output == *'was started with iterations=1:'* ]]
	run -2 ccre --no-plugin -o "$OUT" -r 1 -i 1 -b b=true "$PROJECT" exp -- --model x
	[[ $output == *'was started with claude_arguments='* ]]
	diff -r before "$OUT"
	run -0 experiment -r 1 -i 1 -b b=true
	house_is_clean
}

@test "another prompt is another experiment" {
	echo 'Make it fast, "please", line one' > prompt
	echo 'and line two.' >> prompt
	experiment -q -r 1 -i 1 -p prompt
	run -0 experiment -r 1 -i 1 -p prompt
	echo 'and three' >> prompt
	run -2 experiment -r 1 -i 1 -p prompt
	[[ $output == *'was started with prompt=Make it fast'* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "the baseline is the commit that it was at the first start" {
	REHEARSAL='success rate-limit' run -75 experiment -r 2 -i 2
	echo newer > "$PROJECT/main.py"
	project commit -qam newer
	run -0 experiment -r 2 -i 2
	[ "$(project rev-parse "$(tip 2 1)^")" = "$BASE" ]
	[ "$(project log -1 --format=%s main)" = newer ]
	[ -z "$(project status --porcelain)" ]
}

@test "branches of this name that no ledger knows are refused" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 3
	local name
	for name in exp-run-1-iteration-3 exp-run-2-iteration-1 exp-run-1-iteration-9 \
	    exp-run-01-iteration-1 exp-run-1-iteration-2/x; do
		[ "$name" != exp-run-1-iteration-2/x ] || project branch -D -q "$(tip 1 2)"
		project branch "$name"
		run -2 experiment -r 1 -i 3
		echo "$output"
		[[ $output == *"refs/heads/$name: expected no branch of this name"* ]]
		project branch -q -D "$name"
	done
	run -0 experiment -r 1 -i 3
	[ "$(rows | tail -n 1)" = '1/3 success' ]
}

@test "branches that only begin like those of the experiment are none of its business" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 3
	project branch exp-run-x
	project branch exp-run-1-best
	project branch exp-run-1-iteration-1x
	experiment_2() {
		ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp-run-2
	}
	run -0 experiment_2
	run -0 experiment -r 1 -i 3
	[ "$(rows | tail -n 1)" = '1/3 success' ]
	run -0 experiment_2
}

@test "branches of this name without any ledger are refused" {
	experiment -q -r 1 -i 1
	rm -r "$OUT"
	run -2 experiment -r 1 -i 1
	[[ $output == *'prefix exp: refs/'*' exists, but '*'exp--experiment.csv does not: name the same --output as then, or another prefix'* ]]
	[ "$(calls)" = 1 ]
}

@test "the user's own dirt is refused when it would go on, and stays" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 3
	echo dirt > "$PROJECT/dirt.txt"
	run -2 experiment -r 1 -i 3
	[[ $output == *'expected no uncommitted changes'*'dirt.txt'* ]]
	[ "$(cat "$PROJECT/dirt.txt")" = dirt ]
	rm "$PROJECT/dirt.txt"
	run -0 experiment -r 1 -i 3
}

@test "fresh retries, and a fresh count of failures" {
	REHEARSAL=hang run -124 quick -r 1 -i 1 --iteration-timeout 1s --retries 1
	REHEARSAL="success success hang success" run -0 quick -r 1 -i 1 \
	    --iteration-timeout 1s --retries 1
	[ "$(ledger attempt | tr '\n' ' ')" = '1 2 3 4 ' ]
	house_is_clean
}

@test "the failure that stopped it is attempted again, the one that was skipped is not" {
	REHEARSAL='crash crash' run -3 experiment -r 1 -i 3
	run -0 experiment -r 1 -i 3
	[ "$(rows)" = $'1/1 failure\n1/2 failure\n1/2 success\n1/3 success' ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 4 ]
	house_is_clean
}

@test "an experiment that was interrupted goes on" {
	scene working <<-'END'
		init; echo half > half.txt; : > ../working; sleep 1000
	END
	REHEARSAL="success $SCENE/working" CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" \
	    --no-plugin -o "$OUT" -r 1 -i 2 "$PROJECT" exp 2>/dev/null 3>&- &
	wait_until 20 test -e working
	kill -TERM $!
	ended 143 $!
	run -0 experiment -r 1 -i 2
	[ "$(rows)" = $'1/1 success\n1/2 interrupted\n1/2 success' ]
	project cat-file -e refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1:half.txt
	house_is_clean
}

@test "an agent of a runner that was killed is ended, and its work kept" {
	killed success -r 1 -i 2
	local pid
	pid=$(cat claude.pid)
	alive "$pid"
	[ -e "$PROJECT/half.txt" ]
	run -0 experiment -r 1 -i 2
	echo "$output"
	[[ $output == *'an agent of the last life was still at work: ended'* ]]
	[[ $output == *'what was left in the tree is kept as refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1'* ]]
	run ! alive "$pid"
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1:half.txt)" = half ]
	run ! project cat-file -e "$(tip 1 2):half.txt"
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	house_is_clean
}

@test "a user who was on another branch is back there after a kill, too" {
	project checkout -q -b mine
	project commit -q --allow-empty -m mine
	killed success -r 1 -i 2
	run -0 experiment -r 1 -i 2
	[ "$(project symbolic-ref HEAD)" = refs/heads/mine ]
	[ -z "$(project status --porcelain)" ]
}

@test "a user who went home himself after a kill keeps what he did there" {
	killed success -r 1 -i 2
	kill -KILL "$(cat claude.pid)"
	project checkout -q -f main
	rm "$PROJECT/half.txt"
	echo mine > "$PROJECT/mine.txt"
	run -2 experiment -r 1 -i 2
	[[ $output == *'expected no uncommitted changes'*'mine.txt'* ]]
	[ "$(cat "$PROJECT/mine.txt")" = mine ]
	rm "$PROJECT/mine.txt"
	run -0 experiment -r 1 -i 2
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	house_is_clean
}

@test "what git ignored at the start is not lost to a start that is refused after a kill" {
	echo '*.dear' >> "$PROJECT/.gitignore"
	project commit -qam ignore
	BASE=$(project rev-parse main)
	echo mine > "$PROJECT/a.dear"
	scene working <<-'END'
		init; rm .gitignore; echo $$ > ../claude.pid; : > ../working; exec sleep 1000
	END
	killed_in working -r 1 -i 2
	run -2 experiment -r 1 -i 3
	[[ $output == *'was started with iterations=2'* ]]
	run -2 ccre --no-plugin -o "$OUT" "$PROJECT" other
	[[ $output == *'prefix other: a runner of prefix exp was killed here'* ]]
	[ "${#lines[@]}" = 1 ]
	run -0 experiment -r 1 -i 2
	[ "$(cat "$PROJECT/a.dear")" = mine ]
	house_is_clean
}

@test "a note of a killed runner that is ruined is refused by its name" {
	killed success -r 1 -i 2
	local note=$PROJECT/.git/cc-run-experiments.note
	head -c 30 "$note" > half
	cp half "$note"
	run -2 experiment -r 1 -i 2
	[[ ${lines[-1]} == *"$note: expected the note of a runner that was killed"* ]]
	project checkout -q -f main
	rm "$PROJECT/half.txt" "$note"
	run -0 experiment -r 1 -i 2
	house_is_clean
}

@test "what the user committed on his branch after a kill stays on it" {
	killed success -r 1 -i 2
	kill -KILL "$(cat claude.pid)"
	local mine
	mine=$(project commit-tree -p main -m mine 'main^{tree}')
	project update-ref refs/heads/main "$mine"
	run -0 experiment -r 1 -i 2
	[[ $output == *"refs/heads/main was ${BASE:0:12} when the runner was killed: it is left as it is now"* ]]
	BASE=$mine
	house_is_clean
}

@test "what stood in the tree after a kill in a benchmark is kept" {
	local hang='[ -e ../quick ] || { echo $$ > ../claude.pid; : > ../working; exec sleep 1000; }'
	killed_in none -r 1 -i 1 -b b="$hang"
	echo 'by hand' >> "$PROJECT/main.py"
	echo 'by hand' > "$PROJECT/new.txt"
	: > quick
	run -0 experiment -r 1 -i 1 -b b="$hang"
	local ref=refs/cc-run-experiments/exp/run-0/iteration-0/attempt-1
	[ "$(project show "$ref:new.txt")" = 'by hand' ]
	[ "$(project show "$ref:main.py" | tail -n 1)" = 'by hand' ]
	house_is_clean
}

@test "an agent that was on a branch of its own when the runner was killed is kept, too" {
	scene working <<-'END'
		init; git checkout -q -b own; echo own > own.txt; git add -A; git commit -qm own
		echo half > half.txt; echo $$ > ../claude.pid; : > ../working; exec sleep 1000
	END
	killed_in working -r 1 -i 2
	run -0 experiment -r 1 -i 2
	local ref=refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1
	[ "$(project show "$ref:half.txt")" = half ]
	[ "$(project show "$ref^:own.txt")" = own ]
	house_is_clean
}

@test "what an agent had committed is kept once, wherever HEAD is after a kill" {
	local there theirs
	for there in stays agent-detaches agent-leaves user-leaves; do
		scene commits <<-'END'
			init; echo half > half.txt; git add -A; git commit -qm half; git rev-parse HEAD > ../theirs
			case $THERE in
			agent-detaches) git checkout -q --detach main ;;
			agent-leaves) git checkout -q main ;;
			esac
			echo $$ > ../claude.pid; : > ../working
			sleep 1000
		END
		export THERE=$there
		killed_in commits -r 1 -i 1
		[ "$there" != user-leaves ] || project checkout -q main
		project branch -f agents main
		theirs=$(cat theirs)
		REHEARSAL=success run -0 experiment -r 1 -i 1
		echo "$there: $output"
		[[ $output == *'refs/heads/agents is new since the runner was killed: it is left'* ]]
		project branch -D agents
		[ "$(project for-each-ref --contains "$theirs" | wc -l)" = 1 ]
		[ "$(project for-each-ref --contains "$theirs" refs/cc-run-experiments | wc -l)" = 1 ]
		house_is_clean
		forget
		rm working
	done
}

@test "branches, tags and settings that an agent removed before a kill are back or told" {
	project branch side
	project tag one
	scene working <<-'END'
		init; git branch -q -D side; git tag -d one > /dev/null; git config core.editor evil
		echo $$ > ../claude.pid; : > ../working; exec sleep 1000
	END
	killed_in working -r 1 -i 2
	run -0 experiment -r 1 -i 2
	[[ $output == *'refs/heads/side was changed: put back'* ]]
	[[ $output == *"$PROJECT/.git/config has changed since the runner was killed: look at it"* ]]
	[ "$(project rev-parse side one)" = "$BASE"$'\n'"$BASE" ]
	house_is_clean
}

@test "a file of the user's where an iteration has committed one is refused, and stays" {
	scene worked <<-'END'
		init; echo '*.txt' >> .gitignore; echo agent > keep.o; git add -f keep.o; git commit -qm keep; edit
		result false success Done.
	END
	REHEARSAL="$SCENE/worked rate-limit" run -75 experiment -r 1 -i 2
	echo mine > "$PROJECT/keep.o"
	run -2 experiment -r 1 -i 2
	[[ $output == *'exp-run-1-iteration-1: keep.o: expected no committed file where git ignores one now'* ]]
	[ "$(cat "$PROJECT/keep.o")" = mine ]
	rm "$PROJECT/keep.o"
	run -0 experiment -r 1 -i 2
	house_is_clean
}

@test "more runs that are refused for another reason are not written down" {
	experiment -q -r 1 -i 1
	echo dirt > "$PROJECT/dirt.txt"
	run -2 experiment -r 2 -i 1
	grep -qx runs,1 "$OUT/exp--experiment.csv"
	rm "$PROJECT/dirt.txt"
	run -0 experiment -r 2 -i 1
	grep -qx runs,2 "$OUT/exp--experiment.csv"
}

@test "the transcript of a call that was killed and left nothing is kept" {
	scene working <<-'END'
		init; assistant killed; echo $$ > ../claude.pid; : > ../working; exec sleep 1000
	END
	killed_in working -r 1 -i 1
	run -0 experiment -r 1 -i 1
	grep -q killed "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	[ "$(ledger attempt)" = 2 ]
}

@test "a finished commit without its row gets it, and claude is not called again" {
	experiment -q -r 1 -i 3 --protect main.py
	cp "$OUT/exp--iterations.csv" whole
	sed -i '$d' "$OUT/exp--iterations.csv" "$OUT/exp--diffstats.csv"
	run -0 experiment -r 1 -i 3 --protect main.py
	[[ $output == *'iteration 3/3: success, by its commit'* ]]
	[ "$(calls)" = 3 ]
	# All but when it started is as it was.
	diff <(cut -d, -f1-6,8- whole) <(cut -d, -f1-6,8- "$OUT/exp--iterations.csv")
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 4 ]
	house_is_clean
}

@test "benchmarks that are there are not run again, those that are missing are" {
	experiment -q -r 1 -i 2 --every-iteration -b a='echo x >> ../a' -b b='echo x >> ../b'
	[ "$(wc -l < a) $(wc -l < b)" = '3 3' ]
	rm "$OUT/exp--run-1--iteration-1--b.csv" "$OUT/exp--run-1--iteration-0--a.csv"
	run -0 experiment -r 1 -i 2 --every-iteration -b a='echo x >> ../a' -b b='echo x >> ../b'
	[ "$(wc -l < a) $(wc -l < b)" = '4 4' ]
	[ "$(wc -l < "$OUT/exp--run-1--iteration-1--b.csv")" = 2 ]
	[ "$(calls)" = 2 ]
	house_is_clean
}

@test "a ledger that is torn at any byte of its last row is repaired" {
	REHEARSAL='success success rate-limit' run -75 experiment -r 1 -i 3
	cp -a "$OUT" whole
	local ledger=$OUT/exp--iterations.csv size last cut
	size=$(wc -c < "$ledger")
	last=$(tail -n 1 "$ledger" | wc -c)
	for ((cut = 1; cut <= last; cut += 1 + cut / 4)); do
		head -c $((size - cut)) whole/exp--iterations.csv > "$ledger"
		REHEARSAL=rate-limit run -75 experiment -r 1 -i 3
		[ "$(awk -F, 'NF != 25' "$ledger" | wc -l)" = 0 ]
		[ "$(rows | head -n 2)" = $'1/1 success\n1/2 success' ]
		[ "$(rows | tail -n 1)" = '1/3 rate limit' ]
		[ "$cut" = 1 ] || [ "$cut" = "$last" ] ||
		    [[ $output == *'a torn last row was cut'* ]]
	done
	house_is_clean
}

@test "a ledger of another kind is refused with a sentence, and left as it is" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 3
	local ledger=$OUT/exp--iterations.csv change
	cp "$ledger" good
	for change in '1s/attempt,/try,/' 's/$/\r/' '1s/^/\xef\xbb\xbf/' '2s/success/splendid/' \
	    '2s/$/,more/' '2s/^exp,1/exp,x/' '2s/^exp/other/' '2s/^exp,1/exp,7/' '2s/^/"/'; do
		sed "$change" good > "$ledger"
		cp "$ledger" bad
		run -2 experiment -r 1 -i 3
		echo "$change: $output"
		[ "${#lines[@]}" = 1 ]
		[[ $output == *exp--iterations.csv* ]]
		cmp bad "$ledger"
	done
	printf '\0\0\0' | cat good - > "$ledger"
	REHEARSAL=success run -0 experiment -r 1 -i 3
	[ "$(rows | wc -l)" = 4 ]
	house_is_clean
}

@test "a second runner in the same directory exits 75 at once and says who is there" {
	scene working <<-'END'
		init; : > ../working; until [ -e ../enough ]; do sleep 0.05; done
		edit; result false success Done.
	END
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q \
	    --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp 3>&- &
	local pid=$!
	wait_until 20 test -e working
	run -75 experiment -r 1 -i 1
	[[ $output == *"another runner is at work, process $pid on $(uname -n)"* ]]
	run -75 ccre --no-plugin -o "$BATS_TEST_TMPDIR/other" "$PROJECT" other
	[[ $output == *"process $pid on "* ]]
	[ ! -e other ]
	# The same prefix, under another directory.
	git clone -q "$PROJECT" clone
	run -75 ccre --no-plugin -o "$OUT" -r 1 -i 1 clone exp
	[[ $output == *"process $pid on "* ]]
	[ "$(calls)" = 1 ]
	: > enough
	wait "$pid"
	[ "$(rows)" = '1/1 success' ]
	[ -z "$(find "$OUT" "$PROJECT/.git" -name '*lock*' -o -name '*.runner')" ]
	house_is_clean
}

@test "a lock that a killed runner left stops nobody, and nothing of it stays" {
	killed success -r 1 -i 2
	kill -KILL "$(cat claude.pid)"
	[ -n "$(ls -A "$TMPDIR")" ]
	run -0 experiment -r 1 -i 2
	[ -z "$(ls -A "$TMPDIR")" ]
	[ -z "$(find "$OUT" "$PROJECT/.git" -name '*lock*' -o -name '*.runner' -o -name '*.tmp')" ]
	house_is_clean
}

@test "with --wait a limit is slept out, and the same iteration attempted again" {
	REHEARSAL='success rate-limit success' REHEARSAL_RESET=1 run -0 quick -w -r 1 -i 2
	echo "$output"
	[[ $output == *'run 1/1 iteration 2/2: rate limit, which resets at 20'*': waiting for '* ]]
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 success' ]
	[ "$(ledger charged_seconds | sed -n 2p)" = 0.000 ]
	house_is_clean
}

@test "with --wait a limit that does not tell its reset is slept out as well" {
	REHEARSAL='throttled success' run -0 quick -w -r 1 -i 1
	[ "$(rows)" = $'1/1 rate limit\n1/1 success' ]
}

@test "with --wait a limit of more than a day is not waited for" {
	REHEARSAL=rate-limit REHEARSAL_RESET=90000 run -75 quick -w -r 1 -i 1
	[[ $output == *'too long to wait'* ]]
	[ "$(calls)" = 1 ]
	house_is_clean
}

@test "what the user commits while a limit is slept out stays" {
	local new
	new=$(project commit-tree -p main -m 'by the user' 'main^{tree}')
	CCRE=$CCRE_QUICK CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL='rate-limit success' REHEARSAL_RESET=3 \
	    experiment -w -r 1 -i 1 > said 2>&1 3>&- &
	wait_until 20 grep -q 'waiting for' said
	project update-ref refs/heads/main "$new"
	ended 0 $!
	[ "$(project rev-parse main)" = "$new" ]
	[ "$(project symbolic-ref HEAD)" = refs/heads/main ]
	[ -z "$(project status --porcelain)" ]
}

@test "what the user has committed on the branch of the next iteration is kept" {
	local mine how
	for how in -v --isolate; do
		REHEARSAL=rate-limit run -75 experiment "$how" -r 1 -i 1
		project branch -f exp-run-1-iteration-1 main
		mine=$(project commit-tree -p main -m mine 'main^{tree}')
		project update-ref refs/heads/exp-run-1-iteration-1 "$mine"
		REHEARSAL=success run -0 experiment "$how" -r 1 -i 1
		[ "$(project rev-parse exp-run-1-iteration-1~)" = "$BASE" ]
		[ "$(project for-each-ref --format='%(refname)' --points-at="$mine")" = \
		    refs/cc-run-experiments/exp/run-1/iteration-1/attempt-2-refs/heads/exp-run-1-iteration-1 ]
		[[ $output == *'exp-run-1-iteration-1 had other commits: kept in '*'attempt-2-refs/'* ]]
		forget
	done
	house_is_clean
}

@test "an iteration's branch that the user has checked out grows all the same" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 2
	project switch -q exp-run-1-iteration-2
	REHEARSAL=success run -0 experiment -r 1 -i 2
	[ "$(project rev-parse exp-run-1-iteration-2)" = "$(ledger commit | tail -n 1)" ]
	[ "$(project symbolic-ref HEAD)" = refs/heads/exp-run-1-iteration-2 ]
	[ -z "$(project status --porcelain)" ]
	[ "$(wc -l < "$PROJECT/rehearsal.txt")" = 2 ]
}

@test "a wait can be interrupted" {
	REHEARSAL=rate-limit CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -w --no-plugin \
	    -o "$OUT" -r 1 -i 1 "$PROJECT" exp > said 2>&1 3>&- &
	local pid=$!
	wait_until 20 grep -q 'waiting for' said
	kill -TERM "$pid"
	ended 143 "$pid"
	[ "$(rows)" = '1/1 rate limit' ]
	house_is_clean
	run -0 experiment -r 1 -i 1
}

@test "killed at any child process, it does what is missing and repeats nothing" {
	run -0 "$CCRE_ROOT/tests/crash" "$CCRE" KILL 13 $((1 + RANDOM % 13))
	echo "$output"
}

@test "ended by TERM or INT at any child process, it goes on the same way" {
	run -0 "$CCRE_ROOT/tests/crash" "$CCRE" TERM 29 $((1 + RANDOM % 29))
	echo "$output"
	run -0 "$CCRE_ROOT/tests/crash" "$CCRE" INT 29 $((1 + RANDOM % 29))
	echo "$output"
}

@test "when a system call fails it says so, and the same command goes on" {
	unsanitized			# LeakSanitizer and strace exclude each other
	local call
	for call in fsync=EIO write=ENOSPC renameat=EIO mkdir=ENOSPC clone3=EAGAIN; do
		run -0 "$CCRE_ROOT/tests/crash" "$CCRE" "$call" 1000 $((1 + RANDOM % 10))
		echo "$output"
	done
}

@test "results stay where it can look only at a part of what it protects" {
	unsanitized			# LeakSanitizer and strace exclude each other
	local when ended=0
	ln -s nowhere "$PROJECT/.git/mine"
	for when in $(seq 9); do
		rm -rf "$OUT"
		project for-each-ref --format='delete %(refname)' refs/heads/exp-run-* refs/cc-run-experiments |
		    project update-ref --stdin
		CC_TEST_ID=$BATS_TEST_TMPDIR run strace -qq -o trace -P "$PROJECT/.git/shallow" \
		    -e inject=openat:error=EMFILE:when="$when" "$CCRE" \
		    --no-plugin -o "$OUT" -r 1 -i 2 -b b='echo runtime: 1ms' "$PROJECT" exp
		echo "$when: $status: $output"
		[[ $output != *'was made by claude'* ]]
		[[ $output != *'was made a link'* ]]
		if [ "$status" = 1 ]; then
			[[ $output == *'cannot look at '*'/.git/shallow: '* ]]
			ended=$((ended + 1))
		fi
		run -0 experiment -r 1 -i 2 -b b='echo runtime: 1ms'
		echo "$output"
		[ "$(ledger outcome | grep -c success)" = 2 ]
		[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 3 ]
		[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 2 ]
		[ -L "$PROJECT/.git/mine" ]
	done
	[ "$ended" -ge 5 ]
}

@test "when it cannot look for what claude left it says so, and the next start ends it" {
	unsanitized			# LeakSanitizer and strace exclude each other
	scene leaves <<-'END'
		init; edit; sleep 1000 < /dev/null > /dev/null 2>&1 & echo $! > ../left
		result false success Done.
	END
	CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL="$SCENE/leaves success" run -1 \
	    strace -qq -o trace -P /proc -e inject=open,openat:error=EMFILE:when=2 "$CCRE" \
	    --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp
	echo "$output"
	[[ $output == *'cannot open /proc: '* ]]
	alive "$(cat left)"
	run -0 experiment -r 1 -i 1
	echo "$output"
	[[ $output == *'an agent of the last life was still at work: ended'* ]]
	run ! alive "$(cat left)"
	house_is_clean
}
