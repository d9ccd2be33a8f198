"""The program: its commands, and what it leaves behind when something is wrong."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from allocator.cli.commands import LateGroup
from allocator.cli.show import show_problems
from allocator.errors import AllocatorError, FileError, InternalError, Problem

BAD_INPUT: Final = 2
INTERNAL: Final = 70
INTERRUPTED: Final = 130
READER_LEFT: Final = 141
"""As shells tell it of programs that write to a pipe that nobody reads."""

app = typer.Typer(
    name="allocator",
    cls=LateGroup,
    help="Decides which stock serves which demand, says why, and never loses count.",
    epilog="Start with: allocator demo · allocator policy list · allocator run --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"allocator {version('allocator')}\n")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """Decides which stock serves which demand, says why, and never loses count.

    Exit codes: 0 done (a shortage is a result) · 1 what a `--fail-…` option asked to fail on · 2 bad input, every
    problem shown · 70 a defect of this program · 130 interrupted.
    """


def program(args: Sequence[str]) -> int:
    """Runs one command and returns its exit code; whatever happens, people see no traceback."""
    as_json = "--json" in args
    try:
        try:
            app(list(args), prog_name="allocator")
        finally:
            sys.stdout.flush()  # what cannot be written shows here rather than when Python has ended
    except (SystemExit, BrokenPipeError) as left:
        return _code_of(left)
    except KeyboardInterrupt:
        return INTERRUPTED
    except AllocatorError as error:
        show_problems(error, as_json=as_json)
        return INTERNAL if isinstance(error, InternalError) else BAD_INPUT
    except OSError as error:
        problem = Problem("file_unwritable", f"the answer cannot be written: {error.strerror}", "stdout")
        show_problems(FileError(problem), as_json=False)
        return BAD_INPUT
    except BaseException as error:  # panics of polars are no Exception
        show_problems(_defect(error), as_json=as_json)
        return INTERNAL
    return 0


def _code_of(left: SystemExit | BrokenPipeError) -> int:
    """The exit code of a command that ended. Where nobody reads it, those who print may end it by their own codes."""
    cause: BaseException | None = left
    while cause is not None:
        if isinstance(cause, BrokenPipeError):
            return READER_LEFT
        cause = cause.__context__
    return left.code if isinstance(left, SystemExit) and isinstance(left.code, int) else 0


def _defect(error: BaseException) -> InternalError:
    """What nobody foresaw, with the place that a report needs."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
    message = f"{type(error).__name__}: {str(error).strip() or 'no message'}"
    hint = "Please report this line with the command that you gave. Nothing was written half"
    return InternalError(Problem("internal", message.splitlines()[0], "allocator", value=place, hint=hint))


def main() -> None:
    """The entry point of `allocator`."""
    # A stream that is closed takes nothing, and one that knows no box drawing shows what it can.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - open until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = program(sys.argv[1:])
    except (BrokenPipeError, SystemExit):  # nobody reads what is wrong either
        code = READER_LEFT
    if code == READER_LEFT:
        # `allocator … | head` ends quietly when head has seen enough. Not by the signal: it would end a page as well,
        # with all who look at it, when one of them closes it.
        silent = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silent, stream)
    sys.exit(code)
