"""What models build on, for chains of any length."""

from dataclasses import replace

from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.work import built_on
from unlearncanvas.results.run_config import read_options


def test_every_link_of_a_chain_but_the_last_is_built_on():
    evaluation = evaluation_of(read_options({"erasers": ["uce"], "tier": "smoke", "device": "cpu"}))
    job = evaluation.jobs()[-1]
    steps = tuple(replace(job.recipe.last, name=name) for name in ("one", "two", "three"))
    chain = replace(job, recipe=Recipe(base=evaluation.model, steps=steps))
    first, second, last = map(evaluation.folder_of, chain.recipe.links())
    assert built_on(evaluation, [chain]) == {first, second}
    assert built_on(evaluation, [job]) == set()
    assert last not in built_on(evaluation, [chain, job])
