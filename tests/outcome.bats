# Why an attempt ended, design section 4: claude's own words first, whatever
# else its transcript holds; its environment; and the arm that was asked for.

load helper

# Where scenes leave what they saw.
export SEEN=$BATS_TEST_TMPDIR

# play STATUS OUTCOME SCENE [OPTION...]: one attempt that plays the scene, in
# an experiment of its own, ends with this status and is that in the ledger.
play() {
	local expected="$1 $2" played=$3 status=0
	shift 3
	rm -rf "$REHEARSAL_STATE" "$OUT" "$PROJECT"/.git/refs/heads/exp-* \
	    "$PROJECT/.git/refs/cc-run-experiments"
	[ ! -e "scenes/$played" ] || played=$SCENE/$played
	REHEARSAL=$played ${PROGRAM-experiment} -r 1 -i 1 --retries 0 "$@" \
	    > said 2>&1 || status=$?
	echo "expected: $expected; got: $status $(ledger outcome): $played"
	[ "$status $(ledger outcome)" = "$expected" ]
	[ "$(calls)" = 1 ]
	[ -z "$(ls -A "$TMPDIR")" ]
}

# ends OUTCOME SCENE: the same, with the status that a single attempt of this
# outcome leads to.
ends() {
	case $1 in
	success | capped | failure) play 0 "$@" ;;
	'rate limit') play 75 "$@" ;;
	denied) play 77 "$@" ;;
	timeout) play 124 "$@" ;;
	*) false ;;
	esac
}

# kept_work: what the scene's edit did is in the iteration's branch.
kept_work() {
	git -C "$PROJECT" show exp-run-1-iteration-1:rehearsal.txt |
	    grep -qx 'call 1'
}

# put_back: the iteration's branch is where it began, and the tree is clean.
put_back() {
	[ -z "$(git -C "$PROJECT" status --porcelain)" ]
	[ "$(git -C "$PROJECT" rev-parse exp-run-1-iteration-1)" = "$BASE" ]
}

# message: that of the iteration's commit.
message() {
	git -C "$PROJECT" log -1 --format=%B exp-run-1-iteration-1
}

# says OUTCOME RESULT-FIELDS: claude edits and ends with status 1 and this
# result object, whose other fields are those of a failed call.
says() {
	scene told <<-END
	init; edit
	printf '%s\n' '{"session_id":"s","num_turns":3,$2,"type":"result"}'
	exit 1
	END
	ends "$1" told
}

# prints OUTCOME STATUS TEXT: a program without JSON edits, prints the text
# and ends with the status.
prints() {
	printf '%b' "$3" > "$SEEN/text"
	scene printed <<-END
	edit; cat "\$SEEN/text"; exit $2
	END
	ends "$1" printed
}

# plugin_arm [OPTION...]: the experiment with the plugin "rehearsed".
plugin_arm() {
	CC_PLUGIN_DIR=$BATS_TEST_TMPDIR/dir ccre -o "$OUT" "$PROJECT" exp "$@"
}

# plain_arm [OPTION...]: without, but it is known which one must not be there.
plain_arm() {
	CC_PLUGIN_DIR=$BATS_TEST_TMPDIR/dir experiment "$@"
}

# plugin_made: the plugin's directory; its name is not the directory's.
plugin_made() {
	mkdir -p dir/.claude-plugin dir/skills/faster
	echo '{"name":"rehearsed","version":"1.0.0"}' > dir/.claude-plugin/plugin.json
}

# init_says FIELDS: a scene "arm" whose init has these fields and that then
# does good work.
init_says() {
	scene arm <<-END
	printf '%s\n' '{"session_id":"s",$1,"type":"system","subtype":"init"}'
	edit; result false success 'Good work.'
	END
}

# stopped_for_arm PROGRAM: exit 1 with a reason about the plugin, and no more
# calls; the reason is left in $reason.
stopped_for_arm() {
	local program=$1
	REHEARSAL=$SCENE/arm run -1 --separate-stderr "$program" -r 2 -i 3
	[ "$(calls)" = 1 ]
	# shellcheck disable=SC2154	# run --separate-stderr sets it
	reason=${stderr_lines[-1]}
	[[ $reason == *stopped*plugin* ]]
	put_back
	house_is_clean
}

# --- success ---------------------------------------------------------------

@test "a result without an error is a success, with type as its last key" {
	scene last <<-'END'
	init; edit
	printf '%s\n' '{"is_error":false,"num_turns":1,"subtype":"success","result":"Fine.","session_id":"s","type":"result"}'
	END
	ends success last
	kept_work
	[[ $(message) == *Fine.* ]]
}

@test "a result without an error is a success, with type as its first key" {
	scene first <<-'END'
	init; edit
	printf '%s\n' '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"Fine.","session_id":"s"}'
	END
	ends success first
	kept_work
	[[ $(message) == *Fine.* ]]
}

