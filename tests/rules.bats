# Rules that are tables or pure functions, called through tests/harness.c: the
# outcome of an attempt and what follows from it, the arm check, TIME options,
# runtime lines, CSV.

# shellcheck disable=SC2016 # nothing in single quotes is to be expanded

load helper

# Rules need no project.
setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	:
}

INIT='{"type":"system","subtype":"init","session_id":"s","plugins":[]}'
DONE='{"is_error":false,"num_turns":3,"subtype":"success","result":"Done.","session_id":"s","type":"result"}'
OVERLOADED='{"is_error":true,"num_turns":3,"subtype":"success","api_error_status":529,"result":"API Error: 529","type":"result"}'
LIMITED='{"is_error":true,"num_turns":3,"subtype":"success","api_error_status":429,"result":"no","type":"result"}'
REJECTED='{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795381514}}'
ALLOWED='{"type":"rate_limit_event","rate_limit_info":{"status":"allowed"}}'

# outcome ENDED STATUS: what the program makes of the file transcript. ENDED says
# who ended the call: itself, signal, run (its limit), call (its limit), silence,
# linger. The outcome is in $got, and name=value lines are in the file told.
outcome() {
	[ -e stderr ] || : > stderr
	"$CCRE_HARNESS" outcome transcript stderr "$1" "$2" > told
	read -r got < told
}

# is OUTCOME ENDED STATUS LINE...: the outcome of a transcript of these lines.
is() {
	printf '%s\n' "${@:4}" > transcript
	outcome "$2" "$3"
	[ "$got" = "$1" ] || {
		echo "expected $1, got $got: ${*:2}"
		return 1
	}
}

# of OUTCOME ENDED STATUS < TRANSCRIPT: the same.
of() {
	cat > transcript
	outcome "$2" "$3"
	[ "$got" = "$1" ]
}

# has NAME VALUE: of the last outcome.
has() {
	grep -qxF "$1=$2" told || { cat told; return 1; }
}

# ---- the outcome, with JSON -------------------------------------------------

@test "a result without an error is a success, whatever the exit status and who ended it" {
	for ended in itself signal run call silence linger; do
		for status in 0 1 2 124 130 137; do
			is success "$ended" "$status" "$INIT" "$DONE"
		done
	done
}

@test "keys of a result come in any order, with blanks between them" {
	is success itself 0 '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"x"}'
	is success itself 0 '{"num_turns":1,"result":"x","is_error":false,"type":"result"}'
	is success itself 0 ' { "type" :	"result" , "is_error" : false,"usage" : { } , "list":[ ] , "num_turns" : 1 , "result":"x" } '$'\r'
}

@test "of several results the last one counts" {
	is success itself 0 "$INIT" "$OVERLOADED" "$DONE"
	is failure itself 1 "$INIT" "$DONE" "$OVERLOADED"
	is 'rate limit' itself 1 "$INIT" "$DONE" "$LIMITED"
}

@test "a success of no turns is a failure: the model was never asked" {
	is failure itself 0 "$INIT" "${DONE/:3/:0}"
	is success itself 0 "$INIT" "${DONE/:3/:1}"
}

@test "a success that talks of limits, logins and errors is a success" {
	is success itself 0 "$INIT" \
	    "{\"type\":\"assistant\",\"text\":\"You've hit your 5-hour limit. Not logged in.\"}" \
	    "${DONE/Done./You\'ve hit your session limit: rate limit, 429, usage_limit_reached, Not logged in}"
	is success itself 0 "$INIT" "$REJECTED" "$DONE"
	is success itself 0 "$INIT" "$ALLOWED" "$DONE"
}

@test "a turn or money limit of the user's is capped, whoever ended the call" {
	for subtype in error_max_turns error_max_budget_usd; do
		for ended in itself call linger signal; do
			is capped "$ended" 1 "$INIT" \
			    "{\"is_error\":true,\"num_turns\":3,\"subtype\":\"$subtype\",\"errors\":[\"x\"],\"type\":\"result\"}"
		done
	done
	is capped itself 0 '{"type":"result","subtype":"error_max_turns","is_error":false,"num_turns":3}'
}

