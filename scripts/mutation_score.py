"""Measure how many small faults in the code the tests notice.

    python scripts/mutation_score.py geometry images runtime methods --count 40

Cosmic Ray's operators change one place at a time in a copy of the repository: a comparison, an
arithmetic operator, a number, a condition, True and False, break and continue, an exception. The
tests that run the changed line are then run, those that take the least time first. Which tests run
a line is measured first, with coverage.py; lines that it cannot see, such as compiled kernels, get
the tests of their package.

A mutant is killed when a test fails, when the tests cannot be collected, when the process crashes,
or when the tests do not end within their time. Each is printed with how it ended. The last is tried
again with twice the time, after the same tests have ended on the unchanged code, so that a busy
machine kills nothing.

The places are drawn at random, each at most once, with one mutant each. Needs the dependency group
`mutation`, and a system with fork.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src", "gatefill")

GROUPS = {
    "geometry": (
        ["geometry.py", "regions.py"],
        [
            "tests/test_geometry.py",
            "tests/test_regions.py",
            "tests/test_inpainter.py",
            "tests/runtime/test_plan.py",
        ],
    ),
    "images": (["images"], ["tests/images"]),
    "runtime": (["runtime"], ["tests/runtime", "tests/methods/test_network_methods.py"]),
    "methods": (["methods"], ["tests/methods", "tests/test_call.py"]),
}
# These say nothing about tests: names that are swapped at random, and what no test can see.
LEFT_OUT = ("VariableReplacer", "VariableInserter", "RemoveDecorator")
SECONDS_PER_MUTANT = 60.0  # of processor time, which a busy machine changes little


@dataclass(frozen=True)
class Mutant:
    """One change: the occurrence-th place where an operator applies in a module."""

    module: Path  # relative to the repository
    line: int
    operator: str
    occurrence: int


class Watch:
    """A pytest plugin that notes each test's processor time and which lines it runs."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(source=[str(PACKAGE)], data_file=None)
        self.seconds: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        before = sum(os.times()[:4])  # with the processes that a test starts
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = sum(os.times()[:4]) - before

    def lines(self) -> dict[str, dict[int, list[str]]]:
        """The tests of every line of every module."""
        data = self.coverage.get_data()
        here = Path.cwd()
        return {
            str(Path(name).relative_to(here)): {
                line: [test for test in tests if test]
                for line, tests in data.contexts_by_lineno(name).items()
            }
            for name in data.measured_files()
        }


class Tests:
    """The tests of a group, their processor times, and the lines that each runs."""

    def __init__(self, copy: Path, paths: list[str]) -> None:
        found = copy / "found.json"

        def measure() -> int:
            watch = Watch()
            watch.coverage.start()
            status = pytest.main([*_OPTIONS, *paths], plugins=[watch])
            watch.coverage.stop()
            found.write_text(json.dumps([watch.seconds, watch.lines()]), "utf-8")
            return int(status)

        status = _forked(copy, measure, 3600)
        if status != 0:
            raise SystemExit(f"the tests fail without any change (pytest's status {status})")
        self.seconds, self.lines = json.loads(found.read_text("utf-8"))

    def of(self, mutant: Mutant) -> list[str]:
        """Those that run the changed line, quickest first, up to a sum of seconds."""
        module = self.lines.get(str(mutant.module), {})
        tests = set(module.get(str(mutant.line), ()))
        if not tests:
            tests = {test for line in module.values() for test in line}
        if not tests:
            folder = f"{mutant.module.parent}{os.sep}"
            near = [lines for name, lines in self.lines.items() if name.startswith(folder)]
            tests = {test for lines in near for line in lines.values() for test in line}
        total = 0.0
        chosen: list[str] = []
        for test in sorted(tests, key=lambda test: self.seconds[test]):
            total += self.seconds[test]
            if chosen and total > SECONDS_PER_MUTANT:
                break
            chosen.append(test)
        return chosen


_OPTIONS = ["-q", "-x", "-n", "0", "-m", "not slow", "-p", "no:cacheprovider", "--timeout", "600"]


def mutants_of(copy: Path, module: Path) -> Iterator[tuple[tuple[int, int], Mutant]]:
    """All mutants of a module, each with its place: line and column."""
    source = (copy / module).read_text("utf-8")
    ignored, lines = _said_only(source), source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        if any(each in name for each in LEFT_OUT):
            continue
        operator = get_operator(name)()
        occurrence = 0
        for node in nodes:
            for start, end in operator.mutation_positions(node):
                # That operator cannot replace a name with a dot, such as `struct.error`.
                is_dotted = name.endswith("ExceptionReplacer") and "." in _between(
                    lines, start, end
                )
                if not is_dotted and not any(first <= start < last for first, last in ignored):
                    yield start, Mutant(module, start[0], name, occurrence)
                occurrence += 1


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The part of a line from one place to another."""
    return lines[start[0] - 1][start[1] : end[1] if end[0] == start[0] else None]


def _said_only(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations stand, which nothing runs."""
    nodes = [
        each
        for node in ast.walk(ast.parse(source))
        for each in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if each is not None
    ]
    return [((it.lineno, it.col_offset), (it.end_lineno, it.end_col_offset)) for it in nodes]