@test "blanks between the keys of a result do not matter" {
	scene blanks <<-'END'
	init; edit
	printf ' { "type" :\t"result" , "is_error" : false,"usage" : { } , "list":[ ] , "num_turns" : 1 , "result":"Fine." } \r\n'
	END
	ends success blanks
	[[ $(message) == *Fine.* ]]
}

@test "of two results the last one counts" {
	scene better <<-'END'
	init; edit
	result true success 'API Error: 529' ',"api_error_status":529'
	assistant again
	result false success 'Better.'
	END
	ends success better
	[[ $(message) == *Better.* ]]
	scene worse <<-'END'
	init; edit
	result false success 'So far so good.'
	assistant again
	result true success 'API Error: 529' ',"api_error_status":529'; exit 1
	END
	ends failure worse
	put_back
	scene limited <<-'END'
	init; edit
	result false success 'So far so good.'
	assistant again
	result true success 'limit' ',"api_error_status":429'; exit 1
	END
	ends 'rate limit' limited
}

@test "cost, turns and tokens are those of the last result" {
	scene twice <<-'END'
	init; edit
	turns=7; result false success First. | sed 's/0\.0125/0.9/; s/"inputTokens":100/"inputTokens":5000/'
	turns=4; result false success Last.
	END
	ends success twice
	[ "$(ledger num_turns)" = 4 ]
	[ "$(ledger cost_usd)" = 0.0125 ]
	[ "$(ledger input_tokens)" = 101 ]	# the sum over two models
	[ "$(ledger output_tokens)" = 42 ]
	[ "$(ledger cache_read_tokens)" = 303 ]
	[ "$(ledger cache_creation_tokens)" = 204 ]
}

@test "a success that talks of limits, logins and errors is a success" {
	scene talk <<-'END'
	init; edit
	assistant "You've hit your 5-hour limit. API Error: 429. Not logged in."
	result false success "You've hit your session limit: rate limit, 429, usage_limit_reached, Not logged in, Credit balance is too low" ',"note":"api_error_status 401"'
	END
	ends success talk
	kept_work
	[[ $(message) == *"usage_limit_reached, Not logged in"* ]]
}

@test "a success after a warning of the limit is a success" {
	ends success warning
	kept_work
	scene allowed <<-'END'
	init; limit allowed; edit; result false success Done.
	END
	ends success allowed
}

@test "a rejected event that is followed by a success is a success" {
	scene rejected <<-'END'
	init; limit rejected 3600; edit; result false success 'Waited it out.'
	END
	ends success rejected
	kept_work
}

@test "a success counts whatever the exit status, which the ledger tells" {
	for status in 1 2 124; do
		scene "status$status" <<-END
		init; edit; result false success Done.; exit $status
		END
		ends success "status$status"
		[ "$(ledger exit_status)" = "$status" ]
		kept_work
	done
}

@test "a success of a claude that kills itself afterwards counts" {
	scene killed <<-'END'
	init; edit; result false success Done.; kill -KILL $$
	END
	ends success killed
	[ "$(ledger exit_status)" = 137 ]
	kept_work
}

@test "a claude that lingers after its result is ended and its work counts" {
	PROGRAM=quick play 0 success linger
	kept_work
	PROGRAM=quick
	scene lingering_limit <<-'END'
	init; edit; result true success limit ',"api_error_status":429'; sleep 1000
	END
	play 75 'rate limit' lingering_limit
	put_back
}

@test "a success that is followed by a hang until the limit counts" {
	play 0 success linger --iteration-timeout 1
	kept_work
}

@test "a success of no turns is a failure: the model was never asked" {
	ends failure unasked
	scene turned <<-'END'
	init; edit; turns=1; result false success Done.
	END
	ends success turned
}

@test "a failure without a text says what is known of it" {
	scene exits <<-'END'
	exit 7
	END
	scene mute <<-'END'
	init; echo '{"type":"result","subtype":"success","is_error":true,"num_turns":2,"result":""}'
	END
	scene unasked <<-'END'
	init; echo '{"type":"result","subtype":"success","is_error":false,"num_turns":0,"result":""}'
	END
	scene broken <<-'END'
	init; edit
	END
	local why
	while IFS=: read -r name why; do
		rm -rf "$OUT"
		REHEARSAL=$SCENE/$name run experiment -r 1 -i 1
		project for-each-ref --format='delete %(refname)' refs/cc-run-experiments refs/heads/exp-run-1-iteration-1 | project update-ref --stdin
		[[ ${lines[0]} == *": failure in "*": $why" ]]
	done <<-'END'
	exits:exit status 7
	mute:its result has no text
	unasked:the model was not asked
	broken:it ended without a result
	END
}

