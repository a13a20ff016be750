# The copy that a run works in, the agent's .git, and what is taken from both:
# design, section 4.

# Each test is a process of its own (2030, 2031); scripts are for the agent to
# expand (2016); run sets output, status and lines (2154).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load helper

TIP=exp-run-1-iteration-1
ATTEMPT=refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1
TROUBLE=$BATS_TEST_TMPDIR/trouble
export SEEN=$BATS_TEST_TMPDIR/seen OUTSIDE=$BATS_TEST_TMPDIR/outside

# agents COMMAND... [-- OPTION...]: a run whose agent in iteration N executes
# the Nth COMMAND with set -e. After a COMMAND that begins with ! the iteration
# fails. A COMMAND that ends with another status than 0 makes the test fail.
agents() {
	local n=0 scenes=''
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		n=$((n + 1))
		{
			printf 'init\n(set -ex\n%s\n) >&2\n' "${1#!}"
			echo "[ \$? = 0 ] || echo 'the agent of iteration $n failed' >> '$TROUBLE'"
			case $1 in
			!*) echo 'api_error 529 Overloaded' ;;
			*) echo 'result false success Done.' ;;
			esac
		} > "$SCENE/$n"
		scenes+=" $SCENE/$n"
		shift
	done
	[ $# = 0 ] || shift
	REHEARSAL=$scenes run -0 experiment -r 1 -i $n "$@"
	echo "$output"
	[ ! -e "$TROUBLE" ] || { cat "$TROUBLE" "$OUT"/*.err; return 1; }
}

# through COMMAND...: from here on COMMAND starts the program.
through() {
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$*" "$CCRE" > through
	chmod +x through
	CCRE=$PWD/through
}

# unprivileged: file modes apply to the program although the user is root.
unprivileged() {
	[ "$(id -u)" != 0 ] || through setpriv --inh-caps=-all --bounding-set=-all
}

# commit: all changes in the user's checkout; the next state is the right one.
commit() {
	project add -A
	project commit -qm more
	BASE=$(project rev-parse main)
	snapshot
}

# other_repository DIRECTORY: the tests' project is that directory from now on.
other_repository() {
	PROJECT=$PWD/$1
	BASE=$(project rev-parse HEAD)
	snapshot
}

# tree_of DIRECTORY: the id of the tree that the files in it are.
tree_of() {
	rm -rf "$1/.git"
	(
		cd "$1" || exit
		export GIT_DIR=$PROJECT/.git GIT_WORK_TREE=. GIT_INDEX_FILE=$BATS_TEST_TMPDIR/index
		git add -Af .
		git write-tree
	)
}

# files [PATH...]: what the iteration's branch holds.
files() {
	project ls-tree -r --name-only "$TIP" "$@" | paste -sd ' '
}

# alone: the iteration's branch has the start as its only parent.
alone() {
	[ "$(project rev-parse "$TIP^@")" = "$BASE" ]
}

# ---- the copy equals the baseline ---------------------------------------------

@test "the copy equals the baseline" {
	mkdir -p "$PROJECT/a/b"
	: > "$PROJECT/a/b/with blank"
	ln -s a/b "$PROJECT/link"
	echo x > "$PROJECT/program"
	chmod +x "$PROJECT/program"
	commit
	agents 'cp -a . "$SEEN"'
	[ "$(tree_of seen)" = "$(project rev-parse 'main^{tree}')" ]
}

@test "the copy is in TMPDIR, below a directory of the user's with mode 0700" {
	agents 'pwd > "$SEEN"; stat -c %a ../../.. >> "$SEEN"; stat -c %a ../.. >> "$SEEN"'
	[[ $(sed -n 1p seen) =~ ^$TMPDIR/cc-run-experiments-$(id -u)/[0-9a-f]+/run-1/project$ ]]
	[ "$(sed -n 2,3p seen | paste -sd ' ')" = '700 300' ]
	[ ! -s "$TMPDIR/cc-run-experiments-$(id -u)/measure" ]
}

@test "what the user has not committed, a merge and a lock stay and are not in the copy" {
	echo staged > "$PROJECT/staged"
	project add staged
	echo changed >> "$PROJECT/main.py"
	echo new | tee "$PROJECT/untracked" > "$PROJECT/ignored.o"
	mkdir "$PROJECT/empty"
	project update-ref MERGE_HEAD "$BASE"
	: > "$PROJECT/.git/index.lock"
	snapshot
	agents 'ls -A > "$SEEN"; [ "$(cat main.py)" = "$(git show main:main.py)" ]; [ ! -e .git/MERGE_HEAD ]; git add -A'
	[ "$(paste -sd ' ' seen)" = '.git .gitignore bench main.py' ]
	[ "$(cat "$PROJECT/ignored.o")" = new ]
	[ -d "$PROJECT/empty" ]
}

@test "skip-worktree and assume-unchanged of the user's do not reach the copy" {
	project update-index --skip-worktree main.py
	project update-index --assume-unchanged bench/run.sh
	snapshot
	agents 'echo new > main.py; echo new > bench/run.sh'
	[ "$(project diff --name-only main "$TIP" | paste -sd ' ')" = 'bench/run.sh main.py' ]
}

@test "in the user's .git only refs, objects, logs and the lock file change" {
	contents() {
		(cd "$PROJECT/.git" && find . -path ./refs -prune -o -path ./objects -prune -o \
		    -path ./logs/refs -prune -o -type f ! -name cc-run-experiments.lock -exec cksum {} + | sort)
	}
	contents > before
	agents 'echo x > work; git add -A; git commit -qm mine' '!echo y > work'
	contents | diff before -
	[ ! -s "$PROJECT/.git/cc-run-experiments.lock" ]
}

# ---- what the agent sees in its .git --------------------------------------------

@test "the agent is on the branch run-N-iteration-M, with a clean status" {
	agents 'git status --porcelain=v2 --branch > "$SEEN"' 'git symbolic-ref HEAD >> "$SEEN"'
	[ "$(cat seen)" = "# branch.oid $BASE
# branch.head run-1-iteration-1
refs/heads/run-1-iteration-2" ]
}

@test "the agent sees two branches and no tag, remote, stash or other ref" {
	project tag v1
	project branch other
	project remote add origin "$OUTSIDE"
	echo x >> "$PROJECT/main.py"
	project stash -q
	snapshot
	agents 'git for-each-ref --format="%(refname)" > "$SEEN"; [ -z "$(git remote)$(git stash list)" ]'
	[ "$(cat seen)" = $'refs/heads/main\nrefs/heads/run-1-iteration-1' ]
}

@test "the user's repository and its settings are named nowhere in the agent's .git" {
	project config private.secret secret
	snapshot
	agents '{ cat .git/config; grep -rlF -e "$PROJECT" -e secret .git || :; } > "$SEEN"
		[ ! -e .git/objects/info/alternates ]'
	run ! grep -F -e "$PROJECT" -e secret seen
}

@test "the agent's .git has the history of the baseline and of what was kept, and no other object" {
	project checkout -q -b other
	echo other > "$PROJECT/other"
	project add -A
	project commit -qm other
	project checkout -q main
	snapshot
	agents 'echo one > work' '!echo two > work' 'git log --format=%s > "$SEEN"
		git cat-file --batch-all-objects --batch-check="%(objectname)" | sort > "$SEEN.all"
		git rev-list --objects HEAD | cut -c1-40 | sort > "$SEEN.reachable"'
	diff seen.reachable seen.all
	[ "$(cat seen)" = $'run 1, iteration 1: success\nbaseline' ]
}

@test "usual git commands work in the agent's .git" {
	agents 'echo a > a; git add a; git commit -qm a; git tag -a -m v1 v1; git describe
		echo b > a; git stash -q; git stash pop -q; git commit -qam b
		git checkout -q -b side HEAD~; echo c > c; git add c; git commit -qm c
		git rebase -q run-1-iteration-1; git checkout -q run-1-iteration-1
		git merge -q --no-edit side; git worktree add -q ../wt; git worktree remove ../wt
		git gc -q; git fsck --strict; [ -z "$(git status --porcelain)" ]'
	[ "$(project show $TIP:c)" = c ]
	[ "$(project log --format=%s main..$TIP | wc -l)" = 4 ]
}

@test "a change of the same size in the same second is seen by git status" {
	agents 'sed -i s/hello/jello/ main.py; git status --porcelain > "$SEEN"'
	[ "$(cat seen)" = ' M main.py' ]
	[ "$(project diff --name-only main $TIP)" = main.py ]
}

@test "name, exclude and attributes that the user's repository sets hold in the agent's .git" {
	project config user.name 'Local Name'
	project config user.email local@example.org
	mkdir -p "$PROJECT/.git/info"
	echo '*.mine' > "$PROJECT/.git/info/exclude"
	echo '*.crlf text eol=crlf' > "$PROJECT/.git/info/attributes"
	snapshot
	agents 'echo x > x.mine; [ -z "$(git status --porcelain)" ]; printf "a\r\n" > x.crlf; git add -A; git commit -qm mine'
	[ "$(project log --format='%an <%ae>' main..$TIP | sort -u)" = 'Local Name <local@example.org>' ]
	[ "$(files x.mine x.crlf)" = x.crlf ]
	[ "$(project cat-file -s $TIP:x.crlf)" = 2 ]
}

# ---- the agent's .git is thrown away ---------------------------------------------

@test "hooks and settings of the agent's do not act in the runner and are gone" {
	agents 'evil=$PWD/../evil; printf "#!/bin/sh\n: > %s\n" "$SEEN" > $evil; chmod +x $evil; mkdir -p .git/hooks
		for hook in pre-commit post-checkout post-index-change reference-transaction; do cp $evil .git/hooks; done
		git config core.fsmonitor $evil; git config filter.x.clean $evil; git config user.name Evil
		echo "* filter=x" > .gitattributes; echo x > work; git config core.worktree /' \
	    '[ "$(git config user.name)" = Tester ]; ! git config core.worktree; [ -z "$(ls .git/hooks 2> /dev/null)" ]'
	[ ! -e seen ]
	[ "$(project log -1 --format=%an $TIP)" = Tester ]
}

@test "locks that the agent leaves in its .git stop nothing and are gone" {
	agents 'for lock in index HEAD config packed-refs refs/heads/run-1-iteration-1 refs/heads/main shallow; do
		: > .git/$lock.lock; done; echo x > work' \
	    '[ -z "$(find .git -name "*.lock")" ]; git commit -q --allow-empty -m mine'
	[ "$(files work)" = work ]
}

@test "what the agent leaves half done in its .git is gone in the next iteration" {
	local gone='[ -z "$(git status --porcelain)$(git stash list)" ]; [ "$(git for-each-ref | wc -l)" = 2 ]
		[ ! -e .git/MERGE_HEAD ]; [ ! -e .git/rebase-merge ]; [ ! -e .git/BISECT_LOG ]; git branch --show-current | grep run-1'
	agents 'git checkout -q -b side; echo side > main.py; git commit -qam side; git checkout -q run-1-iteration-1
		echo main > main.py; git commit -qam main; ! git merge -q side' \
	    "$gone"'; for c in 1 2; do echo $c > c; git add c; git commit -qm $c; done; git tag own
		GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/" git rebase -q -i HEAD~2; git bisect start -q' \
	    "$gone"'; echo s >> main.py; git stash -q; git branch own' "$gone"
	project show $TIP:main.py | grep -q '^<<<<<<<'
	[ -z "$(project for-each-ref --format='%(refname)' refs/tags refs/stash refs/heads/own)" ]
}

@test "a pack that the agent overwrites is right again in the next iteration" {
	agents 'for pack in .git/objects/pack/*.pack; do chmod u+w $pack
		dd if=/dev/zero of=$pack bs=1 seek=20 count=9 conv=notrunc; done; echo x > work' \
	    'git fsck --full; git log -p > /dev/null'
	[ "$(files work)" = work ]
}

@test "an index that is garbage, a directory or hides changes hides nothing from the runner" {
	agents 'git update-index --assume-unchanged main.py; git update-index --skip-worktree bench/run.sh
		echo x > main.py; echo x > bench/run.sh' \
	    'rm .git/index; mkdir .git/index; echo y > main.py' 'echo garbage > .git/index; echo z > main.py'
	[ "$(project diff --name-only main $TIP | paste -sd ' ')" = 'bench/run.sh main.py' ]
	[ "$(project show exp-run-1-iteration-2:main.py exp-run-1-iteration-3:main.py | paste -sd ' ')" = 'y z' ]
}

@test "work is taken if .git has lost its objects, was removed or is a file" {
	agents 'rm -rf .git/objects; echo x > work' 'git fsck; rm -rf .git; echo y > work' \
	    '[ -d .git ]; rm -rf .git; echo "gitdir: $PROJECT/.git" > .git; echo z > work' \
	    '[ -d .git ]; [ -z "$(git status --porcelain)" ]'
	[ "$(project log --format=%s main..exp-run-1-iteration-3 | wc -l)" = 3 ]
	[ "$(project show exp-run-1-iteration-3:work)" = z ]
}

@test "a link to another repository in the place of .git, its objects or refs is not followed" {
	git clone -q "$PROJECT" outside
	cp -a outside outside.before
	agents 'rm -rf .git; ln -s "$OUTSIDE/.git" .git; echo x > work' \
	    '[ ! -L .git ]; rm -rf .git/objects; ln -s "$OUTSIDE/.git/objects" .git/objects; echo y > work' \
	    '[ ! -L .git/objects ]; rm -rf .git/refs; ln -s "$OUTSIDE/.git/refs" .git/refs; echo z > work' '[ ! -L .git/refs ]'
	diff -r outside.before outside
	[ "$(project show exp-run-1-iteration-3:work)" = z ]
}

@test "a FIFO as HEAD, config or branch of the agent's .git hangs nothing" {
	agents 'rm .git/HEAD; mkfifo .git/HEAD; echo x > work' 'rm .git/config; mkfifo .git/config; echo y > work' \
	    'mkfifo .git/refs/heads/run-1-iteration-3 .git/objects/info/alternates; echo z > work' 'git status'
	[ "$(project show exp-run-1-iteration-3:work)" = z ]
}

# ---- commits of the agent's --------------------------------------------------------

@test "commits of the agent's on top of the start are taken as they are" {
	agents 'echo one > one; git add one; git commit -qm Mine.; git rev-parse HEAD > "$SEEN"; echo two > two'
	[ "$(project log --format=%s main..$TIP)" = $'run 1, iteration 1: success\nMine.' ]
	[ "$(project rev-parse $TIP^)" = "$(cat seen)" ]
	[ "$(files one two)" = 'one two' ]
}

@test "commits are taken from where HEAD is, also on another branch or detached, and from nowhere else" {
	agents 'git checkout -q -b own; echo 1 > one; git add one; git commit -qm own' \
	    'git checkout -q --detach; echo 2 > two; git add two; git commit -qm detached' \
	    'git checkout -q -b own; echo 3 > three; git add three; git commit -qm left
		git checkout -q run-1-iteration-3; echo x > work'
	[ "$(project log --format=%s main..exp-run-1-iteration-3)" = $'run 1, iteration 3: success\nrun 1, iteration 2: success
detached\nrun 1, iteration 1: success\nown' ]
	[ "$(project ls-tree --name-only exp-run-1-iteration-3 one two three work | paste -sd ' ')" = 'one two work' ]
}

@test "a rewritten start, an orphan or an older commit is not taken, but its content is" {
	local n
	agents 'git commit -q --amend -m Amended; echo 1 > one; git add -A; git commit -qm mine' \
	    'GIT_COMMITTER_NAME=Other git rebase -q -f --root; echo 2 > two; git add -A; git commit -qm mine' \
	    'git checkout -q --orphan new; echo 3 > three; git add -A; git commit -qm mine' \
	    'git checkout -q --detach HEAD~; echo 4 > four'
	for n in 2 3 4; do
		[ "$(project rev-parse "exp-run-1-iteration-$n^@")" = "$(project rev-parse exp-run-1-iteration-$((n - 1)))" ]
	done
	alone
	[ "$(project ls-tree --name-only exp-run-1-iteration-4 one two three four | paste -sd ' ')" = 'four one two' ]
}

@test "work on a branch without a commit is taken" {
	agents 'git checkout -q --orphan nothing; echo x > work'
	[ "$(project rev-parse "$TIP^")" = "$BASE" ]
	[ "$(project show $TIP:work)" = x ]
}

@test "a replacement in the agent's .git does not make a foreign commit a descendant" {
	agents 'old=$(git rev-parse HEAD); new=$(echo other | git commit-tree "HEAD^{tree}")
		git replace --graft $new $old; git reset -q --soft $new; git merge-base --is-ancestor $old HEAD; echo x > work'
	alone
	[ "$(files work)" = work ]
}

@test "a commit with a malformed tree is not taken, but the work is" {
	agents 'blob=$(git hash-object -w main.py); tree=$(printf "100644 blob $blob\t.git\n" | git mktree)
		git update-ref HEAD "$(git commit-tree -p HEAD -m evil $tree)"; echo x > work'
	alone
	[ "$(files work)" = work ]
	project fsck --strict
}

# ---- what is committed of the work ---------------------------------------------------

@test "repositories that the agent makes inside become plain files, also if it commits them" {
	agents 'for d in sub sub/sub empty; do git init -q $d; echo x > $d/file; done
		git -C sub/sub add -A; git -C sub/sub commit -qm x; echo garbage > empty/.git/HEAD' \
	    'git init -q own; echo x > own/file; git -C own add -A; git -C own commit -qm x; git add -A; git commit -qm mine'
	[ "$(files sub empty)" = 'empty/file sub/file sub/sub/file' ]
	[ "$(project ls-tree -r --name-only exp-run-1-iteration-2 own)" = own/file ]
}

@test "work trees that the agent adds inside are not committed, also with a relative path" {
	agents 'git worktree add -q one; git worktree add -q sub/two
		echo gitdir: ../../.git/worktrees/two > sub/two/.git; git -C sub/two status; echo x > work'
	[ "$(files)" = '.gitignore bench/run.sh main.py work' ]
}

@test "ignored files are not committed, stay after a kept attempt and go with a discarded one" {
	agents 'echo 1 > a.o; echo 1 > work' '![ "$(cat a.o)" = 1 ]; mkdir b.o; : > b.o/c' '[ ! -e a.o ]; [ ! -e b.o ]'
	[ "$(files a.o work)" = work ]
	[ -z "$(project for-each-ref 'refs/cc-run-experiments/exp/run-1/*')" ]
}

@test "an ignored file that the agent commits is committed as the agent leaves it" {
	agents 'echo 1 > a.o; git add -f a.o; git commit -qm mine; echo 2 > a.o' '[ "$(cat a.o)" = 2 ]'
	[ "$(project show $TIP:a.o)" = 2 ]
}

@test "ignored files are removed before a measurement, those of a build stay for the next attempt" {
	agents 'cat b.o; echo 1 > a.o' '[ ! -e a.o ]; [ "$(cat b.o)" = built ]; echo 2 > a.o' -- --every-iteration \
	    --build 'echo built > b.o' -b b='[ ! -e a.o ] && echo runtime: 1ms'
	[ "$(cat "$OUT"/*--b.csv | grep -c ,1000)" = 3 ]
}

@test "what nobody may read or remove is committed, can be written afterwards, and goes with a discarded attempt" {
	unprivileged
	agents 'echo s > secret; chmod 0 secret; mkdir d; echo f > d/f; chmod 0 d; chmod 555 bench' \
	    '!echo t > secret; echo t > d/f; echo t > bench/new; mkdir -p d.o/e; : > d.o/e/f
		chmod 555 d.o/e d.o; chmod 0 bench; chmod 555 .' \
	    '[ ! -e d.o ]; [ -e bench/run.sh ]; echo x > new'
	[ "$(project show $TIP:secret $TIP:d/f | paste -sd ' ')" = 's f' ]
}

@test "FIFOs are removed and hang nothing" {
	agents 'mkfifo pipe bench/pipe; rm .gitignore main.py; mkfifo .gitignore main.py; echo x > work' '[ ! -e pipe ]'
	[ "$(files)" = 'bench/run.sh work' ]
}

@test "pipes and device files more than 96 directories deep are removed and hang nothing" {
	agents 'deep=$(printf %0120d 0 | sed s,0,d/,g); mkdir -p "$deep"; echo x > "${deep}f"
		mkfifo "${deep}.gitignore" "${deep}.gitattributes" "${deep}pipe"' 'git status'
	[ "$(project ls-tree -r --name-only $TIP d | grep -c /f)" = 1 ]
}

@test "sockets, device files and a FIFO in the place of .git are removed and hang nothing" {
	needs python3
	agents 'rm -rf .git; mkfifo .git; rm .gitignore main.py; echo x > work
		python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"main.py\")"
		[ "$(id -u)" != 0 ] || { mknod null c 1 3; mknod .gitignore c 1 5; mknod disk b 7 0; }' \
	    '[ "$(ls -A | paste -sd " ")" = ".git bench work" ]; git status'
	[ "$(files)" = 'bench/run.sh work' ]
}

@test "of names of 255 bytes and paths of 10,000 characters all that git can name is committed" {
	needs python3
	agents 'python3 -c "import os
open(\"n\" * 255, \"w\")
for i in range(45): os.mkdir(\"d\" * 250); os.chdir(\"d\" * 250); open(\"f\", \"w\")"' 'echo x > work'
	[ "$(project ls-tree -r --name-only $TIP | grep -c 'n\{255\}\|d\{250\}/f')" = 17 ]
	[ "$(files work)" = '' ]
}

@test "file names with newlines, invalid UTF-8 and signs are committed" {
	agents 'for name in "$(printf "new\nline")" "$(printf "\377\376")" -x ":(glob)*" "a	b" "*" "#x" " "; do
		echo x > "./$name"; done'
	[ "$(project ls-tree -z --name-only $TIP | tr -cd '\0' | wc -c)" = 11 ]
	[ "$(project show "$TIP:"$'\377\376')" = x ]
}

@test "directories 1,200 deep are committed, and deeper ones than a path can name are removed" {
	agents '!deep=$(printf %02100d 0 | sed s,0,d/,g); mkdir -p "a.o/$deep" "$TMPDIR/$deep"' \
	    '[ ! -e a.o ]; [ -z "$(ls -A "$TMPDIR")" ]
		deep=$(printf %01200d 0 | sed s,0,d/,g); mkdir -p "$deep"; echo x > "${deep}f"'
	[ "$(project ls-tree -r --name-only exp-run-1-iteration-2 d | tr -cd / | wc -c)" = 1200 ]
}

@test "files, links and directories may take each other's places" {
	agents 'rm -r bench; echo f > bench; rm main.py; mkdir main.py; echo f > main.py/f; ln -sf nowhere .gitignore' \
	    '!rm -r main.py; ln -s bench main.py; rm bench; mkdir bench; : > bench/x; rm .gitignore; mkdir .gitignore' \
	    '[ -z "$(git status --porcelain)" ]; [ "$(readlink .gitignore)" = nowhere ]; [ -f bench ]; [ -f main.py/f ]'
}

@test "a directory that is a link to the outside leads no reset and no removal there" {
	mkdir outside
	echo precious > outside/run.sh
	agents '!rm -r bench; ln -s "$OUTSIDE" bench; mkdir a.o; ln -s "$OUTSIDE" a.o/b
		ln -s "$OUTSIDE" "$TMPDIR/c"' '[ ! -L bench ]'
	[ "$(cat outside/run.sh)" = precious ]
	[ "$(ls outside)" = run.sh ]
	[ "$(project cat-file blob $ATTEMPT:bench)" = "$OUTSIDE" ]
}

@test "a copy that was removed or is a link to the outside leads nothing there and stops nothing for good" {
	local command
	mkdir outside
	echo precious > outside/file
	for command in 'rm -rf "$PWD"' 'mv "$PWD" "$PWD.moved"; ln -s "$OUTSIDE" "$PWD"'; do
		REHEARSAL_EDIT=$command run experiment -r 1 -i 1
		echo "$output"
		[ "$(cat outside/*)" = precious ]
		run -0 experiment -r 1 -i 1
		[ "$(ledger outcome | tail -n 1)" = success ]
		forget
	done
}

@test "a store that the agent removes, replaces or fills with pipes is made anew" {
	local how
	for how in 'rm -r ../store' 'rm -r ../store; ln -s "$OUTSIDE" ../store' 'rm ../store/info/alternates; mkfifo ../store/info/alternates' \
	    'mkfifo ../store/info/commit-graph' 'rm ../store/pack/*.idx; mkfifo ../store/pack/multi-pack-index' \
	    'mkdir "$OUTSIDE"; mv ../store "$OUTSIDE"; ln -s "$OUTSIDE/store" ../store'; do
		agents "$how; echo x > work" 'git fsck --full; git log -p'
		forget
	done
	[ "$(find outside -name '*.pack' | wc -l)" = 1 ]
}

@test "a directory of the copies that becomes a link to the outside leads no removal there" {
	mkdir -p outside/run-1
	echo precious > outside/run-1/file
	REHEARSAL_EDIT='cd ../..; mv "$PWD" "$OUTSIDE.moved"; ln -s "$OUTSIDE" "$PWD"' run -1 experiment -r 1 -i 1
	[ "$(cat outside/run-1/file)" = precious ]
	rm -r "$TMPDIR"/cc-run-experiments-*/*
	run -0 experiment -r 1 -i 1
}

@test "files that the agent mounts in the copy are not removed, and the runner ends with 1" {
	local place
	unshare -m true 2> /dev/null || skip 'no mount namespaces here'
	through unshare -m
	mkdir outside
	for place in '$TMPDIR/x' '"$PWD/a b.o"'; do
		echo precious > outside/file
		REHEARSAL_EDIT="echo x > work; mkdir $place; mount --bind \"\$OUTSIDE\" $place" run -1 experiment -r 1 -i 2
		echo "$output"
		[ "$(cat outside/file)" = precious ]
		forget
	done
}

@test "what the agent puts in the place of the runner's files leads nothing there and stops nothing for good" {
	local file how
	mkdir outside
	echo precious > outside/file
	for file in index config tmp; do
		for how in 'ln -s "$OUTSIDE" X' 'ln -s "$OUTSIDE/file" X' 'mkfifo X' 'mkdir -p X/x' 'echo garbage > X'; do
			REHEARSAL_EDIT="[ \$call != 1 ] || { rm -rf ../$file; ${how//X/../$file}; }; echo \$call > work" \
			    run experiment -r 1 -i 2
			echo "$file: $how: $status: $output"
			[ "$status" -le 1 ]
			[ "$(cat outside/*)" = precious ]
			run -0 experiment -r 1 -i 2
			[ "$(ledger finished | grep -c 1)" = 2 ]
			forget
		done
	done
}

@test "lines are counted although an attribute calls all files binary" {
	agents 'echo "* -diff" > .gitattributes; seq 10 > numbers'
	[ "$(ledger total_added)" = 11 ]
}

@test "a binary file is a changed file of no lines" {
	agents 'seq 3 > lines; printf "a\0b\n" > binary'
	[ "$(ledger files_changed) $(ledger total_added)" = '2 3' ]
}

@test "a file that git cannot add is named in a warning, and the others are committed" {
	project config filter.need.clean false
	project config filter.need.required true
	snapshot
	agents 'echo "*.x filter=need" > .gitattributes; echo x > a.x; echo y > work'
	[ "$(files a.x work)" = work ]
	[[ $output == *a.x* ]]
}

# ---- kinds of repositories, and of settings of the user's -------------------------------

@test "a submodule's directory is empty, its commit stays, and a warning tells of changes in it" {
	git init -q lib
	git -C lib commit -q --allow-empty -m lib
	project -c protocol.file.allow=always submodule --quiet add "$PWD/lib" lib
	commit
	agents '[ -z "$(ls -A lib)" ]; echo x > work' 'echo x > lib/x; echo x >> work'
	[ "$(project ls-tree exp-run-1-iteration-2 lib)" = "$(project ls-tree main lib)" ]
	[ "$(files work)" = work ]
	[[ $output == *lib*submodule* || $output == *submodule*lib* ]]
}

@test "a submodule that --setup makes is there in each fresh copy, and never changed for good" {
	git init -q lib
	mkdir lib/sub
	echo one > lib/sub/file
	git -C lib add -A
	git -C lib commit -qm lib
	project -c protocol.file.allow=always submodule --quiet add "$PWD/lib" lib
	commit
	agents '!echo two > lib/sub/file; echo new > lib/new; echo x > work' \
	    '[ "$(cat lib/sub/file)" = one ]; [ ! -e lib/new ]; [ ! -e lib/.git ]; echo three > lib/sub/file; echo y > work' \
	    -- --setup 'git -c protocol.file.allow=always submodule --quiet update --init' \
	    -b 'a=cat lib/sub/file; echo runtime: 1ms'
	[[ $output == *lib*submodule* || $output == *submodule*lib* ]]
	[ "$(project ls-tree exp-run-1-iteration-2 lib)" = "$(project ls-tree main lib)" ]
	[ "$(head -n 1 "$OUT"/exp--run-1--iteration-[02]--a.log | grep -cx one)" = 2 ]
}

@test "a filter that only the user's repository knows acts in the copy" {
	project config filter.up.clean 'tr A-Z a-z'
	project config filter.up.smudge 'tr a-z A-Z'
	echo '*.up filter=up' > "$PROJECT/.gitattributes"
	echo WORD > "$PROJECT/a.up"
	commit
	agents '[ "$(cat a.up)" = WORD ]; [ -z "$(git status --porcelain)" ]; echo NEW > b.up'
	[ "$(project show $TIP:a.up $TIP:b.up | paste -sd ' ')" = 'word new' ]
	[ "$(ledger files_changed)" = 1 ]
}

@test "a baseline whose required filter is missing ends before claude is called" {
	echo '*.x filter=gone' > "$PROJECT/.gitattributes"
	echo x > "$PROJECT/a.x"
	commit
	project config filter.gone.smudge /no/such/filter
	project config filter.gone.required true
	snapshot
	run experiment -r 1 -i 1
	[ "$status" = 1 ] || [ "$status" = 2 ]
	[[ $output == */no/such/filter* ]]
	[ "$(calls)" = 0 ]
}

@test "a shallow repository, and one that borrows its objects, work" {
	local kind
	echo x > "$PROJECT/x"
	commit
	for kind in '--depth 1' --shared; do
		eval "git clone -q $kind 'file://$BATS_TEST_TMPDIR/project' 'clone$kind'"
		other_repository "clone$kind"
		agents 'git fsck; git log --format=%s >> "$SEEN"; echo x > work; git add -A; git commit -qm mine' 'echo y > work'
		project fsck --strict
		[ "$(project log --format=%s main..exp-run-1-iteration-2 | wc -l)" = 3 ]
		rm -r "$OUT" "$REHEARSAL_STATE"
	done
	[ "$(paste -sd ' ' seen)" = 'more more baseline' ]
}

@test "a repository with SHA-256 works and its ids are whole" {
	git init -q --object-format=sha256 long
	cp "$PROJECT/main.py" long
	git -C long add -A
	git -C long commit -qm long
	other_repository long
	agents 'echo x > work; git add -A; git commit -qm mine; git fsck' '!echo y > work'
	[[ $(ledger base_commit | head -n 1) =~ ^[0-9a-f]{64}$ ]]
	[ "$(ledger commit | head -n 1)" = "$(project rev-parse $TIP)" ]
}

@test "of a sparse checkout the copy has the whole commit" {
	mkdir "$PROJECT/src" "$PROJECT/docs"
	echo x | tee "$PROJECT/src/x" > "$PROJECT/docs/x"
	commit
	project sparse-checkout set src
	snapshot
	agents '[ -e docs/x ]; echo new > docs/new'
	[ "$(files docs)" = 'docs/new docs/x' ]
	[ ! -e "$PROJECT/docs" ]
}

@test "a linked work tree, also of a bare repository, can be the directory" {
	project worktree add -q --detach ../linked
	git clone -q --bare "$PROJECT" bare.git
	git -C bare.git worktree add -q ../tree main
	snapshot
	run -0 ccre --no-plugin -o "$OUT" -r 1 -i 1 linked exp
	[ "$(files)" = '.gitignore bench/run.sh main.py rehearsal.txt' ]
	[ -e "$PROJECT/.git/cc-run-experiments.lock" ]
	run -0 ccre --no-plugin -o other -r 1 -i 1 tree exp
	[ "$(git -C bare.git show $TIP:rehearsal.txt)" = 'call 2' ]
	[ -z "$(git --no-optional-locks -C linked status --porcelain)$(git -C tree status --porcelain)" ]
}

@test "a bare repository can be the directory, but not in-place" {
	git clone -q --bare "$PROJECT" bare.git
	run -2 ccre --in-place --no-plugin -o other -r 1 -i 1 bare.git exp
	PROJECT=$PWD/bare.git
	snapshot
	run -0 experiment -r 1 -i 1
	[ "$(files)" = '.gitignore bench/run.sh main.py rehearsal.txt' ]
}

@test "a repository of another owner is refused in git's own words" {
	[ "$(id -u)" = 0 ] || skip 'only root can give files away'
	chown -R 65534 "$PROJECT"
	run -2 experiment -r 1 -i 1
	[[ $output == *'dubious ownership'* ]]
	[ "$(calls)" = 0 ]
	chown -R 0 "$PROJECT"
}

@test "the user's hooks do not run" {
	local hook
	mkdir -p "$PROJECT/.git/hooks"
	for hook in pre-commit post-commit post-checkout post-index-change reference-transaction pre-auto-gc; do
		printf '#!/bin/sh\n: > "%s"\nexit 1\n' "$SEEN" > "$PROJECT/.git/hooks/$hook"
		chmod +x "$PROJECT/.git/hooks/$hook"
	done
	snapshot
	agents 'echo x > work; git add -A; git commit -qm mine' '!echo y > work' -- --protect bench -b b='echo runtime: 1ms'
	[ ! -e seen ]
}

@test "settings of the user's that change git's output or files do no harm" {
	local setting
	for setting in core.splitIndex=true feature.manyFiles=true core.fsmonitor=true core.autocrlf=input core.fileMode=false \
	    core.bare=false core.checkStat=minimal core.quotePath=false \
	    diff.noprefix=true diff.renames=copies color.ui=always status.short=true \
	    i18n.commitEncoding=ISO-8859-1 core.abbrev=4 commit.cleanup=scissors submodule.recurse=true log.showSignature=true; do
		project config "${setting%%=*}" "${setting#*=}"
	done
	snapshot
	agents 'echo "gr$(printf "\303\274")n" > work; git mv main.py moved.py' '!echo y > work' -- --protect bench
	[ "$(files)" = '.gitignore bench/run.sh moved.py work' ]
	[ "$(ledger files_changed | head -n 1)" = 3 ]
}

# before_git: from now on each git does first what stdin says. $REAL_GIT is git.
before_git() {
	{ echo '#!/bin/sh'; cat; echo 'exec "$REAL_GIT" "$@"'; } > bin/git
	export REAL_GIT
	REAL_GIT=$(PATH=${PATH#*:} command -v git)
	chmod +x bin/git
}

@test "objects are synced before a row tells of them" {
	before_git <<-'END'
		case " $* " in
		*' add '* | *' commit-tree '* | *' write-tree '* | *' unpack-objects '*)
			echo "$*: $("$REAL_GIT" config core.fsync)" >> "$SEEN" ;;
		esac
	END
	agents 'echo x > work; "$REAL_GIT" add -A; "$REAL_GIT" commit -qm mine; echo y > work'
	[ "$(grep -c . seen)" -ge 4 ]
	run ! grep -v 'loose-object\|committed\|all' seen
}

@test "a git before 2.36 is told to sync objects by the setting that it knows" {
	before_git <<-'END'
		case " $* " in
		' version ') echo git version 2.35.1; exit ;;
		*' add '* | *' commit-tree '* | *' write-tree '*)
			echo "$("$REAL_GIT" config core.fsyncObjectFiles)" >> "$SEEN" ;;
		esac
	END
	agents 'echo x > work'
	[ "$(sort -u seen)" = true ]
}

