"""The colours of a page in Chromium."""

from selenium.webdriver import Chrome

Colour = list[float]


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast of two colours, 1 to 21.

    Source: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
    """

    def luminance(colour: list[float]) -> float:
        parts = (value / 255 for value in colour)
        linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def texts_on_paper(browser: Chrome, selector: str) -> list[tuple[Colour, Colour]]:
    """The colour of each text that is selected, in drawings too, and that of the page."""
    found: list[tuple[Colour, Colour]] = browser.execute_script(
        """
        const parts = text => text.match(/[\\d.]+/g).map(Number).slice(0, 3);
        const paper = parts(getComputedStyle(document.body).backgroundColor);
        return [...document.querySelectorAll(arguments[0])].map(each => {
          const style = getComputedStyle(each);
          return [parts(each.closest("svg") ? style.fill : style.color), paper]; })""",
        selector,
    )
    return found
