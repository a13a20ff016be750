# What an agent can do to a repository, and what the user finds there
# afterwards: design.md sections 3 (third point) and 6.
#
# Most tests name faults: scripts that claude plays. Each is played twice, in
# one experiment: its work is committed, then kept and put back.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016); names here have no blanks (2012, 2046); a subshell would hide
# $output (2103); counters are set by eval (2154); "none" is what is meant (2143).
# shellcheck disable=SC2030,SC2031,SC2016,SC2012,SC2046,SC2103,SC2154,SC2143

load helper

LEFT=$BATS_TEST_TMPDIR/left		# copies of what claude left, by call
COMPARE=$BATS_TEST_TMPDIR/compare	# a repository of ours to compare with
COMPLAINTS=$BATS_TEST_TMPDIR/complaints	# of claude about how it found things
ACTED=$BATS_TEST_TMPDIR/acted		# by what claude planted
KEPT=$BATS_TEST_TMPDIR/kept		# commits that must be in what was kept
HOUSE=$BATS_TEST_TMPDIR/house		# how the user's directory was
ATTEMPTS=refs/cc-run-experiments/exp/run-1
export LEFT COMPLAINTS ACTED KEPT SCENE BASE

# fault NAME < SCRIPT: something that claude does, in the project, with set -e.
# It knows $call, $branch and $put_back (empty when it succeeds), and may use
# keep (copy what it leaves; done at the end otherwise), kept COMMIT (must be
# reachable from what the runner keeps of this call) and complain TEXT.
# FAULT=3 in the environment leaves all but the third one of a test out.
faults=0 told=0
fault() {
	told=$((told + 1))
	if [ "${FAULT:-$told}" != "$told" ]; then
		cat > /dev/null
		return
	fi
	faults=$((faults + 1))
	{
		echo "fault=\"$1\""
		cat
	} > "$SCENE/fault-$faults"
	[ -e "$SCENE/play" ] || play
	scene "worked-$faults" <<-END
		number=$faults put_back=''
		. '$SCENE/play'
		result false success Done.
	END
	scene "failed-$faults" <<-END
		number=$faults put_back=yes
		. '$SCENE/play'
		result true success Overloaded. ',"api_error_status":529,"terminal_reason":"api_error"'
		exit 1
	END
	scene "limited-$faults" <<-END
		number=$faults put_back=yes
		. '$SCENE/play'
		result true success Limit. ',"api_error_status":429,"terminal_reason":"api_error"'
		exit 1
	END
}

# play: what is common to all scenes: claude looks around, then does it.
play() {
	mkdir -p "$LEFT"
	scene play <<-'END'
		init
		export AGENT=1
		complain() { echo "call $call ($fault): $*" >> "$COMPLAINTS"; }
		keep() { cp -a . "$LEFT/$call"; }
		kept() { echo "$call $(git rev-parse "$1")" >> "$KEPT"; }
		fault='before it'
		branch=exp-run-1-iteration-$call
		found=$(git status --porcelain=v2 --branch 2>&1 | grep -v '^# branch.oid')
		[ "$found" = "# branch.head $branch" ] || complain "git status says $found"
		for found in MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG \
		    rebase-merge rebase-apply sequencer index.lock HEAD.lock \
		    config.lock packed-refs.lock; do
			[ ! -e ".git/$found" ] || complain "there is $found"
		done
		if [ -e "$SCENE/bits" ]; then
			found=$(git ls-files -v | grep -v '^H ')
			[ -z "$found" ] || complain "bits are set: $found"
		fi
		set -e
		. "$SCENE/fault-$number" >&2
		set +e
		[ -e "$LEFT/$call" ] || keep
	END
}

# any_status: claude does not look at what git status says.
any_status() {
	sed -i 's/found=.*branch.oid.*/found="# branch.head $branch"/' "$SCENE/play"
}

# house: every file and directory of the user's, the index and the settings.
house() {
	(
		cd "$PROJECT" || return
		find . -path ./.git -prune -o -type f -perm -u+x -printf 'x %P\n' \
		    -o -printf '%y %P %l\n' | sort
		find . -path ./.git -prune -o -type f -print0 | sort -z |
		    xargs -0 cksum
		git ls-files -s -v
		for file in config config.worktree info/attributes info/exclude \
		    info/grafts; do
			[ ! -e ".git/$file" ] || cksum ".git/$file"
		done
	)
}

before() {
	house > "$HOUSE"
}

# as_before: nothing of the user's has changed.
as_before() {
	diff "$HOUSE" <(house)
	house_is_clean
}

no_complaints() {
	[ ! -e "$COMPLAINTS" ] || { cat "$COMPLAINTS"; return 1; }
	[ ! -e "$ACTED" ] || { cat "$ACTED"; return 1; }
}

# left: the id of the tree that claude left at each call, "CALL ID", by the
# judgement of a repository of ours; a repository in it is plain files there.
left() {
	(
		cd "$LEFT" || return
		find . -name .git -prune -exec rm -rf {} +
		rm -rf "$COMPARE"
		git init -q --bare "$COMPARE"
		git --git-dir="$COMPARE" --work-tree=. add -A 2>/dev/null
		tree=$(git --git-dir="$COMPARE" write-tree)
		git --git-dir="$COMPARE" ls-tree "$tree" |
		    sed -n 's/.* tree \([0-9a-f]*\)	/\1 /p' |
		    awk '{ print $2, $1 }'
	)
}

# name_of CALL: the fault that was played.
name_of() {
	sed -n '1s/fault=//p' "$SCENE/fault-$((($1 + 1) / 2))"
}

