# shellcheck shell=sh disable=SC2034,SC2154 # used and set by the wrappers
# claude-sandbox.sh: the part that claude-bwrap and claude-container share. Each
# wrapper sources this file from its own directory. "own" is the wrapper's path.
#
# What the sandbox shows:
#	writable	the working directory with its .git; $TMPDIR
#	read-only	claude; the directory of --plugin-dir; what SANDBOX_READ names
#	of the user's claude configuration ($CLAUDE_CONFIG_DIR, default ~/.claude):
#			settings, instructions, plugins and the like, read-only; the
#			login (.credentials.json), writable because its token is renewed
#	of ~/.gitconfig	user.name and user.email
# All other writes are lost after the call. claude needs the network, so the network
# is there. The environment is there with all its values.
#
# A benchmark executes what the agent wrote outside of the sandbox. To execute a
# benchmark inside, without network, name the wrapper by its absolute path:
#	-b "work=SANDBOX_PROGRAM=sh SANDBOX_OPTIONS=--unshare-net $CC_CLAUDE benchmark.sh"
#
#	SANDBOX_PROGRAM	the program to run (default: claude)
#	SANDBOX_READ	more absolute paths to show read-only, separated by colons,
#			for example a compiler in the home directory
#	SANDBOX_OPTIONS	more words for bwrap or for "podman run"

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

# The runner sets CC_RUN_EXPERIMENTS_RUN for claude and for benchmarks.
tree=''			# for example for claude --version
if [ -n "${CC_RUN_EXPERIMENTS_RUN-}" ] || { [ -d .git ] && [ ! -L .git ]; }; then
	tree=$PWD
elif [ -e .git ] || [ -L .git ]; then
	fail "$PWD: expected a .git directory, not a linked work tree"
fi
# Commits of the agent need a name, but the sandbox hides the user's configuration.
identity() {	# identity KEY VARIABLE: set it from ~/.gitconfig if no setting is closer
	eval "[ -z \"\${$2+set}\" ]" || return 0
	[ ! -f .git/config ] || ! git config -f .git/config "$1" > /dev/null || return 0
	value=$(git config --global "$1") || return 0
	export "$2=$value"
}
if [ -n "$tree" ] && command -v git > /dev/null; then
	identity user.name GIT_AUTHOR_NAME
	identity user.name GIT_COMMITTER_NAME
	identity user.email GIT_AUTHOR_EMAIL
	identity user.email GIT_COMMITTER_EMAIL
fi
case ${TMPDIR:-/tmp} in
/tmp|/var/tmp) scratch='' ;;
*) scratch=$TMPDIR ;;
esac
