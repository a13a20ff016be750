# Processes (design section 5) and the first promise: nothing survives.
#
# The witness of a scene is a lock on a descriptor that all its processes
# inherit: as long as one of them lives, whatever it did to its parent, its
# session and its environment, the lock is held.

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2030,SC2031 # each test is a subshell, and meant to be
# shellcheck disable=SC2034 # BASE is read by helper.bash
# shellcheck disable=SC2154 # run assigns status and output
load helper

export WITNESS=$BATS_TEST_TMPDIR/witness	# locked by who must not survive
export AT_WORK=$BATS_TEST_TMPDIR/at-work	# made by a scene that is there
export CREATURE=$BATS_FILE_TMPDIR/creature

setup_file() {
	export BATS_TEST_TIMEOUT=60		# a hang is a failure
	creature_source > "$BATS_FILE_TMPDIR/creature.c"
	cc -O2 -pthread -o "$BATS_FILE_TMPDIR/creature" \
	    "$BATS_FILE_TMPDIR/creature.c"
}

teardown() {
	local left=0
	[ ! -e "$WITNESS" ] || nobody_left || left=1
	no_survivors
	return $left
}

# What a shell cannot do: leftovers of the nastier kind, and a parent that
# sees by what a runner died.
creature_source() {
	cat <<'C'
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static time_t end;
static volatile pid_t *ring;
enum { RING = 4 };

static void ring_member(int i)	/* who dies is started again by the others */
{
	int k;
	pid_t p;

	setsid();
	for (ring[i] = getpid(); time(NULL) < end; usleep(100))
		for (k = 0; k < RING; k++)
			if ((p = ring[k]) > 0 && kill(p, 0) != 0 &&
			    __sync_bool_compare_and_swap(&ring[k], p, 0) &&
			    fork() == 0)
				ring_member(k);
	_exit(0);
}

static void *thread(void *arg)
{
	(void)arg;
	sleep(1000);
	return NULL;
}

/* run FILE COMMAND...: how it ended goes to FILE, its pid to FILE.pid */
static int run(char **argv)
{
	int status, signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT }, i;
	char name[4096];
	struct rusage u;
	FILE *f;
	pid_t pid = fork();

	if (pid == 0) {
		for (i = 0; i < 4; i++)
			signal(signals[i], SIG_DFL);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	snprintf(name, sizeof name, "%s.pid", argv[0]);
	f = fopen(name, "w");
	fprintf(f, "%ld\n", (long)pid);
	fclose(f);
	wait4(pid, &status, 0, &u);
	snprintf(name, sizeof name, "%s.new", argv[0]);
	f = fopen(name, "w");
	fprintf(f, WIFSIGNALED(status) ? "signal %d\n" : "exit %d\n",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fclose(f);
	return rename(name, argv[0]);
}

int main(int argc, char **argv)
{
	const char *what = argv[1];
	sigset_t set;
	pthread_t t;
	int i;

	end = time(NULL) + 5;
	if (strcmp(what, "run") == 0)
		return run(argv + 2);
	if (strcmp(what, "with") == 0) {	/* iN ignored, bN blocked */
		sigemptyset(&set);
		for (i = 2; strcmp(argv[i], "--") != 0; i++)
			if (argv[i][0] == 'i')
				signal(atoi(argv[i] + 1), SIG_IGN);
			else
				sigaddset(&set, atoi(argv[i] + 1));
		sigprocmask(SIG_BLOCK, &set, NULL);
		execvp(argv[i + 1], argv + i + 1);
		return 127;
	}
	if (strcmp(what, "zombies") == 0) {	/* never waits for its own */
		for (i = 0; i < atoi(argv[2]); i++)
			if (fork() == 0)
				_exit(0);
		return puts("they are there") == EOF || fflush(stdout) != 0 ||
		    sleep(1000);
	}
	if (fork() != 0) {			/* time to get going */
		usleep(100000);
		return 0;
	}
	if (strcmp(what, "comet") == 0) {	/* never the same pid for long */
		while (time(NULL) < end) {
			if (fork() > 0)
				_exit(0);
			setsid();
		}
	} else if (strcmp(what, "ring") == 0) {
		signal(SIGCHLD, SIG_IGN);
		ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		for (i = 0; i < RING; i++)
			if (fork() == 0)
				ring_member(i);
	} else if (strcmp(what, "threads") == 0) {	/* its first has ended */
		setsid();
		pthread_create(&t, NULL, thread, NULL);
		pthread_exit(NULL);
	}
	return 0;
}
C
}

# needs COMMAND...: skips where one of them is missing.
needs() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "there is no $command here"
	done
}

linux_only() {
	[ "$(uname -s)" = Linux ] || skip "what left its group is ended on Linux only"
	needs flock
}

# witnessed NAME < SCRIPT: a scene whose every process holds the witness.
witnessed() {
	{ echo 'exec 9>> "$WITNESS"; flock 9'; cat; } | scene "$1"
}

