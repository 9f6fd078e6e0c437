"""R2: every cell of the matrix verb x --arm x mode x account in the configuration x kind of account."""

from __future__ import annotations

import itertools

import pytest

from ares7.errors import ConfigError
from live.client.messages import AccountKind
from live.interlock import Mode, Wish, mode_of

PAPER, REAL = "DU1234567", "U1234567"
CELLS = list(
    itertools.product(
        ("live", "paper"),
        (False, True),
        ("shadow", "paper", "live"),
        ("", PAPER, REAL, "U7654321"),
        ((PAPER, AccountKind.PAPER), (REAL, AccountKind.REAL)),
    )
)


def decided(cell):
    verb, armed, mode, typed, (account, kind) = cell
    try:
        return mode_of(Wish(verb, armed, mode, typed), account, kind)
    except ConfigError as error:
        return str(error)


def test_exactly_one_cell_sends_real_orders():
    assert [cell for cell in CELLS if decided(cell) is Mode.REAL] == [
        ("live", True, "live", REAL, (REAL, AccountKind.REAL))
    ]


def test_without_arm_live_is_shadow_whatever_the_configuration_says():
    cells = [cell for cell in CELLS if cell[0] == "live" and not cell[1]]
    assert {decided(cell) for cell in cells} == {Mode.SHADOW}
    assert not Mode.SHADOW.sends


def test_paper_never_trades_a_real_account_and_needs_no_arm():
    for cell in CELLS:
        if cell[0] == "paper":
            found = decided(cell)
            assert (found is Mode.PAPER) == (cell[4][1] is AccountKind.PAPER)


def test_an_armed_run_on_a_real_account_is_refused_in_every_other_cell():
    for cell in CELLS:
        verb, armed, mode, typed, (_, kind) = cell
        if verb == "live" and armed and kind is AccountKind.REAL and (mode != "live" or typed != REAL):
            assert not isinstance(decided(cell), Mode)


def test_an_armed_run_on_a_paper_account_needs_a_mode_that_is_not_live():
    for cell in CELLS:
        verb, armed, mode, _, (_, kind) = cell
        if verb == "live" and armed and kind is AccountKind.PAPER:
            assert (decided(cell) is Mode.PAPER) == (mode != "live")


@pytest.mark.parametrize("cell", [c for c in CELLS if not isinstance(decided(c), Mode)])
def test_a_refusal_says_what_to_do_and_names_no_account(cell):
    text = decided(cell)
    assert "U1234567" not in text
    assert any(word in text for word in ("log in", "live.mode", "live.account"))
