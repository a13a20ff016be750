# Own target: check-claude
# The real client, Claude Code from the npm registry (make check-claude installs it in
# .cache), with the scripted API of api.mjs on loopback. If possible the network
# namespace has nothing but loopback. The key is a dummy, and HOME is empty.
# Nothing here depends on the version of the client.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016); words of a variable (2086); run sets output and status (2154).
# shellcheck disable=SC2030,SC2031,SC2016,SC2086,SC2154
bats_require_minimum_version 1.5.0
load helper

CLIENT=$(realpath "$CCRE_ROOT/.cache/claude/node_modules/.bin/claude")

# key, subscription: the account that the client uses.
key() {
	export ANTHROPIC_API_KEY=sk-ant-dummy
}

subscription() {
	export CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-dummy
}

# real ANSWER... -- OPTION... [-- ARGUMENT...]: make experiment "exp" with the real
# client; the API gives these answers. $AS executes the program, for example as another
# user.
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

# ends OUTCOME STATUS ANSWER...: an experiment of one attempt ends like this.
ends() {
	local outcome=$1 status=$2
	shift 2
	CLAUDE_CODE_MAX_RETRIES=0 run -"$status" real "$@" -- --no-plugin -r 1 -i 1 --retries 0
	echo "$output"
	cat "$OUT/exp--iterations.csv"
	[ "$(ledger outcome)" = "$outcome" ]
}

# requests: what the client sent to the model, one request a line.
requests() {
	grep '^POST /v1/messages' port.log | grep '"tools":\[{'
}

@test "an edit by claude's own tool is kept" {
	key
	real "read main.py" "edit main.py hello fast" text -- --no-plugin -r 1 -i 1
	cat "$OUT/exp--iterations.csv"
	[ "$(ledger outcome)" = success ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = 'print("fast")' ]
	project log -1 --format=%B exp-run-1-iteration-1 | grep -qx 'Made the loop faster.'
	[ -z "$(find "$OUT" -name '*.err' -size +0)" ]
}

@test "cost, turns and tokens of the client are in the ledger" {
	key
	real "read main.py" "edit main.py hello fast" text -- --no-plugin -r 1 -i 1
	[ "$(ledger num_turns)" = 3 ]
	[ "$(ledger input_tokens)" = 3000 ]
	[ "$(ledger output_tokens)" = 120 ]
	[ "$(ledger cache_read_tokens)" = 900 ]
	[ "$(ledger cache_creation_tokens)" = 600 ]
	[[ "$(ledger cost_usd)" =~ ^0\.0[0-9]*[1-9][0-9]*$ ]]
}

@test "version, model and session of the client are in the ledger" {
	key
	real text -- --no-plugin -r 1 -i 1
	[ "$(ledger claude_version)" = "$("$CLIENT" --version | cut -d ' ' -f 1)" ]
	[[ "$(ledger model)" = claude-* ]]
	[[ "$(ledger session_id)" =~ ^[0-9a-f-]{36}$ ]]
}

@test "a commit by claude is the parent of the runner's commit" {
	key
	real 'bash echo fast > main.py; git commit -qam "made by claude"; git status --porcelain -uno > seen; git log --format=%s >> seen' text -- \
	    --no-plugin -r 1 -i 1
	[ "$(project show exp-run-1-iteration-1:seen)" = $'made by claude\nbaseline' ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = fast ]
	project log --format=%s exp-run-1-iteration-1 | grep -qx 'made by claude'
}

@test "the limit of a subscription is a rate limit, and a line tells its end" {
	subscription
	ends 'rate limit' 75 'limit 7200'
	[[ $output == *"rate limit"*"resets at $(date -u -d '+2 hours' +%Y-%m-%dT%H)"* ]] ||
	    [[ $output == *"rate limit"*"resets at $(date -u -d '+119 minutes' +%Y-%m-%dT%H)"* ]]
}

@test "the work before a limit is discarded, and can be reached by its ref" {
	subscription
	ends 'rate limit' 75 'bash echo half > main.py' 'limit 7200'
	[ "$(project show refs/cc-run-experiments/exp/run-1/iteration-1/attempt-1:main.py)" = half ]
	[ "$(ledger total_added)" = 1 ]
}

