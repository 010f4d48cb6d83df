"""The disk is lost, and yesterday's backup is all there is."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from services.bus.errors import EXIT_MUST_STOP
from services.operating.backup import back_up, put_back
from tests.embedded.broker import Broker
from tests.faults.house import House


async def test_a_backup_of_a_service_at_work_is_put_back_and_loses_nothing(own_kafka: Broker, tmp_path: Path) -> None:
    """Taken while it works; its disk is lost; put back, it refuses to go on, is recovered, and says nothing twice."""
    home = tmp_path / "data"
    house = House(own_kafka, tmp_path, store=f"sqlite:///{home}/stores/victim.db")
    await house.open()
    try:
        at = house.settings(data_dir=home)
        await house.publish(150)
        victim = house.victim()
        await victim.has_said("claimed")
        await house.publish(150)
        back_up(at, tmp_path / "backup", lambda _sentence: None)
        await house.publish(100)
        await house.kept_the_promise()
        victim.signal(signal.SIGTERM)
        assert await victim.ended() == 0, victim.log
        shutil.rmtree(home)
        put_back(at, tmp_path / "backup", lambda _sentence: None)
        refused = house.victim()
        assert await refused.ended() == EXIT_MUST_STOP, refused.log
        assert f"safebus recover {house.service}" in refused.log.splitlines()[-1]
        await house.recover()
        await house.publish(50)
        house.victim()
        await house.kept_the_promise()
        assert not house.repeats
    finally:
        await house.close()
