"""Build a grid evaluation from the options of a run; nothing is loaded."""

from collections.abc import Sequence

from unlearncanvas.engine.evaluation import CUSTOM
from unlearncanvas.engine.options import common_fields, drawing_of, load_erasers, refuse
from unlearncanvas.evaluations.grid.evaluation import GridEvaluation
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.pipelines.methods import ConfiguredEraser, load_eraser
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.run_config import RunConfig


def build(config: RunConfig) -> GridEvaluation:
    """Return the evaluation that the options of a run specify.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    refuse(config, ("known_fraction", "trigger_knowledge"), "goes with a backdoor protocol only")
    rules = drawing_of(config, load_protocol(config.protocol))
    tier = rules.default_tier if config.tier is None else config.tier
    targets = rules.tier_targets(tier)
    if config.targets is not None:
        targets = list(dict.fromkeys(map(rules.find_target, config.targets)))
    baselines = [load_eraser(baseline, preset=rules.preset) for baseline in BASELINES]
    names = [eraser for eraser in dict.fromkeys(config.erasers) if eraser not in BASELINES]
    erasers = load_erasers(names, config.settings, rules.preset)
    _refuse_removals(erasers, rules)
    own = config.targets is not None or config.seeds is not None
    return GridEvaluation(
        **common_fields(config, rules, tier=tier),
        tier=CUSTOM if own else tier,
        protocol=rules if config.targets is not None else rules.for_tier(tier),
        whole=rules,
        erasers=(*baselines, *erasers),
        targets=tuple(targets),
        image_seeds=config.seeds or rules.tier_seeds(tier),
        erase_seeds=config.erase_seeds or (rules.erase_seed,),
        part=tier if config.targets is None else None,
    )


def _refuse_removals(erasers: Sequence[ConfiguredEraser], rules: GridProtocol) -> None:
    """Raise ValueError for erasers that need backdoors."""
    for item in erasers:
        if "pairs" in item.eraser.needs:
            raise ValueError(
                f"{item.name} removes backdoors, {rules.name} has none; run it with "
                "--protocol backdoor"
            )
