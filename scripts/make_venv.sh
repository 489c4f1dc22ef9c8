#!/bin/sh
# Make .venv with the Python given as the first argument, or say in one line what is missing.
set -eu
python=${1:-python3}

if .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    exit 0 # it is there already, and works
fi

if ! command -v "$python" > /dev/null 2>&1; then
    echo "gatefill needs Python 3.11 or newer, and there is no $python here:" \
        "make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "gatefill needs Python 3.11 or newer, got $("$python" --version 2>&1) ($python):" \
        "make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi
# Debian and Ubuntu keep this part of Python in a package of its own.
if "$python" -c 'import venv, ensurepip' > /dev/null 2>&1; then
    exec "$python" -m venv --clear .venv
elif "$python" -c 'import virtualenv' > /dev/null 2>&1; then
    exec "$python" -m virtualenv --quiet --clear .venv
fi
echo "$python cannot make virtual environments:" \
    "install its venv module (on Debian and Ubuntu: sudo apt install python3-venv)" >&2
exit 1
