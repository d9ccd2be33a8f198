"""The command line as a process: streams that are closed, full or no terminal, and signals."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DAY = ("--as-of", "2026-06-30")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with stock and demand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stock.csv").write_text("stock_id,sku,qty_on_hand\nA,X,10\n")
    (tmp_path / "demand.csv").write_text("line_id,sku,qty\nL1,X,12\n")


def allocator(*args: str, before: str = "", **settings: object) -> subprocess.Popen[str]:
    """The program as a shell starts it."""
    script = f"from allocator.cli import main\n{before}\nmain()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | settings
    return subprocess.Popen([sys.executable, "-c", script, *args], **pipes)


def test_the_version_is_the_one_of_the_package() -> None:
    out, err = allocator("--version").communicate(timeout=60)
    assert out.startswith("allocator 0.")
    assert err == ""


def test_a_closed_stream_takes_nothing_and_harms_nothing() -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -c 'from allocator.cli import main; main()' policy schema >&-"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (shell.returncode, shell.stderr) == (0, "")


def test_without_a_terminal_there_are_no_colours_and_no_progress() -> None:
    out, err = allocator("run", "stock.csv", "demand.csv", *DAY).communicate(timeout=60)
    assert "\x1b" not in out
    assert err == ""


@pytest.mark.parametrize(
    "command",
    [("policy", "schema"), ("policy", "list"), ("--version",), ("--help",), ("run", "stock.csv", "demand.csv", *DAY)],
    ids=lambda command: command[0],
)
def test_a_reader_who_has_seen_enough_ends_it_quietly(command: tuple[str, ...]) -> None:
    running = allocator(*command)
    with running.stdout, running.stderr:
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.wait(timeout=60) == 141


def test_it_ends_too_when_nobody_reads_what_is_wrong() -> None:
    running = allocator("run", "nowhere.csv", "demand.csv", *DAY)
    with running.stdout, running.stderr:
        running.stderr.close()
        assert running.stdout.read() == ""
    assert running.wait(timeout=60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_in_one_sentence() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        running = allocator("policy", "schema", stdout=full)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "cannot be written" in err
    assert "Traceback" not in err


def test_ctrl_c_ends_a_long_run_with_its_code() -> None:
    running = allocator("bench", "--rows", "2000000", before="print('begins', flush=True)")
    assert running.stdout.readline() == "begins\n"
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in err
