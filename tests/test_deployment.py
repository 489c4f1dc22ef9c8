"""Workflows and manifests: valid by their schemas, and naming only what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _checked(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema says of a file, by a schema that comes with it."""
    pytest.importorskip("check_jsonschema")
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path)
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_follow_their_schema(path: Path) -> None:
    done = _checked("vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_name_tests_scripts_and_targets_that_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    named = re.findall(r"\b(?:tests|scripts|examples)/[\w./]+\w", text)
    assert named
    assert not {name for name in named if not (ROOT / name).exists()}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets


def test_every_supported_python_is_tested() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    supported = set(re.findall(r"Python :: (3\.\d+)", project))
    matrix = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    tested = re.search(r"core:\n.*?python: \[(.*?)\]", matrix, re.DOTALL)
    assert tested is not None
    assert set(re.findall(r"3\.\d+", tested[1])) == supported


def test_a_job_without_network_refuses_to_run_with_one() -> None:
    if shutil.which("ip") is None or not Path("/sys/class/net").is_dir():
        pytest.skip("needs Linux with iproute2")
    if len(list(Path("/sys/class/net").iterdir())) < 2:
        pytest.skip("needs a network")
    done = subprocess.run(
        ["sh", "scripts/without_network.sh", "echo", "ran"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ran" not in done.stdout
