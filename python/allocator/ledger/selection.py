"""Which goods a line of a transaction means: a stock row, a unit by its number, an allocation, or a SKU at a place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.ledger.lines import EXACT
from allocator.ledger.records import GONE, Account, Allocation, Sku

if TYPE_CHECKING:
    from allocator.ledger.book import Book

ACCOUNT_BITS: Final = 24
"""A stock row's id is the number of its goods, shifted by so many bits, and that of its account."""

DIGITS_MAX: Final = 19
"""Before the point: no quantity has more."""


def stock_id(goods_id: int, account_id: int) -> int:
    """The id of the stock row of some goods in an account."""
    return goods_id << ACCOUNT_BITS | account_id


def key_of(number: int) -> tuple[int, int]:
    """The goods and the account of a stock row's id."""
    return number >> ACCOUNT_BITS, number & ((1 << ACCOUNT_BITS) - 1)


class Share(NamedTuple):
    """A quantity of some goods in one account, and the allocation that it is promised by, if any."""

    goods_id: int
    account_id: int
    qty: int
    allocation: Allocation | None = None


def load(book: Book, lines: Sequence[Mapping[str, Any]], *, new: bool = False) -> None:
    """Reads everything that lines may mean, in a few statements; what is new means no goods that are there."""
    goods = {key_of(line["stock_id"])[0] for line in lines if "stock_id" in line}
    allocations = sorted({line["allocation_id"] for line in lines if "allocation_id" in line})
    book.catalog.load_skus(book.session, {line["sku"] for line in lines if "sku" in line})
    if allocations:
        book.load_allocations("allocation_id = ANY(:ids)", ids=allocations)
    numbers = {line["serial"] for line in lines if "serial" in line}
    book.find_numbers(numbers.union(*(line["numbers"].values() for line in lines if "numbers" in line)))
    goods |= {g for line in lines if "serial" in line for _, g in book.numbers.get(line["serial"], ())}
    book.load_goods(goods)
    loose = {
        sku.sku_id
        for line in lines
        if not new
        and "sku" in line
        and not {"stock_id", "serial", "allocation_id"} & line.keys()
        and (sku := book.catalog.find(line["sku"]))
    }
    if loose:
        book.load_skus(loose)
    book.load_lines({line["line_id"] for line in lines if "line_id" in line})
    book.catalog.load_sku_ids(book.session, book.known.skus)


def units(qty: int | Decimal, sku: Sku, row: int, table: str = "lines") -> int:
    """A quantity in the steps that the SKU is counted in.

    Raises:
        InputError: `qty_step`, `qty_out_of_range`.
    """
    if isinstance(qty, Decimal):
        # A number of a million digits is refused before it is written out.
        scaled = qty.scaleb(sku.scale, EXACT) if qty.is_finite() and qty.adjusted() < DIGITS_MAX else Decimal(0)
        whole = int(scaled)
        if whole != scaled:
            message = f"{sku.sku} is counted to {sku.scale} decimal places"
            raise InputError(Problem("qty_step", message, table, "qty", row, str(qty)[:80]))
    else:
        whole = qty * 10**sku.scale
    return countable(whole, sku, row, qty, table)


def countable(steps: int, sku: Sku, row: int, given: int | Decimal, table: str = "lines") -> int:
    """Steps that a quantity can be of.

    Raises:
        InputError: `qty_out_of_range`.
    """
    if not 0 < steps < 2**63:
        message = f"a quantity is above zero and at most {quantity(2**63 - 1, sku)}"
        raise InputError(Problem("qty_out_of_range", message, table, "qty", row, str(given)[:80]))
    return steps


def quantity(steps: int, sku: Sku) -> str:
    """Counted steps as people say them: in units of the SKU."""
    return f"{Decimal(steps).scaleb(-sku.scale):f}"


def exact(steps: int, scale: int) -> int | Decimal:
    """Counted steps as a quantity of so many decimal places."""
    return Decimal(steps).scaleb(-scale, EXACT) if scale else steps


def scale_of(sku: Sku, told: Iterable[Mapping[str, Any]] = ()) -> dict[str, int]:
    """What an answer, which is kept in steps, says of a SKU with decimal places, or that tells of others too."""
    return {"scale": sku.scale} if sku.scale or any("scale" in each for each in told) else {}


def in_units(answer: Any) -> Any:  # noqa: ANN401 - what the work answered
    """An answer as callers hear it: what it tells of SKUs with decimal places in exact units."""
    if not isinstance(answer, dict):
        return answer
    return {
        name: [_exact(each) for each in said] if isinstance(said, list) else _exact(said)
        for name, said in answer.items()
    }


def _exact(told: Any) -> Any:  # noqa: ANN401
    return _in_units(dict(told), told["scale"]) if isinstance(told, dict) and "scale" in told else told