# git_processes: how many git processes one more iteration takes.
git_processes() {
	local m
	before_git <<< 'echo "$*" >> "$SEEN-$M"'
	for m in 2 3; do
		M=$m ccre --no-plugin -q -r 1 -i $m -o "$OUT" "$PROJECT" "exp$m"
	done
	rm bin/git
	echo $(($(wc -l < seen-3) - $(wc -l < seen-2)))
}

@test "a successful iteration takes eight git processes at most" {
	run -0 git_processes
	echo "$output"
	[ "$output" -le 8 ]
	[ "$output" -ge 3 ]
}

# ---- TMPDIR, its parents and its space ----------------------------------------------------

@test "a directory of ours in TMPDIR that is a link or another user's is refused" {
	local ours
	ours=$TMPDIR/cc-run-experiments-$(id -u)
	mkdir -m 700 outside
	ln -s "$OUTSIDE" "$ours"
	run -2 experiment -r 1 -i 1
	[[ $output == *"$ours"* ]]
	rm "$ours"
	mkdir -m 777 "$ours"
	chown 65534 "$ours" 2> /dev/null || chmod 777 "$ours"
	run -2 experiment -r 1 -i 1
	[ -z "$(ls -A outside)$(ls -A "$ours")" ]
	rmdir "$ours"
}

