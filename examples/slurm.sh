#!/usr/bin/env bash
# A job array of Slurm: eight shards of one evaluation on a shared file system, one GPU each, and a
# last job that puts the table together. Submit with:  bash examples/slurm.sh
set -euo pipefail

BENCH="python -m unlearncanvas.bench --protocol unlearncanvas --eraser esd --tier quick --out runs"

draw=$(sbatch --parsable --job-name=draw --array=0-7 --gres=gpu:1 --cpus-per-task=4 --mem=32G \
    --time=08:00:00 --requeue \
    --wrap "$BENCH --shard \$SLURM_ARRAY_TASK_ID/\$SLURM_ARRAY_TASK_COUNT")
sbatch --job-name=table --dependency="afterok:$draw" --gres=gpu:1 --cpus-per-task=4 --mem=32G \
    --time=01:00:00 --wrap "$BENCH"
