# Built once for the whole suite: the program as it is, and one whose waiting
# times (constants at the top of the source) are a second, for the tests that
# have to wait them out.

setup_suite() {
	bats_require_minimum_version 1.5.0
	export CCRE_ROOT=${BATS_TEST_DIRNAME%/tests}
	export CCRE=$BATS_SUITE_TMPDIR/cc-run-experiments
	export CCRE_QUICK=$BATS_SUITE_TMPDIR/quick/cc-run-experiments
	local source=$CCRE_ROOT/cc-run-experiments.c
	local quick=$BATS_SUITE_TMPDIR/quick/cc-run-experiments.c
	local constant

	mkdir -p "$BATS_SUITE_TMPDIR/quick"
	cp "$source" "$quick"
	for constant in ENOUGH_S LINGER_S GRACE_S TICK_S; do
		grep -q "	$constant = [0-9]*," "$quick"
		sed -i "s/	$constant = [0-9]*,/	$constant = 1,/" "$quick"
	done
	# shellcheck disable=SC2086
	${CC:-cc} ${CHECK_CFLAGS:--O2} -o "$CCRE" "$source"
	# shellcheck disable=SC2086
	${CC:-cc} ${CHECK_CFLAGS:--O2} -o "$CCRE_QUICK" "$quick"
}
