# contrib/claude-bwrap and contrib/claude-container, with agents that try to read
# and write outside. The tests look from outside.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016); SANDBOX_PROGRAM=sh names a program (2209); each test may change the
# directory (2103).
# shellcheck disable=SC2030,SC2031,SC2016,SC2209,SC2103

load helper

# sandboxed_by bwrap|container: set CC_CLAUDE to the wrapper, put secrets into $HOME.
sandboxed_by() {
	export CC_CLAUDE=$CCRE_ROOT/contrib/claude-$1 SANDBOX_READ=$SCENE
	case $1 in
	bwrap)
		bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true 2> /dev/null ||
		    skip 'bubblewrap cannot be used here' ;;
	container)
		# The image has only links into /usr, which is mounted.
		local name stores="--root $BATS_TEST_TMPDIR/store --runroot $BATS_TEST_TMPDIR/run"
		export SANDBOX_ENGINE="podman --runtime runc --cgroup-manager cgroupfs --storage-driver vfs $stores"
		export SANDBOX_IMAGE=links SANDBOX_OPTIONS='--network host --ulimit nofile=1024:1024 --ulimit nproc=1000:1000'
		SANDBOX_READ+=:/usr:$CCRE_ROOT/contrib/rehearsal-claude
		mkdir -p image/usr image/etc image/tmp
		for name in bin sbin lib lib32 lib64; do
			ln -s usr/$name image/$name
		done
		# shellcheck disable=SC2086 # words
		if ! tar -C image -c . | $SANDBOX_ENGINE import - links > /dev/null 2>&1 ||
		    ! $SANDBOX_ENGINE run --rm $SANDBOX_OPTIONS -v /usr:/usr:ro links true 2> /dev/null; then
			skip 'podman cannot be used here'
		fi ;;
	esac
	mkdir -p "$HOME/.ssh" "$HOME/.claude" other
	echo 'the private key' > "$HOME/.ssh/id"
	echo '{}' > "$HOME/.claude/settings.json"
	echo '{"token":1}' > "$HOME/.claude/.credentials.json"
	echo '{"projects":{}}' > "$HOME/.claude.json"
	echo 'my other project' > other/file
	export SANDBOX_PROGRAM=$CCRE_ROOT/contrib/rehearsal-claude REHEARSAL_OUT=$OUT REHEARSAL_PID=$$
	export REHEARSAL_USER=$BATS_TEST_TMPDIR REHEARSAL_WRAPPER=$CC_CLAUDE
	unset REHEARSAL_STATE
}

teardown() {
	[ -z "${SANDBOX_ENGINE-}" ] || $SANDBOX_ENGINE rm --all --force > /dev/null
	checks
}

# said: the file "said" that the agent wrote in its copy.
said() {
	project show "exp-run-1-iteration-1:said"
}

# boxed SCRIPT: execute the script by a shell in the sandbox, in the project.
boxed() (
	cd "$PROJECT" || return
	SANDBOX_PROGRAM=sh "$CC_CLAUDE" -c "$1"
)

# works: an edit is kept; history, TMPDIR and a directory in the home can be used.
works() {
	scene works <<-'END'
		init; echo fast > main.py; git log --format=%s -1 > said; echo x > "$TMPDIR/x"
		mkdir -p ~/.cache/x && echo x > ~/.cache/x/y; result false success Done.
	END
	REHEARSAL=$SCENE/works experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[[ "$(ledger claude_version)" =~ ^[0-9.]+$ ]]
	[ "$(said)" = baseline ]
	[ ! -e "$HOME/.cache" ]
}

# commits: a commit of the agent is taken.
commits() {
	scene commits <<-'END'
		init; echo fast > main.py; git commit -qam 'by the agent' 2> said && git status --porcelain -uno >> said
		result false success Done.
	END
	REHEARSAL=$SCENE/commits experiment -r 1 -i 1
	[ -z "$(said)" ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = fast ]
	project log --format=%s exp-run-1-iteration-1 | grep -qx 'by the agent'
}

# has_plugin: the plugin can be read, and the next iteration continues the work.
has_plugin() {
	mkdir -p plugin/skills
	echo hello > plugin/skills/file
	scene reads <<-'END'
		init; cat "$plugin/skills/file" >> said; echo "$call" >> said; echo x 2> /dev/null > "$plugin/x"
		result false success Done.
	END
	REHEARSAL=$SCENE/reads CC_PLUGIN_DIR=$PWD/plugin ccre -r 1 -i 2 -o "$OUT" "$PROJECT" exp
	[ "$(ledger outcome | xargs)" = 'success success' ]
	[ "$(project show exp-run-1-iteration-2:said | xargs)" = 'hello 1 hello 2' ]
	[ ! -e plugin/x ]
}

