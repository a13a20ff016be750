# What all tests share: built by tests/check once for the whole suite, or here
# for a single file. Set CCRE_BUILD to a directory to build there and to use it
# again as long as it is newer than its sources.

setup_suite() {
	bats_require_minimum_version 1.5.0
	export CCRE_ROOT=${BATS_TEST_DIRNAME%/tests}
	export CCRE_BUILD=${CCRE_BUILD:-$BATS_SUITE_TMPDIR/build}
	if [ "$CCRE_ROOT/cc-run-experiments.c" -nt "$CCRE_BUILD/template/snapshot" ] ||
	    [ "$CCRE_ROOT/tests/harness.c" -nt "$CCRE_BUILD/template/snapshot" ]; then
		rm -rf "$CCRE_BUILD"
		sh "$CCRE_ROOT/tests/check" build "$CCRE_BUILD"
	fi
	export CCRE=$CCRE_BUILD/plain CCRE_QUICK=$CCRE_BUILD/quick
	export CCRE_HARNESS=$CCRE_BUILD/harness
	CCRE_TIMEOUT=$(command -v timeout)
	CCRE_BASE=$(cat "$CCRE_BUILD/template/base")
	export CCRE_TIMEOUT CCRE_BASE
}
