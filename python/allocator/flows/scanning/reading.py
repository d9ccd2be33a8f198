"""What a scanner reads: a unit by its number, or a product by its name or GTIN; from a label or typed (OS-3, OS-4)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.errors import CODES, InputError, Problem
from allocator.ledger.documents import DocumentLine
from allocator.ledger.lines import Unfit, shown, text
from allocator.ledger.records import Sku, day_of
from allocator.numbers import check_identifiers, read_labels

if TYPE_CHECKING:
    from allocator.flows.doing import Doing
    from allocator.ledger.documents import Document

LABEL: Final = re.compile(r"\]|\(|https?://|.*\x1d", re.IGNORECASE)
"""How only a label begins: a symbology identifier, brackets, a link; or it has a separator within."""

IMEI: Final = re.compile(r"[0-9][0-9 /-]{13,}[0-9]")


class Scan(NamedTuple):
    """What a scan says; '' where it says nothing."""

    number: str = ""
    gtin: str = ""
    lot: str = ""


class Found(NamedTuple):
    """The line of an order that a scan is about; the unit, where there are serials; the lot that a label names."""

    line: DocumentLine
    sku: Sku
    goods_id: int | None
    lot: str


def find(doing: Doing, order: Document, scan: object, sku: str) -> Found:
    """What is meant by a scan, as far as an order is concerned.

    Raises:
        InputError: `label_…`: the label is none; `check_digit_wrong`, `identifier_malformed`: an IMEI that cannot be;
            `goods_unknown`: nobody at the order's place knows it; `scan_mismatch`: it is not of the order.
    """
    said = _read(doing, scan)
    number = said.number
    goods_id = _unit(doing, order, number, sku) if number else None
    if goods_id is None and not said.gtin:
        product = _product(doing, order, number, sku)
        if product is not None:
            return Found(*product, None, said.lot)
        # Without a sign that only labels have, it may be one all the same.
        label = read_labels([number], on=day_of(doing.said["day"])).row(0, named=True)
        if label["problem"] is None and label["gtin"]:
            said = Scan(label["serial"] or "", label["gtin"], label["lot"] or "")
            goods_id = _unit(doing, order, said.number, sku) if said.number else None
        else:
            raise InputError(_unknown(number))
    if goods_id is None and said.number:
        raise InputError(_unknown(said.number))
    if goods_id is not None:
        line, known = _line_of(doing, order, doing.book.goods[goods_id].sku_id, number)
        _check_product(known, said.gtin)
        return Found(line, known, goods_id, "")
    found = _product_of_gtin(doing, order, said.gtin)
    return Found(*found, None, said.lot)


def _read(doing: Doing, scan: object) -> Scan:
    if isinstance(scan, str) and LABEL.match(scan):
        label = read_labels([scan[:2000]], on=day_of(doing.said["day"])).row(0, named=True)
        problem = label["problem"]
        if problem is not None or not (label["gtin"] or label["serial"]):
            message = CODES[problem].rstrip(".").lower() if problem else "the label names neither a product nor a unit"
            raise InputError(_about(problem or "scan_mismatch", message, scan))
        return Scan(label["serial"] or "", label["gtin"] or "", label["lot"] or "")
    try:
        return Scan(text(scan))
    except Unfit as unfit:
        raise InputError(_about(unfit.code, str(unfit), scan)) from None


def _about(code: str, message: str, scan: object) -> Problem:
    return Problem(code, message, column="scan", value=shown(scan))


def _unknown(number: str) -> Problem:
    """Nobody knows a number; if it looks like an IMEI, whether it can be one."""
    if IMEI.fullmatch(number):
        problem = check_identifiers([number], "imei")["problem"][0]
        if problem is not None:
            return _about(problem, "an IMEI has other digits than these: scan it again", number)
    return _about("goods_unknown", "there is no such unit or product here", number)


def _unit(doing: Doing, order: Document, number: str, sku: str) -> int | None:
    """The unit of a number at the order's place; None if there is none."""
    spelled = check_identifiers([number], "imei")["identifier"][0] if IMEI.fullmatch(number) else None
    for each in dict.fromkeys(filter(None, (number, spelled))):
        try:
            return doing.unit_at({"serial": each, **({"sku": sku} if sku else {})}, 0, order.place)
        except InputError as error:
            if error.code != "goods_unknown":
                raise
    return None


def _product(doing: Doing, order: Document, name: str, sku: str) -> tuple[DocumentLine, Sku] | None:
    """The line of a product, by the name of its SKU."""
    doing.book.catalog.load_skus(doing.book.session, [name])
    found = doing.book.catalog.find(name)
    if found is None or sku not in ("", name):
        return None
    return _without_serials(_line_of(doing, order, found.sku_id, name), name)


def _product_of_gtin(doing: Doing, order: Document, gtin: str) -> tuple[DocumentLine, Sku]:
    for line in doing.lines(order.number):
        assert line.sku_id is not None
        sku = doing.book.catalog.sku(line.sku_id)
        if (sku.kept.gtin or "").zfill(14) == gtin:
            return _without_serials((line, sku), gtin)
    raise InputError(_about("scan_mismatch", f"no product of {order.number} has this GTIN", gtin))


def _without_serials(found: tuple[DocumentLine, Sku], scan: str) -> tuple[DocumentLine, Sku]:
    if found[1].by_unit:
        message = f"{found[1].sku} is tracked by serial: scan the number of each unit"
        raise InputError(_about("tracking_mismatch", message, scan))
    return found


def _line_of(doing: Doing, order: Document, sku_id: int, scan: str) -> tuple[DocumentLine, Sku]:
    doing.book.catalog.load_sku_ids(doing.book.session, [sku_id])
    sku = doing.book.catalog.sku(sku_id)
    mine = doing.book.documents.lines_of_skus([order.number], [sku_id])
    if not mine:
        message = f"it is of {sku.sku}, which {order.number} does not ask for"
        raise InputError(
            replace(_about("scan_mismatch", message, scan), hint="Put it back; scan_counts lists what is pending")
        )
    return mine[0][1], sku


def _check_product(sku: Sku, gtin: str) -> None:
    """A label on a unit must be that of its product."""
    if gtin and sku.kept.gtin and sku.kept.gtin.zfill(14) != gtin:
        message = f"the unit is of {sku.sku}, and the label on it of another product"
        raise InputError(_about("scan_mismatch", message, gtin))