@test "what was put back is named where it is kept, and a stop says what to type" {
	scene idles <<-'END'
	init; result true error_during_execution 'Overloaded'
	END
	REHEARSAL=$SCENE/idles run -3 experiment -r 1 -i 4
	echo "$output"
	[[ $output != *'kept as'* ]]
	[[ $output == *'stopped: 2 failures in a row: the same command goes on from here'* ]]
	scene works <<-'END'
	init; edit; result true error_during_execution 'Overloaded'
	END
	REHEARSAL=$SCENE/works run -3 experiment -r 1 -i 4
	[[ $output == *'kept as refs/cc-run-experiments/exp/run-1/iteration-2/attempt-2: Overloaded'* ]]
	project cat-file -e refs/cc-run-experiments/exp/run-1/iteration-2/attempt-2:rehearsal.txt
}

# --- capped ----------------------------------------------------------------

@test "a turn or money limit of the user's is capped, and its work is kept" {
	for name in capped budget; do
		ends capped "$name"
		kept_work
	done
}

@test "a turn limit that an old client ends with status 0 and no error is capped" {
	scene old <<-'END'
	init; edit
	printf '%s\n' '{"type":"result","subtype":"error_max_turns","is_error":false,"num_turns":3,"session_id":"s"}'
	END
	ends capped old
	kept_work
}

@test "a capped claude that hangs afterwards is capped" {
	scene hangs <<-'END'
	init; edit; result true error_max_turns '' ',"errors":["Reached maximum"]'
	sleep 1000
	END
	play 0 capped hangs --iteration-timeout 1
	kept_work
}

# --- we ended it -----------------------------------------------------------

@test "a call that passes the iteration's limit is a timeout" {
	play 124 timeout hang --iteration-timeout 1
	[ "$(ledger exit_status)" = 143 ]
	put_back
}

@test "an error of a call that we ended is a timeout all the same" {
	scene error <<-'END'
	init; edit; result true success limit ',"api_error_status":429'; sleep 1000
	END
	play 124 timeout error --iteration-timeout 1
	put_back
}

@test "a program without JSON that we ended is a timeout, also one that exits 0" {
	scene polite <<-'END'
	trap 'exit 0' TERM
	edit; echo "You've hit your session limit"; sleep 1000 & wait
	END
	play 124 timeout polite --iteration-timeout 1
	put_back
}

@test "a call that is silent for too long is a timeout" {
	PROGRAM=quick play 124 timeout silent --idle-timeout 1
	put_back
}

@test "a call that goes on talking is not silent" {
	scene talks <<-'END'
	init; for i in 1 2 3 4 5 6; do sleep 0.5; assistant "$i"; done
	edit; result false success Done.
	END
	PROGRAM=quick play 0 success talks --idle-timeout 2
	kept_work
}

# --- rate limit ------------------------------------------------------------

@test "an error with status 429, a usage limit or a last event rejected is a rate limit" {
	ends 'rate limit' rate-limit
	ends 'rate limit' throttled
	put_back
	says 'rate limit' '"is_error":true,"subtype":"success","api_error_status":429,"result":"no"'
	says 'rate limit' '"is_error":true,"subtype":"success","api_error_status":null,"api_error":"usage_limit_reached","result":"no"'
	# A client before 2.1.330 has no status.
	says 'rate limit' '"is_error":true,"subtype":"success","result":"5-hour limit reached ∙ resets 9:44pm"'
	says failure '"is_error":true,"subtype":"success","result":"It says: 5-hour limit reached"'
	scene rejected <<-'END'
	init; edit; limit allowed; limit rejected
	result true success 'API Error' ',"api_error_status":null'; exit 1
	END
	ends 'rate limit' rejected
	put_back
}

@test "an error that the last event allowed is no rate limit" {
	scene allowed <<-'END'
	init; edit; limit rejected 10; limit allowed 3600
	result true success 'API Error: 529' ',"api_error_status":529'; exit 1
	END
	ends failure allowed
	scene warned <<-'END'
	init; edit; limit allowed_warning 3600
	result true success 'API Error: 500' ',"api_error_status":500'; exit 1
	END
	ends failure warned
}

@test "an error with exit status 0 is still an error" {
	scene limited <<-'END'
	init; edit; limit rejected 60
	result true success limit ',"api_error_status":429'; exit 0
	END
	ends 'rate limit' limited
	scene overloaded <<-'END'
	init; edit; result true success no ',"api_error_status":529'; exit 0
	END
	ends failure overloaded
	put_back
	scene denied <<-'END'
	init; edit; result true success no ',"api_error_status":401'; exit 0
	END
	ends denied denied
}

@test "a rejected event counts before a denial" {
	scene both <<-'END'
	init; edit; limit rejected
	result true success no ',"api_error_status":403'; exit 1
	END
	ends 'rate limit' both
}

# --- denied ----------------------------------------------------------------

