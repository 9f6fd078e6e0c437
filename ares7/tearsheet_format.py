"""Text of figures in the report, and HTML made of them. Every string from data is escaped here."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Iterable, Mapping, Sequence

UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
ABSENT = "–"
"""Shown for a figure that does not exist, for example the Sharpe ratio of one session."""


class Markup(str):
    """HTML that is already safe; any other string is escaped."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Escape a value unless it is `Markup`."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def short_names(names: Sequence[str]) -> list[str]:
    """Dotted names without the sections that all of them share."""
    parts = [name.split(".") for name in names]
    shared = 0
    while parts and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return [".".join(p[shared:]) for p in parts]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def ratio(value: object, digits: int = 2) -> str:
    """Plain number, for example ``1.23``; a true minus sign."""
    number = _number(value)
    return ABSENT if number is None else f"{number:z,.{digits}f}".replace("-", "−")


def probability(value: object) -> str:
    """Probability with three digits."""
    return ratio(value, 3)


def percent(value: object, digits: int = 1) -> str:
    """Return a fraction as percent."""
    number = _number(value)
    return ABSENT if number is None else f"{100 * number:z,.{digits}f} %".replace("-", "−")


def usd(value: object, digits: int = 0) -> str:
    """Money."""
    number = _number(value)
    return ABSENT if number is None else f"USD {number:z,.{digits}f}".replace("-", "−")


def usd_short(value: object) -> str:
    """Money with three digits: ``USD 111k``, ``USD 1.23M``."""
    number = _number(value)
    if number is None or abs(number) < 10_000:
        return usd(value)
    unit, letter = next((u for u in UNITS if abs(number) >= u[0] * 0.9995), UNITS[-1])
    return f"USD {number / unit:.3g}{letter}".replace("-", "−")


def count(value: object) -> str:
    """Whole number with thousands separators."""
    number = _number(value)
    return ABSENT if number is None else f"{number:,.0f}".replace("-", "−")


def day(value: object) -> str:
    """Return an ISO date as ``4 Jan 2010``; anything else as it is."""
    if value is None:
        return ABSENT
    try:
        date = dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        return str(value)
    return f"{date.day} {date:%b %Y}"


def any_value(value: object) -> str:
    """Text of a value whose unit is not known."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    return ABSENT if value is None else str(value)


def with_error(value: object, error: object) -> Markup:
    """Return a ratio with its standard error."""
    shown = text(ratio(value))
    return shown if _number(error) is None else Markup(f"{shown} <small>± {text(ratio(error))}</small>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], css_class: str = "") -> Markup:
    """HTML table whose first column names the row; it scrolls by itself when it is too wide."""
    # A long name may break after an underscore.
    top = "".join(f'<th scope="col">{text(cell).replace("_", "_<wbr>")}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(
            cell if isinstance(cell, Markup) and cell.startswith("<td") else f"<td>{text(cell)}</td>"
            for cell in row[1:]
        )
        + "</tr>"
        for row in rows
    )
    return Markup(
        f'<div class="scroll" tabindex="0"><table class="{css_class}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bullets(items: Iterable[object]) -> Markup:
    """Unordered list."""
    return Markup('<ul class="plain">' + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>")


def facts(items: Mapping[str, object]) -> Markup:
    """Definition list of names and values."""
    pairs = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in items.items())
    return Markup(f'<dl class="facts">{pairs}</dl>')


def figures(items: Mapping[str, object]) -> Markup:
    """Small figures side by side, each under its name."""
    pairs = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in items.items()
    )
    return Markup(f'<dl class="figures">{pairs}</dl>')


def tiles(items: Iterable[tuple[str, object, str]]) -> Markup:
    """Headline figures, each (name, value, what it is to be seen against)."""
    cells = "".join(
        f'<div><dl><dt>{text(name)}</dt><dd class="figure">{text(value)}</dd>'
        f'<dd class="against">{text(foot)}</dd></dl></div>'
        for name, value, foot in items
    )
    return Markup(f'<section class="tiles">{cells}</section>')


def pair(*parts: Markup) -> Markup:
    """Two sections side by side where there is room; one alone takes the whole width."""
    there = [part for part in parts if part]
    return Markup(f'<div class="pair">{"".join(there)}</div>' if len(there) > 1 else "".join(there))


def section(title: str, *parts: object, note: object = "") -> Markup:
    """Titled part of the page; empty when there is nothing to show."""
    body = "".join(text(part) for part in parts)
    if not body:
        return Markup("")
    remark = f'<p class="note">{text(note)}</p>' if note else ""
    return Markup(f"<section><h2>{text(title)}</h2>{remark}{body}</section>")


def chart(name: str, description: str, size: str = "", height: int | None = None) -> Markup:
    """Place for the figure called ``name``; ``size`` is a CSS class, or ``height`` pixels."""
    style = "" if height is None else f' style="height:{height}px"'
    described = text(description)
    return Markup(f'<div class="chart {size}" id="{name}"{style} role="img" aria-label="{described}"></div>')


def legend(items: Iterable[tuple[str, str, str]]) -> Markup:
    """Legend of (text, CSS colour name, ``area``, ``line`` or ``dash``)."""
    entries = "".join(
        f'<li><i class="{mark}" style="color:var(--{colour})"></i>{text(label)}</li>'
        for label, colour, mark in items
    )
    return Markup(f'<ul class="legend">{entries}</ul>')
