"""The catalogue: every topic of the bus and everyone who may use it, from topics.yaml.

`load` is cheap and all that a service needs. validate.py checks the file offline, plan.py compares it with a cluster,
apply.py makes the cluster so.
"""

from __future__ import annotations

from pathlib import Path

from services.bus.catalogue.model import Catalogue, Principal, Topic
from services.bus.catalogue.reading import read
from services.bus.errors import CatalogueInvalid
from services.bus.settings import settings

__all__ = ["Catalogue", "Principal", "Topic", "load"]


def load(path: Path | None = None) -> Catalogue:
    """The catalogue at `path`, by default the settings' one. Looks at the file's form alone, not at the schemas.

    Raises:
        CatalogueInvalid: every finding about its form.
        UserMistake: the file cannot be read.
    """
    catalogue, document = read(path or settings().catalogue, settings().replication_factor)
    if document.findings:
        raise CatalogueInvalid(document.located())
    return catalogue
