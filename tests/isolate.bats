# Runs in clones of their own, many at once, on many machines: design.md
# section 9.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016); names here have no blanks (2012); arguments are optional (2119).
# shellcheck disable=SC2030,SC2031,SC2016,SC2012,SC2119,SC2120,SC2317

load helper

# rows: run, iteration and outcome of each row, by run.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$OUT/exp--iterations.csv" | sort -s -t / -k 1n
}

# house: what --isolate must not touch, but for what is in refs/.
house() {
	(
		cd "$PROJECT" || return
		find . -path ./.git/refs -prune -o -path ./.git/objects -prune -o \
		    -path ./.git/logs -prune -o -printf '%y %m %T@ %P %l\n' | grep -v ' [.]git $' | sort
		find . -path ./.git/refs -prune -o -path ./.git/objects -prune -o \
		    -path ./.git/logs -prune -o -type f -print0 | sort -z | xargs -0 cksum
		git for-each-ref refs/heads/main refs/tags
		cat .git/logs/HEAD
	)
}

# gone: nothing of ours is in TMPDIR, and no lock is left.
gone() {
	[ -z "$(ls -A "$TMPDIR")" ]
	[ -z "$(find "$OUT" "$PROJECT/.git" -name '*lock*' -o -name '*.runner' -o -name '*.tmp' -o -name '*.note')" ]
}

@test "the user's checkout, index and HEAD are not touched, and may be dirty" {
	echo staged > "$PROJECT/staged.txt"
	project add staged.txt
	echo dirt >> "$PROJECT/main.py"
	echo new > "$PROJECT/new.txt"
	echo ignored > "$PROJECT/x.o"
	mkdir "$PROJECT/empty"
	touch "$PROJECT/.git/MERGE_HEAD"
	house > before
	REHEARSAL='commit overloaded capped rate-limit' run -75 experiment --isolate -r 1 -i 4 \
	    -b b='cat main.py' --protect main.py
	diff before <(house)
	REHEARSAL=success run -0 experiment --isolate -r 1 -i 4 -b b='cat main.py' --protect main.py
	diff before <(house)
	[ "$(rows)" = $'1/1 success\n1/2 failure\n1/3 capped\n1/4 rate limit\n1/4 success' ]
	run ! grep dirt "$OUT"/*.log
	gone
}

@test "branches and attempts are in the user's repository when the row is" {
	scene looks <<-END
		init; edit
		git --git-dir='$PROJECT/.git' for-each-ref --format='%(refname)' refs/heads refs/cc-run-experiments >> ../../../../seen-\$call
		cp '$OUT/exp--iterations.csv' ../../../../rows-\$call
		result false success Done.
	END
	REHEARSAL="$SCENE/looks overloaded $SCENE/looks" TMPDIR=$BATS_TEST_TMPDIR run -0 experiment --isolate -r 1 -i 3
	echo "$output"
	[ "$(wc -l < rows-3)" = 3 ]
	[ "$(cat seen-3)" = 'refs/cc-run-experiments/exp/baseline
refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1
refs/heads/exp-run-1-iteration-1
refs/heads/exp-run-1-iteration-2
refs/heads/main' ]
	[ "$(ledger commit | sed -n 3p)" = "$(project rev-parse exp-run-1-iteration-3)" ]
	project fsck --connectivity-only
}

@test "a run can see the baseline's history and its own work, and nothing else" {
	project tag secret-tag
	project branch secret-branch
	project remote add origin "$BATS_TEST_TMPDIR/elsewhere"
	project config user.secret secret-config
	echo secret-stash >> "$PROJECT/main.py"
	project stash -q
	scene spies <<-'END'
		init
		{
			git log --all -p; git reflog --all; git fsck --lost-found
			git for-each-ref; git remote -v; git stash list
			cat .git/objects/info/alternates .git/config .git/FETCH_HEAD
			find .git -type f -exec grep -al secret {} +
			git fetch; git fetch origin; git worktree list
			dir=$PWD
			for up in 1 2 3 4; do
				dir=${dir%/*}
				find "$dir" -maxdepth 4 -exec grep -a secret {} + 2>/dev/null
			done
			env
		} > spied 2>&1
		n=${prompt##*in run } n=${n%%.*}
		echo "secret-of-run-$n" > "work-$call"
		git add -A; git commit -qm "secret-of-run-$n"
		result false success Done.
	END
	# Root may read what he likes; nobody else finds a directory by its name.
	REHEARSAL=$SCENE/spies run -0 unprivileged experiment -j 2 -r 4 -i 2
	echo "$output"
	local n
	for n in 1 2 3 4; do
		project show "exp-run-$n-iteration-2:spied" > spied
		grep -q "secret-of-run-$n" spied	# it has looked
		grep -q 'run 1/4\|baseline' spied
		run ! grep -aE "secret-([a-np-z]|of-run-[^$n])" spied
		run ! grep -aF "$PROJECT" <(grep -av PROJECT= spied)
	done
	gone
}

@test "in a clone what is ignored is removed, too, when it is put back" {
	echo '*.mine' > "$PROJECT/.git/info/exclude"
	scene builds <<-'END'
		init
		ls >> "$SEEN"
		echo "$call" > build.o; mkdir -p deep/er; echo "$call" > deep/er/x.mine; edit
		result true success Overloaded. ',"api_error_status":529,"terminal_reason":"api_error"'
		exit 1
	END
	export SEEN=$BATS_TEST_TMPDIR/seen
	REHEARSAL="$SCENE/builds success $SCENE/builds" run -0 experiment --isolate -r 1 -i 3
	[ "$(cat seen)" = $'bench\nmain.py\nbench\nmain.py\nrehearsal.txt' ]
	run ! project cat-file -e refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:build.o
	run ! project cat-file -e refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:deep/er/x.mine
}

@test "commits in a clone have the user's name, also where only the project knows it" {
	HOME=$BATS_TEST_TMPDIR/nobody
	export HOME
	mkdir nobody
	project config user.name 'Local Name'
	project config user.email local@example.org
	REHEARSAL=commit run -0 experiment --isolate -r 1 -i 1
	[ "$(project log --format='%an <%ae> %cn' main..exp-run-1-iteration-1 | sort -u)" = 'Local Name <local@example.org> Local Name' ]
}

@test "a baseline that is no branch, and a checkout that is on another, are no matter" {
	project tag v1
	project checkout -q -b elsewhere
	echo elsewhere > "$PROJECT/elsewhere.txt"
	project add -A
	project commit -qm elsewhere
	run -0 ccre --no-plugin -o "$OUT" --isolate -r 1 -i 1 "$PROJECT" exp v1
	[ "$(project rev-parse exp-run-1-iteration-1~1)" = "$BASE" ]
	[ "$(project symbolic-ref HEAD)" = refs/heads/elsewhere ]
	gone
}

@test "submodules and files under Git LFS are refused with a sentence" {
	echo '*.bin filter=lfs diff=lfs merge=lfs -text' > "$PROJECT/.gitattributes"
	project add -A
	project commit -qm lfs
	run -2 experiment --isolate -r 1 -i 1
	[[ $output == *'baseline main: expected no files under Git LFS, which a clone lacks'* ]]
	[ "${#lines[@]}" = 1 ]
	project rm -q .gitattributes
	git init -q lib
	git -C lib commit -q --allow-empty -m lib
	project -c protocol.file.allow=always submodule --quiet add "$PWD/lib" lib
	project commit -qm submodule
	run -2 experiment --isolate -r 1 -i 1
	[[ $output == *'baseline main: lib: expected no submodules'* ]]
	[ ! -e "$OUT" ]
	gone
}

@test "a full disk under TMPDIR is told as such" {
	mkdir small
	mount -t tmpfs -o size=300k none small 2> /dev/null || skip 'no tmpfs can be mounted here'
	head -c 1000000 /dev/urandom > "$PROJECT/big"
	project add -A
	project commit -qm big
	TMPDIR=$PWD/small run experiment --isolate -r 1 -i 1
	umount small
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'no space left under '*/small/cc-run-experiments.*'set TMPDIR'* ]]
	run -0 experiment --isolate -r 1 -i 1
	[ "$(rows)" = '1/1 success' ]
}

