"""Files that commands write: whole or not at all, and never over what was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.cli.show import plain
from allocator.errors import FileError, Problem
from allocator.frames.write import whole

WRITERS: Final[Mapping[str, Callable[[pl.DataFrame, Path], object]]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path, mkdir=False),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".arrow": lambda frame, path: frame.write_ipc(path),
    ".ndjson": lambda frame, path: frame.write_ndjson(path),
}
"""By suffix."""


def check_target(path: Path, read: Sequence[Path | None]) -> None:
    """Refuses a file that nobody can write, or that was read, before the work is done.

    Raises:
        FileError: `file_format`, `file_unwritable`.
    """
    if path.suffix.lower() not in WRITERS:
        hint = f"Use {', '.join(WRITERS)}"
        raise FileError(Problem("file_format", "no such format is written", column="--out", value=str(path), hint=hint))
    _refuse_inputs([path], read)
    if not path.absolute().parent.is_dir():
        hint = "Make the folder first"
        problem = Problem("file_unwritable", "its folder does not exist", column="--out", value=str(path), hint=hint)
        raise FileError(problem)


def check_folder(folder: Path, names: Sequence[str], read: Sequence[Path | None]) -> None:
    """Makes the folder, and refuses it if the files to be written would replace what was read.

    Raises:
        FileError: `file_unwritable`.
    """
    _refuse_inputs([folder / name for name in names], read)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made: {error.strerror}"
        raise FileError(Problem("file_unwritable", message, column="--out", value=str(folder))) from None


def _refuse_inputs(targets: Sequence[Path], read: Sequence[Path | None]) -> None:
    inputs = {path.resolve() for path in read if path is not None}
    for target in targets:
        if target.resolve() in inputs:
            hint = "Write somewhere else"
            message = "this would replace a file that is read"
            raise FileError(Problem("file_unwritable", message, column="--out", value=str(target), hint=hint))


def save(frame: pl.DataFrame, path: Path) -> None:
    """Writes a frame in the format of the suffix.

    Raises:
        FileError: `file_unwritable`.
    """
    _whole(path, lambda part: WRITERS[path.suffix.lower()](frame, part))


def save_json(answer: object, path: Path) -> None:
    """Writes a record as JSON; errors as `save`."""
    text = json.dumps(plain(answer), indent=2, ensure_ascii=False) + "\n"
    _whole(path, lambda part: part.write_text(text, "utf-8"))


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    try:
        whole(path, write)
    except OSError as error:
        message = f"the file cannot be written: {error.strerror or error}"
        raise FileError(Problem("file_unwritable", message, column="--out", value=str(path))) from None
