const table = document.getElementById("phrases"), body = table.tBodies[0], rows = [...body.rows];
const texts = rows.map(row => row.cells[0].textContent.toLowerCase());
const words = new Intl.Collator();
for (const button of table.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.closest("th"), column = head.cellIndex, numbers = head.classList.contains("n");
  const up = head.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const keyed = [...body.rows].map(row => [row.cells[column].textContent, row]);
  keyed.sort(([a], [b]) => (numbers ? a - b : words.compare(a, b)) * (up ? 1 : -1));
  body.append(...keyed.map(([, row]) => row));
});
document.getElementById("filter").addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  let shown = 0;
  rows.forEach((row, at) => { row.hidden = !texts[at].includes(wanted); shown += !row.hidden; });
  document.getElementById("shown").textContent = shown;
});
