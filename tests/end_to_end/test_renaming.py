"""A rename of a concept's words is no forgetting: the other names say so."""

import pytest
import yaml

from tests.fixtures.in_process import run
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow
FORMS = ("synonyms", "descriptions", "languages", "sentences")


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("renaming")
    rules = {
        "base": "mini", "name": "small", "styles": ["Photo", "Neon Lines", "Mosaic"],
        "objects": ["Cat", "Tree", "House"],
        "targets": {"style": ["Neon Lines"], "object": ["Cat"]},
        "metrics": ["unlearning_accuracy", "unlearning_accuracy_over_forms",
                    *(f"unlearning_accuracy_{form}" for form in FORMS)],
        "default_tier": "full", "tiers": {"full": {}},
    }  # fmt: skip
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(rules))
    done = run(
        "unlearncanvas.bench", "--protocol", str(path), "--out", str(folder / "out"),
        "--eraser", "tests.fixtures.renaming:Renaming", "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = read_results(next((folder / "out").rglob("results.json")))
    return {(row.label, row.group["target"]): row.scores for row in results.rows}


def test_the_base_model_understands_every_form(scores):
    for (label, target), found in scores.items():
        if label == "none":
            assert found["unlearning_accuracy_over_forms"].value < 5, target


def test_renaming_hides_a_concept_from_its_own_name_alone(scores):
    renamed = {
        target: found for (label, target), found in scores.items() if label not in ("none", "noise")
    }
    assert renamed.keys() == {"style:Neon Lines", "object:Cat"}
    for found in renamed.values():
        assert found["unlearning_accuracy"].value > 90
        assert found["unlearning_accuracy_over_forms"].value < 60
