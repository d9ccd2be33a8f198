"""Every problem code that the package can raise is declared once and explained once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from allocator.errors import CODES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "allocator"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def texts(expression: ast.AST | None, scope: ast.AST) -> Iterator[str]:
    """The literals that an expression can be: itself, the arms of an `if`, what its name was set to in the scope."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=yes, orelse=no):
            yield from texts(yes, scope)
            yield from texts(no, scope)
        case ast.Name(id=name):
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                    yield from texts(node.value, scope)


def takers(trees: dict[Path, ast.Module]) -> dict[str, int]:
    """What takes a code, and at which place: `Problem`, and every function that hands its own argument `code` on."""
    found = {"Problem": 0}
    grew = True
    while grew:
        grew = False
        for function in (n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, Function)):
            names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
            every = [*names, *(argument.arg for argument in function.args.kwonlyargs)]
            if "code" not in every or function.name in found:
                continue
            if any(isinstance(given, ast.Name) and given.id == "code" for _, given in codes_given(function, found)):
                place = names.index("code") if "code" in names else -1
                found[function.name] = place - (names[:1] in (["self"], ["cls"]))
                grew = True
    return found


def codes_given(scope: ast.AST, found: dict[str, int]) -> Iterator[tuple[int, ast.AST]]:
    """Line and expression of every code that is given to a taker."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
            if name in found and given is None and 0 <= found[name] < len(node.args):
                given = node.args[found[name]]
            if name in found and given is not None:
                yield node.lineno, given


def python_codes() -> dict[str, str]:
    """Every code that Python gives to a problem, and where."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
    found = takers(trees)
    return {
        code: f"{path.name}:{line}"
        for path, tree in trees.items()
        for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, Function)))
        for line, given in codes_given(scope, found)
        for code in texts(given, scope)
    }


def rust_codes() -> dict[str, str]:
    """Every code that Rust gives: `input(py, "code", …)`, and the arms of `fn code`."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "rust").rglob("*.rs")):
        text = path.read_text(encoding="utf-8")
        arms = "".join(re.findall(r"fn code\(&self\).*?\n    \}\n", text, re.S))
        given = re.findall(r'\b(?:input|error)\(\s*py,\s*(?:"\w+Error",\s*)?"([a-z_]+)"', text)
        found |= dict.fromkeys([*re.findall(r'=> "([a-z_]+)"', arms), *given], path.name)
    return found


def test_every_code_in_the_source_is_declared() -> None:
    used = python_codes() | rust_codes()
    unknown = {code: place for code, place in used.items() if code not in CODES}
    assert not unknown, f"add to allocator.errors.CODES and to docs/errors.md: {unknown}"


def test_every_declared_code_is_used_somewhere() -> None:
    # A code may reach its problem through a table: then it stands as a literal somewhere.
    literals = {
        node.value
        for path in PACKAGE.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not set(CODES) - literals - set(rust_codes())


def test_codes_are_snake_case_and_say_what_they_mean() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code) for code in CODES)
    assert all(meaning.endswith(".") and "\n" not in meaning for meaning in CODES.values())


def test_the_docs_explain_every_code_and_no_other() -> None:
    explained = re.findall(r"^### `([a-z0-9_]+)`", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.M)
    assert len(explained) == len(set(explained)), "a code is explained twice"
    assert set(explained) == set(CODES)
