"""Measures and compares methods under one protocol, through `Inpainter` only.

from gatefill.evaluation import CompareConfig, compare

if __name__ == "__main__":
    compare(["photos"], ["patchmatch", "telea"], "report", CompareConfig(seed=1))
"""

from gatefill.evaluation.compare import CompareConfig, compare, evaluate
from gatefill.evaluation.fetching import PerceptualWeights, fetch, fetched
from gatefill.evaluation.metrics import METRICS, Metric, Pair
from gatefill.evaluation.outside import OUTSIDE

__all__ = [
    "METRICS",
    "OUTSIDE",
    "CompareConfig",
    "Metric",
    "Pair",
    "PerceptualWeights",
    "compare",
    "evaluate",
    "fetch",
    "fetched",
]
