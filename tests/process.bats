# Processes (design section 7) and the first promise: nothing survives.
#
# The witness of a scene is a lock on a descriptor that all its processes
# inherit. As long as one of them is alive, whatever it did to its parent, its
# session and its environment, the lock is held.

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2154 # run assigns status and output
load helper

export WITNESS=$BATS_TEST_TMPDIR/witness	# locked by what must not survive
export AT_WORK=$BATS_TEST_TMPDIR/at-work	# made by a scene that has begun
export CREATURE=$BATS_FILE_TMPDIR/creature

setup_file() {
	creature_source > "$BATS_FILE_TMPDIR/creature.c"
	cc -pthread -o "$BATS_FILE_TMPDIR/creature" "$BATS_FILE_TMPDIR/creature.c"
}

teardown() {
	local left=0
	[ ! -e "$WITNESS" ] || nobody_left || left=1
	checks || left=1
	return $left
}

# What a shell cannot do: leftover processes of several kinds, and a parent that
# sees by which signal a runner died.
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

static void ring_member(int i)	/* the others start it again */
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
	if (fork() != 0) {			/* let it begin */
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

# needs COMMAND...: skip if one of them is missing.
needs() {
	local command
	for command; do
		command -v "$command" > /dev/null || skip "there is no $command here"
	done
}

linux_only() {
	[ "$(uname -s)" = Linux ] || skip 'processes that left their group are ended on Linux only'
	needs flock
}

# witnessed NAME < SCRIPT: a scene whose every process holds the witness.
witnessed() {
	{ echo 'exec 9>> "$WITNESS"; flock 9'; cat; } | scene "$1"
}

# nobody_left: the witness was made, and no process that holds it is alive. If
# one is, it is shown and ended.
nobody_left() {
	local fd pid
	[ -e "$WITNESS" ]
	! flock -n "$WITNESS" true || return 0
	for fd in /proc/[0-9]*/fd/9 /proc/[0-9]*/task/[0-9]*/fd/9; do
		[ "$fd" -ef "$WITNESS" ] || continue
		pid=${fd#/proc/}
		pid=${pid%%/*}
		echo "survived: $pid $(tr '\0' ' ' 2> /dev/null < "/proc/$pid/cmdline")"
		kill -KILL "$pid" || true
	done
	echo "the witness is still held"
	return 1
}

# begin OPTION...: the quick experiment (or, with PROGRAM set, that one) in the
# background, below the command in the array "under". RUNNER is its pid.
under=()
begin() {
	rm -f "$BATS_TEST_TMPDIR/ended" "$BATS_TEST_TMPDIR/ended.pid"
	CC_TEST_ID=$BATS_TEST_TMPDIR "$CREATURE" run "$BATS_TEST_TMPDIR/ended" \
	    "${under[@]}" "${PROGRAM:-$CCRE_QUICK}" --no-plugin -o "$OUT" "$@" \
	    "$PROJECT" exp > "$BATS_TEST_TMPDIR/said.out" 2> "$BATS_TEST_TMPDIR/said" 3>&- &
	PARENT=$!
	wait_until 10 test -s "$BATS_TEST_TMPDIR/ended.pid"
	RUNNER=$(cat "$BATS_TEST_TMPDIR/ended.pid")
}

# finish: the runner ends in 40 s. ENDED is "exit N" or "signal N".
finish() {
	wait_until 40 test -s "$BATS_TEST_TMPDIR/ended" || {
		echo "the runner hangs and is killed"
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

# at_work: a scene or a benchmark is where it waits.
at_work() {
	wait_until 20 test -e "$AT_WORK"
}

# outcomes, statuses: those of the ledger, on one line.
outcomes() {
	ledger outcome | paste -sd' '
}
statuses() {
	ledger exit_status | paste -sd' '
}

# csv_lines FILE: how many lines it has, with its header.
csv_lines() {
	wc -l < "$OUT/$1"
}

# timed_out SCENE STATUS: it is ended after a second, with this exit status.
timed_out() {
	REHEARSAL=$1 run -124 quick -r 1 -i 1 --retries 0 --iteration-timeout 1
	[ "$(ledger outcome)" = timeout ]
	[ "$(ledger exit_status)" = "$2" ]
}

# ---- however claude ends --------------------------------------------------

@test "a claude that ends on INT is ended by it" {
	timed_out hang 130
}

@test "a claude that ignores INT is ended by TERM" {
	scene ignores <<-'X'
		trap '' INT
		init; edit; exec sleep 1000
	X
	timed_out "$SCENE/ignores" 143
}

@test "a claude that ignores INT and TERM is killed" {
	timed_out stubborn 137
}

@test "a stopped claude gets CONT, so that it can end" {
	scene stops <<-'X'
		trap 'echo continued > "$AT_WORK"; exit 7' TERM
		trap '' INT
		init; edit; kill -STOP $$
		result false success 'nobody woke me'
	X
	timed_out "$SCENE/stops" 7
	[ -e "$AT_WORK" ]
}

@test "a claude that is killed or crashes is a failure, not a timeout" {
	scene crash <<-'X'
		init; edit; ulimit -c 0; kill -SEGV $$
	X
	REHEARSAL="die success $SCENE/crash success" quick -r 1 -i 4
	[ "$(outcomes)" = 'failure success failure success' ]
	[ "$(statuses)" = '137 0 139 0' ]
}

@test "a claude that ends its whole process group ends itself alone" {
	scene group <<-'X'
		init; edit; sleep 1000 & kill -TERM 0; sleep 1000
	X
	REHEARSAL="$SCENE/group success" quick -r 1 -i 2
	[ "$(outcomes)" = 'failure success' ]
	[ "$(statuses)" = '143 0' ]
}

# ---- nothing survives -----------------------------------------------------

# left_behind [COUNT]: the scene "left" has left processes after its success:
# they are gone before the benchmark, and the ledger counts COUNT of them.
left_behind() {
	REHEARSAL=$SCENE/left quick -r 1 -i 1 \
	    --time 'alone=[ ! -e rehearsal.txt ] || flock -n "$WITNESS" true'
	nobody_left
	[ "$(ledger outcome)" = success ]
	echo "survivors: $(ledger survivors)"
	[ -z "${1-}" ] || [ "$(ledger survivors)" = "$1" ]
	[ "$(ledger survivors)" -gt 0 ]
	[ "$(csv_lines exp--run-1--iteration-1--alone.csv)" = 2 ]
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

@test "of a chain of processes with an emptied environment none survives" {
	no_emulator PR_SET_CHILD_SUBREAPER
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

@test "a stopped leftover process that ignores all signals does not survive" {
	linux_only
	witnessed left <<-'X'
		init; edit
		setsid sh -c 'trap "" TERM HUP INT CONT; : > "$AT_WORK"; kill -STOP $$; sleep 1000' &
		until [ -e "$AT_WORK" ]; do sleep 0.02; done
		result false success 'it sleeps'
	X
	left_behind 1
}

@test "a leftover process whose first thread has ended does not survive" {
	no_emulator PR_SET_CHILD_SUBREAPER
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" threads
		result false success 'it looks like a zombie'
	X
	left_behind 1
}

@test "leftover processes that start each other again do not survive" {
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" ring
		result false success 'a ring of them'
	X
	left_behind
}

@test "a leftover process that forks and ends all the time does not survive" {
	no_emulator PR_SET_CHILD_SUBREAPER
	linux_only
	witnessed left <<-'X'
		init; edit; "$CREATURE" comet
		result false success 'catch it if you can'
	X
	left_behind
}

@test "two hundred leftover processes are gone and counted" {
	linux_only
	witnessed left <<-'X'
		init; edit
		n=0
		while [ $n -lt 200 ]; do sleep 1000 & n=$((n + 1)); done
		result false success 'a crowd'
	X
	left_behind 200
}

@test "leftover processes of a failure and of a timeout do not survive either" {
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
	[ "$(outcomes)" = 'failure timeout' ]
	[ "$(ledger survivors | paste -sd' ')" = '1 1' ]
	nobody_left
}

@test "a claude that goes to the background has ended without a result" {
	linux_only
	witnessed background <<-'X'
		init
		(sleep 0.5; edit; result false success 'too late'; sleep 1000) &
		exit 0
	X
	REHEARSAL="$SCENE/background success" quick -r 1 -i 2
	nobody_left
	[ "$(outcomes)" = 'failure success' ]
	[ "$(ledger survivors | head -n 1)" -gt 0 ]
	[ "$(ledger survivors | tail -n 1)" = 0 ]
}

@test "zombies are not counted as leftover processes, and none stays with the runner" {
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
	[ "$(ledger survivors | paste -sd' ')" = '1 0' ]
	[ "$(cat "$AT_WORK")" = 0 ]
}

@test "a benchmark's daemon, also of one that ignores TERM, is gone before the next benchmark" {
	linux_only
	quick -r 1 -i 1 --benchmark-timeout 1 \
	    --time 'daemon=exec 9>> "$WITNESS"; flock 9; setsid sleep 1000 & setsid sleep 1000 & :' \
	    --time 'alone=flock -n "$WITNESS" true' \
	    --time 'deaf=[ -e rehearsal.txt ] || exit 0; exec 9>> "$WITNESS"; flock 9
	        trap "" TERM; while :; do sleep 1; done' \
	    --time 'again=flock -n "$WITNESS" true'
	[ "$(csv_lines exp--run-1--iteration-0--daemon.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-1--alone.csv)" = 2 ]
	[ "$(csv_lines exp--run-1--iteration-1--deaf.csv)" = 1 ]
	[ "$(csv_lines exp--run-1--iteration-1--again.csv)" = 2 ]
}

@test "leftover processes of claude --version are gone before the work starts" {
	linux_only
	cat > wrapper <<-'X'
		#!/bin/sh
		if [ "$1" = --version ]; then
			exec 9>> "$WITNESS"; flock 9
			setsid sleep 1000 > /dev/null 2>&1 &
		fi
		exec claude "$@"
	X
	chmod +x wrapper
	scene alone <<-'X'
		init; edit; flock -n "$WITNESS" true && result false success 'alone'
	X
	CC_CLAUDE=$PWD/wrapper REHEARSAL=$SCENE/alone quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
}

@test "a sweep of one run leaves the processes of the run beside it alone" {
	linux_only
	no_emulator PR_SET_CHILD_SUBREAPER
	scene two <<-'X'
		init; edit; setsid sleep 1000 &
		if [ "$CC_RUN_EXPERIMENTS_RUN" = 1 ]; then
			env -i sleep 1000 & there=$!
			until [ -e "$AT_WORK" ]; do sleep 0.05; done
			kill -0 $there || exit 1
		elif [ "$call" -gt 4 ]; then
			touch "$AT_WORK"
		fi
		result false success 'undisturbed'
	X
	REHEARSAL="$SCENE/two" quick -j 2 -r 2 -i 5
	[ "$(ledger outcome | sort | uniq -c | tr -s ' ')" = ' 10 success' ]
	[ "$(ledger survivors | sort -u | paste -sd' ')" = '1 2' ]
}

@test "if /proc does not tell, the group is ended and the count is empty" {
	linux_only
	needs unshare
	unsanitized			# a sanitizer needs /proc
	unshare --mount umount -l /proc 2> /dev/null ||
	    skip 'a file system cannot be unmounted here'
	witnessed left <<-'X'
		init; edit; result false success 'a helper stays'; sleep 1000 &
	X
	under=(unshare --mount sh -c 'umount -l /proc && exec "$@"' sh)
	export REHEARSAL=$SCENE/left
	begin -r 1 -i 1
	finish
	[ "$ENDED" = 'exit 0' ]
	[ "$(ledger outcome)" = success ]
	[ -z "$(ledger survivors)" ]
	nobody_left
}

@test "as the first process of a container the runner sweeps and can be ended" {
	no_emulator 'the end of a first process by a signal'
	linux_only
	needs unshare
	unshare --pid --fork --mount-proc true 2> /dev/null ||
	    skip 'a process namespace cannot be made here'
	witnessed left <<-'X'
		init; edit; setsid sleep 1000 & result false success 'and a daemon'
	X
	witnessed waits <<-'X'
		init; edit; setsid sleep 1000 & touch "$AT_WORK"; wait
	X
	under=(unshare --pid --fork --mount-proc)
	export REHEARSAL="$SCENE/left $SCENE/waits"
	begin -r 1 -i 2
	at_work
	kill -TERM "$(cat "/proc/$RUNNER/task/$RUNNER/children")"
	finish
	[ "$ENDED" = 'exit 143' ]
	nobody_left
	[ "$(outcomes)" = 'success interrupted' ]
	[ "$(ledger survivors | paste -sd' ')" = '1 1' ]
}

# ---- the end of a call ----------------------------------------------------

@test "a claude that lingers after its result is ended, and its work counts" {
	REHEARSAL=linger quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 130 ]
	project show exp-run-1-iteration-1:rehearsal.txt
}

@test "a claude that lingers and ignores INT and TERM is killed, and its work counts" {
	scene deaf <<-'X'
		trap '' TERM INT HUP
		init; edit; result false success 'I do not hear'
		while :; do sleep 1; done
	X
	REHEARSAL=$SCENE/deaf quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" = 137 ]
}

@test "a claude that only writes to stderr after its result is ended as well" {
	scene chatters <<-'X'
		init; edit; result false success 'done'
		n=0
		while [ $n -lt 100 ]; do echo 'mcp: ping' >&2; sleep 0.2; n=$((n + 1)); done
	X
	REHEARSAL=$SCENE/chatters quick -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger exit_status)" != 0 ]
}

@test "a claude that goes on working after a first result is not ended there" {
	scene twice <<-'X'
		init; result false success 'A task is in the background.'
		assistant 'It is done: now I go on.'
		sleep 2.2
		edit; result false success 'Now I am done.'
	X
	REHEARSAL=$SCENE/twice quick -r 1 -i 1
	[ "$(ledger outcome) $(ledger exit_status)" = 'success 0' ]
	project show exp-run-1-iteration-1:rehearsal.txt
	project log -1 --format=%B exp-run-1-iteration-1 | grep -qx 'Now I am done.'
}

@test "while a background task is at work there is no linger limit" {
	scene task <<-'X'
		init; printf '%s\n' '{"type":"system","subtype":"task_started","task_id":"t1"}'
		result false success 'A task is in the background.'
		sleep 2.2; edit
		printf '%s\n' '{"type":"system","subtype":"task_notification","task_id":"t1"}'
		result false success 'The task has ended.'; exec sleep 1000
	X
	REHEARSAL=$SCENE/task quick -r 1 -i 1
	[ "$(ledger outcome) $(ledger exit_status)" = 'success 130' ]
	project log -1 --format=%B exp-run-1-iteration-1 | grep -qx 'The task has ended.'
}

@test "a silent claude has timed out" {
	REHEARSAL=silent run -124 quick -r 1 -i 1 --retries 0 --idle-timeout 1
	[ "$(outcomes)" = timeout ]
}

@test "a claude that writes now and then is not silent" {
	scene talks <<-'X'
		init; edit
		for n in 1 2 3 4 5; do assistant "step $n"; sleep 0.5; done
		result false success 'step by step'
	X
	REHEARSAL=$SCENE/talks quick -r 1 -i 1 --idle-timeout 1.4
	[ "$(outcomes)" = success ]
}

@test "with --idle-timeout 0 a claude may be silent for any time" {
	scene thinks <<-'X'
		init; edit; sleep 2.2; result false success 'I had to think'
	X
	REHEARSAL=$SCENE/thinks quick -r 1 -i 1 --idle-timeout 0
	[ "$(outcomes)" = success ]
}

# ---- signals --------------------------------------------------------------

# waiting: a scene that has begun its work and waits to be ended.
waiting() {
	scene waits <<-'X'
		init; edit; touch "$AT_WORK"; exec sleep 1000
	X
	export REHEARSAL="success $SCENE/waits"
}

# interrupted_by NAME NUMBER: in the second iteration.
interrupted_by() {
	waiting
	begin -r 1 -i 3
	at_work
	kill -s "$1" "$RUNNER"
	finish
	[ "$ENDED" = "signal $2" ]
	[ "$(outcomes) $(statuses)" = 'success interrupted 0 130' ]
	[ "$(calls)" = 2 ]
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1:rehearsal.txt)" = \
	    $'call 1\ncall 2' ]
	run ! project rev-parse -q --verify exp-run-1-iteration-2
	[[ $(tail -n 1 said) == *'interrupted: repeat the command to continue' ]]
}

@test "TERM ends the runner by TERM: claude is ended, its row is written" {
	interrupted_by TERM 15
}

@test "HUP ends the runner by HUP: claude is ended, its row is written" {
	interrupted_by HUP 1
}

@test "a success that claude prints after INT is kept before the runner ends" {
	scene finishes <<-'X'
		trap 'edit; result false success "In time."; exit 0' INT
		init; touch "$AT_WORK"; sleep 1000 & wait
	X
	export REHEARSAL=$SCENE/finishes
	begin -r 1 -i 2
	at_work
	kill -INT "$RUNNER"
	finish
	[ "$ENDED" = 'signal 2' ]
	[ "$(outcomes)" = success ]
	project show exp-run-1-iteration-1:rehearsal.txt
}

@test "with -j 2 a signal ends both calls and writes both rows" {
	scene waits <<-'X'
		init; edit; touch "$AT_WORK.$CC_RUN_EXPERIMENTS_RUN"; sleep 1000
	X
	export REHEARSAL=$SCENE/waits
	begin -j 2 -r 3 -i 2
	wait_until 20 test -e "$AT_WORK.1" -a -e "$AT_WORK.2"
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = 'signal 15' ]
	[ "$(ledger outcome | sort | paste -sd' ')" = 'interrupted interrupted' ]
}

@test "a runner that is told to end also ends a claude that ignores signals, and its daemon" {
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
	[ "$ENDED" = 'signal 15' ]
	nobody_left
	[ "$(outcomes) $(statuses)" = 'interrupted 137' ]
}

@test "more signals while it ends change nothing: the first one counts" {
	export REHEARSAL=stubborn
	begin -r 1 -i 1
	wait_until 20 test -s "$REHEARSAL_STATE"
	for signal in TERM HUP INT TERM; do
		kill -s "$signal" "$RUNNER"
	done
	finish
	[[ $ENDED =~ ^signal\ (15|1|2)$ ]]	# they may be pending together
	[ "$(outcomes)" = interrupted ]
}

@test "a child whose runner was killed with KILL ends its call and all that it started" {
	linux_only
	witnessed waits <<-'X'
		init; edit; setsid sleep 1000 & touch "$AT_WORK"; sleep 1000
	X
	export REHEARSAL=$SCENE/waits
	begin -r 1 -i 1
	at_work
	kill -KILL "$RUNNER"
	finish
	[ "$ENDED" = 'signal 9' ]
	wait_until 20 flock -n "$WITNESS" true
	wait_until 20 no_survivors_yet
	forget_copies				# an empty directory is left
}

@test "a signal during a benchmark keeps the work, and nothing is measured by half" {
	linux_only
	begin -r 1 -i 2 --every-iteration --time 'first=[ -e rehearsal.txt ] || exit 0
	    exec 9>> "$WITNESS"; flock 9; trap "" HUP
	    setsid sleep 1000 & echo dirt > dirt.txt; touch "$AT_WORK"; sleep 1000' \
	    --time 'second=true'
	at_work
	kill -HUP "$RUNNER"
	finish
	[ "$ENDED" = 'signal 1' ]
	nobody_left
	[ "$(outcomes) $(calls)" = 'success 1' ]
	[ -s "$OUT/exp--run-1--iteration-0--first.csv" ]
	[ ! -e "$OUT/exp--run-1--iteration-1--first.csv" ]
	[ ! -e "$OUT/exp--run-1--iteration-1--second.csv" ]
}

@test "a signal during the build ends it too" {
	begin -r 1 -i 1 --build 'touch "$AT_WORK"; sleep 1000' --time 'b=true'
	at_work
	kill -INT "$RUNNER"
	finish
	[ "$ENDED" = 'signal 2' ]
	[ "$(calls)" = 0 ]
}

@test "a signal while claude is asked for its version ends that call" {
	printf '#!/bin/sh\ntouch "$AT_WORK"; sleep 1000\n' > wrapper
	chmod +x wrapper
	export CC_CLAUDE=$PWD/wrapper
	begin -r 1 -i 1
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = 'signal 15' ]
}

@test "a git that hangs does not keep the runner from ending after TERM" {
	local git
	git=$(command -v git)
	cat > bin/git <<-END
		#!/bin/sh
		if [ "\$1" = add ] && [ ! -e "$AT_WORK" ]; then
			: > "$AT_WORK"; exec sleep 1000
		fi
		exec $git "\$@"
	END
	chmod +x bin/git
	begin -r 1 -i 2
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = 'signal 15' ]
	run -0 experiment -r 1 -i 2
	[ "$(outcomes | tr ' ' '\n' | tail -n 1)" = success ]
}

@test "a signal at any git command loses nothing: the same command finishes" {
	local git k
	git=$(command -v git)
	cat > bin/git <<-X
		#!/bin/sh
		if [ -n "\${TERM_AT-}" ]; then
			echo x >> "$BATS_TEST_TMPDIR/gits"
			[ \$((\$(wc -l < "$BATS_TEST_TMPDIR/gits"))) -ne "\$TERM_AT" ] ||
			    kill -TERM \$(cat "$BATS_TEST_TMPDIR/ended.pid")
		fi
		exec "$git" "\$@"
	X
	chmod +x bin/git
	for k in 3 8 14 21; do
		rm -f gits
		TERM_AT=$k begin -r 1 -i 2 --time b=true
		finish
		[ "$ENDED" = 'signal 15' ] || [ "$ENDED" = 'exit 0' ]
	done
	experiment -r 1 -i 2 --time b=true
	[ "$(awk -F, '$6 == 1 { print $3 $5 }' "$OUT/exp--iterations.csv" | paste -sd' ')" = \
	    '1success 2success' ]
	[ "$(project show exp-run-1-iteration-2:rehearsal.txt | wc -l)" = 2 ]
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
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = 'signal 15' ]
	[ "$(ledger outcome | head -n 1)" = success ]
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
	[ "$ENDED" = 'exit 0' ]
	[ "$(outcomes)" = success ]
}

@test "a parent that ignores CHLD hides no exit status from the runner" {
	under=("$CREATURE" with "i$(kill -l CHLD)" --)
	export REHEARSAL="crash success hang"
	begin -r 1 -i 3 --retries 0 --iteration-timeout 1
	finish
	[ "$ENDED" = 'exit 124' ]
	[ "$(outcomes) $(statuses)" = 'failure success timeout 1 0 130' ]
}

# masks_empty FILE: no signal is blocked or ignored in it. 32 and 33 are the C
# library's own.
masks_empty() {
	local line
	[ "$(wc -l < "$1")" = 2 ]
	while read -r _ line; do
		[ $((16#$line & 16#7fffffff)) = 0 ]
	done < "$1"
}

@test "signals that a parent ignores or blocks neither stop our limits nor reach claude" {
	local s
	linux_only
	under=("$CREATURE" with)
	for s in ALRM TERM CHLD HUP PIPE; do under+=("i$(kill -l $s)"); done
	for s in ALRM TERM CHLD INT HUP USR1; do under+=("b$(kill -l $s)"); done
	under+=(--)
	scene looks <<-'X'
		init; edit; grep -E '^Sig(Blk|Ign)' /proc/self/status > "$AT_WORK"
		result false success 'seen'
	X
	export REHEARSAL="$SCENE/looks hang"
	begin -r 1 -i 2 --retries 0 --iteration-timeout 1 \
	    --time "masks=grep -E '^Sig(Blk|Ign)' /proc/self/status"
	finish
	[ "$ENDED" = 'exit 124' ]
	[ "$(outcomes)" = 'success timeout' ]
	masks_empty "$AT_WORK"
	masks_empty "$OUT/exp--run-1--iteration-0--masks.log"
}

@test "a runner started with TERM blocked and ignored can be ended by TERM" {
	waiting
	under=("$CREATURE" with "i$(kill -l TERM)" "b$(kill -l TERM)" "b$(kill -l CHLD)" --)
	begin -r 1 -i 2
	at_work
	kill -TERM "$RUNNER"
	finish
	[ "$ENDED" = 'signal 15' ]
	[ "$(outcomes)" = 'success interrupted' ]
}

# ---- descriptors and terminals --------------------------------------------

@test "if stdin, stdout or stderr are closed at the start, everything works" {
	local closed
	for closed in 0 12; do
		(
			case $closed in *0*) exec 0<&- ;; esac
			case $closed in *1*) exec 1>&- ;; esac
			case $closed in *2*) exec 2>&- ;; esac
			experiment -v -r 1 -i 1 --time 'b=echo hello' 3>&-
		)
		[ "$(csv_lines exp--iterations.csv) $(csv_lines exp--diffstats.csv)" = '2 2' ]
		[ "$(head -n 1 "$OUT/exp--experiment.csv")" = key,value ]
		[ "$(cat "$OUT/exp--run-1--iteration-1--b.log")" = hello ]
		run ! grep -v '^{' "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
		[ ! -s "$OUT/exp--run-1--iteration-1--attempt-1.err" ]
		forget
	done
}

@test "claude, the build, the benchmark and git get three descriptors and no other of the runner's" {
	printf 'exec >> "$SEEN/$1"\nls -l "/proc/$$/fd"\n:\n' > fds
	mkdir seen
	export SEEN=$PWD/seen SCRIPT=$PWD/fds GIT
	GIT=$(command -v git)
	printf '#!/bin/sh\n[ -z "${CC_TEST_ID-}" ] || sh "$SCRIPT" git\nexec "$GIT" "$@"\n' > bin/git
	chmod +x bin/git
	scene looks <<-'X'
		init; edit; sh "$SCRIPT" claude; result false success 'looked'
	X
	# bats has one of its own.
	REHEARSAL=$SCENE/looks experiment -r 1 -i 1 --build 'sh "$SCRIPT" build' \
	    --time b='sh "$SCRIPT" benchmark' 3>&- 4>&- 7< /dev/null 19> nineteen
	[ "$(echo seen/*)" = 'seen/benchmark seen/build seen/claude seen/git' ]
	grep -q ' 2 -> ' seen/git
	# The shell itself holds its script open.
	run ! grep -rv -e '^total' -e ' [012] -> ' -e " -> $SCRIPT$" seen
}

@test "the caller's standard input is left alone; a benchmark's is empty" {
	local line git
	git=$(command -v git)
	cat > bin/git <<-X
		#!/bin/sh
		case "\$1" in add | clean | write-tree) cat >> "$BATS_TEST_TMPDIR/git-read" ;; esac
		exec "$git" "\$@"
	X
	chmod +x bin/git
	{
		experiment -r 1 -i 1 --build 'cat; readlink /proc/$$/fd/0' \
		    --time 'input=cat; readlink /proc/$$/fd/0'
		read -r line
	} <<< "this is mine"
	[ "$line" = "this is mine" ]
	[ "$(cat "$OUT/exp--run-1--iteration-0--build.log")" = /dev/null ]
	[ "$(cat "$OUT/exp--run-1--iteration-0--input.log")" = /dev/null ]
	[ -e git-read ]
	[ ! -s git-read ]
}

# on_terminal OPTION...: the quick experiment on a terminal, its output in said.
on_terminal() {
	needs script
	TERM=xterm CC_TEST_ID=$BATS_TEST_TMPDIR script -qec \
	    "stty tostop; '$CCRE_QUICK' --no-plugin -o '$OUT' $* '$PROJECT' exp" \
	    /dev/null > said < /dev/null 3>&-
}

@test "claude has a session of its own, without a terminal" {
	needs script
	linux_only
	scene looks <<-'X'
		init; edit; sed 's/.*) //' /proc/$$/stat > "$AT_WORK"; echo $$ >> "$AT_WORK"
		result false success 'seen'
	X
	REHEARSAL=$SCENE/looks on_terminal -r 1 -i 1
	{
		read -r _ _ group session terminal _
		read -r pid
	} < "$AT_WORK"
	[ "$group $session $terminal" = "$pid $pid 0" ]
}

@test "a tool that reads or writes the terminal stops nothing and prints nothing there" {
	needs script
	scene asks <<-'X'
		init; edit
		(read -r answer < /dev/tty; echo "$answer" > answer.txt) 2>/dev/null &
		(stty sane < /dev/tty) 2>/dev/null
		(echo hello > /dev/tty) 2>/dev/null
		wait
		result false success 'nobody answered'
	X
	REHEARSAL=$SCENE/asks on_terminal -r 1 -i 1 --retries 0 --iteration-timeout 5
	[ "$(outcomes)" = success ]
	run ! grep hello said
}

# works: a scene that lasts longer than a status line takes to be drawn.
works() {
	scene works <<-'X'
		init; edit; sleep 1.5; result false success 'done'
	X
	export REHEARSAL="success $SCENE/works"
}

@test "on a terminal a status line has the cost, the run, the iteration and the times" {
	needs script
	works
	on_terminal -r 1 -i 2
	grep -q $'\r\\$0.01 run 1/1 iteration 2/2 .*0:0[01]/30:00' said
}

@test "a child that the agent has stopped goes on" {
	linux_only
	needs script
	scene stops <<-'X'
		init; edit; result false success 'done'; kill -STOP $PPID
	X
	REHEARSAL=$SCENE/stops on_terminal -r 1 -i 1
	[ "$(outcomes)" = success ]
}

@test "with -j 2 the status line has both runs, and what each does if it does not call claude" {
	needs script
	scene works <<-'X'
		init; edit; sleep 2.5; result false success 'done'
	X
	REHEARSAL=$SCENE/works on_terminal -r 2 -i 1 -j 2 --benchmark "'a=sleep 1.5; echo runtime: 1ms'"
	grep -qE $'\r\\$0.00( [12]\\.1 0:0[0-9]){2}' said
	grep -qE $'\r\\$0.0[0-9]( [12]\\.[01] (benchmark|waiting)){2}' said
}

@test "with -q there is no status line on a terminal, and nothing else" {
	needs script
	works
	on_terminal -q -r 1 -i 2
	[ "$(outcomes)" = 'success success' ]
	[ ! -s said ]
}

@test "without a terminal there is never a status line" {
	works
	TERM=xterm quick -r 1 -i 2 > said.out 2> said
	[ "$(outcomes)" = 'success success' ]
	run ! grep -q $'[\r\033]' said said.out
}

@test "Ctrl-C at a terminal interrupts, and claude is ended as by any signal" {
	needs script
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
	[ "$(outcomes) $(statuses)" = 'success interrupted 0 130' ]
}

# ---- what cannot be executed ----------------------------------------------

# nothing_made: no call, no output directory, no ref.
nothing_made() {
	[ "$(calls)" = 0 ]
	[ ! -e "$OUT" ]
	[ "$(project for-each-ref --format='%(refname)')" = refs/heads/main ]
}

@test "a claude that does not exist: status 127, its name, nothing touched" {
	CC_CLAUDE=$PWD/none run -127 experiment
	[[ $output == *"$PWD/none"* ]]
	mkdir only
	ln -s "$(command -v git)" only/git
	PATH=$PWD/only run -127 experiment
	[[ $output == *claude* ]]
	nothing_made
}

@test "a claude that is a directory or not executable: status 126" {
	mkdir a-directory only
	CC_CLAUDE=$PWD/a-directory run -126 experiment
	[[ $output == *a-directory* ]]
	echo '#!/bin/sh' > a-file
	CC_CLAUDE=$PWD/a-file run -126 experiment
	[[ $output == *a-file* ]]
	ln -s "$(command -v git)" only/git
	cp a-file only/claude
	PATH=$PWD/only run -126 experiment
	[[ $output == *claude* ]]
	nothing_made
}

@test "a git that does not exist: status 127" {
	mkdir only
	ln -s "$(command -v claude)" only/claude
	PATH=$PWD/only run -127 experiment
	[[ $output == *git* ]]
	nothing_made
}

@test "a directory or a plain file called claude on PATH does not hide the real one" {
	mkdir -p first/claude second
	echo '#!/bin/sh' > second/claude
	PATH=$PWD/first:$PWD/second:$PATH experiment -r 1 -i 1
	[ "$(outcomes)" = success ]
}

@test "a claude whose interpreter is missing, or that has none, stops at once" {
	no_emulator 'what posix_spawn tells'
	printf '#!/no/such/interpreter\n' > strange
	printf 'echo I ran\n' > plain
	chmod +x strange plain
	CC_CLAUDE=$PWD/strange run -127 experiment
	[[ $output == *strange* ]]
	[ ! -e "$OUT/exp--iterations.csv" ] || [ -z "$(ledger outcome)" ]
	CC_CLAUDE=$PWD/plain run -126 experiment
	[[ $output == *plain* && $output != *"I ran"* ]]
	[ ! -e "$OUT/exp--iterations.csv" ] || [ -z "$(ledger outcome)" ]
}

@test "empty and relative elements of PATH never find a claude or git in the project" {
	local name real=$PATH
	mkdir rel "$PROJECT/rel"
	for name in claude git; do
		printf '#!/bin/sh\ntouch "%s/executed"\n' "$PWD" |
		    tee "$name" "rel/$name" "$PROJECT/$name" > "$PROJECT/rel/$name"
		chmod +x "$name" "rel/$name" "$PROJECT/$name" "$PROJECT/rel/$name"
	done
	snapshot
	for path in ":$real" ".:rel:./rel:$real:"; do
		PATH=$path experiment -q -r 1 -i 1
		[ ! -e executed ]
		forget
	done
	cd "$PROJECT"
	for path in "" ".:rel::"; do
		PATH=$path run -127 experiment
		[ ! -e "$BATS_TEST_TMPDIR/executed" ]
	done
}

@test "a claude that is removed in the middle stops with 127, the work is kept" {
	no_emulator 'what posix_spawn tells'
	cp "$CCRE_ROOT/contrib/rehearsal-claude" own
	scene vanish <<-X
		init; edit; rm "$PWD/own"; result false success 'so long'
	X
	CC_CLAUDE=$PWD/own REHEARSAL=$SCENE/vanish run -127 experiment -r 2 -i 2
	[[ $output == *"$PWD/own"* ]]
	[ "$(outcomes) $(calls)" = 'success 1' ]
	[ "$(project show exp-run-1-iteration-1:rehearsal.txt)" = 'call 1' ]
}

# ---- frugality, obstacles -------------------------------------------------

@test "a runner that waits uses next to no processor time" {
	local cpu
	linux_only
	ticks() {	# of the runner and its child
		cat "/proc/$RUNNER/stat" "/proc/$(cat "/proc/$RUNNER/task/$RUNNER/children")/stat" |
		    sed 's/.*) //' | awk '{ n += $12 + $13 } END { print n }'
	}
	waiting
	REHEARSAL=$SCENE/waits PROGRAM=$CCRE begin -r 1 -i 1
	at_work
	sleep 0.3
	cpu=$(ticks)
	sleep 2
	echo "$(($(ticks) - cpu)) ticks"
	[ "$(($(ticks) - cpu))" -le 2 ]
	kill -TERM "$RUNNER"
	finish
}

@test "a pipe in the place of the next transcript does not make the runner wait" {
	scene obstructs <<-'X'
		init; edit; mkfifo "$OUT/exp--run-1--iteration-2--attempt-1.jsonl"
		result false success 'now open it'
	X
	export REHEARSAL="$SCENE/obstructs success"
	begin -r 1 -i 2
	finish
	[ "$(project show exp-run-1-iteration-1:rehearsal.txt)" = 'call 1' ]
}

@test "pipes in the place of files that git reads do not make the runner wait" {
	scene obstructs <<-'X'
		init; edit; mkdir sub; mkfifo sub/.gitignore; rm -f .git/HEAD; mkfifo .git/HEAD
		result false success 'now read it'
	X
	export REHEARSAL="$SCENE/obstructs success"
	begin -r 1 -i 2
	finish
	[ "$ENDED" = 'exit 0' ]
	[ "$(outcomes)" = 'success success' ]
}
