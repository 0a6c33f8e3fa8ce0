// Before and after, one over the other, with a slider: by mouse, touch and keys.

export function comparison(job) {
  const view = document.getElementById("comparison").content.cloneNode(true).firstElementChild;
  const images = view.querySelector(".images");
  const [before, after] = images.children;
  const slider = view.querySelector("input");
  const zoom = view.querySelector(".zoom");
  before.src = `v1/jobs/${job.id}/before`;
  after.src = `v1/jobs/${job.id}/after`;
  const show = () => images.style.setProperty("--split", `${slider.value}%`);
  slider.addEventListener("input", show);
  const follow = (event) => {
    const box = before.getBoundingClientRect();
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
  zoom.addEventListener("click", () => {
    const full = images.classList.toggle("full");
    zoom.setAttribute("aria-pressed", String(full));
    zoom.textContent = full ? "Show the whole image" : "Show at 1:1";
  });
  show();
  return view;
}
