"""What a bundle holds. It is data: nothing in it is ever run.

submissions/<protocol>/<eraser>/<revision>/
bundle.json                 what it is, and the sha256 of every other file
card.yaml                   method, paper, license, what it needs, who to ask
results.json                scores, means, costs
rows/<label>-<group>/       one folder a model: those of the eraser, and those it is scored with
artifact.json               what made the model; erased.safetensors where it is small
<set>-seed188.parquet, ...  a row an image: prompt, digest, predictions, features
grid.webp, sheet.webp       all images of the first chunk, small; before and after
verified.json               added by `unlearncanvas verify`

Bundles of version 0.6 (``schema_version`` 1) are of the grid. They have a folder
``targets/<target>/`` for each target, with its scores in ``result.json``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from unlearncanvas.core.building import one_line
from unlearncanvas.core.digests import digest_file, digest_json
from unlearncanvas.core.json_file import read_json
from unlearncanvas.core.registry import read_yaml
from unlearncanvas.pipelines.artifacts import Artifact

EVIDENCE = {
    "protocol_digest", "base_digest", "tier", "eraser", "settings", "version", "source_digest",
    "seeds", "targets", "artifacts",
}  # fmt: skip
"""Fields of the manifest that a verifier relies on; the digest is over their old names."""
SINCE_2 = {"evaluation", "options"}
"""More of them, which bundles of version 0.6 do not have."""
MANIFEST, CARD, RESULTS, VERIFIED = "bundle.json", "card.yaml", "results.json", "verified.json"
GRID, SHEET = "grid.webp", "sheet.webp"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(_Frozen):
    """What the people who submit say; it cannot be checked.

    Attributes:
        method: Full name.
        paper: Reference, or ``none``.
        code: Where the authors' code is, or ``none``.
        license: Of that code.
        needs_target_images: Whether it needs images of what is forgotten.
        needs_retain_data: Whether it needs images or prompts of what must survive.
        tuned_on: Targets and seeds that the settings were chosen on.
        contact: Whom to ask.
        notes: Anything else.
    """

    method: str = Field(min_length=1)
    paper: str
    code: str
    license: str = Field(validation_alias=AliasChoices("license", "licence"))
    needs_target_images: bool
    needs_retain_data: bool
    tuned_on: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    notes: str = ""


class Manifest(_Frozen):
    """The content of ``bundle.json``.

    Attributes:
        evaluation: Kind of the evaluation.
        eraser: Name.
        revision: First digits of the digest of the method's identity, and of the options.
        settings: Of the eraser.
        source_digest: Of the code that made the first target's artifact.
        method: Its name in the identity; empty in bundles from before versions.
        version: Of the eraser's class; bundles from before versions are of the first.
        config: Its registered configuration file, as text; empty if it has none.
        options: Options of the run that are not at their defaults, but for method, tier, base
            model and precision: ``{"known_fraction": 0.5}``.
        targets: What the rows of the eraser were measured on, in the order of the results.
        artifacts: Which of them come with the erased tensors.
        files: sha256 by path, of every file but this one and ``verified.json``.
    """

    schema_version: Literal[1, 2] = 2
    evaluation: str = "grid"
    protocol: str
    protocol_digest: str
    base_digest: str
    tier: str
    eraser: str
    revision: str
    settings: dict[str, object]
    source_digest: str
    method: str = ""
    version: int = 1
    config: str
    options: dict[str, Any] = {}
    seeds: tuple[int, ...]
    targets: tuple[str, ...]
    artifacts: tuple[str, ...] = Field(
        validation_alias=AliasChoices("artifacts", "artefacts"), serialization_alias="artefacts"
    )
    files: dict[str, str]


class Verification(_Frozen):
    """What `unlearncanvas verify` found; the content of ``verified.json``.

    Attributes:
        by: Who.
        date: When, ISO 8601.
        manifest_digest: Of the bundle that was verified, or that was scored again since.
        evidence_digest: Of what was verified, see ``evidence_digest``; empty in older files.
        erased_again: Targets whose models were erased again, for lack of their tensors.
        resealed: When the bundle was scored again and sealed again since, ISO 8601; empty if never.
        seed: The verifier's; chose what was drawn again.
        images: How many.
        same_pixels: Percent with the digest that was submitted.
        same_predictions: Percent for which both detectors see the same; with ``low`` and ``high``.
        distance: Mean distance of the small pictures in ``grid.webp``, of 1; None without them.
        passed: Whether it is within the tolerances.
    """

    by: str
    date: str
    manifest_digest: str
    evidence_digest: str = ""
    erased_again: tuple[str, ...] = ()
    resealed: str = ""
    seed: int
    images: int
    same_pixels: float
    same_predictions: float
    low: float
    high: float
    distance: float | None
    passed: bool


def read_manifest(folder: Path) -> Manifest:
    """Return a bundle's manifest.

    Raises:
        ValueError: If there is none, or it is not one of this version.
    """
    return read_json(Manifest, folder / MANIFEST)


def revision_of(record: Artifact, options: Mapping[str, object]) -> str:
    """Return the name of a bundle's folder: the first digits of the method's identity.

    Other options of the run are another folder.
    """
    return digest_json([record.identity, options] if options else record.identity)[:8]


def evidence_digest(manifest: Manifest) -> str:
    """Return the digest of what a verifier relies on: all of a bundle but its scores.

    Method, protocol, base model, predictions, pictures, artifacts and card. Scores follow from
    the predictions, and are computed again when a metric is mended.
    """
    fields = EVIDENCE if manifest.schema_version == 1 else EVIDENCE | SINCE_2
    what = manifest.model_dump(mode="json", include=fields, by_alias=True)
    files = {
        name: digest
        for name, digest in manifest.files.items()
        if name != RESULTS and not name.endswith("/result.json")
    }
    return digest_json({**what, "files": files})


def read_verification(folder: Path) -> Verification | None:
    """Return what a verifier found, if one was there."""
    path = folder / VERIFIED
    return read_json(Verification, path) if path.exists() else None


def valid_verification(folder: Path) -> Verification | None:
    """Return what a verifier found, unless the bundle or what it rests on was changed since."""
    found = read_verification(folder)
    if found is None or found.manifest_digest != digest_file(folder / MANIFEST):
        return None
    known = found.evidence_digest in ("", evidence_digest(read_manifest(folder)))
    return found if known else None


def read_card(path: Path) -> Card:
    """Return a card.

    Raises:
        ValueError: If something is missing in it, one line.
    """
    try:
        return Card.model_validate(read_yaml(path))
    except ValidationError as exc:
        raise ValueError(f"{path}: {one_line(exc)}") from exc


def card_text(card: Card) -> str:
    """Return a card as YAML."""
    return yaml.safe_dump(card.model_dump(), sort_keys=False, allow_unicode=True)


def bundles(root: Path) -> Iterator[Path]:
    """Yield the bundles under a folder, or the folder itself if it is one."""
    for path in sorted(root.rglob(MANIFEST)):
        yield path.parent
