"""Runs a network with onnxruntime, without torch, from files that `gatefill export` wrote.

The graph computes the whole frame, except attention and the last layers, which are computed near
the holes only. Holes of large photos are therefore passed to it as crops.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np

from gatefill.errors import ConfigError, WeightsError
from gatefill.extras import import_onnxruntime
from gatefill.parallel import PerProcess, cores
from gatefill.runtime.base import (
    CELL,
    Found,
    Image,
    Mask,
    Places,
    Progress,
    hole_cells,
    near_holes,
)

onnxruntime = import_onnxruntime()

BYTES = 1400  # bytes of features per pixel
TABLE_BYTES = 0.0035  # bytes of attention per pair of pixels
PATIENCE = 0.05  # seconds between two checks for cancelling


class OnnxRuntime:
    """A network in an ONNX file, ready to run.

    Args:
        path: A file with the interface ``"frame"``, see `gatefill.export.model`.

    Raises:
        WeightsError: For any other file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._session = PerProcess(self._loaded)
        self.facts = self._facts()
        self.multiple = int(self.facts["multiple"])
        inputs = {each.name for each in self._session.get().get_inputs()}
        self.takes_sketch = "sketch" in inputs
        self._attends = "sources" in {each.name for each in self._session.get().get_outputs()}

    device = "cpu"
    dtype = "float32"

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Check that nothing but the CPU and float32 is requested. Raises ConfigError otherwise."""
        if device not in (None, "cpu") or dtype not in (None, "float32", "auto"):
            raise ConfigError(
                "expected device 'cpu' and float32 for a network that onnxruntime runs, "
                f"got {device} and {dtype}",
                code="device.runtime",
                device=device,
                dtype=dtype,
            )

    def memory(self, pixels: int) -> int:
        """See `Runtime.memory`; attention allocates a table of all pairs of cells."""
        return int(BYTES * pixels + (TABLE_BYTES * pixels**2 if self._attends else 0))

    def run(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
    ) -> Found:
        """Fill the holes of one frame; see `Runtime.run`."""
        feeds: dict[str, Any] = {"image": image, "mask": mask}
        if self.takes_sketch:
            feeds["sketch"] = np.zeros_like(mask) if sketch is None else sketch
        found = self._computed(feeds, progress)
        places = None
        if "sources" in found:
            cells, columns = hole_cells(mask), mask.shape[1] // CELL
            rows, lines = cells.T
            flat = found["sources"][rows, lines]
            sources = np.stack((flat // columns, flat % columns), axis=-1)
            places = Places(cells, sources, found["weights"][rows, lines])
        coarse = found.get("coarse")
        return Found(
            _near(found["filled"], image, mask),
            None if coarse is None else _near(coarse, image, mask),
            places,
        )

    def _computed(self, feeds: Mapping[str, Any], progress: Progress | None) -> dict[str, Any]:
        session = self._session.get()
        names = [each.name for each in session.get_outputs()]
        if progress is None:
            return dict(zip(names, session.run(names, feeds), strict=True))
        # The library does not report its progress, but a run can be cancelled.
        options = onnxruntime.RunOptions()
        with ThreadPoolExecutor(1, "gatefill") as pool:
            work = pool.submit(session.run, names, feeds, options)
            try:
                progress(0.0)
                while not wait([work], PATIENCE).done:
                    progress(0.0)
            except BaseException:
                options.terminate = True
                raise
            found = work.result()
        progress(1.0)
        return dict(zip(names, found, strict=True))

    def _loaded(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        options.log_severity_level = 3
        # Threads that busy-wait for each other take the cores from all other work: on a loaded
        # machine a frame would take twice the processor time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return _opened(self.path, options)

    def _facts(self) -> dict[str, str]:
        facts = _facts_of(self.path, self._session.get())
        if facts.get("interface") != "frame":
            raise _refused(
                self.path, "made for other programs: export it with the interface 'frame'"
            )
        return facts

    @property
    def method(self) -> str:
        """The name of the network's method."""
        return self.facts["method"]

    @property
    def finish(self) -> bool:
        """Whether the method's post-processing is to be applied."""
        return bool(json.loads(self.facts["finish"]))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._session = PerProcess(self._loaded)


def read_facts(path: Path) -> dict[str, str]:
    """Read the metadata that `gatefill export` wrote to an ONNX file, as JSON.

    Raises:
        WeightsError: For any other file.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return _facts_of(path, _opened(path, options))


def _opened(path: Path, options: Any) -> Any:
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as problem:
        # onnxruntime raises a dozen types without a common base class.
        if not path.is_file():
            raise FileNotFoundError(f"no weights at {path}") from None
        raise _refused(path, str(problem).partition("\n")[0][:200]) from None


def _facts_of(path: Path, session: Any) -> dict[str, str]:
    facts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if "gatefill_format" not in facts:
        raise _refused(path, "an ONNX file of another program")
    return facts


def _near(frame: Image, image: Image, mask: Mask) -> Image:
    """Return the network's frame near the holes, and the photo elsewhere."""
    result = image.copy()
    for box in near_holes(mask):
        result[box.slices] = frame[box.slices]
    return result


def _refused(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"expected a network exported by gatefill, got {path.name}: {why}",
        code="weights.onnx",
        file=path.name,
        reason=why,
    )
