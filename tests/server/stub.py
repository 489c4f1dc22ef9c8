"""A server over quick and slow methods, to be run as a process: python -m tests.server.stub."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time

import cv2
import numpy as np

from gatefill.inpainter import Inpainter
from gatefill.methods import Attention, Fill, Method, MethodInfo
from gatefill.methods.patchmatch import PatchMatch
from gatefill.server.access import Access
from gatefill.server.app import create_app
from gatefill.server.limits import Limits
from gatefill.server.models import Model, Shelf
from gatefill.server.run import address_of, listen, run


class Telea:
    """OpenCV's inpainting; its attention are the nearest known pixel and the one beside it."""

    def __init__(self, name: str, seconds: float = 0.0, sketch: bool = False) -> None:
        self.seconds = seconds
        self.info = MethodInfo(
            name=name,
            title=name.title(),
            paper="Telea 2004",
            semantic=False,
            non_local=False,
            free_form=True,
            user_guided=sketch,
            takes_sketch=sketch,
        )

    def fill(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        sketch: np.ndarray | None = None,
        progress: object = None,
        *,
        search: np.ndarray | None = None,
    ) -> Fill:
        assert search is None
        end = time.monotonic() + self.seconds
        while self.seconds and time.monotonic() < end:
            time.sleep(0.02)
            if callable(progress):
                progress(min(1.0, 1 - (end - time.monotonic()) / self.seconds))
        pixels = np.rint(image * 255).astype(np.uint8)
        filled = cv2.inpaint(pixels, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        filled = filled.astype(np.float32) / 255
        if sketch is not None:
            filled[sketch & mask] = (0.0, 0.0, 1.0)  # so that it is seen what the method was given
        known = np.argwhere(~mask)
        target = np.argwhere(mask).astype(np.int32)
        _, labels = cv2.distanceTransformWithLabels(
            mask.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        by_label = np.zeros((labels.max() + 1, 2), np.int32)
        by_label[labels[~mask]] = known
        nearest = by_label[labels[mask]]
        beside = np.maximum(nearest - (0, 4), 0)
        source = np.stack([nearest, beside], axis=1).astype(np.int32)
        weight = np.tile(np.array([0.75, 0.25], np.float32), (len(target), 1))
        return Fill(filled, attention=Attention(target, source, weight, 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--token")
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--cors", action="append", default=[])
    parser.add_argument("--patchmatch", action="store_true")
    parser.add_argument("--root-path", default="")
    parser.add_argument("--limits", default="{}")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    methods: list[Method] = [
        Telea("telea"),
        Telea("guided", sketch=True),
        Telea("slow", given.seconds),
    ]
    limits = Limits(**json.loads(given.limits))
    if given.patchmatch:
        methods.insert(0, PatchMatch())
    models = [
        Model(each.info.name, Inpainter(each, memory_limit=limits.memory_for_jobs))
        for each in methods
    ]
    access = Access(given.host, given.token, tuple(given.allow), tuple(given.cors), given.root_path)
    # Warming the slow one up would only delay the tests.
    models[-1].warm_up = lambda: None  # type: ignore[method-assign]
    listening = listen(given.host, given.port)
    app = create_app(Shelf(models), limits=limits, access=access, access_log=given.access_log)

    def started() -> None:
        sys.stdout.write(f"at {address_of(listening, given.host)}\n")
        sys.stdout.flush()
        if given.log:
            logging.getLogger("gatefill").addHandler(logging.StreamHandler(sys.stdout))
            logging.getLogger("gatefill").setLevel(logging.INFO)

    run(app, listening, limits=limits, started=started)


if __name__ == "__main__":
    main()
