"""Filling many photos, on the cores of one machine or on a Ray cluster.

The package is not called ``batch``, which is the function: ``gatefill.batch(...)``.
"""

from gatefill.batches.run import batch, preview
from gatefill.batches.summary import BatchProgress, Preview, Summary

__all__ = ["BatchProgress", "Preview", "Summary", "batch", "preview"]
