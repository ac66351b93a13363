"""Metrics against the base model's images: in a run, a comparison, a bundle; on old images."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from tests.golden.historic import protocol
from tests.publish.test_submissions import CARD, cli, edit, seal
from unlearncanvas.engine.chunks import to_predictions
from unlearncanvas.evaluations.grid.scores import target_scores
from unlearncanvas.publish.submissions.leaderboard import write_hub_results
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.results.reading import read_results
from unlearncanvas.types import Concept

COMMITTED = Path(__file__).parents[2] / "historic" / "submissions-0.6" / "mini"
METRICS = ["unlearning_accuracy", "drift", "residual", "artifact_rate", "fid_minicanvas"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two erasers on one target: its folder and protocol."""
    folder = tmp_path_factory.mktemp("against")
    rules = write_protocol(folder, metrics=METRICS)
    done = run(
        "unlearncanvas.bench", "--eraser", "esd", "--eraser", "uce", "--protocol", str(rules),
        "--out", str(folder / "runs"), "--device", "cpu", "--tier", "smoke",
        *(f"esd.{value}" if "=" in value else value for value in ESD_SETTINGS),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("drift ↓", "residual ↓", "artifacts ↓"):
        assert text in " ".join(done.stdout.split())
    return folder, rules


@pytest.mark.slow
def test_a_run_compares_with_the_base_models_images(finished):
    (path,) = finished[0].glob("runs/small/esd+uce-*/smoke/results.json")
    results = read_results(path)
    rows = {row.label: row.scores for row in results.rows}
    assert (rows["none"]["drift"].value, rows["none"]["drift"].high) == (0, 0)
    assert 0 < rows["uce"]["drift"].value < rows["noise"]["drift"].value
    assert (rows["uce"]["drift"].n, rows["uce"]["residual"].n) == (4, 2)
    assert set(results.real_vs_real) == {"fid_minicanvas"}
    pairs = {pair.score: pair for pair in results.comparisons}
    assert set(pairs) == {"unlearning_accuracy", "drift", "residual", "artifact_rate"}
    assert (pairs["drift"].unit, pairs["residual"].unit) == ("relative L2", "%")
    for name in ("drift", "residual"):
        between = rows["esd"][name].value - rows["uce"][name].value
        assert pairs[name].difference == pytest.approx(between)
        assert pairs[name].low < between < pairs[name].high


@pytest.mark.slow
def test_stored_rows_are_compared_by_drift_and_residual(finished):
    runs = str(finished[0] / "runs")
    done = run(
        "unlearncanvas.cli.main", "compare", runs, runs, "--eraser", "esd", "--eraser", "uce"
    )
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if "style:Mosaic" in line and "│" in line]
    lines = {line.split()[3]: line for line in table}
    (path,) = finished[0].glob("runs/small/esd+uce-*/smoke/results.json")
    for pair in read_results(path).comparisons:
        if pair.score == "drift":
            assert f"{pair.difference:+.3f} " in done.stdout
            assert f"[{pair.low:+.3f}, {pair.high:+.3f}]" in done.stdout  # in the next line
    assert {"drift", "residual", "artifacts", "FID"} <= set(lines)


@pytest.mark.slow
def test_a_bundle_holds_the_base_models_images(finished, tmp_path):
    folder, rules = finished
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(CARD))
    done = cli(
        "submit", folder / "runs", "--eraser", "uce", "--card", tmp_path / "card.yaml", "--out",
        tmp_path / "submissions",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (bundle,) = (tmp_path / "submissions").glob("small/uce/*")
    assert reasons_against(bundle, protocol=str(rules)) == []
    rows = read_results(bundle / "results.json").rows
    assert [(row.label, row.role) for row in rows] == [("none", "baseline"), ("uce", "tested")]
    (path,) = write_hub_results(tmp_path / "submissions", tmp_path / "hub")
    said = [line["dataset"]["task_id"] for line in yaml.safe_load(path.read_text())]
    assert sorted(said) == sorted(f"small/smoke/style/{name}" for name in METRICS)
    before = (bundle / "results.json").read_text()
    edit(bundle / "results.json", _claim_no_drift)
    seal(bundle)
    reasons = " ".join(reasons_against(bundle, protocol=str(rules)))
    assert "drift is said to be 0, its predictions give" in reasons
    done = cli("reseal", bundle, "--protocol", rules)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uce style drift: " in done.stdout
    (bundle,) = (tmp_path / "submissions").glob("small/uce/*")
    assert json.loads((bundle / "results.json").read_text()) == json.loads(before)


def _claim_no_drift(said):
    for part in (said["rows"], said["means"]):
        part[-1]["scores"]["drift"].update(value=0.0, low=0.0, high=0.0)


@pytest.mark.parametrize(
    ("eraser", "target", "drift"),
    [
        ("uce", "style:Mosaic", 0.10097579832613832),
        ("uce", "object:Cat", 0.012312892740348448),
        ("esd", "style:Mosaic", 0.17570284127890623),
        ("esd", "object:Cat", 0.08710884433992609),
    ],
)
def test_drift_of_the_committed_bundles(eraser, target, drift):
    """Computed from their tables in ten lines of numpy, image by image."""
    target = Concept.parse(target)
    rules = protocol("mini").model_copy(update={"metrics": ("drift",)})
    erased, base = (_images(name, target) for name in (eraser, "none"))
    scores = target_scores(rules, erased, target, None, base=base).scores
    assert scores["drift"].value == pytest.approx(drift, rel=1e-12)
    assert scores["drift"].n == 180


def _images(eraser, target):
    paths = sorted(COMMITTED.glob(f"{eraser}/*/targets/{target.slug}/seed*.parquet"))
    return to_predictions([pq.read_table(path) for path in paths])
