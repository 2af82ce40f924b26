"""The account page in headless Chromium, started with its one command, used with the keyboard."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE = 60  # seconds; the machine may be busy
MOST_TABS = 40

MEASURE = (Path(__file__).parent / "measure.js").read_text("utf-8")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver; .ci/browser installs them"
)


class Page:
    """A page as somebody without a mouse uses it."""

    def __init__(self, driver: webdriver.Chrome, root: str) -> None:
        self.driver = driver
        self.root = root

    def open(self, path: str, heading: str) -> None:
        self.driver.get(self.root + path)
        self.wait_for(heading)

    def wait_for(self, text: str) -> None:
        """Wait until a page is there, and shows the text."""
        self._wait(
            lambda driver: (
                text in driver.find_element(By.TAG_NAME, "main").text
                and driver.execute_script("return document.readyState") == "complete"
            ),
            text,
        )

    def tab_to(self, name: str) -> None:
        """Press Tab until the focus is on the control whose accessible name begins so."""
        seen = []
        for _ in range(MOST_TABS):
            self.press(Keys.TAB)
            seen.append(self.driver.switch_to.active_element.accessible_name)
            if seen[-1].startswith(name):
                return
        pytest.fail(f"Tab does not reach '{name}', only {seen}")

    def follow(self, name: str, then: str) -> None:
        """Press Enter on a link or button, and wait for what the next page shows."""
        self.tab_to(name)
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.press(Keys.ENTER)
        self._wait(staleness_of(before), f"the page after '{name}'")
        self.wait_for(then)

    def _wait(self, until: Callable[[webdriver.Chrome], bool], what: str) -> None:
        patience = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[WebDriverException])
        patience.until(until, what)

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def card(self, digits: str) -> str:
        """Return the text of the card with these last digits; empty when there is none."""
        cards = self.driver.find_elements(By.CLASS_NAME, "card")
        return next((card.text for card in cards if digits in card.text), "")

    def badges(self, digits: str) -> list[str]:
        """Return the marks of the card with these last digits."""
        (card,) = (
            card for card in self.driver.find_elements(By.CLASS_NAME, "card") if digits in card.text
        )
        return [badge.text for badge in card.find_elements(By.CLASS_NAME, "badge")]

    def focused_id(self) -> str | None:
        return self.driver.switch_to.active_element.get_attribute("id")

    def look_like(self, *, width: int, height: int = 700, scheme: str = "light") -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    assert CHROMIUM
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(DRIVER))
    chrome.set_page_load_timeout(PATIENCE)
    yield chrome
    chrome.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Iterator[Page]:
    command = [sys.executable, "-m", "examples.account_page", "--port", "0"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert address
            page = Page(driver, address[0])
            page.look_like(width=1000)
            yield page
            # Chromium would complain here of a broken rule of the content security policy.
            assert driver.get_log("browser") == []
        finally:
            driver.delete_all_cookies()
            server.terminate()
    assert server.returncode == 0


def test_all_that_can_be_done_to_a_card_is_done_with_the_keyboard(page: Page):
    page.open("/", "Payment methods")
    assert "Expired" in page.card("5556")
    assert "Expires soon" in page.card("0005")
    assert "Default" in page.card("4242")

    page.follow("Update expiry of Mastercard ending in 4444", "Update the expiry date")
    year = page.driver.find_elements(By.CSS_SELECTOR, "#year option")[-1].text
    page.tab_to("Month")
    page.press("03")
    page.tab_to("Year")
    page.press(year)
    page.follow("Save expiry date", "The expiry date has been updated.")
    assert page.focused_id() == "notice"
    assert f"Valid until 03/{year}" in page.card("4444")

    page.follow(
        "Make default Mastercard ending in 4444",
        "Your default payment method has been changed.",
    )
    assert page.badges("4444") == ["Default"]
    assert page.badges("4242") == []

    page.follow("Delete Visa ending in 5556", "This cannot be undone.")
    page.follow("Cancel", "5556")
    page.follow("Delete Visa ending in 5556", "This cannot be undone.")
    page.follow("Delete", "The payment method has been deleted.")
    assert page.card("5556") == ""
    page.driver.refresh()
    page.wait_for("Payment methods")
    assert page.driver.find_elements(By.ID, "notice") == []


def test_a_method_is_chosen_at_the_checkout_with_the_keyboard(page: Page):
    page.open("/", "Payment methods")
    page.follow("Checkout", "How would you like to pay?")
    page.tab_to("Visa ending in 4242 Default")
    page.press(Keys.ARROW_DOWN)
    page.follow("Continue", "security code of this card")
    assert "4444" in page.card("4444")
    page.follow("Choose another one", "How would you like to pay?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_every_page_fits_and_can_be_read(page: Page, scheme: str, width: int):
    page.look_like(width=width, scheme=scheme)
    page.open("/", "Payment methods")
    first = page.driver.find_element(By.PARTIAL_LINK_TEXT, "Update expiry").get_attribute("href")
    assert first
    card = first.removeprefix(page.root).removesuffix("/expiry")
    for path, heading in (
        ("/", "Payment methods"),
        (f"{card}/expiry", "Update the expiry date"),
        (f"{card}/delete", "Delete this payment method?"),
        ("/checkout", "How would you like to pay?"),
        (f"/checkout/chosen?method={card.removeprefix('/methods/')}", "Your choice"),
    ):
        page.open(path, heading)
        wide, ground, small, pale = page.driver.execute_script(MEASURE)
        assert wide <= width
        assert ground == ("rgb(245, 246, 250)" if scheme == "light" else "rgb(18, 20, 28)")
        assert small == [], "a finger needs 44 pixels"
        assert pale == [], "text needs a contrast of 4.5 (WCAG 2.2, 1.4.3)"


def test_pictures_for_the_docs_can_be_taken(page: Page, tmp_path: Path):
    """With SCREENSHOTS=docs in the environment this test renews those of the docs."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page.look_like(width=1000, height=690)
    page.open("/", "Payment methods")
    assert page.driver.save_screenshot(str(folder / "account-page.png"))
    page.look_like(width=390, height=940, scheme="dark")
    page.open("/checkout", "How would you like to pay?")
    assert page.driver.save_screenshot(str(folder / "account-page-phone.png"))
