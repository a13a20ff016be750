# Section 7 of the design: what is in the output directory.
# shellcheck disable=SC2030,SC2031,SC2154  # run sets $output, $stderr, $status
bats_require_minimum_version 1.5.0
load helper
export SCENE VICTIM=$BATS_TEST_TMPDIR/victim

LEDGER=experiment_id,run_id,iteration_id,attempt,outcome,exit_status,started_at,
LEDGER+=duration_seconds,charged_seconds,base_commit,commit,files_changed,
LEDGER+=total_added,total_removed,num_turns,cost_usd,input_tokens,output_tokens,
LEDGER+=cache_read_tokens,cache_creation_tokens,session_id,model,claude_version,
LEDGER+=survivors,protected_touched
DIFFSTATS=experiment_id,run_id,iteration_id,src_added,src_removed,md_added,
DIFFSTATS+=md_removed,total_added,total_removed
SAMPLES=experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us

# limited COMMAND...: a hang is a failure of the test, not of the suite.
limited() {
	CC_TEST_ID=$BATS_TEST_TMPDIR timeout -k 2 20 "$@"
}

need_python() {
	command -v python3 > /dev/null || skip "python3 is absent"
}

# diffstats COLUMN: that column, a line per row.
diffstats() {
	awk -F, -v name="$1" '
	    NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
	    { print $column }' "$OUT/exp--diffstats.csv"
}

# shown FILE: its bytes, so that a difference can be read.
shown() {
	od -An -c "$1"
}

# same_text EXPECTED FILE: to the byte, the last newline as well.
same_text() {
	printf '%s\n' "$1" | cmp - "$2" || { shown "$2"; return 1; }
}

git_project() {
	git -C "$PROJECT" "$@"
}

@test "the files of an experiment have the promised names, and no others are left" {
	experiment -q -r 2 -i 1 -b fast='echo runtime: 5ms'
	local run
	{
		echo exp--diffstats.csv
		echo exp--experiment.csv
		echo exp--iterations.csv
		for run in 1 2; do
			echo "exp--run-$run--iteration-0--fast.csv"
			echo "exp--run-$run--iteration-0--fast.log"
			echo "exp--run-$run--iteration-1--attempt-1.err"
			echo "exp--run-$run--iteration-1--attempt-1.jsonl"
			echo "exp--run-$run--iteration-1--fast.csv"
			echo "exp--run-$run--iteration-1--fast.log"
		done
	} > expected
	find "$OUT" -mindepth 1 -printf '%P\n' | sort | diff expected -
	house_is_clean
}

