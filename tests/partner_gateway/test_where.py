"""Where the gateway is, for commands on this machine: told by each door, and taken back by nobody else."""

from __future__ import annotations

import json
import os

from services.bus.settings import Settings
from services.partner_gateway.door.serve import DOOR, open_door, where


async def test_a_door_that_closes_leaves_anothers_word(at: Settings) -> None:
    """Two gateways of one data directory: whichever closes first, the other is found."""
    async with open_door(at) as first:
        assert where(at) == first
        second = open_door(at)
        address = await second.__aenter__()
        assert where(at) == address != first
    assert where(at) == address
    await second.__aexit__(None, None, None)
    assert where(at) is None


async def test_a_door_of_another_process_is_found_again(at: Settings) -> None:
    """Once the later one has closed; not if its process has ended meanwhile."""
    file = at.data_dir / DOOR
    file.write_text(said := json.dumps({"address": "http://127.0.0.1:1", "pid": os.getppid()}), "utf-8")
    async with open_door(at) as later:
        assert where(at) == later
    assert file.read_text("utf-8") == said
    file.write_text(json.dumps({"address": "http://127.0.0.1:1", "pid": 2**22 + 1}), "utf-8")
    async with open_door(at):
        pass
    assert not file.exists()
