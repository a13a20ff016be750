# Results that no program has made, for the tests of compare and plot.
# shellcheck shell=bash

COLUMNS=experiment_id,run_id,iteration_id,attempt,outcome,finished,exit_status,started_at,duration_seconds,charged_seconds,base_commit,commit,files_changed,total_added,total_removed,md_added,md_removed,num_turns,cost_usd,input_tokens,output_tokens,cache_read_tokens,cache_creation_tokens,session_id,model,claude_version,survivors,protected_touched

# arm PREFIX SECONDS...: the results of a finished experiment of one iteration with
# benchmark b, which takes a second before and so long after.
arm() {
	local prefix=$1 run=0 seconds
	shift
	mkdir -p "$OUT"
	printf 'key,value\nprompt,"faster,\n""now"""\niterations,1\ntimeout,7200\nbenchmark,b=x\n' > "$OUT/$prefix--experiment.csv"
	echo $COLUMNS > "$OUT/$prefix--iterations.csv"
	for seconds; do
		run=$((run + 1))
		attempt "$prefix" $run 1 success >> "$OUT/$prefix--iterations.csv"
		samples "$prefix" $run 0 1000000
		samples "$prefix" $run 1 "$(awk -v s="$seconds" 'BEGIN { printf "%.0f", s * 1000000 }')"
	done
}

# attempt PREFIX RUN ITERATION OUTCOME [FINISHED]: a row of the ledger.
attempt() {
	echo "$1,$2,$3,1,$4,${5-1},0,2026-01-01T00:00:00Z,60.000,60.000,x,y,1,1,1,0,0,3,0.5,10,20,30,40,id,m,2,0,"
}

# samples PREFIX RUN ITERATION MICROSECONDS...: of benchmark b.
samples() {
	local prefix=$1 run=$2 m=$3 n=0 us file="$OUT/$1--run-$2--iteration-$3--b.csv"
	shift 3
	echo experiment_id,run_id,iteration_id,outer_iteration_id,runtime_us > "$file"
	for us; do
		n=$((n + 1))
		echo "$prefix,$run,$m,$n,$us" >> "$file"
	done
}
