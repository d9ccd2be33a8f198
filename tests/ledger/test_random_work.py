"""Whatever people do in whatever order, both stores and the reference say the same, and `verify` is clean."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from allocator.errors import AllocatorError
from allocator.ledger import Ledger
from allocator.ledger.verify import canonical_dump, verify
from allocator.model.policy import Policy
from ledger.reference import Reference
from ledger_stores import TODAY

TODAY_NUMBER = TODAY.toordinal() - dt.date(1970, 1, 1).toordinal()
TRACKING = {"filter": "none", "oil": "lot", "gauge": "serial", "probe": "both"}
STATUSES = {"filter": {"available"}, "oil": {"available"}, "gauge": {"Available"}, "probe": {"Available"}}
NUMBERS = itertools.count(1)


def mostly(usual: st.SearchStrategy[Any], *odd: Any) -> st.SearchStrategy[Any]:
    """What makes sense nine times, then something that may not."""
    return st.integers(0, 9).flatmap(lambda n: usual if n else st.sampled_from(odd))


skus = st.sampled_from(["filter", "oil", "gauge", "probe", "filter"])
places = st.sampled_from(["A", "A/1", "B"])
holders = st.sampled_from(["van", "customer 7"])
lots = st.sampled_from(["K1", "K2"])
serials = st.sampled_from([f"S{n}" for n in range(1, 12)])
lines = st.sampled_from([f"L{n}" for n in range(1, 5)])
quantities = mostly(st.integers(1, 4), 0, -1, 2**63, 1.5, True, Decimal("0.5"), "3", None)
parts = st.sampled_from([None, 1, 1, 2, 3, 0])
days = st.sampled_from([TODAY - dt.timedelta(days=n) for n in (9, 4, 0, -1)])
reasons = st.sampled_from(["quality", "legal"])
statuses = st.sampled_from(["quarantine", "defective", "damaged", "available", "Available", "Quarantine", "Damaged",
                            "Under Service", "Recalled", "no such"])  # fmt: skip
origins = mostly(st.sampled_from(["supplier", "production", "found"]), "transfer", "moon")
keys = mostly(st.just(""), "k1", "k2", "k3")
said_mostly = mostly(st.just(True), False)
nths = st.integers(0, 30)
ways = st.sampled_from(["stock_id", "serial", "place"])
maybe = st.booleans()


class RandomWork(RuleBasedStateMachine):
    """The same steps on SQLite and PostgreSQL; each step's answer, and all that is stored after it, compared."""

    sqlite_url: str
    postgres_url: str

    def __init__(self) -> None:
        super().__init__()
        tenant = f"run {next(NUMBERS)}"
        self.ledgers = [Ledger.open(url, tenant=tenant) for url in (self.sqlite_url, self.postgres_url)]
        self.asked: dict[str, tuple[Callable[[Ledger], Any], Any]] = {}
        self.steps = 0

    def teardown(self) -> None:
        for ledger in self.ledgers:
            assert str(verify(ledger)).startswith("clean"), str(verify(ledger))
            ledger.close()

    @initialize()
    def set_up(self) -> None:
        rows = [{"sku": sku, "tracking": tracking, "scale": int(sku == "oil")} for sku, tracking in TRACKING.items()]
        stock = [{"sku": "filter", "qty": 6, "location": "A"}, {"sku": "oil", "lot": "K1", "qty": 3, "location": "B"},
                 *({"sku": "gauge", "serial": f"S{n}", "location": "A/1"} for n in (1, 2, 3)),
                 {"sku": "probe", "lot": "K1", "serial": "S1", "location": "B"}]  # fmt: skip
        for ledger in self.ledgers:
            ledger.define(rows, actor="ana")
            ledger.post("receive", stock, origin="supplier", document="GRN", actor="ana", day=TODAY)
        self.dump = canonical_dump(self.ledgers[0])
        self.reference = Reference(self.dump)

    def both(self, step: Callable[[Ledger], Any], key: str = "") -> Any:
        """Does a step on both stores; its answer, or what it was refused for."""
        outcomes = [_outcome(step, ledger) for ledger in self.ledgers]
        assert outcomes[0] == outcomes[1]
        dumps = [canonical_dump(ledger) for ledger in self.ledgers]
        assert dumps[0] == dumps[1]
        if isinstance(outcomes[0], Refusal):
            assert _without_requests(dumps[0]) == _without_requests(self.dump)
        self.before, self.dump, self.reference = self.reference, dumps[0], Reference(dumps[0])
        self.asked.setdefault(key, (step, outcomes[0]))
        self.steps += 1
        return outcomes[0]

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "reference"):
            return
        assert self.reference.wrong == []
        if self.steps % 5 == 4:
            assert verify(self.ledgers[self.steps % 2]).clean

    # --- what people do ---

    @rule(sku=skus, qty=quantities, location=places, lot=lots, serial=serials, received=days, expires=days | st.none(),
          origin=origins, said=said_mostly, key=keys)  # fmt: skip
    def receive(self, sku, qty, location, lot, serial, received, expires, origin, said, key):
        line = {"sku": sku, "location": location, "received_on": received, "expires_on": expires}
        if TRACKING[sku] in ("lot", "both"):
            line["lot"] = lot
        if TRACKING[sku] in ("serial", "both"):
            line |= {"serial": serial, "attributes": {"firmware": str(qty)}}
        else:
            line["qty"] = qty
        document = {"document": "GRN", "reason": "count", "note": "n"} if said else {}
        self.both(lambda led: led.post("receive", line, origin=origin, actor="ana", key=key, **document), key)

    @rule(wishes=st.lists(st.tuples(lines, skus, quantities), min_size=1, max_size=3),
          hold=st.sampled_from([None, None, 0.0, 3600.0]), key=keys)  # fmt: skip
    def reserve(self, wishes, hold, key):
        # A wish for another SKU is another line.
        rows = [{"line_id": f"{line} {sku} {qty}", "sku": sku, "qty": qty} for line, sku, qty in wishes]
        answer = self.both(lambda led: led.reserve(rows, actor="bob", as_of=TODAY, hold_s=hold, key=key), key)
        if not isinstance(answer, Refusal) and answer["seq"] == self.before.tables["txn"][-1]["seq"] + 1:
            first = min(range(len(rows)), key=lambda n: rows[n]["line_id"])
            self._gets_what_the_reference_says(rows[first], answer["lines"][first])

    @rule(line=lines, qty=quantities, ratio=st.sampled_from([2, 2, "1/2", "3/2", "1/10", 1]), key=keys)
    def reserve_oil_instead(self, line, qty, ratio, key):
        """Oil is counted to one decimal place, and filters whole."""
        policy = Policy.model_validate({"substitutes": [{"sku": "filter", "substitute": "oil", "ratio": ratio}]})
        row = {"line_id": f"{line} instead {qty}", "sku": "filter", "qty": qty}
        self.both(lambda led: led.reserve(row, policy, actor="bob", as_of=TODAY, key=key), key)

    def _gets_what_the_reference_says(self, row, told):
        line = next((each for each in self.before.tables["line"] if each["line_id"] == row["line_id"]), None)
        had = line["allocated"] + line["shipped"] if line else 0
        step = 10 if row["sku"] == "oil" else 1
        asked, got = (int(Decimal(told[name]) * step) for name in ("requested", "allocated"))
        wanted = self.before.promised(row["sku"], asked - had, TODAY_NUMBER, STATUSES[row["sku"]])
        assert sum(qty for *_, qty in wanted) == got
        goods = [each["stock_id"] >> 24 for each in told["allocations"]]
        assert goods == [number for number, *_ in wanted]

    @rule(kind=st.sampled_from(["release", "pick", "pick", "put_back", "ship", "consume", "scrap", "rent", "deliver"]),
          nth=nths, qty=parts, location=places | st.none(), said=said_mostly, key=keys)  # fmt: skip
    def fulfil(self, kind, nth, qty, location, said, key):
        open_ = [row["allocation_id"] for row in self.reference.tables["allocation"]] or [99]
        line = {"allocation_id": open_[nth % len(open_)], "qty": qty}
        if kind in ("ship", "rent", "deliver"):
            line["to_holder"] = "van"
        elif location and kind in ("pick", "put_back"):
            line["to_location"] = location
        said = {"document": "D", "reason": "broken"} if said else {}
        self.both(lambda led: led.post(kind, line, actor="pip", key=key, **said), key)

    @rule(kind=st.sampled_from(["move", "adjust", "change_status", "change_status", "change_owner", "scrap"]),
          nth=nths, by=ways, qty=parts, to=places, status=statuses, up=maybe, approved=maybe)  # fmt: skip
    def change(self, kind, nth, by, qty, to, status, up, approved):
        line = self._line(nth, by, qty) | {
            "move": {"to_location": to}, "change_status": {"to_status": status}, "change_owner": {"to_owner": "bank"},
            "adjust": {"event": "up"} if up else {},
        }.get(kind, {})  # fmt: skip
        said = {"document": "D", "reason": "count", "approved_by": "max" if approved else "", "role": "manager"}
        self.both(lambda led: led.post(kind, line, actor="ana", **said))

    @rule(kind=st.sampled_from(["block", "block", "unblock"]), nth=nths, by=ways, qty=parts, reason=reasons)
    def block(self, kind, nth, by, qty, reason):
        line = self._line(nth, by, qty)
        self.both(lambda led: led.post(kind, line, actor="ana", reason=reason))

    @rule(kind=st.sampled_from(["ship", "deliver", "return", "invoice", "credit", "rent", "consume"]), nth=nths,
          by=ways, qty=parts, to=places, holder=holders, on_line=maybe)  # fmt: skip
    def give_out_or_take_back(self, kind, nth, by, qty, to, holder, on_line):
        line = self._line(nth, by, qty)
        if kind in ("ship", "deliver", "rent"):
            line["to_holder"] = holder
        elif kind in ("return", "credit"):
            line["to_location"] = to
            shipped = [row["line_id"] for row in self.reference.tables["line"] if row["shipped"]]
            if shipped and on_line:
                line["line_id"] = shipped[nth % len(shipped)]
        self.both(lambda led: led.post(kind, line, actor="ana", document="D", role="manager"))

    def _line(self, nth: int, by: str, qty: int | None) -> dict[str, Any]:
        """Some goods that are somewhere, named in one of the ways in which people name them."""
        rows = self.reference.tables["balance"]
        if not rows:
            return {"stock_id": 1, "qty": qty}
        row = rows[nth % len(rows)]
        goods, account = self.reference.goods[row["goods_id"]], self.reference.accounts[row["account_id"]]
        sku = next(name for name, each in self.reference.skus.items() if each["sku_id"] == goods["sku_id"])
        if by == "serial" and goods["serial"]:
            return {"serial": goods["serial"], "sku": sku}
        if by == "place" and account["location"] and not goods["serial"]:
            return {"sku": sku, "location": account["location"], "status": account["status"], "qty": qty}
        return {"stock_id": row["goods_id"] << 24 | row["account_id"], "qty": qty}

    @rule(nth=nths, new=serials)
    def renumber(self, nth, new):
        line = self._line(nth, "serial", None)
        if "serial" in line:
            line["new_serial"] = new
            self.both(lambda led: led.post("renumber", line, actor="ana", reason="label lost"))

    @rule(serial=serials, value=mostly(st.sampled_from(["1", "2", "é", "e\u0301"]), "a\0b", ""))
    def note(self, serial, value):
        self.both(lambda led: led.post("note", {"serial": serial, "attributes": {"firmware": value}}, actor="ana"))

    @rule(back=st.integers(0, 6))
    def reverse(self, back):
        seq = len(self.reference.types) - back
        self.both(lambda led: led.reverse(seq, actor="ana", reason="entry error"))

    @rule(serial=serials, sku=st.sampled_from(["filter", "filtre", "", "gauge"]), qty=quantities)
    def post_several_lines_of_which_some_are_wrong(self, serial, sku, qty):
        rows = [{"sku": "filter", "qty": 1, "location": "A", "to_location": "B"}, {"sku": sku, "qty": qty},
                {"serial": serial, "to_location": "A"}]  # fmt: skip
        self.both(lambda led: led.post("move", rows, actor="ana"))

    @rule(key=st.sampled_from(["k1", "k2", "k3"]))
    def send_again(self, key):
        if key in self.asked:
            step, told = self.asked[key]
            known = _outcome(lambda led: led.outcome(key), self.ledgers[0])
            # What makes no sense is not even sent: nobody remembers its key.
            assert known == told or (known is None and isinstance(told, Refusal))
            before = self.dump
            assert self.both(step, key) == told
            assert self.dump == before


