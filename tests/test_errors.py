"""Errors and warnings as data: every one has a code, and nothing else is the user's fault."""

from __future__ import annotations

import ast
import json
import pickle
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatefill import terminal
from gatefill.errors import ConfigError, GatefillError, MaskError, Warning, did_you_mean

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "gatefill"
sys.path.insert(0, str(ROOT / "scripts"))
import error_codes  # noqa: E402 - a script, not a package

# The command line's own words stand here; everything else is below it.
COMMAND_LINE = ("cli", "terminal.py", "__main__.py", "__init__.py")
# The command that a report was made with, and pip's.
COMMANDS = ("evaluation/report/page.py", "packages.py")


# Readers of damaged files, whose errors are caught beside them.
PARSERS = ("images/exif.py", "images/jpeg_segments.py", "images/tiff_tags.py")


@lru_cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    paths = sorted(SOURCE.rglob("*.py"))
    return tuple((path.relative_to(SOURCE), ast.parse(path.read_text("utf-8"))) for path in paths)


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """The texts of a module but its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(getattr(node, "value", None), str) and id(node) not in docs | loose:
            assert isinstance(node, ast.Constant)
            yield node


def test_no_message_below_the_command_line_names_its_options() -> None:
    found = [
        f"{path}:{text.lineno}: {text.value}"
        for path, tree in sources()
        if path.parts[0] not in COMMAND_LINE and path.as_posix() not in COMMANDS
        for text in strings(tree)
        if re.search(r"(^|[\s('\"])--[a-z]", text.value)
    ]
    assert not found


def test_no_bare_valueerror_is_raised_with_a_message() -> None:
    """One without a message is caught beside where it is raised."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        if path.as_posix() not in PARSERS
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func) in ("ValueError", "RuntimeError", "KeyError", "Exception")
    ]
    assert not found


def test_every_error_and_warning_has_a_code_of_its_own() -> None:
    handed_on = {"checkpoints/convert.py", "checkpoints/networks.py"}  # with the code it had
    found = list(error_codes.uses())
    assert len(found) > 80
    missing = [
        f"{use.file.relative_to(SOURCE)}:{use.line}"
        for use in found
        if use.code is None and use.file.relative_to(SOURCE).as_posix() not in handed_on
    ]
    assert not missing
    codes = [use.code for use in found if use.code]
    assert not [code for code in codes if not re.fullmatch(r"[a-z]+\.[a-z_0-9]+", code)]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_document_lists_all_codes(language: str) -> None:
    text = error_codes.DOCUMENTS[language].read_text("utf-8")
    assert error_codes.updated(text, language) == text, "run scripts/error_codes.py"
    assert all(f"| `{use.code}` |" in text for use in error_codes.uses() if use.code)
    both = (
        "마스크가 비어 있어 사진이 그대로 돌아왔습니다.<br>the mask is empty: the photo comes back"
    )
    assert (both in text) == (language == "ko")
    # mkdocs takes {...} at the end of a cell for attributes, and shows nothing.
    assert not re.findall(r"(?<!\\)\{[^{}]*\} \|", text)
    assert r" cannot be opened: \{error} |" in text


