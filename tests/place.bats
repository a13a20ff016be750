# --in-place (design section 10).

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2154 # run assigns status and output
load helper

# After each test the user's branch is checked out with the user's files.
teardown() {
	local status=0
	no_survivors || status=1
	[ -e away ] || at_home || status=1
	return $status
}

at_home() {
	local left
	left=$(find "$TMPDIR" -mindepth 1 ! -name "cc-run-experiments-$UID" ! -name measure)
	[ -z "$left" ] || { echo "left in TMPDIR: $left"; return 1; }
	[ "$(project symbolic-ref HEAD)" = refs/heads/main ] &&
	    [ "$(project rev-parse HEAD)" = "$BASE" ] &&
	    [ -z "$(project status --porcelain)" ] &&
	    [ -z "$(project for-each-ref refs/heads/in-place refs/cc-run-experiments/exp/home)" ] &&
	    [ ! -e "$PROJECT/.git/index.lock" ]
}

# place OPTION...: the experiment in the user's directory.
place() {
	experiment --in-place "$@"
}

# agent SCRIPT: an agent that says what it finds, and runs the script in its first call.
agent() {
	printf '%s\n' 'init
	{ git status --porcelain; git symbolic-ref HEAD; } > '"$BATS_TEST_TMPDIR"'/found.$call
	if [ "$call" = 1 ]; then' "$1" 'else echo "$call" > later.txt; fi
	result false success Done.' > "$SCENE/agent"
	export REHEARSAL=$SCENE/agent
}

# kept PATH CONTENT: the first iteration's branch has that file.
kept() {
	[ "$(project show "exp-run-1-iteration-1:$1")" = "$2" ]
}

# clean_next: the second iteration began with the first one's commit and no more.
clean_next() {
	[ "$(cat found.2)" = refs/heads/in-place ] &&
	    [ "$(project diff --name-only exp-run-1-iteration-1 exp-run-1-iteration-2)" = later.txt ] &&
	    [ "$(ledger outcome)" = $'success\nsuccess' ]
}

# survives SCRIPT: two iterations; the first one's work has the file x with "new".
survives() {
	agent "$1"
	place -r 1 -i 2
	kept x new
	clean_next
}

@test "an agent works in the directory itself, and branches are kept" {
	agent 'pwd > where; echo new > x'
	run -0 place -r 2 -i 1
	kept where "$PROJECT"
	kept x new
	[ "$(project rev-parse exp-run-2-iteration-1^)" = "$BASE" ]
}

@test "the work of an agent that commits is kept with its commits" {
	survives 'echo new > x; git add x; git commit -qm mine; echo new > y'
	kept y new
	[ "$(project log --format=%s main..exp-run-1-iteration-1 | sed -n 2p)" = mine ]
}

@test "the work of an agent that amends the baseline is kept" {
	survives 'echo new > x; git add x; git commit -q --amend -m amended'
	[ "$(project rev-parse exp-run-1-iteration-1^)" = "$BASE" ]
}

@test "the work of an agent that rebases is kept" {
	survives 'echo 1 > x; git add x; git commit -qm one; echo new > x; git commit -qam two
	    GIT_SEQUENCE_EDITOR="sed -i 2s/pick/fixup/" git rebase -qi HEAD~2'
}

@test "the work of an agent that changes branch is kept" {
	survives 'git checkout -qb other; echo new > x; git add x; git commit -qm there'
}

@test "the work of an agent that detaches HEAD is kept" {
	survives 'git checkout -q --detach; echo new > x; git add x; git commit -qm there'
}

@test "the work of an agent on a branch without a commit is kept" {
	survives 'git checkout -q --orphan nothing; echo new > x'
	[ "$(project rev-parse exp-run-1-iteration-1^)" = "$BASE" ]
}

@test "the work of an agent that merges is kept" {
	survives 'git checkout -qb side; echo new > x; git add x; git commit -qm side
	    git checkout -q in-place; echo z > z; git add z; git commit -qm z; git merge -q --no-edit side'
}

# half COMMAND: an agent that leaves COMMAND half done, because of a conflict.
half() {
	survives 'git checkout -qb side; echo side > c; git add c; git commit -qm side
	    git checkout -q in-place; echo mine > c; git add c; git commit -qm mine
	    '"$1"' > /dev/null 2>&1 && exit 9; echo new > x'
	run ! ls -d "$PROJECT/.git/"{MERGE_HEAD,MERGE_MSG,rebase-merge,CHERRY_PICK_HEAD,BISECT_LOG}
}

@test "the work of an agent that leaves a merge half done is kept" {
	half 'git merge side'
}

@test "the work of an agent that leaves a rebase half done is kept" {
	half 'git rebase side'
}

@test "the work of an agent that leaves a cherry-pick half done is kept" {
	half 'git cherry-pick side'
}

@test "the work of an agent that leaves a bisect half done is kept" {
	survives 'for i in 1 2 3 4; do echo $i > n; git add n; git commit -qm $i; done
	    git bisect start HEAD HEAD~4 > /dev/null; echo new > x'
	[ ! -e "$PROJECT/.git/BISECT_LOG" ]
	kept n 2
}

