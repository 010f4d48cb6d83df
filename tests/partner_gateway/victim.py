"""python -m tests.partner_gateway.victim [FAULT]: the gateway's own process, in which something goes wrong, or sooner.

FAULT: `killed`, at the moment between Kafka's acknowledgement of the first event and the answer to who sent it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

from services.partner_gateway.door import posting
from services.web import limits


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    # What a client is waited for, so that a test need not wait as long as a client may.
    limits.HEADERS_WITHIN = limits.BODY_WITHIN = 2.0
    if "killed" in sys.argv:
        vars(posting)["acknowledge"] = _die
    runpy.run_module("services.partner_gateway", run_name="__main__", alter_sys=True)
