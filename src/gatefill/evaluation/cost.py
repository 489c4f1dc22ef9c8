"""The machine of a comparison, and the time and memory of its methods: the varying part."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np


def cost(rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """Return the machine, and per method its seconds (warm) and its process's memory in bytes."""
    timing = []
    for label in labels:
        own = [row for row in rows if row.get("method") == label and row.get("seconds") is not None]
        if not own:
            continue
        seconds = np.array([row["seconds"] for row in own])
        timing.append(
            {
                "method": label,
                "median_seconds": float(np.median(seconds)),
                "p90_seconds": float(np.quantile(seconds, 0.9)),
                "total_seconds": float(seconds.sum()),
                "peak_bytes": max((row["peak_bytes"] or 0 for row in own), default=0) or None,
                "idle_bytes": own[-1]["idle_bytes"],
            }
        )
    return {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "timing": timing,
    }


def _processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
