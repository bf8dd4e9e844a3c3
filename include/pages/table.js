// The table that says how it is sorted: a column's button sorts it, the field #filter leaves rows by their first name.
// Where there is a button #more a screen shows the first rows, and all when it is pressed; on paper all of them are.
const table = document.querySelector("table:has(thead [aria-sort])"), body = table.tBodies[0];
const rows = [...body.rows], names = rows.map(row => row.querySelector("bdi").textContent.toLowerCase());
const more = document.getElementById("more"), words = new Intl.Collator(), number = new Intl.NumberFormat("en");
const keys = new Map();
const few = more ? Number(more.dataset.rows) : Infinity;
let order = rows.map((_, at) => at), wanted = "";

// A number a row to sort by, read from the page once a column; null for what is not known.
function keysOf(head) {
  const column = head.cellIndex;
  if (!keys.has(column)) {
    const texts = rows.map(row => row.cells[column].dataset.sort ?? row.cells[column].textContent);
    const isNumber = head.classList.contains("n");
    const places = new Map(isNumber ? [] : [...new Set(texts)].sort(words.compare).map((text, at) => [text, at]));
    keys.set(column, texts.map(text => text === "" ? null : isNumber ? Number(text) : places.get(text)));
  }
  return keys.get(column);
}

function sort(head) {
  const before = head.getAttribute("aria-sort"), up = before ? before === "descending" : !head.classList.contains("n");
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const by = keysOf(head);
  // What is not known stays below either way; of equals, the one that came first in the page does.
  order = rows.map((_, at) => at).sort((a, b) =>
    (by[a] === null) - (by[b] === null) || (up ? by[a] - by[b] : by[b] - by[a]) || a - b);
  // Rows are moved outside of the page: there, each move would ask for styles anew.
  body.remove();
  show(few);
  body.append(...order.map(at => rows[at]));
  table.tHead.after(body);
}

function show(most) {
  let matching = 0;
  for (const at of order) {
    const row = rows[at], hidden = !names[at].includes(wanted);
    if (row.hidden !== hidden) row.hidden = hidden;
    matching += !hidden;
    row.classList.toggle("later", !hidden && matching > most);
  }
  document.getElementById("shown").textContent = number.format(matching);
  if (more) more.hidden = matching <= most;
  if (more) more.textContent = `Show all ${number.format(matching)}`;
}

for (const button of table.tHead.querySelectorAll("button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}
document.getElementById("filter").addEventListener("input", event => {
  wanted = event.target.value.toLowerCase();
  show(few);
});
more?.addEventListener("click", () => {
  show(Infinity);
  table.parentElement.focus({ preventScroll: true });
});