# holds CALL REF: that commit is the tree that claude left at that call. A put
# back attempt that left nothing has no ref.
holds() {
	local want is
	want=$(awk -v call="$1" '$1 == call { print $2 }' "$BATS_TEST_TMPDIR/trees")
	is=$(awk -v ref="$2" '$1 == ref { print $2 }' "$BATS_TEST_TMPDIR/refs")
	[ -n "$want" ] || want=4b825dc642cb6eb9a060e54bf8d69288fbee4904	# no file
	if [ -z "$is" ] && [[ $2 = "$ATTEMPTS"/* ]]; then
		is=$(awk -v ref="refs/heads/exp-run-1-iteration-$1" \
		    '$1 == ref { print $2 }' "$BATS_TEST_TMPDIR/refs")
	fi
	[ "$want" = "$is" ] || {
		echo "call $1 ($(name_of "$1")): $2 is not what claude left (<):"
		diff <(git --git-dir="$COMPARE" ls-tree -r "$want") \
		    <(git -C "$PROJECT" ls-tree -r "$2")
		return 1
	}
}

# ends_well COMMIT WHAT: a runner's commit with one parent.
ends_well() {
	[ "$(git -C "$PROJECT" log --no-walk --format='%s %p.' "$1" |
	    sed 's/ [0-9a-f]*\.$/ one parent/')" = "exp: run 1, $2 one parent" ] || {
		git -C "$PROJECT" log -1 "$1"
		return 1
	}
}

# accounted: each call's work is where it belongs; the odd calls succeeded.
accounted() {
	local call where
	left > "$BATS_TEST_TMPDIR/trees"
	git -C "$PROJECT" for-each-ref --format='%(refname) %(tree)' \
	    > "$BATS_TEST_TMPDIR/refs"
	for ((call = 1; call <= 2 * faults; call += 2)); do
		holds "$call" "refs/heads/exp-run-1-iteration-$call"
		holds $((call + 1)) "$ATTEMPTS/iteration-$((call + 1))/attempt-1"
		ends_well "refs/heads/exp-run-1-iteration-$call" \
		    "iteration $call: success"
	done
	[ -e "$KEPT" ] || return 0
	while read -r call where; do
		[ -n "$(git -C "$PROJECT" for-each-ref --contains "$where" \
		    "refs/heads/exp-run-1-iteration-$call" \
		    "$ATTEMPTS/iteration-$call")" ] ||
		    git -C "$PROJECT" log -g --format=%H refs/stash 2>/dev/null |
		    grep -qx "$where" || {
			echo "call $call ($(name_of "$call")): claude's commit $where is not kept"
			return 1
		}
	done < "$KEPT"
}

# worst [COMMAND]: every fault is played twice. Its work is committed, then
# kept and put back (the last one by a rate limit, which ends it all); each
# time claude finds a clean tree on its own branch; in the end the house is
# clean, and all work is accounted for.
worst() {
	local i want='' plays=''
	for ((i = 1; i <= faults; i++)); do
		plays="$plays $SCENE/worked-$i $SCENE/failed-$i"
		want="${want}success,failure,"
	done
	[ -e "$HOUSE" ] || before
	REHEARSAL="${plays%failed-*}limited-$faults" \
	    run ${1+"$1"} experiment -r 1 -i $((2 * faults))
	echo "$output"
	no_complaints
	[ "$(ledger outcome | tr '\n' ,)" = "${want%failure,}rate limit," ] ||
	    { cat "$OUT"/*.err; return 1; }
	[ "$status" = 75 ]
	accounted
	as_before
}

# once STATUS [COMMAND]: one iteration, in which claude succeeds.
once() {
	local want=$1
	shift
	[ -e "$HOUSE" ] || before
	REHEARSAL=$SCENE/worked-1 run "$@" experiment -r 1 -i 1
	echo "$output"
	[ "$status" = "$want" ] || { cat "$OUT"/*.err; return 1; }
	no_complaints
}

# twice: the same, then an iteration that a rate limit ends and puts back.
twice() {
	[ -e "$HOUSE" ] || before
	REHEARSAL="$SCENE/worked-1 $SCENE/limited-1" run experiment -r 1 -i 2
	echo "$output"
	[ "$status" = 75 ] || { cat "$OUT"/*.err; return 1; }
	no_complaints
}

needs_modes() {
	touch "$BATS_TEST_TMPDIR/unreadable"
	chmod 000 "$BATS_TEST_TMPDIR/unreadable"
	run unprivileged cat "$BATS_TEST_TMPDIR/unreadable"
	[[ $output = *"Permission denied"* ]] ||
	    skip "no user here to whom file modes apply"
}

# commit MESSAGE: all of the project, as the new baseline.
commit() {
	git -C "$PROJECT" add -A
	git -C "$PROJECT" commit -qm "$1"
	BASE=$(git -C "$PROJECT" rev-parse HEAD)
}

# history: the baseline gets a parent (tag old) and a branch "other" that is at
# odds with it.
history() {
	git -C "$PROJECT" tag old
	git -C "$PROJECT" checkout -q -b other
	echo 'print("good bye")' > "$PROJECT/main.py"
	echo other > "$PROJECT/other.txt"
	commit 'on the other branch'
	git -C "$PROJECT" checkout -q main
	echo 'print("hello, world")' > "$PROJECT/main.py"
	commit 'second commit'
}

# ---- commits, branches and HEAD ---------------------------------------------

@test "claude may commit its work itself, in part or whole, or leave nothing" {
	fault 'commits a part' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		echo "$call" > "more-$call.txt"
	END
	fault 'commits everything' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
	END
	fault 'leaves nothing' <<-'END'
		:
	END
	fault 'commits nothing' <<-'END'
		git commit -q --allow-empty -m nothing
		kept HEAD
	END
	worst
	cd "$PROJECT"
	git diff --quiet exp-run-1-iteration-3~1 exp-run-1-iteration-3
	[ "$(git log --format=%s exp-run-1-iteration-3 "^$BASE")" = \
	    "exp: run 1, iteration 3: success
mine
exp: run 1, iteration 1: success
mine" ]
	[ -z "$(git for-each-ref $ATTEMPTS/iteration-6)" ]
}

@test "an ignored file that claude commits is committed as it leaves it" {
	fault 'commits what is ignored' <<-'END'
		echo "$call" > forced.o
		git add -f forced.o
		git commit -qm mine
		kept HEAD
		echo more >> forced.o
	END
	twice
	[ "$(git -C "$PROJECT" show exp-run-1-iteration-1:forced.o)" = $'1\nmore' ]
	[ "$(git -C "$PROJECT" show $ATTEMPTS/iteration-2/attempt-1:forced.o)" = $'2\nmore' ]
	[ ! -e "$PROJECT/forced.o" ]
	as_before
}

@test "claude may rewrite the commits that it started from" {
	history
	fault 'amends the start' <<-'END'
		echo "$call" >> main.py
		git commit -q --amend -am amended
	END
	fault 'commits on top of an amended start' <<-'END'
		git commit -q --amend --allow-empty -m amended
		echo "$call" >> main.py
		git commit -qam 'on top'
		kept HEAD
	END
	fault 'resets to an earlier commit' <<-'END'
		git reset -q --hard old
		echo "$call" > "new-$call.txt"
	END
	fault 'resets its branch alone' <<-'END'
		git reset -q --soft old
		echo "$call" > "new-$call.txt"
	END
	fault 'resets to another branch' <<-'END'
		git reset -q --hard other
		echo "$call" > "new-$call.txt"
	END
	worst
}

@test "claude may leave its branch" {
	fault "commits on the user's branch" <<-'END'
		git checkout -q main
		echo "$call" >> main.py
		git commit -qam 'on main'
		kept HEAD
		echo "$call" > "new-$call.txt"
	END
	fault 'makes a branch' <<-'END'
		git checkout -q -b "elsewhere-$call"
		echo "$call" >> main.py
		git commit -qam elsewhere
		kept HEAD
		echo "$call" > "new-$call.txt"
	END
	fault 'detaches HEAD' <<-'END'
		git checkout -q --detach
		echo "$call" >> main.py
		git commit -qam detached
		kept HEAD
		echo "$call" > "new-$call.txt"
	END
	fault 'begins an orphan branch' <<-'END'
		git checkout -q --orphan "orphan-$call"
		git rm -rfq .
		echo "$call" > "new-$call.txt"
		git add -A
		git commit -qm orphaned
	END
	fault 'has an unborn branch' <<-'END'
		git checkout -q --orphan "unborn-$call"
		git rm -rfq .
		echo "$call" > "new-$call.txt"
	END
	fault "renames its branch to the user's" <<-'END'
		echo "$call" > "renamed-$call.txt"
		git add -A
		git commit -qm mine
		kept HEAD
		git branch -q -M main
		echo "$call" > "new-$call.txt"
	END
	fault 'points HEAD elsewhere' <<-'END'
		echo "$call" > "new-$call.txt"
		git symbolic-ref HEAD refs/nowhere
	END
	worst
}

@test "claude may delete, rename and move branches" {
	fault 'deletes its branch' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		git checkout -q --detach
		git branch -q -D "$branch"
		echo "$call" > "new-$call.txt"
	END
	fault 'renames its branch' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		git branch -m "better-$call"
	END
	fault "deletes the user's branch" <<-'END'
		echo "$call" >> main.py
		git branch -q -D main
	END
	fault "moves the user's branch" <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		git branch -f main HEAD
		git pack-refs --all
	END
	fault 'has the branches checked out elsewhere' <<-'END'
		echo "$call" >> main.py
		git worktree add -q -f "../worktree-$call" main
		git worktree add -q -f "../worktree-of-$call" "$branch"
	END
	worst
}

@test "claude may commit and then delete the user's branch" {
	fault "deletes the user's branch" <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		git branch -q -D main
	END
	worst
}

@test "claude may rename its branch to one below its own name" {
	fault 'renames its branch' <<-'END'
		echo "$call" >> main.py
		git branch -m "$branch/fix"
		git commit -qam mine
	END
	worst
}

@test "claude may delete the branches of finished iterations, and every other ref" {
	fault 'deletes one' <<-'END'
		echo "$call" > "new-$call.txt"
		[ "$call" = 1 ] || git branch -q -D "exp-run-1-iteration-$((call - 1))"
	END
	fault 'deletes all' <<-'END'
		echo "$call" >> main.py
		git for-each-ref --format='delete %(refname)' | git update-ref --stdin
	END
	worst
	[ "$(git -C "$PROJECT" rev-parse refs/cc-run-experiments/exp/baseline)" = "$BASE" ]
}

@test "claude may take the name of the next iteration's branch" {
	fault 'makes the branch' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		git branch -f "exp-run-1-iteration-$((call + 1))"
	END
	fault "makes it stand for the user's" <<-'END'
		echo "$call" >> main.py
		git symbolic-ref "refs/heads/exp-run-1-iteration-$((call + 1))" refs/heads/main
	END
	fault 'locks it' <<-'END'
		echo "$call" >> main.py
		touch ".git/refs/heads/exp-run-1-iteration-$((call + 1)).lock"
	END
	worst
}

@test "claude may make one branch stand for another" {
	fault "its own for the user's" <<-'END'
		echo "$call" >> main.py
		git symbolic-ref "refs/heads/$branch" refs/heads/main
		git commit -qam 'through a link'
		echo "$call" > "new-$call.txt"
	END
	fault "the user's for its own" <<-'END'
		echo "$call" >> main.py
		git symbolic-ref refs/heads/main "refs/heads/$branch"
	END
	fault "the ref of its attempt for the user's" <<-'END'
		echo "$call" >> main.py
		git symbolic-ref "refs/cc-run-experiments/exp/run-1/iteration-$call/attempt-1" refs/heads/main
	END
	worst
	run ! git -C "$PROJECT" symbolic-ref -q refs/heads/main
}

@test "a branch of the user's that stands for another does so again" {
	project symbolic-ref refs/heads/alias refs/heads/main
	project symbolic-ref refs/heads/other refs/heads/main
	REHEARSAL_EDIT='echo $call > work
	    git symbolic-ref refs/heads/alias refs/heads/elsewhere
	    git symbolic-ref -d refs/heads/other
	    git update-ref refs/heads/other HEAD' run -0 experiment -r 1 -i 2
	[[ $output == *'refs/heads/alias was changed: put back'* ]]
	[[ $output == *'refs/heads/other was changed: put back'* ]]
	[ "$(project symbolic-ref refs/heads/alias)" = refs/heads/main ]
	[ "$(project symbolic-ref refs/heads/other)" = refs/heads/main ]
	[ "$(project rev-parse main)" = "$BASE" ]
}

@test "tags, branches and files with confusing names confuse nobody" {
	fault 'makes tags' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		git tag -f main
		git tag -f "$branch"
		git tag -f "exp-run-1-iteration-$((call + 1))"
		git update-ref refs/heads/refs/heads/main HEAD
	END
	fault 'makes files named like commits' <<-'END'
		for name in HEAD main "$branch" "$(git rev-parse HEAD)" \
		    "$(git rev-parse refs/heads/main)" "exp-run-1-iteration-$((call + 1))"; do
			echo "$call" > "$name"
		done
	END
	fault 'makes a branch named HEAD' <<-'END'
		echo "$call" >> bench/run.sh
		git update-ref refs/heads/HEAD HEAD
	END
	any_status	# git warns of the names
	worst
}

@test "a branch named like the baseline's id does not stand in for it" {
	fault 'names a branch' <<-'END'
		[ ! -e one.txt ] || complain 'run 2 begins with the work of run 1'
		echo one > one.txt
		git add one.txt
		git commit -qm one
		git update-ref "refs/heads/$(git rev-parse main)" HEAD
	END
	any_status	# the calls are of two runs
	before
	REHEARSAL=$SCENE/worked-1 run -0 experiment -r 2 -i 1
	no_complaints
	[ "$(git -C "$PROJECT" rev-parse exp-run-2-iteration-1~2)" = "$BASE" ]
	as_before
}

# ---- nothing that an attempt left is lost ------------------------------------

@test "commits that claude left behind are kept when it is put back" {
	fault 'detaches HEAD' <<-'END'
		echo "$call" >> main.py
		git commit -qam 'left behind'
		[ -z "$put_back" ] || kept HEAD
		git checkout -q --detach HEAD~1
		echo "$call" > "new-$call.txt"
	END
	fault 'begins an orphan branch' <<-'END'
		echo "$call" >> main.py
		git commit -qam 'left behind'
		[ -z "$put_back" ] || kept HEAD
		git checkout -q --orphan "orphan-$call"
		echo "$call" > "new-$call.txt"
	END
	fault "leaves them on the user's branch" <<-'END'
		git checkout -q main
		echo "$call" >> main.py
		git commit -qam 'left on main'
		[ -z "$put_back" ] || kept HEAD
		git checkout -q "$branch"
		echo "$call" > "newer-$call.txt"
	END
	worst
}

@test "what claude put aside is kept" {
	history
	fault 'stashes' <<-'END'
		echo "stashed $call" >> main.py
		git stash -q
		kept refs/stash
		echo "$call" > "new-$call.txt"
	END
	fault 'leaves a rebase with a stash of its own' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		echo 'put aside by a rebase' > bench/run.sh
		! git rebase -q --autostash other
		[ -z "$put_back" ] || kept "$(cat .git/rebase-merge/autostash)"
		echo "$call" > "new-$call.txt"
	END
	fault 'leaves a merge with a stash of its own' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		echo 'put aside by a merge' > bench/run.sh
		! git merge -q --autostash other
		[ -z "$put_back" ] || kept "$(cat .git/MERGE_AUTOSTASH)"
	END
	worst
}

@test "what claude had ignored is kept when it is put back, and gone from the user's tree" {
	fault 'ignores its own output' <<-'END'
		echo 'cache/' >> .gitignore
		mkdir -p cache
		echo "$call" > "cache/$call"
		echo "$call" > "new-$call.txt"
	END
	before
	REHEARSAL="$SCENE/failed-1 $SCENE/worked-1" run experiment -r 1 -i 2
	echo "$output"
	git -C "$PROJECT" cat-file -e $ATTEMPTS/iteration-1/attempt-1:cache/1
	git -C "$PROJECT" cat-file -e $ATTEMPTS/iteration-1/attempt-1:new-1.txt
	git -C "$PROJECT" show $ATTEMPTS/iteration-1/attempt-1:.gitignore | grep -qx cache/
	run ! git -C "$PROJECT" cat-file -e exp-run-1-iteration-2:cache/2
	as_before
}

# ---- commands left half done --------------------------------------------------

@test "claude may leave commands half done" {
	history
	git -C "$PROJECT" format-patch -q -1 -o "$BATS_TEST_TMPDIR" other
	fault 'leaves a merge with conflicts' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		kept HEAD
		! git merge -q other
		grep -q '<<<<<<<' main.py
	END
	fault 'leaves a rebase' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		! git rebase -q other
		[ -d .git/rebase-merge ]
		echo "$call" > "new-$call.txt"
	END
	fault 'leaves a git am' <<-'END'
		git checkout -q old -- main.py
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
		! git am -q "$SCENE/../0001-on-the-other-branch.patch"
		[ -d .git/rebase-apply ]
		echo "$call" > "new-$call.txt"
	END
	fault 'leaves a cherry-pick of several' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		kept HEAD
		! git cherry-pick other main
		[ -e .git/CHERRY_PICK_HEAD ]
		[ -d .git/sequencer ]
	END
	fault 'leaves a revert' <<-'END'
		echo "$call" > main.py
		git commit -qam mine
		kept HEAD
		! git revert --no-edit main
		[ -e .git/REVERT_HEAD ]
	END
	fault 'leaves a bisection' <<-'END'
		echo "$call" > "new-$call.txt"
		git add -A
		git commit -qm mine
		git bisect start HEAD old
		[ -e .git/BISECT_LOG ]
		echo "$call" > "newer-$call.txt"
	END
	worst
}

# ---- repositories inside ------------------------------------------------------

@test "a repository that claude made inside becomes plain files" {
	git init -q "$BATS_TEST_TMPDIR/library"
	git -C "$BATS_TEST_TMPDIR/library" commit -q --allow-empty -m library
	fault 'makes one with a commit' <<-'END'
		git init -q "with-$call"
		echo "$call" > "with-$call/file"
		git -C "with-$call" add -A
		git -C "with-$call" commit -qm nested
	END
	fault 'makes one without a commit' <<-'END'
		mkdir "without-$call"
		git init -q "without-$call/deep"
		echo "$call" > "without-$call/deep/file"
	END
	fault 'makes one in one in one' <<-'END'
		for d in "a-$call" "a-$call/b" "a-$call/b/c"; do
			git init -q "$d"
			echo "$call" > "$d/file"
		done
		git -C "a-$call/b" add file
		git -C "a-$call/b" commit -qm nested
	END
	fault 'makes an empty one' <<-'END'
		echo "$call" > "new-$call.txt"
		git init -q "empty-$call"
	END
	fault 'commits a link to one' <<-'END'
		git init -q "linked-$call"
		echo "$call" > "linked-$call/file"
		git -C "linked-$call" add -A
		git -C "linked-$call" commit -qm nested
		git add -A 2>/dev/null
		git commit -qm 'with a link'
		git ls-files -s | grep -q '^160000'
	END
	fault 'adds a submodule' <<-'END'
		git -c protocol.file.allow=always submodule --quiet add "$SCENE/../library" "sub-$call"
		echo "$call" > "sub-$call/file"
	END
	fault 'adds a linked worktree' <<-'END'
		git worktree add -q -b "tree-$call" "tree-$call"
		echo "$call" > "tree-$call/file"
	END
	worst
}

@test "repositories nested twelve deep become plain files" {
	fault 'makes them' <<-'END'
		d=top-$call
		for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
			mkdir -p "$d/.git/objects" "$d/.git/refs"
			echo 'ref: refs/heads/main' > "$d/.git/HEAD"
			echo "$call" > "$d/file"
			d=$d/level-$i
		done
	END
	worst
}

@test "a repository that claude made around committed files, or a broken one, is undone" {
	fault 'makes one around committed files' <<-'END'
		rm -rf bench/.git
		git init -q bench
		echo "$call" > "bench/new-$call"
		git -C bench add -A
		git -C bench commit -qm nested
	END
	fault 'makes an empty one' <<-'END'
		mkdir -p "broken-$call/.git"
		echo "$call" > "broken-$call/file"
	END
	fault 'points to nowhere' <<-'END'
		mkdir "nowhere-$call"
		echo 'gitdir: /nonexistent' > "nowhere-$call/.git"
		echo "$call" > "nowhere-$call/file"
	END
	fault 'makes a broken one around committed files' <<-'END'
		rm -rf bench/.git
		echo garbage > bench/.git
		echo "$call" >> bench/run.sh
	END
	worst
	[ ! -e "$PROJECT/bench/.git" ]
}

# ---- files of all kinds -------------------------------------------------------

@test "files that claude made unreadable are kept" {
	needs_modes
	fault 'makes a file unreadable' <<-'END'
		chmod u+w main.py
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
		keep
		chmod 000 main.py "new-$call.txt"
	END
	fault 'makes .gitignore unreadable' <<-'END'
		echo "$call" > object.o
		echo "$call" >> bench/run.sh
		keep
		chmod 000 .gitignore
	END
	fault 'makes a directory unreadable' <<-'END'
		rm -f object.o
		chmod u+w .gitignore
		echo "$call" >> bench/run.sh
		mkdir "dir-$call"
		echo "$call" > "dir-$call/file"
		keep
		chmod 000 bench "dir-$call"
	END
	fault 'makes a directory unwritable' <<-'END'
		mkdir -p "dir-$call/deep"
		echo "$call" > "dir-$call/deep/file"
		keep
		chmod 555 "dir-$call/deep" "dir-$call"
	END
	worst unprivileged
}

@test "files that claude made unreadable are writable in the next iteration, and in the end" {
	needs_modes
	fault 'makes them unreadable' <<-'END'
		[ -w main.py ] || complain 'main.py is not writable'
		[ -w bench/run.sh ] || complain 'bench/run.sh is not writable'
		chmod u+w main.py bench/run.sh
		echo "$call" >> main.py
		keep
		chmod 000 main.py bench/run.sh
	END
	worst unprivileged
	[ -z "$(find "$PROJECT/main.py" "$PROJECT/bench/run.sh" ! -perm -u+rw)" ]
}

@test "the user's branch comes back when claude left a directory unwritable" {
	needs_modes
	fault 'makes it unwritable' <<-'END'
		echo "$call" > bench/new.txt
		echo "$call" >> bench/run.sh
		keep
		chmod -R a-w bench
	END
	once 0 unprivileged
	as_before
}

@test "the top directory and the git directory may become unreadable" {
	needs_modes
	fault 'makes the top unreadable' <<-'END'
		echo "$call" >> main.py
		keep
		chmod 000 .
	END
	fault 'makes the git directory unreadable' <<-'END'
		echo "$call" >> main.py
		keep
		chmod 000 .git
	END
	worst unprivileged
}

@test "the modes of the user's ignored files stay as they are" {
	echo precious > "$PROJECT/key.o"
	mkdir "$PROJECT/dir.o"
	chmod 000 "$PROJECT/key.o"
	chmod 500 "$PROJECT/dir.o"
	fault 'nests a repository' <<-'END'
		git init -q "nested-$call"
		echo "$call" > "nested-$call/file"
	END
	once 0
	[ "$(stat -c %a "$PROJECT/key.o" "$PROJECT/dir.o")" = "0
500" ]
}

@test "claude may replace a file by another kind of file" {
	fault 'by a directory' <<-'END'
		rm -rf main.py
		mkdir main.py
		echo "$call" > "main.py/file-$call"
	END
	fault 'by a link' <<-'END'
		rm -rf main.py
		ln -s "../nowhere-$call" main.py
	END
	fault 'a directory by a file' <<-'END'
		rm -rf bench
		echo "$call" > bench
	END
	fault 'a directory by a link out of here' <<-'END'
		mkdir "../outside-$call"
		echo outside > "../outside-$call/run.sh"
		rm -rf bench
		ln -s "../outside-$call" bench
	END
	fault 'modes' <<-'END'
		if [ -x .gitignore ]; then chmod -x .gitignore; else chmod +x .gitignore; fi
	END
	worst
	[ "$(cat outside-*/run.sh)" = "outside
outside" ]
}

@test "a FIFO in place of a file that claude committed does not bring the older file back" {
	fault 'replaces it' <<-'END'
		echo "$call" > main.py
		git add -A
		git commit -qm mine
		echo "$call" > "new-$call.txt"
		rm main.py
		keep
		mkfifo main.py
	END
	worst
}

@test "FIFOs that claude left do not stop the work, and are gone from the user's tree" {
	fault 'makes them' <<-'END'
		echo "$call" > "new-$call.txt"
		mkfifo "pipe-$call"
		mkdir "dir-$call"
		mkfifo "dir-$call/pipe"
	END
	worst
}

@test "a FIFO of the user's stays, though git does not see it" {
	mkdir "$PROJECT/talk"
	mkfifo "$PROJECT/talk/pipe" "$PROJECT/pipe"
	REHEARSAL_EDIT='echo $call > work; mkfifo pipe-$call talk/pipe-$call' run -0 experiment -r 1 -i 2
	[ -p "$PROJECT/talk/pipe" ]
	[ -p "$PROJECT/pipe" ]
	[ -z "$(find "$PROJECT" -name 'pipe-*')" ]
}

@test "directories too deep to be looked through are refused at the start, unless ignored" {
	local deep
	deep=$(printf 'd/%.0s' $(seq 120))
	mkdir -p "$PROJECT/$deep"
	run -2 experiment -r 1 -i 1
	[[ $output == *'expected at most 96 directories in one another, unless git ignores them'* ]]
	[ ! -e "$OUT/exp--iterations.csv" ]
	echo /d/ >> "$PROJECT/.git/info/exclude"
	run -0 experiment -r 1 -i 1
	[ -d "$PROJECT/$deep" ]
}

@test "a FIFO in place of .gitignore does not stop the work" {
	fault 'replaces .gitignore' <<-'END'
		echo "$call" > "new-$call.txt"
		keep
		rm .gitignore
		mkfifo .gitignore
	END
	before
	CC_TEST_ID=$BATS_TEST_TMPDIR REHEARSAL=$SCENE/worked-1 run -0 \
	    timeout -k 1 5 "$CCRE" --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp
	as_before
}

@test "file names, line endings and directories of all kinds are kept, and undone" {
	printf 'one\r\ntwo\r\n' > "$PROJECT/dos.txt"
	commit 'a file of DOS'
	fault 'gives odd names' <<-'END'
		nl='
		'
		echo "$call" > "new${nl}line $call"
		echo "$call" > "quote\"'\\$call"
		echo "$call" > "$(printf '\377\200')$call"
		echo "$call" > "-rf$call"
		echo "$call" > ":(exclude)*$call"
		mkdir -p "$(printf 'tab\t')$call" " "
		echo "$call" > "$(printf 'tab\t')$call/*?[a]"
		echo "$call" > " /$call"
	END
	fault 'nests repositories of odd names' <<-'END'
		nl='
		'
		for d in "new${nl}line-$call" "-q$call" ":(top)$call" "$(printf '\377')-$call"; do
			git init -q -- "$d"
			echo "$call" > "$d/file"
		done
	END
	fault 'gives a name that git refuses' <<-'END'
		echo "$call" > "new-$call.txt"
		echo "$call" >> main.py
		keep
		echo "$call" > 'git~1'
	END
	fault 'makes empty directories' <<-'END'
		mkdir -p "empty-$call/deep/deeper"
		echo "$call" >> main.py
	END
	fault 'declares line endings' <<-'END'
		echo '* text eol=crlf' > .gitattributes
		printf 'a\r\nb%s\r\n' "$call" > new.txt
		printf 'a\nb%s\n' "$call" > unix.txt
		echo "$call" >> dos.txt
	END
	fault 'declares others' <<-'END'
		echo '* text eol=lf' > .gitattributes
		echo "$call" >> dos.txt
		echo "$call" >> main.py
	END
	fault 'deletes all' <<-'END'
		rm -rf ./* .git[ai]*
	END
	fault 'commits that nothing is left' <<-'END'
		echo "$call" > file
		git add -A
		git rm -qrf .
		git commit -q --allow-empty -m nothing
	END
	worst
}

@test "claude may leave two thousand files" {
	scene many <<-'END'
		init
		mkdir many
		(cd many && seq 2000 | xargs touch)
		result false success 'Done.'
	END
	scene few <<-'END'
		init
		[ -z "$(git status --porcelain)" ] || echo 'not clean' > "$COMPLAINTS"
		rm -r many
		result false success 'Done.'
	END
	before
	REHEARSAL="$SCENE/many $SCENE/few" run experiment -r 1 -i 2
	no_complaints
	[ "$(git -C "$PROJECT" ls-tree --name-only exp-run-1-iteration-1:many | wc -l)" = 2000 ]
	run ! git -C "$PROJECT" cat-file -e exp-run-1-iteration-2:many
	as_before
}

@test "claude may copy the whole directory and work on in the copy" {
	fault 'replaces the directory' <<-'END'
		echo "$call" > "new-$call.txt"
		keep
		cp -a . ../copy
		mv ../project ../gone
		mv ../copy ../project
		rm -rf ../gone
	END
	worst
}

@test "a file that git cannot add does not cost the other files" {
	fault 'declares a wrong encoding' <<-'END'
		echo '*.txt working-tree-encoding=UTF-16' > .gitattributes
		echo "$call" > new.txt
		echo "$call" > other.py
	END
	any_status
	before
	REHEARSAL="$SCENE/worked-1 $SCENE/failed-1" run experiment -r 1 -i 2
	echo "$output"
	[ "$status" = 0 ]
	git -C "$PROJECT" cat-file -e exp-run-1-iteration-1:other.py
	[ "$(git -C "$PROJECT" show exp-run-1-iteration-1:new.txt)" = 1 ]
	[ "$(git -C "$PROJECT" show $ATTEMPTS/iteration-2/attempt-1:new.txt)" = 2 ]
	as_before
}

# ---- the index ----------------------------------------------------------------

@test "locks that claude left behind stop nothing" {
	fault 'leaves the usual ones' <<-'END'
		echo "$call" >> main.py
		touch .git/index.lock .git/HEAD.lock ".git/refs/heads/$branch.lock" \
		    .git/config.lock .git/packed-refs.lock
	END
	fault 'leaves a directory in their place' <<-'END'
		echo "$call" >> main.py
		mkdir -p .git/index.lock/deep
	END
	worst
}

@test "a lock on the user's branch, which claude moved, stops nothing" {
	fault 'moves and locks it' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		git branch -f main HEAD
		touch .git/refs/heads/main.lock
	END
	worst
}

@test "bits in claude's index hide nothing, nor does an edit of the same size" {
	: > "$SCENE/bits"
	fault 'skip-worktree' <<-'END'
		git update-index --skip-worktree main.py
		echo "$call" >> main.py
	END
	fault 'assume-unchanged' <<-'END'
		echo "$call" > "old-$call.txt"
		git add "old-$call.txt"
		git commit -qm mine
		git update-index --assume-unchanged main.py "old-$call.txt"
		echo "$call" >> main.py
		rm "old-$call.txt"
	END
	fault 'intent to add' <<-'END'
		echo "$call" > "new-$call.txt"
		git add -N "new-$call.txt"
	END
	fault 'stages what is not there' <<-'END'
		echo "$call" > "new-$call.txt"
		git add "new-$call.txt"
		rm "new-$call.txt"
		git rm -q --cached main.py
	END
	fault 'an edit of the same size in the same second' <<-'END'
		printf '%04d' "$call" > bench/run.sh
	END
	fault 'the same, and the time is set back' <<-'END'
		now=$(stat -c %Z bench/run.sh)	# git knows times by the second; the
		# clock of files is a little behind that of date
		until touch ../time && [ "$(stat -c %Z ../time)" != "$now" ]; do sleep 0.05; done
		touch -r bench/run.sh ../time
		printf '%04d' "$call" > bench/run.sh
		touch -r ../time bench/run.sh
	END
	fault 'a sparse checkout' <<-'END'
		echo "$call" >> .gitignore
		git sparse-checkout set nowhere
	END
	worst
}

@test "claude may ruin its index" {
	fault 'corrupts it' <<-'END'
		echo "$call" >> main.py
		echo garbage > .git/index
	END
	fault 'removes it' <<-'END'
		echo "$call" >> main.py
		rm .git/index
	END
	fault 'links it' <<-'END'
		echo "$call" >> main.py
		echo precious > ../precious
		ln -sf "$PWD/../precious" .git/index
	END
	worst
	[ "$(cat "$BATS_TEST_TMPDIR/precious")" = precious ]
}

@test "claude may replace its index by a directory" {
	fault 'replaces it' <<-'END'
		echo "$call" >> main.py
		rm .git/index
		mkdir .git/index .git/index.tmp
	END
	worst
}

@test "claude may ruin the runner's index" {
	: > "$SCENE/bits"
	fault 'locks it' <<-'END'
		echo "$call" >> main.py
		touch "$TMPDIR/../index.lock"
	END
	fault 'removes it' <<-'END'
		echo "$call" >> main.py
		rm "$TMPDIR/../index"
	END
	fault 'corrupts it' <<-'END'
		echo "$call" >> main.py
		echo garbage > "$TMPDIR/../index"
	END
	worst
}

# ---- what claude plants ---------------------------------------------------------

# plants: writes a function to $SCENE/plants that makes .git/evil, which leaves
# a trace unless claude itself runs it.
plants() {
	scene plants <<-'END'
		printf '#!/bin/sh\n[ -n "${AGENT-}" ] || echo "$0 $*" >> "%s"\n%s\n' \
		    "$ACTED" "${1-exit 1}" > .git/evil
		chmod +x .git/evil
		evil=$PWD/.git/evil
		armed() {	# it does act where nothing prevents it
			(unset AGENT; eval "$1") || :
			[ -e "$ACTED" ] || complain 'it is not armed'
			rm -f "$ACTED"
		}
	END
}

@test "hooks that claude planted do not act in the runner" {
	plants
	fault 'plants hooks' <<-'END'
		. "$SCENE/plants"
		for hook in applypatch-msg pre-applypatch post-applypatch pre-commit \
		    pre-merge-commit prepare-commit-msg commit-msg post-commit \
		    pre-rebase post-checkout post-merge post-rewrite post-index-change \
		    reference-transaction pre-auto-gc push-to-checkout; do
			ln -s "$evil" ".git/hooks/$hook"
		done
		echo "$call" >> main.py
		armed 'git checkout HEAD'
		keep
		# for the next claude, whose commands they would break
		echo "mv '$PWD/.git/hooks' '$PWD/../hooks-$call'; mkdir '$PWD/.git/hooks'" > "$SCENE/unplant"
	END
	sed -i '1s|^|[ ! -e "$SCENE/unplant" ] \|\| . "$SCENE/unplant"\n|' "$SCENE/play"
	worst
}

@test "configuration that claude planted does not act in the runner, and is undone" {
	plants
	fault 'plants configuration' <<-'END'
		. "$SCENE/plants"
		mkdir .git/evil.d
		for hook in pre-commit post-checkout reference-transaction post-index-change; do
			ln -s "$evil" ".git/evil.d/$hook"
		done
		git config core.hooksPath "$PWD/.git/evil.d"
		git config core.fsmonitor "$evil"
		git config core.editor "$evil"
		git config sequence.editor "$evil"
		git config core.pager "$evil"
		git config core.sshCommand "$evil"
		git config core.askPass "$evil"
		git config core.alternateRefsCommand "$evil"
		git config credential.helper "$evil"
		git config commit.gpgSign true
		git config gpg.program "$evil"
		git config diff.external "$evil"
		git config filter.evil.clean "$evil"
		git config filter.evil.smudge "$evil"
		git config filter.evil.required true
		git config diff.evil.textconv "$evil"
		git config merge.evil.driver "$evil"
		for name in status add commit checkout switch rev-parse; do
			git config "alias.$name" "!$evil"
		done
		echo '* filter=evil diff=evil merge=evil' > .git/info/attributes
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
		armed 'git status'
		armed 'git hash-object --path main.py --stdin < main.py'
		rm -rf .git/evil.d
	END
	fault 'plants a file of attributes' <<-'END'
		. "$SCENE/plants"
		git config filter.evil.clean "$evil"
		git config filter.evil.required true
		echo '* filter=evil' > .gitattributes
		echo "$call" >> main.py
		armed 'git hash-object --path main.py --stdin < main.py'
	END
	fault 'plants an include' <<-'END'
		. "$SCENE/plants"
		printf '[core]\n\tfsmonitor = %s\n[filter "evil"]\n\tclean = %s\n' "$evil" "$evil" > .git/more
		git config include.path "$PWD/.git/more"
		git config extensions.worktreeConfig true
		git config --worktree include.path "$PWD/.git/more"
		echo "$call" >> main.py
		armed 'git status'
	END
	fault 'points the work tree elsewhere' <<-'END'
		mkdir -p ../elsewhere
		echo precious > ../elsewhere/precious
		echo "$call" >> main.py
		git config core.bare true
		git config --unset core.bare
		git config core.worktree "$PWD/../elsewhere"
	END
	fault 'hides files' <<-'END'
		echo '*' > .git/info/exclude
		echo '*' > .git/ignore
		git config core.excludesFile "$PWD/.git/ignore"
		git config status.showUntrackedFiles no
		git config core.fileMode false
		git config core.bare true
		echo "$call" > "new-$call.txt"
		chmod +x main.py
	END
	fault 'breaks it' <<-'END'
		echo "$call" >> main.py
		echo '[garbage' > .git/config
	END
	fault 'makes it a directory' <<-'END'
		echo "$call" >> main.py
		rm .git/config
		mkdir -p .git/config/dir
	END
	worst
	[ "$(cat elsewhere/precious)" = precious ]
	[ "$(ls elsewhere)" = precious ]
}

@test "what claude plants in the user's own configuration does not act in the runner" {
	plants
	fault 'plants it' <<-'END'
		. "$SCENE/plants"
		mkdir .git/evil.d
		for hook in pre-commit post-checkout reference-transaction post-index-change; do
			ln -s "$evil" ".git/evil.d/$hook"
		done
		echo "$call" >> main.py
		git config --global core.hooksPath "$PWD/.git/evil.d"
		git config --global core.fsmonitor "$evil"
		git config --global core.editor "$evil"
		git config --global commit.gpgSign true
		git config --global gpg.program "$evil"
		armed 'git status'
	END
	before
	cp "$HOME/.gitconfig" gitconfig
	REHEARSAL=$SCENE/worked-1 run -0 experiment -r 1 -i 1
	no_complaints
	cp gitconfig "$HOME/.gitconfig"
	as_before
}

@test "configuration that only its owner may read stays so when it is put back" {
	chmod 600 "$PROJECT/.git/config"
	fault 'changes it' <<-'END'
		git config user.name Claude
	END
	once 0
	[ "$(stat -c %a "$PROJECT/.git/config")" = 600 ]
	as_before
}

@test "claude may delete what is not needed in the git directory" {
	fault 'tidies' <<-'END'
		echo "$call" >> main.py
		rm -rf .git/info .git/hooks .git/description .git/branches .git/logs
	END
	worst
}

@test "objects that claude replaced, and parents that it grafted, are themselves again" {
	history
	fault 'grafts' <<-'END'
		git rev-parse HEAD > .git/info/grafts
		echo "$call" >> main.py
	END
	fault 'replaces the start and a file' <<-'END'
		blob=$(git rev-parse main:bench/run.sh)
		fake=$(git commit-tree -m fake "$(git hash-object -w -t tree /dev/null)")
		echo "$call" >> bench/run.sh
		git replace -f "$(git rev-parse HEAD)" "$fake"
		git replace -f "$blob" "$(echo fake | git hash-object -w --stdin)"
	END
	worst
	[ -z "$(git -C "$PROJECT" replace -l)" ]
}

@test "a git directory that claude linked to a copy of it is not followed" {
	git clone -q "$PROJECT" "$BATS_TEST_TMPDIR/other"
	git -C "$BATS_TEST_TMPDIR/other" for-each-ref > "$BATS_TEST_TMPDIR/refs"
	fault 'links it' <<-'END'
		echo "$call" >> main.py
		echo "$PWD/../other/.git" > .git/commondir
	END
	before
	REHEARSAL=$SCENE/worked-1 run experiment -r 1 -i 1
	echo "$output"
	diff "$BATS_TEST_TMPDIR/refs" <(git -C "$BATS_TEST_TMPDIR/other" for-each-ref)
	[ "$status" = 1 ] || as_before
}

# ---- no repository any more -----------------------------------------------------

# fails_closed: exit 1 and a word about it; what claude left is there, nothing
# else was touched, and claude was not called again.
fails_closed() {
	REHEARSAL="$SCENE/worked-1" run -1 experiment -r 1 -i 2
	echo "$output"
	[[ $output = *git* ]]
	[ "$(calls)" = 1 ]
	[ "$(cat "$PROJECT/new-1.txt")" = 1 ]
	no_complaints
}

@test "a git directory that claude removed ends it all, and an outer repository is not touched" {
	mkdir outer
	mv "$PROJECT" outer/
	PROJECT=$BATS_TEST_TMPDIR/outer/project
	git init -q outer
	printf 'project/\nhidden\n' > outer/.gitignore
	echo mine > outer/file
	git -C outer add -A
	git -C outer commit -qm outer
	echo changed > outer/file
	echo precious > outer/untracked
	tar -cf before.tar --exclude=project outer
	fault 'removes it' <<-'END'
		echo "$call" > "new-$call.txt"
		rm -rf .git
	END
	fails_closed
	tar -df before.tar
	[ "$(find outer -path outer/project -prune -o -print | sort)" = \
	    "$(tar -tf before.tar | sed 's|/$||' | sort)" ]
}

@test "a repository that claude made anew ends it all" {
	fault 'begins anew' <<-'END'
		echo "$call" > "new-$call.txt"
		rm -rf .git
		git init -q
		git add -A
		git commit -qm anew
	END
	fails_closed
	[ "$(git -C "$PROJECT" log --all --format=%s)" = anew ]
}

@test "a HEAD that claude ruined ends it all, or is made anew" {
	fault 'ruins it' <<-'END'
		echo "$call" > "new-$call.txt"
		echo garbage > .git/HEAD
	END
	REHEARSAL="$SCENE/worked-1" run experiment -r 1 -i 2
	echo "$output"
	no_complaints
	if [ "$status" = 0 ]; then
		house_is_clean
	else
		[ "$status" = 1 ]
		[[ $output = *git* ]]
		[ "$(calls)" = 1 ]
		[ "$(cat "$PROJECT/new-1.txt")" = 1 ]
		echo 'ref: refs/heads/main' > "$PROJECT/.git/HEAD"
		[ "$(git -C "$PROJECT" rev-parse HEAD)" = "$BASE" ]
	fi
}

@test "objects that claude deleted end it all" {
	fault 'deletes them' <<-'END'
		echo "$call" > "new-$call.txt"
		rm -rf .git/objects
	END
	fails_closed
}

@test "claude may have git collect its garbage" {
	fault 'collects' <<-'END'
		echo "$call" > "new-$call.txt"
		git add -A
		git commit -qm mine
		git reflog expire --expire=now --all
		git gc -q --prune=now
	END
	worst
	git -C "$PROJECT" fsck --strict
}

# ---- the user's repository, as it may be -----------------------------------------

@test "git variables of the environment lead neither the runner nor claude astray" {
	git init -q other
	git -C other commit -q --allow-empty -m other
	tar -cf other.tar other
	export REAL_HEAD="$BASE"
	fault 'looks around' <<-'END'
		env | grep '^GIT_' | grep -v '^GIT_CONFIG_\(COUNT\|KEY_[0-2]\|VALUE_[0-2]\)=' >> "$COMPLAINTS" || :
		[ "$(git config core.editor)" = '' ] || complain 'configuration came along'
		rm -f "$(find "$COMPLAINTS" -size 0)"
		echo "$call" >> main.py
		git commit -qam mine
		kept HEAD
	END
	before
	export -f ccre experiment
	export CCRE OUT
	astray() {
		env GIT_DIR="$PWD/other/.git" GIT_WORK_TREE="$PWD/other" \
		    GIT_INDEX_FILE="$PWD/other/.git/index" \
		    GIT_OBJECT_DIRECTORY="$PWD/other/.git/objects" \
		    GIT_COMMON_DIR="$PWD/other/.git" GIT_NAMESPACE=astray \
		    GIT_CEILING_DIRECTORIES="$PWD" GIT_PREFIX=astray/ \
		    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.editor \
		    GIT_CONFIG_VALUE_0=astray GIT_CONFIG="$PWD/nowhere" \
		    GIT_CONFIG_PARAMETERS="'core.editor'='astray'" \
		    GIT_CONFIG_GLOBAL="$PWD/nowhere" GIT_QUARANTINE_PATH="$PWD" \
		    GIT_LITERAL_PATHSPECS=1 GIT_ICASE_PATHSPECS=1 \
		    GIT_TRACE="$PWD/trace" GIT_TRACE2="$PWD/trace" \
		    GIT_EXEC_PATH=/nonexistent GIT_EDITOR=astray \
		    GIT_EXTERNAL_DIFF=astray GIT_DEFAULT_HASH=sha256 \
		    GIT_ATTR_SOURCE=HEAD GIT_SHALLOW_FILE="$PWD/nowhere" \
		    bash -c '"$@"' - "$@"
	}
	worst astray
	[ ! -e trace ]
	tar -df other.tar
}

@test "a linked worktree can be the directory" {
	git -C "$PROJECT" worktree add -q -b feature "$BATS_TEST_TMPDIR/linked"
	before
	fault 'does its worst' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		git checkout -q --detach
		echo "$call" > "new-$call.txt"
		git config core.fsmonitor /nonexistent
		touch "$(git rev-parse --git-dir)/index.lock" \
		    "$(git rev-parse --git-dir)/HEAD.lock" \
		    "$(git rev-parse --git-common-dir)/config.lock"
	END
	(
		cd linked
		git ls-files -s
		cat main.py .git
	) > linked-before
	git -C linked config user.name > /dev/null
	REHEARSAL="$SCENE/worked-1 $SCENE/limited-1" run -75 \
	    ccre --no-plugin -r 1 -i 2 -o "$OUT" "$BATS_TEST_TMPDIR/linked" exp
	echo "$output"
	no_complaints
	faults=1 accounted
	diff linked-before <(cd linked && git ls-files -s && cat main.py .git)
	[ "$(git -C linked symbolic-ref HEAD)" = refs/heads/feature ]
	[ "$(git -C linked rev-parse feature)" = "$BASE" ]
	[ -z "$(git -C linked status --porcelain)" ]
	as_before
}

@test "what the user does in another work tree meanwhile stays" {
	git -C "$PROJECT" worktree add -q -b feature "$BATS_TEST_TMPDIR/linked"
	export PROJECT
	fault 'is at work while the user is' <<-'END'
		echo "$call" >> main.py
		rm -f "$PROJECT/.git/index.lock" "$PROJECT/.git/HEAD.lock"
		git -C "$PROJECT" commit -q --allow-empty -m "mine $call"
		touch "$PROJECT/.git/index.lock" "$PROJECT/.git/HEAD.lock"
	END
	REHEARSAL="$SCENE/worked-1 $SCENE/limited-1" run -75 \
	    ccre --no-plugin -r 1 -i 2 -o "$OUT" linked exp
	echo "$output"
	[ "$(git -C "$PROJECT" log --format=%s main)" = $'mine 2\nmine 1\nbaseline' ]
	rm "$PROJECT/.git/index.lock" "$PROJECT/.git/HEAD.lock"
}

@test "the user's stash entries are there when claude used the stash" {
	local what
	for what in one two; do
		echo "$what" >> "$PROJECT/main.py"
		git -C "$PROJECT" stash push -q -m "$what"
	done
	git -C "$PROJECT" stash list > stashes
	fault 'drops them all' <<-'END'
		git stash clear
	END
	fault 'pops one' <<-'END'
		git stash pop -q
	END
	fault 'adds one' <<-'END'
		echo "$call" >> main.py
		git stash push -q -m mine
	END
	fault 'removes the logs' <<-'END'
		git stash clear
		rm -r .git/logs
	END
	worst
	git -C "$PROJECT" stash list | diff stashes -
	[ "$(git -C "$PROJECT" show 'stash@{1}:main.py' | tail -n 1)" = one ]
}

@test "in a subdirectory git and claude work at the top" {
	mkdir "$PROJECT/bench/deep"
	echo deep > "$PROJECT/bench/deep/file"
	commit deep
	fault 'works at the top' <<-'END'
		[ "$PWD" = "$(git rev-parse --show-toplevel)" ] || complain "claude is in $PWD"
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
	END
	before
	REHEARSAL="$SCENE/worked-1 $SCENE/limited-1" run -75 ccre --no-plugin \
	    -r 1 -i 2 -o "$OUT" "$PROJECT/bench/deep" exp
	echo "$output"
	no_complaints
	accounted
	as_before
}

@test "commits are by cc-run-experiments when nobody has told git a name" {
	printf '[user]\n\tuseConfigOnly = true\n' > "$HOME/.gitconfig"
	fault 'commits' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
		echo "$call" > "new-$call.txt"
	END
	cp "$HOME/.gitconfig" gitconfig
	nameless() {
		env -i HOME="$HOME" PATH="$PATH" IS_SANDBOX=1 TMPDIR="$TMPDIR" \
		    REHEARSAL="$REHEARSAL" REHEARSAL_STATE="$REHEARSAL_STATE" \
		    LEFT="$LEFT" SCENE="$SCENE" COMPLAINTS="$COMPLAINTS" \
		    KEPT="$KEPT" ACTED="$ACTED" PROJECT="$PROJECT" OUT="$OUT" \
		    CCRE="$CCRE" BATS_TEST_TMPDIR="$BATS_TEST_TMPDIR" \
		    bash -c "$(declare -f ccre experiment)"'; "$@"' - "$@"
	}
	worst nameless
	[ "$(git -C "$PROJECT" log --format='%an %cn' exp-run-1-iteration-1 "^$BASE" | sort -u)" = \
	    'cc-run-experiments cc-run-experiments' ]
	cmp gitconfig "$HOME/.gitconfig"
}

@test "half a name is no name" {
	printf '[user]\n\tuseConfigOnly = true\n\tname = Half\n' > "$HOME/.gitconfig"
	fault 'commits' <<-'END'
		echo "$call" >> main.py
		git commit -qam mine
	END
	once 0
	[ "$(git -C "$PROJECT" log --format='%an %cn' exp-run-1-iteration-1 "^$BASE" | sort -u)" = \
	    'cc-run-experiments cc-run-experiments' ]
}

@test "the user's own name is in the commits" {
	fault 'commits' <<-'END'
		echo "$call" >> main.py
	END
	once 0
	[ "$(git -C "$PROJECT" log -1 --format='%an <%ae> %cn <%ce>' exp-run-1-iteration-1)" = \
	    'Tester <tester@example.org> Tester <tester@example.org>' ]
}

@test "the baseline may be a tag, an id or a relative name, and a branch goes before a tag" {
	history
	git -C "$PROJECT" tag -a -m annotated noted old
	git -C "$PROJECT" tag both old
	git -C "$PROJECT" branch both other
	scene nothing <<-'END'
		init
		result false success 'Done.'
	END
	export REHEARSAL=$SCENE/nothing
	old=$(git -C "$PROJECT" rev-parse old)
	n=0
	before
	while read -r name want; do
		n=$((n + 1))
		ccre --no-plugin -q -r 1 -i 1 -o "$OUT" "$PROJECT" "exp$n" "$name"
		[ "$(git -C "$PROJECT" rev-parse "exp$n-run-1-iteration-1~1")" = \
		    "$(git -C "$PROJECT" rev-parse "$want")" ]
	done <<-END
		old $old
		noted $old
		${old:0:12} $old
		main~1 $old
		both refs/heads/other
	END
	[ "$n" = 5 ]
	as_before
}

@test "what is no commit is no baseline" {
	for name in nowhere main:main.py 'main^{tree}' -x 'main^{/none}' ''; do
		run -2 ccre --no-plugin -o "$OUT" "$PROJECT" exp "$name"
		[ "$(calls)" = 0 ]
	done
	house_is_clean
}

@test "a baseline that moves during the experiment stays what it was" {
	git -C "$PROJECT" checkout -q -b user/größer
	fault 'moves it' <<-'END'
		[ ! -e new-1.txt ] || complain 'run 2 begins with the work of run 1'
		echo "$call" > "new-$call.txt"
		git add -A
		git commit -qm mine
		git update-ref refs/heads/main HEAD
		git update-ref refs/cc-run-experiments/exp/baseline HEAD
	END
	any_status
	REHEARSAL=$SCENE/worked-1 run -0 experiment -r 2 -i 1
	no_complaints
	[ "$(git -C "$PROJECT" rev-parse exp-run-2-iteration-1~2)" = "$BASE" ]
	[ "$(git -C "$PROJECT" symbolic-ref HEAD)" = refs/heads/user/größer ]
	[ "$(git -C "$PROJECT" rev-parse user/größer)" = "$BASE" ]
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
}

@test "a user without a branch is where he was in the end" {
	history
	git -C "$PROJECT" checkout -q --detach old
	fault 'works' <<-'END'
		git checkout -q main
		git commit -q --allow-empty -m mine
		echo "$call" >> main.py
	END
	twice
	run ! git -C "$PROJECT" symbolic-ref -q HEAD
	[ "$(git -C "$PROJECT" rev-parse HEAD)" = "$(git -C "$PROJECT" rev-parse old)" ]
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
}

# ---- what is the user's ----------------------------------------------------------

@test "ignored files are never touched" {
	echo precious > "$PROJECT/precious.o"
	mkdir -p "$PROJECT/cache.o/deep" "$PROJECT/bench/x.o"
	echo precious > "$PROJECT/cache.o/deep/file"
	echo precious > "$PROJECT/bench/x.o/file"
	git -C "$PROJECT" config core.excludesFile "$BATS_TEST_TMPDIR/ignore"
	echo 'secret' > ignore
	echo '/private/' > "$PROJECT/.git/info/exclude"
	mkdir "$PROJECT/private"
	echo precious > "$PROJECT/private/file"
	echo precious > "$PROJECT/secret"
	fault 'works' <<-'END'
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
		rm -rf "$LEFT/$call"
		cp -a . "$LEFT/$call"
		rm -rf "$LEFT/$call/private" "$LEFT/$call/secret"
	END
	worst
}

@test "ignored files are not committed or removed when claude deletes .gitignore" {
	echo 'vendor/' >> "$PROJECT/.gitignore"
	commit 'ignore vendor'
	echo precious > "$PROJECT/precious.o"
	git init -q "$PROJECT/vendor"
	echo precious > "$PROJECT/vendor/file"
	git -C "$PROJECT/vendor" add -A
	git -C "$PROJECT/vendor" commit -qm precious
	fault 'deletes it' <<-'END'
		echo "$call" >> main.py
		rm -f .gitignore
		git init -q "nested-$call"
		echo "$call" > "nested-$call/file"
	END
	any_status
	twice
	[ "$(git -C "$PROJECT/vendor" log --format=%s)" = precious ]
	as_before
	for ref in exp-run-1-iteration-1 $ATTEMPTS/iteration-2/attempt-1; do
		[ -z "$(git -C "$PROJECT" ls-tree -r --name-only "$ref" | grep -e precious -e vendor)" ]
	done
}

@test "ignored files are still there when claude commits them" {
	echo precious > "$PROJECT/precious.o"
	fault 'commits them' <<-'END'
		echo "$call" >> main.py
		git add -f precious.o
		git commit -qam mine
	END
	twice
	as_before
}

@test "thousands of ignored files are no burden" {
	name=$(printf '%0200d' 0)
	mkdir "$PROJECT/many"
	(cd "$PROJECT/many" && seq -f "$name-%.0f.o" 15000 | xargs touch)
	echo precious > "$PROJECT/precious.o"
	scene quick <<-'END'
		init
		echo "$call" >> main.py
		result false success 'Done.'
	END
	REHEARSAL=$SCENE/quick run -0 experiment -r 1 -i 1
	house_is_clean
	[ -e "$PROJECT/precious.o" ]
	[ "$(ls "$PROJECT/many" | wc -l)" = 15000 ]
}

@test "files that only the user's branch ignores are not removed" {
	git -C "$PROJECT" tag old
	printf '*.o\nsecret\n' > "$PROJECT/.gitignore"
	commit 'ignore secret'
	echo precious > "$PROJECT/secret"
	before
	run ccre --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp old
	echo "$output"
	[ "$status" = 0 ] || [ "$status" = 2 ]
	as_before
}

@test "an ignored file that is committed in the baseline is not overwritten" {
	echo old > "$PROJECT/settings.o"
	git -C "$PROJECT" add -f settings.o
	git -C "$PROJECT" commit -qm 'with settings'
	git -C "$PROJECT" tag old
	git -C "$PROJECT" rm -q settings.o
	commit 'without settings'
	echo precious > "$PROJECT/settings.o"
	before
	run ccre --no-plugin -r 1 -i 1 -o "$OUT" "$PROJECT" exp old
	echo "$output"
	[ "$status" = 0 ] || [ "$status" = 2 ]
	as_before
}

@test "ignored files below what is a file in the baseline are refused, and stay" {
	echo file > "$PROJECT/data"
	commit file
	git -C "$PROJECT" branch older
	git -C "$PROJECT" rm -q data
	mkdir -p "$PROJECT/data/deep"
	echo file > "$PROJECT/data/deep/file"
	commit directory
	echo mine > "$PROJECT/data/deep/mine.o"
	before
	run -2 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp older
	[[ $output == *'baseline older: data: expected no committed file'* ]]
	rm "$PROJECT/data/deep/mine.o"
	run -2 ccre --no-plugin -o "$PROJECT/data/out" -r 1 -i 1 "$PROJECT" exp older
	[[ $output == *'baseline older: data: expected no committed file'* ]]
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp older
	house_is_clean
}

@test "a submodule of the user's branch is refused, and stays" {
	git -C "$PROJECT" branch older
	git init -q "$PROJECT/lib"
	echo lib > "$PROJECT/lib/lib.txt"
	git -C "$PROJECT/lib" add -A
	git -C "$PROJECT/lib" commit -q -m lib
	commit submodule 2> /dev/null
	before
	run -2 ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp older
	[[ $output == *'lib: expected no submodules'* ]]
	as_before
}

@test "a repository of the user's around committed files is refused, and stays" {
	mkdir "$PROJECT/vendor"
	echo vendor > "$PROJECT/vendor/file"
	commit vendor
	git init -q "$PROJECT/vendor"
	before
	run -2 experiment -r 1 -i 1
	[[ $output == *"$PROJECT/vendor/.git: expected no repository inside the work tree"* ]]
	[ "${#lines[@]}" = 1 ]
	[ -d "$PROJECT/vendor/.git/objects" ]
	as_before
	echo vendor/.git > "$PROJECT/.git/info/exclude"
	run -2 experiment -r 1 -i 1
}

@test "untracked files are refused, also when the user told git not to show them" {
	echo precious > "$PROJECT/notes.txt"
	run -2 experiment -r 1 -i 1
	[[ $output = *notes.txt* ]]
	[ "$(cat "$PROJECT/notes.txt")" = precious ]
	git config --global status.showUntrackedFiles no
	run experiment -r 1 -i 1
	echo "$output"
	[ "$(cat "$PROJECT/notes.txt")" = precious ]
	[ "$status" = 2 ]
	[[ $output = *notes.txt* ]]
}

@test "a change that the user has is refused, and named" {
	echo change >> "$PROJECT/main.py"
	run -2 experiment -r 1 -i 1
	[[ $output = *main.py* ]]
	git -C "$PROJECT" add main.py
	run -2 experiment -r 1 -i 1
	[[ $output = *main.py* ]]
	[ "$(calls)" = 0 ]
	[ "$(git -C "$PROJECT" status --porcelain)" = 'M  main.py' ]
	[ -z "$(git -C "$PROJECT" branch --list 'exp*')" ]
}

@test "a merge, rebase or lock of the user's is refused, and left alone" {
	history
	run ! git -C "$PROJECT" merge -q other
	run -2 experiment -r 1 -i 1
	[ -e "$PROJECT/.git/MERGE_HEAD" ]
	git -C "$PROJECT" merge --abort
	git -C "$PROJECT" bisect start -q
	run -2 experiment -r 1 -i 1
	[ -e "$PROJECT/.git/BISECT_LOG" ]
	git -C "$PROJECT" bisect reset
	touch "$PROJECT/.git/index.lock"
	run -2 experiment -r 1 -i 1
	[ -e "$PROJECT/.git/index.lock" ]
	[ "$(calls)" = 0 ]
}

@test "empty directories of the user's stay" {
	mkdir -p "$PROJECT/logs/deep"
	fault 'works' <<-'END'
		echo "$call" >> main.py
	END
	worst
}

@test "a change that the user hides with skip-worktree is refused, and stays" {
	history
	echo settings > "$PROJECT/settings"
	commit settings
	git -C "$PROJECT" update-index --skip-worktree settings
	echo precious > "$PROJECT/settings"
	run ! experiment
	[ "$status" = 2 ]
	[[ $output == *"settings: expected no file whose uncommitted changes git is told to overlook"* ]]
	[ "$(cat "$PROJECT/settings")" = precious ]
	[ "$(calls)" = 0 ]
}

@test "signing, templates, hooks and colours of the user's do not act" {
	for name in pre-commit prepare-commit-msg commit-msg post-commit post-checkout \
	    reference-transaction post-index-change pre-auto-gc; do
		printf '#!/bin/sh\n[ -n "${AGENT-}" ] || echo "%s" >> "%s"\nexit 1\n' \
		    "$name" "$ACTED" > "$PROJECT/.git/hooks/$name"
		chmod +x "$PROJECT/.git/hooks/$name"
	done
	printf '#!/bin/sh\necho gpg >> "%s"\nexit 1\n' "$ACTED" > gpg
	chmod +x gpg
	echo 'fill this in' > template
	cat >> "$HOME/.gitconfig" <<-END
		[commit]
			gpgSign = true
			template = $PWD/template
			cleanup = scissors
			verbose = 2
		[gpg]
			program = $PWD/gpg
		[core]
			editor = $PWD/gpg
			pager = $PWD/gpg
			commentChar = e
			abbrev = 4
		[color]
			ui = always
		[status]
			short = true
			branch = true
			showStash = true
			relativePaths = true
		[diff]
			external = $PWD/gpg
			noprefix = true
			renames = copies
			mnemonicPrefix = true
		[checkout]
			guess = false
		[push]
			default = nothing
		[branch]
			autoSetupMerge = always
		[help]
			autoCorrect = immediate
		[i18n]
			commitEncoding = ISO-8859-1
			logOutputEncoding = ISO-8859-1
	END
	fault 'works' <<-'END'
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
	END
	any_status
	twice
	rm -r "$PROJECT/.git/hooks"
	export GIT_CONFIG_GLOBAL=$BATS_TEST_TMPDIR/none
	accounted
	as_before
}

# ---- the output directory inside the work tree ------------------------------------

@test "results inside the work tree are neither committed, removed nor visible" {
	OUT=$PROJECT/benchmark-results
	fault 'does its worst' <<-'END'
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
		rm -f benchmark-results/.gitignore
		git add -A
		git commit -qm mine
	END
	fault 'adds it by force' <<-'END'
		echo "$call" >> main.py
		git add -A -f
		git commit -qm mine
	END
	sed -i 's|keep() .*|keep() { cp -a . "$LEFT/$call"; rm -rf "$LEFT/$call/benchmark-results"; }|' \
	    "$SCENE/play"
	before
	cd "$PROJECT"
	REHEARSAL="$SCENE/worked-1 $SCENE/failed-1 $SCENE/worked-2 $SCENE/limited-2" \
	    run -75 ccre --no-plugin -r 1 -i 4 . exp
	cd ..
	echo "$output"
	no_complaints
	accounted
	[ "$(ledger outcome | wc -l)" = 4 ]
	for n in 1 2 3 4; do
		[ -s "$OUT/exp--run-1--iteration-$n--attempt-1.jsonl" ]
	done
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
	house_is_clean
	mv "$OUT" "$BATS_TEST_TMPDIR/results"
	as_before
}

@test "results are not lost when claude removes all that git ignores" {
	OUT=$PROJECT/benchmark-results
	fault 'cleans' <<-'END'
		echo "$call" > "new-$call.txt"
		git add -A
		git clean -q -ffdx
	END
	sed -i 's|keep() .*|keep() { cp -a . "$LEFT/$call"; rm -rf "$LEFT/$call/benchmark-results"; }|' \
	    "$SCENE/play"
	before
	cd "$PROJECT"
	REHEARSAL="$SCENE/worked-1" run ccre --no-plugin -r 1 -i 1 . exp
	cd ..
	echo "$output"
	house_is_clean
	git -C "$PROJECT" grep -q 1 $(git -C "$PROJECT" for-each-ref --format='%(objectname)' refs) -- new-1.txt
	[ "$status" = 1 ] || [ "$(ledger outcome)" = success ]
}

@test "an output directory with files that the baseline has committed is refused" {
	mkdir "$PROJECT/benchmark-results"
	echo old > "$PROJECT/benchmark-results/old.csv"
	commit 'with results'
	git -C "$PROJECT" tag old
	run -2 ccre --no-plugin -o "$PROJECT/benchmark-results" "$PROJECT" exp
	git -C "$PROJECT" rm -qr benchmark-results
	commit 'without results'
	run -2 ccre --no-plugin -r 1 -i 1 -o "$PROJECT/benchmark-results" "$PROJECT" exp old
	[ "$(calls)" = 0 ]
}

# ---- what it costs, and a disk that is full ----------------------------------------

# git_processes: how many one more successful iteration takes.
git_processes() {
	local n2 n3 real
	real=$(command -v git)
	printf '#!/bin/sh\nexport GIT_TRACE2_EVENT="%s"\nexec "%s" "$@"\n' \
	    "$BATS_TEST_TMPDIR/trace" "$real" > bin/git
	chmod +x bin/git
	scene quiet <<-'END'
		init
		echo "$call" >> main.py
		echo "$call" > "new-$call.txt"
		result false success 'Done.'
	END
	export REHEARSAL=$SCENE/quiet
	for m in 2 3; do
		rm -f trace
		ccre --no-plugin -q -r 1 -i $m -o "$OUT" "$PROJECT" "exp$m" || return
		eval "n$m=$(grep -c '"event":"version"' trace)"
	done
	rm bin/git
	echo $((n3 - n2))
}

@test "a successful iteration takes eight git processes at most" {
	run -0 --separate-stderr git_processes
	echo "$output"
	[ "$output" -le 8 ]
	[ "$output" -ge 3 ]
}

@test "a successful iteration takes eight git processes also when git warns" {
	git -C "$PROJECT" config core.autocrlf true
	run -0 --separate-stderr git_processes
	echo "$output"
	[ "$output" -le 8 ]
}

@test "a full disk under .git is reported, and nothing is lost" {
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	fault 'fills the disk' <<-'END'
		echo "$call" > "new-$call.txt"
		head -c 300000 /dev/urandom > "big-$call"
		dd if=/dev/zero of=.git/filler bs=4k 2>/dev/null || :
	END
	before
	full() {
		mv "$PROJECT/.git" "$BATS_TEST_TMPDIR/git"
		mkdir "$PROJECT/.git"
		mount -t tmpfs -o size=1m tmpfs "$PROJECT/.git"
		cp -a "$BATS_TEST_TMPDIR/git/." "$PROJECT/.git"
		"$@"
		local status=$?
		rm -f "$PROJECT/.git/filler"
		rm -rf "$BATS_TEST_TMPDIR/git"
		cp -a "$PROJECT/.git" "$BATS_TEST_TMPDIR/git"
		umount "$PROJECT/.git"
		rmdir "$PROJECT/.git"
		mv "$BATS_TEST_TMPDIR/git" "$PROJECT/.git"
		return $status
	}
	export -f ccre experiment full
	export CCRE
	REHEARSAL="$SCENE/worked-1" run unshare -m bash -c 'full experiment -r 1 -i 2'
	echo "$output"
	[ "$status" = 1 ]
	[[ $output = *"No space left"* || $output = *diskspace* ]]
	[ "$(calls)" = 1 ]
	no_complaints
	[ "$(cat "$PROJECT/new-1.txt")" = 1 ]
	[ "$(stat -c %s "$PROJECT/big-1")" = 300000 ]
	[ "$(git -C "$PROJECT" rev-parse main)" = "$BASE" ]
	[ -z "$(ledger outcome | grep success)" ]
	git -C "$PROJECT" fsck --strict
}

@test "a repository that cannot be written is refused before claude is called" {
	needs_modes
	chmod -R a-w "$PROJECT"
	run unprivileged experiment -r 1 -i 1
	echo "$output"
	[ "$status" = 1 ] || [ "$status" = 2 ]
	[[ $output = *"$PROJECT/.git"* ]]
	[ "$(calls)" = 0 ]
	chmod -R u+w "$PROJECT"
	house_is_clean
}

@test "a repository of another owner is refused with git's own words" {
	chown -R 65534 "$PROJECT" 2>/dev/null || skip "cannot give files away"
	run -2 experiment -r 1 -i 1
	[[ $output = *"dubious ownership"* ]]
	[ "$(calls)" = 0 ]
}

@test "a sparse checkout is refused, for its agents' files could not be committed" {
	mkdir "$PROJECT/src"
	echo x > "$PROJECT/src/x"
	project add -A
	project commit -qm src
	project sparse-checkout set src
	run -2 experiment -r 1 -i 1
	[[ $output == *"$PROJECT: expected all files, not a sparse checkout"*'git sparse-checkout disable'* ]]
	[ "$(calls)" = 0 ]
	REHEARSAL_EDIT='mkdir -p docs; echo x > docs/new.md' run -0 experiment --isolate -r 1 -i 1
	project show exp-run-1-iteration-1:docs/new.md
}

@test "a filter or a setting about which git talks is applied all the same" {
	project config filter.talks.clean 'echo talking >&2; tr a-z A-Z'
	project config core.fsyncObjectFiles true
	echo '*.up filter=talks' > "$PROJECT/.gitattributes"
	project add -A
	project commit -qm filter
	REHEARSAL_EDIT='echo word > new.up' run -0 experiment -r 1 -i 1
	[ "$(project show exp-run-1-iteration-1:new.up)" = WORD ]
}

@test "each stash entry that was made beside a run is kept, and the user's stays" {
	echo mine >> "$PROJECT/main.py"
	project stash -q
	project worktree add -q ../beside main~0
	scene stashes <<-'END'
		init
		for n in $(seq 20); do
			echo "stash $n" >> "$BATS_TEST_TMPDIR/beside/main.py"
			git -C "$BATS_TEST_TMPDIR/beside" stash -q
		done
		edit; result false success Done.
	END
	export BATS_TEST_TMPDIR
	REHEARSAL=$SCENE/stashes run -0 experiment -r 1 -i 1
	local refs=refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1-refs
	[ "$(project show $refs/stash:main.py | tail -n 1)" = 'stash 20' ]
	[ "$(project show $refs/stash-1:main.py | tail -n 1)" = 'stash 19' ]
	[ "$(project show $refs/stash-19:main.py | tail -n 1)" = 'stash 1' ]
	[ "$(project for-each-ref $refs | wc -l)" = 20 ]
	[ "$(project stash list | wc -l)" = 1 ]
	[ "$(project show stash:main.py | tail -n 1)" = mine ]
	project worktree remove -f ../beside
}

# once_fails WORDS: a git on PATH whose first call with these words fails.
once_fails() {
	cat > bin/git <<-'END'
		#!/bin/sh
		case " $* " in
		*"$WORDS"*) [ -e "$FAILED" ] || {
			: > "$FAILED"
			printf 'hint: look\nwarning: old\nfatal: no way\n' >&2
			exit 128
		} ;;
		esac
		exec "$REAL_GIT" "$@"
	END
	chmod +x bin/git
	rm -f failed
	export FAILED=$PWD/failed WORDS=$1 REAL_GIT
	REAL_GIT=$(PATH=${PATH#*:} command -v git)
}

@test "of what git says when it fails the error is shown, not a warning before it" {
	project config diff.orderFile nowhere	# this one does no harm
	run -0 experiment -r 1 -i 1
	once_fails ' commit -q '
	run -1 experiment -r 2 -i 1
	[[ $output == *'exit status 128: fatal: no way'* ]]
	rm bin/git
}

@test "a git that fails has not answered a question with no" {
	local words
	for words in ' symbolic-ref -q HEAD ' ' config --type=bool core.sparseCheckout ' \
	    ' check-ref-format ' ' diff --quiet ' '^{object} ' ' merge-base --is-ancestor '; do
		once_fails "$words"
		REHEARSAL='commit overloaded' run experiment -r 1 -i 2 --protect bench
		echo "$words: $status: $output"
		[ -e failed ]
		rm bin/git
		[ "$status" = 1 ] || [ "$words" = ' merge-base --is-ancestor ' ]
		[[ $status == 0 || $output == *'exit status 128: fatal: no way'* ]]
		house_is_clean
		rm -rf "$REHEARSAL_STATE"
		REHEARSAL='commit overloaded' run -0 experiment -r 1 -i 2 --protect bench
		[ "$(ledger protected_touched | grep -c 1)" = 0 ]
		[ -n "$(project for-each-ref 'refs/cc-run-experiments/exp/run-1/iteration-2/*')" ]
		project log --format=%s exp-run-1-iteration-1 | grep -q '^claude: call'
		house_is_clean
		forget
	done
}

@test "packed branches and tags stay where git cannot list them for a moment" {
	project branch precious
	project tag v1
	project pack-refs --all
	local refs n
	refs=$(project for-each-ref refs/tags refs/heads/precious)
	for n in 1 2 3 4 5 6 7 8; do
		cat > bin/git <<-'END'
			#!/bin/sh
			case " $* " in
			*' for-each-ref --format'*)
				echo >> "$LISTED"
				[ "$(wc -l < "$LISTED")" != "$N" ] || { echo 'fatal: no way' >&2; exit 128; } ;;
			esac
			exec "$REAL_GIT" "$@"
		END
		chmod +x bin/git
		rm -f listed
		LISTED=$PWD/listed N=$n REAL_GIT=$(PATH=${PATH#*:} command -v git) REHEARSAL='rate-limit success' \
		    REHEARSAL_RESET=-60 run quick -w -r 1 -i 1
		echo "$n: $status: $output"
		rm bin/git
		[ "$(project for-each-ref refs/tags refs/heads/precious)" = "$refs" ]
		[ -z "$(find "$PROJECT/.git" -name '*.bad')" ]
		run -0 quick -w -r 1 -i 1
		house_is_clean
		forget
	done
}

@test "work that git cannot store is no success, and stays in the tree" {
	local dir
	dir=$PROJECT/.git/objects/$(printf 'work\n' | git hash-object --stdin | cut -c1-2)
	mkdir -p "$dir"
	chmod 555 "$dir"
	REHEARSAL_EDIT='echo work > work.txt' run -1 unprivileged experiment -r 1 -i 1
	[[ $output == *' database'* ]]
	[ "$(cat "$PROJECT/work.txt")" = work ]
	chmod 755 "$dir"
	run -0 experiment -r 1 -i 1
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:work.txt)" = work ]
	house_is_clean
}

@test "what the runner keeps of an amended attempt is not told as changed by claude" {
	scene amends <<-'END'
		init; echo x >> main.py; git commit -q --amend -am amended; exit 3
	END
	REHEARSAL=$SCENE/amends run -0 experiment -r 1 -i 1
	[[ $output != *'was changed'* ]]
	[ -n "$(project for-each-ref refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1-refs/)" ]
}

@test "work that git had no time to add is no success, and stays in the tree" {
	cat > bin/git <<-'END'
		#!/bin/sh
		case "$*" in add*) [ ! -e "$SLOW" ] || exec sleep 1000 ;; esac
		exec "$REAL_GIT" "$@"
	END
	chmod +x bin/git
	export SLOW=$PWD/slow REAL_GIT
	REAL_GIT=$(PATH=${PATH#*:} command -v git)
	# shellcheck disable=SC2016  # for claude to expand
	REHEARSAL_EDIT='echo work > work.txt; : > "$SLOW"' CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE_QUICK" \
	    --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" exp > said 2>&1 3>&- &
	wait_until 20 pgrep -P $! sleep > /dev/null
	kill -TERM $!
	ended 1 $!
	cat said
	rm slow
	run ! grep -q 'run 1/1 iteration 1/1: success' said
	run -0 experiment -r 1 -i 1
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:work.txt)" = work ]
	house_is_clean
}
