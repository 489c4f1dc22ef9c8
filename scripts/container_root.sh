#!/bin/sh
# Does what `docker build` and `docker run --read-only --network none` do, where there is no Docker: a clean
# Debian by debootstrap, the steps of deploy/install.sh in it, then the service as an ordinary user on a
# root file system that is read-only, without a network, checked as the image's HEALTHCHECK checks it.
#
#     sudo sh scripts/container_root.sh FOLDER WHEEL [PIP OPTIONS...]
#
# FOLDER becomes the root; a Debian that is there already is used. PIP_... variables are handed on, and
# folders that pip needs can be named in GATEFILL_BIND, separated by spaces.
set -eu
root=$1
wheel=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
suite=$(sed -n 's/^FROM debian:\([a-z]*\)-slim$/\1/p' "$here/Dockerfile")

[ -x "$root/usr/bin/dpkg" ] || debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian
mkdir -p "$root/build" "$root/photos"
cp "$here/deploy/install.sh" "$here/constraints.txt" "$wheel" "$root/build/"
cp "$here/examples/marsh.jpg" "$here/examples/marsh_mask.png" "$root/photos/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
if [ -n "${PIP_CERT:-}" ]; then
    cp "$PIP_CERT" "$root/build/certificates.pem"
    export PIP_CERT=/build/certificates.pem SSL_CERT_FILE=/build/certificates.pem
    unset SSL_CERT_DIR REQUESTS_CA_BUNDLE
fi

echo "== install.sh in a clean Debian $suite"
# A mount namespace of its own: what is mounted goes when the command ends.
env root="$root" wheel="$(basename "$wheel")" unshare --mount sh -eu -c '
    mount -t proc proc "$root/proc"
    for folder in ${GATEFILL_BIND:-}; do
        mkdir -p "$root$folder"
        mount --bind "$folder" "$root$folder"
    done
    exec chroot "$root" sh /build/install.sh "/build/$wheel" serve,batch,heif \
        --constraint /build/constraints.txt "$@"
' install "$@"
du -sm "$root/opt/gatefill" | sed 's/\t.*/ MB in \/opt\/gatefill/'

echo "== serve, as user 10001, read-only, without a network"
cat > "$root/build/run.sh" <<'RUN'
set -eu
cd /photos
/opt/gatefill/start serve --host 0.0.0.0 2>/tmp/log &
server=$!
ready() {
    python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8731/readyz', timeout=4)" 2>/dev/null
}
started=$(date +%s)
until ready; do
    if [ "$(($(date +%s) - started))" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
        cat /tmp/log >&2
        echo "expected /readyz to answer with 200" >&2
        exit 1
    fi
    sleep 1
done
echo "/readyz answers with 200, $(($(date +%s) - started)) s after the start"
python3 - <<'PYTHON'
import urllib.request, json
edge = b"--edge\r\n"
parts = []
for name, path in (("image", "marsh.jpg"), ("mask", "marsh_mask.png")):
    head = f'Content-Disposition: form-data; name="{name}"; filename="{path}"\r\n\r\n'.encode()
    parts.append(edge + head + open(path, "rb").read() + b"\r\n")
request = urllib.request.Request(
    "http://127.0.0.1:8731/api/v1/inpaint",
    b"".join(parts) + b"--edge--\r\n",
    {"Content-Type": "multipart/form-data; boundary=edge", "Authorization": "Bearer in-the-container"},
)
with urllib.request.urlopen(request, timeout=300) as reply:
    data = reply.read()
    print("filled by", reply.headers["X-Gatefill-Model"], "in", reply.headers["X-Gatefill-Seconds"], "s")
assert data[:2] == b"\xff\xd8" and data != open("marsh.jpg", "rb").read()
PYTHON
id -u
if touch /opt/gatefill/x 2>/dev/null || touch /x 2>/dev/null; then
    echo "expected a read-only file system" >&2
    exit 1
fi
kill "$server"
wait "$server" || true
if grep -i -e error -e traceback -e compiling /tmp/log; then
    echo "expected a log without errors, and nothing to compile" >&2
    exit 1
fi
echo "the container's steps hold"
RUN
env root="$root" unshare --mount --net sh -eu -c '
    ip link set lo up
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -o remount,bind,ro "$root"
    mount -t tmpfs tmpfs "$root/tmp"
    exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i \
        PATH=/opt/gatefill/bin:/usr/bin:/bin \
        NUMBA_CPU_NAME=generic PYTHONDONTWRITEBYTECODE=1 GATEFILL_TOKEN=in-the-container \
        sh /build/run.sh
'