@test "an error with status 401, 403 or 404 is a denial" {
	ends denied denied
	ends denied no-model
	says denied '"is_error":true,"subtype":"success","api_error_status":403,"result":"Failed to authenticate."'
	put_back
}

@test "a billing error is a denial" {
	ends denied no-credit
	scene billing <<-'END'
	init; edit; assistant 'Payment needed' billing_error
	result true success 'Payment needed' ',"api_error_status":400'; exit 1
	END
	ends denied billing
	put_back
}

@test "a claude that is not logged in is denied" {
	says denied '"is_error":true,"subtype":"success","result":"Credit balance is too low"'
	says denied '"is_error":true,"subtype":"success","api_error_status":null,"terminal_reason":"api_error","result":"Not logged in · Please run /login"'
	put_back
}

# --- failure ---------------------------------------------------------------

@test "any other error is a failure: overload, a server's fault, no connection, a refusal" {
	for name in overloaded offline refusal; do
		ends failure "$name"
		put_back
	done
	for status in 413 500 null; do
		says failure '"is_error":true,"subtype":"success","api_error_status":'$status',"terminal_reason":"api_error","result":"API Error: '$status'"'
		put_back
	done
}

@test "an error during execution is a failure" {
	says failure '"is_error":true,"subtype":"error_during_execution","errors":["Something broke"]'
	put_back
}

@test "a failure whose text speaks of limits or logins in passing is a failure" {
	says failure '"is_error":true,"subtype":"success","api_error_status":500,"result":"API Error: 500 while reading: 429, Not logged in, usage limit reached"'
	scene read <<-'END'
	init; edit; assistant "You've hit your session limit"
	printf '%s\n' '{"type":"user","message":{"content":"usage_limit_reached 401 Not logged in"}}'
	result true success 'API Error: 529' ',"api_error_status":529'; exit 1
	END
	ends failure read
}

@test "JSON that began without ever a result is a failure, whatever the exit status" {
	for status in 0 1 2 124; do
		scene "began$status" <<-END
		init; edit; assistant Working.; exit $status
		END
		ends failure "began$status"
		put_back
	done
	ends failure die
	[ "$(ledger exit_status)" = 137 ]
}

@test "JSON that began, then a line with a limit text, is a failure" {
	scene text <<-'END'
	init; edit; echo "You've hit your session limit · resets 9:44pm (UTC)"; exit 1
	END
	ends failure text
}

@test "a last line that is cut is no result" {
	scene cut <<-'END'
	init; edit; result false success Done. | head -c 300
	END
	ends failure cut
	put_back
	scene cut_twice <<-'END'
	init; edit; result false success First.
	result true success no ',"api_error_status":429' | head -c 300
	END
	ends success cut_twice
	[[ $(message) == *First.* ]]
}

@test "a first line that is cut is JSON that began" {
	scene cut <<-'END'
	edit; printf '{"type":"system","subtype":"in'
	END
	ends failure cut
}

@test "a last line that lacks nothing but its newline is a result" {
	scene whole <<-'END'
	init; edit; printf %s "$(result false success Done.)"
	END
	ends success whole
	kept_work
}

# --- no JSON ---------------------------------------------------------------

@test "without JSON exit status 0 is a success" {
	prints success 0 'All done.\n'
	kept_work
	prints success 0 ''
	kept_work
}

@test "without JSON exit status 2 is a rate limit" {
	prints 'rate limit' 2 'Try later.\n'
	put_back
	prints 'rate limit' 2 ''
}

@test "without JSON exit status 124 is a timeout" {
	prints timeout 124 'Too slow.\n'
	put_back
	prints timeout 124 ''
}

@test "without JSON the exit status counts before any limit text" {
	prints success 0 "You've hit your session limit\n"
	kept_work
	prints timeout 124 "You've hit your session limit\n"
}

@test "without JSON any other exit status is a failure" {
	for status in 1 75 137; do
		prints failure "$status" 'All done.\n'
		put_back
	done
}

@test "without JSON a line that begins with a limit text of a new client is a rate limit" {
	for text in "You've hit your 5-hour limit · resets 9:45pm (UTC)" \
	    "You've hit your session limit · resets 9:44pm (UTC)" \
	    "You've hit your weekly limit · resets Mon" \
	    "You've hit your limit · resets 9pm" \
	    'API Error: Rate limit reached' \
	    'API Error: Server is temporarily limiting requests (not your usage limit) · Try again'; do
		prints 'rate limit' 1 "starting\n$text\n"
	done
	put_back
}

@test "without JSON a line that begins with a limit text of an old client is a rate limit" {
	for text in '5-hour limit reached ∙ resets 9:44pm' \
	    'Session limit reached ∙ resets 9:44pm' \
	    'Weekly limit reached ∙ resets Mon' \
	    'Claude AI usage limit reached|1795383861' \
	    'Spending cap reached resets 9:35pm' \
	    'API Error: 429 {"type":"error","error":{}}'; do
		prints 'rate limit' 1 "$text"
	done
	put_back
}

