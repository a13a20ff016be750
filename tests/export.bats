# contrib/export. tests/transcript.jsonl is the output of the real client (2.1.330)
# with a scripted API: its own tools, a sub-agent, and a skill that is missing. The
# init event is left out.

# Each test is a process of its own (2030, 2031); other programs expand the scripts
# (2016); bats sets $stderr (2154).
# shellcheck disable=SC2030,SC2031,SC2016,SC2154

load helper

bats_require_minimum_version 1.5.0

export_as() {
	"$CCRE_ROOT/contrib/export" -o "$OUT" "$@"
}

# recorded: make an experiment whose second attempt has the recorded transcript.
recorded() {
	REHEARSAL='rate-limit success' experiment -r 1 -i 1 || [ $? = 75 ]
	REHEARSAL='rate-limit success' experiment -r 1 -i 1
	cp "$CCRE_ROOT/tests/transcript.jsonl" "$OUT/exp--run-1--iteration-1--attempt-2.jsonl"
}

# cell COLUMN: the values of that column of the summary.
cell() {
	awk -F, -v name="$1" '
	    NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
	    { print $column }' "$OUT/exp--summary.csv"
}

@test "the summary has a row for each attempt and for each sub-agent" {
	needs jq
	recorded
	export_as exp
	[ "$(wc -l < "$OUT/exp--summary.csv")" = 4 ]
	[ "$(cell session_id)" = "$(ledger session_id; ledger session_id | tail -n 1)" ]
	[ "$(cell is_sub_agent | xargs)" = '0 0 1' ]
	[ "$(cell sub_agent_type | xargs)" = general-purpose ]
}

@test "the summary counts the tool calls of the transcript" {
	needs jq
	recorded
	export_as exp
	# Tools: Read, Agent, Edit, Bash, Bash, Skill; the sub-agent's Bash.
	[ "$(cell total_tool_calls | xargs)" = '0 6 1' ]
	[ "$(cell read_calls | xargs)" = '0 1 0' ]
	[ "$(cell edit_calls | xargs)" = '0 1 0' ]
	[ "$(cell bash_calls | xargs)" = '0 2 1' ]
	[ "$(cell skill_calls | xargs)" = '0 1 0' ]
	[ "$(cell glob_calls | xargs)" = '0 0 0' ]
	[ "$(cell grep_calls | xargs)" = '0 0 0' ]
	# Seven turns and six results; a prompt, a turn and a result.
	[ "$(cell num_messages | sed 1d | xargs)" = '13 3' ]
}

@test "the summary counts the characters of thinking, tool inputs and results" {
	needs jq
	recorded
	export_as exp
	# "Let me think.", and /project/main.py with 18 characters of its text.
	[ "$(cell thinking_chars | xargs)" = '0 13 0' ]
	[ "$(cell read_chars | xargs)" = "0 $((16 + 18)) 0" ]
	# cat main.py, x and print("slow").
	[ "$(cell bash_chars | tail -n 1)" = $((11 + 1 + 13)) ]
	[ "$(cell total_chars | tail -n 1)" = $((11 + 1 + 13)) ]
}

@test "the summary has cost, times and tokens of the ledger, a sub-agent those of claude" {
	needs jq
	recorded
	export_as exp
	[ "$(cell cost_usd | xargs)" = "$(ledger cost_usd | xargs)" ]
	[ "$(cell duration_seconds | xargs)" = "$(ledger duration_seconds | xargs) 0.746" ]
	[ "$(cell started_at | xargs)" = "$(ledger started_at | xargs) 2026-11-23T13:13:23Z" ]
	[ "$(ledger input_tokens | xargs)" = '101 101' ]
	[ "$(cell total_tokens | xargs)" = '650 650 1547' ]
}