@test "headers and rows are exact to the byte, a row a line, and end in LF" {
	experiment -q -r 1 -i 2 -b fast='echo runtime: 5ms'
	[ "$(head -n 1 "$OUT/exp--iterations.csv")" = "$LEDGER" ]
	[ "$(head -n 1 "$OUT/exp--diffstats.csv")" = "$DIFFSTATS" ]
	[ "$(head -n 1 "$OUT/exp--experiment.csv")" = key,value ]
	same_text "$SAMPLES"$'\nexp,1,0,1,5000' "$OUT/exp--run-1--iteration-0--fast.csv"
	same_text "$SAMPLES"$'\nexp,1,2,1,5000' "$OUT/exp--run-1--iteration-2--fast.csv"
	same_text "$DIFFSTATS"$'\nexp,1,1,1,0,0,0,1,0\nexp,1,2,1,0,0,0,1,0' \
	    "$OUT/exp--diffstats.csv"
	[ "$(wc -l < "$OUT/exp--iterations.csv")" = 3 ]
	awk -F, 'NF != 25 { exit 1 }' "$OUT/exp--iterations.csv"
	local file
	for file in "$OUT"/*.csv; do
		[ -z "$(tail -c 1 "$file")" ]
		run ! grep -q $'\r' "$file"
	done
}

@test "the ledger's row says what an attempt was" {
	experiment -q -r 1 -i 1
	local row
	row=$(tail -n 1 "$OUT/exp--iterations.csv")
	[[ $row =~ ^exp,1,1,1,success,0,[^,]+,[0-9.]+,[0-9.]+,${BASE:?},[0-9a-f]{40},1,1,0,3,0\.0125,101,42,303,204,00000000-0000-4000-8000-000000000001,rehearsal,2\.1\.330,0,$ ]]
}

@test "what defines the experiment is written down, the whole prompt as well" {
	need_python
	local plugin=$BATS_TEST_TMPDIR/plug
	mkdir -p "$plugin/.claude-plugin"
	echo '{"name":"plug"}' > "$plugin/.claude-plugin/plugin.json"
	git init -q "$plugin"
	git -C "$plugin" add -A
	git -C "$plugin" commit -qm plugin
	git_project tag v1
	printf 'Say "hello", then:\n\n\tsay, say.\nIt'\''s 100%% é.\n\n' > prompt
	export CC_PLUGIN_DIR=$plugin
	ccre -q -o "$OUT" -r 1 -i 2 -t 90m --iteration-timeout 1.5h \
	    --idle-timeout 5m --retries 4 -p prompt --build 'echo "b, c"' \
	    -b one='echo runtime: 1ms' -b two='echo "a,b"; echo runtime: 2ms' \
	    --benchmark-timeout 2d --protect bench --protect main.py \
	    "$PROJECT" exp v1 -- --model opus --append-system-prompt $'two "words",\nit'\''s'
	PLUGIN=$plugin python3 - "$OUT/exp--experiment.csv" <<-'EOF'
	import collections, csv, os, shlex, subprocess, sys
	rows = list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8')))
	assert rows[0] == ['key', 'value'], rows[0]
	got = collections.defaultdict(list)
	for key, value in rows[1:]:
	    got[key].append(value)
	def is_(key, *values):
	    assert got[key] == list(values), (key, got[key], values)
	def number(key, value):
	    assert [float(v) for v in got[key]] == [value], (key, got[key])
	def said(*command):
	    return subprocess.run(command, stdout=subprocess.PIPE,
	        check=True).stdout.decode().strip()
	env = os.environ
	uname = os.uname()
	is_('version', said(env['CCRE'], '--version').split()[-1])
	assert len(got['started_at']) == 1
	is_('host', uname.nodename)
	assert uname.sysname in got['system'][0]
	assert uname.machine in got['system'][0] or env.get('CHECK_EMULATOR')
	is_('directory', os.path.realpath(env['PROJECT']))
	is_('baseline', 'v1')
	is_('baseline_commit', env['BASE'])
	is_('plugin_directory', os.path.realpath(env['PLUGIN']))
	is_('plugin_commit', said('git', '-C', env['PLUGIN'], 'rev-parse', 'HEAD'))
	assert got['claude_path'][0].startswith('/')
	assert os.path.samefile(got['claude_path'][0], env['CCRE_ROOT'] + '/contrib/rehearsal-claude')
	is_('claude_version', '2.1.330 (rehearsal)')
	assert shlex.split(got['claude_arguments'][0]) == ['--model', 'opus',
	    '--append-system-prompt', 'two "words",\nit\'s'], got['claude_arguments']
	is_('prompt', open('prompt', newline='', encoding='utf-8').read())
	is_('iterations', '2')
	number('timeout', 5400)
	number('iteration_timeout', 5400)
	number('idle_timeout', 300)
	number('benchmark_timeout', 2 * 86400)
	is_('retries', '4')
	is_('build', 'echo "b, c"')
	is_('benchmark', 'one=echo runtime: 1ms', 'two=echo "a,b"; echo runtime: 2ms')
	is_('protect', 'bench', 'main.py')
	EOF
	house_is_clean
}

@test "without a plugin none is written down, and the built-in prompt is" {
	need_python
	CC_PLUGIN_DIR='' experiment -q -r 1 -i 1
	python3 - "$OUT/exp--experiment.csv" <<-'EOF'
	import csv, sys
	got = dict(list(csv.reader(open(sys.argv[1], newline='')))[1:])
	assert got['plugin_directory'] == got['plugin_commit'] == '', got
	assert got['claude_arguments'] == got['build'] == '', got
	assert len(got['prompt']) > 100 and 'plugin' not in got['prompt'], got['prompt']
	assert float(got['timeout']) == 7200 and got['iterations'] == '1', got
	EOF
}

@test "a slash in the prefix makes a folder" {
	ccre -q --no-plugin -o "$OUT" -r 1 -i 1 -b fast='echo runtime: 5ms' "$PROJECT" arm/a/one
	[ "$(ls -A "$OUT")" = arm ]
	[ "$(ls -A "$OUT/arm")" = a ]
	cd "$OUT/arm/a"
	[ -f one--experiment.csv ]
	[ -f one--run-1--iteration-1--attempt-1.jsonl ]
	[ -f one--run-1--iteration-1--attempt-1.err ]
	[ -f one--run-1--iteration-1--fast.log ]
	same_text "$SAMPLES"$'\narm/a/one,1,1,1,5000' one--run-1--iteration-1--fast.csv
	same_text "$DIFFSTATS"$'\narm/a/one,1,1,1,0,0,0,1,0' one--diffstats.csv
	[ "$(sed -n '2s/,success,.*//p' one--iterations.csv)" = arm/a/one,1,1,1 ]
	git_project rev-parse --verify -q refs/heads/arm/a/one-run-1-iteration-1
	house_is_clean
}

@test "a prefix with a comma and quotes survives every CSV file" {
	need_python
	local prefix='a,b"c'\''d,"'
	ccre --no-plugin -o "$OUT" -r 1 -i 2 -b fast='echo runtime: 5ms' \
	    "$PROJECT" "$prefix" > table 2>/dev/null
	git_project rev-parse --verify -q "refs/heads/$prefix-run-1-iteration-2"
	python3 - "$OUT" "$prefix" <<-'EOF'
	import csv, sys
	def rows(name):
	    path = sys.argv[1] + '/' + sys.argv[2] + '--' + name + '.csv'
	    return list(csv.reader(open(path, newline=''), strict=True))
	for name, columns, count in (('iterations', 25, 2), ('diffstats', 9, 2),
	    ('run-1--iteration-0--fast', 5, 1), ('run-1--iteration-2--fast', 5, 1)):
	    got = rows(name)
	    assert len(got) == 1 + count, (name, got)
	    for row in got:
	        assert len(row) == columns, (name, row)
	    for row in got[1:]:
	        assert row[0] == sys.argv[2], (name, row)
	assert [row[4] for row in rows('iterations')[1:]] == ['success'] * 2
	EOF
	grep -q '1\.00x' table			# the program reads it as well
}

