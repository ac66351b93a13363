"""A third evaluation in one folder outside the package, with one protocol file: all of it works.

Nothing in the package names it; see ``tests/fixtures/bare_names``.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.fixtures.in_process import run
from tests.fixtures.small_grid import numbers, write_protocol
from tests.publish.test_submissions import CARD, edit, seal
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ERASERS = ["--eraser", "esd", "--eraser", "uce"]
FAST = [f"esd.{key}={value}" for key, value in
        {"steps": 2, "batch_size": 1, "num_inference_steps": 2}.items()]  # fmt: skip


def write(folder):
    rules = {
        "kind": "tests.fixtures.bare_names", "name": "bare", "title": "Bare names",
        "grid": str(write_protocol(folder)), "targets": ["Mosaic", "Neon Lines"],
        "seeds": [11, 12], "erase_seed": 0, "default_tier": "quick",
        "tiers": {"quick": {"num_targets": 2}, "smoke": {"num_targets": 1}},
    }  # fmt: skip
    path = folder / "bare.yaml"
    path.write_text(yaml.safe_dump(rules))
    return path


def bench(protocol, out, *options):
    settings = [part for setting in FAST for part in ("--set", setting)]
    return run(
        "unlearncanvas.bench", "--protocol", str(protocol), "--out", str(out), "--device", "cpu",
        *ERASERS, *settings, *options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("third")
    protocol = write(folder)
    done = bench(protocol, folder / "runs")
    assert done.returncode == 0, done.stderr
    return protocol, folder / "runs", done.stdout


def test_nothing_else_knows_of_it():
    found = subprocess.run(
        ["git", "grep", "-lE", "bare_names|BareNames"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout.splitlines()  # fmt: skip
    own = ("tests/fixtures/bare_names/", "tests/end_to_end/test_third", "CONTRIBUTING.md")
    assert found
    assert all(path.startswith(own) for path in found), found


def test_it_is_listed_and_forecast(finished, tmp_path):
    protocol, _, _ = finished
    listed = run("unlearncanvas.cli.main", "ls", "targets", "--protocol", str(protocol))
    assert listed.returncode == 0, listed.stderr
    assert "Neon Lines" in listed.stdout
    assert "by its bare name" in listed.stdout
    said = bench(protocol, tmp_path, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert "24 images" in said.stdout  # 2 objects x 2 seeds x 2 targets x 3 models
    assert "time:" in said.stdout
    assert not list(tmp_path.rglob("*.parquet"))


def test_it_runs_and_its_rows_are_compared(finished):
    _, out, printed = finished
    assert "Asked by name alone" in printed
    results = read_results(next(out.rglob("results.json")))
    assert results.evaluation == "tests.fixtures.bare_names"
    assert [row.label for row in results.rows] == ["base model"] * 2 + ["esd"] * 2 + ["uce"] * 2
    assert [(pair.first, pair.second) for pair in results.comparisons] == [("esd", "uce")] * 2
    assert len(results.pictures) == 4
    frame = results.to_pandas()
    assert list(frame["label"]) == [row.label for row in results.rows]
    assert list(frame["named"]) == [row.scores["named"].value for row in results.rows]
    figures = results.figures()
    assert set(figures) > {"sheet esd style:Mosaic", "sheet uce style:Neon Lines"}
    assert figures["sheet esd style:Mosaic"].width > 0


def test_it_resumes(finished):
    protocol, out, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert len(before) == 12
    again = bench(protocol, out)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before


def test_its_shards_are_the_whole(finished, tmp_path):
    protocol, out, _ = finished
    for index in range(2):
        done = bench(protocol, tmp_path, "--shard", f"{index}/2")
        assert done.returncode == 0, done.stderr
        assert "its 6 of 12 chunks are drawn" in " ".join(done.stdout.split())
    assert bench(protocol, tmp_path).returncode == 0
    assert numbers(tmp_path) == numbers(out)


def test_it_is_on_the_page_with_its_tables_comparisons_and_pictures(finished, tmp_path):
    _, out, _ = finished
    done = run("unlearncanvas.cli.main", "report", str(out), "--out", str(tmp_path / "page"))
    assert done.returncode == 0, done.stderr
    assert "2 leaderboards, 6 rows" in " ".join(done.stdout.split())
    html = (tmp_path / "page" / "index.html").read_text()
    assert html.count("Asked by name alone · bare quick</b>") == 2
    assert html.count(": named of two rows on the same images</b>") == 2
    assert html.count('<img src="pictures/row-') == 4
    assert "--eraser esd --eraser uce" in html
    markdown = (tmp_path / "page" / "report.md").read_text()
    assert "## Asked by name alone · bare quick" in markdown
    assert "style:Mosaic,named," in (tmp_path / "page" / "data" / "table.csv").read_text()


def test_its_rows_are_compared_and_tracked_later(finished, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    _, out, _ = finished
    done = run(
        "unlearncanvas.cli.main", "compare", str(out), str(out), "--eraser", "esd", "--eraser",
        "uce",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (results,) = map(read_results, out.rglob("results.json"))
    for pair in results.comparisons:
        (line,) = (line for line in done.stdout.splitlines() if pair.group["target"] in line)
        cells = [cell.strip() for cell in line.split("│")]
        assert (cells[5], cells[6]) == (f"{pair.difference:+.1f}", f"{pair.p_value:.2g}")
    sent = run("unlearncanvas.cli.main", "track", str(out), "--track", "tensorboard")
    assert sent.returncode == 0, sent.stderr
    assert "2 runs sent to tensorboard" in sent.stdout


def test_it_is_submitted_validated_and_verified(finished, tmp_path):
    protocol, out, _ = finished
    card = tmp_path / "card.yaml"
    card.write_text(yaml.safe_dump(CARD))
    submit = ("--eraser", "uce", "--card", str(card), "--out", str(tmp_path / "bundles"))
    done = run("unlearncanvas.cli.main", "submit", str(out), *submit)
    assert done.returncode == 0, done.stdout + done.stderr
    (bundle,) = (tmp_path / "bundles").glob("bare/uce/*")
    draw = ("--images", "6", "--seed", "1", "--device", "cpu", "--protocol", str(protocol))
    done = run("unlearncanvas.cli.main", "verify", str(bundle), "--by", "me", *draw)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified" in done.stdout
    edit(bundle / "results.json", lambda said: said["rows"][0]["scores"]["named"].update(n=99))
    seal(bundle)
    (reason,) = reasons_against(bundle, protocol=str(protocol))
    assert reason.startswith("uce-style-Mosaic: named is said to be")
