/* Writes under a Pareto front which equation a point is: for a pointer, a finger or the keyboard.
   Without this file the drawing is whole and a browser shows each point's <title>. */
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("div.pareto")) {
    const points = [...figure.querySelectorAll("g.point")];
    const selected = figure.querySelector("g.selected");
    const [code, facts] = figure.querySelector(".pareto-said").children;
    const show = (shown) => {
      points.forEach((point) => point.classList.toggle("shown", point === shown));
      code.textContent = shown.dataset.equation;
      facts.textContent = ` ${shown.dataset.facts}`;
    };
    points.forEach((point, index) => {
      for (const event of ["pointerenter", "click", "focus"]) {
        point.addEventListener(event, () => show(point));
      }
      point.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step && points[index + step]) {
          points[index + step].focus();
          event.preventDefault();
        } else if (event.key === "Escape") {
          show(selected);
        }
      });
    });
    for (const event of ["mouseleave", "focusout"]) {
      figure.addEventListener(event, () => show(selected));
    }
  }
});