def test_the_documents_sentences_name_what_is_put_in_as_the_values_do() -> None:
    source = """
LEAST = 3
def advice(folder):
    return f"expected a file; try {shlex.join(folder)}"
def check(mask, photo, names, reason):
    raise MaskError(
        f"expected {photo.shape[1]} x {photo.shape[0]}, got {mask.size} of {len(names)} ({LEAST})"
        + (f": {reason}" if reason else ""),
        code="mask.size", most=mask.size, names=len(names),
    )
    raise ConfigError(advice(photo), code="config.folder")
    return Warning("file.alpha", f"{_who(photo)}: {names}", {"name": _who(photo)})
"""
    module = error_codes._Module(tree := ast.parse(source))
    made = [
        module.template(node.args[len(node.args) > 1], node.lineno, error_codes._values(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("MaskError", "ConfigError", "Warning")
    ]
    assert made == [
        "expected {width} x {height}, got {most} of {names} (3)[: {reason}]",
        "expected a file; try {folder}",
        "{name}: {names}",
    ]
    assert "| ... |" not in error_codes.table()


def page_codes(language: str) -> dict[str, str]:
    text = (SOURCE / "server" / "web" / "texts" / f"{language}_codes.js").read_text("utf-8")
    entries = re.findall(r'^  ("[\w.]+"): (".*"),$', text, re.MULTILINE)
    assert len(entries) == text.count('": "')
    return {json.loads(code): json.loads(sentence) for code, sentence in entries}


# What clients of the server cannot bring about: the command line, training, weights, a start.
NEVER_SERVED = ("batches", "checkpoints", "cli", "evaluation", "masks", "mask_files.py", "training")
NO_CLIENT = re.compile(
    r"(attention|config|device|dtype|fetch|frame|network|recipe|result|setting|tensor)\."
    r"|output\.(?!format|lossless)|select\.sensitivity"
    r"|weights\.(?!random)"
    r"|method\.(needs_network|not_finite|config_and_weights|other_weights|ready_made|needs_weights|no_part|not_trainable|takes_no_weights|unknown)"
    r"|server\.(address|empty|memory|no_token|origin|port|root_path|token|weights_twice)$"
)


def test_both_languages_have_what_clients_of_the_server_can_be_told() -> None:
    english, korean = page_codes("en"), page_codes("ko")
    assert list(english) == list(korean)
    needed = {
        use.code
        for use in error_codes.uses()
        if use.code
        and (
            use.file.relative_to(SOURCE).parts[0] not in NEVER_SERVED
            or use.file.name.startswith("select_")
        )
        and not NO_CLIENT.match(use.code)
    }
    assert not needed - set(english)
    for code, sentence in english.items():
        assert sentence != korean[code], code
        assert re.search("[가-힣]", korean[code]), code
    raised = needed | {use.code for use in error_codes.uses()}
    gone = {code for code in english if not code.startswith("server.")} - raised
    assert not gone, "nothing raises these"


def test_the_page_has_words_for_every_reply_about_the_service() -> None:
    tree = [tree for path, tree in sources() if path.parts[0] == "server"]
    names = {
        node.args[1].value
        for each in tree
        for node in ast.walk(each)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Refused"
        and isinstance(node.args[1], ast.Constant)
    }
    assert "wrong field" in names
    codes = {f"server.{str(name).replace(' ', '_')}" for name in names}
    assert codes <= set(page_codes("en"))


def test_an_error_is_data_and_survives_a_process_boundary() -> None:
    error = MaskError("expected a, got b", code="mask.size", width=3, plane="mask")
    again = pickle.loads(pickle.dumps(error))
    for each in (error, again):
        assert isinstance(each, GatefillError)
        assert isinstance(each, ValueError)
        assert type(each) is MaskError
        assert (each.code, each.text, each.values) == (
            "mask.size",
            "expected a, got b",
            {"width": 3, "plane": "mask"},
        )


def test_values_are_plain() -> None:
    values = {"size": np.int64(3), "sides": (np.float32(0.5), 2), "file": Path("a/b")}
    plain = {"size": 3, "sides": [0.5, 2], "file": str(Path("a/b"))}
    error, warning = GatefillError("no", **values), Warning("file.frames", "some", values)
    for found in (error.values, warning.as_dict()["values"]):
        assert found == plain
        assert json.loads(json.dumps(found)) == plain


def test_a_warning_is_its_sentence() -> None:
    warning = Warning("file.frames", "only the first of 3 frames is filled", {"frames": 3})
    assert str(warning) == "only the first of 3 frames is filled"
    assert warning.as_dict() == {
        "code": "file.frames",
        "text": "only the first of 3 frames is filled",
        "values": {"frames": 3},
    }


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ("deepfil_v2", ["deepfill_v2", "patchmatch"], "; did you mean deepfill_v2?"),
        ("DeepFill-v2", ["deepfill_v2"], "; did you mean deepfill_v2?"),
        ("deepfill_v2_256", ["deepfill-v2-256", "x"], "; did you mean deepfill-v2-256?"),
        ("zzz", ["deepfill_v2"], ""),
        ("box", [], ""),
    ],
)
def test_did_you_mean(given: str, known: list[str], said: str) -> None:
    assert did_you_mean(given, known) == said


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigError("expected a, got b", code="config.value"), 2, "expected a, got b"),
        (MaskError("no\nfit", code="mask.size"), 2, "no fit (--resize-mask)"),
        (FileNotFoundError(2, "No such file or directory", "x.png"), 2, "x.png: No such file"),
        (FileNotFoundError("no such file: x.png"), 2, "no such file: x.png"),
        (MemoryError(), 2, "out of memory"),
        (ValueError("operands could not be broadcast"), 1, "this is a bug"),
        (KeyError("x"), 1, "this is a bug"),
        (TypeError("x"), 1, "this is a bug"),
    ],
)
def test_only_what_was_given_is_the_users_fault(
    error: Exception, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert terminal.explain(error) == status
    line = capsys.readouterr().err
    assert line.startswith("gatefill: ")
    assert line.count("\n") == 1
    assert said in line


def test_every_hint_belongs_to_a_code() -> None:
    known: set[Any] = {use.code for use in error_codes.uses()}
    assert set(terminal._HINTS) <= known
