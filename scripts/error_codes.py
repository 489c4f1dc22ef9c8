"""Write the tables of docs/errors.md and docs/errors.ko.md: the code of every error and warning.

They are found in the source; the Korean sentences are those of the server and its page.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "gatefill"
DOCUMENTS = {"en": ROOT / "docs" / "errors.md", "ko": ROOT / "docs" / "errors.ko.md"}
START, END = "<!-- codes -->\n", "<!-- /codes -->\n"

BASE, WARNING = "GatefillError", "Warning"
_TRANSPARENT = {"type", "str", "len", "list", "tuple", "sorted"}


@dataclass(frozen=True)
class Use:
    """One place where an error or a warning is made."""

    code: str | None  # None where it is not a plain text
    kind: str  # the class
    text: str  # with {names} in place of what is put in
    file: Path
    line: int


@lru_cache
def uses(source: Path = SOURCE) -> tuple[Use, ...]:
    """All places of the source, file by file."""
    return tuple(_uses(source))


def _uses(source: Path) -> Iterator[Use]:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(source.rglob("*.py"))}
    errors = _errors(trees)
    for path, tree in trees.items():
        if path == source / "errors.py":
            continue
        module = _Module(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in errors:
                    code = _keyword(node, "code")
                    codes = [errors[name]] if code is None else module.texts(code, node.lineno)
                    text = node.args[0] if node.args else None
                elif (name == WARNING and node.args) or name in module.makers:
                    if name == WARNING and module.is_parameter(node.args[0], node.lineno):
                        continue  # its callers are looked at
                    codes = module.texts(node.args[0], node.lineno)
                    text = node.args[module.makers.get(name, 1)]
                else:
                    continue
                kind = WARNING if name in module.makers else name
                sentence = module.template(text, node.lineno, _values(node))
                for each in codes:
                    yield Use(each, kind, sentence, path, node.lineno)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == name), None)


def _values(node: ast.Call) -> dict[str, str]:
    """From expressions, as text, to the names that `values` has for them."""
    found = [(each.arg, each.value) for each in node.keywords if each.arg != "code"]
    for given in (each for each in node.args if isinstance(each, ast.Dict)):
        for key, value in zip(given.keys, given.values, strict=True):
            if isinstance(key, ast.Constant):
                found.append((str(key.value), value))
    return {ast.unparse(value): name for name, value in found if name is not None}


class _Module:
    """What names stand for in a module."""

    def __init__(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        self.functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        self.assigned = [
            (node.lineno, node.targets[0].id, node.value)
            for node in nodes
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        ]
        # What functions return that only put a sentence together.
        self.sentences = {
            each.name: last.value
            for each in self.functions
            if isinstance(last := each.body[-1], ast.Return)
            and isinstance(last.value, ast.JoinedStr)
        }
        # Functions that make a warning of a code and a text, and where the text stands.
        self.makers = {
            each.name: [argument.arg for argument in each.args.args].index("text")
            for each in self.functions
            if each.returns is not None
            and ast.unparse(each.returns) == WARNING
            and {"code", "text"} <= {argument.arg for argument in each.args.args}
        }

    def is_parameter(self, value: ast.expr, line: int) -> bool:
        return isinstance(value, ast.Name) and any(
            each.lineno <= line <= (each.end_lineno or 0)
            and value.id in {argument.arg for argument in each.args.args}
            for each in self.functions
        )

    def texts(self, value: ast.expr, line: int) -> list[str | None]:
        """The plain texts that an expression may be; None where it is none."""
        match self.value_of(value, line):
            case ast.Constant(value=str() as text):
                return [text]
            case ast.IfExp(body=first, orelse=second):
                return [*self.texts(first, line), *self.texts(second, line)]
        return [None]

    def value_of(self, value: ast.expr | None, line: int) -> ast.expr | None:
        """What was last given to a name above that line; any other expression itself."""
        if isinstance(value, ast.Name):
            given = [item for item in self.assigned if item[1] == value.id and item[0] <= line]
            return max(given)[2] if given else value
        return value

    def template(self, text: ast.expr | None, line: int, values: dict[str, str]) -> str:
        """A sentence with {names} for what is put in, those of `values` where it is there."""
        match self.value_of(text, line):
            case ast.Constant(value=value):
                return str(value)
            case ast.BinOp(left=first, op=ast.Add(), right=second):
                return self.template(first, line, values) + self.template(second, line, values)
            case ast.IfExp(body=addition, orelse=ast.Constant(value="")):
                return f"[{self.template(addition, line, values)}]"
            case ast.Call(func=ast.Name(id=name)) if name in self.sentences:
                return self.template(self.sentences[name], self.sentences[name].lineno, {})
            case ast.JoinedStr(values=parts):
                return "".join(self._part(part, line, values) for part in parts)
        return "..."

    def _part(self, part: ast.expr, line: int, values: dict[str, str]) -> str:
        if not isinstance(part, ast.FormattedValue):
            return str(getattr(part, "value", ""))
        if isinstance(part.value, ast.Name) and part.value.id.isupper():
            constant = self.value_of(part.value, line)
            if isinstance(constant, ast.Constant):
                return str(constant.value)
        return f"{{{_name(part.value, values)}}}".replace("{did_you_mean}", "{did you mean}")


def _errors(trees: dict[Path, ast.Module]) -> dict[str, str | None]:
    """The classes of errors, each with the code of its own that it has without being given one."""
    found: dict[str, str | None] = {BASE: None}
    classes = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    for _ in range(3):  # levels of the tree
        for each in classes:
            if any(ast.unparse(base) in found for base in each.bases):
                found[each.name] = _own_code(each)
    # The areas that the classes of errors.py name are no codes: what is raised says more.
    own = {node.name for node in trees[SOURCE / "errors.py"].body if isinstance(node, ast.ClassDef)}
    return {name: None if name in own | {"ImageError"} else code for name, code in found.items()}


def _own_code(node: ast.ClassDef) -> str | None:
    for line in node.body:
        if isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(line.value, ast.Constant):
            target = line.targets[0] if isinstance(line, ast.Assign) else line.target
            if ast.unparse(target) == "default_code":
                return str(line.value.value)
    return None


def _name(value: ast.expr, values: dict[str, str]) -> str:
    """What to call an expression: as `values` does, or its last name."""
    if (text := ast.unparse(value)) in values:
        return values[text]
    match value:
        case ast.Attribute(attr="__name__"):
            return "class"
        case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant(value=0)):
            return "height"
        case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant(value=1)):
            return "width"
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Subscript(value=inner):
            return _name(inner, values)
        case ast.Call(func=ast.Attribute(attr="join"), args=[first]):  # ", ".join(names)
            return _name(first, values)
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "strip" | "upper")):
            return _name(inner, values)
        case ast.Call(func=ast.Name(id="map" | "filter"), args=[_, second]):
            return _name(second, values)
        case ast.Call(func=ast.Name(id=name), args=[first]) if name in _TRANSPARENT:
            return _name(first, values)
        case ast.Call(func=ast.Name(id="get_args")):
            return "known"
        case ast.Call(func=function):
            return _name(function, values)
        case ast.GeneratorExp(elt=first) | ast.Tuple(elts=[first, *_]):
            return _name(first, values)
        case ast.BinOp(left=first, op=ast.Mult(), right=second):
            return f"{_name(first, values)} * {_name(second, values)}"
        case ast.BinOp(left=first) | ast.BoolOp(values=[first, *_]):
            return _name(first, values)
    return "..."


def korean_sentences() -> dict[str, str]:
    """The Korean sentences of the server and its page, by code."""
    text = (SOURCE / "server" / "web" / "texts" / "ko_codes.js").read_text("utf-8")
    entries = re.findall(r'^  ("[\w.]+"): (".*"),$', text, re.MULTILINE)
    return {json.loads(code): json.loads(sentence) for code, sentence in entries}


def table(language: str = "en") -> str:
    """The codes as a Markdown table, each with its class and the sentence it comes with first.

    In Korean the sentence of the server and its page stands before it, where they have one.
    """
    found: dict[str, Use] = {}
    for use in uses():
        if use.code is not None and (use.code not in found or found[use.code].text == "..."):
            found[use.code] = use
    korean = korean_sentences() if language == "ko" else {}
    head = "| 코드 | 클래스 | 문장 |" if language == "ko" else "| code | class | sentence |"
    rows = [head, "|---|---|---|"]
    for code, use in sorted(found.items()):
        sentences = [korean[code], use.text] if code in korean else [use.text]
        cell = "<br>".join(" ".join(each.split()) for each in sentences).replace("|", "\\|")
        cell = re.sub(
            r"\{(?=[^{}]*\}$)", r"\\{", cell
        )  # mkdocs takes a cell's last {...} for attributes
        rows.append(f"| `{code}` | `{use.kind}` | {cell} |")
    return "\n".join(rows) + "\n"


def updated(text: str, language: str = "en") -> str:
    """The document with its table as it is now."""
    before, rest = text.split(START)
    return before + START + table(language) + END + rest.split(END)[1]


if __name__ == "__main__":
    for language, document in DOCUMENTS.items():
        document.write_text(updated(document.read_text("utf-8"), language), "utf-8")