@test "the work of an agent that leaves locks is kept" {
	survives 'echo new > x; touch .git/index.lock .git/HEAD.lock .git/packed-refs.lock .git/refs/heads/in-place.lock'
	[ -z "$(find "$PROJECT/.git" -name '*.lock' ! -name cc-run-experiments.lock)" ]
}

@test "the work of an agent that deletes its branch is kept" {
	survives 'echo new > x; git checkout -q --detach; git branch -qD in-place'
}

@test "an agent that removes the directory itself stops the experiment with 1" {
	agent 'mv "$PWD" "$PWD.away"'
	run -1 place -r 1 -i 2
	[[ $output == *"$PROJECT was removed or replaced"* ]]
	mv "$PROJECT.away" "$PROJECT"
	run -0 place -r 1 -i 2
	at_home
}

@test "a repository that an agent makes inside becomes plain files" {
	survives 'git init -q inner; echo new > inner/x; git -C inner add x; git -C inner commit -qm i; echo new > x'
	kept inner/x new
}

@test "files that an agent makes unreadable are kept" {
	survives 'echo new > x; mkdir d; echo new > d/y; chmod 0 x d'
	kept d/y new
}

@test "ignored files stay, and are not committed; untracked ones of the agent are removed" {
	echo mine > "$PROJECT/a.o"
	run -0 place -r 1 -i 1 -b w='touch made.o made.txt; echo runtime: 1ms'
	[ "$(cat "$PROJECT/a.o")" = mine ]
	[ -e "$PROJECT/made.o" ]
	[ ! -e "$PROJECT/made.txt" ]
	[ ! -e "$PROJECT/rehearsal.txt" ]
	[[ $(project ls-tree -r --name-only exp-run-1-iteration-1) != *.o* ]]
}

@test "the output directory in the tree is no dirt and is not committed, even if the agent commits it" {
	OUT=$PROJECT/results
	agent 'echo new > x; git add -A; git commit -qm all'
	run -0 place -r 1 -i 1 -b w='echo runtime: 1ms'
	run -0 place -r 1 -i 2 -b w='echo runtime: 1ms' || :
	[ "$(project ls-tree -r --name-only exp-run-1-iteration-1 | grep -c results)" = 0 ]
	[ -s "$OUT/exp--run-1--iteration-1--w.csv" ]
	[ "$(project status --porcelain)" = '?? results/' ]
	rm -r "$OUT"
}

@test "a detached HEAD is checked out again" {
	project checkout -q --detach
	run -0 place -r 1 -i 1
	run ! project symbolic-ref -q HEAD
	[ "$(project rev-parse HEAD)" = "$BASE" ]
	project checkout -q main
}

@test "a linked work tree can be the place" {
	project worktree add -q -b side "$PWD/tree" 2> /dev/null
	run -0 ccre --in-place --no-plugin -o "$OUT" -r 1 -i 1 tree exp
	[ "$(git -C tree symbolic-ref HEAD)" = refs/heads/side ]
	[ -z "$(git -C tree status --porcelain)" ]
	project cat-file -e exp-run-1-iteration-1:rehearsal.txt
}

# ---- refused at the start ----------------------------------------------------------

# refused STATUS TEXT OPTION...: nothing is touched.
refused() {
	local want=$1 text=$2
	shift 2
	run -"$want" place -r 1 -i 1 "$@"
	[[ $output == *"$text"* ]]
	[ ! -e "$OUT" ]
	[ "$(calls)" = 0 ]
}

@test "uncommitted changes are refused" {
	echo changed >> "$PROJECT/main.py"
	refused 2 'main.py: commit, stash or ignore'
	project checkout -q main.py
	echo new > "$PROJECT/new"
	refused 2 'new: commit, stash or ignore'
	rm "$PROJECT/new"
}

@test "a merge under way is refused" {
	cp "$PROJECT/.git/refs/heads/main" "$PROJECT/.git/MERGE_HEAD"
	refused 2 'is under way'
	rm "$PROJECT/.git/MERGE_HEAD"
}

@test "files that git does not look at are refused" {
	project update-index --assume-unchanged main.py
	refused 2 '--no-assume-unchanged'
	project update-index --no-assume-unchanged main.py
	project update-index --skip-worktree main.py
	refused 2 '--no-skip-worktree'
	project update-index --no-skip-worktree main.py
}

@test "output at the top of the tree or among tracked files is refused" {
	run -2 ccre --in-place --no-plugin -r 1 -i 1 -o "$PROJECT" "$PROJECT" exp
	[[ $output == *'tracked files'* ]]
	run -2 ccre --in-place --no-plugin -r 1 -i 1 -o "$PROJECT/bench" "$PROJECT" exp
	[[ $output == *'tracked files'* ]]
}

@test "several jobs, a setup and a branch in-place are refused" {
	refused 2 --jobs -r 2 -j 2
	refused 2 --setup --setup true
	project branch in-place
	refused 2 'branch in-place exists'
	project branch -qD in-place
}

