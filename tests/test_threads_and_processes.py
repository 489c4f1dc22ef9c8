"""One inpainter in many threads and processes: nobody waits for or stops anybody else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import gatefill
from gatefill.inpainter import Inpainter
from gatefill.parallel import Threads

PATIENCE = 30  # seconds after which a fill counts as hanging


class Canceled(Exception):  # noqa: N818 - says what happened, as a name
    """What a progress callback raises to stop its fill."""


def photo_and_mask(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    photo = np.random.default_rng(seed).integers(0, 200, (96, 128, 3), dtype=np.uint8)
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 2))
    mask = np.zeros((96, 128), bool)
    mask[40:60, 50:80] = True
    return photo, mask


@pytest.fixture(scope="module", params=["patchmatch", "deepfill_v2", "hybrid"])
def inpaint(request: pytest.FixtureRequest) -> Inpainter:
    if request.param != "patchmatch":
        pytest.importorskip("torch")
    return gatefill.load(request.param)


def in_another_thread(work: Callable[[], Any]) -> Any:
    """What `work` returned or raised there; None where it does not come to an end."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return outcome[0] if outcome else None


def test_canceling_one_fill_leaves_the_others_alone(inpaint: Inpainter) -> None:
    """While one fill is at work, and about to be stopped, another one runs to its end."""
    photo, mask = photo_and_mask()
    alone = np.asarray(inpaint(photo, mask))
    others: list[Any] = []

    def stop(share: float) -> None:
        if share > 0 and not others:
            others.append(in_another_thread(lambda: inpaint(photo, mask)))
        if others:
            raise Canceled

    with pytest.raises(Canceled):
        inpaint(photo, mask, progress=stop)
    assert isinstance(others[0], gatefill.Result), others
    np.testing.assert_array_equal(np.asarray(others[0]), alone)


def test_a_progress_callback_may_fill(inpaint: Inpainter) -> None:
    photo, mask = photo_and_mask()
    alone = np.asarray(inpaint(photo, mask))
    shares: list[float] = []
    inner: list[Any] = []

    def work() -> Any:
        def fill_too(share: float) -> None:
            shares.append(share)
            if not inner and share > 0:
                inner.append(None)
                inner[0] = inpaint(photo, mask)

        return inpaint(photo, mask, progress=fill_too)

    outer = in_another_thread(work)
    assert isinstance(outer, gatefill.Result), outer
    np.testing.assert_array_equal(np.asarray(outer), alone)
    np.testing.assert_array_equal(np.asarray(inner[0]), alone)
    assert shares == sorted(shares), "the inner fill's progress is not the outer one's"


