"""Who is asked to vouch for checkpoints: the authorities and witnesses of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.daemon.anchoring import Anchoring
from gateway.daemon.stamping import stamp_sources

if TYPE_CHECKING:
    import random as randomness

    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.web import Web
    from gateway.ledger.store import Store
    from gateway.settings import Settings


def open_anchoring(
    settings: Settings,
    store: Store,
    sealer: Sealer,
    pipeline: Pipeline,
    web: Web,
    random: randomness.Random,
) -> Anchoring:
    """The task that asks them; `run` it.

    Raises:
        ConfigError: the issuers of an authority cannot be read.
    """
    sources = stamp_sources(settings.timestamp, pipeline.clock, random)
    return Anchoring(sources, store, sealer, pipeline, web, random)