@test "a call that the runner ended has the outcome of who ended it, also after an error" {
	while IFS='|' read -r ended expected; do
		is "$expected" "$ended" 143 "$INIT"
		is "$expected" "$ended" 0 "$INIT"
		is "$expected" "$ended" 0 "$INIT" "$LIMITED"
		is "$expected" "$ended" 0 "$INIT" '{"is_error":true,"num_turns":3,"subtype":"error_during_execution","terminal_reason":"aborted_tools","type":"result"}'
		is "$expected" "$ended" 124 "You've hit your session limit"
		is "$expected" "$ended" 0
	done <<-'END'
	signal|interrupted
	run|out of time
	call|timeout
	silence|timeout
	END
}

@test "an error result is judged by its fields, then by the beginning of its text" {
	while IFS='|' read -r expected fields; do
		is "$expected" itself 1 "$INIT" "{\"is_error\":true,\"num_turns\":3,\"subtype\":\"success\",$fields,\"type\":\"result\"}"
		is "$expected" itself 0 "{\"type\":\"result\",$fields,\"is_error\":true,\"num_turns\":3}"
	done <<-'END'
	rate limit|"api_error_status":429,"result":"no"
	rate limit|"api_error_status":null,"api_error":"usage_limit_reached","result":"no"
	rate limit|"result":"5-hour limit reached ∙ resets 9:44pm"
	rate limit|"result":"You've hit your Opus limit · resets 9:44pm (UTC)"
	rate limit|"result":"You're out of extra usage · resets 9:44pm"
	rate limit|"api_error_status":400,"result":"API Error: 400 You're out of extra usage. Add more."
	denied|"api_error_status":401,"result":"Invalid API key"
	denied|"api_error_status":403,"result":"Failed to authenticate."
	denied|"api_error_status":404,"result":"There's an issue with the selected model"
	denied|"api_error_status":400,"result":"Credit balance is too low"
	denied|"api_error_status":null,"result":"Not logged in · Please run /login"
	failure|"api_error_status":529,"result":"API Error: 529 Overloaded."
	failure|"api_error_status":500,"result":"API Error: 500"
	failure|"api_error_status":413,"result":"Request too large"
	failure|"api_error_status":400,"result":"API Error: 400 bad request"
	failure|"api_error_status":null,"api_error":"connection_failed","result":"API Error: Connection refused"
	failure|"api_error_status":null,"result":"API Error: safeguards flagged this message"
	failure|"subtype":"error_during_execution","errors":["Something broke"]
	failure|"result":"It says: 5-hour limit reached"
	failure|"api_error_status":500,"result":"while reading: 429, Not logged in, usage limit reached"
	END
}

@test "a billing error that an event told is a denial" {
	is denied itself 1 "$INIT" \
	    '{"type":"assistant","message":{"content":[]},"error":"billing_error"}' \
	    "${OVERLOADED/529/400}"
}

@test "the last rate limit event decides about an error, before a denial" {
	is 'rate limit' itself 1 "$INIT" "$ALLOWED" "$REJECTED" "${OVERLOADED/529/null}"
	is 'rate limit' itself 1 "$INIT" "$REJECTED" "${OVERLOADED/529/403}"
	is failure itself 1 "$INIT" "$REJECTED" "$ALLOWED" "$OVERLOADED"
	is failure itself 1 "$INIT" "${ALLOWED/allowed/allowed_warning}" "$OVERLOADED"
}

@test "JSON that began without ever a result is a failure, whatever the exit status" {
	for status in 0 1 2 124 137; do
		is failure itself "$status" "$INIT" '{"type":"assistant"}'
		is failure itself "$status" "$INIT" "You've hit your session limit"
		printf '{"type":"system","subtype":"in' | of failure itself "$status"
	done
}

@test "a result that is cut is none, one that lacks its newline is one" {
	printf '%s\n%s' "$INIT" "${DONE:0:90}" | of failure itself 0
	printf '%s\n%s\n%s' "$INIT" "$DONE" "${LIMITED:0:90}" | of success itself 1
	printf '%s\n%s' "$INIT" "$DONE" | of success itself 0
}