@test "an interrupted run keeps its attempt, and the same command goes on" {
	scene working <<-'END'
		init; echo half > half.txt; : > "$WORKING"; sleep 1000
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	REHEARSAL="success $SCENE/working" CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" \
	    --no-plugin -o "$OUT" --isolate -r 1 -i 2 "$PROJECT" exp 2> /dev/null 3>&- &
	wait_until 20 test -e working
	kill -TERM $!
	ended 143 $!
	gone
	[ "$(rows)" = $'1/1 success\n1/2 interrupted' ]
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1:half.txt)" = half ]
	run -0 experiment --isolate -r 1 -i 2
	[ "$(project rev-parse exp-run-1-iteration-2~1)" = "$(project rev-parse exp-run-1-iteration-1)" ]
	gone
}

@test "TERM ends all runs that are at work" {
	scene working <<-'END'
		init; edit; : > "$WORKING-$$"; sleep 1000
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" \
	    --no-plugin -o "$OUT" -j 3 -r 4 -i 2 "$PROJECT" exp > said 2>&1 3>&- &
	wait_until 20 sh -c '[ "$(ls "$WORKING"-* 2>/dev/null | wc -l)" = 3 ]'
	kill -TERM $!
	ended 143 $!
	cat said
	[ "$(rows)" = $'1/1 interrupted\n2/1 interrupted\n3/1 interrupted' ]
	no_survivors
	gone
}

@test "after KILL no run goes on, and the next start ends the agents and removes the clones" {
	scene working <<-'END'
		init; : > "$WORKING-$$"; exec sleep 1000
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" \
	    --no-plugin -o "$OUT" -j 2 -r 2 -i 1 "$PROJECT" exp > /dev/null 2>&1 3>&- &
	local pid=$!
	wait_until 20 sh -c '[ "$(ls "$WORKING"-* 2>/dev/null | wc -l)" = 2 ]'
	kill -KILL "$pid"
	wait "$pid" 2> /dev/null || :
	for pid in working-*; do
		alive "${pid#working-}"
	done
	[ -n "$(ls -A "$TMPDIR")" ]
	rm "$REHEARSAL_STATE"
	run -0 experiment -j 2 -r 2 -i 1
	echo "$output"
	[ "$(grep -c 'an agent of the last life was still at work: ended' <<< "$output")" = 2 ]
	for pid in working-*; do
		run ! alive "${pid#working-}"
	done
	[ "$(rows)" = $'1/1 success\n2/1 success' ]
	gone
}