@test "429 for a key is a rate limit without a time" {
	key
	ends 'rate limit' 75 429
	[[ $output == *'rate limit'* && $output != *resets* ]]
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

@test "a key that lacks the permission is denied" {
	key
	ends denied 77 403
}

@test "a model that does not exist is denied" {
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

@test "a service that never answers is a failure when claude gives up" {
	key
	export API_TIMEOUT_MS=3000
	ends failure 0 hang
}

@test "a connection that is cut is a failure" {
	key
	ends failure 0 drop
}

@test "a service that cannot be reached is a failure" {
	key
	CC_CLAUDE=$CLIENT ANTHROPIC_BASE_URL=http://127.0.0.1:1 CLAUDE_CODE_MAX_RETRIES=0 \
	    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 experiment -r 1 -i 1 --retries 0
	[ "$(ledger outcome)" = failure ]
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
}

@test "an attempt that times out while the model speaks has its cost in the ledger" {
	key
	run -124 real 'bash true' stall -- --no-plugin -r 1 -i 1 --retries 0 --iteration-timeout 10s
	[ "$(ledger outcome)" = timeout ]
	tail -n 3 "$OUT"/*.jsonl
	[[ "$(ledger cost_usd)" =~ ^0\.0[0-9]*[1-9][0-9]*$ ]]
}

@test "a process that a finished attempt left in the background is killed and counted" {
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
	requests | grep -q 'faster:hello'
}

@test "without the plugin the client does not get its skills" {
	key
	plugin
	real text -- --no-plugin -r 1 -i 1
	[ "$(requests | wc -l)" -ge 1 ]
	run ! grep -q 'faster:hello' port.log
}

# faulty WORDS: the arm check stops the experiment at the first call, with these words.
faulty() {
	run -1 real text -- -r 2 -i 2
	echo "$output"
	[[ $output == *"$1"* ]]
	[ "$(ledger outcome | wc -l)" = 1 ]
}

@test "a plugin that the client cannot load stops the experiment" {
	key
	plugin
	echo '{"name":' > plugin/.claude-plugin/plugin.json
	faulty plugin
}

@test "a plugin whose MCP server fails stops the experiment" {
	key
	plugin
	echo '{"mcpServers":{"bench":{"command":"false"}}}' > plugin/.mcp.json
	faulty plugin:faster:bench
}

# ---- what reaches the model -------------------------------------------------

# configuration: the user and the project have instructions and a skill each.
configuration() {
	mkdir -p "$HOME/.claude/skills/own" "$PROJECT/.claude/skills/shared"
	echo 'Instruction of the user.' > "$HOME/.claude/CLAUDE.md"
	printf -- '---\nname: own\ndescription: Skill of the user.\n---\nHello.\n' > "$HOME/.claude/skills/own/SKILL.md"
	echo 'Instruction of the project.' > "$PROJECT/CLAUDE.md"
	printf -- '---\nname: shared\ndescription: Skill of the project.\n---\nHello.\n' > "$PROJECT/.claude/skills/shared/SKILL.md"
	project add -A
	project commit -qm instructions
	snapshot
}

@test "the instructions and skills of the project reach the model" {
	key
	configuration
	real text -- --no-plugin -r 1 -i 1
	requests | grep -q 'Instruction of the project'
	requests | grep -q 'Skill of the project'
}

@test "the user's own instructions and skills do not reach the model" {
	key
	configuration
	real text -- --no-plugin -r 1 -i 1
	run ! grep -q -e 'Instruction of the user' -e 'Skill of the user' port.log
}

# personal: the user has a rule, an agent, a hook, an MCP server, an output style and a
# model, too; each leaves a mark.
personal() {
	configuration
	mkdir -p "$HOME/.claude/rules" "$HOME/.claude/agents" "$HOME/.claude/output-styles"
	echo 'MARK-rule' > "$HOME/.claude/rules/x.md"
	printf -- '---\nname: mine\ndescription: MARK-agent\n---\nHello.\n' > "$HOME/.claude/agents/mine.md"
	printf -- '---\nname: terse\ndescription: MARK-style\n---\nMARK-style\n' > "$HOME/.claude/output-styles/terse.md"
	cat > "$HOME/.claude/settings.json" <<-END
	{"outputStyle":"terse","model":"MARK-model","hooks":{"SessionStart":[{"hooks":[
	 {"type":"command","command":"touch $PWD/hooked; echo MARK-hook"}]}]}}
	END
	echo '{"mcpServers":{"MARK-server":{"command":"cat"}}}' > "$HOME/.claude.json"
	echo '{"stored":"login"}' > "$HOME/.claude/.credentials.json"
}

@test "nothing personal reaches the model in either arm, and the stored login stays" {
	key
	personal
	plugin
	real text -- --no-plugin -r 1 -i 1
	forget
	real text -- -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	run ! grep -ohE '.{40}MARK-.{20}|(Instruction|Skill) of the user' port.log "$OUT"/*.jsonl
	[ ! -e hooked ]
	[ "$(cat "$HOME/.claude/.credentials.json")" = '{"stored":"login"}' ]
}

@test "-- --setting-sources user,project brings the user's instructions back" {
	key
	configuration
	real text -- --no-plugin -r 1 -i 1 -- --setting-sources user,project
	requests | grep -q 'Instruction of the user'
	requests | grep -q 'Instruction of the project'
}

# offered TOOL: the tool is one of the session's.
offered() {
	jq -r 'select(.subtype == "init") | .tools[]' \
	    "$OUT"/exp--run-1--iteration-1--attempt-1.jsonl | grep -qx "$1"
}

@test "tools that break independence are not offered" {
	key
	real text -- --no-plugin -r 1 -i 1
	offered Bash
	local tool
	for tool in ListAgents SendMessage EnterWorktree; do
		run ! offered $tool
	done
}

@test "tools that the user forbids are forbidden, too" {
	key
	real text -- --no-plugin -r 1 -i 1 -- --disallowedTools WebSearch
	offered Bash
	local tool
	for tool in ListAgents SendMessage EnterWorktree WebSearch; do
		run ! offered $tool
	done
}

@test "neither the prefix nor the user's repository is in what the model sees" {
	key
	real 'bash git log --all --decorate; git remote -v; git config -l --show-origin; pwd' text -- \
	    --no-plugin -r 1 -i 1
	[ "$(requests | wc -l)" -ge 2 ]
	run ! grep -q -e 'exp-run' -e "$PROJECT" port.log
}

@test "a run learns nothing from the memory of another" {
	key
	real "bash d=\$(ls -d ~/.claude/projects/*); mkdir -p \$d/memory; echo 'learned in run 1' > \$d/memory/MEMORY.md" \
	    text -- --no-plugin -r 2 -i 1
	[ "$(ledger outcome | xargs)" = 'success success' ]
	find "$HOME" -name MEMORY.md -exec grep -l 'learned in run 1' {} + | grep -q .
	run ! grep -h 'POST /v1/messages.*learned in run 1' <(grep -v '"tool_use"' port.log)
	requests | grep -q 'iteration 1 of 1 in run 2'
}

@test "the history that claude sees in a run is the baseline's and its own" {
	key
	real 'bash git log --all --format=%s > seen' text 'bash git log --all --format=%s > seen' text -- \
	    --no-plugin -r 2 -i 1
	[ "$(project show exp-run-2-iteration-1:seen)" = baseline ]
}

@test "a runner that was started inside of claude works" {
	key
	CLAUDECODE=1 CLAUDE_CODE_ENTRYPOINT=cli CLAUDE_CODE_SESSION_ID=00000000-0000-4000-8000-000000000001 \
	    real text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
}

@test "tokens of a sub-agent are in the ledger, and the export has a row for it" {
	key
	real 'sub Look at it.' 'bash cat main.py' text text -- --no-plugin -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(ledger input_tokens)" = 4000 ]
	[ "$(ledger output_tokens)" = 160 ]
	"$CCRE_ROOT/contrib/export" -o "$OUT" exp
	cat "$OUT/exp--summary.csv"
	[ "$(cut -d , -f 5-7,12 "$OUT/exp--summary.csv" | sed 1d)" = $'0,,1,0\n1,general-purpose,1,1' ]
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
}

@test "root without IS_SANDBOX is refused before claude is called" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	key
	IS_SANDBOX='' run -2 real text -- --no-plugin -r 1 -i 1
	[[ $output == *IS_SANDBOX* ]]
	[ ! -e port.log ]
}

@test "a user other than root needs no IS_SANDBOX" {
	[ "$(id -u)" = 0 ] || skip 'not root'
	command -v setpriv > /dev/null || skip 'no setpriv'
	key
	local path
	for path in "$BATS_TEST_TMPDIR" "$CCRE"; do
		until [ "$path" = /tmp ] || [ "$path" = / ]; do
			chmod a+x "$path"
			path=${path%/*} path=${path:-/}
		done
	done
	mkdir "$OUT"
	chown -R 65534:65534 "$BATS_TEST_TMPDIR"
	unset IS_SANDBOX
	local as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	$as test -x "$CLIENT" || skip "no other user reaches $CLIENT"
	AS=$as run real 'bash echo fast > main.py' text -- --no-plugin -r 1 -i 1
	echo "$output"
	[ "$status" = 0 ]
	[ "$(stat -c %u "$OUT/exp--iterations.csv")" = 65534 ]
	chown -R 0:0 "$BATS_TEST_TMPDIR"
	rm -r "$TMPDIR/cc-run-experiments-65534"
	[ "$(ledger outcome)" = success ]
	[ "$(project show exp-run-1-iteration-1:main.py)" = fast ]
}
