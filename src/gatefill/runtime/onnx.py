"""Running a network by onnxruntime, without torch: files that `gatefill export` made.

The graph computes the whole frame, except that attention and the last layers are computed for what
holes depend on. Holes of large photos are therefore given to it with their surroundings only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from gatefill.errors import ConfigError, WeightsError
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

BYTES = 1400  # of features, for each pixel
TABLE_BYTES = 0.0035  # of attention, for each pair of pixels
PATIENCE = 0.05  # seconds between two questions whether to go on


class OnnxRuntime:
    """A network of an ONNX file, ready to run.

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

    device = "cpu"
    dtype = "float32"

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Nothing but the CPU and float32 can be had. Raises ConfigError for anything else."""
        if device not in (None, "cpu") or dtype not in (None, "float32", "auto"):
            raise ConfigError(
                "expected device 'cpu' and float32 for a network that onnxruntime runs, "
                f"got {device} and {dtype}",
                code="device.runtime",
                device=device,
                dtype=dtype,
            )

    def memory(self, pixels: int) -> int:
        """See `Runtime.memory`; attention takes a table of all pairs of cells."""
        return int(BYTES * pixels + TABLE_BYTES * pixels**2)

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
        # The library does not tell how far it is, but it can be stopped.
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
        # Threads that spin while they wait for each other take the cores from everything else: on a
        # busy machine a frame takes twice the processor's time.
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
        """The method that the network belongs to."""
        return self.facts["method"]

    @property
    def finish(self) -> bool:
        """Whether what the method has to come after its network is wanted."""
        return bool(json.loads(self.facts["finish"]))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._session = PerProcess(self._loaded)


def read_facts(path: Path) -> dict[str, str]:
    """What `gatefill export` wrote into an ONNX file of either interface, in JSON.

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
        # A dozen types without a common one of their own.
        if not path.is_file():
            raise FileNotFoundError(f"no weights at {path}") from None
        raise _refused(path, str(problem).partition("\n")[0][:200]) from None


def _facts_of(path: Path, session: Any) -> dict[str, str]:
    facts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if "gatefill_format" not in facts:
        raise _refused(path, "an ONNX file of another program")
    return facts


def _near(frame: Image, image: Image, mask: Mask) -> Image:
    """The network's frame near the holes, the photo elsewhere."""
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
