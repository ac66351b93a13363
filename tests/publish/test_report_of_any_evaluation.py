"""The page shows an evaluation that no file of the package names; rows of one group are merged."""

from pathlib import Path

import pytest
from PIL import Image

from metrics.base import Score
from unlearncanvas.publish.report import tables as report_tables
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.page import Page
from unlearncanvas.publish.report.papers import write_papers
from unlearncanvas.publish.report.tracked import finished
from unlearncanvas.results.cells import score_cell
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.schema import Comparison, Picture, Results, Row, write_results

DOCS = Path(__file__).parents[2] / "docs" / "results"
GROUP = {"step": "second request"}


def row(label, value, *, role="tested"):
    return Row(
        label=label, role=role, group=GROUP, eraser="" if role == "baseline" else label,
        settings={"strength": value}, erase_seed=0, num_images=4,
        scores={"left": Score(value=value, n=4, low=value - 1, high=value + 1, unit="%")},
        cost=None, seconds_per_image=None, artifact_digest=f"digest of {label}",
    )  # fmt: skip


def written(folder, labels, **changes):
    """Write the results of a run of two erasers with its picture."""
    first, second = labels
    results = Results(
        evaluation="counting", protocol="count", protocol_digest="d" * 64,
        tier="quick", subset=False, seeds=(1,), model="minicanvas", base_digest="b" * 64,
        rows=(row("base", 90.0, role="baseline"), row(first, 20.0), row(second, 30.0)),
        comparisons=(
            Comparison(
                group=GROUP, score="left", first=first, second=second, difference=-10.0,
                low=-17.5, high=-2.5, p_value=0.03,
            ),
        ),
        pictures=(Picture(path="all.png", name="overview", group=GROUP),
                  Picture(path="one.png", name="sheet", label=first, group=GROUP)),
        notes={"step second request": {"num_requests": 2, "in_order": True}},
        environment={"device": "cpu"},
        config={"erasers": [f"elsewhere.module:{name.title()}" for name in labels],
                "protocol": "/far/away/count.yaml", "dtype": "float32"},
    )  # fmt: skip
    path = write_results(folder, results.model_copy(update=changes))
    for name in ("all.png", "one.png"):
        Image.new("RGB", (4, 4)).save(path.with_name(name))
    return path


def counted(results):
    """The tables of an evaluation that this package does not have."""
    return [
        Table(
            title=f"Objects left, {results.protocol}",
            columns=[Column("model", "left"), Column("left ↓")],
            rows=[(row.label, score_cell(row.scores["left"])) for row in results.rows],
        )
    ]


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.setattr(report_tables, "tables_of", counted)
    written(tmp_path / "runs" / "one", ("alpha", "beta"))
    written(tmp_path / "runs" / "two", ("alpha", "gamma"))
    return collect([tmp_path / "runs"])


def test_runs_of_one_group_are_one_leaderboard(found):
    (leaderboard,) = found.leaderboards
    assert leaderboard.title == "count · step second request · 1 seed"
    assert list(leaderboard.rows) == ["base", "alpha", "beta", "gamma"]
    assert [row.status for row in leaderboard.rows.values()] == ["reference"] + 3 * ["ranked"]
    assert leaderboard.rows["gamma"].command == (
        "python -m unlearncanvas.bench --eraser elsewhere.module:Gamma --protocol count.yaml "
        "--set strength=30.0 --dtype float32 --device cpu"
    )


def test_another_note_is_another_leaderboard(tmp_path):
    written(tmp_path / "one", ("alpha", "beta"))
    written(tmp_path / "two", ("alpha", "beta"), notes={"step second request": {"num": 3}})
    assert len(collect([tmp_path]).leaderboards) == 2


def test_its_tables_comparisons_and_pictures_are_on_the_page(found, tmp_path):
    html = Page(tmp_path / "page", "any").write(found).read_text()
    for text in ("Objects left, count", "20.0", "[19.0, 21.0]", "num requests", "<dd>yes</dd>"):
        assert text in html
    assert "second request: left of two rows on the same images" in html
    assert "[-17.5, -2.5]" in html
    names = sorted(path.name for path in (tmp_path / "page" / "pictures").iterdir())
    assert names == [
        "leaderboard-0-0-second-request-overview.webp",
        "leaderboard-0-1-second-request-overview.webp", "row-0-1-second-request.webp",
    ]  # fmt: skip
    markdown, table, tex = write_papers(tmp_path / "page", found)
    assert "## Objects left, count" in markdown.read_text()
    assert "--eraser elsewhere.module:Alpha --eraser elsewhere.module:Beta" in markdown.read_text()
    assert "count,dddddddddddd,1,gamma,second request,left,30.0,29.0,31.0,4,%" in table.read_text()
    assert r"gamma & 30.0" in tex.read_text()


def test_it_is_tracked(found):
    runs = {run.name: (run, summary) for run, summary in finished(found)}
    assert set(runs) == {"alpha", "beta", "gamma"}
    run, summary = runs["alpha"]
    assert (run.config["evaluation"], run.config["groups"]) == (
        "counting", ["second request"]
    )  # fmt: skip
    assert summary.scores["second request/left"] == 20.0
    assert set(summary.pictures) == {"second request/overview", "second request/sheet"}


def test_a_picture_that_is_gone_is_left_out(found, tmp_path):
    for path in (tmp_path / "runs").rglob("*.png"):
        path.unlink()
    found = collect([tmp_path / "runs"])
    Page(tmp_path / "page", "any").write(found)
    assert not list((tmp_path / "page" / "pictures").iterdir())


def test_comparisons_of_the_evaluations_own_tables_are_not_repeated(tmp_path):
    """As in results of 0.5: a leaderboard for each attack, and one for half of the triggers."""
    paths = [DOCS / f"backdoor-badt2i-style{name}.json" for name in ("", "-multi-half-known")]
    found = collect(paths)
    assert [board.group["attack"] for board in found.leaderboards] == [
        "badt2i-style", "badt2i-style-multi"
    ]  # fmt: skip
    html = Page(tmp_path, "backdoors").write(found).read_text()
    assert html.count("badt2i-style: ASR of two erasers on the same images</b>") == 1
    assert "Rows compared on the same images" not in html
