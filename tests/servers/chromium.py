"""Debian's Chromium, headless, as a person at Airflow's UI."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

WAITS_S = 15
QUIET = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
QUIET += " disable-component-update disable-sync window-size=1400,900"
# A sandboxed frame in a process of its own would keep its console and its requests from the driver's logs.
QUIET += " disable-features=IsolateSandboxedIframes"


@contextmanager
def chromium(directory: Path) -> Iterator[Chrome]:
    """A browser with a profile and downloads of its own, below `directory`."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*QUIET.split(), f"user-data-dir={directory}/profile"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(directory / "downloads")})
    browser = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
    try:
        yield browser
    finally:
        browser.quit()


def sign_in(browser: Chrome, url: str, user: str, password: str) -> None:
    """Sign in through Airflow's form."""
    browser.get(url)
    see(browser, "input[name=username]").send_keys(user)
    see(browser, "input[name=password]").send_keys(password)
    see(browser, "button[type=submit]").click()
    WebDriverWait(browser, WAITS_S).until(lambda browser: "/login" not in browser.current_url)


def see(browser: Chrome, selector: str) -> WebElement:
    """Wait for an element that is shown, and return it."""

    def shown(browser: Chrome) -> list[WebElement]:
        return [found for found in browser.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]

    waiting = WebDriverWait(browser, WAITS_S, ignored_exceptions=[StaleElementReferenceException])
    return waiting.until(shown, f"no {selector}")[0]


def enter_frame(browser: Chrome, title: str) -> None:
    """Go into an iframe, once it is there."""
    browser.switch_to.frame(see(browser, f'iframe[title^="{title}"]'))


def open_page(browser: Chrome, name: str) -> None:
    """Open a page of ours from Airflow's navigation, whose one entry leads to all; stay in its frame."""
    see(browser, 'a[aria-label="Data"]').click()
    enter_frame(browser, "Data")
    see(browser, "nav[aria-label=Pages]").find_element(By.LINK_TEXT, name).click()
    WebDriverWait(browser, WAITS_S).until(
        lambda browser: see(browser, "nav[aria-label=Pages] a[aria-current=page]").text == name
    )


def choose(browser: Chrome, name: str, value: str) -> None:
    """Choose from a list and wait for the page that follows."""
    page = browser.find_element(By.TAG_NAME, "html")
    Select(see(browser, f"select[name={name}]")).select_by_value(value)
    WebDriverWait(browser, WAITS_S).until(lambda _: is_gone(page))


def is_gone(element: WebElement) -> bool:
    """Whether an element belongs to a page that was left."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


def severe(browser: Chrome) -> list[str]:
    """What the console has shown since it was last asked that is an error, a refused policy among them."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def requested(browser: Chrome) -> list[str]:
    """The addresses that pages and frames have asked for since it was last asked; not what they carry."""
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = (event["params"] for event in events if event["method"] == "Network.requestWillBeSent")
    urls = (each["request"]["url"] for each in sent)
    return [url for url in urls if not url.startswith(("data:", "blob:"))]
