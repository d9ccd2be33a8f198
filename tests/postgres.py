"""A real PostgreSQL for one run of the tests: its own folder, a free port of this machine alone, nothing left behind.

The binaries are those of Debian's package `postgresql` (or whatever `initdb` is found on the path). Everything is
durable as in production: fsync and synchronous commits are on, because what the ledger promises rests on them.

The server ends with the process that started it, however that process ends: a small shell keeps it, reads a pipe that
only this process holds open, and stops the server and removes its folder when the pipe closes.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

DEBIAN = Path("/usr/lib/postgresql")
READY_SECONDS_MAX = 60
PORTS_TRIED_MAX = 5

# The server is stopped at once and not in peace: nobody reads its data again.
KEEPER = """
"$@" </dev/null &
read -r _
kill -QUIT $!
wait
rm -rf "$FOLDER"
"""
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "log_min_messages": "log",
    "timezone": "UTC",
}


class PostgresMissingError(Exception):
    """There is no PostgreSQL on this machine that could be started."""


class Server:
    """A running PostgreSQL and what it takes to reach it."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.folder = folder
        self.port = port
        self.password = password
        self._numbers = itertools.count(1)

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """Where a database is reached; through another port, if something stands between."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{port or self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """The name of a new database, empty or a copy of a template that nobody is connected to."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Removes a database, whoever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Runs one statement about databases, outside any transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def log(self) -> str:
        """What the server has said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def server() -> Iterator[Server]:
    """Starts a server and stops it again.

    Raises:
        PostgresMissingError: There are no binaries, or root has nobody to run them as.
    """
    programs, user = find_programs(), find_user()
    folder = Path(tempfile.mkdtemp(prefix="allocator-postgres-"))
    password = secrets.token_hex(16)
    try:
        if user is not None:
            shutil.chown(folder, user)
        initialise(programs, folder, user, password)
        for _ in range(PORTS_TRIED_MAX):
            running = Server(folder, free_port(), password)
            keeper = keep(programs, running, user)
            try:
                if wait_until_ready(running, keeper):
                    yield running
                    return
            finally:
                keeper.stdin.close()
                keeper.wait()
        raise AssertionError(f"PostgreSQL did not start:\n{running.log()}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path:
    """The folder of the newest server on this machine: Debian keeps every version in a folder of its own."""
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        raise PostgresMissingError("PostgreSQL is not installed (on Debian: apt install postgresql)")
    return Path(found).resolve().parent


def find_user() -> str | None:
    """Whom to run as: PostgreSQL refuses to run as root. None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise PostgresMissingError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def initialise(programs: Path, folder: Path, user: str | None, password: str) -> None:
    """Makes the data folder. Only who knows the password gets in: other people's programs reach the port, too."""
    secret = folder / "password"
    secret.write_text(password)
    if user is not None:
        shutil.chown(secret, user)
    options = ("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
    made = subprocess.run(
        [programs / "initdb", *options, "--pgdata", folder / "data", "--pwfile", secret],
        check=False,
        capture_output=True,
        text=True,
        **as_user(user, folder),
    )
    assert made.returncode == 0, made.stdout + made.stderr


def keep(programs: Path, running: Server, user: str | None) -> subprocess.Popen[bytes]:
    """Starts the server under the shell that stops it when its standard input closes."""
    settings = SETTINGS | {"port": str(running.port)}
    command = [str(programs / "postgres"), "-D", str(running.folder / "data")]
    with (running.folder / "log").open("ab") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", *command, *(f"--{name}={value}" for name, value in settings.items())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the tests; the server ends after them.
            start_new_session=True,
            **as_user(user, running.folder),
        )


def as_user(user: str | None, folder: Path) -> dict[str, object]:
    """How a process is started as another user, in a folder which that user may enter."""
    settings: dict[str, object] = {"cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C", "FOLDER": str(folder)}}
    if user is not None:
        settings |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": ()}
    return settings


def wait_until_ready(running: Server, keeper: subprocess.Popen[bytes]) -> bool:
    """Whether connections are taken; False when the server gave up, as when somebody took the port before it."""
    status = running.folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and keeper.poll() is None and "could not bind" not in running.log():
        if status.exists() and "ready" in status.read_text():
            return True
        time.sleep(0.02)
    return False


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
