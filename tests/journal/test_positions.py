"""Positions of the journal against a model that a reader can check by hand."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.journal.rows import Adjustment
from tests.journal.samples import SESSION, fill, intent
from tests.journal.test_durability import engine

ROOTS, CONTRACTS = 6, 3
shares = st.decimals("0", "999", places=4)
signed = st.decimals("-999", "999", places=4)
executions = st.fixed_dictionaries(
    {
        "contract": st.integers(0, CONTRACTS - 1),
        "side": st.sampled_from(["BUY", "SELL"]),
        "ours": st.sampled_from([True, True, False]),
        # Shares by revision; 0 takes the execution back.
        "revisions": st.dictionaries(st.integers(1, 4), shares, min_size=1, max_size=3),
    }
)
adoptions = st.tuples(
    st.integers(0, CONTRACTS - 1), st.sampled_from(["adopt", "ignore", "split", "manual_trade"]), signed
)


@st.composite
def histories(draw):
    """Executions with their revisions in any order, some of them twice, and adjustments in between."""
    books = draw(st.lists(executions, max_size=ROOTS))
    messages = [("fill", root, revision) for root, book in enumerate(books) for revision in book["revisions"]]
    messages += draw(st.lists(st.sampled_from(messages), max_size=4)) if messages else []
    messages += [("adopt", *given) for given in draw(st.lists(adoptions, max_size=4))]
    return books, draw(st.permutations(messages))


def model(books, messages):
    """Signed shares of ours and of what was set aside, by contract, in decimal arithmetic."""
    latest = {}
    ours, ignored = defaultdict(Decimal), defaultdict(Decimal)
    for message in messages:
        if message[0] == "adopt":
            _, contract, kind, amount = message
            (ignored if kind == "ignore" else ours)[contract] += amount
        else:
            _, root, revision = message
            latest[root] = max(latest.get(root, 0), revision)
    for root, revision in latest.items():
        book = books[root]
        if book["ours"]:
            sign = 1 if book["side"] == "BUY" else -1
            ours[book["contract"]] += sign * book["revisions"][revision]
    return ({k: v for k, v in ours.items() if v}, {k: v for k, v in ignored.items() if v})


def play(journal, books, messages, first):
    """Write a history under contracts of its own, from ``first``."""
    for root, book in enumerate(books):
        if book["ours"]:
            journal.intent(intent(first + root, ref=f"A7-{first}-{root}"))
    for message in messages:
        if message[0] == "adopt":
            _, contract, kind, amount = message
            con_id = first + contract
            held = journal.positions().get(con_id)
            before = (
                journal.ignored().get(con_id, 0.0) if kind == "ignore" else (held.shares if held else 0.0)
            )
            journal.adopt(Adjustment(con_id, "X", kind, float(amount), before))
        else:
            _, root, revision = message
            book = books[root]
            journal.fill(
                fill(
                    f"{first}.{root}",
                    revision,
                    ref=f"A7-{first}-{root}" if book["ours"] else "",
                    con_id=first + book["contract"],
                    symbol="X",
                    side=book["side"],
                    shares=float(book["revisions"][revision]),
                    session=SESSION,
                )
            )


@pytest.fixture
def numbers():
    return iter(range(1000, 10**9, 1000))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_positions_are_those_of_a_naive_model(journal, url, numbers, history):
    books, messages = history
    first = next(numbers)
    play(journal, books, messages, first)
    ours, ignored = model(books, messages)
    mine = range(first, first + CONTRACTS)
    read = {con - first: held.shares for con, held in journal.positions().items() if con in mine}
    assert read == {contract: float(total) for contract, total in ours.items()}
    set_aside = {con - first: total for con, total in journal.ignored().items() if con in mine}
    assert set_aside == {contract: float(total) for contract, total in ignored.items()}
    with engine(url).connect() as connection:
        seen = connection.exec_driver_sql("SELECT con_id, shares FROM v_positions").all()
    assert {con - first: total for con, total in seen if con in mine} == pytest.approx(read, abs=1e-9)
