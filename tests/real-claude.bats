# The real client, Claude Code from the npm registry (make check-claude puts it
# into .cache), against the scripted API of api.mjs on loopback: in a network
# namespace that has nothing else where the machine allows one, with a dummy key
# and a HOME of its own. design.md section 4, claude-cli.md.

# Each test is a process of its own (2030, 2031); scripts are for others to
# expand (2016); words of a variable (2086).
# shellcheck disable=SC2030,SC2031,SC2016,SC2086

load helper

CLIENT=$(echo "$CCRE_ROOT"/.cache/claude/node_modules/@anthropic-ai/claude-code-*/claude)

# key / subscription: whom the client takes us for.
key() {
	export ANTHROPIC_API_KEY=sk-ant-dummy
}

subscription() {
	export CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-dummy
}

# AS is what the program is run by, for another user say.
# real ANSWER... -- OPTION... [-- ARGUMENT...]: experiment "exp" with the real
# client, to which the API gives these answers. The namespace and the API are gone
# afterwards.
real() {
	local answers=() options=()
	while [ "$1" != -- ]; do
		answers+=("$1")
		shift
	done
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ -x "$CLIENT" ] || { echo 'no client: make check-claude'; return 1; }
	export CC_CLAUDE=$CLIENT CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 CC_TEST_ID=$BATS_TEST_TMPDIR
	export -f wait_until
	rm -f port
	# shellcheck disable=SC2016
	$NETWORK bash -c '
		root=$1 n=$2
		shift 2
		answers=("${@:1:n}")
		shift "$n"
		ip link set lo up 2> /dev/null
		node "$root/tests/api.mjs" port "${answers[@]}" 3>&- &
		api=$!
		wait_until 20 test -s port
		export ANTHROPIC_BASE_URL=http://127.0.0.1:$(cat port)
		$AS "$CCRE" "$@"
		status=$?
		kill "$api"
		wait "$api" 2> /dev/null
		exit "$status"' - "$CCRE_ROOT" "${#answers[@]}" "${answers[@]}" \
	    -o "$OUT" "${options[@]}" "$PROJECT" exp "$@"
}

setup_file() {
	export NETWORK=''
	! unshare --net true 2> /dev/null || NETWORK='unshare --net'
	unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
	unset ANTHROPIC_API_KEY CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_AUTH_TOKEN CLAUDE_CONFIG_DIR
}

# ends OUTCOME STATUS ANSWER...: one attempt ends so.
ends() {
	local outcome=$1 status=$2
	shift 2
	CLAUDE_CODE_MAX_RETRIES=0 run -"$status" real "$@" -- --no-plugin -r 1 -i 1 --retries 0
	echo "$output"
	cat "$OUT/exp--iterations.csv"
	[ "$(ledger outcome)" = "$outcome" ]
	house_is_clean
}

@test "an edit by claude's own tool is committed, and cost and tokens arrive in the ledger" {
	key
	real "read $PROJECT/main.py" "edit $PROJECT/main.py hello fast" text -- --no-plugin -r 1 -i 1
	cat "$OUT/exp--iterations.csv"
	[ "$(ledger outcome)" = success ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = 'print("fast")' ]
	project log -1 --format=%B exp-run-1-iteration-1 | grep -qx 'Made the loop faster.'
	[ "$(ledger files_changed)" = 1 ]
	[ "$(ledger num_turns)" = 3 ]
	[ "$(ledger input_tokens)" = 3000 ]
	[ "$(ledger output_tokens)" = 120 ]
	[ "$(ledger cache_read_tokens)" = 900 ]
	[ "$(ledger cache_creation_tokens)" = 600 ]
	[[ "$(ledger cost_usd)" =~ ^0\.0[0-9]*[1-9][0-9]*$ ]]
	[ "$(ledger claude_version)" = 2.1.330 ]
	[[ "$(ledger model)" = claude-* ]]
	[[ "$(ledger session_id)" =~ ^[0-9a-f-]{36}$ ]]
	[ "$(ledger survivors)" = 0 ]
	[ -z "$(find "$OUT" -name '*.err' -size +0)" ]
	house_is_clean
}

