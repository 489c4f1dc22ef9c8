#!/bin/sh
# Installs Chromium and Korean fonts for the browser tests from the system's packages (Debian,
# Ubuntu). Says nothing where they are there already.
set -eu

found() {
    command -v chromium >/dev/null 2>&1 ||
        command -v chromium-browser >/dev/null 2>&1 ||
        command -v google-chrome >/dev/null 2>&1
}

# Without fontconfig nobody can tell, and the browser's package brings it.
korean() {
    command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list :lang=ko family 2>/dev/null)" ]
}

packages=""
found || packages="chromium"
korean || packages="$packages fonts-noto-cjk"
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "the browser tests need Chromium and a Korean font; install them with your system's" \
        "package manager, or the tests are skipped" >&2
    exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "the browser tests need Chromium; as root: apt-get install -y $packages" >&2
    exit 1
fi

# Another apt may be at work: wait for it.
wait="-o DPkg::Lock::Timeout=600"
# shellcheck disable=SC2086  # lists of words are meant
{
    $as_root apt-get $wait update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq \
        --no-install-recommends $packages >/dev/null
}
