# What every test has: a project under git, an output directory beside it, the
# rehearsal claude first on PATH; and what must hold after every test.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export HOME=$BATS_TEST_TMPDIR/home TMPDIR=$BATS_TEST_TMPDIR/tmp
	export PROJECT=$BATS_TEST_TMPDIR/project OUT=$BATS_TEST_TMPDIR/out
	export REHEARSAL_STATE=$BATS_TEST_TMPDIR/calls IS_SANDBOX=1 LC_ALL=C
	unset CC_CLAUDE CC_PLUGIN_DIR REHEARSAL REHEARSAL_EDIT CLAUDECODE XDG_CONFIG_HOME
	cp -a "$CCRE_BUILD/template/." .
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	BASE=$CCRE_BASE
	export BASE
}

teardown() {
	checks
}

# checks: no leftover process, nothing of the user's touched. For the teardown
# of a file that has its own.
checks() {
	local status=0
	no_survivors || status=1
	untouched || status=1
	return $status
}

# ccre ARGUMENT...: the program, its processes marked as this test's. If it hangs
# it is killed in time for the test to fail.
ccre() {
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE_TIMEOUT" --foreground -s KILL \
	    $((${BATS_TEST_TIMEOUT:-60} * 3 / 4)) "$CCRE" "$@"
}

# experiment OPTION...: experiment "exp" without the plugin on the project.
experiment() {
	ccre --no-plugin -o "$OUT" "$@" "$PROJECT" exp
}

# quick OPTION...: the same with waiting times of one second.
quick() {
	CCRE=$CCRE_QUICK experiment "$@"
}

# project GIT-ARGUMENT...: git in the project; reading leaves the index alone.
project() {
	git --no-optional-locks -C "$PROJECT" "$@"
}

# compile SOURCE PROGRAM: compile as the suite's programs were.
compile() {
	sh "$CCRE_ROOT/tests/check" compile "$@"
}

# sanitized: are the programs built with a sanitizer?
sanitized() {
	[[ ${CHECK_CFLAGS-} == *-fsanitize* ]]
}

# unsanitized: use the programs without sanitizers from here on.
unsanitized() {
	! sanitized || CCRE=$CCRE_BUILD/unsanitized/plain \
	    CCRE_QUICK=$CCRE_BUILD/unsanitized/quick
}

# no_emulator WHAT: skip if qemu-user runs the program and lacks WHAT.
no_emulator() {
	[ -z "${CHECK_EMULATOR-}" ] || skip "qemu-user lacks $1"
}

# needs PROGRAM...: skip if one is not installed.
needs() {
	local program
	for program; do
		command -v "$program" > /dev/null || skip "no $program"
	done
}

# ended STATUS PID: a child of this shell ends with that status.
ended() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

# alive PID: the process exists and is no zombie.
alive() {
	grep -q '^State:.*[RSDTt] (' "/proc/$1/status" 2> /dev/null
}

# no_survivors: no process that this test's ccre started is alive, not even for
# a moment. Zombies are not alive.
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

# no_survivors_yet: no such process exists. It ends nothing. (With -q
# grep finds one even if others vanish meanwhile.)
no_survivors_yet() {
	! grep -qszxF "CC_TEST_ID=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ
}

# The state of the user's repository, see untouched.
SNAPSHOT=${BATS_TEST_TMPDIR-}/snapshot

# state PROJECT [TMPDIR]: what a run must not change, a line for each file: those
# of the work tree and of the git directory, with size, time, mode and target.
# Left out are objects, the refs and logs of our branches, and our lock files.
# It is one process, because it runs after every test.
state() {
	[ -d "$1/.git" ] || set -- "$@" \
	    "$(git -C "$1" rev-parse --path-format=absolute --git-common-dir)"
	find "$@" \( -type d -name objects \
	    -o -path '*/refs/cc-run-experiments' \
	    -o -path '*/refs/heads/*-run-*-iteration-*' \
	    -o -name cc-run-experiments.lock -size 0 -o -name packed-refs \
	    -o -path "*/cc-run-experiments-$UID/measure" \) -prune -o \
	    ! -type d -printf '%P %s %T@ %m %l\n' -o \
	    -path "$BATS_TEST_TMPDIR/tmp/*" ! -name "cc-run-experiments-$UID" \
	    -printf 'TMPDIR/%P\n' | sort
}

# snapshot: remember the state of the project. A test that changes the project
# on purpose calls it again; setup has the snapshot of the template.
snapshot() {
	echo "$PROJECT" > "$SNAPSHOT.project"
	state "$PROJECT" > "$SNAPSHOT"
}

# untouched: the project is as it was at the last snapshot, except for our refs,
# and $TMPDIR holds nothing but our lock file.
untouched() {
	local now project=$BATS_TEST_TMPDIR/project
	[ ! -e "$SNAPSHOT.project" ] || project=$(< "$SNAPSHOT.project")
	now=$(state "$project" "$BATS_TEST_TMPDIR/tmp")
	[ "$now" != "$(< "$SNAPSHOT")" ] || return 0
	echo "$project or TMPDIR was touched:"
	diff "$SNAPSHOT" - <<< "$now"
	return 1
}

# scene NAME < SCRIPT: a scene for the rehearsal claude; put $SCENE/NAME into
# REHEARSAL. Its functions are init, assistant, limit, result and edit.
SCENE=${BATS_TEST_TMPDIR-}/scenes
scene() {
	cat > "$SCENE/$1"
}

# ledger COLUMN: that column of the ledger, one line per attempt. (No field has a
# comma. Here and below the shell does it, because processes take the time.)
ledger() {
	local at=0 row
	{
		IFS=, read -ra row
		while [ "${row[at]}" != "$1" ]; do
			at=$((at + 1))
		done
		while IFS=, read -ra row; do
			printf '%s\n' "${row[at]-}"
		done
	} < "$OUT/exp--iterations.csv"
}

# forget: the project, the output directory and TMPDIR know of no experiment.
forget() {
	project for-each-ref --format='delete %(refname)' \
	    refs/cc-run-experiments 'refs/heads/exp-*' | project update-ref --stdin
	rm -rf "$OUT" "$REHEARSAL_STATE"
	forget_copies
}

# forget_copies: remove the copies that a killed runner left.
forget_copies() {
	chmod -R u+rwX "$TMPDIR"
	rm -rf "${TMPDIR:?}"/*
}

# calls: how often claude was called.
calls() {
	local lines=()
	[ ! -e "$REHEARSAL_STATE" ] || mapfile -t lines < "$REHEARSAL_STATE"
	echo "${#lines[@]}"
}

# wait_until SECONDS COMMAND...: poll; fail when the time is over.
wait_until() {
	local end=$((SECONDS + $1)) nap
	shift
	[ -p "$BATS_TEST_TMPDIR/nap" ] || mkfifo "$BATS_TEST_TMPDIR/nap"
	exec {nap}<> "$BATS_TEST_TMPDIR/nap"	# to sleep without a process
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { echo "waited in vain: $*"; return 1; }
		read -rt 0.05 -u "$nap" || :
	done
	exec {nap}>&-
}

# unprivileged COMMAND...: as root without capabilities, to whom file modes
# apply as to any user. (A second user cannot enter the test's directory.)
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		export -f ccre experiment
		export CCRE
		setpriv --inh-caps=-all --bounding-set=-all bash -c '"$@"' - "$@"
	else
		"$@"
	fi
}
