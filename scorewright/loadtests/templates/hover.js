"use strict";
// Shows what the mark nearest to the pointer tells.
const tip = document.getElementById("tip");
for (const plot of document.querySelectorAll("svg.plot")) {
  const marks = [...plot.querySelectorAll("[data-tip]")];
  let shown = null;
  const hide = () => {
    shown?.classList.remove("on");
    shown = null;
    tip.hidden = true;
  };
  const show = (event) => {
    let nearest = null;
    let least = 40;
    for (const mark of marks) {
      const box = mark.getBoundingClientRect();
      const across = event.clientX - Math.max(box.left, Math.min(event.clientX, box.right));
      const up = event.clientY - Math.max(box.top, Math.min(event.clientY, box.bottom));
      const far = Math.hypot(across, up);
      if (far < least) [nearest, least] = [mark, far];
    }
    if (nearest === shown) return;
    hide();
    if (!nearest) return;
    shown = nearest;
    nearest.classList.add("on");
    tip.textContent = nearest.dataset.tip;
    tip.hidden = false;
    const box = nearest.getBoundingClientRect();
    const left = Math.min(box.right + 10, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${Math.max(8, box.top - tip.offsetHeight - 8)}px`;
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", hide);
}
