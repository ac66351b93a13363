"""A metric is one class and one config: every table then shows it, by its own heading."""

import shutil

import pytest

from metrics.base import Score
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from unlearncanvas.core import registry as files
from unlearncanvas.results.headings import Heading, heading_of, interval_text, value_text
from unlearncanvas.results.reading import read_results

NAME = "plain_proportion_loud"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """The registry with one file more."""
    folder = tmp_path / "configs"
    shutil.copytree(files.CONFIG_DIR, folder)
    (folder / "metrics" / f"{NAME}.yaml").write_text(
        "class: tests.fixtures.plain_proportion.PlainProportion\nloud: true\n"
        "about: {title: colored images, column: in color!, higher_is_better: false}\n"
    )
    monkeypatch.setattr(files, "CONFIG_DIR", folder)
    return folder


def test_headings_of_the_shipped_metrics():
    found = {name: heading_of(name).label for name in files.names("metrics")}
    assert found == {
        "artifact_rate": "artifacts",
        "cross_domain_retain_accuracy": "CRA",
        "cross_domain_retain_accuracy_whole_grid": "CRA whole grid",
        "drift": "drift",
        "fid_inception_clean": "FID",
        "fid_inception_torchvision": "FID (torchvision)",
        "fid_minicanvas": "FID",
        "in_domain_retain_accuracy": "IRA",
        "in_domain_retain_accuracy_with_photo": "IRA with Photo",
        "kid_inception_clean": "KID x1000",
        "kid_minicanvas": "KID x1000",
        "mixed_wordings_accuracy": "retained, mixed",
        "residual": "residual",
        "target_cross_domain_accuracy": "CRA on target",
        "unlearning_accuracy": "UA",
        "unlearning_accuracy_descriptions": "UA descriptions",
        "unlearning_accuracy_languages": "UA languages",
        "unlearning_accuracy_over_forms": "UA forms",
        "unlearning_accuracy_sentences": "UA sentences",
        "unlearning_accuracy_synonyms": "UA synonyms",
    }


def test_a_score_of_an_unknown_metric_goes_by_its_name():
    assert heading_of("drift_of_2027") == Heading("drift_of_2027", "drift of 2027", None)
    score = Score(value=1.234, low=1.2, high=1.301, n=1, unit="RMSE")
    assert (value_text(score), interval_text(score)) == ("1.23", "[1.20, 1.30]")
    assert (value_text(score, 1), interval_text(score, 0)) == ("1.2", "[1, 1]")


@pytest.mark.slow
def test_a_metric_of_one_class_and_one_config_is_in_every_table(registry, tmp_path):
    metrics = ["unlearning_accuracy", NAME, "fid_minicanvas"]
    protocol, out = write_protocol(tmp_path, metrics=metrics), tmp_path / "runs"
    done = run(
        "unlearncanvas.bench", "--eraser", "esd", "--protocol", str(protocol), "--tier", "smoke",
        "--out", str(out), "--device", "cpu", *ESD_SETTINGS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "in color! ↓" in done.stdout
    (path,) = out.glob("small/esd-*/smoke/results.json")
    rows = {row.label: row.scores for row in read_results(path).means}
    value = f"{rows['esd'][NAME].value:.2f}"
    assert f" {value} " in done.stdout

    page = tmp_path / "page"
    assert run("unlearncanvas.cli.main", "report", str(out), "--out", str(page)).returncode == 0
    assert "style in color! ↓" in (page / "index.html").read_text()
    markdown = (page / "report.md").read_text()
    assert "| style UA ↑ | style in color! ↓ | style FID ↓ |" in markdown
    assert f"| {value} " in markdown
    assert r"style in color! $\downarrow$" in (page / "data" / "table.tex").read_text()
    assert f",{NAME}," in (page / "data" / "table.csv").read_text()

    compared = run(
        "unlearncanvas.cli.main",
        "compare",
        str(out),
        str(out),
        "--eraser",
        "esd",
        "--eraser",
        "none",
    )
    lines = [line.split("│") for line in compared.stdout.splitlines()]
    found = {
        line[2].strip(): [part.strip() for part in line[3:]]
        for line in lines
        if len(line) > 8 and line[2].strip()  # the second line of a row holds its interval
    }
    assert list(found) == ["UA", "in color!", "FID"]
    assert found["in color!"][1] == f"{rows['none'][NAME].value:.2f}"
    gap = rows["esd"]["fid_minicanvas"].value - rows["none"]["fid_minicanvas"].value
    assert abs(float(found["FID"][2]) - gap) < 0.05 + 0.01 * abs(gap)

    listed = run("unlearncanvas.cli.main", "ls", "metrics")
    assert "column in color! · %, lower is better" in listed.stdout
