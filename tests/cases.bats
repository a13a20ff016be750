# Reports of users of similar programs, as tests: what happened to them must not
# happen here. Each title names the report.
# shellcheck disable=SC2016 # scenes are expanded by the rehearsal claude
# shellcheck disable=SC2154 # run assigns output, stderr and status
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
bats_require_minimum_version 1.5.0
load helper
export SCENE

# scenes NAME...: play these scenes, one for each call.
scenes() {
	local name
	REHEARSAL=
	for name; do
		REHEARSAL+="$SCENE/$name "
	done
	export REHEARSAL
}

# shown FILE: the file in the branch of run 1, iteration 1.
shown() {
	project show "exp-run-1-iteration-1:$1"
}

# ---- results and limits -----------------------------------------------------

# anthropics/claude-code-action#1533, anthropics/claude-code#34916: a first result
# comes while a background task works; its edits and a second result come later.
# Longer than the linger limit, which is one second here.

@test "claude-code#34916: while a background task works, silence after a result is waited for" {
	scene task <<-'END'
		init
		echo '{"type":"system","subtype":"task_started","task_id":"t1"}'
		result false success 'Waiting for the helper.'
		sleep 3
		echo helper >> main.py
		echo '{"type":"system","subtype":"task_notification","task_id":"t1","status":"completed"}'
		result false success 'The helper has finished.'
	END
	scenes task
	quick -q -r 1 -i 1 --iteration-timeout 1m
	[ "$(shown main.py | tail -n 1)" = helper ]
	project log -1 --format=%B exp-run-1-iteration-1 | grep -q 'The helper has finished'
}

# anthropics/claude-code#45033, #22603, frankbria/ralph-claude-code#100: the account
# is "out of extra usage". Versions report this in four ways.

# out_of_usage FIELDS [EVENT]: a result with these fields is a rate limit.
out_of_usage() {
	printf '%s\n' "init; cat '$SCENE/lines'; exit 1" > "$SCENE/usage"
	printf '%s\n' ${2+"$2"} '{"type":"result","subtype":"success","is_error":true,"num_turns":1,'"$1}" > "$SCENE/lines"
	scenes usage
	run -75 experiment -q -r 2 -i 3
	[ "$(ledger outcome)" = 'rate limit' ]
}

@test "claude-code#45033: out of extra usage with status 429 is a rate limit" {
	out_of_usage '"result":"You'\''re out of extra usage · resets 9pm (UTC)","api_error_status":429'
}

@test "claude-code#45033: out of extra usage after a rejected event is a rate limit" {
	out_of_usage '"result":"You'\''re out of extra usage · resets 9pm (UTC)"' \
	    '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795381514,"rateLimitType":"overage"}}'
}

@test "claude-code#22603: out of extra usage as a text alone is a rate limit" {
	out_of_usage '"result":"You'\''re out of extra usage · resets 9pm (UTC)"'
}

@test "ralph-claude-code#100: out of extra usage with status 400 is a rate limit" {
	out_of_usage '"result":"API Error: 400 You'\''re out of extra usage. Add more in your settings and keep going.","api_error_status":400'
}

# anthropics/claude-code#78413, #15308: the plugin is listed, but its MCP server has
# failed: the arm lacks its treatment.

@test "claude-code#78413: a failed MCP server of the plugin stops the experiment" {
	mkdir -p plugin/.claude-plugin
	echo '{"name":"plugin"}' > plugin/.claude-plugin/plugin.json
	scene failed <<-'END'
		init | sed 's/"mcp_servers":\[\]/"mcp_servers":[{"name":"plugin:plugin:bench","status":"failed"}]/'
		edit; result false success done
	END
	scenes failed
	CC_PLUGIN_DIR=$PWD/plugin run -1 --separate-stderr ccre -q -o "$OUT" -r 1 -i 2 "$PROJECT" exp
	[[ $stderr == *plugin:plugin:bench* ]]
	[ "$(calls)" = 1 ]
}

@test "an MCP server of the plugin that is connected is no fault" {
	mkdir -p plugin/.claude-plugin
	echo '{"name":"plugin"}' > plugin/.claude-plugin/plugin.json
	scene connected <<-'END'
		init | sed 's/"mcp_servers":\[\]/"mcp_servers":[{"name":"plugin:plugin:bench","status":"connected"},{"name":"other","status":"failed"}]/'
		edit; result false success done
	END
	scenes connected
	CC_PLUGIN_DIR=$PWD/plugin ccre -q -o "$OUT" -r 1 -i 1 "$PROJECT" exp
	[ "$(ledger outcome)" = success ]
}

# ---- git settings of the user -----------------------------------------------

# google-gemini/gemini-cli#1827, apache/magpie#1219: commit.gpgsign with a pinentry
# that waits for a person: every git commit hangs.