@test "the command that compares the branches can be pasted, whatever the prefix" {
	ccre --no-plugin -o "$OUT" -r 1 -i 1 "$PROJECT" 'a,b"c;d' > table 2>/dev/null
	grep 'git -C' table > pasted
	sh pasted > printed
	grep -q '1 file changed' printed
}

@test "times are UTC in ISO 8601, wherever the user lives" {
	local before after t
	before=$(date +%s)
	TZ=XYZ+5 experiment -q -r 1 -i 1
	after=$(date +%s)
	ledger started_at > times.txt
	sed -n 's/^started_at,//p' "$OUT/exp--experiment.csv" >> times.txt
	[ "$(wc -l < times.txt)" = 2 ]
	while read -r t; do
		[[ $t =~ ^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z$ ]]
		t=$(date -d "$t" +%s)
		[ "$t" -ge "$before" ]
		[ "$t" -le "$after" ]
	done < times.txt
}

@test "numbers have a point where the user's locale has a comma" {
	LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 LANG=de_DE.UTF-8 \
	    experiment -q -r 1 -i 1 -t 1.5h -b half='echo runtime: 1.5ms'
	[[ $(ledger duration_seconds) =~ ^[0-9]+\.[0-9]+$ ]]
	[[ $(ledger charged_seconds) =~ ^[0-9]+\.[0-9]+$ ]]
	[ "$(ledger cost_usd)" = 0.0125 ]
	[[ $(grep '^timeout,' "$OUT/exp--experiment.csv") =~ ^timeout,5400(\.0*)?$ ]]
	[ "$(tail -n 1 "$OUT/exp--run-1--iteration-1--half.csv")" = exp,1,1,1,1500 ]
}

@test "cost, turns and tokens are what claude's last result says, summed over models" {
	scene large <<-'EOF'
	init; edit
	result false success 'A first result, which is not the last.'
	printf '{"type":"result","subtype":"success","is_error":false,"num_turns":17,"total_cost_usd":12.5,"result":"x","usage":{"input_tokens":7},"modelUsage":{"vendor/big model":{"inputTokens":3000000000,"outputTokens":1,"cacheReadInputTokens":4000000000,"cacheCreationInputTokens":0,"costUSD":12},"small":{"costUSD":0.5,"cacheCreationInputTokens":6,"inputTokens":3000000000,"outputTokens":2,"cacheReadInputTokens":5}}}\n'
	EOF
	scene bare <<-'EOF'
	init; edit
	echo '{"type":"result","subtype":"success","is_error":false,"result":"x"}'
	EOF
	scene plain <<-'EOF'
	edit; echo 'I am no JSON.'
	EOF
	REHEARSAL="success $SCENE/large $SCENE/bare $SCENE/plain" experiment -q -r 1 -i 4
	[ "$(ledger outcome | uniq -c | tr -s ' ')" = ' 4 success' ]
	[ "$(ledger num_turns)" = $'3\n17\n\n' ] || [ "$(ledger num_turns; echo .)" = $'3\n17\n\n\n.' ]
	[ "$(ledger cost_usd; echo .)" = $'0.0125\n12.5\n\n\n.' ]
	[ "$(ledger input_tokens; echo .)" = $'101\n6000000000\n\n\n.' ]
	[ "$(ledger output_tokens; echo .)" = $'42\n3\n\n\n.' ]
	[ "$(ledger cache_read_tokens; echo .)" = $'303\n4000000005\n\n\n.' ]
	[ "$(ledger cache_creation_tokens; echo .)" = $'204\n6\n\n\n.' ]
	[ "$(ledger model; echo .)" = $'rehearsal\nrehearsal\nrehearsal\n\n.' ]
	[ "$(ledger claude_version; echo .)" = $'2.1.330\n2.1.330\n2.1.330\n\n.' ]
	[ "$(ledger session_id | tail -n 2; echo .)" = $'00000000-0000-4000-8000-000000000003\n\n.' ]
}

@test "commas and quotes in what claude says of itself stay in their field, on one line" {
	need_python
	scene odd <<-'EOF'
	edit
	printf '%s\n' '{"type":"system","subtype":"init","session_id":"s\n1","model":"a,b\"c\nd\r","claude_code_version":"2,1"}'
	printf '%s\n' '{"type":"result","subtype":"success","is_error":false,"num_turns":2,"result":"x","session_id":"s\n1"}'
	EOF
	REHEARSAL=$SCENE/odd experiment -q -r 1 -i 2
	python3 - "$OUT/exp--iterations.csv" <<-'EOF'
	import csv, sys
	rows = list(csv.DictReader(open(sys.argv[1], newline=''), strict=True))
	assert len(rows) == 2, rows
	for row in rows:
	    assert None not in row and None not in row.values(), row
	    assert row['session_id'] == 's?1', row
	    assert row['claude_version'] == '2,1', row
	    assert row['model'].startswith('a,b"c'), row
	    assert row['survivors'] == '0' and row['protected_touched'] == '', row
	EOF
}