@test "lines that are no JSON or no event are passed over" {
	printf '%s\n' 'Warning: something is odd' '' '{}' '[' '{' '}' '[1,2,3]' '"type"' null \
	    '{"type":}' '{"type"' '{"type":"result",}' '{"type":"result" "is_error":true}' \
	    "{'type':'result','is_error':true}" '{"type":"result","x":"\q"}' > noise
	for line in "${LIMITED%?}" "$LIMITED}" "$LIMITED x" "[$LIMITED]"; do
		{ cat noise; echo "$INIT"; cat noise; echo "$DONE"; echo "$line"; } |
		    of success itself 1
	done
	{ echo "$INIT"; printf '\0\0\n{"a":"b\0c"}\n\0%s\n' "$LIMITED"; echo "$DONE"; printf '\0\n\0'; } |
	    of success itself 0
}

@test "an event inside a tool's output is none, as an object and as a string" {
	is failure itself 0 "$INIT" "{\"message\":{\"content\":[$DONE]},\"tool_use_result\":$DONE,\"type\":\"user\"}"
	is failure itself 0 "$INIT" "{\"type\":\"user\",\"message\":{\"content\":\"${DONE//\"/\\\"}\\n${DONE//\"/\\\"}\"}}"
	is failure itself 0 "$INIT" "{\"\":$DONE}"
	is success itself 0 "$INIT" "${DONE/\"result\":/\"inner\":$LIMITED,\"list\":[$LIMITED,$LIMITED],\"result\":}" \
	    "{\"tool_use_result\":$LIMITED,\"type\":\"user\"}" \
	    '{"type":"user","rate_limit_info":{"status":"rejected"}}'
}

@test "a rate limit event in the middle of another line, and keys like paths, are none" {
	is failure itself 1 "$INIT" "{\"type\":\"assistant\",\"text\":\"te$REJECTED" 'xt"}' "$OVERLOADED"
	is failure itself 1 "$INIT" \
	    '{"type":"rate_limit_event","rate_limit_info/status":"rejected","rate_limit_info":{"status":"allowed"}}' \
	    "$OVERLOADED"
}

@test "events and fields that nobody knows yet are passed over, however deep" {
	deep=$(printf '[%.0s' {1..300})$(printf ']%.0s' {1..300})
	is success itself 0 '{"type":"system","subtype":"ui_invalidate","what":[1,{"a":[]}]}' "$INIT" \
	    '{"type":"telepathy","is_error":true,"api_error_status":429,"result":"no"}' \
	    "${DONE%\}},\"new\":{\"type\":\"x\",\"y\":[[],{},[{\"z\":-1.5e+10}]],\"is_error\":true},\"n\":null,\"d\":$deep}" \
	    '{"type":"epilogue","is_error":true}'
	{ echo "$INIT"; printf '{"type":"user","x":'; head -c 1000000 /dev/zero | tr '\0' '['; echo
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "{\"a\":"; print "" }'; echo "$DONE"; } |
	    of success itself 0
}

@test "cost, turns and tokens are those of the last result, tokens the sum over models" {
	is success itself 0 "$INIT" \
	    '{"type":"result","is_error":false,"num_turns":7,"total_cost_usd":0.9,"modelUsage":{"a":{"inputTokens":5000}}}' \
	    '{"type":"result","is_error":false,"num_turns":4,"total_cost_usd":0.0125,"session_id":"z","usage":{"input_tokens":1},"modelUsage":{"a":{"inputTokens":100,"outputTokens":40,"cacheReadInputTokens":300,"cacheCreationInputTokens":200},"b":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3,"cacheCreationInputTokens":4}}}'
	has num_turns 4; has cost_usd 0.0125; has session_id s
	has input_tokens 101; has output_tokens 42
	has cache_read_tokens 303; has cache_creation_tokens 204
}

@test "without modelUsage the tokens are those of usage, without a result they are unknown" {
	is success itself 0 "${DONE%\}},\"usage\":{\"input_tokens\":10,\"output_tokens\":40,\"cache_read_input_tokens\":30,\"cache_creation_input_tokens\":20}}"
	has input_tokens 10; has output_tokens 40
	has cache_read_tokens 30; has cache_creation_tokens 20
	is failure itself 1 "$INIT"
	has cost_usd ''; has num_turns ''; has input_tokens ''
}

@test "a message with more tokens than there can be adds none" {
	local message='{"type":"assistant","message":{"id":"ID","model":"m","usage":{"input_tokens":899999999999999999}}}' id
	for id in {1..11}; do
		echo "${message/ID/$id}"
	done > many
	is timeout call 143 "$INIT" "$(< many)" "${message/ID*/last\",\"usage\":{\"input_tokens\":5\}\}\}}"
	has input_tokens 5
}

