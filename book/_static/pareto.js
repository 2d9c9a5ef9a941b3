/* Says which equation a point of a Pareto front is: to a pointer, a finger or the keyboard.
   Without this file the drawing is whole and a browser shows each point's <title>. */
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("div.pareto")) {
    const svg = figure.querySelector("svg");
    const points = [...svg.querySelectorAll("g.point")];
    const tip = document.createElement("div");
    tip.className = "pareto-tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    figure.append(tip);
    // A picture has no parts to a screen reader; a group does.
    svg.setAttribute("role", "group");

    const hide = () => {
      tip.hidden = true;
      points.forEach((point) => point.classList.remove("shown"));
    };
    const show = (point) => {
      hide();
      point.classList.add("shown");
      const { equation, complexity, loss, score } = point.dataset;
      const code = document.createElement("code");
      code.textContent = equation;
      const facts = document.createElement("span");
      facts.textContent = `complexity ${complexity}, error ${loss}, score ${score}`;
      tip.replaceChildren(code, facts);
      tip.hidden = false;
      // Beside the point, and never beyond the figure: a page must not grow wider for it.
      const box = figure.getBoundingClientRect();
      const mark = point.querySelector("circle, polygon").getBoundingClientRect();
      const middle = mark.left + mark.width / 2 - box.left - tip.offsetWidth / 2;
      const room = box.width - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(middle, room))}px`;
      const above = mark.top - box.top - tip.offsetHeight - 8;
      tip.style.top = `${above >= 0 ? above : mark.bottom - box.top + 8}px`;
    };

    points.forEach((point, index) => {
      const title = point.querySelector("title");
      point.setAttribute("aria-label", title.textContent);
      point.setAttribute("role", "img");
      // One stop of the tab key; the arrows walk from there.
      point.setAttribute("tabindex", point.classList.contains("selected") ? "0" : "-1");
      title.remove();
      point.addEventListener("pointerenter", () => show(point));
      point.addEventListener("click", () => show(point));
      point.addEventListener("focus", () => show(point));
      point.addEventListener("blur", hide);
      point.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step && points[index + step]) {
          points[index + step].focus();
          event.preventDefault();
        } else if (event.key === "Escape") {
          hide();
        }
      });
    });
    svg.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") hide();
    });
  }
});
