"""The report: results.json and tables for programs, and a self-contained HTML page."""

from __future__ import annotations

from gatefill.evaluation.files import Folder
from gatefill.evaluation.report.data import as_csv, as_json, photos_csv
from gatefill.evaluation.report.page import page
from gatefill.evaluation.results import Results
from gatefill.images import write_atomically

__all__ = ["write_report"]


def write_report(results: Results, folder: Folder) -> None:
    """Write results.json, results.csv, photos.csv and index.html."""
    write_atomically(folder.json, as_json(results))
    write_atomically(folder.csv, as_csv(results))
    write_atomically(folder.photos, photos_csv(results))
    write_atomically(folder.page, page(results, folder))
