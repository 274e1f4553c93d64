#!/bin/sh
# Slurm of Debian's packages on this one machine, and a study on it. As root, on a machine to try things on.
# Usage: slurm-on-one-node.sh STUDY.yaml OUT
set -eu

apt-get install -y --no-install-recommends slurm-wlm munge
node=$(hostname -s)
cores=$(nproc)
memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
mkdir -p /run/munge /var/spool/slurmctld /var/spool/slurmd /var/log/slurm
chown munge: /run/munge
[ -s /etc/munge/munge.key ] || mungekey --create
pgrep -x munged > /dev/null || su munge -s /bin/sh -c munged

cat > /etc/slurm/slurm.conf << EOF
ClusterName=one
SlurmctldHost=$node
SlurmUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
ReturnToService=2
NodeName=$node CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
EOF

pgrep -x slurmctld > /dev/null || slurmctld
pgrep -x slurmd > /dev/null || slurmd
sleep 3
sinfo

medseg cohort "$1" --out "$2"
squeue
