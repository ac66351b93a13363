"""Mirror a finished run to Weights & Biases; the local files stay the record."""

from collections.abc import Sequence
from pathlib import Path

from unlearncanvas.plan import Plan
from unlearncanvas.results import RunResults


def mirror(plan: Plan, results: RunResults, pictures: Sequence[Path]) -> None:
    """Log scores, cost and pictures of each eraser, one W&B run each, grouped by protocol.

    ``WANDB_MODE=offline`` works; ``wandb sync`` sends it later.
    """
    import wandb

    for eraser in plan.erasers:
        rows = [row for row in results.rows if row.label.split()[0] == eraser.name]
        with wandb.init(
            project="unlearncanvas",
            group=results.protocol,
            name=eraser.name,
            dir=str(plan.run_folder()),
            config={
                "settings": eraser.settings,
                "source_digest": eraser.source_digest,
                "protocol_digest": results.protocol_digest,
                "base_digest": results.base_digest,
                "tier": results.tier,
                "seeds": list(results.seeds),
            },
        ) as run:
            for row in rows:
                scores = {f"{row.kind}/{name}": score.value for name, score in row.scores.items()}
                run.log({**scores, f"{row.kind}/ufe": row.ufe}, step=0)
            folder = plan.eraser_folder(eraser)
            own = {
                str(path.relative_to(folder)): wandb.Image(str(path))
                for path in pictures
                if path.is_relative_to(folder)
            }
            run.log(own, step=0)
