#!/bin/bash
# One Ray over several SLURM nodes, and one bench run on it: for trials of several workers (`workers: 4`) that need the
# GPUs of more than one node. For everything else `bench run SUITE --slurm FILE` needs no Ray between nodes.
#   sbatch --nodes=2 --gpus-per-node=4 --time=8:00:00 examples/slurm_ray.sh suites/full.yaml --results /shared/results
#SBATCH --job-name=bench
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
set -euo pipefail
# This script runs on the first node. Its address, not its name: many a node's /etc/hosts gives 127.0.1.1 for that.
head=${BENCH_HEAD:-$(hostname -I | awk '{print $1}')}
port=$((20000 + SLURM_JOB_ID % 20000))
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300 # seconds for slow file systems to start Ray from; its own are 30
# `ray symmetric-run` starts Ray on every node, runs the command on the first and stops Ray again. Left to itself Ray would
# count every CPU of a node, not those of the job.
srun --kill-on-bad-exit=1 ray symmetric-run --address "$head:$port" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_ON_NODE" -- bench run "$@" --address "$head:$port"
