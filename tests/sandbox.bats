# contrib/claude-bwrap and contrib/claude-container with agents that want out:
# whatever they try is seen from outside.

# Each test is a process of its own (2030, 2031); scripts are for claude to
# expand (2016); SANDBOX_PROGRAM=sh names a program (2209); bats leaves cd
# behind (2103).
# shellcheck disable=SC2030,SC2031,SC2016,SC2209,SC2103

load helper

# sandboxed_by bwrap|container: the wrapper for CC_CLAUDE, and a home with secrets.
sandboxed_by() {
	export CC_CLAUDE=$CCRE_ROOT/contrib/claude-$1 SANDBOX_READ=$SCENE
	case $1 in
	bwrap)
		bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true 2> /dev/null ||
		    skip 'bubblewrap cannot be used here' ;;
	container)
		# An image with nothing but links into /usr, which is mounted.
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
	unset REHEARSAL_STATE
}

teardown() {
	no_survivors
	[ -z "${SANDBOX_ENGINE-}" ] || $SANDBOX_ENGINE rm --all --force > /dev/null
}

# said: what the agent wrote into the file "said" of its work tree.
said() {
	project show "exp-run-1-iteration-1:said"
}

# boxed SCRIPT: a shell in the sandbox of the project.
boxed() (
	cd "$PROJECT" || return
	SANDBOX_PROGRAM=sh "$CC_CLAUDE" -c "$1"
)

works() {
	scene works <<-'END'
		init; echo fast > main.py; git log --format=%s -1 > said; echo x > "$TMPDIR/x"
		mkdir -p ~/.cache/x && echo x > ~/.cache/x/y; result false success Done.
	END
	REHEARSAL=$SCENE/works experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger claude_version)" = 2.1.330 ]
	[ "$(said)" = "$(project log --format=%s -1 main)" ]
	[ ! -e "$HOME/.cache" ]
	house_is_clean
}

works_in_a_clone() {
	mkdir -p plugin/skills
	echo hello > plugin/skills/file
	scene reads <<-'END'
		init; cat "$plugin/skills/file" >> said; echo "$call" >> said; echo x 2> /dev/null > "$plugin/x"
		result false success Done.
	END
	export REHEARSAL=$SCENE/reads CC_PLUGIN_DIR=$PWD/plugin
	ccre --isolate -r 1 -i 2 -o "$OUT" "$PROJECT" exp
	[ "$(ledger outcome | xargs)" = 'success success' ]
	[ "$(project show exp-run-1-iteration-2:said | xargs)" = 'hello 1 hello 2' ]
	[ ! -e plugin/x ]
	# The arm without the plugin does not see it, though it is named.
	run -0 --separate-stderr boxed "cat $PWD/plugin/skills/file || echo hidden"
	[ "$output" = hidden ]
}