@test "an attempt that leaves the iteration unfinished is not charged" {
	REHEARSAL="silent success rate-limit" \
	    run -75 quick -q -r 1 -i 2 --iteration-timeout 1
	[ "$(ledger outcome)" = $'timeout\nsuccess\nrate limit' ]
	ledger charged_seconds > charged
	ledger duration_seconds > taken
	[[ $(sed -n 1p charged) =~ ^0(\.0*)?$ ]]
	[[ $(sed -n 1p taken) =~ ^[1-9] ]]
	[ "$(sed -n 2p charged)" = "$(sed -n 2p taken)" ]
	run ! grep -qxE '0(\.0*)?' <(sed -n 2p charged)
	[[ $(sed -n 3p charged) =~ ^0(\.0*)?$ ]]
	run ! grep -qxE '0(\.0*)?' <(sed -n 3p taken)
}

@test "neither the failure that stops the experiment nor a denial is charged" {
	REHEARSAL="success overloaded" run -3 experiment -q -r 1 -i 5
	[ "$(ledger outcome)" = $'success\nfailure\nfailure' ]
	[[ $(ledger charged_seconds | tail -n 1) =~ ^0(\.0*)?$ ]]
	rm "$REHEARSAL_STATE"
	REHEARSAL=denied run -77 ccre -q --no-plugin -o "$OUT" "$PROJECT" two
	[ "$(tail -n 1 "$OUT/two--iterations.csv" | cut -d, -f5)" = denied ]
	[[ $(tail -n 1 "$OUT/two--iterations.csv" | cut -d, -f9) =~ ^0(\.0*)?$ ]]
}

@test "base_commit and commit are whole ids of commits that exist" {
	REHEARSAL="success overloaded success" experiment -q -r 1 -i 3
	local id
	for id in $(ledger base_commit) $(ledger commit); do
		[[ $id =~ ^[0-9a-f]{40}$ ]]
		git_project cat-file -e "$id^{commit}"
	done
	ledger commit > commits
	local ref=refs/cc-run-experiments/exp/run-1/iteration-2/attempt-1
	[ "$(sed -n 1p commits)" = "$(git_project rev-parse exp-run-1-iteration-1)" ]
	[ "$(sed -n 2p commits)" = "$(git_project rev-parse "$ref")" ]
	[ "$(sed -n 3p commits)" = "$(git_project rev-parse exp-run-1-iteration-3)" ]
	[ "$(ledger base_commit)" = "$BASE"$'\n'"$(sed -n 1p commits)"$'\n'"$(sed -n 1p commits)" ]
}

@test "ids are whole in a repository with SHA-256 as well" {
	rm -rf "$PROJECT"
	git init -q --object-format=sha256 "$PROJECT" || skip "git has no SHA-256"
	echo one > "$PROJECT/file"
	git_project add file
	git_project commit -qm baseline
	experiment -q -r 1 -i 1
	[[ $(ledger base_commit) =~ ^[0-9a-f]{64}$ ]]
	[ "$(ledger base_commit)" = "$(git_project rev-parse main)" ]
	[[ $(ledger commit) =~ ^[0-9a-f]{64}$ ]]
	[ "$(ledger commit)" = "$(git_project rev-parse exp-run-1-iteration-1)" ]
	[ "$(sed -n 's/^baseline_commit,//p' "$OUT/exp--experiment.csv")" = "$(git_project rev-parse main)" ]
}