@test "a run that was killed ends the experiment and its own agent, not the other run" {
	scene working <<-'END'
		init; edit
		case $prompt in
		*'in run 1.'*) echo $$ > "$WORKING-1"; exec sleep 1000 ;;
		esac
		: > "$WORKING-2"
		until [ -e "$WORKING-enough" ]; do sleep 0.05; done
		result false success Done.
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	REHEARSAL="$SCENE/working $SCENE/working success" CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" \
	    --no-plugin -o "$OUT" -j 2 -r 3 -i 1 "$PROJECT" exp > said 2>&1 3>&- &
	local pid=$!
	wait_until 20 test -s working-1 -a -e working-2
	kill -KILL "$(awk '{ print $4 }' "/proc/$(cat working-1)/stat")"
	wait_until 20 grep -q 'was killed by signal 9' said
	wait_until 20 sh -c "! kill -0 $(cat working-1) 2> /dev/null"
	: > working-enough
	ended 1 "$pid"
	cat said
	[ "$(rows | wc -l)" = 1 ]
	run -0 experiment -j 2 -r 3 -i 1
	[ "$(rows | grep -c success)" = 3 ]
	gone
}

@test "one rate limit stops new calls, and lets those at work end" {
	scene limited <<-'END'
		until [ -e "$WORKING" ]; do sleep 0.05; done
		init; limit rejected 3600
		result true success Limit. ',"api_error_status":429,"terminal_reason":"api_error"'
		exit 1
	END
	scene works <<-'END'
		init; : > "$WORKING"
		until grep -q 'rate limit' "$LEDGER"; do sleep 0.05; done
		edit; result false success Done.
	END
	export WORKING=$BATS_TEST_TMPDIR/working LEDGER=$OUT/exp--iterations.csv
	REHEARSAL="$SCENE/limited $SCENE/works success" run -75 experiment -j 2 -r 4 -i 3
	echo "$output"
	[ "$(calls)" = 2 ]
	[ "$(awk -F, 'NR > 1 { print $5 }' "$OUT/exp--iterations.csv" | sort | paste -sd ,)" = 'rate limit,success' ]
	[[ ${lines[-1]} == *'stopped: rate limit, which resets at 20'* ]]
	gone
}

@test "benchmarks wait until no agent is at work, and run one at a time" {
	scene works <<-'END'
		init; echo "agent+ $$" >> "$EVENTS"; sleep 0.2; edit
		echo "agent- $$" >> "$EVENTS"; result false success Done.
	END
	export EVENTS=$BATS_TEST_TMPDIR/events
	REHEARSAL=$SCENE/works run -0 experiment -j 3 -r 4 -i 2 --every-iteration \
	    -b b='echo "bench+ $$" >> "$EVENTS"; sleep 0.05; echo "bench- $$" >> "$EVENTS"'
	awk '
	    $1 == "agent+" { agents++; if (benches) bad = 1; if (agents > most) most = agents }
	    $1 == "agent-" { agents-- }
	    $1 == "bench+" { if (agents || benches) bad = 1; benches++ }
	    $1 == "bench-" { benches-- }
	    END { print most, bad + 0; exit bad || most < 2 }' events
	[ "$(grep -c bench+ events)" = 12 ]
	[ "$(grep -c agent+ events)" = 8 ]
}

# picture: what does not depend on times and ids.
picture() {
	local branch
	project for-each-ref --format='%(refname) %(tree)' refs/heads "refs/cc-run-experiments/$1" | sed "s/$1/exp/"
	for branch in $(project for-each-ref --format='%(refname)' "refs/heads/$1-run-*"); do
		project log --format='%s' "main..$branch" | sed "s/^$1:/exp:/"
	done
	cut -d, -f2-6,12-20,22- "$OUT/$1--iterations.csv" | sort
	cut -d, -f2- "$OUT/$1--diffstats.csv" | sort
	(cd "$OUT" && ls) | sed -n "s/^$1--/exp--/p"
}

@test "the results of many at once are those of one after the other" {
	scene works <<-'END'
		init
		case $prompt in
		*'iteration 2 of 3 in run 2'*) api_error 529 Overloaded ;;
		*'iteration 3 of 3'*) git commit -q --allow-empty -m mine ;;
		esac
		echo "$prompt" | tail -n 4 >> work.txt
		[ -e work.md ] || echo words > work.md
		session=same
		result false success Done.
	END
	one() {
		REHEARSAL=$SCENE/works ccre -q --no-plugin -o "$OUT" -j "$2" -r 4 -i 3 \
		    -b b='echo runtime: 1ms' --protect main.py "$PROJECT" "$1"
	}
	run -0 one alpha 1
	echo "$output"
	run -0 one beta 3
	echo "$output"
	picture alpha | grep -v '^refs/heads/beta-' > pictures-a
	picture beta | grep -v '^refs/heads/alpha-' > pictures-b
	diff pictures-a pictures-b
	[ "$(wc -l < pictures-a)" -gt 60 ]
}

