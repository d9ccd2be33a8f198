"""`import allocator` is light: it loads what the engine runs on and nothing that only some users need."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

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


def distributions_loaded_by(code: str) -> set[str]:
    """What a fresh interpreter has loaded after `code`, by the names under which it was installed."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    installed = packages_distributions()
    packages = {module.split(".")[0] for module in json.loads(run.stdout)}
    return {name for package in packages for name in installed.get(package, [])}


def test_importing_the_package_loads_no_optional_dependency() -> None:
    loaded = distributions_loaded_by("import allocator")
    assert "polars" in loaded
    assert loaded <= NEEDED, "import it where it is used, not at the top"
