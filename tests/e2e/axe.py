"""Axe on the page: no violation in a view, each part of which is checked once.

Most of a view is what an earlier view had: behind a dialog, the whole conversation. A part that was
checked before, as it is now, is left out.
"""

from __future__ import annotations

from pathlib import Path

from tests.e2e.browser import Browser

_AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
#: Finds `known`, the parts that were checked before under the same rules. Such a part, with all in
#: it, has the same HTML, state, size and colours as then and the same elements around it, and the
#: page has the same theme and size. What lies behind a modal dialog does not count as checked: most
#: rules skip it. Parts of less than five elements are checked each time: that costs less than to
#: leave them out.
_KNOWN = """
const [rules, done] = arguments;
const checked = (window.checkedParts ??= new Set());
const numbers = (window.partNumbers ??= new Map());
const number = (key) => numbers.get(key) ?? numbers.set(key, numbers.size).get(key);
const own = new Map();
const whole = new Map();
const sizes = new Map();
const describe = (element) => {
  const { color, backgroundColor, backgroundImage, opacity, visibility, display, font } = (
    getComputedStyle(element));
  const { width, height } = element.getBoundingClientRect();
  const drawing = element instanceof SVGElement;
  own.set(element, number(JSON.stringify([
    element.cloneNode(drawing).outerHTML, element.value, element.checked,
    color, backgroundColor, backgroundImage, opacity, visibility, display, font])));
  const nodes = drawing ? [] : [...element.childNodes];
  const inner = nodes.map((node) => (node.nodeType === 1 ? describe(node) : node.nodeValue));
  sizes.set(element, nodes.reduce((sum, node) => sum + (sizes.get(node) ?? 0), 1));
  whole.set(element, number(JSON.stringify([own.get(element), width, height, inner])));
  return whole.get(element);
};
const modal = [...document.querySelectorAll('dialog:modal')].at(-1);
const [known, fresh] = [[], []];
const compare = (element, above) => {
  const key = `${above} ${whole.get(element)}`;
  if (checked.has(key) && sizes.get(element) > 4) {
    known.push(element);
    return;
  }
  if (!modal || modal.contains(element)) fresh.push(key);
  const path = number(`${above} in ${own.get(element)}`);
  for (const child of element.children) if (whole.has(child)) compare(child, path);
};
describe(document.body);
compare(document.body, number(JSON.stringify(
  [rules, document.documentElement.cloneNode().outerHTML, innerWidth, innerHeight])));
fresh.forEach((key) => checked.add(key));
"""
#: Returns the violations. Where axe cannot tell the contrast (it does not know that a dialog is
#: above everything else, and skips signs that are no letters), it is computed here: the text and
#: all backgrounds up to the first opaque one must be plain colours, and nothing may be translucent.
_FIND = """
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgba = (colour) => {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
  return [r / 255, g / 255, b / 255, a / 255];
};
const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => part * a + below[i] * (1 - a));
const luminance = (colour) => {
  const [r, g, b] = colour.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (element) => {
  const layers = [];
  for (let part = element; part; part = part.parentElement) {
    const { backgroundColor, backgroundImage, opacity } = getComputedStyle(part);
    if (opacity !== '1' || backgroundImage !== 'none') return 0;
    layers.push(rgba(backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  const background = layers.reverse().reduce((below, layer) => over(layer, below), [1, 1, 1]);
  const text = over(rgba(getComputedStyle(element).color), background);
  const [high, low] = [luminance(text), luminance(background)].sort((one, other) => other - one);
  return (high + 0.05) / (low + 0.05);
};
const kinds = { resultTypes: ['violations', 'incomplete'], preload: false, ...rules };
axe.run({ include: [document], exclude: known }, kinds).then(({ violations, incomplete }) => {
  // What is gone meanwhile is shown no more.
  const undecided = incomplete.filter(({ id }) => id === 'color-contrast')
    .map(({ id, nodes }) => ({ id: `undecided ${id}`, nodes: nodes.filter(({ target }) => {
      const element = document.querySelector(target.join(' '));
      return element && contrast(element) < 4.5;
    }) }));
  done([...violations, ...undecided].flatMap(({ id, nodes }) => nodes.map(({ html, any }) => (
    `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`))));
});
"""
_THEME = "document.documentElement.dataset.theme = arguments[0]"
#: Colours are measured while nothing is animated.
_NO_ANIMATION = """
const sheet = new CSSStyleSheet();
sheet.replaceSync('*, *::backdrop { animation: none !important; transition: none !important }');
document.adoptedStyleSheets = [sheet];
"""


def load(page: Browser) -> None:
    """Load axe into a page, and stop its animations."""
    page.driver.execute_script(_AXE.read_text(encoding="utf-8"))
    page.driver.execute_script(_NO_ANIMATION)


def violations(page: Browser, theme: str, only_contrast: bool = False) -> list[str]:
    """Return the violations in what the page shows now, each with its rule and element.

    Args:
        theme: "dark" or "light"; the page keeps it.
        only_contrast: leave out the other rules, which no theme changes.
    """
    page.driver.execute_script(_THEME, theme)
    rules = {"runOnly": ["color-contrast"]} if only_contrast else {}
    found: list[str] = page.driver.execute_async_script(_KNOWN + _FIND, rules)
    return found
