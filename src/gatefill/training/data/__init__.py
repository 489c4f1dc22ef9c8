"""From folders, lists and shards of images to batches of samples."""

from gatefill.training.data.batch import Batch
from gatefill.training.data.loader import Loader, make_loader
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch
from gatefill.training.data.sources import DataSource, open_source

__all__ = [
    "Batch",
    "DataSource",
    "Loader",
    "SketchExtractor",
    "drawn_sketch",
    "make_loader",
    "open_source",
]
