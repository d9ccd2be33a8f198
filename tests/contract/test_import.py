"""`import allocator` is light: it loads what the engine runs on and nothing that only some users need."""

import json
import subprocess
import sys

NEEDED = {
    "allocator",
    "polars",
    "_polars_runtime_32",
    "numpy",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
    "yaml",
    "_yaml",
    "tomli_w",
}


def loaded_by(code: str) -> set[str]:
    """Top-level packages outside the standard library that a fresh interpreter holds after `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = {name.split(".")[0] for name in json.loads(run.stdout)}
    return modules - set(sys.stdlib_module_names) - {"__main__", "__mp_main__"}


def test_importing_the_package_loads_no_optional_dependency() -> None:
    loaded = loaded_by("import allocator") - loaded_by("")
    assert "allocator" in loaded
    assert not loaded - NEEDED, "import it where it is used, not at the top"
