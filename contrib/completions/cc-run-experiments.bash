# Completion for bash: source this, or install it as
# /usr/share/bash-completion/completions/cc-run-experiments
# shellcheck shell=bash

_cc_run_experiments() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	case " ${COMP_WORDS[*]:0:COMP_CWORD} " in
	*' -- '*) return ;;		# the rest is for claude
	esac
	case $before in
	-p|--prompt) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	-o|--output) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	-r|--runs|-i|--iterations|-t|--timeout|--iteration-timeout|\
	--idle-timeout|--retries|--budget|-b|--benchmark|--time|--setup|\
	--build|--benchmark-timeout|--samples|--protect|--run|-j|--jobs) ;;
	*)
		case $word in
		-*) mapfile -t COMPREPLY < <(compgen -W '--runs --iterations --timeout --iteration-timeout --idle-timeout
		    --retries --budget --prompt --no-plugin --benchmark --time
		    --setup --build --benchmark-timeout --samples --every-iteration --protect --output
		    --benchmark-only --run --jobs --in-place --wait --dry-run
		    --quiet --verbose --help --version' -- "$word") ;;
		*) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
		esac
	esac
}
complete -o filenames -F _cc_run_experiments cc-run-experiments
