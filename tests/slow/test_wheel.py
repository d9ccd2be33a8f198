"""The wheel, installed by a stranger: an empty environment, the pinned run-time dependencies, nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOCATION = """
import datetime as dt
import polars as pl
from allocator import Policy, allocate

stock = pl.DataFrame({
    "stock_id": ["new", "old"], "sku": ["BOARD", "BOARD"], "location": ["W1", "W1"], "qty_on_hand": [5, 3],
    "received_on": [dt.date(2026, 5, 1), dt.date(2026, 4, 1)],
})
demand = pl.DataFrame({"line_id": ["a"], "sku": ["BOARD"], "location": ["W1"], "qty": [4]})
result = allocate(stock, demand, Policy(stock_order="fifo"), as_of=dt.date(2026, 6, 30))
print(result.allocations.select("stock_id", "qty").rows())
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]} {command[1]}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and what it needs to run."""
    folder = tmp_path_factory.mktemp("wheel")
    tools = Path(sys.executable).parent
    run(tools / "maturin", "build", "--release", "--quiet", "--out", folder / "dist")
    (wheel,) = (folder / "dist").glob("allocator-*-abi3-*.whl")
    run(tools / "uv", "venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    install = (tools / "uv", "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "--requirement", ROOT / "requirements" / "run.txt")
    run(*install, "--no-deps", wheel)
    return python


def test_the_wheel_needs_nothing_but_its_pinned_dependencies(stranger: Path) -> None:
    run(Path(sys.executable).parent / "uv", "pip", "check", "--python", stranger)
    run(stranger, "-I", "-c", "import allocator")


def test_the_wheel_allocates_the_oldest_first(stranger: Path) -> None:
    assert run(stranger, "-I", "-c", ALLOCATION).strip() == "[('old', 3), ('new', 1)]"


def test_the_wheel_brings_its_presets_types_and_command(stranger: Path) -> None:
    files = run(
        *(stranger, "-I", "-c"),
        "import importlib.metadata as m; print(*m.files('allocator'), sep='\\n')",
    )
    assert "allocator/py.typed" in files
    assert "allocator/_core.pyi" in files
    assert "allocator/model/presets/policy/fefo.toml" in files
    assert (stranger.parent / "allocator").exists()