@test "lines and files changed are git's own numbers, binary and odd files included" {
	cat > "$PROJECT/README.md" <<-'EOF'
	one
	two
	three
	EOF
	seq 50 > "$PROJECT/numbers"
	seq 20 > "$PROJECT/moved.md"
	head -c 3000 /dev/urandom > "$PROJECT/picture"
	head -c 3000 /dev/urandom > "$PROJECT/binary.md"
	git_project add -A
	git_project commit -qm more
	scene rewrite <<-'EOF'
	init
	sed -i 2d README.md
	printf 'four\nfive' >> README.md
	sed -i '10,20d; 30s/.*/thirty/' numbers
	git mv moved.md "to be.md"
	head -c 2000 /dev/urandom > picture
	head -c 2000 /dev/urandom > binary.md
	mkdir -p docs foo.md
	seq 7 > docs/.md
	seq 8 > .md
	seq 3 > foo.md/code
	seq 2 > A.MD
	seq 4 > "$(printf 'new\nline\t".md')"
	seq 5 > "$(printf '\303\251.md')"
	seq 6 > notes.md.txt
	: > empty.md
	ln -s README.md link
	rm .gitignore
	chmod +x main.py
	printf 'a\0b\n' > nul.md
	result false success done
	EOF
	REHEARSAL="$SCENE/rewrite success" experiment -q -r 1 -i 2
	local base commit m
	for m in 1 2; do
		base=$(ledger base_commit | sed -n ${m}p)
		commit=$(ledger commit | sed -n ${m}p)
		sums() {	# added and removed lines of these paths
			git_project diff --no-renames --numstat "$base" "$commit" -- "$@" |
			    awk '{ a += $1; r += $2 } END { print a + 0, r + 0 }'
		}
		[ "$(ledger files_changed | sed -n ${m}p)" = "$(git_project diff --no-renames --name-only "$base" "$commit" | wc -l)" ]
		[ "$(ledger total_added | sed -n ${m}p) $(ledger total_removed | sed -n ${m}p)" = "$(sums)" ]
		[ "$(diffstats total_added | sed -n ${m}p) $(diffstats total_removed | sed -n ${m}p)" = "$(sums)" ]
		[ "$(diffstats md_added | sed -n ${m}p) $(diffstats md_removed | sed -n ${m}p)" = "$(sums '*.md')" ]
		[ "$(diffstats src_added | sed -n ${m}p) $(diffstats src_removed | sed -n ${m}p)" = "$(sums . ':(exclude)*.md')" ]
	done
	[ "$(ledger files_changed | tail -n 1)" = 1 ]
	[ "$(diffstats md_added | head -n 1)" -ge 38 ]		# 2 + 20 + 7 + 4 + 5
	[ "$(ledger files_changed | head -n 1)" = 18 ]
}

@test "diffstats say what a branch holds: work that was put back is not in it" {
	REHEARSAL="success overloaded success" experiment -q -r 1 -i 3
	local m added
	for m in 1 2 3; do
		added=$(awk -F, -v m=$m '$3 == m { print $8 }' "$OUT/exp--diffstats.csv")
		if [ $m = 2 ]; then
			[ "${added:-0}" = 0 ]	# a row of noughts, or none
		else
			[ "$added" = 1 ]
		fi
	done
	[ "$(git_project rev-parse exp-run-1-iteration-1)" = "$(git_project rev-parse exp-run-1-iteration-2)" ]
}

@test "an attempt's row is on disk before the next attempt starts" {
	scene look <<-'EOF'
	cp "$OUT/exp--iterations.csv" "$SCENE/seen-$call"
	init; edit
	[ "$call" != 2 ] || exec sleep 1000
	[ "$call" != 3 ] || { result true success x ',"api_error_status":529'; exit 1; }
	result false success done
	EOF
	REHEARSAL=$SCENE/look quick -q -r 2 -i 2 --iteration-timeout 1
	[ "$(ledger outcome)" = $'success\ntimeout\nfailure\nsuccess\nsuccess' ]
	local call
	for call in 1 2 3 4 5; do
		head -n "$call" "$OUT/exp--iterations.csv" | cmp - "$SCENE/seen-$call"
	done
}