@test "without JSON a limit text in the middle of a line is a failure" {
	prints failure 1 "I read: You've hit your session limit\n"
	put_back
	prints failure 1 ' Claude AI usage limit reached|1795383861\n'
	prints failure 1 'test_limits.py: "5-hour limit reached" ok\n'
}

@test "without JSON a limit text far above the tail of the output is a failure" {
	scene above <<-'END'
	edit; echo "You've hit your session limit"
	yes 'line after line of other output' | head -c 2000000; exit 1
	END
	ends failure above
	scene below <<-'END'
	edit; yes 'line after line of other output' | head -n 60000
	echo "You've hit your session limit"; exit 1
	END
	ends 'rate limit' below
}

# --- what else a transcript may hold ---------------------------------------

@test "a line of 50 MB before the result is passed over" {
	scene long <<-'END'
	init; edit
	printf '{"type":"user","message":{"content":"'
	head -c 50000000 /dev/zero | tr '\0' x
	printf '"}}\n'
	result false success Done.
	END
	ends success long
	kept_work
}

@test "a line of 50 MB without an end is no result" {
	scene endless <<-'END'
	init; edit; printf '{"type":"user","text":"'
	head -c 50000000 /dev/zero | tr '\0' x
	END
	ends failure endless
}

@test "a summary of a megabyte is a success whose commit has its trailers" {
	scene long <<-'END'
	init; edit
	result false success "Begins here. $(yes 'and goes on' | head -n 90000 | tr '\n' ' ')"
	END
	ends success long
	[[ $(message) == *'Begins here. and goes on'* ]]
	[ "$(git -C "$PROJECT" log -1 --format='%(trailers:only,valueonly,key=Outcome)' \
	    exp-run-1-iteration-1 | head -n 1)" = success ]
}

@test "a long summary is cut between two characters" {
	local first
	for first in '' 1 12 123; do
		scene "cut$first" <<-END
		init; edit
		result false success "Begins $first\$(yes é‰𝄞 | head -n 2000 | tr -d '\n')"
		END
		ends success "cut$first"
		message > words
		[ "$(wc -c < words)" -gt 8000 ]
		# Git makes a letter of the first byte of a character.
		[ -z "$(sed 's/é//g; s/‰//g; s/𝄞//g' words | tr -d '\0-\177')" ]
	done
}

@test "NUL bytes in the transcript do no harm" {
	scene nul <<-'END'
	printf '\0\0\0\n'
	init; edit
	printf '{"type":"user","text":"a\0b","is_error":true}\n'
	printf '\0{"type":"result","is_error":true,"api_error_status":429}\n'
	result false success Done.
	printf '\0\0\n\0'
	END
	ends success nul
	kept_work
}

@test "without JSON NUL bytes do no harm" {
	prints success 0 'a\0b\n\0\0'
	prints 'rate limit' 1 'a\0b\nWeekly limit reached\n\0\n'
}

@test "lines that are no JSON or no event are passed over" {
	scene noise <<-'END'
	echo 'Warning: something is odd'; echo; echo '{}'; echo '['; echo '{'
	init; edit
	printf '%s\n' '}' '[1,2,3]' '"type"' 'null' '{"type":}' '{"type"' \
	    '{"type":"result",}' '{"type":"result" "is_error":true}' \
	    "{'type':'result','is_error':true}" '{"type":"result","x":"\q"}' \
	    '{"type":"result","is_error":true,"api_error_status":429' \
	    '{"type":"result","is_error":true,"api_error_status":429}}' \
	    '{"type":"result","is_error":true,"api_error_status":429} x' \
	    '[{"type":"result","is_error":true,"api_error_status":429}]'
	result false success Done.
	printf '%s\n' '{"type":"result","is_error":true,"api_error_status":429' \
	    'Goodbye.'
	END
	ends success noise
	kept_work
	[[ $(message) == *Done.* ]]
}

@test "a rate limit event written into the middle of another line is passed over" {
	scene middle <<-'END'
	init; edit
	printf '{"type":"assistant","message":{"content":[{"type":"te'
	limit rejected 3600
	printf 'xt","text":"hello"}]}}\n'
	result true success 'API Error: 529' ',"api_error_status":529'; exit 1
	END
	ends failure middle
	scene before <<-'END'
	init; edit
	printf '{"type":"assistant","message":{"content":[{"type":"te'
	limit rejected 3600
	printf 'xt","text":"hello"}]}}\n'
	result false success Done.
	END
	ends success before
	kept_work
}

