"""Framing and tables: what is cut, written and counted."""

from __future__ import annotations

import pytest

from ares7.errors import DataError
from live.double.codec import MAX_FRAME, Framer, frame, text
from live.double.layout import Layout
from live.double.layouts import (
    COMMISSION,
    CONTRACT_DETAILS,
    ERROR,
    EXECUTION,
    ORDER_STATUS,
    PORTFOLIO,
    POSITION,
)
from live.double.order_layouts import COMPLETED_ORDER, OPEN_ORDER, PLACE_ORDER

MESSAGES = [["71", "2", "7", ""], ["", "", ""], ["3", "Zürich", "x" * 300], ["9"]]
STREAM = b"API\0" + b"".join(frame(fields) for fields in MESSAGES)


def test_messages_are_the_same_wherever_the_stream_is_split():
    for at in range(len(STREAM) + 1):
        framer = Framer()
        assert [*framer.feed(STREAM[:at]), *framer.feed(STREAM[at:])] == MESSAGES


def test_messages_are_the_same_byte_by_byte():
    framer, found = Framer(), []
    for at in range(len(STREAM)):
        found += framer.feed(STREAM[at : at + 1])
    assert found == MESSAGES


def test_the_version_range_is_a_frame_without_a_last_nul():
    body = b"v157..176"
    assert list(Framer().feed(b"API\0" + len(body).to_bytes(4, "big") + body)) == [["v157..176"]]


def test_another_greeting_and_an_endless_frame_are_no_such_stream():
    with pytest.raises(DataError, match="greet"):
        list(Framer().feed(b"GET / HTTP/1.1"))
    with pytest.raises(DataError, match="longer"):
        list(Framer().feed(b"API\0" + (MAX_FRAME + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "1"),
        (False, "0"),
        (None, ""),
        (100.0, "100"),
        (0.1 + 0.2, "0.30000000000000004"),
        (7, "7"),
        ("a", "a"),
    ],
)
def test_values_are_written_as_the_gateway_writes_them(value, written):
    assert text(value) == written


def test_floats_read_back_to_the_same_bits():
    for value in (1 / 3, 1e-300, 123456.789e10, 5e-324):
        assert float(text(value)) == value


VERSIONS = (157, 159, 160, 162, 163, 164, 166, 169, 170, 173, 176, 177, 178)


@pytest.mark.parametrize(
    ("layout", "counts"),
    [
        (OPEN_ORDER, (128, 129, 130, 131, 131, 131, 131, 131, 136, 136, 136, 135, 135)),
        (COMPLETED_ORDER, (96, 96, 96, 96, 96, 96, 96, 96, 101, 101, 101, 100, 100)),
        (CONTRACT_DETAILS, (39, 39, 39, 39, 40, 40, 40, 40, 40, 40, 40, 40, 40)),
        (EXECUTION, (31,) * 12 + (32,)),
        (ERROR, (5,) * 6 + (6,) * 7),
        (POSITION, (16,) * 13),
        (PORTFOLIO, (20,) * 13),
        (COMMISSION, (8,) * 13),
        (ORDER_STATUS, (12,) * 13),
    ],
)
def test_messages_have_as_many_fields_as_those_of_the_gateway(layout, counts):
    always = dict.fromkeys((f.name for v in VERSIONS for f in layout.fields(v) if f.default is None), "1")
    always["algoStrategy"] = ""
    assert tuple(len(layout.encode(version, always)) for version in VERSIONS) == counts


def test_a_table_reads_what_it_writes():
    table = Layout("=9 a b=5\n@ge170 c=\n?b d=x\npairs[2] e")
    values = {"a": "1", "c": "z", "pairs": ["k", "v", "l", "w"], "e": "end"}
    assert table.encode(170, values) == ["9", "1", "5", "z", "x", "2", "k", "v", "l", "w", "end"]
    assert table.encode(169, values | {"b": 0}) == ["9", "1", "0", "2", "k", "v", "l", "w", "end"]
    read = table.decode(170, table.encode(170, values))
    assert {name: read[name] for name in values} == values


def test_a_value_that_is_needed_must_be_given():
    with pytest.raises(KeyError):
        ORDER_STATUS.encode(176, {})


def test_a_message_that_ends_too_early_is_refused():
    with pytest.raises(DataError, match="too early"):
        PLACE_ORDER.decode(176, ["3", "1", "0", "AAPL"])