@test "transcripts are private, results follow the umask" {
	local file
	(umask 0 && experiment -q -r 1 -i 1 -b fast='echo runtime: 5ms')
	for file in "$OUT"/*.csv; do
		[ "$(stat -c %a "$file")" = 666 ]
	done
	rm -rf "$OUT"
	(umask 027 && ccre -q --no-plugin -o "$OUT" -r 1 -i 1 \
	    -b fast='echo runtime: 5ms' "$PROJECT" two)
	[ "$(stat -c %a "$OUT")" = 750 ]
	for file in "$OUT"/*.csv; do
		[ "$(stat -c %a "$file")" = 640 ]
	done
	[ "$(stat -c %a "$OUT/two--run-1--iteration-1--attempt-1.jsonl")" = 600 ]
	[ "$(stat -c %a "$OUT/two--run-1--iteration-1--attempt-1.err")" = 600 ]
}

# planted COMMAND: the agent puts something in the place of one result file
# after the other (a shell command, which gets the place as $place), each in
# an experiment of its own. Whatever the program does then, it does not wait
# for it, writes nothing through it to $VICTIM, and leaves a clean house.
planted() {
	export PLACE PLANT=$1
	local n=0 file status
	scene plant <<-'EOF'
	init; edit
	if [ ! -e "$SCENE/planted-$PLACE" ]; then
		: > "$SCENE/planted-$PLACE"
		for place in "$OUT/$PLACE" "$OUT/$PLACE.tmp"; do
			rm -rf "$place"
			eval "$PLANT"
		done
	fi
	result false success done
	EOF
	for file in iterations.csv \
	    run-1--iteration-2--attempt-1.jsonl run-1--iteration-2--attempt-1.err \
	    run-1--iteration-1--speed.csv run-1--iteration-1--speed.log; do
		n=$((n + 1))
		PLACE=x$n--$file
		echo precious > "$VICTIM"
		set -- -i 1
		case $file in
		*attempt*) set -- -i 2 ;;
		*speed*) set -- -i 1 -b speed='echo runtime: 1ms' ;;
		esac
		status=0
		REHEARSAL=$SCENE/plant limited "$CCRE" -q --no-plugin -o "$OUT" -r 1 \
		    "$@" "$PROJECT" x$n 2> said || status=$?
		echo "$PLACE: status $status: $(cat said)"
		[ -e "$SCENE/planted-$PLACE" ]
		[ "$status" = 0 ] || [ "$status" = 1 ]	# 2: a house left dirty
		[ "$(cat "$VICTIM")" = precious ]
		[ "$(stat -c %a "$VICTIM")" = 644 ]
	done
	house_is_clean
}

@test "a symbolic link in the place of a result is not written through" {
	# shellcheck disable=SC2016
	planted 'ln -s "$VICTIM" "$place"'
}

@test "a hard link in the place of a result is not written through" {
	# shellcheck disable=SC2016
	planted 'ln "$VICTIM" "$place"'
}

@test "a FIFO in the place of a result is not waited for" {
	# shellcheck disable=SC2016
	planted 'mkfifo "$place"'
}

@test "a directory in the place of a result does no harm" {
	# shellcheck disable=SC2016
	planted 'mkdir "$place"; touch "$place/file"'
}

@test "links, FIFOs and directories that are there at the start are not written through either" {
	local kind file status n=0
	mkdir "$OUT"
	for kind in 'ln -s' mkfifo mkdir; do
		for file in experiment.csv iterations.csv; do
			n=$((n + 1))
			if [ "$kind" = 'ln -s' ]; then
				ln -s "$VICTIM" "$OUT/x$n--$file"
			else
				$kind "$OUT/x$n--$file"
			fi
			status=0
			limited "$CCRE" -q --no-plugin -o "$OUT" -r 1 -i 1 \
			    "$PROJECT" x$n 2> said || status=$?
			echo "$kind $file: status $status: $(cat said)"
			[ "$status" -le 2 ]
			[ ! -e "$VICTIM" ]
		done
	done
	house_is_clean
}

@test "results go where the command is typed" {
	mkdir -p elsewhere
	cd elsewhere
	ccre -q --no-plugin -r 1 -i 1 ../project exp
	[ -s benchmark-results/exp--iterations.csv ]
	ccre -q --no-plugin -o results -r 1 -i 1 ../project two
	[ -s results/two--iterations.csv ]
	[ "$(ls -A)" = $'benchmark-results\nresults' ]
	[ "$(ls -A "$PROJECT")" = $'.git\n.gitignore\nbench\nmain.py' ]
	house_is_clean
}

@test "results inside the project are neither committed nor lost nor in the way" {
	cd "$PROJECT/bench"
	scene commit-all <<-'EOF'
	init; edit; git add -A; git commit -qm all
	result false success done
	EOF
	REHEARSAL="success $SCENE/commit-all overloaded success" \
	    ccre -q --no-plugin -r 1 -i 4 -b fast='echo runtime: 5ms' "$PROJECT" exp
	[ "$(sed -n '2,$p' benchmark-results/exp--iterations.csv | wc -l)" = 4 ]
	[ -s benchmark-results/exp--run-1--iteration-0--fast.csv ]
	[ -s benchmark-results/exp--run-1--iteration-1--attempt-1.jsonl ]
	[ "$(git_project diff --name-only main exp-run-1-iteration-4)" = rehearsal.txt ]
	house_is_clean
	ccre -q --no-plugin -r 1 -i 1 . two		# and once more
	[ -s benchmark-results/two--iterations.csv ]
	house_is_clean
}

# inside COMMAND: results are in the project, where the agent runs COMMAND.
# The program need not go on after that, but it ends, and cleans the house.
inside() {
	export INSIDE=$1
	echo precious > "$VICTIM"
	scene meddle <<-'EOF'
	init; edit
	eval "$INSIDE"
	result false success done
	EOF
	cd "$PROJECT" || return
	REHEARSAL="$SCENE/meddle success" run limited "$CCRE" -q --no-plugin \
	    -r 1 -i 2 "$PROJECT" exp
	echo "status $status: $output"
	[ "$status" -le 1 ]
	[ "$(cat "$VICTIM")" = precious ]
	house_is_clean
}

@test "an agent that removes the results in the project leaves a clean house" {
	inside 'git clean -ffdxq'
}

@test "results that an agent removes or forges are made anew, but for logs" {
	# shellcheck disable=SC2016
	REHEARSAL_EDIT='echo $call > work; case $call in
	    1) sleep 0.1 ;;
	    2) echo exp,9,9 >> "$OUT/exp--iterations.csv"
	       rm "$OUT/exp--run-1--iteration-0--b.csv" ;;
	    3) rm -rf "$OUT" ;;
	    4) mv "$OUT" "$OUT.away"; ln -s "$PROJECT" "$OUT" ;;
	esac' run -0 experiment -q -r 1 -i 5 -b b=true
	[[ $output == *"exp--iterations.csv was changed: put back"* ]]
	[[ $output == *"$OUT was removed: made anew, but for logs"* ]]
	[ "$(ledger outcome | grep -c success)" = 5 ]
	[ "$(ledger iteration_id | tr '\n' ' ')" = '1 2 3 4 5 ' ]
	[ "$(wc -l < "$OUT/exp--run-1--iteration-0--b.csv")" = 2 ]
	[ "$(wc -l < "$OUT/exp--diffstats.csv")" = 6 ]
	[ -s "$OUT/exp--experiment.csv" ]
	house_is_clean
}

@test "a ledger is there at every moment while it is put back" {
	unsanitized			# LeakSanitizer and strace exclude each other
	# shellcheck disable=SC2016
	REHEARSAL_EDIT='echo $call > work; case $call in
	    2) echo exp,9,9 >> "$OUT/exp--iterations.csv" ;;
	    3) rm "$OUT/exp--iterations.csv"; mkdir "$OUT/exp--iterations.csv" ;;
	esac' run -0 strace -qq -f -o trace -e trace=unlinkat,renameat "$CCRE" \
	    --no-plugin -q -o "$OUT" -r 1 -i 3 "$PROJECT" exp
	echo "$output"
	[ "$(grep -c 'exp--iterations.csv was changed: put back' <<< "$output")" = 2 ]
	[ "$(ledger outcome | grep -c success)" = 3 ]
	grep 'renameat(.*"exp--iterations.csv")' trace
	run ! grep 'unlinkat(.*"exp--iterations.csv", 0) *= 0' trace
}

# full SIZE COMMAND...: with a tmpfs of that size as $OUT, which is kept.
full() {
	local size=$1
	shift
	unshare -m true 2>/dev/null || skip "no mount namespace"
	mkdir -p "$OUT"
	# shellcheck disable=SC2016
	CC_TEST_ID=$BATS_TEST_TMPDIR unshare -m sh -c '
	    mount -t tmpfs -o size='"$size"' tmpfs "$OUT" || exit 99
	    "$@"
	    status=$?
	    rm -f "$OUT/filler"
	    cp -R "$OUT/." kept
	    exit "$status"' sh "$@"
}

@test "a disk that is full with a transcript is no failure of claude's" {
	scene flood <<-'EOF'
	init; edit
	yes '{"type":"assistant","text":"long"}' 2>/dev/null
	exit 1
	EOF
	REHEARSAL=$SCENE/flood run -1 full 256k "$CCRE" -q --no-plugin -o "$OUT" \
	    -r 1 -i 5 "$PROJECT" exp
	echo "$output"
	[[ $output == *"no space left for attempt-1.jsonl in $OUT"* ]]
	[ "$(calls)" = 1 ]
	house_is_clean
}

# fills WHEN: the scene "fill" fills the disk when that command succeeds; the
# prefix makes a ledger of more than a page.
fills() {
	prefix=x$(printf '%0120d' 0)
	scene fill <<-EOF
	rm -f "\$OUT/filler"
	init; edit
	result false success done
	if $1; then cat /dev/zero > "\$OUT/filler" 2>/dev/null; fi
	EOF
}

@test "when a full disk has room again, the same command goes on" {
	local prefix
	fills '[ ! -e ../room ]'
	# shellcheck disable=SC2016
	REHEARSAL=$SCENE/fill run full 512k sh -c '
	    first=0
	    "$@" || first=$?
	    [ "$first" = 1 ] || exit 98
	    rm "$OUT/filler"
	    : > room
	    exec "$@"' sh "$CCRE" -q --no-plugin -o "$OUT" -r 1 -i 30 "$PROJECT" "$prefix"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(awk -F, '$5 == "success" { print $3 }' "kept/$prefix--iterations.csv")" = "$(seq 30)" ]
	[ "$(wc -l < "kept/$prefix--diffstats.csv")" = 31 ]
	house_is_clean
}

@test "a full disk ends the experiment with its own message, and no half row" {
	local prefix
	# shellcheck disable=SC2016
	fills '[ "$call" -ge 2 ]'
	REHEARSAL=$SCENE/fill run --separate-stderr -1 full 256k \
	    "$CCRE" -q --no-plugin -o "$OUT" -r 1 -i 30 "$PROJECT" "$prefix"
	# shellcheck disable=SC2154
	[[ $stderr == *"No space left on device"* ]]
	[ "$(grep -c . <<< "$stderr")" = 1 ]
	local ledger=kept/$prefix--iterations.csv rows paid
	[ -z "$(tail -c 1 "$ledger")" ]
	awk -F, 'NF != 25 { exit 1 }' "$ledger"
	rows=$(($(wc -l < "$ledger") - 1))
	paid=$(calls)
	[ "$rows" -ge 1 ]
	[ "$paid" -lt 30 ]
	[ "$paid" -le $((rows + 1)) ]		# not one more was paid for
	[ "$(git_project rev-list --count "main..$prefix-run-1-iteration-$paid")" -ge "$rows" ]
	if [ -e "kept/$prefix--diffstats.csv" ]; then
		[ -z "$(tail -c 1 "kept/$prefix--diffstats.csv")" ]
		awk -F, 'NF != 9 { exit 1 }' "kept/$prefix--diffstats.csv"
	fi
	house_is_clean
}

@test "a disk that is full at the start is told before anything is paid for" {
	scene never <<< 'exit 1'
	# shellcheck disable=SC2016
	REHEARSAL=$SCENE/never run --separate-stderr -1 full 64k \
	    sh -c 'cat /dev/zero > "$OUT/filler" 2>/dev/null; exec "$@"' sh \
	    "$CCRE" -q --no-plugin -o "$OUT" "$PROJECT" exp
	[[ $stderr == *"No space left on device"* ]]
	[ "$(calls)" = 0 ]
	house_is_clean
}

@test "any fields survive the CSV writer, python's reader, and the program's own" {
	need_python
	build "$CCRE_ROOT/tests/csv_harness.c" csv_harness
	python3 - <<-'EOF'
	import csv, io, os, random, subprocess
	seed = int(os.environ.get('CHECK_SEED') or random.randrange(10 ** 9))
	print('CHECK_SEED=%d repeats this' % seed)
	rnd = random.Random(seed)
	pieces = [',', '"', '""', '\r', '\n', '\r\n', 'a', ' ', '\t', '0', '\\', "'",
	    ';', '=', '#', 'é', '€', '𝄞', '\ufeff', '\x7f', '\x01', '",', ',"', '"\n']
	def run(mode, n, data):
	    return subprocess.run(['./csv_harness', mode, str(n)], input=data,
	        stdout=subprocess.PIPE, check=True).stdout
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
	    assert written == plain, 'quoted where it need not be, or not by RFC 4180'
	    assert run('read', n, written) == fields, (n, rows)
	# every beginning of a file that ends amid a record
	rows = [[''.join(rnd.choices(pieces, k=rnd.randrange(6))) for _ in range(3)]
	    for _ in range(25)]
	data = run('write', 3, ''.join(f + '\0' for r in rows for f in r).encode())
	print(run('torn', 3, data).decode())
	EOF
}

@test "what does not fit on the disk is there as a whole or not at all" {
	yes '# a comment' | head -n 2000 >> "$PROJECT/.git/config"
	export -f ccre experiment
	run -1 bash -c 'ulimit -f 8; experiment -r 1 -i 1'
	[[ $output == *'cannot write '*cc-run-experiments.note* ]]
	[ "$(calls)" = 0 ]
	[ -z "$(find "$PROJECT/.git" "$OUT" -name '*.tmp')" ]
	run -0 experiment -r 1 -i 1
	house_is_clean
}

@test "a setting that is put back where it does not fit is not there in part" {
	yes '# a comment' | head -n 2000 >> "$PROJECT/.git/config"
	project config user.mine yes
	# shellcheck disable=SC2016  # for claude to expand
	REHEARSAL_EDIT='git config user.mine no; prlimit --fsize=8192 --pid $PPID' \
	    run -1 experiment -r 1 -i 1
	[[ $output == *'cannot write '*'/.git/config: '* ]]
	[ "$(project config user.mine)" = no ]
	[ "$(grep -c comment "$PROJECT/.git/config")" = 2000 ]
	run -0 experiment -r 1 -i 1
	[[ $output == *'/.git/config has changed since the runner was killed: look at it'* ]]
	house_is_clean
}

# fails_at PATH CALLS ERROR POINTS OPTION...: at each of these calls on the path once; nothing
# is lost, and the same command, typed again, does what is missing.
fails_at() {
	local path=$1 calls=$2 error=$3 points=$4 when
	shift 4
	unsanitized			# LeakSanitizer and strace exclude each other
	for when in $points; do
		rm -rf "$OUT" "$REHEARSAL_STATE"
		project for-each-ref --format='delete %(refname)' refs/heads/exp-run-* refs/cc-run-experiments |
		    project update-ref --stdin
		CC_TEST_ID=$BATS_TEST_TMPDIR run strace -qq -o trace -P "$path" -e trace="$calls" \
		    -e inject="$calls:error=$error:when=$when" "$CCRE" \
		    --no-plugin -o "$OUT" -r 1 -i 2 -b b='echo runtime: 1ms' "$@" "$PROJECT" exp
		echo "$when: $status: $output"
		[[ $output != *'was made by claude'* && $output != *'was removed'* ]]
		[ "$status" -le 2 ]
		run -0 experiment -r 1 -i 2 -b b='echo runtime: 1ms' "$@"
		[ "$(ledger outcome | grep -c success)" = 2 ]
		[ "$(find "$OUT" -name '*--b.csv' | wc -l)" = 2 ]
		[ "$(project config user.mine)" = yes ]
		house_is_clean
	done
}

@test "results that cannot be listed for a moment are not taken for removed" {
	project config user.mine yes
	fails_at "$OUT" getdents64 EIO '3 5 7 9 11 13 15'
}

@test "an output directory that cannot be looked at for a moment is not made anew" {
	project config user.mine yes
	fails_at "$OUT" lstat,newfstatat EIO "$(seq 1 60 | xargs)"
}

@test "settings of git that cannot be looked at for a moment are not taken for absent" {
	project config user.mine yes
	fails_at "$PROJECT/.git/config" fstat,newfstatat EIO '2 4 6 8 10 12 14 16'
}
