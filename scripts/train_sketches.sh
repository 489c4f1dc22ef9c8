#!/usr/bin/env bash
# Teach the full-width DeepFill v2 sketches within a time budget, best on a GPU.
#
#   scripts/train_sketches.sh START TRAIN VALIDATION OUTPUT MINUTES VGG16 [DEVICE] [SETTING=VALUE ...]
#
# START: weights of the network with or without sketches, such as OUTPUT/256/last.safetensors of
# train_standard.sh. TRAIN and VALIDATION: folders or lists as `gatefill train` takes them, with edge
# files beside the photos, as scripts/hed_edges.py makes them; drawn edges are taken in turn. VGG16: a
# file of its weights for the perceptual and style losses. Three fifths of the time go to samples of
# 128x128 in small batches, as a network needs steps rather than images to heed its sketches, the
# rest to 256x256. It ends with OUTPUT/256/last.safetensors. Stops first where validation images are
# among the training images.
set -euo pipefail

[ $# -ge 6 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
start=$1 train=$2 validation=$3 output=$4 minutes=$5 vgg=$6 device=${7:-cuda}
shift 6; [ $# -eq 0 ] || shift
. "$(dirname "$0")/train_common.sh" "$@"

both=(--data "$train" --validate "$validation" --devices "$device" --set network.width=24
    --set images=100000 --set data.sketches=both --set data.cache_mb=6000 --set ema=0.998
    --set loss.adversarial=0 --set terms.perceptual_weights="$vgg" --set terms.perceptual=0.2
    --set optimizer.warmup=1600 --set validate_every=20000 --set checkpoint_every=20000)

gatefill train deepfill-v2-guided-laptop -o "$output/128" --minutes "$(part 0.6)" \
    --start-from "$start" --set batch_size=16 --set data.size=128 --set data.scale=0.3,0.7 \
    --set data.masks=box,box_or_brush,lama_thick --set data.sketch_share=0.85 \
    --set optimizer.lr=6e-4 --set terms.style=0.1 --set terms.spectral=0.3 "${both[@]}" "${more[@]}"

gatefill train deepfill-v2-guided-laptop -o "$output/256" --minutes "$(part 0.4)" \
    --start-from "$output/128/last.safetensors" --set batch_size=24 --set data.size=256 \
    --set data.scale=0.5,1 --set data.masks=box_or_brush:2,lama_thick:1 --set data.sketch_share=0.7 \
    --set optimizer.lr=3e-4 --set terms.style=0.2 --set terms.spectral=0.5 --set terms.window=128 \
    "${both[@]}" "${more[@]}"
