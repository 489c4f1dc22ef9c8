#!/bin/sh
# Runs a command in a network namespace of its own, where nothing but this machine answers:
#
#     sudo unshare --net sh scripts/without_network.sh python -m pytest tests/test_call.py
#
# As the user who called sudo, and only once it is certain that nobody can be reached.
set -eu

ip link set lo up # the service is tested at 127.0.0.1
if [ "$(ip -o link show up | grep -c -v ' lo:')" -ne 0 ]; then
    echo "expected no network but lo; call it by: sudo unshare --net sh $0 COMMAND" >&2
    exit 2
fi
if [ -n "${SUDO_USER:-}" ]; then
    exec sudo --preserve-env --user "$SUDO_USER" -- "$@"
fi
exec "$@"
