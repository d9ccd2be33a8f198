"""What is said of a SKU beside its name, tracking, scale and lifecycle. Every setting has a default."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Name, Names, Part
from allocator.model.exact import Flag
from allocator.model.limits import Money
from allocator.model.number import NumberFormat

Term = Annotated[int, Field(strict=True, ge=1, le=36_500)]


class Warranty(Part):
    """For how long the maker, or the business, answers for a unit.

    Attributes:
        start: What begins it: the unit's `receipt`, its first `shipment`, or its first `delivery`.
        months: The term, in calendar months.
        days: The term in days, instead.
    """

    start: Literal["receipt", "shipment", "delivery"]
    months: Term | None = None
    days: Term | None = None

    @model_validator(mode="after")
    def _has_one_term(self) -> Self:
        if (self.months is None) == (self.days is None):
            message = "a warranty has a term in months or in days"
            raise PolicyError(Problem("setting_conflict", message, column="months"))
        return self


class Characteristic(Part):
    """What units of a SKU say of themselves, one by one.

    Attributes:
        type: `text`; `integer`; `day`; or `version`, such as `2.10.1`, which is above `2.9`.
        required: Whether a receipt must give it.
    """

    type: Literal["text", "integer", "day", "version"] = "text"
    required: Flag = False


def _of_type(value: object) -> object:
    """A type alone is short for a characteristic that need not be given."""
    return {"type": value} if isinstance(value, str) else value


class SkuSettings(Part):
    """The settings of a SKU.

    Attributes:
        name: What people call it.
        description: One sentence.
        sku_group: The group that it belongs to.
        bu: The business unit that it belongs to.
        unit_cost: What one costs, for limits in value and reports; as text, such as "12.50".
        pack: Units in a pack.
        defective_return: Whether the defective part must come back for every one that is used up.
        number: How its serials are spelled; without it, anything that can be printed.
        generate: Whether a receipt that names no serials gets the next ones of `number`.
        warranty: Term and start of its warranty.
        characteristics: What its units say of themselves: a type by name, or `{type = "day", required = true}`. Where
            some are declared, a name that is not must have a point in it, as `custom.colour` has.
        identifiers: Kinds of further numbers beside `imei`, `mac` and `eid` that its units have.
        meters: Meters that its units have: unit of measure by name.
        services: Services that can be enabled on its units.
        rentable: Whether its units can be rented out, and so join a subscription from the warehouse.
        stockable: Whether it can be in stock at all; what is not physical cannot.
        regulation: Regulations that it is under: rules of retention look at them.
        documents: Kinds of document without which no unit of it is shipped.
        swap: What may become of a promise when another unit is scanned: `never` (the very unit is picked), `free` (a
            unit that nobody else was promised may take its place), `held` (one that was promised to another order too,
            if that order is served all the same).
        gtin: Its GTIN, by which a label names it.
        scan: Whether an order of it is scanned as `used` goods (all of an order into one box) or as `distribution`
            goods (a box by product, with dimensions).
        custom: Anything else.

    Example:
        >>> SkuSettings(characteristics={"firmware": "version"}, warranty={"start": "delivery", "months": 24}).plain()
        {'warranty': {'start': 'delivery', 'months': 24}, 'characteristics': {'firmware': {'type': 'version'}}}
    """

    kind: ClassVar[str] = "sku"

    name: Name | None = None
    description: str = ""
    sku_group: Name | None = None
    bu: Name | None = None
    unit_cost: Money | None = None
    pack: Annotated[int, Field(strict=True, ge=1)] | None = None
    defective_return: Flag = False
    number: NumberFormat | None = None
    generate: Flag = False
    warranty: Warranty | None = None
    characteristics: dict[Name, Annotated[Characteristic, BeforeValidator(_of_type)]] = Field(default_factory=dict)
    identifiers: Names = ()
    meters: dict[Name, str] = Field(default_factory=dict)
    services: Names = ()
    rentable: Flag = True
    stockable: Flag = True
    regulation: Names = ()
    documents: Names = ()
    swap: Literal["never", "free", "held"] = "never"
    gtin: Annotated[str, Field(pattern=r"^([0-9]{8}|[0-9]{12,14})$")] | None = None
    scan: Literal["used", "distribution"] = "distribution"
    custom: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.generate and self.number is None:
            message = "numbers are generated from a format, and there is none"
            raise PolicyError(Problem("setting_conflict", message, column="generate", hint="Give it: number"))
        return self
