"""Imports point one way, Rust has one door into Python, and pydantic stays where people speak."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python" / "allocator"

# From the bottom up. A module imports its own layer and the layers below it, nothing above.
LAYERS = (
    ("errors",),
    ("model",),
    ("frames",),
    ("plan",),
    ("engine", "explain"),
    ("result", "transitions", "limits", "numbers", "papers"),
    ("prepared",),
    ("ledger", "scenario", "fairness", "reallocation", "optimum"),
    ("flows",),
    ("service", "studio", "cluster", "demo", "cli"),
    ("__init__", "__main__"),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """`allocator.model.policy` lies in `model`; the package itself is `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file, relative imports spelled out."""
    found: set[str] = set()
    own = name_of(path).split(".")
    package = own if path.stem == "__init__" else own[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # `from allocator import engine` imports allocator.engine, not the package alone.
            found |= {f"{origin}.{alias.name}" for alias in node.names} if origin == "allocator" else {origin}
    return found


IMPORTS = {name_of(path): imports_of(path) for path in sorted(PACKAGE.rglob("*.py"))}


def importers_of(package: str) -> set[str]:
    return {m for m, names in IMPORTS.items() if any(n == package or n.startswith(f"{package}.") for n in names)}


@pytest.mark.parametrize("module", IMPORTS)
def test_a_module_imports_only_its_own_layer_and_those_below(module: str) -> None:
    own = layer_of(module)
    assert own in HEIGHT, f"allocator.{own} has no place among the layers of this test: give it one"
    ours = {name for name in IMPORTS[module] if name.startswith("allocator.") and layer_of(name) != "_core"}
    upward = {name for name in ours if HEIGHT.get(layer_of(name), HEIGHT["__init__"]) > HEIGHT[own]}
    assert not upward, f"{module} reaches up to {sorted(upward)}"


def test_the_engine_alone_imports_the_compiled_module() -> None:
    assert importers_of("allocator._core") <= {"allocator.engine"}


def test_pydantic_is_for_what_people_say_and_never_for_rows() -> None:
    strangers = {name for name in importers_of("pydantic") if layer_of(name) != "model"}
    assert not strangers, f"pydantic belongs in allocator.model, not in {sorted(strangers)}"
