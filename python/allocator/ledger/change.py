"""What each line of a transaction does: which goods go from which account to which, and what that does to promises."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from allocator.errors import AllocatorError, InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.identity import check_number_free, mark, tell, told_of
from allocator.ledger.lines import COLUMNS, day
from allocator.ledger.numbering import Numbered, numbered, spelled_as
from allocator.ledger.receipts import receive
from allocator.ledger.records import Account, Heading, Movement, day_of, moment_of
from allocator.ledger.rules import check_status, missing
from allocator.ledger.selection import Share, key_of, load, select, unit, units
from allocator.ledger.sums import Sums
from allocator.ledger.types import ORIGINS, TOLD, TYPES, Type

HELD: Final = "held"
PICKED: Final = "picked"
RESERVED: Final = "reserved"


class Step(NamedTuple):
    """One line of a transaction that is being made."""

    book: Book
    heading: Heading
    kind: Type
    line: Mapping[str, Any]
    row: int
    origin: str
    targets: dict[Hashable, tuple[int, Account]]
    sums: Sums


def post(book: Book, heading: Heading, lines: Sequence[Mapping[str, Any]], origin: str = "") -> int:
    """Adds one transaction to the book, whole or not at all; its number.

    Raises:
        InputError: Every problem of every line.
    """
    kind = TYPES[heading.type]
    problems = [*missing(heading, kind, origin), *_in_vain(kind, origin, lines)]
    load(book, lines, new=heading.type == "receive" and origin != "transfer")
    with book.transaction(heading) as seq:
        act = _ACTS.get(heading.type, _transfer)
        rows: Sequence[Numbered] = list(enumerate(lines))
        targets: dict[Hashable, tuple[int, Account]] = {}
        sums = Sums(book)
        if heading.type == "receive" and origin != "transfer":
            rows = numbered(book, heading.day, rows, problems)
        problems += _given_twice(book, kind, lines)
        _load_promises(book, lines)
        for row, line in rows:
            try:
                act(Step(book, heading, kind, line, row, origin, targets, sums))
            except AllocatorError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
    return seq


def _in_vain(kind: Type, origin: str, lines: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """What lines say of goods that this type does not record: who says so believes that it does."""
    # What comes from a transfer keeps what it was received with.
    vain = TOLD.difference(() if origin == "transfer" else kind.tells)
    for row, line in enumerate(lines):
        for name in sorted(vain.intersection(line)):
            told_by = " or ".join(each.name for each in TYPES.values() if name in each.tells)
            message, value = f"{kind.name} does not record this", line[name]
            shown = str(day_of(value) if COLUMNS[name] is day else value)[:80]
            hint = f"Leave it out, or tell it by {told_by}"
            yield Problem("setting_conflict", message, "lines", name, row, shown, hint)


def _load_promises(book: Book, lines: Sequence[Mapping[str, Any]]) -> None:
    """Reads what the goods are promised to that lines name: thousands would be asked about one by one."""
    named = {goods_id for line in lines for _, goods_id in book.numbers.get(line.get("serial", ""), ())}
    named |= {key_of(line["stock_id"])[0] for line in lines if "stock_id" in line}
    book.load_promises(
        goods_id
        for goods_id in named & book.goods.keys()
        if any(book.balance(goods_id, account_id).reserved for account_id in book.accounts_of[goods_id])
    )


def _given_twice(book: Book, kind: Type, lines: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Units that two lines of one transaction move, whichever of their numbers these name."""
    problems, seen = [], set()
    for row, line in enumerate(lines) if kind.takes else ():
        goods = frozenset(goods_id for _, goods_id in book.numbers.get(line.get("serial", ""), ()))
        if goods and (goods, line.get("sku")) in seen:
            message = "another line moves this unit already"
            problems.append(Problem("serial_duplicate", message, "lines", "serial", row, line["serial"]))
        seen.add((goods, line.get("sku")))
    return problems


def target(step: Step, share: Share) -> Account:
    """The account that a share goes to."""
    book, heading, kind, line, row = step.book, step.heading, step.kind, step.line, step.row
    unfit = [name for name in line if name.startswith("to_") and name not in kind.sets]
    if unfit:
        problems = [
            Problem("setting_conflict", f"{kind.name} does not change this", "lines", name, row, str(line[name])[:80])
            for name in unfit
        ]
        raise InputError(problems)
    before = book.catalog.accounts[share.account_id]
    sku = book.catalog.sku(book.goods[share.goods_id].sku_id)
    status = line.get("to_status") or (book.catalog.next_status(sku, kind.event, before.status) if kind.event else None)
    check_status(book, sku, (before.status, status or before.status), heading, row)
    after = before._replace(
        kind=kind.gives or before.kind,
        location=line.get("to_location", before.location),
        status=status or before.status,
        condition=line.get("to_condition", before.condition),
        owner=line.get("to_owner", before.owner),
        holder=line.get("to_holder", before.holder),
    )
    return _settled(kind, before, after, row)


