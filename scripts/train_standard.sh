#!/usr/bin/env bash
# Train the full-width DeepFill v2 within a time budget, best on a GPU.
#
#   scripts/train_standard.sh TRAIN VALIDATION OUTPUT MINUTES VGG16 [DEVICE] [SETTING=VALUE ...]
#
# TRAIN and VALIDATION: folders or lists as `gatefill train` takes them; VGG16: a file of its weights
# for the perceptual and style losses. A fifth of the time goes to samples of 128x128, of which a GPU
# makes three times as many per second, the rest to 256x256, with averaged weights throughout. It
# ends OUTPUT/256/last.safetensors MINUTES after it began, but for the start of two processes. Stops
# first where validation images, scaled or renamed ones too, are among the training images.
set -euo pipefail

[ $# -ge 5 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
train=$1 validation=$2 output=$3 minutes=$4 vgg=$5 device=${6:-cuda}
shift 5; [ $# -eq 0 ] || shift
. "$(dirname "$0")/train_common.sh" "$@"

both=(--validate "$validation" --devices "$device" --set network.width=24
    --set data.masks=box_or_brush:2,lama_thick:1 --set data.cache_mb=24000
    --set loss.adversarial=0 --set terms.perceptual_weights="$vgg" --set terms.perceptual=0.2)

gatefill train deepfill-v2-laptop --data "$train" -o "$output/128" --minutes "$(part 0.2)" \
    --set batch_size=48 --set images=200000 --set data.size=128 --set data.scale=0.3,0.7 \
    --set optimizer.lr=6e-4 --set optimizer.warmup=8000 --set ema=0.998 \
    --set terms.style=0.1 --set terms.spectral=0.3 \
    --set validate_every=20000 --set checkpoint_every=100000 "${both[@]}" "${more[@]}"

gatefill train deepfill-v2-laptop --data "$train" -o "$output/256" --minutes "$(part 0.8)" \
    --start-from "$output/128/last.safetensors" \
    --set batch_size=32 --set images=120000 --set data.size=256 --set data.scale=0.5,1 \
    --set optimizer.lr=4e-4 --set optimizer.warmup=3000 --set ema=0.999 \
    --set terms.style=0.2 --set terms.spectral=0.5 --set terms.window=128 \
    --set validate_every=20000 --set checkpoint_every=16000 "${both[@]}" "${more[@]}"
