// A choice is shown at once. Without this script the button does it.
for (const form of document.querySelectorAll("form")) {
  form.classList.add("instant");
  form.addEventListener("change", () => form.requestSubmit());
}
// Airflow shows these pages in a frame that may not lead its window elsewhere; a link of that window's own may.
for (const link of document.querySelectorAll("a[target=_top]")) {
  link.addEventListener("click", event => {
    if (window.top === window) return;
    event.preventDefault();
    const own = window.top.document.createElement("a");
    own.href = link.href;
    own.click();
  });
}
// What is to be pasted elsewhere; over plain HTTP there is no other way to copy.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", () => {
    document.getElementById(button.dataset.copy).select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
  });
}
