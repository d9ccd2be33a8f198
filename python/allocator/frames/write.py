"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside the file and puts it in place at the end, so that nobody ever reads half of it.

    Args:
        path: The file; one that is there is replaced.
        write: Writes the content to the path that it is given.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
