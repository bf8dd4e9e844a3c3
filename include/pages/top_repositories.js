// A repository's position and stars over time, in a row under its own: drawn from the numbers of the row.
const ranking = document.getElementById("ranking"), days = ranking ? ranking.dataset.days.split(",") : [];
const DAY_MS = 86400000, SVG = "http://www.w3.org/2000/svg", number = new Intl.NumberFormat("en");
const opened = new Map();

// "541915,75,,-3": the first value, then differences; nothing where the repository was not in the list.
function values(steps) {
  let last = 0;
  return steps.split(",").map(step => step === "" ? null : last += Number(step));
}

function element(name, attributes, ...children) {
  const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Whole numbers at even distances that cover low to high.
function ticks(low, high, most) {
  const rough = Math.max(1, (high - low) / most), power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find(n => n * power >= rough) * power);
  const first = Math.floor(low / step) * step;
  return Array.from({ length: Math.ceil((high - first) / step) + 1 }, (_, at) => first + at * step);
}

function panel(title, series, { width, top, height, left, upsideDown }) {
  const known = series.filter(value => value !== null);
  let marks = ticks(Math.min(...known), Math.max(...known), 3);
  if (upsideDown) marks = [...new Set(marks.map(mark => Math.max(1, mark)))];
  if (marks.length < 2) marks = [-1, 0, 1].map(more => marks[0] + more).filter(mark => mark >= upsideDown);
  const low = marks[0], high = marks[marks.length - 1], right = width - 20;
  const start = Date.parse(days[0]), span = Math.max(Date.parse(days[days.length - 1]) - start, DAY_MS);
  const x = day => left + (Date.parse(day) - start) / span * (right - left);
  const y = value => top + (upsideDown ? value - low : high - value) / (high - low) * height;
  const drawn = element("svg:g", {}, element("svg:text", { x: 0, y: top - 16, class: "title" }, title));
  for (const mark of marks) {
    drawn.append(
      element("svg:line", { x1: left, x2: right, y1: y(mark), y2: y(mark), class: "grid" }),
      element("svg:text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, number.format(mark)));
  }
  const few = width < 480 ? 3 : 6, every = Math.max(1, Math.ceil((days.length - 1) / few));
  days.forEach((day, at) => {
    if ((days.length - 1 - at) % every) return;
    drawn.append(element("svg:text", { x: x(day), y: top + height + 18, "text-anchor": "middle" }, day.slice(5)));
  });
  let path = "", before = null;
  series.forEach((value, at) => {
    if (value === null) return;
    // A line joins neighbouring days only: what was between others is not known.
    const joined = before !== null && Date.parse(days[at]) - Date.parse(days[before]) === DAY_MS;
    path += `${joined ? "L" : "M"}${x(days[at]).toFixed(1)} ${y(value).toFixed(1)}`;
    before = at;
    const dot = { cx: x(days[at]), cy: y(value), r: days.length > 30 ? 2 : 3, class: "dot" };
    drawn.append(element("svg:circle", dot, element("svg:title", {}, `${days[at]}: ${number.format(value)}`)));
  });
  drawn.append(element("svg:path", { d: path, class: "line" }));
  return drawn;
}

function chart(name, places, stars, width) {
  const wide = width >= 720, left = 62, gap = 40, height = 120, top = 36;
  const half = wide ? (width - gap) / 2 : width, total = wide ? height + 64 : 2 * (height + 64);
  const first = panel("Position (1 is the top)", places, { width: half, top, height, left, upsideDown: true });
  const second = panel("Stars", stars, { width: half, top, height, left, upsideDown: false });
  second.setAttribute("transform", wide ? `translate(${half + gap} 0)` : `translate(0 ${height + 64})`);
  const told = `${name}: ${said("position", places)}; ${said("stars", stars)}. The numbers are in the table below.`;
  return element("svg:svg", { width, height: total, viewBox: `0 0 ${width} ${total}`, role: "img", "aria-label": told }, first, second);
}

function said(what, series) {
  const known = series.flatMap((value, at) => value === null ? [] : [[days[at], value]]);
  const [first, last] = [known[0], known[known.length - 1]].map(([day, value]) => `${number.format(value)} on ${day}`);
  return known.length === 1 ? `${what} ${first}` : `${what} ${first}, ${last}`;
}

function numbers(places, stars) {
  const body = element("tbody", {});
  for (let at = days.length - 1; at >= 0; at--) {
    const cells = [places[at], stars[at]].map(value =>
      element("td", { class: "n" }, value === null ? "not in the list" : number.format(value)));
    body.append(element("tr", {}, element("th", { scope: "row" }, days[at]), ...cells));
  }
  const heads = ["Day", "Position", "Stars"].map((text, at) =>
    element("th", { scope: "col", ...(at && { class: "n" }) }, text));
  return element("details", {}, element("summary", {}, "The numbers"),
    element("table", { class: "small" }, element("thead", {}, element("tr", {}, ...heads)), body));
}

function open(row, button) {
  const places = values(row.dataset.places), stars = values(row.dataset.stars);
  const name = button.textContent, figure = element("figure", {});
  const region = element("div", { role: "region", "aria-label": `${name} over time` }, figure, numbers(places, stars));
  const detail = element("tr", { class: "detail" }, element("td", { colspan: row.cells.length }, region));
  const draw = () => {
    const width = Math.min(ranking.parentElement.clientWidth, ranking.clientWidth) - 16;
    region.style.width = `${width}px`;
    figure.replaceChildren(chart(name, places, stars, width));
  };
  opened.set(row, { detail, draw });
  row.after(detail);
  draw();
  button.setAttribute("aria-expanded", "true");
}

function close(row, button) {
  opened.get(row).detail.remove();
  opened.delete(row);
  button.setAttribute("aria-expanded", "false");
}

// table.js moves and hides the rows it knows; the charts step aside before and come back under their rows after.
const stepAside = () => opened.forEach(({ detail }) => detail.remove());
const comeBack = () => opened.forEach(({ detail }, row) => { row.after(detail); detail.hidden = row.hidden; });

if (ranking) {
  ranking.tBodies[0].addEventListener("click", event => {
    const button = event.target.closest("button[aria-expanded]");
    if (button) (opened.has(button.closest("tr")) ? close : open)(button.closest("tr"), button);
  });
  for (const [target, kind] of [[ranking.tHead, "click"], [document.getElementById("filter"), "input"]]) {
    target.addEventListener(kind, stepAside, true);
    target.addEventListener(kind, comeBack);
  }
  new ResizeObserver(() => opened.forEach(({ draw }) => draw())).observe(ranking.parentElement);
  const first = ranking.tBodies[0].querySelector("button[aria-expanded]");
  if (first && days.length > 1) open(first.closest("tr"), first);
}