@test "the limit of a subscription is a rate limit, and its time is told" {
	subscription
	ends 'rate limit' 75 'limit 7200'
	[[ $output == *"stopped: rate limit, which resets at $(date -u -d '+2 hours' +%Y-%m-%dT%H)"* ]] ||
	    [[ $output == *"stopped: rate limit, which resets at $(date -u -d '+119 minutes' +%Y-%m-%dT%H)"* ]]
}

@test "a limit in the middle of the work is a rate limit, and the work is kept apart" {
	subscription
	ends 'rate limit' 75 'bash echo half > main.py' 'limit 7200'
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:main.py)" = half ]
	[ "$(ledger total_added)" = 1 ]
}

@test "429 for a key is a rate limit without a time" {
	key
	ends 'rate limit' 75 429
	[[ $output == *'stopped: rate limit'* && $output != *resets* ]]
}

@test "an overloaded service is a failure" {
	key
	ends failure 0 529
}

@test "an error of the service is a failure" {
	key
	ends failure 0 500
}

@test "a wrong key is denied" {
	key
	ends denied 77 401
}

@test "a key without the right is denied" {
	key
	ends denied 77 403
}

@test "a model that is not there is denied" {
	key
	ends denied 77 404
}

@test "an empty account is denied" {
	key
	ends denied 77 '400 Your credit balance is too low to access the Anthropic API.'
}

@test "no login is denied" {
	ends denied 77 text
	[[ $output == *'Not logged in'* ]]
}

@test "a service that never answers is a failure once claude gives up" {
	key
	export API_TIMEOUT_MS=3000
	ends failure 0 hang
}

@test "a connection that is cut is a failure" {
	key
	ends failure 0 drop
}

@test "a service that is not there is a failure" {
	key
	CC_CLAUDE=$CLIENT ANTHROPIC_BASE_URL=http://127.0.0.1:1 CLAUDE_CODE_MAX_RETRIES=0 \
	    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 experiment -r 1 -i 1 --retries 0
	[ "$(ledger outcome)" = failure ]
	house_is_clean
}

@test "a slow answer is waited for" {
	key
	ends success 0 slow
}

