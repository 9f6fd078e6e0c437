"""What a report says, taken from its HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from ares7.tearsheet import require_plotly


def own_text(page: str) -> str:
    """Return the page without plotly.js."""
    return page.replace(require_plotly(), "")


def visible(page: str) -> str:
    """Return the words that a reader sees, without tags."""
    body = own_text(page).split("<body>")[1].split("<script")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def payload(page: str) -> dict[str, Any]:
    """Return the values that the page's script draws."""
    content: dict[str, Any] = json.loads(
        re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)[1]
    )
    return content


def references(node: object, kind: str) -> set[str]:
    """Names of the arrays (``series``) or colours (``css``) that a figure refers to."""
    if isinstance(node, dict):
        if isinstance(node.get(kind), str):
            return {node[kind]}
        return {name for value in node.values() for name in references(value, kind)}
    if isinstance(node, list):
        return {name for value in node for name in references(value, kind)}
    return set()


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._inside = True
        elif tag == "br" and self._inside:
            self.tables[-1][-1][-1] += " | "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data


def tables(page: str) -> list[list[list[str]]]:
    """Cells of every table: table, row, column; a line break inside a cell is " | "."""
    reader = _Tables()
    reader.feed(own_text(page))
    return reader.tables


def table_with(page: str, *head: str) -> list[list[str]]:
    """Rows of the table whose head holds these cells, its head first."""
    for rows in tables(page):
        for i, row in enumerate(rows):
            if set(head) <= set(row):
                return rows[i:]
    raise AssertionError(f"no table with the head {head}")
