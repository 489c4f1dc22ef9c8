"""Frames that several threads ask for at once: batches, and the numbers of each frame alone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gatefill
from gatefill.errors import ConfigError
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.runtime.together import LARGEST, TogetherRuntime
from gatefill.runtime.torch import TorchRuntime
from gatefill.stopping import stop_point, stoppable
from tests.runtime.test_torch import loud


class Counted:
    """A runtime that notes the sizes of its batches, and whose first one waits for `go`."""

    def __init__(self, runtime: TorchRuntime) -> None:
        self.runtime, self.sizes, self.go = runtime, [], threading.Event()
        self.multiple, self.takes_sketch = runtime.multiple, runtime.takes_sketch

    def run(self, *given):
        self.sizes.append(1)
        self.go.wait(30)
        return self.runtime.run(*given)

    def run_batch(self, frames):
        self.sizes.append(len(frames))
        return self.runtime.run_batch(frames)


def frames(count, size=(48, 64)):
    dice = np.random.default_rng(0)
    for number in range(count):
        mask = np.zeros(size, bool)
        mask[8 + number : 20 + 2 * number, 10 : 25 + number] = True
        yield dice.random((*size, 3), dtype=np.float32), mask, dice.random(size) < 0.1


@pytest.mark.parametrize("guided", [False, True])
def test_frames_of_one_size_share_batches_and_keep_their_numbers(guided):
    network = loud(DeepFillV2Network(DeepFillV2Config(width=4, guided=guided)), seed=1)
    counted = Counted(TorchRuntime(network))
    together = TogetherRuntime(counted, most=4)
    given = [*frames(7), *frames(2, (40, 40))]
    with ThreadPoolExecutor(len(given)) as pool:
        first = pool.submit(together.run, *given[0])
        while not counted.sizes:
            pass
        others = [pool.submit(together.run, *each) for each in given[1:]]
        while len(together._waiting) < len(others):
            pass
        counted.go.set()
        found = [each.result(30) for each in (first, *others)]
    assert sorted(counted.sizes) == [1, 2, 2, 4]
    for each, (image, mask, sketch) in zip(found, given, strict=True):
        alone = TorchRuntime(network).run(image, mask, sketch if guided else None)
        np.testing.assert_allclose(each.image, alone.image, atol=2e-4)
        np.testing.assert_allclose(each.coarse, alone.coarse, atol=2e-4)
        assert np.abs(alone.image[mask] - image[mask]).mean() > 0.05


def test_a_failure_reaches_all_of_its_batch_and_nobody_waits_for_ever():
    class Failing(Counted):
        def run_batch(self, frames):
            raise MemoryError(len(frames))

    network = loud(GlobalLocalNetwork(GlobalLocalConfig(width=4)))
    failing = Failing(TorchRuntime(network))
    together = TogetherRuntime(failing, most=8)
    given = [*frames(4)]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(together.run, *given[0][:2])
        while not failing.sizes:
            pass
        others = [pool.submit(together.run, *each[:2]) for each in given[1:]]
        while len(together._waiting) < 3:
            pass
        failing.go.set()
        first.result(30)
        for each in others:
            with pytest.raises(MemoryError):
                each.result(30)
    assert together.run(*given[0][:2]).coarse is None, "and the next one is served"


class Stopped(Exception):  # noqa: N818
    pass


def small_network():
    return loud(DeepFillV2Network(DeepFillV2Config(width=4)), seed=1)


def test_who_stops_leaves_its_batch_to_the_others():
    counted = Counted(TorchRuntime(small_network()))
    together = TogetherRuntime(counted, most=4)
    given = [each[:2] for each in frames(4)]
    asked = threading.Event()

    def refuse():
        asked.set()
        raise Stopped

    def stopped(number):
        with stoppable(refuse):
            return together.run(*given[number])

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(stopped, 0)
        while not counted.sizes:
            pass
        others = [pool.submit(together.run, *each) for each in given[1:]]
        while len(together._waiting) < 3:
            pass
        late = pool.submit(stopped, 0)
        for each in (first, late):
            with pytest.raises(Stopped):
                each.result(10)
        counted.go.set()
        found = [each.result(30) for each in others]
    assert counted.sizes == [1, 3], "what nobody waits for is not computed"
    for each, (image, mask) in zip(found, given[1:], strict=True):
        alone = TorchRuntime(counted.runtime.network).run(image, mask)
        np.testing.assert_allclose(each.image, alone.image, atol=2e-4)


def test_a_progress_callback_may_fill_with_batches_too():
    inpaint = gatefill.load(
        "deepfill_v2", batch_size=4, options=gatefill.NetworkOptions(runtime="torch")
    )
    photo = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    mask = np.zeros((96, 96), bool)
    mask[30:60, 30:60] = True
    inner = []

    def fill_as_well(_share):
        if not inner:
            inner.append(None)
            inner.append(np.asarray(inpaint(photo, mask)))

    slow = SlowRuntime(inpaint.method.runtime.runtime)
    inpaint.method.runtime.runtime = slow
    with ThreadPoolExecutor(1) as pool:
        outer = pool.submit(inpaint, photo, mask, progress=fill_as_well)
        np.testing.assert_array_equal(outer.result(60), inner[1])


class SlowRuntime(TorchRuntime):
    """A runtime whose work takes so long that it asks for progress meanwhile."""

    def __init__(self, runtime):
        self.__dict__.update(runtime.__dict__)

    def run(self, *given):
        time.sleep(0.3)
        stop_point()
        return super().run(*given)


def test_large_frames_go_alone():
    counted = Counted(TorchRuntime(loud(DeepFillV2Network(DeepFillV2Config(width=2)))))
    counted.go.set()
    together = TogetherRuntime(counted, most=4)
    image, mask, _ = next(frames(1, (640, 832)))
    assert mask.size > LARGEST
    together.run(image, mask)
    assert counted.sizes == [1]
    assert together._worker is None


def test_a_loaded_method_shares_batches():
    with pytest.raises(ConfigError, match="a batch size of 1 or more, got 0"):
        gatefill.load("deepfill_v2", batch_size=0)
    for name in ("deepfill_v2", "hybrid"):
        inpaint = gatefill.load(name, batch_size=3)
        network = inpaint.method if name == "deepfill_v2" else inpaint.method.network
        assert isinstance(network.runtime, TogetherRuntime)
        assert network.runtime.most == 3
    assert not isinstance(gatefill.load("deepfill_v2").method.runtime, TogetherRuntime)
    gatefill.load("patchmatch", batch_size=3)
