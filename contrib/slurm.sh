#!/bin/sh
# slurm.sh: an experiment as a Slurm job array with one task for each run. Each
# run works in a copy on the node's local disk. A second job then measures on a
# quiet node:
#
#	job=$(sbatch --parsable --array=1-5 contrib/slurm.sh)
#	sbatch --exclusive --dependency=afterok:$job contrib/slurm.sh
#
# Edit the settings below. The array has as many tasks as there are runs. Project
# and output directory must be on a file system that all nodes share and that has
# locks (NFS 4). After a rate limit a task returns itself to the queue. Shortly
# before the time limit claude is ended, the attempt is recorded, and the task
# returns to the queue. Otherwise the task ends with the status of the command.
#SBATCH --job-name=experiment
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

# One line each, with the shell's rules for quotes and blanks.
project=$HOME/project
prefix=exp
runs=5
agents='--no-plugin --iterations 10'
measure="--benchmark 'work=sh benchmark.sh'"
both="--output $HOME/results --samples 5"	# and --build, --protect if you use them
later=15				# minutes between a rate limit and the next start
command -v cc-run-experiments > /dev/null || PATH=$HOME/.local/bin:$PATH
# A file can replace these settings.
[ -z "${EXPERIMENT_SETTINGS-}" ] || . "$EXPERIMENT_SETTINGS"
TMPDIR=${SLURM_TMPDIR:-${TMPDIR:-/tmp}}
export TMPDIR

# Slurm sends the signal to this shell only. The trap below passes it on.
if [ -n "${SLURM_ARRAY_TASK_ID-}" ]; then
	what="--run $SLURM_ARRAY_TASK_ID $agents"
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
	wait "$runner" || status=$?	# the trap ended the first wait
done

# The job ends as soon as it is back in the queue. So ignore the signals of that end
# until the start time is set.
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