@test "a result inside a tool's output is none, as an object and as a string" {
	scene object <<-'END'
	init; edit
	printf '%s\n' '{"message":{"content":[{"type":"result","is_error":false,"subtype":"success","num_turns":3,"result":"fake"}]},"tool_use_result":{"type":"result","is_error":false,"subtype":"success","num_turns":3,"result":"fake"},"type":"user"}'
	END
	ends failure object
	put_back
	scene string <<-'END'
	init; edit
	printf '%s\n' '{"type":"user","message":{"content":"{\"type\":\"result\",\"is_error\":false,\"num_turns\":3}\n{\"type\":\"result\",\"is_error\":false,\"num_turns\":3}"}}'
	END
	ends failure string
	put_back
}

@test "an error inside a tool's output does not spoil a success" {
	scene inside <<-'END'
	init; edit
	fake='{"type":"result","is_error":true,"subtype":"error_max_turns","api_error_status":429,"num_turns":0,"result":"fake"}'
	printf '%s\n' '{"type":"result","is_error":false,"subtype":"success","num_turns":3,"result":"Real.","inner":'"$fake"',"list":['"$fake,$fake"']}'
	printf '%s\n' '{"tool_use_result":'"$fake"',"type":"user"}'
	printf '%s\n' '{"type":"user","rate_limit_info":{"status":"rejected"}}'
	END
	ends success inside
	[[ $(message) == *Real.* ]]
}

@test "keys that look like a path are no path" {
	scene paths <<-'END'
	init; edit
	printf '%s\n' '{"type":"rate_limit_event","rate_limit_info/status":"rejected","rate_limit_info":{"status":"allowed"}}'
	result true success 'API Error: 529' ',"api_error_status":529'; exit 1
	END
	ends failure paths
}

@test "a result under an empty key is none" {
	scene empty <<-'END'
	init; edit
	printf '%s\n' '{"":{"type":"result","is_error":false,"subtype":"success","num_turns":3,"result":"fake"}}'
	END
	ends failure empty
}

@test "events and fields that nobody knows yet are passed over" {
	scene future <<-'END'
	printf '%s\n' '{"type":"system","subtype":"ui_invalidate","what":[1,{"a":[]}]}'
	init
	printf '%s\n' '{"type":"telepathy","is_error":true,"api_error_status":429,"result":"no"}'
	edit
	result false success Done. ',"new":{"type":"x","y":[[],{},[{"z":-1.5e+10}]],"is_error":true},"type2":"result","t":true,"n":null'
	printf '%s\n' '{"type":"epilogue","is_error":true}'
	END
	ends success future
	kept_work
}

@test "an event that is nested very deeply is passed over" {
	scene deep <<-'END'
	init; edit
	printf '{"type":"user","x":'; head -c 1000000 /dev/zero | tr '\0' '['
	head -c 1000000 /dev/zero | tr '\0' ']'; printf '}\n'
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "{\"a\":"; print "" }'
	result false success Done.
	END
	ends success deep
	kept_work
}

@test "a deeply nested field that nobody knows does not spoil the result" {
	scene deep <<-'END'
	init; edit
	open=$(head -c 200 /dev/zero | tr '\0' '[')
	close=$(head -c 200 /dev/zero | tr '\0' ']')
	result false success Done. ",\"new\":$open$close"
	END
	ends success deep
	kept_work
}

@test "escapes in the summary arrive in the commit message, surrogate pairs too" {
	scene escapes <<-'END'
	init; edit
	printf '%s\n' '{"type":"result","is_error":false,"num_turns":1,"result":"Caf\u00e9 \u4E2d \ud83d\ude80 na\u00EFve \"quoted\" a\\b c\/d\n\ttab \u0041"}'
	END
	ends success escapes
	printf 'Café 中 🚀 naïve "quoted" a\\b c/d\n\ttab A\n' > expected
	message | grep -A1 '^Caf' | diff expected -
}

@test "half a surrogate pair, a NUL and raw UTF-8 in the summary leave the rest whole" {
	scene halves <<-'END'
	init; edit
	printf '%s\n' '{"type":"result","is_error":false,"num_turns":1,"result":"one \ud83d two \ude80 three \u0000 four \ud83d\u0041 🚀 five"}'
	END
	ends success halves
	message | grep -q '^one .*two .*three .*four .*A 🚀 five$'
	git -C "$PROJECT" log -1 --format='%(trailers:only)' exp-run-1-iteration-1 |
	    grep -qx 'Outcome: success'
}

@test "claude's stdout and stderr are kept to the byte beside the ledger" {
	scene both <<-'END'
	{ init; echo 'no JSON'; edit; result false success Done.; } | tee "$SEEN/stdout"
	printf 'a warning\nand no newline' >&2
	END
	ends success both
	cmp stdout "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	printf 'a warning\nand no newline' |
	    cmp - "$OUT/exp--run-1--iteration-1--attempt-1.err"
}