# signs CONFIGURATION-FILE: commits are signed by a program that never ends.
signs() {
	printf '#!/bin/sh\necho gpg >> "$SCENE/gpg"\nsleep 600\n' > bin/gpg
	chmod +x bin/gpg
	git config -f "$1" commit.gpgSign true
	git config -f "$1" tag.gpgSign true
	git config -f "$1" gpg.program "$PWD/bin/gpg"
	snapshot
	scene commits <<< 'init; echo new >> main.py; git commit -qam mine; git tag -am mine mine; result false success done'
	scenes commits
	experiment -q -r 1 -i 1 --retries 0 --idle-timeout 10s
	[ "$(ledger outcome)" = success ]
	[ ! -e "$SCENE/gpg" ]
}

@test "gemini-cli#1827: commit.gpgSign of the repository stops neither agent nor runner" {
	signs "$PROJECT/.git/config"
}

@test "gemini-cli#1827: commit.gpgSign of the user stops neither agent nor runner" {
	signs "$HOME/.gitconfig"
}

# stefanzweifel/git-auto-commit-action#241, NousResearch/hermes-agent#108513:
# core.autocrlf: changed line ends become changes of all lines, or fail the commit.

# crlf: a project with core.autocrlf and a file of 50 lines.
crlf() {
	project config core.autocrlf true
	seq -f 'line %g' 50 > "$PROJECT/lines"
	project add lines 2> /dev/null
	project commit -qm lines
	rm "$PROJECT/lines"
	project checkout -q lines
	grep -q $'\r' "$PROJECT/lines"
	snapshot
}

@test "hermes-agent#108513: with core.autocrlf a change of line ends alone is no change" {
	crlf
	scene ends <<< "init; sed -i 's/\r\$//' lines; result false success done"
	scenes ends
	experiment -q -r 1 -i 1
	[ "$(ledger outcome) $(ledger total_added) $(ledger total_removed)" = 'success 0 0' ]
}

@test "hermes-agent#108513: with core.autocrlf one changed line is one line" {
	crlf
	scene line <<< "init; sed -i 's/\r\$//; s/^line 7\$/line seven/; s/\$/\r/' lines; result false success done"
	scenes line
	experiment -q -r 1 -i 1
	[ "$(ledger total_added) $(ledger total_removed)" = '1 1' ]
}

@test "hermes-agent#108513: with core.autocrlf the agent sees no changes in git status" {
	crlf
	scene status <<< 'init; git status --porcelain > "$SCENE/seen"; result false success done'
	scenes status
	experiment -q -r 1 -i 1
	[ ! -s "$SCENE/seen" ]
}

# kubernetes/test-infra#28721, obra/packnplay#35, NousResearch/hermes-agent#107748: in
# a container the work tree has another owner; safe.directory comes from the
# environment or from the user's configuration.

# foreign: the project belongs to another user, and git by hand works.
foreign() {
	[ "$(id -u)" = 0 ] || skip 'not root: cannot give the project away'
	scene status <<< 'init; git status > /dev/null && echo ok > "$SCENE/git"; echo x >> main.py; result false success done'
	scenes status
	chown -R 65534 "$PROJECT"
	run ! env GIT_CONFIG_GLOBAL=/dev/null git -C "$PROJECT" status
}

# foreign_works: the experiment works there, and so does the agent's git.
foreign_works() {
	run -0 experiment -q -r 1 -i 1
	[ "$(ledger outcome)" = success ]
	[ "$(cat "$SCENE/git")" = ok ]
}

teardown() {
	[ "$(id -u)" != 0 ] || chown -R 0 "$BATS_TEST_TMPDIR/project"
	checks
}

@test "hermes-agent#107748: safe.directory by GIT_CONFIG_COUNT is heeded" {
	foreign
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' foreign_works
}

@test "packnplay#35: safe.directory by GIT_CONFIG_GLOBAL is heeded" {
	foreign
	printf '[user]\nname=Global\nemail=g@example.org\n[safe]\ndirectory=*\n' > global
	GIT_CONFIG_GLOBAL=$PWD/global foreign_works
	[ "$(project -c safe.directory='*' log -1 --format=%an exp-run-1-iteration-1)" = Global ]
}

@test "test-infra#28721: safe.directory in the user's configuration is heeded" {
	foreign
	git config --global safe.directory '*'
	foreign_works
}

# ---- repositories inside ----------------------------------------------------

# xability/maidr#717, semantic-reasoning/verinote#215: claude's sub-agents work in
# linked work trees below .claude/worktrees and leave these there.

