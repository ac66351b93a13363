"""Numbers of the backdoor evaluation's rows, for trackers."""

from unlearncanvas.engine.tracked_run import numbers
from unlearncanvas.evaluations.backdoor.results import BackdoorResults


def scores_of(results: BackdoorResults, eraser: str) -> dict[str, float]:
    """Return an eraser's scores against each attack with their intervals, and its cost."""
    found: dict[str, float] = {}
    for attack in results.attacks:
        for row in attack.rows:
            if row.label != eraser:
                continue
            costs: dict[str, float | None] = {"ufe_per_image": row.ufe_per_image}
            if row.cost is not None:
                costs |= {"ufe": row.cost.ufe, "erase_seconds": row.cost.seconds}
            found |= numbers(attack.attack, row.scores, costs)
    return found
