"""A server for all tests that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi")

from tests.server.pages import HEIGHT, WIDTH, Page, page_of
from tests.server.serving import Server, file_of, photo, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as found:
        yield found


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Page]:
    """The editor before a photo is open."""
    with page_of(browser, server) as found:
        yield found.visit()


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.png"
    path.write_bytes(file_of(photo(HEIGHT, WIDTH)))
    return path


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    path = tmp_path / "gray.png"
    path.write_bytes(file_of(np.full((HEIGHT, WIDTH, 3), 128, np.uint8)))
    return path
