"""Read a ``results.json`` of any version."""

import json
from pathlib import Path

from unlearncanvas.core.json_file import read_json
from unlearncanvas.results.old_results import read_old
from unlearncanvas.results.schema import Results


def read_results(path: Path) -> Results:
    """Return a run's results, those of older versions as today's.

    Raises:
        ValueError: One line, if the file is missing or no results file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise ValueError(f"{path} cannot be read: {exc}") from exc
    if isinstance(data, dict) and data.get("schema_version") == 1:
        found = read_old(path, data)
    else:
        found = read_json(Results, path)
    return found.model_copy(update={"folder": path.parent})
