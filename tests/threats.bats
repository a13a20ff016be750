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
# $AS is another function than "experiment" that runs it.
plants() {
	cat > "$SCENE/plants"
	export REAL_OUT=$OUT
	REHEARSAL=$SCENE/plants run "${AS:-experiment}" "$@"
	echo "status $status: $output"
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

@test "a number that does not fit is not known, and one in another notation is the same" {
	cat > "$SCENE/plants" <<-'END'
		init; edit
		printf '{"type":"result","subtype":"success","is_error":false,"num_turns":1%030d,"total_cost_usd":1e400,"result":"ok","modelUsage":{"m":{"inputTokens":1.5e3,"outputTokens":1e+22,"cacheReadInputTokens":7}}}\n' 0
	END
	REHEARSAL=$SCENE/plants run -0 experiment -r 1 -i 1
	[[ $output != *inf* ]]
	[ "$(ledger num_turns)$(ledger cost_usd)" = '' ]
	[ "$(ledger input_tokens) $(ledger output_tokens) $(ledger cache_read_tokens)" = '1500 0 7' ]
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

# ---- what goes on, or ends with a line that says why ------------------------------

# hurried OPTION...: an experiment that does not hang.
hurried() {
	CC_TEST_ID=$BATS_TEST_TMPDIR timeout -k 30 60 "$CCRE" --no-plugin -o "$OUT" "$@" "$PROJECT" exp
}

# few_files OPTION...: the same with as many open files as a login has.
few_files() {
	ulimit -n 1024
	hurried "$@"
}

# again OPTION...: the next start of that command, with an agent that does no harm.
again() {
	REHEARSAL=success run "${AS:-hurried}" "$@"
	echo "again, status $status: $output"
	[ "$status" = 0 ]
}

# rows: run, iteration and outcome of each row.
rows() {
	awk -F, 'NR > 1 { print $2 "/" $3, $5 }' "$OUT/exp--iterations.csv"
}

# says_why WORD: it went on to the end, or ended with one line that has WORD.
says_why() {
	[ "$status" = 0 ] || {
		[ "$status" = 1 ]
		[ "$(grep -v '^cc-run-experiments: run ' <<< "$output" | grep -c "$1")" = 1 ]
	}
}

# at_home: the user's branch and tree are as at the start.
at_home() {
	[ "$(project symbolic-ref HEAD)" = refs/heads/main ]
	[ "$(project rev-parse main)" = "$BASE" ]
	[ -z "$(project status --porcelain)" ]
}

# sums DIRECTORY: what is in it, but for the runner's lock and note; a scene
# has the command.
export SUMS='find . -type f ! -name "cc-run-experiments*" -exec cksum {} + | sort'
sums() {
	(cd "$1" && eval "$SUMS")
}

# objects_elsewhere COMMAND: the agent links the objects to what COMMAND makes.
objects_elsewhere() {
	export HOW=$1
	plants -q -r 1 -i 2 <<-'END'
		init; edit
		if [ "$call" = 1 ]; then
			$HOW .git/objects ../elsewhere
			rm -rf .git/objects; ln -s "${PWD%/*}/elsewhere" .git/objects
			(cd ../elsewhere && eval "$SUMS") > ../elsewhere_was
		fi
		result false success ok
	END
	[ ! -d elsewhere ] || sums elsewhere | diff elsewhere_was -
	says_why objects
	if [ -L "$PROJECT/.git/objects" ]; then
		# It has said so; the user does it, and keeps what is elsewhere.
		[ "$status" = 1 ]
		rm "$PROJECT/.git/objects"
		cp -a elsewhere "$PROJECT/.git/objects"
	fi
	again -q -r 1 -i 2
	at_home
	[ "$(ledger outcome | grep -c success)" = 2 ]
	project fsck --strict
	[ ! -d elsewhere ] || sums elsewhere | diff elsewhere_was -
	house_is_clean
}

@test "objects that an agent moves elsewhere and links are not written to there" {
	objects_elsewhere mv
}

@test "objects that an agent links to a copy of them are not written to there" {
	objects_elsewhere 'cp -a'
}

# deep HUNDREDS DIRECTORY: the agent's first call makes directories so deep there
# (in parts of 600, which a path can name), with a file at the bottom.
deep() {
	export PARTS=$(($1 / 6)) WHERE=$2
	AS=few_files plants -r 1 -i 2 <<-'END'
		init; edit
		if [ "$call" = 1 ]; then
			(
				eval "cd $WHERE"
				path=$(printf 'a/%.0s' $(seq 600)); mkdir top; echo leaf > top/leaf
				while [ "$PARTS" -gt 0 ]; do
					mkdir -p "above/$path" && mv top "above/$path" && mv above top || exit
					PARTS=$((PARTS - 1))
				done
				: > "$REAL_OUT/../deep"
			)
		fi
		result false success ok
	END
	[ -e deep ]
	[ "$status" = 0 ]
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	[ ! -e "$PROJECT/top" ]
	house_is_clean
	AS=few_files again -r 2 -i 2
	[ "$(rows | wc -l)" = 4 ]
	house_is_clean
}

@test "directories 1,200 deep in the work tree do not stop the work" {
	deep 12 .
}

@test "directories 1,200 deep in the agent's TMPDIR do not stop the work" {
	deep 12 '"$TMPDIR"'
}

@test "directories deeper than a path can name do not stop the work" {
	deep 30 .
}

@test "directories in TMPDIR that are deeper than a path can name do not stop the work" {
	deep 30 '"$TMPDIR"'
}

# packed_garbage: the agent's first call writes that into the packed refs.
packed_garbage() {
	project for-each-ref refs/heads refs/tags > refs_were
	plants -r 1 -i 2 <<-'END'
		init; edit
		[ "$call" -gt 1 ] || echo garbage > .git/packed-refs
		result false success ok
	END
	[ "$status" = 0 ]
	[[ $output == *packed-refs* ]]
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	project for-each-ref refs/heads refs/tags | grep -v /exp-run- | diff refs_were -
	again -r 2 -i 2
	house_is_clean
}

@test "garbage in the place of packed refs is removed" {
	project branch side
	project tag -a -m one v1
	packed_garbage
}

@test "packed refs that an agent overwrites with garbage are put back" {
	project branch side
	project tag -a -m one v1
	project pack-refs --all
	packed_garbage
}

@test "a FIFO called .gitignore in a directory that is no more ignored does not stop the work" {
	echo build/ >> "$PROJECT/.gitignore"
	project commit -qam ignore
	BASE=$(project rev-parse main)
	mkdir "$PROJECT/build"
	echo mine > "$PROJECT/build/mine"
	AS=hurried plants -r 1 -i 2 <<-'END'
		init; edit
		[ "$call" -gt 1 ] || { rm .gitignore; mkfifo build/.gitignore; }
		result false success ok
	END
	[ "$status" = 0 ]
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	[ "$(cat "$PROJECT/build/mine")" = mine ]
	[ -f "$PROJECT/.gitignore" ]
	again -r 2 -i 2
	house_is_clean
}

# all_results: they are complete, or it said so and the next start completes them.
all_results() {
	if [ "$status" != 0 ]; then
		[ "$status" = 1 ]
		[[ $output == *'cc-run-experiments: cannot '* ]]
		again -j 2 -r 2 -i 4
	fi
	[ "$(sed -n 1p "$OUT/exp--experiment.csv")" = key,value ]
	[ "$(grep -n ^experiment_id "$OUT/exp--diffstats.csv" | cut -d , -f 1)" = 1:experiment_id ]
	[ "$(sed 1d "$OUT/exp--diffstats.csv" | cut -d , -f 2,3 | sort | xargs)" = \
	    '1,1 1,2 1,3 1,4 2,1 2,2 2,3 2,4' ]
	[ "$(rows | grep success | sort | xargs)" = \
	    '1/1 success 1/2 success 1/3 success 1/4 success 2/1 success 2/2 success 2/3 success 2/4 success' ]
	house_is_clean
}

@test "results that the agents of two clones remove at once are back, or it says that they are not" {
	export MET=$BATS_TEST_TMPDIR/met
	mkdir met
	AS=hurried plants -j 2 -r 2 -i 4 <<-'END'
		init; edit
		iteration=$(printf '%s\n' "$prompt" | sed -n 's/^This is iteration \([0-9]*\) .*/\1/p')
		: > "$MET/$iteration-$$"; n=0
		until [ "$(ls "$MET" | grep -c "^$iteration-")" -ge 2 ] || [ $n = 100 ]; do n=$((n + 1)); sleep 0.05; done
		rm -f "$REAL_OUT"/*
		result false success ok
	END
	all_results
}

@test "rows that another run wrote since are not lost when an agent removes the ledger" {
	AS=hurried plants -j 2 -r 2 -i 4 <<-'END'
		init; edit
		case $prompt in
		*'This is iteration 2 of 4 in run 2.'*)
			n=0
			until grep -q '^exp,1,4,' "$REAL_OUT/exp--iterations.csv" || [ $n = 200 ]; do n=$((n + 1)); sleep 0.05; done
			rm -f "$REAL_OUT"/* ;;
		esac
		result false success ok
	END
	all_results
}

@test "a ledger that an agent gives a second name is a file of its own again" {
	plants -r 1 -i 3 <<-'END'
		init; edit
		[ "$call" != 2 ] || { ln "$OUT/exp--iterations.csv" ../other; cp ../other ../other_was; }
		result false success ok
	END
	cmp other_was other
	[ "$status" = 0 ]
	[[ $output == *'exp--iterations.csv was changed: put back'* ]]
	ln "$OUT/exp--iterations.csv" more	# a backup of the user's, say
	cp more other_was
	again -r 2 -i 3
	[ "$(rows | grep -c success)" = 6 ]
	[ "$(stat -c %h "$OUT/exp--iterations.csv")" = 1 ]
	cmp other_was more
	house_is_clean
}

# ends_or_is_clean: another status than 0 and a line, or all is as it should be.
ends_or_is_clean() {
	if [ "$status" = 0 ]; then
		[ "$(rows)" = $'1/1 success\n1/2 success' ]
		[ ! -L "$PROJECT" ]
		house_is_clean
	else
		[ "$status" = 1 ]
		[ "$(grep -vc '^cc-run-experiments: run ' <<< "$output")" = 1 ]
		no_survivors
	fi
}

# top_elsewhere PLACE: the agent moves the top away, and links PLACE there.
top_elsewhere() {
	export PLACE=$1
	AS=hurried plants -q -r 1 -i 2 <<-'END'
		init; edit
		if [ "$call" = 1 ]; then
			cd ..
			mv project moved; ln -s "$PLACE" project
			echo mine > project/untracked
			(cd moved && eval "$SUMS") > moved_was
			(cd "$PLACE" && eval "$SUMS") > place_was
		fi
		result false success ok
	END
	if [ "$status" != 0 ]; then
		sums moved | diff moved_was -
	fi
	[ ! -e "$PLACE" ] || sums "$PLACE" | diff place_was -
	ends_or_is_clean
}

@test "a top of the work tree that an agent moves and links is not followed" {
	top_elsewhere "$BATS_TEST_TMPDIR/moved"
}

@test "a top of the work tree that becomes a link to another repository is not followed" {
	victim
	top_elsewhere "$REPOSITORY"
}

# private_elsewhere PLACE: the same with the runner's private directory.
private_elsewhere() {
	export PLACE=$1
	AS=hurried plants -q -r 1 -i 2 <<-'END'
		init; edit
		if [ "$call" = 1 ]; then
			own=${TMPDIR%/*}
			mv "$own" "$REAL_OUT/../moved"; ln -s "$PLACE" "$own"
			echo mine > "$PLACE/tmp/mine"
			(cd "$PLACE" && eval "$SUMS") > "$REAL_OUT/../place_was"
		fi
		result false success ok
	END
	sums "$PLACE" | diff place_was -
	ends_or_is_clean
	[ "$status" = 0 ] || again -q -r 1 -i 2
	at_home
}

@test "a private directory that an agent moves and links is not followed" {
	# The index and the lock that are there are the runner's own.
	SUMS="find . -name mine -exec cksum {} +"
	private_elsewhere "$BATS_TEST_TMPDIR/moved"
}

@test "a private directory that becomes a link to the user's files is not followed" {
	victim
	mkdir "$VICTIM/tmp" "$VICTIM/run-1"
	touch "$VICTIM/index" "$VICTIM/lock" "$VICTIM/run-1/mine"
	private_elsewhere "$VICTIM"
}

# made_up SECONDS: an agent makes such a commit, then the runner is killed.
made_up() {
	export TOLD=$1
	scene working <<-'END'
		init; edit; git add -A
		printf '%s\n' 'exp: run 1, iteration 1: success' '' 'made up' '' 'Experiment: exp' 'Run: 1' \
		    'Iteration: 1' 'Attempt: 1' 'Outcome: success' "Seconds: $TOLD" | git commit -qF -
		git rev-parse HEAD > ../made_up
		: > ../working; exec sleep 1000
	END
	REHEARSAL=$SCENE/working CC_TEST_ID=$BATS_TEST_TMPDIR \
	    "$CCRE" --no-plugin -o "$OUT" -r 1 -i 2 "$PROJECT" exp > said 2>&1 3>&- &
	wait_until 20 test -e working
	kill -KILL $!
	wait $! 2> /dev/null || :
	again -r 1 -i 2
	[ "$(calls)" = 3 ]
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	run ! grep -r "$TOLD" "$OUT"
	[ "$(project rev-parse exp-run-1-iteration-1^)" = "$BASE" ]
	run ! project merge-base --is-ancestor "$(cat made_up)" exp-run-1-iteration-2
	house_is_clean
}

@test "a commit that an agent makes up is no finished iteration after a kill" {
	made_up 5.4321
}

@test "a commit that an agent makes up does not use up the time of its run" {
	made_up 99999999
}

@test "of more results than a hand can count none is lost or taken for an agent's" {
	local i
	run -0 experiment -q -r 1 -i 1 -b b='echo runtime: 1ms'
	for i in $(seq 70); do
		cp "$OUT/exp--run-1--iteration-0--b.csv" "$OUT/exp--run-1--iteration-0--b$i.csv"
	done
	REHEARSAL_EDIT='rm "$OUT"/exp--run-1--*.csv; echo "$call" > work' \
	    run -0 experiment -r 2 -i 1 -b b='echo runtime: 1ms'
	[ "$(find "$OUT" -name 'exp--run-1--*.csv' | wc -l)" = 72 ]
	[[ $output != *'was made by'* ]]
}

@test "an agent that removes the runner's index takes no committed file with it" {
	mkdir "$PROJECT/dist"
	echo built > "$PROJECT/dist/x.js"
	echo dist/ >> "$PROJECT/.gitignore"
	project add -f .
	project commit -qm 'with what is ignored'
	BASE=$(project rev-parse HEAD)
	REHEARSAL_EDIT='rm "${TMPDIR%/*}/index"; echo "$call" > work' run -0 experiment -r 1 -i 2
	[ "$(project diff --name-status main exp-run-1-iteration-2)" = $'A\twork' ]
	[ "$(ledger total_removed | tr '\n' ' ')" = '0 1 ' ]
	house_is_clean
}

@test "a commit of its own that an agent empties does not end the experiment" {
	scene empties <<-'END'
		init; echo "$call" >> main.py; git commit -qam mine
		object=.git/objects/$(git rev-parse HEAD | sed 's|^..|&/|')
		chmod u+w "$object"; : > "$object"
		result false success ok
	END
	REHEARSAL="$SCENE/empties success" run -0 experiment -r 1 -i 2
	[ "$(rows)" = $'1/1 success\n1/2 success' ]
	house_is_clean
}

@test "a directory or a socket where git may have a setting ends nothing" {
	local name
	for name in commondir info/attributes info/grafts info/sparse-checkout logs/refs/stash shallow; do
		export NAME=$name
		scene plants <<-'END'
			init; edit; mkdir -p ".git/$NAME"; result false success ok
		END
		REHEARSAL=$SCENE/plants run -0 experiment -r 1 -i 2
		[ "$(rows)" = $'1/1 success\n1/2 success' ]
		run -0 experiment -r 2 -i 2
		house_is_clean
		forget
	done
}
