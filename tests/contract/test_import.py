"""`import allocator` and `allocator --help` are light: what the engine runs on is loaded when it is first used."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import allocator

NEEDED = {
    "allocator",
    "annotated-types",
    "numpy",
    "polars",
    "polars-runtime-32",
    "pydantic",
    "pydantic_core",
    "PyYAML",
    "tomli_w",
    "typing-inspection",
    "typing_extensions",
}
ENGINE = NEEDED - {"allocator", "typing_extensions"}
"""What a program waits for when it first allocates, and not before."""


def distributions_loaded_by(code: str) -> set[str]:
    """What a fresh interpreter has loaded after `code`, by the names under which it was installed."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    installed = packages_distributions()
    packages = {module.split(".")[0] for module in json.loads(run.stderr)}
    return {name for package in packages for name in installed.get(package, [])}


def command_line(*args: str) -> str:
    """What runs the program in a fresh interpreter."""
    return f"from allocator.cli.app import program\nassert program({list(args)}) == 0"


def test_importing_the_package_loads_nothing_else() -> None:
    assert distributions_loaded_by("import allocator; dir(allocator); allocator.InputError") <= {"allocator"}


def test_the_first_allocation_loads_what_the_engine_runs_on_and_no_optional_dependency() -> None:
    loaded = distributions_loaded_by("from allocator import *")
    assert "polars" in loaded
    assert loaded <= NEEDED, "import it where it is used, not at the top"


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_the_program_says_what_it_can_do_without_loading_the_engine(asked: str) -> None:
    loaded = distributions_loaded_by(command_line(asked))
    assert "typer" in loaded
    assert not loaded & ENGINE, "import it where the command runs, not at the top"


def test_every_public_name_is_where_the_types_say() -> None:
    tree = ast.parse(Path(allocator.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    typed = {alias.name: node.module for node in imports for alias in node.names if node.module.startswith("allocator")}
    assert sorted(typed) == sorted(allocator.__all__) == sorted(allocator._HOMES)
    for name, module in typed.items():
        assert getattr(allocator, name) is getattr(import_module(module), name)
        assert name in dir(allocator)
        assert module == f"allocator.{allocator._HOMES[name]}"


def test_a_name_that_is_not_public_is_missed_like_any_other() -> None:
    with pytest.raises(AttributeError, match="no attribute 'alocate'"):
        allocator.alocate  # noqa: B018
