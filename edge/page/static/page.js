// Keeps what is shown fresh, and gives the PIN a keypad; without it every button still works.
"use strict";

const PERIOD_MS = 2000;
let shown = null;

function part(root) {
  return root.querySelector("[data-refresh]");
}

function lost(yes) {
  document.getElementById("lost").hidden = !yes;
}

function replace(fresh) {
  const old = part(document);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(document.importNode(fresh, true));
  if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

async function refresh() {
  if (document.hidden || part(document) === null) {
    return;
  }
  try {
    const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload();
      return;
    }
    const fresh = part(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (fresh === null) {
      location.reload();
      return;
    }
    const text = fresh.outerHTML;
    if (text !== shown) {
      if (shown !== null || text !== part(document).outerHTML) {
        replace(fresh);
      }
      shown = text;
    }
    lost(false);
  } catch {
    lost(true);
  }
}

async function keepFresh() {
  await refresh();
  setTimeout(keepFresh, PERIOD_MS);
}

function keypad() {
  const pad = document.getElementById("keypad");
  const pin = document.getElementById("pin");
  if (pad === null) {
    return;
  }
  pad.hidden = false;
  pad.addEventListener("click", (event) => {
    const key = event.target.closest("button");
    if (key === null) {
      return;
    }
    pin.value = "delete" in key.dataset ? pin.value.slice(0, -1) : pin.value + key.dataset.digit;
  });
}

keypad();
if (part(document) !== null) {
  setTimeout(keepFresh, PERIOD_MS);
}
