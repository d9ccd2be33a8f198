"""Races the engine against its peers, in turns, in one run: `python benches/compare.py W2 1_000_000 --peers numba`.

Each contender is prepared in a process of its own and waits while another runs. Every round lets each of them run
once, a different one first each time, so that a busy moment of the machine falls on all alike. Reported are medians,
the ratio to the engine, the memory that a run needs beyond its input, and whether the result is the right one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import worlds

RACES = {
    "W1": ("spread", "w1"),
    "W2": ("spread", "w2"),
    "W3": ("spread", "w3"),
    "hot": ("hot_sku", "w2"),
    "hot-barred": ("hot_sku_barred", "w2"),
    "hot-lives": ("hot_sku_lives", "w2"),
    "orders": ("orders", "w3"),
    "wide": ("wide", "wide"),
}
"""A race is a world and the work to do in it. W1: FIFO. W2: FEFO with contracts, blocks and shelf life.
W3: W2 with whole orders or nothing. wide: W2 with twenty comparisons and a matrix of fifty contract types."""

PEERS = ("numba", "union", "numpy", "polars", "duckdb", "python", "join")
KNOWN = Path(__file__).with_name("digests.json")


@dataclass
class Result:
    """What one contender did."""

    name: str
    input_bytes: int = 0
    seconds: list[float] = field(default_factory=list)
    memory_mb: float = 0.0
    digest: str = ""
    allocations: int = 0
    units: int = 0
    correct: bool | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def main() -> int:
    options = arguments().parse_args()
    world, work = RACES[options.race]
    contenders = [*options.product, *options.peers]
    if not contenders:
        sys.exit("nobody runs: name --peers")
    results = race(world, work, options.rows, contenders, options.rounds)
    expected = known(options.race, options.rows)
    judge(results, expected)
    report = describe(options, results)
    console = Console(stderr=options.json)
    console.width = max(console.width, 120)
    console.print(table(options, results, expected))
    if options.json:
        print(json.dumps(report, indent=2))
    return 0 if all(result.correct is not False for result in results) else 1


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("race", choices=RACES, help="W1, W2, W3 or another world")
    parser.add_argument("rows", type=lambda text: int(float(text)), help="lots, and as many lines: 1_000_000 or 1e6")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["numba"])
    parser.add_argument(
        "--product",
        nargs="*",
        choices=("engine", "frames"),
        default=["engine"],
        help="the engine from encoded columns, and from polars frames with string ids; nothing after it: peers only",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="the report on stdout; the table goes to stderr")
    return parser


# --- the race ---


def race(world: str, work: str, rows: int, contenders: list[str], rounds: int) -> list[Result]:
    """Prepares everyone, one after the other; then runs them in turns; then asks for their results."""
    context = multiprocessing.get_context("spawn")
    lanes: list[tuple[Result, Connection]] = []
    processes = []
    try:
        for name in contenders:
            here, there = context.Pipe()
            process = context.Process(target=contend, args=(there, name, world, work, rows), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            lanes.append((Result(name), here))
            lanes[-1][0].input_bytes = ask(here, name, "ready")
        for turn in range(rounds):
            for result, lane in lanes[turn % len(lanes) :] + lanes[: turn % len(lanes)]:
                result.seconds.append(ask(lane, result.name, "run"))
        for result, lane in lanes:
            for key, value in ask(lane, result.name, "finish").items():
                setattr(result, key, value)
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return [result for result, _ in lanes]


def ask(lane: Connection, name: str, question: str) -> Any:
    try:
        lane.send(question)
        return lane.recv()
    except (EOFError, ConnectionError):
        sys.exit(f"{name} stopped before it could answer; its message is above")


def contend(lane: Connection, name: str, world: str, work: str, rows: int) -> None:
    """The life of one contender: prepare, run when told to, account for the last result."""
    tables = worlds.WORLDS[world](rows)
    input_bytes = sum(column.nbytes for table in tables for column in table.values())
    run, finish = contender(name, work, tables)
    out: Any = None
    before = forget_peak()
    while True:
        question = lane.recv()
        if question == "ready":
            lane.send(input_bytes)
        elif question == "run":
            out = None
            start = time.perf_counter()
            out = run()
            lane.send(time.perf_counter() - start)
        else:
            memory = peak_mb() - before
            digest, allocations, units = digest_of(*finish(out))
            lane.send({"memory_mb": memory, "digest": digest, "allocations": allocations, "units": units})


def contender(name: str, work: str, world: worlds.World) -> tuple[Any, Any]:
    """What to time, and what makes line ids, stock ids and quantities of its result."""
    if name == "frames":
        product = importlib.import_module("product")
        run = product.prepare_frames(work, *worlds.frames(world))
        return run, lambda out: (worlds.ids(out["line_id"]), worlds.ids(out["stock_id"]), out["qty"].to_numpy())
    module = importlib.import_module("product" if name == "engine" else f"peers.{name}")
    if work not in module.WORKS:
        sys.exit(f"{name} does not do {work}; it does {', '.join(module.WORKS)}")
    return module.prepare(work, world), getattr(module, "finish", tuple)


def digest_of(line: Any, stock: Any, qty: Any) -> tuple[str, int, int]:
    """Of the triples in the order of (line, stock), with how many there are and the units in them."""
    columns = [np.asarray(column, np.int64) for column in (line, stock, qty)]
    order = np.lexsort((columns[1], columns[0]))
    digest = hashlib.sha256()
    for column in columns:
        digest.update(column[order].tobytes())
    return digest.hexdigest()[:16], len(order), int(columns[2].sum())


# --- memory, as the kernel of Linux counts it ---


def forget_peak() -> float:
    """Resets the peak of this process, and returns what it holds now; where that cannot be asked, nothing."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("nan")
    return peak_mb()


