"""Run the examples of the gallery, and write its pages with the pictures that they make.

python scripts/gallery.py [NAME ...]    # all, or these; then the pages docs/gallery*.md
python scripts/gallery.py --pages       # the pages alone
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "examples" / "gallery"
PICTURES = ROOT / "docs" / "pictures" / "gallery"
HELPER = "panels"

# The order of the page: first what most people want, then what few need.
ORDER = (
    *("remove_an_object", "one_array", "transparent_part", "wires", "text", "dust"),
    *("where_to_copy_from", "sketch", "another_seed", "large_photo", "folder", "many_photos"),
    *("methods", "settings", "attention", "coarse_and_refined", "random_masks"),
    *("warnings_and_errors", "http_service", "own_weights", "train_on_your_photos"),
)
HEADS = {
    "en": (
        "Gallery",
        "Every example below is a script of `examples/gallery`. `python examples/gallery/NAME.py` "
        "runs it and writes its picture to `out/gallery`. The tests run them all.",
    ),
    "ko": (
        "갤러리",
        "아래 예제는 모두 `examples/gallery`에 있는 스크립트입니다. "
        "`python examples/gallery/NAME.py`로 실행하면 그림이 `out/gallery`에 "
        "저장됩니다. 테스트가 모든 예제를 실행합니다.",
    ),
}


def draw(name: str) -> None:
    """Run an example, and take its picture over."""
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
        command = (sys.executable, SCRIPTS / f"{name}.py")
        subprocess.run(command, cwd=place, env=environment, check=True)
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(place) / "out" / "gallery" / f"{name}.jpg", PICTURES)


def page(language: str) -> str:
    """The page, with the code of each example below its picture."""
    heading, text = HEADS[language]
    korean = tomllib.loads((SCRIPTS / "ko.toml").read_text("utf-8"))
    parts = [f"# {heading}\n\n{text}\n"]
    for name in ORDER:
        code = (SCRIPTS / f"{name}.py").read_text("utf-8")
        told = ast.get_docstring(ast.parse(code)) or ""
        title, _, what = told.partition("\n\n")
        if language == "ko":
            title, what = korean[name]["title"], korean[name]["text"]
        body = code[code.index('"""', 3) + 3 :].strip()
        parts.append(
            f"## {title}\n\n{what}\n\n![{title}](pictures/gallery/{name}.jpg)\n\n"
            f"`examples/gallery/{name}.py`\n\n```python\n{body}\n```\n"
        )
    return "\n".join(parts)


def write_pages() -> None:
    for language, name in (("en", "gallery.md"), ("ko", "gallery.ko.md")):
        (ROOT / "docs" / name).write_text(page(language), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of examples; default: all")
    parser.add_argument("--pages", action="store_true", help="run no example")
    options = parser.parse_args()
    for name in [] if options.pages else options.names or ORDER:
        draw(name)
    write_pages()


if __name__ == "__main__":
    main()
