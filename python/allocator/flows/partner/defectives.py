"""Defective parts come back for every part that was replaced, or are waived (SP-13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, placed, take
from allocator.flows.given import checked
from allocator.flows.partner.challans import REVERSE, reverse_goes_on
from allocator.flows.partner.indents import close_if_over, settings_site
from allocator.flows.partner.network import numbers
from allocator.flows.partner.shipments import in_json
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.ledger.documents import DocumentLine
from allocator.ledger.lines import Lines, number, read_lines, text
from allocator.ledger.selection import unit, units

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

BACK: Final[Mapping[str, Callable[[Any], Any]]] = {
    "line": number, "qty": read_qty, "sku": text, "serial": text, "lot": text, "note": text,
}  # fmt: skip
DUE_ONCE: Final = "A defective part is due once its replacement was consumed"
OUT: Final = ("consumed", "customer", "transit", "rental")
"""Kinds of account from which a part that is known can come back."""


@checked
def inward_defectives(
    ledger: Ledger, reverse: str, parts: Lines, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes defective parts in against a reverse challan: one for each part that was consumed (SP-13).

    A part that the ledger knows comes back from where it was used, with its history; another one is brought in.

    Args:
        ledger: The ledger.
        reverse: The number of the reverse challan.
        parts: One line per part: the `line` of the reverse challan that it is the counterpart of; its `serial`, or
            `qty` (1 if left out); `sku` and `lot` where it is another than what replaced it.
        person: A storekeeper of the site that gave the parts out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `due`: per line that lacks some, how many.

    Raises:
        InputError: `document_unknown`, `step_impossible`; `line_unknown`; `qty_out_of_range`: more than is due;
            `goods_unknown`: the unit is not out.
    """
    rows = read_lines(parts, ("line",), BACK, "parts")

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(reverse)
        lines = {line.n: line for line in doing.lines(reverse) if "for" not in line.details}
        due = {n: owed(line) for n, line in lines.items()}
        wanted = _all_wanted(doing, rows, lines, due)
        place = settings_site(doing, document).defective
        names = ("indent", "service_order", "challan")
        references = {name: document.details[name] for name in names if name in document.details}
        said = {"document": reverse, "document_kind": REVERSE.name, "details": in_json(references)}
        came: list[tuple[DocumentLine, int, int]] = []
        for back in (True, False):
            mine = [each for each in wanted if (each[2] is not None) == back]
            if mine:
                with doing.transaction("return" if back else "receive", **said) as heading:
                    for line, row, goods_id, qty in mine:
                        came += _taken_in(doing, heading, (line, row, goods_id, qty), place)
        with doing.transaction(document=reverse, document_kind=REVERSE.name):
            _recorded(doing, reverse, came)
            state = reverse_goes_on(doing, reverse, "inward")
            close_if_over(doing, document.details["indent"])
        return {"number": reverse, "state": state, "due": due_of(doing, reverse)}

    answer: dict[str, Any] = take(ledger, person, REVERSE, "inward", work, reverse, rows, key=key, note=note)
    return answer


def owed(line: DocumentLine) -> int:
    """How many defective parts are due on a line of a reverse challan."""
    said = line.details
    return int(said.get("defective_due", 0)) - int(said.get("defective_in", 0)) - int(said.get("waived", 0))


def due_of(doing: Doing, reverse: str) -> list[dict[str, Any]]:
    """The lines of a reverse challan on which defective parts are due."""
    told = []
    for line in doing.lines(reverse):
        if owed(line) > 0:
            sku = doing.book.catalog.sku(line.sku_id or 0)
            told.append({"line": line.n, "sku": sku.sku, "qty": quantity(owed(line), sku)})
    return told


_Wanted = tuple[DocumentLine, Mapping[str, Any], int | None, int]
"""The line that a defective part is the counterpart of, what is said of it, its goods if they are known, and steps."""


def _all_wanted(
    doing: Doing, rows: Sequence[Mapping[str, Any]], lines: Mapping[int, DocumentLine], due: dict[int, int]
) -> list[_Wanted]:
    """What every part is the counterpart of.

    Raises:
        InputError: Every problem of every part.
    """
    found: list[_Wanted] = []
    problems: list[Problem] = []
    for n, row in enumerate(rows):
        try:
            found.append(_wanted(doing, row, n, lines, due))
        except InputError as error:
            problems += placed(error, "parts", n)
    if problems:
        raise InputError(problems)
    return found


