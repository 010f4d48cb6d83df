"""/docs in a real browser: under the gateway's own content security policy, with nothing from elsewhere."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.async_api import expect

from services.partner_gateway.partners import registry
from services.partner_gateway.reference.kinds import EventTypes
from tests.browser import axe_finds_nothing
from tests.partner_gateway.browser.conftest import Clean, House, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEVELOPERS = "school:990777"


@pytest.mark.soak
async def test_the_api_is_shown_and_can_be_tried(house: House) -> None:
    """Every post with its example; with a key, a request goes out and its answer is shown."""

    def admit(connection: sa.Connection) -> str:
        registry.add_partner(connection, DEVELOPERS, "agency", now_us=house.gateway.now_us)
        return registry.add_key(connection, DEVELOPERS, {"inbox"}, now_us=house.gateway.now_us)

    key = await house.gateway.access.write(admit)
    context = await house.browser.new_context()
    context.set_default_timeout(20_000)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(house.address) else complaints.append(asked.url))
    await page.goto(f"{house.address}/docs")
    types = EventTypes(house.gateway.catalogue)
    for kind in types.posted:
        await expect(page.locator(f"#operations-Post-post{kind.record}")).to_be_visible()
    await page.locator("#operations-Post-postContactReceived .opblock-summary-control").click()
    await expect(page.locator("#operations-Post-postContactReceived .body-param__example").first).to_contain_text(
        "contact-2026-000123"
    )
    await picture(page, "docs", whole=False)
    await page.get_by_role("button", name="Authorize").first.click()
    await page.locator(".auth-container input").fill(key)
    await page.locator(".auth-btn-wrapper .authorize").click()
    await page.locator(".auth-btn-wrapper .btn-done").click()
    proof = page.locator("#operations-Inbox-proveInbox")
    await proof.locator(".opblock-summary-control").click()
    await proof.get_by_role("button", name="Try it out").click()
    await proof.get_by_role("button", name="Execute").click()
    await expect(proof.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    assert complaints == []
    await context.close()


@pytest.mark.soak
async def test_everybody_can_use_the_api_page(house: House) -> None:
    """WCAG 2.2 AA, closed, with operations open and one being tried, and while a key is given."""
    context = await house.browser.new_context(bypass_csp=True)  # for axe's own script
    context.set_default_timeout(20_000)
    page = await context.new_page()
    await page.goto(f"{house.address}/docs")
    await expect(page.locator("#operations-Post-postContactReceived")).to_be_visible()
    await axe_finds_nothing(page)
    for operation in ("Post-postContactReceived", "Inbox-readInbox", "Webhooks-deleteWebhook"):
        await page.locator(f"#operations-{operation} .opblock-summary-control").click()
        await expect(page.locator(f"#operations-{operation} .opblock-body")).to_be_visible()
    inbox = page.locator("#operations-Inbox-readInbox")
    await inbox.get_by_role("button", name="Try it out").click()
    await expect(inbox.get_by_role("button", name="Execute")).to_be_visible()
    await axe_finds_nothing(page)
    await page.get_by_role("button", name="Authorize").first.click()
    await expect(page.locator(".auth-container input")).to_be_visible()
    await axe_finds_nothing(page)
    await context.close()


async def test_the_events_need_no_script_and_fit_a_phone(house: House) -> None:
    """On a phone nothing but the tables scrolls sideways."""
    page = await house.window(320, 640)
    await page.goto(f"{house.address}/docs/events#mash.contacts.v1")
    width = await page.locator("html").evaluate("e => e.scrollWidth")
    assert width <= 320
    await page.context.close()


@pytest.mark.soak
async def test_everybody_can_read_the_events(house: House, clean: Clean) -> None:
    """WCAG 2.2 AA, without JavaScript: axe takes half a minute for a page of so many tables."""
    page = await house.window()
    await page.goto(f"{house.address}/docs/events")
    await clean(page)
    await page.context.close()