@test "instructions for claude above the copy are refused, each by its path" {
	local name
	for name in CLAUDE.md CLAUDE.local.md AGENTS.md .claude/CLAUDE.md .claude/rules .mcp.json; do
		mkdir -p "$(dirname "$TMPDIR/$name")"
		if [ "$name" = .claude/rules ]; then mkdir "$TMPDIR/$name"; : > "$TMPDIR/$name/a.md"; else echo x > "$TMPDIR/$name"; fi
		run -2 experiment -r 1 -i 1
		echo "$name: $output"
		[[ $output == *"$TMPDIR/$name"*TMPDIR* ]]
		rm -r "${TMPDIR:?}/$name"
	done
	[ "$(calls)" = 0 ]
	rmdir "$TMPDIR/.claude"
}

@test "instructions for claude in our own directories are removed with a warning, others stop the experiment" {
	REHEARSAL_EDIT='case $call in
		1) echo x > ../CLAUDE.md; mkdir -p ../../.claude/rules; : > ../../.claude/rules/a.md; echo x > ../../../.mcp.json ;;
		2) ls -A .. ../../.claude ../../../.mcp.json > "$SEEN" 2>&1; echo x > ../../../../CLAUDE.md ;; esac; echo $call > work' \
	    run -1 experiment -r 1 -i 3
	[[ $output == *CLAUDE.md*.mcp.json*"$TMPDIR/CLAUDE.md"* || $output == *.mcp.json*CLAUDE.md*"$TMPDIR/CLAUDE.md"* ]]
	run ! grep -e '^CLAUDE.md' -e '^rules' -e '^[./]*mcp.json$' seen
	[ "$(ledger outcome | paste -sd ' ')" = 'success success' ]
	[ "$(calls)" = 2 ]
	rm "$TMPDIR/CLAUDE.md"
}

