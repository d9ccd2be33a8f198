"""Changes of status, beside what people write for it today: a join, a look-up in numpy, a state machine."""

import numpy as np
import polars as pl
import pytest
from transitions import Machine, MachineError

from allocator.model.lifecycle import Lifecycle
from allocator.transitions import validate_transitions, verdict_codes

ROWS = 10_000_000
SERIAL = Lifecycle.load("serial")
STATUSES = list(SERIAL.state_of)
OPEN = {pair for pair, rule in SERIAL.rules.items() if not (rule.approval or rule.roles)}


@pytest.fixture(scope="module")
def codes():
    """Ten million changes between any two statuses, from a fixed seed."""
    random = np.random.default_rng(20260301)
    return pl.DataFrame({side: random.integers(0, len(STATUSES), ROWS).astype(np.uint8) for side in ("from", "to")})


@pytest.fixture(scope="module")
def named(codes):
    return codes.select(pl.all().cat.to(pl.Enum(STATUSES)))


@pytest.fixture(scope="module")
def open_pairs():
    """Which pairs need nothing: 10 by 10."""
    return np.array([[(start, end) in OPEN for end in STATUSES] for start in STATUSES])


@pytest.fixture(scope="module")
def truth(codes, open_pairs):
    return open_pairs[codes["from"].to_numpy(), codes["to"].to_numpy()]


def record(benchmark, correct, rows=ROWS):
    best = benchmark.stats.stats.min if benchmark.stats else float("nan")
    benchmark.extra_info |= {"rows": rows, "rows_per_s": rows / best, "correct": bool(correct)}
    assert correct


def test_codes_to_codes(benchmark, codes, truth):
    out = benchmark.pedantic(verdict_codes, (codes, SERIAL), rounds=15, warmup_rounds=1)
    record(benchmark, np.array_equal(out.to_numpy() == 0, truth))


def test_enum_frame_to_enum_frame(benchmark, named, truth):
    out = benchmark.pedantic(validate_transitions, (named, SERIAL), rounds=9, warmup_rounds=1)
    record(benchmark, np.array_equal(out["allowed"].to_numpy(), truth))


def test_codes_with_role_and_approval(benchmark, codes):
    random = np.random.default_rng(5)
    role = pl.Series("role", random.integers(0, 2, ROWS).astype(np.uint8))
    approval = pl.Series("approval", random.random(ROWS) < 0.5)
    frame = codes.with_columns(role, approval)
    out = benchmark.pedantic(verdict_codes, (frame, SERIAL), rounds=9, warmup_rounds=1)
    listed = np.array([[(start, end) in SERIAL.rules for end in STATUSES] for start in STATUSES])
    start, end = codes["from"].to_numpy(), codes["to"].to_numpy()
    manager = (start == STATUSES.index("Delivered")) & (end == STATUSES.index("Available"))
    approved = (start == STATUSES.index("Quarantine")) & (end == STATUSES.index("Available"))
    allowed = listed[start, end] & (~manager | (role.to_numpy() == 0)) & (~approved | approval.to_numpy())
    record(benchmark, np.array_equal(out.to_numpy() == 0, allowed))


def test_look_up_in_numpy(benchmark, codes, open_pairs, truth):
    start, end = codes["from"].to_numpy(), codes["to"].to_numpy()
    out = benchmark.pedantic(lambda: open_pairs[start, end], rounds=5, warmup_rounds=1)
    record(benchmark, np.array_equal(out, truth))


def test_join_in_polars(benchmark, named, truth):
    listed = pl.DataFrame(sorted(OPEN), schema=dict.fromkeys(("from", "to"), pl.Enum(STATUSES)), orient="row")
    listed = listed.with_columns(allowed=pl.lit(True))

    def join():
        return named.join(listed, on=["from", "to"], how="left", maintain_order="left")["allowed"].fill_null(False)

    out = benchmark.pedantic(join, rounds=3, warmup_rounds=1)
    record(benchmark, np.array_equal(out.to_numpy(), truth))


def test_state_machine_of_the_library_transitions(benchmark, codes, truth):
    rows = 5_000
    machine = Machine(states=STATUSES, initial=SERIAL.default, auto_transitions=False)
    for start, end in OPEN:
        machine.add_transition(f"to {end}", start, end)

    def one(start, end):
        machine.set_state(start)
        try:
            return machine.trigger(f"to {end}")
        except (MachineError, AttributeError):
            return False

    pairs = [(STATUSES[start], STATUSES[end]) for start, end in codes[:rows].rows()]
    out = benchmark.pedantic(lambda: [one(*pair) for pair in pairs], rounds=3)
    record(benchmark, out == truth[:rows].tolist(), rows)
