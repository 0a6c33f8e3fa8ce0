// Before and after, one over the other, with a slider: by mouse, touch and keys.

export function comparison(job) {
  const view = document.getElementById("comparison").content.cloneNode(true).firstElementChild;
  const images = view.querySelector(".images");
  const pair = view.querySelector(".pair");
  const [before, after] = pair.children;
  const slider = view.querySelector("input");
  const zoom = view.querySelector(".zoom");
  before.src = `v1/jobs/${job.id}/before`;
  after.src = `v1/jobs/${job.id}/after`;
  slider.setAttribute("aria-label", `Before and after: ${job.name}`);
  const show = () => {
    pair.style.setProperty("--split", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % before, ${100 - slider.value} % after`);
  };
  slider.addEventListener("input", show);
  const follow = (event) => {
    const box = pair.getBoundingClientRect();
    slider.value = String(100 * (event.clientX - box.left) / box.width);
    show();
  };
  images.addEventListener("pointerdown", (event) => {
    if (images.classList.contains("full") && event.pointerType !== "mouse") return; // fingers move the large image
    images.setPointerCapture(event.pointerId);
    follow(event);
  });
  images.addEventListener("pointermove", (event) => {
    if (images.hasPointerCapture(event.pointerId)) follow(event);
  });
  before.draggable = after.draggable = false;
  const [, width] = job.outcome.after ?? [0, 0];
  // Previews have at most 4 megapixels: of larger results they are smaller copies.
  const label = () => (after.naturalWidth && width > after.naturalWidth ? "Show larger" : "Show at 1:1");
  after.addEventListener("load", () => {
    if (!images.classList.contains("full")) zoom.textContent = label();
  });
  zoom.addEventListener("click", () => {
    const full = images.classList.toggle("full");
    zoom.setAttribute("aria-pressed", String(full));
    zoom.textContent = full ? "Fit to the page" : label();
    images.tabIndex = full ? 0 : -1; // keys scroll it
  });
  show();
  return view;
}