@test "a start that fails at once is shown with its line on stderr" {
	ends failure crash
	grep -q 'Error: something is broken' said
	scene root <<-'END'
	echo '--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons' >&2
	exit 1
	END
	ends failure root
	grep -q 'cannot be used with root/sudo privileges for security reasons' said
}

# --- the arm ---------------------------------------------------------------

@test "a plugin that is loaded is the arm that was asked for, by path or by name" {
	plugin_made
	PROGRAM=plugin_arm ends success success
	init_says '"plugins":[{"name":"other","path":"/elsewhere"},{"name":"rehearsed","source":"rehearsed@inline"}]'
	PROGRAM=plugin_arm ends success arm
	kept_work
	init_says '"plugins":[{"path":"'"$PWD/dir"'","name":"dir"}],"plugin_errors":[]'
	PROGRAM=plugin_arm ends success arm
}

@test "a plugin that is missing in its arm stops the experiment" {
	plugin_made
	init_says '"plugins":[]'
	stopped_for_arm plugin_arm
}

@test "another plugin than the one asked for stops the experiment" {
	plugin_made
	init_says '"plugins":[{"name":"other","path":"'"$PWD/dir-other"'"}]'
	stopped_for_arm plugin_arm
}

@test "a plugin that failed to load stops the experiment and claude's reason is told" {
	plugin_made
	init_says '"plugins":[],"plugin_errors":[{"plugin":"inline[0]","type":"path-not-found","message":"Path not found: /nowhere"}]'
	stopped_for_arm plugin_arm
	[[ $reason == *'Path not found: /nowhere'* ]]
}

@test "a plugin that was loaded in part stops the experiment" {
	plugin_made
	init_says '"plugins":[{"name":"rehearsed","path":"'"$PWD/dir"'"}],"plugin_errors":[{"plugin":"rehearsed","type":"generic-error","message":"hooks.json: JSON parse error"}]'
	stopped_for_arm plugin_arm
	[[ $reason == *'JSON parse error'* ]]
}

@test "an error of some other plugin of the user's does not stop the experiment" {
	plugin_made
	init_says '"plugins":[{"name":"rehearsed","path":"'"$PWD/dir"'"}],"plugin_errors":[{"plugin":"other@market","type":"generic-error","message":"broken"}]'
	PROGRAM=plugin_arm ends success arm
}

@test "a plugin that is present in the other arm stops the experiment" {
	plugin_made
	init_says '"plugins":[{"name":"x","path":"'"$PWD/dir"'"}]'
	stopped_for_arm plain_arm
}

@test "a plugin of this name that is present in the other arm stops the experiment" {
	plugin_made
	init_says '"plugins":[{"name":"rehearsed","path":"/home/user/.claude/plugins/rehearsed"}]'
	stopped_for_arm plain_arm
}

@test "other plugins of the user's may be present in the other arm" {
	plugin_made
	init_says '"plugins":[{"name":"other","path":"'"$PWD/dir-other"'"}]'
	PROGRAM=plain_arm ends success arm
	kept_work
}

@test "a wrong arm stops the experiment in a later iteration too" {
	plugin_made
	init_says '"plugins":[]'
	REHEARSAL="success $SCENE/arm" run -1 plugin_arm -r 1 -i 3
	[ "$(calls)" = 2 ]
	[ "$(ledger outcome | head -n 1)" = success ]
	kept_work
	house_is_clean
}

@test "a wrong arm is noticed while claude is at work, before more is spent" {
	plugin_made
	init_says '"plugins":[]'
	sed -i 's/.*edit; result.*/sleep 1000/' "$SCENE/arm"
	CCRE=$CCRE_QUICK REHEARSAL=$SCENE/arm run -1 plugin_arm -r 1 -i 3
	[[ $output == *'has not loaded the plugin'* ]]
	[ "$(calls)" = 1 ]
	house_is_clean
}

@test "a program that says nothing of plugins is taken at its word" {
	plugin_made
	scene wordless <<-'END'
	edit; exit 0
	END
	PROGRAM=plugin_arm ends success wordless
	kept_work
}

# --- the environment -------------------------------------------------------

@test "what would tell claude of another session is not in its environment" {
	scene look <<-'END'
	env > "$SEEN/environment"; init; edit; result false success Done.
	END
	export CLAUDECODE=1 CLAUDE_CODE_SESSION_ID=a CLAUDE_CODE_ENTRYPOINT=cli \
	    CLAUDE_CODE_CHILD_SESSION=1
	ends success look
	run ! grep -E '^(CLAUDECODE|CLAUDE_CODE_(SESSION_ID|ENTRYPOINT|CHILD_SESSION))=' \
	    environment
}