@test "a number that is none or below zero is unknown, and a text that a spreadsheet executes is marked" {
	local cost
	for cost in '"=1+1"' '"free"' -1 '"nan"' 1e18 '"0x10"' 10000000000000000000000000000000000000000000000; do
		is success itself 0 "${DONE%\}},\"total_cost_usd\":$cost}"
		has cost_usd ''
	done
	is success itself 0 "${INIT/\"s\"/\"=s\"}" "$DONE"
	has session_id '?s'
}

# ---- the outcome, without JSON ----------------------------------------------

@test "without JSON exit status 0 is a success, 2 a rate limit, 124 a timeout, any other a failure" {
	for text in '' 'All done.' "You've hit your session limit"; do
		is success itself 0 "$text"
		is 'rate limit' itself 2 "$text"
		is timeout itself 124 "$text"
	done
	for status in 1 75 137; do
		is failure itself "$status" 'All done.'
	done
}

@test "without JSON a line that begins with a limit text is a rate limit" {
	while read -r text; do
		is 'rate limit' itself 1 starting "$text"
		is failure itself 1 "I read: $text"
		is failure itself 1 " $text"
	done <<-'END'
	You've hit your 5-hour limit · resets 9:45pm (UTC)
	You've hit your session limit · resets 9:44pm (UTC)
	You've hit your weekly limit · resets Mon
	You've hit your limit · resets 9pm
	You're out of extra usage · resets 9pm
	API Error: Rate limit reached
	API Error: Server is temporarily limiting requests (not your usage limit) · Try again
	5-hour limit reached ∙ resets 9:44pm
	Session limit reached ∙ resets 9:44pm
	Weekly limit reached ∙ resets Mon
	Claude AI usage limit reached|1795383861
	Spending cap reached resets 9:35pm
	API Error: 429 {"type":"error","error":{}}
	END
}

@test "without JSON a limit text counts on stderr too, and only near the end" {
	echo "You've hit your session limit" > stderr
	is 'rate limit' itself 1 'All done.'
	: > stderr
	{ echo "You've hit your session limit"; yes 'other output' | head -c 2000000; } |
	    of failure itself 1
	{ yes 'other output' | head -n 60000; echo "You've hit your session limit"; seq 1000; } |
	    of 'rate limit' itself 1
	printf 'a\0b\nWeekly limit reached\n\0\n' | of 'rate limit' itself 1
}

# ---- what follows from an outcome -------------------------------------------

@test "what follows an outcome depends on failures and timeouts before it, --retries and --wait" {
	while IFS='|' read -r outcome failures timeouts retries wait expected; do
		"$CCRE_HARNESS" decide "$outcome" "$failures" "$timeouts" "$retries" "$wait" 0 > told
		read -r got < told
		echo "$outcome $failures $timeouts $retries $wait: expected $expected, got $got"
		[ "$got" = "$expected" ]
	done <<-'END'
	success|1|2|2|0|keep, next iteration, finished
	capped|1|2|2|0|keep, next iteration, finished
	out of time|1|2|2|0|keep, end of run, finished
	failure|0|0|2|0|discard, next iteration, finished
	failure|1|0|2|0|discard, stop 3
	timeout|0|0|2|0|discard, again
	timeout|1|1|2|0|discard, again
	timeout|0|2|2|0|discard, stop 124
	timeout|0|0|0|1|discard, stop 124
	rate limit|0|0|2|0|discard, stop 75
	rate limit|1|2|0|1|discard, again
	denied|0|0|2|1|discard, stop 77
	interrupted|0|0|2|1|discard, stop 128
	END
	[ "$("$CCRE_HARNESS" decide interrupted 0 0 2 1 15)" = 'discard, stop 143' ]
}

# ---- the arm check ----------------------------------------------------------

# arm REASON-PATTERN PLUGIN INIT-FIELDS: the fault matches; '' is none.
arm() {
	local got
	printf '%s\n' "{\"type\":\"system\",\"subtype\":\"init\",$3}" > transcript
	"$CCRE_HARNESS" arm transcript "$2" > told
	read -r got < told
	echo "expected ${1:-no fault}, got ${got:-no fault}: $3"
	if [ -z "$1" ]; then
		[ -z "$got" ]
	else
		[[ $got == *$1* ]]
	fi
}

