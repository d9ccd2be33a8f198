"""How a business works with serialized assets at customers' sites: tracked or not, strict or flexible."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name
from allocator.model.exact import Flag

Version = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){0,3}$")]
"""A version as apps have it: numbers with points between."""


class AssetSettings(Document):
    """What the flows of assets act by.

    Attributes:
        yard: Where assets are that are not at a site, as a path.
        tracked: Whether orders are about certain assets; else about a product only.
        flexible_delivery: Whether a driver may deliver an asset that is not available, as an exception.
        flexible_removal: Whether a driver may remove another asset than that of the order. Only with flexible delivery.
        photo_required: Whether an exception is booked only with a photo.
        client_version_min: Drivers' apps below this version may change nothing.

    Example:
        >>> settings = AssetSettings(yard="depot", flexible_delivery=True, client_version_min="4.10")
        >>> settings.admits("4.9"), settings.admits("4.10.1")
        (False, True)
    """

    kind: ClassVar[str] = "asset_settings"

    yard: Name = "yard"
    tracked: Flag = True
    flexible_delivery: Flag = False
    flexible_removal: Flag = False
    photo_required: Flag = False
    client_version_min: Version | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.flexible_removal and not self.flexible_delivery:
            message, hint = "removal is flexible only where delivery is", "Set flexible_delivery too"
            raise PolicyError(Problem("setting_conflict", message, column="flexible_removal", hint=hint))
        if self.flexible_delivery and not self.tracked:
            message = "assets that are not tracked cannot be chosen"
            raise PolicyError(Problem("setting_conflict", message, column="flexible_delivery", hint="Set tracked"))
        return self

    def admits(self, version: str) -> bool:
        """Whether an app of a version may be used; one that does not say which it is may not, if there is a least."""
        if self.client_version_min is None:
            return True
        parts = version.split(".")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts) or len(parts) > 4:
            return False
        return _numbers(parts) >= _numbers(self.client_version_min.split("."))


def _numbers(parts: list[str]) -> list[int]:
    """So that 4.2 and 4.2.0 are one version, and 4.10 is above it."""
    return [int(part) for part in parts] + [0] * (4 - len(parts))