@test "twenty processes can each make a run of one experiment at the same time" {
	local n pids=''
	for n in $(seq 20); do
		CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q --no-plugin -o "$OUT" --isolate -r 20 -i 2 \
		    --run "$n" -b b='echo runtime: 1ms' "$PROJECT" exp 3>&- &
		pids="$pids $!"
	done
	for n in $pids; do
		wait "$n"
	done
	[ "$(rows | wc -l)" = 40 ]
	[ "$(rows | grep -c success)" = 40 ]
	[ "$(grep -c ^experiment_id "$OUT/exp--iterations.csv")" = 1 ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 41 ]
	[ "$(awk -F, 'NF != 25' "$OUT/exp--iterations.csv" | wc -l)" = 0 ]
	[ "$(project for-each-ref 'refs/heads/exp-run-*' | wc -l)" = 40 ]
	[ "$(ls "$OUT"/*--b.csv | wc -l)" = 40 ]
	project fsck --connectivity-only
	gone
	run -0 experiment --isolate -r 20 -i 2 -b b='echo runtime: 1ms'
	[[ $output == *'all runs are finished (20)'* ]]
}

@test "an experiment that another process begins just then is gone on with" {
	local real
	real=$(command -v git)
	mkdir between
	cat > between/git <<-END
		#!/bin/sh
		case "\$*" in
		*for-each-ref*--count=1*exp-run-*)
			mkdir "$PWD/began" 2> /dev/null &&
			    CC_TEST_ID=$BATS_TEST_TMPDIR PATH=$PATH "$CCRE" -q --no-plugin \
			    -o "$OUT" --isolate -r 2 -i 1 --run 2 "$PROJECT" exp >&2
		esac
		exec "$real" "\$@"
	END
	chmod +x between/git
	PATH=$PWD/between:$PATH run -0 experiment --isolate -r 2 -i 1 --run 1
	[ -d began ]
	[ "$(rows | sort)" = $'1/1 success\n2/1 success' ]
	gone
	run -0 experiment --isolate -r 2 -i 1
	[[ $output == *'all runs are finished (2)'* ]]
}

@test "a run that another process makes is refused with 75 and its pid, others are not" {
	scene working <<-'END'
		init; : > "$WORKING"; until [ -e "$WORKING-enough" ]; do sleep 0.05; done
		edit; result false success Done.
	END
	export WORKING=$BATS_TEST_TMPDIR/working
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q --no-plugin -o "$OUT" \
	    --isolate --run 2 -r 3 -i 1 "$PROJECT" exp 3>&- &
	local pid=$!
	wait_until 20 test -e working
	run -75 experiment --isolate --run 2 -r 3 -i 1
	[[ $output == *"another runner is at work on run 2, process $pid on $(uname -n) at $PROJECT"* ]]
	run -75 experiment --isolate -r 3 -i 1
	REHEARSAL=success run -0 experiment --isolate --run 3 -r 3 -i 1
	# In place all of the repository is needed.
	run -75 ccre --no-plugin -o other "$PROJECT" other
	[[ $output == *"another runner is at work, process "* ]]
	: > working-enough
	wait "$pid"
	REHEARSAL=success run -0 experiment --isolate --run 1-3 -r 3 -i 1
	[ "$(rows)" = $'1/1 success\n2/1 success\n3/1 success' ]
	gone
}

@test "--isolate is refused while a runner works in place" {
	scene working <<-'END'
		init; : > ../working; until [ -e ../enough ]; do sleep 0.05; done
		edit; result false success Done.
	END
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q \
	    --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp 3>&- &
	local pid=$!
	wait_until 20 test -e working
	run -75 ccre --no-plugin -o other --isolate "$PROJECT" other
	[[ $output == *"another runner is at work, process $pid on "* ]]
	[ ! -e other ]
	: > enough
	wait "$pid"
}

@test "--run makes some of the runs, in place as well" {
	run -0 experiment --run 2 -r 3 -i 1
	[ "$(rows)" = '2/1 success' ]
	run -0 experiment --run 2-3 -r 3 -i 1
	[ "$(rows)" = $'2/1 success\n3/1 success' ]
	[[ $output != *$'\n  1 '* ]]
	run -0 experiment --run 2-3 -r 3 -i 1
	[[ $output == *'runs 2 to 3 are finished'* ]]
	run -0 experiment -r 3 -i 1
	[ "$(calls)" = 3 ]
	house_is_clean
	local bad
	for bad in 0 4 x 2- 2-1 -1 '' 1-4; do
		run -2 experiment --run "$bad" -r 3 -i 1
		[[ $output == *"--run "* ]]
	done
}

@test "an experiment does not change between clones and in place" {
	REHEARSAL='success rate-limit' run -75 experiment -r 1 -i 2
	run -2 experiment --isolate -r 1 -i 2
	[[ $output == *'was started with isolate=0'* ]]
	run -0 experiment -r 1 -i 2
}

