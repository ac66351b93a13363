#!/usr/bin/env bash
# All GPUs of one machine: each process draws its share, the first one scores.
set -euo pipefail

accelerate launch --multi_gpu --num_processes 4 -m unlearncanvas.bench --protocol unlearncanvas \
    --eraser esd --tier quick --out runs
