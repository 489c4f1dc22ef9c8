"""The tests. Libraries read how many threads they may use when they are loaded, so it is set here.

Two networks with two threads each take twice the time on two cores, as each waits for the other's
threads. gatefill's own threads, which stop where they have nothing to do, stay two.
"""

import os

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