# worktree: a project of 40 files; the agent makes a linked work tree, commits in it
# and merges that commit.
worktree() {
	local i
	mkdir "$PROJECT/src" "$PROJECT/.claude"
	echo '{}' > "$PROJECT/.claude/settings.json"
	for ((i = 0; i < 40; i++)); do
		seq 100 > "$PROJECT/src/f$i"
	done
	project add -A
	project commit -qm base
	snapshot
	scene merges <<-'END'
		init
		git worktree add -q .claude/worktrees/agent-1 -b worktree-agent-1 2> /dev/null
		(cd .claude/worktrees/agent-1 && echo better > src/f0 && git commit -qam 'agent 1')
		git merge -q worktree-agent-1 2> /dev/null
		result false success 'Merged the work of the helper.'
	END
	scene looks <<< 'init; ls -d .claude/worktrees/agent-1 > "$SCENE/seen" 2> /dev/null; echo x > src/f1; result false success done'
	scenes merges looks
	experiment -q -r 1 -i 2
}

@test "maidr#717: a linked work tree of the agent is not committed, and gone in the next iteration" {
	worktree
	[ "$(ledger outcome)" = $'success\nsuccess' ]
	[ -z "$(project ls-tree -r --name-only exp-run-1-iteration-1 .claude/worktrees)" ]
	[ ! -s "$SCENE/seen" ]
}

@test "verinote#215: the commit that the agent merged from its work tree is kept" {
	worktree
	[ "$(shown src/f0)" = better ]
	[ "$(ledger files_changed | head -n 1)" = 1 ]
	[ "$(ledger total_added | head -n 1)" = 1 ]
}

# CMake FetchContent, SwiftPM, pip -e, npm git dependencies: builds keep clones of
# other repositories in ignored directories, and run git in them the next time.

# fetches: a project whose build clones a dependency into build/, once, and updates
# it by git afterwards.
fetches() {
	git init -q dep
	echo 1 > dep/dep.h
	git -C dep add -A
	git -C dep commit -qm dep
	export DEP=$PWD/dep
	echo 'build/' >> "$PROJECT/.gitignore"
	cat > "$PROJECT/build.sh" <<-'END'
		d=build/_deps/dep-src
		if [ -d $d ]; then
			git -C $d rev-parse --show-toplevel | grep -q '_deps/dep-src$' &&
			    git -C $d fetch -q origin && git -C $d reset -q --hard origin/main
		else
			mkdir -p build/_deps && git clone -q "$DEP" $d
		fi || { echo broken >> "$SCENE/broken"; exit 1; }
		cat $d/dep.h > build/out
	END
	project add -A
	project commit -qm build
	snapshot
	scene builds <<< 'init; [ ! -d build ] || echo kept >> "$SCENE/kept"; sh build.sh; echo x >> main.py; result false success done'
	scene fails <<< 'init; sh build.sh; echo x >> main.py; exit 1'
}

@test "FetchContent: clones in ignored directories still work in the next iteration" {
	fetches
	scenes builds
	experiment -q -r 1 -i 3
	[ "$(wc -l < "$SCENE/kept")" = 2 ]
	[ ! -e "$SCENE/broken" ]
}

@test "FetchContent: clones in ignored directories break no build and no measurement" {
	fetches
	scenes builds fails builds
	experiment -q -r 2 -i 3 --build 'sh build.sh' -b 'w=cat build/out; echo runtime: 1ms'
	[ ! -e "$SCENE/broken" ]
	[ "$(cat "$OUT"/exp--run-*--w.csv | grep -c ^exp,)" = 4 ]
}

@test "FetchContent: ignored directories are not committed" {
	fetches
	scenes builds
	experiment -q -r 1 -i 1
	[ -z "$(project ls-tree exp-run-1-iteration-1 build)" ]
}

# ---- partial clones ---------------------------------------------------------

# PostHog/posthog#58073, can1357/oh-my-pi#1818, hojinzs/github-symphony#930: the
# project is a partial clone, in which old blobs are missing.

# partial: make the project a partial clone of ./up.
partial() {
	local i
	for i in 1 2 3; do
		seq $i 1000 > "$PROJECT/numbers"
		project add -A
		project commit -qm "numbers $i"
	done
	mv "$PROJECT" up
	git -C up config uploadpack.allowFilter true
	git -C up config uploadpack.allowAnySHA1InWant true
	git clone -q --filter=blob:none "file://$PWD/up" "$PROJECT"
	snapshot
}

@test "posthog#58073: a partial clone whose remote is there works, or is refused with the reason" {
	partial
	run --separate-stderr experiment -q -r 1 -i 1
	echo "$status $stderr"
	[ "$status" = 0 ] || [[ $status = 2 && $stderr =~ partial|promisor ]]
}

@test "posthog#58073: a partial clone whose remote is gone is refused with the reason" {
	partial
	mv up up.gone
	run -2 --separate-stderr experiment -q -r 1 -i 1
	[[ $stderr =~ partial|promisor ]]
	[ "$(calls)" = 0 ]
}