def _in_units(told: dict[str, Any], scale: int) -> dict[str, Any]:
    # Stock of another SKU has decimal places of its own; what it serves has those of the line.
    own = told.pop("scale", scale)
    for name in ("requested", "allocated", "short", "qty", "qty_served"):
        if name in told:
            told[name] = exact(told[name], scale if name == "qty_served" else own)
    if "allocations" in told:
        told["allocations"] = [_in_units(dict(each), scale) for each in told["allocations"]]
    return told


def select(book: Book, line: Mapping[str, Any], row: int, kinds: Iterable[str], *, blocked: bool) -> list[Share]:
    """The goods that a line means, oldest receipt first.

    Raises:
        InputError: `goods_unknown`, `goods_ambiguous`, `stock_short`, `allocation_unknown`, `blocks_held`.
    """
    promised = _of_allocation(book, line, row) if "allocation_id" in line else None
    if promised is not None:
        keys = [(promised.goods_id, promised.account_id)]
    elif "stock_id" in line:
        key = key_of(line["stock_id"])
        keys = [key] if book.balance(*key).qty else []
    elif "serial" in line:
        goods_id = unit(book, line, row)
        keys = [(goods_id, account_id) for account_id in book.accounts_of[goods_id]]
    else:
        keys = _of_sku(book, line, row)
    wanted = frozenset(kinds)
    keys = [key for key in keys if book.catalog.accounts[key[1]].kind in wanted and _fits(book, key, line)]
    if not keys:
        raise InputError(_nothing(book, line, row, wanted))
    if not blocked:
        held = [key for key in keys if book.catalog.accounts[key[1]].blocks]
        keys = [key for key in keys if not book.catalog.accounts[key[1]].blocks]
        if not keys:
            why = book.catalog.accounts[held[0][1]].blocks
            message = f"it is blocked: {why}"
            raise InputError(Problem("blocks_held", message, "lines", row=row, hint="Lift the block first: unblock"))
    return _taken(book, line, row, keys) if promised is None else [promised]


def unit(book: Book, line: Mapping[str, Any], row: int | None) -> int:
    """The unit of a serial, or of a number that it had before; of one that is in no line, `row` is None."""
    table = "" if row is None else "lines"
    found = book.numbers.get(line["serial"], ())
    sku = book.catalog.find(line["sku"]) if "sku" in line else None
    mine = {goods for scope, goods in found if sku is None or scope in (0, sku.sku_id)}
    if "sku" in line and sku is None:
        book.catalog.named(line["sku"], row)
    if len(mine) > 1:
        # Of two that the number means, the one that has it now; of two that have it, the one that is not gone.
        mine = _nearest(mine, lambda g: any(x == g and not book.is_former(s, line["serial"]) for s, x in found))
        mine = _nearest(mine, lambda g: any(book.catalog.accounts[a].kind not in GONE for a in book.accounts_of[g]))
    if len(mine) == 1:
        return mine.pop()
    if not mine:
        raise InputError(Problem("goods_unknown", "there is no such unit", table, "serial", row, line["serial"]))
    names = sorted(book.catalog.sku(book.goods[g].sku_id).sku for g in mine)
    message = f"units of several SKUs have this number: {', '.join(names)}"
    raise InputError(Problem("goods_ambiguous", message, table, "serial", row, line["serial"], "Name the SKU too"))


def _nearest(goods: set[int], test: Callable[[int], bool]) -> set[int]:
    return {each for each in goods if test(each)} or goods


def where(book: Book, goods_id: int) -> str:
    """Where a unit is, in words."""
    accounts = [book.catalog.accounts[a] for a in book.accounts_of[goods_id]]
    return _where(accounts[0]) if accounts else "nowhere any more"


def _of_sku(book: Book, line: Mapping[str, Any], row: int) -> list[tuple[int, int]]:
    if "sku" not in line:
        hint = "Give stock_id, serial, allocation_id, or sku with a place"
        raise InputError(
            Problem("goods_unknown", "the line does not say what it is about", "lines", row=row, hint=hint)
        )
    sku = book.catalog.named(line["sku"], row)
    if sku.by_unit:
        message = f"{sku.sku} is tracked by serial: the line must name it"
        raise InputError(Problem("tracking_mismatch", message, "lines", "serial", row))
    keys = [(g.goods_id, a) for g in book.goods_of(sku.sku_id) for a in book.accounts_of[g.goods_id]]
    return sorted(keys, key=lambda key: (book.goods[key[0]].received_on, key))


def _fits(book: Book, key: tuple[int, int], line: Mapping[str, Any]) -> bool:
    goods, account = book.goods[key[0]], book.catalog.accounts[key[1]]
    return all(
        name not in line or line[name] == have
        for name, have in (
            ("lot", goods.lot), ("location", account.location), ("status", account.status),
            ("condition", account.condition), ("owner", account.owner), ("holder", account.holder),
        )
    )  # fmt: skip


