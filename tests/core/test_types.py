"""The vocabulary refuses what cannot be."""

import numpy as np
import pytest
from pydantic import ValidationError

from metrics.base import Predictions, Score
from unlearncanvas.types import Cell, Concept, Task

STYLE = Concept(kind="style", name="Pop_Art")


def test_words_are_the_bare_name():
    assert STYLE.words == "Pop Art"


def test_concept_survives_its_text():
    assert Concept.parse(str(STYLE)) == STYLE
    with pytest.raises(ValueError, match="kind:name, got 'Pop Art'"):
        Concept.parse("Pop Art")
    with pytest.raises(ValueError, match="needs a name"):
        Concept(kind="style", name=" ")


def test_task_refuses_a_target_that_is_retained():
    with pytest.raises(
        ValueError, match="cannot forget and retain the same concept: style:Pop_Art"
    ):
        Task(targets=(STYLE,), retain=(STYLE,))


def test_task_refuses_no_target_and_a_target_as_its_own_anchor():
    with pytest.raises(ValueError, match="at least one target"):
        Task(targets=())
    with pytest.raises(ValueError, match="its own anchor: style:Pop_Art"):
        Task(targets=(STYLE,), anchor=STYLE)


def test_the_only_target_needs_to_be_the_only_one():
    other = Concept(kind="style", name="Mosaic")
    assert Task(targets=(STYLE,)).target == STYLE
    with pytest.raises(ValueError, match="one target, the task has 2"):
        _ = Task(targets=(STYLE, other)).target


def test_answers_have_one_entry_an_image():
    cell = Cell(style="Photo", object="Cat")
    with pytest.raises(ValueError, match="one entry per image"):
        Predictions(cells=[cell], seeds=[1, 2], style_pred=["Photo"], object_pred=["Cat"])
    with pytest.raises(ValueError, match="one entry per image"):
        Predictions(
            cells=[cell],
            seeds=[1],
            style_pred=["a"],
            object_pred=["b"],
            features={"detectors": np.zeros((2, 3))},
        )


@pytest.mark.parametrize(
    "bad",
    [
        {"value": float("nan"), "n": 1},
        {"value": 1.0, "n": 0},
        {"value": 1.0, "n": 1, "low": 0.0},
        {"value": 1.0, "n": 1, "low": 2.0, "high": 1.0},
        {"value": 1.0, "n": 1, "typo": 2},
    ],
)
def test_score_refuses_nonsense(bad):
    with pytest.raises(ValidationError):
        Score(**bad)
