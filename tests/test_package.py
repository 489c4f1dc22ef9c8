"""What is shipped, and the habits that hold for every file of the repository."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from packaging.version import Version

import gatefill

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gatefill"
MOST_LINES = 400
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files under version control, as far as they are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("needs a git repository")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def _text(path: Path) -> str:
    """The file's text; nothing for binary files."""
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8")


def test_a_wheel_holds_all_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
            *("--quiet", "--wheel-dir", str(tmp_path), str(ROOT)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("gatefill-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "gatefill/py.typed" in wanted
    assert wanted <= held
    about = f"gatefill-{gatefill.__version__}.dist-info"
    assert f"{about}/licenses/LICENSE" in held
    extra = {name for name in held - wanted if not name.startswith(about)}
    assert not extra, "nothing else may be shipped"


def test_the_version_stands_the_same_everywhere() -> None:
    assert PROJECT["project"]["version"] == gatefill.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {gatefill.__version__}\n" in citation
    nodes = tomllib.loads((ROOT / "plugins" / "comfyui" / "pyproject.toml").read_text("utf-8"))
    assert nodes["project"]["version"] == gatefill.__version__
    for path in (ROOT / "deploy").glob("*.yaml"):
        tags = re.findall(r"image: \S+:(\S+)", path.read_text("utf-8"))
        assert tags
        assert set(tags) == {gatefill.__version__}, path.name
    # The newest dated section of the changelog is this version's, and CITATION.cff has its date.
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[(\d.+?)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert released[0][0] == gatefill.__version__
    assert f'\ndate-released: "{released[0][1]}"\n' in citation


def test_no_file_names_a_place_on_somebodys_machine(tracked: list[Path]) -> None:
    # `/home/you` and the like are nobody's.
    place = re.compile(
        r"(?<![\w.~/-])/(?:(?:work|root)|(?:home|Users)/(?!(?:x|you|me)/)\w+)/[\w./-]+"
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked
        for match in place.finditer(_text(path))
    ]
    assert not found


def test_no_file_of_code_is_too_long(tracked: list[Path]) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked
        if path.suffix in {".py", ".js", ".css", ".sh"}
        and (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long, f"at most {MOST_LINES} lines"


def test_every_requirement_has_a_tested_version() -> None:
    pinned = {
        _normal(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    }
    wanted_lines = [*PROJECT["project"]["dependencies"], *_of_extra("all")]
    for group in PROJECT["dependency-groups"].values():
        wanted_lines += [line for line in group if isinstance(line, str)]
    wanted = set()
    for line in wanted_lines:
        if "platform_machine !=" not in line:  # another machine than the tests'
            name = re.match(r"[\w.-]+", line)
            assert name is not None
            wanted.add(_normal(name.group()))
    assert wanted <= pinned


def test_lower_bounds_are_versions_that_were_tried() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "lowest_versions.py"))
    extras = list(PROJECT["project"]["optional-dependencies"])
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    )
    tested = {_normal(name): Version(version) for name, version in pinned.items()}
    bounds = [script["lowest"](each) for each in script["requirements"](extras)]
    assert len(bounds) > 20
    for bound in bounds:
        if bound is not None:  # on another machine than this
            name, _, version = bound.partition("==")
            assert Version(version) <= tested.get(_normal(name), Version(version)), bound


def test_licenses_that_bind_users_are_faults() -> None:
    faults = runpy.run_path(str(ROOT / "scripts" / "licenses.py"))["faults"]
    assert faults({"a": "MIT", "b": "BSD-3-Clause AND Zlib", "c": "MPL-2.0"}) == []
    assert faults({"a": "LGPL-3.0", "b": "MIT"}) == ["a: LGPL-3.0"]
    proprietary = "Other/Proprietary License"  # as NVIDIA's packages say
    assert faults({"nvidia-cublas-cu12": proprietary, "other": proprietary}) == [
        f"other: {proprietary}"
    ]


def _of_extra(name: str) -> list[str]:
    """The requirements of an extra, with those of the extras it names."""
    lines = []
    for line in PROJECT["project"]["optional-dependencies"][name]:
        if nested := re.fullmatch(r"gatefill\[(.+)\]", line):
            for each in nested.group(1).split(","):
                lines += _of_extra(each.strip())
        else:
            lines.append(line)
    return lines


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["architecture.md", "architecture.ko.md"])
def test_the_architecture_document_shows_every_package(name: str) -> None:
    shown = (ROOT / "docs" / name).read_text("utf-8")
    parts = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
    }
    assert not {part for part in parts if f"`{part}`" not in shown}


@pytest.mark.parametrize("name", ["architecture.md", "architecture.ko.md"])
def test_the_layers_of_the_document_are_those_that_are_checked(name: str) -> None:
    shown = (ROOT / "docs" / name).read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| (.+) \|$", shown, re.MULTILINE)
    drawn = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    (layers,) = (
        contract["layers"]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["name"] == "layers"
    )
    # Names in parentheses are kept for parts that may not be there yet.
    checked = [
        {
            name.strip(" ()")
            for name in layer.split("|")
            if "(" not in name
            or (PACKAGE / name.strip(" ()")).is_dir()
            or (PACKAGE / f"{name.strip(' ()')}.py").is_file()
        }
        for layer in layers
    ]
    assert drawn == checked


def test_both_readmes_have_the_same_parts() -> None:
    english, korean = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ko.md"))
    for kind, pattern in (
        ("headings", r"^#+ "),
        ("rows of tables", r"^\|"),
        ("pictures", r"!\["),
        ("blocks of code", r"^```"),
    ):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, korean)]
        assert counts[0] == counts[1], kind


def test_links_of_the_documents_lead_somewhere(tracked: list[Path]) -> None:
    broken = []
    for path in tracked:
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", _text(path)):
            name = target.partition("#")[0]
            if name and "://" not in target and not (path.parent / name).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


# What the standard library has on POSIX systems only.
POSIX_ONLY = {"resource", "fcntl", "termios", "pwd", "grp", "tty", "pty", "syslog", "posix"}


def test_windows_can_import_every_module() -> None:
    found = []
    for path in (*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:  # of the module itself; functions may import what they guard
            names = []
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            found += [f"{path.name}: {name}" for name in names if name in POSIX_ONLY]
    assert not found


def test_no_two_classes_share_a_name() -> None:
    classes = Counter[str]()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name] += 1
    assert not {name: count for name, count in classes.items() if count > 1}
