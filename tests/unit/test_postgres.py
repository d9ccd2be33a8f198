"""The server that the ledger is tested on: durable, private, and gone with the process that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import postgres

STARTER = f"""
import sys, time
sys.path.insert(0, {str(Path(postgres.__file__).parent)!r})
import postgres
with postgres.server() as running:
    print(running.folder, running.url(), flush=True)
    time.sleep(600)
"""


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_commit_is_on_disk_when_it_returns(postgres_url: str, setting: str) -> None:
    assert one(postgres_url, f"SHOW {setting}") == "on"


def test_it_listens_to_this_machine_only_and_asks_for_a_password(postgres_server: postgres.Server) -> None:
    assert one(postgres_server.url(), "SHOW listen_addresses") == "127.0.0.1"
    assert one(postgres_server.url(), "SHOW unix_socket_directories") == ""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres_server.url().replace(postgres_server.password, "guess"))


def test_a_database_is_a_copy_of_its_template(postgres_server: postgres.Server) -> None:
    template = postgres_server.create()
    with psycopg.connect(postgres_server.url(template)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    copy = postgres_server.create(template)
    assert one(postgres_server.url(copy), "SELECT number FROM kept") == 7
    postgres_server.drop(copy)
    postgres_server.drop(template)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_no_server_and_no_folder(postgres_server: postgres.Server, how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        folder, url = starter.stdout.readline().split()
        assert one(url, "SELECT 1") == 1
        starter.send_signal(how)
    deadline = time.monotonic() + 30
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_machine_without_postgresql_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(postgres.PostgresMissingError, match="apt install postgresql"), postgres.server():
        pass


@pytest.mark.parametrize("required, ends", [("", "1 skipped"), ("required", "1 error")])
def test_without_it_tests_skip_with_the_reason_but_fail_where_it_is_required(
    tmp_path: Path, required: str, ends: str
) -> None:
    tests = Path(postgres.__file__).parent
    hidden = f"\nfrom pathlib import Path; postgres.DEBIAN = Path({str(tmp_path)!r})"
    (tmp_path / "conftest.py").write_text((tests / "conftest.py").read_text() + hidden)
    (tmp_path / "test_stock.py").write_text("def test_stock(postgres_url): pass")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "/dev/null", "-rs", "-p", "no:cacheprovider", str(tmp_path)],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(tests), "ALLOCATOR_TEST_POSTGRES": required},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ends in done.stdout
    assert "apt install postgresql" in done.stdout
