"""A small run of both evaluations on the mini canvas, in float32: scores, costs, predictions."""

import re
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from tests.fixtures import small_backdoor, small_grid
from tests.fixtures.in_process import run
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.results.reading import read_results

WORK = ("ufe", "gallery_ufe", "text_forwards", "stored_bytes")
PLACES = {
    r"/grid/": "/chunks/",
    r"bad/base/": "bad/clean/evil/",
    r"bad/evil/seed0/": "bad/poisoned/evil/",
    r"/evil-1-exact-seed0/": "/evil/",
}
"""Folders of chunks, as version 0.6 called them: the keys of the stored values."""
DIGITS = re.compile(r"-[0-9a-f]{8}([0-9a-f]{4})?(?=/|$)")
"""Digests in the names of folders and chunks; a comment in a source file moves them."""


def grid():
    """Return a run of ESD and UCE on six cells, three targets and two seeds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        protocol = _float32(small_grid.write_protocol(folder, worded=True))
        esd = _small(folder, "esd", steps=2, batch_size=1, num_inference_steps=2)
        uce = _small(folder, "uce")
        _bench(folder, "--protocol", protocol, "--eraser", esd, "--eraser", uce)
        values = {}
        run_results = read_results(next((folder / "out").rglob("results.json")))
        for row in run_results.rows:
            place = f"{row.eraser}/{row.group['target']}"
            for name, score in [*row.scores.items(), *row.details.items()]:
                values[f"target/{place}/{name}"] = _score(score)
            values[f"work/{place}"] = _work(row.cost)
        for row in run_results.means:
            for name, score in row.scores.items():
                values[f"mean/{row.label}/{row.kind}/{name}"] = _score(score)
            values[f"work/{row.label}/{row.kind}"] = [row.ufe, row.gallery_ufe, row.stored_bytes]
        for name, score in run_results.real_vs_real.items():
            values[f"floor/{name}"] = _score(score)
        return {**values, **_images(folder / "out")}


def backdoor():
    """Return a run of EvilEdit and two removals on six cells."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        protocol = small_backdoor.write_protocol(folder)
        _float32(folder / "small.yaml")
        attack = small_backdoor.write_attack(folder)
        skd = _small(folder, "skd", steps=2, batch_size=2)
        _bench(
            folder, "--protocol", protocol, "--targets", attack, "--eraser", "t2ishield-edit",
            "--eraser", skd,
        )  # fmt: skip
        values = {}
        found = read_results(next((folder / "out").rglob("results.json")))
        for row in found.rows:
            for name, score in row.scores.items():
                values[f"row/{row.label}/{name}"] = _score(score)
            if row.cost is not None:
                values[f"work/{row.label}"] = _work(row.cost)
        for pair in found.comparisons:
            values[f"pair/{pair.first}/{pair.second}"] = [
                pair.difference, pair.low, pair.high, pair.p_value
            ]  # fmt: skip
        return {**values, **_images(folder / "out")}


def _float32(path):
    """Make a protocol file one of float32 and four steps; return its path."""
    rules = read_yaml(path)
    rules.update(erase_dtype="float32")
    rules["sampler"].update(dtype="float32", num_inference_steps=4)
    path.write_text(yaml.safe_dump(rules))
    return path


def _small(folder, name, **settings):
    """Write an eraser's config with other settings; return its path."""
    config = read_yaml(find_config("erasers", name))
    config["presets"]["mini"].update(settings)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _bench(folder, *options):
    done = run(
        "unlearncanvas.bench", *map(str, options), "--out", str(folder / "out"), "--device", "cpu"
    )
    if done.returncode:
        raise RuntimeError(f"bench ended with {done.returncode}: {done.stderr.strip()}")


def _score(score):
    return [score.value, score.n, score.low, score.high]


def _work(cost):
    return [getattr(cost, name) for name in WORK]


def _images(out):
    """What the detectors saw, with the probability of it, and the pixels' digest."""
    values = {}
    for path in sorted(out.rglob("*.parquet")):
        place = DIGITS.sub("", path.relative_to(out).with_suffix("").as_posix())
        for pattern, name in PLACES.items():
            place = re.sub(pattern, name, place)
        for row in pq.read_table(path).to_pylist():
            key = f"{place}/{row['style']}/{row['object']}/{row['prompt']}"
            values[f"image/{key}"] = [
                row["style_pred"], row["object_pred"],
                max(row["style_prob"]), max(row["object_prob"]),
            ]  # fmt: skip
            values[f"image/{key}/sha256"] = row["sha256"]
    return values
