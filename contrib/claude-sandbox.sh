# shellcheck shell=sh disable=SC2034,SC2154 # the wrappers use what it sets, and set own
# claude-sandbox.sh: what claude-bwrap and claude-container share. Either sources it
# from its own directory, so it goes where they go; "own" is the wrapper's path.
#
# What is there, inside:
#	to be written	the work tree with its .git, and $TMPDIR, which the runner empties
#	to be read	claude; the plugin of --plugin-dir; what SANDBOX_READ names
#	of the home	$CLAUDE_CONFIG_DIR (default: ~/.claude): settings, instructions, plugins
#			and their like to be read, the login (.credentials.json) to be read
#			and written, since its token is renewed
# What else claude writes is gone after the call. The network is there, since claude
# needs it; so are the environment and what it holds.
#
# What the agent has written runs outside of it when it is measured, unless that
# is put into it, too, by the absolute path of the wrapper, and without network:
#	-b "work=SANDBOX_PROGRAM=sh SANDBOX_OPTIONS=--unshare-net $CC_CLAUDE benchmark.sh"
#
#	SANDBOX_PROGRAM	what is run (default: claude)
#	SANDBOX_READ	more to be read: absolute paths, separated by colons, such as
#			that of a compiler in the home
#	SANDBOX_OPTIONS	more words for bwrap or, such as --network none, for "run"

fail() {
	echo "${own##*/}: $1" >&2
	exit 1
}

: "${HOME:?}"
config=${CLAUDE_CONFIG_DIR:-$HOME/.claude}
shown='settings.json CLAUDE.md plugins skills commands agents output-styles'

plugin='' before=''
for word; do
	[ "$before" != --plugin-dir ] || plugin=$word
	before=$word
done

tree=''			# as for claude --version
if [ -d .git ] && [ ! -L .git ]; then
	tree=$PWD
elif [ -e .git ] || [ -L .git ]; then
	fail "$PWD: expected a .git directory, not a linked work tree: use --isolate"
fi
case ${TMPDIR:-/tmp} in
/tmp|/var/tmp) scratch='' ;;
*) scratch=$TMPDIR ;;
esac
