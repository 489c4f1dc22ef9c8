"""Write the tables of reports into the Korean pages, from those of the English pages.

    python scripts/korean_tables.py

Where an English page has a part between `<!-- begin NAME -->` and `<!-- end -->`, its Korean page
has the same with Korean words. The scripts that write the English parts call `write`.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_PART = re.compile(r"(?<=<!-- begin )([\w-]+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
# In this order, as some are parts of others. Names of methods and masks stay.
WORDS = {
    r"the paper: semantic, non-local, free-form, user-guided": (
        "논문: 의미 이해, 비국소적, 자유형, 사용자 안내"
    ),
    r"learns: validation L1, first and best": "학습하는가: 검증 L1, 처음과 최선",
    r"copies from afar: L1 beside another photo, and beside its twin": (
        "멀리서 복사하는가: 다른 사진 옆과 쌍둥이 옆의 L1"
    ),
    r"L1 of strokes over that of boxes": "상자의 L1에 대한 붓 자국의 L1",
    r"an instruction changes the fill by": "지시가 결과를 바꾸는 정도",
    r"nothing to learn": "배울 것이 없음",
    r"takes none": "받지 않음",
    r"([\d.]+) levels": r"\1계조",
    r"the paper: boxes": "논문: 상자",
    r"\bL1 in the hole\b": "구멍 안 L1",
    r"\bL2 in the hole\b": "구멍 안 L2",
    r"\bL1 along the rim\b": "테두리의 L1",
    r"\bPatch distance\b": "패치 거리",
    r"DeepFill v2 with gatefill's color correction": "gatefill의 색 보정을 더한 DeepFill v2",
    r"Global & Local without blending": "블렌딩하지 않은 Global & Local",
    r"\| (DeepFill v2|\w+) less \|": r"| \1 − 다른 방법 |",
    r"DeepFill v2 with \|": "DeepFill v2의 종류 |",
    r"gated convolutions, SN-PatchGAN": "게이트 컨볼루션, SN-PatchGAN",
    r"one gate for all channels": "모든 채널에 게이트 하나",
    r"partial convolutions": "부분 컨볼루션",
    r"vanilla convolutions": "일반 컨볼루션",
    r"without SN-PatchGAN": "SN-PatchGAN 없이",
    r"\| boxes\b": "| 상자",
    r"\| free-form\b": "| 자유형",
    r"\bbox: ": "상자: ",
    r"\bbrush: ": "붓 자국: ",
    r"\byes\b": "예",
    r"\bno\b(?= \||,)": "아니요",
    r"\bmasks \(cases\)": "마스크(사례 수)",
    r"\bhole share \(cases\)": "구멍의 비율(사례 수)",
    r"\bmedian, s\b": "중앙값, 초",
    r"\b90th percentile, s\b": "90번째 백분위수, 초",
    r"\bpeak memory, MiB\b": "최대 메모리, MiB",
    r", hole (\d+)%": r", 구멍 \1%",
    r", better\b": ", 나음",
    r", worse\b": ", 나쁨",
    r"([\d.]+) to ([\d.]+) %": r"\1 → \2 %",
    r"([\d.]+) and ([\d.]+) %": r"\1 %, \2 %",
    r"([-+]?[\d.]+) to ([-+]?[\d.]+)": r"\1~\2",
    # the settings of the paper's experiment
    r"([\d,]+) images for each network(?: \((.*?) ([\d,]+)\))? out of (\d+) files, (\d+) pixels a "
    r"side, batch (\d+); (\d+) test photos at (\d+) pixels, one box and one brush hole in each\.": (
        r"신경망마다 파일 \4개에서 \1장(\2은 \3장), 한 변 \5픽셀, 배치 \6. 테스트 사진 \7장, "
        r"\8픽셀, 사진마다 상자 구멍 하나와 붓 자국 구멍 하나."
    ),
}


def translated(part: str) -> str:
    """A part of an English page with Korean words, and the same figures."""
    for english, korean in WORDS.items():
        part = re.sub(english, korean, part)
    return part


def updated(korean: str, english: str) -> str:
    """A Korean page with the parts that the English one has now."""
    parts = {name: part for name, _, part in _PART.findall(english)}
    return _PART.sub(lambda found: found[1] + found[2] + translated(parts[found[1]]), korean)


def write(english: Path) -> None:
    """Bring the parts of the Korean version of a page, if there is one, up to date."""
    page = english.with_suffix(".ko.md")
    if page.is_file():
        text = page.read_text("utf-8")
        page.write_text(updated(text, english.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        write(page)