@test "the client's own retries are waited for" {
	key
	real 529 500 text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(grep -c '"subtype":"api_retry"' "$OUT"/*.jsonl)" = 2 ]
}

# capped ARGUMENT...: claude's own option caps the work, which is kept.
capped() {
	key
	real 'bash echo x >> main.py' -- --no-plugin -r 1 -i 1 -- "$@"
	[ "$(ledger outcome)" = capped ]
	project show exp-run-1-iteration-1:main.py | grep -qx x
	house_is_clean
}

@test "an attempt that is capped in turns keeps its work" {
	capped --max-turns 1
}

@test "an attempt that is capped in dollars keeps its work" {
	capped --max-budget-usd 0.008
}

@test "a timeout ends the Bash tool's command and what it put into the background" {
	key
	run -124 real 'bash (setsid tail -f /dev/null &); nohup tail -f /dev/null & tail -f /dev/null' -- \
	    --no-plugin -r 1 -i 1 --retries 0 --iteration-timeout 8s
	[ "$(ledger outcome)" = timeout ]
	no_survivors
	house_is_clean
}

@test "what a finished attempt left in the background is ended and counted" {
	key
	real 'bash (setsid tail -f /dev/null > /dev/null 2>&1 &)' text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger survivors)" = 1 ]
	no_survivors
}

# plugin: with a skill.
plugin() {
	mkdir -p plugin/.claude-plugin plugin/skills/hello
	echo '{"name":"faster","version":"1.0.0","description":"A test."}' > plugin/.claude-plugin/plugin.json
	printf -- '---\nname: hello\ndescription: Says hello.\n---\nHello.\n' > plugin/skills/hello/SKILL.md
	export CC_PLUGIN_DIR=$PWD/plugin
}

@test "a plugin is loaded by the client" {
	key
	plugin
	real text -- -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	grep -q 'faster:hello' "$OUT"/*.jsonl
}

@test "a plugin that the client cannot load, and goes on without, stops the experiment" {
	key
	plugin
	echo '{"name":' > plugin/.claude-plugin/plugin.json
	run real text -- -r 2 -i 2
	echo "$status $output"
	[ "$status" = 1 ]
	[[ $output == *plugin* ]]
	[ "$(ledger outcome | wc -l)" = 1 ]
	house_is_clean
}

@test "a run learns nothing from the memory of another" {
	key
	real "bash d=\$(ls -d ~/.claude/projects/*); mkdir -p \$d/memory; echo 'learned in run 1' > \$d/memory/MEMORY.md" \
	    text -- --no-plugin -r 2 -i 1
	[ "$(ledger outcome | xargs)" = 'success success' ]
	find "$HOME" -name MEMORY.md -exec grep -l 'learned in run 1' {} + | grep -q .
	run ! grep -h 'POST /v1/messages.*learned in run 1' <(grep -v '"tool_use"' port.log)
	grep -c 'iteration 1 of 1 in run 2' port.log
}

@test "tokens of a sub-agent are in the ledger, and the export has a row for it" {
	key
	real 'sub Look at it.' 'bash cat main.py' text text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger input_tokens)" = 4000 ]
	[ "$(ledger output_tokens)" = 160 ]
	"$CCRE_ROOT/contrib/export" -o "$OUT" summary exp
	cat "$OUT/exp--summary.csv"
	[ "$(cut -d , -f 5-7,12 "$OUT/exp--summary.csv" | sed 1d)" = $'0,,1,0\n1,general-purpose,1,1' ]
}

@test "claude works in a clone, and after a runner that was started inside of claude" {
	key
	CLAUDECODE=1 CLAUDE_CODE_ENTRYPOINT=cli CLAUDE_CODE_SESSION_ID=00000000-0000-4000-8000-000000000001 \
	    real 'bash pwd > where; git log --all --format=%s > seen' text 'bash git log --all --format=%s > seen' text -- \
	    --no-plugin --isolate -r 2 -i 1
	[ "$(ledger outcome | xargs)" = 'success success' ]
	[ "$(project show exp-run-2-iteration-1:seen)" = baseline ]
	[[ "$(project show exp-run-1-iteration-1:where)" == */run-1/clone/project ]]
	house_is_clean
}

@test "the client works in the sandbox of bubblewrap" {
	key
	bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true 2> /dev/null || skip 'no bubblewrap'
	export SANDBOX_PROGRAM=$CLIENT
	CLIENT=$CCRE_ROOT/contrib/claude-bwrap
	real 'bash echo boxed > main.py; echo x > ~/x; touch /usr/x' text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = boxed ]
	[ ! -e "$HOME/x" ]
	house_is_clean
}

@test "root is refused before claude refuses it, and goes on where it is said to be a sandbox" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	key
	IS_SANDBOX='' run -2 real text -- --no-plugin -r 1 -i 1
	[[ $output == *IS_SANDBOX* ]]
	[ ! -e port.log ]
	ends success 0 text
}

@test "as another user than root it works, without IS_SANDBOX" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	command -v setpriv > /dev/null || skip 'no setpriv'
	key
	local path=$BATS_TEST_TMPDIR
	until [ "$path" = /tmp ] || [ "$path" = / ]; do	# who it is may pass
		chmod a+x "$path"
		path=${path%/*} path=${path:-/}
	done
	chmod a+x "$BATS_SUITE_TMPDIR"
	mkdir "$OUT"
	chown -R 65534:65534 "$BATS_TEST_TMPDIR"
	unset IS_SANDBOX
	local as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	$as test -x "$CLIENT" || skip "no other user reaches $CLIENT"
	AS=$as run real "read $PROJECT/main.py" \
	    "edit $PROJECT/main.py hello fast" text -- --no-plugin -r 1 -i 1
	echo "$output"
	[ "$status" = 0 ]
	[ "$(stat -c %u "$OUT/exp--iterations.csv")" = 65534 ]
	chown -R 0:0 "$BATS_TEST_TMPDIR"
	[ "$(ledger outcome)" = success ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = 'print("fast")' ]
	house_is_clean
}