def _taken(book: Book, line: Mapping[str, Any], row: int, keys: Sequence[tuple[int, int]]) -> list[Share]:
    """So much of each as the line asks for, of what is free."""
    free = {key: balance.qty - balance.reserved for key in keys if (balance := book.balance(*key))}
    sku = book.catalog.sku(book.goods[keys[0][0]].sku_id)
    if "qty" not in line and len(keys) > 1:
        message = "the line means more than one stock row, and no quantity"
        raise InputError(Problem("goods_ambiguous", message, "lines", "qty", row, hint="Give qty, or stock_id"))
    wanted = units(line["qty"], sku, row) if "qty" in line else (1 if sku.by_unit else max(sum(free.values()), 1))
    shares, left = [], wanted
    for key in keys:
        part = min(left, free[key])
        if part:
            shares.append(Share(*key, part))
            left -= part
    if left:
        there = sum(book.balance(*key).qty for key in keys)
        promised = quantity(there - sum(free.values()), sku)
        message = (
            f"{quantity(wanted, sku)} of {sku.sku} are asked for; {quantity(there, sku)} are there, "
            f"{promised} of them promised"
        )
        raise InputError(Problem("stock_short", message, "lines", "qty", row, str(line.get("qty", 1))))
    return shares


def _of_allocation(book: Book, line: Mapping[str, Any], row: int) -> Share:
    allocation = book.allocations.get(line["allocation_id"])
    if allocation is None:
        message = "there is no open allocation of this number"
        hint = "It was released or given out, or its hold is over: see Ledger.allocations"
        value = str(line["allocation_id"])
        raise InputError(Problem("allocation_unknown", message, "lines", "allocation_id", row, value, hint))
    _check_scan(book, line, row, allocation)
    sku = book.catalog.sku(book.goods[allocation.goods_id].sku_id)
    qty = units(line["qty"], sku, row) if "qty" in line else allocation.qty
    if qty > allocation.qty:
        message = f"the allocation is of {quantity(allocation.qty, sku)}"
        raise InputError(Problem("stock_short", message, "lines", "qty", row, str(line["qty"])))
    return Share(allocation.goods_id, allocation.account_id, qty, allocation)


def _check_scan(book: Book, line: Mapping[str, Any], row: int, allocation: Allocation) -> None:
    """What a line says of the goods beside the number of their allocation must be so.

    Raises:
        InputError: `scan_mismatch`: every one of serial, SKU, lot and place that is another.
    """
    goods, account = book.goods[allocation.goods_id], book.catalog.accounts[allocation.account_id]
    promised = {"sku": book.catalog.sku(goods.sku_id).sku, "lot": goods.lot, "location": account.location}
    problems = []
    for name, have in promised.items():
        if name in line and line[name] != have:
            message = f"the allocation is of another {name}: {have or 'none'}"
            problems.append(Problem("scan_mismatch", message, "lines", name, row, line[name]))
    if "serial" in line and (goods.goods_id not in {g for _, g in book.numbers.get(line["serial"], ())}):
        message = f"the allocation is of unit {book.serial_of(goods.goods_id)}, {where(book, goods.goods_id)}"
        hint = f"{_holder(book, line)}Scan that unit, or let the two be swapped: allocator.ledger.swap.pick_scanned"
        problems.append(Problem("scan_mismatch", message, "lines", "serial", row, line["serial"], hint))
    if problems:
        raise InputError(problems)


def _holder(book: Book, line: Mapping[str, Any]) -> str:
    """Whom a scanned unit was promised to, in words."""
    owners = [
        (goods_id, promise.line_id)
        for _, goods_id in book.numbers.get(line["serial"], ())
        if goods_id in book.goods
        for account_id in book.accounts_of[goods_id]
        for number in book.promises(goods_id, account_id)
        if (promise := book.allocations[number]) is not None
    ]
    return f"This one is promised to line {owners[0][1]}. " if owners else ""


def _nothing(book: Book, line: Mapping[str, Any], row: int, kinds: frozenset[str]) -> Problem:
    """Says where it is instead, if it is anywhere."""
    column = next((name for name in ("allocation_id", "stock_id", "serial", "sku") if name in line), "")
    hint = ""
    if "serial" in line:
        hint = f"It is {where(book, unit(book, line, row))}"
    message = f"nothing of this description is {' or '.join(sorted(_WORDS.get(k, k) for k in kinds))}"
    return Problem("goods_unknown", message, "lines", column, row, str(line.get(column, ""))[:80] or None, hint)


_WORDS: Final = {"stock": "in stock", "transit": "in transit", "customer": "with a customer", "rental": "rented out",
                 "own": "a customer's own device", "scrap": "scrapped"}  # fmt: skip


def _where(account: Account) -> str:
    place = account.location or account.holder
    status = f", {account.status}" if account.status else ""
    return f"{_WORDS.get(account.kind, account.kind)}{f' at {place}' if place else ''}{status}"
