"""A memo whose quality-momentum scores and regime labels are computed on a CUDA device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ares7.book import RegimeLabels
from ares7.cuda.regime import regime_labels_on_device
from ares7.cuda.scores import DeviceScores, ScoreRows, Slot
from ares7.panel import Panel
from ares7.params import RegimeParams
from ares7.stages import Remembered, Stage, Value


class DeviceMemo(Remembered):
    """`Remembered`, with other stages in the place of some.

    Parameters
    ----------
    instead : mapping of stage name to Stage
        Stages whose values have the same attributes, from the same parameters.
    """

    def __init__(self, instead: Mapping[str, Stage[Any]]) -> None:
        super().__init__()
        self._instead = instead

    def __call__(self, stage: Stage[Value], panel: Panel, params: BaseModel) -> Value:
        """Return the remembered value, or compute it."""
        chosen: Stage[Value] = self._instead.get(stage.name, stage)
        return super().__call__(chosen, panel, params)


def device_stages(
    panel: Panel, *, scores: Stage[Any], labels: Stage[Any], slots: Sequence[Slot], min_slots: int
) -> dict[str, Stage[Any]]:
    """Return stages for a `DeviceMemo`, by the name of those that they stand in for.

    Parameters
    ----------
    panel : Panel
        The one panel that they will be asked about; its month ends stay on the device.
    scores : Stage
        Quality-momentum scores (``strategies.quality_momentum.scores``).
    labels : Stage
        Regime of every session (``strategies.quality_momentum.labels``).
    slots, min_slots
        Quality slots and how many of them a covered name has (rulings 17).

    Raises
    ------
    ServiceUnavailable
        There is no CUDA device.
    """
    device = DeviceScores(panel)

    def scored(_: Panel, params: Any) -> ScoreRows:
        return device.scores(
            slots=slots,
            quality_weight=params.quality_weight,
            momentum_weight=params.momentum_weight,
            periods=params.periods,
            skip=params.skip,
            tail=params.tail,
            min_names=params.min_names,
            min_slots=min_slots,
        )

    def labelled(asked: Panel, regime: RegimeParams) -> RegimeLabels:
        return regime_labels_on_device(asked, **regime.model_dump())

    return {
        scores.name: Stage(scored, scores.reads, nested=False),
        labels.name: Stage(labelled, labels.reads, nested=False),
    }
