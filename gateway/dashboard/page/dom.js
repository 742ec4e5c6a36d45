// Makes elements. Text only ever becomes text: nothing here, and nothing on the page, writes markup from strings.

/** An element with attributes (`on…` are listeners, null and false are left out) and children. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Tells screen readers that something happened. */
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** A bar that fills `share` (0 to 1) of its width; its number stands beside it as text, so it is hidden from readers. */
export function bar(share, level = "") {
  const fill = el("span", { class: "bar-fill" });
  fill.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  fill.hidden = !(share > 0);
  return el("span", { class: `bar ${level}`, "aria-hidden": "true" }, fill);
}
