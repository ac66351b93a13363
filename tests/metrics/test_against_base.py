"""Drift, residual and artifact rate by hand, at the extremes, and what they refuse."""

import numpy as np
import pytest

from metrics.artifact_rate import ArtifactRate, nearest, unlike
from metrics.base import MetricInputs, Predictions, RealFeatures
from metrics.drift import Drift, relative_distance
from metrics.residual import Residual
from unlearncanvas.types import Cell, Concept

STYLES, OBJECTS = ("Photo", "Mosaic", "Sketch"), ("Cat", "Sun")
GRID = [Cell(style=style, object=obj) for style in STYLES for obj in OBJECTS]
MOSAIC, CAT = Concept(kind="style", name="Mosaic"), Concept(kind="object", name="Cat")
TRIGGER = Concept(kind="trigger", name="none")
NAMES = {"style": ("Sketch", "Mosaic", "Photo"), "object": OBJECTS}


def drawn(features, style_prob=None, object_prob=None, order=range(6), seeds=(1,) * 6):
    """Images of the grid at one seed, in any order."""
    whole = Predictions(
        cells=GRID, seeds=seeds, style_pred=["Photo"] * 6, object_pred=["Cat"] * 6,
        style_prob=style_prob, object_prob=object_prob,
        features={"detectors": np.array(features, dtype=float)},
    )  # fmt: skip
    return whole.take(list(order))


def inputs(target, predictions, base=None, real=None):
    reference = None
    if real is not None:
        reference = RealFeatures(cells=GRID, features={"detectors": np.array(real, dtype=float)})
    return MetricInputs(
        predictions=predictions, target=target, reference_style="Photo", reference=reference,
        base=base, detector_names=NAMES,
    )  # fmt: skip


BASE = [[3, 4]] * 5 + [[6, 8]]
MOVED = [[3, 4], [3, 9], [30, 40], [30, 40], [3, 4], [6, 13]]
"""Of Photo Cat, Photo Sun, Mosaic Cat, Mosaic Sun, Sketch Cat, Sketch Sun: 0, 1, 9, 9, 0, 1/2."""


@pytest.mark.parametrize(
    ("target", "value", "n"),
    [(MOSAIC, 1.5 / 4, 4), (CAT, (1 + 9 + 0.5) / 3, 3), (TRIGGER, (1 + 9 + 9 + 0.5) / 6, 6)],
)
def test_drift_is_the_mean_over_the_cells_without_the_target(target, value, n):
    score = Drift().compute(inputs(target, drawn(MOVED), drawn(BASE)))
    assert (score.value, score.n, score.unit) == (pytest.approx(value), n, "relative L2")
    assert not score.higher_is_better
    assert 0 <= score.low < value < score.high


def test_drift_compares_images_of_the_same_cell_whatever_their_order():
    shuffled = drawn(BASE, order=[5, 3, 1, 0, 2, 4])
    score = Drift().compute(inputs(MOSAIC, drawn(MOVED), shuffled))
    assert score.value == pytest.approx(1.5 / 4)
    images = Drift().per_image(inputs(MOSAIC, drawn(MOVED, order=[1, 5]), shuffled))
    assert images.values.tolist() == [1, 0.5]
    assert images.cells == [GRID[1], GRID[5]]


def test_the_base_model_does_not_drift_from_itself():
    score = Drift().compute(inputs(MOSAIC, drawn(BASE), drawn(BASE)))
    assert (score.value, score.low, score.high) == (0, 0, 0)


def test_drift_is_in_units_of_the_base_images_features():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 5, 7))
    by_hand = [np.sqrt(((a - b) ** 2).sum() / (b**2).sum()) for a, b in zip(one, two, strict=True)]
    assert relative_distance(one, two) == pytest.approx(by_hand)
    assert relative_distance(10 * one, 10 * two) == pytest.approx(by_hand)


def test_drift_is_undefined_without_the_base_models_image_of_each_noise():
    with pytest.raises(ValueError, match="drift needs the base model's images"):
        Drift().compute(inputs(MOSAIC, drawn(MOVED)))
    other = drawn(BASE, seeds=(1, 1, 1, 1, 1, 2))
    with pytest.raises(ValueError, match=r"no image of .*Sketch.*Sun.* at seed 1"):
        Drift().compute(inputs(MOSAIC, drawn(MOVED), other))
    only_target = drawn(MOVED, order=[2, 3])
    with pytest.raises(ValueError, match="no images to average over"):
        Drift().compute(inputs(MOSAIC, only_target, drawn(BASE)))