def drawn(copy: Path, modules: list[str], count: int, dice: random.Random) -> list[Mutant]:
    """`count` mutants at places of their own."""
    places: dict[tuple[Path, tuple[int, int]], list[Mutant]] = defaultdict(list)
    for name in modules:
        path = copy / PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for place, mutant in mutants_of(copy, file.relative_to(copy)):
                places[mutant.module, place].append(mutant)
    chosen = dice.sample(list(places), min(count, len(places)))
    return [dice.choice(places[place]) for place in sorted(chosen)]


def end_of(copy: Path, mutant: Mutant, tests: list[str], seconds: float) -> str:
    """How the tests end on the changed code, "survived" if all pass; prints it and the change."""
    path = copy / mutant.module
    before, stat = path.read_text("utf-8"), path.stat()
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)

    limit = 5 * seconds + 60

    def changed() -> tuple[str, str]:
        path.write_text(after, "utf-8")
        try:
            return _ended(copy, tests, limit)
        finally:
            path.write_text(before, "utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # what is compiled stays valid

    end, why = changed() if tests else ("survived", "no test runs this line")
    while end == NOT_ENDED:  # the machine may have been too busy
        quiet = _ended(copy, tests, limit)[0] != NOT_ENDED
        limit *= 2
        end, why = changed()
        if quiet:
            break
    old, new = before.splitlines(), after.splitlines()
    rows = [row for row, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]]
    for row in rows[:1]:
        print(f"{end}: {mutant.module}:{row + 1} ({mutant.operator}, {len(tests)} tests)")
        print(f"  - {old[row].strip()}\n  + {new[row].strip()}")
    print(f"  {why}", flush=True)
    return end


NOT_ENDED = "did not end"


def _ended(copy: Path, tests: list[str], seconds: float) -> tuple[str, str]:
    """How pytest ends, in a word or two, and what it says of the first failure."""
    status = _forked(copy, lambda: int(pytest.main([*_OPTIONS, *tests])), seconds)
    said = (copy / "log.txt").read_text("utf-8", "replace").splitlines()
    why = next((line for line in said if line.startswith(("FAILED ", "ERROR "))), "")
    match status:
        case None:
            return NOT_ENDED, f"within {seconds:.0f} s"
        case pytest.ExitCode.OK:
            return "survived", ""
        case pytest.ExitCode.TESTS_FAILED:
            return "failed", why
        case pytest.ExitCode.INTERRUPTED | pytest.ExitCode.USAGE_ERROR:
            return "not collected", why
    return f"crashed ({status})", said[-1] if said else ""


def _forked(copy: Path, work: Callable[[], int], seconds: float) -> int | None:
    """The status of `work` in a process of its own in the copy; None where it does not end."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.setsid()
            os.chdir(copy)
            sys.dont_write_bytecode = True
            os.environ["PYTHONPATH"] = str(copy / "src")
            sys.path[:0] = [str(copy), str(copy / "src")]
            with Path("log.txt").open("w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            status = work()
        finally:
            os._exit(status)
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def copied(folder: Path) -> Path:
    """A copy of the tracked files in `folder`, with the photographs beside it."""
    copy = folder / "main"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    if (ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    return copy


def preload() -> None:
    """Import what takes long once, before the processes are forked."""
    for name in ("cv2", "numba", "onnxruntime", "PIL.Image", "hypothesis", "torch"):
        __import__(name)
    for name in [each for each in sys.modules if each.partition(".")[0] == "gatefill"]:
        raise SystemExit(f"{name} is imported already: mutants of it would not be seen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; default: all")
    parser.add_argument("--count", type=int, default=40, help="mutants per group")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other mutants")
    given = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        for group in given.groups or GROUPS:
            modules, paths = GROUPS[group]
            tests = Tests(copy, paths)
            ends: Counter[str] = Counter()
            mutants = drawn(copy, modules, given.count, random.Random(given.seed))
            for mutant in mutants:
                chosen = tests.of(mutant)
                seconds = sum(tests.seconds[test] for test in chosen)
                ends[end_of(copy, mutant, chosen, seconds)] += 1
            killed = len(mutants) - ends["survived"]
            print(f"{group}: {killed} of {len(mutants)} killed ({killed / len(mutants):.0%})")
            print(
                "  " + ", ".join(f"{count} {end}" for end, count in ends.most_common()), flush=True
            )


if __name__ == "__main__":
    main()