def _settled(kind: Type, before: Account, after: Account, row: int) -> Account:
    """What follows from the kind of the account."""
    if after.kind == "stock" and before.kind != "stock":
        after = after._replace(holder="")
        if not after.location or (before.kind != "transit" and after.location == before.location):
            raise InputError(Problem("value_null", f"{kind.name} needs the place", "lines", "to_location", row))
    if kind.name == "credit":
        after = after._replace(owner="")
    if kind.name in ("invoice", "sell"):
        after = after._replace(owner=after.owner or after.holder)
    if after.kind in ("customer", "rental") and not after.holder:
        raise InputError(Problem("value_null", f"{kind.name} needs the customer", "lines", "to_holder", row))
    if after.kind in ("customer", "rental", "consumed", "scrap", "lost") and before.kind != after.kind:
        after = after._replace(location="" if after.kind != "lost" else after.location)
    return after


def _went(step: Step, share: Share) -> tuple[int, Account]:
    """The account that a share goes to, and its number: thousands of lines go from one to another."""
    said = tuple([named for named in step.line.items() if named[0].startswith("to_")])
    key = (share.account_id, step.book.goods[share.goods_id].sku_id, said)
    if key not in step.targets:
        account = target(step, share)
        step.targets[key] = (step.book.account(account), account)
    return step.targets[key]


# --- acts ---


def _transfer(step: Step) -> None:
    """Goods go from one account to another; a promise ends when they leave the stock, and goes along within it."""
    book, kind, line, row = step.book, step.kind, step.line, step.row
    # What stays in stock may be promised: the promise goes along.
    stays = kind.gives is None and "qty" not in line and not {"serial", "stock_id"}.isdisjoint(line)
    shares = whole(book, line, row) if stays else []
    for share in shares or select(book, line, row, kind.takes, blocked=kind.blocked):
        to_id, account = _went(step, share)
        if to_id == share.account_id:
            message = f"{kind.name} would change nothing"
            raise InputError(Problem("setting_conflict", message, "lines", row=row, hint="Say what changes: to_…"))
        line_id = _count_return(step, share)
        give(book, share, to_id, keep=account.kind == "stock", line_id=line_id)


def give(book: Book, share: Share, to_id: int, *, keep: bool, stage: str | None = None, line_id: str = "") -> None:
    """Moves a share; what it was promised by goes along, or is fulfilled."""
    promise = share.allocation
    moves = share.account_id != to_id
    if promise is None:
        if moves:
            book.move(Movement(share.goods_id, share.account_id, to_id, share.qty, line_id=line_id))
        return
    number = promise.allocation_id
    qty = share.qty
    counted = book.exchanges.counted(promise.line_id, share.goods_id, qty)
    if keep and qty < promise.qty:
        # A part goes another way: it becomes an allocation of its own.
        number = book.next_allocation()
        book.put_allocation(promise._replace(qty=promise.qty - qty))
        book.put_allocation(
            promise._replace(allocation_id=number, qty=qty, account_id=to_id, stage=stage or promise.stage)
        )
    elif keep:
        book.put_allocation(promise._replace(account_id=to_id, stage=stage or promise.stage))
    else:
        if promise.stage == HELD:
            message, hint = "it is only held", "Confirm the hold first, or reserve without one"
            raise InputError(Problem("hold_open", message, "lines", "allocation_id", value=str(number), hint=hint))
        book.put_allocation(promise._replace(qty=promise.qty - qty))
        line = book.lines[promise.line_id]
        assert line is not None
        book.put_line(line._replace(allocated=line.allocated - counted, shipped=line.shipped + counted))
    moved = qty if moves else 0
    book.move(
        Movement(share.goods_id, share.account_id, to_id, moved, qty, qty if keep else 0, number, promise.line_id)
    )


def _count_return(step: Step, share: Share) -> str:
    """A return on a demand line; the line's id."""
    book, kind, line, row = step.book, step.kind, step.line, step.row
    if kind.name not in ("return", "credit") or "line_id" not in line:
        return ""
    demand = book.lines.get(line["line_id"])
    if demand is None:
        raise InputError(
            Problem("line_unknown", "there is no such demand line", "lines", "line_id", row, line["line_id"])
        )
    counted = book.exchanges.returned(demand, share.goods_id, share.qty, row)
    book.put_line(demand._replace(returned=demand.returned + counted))
    return demand.line_id


