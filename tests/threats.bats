# What an agent may try against the runner that called it: results that it makes
# up, links that lead git and the runner elsewhere, pipes, names. One test each.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016).
# shellcheck disable=SC2030,SC2031,SC2016

load helper

# victim: what is not the agent's, nor the runner's: a directory and a repository.
victim() {
	mkdir -p "$BATS_TEST_TMPDIR/victim/exclude"
	echo mine > "$BATS_TEST_TMPDIR/victim/grafts"
	echo mine > "$BATS_TEST_TMPDIR/victim/exclude/file"
	git clone -q "$PROJECT" "$BATS_TEST_TMPDIR/repository"
	git -C "$BATS_TEST_TMPDIR/repository" branch feature
	git -C "$BATS_TEST_TMPDIR/repository" tag v1
	export VICTIM=$BATS_TEST_TMPDIR/victim REPOSITORY=$BATS_TEST_TMPDIR/repository
	victim_now > victim_was
}

victim_now() {
	find "$BATS_TEST_TMPDIR/victim" "$BATS_TEST_TMPDIR/repository" -type f -exec cksum {} + | sort
	git -C "$BATS_TEST_TMPDIR/repository" for-each-ref
}

# plants OPTION... < SCENE: an experiment with that agent; $status and $output.
plants() {
	cat > "$SCENE/plants"
	export REAL_OUT=$OUT
	REHEARSAL=$SCENE/plants run experiment "$@"
	echo "$output"
}

@test "measurements that the agent makes up are removed, and the real ones made" {
	plants -r 2 -i 1 -b b='echo runtime: 5ms' <<-'END'
		init; edit
		for point in run-1--iteration-1 run-2--iteration-0 run-2--iteration-1; do
			printf 'experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us\nexp,1,1,1,1\n' > "$OUT/exp--$point--b.csv"
		done
		printf 'experiment_id,run_id,iteration_id,src_added,src_removed,md_added,md_removed,total_added,total_removed\nexp,1,1,9,9,9,9,9,9\n' > "$OUT/exp--diffstats.csv"
		result false success ok
	END
	[ "$status" = 0 ]
	[[ $output == *'exp--run-2--iteration-0--b.csv was made by claude or a benchmark: removed'* ]]
	[ "$(cat "$OUT"/exp--run-*--b.csv | grep -c ',5000$')" = 4 ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 3 ]
	run ! grep 9,9,9 "$OUT/exp--diffstats.csv"
	house_is_clean
}

@test "measurements of its own run that the agent makes up in a clone are removed, too" {
	plants --isolate -r 1 -i 1 -b b='echo runtime: 5ms' <<-'END'
		init; edit
		printf 'experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us\nexp,1,1,1,1\n' > "$REAL_OUT/exp--run-1--iteration-1--b.csv"
		result false success ok
	END
	[ "$status" = 0 ]
	[ "$(cat "$OUT"/exp--run-*--b.csv | grep -c ',5000$')" = 2 ]
}

@test "a benchmark cannot change what the benchmark before it has measured" {
	experiment -r 1 -i 1 -b one='echo runtime: 5ms' \
	    -b two='sed -i s/,5000/,1/ "$OUT"/*--one.csv; echo runtime: 7ms'
	[ "$(cat "$OUT"/exp--run-*--one.csv | grep -c ',5000$')" = 2 ]
	[ "$(cat "$OUT"/exp--run-*--two.csv | grep -c ',7000$')" = 2 ]
}

@test "a directory in the place of a result, a transcript or a log is no obstacle" {
	plants -r 1 -i 2 -b b='echo runtime: 5ms' <<-'END'
		init; edit
		mkdir -p "$OUT/exp--diffstats.csv" "$OUT/exp--run-1--iteration-2--b.csv" \
		    "$OUT/exp--run-1--iteration-2--attempt-1.jsonl/x" "$OUT/exp--run-1--iteration-2--b.log"
		result false success ok
	END
	[ "$status" = 0 ]
	[ "$(ledger outcome | xargs)" = 'success success' ]
	[ "$(cat "$OUT"/exp--run-*--b.csv | grep -c ',5000$')" = 2 ]
	house_is_clean
}