def peak_mb() -> float:
    """The most that this process has held, in MB."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


# --- the report ---


def known(race_name: str, rows: int) -> str | None:
    """The digest of the right result, where independent implementations have agreed on it before."""
    digests: dict[str, dict[str, str]] = json.loads(KNOWN.read_text())
    return digests.get(race_name, {}).get(str(rows))


def judge(results: list[Result], expected: str | None) -> None:
    """Correct is the known result; without one, nobody is wrong as long as all agree."""
    digests = {result.digest for result in results}
    for result in results:
        if expected is not None:
            result.correct = result.digest == expected
        elif len(digests) > 1:
            result.correct = False


def describe(options: argparse.Namespace, results: list[Result]) -> dict[str, Any]:
    return {
        "race": options.race,
        "rows": options.rows,
        "rounds": options.rounds,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "results": [
            asdict(result) | {"median": result.median, "ratio": result.median / results[0].median} for result in results
        ],
    }


def table(options: argparse.Namespace, results: list[Result], expected: str | None) -> Table:
    shown = Table(title=f"{options.race}, {options.rows:,} lots and lines, {options.rounds} rounds in turns")
    shown.add_column("contender")
    for heading in ("median s", "fastest s", f"x {results[0].name}", "MB more", "allocations"):
        shown.add_column(heading, justify="right")
    shown.add_column("digest", no_wrap=True)
    shown.add_column("correct")
    for result in results:
        shown.add_row(
            result.name,
            f"{result.median:.3f}",
            f"{min(result.seconds):.3f}",
            f"{result.median / results[0].median:.2f}",
            f"{result.memory_mb:,.0f}",
            f"{result.allocations:,}",
            result.digest,
            {True: "yes", False: "NO", None: "all agree" if len(results) > 1 else "unknown"}[result.correct],
        )
    if expected is None:
        shown.caption = "no known digest for this size"
    return shown


if __name__ == "__main__":
    sys.exit(main())
