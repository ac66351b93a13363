"""``unlearncanvas merge``: merge the run folders of several machines.

Complete chunks and artifacts are copied, others are skipped. The bench command then scores them
and draws nothing.
"""

import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DERIVED = ("result.json", "results.json")
"""Files that the bench command writes again from the chunks."""
console = Console(emoji=False)


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Roots of run folders (--out of bench).")],
    out: Annotated[Path, typer.Option(help="Where everything goes; may be one of them.")],
) -> None:
    """Merge the run folders of several machines: complete chunks and artifacts."""
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"no such run folder: {folder}")
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    counts: Counter[str] = Counter()
    for folder in folders:
        if folder.resolve() != out.resolve():
            counts += _copy(folder, out)
    console.print(
        f"{counts['chunk']} chunks and {counts['artifact']} artifacts copied to {out}, "
        f"{counts['torn']} torn ones left out; now run the bench command with --out {out}",
        soft_wrap=True,
        markup=False,
    )


def _copy(source: Path, out: Path) -> Counter[str]:
    """Copy what is complete and missing in ``out``; return how many of each kind."""
    from unlearncanvas.pipelines.artifacts import json_path

    counts: Counter[str] = Counter()
    for path in sorted(source.rglob("*.json")):
        if path.name in DERIVED:
            continue
        parts = _parts(path)
        if parts is None:
            counts["torn"] += 1
            continue
        place = out / path.relative_to(source)
        if not parts or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        for part in parts:
            shutil.copy2(part, place.parent / part.name)
        shutil.copy2(path, place)  # the metadata last: half a copy is none
        counts["artifact" if path == json_path(path.parent) else "chunk"] += 1
    return counts


def _parts(path: Path) -> list[Path] | None:
    """The files whose digests a JSON file has; None if one is missing or damaged."""
    from unlearncanvas.engine.chunks import Chunk
    from unlearncanvas.pipelines.artifacts import artifact_files, json_path, read_artifact

    if path == json_path(path.parent):
        try:
            read_artifact(path.parent)
        except ValueError:
            return None
        return artifact_files(path.parent)[:-1]
    if not path.with_suffix(".parquet").is_file() and not _is_metadata(path):
        return []
    chunk = Chunk.at(path.with_suffix(".parquet"))
    return None if chunk is None else chunk.files()[:-1]


def _is_metadata(path: Path) -> bool:
    from unlearncanvas.engine.chunks import ChunkMetadata

    try:
        ChunkMetadata.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