@test "links inside of the git directory lead neither git nor the runner elsewhere" {
	victim
	plants -r 1 -i 2 <<-'END'
		init; edit
		ln -sf "$VICTIM/grafts" .git/logs/HEAD
		rm -rf .git/info; ln -s "$VICTIM" .git/info
		rm -rf .git/hooks; ln -s "$VICTIM" .git/hooks
		result false success ok
	END
	[ "$status" = 0 ]
	[[ $output == *'info in the git directory was made a link: removed'* ]]
	victim_now | diff victim_was -
	house_is_clean
}

@test "a link in the place of the refs changes no other repository" {
	victim
	plants -r 1 -i 2 <<-'END'
		init; edit
		rm -rf .git/refs; ln -s "$REPOSITORY/.git/refs" .git/refs
		result false success ok
	END
	victim_now | diff victim_was -
	house_is_clean
}

@test "a link in the place of the git directory ends it all, and changes no other repository" {
	victim
	plants -r 1 -i 2 <<-'END'
		init; edit
		mv .git oldgit; ln -s "$REPOSITORY/.git" .git
		result false success ok
	END
	[ "$status" = 1 ]
	victim_now | diff victim_was -
}

@test "a link to packed refs or objects is not followed" {
	victim
	plants -r 1 -i 2 <<-'END'
		init; edit
		git pack-refs --all
		mv .git/packed-refs "$VICTIM/packed"; ln -s "$VICTIM/packed" .git/packed-refs
		cksum < "$VICTIM/packed" > "$VICTIM/../packed.sum"
		result false success ok
	END
	[ "$status" = 0 ]
	cksum < "$VICTIM/packed" | diff packed.sum -
	house_is_clean
}

@test "links that the user has in the git directory stay" {
	mkdir hooks
	mv "$PROJECT/.git/hooks" "$PROJECT/.git/old" 2> /dev/null || :
	ln -s ../../hooks "$PROJECT/.git/hooks"
	mv "$PROJECT/.git/info" info
	ln -s ../../info "$PROJECT/.git/info"
	experiment -r 1 -i 2
	[ "$(readlink "$PROJECT/.git/hooks")" = ../../hooks ]
	[ "$(readlink "$PROJECT/.git/info")" = ../../info ]
	house_is_clean
}

@test "alternates, a shallow file and a FIFO among the objects do not stay" {
	plants -r 1 -i 2 <<-'END'
		init; edit
		git rev-parse main > .git/shallow
		if [ "$call" = 1 ]; then mkfifo .git/objects/info/alternates; else echo "$PWD/../elsewhere" > .git/objects/info/alternates; fi
		result false success ok
	END
	[ "$status" = 0 ]
	[ ! -e "$PROJECT/.git/shallow" ]
	[ ! -e "$PROJECT/.git/objects/info/alternates" ]
	house_is_clean
}

@test "the .git file of a linked work tree is put back" {
	project worktree add -q --detach "$BATS_TEST_TMPDIR/linked" main
	git init -q evil
	cat > "$SCENE/plants" <<-'END'
		init; edit; echo "gitdir: $PWD/../evil/.git" > .git; result false success ok
	END
	cp linked/.git before
	REHEARSAL=$SCENE/plants run -0 ccre --no-plugin -r 1 -i 2 -o "$OUT" linked exp
	cmp linked/.git before
	[ -z "$(git -C linked status --porcelain)" ]
}

@test "a folder of the prefix that becomes a link leads no result elsewhere" {
	victim
	cat > "$SCENE/plants" <<-'END'
		init; edit; rm -rf "$OUT/a"; ln -s "$VICTIM" "$OUT/a"; result false success ok
	END
	REHEARSAL=$SCENE/plants run ccre --no-plugin -r 1 -i 2 -o "$OUT" "$PROJECT" a/exp
	echo "$output"
	victim_now | diff victim_was -
	house_is_clean
}