cannot_look() {	# cannot_look PROCESSES: so many it sees, with ps itself
	scene looks <<-'END'
		init
		{
			cat ~/.ssh/id ../other/file "$REHEARSAL_OUT"/*
			ls -a ~ .. / ~/.. "$REHEARSAL_OUT"
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
	run ! grep -aE 'private key|my other|experiment_id|^root:|PRIVATE|killed it' all
	[ "$(grep -c '^ *[0-9][0-9]* ' all)" = "$1" ]
	run ! grep -x '.ssh' all
}

cannot_write() {
	scene writes <<-'END'
		init
		for f in ~/.ssh/authorized_keys ~/.bashrc ~/.claude/settings.json ~/.claude/hooks ~/.claude.json \
		    ../other/file ../file "$REHEARSAL_OUT/exp--iterations.csv" /usr/bin/planted /etc/planted \
		    /tmp/planted-by-an-agent /var/tmp/planted-by-an-agent /dev/shm/planted-by-an-agent \
		    /opt/planted "$CC_CLAUDE"; do
			{ echo planted >> "$f"; } 2> /dev/null
		done
		# Root may, without any capability; not tried in earnest.
		for f in $(find /proc/sys -type f -perm -200 -name '*pattern*') /proc/sysrq-trigger; do
			[ ! -w "$f" ] || echo "$f" >> said
		done
		mount -o remount,rw,bind /usr 2> /dev/null && touch /usr/planted
		result false success Wrote.
	END
	find "$HOME" other "$CC_CLAUDE" -type f -exec cksum {} + > before
	REHEARSAL=$SCENE/writes experiment -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	find "$HOME" other "$CC_CLAUDE" -type f -exec cksum {} + | diff before -
	run ! grep -r planted "$OUT"/*.csv
	run ! project show exp-run-1-iteration-1:said	# nothing could be written
	[ ! -e file ]
	local f
	for f in /usr/bin/planted /etc/planted /opt/planted /tmp/planted-by-an-agent \
	    /var/tmp/planted-by-an-agent /dev/shm/planted-by-an-agent; do
		[ ! -e "$f" ]
	done
	house_is_clean
}

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
	house_is_clean
}

measures() {	# measures WORDS: with these options of the sandbox
	cat > "$PROJECT/bench.sh" <<-'END'
		cat ~/.ssh/id 2> /dev/null
		echo "network: $(grep -c : /proc/net/dev)"
		echo "b: iterations=1 runtime: 5us"
	END
	project add -A
	project commit -qm bench
	BASE=$(project rev-parse main)
	export BASE
	experiment -r 1 -i 1 -b "b=SANDBOX_PROGRAM=sh SANDBOX_OPTIONS='$1' $CC_CLAUDE bench.sh"
	grep -q ',5$' "$OUT/exp--run-1--iteration-1--b.csv"
	run ! grep -r 'private key' "$OUT"
	grep -q '^network: 1$' "$OUT/exp--run-1--iteration-1--b.log"	# lo alone
	house_is_clean
}

@test "in the sandbox of bubblewrap claude edits the project, and the work is committed" {
	sandboxed_by bwrap
	works
}

@test "in the sandbox of bubblewrap a clone, a plugin and a later iteration work as outside" {
	sandboxed_by bwrap
	works_in_a_clone
}

@test "an agent in the sandbox of bubblewrap cannot read keys, results, other projects or processes" {
	sandboxed_by bwrap
	cannot_look 3		# bwrap, the agent and ps
}

@test "an agent in the sandbox of bubblewrap cannot write outside of its work tree" {
	sandboxed_by bwrap
	cannot_write
}

@test "an agent in the sandbox of bubblewrap that hangs, or leaves processes, is ended with all of them" {
	sandboxed_by bwrap
	cannot_stay
}

@test "a benchmark can be put into the sandbox of bubblewrap, without a network" {
	sandboxed_by bwrap
	measures --unshare-net
}

@test "in a container claude edits the project, and the work is committed" {
	sandboxed_by container
	works
}

@test "in a container a clone, a plugin and a later iteration work as outside" {
	sandboxed_by container
	works_in_a_clone
}

@test "an agent in a container cannot read keys, results, other projects or processes" {
	sandboxed_by container
	cannot_look 2		# the agent and ps
}

@test "an agent in a container cannot write outside of its work tree" {
	sandboxed_by container
	cannot_write
}

@test "an agent in a container that hangs, or leaves processes, is ended with all of them" {
	sandboxed_by container
	cannot_stay
}

@test "a benchmark can be put into a container, without a network" {
	sandboxed_by container
	measures "--network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
}

@test "what a sandbox cannot do is said in a line" {
	sandboxed_by bwrap
	cd "$PROJECT"
	SANDBOX_PROGRAM=nowhere run -1 "$CC_CLAUDE" --version
	[ "$output" = 'claude-bwrap: nowhere: not found: set SANDBOX_PROGRAM or PATH' ]
	project worktree add -q ../linked
	cd ../linked
	run -1 "$CC_CLAUDE" -p
	[ "$output" = "claude-bwrap: $PWD: expected a .git directory, not a linked work tree: use --isolate" ]
	SANDBOX_ENGINE=true SANDBOX_IMAGE=x run -1 "$CCRE_ROOT/contrib/claude-container" -p
	[ "$output" = "claude-container: $PWD: expected a .git directory, not a linked work tree: use --isolate" ]
	cd ..
	SANDBOX_PROGRAM=sh run -0 "$CC_CLAUDE" -c 'pwd; ls'
	[ "$(head -n 1 <<< "$output")" = / ]
	ln -s "$CC_CLAUDE" link
	SANDBOX_PROGRAM=sh run -0 ./link -c pwd
	[ "$output" = / ]
	cp "$CCRE_ROOT"/contrib/claude-bwrap "$CCRE_ROOT"/contrib/claude-container .
	run -1 ./claude-bwrap --version
	[ "$output" = "claude-bwrap: $PWD/claude-sandbox.sh: not found: copy it with this file" ]
	run -1 ./claude-container --version
	[ "$output" = "claude-container: $PWD/claude-sandbox.sh: not found: copy it with this file" ]
	SANDBOX_ENGINE=true run -1 "$CCRE_ROOT/contrib/claude-container" --version
	[ "$output" = 'claude-container: SANDBOX_IMAGE is not set: expected an image with claude and git' ]
	mkdir nothing
	ln -s "$(command -v sh)" nothing
	PATH=$PWD/nothing run -1 "$CC_CLAUDE" --version
	[ "$output" = 'claude-bwrap: bwrap is not found: install bubblewrap' ]
	PATH=$PWD/nothing run -1 "$CCRE_ROOT/contrib/claude-container" --version
	[ "$output" = 'claude-container: podman and docker are not found: install one' ]
}
