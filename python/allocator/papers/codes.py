"""Codes for scanners, as pictures of lines."""

from __future__ import annotations

import io

from allocator.errors import InputError, Problem

QUIET_128 = 10
"""Modules left white on either side. Source: ISO/IEC 15417."""


def extra_missing(name: str) -> InputError:
    """That the extra is not installed."""
    hint = "Install the extra: pip install 'allocator[documents]'"
    return InputError(Problem("extra_missing", f"documents need {name}", value=name, hint=hint))


def qr(content: str) -> str:
    """A QR code as SVG, with its quiet zone; error correction M: a seventh of it may be torn or dirty."""
    try:
        import segno  # noqa: PLC0415 - an extra
    except ImportError:
        raise extra_missing("segno") from None
    drawn = io.BytesIO()
    segno.make_qr(content, error="m").save(drawn, kind="svg", border=4, xmldecl=False, nl=False)
    return drawn.getvalue().decode("ascii")


def code128(content: str) -> str:
    """A Code 128 as SVG, with its quiet zone: one line of bars for scanners that read no QR codes."""
    try:
        from barcode.codex import Code128  # noqa: PLC0415 - an extra
    except ImportError:
        raise extra_missing("python-barcode") from None
    modules = Code128(content).build()[0]
    bars, at = [], QUIET_128
    for run in modules.replace("10", "1 0").replace("01", "0 1").split():
        if run[0] == "1":
            bars.append(f"M{at} 0h{len(run)}v1h-{len(run)}z")
        at += len(run)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {at + QUIET_128} 1" preserveAspectRatio="none">'
    return f'{head}<path d="{"".join(bars)}"/></svg>'
