// Signing in: a key goes to the gateway once, and comes back as a cookie that scripts cannot read.

import { signIn } from "./api.js";
import { el } from "./dom.js";

/** The form. `entered(session)` is called with who came in; `reason` says why one is asked again. */
export function signInForm(entered, reason = "") {
  const key = el("input", {
    id: "key", type: "password", autocomplete: "current-password", required: true, spellcheck: "false",
    "aria-describedby": "key-hint key-problem", placeholder: "sk-…",
  });
  const problem = el("p", { id: "key-problem", class: "problem", role: "alert" }, reason);
  const button = el("button", { type: "submit", class: "primary" }, "Sign in");
  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    button.disabled = true;
    try {
      entered(await signIn(key.value));
    } catch (error) {
      problem.textContent = error.message;
      key.setAttribute("aria-invalid", "true");
      key.select();
      key.focus();
    }
    button.disabled = false;
  };
  const form = el(
    "form",
    { class: "card sign-in", onsubmit: submit },
    el("img", { src: "/dashboard/icon.svg", alt: "", width: "36", height: "36" }),
    el("h1", { tabindex: "-1" }, "Workers AI gateway"),
    el("p", {}, "Who spent what, on which model, and where it ends by the end of the month."),
    el("label", { for: "key" }, "Key"),
    key,
    el(
      "p",
      { id: "key-hint", class: "hint" },
      "The admin key shows everything; a virtual key shows its own part. The admin key is in the file ",
      el("code", {}, "admin-key"),
      " of the data directory, or in your configuration.",
    ),
    problem,
    button,
  );
  queueMicrotask(() => key.focus());
  return form;
}
