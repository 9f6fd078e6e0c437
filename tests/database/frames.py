"""Tables of a folder, read as the loader reads them, and bent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from feeds.database.files import read_file
from feeds.database.layout import LAYOUTS, find_file

BY_NAME = {layout.name: layout for layout in LAYOUTS}


def tables_of(folder):
    """Every table of a folder; bars by symbol and day."""
    found = {}
    for name, layout in BY_NAME.items():
        path = find_file(layout, folder)
        if path is not None:
            frame = read_file(layout, path)
            found[name] = frame.sort_values(["symbol", "date"], ignore_index=True) if layout.bars else frame
    return found


def assert_same_tables(one, other):
    """The same columns of the same types, the same bits in them."""
    one, other = tables_of(one), tables_of(other)
    assert list(one) == list(other)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True, obj=name)
        for column in one[name].select_dtypes("number"):
            a, b = (table[name][column].to_numpy() for table in (one, other))
            known = ~np.isnan(a)
            assert a[known].tobytes() == b[known].tobytes(), (name, column)


def assert_same_panels(one, other):
    """Everything that a strategy can read, bit for bit."""
    assert one.symbols == other.symbols
    assert sorted(one.fields) == sorted(other.fields)
    assert sorted(one.series) == sorted(other.series)
    for group in ("fields", "series"):
        for name, values in getattr(one, group).items():
            assert values.tobytes() == getattr(other, group)[name].tobytes(), name
    for name in ("dates", "is_stock", "member", "month_end", "week_end"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    assert one.provenance["panel_sha256"] == other.provenance["panel_sha256"]


def bend(folder, name, change):
    """Rewrite a Parquet table of a folder."""
    path = find_file(BY_NAME[name], folder)
    frame = pd.read_parquet(path)
    change(frame).to_parquet(path)
