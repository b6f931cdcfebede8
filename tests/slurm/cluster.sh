#!/usr/bin/env bash
# A small Slurm for the tests: slurmctld and two slurmd on this machine, each with a pretended GPU, and munge.
#
#   cluster.sh up FOLDER      install what is missing, start what does not run, wait until both nodes are there
#   cluster.sh down FOLDER    end all jobs and daemons
#   cluster.sh start NAME FOLDER | stop NAME FOLDER | crash NODE FOLDER
#                             one daemon: slurmctld, node1 or node2; a crash also ends the node's jobs
#
# Needs root and, where Slurm is not installed, Debian's packages. FOLDER holds configuration, state, logs and pids.
# Everything listens on loopback; nothing is written outside of FOLDER but the link /run/slurm/conf, where Slurm's
# programs look when they are not told otherwise. CPUs, memory and GPUs are counted, not confined.
set -euo pipefail

PORT=${CLUSTER_PORT:-16917} # slurmctld's; the two after it are the nodes'
LINK=/run/slurm/conf

stop_with() {
  echo "cluster.sh: $*" >&2
  exit 1
}

usage() {
  sed -n '2,/^set -e/{/^set -e/!s/^# \{0,1\}//p}' "$0"
  exit 2
}

verb=${1:-}
case $verb in
up | down) [ $# -eq 2 ] || usage && name="" folder=$2 ;;
start | stop | crash) [ $# -eq 3 ] || usage && name=$2 folder=$3 ;;
*) usage ;;
esac
mkdir -p "$folder"
FOLDER=$(cd "$folder" && pwd -P)
HOST=$(hostname -s)
SOCKET=$FOLDER/munge.socket
export SLURM_CONF=$FOLDER/slurm.conf

# A process's state, or nothing where it does not exist; one that has ended and waits for its parent is none.
alive() {
  local pid state
  pid=$(cat "$FOLDER/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || return 1
  [ "${state:0:1}" != Z ]
}

wait_for() { # wait_for WHAT COMMAND...
  local what=$1
  shift
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  stop_with "waited 30 s in vain for $what; see $FOLDER/*.log"
}

start() {
  if alive "$1"; then return; fi
  rm -f "$FOLDER/$1.pid"
  case $1 in
  munged)
    munged --force --num-threads=2 --key-file="$FOLDER/munge.key" --socket="$SOCKET" --pid-file="$FOLDER/munged.pid" \
      --log-file="$FOLDER/munged.log" --seed-file="$FOLDER/munge.seed"
    ;;
  slurmctld) slurmctld -f "$SLURM_CONF" ;;
  node1 | node2) slurmd -f "$SLURM_CONF" -N "$1" ;;
  *) stop_with "there is no daemon $1" ;;
  esac </dev/null >"$FOLDER/$1.start" 2>&1 || stop_with "$1 does not start: $(tail -n 3 "$FOLDER/$1.start")"
  wait_for "$1" alive "$1"
}

stop() { # stop NAME [SIGNAL]
  alive "$1" || return 0
  local pid
  pid=$(cat "$FOLDER/$1.pid")
  kill "-${2:-TERM}" "$pid"
  wait_for "the end of $1" not_alive "$1"
  rm -f "$FOLDER/$1.pid"
}

not_alive() {
  ! alive "$1"
}

# A node without power: its slurmd, its steps and all that they started are gone at once.
crash() {
  stop "$1" KILL
  local step
  for step in $(steps_of "$1"); do kill_tree "$step"; done
}

# steps_of NODE...: the slurmstepd processes of nodes; each holds its node's log open.
steps_of() {
  local path node
  for path in /proc/[0-9]*; do
    [ "$(cat "$path/comm" 2>/dev/null)" = slurmstepd ] || continue
    for node in "$@"; do
      if ls -l "$path/fd" 2>/dev/null | grep -qF "$FOLDER/$node.log"; then echo "${path#/proc/}"; fi
    done
  done
}