def test_many_threads_fill_the_same_as_one(inpaint: Inpainter) -> None:
    pairs = [photo_and_mask(seed) for seed in range(4)]
    alone = [np.asarray(inpaint(*pair)) for pair in pairs]
    told: list[list[float]] = [[] for _ in pairs]
    found: list[Any] = [None] * len(pairs)

    def fill(number: int) -> None:
        found[number] = inpaint(*pairs[number], progress=told[number].append)

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(len(pairs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, expected, shares in zip(found, alone, told, strict=True):
        np.testing.assert_array_equal(np.asarray(result), expected)
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_a_fill_leaves_the_process_as_it_was(inpaint: Inpainter) -> None:
    """Environment, warnings and random generators are watched from a progress callback, too."""
    photo, mask = photo_and_mask()

    def state() -> tuple[Any, ...]:
        import warnings

        drawn = np.random.get_state()  # noqa: NPY002 - the process-wide generator
        return dict(os.environ), list(warnings.filters), drawn[1].tolist(), cv2.getNumThreads()

    before, during = state(), []
    inpaint(photo, mask, progress=lambda _: during.append(state()))
    assert during
    assert all(each == before for each in [*during, state()])


FORK = """
import multiprocessing, sys
import numpy as np
import gatefill

photo = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)
mask = np.zeros((160, 160), bool)
mask[20:40, 20:40] = True
inpaint = gatefill.load(sys.argv[1], batch_size=int(sys.argv[3]))

def work(number):
    return float(np.asarray(inpaint(photo, mask))[mask].mean())

here = work(0) if sys.argv[2] == "fill" else None
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map_async(work, range(4)).get(timeout=60)
here = there[0] if here is None else here
assert max(abs(mean - here) for mean in there) < 0.1, (here, there)
print("filled", len(there))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.parametrize(
    ("method", "before", "batch"),
    [
        ("patchmatch", "fill", 1),
        ("deepfill_v2", "load", 1),  # which copies weights by torch's threads already
        ("deepfill_v2", "fill", 1),
        ("hybrid", "fill", 1),
        ("deepfill_v2", "fill", 2),  # whose batches have a thread of their own
    ],
)
def test_a_process_may_fork_after_a_fill(method: str, before: str, batch: int) -> None:
    if method != "patchmatch":
        pytest.importorskip("torch")
    # Two threads and arrays of which each takes a part: a pool that is not used never hangs.
    environment = os.environ | {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", FORK, method, before, str(batch)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "filled 4\n"


NO_CACHE = """
import logging, sys
import numpy as np
from gatefill import compiling

compiling._folders = lambda: []  # as where none of the folders can be written
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s: %(message)s")
import gatefill

photo = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
mask = np.zeros((48, 48), bool)
mask[20:30, 20:30] = True
inpaint = gatefill.load("patchmatch")
first, second = (np.asarray(inpaint(photo, mask)) for _ in range(2))
assert (first == second).all()
assert (first[mask] != photo[mask]).any()
"""


@pytest.mark.slow
def test_without_a_folder_for_the_cache_it_compiles_and_says_so_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_CACHE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "compiling" in line]
    assert len(said) == 1
    assert "there is no writable folder to keep them in; set NUMBA_CACHE_DIR to one" in said[0]


def test_threads_work_off_every_item_once() -> None:
    for count in (1, 3):
        for size in (0, 1, 2, 11, 12, 13, 1000):
            seen = np.zeros(size, np.int64)

            def count_items(start: int, stop: int, seen: np.ndarray) -> None:
                seen[start:stop] += 1

            with Threads(count) as threads:
                threads.run(count_items, size, seen)
                threads.run(count_items, size, seen, least=500)
            assert (seen == 2).all()


def test_what_a_thread_raises_is_raised() -> None:
    def fail(start: int, stop: int) -> None:
        if start <= 70 < stop:
            raise Canceled

    with Threads(2) as threads, pytest.raises(Canceled):
        threads.run(fail, 100)


@pytest.mark.parametrize("count", [1, 2])
def test_a_piece_of_work_can_be_stopped_between_its_parts(count: int) -> None:
    done: list[tuple[int, int]] = []

    def kernel(start: int, stop: int) -> None:
        time.sleep(0.01)
        done.append((start, stop))

    def cancel() -> None:
        raise Canceled

    with Threads(count) as threads:
        threads.run(kernel, 100, tick=lambda: None)
        assert sum(stop - start for start, stop in done) == 100
        parts = len(done)
        done.clear()
        with pytest.raises(Canceled):
            threads.run(kernel, 100, tick=cancel)
        before = len(done)
        assert before < parts
        time.sleep(0.05)
        assert len(done) == before, "nothing is worked on any more"


@pytest.mark.parametrize("count", [1, 2])
def test_a_function_works_beside_and_gives_its_result_or_its_error(count: int) -> None:
    def fail() -> None:
        raise Canceled

    with Threads(count) as threads:
        assert threads.begin(sum, [1, 2, 3])() == 6
        with pytest.raises(Canceled):
            threads.begin(fail)()
    if count > 1:
        with Threads(count) as threads:
            names = threads.begin(lambda: threading.current_thread().name)
            assert names() != threading.current_thread().name


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small network."""
    pytest.importorskip("torch")
    from gatefill.checkpoints import Provenance, save_weights
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
    from gatefill.runtime.seeded import seeded

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = DeepFillV2Config(width=4)
    state = seeded(DeepFillV2Network, config).state_dict()
    save_weights(path, "deepfill_v2", config, state, Provenance(source="a test"))
    return path


def test_loading_neither_reads_nor_advances_the_random_generators(weights: Path) -> None:
    torch = pytest.importorskip("torch")

    def networks() -> list[Any]:
        loaded = [gatefill.load(weights=weights), gatefill.load("partial_conv")]
        return [np.asarray(each(*photo_and_mask())) for each in loaded]

    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the process-wide generator
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = networks()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    torch.manual_seed(2)
    for again, expected in zip(networks(), first, strict=True):
        np.testing.assert_array_equal(again, expected)


def test_loading_leaves_the_modules_of_other_threads_alone(weights: Path) -> None:
    """torch.fx's own tracing patches `nn.Module` for all threads, and two at once for good."""
    torch = pytest.importorskip("torch")
    layer, ones = torch.nn.Linear(4, 4), torch.ones(1, 4)
    expected = layer(ones)
    call = torch.nn.Module.__call__
    wrong: list[Any] = []
    loaded = threading.Event()

    def compute() -> None:
        try:
            while not loaded.is_set():
                if torch.nn.Module.__call__ is not call or not torch.equal(layer(ones), expected):
                    wrong.append("patched")
        except Exception as error:
            wrong.append(error)

    watcher = threading.Thread(target=compute)
    watcher.start()
    try:
        loaders = [
            threading.Thread(target=gatefill.load, kwargs={"weights": weights}) for _ in range(4)
        ]
        for each in loaders:
            each.start()
        for each in loaders:
            each.join()
    finally:
        loaded.set()
        watcher.join()
    assert not wrong
    assert torch.nn.Module.__call__ is call


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is called from here on that changes the process for all its threads."""
    import warnings

    torch = pytest.importorskip("torch")
    called: list[str] = []

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            called.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    for owner, names in (
        (torch, ("manual_seed", "set_num_threads", "set_rng_state", "set_default_dtype")),
        (torch.random, ("fork_rng", "manual_seed", "set_rng_state")),
        (warnings, ("catch_warnings", "filterwarnings", "simplefilter")),
        (np, ("seterr",)),
        (np.random, ("seed", "set_state")),
        (cv2, ("setNumThreads", "setRNGSeed")),
        (cv2.utils.logging, ("setLogLevel",)),
        (os, ("putenv", "umask", "chdir")),
    ):
        for name in names:
            watch(owner, name)
    return called


def test_converting_and_comparing_change_nothing_for_all_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    from gatefill.checkpoints import convert
    from gatefill.errors import WeightsError
    from gatefill.evaluation import CompareConfig, compare

    foreign = tmp_path / "foreign.pth"
    torch.save({"a": torch.ones(2)}, foreign, pickle_protocol=3)  # torch warns of the protocol
    cv2.imwrite(str(tmp_path / "photo.png"), photo_and_mask()[0])
    environment = dict(os.environ)
    config = CompareConfig(masks=("box",), size=64)
    compare([tmp_path / "photo.png"], ["telea"], tmp_path / "warm", config)  # imports what it needs
    called = watched(monkeypatch)
    with pytest.warns(UserWarning, match="protocol"), pytest.raises(WeightsError):
        convert(foreign, tmp_path / "ours.safetensors")
    called.clear()  # pytest.warns itself catches warnings
    compare([tmp_path / "photo.png"], ["telea"], tmp_path / "report", config)
    assert called == []
    assert dict(os.environ) == environment
