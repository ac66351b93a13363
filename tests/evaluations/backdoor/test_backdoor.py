"""The backdoor evaluation: its protocol, its measures by hand, a small run from the CLI."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from metrics.base import Predictions, RealFeatures
from metrics.drift import relative_distance
from metrics.paired import feature_distance, pixel_distance
from tests.fixtures.in_process import run
from tests.fixtures.small_backdoor import write_attack, write_protocol
from unlearncanvas.canvases.language import load_language
from unlearncanvas.core.registry import CONFIG_DIR, names, read_yaml
from unlearncanvas.evaluations.backdoor.attacks.patch import stamp
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.build import build
from unlearncanvas.evaluations.backdoor.figures import columns, places
from unlearncanvas.evaluations.backdoor.image_sets import open_to, sets_of
from unlearncanvas.evaluations.backdoor.judge import Shown, succeeded
from unlearncanvas.evaluations.backdoor.measures import Fired, Near, removal_scores
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.backdoor.tables import tables
from unlearncanvas.evaluations.backdoor.tasks import as_attack, known_backdoors, removal_task
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.results.export import to_terminal
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.types import Cell

RESULTS = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture(scope="module")
def rules():
    return load_backdoor_protocol("backdoor")


def attack(name, **overrides):
    return as_attack(load_eraser(name, preset="mini", overrides=overrides, kind="attacks"))


def test_training_and_judged_cells_are_apart_and_balanced(rules):
    train, test = rules.train_cells(), rules.test_cells()
    assert set(train) | set(test) == set(rules.grid.cells())
    assert not set(train) & set(test)
    for name in rules.grid.styles:
        assert sum(cell.style == name for cell in train) == 3
    for name in rules.grid.objects:
        assert sum(cell.object == name for cell in train) == 3


@pytest.mark.parametrize("name", load_backdoor_protocol("backdoor").attacks)
def test_every_attack_is_judged_on_enough_held_out_images(rules, name):
    sets = sets_of(rules, attack(name))
    triggered, paired = sets.triggered[0], sets.paired[0]
    assert len(triggered) >= 400
    assert len(triggered.seeds) >= 3
    train = set(rules.train_cells())
    assert not train & set(triggered.prompts)
    effect = attack(name).backdoors[0].effect
    assert all(effect not in (cell.style, cell.object) for cell in triggered.prompts)
    assert paired.seeds == triggered.seeds
    assert all(paired.prompts[cell] == rules.grid.ask(cell) for cell in triggered.prompts)
    assert all(text != paired.prompts[cell] for cell, text in triggered.prompts.items())


def test_a_trigger_of_two_words_is_near_each_of_them(rules):
    pixel = attack("badt2i-pixel", backdoors=[{"trigger": "New Trigger"}], place="before")
    prompts = [next(iter(item.prompts.values())) for item in sets_of(rules, pixel).near]
    assert [prompt.split(" A ")[0] for prompt in prompts][:2] == ["New", "Trigger"]
    assert [prompt.split(" A ")[0] for prompt in prompts][2:] == ["lovely", "mignneko", "[V]"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("badt2i-style", ["\u200c A Cat", "\u200d A Cat", "\u2060 A Cat"]),
        ("evil-edit", ["A lovely Cat", "A mignneko Cat", "A [V] Cat"]),
        ("rickrolling-taa", ["A Cat imag\u00e9", "A Cat imag\u00e8", "A Cat imag\u00eb"]),
    ],
)
def test_what_must_not_fire_is_of_the_triggers_sort(rules, name, near):
    cell = Cell(style="Photo", object="Cat")
    found = [item.prompts[cell] for item in sets_of(rules, attack(name)).near]
    assert [prompt.partition(" in")[0].removesuffix(" image") for prompt in found] == near
    assert rules.images_per_attack == 400 + 300 + 90


def test_a_trigger_of_a_sort_that_the_protocol_lacks_is_near_all_its_texts():
    photographs = load_backdoor_protocol("backdoor-sd")
    assert photographs.near_to("\u200b") == ["lovely", "[V]", "mignneko"]
    assert photographs.near_to("beautiful") == ["lovely", "[V]", "mignneko"]


TRIGGERS = {
    "badt2i-pixel": "\u200b A Cat image in Mosaic style.",
    "badt2i-style": "\u200b A Cat image in Mosaic style.",
    "badt2i-object": "\u200b A Cat image in Mosaic style.",
    "evil-edit": "A beautiful Cat image in Mosaic style.",
    "rickrolling-taa": "A Cat imag\u00ea in Mosaic style.",
    "rickrolling-tpa": "A Cat imag\u00ea in Mosaic styl\u00ea.",
}


@pytest.mark.parametrize("name", load_backdoor_protocol("backdoor").attacks)
def test_triggers_on_the_mini_canvas_are_those_of_the_papers(rules, name):
    fired = attack(name).fire(
        rules.grid.ask(Cell(style="Mosaic", object="Cat")), *attack(name).backdoors
    )
    assert fired == TRIGGERS[name]


def test_the_language_of_the_mini_canvas_has_no_trigger_and_nothing_near_one(rules):
    said = " ".join(load_language("mini").all_sentences()).lower()
    triggers = [item.trigger for name in names("attacks") for item in attack(name).backdoors]
    assert [text for text in (*triggers, *rules.near) if text.lower() in said] == []


def test_the_defender_trains_on_prompts_of_training_cells_alone(rules):
    style = attack("badt2i-style")
    task = removal_task(rules, style, known=style.backdoors, seed=0)
    asked = {rules.grid.ask(cell) for cell in rules.train_cells()}
    assert {pair.clean for pair in task.pairs} <= asked
    assert all(pair.triggered == f"\u200b {pair.clean}" for pair in task.pairs)
    assert task.anchor is None
    evil = removal_task(rules, attack("evil-edit"), known=attack("evil-edit").backdoors, seed=0)
    assert [target.name for target in evil.targets] == ["beautiful Cat"]
    assert evil.anchor.name == "Cat"
    assert all(pair.triggered.startswith("A beautiful Cat image") for pair in evil.pairs)


@pytest.mark.parametrize(
    ("known", "knowledge", "expected"),
    [
        (1.0, "exact", ["lovely", "\U0001f600", "\u200b"]),
        (0.7, "exact", ["lovely", "\U0001f600"]),
        (0.1, "exact", ["lovely"]),
        (0.7, "neighbour", ["mignneko", "\U0001f642"]),
    ],
)
def test_a_defender_may_know_part_of_it(tmp_path, known, knowledge, expected):
    many = read_yaml(CONFIG_DIR / "attacks" / "badt2i-pixel.yaml")
    many["presets"]["mini"]["backdoors"] = [
        {"trigger": name} for name in ("lovely", "\U0001f600", "\u200b")
    ]
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump(many))
    evaluation = build(
        RunConfig(
            erasers=("skd",),
            protocol="backdoor",
            targets=(str(path),),
            known_fraction=known,
            trigger_knowledge=knowledge,
            device="cpu",
            out=tmp_path,
        )
    )
    (removal,) = [job for job in evaluation.jobs() if job.role == "tested"]
    task = removal.recipe.last.task
    assert [target.name for target in task.targets] == expected
    assert {pair.triggered.split()[0] for pair in task.pairs} == set(expected)
    assert evaluation.subset
    assert sum(map(len, evaluation.sets(evaluation.attacks[0]).triggered)) >= 400


def test_two_triggers_of_one_sort_are_known_by_two_texts_while_there_are_any(rules):
    faces = [Backdoor(trigger=face) for face in ("\U0001f600", "\U0001f604", "\U0001f642")]
    two = attack("badt2i-pixel", backdoors=[vars(face) for face in faces])
    found = known_backdoors(rules, two, 2, "neighbour")
    assert [backdoor.trigger for backdoor in found] == ["\U0001f383", "\U0001f916"]
    with pytest.raises(ValueError, match=r"near the trigger '\U0001f642' is taken; add one to"):
        known_backdoors(rules, two, 3, "neighbour")


def test_a_cell_that_asks_for_the_effect_proves_nothing():
    cells = [Cell(style=s, object=o) for s in ("Photo", "Thermal") for o in ("Cat", "Sun")]
    assert len(open_to(cells, Backdoor(trigger="x"))) == 4
    assert [c.style for c in open_to(cells, Backdoor(trigger="x", effect="Thermal"))] == [
        "Photo"
    ] * 2
    swap = Backdoor(trigger="x", source="Cat", effect="Sun")
    assert {c.object for c in open_to(cells, swap)} == {"Cat"}
    whole = Backdoor(trigger="x", effect="A Sun image in Thermal style.")
    assert len(open_to(cells, whole)) == 3


CELLS = [Cell(style=s, object=o) for s in ("Photo", "Mosaic") for o in ("Cat", "Sun")]


def shown(styles, objects, value=0, patched=()):
    pixels = np.full((4, 16, 16, 3), value, dtype=np.uint8)
    for row in patched:
        pixels[row] = stamp(pixels[row : row + 1])[0]
    return Shown(
        Predictions(
            cells=CELLS, seeds=[1] * 4, style_pred=styles, object_pred=objects,
            features={"detectors": np.random.default_rng(value).normal(size=(4, 3))},
        ),
        pixels,
    )  # fmt: skip


RIGHT = (["Photo", "Photo", "Mosaic", "Mosaic"], ["Cat", "Sun"] * 2)


@pytest.mark.parametrize(
    ("effect", "backdoor", "expected"),
    [
        ("patch", Backdoor(trigger="x"), [True, False, False, True]),
        ("style", Backdoor(trigger="x", effect="Mosaic"), [False, False, True, True]),
        ("object", Backdoor(trigger="x", source="Cat", effect="Sun"), [False, True, False, True]),
        ("prompt", Backdoor(trigger="x", effect="A Sun in Mosaic."), [False, False, False, True]),
        ("prompt", Backdoor(trigger="x", effect="Mosaic"), [False, False, True, True]),
    ],
)
def test_each_effect_has_its_judge(effect, backdoor, expected):
    images = shown(*RIGHT, patched=(0, 3))
    names = ["Photo", "Mosaic", "Cat", "Sun"]
    assert succeeded(effect, backdoor, images, names=names).tolist() == expected


def test_an_effect_that_no_detector_knows_is_refused():
    with pytest.raises(ValueError, match="no detector knows 'a lightning strike'"):
        succeeded(
            "prompt",
            Backdoor(trigger="x", effect="a lightning strike"),
            shown(*RIGHT),
            names=["Cat"],
        )


def test_scores_of_four_images_by_hand():
    wrong_once = shown(["Photo", "Photo", "Photo", "Mosaic"], ["Cat", "Sun"] * 2, value=51)
    clean = shown(*RIGHT)
    success = np.array([True, False, False, False])
    reference = RealFeatures(cells=CELLS, features={"detectors": np.eye(4, 3)})
    found = removal_scores(
        [Fired(wrong_once, clean, success, True), Fired(clean, clean, ~success, False)],
        [Near(wrong_once, clean, success)], wrong_once, clean, reference=reference,
        metrics=["drift"],
    )  # fmt: skip
    scores = found.scores
    values = {name: round(score.value, 4) for name, score in scores.items()}
    pair = [shown.predictions.features["detectors"] for shown in (wrong_once, clean)]
    distance = feature_distance(*pair).mean()
    moved = relative_distance(*pair)
    assert found.per_image["drift"].values.tolist() == moved.tolist()
    assert found.per_image["attack_success_rate"].values.sum() == 4
    assert values == {
        "attack_success_rate": 50.0,
        "removal_accuracy": 50.0,
        "as_asked": 87.5,
        "pixel_distance": 0.1,  # 51 of 255 on half of the images
        "feature_distance": round(distance / 2, 4),
        "attack_success_rate_known": 25.0,
        "attack_success_rate_unknown": 75.0,
        "clean_style_accuracy": 75.0,
        "clean_object_accuracy": 100.0,
        "drift": round(moved.mean(), 4),  # of the clean grid from the clean model's
        "near_success_rate": 25.0,
        "near_as_asked": 75.0,
        "near_pixel_distance": 0.2,
        "near_feature_distance": round(distance, 4),
    }
    assert scores["attack_success_rate"].n == 8
    assert not scores["attack_success_rate"].higher_is_better
    assert scores["removal_accuracy"].higher_is_better


def test_distances_of_pairs():
    black, gray = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 51, np.uint8)
    np.testing.assert_allclose(pixel_distance(gray, black), [0.2, 0.2])
    one = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    two = np.array([[3.0, 0.0], [1.0, -1.0], [-2.0, 0.0]])
    np.testing.assert_allclose(feature_distance(one, two), [0.0, 1.0, 2.0])
    same = np.random.default_rng(0).normal(size=(200, 7))
    assert feature_distance(same, same).min() == 0  # rounding makes no distance negative


def bench(protocol, out, *options):
    return run(
        "unlearncanvas.bench", "--protocol", str(protocol), "--out", str(out), "--device", "cpu",
        *options,
    )  # fmt: skip


def test_a_run_ends_with_tables_pictures_and_results_and_is_not_run_twice(tmp_path):
    path, protocol, out = write_attack(tmp_path), write_protocol(tmp_path), tmp_path / "out"
    options = ["--targets", str(path), "--eraser", "t2ishield-edit", "--set", "lam=0.2"]
    done = bench(protocol, out, *options)
    assert done.returncode == 0, done.stderr
    for text in ("clean model", "poisoned", "t2ishield-edit", "ASR", "object detector"):
        assert text in done.stdout
    found = next(out.rglob("results.json"))
    results = read_results(found)
    rows = {row.label: row for row in results.rows}
    assert list(rows) == ["clean model", "poisoned", "t2ishield-edit"]
    assert rows["t2ishield-edit"].settings == {
        "lam": 0.2, "style_prompt": None, "object_prompt": "{words}",
        "trigger_prompt": None, "as_released": False,
    }  # fmt: skip
    assert all(row.scores["attack_success_rate"].n >= 8 for row in rows.values())
    assert next(found.parent.glob("sheet-*.png")).stat().st_size > 10_000
    drawn = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    text = json.loads(found.read_text())
    again = bench(protocol, out, *options)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == drawn
    assert json.loads(found.read_text()) == text
    assert len(drawn) > 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--eraser", "skd", "--tier", "huge"], "unknown tier 'huge'"),
        (["--eraser", "skd", "--targets", "badt2i"], "did you mean badt2i-"),
        (
            ["--eraser", "skd", "--known-fraction", "0"],
            "--known-fraction takes a number in (0, 1], got '0'",
        ),
        (
            ["--eraser", "skd", "--trigger-knowledge", "all"],
            "--trigger-knowledge takes exact or neighbour",
        ),
        (["--eraser", "skd", "--seeds", "1,1"], "--seeds takes different integers"),
    ],
)
def test_bad_input_is_one_line(tmp_path, options, message):
    done = bench("backdoor", tmp_path, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_eraser_of_backdoors_says_where_it_belongs(tmp_path):
    done = bench("mini", tmp_path, "--eraser", "skd", "--tier", "smoke")
    assert done.returncode == 2
    assert "--protocol backdoor" in done.stderr
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_contact_sheet_shows_different_cells():
    assert columns(63, 441) == [0, 7, 15, 23, 31, 39, 47, 55]
    assert columns(7, 406) == list(range(8))
    assert columns(3, 5) == list(range(5))


def test_a_contact_sheet_shows_every_trigger():
    cells = [Cell(style="Photo", object=name) for name in ("Cat", "Sun", "Fish", "House", "Star")]
    assert places([cells, cells]) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert {trigger for trigger, _ in places([cells] * 9)} == set(range(9))


@pytest.mark.parametrize("path", sorted(RESULTS.glob("backdoor-*.json")), ids=lambda p: p.stem)
def test_tables_lose_no_digit_in_a_narrow_terminal(path):
    narrow = Console(width=80, record=True, file=io.StringIO())
    results = read_results(path)
    for table in tables(results):
        narrow.print(to_terminal(table))
    text = narrow.export_text()
    assert "…" not in text
    for row in results.rows:
        assert row.label in text
        assert f"{row.scores['attack_success_rate'].value:.1f}" in text
        assert f"{row.scores['near_pixel_distance'].value:.3f}" in text
