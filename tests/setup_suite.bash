# Built once for the whole suite: the program as it is, and one whose waiting
# times (constants at the top of the source) are a second, for the tests that
# have to wait them out. With sanitizers both have few buffers for text(), so that
# one which is used for too long, which no sanitizer sees, makes a test fail.

setup_suite() {
	bats_require_minimum_version 1.5.0
	export CCRE_ROOT=${BATS_TEST_DIRNAME%/tests}
	export CCRE=$BATS_SUITE_TMPDIR/cc-run-experiments
	export CCRE_QUICK=$BATS_SUITE_TMPDIR/quick/cc-run-experiments
	local source=$BATS_SUITE_TMPDIR/cc-run-experiments.c
	local quick=$BATS_SUITE_TMPDIR/quick/cc-run-experiments.c
	local constant texts=64

	[ "${CHECK_BUILD-}" != sanitized ] || texts=24
	grep -q 'TEXTS = 64 ' "$CCRE_ROOT/cc-run-experiments.c"
	sed "s/TEXTS = 64 /TEXTS = $texts /" "$CCRE_ROOT/cc-run-experiments.c" > "$source"
	mkdir -p "$BATS_SUITE_TMPDIR/quick"
	cp "$source" "$quick"
	for constant in ENOUGH_S LINGER_S GRACE_S TICK_S WAIT_S WAIT_MORE_S GIT_STOPPING_S; do
		grep -q "	$constant = [0-9* ]*," "$quick"
		sed -i "s/	$constant = [0-9* ]*,/	$constant = 1,/" "$quick"
	done
	build "$source" "$CCRE"
	build "$quick" "$CCRE_QUICK"
	template
}

# build SOURCE PROGRAM: by $CC with $CHECK_CFLAGS, to be run by $CHECK_EMULATOR.
build() {
	# shellcheck disable=SC2086
	${CC:-cc} ${CHECK_CFLAGS:--O2} -o "$2" "$1"
	[ -n "${CHECK_EMULATOR-}" ] || return 0
	mv "$2" "$2.foreign"
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$(command -v "$CHECK_EMULATOR")" \
	    "$(realpath "$2.foreign")" > "$2"
	chmod +x "$2"
}
export -f build

# template: what every test starts with, made once and copied.
template() {
	export CCRE_TEMPLATE=$BATS_SUITE_TMPDIR/template
	local project=$CCRE_TEMPLATE/project

	mkdir -p "$CCRE_TEMPLATE/home" "$CCRE_TEMPLATE/tmp" \
	    "$CCRE_TEMPLATE/bin" "$CCRE_TEMPLATE/scenes" "$project/bench"
	ln -s "$CCRE_ROOT/contrib/rehearsal-claude" "$CCRE_TEMPLATE/bin/claude"
	printf '[user]\n\tname = Tester\n\temail = tester@example.org\n[init]\n\tdefaultBranch = main\n' \
	    > "$CCRE_TEMPLATE/home/.gitconfig"
	echo 'print("hello")' > "$project/main.py"
	echo 'echo measured' > "$project/bench/run.sh"
	printf '*.o\n' > "$project/.gitignore"
	export HOME=$CCRE_TEMPLATE/home
	git init -q "$project"
	git -C "$project" add -A
	git -C "$project" commit -qm baseline
	CCRE_BASE=$(git -C "$project" rev-parse HEAD)
	export CCRE_BASE
}
