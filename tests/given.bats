# What claude is given and what it costs: budget, tokens, denials.
# shellcheck disable=SC2016 # scenes are expanded by the rehearsal claude
# shellcheck disable=SC2154 # run assigns output, stderr and status
bats_require_minimum_version 1.5.0
load helper
export SCENE

@test "--budget stops before the attempt after which it would be exceeded further" {
	run -3 --separate-stderr experiment -r 2 -i 3 --budget 0.03
	[ "$(calls)" = 3 ]
	[[ $stderr == *'--budget'*'raise it'*'to continue'* ]]
}

@test "a larger --budget continues" {
	run -3 experiment -q -r 1 -i 3 --budget 0.02
	experiment -q -r 1 -i 3 --budget 1
	[ "$(calls)" = 3 ]
}

@test "--budget counts an unknown cost as 0 and says so" {
	REHEARSAL='crash success' run -3 --separate-stderr experiment -r 1 -i 5 --budget 0.02
	[[ $stderr == *'1 of unknown cost count as 0'* ]]
}

@test "--budget takes dollars above 0" {
	for usd in 0 -1 x 1,5 ''; do
		run -2 experiment -r 1 -i 1 --budget "$usd"
		[[ $output == *--budget* ]]
	done
}

@test "--dry-run tells after how many dollars it stops" {
	run -0 experiment -n -r 1 -i 1 --budget 7.5
	[[ $output == *'$7.50'* ]]
}

@test "a call that ended without a result has the input tokens of its messages" {
	scene dies <<-'END'
	init
	for id in a a b; do
		echo '{"type":"assistant","message":{"id":"'$id'","model":"m","usage":{"input_tokens":3,"cache_read_input_tokens":10,"output_tokens":1}}}'
	done
	echo '{"type":"assistant","message":{"id":"c","model":"<synthetic>","usage":{"input_tokens":99}}}'
	exit 1
	END
	REHEARSAL="$SCENE/dies success" experiment -q -r 1 -i 1 2> /dev/null
	[ "$(ledger input_tokens) $(ledger cache_read_tokens) $(ledger output_tokens)$(ledger cost_usd)" = '6 20 ' ]
}

@test "a claude that is not logged in is denied, and the message names --setting-sources" {
	scene out <<-'END'
	echo '{"type":"result","subtype":"success","is_error":true,"num_turns":1,"result":"Not logged in · Please run /login"}'; exit 1
	END
	REHEARSAL=$SCENE/out run -77 --separate-stderr experiment -r 1 -i 1
	[[ $stderr == *'denied'*'--setting-sources user,project'* ]]
}

@test "the user's settings of git in the environment are extended, not replaced" {
	scene ask <<-'END'
	init; git config user.name >> "$SCENE/name"; git config gc.auto >> "$SCENE/name"
	edit; result false success ok
	END
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=Given
	REHEARSAL=$SCENE/ask experiment -q -r 1 -i 1
	[ "$(paste -sd' ' "$SCENE/name")" = 'Given 0' ]
}

@test "claude has the number of its run in the environment" {
	scene ask <<-'END'
	init; echo "$CC_RUN_EXPERIMENTS_RUN" >> "$SCENE/runs"; edit; result false success ok
	END
	REHEARSAL=$SCENE/ask experiment -q -r 2 -i 1
	[ "$(sort "$SCENE/runs" | paste -sd' ')" = '1 2' ]
}