# hides_plugin: the arm without the plugin does not see its directory.
hides_plugin() {
	mkdir plugin
	echo hello > plugin/file
	run -0 --separate-stderr boxed "cat $PWD/plugin/file || echo hidden"
	[ "$output" = hidden ]
}

# cannot_look PROCESSES: the agent sees no secrets, no results, not the user's
# repository, and so many processes, with ps itself.
cannot_look() {
	scene looks <<-'END'
		init
		{
			cat ~/.ssh/id "$REHEARSAL_USER/other/file" "$REHEARSAL_OUT"/*
			ls -a ~ .. / ~/.. "$REHEARSAL_OUT" "$REHEARSAL_USER/project"
			cat "$REHEARSAL_USER/project/.git/HEAD"
			cat /etc/shadow /etc/ssh/ssh_host_*
			ps ax
		} > said 2> /dev/null
		kill -0 "$REHEARSAL_PID" 2> /dev/null && echo "killed it" >> said
		result false success Looked.
	END
	REHEARSAL=$SCENE/looks experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	said > all
	cat all
	run ! grep -aE 'private key|my other|experiment_id|^ref: |^root:|PRIVATE|killed it' all
	[ "$(grep -c '^ *[0-9][0-9]* ' all)" = "$1" ]
	run ! grep -x '.ssh' all
}

# cannot_write: nothing outside is changed, whatever the agent tries to write.
cannot_write() {
	scene writes <<-'END'
		init
		for f in ~/.ssh/authorized_keys ~/.bashrc ~/.claude/settings.json ~/.claude/hooks ~/.claude.json \
		    "$REHEARSAL_USER/other/file" ../file ../index ../store/x "$REHEARSAL_OUT/exp--iterations.csv" /usr/bin/forged /etc/forged \
		    /tmp/forged-by-an-agent /var/tmp/forged-by-an-agent /dev/shm/forged-by-an-agent \
		    "$REHEARSAL_USER/project/.git/config" /opt/forged "$REHEARSAL_WRAPPER"; do
			{ echo forged >> "$f"; } 2> /dev/null
		done
		# Root may write these without any capability: only look.
		for f in $(find /proc/sys -type f -perm -200 -name '*pattern*') /proc/sysrq-trigger; do
			[ ! -w "$f" ] || echo "$f" >> said
		done
		mount -o remount,rw,bind /usr 2> /dev/null && touch /usr/forged
		result false success Wrote.
	END
	find "$HOME" other "$CC_CLAUDE" -type f -exec cksum {} + > before
	REHEARSAL=$SCENE/writes experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	find "$HOME" other "$CC_CLAUDE" -type f -exec cksum {} + | diff before -
	run ! grep -r forged "$OUT"/*.csv
	run ! project show exp-run-1-iteration-1:said	# nothing can be written
	local f
	for f in /usr/bin/forged /etc/forged /opt/forged /tmp/forged-by-an-agent \
	    /var/tmp/forged-by-an-agent /dev/shm/forged-by-an-agent; do
		[ ! -e "$f" ]
	done
}

# cannot_stay: the agent's processes are ended after a success and after a timeout.
cannot_stay() {
	scene stays <<-'END'
		init; (setsid sleep 1000 &) ; trap "" TERM; edit; sleep 1000
	END
	scene leaves <<-'END'
		init; (setsid sleep 1000 &) ; edit; result false success Left.
	END
	REHEARSAL="$SCENE/leaves $SCENE/stays" quick -r 1 -i 2 --iteration-timeout 3s --retries 0 || :
	[ "$(ledger outcome | xargs)" = 'success timeout' ]
	no_survivors
}

# measures WORDS: a benchmark runs in the sandbox, with these options.
measures() {
	cat > "$PROJECT/bench.sh" <<-'END'
		cat ~/.ssh/id 2> /dev/null
		echo "network: $(grep -c : /proc/net/dev)"
		echo "b: iterations=1 runtime: 5us"
	END
	project add -A
	project commit -qm bench
	snapshot
	experiment -r 1 -i 1 -b "b=SANDBOX_PROGRAM=sh SANDBOX_OPTIONS='$1' $CC_CLAUDE bench.sh"
	grep -q ',5$' "$OUT/exp--run-1--iteration-1--b.csv"
	run ! grep -r 'private key' "$OUT"
	grep -q '^network: 1$' "$OUT/exp--run-1--iteration-1--b.log"	# lo alone
}

@test "in bubblewrap an edit of claude is kept" {
	sandboxed_by bwrap
	works
}

@test "in bubblewrap a commit of claude is taken" {
	sandboxed_by bwrap
	commits
}

@test "in bubblewrap claude has the plugin, and a later iteration continues the work" {
	sandboxed_by bwrap
	has_plugin
}

@test "in bubblewrap the arm without the plugin does not see its directory" {
	sandboxed_by bwrap
	hides_plugin
}

@test "an agent in bubblewrap cannot read keys, results, the repository or processes" {
	sandboxed_by bwrap
	cannot_look 3		# bwrap, the agent and ps
}

@test "an agent in bubblewrap cannot write outside of its copy" {
	sandboxed_by bwrap
	cannot_write
}

@test "an agent in bubblewrap that hangs or leaves processes is ended with all of them" {
	sandboxed_by bwrap
	cannot_stay
}

@test "a benchmark can run in bubblewrap, without a network" {
	sandboxed_by bwrap
	measures --unshare-net
}

@test "in a container an edit of claude is kept" {
	sandboxed_by container
	works
}

@test "in a container a commit of claude is taken" {
	sandboxed_by container
	commits
}

@test "in a container claude has the plugin, and a later iteration continues the work" {
	sandboxed_by container
	has_plugin
}

@test "in a container the arm without the plugin does not see its directory" {
	sandboxed_by container
	hides_plugin
}

@test "an agent in a container cannot read keys, results, the repository or processes" {
	sandboxed_by container
	cannot_look 2		# the agent and ps
}

@test "an agent in a container cannot write outside of its copy" {
	sandboxed_by container
	cannot_write
}

@test "an agent in a container that hangs or leaves processes is ended with all of them" {
	sandboxed_by container
	cannot_stay
}

@test "a benchmark can run in a container, without a network" {
	sandboxed_by container
	measures "--network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
}

# ---- messages ---------------------------------------------------------------

BWRAP=$CCRE_ROOT/contrib/claude-bwrap
CONTAINER=$CCRE_ROOT/contrib/claude-container

@test "a program that is not found is named" {
	command -v bwrap > /dev/null || skip 'no bubblewrap'
	SANDBOX_PROGRAM=nowhere run -1 "$BWRAP" --version
	[ "$output" = 'claude-bwrap: nowhere: not found: set SANDBOX_PROGRAM or PATH' ]
}

@test "a linked work tree is refused" {
	command -v bwrap > /dev/null || skip 'no bubblewrap'
	project worktree add -q ../linked
	snapshot
	cd linked
	run -1 "$BWRAP" -p
	[ "$output" = "claude-bwrap: $PWD: expected a .git directory, not a linked work tree" ]
	SANDBOX_ENGINE=true SANDBOX_IMAGE=x run -1 "$CONTAINER" -p
	[ "$output" = "claude-container: $PWD: expected a .git directory, not a linked work tree" ]
}

@test "outside of a repository the sandbox shows no directory, also by a link to the wrapper" {
	sandboxed_by bwrap
	SANDBOX_PROGRAM=sh run -0 "$BWRAP" -c 'pwd; ls'
	[ "$(head -n 1 <<< "$output")" = / ]
	ln -s "$BWRAP" link
	SANDBOX_PROGRAM=sh run -0 ./link -c pwd
	[ "$output" = / ]
}

@test "a wrapper without its shared part says what to copy" {
	cp "$BWRAP" "$CONTAINER" .
	run -1 ./claude-bwrap --version
	[ "$output" = "claude-bwrap: $PWD/claude-sandbox.sh: not found: copy it with this file" ]
	run -1 ./claude-container --version
	[ "$output" = "claude-container: $PWD/claude-sandbox.sh: not found: copy it with this file" ]
}

@test "a container without an image is refused" {
	SANDBOX_ENGINE=true run -1 "$CONTAINER" --version
	[ "$output" = 'claude-container: SANDBOX_IMAGE is not set: expected an image with claude and git' ]
}

@test "a missing bubblewrap, podman or docker is named" {
	mkdir nothing
	ln -s "$(command -v sh)" nothing
	PATH=$PWD/nothing run -1 "$BWRAP" --version
	[ "$output" = 'claude-bwrap: bwrap is not found: install bubblewrap' ]
	PATH=$PWD/nothing run -1 "$CONTAINER" --version
	[ "$output" = 'claude-container: podman and docker are not found: install one' ]
}
