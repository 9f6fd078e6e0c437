"""A panel from the database is that of what the database holds now, whoever wrote to it, and is not read twice."""

from __future__ import annotations

import multiprocessing
import shutil

import numpy as np
import pytest

from ares7.config import DataConfig
from ares7.errors import DataError
from feeds.database import snapshot
from feeds.database.loading import load_folder
from feeds.load import load_panel, load_with_findings, local_config
from tests.database.frames import assert_same_panels, bend


@pytest.fixture
def config(url, tmp_path):
    return DataConfig(path=url, cache=tmp_path / "cache")


def snapshots(config):
    home = config.cache / snapshot.FOLDER
    return sorted(p.name for p in home.iterdir()) if home.exists() else []


def panel_of(config):
    return load_with_findings(config)[0]


def test_a_second_panel_comes_from_the_cache_and_a_new_load_makes_another(made, market, server, config):
    load_folder(made, server)
    first, again = panel_of(config), panel_of(config)
    assert again.fields["close"].base is not None
    assert_same_panels(first, again)
    assert len(snapshots(config)) == 1
    load_folder(made, server)
    panel_of(config)
    assert len(snapshots(config)) == 1
    bend(market, "prices", lambda frame: frame.assign(close=frame["close"] * 1.01))
    load_folder(market, server, replace=True)
    changed = panel_of(config)
    assert len(snapshots(config)) == 2
    assert changed.provenance["panel_sha256"] != first.provenance["panel_sha256"]
    assert_same_panels(changed, panel_of(DataConfig(path=market, cache=None)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ares7_data.prices SET volume = volume + 1 WHERE symbol = 'S003' AND date = '2016-03-01'",
        "DELETE FROM ares7_data.prices WHERE symbol = 'S003' AND date = (SELECT max(date) FROM ares7_data.prices)",
        "TRUNCATE ares7_data.earnings",
        'UPDATE ares7_data.documents SET content = \'{"synthetic": true, "more": 1}\'',
    ],
)
def test_a_change_by_another_program_is_seen_too(cluster, made, server, config, statement):
    load_folder(made, server)
    before = snapshot.content(config.path)
    panel_of(config)
    cluster.execute(statement)
    after = snapshot.content(config.path)
    assert after.name != before.name
    assert after.changes == before.changes + 1
    load_with_findings(config)
    assert len(snapshots(config)) == 2


def test_a_database_made_anew_is_another_one(cluster, made, market, server, config):
    load_folder(made, server)
    before = snapshot.content(config.path)
    cluster.empty_database()
    load_folder(market, server)
    after = snapshot.content(config.path)
    assert (after.changes, after.name != before.name) == (before.changes, True)


def test_a_load_between_question_and_dump_is_what_is_kept(made, market, server, config):
    load_folder(made, server)
    asked = snapshot.content(config.path)
    bend(market, "prices", lambda frame: frame.assign(close=frame["close"] * 1.01))
    load_folder(market, server, replace=True)
    folder, held = snapshot.folder_of(config.path, asked, config.cache)
    assert held == snapshot.content(config.path) != asked
    assert snapshots(config) == [folder.name]


@pytest.mark.parametrize("damage", ["short", "missing", "unmarked"])
def test_a_damaged_snapshot_is_made_again(made, server, config, damage):
    load_folder(made, server)
    folder = local_config(config).path
    victim = folder / (snapshot.WHOLE if damage == "unmarked" else "prices.parquet")
    victim.write_bytes(victim.read_bytes()[:100]) if damage == "short" else victim.unlink()
    again = local_config(config).path
    assert again == folder
    assert_same_panels(
        panel_of(DataConfig(path=again, cache=None)), panel_of(DataConfig(path=made, cache=None))
    )


def test_without_a_cache_the_snapshot_is_a_temporary_one(made, server, url):
    load_folder(made, server)
    found = local_config(DataConfig(path=url, cache=None)).path
    assert (found / "prices.parquet").is_file()
    assert local_config(DataConfig(path=url, cache=None)).path == found
    assert_same_panels(
        load_panel(DataConfig(path=url, cache=None)), load_panel(DataConfig(path=made, cache=None))
    )


def test_old_snapshots_go(cluster, made, server, config, monkeypatch):
    monkeypatch.setattr(snapshot, "KEEP", 2)
    load_folder(made, server)
    for _ in range(4):
        cluster.execute("UPDATE ares7_data.earnings SET source = source")
        local_config(config)
    assert len(snapshots(config)) == 2
    assert local_config(config).path.name in snapshots(config)


def _local(config, given):
    given.put(str(local_config(config).path))


def test_two_processes_at_once_make_one_snapshot(made, server, config):
    load_folder(made, server)
    context = multiprocessing.get_context("spawn")
    given = context.Queue()
    both = [context.Process(target=_local, args=(config, given)) for _ in range(2)]
    for process in both:
        process.start()
    found = {given.get(timeout=60) for _ in both}
    for process in both:
        process.join(30)
    assert len(found) == 1
    assert len(snapshots(config)) == 1


def test_a_cache_that_is_full_is_one_clear_error(made, server, config, monkeypatch):
    load_folder(made, server)
    full = OSError(28, "No space left on device")

    def fail(*_):
        raise full

    monkeypatch.setattr(snapshot, "_publish", fail)
    with pytest.raises(DataError, match=r"No space left on device.*name another data\.cache"):
        local_config(config)
    assert snapshots(config) == []


def test_settings_that_name_files_beside_the_database_are_part_of_the_key(made, server, config, tmp_path):
    load_folder(made, server)
    first = panel_of(config)
    closes = tmp_path / "vix.csv"
    lines = [f"{day},{20 + i % 7}" for i, day in enumerate(first.dates)]
    closes.write_text("\n".join(["date,close", *lines]) + "\n")
    own = config.model_copy(update={"vix_file": closes})
    assert panel_of(own).series["vix"][3] == 23
    closes.write_text("\n".join(["date,close", *(line + "0" for line in lines)]) + "\n")
    assert panel_of(own).series["vix"][3] == 230
    np.testing.assert_array_equal(first.series["vix"], panel_of(config).series["vix"])
    shutil.rmtree(config.cache)
