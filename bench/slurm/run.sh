#!/bin/bash
# Runs a Slurm cluster of three one-core nodes on this host and lets it convert a list of recordings as an array, while tasks are killed with
# -9 and requeued at random and a node is drained. Then the same list by four processes that are told their place by JOB_COMPLETION_INDEX as
# in a Kubernetes Indexed Job, two of them killed; and by one process on two cores, to compare the time. Needs root, slurmctld, slurmd and
# munge (apt-get install slurmctld slurmd munge), which it ends afterwards, and two idle cores.
#
#     bench/slurm/run.sh ./vc LIST WORK [TASKS]         LIST: a file with a recording per line; WORK: an empty folder
set -eu
vc=$(realpath "${1:?usage: run.sh VC LIST WORK [TASKS]}")
list=$(realpath "${2:?}")
mkdir -p "${3:?}"
work=$(realpath "$3")
tasks=${4:-20}
here=$(realpath "$(dirname "$0")/../..")
host=$(hostname -s)
files=$(grep -c . "$list")
mkdir -p "$work/slurm/state" "$work/slurm/spool"
cp "$vc" "$work/vc"
export PATH="$work:$PATH" SLURM_CONF="$work/slurm/slurm.conf"

cat >"$SLURM_CONF" <<CONF
ClusterName=bench
SlurmctldHost=$host
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/slurm/state
SlurmdSpoolDir=$work/slurm/spool/%n
SlurmctldPidFile=$work/slurm/ctld.pid
SlurmdPidFile=$work/slurm/%n.pid
SlurmctldLogFile=$work/slurm/ctld.log
SlurmdLogFile=$work/slurm/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,sched_interval=1,bf_interval=1
NodeName=n1 NodeHostname=$host Port=7101 CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname=$host Port=7102 CPUs=1 RealMemory=4000
NodeName=n3 NodeHostname=$host Port=7103 CPUs=1 RealMemory=4000
PartitionName=all Nodes=n1,n2,n3 Default=YES MaxTime=INFINITE State=UP
CONF
[ -f /etc/munge/munge.key ] || (umask 077 && mkdir -p /etc/munge && head -c 1024 /dev/urandom >/etc/munge/munge.key && chown -R munge: /etc/munge)
mkdir -p /run/munge && chown munge: /run/munge
pgrep -x munged >/dev/null || su -s /bin/sh munge -c munged
end() {
	scontrol shutdown >/dev/null 2>&1 || true
	pkill -x slurmd || true
	pkill -x slurmctld || true
}
trap end EXIT
slurmctld
for n in n1 n2 n3; do slurmd -N $n; done
for _ in $(seq 50); do
	[ "$(sinfo -h -N -o %T | grep -c idle || true)" = 3 ] && break
	sleep 0.2
done
scontrol update nodename=n3 state=drain reason="spare"
sinfo -N

now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ printf "%.1f", $1 - $2 }'; }
settings="--random-voices 7"

# One process on two cores, first half of the comparison.
begin=$(now)
taskset -c 0,1 vc batch "$list" --out-dir "$work/one" $settings >"$work/one.log" 2>&1
one=$(since "$begin")
echo "one process on two cores: $files recordings in $one s"

# The array undisturbed.
begin=$(now)
job=$(sbatch --parsable --array=0-$((tasks - 1)) --output="$work/slurm/calm-%a.log" "$here/packaging/batch/array.sbatch" "$list" "$work/calm" $settings)
while [ -n "$(squeue -h -j "$job" 2>/dev/null)" ]; do sleep 0.3; done
calm=$(since "$begin")
echo "an array of $tasks tasks on two nodes: $calm s, throughput $(echo "$one $calm" | awk '{ printf "%.2f", $1 / $2 }') of one process"

# The array with kills and a drained node.
begin=$(now)
job=$(sbatch --parsable --array=0-$((tasks - 1)) --output="$work/slurm/wild-%a.log" "$here/packaging/batch/array.sbatch" "$list" "$work/wild" $settings)
RANDOM=7
kills=0
drained=
while [ -n "$(squeue -h -j "$job" 2>/dev/null)" ]; do
	sleep "$(awk -v r=$RANDOM 'BEGIN { printf "%.2f", 2 + 4 * r / 32768 }')"
	pids=($(pgrep -x vc || true))
	[ ${#pids[@]} -gt 0 ] || continue
	pid=${pids[RANDOM % ${#pids[@]}]}
	id=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SLURM_JOB_ID=//p' || true)
	[ -n "$id" ] || continue
	kill -9 "$pid" 2>/dev/null || continue
	kills=$((kills + 1))
	for _ in $(seq 50); do # until Slurm has seen the end
		scontrol requeue "$id" 2>/dev/null && break
		sleep 0.2
	done
	if [ "$kills" = 3 ] && [ -z "$drained" ]; then
		drained=yes
		scontrol update nodename=n2 state=drain reason="on the way"
		scontrol update nodename=n3 state=resume
		echo "n2 drained, n3 in its place"
	fi
	# Requeued jobs wait for a while; they need not here.
	scontrol update jobid="$id" starttime=now 2>/dev/null || true
done
wild=$(since "$begin")
echo "the same with $kills tasks killed with -9 and requeued, a node drained: $wild s"

results() { find "$1" -name '*.wav'; }
check() { # FOLDER: every recording once and whole, and the same as by one process
	vc batch "$list" --out-dir "$1" $settings --check 2>&1 | tail -n 1
	local differ=0
	while read -r f; do
		cmp -s "$f" "$1/${f#"$work/one/"}" || differ=$((differ + 1))
	done < <(results "$work/one")
	echo "$(basename "$1"): $(results "$1" | wc -l) results of $files, $(cat "$1"/manifest-*-of-*.tsv | grep -vc '^source\|^#') lines," \
		"$differ differ from one process's, $(find "$1" -name '.vc-*' | wc -l) temporary files left"
}
check "$work/calm"
check "$work/wild"

# Four processes as in an Indexed Job, two killed once.
index() { JOB_COMPLETION_INDEX=$1 vc batch "$list" --out-dir "$work/index" $settings --shards 4 --threads 1 >>"$work/index-$1.log" 2>&1; }
for i in 0 1 2 3; do index $i & pid[$i]=$!; done
sleep 8
for i in 1 2; do pkill -9 -P "${pid[$i]}" || true; sleep 3; done
wait || true
for i in 1 2; do index $i; done
check "$work/index"
