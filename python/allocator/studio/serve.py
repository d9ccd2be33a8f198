"""Who shows the page: one process on this machine, to whom it tells the address."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from allocator.errors import FileError, InputError, Problem
from allocator.studio.desk import Tables

FROM_COMMAND_LINE: Final = "Tables of the command line"
GIVEN: Tables | None = None
"""What the page begins with instead of the demo; set once, before it is served."""

NEEDED: Final = {"marimo": "marimo", "uvicorn": "uvicorn", "altair": "altair", "vl_convert": "vl-convert-python"}
GRACE_SECONDS: Final = 1
LOCAL: Final = ("127.0.0.1", "localhost", "::1")


def check_installed() -> None:
    """Finds out whether the page can be shown.

    Raises:
        FileError: `extra_missing`.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        message, hint = "the page needs packages that are not installed", "pip install 'allocator[studio]'"
        raise FileError(Problem("extra_missing", message, "studio", value=", ".join(missing), hint=hint))


def serve(*, host: str, port: int, tables: Tables | None, ready: Callable[[str], object]) -> None:
    """Shows the page until it is interrupted.

    Args:
        host: The address to listen at. On any but this machine's own, the page asks for a token that its address has.
        port: The port; 0 for a free one.
        tables: What the page begins with; the demo's, or a sample, if None.
        ready: Is told the address once somebody can open it.

    Raises:
        FileError: `extra_missing`.
        InputError: `argument_value`: nothing can listen there.
    """
    check_installed()
    import marimo  # noqa: PLC0415 - an extra
    import uvicorn  # noqa: PLC0415

    global GIVEN  # noqa: PLW0603 - the page is a script, and reads what it begins with
    GIVEN = tables
    listening = _listening(host, port)
    token = None if host in LOCAL else secrets.token_urlsafe(16)
    root = str(Path(__file__).with_name("page.py"))
    builder = marimo.create_asgi_app(quiet=True, include_code=False, token=token or "")
    page = builder.with_app(path="", root=root).build()
    # Pages that are open keep a connection: who ends the program does not wait for people to close them.
    settings = uvicorn.Config(
        page, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = uvicorn.Server(settings)
    shown = f"http://{host}:{listening.getsockname()[1]}"
    ready(shown if token is None else f"{shown}/?access_token={token}")
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def leave() -> NoReturn:
    """Ends the program. Threads of pages that were closed wait for minutes whether somebody comes back; nobody does."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        message, hint = (
            f"nothing can listen there: {error.strerror or error}",
            "Give another --port, or 0 for a free one",
        )
        raise InputError(Problem("argument_value", message, column="--port", value=str(port), hint=hint)) from None
    return listening
