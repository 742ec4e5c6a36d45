// Puts the page together: who is signed in, which view the address names, and going from one to the next.

import { Api, Names, signOut, whoAmI } from "./api.js";
import { showBreakdown } from "./breakdown.js";
import { announce, el } from "./dom.js";
import { filterBar } from "./filters.js";
import { hour, day } from "./format.js";
import { showHealth } from "./health.js";
import { showLimits } from "./limits.js";
import { showOverview } from "./overview.js";
import { hrefOf, RANGES, readPlace, readRange } from "./place.js";
import { requestsTitle, showRequests } from "./requests.js";
import { signInForm } from "./sign_in.js";

const VIEWS = {
  overview: { title: () => "Overview", show: showOverview },
  breakdown: { title: () => "Breakdown", show: showBreakdown },
  requests: { title: requestsTitle, show: showRequests },
  limits: { title: () => "Limits", show: showLimits },
  health: { title: () => "Health", show: showHealth, isForAdmins: true },
};

const EVERY = { "10s": 10, "1m": 60, "5m": 300 }; // seconds of the address's `every`

const main = document.getElementById("content");
const header = document.getElementById("top");
const QUIETLY = Symbol("quietly");
let session = null;
let names = new Names();
let leaving = new AbortController(); // ends everything that the view before still waits for

function showView(focus = "h1") {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const place = readPlace();
  const view = viewOf(place);
  const page = {
    place: ownPart(place),
    isKey: session.role === "key",
    isAdmin: isAdmin(),
    signal,
    names,
    api: new Api(signal),
    rangeName: rangeName(place),
    go,
    refresh: () => showView(".refresh"),
    leave: () => signal.aborted || askForKey("The session has ended. Sign in again."),
  };
  drawNavigation(place);
  const title = el("h1", { tabindex: "-1" }, view.title(place));
  const cards = view.show(page);
  const content = [title, place.row ? "" : filterBar(page), ...cards];
  document.title = `${title.textContent} · Workers AI gateway`;
  if (focus === QUIETLY) {
    replaceWhenReady(content, signal);
  } else {
    main.replaceChildren(...content);
    if (focus) main.querySelector(focus)?.focus({ preventScroll: focus !== "h1" });
    announceWhenReady(title.textContent, signal);
  }
  if (EVERY[place.every]) refreshLater(EVERY[place.every], signal);
}

/** Shows the view anew after a while, unless somebody is at work in it or nobody looks. */
function refreshLater(seconds, signal) {
  const timer = setTimeout(() => {
    const isBusy = document.hidden || main.contains(document.activeElement?.closest("select, input, details"));
    if (isBusy) refreshLater(seconds, signal);
    else showView(QUIETLY);
  }, seconds * 1000);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}

/** The old numbers stay until the new ones are there: nothing flickers, nothing moves, nothing is announced. */
async function replaceWhenReady(content, signal) {
  const cards = content.filter((each) => each instanceof Element).flatMap((each) => [each, ...each.querySelectorAll("section.card")]);
  await Promise.allSettled(cards.map((each) => each.ready));
  if (signal.aborted) return;
  const opened = [...main.querySelectorAll("details")].map((each) => each.open);
  main.replaceChildren(...content);
  main.querySelectorAll("details").forEach((each, number) => (each.open = opened[number] ?? false));
  document.querySelector(".refreshed").textContent = `updated ${hour(Date.now() / 1000)} UTC`;
}

const isAdmin = () => session.role === "admin" && !session.project;

function viewOf(place) {
  const view = VIEWS[place.view] ?? VIEWS.overview;
  return view.isForAdmins && !isAdmin() ? VIEWS.overview : view;
}

// The part of everything that the session is for: all, one project, one key.
function ownPart(place) {
  const { project, key } = session;
  return { ...place, ...(project && { project: project.id }), ...(key && { key: key.id }) };
}

function rangeName(place) {
  if (place.range !== "custom") return RANGES[place.range].toLowerCase();
  const range = readRange(place);
  return `${day(range.start)} to ${day(range.end - 1)}`;
}

async function announceWhenReady(title, signal) {
  await Promise.allSettled([...main.querySelectorAll("section.card")].map((section) => section.ready));
  if (!signal.aborted) announce(`${title}, updated at ${hour(Date.now() / 1000)} UTC`);
}

function drawNavigation(place) {
  header.hidden = false;
  const here = viewOf(place);
  document.getElementById("views").replaceChildren(
    ...Object.entries(VIEWS)
      .filter(([, view]) => !view.isForAdmins || isAdmin())
      .map(([name, view]) =>
        el("a", { href: hrefOf({ view: name, row: "", by: "", metric: "" }, place), "aria-current": view === here ? "page" : null }, view.title({ row: "" })),
      ),
  );
  const { project, key } = session;
  const who = key ? `${project.name} · ${key.name}` : project ? `Administrator of ${project.name}` : "Administrator";
  document.getElementById("who").textContent = who;
}

function askForKey(reason = "") {
  leaving.abort();
  session = null;
  names = new Names();
  header.hidden = true;
  document.title = "Sign in · Workers AI gateway";
  const entered = (found) => {
    session = found;
    showView();
  };
  main.replaceChildren(signInForm(entered, reason));
}

function go(href, focus = "h1") {
  history.pushState(null, "", href);
  showView(focus);
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href^='/dashboard']");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!anchor || !session || !isPlain || event.defaultPrevented) return;
  event.preventDefault();
  const label = anchor.textContent;
  go(anchor.getAttribute("href"));
  // Who switched inside a group of choices stays there.
  if (anchor.parentElement?.classList.contains("segments")) {
    [...main.querySelectorAll(".segments a")].find((each) => each.textContent === label)?.focus({ preventScroll: true });
  } else {
    scrollTo(0, 0);
  }
});

addEventListener("popstate", () => session && showView());

document.getElementById("sign-out").addEventListener("click", async () => {
  try {
    await signOut();
    askForKey();
  } catch (error) {
    announce(error.message);
  }
});

async function start() {
  try {
    const found = await whoAmI();
    if (found.role === "none") return askForKey();
    session = found;
    showView(null); // the reader starts at the top of the page, as on any other
  } catch (error) {
    const again = el("button", { type: "button", onclick: start }, "Try again");
    main.replaceChildren(el("div", { class: "card problem", role: "alert" }, el("p", {}, error.message), again));
  }
}

start();
