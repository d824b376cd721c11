"""Numbers and counts in the words of a report."""

import math
import re
from collections.abc import Collection, Mapping

_BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def real(value: float, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits, without an exponent where that is readable."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e6:
        return exponent(value, digits)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def real_up(value: float, digits: int = 2) -> str:
    """A bound: ``value`` rounded up, so that what is printed still holds."""
    if value == 0.0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return real(math.ceil(value / unit) * unit, digits)


def exponent(value: float, digits: int = 2) -> str:
    """``value`` in exponent notation without padding: 5e-8, 1.2e-7."""
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(power)}"


def sentence(text: str, names: Collection[str] = ()) -> str:
    """``text`` with a capital and a full stop, unless it begins with a path or one of ``names``."""
    first = re.match(r"[a-z]+(?=[ ,])", text)
    if first and first.group() not in names:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: 1 sample, 1,092 samples."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shortened(text: str, width: int) -> str:
    """``text``, with dots for an end beyond ``width`` characters."""
    return text if len(text) <= width else text[: width - 3] + "..."


def size(n_bytes: float) -> str:
    """A number of bytes in decimal units."""
    unit = 0
    while n_bytes >= 1000 and unit < len(_BYTE_UNITS) - 1:
        n_bytes, unit = n_bytes / 1000, unit + 1
    return (
        f"{n_bytes:.0f} {_BYTE_UNITS[unit]}"
        if unit == 0
        else f"{real(n_bytes)} {_BYTE_UNITS[unit]}"
    )


def duration(seconds: float) -> str:
    """A time span: 0.31 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds >= 0.1 else f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def reasons(excluded: Mapping[str, int]) -> str:
    """Counts by reason in one clause; empty where nothing was left out."""
    return ", ".join(f"{number:,} {reason}" for reason, number in excluded.items() if number)


def interval_bar(estimate: float, interval: tuple[float, float], width: int = 41) -> str:
    """A number line from 0 to 1: ``=`` over the interval, ``|`` at the estimate."""

    def cell(value: float) -> int:
        return round(min(max(value, 0.0), 1.0) * (width - 1))

    low, high = (cell(end) for end in interval)
    cells = ["=" if low <= index <= high else "." for index in range(width)]
    cells[cell(estimate)] = "|"
    return f"0 {''.join(cells)} 1"
