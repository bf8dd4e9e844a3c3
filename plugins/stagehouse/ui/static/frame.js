// A choice is shown at once. Without this script the button does it.
for (const form of document.querySelectorAll("form")) {
  form.classList.add("instant");
  form.addEventListener("change", () => form.requestSubmit());
}
