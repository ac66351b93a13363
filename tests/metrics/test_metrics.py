"""Metrics by hand, in closed form, at the extremes, and against independent implementations."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from metrics.base import MetricInputs, Predictions, RealFeatures
from metrics.cross_domain_retain_accuracy import CrossDomainRetainAccuracy
from metrics.fid import FrechetDistance, frechet_distance
from metrics.in_domain_retain_accuracy import InDomainRetainAccuracy
from metrics.kid import KernelDistance, kernel_distance
from metrics.proportion import accuracy
from metrics.target_cross_domain_accuracy import TargetCrossDomainAccuracy
from metrics.unlearning_accuracy import UnlearningAccuracy
from unlearncanvas.types import Cell, Concept

STYLES, OBJECTS = ("Photo", "Mosaic", "Sketch"), ("Cat", "Sun")
MOSAIC, CAT = Concept(kind="style", name="Mosaic"), Concept(kind="object", name="Cat")
GRID = [Cell(style=style, object=obj) for style in STYLES for obj in OBJECTS]


def predictions(style_pred=None, object_pred=None, seeds=(1,), features=None):
    cells = [cell for _ in seeds for cell in GRID]
    return Predictions(
        cells=cells,
        seeds=[seed for seed in seeds for _ in GRID],
        style_pred=style_pred or [cell.style for cell in cells],
        object_pred=object_pred or [cell.object for cell in cells],
        features={} if features is None else {"detectors": features},
    )


def value(metric, target, given):
    return (
        metric()
        .compute(MetricInputs(predictions=given, target=target, reference_style="Photo"))
        .value
    )


def test_a_model_that_forgot_nothing():
    for target in (MOSAIC, CAT):
        assert value(UnlearningAccuracy, target, predictions()) == 0
        assert value(InDomainRetainAccuracy, target, predictions()) == 100
        assert value(CrossDomainRetainAccuracy, target, predictions()) == 100
        assert value(TargetCrossDomainAccuracy, target, predictions()) == 100


def test_by_hand():
    # asked:     Photo Cat, Photo Sun, Mosaic Cat, Mosaic Sun, Sketch Cat, Sketch Sun
    style_pred = ["Sketch", "Photo", "Photo", "Mosaic", "Sketch", "Photo"]
    object_pred = ["Cat", "Cat", "Sun", "Sun", "Cat", "Sun"]
    given = predictions(style_pred, object_pred)
    assert value(UnlearningAccuracy, MOSAIC, given) == 50  # one of two Mosaics is a Photo
    assert value(InDomainRetainAccuracy, MOSAIC, given) == 50  # Sketch: one of two; Photo not asked
    assert value(CrossDomainRetainAccuracy, MOSAIC, given) == 75  # Photo and Sketch: 3 of 4
    assert value(TargetCrossDomainAccuracy, MOSAIC, given) == 50  # Mosaic: Sun, Sun
    assert value(UnlearningAccuracy, CAT, given) == pytest.approx(100 / 3)
    assert value(InDomainRetainAccuracy, CAT, given) == pytest.approx(200 / 3)  # Photo counts
    assert value(CrossDomainRetainAccuracy, CAT, given) == pytest.approx(200 / 3)
    assert value(TargetCrossDomainAccuracy, CAT, given) == pytest.approx(100 / 3)


def test_shares_are_exact():
    """19 of 20 is 95, 2 of 3 is the double nearest to 200 / 3, 57 of 100 is 57."""
    for right, n in ((19, 20), (2, 3), (57, 100), (29, 50)):
        cells = [Cell(style=f"s{row}", object="Cat") for row in range(n)]
        seen = [cell.style if row < right else "?" for row, cell in enumerate(cells)]
        given = Predictions(cells=cells, seeds=[1] * n, style_pred=seen, object_pred=["Cat"] * n)
        assert accuracy(given, "style").value == 100 * right / n


def test_a_model_that_forgot_everything():
    given = predictions(["Nothing"] * 6, ["Nothing"] * 6)
    assert value(UnlearningAccuracy, MOSAIC, given) == 100
    assert value(InDomainRetainAccuracy, MOSAIC, given) == 0
    assert value(CrossDomainRetainAccuracy, CAT, given) == 0


def test_order_of_the_images_does_not_matter():
    style_pred = ["Sketch", "Photo", "Photo", "Mosaic", "Sketch", "Photo"] * 2
    given = predictions(style_pred, seeds=(1, 2))
    shuffled = np.random.default_rng(0).permutation(12).tolist()
    other = Predictions(
        cells=[given.cells[i] for i in shuffled],
        seeds=[given.seeds[i] for i in shuffled],
        style_pred=[given.style_pred[i] for i in shuffled],
        object_pred=[given.object_pred[i] for i in shuffled],
    )
    assert value(UnlearningAccuracy, MOSAIC, given) == value(UnlearningAccuracy, MOSAIC, other)


def test_accuracy_agrees_with_scikit_style_counting():
    rng = np.random.default_rng(3)
    style_pred = rng.choice(STYLES, size=60).tolist()
    given = predictions(style_pred, seeds=tuple(range(10)))
    asked = [cell.style for cell in given.cells]
    pairs = [(a, p) for a, p in zip(asked, style_pred, strict=True) if a == "Mosaic"]
    expected = 100 * sum(a != p for a, p in pairs) / len(pairs)
    assert value(UnlearningAccuracy, MOSAIC, given) == pytest.approx(expected)


def test_no_images_of_the_target_is_an_error():
    unknown = Concept(kind="style", name="Cubism")
    with pytest.raises(ValueError, match="undefined"):
        value(UnlearningAccuracy, unknown, predictions())


def test_a_trigger_has_no_accuracy_on_the_grid():
    with pytest.raises(ValueError, match="not in the style x object grid"):
        value(UnlearningAccuracy, Concept(kind="trigger", name="x"), predictions())


def test_score_carries_n_interval_and_direction():
    score = UnlearningAccuracy().compute(
        MetricInputs(predictions=predictions(), target=MOSAIC, reference_style="Photo")
    )
    assert (score.n, score.unit, score.higher_is_better, score.low) == (2, "%", True, 0)
    assert 50 < score.high < 70  # Wilson at 0 of 2


def gaussian(n, mean, scale, seed):
    return np.random.default_rng(seed).normal(mean, scale, size=(n, 4))


def test_fid_of_gaussians_is_the_closed_form():
    """|m|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) with diagonal covariances."""
    mean, scale = np.array([1.0, 0, 0, 2.0]), np.array([1.0, 2.0, 1.0, 0.5])
    x, y = gaussian(200_000, 0, 1, 0), gaussian(200_000, mean, scale, 1)
    expected = (mean**2).sum() + ((1 - scale) ** 2).sum()
    assert frechet_distance(y, x) == pytest.approx(expected, rel=0.02)


def test_fid_agrees_with_clean_fid():
    from cleanfid.fid import frechet_distance as clean_fid

    x, y = gaussian(300, 0, 1, 0), gaussian(300, 0.5, 1.5, 1)
    moments = [(part.mean(axis=0), np.cov(part, rowvar=False)) for part in (x, y)]
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # clean-fid calls sqrtm(disp=False)
        expected = clean_fid(*moments[0], *moments[1])
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_fid_and_kid_of_the_same_images():
    x = gaussian(100, 0, 1, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)
    assert kernel_distance(x, x, subset_size=50, num_subsets=20) < 0.05


def test_kid_agrees_with_the_formula_on_one_whole_subset():
    x, y = gaussian(40, 0, 1, 0), gaussian(40, 0.3, 1.2, 1)

    def kernel(a, b):
        return (a @ b.T / 4 + 1) ** 3

    def off(k):
        return (k.sum() - np.trace(k)) / (40 * 39)

    expected = off(kernel(x, x)) + off(kernel(y, y)) - 2 * kernel(x, y).mean()
    assert kernel_distance(x, y, subset_size=40, num_subsets=1) == pytest.approx(expected, rel=1e-6)


def test_kid_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    x = gaussian(20, 0, 1, 0)
    first = kernel_distance(x, x + 1, subset_size=10, num_subsets=3)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(123)
    assert kernel_distance(x, x + 1, subset_size=10, num_subsets=3) == first


def feature_question(target, features, reference):
    return MetricInputs(
        predictions=predictions(seeds=tuple(range(10)), features=features),
        target=target,
        reference_style="Photo",
        reference=reference,
    )


def test_fid_and_kid_read_the_retained_cells_only():
    cells = [cell for _ in range(10) for cell in GRID]
    rng = np.random.default_rng(0)
    features, real = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
    ruined = features.copy()
    ruined[[cell.style == "Mosaic" for cell in cells]] += 100
    reference = RealFeatures(cells=cells, features={"detectors": real})
    for metric in (FrechetDistance(), KernelDistance(subset_size=20, num_subsets=5)):
        clean = metric.compute(feature_question(MOSAIC, features, reference))
        assert metric.compute(feature_question(MOSAIC, ruined, reference)) == clean
        assert metric.compute(feature_question(CAT, ruined, reference)).value > clean.value
        assert clean.n == 40
        assert clean.low <= clean.value <= clean.high


def test_fid_and_kid_refuse_what_they_cannot_compare():
    cells = [cell for _ in range(10) for cell in GRID]
    real = np.zeros((60, 4))
    metric = FrechetDistance()
    short = RealFeatures(cells=cells[:-1], features={"detectors": real[:-1]})
    with pytest.raises(ValueError, match="as many real images as generated"):
        metric.compute(feature_question(CAT, real, short))
    with pytest.raises(ValueError, match="needs detectors features"):
        metric.compute(feature_question(CAT, None, short))
    with pytest.raises(ValueError, match="at least two images"):
        frechet_distance(real[:1], real)
    with pytest.raises(ValueError, match="at least 50 images"):
        kernel_distance(real[:10], real, subset_size=50, num_subsets=1)
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        KernelDistance(subset_size=1, num_subsets=50)


def test_fid_and_kid_wait_for_no_other_process(tmp_path):
    """The other process of a group has left; a score is computed by one process alone."""
    join = (
        "import sys, torch.distributed as group\n"
        "group.init_process_group('gloo', init_method=sys.argv[1], rank=1, world_size=2)\n"
    )
    address = (tmp_path / "meeting").as_uri()
    other = subprocess.Popen([sys.executable, "-c", join, address])
    torch.distributed.init_process_group("gloo", init_method=address, rank=0, world_size=2)
    try:
        assert other.wait(timeout=60) == 0
        x = gaussian(20, 0, 1, 0)
        assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)
        assert kernel_distance(x, x, subset_size=10, num_subsets=3) < 0.5
    finally:
        torch.distributed.destroy_process_group()