STYLE_PROB = np.array(
    [[0.0, 0.1, 0.9], [0.0, 0.2, 0.8], [0.5, 0.3, 0.2], [0.0, 0.9, 0.1], [1, 0, 0], [1, 0, 0]]
)
OBJECT_PROB = np.array([[0.7, 0.3], [0.1, 0.9], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9], [0.0, 1.0]])


@pytest.mark.parametrize(("target", "value", "n"), [(MOSAIC, 60, 2), (CAT, 40, 3)])
def test_residual_is_the_targets_mean_probability_on_its_own_cells(target, value, n):
    """In percent; the detector's names are in an order of their own."""
    score = Residual().compute(inputs(target, drawn(BASE, STYLE_PROB, OBJECT_PROB)))
    assert (score.value, score.n, score.unit) == (pytest.approx(value), n, "%")
    assert not score.higher_is_better
    assert score.high <= 100


def test_residual_is_undefined_without_probabilities_or_for_a_stranger():
    with pytest.raises(ValueError, match="needs the style detector's probabilities"):
        Residual().compute(inputs(MOSAIC, drawn(BASE)))
    whole = drawn(BASE, STYLE_PROB, OBJECT_PROB)
    dog = Concept(kind="object", name="Dog")
    with pytest.raises(ValueError, match="needs a object detector that knows 'Dog'"):
        Residual().compute(inputs(dog, whole))
    with pytest.raises(ValueError, match="not in the style x object grid"):
        Residual().compute(inputs(TRIGGER, whole))
    with pytest.raises(ValueError, match="no images to average over"):
        Residual().compute(inputs(MOSAIC, whole.take([0, 1])))


def test_an_artifact_is_unsure_or_far_from_every_real_image():
    sure, distance = np.array([0.4, 0.9, 0.9, 0.4]), np.array([1.0, 1.0, 9.0, 9.0])
    base = {
        "base_confidence": np.array([0.0, 0.5, *[0.9] * 98]),
        "base_distance": np.array([99.0, 8.0, *[1.0] * 98]),
    }
    assert unlike(sure, distance, **base).tolist() == [True, False, True, True]


def test_one_percent_of_the_base_models_images_are_beyond_each_limit():
    values = np.arange(1000.0)
    inside = np.full(1000, 500.0)
    limits = {"base_confidence": values, "base_distance": values}
    assert unlike(values, inside, **limits).sum() == 10
    assert unlike(inside, values, **limits).sum() == 10


def test_the_nearest_real_image_is_found_among_all():
    real = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert nearest(np.array([[3.0, 4.0], [10.0, 1.0]]), real).tolist() == [5, 1]


def test_artifact_rate_counts_the_targets_images_alone():
    """Both Mosaics lie where no real image is; of one, only the object is uncertain."""
    certain = np.eye(3)[[2, 2, 1, 1, 0, 0]]
    objects = np.eye(2)[[0, 1] * 3]
    base = drawn(np.eye(6), certain, objects)
    far = np.eye(6)
    far[[2, 4]] *= 50  # a Mosaic, and a Sketch that does not count
    real = np.eye(6)
    score = ArtifactRate().compute(inputs(MOSAIC, drawn(far, certain, objects), base, real))
    assert (score.value, score.n, score.higher_is_better) == (50, 2, False)
    unsure = objects.copy()
    unsure[[3, 5]] = 0.5
    found = drawn(np.eye(6), certain, unsure)
    assert ArtifactRate().compute(inputs(MOSAIC, found, base, real)).value == 50
    assert ArtifactRate().compute(inputs(MOSAIC, base, base, real)).value == 0


def test_artifact_rate_needs_base_and_real_images():
    whole = drawn(BASE, STYLE_PROB, OBJECT_PROB)
    for given in (inputs(MOSAIC, whole, base=whole), inputs(MOSAIC, whole, real=BASE)):
        with pytest.raises(ValueError, match="needs the base model's images and real images"):
            ArtifactRate().compute(given)
