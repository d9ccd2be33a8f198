"""What no file of the project may say."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Registries are the user's own setting. Cargo.lock names crates.io because cargo writes it so.
REGISTRY = re.compile(r"\b(files\.pythonhosted|pypi\.(org|python)|index\.crates|static\.crates|registry\.npmjs)\b")
MACHINE = re.compile(r"(?<![\w.~-])/(home|root|Users|opt|work|tmp|mnt)/\w")


def sources() -> list[Path]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def matches(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in sources():
        if path == Path(__file__):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, start=1) if pattern.search(line)]
    return found


def test_no_file_names_a_package_registry() -> None:
    assert not matches(REGISTRY)


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert not matches(MACHINE)


def test_every_pinned_dependency_carries_hashes() -> None:
    for pins in (*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "tests" / "slow" / "pyspark.txt"):
        text = pins.read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[a-z0-9])", text)
        assert all("--hash=sha256:" in block for block in blocks if "==" in block), pins.name


def test_python_dependencies_are_locked_without_addresses() -> None:
    assert not (ROOT / "uv.lock").exists()
    assert not [pins.name for pins in (ROOT / "requirements").iterdir() if "://" in pins.read_text(encoding="utf-8")]