# nobody_left: the witness was there, and no process of it lives. If not, it
# is shown and ended.
nobody_left() {
	local fd pid
	[ -e "$WITNESS" ]
	! flock -n "$WITNESS" true || return 0
	for fd in /proc/[0-9]*/fd/9 /proc/[0-9]*/task/[0-9]*/fd/9; do
		[ "$fd" -ef "$WITNESS" ] || continue
		pid=${fd#/proc/}
		pid=${pid%%/*}
		echo "survived: $pid $(tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline")"
		kill -KILL "$pid" || true
	done
	echo "the witness is still held"
	return 1
}

# begin OPTION...: the quick experiment (or, with PROGRAM set, that one) in
# the background, below the command in the array "under"; RUNNER is its pid.
under=()
begin() {
	rm -f "$BATS_TEST_TMPDIR/ended" "$BATS_TEST_TMPDIR/ended.pid"
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CREATURE" run "$BATS_TEST_TMPDIR/ended" \
	    "${under[@]}" "${PROGRAM:-$CCRE_QUICK}" --no-plugin -o "$OUT" "$@" \
	    "$PROJECT" "${PREFIX:-exp}" \
	    > "$BATS_TEST_TMPDIR/said.out" 2> "$BATS_TEST_TMPDIR/said" 3>&- &
	PARENT=$!
	wait_until 10 test -s "$BATS_TEST_TMPDIR/ended.pid"
	RUNNER=$(cat "$BATS_TEST_TMPDIR/ended.pid")
}

# finish [SECONDS]: it ends by then; ENDED is "exit N" or "signal N".
finish() {
	wait_until "${1:-30}" test -s "$BATS_TEST_TMPDIR/ended" || {
		echo "the runner hangs, and is killed"
		cat "$BATS_TEST_TMPDIR/said"
		kill -KILL "$RUNNER"
		wait "$PARENT"
		return 1
	}
	wait "$PARENT"
	ENDED=$(cat "$BATS_TEST_TMPDIR/ended")
	cat "$BATS_TEST_TMPDIR/said"
	echo "ended: $ENDED"
}

# at_work: a scene or a benchmark has come to where it waits.
at_work() {
	wait_until 20 test -e "$AT_WORK"
}

# kept ATTEMPT: the file that this attempt of run 1 left, out of sight.
kept() {
	git -C "$PROJECT" show "refs/cc-run-experiments/exp/run-1/$1:rehearsal.txt"
}

# csv_lines FILE: how many lines it has, its header among them.
csv_lines() {
	wc -l < "$OUT/$1"
}

# ---- however claude ends --------------------------------------------------

@test "a claude that is deaf to TERM is killed when its grace is over" {
	REHEARSAL=stubborn run -124 quick -r 1 -i 1 --retries 0 \
	    --iteration-timeout 1
	[ "$(ledger outcome)" = timeout ]
	[ "$(ledger exit_status)" = 137 ]
	house_is_clean
}

@test "a stopped claude is told to end, and goes on so that it can" {
	scene stops <<-'X'
		init; edit; kill -STOP $$
		result false success 'nobody woke me'
	X
	REHEARSAL=$SCENE/stops run -124 quick -r 1 -i 1 --retries 0 \
	    --iteration-timeout 1
	[ "$(ledger outcome)" = timeout ]
	[ "$(ledger exit_status)" = 143 ]
	house_is_clean
}

@test "a stopped claude that is deaf to TERM as well is killed" {
	scene stops <<-'X'
		trap '' TERM
		init; edit; kill -STOP $$
		while :; do sleep 1; done
	X
	REHEARSAL=$SCENE/stops run -124 quick -r 1 -i 1 --retries 0 \
	    --iteration-timeout 1
	[ "$(ledger exit_status)" = 137 ]
	house_is_clean
}

@test "a claude that is killed or crashes is a failure, not a timeout" {
	scene crash <<-'X'
		init; edit; ulimit -c 0; kill -SEGV $$
	X
	REHEARSAL="die success $SCENE/crash success" quick -r 1 -i 4
	[ "$(ledger outcome | tr '\n' ' ')" = "failure success failure success " ]
	[ "$(ledger exit_status | tr '\n' ' ')" = "137 0 139 0 " ]
	house_is_clean
}

@test "a claude that exits with 124 or 137 by itself has not timed out" {
	scene cut <<-'X'
		init; edit; exit 124
	X
	scene error <<-'X'
		init; edit; result true success 'API Error: 500'; exit 137
	X
	scene well <<-'X'
		init; edit; result false success 'all is well'; exit 124
	X
	REHEARSAL="$SCENE/cut $SCENE/well $SCENE/error $SCENE/well" quick -r 1 -i 4
	[ "$(ledger outcome | tr '\n' ' ')" = "failure success failure success " ]
	[ "$(ledger exit_status | tr '\n' ' ')" = "124 124 137 124 " ]
}

@test "a claude that ends its whole process group ends itself alone" {
	scene group <<-'X'
		init; edit; sleep 1000 & kill -TERM 0; sleep 1000
	X
	REHEARSAL="$SCENE/group success" quick -r 1 -i 2
	[ "$(ledger outcome | tr '\n' ' ')" = "failure success " ]
	[ "$(ledger exit_status | tr '\n' ' ')" = "143 0 " ]
}

# ---- nothing survives -----------------------------------------------------

# left_behind [COUNT]: the scene "left" has left somebody behind after its
# success: gone before the benchmark, and the ledger counts COUNT of them.
left_behind() {
	local command='[ ! -e rehearsal.txt ] || flock -n "$WITNESS" true'
	export REHEARSAL=$SCENE/left
	begin -r 1 -i 1 -b "alone=$command"
	finish
	nobody_left
	[ "$ENDED" = "exit 0" ]
	[ "$(ledger outcome)" = success ]
	[ -z "${1-}" ] || [ "$(ledger survivors)" = "$1" ]
	[ "$(ledger survivors)" -gt 0 ]
	[ "$(csv_lines exp--run-1--iteration-1--alone.csv)" = 2 ]
	house_is_clean
}

@test "a process that holds claude's output open is not waited for, but ended" {
	linux_only
	witnessed left <<-'X'
		init; edit; result false success 'I am done'; sleep 1000 &
	X
	left_behind 1
}

@test "a daemon in a session of its own, forked twice, does not survive" {
	linux_only
	witnessed left <<-'X'
		init; edit
		(setsid sh -c 'trap "" TERM HUP INT; (touch "$AT_WORK"; sleep 1000) & wait' \
		    > /dev/null 2>&1 < /dev/null &)
		until [ -e "$AT_WORK" ]; do sleep 0.02; done
		result false success 'my daemon is up'
	X
	left_behind 2
}

@test "a process with an emptied environment does not survive" {
	no_emulator "PR_SET_CHILD_SUBREAPER"
	linux_only
	witnessed left <<-'X'
		init; edit
		env -i setsid sh -c ': > "$0"; exec env -i sleep 1000' "$AT_WORK" &
		until [ -e "$AT_WORK" ]; do sleep 0.02; done
		result false success 'no mark on it'
	X
	left_behind 1
}

@test "of a chain of processes without environment none survives" {
	no_emulator "PR_SET_CHILD_SUBREAPER"
	linux_only
	witnessed left <<-'X'
		init; edit
		chain='[ "$1" -gt 0 ] || : > "$2"; [ "$1" -gt 0 ] || exec sleep 1000
		env -i setsid sh -c "$0" "$0" $(($1 - 1)) "$2" & wait'
		env -i setsid sh -c "$chain" "$chain" 9 "$AT_WORK" &
		until [ -e "$AT_WORK" ]; do sleep 0.02; done
		result false success 'ten of them'
	X
	left_behind 10
}

@test "a stopped leftover that is deaf to all signals does not survive" {
	linux_only
	witnessed left <<-'X'
		init; edit
		setsid sh -c 'trap "" TERM HUP INT CONT; : > "$AT_WORK"; kill -STOP $$; sleep 1000' &
		until [ -e "$AT_WORK" ]; do sleep 0.02; done
		result false success 'it sleeps'
	X
	left_behind 1
}

@test "a leftover whose first thread has ended does not survive" {
	no_emulator "PR_SET_CHILD_SUBREAPER"
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" threads
		result false success 'it looks like a zombie'
	X
	left_behind 1
}

@test "leftovers that start each other again do not survive" {
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" ring
		result false success 'a ring of them'
	X
	left_behind
}

@test "a leftover that is a new process every moment does not survive" {
	no_emulator "PR_SET_CHILD_SUBREAPER"
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" comet
		result false success 'catch it if you can'
	X
	left_behind
}

@test "two hundred leftovers are gone and counted" {
	linux_only
	witnessed left <<-'X'
		init; edit
		n=0
		while [ $n -lt 200 ]; do sleep 1000 & n=$((n + 1)); done
		result false success 'a crowd'
	X
	left_behind 200
}

@test "what claude left when it failed or timed out does not survive either" {
	linux_only
	witnessed fails <<-'X'
		init; edit; setsid sleep 1000 &
		exit 1
	X
	witnessed hangs <<-'X'
		init; edit; setsid sleep 1000 & sleep 1000
	X
	REHEARSAL="$SCENE/fails $SCENE/hangs" run -124 quick -r 1 -i 2 \
	    --retries 0 --iteration-timeout 1
	[ "$(ledger outcome | tr '\n' ' ')" = "failure timeout " ]
	[ "$(ledger survivors | sort -u)" != 0 ]
	nobody_left
	house_is_clean
}

@test "a claude that goes to the background has ended, without a result" {
	linux_only
	witnessed background <<-'X'
		init
		(sleep 0.5; edit; result false success 'too late'; sleep 1000) &
		exit 0
	X
	REHEARSAL="$SCENE/background success" quick -r 1 -i 2
	nobody_left
	[ "$(ledger outcome | tr '\n' ' ')" = "failure success " ]
	[ "$(ledger survivors | head -1)" -gt 0 ]
	[ "$(ledger survivors | tail -1)" = 0 ]
}

@test "zombies are not counted as survivors, and none is left to the runner" {
	linux_only
	witnessed zombies <<-'X'
		init; edit
		"$CREATURE" zombies 20 > "$AT_WORK" &
		until [ -s "$AT_WORK" ]; do sleep 0.02; done
		result false success 'undead'
	X
	scene looks <<-'X'
		init; edit
		for n in 1 2 3 4 5 6 7 8 9; do (: &) done	# orphans that end
		sleep 0.2
		cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' |
		    grep -c "^Z $PPID " > "$AT_WORK"
		result false success 'I have looked'
	X
	REHEARSAL="$SCENE/zombies $SCENE/looks" quick -r 1 -i 2
	nobody_left
	[ "$(ledger survivors | tr '\n' ' ')" = "1 0 " ]
	[ "$(cat "$AT_WORK")" = 0 ]
}

@test "a benchmark's daemon is gone before the next benchmark starts" {
	linux_only
	begin -r 1 -i 1 -b 'daemon=exec 9>> "$WITNESS"; flock 9; setsid sleep 1000 & setsid sleep 1000 & :' \
	    -b 'alone=flock -n "$WITNESS" true'
	finish
	nobody_left
	[ "$ENDED" = "exit 0" ]
	[ "$(csv_lines exp--run-1--iteration-0--daemon.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-0--alone.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-1--alone.csv)" = 2 ]
}

@test "what claude --version leaves behind is gone before the work starts" {
	linux_only
	cat > "$BATS_TEST_TMPDIR/wrapper" <<-'X'
		#!/bin/sh
		if [ "$1" = --version ]; then
			exec 9>> "$WITNESS"; flock 9
			setsid sleep 1000 > /dev/null 2>&1 &
		fi
		exec claude "$@"
	X
	chmod +x "$BATS_TEST_TMPDIR/wrapper"
	scene alone <<-'X'
		init; edit; flock -n "$WITNESS" true && result false success 'alone'
	X
	CC_CLAUDE=$BATS_TEST_TMPDIR/wrapper REHEARSAL=$SCENE/alone quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	nobody_left
}

@test "where /proc does not tell, the group is ended and the count is empty" {
	linux_only
	needs unshare
	unsanitized			# a sanitizer needs /proc
	unshare --mount umount -l /proc 2>/dev/null ||
	    skip "a file system cannot be unmounted here"
	witnessed left <<-'X'
		init; edit; result false success 'a helper stays'; sleep 1000 &
	X
	under=(unshare --mount sh -c 'umount -l /proc && exec "$@"' sh)
	export REHEARSAL=$SCENE/left
	begin -r 1 -i 1
	finish
	[ "$ENDED" = "exit 0" ]
	[ "$(ledger outcome)" = success ]
	[ -z "$(ledger survivors)" ]
	nobody_left
}

@test "as the first process of a container it sweeps and can be ended" {
	no_emulator "the end of a first process by a signal"
	linux_only
	needs unshare
	unshare --pid --fork --mount-proc true 2>/dev/null ||
	    skip "a process namespace cannot be made here"
	witnessed left <<-'X'
		init; edit; setsid sleep 1000 & result false success 'and a daemon'
	X
	witnessed waits <<-'X'
		init; edit; setsid sleep 1000 & touch "$AT_WORK"; sleep 1000
	X
	under=(unshare --pid --fork --mount-proc)
	export REHEARSAL="$SCENE/left $SCENE/waits"
	begin -r 1 -i 2
	at_work
	kill -TERM "$(cat "/proc/$RUNNER/task/$RUNNER/children")"
	finish
	[ "$ENDED" = "exit 143" ]
	nobody_left
	[ "$(ledger outcome | tr '\n' ' ')" = "success interrupted " ]
	[ "$(ledger survivors | head -1)" = 1 ]
	house_is_clean
}

# ---- the end of a call ----------------------------------------------------

@test "a claude that lingers after its result is ended, and its work counts" {
	REHEARSAL=linger quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 143 ]
	git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt
	house_is_clean
}

@test "a claude that lingers deaf to TERM is killed, and its work counts" {
	scene deaf <<-'X'
		trap '' TERM INT HUP
		init; edit; result false success 'I do not hear'
		while :; do sleep 1; done
	X
	REHEARSAL=$SCENE/deaf quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 137 ]
	house_is_clean
}

@test "a claude that only chatters on stderr after its result is ended as well" {
	scene chatters <<-'X'
		init; edit; result false success 'done'
		n=0
		while [ $n -lt 40 ]; do echo 'mcp: ping' >&2; sleep 0.2; n=$((n + 1)); done
	X
	REHEARSAL=$SCENE/chatters quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 143 ]	# not 0: it did not run to its end
}

@test "a claude that goes on working after a first result is not ended there" {
	scene twice <<-'X'
		init; result false success 'A task is in the background.'
		assistant 'It is done: now I go on.'
		sleep 2.2
		edit; result false success 'Now I am done.'
	X
	REHEARSAL=$SCENE/twice quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 0 ]
	git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt
	git -C "$PROJECT" log -1 --format=%B exp-run-1-iteration-1 |
	    grep -qx 'Now I am done.'
}

@test "a lingering claude whose limit comes first has succeeded all the same" {
	scene lingers <<-'X'
		init; edit; sleep 0.5; result false success 'done'; sleep 1000
	X
	REHEARSAL=$SCENE/lingers quick -r 1 -i 1 --iteration-timeout 1
	[ "$(ledger outcome)" = success ]
	house_is_clean
}

@test "a silent claude has timed out" {
	REHEARSAL=silent run -124 quick -r 1 -i 1 --retries 0 --idle-timeout 1
	[ "$(ledger outcome)" = timeout ]
	[ "$(ledger exit_status)" = 143 ]
}

@test "a claude that says something now and then is not silent" {
	scene talks <<-'X'
		init; edit
		for n in 1 2 3 4 5; do assistant "step $n"; sleep 0.5; done
		result false success 'step by step'
	X
	REHEARSAL=$SCENE/talks quick -r 1 -i 1 --idle-timeout 1.4
	[ "$(ledger outcome)" = success ]
}

@test "with --idle-timeout 0 a claude may be silent as long as it likes" {
	scene thinks <<-'X'
		init; edit; sleep 2.2; result false success 'I had to think'
	X
	REHEARSAL=$SCENE/thinks quick -r 1 -i 1 --idle-timeout 0
	[ "$(ledger outcome)" = success ]
}

# ---- signals --------------------------------------------------------------

# waiting: a scene that has begun its work and waits to be ended.
waiting() {
	scene waits <<-'X'
		init; edit; touch "$AT_WORK"; sleep 1000
	X
	export REHEARSAL="success $SCENE/waits"
}

# interrupted_by NAME NUMBER: in the second iteration's work.
interrupted_by() {
	waiting
	begin -r 1 -i 3
	at_work
	kill -s "$1" "$RUNNER"
	finish
	[ "$ENDED" = "signal $2" ]
	[ "$(ledger outcome | tr '\n' ' ')" = "success interrupted " ]
	[ "$(ledger exit_status | tr '\n' ' ')" = "0 143 " ]
	[ "$(calls)" = 2 ]
	house_is_clean
	kept iteration-2/attempt-1 | grep -qx 'call 2'
	[ "$(git -C "$PROJECT" show exp-run-1-iteration-2:rehearsal.txt)" = "call 1" ]
}

@test "TERM ends the runner by TERM: claude ended, tree put back, row written" {
	interrupted_by TERM 15
}

@test "INT ends the runner by INT: claude ended, tree put back, row written" {
	interrupted_by INT 2
}

@test "HUP ends the runner by HUP: claude ended, tree put back, row written" {
	interrupted_by HUP 1
}

@test "a shell sees 128 and the signal's number" {
	waiting
	bash -c '"$@" & echo $! > pid; wait $!; echo $? > status' bash \
	    env CC_TEST_ID="$BATS_TEST_TMPDIR" "$CCRE_QUICK" --no-plugin -q \
	    -o "$OUT" -r 1 -i 2 "$PROJECT" exp 3>&- &
	PARENT=$!
	at_work
	kill -TERM "$(cat pid)"
	wait "$PARENT"
	[ "$(cat status)" = 143 ]
}

@test "a runner that is told to end also ends a claude deaf to TERM" {
	linux_only
	witnessed deaf <<-'X'
		trap '' TERM INT HUP
		init; edit; setsid sleep 1000 & touch "$AT_WORK"
		while :; do sleep 1; done
	X
	export REHEARSAL=$SCENE/deaf
	begin -r 1 -i 1
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ]
	nobody_left
	[ "$(ledger outcome)" = interrupted ]
	[ "$(ledger exit_status)" = 137 ]
	house_is_clean
}

@test "more signals while it ends change nothing: the first one counts" {
	export REHEARSAL=stubborn
	begin -r 1 -i 1
	wait_until 20 test -s "$REHEARSAL_STATE"
	kill -TERM "$RUNNER"
	kill -HUP "$RUNNER"
	kill -INT "$RUNNER"
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ] || [ "$ENDED" = "signal 1" ] ||
	    [ "$ENDED" = "signal 2" ]	# they were pending together
	[ "$(ledger outcome)" = interrupted ]
	house_is_clean
}

@test "a signal during a benchmark: the work stays, nothing is measured by half" {
	linux_only
	begin -r 1 -i 2 --every-iteration -b 'first=[ -e rehearsal.txt ] || exit 0
	    exec 9>> "$WITNESS"; flock 9; trap "" HUP
	    setsid sleep 1000 & echo dirt > dirt.txt; touch "$AT_WORK"; sleep 1000' \
	    -b 'second=true'
	at_work
	kill -HUP "$RUNNER"
	finish
	[ "$ENDED" = "signal 1" ]
	nobody_left
	[ "$(ledger outcome)" = success ]
	[ "$(calls)" = 1 ]
	[ -s "$OUT/exp--run-1--iteration-0--first.csv" ]
	[ ! -e "$OUT/exp--run-1--iteration-1--first.csv" ]
	[ ! -e "$OUT/exp--run-1--iteration-1--second.csv" ]
	git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt
	house_is_clean
}

@test "a signal during the build ends it too" {
	begin -r 1 -i 1 --build 'touch "$AT_WORK"; sleep 1000' -b 'b=true'
	at_work
	kill -INT "$RUNNER"
	finish
	[ "$ENDED" = "signal 2" ]
	[ "$(calls)" = 0 ]
	house_is_clean
}

@test "a signal while claude is asked for its version ends that call" {
	cat > "$BATS_TEST_TMPDIR/wrapper" <<-'X'
		#!/bin/sh
		touch "$AT_WORK"; sleep 1000
	X
	chmod +x "$BATS_TEST_TMPDIR/wrapper"
	export CC_CLAUDE=$BATS_TEST_TMPDIR/wrapper
	begin -r 1 -i 1
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ]
	house_is_clean
}

@test "a git that hangs does not keep the runner from ending after TERM" {
	local git pid status=0
	git=$(command -v git)
	cat > bin/git <<-END
		#!/bin/sh
		if [ "\$1" = add ] && [ ! -e "$BATS_TEST_TMPDIR/hung" ]; then
			: > "$BATS_TEST_TMPDIR/hung"
			exec sleep 1000
		fi
		exec $git "\$@"
	END
	chmod +x bin/git
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CCRE_QUICK" -q --no-plugin -o "$OUT" \
	    -r 1 -i 2 "$PROJECT" exp > said 2>&1 3>&- &
	pid=$!
	wait_until 20 test -e hung
	kill -TERM "$pid"
	wait "$pid" || status=$?
	cat said
	[ "$status" = 143 ]
	grep -q 'git add did not end in' said
	[ "$(ledger outcome)" = success ]	# claude had ended before
	house_is_clean
}

@test "a signal between git commands, wherever it comes, leaves a clean house" {
	local git k
	git=$(command -v git)
	cat > bin/git <<-X
		#!/bin/sh
		if [ -n "\${TERM_AT-}" ]; then
			echo x >> "$BATS_TEST_TMPDIR/gits"
			[ \$((\$(wc -l < "$BATS_TEST_TMPDIR/gits"))) -ne "\$TERM_AT" ] ||
			    kill -TERM \$PPID
		fi
		exec "$git" "\$@"
	X
	chmod +x bin/git
	for k in $(seq 1 4 99); do
		rm -f gits calls
		export TERM_AT=$k
		PREFIX=k$k begin -r 1 -i 1
		finish
		unset TERM_AT
		house_is_clean
		[ "$(calls)" -le 1 ]
		[ "$(wc -l < gits)" -ge "$k" ] || break	# it was over before
		[ "$ENDED" = "signal 15" ] || {		# or it had finished
			[ "$ENDED" = "exit 0" ]
			[ "$(sed 1d "$OUT/k$k--iterations.csv" | cut -d, -f5)" = success ]
		}
	done
	[ "$k" -gt 9 ]
	[ "$ENDED" = "exit 0" ]
}

@test "under nohup HUP is ignored, and TERM is not" {
	needs nohup
	scene waits <<-'X'
		init; edit; touch "$AT_WORK"
		until [ -e "$AT_WORK.go" ]; do sleep 0.02; done
		result false success 'not disturbed'
	X
	under=(nohup)
	export REHEARSAL="$SCENE/waits hang"
	begin -r 1 -i 2
	at_work
	kill -HUP "$RUNNER"
	touch "$AT_WORK.go"
	wait_until 20 grep -qs '^exp,1,1,1,success,' "$OUT/exp--iterations.csv"
	wait_until 20 test "$(calls)" -ge 1
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ]
	[ "$(ledger outcome | head -1)" = success ]
}

@test "INT that was ignored at the start stays ignored" {
	scene waits <<-'X'
		init; edit; touch "$AT_WORK"
		until [ -e "$AT_WORK.go" ]; do sleep 0.02; done
		result false success 'not disturbed'
	X
	under=("$CREATURE" with "i$(kill -l INT)" --)
	export REHEARSAL=$SCENE/waits
	begin -r 1 -i 1
	at_work
	kill -INT "$RUNNER"
	touch "$AT_WORK.go"
	finish
	[ "$ENDED" = "exit 0" ]
	[ "$(ledger outcome)" = success ]
}

@test "a parent that ignores CHLD hides no exit status from the runner" {
	under=("$CREATURE" with "i$(kill -l CHLD)" --)
	export REHEARSAL="crash success hang"
	begin -r 1 -i 3 --retries 0 --iteration-timeout 1 -b 'bad=exit 3' -b 'good=true'
	finish
	[ "$ENDED" = "exit 124" ]
	[ "$(ledger outcome | tr '\n' ' ')" = "failure success timeout " ]
	[ "$(ledger exit_status | tr '\n' ' ')" = "1 0 143 " ]
	[ "$(csv_lines exp--run-1--iteration-0--bad.csv)" = 1 ]
	[ "$(csv_lines exp--run-1--iteration-0--good.csv)" = 2 ]
}

@test "signals that a parent ignores or blocks neither stop our limits nor reach claude" {
	local s line
	linux_only
	under=("$CREATURE" with)
	for s in ALRM TERM CHLD; do under+=("i$(kill -l $s)"); done
	for s in ALRM TERM CHLD INT HUP USR1; do under+=("b$(kill -l $s)"); done
	under+=(--)
	scene looks <<-'X'
		init; edit; grep -E '^Sig(Blk|Ign)' /proc/self/status > "$AT_WORK"
		result false success 'seen'
	X
	export REHEARSAL="$SCENE/looks hang"
	begin -r 1 -i 2 --retries 0 --iteration-timeout 1 \
	    -b "masks=grep -E '^Sig(Blk|Ign)' /proc/self/status"
	finish
	[ "$ENDED" = "exit 124" ]
	[ "$(ledger outcome | tr '\n' ' ')" = "success timeout " ]
	[ "$(cat "$AT_WORK" "$OUT/exp--run-1--iteration-0--masks.log" | wc -l)" = 4 ]
	while read -r _ line; do	# 32 and 33 are the C library's own
		[ $((16#$line & 16#7fffffff)) = 0 ]
	done < <(cat "$AT_WORK" "$OUT/exp--run-1--iteration-0--masks.log")
	house_is_clean
}

@test "a runner started with TERM blocked and ignored can be ended by TERM" {
	waiting
	under=("$CREATURE" with "i$(kill -l TERM)" "b$(kill -l TERM)" "b$(kill -l CHLD)" --)
	begin -r 1 -i 2
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ]
	[ "$(ledger outcome | tr '\n' ' ')" = "success interrupted " ]
}

@test "what the runner ignores for itself is not ignored in claude" {
	local line
	linux_only
	scene looks <<-'X'
		init; edit; grep -E '^Sig(Blk|Ign)' /proc/self/status > "$AT_WORK"
		result false success 'seen'
	X
	under=("$CREATURE" with "i$(kill -l HUP)" "i$(kill -l PIPE)" --)
	export REHEARSAL=$SCENE/looks
	begin -r 1 -i 1
	finish
	[ "$(wc -l < "$AT_WORK")" = 2 ]
	while read -r _ line; do
		[ $((16#$line & 16#7fffffff)) = 0 ]
	done < "$AT_WORK"
}

# ---- descriptors and terminals --------------------------------------------

@test "whichever of stdin, stdout and stderr are closed at the start, all works" {
	local closed name
	for closed in 0 1 2 01 02 12 012; do
		rm -f calls
		(
			case $closed in *0*) exec 0<&- ;; esac
			case $closed in *1*) exec 1>&- ;; esac
			case $closed in *2*) exec 2>&- ;; esac
			ccre --no-plugin -v -r 1 -i 1 -b 'b=echo hello' -o "$OUT" \
			    "$PROJECT" "closed$closed" 3>&-
		)
		name=closed$closed
		[ "$(csv_lines $name--iterations.csv)" = 2 ]
		[ "$(csv_lines $name--diffstats.csv)" = 2 ]
		[ "$(head -1 "$OUT/$name--experiment.csv")" = key,value ]
		[ "$(cat "$OUT/$name--run-1--iteration-1--b.log")" = hello ]
		run ! grep -v '^{' "$OUT/$name--run-1--iteration-1--attempt-1.jsonl"
		[ ! -s "$OUT/$name--run-1--iteration-1--attempt-1.err" ]
		[ "$(git -C "$PROJECT" show "$name-run-1-iteration-1:rehearsal.txt")" = "call 1" ]
	done
	house_is_clean
}

@test "claude, git and benchmarks see no descriptors but 0, 1 and 2" {
	local git show='for n in $(seq 0 255); do if [ -e "/proc/$$/fd/$n" ]; then printf "$n "; fi; done'
	linux_only
	git=$(command -v git)
	cat > bin/git <<-X
		#!/bin/sh
		[ -z "\${CC_TEST_ID-}" ] || sh -c '$show' >> "$BATS_TEST_TMPDIR/git-sees"
		exec "$git" "\$@"
	X
	chmod +x bin/git
	scene looks <<-X
		init; edit; sh -c '$show' > "$AT_WORK"; result false success 'seen'
	X
	REHEARSAL=$SCENE/looks experiment -r 1 -i 1 -b "fds=$show" \
	    7< /dev/null 8> "$BATS_TEST_TMPDIR/eight" 19> "$BATS_TEST_TMPDIR/nineteen"
	echo "claude: $(cat "$AT_WORK"); git: $(cat git-sees)"
	[ "$(cat "$OUT/exp--run-1--iteration-0--fds.log")" = "0 1 2 " ]
	[ "$(cat "$AT_WORK")" = "0 1 2 " ]
	[ "$(sed 's/0 1 2 //g' git-sees)" = "" ]
	[ -s git-sees ]
}

@test "the caller's standard input is left alone; a benchmark's is empty" {
	local line git
	git=$(command -v git)
	cat > bin/git <<-X
		#!/bin/sh
		[ -z "\${CC_TEST_ID-}" ] || cat >> "$BATS_TEST_TMPDIR/git-read"
		exec "$git" "\$@"
	X
	chmod +x bin/git
	{
		experiment -r 1 -i 1 --build 'cat; readlink /proc/$$/fd/0' \
		    -b 'input=cat; readlink /proc/$$/fd/0'
		read -r line
	} <<< "this is mine"
	[ "$line" = "this is mine" ]
	[ "$(cat "$OUT/exp--run-1--iteration-0--build.log")" = /dev/null ]
	[ "$(cat "$OUT/exp--run-1--iteration-0--input.log")" = /dev/null ]
	[ -e git-read ]
	[ ! -s git-read ]
}

@test "claude has a session of its own, without a terminal" {
	linux_only
	needs script
	scene looks <<-'X'
		init; edit; sed 's/.*) //' /proc/$$/stat > "$AT_WORK"; echo $$ >> "$AT_WORK"
		result false success 'seen'
	X
	export REHEARSAL=$SCENE/looks TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR
	script -qec "'$CCRE' --no-plugin -q -o '$OUT' -r 1 -i 1 '$PROJECT' exp" \
	    /dev/null > said < /dev/null 3>&-
	{
		read -r _ _ group session terminal _
		read -r pid
	} < "$AT_WORK"
	[ "$group" = "$pid" ]
	[ "$session" = "$pid" ]
	[ "$terminal" = 0 ]
}

@test "a tool that reads the terminal in the background stops nothing" {
	needs script
	scene asks <<-'X'
		init; edit
		(read -r answer < /dev/tty; echo "$answer" > answer.txt) 2>/dev/null &
		(stty sane < /dev/tty) 2>/dev/null
		(echo hello > /dev/tty) 2>/dev/null
		wait
		result false success 'nobody answered'
	X
	export REHEARSAL=$SCENE/asks TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR
	script -qec "stty tostop; '$CCRE_QUICK' --no-plugin -o '$OUT' -r 1 -i 1 \
	    --retries 0 --iteration-timeout 5 '$PROJECT' exp" /dev/null \
	    > said < /dev/null 3>&-
	[ "$(ledger outcome)" = success ]
	run ! grep hello said
}

@test "on a terminal a status line says which run and iteration is at work" {
	needs script
	scene works <<-'X'
		init; edit; sleep 0.3; result false success 'done'
	X
	export REHEARSAL=$SCENE/works TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR
	script -qec "'$CCRE' --no-plugin -o '$OUT' -r 1 -i 2 '$PROJECT' exp" \
	    /dev/null > said < /dev/null 3>&-
	grep -q $'\rrun 1/1 iteration 2/2 .*0:00/30:00' said
	script -qec "'$CCRE' --no-plugin -o '$OUT' -r 2 -i 2 '$PROJECT' exp" \
	    /dev/null > said < /dev/null 3>&-
	grep -q $'\rrun 2/2 iteration 1/2 .* \$0.03' said	# the cost so far
}

@test "with -q there is no status line on a terminal, and nothing else" {
	needs script
	scene works <<-'X'
		init; edit; sleep 0.3; result false success 'done'
	X
	export REHEARSAL=$SCENE/works TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR
	script -qec "'$CCRE' -q --no-plugin -o '$OUT' -r 1 -i 2 '$PROJECT' exp" \
	    /dev/null > said < /dev/null 3>&-
	[ "$(ledger outcome | tr '\n' ' ')" = "success success " ]
	[ ! -s said ]
}

@test "without a terminal there is never a status line" {
	needs setsid
	scene works <<-'X'
		init; edit; sleep 0.3; result false success 'done'
	X
	export REHEARSAL=$SCENE/works TERM=xterm
	CC_TEST_ID=$BATS_TEST_TMPDIR setsid -w "$CCRE" --no-plugin -o "$OUT" \
	    -r 1 -i 2 "$PROJECT" exp > said.out 2> said < /dev/null 3>&-
	[ "$(ledger outcome | tr '\n' ' ')" = "success success " ]
	[ "$(wc -l < said)" = 2 ]
	run ! grep -q $'[\r\033]' said said.out
}

@test "Ctrl-C at a terminal interrupts, and claude is ended the right way" {
	needs script mkfifo
	waiting
	mkfifo keys
	TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR env --default-signal=INT script -qec \
	    "'$CCRE_QUICK' --no-plugin -o '$OUT' -r 1 -i 2 '$PROJECT' exp" \
	    /dev/null < keys > said 3>&- &
	exec 8> keys
	at_work
	printf '\003' >&8
	wait $! || status=$?
	exec 8>&-
	[ "$status" = 130 ]
	[ "$(ledger outcome | tr '\n' ' ')" = "success interrupted " ]
	[ "$(ledger exit_status | tail -1)" = 143 ]	# TERM: claude exits 0 on INT
	house_is_clean
}

# ---- benchmarks -----------------------------------------------------------

@test "a benchmark that hangs, deaf to TERM, has failed; the others are measured" {
	linux_only
	begin -r 1 -i 1 --benchmark-timeout 1 -b 'deaf=[ -e rehearsal.txt ] || exit 0
	    exec 9>> "$WITNESS"; flock 9; trap "" TERM; echo began
	    while :; do sleep 1; done' -b 'good=flock -n "$WITNESS" true'
	finish
	nobody_left
	[ "$ENDED" = "exit 0" ]
	[ "$(csv_lines exp--run-1--iteration-0--deaf.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-1--deaf.csv)" = 1 ]
	[ "$(csv_lines exp--run-1--iteration-1--good.csv)" = 2 ]
	grep -q began "$OUT/exp--run-1--iteration-1--deaf.log"
	house_is_clean
}

@test "a build that hangs has failed, and with it what it was to build" {
	begin -r 1 -i 1 --benchmark-timeout 1 -b 'b=true' \
	    --build '[ ! -e rehearsal.txt ] || sleep 1000'
	finish
	[ "$ENDED" = "exit 0" ]
	[ "$(csv_lines exp--run-1--iteration-0--b.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-1--b.csv)" = 1 ]
	house_is_clean
}

@test "a benchmark that is killed has failed" {
	experiment -r 1 -i 1 -b 'b=kill -KILL $$' -b 'c=kill -TERM $$'
	[ "$(csv_lines exp--run-1--iteration-0--b.csv)" = 1 ]
	[ "$(csv_lines exp--run-1--iteration-1--c.csv)" = 1 ]
}

# ---- what cannot be executed ----------------------------------------------

# untouched: nothing was made, nothing was asked.
untouched() {
	[ "$(calls)" = 0 ]
	[ ! -e "$OUT" ]
	[ "$(git -C "$PROJECT" for-each-ref --format='%(refname)')" = refs/heads/main ]
	house_is_clean
}

@test "a claude that does not exist: status 127, its name, nothing touched" {
	CC_CLAUDE=$BATS_TEST_TMPDIR/none run -127 experiment
	[[ $output == *"$BATS_TEST_TMPDIR/none"* ]]
	mkdir only
	ln -s "$(command -v git)" only/git
	PATH=$BATS_TEST_TMPDIR/only run -127 experiment
	[[ $output == *claude* ]]
	untouched
}

@test "a claude that is a directory or not executable: status 126" {
	mkdir a-directory
	CC_CLAUDE=$BATS_TEST_TMPDIR/a-directory run -126 experiment
	[[ $output == *a-directory* ]]
	echo '#!/bin/sh' > a-file
	CC_CLAUDE=$BATS_TEST_TMPDIR/a-file run -126 experiment
	[[ $output == *a-file* ]]
	mkdir only
	ln -s "$(command -v git)" only/git
	cp a-file only/claude
	PATH=$BATS_TEST_TMPDIR/only run -126 experiment
	[[ $output == *claude* ]]
	untouched
}

@test "a directory or a plain file called claude on PATH does not hide the real one" {
	mkdir -p first/claude second
	echo '#!/bin/sh' > second/claude
	PATH=$BATS_TEST_TMPDIR/first:$BATS_TEST_TMPDIR/second:$PATH \
	    experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
}

@test "a claude whose interpreter is missing, or that has none, stops at once" {
	no_emulator "what posix_spawn tells"
	local status
	printf '#!/no/such/interpreter\n' > strange
	printf 'echo I ran\n' > plain
	chmod +x strange plain
	CC_CLAUDE=$BATS_TEST_TMPDIR/strange run -127 experiment
	[[ $output == *strange* ]]
	[ "$(sed 1d "$OUT/exp--iterations.csv")" = "" ]
	house_is_clean
	CC_CLAUDE=$BATS_TEST_TMPDIR/plain run -126 ccre --no-plugin -o "$OUT" \
	    "$PROJECT" exp2
	[[ $output == *plain* ]]
	[[ $output != *"I ran"* ]]
	[ "$(sed 1d "$OUT/exp2--iterations.csv")" = "" ]
	house_is_clean
}

@test "a git that does not exist: status 127" {
	mkdir only
	ln -s "$(command -v claude)" only/claude
	PATH=$BATS_TEST_TMPDIR/only run -127 experiment
	[[ $output == *git* ]]
	untouched
}

@test "empty and relative elements of PATH never find a planted claude or git" {
	local name real=$PATH
	mkdir rel
	for name in claude git; do
		printf '#!/bin/sh\ntouch "%s/planted"\n' "$BATS_TEST_TMPDIR" |
		    tee "$name" "$PROJECT/$name" > "rel/$name"
		chmod +x "$name" "rel/$name" "$PROJECT/$name"
	done
	mkdir "$PROJECT/rel"
	cp rel/* "$PROJECT/rel"
	git -C "$PROJECT" add -A
	git -C "$PROJECT" commit -qm planted
	BASE=$(git -C "$PROJECT" rev-parse HEAD)
	for path in ":$real" ".:rel:./rel:$real" "$real:" "rel::$real"; do
		rm -rf "$OUT"
		PREFIX=p$((n += 1))
		PATH=$path ccre --no-plugin -q -r 1 -i 1 -o "$OUT" "$PROJECT" "$PREFIX"
		[ ! -e planted ]
	done
	[ "$(calls)" = 4 ]
	cd "$PROJECT"
	for path in "" ":" "." ".:rel::"; do
		PATH=$path run -127 ccre --no-plugin -o "$OUT" "$PROJECT" none
		[ ! -e "$BATS_TEST_TMPDIR/planted" ]
	done
	house_is_clean
}

# vanishing COMMAND STATUS: claude does COMMAND to itself in its first call.
vanishing() {
	cp "$CCRE_ROOT/contrib/rehearsal-claude" "$BATS_TEST_TMPDIR/own"
	scene vanish <<-X
		init; edit; $1 "\$CC_CLAUDE"; result false success 'so long'
	X
	export CC_CLAUDE=$BATS_TEST_TMPDIR/own REHEARSAL="$SCENE/vanish success"
	run -"$2" experiment -r 2 -i 2
	[[ $output == *"$BATS_TEST_TMPDIR/own"* ]]
	[ "$(ledger outcome | head -1)" = success ]
	[ "$(ledger outcome | grep -c -e success -e failure)" = 1 ]
	[ "$(calls)" = 1 ]
	[ "$(git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt)" = "call 1" ]
	house_is_clean
}

@test "a claude that is gone in the middle of it stops with 127, the work is kept" {
	no_emulator "what posix_spawn tells"
	vanishing rm 127
}

@test "a claude that cannot be executed any more stops with 126, the work is kept" {
	no_emulator "what posix_spawn tells"
	vanishing 'chmod -x' 126
}

# ---- frugality ------------------------------------------------------------

@test "a runner that waits wakes up at most once in ten seconds" {
	local before after
	[ -r /proc/self/status ] || skip "there is no /proc here"
	wakeups() {
		sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$RUNNER/status"
	}
	ticks() {
		sed 's/.*) //' "/proc/$RUNNER/stat" | awk '{ print $12 + $13 }'
	}
	scene waits <<-'X'
		init; edit; touch "$AT_WORK"; exec sleep 1000
	X
	export REHEARSAL=$SCENE/waits
	PROGRAM=$CCRE begin -r 1 -i 1
	at_work
	sleep 0.3
	before=$(wakeups) cpu=$(ticks)
	sleep 3
	after=$(wakeups)
	echo "$((after - before)) wake-ups, $(($(ticks) - cpu)) ticks"
	[ "$((after - before))" -le 1 ]
	[ "$(($(ticks) - cpu))" -le 1 ]
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = "signal 15" ]
}

# ---- what else an agent might think of ------------------------------------

@test "a pipe in the place of the next transcript does not make the runner wait" {
	scene plants <<-'X'
		init; edit; mkfifo "$OUT/exp--run-1--iteration-2--attempt-1.jsonl"
		result false success 'now open it'
	X
	export REHEARSAL="$SCENE/plants success"
	begin -r 1 -i 2
	finish 15
	[ "$(git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt)" = "call 1" ]
	house_is_clean
}

@test "a pipe in the place of a file that git reads does not make the runner wait" {
	scene plants <<-'X'
		init; edit; mkdir sub; mkfifo sub/.gitignore
		result false success 'now read it'
	X
	export REHEARSAL="$SCENE/plants success"
	begin -r 1 -i 2
	finish 15
	[ "$ENDED" = "exit 0" ]
	[ "$(ledger outcome | tr '\n' ' ')" = "success success " ]
	house_is_clean
}

@test "claude, the build, the benchmark and git get three descriptors and no other of the runner's" {
	printf 'exec >> "$SEEN/$1"\nls -l "/proc/$$/fd"\n:\n' > fds
	mkdir seen
	export SEEN=$PWD/seen SCRIPT=$PWD/fds GIT
	GIT=$(command -v git)
	printf '#!/bin/sh\nsh "$SCRIPT" git\nexec "$GIT" "$@"\n' > bin/git
	chmod +x bin/git
	scene looks <<-'X'
		init; edit; sh "$SCRIPT" claude; result false success 'looked'
	X
	# bats has one of its own.
	REHEARSAL=$SCENE/looks experiment -r 1 -i 1 --build 'sh "$SCRIPT" build' \
	    -b b='sh "$SCRIPT" benchmark; echo "runtime: 1ms"' 3>&- 4>&-
	[ "$(echo seen/*)" = 'seen/benchmark seen/build seen/claude seen/git' ]
	grep -q ' 2 -> ' seen/git
	# The shell itself holds its script open.
	run ! grep -rv -e '^total' -e ' [012] -> ' -e " -> $SCRIPT$" seen
}

@test "memory is used as it may be and given back, says valgrind" {
	command -v valgrind > /dev/null || skip 'no valgrind'
	cc -g -O1 -o plain "$CCRE_ROOT/cc-run-experiments.c"
	printf '#!/bin/sh\nexec valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible --track-fds=no --error-exitcode=99 "%s" "$@"\n' "$PWD/plain" > checked
	chmod +x checked
	export REHEARSAL='success crash capped rate-limit'
	CCRE=$PWD/checked run experiment -r 2 -i 3 -b b='echo "runtime: 1ms"' --protect main.py
	echo "$output"
	[ "$status" = 75 ]
	[[ $output != *==*==* ]]
	export REHEARSAL=success
	CCRE=$PWD/checked run experiment -r 2 -i 3 -b b='echo "runtime: 1ms"' --protect main.py
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *==*==* ]]
	REHEARSAL=success CCRE=$PWD/checked run ccre --no-plugin -j 2 -r 2 -i 1 -o "$OUT" "$PROJECT" isolated
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *==*==* ]]
}
