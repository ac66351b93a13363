"""Whether two runs of an eraser are one, and what tells their files apart."""

from collections.abc import Sequence
from pathlib import Path

from unlearncanvas.core.digests import digest_json
from unlearncanvas.publish.report.leaderboards import LeaderboardRow


def evidence(row: LeaderboardRow) -> str:
    """Return what two runs of an eraser share if they are one: erased models and scores."""
    models = sorted((name, item.artifact_digest) for name, item in row.rows.items())
    scores = {
        name: {score: found.value for score, found in item.scores.items()}
        for name, item in (row.means or row.rows).items()
    }
    return digest_json([models, scores])


def shortest(path: Path, paths: Sequence[Path]) -> str:
    """Return as many of the last folders of a path as it takes to tell it from the others."""
    tails = [
        {Path(*other.with_suffix("").parts[-length:]) for other in paths}
        for length in range(1, len(path.parts) + 1)
    ]
    length = next(place for place, tail in enumerate(tails, 1) if len(tail) == len(paths))
    return Path(*path.with_suffix("").parts[-length:]).as_posix()
