"""Build a backdoor evaluation from the options of a run; nothing is loaded."""

from unlearncanvas.engine.evaluation import CUSTOM
from unlearncanvas.engine.options import common_fields, drawing_of, load_erasers
from unlearncanvas.evaluations.backdoor.evaluation import BackdoorEvaluation
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.backdoor.tasks import as_attack
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.results.run_config import RunConfig


def build(config: RunConfig) -> BackdoorEvaluation:
    """Return the evaluation that the options of a run specify.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    whole = load_backdoor_protocol(config.protocol)
    grid = drawing_of(config, whole.grid)
    whole = whole.model_copy(update={"grid": grid})
    tier = whole.default_tier if config.tier is None else config.tier
    rules = whole.for_tier(tier)
    if config.targets is not None:
        rules = rules.model_copy(update={"attacks": tuple(dict.fromkeys(config.targets))})
    attacks = tuple(
        load_eraser(attack, preset=grid.preset, kind="attacks") for attack in rules.attacks
    )
    for attack in attacks:
        as_attack(attack)
    names = list(dict.fromkeys(config.erasers))
    own = config.targets is not None or config.seeds is not None
    return BackdoorEvaluation(
        **common_fields(config, grid, tier=tier),
        tier=CUSTOM if own else tier,
        protocol=rules,
        whole=whole,
        attacks=attacks,
        erasers=tuple(load_erasers(names, config.settings, grid.preset)),
        erase_seeds=config.erase_seeds or (whole.erase_seed,),
        image_seeds=config.seeds,
        known_fraction=config.known_fraction,
        trigger_knowledge=config.trigger_knowledge,
    )