def _receive(step: Step) -> None:
    if step.origin == "transfer":
        return _transfer(step)
    if step.origin in ORIGINS:
        receive(step.book, step.heading, step.line, step.row, step.origin, sums=step.sums)
    return None


def _adjust(step: Step) -> None:
    """Up with `event` = 'up': found again, or more than was on record. Down otherwise: less than was on record."""
    book, line, row = step.book, step.line, step.row
    if line.get("event") != "up":
        return _transfer(step)
    if "serial" in line:
        goods_id = unit(book, line, row)
        lost = [a for a in book.accounts_of[goods_id] if book.catalog.accounts[a].kind == "lost"]
        if not lost:
            raise InputError(Problem("goods_unknown", "the unit is not lost", "lines", "serial", row, line["serial"]))
        before = book.catalog.accounts[lost[0]]
        after = before._replace(kind="stock", location=line.get("location", before.location))
        return book.move(Movement(goods_id, lost[0], book.account(after), 1))
    keys = select(book, {k: v for k, v in line.items() if k != "qty"}, row, ("stock",), blocked=True)
    goods = book.goods[keys[0].goods_id]
    if goods.serial:
        hint = "Receive another unit under its own serial; a lost one that was found is named by its serial"
        value = book.serial_of(goods.goods_id)
        raise InputError(Problem("serial_quantity", "a serial is one unit, and it is there", "lines", row=row,
                                 value=value, hint=hint))  # fmt: skip
    sku = book.catalog.sku(goods.sku_id)
    if "qty" not in line:
        raise InputError(Problem("value_null", "a line needs the quantity", "lines", "qty", row))
    found = book.account(Account("found"))
    qty = units(line["qty"], sku, row)
    step.sums.add(sku, qty, row)
    return book.move(Movement(keys[0].goods_id, found, keys[0].account_id, qty))


def _block(step: Step) -> None:
    """Adds the reason to those for which the goods are blocked; a promise stays on them, and is flagged by it."""
    book, heading, kind, line, row = step.book, step.heading, step.kind, step.line, step.row
    lifting = kind.name == "unblock"
    if "+" in heading.reason:
        message, hint = "a block is for one reason, without '+' in it", "Block once for each reason"
        raise InputError(Problem("setting_value", message, column="reason", value=heading.reason[:80], hint=hint))
    named = "qty" not in line and not {"serial", "stock_id"}.isdisjoint(line)
    shares = whole(book, line, row) if named else []
    for share in shares or select(book, line, row, ("stock",), blocked=True):
        before = book.catalog.accounts[share.account_id]
        reasons = set(filter(None, before.blocks.split("+")))
        if lifting != (heading.reason in reasons):
            state = f"blocked for {before.blocks}" if reasons else "not blocked"
            message = f"it is {state}, and cannot be {kind.name}ed for {heading.reason}"
            hint = "Lift the reason that it is blocked for" if lifting else "It is blocked as it should be"
            raise InputError(Problem("setting_conflict", message, "lines", row=row, hint=hint))
        reasons ^= {heading.reason}
        give(book, share, book.account(before._replace(blocks="+".join(sorted(reasons)))), keep=True)


def whole(book: Book, line: Mapping[str, Any], row: int) -> list[Share]:
    """All of a unit or a stock row that is in stock, each promise of it a share of its own; none if it is elsewhere."""
    if "serial" in line:
        goods_id = unit(book, line, row)
        keys = [(goods_id, account_id) for account_id in sorted(book.accounts_of[goods_id])]
    else:
        keys = [key_of(line["stock_id"])]
    shares = []
    for key in keys:
        balance = book.balance(*key)
        if not balance.qty or book.catalog.accounts[key[1]].kind != "stock":
            continue
        numbers = book.promises(*key) if balance.reserved else ()
        promised = [promise for number in numbers if (promise := book.allocations[number])]
        shares += [Share(*key, promise.qty, promise) for promise in promised]
        if balance.qty > balance.reserved:
            shares.append(Share(*key, balance.qty - balance.reserved))
    return shares


def _release(step: Step) -> None:
    """Takes a promise back, whole or in part."""
    book, line, row = step.book, step.line, step.row
    share = _promised(book, line, row)
    if share.allocation is not None and share.allocation.stage == PICKED:
        message, hint = "the allocation is picked, and cannot be released", "Put it back first: put_back"
        raise InputError(Problem("transition_unlisted", message, "lines", "allocation_id", row, hint=hint))
    account = target(step, share)
    close(book, share, book.account(account))


