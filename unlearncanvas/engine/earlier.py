"""Results of a protocol that has changed since they were made."""

from typing import get_args

from unlearncanvas.core.registry import names
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.pipelines.sampler import DType
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import Results

DRAWN_WITH = ("batch_size", "optimize")
"""Options beside the precision that are in the digest of a run."""


def of_earlier_protocol(results: Results) -> bool:
    """Return whether the protocol was another one when some results were made.

    Results may come from strangers: a protocol's file that they name is not read. Of a protocol
    that is not of this package, and of options that this machine does not have, nothing is known.
    """
    options = results.config or {}
    if results.protocol not in names("protocols"):
        return False
    if options.get("protocol", results.protocol) != results.protocol:
        return False
    said = {name: options[name] for name in DRAWN_WITH if name in options}
    dtypes = [options["dtype"]] if "dtype" in options else get_args(DType)
    digests = {_digest(results.protocol, said | {"dtype": dtype}) for dtype in dtypes}
    return digests.isdisjoint({results.protocol_digest, None})


def _digest(protocol: str, options: dict[str, object]) -> str | None:
    """The digest of a run of the baselines; None of options that this machine does not have."""
    given = {"erasers": ["none"], "protocol": protocol, "device": "cpu", **options}
    try:
        return evaluation_of(RunConfig.model_validate(given)).digest
    except ValueError:
        return None
