# What a measurement believes: named runtimes, shared executions, the setup,
# benchmarks that are added later, and the table.
# shellcheck disable=SC2016 # scenes and commands are expanded later
# shellcheck disable=SC2154 # run assigns output, stderr and status
bats_require_minimum_version 1.5.0
load helper
export SCENE

# us NAME ITERATION [RUN]: the samples there, in microseconds.
us() {
	tail -n +2 "$OUT/exp--run-${3:-1}--iteration-$2--$1.csv" | cut -d, -f5 | paste -sd' '
}

# commit_file NAME: the file from stdin becomes part of the baseline.
commit_file() {
	mkdir -p "$(dirname "$PROJECT/$1")"
	cat > "$PROJECT/$1"
	project add -f "$1"
	project commit -qm "$1"
	snapshot
}

# ---- what a command prints --------------------------------------------------

@test "a benchmark without a runtime line stops before claude is called and names --time" {
	run -1 --separate-stderr experiment -r 1 -i 1 -b w='echo nothing | cat'
	[[ $stderr == *'runtime: NUMBER UNIT'*--time* ]]
	[ "$(calls)" = 0 ]
}

@test "a program that crashes behind a pipe has failed and has no speed-up" {
	echo 'echo "runtime: 500 ms"' | commit_file prog.sh
	REHEARSAL_EDIT='echo "kill -SEGV \$\$" > prog.sh' experiment -r 1 -i 1 \
	    -b w='sh prog.sh | tee log' > stdout
	[ "$(us w 0)" = 500000 ]
	[ -z "$(us w 1)" ]
	run ! grep -q '[0-9]x' stdout
}

@test "a number that is not understood is quoted" {
	run -1 --separate-stderr experiment -r 1 -i 1 -b w='echo "runtime: 15,200 us"'
	[[ $stderr == *'"runtime: 15,200 us" is not understood'* ]]
}

@test "benchmarks with the same command share its executions, each by its name" {
	command='echo x >> "$SCENE/executions"; echo "A: runtime: 100us"; echo "B: n=1 runtime: 9 ms"; echo "Total runtime: 1 s"'
	experiment -q -r 1 -i 1 --samples 2 -b A="$command" -b B="$command" --time wall="$command"
	[ "$(us A 0) $(us B 1)" = '100 100 9000 9000' ]
	[ "$(us wall 0 | wc -w)" = 2 ]
	[ "$(wc -l < "$SCENE/executions")" = 4 ]
}

@test "a name that a shared command does not print has failed" {
	command='echo "A: runtime: 100us"'
	run -1 --separate-stderr experiment -r 1 -i 1 -b A="$command" -b B="$command"
	[[ $stderr == *'benchmark B failed'*'B: and runtime:'* ]]
}

@test "lines of several names for one benchmark have failed, and the names are told" {
	run -1 --separate-stderr experiment -r 1 -i 1 -b all='echo "A: runtime: 1ms"; echo "B: runtime: 2ms"'
	[[ $stderr == *'A and B'* ]]
	experiment -q -r 1 -i 1 -b one='echo "A: runtime: 1ms"; echo "A: runtime: 2ms"'
	[ "$(us one 0)" = '1000 2000' ]
}

@test "a sample below 10 us is warned about" {
	run -0 --separate-stderr experiment -r 1 -i 1 -b tiny='echo runtime: 900 ns'
	[[ $stderr == *'below 10 us'* ]]
	[ "$(us tiny 0)" = 1 ]
}

@test "the first measurement shows the last lines of a log" {
	run -1 --separate-stderr experiment -r 1 -i 1 -b w='seq 9; exit 3'
	[[ $stderr == *'exit status 3'*'| 5'*'| 9'* ]]
	[[ $stderr != *'| 4'* ]]
}

@test "a measuring process that is killed leaves no copy and no benchmark" {
	experiment -q -r 1 -i 1
	run -1 experiment -q --benchmark-only -r 1 -i 1 -b w='kill -KILL $(cut -d" " -f4 /proc/$$/stat); sleep 100'
	[ -z "$(find "$TMPDIR" -name 'run-*')" ]
}

# ---- benchmarks that are added later ----------------------------------------

@test "a new benchmark is measured at all points of finished runs" {
	experiment -q -r 2 -i 2
	experiment -q -r 2 -i 2 -b w='echo "runtime: $(wc -l < rehearsal.txt || echo 0)0 ms"'
	[ "$(calls)" = 4 ]
	[ "$(us w 2 1) $(us w 2 2)" = '20000 40000' ] || [ "$(us w 2 1)" = 20000 ]
}

@test "another command for a known name is refused, with the old and the new one" {
	experiment -q -r 1 -i 1 -b w='echo runtime: 1ms'
	run -2 --separate-stderr experiment -r 1 -i 1 -b w='echo runtime: 2ms'
	[[ $stderr == *'benchmark'*'runtime: 1ms'*'runtime: 2ms'* ]]
}

