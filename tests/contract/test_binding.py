"""The compiled module is small, frozen, described by its stub, and lets no panic through."""

import ast
import re
from pathlib import Path

import pytest

from allocator import _core

ROOT = Path(__file__).parents[2]
BINDING = sorted((ROOT / "rust" / "py" / "src").rglob("*.rs"))
STUB = ast.parse((ROOT / "python" / "allocator" / "_core.pyi").read_text(encoding="utf-8"))

# What every class of pyo3 has from `object`; a stub need not say it again.
INHERITED = {*dir(object), "__module__", "__weakref__", "__dict__"}


def is_protocol(node: ast.ClassDef) -> bool:
    """A name for the type checker alone, which the compiled module need not have."""
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def names(body: list[ast.stmt]) -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.ClassDef) and not is_protocol(node)):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def test_the_stub_lists_exactly_the_public_names_of_the_compiled_module() -> None:
    assert names(STUB.body) == {name for name in vars(_core) if not name.startswith("_")}


CLASSES = [node for node in STUB.body if isinstance(node, ast.ClassDef) and not is_protocol(node)]


@pytest.mark.parametrize("node", CLASSES, ids=lambda node: node.name)
def test_the_stub_lists_exactly_the_members_of_each_class(node: ast.ClassDef) -> None:
    compiled = set(vars(getattr(_core, node.name)))
    assert names(node.body) - {"__new__", "__init__"} == compiled - INHERITED - {"__doc__"}


@pytest.mark.parametrize("path", BINDING, ids=lambda path: path.name)
def test_every_class_is_frozen(path: Path) -> None:
    classes = re.findall(r"#\[pyclass(.*?)\]\s", path.read_text(encoding="utf-8"), re.S)
    assert all("frozen" in options for options in classes)


@pytest.mark.parametrize("path", BINDING, ids=lambda path: path.name)
def test_every_function_works_inside_the_guard_that_turns_panics_into_errors(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    functions = re.findall(r"#\[pyfunction.*?\bfn (\w+)(.*?)\n    ?\}", source, re.S)
    unguarded = [name for name, body in functions if "guard" not in body]
    assert not unguarded, f"{path.name}: {unguarded} would let a panic cross into Python"


def test_panics_unwind_so_that_the_guard_can_catch_them() -> None:
    assert not re.search(r'panic\s*=\s*"abort"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"))


def test_the_core_knows_no_python_and_no_unsafe_code() -> None:
    manifest = (ROOT / "rust" / "core" / "Cargo.toml").read_text(encoding="utf-8")
    assert "pyo3" not in manifest
    assert "#![forbid(unsafe_code)]" in (ROOT / "rust" / "core" / "src" / "lib.rs").read_text(encoding="utf-8")
