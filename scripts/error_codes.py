"""Write docs/errors.md: the code of every error and warning, found in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "gatefill"
DOCUMENT = ROOT / "docs" / "errors.md"
START, END = "<!-- codes -->\n", "<!-- /codes -->\n"

BASE, WARNING = "GatefillError", "Warning"


@dataclass(frozen=True)
class Use:
    """One place where an error or a warning is made."""

    code: str | None  # None where it is not a plain text
    kind: str  # the class
    text: str  # with {names} in place of what is put in
    file: Path
    line: int


def uses(source: Path = SOURCE) -> Iterator[Use]:
    """All places of the source, file by file."""
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
                for each in codes:
                    yield Use(each, kind, module.template(text, node.lineno), path, node.lineno)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == name), None)


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

    def template(self, text: ast.expr | None, line: int) -> str:
        """A sentence with {names} for what is put in."""
        text = self.value_of(text, line)
        if isinstance(text, ast.Constant):
            return str(text.value)
        if not isinstance(text, ast.JoinedStr):
            return "..."
        parts = []
        for part in text.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue):
                parts.append(f"{{{_name(part.value)}}}")
        return "".join(parts).replace("{did_you_mean}", "{did you mean}")


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


def _name(value: ast.expr) -> str:
    """What to call an expression: its last name."""
    match value:
        case ast.Attribute(attr="__name__"):
            return "class"
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=inner):
            return _name(inner)
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[first]):  # ", ".join(names)
            return _name(first)
        case ast.Call(func=ast.Name(id="map" | "filter"), args=[_, second]):
            return _name(second)
        case ast.Call(func=ast.Name(id="type" | "str" | "len" | "list" | "tuple"), args=[first]):
            return _name(first)
        case ast.Call(func=function):
            return _name(function)
        case ast.GeneratorExp(elt=first) | ast.Tuple(elts=[first, *_]):
            return _name(first)
        case ast.BinOp(left=first) | ast.BoolOp(values=[first, *_]):
            return _name(first)
    return "..."


def table() -> str:
    """The codes as a Markdown table, each with its class and the sentence it comes with first."""
    found: dict[str, Use] = {}
    for use in uses():
        if use.code is not None:
            found.setdefault(use.code, use)
    rows = ["| code | class | sentence |", "|---|---|---|"]
    for code, use in sorted(found.items()):
        sentence = " ".join(use.text.split()).replace("|", "\\|")
        rows.append(f"| `{code}` | `{use.kind}` | {sentence} |")
    return "\n".join(rows) + "\n"


def updated(text: str) -> str:
    """The document with its table as it is now."""
    before, rest = text.split(START)
    return before + START + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text("utf-8")), "utf-8")
