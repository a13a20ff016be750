#!/bin/sh
# An experiment as a Slurm job array, each run a task, in a clone of its own on
# the node's local disk; then one job that measures on a quiet node:
#
#	job=$(sbatch --parsable --array=1-5 contrib/slurm.sh)
#	sbatch --exclusive --dependency=afterok:$job contrib/slurm.sh
#
# Edit the settings below; the array is as long as there are runs. The project
# and the output directory are on a file system that all nodes share, with
# locks (NFS 4). After a rate limit a task puts itself back into the queue;
# when its time limit nears, claude is ended, the attempt kept, and the task
# queued again. Anything else ends the task with the status of the command.
#SBATCH --job-name=experiment
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

# One line each; quotes and blanks as in a shell.
project=$HOME/project
prefix=exp
runs=5
agents='--no-plugin --iterations 10'
measure="--benchmark 'work=sh benchmark.sh' --samples 5"
both="--output $HOME/results"		# with --protect, if there is any
later=15				# minutes from a rate limit to the next try
command -v cc-run-experiments > /dev/null || PATH=$HOME/.local/bin:$PATH
# What is different where you are can be in a file instead.
[ -z "${EXPERIMENT_SETTINGS-}" ] || . "$EXPERIMENT_SETTINGS"
TMPDIR=${SLURM_TMPDIR:-${TMPDIR:-/tmp}}
export TMPDIR

# Slurm tells this shell, not its children, so they go on until they are told.
if [ -n "${SLURM_ARRAY_TASK_ID-}" ]; then
	what="--isolate --run $SLURM_ARRAY_TASK_ID $agents"
else
	what="--benchmark-only $agents $measure"
fi
eval "exec cc-run-experiments --runs $runs $what $both \"\$project\" \"\$prefix\"" &
runner=$!
stopped=
trap 'stopped=yes; kill -TERM "$runner"' TERM INT
status=0
wait "$runner" || status=$?
while [ -n "$stopped" ] && kill -0 "$runner" 2> /dev/null; do
	status=0
	wait "$runner" || status=$?	# the trap has ended the first wait
done

# The job ends as soon as it is back in the queue, so what comes after that is
# done by a process that does not belong to it.
again() {	# again MINUTES
	job=$SLURM_JOB_ID
	[ -z "${SLURM_ARRAY_TASK_ID-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
	trap '' TERM INT
	scontrol requeue "$job" &&
	    scontrol update JobId="$job" StartTime="now+$1minutes"
	exit 0
}

case $status in
75)	again "$later" ;;
143)	[ -z "$stopped" ] || again 0 ;;
esac
exit "$status"