@test "in the plugin arm a plugin is loaded, all are inside its directory, and none has errors" {
	mkdir -p p/skills
	dir=$PWD/p
	arm '' "$dir" "\"plugins\":[{\"name\":\"x\",\"path\":\"$dir\"},{\"name\":\"b\",\"path\":\"builtin\"}]"
	arm '' "$dir" "\"plugins\":[{\"path\":\"$dir/skills\",\"name\":\"x\"}],\"plugin_errors\":[]"
	arm '' "$dir" "\"plugins\":[{\"path\":\"$dir\"}],\"plugin_errors\":[{\"plugin\":\"other@market\",\"message\":\"broken\"}]"
	arm 'has not loaded' "$dir" '"plugins":[]'
	arm 'has not loaded' "$dir" '"plugins":[{"name":"b","path":"builtin"}]'
	arm "$dir-other" "$dir" "\"plugins\":[{\"path\":\"$dir\"},{\"path\":\"$dir-other\"}]"
	arm /elsewhere "$dir" "\"plugins\":[{\"name\":\"p\",\"path\":\"/elsewhere\",\"source\":\"p@inline\"}]"
	arm 'Path not found: /nowhere' "$dir" '"plugins":[],"plugin_errors":[{"plugin":"inline[0]","type":"path-not-found","message":"Path not found: /nowhere"}]'
	arm 'JSON parse error' "$dir" "\"plugins\":[{\"path\":\"$dir\"}],\"plugin_errors\":[{\"message\":\"hooks.json: JSON parse error\",\"plugin\":\"x@inline\"}]"
}

@test "plugin paths are compared after realpath, or as they are if they do not resolve" {
	mkdir p
	ln -s p link
	arm '' "$PWD/p" "\"plugins\":[{\"path\":\"$PWD/link\"}]"
	arm '' /in/a/container "\"plugins\":[{\"path\":\"/in/a/container\"}]"
	arm /in/a/container2 /in/a/container "\"plugins\":[{\"path\":\"/in/a/container2\"}]"
}

@test "in the arm without plugin none but builtin ones are loaded" {
	arm '' '' '"plugins":[{"name":"b","path":"builtin"}]'
	arm '' '' '"session_id":"s"'
	arm /home/user/.claude/plugins/x '' '"plugins":[{"name":"x","path":"/home/user/.claude/plugins/x"}]'
}

@test "an MCP server of the plugin that failed, a disallowed tool and a memory path are faults" {
	mkdir p
	loaded="\"plugins\":[{\"path\":\"$PWD/p\"}]"
	arm 'plugin:x:y' "$PWD/p" "$loaded,\"mcp_servers\":[{\"name\":\"plugin:x:y\",\"status\":\"failed\"}]"
	arm 'plugin:x:y' "$PWD/p" "$loaded,\"mcp_servers\":[{\"status\":\"failed\",\"name\":\"plugin:x:y\"},{\"name\":\"z\",\"status\":\"connected\"}]"
	arm '' "$PWD/p" "$loaded,\"mcp_servers\":[{\"name\":\"plugin:x:y\",\"status\":\"pending\"},{\"name\":\"z\",\"status\":\"failed\"}]"
	for tool in ListAgents SendMessage EnterWorktree; do
		arm "$tool" '' "\"plugins\":[],\"tools\":[\"Bash\",\"$tool\",\"Read\"]"
	done
	arm '' '' '"plugins":[],"tools":["Bash","Read"]'
	arm memory '' '"plugins":[],"memory_paths":{"auto":"/home/user/.claude/memory"}'
}

@test "only the init event tells the arm" {
	printf '%s\n' "$INIT" '{"type":"user","plugins":[{"path":"/x"}],"tools":["SendMessage"]}' \
	    '{"type":"system","subtype":"status","plugins":[{"path":"/x"}]}' > transcript
	[ -z "$("$CCRE_HARNESS" arm transcript '')" ]
	printf '%s\n' 'All done.' > transcript
	[ -z "$("$CCRE_HARNESS" arm transcript "$PWD")" ]
}

# ---- options, runtime lines, CSV --------------------------------------------