@test "--benchmark-only measures what lacks results, without claude" {
	run -0 experiment -q -j 2 -r 2 -i 2
	mkdir only
	ln -s "$(command -v git)" only/git
	measure() {
		env -u CC_CLAUDE PATH="$BATS_TEST_TMPDIR/only" "$CCRE" --no-plugin -o "$OUT" -r 2 -i 2 \
		    -b b='/bin/cat rehearsal.txt main.py >> "$ORDER"; echo runtime: 1ms' --every-iteration \
		    --benchmark-only "$@" "$PROJECT" exp
	}
	export ORDER=$BATS_TEST_TMPDIR/order
	run -2 ccre --no-plugin -o "$OUT" -r 2 -i 2 --benchmark-only "$PROJECT" exp
	[[ $output == *'--benchmark-only: expected --benchmark'* ]]
	run -0 measure --seed 3
	echo "$output"
	[[ ${lines[0]} == '6 to measure, in the order of --seed 3' ]]
	[ "$(ls "$OUT"/*--b.csv | wc -l)" = 6 ]
	grep -q '^benchmark,"b=' "$OUT/exp--experiment.csv"
	printf '%s\n' "${lines[@]}" | grep 'benchmarks are done' > first
	run -0 measure --seed 3
	[[ $output == *'are finished'* ]]
	rm "$OUT"/*--b.csv
	run -0 measure --seed 3
	printf '%s\n' "${lines[@]}" | grep 'benchmarks are done' | diff first -
	rm "$OUT"/*--b.csv
	run -0 measure --seed 4
	printf '%s\n' "${lines[@]}" | grep 'benchmarks are done' > other
	run ! cmp first other
	[ "$(sort first)" = "$(sort other)" ]
	[ "$(calls)" = 4 ]
	gone
}

@test "--benchmark-only measures nothing of a run that has not begun" {
	run -0 experiment -q -r 1 -i 2
	run -0 experiment -r 3 -i 2 -b b='echo runtime: 1ms' --benchmark-only --seed 1
	[[ $output == *'2 to measure, in the order of --seed 1'* ]]
	[ "$(find "$OUT" -name '*--b.csv' | sort | xargs -n 1 basename)" = \
	    $'exp--run-1--iteration-0--b.csv\nexp--run-1--iteration-2--b.csv' ]
	run -0 experiment -r 3 -i 2 -b b='echo runtime: 1ms'
	[ "$(rows | grep -c success)" = 6 ]
	gone
}

@test "--benchmark-only protects the yardstick, and can be interrupted" {
	REHEARSAL_EDIT='echo cheat > bench/run.sh; echo "$call" > work' \
	    run -0 experiment -q -r 2 -i 1 --protect bench
	measure() {
		CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" --no-plugin -o "$OUT" -r 2 -i 1 --protect bench \
		    -b b='cat bench/run.sh; [ -e ../../../../quick ] || { : > ../../../../measuring; sleep 1000; }' \
		    --benchmark-only "$PROJECT" exp
	}
	export TMPDIR=$BATS_TEST_TMPDIR
	measure > said 2>&1 3>&- &
	wait_until 20 test -e measuring
	kill -TERM "$(pgrep -P $!)"
	ended 143 $!
	[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 0 ]
	: > quick
	run -0 measure
	[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 4 ]
	[ "$(cat "$OUT"/*--b.log | sort -u)" = 'echo measured' ]
	rm -r "$OUT"
	run -2 measure
	[[ $output == *'prefix exp: expected an experiment to measure'* ]]
}

@test "two processes that measure different runs do each other no harm" {
	run -0 experiment -q --isolate -r 2 -i 1
	measure() {
		experiment --benchmark-only -r 2 -i 1 --run "$1" -b "w=echo >> '$BATS_TEST_TMPDIR/measuring'
		    until [ -e '$BATS_TEST_TMPDIR/go' ]; do sleep 0.05; done; echo runtime: 1ms"
	}
	measure 1 > one 2>&1 3>&- &
	local first=$!
	wait_until 20 test -s measuring
	measure 2 > two 2>&1 3>&- &
	local second=$!
	wait_until 20 eval '[ "$(wc -l < measuring)" = 2 ]'
	: > go
	ended 0 $first
	ended 0 $second
	cat one two
	run ! grep -e 'was made' -e failed -e 'last life' one two
	[ "$(cat "$OUT"/*--w.csv | grep -c ,1000$)" = 4 ]
	gone
}

@test "runs are added when no other process is at work on the experiment" {
	export SIGNS=$BATS_TEST_TMPDIR
	scene waits <<-'END'
		init; edit; : > "$SIGNS/working"
		until [ -e "$SIGNS/go" ]; do sleep 0.05; done
		result false success Done.
	END
	REHEARSAL=$SCENE/waits experiment -r 2 -i 1 --isolate --run 1 > said 2>&1 3>&- &
	wait_until 20 test -e working
	run -75 experiment -r 3 -i 1 --isolate --run 3
	[[ $output == *'another runner is at work on prefix exp: runs and benchmarks can be added when none is'* ]]
	run -0 experiment -r 2 -i 1 --isolate --run 2
	: > go
	ended 0 $!
	run -0 experiment -r 3 -i 1 --isolate --run 3
	grep -qx runs,3 "$OUT/exp--experiment.csv"
	[ "$(rows)" = $'1/1 success\n2/1 success\n3/1 success' ]
	gone
}

@test "the branch of the next iteration may be checked out later, but not at the start" {
	REHEARSAL='success rate-limit' run -75 experiment --isolate -r 1 -i 2
	project switch -q exp-run-1-iteration-2
	run -2 experiment --isolate -r 1 -i 2
	[[ $output == *'refs/heads/exp-run-1-iteration-2: expected a branch that no work tree has checked out'* ]]
	[ "$(calls)" = 2 ]
	project switch -q main
	scene looks <<-'END'
		init; edit; git -C "$PROJECT" switch -q exp-run-1-iteration-2
		result false success Done.
	END
	REHEARSAL=$SCENE/looks run -0 experiment --isolate -r 1 -i 2
	[ "$(project rev-parse exp-run-1-iteration-2)" = "$(ledger commit | tail -n 1)" ]
	[ "$(rows)" = $'1/1 success\n1/2 rate limit\n1/2 success' ]
	gone
}

@test "attempts are kept where the user has git fetch prune" {
	git config --global fetch.prune true
	REHEARSAL='overloaded overloaded' run -3 experiment --isolate -r 1 -i 4
	REHEARSAL=overloaded run -3 experiment --isolate -r 1 -i 4
	[ "$(project for-each-ref refs/cc-run-experiments | grep -c attempt-)" = 4 ]
	gone
}

@test "TERM that comes while a run is being started ends all" {
	[[ ${CC-} != *musl* ]] || skip "its posix_spawn is delayed, too"
	no_emulator "the program as strace's own child"
	unsanitized			# LeakSanitizer and strace exclude each other
	REHEARSAL=hang CC_TEST_ID=$BATS_TEST_TMPDIR strace -qq -o trace \
	    -e trace=clone -e inject=clone:delay_exit=3000000:when=1 "$CCRE" \
	    --no-plugin -o "$OUT" -r 2 -i 1 -j 2 "$PROJECT" exp > said 2>&1 3>&- &
	wait_until 20 pgrep -P $! cc-run > /dev/null
	local runner
	runner=$(pgrep -P $! cc-run)
	wait_until 20 eval '[ "$(pgrep -cP "$runner" cc-run)" = 1 ]'
	kill -TERM "$runner"
	wait_until 30 eval '! alive "$runner"'
	ended 143 $!
	gone
}

@test "where no process can be started for a run those at work end, and it says so" {
	[[ ${CC-} != *musl* ]] || skip "its posix_spawn would fail"
	no_emulator "the program as strace's own child"
	unsanitized			# LeakSanitizer and strace exclude each other
	scene both <<-'END'
		init; edit
		until [ "$(wc -l < "$REHEARSAL_STATE")" -ge 2 ]; do sleep 0.05; done
		result false success Done.
	END
	CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL=$SCENE/both run -1 strace -qq -o trace \
	    -e trace=clone -e inject=clone:error=EAGAIN:when=3 "$CCRE" \
	    --no-plugin -o "$OUT" -r 3 -i 1 -j 2 "$PROJECT" exp
	echo "$output"
	[[ $output == *'stopped: cannot start run 3: Resource temporarily unavailable: the same command goes on from here'* ]]
	[ "$(rows)" = $'1/1 success\n2/1 success' ]
	gone
	run -0 experiment -r 3 -i 1 -j 2
}

@test "a run that waits for a limit ends when another is denied" {
	export SAID=$BATS_TEST_TMPDIR/said
	scene mixed <<-'END'
		case $prompt in
		*'in run 1.'*)
			init; edit; limit rejected 3600
			result true success "You've hit your 5-hour limit" ',"api_error_status":429'
			exit 1 ;;
		esac
		until grep -q 'waiting for' "$SAID"; do sleep 0.05; done
		api_error 401 'Invalid API key'
	END
	REHEARSAL=$SCENE/mixed experiment -w -r 2 -i 1 -j 2 > said 2>&1 3>&- &
	local pid=$!
	wait_until 40 eval '! alive $pid'
	ended 77 $pid
	gone
}

@test "the plan of an isolated experiment can be pasted" {
	experiment --isolate -n -r 1 -i 2 > plan
	grep -v '^#' plan > plan.sh
	grep -q 'git -C .* fetch' plan.sh
	bash -e plan.sh > said 2>&1 || { cat said; return 1; }
	[ "$(project log --format=%s exp-run-1-iteration-2)" = 'exp: run 1, iteration 2: success
exp: run 1, iteration 1: success
baseline' ]
	rm -r "$TMPDIR"/cc-run-experiments.XXXXXX
}

@test "on a terminal the status line shows all runs" {
	scene works <<-'END'
		init; sleep 2.5; edit; result false success Done.
	END
	export SHELL=/bin/sh
	REHEARSAL=$SCENE/works TERM=xterm script -qec "'$CCRE' --no-plugin -j 2 -r 2 -i 1 -o '$OUT' '$PROJECT' exp" typescript > /dev/null
	tr '\r' '\n' < typescript | grep -a 'run 1/2 iteration 1/1 0:0[12], run 2/2 iteration 1/1 0:0[12], \$0.00'
}

@test "the same run of the same prefix in another project is none of our business" {
	scene looks <<-'END'
		init; echo "$CC_RUN_EXPERIMENTS_TREE" >> "$SEEN"; edit; result false success Done.
	END
	export SEEN=$BATS_TEST_TMPDIR/seen
	cp -a "$PROJECT" twin
	REHEARSAL=$SCENE/looks run -0 experiment --isolate -r 1 -i 2
	REHEARSAL=$SCENE/looks run -0 ccre --no-plugin -o other --isolate -r 1 -i 1 twin exp
	[ "$(sort -u seen | wc -l)" = 2 ]
	[ "$(wc -l < seen)" = 3 ]
}

@test "a claude that removes its clone ends it all in one line, and has its row" {
	scene removes <<-'END'
		init; edit; rm -rf "$PWD"; result false success Done.
	END
	REHEARSAL=$SCENE/removes run -1 experiment -q --isolate -r 1 -i 1
	echo "$output"
	[[ ${lines[0]} == *'is gone, cannot be entered, or was made a link: put it back' ]]
	[ "${#lines[@]}" = 1 ]
	[ "$(rows)" = '1/1 interrupted' ]
	[ "$(ledger cost_usd)" = 0.0125 ]
	[ "$(ledger protected_touched)" = '' ]
	gone
	REHEARSAL=success run -0 experiment --isolate -r 1 -i 1
	[ "$(ledger attempt | tail -n 1)" = 2 ]
}

@test "what a runner left that was killed before it had its lock is removed, not what is new" {
	mkdir "$TMPDIR/cc-run-experiments.aaaaaa" "$TMPDIR/cc-run-experiments.bbbbbb"
	: > "$TMPDIR/cc-run-experiments.cccccc"
	: > "$TMPDIR/cc-run-experiments.dddddd"
	touch -d '-2 minutes' "$TMPDIR"/cc-run-experiments.[ac]*
	run -0 experiment --isolate -r 1 -i 1
	[ "$(ls -A "$TMPDIR" | tr '\n' ' ')" = 'cc-run-experiments.bbbbbb cc-run-experiments.dddddd ' ]
}

@test "runs go on when the agent of one has removed the results of all" {
	scene removes <<-'END'
		init; edit
		case $prompt in
		*'iteration 1 of 2 in run 1.'*) rm -rf "$OUT" ;;
		esac
		result false success Done.
	END
	REHEARSAL=$SCENE/removes run experiment -j 2 -r 2 -i 2 -b b='echo runtime: 1ms'
	echo "$output"
	run -0 experiment -j 2 -r 2 -i 2 -b b='echo runtime: 1ms'
	# It may still have been removing what the other run put back.
	[ "$(rows | grep -v interrupted)" = $'1/1 success\n1/2 success\n2/1 success\n2/2 success' ]
	[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 4 ]
	[ "$(calls)" -le 6 ]
	gone
}

@test "what the experiment is stays known when an agent removes it as another is called" {
	scene removes <<-'END'
		init; edit
		case $prompt in
		*'iteration 1 of 2 in run 1.'*)
			until [ -e "$MARKS/second" ]; do rm -f "$OUT/exp--experiment.csv"; done ;;
		*'iteration 2 of 2 in run 2.'*)
			: > "$MARKS/second"; until [ -e "$MARKS/back" ]; do sleep 0.05; done ;;
		*'iteration 2 of 2 in run 1.'*) : > "$MARKS/back" ;;
		esac
		result false success Done.
	END
	export MARKS=$BATS_TEST_TMPDIR
	REHEARSAL=$SCENE/removes run -0 experiment -j 2 -r 2 -i 2
	echo "$output"
	run -0 experiment -j 2 -r 2 -i 2
	[[ $output == *'all runs are finished'* ]]
	[ "$(calls)" = 4 ]
	gone
}

@test "a run that ends before it has its clone leaves those of the others" {
	sed 's/stopped = job_wait(AGENT)/stopped = id == 2 || job_wait(AGENT)/' \
	    "$CCRE_ROOT/cc-run-experiments.c" > ends.c
	run ! cmp -s ends.c "$CCRE_ROOT/cc-run-experiments.c"
	build ends.c "$PWD/ends"
	scene waits <<-'END'
		init; edit; until [ -e "$REHEARSAL_STATE" ]; do sleep 0.01; done; sleep 0.3; result false success Done.
	END
	CCRE=$PWD/ends REHEARSAL=$SCENE/waits run -1 experiment -j 2 -r 2 -i 2
	echo "$output"
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	gone
}

@test "a lock that a killed git left on our refs stops no run, and is removed" {
	local ref
	for ref in heads/exp-run-1-iteration-1 cc-run-experiments/exp/baseline \
	    cc-run-experiments/exp/run-1/iteration-2/attempt-1; do
		mkdir -p "$(dirname "$PROJECT/.git/refs/$ref")"
		: > "$PROJECT/.git/refs/$ref.lock"
		REHEARSAL='success overloaded' run -0 experiment --isolate -r 1 -i 2
		echo "$output"
		gone
		forget
	done
}

@test "an experiment whose runner was killed as it began goes on, in clones and in place" {
	local how
	cat > bin/git <<-'END'
		#!/bin/sh
		case "$*" in
		*'update-ref '*/exp/baseline*) [ -e "$KILLED" ] || { : > "$KILLED"; kill -KILL $PPID; exit 1; } ;;
		esac
		exec "$REAL_GIT" "$@"
	END
	chmod +x bin/git
	export KILLED=$PWD/killed REAL_GIT
	REAL_GIT=$(PATH=${PATH#*:} command -v git)
	for how in --isolate -v; do
		run -137 experiment "$how" -r 1 -i 1
		run -0 experiment "$how" -r 1 -i 1
		project rev-parse -q --verify refs/cc-run-experiments/exp/baseline
		gone
		forget
		rm killed
	done
}

@test "a runner that is killed as it removes what another one left leaves it to the next" {
	unsanitized			# LeakSanitizer and strace exclude each other
	local when left=$TMPDIR/cc-run-experiments.aaaaaa
	for when in 2 3 4 5 6 7 8; do
		rm -rf "$OUT"
		project for-each-ref --format='delete %(refname)' refs/cc-run-experiments 'refs/heads/exp-*' |
		    project update-ref --stdin
		mkdir -p "$left/tmp" "$left/run-1"
		touch "$left/lock" "$left/index" "$left/run-1/a" "$left/tmp/b"
		CC_TEST_ID=$BATS_TEST_TMPDIR run -137 strace -qq -o trace -e trace=unlinkat \
		    -e inject=unlinkat:signal=KILL:when="$when" "$CCRE" --no-plugin -o "$OUT" \
		    --isolate -r 1 -i 1 "$PROJECT" exp
		run -0 experiment --isolate -r 1 -i 1
		echo "$when: $output"
		gone
	done
}

@test "while a benchmark is measured no run has a git at work" {
	mkdir busy
	cat > bin/git <<-'END'
		#!/bin/sh
		: > "$BUSY/$$"
		case " $* " in *' fetch '* | *' checkout '* | *' add '*) sleep 0.1 ;; esac
		"$REAL_GIT" "$@"
		status=$?
		rm "$BUSY/$$"
		exit $status
	END
	chmod +x bin/git
	export BUSY=$PWD/busy REAL_GIT
	REAL_GIT=$(PATH=${PATH#*:} command -v git)
	run -0 experiment -j 3 -r 3 -i 2 --every-iteration \
	    -b alone='for i in 1 2 3 4 5 6; do ls "$BUSY"; sleep 0.03; done'
	rm bin/git
	[ "$(find "$OUT" -name '*--alone.log' | wc -l)" = 9 ]
	[ -z "$(cat "$OUT"/*--alone.log)" ]
	gone
}

@test "rows of another process stay when those that an agent removed are put back" {
	scene removes <<-'END'
		init; edit
		case $prompt in
		*'iteration 2 of 2 in run 1.'*)
			: > "$WORKING"; until [ -e "$WORKING-enough" ]; do sleep 0.05; done
			sed -i '/^exp,1,/d' "$OUT/exp--iterations.csv" ;;
		esac
		result false success Done.
	END
	export WORKING=$BATS_TEST_TMPDIR/working REHEARSAL=$SCENE/removes
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" -q --no-plugin -o "$OUT" \
	    --isolate --run 1 -r 2 -i 2 "$PROJECT" exp 2> log 3>&- &
	local pid=$!
	wait_until 20 test -e working
	run -0 experiment --isolate --run 2 -r 2 -i 2
	: > working-enough
	wait "$pid"
	grep -q 'exp--iterations.csv was changed: put back' log
	[ "$(rows)" = $'1/1 success\n1/2 success\n2/1 success\n2/2 success' ]
	gone
}

@test "what git finds wrong in an agent's files is fetched all the same" {
	project config transfer.fsckObjects true
	project config protocol.file.allow never
	REHEARSAL_EDIT='printf "[submodule \"x\"]\n\tpath = x\n\turl = -evil\n" > .gitmodules' \
	    run -0 experiment --isolate -r 1 -i 1
	project show exp-run-1-iteration-1:.gitmodules
	[ "$(ledger outcome)" = success ]
}

@test "an attempt whose work cannot be fetched has its row, with what it cost" {
	cat > bin/git <<-'END'
		#!/bin/sh
		case " $* " in
		*' fetch '*attempt* | *' fetch '*'+refs/cc-run-experiments/exp/run-1/*'*)
			echo 'fatal: no way' >&2; exit 128 ;;
		esac
		exec "$REAL_GIT" "$@"
	END
	chmod +x bin/git
	REAL_GIT=$(PATH=${PATH#*:} command -v git) run -1 experiment --isolate -r 1 -i 1
	[[ $output == *'fatal: no way'* ]]
	[ "$(ledger outcome)" = interrupted ]
	[ "$(ledger cost_usd)" = 0.0125 ]
	rm bin/git
	run -0 experiment --isolate -r 1 -i 1
	[ "$(ledger outcome | xargs)" = 'interrupted success' ]
	house_is_clean
}