# small DIRECTORY SIZE: from here on the program has a file system of that size there.
small() {
	unshare -m true 2> /dev/null || skip 'no mount namespaces here'
	mkdir -p "$1"
	printf '#!/bin/sh\nmount -t tmpfs -o size=%s tmpfs "%s" && exec "%s" "$@"\n' "$2" "$1" "$CCRE" > small
	chmod +x small
	CCRE=$PWD/small
	through unshare -m
}

@test "less than 64 MB in TMPDIR or the output directory is refused before claude is called" {
	local program=$CCRE place
	for place in "$TMPDIR" "$OUT"; do
		CCRE=$program
		small "$place" 32m
		run -1 experiment -r 1 -i 1
		[[ $output == *"$place"* ]]
		[ "$(calls)" = 0 ]
	done
}

@test "an attempt that fills the disk is not recorded, and the next start goes on" {
	local program=$CCRE
	small "$TMPDIR" 100m
	REHEARSAL_EDIT='head -c 60000000 /dev/zero > "$TMPDIR/big"; echo x > work; mv "$TMPDIR/big" .' run -1 experiment -r 1 -i 1
	[[ $output == *"$TMPDIR"* ]]
	[ "$(ledger outcome)" = '' ]
	CCRE=$program
	run -0 experiment -r 1 -i 1
	[ "$(ledger outcome | paste -sd ' ')" = 'interrupted success' ]
}

@test "a benchmark that fails on a full disk is not recorded, and is measured by the next start" {
	local program=$CCRE
	small "$TMPDIR" 100m
	set -- -r 1 -i 1 -b b='[ ! -e rehearsal.txt ] || head -c 120000000 /dev/zero > "$TMPDIR/big" && echo runtime: 1ms'
	run -1 experiment "$@"
	[[ $output == *"$TMPDIR"* ]]
	[ ! -e "$OUT/exp--run-1--iteration-1--b.csv" ]
	CCRE=$program
	run -0 experiment "$@"
	[ "$(tail -n 1 "$OUT/exp--run-1--iteration-1--b.csv")" = exp,1,1,1,1000 ]
}
