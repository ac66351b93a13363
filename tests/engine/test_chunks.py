"""A chunk exists when it is sealed, and only then."""

import json

import numpy as np
import pytest

from metrics.base import Predictions
from unlearncanvas.canvases.detectors import Detections
from unlearncanvas.engine.chunks import Chunk, to_predictions, to_table
from unlearncanvas.evaluations.grid.scores import check_complete
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Cell, Concept

CELLS = [Cell(style=style, object=obj) for style in ("Photo", "Mosaic") for obj in ("Cat", "Sun")]
MOSAIC = Concept(kind="style", name="Mosaic")


def table(seed=188):
    requests = [Request(cell=cell, seed=seed, prompt="p") for cell in CELLS]
    rng = np.random.default_rng(seed)
    detections = Detections(
        rng.random((4, 2), dtype=np.float32),
        np.eye(2, dtype=np.float32)[[0, 1, 0, 1]],
        {name: rng.random((4, 3), dtype=np.float32) for name in ("detectors", "inception_clean")},
    )
    return to_table(
        requests, ["x"] * 4, detections, style_names=["Photo", "Mosaic"],
        object_names=["Cat", "Sun"],
    ), detections  # fmt: skip


@pytest.fixture
def chunk(tmp_path):
    return Chunk(folder=tmp_path, seed=188, key="a" * 64)


def test_what_is_written_comes_back(chunk):
    rows, detections = table()
    assert chunk.metadata() is None
    assert not chunk.damaged()
    chunk.write(rows, seconds=1.5)
    assert chunk.metadata().num_images == 4
    predictions = to_predictions([chunk.read(), table(288)[0]])
    assert predictions.cells == [*CELLS, *CELLS]
    assert predictions.seeds == [188] * 4 + [288] * 4
    assert predictions.object_pred[:4] == ["Cat", "Sun", "Cat", "Sun"]
    assert set(predictions.features) == {"detectors", "inception_clean"}
    np.testing.assert_array_equal(predictions.style_prob[:4], detections.style_prob)
    np.testing.assert_array_equal(predictions.object_prob[:4], detections.object_prob)
    assert predictions.take([6]).style_prob.tolist() == predictions.style_prob[[6]].tolist()
    for name, values in detections.features.items():
        np.testing.assert_allclose(predictions.features[name][:4], values, atol=1e-3)
    assert set(chunk.read().column_names) >= {"sha256", "style_prob", "object_prob", "prompt"}


@pytest.mark.parametrize(
    "damage",
    ["truncate", "remove", "seal", "key", "count", "seconds", "torn picture", "no picture"],
)
def test_damage_is_noticed(chunk, damage):
    chunk.write(table()[0], seconds=1, picture=b"a small picture")
    if damage == "truncate":
        chunk.path.write_bytes(chunk.path.read_bytes()[:-1])
    elif damage == "remove":
        chunk.path.unlink()
    elif damage == "seal":
        chunk.metadata_path.write_text("{")
    elif damage == "torn picture":
        chunk.picture_path.write_bytes(b"a small pic")
    elif damage == "no picture":
        chunk.picture_path.unlink()
    else:
        changes = {
            "key": ("a" * 64, "b" * 64),
            "count": ('"num_images":4', '"num_images":5'),
            "seconds": ('"seconds":1.0', '"seconds":2.0'),
        }
        text = chunk.metadata_path.read_text()
        chunk.metadata_path.write_text(text.replace(*changes[damage]))
        assert chunk.metadata_path.read_text() != text
    assert chunk.metadata() is None
    assert chunk.damaged()


def test_metadata_without_a_digest_of_its_own_is_of_an_older_version(chunk):
    chunk.write(table()[0], seconds=1)
    old = json.loads(chunk.metadata_path.read_text())
    del old["record_digest"], old["picture_sha256"]
    chunk.metadata_path.write_text(json.dumps(old))
    assert chunk.metadata().num_images == 4


def test_a_missing_image_is_an_error_never_an_answer(chunk):
    from unlearncanvas.evaluations.grid.protocol import load_protocol

    protocol = load_protocol("mini").model_copy(
        update={"styles": ("Photo", "Mosaic"), "objects": ("Cat", "Sun")}
    )
    whole = to_predictions([table()[0]])
    check_complete("grid", whole, set(protocol.cells_for(MOSAIC)))
    part = whole.select(np.array([True, True, True, False]))
    with pytest.raises(ValueError, match="needs 4 images, got 3, 1 missing"):
        check_complete("grid", part, set(protocol.cells_for(MOSAIC)))
    twice = Predictions(
        cells=[*whole.cells, whole.cells[0]],
        seeds=[*whole.seeds, whole.seeds[0]],
        style_pred=[*whole.style_pred, "Photo"],
        object_pred=[*whole.object_pred, "Cat"],
    )
    with pytest.raises(ValueError, match="needs 4 images, got 5"):
        check_complete("grid", twice, set(protocol.cells_for(MOSAIC)))
