// Numbers as people read them, and elements of the page.

export const find = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const bytes = (count) =>
  count >= 2 ** 30 ? `${+(count / 2 ** 30).toFixed(1)} GiB` : count >= 2 ** 20 ? `${+(count / 2 ** 20).toFixed(1)} MiB`
    : `${Math.max(1, Math.round(count / 1024))} KiB`;

export const duration = (seconds) =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;

export const pixels = (width, height) => `${number.format(width)} × ${number.format(height)}`;
export const files = (count) => `${number.format(count)} ${count === 1 ? "file" : "files"}`;
export const date = (seconds) => moment.format(new Date(1000 * seconds));

let fading = null;

// Says something at the foot of the page, for a few seconds unless it stays true.
export function report(text, stays = false) {
  clearTimeout(fading);
  find("status").textContent = text;
  if (text && !stays) fading = setTimeout(() => { find("status").textContent = ""; }, 8000);
}

// A button whose label says what it works on.
export function button(text, name, work) {
  const made = element("button", { type: "button", className: "plain", textContent: text });
  made.setAttribute("aria-label", `${text}: ${name}`);
  made.addEventListener("click", () => Promise.resolve(work()).catch((error) => report(error.message)));
  return made;
}

// The first line of a list item: a small image if there is one, the name, what is said of it, and what can be done.
export function head(image, name, note, ...actions) {
  const text = element("div", {}, element("div", { className: "name", textContent: name }), note);
  const done = element("span", { className: "actions" }, ...actions);
  return element("div", { className: "head" }, ...(image ? [image] : []), text, done);
}