@test "another runner in place in the repository gives 75" {
	scene waits <<-'X'
		init; touch "$REHEARSAL_STATE.at-work"; exec sleep 30
	X
	REHEARSAL=$SCENE/waits CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" --in-place --no-plugin \
	    -o "$OUT" -r 1 -i 1 "$PROJECT" exp 3>&- 2> said &
	wait_until 20 test -e "$REHEARSAL_STATE.at-work"
	run -75 ccre --in-place --no-plugin -o other -r 1 -i 1 "$PROJECT" other
	kill -TERM "$!"
	ended 143 "$!"
}

# ---- every exit -----------------------------------------------------------------------

# stopped_by SIGNAL: the user's branch is checked out, and the work is an attempt.
stopped_by() {
	scene waits <<-'X'
		init; echo half > half.txt; touch "$REHEARSAL_STATE.at-work"; exec sleep 30
	X
	CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL=$SCENE/waits env --default-signal=INT \
	    "$CCRE_QUICK" --in-place --no-plugin \
	    -o "$OUT" -r 1 -i 1 "$PROJECT" exp 2> said 3>&- &
	wait_until 20 test -e "$REHEARSAL_STATE.at-work"
	kill -"$1" $!
	wait $! || :
	[ "$1" = KILL ] || at_home
	touch away
	wait_until 20 no_survivors_yet
	run -0 place -r 1 -i 1
	rm away
	[ "$(ledger outcome)" = $'interrupted\nsuccess' ]
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:half.txt)" = half ]
	[ "$(project ls-tree --name-only exp-run-1-iteration-1 half.txt)" = '' ]
}

@test "INT: the user's branch is checked out, the work is an attempt" {
	stopped_by INT
}

@test "TERM: the user's branch is checked out, the work is an attempt" {
	stopped_by TERM
}

@test "HUP: the user's branch is checked out, the work is an attempt" {
	stopped_by HUP
}

@test "KILL: the next start keeps the work as an attempt, and checks out the user's branch" {
	stopped_by KILL
}

@test "the child killed with KILL: the runner keeps the work and checks out the user's branch" {
	scene waits <<-'X'
		init; echo half > half.txt; kill -KILL $PPID; exec sleep 30
	X
	REHEARSAL=$SCENE/waits run -1 place -r 1 -i 1
	at_home
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:half.txt)" = half ]
	run -0 place -r 1 -i 1
	[ "$(ledger outcome)" = $'interrupted\nsuccess' ]
}

@test "the agent of a killed runner is killed by a start of another run" {
	[ -e /proc/self/environ ] || skip 'no /proc'
	export AGENT=$BATS_TEST_TMPDIR/agent
	scene waits <<-'X'
		init; echo $$ > "$AGENT"
		runner=$(cut -d ' ' -f 4 /proc/$PPID/stat)
		kill -STOP "$runner"; kill -KILL $PPID "$runner"; exec sleep 30
	X
	REHEARSAL=$SCENE/waits run -137 place -r 2 -i 1 --run 2
	run -0 place -r 2 -i 1 --run 1
	run ! grep '^State:.[SR]' "/proc/$(cat "$AGENT")/status"
	run -0 place -r 2 -i 1
}

@test "runner and child killed with KILL: the next start keeps the work as an attempt of its run" {
	scene waits <<-'X'
		init; echo half > half.txt
		kill -STOP $PPID	# it would end us when the runner is gone
		kill -KILL "$(ps -o ppid= -p $PPID | tr -d ' ')" $PPID
		exec sleep 30
	X
	REHEARSAL="success $SCENE/waits" run -137 place -r 2 -i 1
	[ "$(project symbolic-ref HEAD)" = refs/heads/in-place ]
	run -0 place -r 2 -i 1
	[ "$(ledger outcome)" = $'success\ninterrupted\nsuccess' ]
	[ "$(project show refs/cc-run-experiments/exp/run-2/iteration-1/attempt-1:half.txt)" = half ]
	[ "$(project diff --name-only "$BASE" refs/cc-run-experiments/exp/run-2/iteration-1/attempt-1)" = half.txt ]
	[ "$(project rev-parse refs/cc-run-experiments/exp/run-2/iteration-1/attempt-1^)" = "$BASE" ]
}

@test "a stop and a failing benchmark: the user's branch is checked out" {
	REHEARSAL=rate-limit run -75 place -r 1 -i 1
	at_home
	run -1 ccre --in-place --no-plugin -o "$OUT" -r 1 -i 1 -b w=false "$PROJECT" other
}

@test "a branch of the user's that the agent deleted: the baseline is checked out" {
	agent 'git branch -qD main'
	run -0 place -r 1 -i 1
	[[ $output == *'refs/heads/main is gone'* ]]
	[ "$(project rev-parse HEAD)" = "$BASE" ]
	project checkout -qb main
}

@test "a start with --in-place and one without must agree" {
	run -0 place -r 1 -i 1
	run -2 experiment -r 2 -i 1
	[[ $output == *in_place* ]]
}
