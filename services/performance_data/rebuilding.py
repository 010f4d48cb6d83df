"""Makes the table of facts anew from the log: everything that is kept is thrown away, here and in Kafka."""

from __future__ import annotations

import shutil

from services.bus.run import broker_for
from services.bus.settings import Settings
from services.performance_data.hearing import NAME
from services.performance_data.positions import partitions_of
from services.performance_data.stream import CHANGELOG, folder
from services.performance_data.worker import alone


async def forget(at: Settings) -> None:
    """Throw the facts away; the next start reads the whole log, since nothing is held of it.

    Raises:
        UserMistake: the process runs.
        Surroundings: the broker is away; then nothing was thrown away, or Kafka's part alone, which does no harm.
    """
    with alone(folder(at)):
        broker = broker_for(at, NAME)
        await broker.remove_before(await broker.ends(await partitions_of(broker, [CHANGELOG])))
        for tables in folder(at).glob("v*"):
            shutil.rmtree(tables)