@test "a TIME is a number with an optional s, m, h or d" {
	while read -r text seconds; do
		got=$("$CCRE_HARNESS" time "$text" 2> /dev/null || echo no)
		echo "$text: expected $seconds, got $got"
		[ "$got" = "$seconds" ]
	done <<-'END'
	90 90
	90s 90
	1.5m 90
	2h 7200
	0.1d 8640
	0 0
	.5h 1800
	5. 5
	x no
	5w no
	1.2.3 no
	-1 no
	+1 no
	nan no
	inf no
	0x10 no
	1e3 no
	1mm no
	5S no
	. no
	m no
	99999999999d no
	END
	for text in '' ' 5' '5 m'; do
		run -2 "$CCRE_HARNESS" time "$text"
	done
}

@test "a runtime line has a number and a unit anywhere in it, blanks ignored" {
	while IFS='|' read -r line microseconds; do
		# shellcheck disable=SC2059 # the line has escapes
		printf "$line\n" > output
		"$CCRE_HARNESS" runtime < output > told
		got=$(< told)
		echo "$line: expected $microseconds, got $got"
		[ "$got" = "$microseconds" ]
	done <<-'END'
	runtime: 5ms|5000
	runtime: 2 s|2000000
	runtime:7us|7
	runtime:\t1500\tns|2
	fib: runtime: 1.25ms ok|fib 1250
	fib.2-b: n=3 runtime: 1 ms|fib.2-b 1000
	Container runtime: 20 s|20000000
	\033[32mruntime:\033[0m 12.5 ms|12500
	x: \033[1;31mruntime:\t.5\tms\033[0m|x 500
	runtime: 12.5 ms\r|12500
	runtime: 12.5ms/op|12500
	runtime: 1.5 ms ± 0.2 ms|1500
	noise|
	Runtime: 5 ms|
	runtime = 5 ms|
	the runtime: see below|
	runtime: 1,5ms|malformed
	runtime: 15|malformed
	runtime: 5min|malformed
	runtime: 2 sec|malformed
	runtime: 12.5 µs|malformed
	runtime: 1.2.3ms|malformed
	runtime: 0x10ms|malformed
	runtime: -3ms|malformed
	runtime: 1e3ms|malformed
	END
}

@test "any fields survive the CSV writer, python's reader, and the program's own" {
	command -v python3 > /dev/null || skip 'no python3'
	python3 - <<-'EOF'
	import csv, io, os, random, subprocess
	seed = int(os.environ.get('CHECK_SEED') or random.randrange(10 ** 9))
	print('CHECK_SEED=%d repeats this' % seed)
	rnd = random.Random(seed)
	pieces = [',', '"', '""', '\r', '\n', '\r\n', 'a', ' ', '\t', '0', '\\', "'",
	    ';', '=', '#', 'é', '€', '𝄞', '\ufeff', '\x7f', '\x01', '",', ',"', '"\n']
	def run(mode, n, data):
	    return subprocess.run([os.environ['CCRE_HARNESS'], 'csv', mode, str(n)],
	        input=data, stdout=subprocess.PIPE, check=True).stdout
	def special(field):
	    return any(c in field for c in ',"\r\n')
	for turn in range(12):
	    n = rnd.choice((2, 3, 5, 9, 25))
	    rows = [[''.join(rnd.choices(pieces, k=rnd.choice((0, 0, 1, 2, 3, 12))))
	        for _ in range(n)] for _ in range(rnd.choice((1, 2, 40)))]
	    rows.append([''] * n)
	    rows.append(['"'] * n)
	    rows.append(['x' * rnd.randrange(100000)] + ['\n'] * (n - 1))
	    fields = ''.join(f + '\0' for row in rows for f in row).encode()
	    written = run('write', n, fields)
	    back = list(csv.reader(io.StringIO(written.decode(), newline=''), strict=True))
	    assert back == rows, (n, rows, back)
	    plain = ''.join(','.join('"%s"' % f.replace('"', '""') if special(f) else f
	        for f in row) + '\n' for row in rows).encode()
	    assert written == plain, 'quoted without need, or not by RFC 4180'
	    assert run('read', n, written) == fields, (n, rows)
	# every beginning of a file that ends in the middle of a record
	rows = [[''.join(rnd.choices(pieces, k=rnd.randrange(6))) for _ in range(3)]
	    for _ in range(25)]
	data = run('write', 3, ''.join(f + '\0' for r in rows for f in r).encode())
	print(run('torn', 3, data).decode())
	EOF
}
