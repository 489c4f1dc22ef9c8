# What the scripts that train within a time budget share; sourced by them with `train`,
# `validation`, `minutes` and the settings as arguments.
more=(); for setting in "$@"; do more+=(--set "$setting"); done
python=${PYTHON:-python3}
gatefill() { "$python" -m gatefill "$@"; }
part() { "$python" -c "print($minutes * $1)"; }

shared=$(gatefill data check "$train" --against "$validation" --json |
    "$python" -c 'import json, sys; print(len(json.load(sys.stdin)["shared"]))')
[ "$shared" = 0 ] || {
    echo "expected no validation images among the training images, got $shared;" \
        "gatefill data check $train --against $validation names them" >&2
    exit 2
}