@test "the summary counts each character of an attempt once, without its sub-agents" {
	needs jq
	recorded
	export_as exp
	# The same sum by Python, event by event.
	[ "$(cell total_chars | sed -n 2p)" = "$(python3 - "$CCRE_ROOT/tests/transcript.jsonl" <<-'END'
		import json, sys

		def strings(value):
		    if isinstance(value, str):
		        return len(value)
		    if isinstance(value, dict):
		        return sum(strings(v) for v in value.values())
		    return 0

		total = 0
		for line in open(sys.argv[1]):
		    event = json.loads(line)
		    if event["type"] not in ("assistant", "user") or event["parent_tool_use_id"]:
		        continue
		    for block in event["message"]["content"]:
		        result = block.get("content", "")
		        if isinstance(result, list):
		            result = "".join(part["text"] for part in result)
		        total += strings(block.get("input", {})) + len(result) + \
		            len(block.get("thinking", "")) + len(block.get("text", ""))
		print(total)
	END
	)" ]
}

@test "the summary has the columns of its definition, in their order" {
	needs jq
	recorded
	export_as exp
	[ "$(head -n 1 "$OUT/exp--summary.csv")" = experiment_id,run_id,iteration_id,session_id,is_sub_agent,sub_agent_type,total_tool_calls,read_calls,glob_calls,edit_calls,skill_calls,bash_calls,grep_calls,total_chars,thinking_chars,read_chars,edit_chars,bash_chars,skill_chars,total_tokens,num_messages,cost_usd,duration_seconds,started_at,ended_at ]
	[ "$(awk -F, '{ print NF }' "$OUT/exp--summary.csv" | sort -u)" = 25 ]
	[ ! -e "$OUT/exp--summary.csv.tmp" ]
	[ ! -e "$OUT/exp--summary.csv.tmp.rows" ]
}

@test "a transcript that is cut, broken or not JSON has its row in the summary" {
	needs jq
	recorded
	head -c 9000 "$CCRE_ROOT/tests/transcript.jsonl" > "$OUT/exp--run-1--iteration-1--attempt-2.jsonl"
	printf 'Execution error\n[1,2]\n"text"\n{"type":"assistant"}\n{"type":"user","message":{"content":"a word"}}\n{"type":' > "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	export_as exp
	cat "$OUT/exp--summary.csv"
	[ "$(cell is_sub_agent | xargs)" = '0 0 1' ]
	[ "$(cell total_tool_calls | xargs)" = '0 3 1' ]
	[ "$(cell num_messages | head -n 1)" = 2 ]
	: > "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	export_as exp
	[ "$(cell num_messages | head -n 1)" = 0 ]
}

@test "a model's name with comma, quote and line break does not disturb the summary" {
	needs jq
	recorded
	sed -i 's/,rehearsal,2/,"re,""h""\nearsal",2/' "$OUT/exp--iterations.csv"
	[ "$(wc -l < "$OUT/exp--iterations.csv")" = 5 ]
	export_as exp
	[ "$(cell is_sub_agent | xargs)" = '0 0 1' ]
	[ "$(cell total_tool_calls | xargs)" = '0 6 1' ]
}

@test "a missing transcript is named, and the old summary stays" {
	needs jq
	recorded
	export_as exp
	cp "$OUT/exp--summary.csv" before
	rm "$OUT/exp--run-1--iteration-1--attempt-1.jsonl"
	run -1 export_as exp
	[ "$output" = "export: $OUT/exp--run-1--iteration-1--attempt-1.jsonl: expected the transcript of an attempt in the ledger" ]
	cmp before "$OUT/exp--summary.csv"
	[ -z "$(find "$OUT" -name '*.tmp*')" ]
}

@test "wrong words are refused with a line that names the right ones" {
	local line
	for line in '' 'summary exp' '-x exp'; do
		# shellcheck disable=SC2086 # words
		run -2 export_as $line
		[ "${lines[-1]}" = 'usage: export [-o DIRECTORY] PREFIX' ]
	done
}

@test "a prefix without results is refused with a line that names the file" {
	needs jq
	run -1 export_as exp
	[ "$output" = "export: $OUT/exp--iterations.csv: expected the ledger of an experiment: see -o" ]
}

@test "without jq a line says what to install" {
	mkdir nothing
	ln -s "$(command -v sh)" nothing
	PATH=$BATS_TEST_TMPDIR/nothing run -127 export_as exp
	[ "$output" = 'export: jq is not found: install it' ]
}
