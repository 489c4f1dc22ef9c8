"""Weights on the Hugging Face hub: folders as it has them, and addresses that fetch from one.

The hub here is a real HTTP server that answers as the hub does; huggingface_hub asks it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import PIL.Image
import pytest

import gatefill
from gatefill.checkpoints import find_weights, write_folder
from gatefill.cli import run
from gatefill.errors import ConfigError, GatefillError, OutputError, WeightsError

COMMIT, OLDER = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights as a folder for the hub."""
    return write_folder(find_weights("compact"), tmp_path_factory.mktemp("hub") / "compact")


class Hub:
    """What a repository ``me/weights`` holds, and which files were asked for."""

    def __init__(self, commits: dict[str, Path]) -> None:
        self.commits = commits  # what each commit's files are
        self.revisions = {"main": COMMIT, "v1": OLDER} | {commit: commit for commit in commits}
        self.asked: list[str] = []


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The hub's address."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            parts = self.path.partition("?")[0].strip("/").split("/")
            if parts[:3] != ["me", "weights", "resolve"]:
                self.refuse("RepoNotFound", "Repository not found")
                return
            commit = hub.revisions.get(parts[3])
            if commit is None:
                self.refuse("RevisionNotFound", "Invalid rev id")
                return
            hub.asked.append(parts[4])
            file = hub.commits[commit] / parts[4]
            if not file.is_file():
                self.refuse("EntryNotFound", "Entry not found", commit)
                return
            data = file.read_bytes()
            self.send_response(200)
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{sha1(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def refuse(self, code: str, text: str, commit: str = "") -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", text)
            if commit:
                self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _load(address: str, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Describe weights by the command line."""
    return _run(["-m", "gatefill", "info", address, "--json"], endpoint, cache)


def _run(arguments: list[str], endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with a hub and a cache of its own, in the folder of the cache."""
    pytest.importorskip("huggingface_hub")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cache,
        env=kept | variables | {"HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_address_fetches_two_files_and_says_how_to_pin_them(
    layout: Path, tmp_path: Path
) -> None:
    hub = Hub({COMMIT: layout, OLDER: layout})
    with serving(hub) as url:
        done = _load("hf://me/weights", url, tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["method"] == "deepfill_v2"
        assert f"hf://me/weights@{COMMIT}" in done.stderr
        assert set(hub.asked) == {"config.json", "model.safetensors"}

        pinned = _load(f"hf://me/weights@{OLDER}", url, tmp_path)
        assert pinned.returncode == 0, pinned.stderr
        assert "hf://" not in pinned.stderr, "nothing more to pin"
        assert _load("hf://me/weights@v1", url, tmp_path).returncode == 0

    # The hub is gone: what was pinned is in the cache.
    again = _load(f"hf://me/weights@{OLDER}", "http://127.0.0.1:9", tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://me/nothing", "expected a repository me/nothing with config.json"),
        ("hf://me/weights@v9", "expected a repository me/weights with config.json"),
        ("hf://me", "expected weights as hf://owner/name@revision, got 'hf:/me'"),
        ("hf://me/weights@", "expected weights as hf://owner/name@revision"),
        ("hf://../../etc/passwd", "expected weights as hf://owner/name@revision"),
    ],
)
def test_what_the_hub_does_not_have_is_one_line(
    layout: Path, tmp_path: Path, address: str, said: str
) -> None:
    with serving(Hub({COMMIT: layout})) as url:
        done = _load(address, url, tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_pickles_are_not_read(tmp_path: Path) -> None:
    other = tmp_path / "repository"
    other.mkdir()
    (other / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    (other / "config.json").write_text("{}", "utf-8")
    hub = Hub({COMMIT: other})
    with serving(hub) as url:
        done = _load("hf://me/weights", url, tmp_path)
    assert done.returncode == 2
    assert "pytorch_model.bin" not in hub.asked


SCRIPT = """
import sys
import numpy as np
import gatefill

photo, mask = np.load("photo.npy"), np.load("mask.npy")
alone = gatefill.load(sys.argv[1])
steering = gatefill.load("hybrid", weights=sys.argv[1])
options = gatefill.NetworkOptions(runtime="torch")
shipped = gatefill.load("deepfill_v2", weights="compact", options=options)
apart = np.asarray(alone(photo, mask)).astype(int) - np.asarray(shipped(photo, mask))
print(alone.method.info.name, steering.method.info.name, np.abs(apart).max() <= 1)
"""


def test_load_takes_an_address_in_place_of_a_method(layout: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    grains = np.random.default_rng(0).integers(60, 200, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    np.save(tmp_path / "photo.npy", grains)
    np.save(tmp_path / "mask.npy", mask)
    with serving(Hub({COMMIT: layout})) as url:
        done = _run(["-c", SCRIPT, f"hf://me/weights@{COMMIT}"], url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["deepfill_v2", "hybrid", "True"]


def test_the_folder_is_what_the_hub_accepts(layout: Path) -> None:
    assert {each.name for each in layout.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
    }
    stated = json.loads((layout / "config.json").read_text("utf-8"))
    assert (stated["library_name"], stated["method"]) == ("gatefill", "deepfill_v2")
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(layout / "README.md")
    assert card.data.library_name == "gatefill"
    assert card.data.pipeline_tag == "image-to-image"
    assert card.data.license
    assert "deepfill_v2" in card.data.tags
    assert hub.utils.validate_repo_id("me/weights") is None


def test_a_folder_loads_unless_its_files_contradict_each_other(
    layout: Path, tmp_path: Path
) -> None:
    assert find_weights(layout) == layout / "model.safetensors"
    again = write_folder(layout / "model.safetensors", tmp_path / "again")
    stated = json.loads((again / "config.json").read_text("utf-8"))
    stated["config"]["width"] += 1
    (again / "config.json").write_text(json.dumps(stated), "utf-8")
    with pytest.raises(WeightsError) as caught:
        gatefill.load(weights=again)
    assert caught.value.code == "weights.contradiction"


def test_a_folder_with_files_is_left_alone(layout: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_folder(find_weights("compact"), layout)
    assert caught.value.code == "output.not_empty"


def test_the_verb_writes_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hub", "compact", "-o", str(tmp_path / "out"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == ["README.md", "config.json", "model.safetensors"]
    assert run(["info", str(tmp_path / "out"), "--json"]) == 0


@pytest.mark.parametrize("address", ["hf:/", "hf://", "hf://a/b/c", "hf://a/b@c d"])
def test_no_address_is_taken_for_a_path(address: str) -> None:
    with pytest.raises(GatefillError) as caught:
        gatefill.load(address)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.code == "weights.address"


def test_a_missing_package_gives_the_pip_line(tmp_path: Path) -> None:
    (tmp_path / "huggingface_hub.py").write_text(
        "raise ModuleNotFoundError(name='huggingface_hub')"
    )
    done = subprocess.run(
        [sys.executable, "-m", "gatefill", "info", "hf://me/weights"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith('pip install "gatefill[hub]"')


@pytest.mark.usefixtures("folder")
def test_a_picture_is_filled_by_the_command_line(layout: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    line = f"inpaint photo.png mask.png --weights {layout} -o {tmp_path / 'out.png'} --json"
    assert run(line.split()) == 0
    with PIL.Image.open(tmp_path / "out.png") as filled, PIL.Image.open("photo.png") as photo:
        assert filled.size == photo.size
