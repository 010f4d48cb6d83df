"""The demo's way to the performance pages."""

from __future__ import annotations

from pathlib import Path

import httpx2

from services.cli.demo.analyst import sign_in_url
from services.performance_data.pages.door.serve import open_pages
from tests.performance_data.pages.house import computes, settings


async def test_the_demos_link_signs_the_analyst_in(tmp_path: Path) -> None:
    """While the pages are open: each link once, and the same person again the next time; None when they are not."""
    at = settings(tmp_path, performance_port=0)
    assert await sign_in_url(at) is None
    async with open_pages(at, computes):
        for _ in range(2):
            url = await sign_in_url(at)
            assert url
            async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as client:
                client.headers["accept"] = "text/html"
                asked = await client.get(url)
                csrf = asked.text.split('name="csrf" value="')[1].split('"')[0]
                page = await client.post(f"{url.rpartition('/')[0]}", data={"csrf": csrf})
            assert "M. Adeyemi" in page.text
