"""Write the tables of methods in both READMEs from the table of methods."""

from __future__ import annotations

import re
from pathlib import Path

from gatefill.loading import DEFAULT_METHOD
from gatefill.methods import METHODS, MethodInfo

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- methods -->\n", "<!-- /methods -->\n"

ENGLISH = {
    "columns": "method | semantic understanding | non-local | free-form holes | user-guided"
    " | needs | weights",
    "yes": "yes",
    "no": "no",
    "core": "core",
    "none": "none",
    "file": "a file",
    "shipped": "[{}](MODEL_CARD.md), or a file",
    " et al.,": " et al.,",
    "default": "the default",
}
KOREAN = {
    "columns": "방법 | 의미 이해 | 비국소적 | 자유로운 모양의 구멍 | 사용자 안내"
    " | 필요한 것 | 가중치",
    "yes": "예",
    "no": "아니요",
    "core": "기본 설치",
    "none": "없음",
    "file": "파일",
    "shipped": "[{}](MODEL_CARD.ko.md) 또는 파일",
    " et al.,": " 외,",
    METHODS["hybrid"].paper: "신경망이 이끄는 PatchMatch, docs/hybrid.ko.md",
    "default": "기본값",
}


def table(words: dict[str, str]) -> str:
    """The table as Markdown in one language."""
    columns = words["columns"]
    lines = [f"| {columns} |", "|" + "---|" * (columns.count("|") + 1)]
    return "\n".join([*lines, *(_row(info, words) for info in METHODS.values())]) + "\n"


def _row(info: MethodInfo, words: dict[str, str]) -> str:
    paper = words.get(info.paper, info.paper).replace(" et al.,", words[" et al.,"])
    paper = re.sub(r"docs/\S+\.md", r"[\g<0>](\g<0>)", paper)
    default = f", {words['default']}" if info.name == DEFAULT_METHOD else ""
    weights = words["file"] if info.takes_weights else words["none"]
    cells = [
        f"`{info.name}` ({paper}){default}",
        *(
            words["yes" if has else "no"]
            for has in (info.semantic, info.non_local, info.free_form, info.takes_sketch)
        ),
        ", ".join(f"`{extra}`" for extra in info.needs) or words["core"],
        words["shipped"].format(info.shipped) if info.shipped else weights,
    ]
    return f"| {' | '.join(cells)} |"


def updated(text: str, words: dict[str, str]) -> str:
    """A README with its table as it is now."""
    before, rest = text.split(START)
    return before + START + table(words) + END + rest.split(END)[1]


READMES = {ROOT / "README.md": ENGLISH, ROOT / "README.ko.md": KOREAN}

if __name__ == "__main__":
    for path, words in READMES.items():
        path.write_text(updated(path.read_text("utf-8"), words), "utf-8")
