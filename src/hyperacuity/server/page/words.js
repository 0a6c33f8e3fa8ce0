// Numbers as people read them, and elements of the page.

export const find = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const bytes = (count) =>
  count >= 2 ** 30 ? `${(count / 2 ** 30).toFixed(1)} GiB` : count >= 2 ** 20 ? `${(count / 2 ** 20).toFixed(1)} MiB`
    : `${Math.max(1, Math.round(count / 1024))} KiB`;

export const duration = (seconds) =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;

export function report(text) {
  find("status").textContent = text;
}

// A button whose label says what it works on.
export function button(text, name, work) {
  const made = element("button", { type: "button", className: "plain", textContent: text });
  made.setAttribute("aria-label", `${text}: ${name}`);
  made.addEventListener("click", () => Promise.resolve(work()).catch((error) => report(error.message)));
  return made;
}
