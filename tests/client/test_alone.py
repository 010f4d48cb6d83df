"""An agency installs httpx and standardwebhooks for the client, and nothing of this house's."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import httpx, standardwebhooks
before = set(sys.modules)
import services.client
came = {name.partition('.')[0] for name in set(sys.modules) - before}
ours = {name for name in sys.modules if name.startswith('services.')}
foreign = came - set(sys.stdlib_module_names) - {'services', 'anyio', 'typing_extensions'}
print(sorted(foreign), sorted(name for name in ours if not name.startswith('services.client')))
"""


def test_importing_the_client_imports_nothing_else() -> None:
    """Neither another part of the house nor a library that those two do not bring along, as httpx does anyio."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[] []"