class Refusal(list[tuple[str, str, str, int | None]]):
    """Why something was refused: code, table, column and row of each problem."""


def _outcome(step: Callable[[Ledger], Any], ledger: Ledger) -> Any:
    try:
        return json.loads(json.dumps(step(ledger), default=str))
    except AllocatorError as error:
        return Refusal((p.code, p.table, p.column, p.row) for p in error.problems)


def _without_requests(dump: str) -> str:
    return dump[: dump.index("# request")]


@pytest.fixture
def machine(tmp_path, postgres_url) -> Iterator[type[RandomWork]]:
    class Machine(RandomWork):
        sqlite_url = f"sqlite:///{tmp_path / 'stock.db'}"

    Machine.postgres_url = postgres_url
    yield Machine


def _run(machine: type[RandomWork], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True,
                          suppress_health_check=list(HealthCheck), print_blob=False, database=None,
                          phases=[Phase.generate]),
    )  # fmt: skip


def test_a_random_week_is_the_same_on_both_stores_and_by_the_reference(machine: type[RandomWork]) -> None:
    _run(machine, examples=6, steps=30)


@pytest.mark.slow
def test_random_years_are_the_same_on_both_stores_and_by_the_reference(machine: type[RandomWork]) -> None:
    _run(machine, examples=300, steps=60)