@test "--benchmark-only measures an experiment that had no benchmarks" {
	experiment -q -r 1 -i 1
	experiment -q --benchmark-only -r 1 -i 1 -b w='echo runtime: 1ms'
	[ "$(us w 0) $(us w 1)" = '1000 1000' ]
}

# ---- the setup --------------------------------------------------------------

@test "--setup prepares each fresh copy, with PROJECT as the user's project" {
	echo 'deps/' | commit_file .gitignore
	mkdir "$PROJECT/deps" && echo 7 > "$PROJECT/deps/n" && snapshot
	scene look <<-'END'
	init; cat deps/n >> "$SCENE/seen"; edit; result false success ok
	END
	REHEARSAL=$SCENE/look experiment -q -r 1 -i 2 --setup 'cp -R "$PROJECT/deps" .' \
	    -b w='echo "runtime: $(cat deps/n) ms"'
	[ "$(paste -sd' ' "$SCENE/seen") $(us w 0) $(us w 2)" = '7 7 7000 7000' ]
	[ -z "$(project ls-tree exp-run-1-iteration-2 deps)" ]
}

@test "what --setup makes and git does not ignore is neither committed nor removed" {
	echo 'node_modules/' | commit_file .gitignore
	mkdir "$PROJECT/node_modules" && echo 7 > "$PROJECT/node_modules/n" && snapshot
	scene look <<-'END'
	init; cat node_modules/n cache/n >> "$SCENE/seen"; git status --porcelain >> "$SCENE/status"
	edit; result false success ok
	END
	REHEARSAL=$SCENE/look experiment -q -r 1 -i 2 \
	    --setup 'ln -s "$PROJECT/node_modules" node_modules; mkdir cache; echo 8 > cache/n' \
	    -b w='echo runtime: 1ms'
	[ "$(paste -sd' ' "$SCENE/seen")" = '7 8 7 8' ]
	[ ! -s "$SCENE/status" ]
	[ -z "$(project ls-tree exp-run-1-iteration-2 node_modules cache)" ]
}

@test "--setup runs again after an attempt whose work is discarded" {
	REHEARSAL='crash success' experiment -q -r 1 -i 2 --setup 'echo x >> "$SCENE/setups"' 2> /dev/null
	[ "$(wc -l < "$SCENE/setups")" = 2 ]
}

@test "tracked files that --setup changes are as in the commit again" {
	experiment -q -r 1 -i 1 --setup 'echo changed >> main.py'
	project diff --quiet main exp-run-1-iteration-1 -- main.py
}

@test "a setup that fails stops before claude is called, names its log and shows it" {
	run -1 --separate-stderr experiment -r 1 -i 1 --setup 'echo lacking; exit 7'
	[[ $stderr == *'setup failed: exit status 7'*setup.log*'| lacking'* ]]
	[ "$(calls)" = 0 ]
}

@test "the first start names files that git ignores, unless there is --setup" {
	touch "$PROJECT/a.o" && snapshot
	run -0 --separate-stderr experiment -r 1 -i 1
	[[ $stderr == *'a.o'*--setup* ]]
	forget
	run -0 --separate-stderr experiment -r 1 -i 1 --setup true
	[[ $stderr != *'a.o'* ]]
}

# ---- the table --------------------------------------------------------------

# prints FIRST LATER: a benchmark with these runtimes before and after a change.
prints() {
	echo "if [ -e speed ]; then printf '$2'; else printf '$1'; fi"
}

@test "the table marks samples that overlap and single ones, the best run and the total" {
	REHEARSAL_EDIT='echo "$call" > speed' experiment -r 2 -i 1 \
	    -b one="$(prints 'runtime: 4 ms' 'runtime: 2 ms')" \
	    -b many="$(prints 'runtime: 4ms\nruntime: 5ms\n' 'runtime: 1ms\nruntime: 2ms\n')" \
	    -b same="$(prints 'runtime: 4ms\nruntime: 6ms\n' 'runtime: 5ms\nruntime: 3ms\n')" > stdout
	grep -q ' \*1 .* 2.00x? *3.00x *~1.25x$' stdout
	grep -q '^total  *2 ' stdout
	grep -q 'twice as fast' stdout
}

@test "the table shows no speed-up of a run whose last measurement failed" {
	REHEARSAL_EDIT='echo "$call" >> speed' experiment -r 1 -i 2 --every-iteration \
	    -b w='[ "$(cat speed)" != "1
2" ] && echo runtime: 4ms' > stdout
	[[ $(grep '^ *1 ' stdout) == *' -' ]]
}

@test "a cost that is unknown is marked, and never shown as 0" {
	REHEARSAL='crash success' experiment -r 1 -i 2 > stdout 2> stderr
	grep -q 'cost unknown' stderr
	grep -q '+?' stdout
}

@test "without a row there is no table" {
	run -1 --separate-stderr experiment -r 1 -i 1 -b w=false
	[ -z "$output" ]
}
