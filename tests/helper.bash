# What every test has: a project under git, an output directory beside it, the
# rehearsal claude first on PATH, and the promise that no process survives.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR/home TMPDIR=$BATS_TEST_TMPDIR/tmp
	export PROJECT=$BATS_TEST_TMPDIR/project OUT=$BATS_TEST_TMPDIR/out
	export REHEARSAL_STATE=$BATS_TEST_TMPDIR/calls IS_SANDBOX=1 LC_ALL=C
	unset CC_CLAUDE CC_PLUGIN_DIR REHEARSAL REHEARSAL_EDIT CLAUDECODE XDG_CONFIG_HOME
	cp -a "$CCRE_TEMPLATE/." .
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	BASE=$CCRE_BASE
	export BASE
}

teardown() {
	no_survivors
}

# ccre ARGUMENT...: the program, its processes marked as this test's.
ccre() {
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE" "$@"
}

# experiment OPTION...: experiment "exp" without the plugin on the project.
experiment() {
	ccre --no-plugin -o "$OUT" "$@" "$PROJECT" exp
}

# quick OPTION...: the same with waiting times of a second.
quick() {
	CCRE=$CCRE_QUICK experiment "$@"
}

# project GIT-ARGUMENT...: git in the project.
project() {
	git -C "$PROJECT" "$@"
}

# unsanitized: both programs without sanitizers, for what those do not bear.
unsanitized() {
	[ "${CHECK_BUILD-}" = sanitized ] || return 0
	mkdir unsanitized
	CHECK_CFLAGS=-O0 build "$CCRE_ROOT/cc-run-experiments.c" "$PWD/unsanitized/cc-run-experiments"
	CHECK_CFLAGS=-O0 build "$CCRE_QUICK.c" "$PWD/unsanitized/quick"
	CCRE=$PWD/unsanitized/cc-run-experiments CCRE_QUICK=$PWD/unsanitized/quick
}

# no_emulator WHAT: the test is not for a program that qemu-user runs, which lacks it.
no_emulator() {
	[ -z "${CHECK_EMULATOR-}" ] || skip "qemu-user lacks $1"
}

# ended STATUS PID: a child of this shell ends with that status.
ended() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

# alive PID: it is there, and no zombie.
alive() {
	grep -q '^State:.*[RSDTt] (' "/proc/$1/status" 2> /dev/null
}

# no_survivors: nothing that this test's ccre started is alive, not even for
# a moment; zombies that nobody reaps are not alive.
no_survivors() {
	local environ pid found=0
	# shellcheck disable=SC2013 # these names have no blanks
	for environ in $(grep -lszxF "CC_TEST_ID=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ); do
		pid=${environ#/proc/} pid=${pid%/environ}
		alive "$pid" || continue
		echo "survived: $(tr '\0' ' ' < "/proc/$pid/cmdline")"
		kill -KILL "$pid"
		found=1
	done
	return $found
}

# scene NAME < SCRIPT: a scene for the rehearsal claude; put $SCENE/NAME into
# REHEARSAL. Its functions are init, assistant, limit, result and edit.
SCENE=$BATS_TEST_TMPDIR/scenes
scene() {
	cat > "$SCENE/$1"
}

# ledger COLUMN [FILTER]: that column of the ledger, one line per attempt.
ledger() {
	awk -F, -v name="$1" '
	    NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
	    { print $column }' "$OUT/exp--iterations.csv"
}

# forget: the project and the output directory know of no experiment.
forget() {
	project for-each-ref --format='delete %(refname)' refs/cc-run-experiments 'refs/heads/exp-*' |
	    project update-ref --stdin
	rm -rf "$OUT" "$REHEARSAL_STATE"
}

# calls: how often claude was called.
calls() {
	if [ -e "$REHEARSAL_STATE" ]; then
		wc -l < "$REHEARSAL_STATE"
	else
		echo 0
	fi
}

# wait_until SECONDS COMMAND...: polls; fails when the time is over.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { echo "waited in vain: $*"; return 1; }
		sleep 0.05
	done
}

# house_is_clean: the user's branch, index and tree are as at the start.
house_is_clean() {
	[ "$(git -C "$PROJECT" symbolic-ref HEAD)" = refs/heads/main ]
	[ "$(git -C "$PROJECT" rev-parse main)" = "$BASE" ]
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
	[ -z "$(find "$PROJECT/.git" -name "cc-run-experiments*" ! -path "*/refs/*" ! -path "*/logs/*")" ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

# unprivileged COMMAND...: root without capabilities, who owns all here and to
# whom file modes apply as to any user. (A second user id could not enter the
# test's directory.)
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		export -f ccre experiment
		export CCRE
		setpriv --inh-caps=-all --bounding-set=-all bash -c '"$@"' - "$@"
	else
		"$@"
	fi
}
