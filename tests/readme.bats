# The commands of the README, as they are written, in the order of a new user.

# shellcheck disable=SC2016 # what is in single quotes is for other shells
# shellcheck disable=SC2154 # run assigns status and output
load helper

# section TITLE: the commands of that section of the README.
section() {
	awk -v title="## $1" '/^## / { on = $0 == title } on && /^    / { print substr($0, 5) }' \
	    "$CCRE_ROOT/README.md"
}

# typed NAME: the command beside NAME in the README's table.
typed() {
	sed -n "s/^| $1 | \`\\([^\`]*\\)\`.*/\\1/p" "$CCRE_ROOT/README.md"
}

teardown() {
	rm -rf "$TMPDIR"/demo.*
	no_survivors
}

@test "the README's commands work as they are written" {
	local tools=$PWD/tools
	mkdir "$tools"
	cp -r "$CCRE_ROOT"/{Makefile,README.md,cc-run-experiments.c,cc-run-experiments.1,contrib} "$tools"
	cd "$tools"
	section 'Set-up and install' > setup
	grep -q '^make check ' setup
	export CC_TEST_ID=$BATS_TEST_TMPDIR
	grep -v '^make check ' setup | bash -eu > said 2>&1
	grep -q '^total' said
	[ -x "$HOME/.local/bin/cc-run-experiments" ]

	project branch -m main master
	echo 'echo "runtime: $((100 - $(cat rehearsal.txt 2> /dev/null | wc -l))) ms"' > "$PROJECT/benchmark.sh"
	project add -A
	project commit -qm benchmark
	cp -r "$CCRE_ROOT/contrib/example/plugin" "$HOME/plugin"
	PATH=$HOME/.local/bin:$PATH
	cd "$PROJECT"
	section 'A real experiment' > commands
	sed '/^git for-each-ref/,$d' commands | bash -eux > ../said 2>&1
	cat ../said
	[ "$(cat ../results/*--iterations.csv | grep -c ',success,')" = 100 ]
	grep -q '%' ../said

	run -0 timeout 10 bash -euc "$(typed 'watch a call' | sed 's/tail -f/tail/')"
	[[ $output == *'"type":"result"'* ]]
	run -0 bash -euc "$(typed 'look at a result')"
	[[ $output == *'+call'* ]]
	run -0 bash -euc "$(typed 'see discarded work')"
	[[ $output == *baseline* ]]
	run -0 bash -euc "$(typed 'merge the best branch')"
	sed -n '/^git for-each-ref/,$p' commands | bash -eux
	[ -z "$(project for-each-ref 'refs/heads/with-*' refs/cc-run-experiments/with)" ]
	run ! ls ../results/with--iterations.csv
	ls ../results/without--iterations.csv
}