@test "an output directory that becomes a link leads no result of a clone elsewhere" {
	victim
	plants --isolate -r 1 -i 2 <<-'END'
		init; edit; mv "$REAL_OUT" "$REAL_OUT.old"; ln -s "$VICTIM" "$REAL_OUT"; result false success ok
	END
	victim_now | diff victim_was -
}

@test "what the user has in TMPDIR under a like name is never removed" {
	mkdir "$TMPDIR/cc-run-experiments.backup" "$TMPDIR/cc-run-experiments.abcdef"
	echo precious > "$TMPDIR/cc-run-experiments.c"
	echo precious > "$TMPDIR/cc-run-experiments.backup/data"
	ln -s "$PROJECT" "$TMPDIR/cc-run-experiments.linked"
	touch -h -d '2 hours ago' "$TMPDIR"/cc-run-experiments.*
	experiment -r 1 -i 1
	[ "$(cat "$TMPDIR/cc-run-experiments.c" "$TMPDIR/cc-run-experiments.backup/data")" = $'precious\nprecious' ]
	[ -L "$TMPDIR/cc-run-experiments.linked" ]
	[ ! -e "$TMPDIR/cc-run-experiments.abcdef" ]	# an empty one is a killed runner's
}

@test "a TMPDIR inside of the work tree is refused, unless git ignores it" {
	mkdir "$PROJECT/mine" "$PROJECT/tmp.o"
	TMPDIR=$PROJECT/mine run -2 experiment -r 1 -i 1
	[ "$output" = "cc-run-experiments: TMPDIR $PROJECT/mine: expected a directory outside of the work tree, or one that git ignores" ]
	rmdir "$PROJECT/mine"
	TMPDIR=$PROJECT/tmp.o run -0 experiment -r 1 -i 1
	house_is_clean
}

@test "no control character of an agent reaches a terminal by -v, and what it shows can be pasted" {
	cat > "$SCENE/plants" <<-'END'
		init; edit; result false success 'a\u001b]0;PWNED\u0007\u001b[31m'
	END
	REHEARSAL=$SCENE/plants experiment -v -r 1 -i 1 2> shown
	run ! grep -q "$(printf '\033')" shown
	run ! grep -q "$(printf '\007')" shown
	grep -qF "\$(printf '\\033')" shown
}

@test "numbers that are none, and formulas, do not enter the ledger" {
	cat > "$SCENE/plants" <<-'END'
		edit
		printf '{"type":"system","subtype":"init","session_id":"@SUM(1)","model":"=HYPERLINK(\\"http://x\\")","claude_code_version":"+1","plugins":[]}\n'
		printf '{"type":"result","subtype":"success","is_error":false,"num_turns":-3,"total_cost_usd":"nan","result":"ok","usage":{"input_tokens":"=cmd","output_tokens":7}}\n'
	END
	REHEARSAL=$SCENE/plants experiment -r 1 -i 1
	[ "$(ledger num_turns)$(ledger cost_usd)$(ledger input_tokens)" = '' ]
	[ "$(ledger output_tokens)" = 7 ]
	[ "$(ledger session_id)" = '?SUM(1)' ]
	grep -qF '"?HYPERLINK(""http://x"")",?1,' "$OUT/exp--iterations.csv"
}

@test "a benchmark that failed says why" {
	run -0 experiment -r 1 -i 1 -b one='exit 3' -b two='echo runtime: 3 moons' -b three='echo runtime: 1ms'
	echo "$output"
	[[ $output == *'benchmark one failed, exit status 3: see '* ]]
	[[ $output == *'benchmark two failed, expected runtime: NUMBER and ns, us, ms or s: see '* ]]
	[[ $output != *'benchmark three failed'* ]]
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 --build 'exit 4' -b one=true "$PROJECT" built
	[[ $output == *'benchmark one failed, the build: exit status 4: see '* ]]
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 --benchmark-timeout 1s -b one='sleep 1000' "$PROJECT" slow
	[[ $output == *'benchmark one failed, --benchmark-timeout: see '* ]]
}