kill_tree() {
  local child
  kill -STOP "$1" 2>/dev/null || true
  for child in $(pgrep -P "$1"); do kill_tree "$child"; done
  kill -KILL "$1" 2>/dev/null || true
}

install_missing() {
  if command -v slurmctld slurmd srun sbatch munged >/dev/null; then return; fi
  command -v apt-get >/dev/null || stop_with "Slurm is not installed, and without apt-get it cannot be"
  {
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends slurmctld slurmd slurm-client munge
  } >"$FOLDER/install.log" 2>&1 || stop_with "Slurm cannot be installed: $(tail -n 2 "$FOLDER/install.log")"
}

configure() {
  mkdir -p "$FOLDER"/{state,spool-node1,spool-node2}
  (umask 077 && head -c 128 /dev/urandom >"$FOLDER/munge.key")
  # A GPU must be a file; without cgroups nobody opens it.
  echo "NodeName=node[1-2] Name=gpu File=/dev/null" >"$FOLDER/gres.conf"
  cat >"$SLURM_CONF" <<EOF
ClusterName=tests
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$FOLDER/state
SlurmdSpoolDir=$FOLDER/spool-%n
SlurmctldPidFile=$FOLDER/slurmctld.pid
SlurmdPidFile=$FOLDER/%n.pid
SlurmctldLogFile=$FOLDER/slurmctld.log
SlurmdLogFile=$FOLDER/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
# \`squeue\` shows finished jobs for so many seconds, as on most clusters
MinJobAge=300
# A dead node is noticed after seconds and taken back when it returns.
SlurmdTimeout=10
ReturnToService=2
# From SIGTERM to SIGKILL.
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=node[1-2] NodeHostname=$HOST NodeAddr=127.0.0.1 Port=[$((PORT + 1))-$((PORT + 2))] CPUs=8 RealMemory=64000 Gres=gpu:1
PartitionName=DEFAULT Nodes=node[1-2] MaxTime=INFINITE
PartitionName=cpu Default=YES PriorityTier=1
PartitionName=gpu PriorityTier=1 GraceTime=10
PartitionName=urgent PriorityTier=2 PreemptMode=OFF
EOF
}

nodes_ready() {
  [ "$(sinfo -h -N -r -p cpu -t idle,mix,alloc,comp -o %N | wc -l)" = 2 ]
}

no_jobs() {
  [ -z "$(squeue -h)" ]
}

up() {
  [ "$EUID" = 0 ] || stop_with "only root can start a Slurm"
  [ ${#SOCKET} -lt 100 ] || stop_with "the path is too long for a socket: $SOCKET"
  [[ $(getent ahostsv4 "$HOST" | head -n 1) == 127.* ]] || stop_with "$HOST is not an address of loopback (/etc/hosts)"
  [ ! -e /etc/slurm/slurm.conf ] || stop_with "this machine belongs to a Slurm already (/etc/slurm/slurm.conf)"
  if [ -e $LINK ] && [ "$(readlink -f $LINK)" != "$FOLDER" ]; then
    [ ! -e "$LINK/slurmctld.pid" ] || ! kill -0 "$(cat $LINK/slurmctld.pid)" 2>/dev/null \
      || stop_with "another Slurm of this kind is up: $(readlink -f $LINK)"
  fi
  install_missing
  [ -s "$SLURM_CONF" ] || configure
  mkdir -p "${LINK%/*}"
  ln -sfn "$FOLDER" $LINK
  start munged
  start slurmctld
  wait_for "slurmctld to answer" scontrol ping
  start node1
  start node2
  wait_for "both nodes" nodes_ready
}

down() {
  if alive slurmctld; then
    scancel --full --user root || true
    wait_for "the end of all jobs" no_jobs || true
  fi
  for each in node1 node2 slurmctld; do stop $each || stop $each KILL; done
  for step in $(steps_of node1 node2); do kill_tree "$step"; done
  stop munged
  [ "$(readlink -f $LINK)" != "$FOLDER" ] || rm -f $LINK
}

case $verb in
up) up ;;
down) down ;;
*) "$verb" "$name" ;;
esac