@test "git's variables are not in claude's environment, nor do they lead us astray" {
	scene look <<-'END'
	env > "$SEEN/environment"; git rev-parse --show-toplevel > "$SEEN/top"
	init; edit; result false success Done.
	END
	git init -q trap
	export GIT_DIR=$PWD/trap/.git GIT_WORK_TREE=$PWD/trap \
	    GIT_INDEX_FILE=$PWD/trap/index GIT_OBJECT_DIRECTORY=$PWD/trap/objects \
	    GIT_CEILING_DIRECTORIES=/ GIT_NAMESPACE=trap GIT_PREFIX=x/ \
	    GIT_EDITOR=/bin/false GIT_CONFIG_PARAMETERS="'user.name=trap'" \
	    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=trap
	REHEARSAL=$SCENE/look experiment -r 1 -i 1
	unset "${!GIT_@}"
	[ "$(ledger outcome)" = success ]
	kept_work
	[ "$(cat top)" = "$(realpath "$PROJECT")" ]
	run ! grep -E '^GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|CEILING_DIRECTORIES|NAMESPACE|PREFIX|EDITOR|CONFIG_PARAMETERS)=' environment
	run ! grep trap environment
	[ -z "$(git -C trap for-each-ref)" ]
	house_is_clean
}

@test "everything else in the user's environment reaches claude" {
	scene look <<-'END'
	env > "$SEEN/environment"; init; edit; result false success Done.
	END
	export ANTHROPIC_API_KEY=key CLAUDE_CODE_MAX_RETRIES=3 CLAUDECODER=x \
	    MINE='two  words' EMPTY=
	ends success look
	for line in ANTHROPIC_API_KEY=key CLAUDE_CODE_MAX_RETRIES=3 CLAUDECODER=x \
	    'MINE=two  words' EMPTY= "HOME=$HOME" "PATH=$PATH"; do
		grep -qxF "$line" environment
	done
}

@test "claude neither updates itself, remembers, nor works in the background" {
	scene look <<-'END'
	env > "$SEEN/environment"; init; edit; result false success Done.
	END
	unset DISABLE_AUTOUPDATER CLAUDE_CODE_DISABLE_AUTO_MEMORY \
	    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS
	ends success look
	for name in DISABLE_AUTOUPDATER CLAUDE_CODE_DISABLE_AUTO_MEMORY \
	    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS; do
		[ "$(grep "^$name=" environment)" = "$name=1" ]
	done
}

@test "unless the user has set it otherwise" {
	scene look <<-'END'
	env > "$SEEN/environment"; init; edit; result false success Done.
	END
	export DISABLE_AUTOUPDATER=0 CLAUDE_CODE_DISABLE_AUTO_MEMORY=0 \
	    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=
	ends success look
	[ "$(grep ^DISABLE_AUTOUPDATER= environment)" = DISABLE_AUTOUPDATER=0 ]
	[ "$(grep ^CLAUDE_CODE_DISABLE_AUTO_MEMORY= environment)" = \
	    CLAUDE_CODE_DISABLE_AUTO_MEMORY=0 ]
	[ "$(grep ^CLAUDE_CODE_DISABLE_BACKGROUND_TASKS= environment)" = \
	    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS= ]
}

@test "claude has a private TMPDIR, empty at each call and removed afterwards" {
	scene litter <<-'END'
	{ echo "$TMPDIR"; stat -c '%F %a' "$TMPDIR"; ls -A "$TMPDIR"; } > "$SEEN/tmp.$call"
	mkdir -p "$TMPDIR/claude-0/deep"; touch "$TMPDIR/.hidden" "$TMPDIR/claude-0/deep/x"
	chmod 0 "$TMPDIR/claude-0/deep"
	init; edit; result false success Done.
	END
	REHEARSAL=$SCENE/litter experiment -r 1 -i 2
	for n in 1 2; do
		private=$(head -n 1 "tmp.$n")
		[[ $private == "$TMPDIR"/?* ]]
		[ ! -e "$private" ]
		[ "$(sed 1d "tmp.$n")" = 'directory 700' ]
	done
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "the private TMPDIR is removed after a stop too" {
	scene litter <<-'END'
	echo "$TMPDIR" > "$SEEN/private"; touch "$TMPDIR/x"; api_error 401 no
	END
	ends denied litter
	[[ $(cat private) == "$TMPDIR"/?* ]]
	[ ! -e "$(cat private)" ]
}

@test "claude's own git collects no garbage, and nothing is written to a configuration" {
	scene look <<-'END'
	{ git config --get gc.auto; git config --get maintenance.auto; } > "$SEEN/gc"
	init; edit; git add -A; git commit -qm own; result false success Done.
	END
	cp "$PROJECT/.git/config" before
	cp "$HOME/.gitconfig" before-home
	ends success look
	[ "$(cat gc)" = $'0\nfalse' ]
	cmp before "$PROJECT/.git/config"
	cmp before-home "$HOME/.gitconfig"
}
