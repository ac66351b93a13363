"""What each measure tells apart: the nine erasers of 0.6, images in common, kinds of targets."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from metrics.per_image import PerImage
from tests.golden.historic import protocol
from unlearncanvas.engine.chunks import to_predictions
from unlearncanvas.engine.stored_rows import StoredRows, evaluation_of_results
from unlearncanvas.evaluations.grid.scores import target_scores
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.leaderboards import Collection, Run
from unlearncanvas.publish.report.page import Page
from unlearncanvas.publish.report.separated import separated_rows, separation_of
from unlearncanvas.results.reading import read_results
from unlearncanvas.types import Concept

COMMITTED = Path(__file__).parents[1] / "historic" / "submissions-0.6" / "mini"
SCORES = {
    "unlearning_accuracy": True,
    "in_domain_retain_accuracy": True,
    "cross_domain_retain_accuracy": True,
    "drift": False,
    "residual": False,
}
"""Whether a higher value is better."""
TARGETS = {
    "style": ("style:Watercolor", "style:Neon Lines", "style:Mosaic"),
    "object": ("object:Cat", "object:House", "object:Sail Boat"),
}


def predictions(name, target):
    (folder,) = COMMITTED.glob(f"{name}/*/targets/{target.slug}")
    return to_predictions([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


@pytest.fixture(scope="module")
def values():
    """Per eraser and target, the values of every image; drift from the images of ``none``."""
    rules = protocol("mini").model_copy(update={"metrics": tuple(SCORES)})
    found = {}
    for target in map(Concept.parse, [name for names in TARGETS.values() for name in names]):
        base = predictions("none", target)
        for folder in sorted(COMMITTED.iterdir()):
            if folder.name != "none":
                scored = target_scores(
                    rules, predictions(folder.name, target), target, None, base=base
                )
                found.setdefault(folder.name, {})[str(target)] = scored.per_image
    assert len(found) == 9
    return found


@pytest.mark.parametrize(
    ("kind", "score", "unadjusted", "simultaneous"),
    [
        ("style", "drift", 34, 33),
        ("style", "unlearning_accuracy", 15, 15),
        ("style", "in_domain_retain_accuracy", 20, 4),
        ("style", "cross_domain_retain_accuracy", 8, 8),
        ("object", "drift", 35, 35),
        ("object", "unlearning_accuracy", 13, 8),
        ("object", "in_domain_retain_accuracy", 8, 8),
        ("object", "cross_domain_retain_accuracy", 8, 8),
    ],
)
def test_drift_tells_apart_what_accuracies_do_not(values, kind, score, unadjusted, simultaneous):
    rows = [{name: scores[name] for name in TARGETS[kind]} for scores in values.values()]
    found = separation_of(rows, score, higher_is_better=SCORES[score])
    assert len(found.pairs) == 36
    assert sum(pair.apart_unadjusted for pair in found.pairs) == unadjusted
    assert sum(pair.apart for pair in found.pairs) == simultaneous


def test_the_means_are_those_of_the_scores(values):
    rows = [{name: scores[name] for name in TARGETS["style"]} for scores in values.values()]
    found = separation_of(rows, "drift", higher_is_better=False)
    for scores, mean in zip(rows, found.means, strict=True):
        of_targets = [scores[name]["drift"].values.mean() for name in TARGETS["style"]]
        assert mean == pytest.approx(np.mean(of_targets))


def test_only_images_that_all_have_count():
    def row(outcomes, cells):
        images = PerImage(np.array(outcomes), cells, [188] * len(cells))
        return {"style:Mosaic": {"unlearning_accuracy": images}}

    one = row([True, False] * 4, list("abcdefgh"))
    other = row([True, False] * 3 + [True, True], list("bacdefxy"))
    found = separation_of([one, other], "unlearning_accuracy", higher_is_better=True)
    assert found.means == (50, 50)
    third = row([True] * 5, list("abcde"))
    assert separation_of([one, third], "unlearning_accuracy", higher_is_better=True) is None


@pytest.fixture(scope="module")
def leaderboard():
    (found,) = collect([COMMITTED / name for name in ("esd", "none", "spm", "uce")]).leaderboards
    return found


def of_strangers(leaderboard, **changes):
    """The leaderboard, reported by others, with other results."""
    rows = {
        label: replace(
            row,
            trust="reported",
            run=row.run._replace(results=row.run.results.model_copy(update=changes)),
        )
        for label, row in leaderboard.rows.items()
    }
    return replace(leaderboard, rows=rows)


def test_the_page_shows_letters_ranks_and_pairs(leaderboard, tmp_path):
    html = Page(tmp_path, "three").write(Collection(leaderboards=[leaderboard])).read_text()
    assert "Pairs of 3 erasers that each measure tells apart" in html
    rows = re.findall(r'<th scope="row" data-value="(\w+)">.*?</tr>', html, flags=re.DOTALL)
    assert set(rows) == {"none", "esd", "spm", "uce"}
    for label in rows:
        (line,) = re.findall(rf'data-value="{label}">.*?</tr>', html, flags=re.DOTALL)
        letters = re.findall(r"<sup>([a-c]+)</sup>", line)
        assert len(letters) == (0 if label == "none" else 8)
    measures = html.split('<details class="separation">')[1].split("</details>")[0]
    assert measures.count("data-figure=") == measures.count("<table") == 8


def test_two_erasers_have_no_ranks(leaderboard):
    rows = {label: row for label, row in leaderboard.rows.items() if label != "uce"}
    assert separated_rows(replace(leaderboard, rows=rows)) == []


def test_what_strangers_name_elsewhere_is_not_read(leaderboard, tmp_path):
    assert len(separated_rows(of_strangers(leaderboard))) == 8
    elsewhere = {"protocol": str(tmp_path / "evil.yaml")}
    assert separated_rows(of_strangers(leaderboard, config=elsewhere)) == []
    esd = leaderboard.rows["esd"]
    chunk = shutil.copy(next(esd.source.parent.rglob("*.parquet")), tmp_path)
    moved = {
        name: row.model_copy(update={"chunks": (str(chunk),) * 2}) for name, row in esd.rows.items()
    }
    rows = {**leaderboard.rows, "esd": replace(esd, rows=moved)}
    assert separated_rows(replace(leaderboard, rows=rows)) == []


def test_a_base_models_images_elsewhere_are_not_read(tmp_path):
    """A run names the images of ``none`` too, which drift is measured from."""
    shutil.copytree(COMMITTED / "esd", tmp_path / "mini" / "esd")
    (path,) = (tmp_path / "mini").rglob("results.json")
    results = read_results(path)
    row = results.rows[0]
    elsewhere = shutil.copy(next(path.parent.rglob("*.parquet")), tmp_path / "elsewhere.parquet")
    name = os.path.relpath(elsewhere, path.parent)
    base = row.model_copy(update={"label": "none", "chunks": (name,) * len(row.chunks)})
    run = Run(path, results.model_copy(update={"rows": (*results.rows, base)}))
    rows = StoredRows(path=path, results=run.results, rows={"t": row}, file_of=run.file_of)
    with pytest.raises(ValueError, match=r"elsewhere.parquet is damaged or not there"):
        list(rows._units(base, rows._jobs[str(row.group["target"])]))


def test_one_torn_file_leaves_out_one_eraser(tmp_path, caplog):
    for name in ("esd", "none", "spm", "uce", "ca"):
        shutil.copytree(COMMITTED / name, tmp_path / "mini" / name)
    torn = next((tmp_path / "mini" / "ca").rglob("*.parquet"))
    torn.write_bytes(torn.read_bytes()[:100])
    (found,) = collect([tmp_path / "mini"]).leaderboards
    measured = separated_rows(found)
    assert {item.labels for item in measured} == {("esd", "spm", "uce")}
    assert "ca is left out of what can be told apart" in caplog.text


def test_results_of_a_protocol_that_is_not_kept_say_so(leaderboard):
    results = leaderboard.rows["esd"].run.results
    changed = results.model_copy(update={"protocol_digest": "0" * 64})
    with pytest.raises(ValueError, match=r"digest 000000000000, which is not kept here"):
        evaluation_of_results(changed)
