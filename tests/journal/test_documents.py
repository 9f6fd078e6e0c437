"""docs/journal.md says what is there, and its queries work on both databases."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from live.journal import failures
from live.journal.schema import metadata
from live.journal.views import VIEWS
from tests.journal.samples import STEPS, rebalance, write
from tests.journal.test_durability import engine

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?);?\n```", TEXT, flags=re.DOTALL)
SECTIONS = dict(re.findall(r"### `(\w+)`\n\n(.*?)(?=\n\n###|\Z)", TEXT, flags=re.DOTALL))


@pytest.fixture
def asked(journal, url):
    """What a query returns on a journal that holds one of everything, and a rebalance that was not finished."""
    for step in STEPS:
        write(journal, step)
    journal.begin_rebalance(rebalance(rebalance_id="ffffffff"))
    write(journal, next(step for step in STEPS if step[0] == "alert"))

    def ask(query):
        with engine(url).connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    return ask


def test_every_query_of_the_document_finds_something(asked):
    assert len(QUERIES) >= 8
    assert [query for query in QUERIES if not asked(query)] == []


def test_the_views_say_what_happened(asked):
    (order,) = asked("SELECT stage, filled, average_price, fee_usd, done FROM v_orders")
    assert order == {"stage": "filled", "filled": 400.0, "average_price": 181.8, "fee_usd": 2.05, "done": 1}
    assert asked("SELECT symbol, shares FROM v_positions ORDER BY symbol") == [
        {"symbol": "AAPL", "shares": 400.0},
        {"symbol": "MSFT", "shares": 10.0},
    ]
    (trade,) = asked("SELECT notional_usd, fee_usd, shortfall_bps, ours FROM v_trades")
    assert trade == pytest.approx(
        {"notional_usd": 72_720.0, "fee_usd": 2.05, "shortfall_bps": 100.0, "ours": 1}
    )
    (value,) = asked("SELECT nav_usd, flow_usd FROM v_nav")
    assert value == {"nav_usd": 1_000_500.25, "flow_usd": 1000.0}


def test_every_table_and_column_is_documented():
    assert set(SECTIONS) == set(metadata.tables)
    missing = [
        f"{name}.{column.name}"
        for name, table in metadata.tables.items()
        for column in table.columns
        if column.name not in ("id", "at", "run_id") and f"`{column.name}`" not in SECTIONS[name]
    ]
    assert missing == []


def test_every_view_and_error_is_documented():
    raised = {name for name in vars(failures) if re.match("Journal|Row|Wrong|Already", name)}
    assert {name for name in {*VIEWS, *raised} if f"`{name}`" not in TEXT} == set()


def test_only_the_journal_and_the_database_of_market_data_import_sqlalchemy():
    wrong, allowed = [], (ROOT / "live" / "journal", ROOT / "feeds" / "database")
    for folder in ("ares7", "strategies", "feeds", "analyzers", "live"):
        for path in (ROOT / folder).rglob("*.py"):
            if any(folder in path.parents for folder in allowed):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                wrong += [str(path) for name in names if name.split(".")[0] in ("sqlalchemy", "psycopg")]
    assert wrong == []


def test_rows_need_no_database_library():
    code = "import live.journal.rows, live.journal.wire_rows, live.journal.identity, sys\n"
    code += "print(*[name for name in ('sqlalchemy', 'psycopg', 'ib_insync') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
