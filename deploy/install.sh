#!/bin/sh
# What the images are made of, as steps on a Debian system: packages, a user, gatefill, and machine code
# compiled ahead, so that the root file system can be read-only. Called by Dockerfile, by Dockerfile.cuda
# and by scripts/container_root.sh.
#
#     deploy/install.sh WHEEL EXTRAS [PIP OPTIONS...]     such as: install.sh /src/x.whl serve,batch,heif
#
# With "" for EXTRAS only the core is installed.
set -eu
wheel=$1
extras=$2
shift 2

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv >/dev/null
rm -rf /var/lib/apt/lists/*

useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gatefill
python3 -m venv /opt/gatefill
/opt/gatefill/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "$@" "$wheel${extras:+[$extras]}"
# pip is not needed any more, and what is not there needs no updates.
/opt/gatefill/bin/pip uninstall --quiet --yes pip

# PatchMatch is compiled once, here, for processors of any kind: the machine that runs the image is
# another than the one that builds it.
export NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/opt/gatefill/kernels OMP_NUM_THREADS=1
/opt/gatefill/bin/gatefill doctor

# Machine code is read only from folders that can be written, too. The file system will be read-only but for
# /tmp, so the code goes there first.
cat > /opt/gatefill/start <<'START'
#!/bin/sh
set -eu
if cp -R /opt/gatefill/kernels /tmp/kernels 2>/dev/null; then
    export NUMBA_CACHE_DIR=/tmp/kernels
fi
exec /opt/gatefill/bin/gatefill "$@"
START
chmod +x /opt/gatefill/start
chmod -R a+rX /opt/gatefill