def _wanted(
    doing: Doing, row: Mapping[str, Any], n: int, lines: Mapping[int, DocumentLine], due: dict[int, int]
) -> _Wanted:
    line = lines.get(row["line"])
    if line is None:
        hint = f"There are {numbers(lines)}"
        raise InputError(Problem("line_unknown", "no such line", "parts", "line", n, str(row["line"]), hint))
    name = row.get("sku", doing.book.catalog.sku(line.sku_id or 0).sku)
    sku = doing.skus([name])[name]
    with all_problems() as part:
        with part():
            qty = units(row.get("qty", 1), sku, n)
            if qty > due[line.n]:
                message, hint = f"{due[line.n]} defective are due on line {line.n}", DUE_ONCE
                raise InputError(Problem("qty_out_of_range", message, "parts", "qty", n, str(row.get("qty", 1)), hint))
        with part():
            if sku.by_unit and "serial" not in row:
                raise InputError(Problem("tracking_mismatch", f"{name} is tracked by serial", "parts", "serial", n))
    due[line.n] -= qty
    goods_id = None
    if "serial" in row:
        doing.book.find_numbers([row["serial"]])
        scopes = (0, sku.sku_id)
        if any(scope in scopes for scope, _ in doing.book.numbers[row["serial"]]):
            named = {"serial": row["serial"], "sku": name}
            doing.book.load_goods(goods for _, goods in doing.book.numbers[row["serial"]])
            goods_id = unit(doing.book, named, n)
            kinds = {doing.book.catalog.accounts[a].kind for a in doing.book.accounts_of[goods_id]}
            if not kinds & set(OUT):
                message = "no unit of this number is out"
                raise InputError(Problem("goods_unknown", message, "parts", "serial", n, row["serial"]))
    return line, row, goods_id, qty


def _taken_in(doing: Doing, heading: Any, wanted: _Wanted, place: str) -> list[tuple[DocumentLine, int, int]]:  # noqa: ANN401
    """The part is defective stock: which line it is for, its goods, and steps."""
    line, row, goods_id, qty = wanted
    book = doing.book
    name = row.get("sku", book.catalog.sku(line.sku_id or 0).sku)
    if goods_id is not None:
        to = {"to_location": place, "to_status": "defective", "to_condition": "defective"}
        doing.post(heading, [{"serial": row["serial"], "sku": name, **to}])
        return [(line, goods_id, qty)]
    brought = {"sku": name, "location": place, "status": "defective", "condition": "defective"}
    brought |= {each: row[each] for each in ("serial", "lot") if each in row}
    if "serial" not in row:
        brought["qty"] = as_qty(qty, book.catalog.named(name))
    before = book.goods_last
    doing.post(heading, [brought], "brought")
    return [(line, made, qty) for made in range(before + 1, book.goods_last + 1)]


def _recorded(doing: Doing, reverse: str, came: Sequence[tuple[DocumentLine, int, int]]) -> None:
    """Each part is a line of its own, so that it is found by its goods, and counts on the line that it is for."""
    last = max(line.n for line in doing.lines(reverse))
    for n, (line, goods_id, qty) in enumerate(came, start=last + 1):
        doing.line(reverse, n, sku_id=doing.book.goods[goods_id].sku_id, goods_id=goods_id, qty=qty, progress=qty,
                   state="defective in", details={"for": line.n})  # fmt: skip
        (now,) = doing.lines(reverse, [line.n])
        doing.line(reverse, line.n, progress=now.progress + qty,
                   details={"defective_in": now.details.get("defective_in", 0) + qty})  # fmt: skip


@checked
def waive_defective(
    ledger: Ledger, reverse: str, line: int, person: Person, *, reason: str, key: str = ""
) -> dict[str, Any]:
    """Gives up the defective parts that are due on a line of a reverse challan, for a reason: a leak that is known.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `line_unknown`, `reason_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(reverse)
        with all_problems() as part:
            with part():
                check_reason(reason, "waiving")
            with part():
                found = _due_on(doing, reverse, line)
        with doing.transaction(document=reverse, document_kind=REVERSE.name):
            waived = found.details.get("waived", 0) + owed(found)
            doing.line(reverse, line, progress=found.progress + owed(found), details={"waived": waived})
            state = reverse_goes_on(doing, reverse, "waive")
            close_if_over(doing, document.details["indent"])
        return {"number": reverse, "state": state, "due": due_of(doing, reverse)}

    answer: dict[str, Any] = take(ledger, person, REVERSE, "waive", work, reverse, line, key=key, reason=reason)
    return answer


def _due_on(doing: Doing, reverse: str, line: int) -> DocumentLine:
    found = next((each for each in doing.lines(reverse, [line]) if owed(each) > 0), None)
    if found is None:
        due = [each.n for each in doing.lines(reverse) if owed(each) > 0]
        hint = f"Due on {numbers(due)}" if due else "Nothing is due on any line"
        raise InputError(Problem("line_unknown", "nothing defective is due on it", "", "line", None, str(line), hint))
    return found