def close(book: Book, share: Share, to_id: int) -> None:
    """Ends a promise without giving anything out."""
    promise = share.allocation
    assert promise is not None
    book.put_allocation(promise._replace(qty=promise.qty - share.qty))
    line = book.lines[promise.line_id]
    assert line is not None
    counted = book.exchanges.counted(promise.line_id, share.goods_id, share.qty)
    book.put_line(line._replace(allocated=line.allocated - counted))
    moved = share.qty if share.account_id != to_id else 0
    book.move(
        Movement(share.goods_id, share.account_id, to_id, moved, share.qty, 0, promise.allocation_id, promise.line_id)
    )


def _confirm(step: Step) -> None:
    """A hold becomes a promise without end, whole, before its time is over."""
    book, line, row = step.book, step.line, step.row
    share = _promised(book, line, row)
    promise = share.allocation
    assert promise is not None
    state = "" if promise.stage == HELD else f"the allocation is {promise.stage}: it was confirmed already"
    if promise.expires_at is not None and promise.expires_at <= book.now():
        state = f"its time was over at {moment_of(promise.expires_at):%Y-%m-%d %H:%M:%S} UTC"
    if state:
        hint = "Reserve again" if promise.stage == HELD else ""
        raise InputError(Problem("hold_over", state, "lines", "allocation_id", row, str(promise.allocation_id), hint))
    if why := book.catalog.accounts[share.account_id].blocks:
        hint = "Lift the block, or release the hold and reserve other goods"
        raise InputError(Problem("blocks_held", f"it is blocked: {why}", "lines", row=row, hint=hint))
    if share.qty < promise.qty:
        raise InputError(Problem("setting_conflict", "a hold is confirmed whole", "lines", "qty", row))
    give(book, share, share.account_id, keep=True, stage=RESERVED)
    book.put_allocation(promise._replace(stage=RESERVED, expires_at=None))


def _pick(step: Step) -> None:
    """Promised goods are taken from their place, or put back there."""
    book, kind, line, row = step.book, step.kind, step.line, step.row
    share = _promised(book, line, row)
    before, after = (RESERVED, PICKED) if kind.name == "pick" else (PICKED, RESERVED)
    assert share.allocation is not None
    if share.allocation.stage != before:
        message = f"the allocation is {share.allocation.stage}, and cannot be {kind.name.replace('_', ' ')}"
        raise InputError(Problem("transition_unlisted", message, "lines", "allocation_id", row))
    if not kind.blocked and (why := book.catalog.accounts[share.account_id].blocks):
        raise InputError(Problem("blocks_held", f"it is blocked: {why}", "lines", row=row, hint="Lift the block first"))
    account = target(step, share)
    give(book, share, book.account(account), keep=True, stage=after)


def _promised(book: Book, line: Mapping[str, Any], row: int) -> Share:
    if "allocation_id" not in line:
        raise InputError(Problem("value_null", "a line needs allocation_id", "lines", "allocation_id", row))
    return select(book, line, row, ("stock",), blocked=True)[0]


def _renumber(step: Step) -> None:
    """A unit gets another number; the old one keeps finding it."""
    book, line, row = step.book, step.line, step.row
    absent = [name for name in ("serial", "new_serial") if name not in line]
    if absent:
        raise InputError(Problem("value_null", f"a line needs {name}", "lines", name, row) for name in absent)
    goods_id = unit(book, line, row)
    sku = book.catalog.sku(book.goods[goods_id].sku_id)
    serial = spelled_as(sku, line["new_serial"], row, "new_serial")
    check_number_free(book, sku, "serial", serial, row)
    book.retire_number("serial", sku.sku_id, book.serial_of(goods_id), goods_id)
    book.number("serial", sku.sku_id, serial, goods_id)
    mark(book, goods_id, {"serial": serial})


def _note(step: Step) -> None:
    """Something happened to a unit: an inspection, a service, a contact, a new value of a characteristic."""
    book, line, row = step.book, step.line, step.row
    goods_id = (
        unit(book, line, row) if "serial" in line else select(book, line, row, ("stock",), blocked=True)[0].goods_id
    )
    told = told_of(book.catalog.sku(book.goods[goods_id].sku_id), line, row)
    tell(book, goods_id, told, row)
    said: dict[str, object] = {name: line[name] for name in ("event", "note", "details") if name in line}
    mark(book, goods_id, said | told)


_ACTS: Final[Mapping[str, Callable[[Step], None]]] = {
    "receive": _receive, "adjust": _adjust, "block": _block, "unblock": _block, "release": _release,
    "confirm": _confirm, "pick": _pick, "put_back": _pick, "renumber": _renumber, "note": _note,
}  # fmt: skip
